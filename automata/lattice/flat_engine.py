"""The engine on a canvas machine without a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from .canvas import CanvasEngine, Layout
from .flat import flat_masks, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .slots import Step


class FlatEngine(CanvasEngine):
    """A canvas without a stack; see ``flat``."""

    def __init__(self, layout: Layout, steps: Sequence[Step]) -> None:
        """Lay out the canvas; nothing is computed before the first question."""
        super().__init__(layout, steps)
        self._forwards, self._backwards = layout.directions
        self._ahead, self._alive = (
            np.zeros((len(self.steps) + 1, len(side.border)), np.uint64) for side in layout.directions
        )
        self._ahead[0], self._alive[0] = self._forwards.border, self._backwards.border
        self._masks = np.zeros((len(self.steps), self.machine.edge_classes.shape[1]), np.uint64)
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
        return bool((self._alive[-1] & self._forwards.border).any())

    def class_masks(self) -> npt.NDArray[np.uint64]:
        """uint64[S, W]: the classes that may stand in each step."""
        self._solve()
        return self._masks

    def _solve(self) -> None:
        n_steps = len(self.steps)
        if self._changed == [] or not n_steps:
            return
        fresh = self._changed is None
        first, last = (0, n_steps - 1) if self._changed is None else (min(self._changed), max(self._changed))
        canvas = self._step_class, self._skippable
        mirrored = (np.ascontiguousarray(part[::-1]) for part in canvas)
        until = spread(self._forwards, *canvas, self._allowed, first, n_steps if fresh else last, self._ahead)
        begun, ended = n_steps - 1 - last, n_steps if fresh else n_steps - 1 - first
        back = n_steps - spread(self._backwards, *mirrored, self._allowed, begun, ended, self._alive)
        changed = max(back, 0), min(until, n_steps)
        flat_masks(self._forwards, self._step_class, self._allowed, self._ahead, self._alive, *changed, self._masks)
        self._changed = []
