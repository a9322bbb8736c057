"""The user's text: where a character lies, how the place looks, and errors that show it."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NoReturn

from ..errors import InvalidSource, LimitExceeded, Unsupported
from ..files import read_grammar

MAX_EXCERPT: Final = 100
"""Characters of a line that an excerpt shows; generated grammars have lines of many thousands."""


class GrammarText:
    """A grammar's text with its lines.

    Attributes:
        text: the characters, line ends as they were.
        name: the file that it came from, or ``None``.

    """

    __slots__ = ("_starts", "name", "text")

    def __init__(self, text: str, name: str | None = None) -> None:
        r"""Find the lines; ``\r\n``, ``\n`` and ``\r`` end one."""
        self.text = text
        self.name = name
        self._starts = [0, *(found.end() for found in re.finditer(r"\r\n?|\n", text))]

    @classmethod
    def of(cls, source: str | os.PathLike[str]) -> GrammarText:
        """Take a text as it is and read a path.

        A string is a path if it is one line that ends like a file of grammars (``.gbnf``, ``.ebnf``, ``.bnf``).

        Raises:
            InvalidSource: there is no such file, or it is not UTF-8, or ``source`` is something else.

        """
        if isinstance(source, str) and not ("\n" not in source and source.endswith((".gbnf", ".ebnf", ".bnf"))):
            return cls(source.removeprefix("\ufeff"))
        if not isinstance(source, str | os.PathLike):
            raise InvalidSource(
                f"a grammar is text or a path, not {type(source).__name__}", hint="bytes: decode them as UTF-8 first"
            )
        path = Path(source)
        return cls(read_grammar(path, newline=""), str(path))

    def line(self, at: int) -> int:
        """The line of a character, from 1."""
        return bisect_right(self._starts, at)

    def column(self, at: int) -> int:
        """The column of a character, from 1, in characters."""
        return at - self._starts[self.line(at) - 1] + 1

    def place(self, at: int) -> str:
        """The place of a character, for errors and reports."""
        place = f"line {self.line(at)}, column {self.column(at)}"
        return place if self.name is None else f"{self.name}, {place}"

    def excerpt(self, at: int, length: int = 1) -> str:
        """The line of a character, with marks under ``length`` of its characters."""
        line = self.line(at)
        start = self._starts[line - 1]
        column = at - start
        cut = max(0, column - MAX_EXCERPT * 2 // 3)
        shown = re.split(r"[\r\n]", self.text[start + cut : start + cut + MAX_EXCERPT], maxsplit=1)[0]
        marks = max(1, min(length, len(shown) - (column - cut)))
        margin = " " * len(str(line))
        # Tabs stay tabs in the line of marks, so that the marks lie below what they mark.
        below = "".join("\t" if x == "\t" else " " for x in shown[: column - cut])
        return f"{margin} |\n{line} | {shown}\n{margin} | {below}{'^' * marks}"

    def invalid(self, message: str, at: int, hint: str | None = None, length: int = 1) -> NoReturn:
        """Refuse the text as wrong in itself."""
        raise InvalidSource(message, where=self.place(at), hint=hint, excerpt=self.excerpt(at, length))

    def unsupported(self, message: str, at: int, hint: str, length: int = 1) -> NoReturn:
        """Refuse a construct by name."""
        raise Unsupported(message, where=self.place(at), hint=hint, excerpt=self.excerpt(at, length))

    def exceeded(self, message: str, at: int, *, limit: str, value: float, hint: str) -> NoReturn:
        """Say that a limit was hit."""
        raise LimitExceeded(
            message, limit=limit, value=value, where=self.place(at), hint=hint, excerpt=self.excerpt(at)
        )


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most probably meant: the same but for case, or a few edits away."""
    # One edit in three characters, and none in a name of one or two: any other of that length would do.
    best, least = None, (max(1, len(name) // 3) if len(name) > 2 else 0) + 1
    for other in known:
        if other.casefold() == name.casefold():
            return other
        if abs(len(other) - len(name)) < least:
            distance = edit_distance(name, other)
            if distance < least:
                best, least = other, distance
    return best


def edit_distance(a: str, b: str) -> int:
    """Insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row, older = row, [i], before
        for j, y in enumerate(b, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        before = above
    return row[-1]
