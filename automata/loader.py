"""From a rule's nondeterministic automaton to local states: literals expanded, epsilons removed, determinised over bytes.

A set of the subset construction holds automaton states and at most a few *body elements*: "the string body of an extra key, in the
body's local state s".  A body element dies where a NOT_LITERAL ends (the key is a declared one).  A set that is one body element
and nothing else is not made into states of this rule at all: the byte that leads there calls the string body instead, so that all
schemas of a vocabulary share its states, effects and rows.  This is what keeps open objects cheap.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..grammar.ir import (
    OP_COUNT,
    OP_KEY_CLOSE,
    OP_KEY_DROP,
    OP_KEY_OPEN,
    OP_NONE,
    OP_TEXT_OPEN,
)
from . import layout as lay
from .arena import take
from .literals import ATTR_KILL, ATTR_NOT, grow, order_by_source, spell_out
from .states import DENSE_FROM, DENSE_TO, fill_dense, new_local_state

BODY = 1 << 60  # marks a body element: BODY | extra edge << 32 | local state

# the states' attributes, beside those that ``literals`` gives
ATTR_TRACKED = 4  # between KEY_OPEN and KEY_CLOSE
ATTR_ACCEPT = 8
ATTR_ACCEPT_NO_NEED = 16
ATTR_GUARD = 32


@njit(cache=True, nogil=True)
def new_rule_start(a):
    """A fresh local state that a call may lead to."""
    q = new_local_state(a)
    if q < 0:
        return q
    first = take(a, lay.H_FB, 8, lay.CAP_FB)
    if first < 0:
        return first
    for i in range(8):
        a[lay.FB + first + i] = 0
    a[lay.LS + q * lay.LS_WIDTH + lay.L_FIRST] = first
    return q


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
def close_over(state, out, n_out, seen, stamp, stack, attrs, busy, eps, eps_begin, eps_order):
    """Append the states that ``state`` reaches without reading and that do something; returns the new count."""
    if seen[state] == stamp:
        return n_out
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
def sort_small(x, n):
    """Sort the first n elements in place."""
    if n > 24:
        x[:n] = np.sort(x[:n])
        return
    for i in range(1, n):
        v = x[i]
        j = i
        while j > 0 and x[j - 1] > v:
            x[j] = x[j - 1]
            j -= 1
        x[j] = v


@njit(cache=True, nogil=True)
def hash_set(x, n):
    """A 31-bit hash of n elements."""
    h = np.int64(n)
    for i in range(n):
        w = x[i]
        h = (h * 0x5BD1E995 + (w & 0x7FFFFFFF)) & 0x7FFFFFFF
        h = ((h ^ (h >> 15)) + (w >> 31)) & 0x7FFFFFFF
    return h


@njit(cache=True, nogil=True)
def load_rule(a, edges, blob, n, accepting, accepting_no_need, guards, start, max_states, patience):
    """Determinise one rule into local states; ``start`` is the local state that its start becomes.

    Args:
        a: the arena.
        edges: int64[m, 7], see ``grammar.ir``; callees are local states, pairs are indices of PR.
        blob: uint8, the literals' text.
        n: number of states of the automaton.
        accepting: int64[], states in which the rule may end.
        accepting_no_need: int64[], states in which it may end if nothing is needed.
        guards: int64[k, 3]: state, least, most.
        start: local state.
        max_states: the most local states that the rule may have.
        patience: how much work is done before ERR_PATIENCE: one for each member of a set and each edge that it reads.

    Returns:
        The number of local states made, or -1 with H_ERROR set.

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

    # the sets of the subset construction, and their local states
    members = np.empty(4096, np.int64)
    member_at = np.empty(256, np.int64)
    member_n = np.empty(256, np.int64)
    local = np.empty(256, np.int64)
    table = np.full(1024, -1, np.int64)  # a power of two
    n_sets = 0
    n_members = 0

    seen = np.zeros(n_nfa, np.int64)
    stamp = 0
    stack = np.empty(n_nfa + 1, np.int64)
    target = np.empty(2 * n_nfa + 64, np.int64)
    spans = np.empty(
        (64, 7), np.int64
    )  # low, high, op, arg, kind (0 state, 1 body element, 2 closing of a body), target, extra
    found = np.empty((64, 6), np.int64)  # low, high, op, arg, target word, set or -1: ranges of the state in hand
    first_at = np.full(257, -1, np.int64)  # for each byte the spans that begin there, as a list through ``next_at``
    next_at = np.empty(64, np.int64)
    active = np.empty(64, np.int64)  # the spans that hold the interval in hand
    cuts = np.empty(257, np.int64)  # where spans begin and behind where they end
    is_cut = np.zeros(257, np.bool_)
    after_extra = np.full(extras.shape[0], -1, np.int64)  # the set behind each extra edge, once it is known

    # the start set
    stamp += 1
    n_target = close_over(np.int64(0), target, 0, seen, stamp, stack, attrs, busy, eps, eps_begin, eps_order)
    n_plain = n_target
    for i in range(n_plain):
        for k in range(extra_begin[target[i]], extra_begin[target[i] + 1]):
            e = extra_order[k]
            target[n_target] = BODY | (e << 32) | extras[e, 1]
            n_target += 1
    sort_small(target, n_target)
    pending_start = True

    work = 0
    d = -1
    while True:
        # --- intern the set in `target`: used for the start here, and through the inner loops below -------------------
        if pending_start:
            member_at[0] = 0
            member_n[0] = n_target
            members = grow(members, n_target)
            members[:n_target] = target[:n_target]
            n_members = n_target
            local[0] = start
            n_sets = 1
            table[hash_set(target, n_target) & (len(table) - 1)] = 0
            pending_start = False
        d += 1
        if d >= n_sets:
            break
        if n_sets > max_states:
            a[lay.H_ERROR] = lay.ERR_DFA
            return np.int64(-1)
        if work > patience or a[lay.H_STOP]:
            a[lay.H_ERROR] = lay.ERR_TIME if a[lay.H_STOP] else lay.ERR_PATIENCE
            return np.int64(-1)

        # --- what the set can read ------------------------------------------------------------------------------------
        n_spans = 0
        source_tracked = False
        n_bodies = 0
        shadow = np.int64(-1)
        for i in range(member_n[d]):
            m = members[member_at[d] + i]
            if m & BODY:
                source_tracked = True
                n_bodies += 1
                e = (m >> 32) & 0xFFFFFFF
                s = m & 0xFFFFFFFF
                shadow = m
                p = lay.LS + s * lay.LS_WIDTH
                for k in range(a[p + lay.L_N_RANGES]):
                    if n_spans >= spans.shape[0]:
                        bigger = np.empty((2 * n_spans, 7), np.int64)
                        bigger[:n_spans] = spans[:n_spans]
                        spans = bigger
                    w0 = a[lay.RG + a[p + lay.L_RANGES] + 2 * k]
                    t = a[lay.RG + a[p + lay.L_RANGES] + 2 * k + 1] & 0xFFFFFFFF
                    spans[n_spans, 0] = w0 & 255
                    spans[n_spans, 1] = (w0 >> 8) & 255
                    spans[n_spans, 3] = 0
                    spans[n_spans, 6] = e
                    if a[lay.LS + t * lay.LS_WIDTH + lay.L_FLAGS] & lay.FLAG_END:
                        spans[n_spans, 2] = OP_KEY_CLOSE
                        spans[n_spans, 4] = 2
                        spans[n_spans, 5] = extras[e, 2]
                    else:
                        spans[n_spans, 2] = OP_NONE
                        spans[n_spans, 4] = 1
                        spans[n_spans, 5] = BODY | (e << 32) | t
                    n_spans += 1
            else:
                if attrs[m] & ATTR_TRACKED:
                    source_tracked = True
                for k in range(by_begin[m], by_begin[m + 1]):
                    if n_spans >= spans.shape[0]:
                        bigger = np.empty((2 * n_spans, 7), np.int64)
                        bigger[:n_spans] = spans[:n_spans]
                        spans = bigger
                    e = by_order[k]
                    spans[n_spans, 0] = by[e, 1]
                    spans[n_spans, 1] = by[e, 2]
                    spans[n_spans, 2] = by[e, 3]
                    spans[n_spans, 3] = by[e, 4]
                    spans[n_spans, 4] = 0
                    spans[n_spans, 5] = by[e, 5]
                    spans[n_spans, 6] = -1
                    n_spans += 1

        work += member_n[d] + n_spans
        next_at = grow(next_at, n_spans)
        active = grow(active, n_spans)
        n_cuts = 0
        for i in range(n_spans):
            low = spans[i, 0]
            next_at[i] = first_at[low]
            first_at[low] = i
            for cut in (low, spans[i, 1] + 1):
                if not is_cut[cut]:
                    is_cut[cut] = True
                    cuts[n_cuts] = cut
                    n_cuts += 1
        sort_small(cuts, n_cuts)
        n_found = 0
        n_active = 0
        for cut in range(n_cuts - 1):
            low = cuts[cut]
            high = cuts[cut + 1]
            kept = 0
            for k in range(n_active):
                if spans[active[k], 1] >= low:
                    active[kept] = active[k]
                    kept += 1
            n_active = kept
            i = first_at[low]
            while i >= 0:
                active[n_active] = i
                n_active += 1
                i = next_at[i]
            if n_active == 0:
                continue
            # --- the interval low..high-1; first the joined group, then each other operation ------------------------
            n_ops = 0  # operations handled in this interval
            last = np.int64(-1)
            killed = False
            joined = False
            while True:
                op = np.int64(-1)
                arg = np.int64(0)
                if n_ops == 0:
                    op = np.int64(OP_NONE)
                else:
                    # the next operation, in order of (op, arg), that was not handled yet
                    best = np.int64(1) << 60
                    for k in range(n_active):
                        i = active[k]
                        if spans[i, 2] == OP_NONE or opens_key(spans[i, 2]):
                            continue
                        if spans[i, 4] == 2 and killed:
                            continue
                        key = (spans[i, 2] << 32) | spans[i, 3]
                        if key > last and key < best:
                            best = key
                    if best == np.int64(1) << 60:
                        break
                    op = best >> 32
                    arg = best & 0xFFFFFFFF
                    last = best
                n_ops += 1
                if n_ops == 1:
                    last = np.int64(-1)
                stamp += 1
                n_target = 0
                n_body_targets = 0
                opens = np.int64(OP_NONE)
                from_body_close = False
                for k in range(n_active):
                    i = active[k]
                    if n_ops == 1:
                        if opens_key(spans[i, 2]):
                            opens = spans[i, 2]
                        elif spans[i, 2] != OP_NONE:
                            continue
                    elif spans[i, 2] != op or spans[i, 3] != arg or (spans[i, 4] == 2 and killed):
                        continue
                    if spans[i, 4] == 1:
                        if n_target + 1 >= len(target):
                            target = grow(target, n_target + n_nfa + 64)
                        target[n_target] = spans[i, 5]
                        n_target += 1
                        n_body_targets += 1
                    else:
                        if spans[i, 4] == 2:
                            from_body_close = True
                        target = grow(target, n_target + n_nfa + 64)
                        n_target = close_over(
                            spans[i, 5], target, n_target, seen, stamp, stack, attrs, busy, eps, eps_begin, eps_order
                        )
                # extras entered, kills, leftovers
                kills = False
                n_plain = n_target
                target = grow(target, n_target + extras.shape[0] + 64)
                for i in range(n_plain):
                    m = target[i]
                    if m & BODY:
                        continue
                    if attrs[m] & ATTR_KILL:
                        kills = True
                    for k in range(extra_begin[m], extra_begin[m + 1]):
                        e = extra_order[k]
                        target[n_target] = BODY | (e << 32) | extras[e, 1]
                        n_target += 1
                        n_body_targets += 1
                if kills:
                    killed = True
                kept = 0
                bodies = 0
                for i in range(n_target):
                    m = target[i]
                    if m & BODY:
                        if kills:
                            continue
                        bodies += 1
                    elif attrs[m] & ATTR_KILL:
                        continue
                    target[kept] = m
                    kept += 1
                n_target = kept
                if bodies == 0:  # a declared spelling matters only beside a body
                    kept = 0
                    for i in range(n_target):
                        if not attrs[target[i]] & ATTR_NOT:
                            target[kept] = target[i]
                            kept += 1
                    n_target = kept
                if n_target == 0:
                    continue
                sort_small(target, n_target)
                kept = 1
                for i in range(1, n_target):
                    if target[i] != target[kept - 1]:
                        target[kept] = target[i]
                        kept += 1
                n_target = kept
                word = np.int64(0)  # collapsed body: where the call returns to is still a set index
                collapsed = np.int64(-1)
                index = np.int64(-1)
                if n_ops == 1:
                    joined = True
                    if n_target == 1 and target[0] & BODY and opens == OP_NONE:
                        collapsed = target[0]
                        e = (collapsed >> 32) & 0xFFFFFFF
                        index = after_extra[e]
                        if index < 0:
                            stamp += 1
                            n_target = close_over(
                                extras[e, 2], target, 0, seen, stamp, stack, attrs, busy, eps, eps_begin, eps_order
                            )
                            sort_small(target, n_target)
                    elif opens != OP_NONE:
                        op = opens
                    elif source_tracked:
                        tracked = bodies > 0
                        for i in range(n_target):
                            if not target[i] & BODY and attrs[target[i]] & ATTR_TRACKED:
                                tracked = True
                        if not tracked:
                            op = np.int64(OP_KEY_DROP)
                # --- intern the target set ----------------------------------------------------------------------------
                h = hash_set(target, n_target) & (len(table) - 1)
                while index < 0 and table[h] >= 0:
                    j = table[h]
                    if member_n[j] == n_target:
                        same = True
                        for i in range(n_target):
                            if members[member_at[j] + i] != target[i]:
                                same = False
                                break
                        if same:
                            index = j
                            break
                    h = (h + 1) & (len(table) - 1)
                if index < 0:
                    index = np.int64(n_sets)
                    table[h] = index
                    member_at = grow(member_at, n_sets + 1)
                    member_n = grow(member_n, n_sets + 1)
                    local = grow(local, n_sets + 1)
                    members = grow(members, n_members + n_target)
                    member_at[n_sets] = n_members
                    member_n[n_sets] = n_target
                    for i in range(n_target):
                        members[n_members + i] = target[i]
                    n_members += n_target
                    fresh = new_local_state(a)
                    if fresh < 0:
                        return fresh
                    local[n_sets] = fresh
                    n_sets += 1
                    if 2 * n_sets > len(table):
                        table = np.full(2 * len(table), -1, np.int64)
                        for j in range(n_sets):
                            h = hash_set(members[member_at[j] : member_at[j] + member_n[j]], member_n[j]) & (
                                len(table) - 1
                            )
                            while table[h] >= 0:
                                h = (h + 1) & (len(table) - 1)
                            table[h] = j
                if collapsed >= 0:
                    after_extra[(collapsed >> 32) & 0xFFFFFFF] = index
                    symbol = 2 * local[index] + 1
                    word = (collapsed & 0xFFFFFFFF) | ((symbol + 1) << 32) | (np.int64(1) << lay.RG_SHADOW_BIT)
                else:
                    word = local[index]
                    if from_body_close and not joined:
                        word |= np.int64(1) << lay.RG_SHADOW_BIT
                if n_found >= found.shape[0]:
                    more = np.empty((2 * n_found, 6), np.int64)
                    more[:n_found] = found[:n_found]
                    found = more
                merged = False
                for i in range(n_found - 1, -1, -1):
                    if found[i, 1] == low - 1 and found[i, 2] == op and found[i, 3] == arg and found[i, 4] == word:
                        found[i, 1] = high - 1
                        merged = True
                        break
                    if found[i, 1] < low - 1:
                        break
                if not merged:
                    found[n_found, 0] = low
                    found[n_found, 1] = high - 1
                    found[n_found, 2] = op
                    found[n_found, 3] = arg
                    found[n_found, 4] = word
                    n_found += 1
        for i in range(n_cuts):
            is_cut[cuts[i]] = False
            first_at[cuts[i]] = -1

        # --- calls ----------------------------------------------------------------------------------------------------
        n_calls = 0
        for i in range(member_n[d]):
            m = members[member_at[d] + i]
            if not m & BODY:
                n_calls += call_begin[m + 1] - call_begin[m]
        calls_at = np.int64(0)
        if n_calls > 0:
            calls_at = take(a, lay.H_CL, 2 * n_calls, lay.CAP_CL)
            if calls_at < 0:
                return calls_at
        written = 0
        for i in range(member_n[d]):
            m = members[member_at[d] + i]
            if m & BODY:
                continue
            for k in range(call_begin[m], call_begin[m + 1]):
                e = call_order[k]
                stamp += 1
                n_target = close_over(
                    calls[e, 3], target, 0, seen, stamp, stack, attrs, busy, eps, eps_begin, eps_order
                )
                sort_small(target, n_target)
                tail = n_target > 0
                ends = False
                for j in range(n_target):
                    if busy[target[j]]:
                        tail = False
                    if attrs[target[j]] & ATTR_ACCEPT:
                        ends = True
                symbol = np.int64(-1)
                if not (tail and ends):
                    h = hash_set(target, n_target) & (len(table) - 1)
                    index = np.int64(-1)
                    while table[h] >= 0:
                        j = table[h]
                        if member_n[j] == n_target:
                            same = True
                            for x in range(n_target):
                                if members[member_at[j] + x] != target[x]:
                                    same = False
                                    break
                            if same:
                                index = j
                                break
                        h = (h + 1) & (len(table) - 1)
                    if index < 0:
                        index = np.int64(n_sets)
                        table[h] = index
                        member_at = grow(member_at, n_sets + 1)
                        member_n = grow(member_n, n_sets + 1)
                        local = grow(local, n_sets + 1)
                        members = grow(members, n_members + n_target)
                        member_at[n_sets] = n_members
                        member_n[n_sets] = n_target
                        for x in range(n_target):
                            members[n_members + x] = target[x]
                        n_members += n_target
                        fresh = new_local_state(a)
                        if fresh < 0:
                            return fresh
                        local[n_sets] = fresh
                        n_sets += 1
                        if 2 * n_sets > len(table):
                            table = np.full(2 * len(table), -1, np.int64)
                            for j in range(n_sets):
                                h = hash_set(members[member_at[j] : member_at[j] + member_n[j]], member_n[j])
                                h &= len(table) - 1
                                while table[h] >= 0:
                                    h = (h + 1) & (len(table) - 1)
                                table[h] = j
                    symbol = 2 * local[index]
                a[lay.CL + calls_at + 2 * written] = calls[e, 1] | ((symbol + 1) << 32)
                a[lay.CL + calls_at + 2 * written + 1] = calls[e, 2]
                written += 1

        # --- write the local state ------------------------------------------------------------------------------------
        p = lay.LS + local[d] * lay.LS_WIDTH
        flags = np.int64(0)
        least = np.int64(lay.UNBOUNDED)
        most = np.int64(0)
        for i in range(member_n[d]):
            m = members[member_at[d] + i]
            if m & BODY:
                continue
            if attrs[m] & ATTR_ACCEPT:
                flags |= lay.FLAG_ACCEPT
            if attrs[m] & ATTR_ACCEPT_NO_NEED:
                flags |= lay.FLAG_ACCEPT_NO_NEED
            if attrs[m] & ATTR_GUARD:
                flags |= lay.FLAG_GUARD
                least = min(least, guards[guard_of[m], 1])
                most = max(most, guards[guard_of[m], 2])
        if flags & lay.FLAG_GUARD:
            if least <= 0 and most >= lay.UNBOUNDED:
                flags &= ~lay.FLAG_GUARD
            else:
                a[p + lay.L_LEAST] = least
                a[p + lay.L_MOST] = most
        accepts = flags & (lay.FLAG_ACCEPT | lay.FLAG_ACCEPT_NO_NEED)
        if accepts and n_found == 0 and n_calls == 0:
            flags |= lay.FLAG_END
        if n_calls == 1 and n_found == 0 and not accepts:
            flags |= lay.FLAG_PURE_CALL
        for i in range(1, n_found):
            if found[i, 0] <= found[i - 1, 1]:
                flags |= lay.FLAG_OVERLAP
        at = take(a, lay.H_RG, 2 * n_found, lay.CAP_RG)
        if at < 0:
            return at
        for i in range(n_found):
            a[lay.RG + at + 2 * i] = found[i, 0] | (found[i, 1] << 8) | (found[i, 2] << 16) | (found[i, 3] << 24)
            a[lay.RG + at + 2 * i + 1] = found[i, 4]
        a[p + lay.L_RANGES] = at
        a[p + lay.L_N_RANGES] = n_found
        a[p + lay.L_CALLS] = calls_at
        a[p + lay.L_N_CALLS] = n_calls
        a[p + lay.L_FLAGS] = flags
        if n_bodies == 1:
            e = (shadow >> 32) & 0xFFFFFFF
            stamp += 1
            n_target = close_over(extras[e, 2], target, 0, seen, stamp, stack, attrs, busy, eps, eps_begin, eps_order)
            sort_small(target, n_target)
            h = hash_set(target, n_target) & (len(table) - 1)
            while table[h] >= 0:
                j = table[h]
                if member_n[j] == n_target:
                    same = True
                    for x in range(n_target):
                        if members[member_at[j] + x] != target[x]:
                            same = False
                            break
                    if same:
                        a[p + lay.L_SHADOW] = (shadow & 0xFFFFFFFF) + 1
                        a[p + lay.L_SHADOW_SYM] = 2 * local[j] + 1
                        break
                h = (h + 1) & (len(table) - 1)
        if DENSE_FROM <= n_found <= DENSE_TO and not flags & lay.FLAG_OVERLAP:
            dense = take(a, lay.H_DN, lay.DENSE_WIDTH, lay.CAP_DN)
            if dense < 0:
                return dense
            a[p + lay.L_DENSE] = dense
            fill_dense(a, p)
    return np.int64(n_sets)


