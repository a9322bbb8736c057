"""Rejection samplers: every outcome enumerated, and wrong variants that have to be caught by that."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from enumeration import ScriptedUrn, measure, outcomes
from hypothesis import given, settings
from hypothesis import strategies as st

from syntagma.engine.rejection import Check, Drawn, first_accepted, geometric, recursive, two_round
from syntagma.engine.urn import Urn

pytestmark = pytest.mark.kernel

LAWS = st.lists(st.integers(1, 60), min_size=1, max_size=5).flatmap(
    lambda weights: st.tuples(st.just(weights), st.lists(st.booleans(), min_size=len(weights), max_size=len(weights)))
)
EXAMPLE = ([9, 5, 3, 2, 1], [False, True, False, True, True])
Sampler = Callable[..., Drawn]
FORMS: dict[str, Callable[[Any, Check, Any], Drawn]] = {
    "recursive": recursive,
    "recursive-1": lambda u, c, r: recursive(u, c, r, 1),
    "recursive-2": lambda u, c, r: recursive(u, c, r, 2),
    "recursive-3": lambda u, c, r: recursive(u, c, r, 3),
    "two-round": two_round,
    "geometric-2-1": lambda u, c, r: geometric(u, c, r, 2, 1),
    "geometric-2-2": lambda u, c, r: geometric(u, c, r, 2, 2),
    "geometric-2-4": lambda u, c, r: geometric(u, c, r, 2, 4),
    "geometric-3-3": lambda u, c, r: geometric(u, c, r, 3, 3),
}


def expected_measure(form: Sampler, weights: list[int], valid: list[bool]) -> dict[Any, float]:
    """``E[w 1{x}]`` of a form by enumeration of all that it can draw."""

    def run(script: Any) -> tuple[Any, float]:
        index, log_weight = form(ScriptedUrn([float(w) for w in weights]), lambda i: valid[i], script)
        assert (index is None) == (log_weight == -math.inf)
        assert index is None or valid[index], "only what passes may come out"
        return index, math.exp(log_weight)

    return measure(run)


def distance(form: Sampler, weights: list[int], valid: list[bool]) -> float:
    """The greatest difference between ``E[w 1{x = t}]`` and ``p(t) a(t)`` over all t."""
    measured = expected_measure(form, weights, valid)
    total = sum(weights)
    return max(abs(measured.get(t, 0.0) - w / total * a) for t, (w, a) in enumerate(zip(weights, valid, strict=True)))


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=40)
@given(LAWS)
def test_weights_are_unbiased_for_every_token(name: str, law: tuple[list[int], list[bool]]) -> None:
    """Enumerated over all draws, the weight of each token is its probability if it is valid, and nothing if it is not."""
    size = 3 if name in {"geometric-2-4", "geometric-3-3"} else 5
    law = (law[0][:size], law[1][:size])
    assert distance(FORMS[name], *law) < 1e-11


@given(LAWS)
def test_support_is_what_passes(law: tuple[list[int], list[bool]]) -> None:
    """A token has positive expected weight iff it passes the check."""
    weights, valid = law
    for form in (recursive, two_round):
        measured = expected_measure(form, weights, valid)
        assert {t for t, w in measured.items() if w > 0} == {t for t, a in enumerate(valid) if a}


@settings(max_examples=20)
@given(LAWS, st.integers(2, 3), st.integers(1, 30))
def test_geometric_with_many_rejects_allowed(law: tuple[list[int], list[bool]], accepts: int, seed: int) -> None:
    """Without a limit the geometric form is unbiased for every token: 4,000 draws, within five standard errors."""
    weights, valid = law
    rng = np.random.default_rng(seed)
    n = 4000
    got = np.zeros((n, len(weights)))
    for i in range(n):
        index, log_weight = geometric(Urn(np.array(weights, float)), lambda t: valid[t], rng, accepts)
        if index is not None:
            got[i, index] = math.exp(log_weight)
    truth = np.array(weights) / sum(weights) * np.array(valid)
    assert (np.abs(got.mean(0) - truth) <= 5 * got.std(0) / math.sqrt(n) + 1e-9).all()


@pytest.mark.parametrize("form", [recursive, two_round, geometric])
def test_no_token_is_checked_twice(form: Sampler) -> None:
    """Draws are without replacement: a verdict is asked for once."""
    rng = np.random.default_rng(1)
    for _ in range(200):
        asked: list[int] = []

        def check(index: int, asked: list[int] = asked) -> bool:
            asked.append(index)
            return EXAMPLE[1][index]

        form(Urn(np.array(EXAMPLE[0], float)), check, rng)
        assert len(asked) == len(set(asked))


def test_first_accepted_is_the_constrained_law() -> None:
    """Without weights the first accepted token follows the renormalised law, and the checks are as many as the formula says."""
    weights, valid = EXAMPLE
    checks = 0.0
    law = dict.fromkeys(range(5), 0.0)

    def run(script: Any) -> tuple[int | None, int]:
        asked: list[int] = []
        urn: Any = ScriptedUrn([float(w) for w in weights])
        return first_accepted(urn, lambda i: bool(asked.append(i)) or valid[i], script), len(asked)

    for probability, (index, n) in outcomes(run):
        assert index is not None
        law[index] += probability
        checks += probability * n
    total = sum(w for w, a in zip(weights, valid, strict=True) if a)
    assert law == pytest.approx({t: w / total * a for t, (w, a) in enumerate(zip(weights, valid, strict=True))})
    assert checks == pytest.approx(1 + sum(w / (w + total) for w, a in zip(weights, valid, strict=True) if not a))


@pytest.mark.parametrize("form", [recursive, two_round, geometric])
def test_corners(form: Sampler) -> None:
    """Nothing valid, everything valid, one token, zero probabilities, mass that rounds to one: no error, and the right weight."""
    rng = np.random.default_rng(0)
    assert form(Urn(np.array([3.0, 1.0])), lambda _: False, rng) == (None, -math.inf)
    assert form(Urn(np.zeros(3)), lambda _: True, rng) == (None, -math.inf)
    assert form(Urn(np.array([0.0, 5.0])), lambda _: True, rng) == (1, 0.0)
    for _ in range(20):
        index, log_weight = form(Urn(np.array([1.0, 1e-30])), lambda i: i == 1, rng)
        assert index == 1
        if form is not geometric:
            assert log_weight == pytest.approx(math.log(1e-30), abs=1)
    assert form(Urn(np.full(3, 2.0)), lambda _: True, rng)[1] == 0


class TestUrn:
    """The urn against NumPy."""

    @given(st.lists(st.integers(0, 9), min_size=1, max_size=700), st.integers(0, 99), st.sampled_from(["f4", "f8"]))
    def test_draws_invert_the_running_sum(self, weights: list[int], seed: int, dtype: str) -> None:
        """A draw is the index at which the running sum passes the uniform number, also after removals."""
        rng = np.random.default_rng(seed)
        left = np.array(weights, dtype)
        urn = Urn(left.copy())
        while left.any():
            assert urn.total == left.sum()
            u = rng.random()

            class Fixed:
                @staticmethod
                def random(u: float = u) -> float:
                    return u

            index = urn.draw(Fixed)  # type: ignore[arg-type]
            assert index == np.searchsorted(np.cumsum(left.astype(float)), u * left.sum(), side="right")
            assert urn.remove(index) == left[index]
            if rng.random() < 0.2:
                urn.restore(index, float(left[index]))
            else:
                left[index] = 0
            drop = rng.integers(len(left), size=20)
            left[drop] = 0
            urn.remove_all(drop)
        assert urn.total == 0

    def test_a_uniform_number_next_to_one(self) -> None:
        """Rounding at the upper end gives the last token that is left, never one that is not."""
        urn = Urn(np.array([0.1] * 600 + [0.0] * 5, np.float32))

        class One:
            @staticmethod
            def random() -> float:
                return 1.0

        assert urn.draw(One) == 599  # type: ignore[arg-type]


def wrong_variants() -> Iterator[tuple[str, Sampler]]:  # noqa: C901, PLR0915 - a list of mistakes
    """Mistakes that one could make, each in an otherwise right sampler."""

    def recursive_variant(kind: str) -> Sampler:
        def form(urn: Any, check: Check, rng: Any) -> Drawn:
            log_weight = 0.0
            while urn.total > 0:
                whole = urn.total
                index = urn.draw(rng)
                weight = urn.remove(index)
                if check(index):
                    if urn.total <= 0:
                        return index, log_weight
                    following = urn.draw(rng)
                    if kind == "second token kept in the urn":
                        urn.restore(index, weight)
                        following = urn.draw(rng)
                    good = check(following)
                    if kind == "second verdict turned round":
                        good = not good
                    if kind == "share of the second token":
                        return index, log_weight + (0 if good else math.log(urn.weights[following] / urn.total))
                    result = following if kind == "second token returned" and good else index
                    return result, log_weight + (0 if good else math.log(weight / whole))
                if urn.total <= 0:
                    break
                if kind != "rejects not counted":
                    log_weight += math.log((whole if kind == "not renormalised" else urn.total) / whole)
                if kind == "not renormalised":
                    log_weight += math.log(1 - weight / SUM)
            return None, -math.inf

        return form

    yield from ((f"recursive: {kind}", recursive_variant(kind)) for kind in (
        "second token kept in the urn",
        "second verdict turned round",
        "share of the second token",
        "second token returned",
        "rejects not counted",
        "not renormalised",
    ))  # fmt: skip

    def two_round_variant(kind: str) -> Sampler:
        def form(urn: Any, check: Check, rng: Any) -> Drawn:
            whole, rejects, first, left = urn.total, 0, None, 0.0
            removed: list[tuple[int, float]] = []
            while urn.total > 0:
                index = urn.draw(rng)
                if check(index):
                    if first is not None:
                        n = rejects + (0 if kind == "off by one" else 1)
                        if n == 0:
                            return first, 0.0
                        share = urn.total if kind == "mass after both rounds" else left
                        result = index if kind == "second token returned when new" and rejects else first
                        return result, (0 if kind == "mass left out" else math.log(share / whole)) - math.log(n)
                    first, left = index, urn.total
                    if kind == "rejects of the first round forgotten":
                        rejects = 0
                    if kind == "rejected tokens put back":
                        for i, w in removed:
                            urn.restore(i, w)
                    if kind == "first token taken out":
                        urn.remove(index)
                        if urn.total <= 0:
                            return first, math.log(left / whole) - math.log(rejects + 1)
                else:
                    removed.append((index, urn.remove(index)))
                    rejects += 1
            return (None, -math.inf) if first is None else (first, math.log(left / whole) - math.log(rejects + 1))

        return form

    yield from ((f"two-round: {kind}", two_round_variant(kind)) for kind in (
        "off by one",
        "mass after both rounds",
        "mass left out",
        "rejects of the first round forgotten",
        "rejected tokens put back",
        "first token taken out",
    ))  # fmt: skip

    def geometric_variant(kind: str) -> Sampler:
        def form(urn: Any, check: Check, rng: Any) -> Drawn:
            whole, rejects, accepted, first, limit = urn.total, 0, 0, None, 3
            while accepted < 2 and urn.total > 0:
                if urn.total < whole and kind != "no phantoms":
                    rejects += rng.geometric(urn.total / whole) - (0 if kind == "phantoms off by one" else 1)
                if rejects >= limit:
                    break
                index = urn.draw(rng)
                if check(index):
                    accepted += 1
                    first = index if first is None or (kind == "last accepted returned" and rejects) else first
                else:
                    urn.remove(index)
                    rejects += 1
            if first is None:
                return None, -math.inf
            rejects = rejects if kind == "rejects beyond the limit counted" else min(rejects, limit)
            k, n = (
                (accepted, accepted + rejects)
                if kind == "share of accepts"
                else (min(1, accepted), accepted + rejects - 1)
            )
            if kind == "clipped as if complete" and accepted < 2:
                n += 1
            return first, math.log(k) - math.log(n)

        return form

    yield from ((f"geometric: {kind}", geometric_variant(kind)) for kind in (
        "no phantoms",
        "phantoms off by one",
        "rejects beyond the limit counted",
        "share of accepts",
        "clipped as if complete",
    ))  # fmt: skip

    def clipped_too_late(urn: Any, check: Check, rng: Any) -> Drawn:
        """The last draw's second test made all the same, but one reject fewer allowed."""
        index, log_weight = recursive(urn, check, rng)
        return (index, log_weight) if rng.choose([1.0]) == 0 and urn.weights.count(0.0) <= 2 else (None, -math.inf)

    yield "recursive: clipped without keeping the last factor", clipped_too_late
    yield "rejection: weight of one", lambda u, c, r: (first_accepted(u, c, r), 0.0)

    def greedy(urn: Any, check: Check, _: Any) -> Drawn:
        mass = sum(w for i, w in enumerate(urn.weights) if check(i)) / urn.total
        return max((i for i in range(len(urn.weights)) if check(i)), key=lambda i: urn.weights[i]), math.log(mass)

    yield "the right mass with the likeliest token", greedy


