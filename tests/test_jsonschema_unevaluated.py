"""``unevaluatedProperties`` beside other applicators, against every small object."""

from __future__ import annotations

import random
from typing import Any

import pytest
from test_jsonschema_negation import INTEGER, KEYS, STRING, check, objects

from syntagma.grammar.errors import LimitExceeded

A, B, X = ({"properties": {name: INTEGER}, "required": [name]} for name in ("a", "b", "x"))
NONE = {"unevaluatedProperties": False}

RULES: dict[str, dict[str, Any]] = {
    "allOf": {"allOf": [{"properties": {"a": {}}}, {"patternProperties": {"^x": {}}}], **NONE},
    "anyOf": {"anyOf": [A, B, X], **NONE},
    "anyOf with a schema": {"anyOf": [A, B], "unevaluatedProperties": STRING},
    "oneOf": {"oneOf": [A, B, {"patternProperties": {"^x": INTEGER}}], **NONE},
    "if, then, else": {"if": A, "then": {"properties": {"b": {}}}, "else": {"properties": {"x": {}}}, **NONE},
    "if alone": {"if": A, **NONE},
    "not evaluates nothing": {"not": {"not": A}, **NONE},
    "dependentSchemas": {"properties": {"a": {}}, "dependentSchemas": {"a": {"properties": {"b": {}}}}, **NONE},
    "additional in a branch": {"anyOf": [{"required": ["a"], "additionalProperties": {}}, B], **NONE},
    "unevaluated in a branch": {"anyOf": [{**A, "unevaluatedProperties": STRING}, B], **NONE},
    "a cousin does not see": {"allOf": [{"properties": {"a": {}}}, NONE]},
    "nested branches": {"anyOf": [{"allOf": [A, {"anyOf": [B, X]}]}, X], **NONE},
    "negated": {"not": {"anyOf": [A, B], **NONE}},
    "negated if": {"not": {"if": A, "then": {"properties": {"b": {}}}, "unevaluatedProperties": STRING}},
    "one of two": {"oneOf": [{"anyOf": [A, B], **NONE}, {"allOf": [{"properties": {"a": {}, "x": {}}}], **NONE}]},
}


@pytest.mark.parametrize("name", RULES)
def test_what_no_branch_evaluates_is_constrained(name: str) -> None:
    """Exactly the objects are accepted whose other members no branch that holds has evaluated, or that meet the schema."""
    check({"type": "object", **RULES[name]})


def random_schema(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    """Draw a schema of applicators, with ``unevaluatedProperties`` at the root and sometimes below."""

    def inner() -> dict[str, Any]:
        return random_schema(rng, depth + 1)

    def some(*choices: Any) -> Any:
        return rng.choice(choices)

    out: dict[str, Any] = {}
    if rng.random() < 0.6:
        out["properties"] = {k: some({}, INTEGER, STRING) for k in rng.sample(KEYS, rng.randint(1, 2))}
    if rng.random() < 0.2:
        out["patternProperties"] = {some("^x", "y$"): some({}, INTEGER)}
    if rng.random() < 0.4:
        out["required"] = rng.sample(KEYS, 1)
    if depth < 2:
        for keyword in rng.sample(["anyOf", "oneOf", "allOf", "if", "not", "dependentSchemas"], rng.choice([0, 1, 2])):
            if keyword == "if":
                out.update({"if": inner(), **some({}, {"then": inner()}, {"then": inner(), "else": inner()})})
            elif keyword == "not":
                out["not"] = inner()
            elif keyword == "dependentSchemas":
                out[keyword] = {rng.choice(KEYS): inner()}
            else:
                out[keyword] = [inner() for _ in range(rng.randint(1, 3))]
    if rng.random() < (1 if depth == 0 else 0.15):
        out["unevaluatedProperties"] = some(False, False, INTEGER, STRING)
    return out


@pytest.mark.parametrize("seed", range(60))
def test_random_applicators_are_exact(seed: int) -> None:
    """Random nests of applicators accept exactly what ``jsonschema`` does."""
    rng = random.Random(seed)
    try:
        check({"type": "object", **random_schema(rng)}, rng.sample(objects(), 40), coarse=seed % 2 == 1)
    except LimitExceeded as e:
        pytest.skip(f"beyond a limit: {e.limit}")
