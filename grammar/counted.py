"""Large repetitions, counted at run time instead of unrolled.

``x{0,100000}`` has a hundred thousand states as a finite automaton, and two with a counter.  A counter is exact for every
pattern, but where a text can be cut into iterations in many ways, a run has as many values of the counter as there are
ways: ``(a|aa){0,1000}`` has hundreds at once, and they cost time and memory while text is generated.  So a repetition is
counted only where at every place of every text each state of its automaton holds one value; what this means is in
``_Check``.  (Gelade, Gyssens, Martens 2009 call such expressions counter-deterministic.)  Everything else is unrolled, up
to the cap on states.

Each counted repetition becomes a rule, a loop whose iterations count with their first byte; the rule around it calls it with
the counter that its bounds say.  A rule never matches the empty text: what may be left out is left out by the caller.  An
iteration begins with a part that reads something (``_heads`` rewrites the body so), because a count that comes later would
let an iteration begin for which there is no room.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from .errors import LimitExceeded, Unsupported
from .ir import START, UNBOUNDED, Automaton, ByteAutomaton, Grammar, RuleId, StateIndex
from .leftcorner import real_time
from .regular.dfa import CharDfa
from .regular.encode import utf8
from .regular.nfa import Alphabet, from_node
from .regular.nodes import Alternation, Concat, Machine, Node, Repeat, Tick, children, least_length, size, walk

COUNTED_FROM: Final = 200
"""Positions of a repetition, unrolled, from which on it is counted: below, its states are cheaper than calls."""

MAX_RANGES: Final = 500_000
"""Ranges of characters on all edges of an automaton.  Writing as many as UTF-8 takes half a second."""

MAX_SETS: Final = 1_000
"""Sets of states that the check looks at before it gives up."""


def counted_grammar(tree: Node, *, max_states: int, tick: Tick) -> tuple[Grammar | None, int]:
    """Rules for the texts of a tree without anchors and look-around, and the number of repetitions that they count.

    The grammar is ``None`` if there are no texts.

    Raises:
        LimitExceeded: a repetition cannot be counted, and unrolled there are more than ``max_states`` states.

    """
    if any(map(_is_large, walk(tree))):
        try:
            parts = _Pieces(max_states, tick).of(tree)
            rules = _Rules()
            top = rules.whole(parts)
            if _Check(rules, top, tick).holds():
                return real_time(rules.grammar(top)), len(rules.bodies) - 1
        except (_CannotCountError, Unsupported):
            pass
    try:
        dfa = from_node(tree, "", search=False, max_states=max_states, tick=tick)
    except LimitExceeded as error:
        large = [part for part in walk(tree) if _is_large(part)]
        if error.limit == "deadline" or not large:
            raise
        reason = f"a repetition ({_bounds(large[0])}) can be read in several ways, so it is unrolled and not counted: "
        raise LimitExceeded(reason + error.message, limit=error.limit, value=error.value, hint=error.hint) from None
    if len(dfa.low) > MAX_RANGES:
        raise LimitExceeded(
            f"the automaton has {len(dfa.low)} ranges of characters, more than {MAX_RANGES}",
            limit="max_ranges", value=MAX_RANGES, hint="use classes of fewer ranges (ASCII ones), or lower the counts",
        )  # fmt: skip
    tick()
    return (None if dfa.is_empty() else _plain(dfa)), 0


class _CannotCountError(Exception):
    """The tree is not made of parts that can be counted."""


def _is_large(node: Node) -> bool:
    return isinstance(node, Repeat) and max(node.least, node.most or 0) > 1 and size(node) >= COUNTED_FROM


def _bounds(node: Node) -> str:
    assert isinstance(node, Repeat)  # noqa: S101 - what is large repeats
    return f"{{{node.least},{'' if node.most is None else node.most}}}"


def _plain(dfa: CharDfa) -> Grammar:
    grammar = Grammar()
    grammar.start = grammar.rule(key=("characters", dfa.digest))
    body = Automaton()
    end = body.state()
    body.embed(START, utf8(dfa), end)
    body.accept(end)
    grammar.define(grammar.start, body)
    return grammar


class _Pieces:
    """Trees of large repetitions, with one automaton for each part that holds none."""

    def __init__(self, max_states: int, tick: Tick) -> None:
        self.max_states = max_states
        self.tick = tick
        self.empty = CharDfa.from_strings([""])

    def of(self, node: Node) -> Node:
        if not any(map(_is_large, walk(node))):
            return Machine(from_node(node, "", search=False, max_states=self.max_states, tick=self.tick))
        if isinstance(node, Repeat):
            body = self.of(node.body)
            if not _is_large(node):
                return Repeat(body, node.least, node.most)
            least = node.least
            if isinstance(body, Machine) and least_length(body) == 0:
                body, least = Machine(body.dfa.minus(self.empty, max_states=self.max_states)), 0
            if least_length(body) == 0 or _is_nothing(body):
                raise _CannotCountError
            return Repeat(body, least, node.most)
        if isinstance(node, Concat | Alternation):
            return type(node)(self.merged(node))
        raise _CannotCountError

    def merged(self, node: Concat | Alternation) -> list[Node]:
        """The parts, neighbours without large repetitions as one."""
        out: list[Node] = []
        run: list[Node] = []
        for part in [*node.parts, None]:
            if part is not None and not any(map(_is_large, walk(part))):
                run.append(part)
                continue
            if run:
                out.append(self.of(type(node)(run)))
                run = []
            if part is not None:
                out.append(self.of(part))
        return out


def _is_nothing(node: Node) -> bool:
    return isinstance(node, Machine) and node.dfa.is_empty()


@dataclass(slots=True)
class _Rule:
    """A rule's automaton; edges are (source, automaton, whether its first character counts, target)."""

    n: int = 1
    reads: list[tuple[int, CharDfa, bool, int]] = field(default_factory=list)
    empty: list[tuple[int, int]] = field(default_factory=list)
    calls: list[tuple[int, int, tuple[int, int], int]] = field(default_factory=list)
    end: int = 0

    def state(self) -> int:
        self.n += 1
        return self.n - 1


