"""Boolean inference on a canvas: which fillings exist, and which class of tokens may stand in each hole.

The canvas is a row of *steps* 0..S-1; layer j lies before step j.  Three passes over the layers:

1. ``reach`` (forward): which nodes can occur in which layer, whatever the stack; it decides which rows there are.
2. ``backward``: ``T[row]`` of a node in a layer is the set of *exits* by which a run from there can leave its frame.  An exit is a pop node
   and the layer in which it lands, or one of the extra columns: the end of the canvas reached with an empty stack, or in some pop node.
   A push is a jump: it takes what the node above it exits by, and goes on from where that lands.
3. ``forward``: ``J`` of a node in a layer is the set of exits that some context in which it occurs accepts.  An edge can be taken in some
   accepted filling iff the exits of where it leads meet ``J`` of where it starts.

What keeps that fast: rows are short, and those of a layer that are equal are one (``exit_rows``), so there is one test where nodes by the
dozen lead to it; a landing adds nothing to a row that holds everything that later landings have (``REST``, suffix unions), and a landing
that is dominated by an earlier one is jumped over (``NEXT``); context sets are interned, and what a push makes of one is kept; contexts
reach a landing by being pulled from the pushes before it, newest first, until the union of all earlier ones is there.

Layers are numbered so that the last one has the number 64 * W, whatever the length of the canvas, which begins at its *origin*: then the rows of canvases
that end alike are the same words, and a table serves the next canvas as far as that ends as the last one did (``shelf``).

A change of a step leaves the rows behind it as they are, so rows lie in memory from the last layer to the first, and those from some layer
on are dropped and made again.  Nodes behind it that cannot occur any more keep their rows, but are no landings any longer: what they
have would count as something that later landings add, and the loops over landings would never end early.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from .exit_rows import BECOMES, BUNDLE, LANDING, PLACE, add_apart, add_words, has_apart, has_words
from .machine import POP, PUSH
from .reach import ANY, usable
from .words import lowest_bit

ACCEPTED = 0
"""The extra column of an accepted end; that of pop node x is x + 1."""

SCATTERED = 4
"""How many tokens are looked up in the time in which one is set by itself."""

REST, ROW, NEXT = range(3)
"""Columns of ``Table.landed``."""


class Table(NamedTuple):
    """The exits of every row.

    Attributes:
        cells: uint64[], layer by layer, the last layer first: the unions of landings' rows, then the rows.
        row_of: int32[S + 1, N], the row of each node that occurs, else -1.
        held: int32[S + 1, N], the same of all that had one when the layer was computed.
        base: int64[], where each row begins in ``cells``.
        kind: int32[], its type.
        used: int64[S + 2], where the rows of the layers from each one on end.
        n_rows: int32[S + 2], how many they are.
        landed: int64[L, S + 2, 3], for each landing and layer where the union of its rows from there on begins, where its row does (-1 if
            it does not occur), and the first layer behind in which its row has more than in this one.

    """

    cells: npt.NDArray[np.uint64]
    row_of: npt.NDArray[np.int32]
    held: npt.NDArray[np.int32]
    base: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int32]
    used: npt.NDArray[np.int64]
    n_rows: npt.NDArray[np.int32]
    landed: npt.NDArray[np.int64]


class _Scratch(NamedTuple):
    """Working memory of ``_layer``.

    Attributes:
        codes: int64[], what each control leads to: pops by number, then rows of the next layer by their place among these.
        span: int64[N, 2], where each control's begin and end.
        marked: int64[X + N], the number of the control that led there last.
        alike: int64[power of two, 2], where controls are found by what they lead to: layer and control.
        pushes: int64[N * G, 2], for each row of the layer and symbol the layer that is meant, and the row of that push.
        equal: int64[power of two, 2], where rows are found by their words: layer and row.

    """

    codes: npt.NDArray[np.int64]
    span: npt.NDArray[np.int64]
    marked: npt.NDArray[np.int64]
    alike: npt.NDArray[np.int64]
    pushes: npt.NDArray[np.int64]
    equal: npt.NDArray[np.int64]


@njit(cache=True, nogil=True)
def _scratch(n_nodes, n_edges, n_exits, n_symbols):
    size = 16
    while size < 2 * n_nodes:
        size *= 2
    return _Scratch(
        np.empty(n_edges + n_nodes, np.int64),
        np.empty((n_nodes, 2), np.int64),
        np.full(n_exits + n_nodes, -1, np.int64),
        np.full((size, 2), -1, np.int64),
        np.full((n_nodes * n_symbols, 2), -1, np.int64),
        np.full((size, 2), -1, np.int64),
    )


@njit(cache=True, nogil=True)
def _refreshed(p, rows, t, live, first):
    """Bring ``row_of`` behind layer ``first`` up to date; returns the last layer to compute, and the last whose landings changed."""
    kinds, held, row_of, landed, landings = p.kind, t.held, t.row_of, t.landed, rows.landings
    top = first
    for j in range(len(live) - 1, first, -1):
        for n in range(len(kinds)):
            there = live[j, n] and kinds[n] != POP
            if there and held[j, n] < 0:
                return j, max(top, j)
            row_of[j, n] = held[j, n] if there else -1
        for x in range(len(landings)):
            if (row_of[j, landings[x]] >= 0) != (landed[x, j, ROW] >= 0):
                top = max(top, j)
    return first, top


@njit(cache=True, nogil=True)
def _place_of(cells, at, n):
    """A number made of n words, each turned by another number of bits."""
    start = np.uint64(at)
    mixed = np.uint64(n)
    for i in range(np.uint64(n)):
        turn = (i * np.uint64(11) + np.uint64(1)) & np.uint64(63)
        mixed ^= (cells[start + i] << turn) | (cells[start + i] >> (np.uint64(64) - turn & np.uint64(63)))
    mixed ^= mixed >> np.uint64(32)
    mixed ^= mixed >> np.uint64(16)
    return np.int64((mixed ^ (mixed >> np.uint64(7))) & np.uint64(0xFFFF))


@njit(cache=True, nogil=True)
def _push(
    cells,
    landed,
    ways,
    first,
    end,
    type_first,
    type_bundle,
    bundle_size,
    size,
    offset,
    n_extra,
    width,
    height,
    above,
    to,
    kind,
):
    """Fill in the row of a push, but for the extra columns.

    Args:
        cells: see ``Table``.
        landed: see there.
        ways: see ``RowLayout``.
        first: the first of the push's.
        end: the one behind the last of them.
        type_first: see ``Pushdown``.
        type_bundle: see there.
        bundle_size: see ``RowLayout``.
        size: see there.
        offset: see there.
        n_extra: see there.
        width: the height of layer 0.
        height: that of the layer.
        above: where the row of what runs on top begins.
        to: where the row begins.
        kind: its type.

    """
    one = np.uint64(1)
    skipped = width - height
    whole = size[kind] * height + n_extra
    for k in range(first, end):
        step = ways[k, 2]
        at = above + ways[k, 0] * height + ways[k, 1]
        number = ways[k, 3]
        if number < 0:
            target = to + ways[k, 4] * height + ways[k, 5]
            for w in range(height):
                cells[target + w * ways[k, 6]] |= cells[at + w * step]
            continue
        w = 0
        bits = cells[at] if height else np.uint64(0)
        while True:
            while not bits and w + 1 < height:
                w += 1
                bits = cells[at + w * step]
            if not bits:
                break
            layer = 64 * (w + skipped) + lowest_bit(bits) + 1
            tall = max(0, width - (layer >> 6))
            rest, row = landed[number, layer, REST], landed[number, layer, ROW]
            other = ways[k, 4]
            if other == kind and tall == height:
                if has_words(cells, to, rest, whole):
                    break
                if row >= 0:
                    add_words(cells, to, row, whole)
            else:
                if has_apart(
                    cells,
                    type_first,
                    type_bundle,
                    offset,
                    bundle_size,
                    size,
                    n_extra,
                    to,
                    kind,
                    height,
                    rest,
                    other,
                    tall,
                ):
                    break
                if row >= 0:
                    add_apart(
                        cells,
                        type_first,
                        type_bundle,
                        offset,
                        bundle_size,
                        size,
                        n_extra,
                        to,
                        kind,
                        height,
                        row,
                        other,
                        tall,
                    )
            place = landed[number, layer, NEXT] - 1  # the next bit that can add anything
            if place >> 6 >= width:
                break
            if (place >> 6) - skipped > w:
                w = (place >> 6) - skipped
                bits = cells[at + w * step]
            bits &= ~((one << np.uint64(place & 63)) - one)


@njit(cache=True, nogil=True)
def _landings(p, rows, t, width, j):
    """Fill in ``landed`` of layer j, and the unions of rows."""
    cells, landed, row_of, base = t.cells, t.landed, t.row_of, t.base
    landings, type_of, size = rows.landings, p.type_of, rows.size
    type_first, type_bundle, offset = p.type_first, p.type_bundle, rows.offset
    bundle_size, n_extra = rows.bundle_size, rows.n_extra
    n_steps = len(row_of) - 1
    height, next_height = max(0, width - (j >> 6)), max(0, width - ((j + 1) >> 6))
    for x in range(len(landings)):
        m = landings[x]
        kind = type_of[m]
        row = np.int64(base[row_of[j, m]]) if row_of[j, m] >= 0 else np.int64(-1)
        landed[x, j, ROW] = row
        to, later = landed[x, j, REST], landed[x, j + 1, REST]
        n = size[kind] * height + n_extra
        target, source = np.uint64(to), np.uint64(later)
        if height == next_height:
            for i in range(np.uint64(n)):
                cells[target + i] = cells[source + i]
        else:
            for i in range(np.uint64(n)):
                cells[target + i] = 0
            add_apart(
                cells,
                type_first,
                type_bundle,
                offset,
                bundle_size,
                size,
                n_extra,
                to,
                kind,
                height,
                later,
                kind,
                next_height,
            )
        if row >= 0:
            add_words(cells, to, row, n)
        k = j + 1
        while k <= n_steps:
            other = landed[x, k, ROW]
            tall = max(0, width - (k >> 6))
            more = False
            if other < 0:
                pass
            elif row < 0:
                for i in range(other, other + size[kind] * tall + n_extra):
                    if cells[i]:
                        more = True
                        break
            elif tall == height:
                more = not has_words(cells, row, other, n)
            else:
                more = not has_apart(
                    cells,
                    type_first,
                    type_bundle,
                    offset,
                    bundle_size,
                    size,
                    n_extra,
                    row,
                    kind,
                    height,
                    other,
                    kind,
                    tall,
                )
            if more:
                break
            k = landed[x, k, NEXT]
        landed[x, j, NEXT] = k


@njit(cache=True, nogil=True)
def _layer(p, rows, canvas, live, width, j, t, s):
    """Compute the rows of layer j; whether there was room for them."""
    n_steps = len(canvas.step_class)
    n_nodes = len(p.kind)
    n_exits = len(p.exit_node)
    n_symbols = len(p.exit_first) - 1
    one = np.uint64(1)
    node_kind, inner, symbol, type_of, exit_of = p.kind, p.inner, p.symbol, p.type_of, p.exit_of
    edge_start, edge_node, edge_classes = p.edge_start, p.edge_node, p.edge_classes
    type_first, type_bundle, accepting = p.type_first, p.type_bundle, p.accepting
    size, offset, bundle_size, exits, n_extra = rows.size, rows.offset, rows.bundle_size, rows.exits, rows.n_extra
    push_first, ways, landings = rows.push_first, rows.ways, rows.landings
    allowed, run_start, run_node = canvas.allowed, canvas.run_start, canvas.run_node
    cells, row_of, held, base, kinds, landed = t.cells, t.row_of, t.held, t.base, t.kind, t.landed
    codes, span, marked, alike, pushes, equal = s.codes, s.span, s.marked, s.alike, s.pushes, s.equal

    height, next_height = max(0, width - (j >> 6)), max(0, width - ((j + 1) >> 6))
    used, n_rows = t.used[j + 1], np.int64(t.n_rows[j + 1])
    low = np.int64(t.n_rows[j + 2]) if j < n_steps else np.int64(0)  # the first row of the next layer
    begin = n_rows
    most = used
    for x in range(len(landings)):
        landed[x, j, REST] = most
        most += size[type_of[landings[x]]] * height + n_extra
    used = most
    for n in range(n_nodes):
        if live[j, n] and node_kind[n] != POP:
            most += size[type_of[n]] * height + n_extra
    if most > len(cells) or n_rows + n_nodes > len(base):
        return False
    last = j == n_steps  # the end is one more step, which lands behind the last layer
    c = canvas.end_class if last else canvas.step_class[j]
    run = -1 if last else canvas.step_run[j]
    anything = run >= 0 or c == ANY
    skippable = not last and canvas.skippable[j]
    n_codes = np.int64(0)
    mark = n_nodes * (n_steps - j)
    for n in range(n_nodes):
        row_of[j, n] = -1
        held[j, n] = -1
        if not live[j, n] or node_kind[n] == POP:
            continue
        kind = type_of[n]
        first_code = n_codes
        twin = np.int64(-1)
        place = np.int64(0)
        if node_kind[n] == PUSH:
            place = (row_of[j, inner[n]] - begin) * n_symbols + symbol[n]
            if pushes[place, 0] == j:
                twin = pushes[place, 1]
        elif not last:
            mark += 1
            hashed = np.int64(kind)
            if skippable:
                code = n_exits + row_of[j + 1, n] - low
                marked[code] = mark
                codes[n_codes] = code
                n_codes += 1
                hashed += (code + 1) * (code + 0x9E3779B1)
            from_edge = run_start[run, n] if run >= 0 else edge_start[n]
            to_edge = run_start[run, n + 1] if run >= 0 else edge_start[n + 1]
            for e in range(from_edge, to_edge):
                if not anything and not usable(edge_classes, e, c, allowed):
                    continue
                m = run_node[e] if run >= 0 else edge_node[e]
                code = np.int64(exit_of[m]) if node_kind[m] == POP else n_exits + row_of[j + 1, m] - low
                if marked[code] != mark:
                    marked[code] = mark
                    codes[n_codes] = code
                    n_codes += 1
                    hashed += (code + 1) * (code + 0x9E3779B1)
            span[n, 0] = first_code
            span[n, 1] = n_codes
            place = (hashed ^ (hashed >> 17)) & (len(alike) - 1)
            while alike[place, 0] == j:
                other = alike[place, 1]
                if type_of[other] == kind and span[other, 1] - span[other, 0] == n_codes - first_code:
                    twin = np.int64(row_of[j, other])
                    for i in range(span[other, 0], span[other, 1]):
                        if marked[codes[i]] != mark:
                            twin = np.int64(-1)
                            break
                    if twin >= 0:
                        break
                place = (place + 1) & (len(alike) - 1)
        if twin >= 0:
            n_codes = first_code
            row_of[j, n] = twin
            held[j, n] = twin
            continue
        to = used
        whole = size[kind] * height + n_extra
        extra = to + size[kind] * height
        start = np.uint64(to)
        for i in range(np.uint64(whole)):
            cells[start + i] = 0
        if node_kind[n] == PUSH:
            above, above_kind = base[row_of[j, inner[n]]], type_of[inner[n]]
            _push(
                cells,
                landed,
                ways,
                push_first[n],
                push_first[n + 1],
                type_first,
                type_bundle,
                bundle_size,
                size,
                offset,
                n_extra,
                width,
                height,
                above,
                to,
                kind,
            )
            at = above + size[above_kind] * height
            for k in range(push_first[n], push_first[n + 1]):
                x = ways[k, 7]
                if (cells[at + ((x + 1) >> 6)] >> np.uint64((x + 1) & 63)) & one:
                    m = exits[x, BECOMES]
                    if exits[x, LANDING] < 0:
                        cells[extra + ((m + 1) >> 6)] |= one << np.uint64((m + 1) & 63)
                    elif m < len(accepting) and accepting[m]:
                        cells[extra] |= one << np.uint64(ACCEPTED)
        elif last:
            for e in range(edge_start[n], edge_start[n + 1]):
                if usable(edge_classes, e, c, allowed):
                    m = edge_node[e]
                    if node_kind[m] == POP:
                        bit = exit_of[m] + 1
                        cells[extra + (bit >> 6)] |= one << np.uint64(bit & 63)
                    elif m < len(accepting) and accepting[m]:
                        cells[extra] |= one << np.uint64(ACCEPTED)
        else:
            for i in range(first_code, n_codes):
                code = codes[i]
                if code < n_exits:
                    at = to + offset[kind, exits[code, BUNDLE]] * height + exits[code, PLACE]
                    cells[at] |= one << np.uint64(j & 63)
                    continue
                row = code - n_exits + low
                other = kinds[row]
                if other == kind and height == next_height:
                    add_words(cells, to, base[row], whole)
                else:
                    at = base[row]
                    add_apart(
                        cells,
                        type_first,
                        type_bundle,
                        offset,
                        bundle_size,
                        size,
                        n_extra,
                        to,
                        kind,
                        height,
                        at,
                        other,
                        next_height,
                    )
        found = _place_of(cells, to, whole) & (len(equal) - 1)
        while equal[found, 0] == j:
            row = equal[found, 1]
            if kinds[row] == kind:
                other_start = np.uint64(base[row])
                differ = np.uint64(0)
                for i in range(np.uint64(whole)):
                    differ |= cells[start + i] ^ cells[other_start + i]
                if not differ:
                    twin = row
                    break
            found = (found + 1) & (len(equal) - 1)
        if twin < 0:
            twin = n_rows
            base[n_rows] = to
            kinds[n_rows] = kind
            used += whole
            n_rows += 1
            equal[found, 0] = j
            equal[found, 1] = twin
        row_of[j, n] = twin
        held[j, n] = twin
        if node_kind[n] == PUSH:
            pushes[place, 0] = j
            pushes[place, 1] = twin
        elif not last:
            alike[place, 0] = j
            alike[place, 1] = n
    t.used[j] = used
    t.n_rows[j] = n_rows
    return True


@njit(cache=True, nogil=True)
def backward(p, rows, canvas, live, width, first, t):
    """Compute the rows of layers ``first`` down to that of the origin; returns -1, or the layer at which there was no more room.

    Args:
        p: the machine.
        rows: how its rows are laid out.
        canvas: the steps.
        live: bool[S + 1, N], see ``reach``.
        width: how many words have a bit for each layer.
        first: the last layer to compute, but for nodes that came behind it.
        t: the table, up to date behind ``first``; of the layer behind the last, where unions begin is given.

    """
    n_steps = len(canvas.step_class)
    if first == n_steps:
        for x in range(len(rows.landings)):
            t.landed[x, n_steps + 1, NEXT] = n_steps + 1
            tall = max(0, width - ((n_steps + 1) >> 6))
            at = t.landed[x, n_steps + 1, REST]
            t.cells[at : at + rows.size[p.type_of[rows.landings[x]]] * tall + rows.n_extra] = 0
    first, top = _refreshed(p, rows, t, live, first)
    for j in range(top, first, -1):
        _landings(p, rows, t, width, j)
    scratch = _scratch(len(p.kind), len(p.edge_node) + len(canvas.run_node), len(p.exit_node), len(p.exit_first) - 1)
    for j in range(first, canvas.origin - 1, -1):
        if not _layer(p, rows, canvas, live, width, j, t, scratch):
            return j
        _landings(p, rows, t, width, j)
    return -1


@njit(cache=True, nogil=True)
def expand(class_of, first, members, masks, rows):
    """Packed rows over tokens from sets of classes: of few tokens one by one, of many by looking up the class of each.

    Args:
        class_of: int32[V].
        first: int64[C + 1], where the tokens of each class begin in ``members``.
        members: int32[V], the tokens by class.
        masks: uint64[n, W], sets of classes.
        rows: uint32[n, ceil(V/32)], zeros; the result.

    """
    size = len(class_of)
    n_classes = len(first) - 1
    good = np.zeros(64 * masks.shape[1], np.uint32)
    for i in range(len(masks)):
        count = 0
        for w in range(masks.shape[1]):
            word = masks[i, w]
            for b in range(64):
                good[64 * w + b] = np.uint32((word >> np.uint64(b)) & np.uint64(1))
        for c in range(n_classes):
            if good[c]:
                count += first[c + 1] - first[c]
        if SCATTERED * count < size:
            for c in range(n_classes):
                if good[c]:
                    for k in range(first[c], first[c + 1]):
                        v = members[k]
                        rows[i, v >> 5] |= np.uint32(1) << np.uint32(v & 31)
            continue
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