@njit(cache=True, nogil=True)
def is_productive(a, target, low, productive):
    """Whether a local state can be finished; those of earlier loads can."""
    return target < low or productive[target - low]


@njit(cache=True, nogil=True)
def trim(a, low, high, spelled):
    """Remove what cannot be finished: bytes that no token spells, and whatever leads only to such.

    Args:
        a: the arena.
        low: the first local state of this load; earlier ones are trimmed already.
        high: the local state after the last.
        spelled: bool[256], the bytes that occur in some token.

    """
    productive = np.zeros(high - low, np.bool_)
    changed = True
    while changed:
        changed = False
        for q in range(high - 1, low - 1, -1):
            if productive[q - low]:
                continue
            p = lay.LS + q * lay.LS_WIDTH
            good = (a[p + lay.L_FLAGS] & (lay.FLAG_ACCEPT | lay.FLAG_ACCEPT_NO_NEED | lay.FLAG_LAZY)) != 0
            for i in range(a[p + lay.L_N_RANGES]):
                if good:
                    break
                word0 = a[lay.RG + a[p + lay.L_RANGES] + 2 * i]
                word1 = a[lay.RG + a[p + lay.L_RANGES] + 2 * i + 1]
                symbol = ((word1 >> 32) & 0x3FFFFFFF) - 1
                if not is_productive(a, word1 & 0xFFFFFFFF, low, productive):
                    continue
                if symbol >= 0 and not is_productive(a, symbol >> 1, low, productive):
                    continue
                for c in range(word0 & 255, ((word0 >> 8) & 255) + 1):
                    if spelled[c]:
                        good = True
                        break
            for i in range(a[p + lay.L_N_CALLS]):
                if good:
                    break
                callee = a[lay.CL + a[p + lay.L_CALLS] + 2 * i]
                symbol = (callee >> 32) - 1
                good = is_productive(a, callee & 0xFFFFFFFF, low, productive) and (
                    symbol < 0 or is_productive(a, symbol >> 1, low, productive)
                )
            if good:
                productive[q - low] = True
                changed = True
    for q in range(low, high):
        p = lay.LS + q * lay.LS_WIDTH
        if a[p + lay.L_FLAGS] & lay.FLAG_LAZY:
            continue
        kept = 0
        first = lay.RG + a[p + lay.L_RANGES]
        for i in range(a[p + lay.L_N_RANGES]):
            word0 = a[first + 2 * i]
            word1 = a[first + 2 * i + 1]
            symbol = ((word1 >> 32) & 0x3FFFFFFF) - 1
            good = is_productive(a, word1 & 0xFFFFFFFF, low, productive) and (
                symbol < 0 or is_productive(a, symbol >> 1, low, productive)
            )
            b = word0 & 255
            e = (word0 >> 8) & 255
            while b < e and not spelled[b]:
                b += 1
            while e > b and not spelled[e]:
                e -= 1
            if good and spelled[b]:
                a[first + 2 * kept] = (word0 & ~np.int64(0xFFFF)) | b | (e << 8)
                a[first + 2 * kept + 1] = word1
                kept += 1
        if kept < a[p + lay.L_N_RANGES] and a[p + lay.L_DENSE] >= 0:
            a[p + lay.L_N_RANGES] = kept
            fill_dense(a, p)
        a[p + lay.L_N_RANGES] = kept
        calls = 0
        for i in range(a[p + lay.L_N_CALLS]):
            at = lay.CL + a[p + lay.L_CALLS]
            callee = a[at + 2 * i]
            symbol = (callee >> 32) - 1
            if is_productive(a, callee & 0xFFFFFFFF, low, productive) and (
                symbol < 0 or is_productive(a, symbol >> 1, low, productive)
            ):
                a[at + 2 * calls] = callee
                a[at + 2 * calls + 1] = a[at + 2 * i + 1]
                calls += 1
        a[p + lay.L_N_CALLS] = calls
        flags = a[p + lay.L_FLAGS] & ~np.int64(lay.FLAG_PURE_CALL)
        if flags & (lay.FLAG_ACCEPT | lay.FLAG_ACCEPT_NO_NEED):
            if kept == 0 and calls == 0:
                flags |= lay.FLAG_END
        elif kept == 0 and calls == 1:
            flags |= lay.FLAG_PURE_CALL
        a[p + lay.L_FLAGS] = flags


