"""Joint commits: what is kept is the best that fits together, and a completion is always left."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lattice_checks import check_commit, check_commits, fixed, opened
from lattice_oracle import Truth
from lattice_recognisers import Pattern
from lattice_worlds import PLAIN, World, canvas, random_canvases, world
from sizes import size

import syntagma as sg
from syntagma.automata.lattice.commits import heaviest_first

pytestmark = pytest.mark.kernel

RANDOM = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much])


@pytest.mark.parametrize(("family", "name"), PLAIN)
def test_the_best_compatible_proposals_are_kept(family: str, name: str) -> None:
    """Of several proposals those of the greatest total weight that some filling has together; then all masks are new."""
    of = world(family, name)
    draw = random.Random(name)
    assert sum(check_commit(of, canvas(of, draw), draw) for _ in range(size(12, plain=6))) >= size(3, plain=1)


@pytest.mark.parametrize(("family", "name"), PLAIN)
def test_a_completion_is_left_after_every_commit(family: str, name: str) -> None:
    """Whatever is proposed, one commit after the other: what could be filled can be filled, until no hole is left."""
    of = world(family, name)
    draw = random.Random(name)
    assert sum(check_commits(of, canvas(of, draw), draw) for _ in range(size(5, plain=5))) >= 1


@given(data=st.data())
@settings(RANDOM, max_examples=size(30, plain=4))
def test_commits_on_random_languages(data: st.DataObject) -> None:
    """The same for random patterns and grammars."""
    for of, slots, draw in random_canvases(data, 3):
        check_commit(of, slots, draw)
        check_commits(of, slots, draw)


@pytest.mark.slow
@given(data=st.data())
@settings(RANDOM, max_examples=size(400, plain=30))
def test_commits_on_very_many_random_languages(data: st.DataObject) -> None:
    """Thousands of commits on random patterns and grammars."""
    for of, slots, draw in random_canvases(data, 6):
        check_commit(of, slots, draw)
        check_commits(of, slots, draw)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "name"), PLAIN)
def test_very_many_commits(family: str, name: str) -> None:
    """Some hundred joint commits, and sequences of them, in each language."""
    of = world(family, name)
    draw = random.Random(name * 2)
    for _ in range(size(60, plain=3)):
        slots = canvas(of, draw)
        check_commit(of, slots, draw)
        check_commits(of, slots, draw)


@pytest.mark.parametrize(("weights", "best"), [((1.0, 1.0, 1.5), 2.5), ((3.0, 1.0, 1.5), 4.5), ((2.0, 3.0, 1.0), 5.0)])
def test_any_two_may_fit_where_three_do_not(weights: tuple[float, ...], best: float) -> None:
    """An even number of letters in three tokens: single letters fit in any two slots, and not in all three."""
    of = World(sg.Regex("(aa)*"), [b"a", b"aa"], Pattern("(aa)*"), longest=3)
    with sg.Lattice(of.constraint, [sg.HOLE] * 3) as lattice:
        proposals = [(slot, 0) for slot in range(3)]
        kept = lattice.commit(proposals, weights)
        assert sum(w for p, w in zip(proposals, weights, strict=True) if p in kept) == best
        opened(lattice, Truth(of, lattice.slots))


def test_one_token_of_several_for_a_slot_is_kept() -> None:
    """Two proposals for a slot cannot both be kept; the heavier one is, unless it fits nowhere."""
    of = world("regular", "pairs")
    a, b, ab, aab = 0, 1, 2, 5
    with sg.Lattice(of.constraint, [sg.HOLE, sg.HOLE]) as lattice:
        assert lattice.commit([(0, a), (0, ab), (0, aab)], [1.0, 2.0, 9.0]) == [(0, ab)]
        assert lattice.slots == (ab, sg.HOLE)
        assert lattice.commit([(0, a)]) == [], "what is fixed stays"
        assert lattice.commit([(0, ab), (1, ab)]) == [(0, ab), (1, ab)], "what is fixed already is kept"
        assert lattice.commit([]) == []
        assert lattice.holes == []
        assert lattice.feasible()
    with sg.Lattice(of.constraint, [sg.HOLE, sg.HOLE]) as lattice:
        assert lattice.commit([(1, b), (1, a), (1, b)], [1.0, 1.5, 1.0]) == [(1, b), (1, b)], (
            "the same twice weighs twice"
        )


def test_nothing_is_kept_outside_of_what_a_hole_allows() -> None:
    """A proposal that the hole's list leaves out is never kept."""
    of = world("regular", "pairs")
    a, b, ab, ba = 0, 1, 2, 3
    with sg.Lattice(of.constraint, [sg.Hole([a, ab]), sg.HOLE]) as lattice:
        assert lattice.commit([(0, ba), (1, b)], [5.0, 1.0]) == [(1, b)]
        opened(lattice, Truth(of, fixed((sg.Hole([a, ab]), sg.HOLE), [(1, b)])))


def test_proposals_that_mean_nothing_are_refused() -> None:
    """A slot beyond the canvas, a gap, a token that there is not, a weight that is no positive number."""
    of = world("regular", "pairs")
    with sg.Lattice(of.constraint, [sg.HOLE, sg.Gap(0, 2)]) as lattice:
        for proposals in ([(2, 0)], [(-1, 0)], [(1, 0)], [(0, 99)], [(0, -1)]):
            with pytest.raises(sg.InvalidSource):
                lattice.commit(proposals)
        for weights in ([0.0], [-1.0], [float("nan")], [float("inf")], [1.0, 1.0], []):
            with pytest.raises(sg.InvalidSource):
                lattice.commit([(0, 0)], weights)
        assert lattice.slots == (sg.HOLE, sg.Gap(0, 2)), "a refused commit changes nothing"


def test_the_next_proposal_of_a_slot_has_its_turn() -> None:
    """Where the heaviest proposal of a slot does not fit, the next one of that slot is tried, and never two of one slot are kept."""
    bonus = {0: {1: 2.0, 9: 0.9}, 1: {4: 1.0, 5: 3.0}}
    assert heaviest_first(bonus, lambda chosen: chosen.get(0) != 1) == {0: 9, 1: 5}
    assert heaviest_first(bonus, lambda chosen: chosen.get(0) != 1 and len(chosen) < 2) == {1: 5}
    assert heaviest_first(bonus, lambda _: True) == {0: 1, 1: 5}
