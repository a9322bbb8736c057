"""What the keys and values seen take from a row.

No kept row depends on them.  The tokens that may complete a duplicate are found from the spellings of the keys seen, as trie nodes whose subtrees are
suspect, and each suspect is advanced for real.  Where values are compared, a walk reads the bytes for real instead, as long as a run is in question.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..grammar.ir import OP_NONE
from . import layout as lay
from .configurations import HELD_N, lives, load_state, same_entries
from .heap import ROOT_TEXT
from .repeats import in_question
from .step import step
from .unions import IN

SUSPECTS = lay.S + 140000  # trie nodes whose subtrees may complete a duplicate
MAX_SUSPECTS = 8192
WALKS = lay.S + 150000  # trie nodes from which a walk goes on while values seen are spelled
N_WALKS = lay.S + 158192
MAX_WALKS = 8192
STACK = lay.S + 800000  # the configurations of such a walk, one a level
STACK_CAP = 200000
LEVEL = (
    lay.S + 760000
)  # of each: where its configuration begins, how many entries, and the trie node, or whether a run was cut above it
FIXED = lay.S + 740000  # entries that some bytes of white space leave as they are
FIXED_N = lay.S + 730200  # how many, and the set of these bytes
TEXT_BUFFER = lay.S + 160000
MAX_TEXT = 65536


@njit(cache=True, nogil=True)
def after_key_byte(a, q, c):
    """The local state after a byte inside a key, 0 where the rest of the key is read by another rule or the key ends."""
    p = lay.LS + q * lay.LS_WIDTH
    for i in range(a[p + lay.L_N_RANGES]):
        at = lay.RG + a[p + lay.L_RANGES] + 2 * i
        word = a[at]
        if (word & 255) <= c <= ((word >> 8) & 255) and (word >> 16) & 255 == OP_NONE:
            return a[at + 1] & 0xFFFFFFFF if a[at + 1] >> 32 == 0 else np.int64(0)
    return np.int64(0)


@njit(cache=True, nogil=True)
def collect_suspects(a, keys, text, node, q, n):
    """Add the trie nodes below ``node`` at which a key seen would be completed, or no key be left; returns the new count.

    ``text`` is what was read of the key, and ``q`` the local state there.  The walk along the rest of each key seen ends where the
    first state is reached in which keys may run out: it and everything below is suspect.
    """
    length = 0
    here = text
    while here > ROOT_TEXT:
        length += 1
        here = a[lay.HP + here + lay.HEADER]
    while keys != 0:
        p = lay.HP + keys + lay.HEADER
        seen = a[p + 1]
        keys = a[p]
        total = 0
        here = seen
        while here > ROOT_TEXT:
            total += 1
            here = a[lay.HP + here + lay.HEADER]
        if total <= length or total > MAX_TEXT:
            continue
        here = seen
        for i in range(total - 1, length - 1, -1):
            a[TEXT_BUFFER + i] = a[lay.HP + here + lay.HEADER + 1]
            here = a[lay.HP + here + lay.HEADER]
        if here != text:  # texts are interned, so a prefix is an ancestor
            continue
        x = node
        inside = q
        for i in range(length, total):
            following = np.int64(-1)
            y = x + 1
            end = end_of(a, x)
            while y < end:
                if a[lay.TR + y] & 255 == a[TEXT_BUFFER + i]:
                    following = y
                    break
                y = end_of(a, y)
            x = following
            if x < 0:
                break
            if inside > 0:
                inside = after_key_byte(a, inside, a[TEXT_BUFFER + i])
                if inside > 0 and a[lay.LS + inside * lay.LS_WIDTH + lay.L_WORDS] < lay.UNBOUNDED:
                    break
        if x >= 0:
            n = add_suspect(a, x, n)
            if n < 0:
                return n
    return n


@njit(cache=True, nogil=True)
def end_of(a, node):
    """Behind the last trie node of a node's subtree."""
    return (a[lay.TR + node] >> lay.T_END_SHIFT) & lay.T_END_MASK


@njit(cache=True, nogil=True)
def add_suspect(a, node, n):
    """Append a trie node to the suspects; returns the new count, or -1 with H_ERROR set."""
    if n == MAX_SUSPECTS:
        n = outermost(a, n)
        if n == MAX_SUSPECTS:
            a[lay.H_ERROR] = lay.ERR_SCRATCH
            return np.int64(-1)
    a[SUSPECTS + n] = node
    return n + 1