class _Rules:
    """The rules of a tree of pieces: the whole, and one for each body that is counted."""

    def __init__(self) -> None:
        self.bodies: list[_Rule] = []
        self.known: dict[Hashable, int] = {}
        self.keys: list[Hashable] = []

    def whole(self, tree: Node) -> int:
        rule = _Rule()
        rule.end = self.add(rule, tree, 0)
        return self.put(rule, None)

    def put(self, rule: _Rule, key: Hashable) -> int:
        self.bodies.append(rule)
        self.keys.append(key)
        return len(self.bodies) - 1

    def add(self, rule: _Rule, node: Node, source: int) -> int:
        """Read a text of a node from a state on; returns the state behind it."""
        if isinstance(node, Machine):
            target = rule.state()
            rule.reads.append((source, node.dfa, False, target))
            return target
        if isinstance(node, Concat):
            for part in node.parts:
                source = self.add(rule, part, source)
            return source
        if isinstance(node, Alternation):
            target = rule.state()
            for part in node.parts:
                rule.empty.append((self.add(rule, part, source), target))
            return target
        assert isinstance(node, Repeat)  # noqa: S101 - pieces have no other nodes
        if _is_large(node):
            return self.counted(rule, node, source)
        for _ in range(node.least):
            source = self.add(rule, node.body, source)
        target = rule.state()
        if node.most is None:
            loop = rule.state()
            rule.empty += [(source, loop), (self.add(rule, node.body, loop), loop), (loop, target)]
            return target
        rule.empty.append((source, target))
        for _ in range(node.most - node.least):
            source = self.add(rule, node.body, source)
            rule.empty.append((source, target))
        return target

    def counted(self, rule: _Rule, node: Repeat, source: int) -> int:
        target = rule.state()
        if node.least == 0:
            rule.empty.append((source, target))
        room = UNBOUNDED if node.most is None else node.most
        rule.calls.append((source, self.loop(node.body), (max(node.least, 1), room), target))
        return target

    def loop(self, body: Node) -> int:
        """The rule of at least one text of a node, each of which counts."""
        key = _key(body)
        known = self.known.get(key)
        if known is None:
            rule = _Rule()
            rule.end = rule.state()
            for begin in (0, rule.end):
                for head, rest in _heads(body):
                    behind = rule.state()
                    rule.reads.append((begin, head, True, behind))
                    rule.empty.append((self.add(rule, rest, behind), rule.end))
            known = self.known[key] = self.put(rule, ("counted", key))
        return known

    def grammar(self, top: int) -> Grammar:
        grammar = Grammar()
        for key in self.keys:
            grammar.rule(key=key)
        for number, rule in enumerate(self.bodies):
            body = Automaton()
            body.n = rule.n
            for source, dfa, counts, target in rule.reads:
                part = utf8(dfa)
                body.embed(StateIndex(source), _counting(part) if counts else part, StateIndex(target))
            for source, target in rule.empty:
                body.epsilon(StateIndex(source), StateIndex(target))
            for source, callee, counter, target in rule.calls:
                body.call(StateIndex(source), RuleId(callee), StateIndex(target), counter)
            if number == top:
                body.accept(StateIndex(rule.end))
            else:
                body.accept_if_no_need(StateIndex(rule.end))
            grammar.define(RuleId(number), body)
        grammar.start = RuleId(top)
        return grammar


