"""The engine on a canvas machine with a stack; see ``boolean`` for what it computes.

The kernels' steps are *units* of the canvas: a step, or a run of fixed tokens as one (``runs``), so that size depends on holes and not on the
length of the text around them.  Units stay when steps are committed: what is fixed later is no run.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ...grammar.errors import LimitExceeded
from .boolean import ACCEPTED, REST, Table, backward
from .canvas import CanvasEngine, Layout
from .exit_rows import row_layout
from .exits import with_pushes
from .forward import forward
from .machine import CONTROL, POP
from .pool import POOL
from .reach import ANY, RUN, Canvas, reach
from .runs import Composer, Nodes
from .shelf import SHELF, Kept
from .units import pushdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .exit_rows import RowLayout
    from .inside import Pushdown
    from .runs import Run
    from .slots import Step

LEAST_RUN: Final = 12
"""Fixed tokens in a row that are worth the pop nodes that a run may add."""

MOST_APART: Final = 256
"""Fixed tokens in a row that are taken one by one where they can be read in too many ways to be one step."""

MOST_BYTES: Final = 4 << 30
"""Tables of one canvas; more is a canvas that should be looked at through a window."""

SHARING: Final = 3
"""Nodes of a layer to a row, where memory is set aside for rows; if they share less, more is taken."""

LEAST_SHARE: Final = 2
"""One layer in so many must be known for a table to be taken over, else a new one is made and both are kept."""

FIRST_SETS: Final = 512
MOST_SETS: Final = 1 << 18


class PushdownEngine(CanvasEngine):
    """A canvas with a stack."""

    def __init__(self, layout: Layout, steps: Sequence[Step]) -> None:
        """Lay out the canvas; nothing is computed before the first question."""
        super().__init__(layout, steps)
        self._give_back: weakref.finalize[..., Any] | None = None
        self._known: Kept | None = None
        self._reached: list[Step] = []  # the canvas that runs were composed for
        self._apart: set[int] = set()  # where runs begin that are read in too many ways
        self._masks: npt.NDArray[np.uint64] | None = None

    def close(self) -> None:
        """Give the table back."""
        if self._give_back is not None:
            self._give_back()
        self._give_back = None
        self._known = None
        self._masks = None

    def fix(self, steps: Sequence[Step]) -> None:
        """Go on with a canvas of the same steps, some of them fixed or opened.

        Exits of layers behind the last change stay.  What is opened must have been open when runs were composed; else all is done again.
        """
        changed = self._change_steps(steps)
        if not changed:
            return
        self._masks = None
        known = self._known
        if known is None or not all(_is_narrower(self._reached[i], steps[i]) for i in changed):
            self.close()
            return
        first, last = int(self._unit_of[changed[0]]), int(self._unit_of[changed[-1]])
        self._set_units()
        self._reach(self._kinds, first, last)
        known.step_class, known.skippable, known.allowed = self._unit_class, self._unit_skippable, self._allowed
        known.stale = max(known.stale, last)

    @property
    def table_bytes(self) -> int:
        """What the tables of the last solution take."""
        return 0 if self._known is None else sum(part.nbytes for part in self._known.table) + self._live.nbytes

    def feasible(self) -> bool:
        """Whether some filling satisfies the constraint."""
        table = self._solve()
        row = table.row_of[self._origin, self.machine.start]
        at = table.base[row] + int(self._rows.size[table.kind[row]]) * self._width
        return bool((int(table.cells[at]) >> ACCEPTED) & 1)

    def class_masks(self) -> npt.NDArray[np.uint64]:
        """uint64[S, W]: the classes that may stand in each step; those of runs are left out."""
        if self._masks is None:
            fillable = self.feasible()
            masks = np.zeros((len(self._unit_class), self.machine.edge_classes.shape[1]), np.uint64)
            if fillable:
                self._forward(masks)
            self._masks = np.zeros((len(self.steps), masks.shape[1]), np.uint64)
            single = self._unit_class[self._origin :] != RUN
            self._masks[self._firsts[single]] = masks[self._origin :][single]
        return self._masks

    def _forward(self, masks: npt.NDArray[np.uint64]) -> None:
        table = self._solve()
        length = len(self._pushdown.exit_node) * self._width + self._rows.n_extra
        most = FIRST_SETS
        while True:
            sets = POOL.take(most * length)
            found = forward(
                self._pushdown,
                self._rows,
                self._canvas(),
                self._width,
                table,
                masks,
                sets.reshape(most, length),
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

    def _solve(self) -> Table:
        """The exits of every row, up to date."""
        known = self._known or self._laid_out()
        while known.stale >= 0:
            known.stale = int(
                backward(self._pushdown, self._rows, self._canvas(), self._live, self._width, known.stale, known.table)
            )
            if known.stale >= 0:
                self._make_room(known, 2 * len(known.table.cells))
        return known.table

    def _canvas(self) -> Canvas:
        """What the kernels take as the steps."""
        return Canvas(
            self._unit_class,
            self._unit_skippable,
            self._allowed,
            self._unit_run,
            self._run_start,
            self._run_node,
            self.layout.end_class,
            self._origin,
        )

    def _divide(self) -> None:
        """Find the units of the canvas."""
        fixed = np.array([step.token is not None for step in self.steps], np.int8)
        changes = np.diff(fixed, prepend=np.int8(0), append=np.int8(0))
        within = np.zeros(len(fixed), np.bool_)
        for begin, end in zip(np.flatnonzero(changes == 1), np.flatnonzero(changes == -1), strict=True):
            if end - begin >= LEAST_RUN and int(begin) not in self._apart:
                within[begin + 1 : end] = True
        self._firsts = np.flatnonzero(~within)
        self._width = -(-len(self._firsts) // 64)
        self._origin = 64 * self._width - len(self._firsts)  # so that the last layer is a multiple of 64
        self._unit_of = np.cumsum(~within) - 1 + self._origin
        self._is_run = np.diff(np.append(self._firsts, len(self.steps))) > 1
        self._unit_run = self._padded(np.where(self._is_run, np.cumsum(self._is_run) - 1, -1).astype(np.int32), -1)

    def _set_units(self) -> None:
        classes = np.where(self._is_run, RUN, self._step_class[self._firsts]).astype(np.int32)
        self._unit_class = self._padded(classes, ANY)
        self._unit_skippable = self._padded(self._skippable[self._firsts], np.False_)

    def _padded(self, units: npt.NDArray[Any], filler: object) -> npt.NDArray[Any]:
        """Something of each unit, with a filler for the numbers before the first."""
        return np.concatenate((np.full(self._origin, filler, units.dtype), units))

    def _reach(self, nodes: Nodes, first: int, last: int) -> int:
        """Find what can occur behind layer ``first``, up to a run that is not composed yet, whose layer is returned."""
        machine = self.machine
        edges = machine.edge_start, machine.edge_node, machine.edge_classes
        return int(reach(*nodes, *edges, self._canvas(), first, last, self._live, self._stacked))

    def _laid_out(self) -> Kept:
        """Find what can occur, with runs as one step, and set up a table."""
        while (composed := self._composed()) is None:
            pass  # a run less is one step now
        runs, nodes = composed
        machine = self.machine
        self._kinds = nodes
        self._pushdown, self._rows = self.layout.pushdown, self.layout.rows
        extended = bool((nodes.kind[len(machine.kind) :] == POP).any())
        if runs and not extended:
            self._pushdown = with_pushes(self._pushdown, *nodes)
            extended = not all(_adds_no_exit(self._pushdown, run) for run in runs)
        if extended:
            self._pushdown = pushdown(machine, nodes, runs)
        if runs:
            self._rows = row_layout(self._pushdown)
        self._reached = list(self.steps)
        self._known = self._set_up(extended=extended)
        self._give_back = weakref.finalize(self, SHELF.give, self._known)
        return self._known

    def _composed(self) -> tuple[list[Run], Nodes] | None:
        """Find what can occur, and compose the runs on the way, each from the controls that it may begin in.

        Returns:
            The runs and all nodes, or nothing where a run can be read in too many ways: then it is to be taken apart, and all is done again.

        """
        machine = self.machine
        self._divide()
        self._set_units()
        last = 64 * self._width
        nodes = Nodes(machine.kind, machine.inner, machine.symbol)
        composer: Composer | None = None
        self._live = np.zeros((last + 1, len(machine.kind)), np.bool_)
        self._stacked = np.zeros((last + 1, machine.n_symbols), np.bool_)
        n = machine.start
        self._live[self._origin, n] = True
        while machine.kind[n] != CONTROL:
            n = int(machine.inner[n])
            self._live[self._origin, n] = True
        runs: list[Run] = []
        ends = np.append(self._firsts, len(self.steps))
        layer = self._origin
        while True:
            self._edges_of(runs)
            layer = self._reach(nodes, layer, last)
            if layer > last:
                break
            composer = composer or Composer(machine)
            begun = np.flatnonzero(self._live[layer, : machine.n_controls]).astype(np.int32)
            unit = layer - self._origin
            begin, end = int(ends[unit]), int(ends[unit + 1])
            try:
                runs.append(composer.run(self._step_class[begin:end], begun))
            except LimitExceeded:
                if end - begin > MOST_APART:
                    raise
                self._apart.add(begin)
                return None
            nodes = composer.nodes
            self._live = np.pad(self._live, ((0, 0), (0, len(nodes.kind) - self._live.shape[1])))
        return runs, nodes

    def _edges_of(self, runs: list[Run]) -> None:
        """Lay out the edges of the runs so far by control."""
        n = self.machine.n_controls
        orders = [np.argsort(run.sources, kind="stable") for run in runs]
        starts = [
            np.searchsorted(run.sources[order], np.arange(n + 1)) for run, order in zip(runs, orders, strict=True)
        ]
        before = np.cumsum([0, *(len(run.nodes) for run in runs)])[:-1]
        self._run_start = np.array(starts, np.int32).reshape(len(runs), n + 1) + before[:, None].astype(np.int32)
        self._run_node = np.concatenate(
            [np.zeros(0, np.int32), *(run.nodes[order] for run, order in zip(runs, orders, strict=True))]
        )

    def _set_up(self, *, extended: bool) -> Kept:
        """A table with what is known from other canvases, and room for the rest if nodes share rows as they do in JSON.

        Args:
            extended: whether rows are laid out for more exits than the machine has.

        """
        rows, live, last = self._rows, self._live, 64 * self._width
        n_layers, n_nodes = live.shape
        n_own = len(self.machine.kind)
        reading = np.flatnonzero(self._pushdown.type_of >= 0)
        canvas = self._unit_class, self._unit_skippable, self._allowed
        table = _nothing(rows, n_layers, n_nodes)
        known = Kept(self.layout.number, table, *canvas, self._origin, last, extended)
        n_units = last - self._origin
        found = None
        if not extended:
            found = SHELF.take(
                self.layout.number,
                lambda kept: min(kept.layers_for(known, live, reading, n_own), n_units),
                max(1, n_units // LEAST_SHARE),
            )
        n_kept = 0 if found is None else found[1]
        ahead = np.arange(self._origin, n_layers - n_kept)
        sizes = rows.size[self._pushdown.type_of[reading]]
        there = live[ahead][:, reading]
        height = self._width - (ahead >> 6)
        unions = rows.size[self._pushdown.type_of[rows.landings]]
        needed = (there @ sizes + unions.sum()) * height + rows.n_extra * (there.sum(axis=1) + len(unions))
        # enough whatever steps are fixed later: rows that are shared now need not be then
        n_rows = int(live[:, reading].sum()) + n_nodes
        if found is not None:
            n_rows += int(found[0].table.n_rows[-n_kept - 1])
        table = table._replace(base=np.empty(n_rows, np.int64), kind=np.empty(n_rows, np.int32))
        if found is not None:
            table = found[0].carry_over(table, n_kept, n_own)
        known.table = table
        known.stale = last - n_kept
        room = int(table.used[-n_kept - 1] + needed.sum() // SHARING + needed.max(initial=0))
        if room > len(table.cells):
            self._make_room(known, room)
        return known

    def _make_room(self, known: Kept, n_cells: int) -> None:
        """Give the table more room for rows."""
        if 8 * n_cells > MOST_BYTES:
            raise LimitExceeded(
                f"the tables of the canvas would take {8 * n_cells >> 20} MB",
                limit="bytes of a canvas",
                value=MOST_BYTES,
                hint="look at it through windows",
            )
        table = known.table
        cells = POOL.take(n_cells)
        cells[: len(table.cells)] = table.cells
        known.table = table._replace(cells=cells)
        if len(table.cells):
            POOL.give(table.cells)


def _adds_no_exit(p: Pushdown, run: Run) -> bool:
    """Whether each control comes to all that a run leads it to by the machine's own edges, so that rows have a place for it."""
    has = np.zeros((len(p.type_first) - 1, p.n_bundles), np.bool_)
    has[np.repeat(np.arange(len(has)), np.diff(p.type_first)), p.type_bundle] = True
    own = has[p.type_of[run.sources]]
    pops = p.kind[run.nodes] == POP
    more = has[p.type_of[run.nodes]]
    more[pops] = np.eye(p.n_bundles, dtype=np.bool_)[p.bundle_of[p.exit_of[run.nodes[pops]]]]
    return not bool((more & ~own).any())


def _nothing(rows: RowLayout, n_layers: int, n_nodes: int) -> Table:
    """A table in which nothing is known, without memory for rows."""
    landed = np.full((len(rows.landings), n_layers + 1, 3), -1, np.int64)
    landed[:, -1, REST] = np.arange(len(rows.landings)) * rows.n_extra
    used = np.zeros(n_layers + 1, np.int64)
    used[-1] = len(rows.landings) * rows.n_extra
    return Table(
        cells=np.zeros(0, np.uint64),
        row_of=np.full((n_layers, n_nodes), -1, np.int32),
        held=np.full((n_layers, n_nodes), -1, np.int32),
        base=np.zeros(0, np.int64),
        kind=np.zeros(0, np.int32),
        used=used,
        n_rows=np.zeros(n_layers + 1, np.int32),
        landed=landed,
    )


def _is_narrower(old: Step, new: Step) -> bool:
    """Whether all that the new step may hold, the old one might."""
    if old == new or (old.token is None and old.allowed is None):
        return True
    if old.token is not None:
        return False
    tokens = {new.token} if new.token is not None else new.allowed
    return tokens is not None and tokens <= (old.allowed or frozenset())
