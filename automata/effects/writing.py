"""From what a walk found to the tables: a node, its effects and their tokens, its pop points by class, its lists of trie nodes."""

from __future__ import annotations

import numpy as np
from numba import njit

from .. import layout as lay
from ..alive import hangs_on_stack
from ..arena import take
from ..memo import TAG_POINTS, keep, memo
from .scratch import (
    CLASS_BEGINS,
    DELTA,
    FIRSTS,
    GROUPS,
    HIT_SHIFT,
    HIT_TOKEN,
    HITS,
    N_DELTA,
    N_GROUPS,
    N_HITS,
    N_OPENS,
    N_POPS,
    N_VERIFY,
    OPENS,
    POP_WIDTH,
    POPS,
    SORTED_POPS,
    VERIFY,
    WIDTH,
    X_CHAIN,
    X_FRAME,
    X_MAX_NEED,
    X_MIN_ROOM,
    X_STATE,
)

DENSE_SHARE = 24  # a node with more than size/24 tokens gets a packed row beside its list


@njit(cache=True, nogil=True)
def take_row(a, r):
    """An empty packed row of R; its offset, or -1 with H_ERROR set."""
    row = take(a, lay.H_R, a[lay.H_WORDS], lay.WORDS_R)
    if row >= 0:
        for i in range(a[lay.H_WORDS]):
            r[row + i] = np.uint32(0)
    return row


@njit(cache=True, nogil=True)
def write(a, r, parent, symbol, state):
    """Write the node of what a walk found; returns it, or -1 with H_ERROR set."""
    at = take(a, lay.H_EF, lay.EF_WIDTH, lay.CAP_EF)
    if at < 0:
        return at
    e = lay.EF + at
    a[e + lay.E_STATE] = state
    a[e + lay.E_PARENT] = parent
    a[e + lay.E_SYMBOL] = symbol
    a[e + lay.E_MAX_ROOM] = 0
    a[e + lay.E_MIN_NEED] = lay.UNBOUNDED
    a[e + lay.E_SHADOW] = 1 if parent < 0 and a[lay.LS + state * lay.LS_WIDTH + lay.L_SHADOW] > 0 else 0
    if write_groups(a, r, e) < 0 or write_pops(a, e) < 0 or write_lists(a, e) < 0:
        return np.int64(-1)
    return at // lay.EF_WIDTH


@njit(cache=True, nogil=True)
def write_groups(a, r, e):
    """Write the effects of the node whose record is at e, and their tokens; returns 0, or -1 with H_ERROR set."""
    n_groups = a[N_GROUPS]
    n_hits = a[N_HITS]
    counts = np.zeros(n_groups, np.int64)
    for i in range(n_hits):
        counts[a[HITS + i] >> HIT_SHIFT] += 1
    order = np.empty(n_groups, np.int64)  # what always holds first, then what hangs on the stack
    n_sure = 0
    for turn in range(2):
        for g in range(n_groups):
            x = GROUPS + g * WIDTH
            frame = a[x + X_FRAME]
            top = np.int64(-1) if frame <= lay.FRAME_UNKNOWN else a[lay.HP + frame + lay.HEADER]
            if hangs_on_stack(a, a[x + X_STATE], top) == (turn == 1):
                order[n_sure] = g
                n_sure += 1
        if turn == 0:
            n_conds = n_groups - n_sure
    n_sure = n_groups - n_conds
    total = np.int64(0)
    listed = np.int64(0)
    words = a[lay.H_WORDS]
    for k in range(n_sure):
        total += counts[order[k]]
    row = np.int64(-1)
    if total * DENSE_SHARE > a[lay.H_VOCAB]:
        row = take_row(a, r)
        if row < 0:
            return np.int64(-1)
    where = np.empty(
        n_groups, np.int64
    )  # of each effect's tokens: where its list begins, or -1 - the offset of its bits
    for k in range(n_groups):
        g = order[k]
        if (row >= 0 or k >= n_sure) and counts[g] > words:
            bits = row if n_sure == 1 and k == 0 else take_row(a, r)
            if bits < 0:
                return np.int64(-1)
            where[g] = -1 - bits
        else:
            where[g] = listed
            listed += counts[g]
    tokens_at = take(a, lay.H_R, listed, lay.WORDS_R)
    if tokens_at < 0:
        return np.int64(-1)
    fill = where.copy()
    for i in range(n_hits):
        g = a[HITS + i] >> HIT_SHIFT
        token = a[HITS + i] & HIT_TOKEN
        if where[g] < 0:
            r[-1 - where[g] + (token >> 5)] |= np.uint32(1) << np.uint32(token & 31)
        else:
            r[tokens_at + fill[g]] = np.uint32(token)
            fill[g] += 1
    if row >= 0:
        for k in range(n_sure):
            g = order[k]
            if where[g] >= 0:
                for i in range(tokens_at + where[g], tokens_at + fill[g]):
                    r[row + (r[i] >> np.uint32(5))] |= np.uint32(1) << (r[i] & np.uint32(31))
            elif -1 - where[g] != row:
                for i in range(words):
                    r[row + i] |= r[-1 - where[g] + i]
    groups_at = take(a, lay.H_GR, n_groups * lay.GR_WIDTH, lay.CAP_GR)
    if groups_at < 0:
        return np.int64(-1)
    node = (e - lay.EF) // lay.EF_WIDTH
    max_room = a[e + lay.E_MAX_ROOM]
    min_need = a[e + lay.E_MIN_NEED]
    chained = np.int64(0)
    for place in range(n_groups):
        g = order[place]
        o = lay.GR + groups_at + place * lay.GR_WIDTH
        x = GROUPS + g * WIDTH
        for k in range(WIDTH):
            a[o + k] = a[x + k]
        a[o + lay.G_TOKENS] = where[g] if where[g] < 0 else tokens_at + where[g]
        a[o + lay.G_N_TOKENS] = counts[g]
        a[o + lay.G_NODE] = node
        max_room = max(max_room, a[x + X_MIN_ROOM])
        min_need = min(min_need, a[x + X_MAX_NEED])
        if a[x + X_CHAIN] >= 0:
            chained = np.int64(1)
    a[e + lay.E_GROUPS] = groups_at // lay.GR_WIDTH
    a[e + lay.E_N_GROUPS] = n_groups
    a[e + lay.E_TOKENS] = tokens_at
    a[e + lay.E_N_TOKENS] = total
    a[e + lay.E_ROW] = row
    a[e + lay.E_MAX_ROOM] = max_room
    a[e + lay.E_MIN_NEED] = min_need
    a[e + lay.E_CHAINED] = chained
    a[e + lay.E_N_CONDS] = n_conds
    return np.int64(0)


