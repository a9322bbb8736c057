r"""Strings, escapes and character classes, in the spellings of all dialects."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from ..regular import charset
from ..regular.dfa import FIRST_SURROGATE, LAST_SURROGATE, MAX_CODE_POINT, SCALARS, Ranges
from .dialect import W3C, Dialect
from .nodes import Remark
from .text import GrammarText

ANY_CHARACTER: Final = SCALARS
"""What ``.`` stands for, line ends included, as in llama.cpp."""

_SIMPLE: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "e": "\x1b"}
_HEX_DIGITS: Final = {"x": 2, "u": 4, "U": 8}


class CharacterReader:
    """Reads what stands for characters; the lexer builds on it.

    Attributes:
        source, text: the grammar's text.
        dialect: how it is read.
        remarks: what is worth a word in the report.
        at: the present place.

    """

    def __init__(self, source: GrammarText, dialect: Dialect) -> None:
        """Start at the beginning."""
        self.source = source
        self.text = source.text
        self.dialect = dialect
        self.remarks: list[Remark] = []
        self.at = 0

    def invalid(self, message: str, at: int, hint: str | None = None, length: int = 1) -> NoReturn:
        """Refuse the text as wrong in itself."""
        self.source.invalid(message, at, hint, length)

    def string(self, quote: str) -> str:
        """Read a string; the present place is on its quote."""
        start = self.at
        self.at += 1
        found: list[str] = []
        while (x := self.text[self.at : self.at + 1]) != quote:
            if x == "" or x in "\r\n":
                hint = r"close it on this line; \n stands for a line break" if self.dialect.escapes else "close it"
                self.invalid(f"the string is never closed: expected {quote}", start, hint, self.at - start)
            if x == "\\" and self.dialect.escapes:
                found.append(chr(self.escape()))
                continue
            if x == "\\" and not any(r.what == "backslash" for r in self.remarks):
                why = f"{self.dialect.title} has no escapes: a backslash in a string is a character like any other"
                self.remarks.append(Remark(self.at, "backslash", why))
            found.append(x)
            self.at += 1
        self.at += 1
        return "".join(found)

    def escape(self) -> int:
        """Read an escape of GBNF or xgrammar: its code point."""
        start = self.at
        x = self.text[start + 1 : start + 2]
        if x in _HEX_DIGITS and x:
            code = self.hexadecimal(start, _HEX_DIGITS[x])
            low = -1
            if 0xD800 <= code <= 0xDBFF and self.text.startswith("\\u", self.at):
                low = self.hexadecimal(self.at, 4)
            if 0xDC00 <= low <= 0xDFFF:
                return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
            if FIRST_SURROGATE <= code <= LAST_SURROGATE or code > MAX_CODE_POINT:
                self.invalid(f"{self.text[start : self.at]} is no character", start, length=self.at - start)
            return code
        self.at += 2
        if x in _SIMPLE and x:
            return ord(_SIMPLE[x])
        if x and x.isascii() and not x.isalnum() and not x.isspace():
            return ord(x)
        hint = r"the escapes are \n \t \r \\ \" \x41 \u0041 \U00000041"
        if x in {*"dDwWsS"}:
            hint = r"write [0-9], [A-Za-z0-9_] or [ \t\n]"
        self.at = start
        return self.invalid(f"the escape \\{x} is unknown", start, hint, 2)

    def hexadecimal(self, start: int, size: int) -> int:
        """Read the digits of the escape that begins at ``start``."""
        digits = self.text[start + 2 : start + 2 + size]
        if not re.fullmatch(rf"[0-9A-Fa-f]{{{size}}}", digits):
            sign = self.text[start : start + 2]
            self.invalid(f"expected {size} hexadecimal digits behind {sign}", start, length=2 + len(digits.strip()))
        self.at = start + 2 + size
        return int(digits, 16)

    def code_point(self) -> Ranges:
        """``#x41`` of the W3C's notation."""
        found = re.compile(r"#x([0-9A-Fa-f]+)").match(self.text, self.at)
        if found is None:
            self.invalid("expected '#x' and hexadecimal digits", self.at, "comments are /* */ in W3C EBNF")
        code = int(found[1], 16)
        if code > MAX_CODE_POINT or FIRST_SURROGATE <= code <= LAST_SURROGATE:
            self.invalid(f"{found[0]} is no character", self.at, length=len(found[0]))
        self.at = found.end()
        return ((code, code),)

    def char_class(self) -> Ranges:
        """Read a class; the present place is on its bracket."""
        start = self.at
        self.at += 1
        negated = self.text[self.at : self.at + 1] == "^"
        self.at += negated
        found: list[tuple[int, int]] = []
        while (x := self.text[self.at : self.at + 1]) != "]":
            if x == "" or x in "\r\n":
                hint = (
                    r"close it on this line; write \[ for the character"
                    if self.dialect.escapes
                    else "close it on this line"
                )
                self.invalid("the character class is never closed: expected ']'", start, hint, self.at - start)
            place = self.at
            low = high = self.member()
            if self.text[self.at : self.at + 1] == "-" and self.text[self.at + 1 : self.at + 2] not in {"]", ""}:
                self.at += 1
                high = self.member()
                if high < low:
                    self.invalid(
                        "the range counts down", place, "swap its ends, or put the hyphen last", self.at - place
                    )
            found.append((low, high))
        self.at += 1
        if not found:
            self.invalid("the character class is empty: expected a character", start, 'write "" for the empty text', 2)
        ranges = charset.normalise(found)
        return charset.negate(ranges) if negated else ranges

    def member(self) -> int:
        """Read one character of a class: its code point."""
        x = self.text[self.at]
        if x == "\\" and self.dialect.escapes:
            return self.escape()
        if x == "#" and self.dialect is W3C and self.text.startswith("#x", self.at):
            return self.code_point()[0][0]
        self.at += 1
        return ord(x)
