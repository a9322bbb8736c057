"""Constraints of JSON Schemas against the laws, the validator, and enumeration."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import jsonschema
import numpy as np
import pytest

import syntagma as sg

BYTES = [bytes([b]) for b in range(256)]
WORDS = [
    b'{"',
    b'":',
    b'": ',
    b'",',
    b'", "',
    b'"}',
    b'"]',
    b"],",
    b"}]",
    b"name",
    b"na",
    b'name":',
    b"tags",
    b"12",
    b"e",
    b"true",
    b", ",
    b'":1',
    b'"na"',
]
TOKENS = [*BYTES, *WORDS]
EOS = len(TOKENS)

SCHEMAS: list[Any] = [
    {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 5}, "n": {"type": "integer"}},
        "required": ["name"],
    },
    {
        "type": "object",
        "properties": {
            "name": {"enum": ["a", "ab", 12, None]},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 3},
        },
        "required": ["tags"],
        "additionalProperties": False,
    },
    {"type": "array", "items": {"type": "number", "minimum": -2.5, "exclusiveMaximum": 12}, "minItems": 1},
    {"type": "string", "pattern": "^[a-z]{2,4}(-[0-9]+)?$", "maxLength": 6},
    {
        "anyOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"type": "boolean"},
            {"type": "string", "format": "date"},
        ]
    },
    {
        "$ref": "#/$defs/t",
        "$defs": {
            "t": {
                "type": "object",
                "properties": {"l": {"$ref": "#/$defs/t"}, "v": {"type": "null"}},
                "additionalProperties": False,
            }
        },
    },
    {"type": "object", "additionalProperties": {"type": "integer"}},
    {"type": "string", "format": "hostname", "maxLength": 9},
    {"type": "string", "format": "email", "maxLength": 8},
    {"type": "string", "pattern": "^(ab|c{5})*$", "minLength": 4},
    {"prefixItems": [{"const": 1}, {"type": "boolean"}], "items": {"type": "string"}, "type": "array", "maxItems": 3},
]


@pytest.fixture(scope="module")
def vocab() -> sg.Vocabulary:
    """All single bytes and some tokens that cross JSON's structure."""
    return sg.Vocabulary([*TOKENS, None, None], eos_ids=[EOS], pad_ids=[EOS + 1])


