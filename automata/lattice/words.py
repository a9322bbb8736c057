"""Sets as words of 64 bits."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def lowest_bit(word):
    """The number of the lowest bit that is set."""
    low = word ^ (word & (word - np.uint64(1)))
    b = 0
    if low & np.uint64(0xFFFFFFFF00000000):
        b += 32
        low >>= np.uint64(32)
    if low & np.uint64(0xFFFF0000):
        b += 16
        low >>= np.uint64(16)
    if low & np.uint64(0xFF00):
        b += 8
        low >>= np.uint64(8)
    if low & np.uint64(0xF0):
        b += 4
        low >>= np.uint64(4)
    if low & np.uint64(0xC):
        b += 2
        low >>= np.uint64(2)
    if low & np.uint64(0x2):
        b += 1
    return b
