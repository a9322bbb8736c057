"""The options on how texts look: an exact indent, a limit on depth, a limit on digits; each against what Python writes."""

from __future__ import annotations

import itertools
import json
import random
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from ir_oracle import Oracle
from test_jsonschema_random import VALUES, orders, schemas, without_repetition

import syntagma as sg
from syntagma.automata.conformance import check_constraint
from syntagma.automata.constraint import Constraint, Session
from syntagma.grammar.errors import InvalidSource, LimitExceeded, Unsatisfiable, Unsupported
from syntagma.grammar.jsonschema.depth import height_of
from syntagma.grammar.jsonschema.scalars import NumberSpec, digits_lose, number_is_inhabited
from syntagma.grammar.jsonschema.source import INDENT_DEPTH, JsonSchema, SchemaLimits, compile_schema
from syntagma.grammar.report import Report

DEFINITIONS = st.sampled_from([
    True,
    {"type": "integer"},
    {"maxItems": 1},
    {"properties": {"a": {"$ref": "#/$defs/r"}}},
    {"type": "array", "items": {"$ref": "#/$defs/r"}, "minItems": 1},
    {"enum": [[], {"a": [1]}, 3]},
])  # fmt: skip
TREE = {
    "type": "object",
    "properties": {"v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#"}}},
    "required": ["v"],
    "additionalProperties": False,
}
NUMBER = re.compile(r'("(?:[^"\\]|\\.)*")|-?[0-9][0-9.eE+-]*')


def build(schema: Any, definition: Any = None, **options: Any) -> tuple[Oracle | None, Report | None]:
    """Compile; ``None`` where no value satisfies the schema, and out of the question where it is refused."""
    if not isinstance(schema, dict):
        schema = {"allOf": [schema]}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "$defs": {"r": {} if definition is None else definition},
    }
    try:
        grammar, report = compile_schema(JsonSchema(schema, **options))
    except Unsatisfiable:
        return None, None
    except (Unsupported, LimitExceeded):
        assume(False)  # what is refused makes no promise
        raise
    return Oracle(grammar), report


BYTES = sg.Vocabulary([bytes([c]) for c in range(256)] + [None], eos_ids=[256])


def accepts(oracle: Oracle | None, text: str) -> bool:
    return oracle is not None and oracle.accepts(text.encode())


def texts(value: Any, indent: int | None) -> list[str]:
    """A value as ``json.dumps`` writes it, in some orders of its members."""
    return [json.dumps(v, indent=indent, ensure_ascii=False) for v in itertools.islice(orders(value), 24)]


def walk(oracle: Oracle, seed: int, steps: int) -> str | None:
    """A random text of the machine, or ``None`` where it got too long; fails at a dead end.

    The oracle knows what is accepted, the machine besides what can be finished: keys and items that must differ may run out.
    """
    rng = random.Random(seed)
    constraint = Constraint.from_grammar(oracle.grammar, BYTES)
    with constraint.session() as session:
        return walk_in(session, rng, steps)


def walk_in(session: Session, rng: random.Random, steps: int) -> str | None:
    here = session.start
    text = b""
    for _ in range(steps):
        allowed = [b for b in range(256) if session.advance_bytes(here, bytes([b]))]
        if session.is_accepting(here) and (rng.random() < 0.3 or not allowed):
            return text.decode()
        assert allowed, f"dead end after {text!r}"
        plain = [b for b in allowed if b < 0x80]
        if not plain:
            return None
        structural = [b for b in plain if b in b'"}],:truefalsn01ab\n ']
        byte = rng.choice(structural if structural and rng.random() < 0.9 else plain)
        here = session.advance_bytes(here, bytes([byte]))
        text += bytes([byte])
    return None


# -- an exact indent --------------------------------------------------------------------------


@given(schemas(), DEFINITIONS, VALUES, st.integers(0, 3), st.sampled_from(["schema", "any"]))
def test_an_indent_is_the_layout_of_json_dumps(schema: Any, definition: Any, value: Any, n: int, order: str) -> None:
    """Of the texts that any white space allows, exactly those are accepted that ``json.dumps(value, indent=n)`` writes."""
    exact, _ = build(schema, definition, whitespace=n, property_order=order)
    bounded, _ = build(schema, definition, property_order=order)
    for indent in (None, 0, 1, 2, 3, 4):
        for text in texts(value, indent):
            right = text == json.dumps(json.loads(text), indent=n, ensure_ascii=False)
            assert accepts(exact, text) == (right and accepts(bounded, text)), (text, schema)


