"""Which nodes of a canvas machine can occur in which layer of a canvas, whatever the stack: it decides which rows the table has."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from .machine import POP, PUSH

ANY = -1  # of step_class: every class
RUN = -2  # a run of fixed tokens, which has edges of its own
FIRST_SET = -3  # FIRST_SET - k: the classes of allowed set k


class Canvas(NamedTuple):
    """The steps of a canvas as the Boolean kernels take them.

    Attributes:
        step_class: int32[S], the class of a fixed token, ANY, RUN, or below that FIRST_SET - k.
        skippable: bool[S], steps that may be left out.
        allowed: uint64[sets, W], the classes of allowed sets.
        step_run: int32[S], the number of a run, else -1.
        run_start: int32[runs, Q + 1], where the edges of each control begin in ``run_node``.
        run_node: int32[], where each leads.
        end_class: the class that the end of the canvas reads.
        origin: the first step; those before it are none, see ``boolean``.

    """

    step_class: npt.NDArray[np.int32]
    skippable: npt.NDArray[np.bool_]
    allowed: npt.NDArray[np.uint64]
    step_run: npt.NDArray[np.int32]
    run_start: npt.NDArray[np.int32]
    run_node: npt.NDArray[np.int32]
    end_class: int
    origin: int


@njit(cache=True, nogil=True)
def usable(edge_classes, e, c, allowed):
    """Whether an edge reads something that a step of class ``c``, no run and not ANY, may hold."""
    some = np.uint64(0)
    if c >= 0:
        some = (edge_classes[e, c >> 6] >> np.uint64(c & 63)) & np.uint64(1)
    else:
        for w in range(edge_classes.shape[1]):
            some |= edge_classes[e, w] & allowed[FIRST_SET - c, w]
    return some != 0


@njit(cache=True, nogil=True)
def reach(kind, inner, symbol, edge_start, edge_node, edge_classes, canvas, first, last, live, stacked):
    """Find what can occur in layers ``first`` + 1, ..., from what can occur in layer ``first``.

    Stops before a run whose edges are not known yet, and behind step ``last`` where a layer comes out as it was.
    Returns the layer of that run, S + 1 if there is none.

    Args:
        kind: of each node, like ``inner`` and ``symbol``, see ``CanvasMachine``.
        inner: see there.
        symbol: see there.
        edge_start: see there.
        edge_node: see there.
        edge_classes: see there.
        canvas: the steps.
        first: a layer.
        last: the last step that changed; S if layers hold nothing yet.
        live: bool[S + 1, N], the nodes that can occur.
        stacked: bool[S + 1, G], symbols that may lie on the stack, pushed in earlier layers.

    """
    n_steps = len(canvas.step_class)
    n_nodes = len(kind)
    n_controls = len(edge_start) - 1
    allowed, run_start, run_node = canvas.allowed, canvas.run_start, canvas.run_node
    pushed = np.zeros(stacked.shape[1], np.bool_)
    work = np.empty(n_nodes + 1, np.int64)
    seen = np.zeros(n_nodes, np.bool_)
    for n in range(n_nodes):
        seen[n] = live[first, n]
        if seen[n] and kind[n] == PUSH:
            pushed[symbol[n]] = True
    for j in range(first, n_steps):
        c = canvas.step_class[j]
        run = canvas.step_run[j]
        if run >= len(run_start):
            return j
        anything = run >= 0 or c == ANY
        n_work = 0
        for n in range(n_nodes):
            seen[n] = False
        for q in range(n_controls):
            if not live[j, q]:
                continue
            if canvas.skippable[j] and not seen[q]:
                seen[q] = True
                work[n_work] = q
                n_work += 1
            low = run_start[run, q] if run >= 0 else edge_start[q]
            high = run_start[run, q + 1] if run >= 0 else edge_start[q + 1]
            for e in range(low, high):
                m = run_node[e] if run >= 0 else edge_node[e]
                if not seen[m] and (anything or usable(edge_classes, e, c, allowed)):
                    seen[m] = True
                    work[n_work] = m
                    n_work += 1
        same = True
        for g in range(len(pushed)):
            below = stacked[j, g] or pushed[g]
            same &= stacked[j + 1, g] == below
            stacked[j + 1, g] = below
            pushed[g] = False
        i = 0
        while i < n_work:
            n = work[i]
            i += 1
            if kind[n] == PUSH:
                pushed[symbol[n]] = True
            elif kind[n] != POP or not stacked[j + 1, symbol[n]]:
                continue
            m = inner[n]
            if not seen[m]:
                seen[m] = True
                work[n_work] = m
                n_work += 1
        for n in range(n_nodes):
            same &= live[j + 1, n] == seen[n]
            live[j + 1, n] = seen[n]
        if same and j > last:
            break
    return n_steps + 1
