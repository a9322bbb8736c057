"""Models that denoise: token ids, some of them masks, to the logits of every position; and the conventions of their families.

The loop asks for the logits *of* a position, wherever a model writes them.  A family differs in three things only: where it writes
them (LLaDA at the position itself, Dream one to the left of it, as the autoregressive model that it was made from did), which
id is the mask, and with which id its training filled the canvas up after the end of the text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...grammar.errors import InvalidSource

Ids = npt.NDArray[np.int64]
Rows = npt.NDArray[np.floating[Any]]


class Scores(Protocol):
    """What a model said of a batch; rows are fetched as they are needed, so that a device keeps the rest."""

    def rows(self, row: int, positions: Ids) -> Rows:
        """Float [len(positions), V]: the logits of these positions of one canvas of the batch."""
        ...


class Denoiser(Protocol):
    """What the loop needs of a model."""

    @property
    def mask_id(self) -> int:
        """The id of a slot that is not decided."""
        ...

    @property
    def tail_id(self) -> int | None:
        """The id that fills the canvas up after the end of the text; ``None`` for the vocabulary's first end-of-sequence id."""
        ...

    def __call__(self, ids: Ids) -> Scores:
        """Read a batch of canvases, int64 [B, L]."""
        ...


@dataclass(frozen=True, slots=True)
class _Scores:
    """Logits [B, L, V], as the model returned them."""

    logits: Any
    shift: bool

    def rows(self, row: int, positions: Ids) -> Rows:
        where = np.maximum(positions - 1, 0) if self.shift else positions
        logits = self.logits[row]
        if hasattr(logits, "detach"):
            import torch

            chosen = logits[torch.from_numpy(where).to(logits.device)].detach()
            if chosen.element_size() < 4:  # NumPy has no bfloat16, and float16 overflows in sums
                chosen = chosen.float()
            logits = chosen.cpu().numpy()
        else:
            logits = np.asarray(logits)[where]
        exact = logits.dtype in {np.dtype(np.float32), np.dtype(np.float64)}
        found: Rows = logits if exact else logits.astype(np.float32)
        return found


@dataclass(frozen=True, slots=True)
class MaskedModel:
    """Any callable from ids to logits, with its conventions.

    Attributes:
        call: takes int64 [B, L] as a NumPy array and returns logits [B, L, V], a NumPy array or a torch tensor on any device, or what has them as ``.logits``.
        mask_id: the id of a slot that is not decided.
        tail_id: what fills the canvas up after the end; ``None`` for the vocabulary's first end-of-sequence id.
        shift: whether the logits of position i stand at position i - 1 (those of position 0 stand at 0 then, as in Dream).

    """

    call: Callable[[Ids], Any]
    mask_id: int
    tail_id: int | None = None
    shift: bool = False

    def __call__(self, ids: Ids) -> Scores:
        """Ask the model.

        Raises:
            InvalidSource: what it returned is not [B, L, V].

        """
        found = self.call(ids)
        logits = getattr(found, "logits", found)
        shape = tuple(getattr(logits, "shape", ()))
        if len(shape) != 3 or shape[:2] != ids.shape:
            what = f"logits of shape {shape}" if shape else type(logits).__name__
            raise InvalidSource(
                f"the model made {what} of ids of shape {ids.shape}",
                where="model",
                hint="return an array or tensor [B, L, V]",
            )
        return _Scores(logits, self.shift)


LLADA_MASK = 126336
LLADA_TAIL = 126081  # <|endoftext|>
DREAM_MASK = 151666
DREAM_TAIL = 151643  # <|endoftext|>


def llada(model: Any, *, mask_id: int | None = None, tail_id: int | None = None) -> MaskedModel:  # noqa: ANN401
    """LLaDA's convention (Nie et al. 2025, "Large Language Diffusion Models"): no shift, a tail of end-of-text.

    Args:
        model: a torch module called as ``model(input_ids).logits``.
        mask_id: by default that of the model's configuration, else the published one.
        tail_id: by default the configuration's end-of-sequence id, else the published one.

    """
    return MaskedModel(
        _torch_call(model),
        mask_id=_configured(model, mask_id, ("mask_token_id",), LLADA_MASK),
        tail_id=_configured(model, tail_id, ("eos_token_id", "pad_token_id"), LLADA_TAIL),
    )


def dream(model: Any, *, mask_id: int | None = None, tail_id: int | None = None) -> MaskedModel:  # noqa: ANN401
    """Dream's convention (Ye et al. 2025, "Dream 7B: Diffusion Large Language Models"): the logits of a position one to its left.

    Args:
        model: a torch module called as ``model(input_ids, "full").logits``: the second argument says that every position
            sees every other.
        mask_id: as in ``llada``.
        tail_id: as in ``llada``.

    """
    return MaskedModel(
        _torch_call(model, "full"),
        mask_id=_configured(model, mask_id, ("mask_token_id",), DREAM_MASK),
        tail_id=_configured(model, tail_id, ("eos_token_id", "pad_token_id"), DREAM_TAIL),
        shift=True,
    )


def as_denoiser(model: Any) -> Denoiser:  # noqa: ANN401
    """A model as the loop reads it: one that is a ``Denoiser`` as it is, LLaDA and Dream by their configuration.

    Raises:
        InvalidSource: the model does not say which convention is its own.

    """
    if hasattr(model, "mask_id") and callable(model):
        return model  # type: ignore[no-any-return]
    kind = str(getattr(getattr(model, "config", None), "model_type", "")).lower()
    if kind.startswith("llada"):
        return llada(model)
    if kind.startswith("dream"):
        return dream(model)
    raise InvalidSource(
        f"{type(model).__name__} does not say where its logits stand and which id is its mask",
        where="model",
        hint="wrap it: MaskedModel(call, mask_id=...), llada(model, mask_id=...) or dream(model, mask_id=...)",
    )


def _configured(model: Any, given: int | None, names: tuple[str, ...], published: int) -> int:  # noqa: ANN401
    config = getattr(model, "config", None)
    found = [getattr(config, name, None) for name in names]
    return next((int(i) for i in (given, *found) if isinstance(i, int)), published)


def _torch_call(model: Any, *rest: Any) -> Callable[[Ids], Any]:  # noqa: ANN401
    def call(ids: Ids) -> Any:  # noqa: ANN401
        import torch

        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        with torch.inference_mode():
            return model(torch.from_numpy(ids).to(device), *rest).logits

    return call