@given(schemas(), DEFINITIONS, st.integers(0, 3), st.integers(0, 1 << 30))
def test_random_texts_have_the_layout_and_every_prefix_is_alive(
    schema: Any, definition: Any, n: int, seed: int
) -> None:
    """Nothing but the layout can be written, whatever is chosen, and nothing leads to a dead end."""
    oracle, _ = build(schema, definition, whitespace=n, escapes="ascii")
    assume(oracle is not None)
    assert oracle is not None
    text = walk(oracle, seed, 60)
    if text is not None:
        value = json.loads(text, object_pairs_hook=without_repetition, parse_float=lambda _: 1, parse_int=lambda _: 1)
        assert NUMBER.sub(lambda m: m[1] or "1", text) == json.dumps(value, indent=n)


def test_an_indent_reaches_far_and_no_further() -> None:
    """A free schema is indented down to the default depth, which the report states; a schema that ends has no limit."""
    for n in (2, 8):
        grammar, report = compile_schema(JsonSchema({}, whitespace=n))
        oracle = Oracle(grammar)
        nested: Any = 1
        for depth in range(1, INDENT_DEPTH + 2):
            nested = [nested] if depth % 2 else {"a": nested, "b": {}, "c": []}
            assert oracle.accepts(json.dumps(nested, indent=n).encode()) == (depth <= INDENT_DEPTH)
        entry = next(e for e in report.entries if e.keyword == "max_depth")
        assert (entry.status, str(INDENT_DEPTH) in entry.reason, report.complete) == ("narrowed", True, False)
    deep: Any = {"const": 1}
    value: Any = 1
    for _ in range(INDENT_DEPTH + 8):
        deep, value = {"type": "array", "items": deep}, [value]
    grammar, report = compile_schema(JsonSchema(deep, whitespace=1))
    assert report.complete
    assert Oracle(grammar).accepts(json.dumps(value, indent=1).encode())


def test_the_rules_of_an_indent_are_limited() -> None:
    """Too many copies of rules are a typed error with the name of the limit and the options that help."""
    with pytest.raises(LimitExceeded) as caught:
        compile_schema(JsonSchema(TREE, whitespace=2, max_depth=100, limits=SchemaLimits(depth_rules=50)))
    assert caught.value.limit == "depth_rules"
    assert "max_depth" in str(caught.value)
    assert "SchemaLimits.depth_rules" in str(caught.value)


# -- a limit on depth -------------------------------------------------------------------------


@given(schemas(), DEFINITIONS, VALUES, st.integers(0, 4), st.sampled_from(["schema", "any"]))
def test_a_limit_on_depth_leaves_exactly_the_flat_values(
    schema: Any, definition: Any, value: Any, limit: int, order: str
) -> None:
    """A value is accepted exactly if it is without the limit and is no deeper; if some is lost, the report says so."""
    flat, report = build(schema, definition, max_depth=limit, property_order=order)
    free, _ = build(schema, definition, property_order=order)
    fits = height_of(value) <= limit
    for text in texts(value, None):
        assert accepts(flat, text) == (fits and accepts(free, text)), (text, schema)
        if report is not None and accepts(free, text) and not fits:
            assert not report.complete
            assert any(e.keyword == "max_depth" and e.status == "narrowed" for e in report.entries)


@given(schemas(), DEFINITIONS, st.integers(0, 3), st.sampled_from(["schema", "any"]), st.integers(0, 1 << 30))
def test_a_limit_on_depth_is_no_dead_end(schema: Any, definition: Any, limit: int, order: str, seed: int) -> None:
    """A value is begun only where its least nesting fits, and no text is deeper than the limit."""
    oracle, _ = build(schema, definition, max_depth=limit, property_order=order)
    assume(oracle is not None)
    assert oracle is not None
    text = walk(oracle, seed, 60)
    if text is not None:
        assert height_of(json.loads(text)) <= limit


