"""What some member of an object must do, and who can do it.

The negation of a statement about all members asks for a member that breaks it: one whose value meets the opposite of
what is said about its key, one whose key is of the wrong form, or the absence of one that is required.  Such a *demand*
is a bit; an object is read in copies of the states, one per set of bits, and a member goes over to the copy with
more bits where its value meets more than it must.  That is a guess and not a test: a value that breaks a statement may
also be read as one of which that is not known, which is never wrong, since demands only ask for *at least* one.

``Plan`` says what remains to be guessed.  Most demands are settled before: by a required member that cannot but meet
them, by the one member that can meet them (it becomes required), or by another demand that is harder to meet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Final, Protocol

from ..errors import LimitExceeded
from ..regular.dfa import CharDfa
from .facts import ALWAYS, Obligation, opposite
from .goals import Goal, goal_of

if TYPE_CHECKING:
    from .piece import KeyClass, ObjectPiece

_MAX_STATES: Final = 20_000
"""Beyond so many states an object is taken to be inhabited; writing it is refused long before."""


class Judge(Protocol):
    """Who knows which goals are empty, and how many rules one member may break (all sets of them are tried)."""

    broken_rules: int

    def inhabited(self, goal: Goal) -> bool:
        """Tell whether some value meets a goal; where a question about it is open, no is assumed."""
        ...

    def possible(self, goal: Goal) -> bool:
        """Tell the same, with the values that are never produced."""
        ...

    def contradicts_itself(self, goal: Goal) -> bool:
        """Tell whether a goal is empty for sure, by a cheap test."""
        ...


@dataclass(slots=True)
class Member:
    """A member that may be written.

    Attributes:
        name, goal, needed: as in ``ObjectPiece``.
        ways: by demand, what its value may meet to meet the demand; ``ALWAYS`` if its presence is enough.
        absent: the demands that are met by its absence.

    """

    name: str
    goal: Goal
    needed: bool
    ways: dict[int, tuple[Obligation, ...]]
    absent: frozenset[int]


@dataclass(slots=True)
class Others:
    """A class of other keys; ``ways`` as in ``Member``.

    ``reserved`` is a demand that is to be met by whoever takes a key of this class, unless it has been met before.  ``lasts`` tells
    whether some key of the class is left whatever was read.
    """

    keys: KeyClass
    goal: Goal
    ways: dict[int, tuple[Obligation, ...]]
    reserved: int | None = None
    lasts: bool = True


Option = tuple[Goal, int]
"""The goal of a member's value, and the demands (bits) that it meets then."""


def _and(goal: Goal, *more: Obligation) -> Goal:
    return goal_of((*goal, *more))


