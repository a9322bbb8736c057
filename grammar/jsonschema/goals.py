"""Goals: what a value must meet.

A *goal* is an ordered set of obligations: a value meets it if it meets all of them.  What an obligation says is written as a
disjunction of *conjunctions*, tuples of facts (``algebra``).
"""

from __future__ import annotations

from collections.abc import Iterable

from .facts import ALWAYS, NEVER, Facts, Obligation
from .scalars import name_matches

Goal = tuple[Obligation, ...]
"""An ordered set of obligations; ``()`` is met by every value."""

Conjunction = tuple[Facts, ...]
"""Facts that all hold."""

TRUE_GOAL: Goal = ()
FALSE_GOAL: Goal = (NEVER,)


def goal_of(obligations: Iterable[Obligation]) -> Goal:
    """Return the goal of some obligations: without repetition, in their order."""
    out = tuple(dict.fromkeys(obligations))
    if ALWAYS in out:
        out = tuple(o for o in out if o != ALWAYS)
    return FALSE_GOAL if NEVER in out else out


def said_about(facts: Facts, name: str) -> list[Obligation]:
    """Return what facts say about the value of a member with this name."""
    out = [facts.props[name]] if name in facts.props else []
    out += [o for pattern, o in facts.patterns if name_matches(pattern, name)]
    return out if out or facts.additional == ALWAYS else [facts.additional]


class UndeterminedError(Exception):
    """A question about overlapping branches came back to the schema whose branches they are; callers assume a value."""
