"""Formats of JSON Schema as character automata, each after the document that defines it.

What a format's document says that an automaton cannot (an internationalised host name must be valid IDNA) is narrowed,
never widened: such strings are not produced, and ``format_left_out`` says so.  Where a format is negated, its complement
must not have them either, so each such format has a bound that has them all.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from .dfa import CharDfa
from .patterns import ecma_patterns

# RFC 3339.  Year 0000 is left out: it is legal there and an error in most date libraries.
_LEAP_YEAR = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
DATE = (
    r"(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    rf"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_OFFSET = r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_FRACTION = r"(?:\.[0-9]+)?"
# A leap second comes at 23:59:60 UTC; of its spellings in other zones none is produced.
_TIME = (
    rf"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]{_FRACTION}{_OFFSET}"
    rf"|23:59:60{_FRACTION}(?:[Zz]|[+-]00:00))"
)
# RFC 3339, appendix A: units come in order, none may be skipped between two.
_DURATION_TIME = r"T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
_DURATION = rf"P(?:(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)(?:{_DURATION_TIME})?|{_DURATION_TIME}|[0-9]+W)"
OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4 = rf"(?:{OCTET}\.){{3}}{OCTET}"
_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"


def _ipv6() -> str:
    """RFC 4291, section 2.2, as the rule IPv6address of RFC 3986 writes it out."""
    group = "[0-9A-Fa-f]{1,4}"
    last = rf"(?:{group}:{group}|{IPV4})"
    return "(?:" + "|".join([
        rf"(?:{group}:){{6}}{last}",
        rf"::(?:{group}:){{5}}{last}",
        rf"(?:{group})?::(?:{group}:){{4}}{last}",
        rf"(?:(?:{group}:){{0,1}}{group})?::(?:{group}:){{3}}{last}",
        rf"(?:(?:{group}:){{0,2}}{group})?::(?:{group}:){{2}}{last}",
        rf"(?:(?:{group}:){{0,3}}{group})?::{group}:{last}",
        rf"(?:(?:{group}:){{0,4}}{group})?::{last}",
        rf"(?:(?:{group}:){{0,5}}{group})?::{group}",
        rf"(?:(?:{group}:){{0,6}}{group})?::",
    ]) + ")"  # fmt: skip


IPV6 = _ipv6()


def _uri(*, beyond_ascii: bool, relative: bool) -> str:
    """RFC 3986, appendix A; RFC 3987, section 2.2 with characters beyond ASCII."""
    ucs = (
        r"\u{A0}-\u{D7FF}\u{F900}-\u{FDCF}\u{FDF0}-\u{FFEF}"
        + "".join(rf"\u{{{plane:X}0000}}-\u{{{plane:X}FFFD}}" for plane in range(1, 14))
        + r"\u{E1000}-\u{EFFFD}"
        if beyond_ascii
        else ""
    )
    private = r"\u{E000}-\u{F8FF}\u{F0000}-\u{FFFFD}\u{100000}-\u{10FFFD}" if beyond_ascii else ""
    plain = rf"A-Za-z0-9\-._~!$&'()*+,;={ucs}"
    escaped = "%[0-9A-Fa-f]{2}"
    pchar = rf"(?:[{plain}:@]|{escaped})"
    segments = rf"(?:/{pchar}*)*"
    query = rf"(?:\?(?:[{plain}:@/?{private}]|{escaped})*)?"
    fragment = rf"(?:#(?:[{plain}:@/?]|{escaped})*)?"
    future = r"[vV][0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+"
    host = rf"(?:\[(?:{IPV6}|{future})\]|(?:[{plain}]|{escaped})*)"
    authority = rf"(?:(?:[{plain}:]|{escaped})*@)?{host}(?::[0-9]*)?"
    rooted = rf"//{authority}{segments}|/(?:{pchar}+{segments})?"
    absolute = rf"[A-Za-z][A-Za-z0-9+\-.]*:(?:{rooted}|{pchar}+{segments}|){query}{fragment}"
    if not relative:
        return absolute
    first = rf"(?:[{plain}@]|{escaped})+"  # a relative path's first segment has no colon
    return rf"(?:{absolute}|(?:{rooted}|{first}{segments}|){query}{fragment})"


_TEMPLATE_NAME = r"(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})+(?:\.(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})+)*"
_TEMPLATE_VARIABLE = rf"{_TEMPLATE_NAME}(?::[1-9][0-9]{{0,3}}|\*)?"
# RFC 6570, section 2.
_URI_TEMPLATE = (
    r"(?:[\x21\x23\x24\x26-\x3B\x3D\x3F-\x5B\x5D\x5F\x61-\x7A\x7E\u{A0}-\u{D7FF}\u{E000}-\u{10FFFD}]"
    rf"|%[0-9A-Fa-f]{{2}}|\{{[+#./;?&=,!@|]?{_TEMPLATE_VARIABLE}(?:,{_TEMPLATE_VARIABLE})*\}})*"
)
_POINTER = r"(?:/(?:[^/~]|~[01])*)*"


def _whole(pattern: str) -> CharDfa:
    return CharDfa.from_regex(f"^(?:{pattern})$")


def _hostname() -> CharDfa:
    """RFC 1123, section 2.1, labels of RFC 5890 without the reserved ones (``--`` in places 3 and 4)."""
    label = _whole(r"[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?") - _whole("..--.*")
    return label + (_whole(r"\.") + label).star()


_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'


def _email() -> CharDfa:
    """RFC 5321, section 4.1.2: a mailbox."""
    local = _whole(rf"{_ATEXT}+(?:\.{_ATEXT}+)*|{_QUOTED}")
    domain = _whole(r"(?:[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?")
    literal = _whole(rf"\[(?:{IPV4}|IPv6:{IPV6})\]")
    return local + _whole("@") + (domain | literal)


_LETTERS_FROM, _LETTERS_TO = 0x80, 0xFFFF
_JAMO = ((0x1100, 0x11FF), (0xA960, 0xA97F), (0xD7B0, 0xD7FF))  # RFC 5892, section 2.9: they compose with each other
_UNICODE_LABEL = 8
"""Characters of a label beyond ASCII: each becomes at most 7 in its A-label (RFC 3492: a delta below 2**21, of which a
digit takes at least a tenth), which with its prefix has at most 63."""


@lru_cache(maxsize=1)
def _letters() -> str:
    """Return the class of letters that RFC 5892 allows anywhere in a label, in scripts written from left to right.

    They are those of section 2.1 that neither depend on their context nor combine with a character before them.
    """
    codes = [
        code
        for code in range(_LETTERS_FROM, _LETTERS_TO + 1)
        if unicodedata.category(chr(code)) in ("Ll", "Lo")
        and unicodedata.bidirectional(chr(code)) == "L"
        and not any(low <= code <= high for low, high in _JAMO)
        and _stable(chr(code))
    ]
    return "".join(rf"\u{{{first:X}}}-\u{{{last:X}}}" for first, last in _runs(codes))


def _stable(letter: str) -> bool:
    """RFC 5892, section 2.2: neither compatibility nor case is to be folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", letter).casefold()) == letter


