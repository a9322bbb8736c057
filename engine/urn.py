"""The weights of one step, drawn from with or without replacement."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from .kernels import BLOCK, find, put, sum_blocks

if TYPE_CHECKING:
    from .law import Ids

Floats = npt.NDArray[np.floating[Any]]


COLD = 0.5
"""A float32 weight is zero from about 103 times the temperature below the top; below this temperature tokens come so far down that a
check may be left with nothing else, and float64 reaches seven times as deep."""


class Draws(Protocol):
    """What a sampler needs of the weights: draws in proportion to them, and the taking out of tokens."""

    @property
    def total(self) -> float:
        """Sum of the weights that are left; 0 iff none is."""
        ...

    def draw(self, rng: np.random.Generator) -> int:
        """An index, with probability in proportion to its weight; something has to be left."""
        ...

    def remove(self, index: int) -> float:
        """Take an index out; returns its weight."""
        ...

    def restore(self, index: int, weight: float) -> None:
        """Put a removed index back with its weight."""
        ...


class Urn:
    """Unnormalised weights of tokens.

    A draw uses one uniform number and costs about a microsecond, whatever the size; see ``kernels``.

    Args:
        weights: float[n], owned by the urn from here on; finite, not negative.
        ids: int64[n], the token of each index, ascending; without it an index is its token.

    """

    __slots__ = ("_sums", "ids", "total", "weights")

    def __init__(self, weights: Floats, ids: Ids | None = None) -> None:
        self.weights = weights
        self.ids = ids
        self._sums = np.empty((len(weights) + BLOCK - 1) // BLOCK)
        self.total = float(sum_blocks(weights, self._sums))

    @classmethod
    def from_logits(cls, values: Floats, temperature: float, ids: Ids | None = None) -> tuple[Urn, float]:
        """Weights ``exp(value / temperature - top)`` and that top; a new array, the logits stay as they are.

        Minus infinity is a weight of zero.  If all are, so is the top, and nothing can be drawn.

        """
        if temperature < COLD:
            values = values.astype(np.float64)
        top = float(values.max()) if len(values) else -math.inf
        if top == -math.inf:
            return cls(np.zeros(len(values)), ids), top
        weights = values - values.dtype.type(top)
        if temperature != 1:
            weights /= weights.dtype.type(temperature)
        np.exp(weights, out=weights)
        return cls(weights, ids), top / temperature

    def copy(self) -> Urn:
        """An urn with the same weights, from which is drawn apart."""
        other = object.__new__(Urn)
        other.weights, other.ids, other.total, other._sums = (
            self.weights.copy(),
            self.ids,
            self.total,
            self._sums.copy(),
        )
        return other

    def token(self, index: int) -> int:
        """The token at an index."""
        return index if self.ids is None else int(self.ids[index])

    def draw(self, rng: np.random.Generator) -> int:
        """An index, with probability in proportion to its weight; something has to be left."""
        index = int(find(self.weights, self._sums, rng.random() * self.total))
        if index < 0:
            raise AssertionError("nothing is left to be drawn")
        return index

    def remove(self, index: int) -> float:
        """Take an index out; returns its weight."""
        weight = float(self.weights[index])
        self.total = float(put(self.weights, self._sums, index, 0.0))
        return weight

    def restore(self, index: int, weight: float) -> None:
        """Put a removed index back with its weight."""
        self.total = float(put(self.weights, self._sums, index, weight))

    def remove_all(self, indices: Ids | npt.NDArray[np.bool_] | slice) -> None:
        """Take many out in one pass."""
        self.weights[indices] = 0
        self.total = float(sum_blocks(self.weights, self._sums))
