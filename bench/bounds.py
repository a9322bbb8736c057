"""What bounds cost on real schemas: the first one of a constraint, those along a document, and masks under a budget.

    python bench/bounds.py FOLDER tokenizer.json [-n 300] [--seed 1] [--worst 5]

Reads files ``{"schema": ..., "tests": [{"valid": bool, "data": ...}]}`` from a folder.  For each schema it asks for
``finish_bound`` of the start, then walks along the first valid instance and asks at every token for ``fits`` with as many tokens as are left of it, and for
``finish_bound``; at every tenth, for the mask under a budget of one token more than the bound.  Milliseconds of wall time, all kernels compiled.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from syntagma.automata.constraint import Constraint
from syntagma.automata.vocabulary import Vocabulary
from syntagma.engine.compile import compile as compile_source
from syntagma.grammar.errors import SyntagmaError
from syntagma.grammar.jsonschema.source import JsonSchema

MOST_TOKENS = 200
"""Of an instance; those behind are left out."""


class Clock:
    """Milliseconds of calls, by what was asked for."""

    def __init__(self) -> None:
        self.taken: dict[str, list[tuple[float, str]]] = defaultdict(list)

    def __call__(self, kind: str, name: str, ask: Callable[[], Any]) -> Any:  # noqa: ANN401 - what was asked for
        """Ask, and note how long it took."""
        began = time.perf_counter()
        found = ask()
        self.taken[kind].append(((time.perf_counter() - began) * 1e3, name))
        return found


def along(constraint: Constraint, tokens: list[int], name: str, clock: Clock) -> None:
    """Ask at every token of a document."""
    with constraint.session() as session:
        state = session.start
        for i, token in enumerate(tokens):
            state = session.advance(state, token)
            if not state:  # keys in another order than the schema's
                return
            here, left = state, len(tokens) - i - 1
            clock("fits", name, lambda here=here, left=left: session.fits(here, left))
            bound = clock("finish_bound", name, lambda here=here: session.finish_bound(here))
            if i % 10 == 0:
                clock("budget mask", name, lambda here=here, bound=bound: session.mask(here, budget=bound + 1))


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("tokenizer", help="a file of the package tokenizers")
    parser.add_argument("-n", type=int, default=300, help="number of schemas, drawn at random (0: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worst", type=int, default=5, help="schemas that are named for each kind of call")
    args = parser.parse_args()
    tokenizer = Tokenizer.from_file(args.tokenizer)
    vocab = Vocabulary.from_tokenizer(tokenizer)
    files = sorted(args.folder.glob("*.json"))
    random.Random(args.seed).shuffle(files)
    warm = compile_source(JsonSchema({"type": "object", "additionalProperties": {"type": "integer"}}), vocab)
    along(warm, [t for t, text in enumerate(vocab.tokens) if text in {b"{", b'"'}], "", Clock())
    clock, n = Clock(), 0
    for file in files:
        case = json.loads(file.read_text())
        try:
            constraint = compile_source(JsonSchema(case["schema"]), vocab)
        except SyntagmaError:
            continue
        n += 1
        start = constraint.start
        clock("first finish_bound", file.name, lambda c=constraint, start=start: c.finish_bound(start))
        valid = [test["data"] for test in case.get("tests", ()) if test["valid"]]
        if valid:
            text = json.dumps(valid[0], ensure_ascii=False)
            along(constraint, tokenizer.encode(text, add_special_tokens=False).ids[:MOST_TOKENS], file.name, clock)
        if n == args.n:
            break
    print(
        f"{n} schemas, {vocab.size:,} tokens\n\n| | calls | p50, ms | p99, ms | worst, ms | over 1 s |\n|---|---|---|---|---|---|"
    )
    for kind, taken in clock.taken.items():
        ms = np.array([t for t, _ in taken])
        p50, p99 = np.quantile(ms, [0.5, 0.99])
        print(f"| {kind} | {len(ms):,} | {p50:.3f} | {p99:.2f} | {ms.max():,.0f} | {int((ms > 1e3).sum())} |")
    for kind, taken in clock.taken.items():
        print(f"\n{kind}:")
        seen: dict[str, float] = {}
        for t, name in sorted(taken, reverse=True):
            seen.setdefault(name, t)
        for name, t in list(seen.items())[: args.worst]:
            print(f"  {t:10,.1f} ms  {name}")


if __name__ == "__main__":
    main()
