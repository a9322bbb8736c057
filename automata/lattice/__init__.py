"""The lattice: can these slots still be filled, and with what?  Exact, slot counts included.

A lattice is a row of slots: a fixed token, a hole (exactly one token), or a gap (between two bounds).
"""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ...grammar.errors import InvalidSource, LimitExceeded, Unsupported
from .canvas import CanvasEngine, packed
from .checked import CheckedEngine
from .commits import heaviest_first, in_turn, one_each, possible
from .engines import engine_of, layout_of
from .explanation import SlotExplanation, explain
from .extraction import Beyond
from .layered import LayeredEngine
from .parsed import ParsedEngine
from .slots import HOLE, Gap, Hole, Slot, Step, may_hold, unroll

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType

    from ..constraint import Constraint

__all__ = ["HOLE", "Fill", "Gap", "Hole", "Lattice", "Proposal", "Slot", "SlotExplanation"]

DEFAULT_MAX_LAYER: Final = 20_000

MOST_FOLLOWED: Final = 512
"""States of a layer up to which they are followed one by one where registers make the canvas machine inexact."""

MOST_FOLLOWED_IN_ALL: Final = 2_000
"""The same of all layers: each costs about a millisecond with a large vocabulary."""

Proposal = tuple[int, int]
"""A slot of the canvas, and a token to fix there."""


class Fill(NamedTuple):
    """One accepted filling.

    Attributes:
        tokens: the whole canvas, fixed tokens and gaps' tokens included.
        log_prob: the summed log probability of the holes' tokens, as the caller gave them.

    """

    tokens: list[int]
    log_prob: float


