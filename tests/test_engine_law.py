"""The law of the next token against a slow float64 oracle."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_constraint import ReferenceConstraint, ReferenceVocabulary

from syntagma.engine.law import Law, allowed_ids, as_row, only_bit
from syntagma.engine.sampler import MaskSampler
from syntagma.grammar.errors import InvalidSource

VOCAB = ReferenceVocabulary([None, *(bytes([c]) for c in b"abcdefgh"), b"ab", b"bc"], eos_ids=[0])
CONSTRAINT = ReferenceConstraint([b"", b"abc", b"bd", b"c", b"g"], VOCAB)


def oracle(
    logits: list[float],
    allowed: set[int],
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    min_p: float | None,
) -> tuple[dict[int, float], float]:
    """Definitions written down one after the other over Python floats."""
    scaled = [x / temperature for x in logits]
    top = max(scaled)
    weight = [math.exp(x - top) for x in scaled]
    law = {t: weight[t] for t in allowed if t < len(logits)}
    log_valid = math.log(math.fsum(law.values()) / math.fsum(weight))
    ranked = sorted(law, key=lambda t: (-law[t], t))
    if top_k is not None:
        ranked = ranked[:top_k]
    if top_p is not None and top_p < 1:  # the whole share is every token, however little a sum tells of the last
        total = math.fsum(law[t] for t in ranked)
        kept: list[int] = []
        for token in ranked:
            if math.fsum(law[t] for t in kept) >= top_p * total:
                break
            kept.append(token)
        ranked = kept
    if min_p is not None:
        ranked = [t for t in ranked if law[t] >= min_p * law[ranked[0]]]
    total = math.fsum(law[t] for t in ranked)
    return {t: law[t] / total for t in ranked}, log_valid


def mask_of(ids: set[int], size: int) -> npt.NDArray[np.uint32]:
    """The bit row of a set of ids."""
    mask = np.zeros((size + 31) // 32, np.uint32)
    for t in ids:
        mask[t >> 5] |= np.uint32(1 << (t & 31))
    return mask


@given(
    st.lists(st.integers(-160, 160).map(lambda n: n / 8), min_size=1, max_size=70),
    st.data(),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.none() | st.integers(1, 12),
    st.none() | st.sampled_from([0.2, 0.7, 0.93, 1.0]),
    st.none() | st.sampled_from([0.0, 0.11, 0.6, 1.0]),
)
def test_law_equals_oracle(
    logits: list[float],
    data: st.DataObject,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    min_p: float | None,
) -> None:
    """Support, probabilities and valid mass are those of the definitions, with every option."""
    allowed = data.draw(st.sets(st.integers(0, len(logits) - 1), min_size=1))
    law = Law(CONSTRAINT, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    result = law(np.array(logits), 0, mask=mask_of(allowed, len(logits) + 40))
    expected, log_valid = oracle(logits, allowed, temperature, top_k, top_p, min_p)
    if set(result.ids.tolist()) != set(expected):  # top-p cuts at a sum; two orders of adding may differ at a tie
        assert top_p is not None
        odd = set(result.ids.tolist()) ^ set(expected)
        assert len(odd) == 1
        return
    assert result.ids.tolist() == sorted(expected)
    np.testing.assert_allclose(result.probabilities, [expected[t] for t in sorted(expected)], rtol=1e-9)
    assert result.log_valid_mass == pytest.approx(log_valid, abs=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_float32_valid_mass_is_accurate(seed: int) -> None:
    """With float32 logits over 50,000 tokens the log valid mass is right to six digits."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=6, size=50_000).astype(np.float32)
    allowed = set(rng.choice(50_000, size=2_000, replace=False).tolist())
    result = Law(CONSTRAINT, temperature=0.8)(logits, 0, mask=mask_of(allowed, 50_000))
    exact = logits.astype(np.float64) / 0.8
    whole = np.log(np.exp(exact - exact.max()).sum()) + exact.max()
    part = exact[sorted(allowed)]
    assert result.log_valid_mass == pytest.approx(
        math.log(math.fsum(np.exp(part - part.max()))) + part.max() - whole, abs=1e-5
    )


@given(st.sets(st.integers(0, 20_000)), st.integers(0, 20_001))
def test_allowed_ids_are_the_set_bits(ids: set[int], width: int) -> None:
    """Sparse and dense expansion give the set bits below the width in ascending order."""
    mask = mask_of(ids, 20_001)
    assert allowed_ids(mask, width).tolist() == sorted(t for t in ids if t < width)
    dense = ~mask
    assert allowed_ids(dense, width).tolist() == [t for t in range(width) if t not in ids]
    assert only_bit(mask) == (next(iter(ids)) if len(ids) == 1 else None)


def test_greedy_is_the_best_allowed_token() -> None:
    """At temperature 0 the law is a point at the best allowed token, the lowest id among equals."""
    logits = np.array([9.0, 1, 2, 2, 0, 0, 0, 2, 0, 0, 0])
    law = Law(CONSTRAINT, temperature=0)
    result = law(logits, CONSTRAINT.advance(CONSTRAINT.start, 1))  # after "a": b or bc
    assert result.ids.tolist() == [2]
    assert result.probabilities.tolist() == [1.0]
    rng = np.random.default_rng(0)
    assert law.choose(logits, CONSTRAINT.start, rng) == 0


