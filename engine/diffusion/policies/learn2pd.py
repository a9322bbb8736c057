"""A filter that has learnt which slots are final already, and an early end of text.

Bao et al. 2025, "Learning to Parallel: Accelerating Diffusion Large Language Models via Learnable Parallel Decoding" (Learn2PD,
arXiv:2509.25188).  A small network reads the confidences of the whole block, decided slots included, and gives each slot a score; open slots
whose score passes are revealed, besides as many of the most confident as the plan asks.  It is trained on decodings of the model itself, to tell
where the present proposal is the token of the final text (``learn2pd_training``).

End-of-text prediction (EoTP): as soon as a proposal is end-of-text - one that the filter approves, else the most confident such - the canvas is cut
behind it.  The paper's cut may fall into the middle of an object; here end-of-text is a proposal only where the grammar lets the text end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....grammar.errors import InvalidSource
from .policy import Decision, Defaults, check_share, highest

if TYPE_CHECKING:
    from ..beliefs import Beliefs, Flags, Reals


@dataclass(frozen=True, eq=False)
class Filter:
    """A perceptron with one hidden layer over the confidences of a block.

    Attributes:
        into: float64[width, hidden].
        into_bias: float64[hidden].
        out: float64[hidden, width].
        out_bias: float64[width].

    """

    into: Reals
    into_bias: Reals
    out: Reals
    out_bias: Reals

    @property
    def width(self) -> int:
        """Slots of a block."""
        return len(self.into)

    def __call__(self, confidence: Reals) -> Reals:
        """float64[width] or [rows, width]: the logit of "this proposal is final", of confidences of the same shape."""
        hidden: Reals = np.maximum(confidence @ self.into + self.into_bias, 0) @ self.out + self.out_bias
        return hidden


@dataclass(frozen=True)
class Learn2PD(Defaults):
    """Reveal what a trained filter approves, besides the plan's most confident slots.

    Attributes:
        filter: see ``Filter``.
        threshold: the score, between 0 and 1, above which a slot is approved.
        end_of_text: whether the canvas is cut at a proposed end of text.

    """

    filter: Filter
    threshold: float = 0.96
    end_of_text: bool = True
    looks_beyond = True
    reads_decided = True

    def __post_init__(self) -> None:
        """Check the threshold."""
        check_share("threshold", self.threshold)

    def block_confidence(self, beliefs: Beliefs) -> Reals:
        """float64[width]: what the filter reads; slots of a shorter block, and the caller's own, are certain."""
        start, stop = beliefs.block
        if stop - start > self.filter.width:
            raise InvalidSource(
                f"a filter for blocks of {self.filter.width} slots is asked about {stop - start}",
                where="policy",
                hint=f"decode with block={self.filter.width}, or train a filter for this block",
            )
        row = np.ones(self.filter.width)
        inside = beliefs.in_block
        row[beliefs.slots[inside] - start] = beliefs.confidence[inside]
        if beliefs.decided is not None:
            row[beliefs.decided.slots - start] = beliefs.decided.proposal_probability
        return row

    def approved(self, beliefs: Beliefs) -> Flags:
        """bool[k]: open slots of the block whose proposal the filter holds for final."""
        scores = 1 / (1 + np.exp(-self.filter(self.block_confidence(beliefs))))
        inside = np.flatnonzero(beliefs.in_block)
        flags = np.zeros(len(beliefs), np.bool_)
        flags[inside] = scores[beliefs.slots[inside] - beliefs.block[0]] > self.threshold
        return flags

    def decide(self, beliefs: Beliefs) -> Decision:
        """The approved ones and the planned ones; where the text ends."""
        approved = self.approved(beliefs)
        chosen = approved | highest(beliefs.confidence, beliefs.quota, beliefs.in_block)
        end = None
        if self.end_of_text and beliefs.ends.any():
            sure = approved & beliefs.ends
            first = np.flatnonzero(sure) if sure.any() else [np.argmax(np.where(beliefs.ends, beliefs.confidence, -1))]
            end = int(beliefs.slots[first[0]])
        return Decision(chosen, end=end)
