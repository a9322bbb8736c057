"""Generation by methods that weigh whole outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from ..grammar.errors import InvalidSource, NoOutput
from .generation import (
    DEFAULT_MAX_NEW_TOKENS,
    FinishReason,
    Generation,
    checked_budget,
    checked_seed,
    next_constraint,
    room,
)
from .model import Model, Prompt, Tokenizer, check_width, context_limit, model_and_tokenizer, prompt_ids
from .prefixes import PrefixRows
from .residuals.checked import CheckedStates

if TYPE_CHECKING:
    from .contract import Constraint, States
    from .posterior import Method
    from .prefixes import LogitsAfter, Row, Run


def weigh_many(  # noqa: PLR0913 - the options by name
    method: Method,
    model: Model,
    prompts: Iterable[Prompt],
    constraint: Constraint | Iterable[Constraint],
    *,
    max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    seed: int = 0,
    tokenizer: Tokenizer = None,
    batch_size: int | None = None,
) -> Iterator[Generation]:
    """Complete prompts one after the other; the arguments are those of ``generate``.

    Yields:
        One generation a prompt, drawn from the posterior that it holds, or the best of it if that is ranked.

    Raises:
        NoOutput: the method has found none.
        InvalidSource: the law is greedy or truncated, or a batch size is given; see ``generate`` for the rest.

    """
    if isinstance(method, type) or not callable(getattr(method, "run", None)) or not hasattr(method, "check"):
        raise InvalidSource(f"{method!r} is no method", where="method", hint="pass an object such as SMC()")
    if batch_size is not None:
        raise InvalidSource("a method's batch are its own hypotheses", where="batch_size", hint="leave it out")
    for name, value in (("top_k", top_k), ("top_p", top_p), ("min_p", min_p)):
        if value is not None:
            raise InvalidSource("a truncated law leaves no weights", where=name, hint="use temperature alone")
    if not 0 < temperature < np.inf:
        hint = "leave it out for 1" if temperature == 0 else None
        raise InvalidSource(f"at temperature {temperature} there are no weights", where="temperature", hint=hint)
    model, tokenizer = model_and_tokenizer(model, tokenizer)
    constraints = iter(constraint) if isinstance(constraint, Iterable) else None
    budget, number = checked_budget(max_new_tokens), checked_seed(seed)
    for place, prompt in enumerate(prompts):
        each = next_constraint(constraint, constraints)
        check_width(model, each.vocab)
        ids = prompt_ids(prompt, tokenizer or getattr(each.vocab, "tokenizer", None))
        rng = np.random.default_rng([number, place])
        yield _weigh(method, model, ids, each, rng, budget, temperature)


def _weigh(
    method: Method,
    model: Model,
    prompt: list[int],
    constraint: Constraint,
    rng: np.random.Generator,
    max_new_tokens: int,
    temperature: float,
) -> Generation:
    began = perf_counter()
    vocab = constraint.vocab
    rows = PrefixRows(model, prompt)
    timed = _Timed(rows)
    with constraint.session() as session:
        states: States = session if method.check is None else CheckedStates(session, method.check, vocab)
        budget = room(states, len(prompt), max_new_tokens, context_limit(model))
        posterior = method.run(timed, states, vocab, rng, max_tokens=budget, temperature=temperature)
        if not posterior.outputs:
            raise NoOutput(
                f"{type(method).__name__} has found no output that passes its check",
                hint="use more particles or samples, a longer budget, or say in the prompt what is wanted",
            )
        tokens = list((posterior.best if posterior.ranked else posterior.sample(rng)).tokens)
        reason = _why(states, tokens, budget)
    data = b"".join(vocab.tokens[t] or b"" for t in tokens)
    return Generation(
        text=data.decode("utf-8", errors="replace"),
        data=data,
        tokens=tokens,
        finish_reason=reason,
        prompt_tokens=len(prompt),
        n_forward=rows.n_calls,
        n_forced=0,
        model_seconds=timed.seconds,
        constraint_seconds=0.0,
        sampling_seconds=perf_counter() - began - timed.seconds,
        posterior=posterior,
    )


def _why(states: States, tokens: list[int], budget: int) -> FinishReason:
    state = states.start
    for token in tokens:
        state = states.advance(state, token)
    if states.is_final(state):
        return "final"
    return "budget" if len(tokens) == budget else "eos"


class _Timed:
    """The same function, with the time that it takes."""

    def __init__(self, function: LogitsAfter) -> None:
        self._function: Callable[..., Iterable[Row]] = function
        self.seconds = 0.0

    def __call__(self, runs: Iterable[Run]) -> list[Row]:
        began = perf_counter()
        try:
            return list(self._function(runs))
        finally:
            self.seconds += perf_counter() - began
