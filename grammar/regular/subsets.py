"""From an NFA to a DFA in dense form: alphabet classes, epsilon elimination, subset construction."""

from __future__ import annotations

import numpy as np
from numba import njit

from .kernels import BEGIN, END, HASH_FACTOR, HASH_MASK, NO_TARGET, OK, TOO_MANY_STATES, TOO_MUCH_WORK, Bool, Int, Table


@njit(cache=True, nogil=True)
def partition_sets(lows: Int, highs: Int, owner: Int, n_sets: int, cuts: Int) -> tuple[Int, int]:
    """Split the intervals between ``cuts`` into classes that no set tells apart.

    Set ``s`` is the union of the ranges ``lows[i]..highs[i]`` with ``owner[i] == s``; ranges of one set are
    adjacent in the arrays.  Returns the class of each interval, numbered in order of first appearance,
    and their number.
    """
    n_intervals = len(cuts) - 1
    classes = np.zeros(max(n_intervals, 0), np.int64)
    count = 1
    position = 0
    inside = np.zeros(max(n_intervals, 0), np.int64)
    for s in range(n_sets):
        inside[:] = 0
        while position < len(owner) and owner[position] == s:
            i = np.searchsorted(cuts, lows[position])
            while i < n_intervals and cuts[i] <= highs[position]:
                inside[i] = 1
                i += 1
            position += 1
        renamed = np.full(2 * count, -1, np.int64)
        fresh = 0
        for i in range(n_intervals):
            k = 2 * classes[i] + inside[i]
            if renamed[k] < 0:
                renamed[k] = fresh
                fresh += 1
            classes[i] = renamed[k]
        count = max(fresh, 1)
    return classes, count


@njit(cache=True, nogil=True)
def classes_of_sets(
    lows: Int, highs: Int, owner: Int, n_sets: int, cuts: Int, classes: Int, count: int
) -> tuple[Int, Int]:
    """The classes that each set is made of, in CSR layout; arguments as in ``partition_sets``."""
    n_intervals = len(classes)
    first = np.zeros(n_sets + 1, np.int64)
    listed = np.empty(n_sets * count, np.int64)
    seen = np.full(count, -1, np.int64)
    m = 0
    position = 0
    for s in range(n_sets):
        while position < len(owner) and owner[position] == s:
            i = np.searchsorted(cuts, lows[position])
            while i < n_intervals and cuts[i] <= highs[position]:
                c = classes[i]
                if seen[c] != s:
                    seen[c] = s
                    listed[m] = c
                    m += 1
                i += 1
            position += 1
        first[s + 1] = m
    return first, listed[:m].copy()


