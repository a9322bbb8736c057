"""Large canvases of constraints whose keys must differ, made large by taking away the engine that follows states one by one."""

from __future__ import annotations

from math import inf, log

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sizes import size
from test_lattice_witness import EOS, TOKENS, world

import syntagma as sg
import syntagma.automata.lattice as package
from syntagma.automata.lattice.layered import LayeredEngine
from syntagma.automata.lattice.slots import Slot, unroll
from syntagma.grammar.errors import LimitExceeded, Unsupported

TEXT = [TOKENS.index(t) for t in (b"{", b'"', b"a", b'":1', b',"', b"b", b'":1', b"}")]


@pytest.fixture(autouse=True)
def nothing_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No canvas is small enough for its states to be followed."""
    monkeypatch.setattr(package, "MOST_FOLLOWED", 0)


@st.composite
def canvases(draw: st.DrawFn) -> list[Slot]:
    """A text with two keys, of which up to five tokens are open: what follows states one by one has them all then."""
    opened = draw(st.sets(st.integers(0, len(TEXT) - 1), max_size=5))
    return [sg.HOLE if i in opened else t for i, t in enumerate(TEXT)]


def truth(slots: list[Slot]) -> LayeredEngine:
    """What the constraint itself says."""
    constraint, _ = world()
    return LayeredEngine(constraint, unroll(slots, constraint.vocab.size), max_layer=100_000)


RELAXED = settings(
    max_examples=size(25, plain=5), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@RELAXED
@given(canvases(), st.integers(0, 99))
def test_a_best_filling_is_one_of_the_constraint(slots: list[Slot], seed: int) -> None:
    """It is accepted, its value is that of its tokens, and none that the constraint has is better unless a token was struck out."""
    constraint, _ = world()
    rows = np.random.default_rng(seed).normal(0, 2, (slots.count(sg.HOLE), constraint.vocab.size))
    exact = truth(slots)
    best = exact.best(exact.weighted(rows))
    with sg.Lattice(constraint, slots) as lattice:
        assert not lattice.exact
        try:
            found = lattice.best_fill(rows)
        except LimitExceeded:
            return
        assert best is not None
        assert found is not None
        assert found.log_prob <= best[1] + 1e-9
        assert constraint.accepts([t for t in found.tokens if t != EOS])
        holes = [t for t, slot in zip(found.tokens, slots, strict=True) if slot == sg.HOLE]
        assert found.log_prob == pytest.approx(sum(rows[np.arange(len(holes)), holes]), abs=1e-9)
    exact.close()


@RELAXED
@given(st.data(), canvases())
def test_a_committed_canvas_has_a_completion(data: st.DataObject, slots: list[Slot]) -> None:
    """However often tokens are committed, the constraint itself can fill the rest."""
    constraint, _ = world()
    assume(sg.HOLE in slots)
    with sg.Lattice(constraint, slots) as lattice:
        for _ in range(3):
            holes = lattice.holes
            if not holes:
                break
            proposal = st.tuples(st.sampled_from(holes), st.integers(0, EOS))
            proposals = data.draw(st.lists(proposal, min_size=1, max_size=4, unique=True))
            try:
                kept = lattice.commit(proposals, [1.0 + i for i in range(len(proposals))])
            except LimitExceeded:
                continue
            assert set(kept) <= set(proposals)
            assert all(lattice.slots[slot] == token for slot, token in kept)
            after = truth(list(lattice.slots))
            assert after.feasible()
            after.close()


def test_samples_are_exact_although_keys_must_differ() -> None:
    """Fillings that repeat a key are drawn again: a chi-square test at the 99.9th percentile, fixed seed."""
    constraint, _ = world()
    slots: list[Slot] = list(TEXT)
    slots[2] = slots[5] = sg.HOLE
    keys = [TOKENS.index(t) for t in (b"a", b"b", b"ab")]
    rows = np.full((2, constraint.vocab.size), -inf)
    rows[:, keys] = np.log([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1]])
    n = size(300, plain=60)
    rng = np.random.default_rng(11)
    counts: dict[tuple[int, int], int] = {}
    with sg.Lattice(constraint, slots) as lattice:
        one = lattice.sample(rows, rng)
        assert one is not None
        for drawn in [one, *lattice.samples(rows, rng, n - 1)]:
            pair = (drawn.tokens[2], drawn.tokens[5])
            counts[pair] = counts.get(pair, 0) + 1
            assert drawn.log_prob == pytest.approx(rows[0, pair[0]] + rows[1, pair[1]])
    weights = {(x, y): float(np.exp(rows[0, x] + rows[1, y])) for x in keys for y in keys if x != y}
    total = sum(weights.values())
    assert set(counts) <= set(weights)
    statistic = sum((counts.get(p, 0) - n * w / total) ** 2 / (n * w / total) for p, w in weights.items())
    assert statistic < 20.5  # the quantile for five degrees of freedom


def test_sums_are_refused_and_lengths_are_true() -> None:
    """There is no relaxed mass; the fewest slots are those of a filling that was checked."""
    constraint, _ = world()
    slots: list[Slot] = [TEXT[0], sg.HOLE, sg.Gap(0, 5), TEXT[7]]
    with sg.Lattice(constraint, slots) as lattice:
        assert lattice.min_slots() == 4  # the empty key
    rows = np.full((1, constraint.vocab.size), log(0.5))
    with sg.Lattice(constraint, [*TEXT[:5], sg.HOLE, *TEXT[6:]]) as lattice:
        for question in (lattice.log_mass, lattice.log_marginals):
            with pytest.raises(Unsupported, match="registers"):
                question(rows)