def allowed(row: np.ndarray[Any, np.dtype[np.uint32]]) -> list[int]:
    """Tokens of a row."""
    found: list[int] = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist()
    return found


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
def test_masks_equal_advancing_every_token_and_walks_end_in_valid_documents(vocab: sg.Vocabulary, schema: Any) -> None:
    """Along random walks a mask is what advancing each token says; finished under a budget, every text validates."""
    constraint = sg.compile(sg.JsonSchema(schema), vocab)
    rng = random.Random(repr(schema))
    for _ in range(12):
        with constraint.session() as session:
            state = session.start
            text = b""
            remaining = session.finish_bound(state) + rng.randrange(30)
            while True:
                row = session.mask(state)
                tokens = allowed(row)
                assert tokens == [t for t in range(vocab.size) if session.advance(state, t)]
                assert (session.finish_bound(state) == 0) == session.is_accepting(state)
                kept = allowed(session.mask(state, budget=remaining))
                assert kept == [
                    t for t in tokens if t == EOS or session.finish_bound(session.advance(state, t)) < remaining
                ]
                assert kept, (text, remaining)
                token = rng.choice(kept)
                if token == EOS:
                    break
                text += TOKENS[token]
                state = session.advance(state, token)
                remaining -= 1
        document = json.loads(text, object_pairs_hook=unique)
        jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(document)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys must differ."""
    assert len({key for key, _ in pairs}) == len(pairs)
    return dict(pairs)


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
def test_the_bound_is_a_potential(vocab: sg.Vocabulary, schema: Any) -> None:
    """While the bound is positive some allowed token lowers it."""
    constraint = sg.compile(sg.JsonSchema(schema), vocab)
    rng = random.Random(1)
    for _ in range(6):
        with constraint.session() as session:
            state = session.start
            for _ in range(25):
                bound = session.finish_bound(state)
                following = [session.advance(state, t) for t in allowed(session.mask(state)) if t != EOS]
                if bound:
                    assert min(map(session.finish_bound, following)) < bound
                if not following:
                    break
                state = rng.choice(following)


def test_duplicate_keys_never_come(vocab: sg.Vocabulary) -> None:
    """A key that was read cannot be completed a second time, by whatever tokens."""
    constraint = sg.compile(sg.JsonSchema({"type": "object", "properties": {"b": {}}}), vocab)
    assert constraint.accepts('{"name":1,"na":2}')
    assert not constraint.accepts('{"name":1,"name":2}')
    assert not constraint.accepts('{"b":1,"b":2}')
    assert constraint.accepts('{"name":1,"b":2}'), "nothing is required, so other keys may come first"
    assert not constraint.accepts('{"name":1,"b":2,"name":3}')
    assert constraint.accepts('{"name":{"name":1},"b2":2}')
    state = constraint.advance_bytes(constraint.start, b'{"na":1,"na')
    row = constraint.mask(state)
    assert not constraint.advance(state, TOKENS.index(b'":'))
    assert not row[TOKENS.index(b'":') >> 5] >> (TOKENS.index(b'":') & 31) & 1
    assert constraint.advance(state, ord("m"))


def test_after_end_of_sequence_only_padding_follows(vocab: sg.Vocabulary) -> None:
    """The state after end-of-sequence accepts, is final, and allows end-of-sequence and padding."""
    constraint = sg.compile({"const": True}, vocab)
    state = constraint.advance_bytes(constraint.start, b"true")
    assert constraint.is_accepting(state)
    assert constraint.is_final(state)
    assert constraint.forced_token(state) == EOS
    assert not constraint.advance(state, EOS + 1), "padding before the end"
    done = constraint.advance(state, EOS)
    assert constraint.is_final(done)
    assert allowed(constraint.mask(done)) == [EOS, EOS + 1]
    assert constraint.advance(done, EOS + 1)
    assert constraint.forced_bytes(constraint.start) == b"true"


def test_a_vocabulary_that_cannot_spell_it_is_refused_or_cut_down() -> None:
    """What cannot be finished in single-byte tokens is never offered; a language without a spelling is refused."""
    with pytest.raises(sg.Unsatisfiable):
        sg.compile({"const": "x"}, sg.Vocabulary([b'"', b"y", None], eos_ids=[2]))
    constraint = sg.compile(
        {"enum": ["ab", "ac"]}, sg.Vocabulary([b'"', b"a", b'b"', b"c", b'"ac"', None], eos_ids=[5])
    )
    state = constraint.advance(constraint.start, 0)
    state = constraint.advance(state, 1)
    assert allowed(constraint.mask(state)) == [2, 3]
    cut = sg.compile({"enum": ["abb", "ac"]}, sg.Vocabulary([b'"', b"a", b"ab", b"c", b'"ac"', None], eos_ids=[5]))
    state = cut.advance(cut.start, 0)
    assert allowed(cut.mask(state)) == [1], "after ab no token spells the second b"


def test_rows_of_a_vocabulary_without_some_bytes_stay_what_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row is the same however often it is asked for, whatever its caller does to it; that of a closed scope is refused."""
    monkeypatch.setattr("syntagma.automata.constraint.LIVE_ROWS", 2)
    cut = sg.compile({"enum": ["abb", "ac"]}, sg.Vocabulary([b'"', b"a", b"ab", b"c", b'"ac"', None], eos_ids=[5]))
    with cut.session() as session:
        states = [session.start]
        states += [session.advance(states[0], token) for token in (0, 4)]
        states.append(session.advance(states[1], 1))
        for _ in range(3):
            for state, wanted in zip(states, ([0, 4], [1], [5], [3]), strict=True):
                row = np.full(1, 0xFFFFFFFF, np.uint32)
                assert allowed(session.mask(state, out=row)) == wanted
                row[:] = 0
                assert allowed(session.mask(state)) == wanted
    with pytest.raises(sg.StaleState):
        session.mask(states[1])


