"""Every slot of low entropy, and the lowest in any case.

Chen et al. 2025, "dParallel: Learnable Parallel Decoding for dLLMs" (arXiv:2509.26488): its models are distilled to be certain early, its decoding
reveals the slot of lowest entropy and all of at most 0.5 nats (block 32).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ....grammar.errors import InvalidSource
from .policy import Decision, Defaults, highest

if TYPE_CHECKING:
    from ..beliefs import Beliefs


@dataclass(frozen=True)
class EntropyThreshold(Defaults):
    """Reveal the slot of lowest entropy, and all with at most some entropy.

    Attributes:
        threshold: in nats.

    """

    threshold: float = 0.5

    def __post_init__(self) -> None:
        """Check the threshold."""
        if not self.threshold >= 0:
            raise InvalidSource(f"threshold {self.threshold} is negative", where="threshold")

    def decide(self, beliefs: Beliefs) -> Decision:
        """The certain ones, and the most certain."""
        certain = beliefs.in_block & (beliefs.entropy <= self.threshold)
        return Decision(certain | highest(-beliefs.entropy, 1, beliefs.in_block))
