"""Real Lark grammars through the whole engine: acceptance, prefixes, masks and bounds against Lark itself, over real tokenizers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import lark
import numpy as np
import pytest
from corpus_vocabularies import vocabulary_named
from lark_seeds import SEEDS, build, edited, segmented
from lark_verdict import lark_accepts

import syntagma as sg
from syntagma.automata.bounds import UNREACHABLE
from syntagma.automata.constraint import Constraint

ENDINGS = [
    "",
    " ",
    ")",
    ";",
    "}",
    "]",
    "\n",
    '"',
    "a",
    "1",
    " a",
    " 1",
    "*/",
    "1)",
    "a)",
    "a;",
    "a}",
    "x;}",
    ");}",
    '"]',
    '"}',
    "1]",
    "1}",
    " end",
    "\na",
]
"""What is tried after a text that has no future."""


def pieces(name: str, tries: int) -> list[bytes]:
    """Tokens of several bytes that cross the lexemes of a grammar's seeds, and some that begin or end within a character."""
    draw = random.Random(name)
    found = {"é".encode()[1:] + b'"', b'"' + "€".encode()[:2], "€".encode()[1:], b"  ", b"\n  "}
    for _ in range(tries):
        data = draw.choice(SEEDS[name]).encode()
        at = draw.randrange(len(data))
        found.add(data[at : at + draw.randint(2, 6)])
    return sorted(x for x in found if len(x) > 1)


@lru_cache(maxsize=1)
def real_vocabulary(name: str) -> sg.Vocabulary:
    """One at a time: each takes hundreds of megabytes."""
    return vocabulary_named(name)


@lru_cache(maxsize=len(SEEDS))
def lark_built(name: str) -> lark.Lark:
    """The grammar as Lark builds it."""
    return build(name)


@lru_cache(maxsize=len(SEEDS))
def small(name: str, traps: Literal["keep", "drop"] = "keep") -> Constraint:
    """The grammar over all single bytes and 250 pieces of its seeds."""
    tokens: list[bytes | None] = [*(bytes([b]) for b in range(256)), *pieces(name, 250)]
    return sg.compile(sg.Lark(lark_built(name), traps=traps), sg.Vocabulary([*tokens, None], eos_ids=[len(tokens)]))


def allowed(constraint: Constraint, state: int) -> list[int]:
    """The tokens of a mask."""
    return np.flatnonzero(np.unpackbits(constraint.mask(state).view(np.uint8), bitorder="little")).tolist()


def finish(constraint: Constraint, state: int) -> bytes:
    """Complete a text by the single bytes that lower the bound most."""
    text = b""
    bound = constraint.finish_bound(state)
    while bound:
        assert bound < UNREACHABLE
        after = {b: x for b in range(256) if (x := constraint.advance_bytes(state, bytes([b])))}
        costs = {b: constraint.finish_bound(x) for b, x in after.items()}
        byte = min(costs, key=costs.__getitem__)
        assert costs[byte] < bound, (text, bound, costs)
        text += bytes([byte])
        state, bound = after[byte], costs[byte]
    assert constraint.is_accepting(state)
    return text


def prefixes(text: str) -> Iterator[tuple[int, bytes]]:
    """Byte positions, with what is read there."""
    data = text.encode()
    for k in range(len(data) + 1):
        yield k, data[:k]


def check_verdicts(name: str, count: int) -> tuple[int, int]:
    """Compare verdicts, and see that no prefix of an accepted text is dead; returns how many are accepted and how many are not."""
    constraint, built = small(name), lark_built(name)
    draw = random.Random(f"verdicts {name}")
    counts = [0, 0]
    for text in [*SEEDS[name], *(edited(draw, name) for _ in range(count))]:
        accepts = lark_accepts(built, text)
        assert constraint.accepts(text) == accepts, text
        counts[accepts] += 1
        if accepts:
            state = constraint.start
            for k, byte in enumerate(text.encode()):
                state = constraint.advance_bytes(state, bytes([byte]))
                assert state, text.encode()[: k + 1]
            assert constraint.is_accepting(state), text
    assert all(lark_accepts(built, x) for x in SEEDS[name])
    return counts[1], counts[0]


