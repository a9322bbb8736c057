"""How much of a corpus of real schemas the JSON Schema front end compiles, and whether it is right.

Reads files ``{"schema": ..., "tests": [{"valid": bool, "data": ...}]}`` from a folder, compiles each schema over the
vocabulary of single bytes and runs its instances through the machine (with ``--oracle``: its rules through the slow
interpreter in ``tests/ir_oracle.py``).  Prints a table: schemas that pass, are refused (by reason), or are wrong, and
compile times.

A schema can be wrong in three ways.  It accepts an invalid instance; it rejects a valid one; or it rejects only the order
in which the members of a valid one are written, which is what ``property_order="schema"`` is for: the same value is
accepted when its members are sorted as the schema declares them.  The third is found by trying orders, at most
``ORDERS`` members in all, so what is counted as the second kind is at most that.
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
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from ir_oracle import Oracle

from syntagma.automata.constraint import Constraint, Session
from syntagma.automata.vocabulary import Vocabulary
from syntagma.grammar.errors import SyntagmaError
from syntagma.grammar.jsonschema.source import JsonSchema, compile_schema

ORDERS = 20_000

FORMS: Final[dict[str, dict[str, Any]]] = {
    "compact": {"separators": (",", ":")},
    "spaced": {},
    "indent": {"indent": 2},
}


class Reordering:
    """A search for an order of the members of a value that a constraint accepts."""

    def __init__(self, session: Session, schema: object) -> None:
        self._session = session
        self._text = json.dumps(schema, ensure_ascii=False)
        self._left = ORDERS

    def accepts(self, value: object) -> bool:
        """Whether some order of members of the compact text of a value is accepted."""
        return any(self._session.is_accepting(s) for s in self._after(self._session.start, value))

    def _after(self, state: int, value: object) -> list[int]:
        """The states behind a value: the one of the first order that can be read, as a list of at most one."""
        if not isinstance(value, (dict, list)) or not value:
            return self._read(state, json.dumps(value, ensure_ascii=False, separators=(",", ":")))
        if isinstance(value, list):
            states = self._read(state, "[")
            for i, item in enumerate(value):
                states = [t for s in states for u in self._read(s, "," if i else "") for t in self._after(u, item)]
            return [t for s in states for t in self._read(s, "]")]
        return self._members(self._read(state, "{"), value, [])

    def _members(self, states: list[int], value: dict[str, object], done: list[str]) -> list[int]:
        for s in states:
            if len(done) == len(value):
                end = self._read(s, "}")
                if end:
                    return end
            for name in sorted(
                set(value) - set(done), key=lambda n: self._text.find(json.dumps(n, ensure_ascii=False))
            ):
                self._left -= 1
                if self._left < 0:
                    return []
                key = json.dumps(name, ensure_ascii=False) + ":"
                behind = [t for u in self._read(s, ("," if done else "") + key) for t in self._after(u, value[name])]
                end = self._members(behind, value, [*done, name])
                if end:
                    return end
        return []

    def _read(self, state: int, text: str) -> list[int]:
        after = self._session.advance_bytes(state, text.encode("utf-8", "surrogatepass"))
        return [after] if after else []


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
            with constraint.session() as session:
                kind = "rejects " + ("order" if Reordering(session, case["schema"]).accepts(test["data"]) else "valid")
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
        for kind in {" ".join(w.split()[:2]) for w in wrong}:
            counts[f"wrong: {kind}"] += 1
        if args.list:
            for kind in sorted({" ".join(w.split()[:2]) for w in wrong}):
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
