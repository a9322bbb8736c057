"""Dream's own sampler under a constraint, by the two hooks that it offers.

``diffusion_generate`` of Dream (Ye et al. 2025, "Dream 7B: Diffusion Large Language Models") calls a logits hook after its shift, and a
tokens hook once before the first step and after every step.  The first hook leaves only possible tokens; the sampler then reveals
slots one by one in its law, blind to how they go together; the second keeps the greatest compatible set of them, takes the others
back, commits what has become certain, and fills what is open after the last step.

    hooks = DreamHooks(constraint, length=128, steps=64)
    model.diffusion_generate(ids, max_new_tokens=128, steps=64, alg="entropy", **hooks.options())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...automata.lattice import HOLE
from ...grammar.errors import InvalidSource
from ..law import allowed_ids
from .beliefs import log_probabilities
from .checked import canvas_of
from .model import DREAM_MASK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...automata.constraint import Constraint
    from ...automata.lattice import Slot
    from ..residuals import Residual
    from .canvas import Canvas
    from .model import Ids


class DreamHooks:
    """The hooks of one call of ``diffusion_generate``; a batch has a canvas for each row.

    Attributes:
        canvases: one a row, complete after the call.
        n_rejected: tokens that the sampler revealed and that were taken back.

    """

    def __init__(
        self,
        constraint: Constraint,
        *,
        steps: int,
        length: int | None = None,
        canvas: Sequence[Slot] | None = None,
        mask_id: int = DREAM_MASK,
        check: Residual | None = None,
    ) -> None:
        """Keep the canvas.

        Args:
            constraint: what each row's canvas has to satisfy.
            steps: the number of steps that ``diffusion_generate`` is called with: after the last, everything is filled.
            length: of an empty canvas; ``max_new_tokens`` of the call.
            canvas: instead, the slots themselves.
            mask_id: the model's mask.
            check: as in ``diffuse``.

        Raises:
            InvalidSource: neither or both of length and canvas are given.

        """
        if (length is None) == (canvas is None):
            raise InvalidSource("give either the length of an empty canvas or the canvas itself", where="canvas")
        self._constraint = constraint
        self._steps = steps
        self._slots: list[Slot] = [HOLE] * (length or 0) if canvas is None else list(canvas)
        self._mask_id = mask_id
        self._check = check
        self.canvases: list[Canvas] = []

    @property
    def n_rejected(self) -> int:
        """Proposals that were taken back."""
        return sum(canvas.n_rejected for canvas in self.canvases)

    def options(self) -> dict[str, Any]:
        """The keyword arguments of ``diffusion_generate``."""
        return {"generation_logits_hook_func": self.logits, "generation_tokens_hook_func": self.tokens}

    def logits(self, step: int | None, x: Any, logits: Any) -> Any:  # noqa: ANN401, ARG002 - Dream's signature
        """The logits [B, L, V] with all that is impossible in an open slot at minus infinity."""
        first = x.shape[1] - len(self._slots)
        logits = logits.clone()
        for row, canvas in enumerate(self.canvases):
            for slot, mask in zip(canvas.open_slots().tolist(), canvas.masks(), strict=True):
                ids = allowed_ids(mask, logits.shape[2])
                kept = logits[row, first + slot, ids].clone()
                logits[row, first + slot] = float("-inf")
                logits[row, first + slot, ids] = kept
        return logits

    def tokens(self, step: int | None, x: Any, logits: Any) -> Any:  # noqa: ANN401 - Dream's signature
        """The canvases [B, L] after a step, with what does not go together taken back and what is certain put in.

        Raises:
            InvalidSource: before the first step, if ``max_new_tokens`` is not the canvas' length.

        """
        first = x.shape[1] - len(self._slots)
        if step is None:
            self._open(x, first)
        else:
            for row, canvas in enumerate(self.canvases):
                self._take(canvas, x[row, first:].cpu().numpy(), logits[row, first:], last=step == self._steps - 1)
        for row, canvas in enumerate(self.canvases):
            canvas.settle()
            x[row, first:] = x.new_tensor(canvas.ids.tolist())
        return x

    def _open(self, x: Any, first: int) -> None:  # noqa: ANN401 - a tensor
        fresh = 0 if first < 0 else int((x[0, first:] == self._mask_id).sum())
        if fresh != len(self._slots):
            raise InvalidSource(
                f"the canvas has {len(self._slots)} slots, and the model's row ends in {fresh} masks",
                where="canvas",
                hint="call diffusion_generate with max_new_tokens equal to the canvas' length",
            )
        tail = self._constraint.vocab.eos_ids[0]
        self.canvases = [
            canvas_of(self._constraint, self._slots, self._check, mask_id=self._mask_id, tail_id=tail)
            for _ in range(x.shape[0])
        ]

    def _take(self, canvas: Canvas, ids: Ids, logits: Any, *, last: bool) -> None:  # noqa: ANN401 - a tensor
        size = canvas.constraint.vocab.size
        log_probs = log_probabilities(logits.detach().float().cpu().numpy(), size)
        canvas.says = log_probs.__getitem__
        slots = np.flatnonzero(canvas.open & (ids != self._mask_id)).astype(np.int64)
        if len(slots):
            canvas.commit(slots, ids[slots].astype(np.int64), np.exp(log_probs[slots, ids[slots]]))
        if last and canvas.open.any():
            canvas.fill(log_probs[canvas.open_slots()])
