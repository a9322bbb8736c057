"""The weighted engine on extracted machines against the layered engine, which follows states of the constraint itself."""

from __future__ import annotations

from functools import cache
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import syntagma as sg
from syntagma.automata.lattice.extraction import Extraction
from syntagma.automata.lattice.layered import LayeredEngine
from syntagma.automata.lattice.machine import CanvasMachine
from syntagma.automata.lattice.slots import Step
from syntagma.automata.lattice.weighted import WeightedEngine

ARRAY = [b"[", b"]", b",", b"1", b"2", b"12", b"[[", b"]]", b"],[", b"1,", b",2]", b"[1,"]
LISTS = {
    "$ref": "#/$defs/l",
    "$defs": {"l": {"type": "array", "items": {"anyOf": [{"const": 1}, {"$ref": "#/$defs/l"}]}}},
}
OBJECT = [b"{", b"}", b'"a":', b"1", b",", b'{"', b'a":1', b',"', b'b":1', b"a", b'1,"', b'":1}']
WORLDS: dict[str, tuple[sg.Source, list[bytes]]] = {
    "a pattern": (sg.Regex(r"[12]-[01][12]|1*"), [b"1", b"2", b"0", b"-", b"1-", b"-0", b"12", b"11"]),
    "lists of lists": (sg.JsonSchema({**LISTS, "maxItems": 3}), ARRAY),
    "counted": (sg.JsonSchema({"type": "array", "items": {"enum": [1, 12]}, "minItems": 2, "maxItems": 4}), ARRAY),
    "an object": (
        sg.JsonSchema(
            {
                "properties": {"a": {"const": 1}, "b": {"const": 1}},
                "required": ["b"],
                "additionalProperties": False,
                "type": "object",
            }
        ),
        OBJECT,
    ),
    "brackets": (
        sg.Gbnf('root ::= ("(" root ")" | "[" root "]") root |'),
        [b"(", b")", b"[", b"]", b"()", b")(", b"([", b"])"],
    ),
    "ambiguous": (sg.Gbnf('root ::= "a" root "b" | "a" root |'), [b"a", b"b", b"aa", b"bb", b"ab"]),
    "right recursive": (sg.Gbnf('root ::= "a" root "b" | "c"'), [b"a", b"b", b"c", b"aa", b"bb", b"acb"]),
}


@cache
def world(name: str) -> tuple[sg.Constraint, CanvasMachine]:
    """A constraint and its machine."""
    source, tokens = WORLDS[name]
    n = len(tokens)
    constraint = sg.compile(source, sg.Vocabulary([*tokens, None, None, None], eos_ids=[n, n + 1], pad_ids=[n + 2]))
    machine = Extraction(constraint).machine()
    return constraint, machine


@st.composite
def canvases(draw: st.DrawFn, name: str, *, gaps: bool) -> list[Step]:
    """Steps over an accepted text, some of them opened; tails of end-of-sequence and padding too."""
    constraint, _ = world(name)
    size = constraint.vocab.size
    n = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    engine = LayeredEngine(constraint, [Step(i, hole=True) for i in range(n)], max_layer=10_000)
    text = engine.sample(np.where(rng.random((n, size)) < 0.3, -3.0, 0.0), rng) or [0] * n
    engine.close()
    steps = []
    for i, token in enumerate(text):
        kind = draw(st.sampled_from(["hole", "hole", "some", "fixed", "fixed", "spoilt"] + ["gap"] * gaps))
        if kind == "fixed":
            steps.append(Step(i, token=token))
        elif kind == "spoilt":
            steps.append(Step(i, token=draw(st.integers(0, size - 1))))
        elif kind == "some":
            steps.append(Step(i, allowed=draw(st.frozensets(st.integers(0, size - 1))) | {token}, hole=True))
        else:
            steps.append(Step(i, skippable=kind == "gap", hole=kind == "hole"))
    return steps


@given(st.data(), st.sampled_from(sorted(WORLDS)))
def test_both_engines_give_the_same_fills_and_sums(data: st.DataObject, name: str) -> None:
    """Best value, mass and marginals agree, and the best filling is accepted."""
    constraint, machine = world(name)
    steps = data.draw(canvases(name, gaps=False))
    rows = np.random.default_rng(data.draw(st.integers(0, 99))).normal(
        0, 2, (sum(s.hole for s in steps), constraint.vocab.size)
    )
    rows[rows > 3] = -inf
    layered = LayeredEngine(constraint, steps, max_layer=10_000)
    weighted = WeightedEngine(machine, steps)
    found, expected = weighted.best_fill(rows), layered.best(layered.weighted(rows))
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert found[1] == pytest.approx(expected[1], abs=1e-9)
        again = [Step(i, token=t) for i, t in enumerate(found[0])]
        layered.fix(again)
        assert layered.feasible()
        layered.fix(steps)
    if machine.deterministic:
        assert weighted.log_mass(rows) == pytest.approx(layered.log_mass(rows), abs=1e-9)
        np.testing.assert_allclose(weighted.log_marginals(rows), layered.log_marginals(rows), rtol=0, atol=1e-9)
    layered.close()


@given(st.data(), st.sampled_from(sorted(WORLDS)))
def test_both_engines_give_the_same_commits_and_lengths(data: st.DataObject, name: str) -> None:
    """The weight of what is kept, and the fewest tokens, agree, gaps included."""
    constraint, machine = world(name)
    steps = data.draw(canvases(name, gaps=True))
    layered = LayeredEngine(constraint, steps, max_layer=10_000)
    weighted = WeightedEngine(machine, steps)
    tokens = st.integers(0, constraint.vocab.size - 1)
    bonus = {
        i: data.draw(st.dictionaries(tokens, st.integers(1, 5).map(float), max_size=3))
        for i, s in enumerate(steps)
        if not s.skippable and s.token is None
    }
    found, expected = weighted.best_commit(bonus), layered.best(layered.proposed(bonus))
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        kept, filling = found
        assert sum(bonus[i][t] for i, t in kept.items()) == expected[1]
        layered.fix([s if t < 0 else Step(s.slot, token=t) for s, t in zip(steps, filling, strict=True)])
        assert layered.feasible()
        layered.fix(steps)
    shortest, counted = weighted.shortest(), layered.best(layered.counted())
    assert (shortest is None) == (counted is None)
    if shortest is not None and counted is not None:
        assert sum(t >= 0 for t in shortest) == -counted[1]
    layered.close()


def test_which_machines_are_deterministic() -> None:
    """The sums are tested on most of these, and refused on the ambiguous one."""
    assert {name for name in WORLDS if not world(name)[1].deterministic} <= {"ambiguous", "brackets", "lists of lists"}
    assert not world("ambiguous")[1].deterministic