@dataclass(slots=True)
class Plan:
    """The members and other keys of an object, and the demands on them.

    Attributes:
        members, others: who may come.
        low, high: bounds of the number of members.
        judge: who knows what is empty; ``final`` if its answers are.
        open: the demands that are not settled; a set of them has a bit for each, in this order.

    Of what is asked for again and again is remembered: ``_wanted``, the demands that somebody may meet at all, and ``_behind``, those that
    the absence of all members from a place on meets (``None`` where one of them is needed).

    """

    members: list[Member]
    others: list[Others]
    low: int
    high: int | None
    judge: Judge
    final: bool
    open: list[int]
    _options: dict[tuple[int, int], list[Option]] = field(default_factory=dict)
    _alive: dict[tuple[int, int, int], bool] = field(default_factory=dict)
    _wanted: dict[int, int] = field(default_factory=dict)
    _behind: list[int | None] = field(default_factory=list)

    # -- settling -----------------------------------------------------------------------------

    def settle(self) -> bool:
        """Settle every demand that leaves no choice; answer whether the others can be met one by one."""
        for m in self.members:
            self._narrow(m)
        for o in self.others:
            self._narrow(o)
        changed = True
        while changed:
            changed = False
            for j in list(self.open):
                if any(m.needed and ALWAYS in m.ways.get(j, ()) for m in self.members):
                    self.open.remove(j)
                    continue
                offers = [(m, way) for m in self.members for way in m.ways.get(j, ())]
                absences = [m for m in self.members if j in m.absent and not m.needed]
                if any(j in o.ways for o in self.others) or len(offers) + len(absences) > 1:
                    continue
                if not offers and not absences:
                    return False
                changed = True
                self.open.remove(j)
                if absences:
                    self.forbid(absences[0])
                else:
                    self.require(*offers[0])
                break
        self._drop_implied()
        return True

    def _narrow(self, m: Member | Others) -> None:
        """Leave out the ways in which a value cannot break what it must, and see which it cannot but break."""
        for j, ways in list(m.ways.items()):
            left: list[Obligation] = []
            for way in ways:
                if way in m.goal or way == ALWAYS:
                    left = [ALWAYS]
                    break
                if opposite(way) in m.goal or not self.judge.inhabited(_and(m.goal, way)):
                    continue
                never = _and(m.goal, opposite(way))
                if self.judge.contradicts_itself(never) or (self.final and not self.judge.possible(never)):
                    left = [ALWAYS]
                    break
                left.append(way)
            if left:
                m.ways[j] = tuple(left)
            else:
                del m.ways[j]

    def require(self, member: Member, way: Obligation) -> None:
        """Make a member required, and to meet something."""
        member.needed = True
        member.goal = _and(member.goal, way)
        self._narrow(member)

    def forbid(self, member: Member) -> None:
        """Leave a member out."""
        self.members.remove(member)
        self.open = [j for j in self.open if j not in member.absent]

    def _drop_implied(self) -> None:
        offers = {j: set(self._offers(j)) for j in self.open}

        def implies(j: int, k: int) -> bool:
            return all(o in offers[k] or (*o[:2], ALWAYS) in offers[k] for o in offers[j])

        for k in list(self.open):
            if any(j != k and implies(j, k) for j in self.open):
                self.open.remove(k)

    def _offers(self, j: int) -> Iterator[tuple[str, str | int, Obligation]]:
        for m in self.members:
            yield from (("member", m.name, way) for way in m.ways.get(j, ()))
            if j in m.absent and not m.needed:
                yield "absence", m.name, ALWAYS
        for i, o in enumerate(self.others):
            yield from (("others", i, way) for way in o.ways.get(j, ()))

    def reserve(self) -> None:
        """Keep, in each class of finitely many keys, one key for each demand on it, so that they never run out.

        A text in which that key comes before the member that meets the demand is lost; the same members in another order
        are not.
        """
        others: list[Others] = []
        for o in self.others:
            wanted = [j for j in self.open if j in o.ways]
            keys = o.keys.keys
            if not wanted or keys is None or not keys.is_finite() or self._outlasts(keys):
                others.append(o)
                continue
            names = list(keys.strings(len(wanted)))
            rest = replace(o.keys, keys=keys - CharDfa.from_strings(names))
            others.append(Others(rest, o.goal, o.ways, lasts=False))
            for name, j in zip(names, wanted, strict=True):
                one = replace(o.keys, keys=CharDfa.from_strings((name,)))
                others.append(Others(one, o.goal, o.ways, j))
        self.others = others
        self._options.clear()
        self._alive.clear()
        self._wanted.clear()

    def _outlasts(self, keys: CharDfa) -> bool:
        """Tell whether some of finitely many keys is left wherever a member may come."""
        return self.high is not None and sum(1 for _ in keys.strings(self.high)) >= self.high

    # -- choices ------------------------------------------------------------------------------

    @property
    def full(self) -> int:
        """The set of all demands."""
        return (1 << len(self.open)) - 1

    def absent(self, i: int) -> int:
        """Return the demands that are met by the absence of member ``i``."""
        here = self.members[i].absent
        return sum(1 << b for b, j in enumerate(self.open) if j in here)

    def options(self, i: int, met: int) -> list[Option]:
        """Return what the value of member ``i`` (of the others from the number of members on) may meet."""
        wanted = self._wanted.get(i)
        if wanted is None:
            m = self.who(i)
            kept = m.reserved if isinstance(m, Others) else None
            wanted = sum(1 << b for b, j in enumerate(self.open) if j in m.ways or j == kept)
            self._wanted[i] = wanted
        met &= wanted
        found = self._options.get((i, met))
        if found is None:
            found = self._options[i, met] = list(self._choose(self.who(i), met))
        return found

    def who(self, i: int) -> Member | Others:
        """Return member ``i``, of the others from the number of members on."""
        return self.members[i] if i < len(self.members) else self.others[i - len(self.members)]

    def _choose(self, m: Member | Others, met: int) -> Iterator[Option]:
        free = 0
        ways: dict[Obligation, int] = {}
        for bit, j in enumerate(self.open):
            if met >> bit & 1:
                continue
            for way in m.ways.get(j, ()):
                if way == ALWAYS:
                    free |= 1 << bit
                else:
                    ways[way] = ways.get(way, 0) | 1 << bit
        ways = {w: bits & ~free for w, bits in ways.items() if bits & ~free}
        if len(ways) > self.judge.broken_rules:
            raise LimitExceeded(
                f"one member could break {len(ways)} of the rules of which some must be broken",
                limit="broken_rules",
                value=self.judge.broken_rules,
                hint="raise SchemaLimits.broken_rules",
            )
        wanted = 0
        if isinstance(m, Others) and m.reserved in self.open:
            wanted = 1 << self.open.index(m.reserved) & ~met
        if not wanted & ~free:
            yield m.goal, free
        done: list[tuple[frozenset[Obligation], int]] = [(frozenset(), 0)]
        for size in range(1, len(ways) + 1):
            for chosen in combinations(ways, size):
                bits = 0
                for w in chosen:
                    bits |= ways[w]
                as_set = frozenset(chosen)
                if any(b == bits and s < as_set for s, b in done):
                    continue
                goal = _and(m.goal, *chosen)
                if size == 1 or self.judge.inhabited(goal):
                    done.append((as_set, bits))
                    if not wanted & ~(free | bits):
                        yield goal, free | bits

    # -- counting -----------------------------------------------------------------------------

    @property
    def most(self) -> int:
        """The count beyond which members need not be counted."""
        return self.high if self.high is not None else self.low if self.low > 1 else 0

    @property
    def states(self) -> int:
        """How many states the object has: places times counts times sets of demands."""
        return (len(self.members) + 1) * (self.most + 1) << len(self.open)

    def steps(self, i: int, count: int, met: int) -> Iterator[tuple[int, Goal, int, int]]:
        """Yield what may be read at place ``i``: (who, goal, count and demands behind it), if the object can end then."""
        if self.high is not None and count >= self.high:
            return
        behind = min(count + 1, self.most)
        who = (i,) if i < len(self.members) else range(i, i + len(self.others))
        for w in who:
            for goal, bits in self.options(w, met):
                after = min(i + 1, len(self.members))
                if self.closes(after, behind, met | bits) or self.alive(after, behind, met | bits):
                    yield w, goal, behind, met | bits

    def closes(self, i: int, count: int, met: int) -> bool:
        """Tell whether an object may end in front of member ``i``."""
        if count < self.low and (self.low > 1 or self.high is not None):
            return False
        if not self._behind:
            self._behind = [0]
            for k in range(len(self.members) - 1, -1, -1):
                rest = self._behind[-1]
                self._behind.append(None if rest is None or self.members[k].needed else rest | self.absent(k))
            self._behind.reverse()
        absent = self._behind[i]
        return absent is not None and met | absent == self.full

    def alive(self, i: int, count: int, met: int) -> bool:
        """Tell whether an object can be completed by at least one member from place ``i`` on."""
        key = (i, count, met)
        if not self._alive:
            self._fill()
        return self._alive.get(key, False)

    def _fill(self) -> None:
        """Compute ``alive``, from the end to the beginning."""
        n = len(self.members)
        sets = range(self.full + 1)
        counts = range(self.most + 1)
        self._alive = {(n, c, met): False for c in counts for met in sets}
        changed = bool(self.others)
        while changed:
            changed = False
            for (i, c, met), known in self._alive.items():
                if not known and any(True for _ in self.steps(i, c, met)):
                    self._alive[i, c, met] = changed = True
        for i in range(n - 1, -1, -1):
            for c in counts:
                for met in sets:
                    self._alive[i, c, met] = any(True for _ in self.steps(i, c, met)) or (
                        not self.members[i].needed and self._alive[i + 1, c, met | self.absent(i)]
                    )

    def inhabited(self) -> bool:
        """Tell whether some object meets all demands; one too large to be tried is taken to do, and refused when written."""
        if self.states > _MAX_STATES:
            return True
        try:
            return self.empty or self.alive(0, 0, 0)
        except LimitExceeded:
            return True

    @property
    def empty(self) -> bool:
        """Whether the object may have no member."""
        return self.low == 0 and self.closes(0, 0, 0)

    def copy(self) -> Plan:
        """Return a plan of its own."""
        members = [Member(m.name, m.goal, m.needed, dict(m.ways), m.absent) for m in self.members]
        return Plan(members, self.others, self.low, self.high, self.judge, self.final, list(self.open))


def plan_of(
    piece: ObjectPiece,
    members: Sequence[tuple[str, Goal, bool, list[tuple[Obligation, ...]]]],
    others: Sequence[tuple[KeyClass, tuple[tuple[Obligation, ...], ...]]],
    judge: Judge,
    *,
    final: bool,
) -> Plan | None:
    """Return the plan of an object piece; ``None`` if its demands cannot be met one by one.

    ``members`` and ``others`` come with what their values may meet, for each of the piece's ``broken``.
    """
    needing = {n: frozenset(j for j, f in enumerate(piece.broken) if n in f.required) for n, *_ in members}
    named: list[Member] = []
    met: set[int] = set()
    for name, goal, needed, ways in members:
        if judge.inhabited(goal):
            by = {j: w for j, w in enumerate(ways) if w}
            named.append(Member(name, goal, needed, by, frozenset() if needed else needing[name]))
        elif needed:
            return None
        else:
            met |= needing[name]
    rest = [Others(c, c.goal, {j: w for j, w in enumerate(ways) if w}) for c, ways in others if judge.inhabited(c.goal)]
    plan = Plan(named, rest, piece.low, piece.high, judge, final, [j for j in range(len(piece.broken)) if j not in met])
    return plan if plan.settle() else None
