"""Weights of everything that may fill a canvas: the backward pass of the lattice in the max-plus and the log-sum-exp semiring.

A frame is left at a pop and nowhere else.  So the table has, for every layer j of the canvas and every node n that may occur there, one
number for each *exit*: a pop node that is reached at a later layer.  The number is the weight of all runs (log-sum-exp), or of the best
run (max-plus), that start in n at layer j with nothing known of the stack below and first look below it at that exit.

* A control adds up its edges: the weight of the step's token classes, and the row of the node that the edge leads to.
* A push of g over n runs n until an exit that pops g, then the landing of that exit, whose rows lie in later layers and are known.
* One more exit is the end: the canvas is used up in an accepting control with nothing but the bottom on the stack.  So the end
  passes through a push of the bottom and through no other.

Exits are numbered from the end of the canvas backwards, and only those whose landing can still complete anything; a row holds the
exits numbered when its layer is begun.  So rows are short near the end, a row is a straight array, and the row of a landing is a prefix.
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

from .machine import BOTTOM, CONTROL, POP, PUSH

END = 0
"""The column of the end of the canvas."""

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
        pops: int32[P]: the pop nodes by symbol.
        n_symbols: stack symbols.
        start: the node before the first token, a push of the bottom.

    """

    kind: npt.NDArray[np.int8]
    inner: npt.NDArray[np.int32]
    symbol: npt.NDArray[np.int32]
    edge_start: npt.NDArray[np.int32]
    edge_node: npt.NDArray[np.int32]
    edge_classes: npt.NDArray[np.uint64]
    accepting: npt.NDArray[np.bool_]
    pops: npt.NDArray[np.int32]
    n_symbols: int
    start: int


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
        cells: float64[], rows one after another; cell (row, column) is ``cells[row + column]``.
        row_of: int64[S + 1, N], where a node's row starts, NONE if it has none.
        column_of: int32[S + 1, N], the column of a pop node at a layer, NONE if nothing can be completed from there.
        width: int32[S + 2], how many columns the rows of each layer have.
        by_symbol: int32[S + 1, G + 1], the columns of a layer that pop symbol g are those from ``[j, g]`` to ``[j, g + 1]``.
        landing: int32[columns], the node that an exit becomes.

    """

    cells: npt.NDArray[np.float64]
    row_of: npt.NDArray[np.int64]
    column_of: npt.NDArray[np.int32]
    width: npt.NDArray[np.int32]
    by_symbol: npt.NDArray[np.int32]
    landing: npt.NDArray[np.int32]


@njit(cache=True, nogil=True)
def possible(p: Pushdown, s: Steps) -> npt.NDArray[np.bool_]:
    """bool[S + 1, N]: which nodes can occur at which layer, by conditions that are necessary: reachable, and not without a way on.

    Of the stack only the set of symbols that may lie on it somewhere is known.
    """
    n_steps = len(s.skippable)
    n_nodes = len(p.kind)
    live = np.zeros((n_steps + 1, n_nodes), np.bool_)
    below = np.zeros(p.n_symbols, np.bool_)
    pushed = np.zeros(p.n_symbols, np.bool_)
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
def _fold(
    best: npt.NDArray[np.float64],
    total: npt.NDArray[np.float64],
    row: npt.NDArray[np.float64],
    weight: float,
    summing: bool,
) -> None:
    """Take a weighted row into the greatest terms, or into the sum relative to them."""
    if summing:
        for c in range(len(row)):
            v = weight + row[c]
            if v > best[c] - NEGLIGIBLE:
                total[c] += exp(v - best[c])
    else:
        for c in range(len(row)):
            v = weight + row[c]
            best[c] = v if v > best[c] else best[c]  # noqa: FURB136 - compiles to a vector instruction, as max() does not


@njit(cache=True, nogil=True)
def _reach(
    t: Inside,
    j: int,
    n: int,
    weight: float,
    best: npt.NDArray[np.float64],
    total: npt.NDArray[np.float64],
    summing: bool,
) -> None:
    """Take what follows from node n at layer j: the exit itself if it is a pop, else the node's row."""
    row = t.row_of[j, n]
    if row >= 0:
        _fold(best, total, t.cells[row : row + t.width[j]], weight, summing)
    c = t.column_of[j, n]
    if c >= 0:
        if not summing:
            best[c] = max(best[c], weight)
        elif weight > best[c] - NEGLIGIBLE:
            total[c] += exp(weight - best[c])


