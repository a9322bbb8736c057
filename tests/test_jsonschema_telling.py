"""Branches of ``oneOf`` that are told apart by a member which they do not require: objects without it are left out where they are too much."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from ir_oracle import Oracle
from test_jsonschema_random import orders

from syntagma.grammar.errors import LimitExceeded, Unsatisfiable
from syntagma.grammar.jsonschema import exclusion
from syntagma.grammar.jsonschema.source import JsonSchema, _Compilation, compile_schema
from syntagma.grammar.report import Report

KEYS = ("a", "b", "t")
VALUES = (0, "s", "u", None)


def kinds(number: int, *, telling: str = "kind") -> list[dict[str, Any]]:
    """Branches of which each lists a value of its own for one member, and says something about four others."""
    return [
        {"properties": {telling: {"const": f"k{i}"}, **{f"m{i}{c}": {"type": "integer"} for c in "abcd"}}}
        for i in range(number)
    ]


def lowered(schema: Any, **options: Any) -> tuple[Oracle, Report]:
    """The language of a schema without white space, and the report."""
    grammar, report = compile_schema(JsonSchema(schema, whitespace="compact", **options))
    return Oracle(grammar), report


@pytest.mark.parametrize("order", ["schema", "any"])
def test_objects_without_the_member_are_left_out_and_reported(order: Any) -> None:
    """With it, each kind of object is exact; the report names the keyword and the member."""
    oracle, report = lowered({"type": "object", "oneOf": kinds(12)}, property_order=order)
    assert (report.sound, report.complete, report.live) == (True, False, True)
    narrowed = [e for e in report.entries if e.status == "narrowed"]
    assert [(e.pointer, e.keyword) for e in narrowed] == [("#/oneOf", "oneOf")]
    assert '"kind"' in narrowed[0].reason
    assert oracle.accepts(b'{"kind":"k3"}')
    assert oracle.accepts(b'{"kind":"k3","m3a":1,"m3d":2,"m4a":"of another kind"}')
    assert not oracle.accepts(b'{"kind":"k3","m3a":"s"}')
    assert not oracle.accepts(b'{"kind":"none of them"}')
    assert not oracle.accepts(b"{}")


def test_few_branches_are_exact() -> None:
    """Objects without the member are kept where that takes few alternatives."""
    oracle, report = lowered({"type": "object", "oneOf": kinds(2)}, property_order="any")
    assert report.complete
    assert oracle.accepts(b'{"m0a":"s"}')
    assert not oracle.accepts(b'{"m0a":1}')


@pytest.mark.parametrize("order", ["schema", "any"])
def test_nothing_is_left_out_where_the_member_is_required_elsewhere(order: Any) -> None:
    """Also where it is required so far outside that ``oneOf`` does not see it: then all is exact, and nothing is reported."""
    schema = {"allOf": [{"oneOf": [False, {"oneOf": kinds(12)}]}], "type": "object", "required": ["kind"]}
    oracle, report = lowered(schema, property_order=order)
    assert report.complete
    assert oracle.accepts(b'{"kind":"k3","m3a":1}')
    assert not oracle.accepts(b'{"m3a":1}')


@pytest.mark.parametrize("second", [{"required": ["x"]}, {"properties": {"kind": False}}, {"maxProperties": 1}])
def test_what_is_left_out_of_a_branch_may_still_exclude_another(second: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that is left out, and meets the branch that it is left out of, is not written as one that does not meet it.

    Without ``kind``, which is all that the second of these branches allows, what is written of the first one would exclude the second.
    """
    monkeypatch.setattr(exclusion, "_FEW", 0)
    schema = {"type": "object", "oneOf": [{"oneOf": kinds(3)}, second]}
    source = JsonSchema(schema, whitespace="compact", property_order="any")
    compilation = _Compilation(source, coarse=True, narrow=True)
    grammar, report = compilation.run()
    assert compilation.algebra.exclusion.leaves_out
    assert not report.complete
    oracle = Oracle(grammar)
    lost = 0
    some: dict[str, list[Any]] = {"kind": ["k1", "other"], "m0a": [1, "s"], "m1a": [1, "s"], "m2a": ["s"], "x": [0]}
    for size in range(4):
        for names in itertools.combinations(some, size):
            for chosen in itertools.product(*(some[n] for n in names)):
                value = dict(zip(names, chosen, strict=True))
                accepted = oracle.accepts(json.dumps(value, separators=(",", ":")).encode())
                valid = jsonschema.Draft202012Validator(schema).is_valid(value)
                assert valid or not accepted, value
                assert accepted or not valid or "kind" not in value, value
                lost += valid and not accepted
    assert lost or "kind" in second.get("properties", {})


def test_where_nothing_is_left_the_limit_is_named() -> None:
    """Objects without the member are all that there are: that they are left out does not make the schema unsatisfiable."""
    schema = {"type": "object", "properties": {"kind": False}, "oneOf": kinds(12)}
    with pytest.raises(LimitExceeded):
        lowered(schema, property_order="any")


