"""Runs that meet: raw entries become one entry per local state, counters and register, with a union of their frames.

A union holds links, and drops a link that another one is shown to include.  That test spends a budget, and what it shows is remembered.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay
from .heap import HASH_MASK, intern, intern_link, intern_pair, n_links

IN = lay.S + 64  # the configuration
RAW = lay.S + 16384  # moved, before union: ten words each
OUT = lay.S + 65536
LINKS = lay.S + 81920  # links of the union being made
SORTED = lay.S + 98304
MAX_RAW = 4096
MAX_UNION = 2048
INCLUSION_BUDGET = 24  # links looked at before an inclusion counts as not shown (research: enough for linear frames)


@njit(cache=True, nogil=True)
def included(a, scope, f, g, budget):
    """Whether every stack of f is shown to be one of g; spends budget (a[S+40])."""
    if f == g:
        return True
    if f == lay.FRAME_UNKNOWN or g == lay.FRAME_UNKNOWN:
        return False
    if f == lay.FRAME_EMPTY:
        if g == lay.FRAME_EMPTY:
            return True
        for j in range(n_links(a, g)):
            if a[lay.HP + g + lay.HEADER + j * lay.LINK] == lay.SYMBOL_EMPTY:
                return True
        return False
    if g == lay.FRAME_EMPTY:
        return False
    # An explicit stack of pairs still to be shown; a pair shown before is a record.
    base = lay.S + 48
    a[base] = f
    a[base + 1] = g
    top = 1
    while top > 0:
        top -= 1
        x = a[base + 2 * top]
        y = a[base + 2 * top + 1]
        if x == y:
            continue
        if x == lay.FRAME_EMPTY or y == lay.FRAME_EMPTY or x == lay.FRAME_UNKNOWN or y == lay.FRAME_UNKNOWN:
            return False
        if (x != f or y != g) and known_included(a, scope, x, y):
            continue
        for i in range(n_links(a, x)):
            budget -= 1
            if budget < 0:
                return False
            p = lay.HP + x + lay.HEADER + i * lay.LINK
            matched = False
            for j in range(n_links(a, y)):
                r = lay.HP + y + lay.HEADER + j * lay.LINK
                if a[p] == a[r] and a[p + 1] == a[r + 1] and a[p + 2] == a[r + 2] and a[p + 3] == a[r + 3]:
                    if a[p] == lay.SYMBOL_EMPTY or a[p + 4] == a[r + 4]:
                        matched = True
                        break
                    if a[p + 4] == lay.FRAME_EMPTY:
                        # "empty" is included in a union that says so.
                        parent = a[r + 4]
                        if parent > 1:
                            for k in range(n_links(a, parent)):
                                if a[lay.HP + parent + lay.HEADER + k * lay.LINK] == lay.SYMBOL_EMPTY:
                                    matched = True
                                    break
                        if matched:
                            break
                        continue
                    if top >= 7:
                        return False
                    a[base + 2 * top] = a[p + 4]
                    a[base + 2 * top + 1] = a[r + 4]
                    top += 1
                    matched = True
                    break
            if not matched:
                return False
    intern_pair(a, scope, lay.KIND_INCLUDED, f, g)
    return True


@njit(cache=True, nogil=True)
def known_included(a, scope, f, g):
    """Whether the inclusion was shown before."""
    from_hash = lay.S
    a[from_hash] = f
    a[from_hash + 1] = g
    h = hash_of_pair(a, scope)
    here = a[lay.BK + h % lay.CAP_BK]
    head = (2 + lay.HEADER) | (lay.KIND_INCLUDED << 32)
    while here != 0:
        p = lay.HP + here
        if a[p + 2] == h and a[p] == head and a[p + 3] == scope and a[p + 4] == f and a[p + 5] == g:
            return True
        here = a[p + 1]
    return False


@njit(cache=True, nogil=True)
def hash_of_pair(a, scope):
    """The hash that intern gives to the INCLUDED pair at S."""
    seed = lay.KIND_INCLUDED * 7919 + scope * 31
    h = seed & HASH_MASK
    for i in range(2):
        w = a[lay.S + i]
        h = (h * 0x5BD1E995 + (w & HASH_MASK)) & HASH_MASK
        h = ((h ^ (h >> 15)) + ((w >> 31) & HASH_MASK)) & HASH_MASK
    h = (h * 0x2C1B3C6D) & HASH_MASK
    return h ^ (h >> 13)


@njit(cache=True, nogil=True)
def put_raw(a, n, q, need, room, register, is_link, x0, x1, x2, x3, x4):
    """Append a moved entry; returns the new count, or -1 with H_ERROR set."""
    if n >= MAX_RAW:
        a[lay.H_ERROR] = lay.ERR_ENTRIES
        return np.int64(-1)
    p = RAW + n * 10
    a[p] = q
    a[p + 1] = need
    a[p + 2] = room
    a[p + 3] = register
    a[p + 4] = is_link
    a[p + 5] = x0
    a[p + 6] = x1
    a[p + 7] = x2
    a[p + 8] = x3
    a[p + 9] = x4
    return n + 1


@njit(cache=True, nogil=True)
def unite(a, scope, n_raw):
    """Unite the raw entries, one frame per (state, need, room, register); the result lies at IN."""
    if n_raw == 0:
        return np.int64(0)
    if n_raw == 1:
        for i in range(4):
            a[IN + i] = a[RAW + i]
        if a[RAW + 4] == 0:
            a[IN + 4] = a[RAW + 5]
        else:
            frame = intern_link(a, scope, a[RAW + 5], a[RAW + 6], a[RAW + 7], a[RAW + 8], a[RAW + 9])
            if frame < 0:
                return np.int64(-1)
            a[IN + 4] = frame
        return np.int64(1)
    n_out = 0
    for i in range(n_raw):
        p = RAW + i * 10
        if a[p + 4] < 0:
            continue
        if n_out >= lay.MAX_ENTRIES:
            a[lay.H_ERROR] = lay.ERR_ENTRIES
            return np.int64(-1)
        n_union = 0
        single = np.int64(-1)
        for j in range(i, n_raw):
            r = RAW + j * 10
            if a[r + 4] < 0 or a[r] != a[p] or a[r + 1] != a[p + 1] or a[r + 2] != a[p + 2] or a[r + 3] != a[p + 3]:
                continue
            if a[r + 4] == 0:
                frame = a[r + 5]
                if n_union == 0 and (single == -1 or single == frame):
                    single = frame
                    if j != i:
                        a[r + 4] = -1
                    continue
                if single >= 0:
                    n_union = add_links_of(a, n_union, single)
                    single = np.int64(-2)
                n_union = add_links_of(a, n_union, frame)
            else:
                if single >= 0:
                    n_union = add_links_of(a, n_union, single)
                single = np.int64(-2)
                n_union = add_link(a, n_union, a[r + 5], a[r + 6], a[r + 7], a[r + 8], a[r + 9])
            if n_union < 0:
                return np.int64(-1)
            if j != i:
                a[r + 4] = -1
        if single < 0:
            single = intern_union(a, scope, n_union)
            if single < 0:
                return np.int64(-1)
        o = OUT + n_out * lay.ENTRY
        for k in range(4):
            a[o + k] = a[p + k]
        a[o + 4] = single
        n_out += 1
    for i in range(n_out * lay.ENTRY):
        a[IN + i] = a[OUT + i]
    return np.int64(n_out)


@njit(cache=True, nogil=True)
def add_link(a, n, symbol, need, room, register, parent):
    """Append a link to the union being made, unless it is there."""
    for i in range(n):
        p = LINKS + i * lay.LINK
        if a[p] == symbol and a[p + 4] == parent and a[p + 1] == need and a[p + 2] == room and a[p + 3] == register:
            return n
    if n >= MAX_UNION:
        a[lay.H_ERROR] = lay.ERR_LINKS
        return -1
    p = LINKS + n * lay.LINK
    a[p] = symbol
    a[p + 1] = need
    a[p + 2] = room
    a[p + 3] = register
    a[p + 4] = parent
    return n + 1


@njit(cache=True, nogil=True)
def add_links_of(a, n, frame):
    """Append the links of a frame."""
    if n < 0:
        return n
    if frame == lay.FRAME_EMPTY:
        return add_link(a, n, lay.SYMBOL_EMPTY, 0, 0, 0, 0)
    for j in range(n_links(a, frame)):
        p = lay.HP + frame + lay.HEADER + j * lay.LINK
        n = add_link(a, n, a[p], a[p + 1], a[p + 2], a[p + 3], a[p + 4])
        if n < 0:
            return n
    return n


@njit(cache=True, nogil=True)
def intern_union(a, scope, n):
    """Intern the n links at LINKS, included ones dropped, in canonical order."""
    kept = 0
    for i in range(n):
        p = LINKS + i * lay.LINK
        dropped = False
        for j in range(n):
            r = LINKS + j * lay.LINK
            if (
                i != j
                and a[r] != -9
                and a[p] == a[r]
                and a[p + 1] == a[r + 1]
                and a[p + 2] == a[r + 2]
                and a[p + 3] == a[r + 3]
                and included(a, scope, a[p + 4], a[r + 4], INCLUSION_BUDGET)
            ):
                dropped = True
                break
        if dropped:
            a[p] = -9
        else:
            kept += 1
    if kept > lay.MAX_LINKS:
        a[lay.H_ERROR] = lay.ERR_LINKS
        return np.int64(-1)
    m = 0
    for i in range(n):  # insertion sort into SORTED
        p = LINKS + i * lay.LINK
        if a[p] == -9:
            continue
        at = m
        while at > 0:
            b = SORTED + (at - 1) * lay.LINK
            less = False
            for k in range(lay.LINK):
                if a[p + k] != a[b + k]:
                    less = a[p + k] < a[b + k]
                    break
            if not less:
                break
            for k in range(lay.LINK):
                a[b + lay.LINK + k] = a[b + k]
            at -= 1
        for k in range(lay.LINK):
            a[SORTED + at * lay.LINK + k] = a[p + k]
        m += 1
    if m == 1 and a[SORTED] == lay.SYMBOL_EMPTY:
        return np.int64(lay.FRAME_EMPTY)
    return intern(a, scope, lay.KIND_FRAME, SORTED, m * lay.LINK)
