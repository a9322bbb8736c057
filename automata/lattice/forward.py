"""The forward pass of Boolean inference: which classes may stand in each step; see ``boolean``."""

from __future__ import annotations

import numpy as np
from numba import njit

from .exit_rows import BECOMES, BUNDLE, LANDING, PLACE
from .machine import POP, PUSH
from .reach import ANY, FIRST_SET, usable

MET = 1 << 12
"""Answers that are kept; a power of two."""


@njit(cache=True, nogil=True)
def intern_row(sets, n_sets, table, row, length):
    """The number of a context set among ``sets``, which holds it at ``row`` if it is new; the new count; -1 if there is no room."""
    h = np.int64(7)
    for w in range(length):
        word = sets[row, w]
        if word:
            h = ((h ^ (h >> 31) ^ np.int64(word & np.uint64(0x7FFFFFFF)) ^ w) & 0x7FFFFFFF) * 0x5BD1E995
            h = ((h ^ (h >> 31) ^ np.int64(word >> np.uint64(33))) & 0x7FFFFFFF) * 0x2C1B3C6D
            h ^= np.int64((word >> np.uint64(31)) & np.uint64(3))
    mask = len(table) - 1
    at = (h ^ (h >> 31)) & mask
    while table[at] >= 0:
        other = table[at]
        same = True
        for w in range(length):
            if sets[other, w] != sets[row, w]:
                same = False
                break
        if same:
            return np.int64(other), n_sets
        at = (at + 1) & mask
    if n_sets + 2 > len(sets) or 2 * (n_sets + 1) > len(table):
        return np.int64(-1), n_sets
    table[at] = row  # rows are filled in order, so the row at hand is the next number
    return np.int64(row), n_sets + 1


@njit(cache=True, nogil=True)
def _known(unions, one, other):
    """The number of the union of two context sets if it was made lately, else -1."""
    found = np.int64(-1)
    if one == other or other == 0:
        found = np.int64(one)
    elif one == 0:
        found = np.int64(other)
    else:
        low, high = min(one, other), max(one, other)
        at = ((low * 0x9E3779B1) ^ (high * 0x85EBCA77)) & (len(unions) - 1)
        if unions[at, 0] == low and unions[at, 1] == high:
            found = np.int64(unions[at, 2])
    return found


@njit(cache=True, nogil=True)
def join(sets, n_sets, table, unions, one, other, length):
    """The number of the union of two context sets; the new count; -1 if there is no room."""
    found = _known(unions, one, other)
    if found < 0 and n_sets < len(sets):
        for w in range(length):
            sets[n_sets, w] = sets[one, w] | sets[other, w]
        found, n_sets = intern_row(sets, n_sets, table, n_sets, length)
        if found >= 0:
            low, high = min(one, other), max(one, other)
            at = ((low * 0x9E3779B1) ^ (high * 0x85EBCA77)) & (len(unions) - 1)
            unions[at, 0] = low
            unions[at, 1] = high
            unions[at, 2] = found
    return found, n_sets


