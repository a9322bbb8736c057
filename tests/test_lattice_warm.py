"""Canvases that go on with the tables of others: whatever was computed before, and by whom, the answers are those of a canvas that begins with nothing."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from machine_checks import vocabulary
from sizes import size
from test_machine_toys import TOYS

from syntagma.automata.constraint import Constraint
from syntagma.automata.lattice import Lattice, pushdown, shelf
from syntagma.automata.lattice.canvas import CanvasEngine, Layout
from syntagma.automata.lattice.engines import engine_of, layout_of
from syntagma.automata.lattice.machine import CONTROL
from syntagma.automata.lattice.shelf import Kept
from syntagma.automata.lattice.slots import HOLE, Gap, Hole, Slot, Step, unroll

pytestmark = pytest.mark.kernel

NESTED = ["sums", "arrays"]


@cache
def constrained(name: str) -> tuple[Constraint, list[int]]:
    """A constraint whose machine has a stack, and the tokens of a long text of it."""
    grammar, tokens, _ = TOYS[name]
    constraint = Constraint.from_grammar(grammar, vocabulary(tokens, padded=True))
    layout = layout_of(constraint)
    assert (layout.machine.kind != CONTROL).any()
    rng, n = random.Random(name), size(60, plain=20)
    with Lattice(constraint, [HOLE] * n) as lattice:
        for slot in rng.sample(range(n), n):
            row = lattice.masks()[lattice.holes.index(slot)]
            allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
            text = [t for t in allowed.tolist() if constraint.vocab.tokens[t]]
            lattice.commit([(slot, rng.choice(text or allowed.tolist()))])
        return constraint, [slot for slot in lattice.slots if isinstance(slot, int)]


def drawn(name: str, rng: random.Random) -> list[Step]:
    """A canvas: some fixed tokens, then holes or an end of one of a few kinds, so that many canvases end alike."""
    constraint, text = constrained(name)
    some = constraint.vocab.eos_ids[0], *range(4)
    n = rng.choice([3, 12, size(70, plain=14), size(100, plain=16)])
    end: list[Slot] = [HOLE] * n
    kind = rng.randrange(10)  # half of them are open to the end
    if kind == 1:
        end[-3:] = [Hole(some)] * 3
    elif kind == 2:
        end[: n // 2] = [Hole(some[: rng.randint(2, 5)])] + [HOLE] * (n // 2 - 1)
    elif kind == 3:
        end += [constraint.vocab.eos_ids[0]] * rng.choice([1, 4])
    elif kind == 4:
        end[-2] = Gap(0, 2)
    elif kind == 5:
        end[rng.randrange(n)] = rng.randrange(4)
    return unroll([*text[: rng.choice([0, 0, 1, 2, 5, 9, size(40, plain=12)])], *end], constraint.vocab.size)


def said(engine: CanvasEngine) -> tuple[bool, npt.NDArray[np.uint64]]:
    """Whether a canvas can be filled, and with which classes each hole."""
    return engine.feasible(), engine.class_masks()[[step.hole for step in engine.steps]]


def cold(layout: Layout, steps: Sequence[Step]) -> tuple[bool, npt.NDArray[np.uint64]]:
    """What an engine says that has nothing to go on with."""
    engine = engine_of(Layout(layout.machine), steps)
    found = said(engine)
    engine.close()
    return found


def the_same(one: tuple[bool, npt.NDArray[np.uint64]], other: tuple[bool, npt.NDArray[np.uint64]]) -> bool:
    """Whether two answers are."""
    return one[0] == other[0] and np.array_equal(one[1], other[1])


def narrowed(engine: CanvasEngine, steps: list[Step], rng: random.Random) -> list[Step]:
    """The canvas with a token that is possible in one of its holes."""
    masks = engine.class_masks()
    i = rng.choice([i for i, step in enumerate(steps) if step.hole])
    bits = np.unpackbits(masks[i].view(np.uint8), bitorder="little")[engine.machine.class_of]
    tokens = [t for t in np.flatnonzero(bits).tolist() if steps[i].allowed is None or t in (steps[i].allowed or ())]
    return [*steps[:i], Step(steps[i].slot, token=rng.choice(tokens or [0])), *steps[i + 1 :]]


@pytest.mark.parametrize("least_run", [2, 1000])
@pytest.mark.parametrize("name", NESTED)
def test_a_canvas_says_the_same_whatever_was_computed_before(
    name: str, least_run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Canvases of all lengths and beginnings, up to three at a time, changed on the way and closed in any order; many of them go on with the table of another."""
    monkeypatch.setattr(pushdown, "LEAST_RUN", least_run)
    taken: list[int] = []
    carry_over = Kept.carry_over
    monkeypatch.setattr(Kept, "carry_over", lambda self, *rest: taken.append(rest[1]) or carry_over(self, *rest))
    constraint, _ = constrained(name)
    layout = Layout(layout_of(constraint).machine)
    rng = random.Random(name)
    living: list[tuple[CanvasEngine, list[Step]]] = []
    feasible = 0
    for _ in range(size(250, plain=9)):
        if len(living) == 3 or (living and rng.random() < 0.4):
            living.pop(rng.randrange(len(living)))[0].close()
        steps = drawn(name, rng)
        engine = engine_of(layout, steps)
        living.append((engine, steps))
        for _ in range(rng.randint(1, 3)):
            i = rng.randrange(len(living))
            engine, steps = living[i]
            found = said(engine)
            assert the_same(found, cold(layout, steps)), steps
            feasible += found[0]
            if found[0] and any(step.hole for step in steps) and rng.random() < 0.6:
                steps = narrowed(engine, steps, rng)
                engine.fix(steps)
                living[i] = engine, steps
                if rng.random() < 0.5:
                    assert the_same(said(engine), cold(layout, steps)), steps
    for engine, _ in living:
        engine.close()
    assert feasible > size(100, plain=5)
    assert len(taken) >= size(25, plain=0)


