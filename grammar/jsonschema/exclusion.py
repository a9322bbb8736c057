"""``oneOf``: which of its branches exclude each other, and what must hold beside those that do not.

Whether two branches exclude each other is asked of the goal of both together: has it a value?

Many schemas tell objects by a member that none of the branches requires: ``{"properties": {"kind": {"const": "a"}}}``.  Objects without
that member overlap in all branches, and which of them meet exactly one takes as many alternatives as there are ways to break the rules
of all others.  Where that is too much, these objects are left out (``telling``): a branch is then given a member whose presence rules
the others out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from .dialect import ANNOTATIONS
from .document import Node
from .facts import ANY, NEVER, OBJECT, TYPE_BITS, Obligation, Part, only, opposite, typed
from .goals import Conjunction, Goal, goal_of, said_about

if TYPE_CHECKING:
    from .algebra import Algebra

_FEW: Final = 3
"""So many overlapping branches are negated even where objects are left out rather than to have too many alternatives."""

_ON_BRANCHES: Final = frozenset(("oneOf", "unevaluatedProperties", "unevaluatedItems"))
"""Keywords that are or depend on the branches whose overlap is asked about."""


class Exclusion:
    """The branches of ``oneOf`` in the schemas of one compilation.

    Attributes:
        leaves_out: whether objects without a member that tells branches apart were left out so far.

    """

    def __init__(self, algebra: Algebra, tick: Callable[[], None], *, narrow: bool) -> None:
        """Take the algebra that the branches are expanded by, a deadline check, and whether objects may be left out."""
        self._algebra = algebra
        self._tick = tick
        self._narrow = narrow
        self.leaves_out = False

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
                found = self._telling(i, others, branches) if types & OBJECT else None
                if found is not None:
                    name, left = found
                    told = only(OBJECT)
                    told.telling = name, node.pointer("oneOf")
                    yield branch, [[(told,)], *self._none_of(branches, left)]
                    types &= ~OBJECT
                if types:
                    within: list[list[Conjunction]] = [] if types == ANY else [[(typed(types),)]]
                    yield branch, [*within, *self._none_of(branches, others)]

    def _none_of(self, branches: list[Obligation], chosen: Iterable[int]) -> list[list[Conjunction]]:
        return [self._algebra.alternatives(opposite(branches[j])) for j in chosen]

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

    def _telling(
        self, i: int, others: tuple[int, ...], branches: list[Obligation]
    ) -> tuple[str, tuple[int, ...]] | None:
        """Return a member of a branch whose presence rules all but few of the others out, and those that are left.

        Of several that rule out equally many it is the first one that is required, or else the first one.
        """
        if not self._narrow or len(others) <= _FEW:
            return None
        mine = [c for c in self._algebra.alternatives(branches[i]) if all(f.types & OBJECT for f in c)]
        names = dict.fromkeys(n for f in mine[0] for n in f.props) if mine else {}
        best: tuple[int, bool, str, tuple[int, ...]] | None = None
        for name in names:
            if any(self._rules_out(name, c, ()) for c in mine):
                continue
            left: list[int] = []
            for j in others:
                theirs = self._algebra.alternatives(branches[j])
                if not all(self._rules_out(name, c, d) for c in mine for d in theirs):
                    left.append(j)
                    if len(left) > _FEW:
                        break
            else:
                optional = not all(any(name in f.required for f in c) for c in mine)
                if best is None or (len(left), optional) < best[:2]:
                    best = len(left), optional, name, tuple(left)
        if best is None:
            return None
        self.leaves_out = True
        return best[2:]

    def _rules_out(self, name: str, first: Conjunction, second: Conjunction) -> bool:
        """Tell whether no object with a member of this name meets two conjunctions, as far as literal values tell."""
        self._tick()
        both = first + second
        if not all(f.types & OBJECT for f in both):
            return True
        said = [o for f in both for o in said_about(f, name)]
        return NEVER in said or not self._algebra.literals.agree(said)

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
