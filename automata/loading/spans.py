"""What the members of a set read, byte interval by byte interval, and the set behind each."""

from __future__ import annotations

from numba import njit

from ...grammar.ir import OP_KEY_CLOSE, OP_NONE
from .. import layout as lay
from .nfa import ATTR_TRACKED, BODY
from .sets import more_rows, sort_small

# A span is a range of bytes that a member of a set reads: low, high, op, arg, kind, target, extra.
SPAN = 7
KIND_STATE = 0
KIND_BODY = 1  # goes on inside a body
KIND_CLOSE = 2  # closes a body


@njit(cache=True, nogil=True)
def spans_of(a, by_begin, by, extras, members, spans):
    """What the members of a set read; returns the spans, which may have grown, and how many."""
    n = 0
    for m in members:
        if m & BODY:
            e = (m >> 32) & 0xFFFFFFF
            p = lay.LS + (m & 0xFFFFFFFF) * lay.LS_WIDTH
            if n + a[p + lay.L_N_RANGES] > spans.shape[0]:
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
                    spans[n, 5] = extras[e, 2]
                else:
                    spans[n, 2] = OP_NONE
                    spans[n, 4] = KIND_BODY
                    spans[n, 5] = BODY | (e << 32) | t
                n += 1
        else:
            first = by_begin[m]
            end = by_begin[m + 1]
            if n + end - first > spans.shape[0]:
                spans = more_rows(spans, n + end - first)
            for e in range(first, end):
                spans[n, 0] = by[e, 1]
                spans[n, 1] = by[e, 2]
                spans[n, 2] = by[e, 3]
                spans[n, 3] = by[e, 4]
                spans[n, 4] = KIND_STATE
                spans[n, 5] = by[e, 5]
                spans[n, 6] = -1
                n += 1
    return spans, n


@njit(cache=True, nogil=True)
def tracks(attrs, members):
    """Whether a set holds a state inside a key."""
    for m in members:
        if m & BODY or attrs[m] & ATTR_TRACKED:
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
