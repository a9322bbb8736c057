"""Tokenizers of mistral-common: a Tekkenizer, a SentencePiece model, or the object around one of them."""

from __future__ import annotations

from functools import partial
from typing import Any

from ...grammar.errors import TokenizerError
from . import sentencepiece
from .source import Source


def read(tokenizer: Any, *, given: object = None) -> Source:  # noqa: ANN401 - the package is optional
    """Read a ``MistralTokenizer``, ``Tekkenizer`` or ``SentencePieceTokenizer``; ``given`` is the object to be kept.

    Raises:
        TokenizerError: another class of the package.

    """
    given = tokenizer if given is None else given
    instruct = getattr(tokenizer, "instruct_tokenizer", tokenizer)
    inner = getattr(instruct, "tokenizer", instruct)
    kind = type(inner).__name__
    if kind == "Tekkenizer":
        return _tekkenizer(inner, given)
    if kind == "SentencePieceTokenizer":
        return sentencepiece.read(inner._model, given=given)  # noqa: SLF001 - it has no public name
    raise TokenizerError(
        f"{kind} of mistral-common is not a tokenizer that Syntagma can read",
        hint="pass the MistralTokenizer, or the path of its tekken.json or .model file",
    )


def _tekkenizer(tokenizer: Any, given: object) -> Source:  # noqa: ANN401 - as above
    from mistral_common.tokens.tokenizers.base import SpecialTokenPolicy

    tokens: list[bytes | None] = [
        None if tokenizer.is_special(i) else tokenizer.id_to_byte_piece(i, SpecialTokenPolicy.RAISE)
        for i in range(tokenizer.n_words)
    ]
    names = {i: tokenizer.id_to_piece(i) for i, text in enumerate(tokens) if text is None}
    return Source(
        name="the tekken tokenizer",
        special={str(piece): i for i, piece in names.items()},
        tokens=tokens,
        eos_ids=(int(tokenizer.eos_id),),
        pad_ids=(int(tokenizer.pad_id),),
        encode=partial(_encode, tokenizer),
        tokenizer=given,
    )


def _encode(tokenizer: Any, text: str) -> list[int]:  # noqa: ANN401 - as above
    return [int(i) for i in tokenizer.encode(text, bos=False, eos=False)]
