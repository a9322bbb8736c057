"""The scheduled rule by margin: slots where the best token is far ahead of the second.

Kim et al. 2025, "Train for the Worst, Plan for the Best: Understanding Token Ordering in Masked Diffusions" (arXiv:2502.06768), top-k
probability margin; Dream's ``alg="topk_margin"``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .policy import Decision, Defaults, check_count, highest

if TYPE_CHECKING:
    from ..beliefs import Beliefs


@dataclass(frozen=True)
class TopKMargin(Defaults):
    """Reveal the slots of greatest margin between their two most likely tokens.

    Attributes:
        per_step: as in ``LowConfidence``.

    """

    per_step: int | None = None

    def __post_init__(self) -> None:
        """Check the number."""
        if self.per_step is not None:
            check_count("per_step", self.per_step)

    def decide(self, beliefs: Beliefs) -> Decision:
        """The top of the margins."""
        count = beliefs.quota if self.per_step is None else self.per_step
        return Decision(highest(beliefs.margin, count, beliefs.in_block))
