"""Which exits each node of a canvas machine can come to, and how rows are laid out by that.

Most nodes can leave by a few of all pops only: what is in an object never closes an array.  A fixpoint over the nodes finds the exits
of each, whatever the canvas.  Exits that the same nodes come to form a *bundle*, nodes that come to the same bundles a *type*, and a row of
the lattice's table holds the bundles of its node's type, one after another.  What a node leads to has a subset of its bundles, so adding one
row into another goes bundle by bundle, straight through memory.  JSON has about ten bundles and half a dozen types.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from .inside import NONE, Pushdown
from .machine import CONTROL, POP


@njit(cache=True, nogil=True)
def _join(reached: npt.NDArray[np.uint64], n: int, m: int, is_pop: bool, exit_number: int) -> bool:
    """Add what node m comes to, itself if it is an exit, to what node n does; whether that is more."""
    changed = False
    if is_pop:
        bit = np.uint64(1) << np.uint64(exit_number & 63)
        if not reached[n, exit_number >> 6] & bit:
            reached[n, exit_number >> 6] |= bit
            changed = True
        return changed
    for w in range(reached.shape[1]):
        more = reached[m, w] & ~reached[n, w]
        if more:
            reached[n, w] |= more
            changed = True
    return changed


@njit(cache=True, nogil=True)
def _reached(
    kind: npt.NDArray[np.int8],
    inner: npt.NDArray[np.int32],
    symbol: npt.NDArray[np.int32],
    edge_first: npt.NDArray[np.int32],
    edge_node: npt.NDArray[np.int32],
    exit_of: npt.NDArray[np.int32],
    exit_node: npt.NDArray[np.int32],
    exit_first: npt.NDArray[np.int32],
    reached: npt.NDArray[np.uint64],
) -> None:
    """Complete uint64[N, W]: which exits each node comes to, exit x being bit x + 1, and bit 0 the end."""
    one = np.uint64(1)
    changed = True
    while changed:
        changed = False
        for n in range(len(kind)):
            if kind[n] == CONTROL:
                for e in range(edge_first[n], edge_first[n + 1]):
                    m = edge_node[e]
                    changed |= _join(reached, n, m, kind[m] == POP, exit_of[m] + 1)
            elif kind[n] != POP:
                for x in range(exit_first[symbol[n]], exit_first[symbol[n] + 1]):
                    if reached[inner[n], (x + 1) >> 6] >> np.uint64((x + 1) & 63) & one:
                        m = inner[exit_node[x]]
                        changed |= _join(reached, n, m, kind[m] == POP, exit_of[m] + 1)


def with_exits(
    kind: npt.NDArray[np.int8],
    inner: npt.NDArray[np.int32],
    symbol: npt.NDArray[np.int32],
    edges: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.uint64]],
    accepting: npt.NDArray[np.bool_],
    start: int,
    n_symbols: int,
    run_edges: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]],
) -> Pushdown:
    """A pushdown with its exits, from its nodes, its edges (start, node, classes) and those of runs (source, node)."""
    edge_start, edge_node, _ = edges
    source = np.concatenate((np.repeat(np.arange(len(edge_start) - 1), np.diff(edge_start)), run_edges[0]))
    order = np.argsort(source, kind="stable")
    target = np.concatenate((edge_node, run_edges[1]))[order]
    first = np.searchsorted(source[order], np.arange(len(edge_start))).astype(np.int32)

    pops = np.flatnonzero(kind == POP)
    exit_node = pops[np.argsort(symbol[pops], kind="stable")].astype(np.int32)
    exit_first = np.searchsorted(symbol[exit_node], np.arange(n_symbols + 1)).astype(np.int32)
    exit_of = np.full(len(kind), NONE, np.int32)
    exit_of[exit_node] = np.arange(len(exit_node))
    reached = np.zeros((len(kind), len(exit_node) // 64 + 1), np.uint64)
    reached[: len(accepting), 0] = accepting
    _reached(kind, inner, symbol, first, target, exit_of, exit_node, exit_first, reached)

    bits = np.unpackbits(reached.view(np.uint8), axis=1, bitorder="little", count=len(exit_node) + 1)
    kinds, type_of = np.unique(bits[kind != POP], axis=0, return_inverse=True)
    bundles, bundle_of = np.unique(kinds[:, 1:], axis=1, return_inverse=True)
    has = np.concatenate((kinds[:, :1], bundles), axis=1)  # the end is bundle 0, the others follow
    of_type = np.full(len(kind), NONE, np.int32)
    of_type[kind != POP] = type_of.reshape(-1)
    return Pushdown(
        kind=kind,
        inner=inner,
        symbol=symbol,
        edge_start=edge_start,
        edge_node=edge_node,
        edge_classes=edges[2],
        accepting=accepting,
        start=start,
        exit_node=exit_node,
        exit_first=exit_first,
        exit_of=exit_of,
        bundle_of=(bundle_of.reshape(-1) + 1).astype(np.int32),
        type_of=of_type,
        type_first=np.append(0, has.sum(axis=1).cumsum()).astype(np.int32),
        type_bundle=np.nonzero(has)[1].astype(np.int32),
        n_bundles=has.shape[1],
    )


def with_pushes(
    p: Pushdown, kind: npt.NDArray[np.int8], inner: npt.NDArray[np.int32], symbol: npt.NDArray[np.int32]
) -> Pushdown:
    """The same pushdown with more nodes, all of them pushes that runs of its tokens end in: exits and their bundles stay, and types keep their numbers.

    Args:
        p: the pushdown.
        kind: int8[N'], its nodes and then the new ones, inner before outer; likewise ``inner`` and ``symbol``.
        inner: int32[N'].
        symbol: int32[N'].

    """
    types = [
        tuple(p.type_bundle[first:end].tolist())
        for first, end in zip(p.type_first[:-1].tolist(), p.type_first[1:].tolist(), strict=True)
    ]
    number = {bundles: t for t, bundles in enumerate(types)}
    type_of = p.type_of.tolist()
    for n in range(len(type_of), len(kind)):
        above = set(types[type_of[inner[n]]])
        found: set[int] = set()
        for x in range(p.exit_first[symbol[n]], p.exit_first[symbol[n] + 1]):
            if p.bundle_of[x] in above:
                m = int(p.inner[p.exit_node[x]])
                found.update([int(p.bundle_of[p.exit_of[m]])] if p.kind[m] == POP else types[type_of[m]])
        bundles = tuple(sorted(found))
        if bundles not in number:
            number[bundles] = len(types)
            types.append(bundles)
        type_of.append(number[bundles])
    return p._replace(
        kind=kind,
        inner=inner,
        symbol=symbol,
        exit_of=np.append(p.exit_of, np.full(len(kind) - len(p.exit_of), NONE, np.int32)),
        type_of=np.array(type_of, np.int32),
        type_first=np.append(0, np.cumsum([len(bundles) for bundles in types])).astype(np.int32),
        type_bundle=np.array([b for bundles in types for b in bundles], np.int32),
    )
