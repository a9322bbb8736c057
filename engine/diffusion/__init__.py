"""Denoising models under a constraint: any unmasking policy, exact masks for every slot, joint commits.

See ``docs/diffusion.md``.
"""

from __future__ import annotations

from .beliefs import Beliefs, Decided
from .canvas import Canvas
from .diffuse import diffuse, diffuse_many
from .dream_hooks import DreamHooks
from .model import Denoiser, MaskedModel, Scores, as_denoiser, dream, llada
from .policies import (
    AdaBlock,
    Decision,
    EntropyBound,
    EntropyThreshold,
    Factor,
    FreeDave,
    Hierarchical,
    JointThreshold,
    Learn2PD,
    LocalLeap,
    LowConfidence,
    LowEntropy,
    Prophet,
    ReMDM,
    Threshold,
    TopKMargin,
    UnmaskPolicy,
)
from .result import Denoising, Frame

__all__ = [
    "AdaBlock",
    "Beliefs",
    "Canvas",
    "Decided",
    "Decision",
    "Denoiser",
    "Denoising",
    "DreamHooks",
    "EntropyBound",
    "EntropyThreshold",
    "Factor",
    "Frame",
    "FreeDave",
    "Hierarchical",
    "JointThreshold",
    "Learn2PD",
    "LocalLeap",
    "LowConfidence",
    "LowEntropy",
    "MaskedModel",
    "Prophet",
    "ReMDM",
    "Scores",
    "Threshold",
    "TopKMargin",
    "UnmaskPolicy",
    "as_denoiser",
    "diffuse",
    "diffuse_many",
    "dream",
    "llada",
]
