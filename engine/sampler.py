"""Samplers: draw one token from the constrained law, and say what the constraint cost in probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .law import Law, Logits

if TYPE_CHECKING:
    import numpy as np

    from .contract import States


class Sampler(Protocol):
    """What draws a token."""

    def sample(self, logits: Logits, state: int, rng: np.random.Generator) -> tuple[int, float | None]:
        """Draw a token; the second value is its log weight, or ``None`` where the law is truncated."""
        ...


class MaskSampler:
    """Draw from the masked, renormalised law: exact, at the price of one mask a token.

    The sum of the log weights along a text is the log importance weight that turns the locally
    constrained law into the model's own law conditioned on the language (Loula et al. 2025,
    "Syntactic and Semantic Control of Large Language Models via Sequential Monte Carlo").
    """

    def __init__(
        self,
        constraint: States,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
    ) -> None:
        self.law = Law(constraint, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)

    def sample(self, logits: Logits, state: int, rng: np.random.Generator) -> tuple[int, float | None]:
        """Draw a token after ``state``.

        Returns:
            The token, and the log valid mass of the tempered law; ``None`` instead of the latter if
            the law is truncated or greedy, for then it would not be an importance weight.

        Raises:
            InvalidSource: see ``Law``.

        """
        if self.law.truncated:
            return self.law.choose(logits, state, rng), None
        distribution = self.law(logits, state)
        return distribution.sample(rng), distribution.log_valid_mass