def check_prefixes(name: str, count: int, traps: Literal["keep", "drop"] = "keep") -> tuple[int, int]:
    """Sampled prefixes: one that lives is completed, one that does not has no continuation among those tried; returns how many of each."""
    constraint, built = small(name, traps), lark_built(name)
    draw = random.Random(f"prefixes {name}")
    counts = [0, 0]
    for _ in range(count):
        text = edited(draw, name)
        cut = text[: draw.randint(0, len(text))]
        state = constraint.advance_bytes(constraint.start, cut.encode())
        counts[bool(state)] += 1
        if state and not (constraint.finish_bound(state) >= UNREACHABLE and not constraint.report.live):
            rest = finish(constraint, state)
            assert lark_accepts(built, (cut.encode() + rest).decode()), (cut, rest)
            continue
        for more in [*ENDINGS, text[len(cut) :], *(x[draw.randrange(len(x)) :] for x in SEEDS[name])]:
            assert not lark_accepts(built, cut + more), (cut, more)
    return counts[1], counts[0]


def check_masks(name: str, count: int) -> None:
    """Masks at sampled prefixes are what advancing every token says, whether the row is built or kept."""
    constraint = small(name)
    draw = random.Random(f"masks {name}")
    done = 0
    while done < count:
        text = edited(draw, name).encode()
        state = constraint.advance_bytes(constraint.start, text[: draw.randint(0, len(text))])
        if state:
            done += 1
            row = allowed(constraint, state)
            assert row == [t for t in range(constraint.vocab.size) if constraint.advance(state, t)], text
            assert (constraint.vocab.size - 1 in row) == constraint.is_accepting(state)


def check_tokens(name: str, vocabulary: str, count: int) -> None:
    """Tokens of a real tokenizer that spell accepted texts are in every mask on the way, and masks agree with advancing a sample of tokens."""
    vocab, built = real_vocabulary(vocabulary), lark_built(name)
    constraint = sg.compile(sg.Lark(built), vocab)
    draw = random.Random(f"tokens {name}")
    texts = [x for x in (edited(draw, name) for _ in range(3 * count)) if lark_accepts(built, x)][:count]
    for text in [*SEEDS[name], *texts]:
        state = constraint.start
        for token in segmented(draw, vocab, text):
            row = constraint.mask(state)
            bits = np.unpackbits(row.view(np.uint8), bitorder="little")[: vocab.size]
            assert bits[token], (text, vocab.tokens[token])
            for other in (*draw.choices(np.flatnonzero(bits).tolist(), k=2), *draw.choices(range(vocab.size), k=5)):
                assert bool(bits[other]) == bool(constraint.advance(state, other)), (text, vocab.tokens[other])
            state = constraint.advance(state, token)
        assert constraint.is_accepting(state), text


@pytest.mark.parametrize("name", SEEDS)
def test_verdicts_are_those_of_lark(name: str) -> None:
    """Texts of real grammars, and the same with a few edits, are accepted iff Lark parses them; their prefixes are alive."""
    assert min(check_verdicts(name, 100)) > 5


@pytest.mark.parametrize("name", SEEDS)
def test_a_prefix_is_alive_iff_it_can_be_finished(name: str) -> None:
    """Prefixes of edited texts are alive with a completion that Lark accepts, or dead with none that is found."""
    assert min(check_prefixes(name, 80)) > 0


@pytest.mark.parametrize("name", ["c", "json", "lark"])
def test_without_traps_every_living_prefix_is_finished(name: str) -> None:
    """Where traps are dropped, prefixes of edited texts are finished without exception, in Lark's own grammar too."""
    assert small(name, "drop").report.live
    assert min(check_prefixes(name, 80, "drop")) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEDS)
def test_without_traps_more_living_prefixes_are_finished(name: str) -> None:
    """The same for all real grammars in a larger sample."""
    check_prefixes(name, 250, "drop")


@pytest.mark.parametrize("name", SEEDS)
def test_masks_of_real_grammars_are_brute_force(name: str) -> None:
    """Masks along edited texts agree with advancing every token."""
    check_masks(name, 30)


@pytest.mark.parametrize("name", SEEDS)
@pytest.mark.parametrize("vocabulary", ["smollm2"])
def test_tokens_of_a_real_tokenizer_are_allowed(vocabulary: str, name: str) -> None:
    """Token by token, the masks of a real tokenizer allow what Lark parses."""
    check_tokens(name, vocabulary, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEDS)
def test_thousands_of_texts_of_real_grammars(name: str) -> None:
    """The same properties in a large sample."""
    check_verdicts(name, 4000)
    check_prefixes(name, 250)
    check_masks(name, 300)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEDS)
@pytest.mark.parametrize("vocabulary", ["smollm2", "deepseek"])
def test_tokens_of_real_tokenizers_are_allowed(vocabulary: str, name: str) -> None:
    """The same for more texts, and for a tokenizer with 128k tokens."""
    check_tokens(name, vocabulary, 20)
