"""Whether an open value can still become one of those seen.

That is what keeps the comparison cheap: only as long as it can does anything hang on it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay
from .heap import HASH_MASK, HP, ROOT_TEXT
from .registers import inner_of, is_nested, is_value, outer_of
from .values import (
    BUFFER,
    LAST_ROOT,
    MAX_BUFFER,
    ROOT_ARRAY,
    ROOT_ATOM,
    ROOT_ITEM,
    ROOT_MEMBERS,
    ROOT_NUMBER,
    ROOT_STRING,
    bytes_of,
    kind_of,
    symbol_of,
    without_escape,
)

LEVELS = lay.S + 370000  # the chains of an open value, innermost first
MAX_LEVELS = 4096


@njit(cache=True, nogil=True)
def follows(a, chain, whole):
    """Whether ``whole`` begins with ``chain``; chains are interned, so that a beginning is an ancestor."""
    here = whole
    while here > LAST_ROOT and here != chain:
        here = a[HP + here + lay.HEADER]
    return here == chain


@njit(cache=True, nogil=True)
def number_may_become(a, chain, value):
    """Whether the bytes of an unfinished number or literal can begin a spelling of a value: sign and digits are compared."""
    first = chain
    n = np.int64(0)
    while first > LAST_ROOT:
        n += 1
        if a[HP + first + lay.HEADER] == ROOT_ATOM:
            break
        first = a[HP + first + lay.HEADER]
    c = symbol_of(a, first)
    kind = kind_of(a, value)
    if c > 57:
        return kind == ROOT_ATOM and follows(a, chain, value)
    if kind != ROOT_NUMBER:
        return False
    # BUFFER: the value's sign and digits; behind them the open number's
    m = np.int64(0)
    here = value
    while here > LAST_ROOT:
        m += 1
        here = a[HP + here + lay.HEADER]
    if m + n > MAX_BUFFER:
        return True
    bytes_of(a, value)
    here = chain
    for i in range(n):
        a[BUFFER + m + n - 1 - i] = symbol_of(a, here)
        here = a[HP + here + lay.HEADER]
    zero = m == 1 and a[BUFFER] == 48
    if not zero and (a[BUFFER] == 0x2D) != (c == 0x2D):
        return False
    at = np.int64(1) if a[BUFFER] == 0x2D else np.int64(0)
    m = 0 if zero else m - 1  # without the exponent
    begun = False
    for i in range(1 if c == 0x2D else 0, n):
        digit = a[BUFFER + (1 if zero else m + 1) + i]
        if (digit | 32) == 0x65:
            break
        if digit == 0x2E or (digit == 48 and not begun):
            continue
        begun = True
        if (a[BUFFER + at] if at < m else 48) != digit:
            return False
        at += 1
    return True


@njit(cache=True, nogil=True)
def member_of(a, members, key):
    """The value of a member of a complete object, 0 where it has none of that key."""
    here = members
    while here > LAST_ROOT:
        before = a[HP + here + lay.HEADER]
        if symbol_of(a, before) == key:
            return symbol_of(a, here)
        here = a[HP + before + lay.HEADER]
    return np.int64(0)


@njit(cache=True, nogil=True)
def may_become(a, top, value):
    """Whether an open value can still become a value, whatever the grammar; says yes where it is nested too deeply to tell."""
    n = np.int64(0)
    here = top
    while here != 0:
        if n >= MAX_LEVELS:
            return True
        a[LEVELS + n] = a[HP + here + lay.HEADER + 1]
        n += 1
        here = a[HP + here + lay.HEADER]
    for level in range(n - 1, -1, -1):
        chain = a[LEVELS + level]
        kind = kind_of(a, chain)
        if kind == ROOT_ITEM:
            if chain != ROOT_ITEM:
                return symbol_of(a, chain) == value
        elif kind == ROOT_STRING:
            return kind_of(a, value) == ROOT_STRING and follows(a, without_escape(a, chain), value)
        elif kind == ROOT_ATOM:
            return number_may_become(a, chain, value)
        elif kind == ROOT_ARRAY:
            if kind_of(a, value) != ROOT_ARRAY:
                return False
            following = np.int64(0)
            here = value
            while here > LAST_ROOT and here != chain:
                following = symbol_of(a, here)
                here = a[HP + here + lay.HEADER]
            if here != chain or (level > 0 and following == 0):
                return False
            value = following
        else:
            if kind_of(a, value) != ROOT_MEMBERS:
                return False
            key = np.int64(0)
            here = chain
            count = np.int64(0)
            while here > LAST_ROOT:
                count += 1
                here = a[HP + here + lay.HEADER]
            here = chain
            if count & 1:
                key = symbol_of(a, here)
                here = a[HP + here + lay.HEADER]
            while here > LAST_ROOT:
                before = a[HP + here + lay.HEADER]
                if member_of(a, value, symbol_of(a, before)) != symbol_of(a, here):
                    return False
                here = a[HP + before + lay.HEADER]
            if key != 0:
                value = member_of(a, value, key)
                if value == 0:
                    return False
                continue
            if level == 0:
                continue
            begun = without_escape(a, a[LEVELS + level - 1])  # a key: nothing else begins here
            here = value
            while here > LAST_ROOT:
                before = a[HP + here + lay.HEADER]
                other = symbol_of(a, before)
                if follows(a, begun, other):
                    seen = chain
                    while seen > LAST_ROOT:
                        pair = a[HP + seen + lay.HEADER]
                        if symbol_of(a, pair) == other:
                            break
                        seen = a[HP + pair + lay.HEADER]
                    if seen <= LAST_ROOT:
                        return True
                here = a[HP + before + lay.HEADER]
            return False
    return True


@njit(cache=True, nogil=True)
def in_question(a, register):
    """Whether it hangs on the values seen, and not on WORDS, if the text can be finished.

    So it is while a value that is open can become one of those seen, in this activation or around it, and where keys were seen whose
    spellings nobody counts.
    """
    return has_values(a, inner_of(a, register)) or may_repeat(a, register)


@njit(cache=True, nogil=True)
def has_values(a, inner):
    """Whether the activation has seen keys as values and none is open."""
    return inner & HASH_MASK == 0 and inner >> 31 != 0 and compares_values(a, inner >> 31)


@njit(cache=True, nogil=True)
def needs_search(a, q, register):
    """Whether only a search tells if a run in local state q can be finished.

    That is so where it is in question, but not between two members if no value around can be one of those seen: a member that must still
    come has a key that was not seen (the same that a value trusts in while it is read), and where none must come the object may end.
    """
    if may_repeat(a, register):
        return True
    return has_values(a, inner_of(a, register)) and not reads_comma(a, q)


@njit(cache=True, nogil=True)
def reads_comma(a, q):
    """Whether a comma can be read in a local state, so that it stands behind a member."""
    p = lay.LS + q * lay.LS_WIDTH
    for i in range(a[p + lay.L_N_RANGES]):
        word = a[lay.RG + a[p + lay.L_RANGES] + 2 * i]
        if (word & 255) <= 0x2C <= ((word >> 8) & 255):
            return True
    return False


@njit(cache=True, nogil=True)
def may_repeat(a, register):
    """Whether a value that is open can become one of those seen, in this activation or around it."""
    inner = inner_of(a, register)
    while True:
        text = inner & HASH_MASK
        if is_value(a, text):
            keys = inner >> 31
            while keys != 0:
                p = HP + keys + lay.HEADER
                if may_become(a, text, a[p + 1]):
                    return True
                keys = a[p]
        if not is_nested(register):
            return False
        register = outer_of(a, register)
        inner = inner_of(a, register)


@njit(cache=True, nogil=True)
def compares_values(a, keys):
    """Whether a list of keys seen holds values and not texts."""
    return kind_of(a, a[HP + keys + lay.HEADER + 1]) > ROOT_TEXT
