"""What every command has: a way to run it, a schema and grammars in files, and a tiny random model in a folder."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from command_line import GRAMMARS, SCHEMA
from rich.console import Console
from tiny_models import tiny_pair

from syntagma import cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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


@pytest.fixture
def grammars(tmp_path: Path) -> dict[str, Path]:
    """Grammars in files, each in the notation that its name says."""
    for name, text in GRAMMARS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return {name: tmp_path / name for name in GRAMMARS}
