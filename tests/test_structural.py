"""Structural tags against a scanner written by hand, and the dictionaries of the servers."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jsonschema
import numpy as np
import pytest
from corpus_truth import brute_force
from corpus_vocabularies import REAL_TOKENIZERS, SMALL
from corpus_vocabularies import vocabulary_named as vocabulary_of
from hypothesis import given
from hypothesis import strategies as st
from sizes import size

import syntagma as sg

pytestmark = pytest.mark.kernel

Valid = Callable[[str], bool]
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city"],
    "additionalProperties": False,
}


@dataclass
class Scanner:
    """Says whether a text is free text with regions: by looking for triggers, and at every place where a region may end."""

    tags: list[tuple[str, Valid, tuple[str, ...]]]
    triggers: list[str]
    at_least: int = 0
    at_most: int | None = None
    stop: bool = False
    leading: bool = True
    excludes: tuple[str, ...] = ()

    def accepts(self, data: bytes) -> bool:
        """Whether the whole text is one."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return False
        return self._from(text, 0, 0)

    def _from(self, text: str, at: int, count: int) -> bool:
        if self.stop and count:
            return at == len(text)
        found = [(text.find(t, at) + len(t), t) for t in (*self.triggers, *self.excludes) if text.find(t, at) >= 0]
        if count == 0 and not self.leading:
            return (at == len(text) and self.at_least == 0) or self._regions(text, at, count)
        if not found:
            return count >= self.at_least
        end, stop = min(found)
        if stop in self.excludes or (self.at_most is not None and count == self.at_most):
            return False
        return self._regions(text, end - len(stop), count)

    def _regions(self, text: str, at: int, count: int) -> bool:
        return any(
            valid(text[inner:stop]) and self._from(text, stop + len(end), count + 1)
            for begin, valid, ends in self.tags
            if text.startswith(begin, at)
            for inner in [at + len(begin)]
            for end in ends
            for stop in range(inner, len(text) - len(end) + 1)
            if text.startswith(end, stop)
        )


def fits(schema: Any) -> Valid:
    """Whether a text is JSON that a schema allows."""

    def valid(text: str) -> bool:
        try:
            jsonschema.validate(json.loads(text), schema)
        except (ValueError, jsonschema.ValidationError):
            return False
        return text.strip() == text

    return valid


def unpacked(row: np.ndarray, n: int) -> np.ndarray:
    """A mask as bool[n]."""
    return np.unpackbits(row.view(np.uint8), bitorder="little").astype(bool)[:n]


# ---- free text ------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.text("abé", min_size=1, max_size=4), max_size=3, unique=True),
    st.lists(st.text("abéè", max_size=9), max_size=20),
    st.lists(st.binary(max_size=4), max_size=5),
)
def test_free_text_is_utf8_without_the_strings(stops: list[str], texts: list[str], others: list[bytes]) -> None:
    """Strings that overlap themselves, characters cut in two, and bytes that are no text."""
    stops = [s for s in stops if not any(o != s and o in s for o in stops)]
    constraint = sg.compile(sg.AnyText(excludes=tuple(stops)), SMALL["small"]())
    for data in [*(t.encode() for t in texts), *others, *(t.encode()[:-1] for t in texts if t)]:
        try:
            text = data.decode()
            expected = not any(stop in text for stop in stops)
        except UnicodeDecodeError:
            expected = False
        assert constraint.accepts(data) == expected, data


@pytest.mark.parametrize("low", [0x00, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF])
def test_free_text_has_every_character(low: int) -> None:
    """At each border of UTF-8's lengths; no surrogate, no overlong form, nothing beyond the last."""
    constraint = sg.compile(sg.AnyText(), SMALL["small"]())
    assert constraint.accepts(chr(low))
    for bad in (b"\xc0\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff", b"\x80"):
        assert not constraint.accepts(bad)


# ---- against the scanner --------------------------------------------------------------------------------------------

