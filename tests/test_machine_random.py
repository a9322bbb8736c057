"""Random grammars through the whole path: rewriting, loading, effects, masks, bounds, lattices."""

from __future__ import annotations

import random

import pytest
from machine_checks import check_lattice, check_states, tokens_of, vocabulary, walk
from machine_oracle import ChartOracle
from random_grammars import FIXED, Productions, random_productions
from sizes import size

from syntagma.automata import conformance
from syntagma.automata.conformance import check_constraint
from syntagma.automata.constraint import Constraint
from syntagma.grammar.bnf import cfg
from syntagma.grammar.errors import Unsatisfiable
from syntagma.grammar.leftcorner import real_time

pytestmark = pytest.mark.kernel


def letters_of(rules: Productions) -> list[bytes]:
    """The single bytes that the productions use."""
    texts = {s for alternatives in rules.values() for a in alternatives for s in a if isinstance(s, bytes)}
    return sorted({bytes([b]) for text in texts for b in text})


def random_tokens(rng: random.Random, letters: list[bytes], many: int) -> list[bytes]:
    """The letters, and longer tokens of up to four of them; duplicates happen, as in real vocabularies."""
    return letters + [b"".join(rng.choices(letters, k=rng.randint(2, 4))) for _ in range(many)]


def check(rules: Productions, rng: random.Random, *, walks: int, canvases: int) -> int:
    """Compare one grammar's constraint with the chart; returns how many states and canvases were compared."""
    letters = letters_of(rules)
    if not letters:
        return 0
    tokens = random_tokens(rng, letters, 7)
    grammar = cfg(rules, next(iter(rules)))
    oracle = ChartOracle(grammar, tokens)
    vocab = vocabulary(tokens, padded=True)
    try:
        constraint = Constraint.from_grammar(real_time(grammar), vocab)
    except Unsatisfiable:
        assert not oracle.alive(b"")
        return 0
    states = check_states(constraint, oracle, rng, walks=walks, longest=5)
    return states + check_lattice(constraint, oracle, rng, canvases=canvases, holes=3)


@pytest.mark.parametrize("name", FIXED)
def test_textbook_grammars_equal_the_chart(name: str) -> None:
    """Each kind of recursion, once: masks, verdicts, bounds and lattices are those of an Earley chart."""
    assert check(FIXED[name], random.Random(name), walks=6, canvases=10) > 10


@pytest.mark.parametrize("seed", range(8))
def test_random_grammars_equal_the_chart(seed: int) -> None:
    """The same for random grammars with random tokens that cross their structure."""
    rng = random.Random(seed)
    assert sum(check(random_productions(rng), rng, walks=3, canvases=4) for _ in range(6)) > 30


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1040))
def test_many_more_random_grammars_equal_the_chart(seed: int) -> None:
    """The same on thousands of states and canvases."""
    rng = random.Random(seed)
    assert sum(check(random_productions(rng), rng, walks=6, canvases=10) for _ in range(25)) > 500


@pytest.mark.parametrize(
    "seed", [1, 2, 3, pytest.param(0, marks=pytest.mark.slow)]
)  # 0: an ambiguous grammar, searched for two minutes
def test_missing_single_bytes_leave_constraints_live(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without some letters as tokens of their own, whatever is allowed can still be completed, and budgets are kept."""
    # Ambiguous grammars have wide states: the search for the least number of tokens gives up earlier as plain Python.
    monkeypatch.setattr(conformance, "SEARCH_STATES", size(conformance.SEARCH_STATES, plain=30))
    rng = random.Random(seed)
    checked = 0
    for rules in [*FIXED.values(), *(random_productions(rng) for _ in range(size(10, plain=3)))]:
        letters = letters_of(rules)
        if not letters:
            continue
        tokens = [t for t in random_tokens(rng, letters, 8) if t != letters[0]]
        grammar = cfg(rules, next(iter(rules)))
        oracle = ChartOracle(grammar, tokens)
        try:
            constraint = Constraint.from_grammar(real_time(grammar), vocabulary(tokens))
        except Unsatisfiable:
            continue
        check_constraint(constraint, steps=size(10, plain=5))
        for _, text in walk(oracle, rng, 4):
            state = constraint.advance_bytes(constraint.start, text)
            allowed = tokens_of(constraint.mask(state)) - set(constraint.vocab.eos_ids) if state else set()
            assert allowed <= oracle.mask(text), text
            checked += 1
    assert checked > 10
