"""Sources made of sources: one after the other, one of several, one many times.

Whatever the parts are (a schema, a grammar, choices, compositions again), their rules are taken in as they are, and what is put around them is brought
into the form that the real-time machine needs.  What the parts report is reported of the whole, each entry with the place of its part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from .choices import Choices, exact_report
from .errors import InvalidSource, LimitExceeded, SyntagmaError, joined
from .ir import OP_COUNT, START, UNBOUNDED, Automaton, Grammar, RuleId
from .jsonschema import JsonSchema
from .leftcorner import real_time
from .report import Report, ReportEntry
from .source import Lowered, Source
from .tails import mark_followed
from .tokens import Token

Part = Source | dict[str, Any] | list[Any] | tuple[Any, ...] | bool | type
"""A source, or what says by itself which one it is."""

MOST_COPIES: Final = 1000
"""Copies of a part that are written one after the other: where nothing stands between them that could be counted."""


def as_source(value: Part) -> Source:
    """A source, or what says by itself which one it is: a dict, bool or pydantic model is a JSON Schema, a list or tuple is choices.

    Raises:
        InvalidSource: it is a string.

    """
    if isinstance(value, Source):
        return value
    if isinstance(value, (str, bytes)):
        raise InvalidSource(
            "a bare string does not say what it is",
            hint="wrap it: JsonSchema, Regex, Lark, Gbnf and Ebnf read a text as what they say, Text is that text itself",
        )
    if isinstance(value, (list, tuple)):
        return Choices(value)
    return JsonSchema(value)


class Parts:
    """The rules and reports of some parts while a whole is made of them.

    Attributes:
        grammar: where the rules go.

    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.grammar = Grammar()
        self._lowered: list[tuple[str, Lowered]] = []

    def add(self, part: Source, place: str) -> RuleId:
        """Take in a part; returns its start rule.

        Raises:
            SyntagmaError: what the part raises, with the place before its own.

        """
        try:
            lowered = part.lower()
        except SyntagmaError as error:
            raise error.within(place) from error.__cause__
        before = len(self.grammar.rules)
        rule = self.grammar.include(lowered.grammar)
        for taken in self.grammar.rules[before:]:
            taken.origin = None if taken.origin is None else joined(place, taken.origin)
        for name, origin in lowered.grammar.never_text.items():
            self.grammar.never_text[name] = place if origin is None else joined(place, origin)
        self._lowered.append((place, lowered))
        return rule

    def whole(self, kind: str) -> Lowered:
        """The grammar in real-time form, with what the parts report."""
        lowered = self._lowered
        reports = [(place, part.report) for place, part in lowered]
        report = Report(
            dialect=kind,
            sound=all(report.sound for _, report in reports),
            complete=all(report.complete for _, report in reports),
            live=lambda: all(report.live for _, report in reports),
            budget="exact" if all(report.budget == "exact" for _, report in reports) else "bound",
            collect=lambda: [
                ReportEntry("#", kind, "exact"),
                *(
                    ReportEntry(
                        joined(place, entry.pointer), entry.keyword, entry.status, entry.reason, entry.consequence
                    )
                    for place, report in reports
                    for entry in report.entries
                ),
            ],
            unsatisfiable=lambda: [
                joined(place, pointer) for place, report in reports for pointer in report.unsatisfiable
            ],
        )
        deadlines = [part.deadline for _, part in lowered if part.deadline is not None]
        return Lowered(real_time(mark_followed(self.grammar)), report, sum(deadlines) if deadlines else None)


@dataclass(frozen=True, slots=True)
class Text(Source):
    """Exactly this text.

    Attributes:
        text: ``str`` (read as UTF-8) or ``bytes``; may be empty.

    """

    text: str | bytes

    def __post_init__(self) -> None:
        """Refuse what is no text.

        Raises:
            InvalidSource: it is neither ``str`` nor ``bytes``, or no UTF-8.

        """
        if not isinstance(self.text, (str, bytes)):
            raise InvalidSource(f"a text must be a string, not {type(self.text).__name__}")
        as_bytes(self.text, "text")

    def lower(self) -> Lowered:
        """One literal; see ``Source.lower``."""
        grammar = Grammar()
        grammar.start = grammar.rule(origin="text")
        body = Automaton()
        end = START
        if data := as_bytes(self.text, "text"):
            end = body.state()
            body.literal(START, data, end)
        body.accept(end)
        grammar.define(grammar.start, body)
        return Lowered(grammar, exact_report("text"))


def as_bytes(text: str | bytes, where: str) -> bytes:
    """The bytes of a text.

    Raises:
        InvalidSource: it has half of a surrogate pair.

    """
    try:
        return text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError as error:
        raise InvalidSource(f"{text!r} has half of a surrogate pair, which no UTF-8 text has", where=where) from error


@dataclass(frozen=True, slots=True, init=False)
class Sequence(Source):
    """One text of each part, in this order.

    Attributes:
        parts: the parts, each a source or what ``compile`` takes for one; none at all is the empty text.

    """

    parts: tuple[Source, ...]

    def __init__(self, *parts: Part) -> None:
        """Take the parts.

        Raises:
            InvalidSource: a part says not what it is.

        """
        object.__setattr__(self, "parts", _sources(parts))

    def lower(self) -> Lowered:
        """A chain of calls; see ``Source.lower``."""
        parts = Parts()
        start = parts.grammar.start = parts.grammar.rule(origin="sequence")
        body = Automaton()
        here = START
        for index, part in enumerate(self.parts):
            there = body.state()
            body.call(here, parts.add(part, f"parts/{index}"), there)
            here = there
        body.accept(here)
        parts.grammar.define(start, body)
        return parts.whole("sequence")