OPTIONS: list[dict[str, Any]] = [
    {},
    {"at_least": 1},
    {"at_least": 2, "at_most": 3},
    {"at_most": 1},
    {"at_most": 0},
    {"stop_after_first": True},
    {"stop_after_first": True, "at_least": 1},
    {"at_least": 1, "leading_text": False},
    {"leading_text": False},
    {"excludes": ["bb"]},
    {"leading_text": False, "stop_after_first": True, "at_least": 1},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("end", ["c", "", "ab"])
def test_all_short_texts(options: dict[str, Any], end: str) -> None:
    """Every text of up to six letters, with triggers that overlap themselves and share a beginning."""
    names = {"at_least": "at_least", "at_most": "at_most", "stop_after_first": "stop", "leading_text": "leading"}
    tags = [sg.Tag("aba", ["x", "", "b"], end), sg.Tag("abc", ["a"], [end, "bc"])]
    source = sg.StructuralTag(tags, triggers=["ab"], **options)
    scanner = Scanner(
        [("aba", {"x", "", "b"}.__contains__, (end,)), ("abc", {"a"}.__contains__, (end, "bc"))],
        ["ab"],
        excludes=tuple(options.get("excludes", ())),
        **{names[k]: v for k, v in options.items() if k in names},
    )
    constraint = sg.compile(source, SMALL["tiny"]())
    texts = ["".join(p) for n in range(8) for p in itertools.product("abc", repeat=n)] + ["é", "abaxé", "aéab"]
    for text in texts[:: size(1, plain=40)]:
        assert constraint.accepts(text) == scanner.accepts(text.encode()), text


WALKED: dict[str, tuple[sg.StructuralTag, Scanner]] = {
    "tool calls": (
        sg.StructuralTag(
            [sg.Tag("<fn=weather>", CITY, "</fn>"), sg.Tag("<fn=stop>", sg.Choices(["now", "é"]), "</fn>")],
            triggers=["<fn="],
        ),
        Scanner(
            [("<fn=weather>", fits(CITY), ("</fn>",)), ("<fn=stop>", {"now", "é"}.__contains__, ("</fn>",))], ["<fn="]
        ),
    ),
    "fence": (
        sg.StructuralTag([sg.Tag("```json\n", CITY, "\n```")], at_least=1, at_most=2),
        Scanner([("```json\n", fits(CITY), ("\n```",))], ["```json\n"], 1, 2),
    ),
    "overlapping": (
        sg.StructuralTag([sg.Tag("aab", ["x"], ["", "a"]), sg.Tag("éé", sg.Repeat(sg.Text("y"), 0, 3), "é")]),
        Scanner(
            [("aab", {"x"}.__contains__, ("", "a")), ("éé", {"", "y", "yy", "yyy"}.__contains__, ("é",))], ["aab", "éé"]
        ),
    ),
}


def likely(vocab: sg.Vocabulary, tokens: list[int], text: bytes, triggers: list[str], rng: random.Random) -> int:
    """A token that goes on with a trigger, often; else any."""
    begun = [(k, t) for trigger in triggers for t in [trigger.encode()] for k in range(len(t)) if text.endswith(t[:k])]
    wanted: list[int] = []
    for k, trigger in sorted(begun, reverse=True):  # what is begun furthest goes on
        wanted = wanted or [t for t in tokens if trigger[k:].startswith(vocab.tokens[t] or b"\0")]
    return rng.choice(wanted if wanted and rng.random() < 0.6 else tokens)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("kind", WALKED)
def test_walks_end_in_what_the_scanner_accepts(kind: str, name: str) -> None:
    """From the mask, in every vocabulary; the mask is brute force, and the text may end exactly where the scanner says so."""
    source, scanner = WALKED[kind]
    vocab = SMALL[name]()
    constraint = sg.compile(source, vocab)
    rng = random.Random(13)
    for _ in range(size(6, plain=1)):
        with constraint.session() as session:
            state, text = session.start, b""
            left = session.finish_bound(state) + rng.randrange(25)
            for step in itertools.count():
                accepting = session.is_accepting(state)
                assert accepting == scanner.accepts(text), text
                mask = unpacked(session.mask(state), vocab.size)
                assert list(mask[list(vocab.eos_ids)]) == [accepting] * len(vocab.eos_ids)
                if step % 5 == 0:
                    assert (mask == brute_force(session, state)[0]).all()
                within = unpacked(session.mask(state, budget=left), vocab.size)
                assert not (within & ~mask).any()
                tokens = [t for t in np.flatnonzero(within).tolist() if t not in vocab.eos_ids]
                if accepting and (not tokens or rng.random() < 0.1):
                    break
                assert tokens, (text, left)
                token = likely(vocab, tokens, text, scanner.triggers, rng)
                state, text, left = session.advance(state, token), text + (vocab.tokens[token] or b""), left - 1


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL_TOKENIZERS)
@pytest.mark.parametrize("kind", ["tool calls", "fence"])
def test_walks_over_real_tokenizers(kind: str, name: str) -> None:
    """The same where tokens cut triggers in every way that real ones do."""
    source, scanner = WALKED[kind]
    vocab = vocabulary_of(name)
    constraint = sg.compile(source, vocab)
    rng = random.Random(17)
    regions = 0
    for _ in range(10):
        with constraint.session() as session:
            state, text = session.start, b""
            left = session.finish_bound(state) + rng.randrange(40)
            while True:
                accepting = session.is_accepting(state)
                if accepting or rng.random() < 0.2:
                    assert accepting == scanner.accepts(text), text
                mask = unpacked(session.mask(state), vocab.size)
                tokens = [t for t in np.flatnonzero(mask).tolist() if t not in vocab.eos_ids]
                if left < 12:
                    tokens = [
                        t
                        for t in rng.sample(tokens, min(len(tokens), 40))
                        if session.fits(session.advance(state, t), left - 1)
                    ]
                if accepting and (not tokens or left <= 1):
                    break
                if not tokens:
                    row = unpacked(session.mask(state, budget=left), vocab.size)
                    tokens = [t for t in np.flatnonzero(row).tolist() if t not in vocab.eos_ids]
                assert tokens, (text, left)
                token = likely(vocab, tokens, text, scanner.triggers, rng)
                state, text, left = session.advance(state, token), text + (vocab.tokens[token] or b""), left - 1
        regions += text.count(b"<fn=") + text.count(b"```json\n")
    assert regions > 0


