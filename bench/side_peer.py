"""genlm-control (Apache 2.0) on the tasks of ``side_by_side.py``: its samplers and its grammars as they are, our logits and checks behind its ``Potential``."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import numpy as np
import torch
from genlm.control import AWRS, EOS, BoolCFG, JsonSchema, Potential
from genlm.control.potential.autobatch import autobatched
from side_tasks import Task

import syntagma as sg
from syntagma.engine.posterior import Posterior


class Model(Potential):
    """The rows of a table, in the layout that the library wants, laid out once."""

    def __init__(self, table: Any, vocab: sg.Vocabulary) -> None:  # noqa: ANN401 - a table with a clock
        self._table = table
        self._ids = [i for i, text in enumerate(vocab.tokens) if text and i not in vocab.eos_ids]
        self._ends = list(vocab.eos_ids)
        tokens = [vocab.tokens[i] for i in self._ids]
        self._id = dict(zip(tokens, self._ids, strict=True))
        self._rows: dict[tuple[int, ...], torch.Tensor] = {}
        super().__init__(tokens)

    def run(self, context: list[bytes]) -> tuple[int, ...]:
        """The ids of tokens."""
        return tuple(self._id[token] for token in context)

    def _row(self, context: list[bytes]) -> torch.Tensor:
        run = self.run(context)
        if run not in self._rows:
            logps = torch.log_softmax(torch.from_numpy(self._table([run])[0]), 0)
            self._rows[run] = torch.cat([logps[self._ids], torch.logsumexp(logps[self._ends], 0, keepdim=True)])
        return self._rows[run]

    async def prefix(self, context: list[bytes]) -> float:
        """The log probability of a text that goes on."""
        return float(sum(self._row(context[:i])[self.lookup[token]] for i, token in enumerate(context)))

    async def complete(self, context: list[bytes]) -> float:
        """The log probability of a text that ends."""
        return await self.prefix(context) + float(self._row(context)[-1])

    async def logw_next(self, context: list[bytes]) -> Any:  # noqa: ANN401 - the library's weights
        """The log probabilities of all next tokens."""
        return self.make_lazy_weights(self._row(context).clone())

    async def batch_logw_next(self, contexts: list[list[bytes]]) -> Any:  # noqa: ANN401 - as above
        """The same of many texts."""
        self._table([self.run(context) for context in contexts])
        return self.make_lazy_weights(torch.stack([self._row(context) for context in contexts]))

    async def logw_eos(self, context: list[bytes]) -> float:
        """That of the end."""
        return float(self._row(context)[-1])


class Condition(Potential):
    """A grammar and behind it a check, each asked only where the one before has passed; verdicts of prefixes are kept.

    Args:
        vocab: the tokens.
        grammar: one of the library's potentials over these tokens, or a session of ours, or none.
        check: a residual.

    """

    def __init__(self, model: Model, grammar: Any, check: Any) -> None:  # noqa: ANN401 - see above
        self._model, self._grammar, self._check = model, grammar, check
        self._ours = grammar is not None and not isinstance(grammar, Potential)
        self._states: dict[tuple[bytes, ...], tuple[int, Any] | None] = {}
        self.n_grammar = 0
        own = grammar.vocab if isinstance(grammar, Potential) else model.vocab
        super().__init__(list(own))

    async def _state(self, context: tuple[bytes, ...]) -> tuple[int, Any] | None:
        if not context:
            return (self._grammar.start if self._ours else 1, self._check.start)
        if context not in self._states:
            self._states[context] = await self._advanced(context)
        return self._states[context]

    async def _advanced(self, context: tuple[bytes, ...]) -> tuple[int, Any] | None:
        before = await self._state(context[:-1])
        if before is None:
            return None
        state = before[0]
        if self._grammar is not None:
            self.n_grammar += 1
            if self._ours:
                state = self._grammar.advance(state, self._model.run([context[-1]])[0])
            else:
                state = int(await self._grammar.prefix(list(context)) == 0)
        after = self._check.advance(before[1], context[-1]) if state else None
        return None if after is None else (state, after)

    async def prefix(self, context: list[bytes]) -> float:
        """0 if the text may go on."""
        return 0.0 if await self._state(tuple(context)) else -math.inf

    async def complete(self, context: list[bytes]) -> float:
        """0 if it may end."""
        state = await self._state(tuple(context))
        if state is None:
            return -math.inf
        if self._grammar is not None:
            self.n_grammar += 1
            ends = self._grammar.is_accepting(state[0]) if self._ours else await self._grammar.complete(context) == 0
            if not ends:
                return -math.inf
        return 0.0 if self._check.may_end(state[1]) else -math.inf

    async def logw_eos(self, context: list[bytes]) -> float:
        """The same; by default the library would weigh the whole vocabulary."""
        return await self.complete(context)


class Counted(AWRS):
    """The sampler, which counts its draws."""

    n_draws = 0

    async def sample(self, context: list[bytes], draw: Any = None, verbosity: int = 0) -> Any:  # noqa: ANN401 - as above
        """Draw one token."""
        self.n_draws += 1
        return await super().sample(context, draw, verbosity)


def own_grammar(task: Task, model: Model) -> Potential | None:
    """What the library has for a task."""
    if task.schema is not None:
        return JsonSchema(task.schema).coerce(model, f=b"".join)
    return None if task.lark is None else BoolCFG.from_lark(task.lark).coerce(model, f=b"".join)


class Peer:
    """Runs of the library on one task.

    Args:
        task: what is asked for.
        table: the model.
        vocab: its tokens.
        check: the task's check, counted.
        session: a session of our constraint, if it is to be the grammar.
        particles: of the method.
        max_accepts: of the sampler.

    """

    def __init__(
        self,
        task: Task,
        table: Any,  # noqa: ANN401 - see above
        vocab: sg.Vocabulary,
        check: Any,  # noqa: ANN401 - see above
        session: Any,  # noqa: ANN401 - see above
        particles: int,
        max_accepts: int,
    ) -> None:
        torch.set_num_threads(1)
        self._particles, self._max_tokens = particles, task.max_tokens
        self._model = Model(table, vocab)
        self._grammar = own_grammar(task, self._model) if session is None else session
        self._check, self._accepts = check, max_accepts
        self._loop = asyncio.new_event_loop()

    def run(self, seed: int) -> tuple[Posterior, int, int]:
        """The posterior of one run, the tokens drawn, and the checks of the grammar."""
        condition = Condition(self._model, self._grammar, self._check)
        sampler = Counted(autobatched(self._model), condition, seed=seed, max_accepts=self._accepts, autobatch=False)
        np.random.seed(seed)  # noqa: NPY002 - its resampling draws from there
        options = {"n_particles": self._particles, "ess_threshold": 0.5, "max_tokens": self._max_tokens + 1}
        found = self._loop.run_until_complete(sampler.smc(**options, resampling_method="systematic"))
        pairs = [
            (self._model.run(context[:-1]), weight)
            for context, weight in zip(found.contexts, found.log_weights, strict=True)
            if context and context[-1] is EOS
        ]
        total = float(np.logaddexp.reduce(np.array([w for _, w in pairs]))) if pairs else -math.inf
        evidence = total - math.log(self._particles)
        return Posterior.of(pairs, log_evidence=evidence), sampler.n_draws, condition.n_grammar
