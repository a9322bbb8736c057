"""How the Boolean table lies in memory: which exits a row has, and how rows are added and compared.

A row of ``T`` (``boolean``) has a bit for each exit, a pop node and the layer in which it lands.  Three things keep rows short:

* A node comes to a few of all pops only, those of its type (``exits``), and its row has no others: JSON's have 20 of 52.
* From layer j nothing lands in a layer before j + 1, so the row has no words of earlier layers.
* Rows of a layer that must be equal are one row, under one number.

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
from .machine import POP


class RowLayout(NamedTuple):
    """What is where in a row.

    Attributes:
        size: int32[types], pops of each type.
        offset: int32[types, B], how many pops of the type come before those of a bundle, -1 where the type lacks it.
        bundle_size: int32[B], pops of each bundle.
        bundle_first: int32[B], how many pops come before it in a set of all.
        place: int32[X], the place of each exit in its bundle.
        n_extra: E.
        landings: int32[L], the nodes that pops land in, but pops.
        landing_of: int32[X], the number of that node for each exit; -1 if it is a pop.

    """

    size: npt.NDArray[np.int32]
    offset: npt.NDArray[np.int32]
    bundle_size: npt.NDArray[np.int32]
    bundle_first: npt.NDArray[np.int32]
    place: npt.NDArray[np.int32]
    n_extra: int
    landings: npt.NDArray[np.int32]
    landing_of: npt.NDArray[np.int32]


def row_layout(p: Pushdown) -> RowLayout:
    """Lay out the rows of a pushdown."""
    n_types, n_exits = len(p.type_first) - 1, len(p.exit_node)
    bundle_size = np.bincount(p.bundle_of, minlength=p.n_bundles).astype(np.int32)
    order = np.argsort(p.bundle_of, kind="stable")
    bundle_first = (np.cumsum(bundle_size) - bundle_size).astype(np.int32)
    place = np.empty(n_exits, np.int32)
    place[order] = np.arange(n_exits) - bundle_first[p.bundle_of[order]]
    offset = np.full((n_types, p.n_bundles), -1, np.int32)
    types = np.repeat(np.arange(n_types), np.diff(p.type_first))
    sizes = bundle_size[p.type_bundle]
    before = np.append(0, np.cumsum(sizes))
    offset[types, p.type_bundle] = before[:-1] - before[p.type_first[types]]
    lands = p.inner[p.exit_node]
    landings, numbers = np.unique(lands[p.kind[lands] != POP], return_inverse=True)
    landing_of = np.full(n_exits, -1, np.int32)
    landing_of[p.kind[lands] != POP] = numbers
    return RowLayout(
        size=np.diff(before[p.type_first]).astype(np.int32),
        offset=offset,
        bundle_size=bundle_size,
        bundle_first=bundle_first,
        place=place,
        n_extra=(n_exits + 1 + 63) // 64,
        landings=landings.astype(np.int32),
        landing_of=landing_of,
    )


@njit(cache=True, nogil=True, inline="always")
def add_row(p, rows, cells, to, kind, height, others, at, other_kind, other_height):
    """Add a row of ``others`` to one of ``cells``, which has its bundles and is at least as high.

    Args:
        p: the pushdown.
        rows: the layout.
        cells: uint64[].
        to: where the row begins.
        kind: its type.
        height: its height.
        others: uint64[].
        at: where the row that is added begins.
        other_kind: its type.
        other_height: its height.

    """
    if kind == other_kind and height == other_height:
        # unsigned indices are not checked for being negative, so that the loops are vector instructions
        target, source = np.uint64(to), np.uint64(at)
        for i in range(np.uint64(rows.size[kind] * height + rows.n_extra)):
            cells[target + i] |= others[source + i]
    else:
        source = np.uint64(at)
        for k in range(p.type_first[other_kind], p.type_first[other_kind + 1]):
            b = p.type_bundle[k]
            size = rows.bundle_size[b]
            target = np.uint64(to + rows.offset[kind, b] * height + (height - other_height) * size)
            n = np.uint64(size * other_height)
            for i in range(n):
                cells[target + i] |= others[source + i]
            source += n
        target = np.uint64(to + rows.size[kind] * height)
        for i in range(np.uint64(rows.n_extra)):
            cells[target + i] |= others[source + i]


@njit(cache=True, nogil=True)
def _covers(cells, to, others, at, n):
    """Whether n words have all bits of n others."""
    i = np.uint64(0)
    end = np.uint64(n)
    target, source = np.uint64(to), np.uint64(at)
    while i + np.uint64(8) <= end:
        more = np.uint64(0)
        for k in range(np.uint64(8)):
            more |= others[source + i + k] & ~cells[target + i + k]
        if more:
            return False
        i += np.uint64(8)
    more = np.uint64(0)
    while i < end:
        more |= others[source + i] & ~cells[target + i]
        i += np.uint64(1)
    return more == 0


@njit(cache=True, nogil=True)
def has_row(p, rows, cells, to, kind, height, others, at, other_kind, other_height):
    """Whether a row has all that another one has; see ``add_row``."""
    if kind == other_kind and height == other_height:
        return _covers(cells, to, others, at, rows.size[kind] * height + rows.n_extra)
    extra = rows.size[other_kind] * other_height
    if not _covers(cells, to + rows.size[kind] * height, others, at + extra, rows.n_extra):
        return False
    for k in range(p.type_first[other_kind], p.type_first[other_kind + 1]):
        b = p.type_bundle[k]
        size = rows.bundle_size[b]
        target = to + rows.offset[kind, b] * height + (height - other_height) * size
        if not _covers(cells, target, others, at, size * other_height):
            return False
        at += size * other_height
    return True
