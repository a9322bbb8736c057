"""Token classes of a state: tokens that lead to the same next state, read off the effects instead of advanced one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from . import layout as lay
from .arena import check
from .duplicates import N_WALKS, WALKS, walk_values
from .effects.nodes import child, exit_child, root, tokens_of
from .grafts import run_class
from .heap import HASH_MASK, ROOT_TEXT, intern_link, state_offset
from .masks import LANDED, NODE_MASK, mask
from .parser import LANDED_WIDTH, lexer_on
from .registers import keys_of, returned_register, text_of
from .repeats import compares_values

if TYPE_CHECKING:
    from .store import Store

MIX = np.uint64(0x9E3779B97F4A7C15)


class TokenClasses(NamedTuple):
    """A partition of a state's allowed tokens.

    Attributes:
        tokens: int64[n], the allowed tokens in rising order, end-of-sequence and padding included.
        class_of: int64[n], the class of each.
        representative: int64[k], one token of each class: every token of a class leads where this one does.

    """

    tokens: npt.NDArray[np.int64]
    class_of: npt.NDArray[np.int64]
    representative: npt.NDArray[np.int64]


def token_classes(store: Store, state: int, *, spelling: bool = True) -> TokenClasses:
    """Partition the allowed tokens of a living state by what they do, twins (see ``symbols``) for themselves.

    Two tokens share a class if they have the same effects on every path down the state's frames.  Tokens that spell part of a
    duplicate-checked key are classes of their own, because the register remembers the spelling.  Without ``spelling`` only
    those are that spell the beginning of a key seen: what another token spells makes no difference to what may follow it,
    though the states after two of them are two.
    """
    a, r = store.arena
    with store.lock:
        row = np.empty(store.words, np.uint32)
        code = int(mask(a, r, state, row))
        if code < 0:
            store.failed(code)
        allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
        signature = np.zeros(32 * store.words, np.uint64)
        alone = np.zeros(32 * store.words, np.bool_)
        for node in a[WALKS : WALKS + int(a[N_WALKS])].tolist() if state else ():
            if int(walk_values(a, int(state_offset(a, state)), node, row, alone)) < 0:
                check(a)
        if state:
            _sign(store, int(state_offset(a, state)), signature, alone, spelling=spelling)
    own = np.flatnonzero(alone)
    signature[own] = np.arange(len(own), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    eos_end = int(a[lay.H_EOS])
    ends = a[lay.EO : lay.EO + eos_end + int(a[lay.H_PAD])]
    signature[ends] = np.uint64(1 << 63)  # all of them lead to the state after the end
    _, first, class_of = np.unique(signature[allowed], return_index=True, return_inverse=True)
    return TokenClasses(allowed, class_of, allowed[first])


def folded_classes(store: Store, state: int) -> TokenClasses:
    """The same over the tokens of the vocabulary: one that is read in two ways is of the class of both (see ``symbols``)."""
    classes = token_classes(store, state)
    if store.twins is None:
        return classes
    ways = np.full((store.twins.base, 2), -1, np.int64)
    own = classes.tokens < store.twins.base
    ways[classes.tokens[own], 0] = classes.class_of[own]
    ways[store.twins.ids[classes.tokens[~own] - store.twins.base], 1] = classes.class_of[~own]
    tokens = np.flatnonzero((ways >= 0).any(axis=1))
    _, first, class_of = np.unique(ways[tokens], axis=0, return_index=True, return_inverse=True)
    return TokenClasses(tokens, class_of.ravel(), tokens[first])


def _sign(
    store: Store, at: int, signature: npt.NDArray[np.uint64], alone: npt.NDArray[np.bool_], *, spelling: bool
) -> None:
    """Mix into each token's signature the effects that it has on each path, and mark those whose spelling matters."""
    a, r = store.arena
    p = lay.HP + at
    words = (int(a[p]) & 0xFFFFFFFF) - lay.STATE_ENTRIES
    scope = int(a[p + 3])
    entries = a[p + lay.STATE_ENTRIES : p + lay.STATE_ENTRIES + words].reshape(-1, lay.ENTRY).tolist()
    paths: list[
        tuple[int, int, int, int, int]
    ] = []  # effect node, room, frame, register with an open text or keys, number of the path
    number = 1
    for q, need, room, register, frame in entries:
        at_q = lay.LS + q * lay.LS_WIDTH
        shadow = int(a[at_q + lay.L_SHADOW]) - 1
        if shadow >= 0:
            under = int(intern_link(a, scope, int(a[at_q + lay.L_SHADOW_SYM]), need, room, 0, frame))
            check(a)
            paths.append((_checked(a, int(root(a, r, shadow))), lay.UNBOUNDED, under, register, number))
        paths.append((_checked(a, int(root(a, r, q))), room, frame, register, number + 1))
        number += 2
    while paths:
        node, room, frame, register, number = paths.pop()
        keys = int(keys_of(a, register))
        text = int(text_of(a, register))
        e = lay.EF + node * lay.EF_WIDTH
        first = int(a[e + lay.E_GROUPS])
        for g in range(first, first + int(a[e + lay.E_N_GROUPS])):
            o = lay.GR + g * lay.GR_WIDTH
            tokens = tokens_of(r, int(a[o + lay.G_TOKENS]), int(a[o + lay.G_N_TOKENS]), store.words)
            mark = np.uint64((g * 0x2545F491 + number * 0x9E3779B1 + 2) & 0x7FFFFFFFFFFFFFFE)
            signature[tokens] = (signature[tokens] * MIX + mark) & np.uint64(0x7FFFFFFFFFFFFFFE)
            if spelling and (register & HASH_MASK or int(a[o + lay.G_KEY])):
                alone[tokens] = True
        if not spelling and keys and not compares_values(a, keys):
            opened = a[lay.PP + int(a[e + lay.E_OPENS]) : lay.PP + int(a[e + lay.E_OPENS]) + int(a[e + lay.E_N_OPENS])]
            alone[_spelled(a, keys, {0: text} if text else {}, (opened & NODE_MASK).tolist())] = True
        if not int(a[e + lay.E_N_POPS]) or frame == lay.FRAME_UNKNOWN:
            continue
        number = number * 257 + 1
        first = lay.PP + int(a[e + lay.E_CLASSES])
        for cls in range(int(a[e + lay.E_N_CLASSES])):
            one = first + lay.CLASS_WIDTH * cls
            if int(a[one]) < 0:
                below = _below(store, scope, node, frame, register)
            else:
                below = _behind_exit(store, scope, node, cls, room, frame, register)
            paths += [(x, lay.UNBOUNDED, under, keyed, number + j) for j, (x, under, keyed) in enumerate(below)]
            number += len(below)


