"""Canvases under grammars with a lexer: sets of stacks against lists of stacks, and canvases longer than enumeration can see, judged by Lark."""

from __future__ import annotations

import random
from functools import lru_cache

import lark
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark_seeds import SEEDS, build, segmented
from lark_verdict import lark_accepts
from lattice_oracle import Truth, tokens_of
from lattice_worlds import COMPETING, PARSED, canvas, world
from sizes import size

import syntagma as sg
from syntagma.automata.constraint import Constraint
from syntagma.automata.lattice import parsed
from syntagma.automata.lattice.extraction import Beyond
from syntagma.automata.lattice.layered import LayeredEngine
from syntagma.automata.lattice.parsed import ParsedEngine, lexemes_of
from syntagma.automata.lattice.slots import Slot, unroll
from syntagma.automata.lattice.stacksets import BARE, EMPTY, StackSets
from syntagma.grammar.parsing import Lalr
from syntagma.integrations.languages import language

pytestmark = pytest.mark.kernel

WORLDS = [*(("parsed", name) for name in PARSED), *(("Lark", name) for name in COMPETING)]
TOYS = [*PARSED]

# -- sets of stacks -------------------------------------------------------------------------------------------------------

Stack = tuple[int, ...]  # from the bottom


class Sets:
    """Sets of stacks beside the same as Python's sets; the stacks are some that texts of terminals lead to."""

    def __init__(self, lalr: Lalr, seed: int, n: int) -> None:
        """Draw n stacks."""
        self.lalr = lalr
        self.sets = StackSets(lalr)
        self.end = lalr.action.shape[1] - 1
        draw = random.Random(seed)
        self.stacks: set[Stack] = {(lalr.start,)}
        for _ in range(n):
            stack: Stack | None = (lalr.start,)
            for _ in range(draw.randint(0, 12)):
                takes = [t for t in range(self.end) if self.fed(stack, t)] if stack else []
                if takes:
                    stack = self.fed(stack, draw.choice(takes))
            if stack:
                self.stacks.add(stack)

    def fed(self, stack: Stack, terminal: int) -> Stack | None:
        """One stack after one terminal, () where it accepts the end, None where it does not take it."""
        lalr = self.lalr
        here = list(stack)
        while True:
            if terminal == self.end and here[-1] == lalr.accept:
                return ()
            action = int(lalr.action[here[-1], terminal])
            if action == 0:
                return None
            if action > 0:
                return (*here, action - 1)
            del here[len(here) - int(lalr.rule_length[-1 - action]) :]
            target = int(lalr.goto[here[-1], lalr.rule_lhs[-1 - action]])
            if target < 0:
                return None
            here.append(target)

    def number(self, stacks: set[Stack]) -> int:
        """The set of some stacks."""
        found = []
        for stack in stacks:
            one = BARE
            for state in stack:
                one = self.sets.push(state, one)
            found.append(one)
        return self.sets.union(found)


@lru_cache(maxsize=8)
def table(name: str) -> Lalr:
    """The parse table of a toy."""
    return lexemes_of(world("parsed", name).constraint).lalr


@given(name=st.sampled_from(TOYS), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=size(60, plain=15), deadline=None)
def test_sets_of_stacks_are_sets(name: str, seed: int) -> None:
    """Unions, intersections, what a terminal makes of a set, which stacks it leads into another, and which may end: as with sets of tuples."""
    of = Sets(table(name), seed, 12)
    draw = random.Random(seed)
    sets = of.sets
    one, other = ({stack for stack in of.stacks if draw.random() < 0.6} for _ in range(2))
    assert sets.union([of.number(one), of.number(other)]) == of.number(one | other)
    assert sets.meet(of.number(one), of.number(other)) == of.number(one & other)
    assert sets.ending(of.number(one)) == of.number({stack for stack in one if of.fed(stack, of.end) is not None})
    for terminal in range(of.end):
        after = {stack: fed for stack in one if (fed := of.fed(stack, terminal)) is not None}
        whole = sets.feed(of.number(one), terminal)
        assert whole == of.number(set(after.values()))
        some = {fed for fed in after.values() if draw.random() < 0.5} | other
        wanted = {stack for stack, fed in after.items() if fed in some}
        assert sets.before(of.number(one), terminal, of.number(some)) == of.number(wanted)
        by_lexer = sets.by_lexer(whole)
        assert sets.union(by_lexer.values()) == whole
        for lexer, part in by_lexer.items():
            kept = {stack for stack in after.values() if of.lalr.lexer_of[stack[-1]] == lexer}
            assert part == of.number(kept) != EMPTY


