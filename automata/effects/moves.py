"""What an entry of the walk can do: pop, leave a scanner's state, call, and read a byte.

The concrete machine does the same on real frames (``step``).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ...grammar.ir import (
    COUNT_MANY,
    ITEM_BEGIN,
    ITEM_END,
    OP_COUNT,
    OP_KEY_CLOSE,
    OP_KEY_OPEN,
    OP_SET,
    OP_TEST,
    OP_TEXT_OPEN,
    OPERATION,
)
from .. import layout as lay
from ..heap import SCOPE_PERMANENT, intern_link
from ..indenter import hangs_on_column
from ..parser import back, begin_of, follow_of
from .scratch import (
    KEY_CLOSED,
    KEY_OPEN,
    LEXER,
    N_OPENS,
    N_VERIFY,
    OPENS,
    POOL,
    VERIFY,
    WIDTH,
    X_CHAIN,
    X_FRAME,
    X_KEY,
    X_MAX_NEED,
    X_MIN_ROOM,
    X_NEED,
    X_ROOM,
    add_entry,
    add_exit,
    add_usual_pop,
    append,
)


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
    if (
        words < 0
    ):  # before a key: none may be left; inside of one the spellings of the keys seen tell (``collect_suspects``)
        words = a[lay.LS - words * lay.LS_WIDTH + lay.L_WORDS]
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
