"""Weights of everything that may fill a canvas: the backward pass of the lattice in the max-plus and the log-sum-exp semiring.

A frame is left at a pop and nowhere else.  So the table has, for every layer j of the canvas and every node n that may occur there, one
number for each *exit*: a pop node that is reached at a later layer.  The number is the weight of all runs (log-sum-exp), or of the best
run (max-plus), that start in n at layer j with nothing known of the stack below and first look below it at that exit.

* A control adds up its edges: the weight of the step's token classes, and the row of the node that the edge leads to.
* A push of g over n runs n until an exit that pops g, then the landing of that exit, whose rows lie in later layers and are known.
* One more exit is the end: the canvas is used up in an accepting control.  Those have nothing on their stacks, not even the bottom, so
  the end does not pass through a push.  To come to them, the last step of every canvas reads end-of-sequence, which is not one of its slots.

Most nodes come to a few of all exits only, so a row holds those that its node can come to, bundle by bundle (``exits.py``).  In a bundle
they are numbered from the end of the canvas backwards, and only those whose landing can still complete anything; a row holds the ones that
are numbered when its layer is begun.  So rows are short near the end, and a bundle of a later row is as long as the beginning of an earlier row's.
Tokens that are fixed in a run count as one step, whose edges and further nodes come with the canvas (``Steps``).

In log-sum-exp each number is found in two passes, the greatest term first: then most terms are seen to be too small to matter without
an exponential.  Terms below e^-40 of the greatest are dropped; thousands of them are below the rounding of one double.
Cost: the number of pushes times the pops per symbol times all exits, summed over pairs of layers: cubic in the slots.

Source: the semiring view of parsing as deduction (Goodman, "Semiring Parsing", Computational Linguistics 1999), on the layered
pushdown of this package.
"""

from __future__ import annotations

from math import exp, inf, log
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from .machine import CONTROL, POP, PUSH

END = 0
"""The bundle of the end of the canvas, which has one column."""

NONE = -1
"""No row, no column; no class at a step that is left out or part of a run."""

NEGLIGIBLE = 40.0
"""A term this much below the greatest, in nats, is dropped: e^-40 is 2^-58."""


class Pushdown(NamedTuple):
    """A canvas machine as kernels take it, with the nodes that runs of fixed tokens add to it.

    Attributes:
        kind: int8[N], inner: int32[N], symbol: int32[N]: the nodes, those of runs last.
        edge_start: int32[Q + 1], edge_node: int32[E], edge_classes: uint64[E, W]: the edges of controls.
        accepting: bool[Q].
        start: the node before the first token, a push of the bottom.
        exit_node: int32[X], the pop node of each exit, by symbol.
        exit_first: int32[G + 1], the exits that pop symbol g are those from ``[g]`` to ``[g + 1]``.
        exit_of: int32[N], the exit that a pop node is, NONE of other nodes.
        bundle_of: int32[X], the bundle of each exit; bundle 0 is the end of the canvas alone.
        type_of: int32[N], the type of each node but pops.
        type_first: int32[types + 1], type_bundle: int32[]: the bundles of each type, in rising order.
        n_bundles: how many bundles there are.

    """

    kind: npt.NDArray[np.int8]
    inner: npt.NDArray[np.int32]
    symbol: npt.NDArray[np.int32]
    edge_start: npt.NDArray[np.int32]
    edge_node: npt.NDArray[np.int32]
    edge_classes: npt.NDArray[np.uint64]
    accepting: npt.NDArray[np.bool_]
    start: int
    exit_node: npt.NDArray[np.int32]
    exit_first: npt.NDArray[np.int32]
    exit_of: npt.NDArray[np.int32]
    bundle_of: npt.NDArray[np.int32]
    type_of: npt.NDArray[np.int32]
    type_first: npt.NDArray[np.int32]
    type_bundle: npt.NDArray[np.int32]
    n_bundles: int


class Steps(NamedTuple):
    """What each step of a canvas reads.

    Attributes:
        weights: float64[S, C], the weight of each class, -inf where it must not be; not read at a run.
        skippable: bool[S], whether the step may be left out, which weighs nothing.
        run: bool[S], whether the step is a run of fixed tokens.
        run_start: int32[S + 1], run_source: int32[], run_node: int32[]: the edges of each run.
        run_weights: float64[S]: what each run weighs.

    """

    weights: npt.NDArray[np.float64]
    skippable: npt.NDArray[np.bool_]
    run: npt.NDArray[np.bool_]
    run_start: npt.NDArray[np.int32]
    run_source: npt.NDArray[np.int32]
    run_node: npt.NDArray[np.int32]
    run_weights: npt.NDArray[np.float64]


