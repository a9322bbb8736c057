"""The texts of values that a schema lists, and of names: written out letter by letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..ir import Automaton, ByteAutomaton, RuleId, StateIndex
from ..regular.dfa import CharDfa
from ..regular.encode import Escapes
from .dialect import Json
from .goals import Goal
from .objects import ObjectWriter
from .scalars import key_body, number_literals
from .values import text_of

if TYPE_CHECKING:
    from .lower import Lowering

_QUOTE = 0x22
_COMMA = 0x2C


class LiteralWriter:
    """Writes values and keys into automata of one grammar."""

    def __init__(self, lowering: Lowering, escapes: Escapes) -> None:
        """Take what writes the grammar, and which spellings of a character there are."""
        self._l = lowering
        self._escapes: Escapes = escapes
        self._dicts: dict[tuple[int, int | None], RuleId] = {}

    def values(self, a: Automaton, source: StateIndex, values: list[Json], target: StateIndex) -> None:
        """Write any of some values."""
        strings = [v for v in values if isinstance(v, str)]
        if strings and self._escapes != "canonical":
            s, t = a.state(), a.state()
            a.byte_range(source, _QUOTE, _QUOTE, s)
            a.embed(s, self.strings(strings), t)
            a.byte_range(t, _QUOTE, _QUOTE, target)
            values = [v for v in values if not isinstance(v, str)]
        for v in values:
            self.write(a, source, v, target)

    def strings(self, strings: list[str]) -> ByteAutomaton:
        """Return the automaton of any of some strings between its quotes."""
        return key_body(CharDfa.from_strings(strings), self._escapes)

    def write(self, a: Automaton, source: StateIndex, value: Json, target: StateIndex) -> None:
        """Write a value."""
        if isinstance(value, (list, dict)):
            self._container(a, source, value, target)
        elif isinstance(value, str):
            if self._escapes == "canonical":
                a.literal(source, text_of(value), target)
            else:
                self.values(a, source, [value], target)
        elif value is None or isinstance(value, bool):
            a.literal(source, b"null" if value is None else b"true" if value else b"false", target)
        elif not isinstance(value, float):
            texts = number_literals(value)
            for text in texts[1:]:
                a.literal(source, text, target)
            end = a.state()
            a.literal(source, texts[0], end)
            a.epsilon(end, target)
            if self._escapes == "all":
                self._l.scalars.zeros(a, end, target, len(texts[0].partition(b".")[2]))

    def _container(
        self, a: Automaton, source: StateIndex, value: list[Json] | dict[str, Json], target: StateIndex
    ) -> None:
        if self._l.any_order and isinstance(value, dict) and len(value) > 1:
            a.call(source, self._dict(value), target)
            return
        brackets = (b"[", b"]") if isinstance(value, list) else (b"{", b"}")
        here = a.state()
        if not value:
            self._l.surface.opened(a, here, a.state(), brackets[1], target, more=False)
        a.literal(source, brackets[0], here)
        items = [(None, v) for v in value] if isinstance(value, list) else list(value.items())
        for i, (key, v) in enumerate(items):
            if i:
                self._l.surface.after(a, here)
                comma = a.state()
                a.byte_range(here, _COMMA, _COMMA, comma)
                here = comma
            inside = a.state()
            self._l.surface.gap(a, here, inside)
            if key is not None:
                named, behind = a.state(), a.state()
                self.key(a, inside, key, named)
                self._l.surface.colon(a, named, behind)
                inside = behind
            here = a.state()
            with self._l.surface.deeper():
                self.write(a, inside, v, here)
        if value:
            self._l.surface.after(a, here)
            self._l.surface.close(a, here, brackets[1], target)

    def _dict(self, value: dict[str, Json]) -> RuleId:
        """Return the rule of a written-out object whose members come in any order."""
        depth = None if self._l.surface.indent is None else self._l.surface.depth
        rule = self._dicts.get((id(value), depth))
        if rule is None:
            rule = self._dicts[id(value), depth] = self._l.grammar.rule()
            a = Automaton()
            self._l.grammar.define(rule, a)
            members: list[tuple[str, Goal | None, bool]] = [(name, None, True) for name in value]
            ObjectWriter(self._l, a, list(value), members, [], value).write_any(0, None)
        return rule

    def key(self, a: Automaton, source: StateIndex, key: str, target: StateIndex) -> None:
        """Write a member's name, quotes included."""
        if self._escapes == "canonical":
            a.literal(source, text_of(key), target)
        else:
            s, t = a.state(), a.state()
            a.byte_range(source, _QUOTE, _QUOTE, s)
            a.embed(s, self.strings([key]), t)
            a.byte_range(t, _QUOTE, _QUOTE, target)

    @staticmethod
    def declared_text(name: str) -> bytes:
        """Return a declared name's text behind its opening quote."""
        return text_of(name)[1:]
