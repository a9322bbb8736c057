"""Where compiled kernels are kept: what the folder's name depends on, and what is done where none can be written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from syntagma.grammar import kernel_cache


def sources(root: Path, files: dict[str, str]) -> Path:
    """A folder with these files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


KERNELS = {"automata/step.py": "@njit", "automata/layout.py": "WIDTH = 3", "grammar/prose.py": "words"}


@pytest.mark.parametrize(
    ("edit", "same"),
    [
        ({"grammar/prose.py": "other words"}, True),
        ({"tests/step.py": "@njit"}, True),
        ({"automata/step.py": "@njit "}, False),
        ({"automata/layout.py": "WIDTH = 4"}, False),
        ({"engine/inner/new.py": "@njit"}, False),
    ],
)
def test_the_digest_is_that_of_kernels_and_their_constants(tmp_path: Path, edit: dict[str, str], *, same: bool) -> None:
    """An edit of a kernel, or of a constant that kernels freeze, is a new digest; any other edit is not."""
    before = kernel_cache.source_digest(sources(tmp_path / "a", KERNELS))
    after = kernel_cache.source_digest(sources(tmp_path / "b", {**KERNELS, **edit}))
    assert (before == after) is same


def test_a_kernel_that_moved_is_another(tmp_path: Path) -> None:
    """Numba knows a kernel by its file, so the names count and not the texts alone."""
    first = kernel_cache.source_digest(sources(tmp_path / "a", {"automata/a.py": "@njit"}))
    assert first != kernel_cache.source_digest(sources(tmp_path / "b", {"automata/b.py": "@njit"}))


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No kernel cache is chosen yet; ours, the home folder's and the temporary folder are below ``tmp_path``."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")  # so that the variable is restored afterwards, whatever set_up does to it
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("SYNTAGMA_CACHE_DIR", str(tmp_path / "own"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return monkeypatch


def chosen() -> str | None:
    kernel_cache.set_up()
    return os.environ.get("NUMBA_CACHE_DIR")


@pytest.mark.usefixtures("environment")
def test_kernels_lie_in_our_cache_folder(tmp_path: Path) -> None:
    """The folder is made below the cache folder, and named by the digest of the installed sources."""
    digest = kernel_cache.source_digest(Path(kernel_cache.__file__).parents[1])
    assert chosen() == str(tmp_path / "own" / "kernels" / digest)
    assert (tmp_path / "own" / "kernels" / digest).is_dir()


def test_the_users_choice_wins(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache folder of Numba that is set already stays as it is, and no folder is made."""
    environment.setenv("NUMBA_CACHE_DIR", "elsewhere")
    assert chosen() == "elsewhere"
    assert not (tmp_path / "own").exists()


def test_a_folder_that_cannot_be_made_is_replaced_by_a_temporary_one(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a writable cache folder the temporary one serves; without that either, Numba keeps its own way."""
    (tmp_path / "own").write_bytes(b"a file where the folder would be")
    place = chosen()
    assert place is not None
    assert Path(place).is_relative_to(tmp_path / "temporary")
    environment.delenv("NUMBA_CACHE_DIR")
    environment.setattr(tempfile, "tempdir", str(tmp_path / "own"))
    assert chosen() is None


def test_the_order_of_cache_folders(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Our own variable wins over the desktop's, and that over the home folder."""
    environment.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    environment.setenv("HOME", str(tmp_path))
    assert kernel_cache.cache_folder() == tmp_path / "own"
    environment.delenv("SYNTAGMA_CACHE_DIR")
    assert kernel_cache.cache_folder() == tmp_path / "xdg" / "syntagma"
    environment.delenv("XDG_CACHE_HOME")
    assert kernel_cache.cache_folder() == tmp_path / ".cache" / "syntagma"
