"""The rules of strings and numbers, one for all that have the same texts."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from ..ir import OP_SET, OP_TEST, START, UNBOUNDED, Automaton, Grammar, RuleId, StateIndex
from ..regular.encode import Escapes
from ..regular.multiples import MAX_LISTED
from .goals import Goal
from .scalars import (
    NumberSpec,
    StringSpec,
    any_body,
    digits_lose,
    number_leaves_out,
    number_text,
    string_body,
    string_language,
)

_QUOTE = 0x22
_POINT = 0x2E
_ZERO = 0x30


class ScalarWriter:
    """Writes the rules of strings and numbers of one grammar."""

    def __init__(
        self,
        grammar: Grammar,
        escapes: Escapes,
        *,
        max_digits: tuple[int, int] | None,
        whole_floats: bool,
        narrow: Callable[[Goal | str, str, str], None],
    ) -> None:
        """Take the grammar, how texts look, and what to do about values that are never written."""
        self.grammar = grammar
        self._escapes: Escapes = escapes
        self._max_digits = max_digits
        self._whole_floats = whole_floats
        self._narrow = narrow
        self._keyed: dict[Hashable, RuleId] = {}
        self._rest: RuleId | None = None

    def _shared(self, key: Hashable, build: Callable[[Automaton], None]) -> RuleId:
        rule = self._keyed.get(key)
        if rule is None:
            rule = self._keyed[key] = self.grammar.rule(key=key)
            a = Automaton()
            build(a)
            self.grammar.define(rule, a)
        return rule

    def string_rest(self) -> RuleId:
        """Return the rule of the rest of any string behind its opening quote, counted."""
        if self._rest is None:
            self._rest = self._shared(("string-rest", self._escapes), self._string_rest)
        return self._rest

    def _string_rest(self, a: Automaton) -> None:
        t, end = a.state(), a.state()
        a.embed(START, any_body(self._escapes), t)
        a.byte_range(t, _QUOTE, _QUOTE, end, OP_TEST)
        a.accept(end)

    def string(self, spec: StringSpec) -> RuleId:
        """Return the rule of strings, quotes included."""
        key: Hashable
        if not spec.plain:
            language, low, high = string_language(spec)
            key = ("string", self._escapes, low, high, language.digest)

            def build(a: Automaton) -> None:
                body, bounds = string_body(spec, self._escapes)
                s, t, end = a.state(), a.state(), a.state()
                if bounds is None:
                    a.byte_range(START, _QUOTE, _QUOTE, s)
                    a.byte_range(t, _QUOTE, _QUOTE, end)
                else:
                    room = UNBOUNDED if bounds[1] is None else bounds[1]
                    a.byte_range(START, _QUOTE, _QUOTE, s, OP_SET, a.pair(bounds[0], room))
                    a.byte_range(t, _QUOTE, _QUOTE, end, OP_TEST)
                a.embed(s, body, t)
                a.accept(end)
        else:
            key = ("string", self._escapes, spec.low, spec.high)
            rest = self.string_rest()

            def build(a: Automaton) -> None:
                s, end = a.state(), a.state()
                a.byte_range(START, _QUOTE, _QUOTE, s)
                a.call(s, rest, end, (spec.low, UNBOUNDED if spec.high is None else spec.high))
                a.accept(end)

        return self._shared(key, build)

    def number(self, spec: NumberSpec, goal: Goal) -> RuleId:
        """Return the rule of numbers; ``goal`` is what is narrowed where some are never written."""
        if digits_lose(spec):
            assert spec.digits is not None  # noqa: S101  (else nothing is lost)
            whole, places = spec.digits
            reason = f"only numbers of at most {whole} digits before the point and {places} behind it are written"
            self._narrow(goal, "max_digits", reason)
        if number_leaves_out(spec):
            self._narrow(goal, "multipleOf", f"only the {MAX_LISTED:,} multiples of each sign nearest to 0 are written")
        zeros = spec.whole and self._escapes == "all" and self._whole_floats

        def build(a: Automaton) -> None:
            end = a.state()
            a.embed(START, number_text(spec), end)
            a.accept(end)
            if zeros:
                whole = a.state()  # not the end again: one point a number
                self.zeros(a, end, whole, 0)
                a.accept(whole)

        return self._shared(("number", spec, zeros), build)

    def zeros(self, a: Automaton, source: StateIndex, target: StateIndex, places: int) -> None:
        """Allow zeros that say nothing behind a number with so many places behind its point."""
        room = None if self._max_digits is None else self._max_digits[1] - places
        if room is not None and room <= 0:
            return
        if not places:
            dot = a.state()
            a.byte_range(source, _POINT, _POINT, dot)
            source = dot
        for _ in range(room or 1):
            zeros = a.state()
            a.byte_range(source, _ZERO, _ZERO, zeros)
            a.epsilon(zeros, target)
            source = zeros
        if room is None:
            a.byte_range(source, _ZERO, _ZERO, source)
