"""``syntagma extract``: the rows that are written, and the exit status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from command_line import SCHEMA

from syntagma.engine.extract import extract
from syntagma.integrations import batch

if TYPE_CHECKING:
    from pathlib import Path

    from syntagma.engine.model import LanguageModel


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of an output."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_extract_is_resumable(run: Any, schema: Path, model: Path, tmp_path: Path) -> None:
    """An interrupted run goes on where it stopped, and its rows are those of a run in one go."""
    documents = tmp_path / "docs.jsonl"
    lines = [json.dumps({"id": f"d{i}", "text": f"document {i} " * (i + 1)}) for i in range(5)]
    documents.write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = ["-s", schema, "-m", model, "--max-tokens", 60, "--batch-size", 2, "--temperature", 1.5]
    whole, parts = tmp_path / "whole.jsonl", tmp_path / "parts.jsonl"
    assert run("extract", documents, "-o", whole, *options)[0] == 0
    rows = rows_of(whole)
    assert [row["id"] for row in rows] == [f"d{i}" for i in range(5)]
    for row in rows:
        jsonschema.validate(row["data"], SCHEMA)
    text = whole.read_text(encoding="utf-8")
    cut = text.index("\n", text.index("\n") + 1) + 9  # two whole rows and the beginning of a third
    parts.write_text(text[:cut], encoding="utf-8")
    status, _, error = run("extract", documents, "-o", parts, *options)
    assert (status, "2 of 5 rows" in error, "3 rows written" in error) == (0, True, True)
    assert parts.read_text(encoding="utf-8") == text
    assert "0 rows written" in run("extract", documents, "-o", parts, *options)[2]


def test_extract_records_errors_and_goes_on(run: Any, schema: Path, model: Path, tmp_path: Path) -> None:
    """Rows that are no documents, and one too long for the model, fail by themselves; status 1."""
    documents = tmp_path / "docs.jsonl"
    good = json.dumps({"text": "fine"})
    documents.write_text(
        "\n".join([good, "{", '{"no": 1}', json.dumps({"text": "x" * 9000}), "", good]), encoding="utf-8"
    )
    note = tmp_path / "note.txt"
    note.write_text("plain text", encoding="utf-8")
    output = tmp_path / "rows.jsonl"
    options = ["-s", schema, "-m", model, "--max-tokens", 60, "-o", output]
    status, _, error = run("extract", documents, note, *options)
    assert (status, "3 rows written" in error, "3 failed" in error) == (1, True, True)
    rows = {row["id"]: row for row in rows_of(output)}
    assert list(rows) == [*(f"docs.jsonl:{n}" for n in (1, 2, 3, 4, 6)), "note.txt"]
    assert ["error" in row for row in rows.values()] == [False, True, True, True, False, False]
    assert "context" in rows["docs.jsonl:4"]["error"]
    assert run("extract", documents, note, *options)[0] == 0  # nothing left to do
    status, _, error = run("extract", documents, note, *options, "--retry-errors")
    assert (status, "3 of 6 rows" in error) == (1, True)
    assert len(rows_of(output)) == 6


def test_extract_refuses_what_it_would_spoil(run: Any, schema: Path, model: Path, tmp_path: Path) -> None:
    """Equal ids, an output that is something else and a budget too small are errors of the whole run."""
    documents = tmp_path / "docs.jsonl"
    documents.write_text('{"id": 1, "text": "a"}\n{"id": "1", "text": "b"}\n', encoding="utf-8")
    output = tmp_path / "rows.jsonl"
    options = ["-s", schema, "-m", model, "-o", output]
    assert "two documents have the id" in run("extract", documents, *options)[2]
    documents.write_text('{"text": "a"}\n', encoding="utf-8")
    output.write_text("my diary\n", encoding="utf-8")
    status, _, error = run("extract", documents, *options)
    assert (status, "line 1" in error, output.read_text(encoding="utf-8")) == (2, True, "my diary\n")
    output.unlink()
    assert "are enough" in run("extract", documents, *options, "--max-tokens", 2)[2]
    assert output.read_text(encoding="utf-8") == ""


def test_extract_with_worked_examples(run: Any, schema: Path, model: Path, tmp_path: Path) -> None:
    """Worked examples are read from JSON lines, and a line that is none is an error with its place."""
    document, examples, output = tmp_path / "a.txt", tmp_path / "e.jsonl", tmp_path / "o.jsonl"
    document.write_text("text", encoding="utf-8")
    examples.write_text('{"text": "seen", "data": {"age": 1, "kind": "red"}}\n\n', encoding="utf-8")
    options = ["extract", document, "-s", schema, "-m", model, "-o", output, "--examples", examples]
    assert run(*options, "--max-tokens", 60)[0] == 0
    examples.write_text("{}\n", encoding="utf-8")
    status, _, error = run(*options)
    assert (status, "line 1" in error) == (2, True)


def test_a_row_keeps_the_text_of_its_numbers() -> None:
    """A number that no float holds is written as it was generated, and a row is one line."""
    row = batch.Row("a\n", '{\n"x": 1e999}')
    assert row.line == '{"id": "a\\n", "data": { "x": 1e999}}'


@pytest.mark.model
def test_extract_with_the_embedded_model(embedded_model: LanguageModel) -> None:
    """The embedded model finds a name and an age in a sentence."""
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 40}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    value = extract(embedded_model, "Maria Lopez is 34 years old and lives in Lisbon.", schema, max_new_tokens=60)
    assert value == {"name": "Maria Lopez", "age": 34}


def test_extract_from_a_file_that_is_no_utf8(run: Any, schema: Path, model: Path, tmp_path: Path) -> None:
    """A document in another encoding ends the run before the first row, with the file's name."""
    document, output = tmp_path / "latin.txt", tmp_path / "rows.jsonl"
    document.write_bytes("é".encode("latin-1"))
    status, _, error = run("extract", document, "-s", schema, "-m", model, "-o", output)
    assert (status, "latin.txt" in error, "not UTF-8" in error) == (2, True, True)
    assert not output.exists()


