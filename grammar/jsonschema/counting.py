"""How many values a goal has, at least: what tells whether items that must differ can run out."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from ..errors import LimitExceeded
from .arrays import ArrayPiece
from .goals import Goal, goal_of
from .piece import NumberPiece, ObjectPiece, Piece, StringPiece, ValuesPiece
from .scalars import NumberSpec, exact, language_of, number_leaves_out
from .values import identity

if TYPE_CHECKING:
    from .pieces import Pieces


class Counting:
    """Counts of the values of goals, from below and no further than asked for."""

    def __init__(self, pieces: Pieces) -> None:
        """Know nothing yet."""
        self._pieces = pieces
        self._asking: set[Goal] = set()

    def at_least(self, goal: Goal, most: int) -> int:
        """Return a number of values that the goal surely has, ``most`` where it has as many or more.

        Exact for scalars of one kind.  A goal that is asked for while it is being counted counts as one without values, which
        makes the result of a recursive goal lower and never higher.
        """
        if goal in self._asking or not self._pieces.inhabited(goal):
            return 0
        self._asking.add(goal)
        try:
            found = [self._of_piece(p, most) for p in self._pieces.of(goal) if self._pieces.piece_is_inhabited(p)]
        finally:
            self._asking.discard(goal)
        return max(found, default=0)

    def never_runs_out(self, piece: ArrayPiece) -> bool:
        """Tell whether an item that must still come can always be another one than those before it, by a quick test.

        Items that need not come do not matter: the array ends where none is left.
        """
        at_least = self.at_least
        for i in range(1, min(piece.low, len(piece.prefix))):
            if at_least(piece.prefix[i], i + 1) <= i:
                return False
        if piece.low > max(len(piece.prefix), 1) and at_least(piece.rest, piece.low) < piece.low:
            return False
        return not piece.contains or (
            len(piece.contains) == 1
            and not piece.prefix
            and all(
                c.least <= 1 or at_least(goal_of((*piece.rest, c.obligation)), c.least) >= c.least
                for c in piece.contains
            )
        )

    def _of_piece(self, piece: Piece, most: int) -> int:
        if piece.refusals:
            return 1
        if isinstance(piece, ValuesPiece):
            return min(most, len({identity(v) for v in piece.values}))
        if isinstance(piece, StringPiece):
            try:
                language = language_of(piece.spec)
            except LimitExceeded:
                return 1
            return most if not language.is_finite() else sum(1 for _ in language.strings(most))
        if isinstance(piece, NumberPiece):
            return min(most, _numbers(piece.spec, most))
        if isinstance(piece, ArrayPiece):
            return min(most, self._arrays(piece, most))
        return min(most, self._objects(piece, most))

    def _arrays(self, piece: ArrayPiece, most: int) -> int:
        if piece.contains or piece.equal:
            return 1
        longest = piece.high if piece.high is not None else piece.low + most
        total, ways = 0, 1
        for length in range(min(longest, piece.low + most) + 1):
            if length:
                goal = piece.prefix[length - 1] if length <= len(piece.prefix) else piece.rest
                ways *= max(0, self.at_least(goal, most + length) - (length - 1 if piece.unique else 0))
                ways = min(ways, most)
            if length >= piece.low:
                total += ways
            if total >= most or not ways:
                break
        return max(total, 1)

    def _objects(self, piece: ObjectPiece, most: int) -> int:
        needed = sum(1 for m in piece.members if m[2])
        if piece.broken or piece.low > needed:
            return 1
        room = None if piece.high is None else piece.high - needed
        ways = 1
        for _, goal, required in piece.members:
            values = self.at_least(goal, most)
            if required:
                ways *= values
            elif room is None or room > 0:
                ways *= 1 + values
                room = None if room is None else room - 1
            ways = min(ways, most)
        if room is None or room > 0:
            for c in self._pieces.keys.of(piece):
                if self._pieces.inhabited(c.goal) and (c.keys is None or not c.keys.is_finite()):
                    return most
        return max(ways, 1)


def _numbers(spec: NumberSpec, most: int) -> int:
    """Count the numbers of a set, no further than ``most``."""
    if number_leaves_out(spec):
        return 1
    step = None if spec.multiple is None else exact(spec.multiple)
    if spec.whole:
        step = Fraction(1) if step is None else step * step.denominator
    if step is None:
        same = spec.low is not None and spec.high is not None and exact(spec.low) == exact(spec.high)
        return 1 if same else most
    if spec.low is None or spec.high is None:
        return most if not spec.avoid else 1
    first, last = exact(spec.low) / step, exact(spec.high) / step
    low = floor(first) + 1 if spec.low_open else ceil(first)
    high = ceil(last) - 1 if spec.high_open else floor(last)
    count = 0
    for k in range(low, min(high, low + 4 * most) + 1):
        count += all((k * step) % exact(a) for a in spec.avoid)
        if count >= most:
            break
    return count
