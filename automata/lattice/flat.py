"""Boolean inference where the canvas machine has no stack: forward and backward sets of controls.

``ahead[j]`` holds the controls that some filling of the first j steps leads to, ``alive[k]`` those from which the last k steps can be filled.
One is the other of the canvas read backwards, so one kernel finds both.  A control is left out of ``ahead`` where it takes more tokens to the end of any text
than there are steps left, and out of ``alive`` likewise: no filling comes there, and on a canvas with few slots to spare most controls are left out almost everywhere.

A change of one step changes ``ahead`` behind it and ``alive`` before it, and mostly not far: where a layer comes out as it was, the
layers beyond it are what they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from .reach import ANY, FIRST_SET, usable
from .words import lowest_bit

if TYPE_CHECKING:
    from .machine import CanvasMachine

FAR = 1 << 30
"""More tokens than a canvas has."""


class Direction(NamedTuple):
    """A machine without a stack as it is read from one side.

    Attributes:
        edge_start: int32[Q + 1], where the edges of each control begin.
        edge_node: int32[E], the control on the other side of each.
        edge_classes: uint64[E, W], what it reads.
        farthest: int32[Q], how many tokens each control is from the other side at least, FAR if it never comes there.
        border: uint64[ceil(Q/64)], the controls at which a canvas may begin on this side.

    """

    edge_start: npt.NDArray[np.int32]
    edge_node: npt.NDArray[np.int32]
    edge_classes: npt.NDArray[np.uint64]
    farthest: npt.NDArray[np.int32]
    border: npt.NDArray[np.uint64]


@njit(cache=True, nogil=True)
def _spread_distances(source, target, distance):
    """Make int32[Q], zero at some controls, how many edges each control is from the nearest of them; FAR if it comes to none."""
    changed = True
    while changed:
        changed = False
        for e in range(len(source) - 1, -1, -1):
            if distance[target[e]] + 1 < distance[source[e]]:
                distance[source[e]] = distance[target[e]] + 1
                changed = True


def directions(machine: CanvasMachine) -> tuple[Direction, Direction]:
    """The machine from its start, and from the end of texts."""
    n = machine.n_controls
    source = np.repeat(np.arange(n, dtype=np.int32), np.diff(machine.edge_start))
    target = machine.edge_node.astype(np.int32)
    order = np.argsort(target, kind="stable")
    bit = np.uint64(machine.end_class & 63)
    ends = machine.edge_classes[:, machine.end_class >> 6] >> bit & np.uint64(1) != 0
    at_start = np.arange(n) == machine.start
    at_end = np.isin(np.arange(n), source[ends & machine.accepting[target]])
    from_start, to_end = (np.where(border, 0, FAR).astype(np.int32) for border in (at_start, at_end))
    _spread_distances(target, source, from_start)
    _spread_distances(source, target, to_end)
    return (
        Direction(machine.edge_start, target, machine.edge_classes, to_end, _words(at_start)),
        Direction(
            np.searchsorted(target[order], np.arange(n + 1)).astype(np.int32),
            source[order],
            np.ascontiguousarray(machine.edge_classes[order]),
            from_start,
            _words(at_end),
        ),
    )


def _words(bits: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    return np.packbits(np.pad(bits, (0, -len(bits) % 64)), bitorder="little").view(np.uint64)


@njit(cache=True, nogil=True)
def spread(direction, step_class, skippable, allowed, first, last, sets):
    """Compute ``sets`` of layers first + 1, ...; returns the first layer that came out as it was behind step ``last``, S + 1 if none.

    Args:
        direction: the machine.
        step_class: int32[S], see ``reach.Canvas``, the steps in the order in which they are read.
        skippable: bool[S].
        allowed: uint64[sets, W].
        first: the step to begin with.
        last: the last step that changed; S if layers hold nothing yet.
        sets: uint64[S + 1, ceil(Q/64)], the controls of each layer.

    """
    edge_start, edge_node, edge_classes = direction.edge_start, direction.edge_node, direction.edge_classes
    farthest = direction.farthest
    n_steps, n_words = len(step_class), sets.shape[1]
    one, six, last_bit = np.uint64(1), np.uint64(6), np.uint64(63)
    following = np.zeros(n_words, np.uint64)
    for j in range(first, n_steps):
        c = step_class[j]
        anything = c == ANY
        left = n_steps - j - 1
        for w in range(n_words):
            bits = sets[j, w]
            if skippable[j]:
                following[w] |= bits
            # unsigned indices are not checked for being negative, which would be most of the work
            q = np.uint64(64 * w)
            while bits:
                if bits & one:
                    e, end = np.uint64(edge_start[q]), np.uint64(edge_start[q + one])
                    while e < end:
                        m = np.uint64(edge_node[e])
                        if farthest[m] <= left and (anything or usable(edge_classes, e, c, allowed)):
                            following[m >> six] |= one << (m & last_bit)
                        e += one
                bits >>= one
                q += one
        same = True
        for w in range(n_words):
            same &= sets[j + 1, w] == following[w]
            sets[j + 1, w] = following[w]
            following[w] = 0
        if same and j >= last:
            return j + 1
    return n_steps + 1


@njit(cache=True, nogil=True)
def flat_masks(direction, step_class, allowed, ahead, alive, first, end, masks):
    """The classes of steps ``first`` to ``end`` that lead from ``ahead`` to ``alive``.

    Args:
        direction: the machine, from its start.
        step_class: see ``spread``.
        allowed: see there.
        ahead: uint64[S + 1, ceil(Q/64)].
        alive: the same, of the canvas read backwards.
        first: the first step to compute.
        end: the one behind the last.
        masks: uint64[S, W], the result.

    """
    edge_start, edge_node, edge_classes = direction.edge_start, direction.edge_node, direction.edge_classes
    n_classes = edge_classes.shape[1]
    one = np.uint64(1)
    for j in range(first, end):
        c = step_class[j]
        here, there = len(step_class) - j, len(step_class) - j - 1
        for w in range(n_classes):
            masks[j, w] = 0
        for word in range(ahead.shape[1]):
            bits = ahead[j, word] & alive[here, word]
            while bits:
                q = 64 * word + lowest_bit(bits)
                bits &= bits - one
                for e in range(edge_start[q], edge_start[q + 1]):
                    m = edge_node[e]
                    if (alive[there, m >> 6] >> np.uint64(m & 63)) & one:
                        for w in range(n_classes):
                            masks[j, w] |= edge_classes[e, w]
        for w in range(n_classes):
            if c >= 0:
                masks[j, w] &= one << np.uint64(c & 63) if w == c >> 6 else np.uint64(0)
            elif c != ANY:
                masks[j, w] &= allowed[FIRST_SET - c, w]
