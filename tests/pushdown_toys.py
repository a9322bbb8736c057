"""Canvas machines in a few lines, and what they accept by definition: sets of explicit stacks, followed token by token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from syntagma.automata.lattice.machine import BOTTOM, CONTROL, POP, PUSH, CanvasMachine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syntagma.automata.lattice.slots import Step

Effect = tuple[int, int, tuple[int, ...], int, tuple[int, ...]]
"""A control, a class of tokens, the symbols popped from the top down, the control it lands in, the symbols pushed upwards."""

Configuration = tuple[int, tuple[int, ...]]


@dataclass(frozen=True)
class Toy:
    """A pushdown: its effects, where a text may end with nothing but the bottom on the stack, and the classes of its tokens."""

    effects: tuple[Effect, ...]
    accepting: frozenset[int]
    class_of: tuple[int, ...]

    @property
    def n_controls(self) -> int:
        """Controls are numbered from 0, where it starts."""
        return 1 + max([0, *self.accepting, *(e[0] for e in self.effects), *(e[3] for e in self.effects)])

    @property
    def n_symbols(self) -> int:
        """Symbols are numbered from 1; 0 is the bottom."""
        return 1 + max([0, *(g for e in self.effects for g in e[2] + e[4])])

    @property
    def n_classes(self) -> int:
        """Classes are numbered from 1; 0 is dead."""
        return 1 + max([0, *self.class_of, *(e[1] for e in self.effects)])

    def machine(self, *, deterministic: bool = False) -> CanvasMachine:
        """The arrays.  One more class is read at the end of a text: it takes the bottom off, if it is there still."""
        closed, end_class = self.n_controls, self.n_classes
        kind = [CONTROL] * (closed + 1)
        inner = list(range(closed + 1))
        symbol = [-1] * (closed + 1)
        known: dict[tuple[int, int, int], int] = {}

        def node(*key: int) -> int:
            if key not in known:
                known[key] = len(kind)  # type: ignore[index]
                for values, value in zip((kind, inner, symbol), key, strict=True):
                    values.append(value)
            return known[key]  # type: ignore[index]

        edges: list[dict[int, int]] = [{} for _ in range(closed + 1)]
        ends = [(q, end_class, pops, closed, ()) for q in self.accepting for pops in ((), (BOTTOM,))]
        for q, cls, pops, target, pushes in [*self.effects, *ends]:
            n = target
            for g in reversed(pushes):
                n = node(PUSH, n, g)
            for g in reversed(pops):
                n = node(POP, n, g)
            edges[q][n] = edges[q].get(n, 0) | 1 << cls
        words = -(-(end_class + 1) // 64)
        start = node(PUSH, 0, BOTTOM)
        masks = [[m >> 64 * w & (1 << 64) - 1 for w in range(words)] for of in edges for m in of.values()]
        return CanvasMachine(
            kind=np.array(kind, np.int8),
            inner=np.array(inner, np.int32),
            symbol=np.array(symbol, np.int32),
            edge_start=np.cumsum([0, *(len(of) for of in edges)]).astype(np.int32),
            edge_node=np.array([n for of in edges for n in of], np.int32),
            edge_classes=np.array(masks, np.uint64).reshape(-1, words),
            accepting=np.arange(closed + 1) == closed,
            start=start,
            n_symbols=self.n_symbols,
            n_classes=end_class + 1,
            end_class=end_class,
            class_of=np.array(self.class_of, np.int32),
            deterministic=deterministic,
        )

    def read(self, here: dict[Configuration, int], token: int) -> dict[Configuration, int]:
        """The configurations after one more token, and by how many runs each is reached."""
        there: dict[Configuration, int] = {}
        distinct = set(self.effects)
        for (q, stack), count in here.items():
            for source, cls, pops, target, pushes in distinct:
                rest = len(stack) - len(pops)
                if source == q and cls == self.class_of[token] and stack[rest:] == tuple(reversed(pops)) and rest >= 0:
                    to = (target, stack[:rest] + pushes)
                    there[to] = there.get(to, 0) + count
        return there

    def ways(self, here: dict[Configuration, int]) -> int:
        """How many of the runs may end here."""
        return sum(n for (q, stack), n in here.items() if q in self.accepting and stack in {(), (BOTTOM,)})

    def runs(self, text: Sequence[int]) -> int:
        """How many runs accept a text of tokens."""
        here: dict[Configuration, int] = {(0, (BOTTOM,)): 1}
        for token in text:
            here = self.read(here, token)
        return self.ways(here)

    def fillings(self, steps: Sequence[Step]) -> list[tuple[int, ...]]:
        """Every accepted filling of a canvas; -1 stands for a step that is left out."""
        partial: list[tuple[tuple[int, ...], dict[Configuration, int]]] = [((), {(0, (BOTTOM,)): 1})]
        for step in steps:
            options = [t for t in range(len(self.class_of)) if step.allowed is None or t in step.allowed]
            if step.token is not None:
                options = [step.token]
            longer = [((*text, t), there) for text, here in partial for t in options if (there := self.read(here, t))]
            if step.skippable:
                longer += [((*text, -1), here) for text, here in partial]
            partial = longer
        return [text for text, here in partial if self.ways(here)]


DYCK = Toy(
    effects=(
        (0, 1, (), 0, (1,)),  # (
        (0, 2, (), 0, (2,)),  # [
        (0, 3, (1,), 0, ()),  # )
        (0, 4, (2,), 0, ()),  # ]
        (0, 5, (), 0, (1, 2)),  # ([
        (0, 6, (2, 1), 0, ()),  # ])
        (0, 7, (1,), 0, (2,)),  # )[
        (0, 8, (), 0, ()),  # ()
    ),
    accepting=frozenset({0}),
    class_of=(1, 2, 3, 4, 5, 6, 7, 8, 8, 0),
)
"""Two brackets, tokens of several brackets, one in the dead class; one run for each text."""

AMBIGUOUS = Toy(
    effects=(
        (0, 1, (), 1, ()),  # a, not to be closed
        (0, 1, (), 1, (1,)),
        (1, 1, (), 1, ()),
        (1, 1, (), 1, (1,)),
        (1, 2, (1,), 2, ()),  # b
        (2, 2, (1,), 2, ()),
        (1, 3, (1, 1), 2, ()),  # bb
        (0, 4, (), 1, (1, 1)),  # aa
    ),
    accepting=frozenset({0, 1, 2}),
    class_of=(1, 2, 3, 4, 2),
)
"""S -> a S b | a S | nothing: of which a's are closed there are many choices."""

