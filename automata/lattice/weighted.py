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

from collections.abc import Set as AbstractSet
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ...grammar.errors import LimitExceeded, Unsupported
from .class_weights import NO_TOKEN, TokenWeights
from .frames import with_frames
from .inside import END, NONE, Inside, Pushdown, Steps, inside, possible
from .machine import DEAD
from .outside import outside, value, walk
from .runs import Composer, Nodes, Run, controls_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .machine import CanvasMachine
    from .slots import Step

Struck = AbstractSet[tuple[int, int]]
"""Steps and tokens that must not stand there."""

NOTHING_STRUCK: Final[Struck] = frozenset()

MAX_CELLS: Final = 1 << 26
"""512 MiB of doubles: 64 open slots of full JSON take a sixth of it."""


def pushdown(machine: CanvasMachine, nodes: Nodes, runs: Sequence[Run] = ()) -> Pushdown:
    """The machine as the kernels take it, with the nodes and edges of runs."""
    edges = (machine.edge_start, machine.edge_node, machine.edge_classes)
    run_edges = _joined([run.sources for run in runs]), _joined([run.nodes for run in runs])
    return with_frames(*nodes, edges, machine.accepting, machine.start, machine.n_symbols, run_edges)


_NOTHING: Final = np.zeros(0, np.int32)


