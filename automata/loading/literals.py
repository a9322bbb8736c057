"""A rule's edges as single bytes: literals become tries, shared along chains of states that may be skipped.

An object of n optional members is a chain of states C_i, each with the literal of a key and an epsilon edge to the next.  With a chain of
states per literal, the subset construction would read the first byte of all n - i keys that can come after C_i, for every i: a quadratic
number of set members.  Here C_i has a trie of all those keys instead.  The trie of C_i is that of C_(i+1) with one key inserted, and
insertion copies the nodes on the key's path and nothing else (a persistent trie: Driscoll, Sarnak, Sleator, Tarjan, "Making data structures
persistent", 1989).  So all tries together have as many nodes as the keys have bytes, and a set holds one of them.

What C_(i+1) has beside literals (calls, bytes, an end) moves to a state of its own, its *rest*, where the epsilon edge of C_i goes now; where
there is nothing, the edge goes to the next rest at once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ...grammar.ir import KIND_CALL, KIND_EPSILON, KIND_EXTRA, KIND_LITERAL, KIND_NOT_LITERAL, KIND_RANGE, OP_NONE

ATTR_KILL = 1  # a NOT_LITERAL ends here
ATTR_NOT = 2  # inside a NOT_LITERAL


@njit(cache=True, nogil=True)
def order_by_source(sources, n_states):
    """Indices of edges by source state, and where each state's edges begin."""
    begin = np.zeros(n_states + 1, np.int64)
    for s in sources:
        begin[s + 1] += 1
    for i in range(n_states):
        begin[i + 1] += begin[i]
    at = begin.copy()
    order = np.empty(len(sources), np.int64)
    for i in range(len(sources)):
        s = sources[i]
        order[at[s]] = i
        at[s] += 1
    return begin, order


@njit(cache=True, nogil=True)
def copied(head, entries, used):
    """A copy of a list of trie entries; returns its head, the pool and how much of it is used."""
    copy = np.int64(-1)
    while head >= 0:
        if used == entries.shape[0]:
            bigger = np.empty((2 * used, 3), np.int64)
            bigger[:used] = entries
            entries = bigger
        entries[used, 0] = entries[head, 0]
        entries[used, 1] = entries[head, 1]
        entries[used, 2] = copy
        copy = np.int64(used)
        used += 1
        head = entries[head, 2]
    return copy, entries, used


@njit(cache=True, nogil=True)
def chain_links(edges, n, special):
    """Which states have literals in tries, which of their epsilon edges (or -1) continues a chain, and which have more than that.

    ``special`` are the states that mean something by themselves.  A literal with an operation is not put in a trie.
    """
    literals = np.zeros(n, np.bool_)
    more = special.copy()
    link = np.full(n, -1, np.int64)
    for i in range(edges.shape[0]):
        if edges[i, 1] == KIND_LITERAL and edges[i, 4] == OP_NONE:
            literals[edges[i, 0]] = True
    for i in range(edges.shape[0]):
        s = edges[i, 0]
        if edges[i, 1] == KIND_EPSILON and literals[s] and literals[edges[i, 6]] and link[s] < 0:
            link[s] = i
        elif edges[i, 1] != KIND_LITERAL or edges[i, 4] != OP_NONE:
            more[s] = True
    return literals, link, more


@njit(cache=True, nogil=True)
def chain_order(edges, literals, link, more):
    """The states with literals, each behind the one that its chain goes on to; cycles are cut."""
    n = len(literals)
    status = np.zeros(n, np.int8)  # 1 on the path, 2 done
    order = np.empty(n, np.int64)
    path = np.empty(n, np.int64)
    count = 0
    for s in range(n):
        if not literals[s] or status[s] != 0:
            continue
        path[0] = s
        top = 1
        status[s] = 1
        while True:
            e = link[path[top - 1]]
            if e < 0:
                break
            following = edges[e, 6]
            if status[following] == 2:
                break
            if status[following] == 1:
                link[path[top - 1]] = -1
                more[path[top - 1]] = True
                break
            status[following] = 1
            path[top] = following
            top += 1
        while top > 0:
            top -= 1
            status[path[top]] = 2
            order[count] = path[top]
            count += 1
    return order[:count]


