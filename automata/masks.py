"""Masks: from a state to a packed row of allowed tokens, and tokens to next states.

A row is put together from the effect nodes on the path from each entry's local state down its real frames: a packed row or a token
list per node, guards tested where they can fail.  Then the tokens that would complete a duplicate key are cleared, each after it
was advanced for real.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..grammar.ir import OP_NONE
from . import layout as lay
from .alive import can_take, forget_taken
from .configurations import lives, load_state, make_state
from .effects.nodes import child, exit_child, root
from .heap import ROOT_TEXT, intern_link, n_keys, n_links, state_offset
from .indenter import hangs_on_column, settle
from .memo import TAG_NODE, TAG_ROOT
from .packed import mark_tokens
from .parser import LANDED_WIDTH, LOW, MAX_TRIED, UNSEEN, lexer_on, run_exit
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
from .step import step
from .unions import IN
from .values import compares_values, in_question, is_value, keys_of, returned_register, text_of

MAX_PATH = 256
PATH = lay.S + 131072  # the path, P_WIDTH words a level
P_WIDTH = 14
P_NODE = 0
P_NEED = 1
P_ROOM = 2
P_FRAME = 3
P_LINK = 4  # the next link of the frame, or landing of the class; -1 before the node's own tokens are taken
P_REGISTER = 5
P_CLASS = 6
P_LANDED = 7  # what the class leads to: first, how many
P_N_LANDED = 8
P_HEIGHT = 9  # of the frame
P_LOW = 10  # lowest height looked at before this level
P_TOKENS = 11  # what was gathered before this level
P_PIECES = 12
P_KEEPS = 13  # 1 where what is gathered from here on is the level's part of the row, and nothing else
GRAFT = lay.S + 139000  # symbols of an effect's frame
LANDED = lay.S + 40_000_000  # what exits lead to, as entries
LANDED_CAP = 100000
SUSPECTS = lay.S + 140000  # trie nodes whose subtrees may complete a duplicate
MAX_SUSPECTS = 8192
WALKS = lay.S + 150000  # trie nodes from which a walk goes on while values seen are spelled
N_WALKS = lay.S + 158192
MAX_WALKS = 8192
STACK = lay.S + 800000  # the configurations of such a walk, one a level
STACK_CAP = 200000
LEVEL = (
    lay.S + 760000
)  # of each level: where its configuration begins, how many entries, whether a run was cut above it
TEXT_BUFFER = lay.S + 160000
MAX_TEXT = 65536
KEYS_IN_TOKEN = (
    4  # keys closed by one token before its last comma, at most, in any vocabulary met; more only costs a look
)
NODE_MASK = (1 << lay.NODE_BITS) - 1
EMPTY_LINK = lay.S + 240000  # the link that an empty stack stands for; written once by the store


@njit(cache=True, nogil=True)
def chain_holds(a, pop, depth):
    """Whether the guards of the activations popped before level ``depth`` hold."""
    level = depth - 1
    while pop >= 0 and level >= 0:
        p = PATH + level * P_WIDTH
        o = lay.PP + pop * lay.PP_WIDTH
        if a[p + 2] < a[o + lay.P_MIN_ROOM] or a[p + 1] > a[o + lay.P_MAX_NEED]:
            return False
        pop = a[o + lay.P_CHAIN]
        level -= 1
    return True


@njit(cache=True, nogil=True)
def path_is_open(a, depth):
    """Whether no guard of the levels 0..depth can fail with the counters at hand."""
    for level in range(depth + 1):
        p = PATH + level * P_WIDTH
        e = lay.EF + a[p] * lay.EF_WIDTH
        if a[p + 2] < a[e + lay.E_MAX_ROOM] or a[p + 1] > a[e + lay.E_MIN_NEED]:
            return False
    return True


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
def grafted(a, scope, relative, frame):
    """The real frame that an effect's frame above the unknown one stands for; -1 with H_ERROR set."""
    n = 0
    while relative != lay.FRAME_UNKNOWN:
        a[GRAFT + n] = a[lay.HP + relative + lay.HEADER]
        relative = a[lay.HP + relative + lay.HEADER + 4]
        n += 1
    while n > 0 and frame >= 0:
        n -= 1
        frame = intern_link(a, scope, a[GRAFT + n], 0, lay.UNBOUNDED, 0, frame)
    return frame


