"""Least bytes from a scanner's states to the ends of lexemes, and what a terminal costs at worst.

Lexemes of one terminal may leave different things for the next one, which may not be able to begin then; so they are told apart: a *feed* is a
terminal with the part that its lexeme leaves, or the end of the text.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .items import FAR, kernels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...grammar.parsing import Parser

Ints = npt.NDArray[np.int64]


class Lexemes:
    """Least bytes from scanner states to the ends of lexemes.

    Attributes:
        feeds: (column, part that is left) of each feed, by column; the end of the text is the last one, with part -1.
        worst: of each column: what it costs at worst, whatever came before it.

    """

    def __init__(self, parser: Parser, single: npt.NDArray[np.bool_]) -> None:
        scanner = parser.scanner
        self._begin = scanner.begin
        n, end = scanner.n_locals, len(parser.lalr.terminals)
        low, high = scanner.edges[:, 1], scanner.edges[:, 2]
        counts = np.concatenate([[0], np.cumsum(single)])
        usable = counts[high + 1] > counts[low]
        pairs = np.unique(scanner.edges[usable][:, [0, 3]], axis=0)
        owner = np.repeat(np.arange(n), np.diff(scanner.exit_start))
        ignored = scanner.exit_type < 0
        self._parts = np.unique(scanner.exit_part[ignored])  # left by ignored lexemes
        pairs_left = np.stack([scanner.exit_type, scanner.exit_part], axis=1)[~ignored]
        kinds, which = np.unique(pairs_left, axis=0, return_inverse=True)
        self.feeds: list[tuple[int, int]] = [*map(tuple, kinds.tolist()), (end, -1)]
        self._column_of = np.append(kinds[:, 0], end)
        n_feeds = self._n_feeds = len(self.feeds)
        costs = np.full((n, n_feeds + len(self._parts)), FAR, np.int64)
        costs[owner[~ignored], which.ravel()] = 0
        costs[scanner.may_end, n_feeds - 1] = 0
        costs[owner[ignored], n_feeds + np.searchsorted(self._parts, scanner.exit_part[ignored])] = 0
        before = -1
        while before != int(costs.sum()):
            before = int(costs.sum())
            np.minimum.at(costs, pairs[:, 0], costs[pairs[:, 1]] + 1)
            np.minimum(costs, FAR, out=costs)
        self._costs = costs
        self._to_feeds: dict[int, Ints] = {}
        self._rows: dict[int, Ints] = {}
        self._costs_at_worst: dict[tuple[int, int, int], int] = {}
        self._ways: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
        self._ignored_ways: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self._newline_begins: dict[tuple[int, int], list[int]] = {}
        self._columns = [np.flatnonzero(row != 0) for row in parser.lalr.action]
        self._lexer_of = parser.lalr.lexer_of
        behind = _behind(parser)
        self._behind = [*(np.flatnonzero(row).tolist() for row in behind), [-1]]
        self._left = _left(parser, behind)
        self.worst = self._at_worst()
        self.kernels = kernels(parser)
        layout = parser.indentation
        self.to_end: list[
            tuple[int, int]
        ] = []  # the bytes to a state in which a newline ends, and it, at the same column
        self.to_newline: list[tuple[int, int]] = []  # the same with a newline's character on the way
        self._newline_parts: list[list[int]] = [[] for _ in range(n)]
        self._blank = np.full(n + 1, -1, np.int64)
        self.opening, self.closing, self.dedented = (frozenset[int]() for _ in range(3))
        if layout is not None:
            after = np.full(n, -1, np.int64)
            for byte, targets in ((ord("\n"), after), (ord(" "), self._blank)):
                reads = (low <= byte) & (high >= byte)
                if single[byte]:
                    targets[scanner.edges[reads, 0]] = scanner.edges[reads, 3]
            ends = np.zeros(n, np.bool_)
            ends[owner[scanner.exit_type == layout.newline]] = True
            spelled = single.copy()
            spelled[ord("\n")] = False
            plain = spelled.copy()
            plain[[ord(" "), ord("\t")]] = False
            steps, target = _nearest(scanner.edges, plain, np.where(ends, 0, FAR), np.arange(n))
            self.to_end = list(zip(steps.tolist(), target.tolist(), strict=True))
            reads = (after >= 0) & (steps[after] < FAR)
            steps, target = _nearest(
                scanner.edges, spelled, np.where(reads, steps[after] + 1, FAR), np.where(reads, target[after], -1)
            )
            self.to_newline = list(zip(steps.tolist(), target.tolist(), strict=True))
            exits = scanner.exit_type == layout.newline
            for q, part in zip(owner[exits].tolist(), scanner.exit_part[exits].tolist(), strict=True):
                self._newline_parts[q].append(part)
            self.opening, self.closing, self.dedented = (
                frozenset((shifts[shifts > 0] - 1).tolist())
                for shifts in (
                    parser.lalr.action[:, sorted(types)] for types in (layout.opening, layout.closing, (layout.dedent,))
                )
            )

    def blanks(self, local: int, count: int) -> int:
        """The scanner's state after some blanks, -1 if there is none."""
        for _ in range(count):
            local = int(self._blank[local])
        return local

    def after_ignored_from(self, local: int, lexer: int) -> list[tuple[int, int]]:
        """Scanner states in which a lexeme begins once the open, ignored one has ended, and the bytes until then."""
        found = self._ignored_ways.get((local, lexer))
        if found is None:
            costs = self._costs[local, self._n_feeds :]
            begins = self._begin[self._parts, lexer]
            fits = (costs < FAR) & (begins >= 0)
            found = list(zip(begins[fits].tolist(), costs[fits].tolist(), strict=True))
            self._ignored_ways[local, lexer] = found
        return found

    def after_newline(self, local: int, lexer: int) -> list[int]:
        """Scanner states in which a lexeme begins once a newline has ended in a state; none where it cannot (-1 among others)."""
        found = self._newline_begins.get((local, lexer))
        if found is None:
            begins = self._begin[self._newline_parts[local], lexer] if local >= 0 else np.zeros(0, np.int64)
            found = self._newline_begins[local, lexer] = np.unique(begins[begins >= 0]).tolist()
        return found

    def _after_ignored(self, lexer: int) -> Ints:
        """int64[parts left by ignored lexemes, feeds]: the least bytes to each feed once an ignored lexeme has ended."""
        found = self._to_feeds.get(lexer)
        if found is not None:
            return found
        begins = self._begin[self._parts, lexer]
        alive = begins >= 0
        costs = np.full((len(self._parts), self._n_feeds), FAR, np.int64)
        costs[alive] = self._costs[begins[alive], : self._n_feeds]
        between = np.full((len(self._parts), len(self._parts)), FAR, np.int64)
        between[alive] = self._costs[begins[alive], self._n_feeds :]
        for _ in range(len(self._parts)):
            for k in range(len(self._parts)):
                np.minimum(costs, between[:, k : k + 1] + costs[k], out=costs)
        np.minimum(costs, FAR, out=costs)
        self._to_feeds[lexer] = costs
        return costs

    def _row(self, local: int, lexer: int) -> Ints:
        row = self._costs[local, : self._n_feeds].copy()
        if len(self._parts):
            through = self._costs[local, self._n_feeds :, None] + self._after_ignored(lexer)
            np.minimum(row, through.min(axis=0), out=row)
        return row

    def ways(self, local: int, lexer: int) -> list[tuple[int, int, int]]:
        """(bytes, column, part that is left) of each feed that the lexeme or a later one may be, cheapest first."""
        key = (local, lexer)
        found = self._ways.get(key)
        if found is None:
            row = self._row(local, lexer)
            reached = np.flatnonzero(row < FAR).tolist()
            found = self._ways[key] = sorted(
                (row[feed].item(), self.feeds[feed][0], self.feeds[feed][1]) for feed in reached
            )
        return found

    def leads(self, part: int, lexer: int) -> bool:
        """Whether a lexeme of a lexer can begin where another one left a part."""
        return bool(self._begin[part, lexer] >= 0)

    def at_worst(self, lexer: int, column: int, following: int) -> int:
        """What a terminal costs, or the end, whatever the one before it left, such that a lexeme of another lexer can follow it.

        ``FAR`` where something can be left behind which it is out of reach.  ``following`` counts for terminals alone.
        """
        key = (lexer, column, following)
        found = self._costs_at_worst.get(key)
        if found is None:
            fitting = [
                feed
                for feed in np.flatnonzero(self._column_of == column).tolist()
                if self.feeds[feed][1] < 0 or self.leads(self.feeds[feed][1], following)
            ]
            rows = self._begun(lexer)[:, fitting]
            found = self._costs_at_worst[key] = int(rows.min(axis=1, initial=FAR).max(initial=0))
        return found

    def _begun(self, lexer: int) -> Ints:
        """int64[states, feeds]: the rows of the states in which a lexeme begins behind some terminal."""
        found = self._rows.get(lexer)
        if found is None:
            begins = self._begin[self._left[:, lexer], lexer]
            rows = [self._row(local, lexer) for local in np.unique(begins[begins >= 0]).tolist()]
            found = self._rows[lexer] = np.array(rows, np.int64).reshape(-1, self._n_feeds)
        return found

    @cached_property
    def is_plain(self) -> bool:
        """Whether ``worst`` is enough wherever a terminal is wanted: none is out of reach behind some lexeme, or leads on there at a higher cost."""
        return all(
            self.at_worst(lexer, column, following) <= self.worst[column]
            for lexer, column, following in self._occurring()
        )

    def mildest(self) -> list[int]:
        """The cost of each terminal and of the end in the lexers where it costs least: never more than ``at_worst``."""
        found = list(self.worst)
        for lexer, column, following in self._occurring():
            found[column] = min(found[column], self.at_worst(lexer, column, following))
        return found

    def _occurring(self) -> Iterator[tuple[int, int, int]]:
        """(lexer, column, lexer behind a shift of it) that may occur."""
        for lexer, columns in self._wanted().items():
            for column in columns:
                for following in self._behind[column]:
                    yield lexer, column, following

    def _wanted(self) -> dict[int, set[int]]:
        """The columns of the rows in which each lexer is used."""
        found: dict[int, set[int]] = {}
        for state, lexer in enumerate(self._lexer_of.tolist()):
            if lexer >= 0:
                found.setdefault(lexer, set()).update(self._columns[state].tolist())
        return found

    def _at_worst(self) -> list[int]:
        """The cost of each terminal and of the end, whatever the terminal before it left.

        What an ignored lexeme left does not count: the way to a terminal that leads through one is known with its bytes, and need not be gone.
        What cannot come at once after some terminal at all (a newline after a newline) has no cost there.
        """
        worst = np.full(self._column_of[-1] + 1, -1, np.int64)
        for lexer, columns in self._wanted().items():
            rows = self._begun(lexer)
            for column in columns:
                costs = rows[:, self._column_of == column].min(axis=1, initial=FAR)
                worst[column] = max(worst[column], costs[costs < FAR].max(initial=-1))
        return [cost if cost >= 0 else FAR for cost in worst.tolist()]


