"""Policies of denoising against selections worked out by hand from their papers' formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from denoising_doubles import TOKENS, beliefs, vocabulary
from hypothesis import given
from hypothesis import strategies as st

import syntagma as sg
from syntagma import diffusion as d
from syntagma.engine.diffusion import beliefs as beliefs_module
from syntagma.engine.diffusion.beliefs import guess, guesses
from syntagma.engine.diffusion.policies.learn2pd import Filter


def picks(policy: Any, **fields: Any) -> list[int]:
    """The slots that a policy reveals."""
    given = beliefs(**fields)
    return given.slots[policy.decide(given).reveal].tolist()


def decided(slots: list[int], tokens: list[int], **fields: list[float]) -> d.Decided:
    n = len(slots)
    return d.Decided(
        slots=np.array(slots, np.int64),
        tokens=np.array(tokens, np.int64),
        confidence=np.array(fields.get("confidence", [1.0] * n)),
        probability=np.array(fields.get("probability", [1.0] * n)),
        proposals=np.array(fields.get("proposals", tokens), np.int64),
        proposal_probability=np.array(fields.get("proposal_probability", [1.0] * n)),
    )


NO_DRAWS = np.zeros(1)


def test_a_guess_is_the_softmax_of_the_possible_tokens() -> None:
    """Confidence, margin, logit gap and entropy are those of softmax(log 6, log 3, log 1) = (.6, .3, .1), in every row."""
    found = guess(np.log([[3.0, 6.0, 1.0], [1.0, 3.0, 6.0]]), np.array([[4, 7, 9]] * 2), 0.0, np.zeros(2))
    assert found.tokens.tolist() == [7, 9]
    assert found.confidence == pytest.approx([0.6] * 2)
    assert found.margin == pytest.approx([0.3] * 2)
    assert found.logit_gap == pytest.approx([math.log(2)] * 2)
    assert found.entropy == pytest.approx([-(0.6 * math.log(0.6) + 0.3 * math.log(0.3) + 0.1 * math.log(0.1))] * 2)


def test_a_slot_with_one_possible_token_is_certain() -> None:
    """Whatever its logit, even minus infinity."""
    for value in (-3.0, -math.inf):
        found = guess(np.array([[value]]), np.array([[5]]), 0.0, NO_DRAWS)
        assert [x[0] for x in found] == [5, 1.0, 1.0, math.inf, 0.0]


def test_a_model_that_rules_all_possible_tokens_out_leaves_them_equally_likely() -> None:
    """Three tokens of minus infinity each have a third; a single one left takes all, with an infinite gap."""
    found = guess(np.array([[-math.inf] * 3, [-math.inf, 2.0, -math.inf]]), np.array([[4, 7, 9]] * 2), 0.0, np.zeros(2))
    assert found.tokens.tolist() == [4, 7]
    assert found.confidence == pytest.approx([1 / 3, 1.0])
    assert found.margin == pytest.approx([0.0, 1.0])
    assert found.logit_gap.tolist() == [0.0, math.inf]
    assert found.entropy == pytest.approx([math.log(3), 0.0])


@pytest.mark.parametrize("size", [2, 5, 64, 200])
def test_margins_are_those_of_the_two_best(size: int) -> None:
    """Whether few or many tokens are possible, equals included."""
    row = np.random.default_rng(size).normal(size=size).round(1)
    found = guess(row[None], np.arange(size)[None], 0.0, NO_DRAWS)
    ordered = np.sort(np.exp(row) / np.exp(row).sum())[::-1]
    assert found.margin == pytest.approx(ordered[:1] - ordered[1])
    assert found.logit_gap == pytest.approx(np.sort(row)[-1:] - np.sort(row)[-2])


def test_at_a_temperature_tokens_are_drawn_and_confidence_is_not_tempered() -> None:
    """Draws follow softmax(logits / T); the confidence of a drawn token is its probability at T = 1."""
    logits = np.log([0.5, 0.3, 0.2])
    drawn = guess(
        np.tile(logits, (4000, 1)), np.tile(np.arange(3), (4000, 1)), 2.0, np.random.default_rng(1).random(4000)
    )
    expected = np.sqrt([0.5, 0.3, 0.2])
    expected /= expected.sum()
    counts = np.bincount(drawn.tokens, minlength=3)
    assert ((counts - 4000 * expected) ** 2 / (4000 * expected)).sum() < 13.8  # chi-square, 2 degrees, p = 0.001
    assert drawn.confidence[drawn.tokens == 2] == pytest.approx(0.2)


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.7]), st.sampled_from([3, 40, 1000]))
def test_laws_taken_together_are_those_of_each_slot(seed: int, temperature: float, at_once: int) -> None:
    """However many are taken in one go, a slot gets what its own row, mask and draw say."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(9, 40))
    rows[rng.random(rows.shape) < 0.3] = -np.inf
    masks = rng.integers(0, 2**32, size=(9, 2), dtype=np.uint32)
    masks[rng.random(9) < 0.5] &= np.uint32(0x42)  # some of few tokens
    masks[:, 0] |= np.uint32(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beliefs_module, "AT_ONCE", at_once)
        found = guesses(rows, masks, temperature, np.random.default_rng(seed))
    draws = np.random.default_rng(seed).random(9)
    for i in range(9):
        ids = np.array([t for t in range(40) if masks[i, t >> 5] >> (t & 31) & 1])
        alone = guess(rows[i : i + 1, ids], ids[None], temperature, draws[i : i + 1])
        assert [x[i] for x in found] == pytest.approx([x[0] for x in alone])