def test_tags_keep_the_laws() -> None:
    """The shipped laws hold, in free text, in a trigger begun, and inside regions."""
    constraint = sg.compile(WALKED["tool calls"][0], SMALL["small"]())
    sg.testing.check_constraint(
        constraint,
        texts=["hello <fn", '<fn=weather>{"city": "Rome"}</fn> done', "<fn=stop>now</fn>"],
        steps=size(200, plain=12),
    )


def test_a_tag_inside_a_tag_inside_a_sequence() -> None:
    """Any source inside any other: free text within a region, behind free text that has an end of its own."""
    inner = sg.StructuralTag([sg.Tag("[", sg.Choices(["1", "2"]), "]")], excludes=["</t>"], at_least=1)
    thought = sg.Sequence(sg.Text("<think>"), sg.AnyText(excludes=("</think>",)), sg.Text("</think>"))
    source = sg.Sequence(thought, sg.StructuralTag([sg.Tag("<t>", inner, "</t>")], at_most=2))
    constraint = sg.compile(source, SMALL["small"]())
    good = ["<think>a<t></think>", "<think></think>x<t>[1]</t>y", "<think>é</think><t>a[2]b[1]</t><t>[1]</t>"]
    bad = ["<think>", "<think></think><t></t>", "<think></think><t>[3]</t>", "<think></think>" + "<t>[1]</t>" * 3]
    assert [constraint.accepts(text) for text in good] == [True] * len(good)
    assert [constraint.accepts(text) for text in bad] == [False] * len(bad)


