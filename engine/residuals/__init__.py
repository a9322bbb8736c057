"""Checks that no automaton can make, and their pairing with a constraint."""

from __future__ import annotations

from .checked import Checked, CheckedSession
from .json import Closed, JsonPredicate, JsonResidual, UniqueItems
from .protocol import Residual
from .python import PythonCompiles, PythonNames
from .sql import SqliteRuns
from .text import All, Check, TextCheck

__all__ = [
    "All",
    "Check",
    "Checked",
    "CheckedSession",
    "Closed",
    "JsonPredicate",
    "JsonResidual",
    "PythonCompiles",
    "PythonNames",
    "Residual",
    "SqliteRuns",
    "TextCheck",
    "UniqueItems",
]
