"""The loop of denoising: its invariant on every step, joint commits, blocks, drafts, and determinism."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from denoising_doubles import END, MASK, TOKENS, TURN, RandomModel, changes_its_mind, model, vocabulary
from hypothesis import given, settings
from hypothesis import strategies as st
from sizes import size

import syntagma as sg
from syntagma import diffusion as d
from syntagma.engine.diffusion.canvas import Canvas
from syntagma.engine.diffusion.picture import svg

pytestmark = pytest.mark.kernel

VOCAB = vocabulary()
SOURCES: dict[str, Any] = {
    "choices": ["ab", "abba", "baba", "x"],
    "regex": sg.Regex("(ab|ba)*x?"),
    "parity": sg.Regex("([ab][ab])*"),
    "array": sg.JsonSchema(
        {"type": "array", "items": {"enum": [1, 2, True]}, "minItems": 1, "maxItems": 3}, whitespace="compact"
    ),
    "object": sg.JsonSchema(
        {
            "type": "object",
            "properties": {"a": {"enum": [0, 12, 1]}, "b": {"type": "array", "items": {"const": 2}, "maxItems": 2}},
            "required": ["a"],
            "additionalProperties": False,
        },
        whitespace="compact",
    ),
    "brackets": sg.Gbnf('root ::= ("[" root "]" | "{" root "}")*'),
}
LENGTHS = {"choices": 5, "regex": 7, "parity": 6, "array": 9, "object": 14, "brackets": 6}
POLICIES: dict[str, Any] = {
    "low confidence": d.LowConfidence(),
    "low entropy": d.LowEntropy(2),
    "margin": d.TopKMargin(2),
    "threshold": d.Threshold(0.3),
    "factor": d.Factor(2.0),
    "localleap": d.LocalLeap(0.4, 0.2, 2),
    "prophet": d.Prophet(thresholds=(4.0, 2.0, 1.0)),
    "entropy bound": d.EntropyBound(2.0),
    "dparallel": d.EntropyThreshold(1.5),
    "hierarchical": d.Hierarchical(0.5, 0.2),
    "joint threshold": d.JointThreshold(0.3, 0.2, 3),
    "remdm": d.ReMDM(eta=0.5),
    "freedave": d.FreeDave(3),
}
CONSTRAINTS: dict[str, sg.Constraint] = {}


def constraint(name: str) -> sg.Constraint:
    if name not in CONSTRAINTS:
        CONSTRAINTS[name] = sg.compile(SOURCES[name], VOCAB)
    return CONSTRAINTS[name]


def accepted(ids: np.ndarray[Any, Any], name: str) -> bool:
    """Whether a canvas is a text, then nothing but end tokens."""
    ends = np.isin(ids, [END, TURN])
    size = int(np.argmax(ends)) if ends.any() else len(ids)
    text = b"".join(TOKENS[t] or b"" for t in ids[:size])
    return bool(ends[size:].all()) and constraint(name).accepts(text)


def check_history(result: d.Denoising, name: str, slots: list[Any]) -> None:
    """After every step the canvas can be completed in exactly the slots that are left, and only what events tell has changed."""
    before = result.history[0].ids
    for frame in result.history:
        with sg.Lattice(constraint(name), [sg.HOLE if t == MASK else int(t) for t in frame.ids]) as lattice:
            assert lattice.feasible()
        changed = set(np.flatnonzero(frame.ids != before).tolist())
        assert changed <= {slot for events in frame.events.values() for slot in events}
        for slot, kind in zip(range(len(slots)), slots, strict=True):
            assert isinstance(kind, sg.Hole) or frame.ids[slot] == kind
        before = frame.ids
    assert (result.history[-1].ids == result.ids).all()
    assert MASK not in result.ids


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", SOURCES)
def test_every_policy_completes_every_canvas(name: str, policy: str) -> None:
    """Whatever the model says: the result is accepted, no step is a dead end, and the model is never asked twice for one canvas."""
    for seed in range(size(3, plain=1)):
        result = d.diffuse(model(seed), [3], constraint(name), length=LENGTHS[name], policy=POLICIES[policy], seed=seed)
        assert accepted(result.ids, name)
        assert result.n_resamples == 0
        check_history(result, name, [sg.HOLE] * LENGTHS[name])
        assert result.data == b"".join(TOKENS[t] or b"" for t in result.tokens)
        assert result.n_canvases >= result.n_forward
        if policy not in {"remdm", "joint threshold"}:
            assert result.n_forward <= LENGTHS[name]


@given(st.sampled_from(sorted(SOURCES)), st.sampled_from(sorted(POLICIES)), st.integers(0, 10**6), st.data())
@settings(max_examples=size(40, plain=8))
def test_canvases_with_fixed_tokens_keep_them(name: str, policy: str, seed: int, data: st.DataObject) -> None:
    """Any part of any accepted canvas may be given; the rest is found around it."""
    full = d.diffuse(model(seed), [3], constraint(name), length=LENGTHS[name], temperature=1.0, seed=seed).ids
    kept = data.draw(st.lists(st.booleans(), min_size=len(full), max_size=len(full)))
    slots = [int(t) if k else sg.HOLE for t, k in zip(full, kept, strict=True)]
    block = data.draw(st.sampled_from([None, 1, 3, 4]))
    result = d.diffuse(
        model(seed + 1), [3], constraint(name), canvas=slots, policy=POLICIES[policy], block=block, seed=seed
    )
    assert accepted(result.ids, name)
    assert result.n_resamples == 0
    check_history(result, name, slots)


def test_a_canvas_without_open_slots_costs_no_pass() -> None:
    """What is complete is returned as it is."""
    ids = [TOKENS.index(b"a"), TOKENS.index(b"b"), END]
    double = RandomModel()
    result = d.diffuse(d.MaskedModel(double, MASK, END), [3], constraint("choices"), canvas=ids)
    assert (result.text, result.n_forward, len(double.calls)) == ("ab", 0, 0)


def test_what_is_certain_costs_no_pass() -> None:
    """A constraint with one text fills the canvas before the model is asked."""
    only = sg.compile(["abxy"], sg.Vocabulary([b"a", b"b", b"x", b"y", None, None], eos_ids=[4]))
    double = d.MaskedModel(lambda ids: np.zeros((*ids.shape, 6)), mask_id=5)
    result = d.diffuse(double, [], only, length=6)
    assert (result.text, result.n_forward, result.n_forced) == ("abxy", 0, 4)
    assert result.ids.tolist() == [0, 1, 2, 3, 4, 4]


def test_proposals_that_do_not_go_together_are_kept_in_part() -> None:
    """Three slots of an even number of b: each proposal of one b is possible alone, all three are not; the best two stay."""
    vocab = sg.Vocabulary([b"a", b"b", None, None], eos_ids=[2])
    even = sg.compile(sg.Regex("(a*ba*b)*a*"), vocab)
    logits = np.zeros((3, 4))
    logits[:, 1] = [3.0, 2.0, 2.5]
    double = d.MaskedModel(lambda _: logits[None], mask_id=3)
    canvas = Canvas(even, [sg.Hole([0, 1])] * 3, mask_id=3, tail_id=2)
    kept = canvas.commit(np.arange(3), np.array([1, 1, 1]), np.array([0.95, 0.88, 0.92]))
    assert kept.tolist() == [True, False, True]
    assert canvas.n_rejected == 1
    canvas.close()
    result = d.diffuse(double, [], even, canvas=[sg.Hole([0, 1])] * 3, policy=d.Threshold(0.5))
    assert (result.text, result.n_forward, result.n_rejected, result.n_forced) == ("bab", 1, 1, 1)


def test_prophet_fills_with_the_jointly_most_probable_text() -> None:
    """The arg-max of each slot would be an odd number of b; the best even text gives up the least sure one."""
    vocab = sg.Vocabulary([b"a", b"b", None, None], eos_ids=[2])
    even = sg.compile(sg.Regex("(a*ba*b)*a*"), vocab)
    logits = np.zeros((3, 4))
    logits[:, 1] = [3.0, 2.0, 2.5]
    double = d.MaskedModel(lambda _: logits[None], mask_id=3)
    result = d.diffuse(double, [], even, canvas=[sg.Hole([0, 1])] * 3, policy=d.Prophet(thresholds=(1.0, 1.0, 1.0)))
    assert (result.text, result.n_forward) == ("bab", 1)
    assert result.history[-1].events == {"fill": [0, 1, 2]}


def test_after_the_end_the_canvas_is_filled_with_the_tail() -> None:
    """Once the text has ended, what follows is the model's tail token and costs nothing."""
    logits = np.zeros((1, 8, len(TOKENS) + 3))
    logits[0, 1, TURN] = 9.0  # ends after one token, with the other end token
    logits[0, 0, TOKENS.index(b"x")] = 5.0
    double = d.MaskedModel(lambda ids: logits[:, : ids.shape[1]], MASK, END)
    result = d.diffuse(double, [], constraint("choices"), length=8, policy=d.LowConfidence())
    assert result.ids.tolist() == [TOKENS.index(b"x"), TURN, *[END] * 6]
    assert (result.text, result.n_forward) == ("x", 1)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_seed_gives_the_same_canvas_twice(policy: str) -> None:
    """Draws depend on the seed alone."""
    temperature = 0.0 if policy == "freedave" else 1.0
    runs = [
        d.diffuse(
            model(4), [3], constraint("array"), length=9, policy=POLICIES[policy], temperature=temperature, seed=seed
        )
        for seed in (7, 7)
    ]
    assert runs[0].ids.tolist() == runs[1].ids.tolist()
    assert [f.ids.tolist() for f in runs[0].history] == [f.ids.tolist() for f in runs[1].history]


