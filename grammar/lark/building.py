"""Letting Lark build a grammar, and saying where in the user's text it went wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import lark
from lark.exceptions import LarkError
from lark.indenter import Indenter

from ..errors import InvalidSource, Unsupported
from .texts import NotLalrError, text_of

NO_FILE = "<string>"

Kind = Literal["lalr", "basic", "scannerless"]
"""LALR(1) tables with a contextual lexer; Earley's parser, which takes every context-free grammar, with one lexer; or without any."""

_LEXER = {"lalr": "contextual", "basic": "basic", "scannerless": "dynamic"}


class Text(NamedTuple):
    """A grammar's text, and the name of its file."""

    text: str
    name: str

    def at(self, line: int, column: int) -> tuple[str, str]:
        """A place, counted from 1, and two lines that point at it."""
        lines = self.text.split("\n")
        shown = lines[line - 1].replace("\t", " ") if 0 < line <= len(lines) else ""
        return f"{self.name}: line {line}, column {column}", f"\n  {shown}\n  {' ' * (column - 1)}^"

    def _find(self, pattern: str) -> tuple[str, str] | None:
        found = re.search(pattern, self.text, re.MULTILINE)
        if found is None:
            return None
        begin = found.start(1)
        line = self.text.count("\n", 0, begin) + 1
        return self.at(line, begin - self.text.rfind("\n", 0, begin))

    def use(self, name: str) -> tuple[str, str]:
        """Where a rule or terminal is mentioned first, in a comment at worst."""
        return self._find(rf"(?<![\w$])({re.escape(name)})(?!\w)") or (self.name, "")

    def definition(self, name: str, pattern: str) -> tuple[str, str]:
        """Where a terminal is defined, or its pattern is written if it has no name of its own."""
        return (
            self._find(rf"^[ \t]*({re.escape(name)})[ \t]*(?:\.-?\d+)?[ \t]*:")
            or self._find(rf"({re.escape(pattern)})")
            or self._find(rf"^[ \t]*%import.*\b({re.escape(name)})\b")
            or (self.name, "")
        )


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
    except (LarkError, re.error, OSError, ImportError, ValueError, RecursionError) as error:
        raise invalid(error, Text(text, path or NO_FILE)) from error


_MENTIONED = re.compile(
    r"(?:[Rr]ules?|(?:Non)?[Tt]erminals?|[Tt]emplate|[Pp]arameters?|not defined|Error at|used for|be empty|import)(?=\W+(\w+))"
)
_DEFINED = re.compile(r"(?:token |zero-width terminals\. \(|TerminalDef\(')(\w+)'?[:,] ?'?(.*?)'?\)*$")
"""How Lark's messages name what they are about."""


def invalid(error: Exception, text: Text) -> InvalidSource:
    """Lark's complaint with the place that it names, or else the first place of the name that it quotes."""
    message = str(error).strip()
    collides = message.startswith("Reduce/Reduce collision")
    if collides:  # Lark lists the rules in the order of a set
        blocks = [block.strip().split("\n") for block in message.split("\n\n")]
        rules = [", ".join(sorted(line.strip().removeprefix("- ") for line in lines[1:])) for lines in blocks]
        message = "; ".join(sorted(f"{lines[0].strip()} {own}" for lines, own in zip(blocks, rules, strict=True)))
    where, excerpt = text.name, ""
    place = re.search(r"at line (\d+),? col(?:umn)? (\d+)", message)
    if place is not None:
        where, excerpt = text.at(int(place[1]), int(place[2]))
        if "^" in message:
            excerpt = ""
    elif (found := _DEFINED.search(message)) is not None:
        where, excerpt = text.definition(found[1], found[2])
    else:
        uses = (text.use(x[1]) for x in _MENTIONED.finditer(message))
        where, excerpt = next((x for x in uses if x[1]), (text.name, ""))
    if collides:
        return NotLalrError(
            f"the grammar is not LALR(1), Lark says: {message}",
            where=where,
            hint="lexer='scannerless' takes every context-free grammar",
            excerpt=excerpt.removeprefix("\n") or None,
        )
    return InvalidSource(f"Lark refuses the grammar: {message}{excerpt}", where=where)


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
