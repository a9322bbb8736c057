r"""The terminals of a grammar as one program of a backtracking matcher: reads, ordered choices, loops, looks, accepts.

Patterns are parsed by CPython's own parser, the one that compiles them for Lark.  The program is a nondeterministic finite
automaton whose alternatives have an order; all terminals and all bodies of looks live in it, so that a state means the same
for every lexer.  ``$``, ``\Z``, ``\b`` and ``\B`` become looks for a word character or for the end of the text, which is
one more symbol (``END``); ``^`` and ``\A`` become looks behind.
"""

from __future__ import annotations

import re
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
import warnings
from collections.abc import Iterable
from typing import Any, Final

from ..errors import InvalidSource, LimitExceeded, Unsupported
from ..regular.dfa import Ranges
from .characters import leaf

READ: Final = 0
"""Reads a character of leaf ``a``, then goes to ``then[0]``."""
SPLIT: Final = 1
"""Tries every state of ``then``, in order."""
LOOP: Final = 2
"""``then`` is (again, leave), or the other way round where ``b`` (lazy); ``again`` only if loop ``a`` has moved on since."""
CLEAR: Final = 3
"""Forgets that an iteration of loop ``a`` began here."""
AHEAD: Final = 4
"""Goes on iff what follows matches look-ahead ``a``, or does not where ``b``."""
BEHIND: Final = 5
"""Goes on iff what precedes matches look-behind ``a``, or does not where ``b``."""
ACCEPT: Final = 6
"""The end of terminal or look ``a`` (see ``Program.owner`` for which it is)."""

END: Final = 0
"""The leaf that reads the end of the text, once."""

NOBODY: Final = -1
"""Owner of states that belong to a look."""

MAX_STATES: Final = 20_000
"""A counted repetition is unrolled; lists of threads longer than this serve nobody."""

_WORD: Final = [(sre.CATEGORY, sre.CATEGORY_WORD)]
_REFUSED: Final = {
    sre.GROUPREF: "a back-reference",
    sre.GROUPREF_EXISTS: "a conditional on a group",
    sre.ATOMIC_GROUP: "an atomic group",
    sre.POSSESSIVE_REPEAT: "a possessive quantifier",
}


