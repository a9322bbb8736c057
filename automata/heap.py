"""The heap: scopes, interned records, and the kernels that make frames, texts, key lists and states.

Invariants: a record is immutable once linked in its bucket, except the memo words of a STATE; a record names only older
records of its own scope or of scope 0; closing a scope unlinks every record of it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay

HP = lay.HP
HASH_MASK = (1 << 31) - 1
ROOT_TEXT = 1  # the empty text of a key just opened
SCOPE_PERMANENT = 0  # of what is never freed


@njit(cache=True, nogil=True)
def open_scope(a, cap_chunks):
    """Open a scope that may take cap_chunks chunks of memory; returns its number, or -1."""
    scope = a[lay.H_FREE_SCOPE]
    if scope != 0:
        a[lay.H_FREE_SCOPE] = a[lay.SC + scope * lay.SC_WIDTH + lay.SC_CHUNK]
    else:
        scope = a[lay.H_SCOPE] + 1
        if (scope + 1) * lay.SC_WIDTH > lay.CAP_SC:
            a[lay.H_ERROR] = lay.ERR_TABLE
            return np.int64(-1)
        a[lay.H_SCOPE] = scope
    p = lay.SC + scope * lay.SC_WIDTH
    a[p + lay.SC_ALIVE] = 1
    a[p + lay.SC_CHUNK] = 0
    a[p + lay.SC_USED] = lay.CHUNK
    a[p + lay.SC_CHUNKS] = 0
    a[p + lay.SC_DPAGE] = 0
    a[p + lay.SC_SLOT] = lay.PAGE
    a[p + lay.SC_CAP] = cap_chunks
    a[p + lay.SC_PAGES] = 0
    return scope


@njit(cache=True, nogil=True)
def allocate(a, scope, n):
    """Room for a record of n words; returns its offset in the heap (never 0), or -1 with H_ERROR set."""
    p = lay.SC + scope * lay.SC_WIDTH
    used = a[p + lay.SC_USED]
    if used + n > lay.CHUNK:
        if a[p + lay.SC_CHUNKS] >= a[p + lay.SC_CAP]:
            a[lay.H_ERROR] = lay.ERR_SCOPE
            return np.int64(-1)
        chunk = a[lay.H_FREE_CHUNK]
        if chunk != 0:
            a[lay.H_FREE_CHUNK] = a[lay.CK + chunk]
        else:
            chunk = a[lay.H_HP] + 1
            if (chunk + 1) * lay.CHUNK > lay.CAP_HP or chunk >= lay.CAP_CK:
                a[lay.H_ERROR] = lay.ERR_TABLE
                return np.int64(-1)
            a[lay.H_HP] = chunk
        if used < lay.CHUNK:  # a zero length word ends the walk over a chunk's records
            a[HP + a[p + lay.SC_CHUNK] * lay.CHUNK + used] = 0
        a[lay.CK + chunk] = a[p + lay.SC_CHUNK]
        a[p + lay.SC_CHUNK] = chunk
        a[p + lay.SC_CHUNKS] += 1
        a[lay.H_CHUNKS_USED] += 1
        used = np.int64(0)
    at = a[p + lay.SC_CHUNK] * lay.CHUNK + used
    used += n
    a[p + lay.SC_USED] = used
    if used < lay.CHUNK:
        a[HP + at + n] = 0
    return at


@njit(cache=True, nogil=True)
def close_scope(a, scope):
    """Unlink and free everything that the scope owns."""
    p = lay.SC + scope * lay.SC_WIDTH
    chunk = a[p + lay.SC_CHUNK]
    while chunk != 0:
        at = chunk * lay.CHUNK
        end = at + lay.CHUNK
        while at < end:
            length = a[HP + at] & 0xFFFFFFFF
            if length == 0:
                break
            slot = lay.BK + a[HP + at + 2] % lay.CAP_BK
            here = a[slot]
            if here == at:
                a[slot] = a[HP + at + 1]
            else:
                while here != 0:
                    following = a[HP + here + 1]
                    if following == at:
                        a[HP + here + 1] = a[HP + at + 1]
                        break
                    here = following
            a[lay.H_RECORDS] -= 1
            at += length
        before = a[lay.CK + chunk]
        a[lay.CK + chunk] = a[lay.H_FREE_CHUNK]
        a[lay.H_FREE_CHUNK] = chunk
        a[lay.H_CHUNKS_USED] -= 1
        chunk = before
    page = a[p + lay.SC_PAGES]
    while page != 0:
        physical = a[lay.VP + page]
        following = a[lay.DR + physical * lay.DPAGE_WIDTH]
        a[lay.VP + page] = 0
        a[lay.DR + physical * lay.DPAGE_WIDTH] = a[lay.H_FREE_DPAGE]
        a[lay.H_FREE_DPAGE] = physical
        page = following
    a[p + lay.SC_ALIVE] = 0
    a[p + lay.SC_CHUNK] = a[lay.H_FREE_SCOPE]
    a[lay.H_FREE_SCOPE] = scope


@njit(cache=True, nogil=True)
def hash_words(a, at, n, seed):
    """A 31-bit hash of n words; every product stays inside an int64."""
    h = seed & HASH_MASK
    for i in range(n):
        w = a[at + i]
        h = (h * 0x5BD1E995 + (w & HASH_MASK)) & HASH_MASK
        h = ((h ^ (h >> 15)) + ((w >> 31) & HASH_MASK)) & HASH_MASK
    h = (h * 0x2C1B3C6D) & HASH_MASK
    return h ^ (h >> 13)


@njit(cache=True, nogil=True)
def find(a, scope, kind, at, n, h):
    """Look an n-word payload up; returns the record's offset or 0."""
    here = a[lay.BK + h % lay.CAP_BK]
    head = (n + lay.HEADER) | (kind << 32)
    while here != 0:
        p = HP + here
        if a[p + 2] == h and a[p] == head and a[p + 3] == scope:
            same = True
            for i in range(n):
                if a[p + lay.HEADER + i] != a[at + i]:
                    same = False
                    break
            if same:
                return here
        here = a[p + 1]
    return np.int64(0)


