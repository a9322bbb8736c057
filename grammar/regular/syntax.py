"""Regular expressions as trees: one parser, three dialects.

``ecma`` is what JSON Schema asks for, read as leniently as patterns in the wild need (the annex B of
ECMA-262: identity escapes, literal braces, a class shorthand beside a hyphen; and ``\\A``, ``\\Z``, ``(?i)``,
``(?P<name>...)`` as Python users write them).  ``python`` and ``rust`` follow CPython's ``re`` on ``str`` and Rust's
``regex`` crate.  Laziness of a quantifier does not change which strings match and leaves no trace.

What is not regular, or depends on the order in which a backtracking matcher tries things, is refused
by name with its place in the pattern.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final, NoReturn

from ..errors import InvalidSource, LimitExceeded, Unsupported
from . import charset
from .dfa import SCALARS, Dialect, Ranges

MAX_NESTING: Final = 150
"""Groups inside groups.  Keeps the recursive passes over the tree far from Python's own recursion limit."""

MAX_COUNT: Final = 1_000_000_000
"""Repetition counts beyond this are refused as text; the cap on states stops far smaller ones."""


@dataclass(slots=True)
class Set:
    """One character of a set."""

    ranges: Ranges


@dataclass(slots=True)
class Concat:
    """One part after another."""

    parts: list[Node]


@dataclass(slots=True)
class Alternation:
    """One of the parts."""

    parts: list[Node]


@dataclass(slots=True)
class Repeat:
    """``least`` to ``most`` (``None``: any number of) copies of a node."""

    body: Node
    least: int
    most: int | None


@dataclass(slots=True)
class Anchor:
    """Start (``begin``) or end of the text."""

    begin: bool


@dataclass(slots=True)
class Look:
    """A text of ``body`` must (not) follow (``ahead``) or precede here."""

    body: Node
    ahead: bool
    negated: bool
    position: int


Node = Set | Concat | Alternation | Repeat | Anchor | Look

_FLAGS: Final = {"ecma": "ims", "python": "aimsux", "rust": "imsuxUR"}
_SIMPLE_ESCAPES: Final = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_CLOSERS: Final = {"(": ")", "[": "]", "{": "}"}


def parse(pattern: str, dialect: Dialect) -> Node:
    """Read a regular expression.

    Raises:
        InvalidSource: it is not one.
        Unsupported: it uses a construct that no finite automaton can express, or one that is left out by name.
        LimitExceeded: groups are nested more than ``MAX_NESTING`` deep.

    """
    return _Parser(pattern, dialect).whole()


def caret(pattern: str, position: int) -> str:
    """Two lines that point at a character of the pattern."""
    begin = max(0, position - 40)
    excerpt = pattern[begin : position + 30].translate({9: " ", 10: " ", 13: " "})
    return f"\n  {excerpt}\n  {' ' * (position - begin)}^"


def refuse(construct: str, pattern: str, position: int, *, hint: str) -> Unsupported:
    """Build the error for a construct that is left out."""
    return Unsupported(f"the pattern has {construct} at position {position}{caret(pattern, position)}\n ", hint=hint)


