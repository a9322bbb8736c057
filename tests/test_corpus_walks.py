"""Walks over the corpus: every walk ends in a valid document, and the shipped laws hold with five real tokenizers."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus import HAND, real_schemas, share
from corpus_judge import Judge, Unjudged
from corpus_vocabularies import REAL_TOKENIZERS, tiny, vocabulary_named
from corpus_walks import STYLES, Walker

import syntagma as sg
from syntagma.automata.conformance import check_constraint
from syntagma.automata.vocabulary import Vocabulary
from syntagma.grammar.errors import SyntagmaError


def walk(schema: Any, vocab: Vocabulary, seed: str, *, walks: int, steps: int, most: int = 120, **options: Any) -> int:
    """Walks in all styles, free and under budgets at the bound, one above and twice it; returns how many texts were judged and valid."""
    try:
        constraint = sg.compile(sg.JsonSchema(schema, **options), vocab)
    except SyntagmaError:
        return 0
    assert constraint.report is not None
    judge = Judge(schema, constraint.report.dialect)
    walker = Walker(constraint, random.Random(seed))
    bound = constraint.finish_bound(constraint.start)
    valid = 0
    for number in range(walks):
        for style in STYLES:
            for budget in (None, bound, bound + 1, 2 * bound + number):
                if budget is not None and budget > most:
                    continue
                with constraint.session() as session:
                    if budget is None:
                        tokens = walker.walk(session, style, steps).tokens
                    else:
                        tokens = walker.walk_within(session, style, budget).tokens
                text = walker.text(tokens)
                try:
                    problem = judge.problem(text)
                except Unjudged:
                    continue
                assert problem is None, (problem, text, tokens)
                valid += 1
    return valid


def texts_of(case: Any) -> list[str]:
    return [json.dumps(value, ensure_ascii=False) for value in case]


@pytest.mark.parametrize("vocabulary", ["small", "holed"])
@pytest.mark.parametrize("name", HAND)
def test_walks_end_in_valid_documents(name: str, vocabulary: str) -> None:
    """Random walks and walks steered to rare effects, free and within budgets, with all bytes and with some missing."""
    assert walk(HAND[name], vocabulary_named(vocabulary), name, walks=2, steps=20) or vocabulary == "holed"


ONE_OF_TWO_ROWS = {
    "oneOf": [
        {"type": "object", "patternProperties": {"^[a-z]{1,24}$": {"type": ["string", "number", "null"]}}},
        {"type": "object", "properties": {"count": {"type": "number"}}},
    ]
}


LONG_KEYS = {
    "type": "object",
    "patternProperties": {"^.{40,}$": {"const": 1}},
    "additionalProperties": False,
    "minProperties": 16,
}


KEYS_IN_A_LARGE_GRAMMAR = {
    "type": "object",
    "properties": {
        "tabs": {
            "type": "object",
            "patternProperties": {"^[A-Za-z_]+$": {"type": "object"}},
            "additionalProperties": False,
        },
        "word": {"enum": [f"k{i * 7919 % 10007:04}" for i in range(1500)]},
    },
    "required": ["tabs"],
}
"""More local states than the exact costs look at, and an object that is closed by longer tokens only where braces are missing."""


@pytest.mark.parametrize(
    ("schema", "vocabulary", "options"),
    [
        (HAND["anything"], "small", {"escapes": "all"}),
        (HAND["only extra keys"], "small", {"escapes": "all"}),
        (HAND["pattern anywhere"], "holed", {"escapes": "all", "property_order": "any"}),
        (HAND["named keys"], "tiny holed", {}),
        (ONE_OF_TWO_ROWS, "small", {}),
        pytest.param(LONG_KEYS, "small", {"whitespace": "compact"}, marks=pytest.mark.slow),
        (KEYS_IN_A_LARGE_GRAMMAR, "holed", {}),
    ],
    ids=[
        "values seen",
        "values counted",
        "room",
        "no brace alone",
        "a way out of few keys",
        "many long keys",
        "keys in a large grammar",
    ],
)
def test_bounds_where_a_completion_is_hard_to_find(schema: Any, vocabulary: str, options: dict[str, Any]) -> None:
    """Each of these had states whose bound no token lowered, or that were taken for dead."""
    assert walk(schema, vocabulary_named(vocabulary), str(schema), walks=1, steps=10, most=24, **options)


@pytest.mark.parametrize("first", ["masks", "states"])
def test_a_budget_keeps_the_tokens_after_which_the_bound_fits(first: str) -> None:
    """So it is where a search finds the bounds, of each token of a class, whichever of the states are asked for first."""
    vocab = vocabulary_named("holed")
    constraint = sg.compile(sg.JsonSchema(KEYS_IN_A_LARGE_GRAMMAR), vocab)
    tokens = [t for t, text in enumerate(vocab.tokens) if text is not None]
    with constraint.session() as session:
        state = session.start
        for text in (b"{ ", b'"', b"t", b"a", b"b", b's"', b":", b'{"na'):
            after = [session.advance(state, t) for t in reversed(tokens)][::-1] if first == "states" else []
            bound = session.finish_bound(state)
            budgets = range(bound, bound + 4)
            rows = [np.unpackbits(session.mask(state, budget=n).view(np.uint8), bitorder="little") for n in budgets]
            after = after or [session.advance(state, t) for t in tokens]
            for budget, row in zip(budgets, rows, strict=True):
                assert row.any()
                for token, reached in zip(tokens, after, strict=True):
                    fits = reached != 0 and session.finish_bound(reached) < budget
                    assert bool(row[token]) == fits, (text, budget, vocab.tokens[token])
            state = session.advance(state, vocab.tokens.index(text))
        assert state != 0


def test_what_only_longer_tokens_spell_is_alive() -> None:
    """Where no token is a closing brace, an object is closed by one that holds more."""
    vocab = vocabulary_named("tiny holed")
    assert b"}" not in vocab.tokens
    constraint = sg.compile(sg.JsonSchema(HAND["named keys"]), vocab)
    check_constraint(constraint, texts_of(VALUES), rng=np.random.default_rng(10), steps=6)
    state = constraint.advance_bytes(constraint.start, b"{")
    assert constraint.finish_bound(state) == 5


FEW = ("enum with shared prefixes", "pattern with length")
VALUES: list[Any] = [
    None,
    "a",
    "ab",
    12,
    1.5,
    [],
    {"a": 1},
    {"name": "x", "ok": True},
    [["a"]],
    "abcab",
    "abababc",
    "é",
]


@pytest.mark.parametrize("vocabulary", REAL_TOKENIZERS)
def test_the_laws_hold_with_real_tokenizers(vocabulary: str) -> None:
    """The shipped function finds nothing on a few schemas with each of five tokenizers, nor do walks."""
    vocab = vocabulary_named(vocabulary)
    for name in FEW:
        constraint = sg.compile(sg.JsonSchema(HAND[name]), vocab)
        check_constraint(constraint, texts_of(VALUES[-3:-1]), rng=np.random.default_rng(2), steps=2)
    assert walk(HAND["closed record"], vocab, "closed", walks=1, steps=8, most=0) > 0


def test_the_judge_reads_patterns_as_ecma_does() -> None:
    """White space is Unicode's, digits are ASCII's."""
    judge = Judge({"type": "string", "pattern": r"^[\w\s-]+\s\S\d$"})
    assert judge.problem('"a\u2008-\ufeffx1"'.encode()) is None
    assert judge.problem('"a\u2008-\ufeffx\u0661"'.encode()) is not None
    assert judge.problem('"a\u2008-\ufeff\u30001"'.encode()) is not None


def test_the_report_says_exact_only_of_minima() -> None:
    """Where the report calls the bound exact, it is the least number of tokens."""
    names = [f"{i:03d}-" + "abcdefgh" * 3 for i in range(120)]
    properties = {name: {"type": "boolean"} for name in names}
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    constraint = sg.compile(schema, tiny())
    assert constraint.report is not None
    assert constraint.accepts([tiny().tokens.index(b"{}")])
    assert constraint.report.budget != "exact" or constraint.finish_bound(constraint.start) == 1


def test_the_bench_of_walks_tells_right_from_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``bench/walks.py`` exits with 0 where nothing is wrong, and with 1 and the text where a document is invalid."""
    path = Path(__file__).parents[1] / "bench" / "walks.py"
    spec = importlib.util.spec_from_file_location("bench_walks", path)
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "bench_walks", bench)
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec.loader.exec_module(bench)
    for name in ("closed record", "pattern"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"schema": HAND[name]}))
    arguments = [str(tmp_path), "tiny", "--walks", "1", "--steps", "6", "--brute-force", "1", "--seconds", "0"]
    assert bench.main(arguments) == 0
    assert "2 of 2 schemas, 0 of them refused" in capsys.readouterr().out
    monkeypatch.setattr(bench.Judge, "problem", lambda *_: "invalid: of course")
    assert bench.main(arguments) == 1
    assert "invalid: of course" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("vocabulary", REAL_TOKENIZERS)
