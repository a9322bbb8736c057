"""SentencePiece models: pieces with U+2581 for a space, bytes as ``<0xNN>``, control pieces apart."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from ...grammar.errors import TokenizerError
from . import pieces
from .source import Source


def read(processor: Any, *, given: object = None) -> Source:  # noqa: ANN401 - the package is optional and untyped
    """Read a ``SentencePieceProcessor``; ``given`` is the object or path to be kept."""
    tokens = [_text(processor, i) for i in range(processor.get_piece_size())]
    return Source(
        name="the SentencePiece tokenizer",
        tokens=tokens,
        special={str(processor.id_to_piece(i)): i for i, text in enumerate(tokens) if text is None},
        eos_ids=_one(processor.eos_id()),
        pad_ids=_one(processor.pad_id()),
        encode=partial(_encode, processor),
        # Older versions of the library cannot show what their normaliser does.
        normalise=partial(_normalised, processor) if hasattr(processor, "normalize") else None,
        normaliser="the normalisation rules of the model",
        tokenizer=processor if given is None else given,
    )


def read_file(path: Path) -> Source:
    """Read a SentencePiece ``.model`` file.

    Raises:
        TokenizerError: the package is missing, or the file is no model.

    """
    try:
        from sentencepiece import SentencePieceProcessor
    except ImportError as error:
        raise TokenizerError(
            "reading a SentencePiece model needs the package sentencepiece",
            where=str(path),
            hint="pip install sentencepiece",
        ) from error
    processor = SentencePieceProcessor()
    try:
        loaded = processor.LoadFromSerializedProto(path.read_bytes())
    except (OSError, RuntimeError) as error:
        raise TokenizerError(f"not a SentencePiece model: {error}", where=str(path)) from error
    if not loaded or processor.get_piece_size() == 0:
        raise TokenizerError("not a SentencePiece model", where=str(path))
    return read(processor, given=str(path))


def _text(processor: Any, i: int) -> bytes | None:  # noqa: ANN401 - as above
    if processor.is_control(i) or processor.is_unknown(i) or processor.is_unused(i):
        return None
    piece = str(processor.id_to_piece(i))
    return pieces.byte_fallback(piece) if processor.is_byte(i) else pieces.sentencepiece_text(piece)


def _one(token: int) -> tuple[int, ...]:
    return () if token < 0 else (int(token),)


def _encode(processor: Any, text: str) -> list[int]:  # noqa: ANN401 - as above
    return [int(i) for i in processor.encode(text, out_type=int, add_bos=False, add_eos=False)]


def _normalised(processor: Any, text: str) -> str:  # noqa: ANN401 - as above
    return str(processor.normalize(text))
