"""The forward pass of Boolean inference: which classes may stand in each step; see ``boolean``."""

from __future__ import annotations

import numpy as np
from numba import njit

from .machine import POP, PUSH
from .reach import ANY, FIRST_SET, usable


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
def join(sets, n_sets, table, unions, one, other, length):
    """The number of the union of two context sets; the new count; -1 if there is no room."""
    if one == other or other == 0:
        return np.int64(one), n_sets
    if one == 0:
        return np.int64(other), n_sets
    if one > other:
        one, other = other, one
    size = len(unions) - 1
    at = ((one * 0x9E3779B1) ^ (other * 0x85EBCA77)) & size
    if unions[at, 0] == one and unions[at, 1] == other:
        return np.int64(unions[at, 2]), n_sets
    if n_sets >= len(sets):
        return np.int64(-1), n_sets
    for w in range(length):
        sets[n_sets, w] = sets[one, w] | sets[other, w]
    found, n_sets = intern_row(sets, n_sets, table, n_sets, length)
    if found >= 0:
        unions[at, 0] = one
        unions[at, 1] = other
        unions[at, 2] = found
    return found, n_sets


@njit(cache=True, nogil=True)
def _meets(p, rows, t, width, row, height, sets, ji, hints):
    """Whether a row and a context set have an exit in common; ``hints`` has for each set and type where they had one last."""
    kind = t.kind[row]
    base = t.base[row]
    at, other = base + rows.size[kind] * height, len(p.exit_node) * width
    for i in range(rows.n_extra):
        if t.cells[at + i] & sets[ji, other + i]:
            return True
    b = hints[ji, kind, 0]
    if b >= 0:
        at = hints[ji, kind, 1] - (rows.bundle_first[b] * width + (width - height) * rows.bundle_size[b])
        if at >= 0 and t.cells[base + rows.offset[kind, b] * height + at] & sets[ji, hints[ji, kind, 1]]:
            return True
    for i in range(p.type_first[kind], p.type_first[kind + 1]):
        b = p.type_bundle[i]
        n = rows.bundle_size[b] * height
        at = base + rows.offset[kind, b] * height
        other = rows.bundle_first[b] * width + (width - height) * rows.bundle_size[b]
        for k in range(n - 1, -1, -1):
            if t.cells[at + k] & sets[ji, other + k]:
                hints[ji, kind, 0] = b
                hints[ji, kind, 1] = other + k
                return True
    return False


