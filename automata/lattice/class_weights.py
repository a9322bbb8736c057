"""From weights of tokens to weights of token classes, and back.

The lattice knows tokens by their classes: the best filling needs the best token of each class, sums need the log-sum-exp of each
class.  One pass over the rows for the first, a second one for the sums; tokens of the dead class take no part.  A hole that allows
only some ids is a list of these, and only they are read.
"""

from __future__ import annotations

from math import exp, inf, log
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from ...grammar.errors import InvalidSource
from .machine import DEAD

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_TOKEN = -1

Rows = npt.NDArray[np.float32] | npt.NDArray[np.float64]


class Allowed(NamedTuple):
    """Which ids each hole takes.

    Attributes:
        restricted: bool[H], whether the hole has a list; else it takes any.
        start: int64[H + 1], where each list begins.
        ids: int32[], the lists one after another.

    """

    restricted: npt.NDArray[np.bool_]
    start: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int32]

    @classmethod
    def of(cls, lists: Sequence[frozenset[int] | None]) -> Allowed:
        """The lists as arrays; None takes any."""
        parts = [np.array(sorted(part or ()), np.int32) for part in lists]
        start = np.zeros(len(parts) + 1, np.int64)
        np.cumsum([len(part) for part in parts], out=start[1:])
        ids = np.concatenate(parts) if parts else np.zeros(0, np.int32)
        return cls(np.array([part is not None for part in lists], np.bool_), start, ids)


@njit(cache=True, nogil=True)
def _best(
    rows: Rows,
    class_of: npt.NDArray[np.int32],
    allowed: Allowed,
    weights: npt.NDArray[np.float64],
    tokens: npt.NDArray[np.int32],
) -> int:
    """Fill in the weight and the number of each class's best token; return how many weights are no numbers below infinity."""
    weights[:] = -inf
    tokens[:] = NO_TOKEN
    bad = 0
    for h in range(rows.shape[0]):
        if allowed.restricted[h]:
            for i in range(allowed.start[h], allowed.start[h + 1]):
                token = allowed.ids[i]
                v = rows[h, token]
                c = class_of[token]
                bad += not v < inf
                if v > weights[h, c]:
                    weights[h, c] = v
                    tokens[h, c] = token
        else:
            for token in range(rows.shape[1]):
                v = rows[h, token]
                c = class_of[token]
                bad += not v < inf
                if v > weights[h, c]:
                    weights[h, c] = v
                    tokens[h, c] = token
        weights[h, DEAD] = -inf
        tokens[h, DEAD] = NO_TOKEN
    return bad


@njit(cache=True, nogil=True)
def _sums(
    rows: Rows,
    class_of: npt.NDArray[np.int32],
    allowed: Allowed,
    best: npt.NDArray[np.float64],
    sums: npt.NDArray[np.float64],
) -> None:
    """Fill in the log-sum-exp of each class, given its best weight."""
    sums[:] = 0.0
    for h in range(rows.shape[0]):
        if allowed.restricted[h]:
            for i in range(allowed.start[h], allowed.start[h + 1]):
                token = allowed.ids[i]
                c = class_of[token]
                if rows[h, token] > -inf and best[h, c] > -inf:
                    sums[h, c] += exp(rows[h, token] - best[h, c])
        else:
            for token in range(rows.shape[1]):
                c = class_of[token]
                if rows[h, token] > -inf and best[h, c] > -inf:
                    sums[h, c] += exp(rows[h, token] - best[h, c])
        for c in range(sums.shape[1]):
            sums[h, c] = best[h, c] + log(sums[h, c]) if best[h, c] > -inf else -inf


@njit(cache=True, nogil=True)
def _expand(
    rows: Rows,
    class_of: npt.NDArray[np.int32],
    allowed: Allowed,
    shift: npt.NDArray[np.float64],
    out: npt.NDArray[np.float64],
) -> None:
    """Each token's weight plus its class's shift, -inf where the shift is or where the hole does not take it."""
    for h in range(rows.shape[0]):
        if allowed.restricted[h]:
            out[h] = -inf
            for i in range(allowed.start[h], allowed.start[h + 1]):
                token = allowed.ids[i]
                out[h, token] = rows[h, token] + shift[h, class_of[token]]
        else:
            for token in range(rows.shape[1]):
                out[h, token] = rows[h, token] + shift[h, class_of[token]]


