"""Context-free grammars as text: GBNF, and EBNF in the dialects of xgrammar, ISO 14977, W3C and BNF."""

from __future__ import annotations

from .source import Ebnf, Gbnf

__all__ = ["Ebnf", "Gbnf"]
