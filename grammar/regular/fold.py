"""The kernel behind ``encode``: fold the last digit of every key into shared nodes."""

from __future__ import annotations

import numpy as np
from numba import njit

from .kernels import HASH_FACTOR, HASH_MASK, Int


class Nodes:
    """A pool of hash-consed byte nodes; node k is the value ``base + k``, values below ``base`` are states."""

    __slots__ = ("_child", "_first", "_hash", "_high", "_low", "_slots", "_used", "base", "count")

    def __init__(self, base: int) -> None:
        """Start empty."""
        self.base = base
        self.count = 0
        self._used = 0
        self._first = np.zeros(33, np.int64)
        self._hash = np.zeros(32, np.int64)
        self._low = np.empty(64, np.int64)
        self._high = np.empty(64, np.int64)
        self._child = np.empty(64, np.int64)
        self._slots = np.full(128, -1, np.int64)

    def fold(self, low: Int, high: Int, value: Int, radix: int, spelling: Int) -> tuple[Int, Int, Int]:
        """Replace key ``k`` by ``k // radix`` and its value by a node that spells ``k % radix`` and then goes on.

        ``low``, ``high``, ``value`` are sorted, disjoint pieces; ``spelling[i, d]`` is the byte of digit d in the i-th
        alternative, or -1.  Returns pieces.
        """
        if len(low) == 0:
            return low, high, value
        # A piece opens at most three nodes (head, full blocks, tail), and puts a run of digits in each.
        runs = _runs(spelling)
        self._reserve(3 * len(low), 4 * len(low) * runs)
        out = np.empty((3, 3 * len(low)), np.int64)
        size, self.count, self._used = _fold(
            low, high, value, radix, spelling, self.base,
            self._first, self._hash, self._low, self._high, self._child, self._slots,
            self.count, self._used, out,
        )  # fmt: skip
        return out[0, :size], out[1, :size], out[2, :size]

    def arrays(self) -> tuple[Int, Int, Int, Int]:
        """The nodes as CSR edges: first, lowest byte, highest byte, child."""
        return (
            self._first[: self.count + 1],
            self._low[: self._used],
            self._high[: self._used],
            self._child[: self._used],
        )

    def _reserve(self, nodes: int, edges: int) -> None:
        need = self.count + nodes
        if need > len(self._hash):
            size = max(need, 2 * len(self._hash))
            self._first = _grown(self._first, size + 1)
            self._hash = _grown(self._hash, size)
            slots = 1 << (2 * size).bit_length()
            self._slots = _rehash(self._hash, self.count, slots)
        need = self._used + edges
        if need > len(self._low):
            size = max(need, 2 * len(self._low))
            self._low = _grown(self._low, size)
            self._high = _grown(self._high, size)
            self._child = _grown(self._child, size)


def _runs(spelling: Int) -> int:
    """Most byte ranges that one run of digits can need."""
    breaks = int(np.count_nonzero(np.diff(spelling, axis=1) != 1)) if spelling.shape[1] > 1 else 0
    return breaks + len(spelling)


def _grown(part: Int, size: int) -> Int:
    grown = np.zeros(size, np.int64)
    grown[: len(part)] = part
    return grown


@njit(cache=True, nogil=True)
def _rehash(hashes: Int, count: int, size: int) -> Int:
    slots = np.full(size, -1, np.int64)
    for k in range(count):
        at = hashes[k] & (size - 1)
        while slots[at] >= 0:
            at = (at + 1) & (size - 1)
        slots[at] = k
    return slots


@njit(cache=True, nogil=True)
def _intern(first: Int, hashes: Int, low: Int, high: Int, child: Int, slots: Int, count: int) -> int:
    """Look the tentative node ``count`` up; its edges end at ``first[count + 1]``.  Returns the node to use."""
    begin = first[count]
    end = first[count + 1]
    h = end - begin
    for e in range(begin, end):
        h = ((h ^ (h >> 15) ^ (low[e] * 256 + high[e])) * HASH_FACTOR) & HASH_MASK
        h = ((h ^ (h >> 15) ^ child[e]) * HASH_FACTOR) & HASH_MASK
    at = h & (len(slots) - 1)
    while slots[at] >= 0:
        k = slots[at]
        if hashes[k] == h and first[k + 1] - first[k] == end - begin:
            same = True
            for i in range(end - begin):
                a = first[k] + i
                b = begin + i
                if low[a] != low[b] or high[a] != high[b] or child[a] != child[b]:
                    same = False
                    break
            if same:
                return int(k)
        at = (at + 1) & (len(slots) - 1)
    slots[at] = count
    hashes[count] = h
    return count