@njit(cache=True, nogil=True)
def intern(a, scope, kind, at, n):
    """Offset of the record with this payload (n words at ``at``), made if need be; -1 with H_ERROR set."""
    h = hash_words(a, at, n, kind * 7919 + scope * 31)
    found = find(a, scope, kind, at, n, h)
    if found != 0:
        return found
    here = allocate(a, scope, n + lay.HEADER)
    if here < 0:
        return here
    p = HP + here
    for i in range(n):
        a[p + lay.HEADER + i] = a[at + i]
    a[p] = (n + lay.HEADER) | (kind << 32)
    a[p + 2] = h
    a[p + 3] = scope
    slot = lay.BK + h % lay.CAP_BK
    a[p + 1] = a[slot]
    a[slot] = here
    a[lay.H_RECORDS] += 1
    return here


@njit(cache=True, nogil=True)
def intern_pair(a, scope, kind, x, y):
    """Intern a record of two words."""
    a[lay.S] = x
    a[lay.S + 1] = y
    return intern(a, scope, kind, lay.S, 2)


@njit(cache=True, nogil=True)
def intern_link(a, scope, symbol, need, room, register, parent):
    """The frame with one link."""
    a[lay.S] = symbol
    a[lay.S + 1] = need
    a[lay.S + 2] = room
    a[lay.S + 3] = register
    a[lay.S + 4] = parent
    return intern(a, scope, lay.KIND_FRAME, lay.S, lay.LINK)


@njit(cache=True, nogil=True)
def n_links(a, frame):
    """Number of links of a frame record."""
    return ((a[HP + frame] & 0xFFFFFFFF) - lay.HEADER) // lay.LINK


@njit(cache=True, nogil=True)
def contains_key(a, keys, text):
    """Whether the text is in the list of keys seen.  Texts are interned, so identity is equality."""
    while keys != 0:
        p = HP + keys + lay.HEADER
        if a[p + 1] == text:
            return True
        keys = a[p]
    return False


@njit(cache=True, nogil=True)
def n_keys(a, keys):
    """How many keys are in a list of keys seen."""
    return a[HP + keys + lay.HEADER + 2] if keys != 0 else np.int64(0)


