"""The machine on small grammars that a person can check, each compared with an oracle of another method."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest
from lark import Lark
from lark_toy import early, lazy, ranges
from machine_checks import check_lattice, check_states, tokens_of, vocabulary
from machine_oracle import ChartOracle, Oracle, StackOracle
from random_grammars import FIXED
from sizes import size
from toy_grammars import (
    ARRAY_TOKENS,
    COUNT_TOKENS,
    OBJECT_TOKENS,
    RANGE_TOKENS,
    STRING_TOKENS,
    SUM_TOKENS,
    arrays,
    even_strings,
    objects,
    open_counts,
    strings,
)

from syntagma.automata import layout as lay
from syntagma.automata.constraint import Constraint
from syntagma.grammar.bnf import cfg
from syntagma.grammar.ir import Grammar
from syntagma.grammar.leftcorner import real_time

pytestmark = pytest.mark.kernel


def sums() -> tuple[Grammar, Grammar]:
    grammar = cfg(FIXED["sums"], "E")
    return grammar, real_time(grammar)


def toys() -> dict[str, tuple[Grammar, list[bytes], Oracle]]:
    """Name -> grammar, tokens, oracle (without the ids that are never text)."""
    left_recursive, real = sums()
    lark_ranges = ranges()[1]
    return {
        "objects": (objects(), OBJECT_TOKENS, StackOracle(objects(), OBJECT_TOKENS)),
        "sums": (real, SUM_TOKENS, ChartOracle(left_recursive, SUM_TOKENS)),
        "lark ranges": (lark_ranges, RANGE_TOKENS, StackOracle(lark_ranges, RANGE_TOKENS)),
        "arrays": (arrays(), ARRAY_TOKENS, StackOracle(arrays(), ARRAY_TOKENS)),
        "strings": (strings(2, 5), STRING_TOKENS, StackOracle(strings(2, 5), STRING_TOKENS)),
        "even strings": (even_strings(3, 7), STRING_TOKENS, StackOracle(even_strings(3, 7), STRING_TOKENS)),
        "even strings, one length": (even_strings(3, 5), STRING_TOKENS, StackOracle(even_strings(3, 5), STRING_TOKENS)),
        "open counts": (open_counts((2, 4)), COUNT_TOKENS, StackOracle(open_counts((2, 4)), COUNT_TOKENS)),
    }


TOYS = toys()


@pytest.mark.parametrize("name", TOYS)
def test_masks_bounds_and_acceptance_equal_the_oracle(name: str) -> None:
    """Along random walks every mask bit, every verdict and every bound is what another method finds."""
    grammar, tokens, oracle = TOYS[name]
    constraint = Constraint.from_grammar(grammar, vocabulary(tokens))
    assert check_states(constraint, oracle, random.Random(name), walks=30, longest=8) > 40


@pytest.mark.parametrize("name", TOYS)
def test_lattices_equal_enumeration(name: str) -> None:
    """Feasibility and masks of canvases with up to four holes are those of trying every filling."""
    grammar, tokens, oracle = TOYS[name]
    constraint = Constraint.from_grammar(grammar, vocabulary(tokens, padded=True))
    assert check_lattice(constraint, oracle, random.Random(name), canvases=150) > 20


@pytest.mark.parametrize("build", [ranges, early, lazy])
def test_the_lark_toy_is_lark(build: Callable[[], tuple[Lark, Grammar]]) -> None:
    """All texts up to a length are accepted by the automaton iff by the real parser."""
    lark, grammar = build()
    alphabet = {ranges: b"12.", early: b"abcde", lazy: b"ab"}[build]
    oracle = StackOracle(grammar, [])
    accepted = 0
    for n in range(8 if build is not early else 6):
        for text in map(bytes, itertools.product(alphabet, repeat=n)):
            try:
                lark.parse(text.decode())
                want = True
            except Exception:  # noqa: BLE001  # whatever Lark raises is a rejection
                want = False
            assert oracle.accepts(text) == want, text
            accepted += want
    assert accepted > 1


def test_a_fraction_that_never_comes_is_two_dots() -> None:
    """After ``1.`` the dot is free to be the first of two, and after ``1..`` no digit can be a fraction."""
    constraint = Constraint.from_grammar(ranges()[1], vocabulary(RANGE_TOKENS))
    with constraint.session() as session:
        state = session.advance_bytes(session.start, b"1.")
        allowed = {RANGE_TOKENS[t] for t in tokens_of(session.mask(state))}
        assert {b".", b"1", b"2", b"1.2"} - allowed == {b"1.2"} - allowed
        assert session.accepts(b"1..2")
        assert session.accepts(b"1.2..2")
        assert not session.accepts(b"1.")
        assert not session.accepts(b"1...2")


def test_a_key_that_was_seen_cannot_be_closed_again() -> None:
    """The closing quote of a duplicate is banned, also inside longer tokens; a longer key and another object are free."""
    vocab = vocabulary(OBJECT_TOKENS)
    constraint = Constraint.from_grammar(objects(), vocab)
    with constraint.session() as session:
        state = session.advance_bytes(session.start, b'{"b":1,"b')
        allowed = {OBJECT_TOKENS[t] for t in tokens_of(session.mask(state))}
        assert allowed == {b"a", b"b", b'b":', b'aa"'}
        inner = session.advance_bytes(session.start, b'{"b":{"b')
        assert b'":1' in {OBJECT_TOKENS[t] for t in tokens_of(session.mask(inner))}


def test_a_declared_key_is_no_extra_key() -> None:
    """``a`` may come first, and nowhere else."""
    constraint = Constraint.from_grammar(objects(), vocabulary(OBJECT_TOKENS))
    assert constraint.accepts(b'{"a":1,"b":1}')
    assert not constraint.accepts(b'{"b":1,"a":1}')
    assert not constraint.accepts(b'{"a":1,"a":1}')


@pytest.mark.parametrize(("need", "room"), [(0, 0), (0, 3), (2, 2), (1, 5)])
def test_counts_are_exact(need: int, room: int) -> None:
    """A string is accepted iff its length lies between the bounds."""
    constraint = Constraint.from_grammar(strings(need, room), vocabulary(STRING_TOKENS))
    for n in range(room + 3):
        assert constraint.accepts(b'"' + b"a" * n + b'"') == (need <= n <= room), n


def test_large_counts_cost_nothing() -> None:
    """A bound of a million letters is a number, not a million states, and holds to the letter."""
    constraint = Constraint.from_grammar(strings(0, 1_000_000), vocabulary(STRING_TOKENS))
    before = int(constraint.store.arena.a[lay.H_LS])
    longer = Constraint.from_grammar(strings(999, 1_000_000), constraint.vocab)
    assert int(longer.store.arena.a[lay.H_LS]) - before <= 8 * lay.LS_WIDTH
    assert longer.accepts(b'"' + b"a" * 1000 + b'"')
    assert not longer.accepts(b'"' + b"a" * 998 + b'"')


def used_words(constraint: Constraint) -> int:
    """Words of memory that living states and frames take, in whole chunks."""
    return int(constraint.store.arena.a[lay.H_CHUNKS_USED]) * lay.CHUNK


def test_memory_is_linear_where_runs_meet() -> None:
    """``S -> a S b | a S | empty`` keeps every depth alive, and yet frames grow with the text and not with its square."""
    n = size(50_000, plain=1_000)
    grammar = real_time(cfg(FIXED["more opened than closed"], "S"))
    constraint = Constraint.from_grammar(grammar, vocabulary([b"a", b"b", b"ab", b"aaa"]))
    used = []
    for half in (1, 2):
        before = used_words(constraint)
        with constraint.session() as session:
            state = session.advance_bytes(session.start, b"a" * (n * half))
            assert session.is_accepting(state)
            assert session.advance_bytes(state, b"b" * (n // 2))
            used.append(used_words(constraint) - before)
    assert used[0] > 0
    assert used[1] <= 2.2 * used[0] + 4 * lay.CHUNK


def test_operators_leave_no_frames() -> None:
    """A long flat sum takes no more memory for its frames than a short one: tail calls push nothing."""
    constraint = Constraint.from_grammar(sums()[1], vocabulary(SUM_TOKENS))
    with constraint.session() as session:
        short = session.advance_bytes(session.start, b"a+a+a")
        long = session.advance_bytes(session.start, b"a" + b"+a" * 500)
        assert short == long
