"""Weighted questions on a canvas under a constraint: the weighted engine's answers, held to the constraint where its machine takes more.

Where the machine is exact they are the engine's.  Where registers are left out of it, each filling is read by the constraint:

* a best filling of the machine's that the constraint takes is the constraint's best; else see ``witness``;
* a sample of the machine's fillings that is drawn again until the constraint takes it is a sample of the constraint's (rejection);
* a commit comes with a filling that the constraint takes, so a committed canvas always has one;
* sums have no such repair and are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...grammar.errors import LimitExceeded, Unsupported
from .class_weights import NO_TOKEN
from .weighted import WeightedEngine
from .witness import TRIES, fails_at, witness

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from ..constraint import Constraint
    from .machine import CanvasMachine
    from .slots import Step
    from .units import Struck

MOST_DRAWS: Final = 1000
"""Samples of the machine's that are rejected before a draw is given up."""


class CheckedEngine:
    """A weighted canvas under a constraint."""

    def __init__(self, constraint: Constraint, machine: CanvasMachine, steps: Sequence[Step]) -> None:
        """Lay out the canvas; nothing is computed before the first question."""
        self._constraint = constraint
        self._exact = machine.exact
        self._engine = WeightedEngine(machine, steps)
        self._held: list[int] | None = None  # the filling that the last commit was checked with

    @property
    def deterministic(self) -> bool:
        """Whether sums can be taken: each filling is one run of the machine, and one of the constraint's."""
        return self._exact and self._engine.machine.deterministic

    @property
    def can_sample(self) -> bool:
        """Whether samples can be drawn: each filling is one run of the machine; those that are not the constraint's are rejected."""
        return self._engine.machine.deterministic

    def fix(self, steps: Sequence[Step]) -> None:
        """Go on with a canvas of the same steps, some of them fixed or opened."""
        self._engine.fix(steps)

    def best_fill(self, log_probs: npt.ArrayLike) -> tuple[list[int], float] | None:
        """The tokens of the best filling and its log probability; None if there is none.

        Raises:
            LimitExceeded: the canvas has too many open steps, or no filling that the constraint takes was found.

        """
        if self._exact:
            return self._engine.best_fill(log_probs)
        values: list[float] = []

        def propose(struck: Struck) -> list[int] | None:
            found = self._engine.best_fill(log_probs, struck)
            if found is None:
                return None
            values.append(found[1])
            return found[0]

        found = witness(self._constraint, self._fixed(), propose)
        return None if found is None else (found.tokens, values[-1])

    def sample(self, log_probs: npt.ArrayLike, rng: np.random.Generator) -> list[int] | None:
        """The tokens of a filling drawn with probability proportional to the product of its tokens'; None if there is none.

        Raises:
            Unsupported: the machine is ambiguous.
            LimitExceeded: the canvas has too many open steps, or the constraint took none of ``MOST_DRAWS`` draws.

        """
        return next(self.samples(log_probs, rng), None)

    def samples(self, log_probs: npt.ArrayLike, rng: np.random.Generator) -> Iterator[list[int]]:
        """Independent samples from one table, without end; none if there is no accepted filling.  Errors as of ``sample``."""
        rejected = 0
        for tokens in self._engine.samples(log_probs, rng):
            if self._exact or fails_at(self._constraint, tokens) is None:
                rejected = 0
                yield tokens
                continue
            rejected += 1
            if rejected == MOST_DRAWS:
                raise LimitExceeded(
                    f"{MOST_DRAWS} samples each repeat a key or an item that must differ",
                    limit="MOST_DRAWS",
                    value=MOST_DRAWS,
                    hint="fix more slots, or ask for a smaller window",
                )

    def log_mass(self, log_probs: npt.ArrayLike) -> float:
        """The log of the summed probability of all accepted fillings; -inf if there are none."""
        self._refuse_sums()
        return self._engine.log_mass(log_probs)

    def log_marginals(self, log_probs: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """float64[holes, V]: the log probability of each token in each hole among accepted fillings; -inf throughout if there are none."""
        self._refuse_sums()
        return self._engine.log_marginals(log_probs)

    def best_commit(self, bonus: Mapping[int, Mapping[int, float]]) -> dict[int, int] | None:
        """Which proposals to keep, step -> token, of greatest weight in sum; None if the canvas cannot be filled.

        None are kept where no filling with one of them was found that the constraint takes.

        Raises:
            LimitExceeded: the canvas has too many open steps.

        """
        if self._exact:
            found = self._engine.best_commit(bonus)
            return None if found is None else found[0]
        kept: dict[int, int] = {}

        def propose(struck: Struck) -> list[int] | None:
            found = self._engine.best_commit(bonus, struck)
            if found is None:
                return None
            kept.clear()
            kept.update(found[0])
            return found[1]

        try:
            checked = witness(self._constraint, self._fixed(), propose)
        except LimitExceeded as error:
            if error.limit != TRIES:
                raise
            if self._held is None or not self._still_holds(self._held):
                return {}
            return {i: self._held[i] for i in bonus if self._held[i] in bonus[i]}
        if checked is None:
            return None
        self._held = checked.tokens
        return kept

    def fewest(self) -> list[int] | None:
        """A filling of few tokens, NO_TOKEN where a step is left out: the fewest, where the machine is exact; None if there is none.

        Raises:
            LimitExceeded: the canvas has too many open steps.

        """
        if self._exact:
            return self._engine.shortest()
        found = witness(self._constraint, self._fixed(), self._engine.shortest)
        return None if found is None else found.tokens

    def min_slots(self) -> int | None:
        """The fewest tokens that the whole canvas can have; None if it cannot be filled.

        Raises:
            LimitExceeded: the canvas has too many open steps.
            Unsupported: no filling of the fewest tokens that the machine has is one of the constraint's, as far as was looked.

        """
        if self._exact:
            tokens = self._engine.shortest()
            return None if tokens is None else len(tokens) - tokens.count(NO_TOKEN)
        found = witness(self._constraint, self._fixed(), self._engine.shortest)
        if found is None:
            return None
        fewest = self._engine.shortest()
        length = len(found.tokens) - found.tokens.count(NO_TOKEN)
        if not found.best and fewest is not None and length > len(fewest) - fewest.count(NO_TOKEN):
            raise Unsupported(
                "the fewest slots of so large a canvas, where keys or items must differ",
                hint="ask for a smaller window",
            )
        return length

    def _fixed(self) -> list[bool]:
        return [step.token is not None for step in self._engine.steps]

    def _still_holds(self, filling: Sequence[int]) -> bool:
        return all(
            step.token in {None, token} and (step.allowed is None or token in step.allowed or token == NO_TOKEN)
            for step, token in zip(self._engine.steps, filling, strict=True)
        )

    def _refuse_sums(self) -> None:
        if not self._exact:
            raise Unsupported(
                "sums over the fillings of so large a canvas, where keys or items must differ",
                hint="ask for a smaller window, in which fillings are followed one by one",
            )
