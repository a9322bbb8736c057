"""Plans of objects whose members come in any order: what is decided in advance, and what may still come.

Members in any order leave no trace of which may still come: the register knows which keys were seen, the states of the automaton do
not.  So a demand stays open only while whatever comes cannot make it impossible, and everything else is decided before the first member.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import LimitExceeded
from ..ir import UNBOUNDED
from .demands import Member

if TYPE_CHECKING:
    from .demands import Others, Plan
    from .goals import Goal

Step = tuple["Goal", int, int]
"""The goal of a member's value, and how many members that are not required, and which demands, are behind it."""


def spread(plan: Plan, limit: int) -> list[Plan]:
    """Split a plan into those each of whose demands the other keys can always meet.

    A demand that only named members can meet is decided at the beginning; so is whether one of them meets it, where the members
    are bounded and others might leave no room for it.  Raises ``LimitExceeded`` where that makes more than ``limit`` plans.
    """
    done: list[Plan] = []
    todo = [plan]
    while todo:
        one = todo.pop()
        split = _split(one)
        if split is None:
            done.append(one)
        else:
            todo.extend(split)
        check_alternatives(len(done) + len(todo), limit)
    return done[::-1]


def check_alternatives(n: int, limit: int) -> None:
    """Raise ``LimitExceeded`` where an object with its members in any order has more than ``limit`` alternatives."""
    if n > limit:
        raise LimitExceeded(
            f"members in any order would need more than {limit} alternatives to ask for one that breaks a rule",
            limit="alternatives",
            value=limit,
            hint="raise SchemaLimits.alternatives, or keep the order of the schema",
        )


def _split(plan: Plan) -> list[Plan] | None:
    """Return the plans that decide one demand that cannot stay open, if there is one."""
    for j in plan.open:
        anywhere = any(j in o.ways for o in plan.others)
        absences = [i for i, m in enumerate(plan.members) if j in m.absent and not m.needed]
        offers = [(i, way) for i, m in enumerate(plan.members) for way in m.ways.get(j, ())]
        if anywhere and not absences and (plan.high is None or not offers):
            continue
        out: list[Plan] = []
        for i in absences:
            out.append(one := plan.copy())
            one.forbid(one.members[i])
        if anywhere:
            out.append(one := plan.copy())
            for m in one.members:
                m.absent -= {j}
                if plan.high is not None:
                    m.ways.pop(j, None)
        if not anywhere or plan.high is not None:
            for i, way in offers:
                out.append(one := plan.copy())
                one.open.remove(j)
                one.require(one.members[i], way)
        return [one for one in out if one.settle()]
    return None


class Choices:
    """What may come at each place of an object whose members come in any order, by what was read.

    That is a *count* of the members that are not required, and the set of demands that are *met*.
    """

    def __init__(self, plan: Plan) -> None:
        """Take a plan as ``spread`` leaves it, with its keys reserved."""
        self._plan = plan
        self.needed = sum(1 for m in plan.members if m.needed)
        self._least = max(plan.low - self.needed, 0) if plan.low > 1 else 0  # one that breaks a rule comes anyway
        self._most = plan.high - self.needed if plan.high is not None else self._least
        self._fewest: dict[int, int] = {}

    def takes_another(self, count: int) -> bool:
        """Tell whether a member that is not required may come."""
        return self._plan.high is None or count < self._most

    def closes(self, count: int, met: int) -> bool:
        """Tell whether the object may end, if no required member is missing."""
        return met == self._plan.full and count >= self._least

    def steps(self, i: int, count: int, met: int) -> list[Step]:
        """Return what member ``i`` (of the others from the number of members on) may be, if the object can end then."""
        plan = self._plan
        who = plan.who(i)
        if not (isinstance(who, Member) and who.needed):
            if not self.takes_another(count):
                return []
            count = min(count + 1, self._most)
        steps = [(goal, count, met | bits) for goal, bits in plan.options(i, met)]
        return [s for s in steps if plan.high is None or count + self._fewest_for(s[2]) <= self._most]

    def _fewest_for(self, met: int) -> int:
        """Return how many other keys, of those that are certainly left, are enough to meet what is not met."""
        known = self._fewest.get(met)
        if known is None:
            plan = self._plan
            ways = (
                met | bits
                for i, o in enumerate(plan.others, len(plan.members))
                if self._lasts(o, met)
                for _, bits in plan.options(i, met)
                if bits & ~met
            )
            known = 0 if met == plan.full else 1 + min(map(self._fewest_for, ways), default=UNBOUNDED)
            self._fewest[met] = known
        return known

    def _lasts(self, o: Others, met: int) -> bool:
        """Tell whether a key of a class is certainly left; one that is kept for a demand is while that is not met."""
        if o.reserved not in self._plan.open:
            return o.lasts
        return not met >> self._plan.open.index(o.reserved) & 1
