"""Two equal items, and items that must differ and could run out: against every small array, and prefix by prefix."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import jsonschema
import pytest
from ir_oracle import Oracle
from sizes import size
from test_jsonschema_order import compiled

from syntagma.automata.conformance import check_constraint
from syntagma.grammar.errors import Unsatisfiable, Unsupported
from syntagma.grammar.jsonschema.source import JsonSchema, SchemaLimits, compile_schema

WORLD = (1, 2, "a", True, None)
LONGEST = 4
ARRAYS = [list(items) for n in range(LONGEST + 1) for items in itertools.product(WORLD, repeat=n)]

FEW = {"enum": [1, 2]}
WORLDLY = {"enum": list(WORLD)}
EQUAL = {"not": {"uniqueItems": True}}

UNIQUE: dict[str, dict[str, Any]] = {
    "must not begin with what comes later": {"prefixItems": [FEW, {"const": 1}], "minItems": 2, "items": False},
    "goes on behind them": {"prefixItems": [FEW, {"const": 1}], "minItems": 2, "items": WORLDLY},
    "later ones are optional": {"prefixItems": [FEW, {"const": 1}], "minItems": 1, "items": FEW},
    "three of three": {"prefixItems": [{"enum": [1, 2, "a"]}, {"enum": [1, 2]}, {"enum": [1, "a"]}], "minItems": 3, "items": False},
    "a chain": {"prefixItems": [WORLDLY, {"enum": [1, 2]}, {"enum": [2, "a"]}, {"const": "a"}], "minItems": 4},
    "items behind a prefix": {"prefixItems": [WORLDLY, WORLDLY], "items": {"enum": [1, "a", None]}, "minItems": 4},
    "as many as there are": {"items": {"enum": [1, 2, "a"]}, "minItems": 3},
    "contains two of two": {"prefixItems": [{"enum": [1, "a"]}], "items": WORLDLY, "contains": FEW, "minContains": 2},
    "contains two of three in little room": {
        "prefixItems": [WORLDLY], "items": {"enum": [1, 2, "a"]}, "contains": {"enum": [1, 2, None]}, "minContains": 2,
        "maxItems": 3,
    },
    "contains no more than one": {
        "prefixItems": [WORLDLY, {"enum": [2, "a"]}], "items": FEW, "contains": FEW, "maxContains": 1, "minItems": 2,
    },
    "kinds beside values": {"prefixItems": [WORLDLY, {"type": "boolean", "const": True}, {"type": ["null", "boolean"], "not": {"const": False}}], "minItems": 3, "items": False},
}  # fmt: skip
NEGATED: dict[str, dict[str, Any]] = {
    "few values": {"items": WORLDLY, **EQUAL},
    "few places": {"prefixItems": [FEW, {"enum": [2, "a"]}], "items": False, **EQUAL},
    "a prefix beside few": {"prefixItems": [FEW, {"const": "a"}], "items": {"enum": ["a", None]}, **EQUAL},
    "counted": {"items": WORLDLY, "minItems": 3, "maxItems": 3, **EQUAL},
    "contains": {"items": WORLDLY, "contains": FEW, "minContains": 2, **EQUAL},
    "contains at most": {"items": WORLDLY, "contains": FEW, "maxContains": 1, **EQUAL},
    "one of two": {"items": WORLDLY, "oneOf": [{"uniqueItems": True}, {"contains": {"const": 1}}]},
    "if": {"items": WORLDLY, "if": {"uniqueItems": True}, "then": {"maxItems": 1}, "else": {"minItems": 3}},
    "not both": {"items": WORLDLY, "not": {"uniqueItems": True, "minItems": 2}},
    "not not": {"items": WORLDLY, "not": EQUAL},
}


def check(schema: dict[str, Any]) -> None:
    """Compare with ``jsonschema``: whole arrays are accepted exactly if valid, and a prefix is alive exactly if one goes on from it."""
    validator = jsonschema.Draft202012Validator(schema)
    valid = [a for a in ARRAYS if validator.is_valid(a)]
    texts = {json.dumps(a) for a in valid}  # 1 is no true
    try:
        constraint = compiled(schema, whitespace="compact")
    except Unsatisfiable:
        assert not valid, schema
        return
    assert constraint.report.complete
    assert constraint.report.live
    prefixes = {json.dumps(a[:n]) for a in valid for n in range(1, len(a) + 1)}
    for array in ARRAYS[:: size(1, plain=37)]:
        text = json.dumps(array, separators=(",", ":")).encode()
        assert constraint.accepts(text) == (json.dumps(array) in texts), (schema, array)
        if array:
            alive = constraint.advance_bytes(constraint.start, text[:-1]) != 0
            assert alive == (json.dumps(array) in prefixes), (schema, array)


@pytest.mark.kernel
@pytest.mark.parametrize("name", UNIQUE)
def test_required_items_never_run_out(name: str) -> None:
    """No value is written that a later item needs for itself, and no other one is forbidden."""
    check({"type": "array", "maxItems": LONGEST, "uniqueItems": True, **UNIQUE[name]})


@pytest.mark.kernel
@pytest.mark.parametrize("name", NEGATED)
def test_two_equal_items_of_few_values_are_exact(name: str) -> None:
    """Where few values could be the equal ones, exactly the arrays with two equal items are accepted."""
    check({"type": "array", "maxItems": LONGEST, **NEGATED[name]})


def random_array(rng: random.Random) -> dict[str, Any]:
    """Draw a schema for arrays over the world."""

    def some(least: int = 1) -> dict[str, Any]:
        return {"enum": rng.sample(WORLD, rng.randint(least, 3))}

    out: dict[str, Any] = {
        "type": "array",
        "items": rng.choice([WORLDLY, False, some()]),
        "maxItems": rng.randint(2, LONGEST),
    }
    if rng.random() < 0.7:
        out["prefixItems"] = [some() for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.7:
        out["minItems"] = rng.randint(1, 4)
    if rng.random() < 0.5:
        out["contains"] = some()
        out["minContains"] = rng.randint(0, 2)
        if rng.random() < 0.4:
            out["maxContains"] = rng.randint(1, 2)
    unique = {"uniqueItems": True}
    choices = [unique, unique, EQUAL, {"oneOf": [unique, {"contains": some()}]}, {"not": {**unique, "minItems": 3}}]
    return {**out, **rng.choice(choices)}


@pytest.mark.kernel
@pytest.mark.parametrize("seed", range(size(80, plain=2)))
def test_random_arrays_are_exact_and_live(seed: int) -> None:
    """Random arrays of few values accept what ``jsonschema`` does, and begin nothing that cannot be finished."""
    check(random_array(random.Random(seed)))


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["goes on behind them", "contains two of two"])
def test_required_items_keep_every_law(name: str) -> None:
    """Masks, bounds and budgets are right where values are told apart."""
    check_constraint(compiled({"type": "array", "uniqueItems": True, **UNIQUE[name]}), steps=size(12, plain=3))


NARROWED: dict[str, tuple[dict[str, Any], str]] = {
    "anything": ({"type": "array", **EQUAL}, "#/not/uniqueItems"),
    "strings": ({"type": "array", "items": {"type": "string"}, **EQUAL}, "#/not/uniqueItems"),
    "numbers": ({"type": "array", "items": {"type": "number", "exclusiveMinimum": 0.25}, **EQUAL}, "#/not/uniqueItems"),
    "records": (
        {"type": "array", "items": {"required": ["a"], "properties": {"a": {"type": "integer"}}, "type": "object"}, **EQUAL},
        "#/not/uniqueItems",
    ),
    "a member": ({"type": "object", "required": ["l"], "properties": {"l": {"type": "array", **EQUAL}}}, "#/properties/l/not/uniqueItems"),
    "if": ({"type": "array", "if": {"uniqueItems": True}, "then": {"maxItems": 0}}, "#/if/uniqueItems"),
    "what must be contained": (
        {"type": "array", "items": {"type": "string"}, "maxItems": 2, "contains": {"const": "zz"}, **EQUAL},
        "#/not/uniqueItems",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NARROWED)
def test_other_equal_items_are_narrowed(name: str) -> None:
    """Where any value could be the equal one, some are written, every text is valid, and the report says where."""
    schema, pointer = NARROWED[name]
    grammar, report = compile_schema(JsonSchema(schema, whitespace="compact"))
    entries = {e.pointer: e.status for e in report.entries if e.status != "exact"}
    assert entries == {pointer: "narrowed"}
    assert report.sound
    assert report.live
    assert not report.complete
    validator = jsonschema.Draft202012Validator(schema)
    oracle = Oracle(grammar)
    member = "properties" in schema
    values = (*WORLD, "", 0, {"a": 0}, {"a": 1}, "zz", [])
    arrays = [list(items) for n in range(4) for items in itertools.product(values, repeat=n)]
    accepted = 0
    for array in arrays:
        value = {"l": array} if member else array
        if oracle.accepts(json.dumps(value, separators=(",", ":")).encode()):
            assert validator.is_valid(value), value
            accepted += 1
    assert accepted


def test_what_is_left_out_is_not_taken_for_impossible() -> None:
    """Two branches overlap in arrays that are never written, so those are not of exactly one branch."""
    strings = {"type": "array", "items": {"type": "string"}}
    schema = {"oneOf": [{**strings, **EQUAL}, {**strings, "items": {"type": "string", "minLength": 9}, "minItems": 2}]}
    oracle = Oracle(compile_schema(JsonSchema(schema, whitespace="compact"))[0])
    validator = jsonschema.Draft202012Validator(schema)
    for array in (["a" * 9] * 2, ["a" * 9, "b" * 9], ["", ""], ["", "a"], ["a" * 9] * 3):
        if oracle.accepts(json.dumps(array, separators=(",", ":")).encode()):
            assert validator.is_valid(array), array
    assert oracle.accepts(b'["",""]')
    assert not oracle.accepts(json.dumps(["a" * 9] * 2, separators=(",", ":")).encode())


def test_where_many_values_are_too_many_states_some_are_left() -> None:
    """The values that two items may have are fewer where so many would take too many states, and that is narrowed."""
    schema = {"type": "array", "items": {"enum": [*range(40)]}, "contains": {"const": 1}, "minContains": 5, **EQUAL}
    limits = SchemaLimits(counted_items=400)
    grammar, report = compile_schema(JsonSchema(schema, whitespace="compact", limits=limits))
    assert not report.complete
    assert Oracle(grammar).accepts(b"[1,1,1,1,1,0,0]")
    assert compile_schema(JsonSchema(schema))[1].complete


def test_without_a_value_for_two_items_it_is_refused_where_it_stands() -> None:
    """What no value is found for is refused, with the pointer of the keyword."""
    deep: dict[str, Any] = {}
    for _ in range(12):
        deep = {"type": "array", "minItems": 1, "items": deep}
    with pytest.raises(Unsupported) as caught:
        compile_schema(JsonSchema({"type": "array", "items": deep, **EQUAL}))
    assert caught.value.where == "#/not/uniqueItems"


def test_beyond_the_limit_the_report_says_so() -> None:
    """With too many values to tell apart the array is written all the same, and may run out."""
    many = {
        "prefixItems": [*[{"enum": [*range(9)]}] * 8, {"enum": [*range(8)]}],
        "minItems": 9,
        "uniqueItems": True,
        "type": "array",
    }
    assert compile_schema(JsonSchema(many, limits=SchemaLimits(unique_items=20_000)))[1].live
    report = compile_schema(JsonSchema(many, limits=SchemaLimits(unique_items=100)))[1]
    assert report.sound
    assert not report.live
    assert {e.pointer for e in report.entries if e.status == "residual"} == {"#/uniqueItems"}


def test_a_prefix_of_others_does_not_count_for_the_rest() -> None:
    """One word behind one number is enough for two different items."""
    schema = {
        "type": "array",
        "prefixItems": [{"type": "integer"}],
        "items": {"enum": ["a"]},
        "minItems": 2,
        "uniqueItems": True,
    }
    oracle = Oracle(compile_schema(JsonSchema(schema))[0])
    assert oracle.accepts(b'[1, "a"]')
    assert not oracle.accepts(b'[1, "a", "a"]')
