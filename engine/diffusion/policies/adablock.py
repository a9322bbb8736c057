"""Blocks that end where the text does: at a delimiter that the model is sure of.

Lu et al. 2025, "AdaBlock-dLLM: Semantic-Aware Diffusion LLM Inference via Adaptive Block Size" (arXiv:2509.26432).  At the start of a
block the model's proposals in a window of a quarter of the canvas are looked at; if the most confident delimiter among them
reaches the threshold (0.3 for LLaDA, 0.5 for Dream; the delimiter is the newline), the block ends with it, else after 32 slots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....grammar.errors import InvalidSource
from .policy import check_count, check_share

if TYPE_CHECKING:
    from ...contract import Vocab
    from ..beliefs import Beliefs


@dataclass(frozen=True)
class AdaBlock:
    """How long the next block is; given to the loop as its ``block``.

    Attributes:
        delimiters: endings of a token that make it a delimiter; for JSON ``(b",", b"}", b"]")`` divides better than a newline.
        threshold: the confidence of a delimiter that is enough.
        default: the block's length otherwise.
        window: the share of the canvas that is looked at.

    """

    delimiters: tuple[bytes, ...] = (b"\n",)
    threshold: float = 0.3
    default: int = 32
    window: float = 0.25

    def __post_init__(self) -> None:
        """Check the options."""
        check_share("threshold", self.threshold)
        check_share("window", self.window)
        if not (
            self.delimiters
            and isinstance(self.delimiters, tuple)
            and all(isinstance(d, bytes) and d for d in self.delimiters)
        ):
            raise InvalidSource(
                f"delimiters {self.delimiters!r} are no tuple of bytes", where="delimiters", hint="write (b',', b'}')"
            )
        check_count("default", self.default)

    def reach(self, start: int, length: int) -> int:
        """The slot after the last that has to be looked at for a block from ``start`` on a canvas of ``length`` slots."""
        return min(length, start + int(self.window * length))

    def stop(self, beliefs: Beliefs, start: int, length: int, vocab: Vocab) -> int:
        """The slot after the block's last.

        Args:
            beliefs: about the open slots from ``start`` to ``reach`` at least.
            start: the block's first slot.
            length: slots of the canvas.
            vocab: the texts of tokens.

        """
        texts = [vocab.tokens[t] or b"" for t in beliefs.tokens]
        ends = np.array([text.endswith(self.delimiters) and bool(text) for text in texts], np.bool_)
        ends &= (beliefs.slots >= start) & (beliefs.slots < self.reach(start, length))
        if ends.any():
            best = int(np.argmax(np.where(ends, beliefs.confidence, -1)))
            if beliefs.confidence[best] >= self.threshold:
                return int(beliefs.slots[best]) + 1
        return min(length, start + self.default)
