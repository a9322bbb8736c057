"""The texts that pydantic reads as values of Python's types: ECMA patterns that are never wider than what it takes.

Each is anchored at both ends.  Where pydantic takes more spellings than one would write (any scheme of a URL with any
authority, regular expressions with groups in groups in groups), the usual ones are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from ..regular.formats import DATE, IPV4, IPV6, OCTET

DIGITS = 15
"""A number of JSON is read as a double where it has a point, and a double keeps this many digits."""

FLOAT_KEY = rf"^-?(?:0|[1-9][0-9]{{0,{DIGITS - 1}}})(?:\.[0-9]{{1,{DIGITS}}})?$"
INTEGER_KEY = r"^(?:0|-?[1-9][0-9]{0,17})$"  # 64 bits
BYTE_SIZE = r"^[0-9]{1,12}(?:\.[0-9]{1,3})? ?(?:[kmgtp]i?)?b$"
COMPLEX = r"^-?[0-9]{1,15}(?:\.[0-9]{1,15})?[+-][0-9]{1,15}(?:\.[0-9]{1,15})?j$"
FRACTION = r"^-?(?:0|[1-9][0-9]{0,39})(?:/[1-9][0-9]{0,39})?$"
ASCII = r"^[\x00-\x7F]*$"
HEX = r"^(?:[0-9A-Fa-f]{2})*$"
# The bits of the last digit that belong to no byte are 0.
BASE64 = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$"
BASE64URL = r"^(?:[A-Za-z0-9_\-]{4})*(?:[A-Za-z0-9_\-][AQgw]==|[A-Za-z0-9_\-]{2}[AEIMQUYcgkosw048]=)?$"
NO_LEAP_SECOND = r":[0-9]{2}:[0-5][0-9]"  # beside the formats time and date-time, which have them
NAIVE = rf"^(?!0000){DATE}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{{1,6}})?$"
# At most four digits a unit, or five of seconds: 11,000 years at most, of the 2,700,000 that a timedelta has.
DURATION = r"^P(?:[0-9]{1,4}[YMWD])*(?:T(?:[0-9]{1,4}[HM])*(?:[0-9]{1,5}S)?)?$"  # beside the format duration
TRIMMED = r"^(?:[^\s\x85](?:[^]*[^\s\x85])?)?$"

_PREFIX_4 = r"(?:3[0-2]|[12]?[0-9])"
_PREFIX_6 = r"(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])"
_GROUP = r"(?:0|[1-9A-Fa-f][0-9A-Fa-f]{0,3})"


@lru_cache
def _network4() -> str:
    """Every network of IPv4: no bit is set behind the prefix."""
    forms = [rf"{IPV4}(?:/32)?"]
    for prefix in range(32):
        whole, rest = divmod(prefix, 8)
        octets = [OCTET] * whole
        octets.append("(?:" + "|".join(str(n) for n in range(0, 256, 1 << (8 - rest))) + ")")
        octets += ["0"] * (3 - whole)
        forms.append(r"\.".join(octets) + f"/{prefix}")
    return "(?:" + "|".join(forms) + ")"


@lru_cache
def _network6() -> str:
    """Networks of IPv6: one address, or a prefix of whole groups."""
    forms = [rf"{IPV6}(?:/128)?", "::/0"]
    forms += [rf"{_GROUP}(?::{_GROUP}){{{groups - 1}}}::/{16 * groups}" for groups in range(1, 8)]
    return "(?:" + "|".join(forms) + ")"


_INTERFACE_4 = rf"{IPV4}(?:/{_PREFIX_4})?"
_INTERFACE_6 = rf"(?:{IPV6})(?:/{_PREFIX_6})?"

_LABEL = r"[A-Za-z0-9]{1,20}(?:-[A-Za-z0-9]{1,20}){0,2}"
_TOP = r"[A-Za-z][A-Za-z0-9]{1,20}"  # a host that ends in a number is read as an address of IPv4
_PORT = r"(?:[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_USER = r"[A-Za-z0-9\-._~!$&()*+]"  # a comma parts hosts where there may be several
_PCHAR = r"(?:[A-Za-z0-9\-._~!$&()*+,;=:@]|%[0-9A-Fa-f]{2})"
_HOST = rf"(?:(?:{_LABEL}\.)*{_TOP}|{IPV4}|\[{IPV6}\])"
_TAIL = rf"(?:/{_PCHAR}*)*(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"
_AUTHORITY = rf"//(?:{_USER}+(?::{_USER}*)?@)?{_HOST}(?::{_PORT})?{_TAIL}"
_SPECIAL = ("https?", "wss?", "ftp", "file")  # schemes that always have a host, or none (WHATWG URL, section 3.1)


def url(schemes: tuple[str, ...] | None) -> str:
    """The URLs with a scheme of these, or with any."""
    if schemes is None:
        special = "|".join(_SPECIAL)
        usual = "|".join(_SPECIAL[:-1])
        other = rf"(?!(?:{special}):)[a-z][a-z0-9+.\-]*:(?:{_AUTHORITY}|{_PCHAR}+{_TAIL})"
        return rf"^(?:(?:{usual}):{_AUTHORITY}|file:///{_PCHAR}+{_TAIL}|{other})$"
    hosts = "|".join(scheme.replace("+", r"\+").replace(".", r"\.") for scheme in schemes if scheme != "file")
    forms = [rf"(?:{hosts}):{_AUTHORITY}"] if hosts else []
    if "file" in schemes:
        forms.append(rf"file:///{_PCHAR}+{_TAIL}")
    return "^(?:" + "|".join(forms) + ")$"


_WORD = r"[A-Za-z0-9]{1,10}"
_LOCAL = rf"{_WORD}(?:[._+\-]{_WORD}){{0,3}}"
# Domains that are no one's (RFC 6761 and its kin) are refused by the package email-validator.
_RESERVED = r"(?:arpa|invalid|local|localhost|onion|test|alt|internal)"
_DOMAIN = rf"(?:{_LABEL}\.){{1,3}}(?!{_RESERVED}$)[a-z]{{2,10}}"


def _expression(depth: int = 3) -> str:
    """Regular expressions that Python and ECMAScript read alike, groups nested so deep."""
    escape = r"\\[dDwWsStnrfv.^$|?*+()\[\]{}/\\\-]"
    member = r"(?:a-z|A-Z|0-9|[A-Za-z0-9_ .,:;@#%/+*=?!<>\"']|\\[dwstnrfv.^$|?*+()\[\]{}/\\\-])"
    atom = rf"(?:[^\\^$.|?*+()\[\]{{}}]|\.|{escape}|\[\^?{member}+\])"
    often = r"(?:(?:[*+?]|\{[0-9]{1,3},?\}|\{0,[1-9][0-9]{0,2}\})\??)?"
    parts = rf"(?:[|^$]|\\b|{atom}{often})*"
    for _ in range(depth):
        parts = rf"(?:[|^$]|\\b|{atom}{often}|\((?:\?:)?{parts}\){often}|\(\?[=!]{parts}\))*"
    return parts


@lru_cache
def of_format(name: str) -> str | None:
    """The texts of a format that pydantic names in its schemas, where that is not one of JSON Schema's own."""
    version = name.removeprefix("uuid")
    if version != name and version in set("12345678"):
        return (
            rf"^[0-9A-Fa-f]{{8}}-[0-9A-Fa-f]{{4}}-{version}[0-9A-Fa-f]{{3}}-[89ABab][0-9A-Fa-f]{{3}}-[0-9A-Fa-f]{{12}}$"
        )
    forms: dict[str, Callable[[], str]] = {
        "ipv4network": _network4,
        "ipv6network": _network6,
        "ipv4interface": lambda: _INTERFACE_4,
        "ipv6interface": lambda: _INTERFACE_6,
        "ipvanyaddress": lambda: rf"{IPV4}|{IPV6}",
        "ipvanynetwork": lambda: rf"{_network4()}|{_network6()}",
        "ipvanyinterface": lambda: rf"{_INTERFACE_4}|{_INTERFACE_6}",
        "color": lambda: "#[0-9A-Fa-f]{6}",
        "email": lambda: rf"{_LOCAL}@{_DOMAIN}",
        "name-email": lambda: rf"(?:[A-Za-z]{{1,20}}(?: [A-Za-z]{{1,20}}){{0,3}} <{_LOCAL}@{_DOMAIN}>)",
        "regex": _expression,
        "base64": lambda: BASE64[1:-1],
        "base64url": lambda: BASE64URL[1:-1],
    }
    form = forms.get(name)
    return None if form is None else f"^(?:{form()})$"


