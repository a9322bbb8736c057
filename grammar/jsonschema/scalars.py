"""String and number languages, cached across schemas: the same patterns and bounds come back all the time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, gcd, lcm
from typing import Any, Final

from ..errors import LimitExceeded
from ..ir import ByteAutomaton
from ..regular import numbers
from ..regular.dfa import CharDfa
from ..regular.encode import Escapes, json_string_body
from ..regular.formats import KNOWN_FORMATS, format_bound, format_dfa, format_left_out, format_length
from ..regular.partition import partition
from .facts import Facts, StringFact
from .values import is_multiple

Number = Decimal | int

MAX_EXPONENT_DIGITS: Final = 3
"""Where digits are limited: enough for every double (their exponents go from -324 to 308)."""

MAX_EXPONENT: Final = 1000
"""Decimal exponents beyond this are refused: their digits would be written out."""


@lru_cache(1)
def warm_up() -> None:
    """Touch every kernel of the regular layer once, so that no deadline is charged for loading or compiling them."""
    dfa = CharDfa.from_regex("^[ab]{2,3}$", dialect="ecma", search=True) - CharDfa.from_strings(("aa",))
    dfa = (dfa & ~CharDfa.from_strings(("ab",))) | CharDfa.nothing()
    partition(CharDfa.any_string(), dfa, (), 1)
    dfa.length_profile()
    dfa.with_length(1, 2).accepts("bb")
    dfa.is_finite()
    json_string_body(dfa, escapes="canonical", counted=True)
    for escapes in ("canonical", "ascii", "all"):
        json_string_body(CharDfa.any_string(), escapes=escapes, counted=True)
    looks = CharDfa.from_regex(r"^(?!x)a\b|(?<!y)b", dialect="ecma", search=True)
    looks.is_disjoint(dfa)
    looks.is_subset(dfa)
    for name in ("date-time", "hostname", "email"):  # concatenation, star and subtraction
        format_dfa(name)
    numbers.integer(0, 10)
    numbers.number(Decimal("0.5"), multiple_of=Decimal("0.1"))


@lru_cache(4096)
def character_language(fact: StringFact) -> CharDfa:
    """Return the strings that meet one fact."""
    if fact.kind == "pattern":
        dfa = CharDfa.from_regex(fact.text, dialect="ecma", search=True)
    elif fact.kind == "match":
        dfa = CharDfa.from_regex(fact.text, dialect="ecma", search=False)
    elif fact.kind == "bound":
        dfa = format_bound(fact.text)
    else:
        known = format_dfa(fact.text)
        if known is None:
            msg = f"format {fact.text!r} is not known here"
            raise LookupError(msg)
        # a length is counted beside the automaton, which cannot be negated; all strings are not too many for wide pieces
        counted = format_length(fact.text) != (0, None)
        dfa = CharDfa.nothing() if counted and not fact.holds else known
    return dfa if fact.holds else ~dfa


def known_format(name: str) -> bool:
    """Tell whether a format is one that can be enforced."""
    return name in KNOWN_FORMATS


def left_out(name: str) -> str:
    """Say which strings of a format are never produced; an empty string where there are none."""
    return format_left_out(name) if name in KNOWN_FORMATS else ""


@lru_cache(8192)
def name_matches(pattern: str, name: str) -> bool:
    """Tell whether a pattern (with search semantics) matches a member's name."""
    return character_language(StringFact("pattern", pattern)).accepts(name)


