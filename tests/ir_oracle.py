"""A slow, obvious interpreter of ``Grammar``: sets of configurations with explicit stacks, one byte at a time.

It is the judge of front ends (does the grammar say what the schema says?) and of everything that is faster.
"""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

from syntagma.grammar import ir
from syntagma.grammar.packed import PackedDfa


class Frame(NamedTuple):
    """One activation of a rule.

    ``place`` is a state, or (edge, offset) inside a literal.  ``key`` is the text read so far of a key or item, while one is open;
    ``extra`` is the edge whose body is being read by the frame above, or -1.
    """

    rule: int
    place: int | tuple[int, int]
    need: int
    room: int
    seen: frozenset[bytes]
    key: bytes | None
    extra: int


Configuration = tuple[Frame, ...]


class _Body:
    """A rule's automaton as lists of edges per state."""

    def __init__(self, a: ir.Automaton) -> None:
        raw = a.edges.tolist()
        self.edges = [tuple(raw[i : i + ir.EDGE_WIDTH]) for i in range(0, len(raw), ir.EDGE_WIDTH)]
        self.out: dict[int, list[int]] = {}
        for i, e in enumerate(self.edges):
            self.out.setdefault(e[0], []).append(i)
        self.accepting = set(a.accepting)
        self.accepting_if_no_need = set(a.accepting_if_no_need)
        self.guards: dict[int, list[tuple[int, int]]] = {}
        for q, least, most in a.guards:
            self.guards.setdefault(q, []).append((least, most))
        self.blob = bytes(a.blob)
        self.pairs = a.pairs

    def text(self, edge: int) -> bytes:
        """Return the text of a literal edge."""
        e = self.edges[edge]
        return self.blob[e[2] : e[2] + e[3]]

    def forbidden(self, extra: int) -> set[bytes]:
        """Return the texts that an EXTRA edge must not match."""
        source = self.edges[extra][0]
        return {self.text(i) for i in self.out[source] if self.edges[i][1] == ir.KIND_NOT_LITERAL}


class Oracle:
    """Membership in the language of a grammar, by definition."""

    def __init__(self, grammar: ir.Grammar) -> None:
        """Index the rules."""
        self.grammar = grammar
        self._bodies: dict[int, _Body] = {}

    def body(self, rule: int) -> _Body:
        """Return a rule's body."""
        found = self._bodies.get(rule)
        if found is None:
            a = self.grammar.rules[rule].body
            assert a is not None, f"rule {rule} was never defined"
            found = self._bodies[rule] = _Body(a.outline_of.spelled_out() if isinstance(a.outline_of, PackedDfa) else a)
        return found

    @cached_property
    def start(self) -> frozenset[Configuration]:
        """The configurations before any byte."""
        return self._close([(_enter(self.grammar.start, 0, ir.UNBOUNDED),)])

    def accepts(self, text: bytes) -> bool:
        """Tell whether a whole text is in the language."""
        return self.is_accepting(self.run(text))

    def run(self, text: bytes) -> frozenset[Configuration]:
        """Return the configurations behind a prefix; none where it is dead."""
        here = self.start
        for byte in text:
            here = self.step(here, byte)
            if not here:
                break
        return here

    @staticmethod
    def is_accepting(configurations: frozenset[Configuration]) -> bool:
        """Tell whether the text so far is complete."""
        return () in configurations

    def step(self, configurations: frozenset[Configuration], byte: int) -> frozenset[Configuration]:
        """Read one byte."""
        out: list[Configuration] = []
        for stack in configurations:
            if stack:
                out.extend(self._read(stack, byte))
        return self._close(out)

    def bytes_allowed(self, configurations: frozenset[Configuration]) -> list[int]:
        """Return the bytes that may come next."""
        return [b for b in range(256) if self.step(configurations, b)]

    def _read(self, stack: Configuration, byte: int) -> list[Configuration]:
        *below, top = stack
        body = self.body(top.rule)
        under = tuple(f if f.key is None else f._replace(key=f.key + bytes([byte])) for f in below)
        remembered = top if top.key is None else top._replace(key=top.key + bytes([byte]))
        if isinstance(top.place, tuple):
            edge, offset = top.place
            text = body.text(edge)
            if text[offset] != byte:
                return []
            place: int | tuple[int, int] = (edge, offset + 1) if offset + 1 < len(text) else body.edges[edge][6]
            return [(*under, remembered._replace(place=place))]
        out: list[Configuration] = []
        for i in body.out.get(top.place, ()):
            _, kind, a, b, op, arg, target = body.edges[i]
            if kind == ir.KIND_RANGE and a <= byte <= b:
                place = target
            elif kind == ir.KIND_LITERAL and body.text(i)[0] == byte:
                place = target if b == 1 else (i, 1)
            else:
                continue
            new = _operate(body, remembered._replace(place=place), op, arg)
            if new is not None:
                out.append((*under, new))
        return out

    def _close(self, stacks: list[Configuration]) -> frozenset[Configuration]:
        seen: set[Configuration] = set()
        todo = list(stacks)
        while todo:
            stack = todo.pop()
            if stack in seen:
                continue
            if stack and isinstance(stack[-1].place, int):
                top = stack[-1]
                body = self.body(top.rule)
                if any(top.need > most or top.room < least for least, most in body.guards.get(top.place, ())):
                    continue
                todo.extend(self._moves(stack, body))
            seen.add(stack)
        return frozenset(s for s in seen if not s or self._can_read(s[-1]))

    def _can_read(self, top: Frame) -> bool:
        if not isinstance(top.place, int):
            return True
        body = self.body(top.rule)
        return any(body.edges[i][1] in (ir.KIND_RANGE, ir.KIND_LITERAL) for i in body.out.get(top.place, ()))

    def _moves(self, stack: Configuration, body: _Body) -> list[Configuration]:
        below, top = stack[:-1], stack[-1]
        assert isinstance(top.place, int)
        out: list[Configuration] = []
        for i in body.out.get(top.place, ()):
            _, kind, a, _b, _op, arg, target = body.edges[i]
            if kind == ir.KIND_EPSILON:
                out.append((*below, top._replace(place=target)))
            elif kind == ir.KIND_CALL:
                need, room = (0, ir.UNBOUNDED) if arg < 0 else body.pairs[arg]
                out.append((*below, top._replace(place=target), _enter(a, need, room)))
            elif kind == ir.KIND_EXTRA:
                assert top.key is not None, "an EXTRA edge without an open key"
                out.append((*below, top._replace(place=target, extra=i), _enter(a, 0, ir.UNBOUNDED)))
        done = top.place in body.accepting or (top.place in body.accepting_if_no_need and top.need == 0)
        if done:
            out.extend(self._leave(below))
        return out

    def _leave(self, below: Configuration) -> list[Configuration]:
        if not below:
            return [()]
        caller = below[-1]
        if caller.extra < 0:
            return [below]
        assert caller.key is not None
        if caller.key in caller.seen or caller.key in self.body(caller.rule).forbidden(caller.extra):
            return []
        return [(*below[:-1], caller._replace(seen=caller.seen | {caller.key}, key=None, extra=-1))]


