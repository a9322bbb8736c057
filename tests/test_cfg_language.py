"""The languages of grammars in text, against their definition on sets of texts."""

from __future__ import annotations

import itertools
import random

import pytest
from cfg_grammars import LETTERS, Rules, grammars, language, written
from hypothesis import given, settings
from random_grammars import FIXED, Productions, random_productions
from sizes import size

import syntagma as sg
from syntagma.grammar.cfg import lower, repetition

pytestmark = pytest.mark.kernel

EOS = 256
LONGEST = size(8, plain=5)
BOUND = 1 << 39


@pytest.fixture(scope="module")
def bytewise() -> sg.Vocabulary:
    """Every byte as a token."""
    return sg.Vocabulary([*(bytes([b]) for b in range(256)), None], eos_ids=[EOS])


def source(text: str, dialect: str, start: str = "root") -> sg.Source:
    if dialect == "gbnf":
        return sg.Gbnf(text, start=start)
    return sg.Ebnf(text, start=start, dialect=dialect)  # type: ignore[arg-type]


def check(made: sg.Source, expected: set[str], vocab: sg.Vocabulary, letters: str = LETTERS) -> None:
    """Compare texts and prefixes up to a length with a language; what is allowed must be finishable, too."""
    try:
        constraint = sg.compile(made, vocab)
    except sg.Unsatisfiable:
        assert not expected
        return
    prefixes = {text[:n] for text in expected for n in range(len(text) + 1)}
    with constraint.session() as session:
        alive = {"": session.start}
        for n in range(LONGEST + 1):
            for text, state in alive.items():
                assert session.is_accepting(state) == (text in expected), text
                bound = session.finish_bound(state)
                assert bound < BOUND, (text, "can never be finished")
                if n + bound <= LONGEST:
                    assert text in prefixes, text
            longer = {}
            for (text, state), letter in itertools.product(alive.items(), letters):
                after = session.advance(state, ord(letter))
                if after:
                    longer[text + letter] = after
                else:
                    assert text + letter not in prefixes, text + letter
            alive = longer


def compare(rules: Rules, dialect: str, vocab: sg.Vocabulary) -> None:
    check(source(written(rules, dialect), dialect), language(rules, "root", LONGEST), vocab)


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
