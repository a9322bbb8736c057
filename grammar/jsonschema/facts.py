"""What one subschema says by itself, read once into a form without keywords.

``Facts`` are the assertions of one node about the value in front of it, apart from those that send the same value to
another schema (``allOf``, ``anyOf``, ``oneOf``, ``not``, ``if``, ``$ref`` and the dependent ones), which become
``Part`` objects beside them.  Facts never mention a keyword or a draft again, so that the negation of a schema, or an
obligation made up by the algebra, is facts like any other.

An *obligation* is the integer ``2 * node`` (the value satisfies the node) or ``2 * node + 1`` (it does not).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Final

from .dialect import Json
from .document import FALSE_NODE, TRUE_NODE

NULL: Final = 1
FALSE_VALUE: Final = 2
TRUE_VALUE: Final = 4
BOOLEAN: Final = FALSE_VALUE | TRUE_VALUE
INTEGER: Final = 8
FRACTION: Final = 16
NUMBER: Final = INTEGER | FRACTION
STRING: Final = 32
ARRAY: Final = 64
OBJECT: Final = 128
ANY: Final = 255
TYPE_BITS: Final = 8
"""Sets of types are bit sets.  ``INTEGER`` is the integers, ``FRACTION`` all other numbers."""

TYPES: Final = {
    "null": NULL,
    "boolean": BOOLEAN,
    "integer": INTEGER,
    "number": NUMBER,
    "string": STRING,
    "array": ARRAY,
    "object": OBJECT,
}

Obligation = int
ALWAYS: Final[Obligation] = 2 * TRUE_NODE
NEVER: Final[Obligation] = 2 * FALSE_NODE


def opposite(obligation: Obligation) -> Obligation:
    """Negate an obligation."""
    if obligation <= NEVER + 1:
        return NEVER if obligation in (ALWAYS, NEVER + 1) else ALWAYS
    return obligation ^ 1


def opposites(obligations: list[Obligation]) -> tuple[Obligation, ...]:
    """Return obligations one of which is met exactly where not all of the given ones are."""
    out = dict.fromkeys(opposite(o) for o in obligations if o != ALWAYS)
    return (ALWAYS,) if ALWAYS in out else tuple(out)


@dataclass(frozen=True, slots=True)
class StringFact:
    """A constraint on the characters of a string, to be met or (``holds`` False) not.

    The kinds are ``pattern`` (to be found), ``match`` (from end to end), ``format`` (the strings of a format that are
    produced) and ``bound`` (strings among which are all of a format).
    """

    kind: str
    text: str
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """An assertion that cannot be made exact yet; it matters only to values of ``types``."""

    types: int
    keyword: str
    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Contains:
    """At least ``least`` and at most ``most`` items from index ``start`` on meet ``obligation``."""

    obligation: Obligation
    least: int = 1
    most: int | None = None
    start: int = 0


class Facts:
    """The local assertions of one node, per type.

    Every attribute has the neutral value as its class-level default, so that making facts costs only what they say.

    Attributes:
        types: bit set of the types allowed.
        enum: the values allowed, or ``None`` for all; ``not_enum`` the values forbidden.
        low, high, low_open, high_open: bounds of numbers.
        multiples, not_multiples: what numbers are, and are not, multiples of.
        min_length, max_length, strings: lengths of strings in characters, and what else is said about them.
        prefix, rest: obligations of the first items and of all others.
        min_items, max_items, contains: the other assertions about arrays.
        unique, equal: no two items are equal, or some two are: the pointer of the keyword that says so, empty where none does.
        evaluated, matched: what ``unevaluatedItems`` need not look at: the first items (``None``: all), and those that
            meet an obligation.  They say nothing by themselves.
        props: obligations of named members, in the order of the text.
        patterns: pairs (pattern, obligation) for members whose name matches.
        additional: obligation of the members that are neither named nor matched.
        required, min_props, max_props: names that must be there, and how many members.
        names: obligation of the members' names, as strings.
        telling: a member that must be there for a value to be produced, and the pointer of the keyword whose other values are
            left out (see ``Exclusion``); no value is excluded by it.
        broken: facts about members, each of which some member must break, or lack where it is required.
        refused: what cannot be compiled.

    """

    types: int = ANY
    enum: list[Json] | None = None
    not_enum: tuple[Json, ...] = ()
    low: Decimal | int | None = None
    high: Decimal | int | None = None
    low_open: bool = False
    high_open: bool = False
    multiples: tuple[Decimal | int, ...] = ()
    not_multiples: tuple[Decimal | int, ...] = ()
    min_length: int = 0
    max_length: int | None = None
    strings: tuple[StringFact, ...] = ()
    prefix: tuple[Obligation, ...] = ()
    rest: Obligation = ALWAYS
    min_items: int = 0
    max_items: int | None = None
    contains: tuple[Contains, ...] = ()
    unique: str = ""
    equal: str = ""
    evaluated: int | None = 0
    matched: tuple[Obligation, ...] = ()
    props: dict[str, Obligation] = {}  # noqa: RUF012  (a neutral default, never written to)
    patterns: tuple[tuple[str, Obligation], ...] = ()
    additional: Obligation = ALWAYS
    required: tuple[str, ...] = ()
    min_props: int = 0
    max_props: int | None = None
    names: Obligation = ALWAYS
    telling: tuple[str, str] | None = None
    broken: tuple[Facts, ...] = ()
    refused: tuple[Refusal, ...] = ()


def only(types: int) -> Facts:
    """Facts that say the type and nothing else."""
    facts = Facts()
    facts.types = types
    return facts


@cache
def typed(types: int) -> Facts:
    """Return the facts that say the type and nothing else, always the same ones."""
    return only(types)


@dataclass(slots=True)
class Part:
    """An assertion that sends the same value on: ``kind`` is one of those below.

    ``all``, ``any``, ``one``, ``not``, ``if`` and ``dependent`` are the applicators; ``maybe`` is a condition without
    consequences, which matters to what is evaluated only; ``unevaluated`` has the obligation of the members that nothing
    else speaks about, and ``unevaluated items`` that of such items.

    Attributes:
        obligations: the branches; of ``if`` the three of if, then and else.
        keyword: the keyword, for messages and for finding it in the node.
        name: the member whose presence triggers a dependent obligation.

    """

    kind: str
    obligations: list[Obligation] = field(default_factory=list)
    keyword: str = ""
    name: str = ""
    refusal: Refusal | None = None


def negations(facts: Facts, *, coarse: bool = False) -> list[Facts]:
    """Return facts of which at least one holds exactly where ``facts`` do not.

    They are as few as possible where ``coarse``: all that is said about members is then broken by one of them.
    """
    out: list[Facts] = []
    if facts.types != ANY:
        out.append(typed(ANY & ~facts.types))
    if facts.enum is not None:
        f = Facts()
        f.not_enum = tuple(facts.enum)
        out.append(f)
    _negate_numbers(facts, out)
    _negate_strings(facts, out)
    _negate_arrays(facts, out)
    _negate_objects(facts, out, coarse=coarse)
    for refusal in facts.refused:
        f = only(refusal.types)
        f.refused = (refusal,)
        out.append(f)
    return out


def _negate_numbers(facts: Facts, out: list[Facts]) -> None:
    if facts.low is not None:
        f = only(NUMBER)
        f.high, f.high_open = facts.low, not facts.low_open
        out.append(f)
    if facts.high is not None:
        f = only(NUMBER)
        f.low, f.low_open = facts.high, not facts.high_open
        out.append(f)
    for m in facts.multiples:
        f = only(NUMBER)
        f.not_multiples = (m,)
        out.append(f)
    for m in facts.not_multiples:
        f = only(NUMBER)
        f.multiples = (m,)
        out.append(f)


def _negate_strings(facts: Facts, out: list[Facts]) -> None:
    if facts.min_length > 0:
        f = only(STRING)
        f.max_length = facts.min_length - 1
        out.append(f)
    if facts.max_length is not None:
        f = only(STRING)
        f.min_length = facts.max_length + 1
        out.append(f)
    for s in facts.strings:
        f = only(STRING)
        f.strings = (StringFact(s.kind, s.text, not s.holds),)
        out.append(f)


def _negate_arrays(facts: Facts, out: list[Facts]) -> None:
    if facts.min_items > 0:
        f = only(ARRAY)
        f.max_items = facts.min_items - 1
        out.append(f)
    if facts.max_items is not None:
        f = only(ARRAY)
        f.min_items = facts.max_items + 1
        out.append(f)
    for i, obligation in enumerate(facts.prefix):
        if obligation != ALWAYS:
            f = only(ARRAY)
            f.min_items = i + 1
            f.prefix = (ALWAYS,) * i + (opposite(obligation),)
            out.append(f)
    if facts.rest == NEVER:
        f = only(ARRAY)
        f.min_items = len(facts.prefix) + 1
        out.append(f)
    elif facts.rest != ALWAYS:
        f = only(ARRAY)
        f.contains = (Contains(opposite(facts.rest), start=len(facts.prefix)),)
        out.append(f)
    for c in facts.contains:
        if c.least > 0:
            f = only(ARRAY)
            f.contains = (Contains(c.obligation, 0, c.least - 1, c.start),)
            out.append(f)
        if c.most is not None:
            f = only(ARRAY)
            f.contains = (Contains(c.obligation, c.most + 1, None, c.start),)
            out.append(f)
    if facts.unique:
        f = only(ARRAY)
        f.min_items = 2
        f.equal = facts.unique
        out.append(f)
    if facts.equal:
        f = only(ARRAY)
        f.unique = facts.equal
        out.append(f)


def _negate_objects(facts: Facts, out: list[Facts], *, coarse: bool) -> None:
    named = {n for n, o in facts.props.items() if o != ALWAYS}.union(facts.required)
    if coarse and len(named) + len(_about_others(facts)) > 1:
        f = only(OBJECT)
        f.broken = (facts,)
        out.append(f)
    else:
        _negate_members(facts, out)
    if facts.min_props > 0:
        f = only(OBJECT)
        f.max_props = facts.min_props - 1
        out.append(f)
    if facts.max_props is not None:
        f = only(OBJECT)
        f.min_props = facts.max_props + 1
        out.append(f)


def _negate_members(facts: Facts, out: list[Facts]) -> None:
    for name in facts.required:  # what is absent or wrong is wrong if it is there: one case, not two
        f = only(OBJECT)
        f.props = {name: opposite(facts.props.get(name, ALWAYS))}
        out.append(f)
    for name, obligation in facts.props.items():
        if obligation != ALWAYS and name not in facts.required:
            f = only(OBJECT)
            f.required = (name,)
            f.props = {name: opposite(obligation)}
            out.append(f)
    for about in _about_others(facts):
        f = only(OBJECT)
        f.broken = (about,)
        out.append(f)


def _about_others(facts: Facts) -> list[Facts]:
    """Return what is said about members that are not named, one thing each."""
    out: list[Facts] = []
    for pattern, obligation in facts.patterns:
        if obligation != ALWAYS:
            f = Facts()
            f.patterns = ((pattern, obligation),)
            out.append(f)
    if facts.additional != ALWAYS:
        f = Facts()
        f.props = dict.fromkeys(facts.props, ALWAYS)
        f.patterns = tuple((pattern, ALWAYS) for pattern, _ in facts.patterns)
        f.additional = facts.additional
        out.append(f)
    if facts.names != ALWAYS:
        f = Facts()
        f.names = facts.names
        out.append(f)
    return out
