"""Which local states are reached from one, and whether they are few: what exact costs in tokens are computed for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...grammar.ir import OP_KEY_CLOSE, OP_KEY_DROP, OP_KEY_OPEN, OP_TEXT_OPEN, OPERATION
from .. import layout as lay

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from .packed import PackedBounds
    from .parser import ParserBounds

MOST_STATES: Final = 1024
"""Local states reached; with more, the effects of all of them would take too long to build."""


class Reach:
    """The graph of local states: bytes, calls and returns."""

    def __init__(self, a: npt.NDArray[np.int64], packed: PackedBounds, parsed: ParserBounds) -> None:
        """Know nothing yet."""
        self._a = a
        self._packed = packed
        self._parsed = parsed
        self._edges: dict[int, tuple[list[int], bool]] = {}
        self._small: dict[int, bool] = {}

    def is_small(self, q: int) -> bool:
        """Whether a local state reaches few others: what the exact costs are computed for."""
        small = self._small.get(q)
        if small is None:
            reached = self.states(q)
            small = len(reached) <= MOST_STATES and all(self._small.get(other, True) for other in reached)
            self._small.update(dict.fromkeys(reached, True) if small else {q: False})
        return small

    def states(self, q: int) -> list[int]:
        """The local states that are reached from one, itself first; more than ``MOST_STATES`` if there are more."""
        reached = [q]
        seen = {q}
        for here in reached:
            if len(reached) > MOST_STATES or self._small.get(here) is False:
                break
            more = [other for other in self.edges(here)[0] if other not in seen]
            seen.update(more)
            reached += more
        return reached

    def edges(self, q: int) -> tuple[list[int], bool]:
        """The local states after a byte, a call or a return, none in packed automata; whether an extra key is read here."""
        edges = self._edges.get(q)
        if edges is None and self._packed.is_packed(q):
            edges = self._edges[q] = ([], False)
        if edges is None and self._parsed.begins(q):  # what a parser costs is counted in bytes
            edges = self._edges[q] = ([], False)
            self._small[q] = False
        if edges is None:
            a = self._a
            p = lay.LS + q * lay.LS_WIDTH
            first = lay.RG + int(a[p + lay.L_RANGES])
            words = a[first : first + 2 * int(a[p + lay.L_N_RANGES])].tolist()
            following: dict[int, None] = {}
            keys = False
            for word0, word1 in zip(words[::2], words[1::2], strict=True):
                symbol = ((word1 >> 32) & 0x3FFFFFFF) - 1
                op = (word0 >> 16) & 255
                keys |= symbol >= 0 or op > OPERATION or op in (OP_KEY_OPEN, OP_KEY_CLOSE, OP_KEY_DROP, OP_TEXT_OPEN)
                following[word1 & 0xFFFFFFFF] = None
                if symbol >= 0:
                    following[symbol >> 1] = None
            first = lay.CL + int(a[p + lay.L_CALLS])
            for callee in a[first : first + 2 * int(a[p + lay.L_N_CALLS]) : 2].tolist():
                following[callee & 0xFFFFFFFF] = None
                if callee >> 32:
                    following[((callee >> 32) - 1) >> 1] = None
            edges = self._edges[q] = (list(following), keys)
        return edges
