"""The path of a fill: effect nodes from an entry's local state down its real frames, with the counters that their guards ask for."""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay
from .memo import TAG_NODE
from .parser import LOW, UNSEEN
from .rows import N_PIECES, N_TOKENS, can_keep, keep_row, part_of

MAX_PATH = 256
PATH = lay.S + 131072  # the path, P_WIDTH words a level
P_WIDTH = 14
P_NODE = 0
P_NEED = 1
P_ROOM = 2
P_FRAME = 3
P_LINK = 4  # the next link of the frame, or landing of the class; -1 before the node's own tokens are taken
P_REGISTER = 5
P_CLASS = 6
P_LANDED = 7  # what the class leads to: first, how many
P_N_LANDED = 8
P_HEIGHT = 9  # of the frame
P_LOW = 10  # lowest height looked at before this level
P_TOKENS = 11  # what was gathered before this level
P_PIECES = 12
P_KEEPS = 13  # 1 where what is gathered from here on is the level's part of the row, and nothing else


@njit(cache=True, nogil=True)
def chain_holds(a, pop, depth):
    """Whether the guards of the activations popped before level ``depth`` hold."""
    level = depth - 1
    while pop >= 0 and level >= 0:
        p = PATH + level * P_WIDTH
        o = lay.PP + pop * lay.PP_WIDTH
        if a[p + 2] < a[o + lay.P_MIN_ROOM] or a[p + 1] > a[o + lay.P_MAX_NEED]:
            return False
        pop = a[o + lay.P_CHAIN]
        level -= 1
    return True


@njit(cache=True, nogil=True)
def path_is_open(a, depth):
    """Whether no guard of the levels 0..depth can fail with the counters at hand."""
    for level in range(depth + 1):
        p = PATH + level * P_WIDTH
        e = lay.EF + a[p] * lay.EF_WIDTH
        if a[p + 2] < a[e + lay.E_MAX_ROOM] or a[p + 1] > a[e + lay.E_MIN_NEED]:
            return False
    return True


@njit(cache=True, nogil=True)
def keep_nothing(a, depth):
    """Note that what is gathered at the levels 0..depth is not all that they give."""
    for level in range(depth + 1):
        a[PATH + level * P_WIDTH + P_KEEPS] = 0


@njit(cache=True, nogil=True)
def enter_level(a, depth, node, need, room, frame, height, register):
    """Begin a level of the path."""
    p = PATH + depth * P_WIDTH
    a[p + P_NODE] = node
    a[p + P_NEED] = need
    a[p + P_ROOM] = room
    a[p + P_FRAME] = frame
    a[p + P_LINK] = -1
    a[p + P_REGISTER] = register
    a[p + P_HEIGHT] = height
    a[p + P_LOW] = a[LOW]
    a[p + P_TOKENS] = a[N_TOKENS]
    a[p + P_PIECES] = a[N_PIECES]
    a[p + P_KEEPS] = 1
    a[LOW] = UNSEEN


@njit(cache=True, nogil=True)
def leave_level(a, r, depth, gathers):
    """End a level of the path, and keep what it gave; returns 0, or -1 with H_ERROR set."""
    p = PATH + depth * P_WIDTH
    low = a[LOW]
    a[LOW] = min(low, a[p + P_LOW])
    if depth == 0 or not gathers or a[p + P_KEEPS] == 0:
        return np.int64(0)
    looked = max(a[p + P_HEIGHT] - low + 1, np.int64(0))
    if not can_keep(a, a[p + P_FRAME], looked):
        return np.int64(0)
    part = part_of(a, r, a[p + P_TOKENS], a[p + P_PIECES])
    if part < 0:
        return np.int64(-1)
    return keep_row(a, np.int64(TAG_NODE), a[p + P_NODE], np.int64(0), a[p + P_FRAME], looked, part)
