"""Autoregressive decoding: many rows, a constraint each, and output that is always complete.

A step of a row asks the constraint first.  A token that is certain (the mask has one bit) is appended
without asking the model; such tokens wait and go into the cache together with the next token that
the model has to judge.  End-of-sequence is not counted in the budget and is not part of the output.

The law of a token is that of the mask under the tokens that remain, so that the text is complete when
the budget ends.  Such a mask asks for the bound after every token, and while there is room to spare
nearly every token fits.  So the token is drawn from the plain mask first, and only if it overruns, once
more from the mask under the budget.  That is the same law: for a set B of tokens that fit,
P(x) + P(not B) P(x) / P(B) = P(x) / P(B).  Truncation depends on what else is allowed, so a law that cuts
its tail always takes the mask under the budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count, islice
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

import numpy as np

from ..grammar.errors import InvalidSource, NoOutput
from ..grammar.source import Source
from .contract import Constraint
from .generation import (
    DEFAULT_MAX_NEW_TOKENS,
    FinishReason,
    Generation,
    checked_budget,
    checked_seed,
    next_constraint,
    room,
)
from .law import Law, Logits, only_bit
from .model import (
    CachedRows,
    Chat,
    Model,
    Prompt,
    Tokenizer,
    check_width,
    context_limit,
    model_and_tokenizer,
    prompt_ids,
)
from .posterior import Method
from .text import TextStream
from .weigh import weigh_many

if TYPE_CHECKING:
    from ..automata.constraint import Constraint as AnyConstraint
    from .contract import Mask, Session


class GenerateOptions(TypedDict, total=False):
    """The keyword arguments of ``generate``.

    Attributes:
        max_new_tokens: never exceeded, end-of-sequence not counted (default 1024); the model's context
            may allow less.
        temperature: 0 (the default) is greedy; see ``Law`` for this and the next three.
        top_k: as in ``Law``.
        top_p: as in ``Law``.
        min_p: as in ``Law``.
        seed: of the draws (default 0); a prompt's draws depend on it and on the prompt's place alone.
        tokenizer: for prompts that are text; by default the one that the constraint's vocabulary came from.
        batch_size: prompts decoded together (default 8).
        method: grow several outputs of a prompt and weigh them, such as ``SMC()``; the generation is a draw from its
            ``posterior``.  The temperature is then 1 by default, greedy is refused, and so is truncation, for
            it leaves no weights.  Prompts are done one by one, without ``batch_size``.

    """

    max_new_tokens: int
    temperature: float
    top_k: int | None
    top_p: float | None
    min_p: float | None
    seed: int
    tokenizer: Tokenizer
    batch_size: int
    method: Method | None


TIGHT_SLACK = 8
"""With fewer tokens than this to spare, masks are taken under the budget.  Its value changes no output's law."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to decode; the fields are those of ``generate``."""

    max_new_tokens: int
    temperature: float
    top_k: int | None
    top_p: float | None
    min_p: float | None
    seed: int


@dataclass(slots=True)
class _Row:
    """One output while it grows."""

    prompt_tokens: int
    states: Session
    state: int
    law: Law
    rng: np.random.Generator
    eos_ids: frozenset[int]
    remaining: int
    under_budget: bool
    mask: Mask
    ends: Mask  # the bits of eos_ids
    pending: list[int]  # tokens that the cache has not seen
    tokens: list[int] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    n_forward: int = 0
    n_forced: int = 0
    model_seconds: float = 0.0
    constraint_seconds: float = 0.0
    sampling_seconds: float = 0.0

    def settle(self) -> None:
        """Append every token that is certain; stop at the end, or with the mask of a token that is not."""
        if self.finish_reason is not None:
            return
        began = perf_counter()
        states = self.states
        while True:
            self.under_budget = self.law.cuts_tail or not states.fits(self.state, self.remaining - TIGHT_SLACK)
            budget = self.remaining if self.under_budget else None
            self.mask = states.mask(self.state, out=self.mask, budget=budget)  # tells what is certain or ended as well
            token = only_bit(self.mask)
            if not self.mask.any():
                raise NoOutput(
                    "the text has come into a dead end: no token passes the residual",
                    hint="use a method that weighs whole outputs, such as SMC(check=...)",
                )
            if token in self.eos_ids or (token is None and not (self.mask & ~self.ends).any()):
                self.finish_reason = "final" if states.is_final(self.state) else "budget"
                break
            if token is None:
                break
            self._append(token)
            self.n_forced += 1
        self.constraint_seconds += perf_counter() - began

    def choose(self, logits: Logits) -> None:
        """Draw the next token from the model's row and the mask that ``settle`` left."""
        began = perf_counter()
        token = self.law.choose(logits, self.state, self.rng, mask=self.mask)
        drawn = perf_counter()
        if not self.under_budget and self._overruns(token):
            self.mask = self.states.mask(self.state, out=self.mask, budget=self.remaining)
            token = self.law.choose(logits, self.state, self.rng, mask=self.mask)
        if token in self.eos_ids:
            self.finish_reason = "eos"
        else:
            self._append(token)
        self.sampling_seconds += drawn - began
        self.constraint_seconds += perf_counter() - drawn

    def _overruns(self, token: int) -> bool:
        """Whether the text could not be completed any more after a token."""
        if token in self.eos_ids:
            return False
        return not self.states.fits(self.states.advance(self.state, token), self.remaining - 1)

    def _append(self, token: int) -> None:
        self.state = self.states.advance(self.state, token)
        if self.state == 0:
            raise AssertionError(f"the mask allowed token {token}, and advance did not")
        self.tokens.append(token)
        self.pending.append(token)
        self.remaining -= 1


