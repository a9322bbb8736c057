"""CARS, ASAp and MCMC: whole outputs against the enumerated law."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from reference_constraint import ReferenceConstraint, ReferenceVocabulary
from sizes import size
from toy_language import CONSTRAINT, LENGTH, VOCAB, WORDS, Markov, Run, variation

from syntagma.engine.adaptive import CARS, ASAp
from syntagma.engine.beam import Beam
from syntagma.engine.lookahead import Lookahead
from syntagma.engine.mcmc import MCMC
from syntagma.engine.residuals import Check, Checked
from syntagma.engine.smc import SMC
from syntagma.grammar.errors import InvalidSource

pytestmark = pytest.mark.kernel

MODEL = Markov(32, 1.5)
LAW, Z = MODEL.conditioned()
CHECK = Check(lambda text, complete: text.count("a") <= 1, guards=b"a")  # noqa: ARG005 - both kinds of text are judged alike
CHECKED: Any = Checked(CONSTRAINT, CHECK)
CHECKED_LAW, CHECKED_Z = MODEL.conditioned([w for w in WORDS if w.count(0) <= 1])


def run(method: Any, states: Any = CONSTRAINT, seed: int = 0) -> Any:
    """One run on the toy."""
    return method.run(MODEL, states, VOCAB, np.random.default_rng(seed), max_tokens=LENGTH)


@pytest.mark.parametrize("checked", [False, True])
def test_cars_is_exact(checked: bool) -> None:
    """Its outputs follow the conditioned law, whatever it has learnt so far: as near as so many independent draws come."""
    law = CHECKED_LAW if checked else LAW
    n = size(3000, plain=800)
    rng = np.random.default_rng(1)
    method = CARS(samples=20, max_walks=100_000)
    shares: Counter[Run] = Counter()
    for _ in range(n // 20):
        post = method.run(MODEL, CHECKED if checked else CONSTRAINT, VOCAB, rng, max_tokens=LENGTH)
        for output in post.outputs:
            shares[output.tokens] += output.probability * 20 / n  # type: ignore[assignment]
    words = list(law)
    draws = np.random.default_rng(5).choice(len(words), p=list(law.values()), size=(20, n))
    noise = [variation(dict(zip(words, np.bincount(d, minlength=len(words)) / n, strict=True)), law) for d in draws]
    assert variation(shares, law) < np.mean(noise) + 5 * np.std(noise)


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("method", [CARS(samples=3), ASAp(walks=8)], ids=["CARS", "ASAp"])
def test_evidence_is_unbiased_or_consistent(method: Any, checked: bool) -> None:
    """ASAp's evidence is unbiased, within 3.5 standard errors; that of CARS, which stops at a success, comes near."""
    z = CHECKED_Z if checked else Z
    rng = np.random.default_rng(2)
    states = CHECKED if checked else CONSTRAINT
    n = size(600, plain=150)
    got = np.exp([method.run(MODEL, states, VOCAB, rng, max_tokens=LENGTH).log_evidence for _ in range(n)])
    if isinstance(method, ASAp):
        assert abs(got.mean() - z) < 3.5 * got.std() / math.sqrt(n)
    else:
        many = np.exp(run(CARS(samples=600, max_walks=100_000), states).log_evidence)
        assert many == pytest.approx(z, rel=0.15)


def test_cars_fails_less_and_less() -> None:
    """The model is asked less for the second hundred outputs than for the first: what is dead is not walked into twice."""
    asked: list[int] = []

    def counting(runs: Any) -> Any:
        asked.append(len(runs))
        return MODEL(runs)

    counts = []
    for samples in (60, 120):
        asked.clear()
        CARS(samples=samples, max_walks=100_000).run(
            counting, CONSTRAINT, VOCAB, np.random.default_rng(0), max_tokens=LENGTH
        )
        counts.append(len(asked))
    assert counts[1] - counts[0] < 0.75 * counts[0]


def test_asap_comes_nearer_to_the_law() -> None:
    """Late walks are nearer to the conditioned law than the first one, which is what masks alone give."""
    n = size(1200, plain=300)
    first, late = ({}, {})  # type: tuple[dict[Run, float], dict[Run, float]]
    for seed in range(n):
        for law, walks in ((first, 1), (late, 12)):
            for output in run(ASAp(walks=walks), seed=seed).outputs:
                law[output.tokens] = law.get(output.tokens, 0.0) + output.probability / n
    assert variation(late, LAW) < variation(first, LAW) - 0.15


@pytest.mark.parametrize("cut", ["uniform", "restart", "priority"])
@pytest.mark.parametrize("checked", [False, True])
def test_a_chain_has_the_law_as_its_own(cut: Any, checked: bool) -> None:
    """The states of a long chain follow the conditioned law: nearer than 0.2, where masks alone are 0.48 away."""
    law = CHECKED_LAW if checked else LAW
    steps = size(12_000, plain=3000)
    post = run(MCMC(steps=steps, keep=steps, cut=cut), CHECKED if checked else CONSTRAINT)
    assert variation({o.tokens: o.probability for o in post.outputs}, law) < size(12, plain=20) / 100