class Lattice:
    """A row of slots under a constraint.  A context manager.

    A canvas is accepted if the text before its first end-of-sequence token, or all of it, is a member; after an end-of-sequence token
    only end-of-sequence and padding may follow.  Rows of masks and of log probabilities belong to the holes that are left, in order.

    Attributes:
        constraint: the constraint that the whole canvas must satisfy.
        slots: the canvas as it stands; a commit puts tokens in it.

    """

    def __init__(self, constraint: Constraint, slots: Sequence[Slot], *, max_layer: int = DEFAULT_MAX_LAYER) -> None:
        """Lay out the canvas; nothing is computed before the first question.

        Args:
            constraint: the constraint.
            slots: token ids, ``HOLE``, ``Hole(allowed=ids)``, ``Gap(least, most)``.
            max_layer: the most states that one layer may have, where states are followed one by one.

        Raises:
            InvalidSource: a slot is none of these, or out of range.

        """
        self.constraint = constraint
        self.slots = tuple(slots)
        self._steps = unroll(self.slots, constraint.vocab.size)
        self._step_at = {step.slot: i for i, step in enumerate(self._steps)}
        self._max_layer = max_layer
        self._followed: LayeredEngine | None = None
        self._engine_in_use: LayeredEngine | CanvasEngine | ParsedEngine | None = None
        self._weighted_in_use: CheckedEngine | None = None

    @property
    def exact(self) -> bool:
        """Whether everything is decided exactly: slot counts, counters, and registers such as those of keys that must differ.

        Of a grammar with a lexer only masks can be inexact, on a large canvas; to tell takes as long as they do.
        """
        return self._engine.exact

    @property
    def _layered(self) -> LayeredEngine:
        """The engine that follows states one by one."""
        if self._followed is None:
            self._followed = LayeredEngine(self.constraint, self._steps, max_layer=self._max_layer)
        return self._followed

    @property
    def _engine(self) -> LayeredEngine | CanvasEngine | ParsedEngine:
        """The canvas machine, if the constraint has one that says everything, or sets of a parser's stacks; else states are followed where they are few."""
        if self._engine_in_use is None:
            self._engine_in_use = self._chosen()
        return self._engine_in_use

    @property
    def _weighted(self) -> CheckedEngine | None:
        """The canvas machine with weights, where it is what answers; None where states are followed one by one."""
        engine = self._engine
        if self._weighted_in_use is None and isinstance(engine, CanvasEngine):
            self._weighted_in_use = CheckedEngine(self.constraint, engine.machine, self._steps)
        return self._weighted_in_use

    def _few_followed(self) -> LayeredEngine | None:
        """The engine that follows states one by one, if there are few."""
        few = LayeredEngine(self.constraint, self._steps, max_layer=MOST_FOLLOWED, most_states=MOST_FOLLOWED_IN_ALL)
        try:
            few.feasible()
        except LimitExceeded:
            few.close()
            return None
        return few

    def _chosen(self) -> LayeredEngine | CanvasEngine | ParsedEngine:
        try:
            canvas = engine_of(layout_of(self.constraint), self._steps)
        except Beyond:
            try:
                return ParsedEngine(self.constraint, self._steps)
            except Beyond:
                return self._layered
        if canvas.exact:
            return canvas
        few = self._few_followed()
        if few is None:
            return canvas
        self._followed = few
        return few

    def close(self) -> None:
        """Free what the lattice holds.  Closing twice is harmless."""
        if self._followed is not None:
            self._followed.close()
        if self._engine_in_use is not None:
            self._engine_in_use.close()

    def copy(self) -> Self:
        """Another lattice of the same canvas, which goes on from here on its own; what is known already is not computed again where that can be."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._steps = list(self._steps)
        other._followed = other._weighted_in_use = other._engine_in_use = None
        if isinstance(self._engine_in_use, CanvasEngine):
            other._engine_in_use = self._engine_in_use.copy()
        return other

    def __enter__(self) -> Self:
        """Nothing to do: the lattice is open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the lattice."""
        self.close()

    @property
    def holes(self) -> list[int]:
        """The slots that are holes still, in order: what the rows belong to."""
        return [step.slot for step in self._steps if step.hole]

    def feasible(self) -> bool:
        """Whether some filling satisfies the constraint."""
        return self._engine.feasible()

    def masks(self, out: npt.NDArray[np.uint32] | None = None) -> npt.NDArray[np.uint32]:
        """Rows uint32[holes, words]: for each hole, in order, the tokens with which the rest can still be filled."""
        rows = self._empty_rows(out)
        self._engine.masks(rows)
        return rows

    def class_masks(self) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int32]]:
        """The same by classes of tokens: uint32[holes, ceil(C/32)] and the class int32[V] of each token.

        Token v may fill hole h iff bit ``c & 31`` of word ``[h, c >> 5]`` is set, c being the class of v.
        """
        if isinstance(self._engine, CanvasEngine):
            return self._engine.hole_classes()
        rows = self.masks()
        bits = np.unpackbits(rows.view(np.uint8), axis=1, bitorder="little", count=self.constraint.vocab.size)
        if not len(rows):
            return np.zeros((0, 1), np.uint32), np.zeros(self.constraint.vocab.size, np.int32)
        columns, class_of = np.unique(bits.T, axis=0, return_inverse=True)
        return packed(np.ascontiguousarray(columns.T)), class_of.reshape(-1).astype(np.int32)

    def commit(self, proposals: Iterable[Proposal], weights: Sequence[float] | None = None) -> list[Proposal]:
        """Fix tokens in slots: the compatible proposals of greatest total weight, jointly, so that the canvas can still be filled.

        Args:
            proposals: (slot, token) each; a slot may have several, of which one at most is kept.
            weights: what each is worth, positive; 1 each if not given.

        Returns:
            The proposals that were kept, in their order.  None is where the canvas cannot be filled at all.

        Raises:
            InvalidSource: a slot is a gap or not of the canvas, or a weight is not positive.

        """
        checked = self._checked(proposals, weights)
        listed = [one for one in checked if may_hold(self._steps[self._step_of(one[0][0])], one[0][1])]
        bonus: dict[int, dict[int, float]] = {}
        for (slot, token), weight in listed:
            at = bonus.setdefault(self._step_of(slot), {})
            at[token] = at.get(token, 0.0) + weight
        if not isinstance(engine := self._engine, LayeredEngine):
            return self._commit_on_canvas(engine, listed, bonus)
        found = self._layered.best(self._layered.proposed(bonus))
        if found is None:
            return []
        kept = [
            (slot, token)
            for (slot, token), _ in listed
            if found[0][self._step_of(slot)] == token and may_hold(self._steps[self._step_of(slot)], token)
        ]
        self._fix(kept)
        return kept

    def _commit_on_canvas(
        self,
        engine: CanvasEngine | ParsedEngine,
        listed: list[tuple[Proposal, float]],
        bonus: dict[int, dict[int, float]],
    ) -> list[Proposal]:
        """The same on an engine that follows no states: all at once, else one after another, else the best subset, in a window.

        Where the machine is not exact, the best subset for which there is a filling that the constraint takes.
        """
        if not engine.feasible():
            return []
        if isinstance(engine, CanvasEngine) and not engine.exact:
            return self._keep(listed, self._best_subset(bonus, or_fail=True) or set())
        base = list(self._steps)

        def fits(chosen: Mapping[int, int]) -> bool:
            engine.fix([Step(step.slot, token=chosen[i]) if i in chosen else step for i, step in enumerate(base)])
            return engine.feasible()

        at_once = one_each(bonus)
        if at_once is not None and fits(at_once):
            return self._keep(listed, self._proposals(at_once))
        engine.fix(base)
        if not isinstance(engine, CanvasEngine):
            exact = self._best_subset(bonus)
            return self._keep(listed, self._proposals(heaviest_first(bonus, fits)) if exact is None else exact)
        left = possible(engine, bonus)
        refuted = at_once is not None
        if left != bonus:
            at_once = one_each(left)
            refuted = at_once is not None and not fits(at_once)
            if at_once is not None and not refuted:
                return self._keep(listed, self._proposals(at_once))
        found, best = in_turn(left, fits, lambda rest: possible(engine, rest), refuted=refuted)
        if not best:
            engine.fix(base)
            exact = self._best_subset(left)
        return self._keep(listed, self._proposals(found) if best or exact is None else exact)

    def _proposals(self, chosen: Mapping[int, int]) -> set[Proposal]:
        return {(self._steps[i].slot, token) for i, token in chosen.items()}

    def _keep(self, listed: list[tuple[Proposal, float]], chosen: set[Proposal]) -> list[Proposal]:
        kept = [proposal for proposal, _ in listed if proposal in chosen]
        self._fix(kept)
        return kept

    def _best_subset(self, bonus: dict[int, dict[int, float]], *, or_fail: bool = False) -> set[Proposal] | None:
        """The compatible proposals of greatest weight; None if the canvas is too large to tell, which is an error with ``or_fail``."""
        if self._weighted is None:
            if self._followed is None:
                self._followed = self._few_followed()
            if self._followed is None:
                return None
            best = self._followed.best(self._followed.proposed(bonus))
            taken = () if best is None else enumerate(best[0])
            return {(self._steps[i].slot, token) for i, token in taken if token in bonus.get(i, ())}
        try:
            kept = self._weighted.best_commit(bonus)
        except LimitExceeded:
            if or_fail:
                raise
            return None
        return {(self._steps[i].slot, token) for i, token in (kept or {}).items()}

    def best_fill(self, log_probs: npt.ArrayLike) -> Fill | None:
        """The accepted filling of greatest summed log probability; None if there is none.

        Args:
            log_probs: float[holes, V], -inf for what must not be.

        """
        self._refuse_gaps()
        if self._weighted is not None:
            found = self._weighted.best_fill(log_probs)
        else:
            found = self._best_followed(self._weights(log_probs))
        return None if found is None else Fill([t for t in found[0] if t >= 0], found[1])

    def _best_followed(self, weights: npt.NDArray[np.float64]) -> tuple[list[int], float] | None:
        try:
            return self._layered.best(self._layered.weighted(weights))
        except LimitExceeded:
            if self._followed is not None and self._followed is not self._engine_in_use:
                self._followed.close()  # a joint commit asks one of fewer states, which is soon done
                self._followed = None
            raise

    def sample(self, log_probs: npt.ArrayLike, rng: np.random.Generator) -> Fill | None:
        """An accepted filling, drawn with probability proportional to the product of its tokens' probabilities; None if there is none.

        Raises:
            Unsupported: the canvas has gaps, or is large and the constraint ambiguous.

        """
        found = self.samples(log_probs, rng, 1)
        return found[0] if found else None

    def samples(self, log_probs: npt.ArrayLike, rng: np.random.Generator, count: int) -> list[Fill]:
        """Independent samples, for which sums are taken once; none if there is no accepted filling.  Errors as of ``sample``."""
        self._refuse_gaps()
        if self._weighted is not None and self._weighted.can_sample:
            drawn = list(islice(self._weighted.samples(log_probs, rng), count))
        else:
            weights, engine = self._weights(log_probs), self._summing
            drawn = [tokens for _ in range(count) if (tokens := engine.sample(weights, rng)) is not None]
        rows = np.asarray(log_probs)
        holes = [i for i, step in enumerate(self._steps) if step.hole]
        return [Fill(tokens, math.fsum(rows[k, tokens[i]] for k, i in enumerate(holes))) for tokens in drawn]

    def log_marginals(self, log_probs: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """float64[holes, V]: the log probability of each token in each hole, among accepted fillings; -inf throughout if there are none.

        Raises:
            Unsupported: the canvas has gaps, or is large and the constraint ambiguous or with registers.

        """
        self._refuse_gaps()
        if self._weighted is not None and self._weighted.deterministic:
            return self._weighted.log_marginals(log_probs)
        return self._summing.log_marginals(self._weights(log_probs))

    def log_mass(self, log_probs: npt.ArrayLike) -> float:
        """The log of the summed probability of all accepted fillings.

        Raises:
            Unsupported: the canvas has gaps, or is large and the constraint ambiguous or with registers.

        """
        self._refuse_gaps()
        if self._weighted is not None and self._weighted.deterministic:
            return self._weighted.log_mass(log_probs)
        return self._summing.log_mass(self._weights(log_probs))

    def min_slots(self) -> int | None:
        """The least number of tokens that the whole canvas can have, gaps being as short as may be; None if it cannot be filled."""
        if self._weighted is not None:
            return self._weighted.min_slots()
        if isinstance(self._engine, ParsedEngine) and not any(step.skippable for step in self._steps):
            return len(self._steps) if self.feasible() else None
        found = self._layered.best(self._layered.counted())
        return None if found is None else -int(found[1])

    def instance(self, stop: int) -> list[int] | None:
        """The tokens before slot ``stop`` in some filling, gaps being short and texts long where that is free.

        None if the canvas cannot be filled, or is too large for a filling to be found.
        """
        gaps = any(isinstance(slot, Gap) for slot in self.slots)
        row = np.zeros(self.constraint.vocab.size, np.float16)
        row[list(self.constraint.vocab.eos_ids)] = -1  # any filling does, but one with text says more
        try:
            if gaps and self._weighted is not None:
                tokens = self._weighted.fewest()
            elif gaps:
                found = self._layered.best(self._layered.counted())
                tokens = None if found is None else found[0]
            else:
                fill = self.best_fill(np.broadcast_to(row, (len(self.holes), len(row))))
                tokens = None if fill is None else fill.tokens
        except (LimitExceeded, Unsupported):
            return None
        if tokens is None:
            return None
        return [t for step, t in zip(self._steps, tokens, strict=True) if step.slot < stop and t >= 0]

    def explain(self, slot: int, token: int) -> SlotExplanation:
        """Whether a token may stand in a slot, and if not, why: in terms of the user's own schema or grammar, as ``Constraint.explain``.

        Costs a few questions of feasibility, and a filling.

        Raises:
            InvalidSource: the slot is a gap or not of the canvas.

        """
        self._step_of(slot)
        return explain(self, lambda slots: Lattice(self.constraint, slots, max_layer=self._max_layer), slot, token)

    # --- what the methods share -------------------------------------------------------------------------------------

    def _empty_rows(self, out: npt.NDArray[np.uint32] | None) -> npt.NDArray[np.uint32]:
        shape = (sum(step.hole for step in self._steps), self.constraint.vocab.words)
        if out is None:
            return np.zeros(shape, np.uint32)
        if out.shape != shape or out.dtype != np.uint32 or not out.flags.c_contiguous:
            raise InvalidSource(f"out must be a contiguous uint32 array of shape {shape}")
        out[:] = 0
        return out

    def _weights(self, log_probs: npt.ArrayLike) -> npt.NDArray[np.float64]:
        weights = np.asarray(log_probs, np.float64)
        shape = (sum(step.hole for step in self._steps), self.constraint.vocab.size)
        if weights.shape != shape:
            raise InvalidSource(f"log_probs must have the shape {shape}: a row for each hole, a column for each token")
        if np.isnan(weights).any() or (weights == np.inf).any():
            raise InvalidSource("log_probs must be numbers below infinity")
        return weights

    def _refuse_gaps(self) -> None:
        if any(step.token is None and not step.hole for step in self._steps):
            raise Unsupported("probabilities on a canvas with gaps", hint="use holes, one canvas for each length")

    @property
    def _summing(self) -> LayeredEngine:
        """The engine that sums where the canvas machine cannot: each filling is one path of states.

        Raises:
            Unsupported: the machine has several runs for a text, or registers, and there are too many states to follow.

        """
        if self._weighted is None:
            return self._layered
        if self._followed is None:
            self._followed = self._few_followed()
        if self._followed is None:
            raise Unsupported(
                "sums over the fillings of a canvas this large, of an ambiguous constraint or one with registers",
                hint="ask for a smaller window; masks, best_fill and commit serve this one",
            )
        return self._followed

    def _checked(self, proposals: Iterable[Proposal], weights: Sequence[float] | None) -> list[tuple[Proposal, float]]:
        listed = [(int(slot), int(token)) for slot, token in proposals]
        worth = [1.0] * len(listed) if weights is None else [float(w) for w in weights]
        if len(worth) != len(listed):
            raise InvalidSource(f"{len(listed)} proposals have {len(worth)} weights")
        for (slot, token), weight in zip(listed, worth, strict=True):
            if not weight > 0 or weight == np.inf:
                raise InvalidSource(f"the weight {weight} is not a positive number", where=f"slot {slot}")
            if not 0 <= token < self.constraint.vocab.size:
                raise InvalidSource(f"{token} is not a token id", where=f"slot {slot}")
            self._step_of(slot)
        return list(zip(listed, worth, strict=True))

    def _step_of(self, slot: int) -> int:
        """The one step of a slot that is no gap."""
        if not 0 <= slot < len(self.slots) or isinstance(self.slots[slot], Gap):
            raise InvalidSource("a token can only stand in a slot that is fixed or a hole", where=f"slot {slot}")
        return self._step_at[slot]

    def _fix(self, kept: Sequence[Proposal]) -> None:
        slots = list(self.slots)
        for slot, token in kept:
            slots[slot] = token
            self._steps[self._step_of(slot)] = Step(slot, token=token)
        self.slots = tuple(slots)
        if self._followed is not None:
            self._followed.fix(self._steps)
        if self._engine_in_use is not None and self._engine_in_use is not self._followed:
            self._engine_in_use.fix(self._steps)
        if self._weighted_in_use is not None:
            self._weighted_in_use.fix(self._steps)
