"""Masks: from a state to a packed row of allowed tokens.

A row is put together from the effect nodes on the path from each entry's local state down its real frames: a packed row or a token
list per node, guards tested where they can fail.  Then the tokens that would complete a duplicate key are cleared, each after it
was advanced for real (``duplicates``).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from . import layout as lay
from .alive import can_take, forget_taken
from .duplicates import N_WALKS, WALKS, add_suspect, add_walk, clear_duplicates, collect_suspects, walk_values
from .effects.nodes import child, exit_child, root
from .grafts import grafted, pushed_by, room_of, run_class
from .heap import ROOT_TEXT, intern_link, n_keys, n_links, state_offset
from .memo import TAG_NODE, TAG_ROOT
from .packed import mark_tokens
from .parser import LANDED_WIDTH, LOW, MAX_TRIED, UNSEEN, lexer_on
from .path import (
    MAX_PATH,
    P_CLASS,
    P_FRAME,
    P_HEIGHT,
    P_KEEPS,
    P_LANDED,
    P_LINK,
    P_N_LANDED,
    P_REGISTER,
    P_ROOM,
    P_WIDTH,
    PATH,
    chain_holds,
    enter_level,
    keep_nothing,
    leave_level,
    path_is_open,
)
from .registers import is_value, keys_of, returned_register, text_of
from .repeats import compares_values, in_question
from .rows import (
    N_PIECES,
    N_TOKENS,
    PACKED,
    can_keep,
    copy_row,
    gather_part,
    gather_piece,
    gather_tokens,
    keep_row,
    kept_row,
    pack_wide,
    part_of,
    write_gathered,
)

LANDED = lay.S + 40_000_000  # what exits lead to, as entries
LANDED_CAP = 100000
KEYS_IN_TOKEN = 4  # closed before a token's last comma, at most, in any vocabulary met; more only costs a look
NODE_MASK = (1 << lay.NODE_BITS) - 1
EMPTY_LINK = lay.S + 240000  # the link that an empty stack stands for; written once by the store


@njit(cache=True, nogil=True)
def or_group(a, r, o, out):
    """OR the tokens of the effect whose record is at o into out."""
    at = a[o + lay.G_TOKENS]
    if at < 0:
        for i in range(a[lay.H_WORDS]):
            out[i] |= r[-1 - at + i]
        return
    for i in range(at, at + a[o + lay.G_N_TOKENS]):
        token = r[i]
        out[token >> np.uint32(5)] |= np.uint32(1) << (token & np.uint32(31))


@njit(cache=True, nogil=True)
def or_conditional(a, r, scope, depth, out, gathers):
    """OR the effects of the path's node at ``depth`` that hang on the stack, or gather them; returns 0, or -1 with H_ERROR set."""
    p = PATH + depth * P_WIDTH
    e = lay.EF + a[p] * lay.EF_WIDTH
    end = lay.GR + (a[e + lay.E_GROUPS] + a[e + lay.E_N_GROUPS]) * lay.GR_WIDTH
    o = end - a[e + lay.E_N_CONDS] * lay.GR_WIDTH
    while o < end:
        relative = a[o + lay.G_FRAME]
        frame = grafted(a, scope, relative, a[p + P_FRAME])
        room = room_of(a[o + lay.G_ROOM], a[p + P_ROOM])
        if frame < 0:
            return np.int64(-1)
        live = can_take(a, a[o + lay.G_STATE], frame, a[p + P_HEIGHT] + pushed_by(a, relative), room)
        if live < 0:
            return np.int64(-1)
        if live:
            gathered = False
            if gathers:
                at = a[o + lay.G_TOKENS]
                n = a[o + lay.G_N_TOKENS]
                gathered = gather_piece(a, -1 - at, np.int64(PACKED)) if at < 0 else gather_tokens(a, r, at, n)
                if not gathered:
                    keep_nothing(a, depth)
            if not gathered:
                or_group(a, r, o, out)
        o += lay.GR_WIDTH
    return np.int64(0)


