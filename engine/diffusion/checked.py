"""A canvas under a constraint and a check that no automaton can make: a rule across fields, "this SQL runs", a type checker.

Masks and joint commits know nothing of the check, so what they allow may be impossible.  What keeps the loop's invariant is a *witness*: a filling of all that is open which the
constraint accepts and the check passes.  Proposals are committed only with a witness that has them; where none is found for all that go together, for a part of them; and where none of them can be
kept, the witness at hand gives the next token.  So once there is a witness, there always is one.

It is looked for among the fillings of the lattice, the most probable first.  The check reads a filling from left to right and says where it died; the token there is struck out behind what stands
before it, and the most probable filling of what is left comes next, a token further to the left being struck out when a place has no other (chronological backtracking).  As that dwells on the last places, some
tries begin anew from a filling drawn by perturbing the model's law (Papandreou and Yuille 2011, "Perturb-and-MAP Random Fields"), hotter each time.  Whether there is a filling at all is undecidable for
an arbitrary check, so tries are counted, and a typed error says when they are used up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from ...automata.lattice import Lattice
from ...automata.lattice.weighted import greedy
from ...grammar.errors import LimitExceeded, Unsatisfiable
from .canvas import LEAST_WEIGHT, Canvas

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ...automata.constraint import Constraint
    from ...automata.lattice import Slot
    from ..residuals import Residual
    from .beliefs import Flags, Reals
    from .model import Ids

MOST_FILLINGS: Final = 96
"""Fillings that are read for a canvas that has no witness yet."""

FILLINGS_OF_COMMIT: Final = 24
"""The same for one joint commit, which has a witness to fall back on."""

STRIKES: Final = 8
"""Fillings that follow one another by striking out before a search begins anew."""

RULED_OUT: Final = -1e5
"""Of a token that the model rules out, in nats: such a filling is better than none."""

STRUCK_OUT: Final = -1e9
"""Of a token that must not be: less than a filling of thousands of tokens that the model rules out."""

NEAR: Final = 50.0
"""Nats that a token of the witness is worth where a filling near to it is looked for."""


class CheckedCanvas(Canvas):
    """A canvas whose whole text has to pass a check.

    Attributes:
        check: what reads the text.
        witness: int64[n], a filling of the whole canvas, decided slots included, that satisfies everything; ``None`` as long as none is known.
        n_read: fillings that the check has read.

    """

    def __init__(
        self, constraint: Constraint, slots: Sequence[Slot], check: Residual, *, mask_id: int, tail_id: int
    ) -> None:
        """Lay the slots out, and look for a witness while nothing is known of the model; see ``Canvas`` for the rest.

        Raises:
            InvalidSource: as in ``Canvas``.
            Unsatisfiable: no filling satisfies the constraint, or every one that does fails the check.

        """
        self.check = check
        self.witness: Ids | None = None
        self.n_read = 0
        self._whole: Lattice | None = None
        super().__init__(constraint, slots, mask_id=mask_id, tail_id=tail_id)
        search = _Search(self, {})
        self.witness = search.run(_Allowance(STRIKES))
        if search.exhausted:
            raise Unsatisfiable(
                f"every filling of these {len(self)} slots that satisfies the constraint fails the check",
                hint="give it more slots, or fewer fixed ones",
            )

    def copy(self) -> Self:
        """Another canvas with the same tokens and witness."""
        self._forget_whole()  # it is made again where it is asked for
        return super().copy()

    def close(self) -> None:
        """Free the lattices' states."""
        super().close()
        self._forget_whole()

    def whole(self) -> Lattice:
        """The lattice of all slots, those beyond a window too: what is left after the end of a text is tail, so the texts are the same."""
        if self._window is None:
            return self._view()
        if self._whole is None:
            self._whole = Lattice(self.constraint, self.slots_now())
        return self._whole

    def weighed(self, law: Reals) -> Ids | None:
        """int64[n]: the most probable filling of all slots; ``None`` where the lattice cannot weigh so large a canvas."""
        return self._weighed(self.whole(), law)

    # --- what is decided --------------------------------------------------------------------------------------------

    def commit(self, slots: Ids, tokens: Ids, confidence: Reals) -> Flags:
        """Put tokens into open slots, jointly, those for which a witness was found; see ``Canvas.commit``.

        Returns:
            bool[k], which of them stand now; perhaps none.

        Raises:
            LimitExceeded: there was no witness, and none was found in ``MOST_FILLINGS``.

        """
        if not len(slots):
            return np.zeros(0, np.bool_)
        self._find_witness()
        weights = np.maximum(confidence, LEAST_WEIGHT)
        proposals = list(zip(slots.tolist(), tokens.tolist(), strict=True))
        with self._view().copy() as trial:
            together = set(trial.commit(proposals, weights.tolist()))
        order = [i for i in np.argsort(-weights, kind="stable").tolist() if proposals[i] in together]
        allowance = _Allowance(FILLINGS_OF_COMMIT)
        chosen = greedy(order, lambda part: self._reaches(dict(proposals[i] for i in part), allowance))
        flags = np.zeros(len(slots), np.bool_)
        flags[chosen] = True
        self._put(slots[flags], tokens[flags], confidence[flags])
        self.n_rejected += int((~flags).sum())
        return flags

    def best(self, log_probs: Reals) -> Ids:
        """int64[open slots]: the most probable filling that was found to pass the check, else the witness at hand; it is the witness now.

        Raises:
            LimitExceeded: as in ``commit``.

        """
        del log_probs  # of the window alone; a filling is of all slots
        found = None if self.witness is None else _Search(self, {}).run(_Allowance(FILLINGS_OF_COMMIT))
        self.witness = self._find_witness() if found is None else found
        return self.witness[self.open_slots()]

    def _find_witness(self) -> Ids:
        if self.witness is None:
            self.witness = _Search(self, {}).run(_Allowance(MOST_FILLINGS))
        if self.witness is None:
            raise LimitExceeded(
                "none of the fillings that were read passes the check",
                limit="MOST_FILLINGS",
                value=MOST_FILLINGS,
                hint="say more of the rule in the schema or grammar, or fix more slots",
            )
        return self.witness

    def _reaches(self, fixed: Mapping[int, int], allowance: _Allowance) -> bool:
        """Whether there is a witness with these tokens, as far as was looked; it is held then."""
        witness = self._find_witness()
        if all(witness[slot] == token for slot, token in fixed.items()):
            return True
        found = _Search(self, fixed).run(allowance)
        if found is not None:
            self.witness = found
        return found is not None

    def _put(self, slots: Ids, tokens: Ids, confidence: Reals) -> None:
        """Put tokens that are known to go together; behind the text the witness has the model's tail from now on, which is no text."""
        if not len(slots):
            return
        super()._put(slots, tokens, confidence)
        self._forget_whole()
        if self.witness is not None:
            self.witness = self.witness.copy()
            self.witness[slots] = tokens

    def _forget_whole(self) -> None:
        if self._whole is not None:
            self._whole.close()
            self._whole = None

    def fails_at(self, ids: Ids) -> int | None:
        """The slot at which the check says no to a full canvas: where its text dies, or where it ends; None if it passes."""
        vocab = self.constraint.vocab
        self.n_read += 1
        state = self.check.start
        for i, token in enumerate(ids.tolist()):
            if token in vocab.eos_ids:
                return None if self.check.may_end(state) else i
            state = self.check.advance(state, vocab.tokens[token] or b"")
            if state is None:
                return i
        return None if self.check.may_end(state) else len(ids) - 1


