"""Dead ends that weak prefix checks walk into: here the prefix is refused at the byte that leads there, and no walk gets stuck."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import numpy as np
import pytest
from sizes import size

from syntagma.automata.vocabulary import Vocabulary
from syntagma.engine.auto import AutoSampler
from syntagma.engine.compile import compile as compile_source
from syntagma.engine.residuals import JsonPredicate, UniqueItems
from syntagma.engine.sampler import AWRS, NO_TOKEN, CheckFirst, MaskSampler
from syntagma.grammar.jsonschema import JsonSchema

pytestmark = pytest.mark.kernel

SCHEMA = {
    "type": "object",
    "properties": {
        "tags": {"type": "array", "items": {"enum": ["red", "green"]}, "uniqueItems": True, "minItems": 1},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "code": {"type": "string", "maxLength": 3, "pattern": "^[a-e]*$"},
        "month": {"enum": [1, 12]},
    },
    "required": ["tags", "age", "code", "month"],
    "additionalProperties": False,
}
PIECES = [
    b"red",
    b"green",
    b'"tags":',
    b'"age":',
    b'","',
    b'"]',
    b'"],',
    b"12",
    b"abc",
    b"de",
    b'"code":"',
    b'"month":',
]
VOCAB = Vocabulary(
    [None, *(bytes([c]) for c in sorted(set(b'{}[]":, tagsredgreenagecodemonth0123456789-+eE.abcde'))), *PIECES],
    eos_ids=[0],
)


@pytest.fixture(scope="module")
def constraint() -> Any:
    """The schema over a small vocabulary."""
    return compile_source(JsonSchema(SCHEMA, whitespace="compact"), VOCAB)


@pytest.mark.parametrize(
    ("prefix", "alive", "refused"),
    [
        ('{"tags":["red","', "g", "r"),
        ('{"tags":["red","green"', "]", ","),
        ('{"tags":["red"],"age":12', "0", "1"),
        ('{"tags":["red"],"age":99', ",", "9"),
        ('{"tags":["red"],"age":1,"code":"abc', '"', "d"),
        ('{"tags":["red"],"age":1,"code":"","month":1', "2", "3"),
        ('{"tags":["red"],"age":1,"code":"","month":', "1", "7"),
    ],
)
def test_the_byte_that_leads_into_a_dead_end_is_refused(constraint: Any, prefix: str, alive: str, refused: str) -> None:
    """A second equal item, a number over its maximum, a string over its length and a value outside an enumeration are never begun."""
    with constraint.session() as session:
        state = session.advance_bytes(session.start, prefix.encode())
        assert state
        assert session.advance_bytes(state, alive.encode())
        assert not session.advance_bytes(state, refused.encode())


@pytest.mark.parametrize(
    "make",
    [
        MaskSampler,
        CheckFirst,
        AutoSampler,
        AWRS,
        lambda c: AWRS(c, form="two-round"),
        lambda c: AWRS(c, form="geometric"),
    ],
    ids=["mask", "check-first", "auto", "recursive", "two-round", "geometric"],
)
def test_no_walk_gets_stuck(constraint: Any, make: Any) -> None:
    """Whatever the model prefers, every sampler comes to the end of a valid document."""
    with constraint.session() as session:
        sampler = make(session)
        for seed in range(size(25, plain=6)):
            rng = np.random.default_rng(seed)
            state, text = session.start, b""
            for _ in range(300):
                token, _ = sampler.sample(rng.normal(scale=3, size=VOCAB.size), state, rng)
                assert token != NO_TOKEN
                state = session.advance(state, token)
                if token == 0:
                    break
                text += VOCAB.tokens[token] or b""
            jsonschema.validate(json.loads(text), SCHEMA)


def test_a_residual_of_a_compiled_schema_is_exact(constraint: Any) -> None:
    """With a rule across fields, weights are the enumerated valid mass at every step of a walk, and documents keep the rule."""
    rule = JsonPredicate(lambda d: "age" not in d or "tags" not in d or len(d["tags"]) == 1 or d["age"] > 50)
    with constraint.session() as session:
        sampler = AWRS(session, rule, price=0)
        states: Any = sampler.states
        done = 0
        for seed in range(size(20, plain=5)):
            rng = np.random.default_rng(seed)
            state, text = states.start, b""
            while True:
                logits = rng.normal(scale=2, size=VOCAB.size)
                token, weight = sampler.sample(logits, state, rng)
                p = np.exp(logits) / np.exp(logits).sum()
                mass = sum(p[t] for t in range(VOCAB.size) if states.advance(state, t))
                assert np.exp(weight) == pytest.approx(mass, rel=1e-6)
                if token in {0, NO_TOKEN}:
                    break
                state, text = states.advance(state, token), text + (VOCAB.tokens[token] or b"")
            if token == 0:
                done += 1
                record = json.loads(text)
                assert len(record["tags"]) == 1 or record["age"] > 50
        assert done


def test_unique_items_of_a_schema_and_of_a_residual_agree() -> None:
    """On arrays of small arrays both accept the same documents."""
    schema = {"type": "array", "items": {"type": "array", "items": {"enum": [1, 2]}, "maxItems": 2}, "maxItems": 3}
    both = {**schema, "uniqueItems": True}
    vocab = Vocabulary([None, *(bytes([c]) for c in b"[],12")], eos_ids=[0])
    plain = compile_source(JsonSchema(schema, whitespace="compact"), vocab)
    own = compile_source(JsonSchema(both, whitespace="compact"), vocab)
    states: Any = AWRS(plain, UniqueItems(at="")).states
    rng = np.random.default_rng(0)
    for _ in range(size(60, plain=15)):
        items = [rng.integers(1, 3, size=rng.integers(0, 3)).tolist() for _ in range(rng.integers(0, 4))]
        state = states.start
        for byte in json.dumps(items, separators=(",", ":")).encode():
            state = states.advance(state, vocab.tokens.index(bytes([byte])))
        assert own.accepts(json.dumps(items, separators=(",", ":"))) == bool(state and states.is_accepting(state))
