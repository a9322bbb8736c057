"""Generation by methods that weigh whole outputs, with real (tiny) models of transformers."""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_constraint import ReferenceConstraint, ReferenceVocabulary
from tiny_models import WIDTH, tiny_model, torch

from syntagma.engine.generate import generate
from syntagma.engine.prefixes import PrefixRows
from syntagma.engine.residuals import Check, Checked
from syntagma.engine.sampler import AWRS
from syntagma.engine.smc import SMC
from syntagma.grammar.errors import BudgetTooSmall, InvalidSource, LimitExceeded, NoOutput

VOCAB = ReferenceVocabulary([None, None, *(bytes([c]) for c in b"abcd"), b"ab", b"bc"], eos_ids=[0], pad_ids=[1])
WORDS = [b"", b"abc", b"abd", b"bd", b"ca", b"cab", b"dddd"]
CONSTRAINT = ReferenceConstraint(WORDS, VOCAB)
MODELS = {kind: tiny_model(kind) for kind in ("llama", "gpt2", "mistral")}
MODEL = MODELS["llama"]
PROMPT = [3, 7, 9]


def row(model: Any, tokens: list[int]) -> np.ndarray:
    """Logits after tokens, without a cache."""
    with torch.inference_mode():
        return model(torch.tensor([tokens])).logits[0, -1].numpy()


RUNS = st.lists(st.lists(st.integers(2, 4), max_size=4).map(tuple), min_size=1, max_size=4)


@settings(max_examples=25)
@given(st.lists(RUNS, min_size=1, max_size=4), st.sampled_from(sorted(MODELS)))
def test_rows_of_any_runs_are_those_of_the_model(calls: list[list[tuple[int, ...]]], kind: str) -> None:
    """Whatever runs are asked for in whatever order, and whatever the cache holds, logits are those without a cache."""
    rows = PrefixRows(MODELS[kind], PROMPT)
    for runs in calls:
        for run, got in zip(runs, rows(runs), strict=True):
            np.testing.assert_allclose(got, row(MODELS[kind], [*PROMPT, *run]), rtol=1e-6, atol=1e-9)


def test_growing_runs_cost_one_row_each() -> None:
    """Runs that go on from the last call's are fed their new token alone, shared ones once; known ones cost nothing."""
    rows = PrefixRows(MODEL, PROMPT)
    rows([()])
    rows([(2,), (3,), (2,)])
    assert (rows.n_calls, rows.n_rows) == (2, 3)
    rows([(2, 4), (2, 5), (2, 6)])
    assert (rows.n_calls, rows.n_rows) == (3, 6)
    assert rows._cache is not None
    assert rows._cache._seen.shape == (3, len(PROMPT) + 2)
    rows([(2, 5), (3,)])
    assert (rows.n_calls, rows.n_rows) == (3, 6)


