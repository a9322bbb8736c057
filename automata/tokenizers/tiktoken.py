"""``tiktoken.Encoding``: bytes are what it stores, special tokens are listed apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .source import Source, well_known_ends

if TYPE_CHECKING:
    from tiktoken import Encoding


def read(encoding: Encoding) -> Source:
    """Read a ``tiktoken.Encoding``; ids without a token are holes."""
    special = {encoding.encode_single_token(name): name for name in encoding.special_tokens_set}
    tokens: list[bytes | None] = []
    for i in range(encoding.n_vocab):
        try:
            tokens.append(None if i in special else encoding.decode_single_token_bytes(i))
        except KeyError:
            tokens.append(None)
    return Source(
        name=f"the tiktoken encoding {encoding.name!r}",
        tokens=tokens,
        eos_ids=well_known_ends((name, i) for i, name in special.items()),
        special={name: i for i, name in special.items()},
        encode=encoding.encode_ordinary,
        tokenizer=encoding,
    )
