"""How deeply values nest: the least and the greatest height of what meets a goal.

The *height* of a value is the number of containers that are open at once while it is written: 0 for a scalar, 1 for
``[]`` and ``[1]``, 2 for ``[[]]``.  Under a limit a value may be begun only where its least height still fits, so the
question "is there a value?" gets a second argument.  With it the universe of values is just a smaller one, in which every
other analysis (bounds, counts, what a negation leaves) holds as it stands; so they take the question as a function.
Heights fall with every step inwards, so that recursion ends by itself and nothing has to be assumed on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from .arrays import ArrayPiece
from .dialect import Json
from .goals import FALSE_GOAL, Goal
from .piece import ObjectPiece, Piece, ValuesPiece
from .pieces import Pieces

ENDLESS: Final = 1 << 60
"""The greatest height of what nests without a limit; larger than any limit."""


def height_of(value: Json) -> int:
    """Return how many containers of a value are open at once."""
    height, layer = 0, [value]
    while True:
        inside = [v for c in layer if isinstance(c, (list, dict)) for v in (c if isinstance(c, list) else c.values())]
        if not any(isinstance(c, (list, dict)) for c in layer):
            return height
        height, layer = height + 1, inside


@dataclass(slots=True)
class Within:
    """The judge of members that may nest no deeper than so many levels, see ``demands.Judge``."""

    pieces: Pieces
    inhabited: Callable[[Goal], bool]
    broken_rules: int

    def contradicts_itself(self, goal: Goal) -> bool:
        """Tell whether a goal is empty for sure, by a cheap test."""
        return self.pieces.contradicts_itself(goal)

    def possible(self, goal: Goal) -> bool:
        """Tell whether a goal may have a value at any depth, those counted that a narrowed format leaves out."""
        return self.pieces.possible(goal)


class Heights:
    """The heights of the goals of one compilation.

    Attributes:
        recursive: the first goal whose values were found to nest without a limit, if there is one.

    """

    def __init__(self, pieces: Pieces, tick: Callable[[], None]) -> None:
        """Take the pieces and the check of the deadline."""
        self.recursive: Goal | None = None
        self._pieces = pieces
        self._tick = tick
        self._greatest: dict[Goal, int] = {FALSE_GOAL: 0}
        self._above: set[Goal] = set()
        self._least: dict[Goal, int] = {}
        self._tried: dict[Goal, int] = {}

    # -- the least ----------------------------------------------------------------------------

    def fits(self, goal: Goal, height: int) -> bool:
        """Tell whether some value of a goal is no higher than ``height``."""
        least = self._least.get(goal)
        if least is None:
            if not self._pieces.inhabited(goal):
                return False
            # One level after the other, so that no question goes deeper than the least height: a branch that recurs may
            # be written before the one that ends.
            for h in range(self._tried.get(goal, -1) + 1, height + 1):
                self._tick()
                if any(self.piece_fits(p, h) for p in self._pieces.of(goal)):
                    least = self._least[goal] = h
                    break
                self._tried[goal] = h
        return least is not None and least <= height

    def piece_fits(self, piece: Piece, height: int) -> bool:
        """Tell whether some value of a piece is no higher than ``height``."""
        if isinstance(piece, ValuesPiece):
            return any(height_of(v) <= height for v in piece.values)
        if not isinstance(piece, ArrayPiece | ObjectPiece):
            return True
        return height > 0 and self._pieces.piece_is_inhabited(piece, self.judge(height - 1))

    def judge(self, height: int) -> Within:
        """Return who tells which goals have a value that is no higher than ``height``."""
        return Within(self._pieces, lambda goal: self.fits(goal, height), self._pieces.broken_rules)

    # -- the greatest -------------------------------------------------------------------------

    def greatest(self, goal: Goal) -> int:
        """Return a height that no value of a goal exceeds; ``ENDLESS`` where there is none."""
        known = self._greatest.get(goal)
        if known is not None:
            return known
        if goal in self._above:
            if self.recursive is None:
                self.recursive = goal
            return ENDLESS
        self._tick()
        self._above.add(goal)
        height = 0
        if self._pieces.inhabited(goal):
            for piece in self._pieces.of(goal):
                if isinstance(piece, ValuesPiece):
                    height = max(height, *map(height_of, piece.values))
                elif isinstance(piece, ArrayPiece | ObjectPiece) and self._pieces.piece_is_inhabited(piece):
                    for inner in self._inside(piece):
                        height = max(height, self.greatest(inner) + 1)
                    height = max(height, 1)
        self._above.remove(goal)
        self._greatest[goal] = height = min(height, ENDLESS)
        return height

    def _inside(self, piece: ArrayPiece | ObjectPiece) -> Iterator[Goal]:
        """Yield the goals of what may stand in a container; what must meet more than they say is no higher."""
        if isinstance(piece, ArrayPiece):
            most = len(piece.prefix) + 1 if piece.high is None else piece.high
            yield from piece.prefix[:most]
            if most > len(piece.prefix):
                yield piece.rest
        else:
            classes = self._pieces.keys.of(piece)  # may add members
            yield from (goal for _, goal, _ in piece.members)
            yield from (c.goal for c in classes)
