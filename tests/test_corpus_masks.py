"""Masks over the corpus: what ``mask`` says is what advancing every token of the vocabulary, one by one, says."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from corpus import HAND, real_schemas, share
from corpus_truth import brute_force
from corpus_vocabularies import small, vocabulary_named
from corpus_walks import STYLES, Walker

import syntagma as sg
from syntagma.automata.classes import token_classes
from syntagma.automata.constraint import Constraint, Session
from syntagma.automata.vocabulary import Vocabulary
from syntagma.grammar.errors import SyntagmaError


def compiled(schema: Any, vocab: Vocabulary) -> Constraint | None:
    """The schema's constraint, or None where it is refused by name or cannot be spelled."""
    try:
        return sg.compile(sg.JsonSchema(schema), vocab)
    except SyntagmaError:
        return None


def prefixes(walker: Walker, states: int, walks: int, steps: int) -> list[list[int]]:
    """Token sequences that lead to ``states`` states of some walks, drawn without repetition."""
    found: dict[tuple[int, ...], None] = {}
    for number in range(walks):
        with walker.constraint.session() as session:
            walk = walker.walk(session, STYLES[number % len(STYLES)], steps)
            for length in range(len(walk.tokens) + 1):
                found.setdefault(tuple(walk.tokens[:length]))
    chosen = walker.rng.sample(list(found), min(states, len(found)))
    return [list(tokens) for tokens in chosen]


def check_mask(session: Session, tokens: list[int]) -> None:
    """The mask behind some tokens against brute force; padding and special tokens included."""
    vocab = session.vocab
    state = session.advance_tokens(session.start, tokens)
    allowed = np.unpackbits(session.mask(state).view(np.uint8), bitorder="little")[: vocab.size] != 0
    by_token, by_bytes = brute_force(session, state)
    wrong = np.flatnonzero(allowed != by_token)
    assert not len(wrong), f"mask and advance differ after {tokens}: {wrong[:8].tolist()}"
    ends = list(vocab.eos_ids if session.is_accepting(state) else ())
    wrong = np.setdiff1d(np.flatnonzero(by_token != by_bytes), ends)
    assert not len(wrong), f"tokens and their bytes differ after {tokens}: {wrong[:8].tolist()}"
    assert by_token[ends].all()


def check_classes(session: Session, tokens: list[int]) -> None:
    """All tokens of a class of effects lead to one state, or to states of which the same can be seen."""
    state = session.advance_tokens(session.start, tokens)
    classes = token_classes(session.store, state)
    after = [session.advance(state, token) for token in classes.representative.tolist()]
    known: dict[int, tuple[bytes, bool, int]] = {}
    for token, number in zip(classes.tokens.tolist(), classes.class_of.tolist(), strict=True):
        here, there = session.advance(state, token), after[number]
        if here not in {0, there}:  # 0: cut, as it cannot be spelled to an end
            for other in (here, there):
                known[other] = known.get(other) or seen(session, other)
            assert known[here] == known[there], (
                f"a class falls apart after {tokens}, tokens {token} and {classes.representative[number]}"
            )


def seen(session: Session, state: int) -> tuple[bytes, bool, int]:
    return session.mask(state).tobytes(), session.is_accepting(state), session.finish_bound(state)


def compare(schema: Any, vocab: Vocabulary, seed: str, *, states: int, walks: int, steps: int = 30) -> int:
    """Compare states of walks; returns how many."""
    constraint = compiled(schema, vocab)
    if constraint is None:
        return 0
    found = prefixes(Walker(constraint, random.Random(seed)), states, walks, steps)
    for tokens in found:
        with constraint.session() as session:  # each its own: all successors of a state may be many
            check_mask(session, tokens)
            if vocab.size < 4096:
                check_classes(session, tokens)
    return len(found)


@pytest.mark.parametrize("name", HAND)
@pytest.mark.parametrize("vocabulary", ["small", "holed"])
def test_masks_are_brute_force(name: str, vocabulary: str) -> None:
    """Over every feature, with all bytes and with some missing, a bit is set iff the token, and its bytes, can be advanced."""
    assert compare(HAND[name], vocabulary_named(vocabulary), name, states=8, walks=2) or vocabulary == "holed"


