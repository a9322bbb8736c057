"""How far the law of a drawn text is from the model's own, conditioned on the constraint, by the number of particles; as a picture.

    python bench/distortion.py --picture docs/sampling.svg

The model, the prompts and the truth are those of ``side_by_side.py``.  The distance is estimated from the posteriors of many runs, so even exact draws would
not come out at 0: ``floor`` is what as many independent exact draws give as there are runs.  With one particle nothing is corrected: that is what masks alone do.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from side_by_side import Once, Table, Truth, counted, enumerated, ours, text_of, vocabulary
from side_tasks import tasks

import syntagma as sg
from syntagma.integrations import smollm2

PARTICLES = (1, 2, 5, 10, 20)
WIDTH, HEIGHT, LEFT, TOP = 560, 300, 60, 20
COLOURS = ("#1f6fb2", "#c4572b", "#2c8a4b", "#8a5cb8")

Points = list[tuple[int, float]]


def distance(once: Once, runs: int, truth: Truth, vocab: sg.Vocabulary) -> float:
    """Total variation between the mean of the posteriors and the truth."""
    law = Counter[bytes]()
    for seed in range(runs):
        for output in once(seed)[0].outputs:
            law[text_of(vocab, output.tokens)] += output.probability
    total = sum(law.values())
    return sum(abs(law[text] / total - truth.law.get(text, 0.0)) for text in {*law, *truth.law}) / 2


def floor(truth: Truth, runs: int) -> float:
    """The same of exact draws."""
    p = np.array(list(truth.law.values()))
    draws = np.random.default_rng(0).multinomial(runs, p / p.sum(), size=200) / runs
    return float(np.abs(draws - p / p.sum()).sum(1).mean() / 2)


def picture(curves: dict[str, Points], title: str) -> str:
    """Curves over the logarithm of the number of particles."""
    most = max(y for points in curves.values() for _, y in points) * 1.1
    right, bottom = WIDTH - 20, HEIGHT - 45

    def place(n: int, y: float) -> tuple[float, float]:
        share = np.log(n) / np.log(PARTICLES[-1])
        return round(LEFT + share * (right - LEFT), 1), round(bottom - y / most * (bottom - TOP), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<title>{title}</title><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#444"/>',
        f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">particles</text>',
        f'<text transform="translate(14 {(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">distance</text>',
    ]
    for n in PARTICLES:
        x, y = place(n, 0)
        parts.append(f'<path d="M{x} {y}v5" stroke="#444"/><text x="{x}" y="{y + 18}" text-anchor="middle">{n}</text>')
    for tick in np.arange(0, most, 0.1 if most > 0.25 else 0.05):
        x, y = place(1, float(tick))
        parts.append(
            f'<path d="M{x} {y}h-5" stroke="#444"/><text x="{x - 9}" y="{y + 4}" text-anchor="end">{tick:.2f}</text>'
        )
    for number, ((name, points), colour) in enumerate(zip(curves.items(), COLOURS, strict=False)):
        line = " ".join("{},{}".format(*place(*point)) for point in points)
        dashes = ' stroke-dasharray="3 4"' if name.endswith("exact draws") else ""
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        if not dashes:
            parts += ['<circle cx="{}" cy="{}" r="3" fill="{}"/>'.format(*place(*point), colour) for point in points]
        parts.append(f'<text x="{right}" y="{TOP + 12 + 16 * number}" text-anchor="end" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def curve(name: str, makers: Sequence[tuple[int, Once]], runs: int, truth: Truth, vocab: sg.Vocabulary) -> Points:
    """One engine with the numbers of particles that it is given."""
    points = []
    for n, once in makers:
        points.append((n, distance(once, runs, truth, vocab)))
        print(f"{name:40} {n:3} particles: {points[-1][1]:.3f}", flush=True)
    return points


def main() -> None:
    """Draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", type=int, default=3, help="number of the task in side_by_side.py")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument(
        "--peer-particles", type=int, default=0, help="the most that genlm-control is given, which takes its time"
    )
    parser.add_argument("--most", type=int, default=800)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    model = smollm2.load()
    vocab = vocabulary(model)
    task = tasks()[options.task]
    table = Table(model, task.prompt)
    constraint = sg.compile(task.source, vocab)
    truth = enumerated(task, table, constraint, enough=0.02, most=options.most)
    print(f"{task.kind}: evidence {truth.evidence:.3g}, {len(truth.law)} texts, missed {truth.missed:.2g}")
    check, session = counted(task)[0], constraint.session()
    own = [(n, ours(task, table, session, vocab, check, n)) for n in PARTICLES]
    curves = {"Syntagma": curve("Syntagma", own, options.runs, truth, vocab)}
    few = [n for n in PARTICLES if n <= options.peer_particles]
    if few and find_spec("genlm") is not None:
        from side_peer import Peer  # noqa: PLC0415 - an optional peer

        theirs = [(n, Peer(task, table, vocab, check, session, n, 2).run) for n in few]
        curves["genlm-control, our grammar"] = curve("genlm-control, our grammar", theirs, options.runs, truth, vocab)
    curves[f"{options.runs} exact draws"] = [(n, floor(truth, options.runs)) for n in PARTICLES]
    if options.picture:
        options.picture.write_text(picture(curves, "Distance to the model's own law by the number of particles"))


if __name__ == "__main__":
    main()
