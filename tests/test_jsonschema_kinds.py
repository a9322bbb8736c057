"""Too many choices that all look at one member: distributed by the kinds of its values, against every small object."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema
import pytest
from ir_oracle import Oracle
from test_jsonschema_negation import KEYS, VALUES, objects, texts

from syntagma.grammar.errors import LimitExceeded, Unsatisfiable
from syntagma.grammar.jsonschema.source import JsonSchema, SchemaLimits, compile_schema

OTHERS = tuple(k for k in KEYS if k != "x")


def needs(rng: random.Random) -> dict[str, Any]:
    """Draw what a member may need: some values of ``x``, and perhaps more."""
    out: dict[str, Any] = {"properties": {"x": {"enum": rng.sample(VALUES, rng.randint(1, 2))}}}
    more = rng.random()
    if more < 0.2:
        out["required"] = ["x"]
    elif more < 0.4:
        out["properties"][rng.choice(OTHERS)] = {"enum": [0, "s"]}
    elif more < 0.5:
        out["properties"]["x"] = {"type": "integer"}
    elif more < 0.6:
        out = {"not": out}
    elif more < 0.7:
        out = {"properties": {"a": False}}
    return out


def choices(rng: random.Random) -> dict[str, Any]:
    """Draw a schema with many choices about one member."""
    out: dict[str, Any] = {"dependentSchemas": {name: needs(rng) for name in OTHERS}}
    if rng.random() < 0.5:
        out["type"] = "object"
    if rng.random() < 0.5:
        out["allOf"] = [{"if": needs(rng), "then": needs(rng)}, {"anyOf": [needs(rng), needs(rng), {"type": "array"}]}]
    if rng.random() < 0.3:
        out["additionalProperties"] = {"enum": [0, "s"]}
    return out


@pytest.mark.parametrize("seed", range(60))
def test_kinds_are_exact(seed: int) -> None:
    """With room for a few alternatives alone, a schema says what ``jsonschema`` says, or is refused for its number of them."""
    rng = random.Random(seed)
    schema = choices(rng)
    validator = jsonschema.Draft202012Validator(schema)
    sample: list[Any] = [*rng.sample(objects(), 40), 0, "s", None, [], [1], True]
    compiled = 0
    for alternatives in (4, 12, 256):
        source = JsonSchema(schema, whitespace="compact", limits=SchemaLimits(alternatives=alternatives))
        try:
            oracle = Oracle(compile_schema(source)[0])
        except LimitExceeded as e:
            assert e.limit == "alternatives"  # noqa: PT017  (of three limits the last is never too small)
            continue
        except Unsatisfiable:
            assert not any(map(validator.is_valid, sample))
            return
        compiled += 1
        for value in sample:
            spelt = texts(value) if isinstance(value, dict) else [str_of(value)]
            assert any(oracle.accepts(t) for t in spelt) == validator.is_valid(value), (schema, value, alternatives)
    assert compiled


def str_of(value: Any) -> bytes:
    """The text of a value that is no object."""
    return json.dumps(value, separators=(",", ":")).encode()


def test_many_members_may_need_one_of_few_values() -> None:
    """Twenty members that each need some kinds are no million choices."""
    kinds = [f"k{i}" for i in range(8)]
    schema = {
        "type": "object",
        "properties": {"kind": {"enum": kinds}, **{f"m{i}": {"type": "integer"} for i in range(20)}},
        "dependentSchemas": {
            f"m{i}": {"properties": {"kind": {"enum": [kinds[i % 8], kinds[i % 5]]}}} for i in range(20)
        },
        "additionalProperties": False,
    }
    grammar, report = compile_schema(JsonSchema(schema, whitespace="compact"))
    assert report.complete
    oracle = Oracle(grammar)
    assert oracle.accepts(b'{"kind":"k0","m0":1,"m5":2,"m8":3}')
    assert not oracle.accepts(b'{"kind":"k0","m1":1}')
    assert oracle.accepts(b'{"m1":1,"m2":1}')
    assert not oracle.accepts(b'{"kind":"other"}')
