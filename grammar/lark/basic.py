"""A Lark grammar that is not LALR(1): the lexemes of Lark's basic lexer, and rules over them for the general machine.

A text belongs to the language iff ``lark.Lark(grammar, parser="earley", lexer="basic").parse(text)`` raises nothing: one lexer with all terminals cuts
it, whatever the parser could take, and the terminals must be derivable.  The lexer is the automaton of ``scanner`` with a single lexer; what
a lexeme leaves for the next one, guards included, is a *part*.  So the lexer is a finite transducer whose states between lexemes are parts, and the
rules are intersected with it as context-free languages are with regular ones (Bar-Hillel, Perles and Shamir 1961): rule A becomes the
rules "A between part p and part q", as far as the text can lead there.  What is ignored comes behind each lexeme and before the first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import lark

from ..errors import LimitExceeded, Unsatisfiable
from ..ir import START, Automaton, Grammar, RuleId, StateIndex
from ..leftcorner import real_time
from ..parsing import IGNORED, Scanner
from ..report import Report, ReportEntry
from ..source import Lowered
from . import minimal, reading
from .building import build
from .closures import Closures
from .controls import DEAD, Controls
from .scanner import scanner_of

INLINE: Final = 12
"""Edges of a lexeme that is written out where it stands: a frame costs more than a few copies."""

MAX_RULES: Final = 20_000
"""Rules between two parts; grammars of programming languages have some hundred rules, and their lexers some ten parts."""

_CONSEQUENCE: Final = "all terminals compete everywhere, as in Lark's basic lexer, whatever the rules could take"

Key = tuple[int, int, int]
"""A nonterminal or a terminal between two parts."""


class _Edge(NamedTuple):
    """An edge of a lexeme's automaton: a range of bytes, or nothing where ``low`` is greater than ``high``."""

    source: tuple[int, int]
    low: int
    high: int
    target: tuple[int, int]


_END: Final = (2, 0)
"""The last state of a lexeme's automaton; the others are a phase (0 the lexeme, 1 what is ignored behind it) and a local state."""


def lower(grammar: str | Path | lark.Lark, *, why: str, start: str | None, origin: str, **options: object) -> Lowered:
    """The rules of a grammar over the lexemes of the basic lexer.

    Args:
        grammar: what ``Lark`` takes, or what ``lark.Lark`` has built with ``parser="earley"`` and ``lexer="basic"``.
        why: the reason for the report.
        start: the rule that texts are made of.
        origin: what the grammar is called.
        options: of ``building.build``.

    Raises:
        InvalidSource: Lark refuses the grammar.
        Unsatisfiable: no text matches.
        Unsupported: it uses what is refused by name.
        LimitExceeded: its lexer has too many states, or the product too many rules.

    """
    if not isinstance(grammar, lark.Lark):
        start = start or "start"
        grammar = build(grammar, start=start, kind="basic", **options)  # type: ignore[arg-type]
    lexing, program, productions, first = reading.read_basic(grammar, start=start)
    closures = Closures(program)
    controls = Controls(closures, lexing, 0)
    full = minimal.table(controls, closures.classes.number, len(lexing.names), 1)
    scanner = scanner_of(minimal.minimise(minimal.live(full)), closures.classes, lexing.names)
    product = _Product(scanner, productions, first, origin)
    rules = real_time(product.run())
    report = Report(
        dialect="lark (any context-free grammar, basic lexer)",
        sound=True,
        complete=True,
        live=True,
        budget="exact",
        collect=lambda: [
            ReportEntry("the grammar", "parser", "exact", why, _CONSEQUENCE),
            *(ReportEntry(name, "terminal", "exact") for name in lexing.names),
        ],
        unsatisfiable=list,
    )
    return Lowered(rules, report)


