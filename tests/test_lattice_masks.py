"""Whether a canvas can be filled, and with what: against trying every filling."""

from __future__ import annotations

import random

import pytest
from cfg_grammars import NAMES, grammars, language
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lattice_checks import check_classes, check_masks
from lattice_oracle import Truth
from lattice_recognisers import Earley, Json, productions
from lattice_worlds import BUILDERS, HARD, PLAIN, SCHEMAS, WIDE, World, canvas, canvases, random_worlds, world
from sizes import size

import syntagma as sg

pytestmark = pytest.mark.kernel

WORLDS = [*PLAIN, *HARD]
RANDOM = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much])


@pytest.mark.parametrize(("family", "name"), WORLDS)
def test_the_truth_and_the_constraint_have_the_same_texts(family: str, name: str) -> None:
    """The recogniser and the compiled constraint agree on what is in the language, so a lattice has no excuse."""
    of = world(family, name)
    draw = random.Random(name)
    for texts in (of.members, of.prefixes - of.members):
        for text in draw.sample(sorted(texts), min(len(texts), 60)):
            assert of.constraint.accepts(text) == of.recogniser.member(text), text


@given(rules=grammars(exceptions=False))
@settings(max_examples=size(30, plain=5))
def test_the_chart_is_right(rules: dict[str, tuple[object, ...]]) -> None:
    """Earley's chart has the texts of the least fixed point of the rules."""
    chart = Earley(productions(rules), NAMES[0])
    want = language(rules, NAMES[0], 5)
    texts = {""}
    for _ in range(5):
        texts |= {text + letter for text in texts for letter in "ab"}
    assert {text for text in texts if chart.member(text.encode())} == want
    assert all(chart.viable(text[:i].encode()) for text in want for i in range(len(text)))


def test_beginnings_of_documents_are_not_cut_off() -> None:
    """Every beginning of a valid document may begin one: the oracle's short cut loses nothing."""
    for name, (schema, _, _) in SCHEMAS.items():
        of = world("schema", name)
        judge = Json(schema)
        for member in of.members:
            assert all(judge.viable(member[:i]) for i in range(len(member))), member
    for text in (b'{"a":[1,-2,{"b":"]","c":null}],"d":{}}', b'["\\"",[],[[]],true]', b"-12", b'"a,b"'):
        assert all(Json({}).viable(text[:i]) for i in range(len(text))), text
    for text in (b"[,", b'{"a"}', b"[1}", b"]", b'{"a":1,}', b"1,", b"[]]", b'{"a":"b":'):
        assert not Json({}).viable(text), text


@pytest.mark.parametrize(("family", "name"), WORLDS)
def test_masks_equal_enumeration(family: str, name: str) -> None:
    """Feasibility, every hole's mask and the least number of slots are those of trying every filling."""
    of = world(family, name)
    draw = random.Random(name)
    feasible = sum(check_masks(of, canvas(of, draw)) for _ in range(size(30, plain=6)))
    assert feasible >= size(12, plain=1)


@pytest.mark.parametrize(("family", "name"), WORLDS)
def test_masks_by_class_equal_enumeration(family: str, name: str) -> None:
    """Class by class the masks say what they say token by token."""
    of = world(family, name)
    draw = random.Random(name)
    assert sum(check_classes(of, canvas(of, draw)) for _ in range(size(5, plain=5))) >= 1


@given(data=st.data())
@settings(RANDOM, max_examples=size(60, plain=6))
def test_masks_of_random_languages_equal_enumeration(data: st.DataObject) -> None:
    """The same for random patterns and grammars over random vocabularies."""
    random_language(data, 4)


@pytest.mark.slow
@given(data=st.data())
@settings(RANDOM, max_examples=size(1000, plain=50))
def test_masks_of_very_many_random_languages_equal_enumeration(data: st.DataObject) -> None:
    """Thousands of canvases of random patterns and grammars."""
    random_language(data, 8)


def random_language(data: st.DataObject, many: int) -> None:
    """Some canvases of one random language; one without texts is refused, or its canvases are empty."""
    of: World = data.draw(random_worlds())
    try:
        constraint = of.constraint
    except sg.Unsatisfiable:
        assert not of.members
        return
    assert constraint.start
    for _ in range(many):
        check_masks(of, data.draw(canvases(of)))


