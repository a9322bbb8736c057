"""Canvases under grammars with a lexer: SQL, C, Java and JSON by Lark, and Python, over a tokenizer's vocabulary.

For each grammar and number of slots two canvases: all slots open, and half of them opened at random in a text (what is left of the slots behind the text is end-of-sequence).
*fillable* is whether the canvas can be filled, *masks* the masks of all holes after that, *again* the same after one more token was committed in the middle; in seconds of
the wall clock.  The first line of a grammar holds what is found once for a constraint (effects of tokens).  *sets* and *MB* are the sets of stacks and their tables; *exact*
says from which slot on the masks are exact, 0 for all.  With ``--layered`` the states are followed one by one instead, the engine for every constraint: there *sets*
is the number of states.  A canvas that takes more than ``--limit`` seconds ends a column.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from corpus import REAL_TOKENIZERS, vocabulary_named
from lark_seeds import SEEDS, grammar_path

import syntagma as sg
from syntagma.automata.constraint import Constraint
from syntagma.automata.lattice.extraction import Beyond
from syntagma.automata.lattice.layered import LayeredEngine
from syntagma.automata.lattice.parsed import ParsedEngine
from syntagma.automata.lattice.slots import HOLE, Slot, Step, unroll
from syntagma.integrations.languages import language

SEED = 5
PYTHON = "def area(width, height):\n    if width < 0 or height < 0:\n        raise ValueError('negative: %s' % [width, height])\n    return width * height\n\n\nfor i in range(3):\n    print(area(i, 2), end=' ')\n"
MOST_STATES = 5_000


def canvas(constraint: Constraint, text: str, n: int, draw: random.Random) -> list[Slot]:
    """A text's tokens and end-of-sequence, n in all, every other one opened at random; a window of them where the text is longer, with all that is outside of it."""
    vocab = constraint.vocab
    ids = vocab.encode(text)
    first = max(0, (len(ids) - n) // 2)
    slots: list[Slot] = [*ids, *[vocab.eos_ids[0]] * max(0, n - len(ids))]
    for i in draw.sample(range(first, first + n), n // 2):
        slots[i] = HOLE
    return slots


def report(name: str, constraint: Constraint, slots: list[Slot], *, layered: bool) -> float:
    """One line of the table; the seconds it took."""
    vocab = constraint.vocab
    steps = unroll(slots, vocab.size)
    began = time.perf_counter()
    engine: LayeredEngine | ParsedEngine
    if layered:
        engine = LayeredEngine(constraint, steps, max_layer=MOST_STATES, most_states=MOST_STATES)
    else:
        engine = ParsedEngine(constraint, steps)
    try:
        fillable = engine.feasible()
        times = [time.perf_counter() - began]
        rows = np.zeros((sum(step.hole for step in steps), vocab.words), np.uint32)
        engine.masks(rows)
        times.append(time.perf_counter() - began - times[0])
        sizes = states_of(engine)
        holes = [i for i, step in enumerate(steps) if step.hole]
        if fillable and not layered:
            k = len(holes) // 2
            bits = np.flatnonzero(np.unpackbits(rows[k].view(np.uint8), bitorder="little"))
            steps[holes[k]] = Step(steps[holes[k]].slot, token=int(random.Random(SEED).choice(bits.tolist())))
            again = time.perf_counter()
            engine.fix(steps)
            engine.feasible()
            engine.masks(np.zeros((len(holes) - 1, vocab.words), np.uint32))
            times.append(time.perf_counter() - again)
        spent = " | ".join(f"{t:.2f}" for t in times) + " | -" * (3 - len(times))
        print(f"| {name} | {'yes' if fillable else 'no'} | {spent} | {sizes} |", flush=True)
    except sg.LimitExceeded as error:
        print(f"| {name} | {error} after {time.perf_counter() - began:.1f} s | | | | | | |", flush=True)
        return np.inf
    finally:
        engine.close()
    return time.perf_counter() - began


def states_of(engine: LayeredEngine | ParsedEngine) -> str:
    """Sizes, and memory of the process at its highest."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    if isinstance(engine, LayeredEngine):
        return f"{engine.n_states} | - | 0 | {memory}"
    return f"{engine.n_sets} | {engine.table_bytes / 1e6:.0f} | {engine.known_from} | {memory}"


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("grammars", nargs="*", default=["json", "c", "java", "sql", "python"])
    options.add_argument("--tokenizer", default="deepseek", choices=sorted(REAL_TOKENIZERS))
    options.add_argument("--slots", type=int, nargs="*", default=[4, 8, 16, 32, 64])
    options.add_argument("--limit", type=float, default=120.0)
    options.add_argument("--layered", action="store_true")
    chosen = options.parse_args()
    vocab = vocabulary_named(chosen.tokenizer)
    print(f"{vocab.size} tokens\n")
    print("| canvas | fillable | fillable, s | masks, s | again, s | sets | MB | exact from | process, MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in chosen.grammars:
        source = language("python") if name == "python" else sg.Lark(grammar_path(name))
        constraint = sg.compile(source, vocab)
        texts = [PYTHON] if name == "python" else SEEDS[name]
        text = max(texts, key=len)
        layered = chosen.layered
        if not layered:
            try:
                ParsedEngine(constraint, [])
            except Beyond as error:
                print(f"| {name}: {error.what}, states are followed one by one | | | | | | | | |")
                layered = True
        for kind in ("half", "open"):
            for n in chosen.slots:
                slots = [HOLE] * n if kind == "open" else canvas(constraint, text, n, random.Random(SEED))
                if report(f"{name}, {n} {kind}", constraint, slots, layered=layered) > chosen.limit:
                    break


if __name__ == "__main__":
    main()
