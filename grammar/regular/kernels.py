"""Automaton algorithms over flat arrays: determinise, product, minimise.

Two forms of a deterministic automaton occur here.  The *range form* is what ``CharDfa`` holds: per
state a sorted list of disjoint code-point ranges in CSR layout.  The *dense form* is a table
``int32[n, classes]`` over an alphabet partition (``NO_TARGET`` where there is no edge) and is what the
algorithms want.  ``canonical`` goes from dense to range form and is the only way out: its result is
trimmed, minimal and numbered breadth first in code-point order, so that equal languages have equal
arrays.

Hashes are kept below 2**31 and multiplied by less than 2**20, so that the plain Python twin of a
kernel (``NUMBA_DISABLE_JIT=1``) never overflows a NumPy scalar.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Int = npt.NDArray[np.int64]
Table = npt.NDArray[np.int32]
Bool = npt.NDArray[np.bool_]

NO_TARGET = -1

EPSILON = -1
"""Label of an NFA edge that reads nothing."""

BEGIN = -2
"""Label of an NFA edge that may be taken at the start of the text only."""

END = -3
"""Label of an NFA edge that may be taken at the end of the text only."""

OP_AND = 0
OP_OR = 1
OP_SUB = 2

OK = 0
TOO_MANY_STATES = 1
TOO_MUCH_WORK = 2

_HASH_MASK = 0x7FFFFFFF
_HASH_FACTOR = 1000003


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
                h = ((h ^ (h >> 15) ^ bucket[i]) * _HASH_FACTOR) & _HASH_MASK
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


@njit(cache=True, nogil=True)
def to_dense(n: int, first: Int, low: Int, high: Int, target: Int, cuts: Int) -> tuple[Table, Int]:
    """Dense form of an automaton in range form, over the coarsest alphabet partition.

    ``cuts`` are all range starts and one-past-ends, sorted.  Returns the table and the class of each interval
    between two cuts, numbered in order of first appearance.
    """
    n_intervals = max(len(cuts) - 1, 0)
    classes = np.zeros(n_intervals, np.int64)
    row = np.empty(n_intervals, np.int64)
    count = 1 if n_intervals > 0 else 0
    size = 16
    while size < 4 * n_intervals:
        size *= 2
    keys = np.full(size, -1, np.int64)
    values = np.empty(size, np.int64)
    touched = np.empty(n_intervals, np.int64)
    for q in range(n):
        row[:] = NO_TARGET
        for e in range(first[q], first[q + 1]):
            i = np.searchsorted(cuts, low[e])
            while i < n_intervals and cuts[i] <= high[e]:
                row[i] = target[e]
                i += 1
        fresh = 0
        for i in range(n_intervals):
            key = classes[i] * (n + 1) + row[i] + 1
            at = ((key ^ (key >> 15)) * _HASH_FACTOR) & (size - 1)
            while keys[at] >= 0 and keys[at] != key:
                at = (at + 1) & (size - 1)
            if keys[at] < 0:
                keys[at] = key
                values[at] = fresh
                touched[fresh] = at
                fresh += 1
            classes[i] = values[at]
        for i in range(fresh):
            keys[touched[i]] = -1
        count = fresh
    table = np.full((n, count), NO_TARGET, np.int32)
    for q in range(n):
        for e in range(first[q], first[q + 1]):
            i = np.searchsorted(cuts, low[e])
            while i < n_intervals and cuts[i] <= high[e]:
                table[q, classes[i]] = target[e]
                i += 1
    return table, classes


@njit(cache=True, nogil=True)
def _mark(e: int, elements: Int, where: Int, block: Int, begin: Int, marks: Int, todo: Int, w: int) -> int:
    s = block[e]
    i = where[e]
    j = begin[s] + marks[s]
    if i >= j:
        elements[i] = elements[j]
        where[elements[i]] = i
        elements[j] = e
        where[e] = j
        if marks[s] == 0:
            todo[w] = s
            w += 1
        marks[s] += 1
    return w


@njit(cache=True, nogil=True)
def _split(elements: Int, block: Int, begin: Int, end: Int, marks: Int, todo: Int, w: int, z: int) -> int:
    while w > 0:
        w -= 1
        s = todo[w]
        j = begin[s] + marks[s]
        if j == end[s]:
            marks[s] = 0
            continue
        # The smaller part becomes the new block: this is what makes the whole O(m log n).
        if marks[s] <= end[s] - j:
            begin[z] = begin[s]
            end[z] = j
            begin[s] = j
        else:
            end[z] = end[s]
            begin[z] = j
            end[s] = j
        for i in range(begin[z], end[z]):
            block[elements[i]] = z
        marks[s] = 0
        marks[z] = 0
        z += 1
    return z


@njit(cache=True, nogil=True)
def canonical(  # noqa: C901, PLR0915 - one kernel on purpose: a call costs more than a phase
    table: Table, accepting: Bool, lows: Int, highs: Int, classes: Int
) -> tuple[int, Int, Int, Int, Int, Bool]:
    """Trim and minimise a dense automaton and put it in canonical range form.

    Interval i of the alphabet is ``lows[i]..highs[i]`` and belongs to class ``classes[i]``; classes are numbered in
    order of first appearance.  Minimisation is the partition refinement of Valmari and Lehtinen,
    "Efficient minimization of DFAs with partial transition functions" (2008), O(m log n).
    """
    n = table.shape[0]
    n_classes = table.shape[1]
    # Forward reachability.
    reach = np.zeros(n, np.bool_)
    todo = np.empty(n, np.int64)
    reach[0] = True
    todo[0] = 0
    top = 1
    degree = np.zeros(n + 1, np.int64)
    while top > 0:
        top -= 1
        q = todo[top]
        for c in range(n_classes):
            t = table[q, c]
            if t >= 0:
                degree[t + 1] += 1
                if not reach[t]:
                    reach[t] = True
                    todo[top] = t
                    top += 1
    # Backward reachability from accepting states.
    for q in range(n):
        degree[q + 1] += degree[q]
    into = np.empty(degree[n], np.int64)
    fill = degree[:n].copy()
    for q in range(n):
        if reach[q]:
            for c in range(n_classes):
                t = table[q, c]
                if t >= 0:
                    into[fill[t]] = q
                    fill[t] += 1
    live = np.zeros(n, np.bool_)
    for q in range(n):
        if reach[q] and accepting[q]:
            live[q] = True
            todo[top] = q
            top += 1
    while top > 0:
        top -= 1
        q = todo[top]
        for i in range(degree[q], degree[q + 1]):
            if not live[into[i]]:
                live[into[i]] = True
                todo[top] = into[i]
                top += 1
    if not live[0]:
        nothing = np.zeros(0, np.int64)
        return 1, np.zeros(2, np.int64), nothing, nothing, nothing, np.zeros(1, np.bool_)
    index = np.full(n, -1, np.int64)
    kept = 0
    for q in range(n):
        if live[q]:
            index[q] = kept
            kept += 1
    # Transitions, class by class, so that they come sorted by label.
    m = 0
    for q in range(n):
        if live[q]:
            for c in range(n_classes):
                t = table[q, c]
                if t >= 0 and live[t]:
                    m += 1
    tail = np.empty(m, np.int64)
    head = np.empty(m, np.int64)
    block_of_cord = np.empty(m, np.int64)
    cord_begin = np.zeros(m + 1, np.int64)
    cord_end = np.zeros(m + 1, np.int64)
    m = 0
    cords = 0
    for c in range(n_classes):
        before = m
        for q in range(n):
            if live[q]:
                t = table[q, c]
                if t >= 0 and live[t]:
                    tail[m] = index[q]
                    head[m] = index[t]
                    block_of_cord[m] = cords
                    m += 1
        if m > before:
            cord_begin[cords] = before
            cord_end[cords] = m
            cords += 1
    cord_elements = np.arange(m)
    cord_where = np.arange(m)
    into_first = np.zeros(kept + 1, np.int64)
    for e in range(m):
        into_first[head[e] + 1] += 1
    for q in range(kept):
        into_first[q + 1] += into_first[q]
    into_edge = np.empty(m, np.int64)
    fill = into_first[:kept].copy()
    for e in range(m):
        into_edge[fill[head[e]]] = e
        fill[head[e]] += 1
    elements = np.arange(kept)
    where = np.arange(kept)
    block = np.zeros(kept, np.int64)
    begin = np.zeros(kept + 1, np.int64)
    end = np.zeros(kept + 1, np.int64)
    end[0] = kept
    marks = np.zeros(max(m, kept) + 1, np.int64)
    touched = np.empty(max(m, kept) + 1, np.int64)
    blocks = 1
    w = 0
    for q in range(n):
        if live[q] and accepting[q]:
            w = _mark(index[q], elements, where, block, begin, marks, touched, w)
    blocks = _split(elements, block, begin, end, marks, touched, w, blocks)
    b = 1
    c = 0
    while c < cords:
        w = 0
        for i in range(cord_begin[c], cord_end[c]):
            w = _mark(tail[cord_elements[i]], elements, where, block, begin, marks, touched, w)
        blocks = _split(elements, block, begin, end, marks, touched, w, blocks)
        c += 1
        while b < blocks:
            w = 0
            for i in range(begin[b], end[b]):
                q = elements[i]
                for j in range(into_first[q], into_first[q + 1]):
                    w = _mark(
                        into_edge[j], cord_elements, cord_where, block_of_cord, cord_begin, marks, touched, w
                    )
            cords = _split(cord_elements, block_of_cord, cord_begin, cord_end, marks, touched, w, cords)
            b += 1
    # Number the blocks breadth first in code-point order.
    representative = np.full(blocks, -1, np.int64)
    for q in range(n):
        if live[q] and representative[block[index[q]]] < 0:
            representative[block[index[q]]] = q
    number = np.full(blocks, -1, np.int64)
    order = np.empty(blocks, np.int64)
    number[block[0]] = 0
    order[0] = block[0]
    count = 1
    k = 0
    while k < count:
        q = representative[order[k]]
        for c in range(n_classes):
            t = table[q, c]
            if t >= 0 and live[t]:
                p = block[index[t]]
                if number[p] < 0:
                    number[p] = count
                    order[count] = p
                    count += 1
        k += 1
    # Write ranges, joining neighbours with the same target.
    first = np.zeros(count + 1, np.int64)
    final = np.zeros(count, np.bool_)
    capacity = 64
    low = np.empty(capacity, np.int64)
    high = np.empty(capacity, np.int64)
    target = np.empty(capacity, np.int64)
    m = 0
    for k in range(count):
        q = representative[order[k]]
        final[k] = accepting[q]
        for i in range(len(classes)):
            t = table[q, classes[i]]
            if t < 0 or not live[t]:
                continue
            p = number[block[index[t]]]
            if m > first[k] and target[m - 1] == p and high[m - 1] + 1 == lows[i]:
                high[m - 1] = highs[i]
                continue
            if m == capacity:
                capacity *= 2
                grown = np.empty(capacity, np.int64)
                grown[:m] = low
                low = grown
                grown = np.empty(capacity, np.int64)
                grown[:m] = high
                high = grown
                grown = np.empty(capacity, np.int64)
                grown[:m] = target
                target = grown
            low[m] = lows[i]
            high[m] = highs[i]
            target[m] = p
            m += 1
        first[k + 1] = m
    return count, first, low[:m].copy(), high[:m].copy(), target[:m].copy(), final


@njit(cache=True, nogil=True)
def product(
    a_first: Int,
    a_low: Int,
    a_high: Int,
    a_target: Int,
    a_final: Bool,
    b_first: Int,
    b_low: Int,
    b_high: Int,
    b_target: Int,
    b_final: Bool,
    op: int,
    max_states: int,
) -> tuple[int, Int, Int, Int, Int, Bool]:
    """Pair construction of two automata in range form for AND, OR or SUB (a and not b).

    Returns a status and the range form of the product, not minimal.
    """
    nb = len(b_final)
    capacity = 64
    left = np.empty(capacity, np.int64)
    right = np.empty(capacity, np.int64)
    slots = np.full(256, -1, np.int64)
    first = np.zeros(capacity + 1, np.int64)
    edge_capacity = 256
    low = np.empty(edge_capacity, np.int64)
    high = np.empty(edge_capacity, np.int64)
    target = np.empty(edge_capacity, np.int64)
    left[0] = 0
    right[0] = 0
    n = 1
    m = 0
    key = nb + 2
    slots[((key ^ (key >> 15)) * _HASH_FACTOR) & 255] = 0
    k = 0
    while k < n:
        p = left[k]
        q = right[k]
        i = a_first[p] if p >= 0 else 0
        i_end = a_first[p + 1] if p >= 0 else 0
        j = b_first[q] if q >= 0 else 0
        j_end = b_first[q + 1] if q >= 0 else 0
        at = 0
        while i < i_end or j < j_end:
            # The next piece at or after code point ``at`` on which both sides are constant.
            a_lo = max(a_low[i], at) if i < i_end else np.int64(1 << 40)
            b_lo = max(b_low[j], at) if j < j_end else np.int64(1 << 40)
            lo = min(a_lo, b_lo)
            hi = np.int64(1 << 40)
            x = NO_TARGET
            y = NO_TARGET
            if a_lo == lo:
                hi = min(hi, a_high[i])
                x = a_target[i]
            else:
                hi = min(hi, a_lo - 1)
            if b_lo == lo:
                hi = min(hi, b_high[j])
                y = b_target[j]
            else:
                hi = min(hi, b_lo - 1)
            at = hi + 1
            if i < i_end and a_high[i] < at:
                i += 1
            if j < j_end and b_high[j] < at:
                j += 1
            if (x < 0 and op != OP_OR) or (y < 0 and op == OP_AND):
                continue
            key = (x + 1) * (nb + 1) + y + 1
            h = ((key ^ (key >> 15)) * _HASH_FACTOR) & _HASH_MASK
            slot = h & (len(slots) - 1)
            found = NO_TARGET
            while slots[slot] >= 0:
                r = slots[slot]
                if left[r] == x and right[r] == y:
                    found = r
                    break
                slot = (slot + 1) & (len(slots) - 1)
            if found < 0:
                if n >= max_states:
                    return TOO_MANY_STATES, first[:2], low[:0], high[:0], target[:0], a_final[:1]
                if n == capacity:
                    capacity *= 2
                    grown = np.empty(capacity, np.int64)
                    grown[:n] = left
                    left = grown
                    grown = np.empty(capacity, np.int64)
                    grown[:n] = right
                    right = grown
                    grown = np.zeros(capacity + 1, np.int64)
                    grown[: n + 1] = first
                    first = grown
                found = n
                left[n] = x
                right[n] = y
                slots[slot] = n
                n += 1
                if 2 * n > len(slots):
                    slots = np.full(4 * len(slots), -1, np.int64)
                    for r in range(n):
                        key = (left[r] + 1) * (nb + 1) + right[r] + 1
                        slot = ((key ^ (key >> 15)) * _HASH_FACTOR) & (len(slots) - 1)
                        while slots[slot] >= 0:
                            slot = (slot + 1) & (len(slots) - 1)
                        slots[slot] = r
            if m > first[k] and target[m - 1] == found and high[m - 1] + 1 == lo:
                high[m - 1] = hi
                continue
            if m == edge_capacity:
                edge_capacity *= 2
                grown = np.empty(edge_capacity, np.int64)
                grown[:m] = low
                low = grown
                grown = np.empty(edge_capacity, np.int64)
                grown[:m] = high
                high = grown
                grown = np.empty(edge_capacity, np.int64)
                grown[:m] = target
                target = grown
            low[m] = lo
            high[m] = hi
            target[m] = found
            m += 1
        k += 1
        first[k] = m
    final = np.zeros(n, np.bool_)
    for r in range(n):
        x_final = left[r] >= 0 and a_final[left[r]]
        y_final = right[r] >= 0 and b_final[right[r]]
        if op == OP_AND:
            final[r] = x_final and y_final
        elif op == OP_OR:
            final[r] = x_final or y_final
        else:
            final[r] = x_final and not y_final
    return OK, first[: n + 1], low[:m], high[:m], target[:m], final


@njit(cache=True, nogil=True)
def lengths(first: Int, target: Int, accepting: Bool, unbounded: int) -> tuple[Int, Int, bool]:
    """Least and greatest number of characters from each state to acceptance, and whether all between occur.

    The automaton must be trimmed.  With I(q) = least..most, every length in I(q) occurs for every q if and only if
    I(q) is the union of {0} (q accepting) and 1 + I(t) over its targets t: induction on the length.
    """
    n = len(accepting)
    m = len(target)
    least = np.full(n, unbounded, np.int64)
    most = np.full(n, unbounded, np.int64)
    into_first = np.zeros(n + 1, np.int64)
    for e in range(m):
        into_first[target[e] + 1] += 1
    for q in range(n):
        into_first[q + 1] += into_first[q]
    into = np.empty(m, np.int64)
    fill = into_first[:n].copy()
    out_left = np.zeros(n, np.int64)
    for q in range(n):
        out_left[q] = first[q + 1] - first[q]
        for e in range(first[q], first[q + 1]):
            into[fill[target[e]]] = q
            fill[target[e]] += 1
    queue = np.empty(n, np.int64)
    size = 0
    for q in range(n):
        if accepting[q]:
            least[q] = 0
            queue[size] = q
            size += 1
    k = 0
    while k < size:
        q = queue[k]
        k += 1
        for i in range(into_first[q], into_first[q + 1]):
            if least[into[i]] == unbounded:
                least[into[i]] = least[q] + 1
                queue[size] = into[i]
                size += 1
    # Longest paths by peeling states without unfinished successors; what is left can reach a cycle.
    size = 0
    for q in range(n):
        if out_left[q] == 0:
            most[q] = 0
            queue[size] = q
            size += 1
    longest = np.zeros(n, np.int64)
    k = 0
    while k < size:
        q = queue[k]
        k += 1
        most[q] = longest[q]
        for i in range(into_first[q], into_first[q + 1]):
            p = into[i]
            longest[p] = max(longest[p], longest[q] + 1)
            out_left[p] -= 1
            if out_left[p] == 0:
                queue[size] = p
                size += 1
    gapless = True
    for q in range(n):
        # Sweep the successors' intervals by growing [reach_lo, reach_hi] until nothing joins it.
        reached = 0 if accepting[q] else -1
        if not accepting[q]:
            reached = least[q] - 1
        grew = True
        while grew and reached < most[q]:
            grew = False
            for e in range(first[q], first[q + 1]):
                t = target[e]
                if least[t] + 1 <= reached + 1 and min(most[t] + 1, unbounded) > reached:
                    reached = min(most[t] + 1, unbounded)
                    grew = True
        if reached < most[q]:
            gapless = False
            break
    return least, most, gapless


@njit(cache=True, nogil=True)
def run(first: Int, low: Int, high: Int, target: Int, codes: Int) -> int:
    """State after reading the code points from state 0, or ``NO_TARGET``."""
    q = 0
    for i in range(len(codes)):
        x = codes[i]
        lo = first[q]
        hi = first[q + 1]
        while lo < hi:
            mid = (lo + hi) >> 1
            if high[mid] < x:
                lo = mid + 1
            else:
                hi = mid
        if lo == first[q + 1] or low[lo] > x:
            return NO_TARGET
        q = target[lo]
    return q


@njit(cache=True, nogil=True)
def trie(codes: Int, begin: Int) -> tuple[Int, Int, Int, Bool]:
    """Trie of sorted, distinct code-point strings as CSR (first, code, target, accepting)."""
    n_strings = len(begin) - 1
    capacity = len(codes) + 1
    parent = np.empty(capacity, np.int64)
    code = np.empty(capacity, np.int64)
    accepting = np.zeros(capacity, np.bool_)
    longest = 0
    for i in range(n_strings):
        longest = max(longest, begin[i + 1] - begin[i])
    path = np.zeros(longest + 1, np.int64)
    n = 1
    previous = -1
    for i in range(n_strings):
        size = begin[i + 1] - begin[i]
        depth = 0
        if previous >= 0:
            other = begin[previous + 1] - begin[previous]
            while (
                depth < size and depth < other and codes[begin[i] + depth] == codes[begin[previous] + depth]
            ):
                depth += 1
        for d in range(depth, size):
            parent[n] = path[d]
            code[n] = codes[begin[i] + d]
            path[d + 1] = n
            n += 1
        accepting[path[size]] = True
        previous = i
    first = np.zeros(n + 1, np.int64)
    for s in range(1, n):
        first[parent[s] + 1] += 1
    for s in range(n):
        first[s + 1] += first[s]
    low = np.empty(n - 1, np.int64)
    target = np.empty(n - 1, np.int64)
    fill = first[:n].copy()
    for s in range(1, n):
        at = fill[parent[s]]
        low[at] = code[s]
        target[at] = s
        fill[parent[s]] += 1
    return first, low, target, accepting[:n]


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
