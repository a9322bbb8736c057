"""What it costs to compile real schemas and to fill their first mask, and in which stage.

Reads files ``{"schema": ..., "tests": [...]}`` from a folder and draws a sample as ``tools/maskbench.py`` does.  Every repeat compiles the
sample in one order with a new store and empty memos, so that schemas share what they would share in a service that has just started,
and nothing of an earlier repeat; a schema's time is the least of its repeats, in processor time.  Prints percentiles, totals by stage and
the slowest schemas with their stages.

Stages exclude what they call of another stage: ``algebra`` (goals to conjunctions), ``pieces`` (conjunctions to pieces,
inhabitation), ``lowering`` (pieces to rules), ``strings`` (patterns, formats, lengths, numbers: automata over characters and their
encoding as bytes), ``front`` (the rest of the front end), ``load`` (rules to local states), ``start`` (scope and first state), ``mask``.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import pkgutil
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import numpy as np

import syntagma
from syntagma.automata import constraint as constraints
from syntagma.automata.constraint import Constraint
from syntagma.automata.vocabulary import Vocabulary
from syntagma.grammar.errors import SyntagmaError
from syntagma.grammar.jsonschema import algebra, keyclasses, literals, lower, pieces, scalars
from syntagma.grammar.jsonschema.source import JsonSchema, SchemaLimits, compile_schema
from syntagma.grammar.regular.dfa import CharDfa

P = ParamSpec("P")
R = TypeVar("R")

STAGES: Final = ("front", "algebra", "pieces", "lowering", "strings", "load", "start", "mask")

STAGE_OF: Final[tuple[tuple[object, str, tuple[str, ...]], ...]] = (
    (algebra.Algebra, "algebra", ("expand", "alternatives", "local", "types_of")),
    (literals.Literals, "algebra", ("agree",)),
    (pieces.Pieces, "pieces", ("of", "inhabited", "types_of", "strings_of")),
    (keyclasses.KeyClasses, "pieces", ("of",)),
    (lower.Lowering, "lowering", ("lower",)),
    (
        CharDfa,
        "strings",
        (
            "from_regex",
            "from_strings",
            "from_length",
            "intersect",
            "_product",
            "with_length",
            "strings",
            "length_profile",
        ),
    ),
    (lower, "strings", ("any_body", "key_body", "number_text", "string_body", "string_language")),
    (pieces, "strings", ("character_language", "language_of", "string_is_inhabited", "number_is_inhabited")),
    (scalars, "strings", ("string_accepts",)),
    (constraints, "load", ("load_grammar",)),
)
"""Where a stage begins: the owner of some functions, the stage, and their names; missing names are skipped."""


class Clock:
    """Processor time by stage, each without the stages inside it."""

    def __init__(self) -> None:
        """Begin outside every stage."""
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._stage = ""
        self._since = 0.0

    def enter(self, stage: str) -> str:
        """Go on in a stage; returns the one before."""
        now = time.process_time()
        self.spent[self._stage] += now - self._since
        self._since = now
        before, self._stage = self._stage, stage
        return before

    def timed(self, stage: str, function: Callable[P, R]) -> Callable[P, R]:
        """The function, its time booked under a stage."""

        @wraps(function)
        def inner(*args: P.args, **options: P.kwargs) -> R:
            if self._stage == stage:
                return function(*args, **options)
            before = self.enter(stage)
            try:
                return function(*args, **options)
            finally:
                self.enter(before)

        return inner

    def install(self) -> None:
        """Wrap every function of ``STAGE_OF``."""
        for owner, stage, names in STAGE_OF:
            for name in names:
                found = vars(owner).get(name)
                if isinstance(found, classmethod):
                    setattr(owner, name, classmethod(self.timed(stage, found.__func__)))
                elif found is not None:
                    setattr(owner, name, self.timed(stage, found))


def forget() -> None:
    """Empty every memo of the front end that outlives a compilation."""
    package = syntagma.__path__[0]
    for module in pkgutil.walk_packages([f"{package}/grammar"], "syntagma.grammar."):
        for value in vars(importlib.import_module(module.name)).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def tokens_of(tokenizer: Path) -> tuple[list[bytes | None], int]:
    """The bytes of each token of a byte-level ``tokenizer.json``, and the token that ends a text."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {chr(b): b for b in keep}
    letters |= {chr(256 + i): b for i, b in enumerate(b for b in range(256) if b not in keep)}
    document = json.loads(tokenizer.read_text())
    vocabulary = document["model"]["vocab"]
    special = {t["content"]: t["id"] for t in document.get("added_tokens", ())}
    tokens: list[bytes | None] = [None] * (max([*vocabulary.values(), *special.values()]) + 1)
    for text, token in vocabulary.items():
        tokens[token] = bytes(letters[c] for c in text)
    for token in special.values():
        tokens[token] = None
    ends = ("<|eot_id|>", "<|im_end|>", "<|end_of_text|>", "<|endoftext|>", "</s>")
    return tokens, next(special[e] for e in ends if e in special)


