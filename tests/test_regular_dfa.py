"""Character automata: their algebra against enumeration over a small alphabet, and their lengths."""

from __future__ import annotations

from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syntagma.grammar.errors import InvalidSource, LimitExceeded
from syntagma.grammar.ir import UNBOUNDED
from syntagma.grammar.regular.dfa import CharDfa

pytestmark = pytest.mark.kernel

LETTERS = "ab\u00e9"
TEXTS = ["".join(t) for n in range(5) for t in product(LETTERS, repeat=n)]


@st.composite
def automata(draw: st.DrawFn) -> CharDfa:
    """A random deterministic automaton over three letters."""
    n = draw(st.integers(1, 4))
    targets = draw(st.lists(st.integers(-1, n - 1), min_size=3 * n, max_size=3 * n))
    edges = [(i // 3, ord(LETTERS[i % 3]), ord(LETTERS[i % 3]), t) for i, t in enumerate(targets) if t >= 0]
    return CharDfa.from_edges(n, edges, draw(st.sets(st.integers(0, n - 1))))


def members(dfa: CharDfa) -> set[str]:
    """Which of the enumerated texts are accepted."""
    return {text for text in TEXTS if dfa.accepts(text)}


@given(automata(), automata())
def test_operators_are_those_of_sets(a: CharDfa, b: CharDfa) -> None:
    """Intersection, union, difference and complement agree with sets of enumerated texts."""
    x, y = members(a), members(b)
    assert members(a & b) == x & y
    assert members(a | b) == x | y
    assert members(a - b) == x - y
    assert members(~a) == set(TEXTS) - x


@given(automata(), automata())
def test_questions_follow_from_differences(a: CharDfa, b: CharDfa) -> None:
    """Subset, disjointness and equality say what the set differences say; four states show it in 16 letters at most."""
    assert a.is_subset(b) == (a - b).is_empty()
    assert a.is_disjoint(b) == (a & b).is_empty()
    assert a.equals(b) == ((a - b).is_empty() and (b - a).is_empty())
    if a.is_empty():
        assert members(a) == set()
        assert a.shortest() is None
        assert a.sample(Random(0)) is None


@given(automata(), automata())
def test_equal_languages_are_equal_objects(a: CharDfa, b: CharDfa) -> None:
    """The canonical form makes laws of algebra equalities of arrays."""
    assert ~~a == a
    assert ~(a | b) == ~a & ~b
    assert hash(a | b) == hash(b | a)
    assert (a - b) | (a & b) == a


@given(automata(), automata())
def test_concatenation_and_star(a: CharDfa, b: CharDfa) -> None:
    """Concatenation and star agree with their definitions on short texts."""
    x, y = members(a), members(b)
    assert members(a + b) == {text for text in TEXTS if any(text[:k] in x and text[k:] in y for k in range(5))}
    star = a.star()
    closed = {""}
    for text in TEXTS[1:]:
        if any(text[:k] in x and text[k:] in closed for k in range(1, len(text) + 1)):
            closed.add(text)
    assert members(star) == closed


@given(automata())
def test_every_state_is_useful(a: CharDfa) -> None:
    """Automata are trimmed: each state is reached and leads to acceptance, or the language is empty."""
    reached = {0}
    for _ in range(a.n):
        reached |= {int(a.target[e]) for q in reached for e in range(a.first[q], a.first[q + 1])}
    assert reached == set(range(a.n))
    if not a.is_empty():
        assert (a.length_profile().least < UNBOUNDED).all()


@given(automata())
def test_lengths_are_those_of_the_texts(a: CharDfa) -> None:
    """The profile of the start is the least and greatest length of a text; gapless means that all between occur."""
    if a.is_empty():
        return
    profile = a.length_profile()
    lengths = {len(text) for text in members(a)}
    if profile.most[0] < UNBOUNDED:
        assert lengths == {len(text) for text in a.strings(10_000)}
        assert (int(profile.least[0]), int(profile.most[0])) == (min(lengths), max(lengths))
        assert a.is_finite()
    if profile.gapless:
        window = range(5)
        assert {k for k in window if profile.least[0] <= k <= profile.most[0]} == {k for k in lengths if k in window}


@given(automata(), st.integers(0, 4), st.integers(0, 4))
def test_with_length_filters_by_length(a: CharDfa, low: int, high: int) -> None:
    """Unrolling a counter keeps exactly the texts of these lengths."""
    assert members(a.with_length(low, high)) == {t for t in members(a) if low <= len(t) <= high}
    assert members(a.with_length(low)) == {t for t in members(a) if low <= len(t)}


@given(automata(), st.integers(0, 3))
def test_counter_bounds_are_sound(a: CharDfa, low: int) -> None:
    """Where two bounds may be counted, no length between them is missing from any state."""
    if a.is_empty():
        return
    bounds = a.counter_bounds(low, low + 1)
    if bounds is None:
        assert not a.length_profile().gapless
    else:
        lowest, highest = bounds
        assert members(a.with_length(lowest, highest)) == members(a.with_length(low, low + 1))


@given(automata())
def test_strings_come_in_order_and_without_repeats(a: CharDfa) -> None:
    """Enumeration is by length, then by code point, complete up to its limit."""
    found = list(a.strings(50))
    assert found == sorted(set(found), key=lambda text: (len(text), text))
    short = sorted(members(a), key=lambda text: (len(text), text))
    assert found[: len(short)] == short[: len(found)]


@given(automata(), st.integers(0, 1000))
def test_samples_are_members(a: CharDfa, seed: int) -> None:
    """A sample is accepted."""
    if not a.is_empty():
        text = a.sample(Random(seed), max_length=6)
        assert text is not None
        assert a.accepts(text)


@given(st.lists(st.text(max_size=6), max_size=20))
def test_finite_sets(strings: list[str]) -> None:
    """An automaton of given strings has exactly these."""
    dfa = CharDfa.from_strings(strings)
    assert set(dfa.strings(100)) == set(strings)
    assert dfa.is_finite()


def test_a_finite_set_shares_suffixes() -> None:
    """The automaton of strings is minimal: suffixes are shared as well as prefixes."""
    assert CharDfa.from_strings(f"{a}{b}-end" for a in "abcdef" for b in "uvwxyz").n == 7


def test_surrogates_are_no_characters() -> None:
    """Lone surrogates are refused where given, and never accepted."""
    with pytest.raises(InvalidSource, match=r"U\+D800"):
        CharDfa.from_strings(["a\ud800"])
    assert not CharDfa.any_string().accepts("\udfff")
    assert CharDfa.any_string().accepts("\ud7ff\ue000\U0010ffff")


def test_caps_are_typed_errors() -> None:
    """A product or an unrolled counter beyond its cap says which limit it was."""
    a = CharDfa.from_regex("^(ab)*$")
    with pytest.raises(LimitExceeded) as caught:
        a.with_length(0, 1_000_000)
    assert caught.value.limit == "max_dfa_states"
    with pytest.raises(LimitExceeded):
        a.intersect(CharDfa.from_length(0, 500), max_states=100)


def test_automata_are_immutable() -> None:
    """Neither an attribute nor an array can be changed."""
    a = CharDfa.from_length(1, 2)
    with pytest.raises(AttributeError):
        a.n = 3
    with pytest.raises(ValueError, match="read-only"):
        a.low[0] = 1
    assert np.array_equal(a.low, CharDfa.from_length(1, 2).low)
    assert CharDfa.from_length(3, 2).is_empty()
    assert "states" in repr(a)
