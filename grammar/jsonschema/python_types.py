"""JSON Schemas of Python's types: as pydantic writes them, made so narrow that pydantic takes every value of them.

Pydantic's own schema of a type says less than pydantic checks: a ``Decimal`` with two places is any number or any string, a
``timedelta`` overflows, an address of a network has a format of pydantic's own.  So the schema is written by a generator of
our own.  What no schema says (a function that validates, a date in the future) is marked at its place with the keyword
``x-unchecked`` and a reason; it lies in the schema for reports and takes part in nothing.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from ..errors import InvalidSource
from . import python_texts as texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import TypeAdapter
    from pydantic.json_schema import GenerateJsonSchema

UNCHECKED = "x-unchecked"

_LARGEST = 1e308  # a larger number may be read as infinity
_EXACT = 10.0**texts.DIGITS
_BOUNDS = ("ge", "gt", "le", "lt")
_AS_IT_IS = frozenset({"password", "binary", "ipv4", "ipv6", "uuid"})
# Functions of pydantic that reject nothing of what the schema has.
_HARMLESS = (
    "pydantic._internal._validators.",
    "pydantic._internal._generate_schema.GenerateSchema._path_schema.",
    "pydantic.types.Secret",
    "pydantic.types._Secret",
)
_IN_WORDS = {
    "ipv4network": "IPv4 network, such as 192.168.0.0/24",
    "ipv6network": "IPv6 network, such as 2001:db8::/32",
    "ipv4interface": "IPv4 address and prefix, such as 192.168.0.5/24",
    "ipv6interface": "IPv6 address and prefix, such as 2001:db8::1/64",
    "ipvanyaddress": "IP address",
    "ipvanynetwork": "IP network",
    "ipvanyinterface": "IP address and prefix",
    "color": "colour as #rrggbb",
    "email": "e-mail address",
    "name-email": "name and e-mail address, such as Ada <ada@example.com>",
    "regex": "regular expression",
    "base64": "base64",
    "base64url": "base64url",
}
_HASHABLE = frozenset({"string", "integer", "number", "boolean", "null"})
_WIDER_HERE = r"\D", r"\W", r"\S", r"\b", r"\B", r"\p", r"\P", r"[^\d", r"[^\w", r"[^\s", "(?"


def schema_of(adapter: TypeAdapter[Any] | type) -> dict[str, Any]:
    """The JSON Schema of a pydantic model class or of a ``TypeAdapter``; every value of it validates where nothing is marked.

    Raises:
        InvalidSource: pydantic has no schema for it.

    """
    from pydantic.errors import PydanticUserError

    write: Callable[..., dict[str, Any]] = (
        adapter.model_json_schema if isinstance(adapter, type) else adapter.json_schema  # type: ignore[attr-defined]
    )
    try:
        return write(schema_generator=_generator())
    except PydanticUserError as error:
        raise InvalidSource(f"pydantic has no JSON Schema: {error.message}", where="kind") from error


def marks(schema: Any, pointer: str = "#") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON value
    """What pydantic checks and the schema does not say: a JSON pointer and a reason each."""
    if isinstance(schema, dict):
        if isinstance(reason := schema.get(UNCHECKED), str):
            yield pointer, reason
        for key, inner in schema.items():
            yield from marks(inner, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(schema, list):
        for number, inner in enumerate(schema):
            yield from marks(inner, f"{pointer}/{number}")


def _at_least(bound: Any, *, strict: bool) -> float:  # noqa: ANN401 - a number
    """The least double that is not below a bound: a number that is not below it is read as such a one, however it is written."""
    exact = Fraction(repr(bound)) if isinstance(bound, float) else Fraction(bound)
    found = float(bound)
    while (least := min(Fraction(found), Fraction(repr(found)))) < exact or (strict and least == exact):
        found = math.nextafter(found, math.inf)
    return found


def _between(schema: dict[str, Any], largest: float) -> dict[str, Any]:
    """Bounds in doubles, none of them beyond the largest."""
    low, high = -largest, largest
    if schema.get("ge") is not None:
        low = max(low, _at_least(schema["ge"], strict=False))
    if schema.get("gt") is not None:
        low = max(low, _at_least(schema["gt"], strict=True))
    if schema.get("le") is not None:
        high = min(high, -_at_least(-schema["le"], strict=False))
    if schema.get("lt") is not None:
        high = min(high, -_at_least(-schema["lt"], strict=True))
    found: dict[str, Any] = {"type": "number"}
    if math.isfinite(low):
        found["minimum"] = low
    if math.isfinite(high):
        found["maximum"] = high
    return found


def _decimal_number(schema: dict[str, Any]) -> dict[str, Any] | None:
    """The numbers that are read as a ``Decimal`` of these bounds, by way of a double of at most 15 digits."""
    max_digits, places, step = schema.get("max_digits"), schema.get("decimal_places"), schema.get("multiple_of")
    bounds = [abs(schema[name]) for name in _BOUNDS if schema.get(name) is not None]
    largest, unit = _EXACT, None
    if max_digits is not None:
        if places is None:  # as many before the point as the bounds need, else half of them
            before = len(str(int(max(bounds)))) if bounds else (max_digits + 1) // 2
            places = max(max_digits - before, 0)
        whole = max_digits - places
        if whole <= 0:
            return None  # 0 would be a number and is not taken
        behind = max_digits - whole if max_digits <= texts.DIGITS else 0  # digits that a double tells from the next
        largest = float(10 ** min(whole, texts.DIGITS) - Decimal(1).scaleb(-behind))
    if places is not None:
        unit = float(Decimal(1).scaleb(-min(places, texts.DIGITS)))
    if step is not None:
        behind = max(-int(Decimal(step).as_tuple().exponent), 0)
        step, exact = float(step), Decimal(step)
        if Decimal(repr(step)) != exact:
            return None  # a schema's numbers are doubles, here as in pydantic
        largest = min(largest, 10.0 ** max(texts.DIGITS - behind, 1) - 1)
    found = _between(schema, largest)
    if unit is not None:
        found["multipleOf"] = unit
    if step is not None:
        found = {"allOf": [found, {"multipleOf": step}]} if unit is not None else {**found, "multipleOf": step}
    return found


def _name(function: Any) -> str:  # noqa: ANN401 - a callable
    while isinstance(function, partial):
        function = function.func
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', function)}"


def _moved(day: date, days: int) -> date:
    """A day some days later, within the calendar."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.max if days > 0 else date.min


