"""The canvas under its constraint: which tokens each open slot can have, and which of several proposals go together.

What is open is a hole of the lattice, so every answer counts slots exactly: a token is possible only if the other open slots, no
more and no fewer of them, can be filled so that the whole satisfies the constraint.  Hence the invariant of the loop: a completion
of exactly the remaining slots exists after every step, whatever is committed, reopened or edited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from ...automata.lattice import HOLE, Gap, Hole, Lattice
from ...automata.lattice.slots import unroll
from ...grammar.errors import InvalidSource, LimitExceeded, Unsatisfiable, Unsupported
from ..law import allowed_ids, only_bit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...automata.constraint import Constraint
    from ...automata.lattice import Slot
    from .beliefs import Flags, Reals
    from .model import Ids

LEAST_WEIGHT = 1e-12
"""Of a proposal that the model gives no probability: less than any other, and still worth more than an empty slot."""


class Canvas:
    """Slots under a constraint, decided one set of tokens after the other.

    Attributes:
        constraint: what the whole canvas satisfies in the end.
        ids: int64[n], what stands in each slot; the mask's id where it is open.
        open: bool[n], the slots that are not decided.
        given: bool[n], the caller's own tokens, which nothing changes.
        confidence: float64[n], the probability of each token when it was committed; 1 for forced ones.
        n_rejected: proposals that a joint commit left open.
        says: the log probabilities that the model gives in this pass, of some slots; ``None`` before the first.

    """

    def __init__(self, constraint: Constraint, slots: Sequence[Slot], *, mask_id: int, tail_id: int) -> None:
        """Lay the slots out.

        Args:
            constraint: what the whole canvas has to satisfy.
            slots: token ids and holes; the mask's id is a hole.
            mask_id: stands in ``ids`` where a slot is open.
            tail_id: fills what is left after the end of the text.

        Raises:
            InvalidSource: a slot is a gap or no slot.
            Unsatisfiable: no filling of the slots satisfies the constraint.

        """
        self.constraint = constraint
        self.mask_id = mask_id
        self.tail_id = tail_id
        self._slots = tuple(HOLE if isinstance(s, (int, np.integer)) and s == mask_id else s for s in slots)
        for i, slot in enumerate(self._slots):
            if isinstance(slot, Gap):
                raise InvalidSource(
                    "a gap has no fixed number of slots, and a denoising model fills slots",
                    where=f"canvas[{i}]",
                    hint="write as many holes; what a text does not need is filled with end-of-sequence at the canvas' end",
                )
        unroll(self._slots, constraint.vocab.size)
        self.open: Flags = np.array([isinstance(slot, Hole) for slot in self._slots], np.bool_)
        self.given: Flags = ~self.open
        self.ids: Ids = np.array([mask_id if isinstance(slot, Hole) else slot for slot in self._slots], np.int64)
        self.confidence: Reals = np.ones(len(self._slots))
        self.n_rejected = 0
        self.says: Callable[[Ids], Reals] | None = None
        self._weighable = len(self._slots)  # open slots up to which a filling is asked for
        self._window: int | None = None
        self._lattice: Lattice | None = None
        self._masks: npt.NDArray[np.uint32] | None = None
        vocab = constraint.vocab
        self._after_end = np.zeros(vocab.words, np.uint32)
        for i in (*vocab.eos_ids, *vocab.pad_ids):
            self._after_end[i >> 5] |= np.uint32(1 << (i & 31))
        if not self._fillable():
            raise Unsatisfiable(
                f"no filling of these {len(self._slots)} slots satisfies the constraint",
                hint="give it more slots, or fewer fixed ones",
            )

    def __len__(self) -> int:
        """How many slots there are."""
        return len(self._slots)

    def copy(self) -> Self:
        """Another canvas with the same tokens; it is decided on its own from here on."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.open, other.ids, other.confidence = self.open.copy(), self.ids.copy(), self.confidence.copy()
        other._lattice = None if self._lattice is None else self._lattice.copy()
        return other

    def close(self) -> None:
        """Free the lattice's states."""
        self._masks = None
        if self._lattice is not None:
            self._lattice.close()
            self._lattice = None

    def _fillable(self) -> bool:
        """Whether there is a completion; where the lattice is a relaxation, one that the constraint has read."""
        view = self._view()
        if not view.feasible():
            return False
        if view.exact:
            return True
        return view.best_fill(np.zeros((int(self.open.sum()), self.constraint.vocab.size))) is not None

    # --- what is possible -------------------------------------------------------------------------------------------

    def narrow(self, stop: int | None) -> None:
        """Look at the slots before ``stop`` only, and at the rest as a gap of at most so many tokens; ``None``: at all slots.

        Raises:
            Unsupported: tokens of the caller's stand in the rest.

        """
        if stop is not None and stop >= len(self):
            stop = None
        if stop is not None and self.given[stop:].any():
            raise Unsupported(
                "an open gap beyond the block, with fixed tokens in it",
                where=f"canvas[{stop + int(np.argmax(self.given[stop:]))}]",
                hint="use beyond='holes', where every slot counts",
            )
        if stop != self._window:
            self.close()
            self._window = stop

    def masks(self) -> npt.NDArray[np.uint32]:
        """uint32[open slots, words]: the tokens with which the canvas can still be completed; the window's slots alone."""
        if self._masks is None:
            self._masks = self._view().masks()
        return self._masks

    @property
    def exact(self) -> bool:
        """Whether masks are exact, or a relaxation that ``commit`` checks."""
        return self._view().exact

    def open_slots(self) -> Ids:
        """int64[k]: the open slots that ``masks`` has rows for, in order."""
        return np.flatnonzero(self.open if self._window is None else self.open[: self._window]).astype(np.int64)

    def feasible(self) -> bool:
        """Whether the canvas can be completed: true after every step, by construction."""
        return self._view().feasible()

    # --- what is decided --------------------------------------------------------------------------------------------

    def settle(self) -> tuple[Ids, Ids]:
        """Commit all that is certain: slots with one possible token, and what stands after the end of the text.

        Such tokens are in every completion, so they go together, and committing them costs no pass of the model.

        Returns:
            The slots with one token, and the slots of the tail.

        """
        forced: list[int] = []
        tail: list[int] = []
        slots = self.open_slots()
        if not len(slots):
            return slots, slots
        masks = self.masks()
        tokens = np.full(len(slots), -1, np.int64)
        for i, mask in enumerate(masks):
            ended = not (mask & ~self._after_end).any()  # the text has ended here in every completion
            if ended and int(mask[self.tail_id >> 5]) >> (self.tail_id & 31) & 1:
                tokens[i] = self.tail_id  # may follow the end, and may be the end
                tail.append(int(slots[i]))
            elif (only := only_bit(mask)) is not None:
                tokens[i] = only
                forced.append(int(slots[i]))
        certain = tokens >= 0
        if certain.any():
            self._put(slots[certain], tokens[certain], np.ones(int(certain.sum())))
            self._masks = masks[~certain]  # what is in every completion changes nothing for the others
        return np.array(forced, np.int64), np.array(tail, np.int64)

    def commit(self, slots: Ids, tokens: Ids, confidence: Reals) -> Flags:
        """Put tokens into open slots, jointly: the compatible ones of greatest summed confidence.

        Returns:
            bool[k], which of them stand now.  At least one of those that were possible by themselves does.

        """
        if not len(slots):
            return np.zeros(0, np.bool_)
        weights = np.maximum(confidence, LEAST_WEIGHT)
        proposals = list(zip(slots.tolist(), tokens.tolist(), strict=True))
        kept = set(self._view().commit(proposals, weights.tolist()))
        self._masks = None
        flags = np.array([p in kept for p in proposals], np.bool_)
        self.ids[slots[flags]] = tokens[flags]
        self.open[slots[flags]] = False
        self.confidence[slots[flags]] = confidence[flags]
        self.n_rejected += int((~flags).sum())
        return flags

    def fill(self, log_probs: Reals) -> Ids:
        """Complete the canvas, or its window, with the jointly most probable tokens.

        Where the lattice cannot weigh a canvas of this size, by joint commits of the most likely possible tokens until all is full.

        Args:
            log_probs: float64[open slots, V].

        Returns:
            The slots that were filled.

        """
        slots = self.open_slots()
        tokens = self.best(log_probs)
        if tokens is not None:
            self._put(slots, tokens, np.exp(log_probs[np.arange(len(slots)), tokens]))
            return slots
        self._fill_by_commits(slots, log_probs)
        return slots

    def _fill_by_commits(self, slots: Ids, log_probs: Reals) -> None:
        row_of = {int(slot): row for slot, row in zip(slots, log_probs, strict=True)}
        while len(left := self.open_slots()):
            masks = self.masks()
            choices = [allowed_ids(mask, log_probs.shape[1]) for mask in masks]
            best = np.array(
                [ids[np.argmax(row_of[int(i)][ids])] for i, ids in zip(left, choices, strict=True)], np.int64
            )
            worth = np.exp(np.array([row_of[int(i)][t] for i, t in zip(left, best, strict=True)]))
            if not self.commit(left, best, worth).any():
                raise AssertionError("no possible token was kept")

    def filled_by_commits(self, log_probs: Reals) -> Ids:
        """int64[n]: the canvas as joint commits of likely tokens would fill it; it stays as it is."""
        other = Canvas(self.constraint, self.slots_now(), mask_id=self.mask_id, tail_id=self.tail_id)
        other._fill_by_commits(other.open_slots(), log_probs)
        other.close()
        return other.ids

    def slots_now(self) -> list[Slot]:
        """The slots as they stand: tokens where something is decided."""
        return [slot if o else int(t) for slot, o, t in zip(self._slots, self.open, self.ids, strict=True)]

    def law(self, slots: Ids) -> Reals:
        """float64[k, V]: what the model says of some slots; all alike before it has said anything."""
        return np.zeros((len(slots), self.constraint.vocab.size)) if self.says is None else self.says(slots)

    def best(self, log_probs: Reals) -> Ids | None:
        """int64[open slots]: the jointly most probable tokens; ``None`` where the lattice cannot weigh a canvas of this size, or with a gap.

        A completion that the model rules out altogether has no probability, but is one: tokens are kept from minus infinity.
        """
        finite = np.maximum(log_probs, -1e9)  # far below any sum of real logarithms, far above what float64 loses
        found = self._weighed(self._view(), finite)
        return None if found is None else found[self.open_slots()]

    def _weighed(self, lattice: Lattice, log_probs: Reals) -> Ids | None:
        """int64[tokens]: the most probable filling of a lattice of this canvas; ``None`` where it is too large, which is not tried again before a quarter of it is decided."""
        size = int(self.open.sum())
        if size > self._weighable:
            return None
        try:
            found = lattice.best_fill(log_probs)
        except (LimitExceeded, Unsupported):
            self._weighable = size * 3 // 4
            return None
        if found is None:
            raise AssertionError("the canvas lost its completions")
        return np.asarray(found.tokens, np.int64)

    def reopen(self, slots: Ids) -> None:
        """Take tokens out again: every completion so far stays one."""
        if self.given[slots].any():
            raise AssertionError("a token of the caller's was reopened")
        self.ids[slots] = self.mask_id
        self.open[slots] = True
        self.close()

    def _put(self, slots: Ids, tokens: Ids, confidence: Reals) -> None:
        """Put tokens that are known to go together."""
        kept = self._view().commit(list(zip(slots.tolist(), tokens.tolist(), strict=True)))
        self._masks = None
        if len(kept) != len(slots):
            raise AssertionError("tokens that stand in a completion together were not committed together")
        self.ids[slots] = tokens
        self.open[slots] = False
        self.confidence[slots] = confidence

    def _view(self) -> Lattice:
        if self._lattice is None:
            stop = len(self) if self._window is None else self._window
            slots = self.slots_now()[:stop]
            if self._window is not None:
                slots.append(Gap(0, len(self) - stop))
            self._lattice = Lattice(self.constraint, slots)
        return self._lattice
