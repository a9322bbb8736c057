"""A lattice beside the truth: each function takes one canvas, asserts all that it can, and says whether the canvas could be filled."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from lattice_oracle import Truth, World, tokens_of

import syntagma as sg

TOLERANCE = 1e-9


def has_gaps(slots: Sequence[Any]) -> bool:
    """Whether some slot is a gap that may hold a token."""
    return any(isinstance(slot, sg.Gap) and slot.most for slot in slots)


def opened(lattice: sg.Lattice, truth: Truth) -> None:
    """What a lattice says of a canvas that nobody has touched, or after commits; ``exact`` must not be claimed in vain."""
    if not lattice.exact:
        return
    assert lattice.feasible() == truth.feasible
    assert lattice.holes == truth.holes
    rows = lattice.masks()
    assert rows.dtype == np.uint32
    assert rows.shape == (len(truth.holes), truth.world.vocab.words)
    assert [tokens_of(row) for row in rows] == truth.masks


def check_masks(world: World, slots: Sequence[Any]) -> bool:
    """Feasibility, masks, and the least number of slots."""
    truth = Truth(world, slots)
    with sg.Lattice(world.constraint, slots) as lattice:
        opened(lattice, truth)
        if lattice.exact:
            assert lattice.min_slots() == truth.min_slots
    return truth.feasible


def check_classes(world: World, slots: Sequence[Any]) -> bool:
    """Masks by class say the same as masks by token."""
    truth = Truth(world, slots)
    with sg.Lattice(world.constraint, slots) as lattice:
        if lattice.exact:
            rows, class_of = lattice.class_masks()
            assert class_of.shape == (world.vocab.size,)
            assert len(rows) == len(truth.holes)
            for row, hole, mask in zip(rows, truth.holes, truth.masks, strict=True):
                found = {t for t in range(world.vocab.size) if row[class_of[t] >> 5] >> (class_of[t] & 31) & 1}
                among = truth.slots[hole].allowed  # a class may be allowed for one of its tokens
                assert (found if among is None else found & among) == mask
    return truth.feasible


def proposed(truth: Truth, draw: random.Random, most: int = 5) -> list[tuple[int, int]]:
    """Tokens for slots that are no gaps: of one filling, each possible by itself, or any; several for a slot, too."""
    slots = [i for i, slot in enumerate(truth.slots) if not isinstance(slot, sg.Gap)]
    if not slots:
        return []
    found = []
    one = draw.choice(truth.fillings) if truth.fillings else None
    for _ in range(draw.randint(1, most)):
        slot = draw.choice(truth.holes if truth.holes and draw.random() < 0.9 else slots)
        token = draw.randrange(truth.world.vocab.size)
        if one is not None and draw.random() < 0.85:
            token = (one if draw.random() < 0.4 else draw.choice(truth.fillings))[slot][0]
        found.append((slot, token))
    return found


def fixed(slots: Sequence[Any], kept: Sequence[tuple[int, int]]) -> tuple[Any, ...]:
    """The canvas with some tokens in it."""
    tokens = dict(kept)
    return tuple(tokens.get(i, slot) for i, slot in enumerate(slots))


def commit_once(lattice: sg.Lattice, truth: Truth, draw: random.Random, most: int = 5) -> Truth:
    """One joint commit; returns the truth about what the canvas is then."""
    proposals = proposed(truth, draw, most)
    weights = None
    if draw.random() < 0.6:
        weights = [
            draw.choice((0.25, 1.0, 2.0, 3.5)) if draw.random() < 0.5 else draw.random() + 0.01 for _ in proposals
        ]
    kept = lattice.commit(proposals, weights) if weights is not None else lattice.commit(proposals)
    if not truth.feasible:
        assert kept == [], "nothing can be kept where nothing fits"
        assert lattice.slots == truth.slots
        return truth
    rest = iter(proposals)
    assert all(proposal in rest for proposal in kept), (proposals, kept, "what is kept is proposals, in their order")
    after = Truth(truth.world, fixed(truth.slots, kept))
    assert lattice.slots == after.slots
    assert truth.compatible(kept), (proposals, weights, kept)
    assert after.feasible, (proposals, weights, kept)
    if lattice.exact:
        worth = dict.fromkeys(proposals, 0.0)
        for proposal, weight in zip(proposals, weights or [1.0] * len(proposals), strict=True):
            worth[proposal] += weight
        best = truth.best_subset([(slot, token, w) for (slot, token), w in worth.items()])
        got = sum(worth[p] for p in set(kept))
        assert math.isclose(got, best, abs_tol=TOLERANCE), (proposals, weights, kept, got, best)
        assert all(kept.count(p) == proposals.count(p) for p in set(kept)), (proposals, kept)
    return after


def check_commit(world: World, slots: Sequence[Any], draw: random.Random) -> bool:
    """One joint commit keeps the best compatible proposals, and all answers are those of the new canvas."""
    truth = Truth(world, slots)
    with sg.Lattice(world.constraint, slots) as lattice:
        if draw.random() < 0.5:
            lattice.masks()  # a commit must not see what was computed before it
        after = commit_once(lattice, truth, draw)
        opened(lattice, after)
    return truth.feasible


def check_commits(world: World, slots: Sequence[Any], draw: random.Random) -> bool:
    """Commit after commit, possible and impossible proposals mixed: a completion is always left, to the last hole."""
    truth = Truth(world, slots)
    feasible = truth.feasible
    with sg.Lattice(world.constraint, slots) as lattice:
        for _ in range(12):
            if not truth.holes:
                break
            if draw.random() < 0.6 and lattice.feasible():  # what a decoder does: a token that the mask allows
                k = draw.randrange(len(truth.holes))
                allowed = tokens_of(lattice.masks()[k])
                if lattice.exact:
                    assert allowed, "a canvas that can be filled has a token for every hole"
                if allowed:
                    proposal = (truth.holes[k], draw.choice(sorted(allowed)))
                    kept = lattice.commit([proposal])
                    if lattice.exact:
                        assert kept == [proposal]
                    truth = Truth(world, fixed(truth.slots, kept))
            else:
                truth = commit_once(lattice, truth, draw, 3)
            assert truth.feasible == feasible
            opened(lattice, truth)
    return feasible


def possible(truth: Truth, log_probs: np.ndarray) -> bool:
    """Whether some filling has a probability at all."""
    return truth.best(log_probs) > -math.inf


def check_fill(world: World, slots: Sequence[Any], log_probs: np.ndarray) -> bool:
    """The most probable filling has the value that trying all of them finds, and is one of them."""
    truth = Truth(world, slots)
    with sg.Lattice(world.constraint, slots) as lattice:
        try:
            fill = lattice.best_fill(log_probs)
        except sg.Unsupported:
            assert has_gaps(slots)
            return truth.feasible
        if fill is None:
            assert not lattice.exact or not possible(truth, log_probs)
            return truth.feasible
        assert possible(truth, log_probs), fill
        weighed = zip(truth.fillings, truth.values(log_probs), strict=True)
        values = [value for filling, value in weighed if [t for part in filling for t in part] == fill.tokens]
        assert values, (fill, "no filling of the canvas is this")
        assert any(math.isclose(fill.log_prob, value, abs_tol=TOLERANCE) for value in values), (fill, values)
        if lattice.exact:
            best = truth.best(log_probs)
            assert math.isclose(fill.log_prob, best, abs_tol=TOLERANCE), (fill, best)
        assert lattice.slots == tuple(slots), "asking changes nothing"
    return truth.feasible


def check_marginals(world: World, slots: Sequence[Any], log_probs: np.ndarray) -> bool:
    """Marginals and mass to 1e-9, or a typed error that gives a reason."""
    truth = Truth(world, slots)
    with sg.Lattice(world.constraint, slots) as lattice:
        reason = None
        try:
            marginals = lattice.log_marginals(log_probs)
            mass = lattice.log_mass(log_probs)
        except sg.Unsupported as error:
            reason = str(error)
        if reason is not None:
            assert has_gaps(slots) or "ambiguous" in reason or not lattice.exact, reason
            for method in (lattice.log_marginals, lattice.log_mass):  # drawing may do without, by rejection
                with pytest.raises(sg.Unsupported):
                    method(log_probs)
            return truth.feasible
        assert not has_gaps(slots), "a gap has no probability of its own"
        assert marginals.dtype == np.float64
        assert marginals.shape == log_probs.shape
        if not possible(truth, log_probs):
            assert np.isneginf(marginals).all()
            assert mass == -math.inf
            assert lattice.sample(log_probs, np.random.default_rng(0)) is None
            return truth.feasible
        want = truth.log_marginals(log_probs)
        assert np.array_equal(np.isneginf(marginals), np.isneginf(want))
        finite = ~np.isneginf(want)
        assert np.abs(marginals[finite] - want[finite]).max(initial=0.0) < TOLERANCE
        assert math.isclose(mass, truth.log_z(log_probs), abs_tol=TOLERANCE)
    return truth.feasible


def check_samples(world: World, slots: Sequence[Any], log_probs: np.ndarray, seed: int, draws: int) -> bool:
    """Draws have the exact joint distribution, as far as a chi-square test can tell; True if the lattice can sample here."""
    truth = Truth(world, slots)
    single = [slot for slot in slots if not isinstance(slot, sg.Gap)]  # gaps of nothing
    places = [i for i, slot in enumerate(single) if isinstance(slot, sg.Hole)]
    with sg.Lattice(world.constraint, slots) as lattice:
        rng = np.random.default_rng(seed)
        with suppress(sg.Unsupported):
            seen: Counter[tuple[int, ...]] = Counter()
            for _ in range(draws):
                fill = lattice.sample(log_probs, rng)
                assert fill is not None
                chosen = tuple(fill.tokens[i] for i in places)
                assert all(isinstance(s, sg.Hole) or s == t for s, t in zip(single, fill.tokens, strict=True))
                value = sum(log_probs[k, t] for k, t in enumerate(chosen))
                assert math.isclose(fill.log_prob, value, abs_tol=TOLERANCE)
                seen[chosen] += 1
            assert chi_square(seen, truth.joint(log_probs), draws) < LIMIT
            return True
    return False


LIMIT = 5.0
"""Standard deviations; seeds are fixed, so a draw beyond this is a mistake and no bad luck."""


def chi_square(seen: Counter[tuple[int, ...]], joint: dict[tuple[int, ...], float], draws: int) -> float:
    """How far draws are from a distribution, as a deviate of the normal one (Wilson and Hilferty 1931).

    Cells that are expected fewer than five times are put together.
    """
    assert seen.keys() <= joint.keys(), "what cannot be was drawn"
    cells: list[tuple[float, int]] = []
    expected, count = 0.0, 0
    for tokens, probability in sorted(joint.items(), key=lambda item: item[1]):
        expected += probability * draws
        count += seen[tokens]
        if expected >= 5:
            cells.append((expected, count))
            expected, count = 0.0, 0
    if expected:  # the last cell is the greatest: what is left of small ones goes there
        last = cells.pop() if cells else (0.0, 0)
        cells.append((last[0] + expected, last[1] + count))
    freedom = len(cells) - 1
    if freedom == 0:
        return 0.0
    statistic = sum((n - e) ** 2 / e for e, n in cells)
    return float(((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom)))