class _Product:
    """Rules between parts.

    Productions are lists of symbols: terminal t, or -1 - n for nonterminal n.
    """

    def __init__(
        self, scanner: Scanner, productions: Sequence[Sequence[tuple[int, ...]]], first: int, origin: str
    ) -> None:
        self.scanner = scanner
        self.productions = productions
        self.first = first
        self.origin = origin
        self.grammar = Grammar()
        self.moves: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for source, low, high, target in scanner.edges.tolist():
            self.moves[source].append((low, high, target))
        self.begins: list[int] = scanner.begin[:, 0].tolist()
        self.exits: list[list[tuple[int, int]]] = [
            list(zip(scanner.exit_type[a:b].tolist(), scanner.exit_part[a:b].tolist(), strict=True))
            for a, b in zip(scanner.exit_start[:-1].tolist(), scanner.exit_start[1:].tolist(), strict=True)
        ]
        self.ends: dict[tuple[int, int], set[int]] = {}
        self.open: list[tuple[int, int]] = []
        self.users: dict[tuple[int, int], set[tuple[int, int]]] = defaultdict(set)
        self.numbers: dict[Key, RuleId] = {}
        self.lexemes: dict[Key, RuleId] = {}
        self.waiting: list[Key] = []
        self.behind = cache(self._behind)
        self.blank = cache(self._blank)
        self.spelled = cache(self._spelled)

    # --- the lexer between parts --------------------------------------------------------------------------------------

    def _behind(self, part: int) -> dict[int, set[int]]:
        """Of each type, what a lexeme of it leaves that begins after ``part``."""
        found: dict[int, set[int]] = defaultdict(set)
        seen = {self.begins[part]} - {DEAD}
        work = list(seen)
        while work:
            local = work.pop()
            for kind, left in self.exits[local]:
                found[kind].add(left)
            for _, _, target in self.moves[local]:
                if target not in seen:
                    seen.add(target)
                    work.append(target)
        return found

    def _blank(self, part: int) -> frozenset[int]:
        """What any number of ignored lexemes after ``part`` leave."""
        seen = {part}
        work = [part]
        while work:
            for left in self.behind(work.pop()).get(IGNORED, ()):
                if left not in seen:
                    seen.add(left)
                    work.append(left)
        return frozenset(seen)

    def after(self, symbol: int, part: int, user: tuple[int, int]) -> Iterable[int]:
        """The parts that a text of a symbol can lead to from ``part``, as far as known."""
        if symbol >= 0:
            return {q for left in self.behind(part).get(symbol, ()) for q in self.blank(left)}
        self.users[-1 - symbol, part].add(user)
        return self.between(-1 - symbol, part)

    def between(self, rule: int, part: int) -> set[int]:
        """The same for a nonterminal, which is looked at later where it is new."""
        if (rule, part) not in self.ends:
            self.ends[rule, part] = set()
            self.open.append((rule, part))
        return self.ends[rule, part]

    def settle(self, begins: Iterable[int]) -> None:
        """Find where each nonterminal can lead to from each part that it can begin after: a least fixed point."""
        for part in begins:
            self.between(self.first, part)
        while self.open:
            here = rule, part = self.open.pop()
            found: set[int] = set()
            for symbols in self.productions[rule]:
                parts = {part}
                for symbol in symbols:
                    parts = {q for p in parts for q in self.after(symbol, p, here)}
                found |= parts
            if not found <= self.ends[here]:
                self.ends[here] |= found
                self.open += self.users[here]

    # --- rules ----------------------------------------------------------------------------------------------------------

    def run(self) -> Grammar:
        """All rules that a text can need."""
        scanner, grammar = self.scanner, self.grammar
        begins = self.blank(0) if self.begins[0] != DEAD else frozenset()
        self.settle(begins)
        start = grammar.start = grammar.rule(origin=self.origin)
        body = Automaton()
        end = body.state()
        body.accept(end)
        for part in sorted(begins):
            here = START
            if part != 0:
                here = body.state()
                self.place(body, START, self.ignored(part), here)
            for left in sorted(self.ends[self.first, part]):
                if self.begins[left] != DEAD and scanner.may_end[self.begins[left]]:
                    body.call(here, self.rule((self.first, part, left)), end)
                    if part == 0:  # what is ignored first may lead back to the beginning's part
                        again = body.state()
                        self.place(body, START, self.ignored(0), again)
                        body.call(again, self.rule((self.first, 0, left)), end)
        if not self.numbers:
            raise Unsatisfiable(
                "no text can ever match: every alternative needs a rule that never ends, or lexemes that cannot follow each other",
                where=self.origin,
            )
        while self.waiting:
            key = self.waiting.pop()
            grammar.define(self.numbers[key], self.body(*key))
        grammar.define(start, body)
        return grammar

    def rule(self, key: Key) -> RuleId:
        """The rule of a nonterminal between two parts."""
        if key not in self.numbers:
            if len(self.numbers) >= MAX_RULES:
                raise LimitExceeded(
                    f"the grammar has more than {MAX_RULES} rules between what its lexemes leave behind",
                    limit="MAX_RULES",
                    value=MAX_RULES,
                    where=self.origin,
                    hint="make the look-arounds of its patterns simpler, or say lexer='scannerless'",
                )
            self.numbers[key] = self.grammar.rule(origin=self.origin)
            self.waiting.append(key)
        return self.numbers[key]

    def body(self, rule: int, begin: int, end: int) -> Automaton:
        """The productions of a nonterminal, as far as they lead from one part to another."""
        body = Automaton()
        last = body.state()
        body.accept(last)
        for symbols in self.productions[rule]:
            layers = [{begin}]
            for symbol in symbols:
                layers.append({q for p in layers[-1] for q in self.after(symbol, p, (rule, begin))})
            layers[-1] &= {end}
            for i in range(len(symbols) - 1, -1, -1):
                layers[i] = {p for p in layers[i] if layers[i + 1] & set(self.after(symbols[i], p, (rule, begin)))}
            if not layers[0]:
                continue
            states = {(0, begin): START}
            for i, symbol in enumerate(symbols):
                for p in sorted(layers[i]):
                    for q in sorted(layers[i + 1] & set(self.after(symbol, p, (rule, begin)))):
                        if (i + 1, q) not in states:
                            states[i + 1, q] = body.state()
                        self.read(body, states[i, p], (symbol, p, q), states[i + 1, q])
            body.epsilon(states[len(symbols), end], last)
        return body

    def read(self, body: Automaton, source: StateIndex, key: Key, target: StateIndex) -> None:
        """Read a symbol between two parts."""
        if key[0] < 0:
            body.call(source, self.rule((-1 - key[0], *key[1:])), target)
            return
        edges = self.spelled(*key)
        if len(edges) <= INLINE:
            self.place(body, source, edges, target)
            return
        if key not in self.lexemes:
            number = self.lexemes[key] = self.grammar.rule(origin=f"{self.scanner.terminals[key[0]]} ({self.origin})")
            inner = Automaton()
            end = inner.state()
            inner.accept(end)
            self.place(inner, START, edges, end)
            self.grammar.define(number, inner)
        body.call(source, self.lexemes[key], target)

    def place(self, body: Automaton, source: StateIndex, edges: Sequence[_Edge], target: StateIndex) -> None:
        """Write an automaton out between two states; its first edge is from its beginning."""
        if not edges:
            return
        states = {_END: target}
        begin = body.state()
        body.epsilon(source, begin)
        states[edges[0].source] = begin
        for edge in edges:
            for place in (edge.source, edge.target):
                if place not in states:
                    states[place] = body.state()
            if edge.low > edge.high:
                body.epsilon(states[edge.source], states[edge.target])
            else:
                body.byte_range(states[edge.source], edge.low, edge.high, states[edge.target])

    def _spelled(self, terminal: int, begin: int, end: int) -> list[_Edge]:
        """The automaton of a lexeme and what is ignored behind it, between two parts."""
        return self._useful(self._edges((0, self.begins[begin]), terminal, end), (0, self.begins[begin]))

    def ignored(self, end: int) -> list[_Edge]:
        """The automaton of one or more ignored lexemes from the beginning of the text to a part."""
        begin = (1, self.begins[0])
        return self._useful(self._edges(begin, IGNORED, end), begin)

    def _edges(self, begin: tuple[int, int], terminal: int, end: int) -> Iterator[_Edge]:
        seen = {begin}
        work = [begin]
        while work:
            place = phase, local = work.pop()
            found = [_Edge(place, low, high, (phase, target)) for low, high, target in self.moves[local]]
            for kind, left in self.exits[local]:
                if kind != (IGNORED if phase else terminal):
                    continue
                if left == end:
                    found.append(_Edge(place, 1, 0, _END))
                if self.begins[left] != DEAD:
                    found.append(_Edge(place, 1, 0, (1, self.begins[left])))
            yield from found
            for edge in found:
                if edge.target not in seen and edge.target != _END:
                    seen.add(edge.target)
                    work.append(edge.target)

    def _useful(self, edges: Iterable[_Edge], begin: tuple[int, int]) -> list[_Edge]:
        """The edges on some way to the end, those of the beginning first."""
        before: dict[tuple[int, int], list[_Edge]] = defaultdict(list)
        for edge in edges:
            before[edge.target].append(edge)
        useful = {_END}
        work = [_END]
        kept: list[_Edge] = []
        while work:
            for edge in before[work.pop()]:
                kept.append(edge)
                if edge.source not in useful:
                    useful.add(edge.source)
                    work.append(edge.source)
        return sorted(kept, key=lambda edge: edge.source != begin)