def test_a_limit_on_depth_looks_ahead() -> None:
    """A member is not begun where what it requires would be too deep, and a schema that needs more is unsatisfiable."""
    grammar, _ = compile_schema(JsonSchema(TREE, max_depth=3, whitespace="compact"))
    oracle = Oracle(grammar)
    assert oracle.accepts(b'{"v":1,"kids":[{"v":2}]}')
    assert oracle.accepts(b'{"v":1,"kids":[{"v":2}]}')
    assert not oracle.run(b'{"v":1,"kids":[{"v":2,')
    shallow = Oracle(compile_schema(JsonSchema(TREE, max_depth=2, whitespace="compact"))[0])
    assert shallow.accepts(b'{"v":1,"kids":[]}')
    assert not shallow.run(b'{"v":1,"kids":[{')
    needy = {"type": "object", "required": ["a"], "properties": {"a": {"type": "array", "minItems": 1, "items": TREE}}}
    with pytest.raises(Unsatisfiable, match="more than 2 containers") as caught:
        compile_schema(JsonSchema({**needy, "additionalProperties": False, "properties": {"a": {
            "type": "array", "minItems": 1, "items": {"type": "object"}}}}, max_depth=2))  # fmt: skip
    assert "max_depth" in str(caught.value)


def test_a_limit_that_cannot_bite_is_not_reported() -> None:
    """Where no value is deeper the rules are the usual ones and all keywords stay exact."""
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}, "additionalProperties": False}  # fmt: skip
    plain, _ = compile_schema(JsonSchema(schema))
    limited, report = compile_schema(JsonSchema(schema, max_depth=2))
    assert len(plain.rules) == len(limited.rules)
    assert report.complete
    assert not compile_schema(JsonSchema(schema, max_depth=1))[1].complete


def test_the_least_height_is_found_behind_a_branch_that_recurs() -> None:
    """The search for the least nesting goes level by level, so that a large limit costs no more than a small one."""
    schema = {"anyOf": [{"type": "array", "minItems": 1, "items": {"$ref": "#"}}, {"type": "null"}]}
    grammar, _ = compile_schema(JsonSchema(schema, max_depth=2000))
    assert len(grammar.rules) > 2000
    with pytest.raises(LimitExceeded, match="max_depth"):
        compile_schema(JsonSchema(schema, max_depth=1_000_000, limits=SchemaLimits(deadline=60)))


# -- a limit on digits ------------------------------------------------------------------------


@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={
            "minimum": st.integers(-2000, 2000) | st.sampled_from([0.5, -99.75]),
            "maximum": st.integers(-2000, 2000) | st.sampled_from([0.25, 99.5]),
            "multipleOf": st.sampled_from([1, 3, 0.5, 0.01, 100]),
        },
    ),
    st.integers(1, 3),
    st.integers(0, 3),
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,4})(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,4})?\Z"),
)
def test_digits_are_counted_and_nothing_else(schema: Any, whole: int, places: int, text: str) -> None:
    """A number is accepted exactly if it is without the limit and no run of its digits is longer; with bounds, no exponent."""
    limited, report = build(schema, max_digits=(whole, places))
    free, _ = build(schema)
    before, after, exponent = re.fullmatch(r"-?([0-9]+)(?:\.([0-9]+))?(?:[eE][+-]?([0-9]+))?", text).groups("")  # type: ignore[union-attr]
    fits = len(before) <= whole and len(after) <= places and len(exponent) <= 3
    if exponent and len(schema) > 1:
        fits = False  # with bounds and a limit on digits, numbers are written plainly
    assert accepts(limited, text) == (fits and accepts(free, text))
    if accepts(free, text) and not exponent and (len(before) > whole or len(after.rstrip("0")) > places):
        assert report is None or not report.complete


