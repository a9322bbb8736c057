"""Files of Python's standard library with holes cut out at random, filled again: how many parse, and what it takes.

Each file gets one, two or three holes of 1 to 300 bytes, anywhere: in the middle of names, strings, blocks.  Without ``--model`` the holes get the shortest texts that the search
finds; with it the embedded model fills them, ``--max-tokens`` a hole (more where the search needs more).  Lark is the judge of the result.  Python's own parser, which knows rules that the grammar does not, is asked as well, for files
that it takes themselves.
"""

from __future__ import annotations

import argparse
import ast
import random
import signal
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import lark
import numpy as np
from lark.indenter import PythonIndenter

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from holes import cut

import syntagma as sg
from syntagma.automata.bridge import Bridge
from syntagma.engine.infill import infill
from syntagma.integrations import smollm2
from syntagma.integrations.languages import language

LENGTHS = (1, 5, 20, 80, 300)


def shortest(constraint: sg.Constraint, parts: list[str]) -> str:
    """The text with the holes filled as shortly as possible."""
    with constraint.session() as session:
        state = session.advance_bytes(session.start, parts[0].encode())
        fills = Bridge(constraint, [part.encode() for part in parts[1:]]).fills(state)
    if fills is None:
        raise sg.Unsatisfiable("nothing was found")
    return parts[0] + "".join(a.decode() + b for a, b in zip(fills, parts[1:], strict=True))


def parses(parse: Callable[[str], object], text: str) -> bool:
    """Whether a parser takes a text."""
    try:
        parse(text)
    except Exception:  # noqa: BLE001 - whatever it raises is a rejection
        return False
    return True


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Let a ``TimeoutError`` end what takes longer."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"not done after {seconds:g} seconds")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def chosen(given: argparse.Namespace, constraint: sg.Constraint) -> Iterator[tuple[Path, str, list[str]]]:
    """Files of the library, and their texts around the holes."""
    draw = random.Random(given.seed)
    files = [
        p for p in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")) if 0 < p.stat().st_size < given.largest
    ]
    draw.shuffle(files)
    n = 0
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        if not text or not constraint.accepts(text):
            continue
        parts = cut(draw, text, 1 + n % 3, LENGTHS)
        if not given.only or path.name in given.only:
            yield path, text, parts
        n += 1
        if n == given.files:
            break


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--files", type=int, default=200)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--largest", type=int, default=60_000, help="bytes of a file")
    options.add_argument(
        "--only", metavar="NAME", action="append", help="fill files of this name alone, cut as among all"
    )
    options.add_argument("--model", action="store_true", help="let the embedded model fill the holes")
    options.add_argument("--max-tokens", type=int, default=24, help="of a hole")
    options.add_argument("--file-seconds", type=float, default=0, help="give a file up after so long; 0: never")
    options.add_argument("--all-seconds", type=float, default=float("inf"), help="begin no file after so long")
    given = options.parse_args()
    source = language("python")
    built = lark.Lark.open(str(source.grammar), parser="lalr", start="file_input", postlex=PythonIndenter())
    model = smollm2.load() if given.model else None
    vocab = model.vocab if model else sg.Vocabulary([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    constraint = sg.compile(source, vocab)
    times: list[float] = []
    counts = dict.fromkeys(("parse", "rejected", "not filled", "out of time"), 0)
    python = {"parse": 0, "rejected": 0}
    started = time.perf_counter()
    for path, text, parts in chosen(given, constraint):
        began = time.perf_counter()
        if began - started > given.all_seconds:
            break
        try:
            with at_most(given.file_seconds):
                done = (
                    shortest(constraint, parts) if model is None else filled(model, parts, constraint, given.max_tokens)
                )
        except (sg.Unsatisfiable, sg.LimitExceeded, TimeoutError) as error:
            counts["out of time" if isinstance(error, TimeoutError) else "not filled"] += 1
            print(f"{path.name}: {error}", flush=True)
            continue
        finally:
            times.append(time.perf_counter() - began)
        if parses(built.parse, done):
            counts["parse"] += 1
        else:
            counts["rejected"] += 1
            print(f"{path.name}: Lark rejects what was filled", flush=True)
        if parses(ast.parse, text):
            python["parse" if parses(ast.parse, done) else "rejected"] += 1
    p50, p90, most = np.percentile(times, [50, 90, 100])
    print(
        f"{len(times)} files: {counts}, by Python's own parser {python}; "
        f"seconds a file: p50 {p50:.2f}, p90 {p90:.2f}, max {most:.1f}, sum {sum(times):.0f}"
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