def test_low_confidence_takes_the_quota() -> None:
    """The two most confident slots of four; the leftmost among equals."""
    assert picks(d.LowConfidence(), confidence=[0.1, 0.8, 0.3, 0.8], quota=2) == [1, 3]
    assert picks(d.LowConfidence(), confidence=[0.3, 0.8, 0.3, 0.8], quota=3) == [0, 1, 3]
    assert picks(d.LowConfidence(per_step=1), confidence=[0.1, 0.8, 0.3, 0.8], quota=3) == [1]


def test_low_entropy_and_margin_rank_by_their_own_measure() -> None:
    """The same slots in another order."""
    fields = {"confidence": [0.9, 0.1, 0.1], "entropy": [0.9, 0.2, 0.5], "margin": [0.1, 0.2, 0.3], "quota": 1}
    assert picks(d.LowConfidence(), **fields) == [0]
    assert picks(d.LowEntropy(), **fields) == [1]
    assert picks(d.TopKMargin(), **fields) == [2]


def test_threshold_takes_the_sure_and_the_best() -> None:
    """Fast-dLLM: all of at least 0.9; without any, the best."""
    assert picks(d.Threshold(0.9), confidence=[0.95, 0.5, 0.9]) == [0, 2]
    assert picks(d.Threshold(0.9), confidence=[0.2, 0.5, 0.3]) == [1]


def test_factor_takes_the_longest_prefix_above_its_rising_threshold() -> None:
    """Thresholds 1/2, 2/3, 3/4 for f = 1: of .9, .76, .7 the first two pass, of .9, .76, .75 all three."""
    assert picks(d.Factor(1.0), confidence=[0.7, 0.9, 0.76]) == [1, 2]
    assert picks(d.Factor(1.0), confidence=[0.75, 0.9, 0.76]) == [0, 1, 2]
    assert picks(d.Factor(1.0), confidence=[0.1, 0.2]) == [1]
    assert picks(d.Factor(0.4), confidence=[0.81, 0.85]) == [1]  # .85 >= 1 - .2, and .81 < 1 - .4 / 3


def test_localleap_relaxes_near_anchors_only() -> None:
    """Anchor at slot 10: slot 14 of 0.8 is near, slot 15 of 0.8 is not, slot 12 of 0.7 is not sure enough."""
    fields = {"slots": [10, 12, 14, 15], "confidence": [0.92, 0.7, 0.8, 0.8]}
    assert picks(d.LocalLeap(), **fields) == [10, 14]
    assert picks(d.LocalLeap(), slots=[10, 14], confidence=[0.89, 0.8]) == [10]


def test_prophet_fills_when_the_mean_gap_passes_its_phase() -> None:
    """Mean gap 6: not enough before a third of the plan (7.5), enough after it (5.0)."""
    policy = d.Prophet()
    early = beliefs(logit_gap=[4.0, 8.0], step=3, steps=10)
    assert not policy.decide(early).fill
    assert policy.decide(beliefs(logit_gap=[4.0, 8.0], step=4, steps=10)).fill
    assert not policy.decide(beliefs(logit_gap=[2.0, 2.0], step=6, steps=10)).fill
    assert policy.decide(beliefs(logit_gap=[2.0, 3.1], step=7, steps=10)).fill
    assert policy.decide(
        beliefs(logit_gap=[math.inf, 0.0], step=0, steps=10)
    ).fill  # a certain slot has no second token


def test_prophet_looks_at_the_answer_alone() -> None:
    """With a region, the gaps outside it do not count."""
    fields = {"slots": [3, 8, 9], "logit_gap": [0.0, 9.0, 8.0], "step": 0, "steps": 10}
    assert not d.Prophet().decide(beliefs(**fields)).fill
    assert d.Prophet(region=(8, 10)).decide(beliefs(**fields)).fill


