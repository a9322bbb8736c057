"""The canonical form: trimmed, minimal, numbered breadth first in code-point order.

``canonical`` is the only way from the dense form back to ranges, so that equal languages have equal arrays.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .kernels import HASH_FACTOR, NO_TARGET, Bool, Int, Table


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
            at = ((key ^ (key >> 15)) * HASH_FACTOR) & (size - 1)
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
def canonical(
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
                    w = _mark(into_edge[j], cord_elements, cord_where, block_of_cord, cord_begin, marks, touched, w)
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
