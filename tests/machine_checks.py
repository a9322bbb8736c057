"""Comparing a constraint with an oracle, state by state and canvas by canvas."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np
from machine_oracle import HOLE as ANY
from machine_oracle import Oracle

from syntagma.automata import lattice
from syntagma.automata.constraint import Constraint
from syntagma.automata.vocabulary import Vocabulary


def vocabulary(texts: Sequence[bytes], *, padded: bool = False) -> Vocabulary:
    """The texts as tokens, then a hole in the numbering, then end-of-sequence, then perhaps padding."""
    n = len(texts)
    return Vocabulary([*texts, None, None, None], eos_ids=[n + 1], pad_ids=[n + 2] if padded else [])


def tokens_of(row: np.ndarray) -> set[int]:
    """The token ids of a packed row."""
    return set(np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist())


def walk(oracle: Oracle, rng: random.Random, longest: int) -> Iterator[tuple[list[int], bytes]]:
    """Token prefixes of a random text, each with its bytes; ends where nothing may follow."""
    tokens: list[int] = []
    text = b""
    yield tokens, text
    while len(tokens) < longest:
        allowed = sorted(oracle.mask(text))
        if not allowed:
            return
        tokens = [*tokens, rng.choice(allowed)]
        text += oracle.tokens[tokens[-1]] or b""
        yield tokens, text


def check_states(constraint: Constraint, oracle: Oracle, rng: random.Random, *, walks: int, longest: int) -> int:
    """Masks, acceptance and bounds along random walks, against the oracle; returns how many states were compared."""
    eos = set(constraint.vocab.eos_ids)
    compared = 0
    for _ in range(walks):
        with constraint.session() as session:
            for tokens, text in walk(oracle, rng, longest):
                state = session.advance_tokens(session.start, tokens)
                assert state, text
                accepting = oracle.accepts(text)
                assert session.is_accepting(state) == accepting, text
                want = oracle.mask(text) | (eos if accepting else set())
                assert tokens_of(session.mask(state)) == want, (text, want)
                spelled = session.advance_bytes(session.start, text)
                assert tokens_of(session.mask(spelled)) == want, (text, "bytes")
                bound = session.finish_bound(state)
                assert oracle.bound(text) <= bound, text
                assert (bound == 0) == accepting, text
                for token in range(constraint.vocab.size):
                    assert (session.advance(state, token) != 0) == (token in want), (text, token)
                inside = tokens_of(session.mask(state, budget=bound))
                assert inside <= want, text
                assert inside, text
                if not accepting:
                    rest = min(session.finish_bound(session.advance(state, t)) for t in inside)
                    assert rest <= bound - 1, text
                compared += 1
    return compared


def canvas(oracle: Oracle, rng: random.Random, eos: Sequence[int], longest: int, holes: int) -> list[object]:
    """A canvas that can mostly be filled: a random text with some tokens opened, spoilt in 15 of 100 cases."""
    tokens: list[int] = []
    text = b""
    ended = False
    for _ in range(rng.randint(1, longest)):
        choices: list[int] = list(eos) if ended else sorted(oracle.mask(text))
        if not ended and oracle.accepts(text):
            choices += list(eos) * 2
        if not choices:
            break
        tokens.append(rng.choice(choices))
        ended = ended or tokens[-1] in eos
        text += b"" if ended else oracle.tokens[tokens[-1]] or b""
    slots: list[object] = list(tokens)
    if slots and rng.random() < 0.15:
        slots[rng.randrange(len(slots))] = rng.choice([i for i, t in enumerate(oracle.tokens) if t])
    for i in rng.sample(range(len(slots)), min(len(slots), rng.randint(1, holes))):
        slots[i] = ANY
    return slots


def check_lattice(constraint: Constraint, oracle: Oracle, rng: random.Random, *, canvases: int, holes: int = 4) -> int:
    """Feasibility and the mask of each hole, against enumeration of all fillings; returns how many canvases had one."""
    vocab = constraint.vocab
    feasible = 0
    for _ in range(canvases):
        slots = canvas(oracle, rng, vocab.eos_ids, 6, holes)
        fillings = list(oracle.fillings(slots, vocab.eos_ids, vocab.pad_ids))
        with lattice.Lattice(constraint, [lattice.HOLE if s is ANY else s for s in slots]) as window:  # type: ignore[misc]
            assert window.feasible() == bool(fillings), slots
            rows = window.masks()
        places = [i for i, slot in enumerate(slots) if slot is ANY]
        assert len(rows) == len(places)
        for row, place in zip(rows, places, strict=True):
            assert tokens_of(row) == {filling[place] for filling in fillings}, (slots, place)
        feasible += bool(fillings)
    return feasible