def test_seeds_differ() -> None:
    """At a temperature, other seeds give other texts."""
    texts = {
        d.diffuse(model(4, 1.0), [3], constraint("regex"), length=7, temperature=1.0, seed=s).text for s in range(8)
    }
    assert len(texts) > 3


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("base", [d.LowConfidence(), d.Threshold(0.3), d.EntropyBound(1.0)])
def test_drafts_change_nothing_but_the_passes(name: str, base: Any) -> None:
    """FreeDave reaches the canvas that its base policy reaches, step by step, in at most as many passes."""
    for seed in range(size(4, plain=1)):
        plain = d.diffuse(model(seed), [3], constraint(name), length=LENGTHS[name], policy=base, block=4)
        drafted = d.diffuse(
            model(seed), [3], constraint(name), length=LENGTHS[name], policy=d.FreeDave(3, base), block=4
        )
        assert [f.ids.tolist() for f in drafted.history] == [f.ids.tolist() for f in plain.history]
        assert drafted.n_forward <= plain.n_forward
        assert drafted.n_steps == plain.n_steps


def test_drafts_of_a_steady_model_save_passes() -> None:
    """Where the logits hardly change from step to step, several steps are verified in one pass."""
    steady = d.MaskedModel(
        lambda ids: np.repeat(
            np.random.default_rng(ids.shape[1]).normal(size=(1, ids.shape[1], len(TOKENS) + 3)), len(ids), 0
        ),
        MASK,
        END,
    )
    slots = [sg.Hole([TOKENS.index(b"a"), TOKENS.index(b"b")])] * 12
    plain = d.diffuse(steady, [3], constraint("regex"), canvas=slots, policy=d.LowConfidence())
    drafted = d.diffuse(steady, [3], constraint("regex"), canvas=slots, policy=d.FreeDave(4))
    assert drafted.ids.tolist() == plain.ids.tolist()
    assert drafted.n_forward < plain.n_forward
    assert drafted.n_canvases > drafted.n_forward


