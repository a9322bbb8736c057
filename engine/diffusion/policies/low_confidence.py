"""The scheduled rule of LLaDA: as many of the most confident slots as the plan of steps says.

Nie et al. 2025, "Large Language Diffusion Models" (arXiv:2502.09992), low-confidence remasking, after Chang et al. 2022, "MaskGIT"
(arXiv:2202.04200).  With as many steps as slots it reveals one token a pass: the baseline of all parallel rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .policy import Decision, Defaults, check_count, highest

if TYPE_CHECKING:
    from ..beliefs import Beliefs


@dataclass(frozen=True)
class LowConfidence(Defaults):
    """Reveal the most confident slots.

    Attributes:
        per_step: how many a step; ``None`` for what the plan of ``steps`` passes asks.

    """

    per_step: int | None = None

    def __post_init__(self) -> None:
        """Check the number."""
        if self.per_step is not None:
            check_count("per_step", self.per_step)

    def decide(self, beliefs: Beliefs) -> Decision:
        """The top of the confidences."""
        count = beliefs.quota if self.per_step is None else self.per_step
        return Decision(highest(beliefs.confidence, count, beliefs.in_block))