def test_the_laws_hold_for_the_corpus(vocabulary: str) -> None:
    """The shipped function finds nothing on all schemas by hand and some real ones, with each of five tokenizers."""
    vocab = vocabulary_named(vocabulary)
    checked = 0
    for name, schema in {**HAND, **real_schemas(10, seed=15)}.items():
        try:
            constraint = sg.compile(sg.JsonSchema(schema), vocab)
        except SyntagmaError:
            continue
        exact = constraint.store.bounds.is_exact(constraint.rule_start)  # extra keys: each state takes seconds
        check_constraint(
            constraint, texts_of(VALUES[:2]), rng=np.random.default_rng(len(name)), steps=3 if exact else 1
        )
        checked += 1
    assert checked > 30


@pytest.mark.slow
@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("vocabulary", ["small", "tiny holed"])
def test_the_laws_hold_for_real_schemas(vocabulary: str, number: int) -> None:
    """The shipped function finds nothing on real schemas with small vocabularies, every token tried at every state."""
    vocab = vocabulary_named(vocabulary)
    checked = 0
    for name, schema in share({**HAND, **real_schemas(60, seed=16)}, number, 2).items():
        try:
            constraint = sg.compile(sg.JsonSchema(schema), vocab)
        except SyntagmaError:
            continue
        check_constraint(constraint, texts_of(VALUES), rng=np.random.default_rng(len(name)), steps=16)
        checked += 1
    assert checked > 25