@njit(cache=True, nogil=True)
def _control(
    p: Pushdown,
    s: Steps,
    t: Inside,
    j: int,
    q: int,
    edges: npt.NDArray[np.float64],
    best: npt.NDArray[np.float64],
    total: npt.NDArray[np.float64],
    summing: bool,
) -> None:
    if j == len(s.skippable):
        if p.accepting[q]:
            if summing:
                total[END] = 1.0
            else:
                best[END] = 0.0
        return
    if s.skippable[j]:
        _reach(t, j + 1, q, 0.0, best, total, summing)
    if s.run[j]:
        for e in range(s.run_start[j], s.run_start[j + 1]):
            if s.run_source[e] == q:
                _reach(t, j + 1, s.run_node[e], s.run_weights[j], best, total, summing)
        return
    for e in range(p.edge_start[q], p.edge_start[q + 1]):
        if edges[e] > -inf:
            _reach(t, j + 1, p.edge_node[e], edges[e], best, total, summing)


@njit(cache=True, nogil=True)
def _push(
    p: Pushdown,
    t: Inside,
    j: int,
    n: int,
    best: npt.NDArray[np.float64],
    total: npt.NDArray[np.float64],
    summing: bool,
) -> None:
    inner = t.row_of[j, p.inner[n]]
    if inner < 0:
        return
    g = p.symbol[n]
    for k in range(j + 1, t.row_of.shape[0]):
        for c in range(t.by_symbol[k, g], t.by_symbol[k, g + 1]):
            weight = t.cells[inner + c]
            if weight > -inf:
                _reach(t, k, t.landing[c], weight, best, total, summing)
    weight = t.cells[inner + END]
    if g == BOTTOM and weight > -inf:
        if summing:
            total[END] += exp(weight - best[END])
        else:
            best[END] = max(best[END], weight)


@njit(cache=True, nogil=True)
def _number_exits(p: Pushdown, t: Inside, live: npt.NDArray[np.bool_], j: int, n_columns: int) -> int:
    """Number the exits of layer j, symbol by symbol, and return how many columns there are now."""
    alive = np.zeros(len(p.kind), np.bool_)
    for n in range(len(p.kind)):
        if live[j, n] and p.kind[n] == POP:
            m = p.inner[n]
            alive[n] = alive[m] if p.kind[m] == POP else t.row_of[j, m] >= 0
    g = 0
    t.by_symbol[j, 0] = n_columns
    for n in p.pops:
        while g < p.symbol[n]:
            g += 1
            t.by_symbol[j, g] = n_columns
        if alive[n]:
            t.column_of[j, n] = n_columns
            t.landing[n_columns] = p.inner[n]
            n_columns += 1
    while g < p.n_symbols:
        g += 1
        t.by_symbol[j, g] = n_columns
    return n_columns


@njit(cache=True, nogil=True)
def inside(p: Pushdown, s: Steps, t: Inside, live: npt.NDArray[np.bool_], summing: bool) -> int:
    """Fill the table; return how many cells it took, or -1 if it has too few.

    Args:
        p: the machine.
        s: the canvas.
        t: a table whose ``row_of`` and ``column_of`` hold NONE throughout.
        live: see ``possible``.
        summing: log-sum-exp rather than max-plus.

    """
    n_steps = len(s.skippable)
    n_controls = len(p.accepting)
    edges = np.empty(len(p.edge_node), np.float64)
    best = np.empty(len(t.landing), np.float64)
    total = np.empty(len(t.landing), np.float64)
    used = 0
    n_columns = 1
    t.width[n_steps + 1] = 1
    for j in range(n_steps, -1, -1):
        t.width[j] = n_columns
        if j < n_steps and not s.run[j]:
            for q in range(n_controls):
                if live[j, q]:
                    for e in range(p.edge_start[q], p.edge_start[q + 1]):
                        m = p.edge_node[e]
                        ahead = t.row_of[j + 1, m] >= 0 or t.column_of[j + 1, m] >= 0
                        edges[e] = edge_weight(p, s.weights, j, e, summing) if ahead else -inf
        for n in range(len(p.kind)):
            if not live[j, n] or p.kind[n] == POP:
                continue
            best[:n_columns] = -inf
            if p.kind[n] == CONTROL:
                _control(p, s, t, j, n, edges, best, total, False)
            else:
                _push(p, t, j, n, best, total, False)
            some = False
            for c in range(n_columns):
                if best[c] > -inf:
                    some = True
                    break
            if not some:
                continue
            if used + n_columns > len(t.cells):
                return -1
            if summing:
                total[:n_columns] = 0.0
                if p.kind[n] == CONTROL:
                    _control(p, s, t, j, n, edges, best, total, True)
                else:
                    _push(p, t, j, n, best, total, True)
                for c in range(n_columns):
                    if best[c] > -inf:
                        best[c] += log(total[c])
            t.row_of[j, n] = used
            t.cells[used : used + n_columns] = best[:n_columns]
            used += n_columns
        n_columns = _number_exits(p, t, live, j, n_columns)
    return used
