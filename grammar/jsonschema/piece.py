"""What a piece is: values of one type, with the goals of what is inside; arrays have a file of their own (``arrays``)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..regular.dfa import CharDfa
from .arrays import ArrayPiece
from .dialect import Json
from .facts import ARRAY, INTEGER, NUMBER, OBJECT, STRING, Facts, Obligation, Refusal
from .goals import Goal
from .scalars import NumberSpec, StringSpec
from .values import type_bit


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


Piece = ValuesPiece | NumberPiece | StringPiece | ArrayPiece | ObjectPiece


def types_of_piece(piece: Piece) -> int:
    """Return the types of the values of a piece."""
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
