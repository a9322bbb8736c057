r"""From characters to bytes: UTF-8, and the inside of a JSON string under three escape policies.

One idea does all of it.  The edges of an automaton are *pieces*: runs of keys with a value, where a
key is ``row * ROW + code point``, a row is a state of the character automaton, and a value is where the
run leads.  ``fold`` replaces the last digit of every key by a byte: keys that agree in all but
their last digit (to a radix) become one *node* whose outgoing edges spell that digit, equal nodes are
shared (hash-consed over the whole automaton), and what remains are pieces with shorter keys and nodes
as values.  UTF-8 folds by 64; ``\uXXXX`` folds by 16 four times; a surrogate pair folds its ten low
bits, the literal ``\u`` between its halves (radix 1) and its ten high bits.  When a key has only its
first digit left, that digit is the byte that leaves the state.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from ..ir import UNBOUNDED, ByteAutomaton
from . import fold
from .dfa import CharDfa

Escapes = Literal["canonical", "ascii", "all"]
"""Which spellings of a character inside a JSON string are in the language.

``canonical``: what ``json.dumps(..., ensure_ascii=False)`` writes; ``ascii``: what ``json.dumps`` writes by default;
``all``: every spelling that RFC 8259 allows.
"""

_Int = npt.NDArray[np.int64]

ROW: Final = 1 << 21
"""Keys per row.  More than the code points, so that pieces of two rows are never neighbours at any level."""

_SHORT: Final = {0x08: 0x62, 0x09: 0x74, 0x0A: 0x6E, 0x0C: 0x66, 0x0D: 0x72, 0x22: 0x22, 0x5C: 0x5C}
"""Code point to the byte after the backslash."""

_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C


def _spelling(*alternatives: str | bytes) -> _Int:
    """Byte of each digit, one row per alternative alphabet; -1 where an alternative adds nothing."""
    table = np.array([list(x.encode() if isinstance(x, str) else x) for x in alternatives], np.int64)
    for k in range(1, len(table)):
        table[k][table[k] == table[0]] = -1
    return table


_CONTINUATION: Final = _spelling(bytes(range(0x80, 0xC0)))
_ANY_BYTE: Final = _spelling(bytes(range(256)))
_LOWER: Final = "0123456789abcdef"


class _Pieces:
    """Sorted runs of keys: ``low``, ``high``, ``value``, each int64[p]."""

    __slots__ = ("high", "low", "value")

    def __init__(self, low: _Int, high: _Int, value: _Int) -> None:
        order = np.argsort(low, kind="stable")
        self.low, self.high, self.value = low[order], high[order], value[order]

    def clip(self, row: _Int, low: int, high: int, shift: int = 0) -> _Pieces:
        """Keep the code points ``low..high``; ``row`` is the row of each piece; ``shift`` is added to the keys."""
        base = row * ROW
        lo = np.maximum(self.low, base + low)
        hi = np.minimum(self.high, base + high)
        kept = lo <= hi
        return _Pieces(lo[kept] + shift, hi[kept] + shift, self.value[kept])

    def rows(self, radix: int, base: int = 0) -> _Pieces:
        """Move keys ``row * radix + digit`` to ``row * 256 + base + digit``."""
        shift = self.low // radix * (256 - radix) + base
        return _Pieces(self.low + shift, self.high + shift, self.value)


def _join(*parts: _Pieces) -> _Pieces:
    return _Pieces(
        np.concatenate([p.low for p in parts]),
        np.concatenate([p.high for p in parts]),
        np.concatenate([p.value for p in parts]),
    )


class _Encoder:
    """The nodes of one encoding while it is built, and the pieces of the automaton that is encoded."""

    __slots__ = ("dfa", "nodes", "pieces", "row", "row_state")

    def __init__(self, dfa: CharDfa, *, split: bool) -> None:
        state = np.repeat(np.arange(dfa.n), np.diff(dfa.first))
        if split:
            # A row per (state, target): no node ever leads to two targets.
            pairs, row = np.unique(state * dfa.n + dfa.target, return_inverse=True)
            self.row_state = pairs // dfa.n
        else:
            row = state
            self.row_state = np.arange(dfa.n)
        row = row.astype(np.int64)
        self.dfa = dfa
        self.pieces = _Pieces(dfa.low + row * ROW, dfa.high + row * ROW, dfa.target)
        self.row = self.pieces.low // ROW
        self.nodes = fold.Nodes(dfa.n)

    def fold(self, pieces: _Pieces, radix: int, spelling: _Int) -> _Pieces:
        return _Pieces(*self.nodes.fold(pieces.low, pieces.high, pieces.value, radix, spelling))

    def clip(self, low: int, high: int, shift: int = 0) -> _Pieces:
        return self.pieces.clip(self.row, low, high, shift)

    def direct(self, *ranges: tuple[int, int]) -> _Pieces:
        """Characters below 128 that are their own byte."""
        return _join(*(self.clip(low, high).rows(ROW) for low, high in ranges))

    def raw(self, low: int) -> list[_Pieces]:
        """Characters from ``low`` (at least 128) on as UTF-8."""
        out = []
        for begin, end, continuations, lead in (
            (0x80, 0x7FF, 1, 0xC0), (0x800, 0xFFFF, 2, 0xE0), (0x10000, 0x10FFFF, 3, 0xF0),
        ):  # fmt: skip
            pieces = self.clip(max(begin, low), end)
            for _ in range(continuations):
                pieces = self.fold(pieces, 64, _CONTINUATION)
            out.append(pieces.rows(ROW >> (6 * continuations), lead))
        return out

    def hexadecimal(self, ranges: list[tuple[int, int]], *, both_cases: bool) -> _Pieces:
        r"""Characters as the part of ``\uXXXX`` after the ``u``, one node per row, keyed by row alone."""
        digits = (_LOWER, _LOWER.upper()) if both_cases else (_LOWER,)
        d = ("d", "D") if both_cases else ("d",)
        hexa = _spelling(*digits)
        basic = _join(*(self.clip(low, high) for low, high in ranges if high < 0x10000))
        basic = self.fold(self.fold(basic, 16, hexa), 16, hexa)
        if ranges[-1][1] > 0xFFFF:
            high = self.clip(0x10000, 0x10FFFF, -0x10000)
            high = self.fold(self.fold(high, 16, hexa), 16, hexa)
            high = self.fold(high, 4, _spelling(*(x[12:] for x in digits)))
            for literal in ((*d,), ("u",), ("\\",)):
                high = self.fold(high, 1, _spelling(*literal))
            high = self.fold(self.fold(high, 16, hexa), 16, hexa)
            # Left are two bits, the digits 8 to b after the d: the high bytes 0xD8..0xDB of the first unit.
            shift = high.low // 8 * (ROW // 256 - 8) + 0xD8
            basic = _join(basic, _Pieces(high.low + shift, high.high + shift, high.value))
        basic = self.fold(self.fold(basic, 16, hexa), 16, hexa)
        row = basic.low // (ROW >> 16)
        return _Pieces(row, row, basic.value)

    def escaped(self, short: dict[int, int], hexadecimal: _Pieces) -> _Pieces:
        """Everything that starts with a backslash."""
        # Two blocks a row, the second empty: nodes of neighbouring rows must not join to one piece.
        key = hexadecimal.low * 512 + ord("u")
        parts = [_Pieces(key, key, hexadecimal.value)]
        for code, byte in short.items():
            found = self.clip(code, code)
            key = found.low // ROW * 512 + byte
            parts.append(_Pieces(key, key, found.value))
        after = self.fold(_join(*parts), 256, _ANY_BYTE)
        key = after.low // 2 * 256 + _BACKSLASH
        return _Pieces(key, key, after.value)

    def finish(self, rows: _Pieces, *, counted: bool, quote: bool, one_sided: bool) -> ByteAutomaton | None:
        """Put states and nodes together; ``None`` if a node's guard would have a gap that matters."""
        n = self.dfa.n
        inner_first, inner_low, inner_high, inner_child = self.nodes.arrays()
        k = len(inner_first) - 1
        row = rows.low // 256
        source = np.concatenate((self.row_state[row], np.repeat(np.arange(n, n + k), np.diff(inner_first))))
        low = np.concatenate((rows.low - row * 256, inner_low))
        high = np.concatenate((rows.high - row * 256, inner_high))
        target = np.concatenate((rows.value, inner_child))
        counts = np.zeros(len(source), np.bool_)
        counts[: len(row)] = True
        accepting = np.zeros(n + k, np.bool_)
        accepting[:n] = self.dfa.accepting
        least = most = None
        if counted:
            profile = self.dfa.length_profile()
            least, most, gapless = fold.guards(profile.least, profile.most, inner_first, inner_child, UNBOUNDED)
            if not gapless and not one_sided:
                return None
        if quote:
            closing = np.flatnonzero(accepting)
            final = n + k
            source = np.concatenate((source, closing))
            low = np.concatenate((low, np.full(len(closing), _QUOTE)))
            high = np.concatenate((high, np.full(len(closing), _QUOTE)))
            target = np.concatenate((target, np.full(len(closing), final)))
            counts = np.concatenate((counts, np.zeros(len(closing), np.bool_)))
            accepting = np.zeros(final + 1, np.bool_)
            accepting[final] = True
            if least is not None and most is not None:
                # Nothing may be missing behind the closing quote: a guard that only need == 0 passes.
                least, most = np.append(least, 0), np.append(most, 0)
        n = len(accepting)
        return ByteAutomaton(n, source, low, high, target, accepting, counts if counted else None, least, most)


