"""Looking ahead: candidates for the next token are judged by what comes after them, under the constraint.

Three published methods are settings of one loop:

* a reward of the text some tokens further on, added to the candidate's log probability (DeAL, Huang et al. 2024, "Decoding-time
  Alignment for Large Language Models");
* the reward of a whole roll-out, by which the model's law is tilted before a draw (transfer Q*, Chakraborty et al. 2024):
  ``depth=None, draw=True``;
* no reward: where the law is undecided, the candidate whose continuation the model finds likeliest (AdaDec, "pause and rerank"):
  ``entropy_threshold``.  Forced tokens say nothing about a candidate and are left out of the mean.

Entropy and roll-outs are those of the masked law, since the raw one is undecided also where the grammar has decided already.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..grammar.errors import InvalidSource
from .law import Law
from .posterior import Posterior, check_whole
from .walk import Candidate, Situation

if TYPE_CHECKING:
    from .contract import States, Vocab
    from .prefixes import LogitsAfter, Run
    from .residuals.protocol import Residual

Reward: TypeAlias = Callable[[bytes, bool], float]
"""``reward(text, complete)``: how good a text is, or promises to be."""


@dataclass(slots=True)
class _Rollout:
    """A candidate and what the model writes after it.

    Attributes:
        tokens: with the candidate's, without end-of-sequence.
        state: after these.
        ended: whether end-of-sequence came.
        stuck: whether no token may come.
        log_ps: of the tokens that were not forced.

    """

    tokens: Run
    state: int
    ended: bool
    stuck: bool = False
    log_ps: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Lookahead:
    """One text, whose tokens are chosen by looking ahead.

    Attributes:
        reward: of texts; without one, the mean log probability of what is decided along the roll-out.
        candidates: the most likely tokens that are judged.
        depth: tokens of a roll-out behind the candidate; ``None`` to the end.
        weight: of the reward, beside the candidate's log probability.
        entropy_threshold: in nats; where the masked law's entropy is not above it the most likely token is taken at once.
        draw: draw a candidate in proportion to probability times ``exp(weight * reward)`` in place of the best.
        check: a residual that the output has to pass.

    """

    reward: Reward | None = None
    candidates: int = 4
    depth: int | None = 8
    weight: float = 1.0
    entropy_threshold: float = 0.0
    draw: bool = False
    check: Residual | None = None

    def __post_init__(self) -> None:
        """Check the options."""
        check_whole(candidates=self.candidates, depth=0 if self.depth is None else self.depth)
        for where, number in (("weight", self.weight), ("entropy_threshold", self.entropy_threshold)):
            if math.isnan(number):
                raise InvalidSource("NaN cannot be compared", where=where)
        if self.candidates < 1:
            raise InvalidSource(f"{self.candidates} candidates are no choice", where="candidates")
        if self.depth is not None and self.depth < 0:
            raise InvalidSource(f"depth {self.depth} is negative", where="depth")
        if self.draw and self.reward is None:
            raise InvalidSource("a draw is tilted by a reward", where="reward")

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
        """Write the text; see ``Method.run``."""
        law = Law(states, temperature=temperature)
        tokens: Run = ()
        state = states.start
        total = 0.0
        while True:
            remaining = max_tokens - len(tokens)
            situation = Situation(law, vocab, logits_after([tokens])[0], state, remaining)
            decided = situation.n_allowed == 1 or situation.entropy() <= self.entropy_threshold
            found = list(islice(situation.candidates(), 1 if decided else self.candidates))
            if not found:
                return Posterior(())
            chosen = found[0]
            if len(found) > 1:
                chosen = self._judged(found, tokens, logits_after, law, vocab, remaining, rng)
            total += chosen.log_p
            if chosen.token in vocab.eos_ids:
                return Posterior.of_ranking([(tokens, total)])
            tokens, state = (*tokens, chosen.token), chosen.state

    def _judged(
        self,
        found: list[Candidate],
        tokens: Run,
        logits_after: LogitsAfter,
        law: Law,
        vocab: Vocab,
        remaining: int,
        rng: np.random.Generator,
    ) -> Candidate:
        ends = [candidate.token in vocab.eos_ids for candidate in found]
        rollouts = [
            _Rollout(tokens if end else (*tokens, c.token), c.state, end, log_ps=[c.log_p])
            for c, end in zip(found, ends, strict=True)
        ]
        self._roll(rollouts, logits_after, law, vocab, remaining - 1)
        scores = np.array([self._score(c, r, vocab) for c, r in zip(found, rollouts, strict=True)])
        if self.draw and scores.max() > -math.inf:
            shares = np.exp(scores - scores.max())
            return found[int(rng.choice(len(found), p=shares / shares.sum()))]
        return found[int(np.argmax(scores))]

    def _roll(
        self, rollouts: list[_Rollout], logits_after: LogitsAfter, law: Law, vocab: Vocab, remaining: int
    ) -> None:
        """Let the model go on greedily behind every candidate, all in one call a token."""
        for step in range(remaining + 1 if self.depth is None else min(self.depth, remaining + 1)):
            going = [r for r in rollouts if not (r.ended or r.stuck)]
            if not going:
                return
            for rollout, row in zip(going, logits_after([r.tokens for r in going]), strict=True):
                situation = Situation(law, vocab, row, rollout.state, remaining - step)
                best = next(situation.candidates(), None)
                if best is None:
                    rollout.stuck = True
                    continue
                if situation.n_allowed > 1:
                    rollout.log_ps.append(best.log_p)
                rollout.state = best.state
                if best.token in vocab.eos_ids:
                    rollout.ended = True
                else:
                    rollout.tokens = (*rollout.tokens, best.token)

    def _score(self, candidate: Candidate, rollout: _Rollout, vocab: Vocab) -> float:
        if rollout.stuck:
            return -math.inf
        if self.reward is None:
            return math.fsum(rollout.log_ps) / len(rollout.log_ps)
        text = b"".join(vocab.tokens[t] or b"" for t in rollout.tokens)
        reward = float(self.reward(text, rollout.ended))
        if not reward < math.inf:  # NaN as well
            raise InvalidSource(f"the reward is {reward}, which cannot be compared", where="reward")
        return candidate.log_p + self.weight * reward
