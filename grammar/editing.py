"""Rule bodies in a form that passes can rewrite: named edges in lists instead of flat arrays.

``ir.Automaton`` is laid out for kernels; a pass that adds, copies and removes edges wants tuples.
``read`` and ``write`` convert, the rest are the classical constructions on one nondeterministic
automaton: epsilon closure and removal, trimming, determinisation, quotient by bisimulation.  They
know nothing of what a called rule means: a call is one more letter of the alphabet.

These run in plain Python, and only for grammars that need rewriting; see ``leftcorner``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from .errors import InvalidSource
from .ir import (
    EDGE_WIDTH,
    KIND_CALL,
    KIND_EPSILON,
    KIND_EXTRA,
    KIND_LITERAL,
    KIND_NOT_LITERAL,
    KIND_RANGE,
    OP_NONE,
    OP_SET,
    OPERATION,
    Automaton,
    Rule,
    StateIndex,
)
from .packed import PackedDfa
from .parsing import Parser

if TYPE_CHECKING:
    from .terminals import TokenTerminal

Counter = tuple[int, int]
"""A (need, room) pair."""


class Label(NamedTuple):
    """What an edge reads and does.

    Attributes:
        kind: one of ``ir.KIND_*``.
        a: RANGE: lowest byte.  CALL, EXTRA: rule.
        b: RANGE: highest byte.
        text: LITERAL, NOT_LITERAL: the bytes.
        op: one of ``ir.OP_*``.
        counter: CALL: what the callee starts with; OP_SET: what is loaded; else None.

    """

    kind: int
    a: int = 0
    b: int = 0
    text: bytes = b""
    op: int = OP_NONE
    counter: Counter | None = None

    @property
    def calls(self) -> bool:
        """Whether the edge reads a text of another rule."""
        return self.kind in {KIND_CALL, KIND_EXTRA}


EPSILON = Label(KIND_EPSILON)


class Edge(NamedTuple):
    """One edge of a body."""

    source: int
    label: Label
    target: int


@dataclass(slots=True)
class Body:
    """One rule's automaton.  State 0 is the start.

    Attributes:
        n: number of states.
        edges: in no particular order.
        finals: states in which the rule may end.
        finals_if_no_need: states in which it may end if the counter's need is 0.
        guards: (least, most) of guarded states.
        outline_of: the packed automaton, the parser or the token terminal that the edges are an outline of, if any.

    """

    n: int = 1
    edges: list[Edge] = field(default_factory=list)
    finals: set[int] = field(default_factory=set)
    finals_if_no_need: set[int] = field(default_factory=set)
    guards: dict[int, tuple[int, int]] = field(default_factory=dict)
    outline_of: PackedDfa | Parser | TokenTerminal | None = None

    @property
    def plain(self) -> bool:
        """Whether the body is all there is, and uses no counter and no register of its own activation."""
        return not (
            self.outline_of is not None
            or self.finals_if_no_need
            or self.guards
            or any(e.label.op != OP_NONE or e.label.kind in {KIND_EXTRA, KIND_NOT_LITERAL} for e in self.edges)
        )

    def state(self) -> int:
        """Add a state."""
        self.n += 1
        return self.n - 1

    def out(self) -> list[list[Edge]]:
        """Edges by source state."""
        out: list[list[Edge]] = [[] for _ in range(self.n)]
        for edge in self.edges:
            out[edge.source].append(edge)
        return out

    def callees(self) -> set[int]:
        """Rules that the body calls."""
        return {e.label.a for e in self.edges if e.label.calls}


def read(rule: Rule) -> Body:
    """The body of a rule, as lists."""
    automaton = rule.body
    if automaton is None:
        raise InvalidSource("a rule of the grammar was never defined", where=rule.origin)
    flat = automaton.edges.tolist()
    edges = []
    for at in range(0, len(flat), EDGE_WIDTH):
        source, kind, a, b, op, arg, target = flat[at : at + EDGE_WIDTH]
        text = b""
        counter = None
        if kind in {KIND_LITERAL, KIND_NOT_LITERAL}:
            text, a, b = bytes(automaton.blob[a : a + b]), 0, 0
        if (kind == KIND_CALL and arg >= 0) or op & OPERATION == OP_SET:
            counter = automaton.pairs[arg]
        edges.append(Edge(source, Label(kind, a, b, text, op, counter), target))
    return Body(
        automaton.n,
        edges,
        set(automaton.accepting),
        set(automaton.accepting_if_no_need),
        {state: (least, most) for state, least, most in automaton.guards},
        automaton.outline_of,
    )


def write(body: Body, rule_ids: Sequence[int]) -> Automaton:
    """The body as an automaton of the IR, with called rules renumbered by ``rule_ids``."""
    if body.outline_of is not None:
        return (body.outline_of if 0 in body.finals else body.outline_of.without_empty()).body()
    automaton = Automaton()
    automaton.n = body.n
    pairs: dict[Counter, int] = {}
    for source, label, target in body.edges:
        if label.kind in {KIND_LITERAL, KIND_NOT_LITERAL}:
            automaton.edges.extend(
                (
                    source,
                    label.kind,
                    len(automaton.blob),
                    len(label.text),
                    label.op,
                    _pair(automaton, pairs, label),
                    target,
                )
            )
            automaton.blob += label.text
        elif label.calls:
            arg = -1 if label.counter is None else _pair(automaton, pairs, label)
            arg = 0 if label.kind == KIND_EXTRA else arg
            automaton.edges.extend((source, label.kind, rule_ids[label.a], 0, label.op, arg, target))
        else:
            automaton.edges.extend(
                (source, label.kind, label.a, label.b, label.op, _pair(automaton, pairs, label), target)
            )
    for state in sorted(body.finals):
        automaton.accept(StateIndex(state))
    for state in sorted(body.finals_if_no_need):
        automaton.accept_if_no_need(StateIndex(state))
    for state, (least, most) in sorted(body.guards.items()):
        automaton.guards.append((state, least, most))
    return automaton


def _pair(automaton: Automaton, pairs: dict[Counter, int], label: Label) -> int:
    if label.counter is None:
        return 0
    if label.counter not in pairs:
        pairs[label.counter] = automaton.pair(*label.counter)
    return pairs[label.counter]


def closure(out: Sequence[Sequence[Edge]], states: Iterable[int]) -> frozenset[int]:
    """The states that can be reached from ``states`` without reading."""
    reached = set(states)
    work = list(reached)
    while work:
        for edge in out[work.pop()]:
            if edge.label.kind == KIND_EPSILON and edge.target not in reached:
                reached.add(edge.target)
                work.append(edge.target)
    return frozenset(reached)


def reading_edges(out: Sequence[Sequence[Edge]], state: int) -> list[Edge]:
    """What can be read from ``state``, if need be after steps that read nothing; duplicates removed."""
    edges = (e for s in sorted(closure(out, [state])) for e in out[s] if e.label.kind != KIND_EPSILON)
    return list(dict.fromkeys(Edge(state, e.label, e.target) for e in edges))


def fresh_start(body: Body) -> None:
    """Make state 0 a state that no edge enters and in which the rule cannot end: the empty text is removed."""
    edges = [Edge(0, e.label, e.target + 1) for e in reading_edges(body.out(), 0)]
    edges += [Edge(e.source + 1, e.label, e.target + 1) for e in body.edges]
    body.n += 1
    body.edges = edges
    body.finals = {s + 1 for s in body.finals}
    body.finals_if_no_need = {s + 1 for s in body.finals_if_no_need}
    body.guards = {s + 1: guard for s, guard in body.guards.items()}
    trim(body, lambda _: True)


def without_epsilon(body: Body) -> Body:
    """The same language without epsilon edges, for plain bodies."""
    out = body.out()
    edges = [e for s in range(body.n) for e in reading_edges(out, s)]
    finals = {s for s in range(body.n) if closure(out, [s]) & body.finals}
    result = Body(body.n, edges, finals)
    trim(result, lambda _: True)
    return result


def productive(body: Body, usable: Callable[[Label], bool]) -> set[int]:
    """The states from which the rule can end over edges with usable labels."""
    into: list[list[int]] = [[] for _ in range(body.n)]
    for source, label, target in body.edges:
        if usable(label):
            into[target].append(source)
    found = body.finals | body.finals_if_no_need
    work = list(found)
    while work:
        for source in into[work.pop()]:
            if source not in found:
                found.add(source)
                work.append(source)
    return found


def trim(body: Body, usable: Callable[[Label], bool]) -> None:
    """Remove the edges that are not usable and the states that no accepted text visits; the start stays."""
    useful = productive(body, usable)
    edges = [e for e in body.edges if e.target in useful and usable(e.label)]
    out = Body(body.n, edges).out()
    order = {0: 0}
    work = [0]
    while work:
        for edge in out[work.pop()]:
            if edge.target not in order:
                order[edge.target] = len(order)
                work.append(edge.target)
    _renumber(body, edges, order, len(order))


def _renumber(body: Body, edges: Iterable[Edge], new: dict[int, int], n: int) -> None:
    body.n = n
    body.edges = list(
        dict.fromkeys(Edge(new[e.source], e.label, new[e.target]) for e in edges if e.source in new and e.target in new)
    )
    body.finals = {new[s] for s in body.finals if s in new}
    body.finals_if_no_need = {new[s] for s in body.finals_if_no_need if s in new}
    body.guards = {new[s]: guard for s, guard in body.guards.items() if s in new}


def spell_out(body: Body) -> None:
    """Replace literals by chains of single bytes (plain bodies only)."""
    edges = []
    for edge in body.edges:
        if edge.label.kind != KIND_LITERAL:
            edges.append(edge)
            continue
        here = edge.source
        for i, byte in enumerate(edge.label.text):
            there = edge.target if i == len(edge.label.text) - 1 else body.state()
            edges.append(Edge(here, Label(KIND_RANGE, byte, byte), there))
            here = there
    body.edges = edges


def determinise(body: Body, cap: int) -> Body | None:
    """The subset automaton of a plain, spelled-out body over bytes and calls; None if it passes ``cap`` states."""
    out = body.out()
    start = closure(out, [0])
    index = {start: 0}
    order = [start]
    result = Body()
    for subset in order:
        source = index[subset]
        if subset & body.finals:
            result.finals.add(source)
        for label, targets in _moves(out, subset):
            reached = closure(out, targets)
            if reached not in index:
                if len(order) >= cap:
                    return None
                index[reached] = len(order)
                order.append(reached)
            result.edges.append(Edge(source, label, index[reached]))
    result.n = len(order)
    return result


def _moves(out: Sequence[Sequence[Edge]], subset: Iterable[int]) -> list[tuple[Label, frozenset[int]]]:
    """The disjoint labels that a set of states can read, and where each leads."""
    ranges = []
    calls: dict[Label, set[int]] = {}
    for state in subset:
        for edge in out[state]:
            if edge.label.calls:
                calls.setdefault(edge.label, set()).add(edge.target)
            elif edge.label.kind == KIND_RANGE:
                ranges.append(edge)
    moves: list[tuple[Label, frozenset[int]]] = []
    borders = sorted({e.label.a for e in ranges} | {e.label.b + 1 for e in ranges})
    for low, after in itertools.pairwise(borders):
        targets = frozenset(e.target for e in ranges if e.label.a <= low <= e.label.b)
        if moves and moves[-1][1] == targets and moves[-1][0].b == low - 1:
            moves[-1] = (moves[-1][0]._replace(b=after - 1), targets)
        elif targets:
            moves.append((Label(KIND_RANGE, low, after - 1), targets))
    moves += [(label, frozenset(targets)) for label, targets in sorted(calls.items(), key=lambda item: _order(item[0]))]
    return moves


def _order(label: Label) -> tuple[int, int, Counter]:
    return label.kind, label.a, label.counter or (-1, -1)


def quotient(body: Body) -> None:
    """Merge states of a plain body that are bisimilar; for a deterministic body this is minimisation."""
    out = body.out()
    block = [int(s in body.finals) for s in range(body.n)]
    blocks = len(set(block))
    while True:
        signatures: dict[tuple[int, frozenset[tuple[Label, int]]], int] = {}
        new = []
        for state in range(body.n):
            moves = frozenset((e.label, block[e.target]) for e in out[state])
            new.append(signatures.setdefault((block[state], moves), len(signatures)))
        block = new
        if len(signatures) == blocks:
            break
        blocks = len(signatures)
    _renumber(body, body.edges, dict(enumerate(block)), blocks)
