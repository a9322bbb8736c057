"""How the Boolean table lies in memory: which exits a row has, and how rows are added and compared.

A row of ``T`` (``boolean``) has a bit for each exit, a pop node and the layer in which it lands.  Three things keep rows short:

* A node comes to a few of all pops only, those of its type (``exits``), and its row has no others: JSON's have 20 of 52.
* From layer j nothing lands in a layer before j + 1, so the row has no words of earlier layers.
* Rows of a layer that are equal are one row, under one number: JSON's 104 nodes of a layer have 36.

A row is its type's bundles one after another, then ``E`` words of extra columns.  A bundle of k pops is, for each word of 64 layers from
that of layer j + 1 to the last, k words side by side: those from any layer on are the end of it, so a row of a later layer is added to a
row of an earlier one bundle by bundle, straight through memory.  The *height* of a row is the number of words of layers that it has.

Sets of exits that belong to no layer (the contexts of ``contexts``) have all bundles, at full height.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from .inside import Pushdown
from .machine import POP, PUSH

BUNDLE, PLACE, LANDING, BECOMES = range(4)
"""Columns of ``RowLayout.exits``."""


class RowLayout(NamedTuple):
    """What is where in a row.

    Attributes:
        size: int32[types], pops of each type.
        offset: int32[types, B], how many pops of the type come before those of a bundle, -1 where the type lacks it.
        bundle_size: int32[B], pops of each bundle.
        bundle_first: int32[B], how many pops come before it in a set of all.
        n_extra: E.
        landings: int32[L], the nodes that pops land in, but pops.
        exits: int32[X, 4], of each exit the bundle, the place in it, the number of the landing (-1 if it becomes another pop), and that
            node (or the exit that the pop is).
        push_first: int32[N + 1], where the ways on of each push begin in ``ways``.
        ways: int32[k, 8], of each exit of what runs on top that pops the push's symbol: its bundle's offset there, its place and the size of the
            bundle; the landing and its type, and the exit; or -1, and for the exit that it becomes the bundle's offset in the push's row, the
            place, and the size.

    """

    size: npt.NDArray[np.int32]
    offset: npt.NDArray[np.int32]
    bundle_size: npt.NDArray[np.int32]
    bundle_first: npt.NDArray[np.int32]
    n_extra: int
    landings: npt.NDArray[np.int32]
    exits: npt.NDArray[np.int32]
    push_first: npt.NDArray[np.int32]
    ways: npt.NDArray[np.int32]


@njit(cache=True, nogil=True)
def _ways(p, offset, bundle_size, exits):
    """``push_first`` and ``ways`` of a row layout."""
    n_nodes = len(p.kind)
    push_first = np.zeros(n_nodes + 1, np.int32)
    ways = np.zeros((0, 8), np.int32)
    for writing in (False, True):
        k = 0
        for n in range(n_nodes):
            push_first[n] = k
            if p.kind[n] != PUSH:
                continue
            for x in range(p.exit_first[p.symbol[n]], p.exit_first[p.symbol[n] + 1]):
                b = exits[x, BUNDLE]
                before = offset[p.type_of[p.inner[n]], b]
                if before < 0:
                    continue
                if writing:
                    way = ways[k]
                    way[0], way[1], way[2], way[3], way[7] = (
                        before,
                        exits[x, PLACE],
                        bundle_size[b],
                        exits[x, LANDING],
                        x,
                    )
                    if exits[x, LANDING] >= 0:
                        way[4] = p.type_of[exits[x, BECOMES]]
                    else:
                        other = exits[x, BECOMES]
                        b = exits[other, BUNDLE]
                        way[4], way[5], way[6] = offset[p.type_of[n], b], exits[other, PLACE], bundle_size[b]
                k += 1
        push_first[n_nodes] = k
        if not writing:
            ways = np.zeros((k, 8), np.int32)
    return push_first, ways


def row_layout(p: Pushdown) -> RowLayout:
    """Lay out the rows of a pushdown."""
    n_types, n_exits = len(p.type_first) - 1, len(p.exit_node)
    bundle_size = np.bincount(p.bundle_of, minlength=p.n_bundles).astype(np.int32)
    bundle_first = (np.cumsum(bundle_size) - bundle_size).astype(np.int32)
    offset = np.full((n_types, p.n_bundles), -1, np.int32)
    before = np.append(0, np.cumsum(bundle_size[p.type_bundle]))
    types = np.repeat(np.arange(n_types), np.diff(p.type_first))
    offset[types, p.type_bundle] = before[:-1] - before[p.type_first[types]]
    order = np.argsort(p.bundle_of, kind="stable")
    lands = p.inner[p.exit_node]
    onto = p.kind[lands] != POP
    landings, numbers = np.unique(lands[onto], return_inverse=True)
    exits = np.full((n_exits, 4), -1, np.int32)
    exits[:, BUNDLE] = p.bundle_of
    exits[order, PLACE] = np.arange(n_exits) - bundle_first[p.bundle_of[order]]
    exits[onto, LANDING] = numbers
    exits[:, BECOMES] = np.where(onto, lands, p.exit_of[lands])
    push_first, ways = _ways(p, offset, bundle_size, exits)
    return RowLayout(
        size=np.diff(before[p.type_first]).astype(np.int32),
        offset=offset,
        bundle_size=bundle_size,
        bundle_first=bundle_first,
        n_extra=(n_exits + 1 + 63) // 64,
        landings=landings.astype(np.int32),
        exits=exits,
        push_first=push_first,
        ways=ways,
    )


# Few arrays as arguments, and one way out: passing and counting references to them would cost more than what is done here.


@njit(cache=True, nogil=True)
def add_words(cells, to, at, n):
    """Add n words to n others."""
    target, source = (
        np.uint64(to),
        np.uint64(at),
    )  # so indices are not checked for being negative, and the loop is vector instructions
    for i in range(np.uint64(n)):
        cells[target + i] |= cells[source + i]


@njit(cache=True, nogil=True)
def has_words(cells, to, at, n):
    """Whether n words have all bits of n others."""
    i = np.uint64(0)
    end = np.uint64(n)
    eight = np.uint64(8)
    target, source = np.uint64(to), np.uint64(at)
    more = np.uint64(0)
    while i + eight <= end and not more:
        for k in range(eight):
            more |= cells[source + i + k] & ~cells[target + i + k]
        i += eight
    if not more:
        while i < end:
            more |= cells[source + i] & ~cells[target + i]
            i += np.uint64(1)
    return more == 0


@njit(cache=True, nogil=True)
def add_apart(
    cells, type_first, type_bundle, offset, bundle_size, size, n_extra, to, kind, height, at, other_kind, other_height
):
    """Add a row to one of another type or of a greater height, which has its bundles.

    Args:
        cells: uint64[].
        type_first: see ``Pushdown``.
        type_bundle: see there.
        offset: see ``RowLayout``.
        bundle_size: see there.
        size: see there.
        n_extra: see there.
        to: where the row begins that gets more.
        kind: its type.
        height: its height.
        at: where the row that is added begins.
        other_kind: its type.
        other_height: its height.

    """
    for k in range(type_first[other_kind], type_first[other_kind + 1]):
        b = type_bundle[k]
        n = bundle_size[b] * other_height
        add_words(cells, to + offset[kind, b] * height + bundle_size[b] * height - n, at, n)
        at += n
    add_words(cells, to + size[kind] * height, at, n_extra)


@njit(cache=True, nogil=True)
def has_apart(
    cells, type_first, type_bundle, offset, bundle_size, size, n_extra, to, kind, height, at, other_kind, other_height
):
    """Whether a row has all that one of another type or of a smaller height has; see ``add_apart``."""
    found = True
    for k in range(type_first[other_kind], type_first[other_kind + 1]):
        b = type_bundle[k]
        n = bundle_size[b] * other_height
        found = has_words(cells, to + offset[kind, b] * height + bundle_size[b] * height - n, at, n)
        at += n
        if not found:
            break
    return found and has_words(cells, to + size[kind] * height, at, n_extra)
