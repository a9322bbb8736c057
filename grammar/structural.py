"""Structural tags: free text in which a trigger opens a region that must match a source, and an end marker closes it.

A model may so think first and call tools after, any number of times, and every call is well formed.  Free text is what contains no trigger, see
``freetext``; once a trigger is complete the rest of a tag's beginning must follow, then a text of its content, then its end.  All of it is
one rule over bytes, so triggers are seen however tokens cut them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .choices import exact_report
from .composition import Part, Parts, as_bytes, as_source, check_bounds
from .errors import InvalidSource
from .freetext import check_stops, free_text
from .ir import OP_COUNT, OP_NONE, START, UNBOUNDED, Automaton, Grammar, RuleId, StateIndex
from .source import Lowered, Source


@dataclass(frozen=True, slots=True)
class AnyText(Source):
    """All texts (UTF-8) that contain none of some strings.

    Attributes:
        excludes: the strings, none of which is part of another.

    """

    excludes: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        """Check the strings.

        Raises:
            InvalidSource: one is empty, or part of another.

        """
        object.__setattr__(self, "excludes", _strings(self.excludes, "excludes"))
        check_stops(self.excludes, "excludes")

    def lower(self) -> Lowered:
        """One deterministic automaton; see ``Source.lower``."""
        grammar = Grammar()
        grammar.start = grammar.rule(origin="text")
        body = Automaton()
        text = free_text([stop.encode() for stop in self.excludes])
        states = [START, *(body.state() for _ in range(text.n - 1))]
        for source, low, high, target in text.edges:
            if target >= 0:
                body.byte_range(states[source], low, high, states[target])
        for state in sorted(text.boundary):
            body.accept(states[state])
        body.outermost = True
        grammar.define(grammar.start, body)
        return Lowered(grammar, exact_report("text"))


@dataclass(frozen=True, slots=True, init=False)
class Tag:
    """A region of a structural tag.

    Attributes:
        begin: the text that opens it; begins with a trigger.
        content: what it holds, a source or what ``compile`` takes for one.
        end: the text that closes it, or several of which any does; empty where the content itself says where it ends.

    """

    begin: str
    content: Source
    end: tuple[str, ...]

    def __init__(self, begin: str, content: Part, end: str | Iterable[str]) -> None:
        """Take the three parts.

        Raises:
            InvalidSource: the beginning is empty, a text is no string, there is no end, or the content says not what it is.

        """
        if not isinstance(begin, str) or not begin:
            raise InvalidSource(f"a tag must begin with some text, not {begin!r}", where="begin")
        as_bytes(begin, "begin")
        ends = (end,) if isinstance(end, str) else _strings(end, "end")
        if not ends:
            raise InvalidSource("a tag must have an end", where="end", hint='"" where the content says where it ends')
        for text in ends:
            as_bytes(text, "end")
        object.__setattr__(self, "begin", begin)
        object.__setattr__(self, "content", as_source(content))
        object.__setattr__(self, "end", ends)


@dataclass(frozen=True, slots=True, init=False)
class StructuralTag(Source):
    """Free text with constrained regions.

    A text may end wherever it is free text between two characters (the beginning of a trigger is free text), once there were enough regions.

    Attributes:
        tags: the regions.
        triggers: the texts that end free text; each tag begins with exactly one of them.
        at_least: how many regions there are at least.
        at_most: how many there are at most; None: any number.  After the last one no trigger may come.
        stop_after_first: whether the text ends with the first region.
        leading_text: whether free text may come before the first region.
        excludes: strings that free text does not contain either.

    """

    tags: tuple[Tag, ...]
    triggers: tuple[str, ...]
    at_least: int
    at_most: int | None
    stop_after_first: bool
    leading_text: bool
    excludes: tuple[str, ...]

    def __init__(
        self,
        tags: Iterable[Tag],
        *,
        triggers: Iterable[str] | None = None,
        at_least: int = 0,
        at_most: int | None = None,
        stop_after_first: bool = False,
        leading_text: bool = True,
        excludes: Iterable[str] = (),
    ) -> None:
        """Take the tags; without ``triggers`` each tag's whole beginning is its trigger.

        Raises:
            InvalidSource: a tag begins with no trigger or with several, a trigger or excluded string is part of another, or the bounds
                leave nothing.

        """
        tags = tuple(tags)
        for index, tag in enumerate(tags):
            if not isinstance(tag, Tag):
                raise InvalidSource(
                    f"tags must be Tag(begin, content, end), not {type(tag).__name__}", where=f"tags/{index}"
                )
        if not tags:
            raise InvalidSource("there are no tags", where="tags", hint="AnyText() is free text alone")
        found = dict.fromkeys(tag.begin for tag in tags) if triggers is None else _strings(triggers, "triggers")
        values: dict[str, Any] = {
            "tags": tags,
            "triggers": tuple(dict.fromkeys(found)),
            "at_least": at_least,
            "at_most": at_most,
            "stop_after_first": stop_after_first,
            "leading_text": leading_text,
            "excludes": tuple(dict.fromkeys(_strings(excludes, "excludes"))),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        check_stops(self.triggers, "triggers")
        check_stops((*self.triggers, *self.excludes), "triggers and excludes")
        if both := set(self.triggers) & set(self.excludes):
            raise InvalidSource(f"{min(both)!r} is a trigger, and excluded", where="excludes")
        check_bounds(self.at_least, self.at_most)
        if self.stop_after_first and (self.at_least > 1 or self.at_most not in {None, 1}):
            raise InvalidSource(
                "a text that stops after its first region has one",
                where="stop_after_first",
                hint="leave at_least at 0 or 1, and at_most out",
            )
        for index, tag in enumerate(self.tags):
            if not any(tag.begin.startswith(trigger) for trigger in self.triggers):
                raise InvalidSource(
                    f"the tag begins with no trigger: {tag.begin!r}",
                    where=f"tags/{index}",
                    hint="add a trigger that it begins with",
                )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | str) -> Source:
        """The source that a structural tag of the OpenAI-compatible servers describes (vLLM, SGLang, xgrammar).

        Args:
            data: the value of ``response_format`` or ``structured_outputs.structural_tag``, as a mapping or as JSON; either
                ``{"structures": [{"begin", "schema", "end"}], "triggers": [...]}`` or ``{"format": {"type": ...}}``.

        Raises:
            InvalidSource: it is no such thing.
            Unsupported: it uses a format that is refused by name.

        """
        from .structural_dict import read_structural_tag  # noqa: PLC0415 - builds on this module

        return read_structural_tag(data)

    def lower(self) -> Lowered:
        """One rule for the text and the frames of its regions; see ``Source.lower``."""
        parts = Parts()
        grammar = parts.grammar
        start = grammar.start = grammar.rule(origin="structural tag")
        contents = [parts.add(tag.content, f"tags/{index}/content") for index, tag in enumerate(self.tags)]
        if self.stop_after_first or (self.at_least == 0 and self.at_most is None):
            body = self._text(contents, counted=False)
            grammar.define(start, body)
            return parts.whole("structural tag")
        rule = grammar.rule(origin="structural tag")
        grammar.define(rule, self._text(contents, counted=True))
        outer = Automaton()
        end = outer.state()
        outer.call(START, rule, end, (self.at_least, UNBOUNDED if self.at_most is None else self.at_most))
        outer.accept(end)
        if self.at_least == 0:
            outer.accept(START)
        outer.outermost = True
        grammar.define(start, outer)
        return parts.whole("structural tag")

    def _text(self, contents: list[RuleId], *, counted: bool) -> Automaton:
        """Free text and regions; with ``counted`` the activation's counter says how many regions must and may still come.

        The start is a state of its own, which reads what free text does at its beginning: a counted text is never empty here.
        """
        body = Automaton()
        body.outermost = True
        op = OP_COUNT if counted else OP_NONE
        text = free_text([stop.encode() for stop in (*self.triggers, *self.excludes)])
        free = [body.state() for _ in range(text.n)]
        opened = {k: body.state() for k in range(len(self.triggers))}
        for source, low, high, target in text.edges:
            sources = [free[source], START] if source == 0 and self.leading_text else [free[source]]
            for here in sources:
                if target >= 0:
                    body.byte_range(here, low, high, free[target])
                elif -1 - target in opened:
                    body.byte_range(here, low, high, opened[-1 - target], op)
        for state in sorted(text.boundary):
            if counted:
                body.accept_if_no_need(free[state])
            elif not (self.stop_after_first and self.at_least):
                body.accept(free[state])
        if not counted and self.at_least == 0:
            body.accept(START)
        back = free[0]
        if self.stop_after_first:
            back = body.state()
            body.accept(back)
        for tag, content in zip(self.tags, contents, strict=True):
            k, trigger = next((k, t) for k, t in enumerate(self.triggers) if tag.begin.startswith(t))
            inner = body.state()
            _literal(body, opened[k], tag.begin.removeprefix(trigger), inner)
            if not self.leading_text:
                body.literal(START, tag.begin.encode(), inner, op)
            closing = body.state()
            body.call(inner, content, closing)
            for end in tag.end:
                _literal(body, closing, end, back)
        return body


def _literal(body: Automaton, source: StateIndex, text: str, target: StateIndex) -> None:
    if text:
        body.literal(source, text.encode(), target)
    else:
        body.epsilon(source, target)


def _strings(values: Iterable[str], where: str) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidSource(f"{where} are a list of strings, not {values!r}", where=where)
    values = tuple(values)
    for index, value in enumerate(values):
        if not isinstance(value, str):
            raise InvalidSource(f"{where} must be strings, not {type(value).__name__}", where=f"{where}/{index}")
    return values