def _enter(rule: int, need: int, room: int) -> Frame:
    return Frame(rule, 0, need, room, frozenset(), None, -1)


def meaning(text: bytes) -> bytes:
    """A JSON text for all texts of the same value: members sorted, numbers as fractions."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return ["list", *map(plain, value)]
        if isinstance(value, dict):
            return ["dict", *sorted((k, plain(v)) for k, v in value.items())]
        return f"number {Fraction(value)}" if isinstance(value, Decimal) else ["other", value]

    return json.dumps(plain(json.loads(text, parse_float=Decimal, parse_int=Decimal))).encode()


def _operate(body: _Body, frame: Frame, op: int, arg: int) -> Frame | None:
    if op & ir.ITEM_END:
        assert frame.key is not None
        item = meaning(frame.key[:-1])
        if item in frame.seen:
            return None
        frame = frame._replace(seen=frame.seen | {item}, key=None)
    if op & ir.ITEM_BEGIN:
        frame = frame._replace(key=b"")
    op &= ir.OPERATION
    if op == ir.OP_COUNT:
        if frame.room == 0:
            return None
        room = frame.room if frame.room >= ir.UNBOUNDED else frame.room - 1
        return frame._replace(need=max(frame.need - 1, 0), room=room)
    if op == ir.OP_SET:
        need, room = body.pairs[arg]
        return frame._replace(need=need, room=room)
    if op == ir.OP_TEST:
        return frame if frame.need == 0 else None
    if op == ir.OP_KEY_OPEN:
        return frame._replace(key=b"")
    if op == ir.OP_TEXT_OPEN:
        return frame._replace(key=b'"')
    if op == ir.OP_KEY_CLOSE:
        assert frame.key is not None
        key = frame.key
        if (
            len(key) > 1 and key[:1] == b'"'
        ):  # opened by TEXT_OPEN: no key's spelling begins with the quote that ends it
            key = meaning(key)
        if key in frame.seen:
            return None
        return frame._replace(seen=frame.seen | {key}, key=None)
    if op == ir.OP_KEY_DROP:
        return frame._replace(key=None)
    return frame
