"""GGUF files: pieces and their kinds from the metadata, without llama.cpp.

The file does not hold the pattern that splits a text, only its name, so the vocabulary that comes out has
exact bytes and cannot encode.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...grammar.errors import TokenizerError
from . import pieces
from .source import Source

MAGIC = b"GGUF"
"""How a GGUF file starts."""

# Kinds of tokens, from the GGUF specification (tokenizer.ggml.token_type).
_NORMAL, _USER_DEFINED, _BYTE = 1, 4, 6

_PREFIX = "tokenizer.ggml."
_ENDS = ("eos_token_id", "eot_token_id", "eom_token_id")
_PADS = ("padding_token_id",)

_WHY_NOT = {
    "bert": "WordPiece keeps no white space",
    "no_vocab": "the file holds no vocabulary",
    "none": "the file holds no vocabulary",
}


def read_file(path: Path) -> Source:
    """Read the tokenizer of a ``.gguf`` file.

    Raises:
        TokenizerError: the package is missing, the file is damaged, or its kind of tokenizer has no exact bytes.

    """
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise TokenizerError(
            "reading a GGUF file needs the package gguf", where=str(path), hint="pip install gguf"
        ) from error
    try:
        fields = GGUFReader(str(path)).fields
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise TokenizerError(f"the GGUF file cannot be read: {error}", where=str(path)) from error
    model = _value(fields, "model")
    if model is None or _PREFIX + "tokens" not in fields:
        raise TokenizerError("the GGUF file holds no tokenizer", where=str(path))
    text_of = _reader(str(model), str(path))
    listed = fields[_PREFIX + "tokens"]
    spelled = [bytes(listed.parts[i]) for i in listed.data]
    kinds = _value(fields, "token_type") or [_NORMAL] * len(spelled)
    if len(kinds) != len(spelled):
        raise TokenizerError(f"{len(spelled)} tokens and {len(kinds)} kinds of tokens", where=str(path))
    tokens = [text_of(piece, kind) for piece, kind in zip(spelled, kinds, strict=True)]
    names = ((piece.decode(errors="replace"), i) for i, piece in enumerate(spelled) if piece and tokens[i] is None)
    return Source(
        name=f"the GGUF tokenizer ({model})",
        tokens=tokens,
        special=dict(names),
        eos_ids=_ids(fields, _ENDS),
        pad_ids=_ids(fields, _PADS),
        tokenizer=str(path),
    )


def _value(fields: Any, key: str) -> Any:  # noqa: ANN401 - values of any kind
    field = fields.get(_PREFIX + key)
    return None if field is None else field.contents()


def _ids(fields: Any, keys: tuple[str, ...]) -> tuple[int, ...]:  # noqa: ANN401 - as above
    found = (_value(fields, key) for key in keys)
    return tuple(dict.fromkeys(int(i) for i in found if i is not None))


def _reader(model: str, where: str) -> Callable[[bytes, int], bytes | None]:
    if model == "gpt2":
        return _byte_level
    if model in ("llama", "t5"):
        return _sentencepiece
    raise TokenizerError(
        f"the tokenizer model {model!r} of a GGUF file has no exact bytes: {_WHY_NOT.get(model, 'it is not known')}",
        where=where,
        hint="pass the model's own tokenizer",
    )


def _byte_level(piece: bytes, kind: int) -> bytes | None:
    if kind == _NORMAL:
        try:
            return pieces.byte_level(piece.decode())
        except UnicodeDecodeError:
            return piece
    return piece if kind == _USER_DEFINED else None


def _sentencepiece(piece: bytes, kind: int) -> bytes | None:
    if kind == _BYTE:
        return pieces.byte_fallback(piece.decode("latin-1"))
    # Converters write the spaces of user-defined tokens either way.
    return piece.replace(pieces.SPACE_MARK.encode(), b" ") if kind in (_NORMAL, _USER_DEFINED) else None
