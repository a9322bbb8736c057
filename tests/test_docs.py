"""The examples of the documentation are run: what a reader copies works, and what the text says it gives, it gives."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import jsonschema
import pytest

import syntagma as sg
from syntagma import cli
from syntagma.engine.model import LanguageModel
from syntagma.integrations import smollm2

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/quickstart.md",
    "docs/json-schema.md",
    "docs/regex.md",
    "docs/grammars.md",
    "docs/composition.md",
    "docs/sampling.md",
    "docs/diffusion.md",
    "docs/infilling.md",
    "docs/lattice.md",
)
SHOWN = "# -> "
"""In an example, ``expression  # -> text``: the value is written as that text."""

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 30},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}


class Block(NamedTuple):
    """A fenced block: its language, the line of the page on which its text starts, and the text."""

    language: str
    line: int
    text: str


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for found in re.finditer(r"^```(.*)\n((?s:.*?))^```$", text, re.MULTILINE):
        yield Block(found[1].strip(), text.count("\n", 0, found.start(2)) + 1, found[2])


def instrumented(block: Block, page: str) -> tuple[Any, list[str]]:
    """The compiled example, in which every shown expression is handed to ``_shown`` with its text; and these texts."""
    lines = block.text.splitlines()
    tree = ast.parse(block.text)
    texts: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and SHOWN in (line := lines[(node.end_lineno or 0) - 1]):
            texts.append(line.split(SHOWN)[1].strip())
            arguments = [node.value, ast.Constant(texts[-1])]
            node.value = ast.Call(ast.Name("_shown", ast.Load()), arguments, [])
    assert len(texts) == block.text.count(SHOWN), "only expressions can show their value"
    ast.increment_lineno(tree, block.line - 1)
    return compile(ast.fix_missing_locations(tree), page, "exec", dont_inherit=True), texts


def run_examples(page: str, given: dict[str, Any]) -> dict[str, Any]:
    """Run the Python blocks of a page in one module, one after the other; returns what they define."""
    module = ModuleType("example")
    seen: list[str] = []

    def shown(value: object, text: str) -> None:
        assert text in {repr(value), str(value)}, f"{page} shows {text}, and it is {value!r}"
        seen.append(text)

    vars(module).update(given, _shown=shown)
    wanted: list[str] = []
    for block in blocks(page):
        if block.language == "python":
            code, texts = instrumented(block, page)
            wanted += texts
            exec(code, vars(module))  # noqa: S102 - our own documentation
    assert sorted(seen) == sorted(wanted), "an example that is never reached shows nothing"
    return vars(module)


