"""The search for a witness: a filling of a canvas that its constraint accepts and its check passes.

It goes over the fillings of the lattice, the most probable first.  The check reads a filling from left to right and says where it died; the token there is struck out behind what stands
before it, and the most probable filling of what is left comes next, a token further to the left being struck out when a place has no other (chronological backtracking).  That dwells on the last places, and a rule
may hang on the first ones.  So the search soon begins anew, from a filling that is drawn by perturbing the model's law (Papandreou and Yuille 2011, "Perturb-and-MAP Random Fields"), after runs of the lengths of Luby,
Sinclair and Zuckerman 1993, "Optimal speedup of Las Vegas algorithms".  Most fillings of a canvas differ in the middle of long texts, and a rule may ask for another structure; so every second one has a token of a random
first byte in a random slot: a comma is as likely there as a letter.  Whether there is a filling at all is undecidable for an arbitrary check, so fillings are counted, and a typed error says when they are used up.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, cycle
from typing import TYPE_CHECKING, Final

import numpy as np

from ..law import allowed_ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from .beliefs import Reals
    from .checked import CheckedCanvas
    from .model import Ids

FIRST_RUN: Final = 8
"""Fillings that follow one another by striking out before a search begins anew; later runs are shorter, most of them."""

HEATS: Final = (1.0, 2.0, 4.0)
"""Temperatures of the fillings that are drawn, in turn."""

RULED_OUT: Final = -1e5
"""Of a token that the model rules out, in nats: such a filling is better than none."""

STRUCK_OUT: Final = -1e9
"""Of a token that must not be: less than a filling of thousands of tokens that the model rules out."""

NEAR: Final = 50.0
"""Nats that a token of the witness is worth where a filling near to it is looked for."""


@dataclass(slots=True)
class Allowance:
    """Fillings that may still be asked for."""

    left: int


class Search:
    """A search for a filling that the check passes.

    Attributes:
        exhausted: whether there is none: each was read, or has a beginning that is dead.

    """

    def __init__(self, canvas: CheckedCanvas, fixed: Mapping[int, int]) -> None:
        """Ask the model's law of all open slots.

        Args:
            canvas: whose filling it is.
            fixed: tokens that it has to have in some open slots.

        """
        self.exhausted = False
        self._canvas = canvas
        self._slots = np.flatnonzero(canvas.open).astype(np.int64)
        self._free = np.array([i for i, slot in enumerate(self._slots.tolist()) if slot not in fixed], np.int64)
        self._law = np.maximum(canvas.law(self._slots), RULED_OUT)
        for slot, token in fixed.items():
            self._only(self._law, int(np.searchsorted(self._slots, slot)), token)
        self._seed = [
            int(i) for i in (*canvas.ids, *fixed.values())
        ]  # of the canvas alone, so that drafts find what plain decoding finds
        self._surely = True  # whether no filling was overlooked
        self._masks: npt.NDArray[np.uint32] | None = None

    def run(self, allowance: Allowance) -> Ids | None:
        """int64[n], a filling of the whole canvas that passes, the most probable ones tried first; None if there was none in the allowance."""
        for law, fillings in zip(self._laws(), _run_lengths(), strict=False):
            if allowance.left <= 0:
                return None
            found, ended = self._backtrack(law, allowance, fillings)
            self.exhausted = ended and law is self._law  # of the others, some leave fillings out
            if found is not None or self.exhausted:
                return found
        return None

    def _laws(self) -> Iterator[Reals]:
        """The model's law; one that keeps to the witness; and draws from the model's law, without end."""
        yield self._law
        if not len(self._free):
            return
        if (witness := self._canvas.witness) is not None:
            near = self._law.copy()
            near[self._free, witness[self._slots[self._free]]] += NEAR
            yield near
        rng = np.random.default_rng(self._seed)
        for heat in cycle(HEATS):
            drawn = self._law.copy()
            drawn[self._free] = drawn[self._free] / heat + rng.gumbel(size=(len(self._free), self._law.shape[1]))
            yield drawn
            yield self._turned(drawn, rng)

    def _turned(self, law: Reals, rng: np.random.Generator) -> Reals:
        """The law with one token in a random slot, the likeliest of those that begin with a random byte, end-of-sequence being a beginning of its own."""
        lattice, tokens = self._canvas.whole(), self._canvas.constraint.vocab.tokens
        if self._masks is None:
            self._masks = lattice.masks()
        row = int(rng.choice(self._free))
        ids = allowed_ids(self._masks[row], law.shape[1])
        first = np.array([data[0] if (data := tokens[i]) else -1 for i in ids.tolist()])
        ids = ids[first == rng.choice(np.unique(first))]
        token = int(ids[np.argmax(law[row, ids])])
        self._only(law, row, token)
        return law

    def _backtrack(self, law: Reals, allowance: Allowance, fillings: int) -> tuple[Ids | None, bool]:
        """So many fillings in the order of a law, each without the beginnings that are known to be dead; and whether there is no other."""
        work = law.copy()
        struck: dict[int, list[int]] = {}  # tokens that are dead in a place, behind what stands before it
        place = 0
        current: Ids = self._canvas.ids
        for _ in range(fillings):
            while (ids := self._fill(work, allowance)) is None:  # the place has no other token: one further to the left
                if allowance.left <= 0:
                    return None, False
                struck.pop(place, None)
                place -= 1
                if place < 0:
                    return None, self._surely
                self._strike(work, law, struck, place, current)
            current = ids
            slot = self._canvas.fails_at(ids)
            if slot is None:
                return ids, False
            place = int(np.searchsorted(self._slots[self._free], slot, side="right")) - 1
            if place < 0:  # what is fixed fails by itself
                return None, True
            struck = {i: tokens for i, tokens in struck.items() if i <= place}
            self._strike(work, law, struck, place, current)
        return None, False

    def _strike(self, work: Reals, law: Reals, struck: dict[int, list[int]], place: int, current: Ids) -> None:
        """Keep what stands before a place, open what lies behind it, and leave out its token and those that were struck out there before."""
        tokens = struck.setdefault(place, [])
        tokens.append(int(current[self._slots[self._free[place]]]))
        for row in self._free[:place].tolist():
            self._only(work, row, int(current[self._slots[row]]))
        work[self._free[place:]] = law[self._free[place:]]
        work[self._free[place], tokens] = STRUCK_OUT

    @staticmethod
    def _only(law: Reals, row: int, token: int) -> None:
        law[row] = STRUCK_OUT
        law[row, token] = 0.0

    def _fill(self, law: Reals, allowance: Allowance) -> Ids | None:
        """The most probable filling, or a likely one where the lattice cannot weigh so large a canvas; None if all have a token that is struck out."""
        canvas = self._canvas
        if allowance.left <= 0:
            return None
        allowance.left -= 1
        tokens = canvas.weighed(law)
        if tokens is None:
            self._surely = False
            tokens = canvas.filled_by_commits(law)
        else:
            self._surely &= canvas.whole().exact
        worst = law[np.arange(len(self._slots)), tokens[self._slots]].min(initial=0.0)
        return tokens if worst > STRUCK_OUT / 2 else None


def _run_lengths() -> Iterator[int]:
    """The first run, then the universal sequence: 1, 1, 2, 1, 1, 2, 4, ..."""
    yield FIRST_RUN
    for n in count(1):
        bits = n
        while bits & (
            bits + 1
        ):  # until it is one less than a power of two, what is left of the sequence repeats its beginning
            bits -= (1 << (bits.bit_length() - 1)) - 1
        yield (bits + 1) // 2
