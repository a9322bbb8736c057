"""One byte: from a configuration to the next.  The concrete machine, on real frames, counters and registers.

A configuration travels in scratch memory as n entries of five words at ``IN``.  ``step`` reads one byte: it closes the
configuration under pops (an accepting state may return to every link of its frame) and calls, moves, and unites the results, one
n-ary union per target.  Nothing is pushed before a byte is read, so a byte costs a bounded amount of work; accepting states with
nothing left to read are popped at once, so equal situations have equal configurations.
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
    OP_KEY_DROP,
    OP_KEY_OPEN,
    OP_NONE,
    OP_SET,
    OP_TEST,
    OP_TEXT_OPEN,
    OPERATION,
)
from . import layout as lay
from .alive import can_take, forget_taken
from .heap import HASH_MASK, ROOT_TEXT, intern, intern_link, intern_pair, intern_state, n_links, state_offset
from .indenter import hangs_on_column, may_end_on, settle
from .packed import expand
from .parser import back, may_follow
from .values import (
    ROOT_ITEM,
    ROOT_STRING,
    begin_text,
    callee_register,
    end_text,
    forget_text,
    in_question,
    no_key_left,
    remember,
    returned_register,
    saved_register,
    tail_register,
)

A_LS = lay.LS
IN = lay.S + 64  # the configuration
WORK = lay.S + 4096  # entries to move, closed under pops and calls
RAW = lay.S + 16384  # moved, before union: ten words each
OUT = lay.S + 65536
LINKS = lay.S + 81920  # links of the union being made
SORTED = lay.S + 98304
PENDING = (
    lay.S + 104000
)  # calls that push, PENDING_WIDTH words each: callee, symbol, need, room, register, pair, frame, taken
PENDING_WIDTH = 8
MET = lay.S + 420000  # states that a search has met
TRAIL = lay.S + 520000  # its path: state, next byte
MAX_MET = 100000
MAX_PENDING = 3000
MAX_WORK = 2048
MAX_RAW = 4096
MAX_UNION = 2048
INCLUSION_BUDGET = 24  # links looked at before an inclusion counts as not shown (research: enough for linear frames)


@njit(cache=True, nogil=True)
def can_read(a, start, c):
    """Whether a rule's start state can read the byte, through calls as well."""
    first = a[A_LS + start * lay.LS_WIDTH + lay.L_FIRST]
    return (a[lay.FB + first + (c >> 5)] >> (c & 31)) & 1 != 0


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
def pop_into_raw(a, scope, n, register, frame, q):
    """Pop the frame of an ended activation: one raw entry per link (the ended state q itself on the empty stack)."""
    if frame == lay.FRAME_EMPTY:
        return put_raw(a, n, q, 0, lay.UNBOUNDED, 0, 0, frame, 0, 0, 0, 0)
    for j in range(n_links(a, frame)):
        p = lay.HP + frame + lay.HEADER + j * lay.LINK
        symbol = a[p]
        if symbol == lay.SYMBOL_EMPTY:
            n = put_raw(a, n, q, 0, lay.UNBOUNDED, 0, 0, lay.FRAME_EMPTY, 0, 0, 0, 0)
        else:
            if symbol & 1:
                returned = end_text(a, scope, register)
                if returned == -1:
                    continue
            else:
                returned = returned_register(a, scope, a[p + 3], register)
            if returned < 0:
                return np.int64(-1)
            n = put_raw(a, n, symbol >> 1, a[p + 1], a[p + 2], returned, 0, a[p + 4], 0, 0, 0, 0)
        if n < 0:
            return n
    return n


