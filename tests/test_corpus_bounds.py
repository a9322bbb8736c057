"""``finish_bound`` and budgets over the corpus: a potential everywhere, the minimum where no extra key can come, kept by every walk."""

from __future__ import annotations

import random
from typing import Any

import pytest
from corpus import HAND, real_schemas, share
from corpus_truth import least_tokens
from corpus_vocabularies import vocabulary_named
from corpus_walks import STYLES, Walker

import syntagma as sg
from syntagma.automata.constraint import Constraint
from syntagma.automata.vocabulary import Vocabulary
from syntagma.grammar.errors import SyntagmaError

LIMITS = 50
"""States compared with a mere limit, of one search."""


def compiled(schema: Any, vocab: Vocabulary, *, whitespace: Any = "bounded") -> Constraint | None:
    """The schema's constraint, or None where it is refused by name or cannot be spelled."""
    try:
        return sg.compile(sg.JsonSchema(schema, whitespace=whitespace), vocab)
    except SyntagmaError:
        return None


def compare(schema: Any, vocab: Vocabulary, seed: str, *, starts: int, advances: int) -> tuple[int, int]:
    """Bounds against a search from some states of walks; returns how many states had a known minimum, how many a lower limit.

    All minima are compared, and of the states of which only a limit is known, mostly tens of thousands of keys, some.
    """
    constraint = compiled(schema, vocab, whitespace="compact" if len(seed) % 2 else "bounded")
    if constraint is None:
        return 0, 0
    exact = constraint.store.bounds.is_exact(constraint.rule_start)
    walker = Walker(constraint, random.Random(seed))
    minima = limits = 0
    for number in range(starts):
        with constraint.session() as session:
            start, path = session.start, []
            if number:  # somewhere in the last tokens of a walk, from where the search sees the end
                path = walker.walk(session, STYLES[number % len(STYLES)], 12).tokens
                path = path[: max(0, len(path) - walker.rng.randint(0, 6))]
                start = session.advance_tokens(session.start, path)
            found = least_tokens(session, start, advances)
            limited = [state for state, (_, known) in found.items() if not known]
            few = set(walker.rng.sample(limited, min(LIMITS, len(limited))))
            for state, (least, known) in found.items():
                if not known and state not in few:
                    continue
                bound = session.finish_bound(state)
                if not known:
                    limits += 1
                    assert bound > least, f"bound {bound} where the search finds nothing with {least}, near {path}"
                    continue
                minima += 1
                assert bound >= least, f"bound {bound} where {least} are needed, near {path}"
                assert (bound == 0) == (least == 0), f"bound {bound} where {least} are needed, near {path}"
                assert not exact or bound == least, f"bound {bound} where {least} are enough, near {path}"
    return minima, limits


def check_budgets(schema: Any, vocab: Vocabulary, seed: str, *, walks: int, most: int) -> int:
    """Walks in every style under budgets from the bound up, each complete in time; returns how many."""
    constraint = compiled(schema, vocab)
    if constraint is None:
        return 0
    walker = Walker(constraint, random.Random(seed))
    bound = constraint.finish_bound(constraint.start)
    assert bound == 0 or not constraint.mask(constraint.start, budget=bound - 1).any()
    budgets = [b for b in (bound, bound + 1, bound + 2, bound + 5, 2 * bound) if b <= most]
    for budget in budgets:
        for style in STYLES[:walks]:
            with constraint.session() as session:
                walker.walk_within(session, style, budget)
    return len(budgets) * len(STYLES[:walks])


@pytest.mark.parametrize("vocabulary", ["tiny", "tiny holed"])
@pytest.mark.parametrize("name", HAND)
def test_bounds_are_what_a_search_finds(name: str, vocabulary: str) -> None:
    """Near the start and near ends the bound is the least number of tokens, and with extra keys never below it."""
    minima, limits = compare(HAND[name], vocabulary_named(vocabulary), name, starts=3, advances=30_000)
    assert minima + limits > 0 or vocabulary == "tiny holed"


@pytest.mark.parametrize("vocabulary", ["small", "holed"])
@pytest.mark.parametrize("name", HAND)
def test_every_budget_from_the_bound_up_is_kept(name: str, vocabulary: str) -> None:
    """Text decoded from masks under a budget is complete within it, with all bytes and with some missing."""
    assert check_budgets(HAND[name], vocabulary_named(vocabulary), name, walks=4, most=60) or vocabulary == "holed"


@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("vocabulary", ["tiny", "tiny holed"])
def test_bounds_of_real_schemas_are_what_a_search_finds(vocabulary: str, number: int) -> None:
    """Thousands of states of real schemas and of those by hand have the bound that the search says."""
    vocab = vocabulary_named(vocabulary)
    schemas = share({**HAND, **real_schemas(120, seed=13)}, number, 3)
    found = [compare(schemas[name], vocab, name, starts=4, advances=20_000) for name in schemas]
    minima, limits = (sum(column) for column in zip(*found, strict=True))
    print(f"{vocabulary}, share {number}: {minima} minima, {limits} limits")  # noqa: T201 - for those who ask for it (pytest -s)
    assert minima > 1500


@pytest.mark.slow
@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("vocabulary", ["small", "holed", "smollm2"])
def test_budgets_of_real_schemas_are_kept(vocabulary: str, number: int) -> None:
    """The same for real schemas, and with a real tokenizer that lacks bytes."""
    vocab = vocabulary_named(vocabulary)
    count, walks = (40, 1) if vocabulary == "smollm2" else (80, 4)
    schemas = share({**HAND, **real_schemas(count, seed=14)}, number, 2)
    done = sum(check_budgets(schemas[name], vocab, name, walks=walks, most=120) for name in schemas)
    print(f"{vocabulary}, share {number}: {done} walks")  # noqa: T201 - for those who ask for it (pytest -s)
    assert done > 100 * walks
