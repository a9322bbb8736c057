r"""Regular expressions as trees: one parser, three dialects.

``ecma`` is what JSON Schema asks for, read as leniently as patterns in the wild need (the annex B of
ECMA-262: identity escapes, literal braces, a class shorthand beside a hyphen; and ``\A``, ``\Z``, ``(?i)``,
``(?P<name>...)`` as Python users write them).  ``python`` and ``rust`` follow CPython's ``re`` on ``str`` and Rust's
``regex`` crate.  Laziness of a quantifier does not change which strings match and leaves no trace.

What is not regular, or depends on the order in which a backtracking matcher tries things, is refused
by name with its place in the pattern.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..errors import LimitExceeded
from . import charset
from .dfa import SCALARS, Dialect, Ranges
from .escapes import CharacterReader

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


def parse(pattern: str, dialect: Dialect) -> Node:
    """Read a regular expression.

    Raises:
        InvalidSource: it is not one.
        Unsupported: it uses a construct that no finite automaton can express, or one that is left out by name.
        LimitExceeded: groups are nested more than ``MAX_NESTING`` deep.

    """
    return _Parser(pattern, dialect).whole()


class _Parser(CharacterReader):
    __slots__ = ("depth", "groups", "names")

    def __init__(self, pattern: str, dialect: Dialect) -> None:
        super().__init__(pattern, dialect)
        self.depth = 0
        self.groups = -1
        self.names: set[str] = set()

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
        if x == "{" and self.dialect == "rust":
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

        def look(ahead: bool, negated: bool) -> Node:
            return Look(word, ahead=ahead, negated=negated, position=position)

        before, not_before = look(False, False), look(False, True)
        after, not_after = look(True, False), look(True, True)
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
            construct = names.get(pattern[start + 2], "an extension group")
            self.unsupported(construct, start, "rewrite the pattern without it")
        elif self.inline_flags(start):
            return None
        if look is not None and self.dialect == "rust":
            construct = "look-around, which Rust's dialect does not have,"
            self.unsupported(construct, start, "use the ecma or python dialect")
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
        folds = "i" in self.flags and not (self.dialect == "python" and x in "dwsDWS")  # where shorthands know no case
        return Set(charset.fold_case(ranges, self.dialect) if folds else ranges)

    def back_reference(self, start: int) -> Node | None:
        at = start + 1
        while at < len(self.pattern) and self.pattern[at] in "0123456789":
            at += 1
        digits = self.pattern[start + 1 : at]
        if self.dialect == "python" and len(digits) >= 3 and all(x in "01234567" for x in digits[:3]):
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
                named = after.startswith(("?P<", "?<")) and not after.startswith(("?<=", "?<!"))
                count += not after.startswith("?") or named
            at += 1
        return count