@pytest.mark.slow
@pytest.mark.parametrize(("family", "name"), WORLDS)
def test_masks_of_very_many_canvases_equal_enumeration(family: str, name: str) -> None:
    """Some hundred canvases of each language."""
    of = world(family, name)
    draw = random.Random(name * 2)
    assert sum(check_masks(of, canvas(of, draw)) for _ in range(size(150, plain=5))) >= size(60, plain=1)


@pytest.mark.parametrize(("family", "name"), WIDE)
def test_masks_of_longer_canvases_equal_enumeration(family: str, name: str) -> None:
    """Of seven and eight slots, five of them open."""
    of = world(family, name)
    draw = random.Random(name)
    assert sum(check_masks(of, canvas(of, draw)) for _ in range(size(12, plain=4))) >= size(6, plain=1)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "name"), WIDE)
def test_masks_of_open_canvases_equal_enumeration(family: str, name: str) -> None:
    """Of up to eight slots, all of them open where it so happens."""
    of = world(family, name)
    draw = random.Random(name * 2)
    assert sum(check_masks(of, canvas(of, draw, open_slots=8)) for _ in range(size(60, plain=2))) >= size(30, plain=1)


def test_a_canvas_without_slots_is_the_empty_text() -> None:
    """It can be filled if the empty text is in the language; it has no rows."""
    for name, member in (("nothing or one word", True), ("dates", False)):
        with sg.Lattice(world("regular", name).constraint, []) as lattice:
            assert lattice.feasible() == member
            assert lattice.masks().shape[0] == 0
            assert lattice.min_slots() == (0 if member else None)


def test_a_canvas_without_holes_has_no_rows() -> None:
    """Neither masks nor masks by class have a row; every token has a class all the same."""
    of = world("regular", "pairs")
    for slots in ([], [0, 1], [sg.Gap(0, 2)]):
        with sg.Lattice(of.constraint, slots) as lattice:
            assert lattice.masks().shape == (0, of.vocab.words)
            rows, class_of = lattice.class_masks()
            assert len(rows) == 0
            assert class_of.shape == (of.vocab.size,)


def test_a_gap_of_nothing_is_nothing() -> None:
    """``Gap(0, 0)`` between two slots changes no mask."""
    of = world("regular", "pairs")
    for slots in ([sg.HOLE, sg.Gap(0, 0), sg.HOLE], [sg.Gap(0, 0), 0, sg.HOLE, sg.Gap(0, 0)], [sg.Gap(0, 0)]):
        assert check_masks(of, slots) == Truth(of, [s for s in slots if not isinstance(s, sg.Gap)]).feasible


def test_end_of_sequence_may_come_once_more_and_padding_only_after_it() -> None:
    """After the end any end-of-sequence and padding, before it no padding, and never again a text."""
    of = world("regular", "dates")  # two ids end it, one pads
    first, second = of.vocab.eos_ids
    (pad,) = of.vocab.pad_ids
    date = [of.vocab.tokens.index(t) for t in (b"2-1", b"1")]
    tails = [[first], [second, first], [first, pad, second], [pad, first], [first, 0], [sg.HOLE, pad], [sg.HOLE] * 3]
    for tail in tails:
        check_masks(of, [*date, *tail])
    with sg.Lattice(of.constraint, [*date, sg.HOLE, pad, sg.HOLE]) as lattice:
        assert lattice.feasible()
    with sg.Lattice(of.constraint, [*date, pad, sg.HOLE]) as lattice:
        assert not lattice.feasible()


@pytest.mark.parametrize(
    "slots",
    [
        [-1], [99], [True], ["a"], [None], [1.0], [sg.Gap(2, 1)], [sg.Gap(-1, 1)], [sg.Hole([99])], [sg.Hole([-1])],
    ],
)  # fmt: skip
def test_what_is_no_slot_is_refused_by_place(slots: list[object]) -> None:
    """A slot that means nothing is an error that names it."""
    with pytest.raises(sg.InvalidSource, match="slot 1"):
        sg.Lattice(world("regular", "pairs").constraint, [0, *slots])  # type: ignore[list-item]


def test_every_world_has_a_canvas_that_can_be_filled() -> None:
    """No language of these tests is without texts in its windows."""
    for family, (_, names) in BUILDERS.items():
        for name in names:
            assert world(family, name).members, (family, name)
