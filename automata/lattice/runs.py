"""Runs of fixed tokens: what they do from each control, whatever lies on the stack, as one step.

A run is one long token: its effect from a control is what it pops, where it lands and what it pushes, found by following the effects of
its tokens with the stack below unknown.  A pop takes from what the run itself pushed, or else is a pop of the whole run; so an effect is two linked lists
and a control.  Lists are hash-consed, equal effects merge, and each keeps the set of controls that it starts from.  The time is linear in the
tokens where few effects are alive at a time, as everywhere but in very ambiguous grammars: so a text of any length around the holes costs little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from ...grammar.errors import LimitExceeded
from .machine import CONTROL, POP, PUSH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .machine import CanvasMachine

MAX_EFFECTS: Final = 4096
"""Effects of a run that are alive at a time; JSON has one to three."""

NIL = -1
POPPED, OWN, PAIR, STATE = 0, 1, 2, 3  # kinds of cells


class Run(NamedTuple):
    """Fixed tokens as one step: edges of controls, to nodes that may be new.

    Attributes:
        sources: int32[k], the controls that have an edge.
        nodes: int32[k], where each leads.

    """

    sources: npt.NDArray[np.int32]
    nodes: npt.NDArray[np.int32]


class Nodes(NamedTuple):
    """The nodes of a machine and those that runs have added, one numbering: see ``CanvasMachine``."""

    kind: npt.NDArray[np.int8]
    inner: npt.NDArray[np.int32]
    symbol: npt.NDArray[np.int32]


class _Cells(NamedTuple):
    """Hash-consed cells (a, b, kind); ``size[0]`` counts them.

    A cell of what is popped is (what was popped before, symbol), of the own stack (what lies below, symbol).
    """

    cell: npt.NDArray[np.int32]
    slots: npt.NDArray[np.int32]
    size: npt.NDArray[np.int64]


@njit(cache=True, nogil=True)
def _cons(k: _Cells, a: int, b: int, kind: int) -> int:
    mask = len(k.slots) - 1
    h = (int(a) * 0x9E3779B1) ^ (int(b) * 0x85EBCA6B) ^ (int(kind) * 0xC2B2AE35)
    h = (h ^ (h >> 15)) & mask
    while k.slots[h] != NIL:
        i = k.slots[h]
        if k.cell[i, 0] == a and k.cell[i, 1] == b and k.cell[i, 2] == kind:
            return int(i)
        h = (h + 1) & mask
    i = k.size[0]
    k.cell[i, 0] = a
    k.cell[i, 1] = b
    k.cell[i, 2] = kind
    k.slots[h] = i
    k.size[0] = i + 1
    return int(i)


@njit(cache=True, nogil=True)
def _larger(k: _Cells) -> _Cells:
    """The same cells under the same numbers, with room for twice as many."""
    n = int(k.size[0])
    bigger = _Cells(
        np.empty((2 * len(k.cell), 3), np.int32), np.full(2 * len(k.slots), NIL, np.int32), np.zeros(1, np.int64)
    )
    for i in range(n):
        _cons(bigger, k.cell[i, 0], k.cell[i, 1], k.cell[i, 2])
    return bigger


@njit(cache=True, nogil=True)
def _follow(
    kind: npt.NDArray[np.int8],
    inner: npt.NDArray[np.int32],
    symbol: npt.NDArray[np.int32],
    k: _Cells,
    popped: int,
    own: int,
    n: int,
) -> int:
    """The state after the pops and pushes of a node, NIL if a pop meets another symbol."""
    while kind[n] != CONTROL:
        if kind[n] == PUSH:
            own = _cons(k, own, symbol[n], OWN)
        elif own == NIL:
            popped = _cons(k, popped, symbol[n], POPPED)
        elif k.cell[own, 1] == symbol[n]:
            own = k.cell[own, 0]
        else:
            return NIL
        n = inner[n]
    return int(_cons(k, _cons(k, popped, own, PAIR), n, STATE))


@njit(cache=True, nogil=True)
def _effects(
    kind: npt.NDArray[np.int8],
    inner: npt.NDArray[np.int32],
    symbol: npt.NDArray[np.int32],
    edge_start: npt.NDArray[np.int32],
    edge_node: npt.NDArray[np.int32],
    edge_classes: npt.NDArray[np.uint64],
    classes: npt.NDArray[np.int32],
    sources: npt.NDArray[np.int32],
    max_effects: int,
) -> tuple[int, _Cells, npt.NDArray[np.int32], npt.NDArray[np.uint64]]:
    """How many effects a run has (-1: too many), their cells, the states among these, and the sources uint64[k, W] of each by rank."""
    words = (len(sources) + 63) >> 6
    states = np.empty(max_effects, np.int32)
    following = np.empty(max_effects, np.int32)
    origins = np.zeros((max_effects, words), np.uint64)
    onward = np.zeros((max_effects, words), np.uint64)
    room = 512  # a power of two, which grows
    while room < 2 * len(sources):
        room *= 2
    k = _Cells(np.empty((room, 3), np.int32), np.full(2 * room, NIL, np.int32), np.zeros(1, np.int64))
    depth = 0
    for n in range(len(kind)):
        d, m = 0, n
        while kind[m] != CONTROL:
            d += 1
            m = inner[m]
        depth = max(depth, d)
    n_states = len(sources)
    if n_states > max_effects:
        return -1, k, states, origins
    nothing = _cons(k, NIL, NIL, PAIR)
    for i in range(n_states):
        states[i] = _cons(k, nothing, sources[i], STATE)
        origins[i, i >> 6] |= np.uint64(1) << np.uint64(i & 63)
    place = np.full(len(k.cell), NIL, np.int32)  # where a state lies among those of the next layer
    for c in classes:
        n_following = 0
        for i in range(n_states):
            pair, q = k.cell[states[i], 0], k.cell[states[i], 1]
            for e in range(edge_start[q], edge_start[q + 1]):
                if not edge_classes[e, c >> 6] >> np.uint64(c & 63) & np.uint64(1):
                    continue
                while k.size[0] + depth + 2 > len(k.cell):
                    k = _larger(k)
                    place = np.concatenate((place, np.full(len(place), NIL, np.int32)))
                state = _follow(kind, inner, symbol, k, k.cell[pair, 0], k.cell[pair, 1], edge_node[e])
                if state == NIL:
                    continue
                at = place[state]
                if at == NIL:
                    if n_following == max_effects:
                        return -1, k, states, origins
                    at = place[state] = n_following
                    following[at] = state
                    onward[at] = 0
                    n_following += 1
                for w in range(words):
                    onward[at, w] |= origins[i, w]
        for i in range(n_following):
            place[following[i]] = NIL
        n_states = n_following
        states, following = following, states
        origins, onward = onward, origins
    return n_states, k, states, origins


class Composer:
    """Composes the runs of a canvas one after another, and numbers the nodes that they need."""

    def __init__(self, machine: CanvasMachine) -> None:
        """Start from the machine's own nodes."""
        self._machine = machine
        self._nodes = list(zip(machine.kind.tolist(), machine.inner.tolist(), machine.symbol.tolist(), strict=True))
        self._number = {node: n for n, node in enumerate(self._nodes) if node[0] != CONTROL}

    @property
    def nodes(self) -> Nodes:
        """All nodes that there are now."""
        kind, inner, symbol = zip(*self._nodes, strict=True)
        return Nodes(np.array(kind, np.int8), np.array(inner, np.int32), np.array(symbol, np.int32))

    def run(self, classes: Sequence[int] | npt.NDArray[np.int32], sources: npt.NDArray[np.int32]) -> Run:
        """The edges of one run.

        Args:
            classes: its tokens' classes.
            sources: int32[], the controls that it may begin in.

        Raises:
            LimitExceeded: too many effects are alive at a time.

        """
        m = self._machine
        n_states, cells, states, origins = _effects(
            m.kind,
            m.inner,
            m.symbol,
            m.edge_start,
            m.edge_node,
            m.edge_classes,
            np.asarray(classes, np.int32),
            sources,
            MAX_EFFECTS,
        )
        if n_states < 0:
            raise LimitExceeded(
                f"{len(classes)} fixed tokens in a row can be read in too many ways",
                limit="MAX_EFFECTS",
                value=MAX_EFFECTS,
                hint="ask for a shorter window of the canvas",
            )
        cell = cells.cell
        found_sources: list[int] = []
        found_nodes: list[int] = []
        for i in range(n_states):
            pair, n = int(cell[states[i], 0]), int(cell[states[i], 1])
            popped, own = int(cell[pair, 0]), int(cell[pair, 1])
            while own != NIL:
                n = self._intern(PUSH, n, int(cell[own, 1]))
                own = int(cell[own, 0])
            while popped != NIL:
                n = self._intern(POP, n, int(cell[popped, 1]))
                popped = int(cell[popped, 0])
            begun = sources[np.unpackbits(origins[i].view(np.uint8), bitorder="little", count=len(sources)) > 0]
            found_sources += begun.tolist()
            found_nodes += [n] * len(begun)
        return Run(np.array(found_sources, np.int32), np.array(found_nodes, np.int32))

    def _intern(self, kind: int, inner: int, symbol: int) -> int:
        node = (kind, inner, symbol)
        number = self._number.get(node)
        if number is None:
            number = self._number[node] = len(self._nodes)
            self._nodes.append(node)
        return number


def controls_after(
    machine: CanvasMachine, nodes: Nodes, here: npt.NDArray[np.int32], usable: npt.NDArray[np.uint64] | Run
) -> npt.NDArray[np.int32]:
    """int32[]: the controls that may come after those given, by a step that reads one of these classes (uint64[W]) or by a run."""
    if isinstance(usable, Run):
        ends = usable.nodes
    else:
        sources = np.repeat(np.arange(machine.n_controls), np.diff(machine.edge_start))
        ends = machine.edge_node[np.isin(sources, here) & (machine.edge_classes & usable).any(axis=1)]
    ends = np.unique(ends)
    while (above := nodes.kind[ends] != CONTROL).any():
        ends = np.unique(np.where(above, nodes.inner[ends], ends))
    return ends.astype(np.int32)
