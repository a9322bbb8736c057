"""Automaton algorithms over flat arrays in range form: products, lengths, runs, tries.

Two forms of a deterministic automaton occur in this folder.  The *range form* is what ``CharDfa`` holds: per
state a sorted list of disjoint code-point ranges in CSR layout.  The *dense form* is a table
``int32[n, classes]`` over an alphabet partition (``NO_TARGET`` where there is no edge) and is what
``subsets`` makes and ``minimal`` wants.

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

HASH_MASK = 0x7FFFFFFF
HASH_FACTOR = 1000003


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
    far = 1 << 40  # beyond every code point
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
    slots[((key ^ (key >> 15)) * HASH_FACTOR) & 255] = 0
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
            a_lo = max(a_low[i], at) if i < i_end else far
            b_lo = max(b_low[j], at) if j < j_end else far
            lo = min(a_lo, b_lo)
            hi = far
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
            h = ((key ^ (key >> 15)) * HASH_FACTOR) & HASH_MASK
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
                        slot = ((key ^ (key >> 15)) * HASH_FACTOR) & (len(slots) - 1)
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
            while depth < size and depth < other and codes[begin[i] + depth] == codes[begin[previous] + depth]:
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