@lru_cache(maxsize=1024)
def utf8(dfa: CharDfa) -> ByteAutomaton:
    """Texts of ``dfa`` as raw UTF-8; deterministic."""
    encoder = _Encoder(dfa, split=False)
    rows = _join(encoder.direct((0, 0x7F)), *encoder.raw(0x80))
    part = encoder.finish(rows, counted=False, quote=False, one_sided=True)
    assert part is not None  # noqa: S101 - only counted encodings can fail
    return part


@lru_cache(maxsize=2048)
def json_string_body(
    dfa: CharDfa,
    *,
    escapes: Escapes = "canonical",
    counted: bool = False,
    quote: bool = False,
    one_sided: bool = False,
) -> ByteAutomaton:
    """Texts of ``dfa`` as the inside of a JSON string; with ``quote`` the closing quote is part of the text.

    With ``counted`` the first byte of each character counts one item, and ``least``/``most`` guard every state.
    Without ``quote`` the embedding rule must then accept by ``accept_if_no_need``; with it, the
    guard behind the quote sees to that.  The result is deterministic, except that a counted one splits
    its rows by target where characters that share bytes lead to lengths with a gap between them.

    ``one_sided`` is the caller's word that only one bound is in force (need is 0, or room is unbounded; see
    ``CharDfa.counter_bounds``): then gaps do not matter.

    Raises:
        ValueError: ``counted`` without ``one_sided``, and the lengths of ``dfa`` have gaps: use ``dfa.with_length``.

    """
    if counted and not one_sided and not dfa.length_profile().gapless:
        raise ValueError("counting between two bounds needs gapless lengths; unroll them with CharDfa.with_length")
    for split in (False, True):
        encoder = _Encoder(dfa, split=split)
        part = encoder.finish(_spelled(encoder, escapes), counted=counted, quote=quote, one_sided=one_sided)
        if part is not None:
            return part
    raise AssertionError("a split encoding has one target per node, hence no gaps")


def _spelled(encoder: _Encoder, escapes: Escapes) -> _Pieces:
    controls = [(0x00, 0x07), (0x0B, 0x0B), (0x0E, 0x1F)]
    beyond = (0x10000, 0x10FFFF)
    if escapes == "ascii":
        # json.dumps escapes U+007F as well: it is not printable.
        plain = encoder.direct((0x20, 0x21), (0x23, 0x5B), (0x5D, 0x7E))
        escaped = encoder.hexadecimal([*controls, (0x7F, 0xFFFF), beyond], both_cases=False)
        return _join(plain, encoder.escaped(_SHORT, escaped))
    plain = _join(encoder.direct((0x20, 0x21), (0x23, 0x5B), (0x5D, 0x7F)), *encoder.raw(0x80))
    if escapes == "canonical":
        return _join(plain, encoder.escaped(_SHORT, encoder.hexadecimal(controls, both_cases=False)))
    escaped = encoder.hexadecimal([(0, 0xFFFF), beyond], both_cases=True)
    return _join(plain, encoder.escaped({**_SHORT, 0x2F: 0x2F}, escaped))
