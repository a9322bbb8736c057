r"""What stands for one character in a regular expression: escapes and bracketed classes, per dialect."""

from __future__ import annotations

import unicodedata
from typing import Final, NoReturn

from ..errors import InvalidSource, LimitExceeded, Unsupported
from . import charset
from .dfa import SCALARS, Dialect, Ranges

MAX_NESTING: Final = 150
"""Groups inside groups, and classes inside classes.  Keeps recursive passes far from Python's own recursion limit."""

_SIMPLE_ESCAPES: Final = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}


_MEANT: Final = {
    "Z": r"write \z for the end of the text",
    "h": r"write [ \t] for horizontal space",
    "H": r"write [^ \t] for other characters than horizontal space",
    "R": r"write (?:\r\n|[\n\r]) for a line break",
    "K": "take what is kept out of the pattern, or use look-behind",
    "G": "a set of texts knows no last match; leave it out",
    "X": r"write (?:\P{M}\p{M}*) for a character with its marks",
    "Q": "escape each character by itself",
    "E": "escape each character by itself",
    "e": r"write \x1b for the escape character",
    "k": "write (?P=name) for what a named group matched",
    "g": "write (?P=name), or the number of the group, for what it matched",
    "C": "texts are matched, not bytes",
}
"""What escapes of other dialects are written as, for those who meant them."""


def caret(pattern: str, position: int) -> str:
    """Two lines that point at a character of the pattern."""
    begin = max(0, position - 40)
    excerpt = pattern[begin : position + 30].translate({9: " ", 10: " ", 13: " "})
    return f"\n  {excerpt}\n  {' ' * (position - begin)}^"


def place(pattern: str, position: int) -> str:
    """Line and column of a character of the pattern, both counted from 1."""
    before = pattern[:position]
    return f"line {before.count(chr(10)) + 1}, column {position - before.rfind(chr(10))}"


def refuse(construct: str, pattern: str, position: int, *, hint: str) -> Unsupported:
    """Build the error for a construct that is left out."""
    message = f"the pattern has {construct} at position {position}{caret(pattern, position)}\n "
    return Unsupported(message, where=place(pattern, position), hint=hint)


