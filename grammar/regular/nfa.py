"""From regular expressions to automata: Thompson's construction, then the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from . import kernels, minimal, nodes, subsets, syntax
from .dfa import SCALARS, CharDfa, Dialect, Ranges, too_many_states

_NFA_FACTOR: Final = 4
"""NFA positions allowed per DFA state allowed: a pattern far beyond that cannot be meant to fit."""

WORK_PER_STATE: Final = 500
"""NFA edges looked at per DFA state allowed, before the cap on states is declared hit."""


class Nfa:
    """An automaton with epsilon, BEGIN and END edges under construction.

    Edge labels are ``kernels.EPSILON``, ``BEGIN``, ``END``, or the index of a set of characters.
    """

    __slots__ = ("dest", "label", "max_states", "n", "sets", "source", "tick")

    def __init__(self, max_states: int, tick: nodes.Tick = nodes.no_tick) -> None:
        """Start without states; ``max_states`` is the cap on the DFA that will be made, ``tick`` is called now and then."""
        self.tick = tick
        self.n = 0
        self.source: list[int] = []
        self.label: list[int] = []
        self.dest: list[int] = []
        self.sets: dict[Ranges, int] = {}
        self.max_states = max_states

    def state(self) -> int:
        """Add a state."""
        self.n += 1
        return self.n - 1

    def edge(self, source: int, label: int, dest: int) -> None:
        """Add an edge."""
        self.source.append(source)
        self.label.append(label)
        self.dest.append(dest)

    def read(self, source: int, ranges: Ranges, dest: int) -> None:
        """Add an edge that reads one character of a set."""
        if ranges:
            self.edge(source, self.sets.setdefault(ranges, len(self.sets)), dest)

    def embed(self, dfa: CharDfa, source: int) -> int:
        """Read a string of ``dfa`` from ``source`` on; returns the state after it."""
        base = self.n
        self.n += dfa.n + 1
        exit_state = base + dfa.n
        self.edge(source, kernels.EPSILON, base)
        first, low, high, target = (x.tolist() for x in (dfa.first, dfa.low, dfa.high, dfa.target))
        for q in range(dfa.n):
            together: dict[int, list[tuple[int, int]]] = {}
            for e in range(first[q], first[q + 1]):
                together.setdefault(target[e], []).append((low[e], high[e]))
            for t, ranges in together.items():
                self.read(base + q, tuple(ranges), base + t)
            if dfa.accepting[q]:
                self.edge(base + q, kernels.EPSILON, exit_state)
        return exit_state

    def add(self, node: nodes.Node, source: int) -> int:
        """Read a text of ``node`` from ``source`` on; returns the state after it.  No ``Look`` inside."""
        if isinstance(node, nodes.Set):
            exit_state = self.state()
            self.read(source, node.ranges, exit_state)
            return exit_state
        if isinstance(node, nodes.Concat):
            for part in node.parts:
                source = self.add(part, source)
            return source
        if isinstance(node, nodes.Alternation):
            exit_state = self.state()
            for part in node.parts:
                # An entry of its own: loops inside the part must not lead back to its siblings.
                entry = self.state()
                self.edge(source, kernels.EPSILON, entry)
                self.edge(self.add(part, entry), kernels.EPSILON, exit_state)
            return exit_state
        if isinstance(node, nodes.Repeat):
            return self.repeat(node, source)
        if isinstance(node, nodes.Machine):
            return self.embed(node.dfa, source)
        return self.assertion(node, source)

    def assertion(self, node: nodes.Node, source: int) -> int:
        """Add an edge that reads nothing and is open at some places only."""
        assert isinstance(node, nodes.Anchor)  # noqa: S101 - the caller chose this path
        exit_state = self.state()
        self.edge(source, kernels.BEGIN if node.begin else kernels.END, exit_state)
        return exit_state

    def repeat(self, node: nodes.Repeat, source: int) -> int:
        """Unroll a counted repetition."""
        for _ in range(node.least):
            self.tick()
            source = self.add(node.body, source)
        if node.most is None:
            loop = self.state()
            self.edge(source, kernels.EPSILON, loop)
            self.edge(self.add(node.body, loop), kernels.EPSILON, loop)
            # Leave by a state of its own, so that nothing that follows can re-enter the loop.
            exit_state = self.state()
            self.edge(loop, kernels.EPSILON, exit_state)
            return exit_state
        exit_state = self.state()
        self.edge(source, kernels.EPSILON, exit_state)
        for _ in range(node.most - node.least):
            self.tick()
            entry = self.state()
            self.edge(source, kernels.EPSILON, entry)
            source = self.add(node.body, entry)
            self.edge(source, kernels.EPSILON, exit_state)
        return exit_state

    def determinise(self, start: int, final: int) -> CharDfa:
        """Accept the texts that lead from ``start`` to ``final``.

        Raises:
            LimitExceeded: more than ``max_states`` states, or as much work as if there were.

        """
        self.tick()
        source = np.array(self.source, np.int64)
        order = np.argsort(source, kind="stable")
        first = np.searchsorted(source[order], np.arange(self.n + 1)).astype(np.int64)
        label = np.array(self.label, np.int64)[order]
        dest = np.array(self.dest, np.int64)[order]
        max_work = self.max_states * WORK_PER_STATE
        status, _, first, label, dest, accepting = subsets.eliminate_epsilon(
            self.n, first, label, dest, final, start, max_work
        )
        if status != kernels.OK:
            raise too_many_states(self.max_states, what="the pattern")
        alphabet = Alphabet(tuple(self.sets))
        universal = subsets.universal_states(first, label, dest, accepting, alphabet.full)
        return alphabet.determinise(first, label, dest, accepting, universal, self.max_states)


class Alphabet:
    """The coarsest partition of the scalar values on which some sets of characters are constant."""

    __slots__ = ("class_first", "class_list", "classes", "count", "cuts", "full")

    def __init__(self, sets: Sequence[Ranges]) -> None:
        """Split the scalar values; the classes of set ``s`` are ``class_list[class_first[s]..class_first[s + 1]]``."""
        flat = np.array([pair for ranges in sets for pair in ranges], np.int64).reshape(-1, 2)
        owner = np.repeat(np.arange(len(sets)), [len(ranges) for ranges in sets])
        lows = flat[:, 0].copy()
        highs = flat[:, 1].copy()
        self.cuts = np.unique(np.concatenate((lows, highs + 1)))
        self.classes, self.count = subsets.partition_sets(lows, highs, owner, len(sets), self.cuts)
        self.class_first, self.class_list = subsets.classes_of_sets(
            lows, highs, owner, len(sets), self.cuts, self.classes, self.count
        )
        self.full = np.array([ranges == SCALARS for ranges in sets], np.bool_)

    def determinise(
        self,
        first: kernels.Int,
        label: kernels.Int,
        dest: kernels.Int,
        accepting: kernels.Bool,
        universal: kernels.Bool,
        max_states: int,
    ) -> CharDfa:
        """Subset construction and canonical form of an NFA without epsilon edges whose labels are sets."""
        status, table, final = subsets.determinise(
            first, label, dest, accepting, universal,
            self.class_first, self.class_list, self.count, max_states, max_states * WORK_PER_STATE,
        )  # fmt: skip
        if status != kernels.OK:
            raise too_many_states(max_states, what="the pattern")
        return CharDfa(*minimal.canonical(table, final, self.cuts[:-1], self.cuts[1:] - 1, self.classes))


def from_regex(pattern: str, dialect: Dialect, *, search: bool, max_states: int) -> CharDfa:
    """Strings in which a pattern matches; see ``CharDfa.from_regex``, which remembers results."""
    return from_node(syntax.parse(pattern, dialect), pattern, search=search, max_states=max_states)


def from_node(
    node: nodes.Node, pattern: str, *, search: bool, max_states: int, tick: nodes.Tick = nodes.no_tick
) -> CharDfa:
    """Strings in which a parsed pattern matches; ``pattern`` is its text, for errors.

    Raises:
        Unsupported: a look-around that is left out.
        LimitExceeded: more than ``max_states`` states, or what ``tick`` raises.

    """
    tick()
    if nodes.size(node) > max_states * _NFA_FACTOR:
        raise too_many_states(max_states, what="the pattern")
    if nodes.has_look(node):
        from .lookaround import compile_look  # noqa: PLC0415 - builds on this module

        return compile_look(node, pattern, search=search, max_states=max_states, tick=tick)
    nfa = Nfa(max_states, tick)
    start = nfa.state()
    if not search:
        return nfa.determinise(start, nfa.add(node, start))
    nfa.read(start, SCALARS, start)
    entry = nfa.state()
    nfa.edge(start, kernels.EPSILON, entry)
    match = nfa.add(node, entry)
    final = nfa.state()
    nfa.edge(match, kernels.EPSILON, final)
    nfa.read(final, SCALARS, final)
    return nfa.determinise(start, final)


def concatenation(parts: Sequence[CharDfa], max_states: int) -> CharDfa:
    """Accept a string of each part, one after another."""
    nfa = Nfa(max_states)
    start = state = nfa.state()
    for part in parts:
        state = nfa.embed(part, state)
    return nfa.determinise(start, state)


def star(body: CharDfa, max_states: int) -> CharDfa:
    """Any number of strings of a language one after another."""
    nfa = Nfa(max_states)
    start = nfa.state()
    nfa.edge(nfa.embed(body, start), kernels.EPSILON, start)
    return nfa.determinise(start, start)
