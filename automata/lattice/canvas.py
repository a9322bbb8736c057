"""The canvas engine: a canvas machine on a row of steps, its tables, and what they answer."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ...grammar.errors import LimitExceeded
from .boolean import ACCEPTED, ANY, backward, expand, forward, reach
from .extraction import Beyond, Extraction
from .flat import flat_backward, flat_forward, flat_masks
from .machine import CONTROL, POP, CanvasMachine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..constraint import Constraint
    from .slots import Step

MOST_BYTES: Final = 4 << 30
"""Tables of one canvas; more is a canvas that should be looked at through a window."""

FIRST_SETS: Final = 512
MOST_SETS: Final = 1 << 18
MOST_POOLED: Final = 8


class Pool:
    """Buffers that were used before: the first touch of fresh memory costs more than the work that is done in it."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._free: list[npt.NDArray[np.uint64]] = []

    def take(self, rows: int, width: int) -> npt.NDArray[np.uint64]:
        """An array uint64[rows, width] with anything in it."""
        words = rows * width
        best: npt.NDArray[np.uint64] | None = None
        for buffer in self._free:
            if len(buffer) >= words and (best is None or len(buffer) < len(best)):
                best = buffer
        if best is None:
            best = np.empty(words + words // 4, np.uint64)
        else:
            self._free = [buffer for buffer in self._free if buffer is not best]
        return best[:words].reshape(rows, width)

    def give(self, array: npt.NDArray[np.uint64]) -> None:
        """Take a buffer back that nobody uses any more."""
        while array.base is not None:
            array = array.base
        self._free.append(array)
        if len(self._free) > MOST_POOLED:
            self._free.remove(min(self._free, key=len))


POOL: Final = Pool()


class Layout:
    """What a canvas machine is to the kernels, whatever the canvas: its pop nodes by symbol, where they land, the class of the end."""

    def __init__(self, machine: CanvasMachine) -> None:
        """Number the pop nodes."""
        self.machine = machine
        pops = np.flatnonzero(machine.kind == POP)
        pops = pops[np.argsort(machine.symbol[pops], kind="stable")]
        self.pops = pops.astype(np.int32)
        self.pop_of = np.full(len(machine.kind), -1, np.int32)
        self.pop_of[pops] = np.arange(len(pops))
        self.by_symbol = np.searchsorted(machine.symbol[pops], np.arange(machine.n_symbols + 1)).astype(np.int32)
        lands = machine.inner[pops]
        self.landings, numbers = np.unique(lands[machine.kind[lands] != POP], return_inverse=True)
        self.landing_of = np.full(len(pops), -1, np.int32)
        self.landing_of[machine.kind[lands] != POP] = numbers
        closed = int(np.flatnonzero(machine.accepting)[0])
        self.end_class = machine.end_class
        self.closed = closed


_LAYOUTS: weakref.WeakKeyDictionary[Constraint, Layout | Beyond] = weakref.WeakKeyDictionary()


def layout_of(constraint: Constraint) -> Layout:
    """The canvas machine of a constraint, made at its first use.

    Raises:
        Beyond: it has none; see ``extraction``.

    """
    known = _LAYOUTS.get(constraint)
    if known is None:
        try:
            known = Layout(Extraction(constraint).machine())
        except Beyond as error:
            known = error
        _LAYOUTS[constraint] = known
    if isinstance(known, Beyond):
        raise known
    return known


class CanvasEngine:
    """A canvas under a canvas machine: exact for the machine's texts, slot counts included."""

    def __init__(self, layout: Layout, steps: Sequence[Step]) -> None:
        """Lay out the canvas; nothing is computed before the first question."""
        self.layout = layout
        self.machine = layout.machine
        self.exact = layout.machine.exact
        self._set_steps(steps)

    @staticmethod
    def of(layout: Layout, steps: Sequence[Step]) -> CanvasEngine:
        """The engine for a canvas: sets of controls where there is no stack, exits and contexts where there is one."""
        return (PushdownEngine if (layout.machine.kind != CONTROL).any() else FlatEngine)(layout, steps)

    def close(self) -> None:
        """Give back what is held."""

    def fix(self, steps: Sequence[Step]) -> None:
        """Go on with a canvas of the same steps, some of them fixed or opened."""
        raise NotImplementedError

    def feasible(self) -> bool:
        """Whether some filling satisfies the constraint."""
        raise NotImplementedError

    def class_masks(self) -> npt.NDArray[np.uint64]:
        """uint64[S, W]: the classes that may stand in each step."""
        raise NotImplementedError

    def _set_steps(self, steps: Sequence[Step]) -> None:
        self.steps = list(steps)
        sets: dict[frozenset[int], int] = {}
        rows: list[npt.NDArray[np.uint64]] = []
        classes: list[int] = []
        class_of = self.machine.class_of
        for step in steps:
            if step.token is not None:
                classes.append(int(class_of[step.token]))
            elif step.allowed is None:
                classes.append(ANY)
            else:
                number = sets.setdefault(step.allowed, len(sets))
                if number == len(rows):
                    row = np.zeros(self.machine.edge_classes.shape[1], np.uint64)
                    for c in np.unique(class_of[sorted(step.allowed)]).tolist():
                        row[c >> 6] |= np.uint64(1 << (c & 63))
                    rows.append(row)
                classes.append(-2 - number)
        self._step_class = np.array(classes, np.int32)
        self._skippable = np.array([step.skippable for step in steps], np.bool_)
        self._allowed = np.array(rows, np.uint64).reshape(len(rows), self.machine.edge_classes.shape[1])

    def hole_classes(self) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int32]]:
        """uint32[holes, words] of classes, and the class int32[V] of each token; a class that some hole allows in part is split."""
        holes = [step for step in self.steps if step.hole]
        masks = self.class_masks()[np.array([step.hole for step in self.steps], np.bool_)]
        class_of = self.machine.class_of
        limited = {step.allowed for step in holes if step.allowed is not None}
        if not limited:
            return masks.view(np.uint32), class_of
        inside = {allowed: np.isin(np.arange(len(class_of)), list(allowed)) for allowed in limited}
        keys = np.stack([class_of, *inside.values()])
        old, class_of = np.unique(keys, axis=1, return_inverse=True)
        bits = np.unpackbits(masks.view(np.uint8), axis=1, bitorder="little")[:, old[0]]
        at = {allowed: 1 + k for k, allowed in enumerate(inside)}
        for row, step in zip(bits, holes, strict=True):
            if step.allowed is not None:
                row &= old[at[step.allowed]].astype(np.uint8)
        return packed(bits), class_of.reshape(-1).astype(np.int32)

    def masks(self, rows: npt.NDArray[np.uint32]) -> None:
        """Write the tokens of each hole into its row."""
        holes = [i for i, step in enumerate(self.steps) if step.hole]
        if not holes:
            return
        distinct, which = np.unique(self.class_masks()[holes], axis=0, return_inverse=True)
        few = np.zeros((len(distinct), rows.shape[1]), np.uint32)
        expand(self.machine.class_of, distinct, few)
        np.take(few, which.reshape(-1), axis=0, out=rows)
        for row, i in enumerate(holes):
            allowed = self.steps[i].allowed
            if allowed is not None:
                ids = np.array(sorted(allowed), np.int64)
                only = np.zeros_like(rows[row])
                np.bitwise_or.at(only, ids >> 5, np.uint32(1) << (ids & 31).astype(np.uint32))
                rows[row] &= only


