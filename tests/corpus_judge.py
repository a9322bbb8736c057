"""A judge of texts that is not ours: ``json`` and ``jsonschema``, reading numbers and patterns as the specification does."""

from __future__ import annotations

import decimal
import json
import re
from decimal import Decimal
from typing import Any

import jsonschema
from jsonschema.validators import validator_for
from jsonschema_specifications import REGISTRY

DIALECTS = {
    "draft4": jsonschema.Draft4Validator,
    "draft6": jsonschema.Draft6Validator,
    "draft7": jsonschema.Draft7Validator,
    "2019-09": jsonschema.Draft201909Validator,
    "2020-12": jsonschema.Draft202012Validator,
}

FORMATS = jsonschema.FormatChecker(["ipv4", "ipv6", "uuid", "email"])


@FORMATS.checks("date", raises=ValueError)
def _is_date(value: object) -> bool:
    if isinstance(value, str):
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            return False
        year, month, day = map(int, value.split("-"))
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)  # the year 0000 is one of RFC 3339's
        lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
        return 1 <= month <= 12 and 1 <= day <= lengths[month - 1]
    return True


class Judge:
    """Says what is wrong with a text: not UTF-8, not JSON, a repeated key, or invalid for ``jsonschema``."""

    def __init__(self, schema: Any, dialect: str = "") -> None:
        """Judge by a schema, read in the dialect of the constraint's report."""
        schema = json.loads(json.dumps(schema), parse_float=_number)
        kind = DIALECTS.get(dialect.split(" ", maxsplit=1)[0]) or validator_for(
            schema, default=jsonschema.Draft202012Validator
        )
        self._validator = kind(_as_python(schema), registry=REGISTRY, format_checker=FORMATS)

    def problem(self, text: bytes) -> str | None:
        """What is wrong with the text, or None.

        Raises:
            Unjudged: the judge does not understand the schema.

        """
        try:
            value = json.loads(
                text.decode(), object_pairs_hook=_without_repetition, parse_float=_number, parse_constant=_refuse
            )
        except ValueError as error:
            return f"{type(error).__name__}: {error}"
        with decimal.localcontext() as context:
            context.prec = 2000  # digits: remainders are exact
            try:
                error = next(iter(self._validator.iter_errors(value)), None)
            except (re.error, decimal.DecimalException, RecursionError, LookupError) as cause:
                raise Unjudged(f"{type(cause).__name__}: {cause}") from cause
            except Exception as cause:
                if "referencing" in type(cause).__module__ or "jsonschema" in type(cause).__module__:
                    raise Unjudged(f"{type(cause).__name__}: {cause}") from cause
                raise
        return None if error is None else f"invalid: {error.json_path}: {error.message[:200]} ({error.validator})"


class Unjudged(Exception):
    """The judge does not understand the schema."""


def _as_python(schema: Any) -> Any:
    """A schema whose patterns mean to Python what they mean to ECMA, as far as a flag can do that."""
    if isinstance(schema, list):
        return [_as_python(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    result = {}
    for key, value in schema.items():
        if key == "pattern" and isinstance(value, str):
            result[key] = _ascii(value)
        elif key == "patternProperties" and isinstance(value, dict):
            result[key] = {_ascii(k): _as_python(v) for k, v in value.items()}
        elif key in {"enum", "const", "default", "examples"} and not isinstance(value, dict):
            result[key] = value
        else:
            result[key] = _as_python(value)
    return result


SPACES = r"\t-\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""ECMA's white space, of which Python's flag leaves what is ASCII."""


def _ascii(pattern: str) -> str:
    """The pattern with digits and letters of ASCII, and ECMA's white space (but for what is not it, within a class)."""
    parts: list[str] = []
    inside = False
    for part in re.findall(r"\\.|.", pattern, re.DOTALL):
        if part == r"\s":
            parts.append(SPACES if inside else f"[{SPACES}]")
        elif part == r"\S" and not inside:
            parts.append(f"[^{SPACES}]")
        else:
            inside = part == "[" or (inside and part != "]")
            parts.append(part)
    return "(?a)" + "".join(parts)


def _number(text: str) -> Decimal | int:
    """Read a number without rounding; integers are integers however they are spelled."""
    try:
        value = Decimal(text)
    except decimal.InvalidOperation:  # an exponent of more than 18 digits
        raise Unjudged(f"the number {text}") from None
    return int(value) if abs(value.adjusted()) < 1000 and value == value.to_integral_value() else value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [k for k, _ in pairs]
        raise ValueError(f"repeated key {next(k for k in names if names.count(k) > 1)!r}")
    return result


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no JSON")
