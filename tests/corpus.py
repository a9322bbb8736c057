"""The corpus of the laws: schemas by hand and from the wild.

``test_corpus_*.py`` and ``bench/walks.py`` share it, with vocabularies small and real (``corpus_vocabularies``), walks (``corpus_walks``), a judge of their
texts (``corpus_judge``), and what the truth is (``corpus_truth``).  Nothing there asks a mask what the truth is: brute force goes through ``advance`` and
``advance_bytes``, least numbers of tokens through a search over them, and texts to ``json`` and ``jsonschema``.
"""

from __future__ import annotations

import json
import random
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
REAL_SCHEMAS = SHARED / "data" / "maskbench_public.tgz"

TREE = {
    "type": "object",
    "properties": {"v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
    "required": ["v"],
    "additionalProperties": False,
}

HAND: dict[str, Any] = {
    "anything": True,
    "closed record": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "n": {"type": "integer"}, "ok": {"type": "boolean"}},
        "required": ["name", "ok"],
        "additionalProperties": False,
    },
    "open record": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    "extra keys share prefixes": {
        "type": "object",
        "properties": {"na": {"type": "null"}, "name": {"type": "integer"}, "names": {"type": "array"}, "é": {}},
        "required": ["name"],
        "additionalProperties": {"type": "boolean"},
    },
    "only extra keys": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
    "few extra keys": {
        "type": "object",
        "properties": {"a": {"type": "null"}},
        "additionalProperties": {"type": "null"},
        "maxProperties": 3,
    },
    "required extra keys": {"type": "object", "additionalProperties": {"type": "integer"}, "required": ["to", "tags"]},
    "pattern keys": {
        "type": "object",
        "patternProperties": {"^x-": {"type": "string"}, "^[0-9]+$": {"type": "integer"}},
        "additionalProperties": False,
    },
    "named keys": {
        "type": "object",
        "propertyNames": {"pattern": "^[a-c]{1,2}$"},
        "additionalProperties": {"const": 1},
    },
    "string lengths": {"type": "string", "minLength": 3, "maxLength": 6},
    "long string": {"type": "string", "minLength": 20, "maxLength": 200},
    "array lengths": {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4},
    "array of arrays": {
        "type": "array",
        "items": {"type": "array", "items": {"type": "string", "maxLength": 3}, "minItems": 1, "maxItems": 2},
        "maxItems": 3,
    },
    "tuple": {
        "type": "array",
        "prefixItems": [{"type": "integer"}, {"type": "string"}],
        "items": {"type": "null"},
        "minItems": 1,
        "maxItems": 4,
    },
    "contains": {"type": "array", "contains": {"const": "x"}},
    "pattern": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{2,4}$"},
    "pattern with length": {"type": "string", "pattern": "^(ab|c)*$", "minLength": 3, "maxLength": 9},
    "pattern anywhere": {"type": "string", "pattern": "a.b", "maxLength": 8},
    "date": {"type": "string", "format": "date"},
    "integers in a range": {"type": "integer", "minimum": -12, "maximum": 345},
    "numbers in a range": {"type": "number", "exclusiveMinimum": -0.5, "maximum": 10.25},
    "multiples": {"type": "integer", "multipleOf": 5, "minimum": 0, "maximum": 1000},
    "tree": {"$ref": "#/$defs/tree", "$defs": {"tree": TREE}},
    "list": {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "tag": {"enum": ["head", "he", "tail"]}},
        "required": ["next"],
        "additionalProperties": False,
    },
    "enum with shared prefixes": {"enum": ["a", "ab", "abc", "abd", 1, 12, 123, -1, 1.5, True, None, [], {"a": 1}]},
    "unicode": {
        "type": "object",
        "properties": {"größe": {"enum": ["é", "éé", "中文", "😀", 'q"\\']}, "😀": {"type": "string", "maxLength": 2}},
        "required": ["größe"],
        "additionalProperties": False,
    },
    "overlapping anyOf": {
        "anyOf": [
            {"type": "object", "properties": {"kind": {"const": "a"}, "x": {"type": "integer"}}, "required": ["kind"]},
            {"type": "object", "properties": {"kind": {"const": "ab"}, "x": {"type": "string"}}, "required": ["kind"]},
            {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
            {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 3},
        ]
    },
    "oneOf": {
        "oneOf": [
            {"type": "string", "maxLength": 3},
            {"type": "string", "minLength": 2, "maxLength": 5},
            {"type": "integer", "minimum": 0, "maximum": 50},
            {"type": "integer", "minimum": 30, "maximum": 160},
        ]
    },
    "if": {
        "type": "object",
        "properties": {"unit": {"enum": ["cm", "in"]}, "size": {"type": "integer"}},
        "required": ["unit", "size"],
        "additionalProperties": False,
        "if": {"properties": {"unit": {"const": "cm"}}},
        "then": {"properties": {"size": {"maximum": 300}}},
        "else": {"properties": {"size": {"maximum": 120, "minimum": 0}}},
    },
    "dependent": {
        "type": "object",
        "properties": {"card": {"type": "integer"}, "zip": {"type": "string", "pattern": "^[0-9]{5}$"}},
        "dependentRequired": {"card": ["zip"]},
        "additionalProperties": False,
    },
}
"""Schemas by hand: every feature of the machine that JSON Schema reaches, in sizes that searches can cover."""

DEAR = {
    "Snowplow---sp_137_Normalized": "first bounds with budgets take half a minute and 1.5 GB: open objects of strings with lengths",
}
"""Real schemas that the tests leave out, and why; ``bench/walks.py`` walks over them."""


def real_schemas(count: int, *, seed: int) -> dict[str, Any]:
    """A fixed sample of the real schemas by name, without ``DEAR``, or a skip where they are not."""
    if not REAL_SCHEMAS.exists():
        pytest.skip(f"the real schemas are not beside this checkout: {REAL_SCHEMAS.name}")
    everything = _all_real()
    names = random.Random(seed).sample(sorted(everything), count)
    return {name: json.loads(everything[name])["schema"] for name in names if name not in DEAR}


def share(schemas: dict[str, Any], number: int, of: int) -> dict[str, Any]:
    """Every ``of``-th of the schemas: workers that run the shares side by side share the load."""
    return dict(list(schemas.items())[number::of])


@cache
def _all_real() -> dict[str, bytes]:
    texts: dict[str, bytes] = {}
    with tarfile.open(REAL_SCHEMAS) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".json"):
                file = archive.extractfile(member)
                assert file is not None
                texts[Path(member.name).stem] = file.read()
    return texts
