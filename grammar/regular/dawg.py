"""The minimal acyclic automaton of a set of byte strings, a word for each edge.

Strings are put in order by a multikey quicksort on seven bytes at a time (Bentley and Sedgewick, "Fast algorithms for sorting and searching
strings", 1997), and read in that order: what no later string can change is frozen, and a frozen state that equals an earlier one is that
one (Daciuk, Mihov, Watson and Watson, "Incremental construction of minimal acyclic finite-state automata", 2000).  So there is never more in
memory than the strings, the minimal automaton, and one path.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from ..errors import LimitExceeded
from ..packed import ACCEPT, HIGH_SHIFT, LAST, NOTHING, TARGET_SHIFT, PackedDfa

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.int64]
Offsets = npt.NDArray[np.uint32]
Ranks = npt.NDArray[np.int32]

CHUNK = 7
"""Bytes of a sorting key; the four bits after them say how many the string has left, so that keys are positive int64."""

FEW = 24
"""So many strings or fewer are sorted by insertion."""

TAG_SHIFT = 26
PLACE = (1 << TAG_SHIFT) - 1
MOST_WORDS = 1 << TAG_SHIFT
"""Words of an automaton.  The register holds the place of a state and five bits of its hash, which spare most looks at other states."""


def dawg(blob: Bytes, begin: Offsets) -> PackedDfa:
    """The minimal automaton of some byte strings.

    Args:
        blob: uint8, the strings one after the other.
        begin: uint32[n + 1], where each begins, and where the last one ends; at least one string.

    Returns:
        The automaton, in which every state lies behind those that it leads to.

    Raises:
        LimitExceeded: it has more than ``MOST_WORDS`` edges.

    """
    order = np.arange(len(begin) - 1, dtype=np.int32)
    _sort(blob, begin, order)
    words, start = _build(blob, begin, order)
    if start < 0:
        raise LimitExceeded(
            f"the automaton has more than {MOST_WORDS} edges",
            limit="edges of a dictionary",
            value=MOST_WORDS,
            hint="split the strings among several constraints",
        )
    return PackedDfa(words, int(start))


@njit(cache=True, nogil=True)
def _key(blob: Bytes, begin: np.int64, end: np.int64) -> np.int64:
    key = np.int64(0)
    for i in range(begin, begin + CHUNK):
        key = (key << 8) | (np.int64(blob[i]) if i < end else np.int64(0))
    if end - begin > CHUNK:
        return (key << 4) | (CHUNK + 1)
    return (key << 4) | (end - begin) if end > begin else key << 4


@njit(cache=True, nogil=True)
def _swap(keys: Words, order: Ranks, i: int, j: int) -> None:
    keys[i], keys[j] = keys[j], keys[i]
    order[i], order[j] = order[j], order[i]


@njit(cache=True, nogil=True)
def _sort(blob: Bytes, begin: Offsets, order: Ranks) -> None:
    """Put the numbers of the strings in the order of the strings."""
    n = len(order)
    keys = np.empty(n, np.int64)
    stack = [(np.int64(0), np.int64(n), np.int64(0), True)]
    draw = np.int64(1)
    while len(stack) > 0:
        low, high, depth, fresh = stack.pop()
        if fresh:  # else they are the keys at this depth already
            for i in range(low, high):
                s = order[i]
                keys[i] = _key(blob, np.int64(begin[s]) + depth, np.int64(begin[s + 1]))
        if high - low > FEW:
            draw = (draw * 1103515245 + 12345) & 0x7FFFFFFF  # where the pivot comes from no input can foresee cheaply
            pivot = keys[low + draw % (high - low)]
            less = low
            more = high
            at = low
            while at < more:
                if keys[at] < pivot:
                    _swap(keys, order, less, at)
                    less += 1
                    at += 1
                elif keys[at] > pivot:
                    more -= 1
                    _swap(keys, order, more, at)
                else:
                    at += 1
            stack.append((np.int64(low), np.int64(less), np.int64(depth), False))
            stack.append((np.int64(more), np.int64(high), np.int64(depth), False))
            if more - less > 1 and pivot & 15 > CHUNK:
                stack.append((np.int64(less), np.int64(more), np.int64(depth + CHUNK), True))
            continue
        for i in range(low + 1, high):
            j = i
            while j > low and keys[j - 1] > keys[j]:
                _swap(keys, order, j - 1, j)
                j -= 1
        run = low
        while run < high:
            end = run + 1
            while end < high and keys[end] == keys[run]:
                end += 1
            if end - run > 1 and keys[run] & 15 > CHUNK:
                stack.append((np.int64(run), np.int64(end), np.int64(depth + CHUNK), True))
            run = end


@njit(cache=True, nogil=True)
def _slot(words: Words, table: Ranks, at: np.int64, n: np.int64) -> tuple[np.int64, np.int64]:
    """Where the register holds a state equal to the n words at ``at``, or would; and the tag that goes with it there."""
    h = np.int64(n)
    for i in range(at, at + n):
        w = words[i]
        h = (h * 0x5BD1E995 + (w & 0x3FFFF) + 7919 * (w >> TARGET_SHIFT)) & 0x7FFFFFFF
        h ^= h >> 15
    h = (h * 0x2C1B3C6D) & 0x7FFFFFFF
    h ^= h >> 13
    tag = (h & 31) << TAG_SHIFT
    h = ((h * 0x297A2D39) & 0x7FFFFFFF) * len(table) >> 31
    while table[h] >= 0:
        if table[h] & ~PLACE == tag:
            other = np.int64(table[h]) & PLACE
            same = True
            for i in range(n):
                if words[other + i] != words[at + i]:  # the last word says where a state ends
                    same = False
                    break
            if same:
                break
        h += 1
        if h == len(table):
            h = np.int64(0)
    return h, tag


@njit(cache=True, nogil=True)
def _register(words: Words, m: np.int64, size: int) -> Ranks:
    """The register of the states among the first m words, with room for ``size`` of them."""
    table = np.full(size, -1, np.int32)
    i = np.int64(1)
    while i < m:
        n = np.int64(1)
        while not words[i + n - 1] & LAST:
            n += 1
        h, tag = _slot(words, table, i, n)
        table[h] = tag | i
        i += n
    return table


@njit(cache=True, nogil=True)
def _build(blob: Bytes, begin: Offsets, order: Ranks) -> tuple[Words, np.int64]:
    """The words of the minimal automaton, and its start."""
    # As many words as there can be: what is never written to takes no memory, and what grew would lie there twice for a moment.
    words = np.empty(min(len(blob) + 1, MOST_WORDS), np.int64)
    words[0] = NOTHING | LAST | ACCEPT  # where every string ends, if it is no prefix of another
    m = np.int64(1)
    table = _register(words, m, 1 << 12)
    n_states = 0
    longest = np.int64(0)
    for s in range(len(order)):
        longest = max(longest, np.int64(begin[s + 1]) - np.int64(begin[s]))
    # the path of the string in hand: for each depth where its edges begin in ``byte`` and ``target``, which are one stack
    first = np.zeros(longest + 2, np.int64)
    accepts = np.zeros(longest + 2, np.bool_)
    byte = np.empty(longest + 256, np.int64)
    target = np.empty(longest + 256, np.int64)
    top = np.int64(0)
    depth = np.int64(0)
    previous = np.int64(0)
    for k in range(len(order) + 1):
        shared = np.int64(0)
        here = np.int64(0)
        length = np.int64(-1)  # behind the last string everything is frozen, the start included
        if k < len(order):
            here = np.int64(begin[order[k]])
            length = np.int64(begin[order[k] + 1]) - here
            while shared < depth and shared < length and blob[previous + shared] == blob[here + shared]:
                shared += 1
            if k > 0 and shared == length and shared == depth:
                continue
        while depth > (shared if length >= 0 else -1):
            # --- freeze the deepest state of the path ---------------------------------------------------------------
            low = first[depth]
            frozen = np.int64(0)
            if top > low:
                if m + top - low > len(words):
                    return words[:0], np.int64(-1)
                n = np.int64(0)
                for i in range(low, top):
                    if n > 0 and target[i] == target[i - 1] and byte[i] == byte[i - 1] + 1:
                        words[m + n - 1] += 1 << HIGH_SHIFT
                        continue
                    words[m + n] = byte[i] | (byte[i] << HIGH_SHIFT) | (target[i] << TARGET_SHIFT)
                    n += 1
                if accepts[depth]:
                    words[m] |= ACCEPT
                words[m + n - 1] |= LAST
                h, tag = _slot(words, table, m, n)
                if table[h] < 0:
                    table[h] = tag | m
                    frozen = m
                    m += n
                    n_states += 1
                    if 8 * n_states > 7 * len(table):
                        size = len(table) + (len(table) >> 1)
                        table = table[:0].copy()  # the states themselves say what was in it
                        table = _register(words, m, size)
                else:
                    frozen = np.int64(table[h]) & PLACE
                top = low
            if depth > 0:
                target[top - 1] = frozen
            else:
                return words[:m], frozen
            depth -= 1
        for i in range(shared, length):
            if top == len(byte):
                byte = np.concatenate((byte, byte))
                target = np.concatenate((target, target))
            byte[top] = np.int64(blob[here + i])
            top += 1
            first[i + 1] = top
            accepts[i + 1] = False
        depth = length
        accepts[depth] = True
        previous = here
    return words[:m], np.int64(0)
