"""A constraint together with a residual: pairs of states, interned, so that a pair is an integer like any other state."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from ...grammar.errors import InvalidSource
from ..contract import DEAD
from ..law import allowed_ids, only_bit
from .groups import END, FREE, Groups, groups_of

if TYPE_CHECKING:
    from ..contract import Constraint, Mask, Session, States, Vocab
    from .protocol import Residual, ResidualState

_METHODS = ("start", "advance", "may_end", "guards")
"""What a residual has; see ``Residual``."""

MAX_VERDICTS = 1 << 16
"""Verdicts that a scope remembers; then it forgets them all."""


class CheckedStates:
    """Pure questions about pairs.  ``mask`` is exact, with one verdict for each group of tokens that completes a text.

    ``grammar_mask`` is the constraint's own mask, which is cheap and holds all of it: samplers begin there.  A residual may call
    texts alive that have no completion, so masks may lead into a dead end, and ``finish_bound`` is the constraint's alone.
    """

    def __init__(self, states: States, residual: Residual, vocab: Vocab) -> None:
        if isinstance(residual, type) or not all(hasattr(residual, name) for name in _METHODS):
            hint = (
                "make one of the class" if isinstance(residual, type) else "wrap a function: residuals.Check(function)"
            )
            raise InvalidSource(f"{residual!r} is no residual", where="check", hint=hint)
        self.vocab = vocab
        self.residual = residual
        self._inner = states
        self._pairs: list[tuple[int, ResidualState]] = [(DEAD, None)]
        self._numbers: dict[tuple[int, ResidualState], int] = {}
        self._verdicts: dict[ResidualState, dict[bytes, ResidualState | None]] = {}
        self._n_kept = 0
        self._ends: dict[ResidualState, bool] = {}
        self.n_verdicts = 0

    @property
    def start(self) -> int:
        """The pair of the two starts; 0 if the constraint accepts nothing."""
        inner = self._inner.start
        return self._intern(inner, self.residual.start) if inner else DEAD

    def _intern(self, inner: int, residual: ResidualState) -> int:
        pair = (inner, residual)
        number = self._numbers.setdefault(pair, len(self._pairs))
        if number == len(self._pairs):
            self._pairs.append(pair)
        return number

    def advance(self, state: int, token: int) -> int:
        """The pair after a token; 0 if the constraint or the residual does not allow it."""
        inner, residual = self._pairs[state]
        after = self._inner.advance(inner, token)
        if not after:
            return DEAD
        if token in self.vocab.eos_ids:
            return self._intern(after, residual) if self._may_end(residual) else DEAD
        following = self._after(residual, self.vocab.tokens[token] or b"")
        return DEAD if following is None else self._intern(after, following)

    def _after(self, residual: ResidualState, data: bytes) -> ResidualState | None:
        kept = self._verdicts.get(residual)
        if kept is not None and data in kept:
            return kept[data]
        self.n_verdicts += 1
        after = self.residual.advance(residual, data)
        if self._n_kept >= MAX_VERDICTS:
            self._verdicts.clear()
            self._n_kept = 0
        self._n_kept += 1
        self._verdicts.setdefault(residual, {})[data] = after
        return after

    def _may_end(self, residual: ResidualState) -> bool:
        if residual not in self._ends:
            if len(self._ends) >= MAX_VERDICTS:
                self._ends.clear()
            self.n_verdicts += 1
            self._ends[residual] = self.residual.may_end(residual)
        return self._ends[residual]

    def grammar_mask(self, state: int, out: Mask | None = None, budget: int | None = None) -> Mask:
        """The mask of the constraint alone."""
        return self._inner.mask(self._pairs[state][0], out=out, budget=budget)

    def groups(self, state: int) -> Groups:
        """The tokens by the text that they complete after a state."""
        return groups_of(self.vocab, self.residual.guards(self._pairs[state][1]))

    def verdict(self, state: int, group: int) -> bool:
        """Whether the residual allows the tokens of a group, which is one of ``groups(state)``."""
        if group == FREE:
            return True
        residual = self._pairs[state][1]
        return self._may_end(residual) if group == END else self._passes(residual, self.groups(state).texts[group])

    def known(self, state: int, groups: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Of some groups, ascending: which are known to be alive, and which to be dead; what begins with a dead text is."""
        residual = self._pairs[state][1]
        alive, dead = np.zeros((2, len(groups)), np.bool_)
        of = self.groups(state)
        verdicts = {
            of.number.get(text, FREE): after is not None for text, after in self._verdicts.get(residual, {}).items()
        }
        if residual in self._ends:
            verdicts[END] = self._ends[residual]
        verdicts.pop(FREE, None)  # texts of other guards
        if not verdicts:
            return alive, dead
        asked, passed = np.array([*verdicts]), np.array([*verdicts.values()])
        first = np.searchsorted(groups, asked)
        last = np.searchsorted(groups, np.where(passed, asked + 1, of.ends[asked]))
        alive[first[passed & (first < last)]] = True
        edges = np.bincount(first[~passed], minlength=len(groups) + 1) - np.bincount(
            last[~passed], minlength=len(groups) + 1
        )
        dead = np.cumsum(edges[:-1]) > 0
        return alive & ~dead, dead

    def _passes(self, residual: ResidualState, text: bytes) -> bool:
        return self._after(residual, text) is not None

    def mask(self, state: int, out: Mask | None = None, budget: int | None = None) -> Mask:
        """The tokens that both allow."""
        row = self.grammar_mask(state, out=out, budget=budget)
        if state == DEAD:
            return row
        groups = self.groups(state)
        ids = allowed_ids(row, len(groups.group))
        of = groups.group[ids]
        dead, behind = [], 0
        for group in np.unique(of[of != FREE]).tolist():
            if group < behind:  # what begins with a dead text is dead
                dead.append(group)
            elif not self.verdict(state, group):
                dead.append(group)
                behind = int(groups.ends[group])
        for token in ids[np.isin(of, dead)].tolist():
            row[token >> 5] &= np.uint32(~(1 << (token & 31)) & 0xFFFFFFFF)
        return row

    def is_accepting(self, state: int) -> bool:
        """Whether the text is complete for both."""
        inner, residual = self._pairs[state]
        return state != DEAD and self._inner.is_accepting(inner) and self._may_end(residual)

    def is_final(self, state: int) -> bool:
        """Whether it is complete and nothing but end-of-sequence may follow."""
        if not self.is_accepting(state):
            return False
        if self._inner.is_final(self._pairs[state][0]):
            return True
        return not set(allowed_ids(self.mask(state), self.vocab.size).tolist()) - set(self.vocab.eos_ids)

    def finish_bound(self, state: int) -> int:
        """The bound of the constraint alone."""
        return self._inner.finish_bound(self._pairs[state][0])

    def fits(self, state: int, budget: int) -> bool:
        """Whether the bound of the constraint alone is within the budget."""
        return self._inner.fits(self._pairs[state][0], budget)

    def forced_token(self, state: int) -> int | None:
        """The one token that both allow, end-of-sequence included, or ``None``."""
        return only_bit(self.mask(state))


class CheckedSession(CheckedStates):
    """A scope of pairs."""

    _inner: Session

    def __enter__(self) -> Self:
        """Open the scope."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free every state of the scope; the constraint's own raise ``StaleState`` from here on."""
        self._inner.__exit__(kind, error, trace)


class Checked(CheckedStates):
    """A constraint of those texts that a constraint allows and a residual passes.

    It serves wherever a constraint does; see ``CheckedStates`` for what it does not promise.

    Args:
        constraint: what is certain, masks and budgets included.
        residual: what has to be asked.

    """

    def __init__(self, constraint: Constraint, residual: Residual) -> None:
        super().__init__(constraint, residual, constraint.vocab)
        self.constraint = constraint

    def session(self) -> CheckedSession:
        """Open a scope for the states of one generation."""
        return CheckedSession(self.constraint.session(), self.residual, self.vocab)