@njit(cache=True, nogil=True)
def gather_node(a, r, node):
    """Gather the tokens of a node, but for those that hang on the stack; False where there is no more room for them."""
    e = lay.EF + node * lay.EF_WIDTH
    n = a[e + lay.E_N_TOKENS]
    if n == 0:
        return True
    if a[e + lay.E_ROW] >= 0:
        return gather_piece(a, a[e + lay.E_ROW], np.int64(PACKED))
    return gather_tokens(a, r, a[e + lay.E_TOKENS], n)


@njit(cache=True, nogil=True)
def or_node(a, r, depth, out, clean):
    """OR the tokens of the path's node at ``depth`` into out, but for those that hang on the stack; ``clean`` says that out is all zero.  Returns clean after."""
    p = PATH + depth * P_WIDTH
    e = lay.EF + a[p] * lay.EF_WIDTH
    words = a[lay.H_WORDS]
    if a[e + lay.E_N_TOKENS] == 0:
        return clean
    if path_is_open(a, depth):
        row = a[e + lay.E_ROW]
        if row >= 0:
            if clean:
                for i in range(words):
                    out[i] = r[row + i]
            else:
                for i in range(words):
                    out[i] |= r[row + i]
            return False
        at = a[e + lay.E_TOKENS]
        for i in range(at, at + a[e + lay.E_N_TOKENS]):
            token = r[i]
            out[token >> np.uint32(5)] |= np.uint32(1) << (token & np.uint32(31))
        return False
    need = a[p + 1]
    room = a[p + 2]
    sure = a[e + lay.E_N_GROUPS] - a[e + lay.E_N_CONDS]
    for g in range(a[e + lay.E_GROUPS], a[e + lay.E_GROUPS] + sure):
        o = lay.GR + g * lay.GR_WIDTH
        if (
            room >= a[o + lay.G_MIN_ROOM]
            and need <= a[o + lay.G_MAX_NEED]
            and chain_holds(a, a[o + lay.G_CHAIN], depth)
        ):
            or_group(a, r, o, out)
    return False


