"""The loop of denoising under a constraint.

A pass of the model gives logits for every slot.  The lattice says which tokens each open slot can have, which makes the laws that
the policy sees; the policy says which slots to reveal; the lattice commits those of the proposals that go together.  What is
certain is committed before the model is asked.

Invariant: before and after every step some completion of exactly the remaining slots satisfies the constraint.  So nothing is ever
drawn and thrown away, there is no dead end, no search with a time limit, and no repair at the end.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from time import perf_counter
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...grammar.errors import InvalidSource
from .beliefs import Beliefs, decided_slots, guesses, log_probabilities
from .checked import CheckedCanvas
from .policies.adablock import AdaBlock
from .policies.policy import Decision, asks, checked_decision, highest
from .result import Costs, Denoising, Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .beliefs import Decided, Reals
    from .canvas import Canvas
    from .model import Ids, Scores
    from .passes import Decoding
    from .policies.policy import UnmaskPolicy
    from .result import Event


@dataclass(slots=True)
class Track:
    """One canvas on its way, and where its schedule stands.

    Attributes:
        canvas: its slots.
        block: the active block; empty before the first, and before a block whose end depends on the model.
        block_step: passes spent on the block.
        block_steps: passes planned for it.
        step: passes spent on the canvas.
        frames: see ``Denoising``.
        n_forced: slots that were certain.
        n_steps: see ``Denoising``.
        n_resamples: see ``Denoising``.

    """

    canvas: Canvas
    block: tuple[int, int] = (0, 0)
    block_step: int = 0
    block_steps: int = 1
    step: int = 0
    frames: list[Frame] = field(default_factory=list)
    n_forced: int = 0
    n_steps: int = 0
    n_resamples: int = 0

    @property
    def done(self) -> bool:
        """Whether nothing is open."""
        return not self.canvas.open.any()

    def copy(self) -> Track:
        """Another track that goes on from here on its own."""
        return replace(self, canvas=self.canvas.copy(), frames=list(self.frames))


class Decoder:
    """Denoises one canvas: what is the same for all of its steps."""

    def __init__(
        self,
        prompt: Ids,
        policy: UnmaskPolicy,
        *,
        block: int | AdaBlock | None,
        beyond: Literal["holes", "gap"],
        steps: int | None,
        temperature: float,
        seed: int,
        on_step: Callable[[Frame], object] | None = None,
    ) -> None:
        """Keep the options; ``diffuse`` has checked them."""
        self.prompt = prompt
        self.policy = policy
        self.block = block
        self.beyond = beyond
        self.steps = steps or 0
        self.total = 1
        self.temperature = temperature
        self.rng = np.random.default_rng(seed)
        self.costs = Costs()
        self._on_step = on_step
        self._told = 0

    # --- a whole decoding -------------------------------------------------------------------------------------------

    def start(self, canvas: Canvas) -> Track:
        """Lay out the schedule, and commit what is certain before the model has said anything."""
        track = Track(canvas)
        self._settle(track, {})
        self.total = max(1, int(canvas.open.sum()))
        self.steps = self.steps or self.total
        self.tell(track)
        return track

    def tell(self, track: Track) -> None:
        """Show the caller the frames that are new on a track which is not a draft."""
        if self._on_step is not None:
            for frame in track.frames[self._told :]:
                self._on_step(frame)
            self._told = len(track.frames)

    def run(self, track: Track) -> Decoding:
        """Step until nothing is open, and as long after that as the policy edits."""
        posts = asks(self.policy, "post_steps")
        while True:
            while not track.done:
                self.enter_block(track)
                if not track.done:
                    answer = yield [track]
                    self.step(track, *answer)
                    self.tell(track)
            if posts == 0:
                return track
            posts -= 1
            track.block = (0, len(track.canvas))
            track.canvas.narrow(None)
            answer = yield [track]
            if not self.step(track, *answer, post=True):
                return track
            self.tell(track)

    def rows(self, tracks: list[Track]) -> Ids:
        """int64[tracks, length]: what the model reads of some canvases of the same block."""
        reach = self.length(tracks) - len(self.prompt)
        return np.stack([np.concatenate([self.prompt, t.canvas.ids[:reach]]) for t in tracks])

    def length(self, tracks: list[Track]) -> int:
        """How many ids that is for each."""
        return len(self.prompt) + (tracks[0].block[1] if self.beyond == "gap" else len(tracks[0].canvas))

    # --- blocks -----------------------------------------------------------------------------------------------------

    def enter_block(self, track: Track) -> None:
        """Go on to the next block with open slots, if the present one has none."""
        canvas = track.canvas
        while not track.done and not canvas.open[slice(*track.block)].any():
            start, length = track.block[1], len(canvas)
            if isinstance(self.block, AdaBlock):  # its end is found in ``step``, from the model's proposals
                start += int(np.argmax(canvas.open[start:]))
                track.block = (start, self.block.reach(start, length) or length)
                track.block_step = -1
                return
            stop = length if self.block is None else min(length, start + self.block)
            self._begin_block(track, start, stop)
            if self.beyond == "gap":
                with self._timed("constraint"):
                    canvas.narrow(stop)
                self._settle(track, {})

    def _begin_block(self, track: Track, start: int, stop: int) -> None:
        track.block = (start, stop)
        track.block_step = 0
        open_slots = int(track.canvas.open[start:stop].sum())
        track.block_steps = max(1, round(self.steps * open_slots / self.total))

    def _find_block_end(self, track: Track, rule: AdaBlock, scores: Scores, row: int) -> None:
        start, length = track.block[0], len(track.canvas)
        track.block = (start, rule.reach(start, length))
        beliefs = self.beliefs(track, scores, row, beyond=False)
        stop = rule.stop(beliefs, start, length, track.canvas.constraint.vocab)
        self._begin_block(track, start, stop)

    # --- one step ---------------------------------------------------------------------------------------------------

    def step(self, track: Track, scores: Scores, row: int, *, post: bool = False) -> bool:
        """Decide, commit, and commit what has become certain; whether anything changed."""
        if track.block_step < 0 and isinstance(self.block, AdaBlock):
            self._find_block_end(track, self.block, scores, row)
        beliefs = self.beliefs(track, scores, row, beyond=bool(asks(self.policy, "looks_beyond")))
        with self._timed("sampling"):
            decision = checked_decision(self.policy.decide(beliefs), beliefs)
        may_reopen = post or track.step < self.steps  # after its plan a policy only reveals, so that decoding ends
        events: dict[Event, list[int]] = {}
        before = track.canvas.ids.copy()
        track.canvas.says = lambda slots: self._law(track, scores, row, slots)
        with self._timed("constraint"):
            if may_reopen:
                self._remask(track, decision, events)
                self._edit(track, decision, beliefs.decided, events)
            if len(beliefs):
                self._reveal(track, decision, beliefs, events)
        track.step += 1
        track.block_step += 1
        changed = bool((track.canvas.ids != before).any())
        if changed:
            track.n_steps += 1
            self._settle(track, events)
        elif not post:
            track.n_resamples += 1
            self._rescue(track, beliefs, events)
        track.canvas.says = None
        return changed

    def beliefs(self, track: Track, scores: Scores, row: int, *, beyond: bool) -> Beliefs:
        """The laws of the open slots of the block, or of all that the lattice's window holds."""
        canvas, (start, stop) = track.canvas, track.block
        with self._timed("constraint"):
            slots = canvas.open_slots()
            masks = canvas.masks() if len(slots) else np.zeros((0, 1), np.uint32)
        in_block = (slots >= start) & (slots < stop)
        if not beyond:
            slots, masks, in_block = slots[in_block], masks[in_block], in_block[in_block]
        with self._timed("model"):
            rows = scores.rows(row, slots + len(self.prompt)) if len(slots) else np.zeros((0, 1), np.float32)
        with self._timed("sampling"):
            found = guesses(rows, masks, self.temperature, self.rng)
            vocab = canvas.constraint.vocab
            left = int(in_block.sum())
            return Beliefs(
                slots=slots,
                **found._asdict(),
                in_block=in_block,
                block=track.block,
                quota=-(-left // max(1, track.block_steps - track.block_step)),
                step=track.step,
                steps=self.steps,
                ends=np.isin(found.tokens, vocab.eos_ids),
                decided=self._decided(track, scores, row),
                rng=self.rng,
            )

    def _decided(self, track: Track, scores: Scores, row: int) -> Decided | None:
        if not asks(self.policy, "reads_decided"):
            return None
        canvas, (start, stop) = track.canvas, track.block
        slots = np.flatnonzero(~canvas.open[start:stop] & ~canvas.given[start:stop]).astype(np.int64) + start
        rows = scores.rows(row, slots + len(self.prompt)) if len(slots) else np.zeros((0, 1), np.float32)
        return decided_slots(rows, slots, canvas.ids[slots], canvas.confidence[slots], canvas.mask_id)

    def _remask(self, track: Track, decision: Decision, events: dict[Event, list[int]]) -> None:
        slots = self._own(track, decision.remask)
        if len(slots):
            track.canvas.reopen(slots)
            _note(events, "remask", slots)

    def _own(self, track: Track, slots: Ids) -> Ids:
        """Those of some slots that a policy may change: decided ones of the block, the caller's left out."""
        canvas, (start, stop) = track.canvas, track.block
        own = ~canvas.open & ~canvas.given
        return np.array([i for i in np.unique(slots).tolist() if start <= i < stop and own[i]], np.int64)

    def _edit(self, track: Track, decision: Decision, decided: Decided | None, events: dict[Event, list[int]]) -> None:
        """Open the slots, propose the new tokens, then the old ones where a new one was refused; what neither suits stays open."""
        slots = self._own(track, decision.edits)
        if not len(slots) or decided is None:
            return
        canvas = track.canvas
        at = np.searchsorted(decided.slots, slots)
        known = decided.proposals[at] < canvas.constraint.vocab.size
        slots, at = slots[known], at[known]
        canvas.reopen(slots)
        new = canvas.commit(slots, decided.proposals[at], decided.proposal_probability[at])
        old = slots[~new]
        kept = canvas.commit(old, decided.tokens[at[~new]], decided.confidence[at[~new]])
        _note(events, "edit", slots[new])
        _note(events, "remask", old[~kept])

    def _reveal(self, track: Track, decision: Decision, beliefs: Beliefs, events: dict[Event, list[int]]) -> None:
        canvas = track.canvas
        if decision.fill:
            _note(events, "fill", canvas.fill(canvas.law(canvas.open_slots())))
            return
        reveal = decision.reveal & beliefs.in_block
        if not reveal.any():
            reveal = highest(beliefs.confidence, 1, beliefs.in_block)
        if decision.end is not None:
            end = int(np.searchsorted(beliefs.slots, decision.end))
            kept = canvas.commit(
                beliefs.slots[end : end + 1], beliefs.tokens[end : end + 1], beliefs.confidence[end : end + 1]
            )
            _note(events, "reveal", beliefs.slots[end : end + 1][kept])
            reveal &= beliefs.slots < decision.end
        chosen = np.flatnonzero(reveal)
        kept = canvas.commit(beliefs.slots[chosen], beliefs.tokens[chosen], beliefs.confidence[chosen])
        _note(events, "reveal", beliefs.slots[chosen[kept]])

    def _rescue(self, track: Track, beliefs: Beliefs, events: dict[Event, list[int]]) -> None:
        """Where masks are a relaxation, all proposals may be refused: the best slot of a completion that is verified goes in."""
        canvas = track.canvas
        with self._timed("constraint"):
            slots = canvas.open_slots()
            law = canvas.law(slots)
            tokens = canvas.best(law)
            if tokens is None:
                raise AssertionError("no proposal was kept, and there is no completion at hand")
            best = int(np.argmax(np.where(beliefs.in_block, beliefs.confidence, -1)))
            at = slots == beliefs.slots[best]
            kept = canvas.commit(slots[at], tokens[at], np.exp(law[at, tokens[at]]))
            filled = slots[at] if kept.all() else canvas.fill(law)
        _note(events, "reveal" if kept.all() else "fill", filled)
        self._settle(track, events)

    def _law(self, track: Track, scores: Scores, row: int, slots: Ids) -> Reals:
        """float64[k, V]: log probabilities of some slots; where the model does not see them, all tokens are alike."""
        size = track.canvas.constraint.vocab.size
        law = np.zeros((len(slots), size))
        seen = slots < self.length([track]) - len(self.prompt)
        if seen.any():
            law[seen] = log_probabilities(scores.rows(row, slots[seen] + len(self.prompt)), size)
        return law

    def _settle(self, track: Track, events: dict[Event, list[int]]) -> None:
        with self._timed("constraint"):
            forced, tail = track.canvas.settle()
        track.n_forced += len(forced)
        _note(events, "forced", forced)
        _note(events, "tail", tail)
        if events or not track.frames:
            track.frames.append(Frame(track.canvas.ids.copy(), events, self.costs.n_forward))

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began = perf_counter()
        try:
            yield
        finally:
            self.costs.seconds[what] += perf_counter() - began

    # --- the result -------------------------------------------------------------------------------------------------

    def finish(self, track: Track) -> Denoising:
        """Check the canvas token by token, and report."""
        self.tell(track)
        canvas = track.canvas
        vocab = canvas.constraint.vocab
        with self._timed("constraint"), canvas.constraint.session() as session:
            state = session.start
            for token in canvas.ids.tolist():
                state = session.advance(state, token)
            if not session.is_accepting(state):
                raise AssertionError("the completed canvas does not satisfy the constraint")
        if isinstance(canvas, CheckedCanvas) and canvas.fails_at(canvas.ids) is not None:
            raise AssertionError("the completed canvas does not pass the check")
        ends = np.isin(canvas.ids, vocab.eos_ids)
        tokens = canvas.ids[: int(np.argmax(ends))].tolist() if ends.any() else canvas.ids.tolist()
        data = b"".join(vocab.tokens[t] or b"" for t in tokens)
        return Denoising(
            text=data.decode("utf-8", errors="replace"),
            data=data,
            tokens=tokens,
            ids=canvas.ids.copy(),
            mask_id=canvas.mask_id,
            history=track.frames,
            n_steps=track.n_steps,
            n_forward=self.costs.n_forward,
            n_canvases=self.costs.n_canvases,
            n_forced=track.n_forced,
            n_rejected=canvas.n_rejected,
            n_resamples=track.n_resamples,
            model_seconds=self.costs.seconds["model"],
            constraint_seconds=self.costs.seconds["constraint"],
            sampling_seconds=self.costs.seconds["sampling"],
        )


def _note(events: dict[Event, list[int]], event: Event, slots: Ids) -> None:
    if len(slots):
        events[event] = sorted([*events.get(event, []), *slots.tolist()])


def check_schedule(*, temperature: object, steps: object, block: object, seed: object) -> None:
    """Refuse a schedule that cannot be followed.

    Raises:
        InvalidSource: a number is none, or out of its range.

    """
    if not isinstance(temperature, Real) or not 0 <= float(temperature) < np.inf:
        raise InvalidSource(f"temperature {temperature!r} is not a finite number from 0 up", where="temperature")
    if steps is not None and not is_whole(steps, 1):
        raise InvalidSource(f"{steps!r} steps reveal nothing", where="steps", hint="give a whole number from 1 up")
    if block is not None and not isinstance(block, AdaBlock) and not is_whole(block, 1):
        raise InvalidSource(
            f"a block of {block!r} slots holds nothing",
            where="block",
            hint="give a whole number from 1 up, or AdaBlock()",
        )
    if not is_whole(seed, 0):
        raise InvalidSource(f"seed {seed!r} is not a whole number from 0 up", where="seed")


def is_whole(value: object, least: int) -> bool:
    """Whether a value is a whole number, and no smaller than it may be."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least
