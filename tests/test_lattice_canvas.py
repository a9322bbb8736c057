"""The canvas machine and its Boolean kernels, against the engine that follows states one by one."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt
import pytest
from machine_checks import ANY, canvas, vocabulary
from sizes import size
from test_machine_toys import TOYS

import syntagma as sg
from syntagma.automata.constraint import Constraint
from syntagma.automata.lattice import Lattice, pushdown, runs
from syntagma.automata.lattice.canvas import CanvasEngine
from syntagma.automata.lattice.engines import engine_of, layout_of
from syntagma.automata.lattice.layered import LayeredEngine
from syntagma.automata.lattice.pushdown import PushdownEngine
from syntagma.automata.lattice.slots import HOLE, Gap, Hole, Slot, Step, unroll

pytestmark = pytest.mark.kernel

EXACT = ["sums", "lark ranges", "arrays", "strings", "even strings", "even strings, one length", "open counts"]


def rows(engine: CanvasEngine | LayeredEngine, constraint: Constraint) -> npt.NDArray[np.uint32]:
    found = np.zeros((sum(step.hole for step in engine.steps), constraint.vocab.words), np.uint32)
    engine.masks(found)
    return found


def agree(one: CanvasEngine | LayeredEngine, other: CanvasEngine | LayeredEngine, constraint: Constraint) -> bool:
    """Whether two engines say the same; returns whether the canvas can be filled."""
    assert one.feasible() == other.feasible(), one.steps
    assert np.array_equal(rows(one, constraint), rows(other, constraint)), one.steps
    return one.feasible()


def varied(slots: list[object], rng: random.Random, vocab_size: int) -> list[Slot]:
    """The canvas with some holes limited to a few tokens, and some gaps between the slots."""
    found: list[Slot] = []
    for slot in slots:
        if rng.random() < 0.12:
            least = rng.randrange(3)
            found.append(Gap(least, least + rng.randrange(3)))
        if slot is not ANY:
            assert isinstance(slot, int)
            found.append(slot)
        elif rng.random() < 0.25:
            found.append(Hole(rng.sample(range(vocab_size), 4)))
        else:
            found.append(HOLE)
    return found


@pytest.mark.parametrize("least_run", [2, 100])
@pytest.mark.parametrize("name", EXACT)
def test_the_canvas_machine_and_the_layers_agree(name: str, least_run: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Feasibility and masks are the same, of holes, limited holes and gaps, after commits and one undone, with runs as one step or not."""
    monkeypatch.setattr(pushdown, "LEAST_RUN", least_run)
    grammar, tokens, oracle = TOYS[name]
    constraint = Constraint.from_grammar(grammar, vocabulary(tokens, padded=True))
    layout = layout_of(constraint)
    assert layout.machine.exact
    rng = random.Random(name)
    feasible = 0
    for _ in range(size(120, plain=12)):
        slots = varied(canvas(oracle, rng, constraint.vocab.eos_ids, 6, 4), rng, constraint.vocab.size)
        steps = unroll(slots, constraint.vocab.size)
        layered, engine = LayeredEngine(constraint, steps, max_layer=5000), engine_of(layout, steps)
        first = steps
        while agree(layered, engine, constraint):
            feasible += 1
            open_steps = [i for i, step in enumerate(steps) if step.hole]
            if not open_steps:
                break
            at = rng.choice(open_steps)
            row = rows(layered, constraint)[open_steps.index(at)]
            allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
            token = int(rng.choice(allowed)) if rng.random() < 0.9 else rng.randrange(constraint.vocab.size)
            steps = [*steps[:at], Step(steps[at].slot, token=token), *steps[at + 1 :]]
            layered.fix(steps)
            engine.fix(steps)
        layered.fix(first)
        engine.fix(first)
        agree(layered, engine, constraint)
        layered.close()
        engine.close()
    assert feasible > size(60, plain=6)


