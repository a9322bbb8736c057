"""Why a token is or is not allowed, told in the user's own terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import layout as lay
from .advance import readable_bytes
from .heap import state_offset
from .masks import mask
from .symbols import MARK

if TYPE_CHECKING:
    from .constraint import Constraint, _States
    from .vocabulary import Vocabulary

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
        expected: what could have come at that place, as ranges of bytes in readable form, and tokens that the source names; includes
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
    symbols = states.store.symbols
    named = symbols is not None and token in constraint.named_tokens
    if symbols is not None and named and (token in symbols.own or not _spells(states, state, data)):
        return _explain_symbol(states, state, token, after)
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


def _spells(states: _States, state: int, data: bytes | None) -> bool:
    """Whether a token's text may come as text, or the token itself may not."""
    return data is None or states.advance_bytes(state, data) != 0


def _explain_symbol(states: _States, state: int, token: int, after: str) -> Explanation:
    """About a token that the source names."""
    shown = _token(states.vocab, token)
    allowed = states.advance(state, token) != 0
    expected, where = _situation(states.constraint, state)
    reason = (
        f"{shown} is allowed{after} as itself" if allowed else f"{shown} is not allowed{after}: it cannot come here"
    )
    return Explanation(allowed, token, reason, b"", b"", expected, where)


def _token(vocab: Vocabulary, token: int) -> str:
    """A token by its name."""
    name = next((name for name, other in vocab.special.items() if other == token), None)
    text = vocab.tokens[token]
    if name is None and text is not None:
        name = text.decode("utf-8", "backslashreplace")
    return f"the token {token}" if name is None else f"the token {name!r} ({token})"


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
    expected = (*_symbols(constraint, state, readable), *_ranges(readable))
    if constraint.is_accepting(state):
        expected = (*expected, "end of text")
    return expected, tuple(dict.fromkeys(places))


def _symbols(
    constraint: Constraint, state: int, readable: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> tuple[str, ...]:
    """The tokens that may come as themselves; takes the byte with which they begin from those that are readable."""
    store = constraint.store
    if store.symbols is None or not readable[MARK]:
        return ()
    readable[MARK] = False
    row = np.empty(store.words, np.uint32)
    with store.lock:
        mask(store.arena.a, store.arena.r, state, row)
    allowed = np.unpackbits(row.view(np.uint8), bitorder="little").astype(np.bool_)
    twins = {} if store.twins is None else store.twins.of
    found = [token for token in sorted(store.symbols.tokens) if allowed[twins.get(token, token)]]
    shown = [_token(constraint.vocab, token) for token in found[:SHOWN_BYTES]]
    return (*shown, "...") if len(found) > SHOWN_BYTES else tuple(shown)


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