def ascii_base64(*, url_safe: bool) -> str:
    """Base64 of ASCII text: the first bit of each of its three bytes is 0."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + ("-_" if url_safe else "+/")

    def digits(mask: int) -> str:
        return "[" + "".join("\\" + c if c == "-" else c for i, c in enumerate(alphabet) if not i & mask) + "]"

    one, two, three = digits(0b100000), digits(0b001000), digits(0b000010)
    return rf"^(?:{one}{two}{three}{digits(0)})*(?:{one}{digits(0b001111)}==|{one}{two}{digits(0b000011)}=)?$"


def decimal(max_digits: int | None, places: int | None) -> str:
    """Decimals of at most so many digits, and so many of them behind the point."""
    if max_digits is None:
        fraction = r"(?:\.[0-9]+)?" if places is None else rf"(?:\.[0-9]{{1,{places}}})?" if places else ""
        return rf"^-?(?:0|[1-9][0-9]*){fraction}$"
    whole = max_digits if places is None else max(max_digits - places, 0)
    forms = []
    for before in range(whole + 1):
        behind = max_digits - before if places is None else min(places, max_digits - before)
        if before == 0:
            # 0 itself counts as a digit before the point, and there may be none.
            point = rf"\.[0-9]{{1,{behind}}}"
            forms.append(f"0(?:{point})?" if behind and whole else f"0{point}" if behind else "0")
        elif places is None or before == whole:
            first = rf"[1-9][0-9]{{0,{before - 1}}}" if places is not None else rf"[1-9][0-9]{{{before - 1}}}"
            forms.append(first + (rf"(?:\.[0-9]{{1,{behind}}})?" if behind else ""))
    return rf"^-?(?:{'|'.join(forms)})$"


def between(low: str, high: str) -> str:
    """The texts between two of the same length, digits at the same places of both, in the order of their digits."""
    if low == high:
        return low
    if low[0] == high[0]:
        return low[0] + between(low[1:], high[1:])
    rest = "".join("[0-9]" if c.isdigit() else c for c in low[1:])
    least, most = ("".join(digit if c.isdigit() else c for c in low[1:]) for digit in "09")
    first, last = int(low[0]), int(high[0])
    forms = [f"{first}{between(low[1:], most)}"]
    forms += [f"[{first + 1}-{last - 1}]{rest}"] if last - first > 1 else []
    forms.append(f"{last}{between(least, high[1:])}")
    return "(?:" + "|".join(forms) + ")"


def seconds(low: int, high: int) -> str:
    """Durations of whole seconds between two numbers of them, none of them negative."""
    lengths = range(len(str(low)), len(str(high)) + 1)
    forms = [between(str(max(low, 10 ** (n - 1) * (n > 1))), str(min(high, 10**n - 1))) for n in lengths]
    return f"^PT(?:{'|'.join(forms)})S$"
