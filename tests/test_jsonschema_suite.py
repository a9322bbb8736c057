"""The official JSON Schema test suite, and a sample of public schemas with instances."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from ir_oracle import Oracle
from official_suite import DRAFTS, SUITE, VALIDATORS, Accepts, exceptions, groups, run

import syntagma as sg
from syntagma.automata.vocabulary import Vocabulary
from syntagma.grammar.errors import LimitExceeded, Unsatisfiable, Unsupported
from syntagma.grammar.jsonschema.source import JsonSchema, compile_schema

PUBLIC = SUITE.with_name("maskbench_public.tgz")


def by_rules(source: JsonSchema) -> Accepts:
    """Compile to rules, and let the slow interpreter read them."""
    return Oracle(compile_schema(source)[0]).accepts


def by_machine() -> Callable[[JsonSchema], Accepts]:
    """Compile to the machine over single bytes."""
    vocabulary = Vocabulary([bytes([c]) for c in range(256)] + [None], eos_ids=[256])
    return lambda source: sg.compile(source, vocabulary).accepts


@pytest.mark.skipif(not SUITE.exists(), reason="the shared data is not here")
@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize("surface", ["validators", "default"])
def test_official_suite(draft: str, surface: str) -> None:
    """Every test is right, core and optional, but for those listed with a reason; and each of these still is as listed.

    In the surface of validators instances are read as they stand; in the default one, in the order and spelling that it
    writes.
    """
    compile_ = by_machine() if surface == "validators" else by_rules
    options: dict[str, Any] = VALIDATORS if surface == "validators" else {"respell": True}
    known = {key: verdict for key, (verdict, _) in exceptions(surface).items() if key[0].startswith(f"{draft}/")}
    wrong: dict[tuple[str, str, str], str] = {}
    right = 0
    for group in groups(draft):
        for o in run(group, compile_, **options):
            right += o.verdict == "right"
            if o.verdict != "right":
                wrong[group.place, group.name, o.test["description"]] = o.verdict
    unlisted = {key: verdict for key, verdict in wrong.items() if known.get(key) != verdict}
    stale = {key: verdict for key, verdict in known.items() if key not in wrong}
    assert (unlisted, stale) == ({}, {})
    assert right > 500


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
