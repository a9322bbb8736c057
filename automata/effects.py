"""Effects: what each token does from a local state, whatever lies below on the stack.  See ``layout`` for the tables.

``build`` walks the vocabulary's trie once from a set of seeds with the stack below unknown.  A walk's entry has eight words: local
state, need, room, key events, frame, least room, greatest need, chain.  Counters are relative to the unknown activation (``-1 - k``
after k items) until the token sets one; what a relative counter would have to satisfy accumulates in the guard.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..grammar.ir import (
    COUNT_MANY,
    ITEM_BEGIN,
    ITEM_END,
    OP_COUNT,
    OP_KEY_CLOSE,
    OP_KEY_OPEN,
    OP_NONE,
    OP_SET,
    OP_TEST,
    OP_TEXT_OPEN,
    OPERATION,
)
from . import layout as lay
from .alive import hangs_on_stack
from .arena import take
from .heap import intern_link
from .indenter import hangs_on_column
from .memo import TAG_POINTS, keep, memo
from .packed import expand
from .parser import back, begin_of, follow_of
from .step import range_of

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
POOL = lay.S + (1 << 20)  # entries of the walk, a stack of levels
POOL_CAP = 1 << 22
POPS = (
    POOL + POOL_CAP
)  # POP_WIDTH words each: trie node, eager, least room, greatest need, chain, key, exit, room, frame
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
SCOPE_PERMANENT = 0
MOST_LEXERS = 1 << 9
MOST_NODES = lay.CAP_EH // 2 * 7 // 8
DENSE_SHARE = 24  # a node with more than size/24 tokens gets a packed row beside its list


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
def child_follows(a, node, exit_):
    """Whether a byte below a trie node can be read after an exit."""
    follow = follow_of(a, exit_)
    i = node + 1
    end = (a[lay.TR + node] >> lay.T_END_SHIFT) & lay.T_END_MASK
    while i < end:
        c = a[lay.TR + i] & 255
        if (a[follow + (c >> 5)] >> (c & 31)) & 1:
            return True
        i = (a[lay.TR + i] >> lay.T_END_SHIFT) & lay.T_END_MASK
    return False


@njit(cache=True, nogil=True)
def close_exits(a, node, p, begin, end):
    """Leave the scanner's state of the entry at p through each of its exits; returns the new end, or -1 with H_ERROR set."""
    at = lay.LS + a[p] * lay.LS_WIDTH
    frame = a[p + X_FRAME]
    first = lay.XL + a[at + lay.L_EXITS]
    for x in range(first, first + a[at + lay.L_N_EXITS]):
        exit_ = a[x]
        if not child_follows(a, node, exit_):
            continue
        if hangs_on_column(a, exit_):  # on what lies below, too
            if add_exit(a, node, p, exit_, a[p + X_ROOM], frame) < 0:
                return np.int64(-1)
            continue
        if frame == lay.FRAME_UNKNOWN:
            x_at = lay.XT + exit_ * lay.XT_WIDTH
            if a[x_at + lay.X_COLUMN] != lay.IGNORED or a[LEXER] < 0:
                if add_exit(a, node, p, exit_, np.int64(0), frame) < 0:
                    return np.int64(-1)
                continue
            target = begin_of(a, a[x_at + lay.X_PARSER], a[x_at + lay.X_PART], a[LEXER])  # the stack stays as it is
            if target > 0:
                end = add_entry(
                    a,
                    begin,
                    end,
                    target,
                    a[p + X_NEED],
                    a[p + X_ROOM],
                    a[p + X_KEY],
                    frame,
                    a[p + X_MIN_ROOM],
                    a[p + X_MAX_NEED],
                    a[p + X_CHAIN],
                )
                if end < 0:
                    return end
            continue
        link = lay.HP + frame + lay.HEADER
        target = back(a, exit_, a[link])
        if target < 0:
            return target
        if target > 0:
            end = add_entry(
                a,
                begin,
                end,
                target,
                a[link + 1],
                a[link + 2],
                a[link + 3],
                a[link + 4],
                a[p + X_MIN_ROOM],
                a[p + X_MAX_NEED],
                a[p + X_CHAIN],
            )
            if end < 0:
                return end
    return end


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
def end_guard(a, flags, need, max_need):
    """The guard under which an activation in a state with these flags may end: the new max_need, or -1 if it may not."""
    if flags & lay.FLAG_ACCEPT:
        return max_need
    if flags & lay.FLAG_ACCEPT_NO_NEED:
        if need >= 0:
            return max_need if need == 0 else np.int64(-1)
        return min(max_need, -1 - need)
    return np.int64(-1)