@njit(cache=True, nogil=True)
def write_pops(a, e):
    """Write the pop points of the node whose record is at e, ordered by class; returns 0, or -1 with H_ERROR set."""
    n_pops = a[N_POPS]
    pops_at = take(a, lay.H_PP, n_pops * lay.PP_WIDTH, lay.CAP_PP)
    if pops_at < 0:
        return np.int64(-1)
    max_room = a[e + lay.E_MAX_ROOM]
    min_need = a[e + lay.E_MIN_NEED]
    size = np.int64(4)
    while size < 2 * n_pops:
        size *= 2
    for h in range(size):
        a[FIRSTS + h] = -1
    a[e + lay.E_N_CLASSES] = sort_pops(a, n_pops)
    for i in range(n_pops):
        o = lay.PP + pops_at + i * lay.PP_WIDTH
        x = POPS + POP_WIDTH * a[SORTED_POPS + i]
        for k in range(6):
            a[o + k] = a[x + k]
        a[o + lay.P_EXIT] = a[x + 6]
        a[o + lay.P_ROOM] = a[x + 7]
        a[o + lay.P_FRAME] = a[x + 8]
        min_room = a[x + 2]
        max_need = a[x + 3]
        first = np.int64(-1)
        if a[x + 4] >= 0 or min_room > 0 or max_need < lay.UNBOUNDED:
            h = (min_room * 31 + max_need * 1009 + a[x + 4] * 7 + 7) & (size - 1)
            while a[FIRSTS + h] >= 0:
                y = lay.PP + pops_at + a[FIRSTS + h] * lay.PP_WIDTH
                if (
                    a[y + lay.P_MIN_ROOM] == min_room
                    and a[y + lay.P_MAX_NEED] == max_need
                    and a[y + lay.P_CHAIN] == a[x + 4]
                ):
                    break
                h = (h + 1) & (size - 1)
            if a[FIRSTS + h] < 0:
                a[FIRSTS + h] = i
            first = pops_at // lay.PP_WIDTH + a[FIRSTS + h]
        a[o + lay.P_FIRST] = first
        max_room = max(max_room, min_room)
        min_need = min(min_need, max_need)
    a[e + lay.E_POPS] = pops_at // lay.PP_WIDTH
    a[e + lay.E_N_POPS] = n_pops
    a[e + lay.E_MAX_ROOM] = max_room
    a[e + lay.E_MIN_NEED] = min_need
    return np.int64(0)


