"""Sequential Monte Carlo: particles with weights, so that outputs follow the model's law *conditioned* on the constraint.

Masking step by step gives every choice that keeps the constraint its renormalised probability, however little of the model's mass lies
behind it.  Here each particle carries the product of the masses that masking divided by; particles with little weight die
out, those with much multiply.  The average weight estimates the probability of the constraint without bias.

Loula et al. 2025, "Syntactic and Semantic Control of Large Language Models via Sequential Monte Carlo"; Lipkin et al. 2025 (AWRS).

The target under a budget is the model conditioned on texts that the budget's masks allow: all texts of at most that length where
``finish_bound`` is exact.  While there is room to spare the budget is checked after the draw, and a particle that overruns dies: that
is unbiased as well.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

import numpy as np

from ..grammar.errors import InvalidSource
from .auto import AutoSampler
from .contract import DEAD
from .posterior import Posterior, check_whole
from .resampling import SCHEMES, Scheme, effective_size
from .residuals.checked import CheckedStates
from .sampler import AWRS, NO_TOKEN, Sampler, draws_at
from .walk import budget_at, follow

if TYPE_CHECKING:
    from .contract import States, Vocab
    from .prefixes import LogitsAfter, Run
    from .residuals.protocol import Residual
    from .sampler import Sample

Critic: TypeAlias = Callable[[bytes, bool], float]
"""``critic(text, complete)``: the log of a factor of the target; minus infinity forbids the text."""

SamplerFactory: TypeAlias = Callable[..., Sampler]
"""Called with the states and ``temperature=``: ``MaskSampler``, ``partial(AWRS, form="geometric")``."""


def weighted_sampler(states: States, *, temperature: float) -> Sampler:
    """Exact masks, or AWRS on what a residual leaves open."""
    if isinstance(states, CheckedStates):
        return AWRS(states, temperature=temperature)
    return AutoSampler(states, temperature=temperature)


@dataclass(frozen=True, slots=True)
class _Particle:
    state: int
    tokens: Run = ()
    log_weight: float = 0.0
    twist: float = 0.0  # the part of log_weight that is provisional
    done: bool = False


class _Spread:
    """A generator whose first uniform number is given."""

    def __init__(self, first: float, rng: np.random.Generator) -> None:
        self._first: float | None = first
        self._rng = rng

    def random(self) -> float:
        """A uniform number."""
        first, self._first = self._first, None
        return self._rng.random() if first is None else first

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all else is the generator's
        """All else is the generator's."""
        return getattr(self._rng, name)


def _spread(particles: list[_Particle], rng: np.random.Generator) -> Callable[[_Particle], np.random.Generator]:
    """For each particle of one step a source of randomness.

    Those with equal texts would draw from one law independently; instead the numbers that they draw by lie at equal distances around a circle.  Each
    is uniform, so that nothing is biased, and a token of probability one half is drawn by half of them.
    """
    sharing = Counter(p.tokens for p in particles if not p.done)
    at = {run: rng.random() for run, number in sharing.items() if number > 1}

    def draws(particle: _Particle) -> Any:  # noqa: ANN401 - a generator, or what stands for one
        if particle.tokens not in at:
            return rng
        at[particle.tokens] += 1 / sharing[particle.tokens]
        return _Spread(at[particle.tokens] % 1.0, rng)

    return draws


