"""From pieces to rules: the last step, where values become bytes."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from ..errors import LimitExceeded
from ..ir import (
    OP_COUNT,
    OP_KEY_CLOSE,
    OP_KEY_OPEN,
    OP_NONE,
    OP_SET,
    OP_TEST,
    START,
    UNBOUNDED,
    Automaton,
    ByteAutomaton,
    Grammar,
    RuleId,
    StateIndex,
)
from ..regular.dfa import CharDfa
from ..regular.encode import Escapes
from .algebra import TRUE_GOAL, Goal
from .arrays import ArrayPiece
from .arraywriter import ArrayWriter
from .dialect import Json
from .facts import ARRAY, Refusal
from .pieces import KeyClass, NumberPiece, ObjectPiece, Pieces, StringPiece, ValuesPiece
from .scalars import (
    NumberSpec,
    StringSpec,
    any_body,
    key_body,
    number_literal,
    number_text,
    string_body,
    string_language,
)
from .surface import Surface, Whitespace
from .unique import write_unique
from .values import text_of

_QUOTE = 0x22
_COMMA = 0x2C
_POINT = 0x2E
_ZERO = 0x30


class Lowering:
    """Writes the rules of one grammar.

    Attributes:
        grammar: the result.
        registers: whether a register of keys is used anywhere.
        unproven: goals whose keys may run out, so that liveness is not proven.

    """

    def __init__(
        self,
        pieces: Pieces,
        whitespace: Whitespace,
        escapes: Escapes,
        *,
        any_order: bool,
        whole_floats: bool,
        counted_members: int,
        counted_items: int,
        refuse: Callable[[Goal, Refusal], None],
        narrow: Callable[[Goal, str, str], None],
        tick: Callable[[], None],
    ) -> None:
        """Take the pieces, the surface, and what to do about a refusal that matters."""
        self.grammar = Grammar()
        self.surface = Surface(self.grammar, whitespace)
        self.registers = False
        self.unproven: list[Goal] = []
        self._pieces = pieces
        self._escapes: Escapes = escapes
        self._any_order = any_order
        self._whole_floats = whole_floats
        self._counted_members = counted_members
        self._refuse = refuse
        self._narrow = narrow
        self._tick = tick
        self._arrays = ArrayWriter(self.surface, self.value, pieces.inhabited, counted_items, tick)
        self._rules: dict[Goal, RuleId] = {}
        self._keyed: dict[Hashable, RuleId] = {}
        self._todo: list[tuple[RuleId, Goal]] = []
        self._rest: RuleId | None = None
        self._surface_key = (whitespace, escapes)
        self._dicts: dict[int, RuleId] = {}

    def lower(self, goal: Goal) -> Grammar:
        """Write the rules of a goal and of all that it needs; the goal must be inhabited."""
        if self.surface.whitespace == "any":
            start = self.grammar.rule()
            a = Automaton()
            end = a.state()
            self.surface.around(a, START)
            a.call(START, self.value(goal), end)
            self.surface.around(a, end)
            a.accept(end)
            self.grammar.define(start, a)
        else:
            start = self.value(goal)
        self.grammar.start = start
        while self._todo:
            self._tick()
            self._define(*self._todo.pop())
        return self.grammar

    # -- values -------------------------------------------------------------------------------

    def value(self, goal: Goal) -> RuleId:
        """Return the rule of a goal; its body is written later."""
        rule = self._rules.get(goal)
        if rule is None:
            rule = self._scalar(goal)
            if rule is None:
                key = ("json-value", *self._surface_key) if goal == TRUE_GOAL else None
                rule = self.grammar.rule(key=key, origin=self._origin(goal))
                self._todo.append((rule, goal))
            self._rules[goal] = rule
        return rule

    def _origin(self, goal: Goal) -> str | None:
        if not goal:
            return None
        node = self._pieces.algebra.documents.nodes[goal[0] >> 1]
        return node.pointer() if node.path or node.parent is None else None

    def _scalar(self, goal: Goal) -> RuleId | None:
        """Return the shared rule of a goal that is one plain scalar piece."""
        pieces = self._pieces.of(goal)
        if len(pieces) != 1 or pieces[0].refusals:
            return None
        piece = pieces[0]
        if isinstance(piece, StringPiece):
            return self._string(piece.spec)
        if isinstance(piece, NumberPiece):
            return self._number(piece.spec)
        return None

    def _define(self, rule: RuleId, goal: Goal) -> None:
        pieces = [p for p in self._pieces.of(goal) if self._pieces.piece_is_inhabited(p)]
        for piece in pieces:
            for refusal in piece.refusals:
                self._refuse(goal, refusal)
        a = Automaton()
        self.grammar.define(rule, a)
        if (
            len(pieces) == 1
            and not isinstance(pieces[0], ValuesPiece | StringPiece | NumberPiece)
            and goal != TRUE_GOAL
        ):
            self._container(a, pieces[0], goal)
            return
        end = a.state()
        a.accept(end)
        called: set[RuleId] = set()
        for piece in pieces:
            if isinstance(piece, ValuesPiece):
                self._values(a, START, piece.values, end)
                continue
            if isinstance(piece, StringPiece):
                target = self._string(piece.spec)
            elif isinstance(piece, NumberPiece):
                target = self._number(piece.spec)
            else:
                target = self._container_rule(goal, piece)
            if target not in called:
                called.add(target)
                a.call(START, target, end)

    def _container_rule(self, goal: Goal, piece: ArrayPiece | ObjectPiece) -> RuleId:
        key = None
        if goal == TRUE_GOAL:
            key = ("json-array" if isinstance(piece, ArrayPiece) else "json-object", *self._surface_key)
        rule = self.grammar.rule(key=key, origin=self._origin(goal))
        a = Automaton()
        self.grammar.define(rule, a)
        self._container(a, piece, goal)
        return rule

    def _container(self, a: Automaton, piece: ArrayPiece | ObjectPiece, goal: Goal) -> None:
        if isinstance(piece, ObjectPiece):
            self._object(a, piece, goal)
        elif piece.unique:
            self._unique(a, piece, goal)
        else:
            self._arrays.write(a, piece)

    def _unique(self, a: Automaton, piece: ArrayPiece, goal: Goal) -> None:
        strings = self._pieces.strings_of(piece.rest)
        if strings is None or self._escapes == "all":
            reason = "only strings, spelled in one way, are told apart yet"
            self._refuse(goal, Refusal(ARRAY, "uniqueItems", "", reason))
            self._arrays.write(a, piece)
            return
        self.registers = True
        write_unique(
            a, piece, strings, surface=self.surface, escapes=self._escapes, string_rest=self.string_rest
        )  # fmt: skip

    def _values(self, a: Automaton, source: StateIndex, values: list[Json], target: StateIndex) -> None:
        strings = [v for v in values if isinstance(v, str)]
        if strings and self._escapes != "canonical":
            s, t = a.state(), a.state()
            a.byte_range(source, _QUOTE, _QUOTE, s)
            a.embed(s, self._strings(strings), t)
            a.byte_range(t, _QUOTE, _QUOTE, target)
            values = [v for v in values if not isinstance(v, str)]
        for v in values:
            self._literal(a, source, v, target)

    def _strings(self, strings: list[str]) -> ByteAutomaton:
        return key_body(CharDfa.from_strings(strings), self._escapes)

    def _literal(self, a: Automaton, source: StateIndex, value: Json, target: StateIndex) -> None:
        if isinstance(value, (list, dict)):
            self._literal_container(a, source, value, target)
        elif isinstance(value, str):
            if self._escapes == "canonical":
                a.literal(source, text_of(value), target)
            else:
                self._values(a, source, [value], target)
        elif value is None or isinstance(value, bool):
            a.literal(source, b"null" if value is None else b"true" if value else b"false", target)
        elif not isinstance(value, float):
            text = number_literal(value)
            end = a.state()
            a.literal(source, text, end)
            a.epsilon(end, target)
            if self._escapes == "all":
                self._zeros(a, end, target, point=b"." not in text)

    def _literal_container(
        self, a: Automaton, source: StateIndex, value: list[Json] | dict[str, Json], target: StateIndex
    ) -> None:
        if self._any_order and isinstance(value, dict) and len(value) > 1:
            a.call(source, self._dict(value), target)
            return
        brackets = (b"[", b"]") if isinstance(value, list) else (b"{", b"}")
        here = a.state()
        a.literal(source, brackets[0], here)
        items = [(None, v) for v in value] if isinstance(value, list) else list(value.items())
        for i, (key, v) in enumerate(items):
            if i:
                self.surface.after(a, here)
                comma = a.state()
                a.byte_range(here, _COMMA, _COMMA, comma)
                here = comma
            inside = a.state()
            self.surface.gap(a, here, inside)
            if key is not None:
                named, behind = a.state(), a.state()
                self._key(a, inside, key, named)
                self.surface.colon(a, named, behind)
                inside = behind
            here = a.state()
            self._literal(a, inside, v, here)
        self.surface.after(a, here)
        self.surface.close(a, here, brackets[1], target)

    def _dict(self, value: dict[str, Json]) -> RuleId:
        """Return the rule of a written-out object whose members come in any order."""
        rule = self._dicts.get(id(value))
        if rule is None:
            rule = self._dicts[id(value)] = self.grammar.rule()
            a = Automaton()
            self.grammar.define(rule, a)
            members: list[tuple[str, Goal | None, bool]] = [(name, None, True) for name in value]
            _ObjectWriter(self, a, list(value), members, [], value).write_any(0, None)
        return rule

    def _key(self, a: Automaton, source: StateIndex, key: str, target: StateIndex) -> None:
        if self._escapes == "canonical":
            a.literal(source, text_of(key), target)
        else:
            s, t = a.state(), a.state()
            a.byte_range(source, _QUOTE, _QUOTE, s)
            a.embed(s, self._strings([key]), t)
            a.byte_range(t, _QUOTE, _QUOTE, target)

    # -- scalars ------------------------------------------------------------------------------

    def _shared(self, key: Hashable, build: Callable[[Automaton], None]) -> RuleId:
        rule = self._keyed.get(key)
        if rule is None:
            rule = self._keyed[key] = self.grammar.rule(key=key)
            a = Automaton()
            build(a)
            self.grammar.define(rule, a)
        return rule

    def string_rest(self) -> RuleId:
        """Return the rule of the rest of any string behind its opening quote, counted."""
        if self._rest is None:
            self._rest = self._shared(("string-rest", self._escapes), self._string_rest)
        return self._rest

    def _string_rest(self, a: Automaton) -> None:
        t, end = a.state(), a.state()
        a.embed(START, any_body(self._escapes), t)
        a.byte_range(t, _QUOTE, _QUOTE, end, OP_TEST)
        a.accept(end)

    def _string(self, spec: StringSpec) -> RuleId:
        key: Hashable
        if not spec.plain:
            language, low, high = string_language(spec)
            key = ("string", self._escapes, low, high, language.digest)

            def build(a: Automaton) -> None:
                body, bounds = string_body(spec, self._escapes)
                s, t, end = a.state(), a.state(), a.state()
                if bounds is None:
                    a.byte_range(START, _QUOTE, _QUOTE, s)
                    a.byte_range(t, _QUOTE, _QUOTE, end)
                else:
                    room = UNBOUNDED if bounds[1] is None else bounds[1]
                    a.byte_range(START, _QUOTE, _QUOTE, s, OP_SET, a.pair(bounds[0], room))
                    a.byte_range(t, _QUOTE, _QUOTE, end, OP_TEST)
                a.embed(s, body, t)
                a.accept(end)
        else:
            key = ("string", self._escapes, spec.low, spec.high)
            rest = self.string_rest()

            def build(a: Automaton) -> None:
                s, end = a.state(), a.state()
                a.byte_range(START, _QUOTE, _QUOTE, s)
                a.call(s, rest, end, (spec.low, UNBOUNDED if spec.high is None else spec.high))
                a.accept(end)

        return self._shared(key, build)

    def _number(self, spec: NumberSpec) -> RuleId:
        zeros = spec.whole and self._escapes == "all" and self._whole_floats

        def build(a: Automaton) -> None:
            end = a.state()
            a.embed(START, number_text(spec), end)
            a.accept(end)
            if zeros:
                self._zeros(a, end, end, point=True)

        return self._shared(("number", spec, zeros), build)

    @staticmethod
    def _zeros(a: Automaton, source: StateIndex, target: StateIndex, *, point: bool) -> None:
        """Allow zeros that say nothing behind a number, with the point before them."""
        zeros = a.state()
        if point:
            dot = a.state()
            a.byte_range(source, _POINT, _POINT, dot)
            source = dot
        a.byte_range(source, _ZERO, _ZERO, zeros)
        a.byte_range(zeros, _ZERO, _ZERO, zeros)
        a.epsilon(zeros, target)

    # -- objects ------------------------------------------------------------------------------

    def _object(self, a: Automaton, piece: ObjectPiece, goal: Goal) -> None:
        inhabited = self._pieces.inhabited
        classes = [c for c in self._pieces.key_classes(piece) if inhabited(c.goal)]
        members: list[tuple[str, Goal | None, bool]] = [m for m in piece.members if m[2] or inhabited(m[1])]
        needed = sum(1 for m in members if m[2])
        low = piece.low if piece.low > needed else 0
        high = piece.high
        if high is not None and not classes and high >= len(members):
            high = None
        if self._escapes == "all" or low > 1 or high is not None:
            for c in classes:
                if c.keys is not None and c.keys.is_finite():
                    self.unproven.append(c.goal)
        if self._escapes == "all" and self._any_order and members and all(c.keys is not None for c in classes):
            self.unproven.append(
                goal
            )  # a key has many spellings there, so the machine cannot count those that are left
        writer = _ObjectWriter(self, a, [n for n, _, _ in piece.members], members, classes)
        if self._any_order and len(members) + len(classes) > 1:
            if high is None or not needed:
                writer.write_any(low, high)
                return
            self._narrow(goal, "maxProperties", "beside required members only the schema's order is written")
        if low <= 1 and high is None:
            writer.write(empty=low == 0 and not needed)
            return
        size = (len(members) + 1) * (max(low, high or 0) + 1)
        if size > self._counted_members:
            raise LimitExceeded(
                "minProperties or maxProperties is too large beside so many members",
                limit="counted_members",
                value=self._counted_members,
                hint="raise SchemaLimits.counted_members",
            )
        writer.write_counted(low, high)

    def declared_text(self, name: str) -> bytes:
        """Return a declared name's text behind its opening quote."""
        return text_of(name)[1:]


