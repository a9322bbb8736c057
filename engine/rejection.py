"""Adaptive weighted rejection sampling: a valid token and an unbiased estimate of the valid mass, from a few checks.

Let p be the law of a token, a(x) in {0, 1} the check, Z the sum of p(x) a(x).  Each form returns an index x and the log of a
weight w with ``E[w 1{x = t}] = p(t) a(t)`` for every t, so that x is worth what exact masking would have made of it: there w is
Z itself.  All forms draw without replacement, so that no token is checked twice.

With ``max_rejects`` they stop at so many rejects and still are unbiased; the price is variance, in the form of weights of zero.

Lipkin et al. 2025, "Fast Controlled Generation from Language Models with Adaptive Weighted Rejection Sampling" (two-round form);
the recursive and the geometric form are those of the authors' library genlm-control.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    from .urn import Draws

Check: TypeAlias = Callable[[int], bool]
"""Whether the token at an index is allowed."""

Form: TypeAlias = Literal["recursive", "two-round", "geometric"]

Drawn: TypeAlias = tuple[int | None, float]
"""An index and a log weight; no index, and minus infinity, where nothing was accepted."""

NOTHING: Drawn = (None, -math.inf)


def first_accepted(urn: Draws, check: Check, rng: np.random.Generator) -> int | None:
    """Draw without replacement until an index passes: it follows the constrained law exactly, and has no weight.

    The expected number of checks is 1 + the sum over invalid x of p(x) / (p(x) + Z).
    """
    while urn.total > 0:
        index = urn.draw(rng)
        if check(index):
            return index
        urn.remove(index)
    return None


def recursive(urn: Draws, check: Check, rng: np.random.Generator, max_rejects: int | None = None) -> Drawn:
    """Walk to the first accepted x; the draw after it decides between two weights.

    Let q be the share of x in what was left when it came.  A reject of share r multiplies the weight by 1 - r.  After x one
    more token is drawn: if it is valid the last factor is 1, else q.  The expectation of that factor is the valid share of what
    was left, and induction over the rejects gives the claim.  The ``max_rejects``-th draw ends the walk: accepted, its factor is 1.

    Few checks, and a heavy tail where no token is likely: a weight is near the product of the factors or near q times that.
    """
    log_weight, rejects = 0.0, 0
    while urn.total > 0:
        whole = urn.total
        index = urn.draw(rng)
        valid = check(index)
        weight = urn.remove(index)
        if valid:
            if rejects + 1 == max_rejects or urn.total <= 0 or check(urn.draw(rng)):
                return index, log_weight
            return index, log_weight + math.log(weight / whole)
        rejects += 1
        if rejects == max_rejects or urn.total <= 0:
            break
        log_weight += math.log(urn.total / whole)
    return NOTHING


def two_round(urn: Draws, check: Check, rng: np.random.Generator) -> Drawn:
    """Walk to the first accepted x, and from what is left (x included) once more to an accepted token.

    The weight is the share that the first walk left, over one more than the number of rejects of both.
    """
    whole, rejects = urn.total, 0
    first, left = None, 0.0
    while urn.total > 0:
        index = urn.draw(rng)
        if index == first or check(index):
            if first is not None:
                return first, math.log(left / whole) - math.log(rejects + 1)
            first, left = index, urn.total
        else:
            urn.remove(index)
            rejects += 1
    return NOTHING


def geometric(
    urn: Draws, check: Check, rng: np.random.Generator, accepts: int = 2, max_rejects: int | None = None
) -> Drawn:
    """Simulate the counts of rejection *with* replacement, until so many accepts, from draws without.

    Between two draws of new tokens the rejected ones would have come again a geometric number of times; that number is drawn
    instead.  With K accepts and n rejects the weight is (K - 1) / (n + K - 1), the unbiased estimator of inverse sampling with
    the least variance; stopped after k accepts by R rejects it is k / (k + R - 1): the share of the ways to that end that begin
    with an accept (Girshick, Mosteller and Savage 1946).  With 5 accepts the relative deviation is about one half at any mass.
    """
    whole, rejects, accepted = urn.total, 0, 0
    valid: set[int] = set()
    first = None
    while accepted < accepts and urn.total > 0:
        if urn.total < whole:
            rejects += int(rng.geometric(urn.total / whole)) - 1
        if max_rejects is not None and rejects >= max_rejects:
            break
        index = urn.draw(rng)
        if index in valid or check(index):
            valid.add(index)
            accepted += 1
            first = index if first is None else first
        else:
            urn.remove(index)
            rejects += 1
    if first is None:
        return NOTHING
    if max_rejects is not None:
        rejects = min(rejects, max_rejects)
    return first, math.log(min(accepts - 1, accepted)) - math.log(accepted + rejects - 1)
