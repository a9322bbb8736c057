"""A canvas as the weighted kernels take it: units, which are one step each, and what every class weighs there."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from math import inf
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ...grammar.errors import LimitExceeded
from .class_weights import NO_TOKEN
from .exits import with_exits
from .inside import NONE, Pushdown, Steps
from .machine import DEAD
from .runs import Composer, Nodes, Run, controls_after

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .machine import CanvasMachine
    from .slots import Step

Struck = AbstractSet[tuple[int, int]]
"""Steps and tokens that must not stand there."""

NOTHING_STRUCK: Final[Struck] = frozenset()

_NOTHING: Final = np.zeros(0, np.int32)


def _joined(parts: list[npt.NDArray[np.int32]]) -> npt.NDArray[np.int32]:
    return np.concatenate([*parts, _NOTHING])


def pushdown(machine: CanvasMachine, nodes: Nodes, runs: Sequence[Run] = ()) -> Pushdown:
    """The machine as the kernels take it, with the nodes and edges of runs."""
    edges = (machine.edge_start, machine.edge_node, machine.edge_classes)
    run_edges = _joined([run.sources for run in runs]), _joined([run.nodes for run in runs])
    return with_exits(*nodes, edges, machine.accepting, machine.start, machine.n_symbols, run_edges)


class Units:
    """A canvas on a machine, cut into units: single tokens, and runs of fixed ones.

    Attributes:
        steps: the canvas, one step for each token.
        holes: int64[H], the steps that are holes.
        unit_of: int64[steps], the unit of each step.
        pushdown: the machine, with what the runs add to it.

    """

    def __init__(self, machine: CanvasMachine, steps: Sequence[Step], *, compose: bool = True) -> None:
        """Cut the canvas, and compose its runs.

        Args:
            machine: the machine of the constraint.
            steps: the canvas.
            compose: make each run of fixed tokens one step; else each token is a step.

        """
        self._machine = machine
        self.steps = steps
        self.holes = np.array([i for i, step in enumerate(steps) if step.hole], np.int64)
        self._fixed = np.array([NO_TOKEN if step.token is None else step.token for step in steps], np.int32)
        self._spellable, first = np.unique(machine.class_of, return_index=True)
        self._first_token = np.full(machine.n_classes, NO_TOKEN)
        self._first_token[self._spellable] = first
        runs: dict[int, Run] = {}
        composer = Composer(machine)
        self._start = self._starts(runs_too=compose)
        if compose:
            try:
                runs = self._composed(composer)
            except LimitExceeded:  # token by token the table may be small enough all the same
                composer = Composer(machine)
                self._start = self._starts(runs_too=False)
        n = len(self._start) - 1
        self.unit_of = np.repeat(np.arange(n), np.diff(self._start))
        self._is_run = np.isin(np.arange(n), list(runs))
        self._run_start = np.zeros(n + 1, np.int32)
        np.cumsum([len(runs[u].sources) if u in runs else 0 for u in range(n)], out=self._run_start[1:])
        self._run_source = _joined([run.sources for run in runs.values()])
        self._run_node = _joined([run.nodes for run in runs.values()])
        self.pushdown = pushdown(machine, composer.nodes, list(runs.values()))

    @property
    def n_open(self) -> int:
        """How many steps are not fixed."""
        return int((self._fixed == NO_TOKEN).sum())

    def _starts(self, *, runs_too: bool) -> npt.NDArray[np.int64]:
        """Where each unit starts, and last the number of steps."""
        fixed = self._fixed != NO_TOKEN
        within = np.zeros(len(fixed) + 1, np.bool_)
        if runs_too:
            within[1:-1] = fixed[1:] & fixed[:-1]
        return np.flatnonzero(~within)

    def _composed(self, composer: Composer) -> dict[int, Run]:
        """The runs by unit, each from the controls that may come before it."""
        runs: dict[int, Run] = {}
        sizes = np.diff(self._start)
        if (sizes < 2).all():
            return runs
        m = self._machine
        usable = np.zeros((len(sizes), 64 * m.edge_classes.shape[1]), np.bool_)
        usable[:, : m.n_classes] = self.unweighted()[0] > -inf
        words = np.packbits(usable, axis=1, bitorder="little").view(np.uint64)
        nodes = composer.nodes
        known: dict[tuple[bytes, bytes], npt.NDArray[np.int32]] = {}
        here = controls_after(m, nodes, _NOTHING, Run(_NOTHING, np.array([m.start], np.int32)))
        for unit, size in enumerate(sizes.tolist()):
            first = int(self._start[unit])
            if size > 1:
                runs[unit] = composer.run(m.class_of[self._fixed[first : first + size]], here)
                if runs[unit].nodes.max(initial=0) >= len(nodes.kind):
                    nodes = composer.nodes
                here = controls_after(m, nodes, here, runs[unit])
            else:
                key = (
                    here.tobytes(),
                    words[unit].tobytes(),
                )  # open steps behind one another soon come to the same controls
                if key not in known:
                    known[key] = controls_after(m, nodes, here, words[unit])
                following = known[key]
                here = np.union1d(here, following) if self.steps[first].skippable else following
        return runs

    # --- weights ------------------------------------------------------------------------------------------------------

    def unweighted(self, struck: Struck = NOTHING_STRUCK) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """float64[units, C], 0 for every class that may stand at each unit, and float64[units], how many tokens each has."""
        weights = np.full((len(self._start) - 1, self._machine.n_classes), -inf)
        weights[:, self._spellable] = 0.0
        for unit, i in enumerate(self._start[:-1].tolist()):
            step = self.steps[i]
            ids = [step.token] if step.token is not None else step.allowed
            if ids is not None:
                weights[unit] = -inf
                weights[unit, self._machine.class_of[sorted(ids)]] = 0.0
        weights[:, DEAD] = -inf
        for i, token in struck:
            c = int(self._machine.class_of[token])
            if self._token_for(i, c, struck) == NO_TOKEN:
                weights[self.unit_of[i], c] = -inf
        return weights, np.diff(self._start).astype(np.float64)

    def with_holes(self, rows: npt.NDArray[np.float64]) -> Steps:
        """The canvas when each hole's classes weigh as float64[H, C] says, and all else nothing."""
        weights, lengths = self.unweighted()
        weights[self.unit_of[self.holes]] = rows
        return self.weighted(weights, np.zeros_like(lengths))

    def weighted(self, weights: npt.NDArray[np.float64], run_weights: npt.NDArray[np.float64]) -> Steps:
        """The canvas with weights of classes at each unit, and of runs; its end is one more step."""
        end = np.full(self._machine.n_classes, -inf)
        end[self._machine.end_class] = 0.0
        skippable = [self.steps[i].skippable for i in self._start[:-1].tolist()]
        return Steps(
            weights=np.vstack((weights, end)),
            skippable=np.array([*skippable, False], np.bool_),
            run=np.append(self._is_run, np.False_),
            run_start=np.append(self._run_start, self._run_start[-1]),
            run_source=self._run_source,
            run_node=self._run_node,
            run_weights=np.append(run_weights, 0.0),
        )

    # --- from classes of units to tokens of steps ---------------------------------------------------------------------

    def spread(self, classes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """The class of each step, from those of units; NONE where it is left out."""
        found = classes[self.unit_of]
        fixed = self._fixed != NO_TOKEN
        found[fixed] = self._machine.class_of[self._fixed[fixed]]
        return found

    def any_tokens(self, classes: npt.NDArray[np.int32], struck: Struck) -> list[int]:
        """A token of each step's class that the step takes, NO_TOKEN where it is left out."""
        tokens = [int(t) for t in np.where(classes == NONE, NO_TOKEN, self._first_token[classes])]
        barred = {i for i, _ in struck}
        for i, step in enumerate(self.steps):
            if step.token is not None:
                tokens[i] = step.token
            elif (step.allowed is not None or i in barred) and classes[i] != NONE:
                tokens[i] = self._token_for(i, int(classes[i]), struck)
        return tokens

    def with_tokens(self, chosen: npt.NDArray[np.int32]) -> list[int]:
        """The whole canvas, with tokens int32[H] in its holes."""
        tokens = self._fixed.copy()
        tokens[self.holes] = chosen
        return [int(t) for t in tokens]

    def _token_for(self, i: int, c: int, struck: Struck) -> int:
        """A token of a class that a step takes, NO_TOKEN if there is none."""
        allowed = self.steps[i].allowed
        for token in np.flatnonzero(self._machine.class_of == c).tolist():
            if (allowed is None or token in allowed) and (i, token) not in struck:
                return int(token)
        return NO_TOKEN
