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
from .closure import WORK, accepts_here, add_call, add_pending, add_pops, push_pending
from .heap import HASH_MASK, ROOT_TEXT, n_links
from .packed import expand
from .registers import begin_text, end_text, forget_text, no_key_left, remember, returned_register, tail_register
from .states import range_of
from .unions import IN, put_raw, unite
from .values import ROOT_ITEM, ROOT_STRING

A_LS = lay.LS


@njit(cache=True, nogil=True)
def can_read(a, start, c):
    """Whether a rule's start state can read the byte, through calls as well."""
    first = a[A_LS + start * lay.LS_WIDTH + lay.L_FIRST]
    return (a[lay.FB + first + (c >> 5)] >> (c & 31)) & 1 != 0


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
    if a[p + lay.L_WORDS] < lay.UNBOUNDED and no_key_left(a, target, register):
        return n
    if flags & lay.FLAG_END:
        if flags & lay.FLAG_ACCEPT_NO_NEED and need > 0:
            return n
        return pop_into_raw(a, scope, n, register, frame, target)
    return put_raw(a, n, target, need, room, register, 0, frame, 0, 0, 0, 0)


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
