"""Where a walk works: entries, pop points and lists in scratch memory.

An entry has eight words: local state, need, room, key events, frame, least room, greatest need, chain.  Counters are relative to the unknown activation
(``-1 - k`` after k items) until the token sets one; what a relative counter would have to satisfy accumulates in the guard.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .. import layout as lay

WIDTH = 8
X_STATE = 0
X_NEED = 1
X_ROOM = 2
X_KEY = 3
X_FRAME = 4
X_MIN_ROOM = 5
X_MAX_NEED = 6
X_CHAIN = 7

KEY_NONE = 0
KEY_OPEN = 1
KEY_CLOSED = 2  # a key was closed earlier in the same token

# The walk works in scratch memory: lists that were grown and handed around as arrays cost more than the walk itself, because
# compiled code counts references.  Their lengths are words of scratch memory too.
N_POPS = lay.S + 250000
N_OPENS = lay.S + 250001
N_VERIFY = lay.S + 250002
N_GROUPS = lay.S + 250003
TABLE_SIZE = lay.S + 250004  # a power of two
LEXER = lay.S + 250005  # of the parser's state that the unknown stack begins with; -1 where it is not known
N_HITS = lay.S + 250006
N_DELTA = lay.S + 250007
POOL = lay.S + (1 << 20)  # entries of the walk, a stack of levels
POOL_CAP = 1 << 22
# Pop points: trie node, eager, least room, greatest need, chain, key, exit, room, frame.
POPS = POOL + POOL_CAP
POP_WIDTH = 9
POPS_CAP = 1 << 23
HITS = POPS + POPS_CAP  # group << HIT_SHIFT | token
HITS_CAP = 1 << 22
HIT_SHIFT = 23
HIT_TOKEN = (1 << HIT_SHIFT) - 1
GROUPS = HITS + HITS_CAP  # WIDTH words each
GROUPS_CAP = 1 << 22
TABLE = GROUPS + GROUPS_CAP  # hash table of the groups
TABLE_CAP = 1 << 21
FIRSTS = TABLE + TABLE_CAP  # hash table of the pop points' guards
FIRSTS_CAP = 1 << 22
OPENS = FIRSTS + FIRSTS_CAP
VERIFY = OPENS + (1 << 20)
DELTA = VERIFY + (1 << 20)  # ranges of trie nodes
LIST_CAP = 1 << 20
SORTED_POPS = DELTA + LIST_CAP
CLASS_BEGINS = SORTED_POPS + POPS_CAP // POP_WIDTH + 1
MAX_LEVEL_ENTRIES = 8192  # distinct ways to read one token; beyond a few hundred only in very ambiguous grammars


@njit(cache=True, nogil=True)
def add_entry(a, begin, end, q, need, room, key, frame, min_room, max_need, chain):
    """Append an entry to the level begin..end unless it is there; returns the new end, or -1."""
    for i in range(begin, end):
        p = POOL + i * WIDTH
        if (
            a[p] == q
            and a[p + 4] == frame
            and a[p + 1] == need
            and a[p + 2] == room
            and a[p + 3] == key
            and a[p + 5] == min_room
            and a[p + 6] == max_need
            and a[p + 7] == chain
        ):
            return end
    if end - begin >= MAX_LEVEL_ENTRIES or (end + 1) * WIDTH > POOL_CAP:
        a[lay.H_ERROR] = lay.ERR_ENTRIES
        return np.int64(-1)
    p = POOL + end * WIDTH
    a[p] = q
    a[p + 1] = need
    a[p + 2] = room
    a[p + 3] = key
    a[p + 4] = frame
    a[p + 5] = min_room
    a[p + 6] = max_need
    a[p + 7] = chain
    return end + 1


@njit(cache=True, nogil=True)
def add_pop(a, node, eager, min_room, max_need, chain, key, exit_, room, frame):
    """Append a pop point unless it is there; returns 0, or -1 with H_ERROR set."""
    n = a[N_POPS]
    p = POPS + POP_WIDTH * n
    for _ in range(min(n, 64)):
        p -= POP_WIDTH
        if a[p] != node:
            break
        if (
            a[p + 1] == eager
            and a[p + 2] == min_room
            and a[p + 3] == max_need
            and a[p + 4] == chain
            and a[p + 5] == key
            and a[p + 6] == exit_
            and a[p + 7] == room
            and a[p + 8] == frame
        ):
            return np.int64(0)
    if POP_WIDTH * (n + 1) > POPS_CAP:
        a[lay.H_ERROR] = lay.ERR_SCRATCH
        return np.int64(-1)
    p = POPS + POP_WIDTH * n
    a[p] = node
    a[p + 1] = eager
    a[p + 2] = min_room
    a[p + 3] = max_need
    a[p + 4] = chain
    a[p + 5] = key
    a[p + 6] = exit_
    a[p + 7] = room
    a[p + 8] = frame
    a[N_POPS] = n + 1
    return np.int64(0)


@njit(cache=True, nogil=True)
def add_usual_pop(a, node, eager, min_room, max_need, chain, key):
    """A pop point at which an activation ends as usual."""
    return add_pop(
        a, node, eager, min_room, max_need, chain, key, np.int64(-1), np.int64(0), np.int64(lay.FRAME_UNKNOWN)
    )


@njit(cache=True, nogil=True)
def add_exit(a, node, p, exit_, room, frame):
    """A pop point at which the scanner's state of the entry at p is left."""
    return add_pop(a, node, 0, a[p + X_MIN_ROOM], a[p + X_MAX_NEED], a[p + X_CHAIN], a[p + X_KEY], exit_, room, frame)


@njit(cache=True, nogil=True)
def append(a, count, first, value):
    """Append a word to the list at ``first`` whose length lies at ``count``; returns 0, or -1 with H_ERROR set."""
    n = a[count]
    if n >= LIST_CAP:
        a[lay.H_ERROR] = lay.ERR_SCRATCH
        return np.int64(-1)
    a[first + n] = value
    a[count] = n + 1
    return np.int64(0)


@njit(cache=True, nogil=True)
def add_range(a, n_delta, first, end):
    """Append a range of trie nodes to DELTA; returns the new count, or -1 with H_ERROR set."""
    if n_delta < 0 or 2 * (n_delta + 1) > LIST_CAP:
        a[lay.H_ERROR] = lay.ERR_SCRATCH
        return np.int64(-1)
    a[DELTA + 2 * n_delta] = first
    a[DELTA + 2 * n_delta + 1] = end
    return n_delta + 1
