"""Any callable as a check, and several checks as one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...grammar.errors import InvalidSource
from .protocol import Complaint, Guards, complaint

if TYPE_CHECKING:
    from .protocol import Residual, ResidualState


class TextCheck:
    """A check whose state is the text itself: pure, and the least to write.

    A subclass says in ``passes`` whether a text that may go on, or (``complete``) one that is to end, is alright.  It is asked
    wherever a guard came, and sees the text up to there.

    Attributes:
        guard_bytes: see ``Residual.guards``; ``None`` for every byte, empty if only complete texts are judged.

    """

    guard_bytes: bytes | None = None

    @property
    def start(self) -> bytes:
        """The empty text."""
        return b""

    def advance(self, state: bytes, data: bytes) -> bytes | None:
        """The longer text; ``None`` if it does not pass at one of the guards in ``data``, each judged in its turn."""
        text = state + data
        if self.guard_bytes is None:
            return text if self.passes(text, complete=False) else None
        for at in range(len(state), len(text)):
            if text[at] in self.guard_bytes and not self.passes(text[: at + 1], complete=False):
                return None
        return text

    def may_end(self, state: bytes) -> bool:
        """Whether the text passes as a whole."""
        return self.passes(state, complete=True)

    def guards(self, state: bytes) -> bytes | None:  # noqa: ARG002 - the protocol's signature
        """The same everywhere."""
        return self.guard_bytes

    def passes(self, text: bytes, *, complete: bool) -> bool:
        """Whether a text is alright so far, or, if it is complete, altogether."""
        raise NotImplementedError

    def complaint(self, text: bytes) -> Complaint | None:
        """What is wrong with a whole text; its beginnings need not be asked about, since what is refused does not begin what passes."""
        return None if self.passes(text, complete=True) else Complaint(f"{type(self).__name__} refuses the text")


class Check(TextCheck):
    """A function of the text.

    Args:
        function: ``f(text, complete)``, or ``f(text)`` of complete texts alone; true if the text is alright.  The text is a string,
            cut in front of a character that is not whole yet; bytes of a complete text that are no characters are replaced.  It has to be a pure function, and a text that it has
            refused must not be the beginning of one that it accepts.
        guards: the bytes after which it is asked about an incomplete text; by default after every token.

    Raises:
        InvalidSource: the function takes neither one nor two arguments, or gives no verdict when it is called.

    """

    def __init__(self, function: Callable[..., Any], *, guards: bytes | None = None) -> None:
        takes_both, takes_text = _takes(function, "", False), _takes(function, "")
        if not (takes_both or takes_text):
            raise InvalidSource("the function takes neither (text) nor (text, complete)", where="check")
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise InvalidSource(
                "a coroutine or a generator says nothing when it is called", where="check", hint="return True or False"
            )
        whole = not takes_both
        if whole and guards is not None:
            raise InvalidSource(
                "a check of complete texts has no guards", where="guards", hint="give it (text, complete)"
            )
        self._function = function
        self._whole = whole
        self.guard_bytes = b"" if whole else guards

    def passes(self, text: bytes, *, complete: bool) -> bool:
        """Ask the function."""
        if self._whole:
            return not complete or bool(self._function(text.decode("utf-8", "replace")))
        return bool(self._function(text.decode("utf-8", "replace") if complete else whole_characters(text), complete))


def _takes(function: Callable[..., Any], *arguments: object) -> bool:
    try:
        inspect.signature(function).bind(*arguments)
    except (TypeError, ValueError):  # another number of arguments; a function of C that does not say
        return False
    return True


def whole_characters(text: bytes) -> str:
    """The text as a string, without a character at its end that is not whole yet."""
    for back in range(1, min(4, len(text)) + 1):
        byte = text[-back]
        if byte & 0xC0 != 0x80:  # no continuation: the first byte of the last character
            length = 1 if byte < 0xC0 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return (text if length <= back else text[:-back]).decode("utf-8", "replace")
    return text.decode("utf-8", "replace")


class All:
    """Several residuals as one: dead where one is, done where all are."""

    def __init__(self, *parts: Residual) -> None:
        if not parts:
            raise InvalidSource("there is nothing to check", where="parts")
        self._parts: Sequence[Residual] = parts

    @property
    def start(self) -> tuple[ResidualState, ...]:
        """The starts of all."""
        return tuple(part.start for part in self._parts)

    def advance(self, state: tuple[ResidualState, ...], data: bytes) -> tuple[ResidualState, ...] | None:
        """Advance all, the first ones first: put the cheap ones there."""
        after = []
        for part, old in zip(self._parts, state, strict=True):
            new = part.advance(old, data)
            if new is None:
                return None
            after.append(new)
        return tuple(after)

    def may_end(self, state: tuple[ResidualState, ...]) -> bool:
        """Whether the text passes all of them."""
        return all(part.may_end(old) for part, old in zip(self._parts, state, strict=True))

    def complaint(self, text: bytes) -> Complaint | None:
        """What the first one says that does not pass."""
        return next((found for part in self._parts if (found := complaint(part, text)) is not None), None)

    def guards(self, state: tuple[ResidualState, ...]) -> bytes | Guards | None:
        """The guards of all."""
        found = []
        for part, old in zip(self._parts, state, strict=True):
            guards = part.guards(old)
            if guards is None:
                return None
            found.append(Guards.of(guards))
        first, behind = (bytes(sorted({byte for part in parts for byte in part})) for parts in zip(*found, strict=True))
        return Guards(first, behind) if behind else first