def _below(store: Store, scope: int, node: int, frame: int, register: int) -> list[tuple[int, int, int]]:
    """The children of an effect node on a real frame, with the frame and the register that each goes on with."""
    a, r = store.arena
    e = lay.EF + node * lay.EF_WIDTH
    if frame == lay.FRAME_EMPTY:
        if int(a[e + lay.E_SYMBOL]) == lay.SYMBOL_EMPTY and int(a[e + lay.E_PARENT]) >= 0:
            return []
        return [(_checked(a, int(child(a, r, node, lay.SYMBOL_EMPTY))), frame, 0)]
    length = (int(a[lay.HP + frame]) & 0xFFFFFFFF) - lay.HEADER
    links = a[lay.HP + frame + lay.HEADER : lay.HP + frame + lay.HEADER + length].reshape(-1, lay.LINK).tolist()
    found = []
    for symbol, _, _, saved, parent in links:
        keyed = register
        if symbol < 0 or not symbol & 1:
            keyed = int(returned_register(a, scope, saved, register))
            check(a)
        under = lay.FRAME_EMPTY if symbol == lay.SYMBOL_EMPTY else parent
        found.append((_checked(a, int(child(a, r, node, symbol))), under, keyed))
    return found


def _behind_exit(
    store: Store, scope: int, node: int, cls: int, room: int, frame: int, register: int
) -> list[tuple[int, int, int]]:
    """The same for a class of pop points at which a scanner's state is left."""
    a, r = store.arena
    one = lay.PP + int(a[lay.EF + node * lay.EF_WIDTH + lay.E_CLASSES]) + lay.CLASS_WIDTH * cls
    n = int(run_class(a, scope, one, room, frame, 0, register, LANDED))
    check(a)
    landed = a[LANDED : LANDED + n * LANDED_WIDTH].reshape(-1, LANDED_WIDTH).tolist()
    return [
        (_checked(a, int(exit_child(a, r, node, cls, q, int(lexer_on(a, under, 0))))), under, keyed)
        for q, _, _, keyed, under, _ in landed
    ]


def _spelled(a: npt.NDArray[np.int64], keys: int, open_at: dict[int, int], opened: list[int]) -> list[int]:
    """The tokens that spell the beginning of a key seen, from the trie nodes at which a key is open (node -> text) or opened."""
    starts = [*open_at.items(), *((node, ROOT_TEXT) for node in opened)]
    tokens: list[int] = []
    next_same = lay.TR + int(a[lay.H_TRIE])
    while keys:
        text = int(a[lay.HP + keys + lay.HEADER + 1])
        keys = int(a[lay.HP + keys + lay.HEADER])
        rest: dict[int, list[int]] = {}  # an ancestor of the text -> the bytes after it, last first
        letters: list[int] = []
        while True:
            rest[text] = list(letters)
            if text <= ROOT_TEXT:
                break
            letters.append(int(a[lay.HP + text + lay.HEADER + 1]))
            text = int(a[lay.HP + text + lay.HEADER])
        for node, begun in starts:
            for letter in reversed(rest.get(begun, [])):
                node = _child_node(a, node, letter)
                if node < 0:
                    break
                token = (int(a[lay.TR + node]) >> lay.T_TOKEN_SHIFT) - 1
                while token >= 0:
                    tokens.append(token)
                    token = int(a[next_same + token])
    return tokens


def _child_node(a: npt.NDArray[np.int64], node: int, letter: int) -> int:
    """The trie node below one under a byte, or -1."""
    child_at = node + 1
    end = (int(a[lay.TR + node]) >> lay.T_END_SHIFT) & lay.T_END_MASK
    while child_at < end:
        word = int(a[lay.TR + child_at])
        if word & 255 == letter:
            return child_at
        child_at = (word >> lay.T_END_SHIFT) & lay.T_END_MASK
    return -1


def _checked(a: npt.NDArray[np.int64], node: int) -> int:
    if node < 0:
        check(a)
    return node