class PushdownEngine(CanvasEngine):
    """A canvas with a stack; see ``boolean``."""

    def __init__(self, layout: Layout, steps: Sequence[Step]) -> None:
        """Lay out the canvas; nothing is computed before the first question."""
        super().__init__(layout, steps)
        self._give_back: list[weakref.finalize[..., Any]] = []
        self._row_of: npt.NDArray[np.int32] | None = None
        self._reached: list[Step] | None = None  # the canvas that rows were numbered for
        self._from = -1  # the last layer whose exits are out of date; -2 if none
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

        Exits of layers behind the last change stay.  A step that was fixed when rows were numbered, and is opened now, needs new rows.
        """
        before = self.steps
        changed = [i for i, (old, new) in enumerate(zip(before, steps, strict=True)) if old != new]
        if not changed:
            return
        opened = self._reached is not None and not all(
            map(_is_narrower, self._reached, steps)
        )  # what is opened again, but was open when rows were numbered, has its rows
        self._set_steps(steps)
        self._masks = None
        if opened or self._row_of is None:
            self.close()
        else:
            self._from = max(self._from, changed[-1])

    def feasible(self) -> bool:
        """Whether some filling satisfies the constraint."""
        exits, row_of = self._solve()
        layout = self.layout
        width = (len(self.steps) + 63) // 64
        word = exits[row_of[0, self.machine.start], len(layout.pops) * width]
        return bool((int(word) >> ACCEPTED) & 1)

    def class_masks(self) -> npt.NDArray[np.uint64]:
        """uint64[S, W]: the classes that may stand in each step."""
        if self._masks is not None:
            return self._masks
        machine, layout = self.machine, self.layout
        masks = np.zeros((len(self.steps), machine.edge_classes.shape[1]), np.uint64)
        if self.feasible():
            exits, row_of = self._solve()
            most = FIRST_SETS
            while True:
                sets = POOL.take(most, exits.shape[1])
                found = forward(
                    machine.kind,
                    machine.inner,
                    machine.symbol,
                    machine.edge_start,
                    machine.edge_node,
                    machine.edge_classes,
                    machine.accepting,
                    machine.start,
                    self._step_class,
                    self._skippable,
                    self._allowed,
                    row_of,
                    layout.pop_of,
                    layout.by_symbol,
                    layout.pops,
                    layout.landing_of,
                    layout.landings,
                    (len(self.steps) + 63) // 64,
                    exits,
                    masks,
                    sets,
                    np.full(4 * most, -1, np.int32),
                    np.full((most, machine.n_symbols), -1, np.int32),
                    np.zeros((4 * most, 3), np.int64),
                )
                POOL.give(sets)
                self.n_sets = int(found)
                if found >= 0:
                    break
                most *= 4
                masks[:] = 0
                if most > MOST_SETS:
                    raise LimitExceeded("too many contexts", limit="context sets", value=MOST_SETS)
        self._masks = masks
        return masks

    def _solve(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
        """The exits of every row, up to date."""
        machine, layout = self.machine, self.layout
        n_steps = len(self.steps)
        width = (n_steps + 63) // 64
        length = len(layout.pops) * width + (len(layout.pops) + 1 + 63) // 64
        if self._row_of is None:
            row_of = np.empty((n_steps + 1, len(machine.kind)), np.int32)
            rows = reach(
                machine.kind,
                machine.inner,
                machine.symbol,
                machine.edge_start,
                machine.edge_node,
                machine.edge_classes,
                machine.start,
                machine.n_symbols,
                self._step_class,
                self._skippable,
                self._allowed,
                row_of,
            )
            n_landings = len(layout.landings)
            more = n_landings * (n_steps + 2)
            if 8 * length * (rows + more) > MOST_BYTES:
                raise LimitExceeded(
                    f"the tables of the canvas would take {8 * length * (rows + more) >> 20} MB",
                    limit="bytes of a canvas",
                    value=MOST_BYTES,
                    hint="look at it through windows",
                )
            self._exits = POOL.take(rows, length)
            self._rest = POOL.take(more, length).reshape(n_landings, n_steps + 2, length)
            self._jump = np.zeros((n_landings, n_steps + 2), np.int32)
            self._give_back = [weakref.finalize(self, POOL.give, x) for x in (self._exits, self._rest)]
            self._row_of = row_of
            self._reached = list(self.steps)
            self._from = n_steps
        if self._from >= 0:
            backward(
                machine.kind,
                machine.inner,
                machine.symbol,
                machine.edge_start,
                machine.edge_node,
                machine.edge_classes,
                machine.accepting,
                layout.end_class,
                self._step_class,
                self._skippable,
                self._allowed,
                self._row_of,
                layout.pop_of,
                layout.by_symbol,
                layout.pops,
                layout.landing_of,
                layout.landings,
                width,
                self._from,
                self._exits,
                self._rest,
                self._jump,
            )
            self._from = -2
        return self._exits, self._row_of


class FlatEngine(CanvasEngine):
    """A canvas without a stack; see ``flat``."""

    def __init__(self, layout: Layout, steps: Sequence[Step]) -> None:
        """Lay out the canvas; nothing is computed before the first question."""
        super().__init__(layout, steps)
        machine = self.machine
        shape = (len(self.steps) + 1, machine.n_controls)
        self._ahead = np.zeros(shape, np.bool_)
        self._alive = np.zeros(shape, np.bool_)
        self._ahead[0, machine.start] = True
        bit = np.uint64(layout.end_class & 63)
        ends = (machine.edge_classes[:, layout.end_class >> 6] >> bit).astype(np.uint64) & np.uint64(1) != 0
        origins = np.repeat(np.arange(machine.n_controls), np.diff(machine.edge_start))
        self._alive[-1, origins[ends & machine.accepting[machine.edge_node]]] = True
        self._masks = np.zeros((len(self.steps), machine.edge_classes.shape[1]), np.uint64)
        self._changed: list[int] | None = None  # steps since the last solution; None before the first

    def fix(self, steps: Sequence[Step]) -> None:
        """Go on with a canvas of the same steps, some of them fixed or opened."""
        changed = [i for i, (old, new) in enumerate(zip(self.steps, steps, strict=True)) if old != new]
        self._set_steps(steps)
        if self._changed is not None:
            self._changed += changed

    def feasible(self) -> bool:
        """Whether some filling satisfies the constraint."""
        self._solve()
        return bool(self._alive[0, self.machine.start])

    def class_masks(self) -> npt.NDArray[np.uint64]:
        """uint64[S, W]: the classes that may stand in each step."""
        self._solve()
        return self._masks

    def _solve(self) -> None:
        n_steps = len(self.steps)
        if self._changed == [] or not n_steps:
            return
        first, last = (0, n_steps - 1) if self._changed is None else (min(self._changed), max(self._changed))
        machine = self.machine
        edges = (machine.edge_start, machine.edge_node, machine.edge_classes)
        canvas = (self._step_class, self._skippable, self._allowed)
        until = flat_forward(*edges, *canvas, first, last if self._changed is not None else n_steps, self._ahead)
        back = flat_backward(*edges, *canvas, last, first if self._changed is not None else -1, self._alive)
        flat_masks(
            *edges,
            self._step_class,
            self._allowed,
            self._ahead,
            self._alive,
            max(back, 0),
            min(until, n_steps),
            self._masks,
        )
        self._changed = []


def _is_narrower(old: Step, new: Step) -> bool:
    """Whether all that the new step may hold, the old one might."""
    if old == new or (old.token is None and old.allowed is None):
        return True
    if old.token is not None:
        return False
    tokens = {new.token} if new.token is not None else new.allowed
    return tokens is not None and tokens <= (old.allowed or frozenset())


def packed(bits: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """uint32[n, words] of bits uint8[n, columns]."""
    width = -bits.shape[1] % 32
    return np.packbits(np.pad(bits, ((0, 0), (0, width))), axis=1, bitorder="little").view(np.uint32)