@njit(cache=True, nogil=True)
def close_level(a, node, begin, end):
    """Close a level under pops and calls; returns the new end, or -1 with H_ERROR set."""
    i = begin
    while i < end:
        p = POOL + i * WIDTH
        i += 1
        q = a[p]
        at = lay.LS + q * lay.LS_WIDTH
        flags = a[at + lay.L_FLAGS]
        if flags & lay.FLAG_FAST:
            continue
        need = a[p + X_NEED]
        room = a[p + X_ROOM]
        frame = a[p + X_FRAME]
        min_room = a[p + X_MIN_ROOM]
        max_need = a[p + X_MAX_NEED]
        chain = a[p + X_CHAIN]
        if a[at + lay.L_N_EXITS] > 0 and flags & lay.FLAG_ACCEPT:
            end = close_exits(a, node, p, begin, end)
            if end < 0:
                return end
        elif flags & (lay.FLAG_ACCEPT | lay.FLAG_ACCEPT_NO_NEED) and not flags & lay.FLAG_OUTERMOST:
            bound = end_guard(a, flags, need, max_need)
            if bound >= 0:
                if frame == lay.FRAME_UNKNOWN:
                    if add_usual_pop(a, node, 0, min_room, bound, chain, a[p + X_KEY]) < 0:
                        return np.int64(-1)
                else:
                    link = lay.HP + frame + lay.HEADER
                    symbol = a[link]
                    key = KEY_CLOSED if symbol & 1 else a[link + 3]
                    end = add_entry(
                        a, begin, end, symbol >> 1, a[link + 1], a[link + 2], key, a[link + 4], min_room, bound, chain
                    )
                    if end < 0:
                        return end
        for k in range(a[at + lay.L_N_CALLS]):
            callee = a[lay.CL + a[at + lay.L_CALLS] + 2 * k]
            pair = a[lay.CL + a[at + lay.L_CALLS] + 2 * k + 1]
            symbol = (callee >> 32) - 1
            under = frame
            if symbol >= 0:
                under = intern_link(a, SCOPE_PERMANENT, symbol, need, room, a[p + X_KEY], frame)
                if under < 0:
                    return under
            inner_need = np.int64(0)
            inner_room = np.int64(lay.UNBOUNDED)
            if pair >= 0:
                inner_need = a[lay.PR + 2 * pair]
                inner_room = a[lay.PR + 2 * pair + 1]
            end = add_entry(
                a, begin, end, callee & 0xFFFFFFFF, inner_need, inner_room, 0, under, min_room, max_need, chain
            )
            if end < 0:
                return end
    return end


