"""What a reference points to where it depends on how it was reached, and which keywords a metaschema lets mean something."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_oracle import Oracle
from jsonschema import Draft201909Validator, Draft202012Validator
from official_suite import bytes_of
from referencing import Registry
from referencing.jsonschema import DRAFT201909, DRAFT202012

from syntagma.grammar.errors import InvalidSource, Unsupported
from syntagma.grammar.jsonschema.source import JsonSchema, compile_schema

NEW = "https://json-schema.org/draft/2020-12/schema"
OLD = "https://json-schema.org/draft/2019-09/schema"

TREE = {
    "$schema": NEW,
    "$id": "https://example.com/tree",
    "$dynamicAnchor": "node",
    "type": "object",
    "properties": {"data": True, "children": {"type": "array", "items": {"$dynamicRef": "#node"}}},
}
STRICT_TREE = {
    "$schema": NEW,
    "$id": "https://example.com/strict-tree",
    "$dynamicAnchor": "node",
    "$ref": "tree",
    "unevaluatedProperties": False,
}
"""The example of 2020-12, core, appendix C."""

RECURSIVE_TREE = {
    "$schema": OLD,
    "$id": "https://example.com/tree",
    "$recursiveAnchor": True,
    "type": "object",
    "properties": {"data": True, "children": {"type": "array", "items": {"$recursiveRef": "#"}}},
}
RECURSIVE_STRICT_TREE = {
    "$schema": OLD,
    "$id": "https://example.com/strict-tree",
    "$recursiveAnchor": True,
    "$ref": "tree",
    "unevaluatedProperties": False,
}

TREES = st.recursive(
    st.fixed_dictionaries({}, optional={"data": st.integers(0, 3)}),
    lambda inner: st.fixed_dictionaries(
        {}, optional={"data": st.integers(0, 3), "children": st.lists(inner, max_size=2), "daat": st.just(1)}
    ),
    max_leaves=5,
)


def language(schema: Any, **options: Any) -> Oracle:
    """Compile a schema, and let the slow interpreter read the rules."""
    return Oracle(compile_schema(JsonSchema(schema, **options))[0])


@cache
def trees() -> list[tuple[Oracle, Any]]:
    """The tree and the strict tree of both drafts, with a validator of each."""
    out = []
    for base, strict, validator, kind in (
        (TREE, STRICT_TREE, Draft202012Validator, DRAFT202012),
        (RECURSIVE_TREE, RECURSIVE_STRICT_TREE, Draft201909Validator, DRAFT201909),
    ):
        registry: Any = Registry().with_resource(base["$id"], kind.create_resource(base))
        for schema in (base, strict):
            out.append((language(schema, registry={base["$id"]: base}), validator(schema, registry=registry)))
    return out


@given(tree=TREES)
def test_trees_are_those_of_a_validator(tree: dict[str, Any]) -> None:
    """A strict tree is strict at every depth, because its anchor is the outermost; a plain tree is not."""
    for i, (oracle, validator) in enumerate(trees()):
        assert oracle.accepts(bytes_of(in_order(tree))) == validator.is_valid(tree), i


def in_order(tree: dict[str, Any]) -> dict[str, Any]:
    """Write the members of a tree in the order of its schema, at every depth."""
    inner = {"children": [in_order(child) for child in tree["children"]]} if "children" in tree else {}
    return {k: inner.get(k, tree[k]) for k in ("data", "children", "daat") if k in tree}


def nested(depth: int, word: str) -> bytes:
    """Write ``depth`` lists around a word."""
    return b"[" * depth + f'"{word}"'.encode() + b"]" * depth


@given(st.integers(0, 6))
def test_one_schema_means_different_things_in_two_scopes(depth: int) -> None:
    """The same list is reached through two resources with an anchor of one name, and holds what each of them says."""
    schema = {
        "$id": "https://example.com/main",
        "properties": {"a": {"$ref": "as"}, "b": {"$ref": "bs"}},
        "additionalProperties": False,
        "$defs": {
            "list": {
                "$id": "list",
                "anyOf": [{"type": "array", "items": {"$ref": "list"}}, {"$dynamicRef": "#leaf"}],
                "$defs": {"leaf": {"$dynamicAnchor": "leaf", "const": "never"}},
            },
            "as": {"$id": "as", "$ref": "list", "$defs": {"leaf": {"$dynamicAnchor": "leaf", "const": "a"}}},
            "bs": {"$id": "bs", "$ref": "list", "$defs": {"leaf": {"$dynamicAnchor": "leaf", "const": "b"}}},
        },
    }
    oracle = language(schema)
    for name in "ab":
        for word in ("a", "b", "never"):
            text = f'{{"{name}":'.encode() + nested(depth, word) + b"}"
            assert oracle.accepts(text) == (name == word)


def test_a_scope_is_left_with_its_reference() -> None:
    """An anchor that was met on the way to a sibling is not in scope."""
    schema = {
        "$id": "https://example.com/main",
        "allOf": [{"$ref": "first"}, {"$ref": "second"}],
        "$defs": {
            "first": {"$id": "first", "$defs": {"x": {"$dynamicAnchor": "x", "type": "null"}}},
            "second": {
                "$id": "second",
                "items": {"$dynamicRef": "#x"},
                "$defs": {"x": {"$dynamicAnchor": "x", "type": "integer"}},
            },
        },
    }
    oracle = language(schema)
    assert oracle.accepts(b"[1]")
    assert not oracle.accepts(b"[null]")


def test_resources_that_call_each_other_end() -> None:
    """Scopes are finitely many: going round through resources with anchors comes back to schemas that were read."""
    count = 5
    schema = {
        "$id": "https://example.com/main",
        "$ref": "r0",
        "$defs": {
            f"r{i}": {
                "$id": f"r{i}",
                "type": "array",
                "items": {"$ref": f"r{(i + 1) % count}"},
                "prefixItems": [{"$dynamicRef": "#x"}],
                "$defs": {"x": {"$dynamicAnchor": "x", "const": i}},
            }
            for i in range(count)
        },
    }
    oracle = language(schema)
    assert oracle.accepts(b"[0,[0,[0,[0,[0,[0]]]]]]")
    assert not oracle.accepts(b"[0,[1]]")


def test_the_metaschemas_describe_themselves() -> None:
    """A keyword of a wrong type is found at any depth, through the vocabularies and back."""
    for draft in (NEW, OLD):
        oracle = language({"$schema": draft, "$ref": draft}, on_unsupported="widen")
        assert oracle.accepts(b'{"items":{"not":{"minLength":2}}}')
        assert not oracle.accepts(b'{"items":{"not":{"minLength":-2}}}')


def test_a_recursive_reference_is_to_the_root() -> None:
    """``$recursiveRef`` has one value only."""
    with pytest.raises(InvalidSource, match="must be '#'"):
        compile_schema(JsonSchema({"$schema": OLD, "items": {"$recursiveRef": "#/x"}}))


def metaschema(vocabularies: dict[str, bool], base: str = NEW) -> dict[str, Any]:
    """A metaschema of one's own."""
    prefix = base.removesuffix("schema") + "vocab/"
    return {"$schema": base, "$vocabulary": {k if ":" in k else prefix + k: v for k, v in vocabularies.items()}}


