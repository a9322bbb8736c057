"""Kernels of the partition into token classes: signatures of tokens, and the classes of each run."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def sign(r, words, at, n, delta, left_out, marks, signature):
    """XOR each run's mark into the signatures of its tokens.

    Args:
        r: the arena's packed rows and lists.
        words: the width of a packed row.
        at: int64[runs], offset of the list, or -1 - the offset of packed bits.
        n: int64[runs], how many tokens.
        delta: int64[runs], the row of ``left_out``, or -1.
        left_out: uint32[deltas, words].
        marks: uint64[runs], a random number for each.
        signature: uint64[32 * words].

    """
    for k in range(len(at)):
        d = delta[k]
        mark = marks[k]
        if at[k] >= 0:
            for i in range(at[k], at[k] + n[k]):
                t = np.int64(r[i])
                if d < 0 or not (left_out[d, t >> 5] >> np.uint32(t & 31)) & np.uint32(1):
                    signature[t] ^= mark
            continue
        first = -1 - at[k]
        for w in range(words):
            bits = r[first + w]
            if d >= 0:
                bits &= ~left_out[d, w]
            if bits == 0:
                continue
            for b in range(32):
                if (bits >> np.uint32(b)) & np.uint32(1):
                    signature[32 * w + b] ^= mark


@njit(cache=True, nogil=True)
def hold(r, words, at, n, delta, left_out, class_of, sizes, classes, counts):
    """Find the classes of each run; returns the number of runs that hold a class in part (0, but for chance).

    Args:
        r: like ``words``, ``at``, ``n``, ``delta`` and ``left_out`` as for ``sign``.
        words: see there.
        at: see there.
        n: see there.
        delta: see there.
        left_out: see there.
        class_of: int32[32 * words].
        sizes: int64[classes], tokens of each class.
        classes: uint64[runs, W], the result.
        counts: int64[classes], zeros, as working memory.

    """
    broken = 0
    touched = np.empty(len(sizes), np.int64)
    for k in range(len(at)):
        d = delta[k]
        n_touched = 0
        if at[k] >= 0:
            for i in range(at[k], at[k] + n[k]):
                t = np.int64(r[i])
                if d < 0 or not (left_out[d, t >> 5] >> np.uint32(t & 31)) & np.uint32(1):
                    c = class_of[t]
                    if counts[c] == 0:
                        touched[n_touched] = c
                        n_touched += 1
                    counts[c] += 1
        else:
            first = -1 - at[k]
            for w in range(words):
                bits = r[first + w]
                if d >= 0:
                    bits &= ~left_out[d, w]
                if bits == 0:
                    continue
                for b in range(32):
                    if (bits >> np.uint32(b)) & np.uint32(1):
                        c = class_of[32 * w + b]
                        if counts[c] == 0:
                            touched[n_touched] = c
                            n_touched += 1
                        counts[c] += 1
        for i in range(n_touched):
            c = touched[i]
            if counts[c] != sizes[c]:
                broken += 1
            counts[c] = 0
            classes[k, c >> 6] |= np.uint64(1) << np.uint64(c & 63)
    return broken
