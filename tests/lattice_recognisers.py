"""Who is in a language, said by others than the package: ``re``, an Earley chart, ``json`` with ``jsonschema``, Lark.

Each recogniser answers for whole texts (``member``) and, where it can be sure, whether a text may be the beginning of one
(``viable``; True where it does not know).  Nothing here imports the package.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import jsonschema
from cfg_grammars import Part, Rules


class Recogniser:
    """Membership of whole texts."""

    def member(self, text: bytes) -> bool:
        """Whether the text is in the language."""
        raise NotImplementedError

    def viable(self, text: bytes) -> bool:  # noqa: ARG002  # the default knows nothing
        """False only if no text of the language begins with this one."""
        return True


class Pattern(Recogniser):
    """What Python's ``re`` matches from end to end; bytes that are no UTF-8 are no text."""

    def __init__(self, pattern: str) -> None:
        """Compile it."""
        self.compiled = re.compile(pattern)

    def member(self, text: bytes) -> bool:
        """As ``fullmatch`` says."""
        try:
            return self.compiled.fullmatch(text.decode()) is not None
        except UnicodeDecodeError:
            return False


Productions = Mapping[str, Sequence[Sequence[str | bytes]]]


def productions(rules: Rules) -> dict[str, list[list[str | bytes]]]:
    """Parts as plain productions; a repetition gets rules of its own.  Terminals are single bytes."""
    found: dict[str, list[list[str | bytes]]] = {}
    fresh = count()

    def named(alternatives: list[list[str | bytes]]) -> str:
        name = f"#{next(fresh)}"
        found[name] = alternatives
        return name

    def symbol(part: Part) -> list[str | bytes]:
        kind = part[0]
        if kind == "text":
            return [bytes([b]) for b in part[1].encode()]
        if kind == "set":
            return [named([symbol(("text", c)) for c in part[1]])]
        if kind == "call":
            return [part[1]]
        if kind == "seq":
            return [s for p in part[1] for s in symbol(p)]
        if kind == "or":
            return [named([symbol(p) for p in part[1]])]
        assert kind == "rep"
        _, body, least, most = part
        once: list[str | bytes] = [named([symbol(body)])]
        if most is None:
            more = named([])
            found[more] = [[], [*once, more]]
            return [*once * least, more]
        return [*once * least, *[named([[], once])] * (most - least)]

    for name, part in rules.items():
        found[name] = [symbol(part)]
    return found


Item = tuple[str, tuple[str | bytes, ...], int, int]  # head, body, dot, column where it began


class Earley(Recogniser):
    """Earley's chart (1970) in its plainest form: each column is closed under its rules until nothing new comes."""

    def __init__(self, rules: Productions, start: str) -> None:
        """Keep the productions; terminals are single bytes."""
        self.rules = {name: [tuple(a) for a in alternatives] for name, alternatives in rules.items()}
        self.start = start
        first: set[Item] = {(start, body, 0, 0) for body in self.rules[start]}
        self.charts: dict[bytes, list[set[Item]]] = {b"": self._closed([first])}

    def _closed(self, columns: list[set[Item]]) -> list[set[Item]]:
        here = columns[-1]
        while True:
            new: set[Item] = set()
            for head, body, dot, origin in here:
                if dot < len(body):
                    name = body[dot]
                    if isinstance(name, str):
                        new |= {(name, b, 0, len(columns) - 1) for b in self.rules[name]}
                else:
                    new |= {(h, b, d + 1, o) for h, b, d, o in columns[origin] if d < len(b) and b[d] == head}
            if new <= here:
                return columns
            here |= new

    def _chart(self, text: bytes) -> list[set[Item]]:
        if text not in self.charts:
            before = self._chart(text[:-1])
            byte = text[-1:]
            moved = {(h, b, d + 1, o) for h, b, d, o in before[-1] if d < len(b) and b[d] == byte}
            self.charts[text] = self._closed([*before, moved])
        return self.charts[text]

    def member(self, text: bytes) -> bool:
        """Whether an item of the start symbol that began at 0 is complete."""
        return any(h == self.start and d == len(b) and o == 0 for h, b, d, o in self._chart(text)[-1])

    def viable(self, text: bytes) -> bool:
        """Whether any item is left."""
        return bool(self._chart(text)[-1])


LEXEME = re.compile(r'"(?:[^"\\]|\\.)*"|[][{},:]|-?[0-9]+|true|false|null')
WORDS = ("true", "false", "null")


