"""The tables of the page on JSON Schema: made from the code, and true of it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from syntagma.grammar.jsonschema.coverage import COVERAGE, Coverage, Weaker
from syntagma.grammar.jsonschema.dialect import ANNOTATIONS, DIALECTS
from syntagma.grammar.jsonschema.source import JsonSchema, compile_schema

ROOT = Path(__file__).resolve().parents[1]
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "grammar").rglob("*.py")))
CASES = [(row, weaker) for row in COVERAGE for weaker in row.weaker]


@pytest.fixture
def page_script() -> ModuleType:
    """The script that makes the tables."""
    spec = importlib.util.spec_from_file_location("json_schema_page", ROOT / "bench" / "json_schema_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_code_says(page_script: ModuleType) -> None:
    """Nothing in the generated parts was written by hand, or is out of date: bench/json_schema_page.py --write."""
    page = page_script.PAGE.read_text(encoding="utf-8")
    assert page_script.generated(page) == page


def test_every_keyword_has_one_row() -> None:
    """The table lists every assertion and applicator of every dialect once, and the annotations are the rest."""
    listed = [row.keyword for row in COVERAGE]
    assert len(set(listed)) == len(listed)
    assert set(listed) == {k for dialect in DIALECTS.values() for k in dialect.keywords}
    assert not ANNOTATIONS & set(listed)


@pytest.mark.parametrize(("row", "weaker"), CASES, ids=[f"{row.keyword}: {w.case}"[:60] for row, w in CASES])
def test_what_is_said_to_be_weaker_is(row: Coverage, weaker: Weaker) -> None:
    """The schema of each case has that status in its report: what became exact must leave the table."""
    source = JsonSchema(weaker.schema, on_unsupported="widen", **weaker.options)
    entries = compile_schema(source)[1].entries
    assert (row.keyword, weaker.status) in {(e.keyword, e.status) for e in entries}


def test_what_the_code_refuses_or_narrows_is_said() -> None:
    """Every keyword that the code names where it refuses or narrows one has such a case in the table."""
    refused = set(re.findall(r'(?:Refusal\((?:[\w.]+, )?|refuse\([\w.]+, )"([$\w]+)"', SOURCES))
    narrowed = set(re.findall(r'narrow\(\s*[\w.]+,\s*"([$\w]+)"', SOURCES)) - {"max_depth", "max_digits"}
    assert {"uniqueItems", "pattern"} <= refused, "the expression finds nothing any more"
    said = {(row.keyword, weaker.status) for row, weaker in CASES}
    assert {(keyword, "refused") for keyword in refused} <= said
    assert {(keyword, "narrowed") for keyword in narrowed} <= said


def test_every_limit_is_listed(page_script: ModuleType) -> None:
    """Each name that a ``LimitExceeded`` of the front end carries is a row of the table of limits."""
    table = page_script.limit_table()
    folders = (ROOT / "grammar" / "regular", ROOT / "grammar" / "jsonschema")
    paths = [path for folder in folders for path in sorted(folder.glob("*.py")) if path.name != "dawg.py"]  # of choices
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    names = set(re.findall(r'limit="([^"]+)"', text))
    assert len(names) > 10
    for name in names:
        assert f"`{name}`" in table or f"`SchemaLimits.{name}`" in table, name
