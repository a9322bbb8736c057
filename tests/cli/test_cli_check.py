"""``syntagma check``: what is printed of a schema or grammar, and the exit status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from command_line import GRAMMARS

if TYPE_CHECKING:
    from pathlib import Path


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


FEW_NAMES = {"type": "object", "propertyNames": {"pattern": "^[a-z]{2}$"}, "additionalProperties": {"enum": [1, 2]}}


@pytest.mark.parametrize(
    ("content", "options", "status"),
    [
        ({"type": "integer"}, [], 0),
        ({"minlength": 3, "format": "no-such"}, [], 0),
        ({"items": {"type": "integer"}}, ["--max-depth", 9], 1),
        ({"type": "array", "items": {"type": "integer"}}, ["--max-depth", 1], 0),
        ({}, ["--whitespace", 2], 1),
        ({"type": "number"}, ["--max-digits", "15,6"], 1),
        ({"required": ["a"], "maxProperties": 2, "properties": {"b": {}}}, ["--property-order", "any"], 0),
        ({**FEW_NAMES, "not": {"additionalProperties": {"const": 1}}}, ["--property-order", "any"], 1),
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