@njit(cache=True, nogil=True)
def pushed_by(a, relative):
    """How many symbols an effect's frame holds above the unknown one."""
    n = np.int64(0)
    while relative != lay.FRAME_UNKNOWN:
        relative = a[lay.HP + relative + lay.HEADER + 4]
        n += 1
    return n


@njit(cache=True, nogil=True)
def room_of(counted, room):
    """The room that an effect's stands for, which may be counted from that of the entry."""
    if counted >= 0:
        return counted
    return room if room >= lay.UNBOUNDED else room + counted + 1


@njit(cache=True, nogil=True)
def run_class(a, scope, one, room, frame, height, register, out):
    """What a class of pop points (its record at ``one``) of a scanner's state leads to on a real frame; see ``run_exit``."""
    exit_ = a[one]
    height += pushed_by(a, a[one + 4])
    frame = grafted(a, scope, a[one + 4], frame)
    if frame < 0:
        return frame
    if hangs_on_column(a, exit_):
        exit_ = settle(a, exit_, frame, height, room_of(a[one + 3], room))
        if exit_ == -2:
            return np.int64(0)
        if exit_ < 0:
            return exit_
    return run_exit(a, scope, exit_, frame, height, register, out)


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
def keep_nothing(a, depth):
    """Note that what is gathered at the levels 0..depth is not all that they give."""
    for level in range(depth + 1):
        a[PATH + level * P_WIDTH + P_KEEPS] = 0


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
def enter_level(a, depth, node, need, room, frame, height, register):
    """Begin a level of the path."""
    p = PATH + depth * P_WIDTH
    a[p + P_NODE] = node
    a[p + P_NEED] = need
    a[p + P_ROOM] = room
    a[p + P_FRAME] = frame
    a[p + P_LINK] = -1
    a[p + P_REGISTER] = register
    a[p + P_HEIGHT] = height
    a[p + P_LOW] = a[LOW]
    a[p + P_TOKENS] = a[N_TOKENS]
    a[p + P_PIECES] = a[N_PIECES]
    a[p + P_KEEPS] = 1
    a[LOW] = UNSEEN


