"""The ways out of a key that is read letter by letter: how short, and how long, a key that leaves by each may be."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ...grammar.ir import OP_KEY_CLOSE, OP_KEY_DROP, OPERATION
from .. import layout as lay

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

UNREACHABLE: Final = 1 << 60
"""The bound of a state from which nothing can be completed."""


Way = tuple[int, int, int]
"""A way out of a key at some state: the operation, the state behind, and the symbol of a call or -1."""


@dataclass(slots=True)
class Exit:
    """A way out of a key: the bytes before it, the fewest and the most, and where it leads.

    ``symbol`` is that of the call where the rest of the key is read by another rule, else -1.  ``drawn`` is the fewest bytes on a way
    through a state that one byte leads back to: there are texts of that length and of each greater one.
    """

    shortest: int
    longest: int
    drawn: int
    op: int
    target: int
    symbol: int


class Keys:
    """The ways out of keys, each key known by the state in which its first letter is read."""

    def __init__(self, a: npt.NDArray[np.int64], up_to: list[int]) -> None:
        """Take the tables; ``up_to`` says how many bytes below each are tokens by themselves."""
        self._a = a
        self._up_to = up_to
        self._exits: dict[int, tuple[list[Exit], int]] = {}
        self._known: dict[int, tuple[tuple[int, ...], tuple[Way, ...]]] = {}

    def exits(self, opened: int) -> tuple[list[Exit], int]:
        """The ways out of a key from its start, and the number of states inside."""
        known = self._exits.get(opened)
        if known is not None:
            return known
        inside: dict[int, tuple[int, ...]] = {}
        leaving: dict[tuple[Way, ...], list[int]] = {}  # states by their ways out: most have the same
        shortest = {opened: 0}
        for q in (todo := [opened]):
            inside[q], ways = self._read(q)
            if ways:
                leaving.setdefault(ways, []).append(q)
            for target in inside[q]:
                if target not in shortest:
                    shortest[target] = shortest[q] + 1
                    todo.append(target)
        longest = _longest(inside, opened)
        drawn = _drawn(inside, shortest)
        exits: dict[tuple[Way, bool], Exit] = {}
        for ways, states in leaving.items():
            for endless in (False, True):
                alike = [q for q in states if (longest[q] >= UNREACHABLE) == endless]
                if not alike:
                    continue
                least = 1 + min(shortest[q] for q in alike)
                most = UNREACHABLE if endless else 1 + max(longest[q] for q in alike)
                letters = min(UNREACHABLE, 1 + min(drawn.get(q, UNREACHABLE) for q in alike))
                for way in ways:
                    like = exits.setdefault((way, endless), Exit(least, most, letters, *way))
                    like.shortest = min(like.shortest, least)
                    like.longest = max(like.longest, most)
                    like.drawn = min(like.drawn, letters)
        result = self._exits[opened] = (list(exits.values()), len(inside))
        return result

    def _read(self, q: int) -> tuple[tuple[int, ...], tuple[Way, ...]]:
        """The states behind the letters that a state reads, and its ways out of the key."""
        known = self._known.get(q)
        if known is None:
            a = self._a
            p = lay.LS + q * lay.LS_WIDTH
            first = lay.RG + int(a[p + lay.L_RANGES])
            words = a[first : first + 2 * int(a[p + lay.L_N_RANGES])].tolist()
            targets: dict[int, None] = {}
            ways: dict[Way, None] = {}
            for word0, word1 in zip(words[::2], words[1::2], strict=True):
                if self._up_to[word0 & 255] == self._up_to[((word0 >> 8) & 255) + 1]:
                    continue
                target, symbol = word1 & 0xFFFFFFFF, ((word1 >> 32) & 0x3FFFFFFF) - 1
                op = (word0 >> 16) & OPERATION
                if symbol >= 0 or op in (OP_KEY_CLOSE, OP_KEY_DROP):
                    ways[op, target, symbol] = None
                else:
                    targets[target] = None
            known = self._known[q] = tuple(targets), tuple(ways)
        return known


def _drawn(edges: dict[int, tuple[int, ...]], shortest: dict[int, int]) -> dict[int, int]:
    """The fewest edges from the start, ``shortest`` to each node, to the nodes behind one that has an edge to itself."""
    drawn: dict[int, int] = {}
    heap = [(shortest[q], q) for q, targets in edges.items() if q in targets]
    heapq.heapify(heap)
    while heap:
        length, q = heapq.heappop(heap)
        if q in drawn:
            continue
        drawn[q] = length
        for target in edges[q]:
            if target not in drawn:
                heapq.heappush(heap, (length + 1, target))
    return drawn


def _longest(edges: dict[int, tuple[int, ...]], start: int) -> dict[int, int]:
    """The most edges on a way from the start to each node; ``UNREACHABLE`` where a cycle lies on one."""
    order: list[int] = []
    status: dict[int, int] = {start: 1}
    cyclic: set[int] = set()
    stack = [(start, iter(edges[start]))]
    while stack:
        q, rest = stack[-1]
        for target in rest:
            if status.get(target, 0) == 1:
                cyclic.add(target)
            elif target not in status:
                status[target] = 1
                stack.append((target, iter(edges[target])))
                break
        else:
            status[q] = 2
            order.append(q)
            stack.pop()
    longest = dict.fromkeys(order, 0)
    for q in reversed(order):
        if q in cyclic:
            longest[q] = UNREACHABLE
        for target in edges[q]:
            longest[target] = max(longest[target], min(UNREACHABLE, longest[q] + 1))
    return longest
