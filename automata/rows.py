"""Rows kept, and parts of rows: what a mask of a parser's state was put together from, by the top of the parser's stack.

A mask hangs on the scanner's state, and on the stack only as far down as the fill looked.  So does what the tokens do behind an exit: the part of a mask
that a node of effects and its children give above a stack.  A fill notes the lowest frame that it looked at, and what it found is kept in a decision
tree whose nodes are asked for one symbol after the other, from the top.  So a mask above a new stack takes one look-up behind each exit of a lexeme
that the stack takes, since what follows an opening bracket hangs on the symbols above it alone.

Heights of frames are counted from that of the state; a symbol is looked at from the top, so the lowest height tells how many were.

``WR`` holds ``WR_WIDTH`` words a row: offset in R, how many tokens are listed there, and how many *pieces* follow them: longer lists and packed rows of
effects, by reference, each an offset in R and a length or ``PACKED``.  So a row takes hundreds of words where its bits would take thousands, and its wide
pieces are those of other rows.  The fourth word is the offset of its bits, where putting it together would take longer than copying those, else -1.
Rows of one way to gather them are kept once.  The tree's edges lie in ``MM``:
(node, symbol) -> ``2 * node`` or ``2 * row + 1``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay
from .arena import take
from .heap import HASH_MASK, n_links
from .memo import MM_MOST, TAG_CONTENT, TAG_ROW, keep, memo
from .parser import note_look

MOST_ASKED = 64  # symbols of a path of the tree
MOST_KEPT = MM_MOST * 3 // 4  # of MM; what is left is for what parsers cannot do without
WR_WIDTH = lay.WR_WIDTH
PACKED = 0xFFFFFFFF
SHORT = 32  # tokens that are copied sooner than referred to
PACKED_COST = 500  # tokens that are set in the time that takes to OR a packed row
WIDE = 3000  # a row that costs as many tokens, 2 to 3 us, is packed

# What a fill gathers: tokens, then pieces of two words.
N_TOKENS = lay.S + 265010
N_PIECES = lay.S + 265011
TOKENS = lay.S + 41_000_000
MOST_TOKENS = 1 << 18
PIECES = TOKENS + MOST_TOKENS
MOST_PIECES = 1 << 16


@njit(cache=True, nogil=True)
def kept_row(a, tag, x, room, frame, height):
    """The row or part of one kept for a scanner's state or a node (``tag``, x) on a stack, or -1; notes what was looked at."""
    p = memo(a, tag, x, room, 0)
    asked = np.int64(0)
    while a[p] != 0:
        value = a[p + 2]
        if value & 1:
            if asked > 0:
                note_look(a, height - asked + 1)
            return value >> 1
        if frame <= lay.FRAME_UNKNOWN or n_links(a, frame) != 1:
            break
        p = memo(a, TAG_ROW, value >> 1, a[lay.HP + frame + lay.HEADER], 0)
        frame = a[lay.HP + frame + lay.HEADER + 4]
        asked += 1
    return np.int64(-1)


@njit(cache=True, nogil=True)
def can_keep(a, frame, looked):
    """Whether a row can be kept under the first symbols of a stack: there are not too many, and none is one of several."""
    if looked > MOST_ASKED or a[lay.H_MM] > MOST_KEPT:
        return False
    if a[lay.H_WR] + WR_WIDTH > lay.CAP_WR or a[lay.H_R] > lay.WORDS_R // 4 * 3:
        return False
    for _ in range(looked):
        if frame <= lay.FRAME_UNKNOWN or n_links(a, frame) != 1:
            return False
        frame = a[lay.HP + frame + lay.HEADER + 4]
    return True


@njit(cache=True, nogil=True)
def keep_row(a, tag, x, room, frame, looked, row):
    """Keep a row under the first ``looked`` symbols of a stack for which ``can_keep`` holds; 0, or -1 with H_ERROR set.

    Another fill may have looked further below the same symbols, since it knew less beforehand; then so does this one.
    """
    p = memo(a, tag, x, room, 0)
    y = room
    for i in range(MOST_ASKED):
        if a[p] != 0 and a[p + 2] & 1:
            return np.int64(0)
        if i >= looked and (a[p] == 0 or frame <= lay.FRAME_UNKNOWN or n_links(a, frame) != 1):
            if a[p] == 0 and keep(a, tag, x, y, 0, 2 * row + 1) < 0:
                return np.int64(-1)
            return np.int64(0)
        if a[p] == 0:
            a[lay.H_NODES] += 1
            if keep(a, tag, x, y, 0, 2 * a[lay.H_NODES]) < 0:
                return np.int64(-1)
            x = a[lay.H_NODES]
        else:
            x = a[p + 2] >> 1
        tag = np.int64(TAG_ROW)
        y = a[lay.HP + frame + lay.HEADER]
        frame = a[lay.HP + frame + lay.HEADER + 4]
        p = memo(a, tag, x, y, 0)
    return np.int64(0)


@njit(cache=True, nogil=True)
def gather_tokens(a, r, at, n):
    """Gather n tokens listed in R; False where there is no more room for them."""
    if n <= SHORT:
        first = a[N_TOKENS]
        if first + n > MOST_TOKENS:
            return False
        for i in range(n):
            a[TOKENS + first + i] = r[at + i]
        a[N_TOKENS] = first + n
        return True
    return gather_piece(a, at, n)


@njit(cache=True, nogil=True)
def gather_piece(a, at, n):
    """Gather a piece; False where there is no more room for it."""
    k = a[N_PIECES]
    if k >= MOST_PIECES:
        return False
    a[PIECES + 2 * k] = at
    a[PIECES + 2 * k + 1] = n
    a[N_PIECES] = k + 1
    return True


