"""Formats of JSON Schema as character automata, each after the document that defines it.

What a format's document says that an automaton cannot (an internationalised host name must be valid IDNA) is narrowed,
never widened: such strings are not produced.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from .dfa import CharDfa

# RFC 3339.  Year 0000 is left out: it is legal there and an error in most date libraries.
_LEAP_YEAR = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DATE = (
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
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"


def _ipv6() -> str:
    """RFC 4291, section 2.2, as the rule IPv6address of RFC 3986 writes it out."""
    group = "[0-9A-Fa-f]{1,4}"
    last = rf"(?:{group}:{group}|{_IPV4})"
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


_IPV6 = _ipv6()


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
    host = rf"(?:\[(?:{_IPV6}|{future})\]|(?:[{plain}]|{escaped})*)"
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
    literal = _whole(rf"\[(?:{_IPV4}|IPv6:{_IPV6})\]")
    return local + _whole("@") + (domain | literal)


_FORMATS: dict[str, Callable[[], CharDfa]] = {
    "date": lambda: _whole(_DATE) - _whole("0000.*"),
    "time": lambda: _whole(_TIME),
    "date-time": lambda: _whole(f"{_DATE}[Tt]{_TIME}") - _whole("0000.*"),
    "duration": lambda: _whole(_DURATION),
    "email": _email,
    "hostname": _hostname,
    "ipv4": lambda: _whole(_IPV4),
    "ipv6": lambda: _whole(_IPV6),
    "uuid": lambda: _whole(_UUID),
    "uri": lambda: _whole(_uri(beyond_ascii=False, relative=False)),
    "uri-reference": lambda: _whole(_uri(beyond_ascii=False, relative=True)),
    "iri": lambda: _whole(_uri(beyond_ascii=True, relative=False)),
    "iri-reference": lambda: _whole(_uri(beyond_ascii=True, relative=True)),
    "uri-template": lambda: _whole(_URI_TEMPLATE),
    "json-pointer": lambda: _whole(_POINTER),
    "relative-json-pointer": lambda: _whole(rf"(?:0|[1-9][0-9]*)(?:#|{_POINTER})"),
}

KNOWN_FORMATS = frozenset(_FORMATS)
"""Names of the formats that are enforced."""


@lru_cache(maxsize=len(_FORMATS))
def _build(name: str) -> CharDfa:
    return _FORMATS[name]()


def format_dfa(name: str) -> CharDfa | None:
    """The strings of a format, or ``None`` where it is not known."""
    return _build(name) if name in _FORMATS else None


def format_length(name: str) -> tuple[int, int | None]:
    """A bound on the number of characters that belongs to the format beside its automaton (hostname: 253)."""
    return (1, 253) if name == "hostname" else (0, None)
