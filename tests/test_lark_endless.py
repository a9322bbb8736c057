"""Grammars whose parse table reduces for ever: refused by name, and no others."""

from __future__ import annotations

import random

import lark
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lark_reference import Recogniser, Stack
from test_lark_liveness import random_tables

import syntagma as sg

VOCAB = sg.Vocabulary([*(bytes([c]) for c in b"xyz"), None], eos_ids=[3])
ITSELF = """start: a "x"
a: a a "x" | b | a a "y"
b: c "x" c | a c
c:
"""


def test_a_rule_that_derives_itself_alone_is_refused() -> None:
    """The error names the reductions that have no end, and the place of one of their rules; Lark does not return there."""
    with pytest.raises(sg.InvalidSource, match="for ever") as caught:
        sg.compile(sg.Lark(ITSELF), VOCAB)
    assert "b: a c" in str(caught.value)
    assert caught.value.where == "line 2, column 1"


@pytest.mark.parametrize(
    "grammar",
    [
        'start: a "z"\na: b | "x"\nb: a | "y"',  # Lark always shifts where it could go round
        'start: e start "x" | "y"\ne:',  # what is empty is never pushed: it would have to be before a shift
        'start: start "x" |',
    ],
)
def test_recursion_that_ends_on_every_text_is_not(grammar: str) -> None:
    """What a grammar could do and its table does not is no reason."""
    lark.Lark(grammar, parser="lalr")  # has a table
    constraint = sg.compile(sg.Lark(grammar), VOCAB)
    assert constraint.advance_bytes(constraint.start, b"x") or constraint.advance_bytes(constraint.start, b"y")


@given(st.randoms(use_true_random=False))
def test_tables_that_are_taken_reduce_to_an_end(draw: random.Random) -> None:
    """In every table that is not refused, reductions end behind all short texts, on every look-ahead."""
    read = random_tables(draw)
    recogniser = Recogniser(read)
    layer: set[Stack] = {(read.lalr.start,)}
    for _ in range(5):
        for stack in layer:
            recogniser.feed(stack, recogniser.end)
        fed = {t for s in layer for c in range(recogniser.end) if (t := recogniser.feed(s, c)) is not None}
        layer = set(sorted(fed)[:30])
