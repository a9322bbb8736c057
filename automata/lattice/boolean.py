"""Boolean inference on a canvas: which fillings exist, and which class of tokens may stand in each hole.

The canvas is a row of *steps* 0..S-1; layer j lies before step j.  Three passes over the layers:

1. ``reach`` (forward): which nodes can occur in which layer, whatever the stack; it decides which rows there are.
2. ``backward``: ``T[row]`` of a node in a layer is the set of *exits* by which a run from there can leave its frame.  An exit is a pop node
   and the layer in which it lands, or one of the extra columns: the end of the canvas reached with an empty stack, and
   pop nodes that the end of the canvas has.  A push is a jump: it takes what the node above it exits by, and goes on from where that lands.
3. ``forward``: ``J`` of a node in a layer is the set of exits that some context in which it occurs accepts.  An edge can be taken in some
   accepted filling iff the exits of where it leads meet ``J`` of where it starts.

What keeps that fast: rows are short (``exit_rows``), and nodes of a layer that lead to the same rows share one; a landing adds nothing to
a row that holds everything that later landings have (``rest``, suffix unions), and a landing that is dominated by an earlier one is jumped
over (``jump``); context sets are interned, and what a push makes of one is kept; contexts reach a landing by being pulled from the
pushes before it, newest first, until the union of all earlier ones is there.

A change of a step leaves the rows behind it as they are, so rows lie in memory from the last layer to the first, and those from some layer
on are dropped and made again.  Nodes that cannot occur any more keep their rows there, but are no landings any longer: a
landing that lacks nothing is what stops the loops.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from .exit_rows import add_row, has_row
from .machine import POP, PUSH
from .reach import usable

ACCEPTED = 0
"""The extra column of an accepted end; that of pop node x is x + 1."""


class Table(NamedTuple):
    """The exits of every row.

    Attributes:
        cells: uint64[], the rows, those of the last layer first.
        row_of: int32[S + 1, N], the row of each node that occurs, else -1.
        held: int32[S + 1, N], the same of all that had one when the layer was computed.
        base: int64[], where each row begins in ``cells``.
        kind: int32[], its type.
        used: int64[S + 2], the cells of the layers from each one on.
        n_rows: int32[S + 2], their rows.
        rest: uint64[], for each landing and layer the union of its rows from there on.
        rest_at: int64[L, S + 2], where that begins.
        jump: int32[L, S + 2], the first layer behind in which its row has more than in this one.
        shown: bool[S + 1, L], which landings occurred when ``rest`` was made.

    """

    cells: npt.NDArray[np.uint64]
    row_of: npt.NDArray[np.int32]
    held: npt.NDArray[np.int32]
    base: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int32]
    used: npt.NDArray[np.int64]
    n_rows: npt.NDArray[np.int32]
    rest: npt.NDArray[np.uint64]
    rest_at: npt.NDArray[np.int64]
    jump: npt.NDArray[np.int32]
    shown: npt.NDArray[np.bool_]


@njit(cache=True, nogil=True)
def _refreshed(p, rows, t, live, first):
    """Bring ``row_of`` behind layer ``first`` up to date; returns the last layer to compute, and the last whose landings changed."""
    top = first
    for j in range(len(live) - 1, first, -1):
        for n in range(len(p.kind)):
            there = live[j, n] and p.kind[n] != POP
            if there and t.held[j, n] < 0:
                return j, max(top, j)
            t.row_of[j, n] = t.held[j, n] if there else -1
        for x in range(len(rows.landings)):
            if (t.row_of[j, rows.landings[x]] >= 0) != t.shown[j, x]:
                top = max(top, j)
    return first, top


@njit(cache=True, nogil=True)
def _lowest_bit(word):
    """The number of the lowest bit that is set."""
    low = word ^ (word & (word - np.uint64(1)))
    b = 0
    if low & np.uint64(0xFFFFFFFF00000000):
        b += 32
        low >>= np.uint64(32)
    if low & np.uint64(0xFFFF0000):
        b += 16
        low >>= np.uint64(16)
    if low & np.uint64(0xFF00):
        b += 8
        low >>= np.uint64(8)
    if low & np.uint64(0xF0):
        b += 4
        low >>= np.uint64(4)
    if low & np.uint64(0xC):
        b += 2
        low >>= np.uint64(2)
    if low & np.uint64(0x2):
        b += 1
    return b


@njit(cache=True, nogil=True)
def _push(p, rows, t, width, j, n, to, height):
    """Fill in the row of a push, which begins at ``to``."""
    one = np.uint64(1)
    kind, above_kind = p.type_of[n], p.type_of[p.inner[n]]
    above = t.base[t.row_of[j, p.inner[n]]]
    g = p.symbol[n]
    skipped = width - height
    for x in range(p.exit_first[g], p.exit_first[g + 1]):
        b = p.bundle_of[x]
        if rows.offset[above_kind, b] < 0:
            continue
        size = rows.bundle_size[b]
        at = above + rows.offset[above_kind, b] * height + rows.place[x]
        number = rows.landing_of[x]
        if number < 0:
            x2 = p.exit_of[p.inner[p.exit_node[x]]]
            b2 = p.bundle_of[x2]
            target = to + rows.offset[kind, b2] * height + rows.place[x2]
            for w in range(height):
                t.cells[target + w * rows.bundle_size[b2]] |= t.cells[at + w * size]
            continue
        m = rows.landings[number]
        m_kind = p.type_of[m]
        w = 0
        bits = t.cells[at] if height else np.uint64(0)
        while True:
            while not bits and w + 1 < height:
                w += 1
                bits = t.cells[at + w * size]
            if not bits:
                break
            layer = 64 * (w + skipped) + _lowest_bit(bits) + 1
            m_height = max(0, width - (layer >> 6))
            if has_row(p, rows, t.cells, to, kind, height, t.rest, t.rest_at[number, layer], m_kind, m_height):
                break
            landed = t.row_of[layer, m]
            if landed >= 0:
                add_row(p, rows, t.cells, to, kind, height, t.cells, t.base[landed], m_kind, m_height)
            place = t.jump[number, layer] - 1  # the next bit that can add anything
            if place >> 6 >= width:
                break
            if (place >> 6) - skipped > w:
                w = (place >> 6) - skipped
                bits = t.cells[at + w * size]
            bits &= ~((one << np.uint64(place & 63)) - one)
    extra = to + rows.size[kind] * height
    above_extra = above + rows.size[above_kind] * height
    for x in range(p.exit_first[g], p.exit_first[g + 1]):
        bit = x + 1
        if (t.cells[above_extra + (bit >> 6)] >> np.uint64(bit & 63)) & one:
            _end(p, t, extra, p.inner[p.exit_node[x]])


@njit(cache=True, nogil=True)
def _end(p, t, extra, m):
    """Fill in the extra column of the end of the canvas, reached in node m."""
    if p.kind[m] == POP:
        bit = p.exit_of[m] + 1
        t.cells[extra + (bit >> 6)] |= np.uint64(1) << np.uint64(bit & 63)
    elif m < len(p.accepting) and p.accepting[m]:
        t.cells[extra] |= np.uint64(1) << np.uint64(ACCEPTED)


@njit(cache=True, nogil=True)
def _landings(p, rows, t, width, j):
    """Fill in ``rest`` and ``jump`` of layer j."""
    n_steps = len(t.row_of) - 1
    height, next_height = max(0, width - (j >> 6)), max(0, width - ((j + 1) >> 6))
    for x in range(len(rows.landings)):
        m = rows.landings[x]
        kind = p.type_of[m]
        row = t.row_of[j, m]
        t.shown[j, x] = row >= 0
        to, later = t.rest_at[x, j], t.rest_at[x, j + 1]
        n = np.uint64(rows.size[kind] * height + rows.n_extra)
        target, source = np.uint64(to), np.uint64(later)
        if height == next_height:
            for i in range(n):
                t.rest[target + i] = t.rest[source + i]
        else:
            for i in range(n):
                t.rest[target + i] = 0
            add_row(p, rows, t.rest, to, kind, height, t.rest, later, kind, next_height)
        if row >= 0:
            source = np.uint64(t.base[row])
            for i in range(n):
                t.rest[target + i] |= t.cells[source + i]
        k = j + 1
        while k <= n_steps:
            other = t.row_of[k, m]
            other_height = max(0, width - (k >> 6))
            if other < 0:
                more = False
            elif row >= 0:
                more = not has_row(p, rows, t.cells, t.base[row], kind, height, t.cells, t.base[other], kind, other_height)
            else:
                more = False
                at = t.base[other]
                for i in range(rows.size[kind] * other_height + rows.n_extra):
                    if t.cells[at + i]:
                        more = True
                        break
            if more:
                break
            k = t.jump[x, k]
        t.jump[x, j] = k


@njit(cache=True, nogil=True)
def backward(p, rows, canvas, live, width, first, t):
    """Compute the rows of layers ``first`` down to 0; returns -1, or the layer at which ``cells`` or ``base`` ended.

    Args:
        p: the machine.
        rows: how its rows are laid out.
        canvas: the steps.
        live: bool[S + 1, N], see ``reach``.
        width: how many words have a bit for each layer.
        first: the last layer to compute, but for nodes that came behind it.
        t: the table.

    """
    n_steps = len(canvas.step_class)
    n_nodes = len(p.kind)
    n_exits = len(p.exit_node)
    n_symbols = len(p.exit_first) - 1
    one = np.uint64(1)
    if first == n_steps:
        t.used[n_steps + 1] = 0
        t.n_rows[n_steps + 1] = 0
        for x in range(len(rows.landings)):
            t.jump[x, n_steps + 1] = n_steps + 1
            at = t.rest_at[x, n_steps + 1]
            for w in range(rows.size[p.type_of[rows.landings[x]]] * max(0, width - ((n_steps + 1) >> 6)) + rows.n_extra):
                t.rest[at + w] = 0
    first, top = _refreshed(p, rows, t, live, first)
    for j in range(top, first, -1):
        _landings(p, rows, t, width, j)
    # what a control leads to: pops by their number, then rows of the next layer by their place among these
    codes = np.empty(len(p.edge_node) + len(canvas.run_node) + n_nodes + 1, np.int64)
    marked = np.full(n_exits + n_nodes, -1, np.int64)
    size = 16
    while size < 2 * n_nodes:
        size *= 2
    slots = np.full(size, -1, np.int64)
    slot_layer = np.full(size, -1, np.int64)
    begins = np.empty(n_nodes, np.int64)
    ends = np.empty(n_nodes, np.int64)
    twins = np.full(n_nodes * n_symbols, -1, np.int64)
    twin_layer = np.full(n_nodes * n_symbols, -1, np.int64)
    mark = 0
    for j in range(first, -1, -1):
        height, next_height = max(0, width - (j >> 6)), max(0, width - ((j + 1) >> 6))
        used, n_rows = t.used[j + 1], t.n_rows[j + 1]
        low = t.n_rows[j + 2] if j < n_steps else 0  # the first row of the next layer
        begin = n_rows
        most = 0
        for n in range(n_nodes):
            if live[j, n] and p.kind[n] != POP:
                most += rows.size[p.type_of[n]] * height + rows.n_extra
        if used + most > len(t.cells) or n_rows + n_nodes > len(t.base):
            return j
        n_codes = 0
        for n in range(n_nodes):
            t.row_of[j, n] = -1
            t.held[j, n] = -1
            if not live[j, n] or p.kind[n] == POP:
                continue
            kind = p.type_of[n]
            place = 0
            if p.kind[n] == PUSH:
                place = (t.row_of[j, p.inner[n]] - begin) * n_symbols + p.symbol[n]
                if twin_layer[place] == j:
                    t.row_of[j, n] = t.held[j, n] = twins[place]
                    continue
                twin_layer[place] = j
                twins[place] = n_rows
            elif j < n_steps:
                begins[n] = n_codes
                mark += 1
                hashed = np.int64(kind)
                if canvas.skippable[j]:
                    code = np.int64(n_exits + t.row_of[j + 1, n] - low)
                    marked[code] = mark
                    codes[n_codes] = code
                    n_codes += 1
                    hashed += (code + 1) * (code + 0x9E3779B1)
                c = canvas.step_class[j]
                run = canvas.step_run[j]
                low_edge = canvas.run_start[run, n] if run >= 0 else p.edge_start[n]
                end_edge = canvas.run_start[run, n + 1] if run >= 0 else p.edge_start[n + 1]
                for e in range(low_edge, end_edge):
                    if run < 0 and not usable(p.edge_classes, e, c, canvas.allowed):
                        continue
                    m = canvas.run_node[e] if run >= 0 else p.edge_node[e]
                    code = np.int64(p.exit_of[m] if p.kind[m] == POP else n_exits + t.row_of[j + 1, m] - low)
                    if marked[code] != mark:
                        marked[code] = mark
                        codes[n_codes] = code
                        n_codes += 1
                        hashed += (code + 1) * (code + 0x9E3779B1)
                ends[n] = n_codes
                place = (hashed ^ (hashed >> 17)) & (size - 1)
                twin = -1
                while slot_layer[place] == j:
                    other = slots[place]
                    if p.type_of[other] == kind and ends[other] - begins[other] == n_codes - begins[n]:
                        twin = other
                        for i in range(begins[other], ends[other]):
                            if marked[codes[i]] != mark:
                                twin = -1
                                break
                        if twin >= 0:
                            break
                    place = (place + 1) & (size - 1)
                if twin >= 0:
                    n_codes = begins[n]
                    t.row_of[j, n] = t.held[j, n] = t.row_of[j, twin]
                    continue
                slot_layer[place] = j
                slots[place] = n
            t.row_of[j, n] = t.held[j, n] = n_rows
            t.base[n_rows] = used
            n_rows += 1
            to = used
            used += rows.size[kind] * height + rows.n_extra
            start = np.uint64(to)
            for i in range(np.uint64(used - to)):
                t.cells[start + i] = 0
            if p.kind[n] == PUSH:
                _push(p, rows, t, width, j, n, to, height)
            elif j == n_steps:  # the end is one more step, which lands behind the last layer
                for e in range(p.edge_start[n], p.edge_start[n + 1]):
                    if usable(p.edge_classes, e, canvas.end_class, canvas.allowed):
                        _end(p, t, to + rows.size[kind] * height, p.edge_node[e])
            else:
                for i in range(begins[n], n_codes):
                    code = codes[i]
                    if code < n_exits:
                        b = p.bundle_of[code]
                        t.cells[to + rows.offset[kind, b] * height + rows.place[code]] |= one << np.uint64(j & 63)
                    else:
                        after = code - n_exits + low
                        add_row(p, rows, t.cells, to, kind, height, t.cells, t.base[after], t.kind[after], next_height)
            t.kind[n_rows - 1] = kind
        t.used[j] = used
        t.n_rows[j] = n_rows
        _landings(p, rows, t, width, j)
    return -1


@njit(cache=True, nogil=True)
def expand(class_of, masks, rows):
    """Packed rows over tokens from sets of classes.

    Args:
        class_of: int32[V].
        masks: uint64[n, W], sets of classes.
        rows: uint32[n, ceil(V/32)], the result.

    """
    size = len(class_of)
    good = np.zeros(64 * masks.shape[1], np.uint32)
    for i in range(len(masks)):
        for w in range(masks.shape[1]):
            word = masks[i, w]
            for b in range(64):
                good[64 * w + b] = np.uint32((word >> np.uint64(b)) & np.uint64(1))
        whole = size >> 5
        for w in range(whole):
            bits = np.uint32(0)
            for b in range(32):
                bits |= good[class_of[32 * w + b]] << np.uint32(b)
            rows[i, w] = bits
        if size & 31:
            bits = np.uint32(0)
            for b in range(size & 31):
                bits |= good[class_of[32 * whole + b]] << np.uint32(b)
            rows[i, whole] = bits
