"""The constraint that allows every text: a baseline to compare with, decoded by the same loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from types import TracebackType

    from .contract import Mask, Vocab

_OPEN = 1
_ENDED = 2


class Unconstrained:
    """Any run of text tokens, ended where the model ends it or where the token budget does."""

    start = _OPEN

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab
        words = (vocab.size + 31) // 32
        flags = np.zeros(words * 32, np.bool_)
        flags[: vocab.size] = [bool(text) for text in vocab.tokens]
        self._text = np.packbits(flags, bitorder="little").view("<u4").astype(np.uint32)
        self._end, self._pad = (np.zeros(words, np.uint32) for _ in range(2))
        for row, ids in ((self._end, vocab.eos_ids), (self._pad, vocab.pad_ids)):
            for i in ids:
                row[i >> 5] |= np.uint32(1 << (i & 31))

    def advance(self, state: int, token: int) -> int:
        """Return the same state for a text token, the ended one for end-of-sequence, 0 for any other."""
        if not 0 <= token < self.vocab.size:
            return 0
        if token in self.vocab.eos_ids or (state == _ENDED and token in self.vocab.pad_ids):
            return _ENDED
        return _OPEN if state == _OPEN and self.vocab.tokens[token] else 0

    def mask(self, state: int, out: Mask | None = None, budget: int | None = None) -> Mask:
        """All text tokens and end-of-sequence; with budget 0, end-of-sequence alone."""
        row = np.zeros_like(self._end) if out is None else out
        row[:] = self._end
        if state == _ENDED:
            row |= self._pad
        elif budget is None or budget > 0:
            row |= self._text
        return row

    def is_accepting(self, state: int) -> bool:
        """Whether the state is not dead: every text is complete."""
        return state in {_OPEN, _ENDED}

    def is_final(self, state: int) -> bool:
        """Whether end-of-sequence has been read."""
        return state == _ENDED

    def finish_bound(self, state: int) -> int:  # noqa: ARG002 - the contract's signature
        """0: every text is complete."""
        return 0

    def fits(self, state: int, budget: int) -> bool:  # noqa: ARG002 - the contract's signature
        """Whether ``budget`` is not negative: every text is complete."""
        return budget >= 0

    def forced_token(self, state: int) -> int | None:
        """End-of-sequence after the end, if it is the only one allowed there."""
        alone = state == _ENDED and len(self.vocab.eos_ids) == 1 and not self.vocab.pad_ids
        return self.vocab.eos_ids[0] if alone else None

    def session(self) -> Self:
        """Return the constraint itself: its states need no scope."""
        return self

    def __enter__(self) -> Self:
        """Open a session."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close a session."""
