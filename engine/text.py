"""From tokens to text, piece by piece."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .contract import Vocab


class TextStream:
    """Turns tokens into text as they come; a character that is spread over tokens waits for its last byte.

    Attributes:
        n_tokens: tokens read so far.

    """

    def __init__(self, vocab: Vocab) -> None:
        self._tokens = vocab.tokens
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.n_tokens = 0

    def push(self, tokens: Sequence[int]) -> str:
        """Read tokens; the characters that they complete, possibly none."""
        self.n_tokens += len(tokens)
        return self._decoder.decode(b"".join(self._tokens[t] or b"" for t in tokens))

    def close(self) -> str:
        """End the text; a replacement character if it ends within a character."""
        return self._decoder.decode(b"", final=True)
