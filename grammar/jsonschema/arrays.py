"""Arrays: what a conjunction says about one, and the product that counts the items of ``contains``.

An array is read item by item through an automaton.  Its states are the position (no further than where the items' goals
still change) and one counter per ``contains`` (no further than it matters); an item is of one of the kinds into which the
obligations that still matter cut its goal.  Position and counters only grow, so the automaton is a chain of states with
loops at single ones, and the numbers of items with which each state can still be completed are computed in one backward
pass, as intervals.  They tell whether there is an array at all, and keep every way into a dead end out of the rules.

Where only "at least" is asked for, an item that meets the obligation may be counted or not, and nothing has to be
negated; where "at most" is asked for as well, the two kinds of items are disjoint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ..errors import LimitExceeded
from .algebra import Conjunction, Goal, goal_of
from .facts import ALWAYS, NEVER, Contains, Obligation, Refusal, opposite

Intervals = list[tuple[int, int | None]]
"""Sets of numbers: disjoint intervals with gaps between them, in order; ``None`` is no upper bound."""


@dataclass(slots=True)
class ArrayPiece:
    """Arrays: goals of the first items, of the rest, bounds, and items that must (or must not) occur.

    ``contains`` says only what the other attributes cannot: each asks for at least one item or allows at least one.
    ``unique`` says that no two items are equal, where there may be two.
    """

    prefix: list[Goal]
    rest: Goal
    low: int
    high: int | None
    contains: tuple[Contains, ...]
    refusals: list[Refusal] = field(default_factory=list)
    unique: bool = False


def array_piece(conjunction: Conjunction, refusals: list[Refusal]) -> ArrayPiece | None:
    """Merge what facts say about arrays; ``None`` where they contradict each other at once."""
    low, high = 0, None
    unique = False
    count = 0
    asked: dict[tuple[Obligation, int], tuple[int, int | None]] = {}
    for f in conjunction:
        low = max(low, f.min_items)
        high = _least(high, f.max_items)
        count = max(count, len(f.prefix))
        unique = unique or f.unique
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
    unique = unique and (high is None or high > 1)
    return ArrayPiece(prefix, rest, low, high, tuple(contains), refusals, unique)


def _least(a: int | None, b: int | None) -> int | None:
    """Return the smaller of two upper bounds."""
    if a is None or b is None:
        return b if a is None else a
    return min(a, b)


@dataclass(slots=True)
class ArrayState:
    """One state of the product, behind some items.

    Attributes:
        position, counts: what it stands for.
        accepting: whether every ``contains`` is content here.
        moves: (goal of the next item, state behind it), dead ones left out.
        lengths: how many further items can make the array complete.

    """

    position: int
    counts: tuple[int, ...]
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
    """The states of an array with ``contains``; the first is the start.

    ``counted`` keeps the exact number of items and applies the bounds to it; without, they are left to the caller.

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
        self._low, self._high = (piece.low, piece.high) if counted else (0, None)
        self._last = max(len(piece.prefix), *(c.start for c in piece.contains), self._low, self._high or 0)
        self._index: dict[tuple[int, tuple[int, ...]], int] = {}
        self.states: list[ArrayState] = []
        self._state(0, (0,) * len(piece.contains))
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

    def _state(self, position: int, counts: tuple[int, ...]) -> int:
        index = self._index.get((position, counts))
        if index is None:
            index = self._index[position, counts] = len(self.states)
            content = all(n >= c.least for n, c in zip(counts, self._piece.contains, strict=True))
            self.states.append(ArrayState(position, counts, content and position >= self._low))
        return index

    def _explore(self, state: ArrayState) -> None:
        piece, position = self._piece, state.position
        if position == self._high:
            return
        base = piece.prefix[position] if position < len(piece.prefix) else piece.rest
        wanted: dict[Obligation, str] = {}
        for n, c in zip(state.counts, piece.contains, strict=True):
            if position < c.start or (c.most is None and n >= c.least):
                continue
            kind = "may" if c.most is None else "tell" if n < c.most else "never"
            if _STRENGTH[kind] > _STRENGTH[wanted.get(c.obligation, "")]:
                wanted[c.obligation] = kind
        behind = min(position + 1, self._last)
        for goal, met in self._kinds_of(base, tuple(wanted.items())):
            counts = tuple(
                n + 1
                if c.obligation in met and position >= c.start and n < (c.least if c.most is None else c.most)
                else n
                for n, c in zip(state.counts, piece.contains, strict=True)
            )
            state.moves.append((goal, self._state(behind, counts)))
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
                "the items that 'contains' counts have too many states",
                limit="counted_items",
                value=self._limit,
                hint="raise SchemaLimits.counted_items",
            )

    def _prune(self) -> None:
        states = self.states
        order = sorted(range(len(states)), key=lambda i: (states[i].position, sum(states[i].counts)), reverse=True)
        for i in order:
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