@pytest.mark.parametrize("beyond", ["holes", "gap"])
@pytest.mark.parametrize("name", SOURCES)
def test_blocks_are_revealed_from_left_to_right(name: str, beyond: Any) -> None:
    """Only slots of the active block are revealed; with a gap the model sees nothing to the right of it."""
    double = RandomModel(5)
    result = d.diffuse(
        d.MaskedModel(double, MASK, END),
        [3],
        constraint(name),
        length=LENGTHS[name],
        policy=d.Threshold(0.4),
        block=3,
        beyond=beyond,
    )
    assert accepted(result.ids, name)
    assert result.n_resamples == 0
    revealed = [[slot // 3 for slot in frame.events.get("reveal", [])] for frame in result.history]
    order = [block for blocks in revealed for block in blocks]
    assert order == sorted(order)
    if beyond == "gap":
        sizes = {call.shape[1] - 1 for call in double.calls}
        assert all(size % 3 == 0 or size == LENGTHS[name] for size in sizes)
        assert min(sizes, default=3) <= 3
    else:
        assert {call.shape[1] - 1 for call in double.calls} <= {LENGTHS[name]}


def test_a_gap_with_drafts_keeps_to_a_block() -> None:
    """Drafts do not run ahead of what the model may see."""
    for seed in range(3):
        plain, drafted = (
            d.diffuse(model(seed), [3], constraint("array"), length=9, policy=p, block=3, beyond="gap")
            for p in (d.LowConfidence(), d.FreeDave(4))
        )
        assert drafted.ids.tolist() == plain.ids.tolist()


def test_adaptive_blocks_end_at_delimiters() -> None:
    """A block of AdaBlock ends behind the comma that the model is sure of, and the next begins there."""
    comma, opening = TOKENS.index(b","), TOKENS.index(b"[")
    logits = np.zeros((1, 12, len(TOKENS) + 3))
    logits[0, 2, comma] = 6.0
    logits[0, 0, opening] = 1.0
    double = d.MaskedModel(lambda ids: logits[:, : ids.shape[1]] + 0.01 * ids.sum() % 1, MASK, END)
    rule = d.AdaBlock(delimiters=(b",",), threshold=0.3, default=5, window=0.5)
    result = d.diffuse(double, [], constraint("array"), length=12, policy=d.LowConfidence(), block=rule)
    assert accepted(result.ids, "array")
    assert result.ids[2] == comma
    revealed = [slot for frame in result.history for slot in frame.events.get("reveal", [])]
    assert max(revealed[:2]) <= 2


def test_a_schedule_of_steps_is_kept() -> None:
    """With s steps planned, low confidence takes at most s passes, and reveals evenly."""
    for steps in (1, 2, 3, 5):
        result = d.diffuse(model(2), [3], constraint("regex"), length=7, policy=d.LowConfidence(), steps=steps)
        assert result.n_forward <= steps + result.n_rejected
        assert accepted(result.ids, "regex")


def test_one_token_a_pass_is_the_default_schedule() -> None:
    """Without a plan there are as many steps as open slots, and each reveals one."""
    result = d.diffuse(model(2), [3], constraint("array"), length=9, policy=d.LowConfidence())
    assert all(len(f.events.get("reveal", [])) <= 1 for f in result.history)
    assert result.n_rejected == 0


def test_edits_replace_tokens_and_keep_the_constraint() -> None:
    """A model that changes its mind about a decided slot has it edited; partners that must change with it do."""
    twins = sg.compile(["aa", "bb"], sg.Vocabulary([b"a", b"b", None, None], eos_ids=[2]))
    policy = d.JointThreshold(0.9, 0.9, 4)
    result = d.diffuse(d.MaskedModel(changes_its_mind, 3), [], twins, canvas=[sg.Hole([0, 1])] * 2, policy=policy)
    assert result.text == "bb"
    assert result.history[-1].events == {"edit": [0, 1]}
    assert result.n_forward == 3  # reveal, edit, and a pass that finds nothing to edit


def test_an_edit_that_fits_nothing_is_undone() -> None:
    """Where the new token is impossible beside the caller's own, the old one stays."""
    vocab = sg.Vocabulary([b"a", b"b", None, None], eos_ids=[2])
    twins = sg.compile(["aa", "bb"], vocab)
    logits = np.zeros((1, 2, 4))
    logits[..., 1] = 8.0
    double = d.MaskedModel(lambda _: logits, 3)
    result = d.diffuse(double, [], twins, canvas=[0, sg.Hole([0, 1])], policy=d.JointThreshold())
    assert result.text == "aa"


def test_a_policy_changes_no_slot_that_is_not_its_own() -> None:
    """Edits and remasks of the caller's tokens, of open slots and of slots outside the block do nothing, and decoding ends."""

    class Meddler(d.LowConfidence):
        reads_decided = True

        def decide(self, beliefs: d.Beliefs) -> d.Decision:
            every = np.arange(-1, 20)
            return d.Decision(beliefs.in_block, edits=every[:3], remask=every)

    first = d.diffuse(model(1), [3], constraint("array"), length=9).ids
    slots = [int(first[0]), *[sg.HOLE] * 8]
    result = d.diffuse(model(2), [3], constraint("array"), canvas=slots, policy=Meddler(), block=3)
    assert accepted(result.ids, "array")
    assert result.n_forward <= 3 * 9
    check_history(result, "array", slots)


def test_end_of_text_is_cut_where_the_grammar_allows_it() -> None:
    """Learn2PD's end prediction closes the canvas at once, and everything behind is tail."""
    width = 8
    never = d.policies.learn2pd.Filter(np.zeros((width, 1)), np.zeros(1), np.zeros((1, width)), np.full(width, -9.0))
    logits = np.zeros((1, width, len(TOKENS) + 3))
    logits[0, 2, END] = 7.0
    double = d.MaskedModel(lambda _: logits, MASK, END)
    result = d.diffuse(double, [], constraint("choices"), length=width, policy=d.Learn2PD(never), block=width)
    assert result.ids[2:].tolist() == [END] * 6
    assert result.text in SOURCES["choices"]
    assert result.n_forward <= 2


@pytest.mark.parametrize("name", SOURCES)
def test_a_canvas_too_large_to_weigh_is_filled_by_joint_commits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the lattice refuses to weigh a canvas, a fill takes the likely tokens that go together until all is full."""

    def refuse(*_: Any) -> Any:
        raise sg.LimitExceeded("too large", limit="max_layer", value=1)

    monkeypatch.setattr(sg.Lattice, "best_fill", refuse)
    at_once = d.Prophet(thresholds=(0.0, 0.0, 0.0))
    result = d.diffuse(model(6), [3], constraint(name), length=LENGTHS[name], policy=at_once)
    assert accepted(result.ids, name)
    assert result.n_forward <= 1


def test_a_fill_before_a_gap_fills_the_block() -> None:
    """Beyond the block the model sees nothing, so each block is filled by a pass of its own."""
    at_once = d.Prophet(thresholds=(0.0, 0.0, 0.0))
    result = d.diffuse(model(6), [3], constraint("regex"), length=7, policy=at_once, block=3, beyond="gap")
    assert accepted(result.ids, "regex")
    assert result.n_forward <= 3


def test_keys_that_must_differ_are_kept_where_the_lattice_is_a_relaxation(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a canvas too large to follow states one by one, no object ends with a key twice; every result is read by the constraint."""
    from syntagma.automata import lattice

    monkeypatch.setattr(lattice, "MOST_FOLLOWED", 2)
    schema = {"type": "object", "additionalProperties": {"const": 1}, "minProperties": 2}
    unlike = sg.compile(sg.JsonSchema(schema, whitespace="compact"), VOCAB)
    quoted = [TOKENS.index(t) for t in (b'{"', b"a", b'":')]
    one = TOKENS.index(b"1")
    slots = [*quoted, one, *[sg.HOLE] * 5, one, *[sg.HOLE] * 3]
    with sg.Lattice(unlike, slots) as view:
        assert not view.exact
    for seed in range(size(4, plain=2)):
        result = d.diffuse(model(seed), [3], unlike, canvas=slots, policy=d.Threshold(0.2))
        pairs = json.loads(result.text, object_pairs_hook=list)
        assert len({key for key, _ in pairs}) == len(pairs) >= 2
    twice = [*quoted, one, *[TOKENS.index(t) for t in (b",", b'"', b"a", b'":')], one, sg.HOLE]
    with pytest.raises(sg.Unsatisfiable):
        d.diffuse(model(), [3], unlike, canvas=twice)


def test_a_relaxed_lattice_never_stops_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every proposal is refused, as a lattice that is not exact may do, a verified completion gives the next token."""
    refused: list[int] = []
    commit = sg.Lattice.commit

    def refuse_new(self: Any, proposals: Any, weights: Any = None) -> Any:
        if weights is not None and not refused:  # the first joint commit of proposals
            refused.append(1)
            return []
        return commit(self, proposals, weights)

    monkeypatch.setattr(sg.Lattice, "commit", refuse_new)
    result = d.diffuse(model(3), [3], constraint("array"), length=9)
    assert accepted(result.ids, "array")
    assert result.n_resamples == 1


def test_a_policy_gets_what_the_one_it_goes_by_asks_for() -> None:
    """Prophet and ReMDM over an editing policy edit as it does, passes after the last slot included; drafts of Prophet see beyond the block."""
    twins = sg.compile(["aa", "bb"], sg.Vocabulary([b"a", b"b", None, None], eos_ids=[2]))
    editing = d.JointThreshold(0.9, 0.9, 4)
    for policy in (d.Prophet(editing, thresholds=(99.0, 99.0, 99.0)), d.ReMDM(editing, eta=0.0)):
        result = d.diffuse(d.MaskedModel(changes_its_mind, 3), [], twins, canvas=[sg.Hole([0, 1])] * 2, policy=policy)
        assert (result.text, result.history[-1].events) == ("bb", {"edit": [0, 1]})
    filling = d.Prophet(thresholds=(3.0, 2.0, 1.0))
    for seed in range(size(3, plain=1)):
        plain, drafted = (
            d.diffuse(model(seed), [3], constraint("array"), length=9, policy=policy, block=4)
            for policy in (filling, d.FreeDave(3, filling))
        )
        assert [f.ids.tolist() for f in drafted.history] == [f.ids.tolist() for f in plain.history]


def test_edits_after_a_gap_reach_every_slot() -> None:
    """A tail that is certain from the start leaves blocks that are never entered; passes that only edit look at these, too, and at the whole canvas."""
    for seed in range(size(6, plain=3)):
        policy = d.JointThreshold(0.3, 0.2, 3)
        result = d.diffuse(model(seed), [3], constraint("choices"), length=12, policy=policy, block=3, beyond="gap")
        assert accepted(result.ids, "choices")


def test_the_masks_id_is_a_hole() -> None:
    """A canvas may be written as the model reads it."""
    fixed = TOKENS.index(b"a")
    one, other = (d.diffuse(model(), [3], constraint("regex"), canvas=[fixed, *[hole] * 4]) for hole in (sg.HOLE, MASK))
    assert one.ids.tolist() == other.ids.tolist()


@pytest.mark.parametrize("policy", POLICIES)
def test_steps_are_told_as_they_are_made(policy: str) -> None:
    """``on_step`` sees the frames of the history, in order, each before the model is asked again; drafts are never shown."""
    seen: list[tuple[int, d.Frame]] = []
    double = RandomModel(1)
    result = d.diffuse(
        d.MaskedModel(double, MASK, END),
        [3],
        constraint("array"),
        length=9,
        policy=POLICIES[policy],
        on_step=lambda frame: seen.append((len(double.calls), frame)),
    )
    assert [frame for _, frame in seen] == result.history
    if policy != "freedave":
        assert [calls for calls, _ in seen] == [frame.n_forward for frame in result.history]
    both: list[tuple[int, d.Frame]] = []
    many = list(
        d.diffuse_many(
            model(1),
            [[3]] * 2,
            constraint("array"),
            length=9,
            policy=POLICIES[policy],
            on_step=lambda *of: both.append(of),
        )
    )
    for number, one in enumerate(many):
        assert [frame for place, frame in both if place == number] == one.history


def test_who_watches_may_stop() -> None:
    """What ``on_step`` raises ends the decoding."""

    def stop(frame: d.Frame) -> None:
        if frame.n_forward == 2:
            raise KeyboardInterrupt

    double = RandomModel(1)
    with pytest.raises(KeyboardInterrupt):
        d.diffuse(
            d.MaskedModel(double, MASK, END), [3], constraint("array"), length=9, policy=d.LowConfidence(), on_step=stop
        )
    assert len(double.calls) == 2


def test_an_output_with_logits_is_read() -> None:
    """What a module of transformers returns has them as an attribute."""
    wrapped = d.MaskedModel(lambda ids: SimpleNamespace(logits=RandomModel()(ids)), MASK, END)
    assert (
        d.diffuse(wrapped, [3], constraint("array"), length=9).ids.tolist()
        == d.diffuse(model(), [3], constraint("array"), length=9).ids.tolist()
    )


def test_a_picture_shows_every_step() -> None:
    """One row of cells for each frame, and each token's text in the last one."""
    result = d.diffuse(model(1), [3], constraint("object"), length=14, policy=d.Threshold(0.3))
    assert json.loads(result.text)
    root = ET.fromstring(svg(result, VOCAB))  # noqa: S314 - our own document
    rects = root.findall(".//{http://www.w3.org/2000/svg}rect")
    shown = len(result.tokens) + 1 if len(result.tokens) < 14 else 14
    assert len(rects) > shown * len(result.history)
    texts = [t.text or "" for t in root.findall(".//{http://www.w3.org/2000/svg}text")]
    for token in result.tokens:
        assert (TOKENS[token] or b"").decode().replace(" ", "␣") in texts


@pytest.mark.parametrize("policy", POLICIES)
def test_canvases_side_by_side_come_out_as_alone(policy: str) -> None:
    """Whatever is decoded beside it, a canvas passes through the same steps; canvases of equal length share the passes of the longest decoding."""
    names = ["array", "object", "brackets"][: size(3, plain=2)]
    own = [constraint(name) for name in names]
    canvases = [[sg.HOLE] * 9 for _ in names]
    shared = RandomModel(5)
    many = list(
        d.diffuse_many(
            d.MaskedModel(shared, mask_id=MASK, tail_id=END),
            [[3]] * len(names),
            own,
            canvases=canvases,
            policy=POLICIES[policy],
            seed=7,
        )
    )
    for i, (each, slots, found) in enumerate(zip(own, canvases, many, strict=True)):
        alone = d.diffuse(model(5), [3], each, canvas=slots, policy=POLICIES[policy], seed=7 + i)
        assert (found.ids == alone.ids).all()
        assert [frame.events for frame in found.history] == [frame.events for frame in alone.history]
        assert (found.n_forward, found.n_canvases) == (alone.n_forward, alone.n_canvases)
    assert len(shared.calls) == max(found.n_forward for found in many)


def test_canvases_of_other_lengths_and_batches() -> None:
    """Rows of one length share a pass, others have their own; results come in order, batch after batch, and only what is wanted is decoded."""
    shared = RandomModel(2)
    lengths = [5, 7, 5, 6, 7]
    found = d.diffuse_many(
        d.MaskedModel(shared, mask_id=MASK, tail_id=END),
        ([3] for _ in lengths),
        constraint("choices"),
        canvases=([sg.HOLE] * n for n in lengths),
        batch_size=3,
    )
    first = next(found)
    assert len(first.ids) == 5
    assert {call.shape[1] for call in shared.calls} <= {6, 8}
    assert [len(one.ids) for one in found] == lengths[1:]
    assert all(len({len(row) for row in call}) == 1 for call in shared.calls)


@pytest.mark.parametrize("policy", ["threshold", "freedave", "joint threshold"])
def test_prompts_of_other_lengths_do_not_disturb_each_other(policy: str) -> None:
    """Prompts of several lengths, none at all among them, give what each gives alone; only rows of one length are read together."""
    prompts = [[3], [3, 4, 5], [], [4], [3, 4]]
    shared = RandomModel(3)
    rule = POLICIES[policy]
    many = list(
        d.diffuse_many(d.MaskedModel(shared, MASK, END), prompts, constraint("array"), length=9, policy=rule, seed=2)
    )
    for i, (prompt, found) in enumerate(zip(prompts, many, strict=True)):
        alone = d.diffuse(model(3), prompt, constraint("array"), length=9, policy=rule, seed=2 + i)
        assert [f.ids.tolist() for f in found.history] == [f.ids.tolist() for f in alone.history]
    assert {call.shape[1] for call in shared.calls} == {9, 10, 11, 12}


def test_padding_stands_behind_the_end() -> None:
    """Padding that is given stays, and what is open before it holds the text and its end; a tail of padding is refused with what to do."""
    vocab = sg.Vocabulary([b"a", b"b", None, None, None], eos_ids=[2], pad_ids=[3])
    short = sg.compile(sg.Regex("[ab]{1,2}"), vocab)
    double = d.MaskedModel(lambda ids: np.zeros((*ids.shape, 5)), mask_id=4)
    result = d.diffuse(double, [], short, canvas=[sg.HOLE, sg.HOLE, sg.HOLE, 3, 3])
    assert result.ids.tolist()[2:] == [2, 3, 3]
    assert short.accepts(result.text)
    with pytest.raises(sg.InvalidSource, match="ends no text"):
        d.diffuse(d.MaskedModel(double.call, 4, tail_id=3), [], short, length=4)