@njit(cache=True, nogil=True)
def count_keys(a, low, high, spelled):
    """Set WORDS of the states inside and before keys; see *Keys that run out* in ``layout``."""
    status = np.zeros(high - low, np.int8)  # 1 on the stack, 2 done
    stack = np.empty(high - low + 1, np.int64)
    place = np.empty(high - low + 1, np.int64)
    n_opened = 0
    for q in range(low, high):
        p = lay.LS + q * lay.LS_WIDTH
        for i in range(a[p + lay.L_N_RANGES]):
            at = lay.RG + a[p + lay.L_RANGES] + 2 * i
            if (a[at] >> 16) & 255 != OP_KEY_OPEN:
                continue
            n_opened += 1
            opened = a[at + 1] & 0xFFFFFFFF
            if status[opened - low] == 0:
                count_words(a, low, opened, spelled, status, stack, place)
    if n_opened == 0:
        return
    # states from which nothing but the same key start can be reached: the greatest fixpoint, since white space may loop
    start_of = np.zeros(high - low, np.int64)  # 0 not known yet, -1 none
    for q in range(low, high):
        p = lay.LS + q * lay.LS_WIDTH
        if status[q - low] != 0 or a[p + lay.L_FLAGS] & (lay.FLAG_ACCEPT | lay.FLAG_ACCEPT_NO_NEED):
            start_of[q - low] = -1
    changed = True
    while changed:
        changed = False
        for q in range(high - 1, low - 1, -1):
            start = start_of[q - low]
            if start < 0:
                continue
            p = lay.LS + q * lay.LS_WIDTH
            for i in range(a[p + lay.L_N_RANGES]):
                at = lay.RG + a[p + lay.L_RANGES] + 2 * i
                target = a[at + 1] & 0xFFFFFFFF
                if a[at + 1] >> 32 != 0 or target < low:
                    start = np.int64(-1)
                    break
                following = target if (a[at] >> 16) & 255 == OP_KEY_OPEN else start_of[target - low]
                if following == 0:
                    continue
                if following < 0 or (start > 0 and start != following):
                    start = np.int64(-1)
                    break
                start = following
            for i in range(a[p + lay.L_N_CALLS]):
                if start < 0:
                    break
                symbol = (a[lay.CL + a[p + lay.L_CALLS] + 2 * i] >> 32) - 1
                following = start_of[(symbol >> 1) - low] if symbol >= 0 else np.int64(-1)
                if following != 0:
                    start = following if start == 0 or start == following else np.int64(-1)
            if start != start_of[q - low]:
                start_of[q - low] = start
                changed = True
    for q in range(low, high):
        if start_of[q - low] > 0:
            a[lay.LS + q * lay.LS_WIDTH + lay.L_WORDS] = a[lay.LS + start_of[q - low] * lay.LS_WIDTH + lay.L_WORDS]