class _Parser:
    __slots__ = ("at", "depth", "dialect", "flags", "groups", "names", "pattern")

    def __init__(self, pattern: str, dialect: Dialect) -> None:
        self.pattern = pattern
        self.dialect = dialect
        self.at = 0
        self.depth = 0
        self.flags: frozenset[str] = frozenset()
        self.groups = -1
        self.names: set[str] = set()

    # -- errors ---------------------------------------------------------------------------------------------

    def invalid(self, message: str, position: int, hint: str | None = None) -> NoReturn:
        text = f"the pattern is no regular expression: {message} at position {position}"
        raise InvalidSource(f"{text}{caret(self.pattern, position)}\n ", hint=hint)

    def unsupported(self, construct: str, position: int, hint: str) -> NoReturn:
        raise refuse(construct, self.pattern, position, hint=hint)

    # -- structure ------------------------------------------------------------------------------------------

    def whole(self) -> Node:
        node = self.alternation()
        if self.at < len(self.pattern):
            self.invalid("unbalanced ')'", self.at, r"write \) for the character")
        return node

    def alternation(self) -> Node:
        parts = [self.sequence()]
        while self.at < len(self.pattern) and self.pattern[self.at] == "|":
            self.at += 1
            parts.append(self.sequence())
        return parts[0] if len(parts) == 1 else Alternation(parts)

    def sequence(self) -> Node:
        pattern = self.pattern
        size = len(pattern)
        parts: list[Node] = []
        while self.at < size:
            x = pattern[self.at]
            if x in "|)":
                break
            start = self.at
            if "x" in self.flags and self.skip_blanks():
                continue
            if x in "*+?" or (x == "{" and self.dialect != "ecma" and self.counts() is not None):
                self.invalid(f"nothing to repeat before {x!r}", start, f"write \\{x} for the character")
            node = self.atom(x)
            if node is None:
                continue
            node = self.quantified(node)
            parts.append(node)
        return parts[0] if len(parts) == 1 else Concat(parts)

    def skip_blanks(self) -> bool:
        x = self.pattern[self.at]
        if x.isspace():
            self.at += 1
            return True
        if x == "#":
            end = self.pattern.find("\n", self.at)
            self.at = len(self.pattern) if end < 0 else end + 1
            return True
        return False

    def atom(self, x: str) -> Node | None:
        if x == "[":
            return Set(self.char_class())
        if x == "(":
            return self.group()
        if x == "\\":
            return self.escape()
        start = self.at
        self.at += 1
        if x == ".":
            return Set(SCALARS if "s" in self.flags else charset.any_but_newline(self.dialect))
        if x == "^":
            return self.line_start(start) if "m" in self.flags else Anchor(begin=True)
        if x == "$":
            return self.dollar(start)
        if x in "{}]" and self.dialect == "rust" and x == "{":
            self.invalid("a literal '{'", start, r"write \{ for the character")
        return self.character(ord(x))

    def character(self, code: int) -> Node:
        ranges = charset.normalise(((code, code),))
        return Set(charset.fold_case(ranges, self.dialect) if "i" in self.flags else ranges)

    def line_start(self, position: int) -> Node:
        newlines = charset.negate(charset.any_but_newline(self.dialect))
        return Alternation([Anchor(begin=True), Look(Set(newlines), ahead=False, negated=False, position=position)])

    def dollar(self, position: int) -> Node:
        if "m" in self.flags:
            newlines = charset.negate(charset.any_but_newline(self.dialect))
            return Alternation([Anchor(begin=False), Look(Set(newlines), ahead=True, negated=False, position=position)])
        if self.dialect == "python":
            # CPython's $ also matches before a newline that ends the text.
            last = Concat([Set(((10, 10),)), Anchor(begin=False)])
            return Alternation([Anchor(begin=False), Look(last, ahead=True, negated=False, position=position)])
        return Anchor(begin=False)

    def word_boundary(self, position: int, *, negated: bool) -> Node:
        ascii_only = "a" in self.flags
        word: Node = Set(charset.shorthand("w", self.dialect, ascii_only))

        def look(ahead: bool, negated: bool) -> Node:  # noqa: FBT001 - two calls below
            return Look(word, ahead=ahead, negated=negated, position=position)

        before, not_before, after, not_after = look(False, False), look(False, True), look(True, False), look(True, True)  # noqa: FBT003
        if negated:
            return Alternation([Concat([before, after]), Concat([not_before, not_after])])
        return Alternation([Concat([before, not_after]), Concat([not_before, after])])

    # -- quantifiers ----------------------------------------------------------------------------------------

    def counts(self) -> tuple[int, int | None, int] | None:
        """Read ``{m}``, ``{m,}``, ``{m,n}`` (and ``{,n}``) at the current place: least, most, length; else None."""
        end = self.pattern.find("}", self.at)
        if end < 0:
            return None
        low, comma, high = self.pattern[self.at + 1 : end].partition(",")
        if "x" in self.flags:
            low, high = low.strip(), high.strip()
        if not all(part == "" or (part.isascii() and part.isdigit()) for part in (low, high)):
            return None
        if low == "" and (high == "" or self.dialect == "ecma"):
            return None
        least = int(low) if low else 0
        most = (int(high) if high else None) if comma else least
        if max(least, most or 0) > MAX_COUNT:
            raise LimitExceeded(
                f"the pattern repeats more than {MAX_COUNT} times at position {self.at}",
                limit="max_repeat", value=MAX_COUNT, hint="lower the count",
            )  # fmt: skip
        return least, most, end + 1 - self.at

    def quantified(self, node: Node) -> Node:
        pattern = self.pattern
        seen = False
        while self.at < len(pattern):
            if "x" in self.flags and self.skip_blanks():
                continue
            start = self.at
            x = pattern[start]
            if x == "*":
                least, most, size = 0, None, 1
            elif x == "+":
                least, most, size = 1, None, 1
            elif x == "?":
                least, most, size = 0, 1, 1
            elif x == "{":
                counts = self.counts()
                if counts is None:
                    break
                least, most, size = counts
            else:
                break
            if seen and self.dialect != "rust":
                self.invalid("a quantifier after a quantifier", start, "put the repeated part in (?:...)")
            if most is not None and most < least:
                self.invalid(f"the repetition {{{least},{most}}} counts down", start, "swap the two numbers")
            self.at += size
            suffix = pattern[self.at] if self.at < len(pattern) else ""
            if suffix == "?":
                self.at += 1
            elif suffix == "+" and self.dialect == "python":
                self.unsupported("a possessive quantifier", start, "drop the last '+': matching then may backtrack")
            node = Repeat(node, least, most)
            seen = True
        return node

    # -- groups ---------------------------------------------------------------------------------------------

    def group(self) -> Node | None:
        pattern = self.pattern
        start = self.at
        look: tuple[bool, bool] | None = None
        flags = self.flags
        if not pattern.startswith("(?", start):
            self.at += 1
        elif pattern.startswith("(?:", start):
            self.at += 3
        elif pattern.startswith(("(?=", "(?!"), start):
            look = (True, pattern[start + 2] == "!")
            self.at += 3
        elif pattern.startswith(("(?<=", "(?<!"), start):
            look = (False, pattern[start + 3] == "!")
            self.at += 4
        elif pattern.startswith("(?#", start):
            end = pattern.find(")", start)
            if end < 0:
                self.invalid("a comment without an end", start)
            self.at = end + 1
            return None
        elif pattern.startswith(("(?P<", "(?<"), start):
            self.group_name(start)
        elif pattern.startswith(("(?P=", "(?(", "(?>", "(?R)", "(?&", "(?|", "(?P>"), start):
            names = {"P": "a back-reference or call", "(": "a conditional", ">": "an atomic group", "R": "a recursion"}
            self.unsupported(names.get(pattern[start + 2], "an extension group"), start, "rewrite the pattern without it")
        elif self.inline_flags(start):
            return None
        if look is not None and self.dialect == "rust":
            self.unsupported("look-around, which Rust's dialect does not have,", start, "use the ecma or python dialect")
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise LimitExceeded(
                f"the pattern nests groups more than {MAX_NESTING} deep",
                limit="max_nesting", value=MAX_NESTING, hint="flatten the groups",
            )  # fmt: skip
        body = self.alternation()
        self.depth -= 1
        self.flags = flags
        if self.at >= len(pattern):
            self.invalid("a group without its ')'", start, r"close it, or write \( for the character")
        self.at += 1
        return body if look is None else Look(body, ahead=look[0], negated=look[1], position=start)

    def group_name(self, start: int) -> None:
        begin = self.pattern.index("<", start) + 1
        end = self.pattern.find(">", begin)
        name = self.pattern[begin:end] if end > 0 else ""
        if not name.replace("$", "_").isidentifier():
            self.invalid(f"a bad group name {name!r}", begin)
        if name in self.names and self.dialect != "ecma":
            self.invalid(f"the group name {name!r} twice", begin)
        self.names.add(name)
        self.at = end + 1

    def inline_flags(self, start: int) -> bool:
        """Read ``(?ims-ims)`` (true) or ``(?ims-ims:`` (false)."""
        at = start + 2
        on: set[str] = set()
        off: set[str] = set()
        into = on
        while at < len(self.pattern) and self.pattern[at] not in ":)":
            x = self.pattern[at]
            if x == "-" and into is on:
                into = off
            elif x in _FLAGS[self.dialect]:
                into.add(x)
            else:
                self.invalid(f"an unknown group or flag {x!r}", at)
            at += 1
        if at >= len(self.pattern):
            self.invalid("a group without its ')'", start)
        # The flags a and u are two values of one setting; U swaps greedy and lazy, which matches the same strings.
        flags = (self.flags | on) - off
        if "u" in on:
            flags -= {"a"}
        if "u" in off or "R" in on:
            self.unsupported("the flag '-u' or 'R'", start, "use an explicit ASCII class")
        whole = self.pattern[at] == ")"
        if whole and self.dialect != "rust" and start > 0 and self.pattern[:start].strip() != "" and self.depth == 0:
            before = self.pattern[:start]
            if not before.startswith("(?") and before != "^":
                self.invalid("global flags that are not at the start", start, "use (?i:...) around the part")
        self.at = at + 1
        self.flags = flags
        return whole

    # -- escapes --------------------------------------------------------------------------------------------

    def escape(self) -> Node:
        start = self.at
        x = self.pattern[start + 1 : start + 2]
        if x == "A":
            self.at += 2
            return Anchor(begin=True)
        if x in {"Z", "z"} and (x == "z" or self.dialect != "rust"):
            if x == "z" and self.dialect == "python":
                self.invalid(r"a bad escape \z", start, r"write \Z")
            self.at += 2
            return Anchor(begin=False)
        if x in {"b", "B"}:
            self.at += 2
            return self.word_boundary(start, negated=x == "B")
        if x in "123456789" and x:
            node = self.back_reference(start)
            if node is not None:
                return node
        if x == "k" and (self.dialect != "ecma" or "(?<" in self.pattern):
            self.unsupported("a back-reference", start, "no finite automaton can express it; rewrite the pattern")
        ranges = self.escaped_set()
        return Set(charset.fold_case(ranges, self.dialect) if "i" in self.flags else ranges)

    def back_reference(self, start: int) -> Node | None:
        at = start + 1
        while at < len(self.pattern) and self.pattern[at] in "0123456789":
            at += 1
        digits = self.pattern[start + 1 : at]
        if self.dialect == "python" and len(digits) >= 3 and all(x in "01234567" for x in digits[:3]):  # noqa: PLR2004
            return None
        if self.groups < 0:
            self.groups = self.count_groups()
        if self.dialect == "ecma" and int(digits) > self.groups:
            return None  # annex B: an octal escape or the digit itself
        if self.dialect == "rust" or int(digits) <= self.groups:
            self.unsupported("a back-reference", start, "no finite automaton can express it; rewrite the pattern")
        self.invalid(f"a reference to the missing group {digits}", start)

    def count_groups(self) -> int:
        count = 0
        at = 0
        in_class = False
        while at < len(self.pattern):
            x = self.pattern[at]
            if x == "\\":
                at += 1
            elif in_class:
                in_class = x != "]"
            elif x == "[":
                in_class = True
            elif x == "(":
                after = self.pattern[at + 1 : at + 4]
                named = after.startswith(("?P<", "?<")) and after not in {"?<=", "?<!"} and after[:3] not in {"?<=", "?<!"}
                count += not after.startswith("?") or named
            at += 1
        return count

    def hex_digits(self, begin: int, size: int) -> int:
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
            return charset.negate(charset.fold_case(positive, self.dialect) if "i" in self.flags else positive)
        if x in "pP":
            return self.property(start, negated=x == "P")
        code = self.escaped_code(x, start, in_class=in_class)
        return charset.normalise(((code, code),))

    def property(self, start: int, *, negated: bool) -> Ranges:
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
        return charset.negate(found) if negated else found

    def escaped_code(self, x: str, start: int, *, in_class: bool) -> int:  # noqa: C901, PLR0911, PLR0912 - a table in words
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
            self.invalid(f"a bad escape \\{x}", start, f"write {x} alone for the character")
        return ord(x)

    def octal(self, x: str) -> int:
        value = int(x)
        # Three digits at most, and no more than 0o377.
        while self.pattern[self.at : self.at + 1] in {*"01234567"} and value < 32 and self.at < len(self.pattern):  # noqa: PLR2004
            value = 8 * value + int(self.pattern[self.at])
            self.at += 1
        return value

    def hexadecimal(self, x: str, start: int) -> int:
        if x in "xu" and self.dialect != "python":
            value, end = self.braced_hex(self.at)
            if value >= 0:
                if x == "u" or self.dialect == "rust":
                    self.at = end
                    return value
        size = {"x": 2, "u": 4, "U": 8}[x]
        value = self.hex_digits(self.at, size) if x != "U" or self.dialect != "ecma" else -1
        if not 0 <= value <= SCALARS[-1][1]:
            if self.dialect == "ecma":
                return ord(x)  # annex B: an identity escape
            self.invalid(f"a bad escape \\{x}", start, f"{size} hexadecimal digits must follow")
        self.at += size
        if 0xD800 <= value <= 0xDBFF and self.pattern.startswith("\\u", self.at):  # noqa: PLR2004 - high surrogates
            low = self.hex_digits(self.at + 2, 4)
            if 0xDC00 <= low <= 0xDFFF:  # noqa: PLR2004 - low surrogates
                self.at += 6
                return 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00)
        return value

    # -- classes --------------------------------------------------------------------------------------------

    def char_class(self) -> Ranges:
        start = self.at
        self.at += 1
        negated = self.pattern[self.at : self.at + 1] == "^"
        self.at += negated
        ranges = self.class_union(start)
        while self.dialect == "rust" and self.pattern[self.at : self.at + 2] in {"&&", "--", "~~"}:
            operator = self.pattern[self.at]
            self.at += 2
            other = self.class_union(start)
            if operator == "&":
                ranges = charset.intersect(ranges, other)
            elif operator == "-":
                ranges = charset.intersect(ranges, charset.negate(other))
            else:
                both = charset.intersect(ranges, other)
                ranges = charset.intersect(charset.normalise((*ranges, *other)), charset.negate(both))
        self.at += 1
        if "i" in self.flags:
            ranges = charset.fold_case(ranges, self.dialect)
        return charset.negate(ranges) if negated else ranges

    def class_union(self, start: int) -> Ranges:
        """Read members up to the closing bracket (not taken) or a set operator of Rust's dialect."""
        pattern = self.pattern
        rust = self.dialect == "rust"
        found: list[tuple[int, int]] = []
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
                found.extend(members)
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
        return charset.normalise(found)

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
        if self.pattern.startswith("[:", self.at):
            end = self.pattern.find(":]", self.at)
            name = self.pattern[self.at + 2 : end] if end > 0 else ""
            inverted = name.startswith("^")
            known = charset.POSIX_CLASSES.get(name.removeprefix("^"))
            if known is not None:
                self.at = end + 2
                return charset.negate(known) if inverted else known
        return self.char_class()
