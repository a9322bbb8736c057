"""Grammars whose parse table reduces for ever: refused by name, and no others."""

from __future__ import annotations

import random

import lark
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st
from lark_reference import Recogniser, Stack
from test_lark_liveness import random_table

import syntagma as sg
from syntagma.grammar.lark.scanner import tables

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
        'start: e start "x" | "y"\ne:',  # hidden left recursion: a conflict is resolved for shift, or none is there
        'start: start "x" |',
    ],
)
def test_recursion_that_ends_on_every_text_is_not(grammar: str) -> None:
    """What a grammar could do and its table does not is no reason."""
    try:
        lark.Lark(grammar, parser="lalr")
    except lark.exceptions.GrammarError:
        pytest.skip("Lark has no table for it")
    constraint = sg.compile(sg.Lark(grammar), VOCAB)
    assert constraint.advance_bytes(constraint.start, b"x") or constraint.advance_bytes(constraint.start, b"y")


@given(st.randoms(use_true_random=False))
def test_tables_that_are_taken_reduce_to_an_end(draw: random.Random) -> None:
    """In every table that is not refused, reductions end behind all short texts, on every look-ahead."""
    read = None
    for _ in range(40):
        try:
            read = tables(lark.Lark(random_table(draw), parser="lalr"))
            break
        except (lark.exceptions.LarkError, sg.Unsatisfiable):
            continue
        except sg.InvalidSource:
            event("refused")
            continue
    assume(read is not None)
    assert read is not None
    recogniser = Recogniser(read)
    layer: set[Stack] = {(read.lalr.start,)}
    for _ in range(5):
        for stack in layer:
            recogniser.feed(stack, recogniser.end)
        fed = {t for s in layer for c in range(recogniser.end) if (t := recogniser.feed(s, c)) is not None}
        layer = set(sorted(fed)[:30])
