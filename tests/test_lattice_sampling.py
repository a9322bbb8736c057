"""Exact marginals and exact samples under the product of the holes' probabilities: against the sum over all fillings."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lattice_checks import check_marginals, check_samples, possible
from lattice_oracle import Truth
from lattice_worlds import HARD, PLAIN, World, canvas, log_probs, random_canvases, world
from sizes import size

import syntagma as sg

pytestmark = pytest.mark.kernel

WORLDS = [*PLAIN, *HARD]
RANDOM = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much])


def marginals(of: World, slots: list[object], draw: random.Random) -> bool:
    """One canvas under random log probabilities."""
    holes = sum(isinstance(slot, sg.Hole) for slot in slots)
    return check_marginals(of, slots, log_probs(draw, holes, of.vocab.size))


@pytest.mark.parametrize(("family", "name"), WORLDS)
def test_marginals_and_mass_are_exact(family: str, name: str) -> None:
    """To 1e-9, and the mass as well; where a machine cannot tell runs from texts, or a gap is open, a typed error."""
    of = world(family, name)
    draw = random.Random(name)
    assert sum(
        marginals(of, canvas(of, draw, gaps=draw.random() < 0.2), draw) for _ in range(size(12, plain=6))
    ) >= size(4, plain=1)


@given(data=st.data())
@settings(RANDOM, max_examples=size(40, plain=5))
def test_marginals_in_random_languages(data: st.DataObject) -> None:
    """The same for random patterns and grammars, many of them ambiguous."""
    for of, slots, draw in random_canvases(data, 4, gaps=False):
        marginals(of, slots, draw)


@pytest.mark.slow
@given(data=st.data())
@settings(RANDOM, max_examples=size(500, plain=30))
def test_marginals_in_very_many_random_languages(data: st.DataObject) -> None:
    """Thousands of canvases."""
    for of, slots, draw in random_canvases(data, 8, gaps=False):
        marginals(of, slots, draw)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "name"), WORLDS)
def test_marginals_of_very_many_canvases(family: str, name: str) -> None:
    """Some hundred canvases of each language."""
    of = world(family, name)
    draw = random.Random(name * 2)
    assert sum(marginals(of, canvas(of, draw, gaps=False), draw) for _ in range(size(100, plain=5))) >= size(
        30, plain=1
    )


def sampled(of: World, draw: random.Random, canvases_wanted: int, draws: int) -> int:
    """Chi-square tests on some canvases that have a filling; returns how many could be sampled."""
    done = 0
    for seed in range(100):
        slots = canvas(of, draw, gaps=False)
        truth = Truth(of, slots)
        weights = log_probs(draw, len(truth.holes), of.vocab.size)
        if len(truth.fillings) < 2 or not possible(truth, weights):
            continue
        if check_samples(of, slots, weights, seed, draws):
            done += 1
        if done == canvases_wanted:
            break
    return done


@pytest.mark.parametrize(
    ("family", "name"),
    [("regular", "pairs"), ("regular", "dates"), ("context-free", "brackets of two kinds"), ("schema", "lists of lists"), ("schema", "at most three")],
)  # fmt: skip
def test_samples_have_the_exact_joint_distribution(family: str, name: str) -> None:
    """Draws are as often each filling as its probability says."""
    assert sampled(world(family, name), random.Random(name), size(3, plain=1), size(1500, plain=100)) >= 1


@pytest.mark.slow
@pytest.mark.parametrize(("family", "name"), WORLDS)
def test_samples_of_every_language(family: str, name: str) -> None:
    """The same for each language, or a typed error."""
    sampled(world(family, name), random.Random(name * 2), size(3, plain=1), size(3000, plain=100))


def test_the_same_seed_draws_the_same() -> None:
    """A sample is a function of the generator's state; asking for marginals in between changes nothing."""
    of = world("regular", "pairs")
    slots = [sg.HOLE, sg.HOLE, sg.HOLE]
    weights = log_probs(random.Random(1), 3, of.vocab.size)
    with sg.Lattice(of.constraint, slots) as lattice, sg.Lattice(of.constraint, slots) as other:
        one, two = np.random.default_rng(7), np.random.default_rng(7)
        for _ in range(20):
            assert lattice.sample(weights, one) == other.sample(weights, two)
            other.log_marginals(weights)


def test_marginals_of_certain_tokens_are_certain() -> None:
    """Where one filling is left every marginal is 0 or minus infinity, however improbable the filling was."""
    of = world("regular", "nothing or one word")
    slots = [sg.HOLE, sg.Hole([1]), sg.HOLE]
    weights = np.full((3, of.vocab.size), -700.0)
    with sg.Lattice(of.constraint, slots) as lattice:
        found = lattice.log_marginals(weights)
        assert [int(np.argmax(row)) for row in found] == [0, 1, 2]
        assert np.allclose(found.max(axis=1), 0.0, atol=1e-9)
        assert np.isneginf(np.sort(found, axis=1)[:, :-1]).all()
        assert abs(lattice.log_mass(weights) + 2100.0) < 1e-9
