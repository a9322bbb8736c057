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

from .inside import END, NEGLIGIBLE, NONE, Inside, Pushdown, Steps, edge_weight, offsets
from .machine import CONTROL, POP


@njit(cache=True, nogil=True)
def value(p: Pushdown, t: Inside, j: int, n: int, bundle: int, column: int) -> float:
    """The weight of node n at layer j up to an exit."""
    if p.kind[n] == POP:
        x = p.exit_of[n]
        return 0.0 if p.bundle_of[x] == bundle and t.column_of[j, x] == column else -inf
    at = t.row_of[j, n]
    if at < 0 or column >= t.width[j, bundle]:
        return -inf
    for i in range(p.type_first[p.type_of[n]], p.type_first[p.type_of[n] + 1]):
        if p.type_bundle[i] == bundle:
            return float(t.cells[at + column])
        at += t.width[j, p.type_bundle[i]]
    return -inf


@njit(cache=True, nogil=True)
def _class_of_edge(
    p: Pushdown,
    weights: npt.NDArray[np.float64],
    j: int,
    e: int,
    weight: float,
    rng: np.random.Generator,
    drawing: bool,
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
    goals = np.empty((64, 4), np.int64)  # (layer, node, bundle, column) still to be explained, the leftmost last
    goals[0, 0], goals[0, 1], goals[0, 2], goals[0, 3] = 0, p.start, END, 0
    n_goals = 1
    while n_goals:
        n_goals -= 1
        j, n, bundle, column = goals[n_goals, 0], goals[n_goals, 1], goals[n_goals, 2], goals[n_goals, 3]
        if p.kind[n] == POP:
            continue  # the exit itself
        whole = value(p, t, j, n, bundle, column)
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
                    if value(p, t, j + 1, m, bundle, column) == -inf:
                        continue
                    weight = edge_weight(p, s.weights, j, e, drawing)
                weight += value(p, t, j + 1, m, bundle, column)
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
            g = p.symbol[n]
            searching = True
            for k in range(j + 1, n_steps + 1):
                if not searching:
                    break
                for x in range(p.exit_first[g], p.exit_first[g + 1]):
                    if t.column_of[k, x] < 0:
                        continue
                    weight = value(p, t, j, p.inner[n], p.bundle_of[x], t.column_of[k, x])
                    m = p.inner[p.exit_node[x]]
                    if weight > -inf:
                        weight += value(p, t, k, m, bundle, column)
                    if weight == -inf:
                        continue
                    if drawing or weight == whole:
                        to_layer, to_node, through = k, m, x
                    if drawing:
                        left -= exp(weight - whole)
                    searching = left >= 0 if drawing else to_layer == NONE
                    if not searching:
                        break
        if n_goals + 2 > len(goals):
            goals = np.concatenate((goals, np.empty_like(goals)))
        goals[n_goals, 0], goals[n_goals, 1], goals[n_goals, 2], goals[n_goals, 3] = to_layer, to_node, bundle, column
        n_goals += 1
        if through != NONE:
            goals[n_goals, 0], goals[n_goals, 1] = j, p.inner[n]
            goals[n_goals, 2], goals[n_goals, 3] = p.bundle_of[through], t.column_of[to_layer, through]
            n_goals += 1


@njit(cache=True, nogil=True)
def _added(held: float, term: float) -> float:
    """log(exp(held) + exp(term))."""
    if term > held:
        return term if term > held + NEGLIGIBLE else term + log1p(exp(held - term))
    return held + log1p(exp(term - held)) if term > held - NEGLIGIBLE else held


@njit(cache=True, nogil=True)
def _hand_on(
    p: Pushdown,
    t: Inside,
    posteriors: npt.NDArray[np.float64],
    share: npt.NDArray[np.float64],
    offset: npt.NDArray[np.int64],
    j: int,
    m: int,
    weight: float,
) -> float:
    """Hand one term's part of the posteriors of a row on to the row that it leads to; return the posterior of the term.

    Args:
        p: the machine.
        t: the table.
        posteriors: float64[cells].
        share: per cell of the row, its posterior less its value, -inf where it has none.
        offset: where each bundle begins in the row.
        j: the layer that the term leads to.
        m: the node there.
        weight: what the term weighs apart from what follows.

    """
    if p.kind[m] == POP:
        x = p.exit_of[m]
        c = t.column_of[j, x]
        return share[offset[p.bundle_of[x]] + c] + weight if c >= 0 else -inf
    whole = -inf
    at = t.row_of[j, m]
    if at < 0:
        return whole
    for i in range(p.type_first[p.type_of[m]], p.type_first[p.type_of[m] + 1]):
        bundle = p.type_bundle[i]
        own = offset[bundle]
        for c in range(t.width[j, bundle]):
            if share[own + c] > -inf and t.cells[at + c] > -inf:
                term = share[own + c] + weight + t.cells[at + c]
                posteriors[at + c] = _added(posteriors[at + c], term)
                whole = _added(whole, term)
        at += t.width[j, bundle]
    return whole


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
    offset = np.empty(p.n_bundles, np.int64)
    inner = np.empty(p.n_bundles, np.int64)
    share = np.empty(used, np.float64)
    offsets(p, t, 0, p.start, offset)
    posteriors[t.row_of[0, p.start] + offset[END]] = 0.0
    for j in range(n_steps + 1):
        for n in range(len(p.kind) - 1, -1, -1):
            row = t.row_of[j, n]
            if row < 0 or (j == n_steps and p.kind[n] == CONTROL):
                continue
            width = offsets(p, t, j, n, offset)
            some = False
            for c in range(width):
                share[c] = -inf
                if posteriors[row + c] > -inf:
                    share[c] = posteriors[row + c] - t.cells[row + c]
                    some = True
            if not some:
                continue
            if p.kind[n] != CONTROL:
                row = t.row_of[j, p.inner[n]]
                offsets(p, t, j, p.inner[n], inner)
                g = p.symbol[n]
                for k in range(j + 1, n_steps + 1):
                    for x in range(p.exit_first[g], p.exit_first[g + 1]):
                        if t.column_of[k, x] < 0 or inner[p.bundle_of[x]] < 0:
                            continue
                        c = row + inner[p.bundle_of[x]] + t.column_of[k, x]
                        if t.cells[c] > -inf:
                            m = p.inner[p.exit_node[x]]
                            term = _hand_on(p, t, posteriors, share, offset, k, m, t.cells[c])
                            posteriors[c] = _added(posteriors[c], term)
            elif s.run[j]:
                for e in range(s.run_start[j], s.run_start[j + 1]):
                    if s.run_source[e] == n:
                        _hand_on(p, t, posteriors, share, offset, j + 1, s.run_node[e], s.run_weights[j])
            else:
                for e in range(p.edge_start[n], p.edge_start[n + 1]):
                    weight = edge_weight(p, s.weights, j, e, True)
                    if weight == -inf:
                        continue
                    term = _hand_on(p, t, posteriors, share, offset, j + 1, p.edge_node[e], weight)
                    if term > -inf:
                        for cls in range(s.weights.shape[1]):
                            has = p.edge_classes[e, cls >> 6] >> np.uint64(cls & 63) & np.uint64(1)
                            if has and s.weights[j, cls] > -inf:
                                found[j, cls] = _added(found[j, cls], term + s.weights[j, cls] - weight)
    return found
