"""``uniqueItems``: no item twice, in whatever spelling, and never a way to where every value is used."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from sizes import size
from test_jsonschema_order import compiled

import syntagma as sg
from syntagma.automata.conformance import check_constraint
from syntagma.grammar.errors import Unsatisfiable

pytestmark = pytest.mark.kernel

WORDS = ["a", "b", "ab"]
ARRAYS: dict[str, dict[str, Any]] = {
    "few words": {"items": {"enum": WORDS}, "minItems": 2},
    "any strings": {"items": {"type": "string"}, "maxItems": 3},
    "short strings of a pattern": {"items": {"type": "string", "pattern": "^[ab]*$", "minLength": 1, "maxLength": 2}},
    "one word": {"items": {"const": "a"}},
    "arrays in arrays": {"items": {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": True}, "maxItems": 2},
}


def unique(schema: dict[str, Any], **options: Any) -> Any:
    """The constraint of an array whose items are unique; the outer one of two is not where its items are arrays."""
    nested = schema["items"].get("type") == "array"
    return compiled({"type": "array", "uniqueItems": not nested, **schema}, **options)


@pytest.mark.parametrize("name", ARRAYS)
def test_unique_strings_keep_every_law(name: str) -> None:
    """Masks, bounds, budgets and ends are right where items may not come twice."""
    check_constraint(unique(ARRAYS[name]), steps=16)


@pytest.mark.parametrize("least", [0, 1, 2, 3])
def test_exactly_the_arrays_without_repetition_are_accepted(least: int) -> None:
    """Of all sequences of the words those are accepted that are long enough and repeat none."""
    constraint = unique({"items": {"enum": WORDS}, "minItems": least}, whitespace="compact")
    for length in range(5):
        for items in itertools.product(WORDS, repeat=length):
            text = json.dumps(items, separators=(",", ":"))
            assert constraint.accepts(text) == (length >= least and len(set(items)) == length), text


def test_more_items_than_there_are_strings_are_unsatisfiable() -> None:
    """Four different ones of three words do not exist, which is an error that says where."""
    with pytest.raises(Unsatisfiable, match="#/properties/x"):
        compiled(
            {
                "type": "object",
                "required": ["x"],
                "properties": {"x": {"type": "array", "items": {"enum": WORDS}, "minItems": 4, "uniqueItems": True}},
            }
        )


TRUTH = {"enum": [True, False]}
VALUES: dict[str, dict[str, Any]] = {
    "small integers": {"items": {"type": "integer", "minimum": 0, "maximum": 12}, "minItems": 3},
    "few integers": {"items": {"type": "integer", "minimum": 1, "maximum": 3}, "minItems": 3},
    "numbers": {"items": {"type": "number"}, "minItems": 2},
    "mixed": {"items": {"enum": [1, "1", None, True, [], {}]}, "minItems": 4},
    "closed records": {
        "items": {
            "type": "object",
            "properties": {"a": TRUTH, "b": {"enum": ["x", "y"]}},
            "required": ["a"],
            "additionalProperties": False,
        },
        "minItems": 2,
    },
    "records of one member": {
        "items": {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
        "minItems": 2,
    },
    "open records": {"items": {"type": "object", "additionalProperties": TRUTH}},
    "anything": {},
    "arrays of arrays": {
        "items": {"type": "array", "items": TRUTH, "uniqueItems": True, "maxItems": 2},
        "minItems": 2,
    },
    "a prefix": {"prefixItems": [{"type": "string"}, {"enum": ["a", "b"]}], "items": {"type": "null"}, "minItems": 2},
    "contains": {"contains": {"const": "a"}, "items": {"type": "string", "maxLength": 1}, "minItems": 2},
    "contains two": {"contains": {"enum": [1, 2, 3]}, "minContains": 2, "items": {"type": "integer"}, "maxItems": 4},
    "few keys": {
        "items": {"type": "object", "propertyNames": {"enum": ["a", "b"]}, "additionalProperties": {"const": 1}}
    },
}
BYTES = sg.Vocabulary([bytes([c]) for c in range(256)] + [None], eos_ids=[256])
SURFACES: dict[str, dict[str, Any]] = {
    "default": {},
    "any order": {"property_order": "any"},
    "free": {"property_order": "any", "whitespace": "any", "escapes": "all"},
}


LAWS = [(name, "default") for name in VALUES]
LAWS += [(name, surface) for name in ("few integers", "mixed", "few keys") for surface in ("any order", "free")]


@pytest.mark.parametrize(("name", "surface"), LAWS[: size(len(LAWS), plain=1)])
def test_unique_values_keep_every_law(name: str, surface: str) -> None:
    """Masks, bounds, budgets and ends are right whatever the items are."""
    keeps_every_law(name, surface, size(3, plain=1))


@pytest.mark.slow
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("name", VALUES)
def test_unique_values_keep_every_law_in_every_surface(name: str, surface: str) -> None:
    """The same of longer walks, in every surface."""
    keeps_every_law(name, surface, 8)


def keeps_every_law(name: str, surface: str, steps: int) -> None:
    """Check the laws of an array of different values on a walk."""
    constraint = compiled({"type": "array", "uniqueItems": True, **VALUES[name]}, **SURFACES[surface])
    assert constraint.report is not None
    assert constraint.report.sound
    assert constraint.report.live
    check_constraint(constraint, steps=steps)


EQUAL: list[list[str]] = [
    ["1", "1.0", "1.00", "10e-1", "0.1E+1"],
    ["0", "-0", "0.0", "0e5"],
    ["100", "1e2", "1E+2", "100.0"],
    ["-12.5", "-1.25e1"],
    ['"a"', '"\\u0061"'],
    ['"\\n"', '"\\u000a"', '"\\u000A"'],
    ['"\U0001f600"', '"\\ud83d\\ude00"', '"\\uD83D\\uDE00"'],
    ['"/"', '"\\/"'],
    ["[]", "[ ]"],
    ["[1,[]]", "[1.0 , [ ] ]"],
    ["{}", "{ }"],
    ['{"a":1,"b":[2]}', '{"b":[2.0],"a":1}', '{ "\\u0062" : [ 2 ] , "a" : 1 }'],
    ['{"a":{"b":1,"c":2}}', '{"a":{"c":2,"b":1}}'],
    ["true"],
    ["false"],
    ["null"],
    ['""'],
    ['"1"'],
    ["[true]"],
    ['{"a":true}'],
    ['{"":null}'],
]
"""Spellings of the same values, a value a line."""


def test_values_are_told_apart_by_what_they_mean() -> None:
    """Two spellings of one value are not two items; spellings of two values are."""
    constraint = sg.compile(sg.JsonSchema({"type": "array", "uniqueItems": True}, **SURFACES["free"]), BYTES)
    for i, first in enumerate(EQUAL):
        for j, second in enumerate(EQUAL[: size(len(EQUAL), plain=i + 2)]):
            if size(0, plain=i - j) > 0:
                continue  # each value with itself and with the one after it
            for x, y in list(itertools.product(first, second))[: size(100, plain=3)]:
                assert constraint.accepts(f"[{x},{y}]".encode()) == (i != j), (x, y)
                assert constraint.accepts(f'[[{x} , "z"],[{y},"z"] ]'.encode()) == (i != j), (x, y)


def test_keys_are_told_apart_by_what_they_spell() -> None:
    """Where a key has many spellings, it comes once all the same, declared or not."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    constraint = compiled(schema, property_order="any", escapes="all", whitespace="any")
    for x, y in itertools.product(["a", "\\u0061", "b", "\\u0062", "ab", "a\\u0062"], repeat=2):
        text = f'{{"{x}":1,"{y}":2}}'
        same = json.loads(f'"{x}"') == json.loads(f'"{y}"')
        assert constraint.accepts(text.encode()) != same, text
    few = compiled({**schema, "additionalProperties": False}, property_order="any", escapes="all")
    check_constraint(few, steps=size(12, plain=1))
    assert few.accepts(b'{"\\u0061":1}')
    assert not few.advance_bytes(few.start, b'{"\\u0061":1,')