def test_one_source_outermost_and_inside() -> None:
    """The same tags alone and as a part, in one store: a text behind them is read where there is one."""
    vocab = SMALL["small"]()
    tags = sg.StructuralTag([sg.Tag("<a>", ["x"], "</a>")], excludes=["END"])
    for source, ended in ((tags, False), (sg.Sequence(tags, sg.Text("END")), True), (tags, False)):
        constraint = sg.compile(source, vocab)
        assert constraint.accepts("hi <a>x</a>") != ended
        assert constraint.accepts("hi <a>x</a>END") == ended
        state = constraint.advance_bytes(constraint.start, b"hi EN")
        assert (constraint.advance_bytes(state, b"D") != 0) == ended


# ---- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sg.StructuralTag([]), "there are no tags"),
        (lambda: sg.StructuralTag([("a", {}, "b")]), "tags/0: tags must be Tag"),  # type: ignore[list-item]
        (lambda: sg.Tag("", {}, "b"), "a tag must begin with some text"),
        (lambda: sg.Tag("a", {}, []), "a tag must have an end"),
        (lambda: sg.Tag("a", "x", "b"), "a bare string"),
        (lambda: sg.StructuralTag([sg.Tag("<a", {}, "b")], triggers=["<b"]), "tags/0: the tag begins with no trigger"),
        (lambda: sg.StructuralTag([sg.Tag("<a", {}, "b")], triggers=["<", "<a"]), "'<' is part of '<a'"),
        (lambda: sg.StructuralTag([sg.Tag("<a", {}, "b")], triggers=[""]), "must be strings, and not empty"),
        (lambda: sg.StructuralTag([sg.Tag("<a", {}, "b")], excludes=["<a"]), "is a trigger, and excluded"),
        (lambda: sg.StructuralTag([sg.Tag("<a", {}, "b")], excludes=["a"]), "'a' is part of '<a'"),
        (lambda: sg.StructuralTag([sg.Tag("<a", {}, "b")], excludes="ab"), "excludes are a list of strings or tokens"),
        (lambda: sg.StructuralTag([sg.Tag("<a", {}, "b")], at_least=2, at_most=1), "at least 2 and at most 1"),
        (lambda: sg.StructuralTag([sg.Tag("<a", {}, "b")], at_least=2, stop_after_first=True), "has one"),
        (lambda: sg.AnyText(excludes=("a", "ba")), "'a' is part of 'ba'"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Callable[[], object], message: str) -> None:
    """At the door, with what was wrong and where."""
    with pytest.raises(sg.InvalidSource, match=message):
        make()


def test_a_part_that_is_refused_has_its_place() -> None:
    """An error in a tag's schema names the tag."""
    source = sg.StructuralTag([sg.Tag("<a>", {}, "b"), sg.Tag("<b>", {"type": "strin"}, "b")])
    with pytest.raises(sg.InvalidSource, match=r"^tags/1/content#/type"):
        sg.compile(source, SMALL["small"]())


# ---- dictionaries ---------------------------------------------------------------------------------------------------

TAG = {"type": "tag", "begin": "<f>", "content": {"type": "json_schema", "json_schema": CITY}, "end": "</f>"}
CALL = '<f>{"city": "Rome"}</f>'

