"""The engine on a canvas machine with a stack; see ``boolean`` for what it computes.

The kernels' steps are *units* of the canvas: a step, or a run of fixed tokens as one (``runs``), so that size depends on holes and not on the
length of the text around them.  Units stay when steps are committed: what is fixed later is no run.
"""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ...grammar.errors import LimitExceeded
from .boolean import ACCEPTED, RUN, backward, forward, reach
from .canvas import CanvasEngine, Layout
from .pool import POOL
from .runs import Composer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .slots import Step

LEAST_RUN: Final = 12
"""Fixed tokens in a row that are worth the pop nodes that a run may add."""

MOST_BYTES: Final = 4 << 30
"""Tables of one canvas; more is a canvas that should be looked at through a window."""

FIRST_SETS: Final = 512
MOST_SETS: Final = 1 << 18


class PushdownEngine(CanvasEngine):
    """A canvas with a stack."""

    def __init__(self, layout: Layout, steps: Sequence[Step]) -> None:
        """Lay out the canvas; nothing is computed before the first question."""
        super().__init__(layout, steps)
        self._give_back: list[weakref.finalize[..., Any]] = []
        self._row_of: npt.NDArray[np.int32] | None = None
        self._reached: list[Step] = []  # the canvas that rows were numbered for
        self._from = -1  # the last layer whose exits are out of date; -1 if none
        self._masks: npt.NDArray[np.uint64] | None = None

    def close(self) -> None:
        """Give the buffers back."""
        for finalizer in self._give_back:
            finalizer()
        self._give_back = []
        self._row_of = None
        self._masks = None

    def fix(self, steps: Sequence[Step]) -> None:
        """Go on with a canvas of the same steps, some of them fixed or opened.

        Exits of layers behind the last change stay.  What is opened, but was open when rows were numbered, has its rows.
        """
        changed = [i for i, (old, new) in enumerate(zip(self.steps, steps, strict=True)) if old != new]
        if not changed:
            return
        self._set_steps(steps)
        self._masks = None
        if self._row_of is None or not all(map(_is_narrower, self._reached, steps)):
            self.close()
        else:
            self._from = max(self._from, int(self._unit_of[changed[-1]]))
            self._set_units()

    @property
    def table_bytes(self) -> int:
        """What the tables of the last solution take."""
        return 0 if self._row_of is None else self._exits.nbytes + self._rest.nbytes + self._row_of.nbytes

    def feasible(self) -> bool:
        """Whether some filling satisfies the constraint."""
        exits, row_of = self._solve()
        word = exits[row_of[0, self.machine.start], len(self._laid.pops) * self._width]
        return bool((int(word) >> ACCEPTED) & 1)

    def class_masks(self) -> npt.NDArray[np.uint64]:
        """uint64[S, W]: the classes that may stand in each step; those of runs are left out."""
        if self._masks is None:
            fillable = self.feasible()
            masks = np.zeros((len(self._firsts), self.machine.edge_classes.shape[1]), np.uint64)
            if fillable:
                self._forward(masks)
            self._masks = np.zeros((len(self.steps), masks.shape[1]), np.uint64)
            single = self._unit_class != RUN
            self._masks[self._firsts[single]] = masks[single]
        return self._masks

    def _forward(self, masks: npt.NDArray[np.uint64]) -> None:
        exits, row_of = self._solve()
        most = FIRST_SETS
        while True:
            sets = POOL.take(most, exits.shape[1])
            found = forward(
                *self._canvas(),
                self.machine.start,
                row_of,
                *self._pops(),
                exits,
                masks,
                sets,
                np.full(4 * most, -1, np.int32),
                np.full((most, self.machine.n_symbols), -1, np.int32),
                np.zeros((4 * most, 3), np.int64),
            )
            POOL.give(sets)
            if found >= 0:
                return
            most *= 4
            masks[:] = 0
            if most > MOST_SETS:
                raise LimitExceeded(
                    "the holes have too many different contexts",
                    limit="context sets",
                    value=MOST_SETS,
                    hint="look at the canvas through windows",
                )

    def _solve(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
        """The exits of every row, up to date."""
        row_of = self._reach() if self._row_of is None else self._row_of
        if self._from >= 0:
            backward(
                *self._canvas(),
                self.layout.end_class,
                row_of,
                *self._pops(),
                self._from,
                self._exits,
                self._rest,
                self._jump,
            )
            self._from = -1
        return self._exits, row_of

    def _canvas(self) -> tuple[Any, ...]:
        """What the kernels take first: the nodes, edges and steps."""
        machine, nodes = self.machine, self._laid.machine
        return (
            nodes.kind,
            nodes.inner,
            nodes.symbol,
            machine.edge_start,
            machine.edge_node,
            machine.edge_classes,
            machine.accepting,
            self._unit_class,
            self._unit_skippable,
            self._allowed,
            self._unit_run,
            self._run_start,
            self._run_node,
        )

    def _pops(self) -> tuple[Any, ...]:
        laid = self._laid
        return laid.pop_of, laid.by_symbol, laid.pops, laid.landing_of, laid.landings, self._width

    def _divide(self) -> None:
        """Find the units of the canvas."""
        firsts: list[int] = []
        unit_of = np.zeros(len(self.steps), np.int64)
        i = 0
        while i < len(self.steps):
            end = i
            while end < len(self.steps) and self.steps[end].token is not None:
                end += 1
            end = end if end - i >= LEAST_RUN else max(end, i + 1)
            if end - i < LEAST_RUN:
                unit_of[i:end] = np.arange(len(firsts), len(firsts) + end - i)
                firsts += range(i, end)
            else:
                unit_of[i:end] = len(firsts)
                firsts.append(i)
            i = end
        self._firsts = np.array(firsts, np.int64)
        self._unit_of = unit_of
        self._is_run = np.diff(np.append(self._firsts, len(self.steps))) > 1
        self._unit_run = np.where(self._is_run, np.cumsum(self._is_run) - 1, -1).astype(np.int32)
        self._width = (len(firsts) + 63) // 64

    def _set_units(self) -> None:
        self._unit_class = np.where(self._is_run, RUN, self._step_class[self._firsts]).astype(np.int32)
        self._unit_skippable = self._skippable[self._firsts]

    def _reach(self) -> npt.NDArray[np.int32]:
        """Number the rows, and compose the runs on the way, each from the controls that it may begin in."""
        machine = self.machine
        self._divide()
        self._set_units()
        n_units = len(self._firsts)
        composer = Composer(machine)
        kind, inner, symbol = machine.kind, machine.inner, machine.symbol
        row_of = np.full((n_units + 1, len(kind)), -1, np.int32)
        following = np.zeros(len(kind), np.bool_)
        following[machine.start] = True
        stacked = np.zeros(machine.n_symbols, np.bool_)
        starts: list[npt.NDArray[np.int32]] = []
        targets: list[npt.NDArray[np.int32]] = []
        placed = rows = layer = 0
        ends = np.append(self._firsts, len(self.steps))
        while True:
            layer, rows = reach(
                kind,
                inner,
                symbol,
                machine.edge_start,
                machine.edge_node,
                machine.edge_classes,
                self._unit_class,
                self._unit_skippable,
                self._allowed,
                layer,
                rows,
                following,
                stacked,
                row_of,
            )
            if layer > n_units:
                break
            begun = np.flatnonzero(row_of[layer - 1, : machine.n_controls] >= 0).astype(np.int32)
            run = composer.run(self._step_class[ends[layer - 1] : ends[layer]], begun)
            order = np.argsort(run.sources, kind="stable")
            starts.append(
                (placed + np.searchsorted(run.sources[order], np.arange(machine.n_controls + 1))).astype(np.int32)
            )
            targets.append(run.nodes[order])
            placed += len(order)
            kind, inner, symbol = composer.nodes
            more = len(kind) - len(following)
            if more:
                row_of = np.pad(row_of, ((0, 0), (0, more)), constant_values=-1)
            following = np.zeros(len(kind), np.bool_)
            following[run.nodes] = True
        self._laid = self.layout
        if len(kind) > len(machine.kind):
            self._laid = Layout(replace(machine, kind=kind, inner=inner, symbol=symbol))
        self._run_start = np.array(starts, np.int32).reshape(len(starts), machine.n_controls + 1)
        self._run_node = np.concatenate([np.zeros(0, np.int32), *targets])
        n_pops, n_landings = len(self._laid.pops), len(self._laid.landings)
        length = n_pops * self._width + (n_pops + 1 + 63) // 64
        more = n_landings * (n_units + 2)
        if 8 * length * (rows + more) > MOST_BYTES:
            raise LimitExceeded(
                f"the tables of the canvas would take {8 * length * (rows + more) >> 20} MB",
                limit="bytes of a canvas",
                value=MOST_BYTES,
                hint="look at it through windows",
            )
        self._exits = POOL.take(rows, length)
        self._rest = POOL.take(more, length).reshape(n_landings, n_units + 2, length)
        self._jump = np.zeros((n_landings, n_units + 2), np.int32)
        self._give_back = [weakref.finalize(self, POOL.give, x) for x in (self._exits, self._rest)]
        self._row_of = row_of
        self._reached = list(self.steps)
        self._from = n_units
        return row_of


def _is_narrower(old: Step, new: Step) -> bool:
    """Whether all that the new step may hold, the old one might."""
    if old == new or (old.token is None and old.allowed is None):
        return True
    if old.token is not None:
        return False
    tokens = {new.token} if new.token is not None else new.allowed
    return tokens is not None and tokens <= (old.allowed or frozenset())