@njit(cache=True, nogil=True)
def n_extending(a, keys, text):
    """How many of the keys seen begin with the text (all, with ROOT_TEXT).  Texts are interned: a prefix is an ancestor."""
    n = np.int64(0)
    while keys != 0:
        p = HP + keys + lay.HEADER
        here = a[p + 1]
        while here > ROOT_TEXT and here != text:
            here = a[HP + here + lay.HEADER]
        if here == text:
            n += 1
        keys = a[p]
    return n


@njit(cache=True, nogil=True)
def state_offset(a, state):
    """Heap offset of a state's record, or -1 if the id is not of a living scope."""
    if state >> lay.GENERATION_SHIFT != a[lay.H_GENERATION]:
        return np.int64(-1)
    page = (state >> 8) & 0xFFFFFFFF
    if page <= 0 or page >= lay.CAP_VP:
        return np.int64(-1)
    physical = a[lay.VP + page]
    if physical == 0:
        return np.int64(-1)
    at = a[lay.DR + physical * lay.DPAGE_WIDTH + 2 + (state & 255)]
    if at == 0:
        return np.int64(-1)
    return at


@njit(cache=True, nogil=True)
def new_page(a, scope):
    """Give the scope a fresh virtual page; returns 0, or -1 with H_ERROR set."""
    physical = a[lay.H_FREE_DPAGE]
    if physical != 0:
        a[lay.H_FREE_DPAGE] = a[lay.DR + physical * lay.DPAGE_WIDTH]
    else:
        physical = a[lay.H_DPAGE] + 1
        if (physical + 1) * lay.DPAGE_WIDTH > lay.CAP_DR:
            a[lay.H_ERROR] = lay.ERR_TABLE
            return np.int64(-1)
        a[lay.H_DPAGE] = physical
    page = a[lay.H_VPAGE]
    for _ in range(lay.CAP_VP):
        page += 1
        if page >= lay.CAP_VP:
            page = 1
        if a[lay.VP + page] == 0:
            break
    a[lay.H_VPAGE] = page
    a[lay.VP + page] = physical
    d = lay.DR + physical * lay.DPAGE_WIDTH
    p = lay.SC + scope * lay.SC_WIDTH
    a[d] = a[p + lay.SC_PAGES]
    a[d + 1] = scope
    for i in range(lay.PAGE):
        a[d + 2 + i] = 0
    a[p + lay.SC_PAGES] = page
    a[p + lay.SC_DPAGE] = page
    a[p + lay.SC_SLOT] = 0
    return np.int64(0)


@njit(cache=True, nogil=True)
def intern_state(a, scope, at, n, bits):
    """State id of the configuration with n sorted entries at ``at``; -1 with H_ERROR set."""
    words = n * lay.ENTRY
    h = hash_words(a, at, words, 104729 + scope * 31)
    head = (words + lay.STATE_ENTRIES) | (lay.KIND_STATE << 32)
    here = a[lay.BK + h % lay.CAP_BK]
    while here != 0:
        p = HP + here
        if a[p + 2] == h and a[p] == head and a[p + 3] == scope:
            same = True
            for i in range(words):
                if a[p + lay.STATE_ENTRIES + i] != a[at + i]:
                    same = False
                    break
            if same:
                return a[p + lay.STATE_ID]
        here = a[p + 1]
    sp = lay.SC + scope * lay.SC_WIDTH
    if a[sp + lay.SC_SLOT] >= lay.PAGE and new_page(a, scope) < 0:
        return np.int64(-1)
    here = allocate(a, scope, words + lay.STATE_ENTRIES)
    if here < 0:
        return here
    slot = a[sp + lay.SC_SLOT]
    a[sp + lay.SC_SLOT] = slot + 1
    page = a[sp + lay.SC_DPAGE]
    state = (a[lay.H_GENERATION] << lay.GENERATION_SHIFT) | (page << 8) | slot
    p = HP + here
    for i in range(words):
        a[p + lay.STATE_ENTRIES + i] = a[at + i]
    a[p] = head
    a[p + 2] = h
    a[p + 3] = scope
    a[p + lay.STATE_ID] = state
    a[p + lay.STATE_BITS] = bits
    a[p + lay.STATE_BOUND] = -1
    bucket = lay.BK + h % lay.CAP_BK
    a[p + 1] = a[bucket]
    a[bucket] = here
    a[lay.H_RECORDS] += 1
    a[lay.DR + a[lay.VP + page] * lay.DPAGE_WIDTH + 2 + slot] = here
    return state
