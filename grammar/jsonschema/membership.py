"""Which values meet facts, exactly; and what facts say about members by their names."""

from __future__ import annotations

from collections.abc import Collection

from .algebra import Algebra
from .dialect import Json
from .facts import ALWAYS, NEVER, NUMBER, Facts, Obligation, StringFact, opposite, opposites
from .goals import Conjunction, Goal, goal_of, said_about
from .scalars import Number, StringSpec, left_out, number_meets, string_accepts
from .values import identity, type_bit


class Strings:
    """What conjunctions say of strings, with the user's own formats as patterns.

    Attributes:
        wide: whether nothing is left out.
        narrowed: whether strings of a format were left out so far.

    """

    def __init__(self, patterns: dict[str, str], *, wide: bool) -> None:
        """Take the formats; ``wide`` ones leave nothing out, see ``Pieces``."""
        self._patterns = patterns
        self.wide = wide
        self.narrowed = False

    def spec(self, conjunction: Conjunction) -> StringSpec:
        """Return what facts say of strings."""
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
            if fact.holds == self.wide:
                return StringFact("bound", fact.text, fact.holds)
        return fact


class Membership:
    """Which values meet what.

    Attributes:
        left_out: the members without which objects were left out so far, and the pointers of the keywords that tell objects by them.

    """

    def __init__(self, algebra: Algebra, strings: Strings, *, float_is_fraction: bool) -> None:
        """Take the algebra, what is known of strings, and whether 1.0 is no integer."""
        self._algebra = algebra
        self._strings = strings
        self._float_is_fraction = float_is_fraction
        self.left_out: dict[tuple[str, str], None] = {}
        self._identities: dict[int, tuple[object, set[object]]] = {}

    def holds(self, value: Json, obligation: Obligation) -> bool:
        """Tell whether a value meets an obligation, exactly."""
        return any(all(self.meets(value, f) for f in c) for c in self._algebra.alternatives(obligation))

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
            # each value of a long enumeration is asked about
            said = f.strings or f.min_length or f.max_length is not None
            return not said or string_accepts(self._strings.spec((f,)), value)
        if isinstance(value, list):
            return self._array_meets(value, f)
        if isinstance(value, dict):
            return self._object_meets(value, f)
        if bit & NUMBER and isinstance(value, int | Number):
            return number_meets(value, f)
        return True

    def member_goal(self, facts: tuple[Facts, ...], name: str) -> Goal:
        """Return what the value of one member must meet."""
        return self.member_goals(facts, (name,))[0]

    def member_goals(self, facts: tuple[Facts, ...], names: Collection[str]) -> list[Goal]:
        """Return what the values of members must meet, each facts being read once: most speak of few of many names."""
        said: dict[str, list[Obligation]] = {name: [] for name in names}
        for f in facts:
            if f.names != ALWAYS:
                for name in names:
                    if not self.holds(name, f.names):
                        said[name].append(NEVER)
            if f.patterns or f.additional != ALWAYS or len(f.props) > len(said):
                for name in names:
                    said[name] += said_about(f, name)
            else:
                for name, obligation in f.props.items():
                    if name in said:
                        said[name].append(obligation)
        return [(o[0],) if len(o) == 1 and o[0] > NEVER else goal_of(o) for o in said.values()]

    def breaking(self, f: Facts, name: str) -> tuple[Obligation, ...]:
        """Return the obligations by meeting one of which the value of a member breaks facts about it."""
        if f.names != ALWAYS and self.holds(name, opposite(f.names)):
            return (ALWAYS,)
        return opposites(said_about(f, name))

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
        if f.telling is not None and f.telling[0] not in value and not self._strings.wide:
            self.left_out[f.telling] = None
            return False
        if not all(self.holds(v, o) for k, v in value.items() for o in self.member_goal((f,), k)):
            return False
        return all(
            any(n not in value for n in b.required)
            or any(self.holds(v, o) for k, v in value.items() for o in self.breaking(b, k))
            for b in f.broken
        )
