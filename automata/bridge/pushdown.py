"""The shortest way of a pushdown system to an end, by a best-first saturation of what it can reach.

A configuration is a control and a stack.  What can be reached from one is a regular set of stacks (Büchi 1964), and the automaton that accepts it is
built by adding transitions until nothing is new: ``post*`` (Bouajjani, Esparza and Maler 1997; Schwoon 2002), here with a cost for each move, the cheapest
configuration first (Reps, Schwoon, Jha and Melski 2005).  So every stack is met, however deep, at the price of one visit for each pair of a control and
the symbol on top, and a first way to an end is a cheapest one.

A *transition* (control, symbol, node) says: the control is reached with the symbol on top, and below it whatever lies below the node.  Where a move pushes, the
node is named by the move's control and top symbol, since what happens above does not hang on what lies below; an *edge* (node, symbol, node) says what may lie
there.  A node's own cost is that of its cheapest edge, so that the order is one of whole ways.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

Control = Hashable
Symbol = Hashable
Node = Hashable

BOTTOM: Final[Node] = "bottom"
"""The node with nothing below it."""

END: Final[Control] = "end"
"""The control that ends the search."""


NO_TOLLS: Final[Mapping[object, int]] = MappingProxyType({})
"""Nothing costs more than the system says."""


class Move(NamedTuple):
    """One move of a pushdown system: the symbol on top is popped, others are pushed.

    Attributes:
        control: where it leads to.
        pushed: symbols that take its place, topmost first.
        cost: never negative.
        label: what the caller wants back of a way that makes the move.

    """

    control: Control
    pushed: tuple[Symbol, ...]
    cost: int
    label: object


class Pushdown(Protocol):
    """A pushdown system, given move by move."""

    def moves(self, control: Control, symbol: Symbol) -> Iterable[Move]:
        """What can be done in a control with a symbol on top."""
        ...

    def progress(self, control: Control, symbol: Symbol) -> int:
        """How much of the way to an end has been made, as a cost: by so much a configuration is looked at the sooner."""
        ...


class _Reason(NamedTuple):
    """How a transition or an edge came about: ``below`` first, then ``above``, then a move's label."""

    below: Any
    above: Any
    label: object


def ways(
    system: Pushdown,
    starts: Iterable[tuple[Control, tuple[Symbol, ...]]],
    limit: int,
    tolls: Mapping[object, int] = NO_TOLLS,
) -> Iterator[list[object]]:
    """Labels of the moves of ways from some configurations to ``END``, one for each last move, the cheapest first where ``progress`` is always 0.

    Args:
        system: its moves.
        starts: configurations, each a control and the symbols on the stack, topmost first.
        limit: the most transitions that are looked at.
        tolls: what moves cost besides, by their labels.

    Returns:
        Of each way the labels in order, those that are None left out.

    """
    return _Search(system, limit, tolls).run(starts)


