"""Rejection under a residual: a verdict is asked where it is drawn, and beyond that only where the weight is worth it.

The tokens of a step come in groups that share a verdict (``residuals.groups``).  A group is drawn by its mass.  If it is dead it is taken out, with
all that begins with its text, and what is left takes its place; a walk that has lost most of its mass goes on by Russian roulette, so that
dead ends are not searched to their end.  The first group that passes is the result.  Its weight needs the valid share of what was left;
the groups that pass for certain are part of it, and of the others nothing has to be known: a guess, the share of verdicts that passed so far, stands for them,
and with some probability one of them is asked and corrects it (a control variate).  Whatever the guess, the weight is right on average, and
where nearly everything passes nearly nothing is asked.

Let p be the masses, a the verdicts, S the valid mass, all relative to what was there at first.  ``E[w 1{x = g}] = p(g) a(g)``: if the first draw is valid
its weight has expectation S whichever it is, and that is ``p(g) S``; a dead draw y takes the mass d(y) with it, the weight's factor is ``1 - d(y)``, and by
induction that adds ``p(y) (1 - d(y)) p(g) / (1 - d(y))``; over all dead y that is ``(1 - S) p(g)``.  The recursion is that of ``rejection.recursive``; Russian
roulette is von Neumann's and Ulam's (Kahn and Harris 1951, "Estimation of Particle Transmission by Random Sampling").
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .rejection import NOTHING, Check, Drawn
from .residuals.groups import FREE
from .urn import Urn

if TYPE_CHECKING:
    import numpy.typing as npt

    from .contract import Mask
    from .law import Ids
    from .residuals.groups import Groups

    Numbers = npt.NDArray[np.int32]
    Flags = npt.NDArray[np.bool_]

ALIVE = 0
"""The index of what passes for certain."""

ROULETTE = 0.2
"""A walk with less of its mass goes on with that probability, as if it had so much."""


def grouped(
    urn: Urn,
    check: Check,
    extended: Callable[[int], slice],
    rng: np.random.Generator,
    *,
    first: int | None = None,
    passing: float,
    price: float,
) -> Drawn:
    """Draw a group that passes, and an unbiased weight.

    Args:
        urn: the masses of the groups; ``ALIVE`` is never asked.
        check: the verdict of a group.
        extended: the groups whose texts begin with that of a group, itself included: they die with it.
        rng: source of the draws.
        first: the group that was drawn first, where that is done.
        passing: the guess of the share that passes, in (0, 1]: what is thought impossible would never be asked.
        price: the relative variance of a weight that one verdict is worth; with 0 all are asked, and the weight is exact.

    Returns:
        The group and the log of its weight, relative to the mass that was there.

    """
    share = 1.0
    while urn.total > 0:
        whole = urn.total
        index = urn.draw(rng) if first is None else first
        first = None
        if index == ALIVE or check(index):
            weight = share * _valid_share(urn, index, check, extended, rng, passing, price)
            return (index, math.log(weight)) if weight > 0 else NOTHING
        urn.remove_all(extended(index))
        share *= urn.total / whole
        if price > 0 and share < ROULETTE:
            if not happens(share / ROULETTE, rng):
                return NOTHING
            share = ROULETTE
    return NOTHING


def happens(probability: float, rng: np.random.Generator) -> bool:
    """Whether something of that probability does."""
    return probability >= 1 or (probability > 0 and bool(rng.binomial(1, probability)))


def _valid_share(
    urn: Urn,
    index: int,
    check: Check,
    extended: Callable[[int], slice],
    rng: np.random.Generator,
    passing: float,
    price: float,
) -> float:
    """An unbiased estimate of the valid share of what an urn holds, one of whose groups is known to pass."""
    whole = urn.total
    alive = sum(urn.remove(known) for known in {ALIVE, index})
    doubt = math.sqrt(passing * (1 - passing))
    # A group for itself: asking it takes away its share of the variance.
    while urn.total > 0:
        largest = int(np.argmax(urn.weights))
        guess = alive + passing * urn.total
        if price > 0 and float(urn.weights[largest]) * doubt <= math.sqrt(price) * guess:
            break
        if check(largest):
            alive += urn.remove(largest)
        else:
            urn.remove_all(extended(largest))
    left = urn.total
    if left <= 0:
        return alive / whole
    # One for all that are left.  It is asked at least as often as keeps the weight from being negative.
    guess = alive + passing * left
    often = min(1.0, max(passing * left, doubt * left / math.sqrt(price)) / guess)
    if not happens(often, rng):
        return guess / whole
    return max(0.0, guess + (check(urn.draw(rng)) - passing) * left / often) / whole


class Waiting:
    """The tokens of a mask that have a verdict to wait for, and their groups: the same wherever the mask and the guards are.

    Attributes:
        guarded: int64[n], their indices in the urn of the mask, ascending.
        present: int32[m], their groups, ascending.
        place: int64[n], where in ``present`` the group of each is.

    """

    __slots__ = ("guarded", "place", "present")

    def __init__(self, urn: Urn, mask: Mask, groups: Groups) -> None:
        if urn.ids is None:
            ids = groups.guarded[: np.searchsorted(groups.guarded, min(len(urn.weights), 32 * len(mask)))]
            self.guarded = ids[mask[ids >> 5] >> (ids & 31).astype(np.uint32) & 1 > 0]
            of = groups.group[self.guarded]
        else:
            self.guarded = np.flatnonzero(groups.group[urn.ids] != FREE)
            of = groups.group[urn.ids[self.guarded]]
        self.present, self.place = np.unique(of, return_inverse=True)


class Grouping:
    """The groups of the tokens in an urn, and their masses: what is the same for all draws of a step.

    Attributes:
        waiting: the tokens that have a group.
        masses: float64[m], of each group.
        free: the mass of all other tokens.

    """

    __slots__ = ("free", "masses", "waiting")

    def __init__(self, urn: Urn, waiting: Waiting) -> None:
        self.waiting = waiting
        self.masses = np.bincount(waiting.place, urn.weights[waiting.guarded], len(waiting.present))
        self.free = _left_out(urn, waiting.guarded, float(self.masses.sum()))


class Kept:
    """What was said last of masks, for states with the same one: within a text most steps have it."""

    MOST = 1 << 20
    """Tokens in all that are kept, 16 bytes each."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[bytes, int, int], tuple[Groups, Waiting]] = OrderedDict()
        self._size = 0

    def waiting(self, urn: Urn, mask: Mask, groups: Groups) -> Waiting:
        """``Waiting(urn, mask, groups)``."""
        key = (
            mask.tobytes(),
            id(groups),
            len(urn.weights),
        )  # the groups are kept with it, so that no others have their number
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = groups, Waiting(urn, mask, groups)
            self._size += len(known[1].guarded) + len(mask)
            while self._size > self.MOST and len(self._known) > 1:
                _, (_, oldest) = self._known.popitem(last=False)
                self._size -= len(oldest.guarded) + len(mask)
        else:
            self._known.move_to_end(key)
        return known[1]


