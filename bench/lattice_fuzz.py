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
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from lattice_checks import (
    check_classes,
    check_commit,
    check_commits,
    check_fill,
    check_marginals,
    check_masks,
    check_samples,
    has_gaps,
    possible,
)
from lattice_oracle import Truth, World
from lattice_worlds import BUILDERS, canvas, log_probs, random_world, world

import syntagma as sg
from syntagma.automata.lattice import pushdown

SHOWN = 3
"""Failures that are printed of each kind; the rest are counted."""

SAMPLED = 0.03
"""Canvases whose samples are tested: drawing takes long."""

RANDOM = ("regular", "context-free", "schema")


def the_world(draw: random.Random, families: list[str]) -> tuple[str, World]:
    """A language and what it is called."""
    family = draw.choice(families)
    if family in RANDOM and draw.random() < 0.7:
        return f"random {family}", random_world(draw, family)
    name = draw.choice(list(BUILDERS[family][1]))
    return f"{family}: {name}", world(family, name)


def has_run(slots: list[Any]) -> bool:
    """Whether so many fixed tokens come in a row that the lattice takes them as one."""
    fixed = [isinstance(slot, int) for slot in slots]
    n = pushdown.LEAST_RUN
    return any(all(fixed[i : i + n]) for i in range(len(fixed) - n + 1))


def checks(of: World, slots: list[Any], draw: random.Random) -> dict[str, Callable[[], object]]:
    """What is compared on one canvas, by name."""
    weights = log_probs(draw, sum(isinstance(slot, sg.Hole) for slot in slots), of.vocab.size)

    def sample() -> None:
        if draw.random() < SAMPLED and not has_gaps(slots) and possible(Truth(of, slots), weights):
            check_samples(of, slots, weights, draw.getrandbits(32), 2000)

    return {
        "masks": lambda: check_masks(of, slots),
        "classes": lambda: check_classes(of, slots),
        "commit": lambda: check_commit(of, slots, draw),
        "commits": lambda: check_commits(of, slots, draw),
        "fill": lambda: check_fill(of, slots, weights),
        "marginals": lambda: check_marginals(of, slots, weights),
        "samples": sample,
    }


def case(draw: random.Random, families: list[str], canvases: int, counts: Counter[str]) -> dict[str, str]:
    """One language with its canvases; for each check that failed, and how, the first failure."""
    name, of = the_world(draw, families)
    counts["languages"] += 1
    try:
        of.constraint  # noqa: B018  # compiles it
    except sg.Unsatisfiable:
        return {"compile": f"{name} {of.source!r} was refused though it has texts"} if of.members else {}
    except sg.LimitExceeded as error:
        counts[f"refused: {error.limit}"] += 1
        return {}
    failures: dict[str, str] = {}
    for _ in range(canvases):
        slots = canvas(of, draw, gaps=draw.random() < 0.5)
        counts["canvases"] += 1
        counts["with a run"] += has_run(slots)
        counts["feasible"] += Truth(of, slots).feasible
        for check, run in checks(of, slots, random.Random(draw.getrandbits(32))).items():
            try:
                run()
            except Exception as error:  # noqa: BLE001  # whatever is raised is a finding
                failures.setdefault(
                    f"{check}, {type(error).__name__}",
                    f"{name}\n  source {of.source!r}\n  tokens {of.vocab.tokens}\n  end {of.vocab.eos_ids} padding "
                    f"{of.vocab.pad_ids}\n  slots {slots}\n{traceback.format_exc()}",
                )
    return failures


def main() -> int:
    """Run the cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200, help="languages")
    parser.add_argument("--canvases", type=int, default=8, help="canvases of each")
    parser.add_argument("--seed", type=int, default=None, help="a new one each time if not given")
    parser.add_argument("--only", type=int, default=None, help="this case alone")
    parser.add_argument("--family", action="append", choices=list(BUILDERS), help="these families alone")
    parser.add_argument("--minutes", type=float, default=None, help="stop after so long")
    parser.add_argument(
        "--least-run",
        type=int,
        default=None,
        help="fixed tokens in a row that are taken as one: few, to meet such runs",
    )
    options = parser.parse_args()
    if options.least_run is not None:
        pushdown.LEAST_RUN = options.least_run  # type: ignore[misc]  # a constant, but for this
    seed = options.seed if options.seed is not None else random.SystemRandom().getrandbits(32)
    print(f"seed {seed}", flush=True)
    counts: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    began = time.monotonic()
    for i in range(options.cases) if options.only is None else [options.only]:
        if options.minutes is not None and time.monotonic() - began > 60 * options.minutes:
            break
        found = case(random.Random(f"{seed}:{i}"), options.family or list(BUILDERS), options.canvases, counts)
        for kind, failure in found.items():
            failures[kind] += 1
            if failures[kind] <= SHOWN:
                print(f"case {i}: {kind}: {failure}", flush=True)
    print(", ".join(f"{n} {what}" for what, n in counts.items()) + f"; {time.monotonic() - began:.0f} s")
    print("; ".join(f"{kind}: {n} languages" for kind, n in failures.most_common()) or "no failures")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