def truth(constraint: ReferenceConstraint, temperature: float, words: list[bytes]) -> dict[tuple[int, ...], float]:
    """The model's probability of every token run that spells one of the words and then ends."""
    found: dict[tuple[int, ...], float] = {}
    for length in range(5):
        for run in itertools.product(range(2, 8), repeat=length):
            if constraint.vocab.decode(run) in words:
                total = 1.0
                for i, token in enumerate((*run, 0)):
                    weights = np.exp(row(MODEL, [*PROMPT, *run[:i]]) / temperature)
                    total *= weights[token] / weights.sum()
                found[run] = total
    return found


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("sampler", ["default", "awrs"])
def test_generations_follow_the_conditioned_law(checked: bool, sampler: str) -> None:
    """Evidence and posterior of SMC with a model are near the enumerated ones, equal for equal seeds, and every output is valid."""
    check = (
        Check(lambda text, complete: "d" not in text or (complete and len(text) == 4) or not complete)
        if checked
        else None
    )
    words = [w for w in WORDS if not checked or b"d" not in w or len(w) == 4]
    law = truth(CONSTRAINT, 3.0, words)
    options = {} if sampler == "default" else {"sampler": partial(AWRS, form="geometric", accepts=3)}
    method = SMC(particles=60, check=check, **options)  # type: ignore[arg-type]
    done = generate(MODEL, [PROMPT] * 4, CONSTRAINT, max_new_tokens=4, temperature=3.0, seed=5, method=method)
    evidence = np.mean([math.exp(g.posterior.log_evidence) for g in done])
    assert evidence == pytest.approx(sum(law.values()), rel=0.25)
    shares: dict[tuple[int, ...], float] = {}
    for generation in done:
        assert generation.data in words
        assert generation.posterior is not None
        assert tuple(generation.tokens) in {o.tokens for o in generation.posterior.outputs}
        assert generation.finish_reason in {"final", "eos", "budget"}
        for output in generation.posterior.outputs:
            shares[output.tokens] = shares.get(output.tokens, 0.0) + output.probability / 4
    total = sum(law.values())
    assert sum(abs(shares.get(run, 0.0) - p / total) for run, p in law.items()) / 2 < 0.15
    again = generate(MODEL, [PROMPT] * 4, CONSTRAINT, max_new_tokens=4, temperature=3.0, seed=5, method=method)
    assert [g.tokens for g in again] == [g.tokens for g in done]


def test_one_prompt_gives_one_generation() -> None:
    """As without a method; the temperature is 1 if nothing is said."""
    generation = generate(MODEL, PROMPT, CONSTRAINT, max_new_tokens=6, method=SMC(3))
    assert generation.data in WORDS
    assert generation.posterior.log_evidence < 0
    assert generation.n_forward <= 7


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"temperature": 0.0}, "temperature"),
        ({"top_k": 3}, "top_k"),
        ({"top_p": 0.9}, "top_p"),
        ({"min_p": 0.1}, "min_p"),
        ({"batch_size": 4}, "batch_size"),
    ],
)
def test_what_leaves_no_weights_is_refused(options: dict[str, Any], where: str) -> None:
    """Greedy and truncated laws, and a batch size, by name."""
    with pytest.raises(InvalidSource) as caught:
        generate(MODEL, PROMPT, CONSTRAINT, method=SMC(2), **options)
    assert caught.value.where == where


@pytest.mark.parametrize("method", ["smc", SMC, 3])
def test_what_is_no_method_is_refused(method: Any) -> None:
    """A name, and a class in place of an object, by name."""
    with pytest.raises(InvalidSource, match="is no method"):
        generate(MODEL, PROMPT, CONSTRAINT, method=method)


def test_plain_decoding_of_a_pairing() -> None:
    """Masks of a pairing steer it to texts that pass; a dead end is an error and never an incomplete text."""
    words = [b"abc", b"abd", b"ca", b"cab", b"dddd"]
    passing = Checked(ReferenceConstraint(words, VOCAB), Check(lambda text, _: "d" not in text))
    for seed in range(8):
        assert generate(MODEL, PROMPT, passing, temperature=4.0, seed=seed).data in words[:1] + words[2:4]
    late = Checked(ReferenceConstraint([b"dddd"], VOCAB), Check(lambda text, _: len(text) < 3))
    with pytest.raises(NoOutput, match="dead end"):
        generate(MODEL, PROMPT, late)


def test_budgets_and_checks_that_cannot_be_met() -> None:
    """A budget or context that holds no output is said before the model is asked; a check that nothing passes, afterwards."""
    long = ReferenceConstraint([b"dddd"], VOCAB)
    with pytest.raises(BudgetTooSmall):
        generate(MODEL, PROMPT, long, max_new_tokens=3, method=SMC(2))
    with pytest.raises(LimitExceeded):
        generate(MODEL, [2] * 254, long, method=SMC(2))
    with pytest.raises(NoOutput, match="SMC"):
        generate(MODEL, PROMPT, long, method=SMC(2, check=Check(lambda text: False)))  # noqa: ARG005 - refuses all
    assert VOCAB.size < WIDTH
    assert long.open_scopes == {0}
