"""Dropping traps: the parse table is split until every state knows which terminals lead on, and those that do not are taken out of its row.

A state of the new table is one of the old with a place of ``futures``, that is, with all that the future hangs on of the stack below.  So a row holds a
terminal only if some text follows it, whatever was merged or resolved when the table was built, and a lexer begins no lexeme behind which none can come.  Which terminals
compete is still a matter of the old state.  The language stays the same.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..errors import LimitExceeded
from ..parsing import Scanner, follow_of, reach_of
from .futures import Futures
from .scanner import LarkTables

MOST_STATES = 60_000
"""States of a split table; a grammar of Verilog's size has 5,292."""


class Splitting:
    """A grammar's tables without their traps: every entry that the machine keeps on them can be completed.

    Attributes:
        tables: the new ones.

    """

    def __init__(self, read: LarkTables) -> None:
        """Split the tables.

        Raises:
            LimitExceeded: there are more than ``MOST_STATES`` states.
            Unsupported: there is an indenter.

        """
        self._read = read
        scanner = read.scanner
        self._futures = Futures(read)
        self._pairs: list[tuple[int, int]] = []  # (place, state of the old table)
        self._number: dict[tuple[int, int], int] = {}
        self._begins: dict[tuple[int, int], tuple[int, ...]] = {}
        self._copies: list[tuple[int, dict[int, int]]] = []  # (scanner's state, what its targets become)
        self._successors: list[list[int]] = [[] for _ in range(scanner.n_locals)]
        for source, target in np.unique(scanner.edges[:, [0, 3]], axis=0).tolist():
            self._successors[source].append(target)
        self._reach = [np.flatnonzero(row).tolist() for row in scanner.reach[:, :-1]]
        self.tables = self._split()

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
        lalr, futures = self._read.lalr, self._futures
        old_action, old_goto = lalr.action.tolist(), lalr.goto.tolist()
        action: list[list[int]] = []
        goto: list[list[int]] = []
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
        return replace(self._read, lalr=new, scanner=self._scanner(begin))

    def _lexer(self, pair: int, lexers: dict[tuple[int, ...], int]) -> int:
        """The lexer of a new state: the old one's beginnings, as far as they lead on."""
        lexer = int(self._read.lalr.lexer_of[self._pairs[pair][1]])
        if lexer < 0:
            return -1
        takes = self._takes(pair)
        key = (lexer, takes)
        if key not in self._begins:
            self._begins[key] = self._made(lexer, takes)
        return lexers.setdefault(self._begins[key], len(lexers))

    def _made(self, lexer: int, takes: int) -> tuple[int, ...]:
        """The scanner's states in which lexemes begin above stacks that take some feeds.

        Where one may still be ignored but nothing can come behind it, the machine would not see that: then they are copies without it.
        """
        leads = self._futures.leads
        begins = [q if q >= 0 and leads(q, lexer) & takes else -1 for q in self._read.scanner.begin[:, lexer].tolist()]
        seen = {q for q in begins if q >= 0}
        work = list(seen)
        is_plain = True
        while work:
            for q in self._successors[work.pop()]:
                if q not in seen and leads(q, lexer) & takes:
                    seen.add(q)
                    work.append(q)
                elif q not in seen and self._is_kept(q, takes):
                    is_plain = False
        if is_plain:
            return tuple(begins)
        first = self._read.scanner.n_locals + len(self._copies)
        copy = {q: first + k for k, q in enumerate(sorted(seen))}
        self._copies += [(q, copy) for q in copy]
        return tuple(copy.get(q, -1) for q in begins)

    def _is_kept(self, local: int, takes: int) -> bool:
        """Whether the machine keeps a scanner's state: its lexeme may become a terminal that the row holds, or an ignored one."""
        scanner, of_column = self._read.scanner, self._futures.of_column
        return (
            bool(scanner.reach[local, -1])
            or any(takes & of_column[t] for t in self._reach[local])
            or bool(scanner.may_end[local] and takes & of_column[-1])
        )

    def _scanner(self, begin: npt.NDArray[np.int64]) -> Scanner:
        """The scanner with the copies behind its own states."""
        old = self._read.scanner
        edges, exits = [old.edges], [np.arange(len(old.exit_type))]
        for k, (q, copy) in enumerate(self._copies):
            own = old.edges[np.searchsorted(old.edges[:, 0], q) : np.searchsorted(old.edges[:, 0], q + 1)].copy()
            own[:, 0] = old.n_locals + k
            own[:, 3] = [copy.get(x, -1) for x in own[:, 3].tolist()]
            edges.append(own[own[:, 3] >= 0])
            exits.append(np.arange(old.exit_start[q], old.exit_start[q + 1]))
        copied = [q for q, _ in self._copies]
        listed = np.concatenate(exits)
        ends = np.concatenate(
            [old.exit_start, old.exit_start[-1] + np.cumsum([len(x) for x in exits[1:]], dtype=np.int64)]
        )
        joined = np.concatenate(edges)
        reach = np.zeros((len(ends) - 1, old.reach.shape[1]), np.bool_)
        reach[np.repeat(np.arange(len(ends) - 1), np.diff(ends)), old.exit_type[listed]] = True
        return replace(
            old,
            edges=joined,
            exit_start=ends,
            exit_type=old.exit_type[listed],
            exit_part=old.exit_part[listed],
            begin=begin,
            may_end=np.concatenate([old.may_end, old.may_end[copied]]),
            follow=follow_of(begin, joined, len(ends) - 1),
            reach=reach_of(reach, joined),
        )


__all__ = ["Splitting"]
