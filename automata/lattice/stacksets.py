"""Finite sets of a parser's stacks, and what a parse table does to a whole set at once.

A canvas with holes leaves exponentially many stacks possible at a place, and yet they are few to write down: read from the top, they branch and meet
again.  So a set of stacks is a node of an acyclic automaton that reads a stack from its top: a list of *links*, each a state of the table and the node
of what may lie below it, at most one link for a state.  Nodes are interned, so that a set has one number, equal sets are equal numbers, and an operation
is done once for each pair of numbers: the shared structure and memoised recursion of decision diagrams (Bryant 1986), on words instead of
truth tables.  Two sets are united or intersected exactly; nothing is merged that is not equal, as it is where a graph-structured stack (Tomita 1985) names its
nodes by place and state.

Feeding a terminal to a set runs the table for every stack in it (``feed``); ``before`` is the other direction: which of some stacks does the terminal
lead into a given set?  With both, a canvas is read forwards and backwards like a finite automaton (``parsed``), with sets of stacks for its sets of states.

Nodes are numbered from the bottom of the stack upwards, so what a node links to has smaller numbers.  No recursion is the interpreter's own: stacks may be thousands of
states deep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...grammar.errors import LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from ...grammar.parsing import Lalr

EMPTY: Final = 0
"""The set of no stacks."""

BARE: Final = 1
"""The set of the stack with nothing on it; it lies below every other."""

MOST_NODES: Final = 4_000_000
"""Nodes of all sets, some hundred bytes each."""

Links = tuple[tuple[int, int], ...]
"""State of the table, and the node of what lies below it; by rising states."""

Work = "Generator[Work, int, int]"


def run(work: Generator[object, int, int]) -> int:
    """Drive a recursion that is written as a generator: it yields what it calls, and is sent what that returns."""
    stack = [work]
    value = 0
    first = True
    while stack:
        try:
            called = next(stack[-1]) if first else stack[-1].send(value)
        except StopIteration as done:
            stack.pop()
            value = done.value
            first = False
        else:
            stack.append(called)  # type: ignore[arg-type]
            first = True
    return value


class StackSets:
    """The sets of one parse table."""

    def __init__(self, lalr: Lalr, *, most_nodes: int = MOST_NODES) -> None:
        """Begin with no sets but the two that everything is made of."""
        self._action = lalr.action.tolist()
        self._goto = lalr.goto.tolist()
        self._length = lalr.rule_length.tolist()
        self._lhs = lalr.rule_lhs.tolist()
        self._lexer = lalr.lexer_of.tolist()
        self._accept = lalr.accept
        self._end = lalr.action.shape[1] - 1
        self._most_nodes = most_nodes
        self.links: list[Links] = [(), ()]
        self._node_of: dict[Links, int] = {}
        self._unions: dict[frozenset[int], int] = {}
        self._meets: dict[tuple[int, int], int] = {}
        self._below: dict[tuple[int, int], int] = {}
        self._fed: dict[tuple[int, int], int] = {}
        self._before: dict[tuple[int, int, int], int] = {}
        self._reductions: dict[tuple[int, int], list[int]] = {}
        self._split: dict[int, dict[int, int]] = {}

    def __len__(self) -> int:
        """How many nodes there are."""
        return len(self.links)

    def node(self, links: Links) -> int:
        """The set of these links, by rising states, none of which leads to the empty set."""
        if not links:
            return EMPTY
        found = self._node_of.get(links)
        if found is None:
            found = self._node_of[links] = len(self.links)
            self.links.append(links)
            if found > self._most_nodes:
                raise LimitExceeded(
                    "the canvas leaves too many different stacks of the parser",
                    limit="stack sets",
                    value=self._most_nodes,
                    hint="fix more slots, or look at the canvas through windows",
                )
        return found

    def push(self, state: int, below: int) -> int:
        """A state on top of each stack of a set."""
        return self.node(((state, below),)) if below else EMPTY

    def union(self, sets: Iterable[int]) -> int:
        """The union of some sets."""
        some = frozenset(sets)
        return run(self._united(some)) if len(some - {EMPTY}) > 1 else max(some, default=EMPTY)

    def _united(self, sets: frozenset[int]) -> Generator[object, int, int]:
        known = self._unions.get(sets)
        if known is not None:
            return known
        by_state: dict[int, set[int]] = {}
        for one in sets:
            for state, below in self.links[one]:
                by_state.setdefault(state, set()).add(below)
        links = []
        for state in sorted(by_state):
            below_all = by_state[state]
            if len(below_all) == 1:
                below = below_all.pop()
            else:
                some = frozenset(below_all)
                known = self._unions.get(some)
                below = (yield self._united(some)) if known is None else known
            links.append((state, below))
        found = self._unions[sets] = self.node(tuple(links))
        return found

    def meet(self, one: int, other: int) -> int:
        """The intersection of two sets."""
        if one == other:
            return one
        return run(self._met(min(one, other), max(one, other)))

    def _met(self, one: int, other: int) -> Generator[object, int, int]:
        key = (one, other)
        found = self._meets.get(key)
        if found is not None:
            return found
        links = []
        if one > BARE:
            there = dict(self.links[other])
            for state, below in self.links[one]:
                second = there.get(state)
                if second is None:
                    continue
                if second != below:
                    pair = (below, second) if below < second else (second, below)
                    known = self._meets.get(pair)
                    below = (yield self._met(*pair)) if known is None else known
                if below:
                    links.append((state, below))
        found = self._meets[key] = self.node(tuple(links))
        return found

    def by_lexer(self, stacks: int) -> dict[int, int]:
        """The stacks of a set, by the lexer that reads the next lexeme above them."""
        found = self._split.get(stacks)
        if found is None:
            parts: dict[int, list[tuple[int, int]]] = {}
            for link in self.links[stacks]:
                parts.setdefault(self._lexer[link[0]], []).append(link)
            found = self._split[stacks] = {lexer: self.node(tuple(links)) for lexer, links in parts.items()}
        return found

    def under(self, stacks: int, state: int) -> int:
        """What lies below a state on top."""
        for top, below in self.links[stacks]:
            if top == state:
                return below
        return EMPTY

    def popped(self, stacks: int, n: int) -> int:
        """The stacks of a set without their n topmost states."""
        if n == 0:
            return stacks
        key = (stacks, n)
        found = self._below.get(key)
        if found is None:
            found = stacks
            for _ in range(n):
                found = self.union(below for _, below in self.links[found])
            self._below[key] = found
        return found

    def feed(self, stacks: int, terminal: int) -> int:
        """What the stacks of a set become by a terminal that is shifted in the end; those that do not take it are left out."""
        found = self._fed.get((stacks, terminal))
        return run(self._fed_to(stacks, terminal)) if found is None else found

    def _fed_to(self, stacks: int, terminal: int) -> Generator[object, int, int]:
        links = self.links[stacks]
        shifted: dict[int, list[tuple[int, int]]] = {}
        done: list[int] = []
        for link in links:
            action = self._action[link[0]][terminal]
            if action == 0:
                continue
            if len(links) > 1:
                one = self.node((link,))
                known = self._fed.get((one, terminal))
                done.append((yield self._fed_to(one, terminal)) if known is None else known)
            elif action > 0:
                shifted.setdefault(action - 1, []).append(link)
            else:
                for reduced in self._reduced(stacks, -1 - action):
                    known = self._fed.get((reduced, terminal))
                    done.append((yield self._fed_to(reduced, terminal)) if known is None else known)
        done += [self.push(target, self.node(tuple(some))) for target, some in shifted.items()]
        found = self._fed[stacks, terminal] = self.union(done)
        return found

    def _reduced(self, stacks: int, rule: int) -> list[int]:
        """The end of a reduction: for each state that the table leads to a set of stacks with it on top."""
        key = (stacks, rule)
        found = self._reductions.get(key)
        if found is None:
            lhs = self._lhs[rule]
            parts: dict[int, list[tuple[int, int]]] = {}
            for link in self.links[self.popped(stacks, self._length[rule])]:
                target = self._goto[link[0]][lhs]
                if target >= 0:
                    parts.setdefault(target, []).append(link)
            found = self._reductions[key] = [self.push(target, self.node(tuple(x))) for target, x in parts.items()]
        return found

    def before(self, stacks: int, terminal: int, after: int) -> int:
        """Those stacks of a set that a terminal leads into ``after``."""
        if after == EMPTY:
            return EMPTY
        return run(self._wanted(stacks, terminal, after))

    def ending(self, stacks: int) -> int:
        """Those stacks of a set that the end of the text accepts."""
        return run(self._wanted(stacks, self._end, BARE))

    def _wanted(self, stacks: int, terminal: int, after: int) -> Generator[object, int, int]:
        key = (stacks, terminal, after)
        found = self._before.get(key)
        if found is not None:
            return found
        links = []
        for state, below in self.links[stacks]:
            action = self._action[state][terminal]
            left = EMPTY
            if action > 0:
                left = self.meet(self.under(self.under(after, action - 1), state), below)
            elif action < 0:
                rule = -1 - action
                length = self._length[rule]
                if length:
                    left = yield self._uncovered(below, length - 1, rule, terminal, after)
                else:
                    whole = self.node(((state, below),))
                    left = self.under((yield self._uncovered(whole, 0, rule, terminal, after)), state)
            if left:
                links.append((state, left))
        found = self._before[key] = self.node(tuple(links))
        return found

    def _uncovered(self, stacks: int, left: int, rule: int, terminal: int, after: int) -> Generator[object, int, int]:
        """Those stacks of a set that lead into ``after`` once a reduction has taken ``left`` more states off them."""
        key = (stacks, -1 - (left * len(self._length) + rule) * (self._end + 1) - terminal, after)
        found = self._before.get(key)
        if found is not None:
            return found
        links = []
        if left:
            for state, below in self.links[stacks]:
                kept = yield self._uncovered(below, left - 1, rule, terminal, after)
                if kept:
                    links.append((state, kept))
        else:
            lhs = self._lhs[rule]
            for state, below in self.links[stacks]:
                target = self._goto[state][lhs]
                if target < 0:
                    continue
                if terminal == self._end and target == self._accept:
                    links.append((state, below))
                    continue
                above = self.node(((target, self.node(((state, below),))),))
                kept = self.under(self.under((yield self._wanted(above, terminal, after)), target), state)
                if kept:
                    links.append((state, kept))
        found = self._before[key] = self.node(tuple(links))
        return found