def test_entropy_bound_takes_the_longest_prefix_within_the_bound() -> None:
    """Entropies .02 .03 .04 .3: sums without the largest are 0, .02, .05, .09; with 0.1 all four, with 0.05 three."""
    fields = {"entropy": [0.3, 0.02, 0.04, 0.03]}
    assert picks(d.EntropyBound(0.1), **fields) == [0, 1, 2, 3]
    assert picks(d.EntropyBound(0.06), **fields) == [1, 2, 3]
    assert picks(d.EntropyBound(0.01), **fields) == [1]
    assert picks(d.EntropyBound(0.0), entropy=[0.0, 0.0, 0.7, 0.8]) == [
        0,
        1,
        2,
    ]  # the first that is not certain is free


@given(st.lists(st.floats(0, 3), min_size=1, max_size=12), st.floats(0, 2))
def test_entropy_bound_is_its_formula(entropy: list[float], bound: float) -> None:
    """The count is the greatest k whose k lowest entropies, without the largest of them, sum to at most the bound."""
    ordered = sorted(entropy)
    allowed = [k for k in range(1, len(ordered) + 1) if math.fsum(ordered[: k - 1]) <= bound]
    borders = [abs(math.fsum(ordered[: k - 1]) - bound) for k in range(2, len(ordered) + 1)]
    if not any(0 < border < 1e-9 for border in borders):  # sums in another order round differently
        assert len(picks(d.EntropyBound(bound), entropy=entropy)) == max(allowed)


def test_dparallel_takes_low_entropies_and_the_lowest() -> None:
    """At most 0.5 nats; without any, the lowest."""
    assert picks(d.EntropyThreshold(), entropy=[0.5, 0.6, 0.1]) == [0, 2]
    assert picks(d.EntropyThreshold(), entropy=[0.9, 0.6]) == [1]


def test_hierarchical_takes_one_of_each_run() -> None:
    """Runs 0-2, 5-6, 9: the best of each above 0.4, the sure ones, and the best of all."""
    fields = {"slots": [0, 1, 2, 5, 6, 9], "confidence": [0.91, 0.6, 0.95, 0.41, 0.3, 0.39]}
    assert picks(d.Hierarchical(), **fields) == [0, 2, 5]
    assert picks(d.Hierarchical(), slots=[1, 4], confidence=[0.1, 0.2]) == [4]


def test_joint_threshold_reveals_and_edits() -> None:
    """Open slots above 0.95; decided ones whose proposal is another token above 0.9."""
    given = beliefs(
        slots=[1, 3],
        confidence=[0.96, 0.5],
        decided=decided([0, 2, 4], [7, 8, 9], proposals=[7, 5, 5], proposal_probability=[0.99, 0.95, 0.85]),
    )
    decision = d.JointThreshold().decide(given)
    assert given.slots[decision.reveal].tolist() == [1]
    assert decision.edits.tolist() == [2]


def test_remdm_opens_with_the_capped_probability() -> None:
    """Step 4 of 10: at most (1 - 5/10) / (4/10) = 1.25, so eta caps; step 8: (1 - 9/10) / (8/10) = 0.125; step 9: never."""
    held = decided([0, 1], [3, 4])
    for step, expected in ((4, 0.4), (8, 0.125), (9, 0.0), (12, 0.0)):
        given = beliefs(slots=[5], confidence=[0.5], step=step, steps=10, decided=held)
        assert d.ReMDM(eta=0.4, by_confidence=False).probabilities(given).tolist() == pytest.approx([expected] * 2)


def test_remdm_opens_doubtful_slots_sooner() -> None:
    """The mass is divided by a softmax of minus the confidences: exp(-.9) to exp(-.1)."""
    held = decided([0, 1], [3, 4], confidence=[0.9, 0.1])
    given = beliefs(slots=[5], confidence=[0.5], step=4, steps=10, decided=held)
    sure, doubtful = d.ReMDM(eta=0.4).probabilities(given)
    assert sure + doubtful == pytest.approx(0.4)
    assert doubtful / sure == pytest.approx(math.exp(0.8))


def copying_filter(width: int) -> Filter:
    """A filter that approves exactly the confidences above one half: logit 100 (c - 1/2)."""
    return Filter(np.eye(width), np.zeros(width), 100 * np.eye(width), np.full(width, -50.0))


def test_learn2pd_reveals_what_the_filter_approves_and_the_plan() -> None:
    """A filter that copies confidences approves 0.9 of block slots 4-7; the quota of one adds nothing new; slots beyond wait."""
    policy = d.Learn2PD(copying_filter(4))
    fields = {
        "slots": [4, 6, 7, 9],
        "confidence": [0.3, 0.9, 0.4, 0.99],
        "in_block": [True, True, True, False],
        "block": (4, 8),
    }
    assert picks(policy, **fields) == [6]
    assert picks(policy, **{**fields, "quota": 2}) == [6, 7]


