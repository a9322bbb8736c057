"""Running a parse table on the machine's frames: what an exit of a scanner's state does to the symbol on top.  See *Parsers* in ``layout``.

The algorithm is that of an LR parser (Knuth 1965; the tables are LALR, DeRemer 1969), run one symbol at a time: a reduction pops as long as
the symbols that the same terminal pushed last, then leads to a state whose exit pops the next symbol of the stack.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay
from .arena import take
from .heap import intern_link, n_links
from .memo import TAG_BACK, TAG_EXIT, TAG_MARK, TAG_PUSH, keep, memo
from .registers import callee_register, returned_register, saved_register
from .states import new_local_state

A_LS = lay.LS
PUSHED = lay.S + 260000  # symbols pushed by one terminal, as local states that name states of the table
MAX_PUSHED = 4096
LOW = lay.S + 265000  # height of the lowest frame that was looked at, see ``rows``
UNSEEN = 1 << 40  # higher than every frame
TRIED = lay.S + 270000  # exit, frame, register, height: still to be looked at
TRIED_WIDTH = 4
MAX_TRIED = 8192
LANDED_WIDTH = lay.ENTRY + 1  # what an exit leads to: an entry, and the height of its frame


@njit(cache=True, nogil=True)
def new_exit(a, parser, column, part, left, goto, then, opens):
    """A fresh exit; -1 with H_ERROR set."""
    at = take(a, lay.H_XT, lay.XT_WIDTH, lay.CAP_XT)
    if at < 0:
        return at
    p = lay.XT + at
    a[p + lay.X_PARSER] = parser
    a[p + lay.X_COLUMN] = column
    a[p + lay.X_PART] = part
    a[p + lay.X_LEFT] = left
    a[p + lay.X_GOTO] = goto
    a[p + lay.X_STATE] = 0
    a[p + lay.X_THEN] = then
    a[p + lay.X_OPENS] = opens
    return at // lay.XT_WIDTH


@njit(cache=True, nogil=True)
def reducing(a, first, left, goto):
    """The local state that pops ``left`` more symbols, looks ``goto`` up and then feeds what the exit ``first`` feeds; -1 on an error."""
    p = memo(a, TAG_EXIT, first, left, goto)
    if a[p] != 0:
        return a[p + 2]
    x = lay.XT + first * lay.XT_WIDTH
    parser = a[x + lay.X_PARSER]
    then = a[x + lay.X_THEN]
    made = new_exit(a, parser, a[x + lay.X_COLUMN], a[x + lay.X_PART], left, goto, then, a[x + lay.X_OPENS])
    if made < 0:
        return made
    q = new_local_state(a)
    at = take(a, lay.H_XL, 1, lay.CAP_XL)
    if q < 0 or at < 0:
        return np.int64(-1)
    a[lay.XL + at] = made
    p = A_LS + q * lay.LS_WIDTH
    a[p + lay.L_FLAGS] = lay.FLAG_ACCEPT
    a[p + lay.L_EXITS] = at
    a[p + lay.L_N_EXITS] = 1
    a[p + lay.L_PARSER] = parser + 1
    a[lay.XT + made * lay.XT_WIDTH + lay.X_STATE] = first  # the terminal's own exit, from which others are numbered
    return keep(a, TAG_EXIT, first, left, goto, q)


@njit(cache=True, nogil=True)
def pushing(a, mark, q):
    """The push state that puts ``mark`` (a local state that names one of the table) below q; -1 on an error."""
    p = memo(a, TAG_PUSH, mark, q, 0)
    if a[p] != 0:
        return a[p + 2]
    made = new_local_state(a)
    at = take(a, lay.H_CL, 2, lay.CAP_CL)
    if made < 0 or at < 0:
        return np.int64(-1)
    a[lay.CL + at] = q | (2 * mark + 1) << 32
    a[lay.CL + at + 1] = -1
    p = A_LS + made * lay.LS_WIDTH
    a[p + lay.L_FLAGS] = lay.FLAG_PURE_CALL | lay.FLAG_PUSH
    a[p + lay.L_CALLS] = at
    a[p + lay.L_N_CALLS] = 1
    a[p + lay.L_FIRST] = a[A_LS + q * lay.LS_WIDTH + lay.L_FIRST]
    a[p + lay.L_PARSER] = a[A_LS + q * lay.LS_WIDTH + lay.L_PARSER]
    return keep(a, TAG_PUSH, mark, q, 0, made)


@njit(cache=True, nogil=True)
def below_pushes(a, n, q):
    """The chain of push states that puts the n marks at PUSHED below q; -1 on an error."""
    while n > 0 and q >= 0:
        n -= 1
        q = pushing(a, a[PUSHED + n], q)
    return q


@njit(cache=True, nogil=True)
def mark_of(a, parser, table_state, opens):
    """The local state that names a state of the table; where that opens a column, the one of its column.  -1 with H_ERROR set."""
    plain = a[lay.PT + parser + lay.PT_STATES] + table_state
    if opens < 0:
        return plain
    p = memo(a, TAG_MARK, plain, opens, 0)
    if a[p] != 0:
        return a[p + 2]
    q = new_local_state(a)
    if q < 0:
        return q
    p = A_LS + q * lay.LS_WIDTH
    a[p + lay.L_EXITS] = table_state
    a[p + lay.L_PARSER] = parser + 1
    a[p + lay.L_KIND] = lay.MARK_INDENT
    a[p + lay.L_COLUMN] = opens
    return keep(a, TAG_MARK, plain, opens, 0, q)


@njit(cache=True, nogil=True)
def begin_of(a, parser, part, lexer):
    """The scanner's state in which a lexeme of a lexer begins after a part; 0 if dead.

    ``NO_PART`` asks only whether the parser takes the terminal, so that any state will do.
    """
    t = lay.PT + parser
    if part == lay.NO_PART:
        return a[t + lay.PT_ENDED]
    return a[lay.PT + a[t + lay.PT_BEGIN] + part * a[t + lay.PT_N_LEXERS] + lexer]


@njit(cache=True, nogil=True)
def feed(a, exit_, mark):
    """What an exit leads to above a symbol: see ``back``; computed from the table."""
    x = lay.XT + exit_ * lay.XT_WIDTH
    parser = a[x + lay.X_PARSER]
    column = a[x + lay.X_COLUMN]
    part = a[x + lay.X_PART]
    left = a[x + lay.X_LEFT]
    first = exit_ if left < 0 else a[x + lay.X_STATE]
    t = lay.PT + parser
    a[PUSHED] = mark
    n = 1
    goto = np.int64(-1)
    if left > 0:
        return reducing(a, first, left - 1, a[x + lay.X_GOTO])
    if left == 0:
        goto = a[x + lay.X_GOTO]
    if column == lay.IGNORED:
        lexer = a[lay.PT + a[t + lay.PT_LEXER] + a[A_LS + mark * lay.LS_WIDTH + lay.L_EXITS]]
        landing = begin_of(a, parser, part, lexer)
        return below_pushes(a, n, landing) if landing > 0 else landing
    columns = a[t + lay.PT_N_COLUMNS]
    while True:
        if n >= MAX_PUSHED:
            a[lay.H_ERROR] = lay.ERR_SCRATCH
            return np.int64(-1)
        top = a[A_LS + a[PUSHED + n - 1] * lay.LS_WIDTH + lay.L_EXITS]
        if goto >= 0:
            top = a[lay.PT + a[t + lay.PT_GOTO] + top * a[t + lay.PT_N_GOTOS] + goto]
            if top < 0:
                return np.int64(0)
            if column == columns - 1 and top == a[t + lay.PT_ACCEPT]:
                return a[t + lay.PT_ENDED]
            a[PUSHED + n] = mark_of(a, parser, top, np.int64(-1))
            n += 1
        action = a[lay.PT + a[t + lay.PT_ACTION] + top * columns + column]
        if action == 0:
            return np.int64(0)
        if action > 0:
            a[PUSHED + n] = mark_of(a, parser, action - 1, a[x + lay.X_OPENS])
            if a[PUSHED + n] < 0:
                return np.int64(-1)
            n += 1
            if a[x + lay.X_THEN] >= 0:  # an indenter has more to say before a lexeme begins
                first = a[x + lay.X_THEN]
                x = lay.XT + first * lay.XT_WIDTH
                column = a[x + lay.X_COLUMN]
                part = a[x + lay.X_PART]
                goto = np.int64(-1)
                continue
            landing = begin_of(a, parser, part, a[lay.PT + a[t + lay.PT_LEXER] + action - 1])
            return below_pushes(a, n, landing) if landing > 0 else landing
        length = a[lay.PT + a[t + lay.PT_LENGTH] - 1 - action]
        goto = a[lay.PT + a[t + lay.PT_LHS] - 1 - action]
        if length >= n:
            return reducing(a, first, length - n, goto)
        n -= length


@njit(cache=True, nogil=True)
def back(a, exit_, symbol):
    """The local state that an exit leads to when it pops a symbol: 0 if dead, -1 with H_ERROR set."""
    p = memo(a, TAG_BACK, exit_, symbol, 0)
    if a[p] != 0:
        return a[p + 2]
    named = A_LS + (symbol >> 1) * lay.LS_WIDTH
    parser = a[lay.XT + exit_ * lay.XT_WIDTH + lay.X_PARSER]
    q = np.int64(0)
    if a[named + lay.L_PARSER] == parser + 1:
        q = feed(a, exit_, symbol >> 1)
    if q < 0:
        return q
    return keep(a, TAG_BACK, exit_, symbol, 0, q)


@njit(cache=True, nogil=True)
def lexer_on(a, frame, height):
    """The lexer of the parser's state on top of a frame, -1 where that is none or several."""
    if frame <= lay.FRAME_UNKNOWN:
        return np.int64(-1)
    note_look(a, height)
    if n_links(a, frame) != 1:
        return np.int64(-1)
    symbol = a[lay.HP + frame + lay.HEADER]
    if symbol < 0:
        return np.int64(-1)
    named = A_LS + (symbol >> 1) * lay.LS_WIDTH
    parser = a[named + lay.L_PARSER] - 1
    if parser < 0:
        return np.int64(-1)
    return a[lay.PT + a[lay.PT + parser + lay.PT_LEXER] + a[named + lay.L_EXITS]]


