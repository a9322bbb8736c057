"""From a state to the next: over a token, over bytes, and which bytes can be read at all."""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay
from .configurations import HELD_N, lives, load_state, make_state
from .heap import state_offset
from .step import step
from .unions import IN


@njit(cache=True, nogil=True)
def read_token(a, scope, n, token):
    """Read the bytes of a text token from the configuration at IN; returns the new number of entries, or -1."""
    offsets = lay.TR + a[lay.H_TRIE] + a[lay.H_VOCAB]
    texts = offsets + a[lay.H_VOCAB] + 1
    begin = a[offsets + token]
    end = a[offsets + token + 1]
    if begin == end:
        return np.int64(0)
    for i in range(begin, end):
        n = step(a, scope, n, a[texts + i])
        if n <= 0:
            return n
    return n


@njit(cache=True, nogil=True)
def advance_record(a, state_at, token):
    """The state after a token, from the record at ``state_at``; 0 dead, -1 with H_ERROR set."""
    if token < 0 or token >= a[lay.H_VOCAB]:
        return np.int64(0)
    at = lay.HP + state_at
    scope = a[at + 3]
    done = a[at + lay.STATE_ENTRIES] == a[lay.H_DONE_STATE]
    if a[at + lay.STATE_BITS] & lay.ACCEPTING_BIT:
        ends = a[lay.H_EOS]
        if done:
            ends += a[lay.H_PAD]
        for i in range(ends):
            if a[lay.EO + i] == token:
                a[IN] = a[lay.H_DONE_STATE]
                a[IN + 1] = 0
                a[IN + 2] = lay.UNBOUNDED
                a[IN + 3] = 0
                a[IN + 4] = lay.FRAME_EMPTY
                return make_state(a, scope, np.int64(1))
    if done:
        return np.int64(0)
    n = read_token(a, scope, load_state(a, state_at), token)
    if n <= 0:
        return n
    return make_state(a, scope, n)


@njit(cache=True, nogil=True)
def advance(a, state, token):
    """The state after a token; 0 dead, -1 with H_ERROR set, -2 if the state is stale."""
    if state == 0:
        return np.int64(0)
    at = state_offset(a, state)
    if at < 0:
        return np.int64(-2)
    return advance_record(a, at, token)


@njit(cache=True, nogil=True)
def advance_many(a, states, tokens, out):
    """One token per state; 0, or the first negative code."""
    for i in range(len(states)):
        code = advance(a, states[i], tokens[i])
        if code < 0:
            return code
        out[i] = code
    return np.int64(0)


@njit(cache=True, nogil=True)
def advance_bytes(a, state, data):
    """The state after some bytes; 0 dead, -1 with H_ERROR set, -2 if the state is stale."""
    if state == 0:
        return np.int64(0)
    at = state_offset(a, state)
    if at < 0:
        return np.int64(-2)
    if len(data) == 0:
        return np.int64(state)
    if a[lay.HP + at + lay.STATE_ENTRIES] == a[lay.H_DONE_STATE]:
        return np.int64(0)
    scope = a[lay.HP + at + 3]
    n = load_state(a, at)
    for c in data:
        n = step(a, scope, n, np.int64(c))
        if n <= 0:
            return n
    return make_state(a, scope, n)


@njit(cache=True, nogil=True)
def start_state(a, scope, q):
    """The start state of a rule in a scope; 0 if it is dead, -1 with H_ERROR set."""
    a[IN] = q
    a[IN + 1] = 0
    a[IN + 2] = lay.UNBOUNDED
    a[IN + 3] = 0
    a[IN + 4] = lay.FRAME_EMPTY
    return make_state(a, scope, np.int64(1))


@njit(cache=True, nogil=True)
def readable_bytes(a, state, readable):
    """Mark in bool[256] the bytes that can come next; returns their number, -1 with H_ERROR set, -2 if stale."""
    for c in range(256):
        readable[c] = False
    if state == 0:
        return np.int64(0)
    at = state_offset(a, state)
    if at < 0:
        return np.int64(-2)
    scope = a[lay.HP + at + 3]
    count = np.int64(0)
    a[HELD_N] = 0
    for c in range(256):
        n = lives(a, scope, step(a, scope, load_state(a, at), np.int64(c)))
        if n < 0:
            return n
        if n > 0:
            readable[c] = True
            count += 1
    return count


@njit(cache=True, nogil=True)
def only_byte(a, state):
    """The one byte that must come next; -1 if there are more or none or the text may end here, -2 if stale."""
    if state == 0:
        return np.int64(-1)
    at = state_offset(a, state)
    if at < 0:
        return np.int64(-2)
    if a[lay.HP + at + lay.STATE_BITS] & lay.ACCEPTING_BIT:
        return np.int64(-1)
    readable = np.empty(256, np.bool_)
    if readable_bytes(a, state, readable) != 1:
        return np.int64(-1)
    for c in range(256):
        if readable[c]:
            return np.int64(c)
    return np.int64(-1)
