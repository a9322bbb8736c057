"""Which stacks have a future, exactly: against a search for completions, on grammars with traps of every kind."""

from __future__ import annotations

import random

import lark
import lark_random
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from lark_reference import Configuration, Recogniser
from lark_seeds import SEEDS, build, edited
from lark_toys import TOYS
from test_lark_liveness import BOTH_CASES, MERGED, random_table

import syntagma as sg
from syntagma.grammar.lark.futures import Futures
from syntagma.grammar.lark.scanner import LarkTables, tables

MOST_SEARCHED = 600
"""Configurations that a search for an end visits; beyond, it does not decide."""


def has_end(recogniser: Recogniser, configuration: Configuration, bytes_: bytes) -> bool | None:
    """Whether a search by breadth finds a text that completes a configuration; ``None``: it gives up."""
    layer, seen = {configuration}, {configuration}
    while layer:
        if recogniser.may_end(layer):
            return True
        layer = {y for b in bytes_ for y in recogniser.step(layer, b)} - seen
        seen |= layer
        if len(seen) > MOST_SEARCHED:
            return None
    return False


def compare(read: LarkTables, alphabet: str, depth: int) -> dict[bool | None, int]:
    """Configurations that short texts lead to are alive iff they have an end; counts of what the search says."""
    recogniser, futures = Recogniser(read), Futures(read)
    counts: dict[bool | None, int] = {True: 0, False: 0, None: 0}
    data = alphabet.encode()
    edges = read.scanner.edges
    bytes_ = bytes({*edges[:, 1].tolist(), *(edges[:, 2] + 1).tolist()} - {256})  # one of each kind, at least
    layer = recogniser.start
    seen: set[Configuration] = set()
    for _ in range(depth):
        for local, stack in sorted(layer - seen)[:30]:
            found = has_end(recogniser, (local, stack), bytes_)
            counts[found] += 1
            if found is not None:
                assert futures.alive(local, stack) == found, (local, stack)
        seen |= layer
        layer = {y for x in sorted(layer)[:30] for b in data for y in recogniser.step([x], b)}
    return counts


def test_a_trap_of_merged_lookaheads_is_dead() -> None:
    """The parenthesis that only the other bracket can close has no future once the letter is read, and none before."""
    read = tables(lark.Lark(MERGED, parser="lalr"))
    futures, recogniser = Futures(read), Recogniser(read)
    for text, alive in (("", True), ("[", True), ("[a", True), ("[a)", True), ("(", False), ("(a", False)):
        found = recogniser.run(text)
        assert found
        assert any(futures.alive(*x) for x in found) == alive, text


@given(st.randoms(use_true_random=False))
def test_futures_of_random_tables(draw: random.Random) -> None:
    """In random LALR tables with conflicts, exactly the stacks with a completion are alive."""
    for _ in range(40):
        try:
            read = tables(lark.Lark(random_table(draw), parser="lalr"))
        except (lark.exceptions.LarkError, sg.SyntagmaError):
            continue
        event(f"traps: {compare(read, 'xyz', 5)[False] > 0}")
        return


@given(st.randoms(use_true_random=False))
def test_futures_of_random_grammars(draw: random.Random) -> None:
    """In random grammars with overlapping terminals, look-around and priorities, exactly the configurations with a completion are alive."""
    for _ in range(40):
        try:
            read = tables(lark.Lark(lark_random.grammar(draw), parser="lalr"))
        except (lark.exceptions.LarkError, sg.SyntagmaError):
            continue
        event(f"traps: {compare(read, BOTH_CASES, 3)[False] > 0}")
        return


@pytest.mark.parametrize("name", TOYS)
def test_futures_of_toys(name: str) -> None:
    """The same for the toys."""
    case = TOYS[name]
    compare(tables(lark.Lark(case.grammar, parser="lalr")), case.alphabet, 4)


@pytest.mark.parametrize("name", SEEDS)
def test_futures_of_real_grammars(name: str) -> None:
    """Along texts of real grammars that are accepted every configuration on the way to the end is alive, and few places tell all stacks apart."""
    read = tables(build(name))
    recogniser, futures = Recogniser(read), Futures(read)
    draw = random.Random(name)
    for text in [*SEEDS[name], *(edited(draw, name) for _ in range(20))]:
        configurations = recogniser.start
        path = [configurations]
        for byte in text.encode():
            configurations = recogniser.step(configurations, byte)
            path.append(configurations)
        accepted = recogniser.may_end(configurations)
        assert not accepted or all(any(futures.alive(*x) for x in found) for found in path)
    assert len(futures.places) < 5000
