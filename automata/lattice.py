"""The lattice: can these slots still be filled, and with what?  Exact, slot counts included.

A lattice is a row of slots: a fixed token, a hole (exactly one token), or a gap (between two bounds).  Because a state is an integer
and equal situations are equal integers, the filled prefixes of a canvas fold into a layered graph: layer i holds the states that
some filling of the first i slots leads to, its edges are token classes, read off the effects.  A backward sweep marks the states from
which the rest can be filled; the mask of a hole is the union of the classes on edges between marked states.  Registers are in the
states, so this is exact for every constraint.  Its cost is the number of distinct states per layer, which is small for the windows
of a few slots that it serves and is capped; see ``docs/architecture.md`` for the form that serves whole canvases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import numpy.typing as npt

from ..grammar.errors import InvalidSource, LimitExceeded
from .classes import TokenClasses, folded_classes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from .constraint import Constraint

DEFAULT_MAX_LAYER = 20_000


@dataclass(frozen=True, slots=True)
class Hole:
    """Exactly one token; any if ``allowed`` is None, else one of those ids."""

    allowed: frozenset[int] | None = None

    def __init__(self, allowed: Iterable[int] | None = None) -> None:
        """Take the ids that may fill the hole."""
        object.__setattr__(self, "allowed", None if allowed is None else frozenset(allowed))


@dataclass(frozen=True, slots=True)
class Gap:
    """Between ``least`` and ``most`` tokens, any."""

    least: int
    most: int


HOLE: Final = Hole()
"""A hole that any token may fill."""

Slot = int | Hole | Gap


@dataclass(frozen=True, slots=True)
class _Step:
    """One token of the unrolled canvas: fixed, or open; ``skippable`` steps may be left out; ``hole`` numbers the rows."""

    token: int | None
    allowed: frozenset[int] | None
    skippable: bool
    hole: int | None


class Lattice:
    """A row of slots under a constraint.  A context manager: its states live in a session of their own.

    Attributes:
        constraint: the constraint that the whole canvas must satisfy.
        slots: the canvas.
        exact: True: slot counts, registers and counters are all decided exactly.

    """

    exact = True

    def __init__(self, constraint: Constraint, slots: Sequence[Slot], *, max_layer: int = DEFAULT_MAX_LAYER) -> None:
        """Lay out the canvas; nothing is computed before the first question.

        Args:
            constraint: the constraint.
            slots: token ids, ``HOLE``, ``Hole(allowed=ids)``, ``Gap(least, most)``.
            max_layer: the most states that one layer may have.

        Raises:
            InvalidSource: a slot is none of these, or out of range.

        """
        self.constraint = constraint
        self.slots = tuple(slots)
        self.max_layer = max_layer
        self._session = constraint.session()
        self._steps: list[_Step] = []
        holes = 0
        for i, slot in enumerate(self.slots):
            if isinstance(slot, Hole):
                self._steps.append(_Step(None, slot.allowed, False, holes))
                holes += 1
            elif isinstance(slot, Gap):
                if not 0 <= slot.least <= slot.most:
                    raise InvalidSource(f"{slot} has bounds that no number lies between", where=f"slot {i}")
                self._steps += [_Step(None, None, k >= slot.least, None) for k in range(slot.most)]
            elif isinstance(slot, (int, np.integer)) and 0 <= slot < constraint.vocab.size:
                self._steps.append(_Step(int(slot), None, False, None))
            else:
                raise InvalidSource(f"{slot!r} is not a token id, HOLE, Hole or Gap", where=f"slot {i}")
        self._holes = holes
        self._classes: dict[int, TokenClasses] = {}
        self._layers: list[dict[int, dict[int, list[int]]]] | None = None  # state -> next state -> classes
        self._alive: list[set[int]] = []

    def close(self) -> None:
        """Free the lattice's states."""
        self._session.close()

    def __enter__(self) -> Self:
        """Nothing to do: the session is open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the lattice."""
        self.close()

    def feasible(self) -> bool:
        """Whether some filling satisfies the constraint."""
        self._solve()
        return self._session.start in self._alive[0]

    def masks(self) -> npt.NDArray[np.uint32]:
        """Rows uint32[holes, words]: for each hole, in order, the tokens with which the rest can still be filled."""
        self._solve()
        rows = np.zeros((self._holes, self.constraint.vocab.words), np.uint32)
        layers = self._layers or []
        for i, step in enumerate(self._steps):
            if step.hole is None:
                continue
            for state, edges in layers[i].items():
                if state not in self._alive[i]:
                    continue
                classes = self._classes_of(state)
                good = np.zeros(len(classes.representative), np.bool_)
                for target, numbers in edges.items():
                    if target in self._alive[i + 1]:
                        good[numbers] = True
                tokens = classes.tokens[good[classes.class_of]]
                if step.allowed is not None:
                    tokens = tokens[np.isin(tokens, list(step.allowed))]
                np.bitwise_or.at(rows[step.hole], tokens >> 5, np.uint32(1) << (tokens & 31).astype(np.uint32))
        return rows

    def _classes_of(self, state: int) -> TokenClasses:
        classes = self._classes.get(state)
        if classes is None:
            classes = self._classes[state] = folded_classes(self.constraint.store, state)
        return classes

    def _solve(self) -> None:
        if self._layers is not None:
            return
        layers: list[dict[int, dict[int, list[int]]]] = []
        layer = {self._session.start}
        for i, step in enumerate(self._steps):
            following: set[int] = set()
            edges_of: dict[int, dict[int, list[int]]] = {}
            for state in layer:
                edges = edges_of[state] = self._edges(state, step)
                following.update(edges)
            if step.skippable:
                following |= layer
            if len(following) > self.max_layer:
                raise LimitExceeded(
                    f"{len(following)} states are possible after slot step {i}",
                    limit="max_layer",
                    value=self.max_layer,
                    hint="fix more slots, or raise max_layer",
                )
            layers.append(edges_of)
            layer = following
        alive = [{state for state in layer if self._session.is_accepting(state)}]
        for step, edges_of in zip(reversed(self._steps), reversed(layers), strict=True):
            after = alive[-1]
            before = {state for state, edges in edges_of.items() if not after.isdisjoint(edges)}
            if step.skippable:
                before |= after & edges_of.keys()
            alive.append(before)
        alive.reverse()
        self._layers = layers
        self._alive = alive

    def _edges(self, state: int, step: _Step) -> dict[int, list[int]]:
        if step.token is not None:
            target = self._session.advance(state, step.token)
            return {target: []} if target else {}
        classes = self._classes_of(state)
        numbers = range(len(classes.representative))
        if step.allowed is not None:
            fits = np.isin(classes.tokens, list(step.allowed))
            numbers = np.unique(classes.class_of[fits]).tolist()
        edges: dict[int, list[int]] = {}
        for k in numbers:
            target = self._session.advance(state, int(classes.representative[k]))
            if target:
                edges.setdefault(target, []).append(k)
        return edges
