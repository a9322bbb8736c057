"""The engine on a canvas machine without a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from .canvas import CanvasEngine, Layout
from .flat import flat_backward, flat_forward, flat_masks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .slots import Step


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
        changed = self._change_steps(steps)
        if self._changed is not None:
            self._changed += changed

    def copy(self) -> Self:
        """Another engine that goes on from here on its own, with what is known so far."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._step_class, other._skippable = self._step_class.copy(), self._skippable.copy()
        other._ahead, other._alive, other._masks = self._ahead.copy(), self._alive.copy(), self._masks.copy()
        other._changed = None if self._changed is None else list(self._changed)
        return other

    @property
    def table_bytes(self) -> int:
        """What the sets of controls take."""
        return self._ahead.nbytes + self._alive.nbytes

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
