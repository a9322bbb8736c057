"""Lattices beside the enumeration of all fillings, on as many random cases as one likes.

A case is a language (a named one of ``tests/lattice_worlds.py``, or a random pattern, grammar or schema with a random vocabulary) and some
canvases; every answer of the lattice is compared with trying every filling.  All is drawn from the seed, which is printed, and a
failure is printed with its case, so that ``--seed S --only CASE`` repeats it.  Exit status 1 if there was one.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from lattice_checks import (
    check_classes,
    check_commit,
    check_commits,
    check_fill,
    check_marginals,
    check_masks,
    check_samples,
    possible,
)
from lattice_oracle import Truth, World
from lattice_worlds import BUILDERS, canvas, log_probs, random_world, world

import syntagma as sg

RANDOM = ("regular", "context-free", "schema")


def the_world(draw: random.Random, families: list[str]) -> tuple[str, World]:
    """A language and what it is called."""
    family = draw.choice(families)
    if family in RANDOM and draw.random() < 0.7:
        return f"random {family}", random_world(draw, family)
    name = draw.choice(list(BUILDERS[family][1]))
    return f"{family}: {name}", world(family, name)


def case(draw: random.Random, families: list[str], canvases: int, counts: Counter[str]) -> str | None:
    """One language with its canvases; what went wrong, if anything did."""
    name, of = the_world(draw, families)
    counts["languages"] += 1
    try:
        of.constraint  # noqa: B018  # compiles it
    except sg.Unsatisfiable:
        return f"{name} {of.source!r} was refused though it has texts" if of.members else None
    except sg.LimitExceeded as error:
        counts[f"refused: {error.limit}"] += 1
        return None
    for _ in range(canvases):
        slots = canvas(of, draw, gaps=draw.random() < 0.5)
        weights = log_probs(draw, sum(isinstance(slot, sg.Hole) for slot in slots), of.vocab.size)
        try:
            counts["canvases"] += 1
            counts["feasible"] += check_masks(of, slots)
            check_classes(of, slots)
            check_commit(of, slots, draw)
            check_commits(of, slots, draw)
            check_fill(of, slots, weights)
            check_marginals(of, slots, weights)
            if draw.random() < 0.03 and not any(isinstance(slot, sg.Gap) for slot in slots):
                truth = Truth(of, slots)
                if possible(truth, weights):
                    check_samples(of, slots, weights, draw.getrandbits(32), 2000)
                    counts["sampled"] += 1
        except Exception:  # noqa: BLE001  # whatever is raised is a finding
            return (
                f"{name}\n  source {of.source!r}\n  tokens {of.vocab.tokens}\n  end {of.vocab.eos_ids} padding {of.vocab.pad_ids}\n"
                f"  slots {slots}\n{traceback.format_exc()}"
            )
    return None


def main() -> int:
    """Run the cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200, help="languages")
    parser.add_argument("--canvases", type=int, default=8, help="canvases of each")
    parser.add_argument("--seed", type=int, default=None, help="a new one each time if not given")
    parser.add_argument("--only", type=int, default=None, help="this case alone")
    parser.add_argument("--family", action="append", choices=list(BUILDERS), help="these families alone")
    parser.add_argument("--minutes", type=float, default=None, help="stop after so long")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().getrandbits(32)
    print(f"seed {seed}", flush=True)
    counts: Counter[str] = Counter()
    failures = 0
    began = time.monotonic()
    for i in range(options.cases) if options.only is None else [options.only]:
        if options.minutes is not None and time.monotonic() - began > 60 * options.minutes:
            break
        failure = case(random.Random(f"{seed}:{i}"), options.family or list(BUILDERS), options.canvases, counts)
        if failure is not None:
            failures += 1
            print(f"case {i}: {failure}", flush=True)
    print(
        ", ".join(f"{n} {what}" for what, n in counts.items())
        + f"; {failures} failures; {time.monotonic() - began:.0f} s"
    )
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
