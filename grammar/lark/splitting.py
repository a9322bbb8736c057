"""Dropping traps: the parse table is split until every state knows which terminals lead on, and those that do not are taken out of its row.

A state of the new table is one of the old with a place of ``futures``, that is, with all that the future hangs on of the stack below.  So a row holds a
terminal only if some text follows it, whatever was merged or resolved when the table was built, and a lexer begins no lexeme behind which none can come.  Which terminals
compete is still a matter of the old state.  The language stays the same.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import LimitExceeded
from ..parsing import follow_of
from .futures import Futures
from .scanner import LarkTables

MOST_STATES = 60_000
"""States of a split table; a grammar of Verilog's size has 5,292."""


class Splitting:
    """A grammar's tables without their traps.

    Attributes:
        tables: the new ones.
        is_live: whether no prefix that they allow is a trap.  Exact but for two things: that a stack may never be met, and that one lexeme may still be ignored
            though nothing can follow it.

    """

    def __init__(self, read: LarkTables) -> None:
        """Split the tables.

        Raises:
            LimitExceeded: there are more than ``MOST_STATES`` states.
            Unsupported: there is an indenter.

        """
        self._read = read
        self._futures = Futures(read)
        self._pairs: list[tuple[int, int]] = []  # (place, state of the old table)
        self._number: dict[tuple[int, int], int] = {}
        self._begins: dict[tuple[int, int], list[int]] = {}
        self.tables = self._split()
        self.is_live = not self._has_traps()

    def _pair(self, under: int, state: int) -> int:
        """The new state that stands for an old one on top of a stack of some place."""
        key = (self._futures.push(under, state), state)
        found = self._number.setdefault(key, len(self._pairs))
        if found == len(self._pairs):
            if found >= MOST_STATES:
                raise LimitExceeded(
                    f"without its traps the parse table has more than {MOST_STATES} states",
                    limit="MOST_STATES",
                    value=MOST_STATES,
                    hint="leave traps='drop' out, and look at report.live",
                )
            self._pairs.append(key)
        return found

    def _takes(self, pair: int) -> int:
        return self._futures.places[self._pairs[pair][0]].takes

    def _split(self) -> LarkTables:
        lalr, scanner, futures = self._read.lalr, self._read.scanner, self._futures
        old_action, old_goto = lalr.action.tolist(), lalr.goto.tolist()
        action, goto = [], []
        start = self._pair(0, lalr.start)
        while len(action) < len(self._pairs):
            place, state = self._pairs[len(action)]
            takes = futures.places[place].takes
            row = [0] * lalr.action.shape[1]
            for t, act in enumerate(old_action[state]):
                if act and takes & futures.of_column[t]:
                    row[t] = act if act < 0 else self._pair(place, act - 1) + 1
            action.append(row)
            goto.append([self._pair(place, x) if x >= 0 else -1 for x in old_goto[state]])
        lexers: dict[tuple[int, ...], int] = {}
        lexer_of = [self._lexer(pair, lexers) for pair in range(len(self._pairs))]
        begin = np.array(list(lexers), np.int64).reshape(len(lexers), -1).T
        accept = goto[start][lalr.goto[lalr.start].tolist().index(lalr.accept)]
        new = replace(
            lalr,
            action=np.array(action, np.int32),
            goto=np.array(goto, np.int32),
            start=start,
            accept=accept,
            lexer_of=np.array(lexer_of, np.int32),
        )
        follow = follow_of(begin, scanner.edges, scanner.n_locals)
        return replace(self._read, lalr=new, scanner=replace(scanner, begin=begin, follow=follow))

    def _lexer(self, pair: int, lexers: dict[tuple[int, ...], int]) -> int:
        """The lexer of a new state: the old one's beginnings, as far as they lead on."""
        lexer = int(self._read.lalr.lexer_of[self._pairs[pair][1]])
        if lexer < 0:
            return -1
        takes = self._takes(pair)
        begins = self._begins.get((lexer, takes))
        if begins is None:
            old = self._read.scanner.begin[:, lexer].tolist()
            begins = self._begins[lexer, takes] = [
                q if q >= 0 and self._futures.leads(q, lexer) & takes else -1 for q in old
            ]
        return lexers.setdefault(tuple(begins), len(lexers))

    def _has_traps(self) -> bool:
        """Whether an entry is kept that has no future: its lexeme may become a terminal that the row holds, or an ignored one."""
        scanner, futures = self.tables.scanner, self._futures
        end = len(futures.of_column) - 1
        successors: dict[int, set[int]] = {}
        for source, target in np.unique(scanner.edges[:, [0, 3]], axis=0).tolist():
            successors.setdefault(source, set()).add(target)
        reach = [np.flatnonzero(row).tolist() for row in scanner.reach[:, :-1]]
        ignored, may_end = scanner.reach[:, -1].tolist(), scanner.may_end.tolist()
        for (lexer, takes), begins in self._begins.items():
            work = [q for q in set(begins) if q >= 0]
            seen = set(work)
            while work:
                q = work.pop()
                kept = (
                    ignored[q]
                    or any(takes & futures.of_column[t] for t in reach[q])
                    or (may_end[q] and takes & futures.of_column[end])
                )
                if not kept:
                    continue
                if not futures.leads(q, lexer) & takes:
                    return True
                fresh = successors.get(q, set()) - seen
                seen |= fresh
                work += fresh
        return False


__all__ = ["Splitting"]
