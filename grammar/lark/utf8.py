"""From characters to bytes: a trie of UTF-8 over classes of characters, re-labelled for every row of targets.

The trie is made once: its leaves are classes.  A local state sends classes to local states; its own trie is the common one with
the leaves exchanged, equal nodes shared among all local states, and nodes below which nothing lives left out.  Surrogates,
overlong forms and what lies beyond the last code point are in no leaf.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

import numpy as np
import numpy.typing as npt

from .characters import Classes
from .controls import DEAD

_Int = npt.NDArray[np.int64]
Node = tuple[tuple[int, int, int], ...]
"""Edges (lowest byte, highest byte, child); in the common trie a child is a node, or -1 - class."""

_ASCII: Final = 0x80
_LENGTHS: Final = (
    (1, 0xC0, ((0x80, 0x7FF),)),
    (2, 0xE0, ((0x800, 0xD7FF), (0xE000, 0xFFFF))),
    (3, 0xF0, ((0x10000, 0x10FFFF),)),
)
"""Continuation bytes, the lead byte of code point 0, and the code points that are written so (Unicode Standard, table 3-7)."""


class Trie:
    """The encodings of two to four bytes of all characters, by class.

    Attributes:
        nodes: children before parents.
        root: the edges by lead bytes.
        classes: the classes of characters that are not ASCII.

    """

    def __init__(self, classes: Classes) -> None:
        """Build it from the pieces of the partition."""
        self.nodes: list[Node] = []
        self._ids: dict[Node, int] = {}
        self._low, self._of_piece = classes.low.tolist(), classes.of_piece.tolist()
        root: list[tuple[int, int, int]] = []
        for continuations, lead, spans in _LENGTHS:
            for low, high in spans:
                root += self._edges(low, high, continuations, 0, lead)
        self.root: Node = _joined(root)
        self.classes: Final = sorted({-1 - x for node in (*self.nodes, self.root) for _, _, x in node if x < 0})

    def _edges(self, low: int, high: int, below: int, base: int, first: int) -> list[tuple[int, int, int]]:
        """Edges for the code points ``low..high``; ``base`` is the one that byte ``first`` and zeros after it spell."""
        size = 1 << 6 * below
        found = []
        code = low
        while code <= high:
            digit = (code - base) // size
            start = base + digit * size
            end = min(high, start + size - 1)
            piece = bisect_right(self._low, code) - 1
            reach = self._low[piece + 1] - 1 if piece + 1 < len(self._low) else high
            if code == start and end == start + size - 1 and reach >= end:
                last = (min(reach, high) + 1 - base) // size - 1  # whole blocks of one class are equal nodes
                found.append((first + digit, first + last, self._full(self._of_piece[piece], below)))
                code = base + (last + 1) * size
            else:
                node = self._edges(code, end, below - 1, start, 0x80)
                found.append((first + digit, first + digit, self._intern(node)))
                code = end + 1
        return found

    def _full(self, number: int, below: int) -> int:
        """The node all of whose leaves are one class."""
        return -1 - number if below == 0 else self._intern([(0x80, 0xBF, self._full(number, below - 1))])

    def _intern(self, edges: list[tuple[int, int, int]]) -> int:
        node = _joined(edges)
        number = self._ids.setdefault(node, len(self.nodes))
        if number == len(self.nodes):
            self.nodes.append(node)
        return number


def _joined(edges: list[tuple[int, int, int]]) -> Node:
    """Neighbouring bytes with one child as one edge."""
    found: list[tuple[int, int, int]] = []
    for low, high, child in edges:
        if found and found[-1][2] == child and found[-1][1] + 1 == low:
            found[-1] = (found[-1][0], high, child)
        else:
            found.append((low, high, child))
    return tuple(found)


def in_bytes(row: _Int, classes: Classes) -> tuple[int, _Int]:
    """Spell an automaton over classes of characters in UTF-8.

    Args:
        row: int64[n, n_classes], the next state, ``DEAD`` for none.
        classes: the characters of each class.

    Returns:
        The number of states, those inside characters coming after the n; and int64[m, 4]: source, lowest byte, highest
        byte, target, sorted; deterministic.

    """
    trie = Trie(classes)
    n = len(row)
    ids: dict[Node, int] = {}

    def relabel(targets: _Int) -> Node:
        """The common trie with the leaves exchanged: its root; the nodes are interned."""
        child = [DEAD] * len(trie.nodes)

        def edges(node: Node) -> Node:
            to = ((low, high, int(targets[-1 - x]) if x < 0 else child[x]) for low, high, x in node)
            return _joined([edge for edge in to if edge[2] != DEAD])

        for k, node in enumerate(trie.nodes):
            own = edges(node)
            if own:
                child[k] = n + ids.setdefault(own, len(ids))
        return edges(trie.root)

    roots: dict[bytes, Node] = {}
    found: list[tuple[int, int, int, int]] = []
    for state, targets in enumerate(row):
        key = targets[trie.classes].tobytes()
        if key not in roots:
            roots[key] = relabel(targets)
        found += [(state, *edge) for edge in roots[key]]
    found += [(n + k, *edge) for node, k in ids.items() for edge in node]
    wide = np.array(found, np.int64).reshape(-1, 4)
    edges = np.concatenate([_plain(row, classes), wide])
    return n + len(ids), edges[np.lexsort((edges[:, 1], edges[:, 0]))]


def _plain(row: _Int, classes: Classes) -> _Int:
    """The edges by ASCII characters, which are their own bytes."""
    codes = np.arange(_ASCII)
    targets = row[:, classes.of_piece[np.searchsorted(classes.low, codes, side="right") - 1]]
    opens = np.ones(targets.shape, np.bool_)
    opens[:, 1:] = targets[:, 1:] != targets[:, :-1]
    state, low = np.nonzero(opens)
    high = np.append(low[1:] - 1, _ASCII - 1)
    high[high < low] = _ASCII - 1  # the last range of a state
    edges = np.column_stack([state, low, high, targets[state, low]])
    return np.asarray(edges[edges[:, 3] != DEAD], np.int64)
