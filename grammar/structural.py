"""Structural tags: free text in which a trigger opens a region that must match a source, and an end marker closes it.

A model may so think first and call tools after, any number of times, and every call is well formed.  Free text is what contains no trigger, see
``freetext``; once a trigger is complete the rest of a tag's beginning must follow, then a text of its content, then its end.  All of it is
one rule over bytes, so triggers are seen however tokens cut them.

Triggers, beginnings and ends may be tokens of the vocabulary as well, such as special ones.  These are never text, so free text ends with them.
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
from .tokens import Token

Marker = str | Token
"""A text, or tokens of the vocabulary of which any does."""


@dataclass(frozen=True, slots=True)
class AnyText(Source):
    """All texts (UTF-8) that contain none of some strings.

    Attributes:
        excludes: the strings, none of which is part of another; and tokens (``Token``) that are not to be read as text, here and in the whole
            constraint.

    """

    excludes: tuple[Marker, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        """Check the strings.

        Raises:
            InvalidSource: one is empty, or part of another.

        """
        object.__setattr__(self, "excludes", _markers(self.excludes, "excludes"))
        check_stops(_texts(self.excludes), "excludes")

    def lower(self) -> Lowered:
        """One deterministic automaton; see ``Source.lower``."""
        grammar = Grammar()
        grammar.start = grammar.rule(origin="text")
        body = Automaton()
        _keep_out(grammar, self.excludes, "excludes")
        text = free_text([stop.encode() for stop in _texts(self.excludes)])
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
        begin: the text that opens it, which begins with a trigger, or the token.
        content: what it holds, a source or what ``compile`` takes for one.
        end: the text or token that closes it, or several of which any does; empty where the content itself says where it ends.

    """

    begin: Marker
    content: Source
    end: tuple[Marker, ...]

    def __init__(self, begin: Marker, content: Part, end: Marker | Iterable[Marker]) -> None:
        """Take the three parts.

        Raises:
            InvalidSource: the beginning is empty, a text is no string, a token is not named, there is no end, or the content says not what
                it is.

        """
        if not isinstance(begin, (str, Token)) or not begin:
            raise InvalidSource(f"a tag must begin with some text or with a token, not {begin!r}", where="begin")
        _markers((begin,), "begin")
        ends = (end,) if isinstance(end, (str, Token)) else _markers(end, "end")
        if not ends:
            raise InvalidSource("a tag must have an end", where="end", hint='"" where the content says where it ends')
        _markers(ends, "end")
        for text in (*_texts((begin,)), *_texts(ends)):
            as_bytes(text, "begin" if text is begin else "end")
        object.__setattr__(self, "begin", begin)
        object.__setattr__(self, "content", as_source(content))
        object.__setattr__(self, "end", ends)