class _ObjectWriter:
    """One object's automaton: members in order, then other keys.

    State C_i stands where a key may begin and the members before i are done with; state B_i behind the value of member
    i - 1.  C_i goes to C_(i+1) without reading where member i is optional.  So the size is linear in the members.
    """

    def __init__(
        self,
        lowering: Lowering,
        a: Automaton,
        names: list[str],
        members: list[tuple[str, Goal | None, bool]],
        classes: list[KeyClass],
        values: dict[str, Json] | None = None,
    ) -> None:
        """Take the names that no other key may have, the members with their goals (or values), and the other keys."""
        self._l = lowering
        self._a = a
        self._members = members
        self._classes = classes
        self._names = names
        self._values = values
        self._end = a.state()
        a.accept(self._end)

    def write(self, *, empty: bool) -> None:
        """Write an object whose members need not be counted."""
        a, l, members = self._a, self._l, self._members
        surface = l.surface
        n = len(members)
        last_needed = max((i for i, m in enumerate(members) if m[2]), default=-1)
        opened = a.state()
        a.literal(START, b"{", opened)
        if n == 0 and not self._classes:
            inside = a.state()
            surface.gap(a, opened, inside)
            a.literal(inside, b"}", self._end)
            return
        starts = [a.state() for _ in range(n + 1)]
        if empty:
            inside = a.state()
            surface.gap(a, opened, inside)
            a.literal(inside, b"}", self._end)
            a.epsilon(inside, starts[0])
        else:
            surface.gap(a, opened, starts[0])
        for i, (name, goal, needed) in enumerate(members):
            behind = a.state()
            self._member(starts[i], name, goal, behind)
            if not needed and (i + 1 < n or self._classes):
                a.epsilon(starts[i], starts[i + 1])
            surface.after(a, behind)
            if i + 1 < n or self._classes:
                self._comma(behind, starts[i + 1])
            if i >= last_needed:
                surface.close(a, behind, b"}", self._end)
        if self._classes:
            behind = a.state()
            self._extras(starts[n], behind)
            surface.after(a, behind)
            self._comma(behind, starts[n])
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
        surface.gap(a, opened, inside)
        if low == 0 and not needed[0]:
            a.literal(inside, b"}", self._end)
        if may_begin(0, 0):
            a.epsilon(inside, start(0, 0))
        while todo:
            i, c = todo.pop()
            here = starts[i, c]
            after = min(c + 1, most)
            if i == n:
                state = a.state()
                self._extras(here, state)
                behind(n, after, state)
                continue
            name, goal, required = members[i]
            if feasible(i + 1, after) and (high is None or c < high):
                state = a.state()
                self._member(here, name, goal, state)
                behind(i + 1, after, state)
            if not required and may_begin(i + 1, c):
                a.epsilon(here, start(i + 1, c))

    def write_any(self, low: int, high: int | None) -> None:
        """Write an object whose members come in any order, one copy of the states per count where they are counted.

        Every key is remembered by the register, so that none comes twice; the counter says how many required ones are
        missing, and is counted down at their colons.
        """
        a, surface = self._a, self._l.surface
        needed = sum(1 for m in self._members if m[2])
        most = high if high is not None else low if low > 1 else 0
        test = OP_TEST if needed else OP_NONE
        opened, inside = a.state(), a.state()
        if needed:
            a.literal(START, b"{", opened, OP_SET, a.pair(needed, UNBOUNDED))
        else:
            a.literal(START, b"{", opened)
        surface.gap(a, opened, inside)
        starts = [a.state() for _ in range(max(most, 1))] if high is not None else [a.state() for _ in range(most + 1)]
        a.epsilon(inside, starts[0])
        if low == 0 and not needed:
            a.literal(inside, b"}", self._end)
        for c, start in enumerate(starts):
            behind = a.state()
            self._any_key(start, behind)
            surface.after(a, behind)
            count = c + 1
            if high is None or count < high:
                self._comma(behind, starts[min(count, len(starts) - 1)])
            if count >= low:
                surface.close(a, behind, b"}", self._end, test)

    def _any_key(self, source: StateIndex, target: StateIndex) -> None:
        a, l = self._a, self._l
        l.registers = True
        opened = a.state()
        a.byte_range(source, _QUOTE, _QUOTE, opened, OP_KEY_OPEN)
        named: dict[tuple[Goal | None, bool, str], StateIndex] = {}
        for name, goal, needed in self._members:
            group = (goal, needed, name if self._values is not None else "")
            if group not in named:
                value = a.state()
                named[group] = a.state()
                l.surface.colon(a, named[group], value, OP_COUNT if needed else OP_NONE)
                self._value(value, name, goal, target)
            text, closing = l.declared_text(name)[:-1], opened
            if text:
                closing = a.state()
                if l._escapes == "canonical":  # noqa: SLF001
                    a.literal(opened, text, closing)
                else:
                    a.embed(opened, l._strings([name]), closing)  # noqa: SLF001
            a.byte_range(closing, _QUOTE, _QUOTE, named[group], OP_KEY_CLOSE)
        self._other_keys(opened, target)

    def _member(self, source: StateIndex, name: str, goal: Goal | None, target: StateIndex) -> None:
        a, l = self._a, self._l
        named, value = a.state(), a.state()
        l._key(a, source, name, named)  # noqa: SLF001
        l.surface.colon(a, named, value)
        self._value(value, name, goal, target)

    def _value(self, source: StateIndex, name: str, goal: Goal | None, target: StateIndex) -> None:
        if goal is not None:
            self._a.call(source, self._l.value(goal), target)
        elif self._values is not None:
            self._l._literal(self._a, source, self._values[name], target)  # noqa: SLF001

    def _comma(self, source: StateIndex, target: StateIndex) -> None:
        comma = self._a.state()
        self._a.byte_range(source, _COMMA, _COMMA, comma)
        self._l.surface.gap(self._a, comma, target)

    def _extras(self, source: StateIndex, target: StateIndex) -> None:
        """Read one member whose key is not declared."""
        a, l = self._a, self._l
        l.registers = True
        opened = a.state()
        a.byte_range(source, _QUOTE, _QUOTE, opened, OP_KEY_OPEN)
        self._other_keys(opened, target)

    def _other_keys(self, opened: StateIndex, target: StateIndex) -> None:
        a, l = self._a, self._l
        for c in self._classes:
            named, value = a.state(), a.state()
            if c.keys is None and l._escapes == "canonical":  # noqa: SLF001  (shared by every schema)
                a.extra(opened, l.string_rest(), [l.declared_text(n) for n in self._names], named)
            else:
                keys = c.keys
                if keys is None:
                    keys = CharDfa.any_string() - CharDfa.from_strings(self._names)
                body = a.state()
                a.embed(opened, key_body(keys, l._escapes), body)  # noqa: SLF001
                a.byte_range(body, _QUOTE, _QUOTE, named, OP_KEY_CLOSE)
            l.surface.colon(a, named, value)
            a.call(value, l.value(c.goal), target)