def _bits(ids: Iterable[int], size: int) -> Mask:
    row = np.zeros((size + 31) // 32, np.uint32)
    for i in ids:
        row[i >> 5] |= np.uint32(1 << (i & 31))
    return row


def _open_row(
    stack: ExitStack, prompt: list[int], constraint: Constraint, options: Options, stream: int, limit: int | None
) -> _Row:
    states = stack.enter_context(constraint.session())
    budget = room(states, len(prompt), options.max_new_tokens, limit)
    return _Row(
        prompt_tokens=len(prompt),
        states=states,
        state=states.start,
        law=Law(
            states,
            temperature=options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
            min_p=options.min_p,
        ),
        # A row's stream depends on the seed and its number alone, so that no draw depends on the batch size.
        rng=np.random.default_rng([options.seed, stream]),
        eos_ids=frozenset(constraint.vocab.eos_ids),
        under_budget=True,
        remaining=budget,
        mask=np.zeros((constraint.vocab.size + 31) // 32, np.uint32),
        ends=_bits(constraint.vocab.eos_ids, constraint.vocab.size),
        pending=list(prompt),
    )


def _decode(model: Model, rows: Sequence[_Row]) -> Iterator[None]:
    """Run rows to their ends together; yields after each round of tokens."""
    for row in rows:
        row.settle()
    yield
    active = [row for row in rows if row.finish_reason is None]
    if not active:
        return
    cache = CachedRows(model, len(active))
    if len(active) > 1 and not cache.holes_allowed:
        for row in active:
            yield from _decode(model, [row])
        return
    while active:
        began = perf_counter()
        logits = cache.forward([row.pending for row in active])
        share = (perf_counter() - began) / len(active)
        for row, scores in zip(active, logits, strict=True):
            row.n_forward += 1
            row.model_seconds += share
            row.pending = []
            row.choose(scores)
            row.settle()
        yield
        going = [i for i, row in enumerate(active) if row.finish_reason is None]
        if going and len(going) < len(active):
            cache.keep(going)
        active = [active[i] for i in going]


def _finish(row: _Row, constraint: Constraint) -> Generation:
    data = b"".join(constraint.vocab.tokens[t] or b"" for t in row.tokens)
    if row.finish_reason is None:
        raise AssertionError("the row has not ended")
    return Generation(
        text=data.decode("utf-8", errors="replace"),
        data=data,
        tokens=row.tokens,
        finish_reason=row.finish_reason,
        prompt_tokens=row.prompt_tokens,
        n_forward=row.n_forward,
        n_forced=row.n_forced,
        model_seconds=row.model_seconds,
        constraint_seconds=row.constraint_seconds,
        sampling_seconds=row.sampling_seconds,
    )


def generate_many(  # noqa: PLR0913 - the options by name
    model: Model,
    prompts: Iterable[Prompt],
    constraint: Constraint | Iterable[Constraint],
    *,
    max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    seed: int = 0,
    tokenizer: Tokenizer = None,
    batch_size: int = 8,
    streams: Iterable[int] | None = None,
) -> Iterator[Generation]:
    """Complete prompts in order, ``batch_size`` at a time; prompts are read only as they are needed.

    The arguments and errors are those of ``generate``, and ``streams``: the number of each prompt's
    stream of random draws, by default its place, so that a run that goes on where another stopped
    draws what that one would have drawn.

    Yields:
        One generation a prompt, in the order of the prompts.

    """
    model, tokenizer = model_and_tokenizer(model, tokenizer)
    if batch_size < 1:
        raise InvalidSource(f"batch_size {batch_size} decodes nothing", where="batch_size")
    options = Options(checked_budget(max_new_tokens), temperature, top_k, top_p, min_p, checked_seed(seed))
    limit = context_limit(model)
    source = iter(prompts)
    constraints = iter(constraint) if isinstance(constraint, Iterable) else None
    checked: set[int] = set()
    numbers = count() if streams is None else iter(streams)
    while chunk := list(islice(source, batch_size)):
        own = [next_constraint(constraint, constraints) for _ in chunk]
        for each in own:
            if id(each.vocab) not in checked:
                check_width(model, each.vocab)
                checked.add(id(each.vocab))
        with ExitStack() as stack:
            rows = []
            for prompt, each in zip(chunk, own, strict=True):
                ids = prompt_ids(prompt, tokenizer or getattr(each.vocab, "tokenizer", None))
                rows.append(_open_row(stack, ids, each, options, next(numbers), limit))
            for _ in _decode(model, rows):
                pass
            done = [_finish(row, each) for row, each in zip(rows, own, strict=True)]
        yield from done


def _is_one(prompts: Prompt | Sequence[Prompt]) -> bool:
    return isinstance(prompts, str) or (bool(len(prompts)) and isinstance(prompts[0], (int, np.integer, Mapping)))


@overload
def generate(model: Model, prompts: str, constraint: Constraint, **options: Unpack[GenerateOptions]) -> Generation: ...
@overload
def generate(
    model: Model,
    prompts: Sequence[str],
    constraint: Constraint | Sequence[Constraint],
    **options: Unpack[GenerateOptions],
) -> list[Generation]: ...
@overload
def generate(
    model: Model,
    prompts: Sequence[int] | Chat | Sequence[Sequence[int]] | Sequence[Chat],
    constraint: Constraint | Sequence[Constraint],
    **options: Unpack[GenerateOptions],
) -> Any: ...  # noqa: ANN401 - a generation or a list of them, which the type of the prompts does not tell
def generate(
    model: Model,
    prompts: Prompt | Sequence[Prompt],
    constraint: Constraint | Sequence[Constraint],
    **options: Unpack[GenerateOptions],
) -> Generation | list[Generation]:
    """Complete prompts with outputs that the constraint accepts, each within ``max_new_tokens``.

    Args:
        model: a causal model of transformers with a key-value cache, or a ``LanguageModel``.
        prompts: a text, a chat (a list of messages), token ids, or a list of such.
        constraint: one for all prompts, or one a prompt.
        options: see ``GenerateOptions``.

    Returns:
        A generation for a single prompt, a list of them for a list.

    Raises:
        BudgetTooSmall: before anything is generated, with a number of tokens that is enough.
        LimitExceeded: the prompt leaves too little of the model's context.
        InvalidSource: an option or a prompt is wrong, or the vocabulary is not the model's.
        NoOutput: a method has found none that passes its check, or a residual (``Checked``) has led plain decoding into a dead end.

    """
    if not hasattr(prompts, "__len__") or isinstance(prompts, (bytes, bytearray)):
        raise InvalidSource(
            f"{type(prompts).__name__} is no prompt",
            where="prompts",
            hint="pass a text, a chat, token ids, or a list of such",
        )
    if isinstance(constraint, (str, Mapping, Source)):
        raise InvalidSource(
            f"{type(constraint).__name__} is no constraint",
            where="constraint",
            hint="compile it: sg.compile(source, vocab)",
        )
    one = _is_one(prompts)
    rest: Any = dict(options)
    method: Method | None = rest.pop("method", None)
    if not one and isinstance(constraint, Sequence) and len(constraint) != len(prompts):
        raise InvalidSource(f"{len(constraint)} constraints for {len(prompts)} prompts", where="constraint")
    every: Any = [prompts] if one else prompts
    if method is None:
        done = list(generate_many(model, every, constraint, **rest))
    else:
        done = list(weigh_many(method, model, every, constraint, **rest))
    return done[0] if one else done


def stream(  # noqa: PLR0913 - the options by name
    model: Model,
    prompt: Prompt,
    constraint: Constraint,
    *,
    max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    seed: int = 0,
    tokenizer: Tokenizer = None,
) -> Iterator[str]:
    """Complete one prompt and yield the text as it comes, whole characters at a time.

    The pieces joined are the ``text`` of ``generate`` with the same arguments.  Errors are those of
    ``generate`` and are raised before the first piece.
    """
    model, tokenizer = model_and_tokenizer(model, tokenizer)
    options = Options(checked_budget(max_new_tokens), temperature, top_k, top_p, min_p, checked_seed(seed))
    check_width(model, constraint.vocab)
    ids = prompt_ids(prompt, tokenizer or getattr(constraint.vocab, "tokenizer", None))
    with ExitStack() as stack:
        row = _open_row(stack, ids, constraint, options, 0, context_limit(model))
        text = TextStream(constraint.vocab)
        for _ in _decode(model, [row]):
            if piece := text.push(row.tokens[text.n_tokens :]):
                yield piece
        if piece := text.close():
            yield piece


def warm_up(constraint: AnyConstraint, tokens: Sequence[int]) -> None:
    """Run every kernel that decoding uses along some tokens, so that compiling them is no part of what follows.

    Kernels are compiled at the first call on a machine and come from a cache on disk afterwards.
    """
    with constraint.session() as session:
        state = session.start
        session.forced_bytes(state)
        for token in tokens:
            session.mask(state)
            for budget in range(session.finish_bound(state), session.finish_bound(state) + 3):
                session.mask(state, budget=budget)
            following = session.advance(state, token)
            if not following:
                session.explain(state, token)
                return
            state = following
        session.explain(state, 0)
        session.is_final(state)
        constraint.vocab.store.masks([state])
