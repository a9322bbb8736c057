"""What a check is that no automaton can make."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple, Protocol, TypeAlias

ResidualState: TypeAlias = Any
"""An immutable, hashable value, never ``None``: what the check remembers of a text.  A fork is the same value twice."""


class Complaint(NamedTuple):
    """Why a whole text does not pass.

    Attributes:
        message: in the check's own words.
        at: the last byte that it is about; None if the check names none.

    """

    message: str
    at: int | None = None


class Guards(NamedTuple):
    """Guards of which some count only behind others: in a JSON string its end does, and behind that also the end of an array.

    Attributes:
        first: more text without any of these bytes never is dead.
        behind: more guards, of a text that has one of these.

    """

    first: bytes
    behind: bytes

    @classmethod
    def of(cls, guards: bytes | Guards) -> Guards:
        """Plain bytes, all of them first, or what is of this kind already."""
        return guards if isinstance(guards, Guards) else cls(guards, b"")

    def cut(self, text: bytes) -> int:
        """The length of a text up to its last guard; 0 if it has none of the first."""
        if not any(byte in self.first for byte in text):
            return 0
        return next(
            end for end in range(len(text), 0, -1) if text[end - 1] in self.first or text[end - 1] in self.behind
        )


class Residual(Protocol):
    """A check of texts that grow byte by byte; pure, so that particles, beams and retries share it.

    A residual answers *dead*, *alive* or *done* of a text: ``advance`` gives ``None``, or a state; and ``may_end`` of that state.
    Dead is for ever: no text that begins with a dead one may be accepted.  The converse is not promised.  A check that calls
    texts alive which cannot be completed stays sound, and costs weight: samplers find out later.
    """

    @property
    def start(self) -> Hashable:
        """The state of the empty text."""
        ...

    def advance(self, state: ResidualState, data: bytes, /) -> ResidualState | None:
        """The state after more text; ``None`` if the text is dead.  ``state`` stays usable.

        Advancing by two texts is advancing by both joined.
        """
        ...

    def may_end(self, state: ResidualState, /) -> bool:
        """Whether the text so far passes as a whole."""
        ...

    def guards(self, state: ResidualState, /) -> bytes | Guards | None:
        """The bytes at which the verdict can change: more text without any of them never is dead.

        ``None`` stands for every byte.  What follows the last guard of a token must not matter to its verdict, for all tokens that
        are equal up to there share one: the fewer guards, the fewer calls.  A token may pass several places at which a verdict can
        change; where those behind the first have other guards, see ``Guards``.
        """
        ...


def complaint(residual: Residual, text: bytes) -> Complaint | None:
    """What a residual has against a whole text; None if it passes.

    A residual that has a method ``complaint(text)`` says so itself; any other is advanced over the text.
    """
    own = getattr(residual, "complaint", None)
    if own is not None:
        found: Complaint | None = own(text)
        return found
    state = residual.advance(residual.start, text)
    if state is not None and residual.may_end(state):
        return None
    return Complaint(f"{type(residual).__name__} refuses the text")
