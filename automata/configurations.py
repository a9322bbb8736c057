"""From entries to states: calls that are the only thing to do are entered, the rest is sorted and interned, and what cannot be finished is dead.

Where it hangs on the values seen whether a text can be finished, a search tells.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay
from .alive import can_take, forget_taken
from .closure import WORK, accepts_here, add_call, add_pops
from .heap import find, hash_words, intern, intern_link, intern_state, n_links, state_offset
from .registers import callee_register, inner_of, is_nested, outer_of, saved_register, tail_register
from .repeats import may_repeat, needs_search
from .step import step
from .unions import IN, OUT, put_raw, unite

MET = lay.S + 420000  # states that a search has met
TRAIL = lay.S + 520000  # its path: state, byte read last; over all bytes once, and AGAIN if SOME lead on
SOME = 1 << 16
AGAIN = 1 << 17
MAX_MET = 100000
SHAPE = lay.S + 730000  # local state, need, room, register of the activation, frame; then whether it can be finished
SHAPE_WORDS = 5
HELD = lay.S + 731000  # the entries of the configuration that was asked for last, each alone
HELD_N = lay.S + 730100  # their number, and the answer; 0 where nothing is held, as at the beginning of every walk


@njit(cache=True, nogil=True)
def load_state(a, at):
    """Copy a state's entries to IN; returns their number."""
    words = (a[lay.HP + at] & 0xFFFFFFFF) - lay.STATE_ENTRIES
    for i in range(words):
        a[IN + i] = a[lay.HP + at + lay.STATE_ENTRIES + i]
    return words // lay.ENTRY


@njit(cache=True, nogil=True)
def enter_calls(a, scope, n):
    """Enter the calls that are the only thing an entry can do, so that all call sites of a rule share its rows."""
    changed = False
    n_raw = np.int64(0)
    for i in range(n):
        at = IN + i * lay.ENTRY
        q = a[at]
        need = a[at + 1]
        room = a[at + 2]
        register = a[at + 3]
        frame = a[at + 4]
        p = lay.LS + q * lay.LS_WIDTH
        while a[p + lay.L_FLAGS] & lay.FLAG_PURE_CALL:
            changed = True
            callee = a[lay.CL + a[p + lay.L_CALLS]]
            pair = a[lay.CL + a[p + lay.L_CALLS] + 1]
            symbol = (callee >> 32) - 1
            if symbol >= 0:
                frame = intern_link(a, scope, symbol, need, room, saved_register(a, register), frame)
                if frame < 0:
                    return np.int64(-1)
                register = callee_register(a, scope, register)
            else:
                register = tail_register(a, scope, register)
            if register < 0:
                return np.int64(-1)
            q = callee & 0xFFFFFFFF
            need = np.int64(0)
            room = np.int64(lay.UNBOUNDED)
            if pair >= 0:
                need = a[lay.PR + 2 * pair]
                room = a[lay.PR + 2 * pair + 1]
            p = lay.LS + q * lay.LS_WIDTH
        n_raw = put_raw(a, n_raw, q, need, room, register, 0, frame, 0, 0, 0, 0)
        if n_raw < 0:
            return n_raw
    if not changed:
        return n
    return unite(a, scope, n_raw)