def test_threads_share_a_shelf() -> None:
    """Threads that open and close canvases of one constraint all the time get the answers of a canvas by itself."""
    constraint, _ = constrained("arrays")
    layout = Layout(layout_of(constraint).machine)
    rng = random.Random(5)
    canvases = [drawn("arrays", rng) for _ in range(size(8, plain=3))]
    expected = [cold(layout, steps) for steps in canvases]
    wrong: list[object] = []

    def work(seed: int) -> None:
        mine = random.Random(seed)
        try:
            for _ in range(size(30, plain=3)):
                i = mine.randrange(len(canvases))
                engine = engine_of(layout, canvases[i])
                if not the_same(said(engine), expected[i]):
                    wrong.append(canvases[i])
                engine.close()
        except BaseException as error:  # noqa: BLE001 - a thread's error is shown in the test
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def kept_by(layout: Layout) -> list[Kept]:
    """The tables on a machine's shelf."""
    return shelf.SHELF.kept_of(layout.number)


def computed(layout: Layout, slots: Sequence[Slot]) -> None:
    """Compute a canvas and close it."""
    engine = engine_of(layout, unroll(slots, len(layout.machine.class_of)))
    engine.class_masks()
    engine.close()


def test_a_shelf_holds_few_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Canvases with nothing in common leave a few tables, the last ones; fewer where they are large."""
    monkeypatch.setattr(shelf, "SHELF", shelf.Shelf())
    monkeypatch.setattr(pushdown, "SHELF", shelf.SHELF)
    constraint, _ = constrained("sums")
    layout = Layout(layout_of(constraint).machine)
    for token in range(shelf.MOST_KEPT + 3):
        computed(layout, [HOLE] * 5 + [token])
        assert len(kept_by(layout)) <= shelf.MOST_KEPT
    last = [int(kept.step_class[-1]) for kept in kept_by(layout)]
    class_of = layout.machine.class_of
    assert last == [int(class_of[token]) for token in range(3, shelf.MOST_KEPT + 3)]
    other = Layout(layout.machine)
    computed(other, [HOLE] * 5)
    everything = kept_by(layout) + kept_by(other)
    monkeypatch.setattr(shelf, "MOST_KEPT_BYTES", sum(kept.nbytes for kept in everything) - 1)
    computed(other, [HOLE] * 5)
    assert kept_by(layout) == everything[1:-1], "the one that was not used for longest has made room"
    assert len(kept_by(other)) == 1
    monkeypatch.setattr(shelf, "MOST_KEPT_BYTES", 0)
    computed(other, [HOLE] * 5)
    assert kept_by(layout) + kept_by(other) == []


def test_what_is_kept_of_a_constraint_goes_with_it() -> None:
    """A machine that nobody has any more leaves no tables behind."""
    layout = Layout(layout_of(constrained("sums")[0]).machine)
    number = layout.number
    computed(layout, [HOLE] * 5)
    assert len(shelf.SHELF.kept_of(number)) == 1
    del layout
    assert shelf.SHELF.kept_of(number) == []


def test_an_open_end_is_computed_once() -> None:
    """Behind another beginning, the layers of an open end are there already, of a shorter canvas and of a longer one; a canvas that is not closed keeps them."""
    constraint, text = constrained("arrays")
    layout = Layout(layout_of(constraint).machine)
    n = 40
    computed(layout, [HOLE] * n)
    for beginning, holes in ((text[:5], n - 8), (text[:16], n), ([], n + 5), ([], n)):
        engine = engine_of(layout, unroll([*beginning, *[HOLE] * holes], constraint.vocab.size))
        assert isinstance(engine, pushdown.PushdownEngine)
        known = engine._laid_out()
        assert len(known.step_class) - known.stale > n - 15
        assert kept_by(layout) == []
        engine.class_masks()
        engine.close()
        assert len(kept_by(layout)) == 1


def test_a_short_canvas_leaves_the_table_of_a_long_one() -> None:
    """Canvases of very different lengths that take turns each have their own table, and begin with all of it."""
    constraint, _ = constrained("arrays")
    layout = Layout(layout_of(constraint).machine)
    for turn in range(3):
        for n in (8, 40):
            steps = unroll([HOLE] * n, constraint.vocab.size)
            engine = engine_of(layout, steps)
            assert isinstance(engine, pushdown.PushdownEngine)
            known = engine._laid_out()
            assert known.n_known == (n if turn else 0)
            assert the_same(said(engine), cold(layout, steps))
            engine.close()
    assert sorted(kept.n_known for kept in kept_by(layout)) == [9, 41]


def test_a_table_that_is_forgotten_comes_back() -> None:
    """An engine that nobody closes gives its table back when it is collected, and a change that begins anew does."""
    constraint, text = constrained("sums")
    layout = Layout(layout_of(constraint).machine)
    steps = unroll([*text[:3], *[HOLE] * 9], constraint.vocab.size)
    engine = engine_of(layout, steps)
    engine.class_masks()
    other = [Step(0, hole=True), *steps[1:]]
    engine.fix(other)
    assert len(kept_by(layout)) == 1
    assert the_same(said(engine), cold(layout, other))
    assert kept_by(layout) == []
    del engine
    assert len(kept_by(layout)) == 1
