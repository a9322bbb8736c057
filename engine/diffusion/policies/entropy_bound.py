"""As many slots as their joint law bears: the entropy that is ignored by revealing them together is bounded.

Ben-Hamu et al. 2025, "Accelerated Sampling from Masked Diffusion Models via Entropy Bounded Unmasking" (EB-Sampler, arXiv:2505.24857): with
entropies in ascending order, the greatest k such that their sum without the largest stays within the bound.
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
class EntropyBound(Defaults):
    """Reveal the slots of lowest entropy, as many as the bound allows, at least one.

    Attributes:
        bound: in nats.

    """

    bound: float = 0.1

    def __post_init__(self) -> None:
        """Check the bound."""
        if not self.bound >= 0:
            raise InvalidSource(f"bound {self.bound} is negative", where="bound")

    def decide(self, beliefs: Beliefs) -> Decision:
        """The longest prefix in order of entropy."""
        ordered = np.sort(beliefs.entropy[beliefs.in_block])
        ignored = np.concatenate([[0.0], np.cumsum(ordered)[:-1]])  # the largest of a prefix is its last
        count = int(np.searchsorted(ignored, self.bound, side="right"))  # ignored never falls
        return Decision(highest(-beliefs.entropy, max(1, count), beliefs.in_block))
