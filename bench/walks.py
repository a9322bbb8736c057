"""Random walks over constraints of real schemas: does every walk end in a valid document, within its budget?

Reads files ``{"schema": ...}`` from a folder, compiles each schema over a tokenizer's vocabulary and walks from the masks: in four styles
without a budget (any token; any effect; any first byte and the token used least; marks of JSON first) and with a budget of what
``finish_bound`` says at the start, of one token more, and of twice as many.  On the way the masks are compared with ``advance`` and
``advance_bytes`` on some tokens (with ``--brute-force``: on all tokens of some states), and the bound is checked to be a potential.
Each text is parsed with keys checked for repetition and judged by ``jsonschema``.  Prints a table, and each failure with the
tokens and the text that lead to it.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from corpus_judge import Judge, Unjudged
from corpus_truth import brute_force
from corpus_vocabularies import REAL_TOKENIZERS, SMALL, vocabulary_named
from corpus_walks import STYLES, Walker, WalkFailed

from syntagma.automata.constraint import Constraint
from syntagma.automata.vocabulary import Vocabulary
from syntagma.engine.compile import compile as compile_source
from syntagma.grammar.errors import SyntagmaError
from syntagma.grammar.jsonschema.source import JsonSchema

SLOW = 20  # seconds for a schema that are worth a line

BUDGETS = ("bound", "bound + 1", "2 * bound")
COLUMNS = (
    "walks",
    "tokens",
    "dead end",
    "invalid",
    "over budget",
    "disagreement",
    "bound",
    "exception",
    "hang",
    "unjudged",
)
FAILURES = COLUMNS[2:-1]


class TookTooLong(Exception):
    """A schema's time is up."""


@dataclass
class Table:
    """Counts by style, and what to say of each failure."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: {s: Counter() for s in (*STYLES, *BUDGETS)})
    failures: list[str] = field(default_factory=list)

    def failed(self, style: str, kind: str, said: str) -> None:
        """Count a failure and say it."""
        self.counts[style][kind] += 1
        self.failures.append(said)
        print(f"{kind:12} {said}", flush=True)

    def print(self) -> None:
        """Print the table with totals."""
        print(f"{'':14}" + "".join(f"{c:>14}" for c in COLUMNS))
        total: Counter[str] = Counter()
        for style, counts in self.counts.items():
            print(f"{style:14}" + "".join(f"{counts[c]:14,}" for c in COLUMNS))
            total += counts
        print(f"{'all':14}" + "".join(f"{total[c]:14,}" for c in COLUMNS))


def vocabulary(name: str) -> Vocabulary:
    """A tokenizer file, or one of the corpus's vocabularies."""
    return vocabulary_named(name) if name in SMALL or name in REAL_TOKENIZERS else Vocabulary.from_tokenizer(name)


def walk_once(walker: Walker, style: str, steps: int, most_budget: int) -> list[int] | None:
    """The tokens of one walk; None where a budget would be too long to walk."""
    with walker.constraint.session() as session:
        if style in STYLES:
            return walker.walk(session, style, steps).tokens
        bound = session.finish_bound(session.start)
        budget = {"bound": bound, "bound + 1": bound + 1, "2 * bound": 2 * bound}[style]
        if budget > most_budget:
            return None
        return walker.walk_within(session, walker.rng.choice(STYLES), budget).tokens


def brute(walker: Walker, states: int, steps: int) -> Iterator[str]:
    """Compare whole masks with single advances on the last states of short walks; yields what differs."""
    for _ in range(states):
        with walker.constraint.session() as session:
            try:
                walk = walker.walk(session, walker.rng.choice(STYLES), walker.rng.randint(0, steps))
            except WalkFailed:
                continue  # the walks proper say so
            tokens = walk.tokens[: walker.rng.randint(0, len(walk.tokens))]
            state = session.advance_tokens(session.start, tokens)
            mask = walker.allowed(session, state)
            by_token, by_bytes = brute_force(session, state)
            ends = [*walker.vocab.eos_ids, *walker.vocab.pad_ids]
            masks = np.flatnonzero(mask != by_token)
            spelled = np.setdiff1d(np.flatnonzero(by_token != by_bytes), ends)
            if len(masks) or len(spelled):
                where = f"after {tokens} {walker.text(tokens)!r}"
                yield f"{where}: mask and advance differ on {masks[:8].tolist()}, bytes on {spelled[:8].tolist()}"


