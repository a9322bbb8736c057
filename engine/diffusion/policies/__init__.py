"""Which slots to reveal now: one published method a file.

A policy says *which* slots; the lattice says *which tokens* are possible there, and which of the policy's picks go together.
"""

from __future__ import annotations

from .adablock import AdaBlock
from .dparallel import EntropyThreshold
from .entropy_bound import EntropyBound
from .factor import Factor
from .freedave import FreeDave
from .hierarchical import Hierarchical
from .joint_threshold import JointThreshold
from .learn2pd import Learn2PD
from .localleap import LocalLeap
from .low_confidence import LowConfidence
from .low_entropy import LowEntropy
from .margin import TopKMargin
from .policy import Decision, UnmaskPolicy
from .prophet import Prophet
from .remdm import ReMDM
from .threshold import Threshold

__all__ = [
    "AdaBlock",
    "Decision",
    "EntropyBound",
    "EntropyThreshold",
    "Factor",
    "FreeDave",
    "Hierarchical",
    "JointThreshold",
    "Learn2PD",
    "LocalLeap",
    "LowConfidence",
    "LowEntropy",
    "Prophet",
    "ReMDM",
    "Threshold",
    "TopKMargin",
    "UnmaskPolicy",
]