@pytest.mark.parametrize("cut", ["uniform", "restart", "priority"])
def test_proposals_are_in_detailed_balance(cut: Any) -> None:
    """On a small language, target times proposal times acceptance is the same forth and back, and proposals sum to one."""
    from reference_constraint import ReferenceConstraint, ReferenceVocabulary

    from syntagma.engine.law import Law
    from syntagma.engine.mcmc import _Text, _written

    vocab = ReferenceVocabulary([None, b"a", b"b"], eos_ids=[0])
    constraint = ReferenceConstraint([b"a", b"ab", b"abb", b"ba", b"b", b"bbb"], vocab)

    def model(runs: Any) -> Any:
        return [np.array([0.3 * len(r), 0.5 - 0.4 * len(r), sum(r) / 5]) for r in runs]

    rng = np.random.default_rng(0)
    empty = _Text((), (), np.zeros(0), np.zeros(0), np.zeros(0))
    texts: dict[Run, Any] = {}
    while len(texts) < len(constraint.words):
        text = _written(empty, 0, model, Law(constraint), vocab, rng, 3)
        assert text is not None
        texts[text.tokens] = text
    chain = MCMC(cut=cut)
    for x in texts.values():
        assert sum(math.exp(chain.log_proposal(x, y)) for y in texts.values()) == pytest.approx(1)
        for y in texts.values():
            forth = x.log_probability + chain.log_proposal(x, y) + min(0.0, chain.log_ratio(x, y))
            back = y.log_probability + chain.log_proposal(y, x) + min(0.0, chain.log_ratio(y, x))
            assert forth == pytest.approx(back, abs=1e-9)


def test_nothing_passes() -> None:
    """No output, and no evidence."""
    nothing: Any = Checked(CONSTRAINT, Check(lambda _: False))
    for method in (CARS(max_walks=30), ASAp(walks=5), MCMC(tries=4)):
        assert run(method, nothing).outputs == ()


@pytest.mark.parametrize(
    "make",
    [
        lambda: SMC(2.5),
        lambda: ASAp(walks="x"),
        lambda: CARS(samples=1.5),
        lambda: MCMC(steps=1.5),
        lambda: Beam(2.5),
        lambda: Lookahead(depth=1.5),
        lambda: Lookahead(weight=math.nan),
        lambda: Beam(length_penalty=math.nan),
        lambda: Beam(4, 2, math.inf),
        lambda: SMC(critic=3),
        lambda: Checked(CONSTRAINT, Check),
        lambda: Checked(CONSTRAINT, len),
        lambda: CARS(samples=0),
        lambda: ASAp(walks=0),
        lambda: MCMC(cut="end"),
        lambda: MCMC(steps=3, keep=5),
    ],
)
def test_options_out_of_range(make: Any) -> None:
    """They are refused when the method is made."""
    with pytest.raises(InvalidSource):
        make()


@pytest.mark.parametrize("temperature", [1.0, 0.2, 0.1, 0.05])
@pytest.mark.parametrize(
    "method", [SMC(3), CARS(max_walks=50), ASAp(walks=20), Beam(2), Lookahead()], ids=lambda m: type(m).__name__
)
def test_what_a_check_leaves_is_found_however_unlikely(method: Any, temperature: float) -> None:
    """Where the check refuses a token with all but e^-500 of the mass, the text goes on with one of the others, and the evidence says so."""
    vocab = ReferenceVocabulary([None, b"a", b"b", b"c"], eos_ids=[0])
    states: Any = Checked(
        ReferenceConstraint([b"ca", b"cb", b"cc"], vocab), Check(lambda text, _: "a" not in text, guards=b"a")
    )
    rows = {(): np.array([-9, -9, -9, 0.0]), (3,): np.array([-40, 0.0, -25, -27])}

    def model(runs: Any) -> list[np.ndarray]:
        return [rows.get(run, np.zeros(4)).astype(np.float32) for run in runs]

    method.run(model, states, vocab, np.random.default_rng(0), max_tokens=4, temperature=temperature)
    for seed in range(20):
        found = method.run(model, states, vocab, np.random.default_rng(seed), max_tokens=4, temperature=temperature)
        assert {o.tokens for o in found.outputs} <= {(3, 2), (3, 3)}
        assert found.outputs
        if found.log_evidence is not None:
            assert found.log_evidence == pytest.approx(-25 / temperature, abs=5)


def test_a_chain_leaves_what_the_model_rules_out() -> None:
    """A first text behind which the model rules everything out is kept only if there is no other."""
    vocab = ReferenceVocabulary([None, b"a", b"b", b"c"], eos_ids=[0])
    constraint: Any = ReferenceConstraint([b"ac", b"b"], vocab)

    def model(runs: Any) -> list[np.ndarray]:
        return [np.array([0.0, 0.0, 0.0, -np.inf]) for _ in runs]

    for seed in range(20):
        found = MCMC(steps=0).run(model, constraint, vocab, np.random.default_rng(seed), max_tokens=2)
        assert [o.tokens for o in found.outputs] == [(2,)]
    only: Any = ReferenceConstraint([b"ac"], vocab)
    for method in (MCMC(steps=3), Beam(2), Lookahead()):
        assert [o.tokens for o in method.run(model, only, vocab, np.random.default_rng(0), max_tokens=2).outputs] == [
            (1, 3)
        ]