def _counting(part: ByteAutomaton) -> ByteAutomaton:
    """The same texts, none of them empty, of which each first byte counts: the start becomes a state that nothing enters."""
    first = part.source == 0
    return ByteAutomaton(
        part.n + 1,
        np.concatenate((np.zeros(first.sum(), np.int64), part.source + 1)),
        np.concatenate((part.low[first], part.low)),
        np.concatenate((part.high[first], part.high)),
        np.concatenate((part.target[first], part.target)) + 1,
        np.concatenate((np.zeros(1, np.bool_), part.accepting)),
        np.concatenate((np.ones(first.sum(), np.bool_), np.zeros(len(part.source), np.bool_))),
    )


def _key(node: Node) -> Hashable:
    if isinstance(node, Machine):
        return node.dfa.digest
    bounds = (node.least, node.most) if isinstance(node, Repeat) else ()
    return (type(node).__name__, *bounds, *map(_key, children(node)))


def _heads(node: Node) -> list[tuple[CharDfa, Node]]:
    """The texts of a node that are not empty, as a first part that is an automaton without the empty text, and the rest."""
    if isinstance(node, Machine):
        dfa = node.dfa - CharDfa.from_strings([""])
        return [] if dfa.is_empty() else [(dfa, Concat([]))]
    if isinstance(node, Alternation):
        return [head for part in node.parts for head in _heads(part)]
    if isinstance(node, Repeat):
        if least_length(node.body) == 0:
            raise _CannotCountError
        more = Repeat(node.body, max(node.least - 1, 0), None if node.most is None else node.most - 1)
        return [(head, Concat([rest, more])) for head, rest in _heads(node.body)]
    out: list[tuple[CharDfa, Node]] = []
    for i, part in enumerate(node.parts if isinstance(node, Concat) else []):
        out += [(head, Concat([rest, *node.parts[i + 1 :]])) for head, rest in _heads(part)]  # type: ignore[union-attr]
        if not _may_be_empty(part):
            break
    return out


def _may_be_empty(node: Node) -> bool:
    if isinstance(node, Machine):
        return bool(node.dfa.accepting[0])
    if isinstance(node, Repeat):
        return node.least == 0 or _may_be_empty(node.body)
    return (any if isinstance(node, Alternation) else all)(map(_may_be_empty, children(node)))


