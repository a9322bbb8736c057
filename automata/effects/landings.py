"""The effects of a walk: one for each landing, and which tokens have it."""

from __future__ import annotations

import numpy as np
from numba import njit

from .. import layout as lay
from .scratch import GROUPS, GROUPS_CAP, HIT_SHIFT, HITS, HITS_CAP, N_GROUPS, TABLE, TABLE_SIZE, WIDTH


@njit(cache=True, nogil=True)
def slot_of(a, p):
    """Where the hash table holds the effect with the landing at p, or would."""
    h = np.int64(7)
    for k in range(WIDTH):
        h = (h * 0x5BD1E995 + (a[p + k] & 0x7FFFFFFF)) & 0x7FFFFFFF
        h ^= h >> 15
    last = a[TABLE_SIZE] - 1
    h &= last
    while a[TABLE + h] >= 0:
        o = GROUPS + a[TABLE + h] * WIDTH
        same = True
        for k in range(WIDTH):
            if a[o + k] != a[p + k]:
                same = False
                break
        if same:
            break
        h = (h + 1) & last
    return h


@njit(cache=True, nogil=True)
def clear_table(a, size):
    """Empty the hash table of the effects."""
    a[TABLE_SIZE] = size
    for h in range(size):
        a[TABLE + h] = -1


@njit(cache=True, nogil=True)
def group_of(a, p):
    """The number of the effect with the landing at p, made if need be; -1 with H_ERROR set."""
    h = slot_of(a, p)
    if a[TABLE + h] >= 0:
        return a[TABLE + h]
    g = a[N_GROUPS]
    if (g + 1) * WIDTH > GROUPS_CAP:
        a[lay.H_ERROR] = lay.ERR_SCRATCH
        return np.int64(-1)
    for k in range(WIDTH):
        a[GROUPS + g * WIDTH + k] = a[p + k]
    a[TABLE + h] = g
    a[N_GROUPS] = g + 1
    if 2 * (g + 1) > a[TABLE_SIZE]:
        clear_table(a, 2 * a[TABLE_SIZE])
        for i in range(g + 1):
            a[TABLE + slot_of(a, GROUPS + i * WIDTH)] = i
    return g


@njit(cache=True, nogil=True)
def landing_of(a, recent, d, p):
    """The number of the effect with the landing at p; -1 with H_ERROR set.

    ``recent`` holds the effect found last at each depth of the walk: counts differ by depth, and little else does.
    """
    g = recent[d]
    same = g >= 0
    if same:
        o = GROUPS + g * WIDTH
        for k in range(WIDTH):
            if a[o + k] != a[p + k]:
                same = False
                break
    if not same:
        g = group_of(a, p)
        recent[d] = g
    return g


@njit(cache=True, nogil=True)
def add_hits(a, n_hits, g, token):
    """Note that a token, and those of the same text, have effect g; returns the new count of hits, or -1 with H_ERROR set."""
    next_same = lay.TR + a[lay.H_TRIE]
    while token >= 0:
        if n_hits >= HITS_CAP:
            a[lay.H_ERROR] = lay.ERR_SCRATCH
            return np.int64(-1)
        a[HITS + n_hits] = g << HIT_SHIFT | token
        n_hits += 1
        token = a[next_same + token]
    return n_hits