@njit(cache=True, nogil=True)
def move(a, scope, n, c, at, word0, word1):
    """Move the entry at ``at`` over one matching range; returns the new raw count, or -1."""
    need = a[at + 1]
    room = a[at + 2]
    register = a[at + 3]
    frame = a[at + 4]
    op = (word0 >> 16) & 255
    target = word1 & 0xFFFFFFFF
    if register & HASH_MASK != 0:
        register = remember(a, scope, register, c)
        if register < 0:
            return np.int64(-1)
    if op != OP_NONE:
        if op & ITEM_END:
            register = end_text(a, scope, register)
            if register == -1:
                return n
        if op & ITEM_BEGIN and register >= 0:
            register = begin_text(a, scope, register, np.int64(ROOT_ITEM))
        if register < 0:
            return np.int64(-1)
        if op & COUNT_MANY and room < lay.UNBOUNDED:
            room -= a[lay.PR + 2 * ((word0 >> 24) & 0xFFFFFF) + 1]
        op &= OPERATION
        if op == OP_COUNT:
            if room <= 0:
                return n
            if room < lay.UNBOUNDED:
                room -= 1
            if need > 0:
                need -= 1
        elif op == OP_SET:
            pair = lay.PR + 2 * ((word0 >> 24) & 0xFFFFFF)
            need = a[pair]
            room = a[pair + 1]
        elif op == OP_TEST:
            if need > 0:
                return n
        elif op == OP_KEY_OPEN:
            register = begin_text(a, scope, register, np.int64(ROOT_TEXT))
        elif op == OP_TEXT_OPEN:
            register = begin_text(a, scope, register, np.int64(ROOT_STRING))
        elif op == OP_KEY_CLOSE:
            register = end_text(a, scope, register)
            if register == -1:
                return n
        elif op == OP_KEY_DROP:
            register = forget_text(a, scope, register)
        if register < 0:
            return np.int64(-1)
    symbol = ((word1 >> 32) & 0x3FFFFFFF) - 1
    p = A_LS + target * lay.LS_WIDTH
    flags = a[p + lay.L_FLAGS]
    if symbol >= 0:  # into the string body of an extra key: the register passes through
        return put_raw(a, n, target, 0, lay.UNBOUNDED, register, 1, symbol, need, room, 0, frame)
    if flags & lay.FLAG_GUARD and (room < a[p + lay.L_LEAST] or need > a[p + lay.L_MOST]):
        return n
    words = a[p + lay.L_WORDS]
    if words < lay.UNBOUNDED and no_key_left(a, words, register):
        return n
    if flags & lay.FLAG_END:
        if flags & lay.FLAG_ACCEPT_NO_NEED and need > 0:
            return n
        return pop_into_raw(a, scope, n, register, frame, target)
    return put_raw(a, n, target, need, room, register, 0, frame, 0, 0, 0, 0)


@njit(cache=True, nogil=True)
def add_work(a, n, q, need, room, register, frame):
    """Append an entry to the work list unless it is there; returns the new count, or -1 with H_ERROR set."""
    for i in range(n):
        p = WORK + i * lay.ENTRY
        if a[p] == q and a[p + 4] == frame and a[p + 1] == need and a[p + 2] == room and a[p + 3] == register:
            return n
    if n >= MAX_WORK:
        a[lay.H_ERROR] = lay.ERR_ENTRIES
        return np.int64(-1)
    p = WORK + n * lay.ENTRY
    a[p] = q
    a[p + 1] = need
    a[p + 2] = room
    a[p + 3] = register
    a[p + 4] = frame
    return n + 1


@njit(cache=True, nogil=True)
def accepts_here(a, flags, need):
    """Whether an activation in a state with these flags may end now."""
    return (flags & lay.FLAG_ACCEPT) != 0 or ((flags & lay.FLAG_ACCEPT_NO_NEED) != 0 and need <= 0)


@njit(cache=True, nogil=True)
def add_pops(a, scope, n_work, at, c):
    """Add what the entry at ``at`` returns to, if its activation may end here; returns the work count, or -1.

    ``c`` is the byte that is read next, or -1 at the end of the text: it spares exits that it cannot follow.
    """
    frame = a[at + 4]
    if frame == lay.FRAME_EMPTY:
        return n_work
    register = a[at + 3]
    p = A_LS + a[at] * lay.LS_WIDTH
    exits = lay.XL + a[p + lay.L_EXITS]
    n_exits = a[p + lay.L_N_EXITS]
    for x in range(max(n_exits, 1)):
        exit_ = np.int64(-1)
        if n_exits > 0:
            exit_ = a[exits + x]
            if c >= 0 and not may_follow(a, exit_, c):
                continue
            if hangs_on_column(a, exit_):
                if c < 0 and not may_end_on(a, exit_, frame):
                    continue
                exit_ = settle(a, exit_, frame, np.int64(0), a[at + 2])
                if exit_ == -2:
                    continue
                if exit_ < 0:
                    return exit_
        for j in range(n_links(a, frame)):
            p = lay.HP + frame + lay.HEADER + j * lay.LINK
            symbol = a[p]
            if symbol == lay.SYMBOL_EMPTY:
                continue
            target = symbol >> 1
            if n_exits > 0:
                target = back(a, exit_, symbol)
                if target < 0:
                    return target
                if target == 0:
                    continue
            if symbol & 1:
                returned = end_text(a, scope, register)
                if returned == -1:
                    continue
            else:
                returned = returned_register(a, scope, a[p + 3], register)
            if returned < 0:
                return np.int64(-1)
            n_work = add_work(a, n_work, target, a[p + 1], a[p + 2], returned, a[p + 4])
            if n_work < 0:
                return n_work
    return n_work