def test_mask_precedes_truncation() -> None:
    """A nucleus that holds no allowed token before masking still leaves allowed tokens after it."""
    logits = np.zeros(11)
    logits[8] = 50.0  # "h", never allowed
    result = Law(CONSTRAINT, top_k=1, top_p=0.1, min_p=0.5)(logits, CONSTRAINT.start)
    assert result.ids.tolist() == [0]
    assert result.log_valid_mass == pytest.approx(-50 + math.log(6))


@pytest.mark.parametrize("width", [6, 11, 40])
def test_width_of_the_logits_may_differ(width: int) -> None:
    """Ids that only one side knows have no probability."""
    result = Law(CONSTRAINT)(np.zeros(width), CONSTRAINT.start)
    assert result.ids.tolist() == [t for t in [0, 1, 2, 3, 7, 9] if t < width]
    assert result.log_valid_mass == pytest.approx(math.log(len(result.ids) / width))


def test_impossible_tokens_are_still_a_law() -> None:
    """Where the model excludes every allowed token the law is uniform over them and the mass is zero."""
    logits = np.full(11, -np.inf)
    logits[8] = 0
    result = Law(CONSTRAINT)(logits, CONSTRAINT.start)
    assert result.probabilities.tolist() == [1 / 6] * 6
    assert result.log_valid_mass == -math.inf
    assert Law(CONSTRAINT).choose(logits, CONSTRAINT.start, np.random.default_rng(1)) in {0, 1, 2, 3, 7, 9}


def test_draws_follow_the_law() -> None:
    """The frequencies of 40,000 draws lie within five standard errors of the probabilities."""
    logits = np.linspace(0, 2, 11)
    law = Law(CONSTRAINT, temperature=0.7)
    result = law(logits, CONSTRAINT.start)
    rng = np.random.default_rng(7)
    draws = np.array([law.choose(logits, CONSTRAINT.start, rng) for _ in range(40_000)])
    for token, p in zip(result.ids, result.probabilities, strict=True):
        assert abs((draws == token).mean() - p) < 5 * math.sqrt(p * (1 - p) / len(draws))


def test_sampler_weights() -> None:
    """The masked sampler returns the log valid mass, and none where the law is truncated or greedy."""
    logits = np.zeros(11)
    rng = np.random.default_rng(3)
    token, weight = MaskSampler(CONSTRAINT).sample(logits, CONSTRAINT.start, rng)
    assert token in {0, 1, 2, 3, 7, 9}
    assert weight == pytest.approx(math.log(6 / 11))
    for options in ({"top_k": 2}, {"top_p": 0.5}, {"min_p": 0.1}, {"temperature": 0.0}):
        assert MaskSampler(CONSTRAINT, **options).sample(logits, CONSTRAINT.start, rng)[1] is None


def test_entropy_and_dense() -> None:
    """A uniform law over six tokens has the entropy log 6, and its dense row sums to one."""
    result = Law(CONSTRAINT)(np.zeros(11), CONSTRAINT.start)
    assert result.entropy() == pytest.approx(math.log(6))
    assert result.dense(11).sum() == pytest.approx(1)
    assert result.most_likely() == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [("temperature", -1.0), ("temperature", math.nan), ("top_k", 0), ("top_p", 0.0), ("top_p", 1.1), ("min_p", -0.1)],
)
def test_options_out_of_range(option: str, value: float) -> None:
    """An option out of its range is refused at the door, by its name."""
    with pytest.raises(InvalidSource) as caught:
        Law(CONSTRAINT, **{option: value})  # type: ignore[arg-type]
    assert caught.value.where == option


def test_bad_rows() -> None:
    """NaN, infinity, a matrix and a row without any allowed token are typed errors."""
    law = Law(CONSTRAINT)
    with pytest.raises(InvalidSource, match="NaN"):
        law(np.full(11, np.nan), CONSTRAINT.start)
    with pytest.raises(InvalidSource, match="infinity"):
        law(np.full(11, np.inf), CONSTRAINT.start)
    with pytest.raises(InvalidSource, match="vector"):
        law(np.zeros((1, 11)), CONSTRAINT.start)
    for width in (
        11,
        400,
    ):  # a dense mask and a sparse one; of what no token is allowed, the mass still has to be a number
        for bad in (np.nan, np.inf):
            row = np.zeros(width)
            row[VOCAB.tokens.index(b"h")] = bad
            for ask in (law, MaskSampler(CONSTRAINT).at):
                with pytest.raises(InvalidSource, match="NaN"):
                    ask(row, CONSTRAINT.start)
    with pytest.raises(InvalidSource, match="allows no token"):
        law(np.zeros(11), 0)


def test_torch_rows() -> None:
    """Half-precision torch rows are read as float32 numbers of the same value."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    row = as_row(torch.tensor([1.5, -2.0], dtype=torch.bfloat16))
    assert row.dtype == np.float32
    assert row.tolist() == [1.5, -2.0]
