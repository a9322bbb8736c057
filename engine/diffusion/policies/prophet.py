"""As soon as the whole answer is plain, all of it at once.

Li et al. 2025, "Diffusion Language Models Know the Answer Before Decoding" (Prophet, arXiv:2508.19982): the mean gap between the
two greatest logits, over the slots of the answer, is compared with a threshold that falls with the progress p of the plan: 7.5
before p = 0.33, 5.0 before 0.67, 2.5 after.  Its fill is the arg-max of every slot; here it is the jointly most probable completion,
because the arg-maxes need not go together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .low_confidence import LowConfidence
from .policy import Decision, Defaults, UnmaskPolicy, check_policy

if TYPE_CHECKING:
    from ..beliefs import Beliefs


@dataclass(frozen=True)
class Prophet(Defaults):
    """Follow another policy until the gap is wide enough, then fill everything.

    Attributes:
        base: the policy until then.
        thresholds: the gap in nats that is enough, early, midway and late.
        phases: the shares of the plan where midway and late begin.
        region: first slot of the answer and the one after its last; ``None`` for all open slots.  Without an open slot in it, all count.

    """

    base: UnmaskPolicy = field(default_factory=LowConfidence)
    thresholds: tuple[float, float, float] = (7.5, 5.0, 2.5)
    phases: tuple[float, float] = (0.33, 0.67)
    region: tuple[int, int] | None = None
    looks_beyond = True

    def __post_init__(self) -> None:
        """Check the base."""
        check_policy(self.base, "base")

    def gap_needed(self, progress: float) -> float:
        """The threshold at a share of the plan."""
        early, midway, late = self.thresholds
        return early if progress < self.phases[0] else midway if progress < self.phases[1] else late

    def decide(self, beliefs: Beliefs) -> Decision:
        """Fill, or what the base policy says."""
        if not len(beliefs):
            return self.base.decide(beliefs)
        inside = np.ones(len(beliefs), np.bool_)
        if self.region is not None:
            within = (beliefs.slots >= self.region[0]) & (beliefs.slots < self.region[1])
            inside = within if within.any() else inside
        if beliefs.logit_gap[inside].mean() >= self.gap_needed(beliefs.step / beliefs.steps):
            return Decision(np.ones(len(beliefs), np.bool_), fill=True)
        return self.base.decide(beliefs)
