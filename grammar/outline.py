"""Rule bodies whose language stands elsewhere: tables that the loader copies as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .ir import START, Automaton

if TYPE_CHECKING:
    from .packed import PackedDfa
    from .parsing import Parser


def outline(language: PackedDfa | Parser) -> Automaton:
    """A rule body of the language; its edges are an outline, one byte that stands for every text but the empty one."""
    body = Automaton()
    end = body.state()
    body.byte_range(START, 0, 255, end)
    body.accept(end)
    if language.accepts_empty:
        body.accept(START)
    body.outline_of = language
    return body
