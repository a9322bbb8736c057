"""What the members of a set read, byte interval by byte interval, and the set behind each."""

from __future__ import annotations

import numpy as np
from numba import njit

from ...grammar.ir import OP_KEY_CLOSE, OP_NONE
from .. import layout as lay
from .literals import ATTR_KILL, ATTR_NOT
from .nfa import ATTR_TRACKED, BODY, close_over, enter_extras, opens_key
from .sets import grow, more_rows, sort_small

# A span is a range of bytes that a member of a set reads: low, high, op, arg, kind, target, extra.
SPAN = 7
KIND_STATE = 0
KIND_BODY = 1  # goes on inside a body
KIND_CLOSE = 2  # closes a body
NO_OPERATION = 1 << 60


@njit(cache=True, nogil=True)
def spans_of(a, nfa, members, spans):
    """What the members of a set read; returns the spans, which may have grown, and how many."""
    n = 0
    for m in members:
        if m & BODY:
            e = (m >> 32) & 0xFFFFFFF
            p = lay.LS + (m & 0xFFFFFFFF) * lay.LS_WIDTH
            spans = more_rows(spans, n + a[p + lay.L_N_RANGES])
            for k in range(a[p + lay.L_N_RANGES]):
                word = a[lay.RG + a[p + lay.L_RANGES] + 2 * k]
                t = a[lay.RG + a[p + lay.L_RANGES] + 2 * k + 1] & 0xFFFFFFFF
                spans[n, 0] = word & 255
                spans[n, 1] = (word >> 8) & 255
                spans[n, 3] = 0
                spans[n, 6] = e
                if a[lay.LS + t * lay.LS_WIDTH + lay.L_FLAGS] & lay.FLAG_END:
                    spans[n, 2] = OP_KEY_CLOSE
                    spans[n, 4] = KIND_CLOSE
                    spans[n, 5] = nfa.extras[e, 2]
                else:
                    spans[n, 2] = OP_NONE
                    spans[n, 4] = KIND_BODY
                    spans[n, 5] = BODY | (e << 32) | t
                n += 1
        else:
            first = nfa.by_begin[m]
            end = nfa.by_begin[m + 1]
            spans = more_rows(spans, n + end - first)
            for k in range(first, end):
                e = nfa.by_order[k]
                spans[n, 0] = nfa.by[e, 1]
                spans[n, 1] = nfa.by[e, 2]
                spans[n, 2] = nfa.by[e, 3]
                spans[n, 3] = nfa.by[e, 4]
                spans[n, 4] = KIND_STATE
                spans[n, 5] = nfa.by[e, 5]
                spans[n, 6] = -1
                n += 1
    return spans, n


@njit(cache=True, nogil=True)
def tracks(nfa, members):
    """Whether a set holds a state inside a key."""
    for m in members:
        if m & BODY or nfa.attrs[m] & ATTR_TRACKED:
            return True
    return False


@njit(cache=True, nogil=True)
def order_spans(spans, n, first_at, next_at, is_cut, cuts):
    """List the n spans by the byte that they begin with, and write where they begin and behind where they end; returns how many such cuts."""
    n_cuts = 0
    for i in range(n):
        low = spans[i, 0]
        next_at[i] = first_at[low]
        first_at[low] = i
        for cut in (low, spans[i, 1] + 1):
            if not is_cut[cut]:
                is_cut[cut] = True
                cuts[n_cuts] = cut
                n_cuts += 1
    for i in range(n_cuts):
        is_cut[cuts[i]] = False
    sort_small(cuts, n_cuts)
    return n_cuts


@njit(cache=True, nogil=True)
def next_operation(spans, active, n_active, last, killed):
    """The least ``op << 32 | arg`` above ``last`` of the active spans that are not joined; NO_OPERATION if there is none."""
    best = np.int64(NO_OPERATION)
    for k in range(n_active):
        i = active[k]
        if spans[i, 2] == OP_NONE or opens_key(spans[i, 2]) or (spans[i, 4] == KIND_CLOSE and killed):
            continue
        key = (spans[i, 2] << 32) | spans[i, 3]
        if last < key < best:
            best = key
    return best


@njit(cache=True, nogil=True)
def target_of(nfa, spans, active, n_active, op, arg, killed, target, seen, stamp, stack):
    """The set behind one operation of the active spans; OP_NONE stands for the joined group, openings of keys included.

    Returns:
        The array of the set's elements, sorted; it may have grown.
        How many.
        The operation that opens a key, or OP_NONE.
        Whether a body is closed.
        Whether a declared key ends, so that no body goes on.

    """
    n = 0
    opens = np.int64(OP_NONE)
    closes = False
    for k in range(n_active):
        i = active[k]
        if op == OP_NONE:
            if opens_key(spans[i, 2]):
                opens = spans[i, 2]
            elif spans[i, 2] != OP_NONE:
                continue
        elif spans[i, 2] != op or spans[i, 3] != arg or (spans[i, 4] == KIND_CLOSE and killed):
            continue
        target = grow(target, n + len(nfa.attrs) + 64)
        if spans[i, 4] == KIND_BODY:
            target[n] = spans[i, 5]
            n += 1
        else:
            if spans[i, 4] == KIND_CLOSE:
                closes = True
            n = close_over(nfa, spans[i, 5], target, n, seen, stamp, stack)
    kills = False
    for i in range(n):
        if not target[i] & BODY and nfa.attrs[target[i]] & ATTR_KILL:
            kills = True
    target, n = enter_extras(nfa, target, n)
    kept = 0
    bodies = 0
    for i in range(n):
        m = target[i]
        if m & BODY:
            if kills:
                continue
            bodies += 1
        elif nfa.attrs[m] & ATTR_KILL:
            continue
        target[kept] = m
        kept += 1
    n = kept
    if bodies == 0:  # a declared spelling matters only beside a body
        kept = 0
        for i in range(n):
            if not nfa.attrs[target[i]] & ATTR_NOT:
                target[kept] = target[i]
                kept += 1
        n = kept
    sort_small(target, n)
    kept = min(n, 1)
    for i in range(1, n):
        if target[i] != target[kept - 1]:
            target[kept] = target[i]
            kept += 1
    return target, kept, opens, closes, kills
