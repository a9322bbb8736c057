"""One slot of every gap between decided ones, so that what is revealed together lies far apart.

Ma et al. 2025, "dInfer: An Efficient Inference Framework for Diffusion Language Models" (arXiv:2510.08666), hierarchical decoding: of
every run of neighbouring open slots the most confident one if it exceeds 0.4, besides all that exceed the threshold and the best of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .policy import Decision, Defaults, check_share, highest

if TYPE_CHECKING:
    from ..beliefs import Beliefs


@dataclass(frozen=True)
class Hierarchical(Defaults):
    """Reveal sure slots, and one slot of each run.

    Attributes:
        threshold: confidence above which a slot is revealed.
        low: confidence above which the best of a run is revealed.

    """

    threshold: float = 0.9
    low: float = 0.4

    def __post_init__(self) -> None:
        """Check the options."""
        check_share("threshold", self.threshold)
        check_share("low", self.low)

    def decide(self, beliefs: Beliefs) -> Decision:
        """Sure ones, the best of each run, the best of all."""
        chosen = beliefs.in_block & (beliefs.confidence > self.threshold)
        chosen |= highest(beliefs.confidence, 1, beliefs.in_block)
        inside = np.flatnonzero(beliefs.in_block)
        for run in np.split(inside, np.flatnonzero(np.diff(beliefs.slots[inside]) > 1) + 1):
            best = run[int(np.argmax(beliefs.confidence[run]))]
            chosen[best] |= beliefs.confidence[best] > self.low
        return Decision(chosen)