@pytest.fixture
def loaded(embedded_model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> LanguageModel:
    """The embedded model, in place of loading it another time."""
    monkeypatch.setattr(smollm2, "load", lambda: embedded_model)
    return embedded_model


@pytest.mark.model
@pytest.mark.usefixtures("loaded")
def test_the_quickstart_does_what_it_says() -> None:
    """Its examples run in the order of the page, and every value that it shows is the one that comes out."""
    names = run_examples("docs/quickstart.md", {})
    assert isinstance(names["person"], names["Person"])


def test_the_page_on_json_schema_does_what_it_says() -> None:
    """Every option has an example, and what it shows is what comes out; no model is needed for it."""
    run_examples("docs/json-schema.md", {})
    page = (ROOT / "docs/json-schema.md").read_text(encoding="utf-8")
    options = [field.name for field in dataclasses.fields(sg.JsonSchema) if field.name not in {"schema", "dialect"}]
    for option in options:
        section = page.partition(f"\n### {option}\n")[2].partition("\n##")[0]
        assert f"{option}=" in section
        assert "```python" in section, f"{option} has no example"


def test_the_page_on_regular_expressions_does_what_it_says() -> None:
    """Its examples show what comes out, and its table has a row for every option."""
    run_examples("docs/regex.md", {})
    page = (ROOT / "docs/regex.md").read_text(encoding="utf-8")
    options = {name for name, kind in inspect.signature(sg.Regex).parameters.items() if kind.kind is kind.KEYWORD_ONLY}
    table = page.partition("## Options")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == options


def test_the_page_on_grammars_does_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Its grammars accept and reject what it shows, the errors that it prints are those raised, and its table has all options of Lark."""
    run_examples("docs/grammars.md", {})
    assert capsys.readouterr().out == "".join(
        block.text for block in blocks("docs/grammars.md") if block.language == "text"
    )
    page = (ROOT / "docs/grammars.md").read_text(encoding="utf-8")
    table = page.partition("## Lark")[2].partition("\n### ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [x.name for x in dataclasses.fields(sg.Lark)][1:]


def test_the_page_on_composition_does_what_it_says() -> None:
    """Its examples run in the order of the page, over a vocabulary of their own."""
    run_examples("docs/composition.md", {})


def test_the_page_on_denoising_does_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Its examples run on a model of random numbers, and its table has every policy that is public."""
    names = run_examples("docs/diffusion.md", {})
    assert "no filling of these 3 slots" in capsys.readouterr().out
    page = (ROOT / "docs/diffusion.md").read_text(encoding="utf-8")
    table = page.partition("## Policies")[2].partition("\n## ")[0]
    policies = {
        n for n in names["diffusion"].policies.__all__ if hasattr(getattr(names["diffusion"].policies, n), "decide")
    }
    assert set(re.findall(r"^\| `(\w+)\(", table, re.MULTILINE)) == policies - {"UnmaskPolicy"}


def test_the_page_on_canvases_does_what_it_says() -> None:
    """Best fillings, samples, posteriors, commits and lengths."""
    run_examples("docs/lattice.md", {})


@pytest.mark.model
@pytest.mark.usefixtures("loaded")
def test_the_page_on_infilling_does_what_it_says() -> None:
    """Its example fills two holes of Python source, and what it shows is what comes out."""
    run_examples("docs/infilling.md", {})


@pytest.mark.model
@pytest.mark.usefixtures("loaded")
def test_the_page_on_sampling_does_what_it_says() -> None:
    """Its examples show what comes out, and its table has every built-in residual."""
    run_examples("docs/sampling.md", {})
    page = (ROOT / "docs/sampling.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(\w+)\(", page, re.MULTILINE))
    parts = {
        "Checked",
        "CheckedSession",
        "Closed",
        "Complaint",
        "Guards",
        "JsonResidual",
        "Residual",
        "TextCheck",
        "complaint",
    }
    assert listed == set(sg.residuals.__all__) - parts


@pytest.mark.model
@pytest.mark.usefixtures("loaded")
def test_the_three_lines_of_the_readme_extract() -> None:
    """With a type called Person they give an instance of it, whose fields were read from the sentence."""
    pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed")
    kind = pydantic.create_model("Person", name=str, born=int)
    record = run_examples("README.md", {"Person": kind})["record"]
    assert isinstance(record, kind)
    assert (record.name, record.born) == ("Ada Lovelace", 1815)  # type: ignore[attr-defined]


def command_lines() -> list[tuple[str, int, str]]:
    """Page, line and text of every command in a shell block; comments are cut off."""
    found = []
    for page in PAGES:
        for block in blocks(page):
            if block.language == "sh":
                for i, line in enumerate(block.text.splitlines()):
                    if command := line.partition("  #")[0].strip():
                        found.append((page, block.line + i, command))
    return found


