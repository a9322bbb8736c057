"""The values of a goal, one by one: all of them where they are few, else some.

Two things of arrays are about single values and not about their kinds.  Two items can be equal only by being one value,
which an automaton can remember if it is one of a list; and items that must differ run out only where the list of what
they can be is short.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import islice, product
from math import ceil, floor
from typing import TYPE_CHECKING, Final

from ..errors import LimitExceeded
from ..regular.dfa import CharDfa
from .arrays import ArrayPiece
from .dialect import Json
from .goals import Goal, goal_of
from .piece import NumberPiece, ObjectPiece, Piece, StringPiece, ValuesPiece
from .scalars import NumberSpec, decimal, exact, language_of
from .values import identity

if TYPE_CHECKING:
    from .pieces import Pieces

_FEW: Final = 4
"""So many values stand for infinitely many of one kind."""

_TRIES: Final = 256
"""So many arrays, or objects, are put together to find those that are values."""

_DEPTHS: Final = (1, 3, 8)
"""Values of so many containers inside of each other are looked for, where the depths before have none."""

_GOALS: Final = 200
"""So many goals are looked into for the values of one."""

Listed = tuple[list[Json], bool]
"""Values, and whether they are all."""


class Listing:
    """Lists of the values of goals; nothing is assumed about goals that are being asked about."""

    def __init__(self, pieces: Pieces) -> None:
        """Know nothing yet."""
        self._pieces = pieces
        self._memo: dict[tuple[Goal, int], Listed] = {}
        self._left = 0

    def of(self, goal: Goal, most: int) -> Listed:
        """Return at most so many different values that surely meet a goal, and whether no other one does."""
        found = self._memo.get((goal, most))
        if found is None:
            for depth in _DEPTHS:
                self._left = _GOALS
                found = self._of(goal, most, depth)
                if found[0] or found[1]:
                    break
            assert found is not None  # noqa: S101  (there are depths)
            self._memo[goal, most] = found
        return found

    def _of(self, goal: Goal, most: int, depth: int) -> Listed:
        seen: dict[object, Json] = {}
        whole = True
        self._left -= 1
        if self._left < 0:
            return [], False
        try:
            pieces = self._pieces.of(goal)
        except LimitExceeded as e:
            if e.limit == "deadline":
                raise
            return [], False
        for piece in pieces:
            if piece.refusals:
                whole = False
                continue
            values, all_of_it = self._piece(piece, most, depth)
            whole = whole and all_of_it
            for v in values:
                if len(seen) == most and identity(v) not in seen:
                    return list(seen.values()), False
                if all(self._pieces.membership.holds(v, o) for o in goal):
                    seen.setdefault(identity(v), v)
        return list(seen.values()), whole

    def _piece(self, piece: Piece, most: int, depth: int) -> Listed:
        if isinstance(piece, ValuesPiece):
            return piece.values, True
        try:
            if isinstance(piece, StringPiece):
                return _strings(language_of(piece.spec), most)
            if isinstance(piece, NumberPiece):
                return _numbers(piece.spec, most)
        except LimitExceeded:
            return [], False
        if depth == 0:
            return [], False
        if isinstance(piece, ArrayPiece):
            return self._arrays(piece, most, depth - 1)
        return self._objects(piece, most, depth - 1)

    def _arrays(self, piece: ArrayPiece, most: int, depth: int) -> Listed:
        longest = piece.low + (_FEW if piece.high is None else min(_FEW, piece.high - piece.low))
        if longest > _TRIES:
            return [], False
        whole, ends = True, longest == piece.high
        items: list[list[Json]] = []
        for i in range(longest):
            goal = piece.prefix[i] if i < len(piece.prefix) else piece.rest
            values, all_of_it = self._of(goal, most, depth)
            if not values and all_of_it:
                ends = True
                whole = whole or i < piece.low
                break
            whole = whole and all_of_it
            first = [v for c in piece.contains for v in self._of(goal_of((*goal, c.obligation)), most, depth)[0]]
            items.append(list({identity(v): v for v in (*first, *values)}.values()))
        lengths = range(piece.low, len(items) + 1)
        return _first((list(v) for n in lengths for v in product(*items[:n])), whole=whole and ends)

    def _objects(self, piece: ObjectPiece, most: int, depth: int) -> Listed:
        classes = self._pieces.keys.of(piece)  # may add members
        choices: list[list[tuple[str, Json] | None]] = []
        whole = True
        for name, goal, required in piece.members:
            values, all_of_it = self._of(goal, most, depth)
            whole = whole and all_of_it
            choices.append([(name, v) for v in values])
            if not required:
                choices[-1].insert(len(values) if piece.low else 0, None)
        for c in classes:
            values, all_of_it = self._of(c.goal, 1, depth)
            whole = whole and all_of_it and not values
            if values and piece.low:
                names = (CharDfa.any_string() if c.keys is None else c.keys).strings(piece.low + len(piece.members))
                known = [n for n, _, _ in piece.members]
                choices += [[(n, values[0]), None] for n in names if n not in known][: piece.low]
        return _first((dict(m for m in chosen if m is not None) for chosen in product(*choices)), whole=whole)


def _first(values: Iterator[Json], *, whole: bool) -> Listed:
    some = list(islice(values, _TRIES + 1))
    return some[:_TRIES], whole and len(some) <= _TRIES


@cache
def _plain() -> CharDfa:
    return CharDfa.from_regex("[A-Za-z0-9]*", dialect="ecma", search=False)


def _strings(language: CharDfa, most: int) -> Listed:
    if language.is_finite():
        found = list(language.strings(most + 1))
        return list[Json](found[:most]), len(found) <= most
    words = list((language & _plain()).strings(_FEW)) or list(language.strings(_FEW))
    return list[Json](words), False


def _numbers(spec: NumberSpec, most: int) -> Listed:
    """List the numbers of a set; those that are not of it must still be left out where it is not whole."""
    step = None if spec.multiple is None else exact(spec.multiple)
    if spec.whole:
        step = Fraction(1) if step is None else Fraction(step.numerator)
    low, high = (None if b is None else exact(b) for b in (spec.low, spec.high))
    if step is None:
        if low is not None and low == high:
            return [decimal(low)], True
        middle = [] if low is None or high is None else [(low + high) / 2, low + (high - low) / 4]
        ends = [
            e + d
            for e in (low, high, Fraction(0))
            if e is not None
            for d in (0, 1, -1, Fraction(1, 2), Fraction(-1, 2))
        ]
        return [decimal(n) for n in (*middle, *ends)], False
    first = None if low is None else ceil(low / step)
    last = None if high is None else floor(high / step)
    if first is not None and last is not None and last - first <= 4 * most:
        return [decimal(k * step) for k in range(first, last + 1)], True
    start = first if first is not None else last if last is not None else 0
    away = -1 if first is None and last is not None else 1
    return [decimal(k * step) for k in range(start, start + away * 4 * _FEW, away)], False
