"""How much of a corpus of real schemas the JSON Schema front end compiles, and whether it is right.

Reads files ``{"schema": ..., "tests": [{"valid": bool, "data": ...}]}`` from a folder, compiles each schema over the
vocabulary of single bytes and runs its instances through the machine (with ``--oracle``: its rules through the slow
interpreter in ``tests/ir_oracle.py``).  Prints a table: schemas that pass, are refused (by reason), or are wrong, and
compile times.

A schema can be wrong in three ways.  It accepts an invalid instance; it rejects a valid one; or it rejects only the order
in which the members of a valid one are written, which is what ``property_order="schema"`` is for: the same text is
accepted with ``property_order="any"``.  Where the valid instances of such a schema order the keys of one place in ways that exclude each other, it is
counted as "no order" as well: then no fixed order takes them all.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from ir_oracle import Oracle

from syntagma.automata.constraint import Constraint
from syntagma.automata.vocabulary import Vocabulary
from syntagma.grammar.errors import LimitExceeded, SyntagmaError
from syntagma.grammar.jsonschema.source import JsonSchema, compile_schema

FORMS: Final[dict[str, dict[str, Any]]] = {
    "compact": {"separators": (",", ":")},
    "spaced": {},
    "indent": {"indent": 2},
}


def in_any_order(schema: object, text: bytes, vocabulary: Vocabulary) -> bool:
    """Whether a text is accepted where the order of members is free."""
    try:
        grammar, _ = compile_schema(JsonSchema(schema, property_order="any"))
        return Constraint.from_grammar(grammar, vocabulary).accepts(text)
    except LimitExceeded:
        return False


def orders(value: object, place: tuple[str, ...], befores: dict[tuple[str, ...], dict[str, set[str]]]) -> None:
    """Note at each place of a document, items of an array being one, which keys come right before which."""
    if isinstance(value, dict):
        here = befores.setdefault(place, {})
        for before, after in pairwise(value):
            here.setdefault(after, set()).add(before)
        for key, member in value.items():
            orders(member, (*place, key), befores)
    elif isinstance(value, list):
        for item in value:
            orders(item, (*place, "[]"), befores)


def in_some_order(case: dict[str, Any]) -> bool:
    """Whether some fixed order of keys, one for each place, is that of all valid instances."""
    befores: dict[tuple[str, ...], dict[str, set[str]]] = {}
    for test in case["tests"]:
        if test["valid"]:
            orders(test["data"], (), befores)
    try:
        for here in befores.values():
            TopologicalSorter(here).prepare()
    except CycleError:
        return False
    return True


def judge(
    case: dict[str, Any], accepts: Callable[[bytes], bool], constraint: Constraint, args: argparse.Namespace
) -> list[str]:
    """What is wrong with each instance of a schema, and which instance it is."""
    wrong = []
    for test in case.get("tests", ()):
        text = json.dumps(test["data"], ensure_ascii=False, **FORMS[args.form]).encode("utf-8", "surrogatepass")
        if len(text) > args.max_bytes or accepts(text) == test["valid"]:
            continue
        kind = "accepts invalid"
        if test["valid"]:
            kind = "rejects order" if in_any_order(case["schema"], text, constraint.vocab) else "rejects valid"
        wrong.append(f"{kind} {text.decode('utf-8', 'replace')[:120]}")
    return wrong


def main() -> int:
    """Run the table; exit status 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of schema files")
    parser.add_argument("-n", type=int, default=300, help="number of schemas, drawn at random (0: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--form", choices=sorted(FORMS), default="spaced", help="how instances are written")
    parser.add_argument("--max-bytes", type=int, default=100_000, help="longer instances are left out")
    parser.add_argument("--oracle", action="store_true", help="the slow interpreter instead of the machine")
    parser.add_argument("--property-order", choices=("schema", "any"), default="schema")
    parser.add_argument("--list", action="store_true", help="list every schema that is refused or wrong")
    args = parser.parse_args()
    files = sorted(args.folder.glob("*.json"))
    if args.n:
        files = random.Random(args.seed).sample(files, min(args.n, len(files)))
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    times: list[float] = []
    vocabulary = Vocabulary([bytes([c]) for c in range(256)] + [None], eos_ids=[256])
    for file in files:
        case = json.loads(file.read_text())
        began = time.perf_counter()
        try:
            grammar, report = compile_schema(JsonSchema(case["schema"], property_order=args.property_order))
            constraint = Constraint.from_grammar(grammar, vocabulary, report=report)
        except SyntagmaError as e:
            counts["refused"] += 1
            reasons[f"{type(e).__name__}: {re.sub(r'[0-9]+', 'N', e.message)[:80]}"] += 1
            if args.list:
                print(f"refused  {file.name}  {str(e)[:250]}", flush=True)
            continue
        times.append((time.perf_counter() - began) * 1e3)
        accepts = Oracle(grammar).accepts if args.oracle else constraint.accepts
        wrong = judge(case, accepts, constraint, args)
        counts["instances"] += len(case.get("tests", ()))
        counts["wrong" if wrong else "pass"] += 1
        kinds = {" ".join(w.split()[:2]) for w in wrong}
        if "rejects order" in kinds and not in_some_order(case):
            counts["wrong: no order"] += 1
        for kind in kinds:
            counts[f"wrong: {kind}"] += 1
        if args.list:
            for kind in sorted(kinds):
                print(f"wrong    {file.name}  {next(w for w in wrong if w.startswith(kind))}", flush=True)
    for name, count in sorted(counts.items()):
        print(f"{name:24} {count:7}  {100 * count / len(files):5.1f} %")
    for reason, count in reasons.most_common():
        print(f"    {count:5}  {reason}")
    if len(times) > 1:
        cuts = statistics.quantiles(times, n=100)
        print(f"compile ms: p50 {cuts[49]:.2f}  p90 {cuts[89]:.2f}  p99 {cuts[98]:.2f}  max {max(times):.1f}")
    return 1 if counts["wrong: accepts invalid"] or counts["wrong: rejects valid"] else 0


if __name__ == "__main__":
    sys.exit(main())
