r"""From characters to tokens, for all dialects.

A token that is wrong is a token too (``ERROR``, with the exception as its value): it is raised when the parser gets
there, so that the first mistake of a text is the one that is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, NoReturn

from ..errors import SyntagmaError
from .characters import CharacterReader
from .dialect import BNF, GBNF, ISO, W3C, XGRAMMAR, Dialect
from .nodes import Remark
from .text import GrammarText

NAME: Final = "a rule's name"
HEAD: Final = "the next rule"
STRING: Final = "a string"
CLASS: Final = "a character class"
VOCABULARY: Final = "a token of the vocabulary"
INTEGER: Final = "a number"
COUNT: Final = "a repetition count"
ATTRIBUTES: Final = "an attribute block"
ERROR: Final = "an error"
END: Final = "the end of the text"
# Every other kind is the sign itself: "(", "|", ";", the dialect's "::=" and so on.

SYNONYMS: Final = {"(/": "[", "/)": "]", "(:": "{", ":)": "}", "/": "|", "!": "|", ".": ";"}
"""Other spellings of ISO 14977 (section 7)."""

_COUNT: Final = re.compile(r"\{\s*(?P<least>\d*)\s*(?P<comma>,\s*(?P<most>\d*|-1)\s*)?\}")
_ATTRIBUTES: Final = re.compile(r"\[\s*(?:max_tokens|capture)\b[^\]\n]*\][ \t]*(?=::=)")
_CONSTRAINT: Final = re.compile(r"\[\s*(?:wfc|vc|nsc|ssc)\s*:[^\]]*\]", re.IGNORECASE)
_RULE_NUMBER: Final = re.compile(r"\[\d+[a-z]?\][ \t]*(?=[^\W\d][\w.:-]*\s*::=)")
_INTEGER: Final = {ISO: re.compile(r"[0-9]+(?!\w)"), XGRAMMAR: re.compile(r"[0-9]+(?![\w-])")}
_WORDS: Final = re.compile(r"[^\W\d]\w*(?:(?:\s+|-)\w+)*")
_LEFT_SIDE: Final = re.compile(r"(?:^|[;.])\s*([^\W\d]\w*(?:(?:[ \t]+|-)\w+)*)\s*(?:::=|:=|=)", re.MULTILINE)
_WRONG_DEFINE: Final = re.compile(r"::=|:=|::|=>|->|=|:|\u2192")
_RANGE: Final = re.compile(r'"(.)"\.\."(.)"')


class Token(NamedTuple):
    """A token: what it is, what it stands for, where it begins and ends."""

    kind: str
    value: object
    at: int
    end: int


class Lexer(CharacterReader):
    """Cuts a grammar's text into tokens.

    Attributes:
        defined: names of rules, for ISO EBNF, whose names may be of several words.
        bare: whether the text is in Naur's own BNF, without quotes.

    """

    def __init__(self, source: GrammarText, dialect: Dialect) -> None:
        """Start at the beginning; look for what has to be known of the whole text."""
        super().__init__(source, dialect)
        self.defined: set[str] = set()
        self.bare = False
        if dialect is ISO:
            quiet = re.sub(r"\(\*.*?\*\)|\"[^\"\n]*\"|'[^'\n]*'", " ", self.text, flags=re.DOTALL)
            self.defined = {" ".join(name.split()) for name in _LEFT_SIDE.findall(quiet)}
        if dialect is BNF:
            # Naur's own notation has no quotes: whatever is no name and no bar stands for itself.
            self.bare = not re.search(r"[\"']", self.text)

    def tokens(self) -> list[Token]:
        """All tokens, the end included; a name before the sign of definition is a ``HEAD``."""
        found: list[Token] = []
        try:
            for token in self._read():
                if token.kind == self.dialect.define:
                    self._head(found)
                found.append(token)
        except SyntagmaError as error:
            found.append(Token(ERROR, error, self.at, self.at))
        found.append(Token(END, None, len(self.text), len(self.text)))
        return found

    def _head(self, found: list[Token]) -> None:
        place = len(found) - 1
        if place > 0 and found[place].kind == ATTRIBUTES:
            place -= 1
        if place >= 0 and found[place].kind == NAME:
            found[place] = found[place]._replace(kind=HEAD)

    def _read(self) -> Iterator[Token]:
        while True:
            self._skip()
            if self.at >= len(self.text):
                return
            start = self.at
            kind, value = self._next()
            yield Token(kind, value, start, self.at)

    def _skip(self) -> None:
        """Pass over spaces, line ends and comments."""
        text = self.text
        while self.at < len(text):
            x = text[self.at]
            if x.isspace():
                self.at += 1
            elif (x == "#" and self.dialect in {GBNF, XGRAMMAR}) or (
                x == ";" and self.dialect is BNF and not self.bare
            ):
                end = re.compile(r"[\r\n]").search(text, self.at)
                self.at = end.start() if end else len(text)
            elif self.dialect is W3C and text.startswith("/*", self.at):
                self._comment("/*", "*/", nested=False)
            elif self.dialect is W3C and x == "[" and self._aside():
                pass
            elif self.dialect is ISO and text.startswith("(*", self.at):
                self._comment("(*", "*)", nested=True)
            else:
                return

    def _aside(self) -> bool:
        """Pass over the number of a W3C rule, ``[1]``, or over a constraint behind one, ``[ wfc: ... ]``."""
        if found := _CONSTRAINT.match(self.text, self.at):
            why = "a constraint beyond the grammar, which is not enforced"
            self.remarks.append(Remark(self.at, found[0], why))
        else:
            found = _RULE_NUMBER.match(self.text, self.at)
            if found is None or self.text[self.at - self.source.column(self.at) + 1 : self.at].strip():
                return False
        self.at = found.end()
        return True

    def _comment(self, opening: str, closing: str, *, nested: bool) -> None:
        start, depth = self.at, 1
        self.at += 2
        while depth:
            end = self.text.find(closing, self.at)
            if end < 0:
                self.invalid(f"the comment is never closed: expected '{closing}'", start, length=2)
            inner = self.text.find(opening, self.at, end) if nested else -1
            depth += 1 if inner >= 0 else -1
            self.at = (inner if inner >= 0 else end) + 2

    def _next(self) -> tuple[str, object]:
        """Read one token."""
        text, start, dialect = self.text, self.at, self.dialect
        x = text[start]
        if self.bare:
            return self._bare_word()
        if x in dialect.quotes:
            return STRING, self.string(x)
        if x == "[" and dialect.classes:
            if dialect is XGRAMMAR and (block := _ATTRIBUTES.match(text, start)):
                self.at = block.end()
                return ATTRIBUTES, block[0].strip()
            return CLASS, self.char_class()
        if x == "{" and dialect.classes:
            return COUNT, self._count()
        if x == "<" and dialect is BNF:
            return NAME, self._bracketed_name()
        if x in "<!" and dialect is GBNF:
            return VOCABULARY, self._token()
        if x == "#" and dialect is W3C:
            return CLASS, self.code_point()
        if dialect is XGRAMMAR and text.startswith("(=", start):
            self.source.unsupported(
                "a look-ahead assertion '(= ...)' is not supported", start, "write what must follow into the rules", 2
            )
        if dialect in _INTEGER and (number := _INTEGER[dialect].match(text, start)):
            self.at = number.end()
            return INTEGER, int(number[0])
        if text.startswith("->", start):
            return self._sign()
        if dialect is ISO and _WORDS.match(text, start):
            return NAME, self._words()
        found = dialect.name_pattern.match(text, start)
        if found and found[0].strip("-"):
            self.at = found.end()
            return NAME, found[0]
        return self._sign()

    def _sign(self) -> tuple[str, object]:
        text, start, dialect = self.text, self.at, self.dialect
        pair, x = text[start : start + 2], text[start]
        if dialect is ISO and pair in SYNONYMS:
            self.at += 2
            return SYNONYMS[pair], pair
        if dialect is ISO and pair == "..":
            self.invalid(
                "expected ';', found '..'",
                start,
                "ISO EBNF has no ranges: list the characters, or use dialect='w3c'",
                2,
            )
        if pair == ".." and (found := _RANGE.match(text, max(0, start - 3))):
            first, last = found[1], found[2]
            hint = f"write [{first}-{last}]; or '. .' with a space, for two characters of any kind"
            self.invalid("'..' is no range", start, hint, 2)
        if found := _WRONG_DEFINE.match(text, start):
            self.at = found.end()
            known = found[0] == dialect.define or (dialect is ISO and found[0] in {"::=", ":="})
            return dialect.define if known else found[0], found[0]
        self.at += 1
        if dialect is ISO and x in SYNONYMS:
            return SYNONYMS[x], x
        if x in "()|*+?" or x in {GBNF: ".", XGRAMMAR: ".,", W3C: "-"}.get(dialect, "[]{},;-"):
            return x, x
        self.at = start
        return self._unknown(x)

    def _unknown(self, x: str) -> NoReturn:
        """Say what a character that begins nothing was probably meant for."""
        hint = None
        if x in "'\u2018\u2019":
            hint = f'{self.dialect.title} has strings in double quotes only: write "..."'
        elif x in "\u201c\u201d":
            hint = 'these are typographic quotes: write "..."'
        elif x == "/":
            hint = (
                "a regular expression between slashes is Lark's notation: write classes and repetitions, as in [a-z]+"
            )
        elif x == "%":
            hint = "directives such as %import are Lark's notation: define the rule here"
        elif x == "-":
            hint = (
                "exceptions 'a - b' are ISO's and W3C's notation: use Ebnf(..., dialect='w3c'), or negate a class: [^b]"
            )
        elif x == ",":
            hint = "parts follow each other without a sign between them; remove it, or quote it for the character"
        elif x == "~":
            hint = "'~' is Lark's sign of repetition: write {2,5}"
        elif x == "&":
            hint = "intersections are not part of this notation"
        elif x == ";":
            hint = "a rule ends where the next one begins; remove it"
        elif x in "<>":
            hint = "names in angle brackets are BNF: use Ebnf(..., dialect='bnf'); tokens are written Token(1234)"
        elif self.dialect is BNF and x.isalnum():
            hint = "names are in angle brackets in BNF: write <name>, or quote it if it is text"
        elif x in "]})":
            hint = "it closes nothing; escape or quote it for the character"
        self.invalid(f"{x!r} begins nothing in {self.dialect.title}", self.at, hint)

    # -- names ------------------------------------------------------------------------------------------------

    def _words(self) -> str:
        """A name of ISO EBNF: of several words, or with hyphens, only if it is one that a rule has."""
        found = _WORDS.match(self.text, self.at)
        assert found is not None  # noqa: S101 - the caller saw a letter
        ends = [m.end() for m in re.finditer(r"\w+", found[0])]
        for end in reversed(ends):
            name = " ".join(found[0][:end].split())
            if name in self.defined or end == ends[0]:
                self.at += end
                return name
        raise AssertionError("the first word is always taken")

    def _bracketed_name(self) -> str:
        found = self.dialect.name_pattern.match(self.text, self.at)
        if found is None:
            self.invalid("expected a name and '>' behind '<'", self.at, 'quote the character: "<"')
        self.at = found.end()
        return " ".join(found[0][1:-1].split())

    def _bare_word(self) -> tuple[str, object]:
        """Naur's BNF: a name, a bar, ``::=``, or a run of other characters, which stands for itself."""
        text, start = self.text, self.at
        if self.dialect.name_pattern.match(text, start):
            return NAME, self._bracketed_name()
        if text[start] == "|":
            self.at += 1
            return "|", "|"
        if text.startswith("::=", start):
            self.at += 3
            return "::=", "::="
        self.at += 1
        while self.at < len(text) and not text[self.at].isspace() and text[self.at] != "|":
            if self.dialect.name_pattern.match(text, self.at):
                break
            self.at += 1
        return STRING, text[start : self.at]

    # -- counts and tokens of the vocabulary --------------------------------------------------------------------

    def _count(self) -> tuple[int, int | None]:
        found = _COUNT.match(self.text, self.at)
        if found is None or not (found["least"] or found["most"]):
            hint = "write ( ... )* for any number; braces around a part are ISO EBNF"
            self.invalid("expected a count such as {2}, {2,} or {2,5}", self.at, hint)
        least = int(found["least"] or 0)
        most = least if found["comma"] is None else None if found["most"] in {"", "-1"} else int(found["most"])
        if most is not None and most < least:
            self.invalid("the count's bounds are swapped", self.at, f"write {{{most},{least}}}", len(found[0]))
        self.at = found.end()
        return least, most

    def _token(self) -> tuple[bool, int | str]:
        """``<[1234]>`` or ``<text>``, with ``!`` before it where any other token is meant."""
        start = self.at
        negated = self.text[start] == "!"
        found = re.compile(r"!?(?:<\[(\d+)\]>|(<[^>\r\n]+>))").match(self.text, start)
        if found is None or (found[2] or "").startswith("<["):
            self.invalid("expected a token, <[1234]> or <text>", start, 'quote the character: "<"')
        self.at = found.end()
        return negated, found[2] if found[1] is None else int(found[1])