DICTIONARIES: list[tuple[dict[str, Any], list[str], list[str]]] = [
    (
        {
            "type": "structural_tag",
            "structures": [
                {"begin": "<f=a>", "schema": CITY, "end": "</f>"},
                {"begin": "<f=b>", "schema": json.dumps(CITY), "end": ""},
            ],
            "triggers": ["<f="],
        },
        ["", "hi", 'x <f=a>{"city": ""}</f> y <f=b>{"city": ""} z'],
        ["<f=", "<f=a></f>", "<f=c>"],
    ),
    ({"format": {"type": "triggered_tags", "triggers": ["<f"], "tags": [TAG]}}, ["", "a" + CALL + "b" + CALL], ["<f"]),
    (
        {"format": {"type": "triggered_tags", "triggers": ["<f"], "tags": [TAG], "at_least_one": True}},
        [CALL, CALL + "b" + CALL],
        ["", "a" + CALL],
    ),
    (
        {
            "format": {
                "type": "triggered_tags",
                "triggers": ["<f"],
                "tags": [TAG],
                "stop_after_first": True,
                "excludes": ["no"],
            }
        },
        ["", "a", "a" + CALL],
        [CALL + "a", "no", "no" + CALL],
    ),
    (
        {"format": {"type": "tags_with_separator", "tags": [TAG], "separator": ", ", "at_least_one": True}},
        [CALL, f"{CALL}, {CALL}"],
        ["", CALL + CALL, CALL + ", "],
    ),
    (
        {"format": {"type": "tags_with_separator", "tags": [TAG], "separator": "", "stop_after_first": True}},
        [CALL, ""],
        [CALL + CALL],
    ),
    (
        {
            "format": {
                "type": "sequence",
                "elements": [
                    {"type": "tag", "begin": "<think>", "content": {"type": "any_text"}, "end": ["</think>", "</t>"]},
                    {
                        "type": "or",
                        "elements": [{"type": "const_string", "value": "ok"}, {"type": "regex", "pattern": "[0-9]{2}"}],
                    },
                ],
            }
        },
        ["<think></think>ok", "<think>é</t>42"],
        ["<think>a</t>b</think>ok", "<think></think>4", "<think></think>"],
    ),
    (
        {
            "format": {
                "type": "tag",
                "begin": "{",
                "content": {
                    "type": "sequence",
                    "elements": [{"type": "const_string", "value": "-"}, {"type": "any_text", "excludes": ["x"]}],
                },
                "end": "}",
            }
        },
        ["{-}", "{-abc}"],
        ["{}", "{-x}", "{-}}"],
    ),
    (
        {
            "format": {
                "type": "sequence",
                "elements": [
                    {"type": "optional", "content": {"type": "const_string", "value": "a"}},
                    {"type": "plus", "content": {"type": "const_string", "value": "b"}},
                    {"type": "star", "content": {"type": "const_string", "value": "c"}},
                    {"type": "repeat", "min": 1, "max": 2, "content": {"type": "const_string", "value": "d"}},
                    {"type": "repeat", "min": 0, "max": -1, "content": {"type": "const_string", "value": "e"}},
                ],
            }
        },
        ["bd", "abbcccddeee"],
        ["ad", "bddd", "abe"],
    ),
    (
        {"format": {"type": "dispatch", "rules": [["<n>", {"type": "regex", "pattern": "[0-9]"}]], "excludes": ["!"]}},
        ["", "a<n>1b<n>2"],
        ["<n>", "<n>a", "a!", "<n>1!"],
    ),
    (
        {"format": {"type": "dispatch", "rules": [["<n>", {"type": "regex", "pattern": "[0-9]"}]], "loop": False}},
        ["a", "a<n>1"],
        ["a<n>1b"],
    ),
    (
        {
            "format": {
                "type": "json_schema",
                "json_schema": {
                    "properties": {"a": {"type": "null"}, "b": {"type": "null"}},
                    "required": ["a"],
                    "additionalProperties": False,
                    "type": "object",
                },
                "any_order": True,
            }
        },
        ['{"b": null, "a": null}'],
        ['{"b": null}'],
    ),
    (
        {
            "format": {
                "type": "tag",
                "begin": "<g>",
                "content": {"type": "grammar", "grammar": 'root ::= "a" root | "b"'},
                "end": "</g>",
            }
        },
        ["<g>b</g>", "<g>aab</g>"],
        ["<g></g>", "<g>a</g>", "<g>b"],
    ),
]


