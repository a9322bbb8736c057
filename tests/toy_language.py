"""A toy in which masks distort: words of six letters a to d (values 0 to 3, sum divisible by 5, no two equal side by side).

A Markov model over the letters gives such words one time in thirty; the language is enumerated, so that the conditioned law is
known.  The masks are those of the viable prefixes, exact.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from reference_constraint import ReferenceConstraint, ReferenceVocabulary

LENGTH = 6
LETTERS = b"abcd"
EOS = 4
VOCAB = ReferenceVocabulary([*(bytes([c]) for c in LETTERS), None], eos_ids=[EOS])
EVERY = list(itertools.product(range(4), repeat=LENGTH))
WORDS = [w for w in EVERY if sum(w) % 5 == 0 and all(a != b for a, b in itertools.pairwise(w))]
CONSTRAINT = ReferenceConstraint([bytes(LETTERS[t] for t in w) for w in WORDS], VOCAB)

Run = tuple[int, ...]


class Markov:
    """Letters by the last one and the place; the end comes after six of them."""

    def __init__(self, seed: int, scale: float) -> None:
        self.table = np.random.default_rng(seed).normal(scale=scale, size=(LENGTH, 5, 4))
        self.asked: list[int] = []

    def row(self, run: Run) -> np.ndarray:
        """Logits after a run."""
        row = np.full(5, -np.inf)
        if len(run) >= LENGTH:
            row[EOS] = 0
        else:
            row[:4] = self.table[len(run), run[-1] if run else 4]
        return row

    def __call__(self, runs: Sequence[Run]) -> list[np.ndarray]:
        """Logits after runs."""
        self.asked.append(len(runs))
        return [self.row(run) for run in runs]

    def log_probability(self, word: Run) -> float:
        """Of a whole word."""
        total = 0.0
        for i, t in enumerate(word):
            row = self.row(word[:i])
            total += row[t] - math.log(np.exp(row[:4]).sum())
        return total

    def conditioned(self, words: Sequence[Run] = WORDS) -> tuple[dict[Run, float], float]:
        """The law of words conditioned on being one of these, and the probability of that."""
        weight = {w: math.exp(self.log_probability(w)) for w in words}
        z = math.fsum(weight.values())
        return {w: x / z for w, x in weight.items()}, z

    def masked(self) -> dict[Run, float]:
        """The law that masks alone give."""
        law = {}
        for word in WORDS:
            total = 1.0
            for i, t in enumerate(word):
                allowed = sorted({w[i] for w in WORDS if w[:i] == word[:i]})
                p = np.exp(self.row(word[:i]))
                total *= p[t] / p[allowed].sum()
            law[word] = total
        return law


def variation(p: dict[Run, float], q: dict[Run, float]) -> float:
    """Total variation distance."""
    return sum(abs(p.get(k, 0.0) - q.get(k, 0.0)) for k in p.keys() | q.keys()) / 2