def run_schema(name: str, schema: object, constraint: Constraint, args: argparse.Namespace, table: Table) -> None:
    """All walks of one schema."""
    rng = random.Random(f"{args.seed} {name}")
    walker = Walker(constraint, rng)
    judge = Judge(schema, constraint.report.dialect if constraint.report else "")
    for style in table.counts:
        for number in range(args.walks):
            where = f"{name}, {style}"
            try:
                tokens = walk_once(walker, style, args.steps, args.most_budget)
                if tokens is None:
                    break
                problem = judge.problem(walker.text(tokens))
            except WalkFailed as failed:
                table.counts[style]["walks"] += 1
                table.failed(
                    style, failed.kind, f"{where}: {failed.detail}: {failed.tokens} {walker.text(failed.tokens)!r}"
                )
                break
            except Unjudged as cause:
                table.counts[style]["walks"] += 1
                table.counts[style]["unjudged"] += 1
                if args.list and number == 0 and style == STYLES[0]:
                    print(f"unjudged     {where}: {cause}", flush=True)
                continue
            except TookTooLong:
                table.failed(style, "hang", f"{where}: more than {args.seconds} seconds")
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
                table.failed(style, "exception", f"{where}: {type(error).__name__}: {error}")
                break
            table.counts[style].update(walks=1, tokens=len(tokens))
            if problem is not None:
                table.failed(style, "invalid", f"{where}: {problem}: {tokens} {walker.text(tokens)!r}")
                break
    for difference in brute(walker, args.brute_force, args.steps):
        table.failed(STYLES[0], "disagreement", f"{name}, brute force: {difference}")


def alarm(_signal: int, _frame: FrameType | None) -> None:
    """Say that a schema took too long, wherever Python next gets to run."""
    raise TookTooLong


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of schema files")
    known = ", ".join([*SMALL, *REAL_TOKENIZERS])
    parser.add_argument("tokenizer", help=f"tokenizer.json or another file that is read, or one of: {known}")
    parser.add_argument("-n", type=int, default=300, help="number of schemas, drawn at random (0: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="schema files whose names hold this")
    parser.add_argument("--walks", type=int, default=4, help="walks of each style a schema")
    parser.add_argument("--steps", type=int, default=40, help="tokens before a walk without budget makes for the end")
    parser.add_argument("--most-budget", type=int, default=400, help="longer budgets are left out")
    parser.add_argument("--brute-force", type=int, default=0, help="states a schema at which every token is advanced")
    parser.add_argument("--seconds", type=int, default=60, help="for one schema; more is a failure (0: no limit)")
    parser.add_argument(
        "--minutes", type=float, default=60, help="for all schemas; the rest are left out, and it is said"
    )
    parser.add_argument("--whitespace", choices=("compact", "bounded", "any"), default="bounded")
    parser.add_argument("--escapes", choices=("canonical", "ascii", "all"), default="canonical")
    parser.add_argument("--order", choices=("schema", "any"), default="schema", help="of the members of objects")
    parser.add_argument("--list", action="store_true", help="list what is refused, not judged, or slow")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the table; exit status 1 where anything is wrong."""
    args = parsed(arguments)
    files = sorted(f for f in args.folder.glob("*.json") if not args.only or args.only in f.name)
    if args.n:
        files = random.Random(args.seed).sample(files, min(args.n, len(files)))
    vocab = vocabulary(args.tokenizer)
    table = Table()
    refused = done = 0
    started = time.perf_counter()
    run_schema("warm-up", True, compile_source(JsonSchema(True), vocab), args, Table())  # kernels compile, once
    signal.signal(signal.SIGALRM, alarm)
    for file in files:
        if time.perf_counter() - started > 60 * args.minutes:
            break
        done += 1
        schema = json.loads(file.read_text())["schema"]
        began = time.perf_counter()
        signal.alarm(args.seconds)
        try:
            surface = {"whitespace": args.whitespace, "escapes": args.escapes, "property_order": args.order}
            constraint = compile_source(JsonSchema(schema, **surface), vocab)
            run_schema(file.stem, schema, constraint, args, table)
        except SyntagmaError as error:
            refused += 1
            if args.list:
                print(f"refused      {file.stem}: {error.message[:150]}", flush=True)
        except TookTooLong:
            table.failed(STYLES[0], "hang", f"{file.stem}: more than {args.seconds} seconds to compile")
        finally:
            signal.alarm(0)
        took = time.perf_counter() - began
        if args.list and took > SLOW:
            print(f"slow         {file.stem}: {took:.1f} s", flush=True)
    print(f"{done} of {len(files)} schemas, {refused} of them refused; {args.tokenizer}: {vocab.size:,} tokens")
    table.print()
    return 1 if any(counts[kind] for counts in table.counts.values() for kind in FAILURES) else 0


if __name__ == "__main__":
    sys.exit(main())
