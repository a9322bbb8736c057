"""Texts of numbers against exact decimal arithmetic."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syntagma.grammar.errors import InvalidSource, LimitExceeded
from syntagma.grammar.ir import ByteAutomaton
from syntagma.grammar.regular import numbers

PLAIN = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
JSON = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")

DECIMALS = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places),
    st.one_of(st.integers(-12, 12), st.integers(-99999, 99999)),
    st.integers(-2, 4),
)
FACTORS = st.sampled_from([None, 1, 3, 7, 10, *map(Decimal, ("0.01", "0.5", "2.5", "1e2", "0.03", "0.125", "12"))])


def accepts(part: ByteAutomaton, text: str) -> bool:
    """Run an automaton that may be nondeterministic."""
    live = {0}
    for byte in text.encode():
        steps = ((part.source == q) & (part.low <= byte) & (byte <= part.high) for q in live)
        live = {int(t) for step in steps for t in part.target[step]}
    return any(part.accepting[q] for q in live)


def near(bound: Decimal | None) -> list[str]:
    """Texts at, just below and just above a bound, with zeros appended, and with the other sign."""
    if bound is None:
        return []
    values = [bound, *(bound + Decimal(d) for d in ("1", "-1", "0.1", "-0.1", "0.00001", "-0.00001"))]
    plain = [format(v, "f") for v in values]
    return [*plain, *(t + ("0" if "." in t else ".00") for t in plain), *(t.removeprefix("-") for t in plain)]


@given(
    st.one_of(st.none(), DECIMALS), st.one_of(st.none(), DECIMALS), st.booleans(), st.booleans(), FACTORS,
    st.lists(DECIMALS, min_size=5, max_size=5),
)  # fmt: skip
def test_bounds_and_multiples_are_exact(
    low: Decimal | None,
    high: Decimal | None,
    exclusive_low: bool,
    exclusive_high: bool,
    factor: Decimal | int | None,
    others: list[Decimal],
) -> None:
    """A plain text is accepted exactly if its value is within the bounds and a multiple; integers are integral texts."""
    if low is None and high is None and factor is None:
        return
    kwargs = {"exclusive_low": exclusive_low, "exclusive_high": exclusive_high, "multiple_of": factor}
    number = numbers.number(low, high, **kwargs)  # type: ignore[arg-type]
    plain = numbers.number(low, high, exponents=False, **kwargs)  # type: ignore[arg-type]
    integer = numbers.integer(low, high, **kwargs)  # type: ignore[arg-type]
    zero_fraction = numbers.integer(low, high, zero_fraction=True, **kwargs)  # type: ignore[arg-type]
    texts = [
        *near(low),
        *near(high),
        *(format(x, "f") for x in others),
        "-0",
        "0",
        "-0.0",
        "01",
        "1.",
        ".5",
        "",
        "-",
        "1e5",
        "+1",
    ]
    for text in texts:
        good = PLAIN.fullmatch(text) is not None
        if good:
            value = Decimal(text)
            above = low is None or value > low or (value == low and not exclusive_low)
            below = high is None or value < high or (value == high and not exclusive_high)
            good = above and below and (factor is None or value % Decimal(factor) == 0)
        assert accepts(plain, text) == good, text
        assert "e" in text or accepts(number, text) == good, text
        whole, _, fraction = text.partition(".")
        integral = good and fraction.strip("0") == "" and whole != "-0"
        assert accepts(integer, text) == (integral and "." not in text), text
        assert accepts(zero_fraction, text) == integral, text


@given(st.text(alphabet="-+0123456789.eE", max_size=8))
def test_unconstrained_numbers_are_those_of_json(text: str) -> None:
    """Without facets every JSON number is accepted, exponents included."""
    assert accepts(numbers.number(), text) == bool(JSON.fullmatch(text))
    assert accepts(numbers.integer(), text) == bool(re.fullmatch("0|-?[1-9][0-9]*", text))


@given(st.one_of(st.integers(), DECIMALS))
def test_a_literal_spells_its_value(value: Decimal | int) -> None:
    """The text of a number is JSON and has exactly its value."""
    text = numbers.literal_number(value).decode()
    assert JSON.fullmatch(text)
    assert Decimal(text) == value


@pytest.mark.parametrize("spelling", ["-0", "-0.0", "-0e5"])
def test_a_bound_of_minus_zero_is_one_of_zero(spelling: str) -> None:
    """The sign of a zero, which JSON can spell and a decimal keeps, changes no bound."""
    numbers._numbers.cache_clear()  # which takes the two zeros for one key
    zero = Decimal(spelling)
    below, above, beyond = numbers.number(None, zero), numbers.number(zero), numbers.number(zero, exclusive_low=True)
    for text, value in (("-1", -1), ("-0.5", -0.5), ("-0", 0), ("0", 0), ("0.00", 0), ("0.5", 1), ("1", 1)):
        assert accepts(below, text) == (value <= 0)
        assert accepts(above, text) == (value >= 0)
        assert accepts(beyond, text) == (value > 0)


def test_digits_beyond_a_double_still_count() -> None:
    """Bounds are compared exactly, far beyond 53 bits."""
    bound = Decimal("9007199254740993.00000000000000000001")
    part = numbers.number(None, bound, exclusive_high=True)
    assert accepts(part, "9007199254740993.00000000000000000000999")
    assert not accepts(part, "9007199254740993.00000000000000000001")


def test_limits_and_errors_are_typed() -> None:
    """Too many digits is a limit; a factor that is not positive is the user's mistake."""
    with pytest.raises(LimitExceeded, match="digits"):
        numbers.number(high=Decimal("1e5000"))
    with pytest.raises(InvalidSource, match="greater than 0"):
        numbers.integer(multiple_of=0)


def test_an_empty_range_accepts_nothing() -> None:
    """Bounds that cross leave no text."""
    part = numbers.number(5, 4)
    assert not part.accepting.any()


def test_spellings_of_a_number_that_was_given() -> None:
    """The plain text comes first, then what the number was given as, and what ``json.dumps`` makes of it."""
    assert numbers.spellings(1) == [b"1"]
    assert numbers.spellings(Decimal("1.50")) == [b"1.5", b"1.50"]
    assert numbers.spellings(Decimal("0.0")) == [b"0", b"0.0"]
    assert numbers.spellings(Decimal(repr(1e-05))) == [b"0.00001", b"1e-05"]
    assert numbers.spellings(Decimal("1e-7")) == [b"0.0000001", b"1e-7", b"1e-07"]
    assert numbers.spellings(Decimal("1e400"))[1:] == [b"1e+400"]
    assert numbers.spellings(Decimal("0.12345678901234567890")) == [b"0.1234567890123456789", b"0.12345678901234567890"]


@given(DECIMALS | st.floats(allow_nan=False, allow_infinity=False).map(lambda x: Decimal(repr(x))))
def test_spellings_are_json_and_have_the_value(value: Decimal) -> None:
    """Each spelling is JSON and has exactly the value, and what Python writes for a float is one of them."""
    texts = [t.decode() for t in numbers.spellings(value)]
    assert all(JSON.fullmatch(t) and Decimal(t) == value for t in texts)
    if Decimal(repr(float(value))) == value:
        assert repr(float(value)) in texts