def _runs(codes: list[int]) -> Iterator[tuple[int, int]]:
    first = last = codes[0]
    for code in codes[1:]:
        if code > last + 1:
            yield first, last
            first = code
        last = code
    yield first, last


def _idn_hostname() -> CharDfa:
    """RFC 5890, section 2.3.2.3, of at most three labels where there is one beyond ASCII, so that no length is exceeded."""
    plain = _whole(r"[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?") - _whole("..--.*")
    letters = _letters()
    label = _whole(rf"[a-z0-9{letters}](?:[a-z0-9\-{letters}]*[a-z0-9{letters}])?") & CharDfa.from_length(
        1, _UNICODE_LABEL
    )
    either = plain | (label - _whole("..--.*"))
    more = _whole("") | (_whole(r"\.") + either)
    return _hostname() | (either + more + more)


def _idn_email() -> CharDfa:
    """RFC 6531, section 3.3: a mailbox with characters beyond ASCII."""
    beyond = r"\u{80}-\u{D7FF}\u{E000}-\u{10FFFF}"
    atext = _ATEXT.replace("]", f"{beyond}]")
    local = _whole(rf'{atext}+(?:\.{atext}+)*|"(?:[ !#-\[\]-~{beyond}]|\\[ -~])*"')
    return _email() | (local + _whole("@") + _idn_hostname())


