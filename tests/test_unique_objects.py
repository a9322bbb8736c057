"""Items that are objects, in any order and spelling: masks of states in question are what each token does."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sizes import size

import syntagma as sg
from syntagma.automata.conformance import check_constraint

pytestmark = pytest.mark.kernel

FREE: dict[str, Any] = {"property_order": "any", "whitespace": "any", "escapes": "all"}
PARTS = [
    '{"',
    '":',
    '",',
    '","',
    '": "',
    '"}',
    '"},',
    '"},{"',
    '"]',
    "}]",
    "  ",
    ",\n",
    '",  "',
    "ab",
    "a",
    "bb",
    '"ab":',
    "\\u00",
    "61",
    '":"x',
    "],",
    "[[",
    "1,",
]
VOCAB = sg.Vocabulary(
    [*(bytes([c]) for c in range(256)), *(p.encode() for p in PARTS), None], eos_ids=[256 + len(PARTS)]
)
WORD = {"enum": ["x", "xy"]}
RECORDS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "closed": (
        {
            "properties": {"a": WORD, "ab": {"type": "string"}, "b": WORD},
            "required": ["b"],
            "additionalProperties": False,
        },
        ['[{"a":"x","ab":"","b":"x"},{"b":"x","ab":"","a":"xy"}]', '[{"b":"x"},{ "\\u0062":"x","a":"x"}]'],
    ),
    "used up": (
        {"properties": {"a": {"const": "x"}, "b": WORD}, "required": ["b"], "additionalProperties": False},
        ['[{"b":"x"},{"b":"xy"},{"b":"x","a":"x"},{"a":"x","b":"xy"}]'],
    ),
    "needs": (
        {
            "properties": {"a": WORD, "ab": {"type": "string"}, "b": WORD},
            "additionalProperties": False,
            "minProperties": 2,
            "dependentRequired": {"ab": ["b"]},
        },
        ['[{"ab":"x","b":"x"},{"b":"x","ab":"x","a":"x"}]', '[{"a":"x","b":"x"},{"b":"x","ab" : "x"}]'],
    ),
    "nested": (
        {
            "properties": {
                "a": {"type": "array", "items": {"type": "object", "additionalProperties": WORD}, "uniqueItems": True}
            },
            "maxProperties": 1,
        },
        ['[{"a":[{"a":"x","b":"x"},{"b":"x"}]},{"a":[{"b":"x","a":"x"},{"a":"x"}]}]'],
    ),
}


def records(name: str) -> Any:
    """The constraint of an array of different records, in the freest surface."""
    items = {"type": "object", **RECORDS[name][0]}
    return sg.compile(sg.JsonSchema({"type": "array", "items": items, "uniqueItems": True}, **FREE), VOCAB)


@pytest.mark.parametrize("name", [*RECORDS][: size(4, plain=1)])
def test_masks_in_question_are_what_each_token_does(name: str) -> None:
    """Along arrays whose later items begin like earlier ones every bit of every mask is what advancing says."""
    constraint = records(name)
    for text in RECORDS[name][1]:
        json.loads(text)
        state = constraint.start
        for byte in text.encode()[: size(400, plain=12)]:
            row = constraint.mask(state)
            bits = np.unpackbits(row.view(np.uint8), bitorder="little")
            for token in range(256 + len(PARTS)):
                assert bool(bits[token]) == (constraint.advance(state, token) != 0), (text, state, token)
            state = constraint.advance(state, byte)
            assert state
        assert constraint.accepts(text)


@pytest.mark.slow
@pytest.mark.parametrize("name", RECORDS)
def test_records_keep_every_law(name: str) -> None:
    """Random walks over arrays of different records keep the laws; none ends where nothing can follow."""
    check_constraint(records(name), RECORDS[name][1], steps=12)
