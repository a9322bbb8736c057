"""Beam search and looking ahead, against enumeration."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_constraint import ReferenceConstraint, ReferenceVocabulary
from toy_language import CONSTRAINT, LENGTH, VOCAB, WORDS, Markov, Run

from syntagma.engine.beam import Beam, _Beam
from syntagma.engine.law import Law
from syntagma.engine.lookahead import Lookahead
from syntagma.engine.residuals import Check, Checked
from syntagma.engine.urn import Urn
from syntagma.engine.walk import Situation, best_first
from syntagma.grammar.errors import InvalidSource

pytestmark = pytest.mark.kernel


def run(
    method: Any, model: Any, constraint: Any = CONSTRAINT, length: int = LENGTH, seed: int = 0, **options: Any
) -> Any:
    """One run."""
    return method.run(model, constraint, constraint.vocab, np.random.default_rng(seed), max_tokens=length, **options)


def text_of(run: Run) -> bytes:
    """The letters of a run."""
    return VOCAB.decode(run)


@pytest.mark.parametrize("seed", range(6))
def test_a_wide_beam_finds_the_most_probable_words(seed: int) -> None:
    """With as many beams as there are prefixes the outputs are the most probable words of the language, in order."""
    model = Markov(seed, 2.0)
    outputs = run(Beam(width=250), model).outputs
    best = sorted(WORDS, key=lambda w: -model.log_probability(w))
    assert [o.tokens for o in outputs] == best
    total = sum(math.exp(model.log_probability(w)) for w in best)
    assert [o.probability for o in outputs] == pytest.approx([math.exp(model.log_probability(w)) / total for w in best])


def greedy(model: Any, constraint: Any, length: int) -> Run:
    """The most likely allowed token, again and again."""
    state, tokens = constraint.start, ()
    while True:
        row = model([tokens])[0]
        mask = constraint.mask(state, budget=length - len(tokens))
        allowed = [t for t in range(constraint.vocab.size) if mask[t >> 5] >> np.uint32(t & 31) & 1]
        token = max(allowed, key=lambda t: (row[t], -t))
        if token in constraint.vocab.eos_ids:
            return tokens
        state, tokens = constraint.advance(state, token), (*tokens, token)


class Random:
    """A model whose row hangs on the whole run."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, runs: Sequence[Run]) -> list[np.ndarray]:
        """Rows by a seed made of the run."""
        return [np.random.default_rng([len(r), *r]).normal(scale=2, size=self.size) for r in runs]


WORD_SETS = st.sets(st.text("abc", max_size=5).map(str.encode), min_size=1, max_size=7)
SMALL = ReferenceVocabulary([None, b"a", b"b", b"c", b"ab", b"bc"], eos_ids=[0])


@settings(max_examples=30)
@given(WORD_SETS, st.integers(0, 3))
def test_one_beam_is_greedy(words: set[bytes], more: int) -> None:
    """A single beam, and a look-ahead over a single candidate, are greedy decoding under the mask, within every budget."""
    constraint = ReferenceConstraint(words, SMALL)
    budget = constraint.finish_bound(constraint.start) + more
    expected = greedy(Random(6), constraint, budget)
    assert run(Beam(width=1), Random(6), constraint, budget).outputs[0].tokens == expected
    assert run(Lookahead(candidates=1), Random(6), constraint, budget).best.tokens == expected
    assert run(Lookahead(entropy_threshold=99), Random(6), constraint, budget).best.tokens == expected


@settings(max_examples=30)
@given(WORD_SETS, st.integers(0, 3), st.sampled_from([0.0, 1.0]))
def test_outputs_are_valid_and_complete(words: set[bytes], more: int, penalty: float) -> None:
    """Whatever the search, every output is a word that fits the budget, and they are different."""
    constraint = ReferenceConstraint(words, SMALL)
    budget = constraint.finish_bound(constraint.start) + more
    for method in (
        Beam(3, length_penalty=penalty),
        Beam(4, 2, 0.7, penalty),
        Lookahead(depth=2),
        Lookahead(lambda text, _: text.count(b"b"), depth=None),
    ):
        outputs = run(method, Random(6), constraint, budget).outputs
        assert outputs
        assert all(constraint.accepts(SMALL.decode(o.tokens)) and len(o.tokens) <= budget for o in outputs)
        assert len({o.tokens for o in outputs}) == len(outputs)