@njit(cache=True, nogil=True)
def fill_entry(a, r, state_at, q, need, room, register, frame, out, clean, n_suspects):
    """OR the tokens of one entry into out; returns (clean, suspects), suspects -1 on an error."""
    p = lay.LS + q * lay.LS_WIDTH
    if frame == lay.FRAME_EMPTY and a[p + lay.L_PACKED] > 0:
        return False, n_suspects if mark_tokens(a, r, q, out, clean) == 0 else np.int64(-1)
    gathers = a[p + lay.L_REACH] >= 0 and register == 0
    node = root(a, r, q)
    if node < 0:
        return clean, np.int64(-1)
    depth = 0
    base = np.int64(0)
    scope = a[lay.HP + state_at + 3]
    a[LOW] = UNSEEN
    a[N_TOKENS] = 0
    a[N_PIECES] = 0
    forget_taken(a)
    enter_level(a, 0, node, need, room, frame, np.int64(0), register)
    keys = keys_of(a, register)
    text = text_of(a, register)
    if register != 0 and in_question(a, register) and add_walk(a, np.int64(0)) < 0:
        return clean, np.int64(-1)
    if text != 0 and keys != 0 and not is_value(a, text):
        n_suspects = collect_suspects(a, keys, text, np.int64(0), q, n_suspects)
        if n_suspects < 0:
            return clean, n_suspects
    while depth >= 0:
        p = PATH + depth * P_WIDTH
        node = a[p]
        e = lay.EF + node * lay.EF_WIDTH
        if a[p + P_LINK] < 0:
            if not (gathers and path_is_open(a, depth) and gather_node(a, r, node)):
                keep_nothing(a, depth)
                clean = or_node(a, r, depth, out, clean)
            if a[e + lay.E_N_CONDS] > 0:
                if or_conditional(a, r, scope, depth, out, gathers) < 0:
                    return clean, np.int64(-1)
                clean = clean and gathers and a[p + P_KEEPS] == 1
            keys = keys_of(a, a[p + P_REGISTER])
            if a[e + lay.E_N_OPENS] + a[e + lay.E_N_VERIFY] > 0:
                keep_nothing(a, depth)
            if keys != 0:
                for i in range(a[e + lay.E_N_OPENS]):
                    word = a[lay.PP + a[e + lay.E_OPENS] + i]
                    if compares_values(a, keys):
                        if add_walk(a, word & NODE_MASK) < 0:
                            return clean, np.int64(-1)
                        continue
                    n_suspects = collect_suspects(
                        a, keys, np.int64(ROOT_TEXT), word & NODE_MASK, word >> lay.NODE_BITS, n_suspects
                    )
                    if n_suspects < 0:
                        return clean, n_suspects
            for i in range(a[e + lay.E_N_VERIFY]):
                word = a[lay.PP + a[e + lay.E_VERIFY] + i]
                if word >> lay.NODE_BITS == lay.VALUES:
                    if add_walk(a, word & NODE_MASK) < 0:
                        return clean, np.int64(-1)
                    continue
                if word >> lay.NODE_BITS > n_keys(a, keys) + KEYS_IN_TOKEN:
                    continue
                n_suspects = add_suspect(a, word & NODE_MASK, n_suspects)
                if n_suspects < 0:
                    return clean, n_suspects
            a[p + P_LINK] = 0
            a[p + P_CLASS] = 0
            if a[e + lay.E_N_POPS] == 0 or a[p + P_FRAME] == lay.FRAME_UNKNOWN:
                if leave_level(a, r, depth, gathers) < 0:
                    return clean, np.int64(-1)
                depth -= 1
                continue
        cls = a[p + P_CLASS]
        if cls >= a[e + lay.E_N_CLASSES]:
            if leave_level(a, r, depth, gathers) < 0:
                return clean, np.int64(-1)
            depth -= 1
            continue
        one = lay.PP + a[e + lay.E_CLASSES] + lay.CLASS_WIDTH * cls
        exit_ = a[one]
        if exit_ >= 0:  # a parser's: what the exit leads to lies in LANDED, the children are visited one by one
            if a[p + P_LINK] == 0:
                a[p + P_LANDED] = base
                if base + MAX_TRIED > LANDED_CAP:
                    a[lay.H_ERROR] = lay.ERR_SCRATCH
                    return clean, np.int64(-1)
                n_landed = run_class(
                    a, scope, one, a[p + P_ROOM], a[p + P_FRAME], a[p + P_HEIGHT], a[p + P_REGISTER], LANDED + base
                )
                if n_landed < 0:
                    return clean, np.int64(-1)
                base += n_landed * LANDED_WIDTH
                a[p + P_N_LANDED] = n_landed
            j = a[p + P_LINK]
            if j == a[p + P_N_LANDED]:
                base = a[p + P_LANDED]
                a[p + P_CLASS] = cls + 1
                a[p + P_LINK] = 0
                continue
            a[p + P_LINK] = j + 1
            landed = LANDED + a[p + P_LANDED] + j * LANDED_WIDTH
            height = a[landed + 5]
            following = exit_child(a, r, node, cls, a[landed], lexer_on(a, a[landed + 4], height))
            if following < 0:
                return clean, np.int64(-1)
            if gathers and a[landed + 2] >= lay.UNBOUNDED and a[landed + 3] == 0 and path_is_open(a, depth):
                part = kept_row(a, np.int64(TAG_NODE), following, np.int64(0), a[landed + 4], height)
                if part >= 0 and gather_part(a, r, part):
                    continue
            if depth + 1 >= MAX_PATH:
                a[lay.H_ERROR] = lay.ERR_SCRATCH
                return clean, np.int64(-1)
            depth += 1
            enter_level(a, depth, following, a[landed + 1], a[landed + 2], a[landed + 4], height, a[landed + 3])
            if a[landed + 2] < lay.UNBOUNDED or a[landed + 3] != 0:
                a[PATH + depth * P_WIDTH + P_KEEPS] = 0
            continue
        j = a[p + P_LINK]
        keep_nothing(a, depth)
        frame = a[p + P_FRAME]
        if frame == lay.FRAME_EMPTY:
            # past the end of the text: a level without tokens of its own pops to nothing
            if j > 0 or (a[e + lay.E_SYMBOL] == lay.SYMBOL_EMPTY and a[e + lay.E_PARENT] >= 0):
                a[p + P_CLASS] = cls + 1
                a[p + P_LINK] = 0
                continue
            link = EMPTY_LINK
        else:
            if j >= n_links(a, frame):
                a[p + P_CLASS] = cls + 1
                a[p + P_LINK] = 0
                continue
            link = lay.HP + frame + lay.HEADER + j * lay.LINK
        a[p + P_LINK] = j + 1
        symbol = a[link]
        following = child(a, r, node, symbol)
        if following < 0:
            return clean, np.int64(-1)
        if depth + 1 >= MAX_PATH:
            a[lay.H_ERROR] = lay.ERR_SCRATCH
            return clean, np.int64(-1)
        depth += 1
        register = a[p + P_REGISTER]
        if symbol < 0 or not symbol & 1:
            register = returned_register(a, scope, a[link + 3], register)
            if register < 0:
                return clean, np.int64(-1)
        enter_level(a, depth, following, a[link + 1], a[link + 2], a[link + 4], a[p + P_HEIGHT] - 1, register)
        a[PATH + depth * P_WIDTH + P_KEEPS] = 0
    if gathers:
        clean = write_gathered(a, r, out, clean)
    return clean, n_suspects


