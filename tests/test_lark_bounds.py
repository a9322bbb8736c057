"""Bounds of parsers where not all that the grammar derives is parsed: conflicts that Lark resolved, and lexemes that cannot follow one another."""

from __future__ import annotations

import random

import lark
import lark_random
import numpy as np
import pytest
from lark_seeds import SEEDS, build
from sizes import size

import syntagma as sg
from syntagma.automata.bounds.lookaheads import is_free_of_conflicts
from syntagma.automata.bounds.search import Completions
from syntagma.automata.bounds.summaries import Summaries
from syntagma.grammar.lark.liveness import _conflicts
from syntagma.grammar.lark.reading import read

pytestmark = pytest.mark.kernel

FEW = sg.Vocabulary([*(bytes([b]) for b in range(128)), b"ab", b"bc", b"ca", b"a\n", None], eos_ids=[132])


def falls(constraint: sg.Constraint, text: bytes, draw: random.Random) -> None:
    """From every prefix of a text some token lowers the bound, down to 0 in as many tokens as it says at most."""
    for end in range(len(text) + 1):
        with constraint.session() as session:
            state = session.advance_bytes(session.start, text[:end])
            assert state, text[:end]
            bound = session.finish_bound(state)
            while bound:
                row = np.unpackbits(session.mask(state, budget=bound).view(np.uint8), bitorder="little")
                tokens = np.flatnonzero(row).tolist()
                assert tokens, (text[:end], bound)
                state = session.advance(state, draw.choice(tokens))
                before, bound = bound, session.finish_bound(state)
                assert bound < before, (text[:end], before)
            assert session.is_accepting(state)


def test_a_conflict_resolved_for_shift() -> None:
    """What a rule could be reduced by but never is, since Lark shifts there, is no way to finish: behind cab, y may not be empty before A."""
    grammar = 'start: C | y y x\nx: B C | A A* | A\ny: B* | x B |\nA: "a"\nB: "cab"\nC: "Baa"\n'
    constraint = sg.compile(sg.Lark(grammar), FEW)
    assert constraint.report is not None
    assert constraint.report.live
    assert (
        constraint.finish_bound(constraint.advance_bytes(constraint.start, b"cab")) == 5
    )  # aa, aaa, aaaa are no texts behind it
    falls(constraint, b"cabcaba", random.Random(0))


def test_a_dangling_else() -> None:
    """The bound of an open condition is what its shortest branch takes, though an else could belong to two of them."""
    grammar = 'start: s\ns: "i" s | "i" s "e" s | "x"\n'
    constraint = sg.compile(sg.Lark(grammar), FEW)
    assert constraint.finish_bound(constraint.advance_bytes(constraint.start, b"iixe")) == 1
    falls(constraint, b"iixeixex", random.Random(1))


def test_lexemes_that_cannot_follow_one_another() -> None:
    """A terminal is no way to finish behind a lexeme that it would only prolong: of two names the second one is quoted."""
    grammar = "start: NAME x \".\"\nx: NAME | QUOTED\nNAME: /[a-z]+/\nQUOTED: /'[a-z]*'/\n"
    constraint = sg.compile(sg.Lark(grammar), FEW)
    assert constraint.report is not None
    assert constraint.report.live
    assert constraint.finish_bound(constraint.advance_bytes(constraint.start, b"a")) == 3
    assert constraint.finish_bound(constraint.start) == 4
    falls(constraint, b"ab'cd'.", random.Random(2))


@pytest.mark.parametrize("seed", [24, 49, *range(100, size(106, plain=101))])
def test_bounds_fall_for_random_grammars(seed: int) -> None:
    """Along walks through a random grammar that is proved free of traps, any token that a budget of just the bound allows lowers the bound."""
    draw = random.Random(seed)
    built, constraint = None, None
    while constraint is None or constraint.report is None or not constraint.report.live:
        try:
            built = lark.Lark(lark_random.grammar(draw), parser="lalr")
            constraint = sg.compile(sg.Lark(built), FEW)
        except (lark.exceptions.LarkError, sg.SyntagmaError):
            continue
    for _ in range(size(4, plain=1)):
        state, text = constraint.start, b""
        for _ in range(6):
            row = np.flatnonzero(np.unpackbits(constraint.mask(state).view(np.uint8), bitorder="little"))
            choices = [t for t in row.tolist() if chr(t) in lark_random.ALPHABET]
            if not choices:
                break
            token = draw.choice(choices)
            state, text = constraint.advance(state, token), text + bytes([token])
        falls(constraint, text, draw)


