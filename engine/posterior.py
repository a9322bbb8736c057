"""What a method that weighs whole outputs gives: outputs and their probabilities under the model, conditioned on the constraint."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, SupportsIndex

import numpy as np

from ..grammar.errors import InvalidSource

if TYPE_CHECKING:
    from .contract import States, Vocab
    from .prefixes import LogitsAfter, Run
    from .residuals.protocol import Residual


def check_whole(**options: int) -> None:
    """Refuse options that count something and are no whole numbers."""
    for name, value in options.items():
        if not isinstance(value, SupportsIndex):
            raise InvalidSource(f"{name} {value!r} is no whole number", where=name)


@dataclass(frozen=True, slots=True)
class Output:
    """One output.

    Attributes:
        tokens: without end-of-sequence.
        probability: its share of the weight.

    """

    tokens: Run
    probability: float


@dataclass(frozen=True, slots=True)
class Posterior:
    """Outputs with weights.

    Attributes:
        outputs: different ones, the most probable first, or the best first if they are ranked; empty if none was found.
        log_evidence: log of an estimate of the probability that the model, left alone, would keep the constraint; ``None`` where the method
            has none.
        effective_sizes: effective number of particles after each step, before resampling.
        n_checks: verdicts of rejection samplers and residuals.
        ranked: whether the first output is what was searched for, so that it is taken rather than a draw.  Then probabilities are
            the model's own, shared out among the outputs that were found.

    """

    outputs: tuple[Output, ...]
    log_evidence: float | None = None
    effective_sizes: tuple[float, ...] = field(default=(), repr=False)
    n_checks: int = 0
    ranked: bool = False

    @classmethod
    def of(cls, runs: Iterable[tuple[Run, float]], **more: float | tuple[float, ...] | None) -> Posterior:
        """Merge equal runs, given with log weights, and normalise."""
        pairs = [(run, log_weight) for run, log_weight in runs if log_weight > -math.inf]
        top = max((log_weight for _, log_weight in pairs), default=0.0)
        weight: dict[Run, float] = {}
        for run, log_weight in pairs:
            weight[run] = weight.get(run, 0.0) + math.exp(log_weight - top)
        total = sum(weight.values())
        outputs = [Output(run, w / total) for run, w in weight.items()]
        return cls(tuple(sorted(outputs, key=lambda o: (-o.probability, o.tokens))), **more)  # type: ignore[arg-type]

    @classmethod
    def of_ranking(cls, runs: Sequence[tuple[Run, float]]) -> Posterior:
        """Different runs, best first, with their log probabilities; equal shares where the model rules all of them out."""
        if all(log_p == -math.inf for _, log_p in runs):
            runs = [(run, 0.0) for run, _ in runs]
        shares = {output.tokens: output for output in cls.of(runs).outputs}
        return cls(tuple(shares[run] for run, _ in runs if run in shares), ranked=True)

    @property
    def best(self) -> Output:
        """The output with the greatest share; ``IndexError`` if there is none."""
        return self.outputs[0]

    def sample(self, rng: np.random.Generator) -> Output:
        """One of the outputs, with its probability."""
        index = rng.choice(len(self.outputs), p=np.array([o.probability for o in self.outputs]))
        return self.outputs[int(index)]


class Method(Protocol):
    """A way from a model and a constraint to weighted outputs."""

    @property
    def check(self) -> Residual | None:
        """What outputs have to pass beside the constraint."""
        ...

    def run(
        self,
        logits_after: LogitsAfter,
        states: States,
        vocab: Vocab,
        rng: np.random.Generator,
        *,
        max_tokens: int,
        temperature: float = 1.0,
    ) -> Posterior:
        """Find outputs of at most ``max_tokens`` tokens, end-of-sequence not counted.

        Args:
            logits_after: the model.
            states: a session of the constraint, paired with ``check`` if there is one.
            vocab: the constraint's vocabulary.
            rng: what is drawn from.
            max_tokens: see above.
            temperature: of the model's law, above 0.

        """
        ...
