"""What an indenter makes of the exits of newlines and of the end of the text, from the columns and brackets that a parser's stack holds.

See ``grammar.lark.indentation`` for what an indenter does.  An indent is shifted as a state of the table that is named together with its column
(``parser.mark_of``), so the open columns are those of the marks on the stack whose block is not closed; the column of an open newline is counted by
the entry's own counter.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay
from .heap import n_links
from .memo import TAG_SETTLED, keep, memo
from .parser import MAX_PUSHED, new_exit, note_look, takes

A_LS = lay.LS
COLUMNS = lay.S + 265200  # open columns, innermost first
MAX_COLUMNS = 2000
EVERY = -2  # of ``open_columns``: those below an open bracket, too
INNERMOST = 1 << 40  # the innermost alone


@njit(cache=True, nogil=True)
def hangs_on_column(a, exit_):
    """Whether an indenter has a say in what an exit feeds: a newline's, and that of the end of the text."""
    x = lay.XT + exit_ * lay.XT_WIDTH
    if a[x + lay.X_LEFT] != -1:
        return False
    t = lay.PT + a[x + lay.X_PARSER]
    newline = a[t + lay.PT_NEWLINE]
    column = a[x + lay.X_COLUMN]
    return newline >= 0 and (column == newline or column == a[t + lay.PT_N_COLUMNS] - 1)


@njit(cache=True, nogil=True)
def settled(a, exit_, opens, dedents):
    """The exit that feeds what ``exit_`` feeds, and an indent to column ``opens`` (-1: none) or some dedents; -1 with H_ERROR set.

    At a newline they follow its terminal, at the end of the text they come before.
    """
    p = memo(a, TAG_SETTLED, exit_, opens + 1, dedents)
    if a[p] != 0:
        return a[p + 2]
    x = lay.XT + exit_ * lay.XT_WIDTH
    parser = a[x + lay.X_PARSER]
    part = a[x + lay.X_PART]
    column = a[x + lay.X_COLUMN]
    t = lay.PT + parser
    none = np.int64(-1)
    left = np.int64(lay.SETTLED)
    at_end = column == a[t + lay.PT_N_COLUMNS] - 1
    then = none
    if at_end:
        then = new_exit(a, parser, column, part, left, none, none, none)
    if opens >= 0:
        then = new_exit(a, parser, a[t + lay.PT_INDENT], part, left, none, none, opens)
    for _ in range(dedents):
        if a[lay.H_ERROR] != 0:
            return none
        then = new_exit(a, parser, a[t + lay.PT_DEDENT], part, left, none, then, none)
    if not at_end:
        then = new_exit(a, parser, column, part, left, none, then, none)
    if a[lay.H_ERROR] != 0:
        return none
    return keep(a, TAG_SETTLED, exit_, opens + 1, dedents, then)


@njit(cache=True, nogil=True)
def swallowed(a, exit_):
    """The exit of a newline that the parser never sees; -1 with H_ERROR set."""
    p = memo(a, TAG_SETTLED, exit_, 0, MAX_PUSHED)
    if a[p] != 0:
        return a[p + 2]
    x = lay.XT + exit_ * lay.XT_WIDTH
    none = np.int64(-1)
    made = new_exit(a, a[x + lay.X_PARSER], np.int64(lay.IGNORED), a[x + lay.X_PART], none, none, none, none)
    return keep(a, TAG_SETTLED, exit_, 0, MAX_PUSHED, made) if made >= 0 else made


@njit(cache=True, nogil=True)
def open_columns(a, frame, height, column):
    """Write the open columns of a parser's stack to COLUMNS, innermost first; returns their number, or -1 - it within brackets.

    Those further out than the first that is at most ``column`` are left out, and those below an open bracket unless it is ``EVERY``.
    Rules are balanced in brackets and in indents, so a bracket that is open lies above all columns that were opened before it.
    """
    n = np.int64(0)
    closed = 0
    ended = 0
    inside = False
    while frame > lay.FRAME_UNKNOWN:
        note_look(a, height)
        link = lay.HP + frame + lay.HEADER
        named = A_LS + (a[link] >> 1) * lay.LS_WIDTH
        if a[link] < 0 or a[named + lay.L_PARSER] == 0:
            break
        kind = a[named + lay.L_KIND]
        if kind == lay.MARK_CLOSE:
            closed += 1
        elif kind == lay.MARK_OPEN:
            if closed > 0:
                closed -= 1
            else:
                inside = True
                if column != EVERY:
                    break
        elif kind == lay.MARK_DEDENT:  # its block is closed, though not reduced yet
            ended += 1
        elif kind == lay.MARK_INDENT and ended > 0:
            ended -= 1
        elif kind == lay.MARK_INDENT:
            a[COLUMNS + n] = a[named + lay.L_COLUMN]
            n += 1
            if n == MAX_COLUMNS:
                a[lay.H_ERROR] = lay.ERR_SCRATCH
                break
            if a[COLUMNS + n - 1] <= column:
                break
        frame = a[link + 4]
        height -= 1
    return -1 - n if inside else n