def allowed_at(engine: CanvasEngine | LayeredEngine, constraint: Constraint, at: int) -> npt.NDArray[np.int64]:
    """The tokens that an open step may hold."""
    row = rows(engine, constraint)[[i for i, step in enumerate(engine.steps) if step.hole].index(at)]
    return np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))


@pytest.mark.parametrize("sharing", [pushdown.SHARING, 1 << 30])
@pytest.mark.parametrize(("name", "longest"), [("sums", 6), ("arrays", 3)])
def test_slots_are_fixed_and_opened_in_any_order(
    name: str, longest: int, sharing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some slots fixed, some of these opened again, one by one: the engine that keeps what it can says what the layers say, whatever memory it begins with."""
    monkeypatch.setattr(pushdown, "SHARING", sharing)
    grammar, tokens, oracle = TOYS[name]
    constraint = Constraint.from_grammar(grammar, vocabulary(tokens, padded=True))
    rng = random.Random(name)
    opened = 0
    for _ in range(size(30, plain=4)):
        slots = varied(canvas(oracle, rng, constraint.vocab.eos_ids, longest, 4), rng, constraint.vocab.size)
        first = unroll([HOLE if isinstance(slot, int) else slot for slot in slots], constraint.vocab.size)
        layered, engine = LayeredEngine(constraint, first, max_layer=5000), engine_of(layout_of(constraint), first)
        steps = first
        while agree(layered, engine, constraint) and rng.random() < 0.95:
            fixed = [i for i, step in enumerate(steps) if step.token is not None]
            free = [i for i, step in enumerate(steps) if step.hole]
            steps = list(steps)
            if fixed and (not free or rng.random() < 0.4):
                at = rng.choice(fixed)
                steps[at] = first[at]
                opened += 1
            elif free:
                at = rng.choice(free)
                steps[at] = Step(steps[at].slot, token=int(rng.choice(allowed_at(layered, constraint, at))), hole=False)
            else:
                break
            layered.fix(steps)
            engine.fix(steps)
        layered.close()
        engine.close()
    assert opened > size(20, plain=2)


@pytest.mark.parametrize("name", ["sums", "strings", "open counts"])
def test_runs_that_are_read_in_too_many_ways_are_taken_apart(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a run has too many effects to be one step, its tokens are steps of their own, and the answers are those of the layers."""
    monkeypatch.setattr(pushdown, "LEAST_RUN", 2)
    monkeypatch.setattr(runs, "MAX_EFFECTS", 1)
    grammar, tokens, oracle = TOYS[name]
    constraint = Constraint.from_grammar(grammar, vocabulary(tokens, padded=True))
    layout = layout_of(constraint)
    rng = random.Random(name)
    apart = 0
    for _ in range(size(40, plain=12)):
        slots = varied(canvas(oracle, rng, constraint.vocab.eos_ids, 6, 4), rng, constraint.vocab.size)
        steps = unroll(slots, constraint.vocab.size)
        layered, engine = LayeredEngine(constraint, steps, max_layer=5000), PushdownEngine(layout, steps)
        agree(layered, engine, constraint)
        apart += len(engine._apart)
        layered.close()
        engine.close()
    assert apart > size(3, plain=0)


def test_a_long_run_that_is_read_in_too_many_ways_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many tokens a run is not taken apart: the error names the limit."""
    monkeypatch.setattr(pushdown, "LEAST_RUN", 2)
    monkeypatch.setattr(pushdown, "MOST_APART", 2)
    monkeypatch.setattr(runs, "MAX_EFFECTS", 0)
    grammar, tokens, _ = TOYS["sums"]
    constraint = Constraint.from_grammar(grammar, vocabulary(tokens, padded=True))
    layout = layout_of(constraint)
    for n, refused in ((2, False), (3, True)):
        engine = PushdownEngine(layout, unroll([*[0] * n, HOLE], constraint.vocab.size))
        if refused:
            with pytest.raises(sg.LimitExceeded, match="3 fixed tokens in a row"):
                engine.feasible()
        else:
            engine.feasible()
        engine.close()


@pytest.mark.parametrize("name", ["sums", "arrays"][: size(2, plain=1)])
def test_canvases_longer_than_a_word_of_layers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """150 slots are filled one by one in any order; what a few of them can be in the text that results is what the layers say."""
    monkeypatch.setattr(pushdown, "LEAST_RUN", 1000)
    grammar, tokens, _ = TOYS[name]
    constraint = Constraint.from_grammar(grammar, vocabulary(tokens, padded=True))
    rng = random.Random(name)
    n = size(150, plain=66)
    steps = unroll([HOLE] * n, constraint.vocab.size)
    with_holes = steps
    engine = engine_of(layout_of(constraint), steps)
    for count, at in enumerate(rng.sample(range(n), n)):
        steps = [*steps[:at], Step(at, token=int(rng.choice(allowed_at(engine, constraint, at)))), *steps[at + 1 :]]
        engine.fix(steps)
        assert engine.feasible()
        if count % 10 == 0:
            fresh = engine_of(layout_of(constraint), steps)
            agree(engine, fresh, constraint)
            fresh.close()
    for _ in range(size(10, plain=2)):
        at = rng.sample(range(n), 4)
        some = [with_holes[i] if i in at else step for i, step in enumerate(steps)]
        layered, fresh = LayeredEngine(constraint, some, max_layer=5000), engine_of(layout_of(constraint), some)
        engine.fix(some)
        assert agree(layered, engine, constraint)
        assert agree(layered, fresh, constraint)
        layered.close()
        fresh.close()
    engine.close()


@pytest.mark.parametrize("name", EXACT)
def test_machines_know_whether_they_are_deterministic(name: str) -> None:
    """Toys without ambiguity have one run for each text."""
    grammar, tokens, _ = TOYS[name]
    constraint = Constraint.from_grammar(grammar, vocabulary(tokens, padded=True))
    assert layout_of(constraint).machine.deterministic


def test_nodes_are_numbered_inner_before_outer() -> None:
    """Controls come first, and what a push or pop leads to has a smaller number than itself."""
    for name in EXACT:
        grammar, tokens, _ = TOYS[name]
        machine = layout_of(Constraint.from_grammar(grammar, vocabulary(tokens, padded=True))).machine
        others = np.arange(machine.n_controls, len(machine.kind))
        assert (machine.kind[: machine.n_controls] == 0).all()
        assert (machine.inner[others] < others).all()


def test_only_recursion_needs_a_stack() -> None:
    """Calls that are not recursive become part of the controls; those that are stay symbols."""
    stacks = {}
    for name in EXACT:
        grammar, tokens, _ = TOYS[name]
        machine = layout_of(Constraint.from_grammar(grammar, vocabulary(tokens, padded=True))).machine
        stacks[name] = bool((machine.kind != 0).any())
    assert {name for name, stack in stacks.items() if stack} == {"sums", "arrays"}


def test_classes_say_what_masks_say() -> None:
    """Masks over classes, expanded by each token's class, are the masks over tokens, of limited holes too."""
    grammar, tokens, _ = TOYS["arrays"]
    constraint = Constraint.from_grammar(grammar, vocabulary(tokens, padded=True))
    with Lattice(constraint, [HOLE, Hole(range(3)), Gap(0, 2), HOLE, Hole(range(2, 6))]) as lattice:
        rows, class_of = lattice.class_masks()
        bits = np.unpackbits(rows.view(np.uint8), axis=1, bitorder="little")
        expected = np.unpackbits(lattice.masks().view(np.uint8), axis=1, bitorder="little", count=constraint.vocab.size)
        assert expected.any()
        assert np.array_equal(bits[:, class_of], expected)


def test_buffers_are_not_shared_by_living_lattices() -> None:
    """Two lattices that live at once do not write in each other's tables, and what a closed one held is used again."""
    grammar, tokens, _ = TOYS["sums"]
    constraint = Constraint.from_grammar(grammar, vocabulary(tokens, padded=True))
    with Lattice(constraint, [HOLE] * 3) as one, Lattice(constraint, [HOLE] * 5) as other:
        first = one.masks()
        assert other.feasible()
        other.masks()
        assert np.array_equal(one.masks(), first)
        at = int(np.flatnonzero(np.unpackbits(first[0].view(np.uint8), bitorder="little"))[0])
        assert one.commit([(0, at)]) == [(0, at)]
        assert other.feasible()
    with Lattice(constraint, [at, HOLE, HOLE]) as again, Lattice(constraint, [HOLE] * 3) as fresh:
        assert fresh.commit([(0, at)])
        assert np.array_equal(again.masks(), fresh.masks())


@pytest.mark.parametrize("name", ["even strings", "sums"])
def test_copies_go_on_on_their_own(name: str) -> None:
    """A copy knows what the lattice knew; what is committed in one is not in the other, with a stack and without, asked before or not."""
    grammar, tokens, _ = TOYS[name]
    constraint = Constraint.from_grammar(grammar, vocabulary(tokens, padded=True))
    with Lattice(constraint, [HOLE] * 4) as one:
        for asked in (False, True):
            before = one.masks() if asked else None
            at = int(
                np.flatnonzero(
                    np.unpackbits(Lattice(constraint, [HOLE] * 4).masks()[1].view(np.uint8), bitorder="little")
                )[0]
            )
            with one.copy() as other, Lattice(constraint, [HOLE, at, HOLE, HOLE]) as fresh:
                assert other.commit([(1, at)]) == [(1, at)]
                assert np.array_equal(other.masks(), fresh.masks())
                assert one.holes == [0, 1, 2, 3]
                assert other.holes == [0, 2, 3]
            with Lattice(constraint, [HOLE] * 4) as fresh:
                assert np.array_equal(one.masks(), fresh.masks())
            assert before is None or np.array_equal(one.masks(), before)


def test_a_commit_keeps_the_canvas_fillable() -> None:
    """Proposals that exclude each other are not kept together, and what is kept is worth the most."""
    grammar, tokens, _ = TOYS["arrays"]
    constraint = Constraint.from_grammar(grammar, vocabulary(tokens, padded=True))
    with Lattice(constraint, [HOLE] * 4) as lattice:
        row = lattice.masks()[0]
        allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist()
        assert len(allowed) > 1
        kept = lattice.commit([(0, allowed[0]), (0, allowed[1])], [1.0, 2.0])
        assert kept == [(0, allowed[1])]
        assert lattice.slots[0] == allowed[1]
        assert lattice.feasible()
        assert lattice.holes == [1, 2, 3]


def test_a_run_ends_where_no_token_of_its_own_ends() -> None:
    """Fixed tokens may leave a bracket and read on to where only the tokens of another bracket lead at once."""
    pieces = [b"(", b")", b"a", b"b", b"b,", b",", b"x", b"y"]
    vocab = sg.Vocabulary([*pieces, None], eos_ids=[len(pieces)])
    grammar = 'root ::= item ("," item)*\nitem ::= "a" "x"* "a" | "b" "y"* "b" | "(" root ")"\n'
    constraint = sg.compile(sg.Gbnf(grammar), vocab)
    at = {piece: i for i, piece in enumerate(pieces)}
    run = [at[b"x"]] * 12 + [at[b"a"], at[b","]]
    with sg.Lattice(constraint, [at[b"("], sg.HOLE, *run, sg.HOLE, at[b"b"], at[b")"]]) as lattice:
        assert lattice.feasible()
        masks = lattice.masks()
    assert [[i for i in range(len(pieces)) if mask[0] >> i & 1] for mask in masks] == [[at[b"a"]], [at[b"b"]]]