def test_tables_grow_while_a_set_is_made() -> None:
    """A set of very many stacks goes through every table's first size and is what it was when asked for in parts."""
    of = Sets(table("closed from right to left"), 1, 0)
    lalr, sets = of.lalr, of.sets
    letters = [lalr.terminals.index(name) for name in ("A", "B")]
    layer = of.number({(lalr.start,)})
    for _ in range(size(400, plain=40)):
        layer = sets.union([layer, *(sets.feed(layer, letter) for letter in letters)])
    closing = lalr.terminals.index("C")
    n = 0
    while after := sets.feed(layer, closing):
        taking = sets.before(layer, closing, after)
        assert sets.meet(taking, layer) == taking
        assert sets.feed(taking, closing) == after
        layer, n = after, n + 1
    assert n == size(400, plain=40)


def test_too_many_sets_are_a_limit() -> None:
    """Where the sets are more than may be made, that is a typed error which says what to do."""
    of = Sets(table("sums with names, numbers and blanks"), 3, 0)
    sets = StackSets(of.lalr, most_nodes=1)

    def pile() -> None:
        layer = BARE
        for state in range(1 << 15):
            layer = sets.push(state % len(of.lalr.action), layer)

    with pytest.raises(sg.LimitExceeded, match="stacks of the parser") as caught:
        pile()
    assert "window" in str(caught.value)


# -- canvases -------------------------------------------------------------------------------------------------------------


def masks_of(engine: ParsedEngine | LayeredEngine, constraint: Constraint) -> list[set[int]]:
    """The tokens of each hole."""
    rows = np.zeros((sum(step.hole for step in engine.steps), constraint.vocab.words), np.uint32)
    engine.masks(rows)
    return [tokens_of(row) for row in rows]