@dataclass(frozen=True)
class SMC:
    """Sequential Monte Carlo over whole outputs.

    Attributes:
        particles: outputs that are grown side by side.
        check: a residual that outputs have to pass.
        ess_threshold: resample when the effective number of particles falls below this share of them; 0 never does, which
            is importance sampling.
        resampling: see ``resampling``.
        critic: a factor of the target, such as a reward's log.  Of incomplete texts its value is provisional: it steers
            resampling and is taken back before the next step (a twist), so that it changes no probability.
        critic_of_prefixes: ask the critic about incomplete texts as well.
        sampler: what draws tokens; it has to give weights.

    Raises:
        InvalidSource: an option out of its range.

    """

    particles: int = 5
    check: Residual | None = None
    ess_threshold: float = 0.5
    resampling: Scheme = "systematic"
    critic: Critic | None = None
    critic_of_prefixes: bool = True
    sampler: SamplerFactory = weighted_sampler

    def __post_init__(self) -> None:
        """Check the options."""
        check_whole(particles=self.particles)
        if self.critic is not None and not callable(self.critic):
            raise InvalidSource(f"{self.critic!r} cannot be called", where="critic")
        if self.particles < 1:
            raise InvalidSource(f"{self.particles} particles are no sample", where="particles")
        if not 0 <= self.ess_threshold <= 1:
            raise InvalidSource(f"ess_threshold {self.ess_threshold} is not in [0, 1]", where="ess_threshold")
        if self.resampling not in get_args(Scheme):
            raise InvalidSource(
                f"resampling {self.resampling!r} is none of {', '.join(get_args(Scheme))}", where="resampling"
            )

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
        """Grow the particles to their ends; see ``Method.run``."""
        sampler = self.sampler(states, temperature=temperature)
        particles = [_Particle(states.start)] * self.particles
        sizes: list[float] = []
        for remaining in range(max_tokens, -1, -1):
            live = [p for p in particles if not p.done]
            if not live:
                break
            prefixes = list(dict.fromkeys(p.tokens for p in live))
            rows = dict(zip(prefixes, logits_after(prefixes), strict=True))
            draws = _spread(particles, rng)
            laws = {
                p.tokens: draws_at(
                    sampler, rows[p.tokens], p.state, budget=budget_at(sampler.states, p.state, remaining)
                )
                for p in {p.tokens: p for p in live}.values()
            }
            particles = [
                p if p.done else self._step(p, laws[p.tokens](draws(p)), sampler.states, vocab, remaining)
                for p in particles
            ]
            log_weights = np.array([p.log_weight for p in particles])
            sizes.append(effective_size(log_weights))
            if 0 < sizes[-1] < self.ess_threshold * self.particles:
                particles = self._resampled(particles, log_weights, rng)
        total = np.array([p.log_weight for p in particles])
        return Posterior.of(
            ((p.tokens, p.log_weight) for p in particles if p.done),
            log_evidence=float(np.logaddexp.reduce(total)) - math.log(self.particles),
            effective_sizes=tuple(sizes),
            n_checks=int(getattr(sampler, "n_checks", 0)),
        )

    def _step(
        self,
        particle: _Particle,
        drawn: Sample,
        states: States,
        vocab: Vocab,
        remaining: int,
    ) -> _Particle:
        token, gained = drawn
        if gained is None:
            raise InvalidSource("the sampler gives no weights", where="sampler", hint="use MaskSampler or AWRS")
        log_weight = particle.log_weight - particle.twist + gained
        after = DEAD if token == NO_TOKEN else follow(states, vocab, particle.state, token, remaining)
        ends = token in vocab.eos_ids
        if not after or log_weight == -math.inf:
            return replace(particle, log_weight=-math.inf, twist=0.0, done=True)
        tokens = particle.tokens if ends else (*particle.tokens, token)
        score = self._score(tokens, vocab, complete=ends)
        if score == -math.inf:
            return replace(particle, log_weight=-math.inf, twist=0.0, done=True)
        return _Particle(after, tokens, log_weight + score, 0.0 if ends else score, ends)

    def _score(self, tokens: Run, vocab: Vocab, *, complete: bool) -> float:
        if self.critic is None or not (complete or (self.critic_of_prefixes and self.ess_threshold > 0)):
            return 0.0
        score = float(self.critic(b"".join(vocab.tokens[t] or b"" for t in tokens), complete))
        if not score < math.inf:  # NaN as well
            raise InvalidSource(f"the critic gives {score}, which is no log of a factor", where="critic")
        return score

    def _resampled(
        self, particles: list[_Particle], log_weights: np.ndarray, rng: np.random.Generator
    ) -> list[_Particle]:
        """As many particles, each with the average weight; a twist stays part of what its particle has to give back."""
        average = float(np.logaddexp.reduce(log_weights)) - math.log(len(particles))
        weights = np.exp(log_weights - log_weights.max())
        ancestors = SCHEMES[self.resampling](weights / weights.sum(), rng)
        return [replace(particles[i], log_weight=average) for i in ancestors]