@njit(cache=True, nogil=True)
def configuration_bits(a, scope, n):
    """ACCEPTING_BIT if the text may end in the configuration at IN, FINAL_BIT if besides no byte can follow."""
    for i in range(n * lay.ENTRY):
        a[WORK + i] = a[IN + i]
    n_work = n
    accepting = False
    more = False
    i = 0
    while i < n_work:
        at = WORK + i * lay.ENTRY
        i += 1
        p = lay.LS + a[at] * lay.LS_WIDTH
        flags = a[p + lay.L_FLAGS]
        calls = a[p + lay.L_N_CALLS] > 0 and not flags & lay.FLAG_PUSH
        if a[p + lay.L_N_RANGES] > 0 or calls or flags & lay.FLAG_LAZY:
            more = True
        if flags & lay.FLAG_PUSH:
            callee = a[lay.CL + a[p + lay.L_CALLS]]
            frame = intern_link(
                a, scope, (callee >> 32) - 1, a[at + 1], a[at + 2], saved_register(a, a[at + 3]), a[at + 4]
            )
            if frame < 0:
                return np.int64(-1)
            n_work = add_call(a, n_work, callee & 0xFFFFFFFF, np.int64(-1), callee_register(a, scope, a[at + 3]), frame)
            if n_work < 0:
                return np.int64(-1)
        if accepts_here(a, flags, a[at + 1]):
            frame = a[at + 4]
            if frame == lay.FRAME_EMPTY:
                accepting = True
            else:
                for j in range(n_links(a, frame)):
                    if a[lay.HP + frame + lay.HEADER + j * lay.LINK] == lay.SYMBOL_EMPTY:
                        accepting = True
                n_work = add_pops(a, scope, n_work, at, np.int64(-1))
                if n_work < 0:
                    return np.int64(-1)
    bits = np.int64(0)
    if accepting:
        bits |= lay.ACCEPTING_BIT
        if not more:
            bits |= lay.FINAL_BIT
    return bits


@njit(cache=True, nogil=True)
def drop_stuck(a, n):
    """Drop the entries at IN whose open lexeme can only become terminals that their stack does not take; returns the rest's number."""
    kept = np.int64(0)
    forget_taken(a)
    for i in range(n):
        at = IN + i * lay.ENTRY
        live = can_take(a, a[at], a[at + 4], np.int64(0), a[at + 2])
        if live < 0:
            return live
        if live:
            for k in range(lay.ENTRY):
                a[IN + kept * lay.ENTRY + k] = a[at + k]
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def intern_configuration(a, scope, n):
    """Intern the configuration at IN whether or not it can be finished; 0 if it is empty, -1 on an error."""
    if n <= 0:
        return np.int64(n)
    n = enter_calls(a, scope, n)
    if n > 0:
        n = drop_stuck(a, n)
    if n <= 0:
        return np.int64(n)
    for i in range(1, n):  # insertion sort: n is 1 or 2 nearly always
        for k in range(lay.ENTRY):
            a[OUT + k] = a[IN + i * lay.ENTRY + k]
        at = i
        while at > 0:
            b = IN + (at - 1) * lay.ENTRY
            less = False
            for k in range(lay.ENTRY):
                if a[OUT + k] != a[b + k]:
                    less = a[OUT + k] < a[b + k]
                    break
            if not less:
                break
            for k in range(lay.ENTRY):
                a[b + lay.ENTRY + k] = a[b + k]
            at -= 1
        for k in range(lay.ENTRY):
            a[IN + at * lay.ENTRY + k] = a[OUT + k]
    bits = configuration_bits(a, scope, n)
    if bits < 0:
        return bits
    return intern_state(a, scope, IN, n, bits)


@njit(cache=True, nogil=True)
def hangs_on_values(a, n):
    """Whether only a search tells if the configuration at IN can be finished, as is so of every entry."""
    last = np.int64(0)  # many entries have one register
    for i in range(n):
        register = a[IN + i * lay.ENTRY + 3]
        if register == 0:
            return False
        if register != last and not may_repeat(a, register):
            if not needs_search(a, a[IN + i * lay.ENTRY], register):
                return False
        else:
            last = register
    return True


@njit(cache=True, nogil=True)
def last_byte(a, at, most):
    """The greatest byte, at most ``most``, that the state whose record is at ``at`` may read; -1 if there is none."""
    n = ((a[lay.HP + at] & 0xFFFFFFFF) - lay.STATE_ENTRIES) // lay.ENTRY
    best = np.int64(-1)
    for i in range(n):
        entry = lay.HP + at + lay.STATE_ENTRIES + i * lay.ENTRY
        p = lay.LS + a[entry] * lay.LS_WIDTH
        flags = a[p + lay.L_FLAGS]
        if flags & lay.FLAG_LAZY or a[p + lay.L_N_CALLS] > 0 or accepts_here(a, flags, a[entry + 1]):
            return most
        for k in range(a[p + lay.L_N_RANGES]):
            word = a[lay.RG + a[p + lay.L_RANGES] + 2 * k]
            if word & 255 <= most:
                best = max(best, min((word >> 8) & 255, most))
    return best


