"""Whether the lexeme that is open can still become a terminal that the parser's stack takes.

A row of an LALR table holds terminals that the exact context does not allow, so a scanner's state can be without a future although its lexeme can be
finished.  Mostly the top of the stack tells: it shifts such a terminal, or the lexeme may be ignored.  Else the table is run.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay
from .heap import n_links
from .indenter import hangs_on_column, takes_end, takes_newline
from .parser import LOW, UNSEEN, note_look, takes

A_LS = lay.LS
BITS = 32  # of a word of FB
# What is known of a frame, as long as it is sure to be the same one: frame and parser, turn, how far below it was looked, three words of
# ``indenter.takes_newline``, the terminals that it takes, those that it does not.
TURN = lay.S + 265001
TAKEN = lay.S + 42_000_000
TAKEN_SLOTS = 1 << 9
FACTS = 3
TAKEN_HEAD = 6
MOST_WORDS = 14  # that is, of up to 446 terminals
TAKEN_WIDTH = TAKEN_HEAD + 2 * MOST_WORDS


@njit(cache=True, nogil=True)
def hangs_on_stack(a, q, symbol):
    """Whether only the stack tells if the open lexeme can be finished in a scanner's state q, with ``symbol`` (-1: unknown) on top."""
    p = A_LS + q * lay.LS_WIDTH
    if a[p + lay.L_REACH] < 0:
        return False
    reach = lay.FB + a[p + lay.L_REACH]
    t = lay.PT + a[p + lay.L_PARSER] - 1
    ignored = a[t + lay.PT_N_COLUMNS]
    if (a[reach + (ignored >> 5)] >> (ignored & 31)) & 1:
        return False
    if symbol < 0:
        return True
    named = a[A_LS + (symbol >> 1) * lay.LS_WIDTH + lay.L_EXITS]
    shifts = lay.FB + a[t + lay.PT_SHIFTS] + named * a[t + lay.PT_BITS]
    newline = a[t + lay.PT_NEWLINE]
    for i in range(a[t + lay.PT_BITS]):
        common = a[reach + i] & a[shifts + i]
        if i == newline >> 5 and not a[p + lay.L_FLAGS] & lay.FLAG_AGAIN:  # that hangs on its column, too
            common &= ~(np.int64(1) << (newline & 31))
        if common:
            return False
    return True


@njit(cache=True, nogil=True)
def forget_taken(a):
    """Forget what ``can_take`` found out: frames may mean something else now."""
    a[TURN] += 1


@njit(cache=True, nogil=True)
def taken_of(a, parser, frame, words):
    """Where TAKEN keeps what is known of a frame, begun anew if nothing is."""
    p = TAKEN + (frame * 0x9E3779B1 >> 12 & (TAKEN_SLOTS - 1)) * TAKEN_WIDTH
    key = frame | (parser + 1) << 36
    if a[p] != key or a[p + 1] != a[TURN]:
        a[p] = key
        a[p + 1] = a[TURN]
        for i in range(2, TAKEN_HEAD + 2 * min(words, MOST_WORDS)):
            a[p + i] = 0
    return p


@njit(cache=True, nogil=True)
def can_take(a, q, frame, height, room):
    """Whether a terminal that the open lexeme of scanner state q may become is one that the stack takes: 1 or 0, -1 with H_ERROR set.

    ``room`` is that of the entry, for the column of an open newline; ``height`` that of the frame, see ``rows``.
    """
    p = A_LS + q * lay.LS_WIDTH
    if a[p + lay.L_REACH] < 0:
        return np.int64(1)
    note_look(a, height)
    for j in range(n_links(a, frame)):
        symbol = a[lay.HP + frame + lay.HEADER + j * lay.LINK]
        if symbol >= 0 and not hangs_on_stack(a, q, symbol):
            return np.int64(1)
    parser = a[p + lay.L_PARSER] - 1
    t = lay.PT + parser
    reach = lay.FB + a[p + lay.L_REACH]
    words = a[t + lay.PT_BITS]
    known = words <= MOST_WORDS
    slot = taken_of(a, parser, frame, words)
    note_look(a, height - a[slot + 2])
    if known:
        for i in range(words):
            if a[reach + i] & a[slot + TAKEN_HEAD + i]:
                return np.int64(1)
    low = a[LOW]
    a[LOW] = UNSEEN
    taken = np.int64(0)
    columns = a[t + lay.PT_N_COLUMNS]
    for i in range(words):
        bits = a[reach + i]
        if known:
            bits &= ~a[slot + TAKEN_HEAD + words + i]
        column = BITS * i
        while bits != 0 and column < columns:
            if bits & 1:
                exit_ = plain_exit(a, parser, column)
                if not hangs_on_column(a, exit_):
                    taken = takes(a, exit_, frame, height)
                    if known and taken >= 0:
                        place = slot + TAKEN_HEAD + i if taken else slot + TAKEN_HEAD + words + i
                        a[place] |= np.int64(1) << (column - BITS * i)
                elif column == columns - 1:
                    taken = takes_end(a, exit_, frame, height)
                else:
                    again = a[p + lay.L_FLAGS] & lay.FLAG_AGAIN != 0 or room > lay.COLUMN_BASE
                    least = np.int64(-1) if again else lay.COLUMN_BASE - room
                    taken = takes_newline(a, exit_, frame, height, least, slot + FACTS)
                if taken != 0:
                    break
            bits >>= 1
            column += 1
        if taken != 0:
            break
    if a[LOW] < UNSEEN:
        a[slot + 2] = max(a[slot + 2], height - a[LOW])
    a[LOW] = min(a[LOW], low)
    return taken


@njit(cache=True, nogil=True)
def plain_exit(a, parser, column):
    """The exit of a terminal without a part; the loader made one per column, in their order."""
    return a[lay.PT + parser + lay.PT_PLAIN] + column
