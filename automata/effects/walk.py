"""The walk of the trie from a node's seeds, level by level."""

from __future__ import annotations

import numpy as np
from numba import njit

from ...grammar.ir import OP_COUNT, OP_NONE
from .. import layout as lay
from ..packed import expand
from ..states import range_of
from .landings import add_hits, landing_of
from .moves import close_level, move_entry
from .scratch import (
    KEY_CLOSED,
    KEY_NONE,
    N_DELTA,
    N_HITS,
    POOL,
    WIDTH,
    X_CHAIN,
    X_FRAME,
    X_KEY,
    X_MAX_NEED,
    X_MIN_ROOM,
    X_NEED,
    X_ROOM,
    add_range,
)


@njit(cache=True, nogil=True)
def shadow_reads(a, q, c):
    """Whether the string-body state that q is a shadow of can read the byte."""
    s = a[lay.LS + q * lay.LS_WIDTH + lay.L_SHADOW] - 1
    p = lay.LS + s * lay.LS_WIDTH
    for k in range(a[p + lay.L_N_RANGES]):
        word = a[lay.RG + a[p + lay.L_RANGES] + 2 * k]
        if (word & 255) <= c <= ((word >> 8) & 255):
            return True
    return False


@njit(cache=True, nogil=True)
def first_bytes(a, n, shadowed, wanted):
    """Mark the bytes that the n entries of the first level can read, or that the shadow of the first can."""
    for c in range(256):
        wanted[c] = False
    for e in range(n):
        q = a[POOL + e * WIDTH]
        if e == 0 and shadowed:
            q = a[lay.LS + q * lay.LS_WIDTH + lay.L_SHADOW] - 1
            p = lay.LS + q * lay.LS_WIDTH
            for k in range(a[p + lay.L_N_RANGES]):
                word = a[lay.RG + a[p + lay.L_RANGES] + 2 * k]
                for c in range(word & 255, ((word >> 8) & 255) + 1):
                    wanted[c] = True
            q = a[POOL + e * WIDTH]
        p = lay.LS + q * lay.LS_WIDTH
        for k in range(a[p + lay.L_N_RANGES]):
            word = a[lay.RG + a[p + lay.L_RANGES] + 2 * k]
            for c in range(word & 255, ((word >> 8) & 255) + 1):
                wanted[c] = True


@njit(cache=True, nogil=True)
def next_wanted(a, wanted, c):
    """The trie node of the next wanted first byte after c, or -1."""
    for b in range(c + 1, 256):
        if wanted[b] and a[lay.RC + b] >= 0:
            return a[lay.RC + b]
    return np.int64(-1)