@given(
    st.booleans(), st.none() | st.integers(-30, 30), st.none() | st.integers(-30, 30), st.booleans(), st.booleans(),
    st.sampled_from([None, Decimal("0.5"), 3, Decimal("0.1"), 7]), st.sampled_from([(), (2,), (Decimal("0.5"),)]),
    st.integers(0, 1),
)  # fmt: skip
def test_what_digits_lose_is_known(
    integers: bool, low: Any, high: Any, low_open: bool, high_open: bool, multiple: Any, avoid: Any, places: int
) -> None:
    """Values that one digit before the point and so many behind it cannot write, and values left, against a grid."""
    spec = NumberSpec(integers, low, high, low_open, high_open, multiple, avoid, (1, places))
    lost = kept = False
    for n in range(-4000, 4001):
        value = Decimal(n) / 100
        meets = (
            (low is None or value > low or (value == low and not low_open))
            and (high is None or value < high or (value == high and not high_open))
            and (not integers or value % 1 == 0)
            and (multiple is None or value % multiple == 0)
            and all(value % m for m in avoid)
        )
        if meets:
            short = abs(value) < 10 and (value * 10**places) % 1 == 0
            kept, lost = kept or short, lost or not short
    assert number_is_inhabited(spec) == kept
    assert digits_lose(spec) == lost


def test_digits_are_limited_where_they_run_on_and_listed_values_stay() -> None:
    """One number serves both sides of the point; ``enum`` is written as it is; zeros that say nothing count too."""
    oracle = Oracle(compile_schema(JsonSchema({"anyOf": [{"type": "number"}, {"enum": [12345]}]}, max_digits=4))[0])
    assert oracle.accepts(b"1234.5678e-300")
    assert not oracle.run(b"1e1000")
    _, report = compile_schema(JsonSchema({"type": "integer", "minimum": 0, "maximum": 999}, max_digits=3))
    assert report.complete
    every = Oracle(compile_schema(JsonSchema({"enum": [12345, 1.5]}, max_digits=3, escapes="all"))[0])
    assert every.accepts(b"12345.000")
    assert every.accepts(b"1.500")
    assert not every.accepts(b"12345.0000")
    assert not every.accepts(b"1.5000")
    with pytest.raises(Unsatisfiable, match="max_digits"):
        compile_schema(JsonSchema({"type": "integer", "minimum": 1000}, max_digits=3))
    entries = compile_schema(JsonSchema({"items": {"type": "number"}, "type": "array"}, max_digits=3))[1].entries
    assert [(e.pointer, e.status) for e in entries if e.keyword == "max_digits"] == [("#/items", "narrowed")]


@pytest.mark.parametrize(
    "options",
    [
        {"whitespace": -1}, {"whitespace": 41}, {"whitespace": True}, {"whitespace": 2.0}, {"max_depth": -1},
        {"max_depth": True}, {"max_depth": "3"}, {"max_digits": 0}, {"max_digits": (3,)}, {"max_digits": (0, 3)},
        {"max_digits": (3, -1)}, {"max_digits": "9"}, {"max_digits": True},
    ],
)  # fmt: skip
def test_wrong_options_are_refused_at_the_door(options: dict[str, Any]) -> None:
    """A number out of its range, or of another type, is an error when the source is made, with the option's name."""
    with pytest.raises(InvalidSource, match=next(iter(options))):
        JsonSchema({}, **options)


# -- the machine ------------------------------------------------------------------------------

TOKENS = [bytes([c]) for c in (*range(32, 127), 10)]
TOKENS += [b"  ", b"    ", b"\n  ", b"\n    ", b'": ', b",\n", b"[\n", b"{\n", b"\n]", b"\n  ]", b"[]", b"{}", b" " * 7, b"12", b"99.", b"e+"]  # fmt: skip


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("schema", "options"),
    [
        (TREE, {"whitespace": 2}),
        ({}, {"whitespace": 5, "max_depth": 4}),
        ({"items": {"enum": [[1, {"a": []}], {}]}, "type": "array"}, {"whitespace": 0}),
        (TREE, {"max_depth": 3}),
        ({}, {"max_depth": 2, "property_order": "any", "max_digits": (2, 1)}),
    ],
    ids=["tree", "free", "listed", "depth", "digits"],
)
def test_the_machine_keeps_every_law_under_the_options(schema: Any, options: dict[str, Any]) -> None:
    """Masks, bounds, budgets and ends agree where rules are copied for each depth."""
    vocab = sg.Vocabulary([*TOKENS, None], eos_ids=[len(TOKENS)])
    check_constraint(sg.compile(sg.JsonSchema(schema, **options), vocab), steps=16)
