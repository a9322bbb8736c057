"""Schemas that try to cost too much: each compiles, or hits a limit that is named, and none goes on past the deadline."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ir_oracle import Oracle

from syntagma.grammar.errors import InvalidSource, LimitExceeded, Unsatisfiable
from syntagma.grammar.jsonschema.source import JsonSchema, SchemaLimits, compile_schema

MILLION = 1_000_000
STRING = {"type": "string"}


def nested(levels: int, keyword: str) -> Any:
    """A schema in a schema in a schema."""
    schema: Any = {"type": "null"}
    for _ in range(levels):
        schema = {keyword: [schema] if keyword == "allOf" else schema}
    return schema


def chain(length: int, link: Any) -> Any:
    """Definitions each of which says something about the next."""
    definitions = {f"a{i}": link({"$ref": f"#/$defs/a{i + 1}"}) for i in range(length)}
    return {"$ref": "#/$defs/a0", "$defs": {**definitions, f"a{length}": {"type": "null"}}}


HOSTILE: dict[str, tuple[Any, str | None]] = {
    "deep items": (nested(5000, "items"), "recursion"),
    "deep allOf": (nested(5000, "allOf"), "recursion"),
    "deep not": (nested(5000, "not"), "recursion"),
    "deep text": ('{"items":' * 50_000 + "{}" + "}" * 50_000, "recursion"),
    "a long chain of references": (chain(2000, lambda r: r), "recursion"),
    "allOf that doubles": (chain(40, lambda r: {"allOf": [r, r]}), None),
    "items that double": (chain(40, lambda r: {"items": r, "contains": r}), None),
    "anyOf that doubles": (chain(20, lambda r: {"anyOf": [{**r, "minimum": 1}, {**r, "maxLength": 1}]}), "alternatives"),
    "100,000 strings": ({"enum": [f"value-{i}" for i in range(100_000)]}, None),
    "100,000 numbers": ({"enum": list(range(100_000))}, None),
    "100,000 strings and a pattern": ({"enum": [f"v{i}" for i in range(100_000)], "pattern": "7$"}, None),
    "not 100,000 strings": ({**STRING, "not": {"enum": [f"v{i}" for i in range(100_000)]}}, None),
    "not 30,000 numbers": ({"type": "integer", "not": {"enum": list(range(0, 60_000, 2))}}, "deadline"),
    "an exponential pattern": ({"pattern": "^(a|b)*a(a|b){30}$"}, "max_dfa_states"),
    "an exponential pattern of keys": ({"patternProperties": {"^(a|b)*a(a|b){30}$": {}, "x": {"type": "null"}}}, "max_dfa_states"),
    "nested stars": ({"pattern": "^((a+)+)+$"}, None),
    "a pattern with 10^6 repetitions": ({"pattern": "^a{1000000}$"}, "max_dfa_states"),
    "repetitions in repetitions": ({"pattern": "^(([a-z]{1,500}x){1,500}){1,500}$"}, "max_dfa_states"),
    "maxLength 10^6": ({**STRING, "maxLength": MILLION}, None),
    "minLength 10^6 beside a pattern": ({**STRING, "pattern": "a.*b", "minLength": MILLION}, None),
    "minItems 10^6": ({"type": "array", "minItems": MILLION}, None),
    "maximum 10^6": ({"type": "number", "maximum": MILLION, "multipleOf": 0.01}, None),
    "minProperties 10^6": ({"type": "object", "minProperties": MILLION}, "counted_members"),
    "maxProperties 10^6": ({"type": "object", "maxProperties": MILLION}, "counted_members"),
    "minContains 10^6": ({"type": "array", "contains": {"type": "null"}, "minContains": MILLION}, "counted_items"),
    "different strings, 10^6 of them": ({"type": "array", "uniqueItems": True, "items": STRING, "minItems": MILLION}, None),
    "minLength 10^30": ({**STRING, "minLength": 10**30}, "count"),
    "minLength 1e30": ('{"minLength": 1e30}', "count"),
    "maxLength 1e30": ('{"maxLength": 1e30}', None),
    "maxItems 2^63": ({"type": "array", "maxItems": 2**63 - 1}, None),
    "a bound with 5,000 digits": ({"type": "number", "maximum": 10**5000}, "max_bound_digits"),
    "100 patterns that overlap": ({"patternProperties": {f"a.*{i}": {"minimum": i} for i in range(100)}}, "key_classes"),
    "unevaluated beside 12 branches": (
        {"anyOf": [{"properties": {f"a{i}": {}}} for i in range(12)], "unevaluatedProperties": False}, "alternatives",
    ),
    "20,000 first items": ({"prefixItems": [{"type": "null"}] * 20_000}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_schema_compiles_or_hits_a_limit_with_a_name(name: str) -> None:
    """No other limit is met than the one expected; the error says which option helps."""
    schema, limit = HOSTILE[name]
    limits = SchemaLimits(deadline=0.1 if limit == "deadline" else SchemaLimits().deadline)
    if limit is None:
        compile_schema(JsonSchema(schema, limits=limits))
    else:
        with pytest.raises(LimitExceeded) as caught:
            compile_schema(JsonSchema(schema, limits=limits))
        assert caught.value.limit == limit
        assert caught.value.hint
        if hasattr(SchemaLimits(), limit):
            assert f"SchemaLimits.{limit}" in str(caught.value)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"not": {"$ref": "#"}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}, True]}}},
    ],
)
def test_references_that_go_round_are_an_error(schema: Any) -> None:
    """A schema that refers to itself before it reads anything has no meaning, and the error says where."""
    with pytest.raises(InvalidSource, match="refers to itself") as caught:
        compile_schema(JsonSchema(schema))
    assert caught.value.where


def test_upper_bounds_that_no_text_reaches_are_none() -> None:
    """Bounds beyond the counters, as generators of schemas write them, are met by every text, so their negation by none."""
    grammar, report = compile_schema(JsonSchema({"type": "string", "maxLength": 2**63 - 1}))
    assert Oracle(grammar).accepts(json.dumps("x" * 100).encode())
    assert report.complete
    with pytest.raises(Unsatisfiable):
        compile_schema(JsonSchema({"not": {"maxItems": 2**63 - 1}}))