class CharacterReader:
    """Reads escapes and classes of one pattern; the parser of whole patterns builds on it.

    Attributes:
        pattern, dialect: what is read and how.
        at: the current place in the pattern.
        flags: the inline flags in force.

    """

    __slots__ = ("at", "class_depth", "dialect", "flags", "pattern")

    def __init__(self, pattern: str, dialect: Dialect) -> None:
        """Start at the beginning of a pattern."""
        self.pattern = pattern
        self.dialect = dialect
        self.at = 0
        self.class_depth = 0
        self.flags: frozenset[str] = frozenset()

    def invalid(self, message: str, position: int, hint: str | None = None) -> NoReturn:
        """Refuse the pattern as no regular expression."""
        text = f"the pattern is no regular expression: {message} at position {position}"
        raise InvalidSource(f"{text}{caret(self.pattern, position)}\n ", where=place(self.pattern, position), hint=hint)

    def unsupported(self, construct: str, position: int, hint: str) -> NoReturn:
        """Refuse a construct by name."""
        raise refuse(construct, self.pattern, position, hint=hint)

    def too_deep(self) -> NoReturn:
        """Refuse a pattern that is nested too deeply."""
        raise LimitExceeded(
            f"the pattern nests more than {MAX_NESTING} deep at position {self.at}",
            limit="max_nesting", value=MAX_NESTING, hint="flatten the groups",
        )  # fmt: skip

    def hex_digits(self, begin: int, size: int) -> int:
        """Read exactly ``size`` hexadecimal digits at ``begin``: their value, or -1."""
        text = self.pattern[begin : begin + size]
        if len(text) == size and all(x in "0123456789abcdefABCDEF" for x in text):
            return int(text, 16)
        return -1

    def braced_hex(self, begin: int) -> tuple[int, int]:
        """Read ``{hex}`` at ``begin``: the value or -1, and the place after it."""
        end = self.pattern.find("}", begin)
        digits = self.pattern[begin + 1 : end] if end > 0 and self.pattern[begin : begin + 1] == "{" else ""
        value = self.hex_digits(begin + 1, len(digits)) if digits else -1
        return (value, end + 1) if 0 <= value <= SCALARS[-1][1] else (-1, begin)

    def escaped_set(self, *, in_class: bool = False) -> Ranges:
        """Read one escape that stands for characters; the current place is on the backslash."""
        start = self.at
        x = self.pattern[start + 1 : start + 2]
        if x == "":
            self.invalid("a backslash at the end", start, r"write \\ for the character")
        self.at += 2
        ascii_only = "a" in self.flags
        if x in "dws":
            return charset.shorthand(x, self.dialect, ascii_only)
        if x in "DWS":
            positive = charset.shorthand(x.lower(), self.dialect, ascii_only)
            if "i" in self.flags and self.dialect != "python":
                positive = charset.fold_case(positive, self.dialect)
            return charset.negate(positive)
        if x in "pP":
            return self.property(start, negated=x == "P")
        code = self.escaped_code(x, start, in_class=in_class)
        return charset.normalise(((code, code),))

    def property(self, start: int, *, negated: bool) -> Ranges:
        """Read the name of a Unicode property behind its letter."""
        at = self.at
        if self.pattern[at : at + 1] == "{":
            end = self.pattern.find("}", at)
            name = self.pattern[at + 1 : end] if end > 0 else ""
            self.at = end + 1
        else:
            name = self.pattern[at : at + 1] if self.dialect != "ecma" else ""
            self.at = at + 1
        if name.startswith("^"):
            name, negated = name[1:], not negated
        found = None
        if name and all(x.isalnum() or x in "_=: -&" for x in name):
            found = charset.unicode_property(name)
        if found is None:
            self.invalid(f"an unknown Unicode property {name!r}", start, r"for example \p{L} or \p{Script=Greek}")
        if negated and {"i", "v"} <= self.flags:  # with the v flag, the complement is taken without regard to case
            found = charset.fold_case(found, self.dialect)
        return charset.negate(found) if negated else found

    def escaped_code(self, x: str, start: int, *, in_class: bool) -> int:
        """Read the rest of an escape that stands for one character: its code point."""
        ecma = self.dialect == "ecma"
        if x in _SIMPLE_ESCAPES:
            return _SIMPLE_ESCAPES[x]
        if x == "b" and in_class:
            return 8
        if x == "a" and not ecma:
            return 7
        if x == "c" and ecma:
            letter = self.pattern[self.at : self.at + 1]
            if letter.isascii() and letter.isalpha():
                self.at += 1
                return ord(letter) & 31
            self.at -= 1  # annex B: the backslash is a character
            return 0x5C
        if x in "xuU":
            return self.hexadecimal(x, start)
        if x in "01234567" and self.dialect != "rust":
            return self.octal(x)
        if x == "N" and self.dialect == "python":
            end = self.pattern.find("}", self.at)
            try:
                code = ord(unicodedata.lookup(self.pattern[self.at + 1 : end]))
            except (KeyError, TypeError):
                self.invalid(r"an unknown character name in \N{...}", start)
            self.at = end + 1
            return code
        if x.isascii() and x.isalnum() and not ecma:
            self.invalid(f"a bad escape \\{x}", start, _MEANT.get(x, f"write {x} alone for the character"))
        return ord(x)

    def octal(self, x: str) -> int:
        """Read the rest of an octal escape whose first digit is ``x``."""
        value = int(x)
        # Three digits at most, and no more than 0o377.
        while self.pattern[self.at : self.at + 1] in {*"01234567"} and value < 32 and self.at < len(self.pattern):
            value = 8 * value + int(self.pattern[self.at])
            self.at += 1
        return value

    def hexadecimal(self, x: str, start: int) -> int:
        """Read the rest of an escape by code point, in any of the dialect's spellings; surrogate pairs are one."""
        if x in "xu" and self.dialect != "python":
            value, end = self.braced_hex(self.at)
            if value >= 0 and (x == "u" or self.dialect == "rust"):
                self.at = end
                return value
        size = {"x": 2, "u": 4, "U": 8}[x]
        value = self.hex_digits(self.at, size) if x != "U" or self.dialect != "ecma" else -1
        if not 0 <= value <= SCALARS[-1][1]:
            if self.dialect == "ecma":
                return ord(x)  # annex B: an identity escape
            self.invalid(f"a bad escape \\{x}", start, f"{size} hexadecimal digits must follow")
        self.at += size
        if 0xD800 <= value <= 0xDBFF and self.pattern.startswith("\\u", self.at):
            low = self.hex_digits(self.at + 2, 4)
            if 0xDC00 <= low <= 0xDFFF:
                self.at += 6
                return 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00)
        return value

    # -- classes --------------------------------------------------------------------------------------------

    def char_class(self) -> Ranges:
        """Read a bracketed class; the current place is on its bracket."""
        start = self.at
        self.class_depth += 1
        if self.class_depth > MAX_NESTING:
            self.too_deep()
        self.at += 1
        negated = self.pattern[self.at : self.at + 1] == "^"
        self.at += negated
        if "v" in self.flags:
            ranges = self.class_of_sets(start)
        else:
            ranges = self.class_union(start)
            while self.dialect == "rust" and self.pattern[self.at : self.at + 2] in {"&&", "--", "~~"}:
                operator = self.pattern[self.at]
                self.at += 2
                ranges = _SET_OPERATORS[2 * operator](ranges, self.class_union(start))
        self.at += 1
        self.class_depth -= 1
        return charset.negate(ranges) if negated else ranges

    def class_union(self, start: int) -> Ranges:
        """Read members up to the closing bracket (not taken) or a set operator of Rust's dialect."""
        pattern = self.pattern
        rust = self.dialect == "rust"
        found: list[tuple[int, int]] = []
        shorthands: list[tuple[int, int]] = []
        leading = self.dialect != "ecma"  # a ] that comes first is a character
        while True:
            if self.at >= len(pattern):
                self.invalid("a class without its ']'", start, r"close it, or write \[ for the character")
            x = pattern[self.at]
            if x == "]" and not leading:
                break
            leading = False
            if rust and pattern[self.at : self.at + 2] in {"&&", "--", "~~"}:
                break
            if rust and "x" in self.flags and x.isspace():
                self.at += 1
                continue
            if rust and x == "[":
                found.extend(self.nested_class())
                continue
            place = self.at
            low, members = self.class_member()
            following = pattern[self.at : self.at + 2]
            is_range = following[:1] == "-" and following[1:] not in {"]", ""} and not (rust and following == "--")
            if not is_range:
                (shorthands if low < 0 else found).extend(members)
                continue
            self.at += 1
            high, others = self.class_member()
            if low < 0 or high < 0:
                if self.dialect != "ecma":
                    self.invalid("a range that starts or ends with a class", place, r"write \- for a hyphen")
                found.extend((*members, (0x2D, 0x2D), *others))  # annex B: the hyphen is a character
                continue
            if low > high:
                self.invalid("a range that counts down", place, "swap its ends, or escape the hyphen")
            found.append((low, high))
        if "i" not in self.flags:
            return charset.normalise((*found, *shorthands))
        if self.dialect != "python":  # whose shorthands know no case
            found += shorthands
            shorthands = []
        return charset.normalise((*charset.fold_case(charset.normalise(found), self.dialect), *shorthands))

    def class_of_sets(self, start: int) -> Ranges:
        """Read the members of a class of ECMA-262's v flag up to its bracket: a union, a difference or an intersection."""
        found: Ranges = ()
        operator: str | None = None
        first = True
        while True:
            if self.at >= len(self.pattern):
                self.invalid("a class without its ']'", start, r"close it, or write \[ for the character")
            if self.pattern[self.at] == "]":
                return found
            if not first:
                here = self.pattern[self.at : self.at + 2]
                here = here if here in {"&&", "--"} else ""
                if operator is not None and here != operator:
                    self.invalid("a class that mixes set operations", self.at, "put each in brackets of its own")
                operator = here
                self.at += len(here)
            operand, is_range = self.set_operand(start)
            if is_range:
                if operator:
                    self.invalid("a range in a set operation", self.at, "put it in brackets of its own")
                operator = ""
            found = operand if first else _SET_OPERATORS[operator or "||"](found, operand)
            first = False

    def set_operand(self, start: int) -> tuple[Ranges, bool]:
        """Read a member of a class of the v flag, and tell whether it is a range."""
        place = self.at
        here = self.pattern[self.at]
        if here == "[":
            return self.char_class(), False
        if here in "()[]{}/-|":
            self.invalid(f"an unescaped {here!r} in a class of the v flag", place, f"write \\{here} for the character")
        if here in "&!#$%*+,.:;<=>?@^`~" and self.pattern.startswith(2 * here, place):
            self.invalid(f"{2 * here!r} in a class of the v flag", place, f"write \\{here} for the character")
        if self.pattern.startswith("\\q{", place):
            self.unsupported(r"\q{...}, texts in a class,", place, "write the texts as alternatives of a group")
        low, members = self.class_member()
        is_range = self.pattern.startswith("-", self.at) and not self.pattern.startswith("--", self.at)
        if is_range:
            self.at += 1
            if self.at >= len(self.pattern):
                self.invalid("a class without its ']'", start)
            high, _ = self.class_member()
            if low < 0 or high < 0:
                self.invalid("a range that starts or ends with a class", place, r"write \- for a hyphen")
            if low > high:
                self.invalid("a range that counts down", place, "swap its ends, or escape the hyphen")
            members = ((low, high),)
        members = charset.normalise(members)
        return (charset.fold_case(members, self.dialect) if "i" in self.flags else members), is_range

    def class_member(self) -> tuple[int, Ranges]:
        """Read a character (its code and range) or a shorthand (-1 and its ranges)."""
        x = self.pattern[self.at]
        if x != "\\":
            self.at += 1
            return ord(x), ((ord(x), ord(x)),)
        shorthand = self.pattern[self.at + 1 : self.at + 2]
        if shorthand in {*"dDwWsSpP"}:
            return -1, self.escaped_set(in_class=True)
        self.at += 2
        if shorthand == "":
            self.invalid("a backslash at the end", self.at - 2)
        code = self.escaped_code(shorthand, self.at - 2, in_class=True)
        return code, ((code, code),)

    def nested_class(self) -> Ranges:
        """Read a class inside a class of Rust's dialect, named ones included."""
        if self.pattern.startswith("[:", self.at):
            end = self.pattern.find(":]", self.at)
            name = self.pattern[self.at + 2 : end] if end > 0 else ""
            inverted = name.startswith("^")
            known = charset.POSIX_CLASSES.get(name.removeprefix("^"))
            if known is not None:
                self.at = end + 2
                return charset.negate(known) if inverted else known
        return self.char_class()


def _difference(a: Ranges, b: Ranges) -> Ranges:
    return charset.intersect(a, charset.negate(b))


def _union(a: Ranges, b: Ranges) -> Ranges:
    return charset.normalise((*a, *b))


_SET_OPERATORS: Final = {
    "&&": charset.intersect,
    "--": _difference,
    "~~": lambda a, b: _union(_difference(a, b), _difference(b, a)),
    "||": _union,
}
"""Operators between sets of characters; the last one is what stands between members without an operator."""
