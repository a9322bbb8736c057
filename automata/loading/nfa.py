"""A rule's nondeterministic automaton as the subset construction reads it: literals spelled out, edges in order of their sources."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from ...grammar.ir import OP_KEY_CLOSE, OP_KEY_OPEN, OP_TEXT_OPEN
from .literals import ATTR_KILL, ATTR_NOT, order_by_source, spell_out
from .sets import grow

BODY = 1 << 60  # marks a body element: BODY | extra edge << 32 | local state

# the states' attributes, beside those that ``literals`` gives
ATTR_TRACKED = 4  # between KEY_OPEN and KEY_CLOSE
ATTR_ACCEPT = 8
ATTR_ACCEPT_NO_NEED = 16
ATTR_GUARD = 32

Ints = npt.NDArray[np.int64]


class Nfa(NamedTuple):
    """A rule's automaton; ``x_order[x_begin[s] : x_begin[s + 1]]`` are the edges of kind x that leave state s.

    Attributes:
        attrs: of each state, ATTR_* bits.
        busy: of each state, whether an edge leaves it that is no epsilon.
        guard_of: of each state, its row in the rule's guards, or -1.
        by: edges that read a byte: source, low, high, op, arg, target.
        eps: epsilon edges: source, target.
        calls: source, callee, pair, target.
        extras: extra keys: source, start of the string body, target.
        by_begin: where the edges of each state begin in ``by_order``; so for the other kinds.
        by_order: the edges' numbers.
        eps_begin: see ``by_begin``.
        eps_order: see ``by_order``.
        call_begin: see ``by_begin``.
        call_order: see ``by_order``.
        extra_begin: see ``by_begin``.
        extra_order: see ``by_order``.

    """

    attrs: Ints
    busy: npt.NDArray[np.bool_]
    guard_of: Ints
    by: Ints
    eps: Ints
    calls: Ints
    extras: Ints
    by_begin: Ints
    by_order: Ints
    eps_begin: Ints
    eps_order: Ints
    call_begin: Ints
    call_order: Ints
    extra_begin: Ints
    extra_order: Ints


@njit(cache=True, nogil=True)
def spelled_out(edges, blob, n, accepting, accepting_no_need, guards):
    """The automaton of a rule; see ``subsets.load_rule`` for the arguments."""
    special = np.zeros(n, np.bool_)
    for s in accepting:
        special[s] = True
    for s in accepting_no_need:
        special[s] = True
    for i in range(guards.shape[0]):
        special[guards[i, 0]] = True
    attrs, home, by, eps, calls, extras = spell_out(edges, blob, n, special)
    n_nfa = len(attrs)
    by_begin, by_order = order_by_source(by[:, 0], n_nfa)
    eps_begin, eps_order = order_by_source(eps[:, 0], n_nfa)
    call_begin, call_order = order_by_source(calls[:, 0], n_nfa)
    extra_begin, extra_order = order_by_source(extras[:, 0], n_nfa)
    for s in accepting:
        attrs[home[s]] |= ATTR_ACCEPT
    for s in accepting_no_need:
        attrs[home[s]] |= ATTR_ACCEPT_NO_NEED
    guard_of = np.full(n_nfa, -1, np.int64)
    for i in range(guards.shape[0]):
        attrs[home[guards[i, 0]]] |= ATTR_GUARD
        guard_of[home[guards[i, 0]]] = i
    mark_tracked(attrs, by, eps, by_begin, by_order, eps_begin, eps_order)
    busy = np.zeros(n_nfa, np.bool_)
    for s in range(n_nfa):
        busy[s] = (
            by_begin[s + 1] > by_begin[s] or call_begin[s + 1] > call_begin[s] or extra_begin[s + 1] > extra_begin[s]
        )
    return Nfa(
        attrs,
        busy,
        guard_of,
        by,
        eps,
        calls,
        extras,
        by_begin,
        by_order,
        eps_begin,
        eps_order,
        call_begin,
        call_order,
        extra_begin,
        extra_order,
    )


@njit(cache=True, nogil=True)
def opens_key(op):
    """Whether the operation opens a key."""
    return op == OP_KEY_OPEN or op == OP_TEXT_OPEN


@njit(cache=True, nogil=True)
def mark_tracked(attrs, by, eps, by_begin, by_order, eps_begin, eps_order):
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
                    e = by_order[k]
                    t = by[e, 5]
                    if by[e, 3] != OP_KEY_CLOSE and not attrs[t] & (ATTR_TRACKED | ATTR_NOT):
                        attrs[t] |= ATTR_TRACKED
                        stack[top] = t
                        top += 1
                for k in range(eps_begin[s], eps_begin[s + 1]):
                    t = eps[eps_order[k], 1]
                    if not attrs[t] & ATTR_TRACKED:
                        attrs[t] |= ATTR_TRACKED
                        stack[top] = t
                        top += 1


@njit(cache=True, nogil=True)
def close_over(nfa, state, out, n_out, seen, stamp, stack):
    """Append the states that ``state`` reaches without reading and that do something; returns the new count."""
    if seen[state] == stamp:
        return n_out
    attrs = nfa.attrs
    busy = nfa.busy
    eps = nfa.eps
    eps_begin = nfa.eps_begin
    eps_order = nfa.eps_order
    seen[state] = stamp
    stack[0] = state
    top = 1
    while top > 0:
        top -= 1
        s = stack[top]
        if busy[s] or attrs[s] & (ATTR_ACCEPT | ATTR_ACCEPT_NO_NEED | ATTR_KILL | ATTR_GUARD):
            out[n_out] = s
            n_out += 1
        for k in range(eps_begin[s], eps_begin[s + 1]):
            t = eps[eps_order[k], 1]
            if seen[t] != stamp:
                seen[t] = stamp
                stack[top] = t
                top += 1
    return n_out


@njit(cache=True, nogil=True)
def enter_extras(nfa, target, n):
    """Append the body elements of the extra keys that n states can read; returns the array, which may have grown, and the new count."""
    target = grow(target, n + nfa.extras.shape[0] + 64)
    n_out = n
    for i in range(n):
        m = target[i]
        if m & BODY:
            continue
        for k in range(nfa.extra_begin[m], nfa.extra_begin[m + 1]):
            e = nfa.extra_order[k]
            target[n_out] = BODY | (e << 32) | nfa.extras[e, 1]
            n_out += 1
    return target, n_out
