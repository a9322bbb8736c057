"""JSON values in registers: read byte by byte and interned by what they mean.

An *open value* is a stack of OPEN records ``(below, chain)``, one for each container, string or number that has begun; a chain is an
interned list of symbols from the root of its kind.  When a value is complete its chain becomes one symbol of the chain below, so
that two values are equal exactly if they are one number: white space is dropped, the escapes of strings are decoded, numbers
become digits and an exponent, and the members of an object are sorted.  The stack ends in a chain from ``ROOT_ITEM``, which takes
the one value that is read.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay
from .heap import HP, intern_pair

# Roots of chains, and their kinds: the lowest offsets of the heap, where no record lies.
ROOT_STRING = 2  # decoded bytes; then at most one symbol for an escape that is not complete
ROOT_ATOM = 3  # the bytes of a number that is not complete, or of true, false, null
ROOT_NUMBER = 4  # sign, digits, exponent
ROOT_ARRAY = 5  # values
ROOT_OBJECT = 6  # key, value, key, value, in the order of the text
ROOT_MEMBERS = 7  # the same of a complete object, sorted by key
ROOT_ITEM = 8
LAST_ROOT = 8
KIND_SHIFT = 56
SYMBOL = (1 << KIND_SHIFT) - 1

# The escape that a string's chain ends with: ``state | digits << 4 | value << 8 | the high surrogate before it << 24``.
BACKSLASH = 1 << 40
HEX = 2 << 40
HIGH = 3 << 40  # a high surrogate, complete
HIGH_BACKSLASH = 4 << 40
EXPONENT = 1 << 40  # of a number's last symbol, plus EXPONENT_ZERO plus the exponent
EXPONENT_ZERO = 1 << 39
MOST_EXPONENT = 1 << 38
MOST_ZEROS = 100
MOST_DIGITS = 13

BUFFER = lay.S + 300000  # the symbols of one chain
MAX_BUFFER = 65536


@njit(cache=True, nogil=True)
def kind_of(a, chain):
    """The root that a chain begins with."""
    return chain if chain <= LAST_ROOT else a[HP + chain + lay.HEADER + 1] >> KIND_SHIFT


@njit(cache=True, nogil=True)
def symbol_of(a, chain):
    """The last symbol of a chain that is no root."""
    return a[HP + chain + lay.HEADER + 1] & SYMBOL


@njit(cache=True, nogil=True)
def append_symbol(a, scope, chain, symbol):
    """The chain with one more symbol; -1 with H_ERROR set."""
    return intern_pair(a, scope, lay.KIND_TEXT, chain, symbol | (kind_of(a, chain) << KIND_SHIFT))


@njit(cache=True, nogil=True)
def open_value(a, scope, below, chain):
    """The open value with one more level; passes an error in ``chain`` on."""
    if chain < 0 or below < 0:
        return np.int64(-1)
    return intern_pair(a, scope, lay.KIND_OPEN, below, chain)


@njit(cache=True, nogil=True)
def put_value(a, scope, top, value):
    """The open value after a complete value was read in its innermost container."""
    if value < 0:
        return np.int64(-1)
    p = HP + top + lay.HEADER
    below = a[p]
    return open_value(a, scope, below, append_symbol(a, scope, a[p + 1], value))


@njit(cache=True, nogil=True)
def append_character(a, scope, chain, code):
    """The chain of a string with the bytes of a character; a lone surrogate has three bytes as any other of its size."""
    if code >= 0x10000:
        chain = append_symbol(a, scope, chain, 0xF0 | (code >> 18))
        if chain > 0:
            chain = append_symbol(a, scope, chain, 0x80 | ((code >> 12) & 63))
    elif code >= 0x800:
        chain = append_symbol(a, scope, chain, 0xE0 | (code >> 12))
    if chain > 0 and code >= 0x800:
        chain = append_symbol(a, scope, chain, 0x80 | ((code >> 6) & 63))
    elif code >= 0x80:
        chain = append_symbol(a, scope, chain, 0xC0 | (code >> 6))
    if chain > 0:
        chain = append_symbol(a, scope, chain, (0x80 | (code & 63)) if code >= 0x80 else code)
    return chain


@njit(cache=True, nogil=True)
def short_escape(c):
    """The byte that a backslash and this byte stand for."""
    if c == 0x62:
        return np.int64(8)
    if c == 0x66:
        return np.int64(12)
    if c == 0x6E:
        return np.int64(10)
    if c == 0x72:
        return np.int64(13)
    if c == 0x74:
        return np.int64(9)
    return np.int64(c)


@njit(cache=True, nogil=True)
def without_escape(a, chain):
    """A string's chain without the escape that is not complete."""
    if chain > LAST_ROOT and symbol_of(a, chain) >= BACKSLASH:
        return a[HP + chain + lay.HEADER]
    return chain


