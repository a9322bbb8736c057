r"""Regular expressions as trees: one parser, three dialects.

``ecma`` is what JSON Schema asks for, read as leniently as patterns in the wild need (the annex B of
ECMA-262: identity escapes, literal braces, a class shorthand beside a hyphen; and ``\A``, ``\Z``, ``(?i)``,
``(?P<name>...)`` as Python users write them).  ``python`` and ``rust`` follow CPython's ``re`` on ``str`` and Rust's
``regex`` crate.  Laziness of a quantifier does not change which strings match and leaves no trace.

What is not regular, or depends on the order in which a backtracking matcher tries things, is refused
by name with its place in the pattern.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from ..errors import LimitExceeded
from . import charset
from .atomic import without_atomic
from .dfa import SCALARS, Dialect
from .escapes import MAX_NESTING, CharacterReader
from .nodes import (
    Alternation,
    Anchor,
    Atomic,
    Concat,
    Conditional,
    Group,
    Look,
    Node,
    Reference,
    Repeat,
    Set,
    Tick,
    no_tick,
)
from .references import Expansion

MAX_COUNT: Final = 1_000_000_000
"""Repetition counts beyond this are refused as text; the cap on states stops far smaller ones."""


@dataclass(frozen=True, slots=True)
class Note:
    """What became of a part of a pattern that is not simply taken as it stands."""

    position: int
    text: str
    annotation: bool
    reason: str


class Parsed(NamedTuple):
    """A pattern as a tree of the nodes that automata are made of, and what was noted on the way."""

    node: Node
    notes: list[Note]


_FLAGS: Final = {"ecma": "ims", "python": "aimsux", "rust": "imsuxUR"}


_COUNTS: Final = re.compile(r"\{( *)([0-9]*)( *)(,?)( *)([0-9]*)( *)\}")
_REFERS: Final = re.compile(r"\\[1-9k]|\(\?P=|\(\?\(")


def parse(pattern: str, dialect: Dialect) -> Node:
    """Read a regular expression; see ``read``."""
    return read(pattern, dialect).node


def read(pattern: str, dialect: Dialect, flags: str = "", tick: Tick = no_tick) -> Parsed:
    """Read a regular expression.

    Args:
        pattern: its text.
        dialect: how it is read.
        flags: letters of the dialect's flags that are in force from the beginning.
        tick: called now and then.

    Raises:
        InvalidSource: it is not one.
        Unsupported: it uses a construct that no finite automaton can express, or one that is left out by name.
        LimitExceeded: groups are nested more than ``MAX_NESTING`` deep.

    """
    parser = _Parser(pattern, dialect, flags, tick)
    node = parser.whole()
    if parser.refers:
        expansion = Expansion(pattern, dialect, tick)
        node = expansion.expand(node)
        for number, cases in sorted(expansion.cases.items()):
            reason = f"references to group {number} are written out, for each of {cases} cases"
            parser.note(parser.uses[number], f"group {number}", reason)
    if parser.is_atomic:
        node = without_atomic(node, pattern, tick)
    return Parsed(node, parser.notes)


class _Parser(CharacterReader):
    __slots__ = (
        "behind",
        "depth",
        "ended",
        "groups",
        "is_atomic",
        "named",
        "names",
        "notes",
        "opened",
        "refers",
        "tick",
        "uses",
    )

    def __init__(self, pattern: str, dialect: Dialect, flags: str, tick: Tick) -> None:
        super().__init__(pattern, dialect)
        self.flags = frozenset(flags)
        self.tick = tick
        self.depth = 0
        self.behind = 0  # look-behinds that are open
        self.groups = -1  # of the whole pattern, counted when first asked for
        self.opened = 0
        self.ended: set[int] = set()
        self.names: dict[str, list[int]] = {}
        self.named = "(?<" in pattern or "(?P<" in pattern
        self.refers = _REFERS.search(pattern) is not None
        self.uses: dict[int, int] = {}  # position of the first reference to a group
        self.is_atomic = False
        self.notes: list[Note] = []

    def note(self, position: int, text: str, reason: str, *, annotation: bool = False) -> None:
        """Remember something for the report."""
        self.notes.append(Note(position, text, annotation, reason))

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
            self.tick()
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
        letters = charset.shorthand("w", self.dialect, ascii_only)
        if self.dialect == "ecma" and "i" in self.flags:
            letters = charset.fold_case(letters, self.dialect)
        word: Node = Set(letters)

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
        found = _COUNTS.match(self.pattern, self.at)
        if found is None:
            return None
        *blanks, low, comma, high = (found[i] for i in (1, 3, 5, 7, 2, 4, 6))
        if any(blanks) and ("x" not in self.flags or self.dialect == "python"):
            return None
        if low == "" and (high == "" or self.dialect == "ecma"):
            return None
        if max(len(low), len(high)) > len(str(MAX_COUNT)) or max(int(low or 0), int(high or 0)) > MAX_COUNT:
            raise LimitExceeded(
                f"the pattern repeats more than {MAX_COUNT} times at position {self.at}",
                limit="max_repeat", value=MAX_COUNT, hint="lower the count",
            )  # fmt: skip
        least = int(low or 0)
        most = (int(high) if high else None) if comma else least
        return least, most, found.end() - self.at

    def quantified(self, node: Node) -> Node:
        pattern = self.pattern
        seen = 0
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
            lazy = suffix == "?"
            node = Repeat(node, least, most, lazy, start)
            if lazy:
                self.at += 1
                self.note(start, pattern[start : self.at], "a lazy quantifier matches the same texts", annotation=True)
            elif suffix == "+" and self.dialect == "python":
                self.at += 1
                node = self.atomic(node, start, pattern[start : self.at])
            seen += 1
            if seen > MAX_NESTING:
                self.too_deep()
        return node

    # -- groups ---------------------------------------------------------------------------------------------

    def atomic(self, body: Node, start: int, text: str) -> Node:
        self.is_atomic = True
        self.note(start, text, "its first match, as a backtracking matcher finds it, is told by look-ahead")
        return Atomic(body, start)

    def group(self) -> Node | None:
        pattern = self.pattern
        start = self.at
        look: tuple[bool, bool] | None = None
        number = 0
        atomic = False
        condition: int | None = None
        flags = self.flags
        if not pattern.startswith("(?", start):
            self.at += 1
            number = self.opened = self.opened + 1
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
            if self.dialect == "python" and pattern.startswith("(?<", start):
                self.invalid("an unknown group '(?<'", start, "write (?P<name>...) for a named group")
            number = self.opened = self.opened + 1
            self.group_name(start, number)
        elif pattern.startswith("(?P=", start):
            return self.named_reference(start, start + 4, ")")
        elif pattern.startswith("(?(", start) and self.dialect == "python":
            condition = self.condition(start)
        elif pattern.startswith("(?>", start) and self.dialect == "python":
            atomic = True
            self.at += 3
        elif pattern.startswith(("(?(", "(?>", "(?R)", "(?&", "(?|", "(?P>"), start):
            names = {
                "(": "a conditional",
                ">": "an atomic group",
                "R": "a recursion",
                "&": "a recursion",
                "P": "a recursion",
            }
            construct = names.get(pattern[start + 2], "an extension group")
            hint = "a grammar can express it" if construct == "a recursion" else "rewrite the pattern without it"
            self.unsupported(construct, start, hint)
        elif self.inline_flags(start):
            return None
        if look is not None and self.dialect == "rust":
            construct = "look-around, which Rust's dialect does not have,"
            self.unsupported(construct, start, "use the ecma or python dialect")
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.too_deep()
        is_behind = look is not None and not look[0]
        self.behind += is_behind
        body = self.alternation() if condition is None else self.branches(condition, start)
        self.behind -= is_behind
        self.depth -= 1
        self.flags = flags
        if self.at >= len(pattern):
            self.invalid("a group without its ')'", start, r"close it, or write \( for the character")
        self.at += 1
        if look is not None:
            return Look(body, ahead=look[0], negated=look[1], position=start)
        if atomic:
            return self.atomic(body, start, "(?>")
        if number:
            self.ended.add(number)
        return Group(body, number, self.at) if number and self.refers else body

    def group_name(self, start: int, number: int) -> None:
        begin = self.pattern.index("<", start) + 1
        name = self.name_until(">", begin)
        if name in self.names and self.dialect != "ecma":
            self.invalid(f"the group name {name!r} twice", begin)
        self.names.setdefault(name, []).append(number)
        self.note(start, self.pattern[start : self.at], "the name of a group changes no text", annotation=True)

    def name_until(self, closing: str, begin: int) -> str:
        """Read a group's name and what closes it."""
        end = self.pattern.find(closing, begin)
        name = self.pattern[begin:end] if end > 0 else ""
        if not name.replace("$", "_").isidentifier():
            self.invalid(
                f"a bad group name {name!r}", begin, "a name is letters, digits and _, and does not begin with a digit"
            )
        self.at = end + 1
        return name

    # -- references to groups -------------------------------------------------------------------------------

    def condition(self, start: int) -> int:
        """Read ``(?(1)`` or ``(?(name)``: the number of the group."""
        begin = start + 3
        end = self.pattern.find(")", begin)
        name = self.pattern[begin:end] if end > 0 else ""
        if name.isascii() and name.isdigit():
            self.at = end + 1
            number = int(name[:10])
            if not 1 <= number <= self.count_groups():
                self.invalid(f"a condition on the missing group {name[:10]}", begin)
        else:
            self.name_until(")", begin)
            number = self.number_of(name, begin)
        if number not in self.ended:
            self.unsupported("a conditional on a group that has not ended before it", start, "move it behind the group")
        return number

    def branches(self, number: int, start: int) -> Node:
        """Read what stands between a condition and the end of its group."""
        self.uses.setdefault(number, start)
        yes = self.sequence()
        no: Node = Concat([])
        if self.pattern.startswith("|", self.at):
            self.at += 1
            no = self.sequence()
        if self.pattern.startswith("|", self.at):
            self.invalid("a conditional with more than two branches", start, "put the alternatives in (?:...)")
        return Conditional(number, yes, no, start)

    def named_reference(self, start: int, begin: int, closing: str) -> Node:
        name = self.name_until(closing, begin)
        spellings = (f"(?<{name}>", f"(?P<{name}>")
        if self.dialect == "ecma" and name not in self.names and any(x in self.pattern for x in spellings):
            return self.not_yet(start)
        return self.reference(self.number_of(name, begin), start)

    def number_of(self, name: str, position: int) -> int:
        numbers = self.names.get(name, [])
        if not numbers:
            known = f"the names are {', '.join(self.names)}" if self.names else "no group has a name"
            self.invalid(f"a reference to the unknown group {name!r}", position, known)
        if len(numbers) > 1:
            self.unsupported(
                f"a reference to one of several groups named {name!r}", position, "give them different names"
            )
        return numbers[0]

    def reference(self, number: int, start: int) -> Node:
        if number not in self.ended:
            if self.dialect == "ecma":
                return self.not_yet(start)
            self.invalid(f"a reference to group {number}, which is still open,", start, "move it behind the group")
        self.uses.setdefault(number, start)
        return Reference(number, "i" in self.flags, start)

    def not_yet(self, start: int) -> Node:
        """Return what a reference to a group matches that has not ended: the empty text, in ECMA-262."""
        if self.behind:
            self.unsupported(
                "a reference to a group behind it, in a look-behind, which is matched backwards,", start,
                "take the reference out of the look-behind",
            )  # fmt: skip
        return Concat([])

    def back_reference(self, start: int) -> Node | None:
        at = start + 1
        while at < len(self.pattern) and self.pattern[at] in "0123456789":
            at += 1
        digits = self.pattern[start + 1 : at]
        if self.dialect == "python":
            if len(digits) >= 3 and all(x in "01234567" for x in digits[:3]):
                return None
            digits = digits[:2]
        if self.dialect == "rust":
            self.unsupported("a back-reference, which Rust's dialect does not have,", start, "use another dialect")
        if self.groups < 0:
            self.groups = self.count_groups()
        number = int(digits[:10])
        if number > self.groups:
            if self.dialect == "ecma":
                return None  # annex B: an octal escape or the digit itself
            self.invalid(f"a reference to the missing group {digits}", start)
        self.at = start + 1 + len(digits)
        return self.reference(number, start)

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
        if x == "k" and self.dialect == "ecma" and self.named:
            if self.pattern[start + 2 : start + 3] != "<":
                self.invalid(r"a bad escape \k", start, r"write \k<name>")
            return self.named_reference(start, start + 3, ">")
        ranges = self.escaped_set()
        folds = "i" in self.flags and not (self.dialect == "python" and x in "dwsDWS")  # where shorthands know no case
        return Set(charset.fold_case(ranges, self.dialect) if folds else ranges)

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
