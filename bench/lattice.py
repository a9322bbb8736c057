"""Canvases: masks of all holes, cold and after a commit in the middle, by kind of canvas and by number of slots.

Full recursive JSON (compact, duplicate keys not kept apart: the canvas machine's relaxation, which is what answers on canvases this large) and a
record of many fields, over a tokenizer's vocabulary.  *Cold* is everything from the slots to the set of token classes of each hole, the machine of the
constraint and a buffer of the size being there, but no table of another canvas; *commit* is one more fixed token and the sets again; *rows* is the sets as packed rows.
*Warm* is a new canvas of another length and with another beginning, after one that is open to its end like it, and was closed; several take turns.
Times are the least of several runs in processor time of one thread, after a first run that compiles.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from corpus_vocabularies import REAL_TOKENIZERS, vocabulary_named

import syntagma as sg
from syntagma.automata.lattice.canvas import Layout
from syntagma.automata.lattice.engines import engine_of
from syntagma.automata.lattice.extraction import Extraction
from syntagma.automata.lattice.machine import POP
from syntagma.automata.lattice.pushdown import PushdownEngine
from syntagma.automata.lattice.shelf import SHELF
from syntagma.automata.lattice.slots import HOLE, Slot, Step, unroll

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RUNS = 7
COMMITS = 8
SEED = 11


def least(question: Callable[[], Any], before: Callable[[], Any] = lambda: None) -> float:
    """The least processor time of some runs, in milliseconds, without what is done before each."""
    times = []
    for _ in range(RUNS):
        before()
        began = time.thread_time()
        question()
        times.append(time.thread_time() - began)
    return min(times) * 1e3


def document(draw: random.Random, depth: int = 0) -> object:
    """A random JSON value."""
    kind = draw.random()
    if depth < 4 and kind < 0.35:
        return {f"key{draw.randrange(1000)}": document(draw, depth + 1) for _ in range(draw.randint(1, 5))}
    if depth < 4 and kind < 0.6:
        return [document(draw, depth + 1) for _ in range(draw.randint(1, 5))]
    return draw.choice([draw.randrange(10**6), draw.random(), True, None, "word " * draw.randint(1, 6)])


def text_of(vocab: sg.Vocabulary, draw: random.Random, n: int) -> list[int]:
    """The tokens of a JSON text, ``n`` with the end-of-sequence tokens behind it."""
    values: list[object] = []
    while True:
        more = [*values, document(draw)]
        ids = vocab.encode(json.dumps(more, separators=(",", ":")))
        if len(ids) > n:
            break
        values = more
    ids = vocab.encode(json.dumps(values, separators=(",", ":")))
    return ids + [vocab.eos_ids[0]] * (n - len(ids))


def opened(ids: list[int], holes: list[int]) -> list[Slot]:
    """The canvas with some slots open."""
    slots: list[Slot] = list(ids)
    for i in holes:
        slots[i] = HOLE
    return slots


def computed(layout: Layout, steps: Sequence[Step]) -> npt.NDArray[np.uint64]:
    """The classes of a canvas that is opened and closed."""
    engine = engine_of(layout, steps)
    masks = engine.class_masks()
    engine.close()
    return masks


def report_warm(layout: Layout, vocab: sg.Vocabulary, n: int) -> None:
    """Lines of canvases that take turns after one of n open slots."""
    text = vocab.encode('{"name":[1,2,{"a":"bcd and some more of a text that goes on","c":[true,false,{"dd":[12,13')
    canvases = {
        f"{n} open": [HOLE] * n,
        f"10 fixed, {n - 16} open": [*text[:10], *[HOLE] * (n - 16)],
        f"3 fixed, {n - 3} open": [*text[:3], *[HOLE] * (n - 3)],
        f"{len(text)} fixed, {n * 4 // 5} open": [*text, *[HOLE] * (n * 4 // 5)],
        f"7 fixed, {n * 5 // 4} open": [*text[:7], *[HOLE] * (n * 5 // 4)],
    }
    steps = {name: unroll(slots, vocab.size) for name, slots in canvases.items()}
    expected: dict[str, npt.NDArray[np.uint64]] = {}
    cold: dict[str, float] = {}
    for name, canvas in steps.items():
        SHELF.forget(layout.number)
        expected[name] = computed(layout, canvas)
        cold[name] = least(lambda canvas=canvas: computed(layout, canvas), lambda: SHELF.forget(layout.number))
    SHELF.forget(layout.number)
    computed(layout, steps[f"{n} open"])
    times: dict[str, list[float]] = {name: [] for name in canvases}
    draw = random.Random(SEED)
    last = ""
    for name in draw.choices(sorted(canvases), k=40 * len(canvases)):
        began = time.thread_time()
        masks = computed(layout, steps[name])
        if name != last:
            times[name].append((time.thread_time() - began) * 1e3)
        last = name
        if not np.array_equal(masks, expected[name]):
            raise AssertionError("a canvas that goes on with another's table says something else")
    for name, of in times.items():
        print(f"| {name} | {cold[name]:.2f} | {min(of):.2f} | {np.median(of):.2f} |", flush=True)


def report(name: str, layout: Layout, vocab: sg.Vocabulary, slots: list[Slot]) -> None:
    """One line of the table."""
    steps = unroll(slots, vocab.size)

    computed(layout, steps)
    times = [least(lambda: computed(layout, steps), lambda: SHELF.forget(layout.number))]
    engine = engine_of(layout, steps)
    draw = random.Random(SEED)
    commits = []
    for _ in range(COMMITS + 1):
        holes = [i for i, step in enumerate(steps) if step.hole]
        i = draw.choice(holes[len(holes) // 3 : -(-2 * len(holes) // 3)])
        bits = np.unpackbits(engine.class_masks()[i].view(np.uint8), bitorder="little")
        token = int(draw.choice(np.flatnonzero(bits[engine.machine.class_of]).tolist()))
        steps = [*steps[:i], Step(steps[i].slot, token=token), *steps[i + 1 :]]
        began = time.thread_time()
        engine.fix(steps)
        engine.class_masks()
        commits.append((time.thread_time() - began) * 1e3)
    if not engine.feasible():
        raise AssertionError("a committed class left the canvas without a filling")
    rows = np.empty((sum(step.hole for step in steps), vocab.words), np.uint32)
    times += [float(np.median(commits[1:])), max(commits[1:]), least(lambda: engine.masks(rows))]
    size = engine.table_bytes / 1e6
    kind = "stack" if isinstance(engine, PushdownEngine) else "flat"
    print(f"| {name} | {kind} | " + " | ".join(f"{t:.2f}" for t in times) + f" | {size:.1f} |", flush=True)
    engine.close()


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tokenizer", default="deepseek", choices=sorted(REAL_TOKENIZERS))
    options.add_argument("--longest", type=int, default=1024, help="slots of the longest canvas")
    chosen = options.parse_args()
    vocab = vocabulary_named(chosen.tokenizer)
    fields: dict[str, object] = {
        f"f{i:02}": [
            {"enum": ["red", "green", "blue"]},
            {"type": "integer", "minimum": 0, "maximum": 999},
            {"type": "boolean"},
        ][i % 3]
        for i in range(56)
    }
    record = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    layouts = {}
    for name, source in (
        ("JSON", sg.JsonSchema(True, whitespace="compact")),
        ("record", sg.JsonSchema(record, whitespace="compact")),
    ):
        constraint = sg.compile(source, vocab)
        began = time.thread_time()
        Extraction(constraint).machine()
        first = time.thread_time() - began
        took = least(lambda c=constraint: Extraction(c).machine())
        layouts[name] = Layout(Extraction(constraint).machine())
        machine = layouts[name].machine
        print(
            f"{name}: {machine.n_controls} controls, {len(machine.edge_node)} edges, {machine.n_classes} token classes of {vocab.size} tokens, "
            f"{(machine.kind == POP).sum()} pop nodes; machine in {took:.0f} ms, with effects {first * 1e3:.0f} ms"
        )
    print(
        "\n| canvas | engine | cold, ms | after a commit, ms (median) | (worst) | rows, ms | tables, MB |\n|---|---|---|---|---|---|---|"
    )
    draw = random.Random(SEED)
    full, flat = layouts["JSON"], layouts["record"]
    n = 32
    while n <= chosen.longest:
        report(f"JSON, {n} open", full, vocab, [HOLE] * n)
        report(f"JSON, {n}, half fixed", full, vocab, opened(text_of(vocab, draw, n), draw.sample(range(n), n // 2)))
        n *= 2
    report("record, 320 open", flat, vocab, [HOLE] * 320)
    report("record, 400 open", flat, vocab, [HOLE] * 400)
    ids = text_of(vocab, draw, 400)
    report("JSON, 32 open in 400", full, vocab, opened(ids, list(range(180, 212))))
    ids = text_of(vocab, draw, 10_000)
    holes = [i + k for i in (1_000, 5_000, 9_000) for k in range(32)]
    report("JSON, 3 x 32 open in 10,000", full, vocab, opened(ids, holes))
    print(
        "\nJSON, open to the end, one after another in random order\n\n| canvas | cold, ms | warm, ms | warm, ms (median) |\n|---|---|---|---|"
    )
    report_warm(full, vocab, 256)


if __name__ == "__main__":
    main()
