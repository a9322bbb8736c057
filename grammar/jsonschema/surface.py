"""The surface of JSON texts: white space and keys, as pieces of automata.

White space is chosen once per compilation.  ``bounded`` allows, after ``{``, ``[`` and ``,`` and before ``}`` and ``]``,
nothing, one space, or a newline with up to 40 blanks; after ``:`` nothing or one space; none around the whole text.
That covers every text of ``json.dumps`` with its usual separators and indents, and no model can run away in it.
"""

from __future__ import annotations

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

_SPACE: Final = 0x20
_NEWLINE: Final = 0x0A
_COLON: Final = 0x3A
_BLANKS: Final = (0x20, 0x09)
_ANY_SPACE: Final = (0x20, 0x09, 0x0A, 0x0D)


class Surface:
    """White space of one grammar."""

    def __init__(self, grammar: Grammar, whitespace: Whitespace) -> None:
        """Take the grammar that shared rules are added to."""
        self._grammar = grammar
        self.whitespace = whitespace
        self._blanks: RuleId | None = None

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

    def gap(self, a: Automaton, source: StateIndex, target: StateIndex) -> None:
        """Allow white space after an opening bracket or a comma: ``source`` is just behind it."""
        a.epsilon(source, target)
        if self.whitespace == "bounded":
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

    def _some(self, a: Automaton, source: StateIndex, target: StateIndex, op: int, arg: int) -> None:
        line = a.state()
        a.edges.extend((
            source, KIND_RANGE, _SPACE, _SPACE, op, arg, target,
            source, KIND_RANGE, _NEWLINE, _NEWLINE, op, arg, target,
            source, KIND_RANGE, _NEWLINE, _NEWLINE, op, arg, line,
        ))  # fmt: skip
        a.call(line, self._blank_rule(), target, (0, MAX_BLANKS))

    @staticmethod
    def _loop(a: Automaton, state: StateIndex) -> None:
        for byte in _ANY_SPACE:
            a.byte_range(state, byte, byte, state)
