"""Where a machine takes more than its constraint: fillings that are checked, on objects whose keys must differ."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import syntagma as sg
from syntagma.automata.lattice.extraction import Extraction
from syntagma.automata.lattice.machine import CanvasMachine
from syntagma.automata.lattice.slots import Step
from syntagma.automata.lattice.weighted import WeightedEngine
from syntagma.automata.lattice.witness import MOST_TRIES, fails_at, witness
from syntagma.grammar.errors import LimitExceeded

TOKENS = [b"{", b"}", b'"', b":", b",", b"1", b"a", b"b", b"ab", b'":1', b',"']
EOS = len(TOKENS)


@cache
def world() -> tuple[sg.Constraint, CanvasMachine]:
    """Objects of any keys, in compact spelling."""
    schema = sg.JsonSchema({"type": "object", "additionalProperties": {"const": 1}}, whitespace="compact")
    constraint = sg.compile(schema, sg.Vocabulary([*TOKENS, None], eos_ids=[EOS]))
    return constraint, Extraction(constraint).machine()


def steps_of(text: list[bytes | None]) -> list[Step]:
    """Tokens, and holes where there is None."""
    return [Step(i, hole=True) if t is None else Step(i, token=TOKENS.index(t)) for i, t in enumerate(text)]


def test_a_filling_whose_keys_differ_is_found() -> None:
    """The machine's best filling repeats a key; the one that is found has another there, and says that it may not be the best."""
    constraint, machine = world()
    assert not machine.exact
    steps = steps_of([b"{", b'"', b"a", b'":1', b',"', None, b'":1', b"}"])
    rows = np.zeros((1, len(TOKENS) + 1))
    rows[0, TOKENS.index(b"a")] = 3.0
    rows[0, TOKENS.index(b"ab")] = 2.0
    engine = WeightedEngine(machine, steps)
    first = engine.best_fill(rows)
    assert first is not None
    assert fails_at(constraint, first[0]) == 6  # where the key is closed, in a token that is fixed

    def propose(struck: set[tuple[int, int]]) -> list[int] | None:
        found = engine.best_fill(rows, struck)
        return None if found is None else found[0]

    found = witness(constraint, [s.token is not None for s in steps], propose)
    assert found is not None
    assert not found.best
    assert TOKENS[found.tokens[5]] == b"ab"
    assert fails_at(constraint, found.tokens) is None


def test_a_best_filling_that_passes_is_the_best() -> None:
    """Nothing is struck out where the machine's best filling is one of the constraint's."""
    constraint, machine = world()
    steps = steps_of([b"{", b'"', None, None, b"}"])
    engine = WeightedEngine(machine, steps)
    found = witness(constraint, [s.token is not None for s in steps], engine.shortest)
    assert found is not None
    assert found.best
    assert fails_at(constraint, found.tokens) is None


def test_commits_are_checked_too() -> None:
    """Two proposals that spell the same key twice: the filling that goes with what is kept repeats none."""
    constraint, machine = world()
    steps = steps_of([b"{", b'"', None, b'":1', b',"', None, b'":1', b"}"])
    a = TOKENS.index(b"a")
    engine = WeightedEngine(machine, steps)
    both = engine.best_commit({2: {a: 1.0}, 5: {a: 2.0}})
    assert both is not None
    assert both[0] == {2: a, 5: a}
    at = fails_at(constraint, both[1])
    assert at == 6
    kept = engine.best_commit({2: {a: 1.0}, 5: {a: 2.0}}, struck={(2, a)})
    assert kept is not None
    assert kept[0] == {5: a}
    assert kept[1][2] not in {a, -1}
    assert fails_at(constraint, kept[1]) is None


def test_what_cannot_be_is_said_or_given_up() -> None:
    """Fixed tokens that repeat a key have no filling; holes that must all repeat one end in a limit's error, not in a lie."""
    constraint, machine = world()
    twice: list[bytes | None] = [b"{", b'"', b"a", b'":1', b',"', b"a", b'":1', None]
    steps = steps_of(twice)
    assert witness(constraint, [s.token is not None for s in steps], WeightedEngine(machine, steps).shortest) is None
    a = TOKENS.index(b"a")
    steps = steps_of([b"{", b'"', None, b'":1', b',"', None, b'":1', b"}"])
    steps = [s if s.token is not None else Step(s.slot, allowed=frozenset({a}), hole=True) for s in steps]
    engine = WeightedEngine(machine, steps)
    with pytest.raises(LimitExceeded) as limit:
        witness(constraint, [s.token is not None for s in steps], engine.shortest)
    assert limit.value.limit == "MOST_TRIES"
    assert limit.value.value == MOST_TRIES
