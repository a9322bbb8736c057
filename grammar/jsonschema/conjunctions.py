"""Conjunctions, as far as a look at their facts tells: which contradict themselves, and which say what others say."""

from __future__ import annotations

from typing import Final

from .dialect import Json
from .facts import ANY, Facts
from .goals import Conjunction
from .values import identity, type_bit

TYPES_ONLY: Final = frozenset(("types",))
"""What facts that allow some types and say nothing else hold."""


def bits_of(value: Json) -> int:
    """Return the types that a value has in some draft."""
    return type_bit(value, float_is_fraction=False) | type_bit(value, float_is_fraction=True)


def possible(conjunction: Conjunction) -> bool:
    """Tell whether the types (and where finite, the values) of a conjunction have something in common: a cheap test."""
    types = ANY
    enums: list[list[Json]] = []
    for facts in conjunction:
        types &= facts.types
        if facts.enum is not None:
            enums.append(facts.enum)
    if types and len(enums) > 1:
        common = {identity(v) for v in enums[0]}
        for values in enums[1:]:
            common &= {identity(v) for v in values}
        return bool(common)
    return types != 0


def conjoined(left: Conjunction, right: Conjunction) -> Conjunction | None:
    """Return the conjunction of two, or ``None`` where they contradict each other for sure."""
    out = left + tuple(f for f in right if f not in left)
    return out if possible(out) else None


def evaluates(conjunction: Conjunction) -> bool:
    """Tell whether facts say of some items that they are evaluated."""
    return any(f.evaluated != 0 or f.matched for f in conjunction)


def absorbed(conjunctions: list[Conjunction]) -> list[Conjunction]:
    """Leave out each conjunction that says all that another one says."""
    sets = [(frozenset(map(id, c)), c) for c in conjunctions]
    kept: list[frozenset[int]] = []
    for ids, _ in sorted(sets, key=lambda s: len(s[0])):
        if not any(k <= ids for k in kept):
            kept.append(ids)
    remaining = set(kept)
    out = []
    for ids, c in sets:
        if ids in remaining:
            remaining.discard(ids)
            out.append(c)
    return out


def weakest(conjunctions: list[Conjunction]) -> list[Conjunction]:
    """Leave out each conjunction that says what another one says, and more."""
    kept: list[tuple[frozenset[Facts], Conjunction]] = []
    for c in sorted(conjunctions, key=len):
        facts = frozenset(c)
        if not any(fewer <= facts for fewer, _ in kept):
            kept.append((facts, c))
    return [c for _, c in kept]


def without_implied_types(conjunction: Conjunction) -> Conjunction:
    """Leave out facts that only allow types which the others allow no more than."""
    types = ANY
    for f in conjunction:
        if f.__dict__.keys() != TYPES_ONLY:
            types &= f.types
    return tuple(f for f in conjunction if types & ~f.types or f.__dict__.keys() != TYPES_ONLY)
