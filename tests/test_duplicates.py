"""Tokens that may repeat a key or a value: which are looked at, and what becomes of them."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest
from machine_checks import vocabulary
from sizes import size

import syntagma as sg
from syntagma.automata.duplicates import SUSPECTS, add_suspect, end_of, outermost

pytestmark = pytest.mark.kernel

LETTERS = [bytes([c]) for c in range(32, 127)]
WORDS = ["on", "one", "once", "no", "none", "not", "o", "a", "an", "and", "another"]


def spelled() -> sg.Vocabulary:
    """All letters, and tokens that hold whole items, several of them, or the end of one and the beginning of another."""
    rng = random.Random(5)
    text = ",".join(f'"{word}"' for word in WORDS * 3)
    longer = {text[i : i + rng.randint(2, 9)].encode() for i in range(0, len(text) - 9, 2)}
    return vocabulary([*LETTERS, *sorted(longer)])


@pytest.mark.parametrize("seed", range(size(20, plain=5)))
def test_suspects_below_others_are_dropped(seed: int) -> None:
    """What is left are the nodes that lie below no other one, in the order of the trie, each once."""
    rng = random.Random(seed)
    a = sg.compile(sg.Regex("x"), spelled()).store.arena.a
    last = int(end_of(a, 0))
    nodes = [rng.randrange(1, last) for _ in range(rng.randint(1, 60))]
    n = 0
    for node in nodes:
        n = int(add_suspect(a, node, n))
    kept = a[SUSPECTS : SUSPECTS + int(outermost(a, n))].tolist()
    assert kept == sorted({x for x in nodes if not any(y < x < int(end_of(a, y)) for y in nodes)})


@pytest.mark.parametrize("seed", range(size(12, plain=2)))
def test_masks_of_lists_of_different_words(seed: int) -> None:
    """Along random lists of words that begin alike, each token is in the mask exactly if it can be advanced over."""
    rng = random.Random(seed)
    vocab = spelled()
    words = rng.sample(WORDS, rng.randint(3, len(WORDS)))
    schema = {"type": "array", "items": {"enum": words}, "uniqueItems": True}
    constraint = sg.compile(sg.JsonSchema(schema, whitespace="compact"), vocab)
    with constraint.session() as session:
        state = session.start
        for _ in range(40):
            allowed = np.unpackbits(session.mask(state).view(np.uint8), bitorder="little")[: vocab.size]
            assert allowed.tolist() == [int(session.advance(state, token) != 0) for token in range(vocab.size)]
            following = np.flatnonzero(allowed).tolist()
            if session.is_accepting(state) or not following:
                break
            state = session.advance(state, max(rng.sample(following, min(2, len(following)))))


@pytest.mark.parametrize("order", ["schema", "any"])
def test_the_end_of_a_key_of_bounded_length_costs_no_look_at_each_token(order: Any) -> None:
    """Thousands of tokens may end a key after which no longer one can come: only the spellings of the keys seen are looked at."""
    letters = [chr(97 + i) for i in range(size(22, plain=6))]
    marks = ['"', "{", "}", ":", ",", "1", '":1,"', '":1,"abc', 'abc":']
    vocab = vocabulary([t.encode() for t in [*marks, *letters, *map("".join, itertools.product(letters, repeat=3))]])
    schema = {
        "type": "object",
        "patternProperties": {"^[a-z]{1,6}$": {"const": 1}},
        "additionalProperties": False,
        "maxProperties": 3,
    }
    constraint = sg.compile(sg.JsonSchema(schema, whitespace="compact", property_order=order), vocab)
    assert constraint.report is not None
    assert constraint.report.live
    for text in ('{"abc', '{"abcdef":1,"abc', '{"abc":1,"abc', '{"abcabc":1,"abcdef":1,"abc', '{"abcabc":1,"abc"'):
        state = constraint.advance_bytes(constraint.start, text.encode())
        assert state
        allowed = np.unpackbits(constraint.mask(state).view(np.uint8), bitorder="little")[: vocab.size]
        assert allowed.tolist() == [int(constraint.advance(state, token) != 0) for token in range(vocab.size)]