class Inside(NamedTuple):
    """The table of a canvas.

    Attributes:
        cells: float64[], rows one after another.
        row_of: int64[S + 1, N], where a node's row starts, NONE if it has none.
        column_of: int32[S + 1, X], the column of an exit at a layer within its bundle, NONE if nothing can be completed from there.
        width: int32[S + 1, B], how many columns a bundle has in the rows of each layer.

    """

    cells: npt.NDArray[np.float64]
    row_of: npt.NDArray[np.int64]
    column_of: npt.NDArray[np.int32]
    width: npt.NDArray[np.int32]


@njit(cache=True, nogil=True)
def possible(p: Pushdown, s: Steps) -> npt.NDArray[np.bool_]:
    """bool[S + 1, N]: which nodes can occur at which layer, by conditions that are necessary: reachable, and not without a way on.

    Of the stack only the set of symbols that may lie on it somewhere is known.
    """
    n_steps = len(s.skippable)
    n_nodes = len(p.kind)
    live = np.zeros((n_steps + 1, n_nodes), np.bool_)
    below = np.zeros(len(p.exit_first) - 1, np.bool_)
    pushed = np.zeros(len(p.exit_first) - 1, np.bool_)
    usable = np.empty(p.edge_classes.shape[1], np.uint64)
    live[0, p.start] = True
    for j in range(n_steps + 1):
        for n in range(n_nodes - 1, -1, -1):
            if not live[j, n]:
                continue
            if p.kind[n] == PUSH:
                live[j, p.inner[n]] = True
                pushed[p.symbol[n]] = True
            elif p.kind[n] == POP:
                if below[p.symbol[n]]:
                    live[j, p.inner[n]] = True
                else:
                    live[j, n] = False
        below |= pushed
        if j == n_steps:
            break
        if s.skippable[j]:
            for q in range(len(p.accepting)):
                if live[j, q]:
                    live[j + 1, q] = True
        if s.run[j]:
            for e in range(s.run_start[j], s.run_start[j + 1]):
                if live[j, s.run_source[e]]:
                    live[j + 1, s.run_node[e]] = True
            continue
        usable[:] = 0
        for c in range(s.weights.shape[1]):
            if s.weights[j, c] > -inf:
                usable[c >> 6] |= np.uint64(1) << np.uint64(c & 63)
        for q in range(len(p.accepting)):
            if live[j, q]:
                for e in range(p.edge_start[q], p.edge_start[q + 1]):
                    for word in range(len(usable)):
                        if usable[word] & p.edge_classes[e, word]:
                            live[j + 1, p.edge_node[e]] = True
                            break
    return live


@njit(cache=True, nogil=True)
def edge_weight(p: Pushdown, weights: npt.NDArray[np.float64], j: int, e: int, summing: bool) -> float:
    """The weight of one edge at a step: the greatest of its classes' weights, or the log of their summed exponentials."""
    best = -inf
    for word in range(p.edge_classes.shape[1]):
        bits = p.edge_classes[e, word]
        c = word << 6
        while bits:
            if bits & np.uint64(1) and weights[j, c] > best:
                best = weights[j, c]
            bits >>= np.uint64(1)
            c += 1
    if not summing or best == -inf:
        return best
    total = 0.0
    for word in range(p.edge_classes.shape[1]):
        bits = p.edge_classes[e, word]
        c = word << 6
        while bits:
            if bits & np.uint64(1) and weights[j, c] > -inf:
                total += exp(weights[j, c] - best)
            bits >>= np.uint64(1)
            c += 1
    return best + log(total)


@njit(cache=True, nogil=True)
def offsets(p: Pushdown, t: Inside, j: int, n: int, offset: npt.NDArray[np.int64]) -> int:
    """Write where each bundle begins in a row of node n at layer j, NONE if it has none there; return how long such a row is."""
    offset[:] = NONE
    width = 0
    for i in range(p.type_first[p.type_of[n]], p.type_first[p.type_of[n] + 1]):
        offset[p.type_bundle[i]] = width
        width += t.width[j, p.type_bundle[i]]
    return width


