"""Loading a parser's tables into a store.  See *Parsers* in ``layout``."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...grammar.ir import COUNT_MANY, OP_COUNT, OP_NONE, OP_SET
from ...grammar.parsing import reach_of
from .. import layout as lay
from ..arena import check, take
from ..parser import pushing
from ..states import DENSE_FROM, DENSE_TO

if TYPE_CHECKING:
    from ...grammar.parsing import Parser
    from ..store import Store

Ints = npt.NDArray[np.int64]
BITS = 32  # of a word of FB


def load_parser(store: Store, parser: Parser) -> int:
    """Write the tables; returns the local state in which the parser's texts begin, a push state.

    Raises:
        LimitExceeded: a table of the store is full.

    """
    scanner = parser.scanner.spelled(store.spelled)
    begins = parser.scanner.begin[parser.scanner.begin >= 0]
    if (parser.scanner.reach[begins] & ~scanner.reach[begins]).any():  # so a stack can be unable to end
        store.byte_complete = False
    parser = replace(parser, scanner=scanner)
    loading = _Loading(store, parser)
    start = loading.run()
    store.parsers[loading.offset] = parser
    return start


class _Loading:
    """One parser on its way into the arena."""

    def __init__(self, store: Store, parser: Parser) -> None:
        self.a = store.arena.a
        self.lalr = parser.lalr
        self.scanner = parser.scanner
        self.first = parser.first
        self.indentation = parser.indentation
        self.followed = parser.followed
        self.n_columns = self.lalr.action.shape[1]
        self.offset = -1

    def run(self) -> int:
        """Write everything; returns the state to begin in, 0 where no text can be spelled."""
        scanner, lalr = self.scanner, self.lalr
        n_states = len(lalr.action)
        first, records = self._records(scanner.n_locals + n_states + 1)
        locals_, states, ended = records[: scanner.n_locals], records[scanner.n_locals : -1], records[-1]
        parser = self.offset = self._take(lay.H_PT, lay.PT_WIDTH, lay.CAP_PT)
        records[:-1, lay.L_PARSER] = parser + 1
        states[:, lay.L_EXITS] = np.arange(n_states)
        ended[lay.L_FLAGS] = lay.FLAG_ACCEPT | lay.FLAG_END
        head = self._tables(first)
        head[lay.PT_STATES] = first + scanner.n_locals
        head[lay.PT_ENDED] = first + len(records) - 1
        head[lay.PT_PLAIN] = self._exits(locals_, parser)
        self._mark(states)
        self._ranges(locals_, first)
        self._first_bytes(locals_)
        self._reach(locals_, int(head[lay.PT_BITS]))
        self.a[lay.PT + parser : lay.PT + parser + lay.PT_WIDTH] = head
        if self.first < 0 or not (scanner.reach[self.first].any() or scanner.may_end[self.first]):
            return 0
        result = int(pushing(self.a, first + scanner.n_locals + lalr.start, first + self.first))
        check(self.a)
        return result

    def _records(self, n: int) -> tuple[int, Ints]:
        """Fresh local states, and a view of their records."""
        first = self._take(lay.H_LS, n * lay.LS_WIDTH, lay.CAP_LS) // lay.LS_WIDTH
        at = lay.LS + first * lay.LS_WIDTH
        records = self.a[at : at + n * lay.LS_WIDTH].reshape(-1, lay.LS_WIDTH)
        records[:] = 0
        records[:, [lay.L_DENSE, lay.L_EFFECT, lay.L_FIRST, lay.L_REACH]] = -1
        records[:, [lay.L_WORDS, lay.L_MOST]] = lay.UNBOUNDED
        return first, records

    def _tables(self, first: int) -> Ints:
        """Write the tables of the parser; the words of its record, as far as they are known by them."""
        scanner, lalr, layout = self.scanner, self.lalr, self.indentation
        head = np.zeros(lay.PT_WIDTH, np.int64)
        head[lay.PT_N_COLUMNS] = self.n_columns
        head[lay.PT_N_GOTOS] = lalr.goto.shape[1]
        head[lay.PT_N_LEXERS] = scanner.begin.shape[1]
        head[lay.PT_ACCEPT] = lalr.accept
        head[lay.PT_BITS] = -(-(self.n_columns + 1) // BITS)
        head[[lay.PT_NEWLINE, lay.PT_INDENT, lay.PT_DEDENT]] = -1
        if layout is not None:
            head[[lay.PT_NEWLINE, lay.PT_INDENT, lay.PT_DEDENT]] = layout.newline, layout.indent, layout.dedent
        for word, table in (
            (lay.PT_ACTION, lalr.action),
            (lay.PT_GOTO, lalr.goto),
            (lay.PT_LHS, lalr.rule_lhs),
            (lay.PT_LENGTH, lalr.rule_length),
            (lay.PT_LEXER, lalr.lexer_of),
            (lay.PT_BEGIN, np.where(scanner.begin >= 0, scanner.begin + first, 0)),
        ):
            head[word] = self._write(lay.H_PT, lay.PT, lay.CAP_PT, table)
        shifts = np.zeros((len(lalr.action), self.n_columns + 1), np.bool_)
        shifts[:, : self.n_columns] = lalr.action > 0
        head[lay.PT_SHIFTS] = self._bits(shifts)
        follow = scanner.follow
        if self.followed:  # by any byte, wherever the text may end
            may_end = np.append(scanner.may_end, np.False_)[scanner.begin]  # -1 is the last: dead
            follow = follow | np.any(may_end, axis=1, keepdims=True)
        head[lay.PT_FOLLOW] = self._bits(follow)
        head[lay.PT_AT_END] = self._bits(np.full((1, 256), self.followed))
        return head

    def _mark(self, states: Ints) -> None:
        """Mark the states of the table that an indenter looks for on the stack."""
        layout = self.indentation
        if layout is None:
            return
        for columns, kind in (
            ([layout.indent], lay.MARK_INDENT),
            (sorted(layout.opening), lay.MARK_OPEN),
            (sorted(layout.closing), lay.MARK_CLOSE),
            ([layout.dedent], lay.MARK_DEDENT),
        ):
            shifted = self.lalr.action[:, columns]
            states[shifted[shifted > 0] - 1, lay.L_KIND] = kind

    def _reach(self, locals_: Ints, n_words: int) -> None:
        """What the open lexeme of each scanner's state may become: terminals, the end of the text, what is ignored."""
        scanner = self.scanner
        reach = np.concatenate([scanner.reach[:, :-1], scanner.may_end[:, None], scanner.reach[:, -1:]], axis=1)
        packed = np.packbits(reach, axis=1)
        keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()  # a row is one thing to sort
        _, first, which = np.unique(keys, return_index=True, return_inverse=True)
        locals_[:, lay.L_REACH] = self._bits(reach[first]) + which.ravel() * n_words

    def _take(self, counter: int, n: int, capacity: int) -> int:
        at = int(take(self.a, counter, n, capacity))
        check(self.a)
        return at

    def _write(self, counter: int, table: int, capacity: int, values: npt.NDArray[np.integer[Any]]) -> int:
        at = self._take(counter, values.size, capacity)
        self.a[table + at : table + at + values.size] = values.ravel()
        return at

    def _bits(self, rows: npt.NDArray[np.bool_]) -> int:
        """Rows of bits in FB, each in whole words; the offset of the first."""
        n_words = -(-rows.shape[1] // BITS)
        padded = np.zeros((len(rows), n_words * BITS), np.bool_)
        padded[:, : rows.shape[1]] = rows
        words = np.packbits(padded, axis=1, bitorder="little").view(np.uint32).astype(np.int64)
        return self._write(lay.H_FB, lay.FB, lay.CAP_FB, words)

    def _exits(self, locals_: Ints, parser: int) -> int:
        """Make the exits and list them for each state; returns the first of those without a part, one a column."""
        scanner = self.scanner
        end = self.n_columns - 1
        plain = np.stack([np.arange(self.n_columns), np.full(self.n_columns, lay.NO_PART)], axis=1)
        met, which = np.unique(np.stack([scanner.exit_type, scanner.exit_part], axis=1), axis=0, return_inverse=True)
        kinds = np.concatenate([plain, met])
        records = np.zeros((len(kinds), lay.XT_WIDTH), np.int64)
        records[:, lay.X_PARSER] = parser
        records[:, [lay.X_COLUMN, lay.X_PART]] = kinds
        records[:, [lay.X_LEFT, lay.X_GOTO, lay.X_THEN, lay.X_OPENS]] = -1
        first = self._write(lay.H_XT, lay.XT, lay.CAP_XT, records) // lay.XT_WIDTH
        numbers = first + len(plain) + which.ravel()
        listed: list[int] = []
        begins = np.zeros(scanner.n_locals + 1, np.int64)
        starts = scanner.exit_start.tolist()
        for q, ends in enumerate(scanner.may_end.tolist()):
            listed += numbers[starts[q] : starts[q + 1]].tolist()
            if ends:
                listed.append(first + end)
            begins[q + 1] = len(listed)
        at = self._write(lay.H_XL, lay.XL, lay.CAP_XL, np.array(listed, np.int64))
        locals_[:, lay.L_EXITS] = at + begins[:-1]
        locals_[:, lay.L_N_EXITS] = np.diff(begins)
        locals_[:, lay.L_FLAGS] = np.where(np.diff(begins) > 0, lay.FLAG_ACCEPT, lay.FLAG_FAST)
        return first

    def _ranges(self, locals_: Ints, first: int) -> None:
        edges, operations = self._operations(locals_)
        order = np.lexsort((edges[:, 1], edges[:, 0]))
        edges, operations = edges[order], operations[order]
        words = np.zeros((len(edges), 2), np.int64)
        simple = np.isin(operations, [OP_NONE, OP_COUNT])
        words[:, 0] = edges[:, 1] | edges[:, 2] << 8 | operations << 16 | simple.astype(np.int64) << lay.RG_SIMPLE_BIT
        words[:, 1] = edges[:, 3] + first
        at = self._write(lay.H_RG, lay.RG, lay.CAP_RG, words)
        counts = np.bincount(edges[:, 0], minlength=self.scanner.n_locals)
        locals_[:, lay.L_RANGES] = at + 2 * (np.cumsum(counts) - counts)
        locals_[:, lay.L_N_RANGES] = counts
        dense = np.flatnonzero((counts >= DENSE_FROM) & (counts <= DENSE_TO))
        at = self._take(lay.H_DN, len(dense) * lay.DENSE_WIDTH, lay.CAP_DN)
        locals_[dense, lay.L_DENSE] = at + np.arange(len(dense)) * lay.DENSE_WIDTH
        self.a[lay.DN + at : lay.DN + at + len(dense) * lay.DENSE_WIDTH] = _dense_rows(edges, counts, dense)

    def _operations(self, locals_: Ints) -> tuple[Ints, Ints]:
        """The scanner's edges, and what each does to the column of a newline's lexeme: op | pair << 8.

        The column is counted where the lexeme can still become a newline, and forgotten where it no longer can.
        """
        edges, layout = self.scanner.edges, self.indentation
        if layout is None:
            return edges, np.zeros(len(edges), np.int64)
        pairs = np.array([[0, lay.COLUMN_BASE], [0, lay.UNBOUNDED], [0, layout.tab]], np.int64)
        pair = self._write(lay.H_PR, lay.PR, lay.CAP_PR, pairs) // 2
        newline = self.scanner.reach[:, layout.newline]
        reads = newline[edges[:, 3]] & (edges[:, 1] <= ord("\n")) & (edges[:, 2] >= ord("\n"))
        again = np.zeros((self.scanner.n_locals, 1), np.bool_)
        again[edges[reads, 0]] = True
        again = reach_of(again, edges)[:, 0]  # at once, or behind the rest of a character
        locals_[again, lay.L_FLAGS] |= lay.FLAG_AGAIN
        counted = newline[edges[:, 3]]
        begins = np.zeros(self.scanner.n_locals, np.bool_)
        begins[self.scanner.begin[self.scanner.begin >= 0]] = True
        parts = [edges[~counted]]
        leaves = newline[parts[0][:, 0]] & ~begins[parts[0][:, 0]]
        operations = [np.where(leaves, OP_SET | (pair + 1) << 8, OP_NONE)]
        special = {ord("\t"): COUNT_MANY | (pair + 2) << 8, ord("\n"): OP_SET | pair << 8, ord(" "): OP_COUNT}
        cuts = [0, *sorted(x for byte in special for x in (byte, byte + 1)), 256]
        for low, following in pairwise(cuts):
            part = edges[counted].copy()
            part[:, 1] = np.maximum(part[:, 1], low)
            part[:, 2] = np.minimum(part[:, 2], following - 1)
            part = part[part[:, 1] <= part[:, 2]]
            parts.append(part)
            operations.append(np.full(len(part), special.get(low, OP_NONE), np.int64))
        return np.concatenate(parts), np.concatenate(operations)

    def _first_bytes(self, locals_: Ints) -> None:
        """First bytes of the states that a lexeme begins in: what can be called."""
        begins = np.unique(np.append(self.scanner.begin[self.scanner.begin >= 0], self.first))
        place = np.full(self.scanner.n_locals, -1, np.int64)
        place[begins] = np.arange(len(begins))
        edges = self.scanner.edges[place[self.scanner.edges[:, 0]] >= 0]
        reads = np.zeros((len(begins), 257), np.int64)  # +1 where a range begins, -1 behind its end
        np.add.at(reads, (place[edges[:, 0]], edges[:, 1]), 1)
        np.add.at(reads, (place[edges[:, 0]], edges[:, 2] + 1), -1)
        rows = np.cumsum(reads, axis=1)[:, :256] > 0
        if self.followed:  # what follows the text, where it may end
            rows[self.scanner.may_end[begins]] = True
        locals_[begins, lay.L_FIRST] = self._bits(rows) + 8 * np.arange(len(begins))


def _dense_rows(edges: Ints, counts: Ints, dense: Ints) -> Ints:
    """What ``states.fill_dense`` writes for some states, one after the other; the edges are sorted, so many of each state, and do not overlap."""
    place = np.full(len(counts), -1, np.int64)
    place[dense] = np.arange(len(dense))
    number = np.arange(len(edges)) - (np.cumsum(counts) - counts)[edges[:, 0]] + 1
    own = place[edges[:, 0]] >= 0
    edges, number = edges[own], number[own]
    change = np.zeros((len(dense), 257), np.int64)
    np.add.at(change, (place[edges[:, 0]], edges[:, 1]), number)
    np.add.at(change, (place[edges[:, 0]], edges[:, 2] + 1), -number)
    return np.cumsum(change, axis=1)[:, :256].astype("<u1").view("<i8").ravel()


__all__ = ["load_parser"]
