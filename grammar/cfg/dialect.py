"""The dialects: what each one writes differently, and how a text's dialect is told from the text.

One lexer and one parser read all of them; what differs between them is a row of this table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from ..errors import InvalidSource

DialectName = Literal["gbnf", "xgrammar", "iso", "w3c", "bnf"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a dialect is written.

    Attributes:
        name: what users call it.
        title: what messages call it.
        define: the sign between a rule's name and its body.
        quotes: the characters that a string may begin with.
        escapes: whether a backslash in strings and classes begins an escape.
        classes: whether ``[a-z]`` is one character of a set; else ``[x]`` is an optional x, and ``{x}`` any number of them.
        name_pattern: a rule's name.

    """

    name: DialectName
    title: str
    define: str
    quotes: str
    escapes: bool
    classes: bool
    name_pattern: re.Pattern[str]


_WORD: Final = r"[^\W\d]\w*"

GBNF: Final = Dialect("gbnf", "GBNF", "::=", '"', True, True, re.compile(r"[\w-]+"))
XGRAMMAR: Final = Dialect(
    "xgrammar", "the EBNF of xgrammar", "::=", '"', True, True, re.compile(r"[\w-][\w.-]*|\.[.]*[\w-][\w.-]*")
)
ISO: Final = Dialect("iso", "ISO 14977 EBNF", "=", "\"'", False, False, re.compile(_WORD))
W3C: Final = Dialect(
    "w3c", "W3C EBNF", "::=", "\"'", False, True, re.compile(r"(?:[^\W\d]|:(?!:?=))(?:[\w.-]|:(?!:?=))*")
)
BNF: Final = Dialect(
    "bnf", "BNF", "::=", "\"'", False, False, re.compile(r"<[^<>|\"'\n=]*[^<>|\"'\n=\s][^<>|\"'\n=]*>")
)

BY_NAME: Final[dict[str, Dialect]] = {d.name: d for d in (XGRAMMAR, ISO, W3C, BNF)}
"""The dialects of ``Ebnf``; ``Gbnf`` has its own."""

_STRINGS: Final = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'")
_CLASSES: Final = re.compile(r"\[\^?(?:[^\]\\\n]|\\.)*\]")


def dialect_named(name: str) -> Dialect:
    """The dialect that ``Ebnf(dialect=...)`` names.

    Raises:
        InvalidSource: there is no such dialect.

    """
    if name not in BY_NAME:
        raise InvalidSource(f"dialect={name!r} is not an option", hint=f"choose one of {', '.join(BY_NAME)}")
    return BY_NAME[name]


def detect(text: str) -> tuple[Dialect, str]:
    """The dialect of a text, and the reason for the report.

    The first rule that holds decides:

    1. a name in angle brackets is defined by ``::=``: BNF;
    2. some rule is defined by ``=`` and none by ``::=``: ISO 14977;
    3. there is something that only W3C's notation has (``#x9`` outside of strings, a comment ``/* */``, a string in single
       quotes, a numbered rule ``[1] name ::=``, an exception ``A - B``): W3C;
    4. otherwise: xgrammar, whose notation transformers-CFG and llama.cpp share.
    """
    if re.search(r"^[ \t]*<[^<>\n]+>\s*::=", text, re.MULTILINE):
        return BNF, "a name in angle brackets is defined by ::="
    bare = _STRINGS.sub('""', re.sub(r"\(\*.*?\*\)", " ", text, flags=re.DOTALL))
    if "::=" not in bare and re.search(r"^\s*[^\W\d][\w \t-]*=(?!=)", bare, re.MULTILINE):
        return ISO, "rules are defined by ="
    without_comments = re.sub(r"#(?!x[0-9A-Fa-f]).*", "", text)
    bare = _STRINGS.sub('""', without_comments)
    outside = _CLASSES.sub(" ", bare)
    signs = (
        (re.search(r"(?<!\w)#x[0-9A-Fa-f]+", bare), "#x stands for a character"),
        ("/*" in outside, "comments are /* */"),
        (re.search(r"(?:^|[\s(|])'[^'\n]+'", _without_double_quoted(without_comments)), "strings are in single quotes"),
        (re.search(r"^[ \t]*\[\d+[a-z]?\]\s*[^\W\d][\w.:-]*\s*::=", bare, re.MULTILINE), "rules are numbered"),
        (re.search(r"[\w)\]\"*+?]\s+-\s+[\w(\[\"]", outside), "- excepts"),
    )
    for sign, reason in signs:
        if sign:
            return W3C, reason
    return XGRAMMAR, "::= without anything that only the other dialects have"


def _without_double_quoted(text: str) -> str:
    return _CLASSES.sub(" ", re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', text))
