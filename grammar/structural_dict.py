"""Structural tags as the OpenAI-compatible servers write them down (vLLM, SGLang, xgrammar), read into sources.

Two shapes are in use.  The older one is a flat list of ``structures`` with ``triggers``; the newer one a tree of formats, each a mapping with a
``type``.  Field names are those of xgrammar's documentation (mlc-ai/xgrammar, docs/structural_tag).  A format or field that is not known is
refused: a server that ignored it would promise what it does not keep.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from .cfg import Ebnf
from .composition import Repeat, Sequence, Text, Union
from .errors import InvalidSource, Unsupported
from .jsonschema import JsonSchema
from .regex import Regex
from .source import Source
from .structural import AnyText, Marker, StructuralTag, Tag
from .terminals import Name
from .tokens import Token, check_name

Ends = tuple[Marker, ...]
"""The texts and tokens that end the enclosing tag where a format is the last thing in it: what may go on for ever stops at them."""

Made = TypeVar("Made", Source, Tag)


def read_structural_tag(data: Mapping[str, Any] | str) -> Source:
    """See ``StructuralTag.from_dict``."""
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError as error:
            raise InvalidSource(f"the structural tag is no JSON: {error}") from error
    where = "#"
    data = _mapping(data, where)
    if data.get("type", "structural_tag") != "structural_tag":
        raise InvalidSource(f"the type is {data['type']!r}", where="#/type", hint='it must be "structural_tag"')
    if "format" in data:
        fields = _Fields(data, where, {"type", "format"})
        return _read(fields.take("format"), "#/format", ())
    fields = _Fields(data, where, {"type", "structures", "triggers"})
    tags = []
    for index, item in enumerate(fields.items("structures")):
        place = f"#/structures/{index}"
        tag = _Fields(_mapping(item, place), place, {"begin", "schema", "end"})
        tags.append(_tag(tag.text("begin"), JsonSchema(tag.take("schema")), [tag.text("end")], place))
    return _placed(where, lambda: StructuralTag(tags, triggers=fields.texts("triggers")))


class _Fields:
    """The fields of one format, checked as they are taken."""

    def __init__(self, data: Mapping[str, Any], where: str, known: set[str]) -> None:
        unknown = sorted(set(data) - known)
        if unknown:
            raise Unsupported(
                f"the field {unknown[0]!r} is not known here",
                where=f"{where}/{unknown[0]}",
                hint=f"known are {sorted(known)}",
            )
        self.data = data
        self.where = where

    def take(self, name: str) -> Any:  # noqa: ANN401 - what JSON holds
        """A field that must be there."""
        if name not in self.data:
            raise InvalidSource(f"the field {name!r} is missing", where=self.where)
        return self.data[name]

    def text(self, name: str) -> str:
        """A field that is a string."""
        value = self.take(name)
        if not isinstance(value, str):
            raise InvalidSource(f"{name!r} must be a string, not {type(value).__name__}", where=f"{self.where}/{name}")
        return value

    def flag(self, name: str) -> bool:
        """A field that is true or false, and false if it is not there."""
        value = self.data.get(name, False)
        if not isinstance(value, bool):
            raise InvalidSource(f"{name!r} must be true or false, not {value!r}", where=f"{self.where}/{name}")
        return value

    def number(self, name: str) -> int:
        """A field that is an integer."""
        value = self.take(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidSource(f"{name!r} must be an integer, not {value!r}", where=f"{self.where}/{name}")
        return value

    def items(self, name: str) -> list[Any]:
        """A field that is a list."""
        value = self.take(name)
        if not isinstance(value, list):
            raise InvalidSource(f"{name!r} must be a list, not {type(value).__name__}", where=f"{self.where}/{name}")
        return value

    def tokens(self, name: str) -> tuple[Name, ...]:
        """A field that is a list of tokens, and empty if it is not there."""
        if name not in self.data:
            return ()
        values = self.items(name)
        for index, value in enumerate(values):
            check_name(value, f"{self.where}/{name}/{index}")
        return tuple(dict.fromkeys(values))

    def texts(self, name: str) -> list[str]:
        """A field that is a list of strings, and empty if it is not there."""
        if name not in self.data:
            return []
        for index, value in enumerate(self.items(name)):
            if not isinstance(value, str):
                raise InvalidSource(
                    f"{name!r} must be strings, not {type(value).__name__}", where=f"{self.where}/{name}/{index}"
                )
        return self.items(name)


def _read(data: object, where: str, ends: Ends) -> Source:
    data = _mapping(data, where)
    kind = data.get("type")
    if not isinstance(kind, str) or kind not in FORMATS:
        raise Unsupported(
            f"the format {kind!r} is not known", where=f"{where}/type", hint=f"known are {sorted(FORMATS)}"
        )
    known, read = FORMATS[kind]
    fields = _Fields(data, where, {"type", *known})
    return _placed(where, lambda: read(fields, ends))


def _const_string(fields: _Fields, _: Ends) -> Source:
    return Text(fields.text("value"))


def _json_schema(fields: _Fields, _: Ends) -> Source:
    style = fields.data.get("style", "json")
    if style != "json":
        raise Unsupported(f"the style {style!r} is not supported", where=f"{fields.where}/style", hint='"json" is')
    order = "any" if fields.flag("any_order") else "schema"
    return JsonSchema(fields.take("json_schema"), property_order=order)  # type: ignore[arg-type]


def _regex(fields: _Fields, _: Ends) -> Source:
    return Regex(fields.text("pattern"), dialect="ecma")


def _grammar(fields: _Fields, _: Ends) -> Source:
    return Ebnf(fields.text("grammar"), start="root", dialect="xgrammar")


def _any_text(fields: _Fields, ends: Ends) -> Source:
    if fields.data.get("max_tokens") is not None:
        raise Unsupported(
            "a free text cannot be limited in tokens",
            where=f"{fields.where}/max_tokens",
            hint="give the decoder a budget, or leave the limit out",
        )
    return AnyText(excludes=_stops(fields.texts("excludes"), ends))


def _sequence(fields: _Fields, ends: Ends) -> Source:
    elements = fields.items("elements")
    last = len(elements) - 1
    return Sequence(
        *(_read(e, f"{fields.where}/elements/{i}", ends if i == last else ()) for i, e in enumerate(elements))
    )


def _or(fields: _Fields, ends: Ends) -> Source:
    return Union(*(_read(e, f"{fields.where}/elements/{i}", ends) for i, e in enumerate(fields.items("elements"))))


def _optional(fields: _Fields, ends: Ends) -> Source:
    return Repeat(_read(fields.take("content"), f"{fields.where}/content", ends), 0, 1)


def _plus(fields: _Fields, ends: Ends) -> Source:
    return Repeat(_read(fields.take("content"), f"{fields.where}/content", ends), 1)


def _star(fields: _Fields, ends: Ends) -> Source:
    return Repeat(_read(fields.take("content"), f"{fields.where}/content", ends))


def _repeat(fields: _Fields, ends: Ends) -> Source:
    most = fields.number("max")
    content = _read(fields.take("content"), f"{fields.where}/content", ends)
    return Repeat(content, fields.number("min"), None if most == -1 else most)


def _tag_format(fields: _Fields, _: Ends) -> Source:
    tag = _read_tag(fields.data, fields.where)
    return _spelled_out(tag)


def _spelled_out(tag: Tag) -> Source:
    """A region that stands for itself."""
    return Sequence(_marker(tag.begin), tag.content, Union(*map(_marker, tag.end)))


def _marker(marker: Marker) -> Source:
    return Text(marker) if isinstance(marker, str) else marker


def _triggered_tags(fields: _Fields, ends: Ends) -> Source:
    at_least_one = fields.flag("at_least_one")
    tags = [_read_tag(item, f"{fields.where}/tags/{i}") for i, item in enumerate(fields.items("tags"))]
    return StructuralTag(
        tags,
        triggers=fields.texts("triggers"),
        at_least=int(at_least_one),
        stop_after_first=fields.flag("stop_after_first"),
        leading_text=not at_least_one,  # so it is defined there: the first tag then begins the text
        excludes=_stops(fields.texts("excludes"), ends),
    )


def _tags_with_separator(fields: _Fields, _: Ends) -> Source:
    tags = [
        _tag_format(_Fields(_mapping(t, p), p, TAG), ())
        for i, t in enumerate(fields.items("tags"))
        for p in [f"{fields.where}/tags/{i}"]
    ]
    most = 1 if fields.flag("stop_after_first") else None
    return Repeat(Union(*tags), int(fields.flag("at_least_one")), most, separator=fields.text("separator"))


def _dispatch(fields: _Fields, ends: Ends) -> Source:
    tags = []
    for i, rule in enumerate(fields.items("rules")):
        place = f"{fields.where}/rules/{i}"
        if not isinstance(rule, list) or len(rule) != 2 or not isinstance(rule[0], str):
            raise InvalidSource("a rule must be a pair of a text and a format", where=place)
        tags.append(_tag(rule[0], _read(rule[1], f"{place}/1", ()), [""], place))
    loop = fields.flag("loop") if "loop" in fields.data else True
    return StructuralTag(tags, stop_after_first=not loop, excludes=_stops(fields.texts("excludes"), ends))


def _token(fields: _Fields, _: Ends) -> Source:
    name = fields.take("token")
    check_name(name, f"{fields.where}/token")
    return Token(name)


def _other_tokens(fields: _Fields, ends: Ends, *more: Name) -> Token:
    """Any token but those that are excluded and those that end the enclosing tag."""
    closing = [name for end in ends if isinstance(end, Token) for name in end.names]
    return Token(*more, *fields.tokens("exclude_tokens"), *closing, negated=True)


def _any_tokens(fields: _Fields, ends: Ends) -> Source:
    most = None if fields.data.get("max_tokens") is None else fields.number("max_tokens")
    return Repeat(_other_tokens(fields, ends), 0, most)


def _token_triggered_tags(fields: _Fields, ends: Ends) -> Source:
    triggers = fields.tokens("trigger_tokens")
    if not triggers:
        raise InvalidSource("there are no triggers", where=f"{fields.where}/trigger_tokens")
    regions = []
    for i, item in enumerate(fields.items("tags")):
        place = f"{fields.where}/tags/{i}"
        tag = _read_tag(item, place)
        if isinstance(tag.begin, str) or not set(triggers).issuperset(tag.begin.names):
            raise InvalidSource(
                "the tag begins with no trigger", where=place, hint='its "begin" must be a trigger token'
            )
        regions.append(_spelled_out(tag))
    free = Repeat(_other_tokens(fields, ends, *triggers))
    return _dispatched(
        free,
        regions,
        at_least_one=fields.flag("at_least_one"),
        once=fields.flag("stop_after_first"),
        where=fields.where,
    )


def _token_dispatch(fields: _Fields, ends: Ends) -> Source:
    regions, triggers = [], []
    for i, rule in enumerate(fields.items("rules")):
        place = f"{fields.where}/rules/{i}"
        if not isinstance(rule, (list, tuple)) or len(rule) != 2:
            raise InvalidSource("a rule must be a pair of a token and a format", where=place)
        check_name(rule[0], f"{place}/0")
        triggers.append(rule[0])
        regions.append(Sequence(Token(rule[0]), _read(rule[1], f"{place}/1", ())))
    loop = fields.flag("loop") if "loop" in fields.data else True
    free = Repeat(_other_tokens(fields, ends, *triggers))
    return _dispatched(free, regions, at_least_one=False, once=not loop, where=fields.where)


def _dispatched(free: Source, regions: Iterable[Source], *, at_least_one: bool, once: bool, where: str) -> Source:
    """Regions between free tokens; with ``at_least_one`` one of them begins the text, with ``once`` the first one ends it."""
    regions = list(regions)
    if not regions:
        raise InvalidSource("there are no regions", where=where)
    region = Union(*regions)
    if once:
        return region if at_least_one else Sequence(free, Repeat(region, 0, 1))
    again = Repeat(Sequence(region, free))
    return Sequence(region, free, again) if at_least_one else Sequence(free, again)


def _read_tag(data: object, where: str) -> Tag:
    fields = _Fields(_mapping(data, where), where, TAG)
    if fields.data.get("type", "tag") != "tag":
        raise InvalidSource(f"a tag is wanted here, not {fields.data['type']!r}", where=f"{where}/type")
    end = fields.take("end")
    ends: list[Marker]
    if isinstance(end, Mapping):
        ends = [_token_of(end, f"{where}/end")]
    else:
        ends = [end] if isinstance(end, str) else [*fields.texts("end")]
    content = _read(fields.take("content"), f"{where}/content", tuple(end for end in ends if end))
    begin = fields.take("begin")
    opening = _token_of(begin, f"{where}/begin") if isinstance(begin, Mapping) else fields.text("begin")
    return _tag(opening, content, ends, where)


def _token_of(data: Mapping[str, Any], where: str) -> Token:
    """The token at the beginning or the end of a tag."""
    if data.get("type", "token") != "token":
        raise InvalidSource(f"a text or a token is wanted here, not {data['type']!r}", where=f"{where}/type")
    name = _Fields(data, where, {"type", "token"}).take("token")
    check_name(name, f"{where}/token")
    return Token(name)


def _tag(begin: Marker, content: Source, ends: Iterable[Marker], where: str) -> Tag:
    return _placed(where, lambda: Tag(begin, content, ends))


def _stops(excludes: list[str], ends: Ends) -> tuple[str, ...]:
    """Excluded strings and those that end the enclosing tag; what holds another one is not needed.  Tokens that end it are never text."""
    stops = dict.fromkeys((*excludes, *(end for end in ends if isinstance(end, str))))
    return tuple(stop for stop in stops if not any(other != stop and other in stop for other in stops))


def _mapping(data: object, where: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise InvalidSource(f"a mapping is wanted here, not {type(data).__name__}", where=where)
    return data


def _placed(where: str, make: Callable[[], Made]) -> Made:
    """What ``make`` makes; an error that names no place of the mapping gets this one."""
    try:
        return make()
    except (InvalidSource, Unsupported) as error:
        if error.where is not None and error.where.startswith("#"):
            raise
        raise error.within(where) from error.__cause__


TAG = {"type", "begin", "content", "end"}

FORMATS: dict[str, tuple[set[str], Callable[[_Fields, Ends], Source]]] = {
    "const_string": ({"value"}, _const_string),
    "json_schema": ({"json_schema", "style", "any_order"}, _json_schema),
    "regex": ({"pattern"}, _regex),
    "grammar": ({"grammar"}, _grammar),
    "any_text": ({"excludes", "max_tokens"}, _any_text),
    "sequence": ({"elements"}, _sequence),
    "or": ({"elements"}, _or),
    "optional": ({"content"}, _optional),
    "plus": ({"content"}, _plus),
    "star": ({"content"}, _star),
    "repeat": ({"min", "max", "content"}, _repeat),
    "tag": ({"begin", "content", "end"}, _tag_format),
    "triggered_tags": ({"triggers", "tags", "at_least_one", "stop_after_first", "excludes"}, _triggered_tags),
    "tags_with_separator": ({"tags", "separator", "at_least_one", "stop_after_first"}, _tags_with_separator),
    "token": ({"token"}, _token),
    "exclude_token": ({"exclude_tokens"}, _other_tokens),
    "any_tokens": ({"exclude_tokens", "max_tokens"}, _any_tokens),
    "token_triggered_tags": (
        {"trigger_tokens", "tags", "at_least_one", "stop_after_first", "exclude_tokens"},
        _token_triggered_tags,
    ),
    "token_dispatch": ({"rules", "loop", "exclude_tokens"}, _token_dispatch),
    "dispatch": ({"rules", "loop", "excludes"}, _dispatch),
}
"""Of each format its fields, and what reads it."""