@njit(cache=True, nogil=True)
def eliminate_epsilon(
    n: int, first: Int, label: Int, dest: Int, final: int, start: int, max_work: int
) -> tuple[int, int, Int, Int, Int, Bool]:
    """Turn an NFA with epsilon, BEGIN and END edges into one that only reads.

    Edges of state s are ``first[s]..first[s+1]``.  The result has the status, the number of states (0 is the
    start; only states from which acceptance can be reached are entered), its edges in CSR layout, and
    the accepting states.
    """
    number = np.full(n, -1, np.int64)
    order = np.empty(n + 1, np.int64)
    order[0] = start
    count = 1
    # The start gets a state of its own (0), because BEGIN edges are open to it alone.
    capacity = 64
    out_label = np.empty(capacity, np.int64)
    out_dest = np.empty(capacity, np.int64)
    out_first = np.zeros(n + 2, np.int64)
    accepting = np.zeros(n + 1, np.bool_)
    seen = np.full(2 * n, -1, np.int64)
    stack = np.empty(2 * n, np.int64)
    m = 0
    work = 0
    k = 0
    while k < count:
        origin = order[k]
        top = 1
        stack[0] = 2 * origin
        seen[2 * origin] = k
        while top > 0:
            top -= 1
            x = stack[top]
            s = x >> 1
            ended = x & 1
            if s == final:
                accepting[k] = True
            for e in range(first[s], first[s + 1]):
                kind = label[e]
                work += 1
                if kind >= 0:
                    if ended == 0:
                        d = dest[e]
                        if number[d] < 0:
                            number[d] = count
                            order[count] = d
                            count += 1
                        if m == capacity:
                            capacity *= 2
                            grown = np.empty(capacity, np.int64)
                            grown[:m] = out_label[:m]
                            out_label = grown
                            grown = np.empty(capacity, np.int64)
                            grown[:m] = out_dest[:m]
                            out_dest = grown
                        out_label[m] = kind
                        out_dest[m] = number[d]
                        m += 1
                    continue
                if kind == BEGIN and k > 0:
                    continue
                y = 2 * dest[e] + (1 if kind == END else ended)
                if seen[y] != k:
                    seen[y] = k
                    stack[top] = y
                    top += 1
        k += 1
        out_first[k] = m
        if work > max_work:
            return TOO_MUCH_WORK, count, out_first, out_label, out_dest, accepting
    # Keep only edges into states that can accept: dead NFA states would multiply the subsets.
    into_first = np.zeros(count + 1, np.int64)
    for e in range(m):
        into_first[out_dest[e] + 1] += 1
    for s in range(count):
        into_first[s + 1] += into_first[s]
    into = np.empty(m, np.int64)
    fill = into_first[:count].copy()
    for s in range(count):
        for e in range(out_first[s], out_first[s + 1]):
            into[fill[out_dest[e]]] = s
            fill[out_dest[e]] += 1
    live = accepting[:count].copy()
    top = 0
    todo = np.empty(count, np.int64)
    for s in range(count):
        if live[s]:
            todo[top] = s
            top += 1
    while top > 0:
        top -= 1
        s = todo[top]
        for e in range(into_first[s], into_first[s + 1]):
            if not live[into[e]]:
                live[into[e]] = True
                todo[top] = into[e]
                top += 1
    kept = 0
    begin = 0
    for s in range(count):
        stop = out_first[s + 1]
        for e in range(begin, stop):
            if live[out_dest[e]]:
                out_label[kept] = out_label[e]
                out_dest[kept] = out_dest[e]
                kept += 1
        begin = stop
        out_first[s + 1] = kept
    return OK, count, out_first[: count + 1], out_label[:kept], out_dest[:kept], accepting[:count]


@njit(cache=True, nogil=True)
def universal_states(first: Int, label: Int, dest: Int, accepting: Bool, full: Bool) -> Bool:
    """Accepting states with a loop on every character: whatever follows, the text is accepted."""
    result = np.zeros(len(accepting), np.bool_)
    for s in range(len(accepting)):
        if accepting[s]:
            for e in range(first[s], first[s + 1]):
                if dest[e] == s and full[label[e]]:
                    result[s] = True
    return result


