"""What all sources have in common, and grammars inside grammars."""

from __future__ import annotations

import pytest
from ir_oracle import Oracle

import syntagma as sg
from syntagma.grammar.ir import START, Automaton, Grammar
from syntagma.grammar.jsonschema import compile_schema

SCHEMA = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}, "required": ["a"]}


def test_a_schema_lowers_to_what_it_compiles_to() -> None:
    """``lower`` hands over the rules, the report and the deadline of the source's own limits."""
    lowered = sg.JsonSchema(SCHEMA, limits=sg.SchemaLimits(deadline=7)).lower()
    grammar, report = compile_schema(sg.JsonSchema(SCHEMA))
    assert [rule.key for rule in lowered.grammar.rules] == [rule.key for rule in grammar.rules]
    assert lowered.report.entries == report.entries
    assert lowered.deadline == 7


def test_a_source_is_abstract() -> None:
    """A source without ``lower`` cannot be made."""
    with pytest.raises(TypeError):
        sg.Source()  # type: ignore[abstract]


@pytest.mark.parametrize("text", ['<{"a": [1, 2]}|{"a": []}>', '<{"a": [1, 2]}|{"a": [1]}>x', "<|>", "<1|2>"])
def test_an_included_grammar_reads_what_it_read_by_itself(text: str) -> None:
    """Rules keep their language when another grammar takes them in, twice and behind rules of its own."""
    inner, _ = compile_schema(sg.JsonSchema(SCHEMA))
    outer = Grammar()
    start = outer.rule()
    outer.start = start
    body = Automaton()
    a, b, c, d, e = (body.state() for _ in range(5))
    body.literal(START, b"<", a)
    body.call(a, outer.include(inner), b)
    body.literal(b, b"|", c)
    body.call(c, outer.include(inner), d)
    body.literal(d, b">", e)
    body.accept(e)
    outer.define(start, body)
    one = Oracle(inner)
    left, _, right = text.removeprefix("<").removesuffix(">").partition("|")
    expected = text.endswith(">") and one.accepts(left.encode()) and one.accepts(right.encode())
    assert Oracle(outer).accepts(text.encode()) == expected
