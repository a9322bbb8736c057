"""Rows kept: the mask of a scanner's state hangs on it and on the top of the parser's stack, as far down as the fill looked.

A fill notes how many frames of the state's own stack it looked at; what it found is kept in a decision tree whose nodes are asked for one symbol
after the other, from the top.  Which symbol is asked for next hangs on those before it alone, so a path of the tree never needs more than its own fill
looked at.  Equal rows are kept once.

``WR`` holds two words a row: offset in R, and how many tokens are listed there (-1: a packed row).  The tree's edges lie in ``MM``: (node, symbol) ->
``2 * node`` or ``2 * row + 1``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay
from .arena import take
from .heap import HASH_MASK, n_links
from .memo import TAG_CONTENT, TAG_ROOT, TAG_ROW, keep, memo
from .parser import LOOKED, MOST_OWN, N_OWN, OWN

LIST_SHARE = 4  # a row with fewer than words / 4 tokens is kept as a list: quicker to OR, and smaller


@njit(cache=True, nogil=True)
def begin_look(a, frame):
    """Note a state's frames before its fill, as far as each has one link."""
    a[LOOKED] = 0
    n = 0
    while n < MOST_OWN and frame > lay.FRAME_UNKNOWN and n_links(a, frame) == 1:
        a[OWN + n] = frame
        n += 1
        frame = a[lay.HP + frame + lay.HEADER + 4]
    a[N_OWN] = n


@njit(cache=True, nogil=True)
def kept_row(a, q, frame):
    """The row kept for a scanner's state on a stack, or -1."""
    p = memo(a, TAG_ROOT, q, 0, 0)
    while a[p] != 0:
        value = a[p + 2]
        if value & 1:
            return value >> 1
        if frame <= lay.FRAME_UNKNOWN or n_links(a, frame) != 1:
            break
        p = memo(a, TAG_ROW, value >> 1, a[lay.HP + frame + lay.HEADER], 0)
        frame = a[lay.HP + frame + lay.HEADER + 4]
    return np.int64(-1)


@njit(cache=True, nogil=True)
def keep_row(a, r, q, frame, out):
    """Keep what a fill found; 0, or -1 with H_ERROR set.  What cannot be kept (more frames, or several links) is not."""
    looked = a[LOOKED]
    if looked > a[N_OWN]:
        return np.int64(0)
    row = row_of(a, r, out)
    if row < 0:
        return row
    p = memo(a, TAG_ROOT, q, 0, 0)
    tag = TAG_ROOT
    node = q
    symbol = np.int64(0)
    for i in range(looked):
        if a[p] == 0:
            a[lay.H_NODES] += 1
            if keep(a, tag, node, symbol, 0, 2 * a[lay.H_NODES]) < 0:
                return np.int64(-1)
            p = memo(a, tag, node, symbol, 0)
        node = a[p + 2] >> 1
        tag = TAG_ROW
        symbol = a[lay.HP + a[OWN + i] + lay.HEADER]
        p = memo(a, tag, node, symbol, 0)
    if a[p] == 0 and keep(a, tag, node, symbol, 0, 2 * row + 1) < 0:
        return np.int64(-1)
    return np.int64(0)


@njit(cache=True, nogil=True)
def row_of(a, r, out):
    """The number of a row of this content, made if need be; -1 with H_ERROR set."""
    words = a[lay.H_WORDS]
    h = np.int64(17)
    count = np.int64(0)
    for i in range(words):
        word = np.int64(out[i])
        if word != 0:
            h = (h * 0x5BD1E995 + word + i) & HASH_MASK
            h ^= h >> 15
            while word != 0:
                word &= word - 1
                count += 1
    turn = np.int64(0)
    while True:  # rows of one hash are told apart by a number
        p = memo(a, TAG_CONTENT, h, count, turn)
        if a[p] == 0:
            break
        if same_row(a, r, a[p + 2], out):
            return a[p + 2]
        turn += 1
    at = take(a, lay.H_WR, 2, lay.CAP_WR)
    listed = count * LIST_SHARE < words
    tokens = take(a, lay.H_R, count if listed else words, lay.WORDS_R)
    if at < 0 or tokens < 0:
        return np.int64(-1)
    a[lay.WR + at] = tokens
    a[lay.WR + at + 1] = count if listed else np.int64(-1)
    n = tokens
    for i in range(words):
        if not listed:
            r[tokens + i] = out[i]
            continue
        word = np.int64(out[i])
        bit = np.int64(0)
        while word != 0:
            if word & 1:
                r[n] = np.uint32(32 * i + bit)
                n += 1
            word >>= 1
            bit += 1
    return keep(a, TAG_CONTENT, h, count, turn, at // 2)


@njit(cache=True, nogil=True)
def same_row(a, r, row, out):
    """Whether a kept row with as many tokens has this content."""
    tokens = a[lay.WR + 2 * row]
    n = a[lay.WR + 2 * row + 1]
    if n < 0:
        for i in range(a[lay.H_WORDS]):
            if r[tokens + i] != out[i]:
                return False
        return True
    for i in range(tokens, tokens + n):
        if not (out[r[i] >> np.uint32(5)] >> (r[i] & np.uint32(31))) & np.uint32(1):
            return False
    return True


@njit(cache=True, nogil=True)
def copy_row(a, r, row, out):
    """Write a kept row."""
    tokens = a[lay.WR + 2 * row]
    n = a[lay.WR + 2 * row + 1]
    words = a[lay.H_WORDS]
    if n < 0:
        for i in range(words):
            out[i] = r[tokens + i]
        return
    for i in range(words):
        out[i] = np.uint32(0)
    for i in range(tokens, tokens + n):
        out[r[i] >> np.uint32(5)] |= np.uint32(1) << (r[i] & np.uint32(31))
