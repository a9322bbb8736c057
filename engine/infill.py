"""Infilling with an autoregressive model: a text with holes, filled left to right, so that the whole is a member of the language.

The constraint alone says what may follow on the left.  What stands on the right cuts its language down, and whether that can still be reached is a question about
the whole rest of the text (``automata.bridge``).  So a *witness* is held at every step: fills for all holes that are left, with which the text is
accepted, by the constraint and by a check where there is one.  A token that the witness begins with keeps it; for any other token the model has to offer a new witness is looked for, first by keeping the old one behind
the token, then by a search, and a token without one is not taken.  When the tokens of a hole run out, the witness is written down.  So the
result is always complete and always accepted, whatever the model says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Final

import numpy as np

from ..automata.bridge import Bridge, Judge
from ..grammar.errors import BudgetTooSmall, InvalidSource
from .law import Law
from .model import CachedRows, LanguageModel, Model, Tokenizer, check_width, context_limit, prompt_ids
from .witness import WholeTexts, spell

if TYPE_CHECKING:
    from ..automata.constraint import Constraint, Session
    from ..automata.vocabulary import Vocabulary
    from .residuals.protocol import Residual

HOLE_MARK: Final = "<HOLE>"
"""What stands for a hole in a text, unless another mark is named."""

MOST_SEARCHES: Final = 3
"""Searches for a witness at one step; after that the witness at hand goes on."""


MOST_TRIES: Final = 6
"""Proposals of such a search that the check may refuse."""


@dataclass(frozen=True, slots=True)
class Infilling:
    """A text whose holes are filled.

    Attributes:
        text: the whole text; a member of the language.
        fills: the text of each hole.
        tokens: the token ids of each hole.
        n_forward: calls of the model.
        n_searches: searches for a witness.
        n_rejected: tokens that were drawn and not taken, since nothing leads from them to the text on the right.
        n_checks: whole texts that the check judged.
        model_seconds: time in the model.
        constraint_seconds: time in masks, steps and searches.

    """

    text: str
    fills: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]
    n_forward: int
    n_searches: int
    n_rejected: int
    n_checks: int
    model_seconds: float
    constraint_seconds: float


def split_holes(text: str, mark: str = HOLE_MARK) -> list[str]:
    """The fixed texts around the holes of a text.

    Raises:
        InvalidSource: there is no hole.

    """
    parts = text.split(mark)
    if len(parts) < 2:
        raise InvalidSource(f"the text has no hole; a hole is written {mark}", where="text")
    return parts


def infill(  # noqa: PLR0913 - the options by name
    model: Model,
    texts: Sequence[str],
    constraint: Constraint,
    *,
    max_new_tokens: int | Sequence[int] = 48,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    seed: int = 0,
    tokenizer: Tokenizer = None,
    template: Callable[[str, str], str] | None = None,
    check: Residual | None = None,
) -> Infilling:
    """Fill the holes between fixed texts, from left to right.

    A hole ends when the model would write what stands behind it, or end-of-sequence, and the text is accepted with what it holds by then; or when its tokens run
    out.

    Args:
        model: a causal model of transformers, or a ``LanguageModel``.
        texts: the fixed texts, one more than there are holes; see ``split_holes``.
        constraint: what the whole text must be; of a grammar with a lexer (``sg.Lark``).
        max_new_tokens: the most tokens of a hole; of each, if it is a sequence.
        temperature: 0 is greedy; see ``Law`` for this and the next three.
        top_k: as in ``Law``.
        top_p: as in ``Law``.
        min_p: as in ``Law``.
        seed: of the draws.
        tokenizer: by default the model's, or the one that the vocabulary came from.
        template: makes the prompt of a hole from the text before it and the text behind it; by default the text before it is all.
        check: what the whole text has to pass besides, such as ``residuals.PythonParses()``.  It judges whole texts only; if it has a method ``complaint`` that names a
            place, other texts are looked for there first.

    Raises:
        InvalidSource: fewer than two texts, or as many budgets as there are not holes.
        Unsatisfiable: nothing was found that may stand in the holes, makes the text a member and passes the check.
        BudgetTooSmall: a hole needs more tokens.

    """
    if isinstance(model, LanguageModel):
        model, tokenizer = model.model, tokenizer or model.tokenizer
    tokenizer = tokenizer or constraint.vocab.tokenizer
    if len(texts) < 2:
        raise InvalidSource("there is no hole: give the text on both sides of each", where="texts")
    n_holes = len(texts) - 1
    budgets = [max_new_tokens] * n_holes if isinstance(max_new_tokens, int) else list(max_new_tokens)
    if len(budgets) != n_holes:
        raise InvalidSource(f"{len(budgets)} budgets for {n_holes} holes", where="max_new_tokens")
    check_width(model, constraint.vocab)
    law = Law(constraint, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    with constraint.session() as session:
        run = _Run(model, tokenizer, constraint, session, law, np.random.default_rng(seed), template, WholeTexts(check))
        return run.fill(list(texts), budgets)


@dataclass(slots=True)
class _Run:
    """One text on its way."""

    model: Model
    tokenizer: Tokenizer
    constraint: Constraint
    states: Session
    law: Law
    rng: np.random.Generator
    template: Callable[[str, str], str] | None
    whole: WholeTexts
    n_forward: int = 0
    n_searches: int = 0
    n_rejected: int = 0
    model_seconds: float = 0.0
    began: float = field(default_factory=perf_counter)

    def fill(self, texts: list[str], budgets: list[int]) -> Infilling:
        """Fill every hole."""
        data = [text.encode() for text in texts]
        state = self.states.advance_bytes(self.states.start, data[0])
        done = texts[0]
        fills: list[str] = []
        tokens: list[tuple[int, ...]] = []
        bridge = Bridge(self.constraint, data[1:])
        self.n_searches += 1
        witness = bridge.fills(state, self.whole.judge(bridge.texts, data[0]))
        if witness is None:
            raise self.whole.unsatisfiable(1, done)
        for hole, budget in enumerate(budgets):
            filling = _Hole(self, bridge, hole, state, witness, budget, done.encode())
            filling.run(self._prompt(done, "".join(texts[hole + 1 :])))
            written = b"".join(self.constraint.vocab.tokens[t] or b"" for t in filling.tokens)
            fills.append(written.decode("utf-8", errors="replace"))
            tokens.append(tuple(filling.tokens))
            done += fills[-1] + texts[hole + 1]
            state = self.states.advance_bytes(filling.state, data[hole + 1])
            witness = filling.witness[1:]
        if not self.states.is_accepting(state):
            raise AssertionError("a witness was held, and the text is not accepted")
        return Infilling(
            text=done,
            fills=tuple(fills),
            tokens=tuple(tokens),
            n_forward=self.n_forward,
            n_searches=self.n_searches,
            n_rejected=self.n_rejected,
            n_checks=self.whole.n_judged,
            model_seconds=self.model_seconds,
            constraint_seconds=perf_counter() - self.began - self.model_seconds,
        )

    def _prompt(self, before: str, behind: str) -> list[int]:
        """The prompt of a hole, its oldest tokens left out where the model's context is too short."""
        text = before if self.template is None else self.template(before, behind)
        ids = prompt_ids(text or "\n", self.tokenizer)
        limit = context_limit(self.model)
        return ids if limit is None else ids[-(limit - limit // 4) :]


class _Hole:
    """One hole while it is filled."""

    def __init__(
        self, run: _Run, bridge: Bridge, gap: int, state: int, witness: list[bytes], budget: int, before: bytes
    ) -> None:
        self.run_of = run
        self.gap = gap
        self.before = before
        self.bridge = bridge
        self.state = state
        self.witness = witness
        self.remaining = budget
        self.tokens: list[int] = []
        vocab = run.constraint.vocab
        needed = len(self._spelled(witness[0]))
        if needed > budget:
            raise BudgetTooSmall(budget=budget, needed=needed)
        self.vocab: Vocabulary = vocab
        self.within_comment = bridge.hides(state, gap)
        self.ends = np.zeros((vocab.size + 31) // 32, np.uint32)
        for token in vocab.eos_ids:
            self.ends[token >> 5] |= np.uint32(1 << (token & 31))

    def _spelled(self, text: bytes) -> list[int]:
        """A shortest sequence of tokens that spells a text."""
        return spell(self.run_of.constraint.vocab, text)

    def run(self, prompt: list[int]) -> None:
        """Ask the model until the hole ends."""
        run = self.run_of
        cache = CachedRows(run.model, 1)
        pending = prompt
        while self.remaining > 0:
            began = perf_counter()
            logits = cache.forward([pending])[0]
            run.model_seconds += perf_counter() - began
            run.n_forward += 1
            token = self._choose(logits)
            if token is None:
                break
            self._append(token)
            pending = [token]
        for token in self._spelled(self.witness[0]):
            self._append(token)
        self.witness = [b"", *self.witness[1:]]

    def _append(self, token: int) -> None:
        self.state = self.run_of.states.advance(self.state, token)
        self.tokens.append(token)
        self.remaining -= 1

    def _choose(self, logits: np.ndarray[tuple[int], np.dtype[np.floating]]) -> int | None:
        """The next token; None where the hole ends here, or the witness is to be written."""
        run, states = self.run_of, self.run_of.states
        may_end = not self.witness[0]
        if len(self._spelled(self.witness[0])) >= self.remaining:
            return None
        row = states.mask(self.state)
        row &= ~self.ends
        if may_end:
            row |= self.ends
        behind = self.bridge.texts[self.gap]
        searches = 0
        while row.any():
            token = run.law.choose(logits, self.state, run.rng, mask=row)
            data = self.vocab.tokens[token]
            if data is None:
                return None  # end-of-sequence, where the hole may end
            if may_end and behind and (behind.startswith(data) or data.startswith(behind)):
                return None  # the model writes what stands there anyway
            found = self._witness_after(token, data, search=searches < MOST_SEARCHES)
            if found is not None:
                self.witness = found
                return token
            searches += 1
            run.n_rejected += 1
            row[token >> 5] &= np.uint32(~(1 << (token & 31)) & 0xFFFFFFFF)
            if searches > 2 * MOST_SEARCHES:
                break
        return self._first_of_witness()

    def _serves(self, state: int, fills: list[bytes], judge: Judge | None) -> bool:
        """Whether texts for all gaps are a witness."""
        if not (self._shows(state, fills) and self.bridge.leads_through(state, fills, self.gap)):
            return False
        return judge is None or judge(fills) is None

    def _shows(self, state: int, fills: list[bytes]) -> bool:
        """Whether the text on the right stays what it is: no comment that begins in the hole takes it in."""
        if self.within_comment:
            return True
        end = self.run_of.states.advance_bytes(state, fills[0])
        written = self._written() + fills[0]
        return not (written.split(b"\n")[-1].strip() and self.bridge.hides(end, self.gap))

    def _written(self) -> bytes:
        """What the hole holds so far."""
        return b"".join(self.vocab.tokens[t] or b"" for t in self.tokens)

    def _first_of_witness(self) -> int | None:
        """Go on by the witness's own first token; None where it has none."""
        if not self.witness[0]:
            return None
        first = self._spelled(self.witness[0])[0]
        self.witness = [self.witness[0][len(self.vocab.tokens[first] or b"") :], *self.witness[1:]]
        return first

    def _witness_after(self, token: int, data: bytes, *, search: bool) -> list[bytes] | None:
        """A witness once a token is taken; None if none is found that fits what is left of the budget."""
        here, *rest = self.witness
        if here.startswith(data):
            return [here[len(data) :], *rest]
        state = self.run_of.states.advance(self.state, token)
        tried: list[list[bytes]] = [[fill, *rest] for fill in dict.fromkeys((b"", here, *_tails(here)))]
        judge = self.run_of.whole.judge(self.bridge.texts, self.before + self._written() + data, self.gap)
        found = next((fills for fills in tried if self._serves(state, fills, judge)), None)
        if found is None and search:
            self.run_of.n_searches += 1
            found = self.bridge.fills(state, judge, gap=self.gap, tries=iter(range(MOST_TRIES)))
        return found if found is not None and len(self._spelled(found[0])) < self.remaining else None


def _tails(text: bytes) -> list[bytes]:
    """The last parts of a text, longest first: what of a witness may still be needed behind a token that replaces its beginning."""
    return [text[i:] for i in range(1, min(len(text), 12))]
