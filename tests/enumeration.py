"""Every outcome of a random procedure and its probability: the choices are scripted, and all scripts are run.

A procedure is run with a ``Script`` in place of its source of randomness.  Where it makes a choice that is not in the script yet,
the first alternative is taken; afterwards the last choice that has another alternative is changed, and it is run again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

MOST = 6
"""More trials than any procedure here tells from each other: all give up before."""


class Script:
    """A source of randomness that takes the alternatives it is told."""

    def __init__(self, path: list[int]) -> None:
        self.path = path
        self.made: list[tuple[int, int]] = []  # of each choice: which alternative, of how many
        self.probability = 1.0

    def choose(self, probabilities: Sequence[float]) -> int:
        """The scripted alternative, counted among those of positive probability."""
        possible = [i for i, p in enumerate(probabilities) if p > 0]  # what cannot happen is no alternative
        at = len(self.made)
        which = self.path[at] if at < len(self.path) else 0
        self.made.append((which, len(possible)))
        self.probability *= probabilities[possible[which]]
        return possible[which]

    def binomial(self, n: int, p: float) -> int:
        """Whether one trial succeeds."""
        assert n == 1
        return self.choose([1 - p, p])

    def geometric(self, p: float) -> int:
        """A number of trials from 1; ``MOST`` stands for all from there on."""
        shares = [p * (1 - p) ** i for i in range(MOST - 1)]
        return 1 + self.choose([*shares, (1 - p) ** (MOST - 1)])


def outcomes(procedure: Callable[[Any], Any]) -> Iterator[tuple[float, Any]]:
    """Probability and result of every run."""
    path: list[int] = []
    while True:
        script = Script(path)
        result = procedure(script)
        yield script.probability, result
        made = script.made
        while made and made[-1][0] + 1 == made[-1][1]:
            made.pop()
        if not made:
            return
        path = [which for which, _ in made]
        path[-1] += 1


def measure(procedure: Callable[[Any], tuple[Hashable, float]]) -> dict[Any, float]:
    """``E[w 1{x}]`` of a procedure that returns x and w."""
    expected: dict[Any, float] = defaultdict(float)
    for probability, (x, weight) in outcomes(procedure):
        expected[x] += probability * weight
    return expected


class ScriptedUrn:
    """The interface of an urn, drawn from by a script."""

    def __init__(self, weights: Sequence[float]) -> None:
        self.weights = list(weights)

    @property
    def total(self) -> float:
        """Sum of what is left."""
        return sum(self.weights)

    def draw(self, script: Script) -> int:
        """An index in proportion to the weights."""
        total = self.total
        return script.choose([w / total for w in self.weights])

    def remove(self, index: int) -> float:
        """Take out."""
        weight, self.weights[index] = self.weights[index], 0.0
        return weight

    def restore(self, index: int, weight: float) -> None:
        """Put back."""
        self.weights[index] = weight

    def remove_all(self, indices: slice) -> None:
        """Take many out."""
        for index in range(*indices.indices(len(self.weights))):
            self.weights[index] = 0.0
