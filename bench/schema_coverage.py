"""How much of a corpus of real schemas the JSON Schema front end compiles, and whether it is right.

Reads files ``{"schema": ..., "tests": [{"valid": bool, "data": ...}]}`` from a folder, compiles each schema to rules and
runs its instances through the slow interpreter of rules in ``tests/ir_oracle.py``.  Prints a table: schemas that pass,
are refused (by reason), or are wrong (a valid instance rejected, an invalid one accepted), and compile times.
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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from ir_oracle import Oracle

from syntagma.grammar.errors import SyntagmaError
from syntagma.grammar.jsonschema.source import JsonSchema, compile_schema

FORMS = {
    "compact": {"separators": (",", ":")},
    "spaced": {},
    "indent": {"indent": 2},
}


def main() -> int:
    """Run the table; exit status 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of schema files")
    parser.add_argument("-n", type=int, default=300, help="number of schemas, drawn at random (0: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--form", choices=sorted(FORMS), default="spaced", help="how instances are written")
    parser.add_argument("--max-bytes", type=int, default=3000, help="longer instances are left out")
    parser.add_argument("--list", action="store_true", help="list every schema that is refused or wrong")
    args = parser.parse_args()
    files = sorted(args.folder.glob("*.json"))
    if args.n:
        files = random.Random(args.seed).sample(files, min(args.n, len(files)))
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    times: list[float] = []
    for file in files:
        case = json.loads(file.read_text())
        began = time.perf_counter()
        try:
            grammar, _ = compile_schema(JsonSchema(case["schema"]))
        except SyntagmaError as e:
            counts["refused"] += 1
            reasons[f"{type(e).__name__}: {re.sub(r'[0-9]+', 'N', e.message)[:80]}"] += 1
            if args.list:
                print(f"refused  {file.name}  {str(e)[:150]}")
            continue
        times.append((time.perf_counter() - began) * 1e3)
        oracle = Oracle(grammar)
        wrong = []
        for test in case["tests"]:
            text = json.dumps(test["data"], ensure_ascii=False, **FORMS[args.form]).encode("utf-8", "surrogatepass")  # type: ignore[arg-type]
            if len(text) > args.max_bytes:
                counts["instances left out"] += 1
                continue
            counts["instances"] += 1
            if oracle.accepts(text) != test["valid"]:
                wrong.append(("rejects valid " if test["valid"] else "accepts invalid ") + text.decode()[:120])
        counts["wrong" if wrong else "pass"] += 1
        for kind in {w.split()[0] for w in wrong}:
            counts[f"wrong: {kind}"] += 1
        if args.list and wrong:
            print(f"wrong    {file.name}  {wrong[0]}")
    for name, count in sorted(counts.items()):
        print(f"{name:24} {count:7}  {100 * count / len(files):5.1f} %")
    for reason, count in reasons.most_common():
        print(f"    {count:5}  {reason}")
    if len(times) > 1:
        cuts = statistics.quantiles(times, n=100)
        print(f"compile ms: p50 {cuts[49]:.2f}  p90 {cuts[89]:.2f}  p99 {cuts[98]:.2f}  max {max(times):.1f}")
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