@njit(cache=True, nogil=True)
def kept_under(room):
    """What rows of a room are kept under: that of an open newline tells its column."""
    return room if room < lay.UNBOUNDED else np.int64(0)


@njit(cache=True, nogil=True)
def fill(a, r, state_at, out):
    """The mask of the state whose record is at ``state_at``; returns 0, or -1 with H_ERROR set."""
    words = a[lay.H_WORDS]
    at = lay.HP + state_at
    scope = a[at + 3]
    n = ((a[at] & 0xFFFFFFFF) - lay.STATE_ENTRIES) // lay.ENTRY
    q = a[at + lay.STATE_ENTRIES]
    keeps = n == 1 and a[lay.LS + q * lay.LS_WIDTH + lay.L_REACH] >= 0
    keeps = keeps and a[at + lay.STATE_ENTRIES + 1] == 0 and a[at + lay.STATE_ENTRIES + 3] == 0
    frame = a[at + lay.STATE_ENTRIES + 4]
    room = kept_under(a[at + lay.STATE_ENTRIES + 2])
    if keeps:
        row = kept_row(a, np.int64(TAG_ROOT), q, room, frame, np.int64(0))
        if row >= 0:
            copy_row(a, r, row, out)
            set_ends(a, at, n, out)
            return np.int64(0)
    for i in range(words):
        out[i] = np.uint32(0)
    clean = True
    n_suspects = np.int64(0)
    a[N_WALKS] = 0
    for i in range(n):  # entries that imitate a string body come first: what they clear is only theirs
        p = at + lay.STATE_ENTRIES + i * lay.ENTRY
        q = a[p]
        s = a[lay.LS + q * lay.LS_WIDTH + lay.L_SHADOW] - 1
        if s < 0:
            continue
        under = intern_link(a, scope, a[lay.LS + q * lay.LS_WIDTH + lay.L_SHADOW_SYM], a[p + 1], a[p + 2], 0, a[p + 4])
        if under < 0:
            return np.int64(-1)
        node = root(a, r, q)
        if node < 0:
            return np.int64(-1)
        target = out
        if not clean:
            target = r[:words]
            for k in range(words):
                target[k] = np.uint32(0)
        was_clean = clean
        clean, n_suspects = fill_entry(
            a, r, state_at, s, np.int64(0), np.int64(lay.UNBOUNDED), a[p + 3], under, target, True, n_suspects
        )
        if n_suspects < 0:
            return np.int64(-1)
        e = lay.EF + node * lay.EF_WIDTH
        next_same = lay.TR + a[lay.H_TRIE]
        for k in range(a[e + lay.E_N_DELTA]):
            first = a[lay.PP + a[e + lay.E_DELTA] + 2 * k]
            end = a[lay.PP + a[e + lay.E_DELTA] + 2 * k + 1]
            for x in range(first, end):
                token = (a[lay.TR + x] >> lay.T_TOKEN_SHIFT) - 1
                while token >= 0:
                    target[token >> 5] &= ~(np.uint32(1) << np.uint32(token & 31))
                    token = a[next_same + token]
        if not was_clean:
            for k in range(words):
                out[k] |= target[k]
        clean = False
    for i in range(n):
        p = at + lay.STATE_ENTRIES + i * lay.ENTRY
        clean, n_suspects = fill_entry(
            a, r, state_at, a[p], a[p + 1], a[p + 2], a[p + 3], a[p + 4], out, clean, n_suspects
        )
        if n_suspects < 0:
            return np.int64(-1)
    if n_suspects > 0 and clear_duplicates(a, state_at, out, n_suspects) < 0:
        return np.int64(-1)
    for i in range(a[N_WALKS]):
        if walk_values(a, state_at, a[WALKS + i], out, np.empty(0, np.bool_)) < 0:
            return np.int64(-1)
    if keeps and a[PATH + P_KEEPS] == 1:
        looked = max(1 - a[LOW], np.int64(0))
        if can_keep(a, frame, looked):
            row = part_of(a, r, np.int64(0), np.int64(0))
            if (
                row < 0
                or pack_wide(a, r, row, out) < 0
                or keep_row(a, np.int64(TAG_ROOT), q, room, frame, looked, row) < 0
            ):
                return np.int64(-1)
    set_ends(a, at, n, out)
    return np.int64(0)