@pytest.mark.parametrize("name", [name for name in SEEDS if name in {"c", "json", "lark", "sql"}])
def test_conflicts_of_real_grammars(name: str) -> None:
    """A table is said to be free of conflicts iff Lark's own analysis finds none that it resolved against a rule which is reduced elsewhere."""
    built = build(name)
    lalr = read(built).lalr
    assert is_free_of_conflicts(lalr) == set(lalr.rules).isdisjoint(x.pointer for x in _conflicts(built))


def test_conflicts_of_random_grammars() -> None:
    """The same for random grammars, of which a good part have some."""
    draw = random.Random(3)
    seen = []
    while len(seen) < 60:
        try:
            built = lark.Lark(lark_random.grammar(draw), parser="lalr")
            lalr = read(built).lalr
        except (lark.exceptions.LarkError, sg.SyntagmaError):
            continue
        seen.append(is_free_of_conflicts(lalr))
        assert seen[-1] == set(lalr.rules).isdisjoint(x.pointer for x in _conflicts(built))
    assert seen.count(False) > 4


@pytest.mark.parametrize("seed", [341, *range(size(12, plain=2))])
def test_exact_costs_of_random_tables(seed: int) -> None:
    """What summaries of the table say is what a search over terminals finds, of every stack that it does not take too long for; seed 341 has such ones."""
    draw = random.Random(seed)
    constraint = None
    while constraint is None:
        try:
            constraint = sg.compile(sg.Lark(lark.Lark(lark_random.grammar(draw), parser="lalr")), FEW)
        except (lark.exceptions.LarkError, sg.SyntagmaError):
            continue
    for text in ("..B..B..B",) if seed == 341 else ("".join(draw.choices("abcB.", k=6)) for _ in range(20)):
        for end in range(len(text) + 1):
            constraint.finish_bound(constraint.advance_bytes(constraint.start, text[:end].encode()))
    costs = list(constraint.store.bounds._parsed._costs.values())[-1]
    exact = Summaries(costs._lalr, costs._lexemes.at_worst, lambda cell: costs._cells[cell][:2])
    stacks = [cell for cell in range(2, len(costs._cells)) if costs._lexer_of[costs._cells[cell][0]] >= 0]
    hard = 0
    for cell in stacks[: size(40, plain=10)]:
        searched = Completions(costs._steps, costs._by_items, lambda _: None).of(
            cell
        )  # another one's failures would count
        hard += searched is None and exact.of(cell) is not None
        assert searched in {None, exact.of(cell)}
    assert (hard > 0) == (seed == 341)


def test_a_bound_that_no_search_finds() -> None:
    """Where cheap terminals lead nowhere, however many are read, the bound is found from the table, and leads to an end."""
    draw = random.Random(341)
    while True:
        try:
            constraint = sg.compile(sg.Lark(lark.Lark(lark_random.grammar(draw), parser="lalr")), FEW)
        except (lark.exceptions.LarkError, sg.SyntagmaError):
            continue
        break
    bound = constraint.finish_bound(constraint.advance_bytes(constraint.start, b"..B..B..B"))
    assert 40 < bound < 80
    falls(constraint, b"..B..B..B", draw)


@pytest.mark.parametrize("seed", range(20))
def test_least_completions_of_random_graphs(seed: int) -> None:
    """A search finds least costs whatever was asked before, with estimates that are too low at will, and says so where there is no way."""
    draw = random.Random(seed)
    n = 12
    steps = {k: [(draw.randint(1, 6), draw.randrange(n)) for _ in range(draw.randint(0, 3))] for k in range(1, n)}
    least = {0: 0}
    for _ in range(n):
        for k, ways in steps.items():
            costs = [cost + least[x] for cost, x in ways if x in least]
            if costs:
                least[k] = min(costs)
    found = Completions(
        steps.__getitem__, lambda k: draw.randint(0, least[k]) if k in least else draw.randint(0, 9), least.get
    )
    for k in draw.sample(range(1, n), n - 1):
        assert found.of(k) == least.get(k)
