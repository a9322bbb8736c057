"""What the engines on a canvas machine have in common: its layout, the steps as classes, masks from classes."""

from __future__ import annotations

import itertools
import weakref
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .boolean import expand
from .exit_rows import RowLayout, row_layout
from .flat import Direction, directions
from .reach import ANY, FIRST_SET
from .runs import Nodes
from .shelf import SHELF
from .units import pushdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .inside import Pushdown
    from .machine import CanvasMachine
    from .slots import Step


_NUMBERS = itertools.count()


class Layout:
    """What a canvas machine is to the kernels, whatever the canvas: its exits, how rows of them are laid out, the class of the end.

    Attributes:
        machine: the machine.
        end_class: the class that the end of a canvas reads.
        number: what tables of its canvases are kept under.

    """

    def __init__(self, machine: CanvasMachine) -> None:
        """Take a machine."""
        self.machine = machine
        self.end_class = machine.end_class
        self.number = next(_NUMBERS)
        weakref.finalize(self, SHELF.forget, self.number).atexit = False

    @cached_property
    def pushdown(self) -> Pushdown:
        """The machine with its exits."""
        machine = self.machine
        return pushdown(machine, Nodes(machine.kind, machine.inner, machine.symbol))

    @cached_property
    def rows(self) -> RowLayout:
        """What is where in a row of exits."""
        return row_layout(self.pushdown)

    @cached_property
    def directions(self) -> tuple[Direction, Direction]:
        """A machine without a stack from its start, and from the end."""
        return directions(self.machine)

    @cached_property
    def members(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """int64[C + 1] and int32[V]: the tokens by class, and where those of each begin."""
        class_of = self.machine.class_of
        order = np.argsort(class_of, kind="stable").astype(np.int32)
        return np.searchsorted(class_of[order], np.arange(self.machine.n_classes + 1)), order


class CanvasEngine:
    """A canvas under a canvas machine: exact for the machine's texts, slot counts included."""

    def __init__(self, layout: Layout, steps: Sequence[Step]) -> None:
        """Lay out the canvas; nothing is computed before the first question."""
        self.layout = layout
        self.machine = layout.machine
        self.exact = layout.machine.exact
        self._set_steps(steps)

    def close(self) -> None:
        """Give back what is held."""

    def copy(self) -> CanvasEngine | None:
        """Another engine that goes on from here on its own; None where that costs as much as a fresh one."""
        return None

    def fix(self, steps: Sequence[Step]) -> None:
        """Go on with a canvas of the same steps, some of them fixed or opened."""
        raise NotImplementedError

    def feasible(self) -> bool:
        """Whether some filling satisfies the constraint."""
        raise NotImplementedError

    @property
    def table_bytes(self) -> int:
        """What the tables take that the canvas makes."""
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
                classes.append(FIRST_SET - number)
        self._step_class = np.array(classes, np.int32)
        self._skippable = np.array([step.skippable for step in steps], np.bool_)
        self._allowed = np.array(rows, np.uint64).reshape(len(rows), self.machine.edge_classes.shape[1])

    def _change_steps(self, steps: Sequence[Step]) -> list[int]:
        """Take other steps, and say which are others than they were."""
        changed = [
            i
            for i, (old, new) in enumerate(zip(self.steps, steps, strict=True))
            if old is not new and old != new  # most are the same objects
        ]
        if any(steps[i].token is None and steps[i].allowed is not None for i in changed):
            self._set_steps(steps)
            return changed
        self.steps = list(steps)
        for i in changed:
            token = steps[i].token
            self._step_class[i] = ANY if token is None else self.machine.class_of[token]
            self._skippable[i] = steps[i].skippable
        return changed

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
        old, split = np.unique(keys, axis=1, return_inverse=True)
        bits = np.unpackbits(masks.view(np.uint8), axis=1, bitorder="little")[:, old[0]]
        at = {allowed: 1 + k for k, allowed in enumerate(inside)}
        for row, step in zip(bits, holes, strict=True):
            if step.allowed is not None:
                row &= old[at[step.allowed]].astype(np.uint8)
        return packed(bits), split.reshape(-1).astype(np.int32)

    def masks(self, rows: npt.NDArray[np.uint32]) -> None:
        """Write the tokens of each hole into its row."""
        holes = [i for i, step in enumerate(self.steps) if step.hole]
        if not holes:
            return
        distinct, which = np.unique(self.class_masks()[holes], axis=0, return_inverse=True)
        few = np.zeros((len(distinct), rows.shape[1]), np.uint32)
        expand(self.machine.class_of, *self.layout.members, distinct, few)
        np.take(few, which.reshape(-1), axis=0, out=rows)
        for row, i in enumerate(holes):
            allowed = self.steps[i].allowed
            if allowed is not None:
                ids = np.array(sorted(allowed), np.int64)
                only = np.zeros_like(rows[row])
                np.bitwise_or.at(only, ids >> 5, np.uint32(1) << (ids & 31).astype(np.uint32))
                rows[row] &= only


def packed(bits: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """uint32[n, words] of bits uint8[n, columns]."""
    width = -bits.shape[1] % 32
    packed_bits = np.packbits(np.pad(bits, ((0, 0), (0, width))), axis=1, bitorder="little")
    return np.ascontiguousarray(packed_bits).view(np.uint32)
