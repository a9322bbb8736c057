"""Sequential Monte Carlo against enumeration: the evidence, the law of outputs, and mistakes that have to be caught."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_constraint import ReferenceConstraint, ReferenceVocabulary
from sizes import size
from toy_language import CONSTRAINT, EOS, LENGTH, VOCAB, WORDS, Markov, Run, variation

from syntagma.engine import smc as smc_module
from syntagma.engine.law import Law
from syntagma.engine.lookahead import Lookahead
from syntagma.engine.posterior import Posterior
from syntagma.engine.resampling import SCHEMES, effective_size
from syntagma.engine.residuals import Check, Checked
from syntagma.engine.sampler import AWRS, CheckFirst, MaskSampler
from syntagma.engine.smc import SMC
from syntagma.grammar.errors import InvalidSource

MODEL = Markov(32, 1.5)
LAW, Z = MODEL.conditioned()

pytestmark = pytest.mark.kernel


def evidences(
    method: SMC, states: Any, runs: int, model: Any = MODEL, seed: int = 1, length: int = LENGTH
) -> np.ndarray:
    """Estimates of the evidence from independent runs."""
    rng = np.random.default_rng(seed)
    vocab = states.vocab
    found = [method.run(model, states, vocab, rng, max_tokens=length).log_evidence for _ in range(runs)]
    return np.exp(np.array(found, float))


def off(estimates: np.ndarray, truth: float) -> float:
    """Distance of the mean from the truth in standard errors."""
    return float(abs(estimates.mean() - truth) / (estimates.std() / math.sqrt(len(estimates)) + 1e-12))


def no_double(text: str, complete: bool) -> bool:  # noqa: ARG001 - both kinds of text are judged alike
    """At most one a."""
    return text.count("a") <= 1


CHECK = Check(no_double, guards=b"a")
CHECKED_WORDS = [w for w in WORDS if w.count(0) <= 1]
SAMPLERS: dict[str, Any] = {
    "default": None,
    "mask": MaskSampler,
    "recursive": AWRS,
    "geometric": partial(AWRS, form="geometric", accepts=3),
    "two-round": partial(AWRS, form="two-round"),
    "clipped": partial(AWRS, form="geometric", max_rejects=4),
}


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("checked", [False, True])
def test_the_mean_evidence_is_the_enumerated_one(sampler: str, checked: bool) -> None:
    """For every sampler, with and without a check, the evidence is unbiased: within 3.5 standard errors of the sum over all words."""
    states: Any = Checked(CONSTRAINT, CHECK) if checked else CONSTRAINT
    options = {} if SAMPLERS[sampler] is None else {"sampler": SAMPLERS[sampler]}
    truth = MODEL.conditioned(CHECKED_WORDS if checked else WORDS)[1]
    assert off(evidences(SMC(4, **options), states, size(500, plain=200)), truth) < 3.5


@pytest.mark.parametrize("resampling", SCHEMES)
@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_no_scheme_is_biased(resampling: Any, threshold: float) -> None:
    """Whatever the scheme, and whether resampling is always done or never, the mean evidence is right."""
    method = SMC(5, ess_threshold=threshold, resampling=resampling, sampler=MaskSampler)
    assert off(evidences(method, CONSTRAINT, size(400, plain=200)), Z) < 3.5


def critic(text: bytes, complete: bool) -> float:
    """Likes the letter d; of incomplete texts it says something else on purpose."""
    return (0.8 if complete else 1.7) * text.count(b"d") - (0 if complete else len(text) / 3)


@pytest.mark.parametrize("of_prefixes", [False, True])
@pytest.mark.parametrize("threshold", [0.0, 0.6])
def test_a_critic_is_a_factor_of_the_target(of_prefixes: bool, threshold: float) -> None:
    """The evidence is the sum of probability times factor; what the critic says of incomplete texts changes no expectation."""
    truth = sum(math.exp(MODEL.log_probability(w) + 0.8 * w.count(3)) for w in WORDS)
    method = SMC(6, critic=critic, critic_of_prefixes=of_prefixes, ess_threshold=threshold, sampler=MaskSampler)
    assert off(evidences(method, CONSTRAINT, size(500, plain=200), seed=7), truth) < 3.5


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_critic_that_is_no_factor_is_refused(score: float) -> None:
    """NaN would make all weights NaN, and is named instead; so is infinity."""
    with pytest.raises(InvalidSource, match="critic"):
        SMC(2, critic=lambda *_: score).run(MODEL, CONSTRAINT, VOCAB, np.random.default_rng(0), max_tokens=LENGTH)
    with pytest.raises(InvalidSource, match="reward"):
        Lookahead(lambda *_: score).run(MODEL, CONSTRAINT, VOCAB, np.random.default_rng(0), max_tokens=LENGTH)


def expected_law(method: SMC, runs: int, seed: int = 3) -> dict[Run, float]:
    """The law of an output that is drawn from the posterior: the mean of the posteriors."""
    rng = np.random.default_rng(seed)
    mean: dict[Run, float] = {}
    for _ in range(runs):
        for output in method.run(MODEL, CONSTRAINT, VOCAB, rng, max_tokens=LENGTH).outputs:
            mean[output.tokens] = mean.get(output.tokens, 0.0) + output.probability / runs
    return mean


def test_more_particles_come_nearer_to_the_law() -> None:
    """The distance to the conditioned law falls with the number of particles; one particle is what masks alone give."""
    distances = [
        variation(expected_law(SMC(n, sampler=MaskSampler), runs), LAW)
        for n, runs in ((1, size(1500, plain=400)), (5, size(800, plain=250)), (12, size(400, plain=150)))
    ]
    assert distances[0] == pytest.approx(variation(MODEL.masked(), LAW), abs=0.06)
    assert distances[1] < distances[0] - 0.15
    assert distances[2] < distances[1] - 0.02


@pytest.mark.slow
@pytest.mark.parametrize(("particles", "limit", "runs"), [(5, 0.203, 2500), (30, 0.045, 1500)])
def test_the_reference_figures_are_met(particles: int, limit: float, runs: int) -> None:
    """On a toy whose masked law is as far off (.48) and whose evidence is as small (.034), no worse than what is on record."""
    assert variation(expected_law(SMC(particles, sampler=MaskSampler), runs), LAW) <= limit


def test_particles_with_equal_texts_draw_side_by_side() -> None:
    """Of 16 particles at the start each token gets 16 times its probability, rounded up or down, and the first particle alone follows the law."""
    first = np.zeros(VOCAB.size)
    runs = size(800, plain=400)
    row = MODEL([()])[0]
    law = Law(CONSTRAINT)(row, CONSTRAINT.start).dense(len(row))
    for seed in range(runs):
        got: list[int] = []

        class Noting(MaskSampler):
            def at(self, *given: Any, got: list[int] = got, **more: Any) -> Any:
                draw = super().at(*given, **more)

                def noting(rng: Any) -> Any:
                    token, log_weight = draw(rng)
                    got.append(token)
                    return token, log_weight

                return noting

        SMC(16, sampler=Noting).run(MODEL, CONSTRAINT, VOCAB, np.random.default_rng(seed), max_tokens=LENGTH)
        first[got[0]] += 1 / runs
        if seed < 50:
            counts = np.bincount(got[:16], minlength=VOCAB.size)
            assert (np.abs(counts - 16 * law) < 1 + 1e-9).all()
    assert (np.abs(first - law) < 5 * np.sqrt(law * (1 - law) / runs) + 1e-9).all()


def test_equal_prefixes_share_a_row() -> None:
    """The model is asked once about each different prefix, and about no finished one."""
    model = Markov(32, 1.5)
    asked: list[Sequence[Run]] = []

    def counting(runs: Sequence[Run]) -> Any:
        asked.append(list(runs))
        return model(runs)

    SMC(40, sampler=MaskSampler).run(counting, CONSTRAINT, VOCAB, np.random.default_rng(0), max_tokens=LENGTH)
    assert asked[0] == [()]
    assert [len(runs[0]) for runs in asked] == list(range(LENGTH + 1))
    for runs in asked:
        assert len(set(runs)) == len(runs)


def test_a_budget_conditions_on_short_texts() -> None:
    """With a token budget the evidence is the probability of the words that fit, whether it is tight or roomy."""
    vocab = ReferenceVocabulary([None, b"a", b"b"], eos_ids=[0])
    words = [b"", b"a", b"ab", b"aab", b"bbbb", b"b" * 14]
    constraint = ReferenceConstraint(words, vocab)

    def model(runs: Sequence[Run]) -> list[np.ndarray]:
        return [np.array([0.5, 1.0, 1.2 - 0.1 * len(run)]) for run in runs]

    def probability(word: bytes) -> float:
        total, run = 1.0, ()
        for token in [*vocab.encode(word), 0]:
            row = np.exp(model([run])[0])
            total *= row[token] / row.sum()
            run = (*run, token)
        return float(total)

    for budget in (0, 3, 9, 14):
        truth = sum(probability(w) for w in words if len(w) <= budget)
        for sampler in (MaskSampler, AWRS):
            got = evidences(SMC(3, sampler=sampler), constraint, 300, model, length=budget)
            assert off(got, truth) < 3.5
            post = SMC(20, sampler=sampler).run(model, constraint, vocab, np.random.default_rng(1), max_tokens=budget)
            assert all(constraint.accepts(vocab.decode(o.tokens)) and len(o.tokens) <= budget for o in post.outputs)


def test_what_no_particle_passes() -> None:
    """A check that nothing passes leaves no output and no evidence."""
    nothing: Any = Checked(CONSTRAINT, Check(lambda _: False))
    post = SMC(5).run(MODEL, nothing, VOCAB, np.random.default_rng(0), max_tokens=LENGTH)
    assert post.outputs == ()
    assert post.log_evidence == -math.inf


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9).filter(any), st.integers(0, 99))
def test_resampling_schemes(counts: list[int], seed: int) -> None:
    """As many ancestors as particles, none of weight zero; all but the multinomial keep n w_i whole children for certain where they promise."""
    weights = np.array(counts) / sum(counts)
    n = len(weights)
    for name, scheme in SCHEMES.items():
        ancestors = scheme(weights, np.random.default_rng(seed))
        children = np.bincount(ancestors, minlength=n)
        assert len(ancestors) == n
        assert (children[weights == 0] == 0).all()
        if name in {"systematic", "residual"}:
            assert (children >= np.floor(n * weights - 1e-9)).all()
        if name == "systematic":
            assert (children <= np.ceil(n * weights + 1e-9)).all()


@pytest.mark.parametrize("name", SCHEMES)
def test_resampling_is_unbiased(name: Any) -> None:
    """The mean number of children is n w_i: 3,000 draws, five standard errors."""
    weights = np.array([0.05, 0.5, 0.0, 0.31, 0.14])
    rng = np.random.default_rng(4)
    children = np.array([np.bincount(SCHEMES[name](weights, rng), minlength=5) for _ in range(3000)])
    assert (np.abs(children.mean(0) - 5 * weights) <= 5 * children.std(0) / math.sqrt(3000) + 1e-9).all()


@settings(max_examples=20)
@given(st.lists(st.floats(-30, 3), min_size=1, max_size=8))
def test_effective_size(log_weights: list[float]) -> None:
    """Between 1 and n, n iff all are equal, and blind to a common factor."""
    ess = effective_size(np.array(log_weights))
    assert 1 - 1e-9 <= ess <= len(log_weights) + 1e-9
    assert ess == pytest.approx(effective_size(np.array(log_weights) - 700))
    assert effective_size(np.full(4, -np.inf)) == 0
    assert effective_size(np.zeros(7)) == pytest.approx(7)


def test_posteriors_merge_equal_outputs() -> None:
    """Shares of equal outputs add up; impossible ones are left out; draws follow the shares."""
    post = Posterior.of([((1,), 0.0), ((2, 3), math.log(2)), ((1,), math.log(3)), ((4,), -math.inf)])
    assert [(o.tokens, pytest.approx(o.probability)) for o in post.outputs] == [((1,), 2 / 3), ((2, 3), 1 / 3)]
    assert post.best.tokens == (1,)
    rng = np.random.default_rng(0)
    assert np.mean([post.sample(rng).tokens == (1,) for _ in range(2000)]) == pytest.approx(2 / 3, abs=0.05)


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"particles": 0}, "particles"),
        ({"ess_threshold": 1.5}, "ess_threshold"),
        ({"resampling": "none"}, "resampling"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], where: str) -> None:
    """They are refused by name."""
    with pytest.raises(InvalidSource) as caught:
        SMC(**options)
    assert caught.value.where == where


def test_a_sampler_without_weights_is_refused() -> None:
    """Check-first draws have none, and a run says so instead of going on."""
    with pytest.raises(InvalidSource, match="no weights"):
        SMC(2, sampler=CheckFirst).run(MODEL, CONSTRAINT, VOCAB, np.random.default_rng(0), max_tokens=LENGTH)


class Twisted(SMC):
    """Mistakes in the bookkeeping of weights."""

    kind = ""

    def _resampled(self, particles: Any, log_weights: Any, rng: Any) -> Any:
        after = super()._resampled(particles, log_weights, rng)
        if self.kind == "weights kept":
            weights = np.exp(log_weights - log_weights.max())
            return [particles[i] for i in SCHEMES[self.resampling](weights / weights.sum(), rng)]
        if self.kind == "weights set to one":
            return [smc_module.replace(p, log_weight=0.0) for p in after]
        if self.kind == "average of the logs":
            alive = log_weights[log_weights > -np.inf]
            return [smc_module.replace(p, log_weight=float(alive.mean())) for p in after]
        if self.kind == "the twist forgotten":
            return [smc_module.replace(p, twist=0.0) for p in after]
        if self.kind == "finished ones not counted":
            return [smc_module.replace(p, log_weight=p.log_weight + 0.1) for p in after]
        return after

    def _step(self, particle: Any, *arguments: Any) -> Any:
        after = super()._step(particle, *arguments)
        if self.kind == "the twist kept":
            return smc_module.replace(after, log_weight=after.log_weight + particle.twist)
        if self.kind == "no weights":
            return smc_module.replace(after, log_weight=particle.log_weight - particle.twist + after.twist)
        return after


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "weights kept",
        "weights set to one",
        "average of the logs",
        "the twist forgotten",
        "the twist kept",
        "no weights",
        "finished ones not counted",
    ],
)
def test_wrong_bookkeeping_is_caught(kind: str) -> None:
    """The test of the evidence tells each mistake from the real thing, which passes it."""
    truth = sum(math.exp(MODEL.log_probability(w) + 0.8 * w.count(3)) for w in WORDS)
    method = Twisted(6, critic=critic, ess_threshold=0.7, sampler=MaskSampler)
    object.__setattr__(method, "kind", kind)
    distance = off(evidences(method, CONSTRAINT, size(600, plain=300)), truth)
    assert distance < 3.5 if kind == "" else distance > 4, kind


def test_the_toy_is_what_it_says() -> None:
    """Words are those of the definition, masks are exact, and masks alone are far from the law."""
    assert {w for w in itertools.product(range(4), repeat=LENGTH) if CONSTRAINT.accepts(VOCAB.decode(w))} == set(WORDS)
    assert pytest.approx(0.0351, abs=0.001) == Z
    assert variation(MODEL.masked(), LAW) == pytest.approx(0.486, abs=0.01)
    assert VOCAB.eos_ids[0] == EOS
