"""Rejection on groups that share a verdict: every outcome enumerated, and wrong variants that have to be caught by that."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from enumeration import ScriptedUrn, measure, outcomes
from hypothesis import given
from hypothesis import strategies as st
from reference_constraint import ReferenceConstraint, ReferenceVocabulary
from sizes import size

from syntagma.engine import grouped as module
from syntagma.engine.grouped import ALIVE, Rate, grouped, happens
from syntagma.engine.residuals import Check, Checked
from syntagma.engine.residuals.groups import END, FREE, groups_of
from syntagma.engine.sampler import AWRS, MaskSampler
from syntagma.engine.urn import Urn

pytestmark = pytest.mark.kernel


class Step(NamedTuple):
    """Masses of what passes for certain and of groups, the groups' texts in order, and the texts that are dead."""

    masses: list[int]
    texts: list[str]
    dead: set[str]

    def passes(self, index: int) -> bool:
        """No beginning of the text is dead."""
        text = self.texts[index - 1]
        return not any(text[:n] in self.dead for n in range(1, len(text) + 1))

    def extended(self, index: int) -> slice:
        """By definition."""
        begins = [i for i, text in enumerate(self.texts, 1) if text.startswith(self.texts[index - 1])]
        assert begins == list(range(begins[0], begins[-1] + 1))
        return slice(begins[0], begins[-1] + 1)

    def truth(self) -> dict[int, float]:
        """``p(g) a(g)``."""
        total = sum(self.masses)
        return {i: m / total for i, m in enumerate(self.masses) if m and (i == ALIVE or self.passes(i))}


TEXTS = ["a", "ab", "aba", "abb", "b", "ba", "bb"]
STEPS = st.builds(
    lambda texts, masses, alive, dead: Step([alive, *masses[: len(texts)]], sorted(texts), dead & {*texts}),
    st.sets(st.sampled_from(TEXTS), min_size=1, max_size=5),
    st.lists(st.integers(1, 40), min_size=5, max_size=5),
    st.integers(0, 60),
    st.sets(st.sampled_from(TEXTS)),
)
EXAMPLE = Step([3, 70, 6, 3, 2, 9], ["a", "ab", "b", "ba", "bb"], {"a", "bb"})
GUESSES = st.sampled_from([0.01, 0.2, 0.5, 0.9, 1.0])
PRICES = st.sampled_from([0.0, 0.01, 0.1, 1.0])


def expected(form: Callable[..., Any], step: Step, **options: float) -> dict[Any, float]:
    """``E[w 1{x}]`` by enumeration of all that can be drawn."""

    def run(script: Any) -> tuple[Any, float]:
        urn: Any = ScriptedUrn([float(m) for m in step.masses])
        index, log_weight = form(urn, step.passes, step.extended, script, **options)
        assert (index is None) == (log_weight == -math.inf)
        assert index in {None, ALIVE} or step.passes(index), "only what passes may come out"
        return index, math.exp(log_weight)

    found = measure(run)
    found.pop(None, None)
    return {index: weight for index, weight in found.items() if weight}


def distance(form: Callable[..., Any], step: Step, **options: float) -> float:
    """The greatest difference from the truth."""
    found, truth = expected(form, step, **options), step.truth()
    return max((abs(found.get(i, 0.0) - truth.get(i, 0.0)) for i in {*found, *truth}), default=0.0)


@given(STEPS, GUESSES, PRICES)
def test_weights_are_unbiased_for_every_group(step: Step, passing: float, price: float) -> None:
    """Whatever the guess and the price, the weight of each group is its probability if it passes, and nothing if not."""
    assert distance(grouped, step, passing=passing, price=price) < 1e-11


@given(STEPS, GUESSES)
def test_without_a_price_the_weight_is_exact(step: Step, passing: float) -> None:
    """Where a verdict costs nothing every draw has the valid mass as its weight, and none fails if there is any."""
    mass = sum(step.truth().values())

    def run(script: Any) -> float:
        urn: Any = ScriptedUrn([float(m) for m in step.masses])
        return math.exp(grouped(urn, step.passes, step.extended, script, passing=passing, price=0.0)[1])

    for _, weight in outcomes(run):
        assert weight == pytest.approx(mass, abs=1e-12)


