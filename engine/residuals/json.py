"""Checks of JSON values, at the moment in which a value closes.

The text is read byte by byte, and what is remembered beside it is small: which containers are open, and whether a string, a number
or a key is.  When a value closes the containers around it are closed for the time being, and the whole is parsed: the check sees
the document so far, with every value in it that is complete and no other.  A string closes with its quotation mark, so a token that
would complete a wrong one is not allowed; a number closes only with what follows it.

A document that names a member twice, or that is no JSON, is dead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, NoReturn, TypeAlias
from urllib.parse import unquote

from ...grammar.errors import InvalidSource
from .protocol import Guards

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indices from the root to a value."""

OUTSIDE, STRING, ESCAPE, SCALAR = range(4)
OBJECT_KEY, OBJECT_VALUE, ARRAY = b"{:["  # an open object that waits for a key, or that has one; an open array
CLOSER = {OBJECT_KEY: b"}", OBJECT_VALUE: b"}", ARRAY: b"]"}
SPACE = b" \t\n\r"
ENDS = b'",]}' + SPACE
"""What a value can close at."""

IN_STRING = Guards(b'"', ENDS)


class JsonState(NamedTuple):
    """What is remembered of a text."""

    text: bytes
    mode: int = OUTSIDE
    stack: bytes = b""


class Closed(NamedTuple):
    """A value that has just closed.

    Attributes:
        document: all values that are complete, in the containers that hold them.
        path: from the root to the value.
        value: the value.

    """

    document: Any
    path: Path
    value: Any


class JsonResidual:
    """What is common to checks of JSON; a subclass has ``allows``."""

    @property
    def start(self) -> JsonState:
        """The empty text."""
        return JsonState(b"")

    def allows(self, closed: Closed) -> bool:
        """Whether the document may go on from a value that has just closed."""
        raise NotImplementedError

    def fraction(self, digits: str) -> Any:  # noqa: ANN401 - any kind of number
        """What a number with a fraction or an exponent is read as."""
        return float(digits)

    def guards(self, state: JsonState) -> bytes | Guards | None:
        """In a string its end, and what ends a number or a container behind that; elsewhere all of these."""
        return IN_STRING if state.mode in {STRING, ESCAPE} else ENDS

    def may_end(self, state: JsonState) -> bool:
        """Whether the whole is one value that is allowed; a number on the top level closes here."""
        if state.stack or state.mode in {STRING, ESCAPE} or not state.text.strip(SPACE):
            return False
        return state.mode == OUTSIDE or self._asked(state.text, b"")

    def advance(self, state: JsonState, data: bytes) -> JsonState | None:
        """Read bytes; ``None`` if a value closes that is not allowed."""
        text = state.text + data
        mode, stack = state.mode, bytearray(state.stack)
        for at in range(len(state.text), len(text)):
            byte = text[at]
            if mode == ESCAPE:
                mode = STRING
            elif mode == STRING:
                if byte == ord("\\"):
                    mode = ESCAPE
                elif byte == ord('"'):
                    mode = OUTSIDE
                    is_key = bool(stack) and stack[-1] == OBJECT_KEY
                    if not is_key and not self._asked(text[: at + 1], stack):
                        return None
            elif byte == ord(":"):  # in a wrong place it makes a text that is no JSON, which the next guard finds
                if mode == OUTSIDE and stack and stack[-1] == OBJECT_KEY:
                    stack[-1] = OBJECT_VALUE
                else:
                    mode = SCALAR
            elif byte in b"]}," or byte in SPACE:
                # A scalar that a container's end closes is judged together with the container.
                if mode == SCALAR and byte not in b"]}" and not self._asked(text[:at], stack):
                    return None
                mode = OUTSIDE
                if not _turn(stack, byte) or (byte in b"]}" and not self._asked(text[: at + 1], stack, ended=True)):
                    return None
            elif byte == ord('"'):
                mode = STRING
            elif byte in b"[{":
                stack.append(byte)
            else:
                mode = SCALAR
        return JsonState(text, mode, bytes(stack))

    def _asked(self, text: bytes, stack: bytes | bytearray, *, ended: bool = False) -> bool:
        """Whether the value that ends the text is allowed; with ``ended``, also the last one inside it."""
        try:
            document = json.loads(
                (text + b"".join(CLOSER[kind] for kind in reversed(stack))).decode(),
                object_pairs_hook=_members,
                parse_int=_integer,
                parse_float=self.fraction,
                parse_constant=_refused,
            )
        except (ValueError, RecursionError):
            return False
        path: list[str | int] = []
        value = document
        for _ in stack:
            key = len(value) - 1 if isinstance(value, list) else next(reversed(value))
            path.append(key)
            value = value[key]
        if ended and value:
            key = len(value) - 1 if isinstance(value, list) else next(reversed(value))
            inside = isinstance(value[key], (str, list, dict))  # these were judged when they ended
            if not inside and not self.allows(Closed(document, (*path, key), value[key])):
                return False
        return self.allows(Closed(document, tuple(path), value))


