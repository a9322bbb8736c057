"""The fewest tokens from every node of a canvas machine to each of its exits and to the end, for canvases of any length.

The min-plus semiring on the machine itself rather than on a canvas: a fixpoint over the nodes (Knuth, "A generalization of Dijkstra's
algorithm", 1977, here by sweeps, since a handful reach it).  The rows are those of the lattice's table without layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from numba import njit

from .inside import END, Pushdown
from .machine import CONTROL, POP

if TYPE_CHECKING:
    from collections.abc import Iterable

FAR: Final = np.int32(1 << 29)
"""No number of tokens is enough; two of these still fit an int32."""


@njit(cache=True, nogil=True)
def _relax(p: Pushdown, table: npt.NDArray[np.int32], n: int, cost: int, m: int) -> bool:
    """Whether going on as node m, after so many tokens, is shorter for any exit of node n."""
    row = table[n]
    if p.kind[m] == POP:
        i = p.exit_of[m] + 1
        if cost >= row[i]:
            return False
        row[i] = cost
        return True
    changed = False
    other = table[m]
    for i in range(len(row)):
        if cost + other[i] < row[i]:
            row[i] = cost + other[i]
            changed = True
    return changed


@njit(cache=True, nogil=True)
def _sweep(p: Pushdown, usable: npt.NDArray[np.uint64], end_class: int, table: npt.NDArray[np.int32]) -> bool:
    """One sweep over the nodes; whether anything got less."""
    changed = False
    end_word, end_bit = end_class >> 6, np.uint64(1) << np.uint64(end_class & 63)
    for n in range(len(p.kind)):
        if p.kind[n] == CONTROL:
            for e in range(p.edge_start[n], p.edge_start[n + 1]):
                if p.edge_classes[e, end_word] & end_bit:
                    changed |= _relax(p, table, n, 0, p.edge_node[e])
                    continue
                for word in range(len(usable)):
                    if usable[word] & p.edge_classes[e, word]:
                        changed |= _relax(p, table, n, 1, p.edge_node[e])
                        break
        elif p.kind[n] != POP:
            m, g = p.inner[n], p.symbol[n]
            for x in range(p.exit_first[g], p.exit_first[g + 1]):
                cost = table[m, x + 1]
                if cost < FAR:
                    changed |= _relax(p, table, n, cost, p.inner[p.exit_node[x]])
    return changed


def least_tokens(p: Pushdown, usable: npt.NDArray[np.uint64], end_class: int) -> npt.NDArray[np.int32]:
    """The fewest tokens to every exit and to the end; end-of-sequence is not counted.

    Args:
        p: the machine.
        usable: uint64[W], the classes that may be used.
        end_class: that of end-of-sequence.

    Returns:
        int32[N, 1 + X]: from each node, but pops, to the end of an accepted text with nothing below, then to each exit; FAR where there
        is no way.

    """
    table = np.full((len(p.kind), 1 + len(p.exit_node)), FAR, np.int32)
    table[: len(p.accepting), END][p.accepting] = 0
    while _sweep(p, usable, end_class, table):
        pass
    return table


def finish(p: Pushdown, table: npt.NDArray[np.int32], node: int, stack: Iterable[int]) -> int | None:
    """The fewest tokens from a node over a stack to the end of an accepted text; None if there is no way.

    Args:
        p: the machine.
        table: of ``least_tokens``.
        node: a node, no pop.
        stack: the symbols below it from the top down, the bottom included if it lies there; it does below all but ``start``.

    """
    fewest = int(FAR)
    here = {node: 0}  # what runs on top of what is left of the stack, pops among it
    for g in (*stack, None):
        below: dict[int, int] = {}
        for n, cost in here.items():
            if p.kind[n] == POP:
                ways = [(int(p.inner[n]), 0)] if p.symbol[n] == g else []
            else:
                if g is None:
                    fewest = min(fewest, cost + int(table[n, END]))
                popping = range(0) if g is None else range(int(p.exit_first[g]), int(p.exit_first[g + 1]))
                ways = [(int(p.inner[p.exit_node[x]]), int(table[n, x + 1])) for x in popping]
            for m, more in ways:
                below[m] = min(below.get(m, int(FAR)), cost + more)
        here = below
    return fewest if fewest < FAR else None
