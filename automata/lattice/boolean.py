"""Boolean inference on a canvas: which fillings exist, and which class of tokens may stand in each hole.

The canvas is a row of *steps* 0..S-1; layer j lies before step j.  Three passes over the layers:

1. ``reach`` (forward): which nodes can occur in which layer, whatever the stack; it decides which rows there are.
2. ``backward``: ``T[row]`` of a node in a layer is the set of *exits* by which a run from there can leave its frame.  An exit is a pop node
   and the layer in which it lands, or one of the extra columns: the end of the canvas reached with an empty stack, and
   pop nodes that only the end of the canvas or one run of fixed tokens has.  A push is a jump: it takes what the node above it exits by,
   and goes on from where that lands.
3. ``forward``: ``J`` of a node in a layer is the set of exits that some context in which it occurs accepts.  An edge can be taken in some
   accepted filling iff the exits of where it leads meet ``J`` of where it starts.

What keeps that fast: a landing adds nothing to a row that holds everything that later landings have (``SV``, suffix unions), and a landing
that is dominated by an earlier one is jumped over (``ND``); context sets are interned, and what a push makes of one is kept; contexts
reach a landing by being pulled from the pushes before it, newest first, until the union of all earlier ones is there.

A row has ``U = X * W + E`` words: for each pop node W words with a bit for each layer 1..S, then the extra columns.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .machine import POP, PUSH

ANY = -1  # of step_class: every class
RUN = -2  # a run of fixed tokens, which has edges of its own
FIRST_SET = -3  # FIRST_SET - k: the classes of allowed set k
ACCEPTED = 0  # the extra column of an accepted end


@njit(cache=True, nogil=True)
def reach(
    kind,
    inner,
    symbol,
    edge_start,
    edge_node,
    edge_classes,
    step_class,
    skippable,
    allowed,
    first,
    rows,
    following,
    stacked,
    row_of,
):
    """Number the rows of layers ``first``, ...: every push and control that can occur; stops behind the layer before a run.

    Returns the layer that comes next, and the rows so far.

    Args:
        kind: of each node, like ``inner`` and ``symbol``, see ``CanvasMachine``.
        inner: see there.
        symbol: see there.
        edge_start: see there.
        edge_node: see there.
        edge_classes: see there.
        step_class: int32[S], the class of a fixed token, ANY, RUN, or below that FIRST_SET - k.
        skippable: bool[S], steps that may be left out.
        allowed: uint64[sets, W], the classes of allowed sets.
        first: the first layer.
        rows: how many rows there are before it.
        following: bool[N], the nodes that a step leads to in layer ``first``; then those of the layer that comes next, but behind a run.
        stacked: bool[G], symbols that may lie on the stack, pushed in earlier layers; goes on to the layer that comes next.
        row_of: int32[S + 1, at least N], the result: -1 where nothing occurs.

    """
    n_steps = len(step_class)
    n_nodes = len(kind)
    n_controls = len(edge_start) - 1
    pushed = np.zeros(len(stacked), np.bool_)
    work = np.empty(n_nodes + 1, np.int64)
    seen = np.zeros(n_nodes, np.bool_)
    for j in range(first, n_steps + 1):
        n_work = 0
        for n in range(n_nodes):
            row_of[j, n] = -1
            seen[n] = following[n]
            following[n] = False
            if seen[n]:
                work[n_work] = n
                n_work += 1
        i = 0
        while i < n_work:
            n = work[i]
            i += 1
            if kind[n] == PUSH:
                pushed[symbol[n]] = True
            elif kind[n] != POP or not stacked[symbol[n]]:
                continue
            m = inner[n]
            if not seen[m]:
                seen[m] = True
                work[n_work] = m
                n_work += 1
        for n in range(n_nodes):
            if seen[n] and kind[n] != POP:
                row_of[j, n] = rows
                rows += 1
        for g in range(len(stacked)):
            stacked[g] = stacked[g] or pushed[g]
        if j == n_steps or step_class[j] == RUN:
            return j + 1, rows
        c = step_class[j]
        for q in range(n_controls):
            if not seen[q]:
                continue
            if skippable[j]:
                following[q] = True
            for e in range(edge_start[q], edge_start[q + 1]):
                if following[edge_node[e]]:
                    continue
                if c == ANY:
                    following[edge_node[e]] = True
                elif c >= 0:
                    if (edge_classes[e, c >> 6] >> np.uint64(c & 63)) & np.uint64(1):
                        following[edge_node[e]] = True
                else:
                    for w in range(edge_classes.shape[1]):
                        if edge_classes[e, w] & allowed[FIRST_SET - c, w]:
                            following[edge_node[e]] = True
                            break
    return n_steps + 1, rows


@njit(cache=True, nogil=True)
def backward(
    kind,
    inner,
    symbol,
    edge_start,
    edge_node,
    edge_classes,
    accepting,
    step_class,
    skippable,
    allowed,
    step_run,
    run_start,
    run_node,
    end_class,
    row_of,
    pop_of,
    by_symbol,
    pops,
    landing_of,
    landings,
    width,
    first,
    exits,
    rest,
    jump,
):
    """Compute the rows of exits of layers ``first`` down to 0, those of later layers being there.

    Args:
        kind: see ``reach``, like all down to ``row_of``.
        inner: see there.
        symbol: see there.
        edge_start: see there.
        edge_node: see there.
        edge_classes: see there.
        accepting: see ``CanvasMachine``.
        step_class: see ``reach``.
        skippable: see there.
        allowed: see there.
        step_run: int32[S], the number of a run, else -1.
        run_start: int32[runs, Q + 1], where the edges of each control begin in ``run_node``.
        run_node: int32[], where each leads.
        end_class: the class that the end of the canvas reads.
        row_of: see there.
        pop_of: int32[N], the number of a pop node, else -1.
        by_symbol: int32[G + 1], where the pop nodes of each symbol begin in ``pops``; they are numbered in that order.
        pops: int32[X], the node of each pop.
        landing_of: int32[X], the number of the node that it lands in; -1 if that is a pop node.
        landings: int32[L], these nodes.
        width: W.
        first: the last layer to compute.
        exits: uint64[rows, U], T.
        rest: uint64[L, S + 2, U], SV.
        jump: int32[L, S + 2], ND.

    """
    n_steps = len(step_class)
    n_nodes = len(kind)
    n_pops = len(pops)
    n_landings = len(landings)
    length = exits.shape[1]
    extra = n_pops * width
    one = np.uint64(1)
    if first == n_steps:
        for x in range(n_landings):
            jump[x, n_steps + 1] = n_steps + 1
            for w in range(length):
                rest[x, n_steps + 1, w] = 0
    for j in range(first, -1, -1):
        for n in range(n_nodes):
            row = row_of[j, n]
            if row < 0:
                continue
            for w in range(length):
                exits[row, w] = 0
            if kind[n] == PUSH:
                above = row_of[j, inner[n]]
                g = symbol[n]
                for x in range(by_symbol[g], by_symbol[g + 1]):
                    at = x * width
                    number = landing_of[x]
                    if number < 0:
                        to = pop_of[inner[pops[x]]] * width
                        for w in range(width):
                            exits[row, to + w] |= exits[above, at + w]
                        continue
                    m = landings[number]
                    w = j >> 6
                    bits = exits[above, at + w] if w < width else np.uint64(0)
                    while True:
                        while not bits and w + 1 < width:
                            w += 1
                            bits = exits[above, at + w]
                        if not bits:
                            break
                        low = bits ^ (bits & (bits - one))
                        b = 0
                        t = low
                        if t & np.uint64(0xFFFFFFFF00000000):
                            b += 32
                            t >>= np.uint64(32)
                        if t & np.uint64(0xFFFF0000):
                            b += 16
                            t >>= np.uint64(16)
                        if t & np.uint64(0xFF00):
                            b += 8
                            t >>= np.uint64(8)
                        if t & np.uint64(0xF0):
                            b += 4
                            t >>= np.uint64(4)
                        if t & np.uint64(0xC):
                            b += 2
                            t >>= np.uint64(2)
                        if t & np.uint64(0x2):
                            b += 1
                        jj = 64 * w + b + 1
                        more = np.uint64(0)
                        v = 0
                        while v + 8 <= length:
                            more = (
                                (rest[number, jj, v] & ~exits[row, v])
                                | (rest[number, jj, v + 1] & ~exits[row, v + 1])
                                | (rest[number, jj, v + 2] & ~exits[row, v + 2])
                                | (rest[number, jj, v + 3] & ~exits[row, v + 3])
                                | (rest[number, jj, v + 4] & ~exits[row, v + 4])
                                | (rest[number, jj, v + 5] & ~exits[row, v + 5])
                                | (rest[number, jj, v + 6] & ~exits[row, v + 6])
                                | (rest[number, jj, v + 7] & ~exits[row, v + 7])
                            )
                            if more:
                                break
                            v += 8
                        if not more:
                            while v < length:
                                more |= rest[number, jj, v] & ~exits[row, v]
                                v += 1
                        if not more:
                            break
                        landed = row_of[jj, m]
                        if landed >= 0:
                            for v in range(length):
                                exits[row, v] |= exits[landed, v]
                        place = jump[number, jj] - 1  # the next bit that can add anything
                        if place >> 6 >= width:
                            break
                        if place >> 6 > w:
                            w = place >> 6
                            bits = exits[above, at + w]
                        bits &= ~((one << np.uint64(place & 63)) - one)
                for x in range(by_symbol[g], by_symbol[g + 1]):
                    bit = x + 1
                    if (exits[above, extra + (bit >> 6)] >> np.uint64(bit & 63)) & one:
                        m = inner[pops[x]]
                        if kind[m] == POP:
                            bit = pop_of[m] + 1
                            exits[row, extra + (bit >> 6)] |= one << np.uint64(bit & 63)
                        elif m < len(accepting) and accepting[m]:
                            exits[row, extra] |= one
                continue
            if j == n_steps:  # the end is one more step, which lands behind the last layer
                for e in range(edge_start[n], edge_start[n + 1]):
                    if not (edge_classes[e, end_class >> 6] >> np.uint64(end_class & 63)) & one:
                        continue
                    m = edge_node[e]
                    if kind[m] == POP:
                        bit = pop_of[m] + 1
                        exits[row, extra + (bit >> 6)] |= one << np.uint64(bit & 63)
                    elif m < len(accepting) and accepting[m]:
                        exits[row, extra] |= one
                continue
            if skippable[j]:
                here = row_of[j + 1, n]
                for v in range(length):
                    exits[row, v] |= exits[here, v]
            c = step_class[j]
            run = step_run[j]
            low_edge = run_start[run, n] if run >= 0 else edge_start[n]
            end_edge = run_start[run, n + 1] if run >= 0 else edge_start[n + 1]
            for e in range(low_edge, end_edge):
                if run >= 0:
                    pass
                elif c >= 0:
                    if not (edge_classes[e, c >> 6] >> np.uint64(c & 63)) & one:
                        continue
                elif c != ANY:
                    some = np.uint64(0)
                    for w in range(edge_classes.shape[1]):
                        some |= edge_classes[e, w] & allowed[FIRST_SET - c, w]
                    if not some:
                        continue
                m = run_node[e] if run >= 0 else edge_node[e]
                if kind[m] == POP:
                    exits[row, pop_of[m] * width + (j >> 6)] |= one << np.uint64(j & 63)
                else:
                    after = row_of[j + 1, m]
                    for v in range(length):
                        exits[row, v] |= exits[after, v]
        for x in range(n_landings):
            row = row_of[j, landings[x]]
            k = j + 1
            if row < 0:
                for v in range(length):
                    rest[x, j, v] = rest[x, j + 1, v]
            else:
                for v in range(length):
                    rest[x, j, v] = rest[x, j + 1, v] | exits[row, v]
            while k <= n_steps:
                later = row_of[k, landings[x]]
                more = np.uint64(0)
                if later >= 0:
                    if row < 0:
                        for v in range(length):
                            more |= exits[later, v]
                    else:
                        for v in range(length):
                            more |= exits[later, v] & ~exits[row, v]
                            if more:
                                break
                if more:
                    break
                k = jump[x, k]
            jump[x, j] = k


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
def forward(
    kind,
    inner,
    symbol,
    edge_start,
    edge_node,
    edge_classes,
    accepting,
    step_class,
    skippable,
    allowed,
    step_run,
    run_start,
    run_node,
    start,
    row_of,
    pop_of,
    by_symbol,
    pops,
    landing_of,
    landings,
    width,
    exits,
    masks,
    sets,
    table,
    kept,
    unions,
):
    """The classes of each step that some accepted filling has; returns how many context sets there are, -1 if there is no room.

    Args:
        kind: see ``backward``, like all down to ``exits``.
        inner: see there.
        symbol: see there.
        edge_start: see there.
        edge_node: see there.
        edge_classes: see there.
        accepting: see there.
        step_class: see there.
        skippable: see there.
        allowed: see there.
        step_run: see there.
        run_start: see there.
        run_node: see there.
        start: the first node.
        row_of: see there.
        pop_of: see there.
        by_symbol: see there.
        pops: see there.
        landing_of: see there.
        landings: see there.
        width: see there.
        exits: see there.
        masks: uint64[S, W], the result, zeros.
        sets: uint64[most, U], the context sets: working memory; the rows that are used come back.
        table: int32[power of two], -1 throughout: where ``sets`` are found.
        kept: int32[most, G], -1 throughout: what a push of a symbol makes of a set.
        unions: int64[power of two, 3], zeros: unions met lately.

    """
    n_steps = len(step_class)
    n_nodes = len(kind)
    n_controls = len(edge_start) - 1
    n_symbols = len(by_symbol) - 1
    length = exits.shape[1]
    n_classes = edge_classes.shape[1]
    extra = len(pops) * width
    one = np.uint64(1)
    for w in range(length):
        sets[0, w] = 0
        sets[1, w] = 0
    sets[1, extra] = one
    _, n_sets = intern_row(sets, 0, table, 0, length)
    _, n_sets = intern_row(sets, n_sets, table, 1, length)
    here = np.zeros(n_nodes, np.int32)
    after = np.zeros(n_nodes, np.int32)
    held = np.zeros(length, np.int64)  # the words in which a context set has something
    hint = np.zeros(n_nodes, np.int32)  # the word in which T and J met last
    here[start] = 1
    # records of pushes, by symbol: the row above, the context, the union of all contexts so far, the record before
    last = np.full(n_symbols, -1, np.int32)
    most = 1024
    rec_row = np.empty(most, np.int32)
    rec_set = np.empty(most, np.int32)
    rec_all = np.empty(most, np.int32)
    rec_before = np.empty(most, np.int32)
    n_records = 0
    for j in range(n_steps):
        if j > 0:
            word = (j - 1) >> 6
            bit = np.uint64((j - 1) & 63)
            for g in range(n_symbols):
                if last[g] < 0:
                    continue
                for x in range(by_symbol[g], by_symbol[g + 1]):
                    number = landing_of[x]
                    if number < 0:
                        continue
                    m = landings[number]
                    if row_of[j, m] < 0:
                        continue
                    at = x * width + word
                    acc = here[m]
                    k = last[g]
                    while k >= 0:
                        every = rec_all[k]
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
                        if (exits[rec_row[k], at] >> bit) & one:
                            found, n_sets = join(
                                sets, n_sets, table, unions, np.int64(acc), np.int64(rec_set[k]), length
                            )
                            if found < 0:
                                return np.int64(-1)
                            acc = np.int32(found)
                        k = rec_before[k]
                    here[m] = acc
        for n in range(n_nodes - 1, n_controls - 1, -1):
            ji = np.int64(here[n])
            if ji == 0 or kind[n] != PUSH:
                continue
            above = row_of[j, inner[n]]
            g = symbol[n]
            found = np.int64(kept[ji, g])
            if found < 0:
                if n_sets >= len(sets):
                    return np.int64(-1)
                new = n_sets
                n_held = 0
                for w in range(length - 1, -1, -1):
                    sets[new, w] = 0
                    if sets[ji, w]:
                        held[n_held] = w
                        n_held += 1
                for x in range(by_symbol[g], by_symbol[g + 1]):
                    at = x * width
                    number = landing_of[x]
                    b = x + 1
                    if number < 0:
                        to = pop_of[inner[pops[x]]]
                        for w in range(width):
                            sets[new, at + w] = sets[ji, to * width + w]
                        if (sets[ji, extra + ((to + 1) >> 6)] >> np.uint64((to + 1) & 63)) & one:
                            sets[new, extra + (b >> 6)] |= one << np.uint64(b & 63)
                        continue
                    m = landings[number]
                    near = held[0]
                    for jj in range(1, n_steps + 1):
                        row = row_of[jj, m]
                        if row < 0:
                            continue
                        meets = exits[row, near] & sets[ji, near]
                        if not meets:
                            for i in range(n_held):
                                meets = exits[row, held[i]] & sets[ji, held[i]]
                                if meets:
                                    near = held[i]
                                    break
                        if meets:
                            sets[new, at + ((jj - 1) >> 6)] |= one << np.uint64((jj - 1) & 63)
                    if m < n_controls and accepting[m] and sets[ji, extra] & one:
                        sets[new, extra + (b >> 6)] |= one << np.uint64(b & 63)
                found, n_sets = intern_row(sets, n_sets, table, new, length)
                if found < 0:
                    return np.int64(-1)
                kept[ji, g] = found
            m = inner[n]
            joined, n_sets = join(sets, n_sets, table, unions, np.int64(here[m]), found, length)
            if joined < 0:
                return np.int64(-1)
            here[m] = joined
            every = ji
            if last[g] >= 0:
                every, n_sets = join(sets, n_sets, table, unions, np.int64(rec_all[last[g]]), ji, length)
                if every < 0:
                    return np.int64(-1)
            if n_records == most:
                most *= 2
                new_row = np.empty(most, np.int32)
                new_set = np.empty(most, np.int32)
                new_all = np.empty(most, np.int32)
                new_before = np.empty(most, np.int32)
                new_row[:n_records] = rec_row
                new_set[:n_records] = rec_set
                new_all[:n_records] = rec_all
                new_before[:n_records] = rec_before
                rec_row = new_row
                rec_set = new_set
                rec_all = new_all
                rec_before = new_before
            rec_row[n_records] = above
            rec_set[n_records] = ji
            rec_all[n_records] = every
            rec_before[n_records] = last[g]
            last[g] = n_records
            n_records += 1
        c = step_class[j]
        for q in range(n_controls):
            ji = np.int64(here[q])
            if ji == 0:
                continue
            if skippable[j]:
                row = row_of[j + 1, q]
                for w in range(length):
                    if exits[row, w] & sets[ji, w]:
                        joined, n_sets = join(sets, n_sets, table, unions, np.int64(after[q]), ji, length)
                        if joined < 0:
                            return np.int64(-1)
                        after[q] = joined
                        break
            run = step_run[j]
            low_edge = run_start[run, q] if run >= 0 else edge_start[q]
            end_edge = run_start[run, q + 1] if run >= 0 else edge_start[q + 1]
            for e in range(low_edge, end_edge):
                if run >= 0:
                    pass
                elif c >= 0:
                    if not (edge_classes[e, c >> 6] >> np.uint64(c & 63)) & one:
                        continue
                elif c != ANY:
                    some = np.uint64(0)
                    for w in range(n_classes):
                        some |= edge_classes[e, w] & allowed[FIRST_SET - c, w]
                    if not some:
                        continue
                m = run_node[e] if run >= 0 else edge_node[e]
                if kind[m] == POP:
                    if not (sets[ji, pop_of[m] * width + (j >> 6)] >> np.uint64(j & 63)) & one:
                        continue
                else:
                    row = row_of[j + 1, m]
                    meets = exits[row, hint[m]] & sets[ji, hint[m]]
                    if not meets:
                        for w in range(length - 1, -1, -1):
                            meets = exits[row, w] & sets[ji, w]
                            if meets:
                                hint[m] = w
                                break
                    if not meets:
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
                        masks[j, w] |= edge_classes[e, w]
                else:
                    for w in range(n_classes):
                        masks[j, w] |= edge_classes[e, w] & allowed[FIRST_SET - c, w]
        for n in range(n_nodes):
            here[n] = after[n]
            after[n] = 0
    return n_sets


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