@njit(cache=True, nogil=True)
def count_words(a, low, opened, spelled, status, stack, place):
    """Set WORDS of a key's start and of all states inside the key: sums over an acyclic graph, unbounded over a cycle."""
    stack[0] = opened
    place[0] = 0
    status[opened - low] = 1
    top = 0
    while top >= 0:
        q = stack[top]
        p = lay.LS + q * lay.LS_WIDTH
        i = place[top]
        if i < a[p + lay.L_N_RANGES]:
            place[top] = i + 1
            at = lay.RG + a[p + lay.L_RANGES] + 2 * i
            op = (a[at] >> 16) & 255
            target = a[at + 1] & 0xFFFFFFFF
            if op != OP_KEY_CLOSE and op != OP_KEY_DROP and a[at + 1] >> 32 == 0 and status[target - low] == 0:
                top += 1
                stack[top] = target
                place[top] = 0
                status[target - low] = 1
            continue
        total = np.int64(0)
        if a[p + lay.L_N_CALLS] != 0 or a[p + lay.L_FLAGS] & (lay.FLAG_ACCEPT | lay.FLAG_ACCEPT_NO_NEED):
            total = np.int64(lay.UNBOUNDED)
        for i in range(a[p + lay.L_N_RANGES]):
            at = lay.RG + a[p + lay.L_RANGES] + 2 * i
            op = (a[at] >> 16) & 255
            target = a[at + 1] & 0xFFFFFFFF
            words = np.int64(1)
            if op == OP_KEY_CLOSE:
                pass
            elif op == OP_KEY_DROP or a[at + 1] >> 32 != 0 or status[target - low] == 1:
                words = np.int64(lay.UNBOUNDED)
            else:
                words = a[lay.LS + target * lay.LS_WIDTH + lay.L_WORDS]
            for c in range(a[at] & 255, ((a[at] >> 8) & 255) + 1):
                if spelled[c]:
                    total = min(total + words, np.int64(lay.UNBOUNDED))
        a[p + lay.L_WORDS] = total
        status[q - low] = 2
        top -= 1