@njit(cache=True, nogil=True)
def read_in_string(a, scope, top, c):
    """The open value after a byte of its innermost string."""
    p = HP + top + lay.HEADER
    below = a[p]
    chain = a[p + 1]
    base = without_escape(a, chain)
    pending = np.int64(0)
    if base != chain:
        pending = symbol_of(a, chain)
    state = pending >> 40 << 40
    high = (pending >> 24) & 0xFFFF
    if state == HIGH and c != 0x5C:
        base = append_character(a, scope, base, high)
        if base < 0:
            return np.int64(-1)
        state = np.int64(0)
    if state == 0:
        if c == 0x22:
            return put_value(a, scope, below, base)
        return open_value(a, scope, below, append_symbol(a, scope, base, np.int64(BACKSLASH) if c == 0x5C else c))
    if state == HIGH:
        return open_value(a, scope, below, append_symbol(a, scope, base, HIGH_BACKSLASH | (high << 24)))
    if state == BACKSLASH or state == HIGH_BACKSLASH:
        if c == 0x75:
            return open_value(a, scope, below, append_symbol(a, scope, base, HEX | (high << 24)))
        if high != 0:
            base = append_character(a, scope, base, high)
            if base < 0:
                return np.int64(-1)
        return open_value(a, scope, below, append_symbol(a, scope, base, short_escape(c)))
    digits = ((pending >> 4) & 15) + 1
    digit = c - 48 if c < 58 else (c | 32) - 87
    value = (((pending >> 8) & 0xFFFF) << 4) | digit
    if digits < 4:
        symbol = HEX | (digits << 4) | (value << 8) | (high << 24)
        return open_value(a, scope, below, append_symbol(a, scope, base, symbol))
    if high != 0 and 0xDC00 <= value < 0xE000:
        code = 0x10000 + ((high - 0xD800) << 10) + (value - 0xDC00)
        return open_value(a, scope, below, append_character(a, scope, base, code))
    if high != 0:
        base = append_character(a, scope, base, high)
        if base < 0:
            return np.int64(-1)
    if 0xD800 <= value < 0xDC00:
        return open_value(a, scope, below, append_symbol(a, scope, base, HIGH | (value << 24)))
    return open_value(a, scope, below, append_character(a, scope, base, value))


@njit(cache=True, nogil=True)
def bytes_of(a, chain):
    """Write the symbols of a chain to BUFFER; returns their number, or -1 with H_ERROR set where they are too many."""
    n = np.int64(0)
    here = chain
    while here > LAST_ROOT:
        n += 1
        here = a[HP + here + lay.HEADER]
    if n > MAX_BUFFER:
        a[lay.H_ERROR] = lay.ERR_SCRATCH
        return np.int64(-1)
    here = chain
    for i in range(n):
        a[BUFFER + n - 1 - i] = symbol_of(a, here)
        here = a[HP + here + lay.HEADER]
    return n


@njit(cache=True, nogil=True)
def number_value(a, scope, chain):
    """The value of a complete number or literal from the chain of its bytes; -1 with H_ERROR set."""
    n = bytes_of(a, chain)
    if n < 0:
        return n
    if a[BUFFER] > 57:  # true, false, null
        return chain
    i = np.int64(0)
    negative = a[BUFFER] == 0x2D
    if negative:
        i = np.int64(1)
    begin = i
    n_digits = np.int64(0)
    exponent = np.int64(0)
    fraction = False
    while i < n and (a[BUFFER + i] | 32) != 0x65:
        if a[BUFFER + i] == 0x2E:
            fraction = True
        else:
            a[BUFFER + begin + n_digits] = a[BUFFER + i]
            n_digits += 1
            if fraction:
                exponent -= 1
        i += 1
    if i < n:
        i += 1
        below_one = a[BUFFER + i] == 0x2D
        if below_one or a[BUFFER + i] == 0x2B:
            i += 1
        shift = np.int64(0)
        while i < n:
            shift = min(shift * 10 + a[BUFFER + i] - 48, np.int64(MOST_EXPONENT))
            i += 1
        exponent += -shift if below_one else shift
    while n_digits > 0 and a[BUFFER + begin + n_digits - 1] == 48:
        n_digits -= 1
        exponent += 1
    while n_digits > 0 and a[BUFFER + begin] == 48:
        begin += 1
        n_digits -= 1
    if n_digits == 0:
        return append_symbol(a, scope, np.int64(ROOT_NUMBER), np.int64(48))
    value = np.int64(ROOT_NUMBER)
    if negative:
        value = append_symbol(a, scope, value, np.int64(0x2D))
    for k in range(n_digits):
        if value < 0:
            return value
        value = append_symbol(a, scope, value, a[BUFFER + begin + k])
    if value < 0:
        return value
    exponent = min(max(exponent, -np.int64(MOST_EXPONENT)), np.int64(MOST_EXPONENT))
    return append_symbol(a, scope, value, EXPONENT + EXPONENT_ZERO + exponent)


