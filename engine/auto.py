"""A sampler that takes for each step what has been cheapest: a mask, a check, or rejection."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from ..grammar.errors import InvalidSource
from .law import Logits, as_row
from .sampler import AWRS, CheckFirst, MaskSampler, Sample

if TYPE_CHECKING:
    import numpy as np

    from .contract import States
    from .urn import Floats


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds that the parts of a step take; given to ``AutoSampler`` they are fixed, else it measures them.

    Attributes:
        check: a draw from the model's own law, and one check of the automaton.
        mask: the mask of a state that was not asked for before, and a draw.
        known_mask: the same for a state that was.

    """

    check: float
    mask: float
    known_mask: float


class AutoSampler:
    """Choose for each step what is cheapest: the mask, one check first, or rejection.

    With weights the mask is taken, because its weight has no variance, unless a mask costs more than ``budget_seconds``; then
    AWRS is used.  Without weights one check goes first where ``check + (1 - hit) mask < mask``, hit being the share of tokens that
    passed so far.  A state whose mask was taken before has it in the store, so its cost is that of a copy.

    The choice depends on the state and on the past alone, never on the token, so each step has the law of ``MaskSampler`` in every
    case.  Measured costs make the *draws* differ between runs of one seed; with given ``costs`` they do not.

    Args:
        constraint: a constraint, a session, or a pairing with a residual.
        weighted: whether a weight is returned, as SMC needs; a greedy law has none.
        temperature: of the law.
        costs: fixed costs instead of measured ones.
        budget_seconds: what a mask may cost before its weight is estimated.

    """

    KNOWN = 1 << 14
    """States that are remembered."""

    SMOOTHING = 0.1
    """Share of the newest measurement in a running mean: some ten steps of memory."""

    OUTLIER = 10.0
    """A measurement counts at most as so many means: a first call may compile kernels, and a process may be put to sleep."""

    def __init__(
        self,
        constraint: States,
        *,
        weighted: bool = True,
        temperature: float = 1.0,
        costs: Costs | None = None,
        budget_seconds: float = 0.01,
    ) -> None:
        if weighted and temperature == 0:
            raise InvalidSource("a greedy law has no weights", where="temperature", hint="pass weighted=False")
        self.states = constraint
        self.weighted = weighted
        self._mask = MaskSampler(constraint, temperature=temperature)
        self._first = CheckFirst(constraint, temperature=temperature)
        self._rejection = None if temperature == 0 else AWRS(constraint, form="geometric", temperature=temperature)
        self._fixed = costs is not None
        self._costs = [costs.check, costs.mask, costs.known_mask] if costs else [2e-6, 5e-5, 5e-6]
        self._budget_seconds = budget_seconds
        self._hit = 0.9
        self._known: OrderedDict[int, None] = OrderedDict()

    @property
    def costs(self) -> Costs:
        """The costs as they stand."""
        return Costs(*self._costs)

    def choice(self, state: int) -> str:
        """``mask``, ``check-first`` or ``awrs``: what the next step at a state will use."""
        check, mask, known = self._costs
        cost = known if state in self._known else mask
        if self.weighted:
            return "awrs" if cost > self._budget_seconds else "mask"
        return "check-first" if check + (1 - self._hit) * cost < cost else "mask"

    def sample(self, logits: Logits, state: int, rng: np.random.Generator, *, budget: int | None = None) -> Sample:
        """Draw a token after ``state``, with a log weight if the sampler is weighted."""
        choice = self.choice(state)
        row = as_row(logits)
        if choice == "awrs" and self._rejection is not None:
            if not self._fixed:  # what is not measured is forgotten, so that a mask is tried again
                self._costs[1:] = [0.98 * cost for cost in self._costs[1:]]
            return self._rejection.sample(row, state, rng, budget=budget)
        if choice == "check-first":
            began = perf_counter()
            token = self._first.attempt(row, state, rng, budget=budget)
            self._measure(0, perf_counter() - began)
            self._hit += self.SMOOTHING * ((token is not None) - self._hit)
            if token is not None:
                return token, None
        which = 2 if state in self._known else 1
        self._remember(state)
        began = perf_counter()
        token, log_weight = self._drawn_by_mask(row, state, rng, budget)
        self._measure(which, perf_counter() - began)
        return token, log_weight

    def _drawn_by_mask(self, row: Floats, state: int, rng: np.random.Generator, budget: int | None) -> Sample:
        if self.weighted:
            return self._mask.sample(row, state, rng, budget=budget)
        return self._mask.law.choose(row, state, rng, budget=budget), None

    def _measure(self, which: int, seconds: float) -> None:
        if not self._fixed:
            cost = self._costs[which]
            self._costs[which] += self.SMOOTHING * (min(seconds, self.OUTLIER * cost) - cost)

    def _remember(self, state: int) -> None:
        self._known[state] = None
        self._known.move_to_end(state)
        if len(self._known) > self.KNOWN:
            self._known.popitem(last=False)