def test_what_is_left_out_is_not_called_unsatisfiable() -> None:
    """A part of which all values are left out has values; another one that has none is named."""
    part = {"type": "object", "properties": {"kind": False}, "oneOf": kinds(12)}
    never = {"type": "string", "minLength": 2, "maxLength": 1}
    schema = {"type": "object", "oneOf": kinds(12), "properties": {"part": part, "never": never}}
    oracle, report = lowered(schema, property_order="any")
    assert report.unsatisfiable == ("#/properties/never",)
    assert oracle.accepts(b'{"kind":"k1"}')
    assert not oracle.accepts(b'{"kind":"k1","part":{}}')


def test_listed_objects_are_left_out_and_reported_too() -> None:
    """Objects of an enumeration, some of which lack the member."""
    listed = [{"kind": "k1", "m1a": 1}, {"kind": "k1", "m1a": "s"}, {"m0a": 1}]
    oracle, report = lowered({"enum": listed, "type": "object", "oneOf": kinds(12)})
    assert oracle.accepts(b'{"kind":"k1","m1a":1}')
    assert not oracle.accepts(b'{"kind":"k1","m1a":"s"}')
    assert not oracle.accepts(b'{"m0a":1}')
    assert report.sound


def test_what_no_member_tells_apart_is_refused_as_before() -> None:
    """The limit that was exceeded first is named."""
    branches = [{"properties": {f"m{i}{c}": {"type": "integer"} for c in "abcd"}} for i in range(12)]
    with pytest.raises(LimitExceeded) as caught:
        lowered({"type": "object", "oneOf": branches}, property_order="any")
    assert caught.value.limit == "alternatives"


def random_schema(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    """Draw a schema about three members, with choices of which branches list values of one."""

    def sub() -> Any:
        listed = [{"const": "s"}, {"const": "u"}, {"enum": ["s", 0]}, {"enum": ["u", None]}, {"not": {"const": "s"}}]
        return rng.choice([*listed, {"type": "integer"}, {"type": "string"}, {}, False])

    def one() -> dict[str, Any]:
        return {"oneOf": [random_schema(rng, depth + 1) for _ in range(rng.choice([2, 3, 3, 4]))]}

    def inner() -> dict[str, Any]:
        return random_schema(rng, depth + 1)

    draw: list[Callable[[], dict[str, Any]]] = [
        lambda: {"properties": {k: sub() for k in rng.sample(KEYS, rng.randint(1, 3))}},
        lambda: {"properties": {"t": sub()}},
        lambda: {"properties": {k: sub() for k in rng.sample(KEYS, 2)}, "additionalProperties": rng.choice([False, sub()])},
        lambda: {"required": rng.sample(KEYS, 1)},
        lambda: {"type": rng.choice(["object", ["object", "integer"]])},
        lambda: {"maxProperties": rng.randint(1, 2)},
        lambda: {"enum": rng.sample(values(), 8)},
    ]  # fmt: skip
    if depth < 3:
        draw += [
            one, one, one, one,
            lambda: {"not": inner()},
            lambda: {"anyOf": [inner(), inner()]},
            lambda: {"allOf": [inner(), inner()]},
            lambda: {"if": inner(), "then": inner(), "else": inner()},
            lambda: {"unevaluatedProperties": rng.choice([False, sub()]), **one()},
        ]  # fmt: skip
    out: dict[str, Any] = {}
    for _ in range(rng.randint(1, 2) + (depth == 0)):
        out.update(rng.choice(draw)())
    return out


def values() -> list[Any]:
    """Every object over a few keys and values, and some other values."""
    out: list[Any] = [0, "s", None]
    for size in range(4):
        for names in itertools.combinations(KEYS, size):
            out += [dict(zip(names, v, strict=True)) for v in itertools.product(VALUES, repeat=size)]
    return out


@pytest.mark.parametrize("seed", range(80))
def test_random_schemas_accept_nothing_invalid(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against ``jsonschema``, objects left out wherever one can be: what is lost is reported, and nothing else is."""
    rng = random.Random(seed)
    monkeypatch.setattr(exclusion, "_FEW", rng.choice([0, 0, 1]))
    schema = random_schema(rng)
    validator = jsonschema.Draft202012Validator(schema)
    for order in ("schema", "any"):
        source = JsonSchema(schema, dialect="2020-12", whitespace="compact", property_order=order)
        compilation = _Compilation(source, coarse=bool(seed % 2), narrow=True)
        try:
            grammar, report = compilation.run()
        except Unsatisfiable:
            assert compilation.algebra.exclusion.leaves_out or not any(map(validator.is_valid, values()))
            return
        except LimitExceeded as e:
            if e.limit not in {"alternatives", "counted_members", "broken_rules"}:
                raise
            return
        assert report.sound
        oracle = Oracle(grammar)
        for value in rng.sample(values(), 40):
            accepted = any(oracle.accepts(json.dumps(v, separators=(",", ":")).encode()) for v in orders(value))
            valid = validator.is_valid(value)
            assert valid or not accepted, (schema, value)
            assert accepted or not valid or not report.complete, (schema, value)
