"""Loading of rules: a fresh start for each, then, when all are determinised (``subsets``), what is known only of them together."""

from __future__ import annotations

import numpy as np
from numba import njit

from ...grammar.ir import OP_COUNT, OP_NONE
from .. import layout as lay
from ..arena import take
from ..states import new_local_state
from .key_counts import count_keys
from .trim import trim


@njit(cache=True, nogil=True)
def new_rule_start(a):
    """A fresh local state that a call may lead to."""
    q = new_local_state(a)
    if q < 0:
        return q
    first = take(a, lay.H_FB, 8, lay.CAP_FB)
    if first < 0:
        return first
    for i in range(8):
        a[lay.FB + first + i] = 0
    a[lay.LS + q * lay.LS_WIDTH + lay.L_FIRST] = first
    return q


@njit(cache=True, nogil=True)
def begins_with_itself(a, low, high, starts):
    """Whether a rule can begin with a call of itself, among local states low..high-1; earlier loads call no later rule."""
    status = np.zeros(high - low, np.int8)  # 1 on the stack, 2 done
    stack = np.empty(len(starts) + 1, np.int64)
    place = np.empty(len(starts) + 1, np.int64)
    for root in starts:
        if status[root - low] != 0:
            continue
        stack[0] = root
        place[0] = 0
        status[root - low] = 1
        top = 0
        while top >= 0:
            q = stack[top]
            p = lay.LS + q * lay.LS_WIDTH
            if place[top] == a[p + lay.L_N_CALLS]:
                status[q - low] = 2
                top -= 1
                continue
            callee = a[lay.CL + a[p + lay.L_CALLS] + 2 * place[top]] & 0xFFFFFFFF
            place[top] += 1
            if callee < low or status[callee - low] == 2:
                continue
            if status[callee - low] == 1:
                return True
            top += 1
            stack[top] = callee
            place[top] = 0
            status[callee - low] = 1
    return False


@njit(cache=True, nogil=True)
def finish_load(a, low, high, starts, spelled):
    """After all rules are in: trim, first bytes of the starts, simple ranges and fast states among local states low..high-1.

    Returns 0, or -1 with H_ERROR set if a rule can begin with a call of itself.
    """
    if begins_with_itself(a, low, high, starts):
        a[lay.H_ERROR] = lay.ERR_LEFT_RECURSION
        return np.int64(-1)
    trim(a, low, high, spelled)
    count_keys(a, low, high, spelled)
    changed = True
    while changed:
        changed = False
        for q in starts:
            p = lay.LS + q * lay.LS_WIDTH
            first = lay.FB + a[p + lay.L_FIRST]
            for i in range(a[p + lay.L_N_RANGES]):
                word = a[lay.RG + a[p + lay.L_RANGES] + 2 * i]
                for c in range(word & 255, ((word >> 8) & 255) + 1):
                    bit = np.int64(1) << (c & 31)
                    if not a[first + (c >> 5)] & bit:
                        a[first + (c >> 5)] |= bit
                        changed = True
            for i in range(a[p + lay.L_N_CALLS]):
                callee = a[lay.CL + a[p + lay.L_CALLS] + 2 * i] & 0xFFFFFFFF
                other = lay.FB + a[lay.LS + callee * lay.LS_WIDTH + lay.L_FIRST]
                for k in range(8):
                    if a[other + k] & ~a[first + k]:
                        a[first + k] |= a[other + k]
                        changed = True
    for q in range(low, high):
        p = lay.LS + q * lay.LS_WIDTH
        flags = a[p + lay.L_FLAGS]
        if flags & lay.FLAG_LAZY:
            continue
        for i in range(a[p + lay.L_N_RANGES]):
            at = lay.RG + a[p + lay.L_RANGES] + 2 * i
            target = a[at + 1] & 0xFFFFFFFF
            op = (a[at] >> 16) & 255
            ends = a[lay.LS + target * lay.LS_WIDTH + lay.L_FLAGS] & (lay.FLAG_END | lay.FLAG_GUARD)
            ends |= a[lay.LS + target * lay.LS_WIDTH + lay.L_WORDS] < lay.UNBOUNDED
            if (op == OP_NONE or op == OP_COUNT) and a[at + 1] >> 32 == 0 and not ends:
                a[at] |= np.int64(1) << lay.RG_SIMPLE_BIT
        pops = flags & (lay.FLAG_ACCEPT | lay.FLAG_ACCEPT_NO_NEED) and not flags & lay.FLAG_OUTERMOST
        if a[p + lay.L_N_CALLS] == 0 and not pops and not flags & lay.FLAG_OVERLAP:
            a[p + lay.L_FLAGS] = flags | lay.FLAG_FAST
    return np.int64(0)
