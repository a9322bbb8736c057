"""Columns at which a gap may open blocks or end them: those that the texts behind it go on at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from .reader import BYTE

if TYPE_CHECKING:
    from .labels import Context

INDENT_STEP: Final = 4
"""Columns by which a block is indented that the text on the right says nothing about."""

BLOCK_WORTH: Final = 8 * BYTE
"""What a way may cost more than another in which one more block is to be opened."""


class Blocks:
    """The columns of some texts, for the gap before each.

    Attributes:
        indents: of each text and those behind it: the columns at which a line begins.
        leads: of each text: the columns of the blanks that it begins with.

    """

    def __init__(self, texts: Sequence[bytes], tab: int) -> None:
        """Read them off; a tab counts as so many columns, 0 if no block is ever opened."""
        indents = [_indents(text, tab) for text in texts]
        self.indents = [sorted(set().union(*indents[i:])) for i in range(len(texts))]
        self.leads = [_columns_of(text, tab) for text in texts]
        self._closed: list[frozenset[int]] = [_closed(text, tab) if tab else frozenset() for text in texts]

    def begins(self, context: Context, gap: int) -> list[int]:
        """Columns at which a block may begin in a gap: those that the texts behind it have, else a deeper one."""
        deeper = context.innermost + INDENT_STEP
        found = sorted({x for x in self.indents[gap] if x > context.innermost})
        return found if deeper in found else [*found[:1], deeper, *found[1:]]

    def columns(self, context: Context, gap: int, least: int) -> list[int]:
        """Columns that are worth a newline's blanks in a gap: those open, those that the text on the right has, and a deeper one."""
        if least < 0 or context.brackets:
            return [least]
        columns = {0, context.innermost + INDENT_STEP, *context.columns}
        columns.update(x for x in self.indents[gap] if x > context.innermost)
        lead = self.leads[gap]  # blanks that the text itself adds
        return sorted({least} | {x for column in columns for x in (column, column - lead) if x >= least})

    def missing(self, context: Context, gap: int) -> int:
        """What it may cost to open the blocks that the text behind a gap seems to close and that are not open."""
        return BLOCK_WORTH * len(self._closed[gap].difference(context.columns))


def _indents(text: bytes, tab: int) -> set[int]:
    """The columns at which the lines of a text begin, the first one's left out."""
    return {_columns_of(line, tab) for line in text.split(b"\n")[1:] if line.strip()}


def _columns_of(line: bytes, tab: int) -> int:
    """The columns of the blanks that a text begins with."""
    blanks = line[: len(line) - len(line.lstrip(b" \t"))]
    return blanks.count(b" ") + tab * blanks.count(b"\t")


def _closed(text: bytes, tab: int) -> frozenset[int]:
    """The columns to which the lines of a text step back, as if all were statements: each less than all before."""
    least, found = 1 << 30, set()
    for line in text.split(b"\n")[1:]:
        if line.strip() and (column := _columns_of(line, tab)) < least:
            least = column
            found.add(column)
            if not column:
                break
    return frozenset(found - {0})
