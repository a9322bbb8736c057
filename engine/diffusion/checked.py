"""A canvas under a constraint and a check that no automaton can make: a rule across fields, "this SQL runs", a type checker.

Masks and joint commits know nothing of the check, so what they allow may be impossible.  What keeps the loop's invariant is a *witness*: a filling of all that is open which the
constraint accepts and the check passes.  Proposals are committed only with a witness that has them; where none is found for all that go together, for a part of them; and where none of them can be
kept, the witness at hand gives the next token.  So once there is a witness, there always is one.  How it is looked for is told in ``witness``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import numpy as np

from ...automata.constraint import Constraint
from ...automata.lattice import Lattice
from ...automata.lattice.commits import greedy
from ...automata.lattice.witness import fails_at
from ...grammar.errors import InvalidSource, LimitExceeded, Unsatisfiable
from ..residuals import All, Checked
from .canvas import LEAST_WEIGHT, Canvas
from .witness import FIRST_RUN, Allowance, Search

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...automata.lattice import Slot
    from ..residuals import Residual
    from .beliefs import Flags, Reals
    from .model import Ids

MOST_FILLINGS: Final = 256
"""Fillings that are asked for, of a canvas that has no witness yet."""

FILLINGS_OF_COMMIT: Final = 16
"""The same for one joint commit, which has a witness to fall back on."""


def compiled(constraint: Constraint | Checked) -> tuple[Constraint, list[Residual]]:
    """A compiled constraint, and the checks that it was paired with.

    Raises:
        InvalidSource: it is none.

    """
    checks: list[Residual] = []
    inner: object = constraint
    while isinstance(inner, Checked):
        checks.insert(0, inner.residual)
        inner = inner.constraint
    if not isinstance(inner, Constraint):
        raise InvalidSource(
            f"{type(inner).__name__} is no constraint",
            where="constraint",
            hint="compile it: sg.compile(source, vocabulary)",
        )
    return inner, checks


def canvas_of(
    constraint: Constraint | Checked, slots: Sequence[Slot], check: Residual | None, *, mask_id: int, tail_id: int
) -> Canvas:
    """A canvas, a checked one if there is something to check; see ``Canvas`` and ``CheckedCanvas``.

    Raises:
        InvalidSource: the constraint is not compiled, or the check is none.

    """
    inner, checks = compiled(constraint)
    checks += [] if check is None else [check]
    for one in checks:
        if not all(hasattr(one, name) for name in ("start", "advance", "may_end")):
            raise InvalidSource(
                f"{type(one).__name__} is no residual",
                where="check",
                hint="wrap a function of the text in residuals.Check, a rule of JSON values in residuals.JsonPredicate",
            )
    if not checks:
        return Canvas(inner, slots, mask_id=mask_id, tail_id=tail_id)
    return CheckedCanvas(
        inner, slots, checks[0] if len(checks) == 1 else All(*checks), mask_id=mask_id, tail_id=tail_id
    )


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
        search = Search(self, {})
        self.witness = search.run(Allowance(2 * FIRST_RUN))
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
        allowance = Allowance(FILLINGS_OF_COMMIT)
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
        found = None if self.witness is None else Search(self, {}).run(Allowance(FILLINGS_OF_COMMIT))
        self.witness = self._find_witness() if found is None else found
        return self.witness[self.open_slots()]

    def _find_witness(self) -> Ids:
        if self.witness is None:
            self.witness = Search(self, {}).run(Allowance(MOST_FILLINGS))
        if self.witness is None:
            raise LimitExceeded(
                "none of the fillings that were read passes the check",
                limit="MOST_FILLINGS",
                value=MOST_FILLINGS,
                hint="say more of the rule in the schema or grammar, or fix more slots",
            )
        return self.witness

    def _reaches(self, fixed: Mapping[int, int], allowance: Allowance) -> bool:
        """Whether there is a witness with these tokens, as far as was looked; it is held then.  The present one with these tokens in it may do, which costs little."""
        witness = self._find_witness()
        if all(witness[slot] == token for slot, token in fixed.items()):
            return True
        spliced = witness.copy()
        spliced[list(fixed)] = list(fixed.values())
        fits = fails_at(self.constraint, spliced.tolist()) is None and self.fails_at(spliced) is None
        found = spliced if fits else Search(self, fixed).run(allowance)
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
