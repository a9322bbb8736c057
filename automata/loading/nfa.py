"""A rule's nondeterministic automaton as the subset construction reads it: literals spelled out, edges in order of their sources."""

from __future__ import annotations

import numpy as np
from numba import njit

from ...grammar.ir import OP_KEY_CLOSE, OP_KEY_OPEN, OP_TEXT_OPEN
from .literals import ATTR_KILL, ATTR_NOT, order_by_source, spell_out

BODY = 1 << 60  # marks a body element: BODY | extra edge << 32 | local state

# the states' attributes, beside those that ``literals`` gives
ATTR_TRACKED = 4  # between KEY_OPEN and KEY_CLOSE
ATTR_ACCEPT = 8
ATTR_ACCEPT_NO_NEED = 16
ATTR_GUARD = 32
ATTR_BUSY = 64  # an edge leaves it that is no epsilon


@njit(cache=True, nogil=True)
def spelled_out(edges, blob, n, accepting, accepting_no_need, guards):
    """The automaton of a rule, see ``subsets.load_rule`` for the arguments.

    Returns:
        attrs: of each state, ATTR_* bits.
        guard_of: of each state, its row in ``guards``, or -1.
        by_begin, by: edges that read a byte (source, low, high, op, arg, target), by source: those of state s are rows
            ``by_begin[s] : by_begin[s + 1]``.
        eps_begin, eps: the targets of epsilon edges, by source.
        call_begin, calls: source, callee, pair, target, by source.
        extra_begin, extra_order, extras: extra keys (source, start of the string body, target); the numbers of those of state s are
            ``extra_order[extra_begin[s] : extra_begin[s + 1]]``.

    """
    special = np.zeros(n, np.bool_)
    for s in accepting:
        special[s] = True
    for s in accepting_no_need:
        special[s] = True
    for i in range(guards.shape[0]):
        special[guards[i, 0]] = True
    attrs, home, by, eps, calls, extras = spell_out(edges, blob, n, special)
    n_nfa = len(attrs)
    by_begin, by = by_source(by, n_nfa)
    eps_begin, eps = by_source(eps, n_nfa)
    call_begin, calls = by_source(calls, n_nfa)
    extra_begin, extra_order = order_by_source(extras[:, 0], n_nfa)
    for s in accepting:
        attrs[home[s]] |= ATTR_ACCEPT
    for s in accepting_no_need:
        attrs[home[s]] |= ATTR_ACCEPT_NO_NEED
    guard_of = np.full(n_nfa, -1, np.int64)
    for i in range(guards.shape[0]):
        attrs[home[guards[i, 0]]] |= ATTR_GUARD
        guard_of[home[guards[i, 0]]] = i
    targets = eps[:, 1].copy()
    mark_tracked(attrs, by, by_begin, targets, eps_begin)
    for s in range(n_nfa):
        if by_begin[s + 1] > by_begin[s] or call_begin[s + 1] > call_begin[s] or extra_begin[s + 1] > extra_begin[s]:
            attrs[s] |= ATTR_BUSY
    return attrs, guard_of, by_begin, by, eps_begin, targets, call_begin, calls, extra_begin, extra_order, extras


@njit(cache=True, nogil=True)
def by_source(edges, n_states):
    """Where each state's edges begin, and the edges by source."""
    begin, order = order_by_source(edges[:, 0], n_states)
    ordered = np.empty((edges.shape[0], edges.shape[1]), np.int64)
    for i in range(edges.shape[0]):
        for k in range(edges.shape[1]):
            ordered[i, k] = edges[order[i], k]
    return begin, ordered


@njit(cache=True, nogil=True)
def opens_key(op):
    """Whether the operation opens a key."""
    return op == OP_KEY_OPEN or op == OP_TEXT_OPEN


@njit(cache=True, nogil=True)
def mark_tracked(attrs, by, by_begin, eps, eps_begin):
    """Mark the states between a KEY_OPEN and the KEY_CLOSE after it."""
    n = len(attrs)
    stack = np.empty(n + 1, np.int64)
    top = 0
    for i in range(by.shape[0]):
        if opens_key(by[i, 3]) and not attrs[by[i, 5]] & ATTR_TRACKED:
            attrs[by[i, 5]] |= ATTR_TRACKED
            stack[top] = by[i, 5]
            top += 1
            while top > 0:
                top -= 1
                s = stack[top]
                for k in range(by_begin[s], by_begin[s + 1]):
                    t = by[k, 5]
                    if by[k, 3] != OP_KEY_CLOSE and not attrs[t] & (ATTR_TRACKED | ATTR_NOT):
                        attrs[t] |= ATTR_TRACKED
                        stack[top] = t
                        top += 1
                for k in range(eps_begin[s], eps_begin[s + 1]):
                    t = eps[k]
                    if not attrs[t] & ATTR_TRACKED:
                        attrs[t] |= ATTR_TRACKED
                        stack[top] = t
                        top += 1


@njit(cache=True, nogil=True)
def close_over(attrs, eps_begin, eps, state, out, n_out, seen, stamp, stack):
    """Append the states that ``state`` reaches without reading and that do something; returns the new count."""
    if seen[state] == stamp:
        return n_out
    seen[state] = stamp
    stack[0] = state
    top = 1
    while top > 0:
        top -= 1
        s = stack[top]
        if attrs[s] & (ATTR_BUSY | ATTR_ACCEPT | ATTR_ACCEPT_NO_NEED | ATTR_KILL | ATTR_GUARD):
            out[n_out] = s
            n_out += 1
        for k in range(eps_begin[s], eps_begin[s + 1]):
            t = eps[k]
            if seen[t] != stamp:
                seen[t] = stamp
                stack[top] = t
                top += 1
    return n_out


@njit(cache=True, nogil=True)
def enter_extras(extra_begin, extra_order, extras, out, n):
    """Append the body elements of the extra keys that the n states of ``out`` can read; returns the new count."""
    n_out = n
    for i in range(n):
        m = out[i]
        if m & BODY:
            continue
        for k in range(extra_begin[m], extra_begin[m + 1]):
            e = extra_order[k]
            out[n_out] = BODY | (e << 32) | extras[e, 1]
            n_out += 1
    return n_out