@njit(cache=True, nogil=True)
def _fold(
    cells: npt.NDArray[np.float64],
    row: int,
    weight: float,
    widths: npt.NDArray[np.int32],
    j: int,
    bundles: npt.NDArray[np.int32],
    first: int,
    last: int,
    offset: npt.NDArray[np.int64],
    best: npt.NDArray[np.float64],
    total: npt.NDArray[np.float64],
    summing: bool,
) -> None:
    """Take a weighted row of layer j, of the bundles from ``first`` to ``last``, into the greatest terms, or into the sum relative to them."""
    at = np.uint64(
        row
    )  # unsigned indices are not checked for being negative, so that the loops are vector instructions
    eight = np.uint64(8)  # most bundles are short: a rest of up to seven is left, not of up to thirty-one
    for k in range(first, last):
        bundle = bundles[k]
        to = np.uint64(offset[bundle])
        width = np.uint64(widths[j, bundle])
        if summing:
            for c in range(width):
                v = weight + cells[at + c]
                if v > best[to + c] - NEGLIGIBLE:
                    total[to + c] += exp(v - best[to + c])
        else:
            done = np.uint64(0)
            while done + eight <= width:
                for c in range(eight):
                    v = weight + cells[at + done + c]
                    held = best[to + done + c]
                    best[to + done + c] = v if v > held else held  # noqa: FURB136 - compiles to a vector instruction, as max() does not
                done += eight
            while done < width:
                best[to + done] = max(best[to + done], weight + cells[at + done])
                done += np.uint64(1)
        at += width


@njit(cache=True, nogil=True, inline="always")
def _reach(
    p: Pushdown,
    t: Inside,
    j: int,
    n: int,
    weight: float,
    offset: npt.NDArray[np.int64],
    best: npt.NDArray[np.float64],
    total: npt.NDArray[np.float64],
    summing: bool,
) -> None:
    """Take what follows from node n at layer j into a row laid out by ``offset``: the exit itself if it is a pop, else the node's row."""
    if p.kind[n] == POP:
        x = p.exit_of[n]
        c = t.column_of[j, x]
        if c >= 0:
            c += offset[p.bundle_of[x]]
            if not summing:
                best[c] = max(best[c], weight)
            elif weight > best[c] - NEGLIGIBLE:
                total[c] += exp(weight - best[c])
    elif t.row_of[j, n] >= 0:
        kind = p.type_of[n]
        first, last = p.type_first[kind], p.type_first[kind + 1]
        _fold(t.cells, t.row_of[j, n], weight, t.width, j, p.type_bundle, first, last, offset, best, total, summing)


@njit(cache=True, nogil=True)
def _control(
    p: Pushdown,
    s: Steps,
    t: Inside,
    j: int,
    q: int,
    edges: npt.NDArray[np.float64],
    offset: npt.NDArray[np.int64],
    best: npt.NDArray[np.float64],
    total: npt.NDArray[np.float64],
    summing: bool,
) -> None:
    if j == len(s.skippable):
        if p.accepting[q]:
            if summing:
                total[offset[END]] = 1.0
            else:
                best[offset[END]] = 0.0
        return
    if s.skippable[j]:
        _reach(p, t, j + 1, q, 0.0, offset, best, total, summing)
    if s.run[j]:
        for e in range(s.run_start[j], s.run_start[j + 1]):
            if s.run_source[e] == q:
                _reach(p, t, j + 1, s.run_node[e], s.run_weights[j], offset, best, total, summing)
        return
    for e in range(p.edge_start[q], p.edge_start[q + 1]):
        if edges[e] > -inf:
            _reach(p, t, j + 1, p.edge_node[e], edges[e], offset, best, total, summing)


@njit(cache=True, nogil=True)
def _push(
    p: Pushdown,
    t: Inside,
    j: int,
    n: int,
    inner: npt.NDArray[np.int64],
    offset: npt.NDArray[np.int64],
    best: npt.NDArray[np.float64],
    total: npt.NDArray[np.float64],
    summing: bool,
) -> None:
    """Like ``_control``; ``inner`` are the offsets of the row that runs on top."""
    # what ``_reach`` does, in line: here are nearly all terms, and arrays that are taken out of a tuple for each cost more than most of these
    cells, row_of, column_of, widths = t.cells, t.row_of, t.column_of, t.width
    bundle_of, exit_of, becomes, kinds, exit_node = p.bundle_of, p.exit_of, p.inner, p.kind, p.exit_node
    type_of, type_first, type_bundle = p.type_of, p.type_first, p.type_bundle
    first_exit, end_exit = p.exit_first[p.symbol[n]], p.exit_first[p.symbol[n] + 1]
    row = row_of[j, becomes[n]]
    if row >= 0:
        for x in range(first_exit, end_exit):
            at = inner[bundle_of[x]]
            if at < 0:
                continue
            at += row
            m = becomes[exit_node[x]]
            if kinds[m] == POP:
                y = exit_of[m]
                to = offset[bundle_of[y]]
                for k in range(j + 1, row_of.shape[0]):
                    c, d = column_of[k, x], column_of[k, y]
                    if c >= 0 and d >= 0:
                        weight = cells[at + c]
                        if not summing:
                            best[to + d] = max(best[to + d], weight)
                        elif weight > best[to + d] - NEGLIGIBLE:
                            total[to + d] += exp(weight - best[to + d])
                continue
            first, last = type_first[type_of[m]], type_first[type_of[m] + 1]
            for k in range(j + 1, row_of.shape[0]):
                c = column_of[k, x]
                if c >= 0 and row_of[k, m] >= 0:
                    weight = cells[at + c]
                    if weight > -inf:
                        _fold(
                            cells,
                            row_of[k, m],
                            weight,
                            widths,
                            k,
                            type_bundle,
                            first,
                            last,
                            offset,
                            best,
                            total,
                            summing,
                        )


