"""The demo's schema, documents and key agree with each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

DEMO = Path(__file__).resolve().parents[1] / "bench" / "demo"
SCHEMA: dict[str, Any] = json.loads((DEMO / "schema.json").read_text(encoding="utf-8"))
DOCUMENTS = sorted(DEMO.glob("*.txt"))
KEY: list[dict[str, Any]] = [json.loads(line) for line in (DEMO / "key.jsonl").read_text(encoding="utf-8").splitlines()]


def leaves(value: object) -> list[object]:
    """List every scalar of a JSON value."""
    if isinstance(value, dict):
        return [leaf for member in value.values() for leaf in leaves(member)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def test_each_document_has_its_answer() -> None:
    """There are at least twenty documents, numbered without gaps, and as many lines in the key."""
    assert [path.stem for path in DOCUMENTS] == [f"{i:02}" for i in range(1, len(KEY) + 1)]
    assert len(DOCUMENTS) >= 20


def test_the_schema_is_a_schema() -> None:
    """The schema passes its own dialect's metaschema."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("number", range(1, len(KEY) + 1))
def test_the_answer_validates_and_stands_in_the_text(number: int) -> None:
    """Each answer validates, formats included, and each of its values but the Boolean stands in the text."""
    answer = KEY[number - 1]
    validator = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker(["date"]))
    validator.validate(answer)
    text = " ".join((DEMO / f"{number:02}.txt").read_text(encoding="utf-8").split()).casefold()
    missing = [leaf for leaf in leaves(answer) if not isinstance(leaf, bool) and str(leaf).casefold() not in text]
    assert missing == []


def test_the_documents_differ_in_what_they_demand() -> None:
    """Every kind of employment, both answers to `remote`, and ads with and without a salary occur."""
    assert {answer["employment"] for answer in KEY} == set(SCHEMA["properties"]["employment"]["enum"])
    assert {answer["remote"] for answer in KEY} == {True, False}
    assert {"salary" in answer for answer in KEY} == {True, False}
