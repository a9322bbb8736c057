"""Numbers in scientific notation between exact bounds, as edges of byte automata.

A text is a digit that is not 0, a fraction or none, and an exponent other than 0, as ``json.dumps`` and ``JSON.stringify`` write
numbers that are very small or very large.  Of two such numbers the exponents decide which is greater, and the digits where
exponents are equal.  So the digits are compared with those of both bounds while they are read, and where they end, the
comparisons say from where to where the exponent may go: an automaton that depends on two integers only.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

LEAST_EXPONENT: Final = -324
MOST_EXPONENT: Final = 308
"""The exponents of doubles: of numbers beyond, a reader that has nothing wider makes 0 or infinity."""

Edge = tuple[int, int, int, int]  # source, lowest byte, highest byte, target

_LESS, _GREATER = -1, -2  # of digits that were compared; from 0 on, how many are equal so far
_START, _DIGIT, _POINT, _FRACTION = range(4)


class Leading(NamedTuple):
    """A bound above 0: its digits without zeros at either end, its decimal exponent, and whether it belongs to the range."""

    digits: str
    exponent: int
    inclusive: bool


class _Read(NamedTuple):
    """What was read before the exponent: the part, and how its digits compare with those of the bounds."""

    part: int
    low: int
    high: int


class Scientific:
    """Adds scientific notation to one automaton, whose ranges share what comes behind the letter of the exponent."""

    def __init__(self, edges: list[Edge], accepting: set[int]) -> None:
        """Take the edges and accepting states to add to."""
        self._edges = edges
        self._accepting = accepting
        self._exponents: dict[tuple[int, int], int] = {}

    def add(self, low: Leading | None, high: Leading | None, start: int, free: int) -> int:
        """Read the numbers above 0 from ``low`` to ``high`` (``None``: no bound), beginning at ``start``.

        Other states are numbered from ``free`` on; returns the next free number.
        """
        least = LEAST_EXPONENT if low is None else low.exponent
        most = MOST_EXPONENT if high is None else high.exponent
        if _signs(least, most) == ((), ()):
            return free
        number = {_Read(_START, 0, 0): start}
        work = list(number)
        for state in work:
            here = number[state]
            if state.part in (_DIGIT, _FRACTION):
                room = _room(state, low, high)
                if room not in self._exponents:
                    self._exponents[room] = free
                    free = self._add_exponent(room, free)
                self._edges += [(here, ord(letter), ord(letter), self._exponents[room]) for letter in "Ee"]
            for first, last, following in _following(state, low, high):
                if following not in number:
                    number[following] = free
                    free += 1
                    work.append(following)
                self._edges.append((here, first, last, number[following]))
        return free

    def _add_exponent(self, room: tuple[int, int], free: int) -> int:
        n, edges, accepting = _exponent(*room)
        self._edges += [(free + q, a, b, free + t) for q, a, b, t in edges]
        self._accepting.update(free + q for q in accepting)
        return free + n


def _following(state: _Read, low: Leading | None, high: Leading | None) -> list[tuple[int, int, _Read]]:
    """Ranges of bytes, and what has been read behind them."""
    if state.part == _DIGIT:
        return [(0x2E, 0x2E, state._replace(part=_POINT))]
    part = _DIGIT if state.part == _START else _FRACTION
    ranges: list[tuple[int, int, _Read]] = []
    for digit in range(1 if state.part == _START else 0, 10):
        following = _Read(part, _compare(state.low, digit, low), _compare(state.high, digit, high))
        first = 0x30 + digit
        if ranges and ranges[-1][2] == following:
            first = ranges.pop()[0]
        ranges.append((first, 0x30 + digit, following))
    return ranges


def _compare(so_far: int, digit: int, bound: Leading | None) -> int:
    if bound is None or so_far < 0:
        return so_far
    other = int(bound.digits[so_far]) if so_far < len(bound.digits) else 0
    if digit != other:
        return _LESS if digit < other else _GREATER
    return min(so_far + 1, len(bound.digits))


def _room(state: _Read, low: Leading | None, high: Leading | None) -> tuple[int, int]:
    """The least and the greatest exponent behind digits that end here."""
    least, most = LEAST_EXPONENT, MOST_EXPONENT
    if low is not None:
        reached = low.inclusive if state.low == len(low.digits) else state.low == _GREATER
        least = max(least, low.exponent if reached else low.exponent + 1)
    if high is not None:
        beyond = not high.inclusive if state.high == len(high.digits) else state.high == _GREATER
        most = min(most, high.exponent - 1 if beyond else high.exponent)
    return least, most


_Left = tuple[tuple[int, int, int], ...]  # how many digits may still come, and from what to what number


def _signs(least: int, most: int) -> tuple[_Left, _Left]:
    """The digits that may come behind a plus sign or none, and behind a minus sign."""
    least, most = max(least, LEAST_EXPONENT), min(most, MOST_EXPONENT)
    return _lengths(max(1, least), most), _lengths(max(1, -most), -least)


def _lengths(low: int, high: int) -> _Left:
    """Integers of one to three digits; of those of two the first may be 0, as Python writes them."""
    cut = ((1, low, min(high, 9)), (2, low, min(high, 99)), (3, max(low, 100), high))
    return tuple(c for c in cut if c[1] <= c[2])


def _behind(left: _Left, digit: int) -> _Left:
    """What is left to read behind a digit."""
    out = []
    for n, low, high in left:
        if n:
            unit = 10 ** (n - 1)
            a, b = max(low - digit * unit, 0), min(high - digit * unit, unit - 1)
            if a <= b:
                out.append((n - 1, a, b))
    return tuple(out)


@lru_cache(maxsize=1024)
def _exponent(least: int, most: int) -> tuple[int, tuple[Edge, ...], tuple[int, ...]]:
    """States, edges and accepting states of exponents between two integers."""
    plus, minus = _signs(least, most)
    number: dict[_Left, int] = {}
    work: list[_Left] = []
    edges: list[Edge] = []

    def state(left: _Left) -> int:
        if left not in number:
            work.append(left)
            number[left] = len(work)
        return number[left]

    def digits(source: int, left: _Left) -> None:
        ranges: list[tuple[int, int, _Left]] = []
        for digit in range(10):
            behind = _behind(left, digit)
            if not behind:
                continue
            first = 0x30 + digit
            if ranges and ranges[-1][1] == first - 1 and ranges[-1][2] == behind:
                first = ranges.pop()[0]
            ranges.append((first, 0x30 + digit, behind))
        edges.extend((source, first, last, state(behind)) for first, last, behind in ranges)

    if plus:
        digits(0, plus)
        edges.append((0, ord("+"), ord("+"), state(plus)))
    if minus:
        edges.append((0, ord("-"), ord("-"), state(minus)))
    for left in work:
        digits(number[left], left)
    return 1 + len(work), tuple(edges), tuple(q for left, q in number.items() if left[0][0] == 0)
