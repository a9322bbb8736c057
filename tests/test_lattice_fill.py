"""The most probable filling, and the least number of slots: against trying every filling."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lattice_checks import check_fill
from lattice_oracle import Truth
from lattice_worlds import HARD, PLAIN, World, canvas, log_probs, random_canvases, world
from sizes import size

import syntagma as sg

pytestmark = pytest.mark.kernel

WORLDS = [*PLAIN, *HARD]
RANDOM = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much])


def fill(of: World, slots: list[object], draw: random.Random) -> bool:
    """One canvas under random log probabilities."""
    holes = sum(isinstance(slot, sg.Hole) for slot in slots)
    return check_fill(of, slots, log_probs(draw, holes, of.vocab.size))


@pytest.mark.parametrize(("family", "name"), WORLDS)
def test_the_most_probable_filling_is_found(family: str, name: str) -> None:
    """No filling has a greater sum of log probabilities, ties and impossible tokens included."""
    of = world(family, name)
    draw = random.Random(name)
    assert sum(fill(of, canvas(of, draw, gaps=draw.random() < 0.2), draw) for _ in range(size(12, plain=6))) >= size(
        4, plain=1
    )


@given(data=st.data())
@settings(RANDOM, max_examples=size(40, plain=5))
def test_the_most_probable_filling_in_random_languages(data: st.DataObject) -> None:
    """The same for random patterns and grammars."""
    for of, slots, draw in random_canvases(data, 4, gaps=False):
        fill(of, slots, draw)


@pytest.mark.slow
@given(data=st.data())
@settings(RANDOM, max_examples=size(500, plain=30))
def test_the_most_probable_filling_in_very_many_random_languages(data: st.DataObject) -> None:
    """Thousands of canvases."""
    for of, slots, draw in random_canvases(data, 8, gaps=False):
        fill(of, slots, draw)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "name"), WORLDS)
def test_the_most_probable_filling_of_very_many_canvases(family: str, name: str) -> None:
    """Some hundred canvases of each language."""
    of = world(family, name)
    draw = random.Random(name * 2)
    assert sum(fill(of, canvas(of, draw, gaps=False), draw) for _ in range(size(120, plain=5))) >= size(40, plain=1)


def test_single_precision_is_as_good_as_its_numbers() -> None:
    """Logits of float32 give the filling that their values in float64 give."""
    of = world("schema", "at most three")
    draw = random.Random(3)
    for _ in range(20):
        slots = canvas(of, draw, gaps=False)
        holes = sum(isinstance(slot, sg.Hole) for slot in slots)
        logits = np.random.default_rng(draw.getrandbits(32)).normal(0, 3, (holes, of.vocab.size)).astype(np.float32)
        truth = Truth(of, slots)
        with sg.Lattice(of.constraint, slots) as lattice:
            found = lattice.best_fill(logits)
            assert (found is None) == (not truth.feasible)
            if found is not None:
                assert truth.accepts(found.tokens)
                assert abs(found.log_prob - truth.best(logits.astype(np.float64))) < 1e-4


@pytest.mark.parametrize("shape", [(1, 10), (3, 10), (2, 9), (2, 11), (20,)])
def test_log_probabilities_have_a_row_for_each_hole(shape: tuple[int, ...]) -> None:
    """Another shape, a number that is none, or infinity is refused."""
    of = world("regular", "pairs")  # ten ids
    with sg.Lattice(of.constraint, [sg.HOLE, 0, sg.HOLE]) as lattice:
        for method in (lattice.best_fill, lattice.log_marginals, lattice.log_mass):
            with pytest.raises(sg.InvalidSource):
                method(np.zeros(shape))
            for value in (np.nan, np.inf):
                with pytest.raises(sg.InvalidSource):
                    method(np.full((2, 10), value))


@pytest.mark.parametrize(
    ("slots", "least"),
    [
        ([sg.Gap(0, 4)], 0),
        ([0, sg.Gap(0, 4)], 2),  # a, then what turns it to pairs
        ([0, sg.Gap(2, 4)], 3),
        ([0, sg.Gap(0, 1), 0, sg.Gap(0, 2)], 4),  # a b a b
        ([0, 0, 0, sg.Gap(0, 2)], None),
        ([sg.HOLE, sg.HOLE, sg.Gap(1, 2)], 3),
    ],
)
def test_the_least_number_of_slots(slots: list[object], least: int | None) -> None:
    """Gaps are as short as some filling lets all of them be; None where there is no filling."""
    of = world("regular", "pairs")
    assert Truth(of, slots).min_slots == least
    with sg.Lattice(of.constraint, slots) as lattice:  # type: ignore[arg-type]
        assert lattice.min_slots() == least
