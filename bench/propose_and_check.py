"""One step of denoising in two ways: a token is proposed and checked until one passes, or masks are taken first and proposals committed jointly.

*Propose and check* is how context-free constraints have been put on denoising models (Mündler et al. 2025, "Constrained Decoding of Diffusion LLMs with
Context-Free Grammars"): slot by slot, the most likely token goes into the canvas; if the canvas cannot be completed with it the token is ruled out and the next one is
tried.  The check is ours here, so that the method is compared and not its implementation: it counts slots exactly, and goes on from what it knew of the
canvas before the last change.  *Masks and commit* asks once for the sets of possible classes of all open slots, proposes the most likely possible token of each
slot, and commits those that go together; a slot whose proposal does not go with the others stays open, and has a fresh mask in the next step.

The canvases are JSON texts (compact, keys may repeat, so that everything is exact) over a tokenizer's vocabulary, with half of the slots or all of them open.
A step reveals a quarter of the open slots, in random order.  Logits are random; for a share of the slots (``trust``) the token of the text comes first, as with a
model that knows it.  A slot gets at most ``--tries`` checks, and is left open then; a step gets at most ``--checks``, and is given up then.

Times are processor time of one thread after a first run that compiles; finding the likely tokens in the logits is in neither.

    python bench/propose_and_check.py --longest 1024
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from lattice import opened, text_of, vocabulary_named
from page import origin, write_into

import syntagma as sg
from syntagma.automata.lattice.engines import engine_of, layout_of
from syntagma.automata.lattice.slots import Slot, Step, unroll

SEED = 11
TITLES = (
    "canvas",
    "model knows",
    "to reveal",
    "checks",
    "revealed",
    "ms",
    "ms a check",
    "masks, ms",
    "commit, ms",
    "revealed",
    "times as fast",
)
FEW = 512  # tokens that are ranked at first; more are ranked where these do not do

JSON = r"""
root   ::= value
value  ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" (member ("," member)*)? "}"
member ::= string ":" value
array  ::= "[" (value ("," value)*)? "]"
string ::= "\"" ([^"\\\x00-\x1f] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F]))* "\""
number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [-+]? [0-9]+)?
"""


class Model:
    """Logits of a step, drawn slot by slot, with the token of the text first in some slots."""

    def __init__(self, truth: list[int], texts: np.ndarray, trust: float, seed: int) -> None:
        """Take the true tokens, which tokens there are, and the share of slots in which the true one comes first."""
        self.truth, self.texts, self.trust, self.seed = truth, texts, trust, seed

    def logits(self, slot: int) -> np.ndarray:
        """float32[V] of a slot, the same whenever it is asked."""
        rng = np.random.default_rng([self.seed, slot])
        row = np.where(self.texts, rng.normal(size=len(self.texts)), -np.inf).astype(np.float32)
        if rng.random() < self.trust:
            row[self.truth[slot]] = 100.0
        return row

    def ranked(self, slot: int) -> Iterator[int]:
        """The tokens of a slot, the most likely first."""
        row = self.logits(slot)
        best = np.argpartition(-row, FEW)[:FEW]
        yield from best[np.argsort(-row[best], kind="stable")].tolist()
        yield from [t for t in np.argsort(-row, kind="stable").tolist()[FEW:] if row[t] > -np.inf]


class Checked(NamedTuple):
    """What proposing and checking took.

    Attributes:
        checks: questions whether a canvas can be completed.
        seconds: processor time.
        revealed: slots that have a token now.

    """

    checks: int
    seconds: float
    revealed: int


class Masked(NamedTuple):
    """What masks and a commit took.

    Attributes:
        masks: processor time of the masks, in seconds.
        commit: processor time of the commit.
        revealed: slots that have a token now.

    """

    masks: float
    commit: float
    revealed: int


def propose_and_check(
    constraint: sg.Constraint, slots: list[Slot], reveal: list[int], model: Model, tries: int, most: int
) -> Checked:
    """Slot by slot, the next likely token until the canvas can be completed with it; ``most`` checks in all."""
    steps = unroll(slots, constraint.vocab.size)
    engine = engine_of(layout_of(constraint), steps)
    checks, revealed = 0, 0
    began = time.thread_time()
    engine.feasible()
    seconds = time.thread_time() - began
    for slot in reveal:
        candidates = list(islice(model.ranked(slot), min(tries, most - checks)))
        began = time.thread_time()
        for token in candidates:
            engine.fix([*steps[:slot], Step(slot, token=token), *steps[slot + 1 :]])
            checks += 1
            if engine.feasible():
                steps = [*steps[:slot], Step(slot, token=token), *steps[slot + 1 :]]
                revealed += 1
                break
        else:
            engine.fix(steps)
        seconds += time.thread_time() - began
    engine.close()
    return Checked(checks, seconds, revealed)


def masks_and_commit(constraint: sg.Constraint, slots: list[Slot], reveal: list[int], model: Model) -> Masked:
    """The classes of all slots, the most likely possible token of each that is revealed, and one joint commit."""
    with sg.Lattice(constraint, slots) as lattice:
        began = time.thread_time()
        masks, class_of = lattice.class_masks()
        for_masks = time.thread_time() - began
        row_of = {slot: row for row, slot in enumerate(lattice.holes)}
        proposals = []
        for slot in reveal:
            allowed = np.unpackbits(masks[row_of[slot]].view(np.uint8), bitorder="little")[class_of] > 0
            proposals.append((slot, int(np.argmax(np.where(allowed, model.logits(slot), -np.inf)))))
        began = time.thread_time()
        kept = lattice.commit(proposals)
        for_commit = time.thread_time() - began
        if not lattice.exact or not lattice.feasible():
            raise AssertionError("a commit left the canvas without a completion")
    return Masked(for_masks, for_commit, len(kept))


def report(
    name: str, constraint: sg.Constraint, truth: list[int], holes: list[int], options: argparse.Namespace
) -> list[str]:
    """The lines of one canvas, one for each kind of model."""
    vocab = constraint.vocab
    texts = np.array([data is not None or t in vocab.eos_ids for t, data in enumerate(vocab.tokens)])
    slots = opened(truth, holes)
    reveal = random.Random(SEED).sample(holes, max(1, len(holes) // 4))
    lines: list[str] = []
    for trust in options.trust:
        model = Model(truth, texts, trust, SEED)
        ours = masks_and_commit(constraint, slots, reveal, model)
        theirs = propose_and_check(constraint, slots, reveal, model, options.tries, options.checks)
        seconds = ours.masks + ours.commit
        cells = [name, f"{trust:.0%}", len(reveal)]
        cells += [
            theirs.checks,
            theirs.revealed,
            f"{1e3 * theirs.seconds:.1f}",
            f"{1e3 * theirs.seconds / theirs.checks:.2f}",
        ]
        cells += [
            f"{1e3 * ours.masks:.1f}",
            f"{1e3 * ours.commit:.1f}",
            ours.revealed,
            f"{theirs.seconds / seconds:.1f}",
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", default="deepseek")
    parser.add_argument("--longest", type=int, default=1024, help="slots of the longest canvas")
    parser.add_argument("--tries", type=int, default=100, help="checks for one slot at most")
    parser.add_argument("--checks", type=int, default=500, help="checks for one step at most")
    parser.add_argument(
        "--trust", type=float, nargs="*", default=[0.0, 0.9], help="shares of slots whose token the model knows"
    )
    parser.add_argument("--table", type=Path, help="write the table into this page")
    options = parser.parse_args()
    vocab = vocabulary_named(options.tokenizer)
    constraint = sg.compile(sg.Gbnf(JSON), vocab)
    draw = random.Random(SEED)
    lines = [f"| {' | '.join(TITLES)} |", "|---" * len(TITLES) + "|"]
    print("\n".join(lines))
    n = 32
    warm = text_of(vocab, draw, n)
    masks_and_commit(
        constraint, opened(warm, [*range(n)]), [3, 5, 9], Model(warm, np.ones(vocab.size, np.bool_), 0.0, SEED)
    )
    while n <= options.longest:
        truth = text_of(vocab, draw, n)
        lines += report(f"JSON, {n}, half open", constraint, truth, sorted(draw.sample(range(n), n // 2)), options)
        lines += report(f"JSON, {n} open", constraint, truth, [*range(n)], options)
        n *= 2
    if options.table:
        made = f"One run each, {vocab.size:,} tokens; {origin('numpy', 'numba')}."
        write_into(options.table, "bench/propose_and_check.py", "\n".join([*lines, "", made]))


if __name__ == "__main__":
    main()
