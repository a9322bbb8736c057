"""What a configuration can do without reading: return where an activation may end, and call.

The entries lie in the work list at ``WORK``.  Calls that push are noted first, and pushed for all their callers together.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay
from .heap import intern_link, n_links
from .indenter import hangs_on_column, may_end_on, settle
from .parser import back, may_follow
from .registers import callee_register, end_text, returned_register, saved_register
from .unions import add_links_of, intern_union

WORK = lay.S + 4096  # entries to move, closed under pops and calls
PENDING = lay.S + 104000  # calls that push: callee, symbol, need, room, register, pair, frame, taken
PENDING_WIDTH = 8
MAX_PENDING = 3000
MAX_WORK = 2048


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
    p = lay.LS + a[at] * lay.LS_WIDTH
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
