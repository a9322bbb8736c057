"""Why a token can or cannot stand in a slot, told in the user's own terms.

Opening a slot never loses a filling.  So everything right of the token is opened first: if the canvas cannot be filled even then, what is left of the token refuses
it, or the text does not end in so many slots.  Otherwise the slots are closed again from the left; the first one with which there is no filling any more is the one
that the token does not go with, and it is found by bisection.  Which of the two it is, refusal or want of slots, a gap behind the last slot tells.

The place in the source is that of an instance: a filling of what comes before, and what the constraint says of the next token after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from ...grammar.errors import LimitExceeded, Unsupported
from .slots import HOLE, Gap, Hole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from . import Lattice
    from .slots import Slot

    View = Callable[[Sequence[Slot]], Lattice]

MORE_SLOTS: Final = 256
"""Tokens beyond the canvas within which a text is looked for that needs more slots."""


@dataclass(frozen=True, slots=True)
class SlotExplanation:
    """The verdict on one token in one slot.

    Attributes:
        allowed: whether the token may stand in the slot.
        slot: the slot.
        token: the token.
        reason: one sentence.
        conflict: the slot right of it whose token it does not go with, where one is to blame.
        instance: what the constraint says at the place of the conflict after one of the texts that may stand before it.
        expected: what could have come there, as ranges of bytes in readable form.
        where: places in the user's schema or grammar that are in force there.

    """

    allowed: bool
    slot: int
    token: int
    reason: str
    conflict: int | None = None
    instance: str = ""
    expected: tuple[str, ...] = ()
    where: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The reason, an instance, what was expected, and where."""
        lines = [self.reason]
        if self.instance:
            lines.append(f"  for instance: {self.instance}")
        if self.expected:
            lines.append(f"  expected: {', '.join(self.expected)}")
        if self.where:
            lines.append(f"  in force: {', '.join(self.where)}")
        return "\n".join(lines)


class _Instance(NamedTuple):
    """See ``SlotExplanation``."""

    instance: str = ""
    expected: tuple[str, ...] = ()
    where: tuple[str, ...] = ()


class _Cause(NamedTuple):
    """Why slots cannot be filled; see ``SlotExplanation``."""

    reason: str
    conflict: int | None = None
    instance: _Instance = _Instance()


def explain(lattice: Lattice, view: View, slot: int, token: int) -> SlotExplanation:
    """Build the explanation; see ``Lattice.explain``.

    Args:
        lattice: the canvas.
        view: makes lattices of other slots under the same constraint.
        slot: a slot that is no gap.
        token: any token id.

    """
    held = lattice.slots[slot]
    name = _named(lattice, token)
    if not isinstance(held, (Hole, Gap)):
        return SlotExplanation(token == held, slot, token, f"slot {slot} is fixed to {_named(lattice, held)}")
    if isinstance(held, Hole) and held.allowed is not None and token not in held.allowed:
        return SlotExplanation(False, slot, token, f"{name} is not among the ids that slot {slot} allows")
    if not lattice.feasible():
        start = f"no filling of the canvas satisfies the constraint, with {name} in slot {slot} or without"
        return _because(slot, token, start, lambda: _cause(lattice, view, lattice.slots, -1))
    row = lattice.masks()[lattice.holes.index(slot)]
    if 0 <= token < lattice.constraint.vocab.size and int(row[token >> 5]) >> (token & 31) & 1:
        relaxed = (
            "" if lattice.exact else ", as far as can be told on so large a canvas without comparing keys or items"
        )
        return SlotExplanation(True, slot, token, f"{name} may stand in slot {slot}{relaxed}")
    start = f"{name} cannot stand in slot {slot}"
    vocab = lattice.constraint.vocab
    if not 0 <= token < vocab.size or (vocab.tokens[token] is None and token not in (*vocab.eos_ids, *vocab.pad_ids)):
        special = "it is never text: it is special, unused, or beyond the vocabulary"
        return SlotExplanation(False, slot, token, f"{start}: {special}")
    slots = (*lattice.slots[:slot], token, *lattice.slots[slot + 1 :])
    return _because(slot, token, start, lambda: _cause(lattice, view, slots, slot))


def _because(slot: int, token: int, start: str, cause: Callable[[], _Cause]) -> SlotExplanation:
    """The verdict with its cause, or without one where finding it would take too much."""
    try:
        found = cause()
    except (LimitExceeded, Unsupported):
        found = _Cause("no filling of the other slots goes with it")
    return SlotExplanation(False, slot, token, f"{start}: {found.reason}", found.conflict, *found.instance)