def test_learn2pd_reads_the_whole_block() -> None:
    """The filter's input is the model's confidence at every slot of the block; the caller's own slots are certain."""
    policy = d.Learn2PD(copying_filter(4))
    given = beliefs(slots=[5], confidence=[0.2], block=(4, 8), decided=decided([6], [1], proposal_probability=[0.7]))
    assert policy.block_confidence(given).tolist() == [1.0, 0.2, 0.7, 1.0]


def test_learn2pd_cuts_at_an_approved_end_else_at_the_surest() -> None:
    """An approved end of text in the block comes first, leftmost; otherwise the most confident proposal that is one."""
    policy = d.Learn2PD(copying_filter(4))
    fields: dict[str, Any] = {
        "slots": [4, 5, 6, 9],
        "confidence": [0.3, 0.8, 0.9, 0.95],
        "in_block": [True, True, True, False],
        "block": (4, 8),
    }
    assert policy.decide(beliefs(**fields, ends=[True, True, True, True])).end == 5
    assert policy.decide(beliefs(**fields, ends=[True, False, False, True])).end == 9
    assert policy.decide(beliefs(**fields, ends=[False] * 4)).end is None
    assert d.Learn2PD(copying_filter(4), end_of_text=False).decide(beliefs(**fields, ends=[True] * 4)).end is None


def test_a_filter_refuses_longer_blocks() -> None:
    """Its input has one place for each slot of the block that it was trained for."""
    with pytest.raises(sg.InvalidSource, match="filter for blocks of 2"):
        d.Learn2PD(copying_filter(2)).decide(beliefs(slots=[0, 1, 2], confidence=[0.1, 0.2, 0.3], block=(0, 3)))


def test_adablock_ends_at_the_surest_delimiter() -> None:
    """Window of 10 of 40 slots: the delimiter at 6 of 0.5 wins over that at 3 of 0.4; the one at 12 is out of the window."""
    comma, letter = TOKENS.index(b","), TOKENS.index(b"a")
    rule = d.AdaBlock(delimiters=(b",",), threshold=0.45, default=8)
    fields = {
        "slots": [3, 5, 6, 12],
        "tokens": [comma, letter, comma, comma],
        "confidence": [0.4, 0.9, 0.5, 0.99],
    }
    assert rule.reach(2, 40) == 12
    assert rule.stop(beliefs(**fields), 2, 40, vocabulary()) == 7
    assert d.AdaBlock(delimiters=(b",",), threshold=0.6, default=8).stop(beliefs(**fields), 2, 40, vocabulary()) == 10
    assert d.AdaBlock(threshold=0.1, default=80).stop(beliefs(**fields), 2, 40, vocabulary()) == 40


@pytest.mark.parametrize(
    "make",
    [
        lambda: d.Threshold(1.1),
        lambda: d.Factor(0.0),
        lambda: d.LocalLeap(radius=-1),
        lambda: d.LowConfidence(0),
        lambda: d.LowEntropy(0),
        lambda: d.TopKMargin(0),
        lambda: d.EntropyBound(-0.1),
        lambda: d.EntropyThreshold(float("nan")),
        lambda: d.Hierarchical(low=2.0),
        lambda: d.FreeDave(0),
        lambda: d.ReMDM(eta=-1.0),
        lambda: d.JointThreshold(post_steps=-1),
        lambda: d.AdaBlock(default=0),
        lambda: d.Learn2PD(copying_filter(2), threshold=3.0),
    ],
)
def test_options_out_of_range_are_refused(make: Any) -> None:
    """Each policy names the option."""
    with pytest.raises(sg.InvalidSource):
        make()


SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=10)


@given(SCORES, SCORES, st.integers(1, 4), st.data())
def test_every_policy_picks_slots_of_its_block(
    confidence: list[float], entropy: list[float], quota: int, data: st.DataObject
) -> None:
    """No policy reveals a slot outside of the block, and each reveals at least one."""
    n = min(len(confidence), len(entropy))
    in_block = data.draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(any))
    stop = max(i for i in range(n) if in_block[i]) + 1
    given = beliefs(
        confidence=confidence[:n],
        entropy=entropy[:n],
        margin=confidence[:n],
        in_block=in_block,
        block=(0, stop),
        quota=quota,
    )
    for policy in (
        d.LowConfidence(),
        d.LowEntropy(),
        d.TopKMargin(),
        d.Threshold(),
        d.Factor(),
        d.LocalLeap(),
        d.Prophet(),
        d.EntropyBound(),
        d.EntropyThreshold(),
        d.Hierarchical(),
        d.JointThreshold(),
        d.ReMDM(),
        d.FreeDave(),
        d.Learn2PD(copying_filter(stop)),
    ):
        reveal = policy.decide(given).reveal
        assert reveal.any(), policy
        assert not (reveal & ~given.in_block).any(), policy