@njit(cache=True, nogil=True)
def move_entry(a, p, word0, word1, node, begin, end):
    """Move the entry at p over one range into the level begin..end; returns the new end, or -1 with H_ERROR set."""
    need = a[p + X_NEED]
    room = a[p + X_ROOM]
    key = a[p + X_KEY]
    frame = a[p + X_FRAME]
    min_room = a[p + X_MIN_ROOM]
    max_need = a[p + X_MAX_NEED]
    chain = a[p + X_CHAIN]
    op = (word0 >> 16) & 255
    target = word1 & 0xFFFFFFFF
    symbol = ((word1 >> 32) & 0x3FFFFFFF) - 1
    dead = False
    if op & COUNT_MANY:
        many = a[lay.PR + 2 * ((word0 >> 24) & 0xFFFFFF) + 1]
        if room < 0:
            room -= many
        elif room < lay.UNBOUNDED:
            room -= many
        op &= OPERATION
    if op > OPERATION or op == OP_TEXT_OPEN:
        if op & ITEM_END and op & ITEM_BEGIN:  # the item before counts as soon as the next one begins
            key = np.int64(KEY_CLOSED)
            if append(a, N_VERIFY, VERIFY, node | (lay.VALUES << lay.NODE_BITS)) < 0:
                return np.int64(-1)
        elif not op & (ITEM_END | ITEM_BEGIN):
            if frame == lay.FRAME_UNKNOWN and key != KEY_CLOSED:
                if append(a, N_OPENS, OPENS, node) < 0:
                    return np.int64(-1)
            elif append(a, N_VERIFY, VERIFY, node | (lay.VALUES << lay.NODE_BITS)) < 0:
                return np.int64(-1)
        op &= OPERATION
    if op == OP_COUNT:
        if room >= 0:
            if room == 0:
                dead = True
            elif room < lay.UNBOUNDED:
                room -= 1
            if need > 0:
                need -= 1
        else:
            min_room = max(min_room, -room)
            room -= 1
            need -= 1
    elif op == OP_SET:
        pair = lay.PR + 2 * ((word0 >> 24) & 0xFFFFFF)
        need = a[pair]
        room = a[pair + 1]
    elif op == OP_TEST:
        if need > 0:
            dead = True
        elif need < 0:
            max_need = min(max_need, -1 - need)
    elif op == OP_KEY_OPEN:
        if key == KEY_CLOSED:
            if append(a, N_VERIFY, VERIFY, node) < 0:
                return np.int64(-1)
        elif frame == lay.FRAME_UNKNOWN:
            if append(a, N_OPENS, OPENS, node | (target << lay.NODE_BITS)) < 0:
                return np.int64(-1)
        key = KEY_OPEN
    elif op == OP_TEXT_OPEN:
        key = KEY_OPEN
    elif op == OP_KEY_CLOSE:
        key = KEY_CLOSED
    if dead:
        return end
    if symbol >= 0:
        frame = intern_link(a, SCOPE_PERMANENT, symbol, need, room, 0, frame)
        if frame < 0:
            return frame
        return add_entry(a, begin, end, target, 0, lay.UNBOUNDED, key, frame, min_room, max_need, chain)
    at = lay.LS + target * lay.LS_WIDTH
    flags = a[at + lay.L_FLAGS]
    words = a[at + lay.L_WORDS]
    if words < lay.UNBOUNDED and key != KEY_OPEN:  # before a key: none may be left
        if frame == lay.FRAME_UNKNOWN:
            if append(a, N_VERIFY, VERIFY, node | (min(words, lay.MOST_WORDS) << lay.NODE_BITS)) < 0:
                return np.int64(-1)
        elif key == KEY_CLOSED and append(a, N_VERIFY, VERIFY, node) < 0:
            return np.int64(-1)
    if flags & lay.FLAG_GUARD:
        least = a[at + lay.L_LEAST]
        most = a[at + lay.L_MOST]
        if room >= 0:
            if room < least or need > most:
                return end
        else:
            min_room = max(min_room, -1 - room + least)
            if most < lay.UNBOUNDED:
                max_need = min(max_need, -1 - need + most)
    if flags & lay.FLAG_END:
        bound = end_guard(a, flags, need, max_need)
        if bound < 0:
            return end
        if frame == lay.FRAME_UNKNOWN:
            return end if add_usual_pop(a, node, 1, min_room, bound, chain, key) == 0 else np.int64(-1)
        link = lay.HP + frame + lay.HEADER
        back = a[link]
        key = KEY_CLOSED if back & 1 else a[link + 3]
        return add_entry(a, begin, end, back >> 1, a[link + 1], a[link + 2], key, a[link + 4], min_room, bound, chain)
    return add_entry(a, begin, end, target, need, room, key, frame, min_room, max_need, chain)


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
def add_range(a, n_delta, first, end):
    """Append a range of trie nodes to DELTA; returns the new count, or -1 with H_ERROR set."""
    if n_delta < 0 or 2 * (n_delta + 1) > LIST_CAP:
        a[lay.H_ERROR] = lay.ERR_SCRATCH
        return np.int64(-1)
    a[DELTA + 2 * n_delta] = first
    a[DELTA + 2 * n_delta + 1] = end
    return n_delta + 1