@njit(cache=True, nogil=True)
def _below(p, rows, t, width, g, sets, ji, new, hints, asked, answer):
    """Make of a context set that of what a push of symbol g runs on top: the exits whose landing meets it."""
    one = np.uint64(1)
    length = sets.shape[1]
    extra = len(p.exit_node) * width
    n_steps = len(t.row_of) - 1
    for w in range(length):
        sets[new, w] = 0
    for x in range(p.exit_first[g], p.exit_first[g + 1]):
        b = p.bundle_of[x]
        size = rows.bundle_size[b]
        at = rows.bundle_first[b] * width + rows.place[x]
        number = rows.landing_of[x]
        bit = x + 1
        if number < 0:
            x2 = p.exit_of[p.inner[p.exit_node[x]]]
            b2 = p.bundle_of[x2]
            other = rows.bundle_first[b2] * width + rows.place[x2]
            for w in range(width):
                sets[new, at + w * size] = sets[ji, other + w * rows.bundle_size[b2]]
            if (sets[ji, extra + ((x2 + 1) >> 6)] >> np.uint64((x2 + 1) & 63)) & one:
                sets[new, extra + (bit >> 6)] |= one << np.uint64(bit & 63)
            continue
        m = rows.landings[number]
        for j in range(1, n_steps + 1):
            row = t.row_of[j, m]
            if row < 0:
                continue
            if asked[row] != ji:
                asked[row] = ji
                answer[row] = _meets(p, rows, t, width, row, max(0, width - (j >> 6)), sets, ji, hints)
            if answer[row]:
                sets[new, at + ((j - 1) >> 6) * size] |= one << np.uint64((j - 1) & 63)
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
    n_steps = len(canvas.step_class)
    n_nodes = len(p.kind)
    n_controls = len(p.accepting)
    n_symbols = len(p.exit_first) - 1
    length = sets.shape[1]
    n_classes = p.edge_classes.shape[1]
    extra = len(p.exit_node) * width
    one = np.uint64(1)
    for w in range(length):
        sets[0, w] = 0
        sets[1, w] = 0
    sets[1, extra] = one
    _, n_sets = intern_row(sets, 0, table, 0, length)
    _, n_sets = intern_row(sets, n_sets, table, 1, length)
    here = np.zeros(n_nodes, np.int32)
    after = np.zeros(n_nodes, np.int32)
    hints = np.full((len(sets), len(rows.size), 2), -1, np.int32)
    asked = np.zeros(t.n_rows[0], np.int32)  # the context that was asked last whether it meets a row
    answer = np.zeros(t.n_rows[0], np.bool_)
    here[p.start] = 1
    # records of pushes, by symbol: the row above, its height, the context, the union of all contexts so far, the record before
    last = np.full(n_symbols, -1, np.int64)
    records = np.empty((256, 5), np.int64)
    n_records = 0
    recorded = np.full((n_symbols, n_nodes), -1, np.int64)  # by symbol and row of a layer, the layer and context of its last record
    for j in range(n_steps):
        height, next_height = max(0, width - (j >> 6)), max(0, width - ((j + 1) >> 6))
        if j > 0:
            word = (j - 1) >> 6
            bit = np.uint64((j - 1) & 63)
            for g in range(n_symbols):
                if last[g] < 0:
                    continue
                for x in range(p.exit_first[g], p.exit_first[g + 1]):
                    number = rows.landing_of[x]
                    if number < 0:
                        continue
                    m = rows.landings[number]
                    if t.row_of[j, m] < 0:
                        continue
                    b = p.bundle_of[x]
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
                        offset = rows.offset[t.kind[row], b]
                        if offset >= 0:
                            tall = records[k, 1]
                            at = t.base[row] + offset * tall + (word - width + tall) * rows.bundle_size[b] + rows.place[x]
                            if (t.cells[at] >> bit) & one:
                                acc, n_sets = join(sets, n_sets, table, unions, acc, records[k, 2], length)
                                if acc < 0:
                                    return np.int64(-1)
                        k = records[k, 4]
                    here[m] = acc
        for n in range(n_nodes - 1, n_controls - 1, -1):
            ji = np.int64(here[n])
            if ji == 0 or p.kind[n] != PUSH:
                continue
            above = t.row_of[j, p.inner[n]]
            g = p.symbol[n]
            found = np.int64(kept[ji, g])
            if found < 0:
                if n_sets >= len(sets):
                    return np.int64(-1)
                _below(p, rows, t, width, g, sets, ji, n_sets, hints, asked, answer)
                found, n_sets = intern_row(sets, n_sets, table, n_sets, length)
                if found < 0:
                    return np.int64(-1)
                kept[ji, g] = found
            m = p.inner[n]
            joined, n_sets = join(sets, n_sets, table, unions, np.int64(here[m]), found, length)
            if joined < 0:
                return np.int64(-1)
            here[m] = joined
            place = above - t.n_rows[j + 1]
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
        for q in range(n_controls):
            ji = np.int64(here[q])
            if ji == 0:
                continue
            if canvas.skippable[j]:
                row = t.row_of[j + 1, q]
                if asked[row] != ji:
                    asked[row] = ji
                    answer[row] = _meets(p, rows, t, width, row, next_height, sets, ji, hints)
                if answer[row]:
                    joined, n_sets = join(sets, n_sets, table, unions, np.int64(after[q]), ji, length)
                    if joined < 0:
                        return np.int64(-1)
                    after[q] = joined
            low_edge = canvas.run_start[run, q] if run >= 0 else p.edge_start[q]
            end_edge = canvas.run_start[run, q + 1] if run >= 0 else p.edge_start[q + 1]
            for e in range(low_edge, end_edge):
                if run < 0 and not usable(p.edge_classes, e, c, canvas.allowed):
                    continue
                m = canvas.run_node[e] if run >= 0 else p.edge_node[e]
                if p.kind[m] == POP:
                    x = p.exit_of[m]
                    b = p.bundle_of[x]
                    at = rows.bundle_first[b] * width + (j >> 6) * rows.bundle_size[b] + rows.place[x]
                    if not (sets[ji, at] >> np.uint64(j & 63)) & one:
                        continue
                else:
                    row = t.row_of[j + 1, m]
                    if asked[row] != ji:
                        asked[row] = ji
                        answer[row] = _meets(p, rows, t, width, row, next_height, sets, ji, hints)
                    if not answer[row]:
                        continue
                    if after[m] != ji:
                        joined, n_sets = join(sets, n_sets, table, unions, np.int64(after[m]), ji, length)
                        if joined < 0:
                            return np.int64(-1)
                        after[m] = joined
                if run >= 0:
                    continue
                if c >= 0:
                    masks[j, c >> 6] |= one << np.uint64(c & 63)
                elif c == ANY:
                    for w in range(n_classes):
                        masks[j, w] |= p.edge_classes[e, w]
                else:
                    for w in range(n_classes):
                        masks[j, w] |= p.edge_classes[e, w] & canvas.allowed[FIRST_SET - c, w]
        for n in range(n_nodes):
            here[n] = after[n]
            after[n] = 0
    return n_sets