@pytest.mark.parametrize("name", HAND)
def test_nothing_that_can_be_finished_is_forbidden(name: str) -> None:
    """Where single bytes are missing, a forbidden token is one after which no two tokens complete the text.

    The truth is another constraint's, over the vocabulary with all bytes: it knows what each token's bytes do.
    """
    narrow, wide = compiled(HAND[name], vocabulary_named("holed")), compiled(HAND[name], small())
    assert wide is not None
    if narrow is None:
        return
    texts = [t for t in narrow.vocab.tokens if t is not None]
    closing = [t for t in texts if set(t) & set(b'"}]0123456789el')]
    rng = random.Random(name)
    for tokens in prefixes(Walker(narrow, rng), 6, 2, 20):
        with narrow.session() as session, wide.session() as twin:
            state = session.advance_tokens(session.start, tokens)
            wide_state = twin.advance_bytes(twin.start, Walker(narrow, rng).text(tokens))
            assert session.is_accepting(state) == twin.is_accepting(wide_state)
            for token, text in enumerate(texts):
                after = twin.advance_bytes(wide_state, text)
                if not after or session.advance(state, token):
                    continue
                assert not twin.is_accepting(after), (tokens, token)
                for last in closing:
                    end = twin.advance_bytes(after, last)
                    assert not end or not twin.is_accepting(end), (tokens, token, last)


def test_keys_that_longer_tokens_spell_are_found() -> None:
    """Where ``:`` is no token, an object that needs a key is spelled by the tokens that hold one."""
    tokens = [b"{", b"}", b'{"', b"a", b'"', b":true}"]
    vocab = Vocabulary([*tokens, None], eos_ids=[len(tokens)])
    schema = {"type": "object", "minProperties": 1}
    constraint = sg.compile(sg.JsonSchema(schema, whitespace="compact"), vocab)
    assert constraint.accepts([2, 3, 4, 5])
    assert constraint.finish_bound(constraint.start) == 3  # the key is the empty text


@pytest.mark.parametrize("vocabulary", ["deepseek", "smollm2"])
def test_masks_of_real_tokenizers_are_brute_force(vocabulary: str) -> None:
    """A few states with a whole 128k vocabulary, and with one of 49k that lacks bytes."""
    vocab = vocabulary_named(vocabulary)
    for name in ("open record", "enum with shared prefixes", "pattern with length"):
        assert compare(HAND[name], vocab, name, states=3, walks=1) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("vocabulary", ["small", "holed"])
def test_thousands_of_masks_of_real_schemas(vocabulary: str, number: int) -> None:
    """Thousands of states of real schemas and of those by hand, every token tried at each."""
    vocab = vocabulary_named(vocabulary)
    schemas = share({**HAND, **real_schemas(75, seed=11)}, number, 2)
    compared = sum(compare(schemas[name], vocab, name, states=25, walks=3) for name in schemas)
    print(f"{vocabulary}, share {number}: {compared} states")  # noqa: T201 - a figure for those who ask for it (pytest -s)
    assert compared > 750


@pytest.mark.slow
@pytest.mark.parametrize("number", range(2))
def test_hundreds_of_masks_of_a_large_tokenizer(number: int) -> None:
    """Hundreds of states of real schemas and of those by hand with 128k tokens, every token tried at each."""
    vocab = vocabulary_named("deepseek")
    schemas = share({**HAND, **real_schemas(30, seed=12)}, number, 2)
    compared = sum(compare(schemas[name], vocab, name, states=5, walks=2, steps=20) for name in schemas)
    print(f"deepseek, share {number}: {compared} states")  # noqa: T201 - a figure for those who ask for it (pytest -s)
    assert compared > 120


@pytest.mark.slow
@pytest.mark.parametrize("vocabulary", ["qwen", "tekken", "smollm2", "sentencepiece"])
def test_masks_of_every_kind_of_tokenizer(vocabulary: str) -> None:
    """States of the schemas by hand with each other kind of tokenizer, every token tried at each."""
    vocab = vocabulary_named(vocabulary)
    compared = sum(compare(HAND[name], vocab, name, states=2, walks=1, steps=20) for name in HAND)
    print(f"{vocabulary}: {compared} states")  # noqa: T201 - a figure for those who ask for it (pytest -s)
    assert compared > 45
