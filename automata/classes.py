"""Token classes of a state: tokens that lead to the same next state, read off the effects instead of advanced one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from . import layout as lay
from .arena import check
from .effects import child, root
from .heap import HASH_MASK, intern_link, state_offset
from .masks import mask

if TYPE_CHECKING:
    from .store import Store

MIX = np.uint64(0x9E3779B97F4A7C15)


class TokenClasses(NamedTuple):
    """A partition of a state's allowed tokens.

    Attributes:
        tokens: int64[n], the allowed tokens in rising order, end-of-sequence and padding included.
        class_of: int64[n], the class of each.
        representative: int64[k], one token of each class: every token of a class leads where this one does.

    """

    tokens: npt.NDArray[np.int64]
    class_of: npt.NDArray[np.int64]
    representative: npt.NDArray[np.int64]


def token_classes(store: Store, state: int) -> TokenClasses:
    """Partition the allowed tokens of a living state by what they do.

    Two tokens share a class if they have the same effects on every path down the state's frames.  Tokens that spell part of a
    duplicate-checked key are classes of their own, because the register remembers the spelling.
    """
    a, r = store.arena
    with store.lock:
        row = np.empty(store.words, np.uint32)
        code = int(mask(a, r, state, row))
        if code < 0:
            store.failed(code)
        allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
        signature = np.zeros(32 * store.words, np.uint64)
        alone = np.zeros(32 * store.words, np.bool_)
        if state:
            _sign(store, int(state_offset(a, state)), signature, alone)
    own = np.flatnonzero(alone)
    signature[own] = np.arange(len(own), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    eos_end = int(a[lay.H_EOS])
    ends = a[lay.EO : lay.EO + eos_end + int(a[lay.H_PAD])]
    signature[ends] = np.uint64(1 << 63)  # all of them lead to the state after the end
    _, first, class_of = np.unique(signature[allowed], return_index=True, return_inverse=True)
    return TokenClasses(allowed, class_of, allowed[first])


def _sign(store: Store, at: int, signature: npt.NDArray[np.uint64], alone: npt.NDArray[np.bool_]) -> None:
    """Mix into each token's signature the effects that it has on each path."""
    a, r = store.arena
    p = lay.HP + at
    words = (int(a[p]) & 0xFFFFFFFF) - lay.STATE_ENTRIES
    scope = int(a[p + 3])
    entries = a[p + lay.STATE_ENTRIES : p + lay.STATE_ENTRIES + words].reshape(-1, lay.ENTRY).tolist()
    paths: list[tuple[int, int, int, int]] = []  # effect node, frame, register's open text, number of the path
    number = 1
    for q, need, room, register, frame in entries:
        at_q = lay.LS + q * lay.LS_WIDTH
        shadow = int(a[at_q + lay.L_SHADOW]) - 1
        if shadow >= 0:
            under = int(intern_link(a, scope, int(a[at_q + lay.L_SHADOW_SYM]), need, room, 0, frame))
            check(a)
            paths.append((_checked(a, int(root(a, r, shadow))), under, register & HASH_MASK, number))
        paths.append((_checked(a, int(root(a, r, q))), frame, register & HASH_MASK, number + 1))
        number += 2
    while paths:
        node, frame, text, number = paths.pop()
        e = lay.EF + node * lay.EF_WIDTH
        first = int(a[e + lay.E_GROUPS])
        for g in range(first, first + int(a[e + lay.E_N_GROUPS])):
            o = lay.GR + g * lay.GR_WIDTH
            tokens = r[int(a[o + lay.G_TOKENS]) : int(a[o + lay.G_TOKENS]) + int(a[o + lay.G_N_TOKENS])]
            mark = np.uint64((g * 0x2545F491 + number * 0x9E3779B1 + 2) & 0x7FFFFFFFFFFFFFFE)
            signature[tokens] = (signature[tokens] * MIX + mark) & np.uint64(0x7FFFFFFFFFFFFFFE)
            if text or int(a[o + lay.G_KEY]):
                alone[tokens] = True
        if not int(a[e + lay.E_N_POPS]) or frame == lay.FRAME_UNKNOWN:
            continue
        if frame == lay.FRAME_EMPTY:
            if int(a[e + lay.E_SYMBOL]) != lay.SYMBOL_EMPTY or int(a[e + lay.E_PARENT]) < 0:
                paths.append((_checked(a, int(child(a, r, node, lay.SYMBOL_EMPTY))), frame, 0, number * 257 + 1))
            continue
        length = (int(a[lay.HP + frame]) & 0xFFFFFFFF) - lay.HEADER
        links = a[lay.HP + frame + lay.HEADER : lay.HP + frame + lay.HEADER + length].reshape(-1, lay.LINK).tolist()
        for j, (symbol, _, _, _, parent) in enumerate(links):
            below = lay.FRAME_EMPTY if symbol == lay.SYMBOL_EMPTY else parent
            keyed = text if symbol >= 0 and symbol & 1 else 0
            paths.append((_checked(a, int(child(a, r, node, symbol))), below, keyed, number * 257 + j + 1))


def _checked(a: npt.NDArray[np.int64], node: int) -> int:
    if node < 0:
        check(a)
    return node
