"""Formats against the official test suite, a validator, and lists by hand."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from datetime import date
from ipaddress import AddressValueError, IPv6Address
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from syntagma.grammar.regular.formats import KNOWN_FORMATS, format_dfa, format_length

SUITE = Path(__file__).parents[1] / ".." / "shared" / "data" / "json_schema_test_suite.tgz"

NARROWED = {
    "hostname": lambda text: "xn--" in text,  # whether an A-label is valid takes the tables of IDNA
    "idn-hostname": lambda text: not text.isascii() or "xn--" in text,
    "regex": lambda text: r"\k<" in text,  # whether a back-reference has its group is not regular
    "idn-email": lambda text: not text.isascii(),
    # of a leap second's spellings, only those in UTC are produced
    "time": lambda text: ":60" in text and not text.startswith("23:59:60"),
    "date-time": lambda text: ":60" in text and "T23:59:60" not in text,
}
"""Valid strings that are left out on purpose."""


def accepts(name: str, text: str) -> bool:
    """Whether a string is in a format, its length included."""
    dfa = format_dfa(name)
    assert dfa is not None
    low, high = format_length(name)
    return dfa.accepts(text) and low <= len(text) and (high is None or len(text) <= high)


def official(folder: str) -> Iterator[tuple[str, str, bool]]:
    """Format, string and verdict of the official suite."""
    with tarfile.open(SUITE) as archive:
        for member in archive:
            path = Path(member.name)
            if path.parent.name != "format" or folder not in member.name:
                continue
            file = archive.extractfile(member)
            if file is None or path.stem not in KNOWN_FORMATS:
                continue
            for group in json.load(file):
                for case in group["tests"]:
                    if isinstance(case["data"], str):
                        yield path.stem, case["data"], case["valid"]


@pytest.mark.skipif(not SUITE.exists(), reason="no official test suite beside the checkout")
def test_official_suite() -> None:
    """No invalid string is accepted; a valid one is refused only where the format is narrowed on purpose."""
    cases = list(official("draft2020-12"))
    assert len(cases) > 300
    wrong = []
    for name, text, valid in cases:
        if accepts(name, text) == valid:
            continue
        if not valid or name not in NARROWED or not NARROWED[name](text):
            wrong.append((name, text, valid))
    assert wrong == []


@pytest.mark.parametrize("name", sorted(KNOWN_FORMATS - {"regex"}))  # the validator reads Python's expressions
def test_samples_satisfy_a_validator(name: str) -> None:
    """Strings drawn from a format are valid for ``jsonschema`` where it checks the format."""
    dfa = format_dfa(name)
    assert dfa is not None
    validator = Draft202012Validator({"format": name}, format_checker=Draft202012Validator.FORMAT_CHECKER)
    rng = Random(name)
    for _ in range(100):
        text = dfa.sample(rng, max_length=20)
        assert text is not None
        if name != "email" or "@" in text:
            assert validator.is_valid(text), text


@given(st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32))
def test_dates_are_those_of_the_calendar(year: int, month: int, day: int) -> None:
    """A date exists exactly if the calendar has it; year 0000 is left out."""
    try:
        date(year, month, day)
    except ValueError:
        exists = False
    else:
        exists = True
    assert accepts("date", f"{year:04}-{month:02}-{day:02}") == exists


@given(st.lists(st.sampled_from([":", "::", "a", "1f", "0123", "1.2.3.4", "g", ".", ""]), max_size=10))
def test_ipv6_is_that_of_the_standard_library(parts: list[str]) -> None:
    """An address is accepted exactly if ``ipaddress`` reads it (zones apart)."""
    text = ":".join(parts)
    try:
        IPv6Address(text)
    except (AddressValueError, ValueError):
        valid = False
    else:
        valid = True
    assert accepts("ipv6", text) == valid


@pytest.mark.parametrize(
    ("name", "valid", "invalid"),
    [
        ("date-time", ["2024-02-29T23:59:60Z", "1990-12-31t15:59:59.5-08:00"], ["2023-02-29T00:00:00Z", "2024-01-01T00:00:00"]),
        ("time", ["00:00:00Z", "23:59:59.123+14:00"], ["24:00:00Z", "12:00Z", "12:00:00"]),
        ("duration", ["P1Y2M3DT4H5M6S", "P4W", "PT1H"], ["P", "PT", "P1Y1D", "P1W1D", "PT1H1S", "1Y"]),
        ("email", ["a.b+c@example.org", '"a b"@x.y', "a@[127.0.0.1]", "a@[IPv6:::1]"], ["a", "@b", ".a@b", "a..b@c", "a@-b"]),
        ("hostname", ["a", "a-b.c", "1.2", "x" * 63], ["", "-a", "a-", "a..b", "x" * 64, "a_b", ".".join(["abc"] * 64)]),
        ("ipv4", ["0.0.0.0", "255.249.9.10"], ["256.1.1.1", "1.1.1", "01.1.1.1"]),  # noqa: S104 - an address in a list
        ("uuid", ["2eb8aa08-aa98-11ea-b4aa-73b441d16380"], ["2eb8aa08aa9811eab4aa73b441d16380", ""]),
        ("uri", ["http://a/b?c#d", "urn:x:y", "a:", "http://[::1]:80/"], ["a b:c", "/a", "http://a b", "1:a", "http://[::g]/"]),
        ("uri-reference", ["", "/a/b", "//h", "a/b:c", "?q", "#f"], ["a b", "%zz", "\\", ":a"]),
        ("iri", ["http://\u00e9/\u00fc"], ["\u00e9:a", "/a"]),
        ("json-pointer", ["", "/a~0~1/", "/\n"], ["a", "/~", "/~2"]),
        ("relative-json-pointer", ["0", "1/a", "2#"], ["01", "-1", "#", "1##"]),
        ("uri-template", ["/{a}/{+b*,c:3}", "x"], ["{", "{a", "}", "{a b}"]),
    ],
)  # fmt: skip
def test_lists_by_hand(name: str, valid: list[str], invalid: list[str]) -> None:
    """Valid and invalid strings of each format."""
    assert [text for text in valid if not accepts(name, text)] == []
    assert [text for text in invalid if accepts(name, text)] == []


def test_unknown_formats_are_none() -> None:
    """A format without an automaton is ``None``, not any string; it has no length either."""
    assert format_dfa("no-such-format") is None
    assert format_length("no-such-format") == (0, None)
    assert format_dfa("uuid") is format_dfa("uuid")
