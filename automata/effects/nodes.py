"""The nodes of the tree, each built at its first use: roots of local states, children under symbols and behind exits."""

from __future__ import annotations

import numpy as np
from numba import njit

from .. import layout as lay
from .landings import clear_table
from .scratch import LEXER, N_GROUPS, N_OPENS, N_POPS, N_VERIFY
from .walk import walk
from .writing import write

MOST_LEXERS = 1 << 9
MOST_NODES = lay.CAP_EH // 2 * 7 // 8


def tokens_of(r, at, n, words):
    """The tokens of an effect, int64[n], from its ``G_TOKENS`` and ``G_N_TOKENS`` (not a kernel)."""
    if at >= 0:
        return r[at : at + n].astype(np.int64)
    return np.flatnonzero(np.unpackbits(r[-1 - at : -1 - at + words].view(np.uint8), bitorder="little"))


@njit(cache=True, nogil=True)
def build(a, r, parent, cls, symbol, state, lexer):
    """Compute one effect node: the root of local state ``state`` (parent -1), or a child of ``parent``.

    The child under ``symbol`` goes on from the pop points of activations that end as usual (class ``cls``; -1 if there are none), the child
    for an exit (``symbol`` -2) from those of its class.  Both go on in ``state``.  The child under SYMBOL_EMPTY holds the tokens that end the
    whole text; they land in local state 0, which reads nothing.

    Returns the node, or -1 with H_ERROR set.
    """
    a[N_POPS] = 0
    a[N_OPENS] = 0
    a[N_VERIFY] = 0
    a[N_GROUPS] = 0
    a[LEXER] = lexer
    clear_table(a, 64)
    if walk(a, parent, cls, symbol, state) < 0:
        return np.int64(-1)
    return write(a, r, parent, symbol, state)


@njit(cache=True, nogil=True)
def root(a, r, q):
    """The effect node of a local state, computed at its first use; -1 with H_ERROR set."""
    node = a[lay.LS + q * lay.LS_WIDTH + lay.L_EFFECT]
    if node < 0:
        node = build(a, r, np.int64(-1), np.int64(-1), np.int64(-1), q, np.int64(-1))
        if node >= 0:
            a[lay.LS + q * lay.LS_WIDTH + lay.L_EFFECT] = node
    return node


@njit(cache=True, nogil=True)
def usual_class(a, node):
    """The class of the pop points of a node at which activations end as usual, -1 if there are none."""
    e = lay.EF + node * lay.EF_WIDTH
    for i in range(a[e + lay.E_N_CLASSES]):
        if a[lay.PP + a[e + lay.E_CLASSES] + lay.CLASS_WIDTH * i] == -1:
            return np.int64(i)
    return np.int64(-1)


@njit(cache=True, nogil=True)
def child(a, r, parent, symbol):
    """The effect node for the tokens of ``parent`` that pop ``symbol``, computed at its first use; -1 with H_ERROR set."""
    state = symbol >> 1 if symbol >= 0 else np.int64(0)
    return kept_child(a, r, parent, (parent << 32) + symbol + 2, usual_class(a, parent), symbol, state, np.int64(-1))


@njit(cache=True, nogil=True)
def exit_child(a, r, parent, cls, state, lexer):
    """The effect node for what the tokens of ``parent`` do once their exit of a class has led to a local state; -1 with H_ERROR set.

    ``lexer`` is that of the parser's state on top, or -1.  The node is one of several parents where ``same_points`` says so.
    """
    if lexer + 1 >= MOST_LEXERS:
        a[lay.H_ERROR] = lay.ERR_SCRATCH
        return np.int64(-1)
    points = a[lay.PP + a[lay.EF + parent * lay.EF_WIDTH + lay.E_CLASSES] + lay.CLASS_WIDTH * cls + 1]
    word = (1 << 62) | (points << 31) | ((lexer + 1) << 22) | state
    return kept_child(a, r, parent, word, cls, np.int64(-2), state, lexer)


@njit(cache=True, nogil=True)
def kept_child(a, r, parent, word, cls, symbol, state, lexer):
    """The child that EH holds under ``word``, built if it is not there; -1 with H_ERROR set."""
    cap = lay.CAP_EH // 2
    h = (((word & 0x7FFFFFFF) * 0x5BD1E995 + (word >> 31) * 0x2C1B3C6D) & 0x7FFFFFFFFFFF) % cap
    while a[lay.EH + 2 * h] != 0:
        if a[lay.EH + 2 * h] == word:
            return a[lay.EH + 2 * h + 1]
        h = (h + 1) % cap
    if a[lay.H_EF] // lay.EF_WIDTH >= MOST_NODES:  # the hash table would fill up
        a[lay.H_ERROR] = lay.ERR_TABLE
        return np.int64(-1)
    node = build(a, r, parent, cls, symbol, state, lexer)
    if node < 0:
        return node
    a[lay.EH + 2 * h] = word
    a[lay.EH + 2 * h + 1] = node
    return node
