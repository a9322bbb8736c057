"""Every slot that the model is sure of, and the best one in any case.

Wu et al. 2025, "Fast-dLLM: Training-free Acceleration of Diffusion LLM by Enabling KV Cache and Parallel Decoding" (arXiv:2505.22618),
confidence-aware parallel decoding; its threshold is 0.9, its block 32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .policy import Decision, Defaults, check_share, highest

if TYPE_CHECKING:
    from ..beliefs import Beliefs


@dataclass(frozen=True)
class Threshold(Defaults):
    """Reveal the most confident slot, and all with at least some confidence.

    Attributes:
        threshold: the confidence that is enough.

    """

    threshold: float = 0.9

    def __post_init__(self) -> None:
        """Check the threshold."""
        check_share("threshold", self.threshold)

    def decide(self, beliefs: Beliefs) -> Decision:
        """The sure ones, and the best."""
        sure = beliefs.in_block & (beliefs.confidence >= self.threshold)
        return Decision(sure | highest(beliefs.confidence, 1, beliefs.in_block))
