"""``uniqueItems`` over strings: no item twice, and never a way to where every string is used."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from test_jsonschema_order import compiled

from syntagma.automata.conformance import check_constraint
from syntagma.grammar.errors import Unsatisfiable, Unsupported

pytestmark = pytest.mark.kernel

WORDS = ["a", "b", "ab"]
ARRAYS: dict[str, dict[str, Any]] = {
    "few words": {"items": {"enum": WORDS}, "minItems": 2},
    "any strings": {"items": {"type": "string"}, "maxItems": 3},
    "short strings of a pattern": {"items": {"type": "string", "pattern": "^[ab]*$", "minLength": 1, "maxLength": 2}},
    "one word": {"items": {"const": "a"}},
    "arrays in arrays": {"items": {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": True}, "maxItems": 2},
}


def unique(schema: dict[str, Any], **options: Any) -> Any:
    """The constraint of an array whose items are unique; the outer one of two is not where its items are arrays."""
    nested = schema["items"].get("type") == "array"
    return compiled({"type": "array", "uniqueItems": not nested, **schema}, **options)


@pytest.mark.parametrize("name", ARRAYS)
def test_unique_strings_keep_every_law(name: str) -> None:
    """Masks, bounds, budgets and ends are right where items may not come twice."""
    check_constraint(unique(ARRAYS[name]), steps=16)


@pytest.mark.parametrize("least", [0, 1, 2, 3])
def test_exactly_the_arrays_without_repetition_are_accepted(least: int) -> None:
    """Of all sequences of the words those are accepted that are long enough and repeat none."""
    constraint = unique({"items": {"enum": WORDS}, "minItems": least}, whitespace="compact")
    for length in range(5):
        for items in itertools.product(WORDS, repeat=length):
            text = json.dumps(items, separators=(",", ":"))
            assert constraint.accepts(text) == (length >= least and len(set(items)) == length), text


def test_more_items_than_there_are_strings_are_unsatisfiable() -> None:
    """Four different ones of three words do not exist, which is an error that says where."""
    with pytest.raises(Unsatisfiable, match="#/properties/x"):
        compiled(
            {
                "type": "object",
                "required": ["x"],
                "properties": {"x": {"type": "array", "items": {"enum": WORDS}, "minItems": 4, "uniqueItems": True}},
            }
        )


@pytest.mark.parametrize(
    "schema",
    [
        {"items": {"type": "object"}},
        {"items": {"type": ["string", "null"]}},
        {"prefixItems": [{"enum": ["a", "b"]}, {"enum": ["a"]}]},
        {"contains": {"const": "a"}, "items": {"type": "string"}},
    ],
)
def test_what_cannot_be_told_apart_is_refused_by_name(schema: dict[str, Any]) -> None:
    """Items that are no strings, and combinations that are not exact, are refused; with ``widen`` the report says so."""
    with pytest.raises(Unsupported, match="uniqueItems"):
        compiled({"type": "array", "uniqueItems": True, **schema})
    report = compiled({"type": "array", "uniqueItems": True, **schema}, on_unsupported="widen").report
    assert report is not None
    assert not report.sound
    assert [e.status for e in report.entries if e.keyword == "uniqueItems"] == ["refused"]


def test_one_item_is_always_unique() -> None:
    """Where there is room for one item alone, ``uniqueItems`` asserts nothing and anything may stand there."""
    constraint = compiled({"type": "array", "maxItems": 1, "uniqueItems": True, "items": {"type": "object"}})
    assert constraint.accepts("[{}]")
