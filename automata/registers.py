"""Registers: the keys and values seen, the one that is open, and how they travel with calls and returns.

See *Values that differ* in ``layout``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..grammar.ir import OP_KEY_CLOSE
from . import layout as lay
from .heap import HASH_MASK, HP, ROOT_TEXT, contains_key, intern, intern_pair, n_extending, n_keys
from .values import ROOT_ITEM, ROOT_STRING, close_atom, open_value, read_value, symbol_of

NEST = 1 << 62  # of a register: a record (register of this activation, register of the one around)
CARRIED = -2  # of a link: the caller's register travels with the callee's
PASSED = -3  # likewise, and the caller has seen no keys of its own
RESTS = lay.S + 375000  # registers around, while one is rebuilt
MAX_NESTED = 4096


@njit(cache=True, nogil=True)
def is_nested(register):
    """Whether a register carries those of activations around."""
    return register & NEST != 0


@njit(cache=True, nogil=True)
def inner_of(a, register):
    """The register of the activation itself."""
    return a[HP + (register & HASH_MASK) + lay.HEADER] if is_nested(register) else register


@njit(cache=True, nogil=True)
def outer_of(a, register):
    """The register of the activation around, which travels with this one's."""
    return a[HP + (register & HASH_MASK) + lay.HEADER + 1]


@njit(cache=True, nogil=True)
def nest(a, scope, inner, outer):
    """The register of an activation together with that of the one around; -1 with H_ERROR set."""
    record = intern_pair(a, scope, lay.KIND_NEST, inner, outer)
    return record | np.int64(NEST) if record >= 0 else np.int64(-1)


@njit(cache=True, nogil=True)
def keys_of(a, register):
    """The list of the keys or items seen in the activation."""
    return inner_of(a, register) >> 31


@njit(cache=True, nogil=True)
def text_of(a, register):
    """The open text or value of the activation, 0 for none."""
    return inner_of(a, register) & HASH_MASK


@njit(cache=True, nogil=True)
def is_value(a, text):
    """Whether an open text is an open value."""
    return text > ROOT_TEXT and a[HP + text] >> 32 == lay.KIND_OPEN


@njit(cache=True, nogil=True)
def carries(a, register):
    """Whether a call must take the register with it, since what the callee reads is part of a value."""
    return is_nested(register) or is_value(a, register & HASH_MASK)


@njit(cache=True, nogil=True)
def saved_register(a, register):
    """What a link remembers of its caller's register."""
    if not carries(a, register):
        return register
    return np.int64(PASSED) if is_nested(register) and inner_of(a, register) == 0 else np.int64(CARRIED)


@njit(cache=True, nogil=True)
def callee_register(a, scope, register):
    """The register that a callee begins with; -1 with H_ERROR set."""
    if not carries(a, register):
        return np.int64(0)
    if is_nested(register) and inner_of(a, register) == 0:
        return register
    return nest(a, scope, np.int64(0), register)


@njit(cache=True, nogil=True)
def tail_register(a, scope, register):
    """The register that the callee of a tail call begins with; -1 with H_ERROR set."""
    return nest(a, scope, np.int64(0), outer_of(a, register)) if is_nested(register) else np.int64(0)


@njit(cache=True, nogil=True)
def returned_register(a, scope, saved, register):
    """The register after a return over a link, from what the link remembers and the callee's; -1 with H_ERROR set."""
    if saved >= 0:
        return saved
    outer = outer_of(a, register)
    return outer if saved == CARRIED else nest(a, scope, np.int64(0), outer)


@njit(cache=True, nogil=True)
def with_inner(a, scope, register, inner):
    """The register with another one for the activation itself; passes an error in ``inner`` on."""
    if inner < 0 or not is_nested(register):
        return inner
    return nest(a, scope, inner, outer_of(a, register))


@njit(cache=True, nogil=True)
def remember(a, scope, register, c):
    """The register after one more byte: every open text of it and of those around grows; -1 with H_ERROR set."""
    depth = 0
    rest = register
    while is_nested(rest):
        if depth >= MAX_NESTED:
            a[lay.H_ERROR] = lay.ERR_SCRATCH
            return np.int64(-1)
        a[RESTS + depth] = inner_of(a, rest)
        depth += 1
        rest = outer_of(a, rest)
    grown = remember_one(a, scope, rest, c)
    while depth > 0 and grown >= 0:
        depth -= 1
        inner = remember_one(a, scope, a[RESTS + depth], c)
        grown = nest(a, scope, inner, grown) if inner >= 0 else np.int64(-1)
    return grown


