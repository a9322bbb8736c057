"""Magnitudes between exact bounds, written plainly, as edges of byte automata.

The automaton compares with both bounds digit by digit while it reads.  Of the integer part it knows two things about each bound:
how many digits were read, and how they compare with the bound's first digits; only at the end of the integer part does
the number of digits decide.  Multiples are residues (``multiples``).
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from ..errors import LimitExceeded
from .exponents import Edge, Leading
from .multiples import NO_RESIDUE, Multiples, Residues

MAX_DIGITS = 400  # of a bound: far beyond what a double can hold (309)
LESS, EQUAL, GREATER = -1, 0, 1
DIGITS = range(10)

START, ZERO, INTEGER, POINT, FRACTION = range(5)


class Bound(NamedTuple):
    """A magnitude to compare with: its digits before and after the point, and whether it belongs to the range."""

    whole: str
    fraction: str
    inclusive: bool

    def value(self) -> Fraction:
        """The bound as a fraction."""
        return Fraction(int(self.whole + self.fraction or "0"), 10 ** len(self.fraction))

    def leading(self) -> Leading | None:
        """The bound as scientific notation compares it; ``None`` if it is 0."""
        digits = (self.whole + self.fraction).lstrip("0")
        if not digits:
            return None
        zeros = len(self.whole + self.fraction) - len(digits)
        return Leading(digits.rstrip("0"), len(self.whole) - 1 - zeros, self.inclusive)


ZERO_LEFT_OUT = Bound("", "", inclusive=False)


class _State(NamedTuple):
    """What has been read: phase, digits of the integer part and of the fraction, comparisons, residue."""

    phase: int
    whole: int
    fraction: int
    low: int
    high: int
    residue: int


EVERY = Residues(Multiples(0, (), 0), 1, (0,))
"""No multiples are asked for."""


class Range(NamedTuple):
    """A range of magnitudes, and what they are and are not multiples of."""

    low: Bound | None
    high: Bound | None
    residues: Residues
    integer: bool


def bound_of(value: Decimal, *, inclusive: bool) -> Bound:
    """Return a magnitude as a bound; raise ``LimitExceeded`` where it has more than ``MAX_DIGITS`` digits."""
    whole, _, fraction = format(value, "f").partition(".")
    fraction = fraction.rstrip("0")
    if len(whole) + len(fraction) > MAX_DIGITS:
        raise LimitExceeded(
            f"a numeric bound has {len(whole) + len(fraction)} digits",
            limit="max_bound_digits",
            value=MAX_DIGITS,
            hint=f"round it to {MAX_DIGITS} digits, or leave it out",
        )
    return Bound(whole.lstrip("0"), fraction, inclusive)


def _compare_whole(state: _State, digit: int, bound: Bound | None, so_far: int) -> int:
    if bound is None or so_far != EQUAL:
        return so_far
    if state.whole >= len(bound.whole):
        return so_far  # longer than the bound: decided when the integer part ends
    other = int(bound.whole[state.whole])
    return LESS if digit < other else GREATER if digit > other else EQUAL


def _settle(state: _State, bound: Bound | None, so_far: int) -> int:
    """The comparison of the integer part once it has ended: more digits are greater."""
    if bound is None:
        return EQUAL
    if state.whole != len(bound.whole):
        return LESS if state.whole < len(bound.whole) else GREATER
    return so_far


def _compare_fraction(state: _State, digit: int, bound: Bound | None, so_far: int) -> int:
    if bound is None or so_far != EQUAL:
        return so_far
    other = int(bound.fraction[state.fraction]) if state.fraction < len(bound.fraction) else 0
    return LESS if digit < other else GREATER if digit > other else EQUAL


def _caps(limits: Range) -> tuple[int, int]:
    bounds = [b for b in (limits.low, limits.high) if b is not None]
    whole = max((len(b.whole) for b in bounds), default=0) + 1
    fraction = max([len(b.fraction) for b in bounds] + [limits.residues.places]) + 1
    return whole, fraction


def _read(state: _State, symbol: str, limits: Range, caps: tuple[int, int]) -> _State | None:
    if symbol == ".":
        if limits.integer or state.phase not in (ZERO, INTEGER):
            return None
        low, high = _settle(state, limits.low, state.low), _settle(state, limits.high, state.high)
        if high == GREATER or low == LESS:
            return None
        return _State(POINT, 0, 0, low, high, limits.residues.within(state.residue, 0))
    digit = int(symbol)
    read = (state.residue * 10 + digit) % limits.residues.modulus
    if state.phase < POINT:
        residue = limits.residues.whole[read]
    if state.phase == START:
        if digit == 0:  # the number 0: no digits, as the bounds' leading zeros are stripped
            return _State(ZERO, 0, 0, EQUAL, EQUAL, 0)
        low = _compare_whole(state, digit, limits.low, EQUAL)
        high = _compare_whole(state, digit, limits.high, EQUAL)
        return _State(INTEGER, 1, 0, low, high, residue)
    if state.phase == ZERO:
        return None
    if state.phase == INTEGER:
        low = _compare_whole(state, digit, limits.low, state.low)
        high = _compare_whole(state, digit, limits.high, state.high)
        whole = min(state.whole + 1, caps[0])
        if limits.high is not None and whole > len(limits.high.whole):
            return None
        return _State(INTEGER, whole, 0, low, high, residue)
    low = _compare_fraction(state, digit, limits.low, state.low)
    high = _compare_fraction(state, digit, limits.high, state.high)
    if high == GREATER or low == LESS:
        return None
    if state.fraction < limits.residues.places:
        residue = limits.residues.within(read, state.fraction + 1)
    elif digit == 0:
        residue = state.residue
    elif limits.residues.multiples.step:
        return None
    else:
        residue = NO_RESIDUE
    return _State(FRACTION, 0, min(state.fraction + 1, caps[1]), low, high, residue)


def _accepts(state: _State, limits: Range) -> bool:
    if state.phase in (START, POINT):
        return False
    low, high = state.low, state.high
    if state.phase in (ZERO, INTEGER):
        low, high = _settle(state, limits.low, low), _settle(state, limits.high, high)
    for bound, comparison, wrong in ((limits.low, low, LESS), (limits.high, high, GREATER)):
        if bound is None:
            continue
        if comparison == EQUAL:
            rest = state.fraction < len(bound.fraction)  # the bound goes on with a digit that is not 0
            comparison = LESS if rest else EQUAL
        if comparison == wrong or (comparison == EQUAL and not bound.inclusive):
            return False
    residue = state.residue
    if residue != NO_RESIDUE:
        residue = residue * 10 ** max(0, limits.residues.places - state.fraction) % limits.residues.modulus
    return limits.residues.multiples.allow(residue)


def _alike(state: _State, limits: Range) -> list[tuple[int, int]]:
    """Ranges of bytes that ``_read`` does not tell apart: without residues only 0 and the digits of bounds stand out."""
    cuts = {0, 1, 10}
    if limits.residues.modulus > 1:
        cuts.update(DIGITS)
    for bound in (limits.low, limits.high):
        if bound is not None:
            here, i = (bound.whole, state.whole) if state.phase < POINT else (bound.fraction, state.fraction)
            if i < len(here):
                cuts.update((int(here[i]), int(here[i]) + 1))
    digits = sorted(cuts)
    return [(0x2E, 0x2E), *((0x30 + a, 0x2F + b) for a, b in pairwise(digits))]


def add_magnitudes(limits: Range, begin: int, edges: list[Edge], accepting: set[int], free: int) -> int:
    """Add edges and accepting states from ``begin`` on, other states numbered from ``free``; returns the next free number."""
    caps = _caps(limits)
    start = _State(START, 0, 0, EQUAL, EQUAL, 0)
    number = {start: begin}
    work = [start]
    for state in work:
        here = number[state]
        if _accepts(state, limits):
            accepting.add(here)
        for low, high in _alike(state, limits):
            following = _read(state, chr(low), limits, caps)
            if following is None:
                continue
            if following not in number:
                number[following] = free
                free += 1
                work.append(following)
            edges.append((here, low, high, number[following]))
    return free
