"""Sources made of sources: sequences, unions and repetitions against sets of texts, with what they report and refuse."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import numpy as np
import pytest
from corpus_truth import brute_force
from corpus_vocabularies import SMALL
from hypothesis import given
from hypothesis import strategies as st
from sizes import size

import syntagma as sg

pytestmark = pytest.mark.kernel

TEXTS = ["".join(p) for n in range(6) for p in itertools.product("ab,", repeat=n)]
RECORD = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


@st.composite
def sources(draw: st.DrawFn, depth: int = 3) -> tuple[sg.Source, set[str]]:
    """A composition, and its texts of at most five letters."""
    kind = draw(st.sampled_from(["text", "choices", "sequence", "union", "repeat"] if depth else ["text", "choices"]))
    if kind == "text":
        text = draw(st.text("ab", max_size=2))
        return sg.Text(text), {text}
    if kind == "choices":
        strings = draw(st.lists(st.text("ab", max_size=2), min_size=1, max_size=3))
        return sg.Choices(strings), set(strings)
    if kind == "repeat":
        part, texts = draw(sources(depth=depth - 1))
        least = draw(st.integers(0, 2))
        most = draw(st.none() | st.integers(least, 3))
        separator = draw(st.sampled_from(["", ","]))
        return sg.Repeat(part, least, most, separator=separator), repeated(texts, least, most, separator)
    parts = draw(st.lists(sources(depth=depth - 1), min_size=1, max_size=3))
    if kind == "union":
        return sg.Union(*(part for part, _ in parts)), set().union(*(texts for _, texts in parts))
    joined = {""}
    for _, texts in parts:
        joined = {a + b for a in joined for b in texts if len(a + b) <= 5}
    return sg.Sequence(*(part for part, _ in parts)), joined


def repeated(texts: set[str], least: int, most: int | None, separator: str) -> set[str]:
    """The repetitions of at most five letters."""
    found = {""} if least == 0 else set()
    here = {""}
    for count in range(1, 9 if most is None else most + 1):
        here = {a + (separator if count > 1 else "") + b for a in here for b in texts if len(a) + len(b) <= 5}
        here = {text for text in here if len(text) <= 5}
        if count >= least:
            found |= here
    return found


@given(sources())
def test_compositions_are_what_sets_of_texts_say(source: tuple[sg.Source, set[str]]) -> None:
    """However deep, with parts that may be empty in any place: of all short texts exactly those of the set are accepted."""
    part, texts = source
    constraint = sg.compile(part, SMALL["tiny"]())
    for text in TEXTS if len(TEXTS) < size(1000, plain=100) else random.Random(1).sample(TEXTS, 60):
        assert constraint.accepts(text) == (text in texts), text


@given(sources())
def test_masks_of_compositions_are_brute_force(source: tuple[sg.Source, set[str]]) -> None:
    """Along a walk; and a walk under the budget of the bound ends within it."""
    vocab = sg.Vocabulary([b"a", b"b", b",", b"ab", b"ba", b"a,", b",b", b"aab", None], eos_ids=[8])
    constraint = sg.compile(source[0], vocab)
    rng = random.Random(3)
    with constraint.session() as session:
        state, left = session.start, session.finish_bound(session.start)
        while True:
            mask = np.unpackbits(session.mask(state).view(np.uint8), bitorder="little").astype(bool)[: vocab.size]
            assert (mask == brute_force(session, state)[0]).all()
            row = np.unpackbits(session.mask(state, budget=left).view(np.uint8), bitorder="little")[:8]
            tokens = np.flatnonzero(row).tolist()
            if not tokens:
                break
            state, left = session.advance(state, rng.choice(tokens)), left - 1
        assert session.is_accepting(state)


@pytest.mark.parametrize("name", SMALL)
def test_schemas_in_sequence(name: str) -> None:
    """Schemas, choices and text side by side, read by their own parsers; every walk ends in such a text."""
    vocab = SMALL[name]()
    source = sg.Sequence(
        ["yes", "no"], sg.Text(" "), sg.Repeat(RECORD, 1, 3, separator="\n"), sg.Union(sg.Text("."), sg.Text("!?"))
    )
    constraint = sg.compile(source, vocab)
    rng = random.Random(5)
    for _ in range(size(8, plain=1)):
        with constraint.session() as session:
            state, text, left = session.start, b"", session.finish_bound(session.start) + 6
            while not session.is_accepting(state):
                row = np.unpackbits(session.mask(state, budget=left).view(np.uint8), bitorder="little")
                tokens = [t for t in np.flatnonzero(row).tolist() if t not in vocab.eos_ids]
                token = rng.choice(tokens)
                state, text, left = session.advance(state, token), text + (vocab.tokens[token] or b""), left - 1
        word, _, rest = text.decode().partition(" ")
        assert word in {"yes", "no"}
        records = rest.removesuffix(".").removesuffix("!?")
        values = read_all(records)
        assert 1 <= len(values) <= 3
        assert all(list(value) == ["n"] and isinstance(value["n"], int) for value in values)


def read_all(text: str) -> list[Any]:
    """The JSON values of a text, which newlines separate."""
    decoder = json.JSONDecoder()
    values = []
    at = 0
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        values.append(value)
        if at < len(text):
            assert text[at] == "\n"
            at += 1
    return values


def test_reports_are_those_of_the_parts() -> None:
    """Each entry has the place of its part before its own pointer, and a flag holds of the whole if it holds of every part."""
    source = sg.Sequence(sg.Text("x"), sg.Repeat({"type": "string", "format": "uri-template"}))
    report = sg.compile(source, SMALL["small"]()).report
    assert report is not None
    pointers = [entry.pointer for entry in report.entries]
    assert "#" in pointers
    assert "parts/0#" in pointers
    assert "parts/1/part#/type" in pointers
    alone = sg.compile({"type": "string", "format": "uri-template"}, SMALL["small"]()).report
    assert alone is not None
    assert (report.sound, report.complete, report.live) == (alone.sound, alone.complete, alone.live)


def test_errors_name_the_place_of_the_part() -> None:
    """What a part refuses is refused with the part's place before its own."""
    with pytest.raises(sg.InvalidSource, match=r"^parts/1: choice 1: choices must be strings"):
        sg.compile(sg.Sequence(sg.Text("x"), sg.Choices(["a", 1])), SMALL["small"]())  # type: ignore[list-item]
    with pytest.raises(sg.InvalidSource, match=r"^parts/0/part#/type"):
        sg.compile(sg.Union(sg.Repeat({"type": "strin"})), SMALL["small"]())
    with pytest.raises(sg.InvalidSource, match=r"^parts/1: a bare string does not say what it is"):
        sg.Sequence(sg.Text("x"), "y")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (sg.Union, "a union of nothing"),
        (lambda: sg.Repeat(sg.Text("a"), 2, 1), "at least 2 and at most 1"),
        (lambda: sg.Repeat(sg.Text("a"), -1), "least must be a number"),
        (lambda: sg.Repeat(sg.Text("a"), 0, 1.5), "most must be a number"),  # type: ignore[arg-type]
        (lambda: sg.Repeat(sg.Text("a"), 0, 5000), "more than can be counted"),
        (lambda: sg.Text(3), "a text must be a string"),  # type: ignore[arg-type]
        (lambda: sg.Text("\udc00"), "half of a surrogate pair"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any, message: str) -> None:
    """At the door, with what was wrong."""
    with pytest.raises((sg.InvalidSource, sg.LimitExceeded), match=message):
        make()


def test_a_count_with_separator_needs_no_copies() -> None:
    """Tens of thousands of items are one loop with a counter, and the bound knows how many are missing."""
    least, most = size(20_000, plain=1100), size(30_000, plain=1200)
    constraint = sg.compile(sg.Repeat(sg.Text("ab"), least, most, separator=","), SMALL["small"]())
    for count in (least - 1, least, most, most + 1):
        assert constraint.accepts(",".join(["ab"] * count)) == (least <= count <= most)