@njit(cache=True, nogil=True)
def leave_level(a, r, depth, gathers):
    """End a level of the path, and keep what it gave; returns 0, or -1 with H_ERROR set."""
    p = PATH + depth * P_WIDTH
    low = a[LOW]
    a[LOW] = min(low, a[p + P_LOW])
    if depth == 0 or not gathers or a[p + P_KEEPS] == 0:
        return np.int64(0)
    looked = max(a[p + P_HEIGHT] - low + 1, np.int64(0))
    if not can_keep(a, a[p + P_FRAME], looked):
        return np.int64(0)
    part = part_of(a, r, a[p + P_TOKENS], a[p + P_PIECES])
    if part < 0:
        return np.int64(-1)
    return keep_row(a, np.int64(TAG_NODE), a[p + P_NODE], np.int64(0), a[p + P_FRAME], looked, part)


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
            end = (a[lay.TR + x] >> lay.T_END_SHIFT) & lay.T_END_MASK
            while y < end:
                if a[lay.TR + y] & 255 == a[TEXT_BUFFER + i]:
                    following = y
                    break
                y = (a[lay.TR + y] >> lay.T_END_SHIFT) & lay.T_END_MASK
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
def add_suspect(a, node, n):
    """Append a trie node to the suspects; returns the new count, or -1 with H_ERROR set."""
    for i in range(n):
        if a[SUSPECTS + i] == node:
            return n
    if n >= MAX_SUSPECTS:
        a[lay.H_ERROR] = lay.ERR_SCRATCH
        return np.int64(-1)
    a[SUSPECTS + n] = node
    return n + 1


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
def clear_duplicates(a, state_at, out, n_suspects):
    """Clear the suspects that cannot be advanced over; returns 0, or -1 with H_ERROR set."""
    scope = a[lay.HP + state_at + 3]
    next_same = lay.TR + a[lay.H_TRIE]
    for s in range(n_suspects):
        node = a[SUSPECTS + s]
        for x in range(node, (a[lay.TR + node] >> lay.T_END_SHIFT) & lay.T_END_MASK):
            token = (a[lay.TR + x] >> lay.T_TOKEN_SHIFT) - 1
            if token < 0 or not (out[token >> 5] >> np.uint32(token & 31)) & np.uint32(1):
                continue
            n = lives(a, scope, read_token(a, scope, load_state(a, state_at), token))
            if n < 0:
                return n
            if n == 0:
                while token >= 0:
                    out[token >> 5] &= ~(np.uint32(1) << np.uint32(token & 31))
                    token = a[next_same + token]
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
def push_configuration(a, level, begin, n, cut):
    """Keep the n entries at IN as a level of a walk; returns 0, or -1 with H_ERROR set."""
    if begin + n * lay.ENTRY > STACK_CAP:
        a[lay.H_ERROR] = lay.ERR_SCRATCH
        return np.int64(-1)
    a[LEVEL + 3 * level] = begin
    a[LEVEL + 3 * level + 1] = n
    a[LEVEL + 3 * level + 2] = cut
    for i in range(n * lay.ENTRY):
        a[STACK + begin + i] = a[IN + i]
    return np.int64(0)


@njit(cache=True, nogil=True)
def any_in_question(a, n):
    """Whether an entry of the configuration at IN is in question."""
    for i in range(n):
        register = a[IN + i * lay.ENTRY + 3]
        if register != 0 and in_question(a, register):
            return True
    return False


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
    here = np.int64(0)
    for _ in range(depth):  # down to the node: the child whose range holds it
        here += 1
        while (a[lay.TR + here] >> lay.T_END_SHIFT) & lay.T_END_MASK <= node:
            here = (a[lay.TR + here] >> lay.T_END_SHIFT) & lay.T_END_MASK
        n = step(a, scope, n, a[lay.TR + here] & 255)
        if n <= 0:
            return n
    cut = a[lay.H_CUT]
    if push_configuration(a, 0, np.int64(0), n, cut) < 0:
        return np.int64(-1)
    i = node
    end = (a[lay.TR + node] >> lay.T_END_SHIFT) & lay.T_END_MASK
    while i < end:
        word = a[lay.TR + i]
        level = ((word >> lay.T_DEPTH_SHIFT) & lay.T_DEPTH_MASK) - depth
        node_end = (word >> lay.T_END_SHIFT) & lay.T_END_MASK
        if level > 0:
            p = LEVEL + 3 * (level - 1)
            begin = a[p]
            n = a[p + 1]
            cut = a[p + 2]
            for k in range(n * lay.ENTRY):
                a[IN + k] = a[STACK + begin + k]
            begin += n * lay.ENTRY
            a[lay.H_CUT] = 0
            n = step(a, scope, n, word & 255)
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


@njit(cache=True, nogil=True)
def read_token(a, scope, n, token):
    """Read the bytes of a text token from the configuration at IN; returns the new number of entries, or -1."""
    offsets = lay.TR + a[lay.H_TRIE] + a[lay.H_VOCAB]
    texts = offsets + a[lay.H_VOCAB] + 1
    begin = a[offsets + token]
    end = a[offsets + token + 1]
    if begin == end:
        return np.int64(0)
    for i in range(begin, end):
        n = step(a, scope, n, a[texts + i])
        if n <= 0:
            return n
    return n


