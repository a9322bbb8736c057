"""A scanner's automaton read byte by byte: what a lexeme can still become, by which shortest texts, and where it ends in a given one."""

from __future__ import annotations

import heapq
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from ...grammar.parsing import IGNORED

if TYPE_CHECKING:
    from ...grammar.parsing import Parser

PREFERRED: Final = b"x0a1 _'\"()[]{}:,.=+-*/<>"
"""Bytes to spell with, where a range of the scanner leaves the choice."""

BYTE: Final = 10
"""The cost of a byte."""


class Spelled(NamedTuple):
    """A scanner's state that a gap can bring about: the cheapest text to it, what that costs, and the column of an open newline or -1."""

    cost: int
    local: int
    text: bytes
    column: int


class Reader:
    """The scanner's automaton, byte by byte."""

    def __init__(self, parser: Parser) -> None:
        scanner = parser.scanner
        layout = parser.indentation
        self.edges: list[list[tuple[int, int, int]]] = [[] for _ in range(scanner.n_locals)]
        for source, low, high, target in scanner.edges.tolist():
            self.edges[source].append((low, high, target))
        starts = scanner.exit_start.tolist()
        kinds, parts = scanner.exit_type.tolist(), scanner.exit_part.tolist()
        self.exits = [list(zip(kinds[i:j], parts[i:j], strict=True)) for i, j in pairwise(starts)]
        self.follow = scanner.follow.tolist()
        self.tab = layout.tab if layout is not None else 0
        self.newline = layout.newline if layout is not None else IGNORED - 1
        self.may_be_newline = scanner.reach[:, layout.newline].tolist() if layout is not None else None
        self._rows: list[list[int] | None] = [None] * scanner.n_locals
        self._spelled: dict[tuple[int, int], list[Spelled]] = {}

    def row(self, local: int) -> list[int]:
        """The state after each byte, -1 for none."""
        row = self._rows[local]
        if row is None:
            row = self._rows[local] = [-1] * 256
            for low, high, target in self.edges[local]:
                row[low : high + 1] = [target] * (high + 1 - low)
        return row

    def column(self, column: int, byte: int, target: int) -> int:
        """The column of an open newline after a byte; -1 where none is open."""
        if self.may_be_newline is None or not self.may_be_newline[target]:
            return -1
        if byte == ord("\n"):
            return 0
        if column >= 0:
            column += self.tab if byte == ord("\t") else byte == ord(" ")
        return column

    def spelled(self, local: int, column: int) -> list[Spelled]:
        """Every state of the lexeme that a state is in, itself first, with a shortest text to it."""
        key = (local, column)
        found = self._spelled.get(key)
        if found is None:
            found = []
            met: set[int] = set()
            heap = [Spelled(0, local, b"", column)]
            while heap:
                here = heapq.heappop(heap)
                if here.local in met:
                    continue
                met.add(here.local)
                found.append(here)
                for low, high, target in self.edges[here.local]:
                    if target not in met:
                        byte = spelling(low, high)
                        text = here.text + bytes([byte])
                        cost = here.cost + byte_cost(byte)
                        heapq.heappush(heap, Spelled(cost, target, text, self.column(here.column, byte, target)))
            self._spelled[key] = found
        return found

    def blanks(self, local: int, n: int) -> int:
        """The state after some blanks, -1 for none."""
        while n > 0 and local >= 0:
            local = self.row(local)[ord(" ")]
            n -= 1
        return local


def spelling(low: int, high: int) -> int:
    """A byte of a range, a readable one if there is one."""
    for byte in PREFERRED:
        if low <= byte <= high:
            return byte
    return max(low, ord("!")) if low <= ord("~") and high >= ord("!") else low


def byte_cost(byte: int) -> int:
    """What a byte costs: ``BYTE`` and a little; more for digits, which may touch a letter in many a grammar, and for what is not printed."""
    if byte == ord("\n"):
        return BYTE
    if not ord(" ") <= byte <= ord("~"):
        return 20 * BYTE
    if ord("0") <= byte <= ord("9"):
        return 3 * BYTE
    place = PREFERRED.find(bytes([byte]))
    return BYTE + min(place, 3) if place >= 0 else BYTE + 4