@njit(cache=True, nogil=True)
def gather_part(a, r, row):
    """Gather what is kept of a part of a row; False where there is no more room for it."""
    w = lay.WR + WR_WIDTH * row
    at = a[w]
    n = a[w + 1]
    if n > 0 and not gather_tokens(a, r, at, n):
        return False
    at += n
    for i in range(a[w + 2]):
        if not gather_piece(a, np.int64(r[at + 2 * i]), np.int64(r[at + 2 * i + 1])):
            return False
    return True


@njit(cache=True, nogil=True)
def write_gathered(a, r, out, clean):
    """OR what was gathered into out, which is all zero where ``clean`` says so; returns clean after."""
    words = a[lay.H_WORDS]
    for k in range(a[N_PIECES]):
        at = a[PIECES + 2 * k]
        n = a[PIECES + 2 * k + 1]
        if n != PACKED:
            or_tokens(r, at, n, out)
        elif clean:
            for i in range(words):
                out[i] = r[at + i]
        else:
            for i in range(words):
                out[i] |= r[at + i]
        clean = False
    for i in range(a[N_TOKENS]):
        token = a[TOKENS + i]
        out[token >> 5] |= np.uint32(1) << np.uint32(token & 31)
    return clean and a[N_TOKENS] == 0


@njit(cache=True, nogil=True)
def part_of(a, r, first_token, first_piece):
    """The number of a row that is what was gathered from some token and piece on, made if need be; -1 with H_ERROR set."""
    n = a[N_TOKENS] - first_token
    n_pieces = a[N_PIECES] - first_piece
    h = np.int64(23)
    for i in range(first_token, first_token + n):
        h = (h * 0x5BD1E995 + a[TOKENS + i]) & HASH_MASK
        h ^= h >> 15
    for i in range(2 * first_piece, 2 * (first_piece + n_pieces)):
        h = (h * 0x5BD1E995 + a[PIECES + i]) & HASH_MASK
        h ^= h >> 15
    size = n + 2 * n_pieces
    turn = np.int64(0)
    while True:  # rows of one hash are told apart by a number
        p = memo(a, TAG_CONTENT, h, size, turn)
        if a[p] == 0:
            break
        w = lay.WR + WR_WIDTH * a[p + 2]
        same = a[w + 1] == n and a[w + 2] == n_pieces
        if same:
            for i in range(n):
                if np.int64(r[a[w] + i]) != a[TOKENS + first_token + i]:
                    same = False
                    break
        if same:
            for i in range(2 * n_pieces):
                if np.int64(r[a[w] + n + i]) != a[PIECES + 2 * first_piece + i]:
                    same = False
                    break
        if same:
            return a[p + 2]
        turn += 1
    at = take(a, lay.H_WR, WR_WIDTH, lay.CAP_WR)
    where = take(a, lay.H_R, size, lay.WORDS_R)
    if at < 0 or where < 0:
        return np.int64(-1)
    w = lay.WR + at
    a[w] = where
    a[w + 1] = n
    a[w + 2] = n_pieces
    a[w + 3] = -1
    for i in range(n):
        r[where + i] = np.uint32(a[TOKENS + first_token + i])
    for i in range(2 * n_pieces):
        r[where + n + i] = np.uint32(a[PIECES + 2 * first_piece + i])
    return keep(a, TAG_CONTENT, h, size, turn, at // WR_WIDTH)


@njit(cache=True, nogil=True)
def pack_wide(a, r, row, out):
    """Keep the bits of a row, which are those of out, if that is wide; 0, or -1 with H_ERROR set."""
    w = lay.WR + WR_WIDTH * row
    if a[w + 3] >= 0:
        return np.int64(0)
    pieces = a[w] + a[w + 1]
    cost = a[w + 1]
    for k in range(pieces, pieces + 2 * a[w + 2], 2):
        cost += PACKED_COST if r[k + 1] == PACKED else np.int64(r[k + 1])
    if cost < WIDE:
        return np.int64(0)
    words = a[lay.H_WORDS]
    bits = take(a, lay.H_R, words, lay.WORDS_R)
    if bits < 0:
        return bits
    for i in range(words):
        r[bits + i] = out[i]
    a[w + 3] = bits
    return np.int64(0)


@njit(cache=True, nogil=True)
def copy_row(a, r, row, out):
    """Write a kept row."""
    w = lay.WR + WR_WIDTH * row
    at = a[w]
    pieces = at + a[w + 1]
    end = pieces + 2 * a[w + 2]
    words = a[lay.H_WORDS]
    if a[w + 3] >= 0:
        bits = a[w + 3]
        for i in range(words):
            out[i] = r[bits + i]
        return
    clean = True
    for k in range(pieces, end, 2):
        if r[k + 1] == PACKED:
            piece = np.int64(r[k])
            if clean:
                for i in range(words):
                    out[i] = r[piece + i]
            else:
                for i in range(words):
                    out[i] |= r[piece + i]
            clean = False
    if clean:
        for i in range(words):
            out[i] = np.uint32(0)
    for k in range(pieces, end, 2):
        if r[k + 1] != PACKED:
            or_tokens(r, np.int64(r[k]), np.int64(r[k + 1]), out)
    or_tokens(r, at, a[w + 1], out)


@njit(cache=True, nogil=True)
def or_tokens(r, at, n, out):
    """OR n tokens listed in R into out."""
    for i in range(at, at + n):
        out[r[i] >> np.uint32(5)] |= np.uint32(1) << (r[i] & np.uint32(31))
