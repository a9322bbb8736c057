"""Packed automata in the arena: a linear check, a copy of the words, and local states made where somebody gets to them.

See *Packed automata* in ``layout`` and ``grammar.packed`` for the form.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..grammar.packed import ACCEPT, HIGH_SHIFT, LAST, NOTHING, TARGET_SHIFT
from . import layout as lay
from .arena import take
from .states import DENSE_FROM, DENSE_TO, fill_dense, new_local_state

EAGER = 1000
"""A packed automaton of at most so many words becomes local states at once, and is then as any other rule: what the exact bounds of
``bounds.tokens`` can cope with."""

MALFORMED = -2

MOST_STEPS = 4000  # of a walk that is not remembered: about 20 us
STACK = lay.S + (1 << 20)  # its stack: where ``effects`` has its own, at other times
STACK_CAP = 1 << 22
PLACE = (1 << 32) - 1  # of the word PACKED
ROW_SHIFT = 32


@njit(cache=True, nogil=True)
def is_well_formed(words, start):
    """Whether the words are those of a deterministic automaton, and start is one of its states: one pass."""
    n = len(words)
    if n == 0 or start < 0 or start >= n or not words[n - 1] & LAST or (start > 0 and not words[start - 1] & LAST):
        return False
    begins = True
    previous = np.int64(-1)
    for i in range(n):
        word = words[i]
        low = word & 255
        high = (word >> HIGH_SHIFT) & 255
        target = word >> TARGET_SHIFT
        last = (word & LAST) != 0
        if begins:
            previous = np.int64(-1)
        elif word & ACCEPT:
            return False
        if low > high:
            if not (begins and last):
                return False
        elif low <= previous or target < 0 or target >= n or (target > 0 and not words[target - 1] & LAST):
            return False
        previous = high
        begins = last
    return True


@njit(cache=True, nogil=True)
def find_productive(words, spelled):
    """Which words begin a state that can be finished, reading bytes that occur in some token only.

    Passes in rising order until nothing changes: one, where every state lies behind those that it leads to, as in a dictionary.
    """
    n = len(words)
    productive = np.zeros(n, np.bool_)
    changed = True
    behind = True
    while changed:
        changed = False
        i = 0
        while i < n:
            first = i
            good = productive[first] or (words[first] & ACCEPT) != 0
            while True:
                word = words[i]
                target = word >> TARGET_SHIFT
                if target >= first and word & 255 <= (word >> HIGH_SHIFT) & 255:
                    behind = False
                if not good and productive[target]:
                    for c in range(word & 255, ((word >> HIGH_SHIFT) & 255) + 1):
                        if spelled[c]:
                            good = True
                            break
                i += 1
                if word & LAST:
                    break
            if good and not productive[first]:
                productive[first] = True
                changed = True
        if behind:
            break
    return productive


@njit(cache=True, nogil=True)
def cut_range(word, spelled):
    """The lowest and the highest byte of a word's range that occur in some token; low > high if there is none."""
    low = word & 255
    high = (word >> HIGH_SHIFT) & 255
    while low <= high and not spelled[low]:
        low += 1
    while high > low and not spelled[high]:
        high -= 1
    return low, high


