"""Tokenizers of transformers: the fast ones hold a ``tokenizers.Tokenizer``, the slow ones are read by their kind."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ...grammar.errors import TokenizerError
from . import huggingface, mistral, pieces
from .source import Source


def read(tokenizer: Any) -> Source:  # noqa: ANN401 - the classes have changed names between versions
    """Read a ``PreTrainedTokenizer`` of any kind.

    Raises:
        TokenizerError: a slow tokenizer whose pieces have no exact bytes.

    """
    wrapped = getattr(tokenizer, "tokenizer", None)
    if type(wrapped).__module__.startswith("mistral_common"):
        return mistral.read(wrapped, given=tokenizer)
    special = frozenset(int(i) for i in tokenizer.all_special_ids)
    ends = _one(tokenizer.eos_token_id)
    pads = _one(tokenizer.pad_token_id)
    encode = partial(_encode, tokenizer)
    name = type(tokenizer).__name__
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return huggingface.source_of(
            backend, given=tokenizer, encode=encode, eos_ids=ends, pad_ids=pads, never_text=special, name=name
        )
    text_of = _text_of(tokenizer, name)
    added = tokenizer.added_tokens_decoder
    tokens: list[bytes | None] = []
    for i in range(max([len(tokenizer) - 1, *added]) + 1):
        if i in special:
            tokens.append(None)
        elif i in added:
            tokens.append(None if added[i].special else str(added[i].content).encode())
        else:
            piece = tokenizer.convert_ids_to_tokens(i)
            tokens.append(text_of(piece) if isinstance(piece, str) else None)
    names = {i: tokenizer.convert_ids_to_tokens(i) for i, text in enumerate(tokens) if text is None}
    return Source(
        name=name,
        tokens=tokens,
        eos_ids=ends,
        pad_ids=pads,
        special={piece: i for i, piece in names.items() if isinstance(piece, str) and piece},
        encode=encode,
        tokenizer=tokenizer,
    )


def _one(token: int | None) -> tuple[int, ...]:
    return () if token is None else (int(token),)


def _encode(tokenizer: Any, text: str) -> list[int]:  # noqa: ANN401 - as above
    # Not verbose: a text longer than the model's window is no mistake here.
    return [int(i) for i in tokenizer.encode(text, add_special_tokens=False, verbose=False)]


def _text_of(tokenizer: Any, name: str) -> Callable[[str], bytes]:  # noqa: ANN401 - as above
    if getattr(tokenizer, "sp_model", None) is not None:
        return _sentencepiece
    if getattr(tokenizer, "byte_decoder", None) is not None:
        return pieces.byte_level
    if hasattr(tokenizer, "_utf_vocab_size"):  # ByT5 and its kin: one character below U+0100 per byte
        return _latin1
    raise TokenizerError(
        f"{name} is a slow tokenizer whose pieces are joined by its own code, so they have no exact bytes",
        hint="use the fast tokenizer of the model (AutoTokenizer.from_pretrained(..., use_fast=True)) where it has one",
    )


def _sentencepiece(piece: str) -> bytes:
    return pieces.byte_fallback(piece) or pieces.sentencepiece_text(piece)


def _latin1(piece: str) -> bytes:
    return piece.encode("latin-1")
