"""Whether the lexeme that is open can still become a terminal that the parser's stack takes.

A row of an LALR table holds terminals that the exact context does not allow, so a scanner's state can be without a future although its lexeme can be
finished.  Mostly the top of the stack tells: it shifts such a terminal, or the lexeme may be ignored.  Else the table is run.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay
from .heap import n_links
from .indenter import hangs_on_column, takes_at_some_column
from .parser import note_look, takes

A_LS = lay.LS


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
def can_take(a, q, frame, room):
    """Whether a terminal that the open lexeme of scanner state q may become is one that the stack takes: 1 or 0, -1 with H_ERROR set.

    ``room`` is that of the entry, for the column of an open newline.
    """
    p = A_LS + q * lay.LS_WIDTH
    if a[p + lay.L_REACH] < 0:
        return np.int64(1)
    note_look(a, frame)
    for j in range(n_links(a, frame)):
        symbol = a[lay.HP + frame + lay.HEADER + j * lay.LINK]
        if symbol >= 0 and not hangs_on_stack(a, q, symbol):
            return np.int64(1)
    parser = a[p + lay.L_PARSER] - 1
    t = lay.PT + parser
    reach = lay.FB + a[p + lay.L_REACH]
    for column in range(a[t + lay.PT_N_COLUMNS]):
        if (a[reach + (column >> 5)] >> (column & 31)) & 1:
            exit_ = plain_exit(a, parser, column)
            if hangs_on_column(a, exit_):
                again = a[p + lay.L_FLAGS] & lay.FLAG_AGAIN != 0 or room > lay.COLUMN_BASE
                taken = takes_at_some_column(a, exit_, frame, np.int64(-1) if again else lay.COLUMN_BASE - room)
            else:
                taken = takes(a, exit_, frame)
            if taken != 0:
                return taken
    return np.int64(0)


@njit(cache=True, nogil=True)
def plain_exit(a, parser, column):
    """The exit of a terminal without a part; the loader made one per column, in their order."""
    return a[lay.PT + parser + lay.PT_PLAIN] + column