@dataclass(frozen=True, slots=True)
class StringSpec:
    """A set of strings: lengths in characters, facts that hold, and strings left out."""

    low: int = 0
    high: int | None = None
    facts: tuple[StringFact, ...] = ()
    excluded: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether nothing but lengths is said."""
        return not self.facts and not self.excluded


@lru_cache(4096)
def _characters(facts: tuple[StringFact, ...], excluded: tuple[str, ...]) -> CharDfa:
    dfa: CharDfa | None = None
    for fact in facts:
        one = character_language(fact)
        dfa = one if dfa is None else dfa & one
    if excluded:
        dfa = (CharDfa.any_string() if dfa is None else dfa) - CharDfa.from_strings(excluded)
    return CharDfa.any_string() if dfa is None else dfa


@lru_cache(4096)
def string_language(spec: StringSpec) -> tuple[CharDfa, int, int | None]:
    """Return the automaton of a set of strings, and the lengths that are to be counted beside it.

    The lengths are ``(0, None)`` where the automaton already says them.  The language is empty only if the automaton is.
    """
    dfa = _characters(spec.facts, spec.excluded)
    low, high = spec.low, spec.high
    for fact in spec.facts:
        if fact.kind == "format" and fact.holds:
            least, most = format_length(fact.text)
            low = max(low, least)
            high = most if high is None else high if most is None else min(high, most)
    if dfa.is_empty():
        return CharDfa.nothing(), 0, None
    if high is not None and low > high:
        return CharDfa.nothing(), 0, None
    if low == 0 and high is None:
        return dfa, 0, None
    profile = dfa.length_profile()
    least, most = int(profile.least[0]), int(profile.most[0])
    if low > most or (high is not None and high < least):
        return CharDfa.nothing(), 0, None
    counted = dfa.counter_bounds(low, high)
    if counted is None:
        return dfa.with_length(low, high), 0, None
    return dfa, *counted


@lru_cache(4096)
def string_is_inhabited(spec: StringSpec) -> bool:
    """Tell whether some string meets the spec."""
    if spec.plain:
        return spec.high is None or spec.low <= spec.high
    return not string_language(spec)[0].is_empty()


def string_accepts(spec: StringSpec, text: str) -> bool:
    """Tell whether a string meets the spec."""
    if len(text) < spec.low or (spec.high is not None and len(text) > spec.high) or text in spec.excluded:
        return False
    if not spec.facts:
        return True
    dfa, low, high = string_language(spec)
    return low <= len(text) and (high is None or len(text) <= high) and dfa.accepts(text)


def language_of(spec: StringSpec) -> CharDfa:
    """Return the automaton of a set of strings with its lengths unrolled."""
    dfa, low, high = string_language(spec)
    return dfa if low == 0 and high is None else dfa.with_length(low, high)


@lru_cache(2048)
def string_body(spec: StringSpec, escapes: Escapes) -> tuple[ByteAutomaton, tuple[int, int | None] | None]:
    """Return the bytes of a string without its quotes, and the bounds of its counter if it is counted."""
    dfa, low, high = string_language(spec)
    counted = low > 0 or high is not None
    body = json_string_body(dfa, escapes=escapes, counted=counted, one_sided=low == 0 or high is None)
    return body, (low, high) if counted else None


@lru_cache(256)
def any_body(escapes: Escapes) -> ByteAutomaton:
    """Return the bytes of any string without its quotes, every character counted."""
    return json_string_body(CharDfa.any_string(), escapes=escapes, counted=True)


@lru_cache(1024)
def key_body(dfa: CharDfa, escapes: Escapes) -> ByteAutomaton:
    """Return the bytes of a key without its quotes."""
    return json_string_body(dfa, escapes=escapes)


@dataclass(frozen=True, slots=True)
class NumberSpec:
    """A set of numbers: integers only or all, between bounds, multiples of something and not of other things.

    ``digits`` limits how many stand before and behind the point.
    """

    whole: bool
    low: Number | None = None
    high: Number | None = None
    low_open: bool = False
    high_open: bool = False
    multiple: Number | None = None
    avoid: tuple[Number, ...] = ()
    digits: tuple[int, int] | None = None

    @property
    def free(self) -> bool:
        """Whether every number is meant, exponents included."""
        return not self.whole and self.low is self.high is self.multiple is None and not self.avoid


def exact(value: Number) -> Fraction:
    """Return a decimal as a fraction; raise ``LimitExceeded`` where its exponent is absurd."""
    if isinstance(value, Decimal) and value and abs(value.adjusted()) > MAX_EXPONENT:
        raise LimitExceeded(f"{value} has an exponent beyond {MAX_EXPONENT}", limit="exponent", value=MAX_EXPONENT)
    return Fraction(value)


def _least_common_multiple(a: Fraction, b: Fraction) -> Fraction:
    return Fraction(lcm(a.numerator, b.numerator), gcd(a.denominator, b.denominator))


def common_multiple(values: tuple[Number, ...]) -> Number | None:
    """Return the number whose multiples are the common multiples of all; ``None`` of nothing."""
    if not values:
        return None
    if len(values) == 1:
        return values[0]
    out = exact(values[0])
    for v in values[1:]:
        out = _least_common_multiple(out, exact(v))
    return decimal(out)


def decimal(value: Fraction) -> Number:
    """Write a fraction whose denominator divides a power of ten as an exact decimal."""
    if value.denominator == 1:
        return value.numerator
    places = 0
    while (10**places) % value.denominator:
        places += 1
    digits = value.numerator * (10**places // value.denominator)
    return Decimal((1 if digits < 0 else 0, tuple(map(int, str(abs(digits)))), -places))


@lru_cache(4096)
def number_is_inhabited(spec: NumberSpec) -> bool:
    """Tell whether some number meets the spec."""
    spec = _without_digits(spec)
    step = None if spec.multiple is None else exact(spec.multiple)
    if spec.whole:
        step = Fraction(1) if step is None else _least_common_multiple(step, Fraction(1))
    low = None if spec.low is None else exact(spec.low)
    high = None if spec.high is None else exact(spec.high)
    avoid = [exact(m) for m in spec.avoid]
    if step is None:
        if low is None or high is None or low < high:
            return True
        return (
            low == high and not spec.low_open and not spec.high_open and all((low / m).denominator > 1 for m in avoid)
        )
    if any((step / m).denominator == 1 for m in avoid):
        return False
    if low is None or high is None:
        return True
    first, last = ceil(low / step), floor(high / step)
    if spec.low_open and first * step == low:
        first += 1
    if spec.high_open and last * step == high:
        last -= 1
    # one number of a period is 1 modulo all that is avoided, and so no multiple of any
    last = min(last, first + lcm(*((step / m).denominator for m in avoid)) - 1)
    return any(all((n * step / m).denominator > 1 for m in avoid) for n in range(first, last + 1))


def _without_digits(spec: NumberSpec) -> NumberSpec:
    """Say with bounds and a multiple what ``digits`` says about values."""
    if spec.digits is None or spec.free:  # 0 is a number of any number of digits
        return replace(spec, digits=None)
    whole, places = spec.digits
    end = 10**whole
    low, high = spec.low, spec.high
    multiple = spec.multiple
    if not spec.whole:
        least = Decimal((0, (1,), -places))
        multiple = least if multiple is None else common_multiple((multiple, least))
    below, above = low is None or low <= -end, high is None or high >= end
    return replace(
        spec,
        low=-end if below else low,
        low_open=below or spec.low_open,
        high=end if above else high,
        high_open=above or spec.high_open,
        multiple=multiple,
        digits=None,
    )


@lru_cache(4096)
def digits_lose(spec: NumberSpec) -> bool:
    """Tell whether ``digits`` keeps some number from being written."""
    if spec.digits is None:
        return False
    if spec.free:
        return True
    whole, places = spec.digits
    end = 10**whole
    plain = replace(spec, digits=None)
    large = plain if spec.low is not None and spec.low >= end else replace(plain, low=end, low_open=False)
    small = plain if spec.high is not None and spec.high <= -end else replace(plain, high=-end, high_open=False)
    if number_is_inhabited(large) or number_is_inhabited(small):
        return True
    fine = replace(plain, avoid=(*spec.avoid, Decimal((0, (1,), -places))))
    return not spec.whole and number_is_inhabited(fine)


def number_meets(value: Number, f: Facts) -> bool:
    """Tell whether a number meets what facts say about numbers."""
    if f.low is not None and (value < f.low or (f.low_open and value == f.low)):
        return False
    if f.high is not None and (value > f.high or (f.high_open and value == f.high)):
        return False
    return all(is_multiple(value, m) for m in f.multiples) and not any(is_multiple(value, m) for m in f.not_multiples)


def _limits(spec: NumberSpec) -> dict[str, Any]:
    limits: dict[str, Any] = {
        "exclusive_low": spec.low_open,
        "exclusive_high": spec.high_open,
        "multiple_of": spec.multiple,
        "not_multiple_of": spec.avoid,
    }
    # an exponent would pass by a limit on digits
    return limits if spec.whole else limits | {"exponents": spec.digits is None}


@lru_cache(4096)
def number_text(spec: NumberSpec) -> ByteAutomaton:
    """Return the texts of a set of numbers."""
    build = numbers.integer if spec.whole else numbers.number
    part = build(spec.low, spec.high, **_limits(spec))
    return part if spec.digits is None else numbers.with_digits(part, *spec.digits, MAX_EXPONENT_DIGITS)


def number_leaves_out(spec: NumberSpec) -> bool:
    """Tell whether some of a set of numbers have no text, as its multiples are too many to tell from others."""
    return numbers.leaves_out(spec.low, spec.high, integer=spec.whole, **_limits(spec))


def number_literals(value: Number) -> list[bytes]:
    """Return the texts of one number of the schema, the canonical one first."""
    exact(value)
    return numbers.spellings(value)
