"""Deterministic automata in packed form: one word for each range of bytes, as large as memory allows.

A rule of the IR is mostly a small nondeterministic automaton, and the loader determinises it.  Where the automaton is large and deterministic
already, as that of a million strings or of a regular expression is, that would be work and memory for nothing.  Such a rule's body has a
``PackedDfa``, which the loader copies as it stands, after one linear pass that checks it; the body's own edges are an outline, one byte that
stands for every text but the empty one, which is all that passes over rules need to know.

The words of a state lie side by side, one for each of its ranges, and a state is named by the place of its first word.  A word is::

    low | high << 8 | LAST << 16 | ACCEPT << 17 | target << 18

``LAST`` marks the last word of a state, ``ACCEPT`` (in its first word) a state in which the text may end.  The ranges of a state rise and
do not overlap.  A state that reads nothing is one word whose ``low`` is greater than its ``high``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import InvalidSource
from .ir import START, Automaton, ByteAutomaton
from .outline import outline

Words = npt.NDArray[np.int64]

HIGH_SHIFT = 8
LAST = 1 << 16
ACCEPT = 1 << 17
TARGET_SHIFT = 18
NOTHING = 1
"""The low and high of a word that reads nothing."""


@dataclass(frozen=True)
class PackedDfa:
    """A deterministic automaton over bytes whose every state can be finished.

    Nobody needs to trust that: loading checks all but minimality, on which nothing but memory depends.

    Attributes:
        words: int64[m], see the module's text.
        start: the place of the start state's first word.

    """

    words: Words
    start: int

    @property
    def accepts_empty(self) -> bool:
        """Whether the empty text is in the language."""
        return bool(self.words[self.start] & ACCEPT)

    def without_empty(self) -> PackedDfa:
        """The same language but for the empty text."""
        if not self.accepts_empty:
            return self
        end = self.start
        while not self.words[end] & LAST:
            end += 1
        copy = self.words[self.start : end + 1].copy()
        copy[0] &= ~np.int64(ACCEPT)
        return PackedDfa(np.concatenate((self.words, copy)), len(self.words))

    def body(self) -> Automaton:
        """A rule body of this language."""
        return outline(self)

    def spelled_out(self) -> Automaton:
        """The same language as an ordinary rule body: for small automata."""
        body = Automaton()
        number = {self.start: START}
        work = [self.start]
        while work:
            at = work.pop()
            here = number[at]
            if self.words[at] & ACCEPT:
                body.accept(here)
            for word in self._state(at):
                low, high, target = word & 255, (word >> HIGH_SHIFT) & 255, word >> TARGET_SHIFT
                if low > high:
                    continue
                if target not in number:
                    number[target] = body.state()
                    work.append(target)
                body.byte_range(here, low, high, number[target])
        return body

    def _state(self, at: int) -> list[int]:
        end = at
        while not self.words[end] & LAST:
            end += 1
        words: list[int] = self.words[at : end + 1].tolist()
        return words


def packed(part: ByteAutomaton) -> PackedDfa:
    """A deterministic byte automaton without counters and guards in packed form.

    Raises:
        InvalidSource: it has counters or guards, or is not deterministic.

    """
    if part.counts is not None or part.least is not None:
        raise InvalidSource("an automaton with counters or guards has no packed form")
    order = np.lexsort((part.low, part.source))
    source, low, high, target = (x[order] for x in (part.source, part.low, part.high, part.target))
    same = source[1:] == source[:-1]
    if (low > high).any() or (same & (low[1:] <= high[:-1])).any():
        raise InvalidSource("a packed automaton must be deterministic", hint="determinise it first")
    degree = np.bincount(source, minlength=part.n)
    place = np.zeros(part.n + 1, np.int64)
    np.cumsum(np.maximum(degree, 1), out=place[1:])
    words = np.full(place[-1], NOTHING, np.int64)
    before = np.zeros(part.n + 1, np.int64)
    np.cumsum(degree, out=before[1:])
    at = place[source] + np.arange(len(source)) - before[source]
    words[at] = low | (high << HIGH_SHIFT) | (place[target] << TARGET_SHIFT)
    words[place[1:] - 1] |= LAST
    words[place[:-1][part.accepting]] |= ACCEPT
    return PackedDfa(words, 0)