@njit(cache=True, nogil=True)
def settle(a, exit_, frame, height, room):
    """What an indenter makes of an exit that hangs on a column: an exit, -1 with H_ERROR set, or -2 where it rejects the text.

    ``room`` is that of the entry: COLUMN_BASE less the column behind the lexeme's last newline, more than that without one.
    """
    x = lay.XT + exit_ * lay.XT_WIDTH
    if a[x + lay.X_COLUMN] != a[lay.PT + a[x + lay.X_PARSER] + lay.PT_NEWLINE]:
        n = open_columns(a, frame, height, np.int64(EVERY))
        return settled(a, exit_, np.int64(-1), -1 - n if n < 0 else n)
    column = lay.COLUMN_BASE - room
    n = open_columns(a, frame, height, column if column >= 0 else np.int64(INNERMOST))
    if n < 0:
        return swallowed(a, exit_)
    if column < 0:
        return np.int64(-2)
    dedents = np.int64(0)
    while dedents < n and a[COLUMNS + dedents] > column:
        dedents += 1
    found = a[COLUMNS + dedents] if dedents < n else np.int64(0)
    if column == found:
        return settled(a, exit_, np.int64(-1), dedents)
    if dedents > 0:
        return np.int64(-2)
    return settled(a, exit_, column, np.int64(0))


@njit(cache=True, nogil=True)
def may_end_on(a, exit_, frame):
    """Whether the first of what the end of the text feeds can be read on some top of the stack; True for a newline's exit."""
    x = lay.XT + exit_ * lay.XT_WIDTH
    parser = a[x + lay.X_PARSER]
    t = lay.PT + parser
    columns = a[t + lay.PT_N_COLUMNS]
    if a[x + lay.X_COLUMN] != columns - 1:
        return True
    for j in range(n_links(a, frame)):
        symbol = a[lay.HP + frame + lay.HEADER + j * lay.LINK]
        named = A_LS + (symbol >> 1) * lay.LS_WIDTH
        if symbol >= 0 and a[named + lay.L_PARSER] == parser + 1:
            row = lay.PT + a[t + lay.PT_ACTION] + a[named + lay.L_EXITS] * columns
            if a[row + columns - 1] != 0 or a[row + a[t + lay.PT_DEDENT]] != 0:
                return True
    return False


@njit(cache=True, nogil=True)
def takes_end(a, exit_, frame, height):
    """Whether the stack takes what an indenter makes of the end of the text: 1 or 0, -1 with H_ERROR set."""
    if not may_end_on(a, exit_, frame):
        note_look(a, height)
        return np.int64(0)
    n = open_columns(a, frame, height, np.int64(EVERY))
    which = settled(a, exit_, np.int64(-1), -1 - n if n < 0 else n)
    return takes(a, which, frame, height) if which >= 0 else which


@njit(cache=True, nogil=True)
def takes_newline(a, exit_, frame, height, column, facts):
    """Whether the stack takes what an indenter makes of a newline, at ``column`` or behind it: 1 or 0, -1 with H_ERROR set.

    Blanks may follow a newline, so that its lexeme can get every greater column.  A ``column`` of -1 stands for one that is not known yet.
    At ``facts`` three words keep what is known of the frame, 0 where that is nothing: whether the newline alone is taken, plus 1; 1 within brackets, else
    the innermost open column, plus 2; whether an indent is taken, plus 1.
    """
    if a[facts] == 0:  # whatever follows the newline's terminal, it is fed first
        which = settled(a, exit_, np.int64(-1), np.int64(0))
        taken = takes(a, which, frame, height) if which >= 0 else which
        if taken < 0:
            return taken
        a[facts] = taken + 1
    alone = a[facts] == 2
    if alone and column < 0:
        return np.int64(1)
    if a[facts + 1] == 0:
        n = open_columns(a, frame, height, np.int64(INNERMOST))
        a[facts + 1] = 1 if n < 0 else (a[COLUMNS] if n > 0 else 0) + 2
    if a[facts + 1] == 1:
        return np.int64(1)
    if not alone or column <= a[facts + 1] - 2:
        return np.int64(alone)
    if a[facts + 2] == 0:
        which = settled(a, exit_, np.int64(0), np.int64(0))  # at whatever column
        taken = takes(a, which, frame, height) if which >= 0 else which
        if taken < 0:
            return taken
        a[facts + 2] = taken + 1
    return a[facts + 2] - 1
