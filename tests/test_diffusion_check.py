"""Denoising under a constraint and a check: what comes out passes both, a witness is held at every step, and a search that finds nothing says so."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from denoising_doubles import END, MASK, RandomModel, model, vocabulary
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import size

import syntagma as sg
from syntagma import diffusion as d
from syntagma.engine.diffusion.checked import MOST_FILLINGS, CheckedCanvas
from syntagma.engine.residuals import All, Check, JsonPredicate, UniqueItems

pytestmark = pytest.mark.kernel

SMALL = sg.Vocabulary([b"a", b"b", b"ab", b"x", None, None, None], eos_ids=[4, 5])
SMALL_MASK = 6
VOCAB = vocabulary()
POLICIES: dict[str, Any] = {
    "low confidence": d.LowConfidence(),
    "threshold": d.Threshold(0.2),
    "prophet": d.Prophet(thresholds=(2.0, 1.0, 0.5)),
    "joint threshold": d.JointThreshold(0.3, 0.2, 3),
    "remdm": d.ReMDM(eta=0.5),
    "freedave": d.FreeDave(3, d.LowConfidence(2)),
}
RULES: dict[str, Any] = {
    "as many a as b": lambda text: text.count("a") == text.count("b"),
    "a palindrome": lambda text: text == text[::-1],
    "length of three": lambda text: len(text) % 3 == 0 and text != "",
    "begins as it ends": lambda text: text[:1] == text[-1:] and len(text) > 2,
}
ANY = sg.compile(sg.Regex("[abx]*"), SMALL)
PAIR = sg.compile(
    sg.JsonSchema(
        {
            "type": "object",
            "properties": {k: {"type": "integer", "minimum": 0, "maximum": 222} for k in ("a", "b")},
            "required": ["a", "b"],
            "additionalProperties": False,
        },
        whitespace="compact",
    ),
    VOCAB,
)
RISES = JsonPredicate(lambda value: "b" not in value or value["a"] < value["b"])


def small_model(seed: int) -> d.MaskedModel:
    """A random model of the small vocabulary; sums of ids stand for the canvas."""

    def call(ids: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        rows = [np.random.default_rng([seed, *row.tolist()]).normal(size=(len(row), SMALL.size)) for row in ids]
        return 3 * np.stack(rows)

    return d.MaskedModel(call, SMALL_MASK, 4)


def fillings(length: int) -> list[tuple[list[int], str]]:
    """Every canvas of so many slots with its text, by enumeration: texts of [abx]*, then end tokens."""
    found: list[tuple[list[int], str]] = []

    def go_on(ids: list[int], text: str) -> None:
        found.append(([*ids, *[4] * (length - len(ids))], text))
        if len(ids) < length:
            for token, piece in enumerate(("a", "b", "ab", "x")):
                go_on([*ids, token], text + piece)

    go_on([], "")
    return found


@given(st.sampled_from(sorted(RULES)), st.sampled_from(sorted(POLICIES)), st.integers(0, 10**6), st.data())
@settings(max_examples=size(60, plain=15))
def test_after_every_step_some_completion_passes(rule: str, policy: str, seed: int, data: st.DataObject) -> None:
    """By enumeration of all fillings: each frame of the history can be completed to a text that the check passes, and the last one is such a text."""
    length = data.draw(st.integers(3, 5))
    good = [ids for ids, text in fillings(length) if RULES[rule](text)]
    full = data.draw(st.sampled_from(good))
    keep = data.draw(st.lists(st.booleans(), min_size=length, max_size=length))
    slots = [token if k else sg.HOLE for token, k in zip(full, keep, strict=True)]
    block, beyond = data.draw(st.sampled_from([(None, "holes"), (2, "holes"), (2, "gap")]))
    if any(keep):
        beyond = "holes"
    result = d.diffuse(
        small_model(seed),
        [],
        ANY,
        canvas=slots,
        policy=POLICIES[policy],
        block=block,
        beyond=beyond,  # type: ignore[arg-type]
        seed=seed,
        check=Check(RULES[rule]),
    )
    assert RULES[rule](result.text)
    assert ANY.accepts(result.text)
    for frame in result.history:
        ids = np.where(frame.ids == 5, 4, frame.ids).tolist()
        assert any(all(t in {SMALL_MASK, w} for t, w in zip(ids, one, strict=True)) for one in good)


@given(st.sampled_from(sorted(RULES)), st.integers(0, 10**6))
@settings(max_examples=size(60, plain=15))
def test_a_witness_has_what_was_committed(rule: str, seed: int) -> None:
    """Whatever is proposed, reopened and proposed again: the witness passes, and holds every token that stands."""
    canvas = CheckedCanvas(ANY, [sg.HOLE] * 5, Check(RULES[rule]), mask_id=SMALL_MASK, tail_id=4)
    rng = np.random.default_rng(seed)
    law = rng.normal(size=(5, SMALL.size))
    canvas.says = lambda slots: law[slots]
    for _ in range(4):
        canvas.settle()
        if len(slots := canvas.open_slots()):
            tokens = rng.integers(0, 5, len(slots))
            kept = canvas.commit(slots, tokens, rng.random(len(slots)))
            assert (canvas.ids[slots[kept]] == tokens[kept]).all()
            assert canvas.open[slots[~kept]].all()
        assert canvas.witness is not None
        assert (canvas.witness[~canvas.open] == canvas.ids[~canvas.open]).all()
        assert canvas.fails_at(canvas.witness) is None
        canvas.reopen(np.flatnonzero(~canvas.open & (rng.random(5) < 0.3)).astype(np.int64))
    canvas.close()


def test_proposals_that_pass_are_all_committed() -> None:
    """The check costs nothing where proposals agree with it: all are revealed in the one pass that plain decoding takes."""
    logits = np.zeros((1, 4, SMALL.size))
    logits[0, [0, 1, 2, 3], [3, 0, 1, 3]] = 9.0
    double = d.MaskedModel(lambda _: logits, SMALL_MASK, 4)
    same = {"canvas": [sg.Hole([0, 1, 3])] * 4, "policy": d.Threshold(0.5)}
    free = d.diffuse(double, [], ANY, **same)  # type: ignore[arg-type]
    held = d.diffuse(double, [], ANY, **same, check=Check(RULES["begins as it ends"]))  # type: ignore[arg-type]
    assert (free.text, held.text) == ("xabx", "xabx")
    assert (held.n_forward, held.n_rejected, held.n_resamples) == (1, 0, 0)


def test_the_likely_tokens_stay_where_the_check_lets_them() -> None:
    """Of four sure proposals the check refuses one: the other three stand, and the last slot is filled as the rule wants."""
    logits = np.zeros((1, 4, SMALL.size))
    logits[0, [0, 1, 2], [3, 0, 1]] = 9.0
    logits[0, 3, 0] = 5.0  # the least sure one
    double = d.MaskedModel(lambda _: logits, SMALL_MASK, 4)
    rule = Check(RULES["begins as it ends"])
    result = d.diffuse(double, [], ANY, canvas=[sg.Hole([0, 1, 3])] * 4, policy=d.Threshold(0.5), check=rule)
    assert result.text == "xabx"
    assert result.n_forward <= 2
    assert result.n_rejected >= 1


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("block", "beyond"), [(None, "holes"), (5, "holes"), (5, "gap")])
def test_rules_across_fields_hold_under_every_policy(policy: str, block: Any, beyond: Any) -> None:
    """A JSON object whose second number has to exceed its first, whatever the model says, in blocks and with gaps as well."""
    for seed in range(size(3, plain=1)):
        result = d.diffuse(
            model(seed), [3], PAIR, length=16, policy=POLICIES[policy], block=block, beyond=beyond, check=RISES
        )
        value = json.loads(result.text)
        assert value["a"] < value["b"]
        assert PAIR.accepts(result.text)


@pytest.mark.parametrize("base", [d.LowConfidence(), d.Threshold(0.3)])
def test_drafts_find_what_plain_decoding_finds(base: Any) -> None:
    """Searches depend on the canvas and the model's logits alone, so FreeDave is lossless under a check, too."""
    for seed in range(size(5, plain=1)):
        plain, drafted = (
            d.diffuse(model(seed), [3], PAIR, length=14, policy=policy, check=RISES)
            for policy in (base, d.FreeDave(3, base))
        )
        assert [f.ids.tolist() for f in drafted.history] == [f.ids.tolist() for f in plain.history]
        assert (drafted.n_steps, drafted.n_resamples) == (plain.n_steps, plain.n_resamples)
        assert drafted.n_forward <= plain.n_forward


