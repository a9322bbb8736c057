"""``syntagma demo``: both runs, and how they are judged."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from syntagma.integrations import demo

if TYPE_CHECKING:
    from pathlib import Path


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


def test_the_demo_without_its_judge(run: Any, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package jsonschema the demo says how to install it, rather than judge its own output."""
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    status, _, error = run("demo", "-m", model)
    assert (status, "pip install 'syntagma[demo]'" in error) == (2, True)
