"""``syntagma infill``: what is written, and the exit status."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_infill_writes_what_python_parses(run: Any, model: Path, tmp_path: Path) -> None:
    """Python is filled so that its own parser takes it, unless the grammar alone is to decide, which is content with less."""
    draft = tmp_path / "draft.py"
    draft.write_text("f(a)<HOLE>= 1\n", encoding="utf-8")
    options = ["infill", "--grammar", "python", draft, "--model", model, "--max-tokens"]
    assert run(*options, 0, "--no-check")[:2] == (0, "f(a)= 1\n")
    status, text, error = run(*options, 0)
    needed = re.search(r"at least (\d+)", error)
    assert (status, text) == (2, "")
    assert needed is not None
    status, text, _ = run(*options, needed[1])
    assert status == 0
    ast.parse(text)
