"""A slow, obvious recogniser that runs the tables of a Lark grammar byte by byte with explicit stacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from syntagma.grammar.lark.controls import DEAD, IGNORED
from syntagma.grammar.lark.scanner import LarkTables

Stack = tuple[int, ...]
Configuration = tuple[int, Stack]


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
        while True:
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
