"""Passes of the model, shared by canvases that are decoded side by side.

A decoding is a generator: it yields the tracks that it wants logits of, all of one length, and goes on when it is sent them.  So a loop that waits for one canvas and one
that waits for many are the same loop, and what is read together does not change what comes out.
"""

from __future__ import annotations

from collections.abc import Generator
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .loop import Decoder, Track
    from .model import Denoiser, Scores


class Answer(NamedTuple):
    """Logits of some tracks.

    Attributes:
        scores: of a whole batch.
        first: the batch's row that is the first of these tracks.

    """

    scores: Scores
    first: int


Decoding: TypeAlias = "Generator[list[Track], Answer, Track]"
"""Yields tracks, is sent their logits, and returns the one that is full."""


def ask(model: Denoiser, requests: Sequence[tuple[Decoder, list[Track]]]) -> list[Answer]:
    """One pass of the model over tracks of equal length; its time is shared out by their number."""
    rows = [decoder.rows(tracks) for decoder, tracks in requests]
    began = perf_counter()
    scores = model(np.concatenate(rows))
    each = (perf_counter() - began) / sum(map(len, rows))
    answers: list[Answer] = []
    first = 0
    for (decoder, _), own in zip(requests, rows, strict=True):
        decoder.costs.n_forward += 1
        decoder.costs.n_canvases += len(own)
        decoder.costs.seconds["model"] += each * len(own)
        answers.append(Answer(scores, first))
        first += len(own)
    return answers


def side_by_side(model: Denoiser, decodings: Sequence[tuple[Decoder, Decoding]]) -> list[Track]:
    """Run decodings to their ends; those that want rows of equal length share a pass."""
    done: dict[int, Track] = {}
    wanted: dict[int, list[Track]] = {}

    def go_on(i: int, answer: Answer | None) -> None:
        decoding = decodings[i][1]
        try:
            wanted[i] = next(decoding) if answer is None else decoding.send(answer)
        except StopIteration as stop:
            done[i] = stop.value

    for i in range(len(decodings)):
        go_on(i, None)
    while wanted:
        of_length: dict[int, list[int]] = {}
        for i, tracks in wanted.items():
            of_length.setdefault(decodings[i][0].length(tracks), []).append(i)
        now = dict(wanted)
        wanted.clear()
        for group in of_length.values():
            for i, answer in zip(group, ask(model, [(decodings[i][0], now[i]) for i in group]), strict=True):
                go_on(i, answer)
    return [done[i] for i in range(len(decodings))]
