"""How numbers of a schema may be written: exponents, spellings of listed values, and multiples of many digits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_oracle import Oracle

from syntagma.grammar.jsonschema.source import JsonSchema, compile_schema

NUMBER: dict[str, Any] = {"type": "number"}


def build(schema: Any, **options: Any) -> Oracle:
    """The rules of a schema, in the slow interpreter."""
    return Oracle(compile_schema(JsonSchema(schema, **options))[0])


def accepted(schema: Any, texts: list[str], **options: Any) -> list[str]:
    """Those of the texts that a schema accepts."""
    oracle = build(schema, **options)
    return [t for t in texts if oracle.accepts(t.encode())]


TEXTS = ["0", "0.5", "1", "1.0", "1e-05", "1E-5", "9.99e-1", "1e0", "1e+16", "1e16", "1.5e1", "-1e-05", "10e-1"]


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({"minimum": 0}, ["0", "0.5", "1", "1.0", "1e-05", "1E-5", "9.99e-1", "1e+16", "1e16", "1.5e1"]),
        ({"minimum": 0, "maximum": 1}, ["0", "0.5", "1", "1.0", "1e-05", "1E-5", "9.99e-1"]),
        ({"exclusiveMinimum": 1}, ["1e+16", "1e16", "1.5e1"]),
        ({"exclusiveMaximum": 0}, ["-1e-05"]),
        ({"minimum": 0, "maximum": 0}, ["0"]),
        ({"minimum": 0, "not": {"const": 1e-05}}, ["0", "0.5", "1", "1.0", "9.99e-1", "1e+16", "1e16", "1.5e1"]),
        ({"minimum": 0, "not": {"type": "integer"}}, ["0.5", "1e-05", "1E-5", "9.99e-1"]),
        ({"minimum": 0, "multipleOf": 0.5}, ["0", "0.5", "1", "1.0"]),
        ({"minimum": 0, "type": "integer"}, ["0", "1"]),
    ],
)
def test_numbers_between_bounds_have_exponents(schema: Any, wanted: list[str]) -> None:
    """A number that may have bounds is read in scientific notation; multiples and integers are written plainly."""
    assert accepted(NUMBER | schema, TEXTS) == wanted
    assert compile_schema(JsonSchema(NUMBER | schema))[1].complete


def test_under_a_limit_on_digits_numbers_with_bounds_are_plain() -> None:
    """An exponent would write more digits than the limit allows."""
    assert accepted(NUMBER | {"minimum": 0}, ["1e-05", "1e+16", "5"], max_digits=3) == ["5"]


def test_one_value_in_two_notations_comes_once() -> None:
    """``uniqueItems`` compares values, however they are written."""
    unique = {"type": "array", "items": NUMBER | {"minimum": 0}, "uniqueItems": True}
    texts = ["[1e-05, 0.00001]", "[1e-05, 1.0e-5]", "[1e-05, 1e-06]", "[20, 2e+1]"]
    assert accepted(unique, texts) == ["[1e-05, 1e-06]"]


@pytest.mark.parametrize(
    ("schema", "texts"),
    [
        ({"const": 1}, ["1"]),
        ({"const": 1.0}, ["1", "1.0"]),
        ({"enum": [{"a": 0.0}]}, ['{"a":0.0}', '{"a": 0}']),
        ('{"const": [1.50]}', ["[1.5]", "[1.50]"]),
        ({"const": 1e-05}, ["1e-05", "0.00001"]),
        ({"type": "integer", "enum": [2.0, 3]}, ["2", "2.0", "3"]),
        ({"type": "integer", "enum": [2.0, 3], "$schema": "http://json-schema.org/draft-04/schema#"}, ["3"]),
    ],
)
def test_listed_numbers_may_be_written_as_they_are_listed(schema: Any, texts: list[str]) -> None:
    """The plain text and the given one are accepted, and no other; in draft 4 a number with a point is no integer."""
    every = [
        "1",
        "1.0",
        "1.00",
        '{"a":0.0}',
        '{"a": 0}',
        "[1.5]",
        "[1.50]",
        "1e-05",
        "0.00001",
        "1e-5",
        "2",
        "2.0",
        "3",
        "3.0",
    ]
    assert sorted(accepted(schema, every)) == sorted(texts)


@given(
    st.recursive(
        st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    )
)
def test_what_python_writes_for_a_constant_is_accepted(value: Any) -> None:
    """``json.dumps`` of the value of ``const`` is one of its texts."""
    assert build({"const": value}).accepts(json.dumps(value).encode())


def test_multiples_of_many_digits_are_narrowed_unless_bounds_leave_few() -> None:
    """Where residues are too many the report says what is left out; between bounds nothing is."""
    large = {"type": "integer", "multipleOf": 0.123456789}
    _, report = compile_schema(JsonSchema({"properties": {"a": large}}))
    assert [(e.pointer, e.keyword) for e in report.entries if e.status == "narrowed"] == [
        ("#/properties/a/multipleOf", "multipleOf")
    ]
    assert report.sound
    assert not report.complete
    texts = ["0", "123456789", "-1234567890", "123456788", "123456789.0", str(123456789 * 10**6)]
    assert accepted(large, texts) == ["0", "123456789", "-1234567890"]
    bounded = large | {"minimum": 1, "maximum": 10**10}
    assert compile_schema(JsonSchema(bounded))[1].complete
    assert accepted(bounded, texts) == ["123456789"]
    fractions = {"type": "number", "not": {"multipleOf": 1000003}}
    assert accepted(fractions, ["1", "1000003", "2000006.0", "2000006.5", "1000004", "-5", "1e-05"]) == [
        "1",
        "2000006.5",
        "-5",
        "1e-05",
    ]


def test_many_multiples_together_are_exact() -> None:
    """What follows from other multiples costs no residues: 429 and not 6, 7, 8, 12, 44 nor 77 takes 6,006 and not 24,024."""
    schema = NUMBER | {"multipleOf": 429, "allOf": [{"not": {"multipleOf": m}} for m in (6, 7, 8, 12, 44, 77)]}
    assert compile_schema(JsonSchema(schema))[1].complete
    good = [n for n in range(0, 429 * 60, 429) if all(n % m for m in (6, 7, 8, 12, 44, 77))]
    assert accepted(schema, [str(n) for n in range(0, 429 * 60, 143)]) == [str(n) for n in good]


def test_values_that_are_left_out_do_not_count() -> None:
    """Items that must differ are not promised where only some of their numbers are written."""
    items = {"type": "integer", "multipleOf": 1000003}
    schema = {"type": "array", "items": items, "minItems": 3000, "uniqueItems": True}
    assert not compile_schema(JsonSchema(schema))[1].live
