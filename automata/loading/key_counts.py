"""How many keys can still be read from a state; see *Keys that run out* in ``layout``."""

from __future__ import annotations

import numpy as np
from numba import njit

from ...grammar.ir import OP_KEY_CLOSE, OP_KEY_DROP, OP_KEY_OPEN
from .. import layout as lay


@njit(cache=True, nogil=True)
def count_keys(a, low, high, spelled):
    """Set WORDS of the states inside and before keys; see *Keys that run out* in ``layout``."""
    status = np.zeros(high - low, np.int8)  # 1 on the stack, 2 done
    stack = np.empty(high - low + 1, np.int64)
    place = np.empty(high - low + 1, np.int64)
    n_opened = 0
    for q in range(low, high):
        p = lay.LS + q * lay.LS_WIDTH
        for i in range(a[p + lay.L_N_RANGES]):
            at = lay.RG + a[p + lay.L_RANGES] + 2 * i
            if (a[at] >> 16) & 255 != OP_KEY_OPEN:
                continue
            n_opened += 1
            opened = a[at + 1] & 0xFFFFFFFF
            if status[opened - low] == 0:
                count_words(a, low, opened, spelled, status, stack, place)
    if n_opened == 0:
        return
    # states from which nothing but the same key start can be reached: the greatest fixpoint, since white space may loop
    start_of = np.zeros(high - low, np.int64)  # 0 not known yet, -1 none
    for q in range(low, high):
        p = lay.LS + q * lay.LS_WIDTH
        if status[q - low] != 0 or a[p + lay.L_FLAGS] & (lay.FLAG_ACCEPT | lay.FLAG_ACCEPT_NO_NEED):
            start_of[q - low] = -1
    changed = True
    while changed:
        changed = False
        for q in range(high - 1, low - 1, -1):
            start = start_of[q - low]
            if start < 0:
                continue
            p = lay.LS + q * lay.LS_WIDTH
            for i in range(a[p + lay.L_N_RANGES]):
                at = lay.RG + a[p + lay.L_RANGES] + 2 * i
                target = a[at + 1] & 0xFFFFFFFF
                if a[at + 1] >> 32 != 0 or target < low:
                    start = np.int64(-1)
                    break
                following = target if (a[at] >> 16) & 255 == OP_KEY_OPEN else start_of[target - low]
                if following == 0:
                    continue
                if following < 0 or (start > 0 and start != following):
                    start = np.int64(-1)
                    break
                start = following
            for i in range(a[p + lay.L_N_CALLS]):
                if start < 0:
                    break
                symbol = (a[lay.CL + a[p + lay.L_CALLS] + 2 * i] >> 32) - 1
                following = start_of[(symbol >> 1) - low] if symbol >= 0 else np.int64(-1)
                if following != 0:
                    start = following if start == 0 or start == following else np.int64(-1)
            if start != start_of[q - low]:
                start_of[q - low] = start
                changed = True
    for q in range(low, high):
        if start_of[q - low] > 0:
            if a[lay.LS + start_of[q - low] * lay.LS_WIDTH + lay.L_WORDS] < lay.UNBOUNDED:
                a[lay.LS + q * lay.LS_WIDTH + lay.L_WORDS] = -start_of[q - low]


@njit(cache=True, nogil=True)
def count_words(a, low, opened, spelled, status, stack, place):
    """Set WORDS of a key's start and of all states inside the key: sums over an acyclic graph, unbounded over a cycle."""
    stack[0] = opened
    place[0] = 0
    status[opened - low] = 1
    top = 0
    while top >= 0:
        q = stack[top]
        p = lay.LS + q * lay.LS_WIDTH
        i = place[top]
        if i < a[p + lay.L_N_RANGES]:
            place[top] = i + 1
            at = lay.RG + a[p + lay.L_RANGES] + 2 * i
            op = (a[at] >> 16) & 255
            target = a[at + 1] & 0xFFFFFFFF
            if op != OP_KEY_CLOSE and op != OP_KEY_DROP and a[at + 1] >> 32 == 0 and status[target - low] == 0:
                top += 1
                stack[top] = target
                place[top] = 0
                status[target - low] = 1
            continue
        total = np.int64(0)
        if a[p + lay.L_N_CALLS] != 0 or a[p + lay.L_FLAGS] & (lay.FLAG_ACCEPT | lay.FLAG_ACCEPT_NO_NEED):
            total = np.int64(lay.UNBOUNDED)
        for i in range(a[p + lay.L_N_RANGES]):
            at = lay.RG + a[p + lay.L_RANGES] + 2 * i
            op = (a[at] >> 16) & 255
            target = a[at + 1] & 0xFFFFFFFF
            words = np.int64(1)
            if op == OP_KEY_CLOSE:
                pass
            elif op == OP_KEY_DROP or a[at + 1] >> 32 != 0 or status[target - low] == 1:
                words = np.int64(lay.UNBOUNDED)
            else:
                words = a[lay.LS + target * lay.LS_WIDTH + lay.L_WORDS]
            for c in range(a[at] & 255, ((a[at] >> 8) & 255) + 1):
                if spelled[c]:
                    total = min(total + words, np.int64(lay.UNBOUNDED))
        a[p + lay.L_WORDS] = total
        status[q - low] = 2
        top -= 1