@njit(cache=True, nogil=True)
def _meets(
    cells,
    at,
    kind,
    height,
    sets,
    ji,
    width,
    size,
    offset,
    type_first,
    type_bundle,
    bundle_size,
    bundle_first,
    n_extra,
    hints,
):
    """Whether a row and a context set have an exit in common.

    Args:
        cells: see ``Table``.
        at: where the row begins.
        kind: its type.
        height: its height.
        sets: see ``forward``.
        ji: the number of the set.
        width: the height of a set.
        size: see ``RowLayout``, like ``offset``, ``bundle_size``, ``bundle_first`` and ``n_extra``.
        offset: see there.
        type_first: see ``Pushdown``.
        type_bundle: see there.
        bundle_size: see above.
        bundle_first: see above.
        n_extra: see above.
        hints: int32[most, types, 2], the bundle and the word of a set where it met a row of a type last, -1 if never.

    """
    extra, other_extra = at + size[kind] * height, sets.shape[1] - n_extra
    common = np.uint64(0)
    for i in range(n_extra):
        common |= cells[extra + i] & sets[ji, other_extra + i]
    b = hints[ji, kind, 0]
    if not common and b >= 0:
        word = hints[ji, kind, 1]
        i = word - (bundle_first[b] * width + (width - height) * bundle_size[b])
        if i >= 0:
            common = cells[at + offset[kind, b] * height + i] & sets[ji, word]
    k, end = type_first[kind], type_first[kind + 1]
    while not common and k < end:
        b = type_bundle[k]
        first = np.uint64(at + offset[kind, b] * height)
        other = np.uint64(bundle_first[b] * width + (width - height) * bundle_size[b])
        for i in range(np.uint64(bundle_size[b] * height)):
            common = cells[first + i] & sets[ji, other + i]
            if common:
                hints[ji, kind, 0] = b
                hints[ji, kind, 1] = other + i
                break
        k += 1
    return common != 0


@njit(cache=True, nogil=True)
def _below(p, rows, t, width, origin, g, sets, ji, new, hints, met):
    """Make of a context set that of what a push of symbol g runs on top: the exits whose landing meets it."""
    one = np.uint64(1)
    cells, base, kinds, row_of = t.cells, t.base, t.kind, t.row_of
    size, offset, exits, n_extra = rows.size, rows.offset, rows.exits, rows.n_extra
    bundle_size, bundle_first = rows.bundle_size, rows.bundle_first
    type_first, type_bundle = p.type_first, p.type_bundle
    length = sets.shape[1]
    extra = length - n_extra
    n_steps = len(row_of) - 1
    for w in range(length):
        sets[new, w] = 0
    for x in range(p.exit_first[g], p.exit_first[g + 1]):
        step = bundle_size[exits[x, BUNDLE]]
        at = bundle_first[exits[x, BUNDLE]] * width + exits[x, PLACE]
        m = exits[x, BECOMES]
        bit = x + 1
        if exits[x, LANDING] < 0:
            b = exits[m, BUNDLE]
            other = bundle_first[b] * width + exits[m, PLACE]
            for w in range(width):
                sets[new, at + w * step] = sets[ji, other + w * bundle_size[b]]
            if (sets[ji, extra + ((m + 1) >> 6)] >> np.uint64((m + 1) & 63)) & one:
                sets[new, extra + (bit >> 6)] |= one << np.uint64(bit & 63)
            continue
        for j in range(origin + 1, n_steps + 1):
            row = np.int64(row_of[j, m])
            if row < 0:
                continue
            pair = (row << 32) + ji
            place = (row * 37 + ji) & (MET - 1)
            if met[place] >> 1 != pair:
                met[place] = 2 * pair + _meets(
                    cells,
                    base[row],
                    kinds[row],
                    max(0, width - (j >> 6)),
                    sets,
                    ji,
                    width,
                    size,
                    offset,
                    type_first,
                    type_bundle,
                    bundle_size,
                    bundle_first,
                    n_extra,
                    hints,
                )
            if met[place] & 1:
                sets[new, at + ((j - 1) >> 6) * step] |= one << np.uint64((j - 1) & 63)
        if m < len(p.accepting) and p.accepting[m] and sets[ji, extra] & one:
            sets[new, extra + (bit >> 6)] |= one << np.uint64(bit & 63)


@njit(cache=True, nogil=True)
def _doubled(records):
    """The same records with room for twice as many."""
    more = np.empty((2 * len(records), records.shape[1]), records.dtype)
    more[: len(records)] = records
    return more


