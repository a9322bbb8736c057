"""The text of a grammar, and its file.  Nothing here imports Lark."""

from __future__ import annotations

from pathlib import Path

from ..errors import InvalidSource


class NotLalrError(InvalidSource):
    """Lark refuses a grammar because it is not LALR(1)."""


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
        return grammar, None
    try:
        return grammar.read_text(encoding="utf-8"), str(grammar)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSource(f"the grammar cannot be read: {error}", where=str(grammar)) from error