@lru_cache(maxsize=1)
def _generator() -> type[GenerateJsonSchema]:
    """The generator; a class of its own only once pydantic is needed."""
    from pydantic.json_schema import GenerateJsonSchema
    from pydantic_core import SchemaValidator, ValidationError, to_json

    class Narrow(GenerateJsonSchema):
        """Pydantic's generator, a method a kind of type."""

        def generate_inner(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401 - pydantic's
            found: dict[str, Any] = super().generate_inner(schema)
            form = found.get("format")
            if found.get("type") == "string" and isinstance(form, str) and "pattern" not in found:
                found = self._formatted(found, form)
            kind = schema["type"]
            if kind.startswith("function-") and UNCHECKED not in found:
                name = _name(schema["function"]["function"])
                if name.startswith("pydantic.types.ByteSize."):
                    size = {"type": "string", "pattern": texts.BYTE_SIZE, "description": "size, such as 1.5 MiB"}
                    found = {"anyOf": [size, {"type": "integer", "minimum": 0}]}
                elif name.endswith("EncodedStr.decode_str"):
                    found = {**found, "pattern": texts.ascii_base64(url_safe="_" in found["pattern"])}
                elif not (
                    (name.startswith(_HARMLESS) and not name.endswith("import_string"))
                    or (name.startswith("pydantic.") and self._is_known(found))
                ):
                    found = {**found, UNCHECKED: f"{name} validates it"}
            return found

        def _is_known(self, found: dict[str, Any]) -> bool:
            return found.get("format") in _AS_IT_IS or "pattern" in found or "enum" in found

        def _formatted(self, found: dict[str, Any], form: str) -> dict[str, Any]:
            rest = {key: value for key, value in found.items() if key != "format"}
            if (pattern := texts.of_format(form)) is not None:
                rest["pattern"] = pattern
            elif form == "zoneinfo":
                from zoneinfo import available_timezones

                rest["enum"] = sorted(available_timezones())
            elif form in {"file-path", "directory-path", "socket-path", "new-path"}:
                return {**found, UNCHECKED: "whether the path exists is checked"}
            else:
                return found
            rest.pop("minLength", None)
            if form in _IN_WORDS:
                rest.setdefault("description", _IN_WORDS[form])
            return rest

        def float_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            infinite = schema.get("allow_inf_nan", self._config.config_dict.get("allow_inf_nan", True))
            found = _between(schema, _LARGEST if infinite is False else math.inf)
            if schema.get("multiple_of") is not None:
                found["multipleOf"] = schema["multiple_of"]
            return found

        def decimal_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            max_digits, places = schema.get("max_digits"), schema.get("decimal_places")
            forms = [number] if (number := _decimal_number(schema)) is not None else []
            if all(schema.get(name) is None for name in (*_BOUNDS, "multiple_of")):
                forms.append({"type": "string", "pattern": texts.decimal(max_digits, places)})
            if not forms:
                raise InvalidSource(
                    f"no Decimal of max_digits={max_digits} and decimal_places={places} within bounds can be written",
                    where="kind",
                    hint="leave out the bounds, or allow a digit before the point",
                )
            return forms[0] if len(forms) == 1 else {"anyOf": forms}

        def fraction_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            number = _between(schema, _EXACT)
            if any(schema.get(name) is not None for name in _BOUNDS):
                return number
            return {"anyOf": [number, {"type": "string", "pattern": texts.FRACTION}]}

        def complex_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401, ARG002
            return {"type": "string", "pattern": texts.COMPLEX, "description": "complex number, such as 1+2j"}

        def str_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            found: dict[str, Any] = super().str_schema(schema)
            config = self._config.config_dict

            def option(name: str) -> bool:
                return bool(schema.get(name, config.get(f"str_{name}", False)))

            pattern = found.get("pattern")
            if option("strip_whitespace") and (pattern is not None or found.get("minLength")):
                found["allOf"] = [{"pattern": texts.TRIMMED}]
            if pattern is not None and (option("to_lower") or option("to_upper")):
                found[UNCHECKED] = "the pattern is for what remains when letters have changed case"
            elif pattern is not None and any(part in pattern for part in _WIDER_HERE):
                found[UNCHECKED] = "the pattern may mean less to pydantic than to ECMAScript"
            return found

        def bytes_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            found: dict[str, Any] = super().bytes_schema(schema)
            how = self._config.config_dict.get("val_json_bytes", "utf8")
            pattern = {"hex": texts.HEX, "base64": texts.BASE64URL}.get(how)
            least, most = found.pop("minLength", None), found.pop("maxLength", None)
            if pattern is None:  # a length is one of bytes
                pattern = texts.ASCII if most is not None else None
            elif how == "hex":
                least, most = (None if n is None else 2 * n for n in (least, most))
            elif least is not None or most is not None:
                found[UNCHECKED] = "a length is one of bytes"
                least = most = None
            found |= {key: n for key, n in (("minLength", least), ("maxLength", most)) if n is not None}
            return found if pattern is None else {**found, "format": "binary", "pattern": pattern}

        def _days(self, found: dict[str, Any], schema: Any, spare: int) -> dict[str, Any]:  # noqa: ANN401
            """Keep days within bounds, some to spare: the time and the zone of a bound are not looked at."""
            low, high, now = date(1, 1, 1), date(9999, 12, 31), schema.get("now_op")
            for name in _BOUNDS:
                if (bound := schema.get(name)) is not None:
                    day = bound.date() if isinstance(bound, datetime) else bound
                    off = spare + (name in {"gt", "lt"} and not spare)
                    low, high = (
                        (max(low, _moved(day, off)), high) if name[0] == "g" else (low, min(high, _moved(day, -off)))
                    )
            today = datetime.now(tz=UTC).date()
            if now == "past":
                high = min(high, _moved(today, -2))
            elif now == "future":
                low = max(low, _moved(today, 2))
                found = {**found, UNCHECKED: "whether it is in the future is checked when it is read"}
            if low > high:
                return {**found, UNCHECKED: "bounds less than a few days apart are checked"}
            if low == date(1, 1, 1) and high == date(9999, 12, 31):
                return found
            return {**found, "allOf": [{"pattern": "^" + texts.between(low.isoformat(), high.isoformat())}]}

        def date_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            return self._days({"type": "string", "format": "date"}, schema, 0)

        def time_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            found = {"type": "string", "format": "time", "pattern": f"^[0-9]{{2}}{texts.NO_LEAP_SECOND}"}
            if any(schema.get(name) is not None for name in _BOUNDS):
                found[UNCHECKED] = "bounds of times are checked"
            return found

        def datetime_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            zone = schema.get("tz_constraint")
            if zone == "naive":
                found = {"type": "string", "pattern": texts.NAIVE, "description": "date and time without a zone"}
                return self._days(found, schema, 2)
            found = {"type": "string", "format": "date-time", "pattern": texts.NO_LEAP_SECOND}
            if isinstance(zone, int):
                found[UNCHECKED] = "the offset of the time zone is checked"
            return self._days(found, schema, 2)

        def timedelta_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            found = {"type": "string", "format": "duration"}
            bounds = {name: schema[name].total_seconds() for name in _BOUNDS if schema.get(name) is not None}
            if not bounds:
                return {**found, "pattern": texts.DURATION}
            low = max([0, *(math.ceil(n) + (k == "gt") for k, n in bounds.items() if k[0] == "g")])
            high = min([10**9, *(math.floor(n) - (k == "lt") for k, n in bounds.items() if k[0] == "l")])
            return (
                {**found, UNCHECKED: "bounds are checked"}
                if low > high
                else {**found, "pattern": texts.seconds(low, high)}
            )

        def url_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            schemes = schema.get("allowed_schemes")
            found = {"type": "string", "format": "uri", "pattern": texts.url(schemes and tuple(schemes))}
            if schema.get("max_length") is not None:
                found["maxLength"] = schema["max_length"] - 1  # a path that is left out is a stroke
            return found

        def multi_host_url_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            return self.url_schema(schema)

        def json_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            return {**super().json_schema(schema), UNCHECKED: "whether the string is JSON is checked"}

        def _taken(self, found: dict[str, Any], schema: Any) -> dict[str, Any]:  # noqa: ANN401
            """Keep the values that can be given in JSON: a member of an enumeration may be a date or a tuple."""
            judge = SchemaValidator(schema)
            kept = []
            for value in found.pop("enum", [found.pop("const", None)]):
                try:
                    judge.validate_json(to_json(value))
                except ValidationError:
                    continue
                kept.append(value)
            if not kept:
                name = getattr(schema.get("cls"), "__name__", "the literal")
                raise InvalidSource(
                    f"no member of {name} can be given in JSON", where="kind", hint="use strings or numbers"
                )
            return {**found, "enum": kept}

        def enum_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            return self._taken(super().enum_schema(schema), schema)

        def literal_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            return self._taken(super().literal_schema(schema), schema)

        def _common_set_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            found: dict[str, Any] = super()._common_set_schema(schema)
            item = found["items"]
            kinds = item.get("anyOf", [item])
            if any("$ref" not in kind and "enum" not in kind and kind.get("type") not in _HASHABLE for kind in kinds):
                found[UNCHECKED] = "whether items can be members of a set is checked"
            elif found.get("minItems", 0) > 1 and not (item.get("type") == "integer" or "enum" in item):
                found[UNCHECKED] = "items that are written differently may be equal"
            return found

        def _keyed(self, found: dict[str, Any], schema: Any) -> dict[str, Any]:  # noqa: ANN401
            if schema.get("keys_schema", {}).get("type", "str") in {"str", "any"} and "patternProperties" not in found:
                return found
            names = dict(self.generate_inner(schema["keys_schema"]))
            for values in found.pop("patternProperties", {}).values():
                found["additionalProperties"] = values
            names = next((form for form in names.get("anyOf", ()) if form.get("type") == "string"), names)
            kind, bounded = names.get("type"), any(key in names for key in ("minimum", "maximum", "multipleOf"))
            if kind == "boolean":
                names = {"enum": ["true", "false"]}
            elif kind in {"integer", "number"} and "enum" not in names and not bounded:
                names = {"pattern": texts.INTEGER_KEY if kind == "integer" else texts.FLOAT_KEY}
            elif kind != "string" and "$ref" not in names and "enum" not in names:
                found[UNCHECKED] = "keys are checked"
                return found
            found["propertyNames"] = names
            return found

        def dict_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            return self._keyed(super().dict_schema(schema), schema)

        def frozendict_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            return self._keyed(super().frozendict_schema(schema), schema)

        def ordered_dict_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            return self._keyed(super().ordered_dict_schema(schema), schema)

        def counter_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401
            return self._keyed(super().counter_schema(schema), schema)

    return Narrow
