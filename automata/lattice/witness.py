"""Fillings that are checked against the constraint itself, where its canvas machine takes more than the constraint does.

Registers (keys and items that must differ) are beyond the machine.  So a best filling of the machine's is read by the constraint; if that
takes it, nothing of the constraint's is better.  If not, the open token at or before the place where it fails is struck out there, and
the best of what is left is tried: then the filling that is found is one of the constraint's, and may be beaten by one whose token
was struck out for the company it was in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ...grammar.errors import LimitExceeded
from .class_weights import NO_TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..constraint import Constraint
    from .units import Struck

MOST_TRIES: Final = 64
"""Fillings that are tried."""

TRIES: Final = "MOST_TRIES"


class Witness(NamedTuple):
    """A filling that the constraint takes.

    Attributes:
        tokens: the token of each step, NO_TOKEN where one is left out.
        best: whether none is better.

    """

    tokens: list[int]
    best: bool


def fails_at(constraint: Constraint, tokens: Sequence[int]) -> int | None:
    """The step at which a filling stops being one of the constraint's, None if it is one."""
    with constraint.session() as session:
        state = session.start
        last = 0
        for i, token in enumerate(tokens):
            if token == NO_TOKEN:
                continue
            state, last = session.advance(state, token), i
            if not state:
                return i
        return None if session.is_accepting(state) else last


def witness(
    constraint: Constraint, fixed: Sequence[bool], propose: Callable[[Struck], list[int] | None]
) -> Witness | None:
    """A filling of the constraint's; None if the machine has none.

    Args:
        constraint: the constraint.
        fixed: for each step, whether its token is fixed.
        propose: the best filling of the machine's without some tokens at some steps, None if there is none.

    Raises:
        LimitExceeded: none was found in ``MOST_TRIES`` tries, or before everything was struck out.

    """
    struck: set[tuple[int, int]] = set()
    for _ in range(MOST_TRIES):
        tokens = propose(struck)
        if tokens is None:
            if not struck:
                return None
            break
        at = fails_at(constraint, tokens)
        if at is None:
            return Witness(tokens, best=not struck)
        left_out = NO_TOKEN in tokens[: at + 1]
        while at >= 0 and (fixed[at] or tokens[at] == NO_TOKEN):
            at -= 1
        if at < 0 and not left_out:
            return None  # the fixed tokens fail by themselves
        if at < 0:
            break
        struck.add((at, tokens[at]))
    raise LimitExceeded(
        f"{len(struck)} fillings were tried, and each repeats a key or an item that must differ",
        limit=TRIES,
        value=MOST_TRIES,
        hint="fix more slots, or ask for a smaller window",
    )