@pytest.mark.parametrize(("family", "name"), WORLDS)
def test_masks_without_a_backward_pass_miss_nothing(family: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the backward pass stops at once, no token is missing, feasibility is exact all the same, and masks from ``known_from`` on are exact."""
    monkeypatch.setattr(parsed, "FEW", 0)
    of = world(family, name)
    draw = random.Random(name)
    for _ in range(size(30, plain=8)):
        truth = Truth(of, canvas(of, draw))
        engine = ParsedEngine(of.constraint, unroll(truth.slots, of.vocab.size), most_made=-1)
        assert engine.feasible() == truth.feasible
        found = masks_of(engine, of.constraint)
        steps = [i for i, step in enumerate(engine.steps) if step.hole]
        for i, tokens, want in zip(steps, found, truth.masks, strict=True):
            assert tokens >= want
            assert tokens == want or i < engine.known_from
        assert engine.exact == (engine.known_from == 0)
        engine.close()


def test_masks_without_a_backward_pass_are_generous(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop is real: on a canvas of brackets some token is allowed that the whole pass knows cannot be completed."""
    monkeypatch.setattr(parsed, "FEW", 0)
    of = world("parsed", "sums with names, numbers and blanks")
    steps = unroll([sg.HOLE] * 4, of.vocab.size)
    whole, stopped = (ParsedEngine(of.constraint, steps, most_made=most) for most in (1 << 20, -1))
    assert whole.exact
    assert not stopped.exact
    assert any(a < b for a, b in zip(masks_of(whole, of.constraint), masks_of(stopped, of.constraint), strict=True))


@pytest.mark.parametrize(("family", "name"), WORLDS)
def test_each_way_to_decide_a_landing_is_exact(family: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With hardly any stack low, and a pass that stops at once, landings are followed one by one; masks are the truth all the same."""
    of = world(family, name)
    draw = random.Random(f"one by one {name}")
    for height, most in ((2, -1), (2, 1 << 20), (12, -1)):
        monkeypatch.setattr(parsed, "LOW_HEIGHT", height)
        monkeypatch.setattr(parsed, "FEW", 1 << 20 if most < 0 else 0)
        for _ in range(size(10, plain=3)):
            truth = Truth(of, canvas(of, draw))
            engine = ParsedEngine(of.constraint, unroll(truth.slots, of.vocab.size), most_made=most)
            assert masks_of(engine, of.constraint) == truth.masks
            assert engine.exact
            engine.close()


@pytest.mark.parametrize("name", TOYS)
def test_longer_canvases_are_those_of_the_states_one_by_one(name: str) -> None:
    """On canvases that are too long to be enumerated, masks are those of the engine that follows states."""
    of = world("parsed", name)
    constraint, vocab = of.constraint, of.vocab
    draw = random.Random(name)
    for _ in range(size(4, plain=1)):
        n = draw.randint(5, 6)
        slots: list[Slot] = [sg.HOLE] * n
        for i in draw.sample(range(n), draw.randint(1, 3)):
            slots[i] = draw.choice(
                [sg.Hole(draw.sample(range(vocab.size), 4)), draw.randrange(vocab.size), sg.Gap(0, 1)]
            )
        steps = unroll(slots, vocab.size)
        engine = ParsedEngine(constraint, steps)
        layered = LayeredEngine(constraint, steps, max_layer=20_000)
        assert engine.feasible() == layered.feasible()
        assert masks_of(engine, constraint) == masks_of(layered, constraint)
        layered.close()


@lru_cache(maxsize=4)
def real(name: str) -> tuple[lark.Lark, Constraint]:
    """A real grammar over a small vocabulary: each byte, pairs, and words of its seeds."""
    built = build(name)
    text = "\n".join(SEEDS[name]).encode()
    pieces = {text[i : i + n] for n in (2, 3, 5) for i in range(0, len(text) - n, 3)}
    tokens = [*(bytes([b]) for b in range(256)), *sorted(pieces), None]
    vocab = sg.Vocabulary(tokens, eos_ids=[len(tokens) - 1])
    return built, sg.compile(sg.Lark(built), vocab)


@pytest.mark.parametrize(
    ("name", "holes"),
    [
        ("calc", 4),
        ("json", 8),
        pytest.param("c", 8, marks=pytest.mark.slow),
        pytest.param("sql", 12, marks=pytest.mark.slow),
        pytest.param("java", 12, marks=pytest.mark.slow),
    ],
)
def test_holes_in_real_texts(name: str, holes: int) -> None:
    """In a text of a real grammar with holes each hole may have its own token, any allowed tokens can be filled in one by one, and Lark parses what comes out."""
    built, constraint = real(name)
    draw = random.Random(name)
    ends = constraint.vocab.eos_ids
    changed = 0
    for text in SEEDS[name][: size(3, plain=1)]:
        ids = [*segmented(draw, constraint.vocab, text), *ends]
        slots: list[Slot] = list(ids)
        for i in draw.sample(range(len(ids)), min(len(ids), size(holes, plain=4))):
            slots[i] = sg.HOLE
        with sg.Lattice(constraint, slots) as lattice:
            assert lattice.feasible()
            for hole, row in zip(lattice.holes, lattice.masks(), strict=True):
                assert ids[hole] in tokens_of(row)
            while lattice.holes:
                k = draw.randrange(len(lattice.holes))
                allowed = sorted(tokens_of(lattice.masks()[k]))
                one = [t for t in allowed if t not in ends and t != ids[lattice.holes[k]]] or allowed
                proposal = (lattice.holes[k], draw.choice(one))
                changed += proposal[1] != ids[proposal[0]]
                assert lattice.exact
                assert lattice.commit([proposal]) == [proposal]
            filled = [slot for slot in lattice.slots if isinstance(slot, int)]
        data = b"".join(constraint.vocab.tokens[t] or b"" for t in filled)
        assert lark_accepts(built, data.decode()), data
    assert changed


def test_what_fits_together_is_committed_together() -> None:
    """Proposals for a canvas that is too large to follow are kept whole where they fit, and the heaviest half where they do not."""
    _, constraint = real("json")
    vocab = constraint.vocab
    with sg.Lattice(constraint, [sg.HOLE] * 24) as lattice:
        opens, closes = vocab.tokens.index(b"["), vocab.tokens.index(b"]")
        fits = [(0, opens), (1, opens), (22, closes), (23, closes)]
        assert lattice.commit(fits) == fits
        comma = vocab.tokens.index(b",")
        clash = [(2, closes), (21, comma), (3, comma)]
        assert lattice.commit(clash, weights=[1.0, 2.0, 3.0]) == [clash[0], clash[2]]
        assert lattice.feasible()


def test_other_grammars_are_refused_by_name() -> None:
    """An indenter, and a constraint without a lexer, are beyond this engine, which says so."""
    vocab = sg.Vocabulary([*(bytes([b]) for b in range(128)), None], eos_ids=[128])
    with pytest.raises(Beyond, match="indenter"):
        ParsedEngine(sg.compile(language("python"), vocab), [])
    with pytest.raises(Beyond, match="no grammar with a lexer"):
        ParsedEngine(sg.compile(sg.Regex("a*"), vocab), [])
