"""Sampling that learns from its own failures: a trie of visited prefixes, each with a bound of the mass that can still be valid.

Behind a new prefix all of the model's mass may be valid, so its bound is 1.  A visited one has its mask, and its bound is the sum
over allowed tokens of probability times the bound behind the token.  Tokens are drawn in proportion to that product, so what was
found dead is not walked into again, and the bounds fall towards the exact mass of valid completions.

``CARS`` (arXiv 2510.01902, constrained adaptive rejection sampling): a walk that comes to a new prefix goes on as the model
alone would, and fails with the probability of an invalid token.  Outputs are exact, independent draws of the model conditioned on the
constraint; failures grow rarer.

``ASAp`` (Park et al. 2024, "Grammar-Aligned Decoding"): a walk never fails at a new prefix but takes the masked law, and carries
the weight that makes up for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..grammar.errors import InvalidSource
from .contract import DEAD
from .law import Law
from .posterior import Posterior, check_whole
from .walk import follow, index_of, law_at

if TYPE_CHECKING:
    from .contract import States, Vocab
    from .prefixes import LogitsAfter, Run
    from .residuals.protocol import Residual


@dataclass(slots=True)
class _Node:
    """A prefix.

    Attributes:
        state: of the constraint; 0 is dead.
        bound: at least the mass of valid completions.
        valid: the mass of the mask; negative while the prefix was not visited.
        others: the part of it that no child has: a sum of its own, for as a difference it would be rounding where a dead child has nearly all.
        children: prefixes that a walk went on to, and the probability of the token that leads there.

    """

    state: int
    bound: float = 1.0
    valid: float = -1.0
    others: float = 0.0
    children: dict[int, tuple[float, _Node]] = field(default_factory=dict)

    def settle(self) -> None:
        """Compute the bound from what is behind."""
        behind = math.fsum(p * child.bound for p, child in self.children.values())
        self.bound = min(1.0, self.others + behind) if self.state else 0.0


class _Trie:
    """The prefixes of one prompt."""

    def __init__(
        self,
        logits_after: LogitsAfter,
        law: Law,
        vocab: Vocab,
        max_tokens: int,
    ) -> None:
        self._logits_after = logits_after
        self._law = law
        self._vocab = vocab
        self._max_tokens = max_tokens
        self.root = _Node(law.constraint.start)

    def walk(self, rng: np.random.Generator, *, fails: bool) -> tuple[Run | None, float]:
        """One walk from the root; the output, if it came to one, and the log of its probability over that of its being drawn."""
        node = self.root
        run: Run = ()
        path: list[_Node] = []
        log_weight = 0.0
        output: Run | None = None
        while True:
            path.append(node)
            remaining = self._max_tokens - len(run)
            is_new = node.valid < 0
            found = law_at(self._law, self._logits_after([run])[0], node.state, remaining)
            node.valid = node.others = 0.0 if found is None else math.exp(found[1])
            if is_new and fails and rng.random() >= node.valid:
                break
            if found is None:
                break
            urn, _ = found
            masked = urn.total
            weights = {token: urn.remove(index_of(urn, token)) for token in node.children}
            node.others = node.valid * urn.total / masked
            for token, weight in weights.items():
                urn.restore(index_of(urn, token), weight * node.children[token][1].bound)
            if urn.total <= 0 or node.valid <= 0:
                break
            if not (is_new and fails):
                log_weight += math.log(node.valid * urn.total / masked)
            token = urn.token(urn.draw(rng))
            if token not in node.children:
                after = follow(self._law.constraint, self._vocab, node.state, token, remaining)
                weight = urn.remove(index_of(urn, token))
                node.children[token] = (node.valid * weight / masked, _Node(after, float(after != DEAD)))
                for known in weights:
                    urn.remove(index_of(urn, known))
                node.others = node.valid * urn.total / masked
            node = node.children[token][1]
            if node.state == DEAD:
                break
            log_weight -= math.log(node.bound)
            if token in self._vocab.eos_ids:
                output = run
                break
            run = (*run, token)
        for visited in reversed(path):
            visited.settle()
        return output, log_weight


@dataclass(frozen=True)
class _Adaptive:
    check: Residual | None = None

    def _trie(
        self, logits_after: LogitsAfter, states: States, vocab: Vocab, max_tokens: int, temperature: float
    ) -> _Trie:
        return _Trie(logits_after, Law(states, temperature=temperature), vocab, max_tokens)


@dataclass(frozen=True)
class CARS(_Adaptive):
    """Exact, independent outputs by rejection that learns.

    Attributes:
        check: a residual that outputs have to pass.
        samples: outputs that are wanted.
        max_walks: tries in all; if they are used up there are fewer outputs.

    """

    samples: int = 1
    max_walks: int = 1000

    def __post_init__(self) -> None:
        """Check the options."""
        check_whole(samples=self.samples, max_walks=self.max_walks)
        if self.samples < 1 or self.max_walks < 1:
            raise InvalidSource("there has to be at least one sample and one walk", where="samples")

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
        """Walk until there are enough outputs; see ``Method.run``."""
        trie = self._trie(logits_after, states, vocab, max_tokens, temperature)
        outputs: list[Run] = []
        mass = 0.0
        walks = 0
        while walks < self.max_walks and len(outputs) < self.samples and trie.root.bound > 0:
            walks += 1
            bound = trie.root.bound
            output, _ = trie.walk(rng, fails=True)
            if output is not None:
                outputs.append(output)
                mass += bound
        # A walk succeeds with the evidence over the root's bound, whatever was learnt before it.
        evidence = math.log(mass / walks) if mass else -math.inf
        return Posterior.of([(output, 0.0) for output in outputs], log_evidence=evidence)


@dataclass(frozen=True)
class ASAp(_Adaptive):
    """Outputs under masks that are tilted by what was learnt, with weights.

    Attributes:
        check: a residual that outputs have to pass.
        walks: outputs in all; a walk into a dead end is none.

    """

    walks: int = 10

    def __post_init__(self) -> None:
        """Check the options."""
        check_whole(walks=self.walks)
        if self.walks < 1:
            raise InvalidSource("there has to be at least one walk", where="walks")

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
        """Walk so many times; see ``Method.run``."""
        trie = self._trie(logits_after, states, vocab, max_tokens, temperature)
        found = [trie.walk(rng, fails=False) for _ in range(self.walks)]
        runs = [(output, log_weight) for output, log_weight in found if output is not None]
        weights = np.array([log_weight for _, log_weight in runs])
        evidence = float(np.logaddexp.reduce(weights)) - math.log(self.walks) if runs else -math.inf
        return Posterior.of(runs, log_evidence=evidence)
