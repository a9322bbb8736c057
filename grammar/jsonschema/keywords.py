"""Reading keywords into facts: one function per keyword, named as the specification names it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cache, lru_cache
from typing import Final

from ..errors import InvalidSource, Unsupported
from ..regular.syntax import parse
from .dialect import Dialect, Json
from .document import Documents, Node, kind_of
from .facts import (
    ALWAYS,
    STRING,
    TYPES,
    Contains,
    Facts,
    Part,
    StringFact,
    only,
)
from .reading import Reading


def _type(r: Reading, value: Json) -> None:
    types = 0
    for name in value if isinstance(value, list) else (value,):
        bits = TYPES.get(name) if isinstance(name, str) else None
        if bits is None:
            raise InvalidSource(
                f"{name!r} is not a type", where=r.node.pointer("type"), hint=f"types are {', '.join(TYPES)}"
            )
        types |= bits
    r.facts.types &= types


def _enum(r: Reading, value: Json) -> None:
    if not isinstance(value, list):
        raise r.wrong("enum", "an array", value)
    if r.facts.enum is None:
        r.facts.enum = value
    else:
        r.part("all", [r.child({"enum": value}, "enum")], "enum")


def _const(r: Reading, value: Json) -> None:
    if r.facts.enum is None:
        r.facts.enum = [value]
    else:
        r.part("all", [r.child({"enum": [value]}, "const")], "const")


def _minimum(r: Reading, value: Json) -> None:
    _low(r.facts, r.number("minimum", value), opened=False)


def _maximum(r: Reading, value: Json) -> None:
    _high(r.facts, r.number("maximum", value), opened=False)


def _exclusive_minimum(r: Reading, value: Json) -> None:
    if not r.dialect.boolean_exclusive:
        _low(r.facts, r.number("exclusiveMinimum", value), opened=True)
        return
    if not isinstance(value, bool):
        raise r.wrong("exclusiveMinimum", "a boolean in draft 4", value)
    if value and "minimum" in r.schema:
        _low(r.facts, r.number("minimum", r.schema["minimum"]), opened=True)


def _exclusive_maximum(r: Reading, value: Json) -> None:
    if not r.dialect.boolean_exclusive:
        _high(r.facts, r.number("exclusiveMaximum", value), opened=True)
        return
    if not isinstance(value, bool):
        raise r.wrong("exclusiveMaximum", "a boolean in draft 4", value)
    if value and "maximum" in r.schema:
        _high(r.facts, r.number("maximum", r.schema["maximum"]), opened=True)


def _low(f: Facts, value: Decimal | int, *, opened: bool) -> None:
    if f.low is None or value > f.low or (value == f.low and opened):
        f.low, f.low_open = value, opened


def _high(f: Facts, value: Decimal | int, *, opened: bool) -> None:
    if f.high is None or value < f.high or (value == f.high and opened):
        f.high, f.high_open = value, opened


def _multiple_of(r: Reading, value: Json) -> None:
    m = r.number("multipleOf", value)
    if m <= 0:
        raise r.wrong("multipleOf", "greater than 0", value)
    r.facts.multiples = (m,)


def _min_length(r: Reading, value: Json) -> None:
    r.facts.min_length = r.count("minLength", value)


def _max_length(r: Reading, value: Json) -> None:
    r.facts.max_length = r.most("maxLength", value)


def _pattern(r: Reading, value: Json) -> None:
    pattern = r.text("pattern", value)
    try:
        _parsed(pattern)
    except Unsupported as e:
        r.refuse(STRING, "pattern", e.message.strip())
    except InvalidSource as e:
        raise InvalidSource(e.message, where=r.node.pointer("pattern"), hint=e.hint) from None
    else:
        r.facts.strings += (StringFact("pattern", pattern),)


@lru_cache(4096)
def _parsed(pattern: str) -> None:
    """Read a pattern for its errors only: they are known here with their place, and the automaton is built if it is needed."""
    parse(pattern, "ecma")


def _format(r: Reading, value: Json) -> None:
    name = r.text("format", value)
    if r.enforced(name):
        r.facts.strings += (StringFact("format", name),)


def _items(r: Reading, value: Json) -> None:
    if isinstance(value, list):
        if not r.dialect.tuple_items:
            raise r.wrong("items", "a schema in 2020-12", value)
        r.facts.prefix = tuple(r.child(sub, "items", i) for i, sub in enumerate(value))
        if "additionalItems" in r.schema:
            r.facts.rest = r.child(r.schema["additionalItems"], "additionalItems")
    else:
        r.facts.rest = r.child(value, "items")


def _prefix_items(r: Reading, value: Json) -> None:
    r.facts.prefix = tuple(r.schemas("prefixItems", value))


def _min_items(r: Reading, value: Json) -> None:
    r.facts.min_items = r.count("minItems", value)


def _max_items(r: Reading, value: Json) -> None:
    r.facts.max_items = r.most("maxItems", value)


def _unique_items(r: Reading, value: Json) -> None:
    if not isinstance(value, bool):
        raise r.wrong("uniqueItems", "a boolean", value)
    if value:
        r.facts.unique = r.node.pointer("uniqueItems")


def _contains(r: Reading, value: Json) -> None:
    least, most = 1, None
    if "minContains" in r.dialect.keywords:
        if "minContains" in r.schema:
            least = r.count("minContains", r.schema["minContains"])
        if "maxContains" in r.schema:
            most = r.most("maxContains", r.schema["maxContains"])
    if least > 0 or most is not None:
        r.facts.contains = (Contains(r.child(value, "contains"), least, most),)


def _properties(r: Reading, value: Json) -> None:
    if not isinstance(value, dict):
        raise r.wrong("properties", "an object of schemas", value)
    r.facts.props = {name: r.child(sub, "properties", name) for name, sub in value.items()}
    r.place = len(r.parts)


def _pattern_properties(r: Reading, value: Json) -> None:
    if not isinstance(value, dict):
        raise r.wrong("patternProperties", "an object of schemas", value)
    for pattern in value:
        try:
            _parsed(pattern)
        except (InvalidSource, Unsupported) as e:  # which keys it is about is unknown, so it cannot be left out either
            raise type(e)(e.message, where=r.node.pointer("patternProperties", pattern), hint=e.hint) from None
    r.facts.patterns = tuple((p, r.child(sub, "patternProperties", p)) for p, sub in value.items())


def _additional_properties(r: Reading, value: Json) -> None:
    r.facts.additional = r.child(value, "additionalProperties")


def _required(r: Reading, value: Json) -> None:
    r.facts.required = r.names("required", value)


def _min_properties(r: Reading, value: Json) -> None:
    r.facts.min_props = r.count("minProperties", value)


def _max_properties(r: Reading, value: Json) -> None:
    r.facts.max_props = r.most("maxProperties", value)


def _property_names(r: Reading, value: Json) -> None:
    r.facts.names = r.child(value, "propertyNames")


def _dependencies(r: Reading, value: Json) -> None:
    if not isinstance(value, dict):
        raise r.wrong("dependencies", "an object", value)
    for name, need in value.items():
        if isinstance(need, list):
            _needs(r, "dependencies", name, need)
        elif isinstance(need, str):  # the form of draft 3, still met in the wild
            _needs(r, "dependencies", name, [need])
        else:
            r.part("dependent", [r.child(need, "dependencies", name)], "dependencies", name)


def _dependent_required(r: Reading, value: Json) -> None:
    if not isinstance(value, dict):
        raise r.wrong("dependentRequired", "an object", value)
    for name, need in value.items():
        _needs(r, "dependentRequired", name, need)


def _needs(r: Reading, keyword: str, name: str, need: Json) -> None:
    names = [n for n in r.names(keyword, need) if n != name]
    if names:
        r.part("dependent", [r.child({"required": list(names)}, keyword, name)], keyword, name)


def _dependent_schemas(r: Reading, value: Json) -> None:
    if not isinstance(value, dict):
        raise r.wrong("dependentSchemas", "an object of schemas", value)
    for name, sub in value.items():
        r.part("dependent", [r.child(sub, "dependentSchemas", name)], "dependentSchemas", name)


def _all_of(r: Reading, value: Json) -> None:
    r.part("all", r.schemas("allOf", value), "allOf")


def _any_of(r: Reading, value: Json) -> None:
    r.part("any", r.schemas("anyOf", value), "anyOf")


def _one_of(r: Reading, value: Json) -> None:
    branches = r.schemas("oneOf", value)
    r.part("one" if len(branches) > 1 else "all", branches, "oneOf")


def _not(r: Reading, value: Json) -> None:
    r.part("not", [r.child(value, "not")], "not")


def _if(r: Reading, value: Json) -> None:
    branches = [r.child(value, "if")]
    branches += [r.child(r.schema[k], k) if k in r.schema else ALWAYS for k in ("then", "else")]
    if branches[1:] != [ALWAYS, ALWAYS]:
        r.part("if", branches, "if")
    elif "unevaluatedItems" in r.dialect.keywords:
        r.part("maybe", branches[:1], "if")


def _ref(r: Reading, value: Json) -> None:
    r.part("all", [2 * r.documents.resolve(r.node, r.text("$ref", value)).index], "$ref")


def _dynamic_ref(r: Reading, value: Json) -> None:
    ref = r.text("$dynamicRef", value)
    r.part("all", [2 * r.documents.resolve_dynamic(r.node, ref).index], "$dynamicRef")


def _recursive_ref(r: Reading, value: Json) -> None:
    ref = r.text("$recursiveRef", value)
    if ref != "#":
        raise r.wrong("$recursiveRef", "'#'", value)
    r.part("all", [2 * r.documents.resolve_recursive(r.node).index], "$recursiveRef")


_IN_PLACE: Final = frozenset(
    "allOf anyOf oneOf not if then else $ref $dynamicRef $recursiveRef dependentSchemas dependencies".split()
)


def _unevaluated_properties(r: Reading, value: Json) -> None:
    if r.child(value, "unevaluatedProperties") == ALWAYS or "additionalProperties" in r.schema:
        return
    if _IN_PLACE & r.schema.keys():
        r.part("unevaluated", [r.child(value, "unevaluatedProperties")], "unevaluatedProperties")
    else:
        r.facts.additional = r.child(value, "unevaluatedProperties")


def _unevaluated_items(r: Reading, value: Json) -> None:
    rest = r.child(value, "unevaluatedItems")
    if rest == ALWAYS or _evaluates_all(r.schema):
        return
    if _IN_PLACE & r.schema.keys() or ("contains" in r.schema and _contains_evaluates(r.dialect)):
        r.part("unevaluated items", [rest], "unevaluatedItems")
    else:
        r.facts.rest = rest


def _evaluates_all(schema: dict[str, Json]) -> bool:
    """Tell whether ``items`` and ``additionalItems`` speak about every item."""
    items = schema.get("items")
    return isinstance(items, dict | bool) or (isinstance(items, list) and "additionalItems" in schema)


def _contains_evaluates(dialect: Dialect) -> bool:
    return "prefixItems" in dialect.keywords


def _evaluated(r: Reading) -> None:
    """Note which items the keywords beside each other speak about."""
    if _evaluates_all(r.schema) or (
        "unevaluatedItems" in r.schema and not any(p.kind == "unevaluated items" for p in r.parts)
    ):
        r.facts.evaluated = None
    elif r.facts.prefix:
        r.facts.evaluated = len(r.facts.prefix)
    if "contains" in r.schema and _contains_evaluates(r.dialect):
        r.facts.matched = (r.child(r.schema["contains"], "contains"),)


_READERS: Final[dict[str, Callable[[Reading, Json], None]]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "minimum": _minimum,
    "maximum": _maximum,
    "exclusiveMinimum": _exclusive_minimum,
    "exclusiveMaximum": _exclusive_maximum,
    "multipleOf": _multiple_of,
    "minLength": _min_length,
    "maxLength": _max_length,
    "pattern": _pattern,
    "format": _format,
    "items": _items,
    "prefixItems": _prefix_items,
    "minItems": _min_items,
    "maxItems": _max_items,
    "uniqueItems": _unique_items,
    "contains": _contains,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "required": _required,
    "minProperties": _min_properties,
    "maxProperties": _max_properties,
    "propertyNames": _property_names,
    "dependencies": _dependencies,
    "dependentRequired": _dependent_required,
    "dependentSchemas": _dependent_schemas,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
    "$ref": _ref,
    "$dynamicRef": _dynamic_ref,
    "$recursiveRef": _recursive_ref,
    "unevaluatedProperties": _unevaluated_properties,
    "unevaluatedItems": _unevaluated_items,
}
_SPEAK_OF_ITEMS: Final = frozenset(("items", "prefixItems", "contains", "unevaluatedItems"))


@cache
def _table(keywords: frozenset[str]) -> dict[str, Callable[[Reading, Json], None]]:
    """Return the readers of a dialect's keywords."""
    return {k: f for k, f in _READERS.items() if k in keywords}