@pytest.mark.parametrize(
    "content",
    [
        "notes without an end of line",
        '{"id": "1", "text": "a document"}\n',
        '{"id": "1", "text": "a document"}',
        "[1]\n",
    ],
)
def test_extract_leaves_the_files_of_others_alone(
    run: Any, schema: Path, model: Path, tmp_path: Path, content: str
) -> None:
    """An output that is no output of an extraction is refused, and not cut to its last line."""
    output, documents = tmp_path / "rows.jsonl", tmp_path / "a.txt"
    output.write_text(content, encoding="utf-8")
    documents.write_text("A text.", encoding="utf-8")
    status, _, error = run("extract", "-s", schema, documents, "-o", output, "--model", model, "--max-tokens", 40)
    assert status == 2
    assert "is no row of an extraction" in error
    assert output.read_text(encoding="utf-8") == content


def test_extract_into_its_own_documents(run: Any, schema: Path, model: Path, tmp_path: Path) -> None:
    """The documents are never the output."""
    documents = tmp_path / "rows.jsonl"
    documents.write_text('{"text": "a"}\n', encoding="utf-8")
    status, _, error = run("extract", "-s", schema, documents, "-o", documents, "--model", model)
    assert status == 2
    assert "the file is one of the documents" in error


def test_extract_where_nothing_can_be_written(run: Any, schema: Path, tmp_path: Path) -> None:
    """A folder that does not exist is said before the model is loaded."""
    documents = tmp_path / "a.txt"
    documents.write_text("A text.", encoding="utf-8")
    status, _, error = run("extract", "-s", schema, documents, "-o", tmp_path / "no" / "rows.jsonl", "--model", "none")
    assert status == 2
    assert "the file cannot be written" in error


def test_extract_from_half_of_a_surrogate_pair(run: Any, schema: Path, model: Path, tmp_path: Path) -> None:
    """A line whose text or id no file can hold is an error row of its own, and the others go on."""
    documents, output = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    documents.write_text(
        '{"text": "a\\ud800b"}\n{"id": "\\udfff", "text": "b"}\n{"text": "\\ud83d\\ude00"}\n', encoding="utf-8"
    )
    status, _, _ = run("extract", "-s", schema, documents, "-o", output, "--model", model, "--max-tokens", 40)
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert status == 1
    assert ["error" in row for row in rows] == [True, True, False]
