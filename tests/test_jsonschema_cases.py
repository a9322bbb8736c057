"""Every keyword by hand: which values a schema's texts may hold, and which not."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from ir_oracle import Oracle

from syntagma.grammar.errors import InvalidSource, LimitExceeded, Unsatisfiable, Unsupported
from syntagma.grammar.jsonschema.dialect import detect
from syntagma.grammar.jsonschema.source import JsonSchema, SchemaLimits, compile_schema

SPELLINGS: tuple[dict[str, Any], ...] = ({"separators": (",", ":")}, {}, {"indent": 2}, {"indent": 8})
DRAFT4 = "http://json-schema.org/draft-04/schema#"
DRAFT7 = "http://json-schema.org/draft-07/schema#"

A_AND_B = {"a": {"type": "integer"}, "b": {"type": "string", "maxLength": 2}}
EMPTY: dict[str, Any] = {"a": {}, "b": {}, "x": {}}
NODE = {
    "type": "object",
    "properties": {"next": {"$ref": "#/$defs/n"}, "v": {"type": "integer"}},
    "required": ["v"],
    "additionalProperties": False,
}

CASES: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "true": (True, [1, None, {"a": [1, {"b": {}}]}, [], {}, "é\n", [{}], -1.5], []),
    "empty schema": ({}, ["", 0, [[]]], []),
    "type": ({"type": ["integer", "null"]}, [1, None, -7], [1.5, "1", True, [], {}]),
    "boolean": ({"type": "boolean"}, [True, False], [0, "true", None]),
    "const": ({"const": {"x": [1, {}], "y": "z"}}, [{"x": [1, {}], "y": "z"}], [{"x": [1, {}]}, {}, 1]),
    "enum": ({"enum": ["a", 1, 1.5, None, {"x": []}, []]}, ["a", 1, 1.5, None, {"x": []}, []], ["b", 2, True, {}]),
    "enum beside type": ({"enum": ["a", 1, True], "type": "integer"}, [1], ["a", True]),
    "enum beside a pattern": ({"enum": ["ax", "bx", 3], "pattern": "^a"}, ["ax", 3], ["bx"]),
    "const and enum": ({"enum": [1, 2], "const": 2}, [2], [1]),
    "properties": (
        {"type": "object", "properties": A_AND_B, "required": ["a"]},
        [{"a": 1}, {"a": 1, "b": "é"}, {"a": 1, "c": None}, {"a": 1, "b": "", "c": 2, "d": []}],
        [{}, {"a": "x"}, {"a": 1, "b": "xxx"}, {"b": "x"}, 1, {"a": 1, "c": 0, "b": 1}],
    ),
    "untyped properties": ({"properties": A_AND_B}, [{}, {"a": 1}, 1, [], "s"], [{"a": "x"}]),
    "closed object": (
        {"properties": A_AND_B, "additionalProperties": False, "type": "object"},
        [{"a": 1}, {"b": ""}, {}, {"a": 1, "b": "é"}],
        [{"c": 1}, {"a": 1, "c": 1}],
    ),
    "additionalProperties": (
        {"properties": {"a": {}}, "additionalProperties": {"type": "null"}},
        [{"a": 1}, {"b": None}, {"a": 1, "b": None, "c": None}],
        [{"b": 1}, {"a": 1, "b": 2}],
    ),
    "required only": ({"required": ["q"]}, [{"q": 1}, {"q": 1, "r": 2}, 3], [{}, {"r": 1}]),
    "forbidden property": ({"properties": {"a": False}}, [{}, {"b": 1}], [{"a": 1}, {"b": 1, "a": 1}]),
    "patternProperties": (
        {
            "patternProperties": {"^x": {"type": "integer"}, "y$": {"type": "number"}},
            "additionalProperties": {"type": "string"},
        },
        [{"x": 1, "y": 1.5, "z": "s"}, {"xy": 1}],
        [{"x": 1.5}, {"xy": 1.5}, {"z": 1}, {"y": "s"}],
    ),
    "patternProperties over properties": (
        {"properties": {"xa": {"minimum": 3}}, "patternProperties": {"^x": {"type": "integer"}}},
        [{"xa": 3}, {"xb": 1}, {"q": "s"}],
        [{"xa": 2}, {"xa": "s"}, {"xb": "s"}],
    ),
    "finite patternProperties": (
        {"patternProperties": {"^(k|l)$": {"type": "null"}}, "additionalProperties": False},
        [{}, {"k": None}, {"k": None, "l": None}],
        [{"m": None}, {"k": 1}],
    ),
    "propertyNames": ({"propertyNames": {"pattern": "^a"}}, [{"a": 1}, {}, {"ab": 1}], [{"b": 1}, {"a": 1, "b": 1}]),
    "propertyNames of properties": (
        {"propertyNames": {"maxLength": 1}, "properties": {"a": {}, "bb": {}}},
        [{"a": 1}, {"c": 1}],
        [{"bb": 1}, {"cc": 1}],
    ),
    "minProperties": (
        {"type": "object", "minProperties": 2, "properties": EMPTY},
        [{"a": 1, "b": 1}, {"a": 1, "c": 1}, {"c": 1, "d": 2, "e": 3}],
        [{}, {"a": 1}, {"z": 1}],
    ),
    "maxProperties": (
        {"type": "object", "maxProperties": 2, "properties": EMPTY, "required": ["b"]},
        [{"a": 1, "b": 1}, {"b": 1, "c": 1}, {"b": 1}],
        [{}, {"a": 1}, {"a": 1, "b": 1, "c": 1}, {"b": 1, "c": 1, "d": 1}],
    ),
    "minProperties of a closed object": (
        {"type": "object", "minProperties": 2, "additionalProperties": False, "properties": EMPTY},
        [{"a": 1, "b": 1}, {"a": 1, "x": 1}, {"a": 1, "b": 1, "x": 1}],
        [{}, {"a": 1}, {"x": 1}],
    ),
    "maxProperties 0": ({"maxProperties": 0}, [{}, 1], [{"a": 1}]),
    "items": (
        {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3},
        [[True, False], [True] * 3],
        [[], [True], [True] * 4, [1, 2]],
    ),
    "one item at most": ({"items": {"type": "null"}, "maxItems": 1}, [[], [None]], [[None, None], [1]]),
    "no items": ({"maxItems": 0}, [[], 1], [[1]]),
    "items false": ({"items": False}, [[], 1], [[1]]),
    "prefixItems": (
        {
            "prefixItems": [{"type": "boolean"}, {"type": "null"}],
            "items": {"type": "string"},
            "minItems": 1,
            "maxItems": 4,
        },
        [[True], [True, None], [True, None, ""], [True, None, "", ""], "x", 1],
        [[], [1], [True, 1], [True, None, 1], [True, None, "", "", ""]],
    ),
    "prefixItems closed": ({"prefixItems": [{"type": "boolean"}], "items": False}, [[], [True]], [[True, 1], [1]]),
    "prefix beyond maxItems": ({"prefixItems": [{}, {}, {}], "maxItems": 1}, [[], [1]], [[1, 2]]),
    "impossible item ends a prefix": ({"prefixItems": [{}, False, {}]}, [[], [1]], [[1, 2], [1, 2, 3]]),
    "array items of draft 7": (
        {"$schema": DRAFT7, "items": [{"type": "null"}], "additionalItems": {"type": "boolean"}},
        [[], [None], [None, True, False]],
        [[1], [None, 1]],
    ),
    "contains": ({"contains": {"const": 1}}, [[1], [2, 1], [1, 2], [2, 1, 3, 1], 5], [[], [2], [2, 3]]),
    "contains beside items": (
        {"items": {"type": "integer"}, "contains": {"minimum": 5}, "minItems": 3},
        [[5, 1, 1], [1, 1, 7, 1]],
        [[5], [1, 2, 3], [5, "a", 1]],
    ),
    "uniqueItems false": ({"uniqueItems": False}, [[1, 1]], []),
    "uniqueItems of one": ({"uniqueItems": True, "maxItems": 1}, [[], [1]], [[1, 2]]),
    "pattern searches": ({"pattern": "a+b"}, ["ab", "xaabx", 1], ["a", "ba"]),
    "pattern with length": (
        {"type": "string", "pattern": "^a+b", "minLength": 3, "maxLength": 4},
        ["aab", "abb", "aabb"],
        ["ab", "aabbb", "bbb"],
    ),
    "pattern with gaps in its lengths": (
        {"type": "string", "pattern": "^(ab)+$", "minLength": 3},
        ["abab"],
        ["ab", "aba"],
    ),
    "lengths count characters": ({"minLength": 2, "maxLength": 2}, ["ab", "é😀", '\n"'], ["a", "abc", "😀"]),
    "minimum and maximum": ({"type": "integer", "minimum": -2, "maximum": 10}, [-2, 0, 10], [-3, 11, 1.5]),
    "exclusive bounds": (
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1.5},
        [0.1, 1, 1.4999],
        [0, 1.5, 2, -1],
    ),
    "exclusive bounds of draft 4": (
        {"$schema": DRAFT4, "minimum": 3, "exclusiveMinimum": True, "maximum": 5, "exclusiveMaximum": False},
        [3.5, 5, "x"],
        [3, 5.5],
    ),
    "multipleOf": ({"multipleOf": 0.01, "type": "number"}, [1, 0.25, 19.99], [0.001, 1.255]),
    "two multiples": ({"type": "integer", "multipleOf": 4, "allOf": [{"multipleOf": 6}]}, [0, 12, 24], [4, 6, 8]),
    "format": ({"type": "string", "format": "date"}, ["2024-02-29"], ["2023-02-29", "x"]),
    "unknown format": ({"type": "string", "format": "no-such"}, ["x"], []),
    "allOf": (
        {
            "allOf": [
                {"properties": {"a": {"type": "integer"}}},
                {"properties": {"a": {"minimum": 3}}, "required": ["a"]},
            ]
        },
        [{"a": 3}],
        [{"a": 2}, {"a": "x"}, {}],
    ),
    "anyOf": ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, ["x", 5, None], [4]),
    "anyOf beside properties": (
        {"properties": EMPTY, "type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        [{"a": 1}, {"b": 1}, {"a": 1, "b": 1}],
        [{}, {"x": 1}],
    ),
    "oneOf of types": ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, ["x", 1], [None, 1.5]),
    "oneOf with a discriminator": (
        {
            "oneOf": [
                {"properties": {"k": {"const": "a"}, "x": {"type": "integer"}}, "required": ["k", "x"]},
                {"properties": {"k": {"const": "b"}, "x": {"type": "string"}}, "required": ["k", "x"]},
            ],
            "type": "object",
        },
        [{"k": "a", "x": 1}, {"k": "b", "x": "s"}],
        [{"k": "a", "x": "s"}, {"k": "c", "x": 1}, {"x": 1}],
    ),
    "oneOf that is required outside": (
        {
            "type": "object",
            "required": ["k"],
            "oneOf": [{"properties": {"k": {"enum": [1, 2]}}}, {"properties": {"k": {"enum": [3]}}}],
        },
        [{"k": 1}, {"k": 3}],
        [{"k": 4}, {}],
    ),
    "oneOf: exactly one required": (
        {"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "properties": EMPTY, "type": "object"},
        [{"a": 1}, {"b": 1}, {"b": 1, "c": 1}],
        [{}, {"a": 1, "b": 1}],
    ),
    "oneOf that overlaps": ({"oneOf": [{"minimum": 2}, {"maximum": 5}]}, [1, 6], [2, 3, 5, "x"]),
    "oneOf untyped and closed": (
        {
            "oneOf": [
                {"properties": {"p": {"enum": ["m"]}}, "required": ["p"], "additionalProperties": False},
                {"properties": {"p": {"enum": ["v"]}, "s": {}}, "required": ["p", "s"], "additionalProperties": False},
            ]
        },
        [{"p": "m"}, {"p": "v", "s": 1}],
        [{"p": "v"}, 1, "x", {}],
    ),
    "oneOf of the same twice": (
        {"oneOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}, {"type": "null"}], "$defs": {"a": {"type": "string"}}},
        [None],
        ["x"],
    ),
    "not a type": ({"not": {"type": "string"}}, [1, None, {}], ["a"]),
    "not an enum": (
        {"not": {"enum": ["a", 1, None]}, "type": ["string", "number", "null"]},
        ["b", 2, "", 1.5],
        ["a", 1, None],
    ),
    "not required": ({"not": {"required": ["a"]}, "type": "object"}, [{}, {"b": 1}], [{"a": 1}, {"b": 1, "a": 1}, 1]),
    "not a pattern": ({"type": "string", "not": {"pattern": "^x"}}, ["", "ax"], ["x", "xy"]),
    "not not": ({"not": {"not": {"type": "null"}}}, [None], [1]),
    "not a length": ({"type": "string", "not": {"minLength": 2, "maxLength": 3}}, ["", "a", "abcd"], ["ab", "abc"]),
    "not a range": ({"type": "integer", "not": {"minimum": 2, "maximum": 3}}, [1, 4], [2, 3]),
    "not items": ({"type": "array", "not": {"items": {"type": "null"}}}, [[1], [None, 1]], [[], [None]]),
    "not a property": (
        {"type": "object", "not": {"properties": {"a": {"type": "null"}}}},
        [{"a": 1}],
        [{}, {"a": None}],
    ),
    "if then else": (
        {
            "if": {"properties": {"k": {"const": "a"}}, "required": ["k"]},
            "then": {"required": ["x"]},
            "else": {"required": ["b"]},
            "properties": {"k": {}, "b": {}, "x": {}},
        },
        [{"k": "a", "x": 1}, {"k": "b", "b": 1}, {"b": 1}, 3],
        [{"k": "a"}, {"k": "b", "x": 1}, {}],
    ),
    "dependencies": (
        {"$schema": DRAFT7, "dependencies": {"a": ["b"], "b": {"required": ["x"]}}, "properties": EMPTY},
        [{}, {"a": 1, "b": 2, "x": 3}, {"c": 1}, {"b": 1, "x": 1}],
        [{"a": 1}, {"a": 1, "b": 1}, {"b": 1}],
    ),
    "dependentRequired": (
        {"dependentRequired": {"a": ["b"]}, "properties": EMPTY},
        [{}, {"b": 1}, {"a": 1, "b": 2}],
        [{"a": 1}],
    ),
    "recursion": (
        {"$ref": "#/$defs/n", "$defs": {"n": NODE}},
        [{"v": 1}, {"next": {"v": 2}, "v": 1}],
        [{"next": {}, "v": 1}, {}],
    ),
    "recursion through the branches of oneOf": (
        {
            "oneOf": [
                {
                    "type": "object",
                    "required": ["not"],
                    "properties": {"not": {"$ref": "#"}},
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "required": ["is"],
                    "properties": {"is": {"type": "null"}},
                    "additionalProperties": False,
                },
                {"type": "array", "minItems": 1, "items": {"$ref": "#"}},
            ]
        },
        [{"is": None}, {"not": {"is": None}}, [{"not": [{"is": None}]}]],
        [{}, [], {"not": None}, {"not": {"is": None}, "is": None}, [{"not": []}]],
    ),
    "recursion with siblings": (
        {"$ref": "#/$defs/n", "required": ["next"], "$defs": {"n": NODE}},
        [{"next": {"v": 2}, "v": 1}],
        [{"v": 1}],
    ),
    "siblings of $ref are hidden in draft 7": (
        {
            "$schema": DRAFT7,
            "properties": {"a": {"$ref": "#/definitions/s", "maxLength": 1}},
            "definitions": {"s": {"type": "string"}},
        },
        [{"a": "long"}],
        [{"a": 1}],
    ),
    "anchors and ids": (
        {
            "$id": "http://x.test/root",
            "$ref": "other#here",
            "$defs": {"o": {"$id": "other", "$defs": {"h": {"$anchor": "here", "type": "null"}}}},
        },
        [None],
        [1],
    ),
    "pointers with escapes": ({"$ref": "#/$defs/a~1b%25~0", "$defs": {"a/b%~": {"type": "null"}}}, [None], [1]),
    "unevaluatedProperties alone": ({"properties": {"a": {}}, "unevaluatedProperties": False}, [{"a": 1}], [{"b": 1}]),
}


def build(schema: Any, **options: Any) -> Oracle:
    return Oracle(compile_schema(JsonSchema(schema, **options))[0])


def utf8(value: Any, **spelling: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, **spelling).encode()


@pytest.mark.parametrize("name", CASES)
def test_a_schema_admits_exactly_its_values(name: str) -> None:
    """Valid values are accepted as ``json.dumps`` spells them in any usual way, invalid ones in none."""
    schema, valid, invalid = CASES[name]
    oracle = build(schema)
    for value in valid:
        for spelling in SPELLINGS:
            assert oracle.accepts(utf8(value, **spelling)), (value, spelling)
    for value in invalid:
        for spelling in SPELLINGS:
            assert not oracle.accepts(utf8(value, **spelling)), (value, spelling)


@pytest.mark.parametrize("name", CASES)
def test_every_rule_is_productive_and_no_rule_is_nullable(name: str) -> None:
    """A rule that can never end would be a dead end, and one that reads nothing would break the machine."""
    grammar, _ = compile_schema(JsonSchema(CASES[name][0]))
    for rule in grammar.rules:
        assert rule.body is not None
        assert rule.body.accepting or rule.body.accepting_if_no_need
        assert 0 not in rule.body.accepting


def test_white_space_is_bounded_by_default() -> None:
    """One space or a newline with at most 40 blanks where ``json.dumps`` puts them, and nothing anywhere else."""
    oracle = build({"type": "array", "items": {"type": "integer"}})
    for text in (b"[]", b"[ ]", b"[1, 2]", b"[\n" + b" " * 40 + b"1\n]", b"[1,\n\t\t2 ]"):
        assert oracle.accepts(text), text
    for text in (b" []", b"[] ", b"[  ]", b"[1 ,2]", b"[\n" + b" " * 41 + b"1]", b"[1,  2]", b"[\r\n1]"):
        assert not oracle.accepts(text), text


def test_other_white_space_policies() -> None:
    """``compact`` allows none and ``any`` allows any, around the text too."""
    schema = {"type": "object", "properties": {"a": {"type": "array", "minItems": 2}}}
    compact, loose = build(schema, whitespace="compact"), build(schema, whitespace="any")
    assert compact.accepts(b'{"a":[1,2]}')
    assert not compact.accepts(b'{"a": [1,2]}')
    assert loose.accepts(b' \r\n{ "a"\t:\n\n [ 1 , 2 ] , "b" : { } } ')
    assert not loose.accepts(b' { "a" : [ 1 ] } ')


def test_white_space_is_no_dead_end() -> None:
    """A space after an item is allowed only where something can follow it."""
    oracle = build({"type": "array", "items": {"type": "null"}, "minItems": 2, "maxItems": 2})
    assert not oracle.run(b"[null ")
    assert not oracle.run(b"[null, null,")
    assert oracle.run(b"[null, null ")


def test_keys_are_never_repeated() -> None:
    """Neither a free key nor a declared one can come twice, and a declared one not as a free key."""
    oracle = build({"properties": {"a": {"type": "integer"}}})
    assert oracle.accepts(b'{"a":1,"b":1,"c":1}')
    for text in (
        b'{"b":1,"b":2}',
        b'{"b":1,"a":2,"b":3}',
        b'{"b":1,"a":2,"a":3}',
        b'{"a":1,"a":2}',
        b'{"a":1,"b":{"x":1,"x":1}}',
    ):
        assert not oracle.accepts(text), text
    assert oracle.accepts(b'{"a":1,"ab":{"b":1},"b":2}')


def test_escapes_are_decoded_before_they_are_compared() -> None:
    """With every escape allowed, an escaped spelling is the same key and the same character."""
    oracle = build({"properties": {"a": {"type": "integer"}}, "additionalProperties": {"type": "null"}}, escapes="all")
    assert oracle.accepts(rb'{"\u0061":1}')
    assert not oracle.accepts(rb'{"\u0061":null}')
    assert oracle.accepts(rb'{"\u0062":null}')
    assert not build({"properties": {"a": {"type": "integer"}}}).accepts(rb'{"\u0061":1}')


def test_whole_numbers_with_zeros_have_one_point() -> None:
    """With every spelling allowed, zeros may stand behind a whole number and its point, and no second point behind them."""
    for schema in ({"type": "integer"}, {"type": "integer", "multipleOf": 5, "minimum": 0}, {"const": 10}):
        oracle = build(schema, escapes="all")
        for text in (b"10", b"10.0", b"10.00"):
            assert oracle.accepts(text)
        for text in (b"10.", b"10.0.0", b"10.00.000"):
            assert not oracle.accepts(text)


def test_numbers_of_the_schema_are_exact_decimals() -> None:
    """A bound that no float can hold is kept, from text and from ``Decimal``."""
    for schema in (
        '{"type":"number","minimum":0.1000000000000000000000000001}',
        {"type": "number", "minimum": Decimal("0.1000000000000000000000000001")},
    ):
        oracle = build(schema)
        assert oracle.accepts(b"0.1000000000000000000000000001")
        assert not oracle.accepts(b"0.1")


LARGE = "^(?=.*a.{14}b).*c.{14}$"
"""A pattern that needs more states than there may be."""


@pytest.mark.parametrize(
    ("schema", "error", "where"),
    [
        ({"properties": {"a": {"type": "strin"}}}, InvalidSource, "#/properties/a/type"),
        ({"minLength": -1}, InvalidSource, "#/minLength"),
        ({"properties": {"a": {"required": True}}}, InvalidSource, "#/properties/a/required"),
        ({"pattern": "("}, InvalidSource, "#/pattern"),
        ({"patternProperties": {"(": {}}}, InvalidSource, "#/patternProperties/("),
        ({"pattern": r"(a+)\1"}, Unsupported, "#/pattern"),
        ({"patternProperties": {r"(a+)\1": {}}}, Unsupported, r"#/patternProperties/(a+)\1"),
        ({"$ref": "#/nowhere"}, InvalidSource, "#/$ref"),
        ({"$ref": "#"}, InvalidSource, "#"),
        ({"items": 3}, InvalidSource, "#/items"),
        (False, Unsatisfiable, "#"),
        ({"type": "string", "enum": [1]}, Unsatisfiable, "#"),
        (
            {"type": "object", "required": ["a"], "properties": {"a": {"minimum": 3, "maximum": 2, "type": "number"}}},
            Unsatisfiable,
            "#/properties/a",
        ),
        ({"type": "string", "pattern": "^(ab)+$", "minLength": 5, "maxLength": 5}, Unsatisfiable, "#"),
        (
            {
                "$ref": "#/$defs/n",
                "$defs": {"n": {"type": "object", "required": ["n"], "properties": {"n": {"$ref": "#/$defs/n"}}}},
            },
            Unsatisfiable,
            "#/$defs/n/properties/n",
        ),
        ({"properties": {"l": {"not": {"pattern": r"(a+)\1"}}}}, Unsupported, "#/properties/l/not/pattern"),
        ({"$ref": "http://elsewhere.test/x.json"}, Unsupported, "#/$ref"),
        ({"type": "string", "not": {"pattern": LARGE}}, LimitExceeded, "#/not/pattern"),
        ({"properties": {"l": {"type": "string", "oneOf": [{"maxLength": 4}, {"pattern": LARGE}]}}}, LimitExceeded, "#/properties/l/oneOf/1/pattern"),
        ({"type": "object", "not": {"patternProperties": {LARGE: {}, "a": False}}}, LimitExceeded, f"#/not/patternProperties/{LARGE}"),
        (
            {"properties": {"l": {"type": "array", "not": {"contains": {"type": "null"}, "maxContains": 40_000}}}},
            LimitExceeded,
            "#/properties/l",
        ),
    ],
)  # fmt: skip
def test_errors_say_where(schema: Any, error: type[Exception], where: str) -> None:
    """Every error has its class and the pointer of the culprit."""
    with pytest.raises(error) as caught:
        compile_schema(JsonSchema(schema))
    assert caught.value.where.split(" ")[0] == where  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"whitespace": "loose"}, InvalidSource),
        ({"property_order": "random"}, InvalidSource),
        ({"escapes": "none"}, InvalidSource),
        ({"dialect": "draft9"}, InvalidSource),
        ({"on_unsupported": "ignore"}, InvalidSource),
        ({"formats": "date"}, InvalidSource),
    ],
)
def test_options_are_checked_at_the_door(options: dict[str, Any], error: type[Exception]) -> None:
    """An option that does not exist is an error when the source is made."""
    with pytest.raises(error):
        JsonSchema({}, **options)


def test_limits_are_typed_errors() -> None:
    """Too many alternatives are a ``LimitExceeded`` that names the option."""
    schema = {"allOf": [{"anyOf": [{"required": [f"a{i}"]}, {"required": [f"b{i}"]}]} for i in range(10)]}
    with pytest.raises(LimitExceeded) as caught:
        compile_schema(JsonSchema(schema))
    assert caught.value.limit == "alternatives"
    compile_schema(JsonSchema({"allOf": schema["allOf"][:4]}, limits=SchemaLimits(alternatives=16)))
    deep: Any = {"type": "null"}
    for _ in range(5000):
        deep = {"type": "object", "required": ["a"], "properties": {"a": deep}}
    with pytest.raises(LimitExceeded):
        compile_schema(JsonSchema(deep))


def test_sources() -> None:
    """A schema may be a dict, a boolean, JSON text or a class with ``model_json_schema``."""

    class Model:
        @staticmethod
        def model_json_schema() -> dict[str, Any]:
            return {"type": "null"}

    for source in ({"type": "null"}, '{"type":"null"}', b'{"type":"null"}', Model):
        oracle = build(source)
        assert oracle.accepts(b"null")
        assert not oracle.accepts(b"1")
    for source in (3, "{", None, [{}], '{"minimum":NaN}'):
        with pytest.raises(InvalidSource):
            compile_schema(JsonSchema(source))


def test_registries() -> None:
    """Remote references are looked up in a mapping or in a ``referencing.Registry``, by the dialect of each document."""
    referencing = pytest.importorskip("referencing", reason="referencing is not installed")
    documents = {
        "http://x.test/a": {"$schema": DRAFT4, "$ref": "#/definitions/b", "definitions": {"b": {"type": "null"}}}
    }
    resources = [(u, referencing.Resource.from_contents(d)) for u, d in documents.items()]
    for registry in (documents, referencing.Registry().with_resources(resources)):
        oracle = build({"properties": {"a": {"$ref": "http://x.test/a"}}}, registry=registry)
        assert oracle.accepts(b'{"a": null}')
        assert not oracle.accepts(b'{"a": 1}')


def test_formats_can_be_added_and_switched_off() -> None:
    """A user's format is matched from end to end; ``False`` makes all formats annotations."""
    schema = {"type": "string", "format": "plate"}
    oracle = build(schema, formats={"plate": "[A-Z]{2}[0-9]+"})
    assert oracle.accepts(b'"AB12"')
    assert not oracle.accepts(b'"xAB12"')
    assert build({"type": "string", "format": "date"}, formats=False).accepts(b'"x"')


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ({"$schema": DRAFT4}, "draft4"),
        ({"minimum": 1, "exclusiveMinimum": True}, "draft4"),
        ({"id": "http://x.test/a", "properties": {}}, "draft4"),
        ({"items": [{}]}, "draft7"),
        ({"definitions": {}}, "draft7"),
        ({"$defs": {}, "prefixItems": [{}]}, "2020-12"),
        ({"properties": {"id": {"type": "string"}, "items": {"enum": [[1]]}}}, "2020-12"),
        ({}, "2020-12"),
    ],
)
def test_the_dialect_is_detected(schema: Any, name: str) -> None:
    """``$schema`` decides, else the forms that only an older draft has."""
    assert detect(schema)[0].name == name