@njit(cache=True, nogil=True)
def _spell(
    d_low: Int, d_high: Int, d_value: Int, parts: int, spelling: Int, used: int, low: Int, high: Int, child: Int
) -> int:
    """Write the edges of one node behind ``used``; returns their end."""
    begin = used
    for i in range(spelling.shape[0]):
        for k in range(parts):
            for d in range(d_low[k], d_high[k] + 1):
                byte = spelling[i, d]
                if byte < 0:
                    continue
                if used > begin and child[used - 1] == d_value[k] and high[used - 1] + 1 == byte:
                    high[used - 1] = byte
                    continue
                low[used] = byte
                high[used] = byte
                child[used] = d_value[k]
                used += 1
    return used


@njit(cache=True, nogil=True)
def _fold(
    p_low: Int,
    p_high: Int,
    p_value: Int,
    radix: int,
    spelling: Int,
    base: int,
    first: Int,
    hashes: Int,
    low: Int,
    high: Int,
    child: Int,
    slots: Int,
    count: int,
    used: int,
    out: Int,
) -> tuple[int, int, int]:
    d_low = np.empty(radix, np.int64)
    d_high = np.empty(radix, np.int64)
    d_value = np.empty(radix, np.int64)
    parts = 0
    block = np.int64(-1)
    size = 0
    n_pieces = len(p_low)
    for i in range(n_pieces + 1):
        # The piece covers blocks b0..b1; ``full_low..full_high`` of them wholly.
        b0 = p_low[i] // radix if i < n_pieces else np.int64(-2)
        if b0 != block and parts > 0:
            end = _spell(d_low, d_high, d_value, parts, spelling, used, low, high, child)
            first[count + 1] = end
            node = _intern(first, hashes, low, high, child, slots, count)
            if node == count:
                count += 1
                used = end
            size = _put(out, size, block, block, base + node)
            parts = 0
        if i == n_pieces:
            break
        b1 = p_high[i] // radix
        d0 = p_low[i] - b0 * radix
        d1 = p_high[i] - b1 * radix
        if b0 == b1:
            block = b0
            d_low[parts] = d0
            d_high[parts] = d1
            d_value[parts] = p_value[i]
            parts += 1
            continue
        full_low = b0
        full_high = b1
        if d0 > 0:
            d_low[parts] = d0
            d_high[parts] = radix - 1
            d_value[parts] = p_value[i]
            end = _spell(d_low, d_high, d_value, parts + 1, spelling, used, low, high, child)
            first[count + 1] = end
            node = _intern(first, hashes, low, high, child, slots, count)
            if node == count:
                count += 1
                used = end
            size = _put(out, size, b0, b0, base + node)
            full_low = b0 + 1
        parts = 0
        if d1 < radix - 1:
            full_high = b1 - 1
        if full_low <= full_high:
            d_low[0] = 0
            d_high[0] = radix - 1
            d_value[0] = p_value[i]
            end = _spell(d_low, d_high, d_value, 1, spelling, used, low, high, child)
            first[count + 1] = end
            node = _intern(first, hashes, low, high, child, slots, count)
            if node == count:
                count += 1
                used = end
            size = _put(out, size, full_low, full_high, base + node)
        block = b1
        if d1 < radix - 1:
            d_low[0] = 0
            d_high[0] = d1
            d_value[0] = p_value[i]
            parts = 1
    return size, count, used


@njit(cache=True, nogil=True)
def _put(out: Int, size: int, low: int, high: int, value: int) -> int:
    if size > 0 and out[2, size - 1] == value and out[1, size - 1] + 1 == low:
        out[1, size - 1] = high
        return size
    out[0, size] = low
    out[1, size] = high
    out[2, size] = value
    return size + 1


@njit(cache=True, nogil=True)
def guards(least: Int, most: Int, first: Int, child: Int, unbounded: int) -> tuple[Int, Int, bool]:
    """Extend the lengths of states to nodes: the union over a node's children, and whether none has a gap.

    Children come before parents in the pool.  A node is inside a character that has been counted already,
    so its lengths are those of its targets.
    """
    n = len(least)
    k = len(first) - 1
    low = np.empty(n + k, np.int64)
    high = np.empty(n + k, np.int64)
    low[:n] = least
    high[:n] = most
    gapless = True
    for x in range(k):
        a = np.int64(unbounded)
        b = np.int64(0)
        for e in range(first[x], first[x + 1]):
            a = min(a, low[child[e]])
            b = max(b, high[child[e]])
        low[n + x] = a
        high[n + x] = b
        reached = a - 1
        grew = True
        while grew and reached < b:
            grew = False
            for e in range(first[x], first[x + 1]):
                c = child[e]
                if low[c] <= reached + 1 and high[c] > reached:
                    reached = high[c]
                    grew = True
        if reached < b:
            gapless = False
    return low, high, gapless
