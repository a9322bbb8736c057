"""What a search for a bridge speaks of: the symbols of a parser's stack, and what a move says of the text."""

from __future__ import annotations

from typing import NamedTuple


class Context(NamedTuple):
    """What is open above the bottom of a stack.

    Attributes:
        columns: of the open blocks, innermost last.
        brackets: how many are open; 2 for more as well, since only a rule with three nested ones could tell.

    """

    columns: tuple[int, ...] = ()
    brackets: int = 0

    @property
    def innermost(self) -> int:
        """The column at which a statement stands."""
        return self.columns[-1] if self.columns else 0

    def opened(self) -> Context:
        """Within one more bracket."""
        return Context(self.columns, min(self.brackets + 1, 2))

    def closed(self) -> Context:
        """Behind a bracket."""
        return Context(self.columns, max(self.brackets - 1, 0))


class Top(NamedTuple):
    """A symbol of the stack: a state of the parse table, and what is open with it."""

    state: int
    context: Context


Feeds = tuple[tuple[int, int], ...]
"""Terminals to feed, each with the column that it opens or -1."""


class Read(NamedTuple):
    """A label: a lexeme was read.

    Attributes:
        gap: the gap that it began or was open in, -1 if in none.
        text: what the gap holds of it.
        feeds: what was fed to the parser.
        part: what it left for the next one.

    """

    gap: int
    text: bytes
    feeds: Feeds
    part: int


class Entered(NamedTuple):
    """A label: a gap begins, whatever was left open before it."""

    gap: int


class Skipped(NamedTuple):
    """A label: a lexeme goes on over a whole fixed text into the next gap; ``text`` is what the gap before holds of it."""

    gap: int
    text: bytes


class Filled(NamedTuple):
    """A label: a gap holds a text of some symbols; an indent as the pair (column of the table, column that it opens)."""

    gap: int
    symbols: tuple[int | tuple[int, int], ...]