class _Format(NamedTuple):
    """A format: its strings; and where some are left out, which, and a language that has them all."""

    strings: Callable[[], CharDfa]
    left_out: str = ""
    bound: Callable[[], CharDfa] = CharDfa.any_string


_YEAR_0000 = "the year 0000, which most date libraries do not know"
_LEAP = "leap seconds but in UTC"
_ANY_TIME = rf"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60){_FRACTION}{_OFFSET}"
_ANY_DATE = f"(?:{DATE}|0000-02-29)"
_IDNA = "names that take the tables of IDNA to judge"

_FORMATS: dict[str, _Format] = {
    "date": _Format(lambda: _whole(DATE) - _whole("0000.*"), _YEAR_0000, lambda: _whole(_ANY_DATE)),
    "time": _Format(lambda: _whole(_TIME), _LEAP, lambda: _whole(_ANY_TIME)),
    "date-time": _Format(
        lambda: _whole(f"{DATE}[Tt]{_TIME}") - _whole("0000.*"),
        f"{_LEAP}, and {_YEAR_0000}",
        lambda: _whole(f"{_ANY_DATE}[Tt]{_ANY_TIME}"),
    ),
    "duration": _Format(lambda: _whole(_DURATION)),
    "email": _Format(_email),
    "idn-email": _Format(_idn_email, f"host {_IDNA}", lambda: _whole("[^]*@[^]*")),
    "hostname": _Format(_hostname, f"labels with '--' in places 3 and 4: {_IDNA}", lambda: _whole(r"[A-Za-z0-9.\-]+")),
    "idn-hostname": _Format(_idn_hostname, f"most {_IDNA}", lambda: _whole("[^]+")),
    "ipv4": _Format(lambda: _whole(IPV4)),
    "ipv6": _Format(lambda: _whole(IPV6)),
    "uuid": _Format(lambda: _whole(_UUID)),
    "uri": _Format(lambda: _whole(_uri(beyond_ascii=False, relative=False))),
    "uri-reference": _Format(lambda: _whole(_uri(beyond_ascii=False, relative=True))),
    "iri": _Format(lambda: _whole(_uri(beyond_ascii=True, relative=False))),
    "iri-reference": _Format(lambda: _whole(_uri(beyond_ascii=True, relative=True))),
    "uri-template": _Format(lambda: _whole(_URI_TEMPLATE)),
    "json-pointer": _Format(lambda: _whole(_POINTER)),
    "relative-json-pointer": _Format(lambda: _whole(rf"(?:0|[1-9][0-9]*)(?:#|{_POINTER})")),
    "regex": _Format(ecma_patterns, "expressions beyond a regular subset (deep groups, back-references, some ranges)"),
}

KNOWN_FORMATS = frozenset(_FORMATS)
"""Names of the formats that are enforced."""


@lru_cache(maxsize=2 * len(_FORMATS))
def _build(name: str, *, bound: bool) -> CharDfa:
    return _FORMATS[name].bound() if bound else _FORMATS[name].strings()


def format_dfa(name: str) -> CharDfa | None:
    """The strings of a format, or ``None`` where it is not known."""
    return _build(name, bound=False) if name in _FORMATS else None


def format_left_out(name: str) -> str:
    """What of a known format is not produced, or an empty string."""
    return _FORMATS[name].left_out


def format_bound(name: str) -> CharDfa:
    """A language that has every string of a known format, those left out too: what is not in it is certainly invalid."""
    if _FORMATS[name].left_out:
        return _build(name, bound=True)
    return _build(name, bound=False)


def format_length(name: str) -> tuple[int, int | None]:
    """A bound on the number of characters that belongs to the format beside its automaton (host names: 253)."""
    return (1, 253) if name in ("hostname", "idn-hostname") else (0, None)
