"""Samplers over a constraint: tokens, weights and support against the definitions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_constraint import ReferenceConstraint, ReferenceVocabulary
from sizes import size

import syntagma as sg
from syntagma.engine.auto import AutoSampler, Costs
from syntagma.engine.law import Law, forbidden_ids
from syntagma.engine.residuals.checked import Checked, CheckedStates
from syntagma.engine.residuals.groups import FREE, groups_of
from syntagma.engine.sampler import AWRS, NO_TOKEN, CheckFirst, MaskSampler
from syntagma.grammar.errors import InvalidSource

pytestmark = pytest.mark.kernel

VOCAB = ReferenceVocabulary([None, *(bytes([c]) for c in b"abcdefgh"), b"ab", b"bc", b"ca"], eos_ids=[0])
WORDS = [b"", b"abc", b"abd", b"bd", b"ca", b"cab", b"g", b"bcbcb"]
CONSTRAINT = ReferenceConstraint(WORDS, VOCAB)
ROWS = st.lists(st.integers(-24, 24).map(lambda n: n / 8), min_size=len(VOCAB.tokens), max_size=len(VOCAB.tokens) + 3)


class NoWord:
    """No text may contain, or with ``guards`` end a unit in, one of some words."""

    start = b""

    def __init__(self, *words: bytes, guards: bytes | None = None) -> None:
        self.words = words
        self._guards = guards

    def advance(self, state: bytes, data: bytes) -> bytes | None:
        """Search."""
        text = state + data
        return None if any(word in text for word in self.words) else text

    def may_end(self, state: bytes) -> bool:
        """A text of one letter may not end."""
        return len(state) != 1

    def guards(self, state: bytes) -> bytes | None:
        """As given."""
        return self._guards if state != b"c" else None


RESIDUAL = NoWord(b"ab", b"bd", guards=b"bd")


def truth(states: Any, logits: list[float], state: int, temperature: float = 1.0) -> np.ndarray:
    """``p(t) a(t)`` for every t, by trying each token."""
    p = np.exp(np.array(logits) / temperature)
    p /= p.sum()
    return p * [states.advance(state, t) != 0 for t in range(len(logits))]


def estimate(sampler: Any, logits: list[float], state: int, n: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Mean of ``w 1{x = t}`` over n draws, and its standard error."""
    rng = np.random.default_rng(seed)
    got = np.zeros((n, len(logits)))
    for i in range(n):
        token, log_weight = sampler.sample(np.array(logits), state, rng)
        if token != NO_TOKEN:
            got[i, token] = math.exp(log_weight)
    return got.mean(0), got.std(0) / math.sqrt(n)


LOGITS = [0.3, 1.5, 1.2, 0.4, -1.0, 2.0, 0.0, 0.5, 0.1, 0.8, -0.3, 0.2]
SAMPLERS: dict[str, Callable[..., Any]] = {
    "mask": MaskSampler,
    "recursive": AWRS,
    "recursive-3": lambda c, **o: AWRS(c, max_rejects=3, **o),
    "two-round": lambda c, **o: AWRS(c, form="two-round", **o),
    "geometric-5": lambda c, **o: AWRS(c, form="geometric", accepts=5, **o),
    "geometric-2-4": lambda c, **o: AWRS(c, form="geometric", max_rejects=4, **o),
    "free": lambda c, **o: AWRS(c, price=0.0 if isinstance(c, Checked) else None, **o),
    "dear": lambda c, **o: AWRS(c, price=1.0 if isinstance(c, Checked) else None, **o),
    "auto": AutoSampler,
    "auto-slow": lambda c, **o: AutoSampler(c, costs=Costs(1e-6, 9, 9), **o),
}


WAYS = [(name, paired) for paired in ("alone", "residual") for name in SAMPLERS]


@pytest.mark.parametrize(("name", "paired"), WAYS)
def test_the_weight_of_every_token_is_right(name: str, paired: str) -> None:
    """The mean of the weight that a token comes with is its probability if it is allowed: 3,000 draws, five standard errors."""
    states: Any = CONSTRAINT if paired == "alone" else Checked(CONSTRAINT, RESIDUAL)
    options: dict[str, Any] = {"temperature": 1.3}
    sampler = SAMPLERS[name](states, **options)
    expected = truth(states, LOGITS, states.start, 1.3)
    mean, error = estimate(sampler, LOGITS, states.start, 3000)
    assert (np.abs(mean - expected) <= 5 * error + 1e-9).all()
    assert (mean[expected == 0] == 0).all(), "only allowed tokens have weight"
    assert (mean[expected > 0.01] > 0).all(), "all of them have"