def begins_json(text: str) -> bool:
    """Whether a document without blanks, fractions and exponents may begin like that: brackets, commas and colons are in place."""
    stack: list[str] = []
    expected = {"value"}
    at = 0
    while at < len(text):
        found = LEXEME.match(text, at)
        if found is None:  # the last lexeme is not whole
            rest = text[at:]
            if rest.startswith('"'):
                return bool(expected & {"value", "key"})
            return "value" in expected and any(w.startswith(rest) for w in (*WORDS, "-"))
        lexeme = found[0]
        at = found.end()
        kind = lexeme if lexeme in "[]{},:" else "key" if lexeme[0] == '"' and "key" in expected else "value"
        wanted = "value" if kind in "[{" else kind
        if wanted not in expected:
            return False
        if kind == "[":
            stack.append("]")
            expected = {"value", "]"}
        elif kind == "{":
            stack.append("}")
            expected = {"key", "}"}
        elif kind == ",":
            expected = {"value"} if stack[-1] == "]" else {"key"}
        elif kind == ":":
            expected = {"value"}
        elif kind == "key":
            expected = {":"}
        else:
            if kind in "]}":
                stack.pop()
            expected = {",", stack[-1]} if stack else set()
            if at == len(text) and lexeme[-1].isdigit():
                return True  # a number may go on
    return True


class Json(Recogniser):
    """Documents that ``jsonschema`` finds valid, in the one spelling without blanks, members in the schema's order or in any.

    Numbers are whole; in the schema's order keys beyond the declared ones come last, which is the order that the package writes
    where all declared ones are required.
    """

    def __init__(self, schema: Any, *, order: str = "schema") -> None:
        """Make the validator."""
        self.schema = schema
        self.order = order
        self.validator = jsonschema.Draft202012Validator(schema)

    def member(self, text: bytes) -> bool:
        """Whether it is a document, in its canonical spelling, without a key twice, and valid."""
        try:
            value = json.loads(text.decode(), object_pairs_hook=unique_keys)
        except ValueError:
            return False
        if json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() != text:
            return False
        return self.validator.is_valid(value) and (self.order == "any" or self._in_order(self.schema, value))

    def viable(self, text: bytes) -> bool:
        """Whether its brackets can still come right."""
        try:
            return begins_json(text.decode())
        except UnicodeDecodeError as error:
            return error.end == len(text)  # a character may be cut at the end

    def _in_order(self, schema: Any, value: Any) -> bool:
        if isinstance(schema, bool):
            return True
        if "$ref" in schema:
            place = self.schema
            for name in schema["$ref"].removeprefix("#").split("/")[1:]:
                place = place[name]
            return self._in_order(place, value)
        if "anyOf" in schema:
            branches = (
                self.validator.evolve(schema={**b, "$defs": self.schema.get("$defs", {})}) for b in schema["anyOf"]
            )
            return any(
                v.is_valid(value) and self._in_order(b, value) for v, b in zip(branches, schema["anyOf"], strict=True)
            )
        if isinstance(value, list):
            prefix = schema.get("prefixItems", [])
            items = [*prefix, *[schema.get("items", True)] * len(value)]
            return all(self._in_order(s, v) for s, v in zip(items, value, strict=False))
        if isinstance(value, dict):
            declared = [*schema.get("properties", {}), *schema.get("required", [])]
            places = [declared.index(key) if key in declared else len(declared) for key in value]
            inner = schema.get("properties", {})
            other = schema.get("additionalProperties", True)
            return places == sorted(places) and all(self._in_order(inner.get(k, other), v) for k, v in value.items())
        return True


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, unless a key comes twice."""
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError(pairs)
    return dict(pairs)


class Saying(Recogniser):
    """What one function says of ASCII texts."""

    def __init__(self, says: Callable[[str], bool]) -> None:
        """Keep it."""
        self.says = says

    def member(self, text: bytes) -> bool:
        """What it says."""
        return self.says(text.decode())


class LarkText(Recogniser):
    """What Lark itself parses."""

    def __init__(self, built: Any) -> None:
        """Keep the parser."""
        self.built = built

    def member(self, text: bytes) -> bool:
        """Whether it parses; whatever it raises is a rejection."""
        try:
            self.built.parse(text.decode())
        except Exception:  # noqa: BLE001
            return False
        return True


def layers(tokens: Sequence[bytes], longest: int, recogniser: Recogniser) -> Iterator[set[bytes]]:
    """By number of tokens, the texts that no fewer spell and that are not known to lead nowhere; the empty text first."""
    layer = {b""}
    seen = set(layer)
    yield layer
    for _ in range(longest):
        layer = {text + token for text in layer for token in tokens} - seen
        layer = {text for text in layer if recogniser.viable(text)}
        seen |= layer
        yield layer
