"""The official JSON Schema test suite, and a sample of public schemas with instances."""

from __future__ import annotations

import io
import itertools
import json
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ir_oracle import Oracle

import syntagma as sg
from syntagma.automata.vocabulary import Vocabulary
from syntagma.grammar.errors import LimitExceeded, Unsatisfiable, Unsupported
from syntagma.grammar.jsonschema.source import JsonSchema, compile_schema

SHARED = Path(__file__).parents[1] / ".." / "shared" / "data"
SUITE = SHARED / "json_schema_test_suite.tgz"
PUBLIC = SHARED / "maskbench_public.tgz"
DRAFTS = ("draft4", "draft6", "draft7", "draft2019-09", "draft2020-12")

ORDER = {
    "allOf.json",
    "dependencies.json",
    "dependentRequired.json",
    "propertyNames.json",
    "unevaluatedProperties.json",
}
"""Files with instances whose members stand in another order than the schema's."""

WHOLE_FLOATS = {"const.json", "enum.json", "type.json"}
"""Files with instances that spell an integer with a zero fraction; texts spell it without."""

OTHER = {
    ("const.json", "same object with different property order is valid"): "members stand in another order",
    ("vocabulary.json", "no validation: invalid number, but it still validates"): "$vocabulary is not read",
}
"""Other valid instances that are rejected, and why."""

pytestmark = pytest.mark.skipif(not SUITE.exists(), reason="the shared data is not here")


@cache
def suite() -> dict[str, Any]:
    """Return every JSON file of the suite by its path."""
    with tarfile.open(SUITE) as archive:
        out = {}
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(".json") else None
            if file is not None:
                out[member.name.removeprefix("./")] = json.load(io.TextIOWrapper(file, "utf-8"))
        return out


@cache
def remotes() -> dict[str, Any]:
    """Return the suite's remote documents by URI."""
    return {
        "http://localhost:1234/" + path.partition("remotes/")[2]: document
        for path, document in suite().items()
        if path.startswith("remotes/")
    }


@pytest.mark.parametrize("draft", DRAFTS)
def test_official_suite(draft: str) -> None:
    """No invalid instance is accepted; the valid ones rejected are spelled in a way that the surface does not have."""
    right = refused = 0
    for path, groups in suite().items():
        folder, _, name = path.rpartition("/")
        if folder != f"tests/{draft}":
            continue
        for group in groups:
            schema = group["schema"]
            declared = isinstance(schema, dict) and "$schema" in schema
            source = JsonSchema(
                schema, dialect=None if declared else draft, whitespace="any", registry=remotes(), formats=False
            )
            try:
                oracle = Oracle(compile_schema(source)[0])
            except Unsatisfiable:
                assert not any(t["valid"] for t in group["tests"]), (name, group["description"])
                right += len(group["tests"])
                continue
            except (Unsupported, LimitExceeded):
                refused += len(group["tests"])
                continue
            for test in group["tests"]:
                text = json.dumps(test["data"], ensure_ascii=False).encode()
                place = name, group["description"], test["description"], text
                if not test["valid"]:
                    assert not oracle.accepts(text), place
                elif not oracle.accepts(text):
                    assert excused(oracle, name, test), place
                right += 1
    assert right > 500
    assert refused < 0.25 * (right + refused)


WRONG = {("vocabulary.json", "no validation: invalid number, but it still validates")}
"""Tests that the validators' surface gets wrong: a metaschema of one's own without the validation vocabulary is not read."""


@pytest.mark.parametrize("draft", DRAFTS)
def test_official_suite_in_the_surface_of_validators(draft: str) -> None:
    """With any order, white space and spelling the machine agrees with the suite about every instance of what it compiles."""
    vocabulary = Vocabulary([bytes([c]) for c in range(256)] + [None], eos_ids=[256])
    right = refused = 0
    for path, groups in suite().items():
        folder, _, name = path.rpartition("/")
        if folder != f"tests/{draft}":
            continue
        for group in groups:
            schema = group["schema"]
            declared = isinstance(schema, dict) and "$schema" in schema
            source = JsonSchema(
                schema,
                dialect=None if declared else draft,
                property_order="any",
                whitespace="any",
                escapes="all",
                registry=remotes(),
                formats=False,
            )
            try:
                accepts = sg.compile(source, vocabulary).accepts
            except Unsatisfiable:
                assert not any(t["valid"] for t in group["tests"]), (name, group["description"])
                right += len(group["tests"])
                continue
            except (Unsupported, LimitExceeded):
                refused += len(group["tests"])
                continue
            for test in group["tests"]:
                text = json.dumps(test["data"], ensure_ascii=False).encode("utf-8", "surrogatepass")
                known = (name, test["description"]) in WRONG
                assert (accepts(text) == test["valid"]) != known, (name, group["description"], test["description"])
                right += 1
    assert right > 500
    assert refused < 0.2 * (right + refused)


def excused(oracle: Oracle, name: str, test: dict[str, Any]) -> bool:
    """Tell whether a rejected valid instance is accepted in the surface's own spelling."""
    if (name, test["description"]) in OTHER:
        return True
    data = test["data"]
    if name in WHOLE_FLOATS:
        return oracle.accepts(json.dumps(whole(data)).encode())
    return name in ORDER and any(
        oracle.accepts(json.dumps(dict(members)).encode()) for members in itertools.permutations(data.items())
    )


def whole(value: Any) -> Any:
    """Return a value with its whole floats as integers."""
    if isinstance(value, list):
        return [whole(v) for v in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@pytest.mark.skipif(not PUBLIC.exists(), reason="the shared data is not here")
def test_public_sample() -> None:
    """Of a fixed sample of public schemas 85 % pass or more, and nothing invalid is accepted."""
    passed = refused = 0
    out_of_order = 0
    for case in sample(80):
        try:
            oracle = Oracle(compile_schema(JsonSchema(case["schema"]))[0])
        except (Unsupported, LimitExceeded, Unsatisfiable):
            refused += 1
            continue
        for test in case["tests"]:
            text = json.dumps(test["data"], ensure_ascii=False).encode("utf-8", "surrogatepass")
            if len(text) > 2000:
                continue
            accepted = oracle.accepts(text)
            assert test["valid"] or not accepted, text
            out_of_order += test["valid"] and not accepted
        passed += 1
    assert passed >= 0.85 * (passed + refused)
    assert out_of_order <= 2


def sample(count: int) -> list[dict[str, Any]]:
    """Return every fortieth file of the public schemas, without reading more of the archive than that takes."""
    out: list[dict[str, Any]] = []
    with tarfile.open(PUBLIC) as archive:
        seen = 0
        for member in archive:
            if not member.name.endswith(".json"):
                continue
            seen += 1
            if seen % 40 == 0 and member.size < 100_000:
                file = archive.extractfile(member)
                assert file is not None
                out.append(json.load(file))
                if len(out) == count:
                    break
    return out
