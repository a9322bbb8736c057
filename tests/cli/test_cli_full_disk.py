"""A disk without room: one line with the file's name, nothing lost that was written, and caches that are only missed."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
import pytest
from numba.core import caching
from tiny_models import tiny_pair

import syntagma as sg
from syntagma.automata.trie import cached_trie
from syntagma.engine.model import LanguageModel
from syntagma.grammar.errors import WriteFailed
from syntagma.grammar.lark import stored
from syntagma.integrations import batch, smollm2
from syntagma.integrations.writing import replace_content

if TYPE_CHECKING:
    from collections.abc import Iterator

resource = pytest.importorskip("resource", reason="limits of files are those of POSIX")

FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")


@contextmanager
def no_room(size: int) -> Iterator[None]:
    """No file can grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def is_one_line(error: str, place: object) -> bool:
    """Whether an error is one line that names a place."""
    lines = [line for line in error.splitlines() if line.startswith("error:")]
    return (
        len(lines) == 1
        and f"{place}: the file cannot be written: No space left" in lines[0]
        and "Traceback" not in error
    )


@FULL
def test_rows_for_a_full_device(run: Any, schema: Path, model: Path, tmp_path: Path) -> None:
    """Rows that cannot be written are an error with status 2."""
    documents = tmp_path / "docs.jsonl"
    documents.write_text(json.dumps({"text": "fine"}) + "\n", encoding="utf-8")
    status, _, error = run("extract", documents, "-o", "/dev/full", "-s", schema, "-m", model, "--max-tokens", 60)
    assert status == 2
    assert is_one_line(error, "/dev/full")


@FULL
@pytest.mark.parametrize("arguments", [["check", "SCHEMA"], ["check", "SCHEMA", "--json"], ["--help"]])
def test_a_full_standard_output(schema: Path, arguments: list[str]) -> None:
    """What is printed to a full device is an error with status 2, and not one at the interpreter's end."""
    command = [sys.executable, "-m", "syntagma", *(str(schema) if a == "SCHEMA" else a for a in arguments)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert is_one_line(done.stderr, "standard output")


def test_whole_rows_are_kept(tmp_path: Path) -> None:
    """Where a row finds no room the file ends with the row before it, and goes on there once there is room."""
    path = tmp_path / "rows.jsonl"
    rows = [batch.Row(f"d{number}", json.dumps("x" * 300)) for number in range(4)]
    output = batch.Output(path)
    with no_room(800):
        output.write(rows[0])
        output.write(rows[1])
        with pytest.raises(WriteFailed, match=r"rows\.jsonl: the file cannot be written") as caught:
            output.write(rows[2])
    assert caught.value.errno == errno.EFBIG
    output.close()
    assert path.read_text(encoding="utf-8") == "".join(row.line + "\n" for row in rows[:2])
    again = batch.Output(path)
    assert again.done == {"d0", "d1"}
    for row in rows[2:]:
        again.write(row)
    again.close()
    assert path.read_text(encoding="utf-8") == "".join(row.line + "\n" for row in rows)


def test_failed_rows_are_not_dropped_for_nothing(tmp_path: Path) -> None:
    """Without room for the rows that stay, an output is left as it was, with nothing beside it."""
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps({"id": "a", "data": "x" * 3000}), json.dumps({"id": "b", "error": "?"})]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    before = path.read_bytes()
    with no_room(1000), pytest.raises(WriteFailed):
        batch.Output(path, retry_errors=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_replaced_or_kept(tmp_path: Path) -> None:
    """A file keeps what it had where there is no room; else it has the new content, its mode, and links stay links."""
    path, link = tmp_path / "done.py", tmp_path / "link.py"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    with no_room(100), pytest.raises(WriteFailed, match=r"link\.py"):
        replace_content(link, b"x" * 500)
    assert path.read_bytes() == b"old"
    replace_content(link, b"new")
    assert (path.read_bytes(), link.is_symlink(), path.stat().st_mode & 0o777) == (b"new", True, 0o640)
    assert sorted(tmp_path.iterdir()) == [path, link]


def test_a_trie_that_cannot_be_kept(tmp_path: Path) -> None:
    """A trie is built where there is no room for it on disk, and nothing is left there."""
    tokens = [bytes([65 + n % 26]) * (n % 97 + 1) + str(n).encode() for n in range(40_000)]
    with no_room(1000):
        trie = cached_trie(tokens, "full", tmp_path)
    assert list(tmp_path.iterdir()) == []
    kept = cached_trie(tokens, "full", tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
    assert all((a == b).all() for a, b in zip(trie, kept, strict=True))


def test_tables_of_a_grammar_that_cannot_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grammar's tables are made where there is no room for them on disk, and nothing is left there."""
    monkeypatch.setenv("SYNTAGMA_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv(stored.SWITCH, raising=False)
    monkeypatch.setattr(stored, "WORTHWHILE", -1.0)
    grammar = 'start: "a" start | WORD\nWORD: /[b-z]+/\n'
    with no_room(100):
        built = sg.Lark(grammar).lower()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert len(built.grammar.rules) == len(sg.Lark(grammar + "\n").lower().grammar.rules)
    assert len(list(tmp_path.rglob("*.tables"))) == 1


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
@pytest.mark.parametrize(("module", "fails"), [("syntagma.automata.made_up", False), ("somebody.else", True)])
def test_kernels_that_cannot_be_kept(monkeypatch: pytest.MonkeyPatch, module: str, *, fails: bool) -> None:
    """A kernel of ours runs where Numba cannot keep it; those of others have their own rules."""

    def save(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def twice(n: int) -> int:
        return 2 * n

    twice.__module__ = module
    kernel = numba.njit(cache=True)(twice)
    monkeypatch.setattr(caching.IndexDataCacheFile, "save", save)
    if fails:
        with pytest.raises(OSError, match="No space"):
            kernel(21)
    else:
        assert kernel(21) == 42


@pytest.mark.parametrize("step", ["folder", "model", "tokenizer"])
def test_a_model_that_cannot_be_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str) -> None:
    """The embedded model is used as it was read where it cannot be kept, and nothing is left of it."""
    pair = LanguageModel(*tiny_pair())
    monkeypatch.setattr(smollm2, "_read", lambda _: pair)
    folder = tmp_path / "models" / "small"
    if step == "folder":
        (tmp_path / "models").write_bytes(b"a file")
        assert smollm2._convert(Path("none"), folder) is pair
        return
    with no_room(100 if step == "model" else 400):
        if step == "tokenizer":
            monkeypatch.setattr(
                type(pair.model), "save_pretrained", lambda _, where: Path(where, "model").write_bytes(b"")
            )
        assert smollm2._convert(Path("none"), folder) is pair
    assert [path.name for path in folder.parent.iterdir()] == ["small.lock"]
    assert smollm2._convert(Path("none"), folder) is None
    assert folder.is_dir()