@njit(cache=True, nogil=True)
def forward(p, rows, canvas, width, t, masks, sets, table, kept, unions):
    """The classes of each step that some accepted filling has; returns how many context sets there are, -1 if there is no room.

    Args:
        p: the machine.
        rows: how rows are laid out.
        canvas: the steps.
        width: how many words have a bit for each layer.
        t: the table, up to date.
        masks: uint64[S, W], the result, zeros.
        sets: uint64[most, U], the context sets: working memory; the rows that are used come back.
        table: int32[power of two], -1 throughout: where ``sets`` are found.
        kept: int32[most, G], -1 throughout: what a push of a symbol makes of a set.
        unions: int64[power of two, 3], zeros: unions met lately.

    """
    n_steps, origin = len(canvas.step_class), canvas.origin
    n_nodes = len(p.kind)
    n_controls = len(p.accepting)
    n_symbols = len(p.exit_first) - 1
    length = sets.shape[1]
    n_classes = p.edge_classes.shape[1]
    one = np.uint64(1)
    node_kind, inner, symbol, exit_first, exit_of = p.kind, p.inner, p.symbol, p.exit_first, p.exit_of
    edge_start, edge_node, edge_classes = p.edge_start, p.edge_node, p.edge_classes
    type_first, type_bundle = p.type_first, p.type_bundle
    size, offset, exits, n_extra = rows.size, rows.offset, rows.exits, rows.n_extra
    bundle_size, bundle_first = rows.bundle_size, rows.bundle_first
    allowed, run_start, run_node = canvas.allowed, canvas.run_start, canvas.run_node
    cells, row_of, base, kinds, n_rows = t.cells, t.row_of, t.base, t.kind, t.n_rows
    extra = length - n_extra
    for w in range(length):
        sets[0, w] = 0
        sets[1, w] = 0
    sets[1, extra] = one
    _, n_sets = intern_row(sets, 0, table, 0, length)
    _, n_sets = intern_row(sets, n_sets, table, 1, length)
    here = np.zeros(n_nodes, np.int32)
    after = np.zeros(n_nodes, np.int32)
    hints = np.full((len(sets), len(size), 2), -1, np.int32)
    met = np.full(MET, -1, np.int64)  # rows and contexts that were asked lately whether they meet, and the answer
    here[p.start] = 1
    # records of pushes, by symbol: the row above, its height, the context, the union of all contexts so far, the record before
    last = np.full(n_symbols, -1, np.int64)
    records = np.empty((256, 5), np.int64)
    n_records = 0
    recorded = np.full(
        (n_symbols, n_nodes), -1, np.int64
    )  # by symbol and row of a layer, the layer and context of its last record
    for j in range(origin, n_steps):
        height, next_height = max(0, width - (j >> 6)), max(0, width - ((j + 1) >> 6))
        if j > origin:
            word = (j - 1) >> 6
            bit = np.uint64((j - 1) & 63)
            for g in range(n_symbols):
                if last[g] < 0:
                    continue
                for x in range(exit_first[g], exit_first[g + 1]):
                    if exits[x, LANDING] < 0:
                        continue
                    m = exits[x, BECOMES]
                    if row_of[j, m] < 0:
                        continue
                    b = exits[x, BUNDLE]
                    acc = np.int64(here[m])
                    k = last[g]
                    while k >= 0:
                        every = records[k, 3]
                        if every == acc:
                            break
                        if acc:
                            more = np.uint64(0)
                            for w in range(length):
                                more = sets[every, w] & ~sets[acc, w]
                                if more:
                                    break
                            if not more:
                                break
                        row = records[k, 0]
                        before = offset[kinds[row], b]
                        if before >= 0:
                            tall = records[k, 1]
                            at = base[row] + before * tall + (word - width + tall) * bundle_size[b] + exits[x, PLACE]
                            if (cells[at] >> bit) & one:
                                joined = _known(unions, acc, records[k, 2])
                                if joined < 0:
                                    joined, n_sets = join(sets, n_sets, table, unions, acc, records[k, 2], length)
                                    if joined < 0:
                                        return np.int64(-1)
                                acc = joined
                        k = records[k, 4]
                    here[m] = acc
        for n in range(n_nodes - 1, n_controls - 1, -1):
            ji = np.int64(here[n])
            if ji == 0 or node_kind[n] != PUSH:
                continue
            above = row_of[j, inner[n]]
            g = symbol[n]
            found = np.int64(kept[ji, g])
            if found < 0:
                if n_sets >= len(sets):
                    return np.int64(-1)
                _below(p, rows, t, width, origin, g, sets, ji, n_sets, hints, met)
                found, n_sets = intern_row(sets, n_sets, table, n_sets, length)
                if found < 0:
                    return np.int64(-1)
                kept[ji, g] = found
            m = inner[n]
            joined = _known(unions, np.int64(here[m]), found)
            if joined < 0:
                joined, n_sets = join(sets, n_sets, table, unions, np.int64(here[m]), found, length)
                if joined < 0:
                    return np.int64(-1)
            here[m] = joined
            place = above - n_rows[j + 1]
            if recorded[g, place] == (np.int64(j) << 32) + ji:
                continue
            recorded[g, place] = (np.int64(j) << 32) + ji
            every = ji
            if last[g] >= 0:
                every, n_sets = join(sets, n_sets, table, unions, records[last[g], 3], ji, length)
                if every < 0:
                    return np.int64(-1)
            if n_records == len(records):
                records = _doubled(records)
            records[n_records, 0] = above
            records[n_records, 1] = height
            records[n_records, 2] = ji
            records[n_records, 3] = every
            records[n_records, 4] = last[g]
            last[g] = n_records
            n_records += 1
        c = canvas.step_class[j]
        run = canvas.step_run[j]
        anything = run >= 0 or c == ANY
        for q in range(n_controls):
            ji = np.int64(here[q])
            if ji == 0:
                continue
            low_edge = run_start[run, q] if run >= 0 else edge_start[q]
            end_edge = run_start[run, q + 1] if run >= 0 else edge_start[q + 1]
            leaps = np.int64(
                canvas.skippable[j]
            )  # leaving a step out is one more edge, before the others, to the control itself
            for e in range(low_edge - leaps, end_edge):
                leaping = e < low_edge
                if not leaping and not anything and not usable(edge_classes, e, c, allowed):
                    continue
                m = np.int64(q)
                if not leaping:
                    m = np.int64(run_node[e]) if run >= 0 else np.int64(edge_node[e])
                if node_kind[m] == POP:
                    x = exit_of[m]
                    b = exits[x, BUNDLE]
                    at = bundle_first[b] * width + (j >> 6) * bundle_size[b] + exits[x, PLACE]
                    if not (sets[ji, at] >> np.uint64(j & 63)) & one:
                        continue
                else:
                    row = np.int64(row_of[j + 1, m])
                    pair = (row << 32) + ji
                    place = (row * 37 + ji) & (MET - 1)
                    if met[place] >> 1 != pair:
                        met[place] = 2 * pair + _meets(
                            cells,
                            base[row],
                            kinds[row],
                            next_height,
                            sets,
                            ji,
                            width,
                            size,
                            offset,
                            type_first,
                            type_bundle,
                            bundle_size,
                            bundle_first,
                            n_extra,
                            hints,
                        )
                    if not met[place] & 1:
                        continue
                    if after[m] != ji:
                        joined = _known(unions, np.int64(after[m]), ji)
                        if joined < 0:
                            joined, n_sets = join(sets, n_sets, table, unions, np.int64(after[m]), ji, length)
                            if joined < 0:
                                return np.int64(-1)
                        after[m] = joined
                if leaping or run >= 0:
                    continue
                if c >= 0:
                    masks[j, c >> 6] |= one << np.uint64(c & 63)
                elif c == ANY:
                    for w in range(n_classes):
                        masks[j, w] |= edge_classes[e, w]
                else:
                    for w in range(n_classes):
                        masks[j, w] |= edge_classes[e, w] & allowed[FIRST_SET - c, w]
        for n in range(n_nodes):
            here[n] = after[n]
            after[n] = 0
    return n_sets
