"""JSON values of a schema's text: identity, types and text."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Final

from .dialect import Json
from .facts import ARRAY, FALSE_VALUE, FRACTION, INTEGER, NULL, OBJECT, STRING, TRUE_VALUE

_HUGE: Final = 400
"""Decimal exponents beyond this are compared as decimals only, never expanded to digits."""


def identity(value: Json) -> object:
    """Return a hashable thing that is equal for equal JSON values: 1 is 1.0, true is not 1, members have no order."""
    if isinstance(value, bool):
        return ("true",) if value else ("false",)
    if isinstance(value, list):
        return ("array", *map(identity, value))
    if isinstance(value, dict):
        return ("object", frozenset((k, identity(v)) for k, v in value.items()))
    return value


def type_bit(value: Json, *, float_is_fraction: bool) -> int:
    """Return the type of a value as a bit; ``float_is_fraction`` is draft 4, where 1.0 is not an integer."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return TRUE_VALUE if value else FALSE_VALUE
    if isinstance(value, str):
        return STRING
    if isinstance(value, list):
        return ARRAY
    if isinstance(value, dict):
        return OBJECT
    if isinstance(value, Decimal):
        return FRACTION if float_is_fraction or not is_whole(value) else INTEGER
    return INTEGER if isinstance(value, int) else FRACTION


def is_whole(value: Decimal) -> bool:
    """Tell whether a decimal is an integer."""
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and (exponent >= 0 or value == value.to_integral_value())


def is_multiple(value: Decimal | int, of: Decimal | int) -> bool:
    """Tell, exactly, whether ``value`` is an integer times ``of``."""
    a, b = scaled(value, of)
    return a % b == 0


def scaled(*values: Decimal | int) -> list[int]:
    """Bring decimals to a common power of ten and return the integers."""
    parts = []
    for v in values:
        sign, digits, exponent = Decimal(v).as_tuple()
        if not isinstance(exponent, int) or abs(exponent) > _HUGE * 10:
            raise OverflowError
        n = int("".join(map(str, digits)))
        parts.append((-n if sign else n, exponent))
    least = min(e for _, e in parts)
    return [n * 10 ** (e - least) for n, e in parts]


def text_of(value: str) -> bytes:
    """Return the canonical JSON text of a string; raise ``UnicodeEncodeError`` where it holds a lone surrogate."""
    return json.dumps(value, ensure_ascii=False).encode()
