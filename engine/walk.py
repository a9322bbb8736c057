"""One step of a text that grows under a constraint and a budget, for methods that need the law itself and not only a draw."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .contract import DEAD, States, Vocab
from .law import Law
from .prefixes import Row
from .residuals.checked import CheckedStates
from .urn import Urn

SLACK = 8
"""With fewer tokens than this to spare, masks are taken under the budget; else a token that overruns is dead when it is drawn."""


def budget_at(states: States, state: int, remaining: int) -> int | None:
    """The budget of a state's mask, where it is tight."""
    return None if states.fits(state, remaining - SLACK) else remaining


def law_at(law: Law, row: Row, state: int, remaining: int) -> tuple[Urn, float] | None:
    """The constraint's law after a state and the log of its valid mass, residuals left out; ``None`` in a dead end."""
    states = law.constraint
    budget = budget_at(states, state, remaining)
    if isinstance(states, CheckedStates):
        mask = states.grammar_mask(state, budget=budget)
        return law.urn(row, state, mask=mask) if mask.any() else None
    return law.urn(row, state, budget=budget)


def follow(states: States, vocab: Vocab, state: int, token: int, remaining: int) -> int:
    """The state after a token; 0 if it is not allowed or the budget does not suffice any more."""
    after = states.advance(state, token)
    if not after or token in vocab.eos_ids:
        return after
    return after if remaining > 0 and states.fits(after, remaining - 1) else DEAD


def index_of(urn: Urn, token: int) -> int:
    """The index of a token that is in an urn."""
    return token if urn.ids is None else int(np.searchsorted(urn.ids, token))


HEAD = 64
"""Tokens that are sorted before all others are, if more are wanted."""


def best_first(urn: Urn) -> Iterator[int]:
    """Indices of positive weight, heaviest first, lower ones first among equals; few are cheap."""
    weights = urn.weights
    if len(weights) > HEAD:
        edge = np.partition(weights, len(weights) - HEAD)[len(weights) - HEAD]
        head = np.flatnonzero(weights > edge)
        yield from head[np.argsort(-weights[head], kind="stable")].tolist()
        rest = np.flatnonzero((weights <= edge) & (weights > 0))
    else:
        rest = np.flatnonzero(weights > 0)
    yield from rest[np.argsort(-weights[rest], kind="stable")].tolist()


def _join_ends(urn: Urn, vocab: Vocab) -> None:
    """Make one of several end-of-sequence tokens stand for all: which of them ends a text is no difference between texts."""
    ends = np.array(sorted(vocab.eos_ids))
    at = ends[ends < len(urn.weights)] if urn.ids is None else np.flatnonzero(np.isin(urn.ids, ends))
    if len(at) > 1:
        first, mass = at[int(np.argmax(urn.weights[at]))], float(urn.weights[at].sum())
        urn.remove_all(at)
        urn.restore(int(first), mass)


class Candidate(NamedTuple):
    """A token that may come.

    Attributes:
        token: its id.
        log_p: log of the model's probability, not renormalised; of an end-of-sequence token, that of all of them.
        state: after it.

    """

    token: int
    log_p: float
    state: int


class Situation:
    """A prefix whose next token is to be found."""

    def __init__(self, law: Law, vocab: Vocab, row: Row, state: int, remaining: int) -> None:
        self._states, self._vocab, self._state, self._remaining = law.constraint, vocab, state, remaining
        found = law_at(law, row, state, remaining)
        self._urn: Urn | None = None if found is None else found[0]
        self._log_valid = -math.inf if found is None else found[1]
        if self._urn is not None:
            _join_ends(self._urn, vocab)

    @property
    def n_allowed(self) -> int:
        """Tokens of positive probability; 1 where nothing is to be decided."""
        return 0 if self._urn is None else int(np.count_nonzero(self._urn.weights))

    def entropy(self) -> float:
        """Of the masked law, in nats."""
        if self._urn is None:
            return 0.0
        shares = self._urn.weights[self._urn.weights > 0].astype(np.float64) / self._urn.total
        return float(-(shares * np.log(shares)).sum())

    def log_p(self, index: int) -> float:
        """Log of the model's probability of the token at an index of the urn."""
        if self._urn is None:
            raise AssertionError("there is no token")
        return self._log_valid + math.log(float(self._urn.weights[index]) / self._urn.total)

    def candidates(self) -> Iterator[Candidate]:
        """All tokens that may come, most likely first."""
        if self._urn is None:
            return
        for index in best_first(self._urn):
            token = self._urn.token(index)
            state = follow(self._states, self._vocab, self._state, token, self._remaining)
            if state:
                yield Candidate(token, self.log_p(index), state)