@njit(cache=True, nogil=True)
def write_lists(a, e):
    """Write what else belongs to the node whose record is at e: trie nodes and classes; returns 0, or -1 with H_ERROR set.

    The lists lie in the pop table's range.
    """
    n_opens = a[N_OPENS]
    n_verify = a[N_VERIFY]
    n_delta = a[N_DELTA]
    n_classes = a[e + lay.E_N_CLASSES]
    pops = a[e + lay.E_POPS]
    opens_at = take(
        a, lay.H_PP, n_opens + n_verify + 2 * n_delta + lay.CLASS_WIDTH * n_classes + lay.PP_WIDTH, lay.CAP_PP
    )
    if opens_at < 0:
        return np.int64(-1)
    o = lay.PP + opens_at
    for i in range(n_opens):
        a[o + i] = a[OPENS + i]
    for i in range(n_verify):
        a[o + n_opens + i] = a[VERIFY + i]
    for i in range(2 * n_delta):
        a[o + n_opens + n_verify + i] = a[DELTA + i]
    classes_at = opens_at + n_opens + n_verify + 2 * n_delta
    for i in range(n_classes):
        begin = a[CLASS_BEGINS + i]
        x = lay.PP + (pops + begin) * lay.PP_WIDTH
        o = lay.PP + classes_at + lay.CLASS_WIDTH * i
        a[o] = a[x + lay.P_EXIT]
        a[o + 1] = pops + begin
        a[o + 2] = a[CLASS_BEGINS + i + 1] - begin
        a[o + 3] = a[x + lay.P_ROOM]
        a[o + 4] = a[x + lay.P_FRAME]
        if a[o] >= 0:
            a[o + 1] = same_points(a, a[o + 1], a[o + 2])
            if a[o + 1] < 0:
                return np.int64(-1)
    # keep the pop table aligned: pop points are addressed by number
    over = a[lay.H_PP] % lay.PP_WIDTH
    if over:
        a[lay.H_PP] += lay.PP_WIDTH - over
    a[e + lay.E_OPENS] = opens_at
    a[e + lay.E_N_OPENS] = n_opens
    a[e + lay.E_VERIFY] = opens_at + n_opens
    a[e + lay.E_N_VERIFY] = n_verify
    a[e + lay.E_DELTA] = opens_at + n_opens + n_verify
    a[e + lay.E_N_DELTA] = n_delta
    a[e + lay.E_CLASSES] = classes_at
    return np.int64(0)


@njit(cache=True, nogil=True)
def sort_pops(a, n):
    """Order the n pop points by class into SORTED_POPS, the classes as they were met first; returns how many classes.

    CLASS_BEGINS says where each begins, and where the last ends.
    """
    n_classes = np.int64(0)
    placed = np.int64(0)
    while placed < n:
        first = np.int64(-1)
        a[CLASS_BEGINS + n_classes] = placed
        for i in range(n):
            p = POPS + POP_WIDTH * i
            if a[p + 6] < -1:  # taken
                continue
            if first < 0:
                first = p
            if a[p + 6] == a[first + 6] and a[p + 7] == a[first + 7] and a[p + 8] == a[first + 8]:
                a[SORTED_POPS + placed] = i
                placed += 1
        for i in range(a[CLASS_BEGINS + n_classes], placed):
            p = POPS + POP_WIDTH * a[SORTED_POPS + i]
            a[p + 6] = -3 - a[p + 6]
        n_classes += 1
    a[CLASS_BEGINS + n_classes] = n
    for i in range(n):
        a[POPS + POP_WIDTH * i + 6] = -3 - a[POPS + POP_WIDTH * i + 6]
    return n_classes


@njit(cache=True, nogil=True)
def same_points(a, first, n):
    """The first of the n pop points met before that lie at the same trie nodes as those at ``first``, or ``first``; -1 with H_ERROR set.

    Children go on from the trie nodes alone if no guard can fail, so those of all scanner's states with the same tokens behind an exit are one.
    """
    h = np.int64(n)
    for i in range(first, first + n):
        p = lay.PP + i * lay.PP_WIDTH
        if a[p + lay.P_FIRST] >= 0:
            return first
        h = (h * 0x5BD1E995 + 2 * a[p + lay.P_NODE] + a[p + lay.P_EAGER]) & 0x7FFFFFFF
        h ^= h >> 15
    turn = np.int64(0)
    while True:  # lists of one hash are told apart by a number
        m = memo(a, TAG_POINTS, h, n, turn)
        if a[m] == 0:
            return keep(a, TAG_POINTS, h, n, turn, first)
        same = True
        for i in range(n):
            p = lay.PP + (first + i) * lay.PP_WIDTH
            o = lay.PP + (a[m + 2] + i) * lay.PP_WIDTH
            if a[p + lay.P_NODE] != a[o + lay.P_NODE] or a[p + lay.P_EAGER] != a[o + lay.P_EAGER]:
                same = False
                break
        if same:
            return a[m + 2]
        turn += 1
