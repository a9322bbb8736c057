"""Weighted canvases against enumeration of every filling, on machines small enough to read."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, islice
from math import fsum, inf

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pushdown_toys import TOYS, UNAMBIGUOUS, Toy, toys
from sizes import size

from syntagma.automata.lattice.class_weights import NO_TOKEN, TokenWeights
from syntagma.automata.lattice.commits import greedy, in_turn
from syntagma.automata.lattice.least import FAR, finish, least_tokens
from syntagma.automata.lattice.runs import Composer
from syntagma.automata.lattice.slots import Step
from syntagma.automata.lattice.units import pushdown
from syntagma.automata.lattice.weighted import WeightedEngine
from syntagma.grammar.errors import InvalidSource, LimitExceeded, Unsupported

pytestmark = pytest.mark.kernel

SLOTS = size(5, plain=3)


@st.composite
def canvases(draw: st.DrawFn, toy: Toy, *, gaps: bool = False, least: int = 0) -> list[Step]:
    """Holes, fixed tokens, holes that allow some tokens, and with ``gaps`` steps that may be left out.

    Most are laid over an accepted text, since random ones can hardly ever be filled.
    """
    n = draw(st.integers(least, SLOTS))
    texts = toy.fillings([Step(i) for i in range(n)])
    token = st.integers(0, len(toy.class_of) - 1)
    text = draw(st.sampled_from(texts)) if texts else tuple(draw(st.lists(token, min_size=n, max_size=n)))
    steps = []
    for i, t in enumerate(text):
        spoilt = draw(st.integers(0, 6)) == 0
        kind = draw(st.sampled_from(["hole", "hole", "some", "fixed", "fixed"] + ["gap"] * gaps))
        if kind == "fixed":
            steps.append(Step(i, token=draw(token) if spoilt else t))
        elif kind == "some":
            steps.append(Step(i, allowed=draw(st.frozensets(token)) | (frozenset() if spoilt else {t}), hole=True))
        else:
            steps.append(Step(i, skippable=kind == "gap" and draw(st.booleans()), hole=kind == "hole"))
    return steps


def drawn_weights(draw: st.DrawFn, toy: Toy, steps: list[Step]) -> npt.NDArray[np.float64]:
    """A row for each hole: log probabilities, some forbidden, some very small."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = rng.normal(0, draw(st.sampled_from([0.5, 3.0, 300.0])), (sum(s.hole for s in steps), len(toy.class_of)))
    rows[rng.random(rows.shape) < draw(st.sampled_from([0.0, 0.2]))] = -inf
    return rows


def weight(steps: list[Step], rows: npt.NDArray[np.float64], filling: tuple[int, ...]) -> float:
    """The summed weight of the holes' tokens."""
    holes = [i for i, s in enumerate(steps) if s.hole]
    return fsum(float(rows[k, filling[i]]) for k, i in enumerate(holes)) if holes else 0.0


def log_sum(terms: list[float]) -> float:
    """log(sum(exp(terms))), exactly rounded but for the last steps."""
    most = max(terms, default=-inf)
    return most if most == -inf else most + float(np.log(fsum(np.exp(t - most) for t in terms)))


MACHINES = st.sampled_from(sorted(TOYS)).map(TOYS.__getitem__) | toys()
UNAMBIGUOUS_MACHINES = st.sampled_from(sorted(UNAMBIGUOUS)).map(UNAMBIGUOUS.__getitem__) | toys()


@given(st.data(), MACHINES)
def test_the_best_filling_is_the_best(data: st.DataObject, toy: Toy) -> None:
    """The value is the maximum over all fillings, and the filling that comes with it is accepted and attains it."""
    steps = data.draw(canvases(toy))
    rows = drawn_weights(data.draw, toy, steps)
    found = WeightedEngine(toy.machine(), steps).best_fill(rows)
    weights = {f: weight(steps, rows, f) for f in toy.fillings(steps)}
    best = max(weights.values(), default=-inf)
    if best == -inf:
        assert found is None
        return
    assert found is not None
    assert found[1] == pytest.approx(best, rel=1e-12, abs=1e-12)
    assert weights[tuple(found[0])] == pytest.approx(best, rel=1e-12, abs=1e-12)