@njit(cache=True, nogil=True)
def trimmed(words, start, spelled):
    """The automaton without what cannot be spelled or finished; the words themselves if there is nothing to remove."""
    n = len(words)
    whole = True
    for i in range(n):
        low, high = cut_range(words[i], spelled)
        if words[i] & 255 <= (words[i] >> HIGH_SHIFT) & 255 and (
            low != words[i] & 255 or high != (words[i] >> HIGH_SHIFT) & 255
        ):
            whole = False
            break
    productive = find_productive(words, spelled)
    if whole:
        for i in range(n):
            begins = i == 0 or (words[i - 1] & LAST) != 0
            if begins and not productive[i]:
                whole = False
                break
    if whole:
        return words, np.int64(start)
    place = np.full(n, -1, np.int64)
    kept = np.empty(n, np.int64)
    m = 0
    i = 0
    while i < n:
        first = i
        begin = m
        while True:
            word = words[i]
            low, high = cut_range(word, spelled)
            if (productive[first] or first == start) and low <= high and productive[word >> TARGET_SHIFT]:
                kept[m] = low | (high << HIGH_SHIFT) | ((word >> TARGET_SHIFT) << TARGET_SHIFT)
                m += 1
            i += 1
            if word & LAST:
                break
        if productive[first] or first == start:
            if m == begin:
                kept[m] = NOTHING
                m += 1
            kept[m - 1] |= LAST
            kept[begin] |= words[first] & ACCEPT
            place[first] = begin
    for i in range(m):
        if kept[i] & 255 <= (kept[i] >> HIGH_SHIFT) & 255:
            target = place[kept[i] >> TARGET_SHIFT]
            kept[i] = (kept[i] & ((1 << TARGET_SHIFT) - 1)) | (target << TARGET_SHIFT)
    return kept[:m], place[start]


@njit(cache=True, nogil=True)
def load_packed(a, words, start, local, spelled):
    """Copy a packed automaton into the arena; the local state ``local`` becomes its start.

    Returns its first word in DG, ``MALFORMED`` if the words are not those of a deterministic automaton, or -1 with H_ERROR set.
    """
    if not is_well_formed(words, start):
        return np.int64(MALFORMED)
    words, start = trimmed(words, start, spelled)
    n = len(words)
    base = take(a, lay.H_DG, n, lay.CAP_DG)
    if base < 0:
        return base
    for i in range(n):
        a[lay.DG + base + i] = words[i] + (base << TARGET_SHIFT)
    p = lay.LS + local * lay.LS_WIDTH
    place_local(a, base + start, local)
    if expand(a, local) < 0:
        return np.int64(-1)
    if n <= EAGER:
        for i in range(n):
            if i == 0 or words[i - 1] & LAST:
                q = local_of(a, base + i)
                if q < 0 or expand(a, q) < 0:
                    return np.int64(-1)
        for i in range(n):
            if i == 0 or words[i - 1] & LAST:
                p = lay.LS + local_of(a, base + i) * lay.LS_WIDTH
                a[p + lay.L_PACKED] = 0
    return base


@njit(cache=True, nogil=True)
def place_of(a, q):
    """The word of DG at which the packed state begins that a local state is one of, or -1."""
    return (a[lay.LS + q * lay.LS_WIDTH + lay.L_PACKED] & PLACE) - 1


@njit(cache=True, nogil=True)
def place_local(a, at, q):
    """Let local state q be the one of the packed state at a word; its flags say what they say before bytes are read from it."""
    a[lay.DM + (at >> 1)] |= q << ((at & 1) << 5)
    p = lay.LS + q * lay.LS_WIDTH
    word = a[lay.DG + at]
    a[p + lay.L_PACKED] = at + 1
    flags = np.int64(0)
    if word & ACCEPT:
        flags |= lay.FLAG_ACCEPT
    if word & 255 <= (word >> HIGH_SHIFT) & 255:
        flags |= lay.FLAG_LAZY
    elif word & ACCEPT:
        flags |= lay.FLAG_END
    a[p + lay.L_FLAGS] = flags


@njit(cache=True, nogil=True)
def local_of(a, at):
    """The local state of the packed state at a word, made if there is none yet; -1 with H_ERROR set."""
    q = (a[lay.DM + (at >> 1)] >> ((at & 1) << 5)) & 0xFFFFFFFF
    if q == 0:
        q = new_local_state(a)
        if q >= 0:
            place_local(a, at, q)
    return q


