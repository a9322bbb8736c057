r"""What completing a stack costs at least, exactly, from what states of the table do until they are popped.

A parser with a stack is a weighted pushdown system; its least costs are the least fixed point of equations over *summaries* (weighted *pre\**: Reps, Schwoon, Jha and
Melski 2005).  A summary says at what costs a state with whatever lies above it is popped: how many symbols below it go, too, the nonterminal of the goto then, and the
*feed* that comes after it, a terminal with the lexer that it was chosen in.  On a real stack summaries are followed from the top down.

The equations are of the size of the table times its terminals, so this is for what a search does not find.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from .items import FAR

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...grammar.parsing import Lalr

Key = tuple[int, int, int]
"""(symbols to pop below, nonterminal, feed)."""
Summary = dict[Key, int]
Goto = tuple[int, int]
"""(nonterminal, feed)."""
ACCEPTED: Final[Key] = (-1, -1, -1)
MOST_ENTRIES: Final = 50_000
"""Entries that are found until nothing changes: two seconds.  A grammar of C takes ten thousand, one of thirty rules hundreds."""


class Node(NamedTuple):
    """What a summary is of.

    Attributes:
        below: the state.
        above: the state on top of it, between two lexemes; -1: it is on top itself, or a goto is to be done.
        goto: the nonterminal of that goto, -1 for none.
        feed: the feed after it.

    """

    below: int
    above: int = -1
    goto: int = -1
    feed: int = -1


class TooLarge(Exception):
    """More than ``MOST_ENTRIES`` were found."""


class Summaries:
    """Least costs of stacks, each given by a number of which ``cells`` tells the top state and the stack below."""

    def __init__(
        self, lalr: Lalr, cost: Callable[[int, int, int], int], cells: Callable[[int], tuple[int, int]]
    ) -> None:
        """Know nothing yet.

        Args:
            lalr: the table.
            cost: of a lexer, a column and the lexer behind it (-1 behind the end): the cost of the terminal.
            cells: of a stack: its top state, and the stack below, 0 below the last one.

        """
        self._start, self._accept = lalr.start, lalr.accept
        self._action, self._goto = lalr.action.tolist(), lalr.goto.tolist()
        self._lhs, self._length = lalr.rule_lhs.tolist(), lalr.rule_length.tolist()
        self._lexer_of = lalr.lexer_of.tolist()
        self._end = lalr.action.shape[1] - 1
        self._cost = cost
        self._cells = cells
        self._feeds: list[tuple[int, int]] = []  # (column, lexer)
        self._feed_of: dict[tuple[int, int], int] = {}
        self._of: dict[Node, Summary] = {}
        self._readers: defaultdict[Node, set[Node]] = defaultdict(set)
        self._dirty: list[Node] = []
        self._entries = 0
        self._after: dict[tuple[int, int, int], int] = {}  # (stack, nonterminal, feed) -> least cost, FAR for none

    def of(self, stack: int) -> int | None:
        """The least cost of a stack between two lexemes; ``None`` where there is no way, or summaries are too large."""
        try:
            top, below = self._cells(stack)
            ways = self._solved(Node(top))
            best = min((cost + self._behind(below, key) for key, cost in ways.items()), default=FAR)
        except TooLarge:
            return None
        return best if best < FAR else None

    def _behind(self, stack: int, key: Key) -> int:
        """What comes after a goto on a stack, or further below it."""
        if key == ACCEPTED:
            return 0
        first = self._lowered(stack, key)
        work = [] if first is None else [first]
        while work:
            node = work[-1]
            if node in self._after:
                work.pop()
                continue
            top, below = self._cells(node[0])
            best, missing = FAR, len(work)
            for lower, cost in self._solved(Node(top, -1, node[1], node[2])).items():
                under = None if lower == ACCEPTED else self._lowered(below, lower)
                if lower == ACCEPTED:
                    best = min(best, cost)
                elif under is not None and under not in self._after:
                    work.append(under)
                elif under is not None:
                    best = min(best, cost + self._after[under])
            if missing == len(work):
                self._after[node] = best
        return FAR if first is None else self._after[first]

    def _lowered(self, stack: int, key: Key) -> tuple[int, int, int] | None:
        """The stack on which a goto is done, with it; ``None`` where there are not so many symbols."""
        for _ in range(key[0]):
            if stack == 0:
                return None
            stack = self._cells(stack)[1]
        return None if stack == 0 else (stack, key[1], key[2])

    # --- the equations ----------------------------------------------------------------------------------------------------

    def _solved(self, node: Node) -> Summary:
        """The summary of a node: the least fixed point of all that it hangs on."""
        if self._entries > MOST_ENTRIES:
            raise TooLarge
        if node not in self._of:
            self._begin(node)
            while self._dirty:
                here = self._dirty.pop()
                if self._entries > MOST_ENTRIES:
                    raise TooLarge
                found = self._evaluated(here)
                self._entries += 1 + len(found)
                if found != self._of[here]:
                    self._of[here] = found
                    self._dirty += self._readers[here]
        return self._of[node]

    def _read(self, node: Node, reader: Node) -> Summary:
        """What is known of a node so far, for another one that is told when that changes."""
        if node not in self._of:
            self._begin(node)
        self._readers[node].add(reader)
        return self._of[node]

    def _begin(self, node: Node) -> None:
        self._of[node] = {}
        self._dirty.append(node)

    def _evaluated(self, node: Node) -> Summary:
        """One side of a node's equation: what it is by what is known of the others."""
        found: Summary = {}
        gotos: dict[Goto, int] = {}  # on the node's state
        if node.goto >= 0:
            gotos[node.goto, node.feed] = 0
        elif node.above >= 0:
            _take(self._read(Node(node.above), node), 0, found, gotos)
        else:
            lexer = self._lexer_of[node.below]
            for column, act in enumerate(self._action[node.below] if lexer >= 0 else ()):
                if act:
                    feed = self._feed(column, lexer)
                    self._fed(node, act, feed, 0, found, gotos)
        self._close(node, found, gotos)
        return found

    def _fed(self, node: Node, act: int, feed: int, cost: int, found: Summary, gotos: dict[Goto, int]) -> None:
        """The node's state does ``act``, on top."""
        if act > 0:
            step = self._price(feed, act - 1)
            if step < FAR:
                _take(self._read(Node(act - 1), node), cost + step, found, gotos)
        else:
            _put(self._length[-1 - act], (self._lhs[-1 - act], feed), cost, found, gotos)

    def _close(self, node: Node, found: Summary, gotos: dict[Goto, int]) -> None:
        """Do all gotos on the node's state, and those that they lead to (Dijkstra 1959)."""
        state = node.below
        heap = [(cost, *goto) for goto, cost in gotos.items()]
        heapq.heapify(heap)
        done: set[Goto] = set()
        while heap:
            cost, lhs, feed = heapq.heappop(heap)
            top = self._goto[state][lhs]
            if (lhs, feed) in done or top < 0:
                continue
            done.add((lhs, feed))
            column = self._feeds[feed][0]
            if state == self._start and top == self._accept and column == self._end:
                found[ACCEPTED] = min(found.get(ACCEPTED, FAR), cost + self._price(feed, -1))
            act = self._action[top][column]
            more: dict[Goto, int] = {}
            if act > 0:
                step = self._price(feed, act - 1)
                if step < FAR:
                    _take(self._read(Node(top, act - 1), node), cost + step, found, more)
            elif act < 0 and self._length[-1 - act] == 0:
                _take(self._read(Node(top, -1, self._lhs[-1 - act], feed), node), cost, found, more)
            elif act < 0:
                _put(self._length[-1 - act] - 1, (self._lhs[-1 - act], feed), cost, found, more)
            for goto, total in more.items():
                if goto not in done:
                    heapq.heappush(heap, (total, *goto))

    def _price(self, feed: int, state: int) -> int:
        column, lexer = self._feeds[feed]
        return self._cost(lexer, column, self._lexer_of[state] if state >= 0 else -1)

    def _feed(self, column: int, lexer: int) -> int:
        key = (column, lexer)
        if key not in self._feed_of:
            self._feed_of[key] = len(self._feeds)
            self._feeds.append(key)
        return self._feed_of[key]


def _put(pops: int, goto: Goto, cost: int, found: Summary, gotos: dict[Goto, int]) -> None:
    """A goto once so many symbols are popped, the node's state first."""
    if pops:
        key = (pops - 1, *goto)
        found[key] = min(found.get(key, cost), cost)
    else:
        gotos[goto] = min(gotos.get(goto, cost), cost)


def _take(above: Summary, cost: int, found: Summary, gotos: dict[Goto, int]) -> None:
    """What the state directly above the node's does, at a cost more."""
    for (pops, lhs, feed), own in above.items():
        _put(pops, (lhs, feed), cost + own, found, gotos)


__all__ = ["Summaries"]