def _turn(stack: bytearray, byte: int) -> bool:
    """Follow a mark outside strings; whether it fits what is open."""
    if byte in SPACE:
        return True
    if not stack:
        return False
    if byte == ord(","):
        if stack[-1] == OBJECT_VALUE:
            stack[-1] = OBJECT_KEY
        return True
    return CLOSER[stack.pop()] == bytes([byte])


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is named twice")
    return members


def _integer(digits: str) -> int | Decimal:
    """A whole number, of any length."""
    try:
        return int(digits)
    except ValueError:  # Python's limit against slow conversions
        return Decimal(digits)


def _refused(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _matches(path: Path, pattern: Sequence[str]) -> bool:
    return len(path) == len(pattern) and all(want in {"*", str(part)} for want, part in zip(pattern, path, strict=True))


def _pattern(pointer: str) -> tuple[str, ...]:
    body = unquote(pointer[1:]) if pointer.startswith("#") else pointer  # the form of a fragment (RFC 6901, section 6)
    if body and not body.startswith("/"):
        raise InvalidSource(f"{pointer!r} is no JSON pointer", where="at", hint="write '/orders/*', '*' for any part")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in body.split("/")[1:])


class JsonPredicate(JsonResidual):
    """A rule across fields, such as "the end is not before the start".

    Args:
        holds: a pure function of a value with those of its parts that are complete.  It has to be true while fields are missing that it
            needs, and once false, to stay so: ``lambda d: "end" not in d or d["start"] <= d["end"]``.
        at: a JSON pointer to the values that the rule is about, ``*`` for any key or index: ``/orders/*``; by default the document.
        complete: ask only when the value has ended, so that the function need not bear missing fields.

    """

    def __init__(self, holds: Callable[[Any], Any], *, at: str = "", complete: bool = False) -> None:
        self._holds = holds
        self._at = _pattern(at)
        self._complete = complete

    def allows(self, closed: Closed) -> bool:
        """Ask the rule about the value that holds what closed, or is it."""
        n = len(self._at)
        if not _matches(closed.path[:n], self._at) or (self._complete and len(closed.path) != n):
            return True
        value = closed.document
        for part in closed.path[:n]:
            value = value[part]
        return bool(self._holds(value))


@dataclass(frozen=True)
class UniqueItems(JsonResidual):
    """No two equal items in an array, containers included, compared as JSON values: 1 equals 1.0 and not true, and no digit is rounded away.

    Attributes:
        at: a JSON pointer to the arrays, ``*`` for any key or index, empty for the document; by default every array.
        key: what of an item has to differ, such as ``lambda item: item["id"]``; by default the item itself.

    """

    at: str | None = None
    key: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        """Check the pointer."""
        _pattern(self.at or "")

    def fraction(self, digits: str) -> Decimal | float:
        """As it is written, however many digits it has; a function of items gets Python's own numbers."""
        if self.key is not None:
            return float(digits)
        try:
            return Decimal(digits)
        except InvalidOperation:  # an exponent of many digits
            return float(digits)

    def allows(self, closed: Closed) -> bool:
        """Compare an item that has closed with those before it."""
        if not closed.path or not isinstance(closed.path[-1], int):
            return True
        if self.at is not None and not _matches(closed.path[:-1], _pattern(self.at)):
            return True
        items = closed.document
        for part in closed.path[:-1]:
            items = items[part]
        own = [_canonical(item if self.key is None else self.key(item)) for item in items]
        return own[-1] not in own[:-1]


def _canonical(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A value that is equal iff the JSON values are."""
    if isinstance(value, dict):
        return {key: _canonical(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_canonical(part) for part in value]
    return (isinstance(value, bool), value)
