"""Kernels of the next-token law: a row of weights in blocks, from which tokens are drawn and taken out.

Drawing from V weights by the inverse of their running sum is a pass over V.  With the sums of blocks of ``BLOCK`` weights it is
a pass over V / BLOCK sums and one block, and taking a token out is a new sum of its block: a sum, never a difference, so that
what is left is exact however little it is.  Drawing without replacement this way needs no Gumbel key for any token: one uniform
number a draw, where keys for 128,000 tokens take milliseconds.

Each kernel is bare and total; ``urn.Urn`` checks and allocates.
"""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK = 256
"""Weights a block: about the square root of a vocabulary, where the two passes of a draw cost the same."""


@njit(cache=True, nogil=True)
def sum_of(weights, block):
    """The float64 sum of one block, in four running sums: one alone waits for the last addition before each next one."""
    start, stop = block * BLOCK, min((block + 1) * BLOCK, len(weights))
    a = b = c = d = np.float64(0)  # a Python float would take on the weights' own type without the compiler
    for i in range(start, stop - 3, 4):
        a += weights[i]
        b += weights[i + 1]
        c += weights[i + 2]
        d += weights[i + 3]
    for i in range(stop - (stop - start) % 4, stop):
        a += weights[i]
    return (a + b) + (c + d)


@njit(cache=True, nogil=True)
def sum_blocks(weights, sums):
    """Fill ``sums`` with the sum of each block of ``weights``; returns the sum of all."""
    total = 0.0
    for block in range(len(sums)):
        sums[block] = sum_of(weights, block)
        total += sums[block]
    return total


@njit(cache=True, nogil=True)
def find(weights, sums, target):
    """The index at which the running sum of the weights exceeds ``target``; -1 if no weight is positive.

    A target that rounding has put at or beyond the whole sum gives the last positive weight.
    """
    last = -1
    met = False
    for block in range(len(sums)):
        if sums[block] > 0.0:
            last = block
            met = target < sums[block]
            if met:
                break
            target -= sums[block]
    if last < 0:
        return -1
    if not met:
        target = np.inf
    found = -1
    for i in range(last * BLOCK, min((last + 1) * BLOCK, len(weights))):
        if weights[i] > 0.0:
            found = i
            if target < weights[i]:
                break
            target -= weights[i]
    return found


@njit(cache=True, nogil=True)
def put(weights, sums, index, weight):
    """Set one weight; returns the sum of all."""
    weights[index] = weight
    block = index // BLOCK
    sums[block] = sum_of(weights, block)
    total = 0.0
    for b in range(len(sums)):
        total += sums[b]
    return total


@njit(cache=True, nogil=True)
def exclude(row, mask, value):
    """Set every entry of ``row`` whose bit of the mask is clear, or that the mask is too short for; returns how many."""
    n = 0
    for word in range((len(row) + 31) // 32):
        bits = mask[word] if word < len(mask) else np.uint32(0)
        if bits == np.uint32(0xFFFFFFFF):
            continue
        for i in range(word * 32, min(word * 32 + 32, len(row))):
            if (bits >> np.uint32(i & 31)) & np.uint32(1) == 0:
                row[i] = value
                n += 1
    return n


@njit(cache=True, nogil=True)
def select(mask, width, wanted, out):
    """The ids below ``width`` whose bit is ``wanted``, ascending, into ``out`` as far as it reaches; returns how many there are."""
    n = 0
    full = np.uint32(0) if wanted else np.uint32(0xFFFFFFFF)
    for word in range((width + 31) // 32):
        bits = mask[word] if word < len(mask) else np.uint32(0)
        if bits == full:
            continue
        for i in range(word * 32, min(word * 32 + 32, width)):
            if ((bits >> np.uint32(i & 31)) & np.uint32(1) != 0) == wanted:
                if n < len(out):
                    out[n] = i
                n += 1
    return n
