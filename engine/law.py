"""The constrained law of the next token: one implementation, one order, for every decoder.

    mask  ->  temperature  ->  truncation (top-k, then top-p, then min-p)  ->  renormalise

The mask comes first: a nucleus taken before it may hold no allowed token at all.  Draft, verify and
plain decoding have to use the same law, because an acceptance rule is exact only with respect to
the law that a token was really drawn from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from ..grammar.errors import InvalidSource
from .kernels import exclude, select
from .urn import Urn

if TYPE_CHECKING:
    from .contract import Mask, States

Logits: TypeAlias = Any
"""A row of V floats: a NumPy array, a torch tensor on any device, or a sequence."""

Ids: TypeAlias = npt.NDArray[np.int64]
Reals: TypeAlias = npt.NDArray[np.float64]

SPARSE = 16
"""A mask is sparse if it allows at most one in so many tokens.  Those are gathered, and exponentiated in float64; of a dense
one the whole row is exponentiated in its own precision, which vector instructions make as cheap."""


def allowed_ids(mask: Mask, width: int) -> Ids:
    """The set bits of a mask below ``width``, ascending, as int64."""
    ids = np.empty(min(32 * int(np.count_nonzero(mask)), width), np.int64)
    return ids[: int(select(mask, width, True, ids))]


def forbidden_ids(mask: Mask, width: int) -> Ids:
    """The ids below ``width`` that a mask does not allow, ascending, as int64."""
    ids = np.empty(width, np.int64)
    return ids[: int(select(mask, width, False, ids))]


def only_bit(mask: Mask) -> int | None:
    """The one set bit of a mask, or ``None`` if there are more or none."""
    words = np.flatnonzero(mask)
    if len(words) != 1:
        return None
    word = int(mask[words[0]])
    return None if word & (word - 1) else int(words[0]) * 32 + word.bit_length() - 1


def as_row(logits: Logits) -> npt.NDArray[np.floating[Any]]:
    """Logits as a NumPy row of float32 or float64, without a copy where they are one already."""
    if hasattr(logits, "detach"):
        tensor = logits.detach()
        if tensor.element_size() < 4:  # NumPy has no bfloat16, and float16 overflows in sums
            tensor = tensor.float()
        logits = tensor.cpu().numpy()
    row = np.asarray(logits)
    if row.ndim != 1:
        raise InvalidSource(f"logits of one position are a vector, not an array of shape {row.shape}")
    return row if row.dtype in {np.dtype(np.float32), np.dtype(np.float64)} else row.astype(np.float32)


def log_sum_exp(values: npt.NDArray[np.floating[Any]], temperature: float = 1.0) -> float:
    """``log(sum(exp(values / temperature)))``; minus infinity for an empty or all-impossible row."""
    if not len(values):
        return -math.inf
    top = float(values.max())
    if not math.isfinite(top):
        return top
    if temperature == 1 and abs(top) < MILD:
        return math.log(_total(np.exp(values)))
    below = values - values.dtype.type(top)
    if temperature != 1:
        below /= below.dtype.type(temperature)
    return top / temperature + math.log(_total(np.exp(below, out=below)))


MILD = 60.0
"""Up to here exponentials of float32, and sums of millions of them, are far from overflow and underflow."""

ROWS = 8
"""So many float32 are added in their own precision, which vector instructions do: an error of at most so many half ulps, 5e-7."""


def _total(weights: npt.NDArray[np.floating[Any]]) -> float:
    """The sum, in float64 beyond the first ``ROWS`` additions."""
    whole = len(weights) - len(weights) % ROWS
    return float(weights[:whole].reshape(ROWS, -1).sum(0).sum(dtype=np.float64) + weights[whole:].sum(dtype=np.float64))


def _checked_top(values: npt.NDArray[np.floating[Any]]) -> float:
    top = float(values.max())  # a NaN anywhere among them comes out here
    if math.isnan(top) or top == math.inf:
        raise InvalidSource("the model's logits hold NaN or infinity", hint="load the model in a wider dtype")
    return top


def _whole(row: npt.NDArray[np.floating[Any]], temperature: float) -> float:
    """``log_sum_exp`` of a whole row, which has to be a number."""
    found = log_sum_exp(row, temperature)
    if not math.isfinite(found):
        _checked_top(row)
    return found


@dataclass(frozen=True, slots=True)
class Distribution:
    """The constrained distribution of one token.

    Attributes:
        ids: int64[k], the tokens of positive probability, ascending.
        probabilities: float64[k], their probabilities; they sum to one.
        log_valid_mass: log of the share of probability that the tempered, *untruncated* law of the
            model gives to allowed tokens; at temperature 0, where that law is a point, the share
            is taken at temperature 1.  Minus infinity if the model rules every allowed token out.

    """

    ids: Ids
    probabilities: Reals
    log_valid_mass: float

    def sample(self, rng: np.random.Generator) -> int:
        """Draw a token; one uniform number is used, whatever the size."""
        if len(self.ids) == 1:
            return int(self.ids[0])
        edges = np.cumsum(self.probabilities)
        index = int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))
        return int(self.ids[min(index, len(self.ids) - 1)])

    def most_likely(self) -> int:
        """The token of highest probability, the lowest id among equals."""
        return int(self.ids[int(np.argmax(self.probabilities))])

    def entropy(self) -> float:
        """Shannon entropy in nats."""
        p = self.probabilities[self.probabilities > 0]
        return float(-(p * np.log(p)).sum())

    def dense(self, size: int) -> Reals:
        """float64[size], zero wherever a token has no probability."""
        row = np.zeros(size)
        row[self.ids] = self.probabilities
        return row


@dataclass(frozen=True)
class Law:
    """From logits and a state to the constrained distribution of the next token.

    Attributes:
        constraint: a constraint or a session of one.
        temperature: divides the logits; 0 is greedy, the lowest id among equals.
        top_k: keep the k most likely allowed tokens, lower ids first among equals.
        top_p: keep the smallest set of most likely tokens that holds at least this share of what is left.
        min_p: keep tokens at least this fraction as likely as the most likely one.

    Raises:
        InvalidSource: an option out of its range; when called, logits that are not numbers, or a
            state that allows no token the model has.

    """

    constraint: States
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None

    def __post_init__(self) -> None:
        """Check the options."""
        if not (self.temperature >= 0 and math.isfinite(self.temperature)):
            raise InvalidSource(f"temperature {self.temperature} is not a finite number from 0 up", where="temperature")
        if self.top_k is not None and not isinstance(self.top_k, SupportsIndex):
            raise InvalidSource(f"top_k {self.top_k!r} is no number of tokens", where="top_k")
        if self.top_k is not None and self.top_k < 1:
            raise InvalidSource(f"top_k {self.top_k} keeps no token", where="top_k", hint="use None to switch it off")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise InvalidSource(f"top_p {self.top_p} is not in (0, 1]", where="top_p")
        if self.min_p is not None and not 0 <= self.min_p <= 1:
            raise InvalidSource(f"min_p {self.min_p} is not in [0, 1]", where="min_p")

    @property
    def greedy(self) -> bool:
        """Whether the law is a point."""
        return self.temperature == 0

    @property
    def cuts_tail(self) -> bool:
        """Whether a token's probability depends on which others are allowed by more than a factor."""
        return not self.greedy and not (self.top_k is None and self.top_p is None and self.min_p is None)

    @property
    def truncated(self) -> bool:
        """Whether allowed tokens can lose their probability."""
        return self.greedy or self.cuts_tail

    def __call__(
        self, logits: Logits, state: int, *, budget: int | None = None, mask: Mask | None = None
    ) -> Distribution:
        """The distribution of the token after ``state``.

        Args:
            logits: the model's row; may be wider than the vocabulary (the rest is never allowed) or
                narrower (the missing tokens are impossible).
            state: where the text stands.
            budget: see ``Constraint.mask``.
            mask: the state's mask, if the caller has it already.

        """
        row, ids = self._allowed(logits, state, budget, mask)
        values = row[ids]
        if values.max() == -np.inf:  # the model excludes all that is valid: the constraint still has to be kept
            return Distribution(ids, np.full(len(ids), 1 / len(ids)), -math.inf)
        heat = 1.0 if self.greedy else self.temperature
        log_valid = min(0.0, log_sum_exp(values.astype(np.float64), heat) - _whole(row, heat))
        if self.greedy:
            return Distribution(ids[[int(np.argmax(values))]], np.ones(1), log_valid)
        kept, probabilities = self._truncate(ids, np.asarray(values, np.float64) / self.temperature)
        return Distribution(kept, probabilities, log_valid)

    def choose(
        self,
        logits: Logits,
        state: int,
        rng: np.random.Generator,
        *,
        budget: int | None = None,
        mask: Mask | None = None,
    ) -> int:
        """Draw a token without computing the valid mass, which costs a pass over the whole row."""
        if not self.truncated:
            urn, _ = self.urn(logits, state, budget=budget, mask=mask, weigh=False)
            return urn.token(urn.draw(rng))
        row, ids = self._allowed(logits, state, budget, mask)
        if len(ids) == 1:
            return int(ids[0])
        values = row[ids]
        if self.greedy:
            return int(ids[int(np.argmax(values))])
        if values.max() == -np.inf:
            return int(ids[int(rng.integers(len(ids)))])
        kept, probabilities = self._truncate(ids, np.asarray(values, np.float64) / self.temperature)
        return Distribution(kept, probabilities, math.nan).sample(rng)

    def urn(
        self,
        logits: Logits,
        state: int,
        *,
        budget: int | None = None,
        mask: Mask | None = None,
        weigh: bool = True,
    ) -> tuple[Urn, float]:
        """The tempered, untruncated law of the allowed tokens as weights to draw from, and the log of its valid mass.

        Where the model excludes every allowed token the weights are equal and the mass is zero.  Without ``weigh`` the
        mass is not computed (NaN): for a sparse mask it costs a pass over the whole row.

        """
        row = as_row(logits)
        if mask is None:
            mask = self.constraint.mask(state, budget=budget)
        n_allowed = int(np.bitwise_count(mask).sum())
        values: npt.NDArray[np.floating[Any]]
        if n_allowed * SPARSE <= len(row):
            ids: Ids | None = self._some(allowed_ids(mask, len(row)), state, row, mask)
            values = row[ids].astype(np.float64)
        else:
            ids = None
            values = row.copy()
            if int(exclude(values, mask, -np.inf)) == len(row):
                self._some(allowed_ids(mask, 0), state, row, mask)
        top = _checked_top(values)
        if top == -math.inf:
            ids = allowed_ids(mask, len(row)) if ids is None else ids
            return Urn(np.ones(len(ids)), ids), -math.inf
        urn, top = Urn.from_logits(values, self.temperature, ids)
        if not weigh:
            return urn, math.nan
        log_allowed = top + math.log(urn.total)
        if ids is not None:
            return urn, min(0.0, log_allowed - _whole(row, self.temperature))
        # The whole is the allowed part and the rest, a sum: no difference of two large numbers, and one pass instead of two.
        others = row[forbidden_ids(mask, len(row))]
        if len(others) * SPARSE <= len(row):
            others = others.astype(np.float64)
        rest = log_sum_exp(others, self.temperature)
        if not rest < math.inf:
            _checked_top(row)
        return urn, -float(np.logaddexp(0.0, rest - log_allowed))

    def _some(self, ids: Ids, state: int, row: npt.NDArray[np.floating[Any]], mask: Mask) -> Ids:
        if not mask.any():
            raise InvalidSource(
                f"state {state} allows no token at all",
                hint="it is dead, the budget is below its finish_bound, or its residual lets nothing pass",
            )
        if not len(ids):
            raise InvalidSource(
                f"state {state} allows no token among the {len(row)} that the model has",
                hint="use the vocabulary of the model's own tokenizer",
            )
        return ids

    def _allowed(
        self, logits: Logits, state: int, budget: int | None, mask: Mask | None
    ) -> tuple[npt.NDArray[np.floating[Any]], Ids]:
        row = as_row(logits)
        if mask is None:
            mask = self.constraint.mask(state, budget=budget)
        ids = self._some(allowed_ids(mask, len(row)), state, row, mask)
        _checked_top(row[ids])
        return row, ids

    def _truncate(self, ids: Ids, values: Reals) -> tuple[Ids, Reals]:
        weights = np.exp(values - values.max())
        if self.top_k is None and self.top_p is None and self.min_p is None:
            return ids, weights / weights.sum()
        order = np.argsort(-weights, kind="stable")  # stable: lower ids first among equals
        if self.top_k is not None:
            order = order[: self.top_k]
        if self.top_p is not None and self.top_p < 1:
            mass = np.cumsum(weights[order])
            order = order[: int(np.searchsorted(mass, self.top_p * mass[-1], side="left")) + 1]
        if self.min_p is not None:
            order = order[weights[order] >= self.min_p * weights[order[0]]]
        kept = np.sort(order)
        chosen = weights[kept]
        return ids[kept], chosen / chosen.sum()
