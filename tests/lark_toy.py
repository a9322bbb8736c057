"""Lark's language for small regular grammars, as a plain automaton: parser states, ordered threads, guards.

Lark reads one lexeme after the other, each by an ordered alternation of the terminals that its parser
state allows, first match in backtracking order.  A configuration is (parser state, fresh, threads,
guard): the threads of the open lexeme best first, and the set of states that must never accept, or an
earlier lexeme would have been longer.  Both are finite, so the whole is an automaton over bytes.
"""

from __future__ import annotations

import re._constants as sre
import re._parser as sre_parser
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lark import Lark
from lark.lexer import TerminalDef

from syntagma.grammar.ir import START, Automaton, Grammar, StateIndex


class Instruction(NamedTuple):
    """One step of a backtracking matcher: read a byte, try alternatives in order, or accept."""

    bytes: frozenset[int] | None = None
    then: tuple[int, ...] = ()
    accepts: str | None = None


class Program:
    """The terminals of a grammar, compiled for ordered matching.  Loop bodies must not match the empty text."""

    def __init__(self, terminals: list[TerminalDef]) -> None:
        """Compile every pattern."""
        self.code: list[Instruction] = []
        self.entry: dict[str, int] = {}
        for terminal in terminals:
            accept = self._add(Instruction(accepts=terminal.name))
            self.entry[terminal.name] = self._sequence(sre_parser.parse(terminal.pattern.to_regexp()), accept)

    def _add(self, instruction: Instruction) -> int:
        self.code.append(instruction)
        return len(self.code) - 1

    def _sequence(self, parts: Any, then: int) -> int:
        for part in reversed(list(parts)):
            then = self._part(part, then)
        return then

    def _part(self, part: tuple[Any, Any], then: int) -> int:
        kind, value = part
        if kind is sre.LITERAL:
            return self._add(Instruction(frozenset([value]), (then,)))
        if kind is sre.IN:
            return self._add(Instruction(frozenset(_members(value)), (then,)))
        if kind is sre.SUBPATTERN:
            return self._sequence(value[-1], then)
        if kind is sre.BRANCH:
            return self._add(Instruction(then=tuple(self._sequence(branch, then) for branch in value[1])))
        if kind in {sre.MAX_REPEAT, sre.MIN_REPEAT}:
            return self._repeat(*value, then, greedy=kind is sre.MAX_REPEAT)
        raise NotImplementedError(kind)

    def _repeat(self, least: int, most: Any, body: Any, then: int, *, greedy: bool) -> int:
        if most is sre.MAXREPEAT:
            loop = self._add(Instruction())
            again = self._sequence(body, loop)
            self.code[loop] = Instruction(then=(again, then) if greedy else (then, again))
            here = loop
        else:
            here = then
            for _ in range(most - least):
                once = self._sequence(body, here)
                here = self._add(Instruction(then=(once, then) if greedy else (then, once)))
        for _ in range(least):
            here = self._sequence(body, here)
        return here

    def closure(self, states: tuple[int, ...]) -> tuple[int, ...]:
        """Reading and accepting states in backtracking order, the first arrival at each."""
        found: dict[int, None] = {}

        def visit(state: int) -> None:
            instruction = self.code[state]
            if instruction.bytes is None and instruction.accepts is None:
                for after in instruction.then:
                    visit(after)
            else:
                found.setdefault(state)

        for state in states:
            visit(state)
        return tuple(found)

    def move(self, states: tuple[int, ...], byte: int) -> tuple[int, ...]:
        """The closure after a byte."""
        return self.closure(tuple(t for s in states if byte in (self.code[s].bytes or ()) for t in self.code[s].then))


def _members(items: list[tuple[Any, Any]]) -> Iterator[int]:
    for kind, value in items:
        if kind is sre.LITERAL:
            yield value
        elif kind is sre.RANGE:
            yield from range(value[0], value[1] + 1)
        elif kind is sre.CATEGORY and value is sre.CATEGORY_DIGIT:
            yield from range(ord("0"), ord("9") + 1)
        else:
            raise NotImplementedError(kind)


class Configuration(NamedTuple):
    """Where the reading stands; see the module's text."""

    parser: int
    fresh: bool
    threads: tuple[int, ...]
    guard: frozenset[int]


def lark_grammar(lark: Lark, after: Mapping[tuple[int, str], int], ends: set[int], alphabet: bytes) -> Grammar:
    """The language of ``lark`` as one rule.

    Args:
        lark: the grammar, built with ``parser="lalr"``; its terminals and their order are used.
        after: parser state and terminal -> parser state: the grammar must be regular, and this is its automaton.
        ends: the parser states in which a text may end.
        alphabet: the bytes to read.

    """
    program = Program(lark.terminals)
    order = sorted(lark.terminals, key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name))
    accepts = [instruction.accepts for instruction in program.code]

    def begin(parser: int, guard: frozenset[int]) -> Configuration:
        entries = tuple(program.entry[t.name] for t in order if (parser, t.name) in after)
        return Configuration(parser, True, program.closure(entries), guard)

    def step(at: Configuration, byte: int) -> Iterator[Configuration]:
        guard = frozenset(program.move(tuple(at.guard), byte))
        if any(accepts[s] for s in guard):
            return
        threads = program.move(at.threads, byte)
        first = next((i for i, s in enumerate(threads) if accepts[s]), None)
        if first is not None:
            terminal = accepts[threads[first]]
            threads = threads[:first]
            assert terminal is not None
            if (at.parser, terminal) in after:
                yield begin(after[at.parser, terminal], guard | frozenset(threads))
        if threads:
            yield Configuration(at.parser, False, threads, guard)

    body = Automaton()
    start = begin(0, frozenset())
    index = {start: START}
    order_of_discovery = [start]
    for at in order_of_discovery:
        if at.fresh and at.parser in ends:
            body.accept(index[at])
        for byte in alphabet:
            for there in step(at, byte):
                if there not in index:
                    index[there] = StateIndex(body.state())
                    order_of_discovery.append(there)
                body.byte_range(index[at], byte, byte, index[there])
    grammar = Grammar()
    grammar.start = grammar.rule(origin="start")
    grammar.define(grammar.start, body)
    return grammar


RANGES = r"""
start: NUM (".." NUM)?
NUM: /\d+(\.\d+)?/
"""

EARLY = """
start: A C | B
A: "ab"
B: "abcd"
C: "ce"
"""

LAZY = """
start: (L | R)+
L: /a+?b?/
R: /b{1,2}a/
"""


def ranges() -> tuple[Lark, Grammar]:
    """``1``, ``1.2``, ``1..2``: the lexer prefers a fraction, and gives up on it at the second dot."""
    lark = Lark(RANGES, parser="lalr")
    dots = next(t.name for t in lark.terminals if t.pattern.value == "..")
    after = {(0, "NUM"): 1, (1, dots): 2, (2, "NUM"): 3}
    return lark, lark_grammar(lark, after, {1, 3}, b"12.")


def early() -> tuple[Lark, Grammar]:
    """``abce``: the longer terminal is tried first, and the shorter one still found."""
    lark = Lark(EARLY, parser="lalr")
    return lark, lark_grammar(lark, {(0, "A"): 1, (0, "B"): 2, (1, "C"): 2}, {2}, b"abcde")


def lazy() -> tuple[Lark, Grammar]:
    """Lazy and counted repetition, in a loop of terminals that overlap."""
    lark = Lark(LAZY, parser="lalr")
    return lark, lark_grammar(lark, {(s, t): 1 for s in (0, 1) for t in "LR"}, {1}, b"ab")