@pytest.mark.parametrize("padding", [1, 20])
def test_which_end_of_sequence_comes_is_no_difference(padding: int) -> None:
    """With several such tokens a text counts once, by the probability of all of them, whether masks are dense or sparse."""
    vocab = ReferenceVocabulary([None, b"a", b"b", None, *(b"c%d" % i for i in range(padding))], eos_ids=[0, 3])
    constraint = ReferenceConstraint([b"a", b"ab", b"b"], vocab)
    p = np.array([0.3, 0.25, 0.2, 0.24, *(np.full(padding, 0.01 / padding))])

    def model(runs: Sequence[Run]) -> list[np.ndarray]:
        return [np.log(p) for _ in runs]

    ends = p[0] + p[3]
    truth = {(1,): p[1] * ends, (2,): p[2] * ends, (1, 2): p[1] * p[2] * ends}
    outputs = run(Beam(3), model, constraint, 4).outputs
    assert [o.tokens for o in outputs] == [(1,), (2,), (1, 2)]
    assert [o.probability for o in outputs] == pytest.approx([truth[o.tokens] / sum(truth.values()) for o in outputs])
    assert run(Lookahead(lambda text, _: len(text), draw=True), model, constraint, 4).outputs


def test_length_penalty_ranks_by_the_mean() -> None:
    """With the power 1 outputs are ranked by mean log probability, end-of-sequence counted, with 0 by the sum."""
    constraint = ReferenceConstraint([b"a", b"bb", b"ccc"], SMALL)

    def model(runs: Sequence[Run]) -> list[np.ndarray]:
        row = np.log(np.array([0.2, 0.2, 0.25, 0.25, 0.05, 0.05]))
        return [row for _ in runs]

    def sums(word: bytes) -> float:
        return sum(math.log({97: 0.2, 98: 0.25, 99: 0.25}[c]) for c in word) + math.log(0.2)

    for penalty in (0.0, 1.0):
        outputs = run(Beam(6, length_penalty=penalty), model, constraint, 5).outputs
        ranked = sorted([b"a", b"bb", b"ccc"], key=lambda w: -sums(w) / (len(w) + 1) ** penalty)
        assert [SMALL.decode(o.tokens) for o in outputs] == ranked
    assert ranked[0] == b"ccc"


def test_groups_differ_where_something_is_to_be_decided() -> None:
    """With a penalty the groups go on with different letters; a forced letter costs nothing."""
    constraint = ReferenceConstraint([b"ca", b"cb", b"cc"], SMALL)

    def model(runs: Sequence[Run]) -> list[np.ndarray]:
        return [np.array([0.0, 3.0, 2.0, 1.0, -9.0, -9.0]) for _ in runs]

    same = run(Beam(2, 2), model, constraint, 4).outputs
    assert len(same) == 1
    outputs = run(Beam(2, 2, diversity=5.0), model, constraint, 4).outputs
    assert {SMALL.decode(o.tokens) for o in outputs} == {b"ca", b"cb"}
    diverse = run(Beam(3, 3, diversity=2.5), model, constraint, 4).outputs
    assert {SMALL.decode(o.tokens) for o in diverse} == {b"ca", b"cb", b"cc"}
    beam = _Beam((), constraint.start, 0.0, 0.0)
    forced = Situation(Law(constraint), SMALL, model([()])[0], constraint.start, 4)
    ((score, _, candidate),) = Beam(2, 2, diversity=5.0)._continued(beam, forced, Counter({3: 2}))
    assert (candidate.token, score) == (3, candidate.log_p)


