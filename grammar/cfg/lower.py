"""From rules to the intermediate representation: one automaton for each rule, edges for everything but calls.

* Choices, sequences, ``*``, ``+`` and ``?`` are edges (Thompson), never rules of their own.
* A call of a small rule that is not recursive is written out; other calls are call edges.
* A repetition with large bounds is a counter in a rule of its own (``repetition``); a small one is written out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Final

from ..ir import OP_COUNT, OP_NONE, OP_TEST, START, UNBOUNDED, Automaton, Grammar, RuleId, StateIndex
from ..leftcorner import real_time
from ..regular.dfa import CharDfa, Ranges
from ..regular.encode import utf8
from ..terminals import TokenTerminal
from .build import Builder, Step
from .facts import Facts
from .nodes import (
    CharSet,
    Choice,
    Definition,
    Literal,
    Node,
    Pattern,
    Reference,
    Repeat,
    Sequence,
    TokenSet,
    below,
    walk,
)
from .repetition import Cut, Cuts, Marked, simplified
from .text import GrammarText

INLINE: Final = 12
"""Edges of a rule that is written out where it is called: a frame costs more than a few copies."""

EXPAND: Final = 32
"""Edges of a repetition that is written out rather than counted."""

CHAIN: Final = 64
"""Items of a repetition that are one state each where no counter can be used; beyond, rules of halves."""


def lower(definitions: Mapping[str, Definition], start: str, facts: Facts, source: GrammarText) -> Grammar:
    """The rules that a real-time machine can run.

    Args:
        definitions: the rules that the start rule needs, without differences.
        start: the rule that texts are made of; it has a text.
        facts: of these definitions.
        source: the grammar's text, for origins and errors.

    """
    return real_time(_Lowering(definitions, start, facts, source).run())


class _Lowering:
    """The state of one lowering."""

    def __init__(self, definitions: Mapping[str, Definition], start: str, facts: Facts, source: GrammarText) -> None:
        self.definitions = definitions
        self.facts = facts
        self.source = source
        self.grammar = Grammar()
        self.names = {
            name: self.rule(definition.at, name) for name, definition in definitions.items() if name in facts.productive
        }
        self.grammar.start = self.names[start]
        self.sizes: dict[str, int] = {}
        self.known_sizes: dict[Node, int] = {}
        self.find_sizes()
        self.waiting: list[Callable[[], None]] = []
        self.bodies: dict[Node, RuleId] = {}
        self.counters: dict[Node, tuple[RuleId, Cut] | None] = {}
        self.halves: dict[tuple[RuleId, int, bool], RuleId] = {}
        self.tokens: dict[tuple[tuple[int, ...], tuple[str, ...], bool], RuleId] = {}

    def run(self) -> Grammar:
        """Lower all rules."""
        for name, rule in self.names.items():
            self.define(rule, self.definitions[name].body)
            while self.waiting:  # rules of repetitions, and those of repetitions inside of them
                self.waiting.pop()()
        return self.grammar

    def rule(self, at: int, name: str | None = None) -> RuleId:
        """A new rule that comes from a place in the text."""
        place = self.source.place(at)
        return self.grammar.rule(origin=place if name is None else f"{name} ({place})")

    def define(self, rule: RuleId, body: Node) -> None:
        """Give a rule the automaton of a part."""
        builder = _Body(self)
        end = builder.state()
        builder.build(body, START, end)
        builder.automaton.accept(end)
        self.grammar.define(rule, builder.automaton)

    def token(self, node: TokenSet) -> RuleId:
        """The rule of a token terminal."""
        key = (node.ids, node.texts, node.negated)
        if key not in self.tokens:
            terminal = TokenTerminal((*node.ids, *node.texts), node.negated, excerpt=self.source.excerpt(node.at))
            self.tokens[key] = terminal.rule(self.grammar, self.source.place(node.at))
        return self.tokens[key]

    # -- sizes ----------------------------------------------------------------------------------------------------

    def find_sizes(self) -> None:
        """Find the edges of each rule that is not recursive, calls of small ones written out."""
        for names in self.facts.components:
            for name in names:
                if name not in self.facts.recursive:
                    self.sizes[name] = self.size(self.definitions[name].body)

    def size(self, root: Node) -> int:
        """Edges of a part."""
        known = self.known_sizes
        stack = [root]
        while stack:
            node = stack[-1]
            missing = [part for part in below(node) if part not in known]
            if missing and node not in known:
                stack.extend(missing)
                continue
            known[node] = self.own_size(node)
            stack.pop()
        return known[root]

    def own_size(self, node: Node) -> int:
        """Edges of a part whose parts are known."""
        if isinstance(node, CharSet):
            return 1 if node.ranges and node.ranges[-1][1] < 0x80 else 4  # the lengths of UTF-8
        if isinstance(node, Pattern):
            return len(node.dfa.low)
        if isinstance(node, Reference):
            size = self.sizes.get(node.name, INLINE + 1)
            return size if size <= INLINE else 1
        if isinstance(node, Sequence | Choice):
            return sum(self.known_sizes[part] for part in node.parts)
        if isinstance(node, Repeat):
            size = self.known_sizes[node.body] * max(1, node.least if node.most is None else node.most)
            return size if size <= EXPAND or (node.most is None and node.least < 2) else 1
        return 1

    # -- repetition -----------------------------------------------------------------------------------------------

    @cached_property
    def owners(self) -> dict[Node, int]:
        """The component of the named rule that a part stands in."""
        component = self.facts.component
        return {node: component[name] for name, d in self.definitions.items() for node in walk(d.body)}

    def counter(self, body: Node) -> tuple[RuleId, Cut] | None:
        """The rule that reads a part a counted number of times, or ``None`` if the part cannot be counted.

        A part that calls the rule that it stands in is not counted: its counter would be nested in itself.
        """
        if body not in self.counters:
            component, owner = self.facts.component, self.owners[body]
            nested = any(isinstance(node, Reference) and component[node.name] == owner for node in walk(body))
            countable = not nested and not self.facts.is_nullable(body)
            cut = Cuts(self.definitions, self.facts).find(body) if countable else None
            if cut is None:
                self.counters[body] = None
            else:
                self.counters[body] = rule, _ = self.rule(body.at), cut
                self.waiting.append(lambda: self.define_counter(rule, cut))
        return self.counters[body]

    def define_counter(self, rule: RuleId, cut: Cut) -> None:
        """Give a counting rule its automaton; see ``repetition``."""
        builder = _Body(self)
        end = builder.state()
        builder.mark = OP_COUNT
        if cut.leading:
            builder.build(cut.node, START, end)
            builder.epsilon(end, START)
            builder.automaton.accept_if_no_need(end)
        else:
            again = builder.state()
            builder.build(cut.node, START, again)
            builder.epsilon(again, START)
            builder.mark = OP_TEST
            builder.build(cut.node, START, end)
            builder.automaton.accept(end)
        self.grammar.define(rule, builder.automaton)

    def body(self, node: Node) -> RuleId:
        """A rule of its own for a part."""
        if isinstance(node, Reference):
            return self.names[node.name]
        if node not in self.bodies:
            rule = self.bodies[node] = self.rule(node.at)
            self.waiting.append(lambda: self.define(rule, node))
        return self.bodies[node]

    def half(self, item: RuleId, count: int, at: int, *, exactly: bool) -> RuleId:
        """The rule of ``count`` items, or of at most so many, from rules of half as many."""
        key = (item, count, exactly)
        if key in self.halves:
            return self.halves[key]
        if count == 1 and exactly:
            return item
        rule = self.halves[key] = self.rule(at)
        automaton = Automaton()
        here: StateIndex = START
        end = automaton.state()
        low = count // 2
        if exactly:
            calls = [(low, True)] * 2 + [(1, True)] * (count % 2)
        else:
            # 0 to low items, or low + 1 and then up to the rest: every number in one way only.
            automaton.epsilon(START, end)
            if low:
                automaton.call(START, self.half(item, low, at, exactly=False), end)
            calls = [(low + 1, True)] + [(count - low - 1, False)] * (count - low - 1 > 0)
        for i, (number, exact) in enumerate(calls):
            there = end if i == len(calls) - 1 else automaton.state()
            automaton.call(here, self.half(item, number, at, exactly=exact), there)
            here = there
        automaton.accept(end)
        self.grammar.define(rule, automaton)
        return rule


class _Body(Builder[StateIndex]):
    """The automaton of one rule.

    Attributes:
        automaton: what is built.
        mark: the operation of marked bytes.

    """

    def __init__(self, lowering: _Lowering) -> None:
        self.lowering = lowering
        self.automaton = Automaton()
        self.mark = OP_NONE

    def state(self) -> StateIndex:
        """Add a state."""
        return self.automaton.state()

    def epsilon(self, source: StateIndex, target: StateIndex) -> None:
        """Go from source to target without reading."""
        self.automaton.epsilon(source, target)

    def leaf(self, node: Node, source: StateIndex, target: StateIndex) -> Step[StateIndex] | None:
        """Read a terminal, or call or write out another rule."""
        op = OP_NONE
        if isinstance(node, Marked):
            node, op = node.terminal, self.mark
        if isinstance(node, Literal):
            if node.text:
                self.automaton.literal(source, node.text.encode(), target, op)
            else:
                self.epsilon(source, target)
        elif isinstance(node, CharSet):
            self.characters(node.ranges, source, target, op)
        elif isinstance(node, Pattern):
            self.pattern(node.dfa, source, target, op)
        elif isinstance(node, Reference):
            return self.reference(node, source, target)
        else:
            assert isinstance(node, TokenSet)  # noqa: S101 - differences are resolved
            self.automaton.call(source, self.lowering.token(node), target, op=op)
        return None

    def reference(self, node: Reference, source: StateIndex, target: StateIndex) -> Step[StateIndex] | None:
        """Call a rule, or write it out if it is small; a rule without texts has no edge."""
        lowering = self.lowering
        if node.name in lowering.names:
            if lowering.sizes.get(node.name, INLINE + 1) <= INLINE:
                return lowering.definitions[node.name].body, source, target
            self.automaton.call(source, lowering.names[node.name], target)
        return None

    def characters(self, ranges: Ranges, source: StateIndex, target: StateIndex, op: int) -> None:
        """Read one character."""
        for low, high in ranges:
            if low < 0x80:
                self.automaton.byte_range(source, low, min(high, 0x7F), target, op)
        beyond = [(0, max(low, 0x80), high, 1) for low, high in ranges if high >= 0x80]
        if beyond:
            self.pattern(CharDfa.from_edges(2, beyond, [1]), source, target, op)

    def pattern(self, dfa: CharDfa, source: StateIndex, target: StateIndex, op: int) -> None:
        """Read a text of an automaton; ``op`` is executed with its first byte."""
        part = utf8(dfa)
        states = [self.state() for _ in range(part.n)]
        columns = (x.tolist() for x in (part.source, part.low, part.high, part.target))
        for begin, low, high, end in zip(*columns, strict=True):
            self.automaton.byte_range(states[begin], low, high, states[end])
            if begin == 0:
                self.automaton.byte_range(source, low, high, states[end], op)
        for state, accepts in enumerate(part.accepting.tolist()):
            if accepts:
                self.epsilon(states[state] if state else source, target)
                if state == 0:
                    self.epsilon(states[0], target)

    def counted(self, node: Repeat, source: StateIndex, target: StateIndex) -> list[Step[StateIndex]] | None:
        """Read a repetition by a counter, by rules of halves, or (``None``) written out."""
        lowering = self.lowering
        simple = simplified(node, lowering.facts)
        if simple is not node:
            return [(simple, source, target)]
        copies = node.least if node.most is None else node.most
        if copies * lowering.size(node.body) <= EXPAND:
            return None
        if not lowering.facts.is_productive(node.body):
            return []
        found = lowering.counter(node.body)
        if found is None:
            return self.called(node, source, target)
        rule, cut = found
        less = 0 if cut.leading else 1
        room = UNBOUNDED if node.most is None else node.most - less
        self.automaton.call(source, rule, target, (max(node.least, less) - less, room))
        return []

    def called(self, node: Repeat, source: StateIndex, target: StateIndex) -> list[Step[StateIndex]]:
        """Read a repetition by calls, one for each item or, where there are many, by rules of halves."""
        lowering, least, most = self.lowering, node.least, node.most
        item = lowering.body(node.body)
        here = source
        if (least if most is None else most) <= CHAIN:
            for i in range(least if most is None else most):
                if i >= least:
                    self.epsilon(here, target)
                there = self.state()
                self.automaton.call(here, item, there)
                here = there
            if most is not None:
                self.epsilon(here, target)
        else:
            if least:
                there = target if most == least else self.state()
                self.automaton.call(here, lowering.half(item, least, node.at, exactly=True), there)
                here = there
            if most is not None and most > least:
                rest = lowering.half(item, most - least, node.at, exactly=False)
                self.automaton.call(here, rest, target)
        return [(Repeat(node.at, node.body, 0, None), here, target)] if most is None else []
