"""A slow, obvious recogniser that runs the tables of a Lark grammar byte by byte with explicit stacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from syntagma.grammar.lark.controls import DEAD
from syntagma.grammar.lark.lexemes import IGNORED
from syntagma.grammar.lark.scanner import LarkTables

Stack = tuple[int, ...]
Configuration = tuple[int, Stack]
MOST_REDUCTIONS = 100_000
"""More than any stack here is high: a run of reductions that long has no end."""


class Recogniser:
    """Sets of (local state, parser stack)."""

    def __init__(self, tables: LarkTables) -> None:
        """Lay the edges out as a dictionary."""
        self.scanner, self.lalr = tables.scanner, tables.lalr
        self.end = len(self.lalr.terminals)
        self.edge = {(int(q), byte): int(r) for q, low, high, r in self.scanner.edges for byte in range(low, high + 1)}
        first = int(self.scanner.begin[0, self.lalr.lexer_of[self.lalr.start]])
        self.start: set[Configuration] = {(first, (self.lalr.start,))} - {(DEAD, (self.lalr.start,))}

    def feed(self, stack: Stack, column: int) -> Stack | None:
        """The stack after a terminal has been shifted; after ``$END``: the stack that accepts.  ``None``: rejected."""
        lalr = self.lalr
        for _ in range(MOST_REDUCTIONS):
            act = int(lalr.action[stack[-1], column])
            if act == 0:
                return None
            if act > 0:
                return (*stack, act - 1)
            rule = -1 - act
            stack = stack[: len(stack) - int(lalr.rule_length[rule])]
            stack = (*stack, int(lalr.goto[stack[-1], lalr.rule_lhs[rule]]))
            if column == self.end and stack[-1] == lalr.accept:
                return stack
        raise AssertionError(f"reductions without an end on column {column}")

    def exits(self, configuration: Configuration) -> Iterator[Configuration]:
        """The configurations in which the lexeme has ended and the next one begins."""
        local, stack = configuration
        scanner = self.scanner
        for e in range(scanner.exit_start[local], scanner.exit_start[local + 1]):
            kind = int(scanner.exit_type[e])
            after = stack if kind == IGNORED else self.feed(stack, kind)
            if after is not None:
                lexer = self.lalr.lexer_of[after[-1]]
                assert lexer >= 0
                begin = int(scanner.begin[scanner.exit_part[e], lexer])
                if begin != DEAD:
                    yield begin, after

    def step(self, configurations: Iterable[Configuration], byte: int) -> set[Configuration]:
        """After a byte."""
        found = set()
        for configuration in configurations:
            for local, stack in (configuration, *self.exits(configuration)):
                target = self.edge.get((local, byte))
                if target is not None:
                    found.add((target, stack))
        return found

    def steps(self, configurations: Iterable[Configuration], text: str) -> set[Configuration]:
        """After all bytes of a text."""
        found = set(configurations)
        for byte in text.encode():
            found = self.step(found, byte)
        return found

    def run(self, text: str) -> set[Configuration]:
        """After a text from the beginning."""
        return self.steps(self.start, text)

    def may_end(self, configurations: Iterable[Configuration]) -> bool:
        """Whether the text may end here."""
        return any(
            self.scanner.may_end[local] and self.feed(stack, self.end) is not None
            for configuration in configurations
            for local, stack in (configuration, *self.exits(configuration))
        )

    def accepts(self, text: str) -> bool:
        """Membership."""
        return self.may_end(self.run(text))


class Indented(NamedTuple):
    """A configuration with an indenter between lexer and parser.

    Attributes:
        local, stack: as without one.
        depth: open brackets.
        columns: open columns, the outermost (0) first.
        column: of the lexeme so far: the column behind its last newline, ``None`` if there is none.

    """

    local: int
    stack: Stack
    depth: int
    columns: tuple[int, ...]
    column: int | None


class IndentedRecogniser:
    """As ``Recogniser``, for tables with an indenter; what Lark's indenter does is written down once more, literally."""

    def __init__(self, tables: LarkTables) -> None:
        """Wrap the recogniser of the tables."""
        assert tables.indentation is not None
        self.plain = Recogniser(tables)
        self.rules = tables.indentation
        self.start = {Indented(local, stack, 0, (0,), None) for local, stack in self.plain.start}

    def _newline(self, at: Indented) -> Indented | None:
        """After a newline's token."""
        if at.depth > 0:
            return at
        stack = self.plain.feed(at.stack, self.rules.newline)
        if stack is None or at.column is None:
            return None
        columns = at.columns
        if at.column > columns[-1]:
            stack = self.plain.feed(stack, self.rules.indent)
            columns = (*columns, at.column)
        else:
            while stack is not None and at.column < columns[-1]:
                columns = columns[:-1]
                stack = self.plain.feed(stack, self.rules.dedent)
            if at.column != columns[-1]:
                return None
        return None if stack is None else at._replace(stack=stack, columns=columns)

    def _token(self, at: Indented, kind: int) -> Indented | None:
        if kind == IGNORED:
            return at
        if kind == self.rules.newline:
            return self._newline(at)
        stack = self.plain.feed(at.stack, kind)
        depth = at.depth + (kind in self.rules.opening) - (kind in self.rules.closing)
        return None if stack is None or depth < 0 else at._replace(stack=stack, depth=depth)

    def exits(self, at: Indented) -> Iterator[Indented]:
        """The configurations in which the lexeme has ended and the next one begins."""
        scanner, lalr = self.plain.scanner, self.plain.lalr
        for e in range(scanner.exit_start[at.local], scanner.exit_start[at.local + 1]):
            after = self._token(at, int(scanner.exit_type[e]))
            if after is not None:
                lexer = lalr.lexer_of[after.stack[-1]]
                assert lexer >= 0
                begin = int(scanner.begin[scanner.exit_part[e], lexer])
                if begin != DEAD:
                    yield after._replace(local=begin, column=None)

    def _column(self, at: Indented, byte: int) -> int | None:
        if at.depth > 0 or not self.plain.scanner.reach[at.local, self.rules.newline]:
            return None
        if byte == ord("\n"):
            return 0
        width = {ord(" "): 1, ord("\t"): self.rules.tab}.get(byte, 0)
        return None if at.column is None else at.column + width

    def steps(self, configurations: Iterable[Indented], text: str) -> set[Indented]:
        """After all bytes of a text."""
        found = set(configurations)
        for byte in text.encode():
            after = set()
            for configuration in found:
                for at in (configuration, *self.exits(configuration)):
                    target = self.plain.edge.get((at.local, byte))
                    if target is not None:
                        moved = at._replace(local=target)
                        after.add(moved._replace(column=self._column(moved, byte)))
            found = after
        return found

    def may_end(self, configurations: Iterable[Indented]) -> bool:
        """Whether the text may end here: dedents for all open columns, then the end."""
        for configuration in configurations:
            for at in (configuration, *self.exits(configuration)):
                if self.plain.scanner.may_end[at.local]:
                    stack: Stack | None = at.stack
                    for _ in at.columns[1:]:
                        stack = None if stack is None else self.plain.feed(stack, self.rules.dedent)
                    if stack is not None and self.plain.feed(stack, self.plain.end) is not None:
                        return True
        return False

    def accepts(self, text: str) -> bool:
        """Membership."""
        return self.may_end(self.steps(self.start, text))