def test_what_a_vocabulary_does_not_have_is_an_annotation() -> None:
    """Without the validation vocabulary its keywords assert nothing, and the report says why; applicators still do."""
    registry = {"https://example.com/meta": metaschema({"core": True, "applicator": True})}
    schema = {"$schema": "https://example.com/meta", "properties": {"a": {"type": "string", "minimum": 3}, "b": False}}
    grammar, report = compile_schema(JsonSchema(schema, registry=registry))
    assert Oracle(grammar).accepts(b'{"a":1}')
    assert not Oracle(grammar).accepts(b'{"b":1}')
    by_keyword = {e.keyword: e for e in report.entries}
    assert (by_keyword["minimum"].status, by_keyword["properties"].status) == ("annotation", "exact")
    assert "https://example.com/meta" in by_keyword["minimum"].reason


def test_a_left_out_keyword_does_not_speak_to_its_neighbours() -> None:
    """``unevaluatedProperties`` ignores an ``additionalProperties`` that means nothing."""
    registry = {"https://example.com/meta": metaschema({"core": True, "unevaluated": True})}
    schema = {"$schema": "https://example.com/meta", "additionalProperties": True, "unevaluatedProperties": False}
    oracle = language(schema, registry=registry)
    assert oracle.accepts(b"{}")
    assert not oracle.accepts(b'{"a":1}')


def test_a_vocabulary_that_is_not_known_is_refused_where_it_is_required() -> None:
    """A schema that says it cannot be read without something is not read; an optional something does not matter."""
    for required in (True, False):
        registry = {"https://example.com/meta": metaschema({"core": True, "validation": True, "urn:mine": required})}
        source = JsonSchema({"$schema": "https://example.com/meta", "type": "null"}, registry=registry)
        if required:
            with pytest.raises(Unsupported, match="urn:mine"):
                compile_schema(source)
        else:
            assert not Oracle(compile_schema(source)[0]).accepts(b"1")


def test_a_metaschema_that_is_not_here_is_said_to_be() -> None:
    """The dialect is guessed then, and the report says that it is."""
    _, report = compile_schema(JsonSchema({"$schema": "https://example.com/none", "type": "null"}))
    assert "https://example.com/none" in report.dialect
    assert report.dialect.startswith("2020-12")


def test_a_chosen_dialect_holds_in_its_document() -> None:
    """The caller's choice overrides ``$schema`` in his document, embedded resources included, and in no other."""
    seven = {"$schema": "http://json-schema.org/draft-07/schema", "dependentRequired": {"a": ["b"]}}
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema",
        "properties": {"x": {"$ref": "https://example.com/seven"}, "y": {"$id": "urn:y", **seven}},
    }
    oracle = language(schema, dialect="2020-12", registry={"https://example.com/seven": seven})
    assert oracle.accepts(b'{"x":{"a":1}}')
    assert not oracle.accepts(b'{"y":{"a":1}}')
    assert oracle.accepts(b'{"y":{"a":1,"b":1}}')
