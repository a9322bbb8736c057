"""Arrays against enumeration: every combination of the keywords that speak about items, judged by ``jsonschema``."""

from __future__ import annotations

import itertools
import json
from typing import Any

import jsonschema
import pytest
from ir_oracle import Oracle
from sizes import size

import syntagma as sg
from syntagma.automata.conformance import check_constraint
from syntagma.grammar.errors import Unsatisfiable
from syntagma.grammar.jsonschema.source import JsonSchema, compile_schema

DRAFT2019 = "https://json-schema.org/draft/2019-09/schema"
DRAFT2020 = "https://json-schema.org/draft/2020-12/schema"

BYTES = sg.Vocabulary([*(bytes([c]) for c in range(32, 127)), b"\n", None], eos_ids=[96])
CROSSING = sg.Vocabulary(
    [
        *(bytes([c]) for c in range(32, 127)), b"\n", b"[1", b", ", b",1", b"1,", b"1]", b"2]", b"],", b"[[", b"]]",
        b'"a', b'",', b'"]', b"11", b"1,1", b"1,2", b"[1,", b"null", None,
    ],
    eos_ids=[113],
)  # fmt: skip

ITEMS: list[Any] = [0, 1, 2, "a", "b", None]
ONE, TWO, TEXT, NUMBER = {"const": 1}, {"const": 2}, {"type": "string"}, {"type": "number"}

ARRAYS: dict[str, dict[str, Any]] = {
    "one": {"contains": ONE},
    "at least two": {"contains": ONE, "minContains": 2},
    "at most one": {"contains": ONE, "maxContains": 1, "minContains": 0},
    "two or three": {"contains": NUMBER, "minContains": 2, "maxContains": 3},
    "none": {"contains": ONE, "minContains": 0, "maxContains": 0},
    "ignored": {"contains": ONE, "minContains": 0},
    "contradiction": {"contains": ONE, "minContains": 2, "maxContains": 1},
    "always": {"contains": True, "minContains": 2, "maxContains": 3},
    "never": {"contains": False, "minContains": 0, "maxContains": 2},
    "two of them": {"allOf": [{"contains": ONE}, {"contains": TEXT}]},
    "three of them in three items": {
        "allOf": [{"contains": ONE}, {"contains": TEXT}, {"contains": {"const": None}}], "maxItems": 3,
    },
    "overlapping": {"allOf": [{"contains": ONE, "minContains": 2}, {"contains": NUMBER, "maxContains": 2}]},
    "the same twice": {"allOf": [{"contains": ONE, "maxContains": 3}, {"contains": ONE, "minContains": 2}]},
    "beside items": {"items": NUMBER, "contains": ONE},
    "items that all meet it": {"items": ONE, "contains": NUMBER, "maxContains": 2},
    "items that never meet it": {"items": TEXT, "contains": ONE},
    "behind a prefix": {"prefixItems": [ONE, TEXT], "items": NUMBER, "contains": TWO},
    "only in the prefix": {"prefixItems": [NUMBER, TEXT], "items": TEXT, "contains": ONE},
    "closed prefix": {"prefixItems": [{}, {}, {}], "items": False, "contains": ONE, "minContains": 2},
    "at least three items": {"contains": ONE, "minItems": 3},
    "at most two items": {"contains": ONE, "maxItems": 2},
    "between bounds": {"contains": ONE, "minContains": 2, "minItems": 3, "maxItems": 4},
    "bounds that leave no room": {"contains": ONE, "minContains": 3, "maxItems": 2},
    "at most, with bounds": {"contains": ONE, "maxContains": 2, "minItems": 2, "maxItems": 3},
    "prefix that uses the room up": {"prefixItems": [TEXT, TEXT], "contains": ONE, "maxItems": 3},
    "a first item that decides": {
        "prefixItems": [{}, TEXT, TEXT], "contains": ONE, "maxItems": 4, "minItems": 2,
    },
    "not contains": {"type": "array", "not": {"contains": ONE}},
    "not items": {"type": "array", "not": {"items": NUMBER}},
    "not items behind a prefix": {"type": "array", "not": {"prefixItems": [ONE, TEXT], "items": NUMBER}},
    "not items, few": {"type": "array", "maxItems": 2, "not": {"prefixItems": [ONE], "items": NUMBER}},
    "not at most one": {"type": "array", "not": {"contains": ONE, "maxContains": 1}},
    "not two or three": {"type": "array", "not": {"contains": ONE, "minContains": 2, "maxContains": 3}},
    "not at most, none needed": {"type": "array", "not": {"contains": ONE, "minContains": 0, "maxContains": 1}},
    "not minItems": {"type": "array", "not": {"minItems": 2}, "contains": ONE},
    "exactly one of two": {"type": "array", "oneOf": [{"contains": ONE}, {"contains": TEXT}]},
    "if there is one": {"type": "array", "if": {"contains": ONE}, "then": {"maxItems": 2}, "else": {"minItems": 2}},
    "few and bounded": {"items": NUMBER, "contains": NUMBER, "maxContains": 3, "minItems": 2},
    "a gap": {
        "prefixItems": [{"enum": [1, 2]}], "items": NUMBER, "minItems": 2,
        "allOf": [{"contains": {"enum": [1, 0]}, "maxContains": 2}],
    },
}  # fmt: skip
"""Schemas of arrays by what they ask for."""

UNEVALUATED: dict[str, dict[str, Any]] = {}


def oracle_of(schema: dict[str, Any]) -> Oracle | None:
    """Interpret the compact grammar of a schema; ``None`` where no value satisfies it."""
    try:
        return Oracle(compile_schema(JsonSchema(schema, whitespace="compact"))[0])
    except Unsatisfiable:
        return None


def arrays(longest: int, items: list[Any] = ITEMS) -> list[list[Any]]:
    """Every array of a few items, up to a length."""
    return [list(a) for n in range(longest + 1) for a in itertools.product(items, repeat=n)]


def compact(value: object) -> bytes:
    """Write a value without white space."""
    return json.dumps(value, separators=(",", ":")).encode()


def check(schema: dict[str, Any], longest: int) -> None:
    """Every small array is accepted exactly if it is valid."""
    judge = jsonschema.validators.validator_for(schema)(schema)
    oracle = oracle_of(schema)
    for value in arrays(longest):
        accepted = oracle is not None and oracle.accepts(compact(value))
        assert accepted == judge.is_valid(value), value


@pytest.mark.parametrize("name", ARRAYS)
def test_small_arrays_are_accepted_exactly_if_they_are_valid(name: str) -> None:
    """Every array of at most four items out of six is accepted exactly if it is valid."""
    check({"$schema": DRAFT2020, "type": "array", **ARRAYS[name]}, 4)


@pytest.mark.kernel
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_keep_every_law(name: str) -> None:
    """Masks, bounds and budgets are right: no item and no comma leads to where the bounds cannot be met."""
    schema = {"$schema": DRAFT2020, "type": "array", "items": {"enum": ITEMS}, **ARRAYS[name]}
    for whitespace in ("compact", "bounded"):
        try:
            constraint = sg.compile(JsonSchema(schema, whitespace=whitespace), CROSSING)
        except Unsatisfiable:
            return
        check_constraint(constraint, [compact(a) for a in arrays(2)], steps=size(60, plain=6))