def _nearest(edges: Ints, bytes_: npt.NDArray[np.bool_], steps: Ints, target: Ints) -> tuple[Ints, Ints]:
    """Least costs over edges that read some bytes (bool[256]): of each scanner's state, to the target that costs least from there.

    ``steps`` and ``target`` are what it costs without an edge, ``FAR`` where there is no way.
    """
    counts = np.concatenate([[0], np.cumsum(bytes_)])
    pairs = np.unique(edges[counts[edges[:, 2] + 1] > counts[edges[:, 1]]][:, [0, 3]], axis=0)
    target = np.where(steps < FAR, target, -1)
    while True:
        closer = pairs[steps[pairs[:, 0]] > steps[pairs[:, 1]] + 1]
        if not len(closer):
            return steps, target
        source, first = np.unique(closer[:, 0], return_index=True)
        best = closer[first, 1]
        steps[source], target[source] = steps[best] + 1, target[best]


def _behind(parser: Parser) -> npt.NDArray[np.bool_]:
    """bool[n_terminals, n_lexers]: the lexers that may read on behind a terminal."""
    lalr = parser.lalr
    behind = np.zeros((len(lalr.terminals), parser.scanner.begin.shape[1]), np.bool_)
    state, column = np.nonzero(lalr.action[:, :-1] > 0)
    behind[column, lalr.lexer_of[lalr.action[state, column] - 1]] = True
    return behind


def _left(parser: Parser, behind: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """bool[n_parts, n_lexers]: a terminal may leave the part where this lexer begins."""
    scanner = parser.scanner
    found = np.zeros(scanner.begin.shape, np.bool_)
    met = np.unique(np.stack([scanner.exit_type, scanner.exit_part], axis=1)[scanner.exit_type >= 0], axis=0)
    np.logical_or.at(found, met[:, 1], behind[met[:, 0]])
    return found