def test_a_checked_constraint_is_the_same_as_a_check() -> None:
    """``sg.Checked`` is taken apart; nested ones, and one with a further check, hold all of their rules."""
    rule = Check(RULES["a palindrome"])
    one = d.diffuse(small_model(1), [], ANY, length=5, check=rule)
    other = d.diffuse(small_model(1), [], sg.Checked(ANY, rule), length=5)  # type: ignore[arg-type]
    assert one.ids.tolist() == other.ids.tolist()
    both = sg.Checked(sg.Checked(ANY, rule), Check(lambda text: "x" in text))
    result = d.diffuse(small_model(1), [], both, length=5, check=Check(lambda text: len(text) > 1))  # type: ignore[arg-type]
    assert result.text == result.text[::-1]
    assert "x" in result.text
    assert len(result.text) > 1


def test_each_canvas_may_have_a_check_of_its_own() -> None:
    """Side by side, constraints with different rules hold each its own, and give what they give alone."""
    names = sorted(RULES)
    own = [sg.Checked(ANY, Check(RULES[name])) for name in names]
    found = list(d.diffuse_many(small_model(2), [[]] * len(own), own, length=5))  # type: ignore[arg-type]
    for i, (name, result) in enumerate(zip(names, found, strict=True)):
        assert RULES[name](result.text), name
        alone = d.diffuse(small_model(2), [], ANY, length=5, seed=i, check=Check(RULES[name]))
        assert result.ids.tolist() == alone.ids.tolist()