@njit(cache=True, nogil=True)
def outermost(a, n):
    """Sort the suspects, and drop those that lie below others; returns how many are left."""
    gap = n >> 1
    while gap > 0:  # Shell's sort: most come in order, as nodes are numbered in the order of a walk
        for i in range(gap, n):
            node = a[SUSPECTS + i]
            j = i
            while j >= gap and a[SUSPECTS + j - gap] > node:
                a[SUSPECTS + j] = a[SUSPECTS + j - gap]
                j -= gap
            a[SUSPECTS + j] = node
        gap >>= 1
    kept = np.int64(0)
    end = np.int64(0)
    for i in range(n):
        node = a[SUSPECTS + i]
        if node >= end:
            a[SUSPECTS + kept] = node
            kept += 1
            end = end_of(a, node)
    return kept


@njit(cache=True, nogil=True)
def add_walk(a, node):
    """Append a trie node to those from which a walk begins; returns 0, or -1 with H_ERROR set."""
    n = a[N_WALKS]
    for i in range(n):
        if a[WALKS + i] == node:
            return np.int64(0)
    if n >= MAX_WALKS:
        a[lay.H_ERROR] = lay.ERR_SCRATCH
        return np.int64(-1)
    a[WALKS + n] = node
    a[N_WALKS] = n + 1
    return np.int64(0)


@njit(cache=True, nogil=True)
def clear_duplicates(a, state_at, out, n_suspects):
    """Clear the suspects that cannot be advanced over; returns 0, or -1 with H_ERROR set.

    They are met in the order of the trie, so that tokens share the reading of what they begin with: the configurations on the way are kept, one a
    level, with their nodes.
    """
    n_suspects = outermost(a, n_suspects)
    a[HELD_N] = 0
    scope = a[lay.HP + state_at + 3]
    level = np.int64(0)
    n = load_state(a, state_at)
    if push_configuration(a, level, np.int64(0), n, np.int64(0)) < 0:
        return np.int64(-1)
    for s in range(n_suspects):
        node = a[SUSPECTS + s]
        for x in range(node, end_of(a, node)):
            token = (a[lay.TR + x] >> lay.T_TOKEN_SHIFT) - 1
            if token < 0 or not (out[token >> 5] >> np.uint32(token & 31)) & np.uint32(1):
                continue
            while level > 0 and end_of(a, a[LEVEL + 3 * level + 2]) <= x:
                level -= 1
            p = LEVEL + 3 * level
            while a[p + 2] != x and a[p + 1] != 0:
                below = a[p + 2] + 1
                while end_of(a, below) <= x:
                    below = end_of(a, below)
                n = load_level(a, level)
                begin = a[p] + n * lay.ENTRY
                n = step(a, scope, n, a[lay.TR + below] & 255)
                if n < 0:
                    return n
                level += 1
                p += 3
                if push_configuration(a, level, begin, n, below) < 0:
                    return np.int64(-1)
            n = a[p + 1]
            if n > 0:
                n = lives(a, scope, load_level(a, level))
            if n < 0:
                return n
            if n == 0:
                clear_subtree(a, out, x, x + 1)
    return np.int64(0)


@njit(cache=True, nogil=True)
def clear_subtree(a, out, first, end):
    """Clear the tokens that end at the trie nodes first..end-1."""
    next_same = lay.TR + a[lay.H_TRIE]
    for x in range(first, end):
        token = (a[lay.TR + x] >> lay.T_TOKEN_SHIFT) - 1
        while token >= 0:
            out[token >> 5] &= ~(np.uint32(1) << np.uint32(token & 31))
            token = a[next_same + token]


@njit(cache=True, nogil=True)
def push_configuration(a, level, begin, n, word):
    """Keep the n entries at IN as a level of a walk, with a word about it; returns 0, or -1 with H_ERROR set."""
    if begin + n * lay.ENTRY > STACK_CAP:
        a[lay.H_ERROR] = lay.ERR_SCRATCH
        return np.int64(-1)
    a[LEVEL + 3 * level] = begin
    a[LEVEL + 3 * level + 1] = n
    a[LEVEL + 3 * level + 2] = word
    for i in range(n * lay.ENTRY):
        a[STACK + begin + i] = a[IN + i]
    return np.int64(0)


