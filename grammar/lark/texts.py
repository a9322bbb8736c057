"""The text of a grammar, its file, and places in it.  Nothing here imports Lark."""

from __future__ import annotations

import re
from pathlib import Path

from ..cfg.text import GrammarText
from ..errors import InvalidSource
from ..files import read_grammar


class NotLalrError(InvalidSource):
    """Lark refuses a grammar because it is not LALR(1)."""


class Text:
    """A grammar's text, and where its names are written.

    Attributes:
        text: the grammar.
        name: its file, or ``None``.

    """

    def __init__(self, text: str, name: str | None) -> None:
        """Take a text as Lark takes it."""
        self.text = text
        self.name = name
        self._lines = GrammarText(text, name)

    def shown(self, at: int, length: int = 1) -> tuple[str, str]:
        """The place of a character, and its line with a mark."""
        return self._lines.place(at), self._lines.excerpt(at, length)

    def offset(self, line: int, column: int) -> int:
        """The character at a line and a column as Lark counts them, from 1."""
        lines = self.text.split("\n")
        return min(sum(len(x) + 1 for x in lines[: line - 1]) + column - 1, len(self.text))

    def find(self, pattern: str, begin: int = 0) -> int | None:
        """Where the first group of a pattern is found."""
        found = re.compile(pattern, re.MULTILINE).search(self.text, begin)
        return None if found is None else found.start(1)

    def names(self) -> list[str]:
        """The rules and terminals that are defined, imported or declared, in order."""
        bare = re.sub(r"//[^\n]*", "", self.text)
        defined = re.findall(
            r"^[ \t]*(?:%(?:override|extend)[ \t]+)?[!?]*(_?[A-Za-z]\w*)(?:\{[^}]*\})?(?:\.-?\d+)?[ \t]*:",
            bare,
            re.MULTILINE,
        )
        made = " ".join(re.findall(r"^[ \t]*%(?:import|declare)([^\n]*)", bare, re.MULTILINE))
        return list(dict.fromkeys([*defined, *re.findall(r"(?:->|[.(,]|(?<=\s))\s*(_?[A-Za-z]\w*)(?!\w*\.)", made)]))

    def use(self, name: str, begin: int = 0) -> int | None:
        """Where a rule or terminal is mentioned first, in a comment at worst."""
        return self.find(rf"(?<![\w$])({re.escape(name)})(?!\w)", begin)

    def definition(self, name: str, begin: int = 0, *, pattern: str | None = None) -> int | None:
        """Where a rule or terminal is defined, or its pattern is written if it has no name of its own, or it is imported."""
        found = self.find(
            rf"^[ \t]*(?:%\w+[ \t]+)?[!?]*({re.escape(name)})(?:\{{[^}}\n]*\}})?[ \t]*(?:\.-?\d+)?[ \t]*:", begin
        )
        if found is None and pattern is not None:
            found = self.find(f"({re.escape(pattern)})", begin)
        return self.find(rf"^[ \t]*%import.*\b({re.escape(name)})\b", begin) if found is None else found

    def first_use(self, name: str) -> tuple[str | None, str | None]:
        """Place and excerpt of the first use of a name, for errors."""
        at = self.use(name)
        return (self.name, None) if at is None else self.shown(at, len(name))

    def of_terminal(self, name: str, pattern: str) -> tuple[str | None, str | None]:
        """Place and excerpt of a terminal, for errors."""
        at = self.definition(name, pattern=pattern)
        return (self.name, None) if at is None else self.shown(at)


def as_path(grammar: str | Path) -> str | Path:
    """A string of one line that ends like a file of grammars is a path."""
    return Path(grammar) if isinstance(grammar, str) and "\n" not in grammar and grammar.endswith(".lark") else grammar


def text_of(grammar: str | Path) -> tuple[str, str | None]:
    """The text of a grammar, and the path of its file, if it has one.

    Raises:
        InvalidSource: the file cannot be read.

    """
    grammar = as_path(grammar)
    if isinstance(grammar, str):
        return grammar.removeprefix("\ufeff"), None
    return read_grammar(grammar), str(grammar)
