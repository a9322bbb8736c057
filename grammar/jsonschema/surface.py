"""The surface of JSON texts: white space and keys, as pieces of automata.

White space is chosen once per compilation.  ``bounded`` allows, after ``{``, ``[`` and ``,`` and before ``}`` and ``]``,
nothing, one space, or a newline with up to 40 blanks; after ``:`` nothing or one space; none around the whole text.
That covers every text of ``json.dumps`` with its usual separators and indents, and no model can run away in it.

A number is the exact layout of ``json.dumps(value, indent=n)``: a newline and n blanks for each open container, one space
after a colon, nothing inside of empty brackets.  The lines of one container must agree with its depth, and a pushdown
machine cannot compare the same depth with all of them; so the rules of containers are copied for each depth that they occur
at, and ``Surface.depth`` says which copy is being written.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from ..ir import (
    KIND_EPSILON,
    KIND_RANGE,
    OP_COUNT,
    OP_NONE,
    Automaton,
    Grammar,
    RuleId,
    StateIndex,
)

Whitespace = Literal["compact", "bounded", "any"]

MAX_BLANKS: Final = 40
"""Blanks after a newline: indent 8 at a depth of 5."""

MAX_INDENT: Final = 40
"""Of an exact layout: as much as the bounded one allows on a line."""

_WRITTEN_OUT: Final = 12
"""Longer runs of blanks are called, not written in place: a container has several for each member."""

_SPACE: Final = 0x20
_NEWLINE: Final = 0x0A
_COLON: Final = 0x3A
_BLANKS: Final = (0x20, 0x09)
_ANY_SPACE: Final = (0x20, 0x09, 0x0A, 0x0D)


class Surface:
    """White space of one grammar.

    Attributes:
        whitespace: the policy; ``indent`` is the number of an exact layout, else ``None``.
        depth: how many containers are open inside of the one that is being written, itself included; ``None`` where it
            does not matter.

    """

    def __init__(self, grammar: Grammar, whitespace: Whitespace | int) -> None:
        """Take the grammar that shared rules are added to."""
        self._grammar = grammar
        self.whitespace = whitespace
        self.indent = whitespace if isinstance(whitespace, int) else None
        self.depth: int | None = None
        self._blanks: RuleId | None = None
        self._runs: dict[int, RuleId] = {}

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Write a container inside of the present one."""
        outer = self.depth
        self.depth = None if outer is None else outer + 1
        yield
        self.depth = outer

    def _blank_rule(self) -> RuleId:
        if self._blanks is None:
            self._blanks = rule = self._grammar.rule(key=("ws-newline",))
            a = Automaton()
            end = a.state()
            for byte in _BLANKS:
                a.byte_range(StateIndex(0), byte, byte, end, OP_COUNT)
                a.byte_range(end, byte, byte, end, OP_COUNT)
            a.accept(end)
            self._grammar.define(rule, a)
        return self._blanks

    def opened(
        self,
        a: Automaton,
        source: StateIndex,
        target: StateIndex,
        bracket: bytes,
        end: StateIndex | None,
        *,
        more: bool = True,
    ) -> None:
        """Allow white space after an opening bracket, and the closing one behind it if ``end`` is given.

        ``source`` is just behind the opening bracket; ``more`` tells whether anything can come at ``target``.
        """
        if self.indent is None:
            self.gap(a, source, target)
        elif more:
            self._line(a, source, target, 0)
        if end is not None:
            code = bracket[0]
            a.byte_range(target if self.indent is None else source, code, code, end)

    def gap(self, a: Automaton, source: StateIndex, target: StateIndex, *, inline: bool = False) -> None:
        """Allow white space after a comma: ``source`` is just behind it.

        With ``inline`` no other rule reads any of it, so that the activation's register is at hand: it tells whether a key is
        left to be read behind the white space.
        """
        if self.indent is not None:
            self._line(a, source, target, 0, inline=inline)
            return
        a.epsilon(source, target)
        if self.whitespace == "bounded" and inline:
            self._written_out(a, source, target)
        elif self.whitespace == "bounded":
            self._some(a, source, target, OP_NONE, 0)
        elif self.whitespace == "any":
            self._loop(a, target)

    def after(self, a: Automaton, state: StateIndex) -> None:
        """Allow white space that may stand before a comma as well as before a closing bracket."""
        if self.whitespace == "any":
            self._loop(a, state)

    def close(self, a: Automaton, source: StateIndex, bracket: bytes, target: StateIndex, op: int = OP_NONE) -> None:
        """Read a closing bracket, with white space before it; ``op`` is executed with the first byte of both."""
        code = bracket[0]
        if self.indent is not None:
            p = a.state()
            self._line(a, source, p, 1, op)
            a.byte_range(p, code, code, target)
            return
        a.byte_range(source, code, code, target, op)
        if self.whitespace == "bounded":
            p = a.state()
            self._some(a, source, p, op, 0)
            a.byte_range(p, code, code, target)

    def colon(self, a: Automaton, source: StateIndex, target: StateIndex, op: int = OP_NONE) -> None:
        """Read the colon of a member; ``op`` is executed with it."""
        if self.whitespace == "compact":
            a.byte_range(source, _COLON, _COLON, target, op)
            return
        if self.indent is not None:
            a.literal(source, b": ", target, op)
            return
        behind = a.state()
        a.edges.extend((source, KIND_RANGE, _COLON, _COLON, op, 0, behind, behind, KIND_EPSILON, 0, 0, 0, 0, target))
        if self.whitespace == "bounded":
            a.byte_range(behind, _SPACE, _SPACE, target)
        else:
            self._loop(a, source)
            self._loop(a, behind)

    def around(self, a: Automaton, state: StateIndex) -> None:
        """Allow white space around the whole text."""
        if self.whitespace == "any":
            self._loop(a, state)

    def _line(
        self,
        a: Automaton,
        source: StateIndex,
        target: StateIndex,
        up: int,
        op: int = OP_NONE,
        *,
        inline: bool = False,
    ) -> None:
        """Begin a line of the present container, or of the one ``up`` levels above it."""
        assert self.indent is not None  # noqa: S101  (asked by the callers)
        assert self.depth is not None  # noqa: S101  (a container's layout is written for a depth)
        blanks = self.indent * (self.depth - up)
        if blanks <= _WRITTEN_OUT or inline:
            a.literal(source, b"\n" + b" " * blanks, target, op)
            return
        line = a.state()
        a.byte_range(source, _NEWLINE, _NEWLINE, line, op)
        a.call(line, self._run(blanks), target)

    def _run(self, blanks: int) -> RuleId:
        rule = self._runs.get(blanks)
        if rule is None:
            rule = self._runs[blanks] = self._grammar.rule(key=("ws-blanks", blanks))
            a = Automaton()
            end = a.state()
            a.literal(StateIndex(0), b" " * blanks, end)
            a.accept(end)
            self._grammar.define(rule, a)
        return rule

    def _some(self, a: Automaton, source: StateIndex, target: StateIndex, op: int, arg: int) -> None:
        line = a.state()
        a.edges.extend((
            source, KIND_RANGE, _SPACE, _SPACE, op, arg, target,
            source, KIND_RANGE, _NEWLINE, _NEWLINE, op, arg, target,
            source, KIND_RANGE, _NEWLINE, _NEWLINE, op, arg, line,
        ))  # fmt: skip
        a.call(line, self._blank_rule(), target, (0, MAX_BLANKS))

    @staticmethod
    def _written_out(a: Automaton, source: StateIndex, target: StateIndex) -> None:
        """Allow what ``_some`` does, a state for each blank."""
        a.byte_range(source, _SPACE, _SPACE, target)
        here = a.state()
        a.byte_range(source, _NEWLINE, _NEWLINE, here)
        for _ in range(MAX_BLANKS):
            a.epsilon(here, target)
            following = a.state()
            for byte in _BLANKS:
                a.byte_range(here, byte, byte, following)
            here = following
        a.epsilon(here, target)

    @staticmethod
    def _loop(a: Automaton, state: StateIndex) -> None:
        for byte in _ANY_SPACE:
            a.byte_range(state, byte, byte, state)