@njit(cache=True, nogil=True)
def take_row(a, r):
    """An empty packed row of R; its offset, or -1 with H_ERROR set."""
    row = take(a, lay.H_R, a[lay.H_WORDS], lay.WORDS_R)
    if row >= 0:
        for i in range(a[lay.H_WORDS]):
            r[row + i] = np.uint32(0)
    return row


def tokens_of(r, at, n, words):
    """The tokens of an effect, int64[n], from its ``G_TOKENS`` and ``G_N_TOKENS`` (not a kernel)."""
    if at >= 0:
        return r[at : at + n].astype(np.int64)
    return np.flatnonzero(np.unpackbits(r[-1 - at : -1 - at + words].view(np.uint8), bitorder="little"))


@njit(cache=True, nogil=True)
def build(a, r, parent, cls, symbol, state, lexer):
    """Compute one effect node: the root of local state ``state`` (parent -1), or a child of ``parent``.

    The child under ``symbol`` goes on from the pop points of activations that end as usual (class ``cls``; -1 if there are none), the child
    for an exit (``symbol`` -2) from those of its class.  Both go on in ``state``.  The child under SYMBOL_EMPTY holds the tokens that end the
    whole text; they land in local state 0, which reads nothing.

    Returns the node, or -1 with H_ERROR set.
    """
    a[N_POPS] = 0
    a[N_OPENS] = 0
    a[N_VERIFY] = 0
    a[N_GROUPS] = 0
    a[LEXER] = lexer
    clear_table(a, 64)
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

    # --- write the node ---------------------------------------------------------------------------------------------
    n_pops = a[N_POPS]
    n_opens = a[N_OPENS]
    n_verify = a[N_VERIFY]
    n_groups = a[N_GROUPS]
    at = take(a, lay.H_EF, lay.EF_WIDTH, lay.CAP_EF)
    if at < 0:
        return at
    node = at // lay.EF_WIDTH
    e = lay.EF + at
    counts = np.zeros(n_groups, np.int64)
    for i in range(n_hits):
        counts[a[HITS + i] >> HIT_SHIFT] += 1
    order = np.empty(n_groups, np.int64)  # what always holds first, then what hangs on the stack
    n_sure = 0
    for turn in range(2):
        for g in range(n_groups):
            x = GROUPS + g * WIDTH
            frame = a[x + X_FRAME]
            top = np.int64(-1) if frame <= lay.FRAME_UNKNOWN else a[lay.HP + frame + lay.HEADER]
            if hangs_on_stack(a, a[x + X_STATE], top) == (turn == 1):
                order[n_sure] = g
                n_sure += 1
        if turn == 0:
            n_conds = n_groups - n_sure
    n_sure = n_groups - n_conds
    total = np.int64(0)
    listed = np.int64(0)
    words = a[lay.H_WORDS]
    for k in range(n_sure):
        total += counts[order[k]]
    row = np.int64(-1)
    if total * DENSE_SHARE > a[lay.H_VOCAB]:
        row = take_row(a, r)
        if row < 0:
            return row
    where = np.empty(
        n_groups, np.int64
    )  # of each effect's tokens: where its list begins, or -1 - the offset of its bits
    for k in range(n_groups):
        g = order[k]
        if (row >= 0 or k >= n_sure) and counts[g] > words:
            bits = row if n_sure == 1 and k == 0 else take_row(a, r)
            if bits < 0:
                return bits
            where[g] = -1 - bits
        else:
            where[g] = listed
            listed += counts[g]
    tokens_at = take(a, lay.H_R, listed, lay.WORDS_R)
    if tokens_at < 0:
        return tokens_at
    fill = where.copy()
    for i in range(n_hits):
        g = a[HITS + i] >> HIT_SHIFT
        token = a[HITS + i] & HIT_TOKEN
        if where[g] < 0:
            r[-1 - where[g] + (token >> 5)] |= np.uint32(1) << np.uint32(token & 31)
        else:
            r[tokens_at + fill[g]] = np.uint32(token)
            fill[g] += 1
    if row >= 0:
        for k in range(n_sure):
            g = order[k]
            if where[g] >= 0:
                for i in range(tokens_at + where[g], tokens_at + fill[g]):
                    r[row + (r[i] >> np.uint32(5))] |= np.uint32(1) << (r[i] & np.uint32(31))
            elif -1 - where[g] != row:
                for i in range(words):
                    r[row + i] |= r[-1 - where[g] + i]
    groups_at = take(a, lay.H_GR, n_groups * lay.GR_WIDTH, lay.CAP_GR)
    pops_at = take(a, lay.H_PP, n_pops * lay.PP_WIDTH, lay.CAP_PP)
    if groups_at < 0 or pops_at < 0:
        return np.int64(-1)
    max_room = np.int64(0)
    min_need = np.int64(lay.UNBOUNDED)
    chained = np.int64(0)
    for place in range(n_groups):
        g = order[place]
        o = lay.GR + groups_at + place * lay.GR_WIDTH
        x = GROUPS + g * WIDTH
        for k in range(WIDTH):
            a[o + k] = a[x + k]
        a[o + lay.G_TOKENS] = where[g] if where[g] < 0 else tokens_at + where[g]
        a[o + lay.G_N_TOKENS] = counts[g]
        a[o + lay.G_NODE] = node
        max_room = max(max_room, a[x + X_MIN_ROOM])
        min_need = min(min_need, a[x + X_MAX_NEED])
        if a[x + X_CHAIN] >= 0:
            chained = np.int64(1)
    size = np.int64(4)
    while size < 2 * n_pops:
        size *= 2
    for h in range(size):
        a[FIRSTS + h] = -1
    n_classes = sort_pops(a, n_pops)
    for i in range(n_pops):
        o = lay.PP + pops_at + i * lay.PP_WIDTH
        x = POPS + POP_WIDTH * a[SORTED_POPS + i]
        for k in range(6):
            a[o + k] = a[x + k]
        a[o + lay.P_EXIT] = a[x + 6]
        a[o + lay.P_ROOM] = a[x + 7]
        a[o + lay.P_FRAME] = a[x + 8]
        min_room = a[x + 2]
        max_need = a[x + 3]
        first = np.int64(-1)
        if a[x + 4] >= 0 or min_room > 0 or max_need < lay.UNBOUNDED:
            h = (min_room * 31 + max_need * 1009 + a[x + 4] * 7 + 7) & (size - 1)
            while a[FIRSTS + h] >= 0:
                y = lay.PP + pops_at + a[FIRSTS + h] * lay.PP_WIDTH
                if (
                    a[y + lay.P_MIN_ROOM] == min_room
                    and a[y + lay.P_MAX_NEED] == max_need
                    and a[y + lay.P_CHAIN] == a[x + 4]
                ):
                    break
                h = (h + 1) & (size - 1)
            if a[FIRSTS + h] < 0:
                a[FIRSTS + h] = i
            first = pops_at // lay.PP_WIDTH + a[FIRSTS + h]
        a[o + lay.P_FIRST] = first
        max_room = max(max_room, min_room)
        min_need = min(min_need, max_need)
    # opens, verify and delta lists share the pop table's range
    opens_at = take(
        a, lay.H_PP, n_opens + n_verify + 2 * n_delta + lay.CLASS_WIDTH * n_classes + lay.PP_WIDTH, lay.CAP_PP
    )
    if opens_at < 0:
        return opens_at
    o = lay.PP + opens_at
    for i in range(n_opens):
        a[o + i] = a[OPENS + i]
    for i in range(n_verify):
        a[o + n_opens + i] = a[VERIFY + i]
    for i in range(2 * n_delta):
        a[o + n_opens + n_verify + i] = a[DELTA + i]
    classes_at = opens_at + n_opens + n_verify + 2 * n_delta
    for i in range(n_classes):
        begin = a[CLASS_BEGINS + i]
        x = lay.PP + pops_at + begin * lay.PP_WIDTH
        o = lay.PP + classes_at + lay.CLASS_WIDTH * i
        a[o] = a[x + lay.P_EXIT]
        a[o + 1] = pops_at // lay.PP_WIDTH + begin
        a[o + 2] = a[CLASS_BEGINS + i + 1] - begin
        a[o + 3] = a[x + lay.P_ROOM]
        a[o + 4] = a[x + lay.P_FRAME]
        if a[o] >= 0:
            a[o + 1] = same_points(a, a[o + 1], a[o + 2])
            if a[o + 1] < 0:
                return np.int64(-1)
    # keep the pop table aligned: pop points are addressed by number
    over = a[lay.H_PP] % lay.PP_WIDTH
    if over:
        a[lay.H_PP] += lay.PP_WIDTH - over
    a[e + lay.E_STATE] = state
    a[e + lay.E_PARENT] = parent
    a[e + lay.E_SYMBOL] = symbol
    a[e + lay.E_GROUPS] = groups_at // lay.GR_WIDTH
    a[e + lay.E_N_GROUPS] = n_groups
    a[e + lay.E_TOKENS] = tokens_at
    a[e + lay.E_N_TOKENS] = total
    a[e + lay.E_ROW] = row
    a[e + lay.E_POPS] = pops_at // lay.PP_WIDTH
    a[e + lay.E_N_POPS] = n_pops
    a[e + lay.E_OPENS] = opens_at
    a[e + lay.E_N_OPENS] = n_opens
    a[e + lay.E_VERIFY] = opens_at + n_opens
    a[e + lay.E_N_VERIFY] = n_verify
    a[e + lay.E_MAX_ROOM] = max_room
    a[e + lay.E_MIN_NEED] = min_need
    a[e + lay.E_SHADOW] = 1 if shadowed else 0
    a[e + lay.E_DELTA] = opens_at + n_opens + n_verify
    a[e + lay.E_N_DELTA] = n_delta
    a[e + lay.E_CHAINED] = chained
    a[e + lay.E_CLASSES] = classes_at
    a[e + lay.E_N_CLASSES] = n_classes
    a[e + lay.E_N_CONDS] = n_conds
    return node


