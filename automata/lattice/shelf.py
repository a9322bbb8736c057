"""Tables of canvases that are closed: the next canvas of the same machine goes on with what it has in common with one of them.

The exits of a layer (``boolean``) hang on what is to the right of it alone, and layers are numbered from the end of the canvas.  So of two canvases that end in
the same steps, however long they are and whatever they begin with, the layers of that end have the same rows.  When denoising or filling in goes on block by
block, that is most of the table: all open slots behind the block.

A table belongs to one canvas at a time: it is taken from the shelf, changed in place, and put back when the canvas is closed.  So nothing is
shared between threads but the shelf, which has a lock.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from .boolean import NEXT, Table
from .pool import POOL
from .reach import FIRST_SET, RUN

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_KEPT: Final = 4
"""Tables of one machine: as many kinds of canvases may take turns."""

MOST_KEPT_BYTES: Final = 512 << 20
"""What the tables of all machines take together: four of 1,024 open slots of JSON, or fifty of 256."""


@dataclass(slots=True, eq=False)
class Kept:
    """A table, and what canvas it belongs to.

    Attributes:
        machine: the number of the machine.
        table: the table.
        step_class: int32[S], see ``reach.Canvas``, and likewise ``skippable`` and ``allowed``.
        skippable: bool[S].
        allowed: uint64[sets, W].
        origin: the first step.
        stale: the last layer whose rows are out of date, -1 if none.
        extended: whether its rows are laid out for exits that the machine itself has not, so that it serves no other canvas.

    """

    machine: int
    table: Table
    step_class: npt.NDArray[np.int32]
    skippable: npt.NDArray[np.bool_]
    allowed: npt.NDArray[np.uint64]
    origin: int
    stale: int
    extended: bool

    @property
    def n_known(self) -> int:
        """How many layers are up to date."""
        return len(self.step_class) - max(self.stale, self.origin - 1)

    @property
    def nbytes(self) -> int:
        """What the rows take, with the room behind them."""
        cells = self.table.cells
        return cells.nbytes if cells.base is None else int(cells.base.nbytes)

    def steps_alike(self, other: Kept) -> int:
        """How many steps at the end are the same in both."""
        n = min(len(part.step_class) - part.origin for part in (self, other))
        at, to = (part.step_class[len(part.step_class) - n :] for part in (self, other))
        alike = (at == to) & (at != RUN)
        limited = np.flatnonzero((at <= FIRST_SET) & (to <= FIRST_SET))
        one, another = self.allowed[FIRST_SET - at[limited]], other.allowed[FIRST_SET - to[limited]]
        alike[limited] = (one == another).all(axis=1)
        alike &= self.skippable[len(self.skippable) - n :] == other.skippable[len(other.skippable) - n :]
        different = np.flatnonzero(~alike)
        return n - 1 - int(different[-1]) if len(different) else n

    def layers_for(self, other: Kept, live: npt.NDArray[np.bool_], reading: npt.NDArray[np.intp], n_nodes: int) -> int:
        """How many layers at the end have all rows that another canvas needs there.

        Args:
            other: the other canvas, without a table.
            live: bool[layers, N], what can occur in it.
            reading: int[k], the nodes that have rows.
            n_nodes: nodes of the machine; those behind them are of runs, and others in each canvas.

        """
        n = min(self.steps_alike(other) + 1, self.n_known)
        if not n:
            return 0
        missing = live[-n:, reading]
        own = reading < n_nodes
        missing[:, own] &= self.table.held[-n:, reading[own]] < 0
        without = np.flatnonzero(missing.any(axis=1))
        return n - 1 - int(without[-1]) if len(without) else n

    def carry_over(self, empty: Table, n: int, n_nodes: int) -> Table:
        """The memory of this table with its last n layers, and nothing else known.

        Args:
            empty: a table of the new canvas, in which nothing is known.
            n: layers at the end.
            n_nodes: nodes of the machine; those behind them are of runs, and others in another canvas.

        """
        old = self.table
        empty.held[-n:, :n_nodes] = old.held[-n:, :n_nodes]
        behind = -n - 1  # where one layer begins the one behind it ends, so one more is taken
        empty.landed[:, behind:] = old.landed[:, behind:]
        empty.landed[:, behind:, NEXT] += len(empty.row_of) - len(old.row_of)
        empty.used[behind:], empty.n_rows[behind:] = old.used[behind:], old.n_rows[behind:]
        if len(old.base) >= len(empty.base):
            return empty._replace(cells=old.cells, base=old.base, kind=old.kind)
        n_rows = int(empty.n_rows[behind])
        empty.base[:n_rows], empty.kind[:n_rows] = old.base[:n_rows], old.kind[:n_rows]
        return empty._replace(cells=old.cells)


class Shelf:
    """The tables that no canvas has at present, of all machines, the one put back last at the end."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._kept: list[Kept] = []
        self._lock = threading.RLock()  # a collection within may put a table back

    def kept_of(self, machine: int) -> list[Kept]:
        """The tables of one machine."""
        with self._lock:
            return [kept for kept in self._kept if kept.machine == machine]

    def take(self, machine: int, layers: Callable[[Kept], int], least: int) -> tuple[Kept, int] | None:
        """The table that has most layers for a canvas of this machine, and how many; None if none has enough.

        Args:
            machine: the number of the machine.
            layers: how many layers a table has for the canvas; the others are lost.
            least: how many it must have; nor is a table taken that would lose more than it gives.

        """
        with self._lock:
            own = self.kept_of(machine)
            known = [layers(kept) for kept in own]
            worth = [
                (n, -kept.n_known, i)
                for i, (n, kept) in enumerate(zip(known, own, strict=True))
                if n >= least and 2 * n >= kept.n_known
            ]
            if not worth:
                return None
            most, _, i = max(worth)
            found = own[i]
            if found not in self._kept:  # a collection has put another one back meanwhile, which needed its room
                return None
            self._kept.remove(found)
            return found, most

    def give(self, kept: Kept) -> None:
        """Put a table back that nobody uses any more; those that were not used for longest make room."""
        if kept.extended:
            POOL.give(kept.table.cells)
            return
        with self._lock:
            self._kept.append(kept)
            dropped = self.kept_of(kept.machine)[:-MOST_KEPT]
            size = sum(one.nbytes for one in self._kept if one not in dropped)
            for one in self._kept:
                if size <= MOST_KEPT_BYTES:
                    break
                if one not in dropped:
                    dropped.append(one)
                    size -= one.nbytes
            self._drop(dropped)

    def forget(self, machine: int) -> None:
        """Drop the tables of a machine."""
        with self._lock:
            self._drop(self.kept_of(machine))

    def _drop(self, dropped: list[Kept]) -> None:
        for kept in dropped:
            if kept in self._kept:  # else a collection meanwhile has dropped it
                self._kept.remove(kept)
                POOL.give(kept.table.cells)


SHELF: Final = Shelf()
