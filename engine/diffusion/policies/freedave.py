"""Lossless drafts: several steps are guessed from one pass and verified together in the next.

Wu and Zhang 2025, "Free Draft-and-Verification: Toward Lossless Parallel Decoding for Diffusion Large Language Models" (FreeDave,
arXiv:2510.00294).  From one pass of the model a chain of drafts is made, each revealing one more step's worth of the most confident slots.  One
batched pass reads them all; what the policy would do next from draft j is its *target*, and as long as a target equals the
next draft, the chain is what plain decoding would have done.  The last draft that is reached is the new canvas, and its logits are known already.

Lossless means: the canvases that are reached are canvases of plain decoding with the base policy.  It holds under a constraint, because
masks and joint commits are functions of the canvas alone.  The base policy has to be one of the canvas and the model's logits, too: random
ones, and temperatures above 0, draw differently.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ....grammar.errors import InvalidSource
from .low_confidence import LowConfidence
from .policy import Decision, Defaults, UnmaskPolicy, asks, check_count, check_policy

if TYPE_CHECKING:
    from ..beliefs import Beliefs


@dataclass(frozen=True)
class FreeDave(Defaults):
    """Draft and verify steps of another policy; ``speculation.draft_and_verify`` is its loop.

    Attributes:
        drafts: canvases in one pass of the model.
        base: the policy whose steps are drafted; it must not edit or remask.

    """

    drafts: int = 4
    base: UnmaskPolicy = field(default_factory=LowConfidence)

    def __post_init__(self) -> None:
        """Check the number and the base.

        Raises:
            InvalidSource: the base changes decided slots, which drafts have no way back from.

        """
        check_count("drafts", self.drafts)
        check_policy(self.base, "base")
        if asks(self.base, "changes_decided") or asks(self.base, "post_steps"):
            raise InvalidSource(
                f"{type(self.base).__name__} changes decided slots, and drafts only reveal",
                where="base",
                hint="draft a policy that only reveals, such as Threshold()",
            )

    def decide(self, beliefs: Beliefs) -> Decision:
        """One step of the base policy."""
        return self.base.decide(beliefs)