@njit(cache=True, nogil=True)
def _number_exits(
    p: Pushdown, t: Inside, live: npt.NDArray[np.bool_], j: int, n_columns: npt.NDArray[np.int32]
) -> None:
    """Number the exits of layer j, going on from how many columns each bundle has."""
    alive = np.zeros(len(p.kind), np.bool_)
    for n in range(len(p.kind)):
        if live[j, n] and p.kind[n] == POP:
            m = p.inner[n]
            alive[n] = alive[m] if p.kind[m] == POP else t.row_of[j, m] >= 0
    for x in range(len(p.exit_node)):
        if alive[p.exit_node[x]]:
            t.column_of[j, x] = n_columns[p.bundle_of[x]]
            n_columns[p.bundle_of[x]] += 1


@njit(cache=True, nogil=True)
def _leads_on(p: Pushdown, t: Inside, j: int, n: int) -> bool:
    """Whether anything can be completed from node n at layer j."""
    return bool(t.column_of[j, p.exit_of[n]] >= 0 if p.kind[n] == POP else t.row_of[j, n] >= 0)


@njit(cache=True, nogil=True)
def inside(p: Pushdown, s: Steps, t: Inside, live: npt.NDArray[np.bool_], widest: int, summing: bool) -> int:
    """Fill the table; return how many cells it took.

    Args:
        p: the machine.
        s: the canvas.
        t: a table whose ``row_of`` and ``column_of`` hold NONE throughout, with a cell for each exit that each row can have.
        live: see ``possible``.
        widest: how long a row can be.
        summing: log-sum-exp rather than max-plus.

    """
    n_steps = len(s.skippable)
    n_columns = np.zeros(p.n_bundles, np.int32)
    n_columns[END] = 1
    edges = np.empty(len(p.edge_node), np.float64)
    best = np.empty(widest, np.float64)
    total = np.empty(widest, np.float64)
    offset = np.empty(p.n_bundles, np.int64)
    inner = np.empty(p.n_bundles, np.int64)
    used = 0
    for j in range(n_steps, -1, -1):
        t.width[j] = n_columns
        if j < n_steps and not s.run[j]:
            for q in range(len(p.accepting)):
                if live[j, q]:
                    for e in range(p.edge_start[q], p.edge_start[q + 1]):
                        ahead = _leads_on(p, t, j + 1, p.edge_node[e])
                        edges[e] = edge_weight(p, s.weights, j, e, summing) if ahead else -inf
        for n in range(len(p.kind)):
            if not live[j, n] or p.kind[n] == POP:
                continue
            width = offsets(p, t, j, n, offset)
            best[:width] = -inf
            if p.kind[n] == CONTROL:
                _control(p, s, t, j, n, edges, offset, best, total, False)
            else:
                offsets(p, t, j, p.inner[n], inner)
                _push(p, t, j, n, inner, offset, best, total, False)
            some = False
            for c in range(width):
                if best[c] > -inf:
                    some = True
                    break
            if not some:
                continue
            if summing:
                total[:width] = 0.0
                if p.kind[n] == CONTROL:
                    _control(p, s, t, j, n, edges, offset, best, total, True)
                else:
                    _push(p, t, j, n, inner, offset, best, total, True)
                for c in range(width):
                    if best[c] > -inf:
                        best[c] += log(total[c])
            t.row_of[j, n] = used
            t.cells[used : used + width] = best[:width]
            used += width
        _number_exits(p, t, live, j, n_columns)
    return used