@dataclass(frozen=True, slots=True, init=False)
class StructuralTag(Source):
    """Free text with constrained regions.

    A text may end wherever it is free text between two characters (the beginning of a trigger is free text), once there were enough regions.

    Attributes:
        tags: the regions.
        triggers: the texts and tokens that end free text; each tag begins with exactly one of them.
        at_least: how many regions there are at least.
        at_most: how many there are at most; None: any number.  After the last one no trigger may come.
        stop_after_first: whether the text ends with the first region.
        leading_text: whether free text may come before the first region.
        excludes: strings that free text does not contain either, and tokens that are not to be read as text.

    """

    tags: tuple[Tag, ...]
    triggers: tuple[Marker, ...]
    at_least: int
    at_most: int | None
    stop_after_first: bool
    leading_text: bool
    excludes: tuple[Marker, ...]

    def __init__(
        self,
        tags: Iterable[Tag],
        *,
        triggers: Iterable[Marker] | None = None,
        at_least: int = 0,
        at_most: int | None = None,
        stop_after_first: bool = False,
        leading_text: bool = True,
        excludes: Iterable[Marker] = (),
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
        found = dict.fromkeys(tag.begin for tag in tags) if triggers is None else _markers(triggers, "triggers")
        values: dict[str, Any] = {
            "tags": tags,
            "triggers": tuple(dict.fromkeys(found)),
            "at_least": at_least,
            "at_most": at_most,
            "stop_after_first": stop_after_first,
            "leading_text": leading_text,
            "excludes": tuple(dict.fromkeys(_markers(excludes, "excludes"))),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        triggers, excludes = _texts(self.triggers), _texts(self.excludes)
        check_stops(triggers, "triggers")
        check_stops((*triggers, *excludes), "triggers and excludes")
        if both := set(triggers) & set(excludes):
            raise InvalidSource(f"{min(both)!r} is a trigger, and excluded", where="excludes")
        check_bounds(self.at_least, self.at_most)
        if self.stop_after_first and (self.at_least > 1 or self.at_most not in {None, 1}):
            raise InvalidSource(
                "a text that stops after its first region has one",
                where="stop_after_first",
                hint="leave at_least at 0 or 1, and at_most out",
            )
        for index, tag in enumerate(self.tags):
            if not self._opening(tag):
                raise InvalidSource(
                    f"the tag begins with no trigger: {tag.begin!r}",
                    where=f"tags/{index}",
                    hint="add a trigger that it begins with",
                )

    def _opening(self, tag: Tag) -> list[int]:
        """The triggers with which a tag begins: one that is text, or those for each of its tokens; none if one of them is no trigger."""
        if isinstance(tag.begin, str):
            return [
                k
                for k, trigger in enumerate(self.triggers)
                if isinstance(trigger, str) and tag.begin.startswith(trigger)
            ]
        of = {
            name: k for k, trigger in enumerate(self.triggers) if isinstance(trigger, Token) for name in trigger.names
        }
        return [of[name] for name in tag.begin.names] if of.keys() >= set(tag.begin.names) else []

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
        _keep_out(grammar, self.triggers, "triggers")
        _keep_out(grammar, self.excludes, "excludes")
        if self.stop_after_first or (self.at_least == 0 and self.at_most is None):
            body = self._text(grammar, contents, counted=False)
            grammar.define(start, body)
            return parts.whole("structural tag")
        rule = grammar.rule(origin="structural tag")
        grammar.define(rule, self._text(grammar, contents, counted=True))
        outer = Automaton()
        end = outer.state()
        outer.call(START, rule, end, (self.at_least, UNBOUNDED if self.at_most is None else self.at_most))
        outer.accept(end)
        if self.at_least == 0:
            outer.accept(START)
        outer.outermost = True
        grammar.define(start, outer)
        return parts.whole("structural tag")

    def _text(self, grammar: Grammar, contents: list[RuleId], *, counted: bool) -> Automaton:
        """Free text and regions; with ``counted`` the activation's counter says how many regions must and may still come.

        The start is a state of its own, which reads what free text does at its beginning: a counted text is never empty here.
        """
        body = Automaton()
        body.outermost = True
        op = OP_COUNT if counted else OP_NONE
        text = free_text([stop.encode() for stop in (*_texts(self.triggers), *_texts(self.excludes))])
        free = [body.state() for _ in range(text.n)]
        opened = [body.state() for k, trigger in enumerate(self.triggers) if isinstance(trigger, str)]
        for source, low, high, target in text.edges:
            sources = [free[source], START] if source == 0 and self.leading_text else [free[source]]
            for here in sources:
                if target >= 0:
                    body.byte_range(here, low, high, free[target])
                elif -1 - target < len(opened):
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
        between = [START, *(free[state] for state in sorted(text.boundary))]
        for index, content in enumerate(contents):
            self._region(grammar, body, index, content, opened, between, back, op)
        return body

    def _region(
        self,
        grammar: Grammar,
        body: Automaton,
        index: int,
        content: RuleId,
        opened: list[StateIndex],
        between: list[StateIndex],
        back: StateIndex,
        op: int,
    ) -> None:
        """One tag: from the states after a trigger, or between two characters of free text, back to free text."""
        tag = self.tags[index]
        inner, closing = body.state(), body.state()
        if isinstance(tag.begin, str):
            triggers = _texts(self.triggers)
            k = next(k for k, trigger in enumerate(triggers) if tag.begin.startswith(trigger))
            _literal(body, opened[k], tag.begin.removeprefix(triggers[k]), inner)
            if not self.leading_text:
                body.literal(START, tag.begin.encode(), inner, op)
        else:
            token = tag.begin.rule(grammar, f"tags/{index}/begin")
            for here in between:
                body.call(here, token, inner, op=op)
        body.call(inner, content, closing)
        for end in tag.end:
            if isinstance(end, str):
                _literal(body, closing, end, back)
            else:
                body.call(closing, end.rule(grammar, f"tags/{index}/end"), back)


def _keep_out(grammar: Grammar, markers: Iterable[Marker], where: str) -> None:
    """Let tokens be text nowhere."""
    for marker in markers:
        if isinstance(marker, Token):
            grammar.never_text.update(dict.fromkeys(marker.names, where))


def _literal(body: Automaton, source: StateIndex, text: str, target: StateIndex) -> None:
    if text:
        body.literal(source, text.encode(), target)
    else:
        body.epsilon(source, target)


def _texts(markers: Iterable[Marker]) -> tuple[str, ...]:
    return tuple(marker for marker in markers if isinstance(marker, str))


def _markers(values: Iterable[Marker], where: str) -> tuple[Marker, ...]:
    if isinstance(values, (str, Token)) or not isinstance(values, Iterable):
        raise InvalidSource(f"{where} are a list of strings or tokens, not {values!r}", where=where)
    values = tuple(values)
    for index, value in enumerate(values):
        if not isinstance(value, (str, Token)):
            raise InvalidSource(
                f"{where} must be strings or tokens, not {type(value).__name__}", where=f"{where}/{index}"
            )
        if isinstance(value, Token) and value.negated:
            raise InvalidSource(
                "any token but some cannot be a mark here", where=where, hint="name the tokens that are meant"
            )
    return values