@dataclass(slots=True)
class _Allowance:
    """Fillings that may still be read."""

    left: int


class _Search:
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

    def run(self, allowance: _Allowance) -> Ids | None:
        """int64[n], a filling of the whole canvas that passes, the most probable ones tried first; None if there was none in the allowance."""
        for law in self._laws():
            if allowance.left <= 0:
                return None
            found = self._backtrack(law, allowance)
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
        heat = 1.0
        while True:
            drawn = self._law.copy()
            drawn[self._free] = drawn[self._free] / heat + rng.gumbel(size=(len(self._free), self._law.shape[1]))
            yield drawn
            heat *= 2

    def _backtrack(self, law: Reals, allowance: _Allowance) -> Ids | None:
        """Fillings in the order of a law, each without the beginnings that are known to be dead; at most ``STRIKES`` of them."""
        work = law.copy()
        struck: dict[
            int, list[int]
        ] = {}  # place among the free slots -> tokens that are dead behind what stands before it
        place = 0
        current: Ids = self._canvas.ids
        for _ in range(STRIKES):
            if allowance.left <= 0:
                return None
            while (ids := self._fill(work)) is None:  # the place has no other token: one further to the left
                struck.pop(place, None)
                place -= 1
                if place < 0:
                    self.exhausted = self._surely
                    return None
                self._strike(work, law, struck, place, current)
            allowance.left -= 1
            current = ids
            slot = self._canvas.fails_at(ids)
            if slot is None:
                return ids
            place = int(np.searchsorted(self._slots[self._free], slot, side="right")) - 1
            if place < 0:  # what is fixed fails by itself
                self.exhausted = True
                return None
            struck = {i: tokens for i, tokens in struck.items() if i <= place}
            self._strike(work, law, struck, place, current)
        return None

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

    def _fill(self, law: Reals) -> Ids | None:
        """The most probable filling, or a likely one where the lattice cannot weigh so large a canvas; None if all have a token that is struck out."""
        canvas = self._canvas
        tokens = canvas.weighed(law)
        if tokens is None:
            self._surely = False
            tokens = canvas.filled_by_commits(law)
        else:
            self._surely &= canvas.whole().exact
        worst = law[np.arange(len(self._slots)), tokens[self._slots]].min(initial=0.0)
        return tokens if worst > STRUCK_OUT / 2 else None
