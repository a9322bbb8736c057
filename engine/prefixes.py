"""A model as a function of token runs: what every decoder of many hypotheses asks for, and nothing more."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .model import CachedRows, Model

Run: TypeAlias = tuple[int, ...]
"""Tokens after the prompt."""

Row: TypeAlias = npt.NDArray[np.floating[Any]]

LogitsAfter: TypeAlias = Callable[[Sequence[Run]], Sequence[Row]]
"""From token runs to the logits after each; equal runs may be given twice."""


class PrefixRows:
    """The logits of a transformers model after a prompt and token runs.

    Equal runs are computed once.  The key-value cache holds the rows of the last call: runs that go on from those cost their new tokens
    alone, whichever of them they go on from and how many of them do (particles after resampling, the beams of a search).  Others are
    computed from the prompt on.

    Attributes:
        n_calls: calls of the model.
        n_rows: rows in these calls, each a run.

    """

    REMEMBERED = 64
    """Rows of logits that are kept for runs that are asked for again; 32 MB at 128,000 tokens in float32."""

    def __init__(self, model: Model, prompt: Sequence[int]) -> None:
        self._model = model
        self._prompt = list(prompt)
        self._cache: CachedRows | None = None
        self._held: dict[Run, int] = {}
        self._known: OrderedDict[Run, Row] = OrderedDict()
        self.n_calls = 0
        self.n_rows = 0

    def __call__(self, runs: Sequence[Run]) -> list[Row]:
        """Logits after each run, float[V] each."""
        wanted = list(dict.fromkeys(runs))
        found = {run: self._known[run] for run in wanted if run in self._known}
        missing = [run for run in wanted if run not in found]
        if missing:
            found |= dict(zip(missing, self._computed(missing), strict=True))
        for run in wanted:
            self._known[run] = found[run]
            self._known.move_to_end(run)
        while len(self._known) > max(self.REMEMBERED, len(wanted)):
            self._known.popitem(last=False)
        return [found[run] for run in runs]

    def _computed(self, runs: list[Run]) -> list[Row]:
        parents = [self._parent(run) for run in runs]
        if self._cache is None or any(parent is None for parent in parents):
            self._cache = CachedRows(self._model, len(runs))
            chunks: list[list[int]] = [[*self._prompt, *run] for run in runs]
        else:
            self._cache.keep([self._held[parent] for parent in parents if parent is not None])
            chunks = [list(run[len(parent or ()) :]) for run, parent in zip(runs, parents, strict=True)]
        if len({len(chunk) for chunk in chunks}) > 1 and not self._cache.holes_allowed:
            return self._one_by_one(runs)
        self._held = {run: i for i, run in enumerate(runs)}
        self.n_calls += 1
        self.n_rows += len(runs)
        return list(self._cache.forward(chunks))

    def _one_by_one(self, runs: list[Run]) -> list[Row]:
        """Each run from the prompt on, for models whose cache cannot hold rows of different lengths."""
        self._held, rows = {}, []
        for run in runs:
            self._cache = CachedRows(self._model, 1)
            rows.append(self._cache.forward([[*self._prompt, *run]])[0])
            self._held = {run: 0}
        self.n_calls += len(runs)
        self.n_rows += len(runs)
        return rows

    def _parent(self, run: Run) -> Run | None:
        """The longest run in the cache that this one goes on from."""
        for length in range(len(run) - 1, -1, -1):
            if run[:length] in self._held:
                return run[:length]
        return None
