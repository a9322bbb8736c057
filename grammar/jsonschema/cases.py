"""The kinds of values of one member that many statements look at: what is distributed first where distributing is too much.

Where a schema says of twenty members that each needs some values of ``type``, there are a million ways to choose which of
them are absent and which make ``type`` have such a value.  But ``type`` has few kinds of values: those that the same
statements list.  Within one kind each statement is true, or says one thing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .dialect import Json
from .facts import ALWAYS, ANY, NEVER, OBJECT, Facts, Obligation, only, opposite, typed
from .goals import Conjunction

if TYPE_CHECKING:
    from .algebra import Algebra

Literals = Callable[[Obligation], dict[object, Json] | None]
"""The values that meet an obligation where it lists them and says nothing else."""

_ABOUT_OBJECTS = frozenset(
    ("types", "props", "patterns", "additional", "required", "min_props", "max_props", "names", "broken")
)
"""The attributes of facts that say nothing about values that are no objects, and the types."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Some objects, told apart by the value of one member; or (``values`` is ``None``) all values that are no objects.

    Attributes:
        name: the member.
        values: what it is one of, by identity; with ``others``, it is none of these, which are all that is listed anywhere.
        absent: whether there is no such member.

    """

    name: str
    values: dict[object, Json] | None
    others: bool = False
    absent: bool = False

    def left_of(self, factor: list[Conjunction], literals: Literals) -> list[Conjunction]:
        """Return what a disjunction still says about values of this kind."""
        out: dict[Conjunction, None] = {}
        for conjunction in factor:
            left: dict[Facts, None] = {}
            for facts in conjunction:
                said = (
                    self._about_others(facts)
                    if self.values is None
                    else self._about_objects(facts, self.values, literals)
                )
                if said is None:
                    break
                left.update(dict.fromkeys(said))
            else:
                out[tuple(left)] = None
        return [()] if () in out else list(out)

    def _about_others(self, facts: Facts) -> Conjunction | None:
        types = facts.types & ~OBJECT
        if not types or not facts.__dict__.keys() <= _ABOUT_OBJECTS:
            return (facts,) if types else None
        return () if types == ANY & ~OBJECT else (typed(types),)

    def _about_objects(self, facts: Facts, values: dict[object, Json], literals: Literals) -> Conjunction | None:
        if not facts.types & OBJECT or (self.absent and self.name in facts.required):
            return None
        implied = facts.__dict__.keys() <= {"types", "props", "required"} and set(facts.required) <= {self.name}
        obligation = facts.props.get(self.name, ALWAYS)
        if not self.absent and obligation != ALWAYS:
            listed = literals(obligation)
            if listed is None:
                implied = False
            elif self.others or not listed.keys() >= values.keys():  # a kind is in a list or out of it
                return None
        return () if implied and facts.props.keys() <= {self.name} else (facts,)


def case_split(
    factors: list[list[Conjunction]], literals: Literals, *, without: set[str]
) -> tuple[str, list[Kind]] | None:
    """Find the member that most disjunctions look at, and the kinds of its values; ``None`` where no two look at one."""
    lists: dict[str, list[frozenset[object]]] = {}
    looking: dict[str, int] = {}
    known: dict[object, Json] = {}
    for factor in factors if len(factors) > 1 else ():
        names: set[str] = set()
        for facts in (f for c in factor for f in c):
            for name, obligation in facts.props.items():
                listed = literals(obligation)
                if listed:
                    lists.setdefault(name, []).append(frozenset(listed))
                    known.update(listed)
                    if len(factor) > 1:
                        names.add(name)
        for name in names:
            looking[name] = looking.get(name, 0) + 1
    best = max(looking.keys() - without, key=looking.__getitem__, default=None)
    if best is None or looking[best] < 2:
        return None
    alike: dict[tuple[bool, ...], dict[object, Json]] = {}
    every = dict.fromkeys(v for values in lists[best] for v in values)
    for value in every:
        alike.setdefault(tuple(value in values for values in lists[best]), {})[value] = known[value]
    mentioned = {v: known[v] for v in every}
    kinds = [Kind(best, values) for values in alike.values()]
    return best, [*kinds, Kind(best, mentioned, others=True), Kind(best, {}, absent=True), Kind(best, None)]


class Cases:
    """Distribution by cases in the schemas of one compilation."""

    def __init__(self, algebra: Algebra, tick: Callable[[], None]) -> None:
        """Take the algebra that distributes what is left in each case, and a deadline check."""
        self._algebra = algebra
        self._tick = tick
        self._chosen: set[str] = set()  # the members by which the cases at hand were told apart

    def distribute(self, factors: list[list[Conjunction]], culprit: Obligation) -> list[Conjunction] | None:
        """Distribute factors for each kind of value of the member that most of them look at; ``None`` if there is none.

        Many schemas say of many members that they need some values of one other member.  Whether it has one of them is
        then the same choice again and again, and in each case of it most factors have one alternative left.
        """
        found = case_split(factors, self._algebra.literals.exact, without=self._chosen)
        if found is None:
            return None
        name, kinds = found
        out: dict[Conjunction, None] = {}
        self._chosen.add(name)
        try:
            for kind in kinds:
                self._tick()
                left = [kind.left_of(factor, self._algebra.literals.exact) for factor in factors]
                out.update(dict.fromkeys(self._algebra.product([*left, [(self._case(name, kind),)]], culprit)))
                if len(out) > self._algebra.limit:
                    raise self._algebra.too_many(culprit)
        finally:
            self._chosen.discard(name)
        return list(out)

    def _case(self, name: str, kind: Kind) -> Facts:
        if kind.values is None:
            return typed(ANY & ~OBJECT)
        said = only(OBJECT)
        if kind.absent:
            said.props = {name: NEVER}
            return said
        among = self._algebra.constant(*kind.values.values())
        said.required = (name,)
        said.props = {name: opposite(among) if kind.others else among}
        return said
