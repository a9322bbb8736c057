"""Free text: all of UTF-8 but for the texts that contain some stop strings, as a deterministic automaton over bytes.

A state is what of the stops may have begun (the longest end of the text that begins one: Aho and Corasick, "Efficient string matching", 1975)
together with what is left of a character begun.  So a stop is found where it ends, however it overlaps itself or other beginnings, and a text
is complete between two characters only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .errors import InvalidSource

_CONTINUATION = (0x80, 0xBF)
_UTF8: tuple[tuple[tuple[int, int, int], ...], ...] = (
    (
        (0x00, 0x7F, 0),
        (0xC2, 0xDF, 1),
        (0xE0, 0xE0, 4),
        (0xE1, 0xEC, 2),
        (0xED, 0xED, 5),
        (0xEE, 0xEF, 2),
        (0xF0, 0xF0, 6),
        (0xF1, 0xF3, 3),
        (0xF4, 0xF4, 7),
    ),
    ((*_CONTINUATION, 0),),
    ((*_CONTINUATION, 1),),
    ((*_CONTINUATION, 2),),
    ((0xA0, 0xBF, 1),),
    ((0x80, 0x9F, 1),),
    ((0x90, 0xBF, 2),),
    ((0x80, 0x8F, 2),),
)
"""Of each state between the bytes of a character, which bytes may come and where they lead (Unicode 16, table 3-7); state 0 is between two."""


@dataclass(frozen=True, slots=True)
class FreeText:
    """The automaton of free text.

    Attributes:
        n: number of states; state 0 is the start.
        edges: (source, lowest byte, highest byte, target); a target of ``-1 - k`` says that stop k ends here.
        boundary: the states between two characters, in which the text may end.

    """

    n: int
    edges: tuple[tuple[int, int, int, int], ...]
    boundary: frozenset[int]


class _Stops:
    """The automaton of Aho and Corasick."""

    def __init__(self, stops: Sequence[bytes]) -> None:
        self.children: list[dict[int, int]] = [{}]
        self.ends: dict[int, int] = {}
        for k, stop in enumerate(stops):
            node = 0
            for byte in stop:
                if byte not in self.children[node]:
                    self.children[node][byte] = len(self.children)
                    self.children.append({})
                node = self.children[node][byte]
            self.ends[node] = k
        self.moves: list[dict[int, int]] = [dict(self.children[0])]
        self.moves += [{} for _ in self.children[1:]]
        back = [0] * len(self.children)
        order = list(self.children[0].values())
        for node in order:
            self.moves[node] = {**self.moves[back[node]], **self.children[node]}
            for byte, child in self.children[node].items():
                back[child] = self.moves[back[node]].get(byte, 0)
                order.append(child)


def free_text(stops: Sequence[bytes]) -> FreeText:
    """Free text up to the first of some stops.

    Args:
        stops: different, complete UTF-8, none of which is part of another; see ``check_stops``.

    """
    found = _Stops(stops)
    number = {(0, 0): 0}
    order = [(0, 0)]
    edges: list[tuple[int, int, int, int]] = []
    for node, inside in order:
        source = number[node, inside]
        moves = found.moves[node]
        for low, high, following in _UTF8[inside]:
            special = sorted(byte for byte in moves if low <= byte <= high)
            ranges = [(byte, byte, moves[byte]) for byte in special]
            borders = [low - 1, *special, high + 1]
            ranges += [(a + 1, b - 1, 0) for a, b in pairwise(borders) if a + 1 <= b - 1]
            for first, last, after in sorted(ranges):
                if after in found.ends:
                    edges.append((source, first, last, -1 - found.ends[after]))
                    continue
                state = (after, following)
                if state not in number:
                    number[state] = len(order)
                    order.append(state)
                edges.append((source, first, last, number[state]))
    boundary = frozenset(number[node, inside] for node, inside in order if inside == 0)
    return FreeText(len(order), tuple(edges), boundary)


def check_stops(stops: Sequence[str], where: str) -> None:
    """Refuse stops of which one would hide another.

    Raises:
        InvalidSource: a stop is empty, no UTF-8, or part of another one.

    """
    for stop in stops:
        if not isinstance(stop, str) or not stop:
            raise InvalidSource(f"{where} must be strings, and not empty: {stop!r}", where=where)
        try:
            stop.encode()
        except UnicodeEncodeError as error:
            raise InvalidSource(f"{stop!r} has half of a surrogate pair", where=where) from error
    for stop in stops:
        for other in stops:
            if stop != other and stop in other:
                raise InvalidSource(
                    f"{stop!r} is part of {other!r}, which can therefore never be read",
                    where=where,
                    hint="give the shorter one alone, or strings of which none is part of another",
                )
