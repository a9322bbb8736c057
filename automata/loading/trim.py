"""What cannot be finished is removed from the states of a load."""

from __future__ import annotations

import numpy as np
from numba import njit

from .. import layout as lay
from ..states import fill_dense


@njit(cache=True, nogil=True)
def is_productive(a, target, low, productive):
    """Whether a local state can be finished; those of earlier loads can."""
    return target < low or productive[target - low]


@njit(cache=True, nogil=True)
def trim(a, low, high, spelled):
    """Remove what cannot be finished: bytes that no token spells, and whatever leads only to such.

    Args:
        a: the arena.
        low: the first local state of this load; earlier ones are trimmed already.
        high: the local state after the last.
        spelled: bool[256], the bytes that occur in some token.

    """
    productive = np.zeros(high - low, np.bool_)
    changed = True
    while changed:
        changed = False
        for q in range(high - 1, low - 1, -1):
            if productive[q - low]:
                continue
            p = lay.LS + q * lay.LS_WIDTH
            good = (a[p + lay.L_FLAGS] & (lay.FLAG_ACCEPT | lay.FLAG_ACCEPT_NO_NEED | lay.FLAG_LAZY)) != 0
            for i in range(a[p + lay.L_N_RANGES]):
                if good:
                    break
                word0 = a[lay.RG + a[p + lay.L_RANGES] + 2 * i]
                word1 = a[lay.RG + a[p + lay.L_RANGES] + 2 * i + 1]
                symbol = ((word1 >> 32) & 0x3FFFFFFF) - 1
                if not is_productive(a, word1 & 0xFFFFFFFF, low, productive):
                    continue
                if symbol >= 0 and not is_productive(a, symbol >> 1, low, productive):
                    continue
                for c in range(word0 & 255, ((word0 >> 8) & 255) + 1):
                    if spelled[c]:
                        good = True
                        break
            for i in range(a[p + lay.L_N_CALLS]):
                if good:
                    break
                callee = a[lay.CL + a[p + lay.L_CALLS] + 2 * i]
                symbol = (callee >> 32) - 1
                good = is_productive(a, callee & 0xFFFFFFFF, low, productive) and (
                    symbol < 0 or is_productive(a, symbol >> 1, low, productive)
                )
            if good:
                productive[q - low] = True
                changed = True
    for q in range(low, high):
        p = lay.LS + q * lay.LS_WIDTH
        if a[p + lay.L_FLAGS] & lay.FLAG_LAZY:
            continue
        kept = 0
        first = lay.RG + a[p + lay.L_RANGES]
        for i in range(a[p + lay.L_N_RANGES]):
            word0 = a[first + 2 * i]
            word1 = a[first + 2 * i + 1]
            symbol = ((word1 >> 32) & 0x3FFFFFFF) - 1
            good = is_productive(a, word1 & 0xFFFFFFFF, low, productive) and (
                symbol < 0 or is_productive(a, symbol >> 1, low, productive)
            )
            b = word0 & 255
            e = (word0 >> 8) & 255
            while b < e and not spelled[b]:
                b += 1
            while e > b and not spelled[e]:
                e -= 1
            if good and spelled[b]:
                a[first + 2 * kept] = (word0 & ~np.int64(0xFFFF)) | b | (e << 8)
                a[first + 2 * kept + 1] = word1
                kept += 1
        if kept < a[p + lay.L_N_RANGES] and a[p + lay.L_DENSE] >= 0:
            a[p + lay.L_N_RANGES] = kept
            fill_dense(a, p)
        a[p + lay.L_N_RANGES] = kept
        calls = 0
        for i in range(a[p + lay.L_N_CALLS]):
            at = lay.CL + a[p + lay.L_CALLS]
            callee = a[at + 2 * i]
            symbol = (callee >> 32) - 1
            if is_productive(a, callee & 0xFFFFFFFF, low, productive) and (
                symbol < 0 or is_productive(a, symbol >> 1, low, productive)
            ):
                a[at + 2 * calls] = callee
                a[at + 2 * calls + 1] = a[at + 2 * i + 1]
                calls += 1
        a[p + lay.L_N_CALLS] = calls
        flags = a[p + lay.L_FLAGS] & ~np.int64(lay.FLAG_PURE_CALL)
        if flags & (lay.FLAG_ACCEPT | lay.FLAG_ACCEPT_NO_NEED):
            if kept == 0 and calls == 0:
                flags |= lay.FLAG_END
        elif kept == 0 and calls == 1:
            flags |= lay.FLAG_PURE_CALL
        a[p + lay.L_FLAGS] = flags
