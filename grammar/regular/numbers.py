"""Texts of JSON numbers with exact decimal bounds, as byte automata.

A constrained number is written plainly (``magnitudes``), ``-?int(.frac)?`` without an exponent: every decimal value has such a
text, so nothing is lost.  Between bounds, scientific notation is read as well (``exponents``), since that is how very small
and very large numbers are usually written.  Where multiples need too many residues, they are listed (``multiples``).
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from math import ceil, floor
from typing import NamedTuple

import numpy as np

from ..ir import ByteAutomaton
from .exponents import Edge, Leading, Scientific
from .magnitudes import EVERY, ZERO_LEFT_OUT, Range, add_magnitudes, bound_of
from .multiples import EXACT, Multiples, Residues, multiples, residues


def _trimmed(edges: list[Edge], accepting: set[int]) -> ByteAutomaton:
    """The automaton of the states that are reachable from 0 and can reach acceptance; digits merged into ranges."""
    back: dict[int, list[int]] = {}
    for source, _, _, target in edges:
        back.setdefault(target, []).append(source)
    useful = set(accepting)
    work = list(accepting)
    while work:
        for source in back.get(work.pop(), ()):
            if source not in useful:
                useful.add(source)
                work.append(source)
    useful.add(0)
    number = {state: i for i, state in enumerate(sorted(useful))}
    ranges: list[list[int]] = []
    for source, low, high, target in sorted(e for e in edges if e[0] in useful and e[3] in useful):
        last = ranges[-1] if ranges else None
        row = [number[source], low, high, number[target]]
        if last is not None and last[0] == row[0] and last[3] == row[3] and last[2] == low - 1:
            last[2] = high
        else:
            ranges.append(row)
    table = np.array(ranges, np.int64).reshape(-1, 4)
    finals = np.zeros(len(number), np.bool_)
    finals[[number[state] for state in accepting]] = True
    return ByteAutomaton(len(number), table[:, 0], table[:, 1], table[:, 2], table[:, 3], finals)


def _add_scientific(notation: Scientific, limits: Range, avoid: Decimal | None, start: int, free: int) -> int:
    """Add scientific notation; it has no residues, but what is below all that is to be avoided is a multiple of none of it."""
    below = None if limits.low is None else limits.low.leading()
    above = None
    if limits.high is not None:
        above = limits.high.leading()
        if above is None:
            return free
    if avoid is not None:
        least = bound_of(avoid, inclusive=False).leading()
        assert least is not None  # noqa: S101  (a multiple is greater than 0)
        above = least if above is None else min(above, least, key=_by_value)
    return notation.add(below, above, start, free)


def _by_value(bound: Leading) -> tuple[int, str, bool]:
    return bound.exponent, bound.digits, bound.inclusive


def _add_listed(
    limits: Range, of: Multiples, start: int, edges: list[Edge], accepting: set[int], free: int
) -> tuple[int, bool]:
    """Add multiples one by one, the nearest to 0 first; returns the next free number and whether these are all."""
    unit = 10**of.places
    first, last = 0, None
    if limits.low is not None:
        at = limits.low.value() * unit / of.step
        first = ceil(at) if limits.low.inclusive else floor(at) + 1
    if limits.high is not None:
        at = limits.high.value() * unit / of.step
        last = floor(at) if limits.high.inclusive else ceil(at) - 1
    values, every = of.listed(first, last)
    node: dict[str, int] = {"": start}
    zeros = 0
    for value in values:
        text = literal_number(Decimal((0, tuple(map(int, str(value))), -of.places))).decode()
        known = len(text)
        while text[:known] not in node:
            known -= 1
        for i in range(known, len(text)):
            edges.append((node[text[:i]], ord(text[i]), ord(text[i]), free))
            node[text[: i + 1]] = free
            free += 1
        here = node[text]
        accepting.add(here)
        if limits.integer:
            continue
        if not zeros:
            zeros, free = free + 1, free + 2
            edges += [(zeros - 1, 0x30, 0x30, zeros), (zeros, 0x30, 0x30, zeros)]
            accepting.add(zeros)
        edges.append((here, 0x30, 0x30, zeros) if "." in text else (here, 0x2E, 0x2E, zeros - 1))
    return free, every


class _Numbers(NamedTuple):
    """Texts, and whether they are all numbers that are meant."""

    part: ByteAutomaton
    whole: bool


def _by_sign(
    low: Decimal | None,
    high: Decimal | None,
    exclusive_low: bool,
    exclusive_high: bool,
    told: Residues,
    integer: bool,
) -> tuple[Range | None, Range | None]:
    """The magnitudes of numbers without a sign, and of those behind one."""
    positive = negative = None
    if high is None or high > 0 or (high == 0 and not exclusive_high):
        below = None
        if low is not None and (low > 0 or (low == 0 and exclusive_low)):
            below = bound_of(low, inclusive=not exclusive_low)
        above = None if high is None else bound_of(high, inclusive=not exclusive_high)
        positive = Range(below, above, told, integer)
    # the range turned round; "-0" spells 0, which integers never do
    if low is None or low < 0 or (low == 0 and not exclusive_low and not integer):
        above = None if low is None else bound_of(EXACT.minus(low), inclusive=not exclusive_low)
        below = None
        if high is not None and (high < 0 or (high == 0 and exclusive_high)):
            below = bound_of(EXACT.minus(high), inclusive=not exclusive_high)
        if integer and below is None:
            below = ZERO_LEFT_OUT
        negative = Range(below, above, told, integer)
    return positive, negative


@lru_cache(maxsize=1024)
def _numbers(
    low: Decimal | None,
    high: Decimal | None,
    exclusive_low: bool,
    exclusive_high: bool,
    multiple_of: Decimal | None,
    not_multiple_of: tuple[Decimal, ...],
    integer: bool,
    exponents: bool,
) -> _Numbers:
    of = multiples(multiple_of, not_multiple_of, integer=integer)
    told = residues(of)
    listed = None
    if told is None:
        listed = of if of.step else of.on_grid()
        told = None if of.step else residues(of.off_grid())
    bounds = low, high, exclusive_low, exclusive_high
    positive, negative = _by_sign(*bounds, told or EVERY, integer)
    scientific = exponents and not integer and multiple_of is None
    edges: list[Edge] = []
    accepting: set[int] = set()
    notation = Scientific(edges, accepting)
    free = 1
    whole = True
    for start, limits in ((0, positive), (1, negative)):
        if limits is None:
            continue
        if start:
            start, free = free, free + 1
            edges.append((0, ord("-"), ord("-"), start))
            if positive == (limits._replace(low=None) if integer and limits.low == ZERO_LEFT_OUT else limits):
                # it goes on as it does without the sign
                left_out = "-0" if integer else "-"
                edges += [(start, *e[1:]) for e in edges if e[0] == 0 and chr(e[1]) not in left_out]
                continue
        if told is not None:
            free = add_magnitudes(limits, start, edges, accepting, free)
        if listed is not None:
            free, every = _add_listed(limits, listed, start, edges, accepting, free)
            whole = whole and every
        if scientific:
            free = _add_scientific(notation, limits, min(not_multiple_of, default=None), start, free)
    return _Numbers(_trimmed(edges, accepting), whole)


def _exact(value: Decimal | int | None) -> Decimal | None:
    return None if value is None else Decimal(value) or Decimal(0)  # -0.0 is 0, and has no sign to spell


def integer(
    low: Decimal | int | None = None,
    high: Decimal | int | None = None,
    *,
    exclusive_low: bool = False,
    exclusive_high: bool = False,
    multiple_of: Decimal | int | None = None,
    not_multiple_of: tuple[Decimal | int, ...] = (),
    zero_fraction: bool = False,
) -> ByteAutomaton:
    """Integers between two bounds, written ``0`` or ``-?[1-9][0-9]*``.

    Args:
        low: the lower bound, None for none.
        high: the upper bound, None for none.
        exclusive_low: whether the lower bound itself is outside.
        exclusive_high: whether the upper bound itself is outside.
        multiple_of: only multiples of this.
        not_multiple_of: no multiples of these.
        zero_fraction: also accept ``.0``, ``.00`` and so on after the integer.

    Raises:
        LimitExceeded: a bound has too many digits.
        InvalidSource: the multiple is not positive.

    """
    avoid = tuple(map(Decimal, not_multiple_of))
    bounds = _exact(low), _exact(high), exclusive_low, exclusive_high
    plain = _numbers(*bounds, _exact(multiple_of), avoid, True, False).part
    return _with_zero_fraction(plain) if zero_fraction else plain


def _with_zero_fraction(plain: ByteAutomaton) -> ByteAutomaton:
    n = plain.n
    finals = np.flatnonzero(plain.accepting)
    point = np.full(len(finals), ord("."), np.int64)
    zero = np.array([ord("0")], np.int64)
    return ByteAutomaton(
        n + 2,
        np.concatenate([plain.source, finals, [n, n + 1]]),
        np.concatenate([plain.low, point, zero, zero]),
        np.concatenate([plain.high, point, zero, zero]),
        np.concatenate([plain.target, np.full(len(finals), n), [n + 1, n + 1]]),
        np.concatenate([plain.accepting, [False, True]]),
    )


@lru_cache(maxsize=1)
def _free_number() -> ByteAutomaton:
    """``-?int(.digits)?([eE][+-]?digits)?``, as RFC 8259 has it."""
    rows = [
        (0, "-", "-", 1), (0, "0", "0", 2), (0, "1", "9", 3), (1, "0", "0", 2), (1, "1", "9", 3), (3, "0", "9", 3),
        (2, ".", ".", 4), (3, ".", ".", 4), (4, "0", "9", 5), (5, "0", "9", 5),
        (2, "e", "e", 6), (2, "E", "E", 6), (3, "e", "e", 6), (3, "E", "E", 6), (5, "e", "e", 6), (5, "E", "E", 6),
        (6, "+", "+", 7), (6, "-", "-", 7), (6, "0", "9", 8), (7, "0", "9", 8), (8, "0", "9", 8),
    ]  # fmt: skip
    table = np.array([(s, ord(a), ord(b), t) for s, a, b, t in rows], np.int64)
    accepting = np.zeros(9, np.bool_)
    accepting[[2, 3, 5, 8]] = True
    return ByteAutomaton(9, table[:, 0], table[:, 1], table[:, 2], table[:, 3], accepting)


def number(
    low: Decimal | int | None = None,
    high: Decimal | int | None = None,
    *,
    exclusive_low: bool = False,
    exclusive_high: bool = False,
    multiple_of: Decimal | int | None = None,
    not_multiple_of: tuple[Decimal | int, ...] = (),
    exponents: bool = True,
) -> ByteAutomaton:
    """Numbers between two bounds; without any facet every JSON number, exponents included.

    They are written plainly, and beside ``multiple_of`` in no other way.  Otherwise scientific notation is accepted too: one digit
    before the point, not 0, and an exponent other than 0 that a double may have; beside ``not_multiple_of``, of numbers
    below the least of these only.

    Args:
        low: the lower bound, None for none.
        high: the upper bound, None for none.
        exclusive_low: whether the lower bound itself is outside.
        exclusive_high: whether the upper bound itself is outside.
        multiple_of: only multiples of this.
        not_multiple_of: no multiples of these.
        exponents: whether scientific notation is accepted between bounds.

    Raises:
        LimitExceeded: a bound has too many digits.
        InvalidSource: the multiple is not positive.

    """
    if low is None and high is None and multiple_of is None and not not_multiple_of:
        return _free_number()
    avoid = tuple(map(Decimal, not_multiple_of))
    bounds = _exact(low), _exact(high), exclusive_low, exclusive_high
    return _numbers(*bounds, _exact(multiple_of), avoid, False, exponents).part


def leaves_out(
    low: Decimal | int | None = None,
    high: Decimal | int | None = None,
    *,
    exclusive_low: bool = False,
    exclusive_high: bool = False,
    multiple_of: Decimal | int | None = None,
    not_multiple_of: tuple[Decimal | int, ...] = (),
    exponents: bool = True,
    integer: bool = False,
) -> bool:
    """Tell whether ``number`` (or ``integer``) leaves some numbers out: if they need more than ``MAX_RESIDUE`` residues.

    Of each sign the ``MAX_LISTED`` nearest to 0 are then produced; between bounds that may be all.
    """
    if multiple_of is None and not not_multiple_of:
        return False
    avoid = tuple(map(Decimal, not_multiple_of))
    bounds = _exact(low), _exact(high), exclusive_low, exclusive_high
    return not _numbers(*bounds, _exact(multiple_of), avoid, integer, exponents and not integer).whole


def with_digits(part: ByteAutomaton, whole: int, fraction: int, exponent: int) -> ByteAutomaton:
    """The texts of an automaton of numbers with no more digits than given, before the point, behind it and in the exponent.

    Costs time and states in proportion to the states of ``part`` times the digits that it can read.
    """
    most = (whole, fraction, exponent)
    out: dict[int, list[tuple[int, int, int]]] = {}
    for q, low, high, t in zip(
        part.source.tolist(), part.low.tolist(), part.high.tolist(), part.target.tolist(), strict=True
    ):
        out.setdefault(q, []).append((low, high, t))
    number = {(0, 0, 0): 0}
    work = [(0, 0, 0)]  # state of the part, which run of digits, how many digits of it
    edges: list[tuple[int, int, int, int]] = []
    for q, run, count in work:
        for low, high, t in out.get(q, ()):
            if ord("0") <= low <= ord("9"):
                following = (t, run, count + 1)
            elif low == ord("."):
                following = (t, 1, 0)
            else:  # a sign, or the letter of an exponent
                following = (t, 2 if chr(low) in "eE" else run, 0)
            if following[2] > most[following[1]]:
                continue
            if following not in number:
                number[following] = len(number)
                work.append(following)
            edges.append((number[q, run, count], low, high, number[following]))
    accepting = {i for (q, _, _), i in number.items() if part.accepting[q]}
    return _trimmed(edges, accepting)


def literal_number(value: Decimal | int) -> bytes:
    """The plain text of one number: no exponent, no trailing zeros of the fraction, never ``-0``."""
    if isinstance(value, int) or value == value.to_integral_value():
        return str(int(value)).encode()
    return format(EXACT.normalize(value), "f").encode()


def spellings(value: Decimal | int) -> list[bytes]:
    """The texts of a number that stands in a schema: the plain one, the one it was given as, and the one of ``json.dumps``.

    A ``Decimal`` keeps the zeros that it was given with, but not how its exponent was written: that comes as JavaScript does it.
    """
    texts = [literal_number(value)]
    if isinstance(value, Decimal):
        texts.append(str(value).lower().encode())
        as_float = repr(float(value))
        if "n" not in as_float and Decimal(as_float) == value:  # neither rounded nor infinite
            texts.append(as_float.encode())
    return list(dict.fromkeys(texts))