def sample(folder: Path, n: int, seed: int) -> list[Path]:
    """``n`` files with instances, drawn as ``tools/maskbench.py`` draws them."""
    names = sorted(f.name for f in folder.glob("*.json"))
    random.Random(seed).shuffle(names)
    picked: list[Path] = []
    for name in names:
        if len(picked) == n:
            break
        if json.loads((folder / name).read_text()).get("tests"):
            picked.append(folder / name)
    return picked


def measure(schema: object, vocabulary: Vocabulary, out: np.ndarray, clock: Clock) -> dict[str, float]:
    """Seconds of compiling a schema and filling its first mask, by stage; raises what compiling raises."""
    gc.collect()
    gc.disable()
    clock.spent.clear()
    clock.enter("front")
    clock.spent.clear()
    try:
        grammar, report = compile_schema(JsonSchema(schema))
        clock.enter("start")
        c = Constraint.from_grammar(grammar, vocabulary, report=report, deadline=SchemaLimits().deadline)
        clock.enter("mask")
        c.mask(c.start, out=out)
    finally:
        clock.enter("")
        gc.enable()
    return dict(clock.spent)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of schema files")
    parser.add_argument("tokenizer", type=Path, help="a byte-level tokenizer.json")
    parser.add_argument("-n", type=int, default=300, help="number of schemas (0: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", help="only the schemas whose names contain this")
    parser.add_argument("--slowest", type=int, default=20, help="how many schemas to list")
    args = parser.parse_args()
    files = sample(args.folder, args.n or 1 << 30, args.seed)
    files = [f for f in files if not args.only or args.only in f.name]
    schemas = {f.name: json.loads(f.read_text())["schema"] for f in files}
    tokens, eos = tokens_of(args.tokenizer)
    clock = Clock()
    clock.install()
    best: dict[str, dict[str, float]] = {}
    refused: dict[str, str] = {}
    warm = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    out = None
    for _ in range(args.repeats):
        forget()
        vocabulary = Vocabulary(tokens, eos_ids=[eos])
        out = np.empty(vocabulary.words, np.uint32)
        measure(warm, vocabulary, out, clock)  # imports, kernels, the trie
        gc.collect()
        gc.freeze()  # collecting before each schema costs little then
        for name, schema in schemas.items():
            try:
                spent = measure(schema, vocabulary, out, clock)
            except SyntagmaError as e:
                refused[name] = f"{type(e).__name__}: {e.message}"
                continue
            if name not in best or sum(spent.values()) < sum(best[name].values()):
                best[name] = spent
    totals = np.array([sum(spent.values()) for spent in best.values()]) * 1e3
    cuts = "  ".join(f"p{q} {np.percentile(totals, q):.2f}" for q in (50, 75, 90, 95, 99))
    print(f"{len(best)} schemas, {len(refused)} refused; ms: {cuts}  max {totals.max():.1f}  sum {totals.sum():.0f}")
    rows = [("all", {s: sum(b.get(s, 0.0) for b in best.values()) for s in STAGES})]
    rows += sorted(best.items(), key=lambda row: -sum(row[1].values()))[: args.slowest]
    print(f"{'ms':50}{'total':>9}" + "".join(f"{s:>10}" for s in STAGES))
    for name, spent in rows:
        total = sum(spent.values()) * 1e3
        print(f"{name[:50]:50}{total:9.2f}" + "".join(f"{1e3 * spent.get(s, 0):10.2f}" for s in STAGES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
