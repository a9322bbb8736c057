"""``oneOf``: which of its branches exclude each other, and what must hold beside those that do not.

Whether two branches exclude each other is asked of the goal of both together: has it a value?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from .dialect import ANNOTATIONS
from .document import Node
from .facts import ANY, OBJECT, TYPE_BITS, Obligation, Part, opposite, typed
from .goals import Conjunction, Goal, goal_of

if TYPE_CHECKING:
    from .algebra import Algebra

_ON_BRANCHES: Final = frozenset(("oneOf", "unevaluatedProperties", "unevaluatedItems"))
"""Keywords that are or depend on the branches whose overlap is asked about."""


class Exclusion:
    """The branches of ``oneOf`` in the schemas of one compilation."""

    def __init__(self, algebra: Algebra, tick: Callable[[], None]) -> None:
        """Take the algebra that the branches are expanded by, and a deadline check."""
        self._algebra = algebra
        self._tick = tick

    def branches(self, part: Part, node: Node) -> Iterator[tuple[Obligation, list[list[Conjunction]]]]:
        """Yield the branches of ``oneOf``, each with what must hold beside it so that it is the only one.

        A branch that overlaps with others on some types only comes several times.
        """
        branches = part.obligations
        overlaps = self._overlaps(branches, node)
        if not overlaps:
            yield from ((branch, []) for branch in dict.fromkeys(branches))
            return
        for i, branch in enumerate(branches):
            types_of_others: dict[tuple[int, ...], int] = {}
            for bit in range(TYPE_BITS):
                others = tuple(j for j in range(len(branches)) if overlaps.get((i, j), 0) >> bit & 1)
                types_of_others[others] = types_of_others.get(others, 0) | 1 << bit
            for others, types in types_of_others.items():
                within: list[list[Conjunction]] = [] if types == ANY else [[(typed(types),)]]
                yield branch, [*within, *(self._algebra.alternatives(opposite(branches[j])) for j in others)]

    def _overlaps(self, branches: list[Obligation], node: Node) -> dict[tuple[int, int], int]:
        """Return, for each pair of branches that some value meets both of, the types of such values.

        What stands beside ``oneOf`` is taken into account: a discriminator may be required there.
        """
        if len(set(branches)) == len(branches) and self._discriminated(branches):
            return {}
        context: Goal = ()
        if isinstance(node.schema, dict):
            beside = {k: v for k, v in node.schema.items() if k not in ANNOTATIONS and k not in _ON_BRANCHES}
            if beside:
                context = (2 * self._algebra.documents.child(node, beside).index,)
        out: dict[tuple[int, int], int] = {}
        for i, first in enumerate(branches):
            for j in range(i):
                self._tick()
                types = self._algebra.shared_types(goal_of((*context, first, branches[j])))
                if types:
                    out[i, j] = out[j, i] = types
        return out

    def _discriminated(self, branches: list[Obligation]) -> bool:
        """Tell whether one required member takes a different value in every branch (linear, and the usual case)."""
        seen: dict[str, set[object]] = {}
        common: set[str] | None = None
        for branch in branches:
            conjunctions = self._algebra.alternatives(branch)
            if len(conjunctions) != 1:
                return False
            here: dict[str, set[object]] = {}
            required = {n for f in conjunctions[0] for n in f.required}
            types = ANY
            for facts in conjunctions[0]:
                types &= facts.types
                for name in required & facts.props.keys():
                    values = self._algebra.literals.among(facts.props[name])
                    if values is not None:
                        here[name] = values
            if types != OBJECT:
                return False
            if common is None:
                common = set(here)
            common = {n for n in common if n in here and not here[n] & seen.get(n, set())}
            if not common:
                return False
            for name in common:
                seen.setdefault(name, set()).update(here[name])
        return True