@settings(max_examples=60)
@given(ROWS, st.integers(0, 5), st.sampled_from([0.5, 1.0, 2.0]))
def test_a_residual_is_exact_without_a_price(logits: list[float], steps: int, temperature: float) -> None:
    """Where all groups are asked every draw has the same weight, the valid mass, and the draw is of the masked law."""
    rng = np.random.default_rng(steps)
    sampler = AWRS(CONSTRAINT, RESIDUAL, temperature=temperature, price=0)
    states = sampler.states
    state = states.start
    for _ in range(steps):
        expected = truth(states, logits, state, temperature)
        token, log_weight = sampler.sample(np.array(logits), state, rng)
        if expected.sum() == 0:
            assert (token, log_weight) == (NO_TOKEN, -math.inf)
            return
        assert expected[token] > 0
        assert log_weight == pytest.approx(math.log(expected.sum()), abs=1e-9)
        assert MaskSampler(states, temperature=temperature).sample(np.array(logits), state, rng)[1] == pytest.approx(
            log_weight
        )
        if token == 0:
            return
        state = states.advance(state, token)


def test_a_price_saves_checks() -> None:
    """At a price fewer verdicts are asked for, and at a higher price fewer still; prices are between 0 and 1."""
    logits = [9.0 - 1.5 * i for i in range(len(LOGITS))]
    counts = []
    for price in (0.0, 0.01, 1.0):
        rng = np.random.default_rng(1)
        asked = 0
        for _ in range(200):
            sampler = AWRS(CONSTRAINT, RESIDUAL, price=price)
            sampler.sample(np.array(logits), sampler.states.start, rng)
            asked += sampler.n_checks
        counts.append(asked)
    assert counts[0] > counts[1] > counts[2]
    for price in (-0.1, 1.1, math.nan):
        with pytest.raises(InvalidSource, match="price"):
            AWRS(CONSTRAINT, RESIDUAL, price=price)
    for options in ({"form": "recursive"}, {"max_rejects": 3}):
        with pytest.raises(InvalidSource, match="price"):
            AWRS(CONSTRAINT, RESIDUAL, price=0.1, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["recursive", "two-round", "geometric"])
def test_a_residual_that_passes_everything_changes_nothing(form: Any) -> None:
    """The weight is the grammar's mass, exactly, whatever the form: rejection adds variance only where it rejects."""
    free = NoWord()
    free.may_end = lambda _: True  # type: ignore[method-assign]
    sampler = AWRS(CONSTRAINT, free, form)
    rng = np.random.default_rng(0)
    exact = MaskSampler(CONSTRAINT).sample(np.array(LOGITS), CONSTRAINT.start, rng)[1]
    for _ in range(50):
        weight = sampler.sample(np.array(LOGITS), sampler.states.start, rng)[1]
        assert weight == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("share", [0.001, 0.05, 0.3, 0.9, 0.9999])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_the_valid_mass_is_accurate(share: float, dtype: str, temperature: float) -> None:
    """Sparse, dense and nearly full masks: the log mass is right to one in a million, also where it is tiny."""
    rng = np.random.default_rng(8)
    width = size(50_000, plain=4000)
    for shift in (0.0, -20.0, 20.0):
        logits = rng.normal(scale=4, size=width).astype(dtype)
        allowed = rng.random(width) < share
        allowed[7] = True
        logits[allowed] += np.float32(shift)
        mask = (
            np.packbits(np.append(allowed, np.zeros(-width % 32, bool)), bitorder="little")
            .view("<u4")
            .astype(np.uint32)
        )
        urn, log_valid = Law(CONSTRAINT, temperature=temperature).urn(logits, 0, mask=mask)
        exact = logits.astype(np.float64) / temperature
        weight = np.exp(exact - exact.max())
        assert log_valid == pytest.approx(math.log(math.fsum(weight[allowed]) / math.fsum(weight)), abs=1e-6)
        tokens = {urn.token(urn.draw(rng)) for _ in range(100)}
        assert allowed[list(tokens)].all()
        assert forbidden_ids(mask, width).tolist() == np.flatnonzero(~allowed).tolist()