_NOTHING: Final = Facts()
_FALSE_FACTS: Final = only(0)


def read(documents: Documents, node: Node, enforced: Callable[[str], bool]) -> tuple[Facts, list[Part], int]:
    """Read a node.

    Returns its facts, its parts, and the place of the facts among the parts (where ``properties`` stands, since the
    order of the text is the order of members).  Raises ``InvalidSource`` for a keyword of the wrong form.
    """
    schema = node.schema
    if not isinstance(schema, dict):
        if not isinstance(schema, bool):
            raise InvalidSource(f"a schema is an object or a boolean, not {kind_of(schema)}", where=node.pointer())
        return (_NOTHING if schema else _FALSE_FACTS), [], 0
    dialect = node.resource.dialect
    if dialect.left_out:  # keywords look at each other, so those that mean nothing must not be there
        schema = {k: v for k, v in schema.items() if k not in dialect.left_out}
    reading = Reading(documents, node, schema, enforced)
    if dialect.ref_hides_siblings and "$ref" in schema:
        _ref(reading, schema["$ref"])
        return reading.facts, reading.parts, 0
    table = _table(dialect.keywords)
    for keyword, value in schema.items():
        reader = table.get(keyword)
        if reader is not None:
            reader(reading, value)
    if "unevaluatedItems" in table and not _SPEAK_OF_ITEMS.isdisjoint(schema):
        _evaluated(reading)
    return reading.facts, reading.parts, reading.place
