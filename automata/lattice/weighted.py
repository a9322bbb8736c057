"""The weighted questions on a canvas: most probable filling, joint commit, fewest slots, exact sums, marginals and samples.

One table (``inside.py``) in three semirings, on the machine that the Boolean kernels run (``machine.py``):

* max-plus with log probabilities: the best filling; with a bonus for proposed tokens: the compatible proposals of greatest weight;
  with -1 for each token: the fewest tokens, gaps being steps that may be left out;
* log-sum-exp: the mass of all accepted fillings, the exact posterior of each token in each hole, exact samples.  A filling has to be
  one run for that, so the machine must be deterministic.

The table is cubic in the open slots, so it serves windows; ``max_cells`` is the limit, in doubles.  Fixed tokens outside the holes cost
little: they form runs, each one step.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ...grammar.errors import LimitExceeded, Unsupported
from .class_weights import NO_TOKEN, TokenWeights
from .inside import END, NONE, Inside, Pushdown, Steps, inside, possible
from .outside import outside, value, walk
from .slots import may_hold
from .units import NOTHING_STRUCK, Units

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .machine import CanvasMachine
    from .slots import Step
    from .units import Struck

MAX_CELLS: Final = 1 << 26
"""Numbers that a table may hold, 512 MiB of them: 64 open slots of full JSON take a seventeenth, 260 take all."""

FIRST_OF_GAP: Final = 16
"""Steps of each gap that are looked at first."""

MAX_CELLS_OF_COMMIT: Final = 3 << 22
"""The same for a joint commit, which has something cheaper to go on with: 110 open slots of full JSON, half a second."""


class Table(NamedTuple):
    """A filled table: the numbers, how many cells they took, and the weight of the whole canvas."""

    inside: Inside
    used: int
    weight: float


def fill(
    p: Pushdown,
    s: Steps,
    *,
    summing: bool,
    max_cells: int = MAX_CELLS,
    buffer: npt.NDArray[np.float64] | None = None,
) -> Table:
    """Run the backward pass.

    Args:
        p: the machine.
        s: the canvas.
        summing: log-sum-exp rather than max-plus.
        max_cells: the most numbers that the table may hold.
        buffer: memory for the table, used if it is large enough.

    Raises:
        LimitExceeded: the table could be larger than ``max_cells``.

    """
    live = possible(p, s)
    in_bundle = (p.bundle_of[:, None] == np.arange(p.n_bundles)).astype(np.int64)
    counted = live[:, p.exit_node] @ in_bundle  # columns that each layer can add to each bundle
    later = counted.sum(axis=0) - counted.cumsum(axis=0)
    later[:, END] = 1
    has = np.zeros((len(p.type_first) - 1, p.n_bundles), np.int64)
    has[np.repeat(np.arange(len(has)), np.diff(p.type_first)), p.type_bundle] = 1
    of_type = later @ has.T
    nodes = np.flatnonzero(p.type_of != NONE)
    n_cells = int(of_type[:, p.type_of[nodes]][live[:, nodes]].sum())
    if n_cells > max_cells:
        raise LimitExceeded(
            f"the canvas would take a table of {n_cells} numbers",
            limit="max_cells",
            value=max_cells,
            hint="ask for a window of fewer holes, the rest being fixed",
        )
    cells = np.empty(n_cells, np.float64) if buffer is None or len(buffer) < n_cells else buffer
    table = Inside(
        cells,
        np.full(live.shape, NONE, np.int64),
        np.full((len(live), len(p.exit_node)), NONE, np.int32),
        np.zeros((len(live), p.n_bundles), np.int32),
    )
    used = int(inside(p, s, table, live, int(of_type.max()), summing))
    return Table(table, used, float(value(p, table, 0, p.start, END, 0)))


class WeightedEngine:
    """A canvas on a machine, weighted.

    Attributes:
        steps: the canvas, one step for each token.

    """

    def __init__(
        self,
        machine: CanvasMachine,
        steps: Sequence[Step],
        *,
        compose: bool = True,
        max_cells: int = MAX_CELLS,
    ) -> None:
        """Lay out the canvas; nothing is computed before the first question.

        Args:
            machine: the machine of the constraint.
            steps: the canvas.
            compose: make each run of fixed tokens one step; else each token is a step.
            max_cells: the most numbers that a table may hold.

        """
        self.machine = machine
        self.steps = list(steps)
        self._compose = compose
        self._max_cells = max_cells
        self._units: Units | None = None
        self._buffer: npt.NDArray[np.float64] | None = (
            None  # the last table's: fresh memory costs as much as the work in it
        )

    def fix(self, steps: Sequence[Step]) -> None:
        """Go on with a canvas of the same steps, some of them fixed or opened."""
        self.steps = list(steps)
        self._units = None

    # --- questions ----------------------------------------------------------------------------------------------------

    def best_fill(self, log_probs: npt.ArrayLike, struck: Struck = NOTHING_STRUCK) -> tuple[list[int], float] | None:
        """The tokens of the best filling, fixed ones included, and the summed log probability of the holes'; None if there is none.

        Args:
            log_probs: float[holes, V], a row for each hole.
            struck: what is left out of account.

        Raises:
            InvalidSource: the shape is wrong, or a number is NaN or infinity.
            Unsupported: the canvas has gaps.
            LimitExceeded: the canvas has too many open steps.

        """
        if struck:
            log_probs = np.array(log_probs)
            for i, token in struck:
                log_probs[np.searchsorted(self._laid_out().holes, i), token] = -inf
        tokens = self.token_weights(log_probs)
        units = self._laid_out()
        found = self._heaviest(units.with_holes(tokens.best))
        if found is None:
            return None
        classes, weight = found
        chosen = tokens.best_token[np.arange(len(units.holes)), classes[units.holes]]
        return units.with_tokens(chosen), weight

    def best_commit(
        self, bonus: Mapping[int, Mapping[int, float]], struck: Struck = NOTHING_STRUCK
    ) -> tuple[dict[int, int], list[int]] | None:
        """Which proposals to keep, step -> token: those of greatest total weight that go together with some filling, and such a filling.

        None if the canvas cannot be filled.  In the filling, ``NO_TOKEN`` stands where a step is left out.

        Within a class one token is as good as another, so a class is worth what its best proposal is.

        Args:
            bonus: step -> token -> weight, positive.
            struck: what is left out of account.

        """
        units = self._laid_out()
        weights, lengths = units.unweighted(struck)
        token_of: dict[tuple[int, int], int] = {}
        for i, of_token in bonus.items():
            unit, step = units.unit_of[i], self.steps[i]
            for token, weight in of_token.items():
                c = int(self.machine.class_of[token])
                if step.token == token:  # it stands already
                    token_of[i, c] = token
                    continue
                if may_hold(step, token) and (i, token) not in struck and weight > weights[unit, c] > -inf:
                    weights[unit, c] = weight
                    token_of[i, c] = token
        found = self._heaviest(units.weighted(weights, np.zeros_like(lengths)), MAX_CELLS_OF_COMMIT)
        if found is None:
            return None
        classes = found[0].tolist()
        kept = {i: token_of[i, classes[i]] for i in bonus if (i, classes[i]) in token_of}
        filling = units.any_tokens(found[0], struck)
        for i, token in kept.items():
            filling[i] = token
        return kept, filling

    def shortest(self, struck: Struck = NOTHING_STRUCK) -> list[int] | None:
        """The tokens of a filling that has the fewest, ``NO_TOKEN`` where a step is left out; None if the canvas cannot be filled.

        Of a long gap only a few steps are looked at first.  A filling with so many tokens more than the canvas must have bounds what any gap
        can need in a shorter one; so either that was enough, or it is known what is.
        """
        rank = np.zeros(len(self.steps), np.int64)  # among the steps of its gap that may be left out, from 1
        for i, step in enumerate(self.steps):
            before = self.steps[i - 1] if i else None
            if step.skippable:
                rank[i] = 1 + (rank[i - 1] if before is not None and before.slot == step.slot else 0)
        most = FIRST_OF_GAP
        while True:
            looked_at = np.flatnonzero(rank <= most)
            whole = len(looked_at) == len(self.steps)
            place = {int(i): k for k, i in enumerate(looked_at)}
            part = (
                self
                if whole
                else WeightedEngine(self.machine, [self.steps[i] for i in looked_at], max_cells=self._max_cells)
            )
            found = part.shortest_of_all({(place[i], t) for i, t in struck if i in place})
            more = 0 if found is None else int((np.array(found)[rank[looked_at] > 0] != NO_TOKEN).sum())
            if whole or (found is not None and more <= most):
                break
            most = 2 * most if found is None else more
        if found is None:
            return None
        tokens = np.full(len(self.steps), NO_TOKEN)
        tokens[looked_at] = found
        return [int(t) for t in tokens]

    def shortest_of_all(self, struck: Struck = NOTHING_STRUCK) -> list[int] | None:
        """The same with all steps in one table, however long the gaps are."""
        units = self._laid_out()
        weights, lengths = units.unweighted(struck)
        found = self._heaviest(units.weighted(weights - 1.0, -lengths))
        return None if found is None else units.any_tokens(found[0], struck)

    def log_mass(self, log_probs: npt.ArrayLike) -> float:
        """The log of the summed probability of all accepted fillings; -inf if there are none.

        Raises:
            Unsupported: the machine is ambiguous, or the canvas has gaps.

        """
        return self._sums(self.token_weights(log_probs))[1].weight

    def log_marginals(self, log_probs: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """float64[holes, V]: the log probability of each token in each hole among accepted fillings; -inf throughout if there are none.

        Raises:
            Unsupported: the machine is ambiguous, or the canvas has gaps.

        """
        tokens = self.token_weights(log_probs)
        s, table = self._sums(tokens)
        if table.weight == -inf:
            return np.full(tokens.rows.shape, -inf)
        units = self._laid_out()
        of_class = outside(units.pushdown, s, table.inside, table.used)
        return tokens.expand(of_class[units.unit_of[units.holes]])

    def sample(self, log_probs: npt.ArrayLike, rng: np.random.Generator) -> list[int] | None:
        """The tokens of an accepted filling, drawn with probability proportional to the product of its tokens'; None if there is none.

        Raises:
            Unsupported: the machine is ambiguous, or the canvas has gaps.

        """
        return next(self.samples(log_probs, rng), None)

    def samples(self, log_probs: npt.ArrayLike, rng: np.random.Generator) -> Iterator[list[int]]:
        """Independent samples from one table, without end; none if there is no accepted filling.

        Raises:
            Unsupported: the machine is ambiguous, or the canvas has gaps.

        """
        tokens = self.token_weights(log_probs)
        s, table = self._sums(tokens)
        units = self._laid_out()
        self._buffer = None  # the samples to come read it
        classes = np.empty(len(s.skippable), np.int32)
        while table.weight > -inf:
            walk(units.pushdown, s, table.inside, rng, True, classes)
            yield units.with_tokens(tokens.draw(classes[units.unit_of[units.holes]], rng))

    def token_weights(self, log_probs: npt.ArrayLike) -> TokenWeights:
        """The rows of the holes, and what their classes weigh."""
        if any(step.token is None and not step.hole for step in self.steps):
            raise Unsupported("probabilities on a canvas with gaps", hint="use holes, one canvas for each length")
        allowed = [step.allowed for step in self.steps if step.hole]
        return TokenWeights(log_probs, self.machine.class_of, self.machine.n_classes, allowed)

    @property
    def table_bytes(self) -> int:
        """How much memory the last table took."""
        return 0 if self._buffer is None else self._buffer.nbytes

    # --- the canvas as arrays -----------------------------------------------------------------------------------------

    def _laid_out(self) -> Units:
        if self._units is None:
            self._units = Units(self.machine, self.steps, compose=self._compose)
        return self._units

    def _heaviest(self, s: Steps, max_cells: int | None = None) -> tuple[npt.NDArray[np.int32], float] | None:
        """The class of each step of the heaviest filling, and its weight."""
        units = self._laid_out()
        table = self._filled(s, summing=False, max_cells=max_cells)
        if table.weight == -inf:
            return None
        classes = np.empty(len(s.skippable), np.int32)
        walk(units.pushdown, s, table.inside, np.random.default_rng(0), False, classes)
        return units.spread(classes), table.weight

    def _sums(self, tokens: TokenWeights) -> tuple[Steps, Table]:
        if not self.machine.deterministic:
            raise Unsupported(
                "sums over the fillings of an ambiguous constraint: some text has several runs and would count several times",
                hint="best_fill and masks serve it; or state the grammar without ambiguity",
            )
        s = self._laid_out().with_holes(tokens.sums)
        return s, self._filled(s, summing=True)

    def _filled(self, s: Steps, *, summing: bool, max_cells: int | None = None) -> Table:
        units = self._laid_out()
        most = self._max_cells if max_cells is None else min(max_cells, self._max_cells)
        try:
            table = fill(units.pushdown, s, summing=summing, max_cells=most, buffer=self._buffer)
        except LimitExceeded as error:
            error.where = f"{units.n_open} open slots"
            raise
        self._buffer = table.inside.cells
        return table