@njit(cache=True, nogil=True)
def advance_record(a, state_at, token):
    """The state after a token, from the record at ``state_at``; 0 dead, -1 with H_ERROR set."""
    if token < 0 or token >= a[lay.H_VOCAB]:
        return np.int64(0)
    at = lay.HP + state_at
    scope = a[at + 3]
    done = a[at + lay.STATE_ENTRIES] == a[lay.H_DONE_STATE]
    if a[at + lay.STATE_BITS] & lay.ACCEPTING_BIT:
        ends = a[lay.H_EOS]
        if done:
            ends += a[lay.H_PAD]
        for i in range(ends):
            if a[lay.EO + i] == token:
                a[IN] = a[lay.H_DONE_STATE]
                a[IN + 1] = 0
                a[IN + 2] = lay.UNBOUNDED
                a[IN + 3] = 0
                a[IN + 4] = lay.FRAME_EMPTY
                return make_state(a, scope, np.int64(1))
    if done:
        return np.int64(0)
    n = read_token(a, scope, load_state(a, state_at), token)
    if n <= 0:
        return n
    return make_state(a, scope, n)


@njit(cache=True, nogil=True)
def advance(a, state, token):
    """The state after a token; 0 dead, -1 with H_ERROR set, -2 if the state is stale."""
    if state == 0:
        return np.int64(0)
    at = state_offset(a, state)
    if at < 0:
        return np.int64(-2)
    return advance_record(a, at, token)


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


@njit(cache=True, nogil=True)
def advance_many(a, states, tokens, out):
    """One token per state; 0, or the first negative code."""
    for i in range(len(states)):
        code = advance(a, states[i], tokens[i])
        if code < 0:
            return code
        out[i] = code
    return np.int64(0)


@njit(cache=True, nogil=True)
def advance_bytes(a, state, data):
    """The state after some bytes; 0 dead, -1 with H_ERROR set, -2 if the state is stale."""
    if state == 0:
        return np.int64(0)
    at = state_offset(a, state)
    if at < 0:
        return np.int64(-2)
    if len(data) == 0:
        return np.int64(state)
    if a[lay.HP + at + lay.STATE_ENTRIES] == a[lay.H_DONE_STATE]:
        return np.int64(0)
    scope = a[lay.HP + at + 3]
    n = load_state(a, at)
    for c in data:
        n = step(a, scope, n, np.int64(c))
        if n <= 0:
            return n
    return make_state(a, scope, n)


@njit(cache=True, nogil=True)
def start_state(a, scope, q):
    """The start state of a rule in a scope; 0 if it is dead, -1 with H_ERROR set."""
    a[IN] = q
    a[IN + 1] = 0
    a[IN + 2] = lay.UNBOUNDED
    a[IN + 3] = 0
    a[IN + 4] = lay.FRAME_EMPTY
    return make_state(a, scope, np.int64(1))


@njit(cache=True, nogil=True)
def readable_bytes(a, state, readable):
    """Mark in bool[256] the bytes that can come next; returns their number, -1 with H_ERROR set, -2 if stale."""
    for c in range(256):
        readable[c] = False
    if state == 0:
        return np.int64(0)
    at = state_offset(a, state)
    if at < 0:
        return np.int64(-2)
    scope = a[lay.HP + at + 3]
    count = np.int64(0)
    for c in range(256):
        n = lives(a, scope, step(a, scope, load_state(a, at), np.int64(c)))
        if n < 0:
            return n
        if n > 0:
            readable[c] = True
            count += 1
    return count


@njit(cache=True, nogil=True)
def only_byte(a, state):
    """The one byte that must come next; -1 if there are more or none or the text may end here, -2 if stale."""
    if state == 0:
        return np.int64(-1)
    at = state_offset(a, state)
    if at < 0:
        return np.int64(-2)
    if a[lay.HP + at + lay.STATE_BITS] & lay.ACCEPTING_BIT:
        return np.int64(-1)
    readable = np.empty(256, np.bool_)
    if readable_bytes(a, state, readable) != 1:
        return np.int64(-1)
    for c in range(256):
        if readable[c]:
            return np.int64(c)
    return np.int64(-1)
