"""Random schemas: texts of the grammar against ``jsonschema``, in both directions."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from ir_oracle import Configuration, Oracle

from syntagma.grammar.errors import LimitExceeded, Unsatisfiable, Unsupported
from syntagma.grammar.jsonschema.source import JsonSchema, compile_schema

NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = st.sampled_from([None, True, False, 0, 1, 2, -1, 1.5, "", "a", "ab", "b"])
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(NAMES | st.just("d"), v, max_size=3), max_leaves=5
)
TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]


def keywords(sub: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    """Return every keyword with values that make small schemas."""
    several = st.lists(sub, min_size=1, max_size=3)
    small = st.integers(0, 3)
    return {
        "type": st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True),
        "enum": st.lists(VALUES, min_size=1, max_size=4),
        "const": VALUES,
        "minimum": st.sampled_from([-1, 0, 1, 1.5]),
        "maximum": st.sampled_from([0, 1, 2]),
        "exclusiveMinimum": st.sampled_from([-1, 0, 1]),
        "exclusiveMaximum": st.sampled_from([1, 1.5, 2]),
        "multipleOf": st.sampled_from([1, 2, 0.5]),
        "minLength": small,
        "maxLength": small,
        "pattern": st.sampled_from(["a", "^a", "b$", "^(ab)*$", "^[ab]+$"]),
        "items": sub,
        "prefixItems": several,
        "minItems": small,
        "maxItems": small,
        "contains": sub,
        "minContains": small,
        "maxContains": small,
        "unevaluatedItems": sub,
        "uniqueItems": st.booleans(),
        "properties": st.dictionaries(NAMES, sub, max_size=3),
        "patternProperties": st.dictionaries(st.sampled_from(["a", "^b", "[cd]"]), sub, max_size=2),
        "additionalProperties": sub,
        "propertyNames": sub,
        "unevaluatedProperties": sub,
        "required": st.lists(NAMES, max_size=2, unique=True),
        "minProperties": small,
        "maxProperties": small,
        "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=1),
        "dependentSchemas": st.dictionaries(NAMES, sub, max_size=1),
        "allOf": several,
        "anyOf": several,
        "oneOf": several,
        "not": sub,
        "if": sub,
        "then": sub,
        "else": sub,
        "$ref": st.just("#/$defs/r"),
    }


def schemas() -> st.SearchStrategy[Any]:
    """Return small schemas over a vocabulary in which collisions are common."""

    def extend(sub: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        table = keywords(sub)
        keys = st.lists(st.sampled_from(sorted(table)), min_size=1, max_size=3, unique=True)
        return keys.flatmap(lambda ks: st.fixed_dictionaries({k: table[k] for k in ks}))

    return st.recursive(st.booleans() | st.just({}) | st.builds(lambda t: {"type": t}, st.sampled_from(TYPES)), extend)


def compiled(schema: Any, definition: Any) -> tuple[Oracle | None, Any, bool]:
    """Compile a schema with a definition to refer to, and say if nothing is left out; ``None`` where no value satisfies it."""
    if not isinstance(schema, dict):
        schema = {"allOf": [schema]}
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "$defs": {"r": definition}}
    validator = jsonschema.Draft202012Validator(json.loads(json.dumps(schema), parse_float=Decimal))
    try:
        grammar, report = compile_schema(JsonSchema(schema))
    except Unsatisfiable as e:
        return None, validator, "not written" not in str(e.hint)
    except (Unsupported, LimitExceeded):
        assume(False)  # what is refused makes no promise
        raise
    narrowed = {e.keyword for e in report.entries if e.status == "narrowed"}
    assert narrowed == (set() if report.complete else {"uniqueItems"})
    return Oracle(grammar), validator, report.complete


def orders(value: Any) -> Iterator[Any]:
    """Yield a value with the members of its objects in every order."""
    if isinstance(value, dict):
        for keys in itertools.permutations(value):
            for values in itertools.product(*(list(orders(value[k])) for k in keys)):
                yield dict(zip(keys, values, strict=True))
    elif isinstance(value, list):
        for values in itertools.product(*(list(orders(v)) for v in value)):
            yield list(values)
    else:
        yield value


@given(
    schemas(),
    st.sampled_from([True, {"type": "integer"}, {"maxItems": 1}, {"properties": {"a": {"$ref": "#/$defs/r"}}}]),
    st.data(),
)
def test_values_are_accepted_exactly_if_they_are_valid(schema: Any, definition: Any, data: st.DataObject) -> None:
    """A valid value has a text in some order of members (if the report says that none is left out), an invalid one in none."""
    oracle, validator, complete = compiled(schema, definition)
    for value in data.draw(st.lists(VALUES, min_size=1, max_size=8)):
        judged = json.loads(json.dumps(value), parse_float=Decimal)
        texts = {json.dumps(v, ensure_ascii=False).encode() for v in itertools.islice(orders(value), 200)}
        accepted = oracle is not None and any(oracle.accepts(t) for t in texts)
        if accepted or complete:
            assert accepted == validator.is_valid(judged), (schema, value)


@given(schemas(), st.integers(0, 1 << 30))
def test_random_texts_are_valid_and_every_prefix_is_alive(schema: Any, seed: int) -> None:
    """Walking byte by byte never dead-ends, and what is accepted parses, repeats no key, and validates."""
    oracle, validator, _ = compiled(schema, {"type": "integer"})
    assume(oracle is not None)
    assert oracle is not None
    rng = random.Random(seed)
    here: frozenset[Configuration] = oracle.start
    text = b""
    for _ in range(40):
        if oracle.is_accepting(here):
            value = json.loads(text, object_pairs_hook=without_repetition, parse_float=exact, parse_int=exact)
            assert validator.is_valid(value), text
        allowed = oracle.bytes_allowed(here)
        assert allowed or oracle.is_accepting(here), f"dead end after {text!r}"
        # a lead byte of UTF-8 would only need its tail: plain characters say as much in fewer steps
        plain = [b for b in allowed if b < 0x80] or allowed
        if not plain:
            break
        structural = [b for b in plain if b in b'"}],:truefalsn01ab']
        byte = rng.choice(structural if structural and rng.random() < 0.8 else plain)
        here = oracle.step(here, byte)
        text += bytes([byte])
        assert here


def exact(text: str) -> Decimal | int:
    """Read a number without rounding; integers are integers however they are spelled."""
    value = Decimal(text)
    assume(abs(value.adjusted()) < 12 and len(value.as_tuple().digits) < 12)  # the judge divides with 28 digits
    return int(value) if value == value.to_integral_value() else value


def without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, and fail on a repeated key."""
    assert len({k for k, _ in pairs}) == len(pairs), f"repeated key in {pairs}"
    return dict(pairs)


def test_the_generator_reaches_every_keyword() -> None:
    """The random schemas speak about all assertion keywords of 2020-12 but those that are listed here."""
    from syntagma.grammar.jsonschema.dialect import DIALECTS

    left_out = {
        "format",
        "$dynamicRef",
        "dependencies",
    }
    assert DIALECTS["2020-12"].keywords == set(keywords(st.just({}))) | left_out


if __name__ == "__main__":
    pytest.main([__file__])
