"""Formats of JSON Schema as character automata."""

from __future__ import annotations

from .dfa import CharDfa


def format_dfa(name: str) -> CharDfa | None:
    """The strings of a format, or ``None`` where it is not known."""
    raise NotImplementedError


def format_length(name: str) -> tuple[int, int | None]:
    """A bound on the number of characters that belongs to the format beside its automaton (hostname: 253)."""
    raise NotImplementedError
