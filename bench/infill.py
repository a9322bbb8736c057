"""Files of Python's standard library with holes cut out at random, filled again: how many parse, and what it takes.

Each file gets one, two or three holes of 1 to 300 bytes, anywhere: in the middle of names, strings, blocks.  Without ``--model`` the holes get the shortest texts that the search
finds; with it the embedded model fills them, ``--max-tokens`` a hole (more where the search needs more).  Lark is the judge of the result.
"""

from __future__ import annotations

import argparse
import random
import sysconfig
import time
from itertools import pairwise
from pathlib import Path

import lark
import numpy as np
from lark.indenter import PythonIndenter

import syntagma as sg
from syntagma.automata.bridge import Bridge
from syntagma.engine.infill import infill
from syntagma.integrations import smollm2
from syntagma.integrations.languages import language

LENGTHS = (1, 5, 20, 80, 300)


def cut(draw: random.Random, text: str, holes: int) -> list[str]:
    """The text with random pieces cut out."""
    while True:
        cuts = []
        for _ in range(holes):
            length = draw.choice(LENGTHS)
            begin = draw.randrange(max(1, len(text) - length))
            cuts.append((begin, min(len(text), begin + length)))
        cuts.sort()
        if all(a[1] < b[0] for a, b in pairwise(cuts)):
            break
    parts, at = [], 0
    for begin, end in cuts:
        parts.append(text[at:begin])
        at = end
    return [*parts, text[at:]]


def shortest(constraint: sg.Constraint, parts: list[str]) -> str:
    """The text with the holes filled as shortly as possible."""
    with constraint.session() as session:
        state = session.advance_bytes(session.start, parts[0].encode())
        fills = Bridge(constraint, [part.encode() for part in parts[1:]]).fills(state)
    if fills is None:
        raise sg.Unsatisfiable("nothing was found")
    return parts[0] + "".join(a.decode() + b for a, b in zip(fills, parts[1:], strict=True))


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--files", type=int, default=200)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--largest", type=int, default=60_000, help="bytes of a file")
    options.add_argument("--model", action="store_true", help="let the embedded model fill the holes")
    options.add_argument("--max-tokens", type=int, default=24)
    given = options.parse_args()
    source = language("python")
    built = lark.Lark.open(str(source.grammar), parser="lalr", start="file_input", postlex=PythonIndenter())
    model = smollm2.load() if given.model else None
    vocab = model.vocab if model else sg.Vocabulary([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    constraint = sg.compile(source, vocab)
    draw = random.Random(given.seed)
    files = [
        p for p in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")) if 0 < p.stat().st_size < given.largest
    ]
    draw.shuffle(files)
    times: list[float] = []
    counts = {"parse": 0, "rejected": 0, "not filled": 0}
    for path in files:
        if len(times) == given.files:
            break
        text = path.read_text(encoding="utf-8", errors="replace")
        if not text or not constraint.accepts(text):
            continue
        parts = cut(draw, text, 1 + len(times) % 3)
        began = time.perf_counter()
        try:
            done = shortest(constraint, parts) if model is None else filled(model, parts, constraint, given.max_tokens)
        except (sg.Unsatisfiable, sg.LimitExceeded) as error:
            times.append(time.perf_counter() - began)
            counts["not filled"] += 1
            print(f"{path.name}: {error}", flush=True)
            continue
        times.append(time.perf_counter() - began)
        try:
            built.parse(done)
            counts["parse"] += 1
        except Exception:  # noqa: BLE001 - whatever Lark raises is a rejection
            counts["rejected"] += 1
            print(f"{path.name}: Lark rejects what was filled", flush=True)
    p50, p90, most = np.percentile(times, [50, 90, 100])
    print(
        f"{len(times)} files: {counts}; seconds a file: p50 {p50:.2f}, p90 {p90:.2f}, max {most:.1f}, sum {sum(times):.0f}"
    )


def filled(model: object, parts: list[str], constraint: sg.Constraint, budget: int) -> str:
    """The text as the model fills it, with a greater budget where the holes need one."""
    while True:
        try:
            return infill(model, parts, constraint, max_new_tokens=budget).text
        except sg.BudgetTooSmall as error:
            budget = error.needed


if __name__ == "__main__":
    main()
