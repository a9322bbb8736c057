"""What a denoising gives: the text, what it cost, and every step of the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from .model import Ids

Event: TypeAlias = Literal["forced", "tail", "reveal", "fill", "edit", "remask"]
"""Why a slot changed: it had one possible token; the text ended before it; the policy asked; everything was filled at once; another token
replaced the one that stood; it was opened again."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The canvas after one step.

    Attributes:
        ids: int64[n], the mask's id where a slot is open.
        events: the slots that changed in this step, by reason.
        n_forward: passes of the model up to here.

    """

    ids: Ids
    events: dict[Event, list[int]]
    n_forward: int


@dataclass(frozen=True, slots=True)
class Denoising:
    """One canvas that was completed.

    Attributes:
        text: the text before the end; bytes that are not UTF-8 are replaced.
        data: its exact bytes.
        tokens: its token ids; neither the end nor what follows it is among them.
        ids: the whole canvas, int64[n].
        mask_id: what stands for an open slot in ``history``.
        history: the canvas at the start and after each step.
        n_steps: steps that committed, edited or remasked something by a decision of the policy.
        n_forward: calls of the model.
        n_canvases: canvases that these calls read in all; more than ``n_forward`` where drafts are verified in a batch.
        n_forced: slots that had one possible token, and cost no decision.
        n_rejected: proposals that were possible alone and not with the better ones of their step; their slots stayed open.
        n_resamples: passes of the model that left the canvas as it was, so that it had to be asked again: 0 where the lattice is exact.
        model_seconds: time in the model and in fetching its logits.
        constraint_seconds: time in the lattice: masks, joint commits, fills.
        sampling_seconds: time in the laws and in the policy.

    """

    text: str
    data: bytes
    tokens: list[int]
    ids: Ids
    mask_id: int
    history: list[Frame]
    n_steps: int
    n_forward: int
    n_canvases: int
    n_forced: int
    n_rejected: int
    n_resamples: int
    model_seconds: float
    constraint_seconds: float
    sampling_seconds: float

    @property
    def constraint_share(self) -> float:
        """The constraint's share of the time, between 0 and 1."""
        total = self.model_seconds + self.constraint_seconds + self.sampling_seconds
        return self.constraint_seconds / total if total else 0.0


@dataclass(slots=True)
class Costs:
    """What a decoding has cost so far; the fields are those of ``Denoising``."""

    n_forward: int = 0
    n_canvases: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: {"model": 0.0, "constraint": 0.0, "sampling": 0.0})