@pytest.mark.parametrize(("data", "good", "bad"), DICTIONARIES)
def test_dictionaries_mean_what_their_documentation_says(data: dict[str, Any], good: list[str], bad: list[str]) -> None:
    """Both shapes, as a mapping and as JSON."""
    for given_as in (data, json.dumps(data)):
        constraint = sg.compile(sg.StructuralTag.from_dict(given_as), SMALL["small"]())
        assert [text for text in good if not constraint.accepts(text)] == []
        assert [text for text in bad if constraint.accepts(text)] == []


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ("{", sg.InvalidSource, "is no JSON"),
        ([], sg.InvalidSource, "a mapping is wanted here, not list"),
        ({"type": "json_schema"}, sg.InvalidSource, "#/type: the type is 'json_schema'"),
        ({"type": "structural_tag"}, sg.InvalidSource, "the field 'structures' is missing"),
        ({"format": {"type": "any_text"}, "extra": 1}, sg.Unsupported, "#/extra: the field 'extra' is not known"),
        ({"format": {"type": "any_text", "max_tokens": 5}}, sg.Unsupported, "#/format/max_tokens"),
        ({"format": {"type": "token", "token": 5.5}}, sg.InvalidSource, "#/format/token: a token is named by its id"),
        (
            {"format": {"type": "any_tokens", "exclude_tokens": [None]}},
            sg.InvalidSource,
            "#/format/exclude_tokens/0: a token is named",
        ),
        (
            {"format": {"type": "token_triggered_tags", "trigger_tokens": [1], "tags": [TAG]}},
            sg.InvalidSource,
            "#/format/tags/0: the tag begins with no trigger",
        ),
        ({"format": {"type": "token_dispatch", "rules": [[1]]}}, sg.InvalidSource, "a rule must be a pair of a token"),
        ({"format": {"type": "lark", "grammar": "start: A"}}, sg.Unsupported, "'lark' is not known"),
        ({"format": {"type": "const_string"}}, sg.InvalidSource, "#/format: the field 'value' is missing"),
        (
            {"format": {"type": "const_string", "value": 1}},
            sg.InvalidSource,
            "#/format/value: 'value' must be a string",
        ),
        (
            {"format": {"type": "json_schema", "json_schema": {}, "style": "qwen_xml"}},
            sg.Unsupported,
            "the style 'qwen_xml'",
        ),
        (
            {"format": {"type": "sequence", "elements": [{"type": "or", "elements": []}]}},
            sg.InvalidSource,
            "#/format/elements/0: a union of nothing",
        ),
        (
            {"format": {"type": "triggered_tags", "triggers": ["<g"], "tags": [TAG]}},
            sg.InvalidSource,
            "#/format/tags/0: the tag begins with no trigger",
        ),
        (
            {
                "format": {
                    "type": "triggered_tags",
                    "triggers": ["<f"],
                    "tags": [{**TAG, "begin": {"type": "token", "token": 1}}],
                }
            },
            sg.InvalidSource,
            "#/format/tags/0: the tag begins with no trigger",
        ),
        (
            {"format": {"type": "triggered_tags", "triggers": ["<f"], "tags": [TAG], "at_least_one": 1}},
            sg.InvalidSource,
            "must be true or false",
        ),
        (
            {"format": {"type": "repeat", "min": 2, "max": 1, "content": {"type": "any_text"}}},
            sg.InvalidSource,
            "at least 2 and at most 1",
        ),
        ({"format": {"type": "dispatch", "rules": ["x"]}}, sg.InvalidSource, "#/format/rules/0: a rule must be a pair"),
    ],
)
def test_dictionaries_are_refused_by_place(data: Any, error: type[Exception], message: str) -> None:
    """Nothing is ignored: what is not known, wrong or not supported is named with its place."""
    with pytest.raises(error, match=message):
        sg.StructuralTag.from_dict(data)
