"""Checks that no automaton can make, and their pairing with a constraint."""

from __future__ import annotations

from .checked import Checked, CheckedSession
from .json import Closed, JsonPredicate, JsonResidual, UniqueItems
from .protocol import Complaint, Guards, Residual, complaint
from .python import PythonCompiles, PythonNames, PythonParses
from .sql import SqliteRuns
from .text import All, Check, TextCheck

__all__ = [
    "All",
    "Check",
    "Checked",
    "CheckedSession",
    "Closed",
    "Complaint",
    "Guards",
    "JsonPredicate",
    "JsonResidual",
    "PythonCompiles",
    "PythonNames",
    "PythonParses",
    "Residual",
    "SqliteRuns",
    "TextCheck",
    "UniqueItems",
    "complaint",
]