@njit(cache=True, nogil=True)
def spell_out(edges, blob, n, special):
    """The edges of a rule by kind, with literals as bytes.

    Args:
        edges: int64[m, 7], see ``grammar.ir``.
        blob: uint8, the literals' text.
        n: number of states.
        special: bool[n], the states that accept or carry a guard.

    Returns:
        The attributes of all states, old and new; for each old state the one that is special in its stead; edges that
        read a byte (source, low, high, op, arg, target), epsilon edges (source, target), calls (source, callee, pair, target) and extras
        (source, body, target).

    """
    literals, link, more = chain_links(edges, n, special)
    chain = chain_order(edges, literals, link, more)
    n_byte = 0
    n_eps = 0
    n_call = 0
    n_extra = 0
    n_trie = 0
    total = n + len(chain)
    entered = np.zeros(n, np.bool_)  # the states that a chain goes on to
    for i in range(edges.shape[0]):
        kind = edges[i, 1]
        if kind == KIND_EPSILON:
            n_eps += 1
            if link[edges[i, 0]] == i:
                entered[edges[i, 6]] = True
        elif kind == KIND_RANGE:
            n_byte += 1
        elif kind == KIND_LITERAL or kind == KIND_NOT_LITERAL:
            total += edges[i, 3]
            if edges[i, 4] == OP_NONE:
                n_trie += edges[i, 3]
            else:
                n_byte += edges[i, 3]
        elif kind == KIND_CALL:
            n_call += 1
        else:
            n_extra += 1
    attrs = np.zeros(total, np.int64)
    fresh = n
    # --- where the rest of each state is --------------------------------------------------------------------------
    home = np.arange(n)
    rest = np.full(n, -1, np.int64)
    eps = np.empty((n_eps + len(chain), 2), np.int64)
    n_eps = 0
    for k in range(len(chain)):
        s = chain[k]
        following = np.int64(-1)
        if link[s] >= 0:
            following = rest[edges[link[s], 6]]
        rest[s] = following
        if entered[s] and more[s]:
            home[s] = fresh
            rest[s] = fresh
            eps[n_eps, 0] = s
            eps[n_eps, 1] = fresh
            n_eps += 1
            fresh += 1
        if following >= 0:
            eps[n_eps, 0] = home[s]
            eps[n_eps, 1] = following
            n_eps += 1
    # --- tries ------------------------------------------------------------------------------------------------------
    lists = np.full(total, -1, np.int64)  # of each state, its entries: (byte, target, next entry)
    version = np.full(total, -1, np.int64)  # the state in whose trie a node was made
    entries = np.empty((n_trie + 16, 3), np.int64)
    used = 0
    begin, order = order_by_source(edges[:, 0], n)
    rounds = np.concatenate((chain, np.arange(n)))  # first what is read, then what must not be
    for round_ in range(len(rounds)):
        s = rounds[round_]
        negative = round_ >= len(chain)
        root = home[s] if negative else s
        base = np.int64(-1)
        if not negative and link[s] >= 0:
            base, entries, used = copied(lists[edges[link[s], 6]], entries, used)
        tree = base
        mark = np.int64(s + n if negative else s)
        for k in range(begin[s], begin[s + 1]):
            e = order[k]
            if edges[e, 4] != OP_NONE or edges[e, 1] != (KIND_NOT_LITERAL if negative else KIND_LITERAL):
                continue
            length = edges[e, 3]
            here = np.int64(-1)  # the root
            for d in range(length):
                byte = np.int64(blob[edges[e, 2] + d])
                last = d == length - 1 and not negative
                i = tree if here < 0 else lists[here]
                while i >= 0:
                    if entries[i, 0] == byte and (entries[i, 1] == edges[e, 6] if last else entries[i, 1] >= n):
                        break
                    i = entries[i, 2]
                if i < 0:
                    if used == entries.shape[0]:
                        bigger = np.empty((2 * used, 3), np.int64)
                        bigger[:used] = entries
                        entries = bigger
                    i = np.int64(used)
                    used += 1
                    entries[i, 0] = byte
                    if last:
                        entries[i, 1] = edges[e, 6]
                    else:
                        entries[i, 1] = fresh
                        version[fresh] = mark
                        if negative:
                            attrs[fresh] |= ATTR_NOT
                        fresh += 1
                    if here < 0:
                        entries[i, 2] = tree
                        tree = i
                    else:
                        entries[i, 2] = lists[here]
                        lists[here] = i
                elif not last and version[entries[i, 1]] != mark:
                    version[fresh] = mark
                    lists[fresh], entries, used = copied(lists[entries[i, 1]], entries, used)
                    entries[i, 1] = fresh
                    fresh += 1
                here = entries[i, 1]
            if negative and length > 0:
                attrs[here] |= ATTR_KILL
        if not negative:
            lists[root] = tree
        elif tree >= 0:  # behind the positive ones of the same state, if any
            i = tree
            while entries[i, 2] >= 0:
                i = entries[i, 2]
            entries[i, 2] = lists[root]
            lists[root] = tree
    # --- everything else --------------------------------------------------------------------------------------------
    for s in range(fresh):
        i = lists[s]
        while i >= 0:
            n_byte += 1
            i = entries[i, 2]
    by = np.empty((n_byte, 6), np.int64)
    calls = np.empty((n_call, 4), np.int64)
    extras = np.empty((n_extra, 3), np.int64)
    n_byte = 0
    n_call = 0
    n_extra = 0
    for s in range(fresh):
        i = lists[s]
        while i >= 0:
            by[n_byte, 0] = s
            by[n_byte, 1] = entries[i, 0]
            by[n_byte, 2] = entries[i, 0]
            by[n_byte, 3] = OP_NONE
            by[n_byte, 4] = 0
            by[n_byte, 5] = entries[i, 1]
            n_byte += 1
            i = entries[i, 2]
    for i in range(edges.shape[0]):
        kind = edges[i, 1]
        source = home[edges[i, 0]]
        target = edges[i, 6]
        if kind == KIND_EPSILON:
            if link[edges[i, 0]] != i:
                eps[n_eps, 0] = source
                eps[n_eps, 1] = target
                n_eps += 1
        elif kind == KIND_RANGE:
            by[n_byte, 0] = source
            by[n_byte, 1] = edges[i, 2]
            by[n_byte, 2] = edges[i, 3]
            by[n_byte, 3] = edges[i, 4]
            by[n_byte, 4] = edges[i, 5]
            by[n_byte, 5] = target
            n_byte += 1
        elif (kind == KIND_LITERAL or kind == KIND_NOT_LITERAL) and edges[i, 4] != OP_NONE:
            length = edges[i, 3]
            here = source
            for k in range(length):
                if k == length - 1 and kind == KIND_LITERAL:
                    following = target
                else:
                    following = np.int64(fresh)
                    fresh += 1
                    if kind == KIND_NOT_LITERAL:
                        attrs[following] |= ATTR_NOT
                        if k == length - 1:
                            attrs[following] |= ATTR_KILL
                byte = np.int64(blob[edges[i, 2] + k])
                by[n_byte, 0] = here
                by[n_byte, 1] = byte
                by[n_byte, 2] = byte
                by[n_byte, 3] = edges[i, 4] if k == 0 else OP_NONE
                by[n_byte, 4] = edges[i, 5] if k == 0 else 0
                by[n_byte, 5] = following
                n_byte += 1
                here = following
        elif kind == KIND_CALL:
            calls[n_call, 0] = source
            calls[n_call, 1] = edges[i, 2]
            calls[n_call, 2] = edges[i, 5]
            calls[n_call, 3] = target
            n_call += 1
        elif kind == KIND_EXTRA:
            extras[n_extra, 0] = source
            extras[n_extra, 1] = edges[i, 2]
            extras[n_extra, 2] = target
            n_extra += 1
    return attrs[:fresh].copy(), home, by, eps[:n_eps], calls, extras