@njit(cache=True, nogil=True)
def object_value(a, scope, chain):
    """The value of a complete object from the chain of its members; -1 with H_ERROR set."""
    n = bytes_of(a, chain)
    if n < 0:
        return n
    for i in range(2, n, 2):
        key = a[BUFFER + i]
        value = a[BUFFER + i + 1]
        at = i
        while at > 0 and a[BUFFER + at - 2] > key:
            a[BUFFER + at] = a[BUFFER + at - 2]
            a[BUFFER + at + 1] = a[BUFFER + at - 1]
            at -= 2
        a[BUFFER + at] = key
        a[BUFFER + at + 1] = value
    result = np.int64(ROOT_MEMBERS)
    for i in range(n):
        result = append_symbol(a, scope, result, a[BUFFER + i])
        if result < 0:
            return result
    return result


@njit(cache=True, nogil=True)
def says_nothing(a, chain, c):
    """Whether a digit of a number need not be remembered, so that a search through spellings comes to an end.

    These are the digits of an exponent of zero, the first zeros of any exponent, and digits behind ``MOST_DIGITS`` others there; and the
    zeros of a fraction behind ``MOST_ZEROS`` others in a row.  Two numbers that differ only in how many more there are count as one.
    """
    if c < 48 or c > 57:
        return False
    digits = np.int64(0)  # of the part that the text ends with
    zeros = np.int64(0)  # those of them at the end
    part = np.int64(0)  # what stands before them: the point, the exponent's letter or sign
    exponent = False
    nonzero = False  # a digit before the exponent
    here = chain
    while here > LAST_ROOT:
        symbol = symbol_of(a, here)
        here = a[HP + here + lay.HEADER]
        if 48 <= symbol <= 57:
            if part == 0:
                zeros += symbol == 48 and zeros == digits
                digits += 1
            nonzero |= symbol != 48
            continue
        if symbol == 0x65 or symbol == 0x45:
            exponent = True
            nonzero = False
        if part == 0:
            part = symbol
    if exponent:
        return not nonzero or (digits == 0 and c == 48) or digits >= MOST_DIGITS
    return part == 0x2E and c == 48 and zeros >= MOST_ZEROS


@njit(cache=True, nogil=True)
def ends_atom(c):
    """Whether a byte cannot stand in a number or literal."""
    return c == 0x2C or c == 0x5D or c == 0x7D or c <= 0x20


@njit(cache=True, nogil=True)
def close_atom(a, scope, top):
    """The open value with the number or literal complete that its text ends with, if it does."""
    p = HP + top + lay.HEADER
    if kind_of(a, a[p + 1]) != ROOT_ATOM:
        return top
    below = a[p]
    return put_value(a, scope, below, number_value(a, scope, a[p + 1]))


@njit(cache=True, nogil=True)
def read_value(a, scope, top, c):
    """The open value after one more byte of a JSON text; -1 with H_ERROR set."""
    p = HP + top + lay.HEADER
    kind = kind_of(a, a[p + 1])
    if kind == ROOT_STRING:
        return read_in_string(a, scope, top, c)
    if kind == ROOT_ATOM:
        if not ends_atom(c):
            if says_nothing(a, a[p + 1], c):
                return top
            below = a[p]
            return open_value(a, scope, below, append_symbol(a, scope, a[p + 1], c))
        top = close_atom(a, scope, top)
        if top < 0:
            return top
        p = HP + top + lay.HEADER
    if c <= 0x20 or c == 0x2C or c == 0x3A or (kind_of(a, a[p + 1]) == ROOT_ITEM and ends_atom(c)):
        return top
    below = a[p]
    if c == 0x5D:
        return put_value(a, scope, below, a[p + 1])
    if c == 0x7D:
        return put_value(a, scope, below, object_value(a, scope, a[p + 1]))
    if c == 0x22:
        return open_value(a, scope, top, np.int64(ROOT_STRING))
    if c == 0x5B:
        return open_value(a, scope, top, np.int64(ROOT_ARRAY))
    if c == 0x7B:
        return open_value(a, scope, top, np.int64(ROOT_OBJECT))
    return open_value(a, scope, top, append_symbol(a, scope, np.int64(ROOT_ATOM), c))