def test_the_report_lists_every_keyword() -> None:
    """Each keyword that is reached has one entry; unknown ones carry a hint, refused ones make the report unsound."""
    _, report = compile_schema(
        JsonSchema(
            {
                "minlength": 3,
                "allOf": [{"pattern": r"(a+)\1"}],
                "format": "foo",
                "title": "t",
                "maxLength": 4,
                "properties": {"a": False},
            },
            on_unsupported="widen",
        )
    )
    found = {e.keyword: e for e in report.entries}
    assert {k: e.status for k, e in found.items()} == {
        "minlength": "annotation",
        "allOf": "exact",
        "pattern": "refused",
        "format": "annotation",
        "title": "annotation",
        "maxLength": "exact",
        "properties": "exact",
    }
    assert "minLength" in found["minlength"].reason
    assert found["maxLength"].pointer == "#/maxLength"
    assert not report.sound
    assert report.complete
    assert report.live
    assert report.budget == "bound"
    assert compile_schema(JsonSchema({"type": "array"}))[1].sound


def test_shared_rules_have_keys() -> None:
    """Rules that depend on parameters alone have the same keys in every schema."""
    first, second = (
        {r.key for r in compile_schema(JsonSchema(s))[0].rules if r.key is not None}
        for s in (
            {"properties": {"a": {"type": "string", "maxLength": 9}}},
            {"items": {"type": "string", "maxLength": 9}},
        )
    )
    assert ("string", "canonical", 0, 9) in first & second
    assert ("string-rest", "canonical") in first & second
    assert ("json-value", "bounded", "canonical") in first & second