@given(st.data(), UNAMBIGUOUS_MACHINES)
def test_mass_and_marginals_are_those_of_enumeration(data: st.DataObject, toy: Toy) -> None:
    """The mass of all fillings and each token's posterior are the sums of their definition, also where they are tiny."""
    steps = data.draw(canvases(toy))
    fillings = list(toy.fillings(steps))
    assume(all(toy.runs(f) == 1 for f in fillings))
    rows = drawn_weights(data.draw, toy, steps)
    engine = WeightedEngine(toy.machine(deterministic=True), steps)
    weights = {f: weight(steps, rows, f) for f in fillings}
    mass = log_sum(list(weights.values()))
    assert engine.log_mass(rows) == pytest.approx(mass, rel=1e-12, abs=1e-9)
    marginals = engine.log_marginals(rows)
    holes = [i for i, s in enumerate(steps) if s.hole]
    assert marginals.shape == rows.shape
    for (k, token), got in np.ndenumerate(marginals):
        expected = log_sum([w for f, w in weights.items() if f[holes[k]] == token])
        if expected == -inf:
            assert got == -inf
        else:
            assert got == pytest.approx(expected - mass, rel=1e-12, abs=1e-9)


@given(st.data(), MACHINES)
def test_a_joint_commit_keeps_the_most_weight(data: st.DataObject, toy: Toy) -> None:
    """What is kept goes together with some filling, and no compatible proposals weigh more."""
    steps = data.draw(canvases(toy, gaps=True, least=1))
    slots = [i for i, s in enumerate(steps) if not s.skippable]
    assume(slots)
    proposal = st.tuples(st.sampled_from(slots), st.integers(0, len(toy.class_of) - 1))
    wanted = data.draw(st.dictionaries(proposal, st.integers(1, 9), max_size=6))
    bonus: dict[int, dict[int, float]] = {}
    for (i, token), worth in wanted.items():
        bonus.setdefault(i, {})[token] = float(worth)
    found = WeightedEngine(toy.machine(), steps).best_commit(bonus)
    values = {f: sum(w for (i, t), w in wanted.items() if f[i] == t) for f in toy.fillings(steps)}
    if not values:
        assert found is None
        return
    assert found is not None
    kept, filling = found
    assert sum(wanted[i, t] for i, t in kept.items()) == max(values.values())
    assert all(filling[i] == t for i, t in kept.items())
    assert tuple(filling) in values


@given(st.data(), MACHINES)
def test_the_fewest_slots_are_the_fewest(data: st.DataObject, toy: Toy) -> None:
    """With gaps, the least number of tokens is that of the shortest filling."""
    steps = data.draw(canvases(toy, gaps=True))
    lengths = {f: sum(t >= 0 for t in f) for f in toy.fillings(steps)}
    found = WeightedEngine(toy.machine(), steps).shortest()
    assert (found is None) == (not lengths)
    assert found is None or lengths[tuple(found)] == min(lengths.values())


@given(st.data(), MACHINES)
def test_runs_of_fixed_tokens_change_nothing(data: st.DataObject, toy: Toy) -> None:
    """With runs as one step each, every answer is that of the canvas token by token."""
    steps = data.draw(canvases(toy, gaps=True))
    one, many = (WeightedEngine(toy.machine(), steps, compose=compose) for compose in (True, False))
    shortest = [engine.shortest() for engine in (one, many)]
    assert (shortest[0] is None) == (shortest[1] is None)
    assert (shortest[0] or []).count(-1) == (shortest[1] or []).count(-1)
    bonus = {i: {data.draw(st.integers(0, len(toy.class_of) - 1)): 1.0} for i, s in enumerate(steps) if s.hole}
    kept = [engine.best_commit(bonus) for engine in (one, many)]
    assert (kept[0] is None) == (kept[1] is None)
    assert len(kept[0][0] if kept[0] else ()) == len(kept[1][0] if kept[1] else ())


