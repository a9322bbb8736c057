"""Reveal and edit: tokens that stand already are replaced where the model has changed its mind.

Bie et al. 2026, "LLaDA2.1: Speeding Up Text Diffusion via Token Editing" (arXiv:2602.08676): open slots above one threshold are revealed
(the best one in any case), decided ones whose proposal is another token above a second threshold are edited; when nothing is open any more,
up to 16 further passes only edit.  Under the constraint an edit is a slot that is opened with the new token as its proposal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .policy import Decision, Defaults, check_count, check_share, highest

if TYPE_CHECKING:
    from ..beliefs import Beliefs


@dataclass(frozen=True)
class JointThreshold(Defaults):
    """Reveal above one threshold, edit above another.

    Attributes:
        threshold: the confidence above which an open slot is revealed.
        edit_threshold: the probability above which another token replaces the one that stands.
        post_steps: further passes once nothing is open.

    """

    threshold: float = 0.95
    edit_threshold: float = 0.9
    post_steps: int = 16
    reads_decided = True
    changes_decided = True

    def __post_init__(self) -> None:
        """Check the options."""
        check_share("threshold", self.threshold)
        check_share("edit_threshold", self.edit_threshold)
        check_count("post_steps", self.post_steps, 0)

    def decide(self, beliefs: Beliefs) -> Decision:
        """What to reveal and what to edit."""
        chosen = beliefs.in_block & (beliefs.confidence > self.threshold)
        if len(beliefs):
            chosen |= highest(beliefs.confidence, 1, beliefs.in_block)
        decided = beliefs.decided
        if decided is None:
            return Decision(chosen)
        changed = (decided.proposals != decided.tokens) & (decided.proposal_probability > self.edit_threshold)
        return Decision(chosen, edits=decided.slots[np.flatnonzero(changed)])
