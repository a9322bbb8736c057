"""From conjunctions to pieces: one type each, with the goals of what is inside.

A goal's values are the union of its pieces.  Building a piece merges what the facts of a conjunction say about one
type; it never looks into the goals of members and items, so pieces of recursive schemas are finite.  ``Pieces.inhabited``
then asks whether a goal has a value at all, by a depth-first search for a derivation: a minimal one never meets the same
goal twice on a path, so a goal that is being asked about already counts as empty, and a negative answer that rests on
such an assumption is not remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Final

from ..errors import LimitExceeded, SyntagmaError
from ..regular.dfa import CharDfa
from ..regular.partition import partition
from .algebra import FALSE_GOAL, Algebra, Conjunction, Goal, UndeterminedError, goal_of, said_about
from .arrays import ArrayPiece, ArrayProduct, array_piece
from .counting import Counting
from .demands import Judge, Plan, plan_of
from .dialect import Json
from .facts import (
    ALWAYS,
    ANY,
    ARRAY,
    FALSE_VALUE,
    FRACTION,
    INTEGER,
    NEVER,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    TRUE_VALUE,
    Facts,
    Obligation,
    Refusal,
    StringFact,
    opposite,
    opposites,
)
from .listing import Listing
from .scalars import (
    Number,
    NumberSpec,
    StringSpec,
    character_language,
    common_multiple,
    language_of,
    left_out,
    number_is_inhabited,
    number_meets,
    string_accepts,
    string_is_inhabited,
)
from .values import identity, type_bit


@dataclass(slots=True)
class ValuesPiece:
    """Some values, written out."""

    values: list[Json]
    refusals: list[Refusal] = field(default_factory=list)


@dataclass(slots=True)
class NumberPiece:
    """Numbers."""

    spec: NumberSpec
    refusals: list[Refusal] = field(default_factory=list)


@dataclass(slots=True)
class StringPiece:
    """Strings."""

    spec: StringSpec
    refusals: list[Refusal] = field(default_factory=list)


@dataclass(slots=True)
class ObjectPiece:
    """Objects.

    Attributes:
        members: (name, goal, required) in the order in which they are written.
        facts: what the classes of other keys are computed from.
        low, high: bounds of the number of members.
        broken: facts about members that some member must break, see ``demands``.
        classes: the classes of other keys, once computed.

    """

    members: list[tuple[str, Goal, bool]]
    facts: tuple[Facts, ...]
    low: int
    high: int | None
    refusals: list[Refusal] = field(default_factory=list)
    classes: list[KeyClass] | None = None
    broken: tuple[Facts, ...] = ()


@dataclass(slots=True)
class KeyClass:
    """Keys beside the named members: ``keys`` (``None`` for all others) whose values meet ``goal``.

    ``breaking`` says, for each of the piece's ``broken``, which obligations a value breaks it by.
    """

    keys: CharDfa | None
    goal: Goal
    breaking: tuple[tuple[Obligation, ...], ...] = ()


_EQUAL_VALUES: Final = 64
"""Of more values than these that two items could have, these are written; so many edges are still cheap."""

_EQUAL_PAIRS: Final = 32
"""So many pairs of places are tried for equal items; only long prefixes have more."""

_FEW_PAIRS: Final = 4
"""Of so many of them also the values that must be contained are tried, before all others."""

_TOLD_APART: Final = 16
"""More values than these are not told apart: there is a state for nearly every set of them."""

Piece = ValuesPiece | NumberPiece | StringPiece | ArrayPiece | ObjectPiece


class Pieces:
    """The pieces of the goals of one compilation.

    Of some formats only a part is known, and what is left out is in no piece, nor in one of the opposite.  Such pieces say
    what may be written; but not that something is impossible, which is what the algebra wants to know about two branches
    of ``oneOf``.  That is asked of *wide* pieces, in which what is left out is in both.

    The same goes for arrays with two equal items, of which only those with one of finitely many values can be written.

    Attributes:
        narrowed: whether strings of a format were left out so far.
        partial: whether arrays with two equal items were.

    """

    def __init__(
        self,
        algebra: Algebra,
        patterns: dict[str, str],
        *,
        float_is_fraction: bool,
        key_classes: int,
        members: int,
        counted_items: int,
        unique_items: int,
        broken_rules: int,
        max_digits: tuple[int, int] | None,
        tick: Callable[[], None],
        wide: bool = False,
    ) -> None:
        """Take the algebra, the user's own formats as patterns, and limits; ``wide`` ones leave nothing out."""
        self.algebra = algebra
        self._patterns = patterns
        self._float_is_fraction = float_is_fraction
        self._key_classes = key_classes
        self._members = members
        self._counted_items = counted_items
        self._unique_items = unique_items
        self._counting = Counting(self)
        self._listing = Listing(self)
        self.broken_rules = broken_rules
        self._max_digits = max_digits
        self._tick = tick
        self._memo: dict[Goal, list[Piece]] = {}
        self._split_up: dict[Conjunction, list[Piece]] = {}
        self._inhabited: dict[Goal, bool] = {FALSE_GOAL: False, (): True}
        self._asking: dict[Goal, int] = {}
        self._identities: dict[int, tuple[object, set[object]]] = {}
        self._rests_on = 1 << 30
        self._guesses = 0
        self.narrowed = False
        self.partial = False
        self._wide = wide
        self._wider: Pieces | None = None
        if not wide:
            algebra.types_of = self.types_of

    # -- building -----------------------------------------------------------------------------

    def of(self, goal: Goal) -> list[Piece]:
        """Return the pieces of a goal, equal conjunctions' being the same; what is empty by itself is left out."""
        found = self._memo.get(goal)
        if found is None:
            found = []
            try:
                for conjunction in self.algebra.meaning(goal):
                    if conjunction not in self._split_up:
                        self._split_up[conjunction] = list(self._split(conjunction))
                    found += self._split_up[conjunction]
            except SyntagmaError as e:
                raise self.located(e, goal) from None
            self._memo[goal] = found
        return found

    def located(self, error: SyntagmaError, goal: Goal) -> SyntagmaError:
        """Say where a pattern or a limit went wrong, if the error does not say so itself."""
        if error.where is not None and "#" in error.where:
            return error
        where = self.algebra.documents.nodes[goal[0] >> 1].pointer() if goal else "#"
        if isinstance(error, LimitExceeded):
            where = self._blamed(error, where) or where
        if error.where is not None:
            where = f"{where} ({error.where})"
        if isinstance(error, LimitExceeded):
            return LimitExceeded(error.message, limit=error.limit, value=error.value, where=where, hint=error.hint)
        return type(error)(error.message, where=where, hint=error.hint)

    def _blamed(self, error: LimitExceeded, place: str) -> str | None:
        """Return the pointer of the keyword that is too much by itself, one below ``place`` if there are several.

        What facts say has no place, for they are shared; so the keywords that were read are tried once more.
        """
        found: list[str] = []
        for node in self.algebra.nodes_read:
            schema = node.schema if isinstance(node.schema, dict) else {}
            named = schema.get("patternProperties")
            tried: list[tuple[tuple[str, ...], Json]] = []
            tried += [(("patternProperties", p), p) for p in named] if isinstance(named, dict) else []
            tried += [(("pattern",), schema["pattern"])] if "pattern" in schema else []
            for path, value in tried:
                pointer = node.pointer(*path)
                below = pointer.startswith(place)
                if (below or not found) and _is_too_much(value, error.limit):
                    if below:
                        return pointer
                    found.append(pointer)
        return found[0] if found else None

    def _split(self, conjunction: Conjunction) -> Iterator[Piece]:
        types = 255
        finite: list[Json] | None = None
        for f in conjunction:
            types &= f.types
            if f.enum is not None and (finite is None or len(f.enum) < len(finite)):
                finite = f.enum
        refusals = [r for f in conjunction for r in f.refused]
        if finite is not None:
            seen: dict[object, Json] = {}
            for v in finite:
                if all(self.meets(v, f) for f in conjunction):
                    seen.setdefault(identity(v), v)
            if seen:
                left = 0
                for v in seen.values():
                    left |= type_bit(v, float_is_fraction=False)
                yield ValuesPiece(list(seen.values()), [r for r in refusals if r.types & left])
            return
        constants: list[Json] = []
        gone = [identity(v) for f in conjunction for v in f.not_enum]
        for bit, value in ((NULL, None), (FALSE_VALUE, False), (TRUE_VALUE, True)):
            if types & bit and identity(value) not in gone:
                constants.append(value)
        if constants:
            yield ValuesPiece(constants)
        if types & NUMBER:
            yield from self._numbers(conjunction, types, [r for r in refusals if r.types & NUMBER])
        if types & STRING:
            spec = self._string(conjunction)
            if string_is_inhabited(spec):
                yield StringPiece(spec, [r for r in refusals if r.types & STRING])
        for whole in self._unequal(conjunction) if types & (ARRAY | OBJECT) else ():
            here = types
            for f in whole[len(conjunction) :]:
                here &= f.types
            if here & ARRAY:
                array = array_piece(whole, [r for r in refusals if r.types & ARRAY])
                if array is not None:
                    yield array
            if here & OBJECT:
                yield self._object(whole, [r for r in refusals if r.types & OBJECT])

    def _unequal(self, conjunction: Conjunction) -> list[Conjunction]:
        """Write out what arrays and objects other than given ones are."""
        if not any(f.not_enum for f in conjunction):
            return [conjunction]
        types = ANY
        for f in conjunction:
            types &= f.types
        values = {
            identity(v): v
            for f in conjunction
            for v in f.not_enum
            if (isinstance(v, list) and types & ARRAY) or (isinstance(v, dict) and types & OBJECT)
        }
        if not values:
            return [conjunction]
        return [(*conjunction, *more) for more in self.algebra.other_than(list(values.values()))]

    def _numbers(self, conjunction: Conjunction, types: int, refusals: list[Refusal]) -> Iterator[Piece]:
        low: Number | None = None
        high: Number | None = None
        low_open = high_open = False
        for f in conjunction:
            if f.low is not None and (low is None or f.low > low or (f.low == low and f.low_open)):
                low, low_open = f.low, f.low_open
            if f.high is not None and (high is None or f.high < high or (f.high == high and f.high_open)):
                high, high_open = f.high, f.high_open
        whole = not types & FRACTION
        multiple = common_multiple(tuple(dict.fromkeys(m for f in conjunction for m in f.multiples)))
        avoid = list(dict.fromkeys(m for f in conjunction for m in f.not_multiples))
        if not types & INTEGER:
            avoid.append(1)
        holes = sorted({
            v for f in conjunction for v in f.not_enum if not isinstance(v, bool) and isinstance(v, int | Number)
        })  # fmt: skip
        edges: list[tuple[Number | None, bool]] = [(low, low_open)]
        for v in holes:
            edges += [(v, True), (v, True)]
        edges.append((high, high_open))
        for (a, a_open), (b, b_open) in zip(edges[::2], edges[1::2], strict=True):
            if holes:
                if a is not None and low is not None and a < low:
                    a, a_open = low, low_open
                elif a == low and a is not None:
                    a_open = a_open or low_open
                if b is not None and high is not None and b > high:
                    b, b_open = high, high_open
                elif b == high and b is not None:
                    b_open = b_open or high_open
            spec = NumberSpec(whole, a, b, a_open, b_open, multiple, tuple(avoid), self._max_digits)
            if holes:
                self._tick()
            if number_is_inhabited(spec):
                yield NumberPiece(spec, refusals)

    def _string(self, conjunction: Conjunction) -> StringSpec:
        low, high = 0, None
        facts: dict[StringFact, None] = {}
        excluded: dict[str, None] = {}
        for f in conjunction:
            low = max(low, f.min_length)
            if f.max_length is not None:
                high = f.max_length if high is None else min(high, f.max_length)
            for s in f.strings:
                if s.kind == "format":
                    s = self._format(s)
                facts[s] = None
            excluded.update((v, None) for v in f.not_enum if isinstance(v, str))
        return StringSpec(low, high, tuple(facts), tuple(excluded))

    def _format(self, fact: StringFact) -> StringFact:
        """Say what a format asks for: where only a part of it is known, this part, and of its opposite as well."""
        if fact.text in self._patterns:
            return StringFact("match", self._patterns[fact.text], fact.holds)
        if left_out(fact.text):
            self.narrowed = True
            if fact.holds == self._wide:
                return StringFact("bound", fact.text, fact.holds)
        return fact

    def _object(self, conjunction: Conjunction, refusals: list[Refusal]) -> ObjectPiece:
        low, high = 0, None
        names: dict[str, bool] = {}
        required: dict[str, None] = {}
        broken = tuple(dict.fromkeys(b for f in conjunction for b in f.broken))
        for f in conjunction:
            low = max(low, f.min_props)
            if f.max_props is not None:
                high = f.max_props if high is None else min(high, f.max_props)
            for n in f.props:
                names[n] = False
            required.update(dict.fromkeys(f.required))
        for f in broken:
            for n in (*f.props, *f.required):
                names.setdefault(n, False)
        for n in required:
            names[n] = True
        members = [(n, self.member_goal(conjunction, n), needed) for n, needed in names.items()]
        return ObjectPiece(members, conjunction, low, high, refusals, broken=broken)

    def member_goal(self, facts: tuple[Facts, ...], name: str) -> Goal:
        """Return what the value of one member must meet."""
        obligations: list[Obligation] = []
        for f in facts:
            if f.names != ALWAYS and not self.holds(name, f.names):
                return FALSE_GOAL
            obligations += said_about(f, name)
        if len(obligations) == 1 and obligations[0] > NEVER:
            return (obligations[0],)
        return goal_of(obligations)

    def breaking(self, f: Facts, name: str) -> tuple[Obligation, ...]:
        """Return the obligations by meeting one of which the value of a member breaks facts about it."""
        if f.names != ALWAYS and self.holds(name, opposite(f.names)):
            return (ALWAYS,)
        return opposites(said_about(f, name))

    def key_classes(self, piece: ObjectPiece) -> list[KeyClass]:
        """Return the classes of keys beside the named members.

        Where members are counted, a class of few keys becomes optional members of ``piece`` instead.  Raises ``LimitExceeded`` beyond the limit.
        """
        if piece.classes is None:
            piece.classes = self._classes(piece)
        return piece.classes

    def _classes(self, piece: ObjectPiece) -> list[KeyClass]:
        facts = piece.facts
        everywhere = goal_of(f.additional for f in facts)
        broken = piece.broken
        patterns = list(dict.fromkeys(p for f in (*facts, *broken) for p, _ in f.patterns))
        restricted = [f.names for f in facts if f.names != ALWAYS]
        if broken:
            pass
        elif not patterns and not restricted:
            return [] if everywhere == FALSE_GOAL else [KeyClass(None, everywhere)]
        elif not any(o != ALWAYS for f in facts for _, o in f.patterns) and everywhere == () and not restricted:
            return [KeyClass(None, ())]
        base = CharDfa.any_string()
        if restricted:
            base = self._names(goal_of(restricted))
        cuts: list[str | int] = list(patterns)
        languages = [character_language(StringFact("pattern", p)) for p in patterns]
        for i, f in enumerate(broken):
            if f.names != ALWAYS:
                cuts.append(i)
                languages.append(self._names(goal_of((opposite(f.names),))))
        self._tick()
        named = CharDfa.from_strings(n for n, _, _ in piece.members)
        parts = partition(base, named, tuple(languages), self._key_classes)
        if parts is None:
            raise LimitExceeded(
                f"patternProperties cut the keys into more than {self._key_classes} classes",
                limit="key_classes",
                value=self._key_classes,
                hint="raise SchemaLimits.key_classes",
            )
        by_goal: dict[tuple[Goal, tuple[tuple[Obligation, ...], ...]], list[int]] = {}
        order = [sum(1 << i for i in places) for places in parts.classes]  # any would do, if always the same
        for k in sorted(range(len(order)), key=order.__getitem__, reverse=True):
            hit = frozenset(cuts[i] for i in parts.classes[k])
            goal = goal_of(o for f in facts for o in _said_about_others(f, hit))
            ways = tuple((ALWAYS,) if i in hit else opposites(_said_about_others(f, hit)) for i, f in enumerate(broken))
            if goal != FALSE_GOAL:
                by_goal.setdefault((goal, ways), []).append(k)
        if len(by_goal) == 1 and not patterns and not restricted and not any(f.names != ALWAYS for f in broken):
            return [KeyClass(None, goal, ways) for goal, ways in by_goal]
        out = []
        for (goal, ways), chosen in by_goal.items():
            dfa = parts.language(chosen)
            if (piece.low > 1 or piece.high is not None or any(ways)) and dfa.is_finite():
                keys = list(dfa.strings(self._members + 1))
                if len(keys) <= self._members:
                    piece.members.extend((k, goal, False) for k in keys)
                    continue
            out.append(KeyClass(dfa, goal, ways))
        return out

    def _names(self, goal: Goal) -> CharDfa:
        language = CharDfa.nothing()
        for piece in self.of(goal):
            if isinstance(piece, StringPiece):
                language = language | language_of(piece.spec)
            elif isinstance(piece, ValuesPiece):
                language = language | CharDfa.from_strings(v for v in piece.values if isinstance(v, str))
        return language

    def plan(self, piece: ObjectPiece, *, final: bool, judge: Judge | None = None) -> Plan | None:
        """Return how the members of a piece can break what some of them must; ``None`` if they cannot.

        ``final`` says that no question is open, so that what seems empty is.
        """
        classes = self.key_classes(piece)
        ways = [(n, g, needed, [self.breaking(f, n) for f in piece.broken]) for n, g, needed in piece.members]
        others = [(c, c.breaking) for c in classes]
        return plan_of(piece, ways, others, judge or self, final=final)

    # -- emptiness ----------------------------------------------------------------------------

    def inhabited(self, goal: Goal) -> bool:
        """Tell whether some value meets a goal (what is refused is taken to hold)."""
        known = self._inhabited.get(goal)
        if known is not None:
            return known
        depth = self._asking.get(goal)
        if depth is not None:
            self._rests_on = min(self._rests_on, depth)
            return False
        depth = len(self._asking)
        self._asking[goal] = depth
        outer, self._rests_on = self._rests_on, 1 << 30
        guesses = self._guesses
        try:
            answer = any(self.piece_is_inhabited(p) for p in self.of(goal))
        except UndeterminedError:
            self._guesses += 1
            answer = True
        except SyntagmaError as e:
            raise self.located(e, goal) from None
        finally:
            del self._asking[goal]
        if answer or self._rests_on >= depth:
            if not answer or self._guesses == guesses:
                self._inhabited[goal] = answer
            self._rests_on = outer
        else:
            self._rests_on = min(self._rests_on, outer)
        return answer

    def possible(self, goal: Goal) -> bool:
        """Tell whether some value may meet a goal, counting those that are never produced."""
        return self.inhabited(goal) or (self._leaves_out and self._widened().inhabited(goal))

    @property
    def _leaves_out(self) -> bool:
        return self.narrowed or self.partial

    def _widened(self) -> Pieces:
        if self._wide:
            return self
        if self._wider is None:
            self._wider = Pieces(
                self.algebra,
                self._patterns,
                float_is_fraction=self._float_is_fraction,
                key_classes=self._key_classes,
                members=self._members,
                counted_items=self._counted_items,
                unique_items=self._unique_items,
                broken_rules=self.broken_rules,
                max_digits=self._max_digits,
                tick=self._tick,
                wide=True,
            )
        return self._wider

    def contradicts_itself(self, goal: Goal) -> bool:
        """Tell whether the literal values that a goal speaks of leave none; unlike ``inhabited`` it assumes nothing."""
        return not self.algebra.agree(goal)

    def types_of(self, goal: Goal) -> int:
        """Return the types of the values that may meet a goal, also of those that are never produced.

        What is refused is taken to hold.
        """
        types = self._types_of(goal)
        return types | self._widened().types_of(goal) if self._leaves_out and not self._wide and types != ANY else types

    def _types_of(self, goal: Goal) -> int:
        if goal == FALSE_GOAL or self._inhabited.get(goal) is False:
            return 0
        types = 0
        try:
            pieces = self.of(goal)
        except UndeterminedError:
            return ANY
        for piece in pieces:
            here = _types(piece)
            if here & ~types and self.piece_is_inhabited(piece):
                types |= here
        return types

    def empty_goals(self) -> list[Goal]:
        """Return the goals that are known to be empty."""
        return [g for g, answer in self._inhabited.items() if not answer and g != FALSE_GOAL]

    def piece_is_inhabited(self, piece: Piece, judge: Judge | None = None) -> bool:
        """Tell whether some value is of this piece; ``judge`` knows which goals of what is inside have a value."""
        if isinstance(piece, ArrayPiece):
            return self._array_is_inhabited(piece, (judge or self).inhabited)
        if isinstance(piece, ObjectPiece):
            return self._object_is_inhabited(piece, judge)
        return True

    def _array_is_inhabited(self, piece: ArrayPiece, inhabited: Callable[[Goal], bool]) -> bool:
        piece = self.singled_out(piece)
        if piece.contains or piece.constants or piece.equal:
            product = ArrayProduct(piece, inhabited, self.possible, self._counted_items, self._tick)
            return product.has_length(piece.low, piece.high)
        low, fixed = piece.low, len(piece.prefix)
        if piece.high is not None and low > piece.high:
            return False
        for i in range(min(low, fixed)):
            if not inhabited(piece.prefix[i]):
                return False
        if piece.unique and low > fixed + 1:
            strings = self.strings_of(piece.rest)
            if strings is not None and strings.is_finite() and len(list(strings.strings(low))) < low - fixed:
                return False
        return low <= fixed or inhabited(piece.rest)

    def singled_out(self, piece: ArrayPiece) -> ArrayPiece:
        """Return a piece with the values that matter one by one, see ``ArrayPiece``.

        Those that two equal items may have are all, if they are few, else some.  Those that required items could run out
        of are looked for again as long as a question about emptiness is open: its answer may add to them.
        """
        if piece.constants is not None:
            return piece
        if piece.unique:
            constants, whole = ((), True) if self._counting.never_runs_out(piece) else self._told_apart(piece)
            if self._asking:
                return replace(piece, constants=constants, whole=whole)
            piece.constants, piece.whole = constants, whole
            return piece
        piece.constants = ()
        if piece.equal:
            piece.constants, piece.whole = self._equal_values(piece)
            while len(piece.constants) > 1 and not self._is_small(piece):
                piece.constants, piece.whole = piece.constants[: len(piece.constants) // 4 or 1], False
            if piece.whole:
                return piece
            self.partial = True
            if self._wide:
                piece.equal, piece.constants = "", ()
            elif not piece.constants:
                reason = "no value was found that two items could have"
                piece.refusals.append(Refusal(ARRAY, "uniqueItems", piece.equal, reason))
                piece.equal = ""
        return piece

    def _is_small(self, piece: ArrayPiece) -> bool:
        try:
            ArrayProduct(piece, self.inhabited, self.possible, self._counted_items, self._tick)
        except LimitExceeded as e:
            if e.limit == "deadline":
                raise
            return False
        return True

    def _equal_values(self, piece: ArrayPiece) -> tuple[tuple[Obligation, ...], bool]:
        """Return the values that two items may have, and whether they are all."""
        rests = 2 if piece.high is None else min(2, piece.high - len(piece.prefix))
        pairs = [goal_of((*a, *b)) for a, b in combinations([*[piece.rest] * rests, *piece.prefix], 2)]
        wanted = [goal_of((*pair, c.obligation)) for pair in pairs[:_FEW_PAIRS] for c in piece.contains]
        values: dict[object, Json] = {}
        whole = True
        for n, goal in enumerate(dict.fromkeys((*wanted, *pairs))):
            room = _EQUAL_VALUES - len(values)
            if n == _EQUAL_PAIRS or not room:
                return tuple(map(self.algebra.constant, values.values())), False
            found, all_of_them = self._listing.of(goal, room)
            values.update((identity(v), v) for v in found if identity(v) not in values)
            whole = whole and all_of_them
        return tuple(map(self.algebra.constant, values.values())), whole

    def _told_apart(self, piece: ArrayPiece) -> tuple[tuple[Obligation, ...], bool]:
        """Return values so that nothing runs out where they are told apart; none and ``False`` where that is not known."""
        values: dict[object, Json] = {}
        while True:
            constants = tuple(map(self.algebra.constant, values.values()))
            known = replace(piece, constants=constants)
            try:
                product = ArrayProduct(
                    known, self.inhabited, self.possible, self._unique_items, self._tick, told_apart=True
                )
            except LimitExceeded as e:
                if e.limit == "deadline":
                    raise
                return (), False
            goal = product.could_run_out(self._counting.at_least)
            if goal is None:
                return constants, True
            found, whole = self._listing.of(goal, _TOLD_APART)
            before = len(values)
            values.update((identity(v), v) for v in found)
            if not whole or not before < len(values) <= _TOLD_APART:
                return (), False

    def strings_of(self, goal: Goal) -> CharDfa | None:
        """Return the values of a goal as a language, ``None`` where some of them are no strings or it takes too many states."""
        language = CharDfa.nothing()
        try:
            for piece in self.of(goal):
                if isinstance(piece, StringPiece) and not piece.refusals:
                    language = language | language_of(piece.spec)
                elif isinstance(piece, ValuesPiece) and not piece.refusals:
                    strings = [v for v in piece.values if isinstance(v, str)]
                    if len(strings) < len(piece.values):
                        return None
                    language = language | CharDfa.from_strings(strings)
                elif self.piece_is_inhabited(piece):
                    return None
        except LimitExceeded:
            return None
        return language

    def _object_is_inhabited(self, piece: ObjectPiece, judge: Judge | None) -> bool:
        inhabited = (judge or self).inhabited
        if piece.broken:
            plan = self.plan(piece, final=False, judge=judge)
            return plan is not None and plan.inhabited()
        needed = 0
        for _, goal, required in piece.members:
            if required:
                needed += 1
                if not inhabited(goal):
                    return False
        if piece.high is not None and needed > piece.high:
            return False
        if piece.low <= needed:
            return True
        if piece.high is not None and piece.low > piece.high:
            return False
        if any(inhabited(c.goal) for c in self.key_classes(piece)):
            return True
        return piece.low <= sum(1 for _, goal, required in piece.members if required or inhabited(goal))

    # -- values -------------------------------------------------------------------------------

    def holds(self, value: Json, obligation: Obligation) -> bool:
        """Tell whether a value meets an obligation, exactly."""
        return any(all(self.meets(value, f) for f in c) for c in self.algebra.alternatives(obligation))

    def meets(self, value: Json, f: Facts) -> bool:
        """Tell whether a value meets facts (what is refused is taken to hold)."""
        bit = type_bit(value, float_is_fraction=self._float_is_fraction)
        if not f.types & bit:
            return False
        if f.enum is not None and identity(value) not in self._identities_of(f.enum):
            return False
        if f.not_enum and identity(value) in self._identities_of(f.not_enum):
            return False
        if isinstance(value, str):
            said = (
                f.strings or f.min_length or f.max_length is not None
            )  # each value of a long enumeration is asked about
            return not said or string_accepts(self._string((f,)), value)
        if isinstance(value, list):
            return self._array_meets(value, f)
        if isinstance(value, dict):
            return self._object_meets(value, f)
        if bit & NUMBER and isinstance(value, int | Number):
            return number_meets(value, f)
        return True

    def _identities_of(self, values: list[Json] | tuple[Json, ...]) -> set[object]:
        """Return the identities of listed values; each of a long list is asked about, so they are computed once."""
        known = self._identities.get(id(values))
        if known is None or known[0] is not values:
            known = self._identities[id(values)] = values, {identity(v) for v in values}
        return known[1]

    def _array_meets(self, value: list[Json], f: Facts) -> bool:
        if len(value) < f.min_items or (f.max_items is not None and len(value) > f.max_items):
            return False
        if (f.unique or f.equal) and (len({identity(v) for v in value}) < len(value)) != bool(f.equal):
            return False
        for i, v in enumerate(value):
            if not self.holds(v, f.prefix[i] if i < len(f.prefix) else f.rest):
                return False
        for c in f.contains:
            met = sum(self.holds(v, c.obligation) for v in value[c.start :])
            if met < c.least:
                return False
            if c.most is not None and sum(not self.holds(v, opposite(c.obligation)) for v in value[c.start :]) > c.most:
                return False
        return True

    def _object_meets(self, value: dict[str, Json], f: Facts) -> bool:
        if len(value) < f.min_props or (f.max_props is not None and len(value) > f.max_props):
            return False
        if not all(n in value for n in f.required):
            return False
        if not all(self.holds(v, o) for k, v in value.items() for o in self.member_goal((f,), k)):
            return False
        return all(
            any(n not in value for n in b.required)
            or any(self.holds(v, o) for k, v in value.items() for o in self.breaking(b, k))
            for b in f.broken
        )


def _is_too_much(value: Json, limit: str) -> bool:
    """Tell whether a pattern needs more than a limit by itself."""
    try:
        if isinstance(value, str):
            character_language(StringFact("pattern", value))
    except LimitExceeded as e:
        return e.limit == limit
    return False


def _said_about_others(f: Facts, hit: frozenset[str | int]) -> list[Obligation]:
    return [o for p, o in f.patterns if p in hit] or [f.additional]


def _types(piece: Piece) -> int:
    if isinstance(piece, ObjectPiece):
        return OBJECT
    if isinstance(piece, ArrayPiece):
        return ARRAY
    if isinstance(piece, StringPiece):
        return STRING
    if isinstance(piece, NumberPiece):
        return INTEGER if piece.spec.whole else NUMBER
    types = 0
    for v in piece.values:
        types |= type_bit(v, float_is_fraction=False)
    return types
