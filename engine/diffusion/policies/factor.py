"""As many slots as their confidence bears: the more are revealed together, the surer each must be.

Wu et al. 2025, "Fast-dLLM" (arXiv:2505.22618), factor-based parallel decoding: with confidences c in descending order, the greatest n
such that c_k >= 1 - f / (k + 1) for every k up to n, and at least one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....grammar.errors import InvalidSource
from .policy import Decision, Defaults, highest

if TYPE_CHECKING:
    from ..beliefs import Beliefs


@dataclass(frozen=True)
class Factor(Defaults):
    """Reveal the longest prefix of the slots, in order of confidence, that passes a rising threshold.

    Attributes:
        factor: greater values reveal more.

    """

    factor: float = 1.0

    def __post_init__(self) -> None:
        """Check the factor."""
        if not self.factor > 0:
            raise InvalidSource(f"factor {self.factor} is not positive", where="factor")

    def decide(self, beliefs: Beliefs) -> Decision:
        """The prefix."""
        ordered = np.sort(beliefs.confidence[beliefs.in_block])[::-1]
        passes = ordered >= 1 - self.factor / (np.arange(1, len(ordered) + 1) + 1)
        count = len(ordered) if passes.all() else int(np.argmin(passes))
        return Decision(highest(beliefs.confidence, max(1, count), beliefs.in_block))
