"""MM, the hash table in which parsers keep what they worked out; see *Parsers* in ``layout``."""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay

TAG_BACK = 1  # exit, symbol -> local state
TAG_PUSH = 2  # local state that names one of the table, local state -> push state
TAG_EXIT = 3  # exit of the same terminal and part, symbols to pop, nonterminal -> exit
TAG_ROOT = 4  # scanner's state, room -> node of the tree of kept rows, see ``rows``
TAG_ROW = 5  # node, symbol -> node or row
TAG_CONTENT = 6  # hash of a row, its length, a number -> row
TAG_MARK = 7  # state of the table, column -> local state that names both
TAG_SETTLED = 8  # exit, column opened + 1, columns closed -> exit
TAG_POINTS = 9  # hash of trie nodes, how many, a number -> first pop point at them
TAG_NODE = 10  # node of effects -> node of the tree of kept parts of rows
MM_WIDTH = 4
FIRST_SLOTS = 1 << 10
MOST_SLOTS = lay.CAP_MM // MM_WIDTH
MM_MOST = MOST_SLOTS * 3 // 4
MOVED = lay.S + 43_000_000  # the entries while the table grows


@njit(cache=True, nogil=True)
def memo(a, tag, x, y, z):
    """Where MM holds the entry, or would: its key's first word is 0 then."""
    return slot(a, tag | x << 4, y | z << 32)


@njit(cache=True, nogil=True)
def slot(a, k0, k1):
    """The place of a key of two words."""
    last = a[lay.H_MM_SIZE] - 1
    h = (k0 & 0x7FFFFFFF) * 0x5BD1E995 + (k0 >> 31) * 0x1B873593
    h = (h & 0xFFFFFFFFFFFF) + (k1 & 0x7FFFFFFF) * 0x2C1B3C6D + (k1 >> 32) * 0x7A3D
    h = (h ^ (h >> 27) ^ (h >> 13)) & last
    p = lay.MM + MM_WIDTH * h
    while a[p] != 0 and (a[p] != k0 or a[p + 1] != k1):
        h = (h + 1) & last
        p = lay.MM + MM_WIDTH * h
    return p


@njit(cache=True, nogil=True)
def keep(a, tag, x, y, z, value):
    """Put an entry in MM, which may move the others; returns the value, or -1 with H_ERROR set."""
    if a[lay.H_MM] >= MM_MOST:
        a[lay.H_ERROR] = lay.ERR_TABLE
        return np.int64(-1)
    if 2 * a[lay.H_MM] >= a[lay.H_MM_SIZE] and a[lay.H_MM_SIZE] < MOST_SLOTS:
        grow(a)
    p = memo(a, tag, x, y, z)
    if a[p] == 0:
        a[lay.H_MM] += 1
        a[p] = tag | x << 4
        a[p + 1] = y | z << 32
    a[p + 2] = value
    return value


@njit(cache=True, nogil=True)
def grow(a):
    """Double the number of slots."""
    words = a[lay.H_MM_SIZE] * MM_WIDTH
    n = np.int64(0)
    for p in range(lay.MM, lay.MM + words, MM_WIDTH):
        if a[p] != 0:
            for i in range(MM_WIDTH):
                a[MOVED + n + i] = a[p + i]
                a[p + i] = 0
            n += MM_WIDTH
    a[lay.H_MM_SIZE] *= 2
    for o in range(MOVED, MOVED + n, MM_WIDTH):
        p = slot(a, a[o], a[o + 1])
        for i in range(MM_WIDTH):
            a[p + i] = a[o + i]
