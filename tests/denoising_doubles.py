"""Models for the tests of denoising: logits that are a function of the canvas and a seed, in several conventions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import syntagma as sg
from syntagma import diffusion

if TYPE_CHECKING:
    import numpy.typing as npt

PIECES = [b'{"', b'":', b'",', b'"}', b'"a', b"12", b"true", b"[]", b"],", b"aa"]
TOKENS: list[bytes | None] = [*(bytes([b]) for b in b'{}[]":,abxy012- tre'), *PIECES]
END, TURN, MASK = len(TOKENS), len(TOKENS) + 1, len(TOKENS) + 2
WIDTH = len(TOKENS) + 3


def vocabulary() -> sg.Vocabulary:
    """A small vocabulary with two ids that end a text, and a mask that is no text."""
    return sg.Vocabulary([*TOKENS, None, None, None], eos_ids=[END, TURN])


class RandomModel:
    """Logits that depend on every id of the canvas, as a real model's do, and on nothing else.

    Attributes:
        calls: the canvases of each call, int64 [B, L].

    """

    def __init__(self, seed: int = 0, scale: float = 4.0) -> None:
        """Keep the seed; greater scales are surer."""
        self.seed, self.scale = seed, scale
        self.calls: list[npt.NDArray[np.int64]] = []

    def __call__(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Float64 [B, L, V]."""
        self.calls.append(ids.copy())
        return np.stack([self.row(row) for row in ids])

    def row(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The logits of one canvas: a part that does not change from step to step, and a part that does."""
        steady = np.random.default_rng([self.seed, len(ids)]).normal(size=(len(ids), WIDTH))
        fresh = np.random.default_rng([self.seed, *ids.tolist()]).normal(size=(len(ids), WIDTH))
        return self.scale * (steady + 0.3 * fresh)


def model(seed: int = 0, scale: float = 4.0) -> diffusion.MaskedModel:
    """A random model in LLaDA's convention."""
    return diffusion.MaskedModel(RandomModel(seed, scale), mask_id=MASK, tail_id=END)


def beliefs(**given: Any) -> diffusion.Beliefs:
    """Beliefs with what a test cares about; the rest is plain."""
    sizes = [len(v) for k, v in given.items() if k in {"slots", "confidence", "margin", "logit_gap", "entropy"}]
    n = sizes[0]
    plain: dict[str, Any] = {
        "slots": np.arange(n),
        "tokens": np.zeros(n, np.int64),
        "confidence": np.full(n, 0.5),
        "margin": np.zeros(n),
        "logit_gap": np.zeros(n),
        "entropy": np.ones(n),
        "in_block": np.ones(n, np.bool_),
        "block": (0, int(max(given.get("slots", [n - 1]))) + 1),
        "quota": 1,
        "step": 0,
        "steps": n,
        "ends": np.zeros(n, np.bool_),
        "decided": None,
        "rng": np.random.default_rng(0),
    }
    arrays = {k: np.asarray(v) if isinstance(v, list) else v for k, v in given.items()}
    return diffusion.Beliefs(**{**plain, **arrays})


def changes_its_mind(ids: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Logits of a model of four ids, the mask being 3: id 0 while something is open, id 1 once all is decided."""
    logits = np.zeros((*ids.shape, 4))
    logits[..., 0 if (ids == 3).any() else 1] = 8.0
    return logits
