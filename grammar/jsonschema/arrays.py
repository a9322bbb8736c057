"""Arrays: what a conjunction says about one, and the product that counts the items of ``contains``.

An array is read item by item through an automaton.  Its states are the position (no further than where the items' goals
still change) and one counter per ``contains`` (no further than it matters); an item is of one of the kinds into which the
obligations that still matter cut its goal.  Position and counters only grow, so the automaton is a chain of states with
loops at single ones, and the numbers of items with which each state can still be completed are computed in one backward
pass, as intervals.  They tell whether there is an array at all, and keep every way into a dead end out of the rules.

Where only "at least" is asked for, an item that meets the obligation may be counted or not, and nothing has to be
negated; where "at most" is asked for as well, the two kinds of items are disjoint.

Where two items must be equal, or where items that must come and must differ could run out of values, some values matter
one by one (``ArrayPiece.constants``), and a state has a mark beside its counters: of which of them one equal item was
found and the other is sought, or which of them are used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ..errors import LimitExceeded
from .facts import ALWAYS, NEVER, Contains, Obligation, Refusal, opposite
from .goals import Conjunction, Goal, goal_of

Intervals = list[tuple[int, int | None]]
"""Sets of numbers: disjoint intervals with gaps between them, in order; ``None`` is no upper bound."""


@dataclass(slots=True)
class ArrayPiece:
    """Arrays: goals of the first items, of the rest, bounds, and items that must (or must not) occur.

    ``contains`` says only what the other attributes cannot: each asks for at least one item or allows at least one.
    ``unique`` says that no two items are equal, where there may be two, and ``equal`` that some two are; both are the pointer
    of the keyword.  ``constants`` are the values one of which the two have, or those that are told
    apart so that required items never run out of them; ``None`` as long as nobody asked.  ``whole`` says that no other
    value could be the equal one, or that nothing runs out for sure.
    """

    prefix: list[Goal]
    rest: Goal
    low: int
    high: int | None
    contains: tuple[Contains, ...]
    refusals: list[Refusal] = field(default_factory=list)
    unique: str = ""
    equal: str = ""
    constants: tuple[Obligation, ...] | None = None
    whole: bool = True


def array_piece(conjunction: Conjunction, refusals: list[Refusal]) -> ArrayPiece | None:
    """Merge what facts say about arrays; ``None`` where they contradict each other at once."""
    low, high = 0, None
    unique = equal = ""
    count = 0
    asked: dict[tuple[Obligation, int], tuple[int, int | None]] = {}
    for f in conjunction:
        low = max(low, f.min_items)
        high = _least(high, f.max_items)
        count = max(count, len(f.prefix))
        unique = unique or f.unique
        equal = equal or f.equal
        for c in f.contains:
            least, most = asked.get((c.obligation, c.start), (0, None))
            asked[c.obligation, c.start] = max(least, c.least), _least(most, c.most)
    contains: list[Contains] = []
    forbidden: list[tuple[Obligation, int]] = []
    for (obligation, start), (least, most) in asked.items():
        if most is not None and most < least:
            return None
        if obligation == ALWAYS:
            low = max(low, start + least) if least else low
            high = _least(high, None if most is None else start + most)
        elif most == 0:
            forbidden.append((obligation, start))
            count = max(count, start)
        elif obligation == NEVER:
            if least:
                return None
        elif least or most is not None:
            contains.append(Contains(obligation, least, most, start))
    if high is not None:
        if low > high or any(c.least and c.start + c.least > high for c in contains):
            return None
        count = min(count, high)
    prefix = [
        goal_of([
            *(f.prefix[i] if i < len(f.prefix) else f.rest for f in conjunction),
            *(opposite(o) for o, start in forbidden if start <= i),
        ])
        for i in range(count)
    ]  # fmt: skip
    rest = goal_of([*(f.rest for f in conjunction), *(opposite(o) for o, _ in forbidden)])
    if equal and (unique or high in (0, 1)):
        return None
    if high in (0, 1):
        unique = ""
    return ArrayPiece(prefix, rest, low, high, tuple(contains), refusals, unique, equal)


def _least(a: int | None, b: int | None) -> int | None:
    """Return the smaller of two upper bounds."""
    if a is None or b is None:
        return b if a is None else a
    return min(a, b)


@dataclass(slots=True)
class ArrayState:
    """One state of the product, behind some items.

    Attributes:
        position, counts, mark: what it stands for.
        accepting: whether every ``contains`` is content here.
        moves: (goal of the next item, state behind it), dead ones left out.
        lengths: how many further items can make the array complete.

    """

    position: int
    counts: tuple[int, ...]
    mark: int
    accepting: bool
    moves: list[tuple[Goal, int]] = field(default_factory=list)
    lengths: Intervals = field(default_factory=list)

    @property
    def needs(self) -> int:
        """The least number of further items."""
        return self.lengths[0][0]

    @property
    def goes_on(self) -> bool:
        """Whether every number of further items from the least one on is possible."""
        return len(self.lengths) == 1 and self.lengths[0][1] is None


class ArrayProduct:
    """The states of an array with ``contains``, or with values that matter one by one; the first is the start.

    ``counted`` keeps the exact number of items and applies the bounds to it; without, they are left to the caller.  But
    the lower one is applied where required items could run out of values, or (``told_apart``) to see whether they could.

    The mark of a state is a set of bits for the constants that are used, no further than they matter, where items must
    differ; where two must be equal, it is 0, or k + 1 if constant k was read and will be read again, or -1 behind that.

    Raises ``LimitExceeded`` beyond ``limit`` moves.
    """

    def __init__(
        self,
        piece: ArrayPiece,
        inhabited: Callable[[Goal], bool],
        possible: Callable[[Goal], bool],
        limit: int,
        tick: Callable[[], None],
        *,
        counted: bool = False,
        told_apart: bool = False,
    ) -> None:
        """Explore the states from the start, and prune what cannot be completed."""
        self._piece = piece
        self._inhabited = inhabited
        self._possible = possible
        self._limit = limit
        self._tick = tick
        self._kinds: dict[
            tuple[Goal, tuple[tuple[Obligation, str], ...]], list[tuple[Goal, frozenset[Obligation]]]
        ] = {}
        self._moves = 0
        self._constants = piece.constants or ()
        self._told_apart = told_apart or bool(piece.unique and self._constants)
        self._low = piece.low if counted or self._told_apart else 0
        self._high = piece.high if counted else None
        self._last = max(len(piece.prefix), *(c.start for c in piece.contains), self._low, self._high or 0)
        self._matter: list[int] = []
        self._index: dict[tuple[int, tuple[int, ...], int], int] = {}
        self.states: list[ArrayState] = []
        self._state(0, (0,) * len(piece.contains), 0)
        explored = 0
        while explored < len(self.states):
            self._explore(self.states[explored])
            explored += 1
        self._prune()

    def has_length(self, low: int, high: int | None) -> bool:
        """Tell whether there is an array whose number of items is between two bounds."""
        return any(
            (high is None or least <= high) and (most is None or most >= low) for least, most in self.states[0].lengths
        )

    def could_run_out(self, count: Callable[[Goal, int], int]) -> Goal | None:
        """Return a goal that an item which must come may have no value left for; ``count`` is a lower bound of its values.

        No more items can have used its values than came before where the position is known, and behind that no more than
        came before what counts them, and were counted.
        """
        waiting = self._last + max((c.least for c in self._piece.contains), default=0)
        for state in self.states:
            if state.lengths and not state.accepting:
                before = state.position if state.position < self._last else waiting
                for goal, _ in state.moves if before else ():
                    if self._constants_in(goal) != 1 and count(goal, before + 1) <= before:
                        return goal
        return None

    def _constants_in(self, goal: Goal) -> int:
        return sum(o in self._constants for o in goal)

    def _base(self, position: int) -> Goal:
        return self._piece.prefix[position] if position < len(self._piece.prefix) else self._piece.rest

    def _mattering(self, position: int) -> int:
        """Return which constants an item at a position or behind it may be."""
        if not self._matter:
            bits = 0
            for p in range(self._last, -1, -1):
                for k, constant in enumerate(self._constants):
                    if not bits >> k & 1 and self._inhabited(goal_of((*self._base(p), constant))):
                        bits |= 1 << k
                self._matter.append(bits)
            self._matter.reverse()
        return self._matter[position]

    def _state(self, position: int, counts: tuple[int, ...], mark: int) -> int:
        content = all(n >= c.least for n, c in zip(counts, self._piece.contains, strict=True))
        accepting = content and position >= self._low and (mark == _FOUND or not self._piece.equal)
        if self._told_apart:  # nothing must come where the array may end
            mark = 0 if accepting else mark & self._mattering(position)
        index = self._index.get((position, counts, mark))
        if index is None:
            index = self._index[position, counts, mark] = len(self.states)
            self.states.append(ArrayState(position, counts, mark, accepting))
        return index

    def _marked(self, base: Goal, state: ArrayState) -> list[tuple[Goal, int]]:
        """Return what an item may be, and the mark behind it."""
        constants, mark = self._constants, state.mark
        if self._piece.equal:
            if mark == 0:
                return [(base, 0), *((goal_of((*base, o)), k + 1) for k, o in enumerate(constants))]
            return [(base, mark), *([(goal_of((*base, constants[mark - 1])), _FOUND)] if mark > 0 else [])]
        if not self._told_apart or state.accepting:
            return [(base, 0)]
        unused = [(k, o) for k, o in enumerate(constants) if not mark >> k & 1]
        single = [(goal_of((*base, o)), mark | 1 << k) for k, o in unused]
        return [*single, (goal_of((*base, *map(opposite, constants))), mark)]

    def _explore(self, state: ArrayState) -> None:
        piece, position = self._piece, state.position
        if position == self._high:
            return
        wanted: dict[Obligation, str] = {}
        for n, c in zip(state.counts, piece.contains, strict=True):
            if position < c.start or (c.most is None and n >= c.least):
                continue
            kind = "may" if c.most is None else "tell" if n < c.most else "never"
            if _STRENGTH[kind] > _STRENGTH[wanted.get(c.obligation, "")]:
                wanted[c.obligation] = kind
        behind = min(position + 1, self._last)
        for base, mark in self._marked(self._base(position), state):
            for goal, met in self._kinds_of(base, tuple(wanted.items())):
                counts = tuple(
                    n + 1
                    if c.obligation in met and position >= c.start and n < (c.least if c.most is None else c.most)
                    else n
                    for n, c in zip(state.counts, piece.contains, strict=True)
                )
                state.moves.append((goal, self._state(behind, counts, mark)))
                self._count(1)

    def _kinds_of(
        self, goal: Goal, wanted: tuple[tuple[Obligation, str], ...]
    ) -> list[tuple[Goal, frozenset[Obligation]]]:
        """Cut a goal into kinds of items, each with the obligations that it is known to meet."""
        found = self._kinds.get((goal, wanted))
        if found is None:
            found = [(goal, frozenset[Obligation]())] if self._inhabited(goal) else []
            for obligation, kind in wanted:
                found = [part for g, met in found for part in self._cut(g, met, obligation, kind)]
                self._count(len(found))
            self._kinds[goal, wanted] = found
        return found

    def _cut(
        self, goal: Goal, met: frozenset[Obligation], obligation: Obligation, kind: str
    ) -> list[tuple[Goal, frozenset[Obligation]]]:
        if obligation in goal:
            return [] if kind == "never" else [(goal, met | {obligation})]
        if opposite(obligation) in goal:
            return [(goal, met)]
        with_it = goal_of((*goal, obligation))
        if not self._possible(with_it):
            return [(goal, met)]
        those = [(with_it, met | {obligation})] if kind != "never" and self._inhabited(with_it) else []
        if kind == "may":
            return [(goal, met), *those]
        without = goal_of((*goal, opposite(obligation)))
        if not self._possible(without):
            return [] if kind == "never" else [(goal, met | {obligation})]
        return [*([(without, met)] if self._inhabited(without) else []), *those]

    def _count(self, moves: int) -> None:
        self._moves += moves
        self._tick()
        if self._moves > self._limit:
            raise LimitExceeded(
                "the items that 'contains' counts, or of which two must be equal, have too many states",
                limit="counted_items",
                value=self._limit,
                hint="raise SchemaLimits.counted_items",
            )

    def _prune(self) -> None:
        states = self.states

        def progress(i: int) -> tuple[int, int, int]:
            mark = states[i].mark
            marked = mark.bit_count() if self._told_apart else 2 if mark == _FOUND else min(mark, 1)
            return states[i].position, sum(states[i].counts), marked

        for i in sorted(range(len(states)), key=progress, reverse=True):
            state = states[i]
            lengths: Intervals = [(0, 0)] if state.accepting else []
            loops = False
            for _, target in state.moves:
                if target == i:
                    loops = True
                else:
                    lengths += [(a + 1, None if b is None else b + 1) for a, b in states[target].lengths]
            state.lengths = _united(lengths)
            if loops and lengths:
                state.lengths = [(state.needs, None)]
        for state in states:
            state.moves = list(dict.fromkeys(m for m in state.moves if states[m[1]].lengths))


_FOUND: Final = -1
"""The mark of a state behind two equal items."""

_STRENGTH: Final = {"": 0, "may": 1, "tell": 2, "never": 3}
"""Of two ways to look at one obligation the stronger one serves both."""


def _united(intervals: Intervals) -> Intervals:
    out: Intervals = []
    for a, b in sorted(intervals, key=lambda i: i[0]):
        if out and (out[-1][1] is None or a <= out[-1][1] + 1):
            last = out[-1][1]
            out[-1] = out[-1][0], None if last is None or b is None else max(last, b)
        else:
            out.append((a, b))
    return out
