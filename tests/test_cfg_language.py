"""The languages of grammars in text, against their definition on sets of texts."""

from __future__ import annotations

import itertools
import random

import pytest
from cfg_grammars import LETTERS, WRITERS, Part, Rules, bare, grammars, language, of_productions, parts, written
from hypothesis import given, settings
from hypothesis import strategies as st
from language_checks import LONGEST, check
from random_grammars import FIXED, Productions, random_productions
from sizes import size

import syntagma as sg
from syntagma.grammar.cfg import lower, repetition

pytestmark = pytest.mark.kernel

EOS = 256


@pytest.fixture(scope="module")
def bytewise() -> sg.Vocabulary:
    """Every byte as a token."""
    return sg.Vocabulary([*(bytes([b]) for b in range(256)), None], eos_ids=[EOS])


def source(text: str, dialect: str, start: str = "root") -> sg.Source:
    if dialect == "gbnf":
        return sg.Gbnf(text, start=start)
    return sg.Ebnf(text, start=start, dialect=dialect)  # type: ignore[arg-type]


def compare(rules: Rules, dialect: str, vocab: sg.Vocabulary) -> None:
    check(source(written(rules, dialect), dialect), language(rules, "root", LONGEST), vocab, LETTERS)


@pytest.mark.parametrize("dialect", ["gbnf", "xgrammar"])
@given(rules=grammars(exceptions=False))
@settings(max_examples=size(60, plain=8))
def test_random_grammars_in_llama_notation(dialect: str, rules: Rules, bytewise: sg.Vocabulary) -> None:
    """Recursion of every kind, nullable and empty rules, and counts: the texts are those of the definition."""
    compare(rules, dialect, bytewise)


@pytest.mark.parametrize("dialect", ["iso", "w3c", "bnf"])
@given(rules=grammars())
@settings(max_examples=size(60, plain=8))
def test_random_grammars_with_exceptions(dialect: str, rules: Rules, bytewise: sg.Vocabulary) -> None:
    """The same with exceptions between regular parts, in the dialects that have them."""
    compare(rules, dialect, bytewise)


@given(rules=grammars(exceptions=False))
@settings(max_examples=size(80, plain=8))
def test_counted_repetition_is_exact(rules: Rules, bytewise: sg.Vocabulary) -> None:
    """With a counter in every place where one is possible, the texts are the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lower, "EXPAND", 0)
        compare(rules, "gbnf", bytewise)


@given(rules=grammars(exceptions=False))
@settings(max_examples=size(60, plain=8))
def test_repetition_by_halves_is_exact(rules: Rules, bytewise: sg.Vocabulary) -> None:
    """With rules of halves in place of counters, the texts are the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lower, "EXPAND", 0)
        patch.setattr(lower, "CHAIN", 0)
        patch.setattr(repetition.Cuts, "find", lambda *_: None)
        compare(rules, "gbnf", bytewise)


CALLED: Rules = {
    "N": ("or", [("seq", [("text", "a"), ("call", "N"), ("text", "b")]), ("text", "a")]),
    "L": ("or", [("seq", [("call", "L"), ("text", "b")]), ("text", "a")]),
    "E": ("rep", ("text", "a"), 0, None),
    "M": ("seq", [("text", "a"), ("rep", ("call", "M"), 0, 3)]),
    "K": ("seq", [("text", "b"), ("rep", ("seq", [("call", "K"), ("text", "a")]), 1, 4), ("text", "b")]),
    "O": ("or", [("call", "K"), ("text", "b"), ("call", "N")]),
}
"""Nested, left-recursive, nullable, counted in themselves: what a repeated part may begin with."""

CALL = st.sampled_from([("call", name) for name in CALLED])
COMMA = st.just(("set", ",;"))


def repeated() -> st.SearchStrategy[Part]:
    """Parts whose items are counted behind their beginning, or in a called rule, or not at all."""
    item = st.tuples(
        st.just("seq"), st.one_of(st.tuples(CALL, COMMA), st.tuples(CALL, COMMA, CALL), st.tuples(COMMA, CALL))
    )
    choice = st.tuples(st.just("or"), st.tuples(item, item))
    nested = st.tuples(st.just("rep"), item, st.just(1), st.sampled_from([2, None]))
    return item | choice | nested | CALL


@given(body=repeated(), least=st.integers(0, 3), more=st.integers(0, 2) | st.none(), tail=parts((), exceptions=False))
@settings(max_examples=size(80, plain=8))
def test_items_are_counted_wherever_they_can_be(
    body: Part, least: int, more: int | None, tail: Part, bytewise: sg.Vocabulary
) -> None:
    """Items that begin with calls of nested, left-recursive and nullable rules are counted, and what follows them is kept."""
    root = ("seq", [("rep", body, least, None if more is None else least + more), tail])
    rules = {"root": root, **CALLED}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lower, "EXPAND", 0)
        check(sg.Gbnf(written(rules, "gbnf")), language(rules, "root", LONGEST - 2), bytewise, "ab,", LONGEST - 2)


@pytest.mark.parametrize("dialect", [*WRITERS, "bare"])
@pytest.mark.parametrize("name", FIXED)
def test_textbook_recursion_in_every_dialect(name: str, dialect: str, bytewise: sg.Vocabulary) -> None:
    """Each kind of recursion, in each notation: the same texts."""
    same(FIXED[name], dialect, bytewise)


@pytest.mark.parametrize("dialect", [*WRITERS, "bare"])
def test_random_productions_in_every_dialect(dialect: str, bytewise: sg.Vocabulary) -> None:
    """Random productions, with useless and unproductive rules, are read alike in every notation."""
    rng = random.Random(dialect)
    for _ in range(size(25, plain=3)):
        same(random_productions(rng), dialect, bytewise)


def same(rules: Productions, dialect: str, vocab: sg.Vocabulary) -> None:
    start = next(iter(rules))
    letters = "".join(sorted({s.decode() for a in itertools.chain(*rules.values()) for s in a if isinstance(s, bytes)}))
    longest = min(LONGEST, 5 if len(letters) > 2 else 6)
    if dialect == "bare":
        made = sg.Ebnf(bare(rules), start=start, dialect="bnf")
    else:
        made = source(written(of_productions(rules), dialect), dialect, start)
    check(made, language(of_productions(rules), start, longest), vocab, letters, longest)