def test_a_bare_string_is_refused_with_a_hint(vocab: sg.Vocabulary) -> None:
    """A string does not say whether it is a schema, a pattern or a grammar."""
    with pytest.raises(sg.InvalidSource, match="does not say what it is"):
        sg.compile("{}", vocab)  # type: ignore[arg-type]


def test_explanations_name_the_place(vocab: sg.Vocabulary) -> None:
    """A refused token is told apart byte by byte, with what was expected."""
    constraint = sg.compile(sg.JsonSchema(SCHEMAS[1]), vocab)
    state = constraint.advance_bytes(constraint.start, b'{"')
    found = constraint.explain(state, ord("x"), '{"')
    assert not found.allowed
    assert found.expected == ("'n'", "'t'")
    assert constraint.explain(state, TOKENS.index(b"na")).allowed
    assert "not yet complete" in constraint.explain(state, EOS).reason


def test_the_lattice_equals_enumeration() -> None:
    """Feasibility and every hole's mask of four-slot canvases are what trying all fillings says."""
    tokens = [b"[", b"]", b",", b"1", b"[[", b"]]", b"1,", b",1", b"],["]
    vocab = sg.Vocabulary([*tokens, None], eos_ids=[len(tokens)])
    schema = {
        "$ref": "#/$defs/l",
        "$defs": {"l": {"type": "array", "items": {"anyOf": [{"const": 1}, {"$ref": "#/$defs/l"}]}, "maxItems": 3}},
    }
    constraint = sg.compile(sg.JsonSchema(schema, whitespace="compact"), vocab)
    rng = random.Random(5)
    feasible = 0
    members = [ids for ids in itertools.product(range(vocab.size), repeat=4) if constraint.accepts(ids)]
    for _ in range(60):
        canvas: list[Any] = [sg.HOLE if rng.random() < 0.6 else token for token in rng.choice(members)]
        if rng.random() < 0.3:
            canvas[rng.randrange(4)] = rng.randrange(vocab.size)
        holes = [i for i, slot in enumerate(canvas) if slot is sg.HOLE]
        truth: list[set[int]] = [set() for _ in holes]
        for filling in itertools.product(range(vocab.size), repeat=len(holes)):
            ids = list(canvas)
            for i, token in zip(holes, filling, strict=True):
                ids[i] = token
            if constraint.accepts(ids):
                for k, token in enumerate(filling):
                    truth[k].add(token)
        with sg.Lattice(constraint, canvas) as lattice:
            if holes:
                assert lattice.feasible() == bool(truth[0])
            assert [set(allowed(row)) for row in lattice.masks()] == truth
            feasible += lattice.feasible()
    assert feasible > 5


def test_a_long_bound_on_a_language_with_gaps_is_counted_not_unrolled(vocab: sg.Vocabulary) -> None:
    """Host names end at 253 characters, and their labels at 63."""
    constraint = sg.compile({"type": "string", "format": "hostname"}, vocab)
    label = "a" * 63
    assert constraint.accepts(f'"{label}.{label}.{label}.{"a" * 61}"')
    assert not constraint.accepts(f'"{label}.{label}.{label}.{"a" * 62}"')
    assert not constraint.accepts(f'"{label}a"')
    full = constraint.advance_bytes(constraint.start, f'"{label}.{label}.{label}.{"a" * 60}'.encode())
    assert constraint.advance(full, ord("a"))
    assert not constraint.advance(full, ord(".")), "a dot would leave no room for the letter that must follow"
