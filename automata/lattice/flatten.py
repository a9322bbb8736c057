"""Symbols that cannot lie on top of themselves need no stack: they become part of the control.

A call that is not recursive is on the stack at most once, so which of these symbols lie on top is one of finitely many facts.  A control of the
flattened machine is a control with the *segment* of such symbols down to the first other one; a symbol is another one with the segment
below it.  A machine without recursion comes out without a stack: a finite automaton, with one bit a row where there was a column for each way out.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from .growing import GrowingSets
from .machine import BOTTOM, CONTROL, POP, PUSH, CanvasMachine

if TYPE_CHECKING:
    import numpy.typing as npt

MOST_CONTROLS: Final = 20_000
MOST_EDGES: Final = 300_000

Segment = tuple[int, ...]
"""Symbols that are part of a control, topmost first."""


Waiting = tuple[int, int, tuple[int, ...], int]
"""A control, an edge of it, the symbols that the edge popped so far, and the node that pops the next one."""


class _TooMany(Exception):
    """The flattened machine would be too large."""


def flatten(machine: CanvasMachine, below: list[set[int]]) -> CanvasMachine:
    """The machine with symbols made part of controls where they are not recursive; the same machine if that would be too large.

    Args:
        machine: any.
        below: for each symbol, those that can lie right below it.

    """
    opaque = recursive(below)
    if opaque:
        opaque.add(BOTTOM)  # else every frame would say whether it is an outermost one
    if len(opaque) == machine.n_symbols:
        return machine
    try:
        return _Flattening(machine, opaque).machine()
    except _TooMany:
        return machine


def recursive(below: list[set[int]]) -> set[int]:
    """The symbols that can lie somewhere below themselves."""
    reached = [set(symbols) for symbols in below]
    changed = True
    while changed:
        changed = False
        for symbols in reached:
            more = set().union(*(reached[g] for g in symbols)) - symbols
            if more:
                symbols |= more
                changed = True
    return {g for g, symbols in enumerate(reached) if g in symbols}


class _Flattening:
    """One run of the worklist; see ``extraction`` for what grows."""

    def __init__(self, machine: CanvasMachine, opaque: set[int]) -> None:
        self._old = machine
        self._opaque = opaque
        self._kind = machine.kind.tolist()
        self._inner = machine.inner.tolist()
        self._symbol = machine.symbol.tolist()
        self._starts = machine.edge_start.tolist()
        self._nodes = machine.edge_node.tolist()
        self._controls: dict[tuple[int, Segment], int] = {}
        self._tops: list[int] = []
        self._symbols: dict[tuple[int, Segment], int] = {}
        self._base: list[tuple[int, Segment]] = []
        self._below: list[int] = []
        self._sets: GrowingSets[Waiting] = GrowingSets(self._pop)
        self._fresh: deque[tuple[int, int, Segment]] = deque()
        self._chains: dict[tuple[int, int, int], int] = {}
        self._edges: dict[tuple[int, int], list[int]] = {}

    def machine(self) -> CanvasMachine:
        """Follow everything that can occur, and lay the machine out."""
        self._symbol_of(BOTTOM, ())
        node, segment, pushed = self._run(self._old.start, ())
        start = self._control(node, segment)
        self._link(pushed, self._tops[start], None)
        chain = start
        for symbol in pushed:
            chain = self._chains.setdefault((PUSH, symbol, chain), -1 - len(self._chains))
        while self._fresh or self._sets:
            if self._fresh:
                number, q, segment = self._fresh.popleft()
                for edge in range(self._starts[q], self._starts[q + 1]):
                    self._follow(number, edge, (), self._nodes[edge], segment)
            else:
                self._sets.spread()
        return self._laid_out(chain)

    def _run(self, node: int, segment: Segment) -> tuple[int, Segment, list[int]]:
        """Do the pushes of a node; returns the control, its segment, and the symbols that were really pushed, topmost first."""
        pushed: list[int] = []
        while self._kind[node] == PUSH:
            symbol = self._symbol[node]
            if symbol in self._opaque:
                pushed.insert(0, self._symbol_of(symbol, segment))
                segment = ()
            else:
                segment = (symbol, *segment)
            node = self._inner[node]
        return node, segment, pushed

    def _follow(self, control: int, edge: int, path: tuple[int, ...], node: int, segment: Segment) -> None:
        """Go on with an edge after it popped ``path``."""
        while self._kind[node] == POP and segment:
            if self._symbol[node] != segment[0]:
                return
            node, segment = self._inner[node], segment[1:]
        place = self._below[path[-1]] if path else self._tops[control]
        if self._kind[node] == POP:
            self._sets.watch(place, (control, edge, path, node))
            return
        node, segment, pushed = self._run(node, segment)
        target = self._control(node, segment)
        self._link(pushed, self._tops[target], place)
        chain = target
        for symbol in pushed:
            chain = self._chains.setdefault((PUSH, symbol, chain), -1 - len(self._chains))
        for symbol in reversed(path):
            chain = self._chains.setdefault((POP, symbol, chain), -1 - len(self._chains))
        self._edges.setdefault((control, chain), []).append(edge)
        if len(self._edges) > MOST_EDGES:
            raise _TooMany

    def _pop(self, waiting: Waiting, symbol: int) -> None:
        control, edge, path, node = waiting
        base, segment = self._base[symbol]
        if base == self._symbol[node]:
            self._follow(control, edge, (*path, symbol), self._inner[node], segment)

    def _link(self, pushed: list[int], place: int, under: int | None) -> None:
        """Symbols were pushed below a control; ``under`` is the set of those that lie below them."""
        for symbol in pushed:
            self._sets.add(place, symbol)
            place = self._below[symbol]
        if under is not None:
            self._sets.include(under, place)

    def _control(self, q: int, segment: Segment) -> int:
        number = self._controls.get((q, segment))
        if number is None:
            if len(self._controls) >= MOST_CONTROLS:
                raise _TooMany
            number = self._controls[q, segment] = len(self._controls)
            self._tops.append(self._sets.new())
            self._fresh.append((number, q, segment))
        return number

    def _symbol_of(self, symbol: int, segment: Segment) -> int:
        number = self._symbols.get((symbol, segment))
        if number is None:
            number = self._symbols[symbol, segment] = len(self._base)
            self._base.append((symbol, segment))
            self._below.append(self._sets.new())
        return number

    def _laid_out(self, start: int) -> CanvasMachine:
        old = self._old
        n_controls = len(self._controls)
        n = n_controls + len(self._chains)

        def numbered(node: int) -> int:
            return node if node >= 0 else n_controls - 1 - node

        kind = np.full(n, CONTROL, np.int8)
        inner = np.arange(n, dtype=np.int32)
        symbol = np.full(n, -1, np.int32)
        for i, (what, which, node) in enumerate(self._chains):
            kind[n_controls + i], symbol[n_controls + i], inner[n_controls + i] = what, which, numbered(node)
        order = sorted((control, numbered(node), edges) for (control, node), edges in self._edges.items())
        first = np.array([edges[0] for _, _, edges in order], np.int64)
        classes: npt.NDArray[np.uint64] = old.edge_classes[first]
        for i, (_, _, edges) in enumerate(order):
            for edge in edges[1:]:
                classes[i] |= old.edge_classes[edge]
        starts = np.searchsorted([control for control, _, _ in order], np.arange(n_controls + 1))
        accepting = np.array([bool(old.accepting[q]) for q, _ in self._controls], np.bool_)
        return replace(
            old,
            kind=kind,
            inner=inner,
            symbol=symbol,
            edge_start=starts.astype(np.int32),
            edge_node=np.array([node for _, node, _ in order], np.int32),
            edge_classes=np.ascontiguousarray(classes),
            accepting=accepting,
            start=numbered(start),
            n_symbols=len(self._base),
        )