@njit(cache=True, nogil=True)
def range_of(a, p, c):
    """Offset in RG of the one range that reads byte c in the local state whose record is at p, or -1."""
    dense = a[p + lay.L_DENSE]
    if dense >= 0:
        number = (a[lay.DN + dense + (c >> 3)] >> ((c & 7) << 3)) & 255
        return a[p + lay.L_RANGES] + 2 * (number - 1) if number else np.int64(-1)
    at = a[p + lay.L_RANGES]
    for i in range(a[p + lay.L_N_RANGES]):
        word = a[lay.RG + at + 2 * i]
        if c <= ((word >> 8) & 255):
            return at + 2 * i if (word & 255) <= c else np.int64(-1)
    return np.int64(-1)


@njit(cache=True, nogil=True)
def add_call(a, n_work, start, pair, register, frame):
    """Add a callee's start above a frame; returns the work count, or -1 with H_ERROR set."""
    if register < 0:
        return np.int64(-1)
    need = np.int64(0)
    room = np.int64(lay.UNBOUNDED)
    if pair >= 0:
        need = a[lay.PR + 2 * pair]
        room = a[lay.PR + 2 * pair + 1]
    return add_work(a, n_work, start, need, room, register, frame)


@njit(cache=True, nogil=True)
def add_pending(a, n, start, symbol, pair, at):
    """Note a call that pushes, made by the entry at ``at``; returns the new count, or -1 with H_ERROR set."""
    if n >= MAX_PENDING:
        a[lay.H_ERROR] = lay.ERR_ENTRIES
        return np.int64(-1)
    p = PENDING + n * PENDING_WIDTH
    a[p] = start
    a[p + 1] = symbol
    a[p + 2] = a[at + 1]
    a[p + 3] = a[at + 2]
    a[p + 4] = a[at + 3]
    a[p + 5] = pair
    a[p + 6] = a[at + 4]
    a[p + 7] = 0
    return n + 1


@njit(cache=True, nogil=True)
def push_pending(a, scope, n_pending, n_work):
    """Push the calls noted, one link for all callers of a callee that agree but for their frames; returns the work count.

    So a byte makes at most one link per call site and counters, whatever the number of runs, as in a graph-structured stack
    (Tomita 1986): the links of an ambiguous text are polynomial in its length, where one link per caller would double them
    with every ambiguous part.
    """
    for i in range(n_pending):
        p = PENDING + i * PENDING_WIDTH
        if a[p + 7] != 0:
            continue
        frame = a[p + 6]
        n_union = np.int64(0)
        for j in range(i + 1, n_pending):
            r = PENDING + j * PENDING_WIDTH
            same = a[r + 7] == 0
            for k in range(6):
                if a[r + k] != a[p + k]:
                    same = False
                    break
            if not same:
                continue
            a[r + 7] = 1
            if a[r + 6] != frame or n_union > 0:
                if n_union == 0:
                    n_union = add_links_of(a, n_union, frame)
                n_union = add_links_of(a, n_union, a[r + 6])
                if n_union < 0:
                    return np.int64(-1)
        if n_union > 0:
            frame = intern_union(a, scope, n_union)
        if frame >= 0:
            frame = intern_link(a, scope, a[p + 1], a[p + 2], a[p + 3], saved_register(a, a[p + 4]), frame)
        if frame < 0:
            return np.int64(-1)
        n_work = add_call(a, n_work, a[p], a[p + 5], callee_register(a, scope, a[p + 4]), frame)
        if n_work < 0:
            return n_work
    return n_work