@given(STEPS, GUESSES, PRICES)
def test_what_begins_with_a_dead_text_is_not_asked(step: Step, passing: float, price: float) -> None:
    """No group is asked twice, and none after a text that it begins with has died."""

    def run(script: Any) -> None:
        asked: list[int] = []

        def check(index: int) -> bool:
            text = step.texts[index - 1]
            assert index not in asked
            assert not any(text.startswith(step.texts[i - 1]) for i in asked if not step.passes(i))
            asked.append(index)
            return step.passes(index)

        urn: Any = ScriptedUrn([float(m) for m in step.masses])
        grouped(urn, check, step.extended, script, passing=passing, price=price)

    for _ in outcomes(run):
        pass


def wrong(kind: str) -> Callable[..., Any]:
    """The sampler with one mistake in it."""

    def form(urn: Any, check: Any, extended: Any, rng: Any, *, passing: float, price: float) -> Any:
        share = 1.0
        while urn.total > 0:
            whole = urn.total
            index = urn.draw(rng)
            if index == ALIVE or check(index):
                alive = sum(urn.remove(i) for i in {ALIVE, index})
                left = urn.total
                if left <= 0:
                    return index, math.log(share)
                guess = alive + passing * left
                often = min(1.0, max(passing * left, left * math.sqrt(passing * (1 - passing) / price)) / guess)
                weight = guess
                if kind == "the guess is not corrected":
                    pass
                elif happens(often, rng):
                    passed = check(urn.draw(rng))
                    error = passed - passing
                    if kind == "the correction is for an average question":
                        weight = max(0.0, guess + error * left)
                    elif kind == "what was asked is counted as alive":
                        weight = alive + left * passed
                    else:
                        weight = max(0.0, guess + error * left / often)
                if kind == "what is alive is left out":
                    weight -= alive if weight > alive else 0.0
                weight *= share / whole
                return (index, math.log(weight)) if weight > 0 else (None, -math.inf)
            urn.remove_all(extended(index))
            share *= 1.0 if kind == "rejects not counted" else urn.total / whole
            if share < module.ROULETTE:
                if not happens(share / module.ROULETTE, rng):
                    return None, -math.inf
                share = share if kind == "survivors do not stand for the others" else module.ROULETTE
        return None, -math.inf

    return form