@njit(cache=True, nogil=True)
def walk(a, parent, cls, symbol, state):
    """Walk the trie from the seeds of a node (see ``build``): what is found lies in scratch memory; returns 0, or -1 with H_ERROR set."""
    n_delta = np.int64(0)
    n_hits = np.int64(0)
    max_depth = a[lay.H_MAX_DEPTH]
    begins = np.empty(max_depth + 3, np.int64)
    ends = np.empty(max_depth + 3, np.int64)
    in_delta = np.empty(max_depth + 3, np.bool_)
    recent = np.full(max_depth + 3, -1, np.int64)
    only = np.full(max_depth + 3, -1, np.int64)  # the effect of a level's one entry, where it is known
    wanted = np.empty(256, np.bool_)

    n_seeds = np.int64(1)
    first_seed = np.int64(0)
    if parent >= 0:
        n_seeds = np.int64(0)
        if cls >= 0:
            one = lay.PP + a[lay.EF + parent * lay.EF_WIDTH + lay.E_CLASSES] + lay.CLASS_WIDTH * cls
            first_seed = a[one + 1]
            n_seeds = a[one + 2]
    if a[lay.LS + state * lay.LS_WIDTH + lay.L_FLAGS] & lay.FLAG_LAZY and expand(a, state) < 0:
        return np.int64(-1)
    shadowed = parent < 0 and a[lay.LS + state * lay.LS_WIDTH + lay.L_SHADOW] > 0
    for seed in range(n_seeds):
        seed_node = np.int64(0)
        eager = False
        chain = np.int64(-1)
        key = np.int64(KEY_NONE)
        if parent >= 0:
            pp = lay.PP + (first_seed + seed) * lay.PP_WIDTH
            seed_node = a[pp + lay.P_NODE]
            eager = a[pp + lay.P_EAGER] == 1
            chain = a[pp + lay.P_FIRST]
            if symbol >= 0 and symbol & 1:
                key = np.int64(KEY_CLOSED)
        a[POOL] = state
        a[POOL + X_NEED] = -1
        a[POOL + X_ROOM] = -1
        a[POOL + X_KEY] = key
        a[POOL + X_FRAME] = lay.FRAME_UNKNOWN
        a[POOL + X_MIN_ROOM] = 0
        a[POOL + X_MAX_NEED] = lay.UNBOUNDED
        a[POOL + X_CHAIN] = chain
        n = np.int64(1)
        seed_word = a[lay.TR + seed_node]
        if eager and seed_word >> lay.T_TOKEN_SHIFT:
            g = landing_of(a, recent, 0, POOL)
            n_hits = add_hits(a, n_hits, g, (seed_word >> lay.T_TOKEN_SHIFT) - 1) if g >= 0 else g
            if n_hits < 0:
                return n_hits
        stop = (seed_word >> lay.T_END_SHIFT) & lay.T_END_MASK
        if stop == seed_node + 1:
            continue
        begins[0] = 0
        if not a[lay.LS + state * lay.LS_WIDTH + lay.L_FLAGS] & lay.FLAG_FAST:
            n = close_level(a, seed_node, np.int64(0), n)
            if n < 0:
                return np.int64(-1)
        ends[0] = n
        only[0] = -1
        in_delta[0] = False
        base_depth = (seed_word >> lay.T_DEPTH_SHIFT) & lay.T_DEPTH_MASK
        i = seed_node + 1
        from_root = seed_node == 0
        if from_root:
            first_bytes(a, n, shadowed, wanted)
        while i < stop:
            word = a[lay.TR + i]
            c = word & 255
            d = ((word >> lay.T_DEPTH_SHIFT) & lay.T_DEPTH_MASK) - base_depth
            if from_root and d == 1 and not wanted[c]:
                i = next_wanted(a, wanted, c)
                if i < 0:
                    break
                continue
            node_end = (word >> lay.T_END_SHIFT) & lay.T_END_MASK
            begin = begins[d - 1]
            end = ends[d - 1]
            top = end
            followed = False
            # fast path: one entry, nothing to close, a simple range
            fast = False
            closed = False
            if end - begin == 1:
                p = POOL + begin * WIDTH
                at = lay.LS + a[p] * lay.LS_WIDTH
                if a[at + lay.L_FLAGS] & lay.FLAG_FAST and a[at + lay.L_SHADOW] == 0:
                    at = range_of(a, at, c)
                    if at < 0:
                        i = node_end
                        continue
                    x = a[lay.RG + at]
                    simple = (x >> lay.RG_SIMPLE_BIT) & 1
                    if (
                        simple
                        and (x >> 16) & 255 == OP_NONE
                        and a[lay.RG + at + 1] & 0xFFFFFFFF == a[p]
                        and (in_delta[d - 1] or not shadowed)
                    ):
                        # the byte changes nothing: this level is the one above, and so is its effect
                        g = only[d - 1]
                        token = (word >> lay.T_TOKEN_SHIFT) - 1
                        if token >= 0:
                            if g < 0:
                                g = landing_of(a, recent, d, p)
                                only[d - 1] = g
                            n_hits = add_hits(a, n_hits, g, token) if g >= 0 else g
                            if n_hits < 0:
                                return n_hits
                        begins[d] = begin
                        ends[d] = end
                        only[d] = g
                        in_delta[d] = in_delta[d - 1]
                        i += 1
                        continue
                    if simple:
                        fast = True
                        o = POOL + top * WIDTH
                        a[o] = a[lay.RG + at + 1] & 0xFFFFFFFF
                        closed = (a[lay.LS + a[o] * lay.LS_WIDTH + lay.L_FLAGS] & lay.FLAG_FAST) != 0
                        for k in range(1, WIDTH):
                            a[o + k] = a[p + k]
                        if (x >> 16) & 255 == OP_COUNT:
                            room = a[o + X_ROOM]
                            if room < 0:
                                a[o + X_MIN_ROOM] = max(a[o + X_MIN_ROOM], -room)
                                a[o + X_ROOM] = room - 1
                                a[o + X_NEED] -= 1
                            elif room == 0:
                                i = node_end
                                continue
                            else:
                                if room < lay.UNBOUNDED:
                                    a[o + X_ROOM] = room - 1
                                if a[o + X_NEED] > 0:
                                    a[o + X_NEED] -= 1
                        top += 1
            if not fast:
                for e in range(begin, end):
                    p = POOL + e * WIDTH
                    q = a[p]
                    at = lay.LS + q * lay.LS_WIDTH
                    if a[at + lay.L_FLAGS] & lay.FLAG_LAZY and expand(a, q) < 0:
                        return np.int64(-1)
                    live = shadowed and a[at + lay.L_SHADOW] > 0 and a[p + X_FRAME] == lay.FRAME_UNKNOWN
                    x = lay.RG + a[at + lay.L_RANGES]
                    x_end = x + 2 * a[at + lay.L_N_RANGES]
                    if a[at + lay.L_DENSE] >= 0:
                        one = range_of(a, at, c)
                        if one < 0:
                            continue
                        x = lay.RG + one
                        x_end = x + 2
                    while x < x_end:
                        word0 = a[x]
                        if (word0 & 255) <= c <= ((word0 >> 8) & 255):
                            word1 = a[x + 1]
                            if live and (word1 >> lay.RG_SHADOW_BIT) & 1:
                                followed = True
                            else:
                                top = move_entry(a, p, word0, word1, i, end, top)
                                if top < 0:
                                    return np.int64(-1)
                        x += 2
            inside = in_delta[d - 1]
            if shadowed and not followed and not inside:
                # X was dropped here, unless the string body cannot read the byte either.
                inside = True
                for e in range(begin, end):
                    p = POOL + e * WIDTH
                    if a[lay.LS + a[p] * lay.LS_WIDTH + lay.L_SHADOW] > 0 and a[p + X_FRAME] == lay.FRAME_UNKNOWN:
                        if not shadow_reads(a, a[p], c):
                            inside = False
                        break
                for e in range(end, top):
                    p = POOL + e * WIDTH
                    if a[lay.LS + a[p] * lay.LS_WIDTH + lay.L_SHADOW] > 0 and a[p + X_FRAME] == lay.FRAME_UNKNOWN:
                        inside = False  # still beside the body: only this very token is ours
                        n_delta = add_range(a, n_delta, i, i + 1)
                        break
            if inside and not in_delta[d - 1]:
                # everything below is ours; listed once as a range, the walk itself goes on below
                n_delta = add_range(a, n_delta, i, node_end)
            if n_delta < 0:
                return n_delta
            if top == end:
                # pops recorded here (an ended activation) are all that is left of this subtree
                i = node_end
                continue
            begins[d] = end
            in_delta[d] = inside
            only[d] = -1
            if word >> lay.T_TOKEN_SHIFT:
                for e in range(end, top):
                    g = landing_of(a, recent, d, POOL + e * WIDTH)
                    n_hits = add_hits(a, n_hits, g, (word >> lay.T_TOKEN_SHIFT) - 1) if g >= 0 else g
                    if n_hits < 0:
                        return n_hits
            if node_end > i + 1 and not closed:
                top = close_level(a, i, end, top)
                if top < 0:
                    return np.int64(-1)
            ends[d] = top
            i += 1
    a[N_HITS] = n_hits
    a[N_DELTA] = n_delta
    return np.int64(0)