@njit(cache=True, nogil=True)
def step(a, scope, n, c):
    """Read one byte: n entries at IN become the returned number at IN; 0 is dead, -1 an error."""
    if n == 1:
        q = a[IN]
        p = A_LS + q * lay.LS_WIDTH
        if a[p + lay.L_FLAGS] & lay.FLAG_FAST and a[IN + 3] & HASH_MASK == 0:
            at = range_of(a, p, c)
            if at < 0:
                return np.int64(0)
            word = a[lay.RG + at]
            if (word >> lay.RG_SIMPLE_BIT) & 1:
                if (word >> 16) & 255 == OP_COUNT:
                    if a[IN + 2] <= 0:
                        return np.int64(0)
                    if a[IN + 2] < lay.UNBOUNDED:
                        a[IN + 2] -= 1
                    if a[IN + 1] > 0:
                        a[IN + 1] -= 1
                a[IN] = a[lay.RG + at + 1] & 0xFFFFFFFF
                return np.int64(1)
    for i in range(n * lay.ENTRY):
        a[WORK + i] = a[IN + i]
    n_work = n
    n_raw = np.int64(0)
    n_pending = np.int64(0)
    i = 0
    while i < n_work or n_pending > 0:
        if i == n_work:
            n_work = push_pending(a, scope, n_pending, n_work)
            n_pending = np.int64(0)
            if n_work < 0:
                return n_work
            continue
        at = WORK + i * lay.ENTRY
        i += 1
        q = a[at]
        p = A_LS + q * lay.LS_WIDTH
        flags = a[p + lay.L_FLAGS]
        if flags & lay.FLAG_LAZY and expand(a, q) < 0:
            return np.int64(-1)
        if accepts_here(a, flags, a[at + 1]):
            n_work = add_pops(a, scope, n_work, at, c)
            if n_work < 0:
                return n_work
        if a[p + lay.L_DENSE] >= 0:
            r = range_of(a, p, c)
            if r >= 0:
                n_raw = move(a, scope, n_raw, c, at, a[lay.RG + r], a[lay.RG + r + 1])
                if n_raw < 0:
                    return n_raw
        else:
            r = lay.RG + a[p + lay.L_RANGES]
            end = r + 2 * a[p + lay.L_N_RANGES]
            while r < end:
                word0 = a[r]
                if (word0 & 255) <= c:
                    if c <= ((word0 >> 8) & 255):
                        n_raw = move(a, scope, n_raw, c, at, word0, a[r + 1])
                        if n_raw < 0:
                            return n_raw
                elif not flags & lay.FLAG_OVERLAP:
                    break
                r += 2
        for k in range(a[p + lay.L_N_CALLS]):
            callee = a[lay.CL + a[p + lay.L_CALLS] + 2 * k]
            start = callee & 0xFFFFFFFF
            if not can_read(a, start, c):
                continue
            symbol = (callee >> 32) - 1
            pair = a[lay.CL + a[p + lay.L_CALLS] + 2 * k + 1]
            if symbol >= 0:
                n_pending = add_pending(a, n_pending, start, symbol, pair, at)
                if n_pending < 0:
                    return n_pending
                continue
            n_work = add_call(a, n_work, start, pair, tail_register(a, scope, a[at + 3]), a[at + 4])
            if n_work < 0:
                return n_work
    return unite(a, scope, n_raw)


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


@njit(cache=True, nogil=True)
def load_state(a, at):
    """Copy a state's entries to IN; returns their number."""
    words = (a[lay.HP + at] & 0xFFFFFFFF) - lay.STATE_ENTRIES
    for i in range(words):
        a[IN + i] = a[lay.HP + at + lay.STATE_ENTRIES + i]
    return words // lay.ENTRY


