"""Frames: which nodes of a canvas machine a run can move among before it looks below its frame, and by which pops it leaves.

What an edge leads to, without a pop, is in the frame of its control; what an exit becomes is in the frame of the pushes whose symbol it
pops.  So frames are the classes of that equivalence (union-find), and their exits a fixpoint: the pops that edges lead to, and the pops
that an exit of the frame above becomes.  In JSON there are three, those of the top, of objects and of arrays.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from .inside import NONE, Pushdown
from .machine import POP, PUSH


@njit(cache=True, nogil=True)
def _find(parent: npt.NDArray[np.int32], n: int) -> int:
    while parent[n] != n:
        parent[n] = parent[parent[n]]
        n = parent[n]
    return n


@njit(cache=True, nogil=True)
def _unite(parent: npt.NDArray[np.int32], n: int, m: int) -> None:
    n, m = _find(parent, n), _find(parent, m)
    parent[max(n, m)] = min(n, m)


@njit(cache=True, nogil=True)
def _frames(
    kind: npt.NDArray[np.int8],
    inner: npt.NDArray[np.int32],
    symbol: npt.NDArray[np.int32],
    source: npt.NDArray[np.int32],
    target: npt.NDArray[np.int32],
    n_symbols: int,
) -> npt.NDArray[np.int32]:
    """int32[N]: the frame of each node but pops, which get NONE; frames are numbered by their least node."""
    parent = np.arange(len(kind)).astype(np.int32)
    for e in range(len(source)):
        if kind[target[e]] != POP:
            _unite(parent, source[e], target[e])
    over = np.full(n_symbols, NONE, np.int32)  # for each symbol, a node of the frame that it returns to
    for n in range(len(kind)):
        m = n if kind[n] == PUSH else inner[n]
        if symbol[n] < 0 or kind[m] == POP:
            continue
        if over[symbol[n]] == NONE:
            over[symbol[n]] = m
        _unite(parent, over[symbol[n]], m)
    frame_of = np.full(len(kind), NONE, np.int32)
    n_frames = 0
    for n in range(len(kind)):
        if kind[n] != POP:
            least = _find(parent, n)
            if least == n:
                frame_of[n] = n_frames
                n_frames += 1
            else:
                frame_of[n] = frame_of[least]
    return frame_of


@njit(cache=True, nogil=True)
def _leaves(
    kind: npt.NDArray[np.int8],
    inner: npt.NDArray[np.int32],
    symbol: npt.NDArray[np.int32],
    source: npt.NDArray[np.int32],
    target: npt.NDArray[np.int32],
    frame_of: npt.NDArray[np.int32],
    leaves: npt.NDArray[np.bool_],
) -> None:
    """Mark bool[F, N]: by which pop nodes each frame can be left."""
    for e in range(len(source)):
        if kind[target[e]] == POP:
            leaves[frame_of[source[e]], target[e]] = True
    changed = True
    while changed:
        changed = False
        for n in range(len(kind)):
            if kind[n] != PUSH:
                continue
            frame, above = frame_of[n], frame_of[inner[n]]
            for x in range(len(kind)):
                if (
                    leaves[above, x]
                    and symbol[x] == symbol[n]
                    and kind[inner[x]] == POP
                    and not leaves[frame, inner[x]]
                ):
                    leaves[frame, inner[x]] = True
                    changed = True


def with_frames(
    kind: npt.NDArray[np.int8],
    inner: npt.NDArray[np.int32],
    symbol: npt.NDArray[np.int32],
    edges: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.uint64]],
    accepting: npt.NDArray[np.bool_],
    start: int,
    n_symbols: int,
    run_edges: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]],
) -> Pushdown:
    """A pushdown with its frames, from its nodes, its edges (start, node, classes) and those of runs (source, node)."""
    edge_start, edge_node, _ = edges
    source = np.repeat(np.arange(len(edge_start) - 1, dtype=np.int32), np.diff(edge_start))
    source = np.concatenate((source, run_edges[0]))
    target = np.concatenate((edge_node, run_edges[1]))
    frame_of = _frames(kind, inner, symbol, source, target, n_symbols)
    leaves = np.zeros((int(frame_of.max()) + 1, len(kind)), np.bool_)
    _leaves(kind, inner, symbol, source, target, frame_of, leaves)
    frame, node = np.nonzero(leaves)
    order = np.lexsort((node, symbol[node], frame))
    frame, node = frame[order], node[order]
    exit_of = np.full(leaves.shape, NONE, np.int32)
    exit_of[frame, node] = np.arange(len(node))
    ranks = frame * (n_symbols + 1) + symbol[node]
    bounds = np.arange(len(leaves))[:, None] * (n_symbols + 1) + np.arange(n_symbols + 1)
    first = np.searchsorted(ranks, bounds.ravel()).reshape(bounds.shape).astype(np.int32)
    return Pushdown(kind, inner, symbol, *edges, accepting, start, frame_of, node.astype(np.int32), first, exit_of)