@njit(cache=True, nogil=True)
def sort_pops(a, n):
    """Order the n pop points by class into SORTED_POPS, the classes as they were met first; returns how many classes.

    CLASS_BEGINS says where each begins, and where the last ends.
    """
    n_classes = np.int64(0)
    placed = np.int64(0)
    while placed < n:
        first = np.int64(-1)
        a[CLASS_BEGINS + n_classes] = placed
        for i in range(n):
            p = POPS + POP_WIDTH * i
            if a[p + 6] < -1:  # taken
                continue
            if first < 0:
                first = p
            if a[p + 6] == a[first + 6] and a[p + 7] == a[first + 7] and a[p + 8] == a[first + 8]:
                a[SORTED_POPS + placed] = i
                placed += 1
        for i in range(a[CLASS_BEGINS + n_classes], placed):
            p = POPS + POP_WIDTH * a[SORTED_POPS + i]
            a[p + 6] = -3 - a[p + 6]
        n_classes += 1
    a[CLASS_BEGINS + n_classes] = n
    for i in range(n):
        a[POPS + POP_WIDTH * i + 6] = -3 - a[POPS + POP_WIDTH * i + 6]
    return n_classes


@njit(cache=True, nogil=True)
def same_points(a, first, n):
    """The first of the n pop points met before that lie at the same trie nodes as those at ``first``, or ``first``; -1 with H_ERROR set.

    Children go on from the trie nodes alone if no guard can fail, so those of all scanner's states with the same tokens behind an exit are one.
    """
    h = np.int64(n)
    for i in range(first, first + n):
        p = lay.PP + i * lay.PP_WIDTH
        if a[p + lay.P_FIRST] >= 0:
            return first
        h = (h * 0x5BD1E995 + 2 * a[p + lay.P_NODE] + a[p + lay.P_EAGER]) & 0x7FFFFFFF
        h ^= h >> 15
    turn = np.int64(0)
    while True:  # lists of one hash are told apart by a number
        m = memo(a, TAG_POINTS, h, n, turn)
        if a[m] == 0:
            return keep(a, TAG_POINTS, h, n, turn, first)
        same = True
        for i in range(n):
            p = lay.PP + (first + i) * lay.PP_WIDTH
            o = lay.PP + (a[m + 2] + i) * lay.PP_WIDTH
            if a[p + lay.P_NODE] != a[o + lay.P_NODE] or a[p + lay.P_EAGER] != a[o + lay.P_EAGER]:
                same = False
                break
        if same:
            return a[m + 2]
        turn += 1