@njit(cache=True, nogil=True)
def expand(a, q):
    """Give a lazy local state its ranges; returns 0, or -1 with H_ERROR set.  Whoever is about to read from it calls this."""
    p = lay.LS + q * lay.LS_WIDTH
    if not a[p + lay.L_FLAGS] & lay.FLAG_LAZY:
        return np.int64(0)
    first = lay.DG + place_of(a, q)
    n = np.int64(1)
    while not a[first + n - 1] & LAST:
        n += 1
    at = take(a, lay.H_RG, 2 * n, lay.CAP_RG)
    if at < 0:
        return at
    for i in range(n):
        word = a[first + i]
        target = local_of(a, word >> TARGET_SHIFT)
        if target < 0:
            return target
        ends = a[lay.LS + target * lay.LS_WIDTH + lay.L_FLAGS] & lay.FLAG_END
        simple = np.int64(0 if ends else 1)
        a[lay.RG + at + 2 * i] = (word & 0xFFFF) | (simple << lay.RG_SIMPLE_BIT)
        a[lay.RG + at + 2 * i + 1] = target
    a[p + lay.L_RANGES] = at
    a[p + lay.L_N_RANGES] = n
    flags = a[p + lay.L_FLAGS] & ~np.int64(lay.FLAG_LAZY)
    if not flags & lay.FLAG_ACCEPT:
        flags |= lay.FLAG_FAST
    if DENSE_FROM <= n <= DENSE_TO:
        dense = take(a, lay.H_DN, lay.DENSE_WIDTH, lay.CAP_DN)
        if dense < 0:
            return dense
        a[p + lay.L_DENSE] = dense
        fill_dense(a, p)
    a[p + lay.L_FLAGS] = flags
    return np.int64(0)


@njit(cache=True, nogil=True)
def mark_tokens(a, r, q, out, clean):
    """OR into out the tokens that can be read from a state of a packed automaton that has nothing below it; 0, or -1 with H_ERROR set.

    A walk of the trie beside the automaton, which makes no local states and no effects: of the millions of states of a dictionary nearly all
    are narrow, and met once.  The row of a wide one is kept, if out is ``clean`` (all zero), so that it is the state's alone.
    """
    packed = lay.LS + q * lay.LS_WIDTH + lay.L_PACKED
    row = (a[packed] >> ROW_SHIFT) - 1
    if row >= 0:
        for i in range(a[lay.H_WORDS]):
            out[i] |= r[row + i]
        return np.int64(0)
    next_same = lay.TR + a[lay.H_TRIE]
    a[STACK] = 0
    a[STACK + 1] = place_of(a, q)
    top = 1
    steps = 0
    while top > 0:
        top -= 1
        node = a[STACK + 2 * top]
        i = a[STACK + 2 * top + 1]
        child = node + 1
        end = (a[lay.TR + node] >> lay.T_END_SHIFT) & lay.T_END_MASK
        while True:
            word = a[lay.DG + i]
            c = word & 255
            high = (word >> HIGH_SHIFT) & 255
            while c <= high:
                steps += 1
                if node == 0:  # its children are known by their bytes
                    child = a[lay.RC + c]
                    c += 1
                    if child < 0:
                        continue
                else:
                    while child < end and a[lay.TR + child] & 255 < c:
                        child = (a[lay.TR + child] >> lay.T_END_SHIFT) & lay.T_END_MASK
                        steps += 1
                    if child >= end:
                        break
                    c = a[lay.TR + child] & 255
                    if c > high:
                        break
                    c += 1
                below = a[lay.TR + child]
                token = (below >> lay.T_TOKEN_SHIFT) - 1
                while token >= 0:
                    out[token >> 5] |= np.uint32(1) << np.uint32(token & 31)
                    token = a[next_same + token]
                if (below >> lay.T_END_SHIFT) & lay.T_END_MASK > child + 1:
                    if 2 * (top + 1) >= STACK_CAP:
                        a[lay.H_ERROR] = lay.ERR_SCRATCH
                        return np.int64(-1)
                    a[STACK + 2 * top] = child
                    a[STACK + 2 * top + 1] = word >> TARGET_SHIFT
                    top += 1
            i += 1
            if word & LAST:
                break
    if clean and steps > MOST_STEPS:
        row = take(a, lay.H_R, a[lay.H_WORDS], lay.WORDS_R)
        if row < 0:
            return row
        for i in range(a[lay.H_WORDS]):
            r[row + i] = out[i]
        a[packed] |= (row + 1) << ROW_SHIFT
    return np.int64(0)
