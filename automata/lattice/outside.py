"""What the table of a canvas tells: the best filling, samples of the exact joint distribution, and marginals.

The best filling needs no back-pointers: from the start and the end of the canvas, walk down and take at each cell a term that
attains its value (the sums are formed as they were formed before, so equality of doubles is exact).  A sample takes each term with its
share of the cell instead.  Marginals come from the outside pass: every cell's posterior, from the start down, each cell handing its
own on to the terms that it is the sum of.  All posteriors are logarithms, so that improbable tokens keep their digits.
"""

from __future__ import annotations

from math import exp, inf, log1p

import numpy as np
import numpy.typing as npt
from numba import njit

from .inside import END, NEGLIGIBLE, NONE, Inside, Pushdown, Steps, edge_weight
from .machine import BOTTOM, CONTROL, POP


@njit(cache=True, nogil=True)
def value(t: Inside, j: int, n: int, column: int) -> float:
    """The weight of node n at layer j up to an exit."""
    row = t.row_of[j, n]
    if row >= 0:
        return t.cells[row + column] if column < t.width[j] else -inf
    return 0.0 if column != END and t.column_of[j, n] == column else -inf


@njit(cache=True, nogil=True)
def _class_of_edge(
    p: Pushdown, weights: npt.NDArray[np.float64], j: int, e: int, weight: float, rng: np.random.Generator, drawing: bool
) -> int:
    """The class that an edge's weight comes from: the first that attains it, or one drawn by its share."""
    left = rng.random() if drawing else 0.0
    last = NONE
    for c in range(weights.shape[1]):
        if p.edge_classes[e, c >> 6] >> np.uint64(c & 63) & np.uint64(1) and weights[j, c] > -inf:
            if drawing:
                last = c
                left -= exp(weights[j, c] - weight)
                if left < 0:
                    return c
            elif weights[j, c] == weight:
                return c
    return last


@njit(cache=True, nogil=True)
def walk(
    p: Pushdown, s: Steps, t: Inside, rng: np.random.Generator, drawing: bool, classes: npt.NDArray[np.int32]
) -> None:
    """Write the class of each step of the best filling, or of one that is drawn; NONE at runs and at steps left out.

    Args:
        p: the machine.
        s: the canvas.
        t: its table, of which the start reaches the end: max-plus, or log-sum-exp for ``drawing``.
        rng: where draws come from.
        drawing: draw each term by its share, rather than take the first that attains the value.
        classes: int32[S], what is written.

    """
    n_steps = len(s.skippable)
    classes[:] = NONE
    goals = np.empty((64, 3), np.int64)  # (layer, node, column) still to be explained, the leftmost last
    goals[0, 0], goals[0, 1], goals[0, 2] = 0, p.start, END
    n_goals = 1
    while n_goals:
        n_goals -= 1
        j, n, column = goals[n_goals, 0], goals[n_goals, 1], goals[n_goals, 2]
        if p.kind[n] == POP:
            continue  # the exit itself
        whole = value(t, j, n, column)
        left = rng.random() if drawing else 0.0
        to_layer, to_node, edge, through = NONE, NONE, NONE, NONE
        if p.kind[n] == CONTROL:
            if j == n_steps:
                continue
            first, last = p.edge_start[n], p.edge_start[n + 1]
            if s.run[j]:
                first, last = s.run_start[j], s.run_start[j + 1]
            for e in range(first - 1, last):
                if e < first:  # the step left out
                    if not s.skippable[j]:
                        continue
                    m, weight = n, 0.0
                elif s.run[j]:
                    if s.run_source[e] != n:
                        continue
                    m, weight = s.run_node[e], s.run_weights[j]
                else:
                    m = p.edge_node[e]
                    if value(t, j + 1, m, column) == -inf:
                        continue
                    weight = edge_weight(p, s.weights, j, e, drawing)
                weight += value(t, j + 1, m, column)
                if weight == -inf:
                    continue
                if drawing or weight == whole:
                    to_layer, to_node, edge = j + 1, m, (e if e >= first and not s.run[j] else NONE)
                if drawing:
                    left -= exp(weight - whole)
                    if left >= 0:
                        continue
                if to_layer != NONE:
                    break
            if edge != NONE:
                weight = edge_weight(p, s.weights, j, edge, drawing)
                classes[j] = _class_of_edge(p, s.weights, j, edge, weight, rng, drawing)
        else:
            inner = t.row_of[j, p.inner[n]]
            g = p.symbol[n]
            if g == BOTTOM and column == END and t.cells[inner + END] > -inf:
                if drawing or t.cells[inner + END] == whole:
                    to_layer, to_node, through = n_steps, NONE, END
                left -= exp(t.cells[inner + END] - whole)
            searching = left >= 0 if drawing else to_layer == NONE
            for k in range(j + 1, n_steps + 1):
                if not searching:
                    break
                for c in range(t.by_symbol[k, g], t.by_symbol[k, g + 1]):
                    weight = t.cells[inner + c]
                    if weight == -inf:
                        continue
                    weight += value(t, k, t.landing[c], column)
                    if weight == -inf:
                        continue
                    if drawing or weight == whole:
                        to_layer, to_node, through = k, t.landing[c], c
                    if drawing:
                        left -= exp(weight - whole)
                    searching = left >= 0 if drawing else to_layer == NONE
                    if not searching:
                        break
        if n_goals + 2 > len(goals):
            goals = np.concatenate((goals, np.empty_like(goals)))
        if to_node != NONE:
            goals[n_goals, 0], goals[n_goals, 1], goals[n_goals, 2] = to_layer, to_node, column
            n_goals += 1
        if through != NONE:
            goals[n_goals, 0], goals[n_goals, 1], goals[n_goals, 2] = j, p.inner[n], through
            n_goals += 1


