"""Types of Python as schemas: whatever the constraint lets through is a value of the type, or the schema says what is not known."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import fractions
import ipaddress
import pathlib
import random
import re
import uuid
import zoneinfo
from decimal import Decimal
from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import pytest
from corpus_walks import Walker

import syntagma as sg
from syntagma.engine.extract import ExtractionFailed, Extractor
from syntagma.grammar.errors import InvalidSource
from syntagma.grammar.jsonschema import python_texts

if TYPE_CHECKING:
    from syntagma.engine.model import LanguageModel

pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed")
from pydantic import Field, TypeAdapter, ValidationError  # noqa: E402

VOCAB = sg.Vocabulary([bytes([byte]) for byte in range(256)] + [None], eos_ids=[256])

WALKS = 60


def money(**bounds: Any) -> Any:
    """A decimal with bounds."""
    return Annotated[Decimal, Field(**bounds)]


def extractor(kind: Any) -> Extractor:
    """An extractor whose model is never asked."""
    return Extractor(cast("LanguageModel", SimpleNamespace(vocab=VOCAB)), kind)


class Mixed(enum.Enum):
    """Members of several types."""

    TEXT = "x"
    NUMBER = 1
    HALF = 2.5
    NOTHING = None
    YES = True


class Dated(enum.Enum):
    """Some members that JSON has no values for."""

    DAY = dt.date(2020, 1, 1)
    TEXT = "x"
    PAIR = (1, 2)


class Strict(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    """Options of a model that change what its fields take."""

    model_config = pydantic.ConfigDict(str_strip_whitespace=True, val_json_bytes="hex", allow_inf_nan=False)
    name: Annotated[str, Field(min_length=2)]
    code: Annotated[bytes, Field(min_length=1, max_length=2)]
    size: float


class Coded(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    """Bytes as base64."""

    model_config = pydantic.ConfigDict(val_json_bytes="base64", ser_json_bytes="base64")
    code: bytes


@dataclasses.dataclass
class Order:
    """Types within types."""

    strict: Strict
    coded: Coded
    price: Annotated[Decimal, Field(max_digits=5, decimal_places=2)]
    lasts: dt.timedelta | None
    at: list[pydantic.NaiveDatetime]


HOUR = dt.timedelta(hours=1)
SAFE: dict[str, Any] = {
    "Decimal": Decimal,
    "Decimal, 5 digits, 2 places": money(max_digits=5, decimal_places=2),
    "Decimal, 5 digits": money(max_digits=5),
    "Decimal, 2 places": money(decimal_places=2),
    "Decimal, places only": money(max_digits=2, decimal_places=2),
    "Decimal, more digits than a double": money(max_digits=20, decimal_places=2),
    "Decimal from 0 to 100": money(max_digits=5, decimal_places=2, ge=0, le=100),
    "Decimal between": money(decimal_places=3, gt=-1, lt=Decimal("0.3")),
    "Decimal above 0": money(gt=0),
    "Decimal, multiples": money(multiple_of=Decimal("0.05")),
    "Decimal, multiples and digits": money(multiple_of=Decimal("0.03"), max_digits=6, decimal_places=2),
    "Fraction": fractions.Fraction,
    "Fraction from a third": Annotated[fractions.Fraction, Field(ge=fractions.Fraction(1, 3))],
    "finite float": pydantic.FiniteFloat,
    "float above 0": pydantic.PositiveFloat,
    "complex": complex,
    "timedelta": dt.timedelta,
    "timedelta to an hour": Annotated[dt.timedelta, Field(le=HOUR)],
    "timedelta above an hour": Annotated[dt.timedelta, Field(gt=HOUR)],
    "time": dt.time,
    "datetime": dt.datetime,
    "datetime with a zone": pydantic.AwareDatetime,
    "datetime without a zone": pydantic.NaiveDatetime,
    "datetime since 2020": Annotated[dt.datetime, Field(ge=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))],
    "past datetime": pydantic.PastDatetime,
    "date": dt.date,
    "date since 2020": Annotated[dt.date, Field(ge=dt.date(2020, 2, 29))],
    "date between": Annotated[dt.date, Field(gt=dt.date(2019, 12, 31), lt=dt.date(2021, 3, 1))],
    "past date": pydantic.PastDate,
    "bytes": bytes,
    "bytes of a length": Annotated[bytes, Field(min_length=2, max_length=4)],
    "Base64Bytes": pydantic.Base64Bytes,
    "Base64Str": pydantic.Base64Str,
    "Base64UrlStr": pydantic.Base64UrlStr,
    "ByteSize": pydantic.ByteSize,
    "IPv4Address": ipaddress.IPv4Address,
    "IPv6Address": ipaddress.IPv6Address,
    "IPv4Network": ipaddress.IPv4Network,
    "IPv6Network": ipaddress.IPv6Network,
    "IPv4Interface": ipaddress.IPv4Interface,
    "IPv6Interface": ipaddress.IPv6Interface,
    "IPvAnyAddress": pydantic.IPvAnyAddress,
    "IPvAnyNetwork": pydantic.IPvAnyNetwork,
    "Path": pathlib.Path,
    "Pattern": re.Pattern,
    "SecretStr": Annotated[pydantic.SecretStr, Field(max_length=4)],
    "SecretBytes": pydantic.SecretBytes,
    "AnyUrl": pydantic.AnyUrl,
    "HttpUrl": pydantic.HttpUrl,
    "FileUrl": pydantic.FileUrl,
    "PostgresDsn": pydantic.PostgresDsn,
    "UUID": uuid.UUID,
    "UUID4": pydantic.UUID4,
    "ZoneInfo": zoneinfo.ZoneInfo,
    "conlist": pydantic.conlist(int, min_length=1, max_length=3),
    "deque": collections.deque[int],
    "set": set[dt.date],
    "mixed enumeration": Mixed,
    "enumeration with a date": Dated,
    "mixed literal": Literal["a", 1, True],
    "stripped": Annotated[str, pydantic.StringConstraints(strip_whitespace=True, min_length=3)],
    "keys that are integers": dict[int, str],
    "keys that are decimals": dict[Decimal, int],
    "keys that are durations": dict[dt.timedelta, int],
    "keys with a pattern": dict[Annotated[str, Field(pattern="^x")], int],
    "Strict": Strict,
    "Order": Order,
}


def texts(kind: Any, walks: int, seed: str) -> list[str]:
    """Texts of random walks, free and under budgets."""
    constraint: Any = extractor(kind).constraint
    walker, found = Walker(constraint, random.Random(seed)), []
    bound = constraint.finish_bound(constraint.start)
    for number in range(walks):
        budget = (None, bound, bound + 1, bound + number % 9, 2 * bound + number % 17 + 5)[number % 5]
        with constraint.session() as session:
            style = ("bytes", "plain")[number % 2]
            if budget is None:
                walk = walker.walk(session, style, 5 + number % 30)
            else:
                walk = walker.walk_within(session, style, budget)
        found.append(walker.text(walk.tokens).decode())
    return found


@pytest.mark.parametrize("name", SAFE)
def test_whatever_comes_is_a_value_of_the_type(name: str) -> None:
    """Nothing is left unchecked, and texts of random walks are values of the type."""
    kind = SAFE[name]
    assert extractor(kind).unchecked == ()
    adapter = TypeAdapter(kind)
    for text in texts(kind, WALKS, name):
        adapter.validate_json(text)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAFE)
def test_whatever_comes_of_many_walks_is_a_value_of_the_type(name: str) -> None:
    """The same of ten times as many walks, others than those."""
    adapter = TypeAdapter(SAFE[name])
    for text in texts(SAFE[name], 10 * WALKS, f"many: {name}"):
        adapter.validate_json(text)


def test_addresses_of_email() -> None:
    """With email-validator an address passes its checks; without, the error says what is missing."""
    try:
        import email_validator  # noqa: F401
    except ImportError:
        with pytest.raises(InvalidSource, match="email-validator"):
            extractor(pydantic.EmailStr)
        return
    adapter = TypeAdapter(pydantic.EmailStr)
    for text in texts(pydantic.EmailStr, WALKS, "email"):
        adapter.validate_json(text)


@pytest.mark.parametrize(("max_digits", "places"), list(product([None, 1, 2, 3], [None, 0, 1, 2, 3]))[1:])
def test_decimals_in_strings_are_exactly_those(max_digits: int | None, places: int | None) -> None:
    """Of all plain decimals of up to five characters the pattern has those that pydantic takes, apart from a dot at an end and zeros in excess."""
    adapter = TypeAdapter(money(max_digits=max_digits, decimal_places=places))
    pattern = re.compile(python_texts.decimal(max_digits, places))
    for before, behind in product(
        ["0", "1", "10", "12", "100", "123", "1000"], ["", "0", "5", "05", "50", "005", "0005"]
    ):
        for sign in ("", "-"):
            text = f"{sign}{before}.{behind}" if behind else sign + before
            try:
                adapter.validate_python(text)
            except ValidationError:
                assert not pattern.match(text), text
            else:
                fits = places is None or len(behind) <= places
                shown = len(before) + len(behind) - (before == "0" and bool(behind))
                if fits and (max_digits is None or shown <= max_digits):
                    assert pattern.match(text), text


def test_ranges_of_digits() -> None:
    """Between two texts of digits are those of their order."""
    for low, high in ((0, 0), (0, 999), (7, 7), (37, 412), (100, 199), (199, 200), (998, 999)):
        pattern = re.compile(python_texts.between(f"{low:03}", f"{high:03}"))
        assert [n for n in range(1000) if pattern.fullmatch(f"{n:03}")] == list(range(low, high + 1))
        lasting = re.compile(python_texts.seconds(low, high))
        assert [n for n in range(1200) if lasting.match(f"PT{n}S")] == list(range(low, high + 1))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Decimal, "19.99"),
        (Decimal, '"-0.05"'),
        (money(max_digits=5, decimal_places=2), "999.99"),
        (dt.timedelta, '"P3DT4H5M6S"'),
        (dt.timedelta, '"P2W"'),
        (pydantic.NaiveDatetime, '"2024-02-29T12:00:00"'),
        (pydantic.AwareDatetime, '"2024-02-29T12:00:00+01:00"'),
        (ipaddress.IPv4Network, '"10.0.0.0/8"'),
        (ipaddress.IPv4Network, '"192.168.64.0/18"'),
        (ipaddress.IPv6Network, '"2001:db8::/32"'),
        (pydantic.HttpUrl, '"https://user:pw@www.example.com:8080/a/b?c=d#e"'),
        (pydantic.AnyUrl, '"mailto:ada@example.com"'),
        (pydantic.AnyUrl, '"http://[::1]/"'),
        (pydantic.PostgresDsn, '"postgresql://user:pw@localhost:5432/db"'),
        (re.Pattern, r'"^(\\d{4})-(?:[a-z_]+|x*?)$"'),
        (pydantic.PastDate, '"1999-12-31"'),
        (fractions.Fraction, '"-3/4"'),
        (pydantic.ByteSize, '"1.5 mib"'),
    ],
)
def test_what_is_usually_written_is_there(kind: Any, text: str) -> None:
    """Where the texts of a type are narrowed, the usual ones are kept."""
    TypeAdapter(kind).validate_json(text)
    assert extractor(kind).constraint.accepts(text)


def never(value: int) -> int:
    """Reject everything."""
    raise ValueError(value)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Annotated[int, pydantic.AfterValidator(never)], "never validates it"),
        (pydantic.FilePath, "path exists"),
        (pydantic.NewPath, "validates it"),
        (pydantic.FutureDate, "future"),
        (pydantic.Json, "JSON"),
        (pydantic.ImportString, "import_string"),
        (set[Any], "members of a set"),
        (Annotated[dt.time, Field(lt=dt.time(12))], "bounds of times"),
        (Annotated[str, Field(pattern=r"^[^\d]+$")], "ECMAScript"),
        (dict[str, Annotated[int, pydantic.AfterValidator(never)]], "never"),
    ],
)
def test_what_no_schema_says_is_reported(kind: Any, reason: str) -> None:
    """Where pydantic checks more than the schema says, the extractor and the report say so, with the place."""
    found = extractor(kind)
    ((pointer, words),) = found.unchecked
    assert reason in words
    report: Any = found.constraint.report
    assert any(entry.pointer == f"{pointer}/x-unchecked" and entry.reason == words for entry in report.entries)


def test_a_model_class_is_read_in_the_same_way() -> None:
    """A pydantic model as a source has the schema that extraction has."""
    assert sg.JsonSchema(Strict).document() == sg.JsonSchema(extractor(Strict).schema).document()
    assert not sg.compile(Coded, VOCAB).accepts('{"code": "a"}')


def test_what_cannot_be_written_is_refused() -> None:
    """An enumeration without a value that JSON has, and decimals that no form can hold, are errors that say it."""
    with pytest.raises(InvalidSource, match="no member of Days"):
        extractor(enum.Enum("Days", {"DAY": dt.date(2020, 1, 1)}))
    with pytest.raises(InvalidSource, match="can be written"):
        extractor(money(max_digits=2, decimal_places=2, ge=0))


def test_a_value_that_is_rejected_all_the_same() -> None:
    """What was reported as unchecked ends in an error that carries the text."""
    with pytest.raises(ExtractionFailed):
        extractor(Annotated[int, pydantic.AfterValidator(never)])._load("3")
