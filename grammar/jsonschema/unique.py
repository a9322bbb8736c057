"""Arrays whose items are different strings: the register of keys reads the items instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..ir import (
    OP_COUNT,
    OP_KEY_CLOSE,
    OP_KEY_OPEN,
    OP_NONE,
    OP_SET,
    OP_TEST,
    START,
    UNBOUNDED,
    Automaton,
    RuleId,
    StateIndex,
)
from ..regular.dfa import CharDfa
from ..regular.encode import Escapes
from .arrays import ArrayPiece
from .scalars import key_body
from .surface import Surface

_QUOTE: Final = 0x22
_COMMA: Final = 0x2C


def write_unique(
    a: Automaton,
    piece: ArrayPiece,
    strings: CharDfa,
    *,
    surface: Surface,
    escapes: Escapes,
    string_rest: Callable[[], RuleId],
) -> None:
    """Write the body of a rule for arrays of different strings of a language; ``piece`` has no prefix and no ``contains``.

    Each item is opened and closed like a key, so that none is read twice, and where the language is finite no comma comes
    behind the last of them.
    """
    low, high = piece.low, piece.high
    counted = low > 1 or high is not None
    end, opened, first, behind = (a.state() for _ in range(4))
    a.accept(end)
    if counted:
        pair = a.pair(max(low - 1, 0), UNBOUNDED if high is None else high - 1)
        a.literal(START, b"[", opened, OP_SET, pair)
    else:
        a.literal(START, b"[", opened)
    surface.opened(a, opened, first, b"]", end if low == 0 else None, more=high != 0)
    if high == 0:
        return

    def item(source: StateIndex) -> None:
        inside = a.state()
        a.byte_range(source, _QUOTE, _QUOTE, inside, OP_KEY_OPEN)
        if escapes == "canonical" and strings == CharDfa.any_string():
            a.extra(inside, string_rest(), (), behind)
            return
        body = a.state()
        a.embed(inside, key_body(strings, escapes), body)
        a.byte_range(body, _QUOTE, _QUOTE, behind, OP_KEY_CLOSE)

    item(first)
    surface.after(a, behind)
    surface.close(a, behind, b"]", end, OP_TEST if counted else OP_NONE)
    if high is None or high > 1:
        comma, following = a.state(), a.state()
        a.byte_range(behind, _COMMA, _COMMA, comma, OP_COUNT if counted else OP_NONE)
        surface.gap(a, comma, following)
        item(following)