@njit(cache=True, nogil=True)
def _add(cells: npt.NDArray[np.float64], at: int, term: float) -> None:
    """The log of one more summand."""
    held = cells[at]
    if term > held:
        cells[at] = term if term > held + NEGLIGIBLE else term + log1p(exp(held - term))
    elif term > held - NEGLIGIBLE:
        cells[at] = held + log1p(exp(term - held))


@njit(cache=True, nogil=True)
def _hand_on(
    t: Inside,
    posteriors: npt.NDArray[np.float64],
    share: npt.NDArray[np.float64],
    columns: npt.NDArray[np.int32],
    j: int,
    m: int,
    weight: float,
    rest: npt.NDArray[np.float64],
) -> None:
    """One term's part of the posteriors of a row: onto the row that it leads to, and in sum onto ``rest[0]``.

    Args:
        t: the table.
        posteriors: float64[cells].
        share: per column, the posterior of the cell less its value.
        columns: those where the share is finite.
        j: the layer that the term leads to.
        m: the node there.
        weight: what the term weighs apart from what follows.
        rest: float64[1], the posterior of the term.

    """
    rest[0] = -inf
    row = t.row_of[j, m]
    if row >= 0:
        for c in columns:
            if c < t.width[j] and t.cells[row + c] > -inf:
                term = share[c] + weight + t.cells[row + c]
                _add(posteriors, row + c, term)
                _add(rest, 0, term)
        return
    c = t.column_of[j, m]
    if c >= 0 and share[c] > -inf:
        rest[0] = share[c] + weight


@njit(cache=True, nogil=True)
def outside(p: Pushdown, s: Steps, t: Inside, used: int) -> npt.NDArray[np.float64]:
    """float64[S, C]: the log probability of each class at each step; -inf at runs.

    Args:
        p: the machine, which is deterministic.
        s: the canvas, without steps that may be left out.
        t: its log-sum-exp table, of which the start reaches the end.
        used: how many cells it has.

    """
    n_steps = len(s.skippable)
    found = np.full(s.weights.shape, -inf)
    posteriors = np.full(used, -inf)
    posteriors[t.row_of[0, p.start] + END] = 0.0
    share = np.empty(len(t.landing), np.float64)
    columns = np.empty(len(t.landing), np.int32)
    rest = np.empty(1, np.float64)
    for j in range(n_steps + 1):
        share[: t.width[j]] = -inf
        for n in range(len(p.kind) - 1, -1, -1):
            row = t.row_of[j, n]
            if row < 0:
                continue
            n_finite = 0
            for c in range(t.width[j]):
                share[c] = -inf
                if posteriors[row + c] > -inf:
                    share[c] = posteriors[row + c] - t.cells[row + c]
                    columns[n_finite] = c
                    n_finite += 1
            if n_finite == 0:
                continue
            finite = columns[:n_finite]
            if p.kind[n] == CONTROL:
                if j == n_steps:
                    continue
                if s.run[j]:
                    for e in range(s.run_start[j], s.run_start[j + 1]):
                        if s.run_source[e] == n:
                            _hand_on(t, posteriors, share, finite, j + 1, s.run_node[e], s.run_weights[j], rest)
                    continue
                for e in range(p.edge_start[n], p.edge_start[n + 1]):
                    m = p.edge_node[e]
                    if t.row_of[j + 1, m] < 0 and t.column_of[j + 1, m] < 0:
                        continue
                    weight = edge_weight(p, s.weights, j, e, True)
                    if weight == -inf:
                        continue
                    _hand_on(t, posteriors, share, finite, j + 1, m, weight, rest)
                    if rest[0] == -inf:
                        continue
                    for word in range(p.edge_classes.shape[1]):
                        bits = p.edge_classes[e, word]
                        cls = word << 6
                        while bits:
                            if bits & np.uint64(1) and s.weights[j, cls] > -inf:
                                _add(found[j], cls, rest[0] + s.weights[j, cls] - weight)
                            bits >>= np.uint64(1)
                            cls += 1
                continue
            inner = t.row_of[j, p.inner[n]]
            g = p.symbol[n]
            for k in range(j + 1, n_steps + 1):
                for c in range(t.by_symbol[k, g], t.by_symbol[k, g + 1]):
                    weight = t.cells[inner + c]
                    if weight > -inf:
                        _hand_on(t, posteriors, share, finite, k, t.landing[c], weight, rest)
                        _add(posteriors, inner + c, rest[0])
            if g == BOTTOM and share[END] > -inf and t.cells[inner + END] > -inf:
                _add(posteriors, inner + END, share[END] + t.cells[inner + END])
    return found
