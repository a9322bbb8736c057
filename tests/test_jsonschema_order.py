"""Members in any order, and keys that run out: what the register of keys must know, against enumeration."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import jsonschema
import pytest
from sizes import size
from test_jsonschema_random import orders

import syntagma as sg
from syntagma.automata.conformance import check_constraint

pytestmark = pytest.mark.kernel

PRINTABLE = [bytes([c]) for c in range(32, 127)]
CROSSING = [
    b'{"', b'":', b'",', b'"a', b'"b', b'"ab', b'":1,', b'":1,"', b'":1,"a', b'b":', b', "', b'"}', b"1}", b'ab":1',
    b'"a":1,"b"', b"},", b'"alpha', b"ta", b"be", b"\n", b"  ", b"\xc3\xa9",
]  # fmt: skip
VOCAB = sg.Vocabulary([*PRINTABLE, *CROSSING, None], eos_ids=[len(PRINTABLE) + len(CROSSING)])

KEYS = {"S": "$schema", "I": "$id"}
NAMED = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}
ONE = {"const": 1}
TWO = {"enum": [1, 2]}
OBJECTS: dict[str, dict[str, Any]] = {
    "closed, some required": {
        "properties": {"a": ONE, "b": ONE, "ab": ONE}, "required": ["a", "ab"], "additionalProperties": False,
    },
    "open, one required": {"properties": {"a": ONE, "b": {"type": "integer"}}, "required": ["b"]},
    "few other names, one of which names the schema": {
        "$id": "https://example.org/few", "properties": {"a": ONE, "b": ONE}, "required": ["b"],
        "patternProperties": {"^[$](schema|s|id)$": TWO}, "additionalProperties": False,
    },
    "names of the document that are counted": {
        **NAMED, "properties": {"a": ONE, "b": ONE}, "required": ["b"], "additionalProperties": ONE, "maxProperties": 2,
    },
    "nested": {
        "properties": {
            "alpha": ONE,
            "beta": {"type": "object", "properties": {"a": ONE, "b": {"const": 2}}, "additionalProperties": False},
            "al": ONE,
        },
        "required": ["beta"],
        "additionalProperties": False,
    },
    "at least two": {
        "properties": {"a": ONE, "b": ONE, "ab": ONE}, "minProperties": 2, "additionalProperties": False,
    },
    "at most two": {"properties": {"a": ONE, "b": ONE, "ab": ONE}, "maxProperties": 2, "additionalProperties": ONE},
    "at most three, two of them required": {
        "properties": {"a": ONE, "abc": ONE, "abd": ONE}, "required": ["abc", "abd"], "maxProperties": 3,
        "additionalProperties": TWO,
    },
    "two or three, one required": {
        "properties": {"a": ONE, "b": ONE, "ab": ONE}, "required": ["b"], "minProperties": 2, "maxProperties": 3,
        "additionalProperties": False,
    },
    "as many as are required": {"required": ["a", "ab"], "maxProperties": 2, "additionalProperties": TWO},
    "only required names": {"required": ["b", "ab", "a"], "additionalProperties": ONE},
    "few names of a pattern": {"patternProperties": {"^(a|b|ab)$": ONE}, "additionalProperties": False},
    "a name beside many": {"patternProperties": {"^(a|b.*)$": ONE}, "additionalProperties": False, "minProperties": 1},
    "names listed": {"propertyNames": {"enum": ["a", "b", "ab"]}, "additionalProperties": ONE},
    "a choice between members": {
        "properties": {"a": ONE, "b": ONE, "ab": ONE}, "additionalProperties": False,
        "oneOf": [{"required": ["a"]}, {"required": ["b", "ab"]}],
    },
    "a member that breaks a pattern": {
        "properties": {"a": TWO, "b": ONE}, "additionalProperties": TWO, "not": {"patternProperties": {"^a": ONE}},
    },
    "a declared member that breaks a pattern": {
        "properties": {"a": TWO, "ab": TWO, "b": ONE}, "additionalProperties": False, "required": ["b"],
        "not": {"patternProperties": {"^a": ONE}},
    },
    "few names, one of them wrong": {
        "propertyNames": {"enum": ["a", "b", "ab"]}, "additionalProperties": TWO, "not": {"additionalProperties": ONE},
    },
    "many names, one of them wrong": {
        "propertyNames": {"maxLength": 1}, "additionalProperties": TWO, "not": {"additionalProperties": ONE},
    },
    "two rules broken by at most two": {
        "additionalProperties": TWO, "maxProperties": 2,
        "allOf": [{"not": {"patternProperties": {"^a": ONE}}}, {"not": {"propertyNames": {"maxLength": 2}}}],
    },
    "two rules broken by at most three, one of them required": {
        "properties": {"a": TWO, "b": TWO}, "required": ["b"], "additionalProperties": TWO, "maxProperties": 3,
        "allOf": [{"not": {"patternProperties": {"^a": ONE}}}, {"not": {"propertyNames": {"maxLength": 2}}}],
    },
    "one of few names breaks a rule, of at most two": {
        "propertyNames": {"enum": ["a", "b", "ab"]}, "additionalProperties": TWO, "maxProperties": 2,
        "not": {"additionalProperties": ONE},
    },
    "two rules broken by at least two": {
        "properties": {"a": TWO, "b": TWO}, "additionalProperties": TWO, "minProperties": 2,
        "allOf": [{"not": {"patternProperties": {"^a": ONE}}}, {"not": {"patternProperties": {"b$": ONE}}}],
    },
    "other than a given object": {"additionalProperties": TWO, "not": {"const": {"a": 1, "b": 2}}},
    "members that no branch evaluates": {
        "anyOf": [{"properties": {"a": ONE}, "required": ["a"]}, {"patternProperties": {"^b": ONE}}],
        "unevaluatedProperties": False,
    },
}  # fmt: skip


def compiled(schema: object, **options: Any) -> sg.Constraint:
    """The constraint of a schema over the vocabulary of this file."""
    return sg.compile(sg.JsonSchema(schema, **options), VOCAB)


@pytest.mark.parametrize("order", ["any", "schema"])
@pytest.mark.parametrize("name", OBJECTS)
def test_keys_that_run_out_keep_every_law(name: str, order: str) -> None:
    """Masks, bounds, budgets and ends are right where keys come in any order or are few: no comma, no letter leads to nothing."""
    check_constraint(compiled({"type": "object", **OBJECTS[name]}, property_order=order), steps=size(16, plain=5))


@pytest.mark.parametrize("name", ["closed, some required", "at least two", "a choice between members"])
def test_every_order_of_the_right_members_is_a_text(name: str) -> None:
    """Of all sequences of the declared members exactly those are accepted whose set is valid and in which none comes twice."""
    schema = OBJECTS[name]
    constraint = compiled({"type": "object", **schema}, property_order="any", whitespace="compact")
    for length in range(5):
        for names in itertools.product(schema["properties"], repeat=length):
            chosen = set(names)
            valid = (
                len(chosen) == length
                and chosen >= set(schema.get("required", ()))
                and length >= schema.get("minProperties", 0)
                and ("oneOf" not in schema or sum(chosen >= set(b["required"]) for b in schema["oneOf"]) == 1)
            )
            text = "{" + ",".join(f'"{n}":1' for n in names) + "}"
            assert constraint.accepts(text) == valid, text


def test_written_out_objects_have_no_order_either() -> None:
    """An object in ``const`` or ``enum`` is accepted in every order, at every depth, and with nothing missing or twice."""
    value = {"a": 1, "b": [1, {"c": 1, "d": {"e": 2, "f": 3}}], "g": None}
    constraint = compiled({"enum": [value, 5]}, property_order="any", whitespace="compact")
    texts = {json.dumps(v, separators=(",", ":")) for v in orders(value)}
    assert len(texts) == 6 * 2 * 2
    assert all(constraint.accepts(t) for t in [*texts, "5"])
    for text in texts:
        assert not constraint.accepts(text.replace('"c":1,', "").replace(',"c":1', ""))
        assert not constraint.accepts(text.replace('"a":1', '"a":1,"a":1'))


def test_the_order_of_the_schema_is_kept_by_default() -> None:
    """Without the option, members come as they are declared, and other keys at two places: behind the required ones and last."""
    schema = {"properties": {"b": ONE, "a": ONE}, "propertyNames": {"enum": ["a", "b", "c", "d"]}}
    constraint = compiled({"type": "object", **schema}, whitespace="compact")
    assert constraint.accepts('{"b":1,"a":1,"d":2,"c":2}')
    assert constraint.accepts('{"b":1,"a":1,"c":2,"d":2}')
    assert not constraint.accepts('{"a":1,"b":1}')
    assert constraint.accepts('{"c":2,"b":1,"a":1,"d":2}')
    assert not constraint.accepts('{"c":2,"b":1,"a":1,"c":2}')
    assert not constraint.accepts('{"b":1,"c":2,"a":1}')
    needs_b = compiled({"type": "object", **schema, "required": ["b"]}, whitespace="compact")
    assert needs_b.accepts('{"b":1,"c":2,"a":1,"d":2}')
    assert not needs_b.accepts('{"c":2,"b":1}')
    counted = compiled(
        {"type": "object", "properties": schema["properties"], "required": ["b"], "maxProperties": 3},
        whitespace="compact",
    )
    assert counted.accepts('{"b":1,"c":2,"a":1}')
    assert counted.accepts('{"b":1,"a":1,"c":2}')
    assert not counted.accepts('{"b":1,"c":2,"a":1,"d":2}')
    assert not counted.accepts('{"c":2,"b":1}')


@pytest.mark.parametrize(("low", "high"), [(0, None), (3, None), (0, 3), (2, 3)])
def test_a_document_may_begin_with_what_names_it(low: int, high: int | None) -> None:
    """By default undeclared ``$schema`` and ``$id`` may stand first, too: of all sequences of keys, exactly those of the rule."""
    schema = {**NAMED, "properties": {"a": ONE, "b": ONE}, "required": ["a"], "minProperties": low}
    if high is not None:
        schema["maxProperties"] = high
    constraint = compiled(schema, whitespace="compact")
    rule = re.compile("[SI]*a[SIc]*b?[SIc]*")
    for length in range(size(6, plain=4)):
        for keys in itertools.product("SIabc", repeat=length):
            fits = low <= length and (high is None or length <= high) and len(set(keys)) == length
            text = "{" + ",".join(f'"{KEYS.get(k, k)}":1' for k in keys) + "}"
            assert constraint.accepts(text) == (fits and rule.fullmatch("".join(keys)) is not None), text


def test_what_names_a_document_is_where_its_schema_wants_it() -> None:
    """``$schema`` comes first only in the outermost object, if the schema has it as well and allows it, and in its place where it is declared."""
    inner = {**NAMED, "properties": {"a": ONE}, "required": ["a"]}
    outer = compiled({**NAMED, "properties": {"o": inner}, "required": ["o"]}, whitespace="compact")
    assert outer.accepts('{"$schema":1,"o":{"a":1}}')
    assert not outer.accepts('{"o":{"$schema":1,"a":1}}')
    assert not compiled({**inner, "additionalProperties": False}, whitespace="compact").accepts('{"$schema":1,"a":1}')
    assert not compiled({**inner, "additionalProperties": TWO}, whitespace="compact").accepts('{"$schema":3,"a":1}')
    plain = compiled({"type": "object", "properties": {"a": ONE}, "required": ["a"]}, whitespace="compact")
    assert not plain.accepts('{"$schema":1,"a":1}')
    assert plain.accepts('{"a":1,"$schema":1}')
    assert plain.session().forced_bytes(plain.start) == b'{"a":1'
    declared = compiled({**inner, "properties": {"a": ONE, "$schema": TWO}}, whitespace="compact")
    assert declared.accepts('{"a":1,"$schema":1}')
    assert not declared.accepts('{"$schema":1,"a":1}')
    assert declared.accepts('{"$id":"x","a":1,"$schema":1}')


BOUNDED = [name for name in OBJECTS if "maxProperties" in OBJECTS[name]]


@pytest.mark.parametrize("escapes", ["canonical", "all"])
@pytest.mark.parametrize("name", BOUNDED)
def test_bounded_members_in_any_order_are_exact(name: str, escapes: str) -> None:
    """``maxProperties`` holds in every order, beside required members and such as must break a rule: every text against a validator."""
    schema = {"type": "object", **OBJECTS[name]}
    constraint = compiled(schema, property_order="any", whitespace="compact", escapes=escapes)
    assert constraint.report is not None
    assert constraint.report.complete
    judge = jsonschema.Draft202012Validator(schema)
    texts = 0
    for keys in itertools.chain.from_iterable(
        itertools.permutations(("a", "b", "ab", "abc", "abd"), length) for length in range(size(5, plain=4))
    ):
        for values in itertools.product((1, 2), repeat=len(keys)):
            text = "{" + ",".join(f'"{k}":{v}' for k, v in zip(keys, values, strict=True)) + "}"
            texts += constraint.accepts(text)
            assert constraint.accepts(text) == judge.is_valid(json.loads(text)), text
    assert texts > 1


def test_a_kept_key_is_listed_as_narrowed() -> None:
    """Where one of finitely many keys is kept for the member that breaks a rule, the report says so; not where fewer members may come."""
    schema = {"type": "object", "propertyNames": {"pattern": "^[a-z]{2}$"}, "additionalProperties": TWO}
    schema["not"] = {"additionalProperties": ONE}
    for more, status in (({}, "narrowed"), ({"maxProperties": 3}, "exact"), ({"maxProperties": 700}, "narrowed")):
        report = compiled({**schema, **more}, property_order="any").report
        assert report is not None
        assert [e.status for e in report.entries if e.keyword == "not"] == [status]
        assert report.complete == (status == "exact")


def test_alternatives_that_are_read_side_by_side_are_counted_together() -> None:
    """Objects in any order that could be read in too many ways at once are refused when compiled, and kept in the schema's order."""
    names = [f"a{i}" for i in range(20)]
    branches = [{"properties": {"k": {"const": i}}, "required": ["k"], "not": {"required": names}} for i in range(20)]
    schema = {"type": "object", "properties": {n: {"type": "null"} for n in names}, "anyOf": branches}
    compiled(schema)
    compiled({**schema, "anyOf": branches[:8]}, property_order="any")
    with pytest.raises(sg.LimitExceeded, match="256 alternatives") as caught:
        compiled(schema, property_order="any")
    assert caught.value.limit == "alternatives"


def test_few_keys_do_not_run_out_in_any_spelling() -> None:
    """Where each of finitely many keys has many spellings, no comma stands behind the last of them all the same."""
    schema = {"type": "object", "properties": {"a": ONE, "b": ONE}, "additionalProperties": False}
    for escapes in ("canonical", "ascii", "all"):
        constraint = compiled(schema, property_order="any", escapes=escapes)
        assert constraint.report is not None
        assert constraint.report.live
        assert constraint.advance_bytes(constraint.start, b'{"b":1,')
        assert constraint.accepts(b'{"b":1,"a":1}')
        assert not constraint.advance_bytes(constraint.start, b'{"b":1,"b')
        assert not constraint.advance_bytes(constraint.start, b'{"b":1,"a":1,')
        check_constraint(constraint, steps=size(8, plain=1))