@njit(cache=True, nogil=True)
def root(a, r, q):
    """The effect node of a local state, computed at its first use; -1 with H_ERROR set."""
    node = a[lay.LS + q * lay.LS_WIDTH + lay.L_EFFECT]
    if node < 0:
        node = build(a, r, np.int64(-1), np.int64(-1), np.int64(-1), q, np.int64(-1))
        if node >= 0:
            a[lay.LS + q * lay.LS_WIDTH + lay.L_EFFECT] = node
    return node


@njit(cache=True, nogil=True)
def usual_class(a, node):
    """The class of the pop points of a node at which activations end as usual, -1 if there are none."""
    e = lay.EF + node * lay.EF_WIDTH
    for i in range(a[e + lay.E_N_CLASSES]):
        if a[lay.PP + a[e + lay.E_CLASSES] + lay.CLASS_WIDTH * i] == -1:
            return np.int64(i)
    return np.int64(-1)


@njit(cache=True, nogil=True)
def child(a, r, parent, symbol):
    """The effect node for the tokens of ``parent`` that pop ``symbol``, computed at its first use; -1 with H_ERROR set."""
    state = symbol >> 1 if symbol >= 0 else np.int64(0)
    return kept_child(a, r, parent, (parent << 32) + symbol + 2, usual_class(a, parent), symbol, state, np.int64(-1))


