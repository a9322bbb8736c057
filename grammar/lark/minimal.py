"""Controls without dead ends, and without two local states or parts that no text tells apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .controls import DEAD, Controls

_Int = npt.NDArray[np.int64]
_Bool = npt.NDArray[np.bool_]


class Table(NamedTuple):
    """Controls as arrays over character classes; -1 is dead everywhere.

    Attributes:
        row: int64[n_locals, n_classes], the next local.
        exit: int64[n_locals, n_types + 1], the part that is left if the lexeme ends as this type; the last column is the
            ignored ones'.
        begin: int64[n_parts, n_lexers], the first local; part 0 is the one at the beginning of the text.
        may_end: bool[n_locals].

    """

    row: _Int
    exit: _Int
    begin: _Int
    may_end: _Bool


def table(controls: Controls, n_classes: int, n_types: int, n_lexers: int) -> Table:
    """The arrays of controls as they were built."""
    n = len(controls.locals)
    row = np.full((n, n_classes), DEAD, np.int64)
    members: dict[int, _Int] = {}
    for here, moves in enumerate(controls.rows):
        for mask, target in moves:
            if mask not in members:
                members[mask] = np.array([k for k in range(n_classes) if mask >> k & 1], np.int64)
            row[here, members[mask]] = target
    leave = np.full((n, n_types + 1), DEAD, np.int64)
    for here, exits in enumerate(controls.exits):
        for kind, part in exits.items():
            leave[here, kind] = part
    begin = np.full((len(controls.parts), n_lexers), DEAD, np.int64)
    for (part, lexer), local in controls.begin.items():
        begin[part, lexer] = local
    return Table(row, leave, begin, np.array(controls.may_end, np.bool_))


def live(full: Table) -> Table:
    """Drop what cannot lead to the end of a lexeme that some lexeme, or the end of the text, may follow.

    This looks at the controls alone, under any stack; it does not make every configuration that is left alive.
    """
    alive = full.may_end.copy()
    count = -1
    while count != int(alive.sum()):
        count = int(alive.sum())
        known = np.append(alive, np.False_)  # -1 is the last: dead
        part = np.append(known[full.begin].any(axis=1), np.False_)
        alive |= known[full.row].any(axis=1) | part[full.exit].any(axis=1)
    known = np.append(alive, np.False_)
    part = np.append(known[full.begin].any(axis=1), np.False_)
    return Table(
        np.where(known[full.row], full.row, DEAD),
        np.where(part[full.exit], full.exit, DEAD),
        np.where(known[full.begin], full.begin, DEAD),
        full.may_end,
    )


def live_under(full: Table, wanted: _Bool, nexts: _Bool, swallowed: int = -1) -> Table:
    """Drop what leads nowhere under any stack, as far as one sees without the parser's rules.

    Within a lexeme of a lexer, only terminals lead on that some state with this lexer has an action for, and only to the lexers behind them.  So a
    lexeme is dropped behind which an ignored one takes away what alone may follow.

    Args:
        full: the table.
        wanted: bool[n_lexers, n_types + 1]: the columns with an action, the end of the text last.
        nexts: bool[n_types, n_lexers]: the lexers of the states that a terminal is shifted to.
        swallowed: a type that the parser may see, or not, as if it were ignored; -1 for none.

    """
    n, n_types = len(full.row), full.exit.shape[1] - 1
    lexer = np.arange(len(wanted))
    wants = _packed(wanted.T)
    here, place = np.nonzero(full.row != DEAD)
    pairs = np.unique(here * n + full.row[here, place])
    source, first = np.unique(pairs // n, return_index=True)
    target = pairs % n
    owner, kind = np.nonzero(full.exit != DEAD)
    part = full.exit[owner, kind]
    ignored = kind == n_types
    own, own_first = np.unique(owner, return_index=True)
    unseen = ignored | (kind == swallowed)
    follow = np.append(nexts, np.zeros((1, len(wanted)), np.bool_), axis=0)[kind]
    alive = np.zeros((n + 1, wants.shape[1]), np.uint64)  # bit sets of lexers; the last row is -1: dead
    alive[:n][full.may_end] = wants[n_types]
    begins: _Bool = np.zeros(full.begin.shape, np.bool_)
    count = -1
    while count != int(begins.sum()):
        count = int(begins.sum())
        leads: _Bool = np.asarray((begins[part] & follow).any(axis=1), np.bool_)
        if len(own):
            added = np.where(unseen[:, None], _packed(begins)[part], np.uint64(0))
            added |= np.where(ignored[:, None], np.uint64(0), wants[kind] * leads[:, None])
            alive[own] |= np.bitwise_or.reduceat(added, own_first, axis=0)
        _spread(alive, source, first, target)
        begins = np.asarray(alive[full.begin, lexer >> 6] >> (lexer & 63).astype(np.uint64) & np.uint64(1) != 0)
    known: _Bool = np.asarray(alive.any(axis=1), np.bool_)
    leads |= unseen & begins[part].any(axis=1)
    leave = np.full_like(full.exit, DEAD)
    leave[owner[leads], kind[leads]] = part[leads]
    return Table(np.where(known[full.row], full.row, DEAD), leave, np.where(begins, full.begin, DEAD), full.may_end)


def _packed(facts: _Bool) -> npt.NDArray[np.uint64]:
    """The last axis as bits of words."""
    padded = np.zeros((len(facts), -(-facts.shape[1] // 64) * 64), np.bool_)
    padded[:, : facts.shape[1]] = facts
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


def _spread(facts: npt.NDArray[np.uint64], source: _Int, first: _Int, target: _Int) -> None:
    """What holds behind an edge holds before it, by a fixed point."""
    if not len(source):
        return
    while True:
        more = facts[source] | np.bitwise_or.reduceat(facts[target], first, axis=0)
        if (more == facts[source]).all():
            return
        facts[source] = more


def _blocks(rows: _Int) -> _Int:
    """Equal rows get equal numbers, in the order of their first places."""
    number: dict[bytes, int] = {}
    return np.array([number.setdefault(x.tobytes(), len(number)) for x in np.ascontiguousarray(rows)], np.int64)


def minimise(full: Table) -> Table:
    """The coarsest partition of locals and parts that agrees with moves, exits, beginnings and ends (Moore 1956).

    Local states and parts that nothing reaches any more are dropped.  Exits of one type under one stack have been united by the
    controls, so that locals are compared by one part for each type.
    """
    reached, left = _reached(full)
    number = np.append(np.where(reached, np.cumsum(reached) - 1, DEAD), DEAD)
    part_number = np.append(np.where(left, np.cumsum(left) - 1, DEAD), DEAD)
    row, leave, may_end = number[full.row][reached], part_number[full.exit][reached], full.may_end[reached]
    begin = number[full.begin][left]
    local = _blocks(np.column_stack([may_end, leave != DEAD]))
    part = np.zeros(len(begin), np.int64)
    count = (0, 0)
    while count != (int(local.max(initial=0)), int(part.max())):
        count = (int(local.max(initial=0)), int(part.max()))
        lookup = np.append(local, DEAD)
        part = _blocks(lookup[begin])
        local = _blocks(np.column_stack([local, lookup[row], np.append(part, DEAD)[leave]]))
    first_local = np.unique(local, return_index=True)[1]
    first_part = np.unique(part, return_index=True)[1]
    lookup, parts = np.append(local, DEAD), np.append(part, DEAD)
    return Table(lookup[row[first_local]], parts[leave[first_local]], lookup[begin[first_part]], may_end[first_local])


def _reached(full: Table) -> tuple[_Bool, _Bool]:
    """The local states and the parts that the beginning of the text leads to, whatever the stack."""
    reached = np.zeros(len(full.row) + 1, np.bool_)  # the last ones: dead
    parts = np.zeros(len(full.begin) + 1, np.bool_)
    parts[0] = True
    count = -1
    while count != int(reached.sum()):
        count = int(reached.sum())
        reached[full.begin[parts[:-1]]] = True
        reached[DEAD] = False
        reached[full.row[reached[:-1]]] = True
        parts[full.exit[reached[:-1]]] = True
        parts[DEAD] = reached[DEAD] = False
    return reached[:-1], parts[:-1]