def test_a_check_and_registers_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a relaxed lattice, keys differ because the constraint says so, and their number is even because the check does."""
    from syntagma.automata import lattice

    monkeypatch.setattr(lattice, "MOST_FOLLOWED", 2)
    schema = {"type": "object", "additionalProperties": {"const": 1}, "minProperties": 1}
    unlike = sg.compile(sg.JsonSchema(schema, whitespace="compact"), VOCAB)
    even = JsonPredicate(lambda value: len(value) % 2 == 0, complete=True)
    for seed in range(size(3, plain=1)):
        result = d.diffuse(model(seed), [3], unlike, length=14, policy=d.Threshold(0.3), check=even)
        pairs = json.loads(result.text, object_pairs_hook=list)
        assert len({key for key, _ in pairs}) == len(pairs)
        assert len(pairs) % 2 == 0


def test_unique_items_may_be_a_check() -> None:
    """Items that may be arrays differ by a residual, where the schema's own registers do not reach."""
    nested = sg.compile(
        sg.JsonSchema(
            {
                "type": "array",
                "items": {"type": "array", "items": {"enum": [1, 2]}, "maxItems": 2},
                "minItems": 3,
                "maxItems": 4,
            },
            whitespace="compact",
        ),
        VOCAB,
    )
    for seed in range(size(3, plain=1)):
        result = d.diffuse(model(seed), [3], nested, length=20, policy=d.Threshold(0.3), check=UniqueItems(at=""))
        items = json.loads(result.text)
        assert all(items.count(item) == 1 for item in items)


def test_a_lattice_that_cannot_weigh_is_searched_by_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a canvas is too large for a most probable filling, likely tokens that go together are read instead."""

    def refuse(*_: Any) -> Any:
        raise sg.LimitExceeded("too large", limit="max_cells", value=1)

    monkeypatch.setattr(sg.Lattice, "best_fill", refuse)
    for seed in range(3):
        result = d.diffuse(small_model(seed), [], ANY, length=5, check=Check(RULES["as many a as b"]))
        assert result.text.count("a") == result.text.count("b")


def test_a_rule_that_nothing_satisfies_is_proved_or_given_up() -> None:
    """Where every filling was read, the canvas is unsatisfiable, before the model is asked; where that takes too long, the limit is named."""
    never = Check(lambda _: False)
    double = RandomModel()
    two = sg.compile(["ab", "ba"], VOCAB)
    with pytest.raises(sg.Unsatisfiable, match="fails the check"):
        d.diffuse(d.MaskedModel(double, MASK, END), [3], two, length=3, check=never)
    assert not double.calls
    with pytest.raises(sg.LimitExceeded, match="none of the fillings") as error:
        d.diffuse(small_model(0), [], ANY, length=9, check=never)
    assert (error.value.limit, error.value.value) == ("MOST_FILLINGS", MOST_FILLINGS)


def test_given_tokens_that_fail_by_themselves_are_refused() -> None:
    """A canvas without open slots, or one whose fixed beginning is dead, is refused at once."""
    starts = Check(lambda text, _: text[:1] in {"", "a"})
    for slots in ([1, 1], [1, sg.HOLE, sg.HOLE]):
        with pytest.raises(sg.Unsatisfiable, match="fails the check"):
            d.diffuse(small_model(0), [], ANY, canvas=slots, check=starts)
    with pytest.raises(sg.Unsatisfiable, match="prompt 1"):
        list(d.diffuse_many(small_model(0), [[], []], ANY, canvases=[[0, 1], [1, 1]], check=starts))


def test_a_needle_is_found_by_its_dead_beginnings() -> None:
    """A rule that refuses beginnings leads the search: one text of thousands is found, though the model holds it for the least likely."""
    needle = "xbabxa"
    logits = np.zeros((1, 6, SMALL.size))
    for i, letter in enumerate(needle):
        logits[0, i, "ab?x".index(letter)] = -8.0
    rule = Check(lambda text, complete: text == needle if complete else needle.startswith(text))
    result = d.diffuse(d.MaskedModel(lambda _: logits, SMALL_MASK, 4), [], ANY, length=6, check=rule)
    assert result.text == needle


def test_what_is_no_residual_is_refused() -> None:
    """A bare function has a hint how to wrap it."""
    with pytest.raises(sg.InvalidSource, match=r"residuals\.Check"):
        d.diffuse(small_model(0), [], ANY, length=3, check=str.isalpha)  # type: ignore[arg-type]


def test_several_rules_are_one() -> None:
    """``All`` holds every part."""
    rule = All(Check(RULES["a palindrome"]), Check(RULES["length of three"]))
    text = d.diffuse(small_model(3), [], ANY, length=6, check=rule).text
    assert text == text[::-1]
    assert text
    assert len(text) % 3 == 0
