"""Letting Lark build a grammar, and what a grammar may be built with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import lark
from lark.indenter import Indenter

from ..errors import InvalidSource, Unsupported
from .complaints import invalid
from .texts import Text, text_of

NO_FILE = "<string>"

Kind = Literal["lalr", "basic", "scannerless"]
"""LALR(1) tables with a contextual lexer; Earley's parser, which takes every context-free grammar, with one lexer; or without any."""

_LEXER = {"lalr": "contextual", "basic": "basic", "scannerless": "dynamic"}


def text_behind(built: lark.Lark) -> Text:
    """The text of a grammar that is built."""
    path = str(built.source_path or NO_FILE)
    return Text(str(getattr(built, "source_grammar", "")), None if path == NO_FILE else path)


def build(
    grammar: str | Path,
    *,
    start: str = "start",
    postlex: Indenter | None = None,
    import_paths: Sequence[str | Path] = (),
    g_regex_flags: int = 0,
    kind: Kind = "lalr",
) -> lark.Lark:
    """Let Lark build a grammar.

    Args:
        grammar: the grammar's text, or the path of its file.
        start: the rule that texts are made of.
        postlex: an indenter.
        import_paths: where ``%import`` looks besides the file's own folder.
        g_regex_flags: flags of ``re`` for all patterns.
        kind: which of Lark's parsers and lexers.

    Raises:
        NotLalrError: the grammar is no LALR(1) grammar.
        InvalidSource: Lark refuses the grammar; with the place where Lark or the text tells it.

    """
    text, path = text_of(grammar)
    try:
        return lark.Lark(
            text,
            parser="lalr" if kind == "lalr" else "earley",
            lexer=_LEXER[kind],
            start=start,
            postlex=postlex,
            source_path=path,
            import_paths=[str(x) for x in import_paths],
            g_regex_flags=g_regex_flags,
        )
    except Exception as error:  # whatever Lark fails at is the grammar
        raise invalid(error, Text(text, path)) from error


_PLAIN = {
    "regex": (False, "the third-party regex module has rules of its own; build it without"),
    "use_bytes": (False, "build it for text; here it reads UTF-8"),
    "transformer": (None, "a transformer may reject tokens; run it on what was generated"),
}
"""Options of Lark that change its language, what they must be, and what to do if they are not."""


def check_options(built: lark.Lark, more: Mapping[str, tuple[Any, str]]) -> None:
    """Refuse a grammar that was built with what changes its language in ways that cannot be read.

    Args:
        built: the grammar.
        more: further options, what they must be, and what to do if they are not.

    Raises:
        Unsupported: it was built with such an option.

    """
    options = built.options
    for name, (wanted, hint) in {**more, **_PLAIN}.items():
        if getattr(options, name) != wanted:
            raise Unsupported(f"the grammar was built with {name}={getattr(options, name)!r}", hint=hint)
    for name in ("lexer_callbacks", "_plugins"):
        if getattr(options, name):
            raise Unsupported(f"the grammar was built with {name}", hint="user code cannot run inside a table")


def start_rule(starts: Sequence[str], start: str | None) -> str:
    """The start rule of a built grammar.

    Raises:
        InvalidSource: it has no such start rule, or several and none was chosen.

    """
    if start is None and len(starts) > 1:
        raise InvalidSource(f"the grammar has the start rules {', '.join(starts)}", hint="say which: start=...")
    if start is not None and start not in starts:
        raise InvalidSource(f"{start!r} is no start rule of the grammar", hint=f"one of {', '.join(starts)}")
    return start or str(starts[0])
