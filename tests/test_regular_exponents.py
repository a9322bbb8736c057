"""Scientific notation of numbers between bounds, against exact decimal arithmetic."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_regular_numbers import accepts

from syntagma.grammar.regular import numbers
from syntagma.grammar.regular.exponents import LEAST_EXPONENT, MOST_EXPONENT

SCIENTIFIC = re.compile(r"-?[1-9](\.[0-9]+)?[eE]([+-]?([0-9]|[0-9]{2}|[1-9][0-9]{2}))")
"""One digit that is not 0, then an exponent of one to three digits; of two the first may be 0."""

EXPONENTS = (
    st.integers(-12, 12) | st.integers(-330, 315) | st.sampled_from([-324, -100, -99, -10, -9, 9, 10, 99, 100, 308])
)
BOUNDS = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent),
    st.integers(-12, 12) | st.integers(-99999, 99999),
    st.integers(-12, 12) | st.sampled_from([-330, -324, -100, -10, 10, 100, 300, 308]),
)
FLOATS = (
    st.floats(allow_nan=False, allow_infinity=False) | st.floats(-1e-3, 1e-3) | st.sampled_from([1e-5, 1e16, 5e-324])
)


def meets(value: Decimal, low: Decimal | None, high: Decimal | None, low_open: bool, high_open: bool) -> bool:
    """Tell whether a value is between two bounds."""
    above = low is None or value > low or (value == low and not low_open)
    return above and (high is None or value < high or (value == high and not high_open))


@st.composite
def texts(draw: st.DrawFn, bounds: list[Decimal | None]) -> str:
    """A text in scientific notation: any, or near to one of the bounds."""
    given_bounds = [b for b in bounds if b]
    if given_bounds and draw(st.booleans()):
        bound = draw(st.sampled_from(given_bounds))
        sign, digits, _ = bound.as_tuple()
        mantissa = list(digits)
        while draw(st.booleans()):
            mantissa.append(draw(st.integers(0, 9)))
        where = draw(st.integers(0, len(mantissa) - 1))
        mantissa[where] = max(0, min(9, mantissa[where] + draw(st.integers(-1, 1))))
        exponent = bound.adjusted() + draw(st.sampled_from([0, 0, 0, -1, 1]))
        sign ^= draw(st.sampled_from([0, 0, 0, 1]))
    else:
        mantissa = draw(st.lists(st.integers(0, 9), min_size=1, max_size=5))
        exponent = draw(EXPONENTS)
        sign = draw(st.integers(0, 1))
    fraction = "".join(map(str, mantissa[1:]))
    before = str(mantissa[0])
    power = draw(st.sampled_from(["{:d}", "{:+d}", "{:+03d}", "{:03d}", "{:+04d}"])).format(exponent)
    return f"{'-' * sign}{before}{'.' * bool(fraction)}{fraction}{draw(st.sampled_from('eE'))}{power}"


@given(st.data(), st.none() | BOUNDS, st.none() | BOUNDS, st.booleans(), st.booleans())
def test_bounds_are_exact(
    data: st.DataObject, low: Decimal | None, high: Decimal | None, low_open: bool, high_open: bool
) -> None:
    """Scientific notation is accepted exactly if the value is between the bounds, and the exponent one of a double but not 0."""
    if low is None and high is None:
        return
    part = numbers.number(low, high, exclusive_low=low_open, exclusive_high=high_open)
    integer = numbers.integer(low, high, exclusive_low=low_open, exclusive_high=high_open)
    plain = numbers.number(low, high, exclusive_low=low_open, exclusive_high=high_open, exponents=False)
    for text in data.draw(st.lists(texts([low, high]), min_size=8, max_size=8)):
        form = SCIENTIFIC.fullmatch(text)
        good = form is not None and int(form[2]) != 0 and LEAST_EXPONENT <= int(form[2]) <= MOST_EXPONENT
        assert accepts(part, text) == (good and meets(Decimal(text), low, high, low_open, high_open)), text
        assert not accepts(integer, text)
        assert not accepts(plain, text)


@given(FLOATS, st.none() | BOUNDS, st.none() | BOUNDS, st.booleans(), st.booleans())
def test_whatever_python_writes_is_read(
    value: float, low: Decimal | None, high: Decimal | None, low_open: bool, high_open: bool
) -> None:
    """What ``json.dumps`` writes for a float is accepted exactly if it is between the bounds."""
    part = numbers.number(low, high, exclusive_low=low_open, exclusive_high=high_open)
    text = json.dumps(value)
    assert accepts(part, text) == meets(Decimal(text), low, high, low_open, high_open)


@given(FLOATS, st.sampled_from([1, Decimal("0.5"), 3, Decimal("1e-7"), Decimal("2.5e-6"), 1000]), st.none() | BOUNDS)
def test_what_is_below_all_that_is_avoided_has_an_exponent(
    value: float, avoid: Decimal | int, high: Decimal | None
) -> None:
    """Beside what a number is no multiple of, scientific notation is for numbers below that."""
    part = numbers.number(None, high, not_multiple_of=(avoid, 10 * avoid))
    text = json.dumps(value)
    exact = Decimal(text)
    if "e" in text:
        assert accepts(part, text) == (abs(exact) < avoid and (high is None or exact <= high)), text


@pytest.mark.parametrize(
    "text", ["0e5", "0.1e5", "10e5", "1e0", "1e-0", "1e+00", "1.e5", "1e", "1e+", "1e005", "1e0012", "1e309", "1e-325"]
)
def test_other_spellings_are_left_out(text: str) -> None:
    """The digits are normalised, the exponent is not 0 and one that doubles have."""
    assert not accepts(numbers.number(0), text)


def test_what_javascript_writes_is_read() -> None:
    """``JSON.stringify`` writes exponents without zeros, below 1e-6 and from 1e21 on."""
    part = numbers.number(Decimal("1e-9"), Decimal("1e30"))
    for text in ("1e-7", "1.5e-9", "1e+21", "9.99e+29", "1e+30"):
        assert accepts(part, text)
    for text in ("9.9e-10", "1.01e+30", "-1e-7"):
        assert not accepts(part, text)


def test_signs_that_mirror_each_other_share_their_states() -> None:
    """Where the bounds are the same on both sides of 0, the states behind a sign are those without it."""
    one_sided = numbers.number(0, 180, exponents=False)
    assert numbers.number(-180, 180, exponents=False).n <= one_sided.n + 1
