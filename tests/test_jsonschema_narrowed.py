"""Formats of which a part is never produced: what is left out is not taken for invalid either."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ir_oracle import Oracle

from syntagma.grammar.errors import Unsatisfiable
from syntagma.grammar.jsonschema.source import JsonSchema, compile_schema
from syntagma.grammar.regular.formats import KNOWN_FORMATS, format_bound, format_dfa, format_left_out

HOST = {"format": "hostname"}
LABEL = "xn--9n2bp8q"
"""A host name that is valid, and is left out since that takes the tables of IDNA to see."""
LABELS = {"pattern": "^xn--"}

CASES: list[tuple[str, Any, list[Any], list[Any]]] = [
    ("not", {"type": "string", "not": HOST}, ["a b"], ["a.b", LABEL]),
    ("oneOf", {"type": "string", "oneOf": [HOST, LABELS]}, ["a.b", "xn-- "], [LABEL]),
    (
        "oneOf about members",
        {"type": "object", "oneOf": [{"properties": {"a": HOST}}, {"properties": {"a": LABELS}}], "required": ["a"]},
        [{"a": "b"}, {"a": "xn-- "}],
        [{"a": LABEL}],
    ),
    ("if", {"type": "string", "if": HOST, "then": {"maxLength": 1}}, ["a", "a b"], ["ab", LABEL]),
    (
        "at most so many",
        {"type": "array", "items": LABELS, "contains": HOST, "minContains": 0, "maxContains": 1},
        [["xn-- ", "xn-- "], []],
        [[LABEL, LABEL]],
    ),
    ("at least one", {"type": "array", "items": LABELS, "contains": {"not": HOST}}, [["xn-- "]], [[LABEL]]),
    (
        "a member that breaks a rule",
        {"type": "object", "properties": {"a": LABELS}, "required": ["a"], "not": {"properties": {"a": HOST}}},
        [{"a": "xn-- "}],
        [{"a": LABEL}],
    ),
    (
        "a name that breaks a rule",
        {"type": "object", "not": {"propertyNames": HOST}, "maxProperties": 1},
        [{"a b": 1}],
        [{"a": 1}, {LABEL: 1}, {}],
    ),
    (
        "constants",
        {"enum": [LABEL, "a b", [LABEL, LABEL], ["a b"]], "not": HOST, "contains": HOST, "maxContains": 1},
        ["a b"],
        [LABEL, [LABEL, LABEL], ["a b"]],
    ),
]


@pytest.mark.parametrize(("schema", "valid", "invalid"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_is_left_out_is_in_neither_part(schema: Any, valid: list[Any], invalid: list[Any]) -> None:
    """A string that may or may not be of a format is neither produced as one nor as one that is not."""
    oracle = Oracle(compile_schema(JsonSchema(schema))[0])
    assert [v for v in valid if not oracle.accepts(json.dumps(v).encode())] == []
    assert [v for v in invalid if oracle.accepts(json.dumps(v).encode())] == []


def test_the_report_says_what_is_left_out() -> None:
    """A format that is enforced in part is narrowed, and then not every valid value has a text."""
    _, report = compile_schema(JsonSchema({"properties": {"a": {"format": "hostname"}, "b": {"format": "uuid"}}}))
    assert {e.pointer: e.status for e in report.entries if e.keyword == "format"} == {
        "#/properties/a/format": "narrowed",
        "#/properties/b/format": "exact",
    }
    assert not report.complete
    assert report.sound
    assert compile_schema(JsonSchema({"format": "uuid"}))[1].complete


def test_a_format_of_ones_own_is_whole() -> None:
    """A caller's expression replaces the format, and nothing of it is left out."""
    grammar, report = compile_schema(JsonSchema({"type": "string", "not": HOST}, formats={"hostname": "a+"}))
    assert report.complete
    assert Oracle(grammar).accepts(b'"b"')
    assert not Oracle(grammar).accepts(b'"a"')


def test_a_schema_of_nothing_but_what_is_left_out_says_so() -> None:
    """The error does not blame the schema for a contradiction that there is not."""
    with pytest.raises(Unsatisfiable, match="leave out"):
        compile_schema(JsonSchema({"type": "string", **HOST, **LABELS}))


@pytest.mark.parametrize("name", sorted(KNOWN_FORMATS))
def test_a_bound_has_all_of_its_format(name: str) -> None:
    """The language that stands for a format where it is negated has all that is produced, and more where some is left out."""
    dfa = format_dfa(name)
    assert dfa is not None
    assert dfa.is_subset(format_bound(name))
    assert (dfa != format_bound(name)) == bool(format_left_out(name))


def test_bounds_have_as_many_digits_as_they_are_written_with() -> None:
    """A bound is not rounded when it is negated, nor a constant when it is written out."""
    bound = "-972783798187987123879878123.18878137"
    oracle = Oracle(compile_schema(JsonSchema('{"type": "number", "exclusiveMinimum": ' + bound + "}"))[0])
    assert not oracle.accepts(bound.encode() + b"1")
    assert oracle.accepts(bound.encode()[:-1] + b"69")
    constant = "0.1234567890123456789012345678901234567890"
    oracle = Oracle(compile_schema(JsonSchema('{"const": ' + constant + "}"))[0])
    assert oracle.accepts(constant.rstrip("0").encode())
