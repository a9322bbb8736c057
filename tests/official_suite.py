"""The official JSON Schema test suite: its groups, how one is run, and what comes out."""

from __future__ import annotations

import io
import json
import tarfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import islice, permutations
from pathlib import Path
from typing import Any

from syntagma.grammar.errors import LimitExceeded, Unsatisfiable, Unsupported
from syntagma.grammar.jsonschema.source import JsonSchema, SchemaLimits

SUITE = Path(__file__).parents[1] / ".." / "shared" / "data" / "json_schema_test_suite.tgz"
DRAFTS = ("draft4", "draft6", "draft7", "draft2019-09", "draft2020-12")

EXCEPTIONS = Path(__file__).with_name("suite_exceptions.toml")

VALIDATORS: dict[str, Any] = {"property_order": "any", "whitespace": "any", "escapes": "all"}
"""The surface of validators, who see values and not their texts."""

MAX_ORDERS = 1000
"""So many orders of members are tried; instances of the suite have few members."""

Accepts = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Group:
    """One schema of the suite with its instances.

    Attributes:
        draft: the folder of the draft.
        file: the path below it, such as ``optional/format/date.json``.
        name, schema, tests: as in the file.

    """

    draft: str
    file: str
    name: str
    schema: Any
    tests: list[dict[str, Any]]

    @property
    def optional(self) -> bool:
        """Whether the draft leaves it open to follow the group."""
        return self.file.startswith("optional/")

    @property
    def place(self) -> str:
        """What exceptions are listed by."""
        return f"{self.draft}/{self.file}"

    def source(self, **options: Any) -> JsonSchema:
        """Return the schema as a source; formats are asserted in the files about them only, as the suite asks."""
        declared = isinstance(self.schema, dict) and "$schema" in self.schema
        asserted = self.file.startswith("optional/format")
        return JsonSchema(
            self.schema,
            dialect=None if declared else self.draft,
            registry=remotes(),
            formats=None if asserted else False,
            limits=SchemaLimits(deadline=60.0),
            **options,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of one test of a group: ``right``, ``accepted`` (an invalid one), ``rejected`` (a valid one) or ``refused``."""

    group: Group
    test: dict[str, Any]
    verdict: str
    reason: str = ""


@cache
def files() -> dict[str, Any]:
    """Return every JSON file of the suite by its path, with exact numbers."""
    with tarfile.open(SUITE) as archive:
        out = {}
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(".json") else None
            if file is not None:
                text = io.TextIOWrapper(file, "utf-8")
                out[member.name.removeprefix("./")] = json.load(text, parse_float=Decimal)
        return out


@cache
def remotes() -> dict[str, Any]:
    """Return the suite's remote documents by URI."""
    return {
        "http://localhost:1234/" + path.partition("remotes/")[2]: document
        for path, document in files().items()
        if path.startswith("remotes/")
    }


def groups(draft: str) -> Iterator[Group]:
    """Yield the groups of a draft."""
    for path, content in files().items():
        folder, _, file = path.partition(f"tests/{draft}/")
        if folder or not file:
            continue
        for group in content:
            yield Group(draft, file, group["description"], group["schema"], group["tests"])


def text_of(value: Any) -> str:
    """Write a value as ``json.dumps`` does, with numbers in plain decimals: no exponents, no digit lost."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, list):
        return "[" + ", ".join(map(text_of, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {text_of(v)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def bytes_of(value: Any) -> bytes:
    """Write a value as bytes; what is no Unicode text becomes bytes that no JSON text has."""
    return text_of(value).encode("utf-8", "surrogatepass")


def run(
    group: Group, compile_: Callable[[JsonSchema], Accepts], *, respell: bool = False, **options: Any
) -> Iterator[Outcome]:
    """Compile a group's schema and yield what comes out of its tests.

    With ``respell`` the members of an instance may stand in any order that is accepted, and the whole numbers of a valid
    one are written without a point: for surfaces that spell a value in one way only.
    """
    try:
        accepts = compile_(group.source(**options))
    except Unsatisfiable:
        accepts = _nothing
    except (Unsupported, LimitExceeded) as e:
        for test in group.tests:
            yield Outcome(group, test, "refused", str(e))
        return
    for test in group.tests:
        data = test["data"]
        spellings = orders(without_points(data) if test["valid"] else data) if respell else iter((data,))
        accepted = any(accepts(bytes_of(value)) for value in islice(spellings, MAX_ORDERS))
        verdict = "right" if accepted == test["valid"] else "accepted" if accepted else "rejected"
        yield Outcome(group, test, verdict)


def orders(value: Any) -> Iterator[Any]:
    """Yield a value with the members of its objects in every order, the given one first."""
    if isinstance(value, dict):
        for names in permutations(value):
            yield from (dict(zip(names, values, strict=True)) for values in _each([value[n] for n in names]))
    elif isinstance(value, list):
        yield from _each(value)
    else:
        yield value


def _each(values: list[Any]) -> Iterator[list[Any]]:
    if not values:
        yield []
        return
    for first in orders(values[0]):
        yield from ([first, *rest] for rest in _each(values[1:]))


def without_points(value: Any) -> Any:
    """Return a value with its whole numbers as integers."""
    if isinstance(value, list):
        return [without_points(v) for v in value]
    if isinstance(value, dict):
        return {k: without_points(v) for k, v in value.items()}
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def _nothing(_: bytes) -> bool:
    return False


def exceptions(surface: str) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Return the tests that are known not to be right in a surface: (verdict, reason) by (file, group, test).

    An entry of the list holds for every draft, group and test that it names; without tests, for all of the group.
    """
    every: dict[tuple[str, str], list[str]] = {}
    for draft in DRAFTS:
        for group in groups(draft):
            every[group.place, group.name] = [t["description"] for t in group.tests]
    out: dict[tuple[str, str, str], tuple[str, str]] = {}
    for entry in tomllib.loads(EXCEPTIONS.read_text("utf-8"))["exception"]:
        if surface not in entry["surfaces"]:
            continue
        for draft in entry["drafts"]:
            place, name = f"{draft}/{entry['file']}", entry["group"]
            for test in entry.get("tests", every[place, name]):
                out[place, name, test] = entry["verdict"], entry["reason"]
    return out