class _Check:
    """Whether every state that lies in a counted repetition holds one value of its counters at a time.

    All rules are put into one automaton over characters, a copy of a rule for each place that calls it.  The sets of
    states that texts lead to are those of the subset construction.  By induction over the text, the values are
    unique if, from each such set, no two edges on one character lead to one state inside a counted rule.  An edge that enters
    a rule from a place outside of all of them brings the same fresh counter, wherever it comes from, and counts once.
    """

    def __init__(self, rules: _Rules, top: int, tick: Tick) -> None:
        self.rules = rules
        self.tick = tick
        self.depth: list[int] = []  # of each state: counted rules that it lies in
        self.empty: list[list[int]] = []
        self.reads: list[
            list[tuple[int, int, int]]
        ] = []  # of each state: number of the set, target, number of the edge
        self.sets: dict[tuple[tuple[int, int], ...], int] = {}
        self.edges = 0
        self.start, _ = self.copy(top, 0)

    def state(self, depth: int) -> int:
        self.depth.append(depth)
        self.empty.append([])
        self.reads.append([])
        if len(self.depth) > 50 * MAX_SETS:
            raise _CannotCountError
        return len(self.depth) - 1

    def copy(self, number: int, depth: int) -> tuple[int, int]:
        """Put a copy of a rule into the automaton: its first state and its last."""
        self.tick()
        rule = self.rules.bodies[number]
        here = [self.state(depth) for _ in range(rule.n)]
        for source, target in rule.empty:
            self.empty[here[source]].append(here[target])
        for source, dfa, _, target in rule.reads:
            inner = [self.state(depth) for _ in range(dfa.n)]
            self.empty[here[source]].append(inner[0])
            owner = np.repeat(np.arange(dfa.n), np.diff(dfa.first)).tolist()
            together: dict[tuple[int, int], list[tuple[int, int]]] = {}
            for q, low, high, to in zip(owner, dfa.low.tolist(), dfa.high.tolist(), dfa.target.tolist(), strict=True):
                together.setdefault((q, to), []).append((low, high))
            for (q, to), ranges in together.items():
                number_of_set = self.sets.setdefault(tuple(ranges), len(self.sets))
                self.reads[inner[q]].append((number_of_set, inner[to], self.edges))
                self.edges += 1
            for q in np.flatnonzero(dfa.accepting).tolist():
                self.empty[inner[q]].append(here[target])
        for source, callee, _, target in rule.calls:
            first, last = self.copy(callee, depth + 1)
            self.empty[here[source]].append(first)
            self.empty[last].append(here[target])
        return here[0], here[rule.end]

    def holds(self) -> bool:
        alphabet = Alphabet(tuple(self.sets))
        first, listed = alphabet.class_first.tolist(), alphabet.class_list.tolist()
        closures: dict[int, list[int]] = {}
        start = frozenset([self.start])
        known = {start}
        work = [start]
        while work:
            self.tick()
            moved: dict[int, dict[int, set[tuple[int, int]]]] = {}
            for p in work.pop():
                for s in closures.get(p) or closures.setdefault(p, self.closure(p)):
                    for number, target, edge in self.reads[s]:
                        # A fresh counter does not hang on where the text came from.
                        fresh = self.depth[p] == 0 and self.depth[target] <= 1
                        for c in listed[first[number] : first[number + 1]]:
                            moved.setdefault(c, {}).setdefault(target, set()).add((-1 if fresh else p, edge))
            for targets in moved.values():
                if any(len(ways) > 1 and self.depth[t] for t, ways in targets.items()):
                    return False
                following = frozenset(targets)
                if following not in known:
                    known.add(following)
                    work.append(following)
                    if len(known) > MAX_SETS:
                        return False
        return True

    def closure(self, state: int) -> list[int]:
        found = [state]
        seen = {state}
        for s in found:  # grows while it is walked
            for t in self.empty[s]:
                if t not in seen:
                    seen.add(t)
                    found.append(t)
        return found
