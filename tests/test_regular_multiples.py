"""Multiples, wanted and unwanted, against exact fractions: small and large ones, with bounds and without."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_regular_numbers import accepts

from syntagma.grammar.regular import numbers
from syntagma.grammar.regular.multiples import EXACT, MAX_LISTED, Multiples, multiples, residues

SMALL = st.sampled_from(
    [*map(Decimal, ("1", "2", "3", "4", "5", "6", "8", "10", "12", "0.5", "0.01", "2.5", "0.35", "1.25", "100"))]
)
LARGE = st.sampled_from(
    [*map(Decimal, ("429", "6.75", "12345", "1000003", "0.123456789", "1e-9", "65536", "10000", "32.768", "99999"))]
)
FACTORS = SMALL | LARGE
BOUNDS = st.none() | st.builds(Decimal, st.integers(-30, 30) | st.integers(-30_000, 30_000)) | st.just(Decimal("0.125"))


def text_of(value: Fraction) -> str:
    """The plain text of a decimal fraction."""
    return numbers.literal_number(Decimal(value.numerator * 10**30 // value.denominator).scaleb(-30, EXACT)).decode()


@given(
    st.data(), st.none() | FACTORS, st.lists(FACTORS, max_size=3), BOUNDS, BOUNDS, st.booleans(), st.booleans(), st.booleans()
)  # fmt: skip
def test_multiples_are_exact_unless_some_are_left_out(
    data: st.DataObject,
    wanted: Any,
    unwanted: list[Decimal],
    low: Any,
    high: Any,
    low_open: bool,
    high_open: bool,
    whole: bool,
) -> None:
    """A plain text is accepted exactly if its value is asked for; where some are left out, never if it is not."""
    limits: dict[str, Any] = {
        "exclusive_low": low_open, "exclusive_high": high_open, "multiple_of": wanted, "not_multiple_of": tuple(unwanted),
    }  # fmt: skip
    if wanted is None and not unwanted:
        return
    part = numbers.integer(low, high, **limits) if whole else numbers.number(low, high, **limits)
    left_out = numbers.leaves_out(low, high, integer=whole, **limits)
    for _ in range(6):
        unit = Fraction(data.draw(st.sampled_from([1, *filter(None, [wanted]), *unwanted])))
        value = unit * data.draw(st.integers(-50, 50) | st.integers(-40_000, 40_000))
        value += data.draw(st.sampled_from([Fraction(0), Fraction(0), Fraction(1), Fraction(1, 10), Fraction(1, 100)]))
        text = text_of(value)
        assert Fraction(text) == value
        good = (
            (low is None or value > low or (value == low and not low_open))
            and (high is None or value < high or (value == high and not high_open))
            and (wanted is None or (value / Fraction(wanted)).denominator == 1)
            and all((value / Fraction(a)).denominator > 1 for a in unwanted)
            and (not whole or value.denominator == 1)
        )
        accepted = accepts(part, text)
        assert accepted == good or (left_out and not accepted), text
        zeros = text + ("0" if "." in text else ".0")
        assert accepts(part, zeros) == (accepted and not whole), zeros


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("wanted", "unwanted"),
    [(Decimal(1000003), ()), (Decimal("6.75"), (Decimal("1000.5"), Decimal(7), Decimal(11), Decimal(13)))],
)
def test_the_nearest_are_kept(whole: bool, wanted: Decimal, unwanted: tuple[Decimal, ...]) -> None:
    """Where residues are too many, no value is missing before the last one that is written, on either side of 0."""
    limits: dict[str, Any] = {"multiple_of": wanted, "not_multiple_of": unwanted}
    part = numbers.integer(**limits) if whole else numbers.number(**limits)
    assert numbers.leaves_out(integer=whole, **limits)
    step = Fraction(wanted).numerator if whole else Fraction(wanted)
    good = [n * step for n in range(40_000) if all((n * step / Fraction(a)).denominator > 1 for a in unwanted)]
    for i in (0, 1, 500, MAX_LISTED - 2):
        assert accepts(part, text_of(good[i]))
        assert accepts(part, text_of(-good[i])) or good[i] == 0
    assert not accepts(part, text_of(good[MAX_LISTED + 1]))


def test_between_bounds_all_may_be_listed() -> None:
    """A modulus that is too large costs nothing where few multiples are in range."""
    limits: dict[str, Any] = {"multiple_of": Decimal("0.123456789")}
    assert not numbers.leaves_out(0, 100, **limits)
    part = numbers.number(0, 100, **limits)
    assert accepts(part, text_of(810 * Fraction("0.123456789")))
    assert not accepts(part, text_of(811 * Fraction("0.123456789")))


@given(st.integers(1, 3000), st.lists(st.integers(1, 60), max_size=2), st.integers(0, 10**9))
def test_residues_that_are_alike_tell_the_same(step: int, avoid: list[int], value: int) -> None:
    """Reading digits through the residues that stand for others ends in the same answer."""
    of = multiples(Decimal(step), map(Decimal, avoid), integer=True)
    told = residues(of)
    if told is None:
        return
    residue = 0
    for digit in str(value):
        residue = told.whole[(residue * 10 + int(digit)) % told.modulus]
    assert of.allow(residue) == (value % step == 0 and all(value % a for a in avoid))


def test_the_last_digits_settle_what_divides_a_power_of_ten() -> None:
    """Multiples of 10,000 take as many states as zeros, and what follows from others is left out."""
    told = residues(Multiples(10_000, (), 0))
    assert told is not None
    assert len(set(told.whole)) == 5
    assert multiples(Decimal(429), map(Decimal, (12, 77, 6, 7, 44, 8)), integer=False) == Multiples(429, (858, 3003), 0)
    assert multiples(Decimal("0.123456789"), (), integer=True) == Multiples(123456789, (), 0)
