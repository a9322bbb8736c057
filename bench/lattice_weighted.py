"""Weighted canvases on full recursive JSON: best filling, joint commit, fewest slots, mass, marginals and samples, by number of open slots.

Takes the canvas machine of any JSON value over a tokenizer's vocabulary (duplicate keys are not kept apart: the machine's relaxation), and
random log probabilities over the whole vocabulary.  First canvases that are all open, then windows in a document of some 10,000 tokens.
Times are the least of several runs in processor time of one thread, after a first run that compiles; the figures beside them are those
of a prototype of the same kernels, which had its table in single precision, on another machine.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from corpus_vocabularies import REAL_TOKENIZERS, vocabulary_named

import syntagma as sg
from syntagma.automata.lattice.extraction import Extraction
from syntagma.automata.lattice.slots import Step
from syntagma.automata.lattice.units import Units
from syntagma.automata.lattice.weighted import WeightedEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from syntagma.automata.lattice.machine import CanvasMachine

PROTOTYPE = {16: "1.8 + 0.9", 32: "10-18 + 2-10", 64: "143 + 8-12"}
"""Milliseconds of the table and of logits to classes, by open slots."""

LONGEST = 16  # bytes of a token that the text of a document is cut into


def least(question: Callable[[], Any], runs: int) -> tuple[float, Any]:
    """The least processor time of some runs, in milliseconds, and an answer."""
    question()
    times = []
    for _ in range(runs):
        began = time.thread_time()
        answer = question()
        times.append(time.thread_time() - began)
    return min(times) * 1e3, answer


def document(draw: random.Random, depth: int = 0) -> object:
    """A random JSON value."""
    kind = draw.randrange(6 if depth < 5 else 3)
    if kind == 0:
        return draw.randrange(1000)
    if kind == 1:
        return "".join(draw.choices("abcdefgh xyz", k=8))
    if kind == 2:
        return draw.choice([True, None, 1.5])
    parts = [document(draw, depth + 1) for _ in range(4)]
    return parts if kind == 5 else {"".join(draw.choices("abcdefgh", k=5)): part for part in parts}


def tokenised(text: bytes, vocab: sg.Vocabulary, machine: CanvasMachine) -> list[int]:
    """The text in its longest tokens from the left."""
    ids = {data: t for t, data in enumerate(vocab.tokens) if data and machine.class_of[t]}
    found, i = [], 0
    while i < len(text):
        data = next(text[i : i + n] for n in range(LONGEST, 0, -1) if text[i : i + n] in ids)
        found.append(ids[data])
        i += len(data)
    return found


def report(name: str, engine: WeightedEngine, rows: np.ndarray, runs: int) -> None:
    """One line: every question on one canvas."""
    draw = random.Random(0)
    holes = [i for i, step in enumerate(engine.steps) if step.hole]
    bonus = {i: {draw.randrange(rows.shape[1]): 1.0} for i in holes[::2]}
    classes, _ = least(lambda: engine.token_weights(rows), runs)
    fill, _ = least(lambda: engine.best_fill(rows), runs)
    commit, found = least(lambda: engine.best_commit(bonus), runs)
    shortest, _ = least(engine.shortest, runs)
    line = f"{name:>14}  {fill:8.1f}  {classes:8.1f}  {commit:8.1f} ({len(found[0]) if found else 0}/{len(bonus)})  {shortest:8.1f}"
    size = engine.table_bytes / (1 << 20)
    if engine.machine.deterministic:
        mass, _ = least(lambda: engine.log_mass(rows), runs)
        marginals, _ = least(lambda: engine.log_marginals(rows), runs)
        many, _ = least(lambda: list(islice(engine.samples(rows, np.random.default_rng(0)), 100)), 1)
        line += f"  {mass:8.1f}  {marginals:8.1f}  {(many - mass) / 100:8.2f}"
    print(f"{line}  {size:6.1f} MiB  {PROTOTYPE.get(len(holes), '')}", flush=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", default="deepseek", choices=REAL_TOKENIZERS)
    parser.add_argument("--open", type=int, nargs="*", default=[8, 16, 32, 64], help="numbers of open slots")
    parser.add_argument("--tokens", type=int, default=10_000, help="length of the document")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()

    vocab = vocabulary_named(options.tokenizer)
    constraint = sg.compile(sg.JsonSchema({}, whitespace="compact"), vocab)
    began = time.perf_counter()
    machine = Extraction(constraint).machine()
    print(
        f"{vocab.size} tokens; machine in {time.perf_counter() - began:.2f} s: {machine.n_controls} controls, "
        f"{len(machine.kind)} nodes, {len(machine.edge_node)} edges, {machine.n_classes} classes, "
        f"{'one run' if machine.deterministic else 'several runs'} a text"
    )
    rng = np.random.default_rng(0)
    print(
        "milliseconds:     best fill  (classes)  commit (kept)      fewest      mass  marginals   a sample   table      prototype"
    )
    for n in options.open:
        rows = rng.normal(0, 2, (n, vocab.size)).astype(np.float32)
        report(f"{n} open", WeightedEngine(machine, [Step(i, hole=True) for i in range(n)]), rows, options.runs)

    draw = random.Random(0)
    values: list[object] = []
    tokens: list[int] = []
    while len(tokens) < options.tokens:
        values += [document(draw) for _ in range(10)]
        tokens = tokenised(json.dumps(values, separators=(",", ":")).encode(), vocab, machine)
    print(f"windows in a document of {len(tokens)} tokens:")
    for count, width in ((1, 32), (1, 64), (3, 16), (3, 32)):
        opened = {
            i for k in range(count) for i in range((k + 1) * len(tokens) // 4, (k + 1) * len(tokens) // 4 + width)
        }
        steps = [Step(i, hole=True) if i in opened else Step(i, token=t) for i, t in enumerate(tokens)]
        layout, _ = least(lambda steps=steps: Units(machine, steps), options.runs)
        engine = WeightedEngine(machine, steps)
        print(f"{layout:.1f} ms to lay out, runs of fixed tokens included")
        rows = rng.normal(0, 2, (len(opened), vocab.size)).astype(np.float32)
        report(f"{count} x {width}", engine, rows, options.runs)


if __name__ == "__main__":
    main()