@njit(cache=True, nogil=True)
def can_finish(a, scope, state):
    """Whether a state all of whose entries are in question can be finished: 1 or 0, -1 with H_ERROR set.

    A search, depth first, for a state that is not in question; those met on the way are marked, so that the next byte finds them
    known.  It stays inside what the values seen spell, and looks at all bytes that may follow before it goes on with one of them: else it
    would spell every key seen, with every escape, before it begins another.
    """
    at = state_offset(a, state)
    bits = a[lay.HP + at + lay.STATE_BITS]
    if bits & lay.LIVE_BIT:
        return np.int64(1)
    if bits & lay.DEAD_BIT:
        return np.int64(0)
    n_met = np.int64(1)
    top = np.int64(0)
    a[MET] = at
    a[TRAIL] = at
    a[TRAIL + 1] = 256
    a[lay.HP + at + lay.STATE_BITS] |= lay.MET_BIT
    found = bits & lay.ACCEPTING_BIT != 0
    while top >= 0 and not found:
        at = a[TRAIL + 2 * top]
        word = a[TRAIL + 2 * top + 1]
        ahead = word & AGAIN == 0
        c = last_byte(a, at, (word & 511) - 1)
        if c < 0:
            if word & AGAIN or not word & SOME:
                top -= 1
            else:
                a[TRAIL + 2 * top + 1] = AGAIN | 256
            continue
        a[TRAIL + 2 * top + 1] = (word & ~511) | c
        # the last byte first: behind 1, a 0 might go on for ever (10e-1, 100e-2), and a 9 settles that the number is another
        n = step(a, scope, load_state(a, at), c)
        if n < 0:
            return n
        if n == 0:
            continue
        if not hangs_on_values(a, n):
            found = True
            break
        following = intern_configuration(a, scope, n)
        if following < 0:
            return following
        if following == 0:
            continue
        at = state_offset(a, following)
        bits = a[lay.HP + at + lay.STATE_BITS]
        if bits & (lay.LIVE_BIT | lay.ACCEPTING_BIT):
            found = True
        elif ahead:
            if not bits & (lay.MET_BIT | lay.DEAD_BIT):
                a[TRAIL + 2 * top + 1] |= SOME
        elif not bits & (lay.MET_BIT | lay.DEAD_BIT):
            if n_met >= MAX_MET:
                a[lay.H_ERROR] = lay.ERR_SCRATCH
                return np.int64(-1)
            a[lay.HP + at + lay.STATE_BITS] |= lay.MET_BIT
            a[MET + n_met] = at
            n_met += 1
            top += 1
            a[TRAIL + 2 * top] = at
            a[TRAIL + 2 * top + 1] = 256
    for i in range(n_met):
        a[lay.HP + a[MET + i] + lay.STATE_BITS] &= ~lay.MET_BIT
        if not found:
            a[lay.HP + a[MET + i] + lay.STATE_BITS] |= lay.DEAD_BIT
    if found:
        for i in range(top + 1):
            a[lay.HP + a[TRAIL + 2 * i] + lay.STATE_BITS] |= lay.LIVE_BIT
    return np.int64(found)


@njit(cache=True, nogil=True)
def make_state(a, scope, n):
    """Intern the configuration at IN; 0 if it is empty or cannot be finished, -1 on an error."""
    asked = n > 0 and hangs_on_values(a, n)
    state = intern_configuration(a, scope, n)
    if not asked or state <= 0:
        return state
    at = state_offset(a, state)
    bits = a[lay.HP + at + lay.STATE_BITS]
    if not bits & (lay.LIVE_BIT | lay.DEAD_BIT):
        a[HELD_N] = 0
        live = finishes(a, scope, load_state(a, at))
        if live < 0:
            return live
        bits = np.int64(lay.LIVE_BIT if live else lay.DEAD_BIT)
        a[lay.HP + at + lay.STATE_BITS] |= bits
    return state if bits & lay.LIVE_BIT else np.int64(0)