def _cause(lattice: Lattice, view: View, slots: Sequence[Slot], at: int) -> _Cause:
    """Why these slots cannot be filled.

    Args:
        lattice: the canvas, for the constraint.
        view: see ``explain``.
        slots: what cannot be filled.
        at: the slot of the token without which they could; -1 if there is none.

    """
    closed = [i for i in range(at + 1, len(slots)) if not isinstance(slots[i], Gap) and slots[i] != HOLE]

    def fillable(n: int) -> bool:
        """Whether there is a filling with the first n of these closed."""
        stop = closed[n - 1] + 1 if n else at + 1
        with view([*slots[:stop], *_opened(slots[stop:])]) as other:
            return other.feasible()

    if not fillable(0):
        if (short := _short(lattice, view, slots, at)) is not None:
            return short
        if at < 0:
            return _Cause("no text has so few tokens")
        return _Cause("no text that may stand before it goes on with it", None, _refused(lattice, view, slots, at))
    fits, fails = 0, len(closed)  # with all of them there is none
    while fails - fits > 1:
        middle = (fits + fails) // 2
        fits, fails = (middle, fails) if fillable(middle) else (fits, middle)
    conflict = closed[fails - 1]
    content = "what is allowed" if isinstance(slots[conflict], Hole) else _named(lattice, _token_in(slots[conflict]))
    if (short := _short(lattice, view, slots, conflict)) is not None:
        return short._replace(reason=f"with {content} in slot {conflict} {short.reason}", conflict=conflict)
    with_what = "it" if at >= 0 else "what stands before it"
    reason = f"{content} in slot {conflict} does not go with {with_what}"
    return _Cause(reason, conflict, _refused(lattice, view, slots, conflict))


def _opened(slots: Sequence[Slot]) -> list[Slot]:
    return [slot if isinstance(slot, Gap) else HOLE for slot in slots]


def _short(lattice: Lattice, view: View, slots: Sequence[Slot], last: int) -> _Cause | None:
    """That the text does not end in so many slots, if more slots behind slot ``last`` help; else None."""
    with view([*slots[: last + 1], Gap(0, len(slots) + MORE_SLOTS)]) as longer:
        if not longer.feasible():
            return None
        try:
            fewest = longer.min_slots()
        except (LimitExceeded, Unsupported):
            fewest = None
        begun = longer.instance(last + 1)
    if fewest is None or any(isinstance(slot, Gap) for slot in slots):
        room = sum(slot.most if isinstance(slot, Gap) else 1 for slot in slots[last + 1 :])
        reason = f"the text takes more than the {room} tokens that there is room for {f'behind slot {last}' if last >= 0 else 'in all'}"
    else:
        reason = f"the text takes at least {fewest} tokens, and the canvas has {len(slots)} slots"
    return _Cause(reason, None, _told(lattice, begun, lattice.constraint.vocab.eos_ids[0]))


def _refused(lattice: Lattice, view: View, slots: Sequence[Slot], at: int) -> _Instance:
    """One of the texts before slot ``at`` that do not go on with what stands there."""
    with view([*slots[:at], *_opened(slots[at:])]) as before:
        return _told(lattice, before.instance(at), _token_in(slots[at]))


def _told(lattice: Lattice, begun: Sequence[int] | None, token: int) -> _Instance:
    """What the constraint says of a token after others."""
    if begun is None:
        return _Instance()
    vocab = lattice.constraint.vocab
    text = b"".join(vocab.tokens[t] or b"" for t in begun).decode("utf-8", "backslashreplace")
    with lattice.constraint.session() as session:
        state = session.advance_tokens(session.start, begun)
        if not state:
            return _Instance()
        verdict = session.explain(state, token, text)
    if verdict.allowed and token not in vocab.eos_ids:
        return _Instance()
    return _Instance(verdict.reason, verdict.expected, verdict.where)


def _token_in(held: Slot) -> int:
    """A fixed token, or the first that a hole allows."""
    if isinstance(held, (Hole, Gap)):
        return min((isinstance(held, Hole) and held.allowed) or (-1,))
    return int(held)


def _named(lattice: Lattice, token: int) -> str:
    vocab = lattice.constraint.vocab
    data = vocab.tokens[token] if 0 <= token < vocab.size else None
    if data is not None:
        return repr(data.decode("utf-8", "backslashreplace"))
    return f"end-of-sequence ({token})" if token in vocab.eos_ids else f"token {token}"