@njit(cache=True, nogil=True)
def enter_calls(a, scope, n):
    """Enter the calls that are the only thing an entry can do, so that all call sites of a rule share its rows."""
    changed = False
    n_raw = np.int64(0)
    for i in range(n):
        at = IN + i * lay.ENTRY
        q = a[at]
        need = a[at + 1]
        room = a[at + 2]
        register = a[at + 3]
        frame = a[at + 4]
        p = A_LS + q * lay.LS_WIDTH
        while a[p + lay.L_FLAGS] & lay.FLAG_PURE_CALL:
            changed = True
            callee = a[lay.CL + a[p + lay.L_CALLS]]
            pair = a[lay.CL + a[p + lay.L_CALLS] + 1]
            symbol = (callee >> 32) - 1
            if symbol >= 0:
                frame = intern_link(a, scope, symbol, need, room, saved_register(a, register), frame)
                if frame < 0:
                    return np.int64(-1)
                register = callee_register(a, scope, register)
            else:
                register = tail_register(a, scope, register)
            if register < 0:
                return np.int64(-1)
            q = callee & 0xFFFFFFFF
            need = np.int64(0)
            room = np.int64(lay.UNBOUNDED)
            if pair >= 0:
                need = a[lay.PR + 2 * pair]
                room = a[lay.PR + 2 * pair + 1]
            p = A_LS + q * lay.LS_WIDTH
        n_raw = put_raw(a, n_raw, q, need, room, register, 0, frame, 0, 0, 0, 0)
        if n_raw < 0:
            return n_raw
    if not changed:
        return n
    return unite(a, scope, n_raw)


@njit(cache=True, nogil=True)
def configuration_bits(a, scope, n):
    """ACCEPTING_BIT if the text may end in the configuration at IN, FINAL_BIT if besides no byte can follow."""
    for i in range(n * lay.ENTRY):
        a[WORK + i] = a[IN + i]
    n_work = n
    accepting = False
    more = False
    i = 0
    while i < n_work:
        at = WORK + i * lay.ENTRY
        i += 1
        p = A_LS + a[at] * lay.LS_WIDTH
        flags = a[p + lay.L_FLAGS]
        calls = a[p + lay.L_N_CALLS] > 0 and not flags & lay.FLAG_PUSH
        if a[p + lay.L_N_RANGES] > 0 or calls or flags & lay.FLAG_LAZY:
            more = True
        if flags & lay.FLAG_PUSH:
            callee = a[lay.CL + a[p + lay.L_CALLS]]
            frame = intern_link(
                a, scope, (callee >> 32) - 1, a[at + 1], a[at + 2], saved_register(a, a[at + 3]), a[at + 4]
            )
            if frame < 0:
                return np.int64(-1)
            n_work = add_call(a, n_work, callee & 0xFFFFFFFF, np.int64(-1), callee_register(a, scope, a[at + 3]), frame)
            if n_work < 0:
                return np.int64(-1)
        if accepts_here(a, flags, a[at + 1]):
            frame = a[at + 4]
            if frame == lay.FRAME_EMPTY:
                accepting = True
            else:
                for j in range(n_links(a, frame)):
                    if a[lay.HP + frame + lay.HEADER + j * lay.LINK] == lay.SYMBOL_EMPTY:
                        accepting = True
                n_work = add_pops(a, scope, n_work, at, np.int64(-1))
                if n_work < 0:
                    return np.int64(-1)
    bits = np.int64(0)
    if accepting:
        bits |= lay.ACCEPTING_BIT
        if not more:
            bits |= lay.FINAL_BIT
    return bits


@njit(cache=True, nogil=True)
def drop_stuck(a, n):
    """Drop the entries at IN whose open lexeme can only become terminals that their stack does not take; returns the rest's number."""
    kept = np.int64(0)
    forget_taken(a)
    for i in range(n):
        at = IN + i * lay.ENTRY
        live = can_take(a, a[at], a[at + 4], np.int64(0), a[at + 2])
        if live < 0:
            return live
        if live:
            for k in range(lay.ENTRY):
                a[IN + kept * lay.ENTRY + k] = a[at + k]
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def intern_configuration(a, scope, n):
    """Intern the configuration at IN whether or not it can be finished; 0 if it is empty, -1 on an error."""
    if n <= 0:
        return np.int64(n)
    n = enter_calls(a, scope, n)
    if n > 0:
        n = drop_stuck(a, n)
    if n <= 0:
        return np.int64(n)
    for i in range(1, n):  # insertion sort: n is 1 or 2 nearly always
        for k in range(lay.ENTRY):
            a[OUT + k] = a[IN + i * lay.ENTRY + k]
        at = i
        while at > 0:
            b = IN + (at - 1) * lay.ENTRY
            less = False
            for k in range(lay.ENTRY):
                if a[OUT + k] != a[b + k]:
                    less = a[OUT + k] < a[b + k]
                    break
            if not less:
                break
            for k in range(lay.ENTRY):
                a[b + lay.ENTRY + k] = a[b + k]
            at -= 1
        for k in range(lay.ENTRY):
            a[IN + at * lay.ENTRY + k] = a[OUT + k]
    bits = configuration_bits(a, scope, n)
    if bits < 0:
        return bits
    return intern_state(a, scope, IN, n, bits)


