"""Where compiled kernels are kept: a folder named by a digest of everything that a kernel can depend on.

Numba notices an edit of the file that a cached function stands in, not of a function that it calls in another file: after such
an edit a cached caller goes on with the old callee.  So the cache's place is named by a digest of all our sources, and an edit is a new
place.  Old places are not removed: they may belong to another installed version.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

KERNEL_FOLDERS = ("grammar", "automata", "engine")
CONSTANTS = {"ir.py", "layout.py"}  # files whose constants kernels freeze when they are compiled


def source_digest(root: Path) -> str:
    """Hex digest of every source that holds a kernel or constants that kernels freeze, names included."""
    digest = hashlib.sha256()
    for folder in KERNEL_FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            text = path.read_bytes()
            if b"njit" in text or path.name in CONSTANTS:
                digest.update(path.relative_to(root).as_posix().encode())
                digest.update(text)
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """The folder for everything that Syntagma keeps on disk: ``SYNTAGMA_CACHE_DIR``, else the user's cache directory."""
    named = os.environ.get("SYNTAGMA_CACHE_DIR")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "syntagma"


def set_up() -> None:
    """Choose the folder before Numba is imported; a ``NUMBA_CACHE_DIR`` that the user has set is left alone."""
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    digest = source_digest(Path(__file__).resolve().parents[1])
    for base in (
        cache_folder(),
        Path(tempfile.gettempdir()) / f"syntagma-{os.getuid() if hasattr(os, 'getuid') else 0}",
    ):
        place = base / "kernels" / digest
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(place, os.W_OK):
            os.environ["NUMBA_CACHE_DIR"] = str(place)
            return
