"""The fewest tokens from every node of a canvas machine to each of its exits and to the end, for canvases of any length.

The min-plus semiring on the machine itself rather than on a canvas: a fixpoint over the nodes (Knuth, "A generalization of Dijkstra's
algorithm", 1977, here by sweeps, since a handful reach it).  The rows are those of the lattice's table without layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from .inside import Pushdown
from .machine import BOTTOM, CONTROL, POP

if TYPE_CHECKING:
    from collections.abc import Iterable

FAR: Final = np.int32(1 << 29)
"""No number of tokens is enough; two of these still fit an int32."""


class Least(NamedTuple):
    """Fewest tokens.

    Attributes:
        exits: int32[N, P], from a node to the exit at ``pops[i]`` of its machine, the pop included.
        end: int32[N], from a node to the end of an accepted text with nothing but the bottom below.
        pop_of: int32[N], which of the pops a node is, -1 if none.

    """

    exits: npt.NDArray[np.int32]
    end: npt.NDArray[np.int32]
    pop_of: npt.NDArray[np.int32]


@njit(cache=True, nogil=True)
def _relax(row: npt.NDArray[np.int32], cost: int, other: npt.NDArray[np.int32]) -> bool:
    changed = False
    for i in range(len(row)):
        if cost + other[i] < row[i]:
            row[i] = cost + other[i]
            changed = True
    return changed


@njit(cache=True, nogil=True)
def _sweep(p: Pushdown, usable: npt.NDArray[np.uint64], table: npt.NDArray[np.int32]) -> bool:
    """One sweep over the nodes; whether anything got less.  The last column is the end."""
    changed = False
    end = len(p.pops)
    for n in range(len(p.kind)):
        if p.kind[n] == CONTROL:
            for e in range(p.edge_start[n], p.edge_start[n + 1]):
                for word in range(len(usable)):
                    if usable[word] & p.edge_classes[e, word]:
                        changed |= _relax(table[n], 1, table[p.edge_node[e]])
                        break
        elif p.kind[n] != POP:
            m = p.inner[n]
            for i in range(len(p.pops)):
                if p.symbol[p.pops[i]] == p.symbol[n] and table[m, i] < FAR:
                    changed |= _relax(table[n], table[m, i], table[p.inner[p.pops[i]]])
            if p.symbol[n] == BOTTOM and table[m, end] < table[n, end]:
                table[n, end] = table[m, end]
                changed = True
    return changed


def least_tokens(p: Pushdown, usable: npt.NDArray[np.uint64]) -> Least:
    """The fewest tokens to every exit and to the end.

    Args:
        p: the machine.
        usable: uint64[W], the classes that may be used.

    """
    n_pops = len(p.pops)
    table = np.full((len(p.kind), n_pops + 1), FAR, np.int32)
    table[: len(p.accepting), n_pops][p.accepting] = 0
    pop_of = np.full(len(p.kind), -1, np.int32)
    pop_of[p.pops] = np.arange(n_pops)
    table[p.pops, np.arange(n_pops)] = 0
    while _sweep(p, usable, table):
        pass
    return Least(table[:, :n_pops], table[:, n_pops], pop_of)


def finish(p: Pushdown, least: Least, node: int, stack: Iterable[int]) -> int | None:
    """The fewest tokens from a node over a stack to the end of an accepted text; None if there is no way.

    Args:
        p: the machine.
        least: its table.
        node: a node.
        stack: the symbols below it from the top down, the bottom (0) last.

    """
    reach = {node: 0}  # what runs on top of what is left of the stack
    last = -1
    for g in stack:
        last = g
        if g == BOTTOM:
            break
        below: dict[int, int] = {}
        for n, cost in reach.items():
            for i, pop in enumerate(p.pops.tolist()):
                if p.symbol[pop] == g and least.exits[n, i] < FAR:
                    landing = int(p.inner[pop])
                    below[landing] = min(below.get(landing, int(FAR)), cost + int(least.exits[n, i]))
        reach = below
    if last != BOTTOM:
        return None
    ends = [cost + int(least.end[n]) for n, cost in reach.items()]
    for n, cost in reach.items():
        for i, pop in enumerate(p.pops.tolist()):
            if p.symbol[pop] == BOTTOM and least.exits[n, i] < FAR:
                ends.append(cost + int(least.exits[n, i]) + int(least.end[p.inner[pop]]))
    fewest = min(ends, default=int(FAR))
    return fewest if fewest < FAR else None