@pytest.mark.parametrize("name", ["dyck", "json", "chains"])
def test_long_texts_around_holes(name: str) -> None:
    """Three holes in hundreds of fixed tokens, deep in brackets, have the best filling that enumeration finds."""
    toy = TOYS[name]
    opened = np.random.default_rng(3).integers(0, 2, 60).tolist()
    text: list[int] = {
        "dyck": opened + [7, 8] + [t + 2 for t in reversed(opened)],
        "json": [2] * 50 + [0, 4, 2, 0, 4, 1, 3] + [4, 0, 3] * 49 + [3],
        "chains": [0, 1] + [0, 0, 1] * 30 + [1] * 30,
    }[name]
    holes = [len(text) // 3, len(text) // 2, 2 * len(text) // 3]
    steps = [Step(i, hole=True) if i in holes else Step(i, token=t) for i, t in enumerate(text)]
    fillings = toy.fillings(steps)
    rows = np.random.default_rng(5).normal(0, 1, (3, len(toy.class_of)))
    found = WeightedEngine(toy.machine(), steps).best_fill(rows)
    best = max(weight(steps, rows, f) for f in fillings)
    assert found is not None
    assert found[1] == pytest.approx(best, abs=1e-12)
    assert weight(steps, rows, tuple(found[0])) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("needed", [0, 3, 20])
def test_long_gaps_are_as_short_as_they_can_be(needed: int) -> None:
    """A gap of hundreds of tokens is asked for what the brackets before it need, more than is looked at first or less."""
    toy = TOYS["dyck"]
    opened = [0] * needed
    steps = [Step(i, token=t) for i, t in enumerate(opened)]
    steps += [Step(needed, skippable=True) for _ in range(300)] + [Step(needed + 1, token=7)]
    steps += [Step(needed + 2, skippable=True) for _ in range(300)]
    found = WeightedEngine(toy.machine(), steps).shortest()
    assert found is not None
    tokens = [t for t in found if t >= 0]
    assert len(tokens) == 2 * needed + 1  # no token closes two round brackets
    assert toy.runs(tokens) == 1


@pytest.mark.parametrize(("name", "first"), [("dyck", 0), ("json", 2), ("regular", 0)])
def test_samples_have_the_exact_joint_distribution(name: str, first: int) -> None:
    """A chi-square test over whole fillings: 99.9th percentile, fixed seed."""
    toy = UNAMBIGUOUS[name]
    steps = [Step(0, token=first), Step(1, hole=True), Step(2, hole=True), Step(3, hole=True)]
    rng = np.random.default_rng(7)
    rows = rng.normal(0, 1.0, (3, len(toy.class_of)))
    n = size(4000, plain=400)
    drawn = WeightedEngine(toy.machine(deterministic=True), steps).samples(rows, rng)
    weights = {f: weight(steps, rows, f) for f in toy.fillings(steps)}
    mass = log_sum(list(weights.values()))
    counts = dict.fromkeys(weights, 0)
    for tokens in islice(drawn, n):
        counts[tuple(tokens)] += 1
    expected = {f: n * float(np.exp(w - mass)) for f, w in weights.items()}
    rare = {f for f, e in expected.items() if e < 5}
    cells = [(counts[f], e) for f, e in expected.items() if f not in rare]
    cells.append((sum(counts[f] for f in rare), max(sum(expected[f] for f in rare), 1e-9)))
    statistic = sum((c - e) ** 2 / e for c, e in cells)
    freedom = len(cells) - 1
    z = 3.09  # of the normal distribution; Wilson and Hilferty's approximation of the chi-square quantile
    assert len(cells) > 2
    assert statistic < freedom * (1 - 2 / (9 * freedom) + z * (2 / (9 * freedom)) ** 0.5) ** 3


def test_half_precision_rows_are_taken_as_they_are() -> None:
    """Rows of float32 and float16 give what their values in float64 give."""
    toy = UNAMBIGUOUS["json"]
    steps = [Step(i, hole=True) for i in range(3)]
    rows = np.random.default_rng(1).normal(0, 2.0, (3, len(toy.class_of)))
    engine = WeightedEngine(toy.machine(deterministic=True), steps)
    for kind in (np.float32, np.float16):
        short = rows.astype(kind)
        assert engine.best_fill(short) == engine.best_fill(short.astype(np.float64))
        assert engine.log_mass(short) == pytest.approx(engine.log_mass(short.astype(np.float64)), abs=1e-12)


def test_what_cannot_be_answered_is_refused_by_name() -> None:
    """Sums need one run for each text, probabilities need holes, rows need their shape and numbers, tables a limit."""
    toy = TOYS["ambiguous"]
    holes = [Step(0, hole=True), Step(1, hole=True)]
    rows = np.zeros((2, len(toy.class_of)))
    engine = WeightedEngine(toy.machine(), holes)
    for question in (engine.log_mass, engine.log_marginals, lambda r: engine.sample(r, np.random.default_rng(0))):
        with pytest.raises(Unsupported, match="ambiguous"):
            question(rows)
    with pytest.raises(Unsupported, match="gaps"):
        WeightedEngine(toy.machine(), [Step(0, skippable=True)]).best_fill(np.zeros((0, len(toy.class_of))))
    with pytest.raises(InvalidSource, match="shape"):
        engine.best_fill(rows[:1])
    for wrong in (np.nan, inf):
        rows[1, 2] = wrong
        with pytest.raises(InvalidSource, match="below infinity"):
            engine.best_fill(rows)
    with pytest.raises(LimitExceeded) as limit:
        WeightedEngine(toy.machine(), holes, max_cells=3).best_fill(np.zeros((2, len(toy.class_of))))
    assert limit.value.limit == "max_cells"


@given(st.sets(st.frozensets(st.integers(0, 7), min_size=1, max_size=3), max_size=6), st.permutations(range(8)))
def test_halving_keeps_what_one_at_a_time_keeps(conflicts: set[frozenset[int]], order: list[int]) -> None:
    """Whatever sets must not be together, the halved list keeps the proposals that a greedy pass keeps, in order."""

    def compatible(some: list[int]) -> bool:
        return not any(c <= set(some) for c in conflicts)

    kept: list[int] = []
    for proposal in order:
        if compatible([*kept, proposal]):
            kept.append(proposal)
    taken: list[int] = []
    asked: list[list[int]] = []

    def fits(some: list[int]) -> bool:
        asked.append(some)
        if compatible(some):
            taken[:] = some
        return compatible(some)

    def still(some: list[int]) -> list[int]:
        return [i for i in some if compatible([*taken, i])]

    assert greedy(order, fits) == kept
    assert greedy(order, fits, still) == kept
    if len(kept) < len(order):
        asked.clear()
        assert greedy(order, fits, still, refuted=True) == kept
        assert order not in asked


@given(
    st.sets(st.frozensets(st.integers(0, 5), min_size=1, max_size=3), max_size=5),
    st.lists(st.integers(1, 4), min_size=6, max_size=6),
)
def test_a_greedy_choice_is_called_best_only_where_it_is(conflicts: set[frozenset[int]], worth: list[int]) -> None:
    """Where proposals taken in turn are said to be the best, no compatible subset weighs more."""

    def weight(some: frozenset[int]) -> int:
        return 0 if any(c <= some for c in conflicts) else sum(worth[i] for i in some)

    def fits(chosen: Mapping[int, int]) -> bool:
        return not any(c <= chosen.keys() for c in conflicts)

    everything = frozenset(range(6))
    found, best = in_turn({i: {7: float(w)} for i, w in enumerate(worth)}, fits, refuted=bool(conflicts))
    most = max(weight(frozenset(some)) for n in range(7) for some in combinations(everything, n))
    assert weight(frozenset(found)) <= most
    assert not best or weight(frozenset(found)) == most
    assert best or len(everything) - len(found) > 1 or max(worth) > min(worth)


@given(MACHINES)
def test_fewest_tokens_of_canvases_of_any_length(toy: Toy) -> None:
    """From the start and from every stack that a short text leads to, the fixpoint is the length of the shortest text that completes it."""
    machine = toy.machine()
    p = pushdown(machine, Composer(machine).nodes)
    usable = np.zeros(machine.edge_classes.shape[1], np.uint64)
    for c in set(toy.class_of) - {0}:
        usable[c >> 6] |= np.uint64(1 << (c & 63))
    least = least_tokens(p, usable, machine.end_class)
    layers = [{(0, (0,))}]
    for _ in range(SLOTS):
        layers.append(
            {there for here in layers[-1] for t in range(len(toy.class_of)) for there in toy.read({here: 1}, t)}
        )
    for n, layer in enumerate(layers[:3]):
        for q, stack in layer:
            here, fewest = {(q, stack)}, None
            for length in range(SLOTS + 1 - n):
                if any(toy.ways({one: 1}) for one in here):
                    fewest = length
                    break
                here = {there for one in here for t in range(len(toy.class_of)) for there in toy.read({one: 1}, t)}
            got = finish(p, least, q, tuple(reversed(stack)))
            assert got == fewest if fewest is not None else got is None or got > SLOTS - n
    whole = finish(p, least, p.start, ())
    assert (whole is None) == (least[p.start, 0] == FAR)
    assert whole is None or whole == least[p.start, 0] == finish(p, least, 0, (0,))


@given(st.data(), st.booleans())
def test_classes_weigh_what_their_tokens_do(data: st.DataObject, short: bool) -> None:
    """Best token, log-sum-exp and the split of a class, for rows of two precisions and holes that take some ids only."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    class_of = rng.integers(0, 4, 9).astype(np.int32)
    allowed = data.draw(st.lists(st.none() | st.frozensets(st.integers(0, 8)), min_size=1, max_size=3))
    rows = rng.normal(0, 50, (len(allowed), 9))
    rows[rng.random(rows.shape) < 0.2] = -inf
    tokens = TokenWeights(rows.astype(np.float32) if short else rows, class_of, 4, allowed)
    rows = tokens.rows.astype(np.float64)
    posterior = rng.normal(-1, 1, (len(allowed), 4))
    split = tokens.expand(posterior)
    for h, ids in enumerate(allowed):
        for c in range(4):
            own = [t for t in range(9) if class_of[t] == c and c and (ids is None or t in ids) and rows[h, t] > -inf]
            assert tokens.best[h, c] == max((rows[h, t] for t in own), default=-inf)
            assert tokens.best_token[h, c] == next((t for t in own if rows[h, t] == tokens.best[h, c]), NO_TOKEN)
            total = log_sum([float(rows[h, t]) for t in own])
            assert tokens.sums[h, c] == pytest.approx(total, abs=1e-12)
            for t in np.flatnonzero(class_of == c).tolist():
                expected = rows[h, t] - total + posterior[h, c] if t in own else -inf
                assert split[h, t] == pytest.approx(expected, abs=1e-9)
