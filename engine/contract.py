"""What a decoder needs of a constraint, and nothing more.

The floor below provides it (``automata``), and so may anyone else: decoders are written against
these protocols, and the laws behind them are those of the conformance function.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt

Mask: TypeAlias = npt.NDArray[np.uint32]
"""uint32[ceil(V / 32)]: token t is allowed iff bit ``t & 31`` of word ``t >> 5`` is set."""

DEAD = 0
"""The state from which nothing is accepted."""


class Vocab(Protocol):
    """The tokens of a constraint."""

    @property
    def size(self) -> int:
        """Number of token ids, holes included."""
        ...

    @property
    def eos_ids(self) -> Sequence[int]:
        """Every id that ends a text."""
        ...

    @property
    def pad_ids(self) -> Sequence[int]:
        """Every id that only fills rows up after the end."""
        ...

    @property
    def tokens(self) -> Sequence[bytes | None]:
        """The text of every token; ``None`` for one that is never text."""
        ...


class States(Protocol):
    """Pure questions about states, which are integers; 0 is the dead one."""

    @property
    def start(self) -> int:
        """The state before the first token; 0 if nothing at all is accepted."""
        ...

    def advance(self, state: int, token: int, /) -> int:
        """The state after a token; 0 if the token is not allowed."""
        ...

    def mask(self, state: int, out: Mask | None = None, budget: int | None = None) -> Mask:
        """The allowed tokens; end-of-sequence iff the state is accepting.

        With a budget: only tokens after which the text can still be completed within it.
        """
        ...

    def is_accepting(self, state: int, /) -> bool:
        """Whether the text so far is complete."""
        ...

    def is_final(self, state: int, /) -> bool:
        """Whether nothing but end-of-sequence may follow."""
        ...

    def finish_bound(self, state: int, /) -> int:
        """A number of tokens that is enough to complete the text, end-of-sequence not counted."""
        ...

    def fits(self, state: int, budget: int, /) -> bool:
        """Whether ``finish_bound(state) <= budget``; may be cheaper than the bound itself."""
        ...

    def forced_token(self, state: int, /) -> int | None:
        """The one allowed token, end-of-sequence included, or ``None``."""
        ...


class Session(States, Protocol):
    """A scope for states: they die when it is closed."""

    def __enter__(self) -> Self:
        """Open the scope."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool | None:
        """Free every state of the scope."""
        ...


class Constraint(States, Protocol):
    """A compiled constraint."""

    @property
    def vocab(self) -> Vocab:
        """The tokens that masks speak of."""
        ...

    def session(self) -> Session:
        """Open a scope for the states of one generation."""
        ...
