"""Literals as shared tries: the automaton that comes out reads what the edges that go in say."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syntagma.automata.loading.literals import ATTR_KILL, ATTR_NOT, spell_out
from syntagma.grammar.ir import (
    EDGE_WIDTH,
    KIND_LITERAL,
    KIND_NOT_LITERAL,
    OP_COUNT,
    OP_NONE,
    START,
    Automaton,
    StateIndex,
)

pytestmark = pytest.mark.kernel

TEXTS = [bytes(text) for n in range(6) for text in product(b"ab", repeat=n)]


@st.composite
def bodies(draw: st.DrawFn) -> Automaton:
    """Chains, forks and cycles of epsilon edges, and literals that share prefixes, some with an operation."""
    a = Automaton()
    n = draw(st.integers(1, 5))
    for _ in range(n - 1):
        a.state()
    states = st.integers(0, n - 1).map(StateIndex)
    words = st.text("ab", min_size=1, max_size=3).map(str.encode)
    for _ in range(draw(st.integers(0, 8))):
        op = draw(st.sampled_from((OP_NONE, OP_NONE, OP_NONE, OP_COUNT)))
        a.literal(draw(states), draw(words), draw(states), op)
    for _ in range(draw(st.integers(0, 5))):
        a.epsilon(draw(states), draw(states))
    for _ in range(draw(st.integers(0, 2))):
        a.byte_range(draw(states), ord("a"), ord("b"), draw(states))
    for _ in range(draw(st.integers(0, 2))):
        a.accept(draw(states))
    return a


def spelled(a: Automaton) -> tuple[np.ndarray, ...]:
    """What the kernel makes of a body."""
    edges = np.frombuffer(bytearray(a.edges.tobytes()) or bytearray(8 * EDGE_WIDTH), np.int64).reshape(-1, EDGE_WIDTH)
    special = np.zeros(a.n, np.bool_)
    special[a.accepting] = True
    blob = np.frombuffer(bytes(a.blob) or b"\0", np.uint8)
    return spell_out(edges[: len(a.edges) // EDGE_WIDTH], blob, a.n, special)


def reached(by: np.ndarray, eps: np.ndarray, text: bytes) -> set[int]:
    """The states behind a text."""
    edges, free = by.tolist(), eps.tolist()

    def closed(states: set[int]) -> set[int]:
        while True:
            more = states | {t for s, t in free if s in states}
            if more == states:
                return states
            states = more

    here = closed({START})
    for byte in text:
        here = closed({t for s, low, high, _, _, t in edges if s in here and low <= byte <= high})
    return here


def accepts(a: Automaton, text: bytes) -> bool:
    """Whether the edges of the intermediate representation read a text, one after the other."""
    rows = np.array(a.edges).reshape(-1, EDGE_WIDTH).tolist()
    seen = {(START, 0)}
    todo = list(seen)
    while todo:
        state, at = todo.pop()
        for source, kind, low, high, _, _, target in rows:
            if source != state:
                continue
            if kind == KIND_LITERAL:
                word = bytes(a.blob[low : low + high])
            else:
                word = text[at : at + 1] if kind and low <= (*text[at:], 0)[0] <= high else b""
                if kind and not word:
                    continue
            after = (target, at + len(word))
            if text[at:].startswith(word) and after not in seen:
                seen.add(after)
                todo.append(after)
    return any((state, len(text)) in seen for state in a.accepting)


@given(bodies())
def test_tries_read_the_same_texts(a: Automaton) -> None:
    """Every short text is accepted by the bytes exactly if it is by the literals."""
    _, home, by, eps, _, _ = spelled(a)
    ends = {int(home[s]) for s in a.accepting}
    for text in TEXTS:
        assert bool(reached(by, eps, text) & ends) == accepts(a, text), text


@given(bodies(), st.lists(st.text("ab", min_size=1, max_size=3).map(lambda text: text.encode() + b'"'), max_size=4))
def test_texts_that_must_not_be_are_a_trie_of_their_own(a: Automaton, texts: list[bytes]) -> None:
    """Beside the literals of a state, whose texts stay the same, each of them ends in a state that kills."""
    before = [accepts(a, text) for text in TEXTS]
    for text in texts:
        a.edges.extend((START, KIND_NOT_LITERAL, len(a.blob), len(text), OP_NONE, 0, START))
        a.blob += text
    attrs, home, by, eps, _, _ = spelled(a)
    ends = {int(home[s]) for s in a.accepting}
    assert [bool(reached(by, eps, text) & ends) for text in TEXTS] == before
    for text in texts:
        assert any(attrs[s] & ATTR_KILL for s in reached(by, eps, text))
        for k in range(1, len(text)):
            assert any(attrs[s] & ATTR_NOT and not attrs[s] & ATTR_KILL for s in reached(by, eps, text[:k]))


def test_a_chain_of_optional_literals_takes_one_state_a_byte() -> None:
    """So the loader's sets are small: one node of a trie stands for all literals that may come."""
    a = Automaton()
    words = [f'"k{i}"'.encode() for i in range(100)]
    end, here = a.state(), START
    a.accept(end)
    for word in words:
        following = a.state()
        a.literal(here, word, end)
        a.epsilon(here, following)
        here = following
    attrs, _, by, eps, _, _ = spelled(a)
    assert len(attrs) <= a.n + sum(len(word) for word in words) + 1
    tries = set(by[:, 0].tolist())
    assert len(reached(by, eps, b"") & tries) == len(reached(by, eps, b'"k') & tries) == 1
