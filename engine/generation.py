"""One output, and what is checked before one is begun."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, SupportsIndex, TypeAlias

from ..grammar.errors import BudgetTooSmall, InvalidSource, LimitExceeded

if TYPE_CHECKING:
    from .contract import Constraint, States
    from .posterior import Posterior

FinishReason: TypeAlias = Literal["final", "eos", "budget"]
"""``final``: nothing could follow.  ``eos``: the model ended a text that could have gone on.
``budget``: no token was left for going on.  The text is complete in every case."""

DEFAULT_MAX_NEW_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class Generation:
    """One complete output.

    Attributes:
        text: the output; bytes that are not UTF-8 (a byte-level grammar may ask for such) are replaced.
        data: the output's exact bytes.
        tokens: its token ids, end-of-sequence not among them.
        finish_reason: why it ended here.
        prompt_tokens: length of the prompt in tokens.
        n_forward: calls of the model that this row took part in, the prompt's included.
        n_forced: tokens that were certain and cost no call of their own.
        model_seconds: this row's share of the time in the model; rows in a call share its time evenly.
        constraint_seconds: time in the constraint: masks, steps, forced tokens.
        sampling_seconds: time in the law: softmax, truncation, drawing.
        posterior: what the output was drawn from, where a method was asked for; times are then whole in ``sampling_seconds``
            but for the model's.

    """

    text: str
    data: bytes
    tokens: list[int]
    finish_reason: FinishReason
    prompt_tokens: int
    n_forward: int
    n_forced: int
    model_seconds: float
    constraint_seconds: float
    sampling_seconds: float
    posterior: Posterior | None = None


def next_constraint(constraint: Constraint | Iterable[Constraint], rest: Iterator[Constraint] | None) -> Constraint:
    """The constraint of the next prompt: the one of all, or the next of ``rest``."""
    if rest is None:
        return constraint  # type: ignore[return-value]  # not iterable, so the one constraint of all rows
    each = next(rest, None)
    if each is None:
        raise InvalidSource("there are fewer constraints than prompts", where="constraint")
    return each


def checked_budget(max_new_tokens: int) -> int:
    """A budget that is no negative number."""
    if not isinstance(max_new_tokens, SupportsIndex):
        raise InvalidSource(f"max_new_tokens {max_new_tokens!r} is no number of tokens", where="max_new_tokens")
    if max_new_tokens < 0:
        raise InvalidSource(f"max_new_tokens {max_new_tokens} is negative", where="max_new_tokens")
    return max_new_tokens


def checked_seed(seed: int) -> int:
    """A seed that is no negative number."""
    if not isinstance(seed, SupportsIndex):
        raise InvalidSource(f"seed {seed!r} is no whole number", where="seed")
    if seed < 0:
        raise InvalidSource(f"seed {seed} is negative", where="seed")
    return seed


def room(states: States, prompt_tokens: int, budget: int, limit: int | None) -> int:
    """The tokens that an output may have: the budget, or what the prompt leaves of the model's context.

    Raises:
        InvalidSource: the constraint accepts nothing.
        BudgetTooSmall: no complete output fits the budget.
        LimitExceeded: none fits the context.

    """
    if not states.start:
        raise InvalidSource("the constraint accepts nothing at all", where="constraint")
    if not states.fits(states.start, budget):
        raise BudgetTooSmall(budget=budget, needed=states.finish_bound(states.start))
    if limit is None:
        return budget
    if not states.fits(states.start, limit - prompt_tokens):
        raise LimitExceeded(
            f"a prompt of {prompt_tokens} tokens leaves too little of the model's context for a complete output",
            limit="max_position_embeddings",
            value=limit,
            hint=f"shorten the prompt to at most {limit - states.finish_bound(states.start)} tokens",
        )
    return min(budget, limit - prompt_tokens)
