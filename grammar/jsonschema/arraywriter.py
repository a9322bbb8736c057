"""Arrays as automata: what ``arrays`` found out about the items, written with brackets, commas and white space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..ir import (
    ITEM_BEGIN,
    ITEM_END,
    OP_COUNT,
    OP_NONE,
    OP_SET,
    OP_TEST,
    START,
    UNBOUNDED,
    Automaton,
    RuleId,
    StateIndex,
)
from .arrays import ArrayPiece, ArrayProduct
from .goals import Goal
from .surface import Surface


@dataclass(frozen=True, slots=True)
class ArrayWriter:
    """Writes the arrays of one grammar.

    Attributes:
        surface: the white space.
        value: the rule of a goal.
        inhabited: whether a goal has a value.
        possible: the same, with the values that are never produced.
        limit: moves of one product (``SchemaLimits.counted_items``).
        tick: the check of the deadline.

    """

    surface: Surface
    value: Callable[[Goal], RuleId]
    inhabited: Callable[[Goal], bool]
    possible: Callable[[Goal], bool]
    limit: int
    tick: Callable[[], None]

    def write(self, a: Automaton, piece: ArrayPiece) -> None:
        """Write the body of a rule for the arrays of a piece; there must be one."""
        if piece.contains or piece.constants:
            self._containing(a, piece)
        else:
            self._plain(a, piece)

    def _plain(self, a: Automaton, piece: ArrayPiece) -> None:
        surface, inhabited = self.surface, self.inhabited
        low, high = piece.low, piece.high
        begins, ends = _marks(piece)
        prefix = piece.prefix
        for i, goal in enumerate(prefix):
            if not inhabited(goal):
                high = i if high is None else min(high, i)
                break
        rest = (high is None or high > len(prefix)) and inhabited(piece.rest)
        if not rest:
            high = len(prefix) if high is None else min(high, len(prefix))
        end, opened, first = a.state(), a.state(), a.state()
        a.accept(end)
        counted = rest and (low > len(prefix) + 1 or high is not None)
        pair = 0
        if counted:
            done = max(len(prefix), 1) if not prefix else len(prefix) + 1
            pair = a.pair(max(low - done, 0), UNBOUNDED if high is None else high - done)
        if prefix or not counted:
            a.literal(START, b"[", opened, OP_NONE | begins)
        else:
            a.literal(START, b"[", opened, OP_SET | begins, pair)
        surface.opened(a, opened, first, b"]", end if low == 0 else None, more=high != 0)
        if high == 0:
            return
        here = first
        for i, goal in enumerate(prefix[: len(prefix) if high is None else high]):
            if i:
                comma, here_next = a.state(), a.state()
                a.literal(here, b",", comma, OP_NONE | begins | ends)
                surface.gap(a, comma, here_next)
                here = here_next
            behind = a.state()
            a.call(here, self.value(goal), behind)
            surface.after(a, behind)
            if i + 1 >= low:
                surface.close(a, behind, b"]", end, OP_NONE | ends)
            here = behind
        if not rest:
            return
        item = a.state()
        if prefix:
            comma = a.state()
            a.literal(here, b",", comma, (OP_SET if counted else OP_NONE) | begins | ends, pair if counted else 0)
            surface.gap(a, comma, item)
        else:
            item = first
        behind = a.state()
        if not prefix:  # the loop must not come back to the state where "]" may follow at once
            inner = a.state()
            a.call(first, self.value(piece.rest), behind)
        else:
            inner = item
            a.call(item, self.value(piece.rest), behind)
        surface.after(a, behind)
        surface.close(a, behind, b"]", end, (OP_TEST if counted else OP_NONE) | ends)
        if high is None or high > len(prefix) + 1:
            comma = a.state()
            a.literal(behind, b",", comma, (OP_COUNT if counted else OP_NONE) | begins | ends)
            surface.gap(a, comma, inner)
            if not prefix:
                a.call(inner, self.value(piece.rest), behind)

    def _containing(self, a: Automaton, piece: ArrayPiece) -> None:
        """Write an array with ``contains``: the states of the product, two for each.

        ``minItems`` and ``maxItems`` go to the counter if the product leaves any say to them.  What is counted is not the
        items but the slack: the items that do not bring the array nearer to where it may end.  So the room is exactly
        what can be spent, and it never runs out before the items that must still come.
        """
        product = ArrayProduct(piece, self.inhabited, self.possible, self.limit, self.tick)
        start = product.states[0]
        low, high = piece.low, piece.high
        most = start.lengths[-1][1]
        tested = low > start.needs and not (piece.unique and piece.constants)  # the product sees to it then
        if high is not None and most is not None and most <= high:
            high = None
        counted = tested or high is not None
        if counted and not _slack_is_enough(product, tested=tested):
            product = ArrayProduct(piece, self.inhabited, self.possible, self.limit, self.tick, counted=True)
            counted = tested = False
        writer = _ProductWriter(self, a, piece, product, counted=counted, tested=tested)
        start = product.states[0]
        writer.write(
            empty=start.accepting and not tested,
            need=max(low - start.needs, 0),
            room=UNBOUNDED if high is None else high - start.needs,
        )


def _marks(piece: ArrayPiece) -> tuple[int, int]:
    """Return what is added to the operations before and behind an item, where items must differ."""
    return (ITEM_BEGIN, ITEM_END) if piece.unique else (0, 0)


def _slack_is_enough(product: ArrayProduct, *, tested: bool) -> bool:
    """Tell whether counting slack says everything that a bound on the items needs to know."""
    live = [s for s in product.states if s.lengths]
    if tested and not all(s.goes_on for s in live):
        return False
    return all(product.states[t].needs <= s.needs for s in live for _, t in s.moves)


class _ProductWriter:
    """One array's product as an automaton."""

    def __init__(
        self,
        writer: ArrayWriter,
        a: Automaton,
        piece: ArrayPiece,
        product: ArrayProduct,
        *,
        counted: bool,
        tested: bool,
    ) -> None:
        self._w = writer
        self._a = a
        self._states = product.states
        self._counted = counted
        self._tested = tested
        self._begins, self._ends = _marks(piece)
        self._end = a.state()
        a.accept(self._end)
        self._items: dict[tuple[int, int], StateIndex] = {}
        self._behind: dict[int, StateIndex] = {}
        self._todo: list[tuple[int, int]] = []

    def write(self, *, empty: bool, need: int, room: int) -> None:
        """Write it; the counter starts with ``need`` and ``room``, in slack."""
        a, surface = self._a, self._w.surface
        slacks = [s for s in self._slacks(0) if s <= room]
        for slack in slacks or [0]:
            opened, first = a.state(), a.state()
            if self._counted:
                a.literal(
                    START,
                    b"[",
                    opened,
                    OP_SET | self._begins,
                    a.pair(max(need - slack, 0), room - slack if room < UNBOUNDED else room),
                )
            else:
                a.literal(START, b"[", opened, OP_NONE | self._begins)
            surface.opened(a, opened, first, b"]", self._end if empty else None, more=bool(slacks))
            empty = False
            if slacks:
                a.epsilon(first, self._item(0, slack))
        while self._todo:
            state, slack = self._todo.pop()
            for goal, target in self._states[state].moves:
                if self._slack(state, target) == slack:
                    a.call(self._items[state, slack], self._w.value(goal), self._after(target))

    def _slack(self, state: int, target: int) -> int:
        return 1 + self._states[target].needs - self._states[state].needs if self._counted else 0

    def _slacks(self, state: int) -> list[int]:
        return sorted({self._slack(state, target) for _, target in self._states[state].moves})

    def _item(self, state: int, slack: int) -> StateIndex:
        """Return the state where an item begins that takes so much of the slack."""
        item = self._items.get((state, slack))
        if item is None:
            item = self._items[state, slack] = self._a.state()
            self._todo.append((state, slack))
        return item

    def _after(self, state: int) -> StateIndex:
        """Return the state behind an item."""
        behind = self._behind.get(state)
        if behind is None:
            a, surface = self._a, self._w.surface
            behind = self._behind[state] = a.state()
            surface.after(a, behind)
            if self._states[state].accepting:
                surface.close(a, behind, b"]", self._end, (OP_TEST if self._tested else OP_NONE) | self._ends)
            for slack in self._slacks(state):
                comma = a.state()
                a.literal(behind, b",", comma, (OP_COUNT if slack else OP_NONE) | self._begins | self._ends)
                surface.gap(a, comma, self._item(state, slack))
        return behind
