"""Readers of tokenizers: one file per format, each returning a ``Source`` (the exact bytes of every id).

No tokenizer library is imported before an object or a file of its kind is at hand.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...grammar.errors import TokenizerError
from . import gguf, huggingface, mistral, sentencepiece, tekken, tiktoken, transformers
from .roundtrip import checked
from .source import Source

__all__ = ["Source", "load"]

# By the top-level package of a class of the object; the first hit along the method resolution order decides.
_OF_PACKAGE: dict[str, Callable[[Any], Source]] = {
    "transformers": transformers.read,
    "tokenizers": huggingface.read,
    "tiktoken": tiktoken.read,
    "mistral_common": mistral.read,
    "sentencepiece": sentencepiece.read,
}

# The files that a model's folder may hold, best first: what the model was trained with, then conversions.
_IN_FOLDER = ("tokenizer.json", "tekken.json", "tokenizer.model")

_JSON_HEAD = 1 << 16
_WANTED = (
    "pass a tokenizer of transformers, tokenizers, tiktoken, mistral-common or sentencepiece, or the path of a "
    "tokenizer.json, tekken.json, .model or .gguf file"
)


def load(tokenizer: object) -> Source:
    """Read ``tokenizer`` (an object or a path) and check its bytes by a round trip.

    Raises:
        TokenizerError: not a tokenizer, or tokens without exact bytes.

    Warns:
        TokenizerWarning: the tokenizer changes its input.

    """
    if isinstance(tokenizer, (str, os.PathLike)):
        return checked(_read_path(Path(os.fspath(tokenizer))))
    for cls in type(tokenizer).__mro__:
        read = _OF_PACKAGE.get(cls.__module__.partition(".")[0])
        if read is not None:
            return checked(read(tokenizer))
    raise TokenizerError(f"{type(tokenizer).__name__} is not a tokenizer that Syntagma can read", hint=_WANTED)


def _read_path(path: Path) -> Source:
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise TokenizerError(
            "there is no such file",
            where=str(path),
            hint="a model's name is not looked up: load its tokenizer with its own library and pass the object",
        )
    try:
        with path.open("rb") as file:
            head = file.read(_JSON_HEAD)
    except OSError as error:
        raise TokenizerError(f"the file cannot be read: {error.strerror}", where=str(path)) from error
    if head.startswith(gguf.MAGIC):
        return gguf.read_file(path)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return huggingface.read_file(path) if b'"added_tokens"' in head else _read_json(path)
    if path.suffix == ".tiktoken":
        raise TokenizerError(
            "a .tiktoken file does not hold the special tokens nor the pattern that splits the text",
            where=str(path),
            hint="build the tiktoken.Encoding and pass it",
        )
    return sentencepiece.read_file(path)


def _read_json(path: Path) -> Source:
    document = tekken.parse(path)
    if isinstance(document, dict) and isinstance(document.get("model"), dict):
        return huggingface.read_file(path)
    return tekken.read_document(document, path)


def _read_folder(path: Path) -> Source:
    found = [path / name for name in _IN_FOLDER if (path / name).is_file()] or sorted(path.glob("*.gguf"))
    if not found:
        raise TokenizerError(f"the folder holds none of {', '.join(_IN_FOLDER)}, *.gguf", where=str(path), hint=_WANTED)
    return _read_path(found[0])
