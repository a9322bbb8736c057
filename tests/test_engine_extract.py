"""Typed extraction: prompts, types, and values that validate whatever the model prefers."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Annotated, Any, Literal

import pytest
from tiny_models import tiny_pair
from typing_extensions import TypedDict

from syntagma.engine.extract import Example, ExtractionFailed, Extractor, extract, extract_many
from syntagma.engine.model import LanguageModel, vocabulary_of
from syntagma.engine.summary import summarise
from syntagma.engine.unconstrained import Unconstrained
from syntagma.grammar.errors import BudgetTooSmall, InvalidSource
from syntagma.grammar.jsonschema import JsonSchema

pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed")

MODEL = LanguageModel(*tiny_pair())

SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}, "kind": {"enum": ["red", "green"]}},
    "required": ["ok", "kind"],
    "additionalProperties": False,
}


class Colour(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    """A pydantic model."""

    ok: bool
    kind: Literal["red", "green"]


@dataclasses.dataclass
class ColourData:
    """A dataclass."""

    ok: bool
    kind: Literal["red", "green"]


class ColourDict(TypedDict):
    """A typed dictionary."""

    ok: bool
    kind: Literal["red", "green"]


@pytest.mark.parametrize("kind", [Colour, ColourData, ColourDict, SCHEMA, JsonSchema(SCHEMA)])
def test_every_kind_of_type(kind: Any) -> None:
    """A pydantic model and a dataclass come back as instances, the others as plain data, with legal values."""
    value = extract(MODEL, "The light is green.", kind, max_new_tokens=40)
    if kind in (Colour, ColourData):
        assert type(value) is kind
        value = value.model_dump() if kind is Colour else dataclasses.asdict(value)
    assert isinstance(value["ok"], bool)
    assert value["kind"] in {"red", "green"}


def test_a_bare_model_and_its_tokenizer() -> None:
    """A transformers model and tokenizer do as well as a pair, and share one vocabulary with it."""
    value = extract(MODEL.model, "text", SCHEMA, tokenizer=MODEL.tokenizer, max_new_tokens=40)
    assert value["kind"] in {"red", "green"}
    assert vocabulary_of(MODEL.model, MODEL.tokenizer) is MODEL.vocab
    assert MODEL.vocab.size == 300
    with pytest.raises(InvalidSource, match="tokenizer"):
        extract(MODEL.model, "text", SCHEMA)


def test_many_in_order_and_lazily() -> None:
    """Values come in the order of the texts, the same as one by one."""
    texts = ["a", "bb", "ccc", "a much longer document than the others"]
    values = list(extract_many(MODEL, iter(texts), Colour, max_new_tokens=40, batch_size=3))
    assert values == [extract(MODEL, text, Colour, max_new_tokens=40) for text in texts]


def test_the_types_own_checks() -> None:
    """A validator that no schema expresses rejects the value with an error that carries the text."""

    def never(value: bool) -> bool:
        raise ValueError(f"not {value}")

    class Strict(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        ok: Annotated[bool, pydantic.AfterValidator(never)]

    with pytest.raises(ExtractionFailed) as caught:
        extract(MODEL, "text", Strict, max_new_tokens=40)
    assert isinstance(json.loads(caught.value.text)["ok"], bool)


def test_the_budget() -> None:
    """A budget below the shortest value is an error that names one that is enough."""
    with pytest.raises(BudgetTooSmall) as caught:
        extract(MODEL, "text", SCHEMA, max_new_tokens=5)
    assert extract(MODEL, "text", SCHEMA, max_new_tokens=caught.value.needed)["kind"] in {"red", "green"}
    with pytest.raises(BudgetTooSmall):
        Extractor(MODEL, SCHEMA).check_budget(5)


@pytest.mark.parametrize("kind", [None, "person", 3, ["a"]])
def test_what_is_no_type(kind: Any) -> None:
    """A value that is neither type nor schema is refused with a hint."""
    with pytest.raises(InvalidSource, match="no type to extract"):
        extract(MODEL, "text", kind)


def test_a_type_without_schema() -> None:
    """A type that pydantic cannot put into a schema is refused by name."""
    with pytest.raises(InvalidSource, match="pydantic has no JSON Schema"):
        extract(MODEL, "text", type("Odd", (), {}))


def test_without_pydantic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pydantic a JSON Schema still works, and a dataclass says what is missing."""
    monkeypatch.setitem(sys.modules, "pydantic", None)
    assert extract(MODEL, "text", SCHEMA, max_new_tokens=40)["kind"] in {"red", "green"}
    with pytest.raises(InvalidSource, match="a dataclass needs pydantic"):
        extract(MODEL, "text", ColourData)


def test_the_prompt() -> None:
    """The prompt holds instructions, fields, the worked examples as turns, and the document last."""
    extractor = Extractor(MODEL, SCHEMA, instructions="Do it.", examples=[Example("seen", {"ok": True, "kind": "red"})])
    roles = [message["role"] for message in extractor.prompt(" new ")]
    contents: list[str] = [message["content"] for message in extractor.prompt(" new ")]
    assert roles == ["system", "user", "assistant", "user"]
    assert contents[0] == 'Do it.\n\nFields:\n- ok: boolean\n- kind: one of "red", "green"'
    assert contents[2] == '{"ok":true,"kind":"red"}'
    assert contents[3] == "Text:\nnew"


def test_a_comparison_without_the_constraint() -> None:
    """The same prompts can be decoded under another constraint."""
    done = next(Extractor(MODEL, SCHEMA, constraint=Unconstrained(MODEL.vocab)).run(["text"], max_new_tokens=7))
    assert len(done.tokens) == 7 or done.finish_reason == "eos"


def test_summary() -> None:
    """A schema in words: optional parts, nesting, references, unions, formats, cycles."""
    schema = {
        "type": "object",
        "properties": {
            "when": {"type": "string", "format": "date"},
            "site": {"$ref": "#/$defs/site"},
            "tags": {"type": "array", "items": {"type": "string"}, "description": "at most three"},
            "size": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "any": True,
            "one": {"const": 1},
            "either": {"type": ["string", "null"]},
            "lost": {"$ref": "#/nowhere"},
        },
        "required": ["when", "site"],
        "$defs": {
            "site": {
                "properties": {"name": {"type": "string"}, "inner": {"$ref": "#/$defs/site"}},
                "required": ["name"],
            },
        },
    }
    lines = summarise(schema).split("\n")
    assert lines[:3] == ["- when: date as YYYY-MM-DD", "- site: object", "  - name: string"]
    assert "- tags (optional, list of string: at most three)" in lines
    assert "- size (optional, integer or null)" in lines
    assert "- any (optional, any value)" in lines
    assert "- one (optional, 1)" in lines
    assert "- either (optional, string or null)" in lines
    assert len(lines) < 30
    assert summarise({"type": "array", "items": {"type": "number"}}) == "- the value: list of number"
    assert summarise({}) == "- the value: any value"
