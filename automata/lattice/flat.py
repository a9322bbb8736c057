"""Boolean inference where the canvas machine has no stack: forward and backward sets of controls.

``ahead[j]`` holds the controls that some filling of the first j steps leads to, ``alive[j]`` those from which the other steps can be filled.
A change of one step changes ``ahead`` behind it and ``alive`` before it, and mostly not far: where a layer comes out as it was, the
layers beyond it are what they were.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .reach import ANY, FIRST_SET


@njit(cache=True, nogil=True)
def flat_forward(edge_start, edge_node, edge_classes, step_class, skippable, allowed, first, last, ahead):
    """Compute ``ahead`` of layers first + 1, ...; returns the first layer that came out as it was behind layer ``last``, S + 1 if none.

    Args:
        edge_start: see ``CanvasMachine``.
        edge_node: see there.
        edge_classes: see there.
        step_class: int32[S], see ``boolean.reach``.
        skippable: bool[S].
        allowed: uint64[sets, W].
        first: the step to begin with.
        last: the last step that changed.
        ahead: bool[S + 1, Q].

    """
    n_steps = len(step_class)
    n_controls = len(edge_start) - 1
    following = np.zeros(n_controls, np.bool_)
    for j in range(first, n_steps):
        c = step_class[j]
        for q in range(n_controls):
            if not ahead[j, q]:
                continue
            if skippable[j]:
                following[q] = True
            for e in range(edge_start[q], edge_start[q + 1]):
                m = edge_node[e]
                if following[m]:
                    continue
                if c == ANY:
                    following[m] = True
                elif c >= 0:
                    if (edge_classes[e, c >> 6] >> np.uint64(c & 63)) & np.uint64(1):
                        following[m] = True
                else:
                    for w in range(edge_classes.shape[1]):
                        if edge_classes[e, w] & allowed[FIRST_SET - c, w]:
                            following[m] = True
                            break
        same = True
        for q in range(n_controls):
            same &= ahead[j + 1, q] == following[q]
            ahead[j + 1, q] = following[q]
            following[q] = False
        if same and j >= last:
            return j + 1
    return n_steps + 1


@njit(cache=True, nogil=True)
def flat_backward(edge_start, edge_node, edge_classes, step_class, skippable, allowed, first, last, alive):
    """Compute ``alive`` of layers first, first - 1, ..., layer first + 1 being there.

    Returns the first layer that came out as it was before step ``last``, -1 if none.

    Args:
        edge_start: see ``flat_forward``, like all others.
        edge_node: see there.
        edge_classes: see there.
        step_class: see there.
        skippable: see there.
        allowed: see there.
        first: the step to begin with.
        last: the last step that changed, counted from the end.
        alive: bool[S + 1, Q].

    """
    n_controls = len(edge_start) - 1
    for j in range(first, -1, -1):
        c = step_class[j]
        same = True
        for q in range(n_controls):
            found = skippable[j] and alive[j + 1, q]
            for e in range(edge_start[q], edge_start[q + 1]):
                if found:
                    break
                if not alive[j + 1, edge_node[e]]:
                    continue
                if c == ANY:
                    found = True
                elif c >= 0:
                    if (edge_classes[e, c >> 6] >> np.uint64(c & 63)) & np.uint64(1):
                        found = True
                else:
                    for w in range(edge_classes.shape[1]):
                        if edge_classes[e, w] & allowed[FIRST_SET - c, w]:
                            found = True
                            break
            same &= alive[j, q] == found
            alive[j, q] = found
        if same and j <= last:
            return j
    return -1


@njit(cache=True, nogil=True)
def flat_masks(edge_start, edge_node, edge_classes, step_class, allowed, ahead, alive, first, end, masks):
    """The classes of steps ``first`` to ``end`` that lead from ``ahead`` to ``alive``.

    Args:
        edge_start: see ``flat_forward``.
        edge_node: see there.
        edge_classes: see there.
        step_class: see there.
        allowed: see there.
        ahead: see there.
        alive: see ``flat_backward``.
        first: the first step to compute.
        end: the one behind the last.
        masks: uint64[S, W], the result.

    """
    n_controls = len(edge_start) - 1
    n_classes = edge_classes.shape[1]
    for j in range(first, end):
        c = step_class[j]
        for w in range(n_classes):
            masks[j, w] = 0
        for q in range(n_controls):
            if not (ahead[j, q] and alive[j, q]):
                continue
            for e in range(edge_start[q], edge_start[q + 1]):
                if alive[j + 1, edge_node[e]]:
                    for w in range(n_classes):
                        masks[j, w] |= edge_classes[e, w]
        for w in range(n_classes):
            if c >= 0:
                masks[j, w] &= np.uint64(1) << np.uint64(c & 63) if w == c >> 6 else np.uint64(0)
            elif c != ANY:
                masks[j, w] &= allowed[FIRST_SET - c, w]