@njit(cache=True, nogil=True)
def follow_of(a, exit_):
    """Offset in FB of the bytes that can be read after an exit."""
    x = lay.XT + exit_ * lay.XT_WIDTH
    t = lay.PT + a[x + lay.X_PARSER]
    if a[x + lay.X_COLUMN] == a[t + lay.PT_N_COLUMNS] - 1:
        return lay.FB + a[t + lay.PT_AT_END]
    return lay.FB + a[t + lay.PT_FOLLOW] + 8 * a[x + lay.X_PART]


@njit(cache=True, nogil=True)
def may_follow(a, exit_, c):
    """Whether byte c can be read after an exit, on some stack."""
    return (a[follow_of(a, exit_) + (c >> 5)] >> (c & 31)) & 1 != 0


@njit(cache=True, nogil=True)
def note_look(a, height):
    """Note that a fill looked at a frame of a height; see ``rows``."""
    a[LOW] = min(a[LOW], height)


@njit(cache=True, nogil=True)
def run_exit(a, scope, exit_, frame, height, register, out):
    """What an exit leads to on a real frame: entries (local state, need, room, register, frame, height) at ``out``; how many, or -1.

    The states are none that only push or only reduce: those are run, on the frame.  With ``scope`` -1 nothing is written, and the first one
    is enough.  ``height`` is that of the frame, counted from anywhere; those of what is found are counted likewise.
    """
    a[TRIED] = exit_
    a[TRIED + 1] = frame
    a[TRIED + 2] = register
    a[TRIED + 3] = height
    n = np.int64(1)
    found = np.int64(0)
    while n > 0:
        n -= 1
        exit_ = a[TRIED + TRIED_WIDTH * n]
        here = a[TRIED + TRIED_WIDTH * n + 1]
        register = a[TRIED + TRIED_WIDTH * n + 2]
        height = a[TRIED + TRIED_WIDTH * n + 3]
        if here == lay.FRAME_EMPTY or here == lay.FRAME_UNKNOWN:
            continue
        note_look(a, height)
        for j in range(n_links(a, here)):
            p = lay.HP + here + lay.HEADER + j * lay.LINK
            if a[p] < 0:
                continue
            q = back(a, exit_, a[p])
            if q < 0:
                return q
            if q == 0:
                continue
            need = a[p + 1]
            room = a[p + 2]
            below = a[p + 4]
            level = height - 1
            inside = register
            if scope >= 0:
                inside = returned_register(a, scope, a[p + 3], register)
                if inside < 0:
                    return np.int64(-1)
            at = A_LS + q * lay.LS_WIDTH
            if a[at + lay.L_N_EXITS] > 0 and not a[at + lay.L_FLAGS] & lay.FLAG_PUSH:
                if TRIED_WIDTH * (n + 1) > MAX_TRIED:
                    a[lay.H_ERROR] = lay.ERR_SCRATCH
                    return np.int64(-1)
                a[TRIED + TRIED_WIDTH * n] = a[lay.XL + a[at + lay.L_EXITS]]
                a[TRIED + TRIED_WIDTH * n + 1] = below
                a[TRIED + TRIED_WIDTH * n + 2] = inside
                a[TRIED + TRIED_WIDTH * n + 3] = level
                n += 1
                continue
            if scope < 0:
                return np.int64(1)
            while a[at + lay.L_FLAGS] & lay.FLAG_PUSH:
                callee = a[lay.CL + a[at + lay.L_CALLS]]
                below = intern_link(a, scope, (callee >> 32) - 1, need, room, saved_register(a, inside), below)
                inside = callee_register(a, scope, inside)
                if below < 0 or inside < 0:
                    return np.int64(-1)
                q = callee & 0xFFFFFFFF
                level += 1
                need = np.int64(0)
                room = np.int64(lay.UNBOUNDED)
                at = A_LS + q * lay.LS_WIDTH
            if (found + 1) * LANDED_WIDTH > MAX_TRIED:
                a[lay.H_ERROR] = lay.ERR_SCRATCH
                return np.int64(-1)
            a[out] = q
            a[out + 1] = need
            a[out + 2] = room
            a[out + 3] = inside
            a[out + 4] = below
            a[out + 5] = level
            out += LANDED_WIDTH
            found += 1
    return found


@njit(cache=True, nogil=True)
def takes(a, exit_, frame, height):
    """Whether the parser's stack ``frame`` takes what an exit feeds: 1 or 0, -1 with H_ERROR set."""
    return run_exit(a, np.int64(-1), exit_, frame, height, np.int64(0), np.int64(0))
