"""Sure slots are anchors, and beside an anchor less confidence is enough.

Kong et al. 2025, "Accelerating Diffusion LLM Inference via Local Determinism Propagation" (LocalLeap, arXiv:2510.07081): anchors are
slots of at least 0.9, their neighbours up to 4 slots away pass at 0.75; without an anchor only the best slot is revealed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .policy import Decision, Defaults, check_count, check_share, highest

if TYPE_CHECKING:
    from ..beliefs import Beliefs


@dataclass(frozen=True)
class LocalLeap(Defaults):
    """Reveal anchors, and what is near one at a lower threshold.

    Attributes:
        threshold: the confidence of an anchor.
        relaxed: the confidence that is enough near one.
        radius: how many slots away is near.

    """

    threshold: float = 0.9
    relaxed: float = 0.75
    radius: int = 4

    def __post_init__(self) -> None:
        """Check the options."""
        check_share("threshold", self.threshold)
        check_share("relaxed", self.relaxed)
        check_count("radius", self.radius, 0)

    def decide(self, beliefs: Beliefs) -> Decision:
        """Anchors and their neighbourhoods."""
        anchors = beliefs.in_block & (beliefs.confidence >= self.threshold)
        if not anchors.any():
            return Decision(highest(beliefs.confidence, 1, beliefs.in_block))
        distance = np.abs(beliefs.slots[:, None] - beliefs.slots[anchors]).min(axis=1)
        near = beliefs.in_block & (distance <= self.radius) & (beliefs.confidence >= self.relaxed)
        return Decision(anchors | near)