CHAINS = Toy(
    effects=(
        (0, 1, (), 0, (1, 2, 3)),
        (0, 2, (3, 2, 1), 1, ()),
        (0, 3, (3,), 0, ()),
        (0, 4, (2, 1), 0, (3, 1)),
        (1, 1, (), 0, (2, 3)),
        (1, 2, (3, 2), 1, ()),
        (0, 5, (1, 3), 1, ()),
        (1, 5, (BOTTOM,), 2, ()),  # the end, read
        (2, 5, (), 2, ()),
    ),
    accepting=frozenset({1, 2}),
    class_of=(1, 2, 3, 4, 5),
)
"""Three pops and three pushes in one token, and a class that pops the bottom."""

JSON = Toy(
    effects=(
        (0, 1, (), 1, ()),  # a value, at the top
        (0, 2, (), 2, (1,)),  # [
        (2, 1, (), 3, ()),
        (2, 2, (), 2, (2,)),
        (2, 3, (1,), 1, ()),  # ]
        (2, 3, (2,), 3, ()),
        (3, 3, (1,), 1, ()),
        (3, 3, (2,), 3, ()),
        (3, 4, (), 4, ()),  # ,
        (4, 1, (), 3, ()),
        (4, 2, (), 2, (2,)),
        (3, 5, (2,), 4, ()),  # ],
        (3, 6, (1,), 1, ()),  # ]] over one
        (3, 6, (2, 1), 1, ()),
        (3, 6, (2, 2), 3, ()),
        (1, 7, (), 5, ()),  # the end
        (5, 7, (), 5, ()),
        (5, 8, (), 5, ()),  # padding
    ),
    accepting=frozenset({1, 5}),
    class_of=(1, 1, 2, 3, 4, 5, 7, 8),
)
"""Arrays of values, with the end of a sequence and padding; one run for each text, as no token has class 6."""

REGULAR = Toy(
    effects=((0, 1, (), 1, ()), (1, 1, (), 0, ()), (0, 2, (), 2, ()), (1, 2, (), 1, ()), (2, 3, (), 0, ())),
    accepting=frozenset({0, 2}),
    class_of=(1, 1, 2, 3),
)
"""A deterministic automaton: no stack at all."""

UNAMBIGUOUS = {"dyck": DYCK, "json": JSON, "regular": REGULAR}
TOYS = UNAMBIGUOUS | {"ambiguous": AMBIGUOUS, "chains": CHAINS}


@st.composite
def toys(draw: st.DrawFn) -> Toy:
    """A random machine: up to three controls, two symbols besides the bottom, three live classes."""
    control, symbol = st.integers(0, 2), st.integers(1, 2)
    pops = st.lists(symbol, max_size=2).map(tuple) | st.just((BOTTOM,))
    effect = st.tuples(control, st.integers(1, 3), pops, control, st.lists(symbol, max_size=2).map(tuple))
    effects = draw(st.lists(effect, min_size=2, max_size=9, unique=True))
    class_of = draw(st.lists(st.integers(0, 3), min_size=3, max_size=5))
    return Toy(tuple(effects), draw(st.frozensets(control, min_size=1)), tuple(class_of))