@njit(cache=True, nogil=True)
def set_ends(a, at, n, out):
    """Set the bits of end-of-sequence and padding of the state with n entries whose record is at ``at``."""
    if a[at + lay.STATE_BITS] & lay.ACCEPTING_BIT:
        for i in range(a[lay.H_EOS]):
            token = a[lay.EO + i]
            out[token >> 5] |= np.uint32(1) << np.uint32(token & 31)
        if n == 1 and a[at + lay.STATE_ENTRIES] == a[lay.H_DONE_STATE]:
            for i in range(a[lay.H_EOS], a[lay.H_EOS] + a[lay.H_PAD]):
                token = a[lay.EO + i]
                out[token >> 5] |= np.uint32(1) << np.uint32(token & 31)


@njit(cache=True, nogil=True)
def mask(a, r, state, out):
    """Fill out with the mask of a state; 0, -1 with H_ERROR set, -2 if the state is stale."""
    if state == 0:
        for i in range(a[lay.H_WORDS]):
            out[i] = np.uint32(0)
        return np.int64(0)
    at = state_offset(a, state)
    if at < 0:
        return np.int64(-2)
    return fill(a, r, at, out)


@njit(cache=True, nogil=True)
def mask_many(a, r, states, out):
    """Fill a row per state; 0, or the first row's negative code."""
    for i in range(len(states)):
        code = mask(a, r, states[i], out[i])
        if code < 0:
            return code
    return np.int64(0)
