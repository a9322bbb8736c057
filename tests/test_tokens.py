"""Token terminals: tokens of the vocabulary as symbols, against the definition."""

from __future__ import annotations

import random

import pytest
from machine_checks import tokens_of
from sizes import size
from token_oracle import Part, TokenOracle, gbnf, random_part

import syntagma as sg

pytestmark = pytest.mark.kernel

TEXTS: list[bytes | None] = [b"a", b"b", b"ab", b"ba", b"aab", b"ab", b"\xff", b"b\xf9", None, None, None, None, None]
"""Two tokens of one text, two with bytes that no UTF-8 has, then two special ones, one without a name, the end and a padding."""

THINK, STOP, NAMELESS, EOS, PAD = 8, 9, 10, 11, 12
ENDS = {EOS, PAD}
NAMED = set(range(len(TEXTS))) - {NAMELESS, EOS, PAD}
IDS = [0, 1, 2, 4, 5, 6, THINK, STOP, NAMELESS]


def vocabulary() -> sg.Vocabulary:
    """The tokens above."""
    return sg.Vocabulary(TEXTS, eos_ids=[EOS], pad_ids=[PAD], special={"<think>": THINK, "<stop>": STOP, "</s>": EOS})


@pytest.fixture(scope="module")
def vocab() -> sg.Vocabulary:
    """One vocabulary for all tests: stores of many symbols live side by side."""
    return vocabulary()


def check(constraint: sg.Constraint, oracle: TokenOracle, rng: random.Random, *, walks: int, longest: int) -> int:
    """Everything that can be seen of the states on random walks, against the oracle; returns how many were compared."""
    exact = constraint.report is not None and constraint.report.budget == "exact"
    compared = 0
    for _ in range(walks):
        with constraint.session() as session:
            state, here = session.start, oracle.begin()
            for _ in range(longest):
                accepting, bound = oracle.accepts(here), oracle.bound(here)
                want = oracle.mask(here) | ({EOS} if accepting else set())
                row = session.mask(state)
                assert tokens_of(row) == want
                assert session.is_accepting(state) == accepting
                assert (session.finish_bound(state) == bound) if exact else (session.finish_bound(state) >= bound)
                assert session.forced_token(state) == (min(want) if len(want) == 1 else None)
                assert tokens_of(constraint.vocab.store.masks([state, 0])[0]) == want
                ids = range(-1, constraint.vocab.size + 40)
                after = [session.advance(state, token) for token in ids]
                assert {token for token, state_after in zip(ids, after, strict=True) if state_after} == want
                batch = constraint.vocab.store.advance_batch([state] * len(after), list(ids))
                assert [bool(s) for s in batch] == [bool(s) for s in after]
                for budget in (0, int(bound), int(bound) + 1):
                    inside = tokens_of(session.mask(state, budget=budget)) - ENDS
                    if exact:
                        assert inside == oracle.mask(here, budget)
                    else:
                        assert inside <= oracle.mask(here, budget)
                for token in sorted(want - ENDS):
                    text = TEXTS[token]
                    if text is not None:
                        spelled = session.advance_bytes(state, text)
                        assert tokens_of(session.mask(spelled)) - ENDS == oracle.mask(oracle.spell(here, text))
                compared += 1
                inner = sorted(want - ENDS)
                if not inner:
                    break
                token = rng.choice(inner)
                state, here = session.advance(state, token), oracle.advance(here, token)
    return compared


def compiled(part: Part, vocab: sg.Vocabulary) -> tuple[sg.Constraint | None, TokenOracle]:
    """A part in GBNF, compiled, and its oracle; None where the language is empty."""
    oracle = TokenOracle(part, TEXTS, NAMED)
    if oracle.bound(oracle.begin()) == float("inf"):
        with pytest.raises((sg.Unsatisfiable, sg.InvalidSource)):
            sg.compile(sg.Gbnf(f"root ::= {gbnf(part)}"), vocab)
        return None, oracle
    return sg.compile(sg.Gbnf(f"root ::= {gbnf(part)}"), vocab), oracle


@pytest.mark.parametrize("seed", range(size(60, plain=6)))
def test_masks_bounds_and_steps_are_those_of_the_definition(vocab: sg.Vocabulary, seed: int) -> None:
    """On random grammars over text and tokens every answer about a state is that of an automaton over characters and tokens."""
    rng = random.Random(seed)
    for _ in range(4):
        constraint, oracle = compiled(random_part(rng, IDS, 3), vocab)
        if constraint is not None:
            assert check(constraint, oracle, rng, walks=3, longest=6)
