"""What a canvas is made of: fixed tokens, holes and gaps; and the steps that they unroll to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ...grammar.errors import InvalidSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Hole:
    """Exactly one token; any if ``allowed`` is None, else one of those ids."""

    allowed: frozenset[int] | None = None

    def __init__(self, allowed: Iterable[int] | None = None) -> None:
        """Take the ids that may fill the hole."""
        object.__setattr__(self, "allowed", None if allowed is None else frozenset(int(t) for t in allowed))


@dataclass(frozen=True, slots=True)
class Gap:
    """Between ``least`` and ``most`` tokens, any."""

    least: int
    most: int


HOLE: Final = Hole()
"""A hole that any token may fill."""

Slot = int | Hole | Gap


@dataclass(frozen=True, slots=True)
class Step:
    """One token of the unrolled canvas.

    Attributes:
        slot: the slot that it comes from.
        token: the fixed token, None where it is open.
        allowed: the ids that may stand there, None for any.
        skippable: whether it may be left out.
        hole: whether it is a hole, which has a row of masks and of log probabilities.

    """

    slot: int
    token: int | None = None
    allowed: frozenset[int] | None = None
    skippable: bool = False
    hole: bool = False


def unroll(slots: Sequence[Slot], size: int) -> list[Step]:
    """The steps of a canvas over a vocabulary of ``size`` tokens.

    Raises:
        InvalidSource: a slot is no token id, hole or gap, or names a token that there is not.

    """
    steps: list[Step] = []
    for i, slot in enumerate(slots):
        if isinstance(slot, Hole):
            if slot.allowed is not None and not all(0 <= t < size for t in slot.allowed):
                raise InvalidSource(f"{slot!r} allows ids outside the vocabulary's {size}", where=f"slot {i}")
            steps.append(Step(i, allowed=slot.allowed, hole=True))
        elif isinstance(slot, Gap):
            if not 0 <= slot.least <= slot.most:
                raise InvalidSource(f"{slot} has bounds that no number lies between", where=f"slot {i}")
            steps += [Step(i, skippable=k >= slot.least) for k in range(slot.most)]
        elif isinstance(slot, (int, np.integer)) and not isinstance(slot, bool) and 0 <= slot < size:
            steps.append(Step(i, token=int(slot)))
        else:
            raise InvalidSource(f"{slot!r} is not a token id, HOLE, Hole or Gap", where=f"slot {i}")
    return steps


def may_hold(step: Step, token: int) -> bool:
    """Whether a step may hold a token, whatever the constraint says."""
    return step.token == token or (step.token is None and (step.allowed is None or token in step.allowed))