@settings(max_examples=12)
@given(
    ROWS,
    st.integers(0, 3),
    st.sampled_from(
        [{}, {"top_k": 1}, {"top_k": 3}, {"min_p": 0.3}, {"top_k": 4, "min_p": 0.05}, {"temperature": 0.0}]
    ),
)
def test_checking_first_has_the_same_law(logits: list[float], steps: int, options: dict[str, Any]) -> None:
    """Frequencies of 1,500 draws are those of the law under every option, and never is a token outside its support drawn."""
    rng = np.random.default_rng(1)
    state = CONSTRAINT.start
    for _ in range(steps):
        state = CONSTRAINT.advance(state, MaskSampler(CONSTRAINT).sample(logits, state, rng)[0])
    law = Law(CONSTRAINT, **options)(logits, state).dense(len(logits))
    for max_checks in (1, 8):
        sampler = CheckFirst(CONSTRAINT, max_checks=max_checks, **options)
        draws = [sampler.sample(logits, state, rng) for _ in range(1500)]
        assert {weight for _, weight in draws} == {None}
        share = np.bincount([t for t, _ in draws], minlength=len(logits)) / 1500
        assert (share[law == 0] == 0).all()
        assert (np.abs(share - law) < 5.5 * np.sqrt(law * (1 - law) / 1500) + 1e-9).all()


@pytest.mark.parametrize("name", [*SAMPLERS, "check-first"])
@pytest.mark.parametrize("budget", [0, 1, 2, 3])
def test_budgets_are_kept(name: str, budget: int) -> None:
    """With a budget only tokens come after which the text can be completed within it."""
    sampler = CheckFirst(CONSTRAINT) if name == "check-first" else SAMPLERS[name](CONSTRAINT)
    mask = int(CONSTRAINT.mask(CONSTRAINT.start, budget=budget)[0])
    rng = np.random.default_rng(0)
    tokens = {sampler.sample(LOGITS, CONSTRAINT.start, rng, budget=budget)[0] for _ in range(400)}
    tokens.discard(NO_TOKEN)
    assert tokens == {t for t in range(32) if mask >> t & 1}


def test_what_auto_chooses() -> None:
    """A check first where it is likely to pass and masks are dear; masks where they are known; rejection where they are out of reach."""
    free = AutoSampler(CONSTRAINT, weighted=False, costs=Costs(check=1e-6, mask=1e-3, known_mask=0.5e-6))
    rng = np.random.default_rng(0)
    assert free.choice(CONSTRAINT.start) == "check-first"
    sure = [50.0 if t == 7 else 0.0 for t in range(12)]
    assert free.sample(sure, CONSTRAINT.start, rng) == (7, None)
    wrong = [50.0 if t == 5 else 0.0 for t in range(12)]
    for _ in range(60):
        free.sample(wrong, CONSTRAINT.start, rng)
    assert free.choice(CONSTRAINT.start) == "mask"
    weighted = AutoSampler(CONSTRAINT, costs=Costs(1e-6, 1.0, 1e-6))
    assert weighted.choice(CONSTRAINT.start) == "awrs"
    measured = AutoSampler(CONSTRAINT)
    before = measured.costs
    measured.sample(LOGITS, CONSTRAINT.start, rng)
    assert measured.costs.mask != before.mask
    measured.sample(LOGITS, CONSTRAINT.start, rng)
    assert measured.costs.known_mask != before.known_mask
    mask = measured.costs.mask
    measured._measure(1, 60.0)
    assert measured.costs.mask < 2 * mask, "one call that compiles something says little of masks"


def test_fixed_costs_make_runs_equal() -> None:
    """With given costs, two runs of one seed draw the same tokens."""
    runs = []
    for _ in range(2):
        sampler = AutoSampler(CONSTRAINT, weighted=False, costs=Costs(1e-6, 1e-5, 1e-6))
        rng = np.random.default_rng(3)
        runs.append([sampler.sample(LOGITS, CONSTRAINT.start, rng)[0] for _ in range(100)])
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"form": "threefold"}, "form"),
        ({"accepts": 1}, "accepts"),
        ({"accepts": 3}, "accepts"),
        ({"max_rejects": 0}, "max_rejects"),
        ({"form": "two-round", "max_rejects": 4}, "max_rejects"),
        ({"temperature": 0}, "temperature"),
        ({"price": 0.1}, "price"),
    ],
)
def test_options_that_a_form_does_not_have(options: dict[str, Any], where: str) -> None:
    """They are refused by name when the sampler is made."""
    with pytest.raises(InvalidSource) as caught:
        AWRS(CONSTRAINT, **options)
    assert caught.value.where == where


