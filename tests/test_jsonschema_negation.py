"""Some member must break a rule: negations of what is said about all members, against every small object."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import jsonschema
import pytest
from ir_oracle import Oracle

from syntagma.grammar.errors import LimitExceeded, Unsatisfiable
from syntagma.grammar.jsonschema.source import JsonSchema, _Compilation

INTEGER = {"type": "integer"}
STRING = {"type": "string"}
PATTERN = {"patternProperties": {"^x": INTEGER}}
CLOSED = {"properties": {"a": {}, "x": {}}, "additionalProperties": False}
KEYS = ("a", "b", "x", "xy")
VALUES = (0, "s", None)

RULES: dict[str, dict[str, Any]] = {
    "patternProperties": {"not": PATTERN},
    "patternProperties beside a declared member": {"properties": {"x": STRING, "a": INTEGER}, "not": PATTERN},
    "patternProperties and an optional member": {"properties": {"x": {"type": ["integer", "string"]}}, "not": PATTERN},
    "patternProperties of closed": {**CLOSED, "not": PATTERN},
    "patternProperties of closed, b required": {
        "properties": {"b": {}, "x": {}, "xy": INTEGER}, "additionalProperties": False, "required": ["b"],
        "not": PATTERN,
    },
    "patternProperties false": {"not": {"patternProperties": {"^x": False}}},
    "two negations": {"allOf": [{"not": PATTERN}, {"not": {"patternProperties": {"y$": STRING}}}]},
    "two negations that one member meets": {
        "allOf": [{"not": PATTERN}, {"not": {"patternProperties": {"y$": STRING}}}], "maxProperties": 1,
    },
    "additionalProperties": {"not": {"properties": {"a": {}}, "additionalProperties": INTEGER}},
    "additionalProperties false": {"not": {"properties": {"a": {}, "b": {}}, "additionalProperties": False}},
    "additionalProperties beside properties": {"not": {"properties": {"a": STRING}, "additionalProperties": INTEGER}},
    "additionalProperties beside patterns": {"not": {**PATTERN, "additionalProperties": STRING}},
    "propertyNames": {"not": {"propertyNames": {"maxLength": 1}}},
    "propertyNames listed": {"not": {"propertyNames": {"enum": ["a", "b"]}}},
    "propertyNames of few keys": {"propertyNames": {"enum": ["a", "x", "xy"]}, "not": PATTERN},
    "propertyNames twice": {"propertyNames": {"pattern": "^x"}, "not": {"propertyNames": {"maxLength": 1}}},
    "propertyNames of many keys, but not all": {"propertyNames": {"maxLength": 1}, "not": {"additionalProperties": INTEGER}},
    "propertyNames of many keys and two negations": {
        "propertyNames": {"maxLength": 1}, "allOf": [{"not": {"additionalProperties": INTEGER}}, {"not": PATTERN}],
    },
    "counted": {"not": PATTERN, "minProperties": 2, "maxProperties": 3},
    "at least two": {"not": PATTERN, "minProperties": 2},
    "at most one": {"not": PATTERN, "maxProperties": 1, "properties": {"x": {}, "a": {}}},
    "counted and closed": {**CLOSED, "not": PATTERN, "minProperties": 2},
    "counted, required, closed": {
        "properties": {"a": {}, "b": {}, "x": {}}, "additionalProperties": False, "required": ["b"], "not": PATTERN,
        "minProperties": 2, "maxProperties": 2,
    },
    "one of two closed objects": {
        "oneOf": [
            {"properties": {"a": INTEGER, "b": INTEGER}, "additionalProperties": False},
            {"properties": {"a": INTEGER, "x": INTEGER}, "additionalProperties": False},
        ]
    },
    "one of three patterns": {
        "oneOf": [PATTERN, {"patternProperties": {"y$": STRING}}, {"properties": {"a": {"type": "null"}}}]
    },
    "if a pattern, else": {"if": PATTERN, "then": {"required": ["a"]}, "else": {"required": ["b"]}},
    "not an object": {"not": {"const": {"a": 0, "x": "s"}}},
    "not the empty object": {"not": {"enum": [{}, 1]}, "maxProperties": 2},
    "none of two objects": {"not": {"enum": [{"a": 0}, {"b": None, "a": 0}]}},
}  # fmt: skip


@cache
def objects() -> list[dict[str, Any]]:
    """Every object over a few keys and values, of at most three members."""
    out: list[dict[str, Any]] = []
    for size in range(4):
        for keys in itertools.combinations(KEYS, size):
            out += [dict(zip(keys, values, strict=True)) for values in itertools.product(VALUES, repeat=size)]
    return out


def texts(value: dict[str, Any]) -> list[bytes]:
    """The texts of an object, its members in every order."""
    return [
        json.dumps(dict(members), separators=(",", ":")).encode() for members in itertools.permutations(value.items())
    ]


def check(schema: dict[str, Any], sample: list[dict[str, Any]] | None = None, *, coarse: bool = False) -> None:
    """Compare with ``jsonschema`` in both orders: any order accepts all texts of the valid objects, the other at least one.

    ``coarse`` takes the negations that are made where there are too many alternatives.
    """
    validator = jsonschema.Draft202012Validator(schema)
    oracles = []
    for order in ("schema", "any"):
        try:
            source = JsonSchema(schema, dialect="2020-12", whitespace="compact", property_order=order)
            grammar, report = _Compilation(source, coarse=coarse).run()
        except Unsatisfiable:
            assert not any(map(validator.is_valid, sample or objects())), schema
            return
        assert report.sound
        assert report.live
        oracles.append((Oracle(grammar), report.complete))
    for value in sample or objects():
        valid = validator.is_valid(value)
        (in_order, _), (in_any, complete) = oracles
        accepted = [in_order.accepts(t) for t in texts(value)]
        assert any(accepted) == valid, (schema, value)
        accepted = [in_any.accepts(t) for t in texts(value)]
        assert any(accepted) == valid, (schema, value)
        assert not complete or all(accepted) == valid, (schema, value)


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_negations_are_exact(name: str, coarse: bool) -> None:
    """Exactly the objects are accepted of which a member breaks the rule, whatever the order of members."""
    check({"type": "object", **RULES[name]}, coarse=coarse)


def random_rule(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    """Draw a schema about members, with negations and choices."""

    def sub() -> Any:
        return rng.choice([INTEGER, STRING, {"type": "null"}, {}, False, {"enum": [0, "s"]}, {"const": None}])

    def inner() -> dict[str, Any]:
        return random_rule(rng, depth + 1)

    draw: list[Callable[[], dict[str, Any]]] = [
        lambda: {"properties": {k: sub() for k in rng.sample(KEYS, rng.randint(1, 3))}},
        lambda: {"patternProperties": {rng.choice(["^x", "y$", "a|b"]): sub()}},
        lambda: {"properties": {k: sub() for k in rng.sample(KEYS, 2)}, "additionalProperties": sub()},
        lambda: {"propertyNames": rng.choice([{"maxLength": 1}, {"enum": ["a", "x", "b"]}, {"pattern": "x"}])},
        lambda: {"required": rng.sample(KEYS, rng.randint(1, 2))},
        lambda: {"minProperties": rng.randint(0, 2)} if rng.random() < 0.5 else {"maxProperties": rng.randint(1, 3)},
        lambda: {"additionalProperties": sub(), "patternProperties": {"^x": sub(), "y": sub()}},
    ]
    if depth < 2:
        draw += [
            lambda: {"not": inner()},
            lambda: {"oneOf": [inner() for _ in range(rng.randint(2, 3))]},
            lambda: {"anyOf": [inner(), inner()]},
            lambda: {"if": inner(), "then": inner(), "else": inner()},
        ]
    out: dict[str, Any] = {}
    for _ in range(rng.randint(1, 2) + (depth == 0)):
        out.update(rng.choice(draw)())
    return out


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_random_rules_are_exact(seed: int, coarse: bool) -> None:
    """Random combinations of rules about members and their negations accept exactly what ``jsonschema`` does."""
    rng = random.Random(seed)
    rule = {"type": "object", **random_rule(rng)}
    try:
        check(rule, rng.sample(objects(), 20), coarse=coarse)
    except LimitExceeded as e:
        pytest.skip(f"beyond a limit: {e.limit}")
