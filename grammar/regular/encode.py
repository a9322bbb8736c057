"""Byte encodings of character automata."""

from __future__ import annotations

from typing import Literal

from ..ir import ByteAutomaton
from .dfa import CharDfa

Escapes = Literal["canonical", "ascii", "all"]


def utf8(dfa: CharDfa) -> ByteAutomaton:
    """Texts of ``dfa`` as raw UTF-8."""
    raise NotImplementedError


def json_string_body(
    dfa: CharDfa, *, escapes: Escapes = "canonical", counted: bool = False, quote: bool = False
) -> ByteAutomaton:
    """Texts of ``dfa`` as the inside of a JSON string; with ``quote`` the closing quote is included."""
    raise NotImplementedError
