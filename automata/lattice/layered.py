"""The layered engine: forward sets of interned states.  Exact for every constraint, for canvases with few states.

Because a state is an integer and equal situations are equal integers, the filled prefixes of a canvas fold into a layered graph: layer
i holds the states that some filling of the first i steps leads to, its edges are token classes, read off the effects.  A backward
sweep marks the states from which the rest can be filled; the mask of a hole is the union of the classes on edges between marked
states.  Registers and counters are in the states, so this is exact for every constraint, and as advancing is a function, each filling
is one path: sums over paths are sums over fillings.  Its cost is the number of distinct states per layer, which is capped.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ...grammar.errors import LimitExceeded, Unsupported
from ..classes import TokenClasses, folded_classes
from .slots import may_hold

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..constraint import Constraint
    from .slots import Step

NEVER = -math.inf


class Choice(NamedTuple):
    """The best token of an edge: where it leads, what it weighs, which one it is (-1: the step is left out)."""

    target: int
    weight: float
    token: int


class LayeredEngine:
    """A canvas under a constraint, by sets of states.  Its states live in a session of their own."""

    exact = True

    def __init__(
        self, constraint: Constraint, steps: Sequence[Step], *, max_layer: int, most_states: int | None = None
    ) -> None:
        """Lay out the canvas; nothing is computed before the first question.

        Args:
            constraint: the constraint.
            steps: the canvas.
            max_layer: the most states that one layer may have.
            most_states: the most states that all layers may have.

        """
        self.constraint = constraint
        self.steps = list(steps)
        self._max_layer = max_layer
        self._most_states = most_states
        self._session = constraint.session()
        self._classes: dict[int, TokenClasses] = {}
        self._edges_of: dict[tuple[int, int | None, frozenset[int] | None], dict[int, list[int]]] = {}
        self._layers: list[dict[int, dict[int, list[int]]]] | None = None  # state -> next state -> classes
        self._alive: list[set[int]] = []

    @property
    def n_states(self) -> int:
        """How many states the layers have in all."""
        return sum(map(len, self._layers or []))

    def close(self) -> None:
        """Free the states."""
        self._session.close()

    def fix(self, steps: Sequence[Step]) -> None:
        """Go on with a canvas of the same steps, some of them fixed or opened."""
        self.steps = list(steps)
        self._layers = None

    def feasible(self) -> bool:
        """Whether some filling satisfies the constraint."""
        self._solve()
        return self._session.start in self._alive[0]

    def masks(self, rows: npt.NDArray[np.uint32]) -> None:
        """OR the tokens of each hole into its row."""
        layers = self._solve()
        row = -1
        for i, step in enumerate(self.steps):
            if not step.hole:
                continue
            row += 1
            for state, edges in layers[i].items():
                if state not in self._alive[i]:
                    continue
                classes = self._classes_of(state)
                good = np.zeros(len(classes.representative), np.bool_)
                for target, numbers in edges.items():
                    if target in self._alive[i + 1]:
                        good[numbers] = True
                tokens = classes.tokens[good[classes.class_of]]
                if step.allowed is not None:
                    tokens = tokens[np.isin(tokens, list(step.allowed))]
                np.bitwise_or.at(rows[row], tokens >> 5, np.uint32(1) << (tokens & 31).astype(np.uint32))

    def best(self, choices: Callable[[int, int], list[Choice]]) -> tuple[list[int], float] | None:
        """The tokens of the heaviest path, and its weight; None if no path has a finite one.

        Args:
            choices: what step i offers in a state; see ``weighted`` and ``proposed``.

        """
        layers = self._solve()
        if self._session.start not in self._alive[0]:
            return None
        value: dict[int, float] = dict.fromkeys(self._alive[-1], 0.0)
        taken: list[dict[int, Choice]] = []
        for i in range(len(self.steps) - 1, -1, -1):
            before: dict[int, float] = {}
            best_of: dict[int, Choice] = {}
            for state in layers[i]:
                if state not in self._alive[i]:
                    continue
                for choice in choices(i, state):
                    total = choice.weight + value.get(choice.target, NEVER)
                    if total > before.get(state, NEVER):
                        before[state], best_of[state] = total, choice
            value = before
            taken.append(best_of)
        state = self._session.start
        if state not in value:
            return None
        tokens: list[int] = []
        for best_of in reversed(taken):
            choice = best_of[state]
            tokens.append(choice.token)
            state = choice.target
        return tokens, value[self._session.start]

    def weighted(self, weights: npt.NDArray[np.float64]) -> Callable[[int, int], list[Choice]]:
        """Each hole's tokens weigh what its row says, other steps nothing: the most probable filling."""
        row_of = self._rows()

        def choices(i: int, state: int) -> list[Choice]:
            step = self.steps[i]
            if not step.hole:
                return self._unweighted(i, state)
            classes = self._classes_of(state)
            of_token = self._masked(step, classes, weights[row_of[i]])
            best = np.full(len(classes.representative), NEVER)
            np.maximum.at(best, classes.class_of, of_token)
            found = []
            for target, numbers in self._edges(state, step).items():
                k = max(numbers, key=best.__getitem__)
                if best[k] > NEVER:
                    at = np.flatnonzero((classes.class_of == k) & (of_token == best[k]))[0]
                    found.append(Choice(target, float(best[k]), int(classes.tokens[at])))
            return found

        return choices

    def proposed(self, bonus: dict[int, dict[int, float]]) -> Callable[[int, int], list[Choice]]:
        """Step -> token -> weight for taking just that token there; any other token weighs nothing: the joint commit."""

        def choices(i: int, state: int) -> list[Choice]:
            found = self._unweighted(i, state)
            step = self.steps[i]
            for token, weight in bonus.get(i, {}).items():
                if may_hold(step, token):
                    target = self._session.advance(state, token)
                    if target:
                        found.append(Choice(target, weight, token))
            return found

        return choices

    def counted(self) -> Callable[[int, int], list[Choice]]:
        """Each token costs one, a step left out nothing: the fewest slots."""

        def choices(i: int, state: int) -> list[Choice]:
            return [choice._replace(weight=float(-(choice.token >= 0))) for choice in self._unweighted(i, state)]

        return choices

    def log_sums(self, weights: npt.NDArray[np.float64]) -> list[dict[int, float]]:
        """For each layer, state -> log of the summed weight of its accepted fillings.

        Raises:
            Unsupported: the canvas has gaps, with which a filling is more than one path.

        """
        if any(step.skippable for step in self.steps):
            raise Unsupported("sums over the fillings of a gap", hint="use holes, one canvas for each length")
        layers = self._solve()
        row_of = self._rows()
        sums: list[dict[int, float]] = [dict.fromkeys(self._alive[-1], 0.0)]
        for i in range(len(self.steps) - 1, -1, -1):
            after, here = sums[-1], {}
            for state in layers[i]:
                if state in self._alive[i]:
                    terms = [after.get(t, NEVER) + w for t, w in self._sums(i, state, weights, row_of).items()]
                    here[state] = _log_sum(terms)
            sums.append(here)
        sums.reverse()
        return sums

    def log_mass(self, weights: npt.NDArray[np.float64]) -> float:
        """The log of the summed weight of all accepted fillings."""
        return self.log_sums(weights)[0].get(self._session.start, NEVER)

    def log_marginals(self, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """float64[holes, V]: the log probability of each token in each hole among accepted fillings."""
        inside = self.log_sums(weights)
        row_of = self._rows()
        found = np.full(weights.shape, NEVER)
        total = inside[0].get(self._session.start, NEVER)
        if total == NEVER:
            return found
        outside: dict[int, float] = {self._session.start: -total}
        for i, step in enumerate(self.steps):
            following: dict[int, list[float]] = {}
            for state, before in outside.items():
                for target, weight in self._sums(i, state, weights, row_of).items():
                    if target in inside[i + 1]:
                        following.setdefault(target, []).append(before + weight)
                if not step.hole:
                    continue
                classes = self._classes_of(state)
                of_token = self._masked(step, classes, weights[row_of[i]])
                after = np.full(len(classes.representative), NEVER)
                for target, numbers in self._edges(state, step).items():
                    after[numbers] = before + inside[i + 1].get(target, NEVER)
                row = found[row_of[i]]
                row[classes.tokens] = np.logaddexp(row[classes.tokens], of_token + after[classes.class_of])
            outside = {target: _log_sum(terms) for target, terms in following.items()}
        return found

    def sample(self, weights: npt.NDArray[np.float64], rng: np.random.Generator) -> list[int] | None:
        """The tokens of an accepted filling drawn with probability proportional to its weight; None if there is none."""
        inside = self.log_sums(weights)
        row_of = self._rows()
        state = self._session.start
        if inside[0].get(state, NEVER) == NEVER:
            return None
        tokens: list[int] = []
        for i, step in enumerate(self.steps):
            if step.token is not None:
                tokens.append(step.token)
                state = next(iter(self._edges(state, step)))
                continue
            classes = self._classes_of(state)
            after = np.full(len(classes.representative), NEVER)
            target_of = np.zeros(len(classes.representative), np.int64)
            for target, numbers in self._edges(state, step).items():
                after[numbers] = inside[i + 1].get(target, NEVER)
                target_of[numbers] = target
            odds = self._masked(step, classes, weights[row_of[i]]) + after[classes.class_of]
            law = np.exp(odds - odds.max())
            at = int(rng.choice(len(law), p=law / law.sum()))
            tokens.append(int(classes.tokens[at]))
            state = int(target_of[classes.class_of[at]])
        return tokens

    # --- the graph ----------------------------------------------------------------------------------------------------

    def _rows(self) -> list[int]:
        """The row of each step that is a hole."""
        counted = np.cumsum([step.hole for step in self.steps]) - 1
        rows: list[int] = counted.tolist()
        return rows

    def _unweighted(self, i: int, state: int) -> list[Choice]:
        step = self.steps[i]
        classes = None if step.token is not None else self._classes_of(state)
        found = []
        for target, numbers in self._edges(state, step).items():
            if classes is None:
                found.append(Choice(target, 0.0, step.token if step.token is not None else -1))
                continue
            token = int(classes.representative[numbers[0]])
            if step.allowed is not None and token not in step.allowed:
                own = classes.tokens[np.isin(classes.class_of, numbers)]
                token = int(own[np.isin(own, list(step.allowed))][0])
            found.append(Choice(target, 0.0, token))
        if step.skippable:
            found.append(Choice(state, 0.0, -1))
        return found

    def _masked(self, step: Step, classes: TokenClasses, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The weights of a state's tokens, none where the hole does not allow them."""
        of_token = weights[classes.tokens]
        if step.allowed is not None:
            of_token = np.where(np.isin(classes.tokens, list(step.allowed)), of_token, NEVER)
        return of_token

    def _sums(self, i: int, state: int, weights: npt.NDArray[np.float64], row_of: list[int]) -> dict[int, float]:
        """Target -> log of the summed weight of the tokens that lead there from a state of layer i."""
        step = self.steps[i]
        edges = self._edges(state, step)
        if not step.hole:
            return dict.fromkeys(edges, 0.0)
        classes = self._classes_of(state)
        sums = np.full(len(classes.representative), NEVER)
        np.logaddexp.at(sums, classes.class_of, self._masked(step, classes, weights[row_of[i]]))
        return {target: _log_sum(sums[numbers].tolist()) for target, numbers in edges.items()}

    def _classes_of(self, state: int) -> TokenClasses:
        classes = self._classes.get(state)
        if classes is None:
            classes = self._classes[state] = folded_classes(self.constraint.store, state)
        return classes

    def _solve(self) -> list[dict[int, dict[int, list[int]]]]:
        if self._layers is not None:
            return self._layers
        layers: list[dict[int, dict[int, list[int]]]] = []
        layer = {self._session.start}
        in_all = 1
        for step in self.steps:
            following: set[int] = set()
            edges_of: dict[int, dict[int, list[int]]] = {}
            for state in layer:
                edges = edges_of[state] = self._edges(state, step)
                following.update(edges)
                if len(following) > self._max_layer:
                    break
            if step.skippable:
                following |= layer
            in_all += len(following)
            if len(following) > self._max_layer or (self._most_states is not None and in_all > self._most_states):
                raise LimitExceeded(
                    f"more than {self._max_layer} states are possible after slot {step.slot}",
                    limit="max_layer",
                    value=self._max_layer,
                    hint="fix more slots, or raise max_layer",
                )
            layers.append(edges_of)
            layer = following
        alive = [{state for state in layer if self._session.is_accepting(state)}]
        for step, edges_of in zip(reversed(self.steps), reversed(layers), strict=True):
            after = alive[-1]
            before = {state for state, edges in edges_of.items() if not after.isdisjoint(edges)}
            if step.skippable:
                before |= after & edges_of.keys()
            alive.append(before)
        alive.reverse()
        self._layers = layers
        self._alive = alive
        return layers

    def _edges(self, state: int, step: Step) -> dict[int, list[int]]:
        """Next state -> classes of the tokens that lead there."""
        key = (state, step.token, step.allowed)
        edges = self._edges_of.get(key)
        if edges is not None:
            return edges
        edges = self._edges_of[key] = {}
        if step.token is not None:
            target = self._session.advance(state, step.token)
            if target:
                edges[target] = []
            return edges
        classes = self._classes_of(state)
        numbers = range(len(classes.representative))
        if step.allowed is not None:
            fits = np.isin(classes.tokens, list(step.allowed))
            numbers = np.unique(classes.class_of[fits]).tolist()
        for k in numbers:
            target = self._session.advance(state, int(classes.representative[k]))
            if target:
                edges.setdefault(target, []).append(k)
        return edges


def _log_sum(terms: list[float]) -> float:
    """log(sum(exp(terms)))."""
    most = max(terms, default=NEVER)
    return most if most == NEVER else most + math.log(math.fsum(math.exp(t - most) for t in terms))
