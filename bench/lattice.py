"""Canvases: masks of all holes, cold and after a commit in the middle, by kind of canvas and by number of slots.

Full recursive JSON (compact, duplicate keys not kept apart: the canvas machine's relaxation, which is what answers on canvases this large) and a
record of many fields, over a tokenizer's vocabulary.  *Cold* is everything from the slots to the set of token classes of each hole, the machine of the
constraint and a buffer of the size being there; *commit* is one more fixed token and the sets again; *rows* is the sets as packed rows.
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

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from corpus_vocabularies import REAL_TOKENIZERS, vocabulary_named

import syntagma as sg
from syntagma.automata.lattice.canvas import Layout
from syntagma.automata.lattice.engines import engine_of
from syntagma.automata.lattice.extraction import Extraction
from syntagma.automata.lattice.machine import POP
from syntagma.automata.lattice.pushdown import PushdownEngine
from syntagma.automata.lattice.slots import HOLE, Slot, Step, unroll

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 7
COMMITS = 8
SEED = 11


def least(question: Callable[[], Any]) -> float:
    """The least processor time of some runs, in milliseconds."""
    times = []
    for _ in range(RUNS):
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


def report(name: str, layout: Layout, vocab: sg.Vocabulary, slots: list[Slot]) -> None:
    """One line of the table."""
    steps = unroll(slots, vocab.size)

    def cold() -> None:
        engine = engine_of(layout, steps)
        engine.class_masks()
        engine.close()

    cold()
    times = [least(cold)]
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
    report("record, 400 open", flat, vocab, [HOLE] * 400)
    ids = text_of(vocab, draw, 400)
    report("JSON, 32 open in 400", full, vocab, opened(ids, list(range(180, 212))))
    ids = text_of(vocab, draw, 10_000)
    holes = [i + k for i in (1_000, 5_000, 9_000) for k in range(32)]
    report("JSON, 3 x 32 open in 10,000", full, vocab, opened(ids, holes))


if __name__ == "__main__":
    main()
