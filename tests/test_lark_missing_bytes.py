"""Parsers over vocabularies that lack single bytes: what tokens can finish is kept, and nothing else, by enumeration over token sequences."""

from __future__ import annotations

import itertools
import random
from functools import lru_cache

import lark
import lark_random
import numpy as np
import pytest
from sizes import size

import syntagma as sg

pytestmark = pytest.mark.kernel

BYTES = sg.Vocabulary([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
CONDITION = 'start: e\ne: NUM ("if" NUM "else" e)?\nNUM: /\\d+(e\\d+)?/\n'


def parses(built: lark.Lark, text: str) -> bool:
    """Whether Lark parses a text; whatever it raises is a rejection."""
    try:
        built.parse(text)
    except Exception:  # noqa: BLE001
        return False
    return True


def allowed(session: sg.Session, state: int, budget: int | None = None) -> list[int]:
    """The tokens of a mask."""
    row = session.mask(state, budget=budget)
    return np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist()


def spelled(constraint: sg.Constraint, draw: random.Random) -> str:
    """A text: some letters at will, then what its bound leads to."""
    text = ""
    with constraint.session() as session:
        state = session.start
        for wants in [True] * draw.randint(0, 4) + [False] * 40:
            after = {x: session.advance_bytes(state, x.encode()) for x in lark_random.ALPHABET}
            after = {x: target for x, target in after.items() if target}
            if not after or (not wants and session.is_accepting(state)):
                break
            letter = draw.choice(sorted(after)) if wants else min(after, key=lambda x: session.finish_bound(after[x]))
            state, text = after[letter], text + letter
    return text


def check(built: lark.Lark, tokens: list[str], longest: int) -> bool:
    """Compare a constraint with all sequences of up to ``longest`` tokens; whether there was anything to compare."""
    memo = lru_cache(maxsize=None)(lambda text: parses(built, text))
    ids = range(len(tokens))
    members = {
        sequence
        for length in range(longest + 1)
        for sequence in itertools.product(ids, repeat=length)
        if memo("".join(tokens[t] for t in sequence))
    }
    alive = {sequence[:k] for sequence in members for k in range(len(sequence) + 1)}
    vocab = sg.Vocabulary([*(x.encode() for x in tokens), None], eos_ids=[len(tokens)])
    try:
        constraint = sg.compile(sg.Lark(built), vocab)
    except sg.Unsatisfiable:
        assert not members
        return False
    if constraint.store.byte_complete:  # each byte that some token has is one: the grammar has its traps, if it has any
        return False
    with constraint.session() as session:
        states = {(): session.start}
        for sequence in (work := [()]):
            state = states[sequence]
            here = [tokens[t] for t in sequence]
            assert session.is_accepting(state) == (sequence in members), here
            assert session.finish_bound(state) < 1 << 40, here
            row = allowed(session, state)
            for t in ids:
                after = session.advance(state, t)
                assert bool(after) == (t in row), (here, tokens[t])
                assert after or (*sequence, t) not in alive, (here, tokens[t])
                if after and len(sequence) < longest:
                    states[*sequence, t] = after
                    work.append((*sequence, t))
        for sequence in work[:: 1 + len(work) // 40]:
            state, path = states[sequence], list(sequence)
            while bound := session.finish_bound(state):
                path.append(allowed(session, state, bound)[0])
                state = session.advance(state, path[-1])
                assert session.finish_bound(state) < bound, path
            assert memo("".join(tokens[t] for t in path)), path
    return True


@pytest.mark.parametrize("blanks", ["", '%ignore " "\n'])
def test_a_keyword_that_single_bytes_cannot_spell(blanks: str) -> None:
    """Behind 1if a text is finished by the token else, though none of its letters but e is a token."""
    built = lark.Lark(CONDITION + blanks, parser="lalr")
    assert check(built, ["1", "if", "else", "e", "1e", " ", "1if", "i"], size(5, plain=2))
    vocab = sg.Vocabulary([b"1", b"if", b"else", b"e", b"1e", b" ", b"1if", b"i", None], eos_ids=[8])
    constraint = sg.compile(sg.Lark(built), vocab)
    state = constraint.advance(constraint.start, 6)
    assert constraint.finish_bound(state) == 3
    assert constraint.is_accepting(constraint.advance_tokens(state, [0, 2, 0]))


def test_in_front_of_other_text() -> None:
    """The same where other text follows, spelled by a token of several letters."""
    vocab = sg.Vocabulary([b"1", b"if", b"else", b"1if", b"1 now", None], eos_ids=[5])
    constraint = sg.compile(sg.Sequence(sg.Lark(CONDITION), sg.Text(" now")), vocab)
    with constraint.session() as session:
        assert allowed(session, session.start) == [0, 3, 4]
        state = session.advance(session.start, 3)
        assert session.finish_bound(state) == 3
        assert session.is_accepting(session.advance_tokens(state, [0, 2, 4]))
        assert session.advance_tokens(session.start, [4, 1]) == 0


@pytest.mark.parametrize(
    "seed", [*range(size(12, plain=4)), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 150))]
)
def test_random_grammars(seed: int) -> None:
    """Of random grammars, over pieces of their texts, every prefix that some tokens finish is allowed, and every one that is allowed can be finished."""
    draw = random.Random(seed)
    while True:
        try:
            built = lark.Lark(lark_random.grammar(draw), parser="lalr")
            constraint = sg.compile(sg.Lark(built), BYTES)
        except (lark.exceptions.LarkError, sg.SyntagmaError):
            continue
        pieces: set[str] = set()
        for text in [spelled(constraint, draw) for _ in range(size(30, plain=5))]:
            cuts = (
                [0, *sorted(draw.sample(range(1, len(text)), draw.randint(0, len(text) - 1))), len(text)]
                if text
                else []
            )
            pieces |= {text[i:j] for i, j in itertools.pairwise(cuts)}
        tokens = draw.sample(sorted(pieces), min(len(pieces), draw.randint(3, 7)))
        if tokens and check(built, tokens, size(5 if len(tokens) < 5 else 4, plain=2)):
            return