def _joined(parts: list[npt.NDArray[np.int32]]) -> npt.NDArray[np.int32]:
    return np.concatenate([*parts, _NOTHING])


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
        LimitExceeded: the table would be larger than ``max_cells``.

    """
    live = possible(p, s)
    n_frames = len(p.exit_first)
    counted = np.zeros((len(live), n_frames), np.int64)  # columns that each layer can add to each frame
    for frame in range(n_frames):
        counted[:, frame] = live[:, p.exit_node[p.exit_first[frame, 0] : p.exit_first[frame, -1]]].sum(axis=1)
    later = 1 + counted.sum(axis=0) - counted.cumsum(axis=0)
    rows = np.where(p.frame_of != NONE, live, False)
    n_cells = min(int((rows * later[:, p.frame_of]).sum()), max_cells)
    cells = np.empty(n_cells, np.float64) if buffer is None or len(buffer) < n_cells else buffer
    table = Inside(
        cells,
        np.full(live.shape, NONE, np.int64),
        np.full((len(live), len(p.exit_node)), NONE, np.int32),
        np.zeros((len(live), n_frames), np.int32),
    )
    used = int(inside(p, s, table, live, summing))
    if used < 0:
        raise LimitExceeded(
            f"the canvas has {int(np.count_nonzero(~s.run))} open steps: too many for weights on this constraint",
            limit="max_cells",
            value=max_cells,
            hint="ask for a window of fewer holes, the rest being fixed",
        )
    return Table(table, used, float(value(p, table, int(p.frame_of[p.start]), 0, p.start, END)))


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
        self._spellable, first = np.unique(machine.class_of, return_index=True)
        self._first_token = np.full(machine.n_classes, NO_TOKEN)
        self._first_token[self._spellable] = first
        self._compose = compose
        self._max_cells = max_cells
        self._buffer: npt.NDArray[np.float64] | None = (
            None  # the last table's: fresh memory costs as much as the work in it
        )
        self._lay_out()

    def fix(self, steps: Sequence[Step]) -> None:
        """Go on with a canvas of the same steps, some of them fixed or opened."""
        self.steps = list(steps)
        self._lay_out()

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
                log_probs[np.searchsorted(self._holes, i), token] = -inf
        tokens = self.token_weights(log_probs)
        found = self._heaviest(*self._with_holes(tokens.best))
        if found is None:
            return None
        classes, weight = found
        chosen = tokens.best_token[np.arange(len(self._holes)), classes[self._holes]]
        return self._spelled(chosen), weight

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
        weights, lengths = self._unweighted(struck)
        token_of: dict[tuple[int, int], int] = {}
        for i, of_token in bonus.items():
            unit, allowed = self._unit_of[i], self.steps[i].allowed
            for token, weight in of_token.items():
                c = int(self.machine.class_of[token])
                if self._fixed[i] == token:  # it stands already
                    token_of[i, c] = token
                elif (
                    self._fixed[i] == NO_TOKEN
                    and (allowed is None or token in allowed)
                    and (i, token) not in struck
                    and weight > weights[unit, c] > -inf
                ):
                    weights[unit, c] = weight
                    token_of[i, c] = token
        found = self._heaviest(weights, np.zeros_like(lengths))
        if found is None:
            return None
        classes = found[0].tolist()
        kept = {i: token_of[i, classes[i]] for i in bonus if (i, classes[i]) in token_of}
        filling = self._any_tokens(found[0], struck)
        for i, token in kept.items():
            filling[i] = token
        return kept, filling

    def shortest(self, struck: Struck = NOTHING_STRUCK) -> list[int] | None:
        """The tokens of a filling that has the fewest, ``NO_TOKEN`` where a step is left out; None if the canvas cannot be filled."""
        weights, lengths = self._unweighted(struck)
        found = self._heaviest(weights - 1.0, -lengths)
        return None if found is None else self._any_tokens(found[0], struck)

    def log_mass(self, log_probs: npt.ArrayLike) -> float:
        """The log of the summed probability of all accepted fillings; -inf if there are none.

        Raises:
            Unsupported: the machine is ambiguous, or the canvas has gaps.

        """
        return self._sums(self.token_weights(log_probs))[2].weight

    def log_marginals(self, log_probs: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """float64[holes, V]: the log probability of each token in each hole among accepted fillings; -inf throughout if there are none.

        Raises:
            Unsupported: the machine is ambiguous, or the canvas has gaps.

        """
        tokens = self.token_weights(log_probs)
        p, s, table = self._sums(tokens)
        if table.weight == -inf:
            return np.full(tokens.rows.shape, -inf)
        of_class = outside(p, s, table.inside, table.used)
        return tokens.expand(of_class[self._unit_of[self._holes]])

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
        p, s, table = self._sums(tokens)
        self._buffer = None  # the samples to come read it
        classes = np.empty(len(s.skippable), np.int32)
        while table.weight > -inf:
            walk(p, s, table.inside, rng, True, classes)
            yield self._spelled(tokens.draw(classes[self._unit_of[self._holes]], rng))

    def token_weights(self, log_probs: npt.ArrayLike) -> TokenWeights:
        """The rows of the holes, and what their classes weigh."""
        if any(step.token is None and not step.hole for step in self.steps):
            raise Unsupported("probabilities on a canvas with gaps", hint="use holes, one canvas for each length")
        allowed = [self.steps[i].allowed for i in self._holes]
        return TokenWeights(log_probs, self.machine.class_of, self.machine.n_classes, allowed)

    @property
    def table_bytes(self) -> int:
        """How much memory the last table took."""
        return 0 if self._buffer is None else self._buffer.nbytes

    # --- the canvas as arrays -----------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        """Split the canvas into units, which are one step each to the kernels: single tokens, and runs."""
        self._holes = np.array([i for i, step in enumerate(self.steps) if step.hole], np.int64)
        self._fixed = np.array([NO_TOKEN if step.token is None else step.token for step in self.steps], np.int32)
        runs = {}
        composer = Composer(self.machine)
        try:
            self._unit_start = self._units(runs_too=self._compose)
            if self._compose:
                runs = self._composed(composer)
        except LimitExceeded:  # then the table may be small enough all the same
            composer = Composer(self.machine)
            self._unit_start = self._units(runs_too=False)
        n = len(self._unit_start) - 1
        self._unit_of = np.repeat(np.arange(n), np.diff(self._unit_start))
        self._is_run = np.isin(np.arange(n), list(runs))
        self._run_start = np.zeros(n + 1, np.int32)
        np.cumsum([len(runs[u].sources) if u in runs else 0 for u in range(n)], out=self._run_start[1:])
        self._run_source = _joined([run.sources for run in runs.values()])
        self._run_node = _joined([run.nodes for run in runs.values()])
        self._pushdown = pushdown(self.machine, composer.nodes, list(runs.values()))

    def _units(self, *, runs_too: bool) -> npt.NDArray[np.int64]:
        """Where each unit starts, and last the number of steps."""
        fixed = self._fixed != NO_TOKEN
        inside_run = np.zeros(len(fixed) + 1, np.bool_)
        if runs_too:
            inside_run[1:-1] = fixed[1:] & fixed[:-1]
        return np.flatnonzero(~inside_run)

    def _composed(self, composer: Composer) -> dict[int, Run]:
        """The runs by unit, each from the controls that may come before it."""
        runs: dict[int, Run] = {}
        sizes = np.diff(self._unit_start)
        if (sizes < 2).all():
            return runs
        m = self.machine
        usable = self._classes_at_units()
        here = controls_after(m, composer.nodes, np.zeros(0, np.int32), Run(_NOTHING, np.array([m.start], np.int32)))
        for unit, size in enumerate(sizes.tolist()):
            first = int(self._unit_start[unit])
            if size > 1:
                text = self._fixed[first : first + size]
                runs[unit] = composer.run(m.class_of[text], here)
                here = controls_after(m, composer.nodes, here, runs[unit])
            else:
                following = controls_after(m, composer.nodes, here, usable[unit])
                here = np.union1d(here, following) if self.steps[first].skippable else following
        return runs

    def _classes_at_units(self) -> npt.NDArray[np.uint64]:
        """uint64[units, W]: which classes may be read at each unit that is no run."""
        possible_there = np.zeros((len(self._unit_start) - 1, 64 * self.machine.edge_classes.shape[1]), np.bool_)
        possible_there[:, : self.machine.n_classes] = self._unweighted()[0] > -inf
        return np.packbits(possible_there, axis=1, bitorder="little").view(np.uint64)

    def _unweighted(self, struck: Struck = NOTHING_STRUCK) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """float64[units, C], 0 for every class that may stand at each unit, and float64[units], how many tokens each has."""
        weights = np.full((len(self._unit_start) - 1, self.machine.n_classes), -inf)
        weights[:, self._spellable] = 0.0
        for unit, i in enumerate(self._unit_start[:-1].tolist()):
            step = self.steps[i]
            ids = [step.token] if step.token is not None else step.allowed
            if ids is not None:
                weights[unit] = -inf
                weights[unit, self.machine.class_of[sorted(ids)]] = 0.0
        weights[:, DEAD] = -inf
        for i, token in struck:
            c = int(self.machine.class_of[token])
            if self._token_for(i, c, struck) == NO_TOKEN:
                weights[self._unit_of[i], c] = -inf
        return weights, np.diff(self._unit_start).astype(np.float64)

    def _with_holes(self, rows: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The weights of units when those of holes are given, and those of runs: none."""
        weights, lengths = self._unweighted()
        weights[self._unit_of[self._holes]] = rows
        return weights, np.zeros_like(lengths)

    def _as_steps(self, weights: npt.NDArray[np.float64], run_weights: npt.NDArray[np.float64]) -> Steps:
        skippable = [self.steps[i].skippable for i in self._unit_start[:-1].tolist()]
        is_run, run_start = self._is_run, self._run_start
        # The end of the canvas is one more step.
        weights = np.vstack((weights, np.full(self.machine.n_classes, -inf)))
        weights[-1, self.machine.end_class] = 0.0
        skippable.append(False)
        is_run = np.append(is_run, np.False_)
        run_start = np.append(run_start, run_start[-1])
        run_weights = np.append(run_weights, 0.0)
        return Steps(
            weights, np.array(skippable, np.bool_), is_run, run_start, self._run_source, self._run_node, run_weights
        )

    def _heaviest(
        self, weights: npt.NDArray[np.float64], run_weights: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.int32], float] | None:
        """The class of each step of the heaviest filling, and its weight."""
        s = self._as_steps(weights, run_weights)
        table = self._filled(s, summing=False)
        if table.weight == -inf:
            return None
        classes = np.empty(len(s.skippable), np.int32)
        walk(self._pushdown, s, table.inside, np.random.default_rng(0), False, classes)
        spread = classes[self._unit_of]  # which leaves out the end
        fixed = self._fixed != NO_TOKEN
        spread[fixed] = self.machine.class_of[self._fixed[fixed]]
        return spread, table.weight

    def _sums(self, tokens: TokenWeights) -> tuple[Pushdown, Steps, Table]:
        if not self.machine.deterministic:
            raise Unsupported(
                "sums over the fillings of an ambiguous constraint: some text has several runs and would count several times",
                hint="best_fill and masks serve it; or state the grammar without ambiguity",
            )
        s = self._as_steps(*self._with_holes(tokens.sums))
        return self._pushdown, s, self._filled(s, summing=True)

    def _filled(self, s: Steps, *, summing: bool) -> Table:
        table = fill(self._pushdown, s, summing=summing, max_cells=self._max_cells, buffer=self._buffer)
        self._buffer = table.inside.cells
        return table

    def _token_for(self, i: int, c: int, struck: Struck) -> int:
        """A token of a class that a step takes, NO_TOKEN if there is none."""
        allowed = self.steps[i].allowed
        for token in np.flatnonzero(self.machine.class_of == c).tolist():
            if (allowed is None or token in allowed) and (i, token) not in struck:
                return int(token)
        return NO_TOKEN

    def _any_tokens(self, classes: npt.NDArray[np.int32], struck: Struck) -> list[int]:
        """A token of each step's class that the step takes, NO_TOKEN where it is left out."""
        tokens = [int(t) for t in np.where(classes == NONE, NO_TOKEN, self._first_token[classes])]
        barred = {i for i, _ in struck}
        for i, step in enumerate(self.steps):
            if step.token is not None:
                tokens[i] = step.token
            elif (step.allowed is not None or i in barred) and classes[i] != NONE:
                tokens[i] = self._token_for(i, int(classes[i]), struck)
        return tokens

    def _spelled(self, chosen: npt.NDArray[np.int32]) -> list[int]:
        """The whole canvas, with tokens in its holes."""
        tokens = self._fixed.copy()
        tokens[self._holes] = chosen
        return [int(t) for t in tokens]


def greedy(order: Sequence[int], compatible: Callable[[list[int]], bool]) -> list[int]:
    """The proposals that are kept if each is taken in turn unless it spoils what was taken before.

    Halves the list rather than asking for one at a time: what goes together as a whole goes together in parts, so a half that fits
    needs one question, and k proposals of which a few do not fit need about log(k) questions for each of these.

    Args:
        order: the proposals, the most wanted first.
        compatible: whether some filling has all of these.

    """
    kept: list[int] = []
    todo = [list(order)]
    while todo:
        part = todo.pop()
        if not part:
            continue
        if compatible(kept + part):
            kept += part
        elif len(part) > 1:
            todo += [part[len(part) // 2 :], part[: len(part) // 2]]
    return kept
