"""One step of a text that grows under a constraint and a budget, for methods that need the law itself and not only a draw."""

from __future__ import annotations

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
