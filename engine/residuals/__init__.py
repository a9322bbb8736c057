"""Checks that no automaton can make, and their pairing with a constraint."""

from __future__ import annotations

from .checked import Checked, CheckedSession
from .protocol import Residual

__all__ = ["Checked", "CheckedSession", "Residual"]
