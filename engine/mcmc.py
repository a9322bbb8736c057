"""Constrained Markov chain Monte Carlo (arXiv 2506.05754): an output, again and again cut somewhere and written anew.

The proposal keeps a prefix and draws the rest under the masks; Metropolis and Hastings accept it with the ratio of the model's
probabilities and the proposals', both of which the masks' masses give.  Every state of the chain is valid, and the chain
converges to the model's law conditioned on the constraint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from ..grammar.errors import InvalidSource
from .contract import DEAD
from .law import Law, Reals
from .posterior import Posterior, check_whole
from .walk import follow, law_at

if TYPE_CHECKING:
    from .contract import States, Vocab
    from .prefixes import LogitsAfter, Run
    from .residuals.protocol import Residual

Cut: TypeAlias = Literal["uniform", "restart", "priority"]


@dataclass(frozen=True, slots=True)
class _Text:
    """An output with its end-of-sequence token; arrays float64[n] over its tokens.

    Attributes:
        tokens: n tokens.
        states: the state in front of each.
        masked: log probability of each under the masks.
        valid: log valid mass in front of each.
        entropy: of the masked law in front of each, in nats.

    """

    tokens: Run
    states: tuple[int, ...]
    masked: Reals
    valid: Reals
    entropy: Reals

    @property
    def log_probability(self) -> float:
        """Of the text under the model."""
        return float(self.masked.sum() + self.valid.sum())


@dataclass(frozen=True)
class MCMC:
    """A chain of outputs.

    Attributes:
        check: a residual that outputs have to pass.
        steps: proposals.
        cut: where a proposal begins to write anew: anywhere (``uniform``), at the start (``restart``), or more often where the
            masked law is undecided (``priority``, in proportion to its entropy).
        keep: how many of the last states make up the posterior; the earlier ones still depend on where the chain began.
        tries: draws for the first state, of which the first that passes the check is taken, and that the model thinks possible if there
            is such a one.

    """

    check: Residual | None = None
    steps: int = 10
    cut: Cut = "uniform"
    keep: int = 1
    tries: int = 20

    def __post_init__(self) -> None:
        """Check the options."""
        check_whole(steps=self.steps, keep=self.keep, tries=self.tries)
        if self.cut not in get_args(Cut):
            raise InvalidSource(f"cut {self.cut!r} is none of {', '.join(get_args(Cut))}", where="cut")
        if self.steps < 0 or not 1 <= self.keep <= self.steps + 1 or self.tries < 1:
            raise InvalidSource("keep has to lie between 1 and steps + 1, and tries be positive", where="keep")

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
        """Run the chain; see ``Method.run``.  There is no estimate of the evidence."""
        law = Law(states, temperature=temperature)

        def rewritten(old: _Text, cut: int) -> _Text | None:
            return _written(old, cut, logits_after, law, vocab, rng, max_tokens)

        nothing = _Text((), (), np.zeros(0), np.zeros(0), np.zeros(0))
        text = None
        for _ in range(self.tries):
            first = rewritten(nothing, 0)
            text = first or text
            if first is not None and first.log_probability > -math.inf:
                break
        if text is None:
            return Posterior(())
        chain = [text]
        for _ in range(self.steps):
            proposed = rewritten(text, int(rng.choice(len(text.tokens), p=self.cuts(text))))
            if proposed is not None and math.log1p(-rng.random()) < self.log_ratio(text, proposed):
                text = proposed
            chain.append(text)
        return Posterior.of([(t.tokens[:-1], 0.0) for t in chain[-self.keep :]])

    def cuts(self, text: _Text) -> Reals:
        """The probability of each cut, float64[n]."""
        n = len(text.tokens)
        if self.cut == "restart":
            first: Reals = np.eye(1, n)[0]
            return first
        if self.cut == "priority" and text.entropy.sum() > 0:
            shares: Reals = text.entropy / text.entropy.sum()
            return shares
        return np.full(n, 1 / n)

    def log_proposal(self, old: _Text, new: _Text) -> float:
        """Log of the probability that the new text is written from the old one: over all cuts that leave what they share."""
        shared = 0
        while shared < min(len(old.tokens), len(new.tokens)) and old.tokens[shared] == new.tokens[shared]:
            shared += 1
        cuts = self.cuts(old)
        rest = np.append(np.cumsum(new.masked[::-1])[::-1], 0.0)
        with np.errstate(divide="ignore"):
            terms = [
                np.log(cuts[k]) + rest[k] for k in range(min(shared, len(old.tokens) - 1) + 1) if k <= len(new.tokens)
            ]
        return float(np.logaddexp.reduce(terms))

    def log_ratio(self, old: _Text, new: _Text) -> float:
        """Log of the ratio of Metropolis and Hastings."""
        forth, back = self.log_proposal(old, new), self.log_proposal(new, old)
        return new.log_probability - old.log_probability + back - forth


def _written(
    old: _Text,
    cut: int,
    logits_after: LogitsAfter,
    law: Law,
    vocab: Vocab,
    rng: np.random.Generator,
    max_tokens: int,
) -> _Text | None:
    """Keep ``cut`` tokens and draw the rest under the masks; ``None`` if that leads into a dead end."""
    tokens, before = old.tokens[:cut], list(old.states[:cut])
    masked, valid, entropy = (list(a[:cut]) for a in (old.masked, old.valid, old.entropy))
    state = old.states[cut] if old.tokens else law.constraint.start
    while True:
        remaining = max_tokens - len(tokens)
        found = law_at(law, logits_after([tokens])[0], state, remaining)
        if found is None:
            return None
        urn, log_valid = found
        index = urn.draw(rng)
        shares = urn.weights[urn.weights > 0].astype(np.float64) / urn.total
        before.append(state)
        masked.append(math.log(float(urn.weights[index]) / urn.total))
        valid.append(log_valid)
        entropy.append(float(-(shares * np.log(shares)).sum()))
        token = urn.token(index)
        state = follow(law.constraint, vocab, state, token, remaining)
        if state == DEAD:
            return None
        tokens = (*tokens, token)
        if token in vocab.eos_ids:
            return _Text(tokens, tuple(before), np.array(masked), np.array(valid), np.array(entropy))
