"""What a lattice must say, by definition: every filling of the canvas is tried.

A filling has for each slot the tokens that stand there: one in a hole or where a token is fixed, between the bounds in a gap.  It is
accepted if the text before the first end-of-sequence token is in the language, and nothing but end-of-sequence and padding follows
that.  Membership is decided by a recogniser (``lattice_recognisers.py``), never by the package.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from lattice_recognisers import Recogniser, layers

import syntagma as sg

Filling = tuple[tuple[int, ...], ...]
Proposal = tuple[int, int]  # slot, token


class World:
    """A language over a vocabulary, as far as canvases of at most ``longest`` tokens can see it.

    Attributes:
        source: what the package compiles.
        vocab: the texts, an id that is never text, the end-of-sequence ids, the padding ids.
        longest: tokens.
        members: the texts of the language that at most ``longest`` tokens spell.
        prefixes: what these begin with.

    """

    def __init__(
        self,
        source: sg.Source,
        texts: Sequence[bytes],
        recogniser: Recogniser,
        *,
        longest: int = 5,
        ends: int = 1,
        pads: int = 1,
        most: int = 1 << 20,
    ) -> None:
        """Try every text; canvases are shorter, though of three tokens at least, where more than ``most`` texts would be tried."""
        n = len(texts)
        self.source = source
        self.vocab = sg.Vocabulary(
            [*texts, None, *[None] * (ends + pads)],
            eos_ids=range(n + 1, n + 1 + ends),
            pad_ids=range(n + 1 + ends, n + 1 + ends + pads),
        )
        self.recogniser = recogniser
        distinct = sorted({t for t in texts if t})
        tried: set[bytes] = set()
        for n, layer in enumerate(layers(distinct, longest, recogniser)):
            if n > 3 and len(tried) + len(layer) > most:
                break
            tried |= layer
            self.longest = n
        self.members = {text for text in tried if recogniser.member(text)}
        self.prefixes = {text[:i] for text in self.members for i in range(len(text) + 1)}
        self._completable: dict[tuple[bytes, int], bool] = {}

    @cached_property
    def constraint(self) -> sg.Constraint:
        """The package's view of it, compiled once."""
        return sg.compile(self.source, self.vocab)

    def after(self, text: bytes, ended: bool, token: int) -> tuple[bytes, bool] | None:
        """Text and end after a token; None where no filling goes on."""
        vocab = self.vocab
        if token in vocab.eos_ids:
            return (text, True) if ended or text in self.members else None
        if token in vocab.pad_ids:
            return (text, True) if ended else None
        data = vocab.tokens[token]
        if ended or not data or text + data not in self.prefixes:
            return None
        return text + data, False

    def completable(self, text: bytes, tokens: int) -> bool:
        """Whether exactly so many tokens can follow a text that has not ended."""
        if tokens == 0 or text in self.members:  # end-of-sequence fills the rest
            return text in self.members
        known = self._completable.get((text, tokens))
        if known is None:
            known = any(
                self.completable(text + data, tokens - 1)
                for data in set(self.vocab.tokens)
                if data and text + data in self.prefixes
            )
            self._completable[text, tokens] = known
        return known

    def fillings(self, slots: Sequence[Any]) -> Iterator[Filling]:
        """Every accepted filling."""
        assert sum(slot.most if isinstance(slot, sg.Gap) else 1 for slot in slots) <= self.longest, slots

        def choices(slot: Any) -> Iterator[tuple[int, ...]]:
            every = range(self.vocab.size)
            if isinstance(slot, sg.Gap):
                for n in range(slot.least, slot.most + 1):
                    yield from itertools.product(every, repeat=n)
            elif isinstance(slot, sg.Hole):
                for token in every if slot.allowed is None else sorted(slot.allowed):
                    yield (token,)
            else:
                yield (int(slot),)

        def extend(done: Filling, text: bytes, ended: bool) -> Iterator[Filling]:
            if len(done) == len(slots):
                if ended or text in self.members:
                    yield done
                return
            for part in choices(slots[len(done)]):
                at: tuple[bytes, bool] | None = (text, ended)
                for token in part:
                    at = self.after(*at, token)
                    if at is None:
                        break
                else:
                    assert at is not None
                    yield from extend((*done, part), *at)

        yield from extend((), b"", False)