@njit(cache=True, nogil=True)
def _draw(
    rows: Rows,
    class_of: npt.NDArray[np.int32],
    allowed: Allowed,
    sums: npt.NDArray[np.float64],
    classes: npt.NDArray[np.int32],
    rng: np.random.Generator,
    tokens: npt.NDArray[np.int32],
) -> None:
    """Write a token of each hole's class, drawn by its share of the class."""
    for h in range(rows.shape[0]):
        c = classes[h]
        left = rng.random()
        n = allowed.start[h + 1] - allowed.start[h] if allowed.restricted[h] else rows.shape[1]
        for i in range(n):
            token = allowed.ids[allowed.start[h] + i] if allowed.restricted[h] else i
            if class_of[token] == c and rows[h, token] > -inf:
                tokens[h] = token
                left -= exp(rows[h, token] - sums[h, c])
                if left < 0:
                    break


class TokenWeights:
    """The weights of the tokens of each hole, and their classes.

    Attributes:
        rows: float32[H, V] or float64[H, V].
        best: float64[H, C], the weight of each class's best token.
        best_token: int32[H, C], that token, ``NO_TOKEN`` where the class has none.

    """

    def __init__(
        self,
        rows: npt.ArrayLike,
        class_of: npt.NDArray[np.int32],
        n_classes: int,
        allowed: Sequence[frozenset[int] | None],
    ) -> None:
        """Find the best token of each class.

        Args:
            rows: a row of log probabilities, or of other weights, for each hole.
            class_of: int32[V], the class of each token.
            n_classes: how many classes there are.
            allowed: the ids that each hole takes, None for any.

        Raises:
            InvalidSource: the shape is wrong, or a weight is NaN or infinity.

        """
        given = np.asarray(rows)
        self.rows = np.ascontiguousarray(given, np.float32 if given.dtype in {np.float16, np.float32} else np.float64)
        shape = (len(allowed), len(class_of))
        if self.rows.shape != shape:
            raise InvalidSource(f"log_probs must have the shape {shape}: a row for each hole, a column for each token")
        self._class_of = class_of
        self._allowed = Allowed.of(allowed)
        self.best = np.empty((len(allowed), n_classes), np.float64)
        self.best_token = np.empty((len(allowed), n_classes), np.int32)
        if _best(self.rows, class_of, self._allowed, self.best, self.best_token):
            raise InvalidSource("log_probs must be numbers below infinity")
        self._sums: npt.NDArray[np.float64] | None = None

    @property
    def sums(self) -> npt.NDArray[np.float64]:
        """float64[H, C], the log-sum-exp of each class."""
        if self._sums is None:
            self._sums = np.empty_like(self.best)
            _sums(self.rows, self._class_of, self._allowed, self.best, self._sums)
        return self._sums

    def expand(self, of_class: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """float64[H, V]: the log probabilities float64[H, C] of classes, split among their tokens by weight."""
        shift = np.where(of_class > -inf, of_class, 0.0) - np.where(self.sums > -inf, self.sums, 0.0)
        shift[(of_class == -inf) | (self.sums == -inf)] = -inf
        out = np.empty(self.rows.shape, np.float64)
        _expand(self.rows, self._class_of, self._allowed, shift, out)
        return out

    def draw(self, classes: npt.NDArray[np.int32], rng: np.random.Generator) -> npt.NDArray[np.int32]:
        """int32[H]: a token of each hole's class, drawn by weight."""
        tokens = np.full(len(classes), NO_TOKEN, np.int32)
        _draw(self.rows, self._class_of, self._allowed, self.sums, classes, rng, tokens)
        return tokens
