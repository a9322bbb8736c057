"""Remasking: while the plan lasts, decided slots may be opened again, doubtful ones sooner.

Wang et al. 2025, "Remasking Discrete Diffusion Models with Inference-Time Scaling" (ReMDM, arXiv:2503.00307).  Going from time t to s, with
alpha the share of decided slots in the plan, a decided slot may be opened with at most the probability (1 - alpha_s) / alpha_t; the capped schedule takes
the lesser of that and eta.  The confidence-based one divides that mass among the decided slots by a softmax of minus the probability that their tokens had
when they were put there.  At the end of the plan the probability is 0, so that decoding ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from .low_confidence import LowConfidence
from .policy import Decision, Defaults, UnmaskPolicy, check_policy, check_share

if TYPE_CHECKING:
    from ..beliefs import Beliefs, Reals


@dataclass(frozen=True)
class ReMDM(Defaults):
    """Follow another policy, and open decided slots of the block again at random.

    Attributes:
        base: what reveals.
        eta: the most that the probability may be.
        by_confidence: whether doubtful slots are opened sooner; else all alike.

    """

    base: UnmaskPolicy = field(default_factory=LowConfidence)
    eta: float = 0.05
    by_confidence: bool = True
    reads_decided = True
    changes_decided = True

    def __post_init__(self) -> None:
        """Check the base and the cap."""
        check_policy(self.base, "base")
        check_share("eta", self.eta)

    def probabilities(self, beliefs: Beliefs) -> Reals:
        """float64[decided]: with which probability each decided slot is opened again."""
        decided = beliefs.decided
        if decided is None or not len(decided.slots):
            return np.zeros(0)
        before = beliefs.step / beliefs.steps
        after = min(1.0, (beliefs.step + 1) / beliefs.steps)
        most = 1.0 if before == 0 else min(1.0, (1 - after) / before)
        sigma = 0.0 if after == 1 else min(self.eta, most)
        if not self.by_confidence:
            return np.full(len(decided.slots), sigma)
        doubt = np.exp(-decided.confidence)
        shares: Reals = doubt / doubt.sum() * sigma
        return shares

    def decide(self, beliefs: Beliefs) -> Decision:
        """What the base reveals, and what is opened."""
        decision = self.base.decide(beliefs)
        probabilities = self.probabilities(beliefs)
        drawn = beliefs.rng.random(len(probabilities)) < probabilities
        slots = np.zeros(0, np.int64) if beliefs.decided is None else beliefs.decided.slots[drawn]
        return replace(decision, remask=slots)
