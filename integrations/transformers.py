"""A logits processor for ``model.generate`` of transformers: greedy, sampling, beams, batches.

    processor = SyntagmaLogitsProcessor(constraint, prompt_length=inputs.input_ids.shape[1], max_new_tokens=200)
    model.generate(**inputs, logits_processor=[processor], max_new_tokens=200)

``generate`` of this package does the same without a call of the model for certain tokens; this
class is for what only transformers' own loop has, such as beam search.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
import torch
from transformers import LogitsProcessor

from ..engine.contract import DEAD
from ..grammar.errors import BudgetTooSmall, InvalidSource

if TYPE_CHECKING:
    from types import TracebackType

    from ..engine.contract import Constraint, Session

    Tokens: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]


class SyntagmaLogitsProcessor(LogitsProcessor):  # type: ignore[misc]  # untyped base class
    """Rules out every token that the constraint does not allow.

    A row's state is a function of its generated tokens, and states are integers: rows that are
    reordered, copied or dropped by a beam search need no bookkeeping.  The states of the last call
    are kept by the bytes of their tokens, so a row costs one step a call.  Where a search asks for
    more rows than the language has texts, the surplus rows get no finite score.

    One processor serves one call of ``model.generate`` at a time, and any number one after another.
    States live until ``close`` (or the end of a ``with`` block), which forgets them.
    """

    def __init__(
        self,
        constraint: Constraint | Sequence[Constraint],
        *,
        prompt_length: int,
        max_new_tokens: int | None = None,
    ) -> None:
        """Prepare for prompts of ``prompt_length`` tokens, padding included.

        Args:
            constraint: one for all prompts, or one a prompt.
            prompt_length: the width of ``input_ids`` that ``model.generate`` gets (1 for an encoder-decoder model).
            max_new_tokens: the number given to ``model.generate``; with it every output is complete
                when the tokens are spent, without it only if the model ends it in time.

        Raises:
            BudgetTooSmall: no complete output fits ``max_new_tokens``.
            InvalidSource: no constraint, one that accepts nothing, or a negative length.

        """
        super().__init__()
        self._constraints = list(constraint) if isinstance(constraint, Sequence) else [constraint]
        if not self._constraints:
            raise InvalidSource("there is no constraint", where="constraint")
        if prompt_length < 0:
            raise InvalidSource(f"prompt_length {prompt_length} is negative", where="prompt_length")
        for each in self._constraints:
            if not each.start:
                raise InvalidSource("the constraint accepts nothing at all", where="constraint")
            if max_new_tokens is not None and not each.fits(each.start, max_new_tokens):
                raise BudgetTooSmall(budget=max_new_tokens, needed=each.finish_bound(each.start))
        self._prompt_length = prompt_length
        self._max_new_tokens = max_new_tokens
        self._scopes = ExitStack()
        self._sessions: list[Session] = []
        self._known: dict[tuple[int, bytes], int] = {}

    def __enter__(self) -> Self:
        """Use as a scope for the states."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget the states."""
        self.close()

    def close(self) -> None:
        """Forget all states; the processor can be used again afterwards."""
        self._known = {}
        self._sessions = []
        self._scopes.close()

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Set the score of every token that is not allowed to minus infinity.

        Args:
            input_ids: int64[rows, prompt and generated tokens].
            scores: float[rows, V], logits or log probabilities.

        Raises:
            InvalidSource: the input is shorter than ``prompt_length``, or rows do not divide among the constraints.

        """
        if not self._sessions:
            self._sessions = [self._scopes.enter_context(each.session()) for each in self._constraints]
        generated = np.ascontiguousarray(input_ids.detach().cpu().numpy().astype(np.int64)[:, self._prompt_length :])
        n_rows, width = scores.shape
        if input_ids.shape[1] < self._prompt_length or n_rows % len(self._sessions):
            raise InvalidSource(
                f"input of shape {tuple(input_ids.shape)} does not fit {len(self._sessions)} constraints "
                f"after prompts of {self._prompt_length} tokens",
                where="prompt_length",
                hint="pass prompt_length=input_ids.shape[1] of what model.generate gets, and a constraint a prompt",
            )
        remaining = None if self._max_new_tokens is None else max(0, self._max_new_tokens - generated.shape[1])
        allowed = np.zeros((n_rows, width), np.bool_)
        reached: dict[tuple[int, bytes], int] = {}
        for i, row in enumerate(generated):
            which = i * len(self._sessions) // n_rows
            tokens = self._until_end(which, row)
            state = self._state(which, tokens)
            reached[which, tokens.tobytes()] = state
            if state == DEAD:
                continue
            mask = self._sessions[which].mask(state, budget=remaining)
            bits = np.unpackbits(mask.astype("<u4", copy=False).view(np.uint8), bitorder="little")[:width]
            allowed[i, : len(bits)] = bits
        self._known = reached
        return scores.masked_fill(torch.from_numpy(~allowed).to(scores.device), -torch.inf)

    def _until_end(self, which: int, tokens: Tokens) -> Tokens:
        """The tokens up to the first end-of-sequence: behind it, transformers fills rows up with what it likes."""
        ends = np.flatnonzero(np.isin(tokens, self._constraints[which].vocab.eos_ids))
        return tokens[: ends[0] + 1] if len(ends) else tokens

    def _state(self, which: int, tokens: Tokens) -> int:
        session = self._sessions[which]
        if (here := self._known.get((which, tokens.tobytes()))) is not None:
            return here
        if len(tokens) and (before := self._known.get((which, tokens[:-1].tobytes()))) is not None:
            return session.advance(before, int(tokens[-1]))
        state = session.start
        for token in tokens:
            state = session.advance(state, int(token))
        return state
