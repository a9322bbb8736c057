"""What no static machine says: keys and items that must differ, competing terminals, indentation.

There a lattice may say that it is not exact; what it must never do is to commit to a canvas that nothing completes.
"""

from __future__ import annotations

import random

import numpy as np
import pytest
from lattice_checks import check_commit, check_commits, check_fill, check_masks
from lattice_oracle import Truth, tokens_of
from lattice_worlds import HARD, World, canvas, log_probs, world
from sizes import size

import syntagma as sg

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(("family", "name"), HARD)
def test_no_committed_canvas_is_without_a_completion(family: str, name: str) -> None:
    """Joint commits and sequences of them: what could be filled can be filled after each."""
    of = world(family, name)
    draw = random.Random(name)
    feasible = 0
    for _ in range(size(8, plain=6)):
        slots = canvas(of, draw)
        feasible += check_commit(of, slots, draw)
        check_commits(of, slots, draw)
    assert feasible >= size(2, plain=1)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "name"), HARD)
def test_no_committed_canvas_of_very_many_is_without_a_completion(family: str, name: str) -> None:
    """The same, some hundred times in each language."""
    of = world(family, name)
    draw = random.Random(name * 2)
    for _ in range(size(80, plain=3)):
        slots = canvas(of, draw)
        check_commit(of, slots, draw)
        check_commits(of, slots, draw)
        decode(of, slots, draw)


@pytest.mark.parametrize(("family", "name"), HARD)
def test_decoding_by_masks_ends_in_a_text(family: str, name: str) -> None:
    """A decoder that takes any token of any mask, hole after hole, and whatever order it fills them in, ends in a member."""
    of = world(family, name)
    draw = random.Random(name)
    for _ in range(size(8, plain=6)):
        decode(of, canvas(of, draw, gaps=False), draw)


def decode(of: World, slots: list[object], draw: random.Random) -> None:
    """Fill the holes in a random order, one token of the mask each; where the mask is a relaxation, what is kept is checked."""
    truth = Truth(of, slots)
    with sg.Lattice(of.constraint, slots) as lattice:  # type: ignore[arg-type]
        if lattice.exact:
            assert lattice.feasible() == truth.feasible
        if not truth.feasible:
            assert lattice.commit([(slot, 0) for slot in truth.holes]) == []
            return
        for _ in range(4 * len(slots)):
            if not lattice.holes:
                break
            rows = lattice.masks()
            k = draw.randrange(len(lattice.holes))
            allowed = sorted(tokens_of(rows[k]))
            if not allowed:
                assert not lattice.exact
                break
            lattice.commit([(lattice.holes[k], draw.choice(allowed))])
            assert Truth(of, lattice.slots).feasible, lattice.slots


@pytest.mark.parametrize(("family", "name"), HARD)
def test_exactness_is_told_truthfully(family: str, name: str) -> None:
    """Where ``exact`` is said, feasibility, masks, slots and fills are those of trying every filling."""
    of = world(family, name)
    draw = random.Random(name * 3)
    for _ in range(size(6, plain=1)):
        slots = canvas(of, draw)
        check_masks(of, slots)
        holes = sum(isinstance(slot, sg.Hole) for slot in slots)
        check_fill(of, slots, log_probs(draw, holes, of.vocab.size))


def test_two_holes_for_two_keys_must_differ() -> None:
    """``{"<hole>": 1, "<hole>": 1}``: each name may be in either hole, and the same name in both is never kept."""
    of = world("registers", "free keys")
    tokens = of.vocab.tokens
    opening, first, comma, second, end = (tokens.index(t) for t in (b'{"', b'a":1', b',"', b'b":1', b"}"))
    slots = [opening, sg.HOLE, comma, sg.HOLE, end]
    with sg.Lattice(of.constraint, slots) as lattice:
        kept = lattice.commit([(1, first), (3, first)])
        assert len(kept) == 1
        if lattice.exact:
            assert first not in tokens_of(lattice.masks()[0])
        assert lattice.commit([(lattice.holes[0], second)]) == [(3 if kept == [(1, first)] else 1, second)]
        assert Truth(of, lattice.slots).feasible


def test_an_item_that_leaves_nothing_for_a_later_one_is_not_kept() -> None:
    """``[{1, 2}, 1]`` with different items: the first can only be 2."""
    of = world("registers", "what comes later must be left")
    tokens = of.vocab.tokens
    opened, comma, one, two, closed = (tokens.index(t) for t in (b"[", b",", b"1", b"2", b"]"))
    slots = [opened, sg.HOLE, comma, sg.HOLE, closed]
    with sg.Lattice(of.constraint, slots) as lattice:
        assert lattice.feasible()
        assert lattice.commit([(1, one)]) == []
        assert lattice.commit([(3, two)]) == []
        fill = lattice.best_fill(np.zeros((2, of.vocab.size)))
        assert fill is not None
        assert fill.tokens == [opened, two, comma, one, closed]


def test_a_fixed_duplicate_is_seen() -> None:
    """A canvas whose fixed tokens repeat a key cannot be filled, whatever the hole."""
    of = world("registers", "free keys")
    tokens = of.vocab.tokens
    opening, key, comma = (tokens.index(t) for t in (b'{"', b'a":1', b',"'))
    with sg.Lattice(of.constraint, [opening, key, comma, key, sg.HOLE]) as lattice:
        if lattice.exact:
            assert not lattice.feasible()
        assert lattice.commit([(4, tokens.index(b"}"))]) == []
        assert lattice.best_fill(np.zeros((1, of.vocab.size))) is None