@njit(cache=True, nogil=True)
def hangs_on_values(a, n):
    """Whether every entry of the configuration at IN is in question, so that only a search tells if it can be finished."""
    for i in range(n):
        register = a[IN + i * lay.ENTRY + 3]
        if register == 0 or not in_question(a, register):
            return False
    return True


@njit(cache=True, nogil=True)
def can_finish(a, scope, state):
    """Whether a state all entries of which are in question can be finished: 1 or 0, -1 with H_ERROR set.

    A search, depth first, for a state that is not in question; those met on the way are marked, so that the next byte finds them
    known.  It stays inside what the values seen spell.
    """
    at = state_offset(a, state)
    bits = a[lay.HP + at + lay.STATE_BITS]
    if bits & lay.LIVE_BIT:
        return np.int64(1)
    if bits & lay.DEAD_BIT:
        return np.int64(0)
    n_met = np.int64(1)
    top = np.int64(0)
    a[MET] = at
    a[TRAIL] = at
    a[TRAIL + 1] = 0
    a[lay.HP + at + lay.STATE_BITS] |= lay.MET_BIT
    found = bits & lay.ACCEPTING_BIT != 0
    while top >= 0 and not found:
        at = a[TRAIL + 2 * top]
        c = a[TRAIL + 2 * top + 1]
        if c > 255:
            top -= 1
            continue
        a[TRAIL + 2 * top + 1] = c + 1
        n = step(a, scope, load_state(a, at), c)
        if n < 0:
            return n
        if n == 0:
            continue
        if not hangs_on_values(a, n):
            found = True
            break
        following = intern_configuration(a, scope, n)
        if following < 0:
            return following
        at = state_offset(a, following)
        bits = a[lay.HP + at + lay.STATE_BITS]
        if bits & (lay.LIVE_BIT | lay.ACCEPTING_BIT):
            found = True
        elif not bits & (lay.MET_BIT | lay.DEAD_BIT):
            if n_met >= MAX_MET:
                a[lay.H_ERROR] = lay.ERR_SCRATCH
                return np.int64(-1)
            a[lay.HP + at + lay.STATE_BITS] |= lay.MET_BIT
            a[MET + n_met] = at
            n_met += 1
            top += 1
            a[TRAIL + 2 * top] = at
            a[TRAIL + 2 * top + 1] = 0
    for i in range(n_met):
        a[lay.HP + a[MET + i] + lay.STATE_BITS] &= ~lay.MET_BIT
        if not found:
            a[lay.HP + a[MET + i] + lay.STATE_BITS] |= lay.DEAD_BIT
    if found:
        for i in range(top + 1):
            a[lay.HP + a[TRAIL + 2 * i] + lay.STATE_BITS] |= lay.LIVE_BIT
    return np.int64(found)


@njit(cache=True, nogil=True)
def make_state(a, scope, n):
    """Intern the configuration at IN; 0 if it is empty or cannot be finished, -1 on an error."""
    asked = n > 0 and hangs_on_values(a, n)
    state = intern_configuration(a, scope, n)
    if asked and state > 0:
        live = can_finish(a, scope, state)
        if live <= 0:
            return live
    return state


@njit(cache=True, nogil=True)
def lives(a, scope, n):
    """Whether the configuration at IN can be finished: 1 or 0, -1 with H_ERROR set.  IN is lost where that takes a search."""
    if n > 0 and a[lay.H_PT] > 0:
        n = enter_calls(a, scope, n)
        if n > 0:
            n = drop_stuck(a, n)
    if n <= 0 or not hangs_on_values(a, n):
        return np.int64(n > 0) if n >= 0 else np.int64(-1)
    state = intern_configuration(a, scope, n)
    return can_finish(a, scope, state) if state > 0 else state
