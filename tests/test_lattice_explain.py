"""What a lattice says of a token in a slot: the verdict is that of the masks, and the slot and the place in the source that it names are to blame."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from lattice_oracle import Truth
from lattice_worlds import PLAIN, canvas, world
from sizes import size

import syntagma as sg
from syntagma.automata.lattice import Lattice

pytestmark = pytest.mark.kernel

SIZE, SMALL, LARGE = 256, 257, 258
TOKENS = [*(bytes([b]) for b in range(256)), b'"size"', b'"small"', b'"large"']
END = len(TOKENS)
SPECIAL = END + 1
VOCAB = sg.Vocabulary([*TOKENS, None, None], eos_ids=[END])
SCHEMA = {
    "type": "object",
    "properties": {"size": {"enum": ["small", "large"]}, "new": {"type": "boolean"}},
    "required": ["size", "new"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def constraint() -> sg.Constraint:
    """Two members, one an enumeration and the other a boolean."""
    return sg.compile(sg.JsonSchema(SCHEMA, whitespace="compact"), VOCAB)


def canvas_of(*parts: str | int | Any) -> list[Any]:
    """Slots: a text byte by byte, a number of holes, or a slot."""
    slots: list[Any] = []
    for part in parts:
        slots += list(part.encode()) if isinstance(part, str) else [sg.HOLE] * part if isinstance(part, int) else [part]
    return slots


def opened(slots: Sequence[Any]) -> list[Any]:
    return [slot if isinstance(slot, sg.Gap) else sg.HOLE for slot in slots]


@pytest.mark.parametrize(("family", "name"), PLAIN)
def test_verdicts_and_conflicts_are_those_of_the_truth(family: str, name: str) -> None:
    """Every token of every hole is allowed as the fillings say; up to a conflict there is a filling, with it there is none."""
    of = world(family, name)
    draw = random.Random(name)
    for _ in range(size(4, plain=1)):
        slots = canvas(of, draw)
        truth = Truth(of, slots)
        with Lattice(of.constraint, slots) as lattice:
            for hole, mask in zip(truth.holes, truth.masks, strict=True):
                for token in draw.sample(range(of.vocab.size), min(of.vocab.size, size(6, plain=3))):
                    found = lattice.explain(hole, token)
                    assert found.allowed == (token in mask)
                    check_blame(of, slots if not truth.feasible else [*slots[:hole], token, *slots[hole + 1 :]], found)


def check_blame(of: Any, slots: Sequence[Any], found: Any) -> None:
    """A conflict is the first slot that spoils a filling; without one, opening what is right of the token does not help."""
    if found.allowed or "ids" in found.reason or "never text" in found.reason:
        assert found.conflict is None
        return
    if found.conflict is None:
        first = 0 if "or without" in found.reason else found.slot + 1
        assert not Truth(of, [*slots[:first], *opened(slots[first:])]).feasible
        return
    at = found.conflict
    assert Truth(of, [*slots[:at], *opened(slots[at:])]).feasible
    assert not Truth(of, [*slots[: at + 1], *opened(slots[at + 1 :])]).feasible


def test_what_stands_before_refuses(constraint: sg.Constraint) -> None:
    """A value that is none of the enumeration: the pointer of the property is named, and what could have come."""
    with Lattice(constraint, canvas_of('{"size":', 14)) as lattice:
        found = lattice.explain(8, ord("x"))
        assert lattice.explain(8, SMALL).allowed
    assert found.reason == "'x' cannot stand in slot 8: no text that may stand before it goes on with it"
    assert found.instance == "'x' is not allowed after '{\"size\":': b'x' cannot come"
    assert (found.expected, found.where) == (("'\"'",), ("#/properties/size",))
    assert str(found).splitlines()[1:] == [
        f"  for instance: {found.instance}",
        "  expected: '\"'",
        "  in force: #/properties/size",
    ]


def test_what_stands_behind_refuses(constraint: sg.Constraint) -> None:
    """The fixed token that does not go with it is found, however many others are fixed before it, and the pointer in force there is named."""
    slots = canvas_of('{"size":', 1, ',"new":', 1, "rue}", 1)
    with Lattice(constraint, slots) as lattice:
        assert lattice.explain(16, ord("t")).allowed
        found = lattice.explain(16, ord("f"))
    assert found.reason == "'f' cannot stand in slot 16: 'r' in slot 17 does not go with it"
    assert found.conflict == 17
    assert (found.expected, found.where) == (("'a'",), ("#/properties/new",))


def test_too_few_slots(constraint: sg.Constraint) -> None:
    """Where more slots would do, their number is told and not a token blamed."""
    with Lattice(constraint, canvas_of('{"size":', 1, ',"new":', 5)) as lattice:
        found = lattice.explain(16, ord("f"))
    assert found.reason == "'f' cannot stand in slot 16: the text takes at least 22 tokens, and the canvas has 21 slots"
    assert found.instance.endswith("the text is not yet complete")
    assert found.where == ("#/properties/new",)


def test_a_canvas_that_nothing_fills(constraint: sg.Constraint) -> None:
    """It is said that the token is not to blame, and what is."""
    with Lattice(constraint, canvas_of('{"size":', 1, ',"old":', 5)) as lattice:
        found = lattice.explain(16, ord("t"))
    assert not found.allowed
    assert found.reason.endswith("or without: 'o' in slot 11 does not go with what stands before it")
    assert (found.conflict, found.expected, found.where) == (11, ("'n'",), ("#",))
    with Lattice(constraint, canvas_of(14)) as lattice:
        assert lattice.explain(0, ord("{")).reason.endswith(
            "the text takes at least 16 tokens, and the canvas has 14 slots"
        )


def test_gaps(constraint: sg.Constraint) -> None:
    """Texts before the slot may be of any length that a gap has; what there is room for behind it is counted."""
    with Lattice(constraint, canvas_of('{"size":', sg.Gap(0, 20), 1, "e}")) as lattice:
        assert lattice.explain(9, ord("s")).allowed
        refused = lattice.explain(9, ord("z"))
    assert refused.reason.startswith("'z' cannot stand in slot 9")
    assert refused.where
    with Lattice(constraint, canvas_of('{"size":', sg.Gap(0, 20), 1, "}")) as lattice:
        short = lattice.explain(9, ord("s"))
        with pytest.raises(sg.InvalidSource, match="slot 8"):
            lattice.explain(8, ord("s"))
    assert short.reason.endswith("the text takes more than the 1 tokens that there is room for behind slot 9")


def test_tokens_and_slots_that_say_why_themselves(constraint: sg.Constraint) -> None:
    """Fixed slots, limited holes, tokens that are never text, and ids beyond the vocabulary."""
    slots = canvas_of('{"size":', sg.Hole([SMALL]), ',"new":true}', 2)
    with Lattice(constraint, slots) as lattice:
        assert lattice.explain(0, ord("{")).allowed
        assert str(lattice.explain(0, ord("x"))) == "slot 0 is fixed to '{'"
        assert not lattice.explain(0, ord("x")).allowed
        assert str(lattice.explain(8, LARGE)) == "'\"large\"' is not among the ids that slot 8 allows"
        assert "never text" in str(lattice.explain(21, SPECIAL))
        assert "never text" in str(lattice.explain(21, 10**6))
        assert lattice.explain(21, END).allowed
        assert "after" in lattice.explain(21, ord("x")).instance


def test_a_limited_hole_behind_refuses(constraint: sg.Constraint) -> None:
    """None of the ids of the hole goes with the token."""
    slots = canvas_of('{"size":', 1, ',"new":', 1, sg.Hole([ord("a"), ord("x")]), 4)
    with Lattice(constraint, slots) as lattice:
        found = lattice.explain(16, ord("t"))
    assert found.reason == "'t' cannot stand in slot 16: what is allowed in slot 17 does not go with it"
    assert found.where == ("#/properties/new",)


@pytest.mark.parametrize(
    ("source", "where"),
    [
        (sg.Gbnf('root ::= "(" num ")"\nnum ::= "1" | "[" num "]"\n'), "num (line 2"),
        (sg.Gbnf('root ::= "(" "1" ")"\n'), "root (line 1"),
    ],
)
def test_places_of_other_sources(source: Any, where: str) -> None:
    """Rules of a grammar are named with their lines, as Constraint.explain does."""
    constraint = sg.compile(source, VOCAB)
    slots = [sg.HOLE] * 5
    with Lattice(constraint, slots) as lattice:
        found = [lattice.explain(k, ord("x")) for k in range(3)]
    assert not any(f.allowed for f in found)
    assert any(where in place for f in found for place in f.where)