@pytest.mark.parametrize(
    ("page", "line", "command"), command_lines(), ids=lambda v: v.replace(" ", "_") if isinstance(v, str) else str(v)
)
def test_commands_of_the_pages_can_be_given(
    page: str, line: int, command: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every command in a shell block exists as it is written; those of ``syntagma`` itself are given and succeed."""
    program, *arguments = shlex.split(command)
    assert program in PROGRAMS, f"{page}, line {line}: no test knows how to check {program}"
    monkeypatch.chdir(tmp_path)
    PROGRAMS[program](arguments, request)


def check_make(targets: list[str], _: pytest.FixtureRequest) -> None:
    subprocess.run(["make", "--dry-run", "-C", str(ROOT), *targets], check=True, capture_output=True)  # noqa: S607


def check_bash(arguments: list[str], _: pytest.FixtureRequest) -> None:
    subprocess.run(["bash", "-n", *arguments], check=True, cwd=ROOT, capture_output=True)  # noqa: S607


def check_pip(arguments: list[str], _: pytest.FixtureRequest) -> None:
    """Installing from an index is not for a test; that the names are ours is."""
    action, what = arguments
    name = re.fullmatch(r"(\w+)(?:\[(\w+)\])?", what)
    assert action == "install"
    assert name is not None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert name[1] == project["name"]
    assert name[2] is None or name[2] in project["optional-dependencies"]


def check_syntagma(arguments: list[str], request: pytest.FixtureRequest) -> None:
    if arguments[0] in {"extract", "generate", "infill"}:
        request.getfixturevalue("loaded")
    Path("schema.json").write_text(json.dumps(PERSON), encoding="utf-8")
    Path("documents.jsonl").write_text('{"text": "Maria Lopez is 34 years old."}\n', encoding="utf-8")
    Path("draft.py").write_text("def add(a, b):\n    return <HOLE>\n", encoding="utf-8")
    Path("query.lark").write_text('start: "find" WORD ("and" WORD)*\nWORD: /[a-z]+/\n%ignore " "\n', encoding="utf-8")
    Path("query.txt").write_text("find apples and ???", encoding="utf-8")
    Path("check.py").write_text("def check(text):\n    return True\n", encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert not caught.value.code
    for rows in Path().glob("rows.jsonl"):
        (row,) = map(json.loads, rows.read_text(encoding="utf-8").splitlines())
        jsonschema.validate(row["data"], PERSON)


def check_script(arguments: list[str], _: pytest.FixtureRequest) -> None:
    """Benchmarks take too long for a test; that the script is there and defines every option is not too much."""
    script, *options = arguments
    text = (ROOT / script).read_text(encoding="utf-8")
    assert all(f'"{option}"' in text for option in options if option.startswith("--"))


PROGRAMS: dict[str, Callable[[list[str], pytest.FixtureRequest], None]] = {
    "bash": check_bash,
    "make": check_make,
    "pip": check_pip,
    "python": check_script,
    "syntagma": check_syntagma,
}


def test_every_block_has_a_language() -> None:
    """A block without one would be left out of the tests above."""
    languages = {(page, block.line): block.language for page in PAGES for block in blocks(page)}
    assert set(languages.values()) == {"json", "python", "sh", "text"}, languages


def test_the_readme_lists_the_extras() -> None:
    """The table of extras names each extra of the project, in any order, and no other."""
    table = re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(table) == sorted(project["optional-dependencies"])


def test_links_between_the_pages_lead_somewhere() -> None:
    """Every relative link of a page is a file of the project."""
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / page).read_text(encoding="utf-8")):
            if "://" not in link:
                assert ((ROOT / page).parent / link).exists(), f"{page}: {link}"


def test_pages_name_what_is_public() -> None:
    """Every ``sg.name`` in the pages is listed in the package."""
    for page in PAGES:
        named = set(re.findall(r"\bsg\.(\w+)", (ROOT / page).read_text(encoding="utf-8")))
        assert named <= set(sg.__all__), page


def test_an_example_that_shows_something_else_fails(tmp_path: Path) -> None:
    """A shown value that is wrong, and one that is never reached, fail with the page's name."""
    page = tmp_path / "page.md"
    for example, message in (("1 + 1  # -> 3", "shows 3, and it is 2"), ("if False:\n    1  # -> 1", "never reached")):
        page.write_text(f"```python\n{example}\n```\n", encoding="utf-8")
        with pytest.raises(AssertionError, match=message):
            run_examples(str(page), {})