@njit(cache=True, nogil=True)
def exit_child(a, r, parent, cls, state, lexer):
    """The effect node for what the tokens of ``parent`` do once their exit of a class has led to a local state; -1 with H_ERROR set.

    ``lexer`` is that of the parser's state on top, or -1.  The node is one of several parents where ``same_points`` says so.
    """
    if lexer + 1 >= MOST_LEXERS:
        a[lay.H_ERROR] = lay.ERR_SCRATCH
        return np.int64(-1)
    points = a[lay.PP + a[lay.EF + parent * lay.EF_WIDTH + lay.E_CLASSES] + lay.CLASS_WIDTH * cls + 1]
    word = (1 << 62) | (points << 31) | ((lexer + 1) << 22) | state
    return kept_child(a, r, parent, word, cls, np.int64(-2), state, lexer)


@njit(cache=True, nogil=True)
def kept_child(a, r, parent, word, cls, symbol, state, lexer):
    """The child that EH holds under ``word``, built if it is not there; -1 with H_ERROR set."""
    cap = lay.CAP_EH // 2
    h = (((word & 0x7FFFFFFF) * 0x5BD1E995 + (word >> 31) * 0x2C1B3C6D) & 0x7FFFFFFFFFFF) % cap
    while a[lay.EH + 2 * h] != 0:
        if a[lay.EH + 2 * h] == word:
            return a[lay.EH + 2 * h + 1]
        h = (h + 1) % cap
    if a[lay.H_EF] // lay.EF_WIDTH >= MOST_NODES:  # the hash table would fill up
        a[lay.H_ERROR] = lay.ERR_TABLE
        return np.int64(-1)
    node = build(a, r, parent, cls, symbol, state, lexer)
    if node < 0:
        return node
    a[lay.EH + 2 * h] = word
    a[lay.EH + 2 * h + 1] = node
    return node
