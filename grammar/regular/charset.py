"""Sets of characters: sorted ranges, their algebra, case folding, Unicode properties, the dialects' shorthands."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import numpy as np
import regex

from .dfa import FIRST_SURROGATE, LAST_SURROGATE, MAX_CODE_POINT, SCALARS, Dialect, Ranges

NO_CHARACTER: Final[Ranges] = ()
ASCII_DIGITS: Final[Ranges] = ((0x30, 0x39),)
ASCII_WORD: Final[Ranges] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
ASCII_SPACE: Final[Ranges] = ((0x09, 0x0D), (0x20, 0x20))
ECMA_SPACE: Final[Ranges] = (
    *ASCII_SPACE,
    *((c, c) for c in (0xA0, 0x1680)),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    *((c, c) for c in (0x202F, 0x205F, 0x3000, 0xFEFF)),
)
"""ECMA-262 WhiteSpace and LineTerminator: Zs, the ASCII controls 9-13, BOM, U+2028, U+2029; a scan for Zs costs 10 ms."""

_LAST_CASED: Final = 0x1E943
"""The last code point with a case mapping (Adlam); later Unicode versions have added none above it."""


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Sorted, disjoint, joined ranges of code points."""
    out: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(high, out[-1][1]))
        else:
            out.append((low, high))
    return tuple(out)


def gaps(ranges: Ranges) -> Ranges:
    """Every code point outside of merged ranges."""
    out: list[tuple[int, int]] = []
    at = 0
    for low, high in ranges:
        if low > at:
            out.append((at, low - 1))
        at = high + 1
    if at <= MAX_CODE_POINT:
        out.append((at, MAX_CODE_POINT))
    return tuple(out)


def normalise(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Sorted, disjoint, joined ranges without surrogates."""
    clean: list[tuple[int, int]] = []
    for low, high in merged(ranges):
        if high < FIRST_SURROGATE or low > LAST_SURROGATE:
            clean.append((low, high))
            continue
        if low < FIRST_SURROGATE:
            clean.append((low, FIRST_SURROGATE - 1))
        if high > LAST_SURROGATE:
            clean.append((LAST_SURROGATE + 1, high))
    return tuple(clean)


def negate(ranges: Ranges) -> Ranges:
    """Every scalar value outside of normalised ranges."""
    return normalise(gaps(ranges))


def intersect(a: Ranges, b: Ranges) -> Ranges:
    """Characters of both."""
    return negate(normalise((*negate(a), *negate(b))))


def contains(ranges: Ranges, code: int) -> bool:
    """Whether a code point lies in the ranges."""
    return any(low <= code <= high for low, high in ranges)


@lru_cache(maxsize=1)
def _every_character() -> str:
    codes = np.arange(MAX_CODE_POINT + 1, dtype="<u4")
    return np.concatenate((codes[:FIRST_SURROGATE], codes[LAST_SURROGATE + 1 :])).tobytes().decode("utf-32-le")


def _matching(pattern: re.Pattern[str] | regex.Pattern[str]) -> Ranges:
    spans = (match.span() for match in pattern.finditer(_every_character()))
    shift = LAST_SURROGATE + 1 - FIRST_SURROGATE
    out: list[tuple[int, int]] = []
    for begin, end in spans:
        if begin < FIRST_SURROGATE < end:
            out += [(begin, FIRST_SURROGATE - 1), (LAST_SURROGATE + 1, end - 1 + shift)]
        elif begin < FIRST_SURROGATE:
            out.append((begin, end - 1))
        else:
            out.append((begin + shift, end - 1 + shift))
    return normalise(out)


@lru_cache(maxsize=512)
def unicode_property(name: str) -> Ranges | None:
    r"""Characters of ``\p{name}`` (general category, script, binary property), or ``None`` if it does not exist."""
    try:
        pattern = regex.compile(r"\p{" + name + "}+", regex.V1)
    except regex.error:
        return None
    return _matching(pattern)


@lru_cache(maxsize=32)
def shorthand(letter: str, dialect: Dialect, ascii_only: bool) -> Ranges:
    r"""Characters of ``\d``, ``\w`` or ``\s`` (``letter``) in a dialect."""
    if dialect == "ecma" or ascii_only:
        space = ECMA_SPACE if dialect == "ecma" else ASCII_SPACE
        return {"d": ASCII_DIGITS, "w": ASCII_WORD, "s": space}[letter]
    if dialect == "rust":
        names = {
            "d": ("Nd",),
            "s": ("White_Space",),
            # Unicode Technical Standard 18, annex C.
            "w": ("Alphabetic", "M", "Nd", "Pc", "Join_Control"),
        }[letter]
        return normalise(pair for name in names for pair in unicode_property(name) or ())
    return _matching(re.compile(f"\\{letter}+"))


def any_but_newline(dialect: Dialect) -> Ranges:
    """Characters of the dot without the s flag."""
    newlines = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)) if dialect == "ecma" else ((0x0A, 0x0A),)
    return negate(newlines)


@lru_cache(maxsize=2)
def _orbits(python: bool) -> dict[int, tuple[int, ...]]:
    """Map each cased code point to every code point that it matches without regard to case."""
    groups: dict[str, list[int]] = {}
    for code in range(_LAST_CASED + 1):
        x = chr(code)
        if python:
            # CPython compares simple lower case, and lower-case letters with the same upper case.
            lower = x.lower()
            key = (lower if len(lower) == 1 else lower[0]).upper()
        else:
            # Simple case folding of CaseFolding.txt: the full one where it is one character.
            key = x.casefold()
            if len(key) > 1:
                lower = x.lower()
                key = lower if len(lower) == 1 else x
        if key != x or x.lower() != x or x.upper() != x:
            groups.setdefault(key, []).append(code)
    return {code: tuple(group) for group in groups.values() if len(group) > 1 for code in group}


@lru_cache(maxsize=1024)
def fold_case(ranges: Ranges, dialect: Dialect) -> Ranges:
    """Close a set under case-insensitive equality."""
    if ranges == SCALARS:
        return ranges
    orbits = _orbits(dialect == "python")
    extra: list[tuple[int, int]] = []
    for low, high in ranges:
        inside = range(low, high + 1) if high - low < len(orbits) else (c for c in orbits if low <= c <= high)
        for code in inside:
            extra.extend((other, other) for other in orbits.get(code, ()))
    return normalise((*ranges, *extra))


POSIX_CLASSES: Final[dict[str, Ranges]] = {
    "alnum": normalise(((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A))),
    "alpha": normalise(((0x41, 0x5A), (0x61, 0x7A))),
    "ascii": ((0x00, 0x7F),),
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "cntrl": ((0x00, 0x1F), (0x7F, 0x7F)),
    "digit": ASCII_DIGITS,
    "graph": ((0x21, 0x7E),),
    "lower": ((0x61, 0x7A),),
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": ASCII_SPACE,
    "upper": ((0x41, 0x5A),),
    "word": ASCII_WORD,
    "xdigit": ((0x30, 0x39), (0x41, 0x46), (0x61, 0x66)),
}
"""The bracketed ASCII classes of Rust's dialect."""

assert sys.maxunicode == MAX_CODE_POINT  # noqa: S101 - a narrow build of Python would break every table here
