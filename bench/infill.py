"""Files of Python's standard library with holes cut out at random, filled again: how many parse, and what it takes.

Each file gets one, two or three holes of 1 to 300 bytes, anywhere: in the middle of names, strings, blocks.  Without ``--model`` the holes get the shortest texts that the search
finds; with it the embedded model fills them, ``--max-tokens`` a hole (more where the search needs more).  Files are those that Lark's grammar of Python and Python's own
parser take; both judge the result.

``--log FILE`` writes a line of JSON for each file at once, and goes on behind those that the file has when it is called again; the summary counts all of them.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import signal
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import lark
import numpy as np
from lark.indenter import PythonIndenter

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from holes import cut

import syntagma as sg
from syntagma.engine.infill import infill
from syntagma.engine.residuals import Residual
from syntagma.engine.witness import shortest_fills
from syntagma.integrations import smollm2
from syntagma.integrations.languages import check_of, language, published_grammar

LENGTHS = (1, 5, 20, 80, 300)


def shortest(constraint: sg.Constraint, parts: list[str], check: Residual | None) -> dict[str, object]:
    """The text with the holes filled as shortly as possible."""
    fills = shortest_fills(parts, constraint, check=check)
    return {"text": parts[0] + "".join(a + b for a, b in zip(fills, parts[1:], strict=True)), "fills": fills}


def filled(
    model: object, parts: list[str], constraint: sg.Constraint, check: Residual | None, given: argparse.Namespace
) -> dict[str, object]:
    """The text as the model fills it, with a greater budget where the holes need one."""
    budget = given.max_tokens
    while True:
        try:
            done = infill(
                model,
                parts,
                constraint,
                max_new_tokens=budget,
                check=check,
                template=lambda before, _: before[-given.context :],
            )
        except sg.BudgetTooSmall as error:
            budget = error.needed
            continue
        return {
            "text": done.text,
            "fills": done.fills,
            "tokens": sum(map(len, done.tokens)),
            "calls": done.n_forward,
            "searches": done.n_searches,
            "refused": done.n_rejected,
            "checks": done.n_checks,
            "model": round(done.model_seconds, 3),
        }


OUTCOMES = {
    (True, True): "parsed by Lark and by ast.parse",
    (True, False): "parsed by Lark, refused by ast.parse",
    (False, True): "refused by Lark, parsed by ast.parse",
    (False, False): "refused by Lark and by ast.parse",
}
"""What becomes of a filled text, by whether the grammar (Lark's own parser) and Python's parser take it."""


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
        if not text or not constraint.accepts(text) or not parses(ast.parse, text):
            continue
        parts = cut(draw, text, 1 + n % 3, LENGTHS)
        if not given.only or path.name in given.only:
            yield path, text, parts
        n += 1
        if n == given.files:
            break


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--largest", type=int, default=60_000, help="bytes of a file")
    parser.add_argument(
        "--only", metavar="NAME", action="append", help="fill files of this name alone, cut as among all"
    )
    parser.add_argument("--no-check", action="store_true", help="let the grammar alone decide")
    parser.add_argument("--model", action="store_true", help="let the embedded model fill the holes")
    parser.add_argument("--max-tokens", type=int, default=24, help="of a hole")
    parser.add_argument("--context", type=int, default=4000, help="characters before a hole that the model sees")
    parser.add_argument("--file-seconds", type=float, default=0, help="give a file up after so long; 0: never")
    parser.add_argument("--all-seconds", type=float, default=float("inf"), help="begin no file after so long")
    parser.add_argument("--log", type=Path, help="where to write what came of each file, and to read it from")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    given = options()
    lines = given.log.read_text(encoding="utf-8").splitlines() if given.log and given.log.exists() else []
    rows = [json.loads(line) for line in lines]
    known = {row["path"] for row in rows}
    source = language("python")
    built = lark.Lark.open(str(published_grammar()), parser="lalr", start="file_input", postlex=PythonIndenter())
    model = smollm2.load() if given.model else None
    vocab = model.vocab if model else sg.Vocabulary([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
    constraint = sg.compile(source, vocab)
    check = None if given.no_check else check_of("python")
    started = time.perf_counter()
    for path, _, parts in chosen(given, constraint):
        if str(path) in known:
            continue
        began = time.perf_counter()
        if began - started > given.all_seconds:
            break
        row: dict[str, object] = {"path": str(path)}
        try:
            with at_most(given.file_seconds):
                row |= (
                    shortest(constraint, parts, check)
                    if model is None
                    else filled(model, parts, constraint, check, given)
                )
        except TimeoutError as error:
            row |= {"outcome": "out of time", "error": str(error)}
        except (sg.Unsatisfiable, sg.LimitExceeded) as error:
            row |= {"outcome": "not filled", "error": str(error)}
        row["seconds"] = round(time.perf_counter() - began, 3)
        done = row.pop("text", None)
        if done is not None:
            row |= {"lark": parses(built.parse, done), "ast": parses(ast.parse, done)}
            row["outcome"] = OUTCOMES[row["lark"], row["ast"]]
        if row["outcome"] != OUTCOMES[True, True]:
            print(f"{path.name}: {row['outcome']} {row.get('error', '')}", flush=True)
        rows.append(row)
        if given.log:
            with given.log.open("a", encoding="utf-8") as log:
                log.write(json.dumps(row) + "\n")
    summarise(rows)


def summarise(rows: list[dict[str, object]]) -> None:
    """Print how many came out how, and what they took."""
    times = [row["seconds"] for row in rows]
    p50, p90, most = np.percentile(times, [50, 90, 100])
    print(
        f"{len(rows)} files: {dict(Counter(row['outcome'] for row in rows))}; "
        f"seconds a file: p50 {p50:.2f}, p90 {p90:.2f}, max {most:.1f}, sum {sum(times):.0f}"
    )
    for name in ("model", "tokens", "calls", "searches", "refused", "checks"):
        found = [row[name] for row in rows if name in row]
        if found:
            print(f"  {name}: {sum(found):.0f} over {len(found)} files")


if __name__ == "__main__":
    main()
