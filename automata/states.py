"""Local states: a fresh record, the range that reads a byte, and the dense row of one with many ranges.  See ``layout`` for the table."""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay
from .arena import take

DENSE_FROM = 5  # a state with this many ranges gets a dense row: 256 bytes against a longer scan
DENSE_TO = 127  # seven bits hold the number of a range, and 0 for none


@njit(cache=True, nogil=True)
def new_local_state(a):
    """A fresh local state with nothing in it; -1 with H_ERROR set."""
    at = take(a, lay.H_LS, lay.LS_WIDTH, lay.CAP_LS)
    if at < 0:
        return at
    p = lay.LS + at
    for i in range(lay.LS_WIDTH):
        a[p + i] = 0
    a[p + lay.L_DENSE] = -1
    a[p + lay.L_WORDS] = lay.UNBOUNDED
    a[p + lay.L_EFFECT] = -1
    a[p + lay.L_FIRST] = -1
    a[p + lay.L_MOST] = lay.UNBOUNDED
    a[p + lay.L_REACH] = -1
    return at // lay.LS_WIDTH


@njit(cache=True, nogil=True)
def fill_dense(a, p):
    """Write the dense row of the local state whose record is at p: for each byte the number of its range plus 1, or 0."""
    dense = lay.DN + a[p + lay.L_DENSE]
    for i in range(lay.DENSE_WIDTH):
        a[dense + i] = 0
    for i in range(a[p + lay.L_N_RANGES]):
        word = a[lay.RG + a[p + lay.L_RANGES] + 2 * i]
        c = word & 255
        end = ((word >> 8) & 255) + 1
        while c < end:
            if c & 7 == 0 and c + 8 <= end:  # eight bytes at once
                a[dense + (c >> 3)] = np.int64(i + 1) * 0x0101010101010101
                c += 8
            else:
                a[dense + (c >> 3)] |= np.int64(i + 1) << np.int64((c & 7) << 3)
                c += 1


@njit(cache=True, nogil=True)
def range_of(a, p, c):
    """Offset in RG of the one range that reads byte c in the local state whose record is at p, or -1."""
    dense = a[p + lay.L_DENSE]
    if dense >= 0:
        number = (a[lay.DN + dense + (c >> 3)] >> ((c & 7) << 3)) & 255
        return a[p + lay.L_RANGES] + 2 * (number - 1) if number else np.int64(-1)
    at = a[p + lay.L_RANGES]
    for i in range(a[p + lay.L_N_RANGES]):
        word = a[lay.RG + at + 2 * i]
        if c <= ((word >> 8) & 255):
            return at + 2 * i if (word & 255) <= c else np.int64(-1)
    return np.int64(-1)