def test_two_residuals_are_refused() -> None:
    """A pairing takes no second residual."""
    with pytest.raises(InvalidSource, match="already"):
        AWRS(Checked(CONSTRAINT, RESIDUAL), RESIDUAL)


@pytest.mark.parametrize("guards", [None, b"b", b"bd", b"", b"\xffz"])
def test_groups_are_cuts_behind_the_last_guard(guards: bytes | None) -> None:
    """Tokens with equal text up to their last guard share a group, those without a guard are free, ends are one group."""
    groups = groups_of(VOCAB, guards)
    for token, text in enumerate(VOCAB.tokens):
        group = int(groups.group[token])
        if text is None:
            assert (group, groups.texts[group]) == (0, b"")
        elif guards is None:
            assert groups.texts[group] == text
        else:
            places = [i for i, byte in enumerate(text) if byte in guards]
            assert group == FREE if not places else groups.texts[group] == text[: places[-1] + 1]
    assert groups.guarded.tolist() == [t for t in range(VOCAB.size) if groups.group[t] != FREE]


def test_a_pairing_keeps_the_laws_of_states() -> None:
    """Masks of a pairing agree with its steps, pairs are equal integers iff they are equal, 0 is dead, closed sessions are stale."""
    paired = Checked(CONSTRAINT, RESIDUAL)
    with paired.session() as session:
        seen = [session.start]
        for state in seen:
            row = int(session.mask(state)[0])
            allowed = [t for t in range(VOCAB.size) if session.advance(state, t)]
            assert [t for t in range(VOCAB.size) if row >> t & 1] == allowed
            assert session.is_accepting(state) == (0 in allowed)
            assert session.is_final(state) == (allowed == [0])
            assert session.forced_token(state) == (allowed[0] if len(allowed) == 1 else None)
            seen += [s for t in allowed if t and (s := session.advance(state, t)) not in seen]
        assert session.advance(0, 1) == 0
        assert not session.mask(0).any()
        one = session.advance(session.advance(session.start, 3), 1)
        assert one == session.advance(session.start, 11)
    with pytest.raises(Exception, match="closed"):
        session.advance(one, 2)


def test_verdicts_are_asked_for_once() -> None:
    """A pairing remembers what the residual said of a text."""
    calls = []

    class Counting(NoWord):
        def advance(self, state: bytes, data: bytes) -> bytes | None:
            calls.append((state, data))
            return super().advance(state, data)

    sampler = AWRS(CONSTRAINT, Counting(b"ab", guards=b"b"))
    rng = np.random.default_rng(0)
    for _ in range(50):
        sampler.sample(LOGITS, sampler.states.start, rng)
    assert len(calls) == len(set(calls)) == sampler.states.n_verdicts - 1  # type: ignore[attr-defined]  # one of the end
    assert isinstance(sampler.states, CheckedStates)


@pytest.mark.parametrize("residual", [None, sg.residuals.Check(lambda text, _: "b" not in text)])
@pytest.mark.parametrize("sampler", [sg.MaskSampler, sg.AWRS])
def test_draws_of_one_step_are_draws_by_themselves(sampler: Any, residual: Any) -> None:
    """Draws that share a mask come out, with their weights, as each would alone, and leave nothing behind for the next."""
    vocab = sg.Vocabulary([b"a", b"b", b"ab", b"c", None], eos_ids=[4])
    constraint = sg.compile(sg.Regex("[abc]{1,4}"), vocab)
    logits = np.log(np.array([0.3, 0.2, 0.1, 0.3, 0.1]))
    kwargs = {"price": 0.0} if sampler is sg.AWRS and residual is not None else {}
    together, alone = (  # each learns verdicts for itself
        sampler(constraint if residual is None else sg.Checked(constraint, residual), **kwargs) for _ in range(2)
    )
    draw = together.at(logits, together.states.start, budget=4)
    for seed in range(40):
        one = alone.sample(logits, alone.states.start, np.random.default_rng(seed), budget=4)
        assert draw(np.random.default_rng(seed)) == one