class Program:
    """Patterns compiled into one automaton.

    Attributes:
        kind, a, b, then: the states; see the constants above.
        owner: of each state: the terminal whose pattern it belongs to, or ``NOBODY`` inside a look.
        leaves: the sets of characters; the first, ``END``, is empty, for it reads no character.
        ahead: the first state of every look-ahead's body.
        behind: the first state of every look-behind's body, or -1 where nothing but the beginning of the text will do.
        at_beginning: of each look-behind, whether it holds at the beginning of the text.
        names: group names of each terminal's pattern, by terminal.

    """

    def __init__(self) -> None:
        """Begin with no states."""
        self.kind: list[int] = []
        self.a: list[int] = []
        self.b: list[bool] = []
        self.then: list[tuple[int, ...]] = []
        self.owner: list[int] = []
        self.leaves: list[Ranges] = [()]
        self.ahead: list[int] = []
        self.behind: list[int] = []
        self.at_beginning: list[bool] = []
        self.names: dict[int, tuple[str, ...]] = {}
        self._leaf_ids: dict[Ranges, int] = {}
        self._look_ids: dict[tuple[Any, ...], int] = {}
        self._loops = 0
        self._owner = NOBODY
        self._name = ""
        self._where: str | None = None
        self._excerpt: str | None = None
        self._is_behind = False

    def add(self, terminal: int, name: str, regexp: str, flags: int, where: str | None, excerpt: str | None) -> int:
        """Compile the pattern of a terminal; returns its first state.  ``where`` and ``excerpt`` are for errors.

        Raises:
            InvalidSource: ``re`` takes the pattern alone, and not as a part of Lark's alternation.
            Unsupported: it uses what is refused by name.
            LimitExceeded: its counted repetitions are too long.

        """
        self._owner = terminal
        self._name, self._where, self._excerpt = name, where, excerpt
        with warnings.catch_warnings():  # Lark has compiled the same text: whatever was to be said has been said
            warnings.simplefilter("ignore")
            try:
                parsed = sre_parser.parse(f"(?P<{name}>{regexp})", flags)
            except re.error as error:
                hint = "write flags behind the pattern: /.../i"
                if "group" in error.msg:
                    hint = "back-references are not supported; write out what they repeat"
                raise InvalidSource(
                    f"the pattern of terminal {name} fails where Lark joins it with others: {error.msg}",
                    where=where,
                    excerpt=excerpt,
                    hint=hint,
                ) from error
        self.names[terminal] = tuple(parsed.state.groupdict)
        return self._sequence(parsed, self._state(ACCEPT, terminal), parsed.state.flags)

    def _state(self, kind: int, a: int = 0, then: tuple[int, ...] = (), *, b: bool = False) -> int:
        if len(self.kind) >= MAX_STATES:
            raise LimitExceeded(
                f"the patterns up to terminal {self._name} unroll to more than {MAX_STATES} states",
                where=self._where,
                excerpt=self._excerpt,
                limit="MAX_STATES",
                value=MAX_STATES,
                hint="use smaller bounds of repetitions",
            )
        self.kind.append(kind)
        self.a.append(a)
        self.b.append(b)
        self.then.append(then)
        self.owner.append(self._owner)
        return len(self.kind) - 1

    def _refuse(self, what: str, hint: str) -> Unsupported:
        return Unsupported(
            f"the pattern of terminal {self._name} has {what}", where=self._where, hint=hint, excerpt=self._excerpt
        )

    def _leaf(self, ranges: Ranges) -> int:
        if ranges not in self._leaf_ids:
            self._leaf_ids[ranges] = len(self.leaves)
            self.leaves.append(ranges)
        return self._leaf_ids[ranges]

    def _sequence(self, parts: Iterable[tuple[Any, Any]], then: int, flags: int) -> int:
        for kind, value in reversed(list(parts)):
            then = self._part(kind, value, then, flags)
        return then

    def _part(self, kind: Any, value: Any, then: int, flags: int) -> int:
        if kind in {sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN}:
            return self._state(READ, self._leaf(leaf(kind, value, flags)), (then,))
        if kind is sre.SUBPATTERN:
            _, more, fewer, body = value
            if more & sre_parser.TYPE_FLAGS:
                flags &= ~sre_parser.TYPE_FLAGS
            return self._sequence(body, then, (flags | more) & ~fewer)
        if kind is sre.BRANCH:
            return self._state(SPLIT, 0, tuple(self._sequence(branch, then, flags) for branch in value[1]))
        if kind in {sre.MAX_REPEAT, sre.MIN_REPEAT}:
            least, most, body = value
            return self._repeat(least, most, body, then, flags, lazy=kind is sre.MIN_REPEAT)
        if self._is_behind and kind in {sre.AT, sre.ASSERT, sre.ASSERT_NOT}:
            raise self._refuse("an assertion inside a look-behind", "state it beside the look-behind")
        if kind is sre.AT:
            return self._at(value, then, flags)
        if kind in {sre.ASSERT, sre.ASSERT_NOT}:
            direction, body = value
            look = self._look_ahead(body, flags) if direction > 0 else self._look_behind(body, flags)
            return self._state(AHEAD if direction > 0 else BEHIND, look, (then,), b=kind is sre.ASSERT_NOT)
        if kind is sre.FAILURE:
            return self._state(SPLIT)
        raise self._refuse(_REFUSED.get(kind, f"the construct {kind}"), "write it without")

    def _repeat(self, least: int, most: Any, body: Any, then: int, flags: int, *, lazy: bool) -> int:
        """Mandatory iterations first, then optional ones.

        Python's rule: an optional iteration that read nothing is the last one, for it goes on to what follows.
        """
        may_be_empty = body.getwidth()[0] == 0
        loop = self._loops
        self._loops += 1
        leave = self._state(CLEAR, loop, (then,)) if may_be_empty else then

        def choice(again: int) -> tuple[int, int]:
            return (leave, again) if lazy else (again, leave)

        kind = LOOP if may_be_empty else SPLIT
        if most is sre.MAXREPEAT:
            here = self._state(kind, loop, b=lazy)
            self.then[here] = choice(self._sequence(body, here, flags))
        else:
            here = leave
            for _ in range(most - least):
                here = self._state(kind, loop, choice(self._sequence(body, here, flags)), b=lazy)
        for _ in range(least):
            here = self._sequence(body, here, flags)
        return self._state(CLEAR, loop, (here,)) if may_be_empty else here

    def _look_ahead(self, body: Any, flags: int) -> int:
        return self._look(("ahead", repr(body), flags), lambda accept: self._sequence(body, accept, flags))

    def _look(self, key: tuple[Any, ...], compile_body: Any) -> int:
        """Number of a look-ahead; equal ones share it, for the answer is guessed once."""
        if key not in self._look_ids:
            owner, self._owner = self._owner, NOBODY
            entry = compile_body(self._state(ACCEPT))
            self._owner = owner
            self._look_ids[key] = len(self.ahead)
            self.ahead.append(entry)
        return self._look_ids[key]

    def _look_behind(self, body: Any, flags: int) -> int:
        least, most = body.getwidth()
        if least != most:
            raise self._refuse("a look-behind of variable width", "Python's re has none either")
        return self._before(("behind", repr(body), flags), body, flags)

    def _before(self, key: tuple[Any, ...], body: Any, flags: int, *, at_beginning: bool = False) -> int:
        if key not in self._look_ids:
            owner, self._owner = self._owner, NOBODY
            number = self._look_ids[key] = len(self.behind)
            self.behind.append(-1)
            self.at_beginning.append(at_beginning)
            if body is not None:
                self._is_behind = True
                self.behind[number] = self._sequence(body, self._state(ACCEPT, number), flags)
                self._is_behind = False
            self._owner = owner
        return self._look_ids[key]

    def _at(self, where: Any, then: int, flags: int) -> int:
        lines = bool(flags & re.MULTILINE)
        if where is sre.AT_BEGINNING_STRING or (where is sre.AT_BEGINNING and not lines):
            return self._state(BEHIND, self._before(("beginning",), None, 0, at_beginning=True), (then,))
        if where is sre.AT_BEGINNING:
            body = [(sre.LITERAL, 0x0A)]
            return self._state(BEHIND, self._before(("beginning of line",), body, 0, at_beginning=True), (then,))
        if where is sre.AT_END_STRING:
            return self._state(AHEAD, self._look(("end",), self._end), (then,))
        if where is sre.AT_END:
            look = self._look(("end of line",), self._end_of_line) if lines else self._look(("last",), self._last)
            return self._state(AHEAD, look, (then,))
        return self._boundary(then, flags, inside=where is sre.AT_NON_BOUNDARY)

    def _newline(self, then: int) -> int:
        return self._state(READ, self._leaf(((0x0A, 0x0A),)), (then,))

    def _end(self, accept: int) -> int:
        return self._state(READ, END, (accept,))

    def _last(self, accept: int) -> int:
        return self._state(SPLIT, 0, (self._end(accept), self._newline(self._end(accept))))

    def _end_of_line(self, accept: int) -> int:
        return self._state(SPLIT, 0, (self._end(accept), self._newline(accept)))

    def _boundary(self, then: int, flags: int, *, inside: bool) -> int:
        r"""``\b``: a word character on one side only; ``\B``: on both or on none."""
        word = [(sre.IN, _WORD)]
        kind = flags & (re.ASCII | re.UNICODE)
        ahead = self._look(("word", kind), lambda accept: self._sequence(word, accept, kind))
        behind = self._before(("word before", kind), word, kind)
        return self._state(
            SPLIT,
            0,
            tuple(
                self._state(BEHIND, behind, (self._state(AHEAD, ahead, (then,), b=negated),), b=negated is inside)
                for negated in (True, False)
            ),
        )