@njit(cache=True, nogil=True)
def load_level(a, level):
    """Copy the entries of a level to IN; returns their number."""
    begin = STACK + a[LEVEL + 3 * level]
    n = a[LEVEL + 3 * level + 1]
    for i in range(n * lay.ENTRY):
        a[IN + i] = a[begin + i]
    return n


@njit(cache=True, nogil=True)
def any_in_question(a, n):
    """Whether an entry of the configuration at IN is in question."""
    for i in range(n):
        register = a[IN + i * lay.ENTRY + 3]
        if register != 0 and in_question(a, register):
            return True
    return False


@njit(cache=True, nogil=True)
def step_over(a, scope, n, c, before):
    """Step from the n entries at IN, which are at ``before`` too; white space that leaves them as they are is read once."""
    if c > 32:
        return step(a, scope, n, c)
    known = n == a[FIXED_N] and same_entries(a, FIXED, before, n)
    if known and (a[FIXED_N + 1] >> c) & 1:
        return n
    after = step(a, scope, n, c)
    if after == n and a[lay.H_CUT] == 0 and same_entries(a, IN, before, n):
        if not known:
            for k in range(n * lay.ENTRY):
                a[FIXED + k] = a[before + k]
            a[FIXED_N] = n
            a[FIXED_N + 1] = 0
        a[FIXED_N + 1] |= np.int64(1) << c
    return after


@njit(cache=True, nogil=True)
def walk_values(a, state_at, node, out, met):
    """Clear the tokens below a trie node that repeat a value seen, or after which every value would be one.

    ``met`` is empty, or bool[vocabulary]: then the tokens after which the text is in question are marked in it.

    The walk reads the bytes for real, and goes on only where what was read can still become a value seen, or where a run ended as
    a duplicate: nothing else can make a token less than its effects say.  Returns 0, or -1 with H_ERROR set.
    """
    scope = a[lay.HP + state_at + 3]
    n = load_state(a, state_at)
    depth = (a[lay.TR + node] >> lay.T_DEPTH_SHIFT) & lay.T_DEPTH_MASK
    a[lay.H_CUT] = 0
    a[HELD_N] = 0
    a[FIXED_N] = 0
    here = np.int64(0)
    for _ in range(depth):  # down to the node: the child whose range holds it
        here += 1
        while end_of(a, here) <= node:
            here = end_of(a, here)
        n = step(a, scope, n, a[lay.TR + here] & 255)
        if n <= 0:
            return n
    cut = a[lay.H_CUT]
    if push_configuration(a, 0, np.int64(0), n, cut) < 0:
        return np.int64(-1)
    i = node
    end = end_of(a, node)
    while i < end:
        word = a[lay.TR + i]
        level = ((word >> lay.T_DEPTH_SHIFT) & lay.T_DEPTH_MASK) - depth
        node_end = (word >> lay.T_END_SHIFT) & lay.T_END_MASK
        if level > 0:
            p = LEVEL + 3 * (level - 1)
            cut = a[p + 2]
            n = load_level(a, level - 1)
            begin = a[p] + n * lay.ENTRY
            a[lay.H_CUT] = 0
            n = step_over(a, scope, n, word & 255, STACK + a[p])
            if n < 0:
                return n
            cut |= a[lay.H_CUT]
            if n == 0:
                if cut:
                    clear_subtree(a, out, i, node_end)
                i = node_end
                continue
            if not cut and not any_in_question(a, n):
                i = node_end
                continue
            if push_configuration(a, level, begin, n, cut) < 0:
                return np.int64(-1)
        token = (word >> lay.T_TOKEN_SHIFT) - 1
        if token >= 0 and (out[token >> 5] >> np.uint32(token & 31)) & np.uint32(1):
            if len(met) > 0:
                while token >= 0:
                    met[token] = True
                    token = a[lay.TR + a[lay.H_TRIE] + token]
            live = lives(a, scope, n)
            if live < 0:
                return live
            if live == 0:
                clear_subtree(a, out, i, i + 1)
        i += 1
    return np.int64(0)