SUM = float(sum(EXAMPLE[0]))


@pytest.mark.parametrize(("name", "form"), list(wrong_variants()), ids=lambda v: v if isinstance(v, str) else "")
def test_a_wrong_variant_is_caught(name: str, form: Sampler) -> None:
    """The enumeration tells every one of these mistakes from an unbiased sampler."""
    assert distance(form, *EXAMPLE) > 1e-4, name


def test_the_right_forms_pass_where_the_wrong_ones_fail() -> None:
    """On the same example the real forms are exact."""
    for name, form in FORMS.items():
        assert distance(form, *EXAMPLE) < 1e-11, name


@pytest.mark.parametrize(
    ("form", "limit"),
    [(two_round, 2.0), (lambda u, c, r: geometric(u, c, r, 5), 0.75), (recursive, 1.3)],
    ids=["two-round", "geometric-5", "recursive"],
)
def test_spread_of_the_weights(form: Sampler, limit: float) -> None:
    """On a peaked law whose likeliest token is invalid the relative deviation is what the forms are chosen by."""
    rng = np.random.default_rng(3)
    weights = 1 / np.arange(1, 300) ** 1.5
    weights[0] = 6 * weights[1:].sum()
    draws = np.array([math.exp(form(Urn(weights.copy()), lambda i: i % 8 != 0, rng)[1]) for _ in range(1500)])
    z = weights[np.arange(299) % 8 != 0].sum() / weights.sum()
    assert draws.mean() == pytest.approx(z, rel=0.2)
    assert draws.std() / z < limit
