"""Least costs in packed automata, for all of their states at once.

A dictionary has too many states to look at one by one, and they need no more than this: nothing is called, counted or remembered, so the
least number of tokens from a state is one more than the least of those that a token leads to.  Each table is filled by one kernel, when a
cost of the automaton is first asked for.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ...grammar.errors import LimitExceeded
from .. import layout as lay
from ..heap import state_offset
from ..packed import place_of
from ..packed_costs import MOST_COST, UNKNOWN, children_of, clear_beyond, least_bytes, least_tokens

if TYPE_CHECKING:
    from ..store import Store

Costs = npt.NDArray[np.uint16]

TOO_FAR: Final = "tokens or bytes to the end of a packed automaton"


class PackedBounds:
    """Least numbers of bytes and of tokens in the packed automata of one store."""

    def __init__(self, store: Store) -> None:
        """Know nothing yet."""
        self._a = store.arena.a
        self._packed = store.packed
        self._children: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]] | None = None
        self._tokens: dict[int, Costs] = {}
        self._bytes: dict[tuple[int, bytes], Costs] = {}

    def is_packed(self, q: int) -> bool:
        """Whether a local state is one of a packed automaton."""
        return int(self._a[lay.LS + q * lay.LS_WIDTH + lay.L_PACKED]) > 0

    def tokens(self, q: int) -> int | None:
        """The least number of tokens from a local state of a packed automaton to the automaton's end; None if there is no end."""
        first, costs = self._token_costs(q)
        cost = int(costs[self._place(q) - first])
        return None if cost == UNKNOWN else cost

    def bytes(self, q: int, single: npt.NDArray[np.bool_]) -> int | None:
        """The same in bytes, ``single`` of which may be read."""
        at = self._place(q)
        first, n = self._region(at)
        key = (first, single.tobytes())
        if key not in self._bytes:
            costs = self._bytes[key] = np.full(n, UNKNOWN, np.uint16)
            self._check(least_bytes(self._a, first, costs, single))
        cost = int(self._bytes[key][at - first])
        return None if cost == UNKNOWN else cost

    def limit(self, q: int, row: npt.NDArray[np.uint32], most: int) -> None:
        """Clear from a row every token after which more than ``most`` tokens are needed, from a state with nothing below it."""
        first, costs = self._token_costs(q)
        begin, children = self._trie()
        clear_beyond(self._a, self._place(q), first, costs, min(most, MOST_COST), begin, children, row)

    def alone(self, state: int) -> int | None:
        """The local state of a state that is one of a packed automaton and nothing else, else None."""
        at = int(state_offset(self._a, state)) if state else -1
        if at < 0:
            return None
        p = lay.HP + at
        words = (int(self._a[p]) & 0xFFFFFFFF) - lay.STATE_ENTRIES
        q, _, _, register, frame = self._a[p + lay.STATE_ENTRIES : p + lay.STATE_ENTRIES + lay.ENTRY].tolist()
        if words == lay.ENTRY and frame == lay.FRAME_EMPTY and not register and self.is_packed(q):
            return int(q)
        return None

    def _token_costs(self, q: int) -> tuple[int, Costs]:
        first, n = self._region(self._place(q))
        if first not in self._tokens:
            costs = self._tokens[first] = np.full(n, UNKNOWN, np.uint16)
            begin, children = self._trie()
            self._check(least_tokens(self._a, first, costs, begin, children))
        return first, self._tokens[first]

    def _place(self, q: int) -> int:
        return int(place_of(self._a, q))

    def _region(self, at: int) -> tuple[int, int]:
        """The first word of the automaton that has a word, and how many it has."""
        i = bisect_right(self._packed, (at, 1 << 62)) - 1
        first = self._packed[i][0]
        end = self._packed[i + 1][0] if i + 1 < len(self._packed) else int(self._a[lay.H_DG])
        return first, end - first

    def _trie(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        if self._children is None:
            self._children = children_of(self._a)
        return self._children

    @staticmethod
    def _check(code: int) -> None:
        if code < 0:
            raise LimitExceeded(
                f"some state needs more than {MOST_COST} tokens or bytes to the end",
                limit=TOO_FAR,
                value=MOST_COST,
                hint="make the longest choices shorter",
            )