@njit(cache=True, nogil=True)
def determinise(
    first: Int,
    label: Int,
    dest: Int,
    accepting: Bool,
    universal: Bool,
    class_first: Int,
    class_list: Int,
    n_classes: int,
    max_states: int,
    max_work: int,
) -> tuple[int, Table, Bool]:
    """Subset construction over alphabet classes.

    NFA edge e reads any class in ``class_list[class_first[label[e]]..class_first[label[e] + 1]]``.  A subset that
    holds a universal state is replaced by that state alone.  Returns a status, the dense table and
    the accepting states.
    """
    capacity = 64
    table = np.full((capacity, n_classes), NO_TARGET, np.int32)
    final = np.zeros(capacity, np.bool_)
    begin = np.zeros(capacity + 1, np.int64)
    pool = np.empty(1024, np.int64)
    slots = np.full(256, -1, np.int64)
    hashes = np.zeros(capacity, np.int64)
    stamp = np.full(len(accepting), -1, np.int64)
    bucket_count = np.zeros(n_classes, np.int64)
    bucket_first = np.zeros(n_classes + 1, np.int64)
    bucket = np.empty(256, np.int64)
    pool[0] = 0
    begin[1] = 1
    used = 1
    n = 1
    final[0] = accepting[0]
    slots[0] = 0
    clock = 0
    work = 0
    q = 0
    while q < n:
        bucket_count[:] = 0
        for i in range(begin[q], begin[q + 1]):
            s = pool[i]
            for e in range(first[s], first[s + 1]):
                for j in range(class_first[label[e]], class_first[label[e] + 1]):
                    bucket_count[class_list[j]] += 1
        for c in range(n_classes):
            bucket_first[c + 1] = bucket_first[c] + bucket_count[c]
            bucket_count[c] = bucket_first[c]
        total = bucket_first[n_classes]
        work += total
        if work > max_work:
            return TOO_MUCH_WORK, table[:1], final[:1]
        if total > len(bucket):
            bucket = np.empty(2 * total, np.int64)
        for i in range(begin[q], begin[q + 1]):
            s = pool[i]
            for e in range(first[s], first[s + 1]):
                for j in range(class_first[label[e]], class_first[label[e] + 1]):
                    c = class_list[j]
                    bucket[bucket_count[c]] = dest[e]
                    bucket_count[c] += 1
        for c in range(n_classes):
            lo = bucket_first[c]
            hi = bucket_first[c + 1]
            if lo == hi:
                continue
            clock += 1
            k = lo
            for i in range(lo, hi):
                s = bucket[i]
                if universal[s]:
                    bucket[lo] = s
                    k = lo + 1
                    break
                if stamp[s] != clock:
                    stamp[s] = clock
                    bucket[k] = s
                    k += 1
            if k - lo > 32:
                bucket[lo:k].sort()
            else:
                for i in range(lo + 1, k):
                    x = bucket[i]
                    j = i - 1
                    while j >= lo and bucket[j] > x:
                        bucket[j + 1] = bucket[j]
                        j -= 1
                    bucket[j + 1] = x
            h = k - lo
            for i in range(lo, k):
                h = ((h ^ (h >> 15) ^ bucket[i]) * HASH_FACTOR) & HASH_MASK
            at = h & (len(slots) - 1)
            found = NO_TARGET
            while slots[at] >= 0:
                p = slots[at]
                if p > 0 and hashes[p] == h and begin[p + 1] - begin[p] == k - lo:
                    same = True
                    for i in range(k - lo):
                        if pool[begin[p] + i] != bucket[lo + i]:
                            same = False
                            break
                    if same:
                        found = p
                        break
                at = (at + 1) & (len(slots) - 1)
            if found < 0:
                if n >= max_states:
                    return TOO_MANY_STATES, table[:1], final[:1]
                if n == capacity:
                    capacity *= 2
                    grown_table = np.full((capacity, n_classes), NO_TARGET, np.int32)
                    grown_table[:n] = table
                    table = grown_table
                    grown_final = np.zeros(capacity, np.bool_)
                    grown_final[:n] = final
                    final = grown_final
                    grown = np.zeros(capacity + 1, np.int64)
                    grown[: n + 1] = begin
                    begin = grown
                    grown = np.zeros(capacity, np.int64)
                    grown[:n] = hashes
                    hashes = grown
                if used + k - lo > len(pool):
                    grown = np.empty(2 * (used + k - lo), np.int64)
                    grown[:used] = pool[:used]
                    pool = grown
                found = n
                hashes[n] = h
                for i in range(lo, k):
                    pool[used] = bucket[i]
                    used += 1
                    if accepting[bucket[i]]:
                        final[n] = True
                n += 1
                begin[n] = used
                slots[at] = found
                if 2 * n > len(slots):
                    slots = np.full(4 * len(slots), -1, np.int64)
                    for p in range(1, n):
                        at = hashes[p] & (len(slots) - 1)
                        while slots[at] >= 0:
                            at = (at + 1) & (len(slots) - 1)
                        slots[at] = p
            table[q, c] = found
        q += 1
    return OK, table[:n], final[:n]
