"""Why a token is or is not allowed, told in the user's own terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import layout as lay
from .heap import state_offset
from .masks import readable_bytes

if TYPE_CHECKING:
    from .constraint import Constraint, _States

SHOWN_BYTES = 12


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict on one token.

    Attributes:
        allowed: whether the token is allowed.
        token: the token.
        reason: one sentence.
        read: the part of the token's bytes that is allowed.
        refused: the rest of it, beginning with the first byte that is not allowed.
        expected: what could have come at that place, as ranges of bytes in readable form; includes
            ``end of text`` where the text may end.
        where: places in the user's schema or grammar that are in force there.

    """

    allowed: bool
    token: int
    reason: str
    read: bytes
    refused: bytes
    expected: tuple[str, ...]
    where: tuple[str, ...]

    def __str__(self) -> str:
        """The reason, what was expected, and where."""
        lines = [self.reason]
        if self.expected:
            lines.append(f"  expected: {', '.join(self.expected)}")
        if self.where:
            lines.append(f"  in force: {', '.join(self.where)}")
        return "\n".join(lines)


def explain(states: _States, state: int, token: int, text: str | None) -> Explanation:
    """Build the explanation; see ``Constraint.explain``."""
    constraint = states.constraint
    after = "" if text is None else f" after {_tail(text)!r}"
    if state == 0:
        return Explanation(False, token, "the state is dead: an earlier token was not allowed", b"", b"", (), ())
    data = states.vocab.tokens[token] if 0 <= token < states.vocab.size else None
    if data is None:
        return _explain_special(states, state, token, after)
    read = 0
    here = state
    while read < len(data):
        following = states.advance_bytes(here, data[read : read + 1])
        if following == 0:
            break
        here = following
        read += 1
    expected, where = _situation(constraint, here)
    shown = data.decode("utf-8", "backslashreplace")
    if read == len(data):
        return Explanation(True, token, f"{shown!r} is allowed{after}", data, b"", expected, where)
    bad = data[read:]
    place = "" if read == 0 else f" after its first {read} byte{'s' if read > 1 else ''} {data[:read]!r}"
    reason = f"{shown!r} is not allowed{after}: {bad[:1]!r} cannot come{place}"
    return Explanation(False, token, reason, data[:read], bad, expected, where)


def _explain_special(states: _States, state: int, token: int, after: str) -> Explanation:
    expected, where = _situation(states.constraint, state)
    if token in states.vocab.eos_ids:
        allowed = states.is_accepting(state)
        reason = f"end-of-sequence is {'' if allowed else 'not '}allowed{after}: the text is {'' if allowed else 'not yet '}complete"
    elif token in states.vocab.pad_ids:
        allowed = states.advance(state, token) != 0
        reason = "padding is allowed after end-of-sequence only"
    else:
        allowed = False
        reason = f"token {token} is never text: it is special, unused, or beyond the vocabulary"
    return Explanation(allowed, token, reason, b"", b"", expected, where)


def _situation(constraint: Constraint, state: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    a = constraint.store.arena.a
    readable = np.empty(256, np.bool_)
    with constraint.store.lock:
        readable_bytes(a, state, readable)
        at = int(state_offset(a, state))
        words = (int(a[lay.HP + at]) & 0xFFFFFFFF) - lay.STATE_ENTRIES
        entries = a[lay.HP + at + lay.STATE_ENTRIES : lay.HP + at + lay.STATE_ENTRIES + words].reshape(-1, lay.ENTRY)
        places: list[str] = []
        for q, _, _, _, frame in entries.tolist():
            found = constraint.origins_of(q)
            while not found and frame > lay.FRAME_UNKNOWN:  # text that many rules share: name who called
                link = a[lay.HP + frame + lay.HEADER : lay.HP + frame + lay.HEADER + lay.LINK].tolist()
                found = constraint.origins_of(link[0] >> 1) if link[0] >= 0 else []
                frame = link[4]
            places += found
    expected = _ranges(readable)
    if constraint.is_accepting(state):
        expected = (*expected, "end of text")
    return expected, tuple(dict.fromkeys(places))


def _ranges(readable: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[str, ...]:
    shown: list[str] = []
    c = 0
    while c < len(readable):
        if not readable[c]:
            c += 1
            continue
        end = c
        while end + 1 < len(readable) and readable[end + 1]:
            end += 1
        shown.append(_name(c) if c == end else f"{_name(c)}..{_name(end)}")
        c = end + 1
    return tuple(shown if len(shown) <= SHOWN_BYTES else [*shown[:SHOWN_BYTES], "..."])


def _name(c: int) -> str:
    return repr(chr(c)) if 0x20 <= c < 0x7F else f"byte 0x{c:02x}"


def _tail(text: str, n: int = 40) -> str:
    return text if len(text) <= n else "..." + text[-n:]
