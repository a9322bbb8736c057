"""Finite sets of a parser's stacks, and what a parse table does to a whole set at once.

A canvas with holes leaves exponentially many stacks possible at a place, and yet they are few to write down: read from the top, they branch and meet
again.  So a set of stacks is a node of an acyclic automaton that reads a stack from its top: a list of *links*, each a state of the table and the node
of what may lie below it, one link for a state.  Nodes are interned, so that a set has one number, equal sets have equal numbers, and an operation
is done once for each pair of numbers: the shared structure and memoised recursion of decision diagrams (Bryant 1986), on words instead of
truth tables.  Sets are united and intersected exactly; nothing is merged that is not equal, as it may be where a graph-structured stack (Tomita 1985) names its
nodes by place and state.

Feeding a terminal to a set runs the table for every stack in it (``feed``); ``before`` is the other direction: which of some stacks does the terminal
lead into a given set?  With both, a canvas is read forwards and backwards like a finite automaton (``parsed``), with sets of stacks for its sets of states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ...grammar.errors import LimitExceeded
from . import stack_kernels as kernels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...grammar.parsing import Lalr

EMPTY: Final = 0
"""The set of no stacks."""

BARE: Final = 1
"""The set of the stack with nothing on it; it lies below every other."""

MOST_NODES: Final = 1 << 22
"""Nodes of all sets: with the results that are kept, about three hundred bytes each."""

FIRST: Final = 1 << 14
"""Rows of a table before it is grown."""


class StackSets:
    """The sets of one parse table."""

    def __init__(self, lalr: Lalr, *, most_nodes: int = MOST_NODES) -> None:
        """Begin with no sets but the two that everything is made of."""
        if len(lalr.action) > kernels.STATE_MASK:
            raise LimitExceeded(
                f"the parse table has {len(lalr.action)} states", limit="states of a table", value=kernels.STATE_MASK
            )
        self._lexer = lalr.lexer_of.tolist()
        self._end = lalr.action.shape[1] - 1
        self._most_nodes = most_nodes
        head = np.zeros(kernels.ACTION, np.int32)
        parts = [head, lalr.action.reshape(-1), lalr.goto.reshape(-1), lalr.rule_length, lalr.rule_lhs]
        offsets = np.cumsum([len(part) for part in parts])
        head[: kernels.ACCEPT + 1] = *(x.shape[1] for x in (lalr.action, lalr.goto)), len(lalr.rule_lhs), lalr.accept
        head[kernels.GOTO : kernels.LHS + 1] = offsets[1:4]
        self._table = np.concatenate(parts).astype(np.int32)
        self._nodes = np.zeros((FIRST, 4), np.int32)
        self._nodes[:2, 2] = 1, 2
        self._links = np.zeros((4 * FIRST, 2), np.int32)
        self._interned = np.zeros(2 * FIRST, np.int32)
        self._memo = np.zeros((4 * FIRST, 3), np.int64)
        self._work = np.zeros((FIRST, 4), np.int64)
        self._buffer = np.zeros(FIRST, np.int64)
        self._count = np.zeros(kernels.N_COUNTS, np.int64)
        self._count[kernels.N_NODES] = 2
        self._some = np.zeros(FIRST, np.int64)
        self._split: dict[int, dict[int, int]] = {}
        self._known: dict[tuple[int, ...], int] = {}

    def __len__(self) -> int:
        """How many nodes there are."""
        return int(self._count[kernels.N_NODES])

    @property
    def nbytes(self) -> int:
        """What the tables take."""
        return sum(x.nbytes for x in (self._nodes, self._links, self._interned, self._memo, self._work, self._buffer))

    def push(self, state: int, below: int) -> int:
        """A state on top of each stack of a set."""
        return self._evaluated(kernels.PUSH, state, below) if below else EMPTY

    def union(self, sets: Iterable[int]) -> int:
        """The union of some sets."""
        some = {*sets, EMPTY}
        if len(some) <= 2:
            return max(some)
        n = len(some)
        if n > len(self._some):
            self._some = np.zeros(2 * n, np.int64)
        self._some[:n] = sorted(some)
        while True:
            found = kernels.unite(*self._tables(), self._some, n)
            if found >= 0:
                return int(found)
            self._grow()

    def meet(self, one: int, other: int) -> int:
        """The intersection of two sets."""
        if one == other:
            return one
        low, high = min(one, other), max(one, other)
        return EMPTY if low <= BARE else self._evaluated(kernels.MEET, low, high)

    def feed(self, stacks: int, terminal: int) -> int:
        """What the stacks of a set become by a terminal that is shifted in the end; those that do not take it are left out."""
        return self._evaluated(kernels.FEED, stacks, terminal)

    def before(self, stacks: int, terminal: int, after: int) -> int:
        """Those stacks of a set that a terminal leads into ``after``."""
        wanted = self.meet(self.feed(stacks, terminal), after)
        return self._evaluated(kernels.WANTED, stacks, terminal, wanted) if wanted else EMPTY

    def ending(self, stacks: int) -> int:
        """Those stacks of a set that the end of the text accepts."""
        return self._evaluated(kernels.WANTED, stacks, self._end, BARE) if self.feed(stacks, self._end) else EMPTY

    def low(self, stacks: int, height: int) -> int:
        """Those stacks of a set that are not higher."""
        return stacks if self._nodes[stacks, 3] <= height else self._evaluated(kernels.LOW, stacks, height)

    def by_lexer(self, stacks: int) -> dict[int, int]:
        """The stacks of a set, by the lexer that reads the next lexeme above them."""
        found = self._split.get(stacks)
        if found is None:
            first, n = self._nodes[stacks, :2].tolist()
            parts: dict[int, list[int]] = {}
            for state, below in self._links[first : first + n].tolist():
                parts.setdefault(self._lexer[state], []).append(self.push(state, below))
            found = self._split[stacks] = {
                lexer: stacks if len(parts) == 1 else self.union(links) for lexer, links in parts.items()
            }
        return found

    # --- the kernels --------------------------------------------------------------------------------------------------

    def _tables(self) -> tuple[np.ndarray, ...]:
        return (
            self._table,
            self._nodes,
            self._links,
            self._interned,
            self._memo,
            self._work,
            self._buffer,
            self._count,
        )

    def _evaluated(self, op: int, x: int, y: int, z: int = 0) -> int:
        key = (op, x, y, z)
        known = self._known.get(key)
        if known is not None:
            return known
        while True:
            found = int(kernels.evaluate(*self._tables(), op, x, y, z))
            if found >= 0:
                self._known[key] = found
                return found
            self._grow()

    def _grow(self) -> None:
        """Double the table that is full."""
        full = int(self._count[kernels.FULL])
        n = int(self._count[kernels.N_NODES])
        if full == kernels.NODES:
            if 2 * len(self._nodes) > self._most_nodes:
                raise LimitExceeded(
                    "the canvas leaves too many different stacks of the parser",
                    limit="sets of stacks",
                    value=self._most_nodes,
                    hint="fix more slots, or look at the canvas through windows",
                )
            self._nodes = _doubled(self._nodes)
            self._interned = np.zeros(2 * len(self._nodes), np.int32)
            kernels.rehash(self._nodes, self._links, self._interned, n)
        elif full == kernels.LINKS:
            self._links = _doubled(self._links)
        elif full == kernels.MEMO:
            old, self._memo = self._memo, np.zeros((2 * len(self._memo), 3), np.int64)
            kernels.rememo(old, self._memo)
        elif full == kernels.WORK:
            self._work = _doubled(self._work)
        else:
            self._buffer = _doubled(self._buffer)


def _doubled(array: np.ndarray) -> np.ndarray:
    return np.concatenate([array, np.zeros_like(array)])
