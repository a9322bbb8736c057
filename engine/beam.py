"""Beam search under a constraint, with diverse groups.

A hypothesis is worth the model's own log probability, not that of the masked law: renormalising at every step would make up for a
prefix whose continuations the model finds unlikely.  With beams enough the result is the most probable valid text.

Groups: Vijayakumar et al. 2016, "Diverse Beam Search".  Groups take their turns within a step; a token that earlier groups
have chosen at this step is worth less.  Where only one token is allowed there is nothing to be diverse about, so such positions
cost nothing.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..grammar.errors import InvalidSource
from .law import Law
from .posterior import Posterior, check_whole
from .walk import Candidate, Situation

if TYPE_CHECKING:
    from .contract import States, Vocab
    from .prefixes import LogitsAfter, Run
    from .residuals.protocol import Residual


class _Beam(NamedTuple):
    tokens: Run
    state: int
    log_p: float
    score: float  # log_p less the penalties


@dataclass(frozen=True)
class Beam:
    """The texts with the highest score that a search of bounded width finds.

    Attributes:
        width: hypotheses in all.
        groups: groups that they are divided into.
        diversity: penalty of a token for each earlier group's hypothesis that has chosen it at this step.
        length_penalty: the final score is divided by the number of tokens (end-of-sequence included) to this power.
        check: a residual that outputs have to pass.

    """

    width: int = 4
    groups: int = 1
    diversity: float = 0.0
    length_penalty: float = 0.0
    check: Residual | None = None

    def __post_init__(self) -> None:
        """Check the options."""
        check_whole(width=self.width, groups=self.groups)
        if self.width < 1 or self.groups < 1 or self.width % self.groups:
            raise InvalidSource(f"{self.width} beams cannot be divided into {self.groups} groups", where="width")
        for where, penalty in (("diversity", self.diversity), ("length_penalty", self.length_penalty)):
            if not 0 <= penalty < math.inf:
                raise InvalidSource(f"{penalty} is no penalty: those are finite, and not negative", where=where)
        if self.diversity and self.groups == 1:
            raise InvalidSource("one group has none to differ from", where="diversity", hint="pass groups=2 or more")

    def run(
        self,
        logits_after: LogitsAfter,
        states: States,
        vocab: Vocab,
        rng: np.random.Generator,  # noqa: ARG002 - nothing is drawn
        *,
        max_tokens: int,
        temperature: float = 1.0,
    ) -> Posterior:
        """Search; see ``Method.run``."""
        law = Law(states, temperature=temperature)
        live: list[list[_Beam]] = [[_Beam((), states.start, 0.0, 0.0)] for _ in range(self.groups)]
        done: list[list[_Beam]] = [[] for _ in range(self.groups)]
        for remaining in range(max_tokens, -1, -1):
            runs = list(dict.fromkeys(beam.tokens for group in live for beam in group))
            if not runs:
                break
            rows = dict(zip(runs, logits_after(runs), strict=True))
            chosen: Counter[int] = Counter()
            for number, group in enumerate(live):
                found = [(beam, Situation(law, vocab, rows[beam.tokens], beam.state, remaining)) for beam in group]
                grown, ended = self._grown(found, chosen, vocab)
                done[number] = self._ranked([*done[number], *ended])[: self.width // self.groups]
                live[number] = [] if self._is_settled(done[number], grown, max_tokens) else grown
                chosen.update(beam.tokens[-1] for beam in grown)
        best = self._ranked([beam for group in done for beam in group])
        return Posterior.of_ranking(list({beam.tokens: beam.log_p for beam in best}.items()))

    def _grown(
        self, found: list[tuple[_Beam, Situation]], chosen: Counter[int], vocab: Vocab
    ) -> tuple[list[_Beam], list[_Beam]]:
        """The best continuations of a group, and those that end and are as good as the last of these."""
        grown: list[_Beam] = []
        ended: list[_Beam] = []
        streams = [self._continued(beam, situation, chosen) for beam, situation in found]
        for score, beam, candidate in heapq.merge(*streams, key=lambda item: -item[0]):
            log_p = beam.log_p + candidate.log_p
            if candidate.token in vocab.eos_ids:
                ended.append(_Beam(beam.tokens, candidate.state, log_p, score))
            else:
                grown.append(_Beam((*beam.tokens, candidate.token), candidate.state, log_p, score))
                if len(grown) == self.width // self.groups:
                    break
        return grown, ended

    def _continued(
        self, beam: _Beam, situation: Situation, chosen: Counter[int]
    ) -> Iterator[tuple[float, _Beam, Candidate]]:
        """Continuations of a hypothesis, best first after the penalty."""
        penalty = self.diversity if situation.n_allowed > 1 else 0.0
        waiting: list[tuple[float, int, Candidate]] = []  # penalised ones, until their turn comes
        for candidate in situation.candidates():
            score = beam.score + candidate.log_p
            while waiting and -waiting[0][0] >= score:
                late = heapq.heappop(waiting)
                yield -late[0], beam, late[2]
            if penalty and chosen[candidate.token]:
                score -= penalty * chosen[candidate.token]
                heapq.heappush(waiting, (-score, candidate.token, candidate))
            else:
                yield score, beam, candidate
        while waiting:
            late = heapq.heappop(waiting)
            yield -late[0], beam, late[2]

    def _final(self, beam: _Beam) -> float:
        return beam.score / math.pow(len(beam.tokens) + 1, self.length_penalty)

    def _ranked(self, beams: list[_Beam]) -> list[_Beam]:
        return sorted(beams, key=lambda beam: (-self._final(beam), beam.tokens))

    def _is_settled(self, done: list[_Beam], grown: list[_Beam], max_tokens: int) -> bool:
        """Whether nothing that goes on can come among the ended ones: scores only fall, and length divides them at most so far."""
        if len(done) < self.width // self.groups or not grown:
            return not grown
        return grown[0].score / math.pow(max_tokens + 1, self.length_penalty) <= self._final(done[-1])
