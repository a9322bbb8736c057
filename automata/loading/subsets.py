"""From a rule's nondeterministic automaton to local states: literals expanded, epsilons removed, determinised over bytes.

A set of the subset construction holds automaton states and at most a few *body elements*: "the string body of an extra key, in the
body's local state s".  A body element dies where a NOT_LITERAL ends (the key is a declared one).  A set that is one body element
and nothing else is not made into states of this rule at all: the byte that leads there calls the string body instead, so that all
schemas of a vocabulary share its states, effects and rows.  This is what keeps open objects cheap.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ...grammar.ir import OP_KEY_DROP, OP_NONE
from .. import layout as lay
from ..arena import take
from ..states import DENSE_FROM, DENSE_TO, fill_dense, new_local_state
from .literals import ATTR_KILL, ATTR_NOT
from .nfa import (
    ATTR_ACCEPT,
    ATTR_ACCEPT_NO_NEED,
    ATTR_BUSY,
    ATTR_GUARD,
    BODY,
    close_over,
    enter_extras,
    opens_key,
    spelled_out,
)
from .sets import add_set, grow, more_rows, slot_of, sort_small
from .spans import KIND_BODY, KIND_CLOSE, SPAN, order_spans, spans_of, tracks

NO_OPERATION = 1 << 60
RANGE = 5  # words of a range of a local state: low, high, op, arg, target word


@njit(cache=True, nogil=True)
def settled(attrs, target, n):
    """Drop what cannot be beside each other of n elements, and sort the rest; returns how many are left, and whether a declared key ends.

    Where one ends no body goes on, and a declared spelling matters only beside a body.
    """
    kills = False
    bodies = 0
    unwanted = False
    for i in range(n):
        m = target[i]
        if m & BODY:
            bodies += 1
        elif attrs[m] & ATTR_KILL:
            kills = True
        elif attrs[m] & ATTR_NOT:
            unwanted = True
    kept = n
    if kills or (unwanted and bodies == 0):
        kept = 0
        for i in range(n):
            m = target[i]
            if m & BODY:
                if kills:
                    continue
            elif attrs[m] & (ATTR_KILL | ATTR_NOT):
                continue
            target[kept] = m
            kept += 1
    sort_small(target, kept)
    if kept > 1:
        n = kept
        kept = 1
        for i in range(1, n):
            if target[i] != target[kept - 1]:
                target[kept] = target[i]
                kept += 1
    return kept, kills


@njit(cache=True, nogil=True)
def ends_with_call(attrs, target, n):
    """Whether nothing can follow a call that returns to the n states of target, and the rule may end there."""
    ends = False
    for i in range(n):
        if attrs[target[i]] & ATTR_BUSY:
            return False
        if attrs[target[i]] & ATTR_ACCEPT:
            ends = True
    return ends


@njit(cache=True, nogil=True)
def write_state(a, p, attrs, guard_of, guards, members, found, n_found, calls_at, n_calls):
    """Write the local state of a set at p; returns 0, or -1 with H_ERROR set."""
    flags = np.int64(0)
    least = np.int64(lay.UNBOUNDED)
    most = np.int64(0)
    for m in members:
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
        return np.int64(-1)
    for i in range(n_found):
        a[lay.RG + at + 2 * i] = found[i, 0] | (found[i, 1] << 8) | (found[i, 2] << 16) | (found[i, 3] << 24)
        a[lay.RG + at + 2 * i + 1] = found[i, 4]
    a[p + lay.L_RANGES] = at
    a[p + lay.L_N_RANGES] = n_found
    a[p + lay.L_CALLS] = calls_at
    a[p + lay.L_N_CALLS] = n_calls
    a[p + lay.L_FLAGS] = flags
    if DENSE_FROM <= n_found <= DENSE_TO and not flags & lay.FLAG_OVERLAP:
        dense = take(a, lay.H_DN, lay.DENSE_WIDTH, lay.CAP_DN)
        if dense < 0:
            return np.int64(-1)
        a[p + lay.L_DENSE] = dense
        fill_dense(a, p)
    return np.int64(0)


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
    attrs, guard_of, by_begin, by, eps_begin, eps, call_begin, calls, extra_begin, extra_order, extras = spelled_out(
        edges, blob, n, accepting, accepting_no_need, guards
    )
    n_nfa = len(attrs)

    # the sets of the subset construction, and their local states
    members = np.empty(4096, np.int64)
    begins = np.zeros(256, np.int64)  # of each set's members; the last set's end follows
    local = np.empty(256, np.int64)
    table = np.full(1024, -1, np.int64)  # a power of two

    seen = np.zeros(n_nfa, np.int64)
    stack = np.empty(n_nfa + 1, np.int64)
    target = np.empty(2 * n_nfa + extras.shape[0] + 64, np.int64)
    spans = np.empty((64, SPAN), np.int64)
    found = np.empty((64, RANGE), np.int64)  # the ranges of the state in hand
    first_at = np.full(257, -1, np.int64)  # for each byte the spans that begin there, as a list through ``next_at``
    next_at = np.empty(64, np.int64)
    active = np.empty(64, np.int64)  # the spans that hold the interval in hand
    cuts = np.empty(257, np.int64)  # where spans begin and behind where they end
    is_cut = np.zeros(257, np.bool_)
    after_extra = np.full(extras.shape[0], -1, np.int64)  # the set behind each extra edge, once it is known

    has_keys = extras.shape[0] > 0 or tracks(attrs, np.arange(n_nfa))
    stamp = 1
    n_target = close_over(attrs, eps_begin, eps, np.int64(0), target, 0, seen, stamp, stack)
    n_target = enter_extras(extra_begin, extra_order, extras, target, n_target)
    sort_small(target, n_target)
    slot = slot_of(table, members, begins, target, n_target)
    table, members, begins = add_set(table, members, begins, 0, slot, target, n_target)
    local[0] = start
    n_sets = 1

    work = 0
    d = 0
    while d < n_sets:
        if n_sets > max_states:
            a[lay.H_ERROR] = lay.ERR_DFA
            return np.int64(-1)
        if work > patience or a[lay.H_STOP]:
            a[lay.H_ERROR] = lay.ERR_TIME if a[lay.H_STOP] else lay.ERR_PATIENCE
            return np.int64(-1)
        first = begins[d]
        end = begins[d + 1]
        tracked = has_keys and tracks(attrs, members[first:end])
        spans, n_spans = spans_of(a, by_begin, by, extras, members[first:end], spans)
        work += end - first + n_spans

        # --- bytes: interval by interval, first the joined group, then each other operation ---------------------------
        if n_spans > len(active):
            next_at = grow(next_at, n_spans)
            active = grow(active, n_spans)
            target = grow(target, n_nfa + n_spans + extras.shape[0])  # all states, a body for each span, all extra keys
        n_cuts = order_spans(spans, n_spans, first_at, next_at, is_cut, cuts)
        n_found = 0
        n_active = 0
        for cut in range(n_cuts - 1):
            low = cuts[cut]
            kept = 0
            for k in range(n_active):
                if spans[active[k], 1] >= low:
                    active[kept] = active[k]
                    kept += 1
            n_active = kept
            i = first_at[low]
            first_at[low] = -1
            while i >= 0:
                active[n_active] = i
                n_active += 1
                i = next_at[i]
            if n_active == 0:
                continue
            last = np.int64(OP_NONE)  # op << 32 | arg; OP_NONE stands for the joined group, openings of keys included
            killed = False
            joined = False
            while last != NO_OPERATION:
                op = last >> 32
                arg = last & 0xFFFFFFFF
                stamp += 1
                n_target = 0
                opens = np.int64(OP_NONE)
                closes = False
                for k in range(n_active):
                    i = active[k]
                    if last == OP_NONE:
                        if opens_key(spans[i, 2]):
                            opens = spans[i, 2]
                        elif spans[i, 2] != OP_NONE:
                            continue
                    elif spans[i, 2] != op or spans[i, 3] != arg or (spans[i, 4] == KIND_CLOSE and killed):
                        continue
                    if spans[i, 4] == KIND_BODY:
                        target[n_target] = spans[i, 5]
                        n_target += 1
                    else:
                        if spans[i, 4] == KIND_CLOSE:
                            closes = True
                        n_target = close_over(attrs, eps_begin, eps, spans[i, 5], target, n_target, seen, stamp, stack)
                if extras.shape[0] > 0:
                    n_target = enter_extras(extra_begin, extra_order, extras, target, n_target)
                n_target, kills = settled(attrs, target, n_target)
                killed = killed or kills
                joins = last == OP_NONE
                best = np.int64(NO_OPERATION)  # the next operation, in order of (op, arg), that was not handled yet
                for k in range(n_active):
                    i = active[k]
                    if spans[i, 2] == OP_NONE or opens_key(spans[i, 2]) or (spans[i, 4] == KIND_CLOSE and killed):
                        continue
                    key = (spans[i, 2] << 32) | spans[i, 3]
                    if last < key < best:
                        best = key
                last = best
                if n_target == 0:
                    continue
                collapsed = np.int64(-1)  # the body element that is called instead of being made into states
                index = np.int64(-1)
                if joins:
                    joined = True
                    if n_target == 1 and target[0] & BODY and opens == OP_NONE:
                        collapsed = target[0]
                        e = (collapsed >> 32) & 0xFFFFFFF
                        index = after_extra[e]
                        if index < 0:
                            stamp += 1
                            n_target = close_over(attrs, eps_begin, eps, extras[e, 2], target, 0, seen, stamp, stack)
                            sort_small(target, n_target)
                    elif opens != OP_NONE:
                        op = opens
                    elif tracked and not tracks(attrs, target[:n_target]):
                        op = np.int64(OP_KEY_DROP)
                slot = np.int64(-1)
                if index < 0:
                    slot = slot_of(table, members, begins, target, n_target)
                    index = table[slot]
                if index < 0:
                    index = np.int64(n_sets)
                    table, members, begins = add_set(table, members, begins, n_sets, slot, target, n_target)
                    local = grow(local, n_sets + 1)
                    local[n_sets] = new_local_state(a)
                    if local[n_sets] < 0:
                        return np.int64(-1)
                    n_sets += 1
                if collapsed >= 0:
                    after_extra[(collapsed >> 32) & 0xFFFFFFF] = index
                    symbol = 2 * local[index] + 1
                    word = (collapsed & 0xFFFFFFFF) | ((symbol + 1) << 32) | (np.int64(1) << lay.RG_SHADOW_BIT)
                else:
                    word = local[index]
                    if closes and not joined:
                        word |= np.int64(1) << lay.RG_SHADOW_BIT
                if n_found == found.shape[0]:
                    found = more_rows(found, n_found + 1)
                merged = False
                for k in range(n_found - 1, -1, -1):
                    if found[k, 1] == low - 1 and found[k, 2] == op and found[k, 3] == arg and found[k, 4] == word:
                        found[k, 1] = cuts[cut + 1] - 1
                        merged = True
                        break
                    if found[k, 1] < low - 1:
                        break
                if not merged:
                    found[n_found, 0] = low
                    found[n_found, 1] = cuts[cut + 1] - 1
                    found[n_found, 2] = op
                    found[n_found, 3] = arg
                    found[n_found, 4] = word
                    n_found += 1

        # --- calls ----------------------------------------------------------------------------------------------------
        n_calls = 0
        n_bodies = 0
        shadow = np.int64(-1)
        for i in range(first, end):
            m = members[i]
            if m & BODY:
                n_bodies += 1
                shadow = m
            else:
                n_calls += call_begin[m + 1] - call_begin[m]
        calls_at = np.int64(0)
        if n_calls > 0:
            calls_at = take(a, lay.H_CL, 2 * n_calls, lay.CAP_CL)
            if calls_at < 0:
                return np.int64(-1)
        written = 0
        for i in range(first, end):
            m = members[i]
            if m & BODY:
                continue
            for e in range(call_begin[m], call_begin[m + 1]):
                stamp += 1
                n_target = close_over(attrs, eps_begin, eps, calls[e, 3], target, 0, seen, stamp, stack)
                sort_small(target, n_target)
                symbol = np.int64(-1)
                if not ends_with_call(attrs, target, n_target):
                    slot = slot_of(table, members, begins, target, n_target)
                    index = table[slot]
                    if index < 0:
                        index = np.int64(n_sets)
                        table, members, begins = add_set(table, members, begins, n_sets, slot, target, n_target)
                        local = grow(local, n_sets + 1)
                        local[n_sets] = new_local_state(a)
                        if local[n_sets] < 0:
                            return np.int64(-1)
                        n_sets += 1
                    symbol = 2 * local[index]
                a[lay.CL + calls_at + 2 * written] = calls[e, 1] | ((symbol + 1) << 32)
                a[lay.CL + calls_at + 2 * written + 1] = calls[e, 2]
                written += 1

        # --- the local state ------------------------------------------------------------------------------------------
        p = lay.LS + local[d] * lay.LS_WIDTH
        if write_state(a, p, attrs, guard_of, guards, members[first:end], found, n_found, calls_at, n_calls) < 0:
            return np.int64(-1)
        if n_bodies == 1:
            stamp += 1
            n_target = close_over(
                attrs, eps_begin, eps, extras[(shadow >> 32) & 0xFFFFFFF, 2], target, 0, seen, stamp, stack
            )
            sort_small(target, n_target)
            index = table[slot_of(table, members, begins, target, n_target)]
            if index >= 0:
                a[p + lay.L_SHADOW] = (shadow & 0xFFFFFFFF) + 1
                a[p + lay.L_SHADOW_SYM] = 2 * local[index] + 1
        d += 1
    return np.int64(n_sets)