@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("vocabulary", ["small", "holed", "smollm2"])
def test_walks_of_real_schemas_end_in_valid_documents(vocabulary: str, number: int) -> None:
    """Thousands of walks over 300 real schemas; one of the tokenizers is real and lacks bytes."""
    vocab = vocabulary_named(vocabulary)
    large = vocabulary == "smollm2"
    schemas = share(real_schemas(60 if large else 300, seed=17), number, 3)
    valid = sum(walk(schemas[name], vocab, name, walks=1, steps=20) for name in schemas)
    print(f"{vocabulary}, share {number}: {valid} walks")  # noqa: T201 - for those who ask for it (pytest -s)
    assert valid > 9 * len(schemas)


SPELLINGS = [
    ("small", {"property_order": "any"}),
    ("small", {"escapes": "all"}),
    ("holed", {"property_order": "any", "escapes": "all"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("vocabulary", "options"), SPELLINGS, ids=str)
def test_walks_in_other_spellings_end_in_valid_documents(vocabulary: str, options: dict[str, str]) -> None:
    """The same where members come in any order, and where characters are spelled in every way."""
    vocab = vocabulary_named(vocabulary)
    schemas = {**HAND, **real_schemas(30, seed=18)}
    valid = sum(walk(schemas[name], vocab, name, walks=1, steps=12, most=24, **options) for name in schemas)
    print(f"{vocabulary}, {options}: {valid} walks")  # noqa: T201 - for those who ask for it (pytest -s)
    assert valid > 4 * len(schemas)
