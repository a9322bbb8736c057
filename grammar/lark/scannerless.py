"""A Lark grammar without a lexer: every way of splitting a text into terminals counts, and any context-free grammar will do.

Lark reads the grammar and writes its rules as productions (repetitions become left-recursive rules, templates are filled in).  A
terminal is the set of texts that its regular expression matches from end to end; what may be ignored may come behind each
terminal and before the first.  This is the language of Lark's Earley parser with ``lexer="dynamic_complete"``, less two
things that hang on how ``re`` searches: there a text is a match of a terminal only if it is the beginning of the match that ``re`` prefers,
and what is ignored is always that match whole.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import lark
from lark.lexer import PatternStr, TerminalDef

from ..errors import SyntagmaError, Unsatisfiable, Unsupported
from ..ir import EDGE_WIDTH, START, Automaton, ByteAutomaton, Grammar, RuleId, StateIndex
from ..leftcorner import real_time
from ..regex import Regex, RegularSource
from ..regular.encode import utf8
from ..regular.nodes import Alternation, Node, Repeat, Tick, asserts, no_tick
from ..report import Report, ReportEntry
from ..source import Lowered
from .building import check_options, start_rule, text_behind

INLINE: Final = 12
"""Edges of a terminal that is written out where it stands: a frame costs more than a few copies."""

_COMPILED_FLAGS: Final = re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE | re.ASCII
"""Flags of ``re`` that change what a pattern matches."""


@dataclass(frozen=True, slots=True)
class _AnyNumber(RegularSource):
    """Texts of any of the parts, one after the other."""

    parts: tuple[Regex, ...]

    @property
    def leaves(self) -> tuple[Regex, ...]:
        """See ``RegularSource``."""
        return self.parts

    def tree(self, clock: Tick) -> Node:
        """See ``RegularSource``."""
        return Repeat(Alternation([part.tree(clock) for part in self.parts]), 0, None)


_WANTED = {"postlex": (None, "a post-lexer works on lexemes, which only lexer='lark' has")}


def lower(built: lark.Lark, start: str | None) -> Lowered:
    """The rules of a built grammar, with its terminals as automata.

    Args:
        built: made by Lark with any parser.
        start: the rule that texts are made of; may be left out if there is one start rule.

    Raises:
        InvalidSource: there is no such start rule.
        Unsatisfiable: no text matches.
        Unsupported: a terminal has no pattern, or uses what no regular expression has.
        LimitExceeded: a terminal has too many states.

    """
    check_options(built, _WANTED)
    lowering = _Lowering(built)
    grammar = real_time(lowering.run(start_rule(built.options.start, start)))
    report = Report(
        dialect="lark (scannerless)",
        sound=True,
        complete=True,
        live=True,
        budget="exact",
        collect=lambda: list(lowering.entries()),
        unsatisfiable=lambda: [name for name in lowering.named() if name not in lowering.productive],
    )
    return Lowered(grammar, report)


class _Lowering:
    """The state of one lowering.

    Attributes:
        rules: the alternatives of each rule: names of rules and terminals.
        terminals: what Lark knows of each terminal.
        sources: the regular expressions of the terminals that were needed.
        productive: rules and terminals that have a text.

    """

    def __init__(self, built: lark.Lark) -> None:
        self.rules: dict[str, list[list[str]]] = defaultdict(list)
        self.priorities = {str(rule.origin.name): rule.options.priority for rule in built.rules}
        self.terminals: dict[str, TerminalDef] = {}
        for rule in built.rules:
            self.rules[str(rule.origin.name)].append([str(symbol.name) for symbol in rule.expansion])
        named = {terminal.name: terminal for terminal in built.terminals}
        symbols = [symbol for alternatives in self.rules.values() for names in alternatives for symbol in names]
        self.text = text_behind(built)
        self.flags = re.RegexFlag(built.options.g_regex_flags) & _COMPILED_FLAGS
        self.ignored = list(dict.fromkeys(built.ignore_tokens))
        for name in dict.fromkeys([*(x for x in symbols if x not in self.rules), *self.ignored]):
            if name not in named:
                where, excerpt = self.text.first_use(name)
                raise Unsupported(
                    f"the terminal {name} has no pattern",
                    where=where,
                    excerpt=excerpt,
                    hint="declared terminals are made by a post-lexer, which lexer='lark' has",
                )
            self.terminals[name] = named[name]
        self.grammar = Grammar()
        self.sources: dict[str, Regex] = {}
        self.parts: dict[str, ByteAutomaton | RuleId | None] = {}
        self.productive: set[str] = set()

    def run(self, start: str) -> Grammar:
        """Lower all rules."""
        numbers = {name: self.grammar.rule(origin=self.origin(name)) for name in self.rules}
        self.sources = {name: self.pattern(terminal) for name, terminal in self.terminals.items()}
        blank = self.part(_AnyNumber(tuple(self.sources[x] for x in self.ignored)), "%ignore") if self.ignored else None
        for name in self.terminals:
            if name not in self.ignored or any(name in names for rule in self.rules.values() for names in rule):
                self.parts[name] = self.terminal(name)
        self.find_productive()
        if start not in self.productive:
            where, excerpt = self.text.of_terminal(start, start)
            raise Unsatisfiable(
                f"no text can ever match {start!r}: every alternative needs a rule that never ends",
                where=where,
                excerpt=excerpt,
                hint="add an alternative that does not call the rule again",
            )
        for name, alternatives in self.rules.items():
            body = Automaton()
            end = body.state()
            body.accept(end)
            for names in alternatives:
                here = START
                for symbol in names:
                    there = body.state()
                    if symbol in self.rules:
                        body.call(here, numbers[symbol], there)
                    else:
                        self.read(body, here, symbol, blank, there)
                    here = there
                body.epsilon(here, end)
            self.grammar.define(numbers[name], body)
        self.grammar.start = numbers[start]
        if blank is not None:
            body = Automaton()
            begin, end = body.state(), body.state()
            _place(body, START, blank, begin)
            body.call(begin, numbers[start], end)
            body.accept(end)
            self.grammar.start = self.grammar.rule(origin=self.origin(start))
            self.grammar.define(self.grammar.start, body)
        return self.grammar

    def read(
        self, body: Automaton, source: StateIndex, name: str, blank: ByteAutomaton | RuleId | None, target: StateIndex
    ) -> None:
        """Read a text of a terminal and what is ignored behind it; a terminal without texts has no edge."""
        if self.is_literal(name):
            end = target if blank is None else body.state()
            body.literal(source, self.terminals[name].pattern.value.encode(), end)
            if blank is not None:
                _place(body, end, blank, target)
        elif (part := self.parts[name]) is not None:
            _place(body, source, part, target)

    def is_literal(self, name: str) -> bool:
        """Whether a terminal has one text, which is written in the grammar."""
        pattern = self.terminals[name].pattern
        return isinstance(pattern, PatternStr) and not pattern.flags and not self.flags & re.IGNORECASE

    def pattern(self, terminal: TerminalDef) -> Regex:
        """The regular expression of a terminal."""
        try:
            return Regex(terminal.pattern.to_regexp(), flags=self.flags)
        except SyntagmaError as error:
            raise error.within(self.place(terminal.name)) from error.__cause__

    def terminal(self, name: str) -> ByteAutomaton | RuleId | None:
        """A terminal and what is ignored behind it, as one automaton: where one ends and the other goes on is not told apart."""
        if self.is_literal(name):
            return None
        source: RegularSource = self.sources[name]
        try:
            source.lower()  # alone: its limits and its emptiness are its own
            if self.ignored:
                source += _AnyNumber(tuple(self.sources[x] for x in self.ignored))
            return self.part(source, name)
        except Unsatisfiable:
            return None
        except SyntagmaError as error:
            raise error.within(self.place(name)) from error.__cause__

    def part(self, source: RegularSource, name: str) -> ByteAutomaton | RuleId:
        """An automaton to be written out if it is small, else a rule."""
        lowered = source.lower().grammar
        body = lowered.rules[lowered.start].body
        assert body is not None  # noqa: S101 - every rule of a lowered grammar has one
        if len(lowered.rules) == 1 and len(body.edges) <= INLINE * EDGE_WIDTH:
            return utf8(source.automaton(no_tick))
        rule = self.grammar.include(lowered)
        self.grammar.rules[rule].origin = self.origin(name)
        return rule

    def find_productive(self) -> None:
        """Find the rules and terminals that have a text."""
        self.productive = {x for x in self.terminals if self.is_literal(x) or self.parts.get(x, 0) is not None}
        count = -1
        while count != len(self.productive):
            count = len(self.productive)
            self.productive |= {
                name for name, rule in self.rules.items() if any(self.productive.issuperset(names) for names in rule)
            }

    def place(self, name: str) -> str:
        """Where a rule or terminal is defined, as far as the text tells."""
        pattern = self.terminals[name].pattern.value if name in self.terminals else name
        return self.text.of_terminal(name, pattern)[0] or "the grammar"

    def origin(self, name: str) -> str:
        """A rule or terminal and its place, for explanations."""
        return f"{name} ({self.place(name)})"

    def named(self) -> list[str]:
        """Rules and terminals but those that Lark has made for repetitions, whose names no user can write."""
        return [name for name in (*self.rules, *self.terminals) if not name.startswith("__")]

    def entries(self) -> Iterator[ReportEntry]:
        """One entry for each rule and terminal, and one for each priority."""
        for name in self.named():
            kind = "rule" if name in self.rules else "terminal"
            priority = self.priorities[name] if name in self.rules else self.terminals[name].priority
            if name not in self.productive:
                reason = "no text can ever match"
                yield ReportEntry(name, kind, "exact", reason, "alternatives that need it are never taken")
            elif name in self.sources and asserts(self.sources[name].parsed.node):
                yield ReportEntry(
                    name,
                    kind,
                    "exact",
                    "anchors and look-around see the terminal's own text, not what stands around it",
                )
            else:
                yield ReportEntry(name, kind, "exact")
            if priority:
                reason = "a priority chooses among the readings of a text, and here every reading counts"
                yield ReportEntry(name, "priority", "annotation", reason)


def _place(body: Automaton, source: StateIndex, part: ByteAutomaton | RuleId, target: StateIndex) -> None:
    if isinstance(part, ByteAutomaton):
        body.embed(source, part, target)
    else:
        body.call(source, part, target)