KINDS = [
    "the guess is not corrected",
    "the correction is for an average question",
    "what was asked is counted as alive",
    "what is alive is left out",
    "rejects not counted",
    "survivors do not stand for the others",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_variant_is_caught(kind: str) -> None:
    """The enumeration tells each of these mistakes from the right sampler, which differs from them in nothing else."""
    options = {"passing": 0.6, "price": 0.5}
    assert distance(wrong("none"), EXAMPLE, **options) < 1e-11
    assert distance(grouped, EXAMPLE, **options) < 1e-11
    assert distance(wrong(kind), EXAMPLE, **options) > 1e-4


def test_a_higher_price_asks_less() -> None:
    """Where nearly all passes, a right guess halves the questions at a deviation below a tenth; a dead end is left before it is searched."""
    masses = np.array([20.0, 30, 20, 10, 10, 5, 5])
    counts, weights = [], []
    for price in (0.0, 0.1):
        rng, asked = np.random.default_rng(1), 0

        def check(_: int) -> bool:
            nonlocal asked
            asked += 1
            return True

        found = [
            grouped(Urn(masses.copy()), check, lambda i: slice(i, i + 1), rng, passing=0.95, price=price)[1]
            for _ in range(500)
        ]
        counts.append(asked)
        weights.append(np.exp(found))
    assert counts[1] < counts[0] / 2
    assert weights[0].std() < 1e-9
    assert weights[1].std() < 0.1
    asked = 0

    def never(_: int) -> bool:
        nonlocal asked
        asked += 1
        return False

    rng = np.random.default_rng(2)
    for _ in range(100):
        urn = Urn(np.ones(200))
        urn.remove(ALIVE)
        assert grouped(urn, never, lambda i: slice(i, i + 1), rng, passing=0.5, price=0.1)[0] is None
    assert asked < 100 * 190


def test_a_rate_begins_undecided_and_learns() -> None:
    """It is one half at first, never 0 or 1, and comes near the share of what it was told."""
    rate = Rate()
    assert rate.share == 0.5
    for n in range(98):
        rate.note(passed=n % 7 != 0)
    assert rate.share == pytest.approx(85 / 100)


VOCAB = ReferenceVocabulary([None, *(bytes([c]) for c in b"abc"), b"ab", b"abc", b"ba", b"bc", b"ca"], eos_ids=[0])
WORDS = [b"abc", b"abab", b"bca", b"ca", b"cab", b"ab", b"babc"]
CONSTRAINT = ReferenceConstraint(WORDS, VOCAB)


def never_bc(text: str, complete: bool) -> bool:
    """The check of the tests below."""
    return "bc" not in text and not (complete and text == "ab")


@pytest.mark.parametrize("guards", [None, b"", b"b", b"abc"])
def test_groups_are_in_order_with_their_extensions(guards: bytes | None) -> None:
    """Texts ascend; behind each come exactly those that begin with it; ends of sequence are a group that nothing begins with."""
    groups = groups_of(VOCAB, guards)
    texts = groups.texts
    assert texts[END] == b""
    assert list(texts[1:]) == sorted({*texts[1:]})
    assert groups.ends[END] == END + 1
    for group in range(1, len(texts)):
        begins = {i for i in range(1, len(texts)) if texts[i].startswith(texts[group])}
        assert begins == set(range(group, int(groups.ends[group])))
        assert groups.number[texts[group]] == group


@pytest.mark.parametrize("price", [0.0, 0.1, 1.0])
def test_what_other_steps_have_learnt_changes_no_expectation(price: float) -> None:
    """With verdicts known from before, and all steps of one text sharing them, the mean weight of each token is its probability."""
    rng = np.random.default_rng(4)
    logits = rng.normal(size=VOCAB.size)
    p = np.exp(logits) / np.exp(logits).sum()
    n = size(3000, plain=600)
    got: dict[int, np.ndarray] = {}
    reference = Checked(CONSTRAINT, Check(never_bc))
    for _ in range(n):
        sampler = AWRS(CONSTRAINT, Check(never_bc), price=price)
        for _ in range(3):  # later draws know more
            state = sampler.states.start
            state = sampler.states.advance(state, 2) if rng.random() < 0.5 else state
            token, log_weight = sampler.sample(logits, state, rng)
            sums = got.setdefault(state, np.zeros((2, VOCAB.size + 1)))
            sums[:, VOCAB.size] += 1
            if token >= 0:
                sums[:, token] += np.exp([log_weight, 2 * log_weight])
    for state, (once, twice) in got.items():
        mean = once[:-1] / once[-1]
        error = np.sqrt(np.maximum(twice[:-1] / once[-1] - mean**2, 0) / once[-1])
        after = reference.start if state == sampler.states.start else reference.advance(reference.start, 2)
        truth = p * [reference.advance(after, t) != 0 for t in range(VOCAB.size)]
        assert (np.abs(mean - truth) <= 5 * error + 1e-9).all()


def test_known_verdicts_are_not_asked_again() -> None:
    """What a mask has asked is known to every later step of the same text, dead beginnings included; then each step is exact."""
    sampler = AWRS(CONSTRAINT, Check(never_bc), price=1.0)
    states: Any = sampler.states
    rng = np.random.default_rng(0)
    logits = rng.normal(size=VOCAB.size)
    exact = MaskSampler(states).sample(logits, states.start, rng)[1]
    before = states.n_verdicts
    for _ in range(50):
        assert sampler.sample(logits, states.start, rng)[1] == pytest.approx(exact, abs=1e-9)
    assert states.n_verdicts == before
    assert sampler.n_checks == 0


def test_a_mask_does_not_ask_behind_a_dead_text() -> None:
    """Where ``a`` is dead, tokens that begin with it are not asked about, and are not allowed."""
    asked: list[str] = []

    def check(text: str, _: bool) -> bool:
        asked.append(text)
        return not text.startswith("a")

    states = Checked(CONSTRAINT, Check(check))
    mask = int(states.mask(states.start)[0])
    assert "a" in asked
    assert not {"ab", "abc"} & {*asked}
    allowed = {VOCAB.tokens[t] for t in range(VOCAB.size) if mask >> t & 1}
    assert allowed == {b"b", b"c", b"ba", b"bc", b"ca"}
    assert groups_of(VOCAB, b"").group.tolist() == [END, *[FREE] * (VOCAB.size - 1)]
