"""The values of arrays that matter one by one: those that two equal items may have, and those that required items could run out of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Final

from ..errors import LimitExceeded
from .arrays import ArrayPiece, ArrayProduct
from .counting import Counting
from .dialect import Json
from .facts import ARRAY, Obligation, Refusal
from .goals import goal_of
from .listing import Listing
from .values import identity

if TYPE_CHECKING:
    from .pieces import Pieces

_EQUAL_VALUES: Final = 64
"""Of more values than these that two items could have, these are written; so many edges are still cheap."""

_EQUAL_PAIRS: Final = 32
"""So many pairs of places are tried for equal items; only long prefixes have more."""

_FEW_PAIRS: Final = 4
"""Of so many of them also the values that must be contained are tried, before all others."""

_TOLD_APART: Final = 16
"""More values than these are not told apart: there is a state for nearly every set of them."""


class SingledOut:
    """The values that matter one by one in the arrays of one compilation.

    Attributes:
        partial: whether arrays with two equal items were left out so far.

    """

    def __init__(
        self, pieces: Pieces, counted_items: int, unique_items: int, tick: Callable[[], None], *, wide: bool
    ) -> None:
        """Take the owner, limits, and a deadline check; ``wide`` ones leave nothing out, see ``Pieces``."""
        self._pieces = pieces
        self._counted_items = counted_items
        self._unique_items = unique_items
        self._tick = tick
        self._wide = wide
        self._counting = Counting(pieces)
        self._listing = Listing(pieces)
        self.partial = False

    def of(self, piece: ArrayPiece) -> ArrayPiece:
        """Return a piece with the values that matter one by one, see ``ArrayPiece``.

        Those that two equal items may have are all, if they are few, else some.  Those that required items could run out
        of are looked for again as long as a question about emptiness is open: its answer may add to them.
        """
        if piece.constants is not None:
            return piece
        if piece.unique:
            constants, whole = ((), True) if self._counting.never_runs_out(piece) else self._told_apart(piece)
            if self._pieces.asks:
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
            ArrayProduct(piece, self._pieces.inhabited, self._pieces.possible, self._counted_items, self._tick)
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
                return tuple(map(self._pieces.algebra.constant, values.values())), False
            found, all_of_them = self._listing.of(goal, room)
            values.update((identity(v), v) for v in found if identity(v) not in values)
            whole = whole and all_of_them
        return tuple(map(self._pieces.algebra.constant, values.values())), whole

    def _told_apart(self, piece: ArrayPiece) -> tuple[tuple[Obligation, ...], bool]:
        """Return values so that nothing runs out where they are told apart; none and ``False`` where that is not known."""
        values: dict[object, Json] = {}
        while True:
            constants = tuple(map(self._pieces.algebra.constant, values.values()))
            known = replace(piece, constants=constants)
            try:
                product = ArrayProduct(
                    known,
                    self._pieces.inhabited,
                    self._pieces.possible,
                    self._unique_items,
                    self._tick,
                    told_apart=True,
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