def test_a_check_is_kept_in_a_search() -> None:
    """A beam finds the most probable word that passes, not the most probable one."""
    model = next(m for m in map(Markov, range(99), [2.0] * 99) if max(WORDS, key=m.log_probability).count(0) > 1)
    checked: Any = Checked(CONSTRAINT, Check(lambda text, _: text.count("a") <= 1, guards=b"a"))
    passing = [w for w in WORDS if w.count(0) <= 1]
    best = max(passing, key=model.log_probability)
    assert run(Beam(width=250), model, checked).best.tokens == best
    assert (
        run(Lookahead(lambda text, _: -10 * text.count(b"a"), candidates=9, depth=None), model, checked).best.tokens
        in passing
    )


def test_rewards_are_looked_for_ahead() -> None:
    """A reward that only shows in the end decides the first letter, if the roll-out reaches it and not if it does not."""
    constraint = ReferenceConstraint([b"abbba", b"cbbbc"], SMALL)

    def model(runs: Sequence[Run]) -> list[np.ndarray]:
        return [np.array([0.0, 1.0, 1.0, 0.0, -9.0, -9.0]) for _ in runs]

    def reward(text: bytes, complete: bool) -> float:  # noqa: ARG001 - a promise is judged like the end
        return float(text.endswith(b"c"))

    for depth, expected in ((3, b"abbba"), (4, b"cbbbc"), (None, b"cbbbc")):
        method = Lookahead(reward, depth=depth, weight=3.0)
        assert SMALL.decode(run(method, model, constraint, 5).best.tokens) == expected
    assert SMALL.decode(run(Lookahead(reward, depth=None, weight=0.5), model, constraint, 5).best.tokens) == b"abbba"


def test_draws_are_tilted_by_the_value_of_roll_outs() -> None:
    """A candidate is drawn in proportion to probability times the exponential of its reward: 600 draws, five standard errors."""
    constraint = ReferenceConstraint([b"a", b"b", b"c"], SMALL)

    def model(runs: Sequence[Run]) -> list[np.ndarray]:
        return [np.array([0.0, 1.0, 0.5, 0.0, -9.0, -9.0]) for _ in runs]

    method = Lookahead(lambda text, _: {b"a": 0.0, b"b": 1.0, b"c": 2.0}[text], weight=0.7, depth=None, draw=True)
    got = Counter(run(method, model, constraint, 3, seed).best.tokens[0] for seed in range(600))
    weights = np.exp([1.0, 0.5 + 0.7, 0.0 + 1.4])
    for token, p in zip((1, 2, 3), weights / weights.sum(), strict=True):
        assert abs(got[token] / 600 - p) < 5 * math.sqrt(p * (1 - p) / 600)


def test_undecided_places_are_ranked_by_what_follows() -> None:
    """Without a reward, the candidate whose continuation is likelier wins, forced letters left out of the mean; a threshold above the entropy ends it."""
    constraint = ReferenceConstraint([b"aab", b"aac", b"bbbbbb"], SMALL)
    table = {
        (): [-9.0, 1.0, 0.9, -9.0],
        (1, 1): [-9.0, -9.0, 0.0, 0.0],
    }

    def model(runs: Sequence[Run]) -> list[np.ndarray]:
        return [np.array([*table.get(r, [0.0, 0.0, 0.0, -9.0]), -9.0, -9.0]) for r in runs]

    assert SMALL.decode(run(Lookahead(), model, constraint, 6).best.tokens) == b"bbbbbb"
    assert SMALL.decode(run(Lookahead(entropy_threshold=0.7), model, constraint, 6).best.tokens)[:2] == b"aa"


@given(st.lists(st.integers(0, 6), min_size=1, max_size=200))
def test_best_first_is_a_sorted_order(weights: list[int]) -> None:
    """Heaviest first, lower indices first among equals, none of weight zero."""
    order = list(best_first(Urn(np.array(weights, float))))
    assert order == sorted((i for i, w in enumerate(weights) if w), key=lambda i: (-weights[i], i))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Beam(width=0),
        lambda: Beam(width=3, groups=2),
        lambda: Beam(diversity=1.0),
        lambda: Beam(groups=2, diversity=-1.0),
        lambda: Lookahead(candidates=0),
        lambda: Lookahead(depth=-1),
        lambda: Lookahead(draw=True),
    ],
)
def test_options_out_of_range(make: Any) -> None:
    """They are refused when the search is made."""
    with pytest.raises(InvalidSource):
        make()
