"""Truth by trying: which tokens are allowed, and the least number of tokens to an end."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from corpus_walks import Bits

from syntagma.automata.advance import advance_bytes, advance_many
from syntagma.automata.constraint import Session
from syntagma.automata.layout import UNBOUNDED
from syntagma.automata.vocabulary import Vocabulary

PLAIN = 4096
"""Of at most so many tokens each is advanced by the public calls; of more, the kernels below those calls are run, and some public calls."""


@dataclass(frozen=True)
class Texts:
    """The texts of a vocabulary in the order of their bytes: behind each text come those that it begins.

    Attributes:
        parent: the place of the longest text that begins this one, -1 if there is none.
        rest: the bytes behind the parent's.
        end: the place of the next text that this one does not begin.
        tokens: the ids that spell it; none for single bytes that are no token.

    """

    parent: list[int]
    rest: list[npt.NDArray[np.uint8]]
    end: list[int]
    tokens: list[list[int]]

    @classmethod
    def of(cls, vocab: Vocabulary) -> Texts:
        """The texts of a vocabulary, and every byte that a text begins with."""
        ids: dict[bytes, list[int]] = {}
        for token, text in enumerate(vocab.tokens):
            if text:
                ids.setdefault(text, []).append(token)
                ids.setdefault(text[:1], [])
        texts = sorted(ids)
        parent, rest, end, open_ = [], [], [len(texts)] * len(texts), list[int]()
        for at, text in enumerate(texts):
            while open_ and not text.startswith(texts[open_[-1]]):
                end[open_.pop()] = at
            parent.append(open_[-1] if open_ else -1)
            rest.append(np.frombuffer(text[len(texts[open_[-1]]) if open_ else 0 :], np.uint8))
            open_.append(at)
        return cls(parent, rest, end, [ids[text] for text in texts])


_texts: WeakKeyDictionary[Vocabulary, Texts] = WeakKeyDictionary()


def brute_force(session: Session, state: int) -> tuple[Bits, Bits]:
    """The allowed tokens of a state, found by advancing each token, and each token's bytes."""
    return _each_call(session, state) if session.vocab.size <= PLAIN else _each_kernel(session, state)


def _each_call(session: Session, state: int) -> tuple[Bits, Bits]:
    texts = session.vocab.tokens
    by_token = [session.advance(state, token) != 0 for token in range(len(texts))]
    by_bytes = [text is not None and session.advance_bytes(state, text) != 0 for text in texts]
    return np.array(by_token), np.array(by_bytes)


def _each_kernel(session: Session, state: int) -> tuple[Bits, Bits]:
    """The same, of many tokens: one call for all of them, and bytes are read on from where the longest token that begins them led.

    Whether a text can be completed is a matter of the state behind it, so it is asked once of each state.
    """
    vocab, store = session.vocab, session.store
    by_token = np.empty(vocab.size, np.int64)
    by_bytes = np.zeros(vocab.size, np.int64)
    if vocab not in _texts:
        _texts[vocab] = Texts.of(vocab)
    texts = _texts[vocab]
    with store.lock:
        a = store.arena.a
        code = advance_many(a, np.full(vocab.size, state), np.arange(vocab.size), by_token)
        assert code == 0, code
        reached = [0] * len(texts.rest)
        at = 0
        while at < len(reached):
            parent = texts.parent[at]
            after = int(advance_bytes(a, state if parent < 0 else reached[parent], texts.rest[at]))
            assert after >= 0, after
            if after == 0:
                at = texts.end[at]  # nor do the texts that this one begins lead anywhere
                continue
            reached[at] = after
            by_bytes[texts.tokens[at]] = after
            at += 1
    states, number = np.unique(np.concatenate((by_token, by_bytes)), return_inverse=True)
    alive = states != 0
    if not store.byte_complete:
        alive &= [bool(s) and session.fits(s, UNBOUNDED - 1) for s in states.tolist()]
    tokens, spelled = alive[number].reshape(2, -1)
    some = {
        *np.random.default_rng(state).integers(vocab.size, size=64).tolist(),
        *np.flatnonzero(tokens != spelled)[:64].tolist(),
    }
    for token in some:
        text = vocab.tokens[token]
        assert (session.advance(state, token) != 0) == tokens[token], token
        assert text is None or (session.advance_bytes(state, text) != 0) == spelled[token], token
    return tokens, spelled


def _successors(session: Session, state: int, tokens: npt.NDArray[np.int64]) -> list[int]:
    """The states after the tokens, each once, of which an end can be spelled."""
    after = np.empty(len(tokens), np.int64)
    with session.store.lock:
        code = advance_many(session.store.arena.a, np.full(len(tokens), state), tokens, after)
        assert code == 0, code
    states = [s for s in np.unique(after).tolist() if s]
    return states if session.store.byte_complete else [s for s in states if session.fits(s, UNBOUNDED - 1)]


def least_tokens(session: Session, start: int, most_advances: int) -> dict[int, tuple[int, bool]]:
    """The least number of tokens from states to an accepting state, by searching every token of every state near ``start``.

    Returns:
        For each state that was met: a number, and whether it is the least number (True) or the least number is greater (False).

    """
    vocab = session.vocab
    tokens = np.array([t for t, text in enumerate(vocab.tokens) if text is not None and t not in vocab.eos_ids])
    depth_of = {start: 0}
    layers = [[start]]
    before: defaultdict[int, list[int]] = defaultdict(list)
    left = most_advances
    while layers[-1] and left >= len(layers[-1]) * len(tokens):
        left -= len(layers[-1]) * len(tokens)
        following: list[int] = []
        for state in layers[-1]:
            for after in _successors(session, state, tokens):
                if after not in depth_of:
                    depth_of[after] = len(layers)
                    following.append(after)
                before[after].append(state)
        layers.append(following)
    complete = not layers[-1]  # every state that can be reached was met
    explored = len(layers) - 1
    layer = [s for s in depth_of if session.is_accepting(s)]
    distance = dict.fromkeys(layer, 0)
    while layer:
        found: list[int] = []
        for state in layer:
            for earlier in before[state]:
                if earlier not in distance:
                    distance[earlier] = distance[state] + 1
                    found.append(earlier)
        layer = found
    result: dict[int, tuple[int, bool]] = {}
    for state, depth in depth_of.items():
        far = explored - depth
        if state in distance and (complete or distance[state] <= far):
            result[state] = distance[state], True
        elif not complete and far >= 0:
            result[state] = far, False
    return result