class _Search:
    def __init__(self, system: Pushdown, limit: int, tolls: Mapping[object, int]) -> None:
        self.system = system
        self.limit = limit
        self.tolls = tolls
        self.reason: dict[Any, _Reason | None] = {}  # of transitions, ("t", ...), and of edges, ("e", ...)
        self.cost: dict[Any, int] = {}  # of transitions and edges, above their lower node
        self.best: dict[Node, int] = {BOTTOM: 0}  # of nodes: the cheapest way to whatever lies at them
        self.down: dict[Node, Any] = {}  # the edge of that way
        self.edges: dict[Node, list[Any]] = {}
        self.exits: dict[Node, list[tuple[Control, int, Any, object]]] = {}  # moves that popped down to a node
        self.heap: list[tuple[int, int, Any, Move | None]] = []
        self.n = 0
        self.done: set[Any] = set()

    def run(self, starts: Iterable[tuple[Control, tuple[Symbol, ...]]]) -> Iterator[list[object]]:
        for control, stack in starts:
            node: Node = BOTTOM
            for depth in range(len(stack) - 1, 0, -1):
                upper = ("start", stack[depth:])
                self._edge(upper, stack[depth], node, 0, None)
                node = upper
            self._reach(control, stack[0], node, 0, None)
        done = self.done
        while self.heap and len(done) < self.limit:
            at, _, transition, paid = heapq.heappop(self.heap)
            _, control, symbol, node = transition
            if paid is not None:
                self._apply(transition, node, self.cost[transition], paid)
                continue
            if transition in done:
                continue
            done.add(transition)
            for free in self.system.moves(control, symbol):
                move = free
                if self.tolls and free.label in self.tolls:
                    move = free._replace(cost=free.cost + self.tolls[free.label])
                if move.control == END:
                    yield self._labels(transition, move.label)
                elif move.cost:  # it is made when its turn comes, so that what it makes is made by the cheapest move
                    self.n += 1
                    heapq.heappush(self.heap, (at + move.cost, self.n, transition, move))
                else:
                    self._apply(transition, node, self.cost[transition], move)

    def _apply(self, transition: Any, node: Node, cost: int, move: Move) -> None:  # noqa: ANN401 - a key
        reason = _Reason(None, transition, move.label)
        pushed = move.pushed
        if len(pushed) == 1:
            self._reach(move.control, pushed[0], node, cost + move.cost, reason)
        elif pushed:
            upper: Node = node
            for i in range(len(pushed) - 1, 0, -1):
                lower, upper = upper, ("pushed", move.control, pushed[:i])
                first = i == len(pushed) - 1
                self._edge(upper, pushed[i], lower, cost + move.cost if first else 0, reason if first else None)
            self._reach(move.control, pushed[0], upper, 0, None)
        elif node != BOTTOM:
            self.exits.setdefault(node, []).append((move.control, cost + move.cost, transition, move.label))
            for edge in self.edges.get(node, ()):
                self._pop(edge, move.control, cost + move.cost, transition, move.label)

    def _pop(self, edge: Any, control: Control, cost: int, transition: Any, label: object) -> None:  # noqa: ANN401
        _, _, symbol, lower = edge
        self._reach(control, symbol, lower, self.cost[edge] + cost, _Reason(edge, transition, label))

    def _edge(self, node: Node, symbol: Symbol, lower: Node, cost: int, reason: _Reason | None) -> None:
        edge = ("e", node, symbol, lower)
        if edge in self.cost:
            return
        self.cost[edge] = cost
        self.reason[edge] = reason
        self.edges.setdefault(node, []).append(edge)
        if node not in self.best:
            self.best[node] = self.best[lower] + cost
            self.down[node] = edge
        for control, popped, transition, label in list(self.exits.get(node, ())):
            self._pop(edge, control, popped, transition, label)

    def _reach(self, control: Control, symbol: Symbol, node: Node, cost: int, reason: _Reason | None) -> None:
        transition = ("t", control, symbol, node)
        if self.cost.get(transition, cost + 1) > cost:
            self.cost[transition] = cost
            self.reason[transition] = reason
            self.n += 1
            at = self.best[node] + cost - self.system.progress(control, symbol)
            heapq.heappush(self.heap, (at, self.n, transition, None))

    def _labels(self, transition: Any, last: object) -> list[object]:  # noqa: ANN401
        """The labels of the way to a transition, and one more; written out from the end."""
        found = [last]
        work: list[tuple[bool, Any]] = []
        node = transition[3]
        path = [transition]
        while node != BOTTOM:
            edge = self.down[node]
            path.append(edge)
            node = edge[3]
        work = [(False, key) for key in reversed(path)]  # the last one is what happened last
        while work:
            is_label, key = work.pop()
            if is_label:
                found.append(key)
                continue
            reason = self.reason[key]
            if reason is not None:  # in order: below, above, label; so pushed in that order, and popped from the end
                if reason.below is not None:
                    work.append((False, reason.below))
                work.append((False, reason.above))
                work.append((True, reason.label))
        found.reverse()
        return [label for label in found if label is not None]