@dataclass(frozen=True, slots=True, init=False)
class Union(Source):
    """A text of any of the parts.

    Attributes:
        parts: the parts, each a source or what ``compile`` takes for one; at least one.

    """

    parts: tuple[Source, ...]

    def __init__(self, *parts: Part) -> None:
        """Take the parts.

        Raises:
            InvalidSource: there are none, or a part says not what it is.

        """
        if not parts:
            raise InvalidSource("a union of nothing has no text", hint="give at least one part")
        object.__setattr__(self, "parts", _sources(parts))

    def lower(self) -> Lowered:
        """Calls side by side; see ``Source.lower``."""
        parts = Parts()
        start = parts.grammar.start = parts.grammar.rule(origin="union")
        body = Automaton()
        end = body.state()
        for index, part in enumerate(self.parts):
            body.call(START, parts.add(part, f"parts/{index}"), end)
        body.accept(end)
        parts.grammar.define(start, body)
        return parts.whole("union")


@dataclass(frozen=True, slots=True, init=False)
class Repeat(Source):
    """Texts of one part, one after the other.

    Attributes:
        part: the part, a source or what ``compile`` takes for one.
        least: how many there are at least.
        most: how many there are at most; None: any number.
        separator: the text between two of them; empty: nothing.

    Single tokens (``Token``) are counted, others without a separator are written one after the other.

    """

    part: Source
    least: int
    most: int | None
    separator: str | bytes

    def __init__(self, part: Part, least: int = 0, most: int | None = None, *, separator: str | bytes = b"") -> None:
        """Take the part and the bounds.

        Raises:
            InvalidSource: the bounds leave nothing or are no numbers, or the part says not what it is.
            LimitExceeded: a bound is greater than ``MOST_COPIES``, and there is no separator to count.

        """
        check_bounds(least, most)
        object.__setattr__(self, "part", as_source(part))
        object.__setattr__(self, "least", least)
        object.__setattr__(self, "most", most)
        object.__setattr__(self, "separator", separator)
        copies = least if most is None else most
        if not as_bytes(separator, "separator") and copies > MOST_COPIES and not isinstance(self.part, Token):
            raise LimitExceeded(
                f"{copies} texts without a separator are more than can be counted",
                limit="copies of a part",
                value=MOST_COPIES,
                hint="give a separator, or a smaller bound",
            )

    def lower(self) -> Lowered:
        """With a separator a loop that counts it, else as many calls as there may be; see ``Source.lower``."""
        parts = Parts()
        start = parts.grammar.start = parts.grammar.rule(origin="repeat")
        inner = parts.add(self.part, "part")
        separator = as_bytes(self.separator, "separator")
        if separator:
            body = self._separated(parts.grammar, inner, separator)
        elif isinstance(self.part, Token) and (self.least > 1 or (self.most or 0) > 1):
            body = self._counted(parts.grammar, inner)
        else:
            body = self._copied(inner)
        parts.grammar.define(start, body)
        return parts.whole("repeat")

    def _separated(self, grammar: Grammar, inner: RuleId, separator: bytes) -> Automaton:
        body = Automaton()
        if self.least == 0:
            body.accept(START)
        if self.most == 0:
            return body
        items = Automaton()
        end = items.state()
        again = items.state()
        items.call(START, inner, end)
        items.literal(end, separator, again, OP_COUNT)
        items.call(again, inner, end)
        items.accept_if_no_need(end)
        rule = grammar.rule(origin="repeat")
        grammar.define(rule, items)
        last = body.state()
        room = UNBOUNDED if self.most is None else self.most - 1
        body.call(START, rule, last, (max(0, self.least - 1), room))
        body.accept(last)
        return body

    def _counted(self, grammar: Grammar, token: RuleId) -> Automaton:
        items = Automaton()
        more = items.state()
        items.call(START, token, more, op=OP_COUNT)
        items.call(more, token, more, op=OP_COUNT)
        items.accept_if_no_need(more)
        rule = grammar.rule(origin="repeat")
        grammar.define(rule, items)
        body = Automaton()
        last = body.state()
        body.call(START, rule, last, (self.least, UNBOUNDED if self.most is None else self.most))
        body.accept(last)
        if self.least == 0:
            body.accept(START)
        return body

    def _copied(self, inner: RuleId) -> Automaton:
        body = Automaton()
        here = START
        for count in range(self.least if self.most is None else self.most):
            if count >= self.least:
                body.accept(here)
            there = body.state()
            body.call(here, inner, there)
            here = there
        if self.most is None:
            loop = body.state()
            body.epsilon(here, loop)
            body.call(loop, inner, loop)
            here = loop
        body.accept(here)
        return body


def check_bounds(least: int, most: int | None) -> None:
    """Refuse bounds that no number of texts keeps.

    Raises:
        InvalidSource: they are no numbers, negative, or the wrong way round.

    """
    for name, bound in (("least", least), ("most", most)):
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int) or bound < 0):
            raise InvalidSource(f"{name} must be a number that is not negative, not {bound!r}", where=name)
    if most is not None and least > most:
        raise InvalidSource(f"at least {least} and at most {most} is no number", where="most")


def _sources(parts: tuple[Part, ...]) -> tuple[Source, ...]:
    sources = []
    for index, part in enumerate(parts):
        try:
            sources.append(as_source(part))
        except SyntagmaError as error:
            raise error.within(f"parts/{index}") from error.__cause__
    return tuple(sources)
