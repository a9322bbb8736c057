"""The cheapest derivation of each nonterminal, against what its equations give round by round."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syntagma.automata.bounds.items import FAR, Derivation, derivations

N_NONTERMINALS, N_TERMINALS = 5, 4

SYMBOLS = st.one_of(st.integers(0, N_TERMINALS - 1), st.integers(-N_NONTERMINALS, -1))
RULES = st.lists(st.tuples(st.integers(0, N_NONTERMINALS - 1), st.lists(SYMBOLS, max_size=3).map(tuple)), max_size=10)
COSTS = st.lists(st.sampled_from([0, 1, 2, 5, FAR]), min_size=N_TERMINALS, max_size=N_TERMINALS)


def by_rounds(rules: list[tuple[int, tuple[int, ...]]], costs: list[int]) -> list[int]:
    """The least solution of the equations: ``FAR`` where a nonterminal has no text."""
    least = [FAR] * N_NONTERMINALS
    changed = True
    while changed:
        changed = False
        for lhs, symbols in rules:
            cost = sum(costs[x] if x >= 0 else least[-1 - x] for x in symbols)
            if cost < least[lhs]:
                least[lhs], changed = cost, True
    return least


@given(RULES, COSTS)
def test_costs_are_the_least_solution(rules: list[tuple[int, tuple[int, ...]]], costs: list[int]) -> None:
    """A nonterminal costs what the least solution says, and has no derivation exactly where that is beyond everything."""
    found = derivations(tuple(symbols for _, symbols in rules), [lhs for lhs, _ in rules], costs)
    least = by_rounds(rules, costs)
    assert {n: d.cost for n, d in found.items()} == {n: cost for n, cost in enumerate(least) if cost < FAR}


@given(RULES, COSTS)
def test_the_rules_derive_a_text_of_that_cost(rules: list[tuple[int, tuple[int, ...]]], costs: list[int]) -> None:
    """Following the rules ends, even where a nonterminal derives itself for nothing, in a text that costs what was said."""
    found = derivations(tuple(symbols for _, symbols in rules), [lhs for lhs, _ in rules], costs)

    def cost_of(nonterminal: int, around: frozenset[int]) -> int:
        assert nonterminal not in around
        lhs, symbols = rules[found[nonterminal].rule]
        assert lhs == nonterminal
        return sum(costs[x] if x >= 0 else cost_of(-1 - x, around | {nonterminal}) for x in symbols)

    for nonterminal, derivation in found.items():
        assert cost_of(nonterminal, frozenset()) == derivation.cost


def test_the_first_rule_among_equals() -> None:
    """Of rules that cost the same the first one is taken, so that a bridge's text is always the same."""
    assert derivations(((0,), (1,), (-1,)), [0, 0, 1], [3, 3]) == {0: Derivation(3, 0), 1: Derivation(3, 2)}