@njit(cache=True, nogil=True)
def begins_with_itself(a, low, high, starts):
    """Whether a rule can begin with a call of itself, among local states low..high-1; earlier loads call no later rule."""
    status = np.zeros(high - low, np.int8)  # 1 on the stack, 2 done
    stack = np.empty(len(starts) + 1, np.int64)
    place = np.empty(len(starts) + 1, np.int64)
    for root in starts:
        if status[root - low] != 0:
            continue
        stack[0] = root
        place[0] = 0
        status[root - low] = 1
        top = 0
        while top >= 0:
            q = stack[top]
            p = lay.LS + q * lay.LS_WIDTH
            if place[top] == a[p + lay.L_N_CALLS]:
                status[q - low] = 2
                top -= 1
                continue
            callee = a[lay.CL + a[p + lay.L_CALLS] + 2 * place[top]] & 0xFFFFFFFF
            place[top] += 1
            if callee < low or status[callee - low] == 2:
                continue
            if status[callee - low] == 1:
                return True
            top += 1
            stack[top] = callee
            place[top] = 0
            status[callee - low] = 1
    return False


@njit(cache=True, nogil=True)
def finish_load(a, low, high, starts, spelled):
    """After all rules are in: trim, first bytes of the starts, simple ranges and fast states among local states low..high-1.

    Returns 0, or -1 with H_ERROR set if a rule can begin with a call of itself.
    """
    if begins_with_itself(a, low, high, starts):
        a[lay.H_ERROR] = lay.ERR_LEFT_RECURSION
        return np.int64(-1)
    trim(a, low, high, spelled)
    count_keys(a, low, high, spelled)
    changed = True
    while changed:
        changed = False
        for q in starts:
            p = lay.LS + q * lay.LS_WIDTH
            first = lay.FB + a[p + lay.L_FIRST]
            for i in range(a[p + lay.L_N_RANGES]):
                word = a[lay.RG + a[p + lay.L_RANGES] + 2 * i]
                for c in range(word & 255, ((word >> 8) & 255) + 1):
                    bit = np.int64(1) << (c & 31)
                    if not a[first + (c >> 5)] & bit:
                        a[first + (c >> 5)] |= bit
                        changed = True
            for i in range(a[p + lay.L_N_CALLS]):
                callee = a[lay.CL + a[p + lay.L_CALLS] + 2 * i] & 0xFFFFFFFF
                other = lay.FB + a[lay.LS + callee * lay.LS_WIDTH + lay.L_FIRST]
                for k in range(8):
                    if a[other + k] & ~a[first + k]:
                        a[first + k] |= a[other + k]
                        changed = True
    for q in range(low, high):
        p = lay.LS + q * lay.LS_WIDTH
        flags = a[p + lay.L_FLAGS]
        if flags & lay.FLAG_LAZY:
            continue
        for i in range(a[p + lay.L_N_RANGES]):
            at = lay.RG + a[p + lay.L_RANGES] + 2 * i
            target = a[at + 1] & 0xFFFFFFFF
            op = (a[at] >> 16) & 255
            ends = a[lay.LS + target * lay.LS_WIDTH + lay.L_FLAGS] & (lay.FLAG_END | lay.FLAG_GUARD)
            ends |= a[lay.LS + target * lay.LS_WIDTH + lay.L_WORDS] < lay.UNBOUNDED
            if (op == OP_NONE or op == OP_COUNT) and a[at + 1] >> 32 == 0 and not ends:
                a[at] |= np.int64(1) << lay.RG_SIMPLE_BIT
        pops = flags & (lay.FLAG_ACCEPT | lay.FLAG_ACCEPT_NO_NEED) and not flags & lay.FLAG_OUTERMOST
        if a[p + lay.L_N_CALLS] == 0 and not pops and not flags & lay.FLAG_OVERLAP:
            a[p + lay.L_FLAGS] = flags | lay.FLAG_FAST
    return np.int64(0)
