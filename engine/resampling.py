"""Ancestors for the next generation of particles.

Each scheme draws n ancestors so that particle i has n w_i children on average; they differ in the variance of that number
(Douc, Cappé and Moulines 2005, "Comparison of Resampling Schemes for Particle Filtering").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np

from .law import Ids, Reals

Scheme: TypeAlias = Literal["multinomial", "stratified", "systematic", "residual"]


def _invert(weights: Reals, points: Reals) -> Ids:
    edges = np.cumsum(weights)
    found: Ids = np.searchsorted(edges, points * edges[-1], side="right")
    last: np.int64 = np.flatnonzero(weights)[-1]
    kept: Ids = np.minimum(found, last)
    return kept


def multinomial(weights: Reals, rng: np.random.Generator) -> Ids:
    """Independent draws."""
    return _invert(weights, np.sort(rng.random(len(weights))))


def stratified(weights: Reals, rng: np.random.Generator) -> Ids:
    """One draw in each of n equal strata."""
    n = len(weights)
    return _invert(weights, (np.arange(n) + rng.random(n)) / n)


def systematic(weights: Reals, rng: np.random.Generator) -> Ids:
    """The same place in each of n equal strata: particle i has n w_i children, rounded up or down."""
    n = len(weights)
    return _invert(weights, (np.arange(n) + rng.random()) / n)


def residual(weights: Reals, rng: np.random.Generator) -> Ids:
    """The whole part of n w_i children for certain, the rest by independent draws from what is left."""
    n = len(weights)
    share = n * weights / weights.sum()
    certain = np.floor(share).astype(np.int64)
    left = share - certain
    ancestors = np.repeat(np.arange(n), certain)
    rest = n - len(ancestors)
    if rest:
        ancestors = np.concatenate([ancestors, _invert(left, np.sort(rng.random(rest)))])
    return np.sort(ancestors)


SCHEMES: dict[Scheme, Callable[[Reals, np.random.Generator], Ids]] = {
    "multinomial": multinomial,
    "stratified": stratified,
    "systematic": systematic,
    "residual": residual,
}


def effective_size(log_weights: Reals) -> float:
    """1 / sum of squares of the normalised weights: n if all are equal, 1 if one has everything, 0 if none has anything."""
    top = log_weights.max()
    if top == -np.inf:
        return 0.0
    weights = np.exp(log_weights - top)
    return float(weights.sum() ** 2 / (weights**2).sum())