def test_items_that_must_come_do_not_run_out_unsaid() -> None:
    """Where liveness is not proven, since telling the values apart takes more states than there may be, the report says so."""
    schema = {"type": "array", "prefixItems": [{"enum": [1, 2]}, {"const": 1}], "minItems": 2, "uniqueItems": True}
    report = compiled(schema, limits=sg.SchemaLimits(unique_items=1)).report
    assert report is not None
    assert report.sound
    assert not report.live


def test_one_item_is_always_unique() -> None:
    """Where there is room for one item alone, ``uniqueItems`` asserts nothing and anything may stand there."""
    constraint = compiled({"type": "array", "maxItems": 1, "uniqueItems": True, "items": {"type": "object"}})
    assert constraint.accepts("[{}]")


@pytest.mark.parametrize("kind", ["integer", "number"])
def test_a_number_that_begins_like_one_seen_is_told_apart_at_once(kind: str) -> None:
    """In a pair, whether another number can still come of the digits of the first is settled, whatever zeros might follow."""
    constraint = sg.compile(
        sg.JsonSchema({"type": "array", "items": {"type": kind}, "uniqueItems": True, "maxItems": 2}),
        sg.Vocabulary([*(bytes([b]) for b in range(256)), None], eos_ids=[256]),
    )
    for first, begun, other in (("1", "1", "12"), ("11", "11", "110"), ("100", "10", "10"), ("-1", "-1", "-10")):
        assert constraint.accepts(f"[{first},{other}]")
        assert not constraint.accepts(f"[{first},{first}]")
        with constraint.session() as session:
            assert session.advance_bytes(session.start, f"[{first},{begun}".encode())