class Truth:
    """The answers about one canvas."""

    def __init__(self, world: World, slots: Sequence[Any]) -> None:
        """Try every filling."""
        self.world = world
        self.slots = tuple(slots)
        self.holes = [i for i, slot in enumerate(slots) if isinstance(slot, sg.Hole)]
        self.fillings = list(world.fillings(slots))

    @property
    def feasible(self) -> bool:
        """Whether there is one."""
        return bool(self.fillings)

    @property
    def masks(self) -> list[set[int]]:
        """For each hole the tokens of some filling."""
        return [{filling[i][0] for filling in self.fillings} for i in self.holes]

    @property
    def min_slots(self) -> int | None:
        """The least number of tokens, end-of-sequence and padding included; None where nothing fits."""
        return min((sum(map(len, filling)) for filling in self.fillings), default=None)

    def in_holes(self, filling: Filling) -> tuple[int, ...]:
        """A filling's tokens in the holes."""
        return tuple(filling[i][0] for i in self.holes)

    def accepts(self, tokens: Sequence[int]) -> bool:
        """Whether some filling is these tokens, one after the other."""
        return any(tuple(t for part in filling for t in part) == tuple(tokens) for filling in self.fillings)

    def values(self, log_probs: np.ndarray) -> list[float]:
        """For each filling the sum of the log probabilities of its tokens in holes."""
        rows = log_probs.tolist()
        return [sum(row[f[i][0]] for row, i in zip(rows, self.holes, strict=True)) for f in self.fillings]

    def best(self, log_probs: np.ndarray) -> float:
        """The greatest value of a filling; minus infinity where there is none."""
        return max(self.values(log_probs), default=-math.inf)

    def joint(self, log_probs: np.ndarray) -> dict[tuple[int, ...], float]:
        """The probability of each tuple of tokens in the holes, given that the canvas is accepted (canvases without gaps)."""
        assert not any(isinstance(slot, sg.Gap) and slot.most for slot in self.slots)
        values = self.values(log_probs)
        top = max(values)
        total = sum(math.exp(value - top) for value in values)
        return {
            self.in_holes(filling): math.exp(value - top) / total
            for filling, value in zip(self.fillings, values, strict=True)
            if value > -math.inf
        }

    def log_z(self, log_probs: np.ndarray) -> float:
        """The log of the total weight of the accepted fillings."""
        return float(np.logaddexp.reduce(self.values(log_probs)))

    def log_marginals(self, log_probs: np.ndarray) -> np.ndarray:
        """float64[holes, vocabulary]: the log probability of each token in each hole, given that the canvas is accepted."""
        found = np.zeros((len(self.holes), self.world.vocab.size))
        for tokens, probability in self.joint(log_probs).items():
            found[range(len(tokens)), tokens] += probability
        with np.errstate(divide="ignore"):
            return np.log(found)

    def compatible(self, proposals: Sequence[Proposal]) -> bool:
        """Whether some filling has all of these tokens in these slots."""
        return any(all(filling[slot] == (token,) for slot, token in proposals) for filling in self.fillings)

    def best_subset(self, weighted: Sequence[tuple[int, int, float]]) -> float:
        """The greatest total weight of proposals that some filling has together."""
        return max(
            (sum(w for slot, token, w in weighted if filling[slot] == (token,)) for filling in self.fillings),
            default=-math.inf,
        )


def tokens_of(row: np.ndarray) -> set[int]:
    """The token ids of a packed row."""
    return set(np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist())