@njit(cache=True, nogil=True)
def remember_one(a, scope, register, c):
    """The register of one activation after one more byte; -1 with H_ERROR set."""
    text = register & HASH_MASK
    if text == 0:
        return register
    text = read_value(a, scope, text, c) if is_value(a, text) else intern_pair(a, scope, lay.KIND_TEXT, text, c)
    return ((register >> 31) << 31) | text if text >= 0 else np.int64(-1)


@njit(cache=True, nogil=True)
def begin_text(a, scope, register, text):
    """The register with a text open; ``text`` is ROOT_TEXT, or ROOT_STRING or ROOT_ITEM for a value; -1 with H_ERROR set."""
    if text != ROOT_TEXT:
        value = open_value(a, scope, np.int64(0), np.int64(ROOT_ITEM))
        if text == ROOT_STRING:
            value = open_value(a, scope, value, np.int64(ROOT_STRING))
        text = value
        if text < 0:
            return text
    return with_inner(a, scope, register, ((inner_of(a, register) >> 31) << 31) | text)


@njit(cache=True, nogil=True)
def forget_text(a, scope, register):
    """The register without its open text; -1 with H_ERROR set."""
    return with_inner(a, scope, register, (inner_of(a, register) >> 31) << 31)


@njit(cache=True, nogil=True)
def end_text(a, scope, register):
    """The register after its open text or value has joined those seen; -1 if it was among them, -2 on an error."""
    inner = inner_of(a, register)
    keys = inner >> 31
    text = inner & HASH_MASK
    if is_value(a, text):
        text = close_atom(a, scope, text)
        if text < 0:
            return np.int64(-2)
        text = symbol_of(a, a[HP + text + lay.HEADER + 1])
    if contains_key(a, keys, text):
        a[lay.H_CUT] = 1
        return np.int64(-1)
    a[lay.S] = keys
    a[lay.S + 1] = text
    a[lay.S + 2] = n_keys(a, keys) + 1
    grown = intern(a, scope, lay.KIND_KEYS, lay.S, 3)
    if grown >= 0:
        grown = with_inner(a, scope, register, grown << 31)
    return grown if grown >= 0 else np.int64(-2)


@njit(cache=True, nogil=True)
def no_key_left(a, q, register):
    """Whether all keys that can still be read from local state q, inside or before a key, are among those seen."""
    words = a[lay.LS + q * lay.LS_WIDTH + lay.L_WORDS]
    if words < 0:
        q = -words
        words = a[lay.LS + q * lay.LS_WIDTH + lay.L_WORDS]
    keys = keys_of(a, register)
    if n_keys(a, keys) < words:
        return False
    text = max(text_of(a, register), ROOT_TEXT)
    if n_extending(a, keys, text) < words:
        return False
    n = np.int64(0)
    while keys != 0:
        if reads_rest(a, q, text, a[HP + keys + lay.HEADER + 1]):
            n += 1
        keys = a[HP + keys + lay.HEADER]
    return n >= words


@njit(cache=True, nogil=True)
def reads_rest(a, q, text, key):
    """Whether a key seen begins with a text, and local state q inside a key reads the rest of it to its end."""
    rest = np.int64(0)
    here = key
    while here > ROOT_TEXT and here != text:
        rest += 1
        here = a[HP + here + lay.HEADER]
    if here != text:
        return False
    while rest > 0:
        rest -= 1
        here = key
        for _ in range(rest):  # from the end for each byte: most keys are short, and what is no word of q is left soon
            here = a[HP + here + lay.HEADER]
        c = a[HP + here + lay.HEADER + 1]
        p = lay.LS + q * lay.LS_WIDTH
        q = np.int64(0)
        for i in range(a[p + lay.L_N_RANGES]):
            at = lay.RG + a[p + lay.L_RANGES] + 2 * i
            if (a[at] & 255) <= c <= ((a[at] >> 8) & 255):
                if (a[at] >> 16) & 255 == OP_KEY_CLOSE:
                    return rest == 0
                q = a[at + 1] & 0xFFFFFFFF
                break
        if q == 0:
            return False
    return False
