"""The scheduled rule by entropy, as Dream offers it.

Ye et al. 2025, "Dream 7B: Diffusion Large Language Models" (arXiv:2508.15487), the sampler's ``alg="entropy"``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .policy import Decision, Defaults, check_count, highest

if TYPE_CHECKING:
    from ..beliefs import Beliefs


@dataclass(frozen=True)
class LowEntropy(Defaults):
    """Reveal the slots of lowest entropy.

    Attributes:
        per_step: as in ``LowConfidence``.

    """

    per_step: int | None = None

    def __post_init__(self) -> None:
        """Check the number."""
        if self.per_step is not None:
            check_count("per_step", self.per_step)

    def decide(self, beliefs: Beliefs) -> Decision:
        """The bottom of the entropies."""
        count = beliefs.quota if self.per_step is None else self.per_step
        return Decision(highest(-beliefs.entropy, count, beliefs.in_block))