def draw(
    urn: Urn,
    grouping: Grouping,
    groups: Groups,
    known: Callable[[Numbers], tuple[Flags, Flags]],
    ask: Callable[[int], bool],
    rng: np.random.Generator,
    *,
    passing: float,
    price: float,
) -> Drawn:
    """Draw a token by way of its group.

    Args:
        urn: the weights of the tokens that the grammar allows; used up.
        grouping: of the urn.
        groups: of the vocabulary.
        known: says of ascending groups which are known to be alive, and which to be dead.
        ask: the verdict of a group.
        rng: source of the draws; the first one is by one uniform number over all tokens that are not known to be dead, ascending.
        passing: see ``grouped`` for this and the next.
        price: as there.

    Returns:
        An index of the urn, and the log of its weight, relative to the mass that was there.

    """
    waiting = grouping.waiting
    guarded, present, place = waiting.guarded, waiting.present, waiting.place
    if not len(guarded):
        return urn.draw(rng), 0.0
    alive, dead = known(present)
    masses = np.empty(1 + len(present))
    masses[1:] = grouping.masses
    masses[ALIVE] = grouping.free + grouping.masses[alive].sum()
    masses[1:][alive | dead] = 0.0
    kind = np.where(alive, ALIVE, np.arange(1, 1 + len(present)))[
        place
    ]  # the index in ``masses`` of each guarded token
    whole = float(urn.total)
    if dead.any():
        urn.remove_all(guarded[dead[place]])
    if urn.total <= 0:
        return NOTHING
    index = urn.draw(rng)
    at = int(np.searchsorted(guarded, index))
    first = int(kind[at]) if at < len(guarded) and guarded[at] == index else ALIVE

    def check(which: int) -> bool:
        return ask(int(present[which - 1]))

    def extended(which: int) -> slice:
        return slice(which, 1 + int(np.searchsorted(present, groups.ends[present[which - 1]])))

    batch = Urn(masses)
    left = batch.total
    which, log_weight = grouped(batch, check, extended, rng, first=first, passing=passing, price=price)
    if which is None:
        return NOTHING
    if which != first:
        urn.remove_all(guarded[kind != ALIVE] if which == ALIVE else _others(urn, guarded[kind == which]))
        index = urn.draw(rng)
    return index, log_weight + math.log(left / whole)


def _left_out(urn: Urn, indices: Ids, mass: float) -> float:
    """The mass of an urn without some indices, whose mass is given."""
    left = float(urn.total) - mass
    if left > 1e-9 * urn.total:
        return left
    weights = urn.weights.copy()  # all but nothing: a difference would be rounding
    weights[indices] = 0
    return float(weights.sum())


def _others(urn: Urn, indices: Ids) -> Flags:
    """All indices of an urn but some."""
    others = np.ones(len(urn.weights), np.bool_)
    others[indices] = False
    return others


class Rate:
    """The share of verdicts that passed, with one of each kind as the first two."""

    def __init__(self) -> None:
        self.passed, self.asked = 1.0, 2.0

    def note(self, *, passed: bool) -> None:
        """Count a verdict."""
        self.passed += passed
        self.asked += 1

    @property
    def share(self) -> float:
        """The share so far."""
        return self.passed / self.asked
