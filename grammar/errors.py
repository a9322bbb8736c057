"""Every error that Syntagma raises on purpose.

An error is data: what was wrong (``message``), where in the user's own text (``where``: a JSON
pointer, a line and column, a file), and what to do about it (``hint``).  Three families tell a
caller what kind of thing happened without reading the text: the user's input is wrong
(``InvalidSource``), it is right but not supported (``Unsupported``), or a stated limit was hit
(``LimitExceeded``).
"""

from __future__ import annotations

import errno
from typing import Self

FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""The numbers of an ``OSError`` that says that there is no more room: on the disk, in a file, of a quota."""


def joined(place: str, inner: str) -> str:
    """A place within the part that lies at ``place``: ``parts/1`` and ``#/type`` are ``parts/1#/type``."""
    if inner.startswith("#"):
        return f"{place}{inner}"
    return f"{place}: {inner}" if " " in inner else f"{place}/{inner}"


class SyntagmaError(Exception):
    """Base class of every deliberate error.

    Attributes:
        message: what was wrong, one sentence.
        where: the place in the user's text (a JSON pointer such as ``#/properties/a``, or
            ``line 3, column 7``), or ``None`` where there is no text.
        hint: what to do about it, or ``None``.
        excerpt: the lines of the user's text around the place with a mark under it, or ``None``.

    """

    def __init__(
        self, message: str, *, where: str | None = None, hint: str | None = None, excerpt: str | None = None
    ) -> None:
        """Build the printed form ``where: message. hint`` from its parts, with the excerpt below it."""
        self.message = message
        self.where = where
        self.hint = hint
        self.excerpt = excerpt
        super().__init__(self._text())

    def _text(self) -> str:
        text = self.message if self.where is None else f"{self.where}: {self.message}"
        if self.hint is not None:
            text = f"{text}. {self.hint}"
        return text if self.excerpt is None else f"{text}\n{self.excerpt}"

    def within(self, place: str) -> Self:
        """The same error, in a part that lies at ``place``: its own place comes after that."""
        self.where = place if self.where is None else joined(place, self.where)
        self.args = (self._text(),)
        return self


class InvalidSource(SyntagmaError, ValueError):
    """The schema, grammar, pattern or option is wrong in itself."""


class Unsatisfiable(InvalidSource):
    """The source is well formed, and nothing can ever satisfy it."""


class Unsupported(SyntagmaError, NotImplementedError):
    """The source is right, and Syntagma refuses a part of it by name rather than ignore it."""


class LimitExceeded(SyntagmaError):
    """A stated limit was hit.

    Attributes:
        limit: the limit's name, as it is spelled in the option that raises it.
        value: the limit in force.

    """

    def __init__(
        self,
        message: str,
        *,
        limit: str,
        value: float,
        where: str | None = None,
        hint: str | None = None,
        excerpt: str | None = None,
    ) -> None:
        """Name the limit and the value that was in force."""
        self.limit = limit
        self.value = value
        super().__init__(message, where=where, hint=hint, excerpt=excerpt)


class StaleState(SyntagmaError, LookupError):
    """A state was used after the scope that it belongs to was closed."""


class BudgetTooSmall(SyntagmaError, ValueError):
    """No complete output fits the token budget.

    Attributes:
        budget: the tokens that were allowed.
        needed: a number of tokens that is enough.

    """

    def __init__(self, *, budget: int, needed: int) -> None:
        """Say how many tokens are enough."""
        self.budget = budget
        self.needed = needed
        super().__init__(
            f"{budget} tokens cannot hold a complete output; {needed} are enough",
            hint=f"raise max_new_tokens to at least {needed}",
        )


class NoOutput(SyntagmaError):
    """A method that weighs whole outputs has found none that passes its check."""


class WriteFailed(SyntagmaError, OSError):
    """A file that was asked for could not be written: the disk is full, a quota is used up, access is denied."""

    @classmethod
    def of(cls, error: OSError, where: object) -> WriteFailed:
        """The same error, with the file's name in words."""
        failed = cls(
            f"the file cannot be written: {error.strerror or error}",
            where=str(where),
            hint="make room, or choose another disk" if error.errno in FULL else None,
        )
        failed.errno = error.errno
        return failed


class TokenizerError(SyntagmaError, ValueError):
    """A tokenizer whose tokens have no exact bytes, or a file that is not a tokenizer."""


class TokenizerWarning(UserWarning):
    """A tokenizer that changes its input (a normaliser) although its tokens have exact bytes."""
