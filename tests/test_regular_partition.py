"""A language cut by others at once: against sets of enumerated texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_regular_dfa import TEXTS, automata, members

from syntagma.grammar.errors import LimitExceeded
from syntagma.grammar.regular.dfa import CharDfa
from syntagma.grammar.regular.partition import partition

pytestmark = pytest.mark.kernel


@given(automata(), automata(), st.lists(automata(), max_size=3))
def test_classes_are_those_of_sets(base: CharDfa, but_not: CharDfa, languages: list[CharDfa]) -> None:
    """Each text is in the class of just those languages that have it, and the union of some classes is minimal."""
    parts = partition(base, but_not, tuple(languages), 8)
    assert parts is not None
    assert len(set(parts.classes)) == len(parts.classes)
    mine = [members(parts.language([i])) for i in range(len(parts.classes))]
    for text in TEXTS:
        hit = frozenset(i for i, dfa in enumerate(languages) if dfa.accepts(text))
        cut = base.accepts(text) and not but_not.accepts(text)
        assert [i for i, texts in enumerate(mine) if text in texts] == ([parts.classes.index(hit)] if cut else [])
    assert parts.language(range(len(parts.classes))) == base - but_not
    for i, hit in enumerate(parts.classes):
        one = base - but_not
        for k, dfa in enumerate(languages):
            one = one & dfa if k in hit else one - dfa
        assert parts.language([i]) == one
        assert not one.is_empty()


def test_no_more_classes_than_were_asked_for() -> None:
    """Four patterns that overlap freely make sixteen classes; fifteen are too few."""
    patterns = tuple(CharDfa.from_regex(letter) for letter in "abcd")
    everything, nothing = CharDfa.any_string(), CharDfa.nothing()
    assert partition(everything, nothing, patterns, 15) is None
    parts = partition(everything, nothing, patterns, 16)
    assert parts is not None
    assert len(parts.classes) == 16


def test_a_product_that_is_too_large_is_a_named_limit() -> None:
    """Letters at fixed places from the end take two to the power of their distances."""
    patterns = tuple(CharDfa.from_regex(f"{letter}.{{7}}$") for letter in "abcd")
    with pytest.raises(LimitExceeded) as caught:
        partition(CharDfa.any_string(), CharDfa.nothing(), patterns, 64)
    assert caught.value.limit == "max_dfa_states"