@njit(cache=True, nogil=True)
def lives(a, scope, n):
    """Whether the configuration at IN can be finished: 1 or 0, -1 with H_ERROR set.  IN is lost where that takes a search."""
    if n > 0 and a[lay.H_PT] > 0:
        n = enter_calls(a, scope, n)
        if n > 0:
            n = drop_stuck(a, n)
    if n <= 0 or not hangs_on_values(a, n):
        return np.int64(n > 0) if n >= 0 else np.int64(-1)
    return finishes(a, scope, n)


@njit(cache=True, nogil=True)
def finishes(a, scope, n):
    """Whether the configuration at IN, all of whose entries are in question, can be finished: 1 or 0, -1 with H_ERROR set.  IN is lost.

    It can if one of its entries can, so each is asked for alone: many have the answer of another.
    """
    if n == a[HELD_N] and same_entries(a, HELD, IN, n):
        return a[HELD_N + 1]
    for k in range(n * lay.ENTRY):
        a[HELD + k] = a[IN + k]
    a[HELD_N] = 0
    live = any_finishes(a, scope, n)
    if live >= 0:
        a[HELD_N] = n
        a[HELD_N + 1] = live
    return live


@njit(cache=True, nogil=True)
def same_entries(a, x, y, n):
    """Whether the n entries at x are those at y."""
    for k in range(n * lay.ENTRY):
        if a[x + k] != a[y + k]:
            return False
    return True


@njit(cache=True, nogil=True)
def any_finishes(a, scope, n):
    """Whether one of the n entries at HELD can be finished: 1 or 0, -1 with H_ERROR set."""
    for i in range(n):
        if verdict(a, scope, HELD + i * lay.ENTRY) == 1:
            return np.int64(1)
    for i in range(n):
        at = HELD + i * lay.ENTRY
        if verdict(a, scope, at) == 0:
            continue
        for k in range(lay.ENTRY):
            a[IN + k] = a[at + k]
        state = intern_configuration(a, scope, np.int64(1))
        live = can_finish(a, scope, state) if state > 0 else state
        if live < 0:
            return live
        if keep_shape(a, at):
            a[SHAPE + SHAPE_WORDS] = live
            if intern(a, scope, lay.KIND_LIVES, SHAPE, SHAPE_WORDS + 1) < 0:
                return np.int64(-1)
        if live:
            return np.int64(1)
    return np.int64(0)


@njit(cache=True, nogil=True)
def keep_shape(a, at):
    """Write to SHAPE all that it hangs on whether the entry at ``at`` can be finished, if that is less than the entry; returns whether.

    It is where no value around can be one of those seen any more, so that only the registers of the activation itself matter.
    """
    register = a[at + 3]
    if is_nested(register) and may_repeat(a, outer_of(a, register)):
        return False
    a[SHAPE] = a[at]
    a[SHAPE + 1] = a[at + 1]
    a[SHAPE + 2] = a[at + 2]
    a[SHAPE + 3] = inner_of(a, register)
    a[SHAPE + 4] = a[at + 4]
    return True


@njit(cache=True, nogil=True)
def verdict(a, scope, at):
    """What was found out about entries of the shape of the one at ``at``: 1 if they can be finished, 0 if not, -1 if nothing."""
    if not keep_shape(a, at):
        return np.int64(-1)
    for live in range(1, -1, -1):
        a[SHAPE + SHAPE_WORDS] = live
        h = hash_words(a, SHAPE, SHAPE_WORDS + 1, lay.KIND_LIVES * 7919 + scope * 31)
        if find(a, scope, lay.KIND_LIVES, SHAPE, SHAPE_WORDS + 1, h) != 0:
            return np.int64(live)
    return np.int64(-1)
