"""The automata of objects: members in the order of the schema or in any, counted or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..ir import (
    OP_COUNT,
    OP_KEY_CLOSE,
    OP_KEY_OPEN,
    OP_NONE,
    OP_SET,
    OP_TEST,
    OP_TEXT_OPEN,
    START,
    UNBOUNDED,
    VERIFY,
    Automaton,
    StateIndex,
)
from ..regular.dfa import CharDfa
from .scalars import key_body

if TYPE_CHECKING:
    from .dialect import Json
    from .goals import Goal
    from .lower import Lowering
    from .piece import KeyClass

QUOTE = 0x22
_COMMA = 0x2C

NAMING_KEYS = ("$schema", "$id")
"""The keys by which a document names its schema and itself: by custom the first ones, though few schemas declare them.

They come first only in documents of a schema that has one of them itself: what is written for publication is used so.  Elsewhere the first
key stays certain, where one is required."""


def _none_needed_from(members: list[tuple[str, Goal | None, bool]]) -> int:
    """The first place in the order of the members from which on none is required."""
    return max((i + 1 for i, m in enumerate(members) if m[2]), default=0)


class ObjectWriter:
    """One object's automaton: members in order; other keys behind the required ones, before the optional rest or after it.

    State C_i stands where a key may begin and the members before i are done with; state B_i behind the value of member
    i - 1.  C_i goes to C_(i+1) without reading where member i is optional.  So the size is linear in the members.

    Where nothing required is missing any more, the mask has the other keys in it anyway.  So C_r, the first such state, reads
    them and stays: a writer who begins with one ("$schema", say) has not given up the declared members.  Later ones read
    them at the end only: each would need the names of all members once more.  C_r has edges of its own for the keys of the
    members behind it instead of going on to C_(r+1), as two ways to read one key would keep the strings of keys from being
    shared by all schemas (``automata/loading/subsets.py``).

    A whole document may begin with ``NAMING_KEYS``, too, where members are required that they would else have to stand behind.
    """

    def __init__(
        self,
        lowering: Lowering,
        a: Automaton,
        names: list[str],
        members: list[tuple[str, Goal | None, bool]],
        classes: list[KeyClass],
        values: dict[str, Json] | None = None,
        *,
        document: bool = False,
    ) -> None:
        """Take the names that no other key may have, the members with their goals (or values), and the other keys.

        ``document`` tells whether the object is a whole text.
        """
        self._l = lowering
        self._a = a
        self._members = members
        self._classes = classes
        self._names = names
        self._values = values
        self._naming = self._naming_keys() if document and _none_needed_from(members) > 0 else {}
        self._opens = OP_TEXT_OPEN if lowering.spells_freely else OP_KEY_OPEN
        self._end = a.state()
        a.accept(self._end)

    def write(self, *, empty: bool) -> None:
        """Write an object whose members need not be counted."""
        a, l, members = self._a, self._l, self._members
        surface = l.surface
        n = len(members)
        free = _none_needed_from(members)
        roaming = bool(self._classes) and free < n
        opened = a.state()
        a.literal(START, b"{", opened)
        if n == 0 and not self._classes:
            surface.opened(a, opened, a.state(), b"}", self._end, more=False)
            return
        starts = [a.state() for _ in range(n + 1)]
        inside = a.state()
        surface.opened(a, opened, inside, b"}", self._end if empty else None)
        self._begin(inside, lambda _: starts[0])
        for i, (name, goal, needed) in enumerate(members):
            behind = a.state()
            named = self._member(starts[i], name, goal, behind)
            if roaming and i > free:
                l.literals.key(a, starts[free], name, named)
            if not needed and (i + 1 < n or self._classes) and not (roaming and i == free):
                a.epsilon(starts[i], starts[i + 1])
            surface.after(a, behind)
            if i + 1 < n or self._classes:
                self._comma(behind, starts[i + 1])
            if i + 1 >= free:
                surface.close(a, behind, b"}", self._end)
        for i in sorted({free, n}) if self._classes else ():
            behind = a.state()
            self._extras(starts[i], behind)
            surface.after(a, behind)
            self._comma(behind, starts[i])
            surface.close(a, behind, b"}", self._end)

    def write_counted(self, low: int, high: int | None) -> None:
        """Write an object whose members are counted, one copy of the states per count."""
        a, surface, members = self._a, self._l.surface, self._members
        n = len(members)
        most = high if high is not None else low
        needed = [0] * (n + 1)
        for i in range(n - 1, -1, -1):
            needed[i] = needed[i + 1] + members[i][2]
        extras = bool(self._classes)
        free = _none_needed_from(members)
        named: dict[tuple[int, int], StateIndex] = {}

        def feasible(i: int, c: int) -> bool:
            if high is not None and c + needed[i] > high:
                return False
            return c >= low or extras or c + (n - i) >= low

        starts: dict[tuple[int, int], StateIndex] = {}
        todo: list[tuple[int, int]] = []

        def start(i: int, c: int) -> StateIndex:
            state = starts.get((i, c))
            if state is None:
                state = starts[i, c] = a.state()
                todo.append((i, c))
            return state

        def may_begin(i: int, c: int) -> bool:
            for j in range(i, n):
                if feasible(j + 1, min(c + 1, most)) and (high is None or c < high):
                    return True
                if members[j][2]:
                    return False
            return extras and (high is None or c < high) and feasible(n, min(c + 1, most))

        def behind(i: int, c: int, state: StateIndex) -> None:
            surface.after(a, state)
            if may_begin(i, c):
                self._comma(state, start(i, c))
            if not needed[i] and c >= low:
                surface.close(a, state, b"}", self._end)

        opened, inside = a.state(), a.state()
        a.literal(START, b"{", opened)
        more = may_begin(0, 0)
        surface.opened(a, opened, inside, b"}", self._end if low == 0 and not needed[0] else None, more=more)
        self._begin(inside, lambda c: start(0, min(c, most)) if may_begin(0, min(c, most)) else None)
        while todo:
            i, c = todo.pop()
            here = starts[i, c]
            after = min(c + 1, most)
            if extras and i in {free, n} and (high is None or c < high) and feasible(i, after):
                state = a.state()
                self._extras(here, state)
                behind(i, after, state)
            for j in range(i, n) if extras and i == free else range(i, min(i + 1, n)):
                if feasible(j + 1, after) and (high is None or c < high):
                    if (j, c) not in named:
                        state = a.state()
                        named[j, c] = self._member(here, members[j][0], members[j][1], state)
                        behind(j + 1, after, state)
                    else:
                        self._l.literals.key(a, here, members[j][0], named[j, c])
            if i < n and not members[i][2] and not (extras and i == free) and may_begin(i + 1, c):
                a.epsilon(here, start(i + 1, c))

    def write_any(self, low: int, high: int | None) -> None:
        """Write an object whose members come in any order, one copy of the states per count where they are counted.

        Every key is remembered by the register, so that none comes twice; the counter says how many required ones are
        missing, and is counted down at their colons.  So only the others are counted by copies, and the last copy, where no
        more of them may come, reads the required ones alone: its keys run out when none is missing.
        """
        a, surface = self._a, self._l.surface
        needed = sum(1 for m in self._members if m[2])
        least = max(low - needed, 0) if low > 1 else 0  # a member was read before the first place to close
        most = high - needed if high is not None else least
        test = OP_TEST if needed else OP_NONE
        opened, inside = a.state(), a.state()
        if needed:
            a.literal(START, b"{", opened, OP_SET, a.pair(needed, UNBOUNDED))
        else:
            a.literal(START, b"{", opened)
        surface.opened(a, opened, inside, b"}", self._end if low == 0 and not needed else None)
        starts = [a.state() for _ in range(most + 1)]
        behind = [a.state() for _ in range(most + 1)]
        a.epsilon(inside, starts[0])
        for c, start in enumerate(starts):
            may_come = high is None or c < most
            if may_come or needed:
                self._any_key(start, behind[c], behind[min(c + 1, most)] if may_come else None)
                self._comma(behind[c], start)
            surface.after(a, behind[c])
            if c >= least:
                surface.close(a, behind[c], b"}", self._end, test)

    def _any_key(self, source: StateIndex, counted: StateIndex, target: StateIndex | None) -> None:
        """Read a member: a required one to ``counted``, another one to ``target``, or none of these where that is ``None``."""
        a, l = self._a, self._l
        l.registers = True
        opened = a.state()
        a.byte_range(source, QUOTE, QUOTE, opened, self._opens)
        named: dict[tuple[Goal | None, bool, str], StateIndex] = {}
        for name, goal, needed in self._members:
            behind = counted if needed else target
            if behind is None:
                continue
            group = (goal, needed, name if self._values is not None else "")
            if group not in named:
                value = a.state()
                named[group] = a.state()
                l.surface.colon(a, named[group], value, OP_COUNT if needed else OP_NONE)
                self._value(value, name, goal, behind)
            self._remembered(opened, name, named[group])
        if target is not None:
            self._other_keys(opened, lambda value, c: a.call(value, l.value(c.goal), target))

    def _naming_keys(self) -> dict[str, KeyClass]:
        """Return those of ``NAMING_KEYS`` that are not declared and may be there, with their classes."""
        found: dict[str, KeyClass] = {}
        for key in NAMING_KEYS:
            for c in self._classes if key not in self._names else ():
                if c.keys is None or c.keys.accepts(key):
                    found[key] = c
        return found

    def _begin(self, source: StateIndex, first: Callable[[int], StateIndex | None]) -> None:
        """Read the members that name a document, in any order or not at all, and go on to the first of all others.

        ``first`` gives the state where that begins behind so many members, ``None`` where no further one may come.
        """
        starts = [s for s in map(first, range(len(self._naming) + 1)) if s is not None]
        for i, start in enumerate(starts):
            self._a.epsilon(source, start)
            if i + 1 < len(starts):
                source = self._naming_member(source)

    def _naming_member(self, source: StateIndex) -> StateIndex:
        """Read a member that names a document, and a comma; return the state behind it.

        Any of the keys may stand at each place, as far as the register lets it: how many are left of finitely many keys is
        known by how many were read, so that all places must have the same ones.
        """
        a, l = self._a, self._l
        l.registers = True
        opened, behind, following = a.state(), a.state(), a.state()
        a.byte_range(source, QUOTE, QUOTE, opened, self._opens)
        for key, c in self._naming.items():
            named, value = a.state(), a.state()
            self._remembered(opened, key, named)
            l.surface.colon(a, named, value)
            a.call(value, l.value(c.goal), behind)
        l.surface.after(a, behind)
        self._comma(behind, following)
        return following

    def _remembered(self, opened: StateIndex, name: str, named: StateIndex) -> None:
        """Read a given name behind its opening quote, for the register of keys."""
        a, l = self._a, self._l
        text, closing = l.literals.declared_text(name)[:-1], opened
        if text:
            closing = a.state()
            if l.escapes == "canonical":
                a.literal(opened, text, closing)
            else:
                a.embed(opened, l.literals.strings([name]), closing)
        a.byte_range(closing, QUOTE, QUOTE, named, OP_KEY_CLOSE)

    def _member(self, source: StateIndex, name: str, goal: Goal | None, target: StateIndex) -> StateIndex:
        """Read one declared member; return the state behind its key."""
        a, l = self._a, self._l
        named, value = a.state(), a.state()
        l.literals.key(a, source, name, named)
        l.surface.colon(a, named, value)
        self._value(value, name, goal, target)
        return named

    def _value(self, source: StateIndex, name: str, goal: Goal | None, target: StateIndex) -> None:
        if goal is not None:
            self._a.call(source, self._l.value(goal), target)
        elif self._values is not None:
            with self._l.surface.deeper():
                self._l.literals.write(self._a, source, self._values[name], target)

    def _comma(self, source: StateIndex, target: StateIndex) -> None:
        comma = self._a.state()
        self._a.byte_range(source, _COMMA, _COMMA, comma, VERIFY if self._l.spells_freely else OP_NONE)
        self._l.surface.gap(self._a, comma, target, inline=self._l.spells_freely)

    def _extras(self, source: StateIndex, target: StateIndex) -> None:
        """Read one member whose key is not declared."""
        a, l = self._a, self._l
        l.registers = True
        opened = a.state()
        a.byte_range(source, QUOTE, QUOTE, opened, self._opens)
        self._other_keys(opened, lambda value, c: a.call(value, l.value(c.goal), target))

    def _other_keys(self, opened: StateIndex, read: Callable[[StateIndex, KeyClass], None]) -> None:
        """Read a key that is not declared, and its colon; ``read`` writes the value."""
        a, l = self._a, self._l
        for c in self._classes:
            named, value = a.state(), a.state()
            if c.keys is None and l.escapes == "canonical":  # shared by every schema
                a.extra(opened, l.scalars.string_rest(), [l.literals.declared_text(n) for n in self._names], named)
            else:
                keys = c.keys
                if keys is None:
                    keys = CharDfa.any_string() - CharDfa.from_strings(self._names)
                body = a.state()
                a.embed(opened, key_body(keys, l.escapes), body)
                a.byte_range(body, QUOTE, QUOTE, named, OP_KEY_CLOSE)
            l.surface.colon(a, named, value)
            read(value, c)
