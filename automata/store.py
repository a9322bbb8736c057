"""The store of a vocabulary: its arena, the rules loaded into it, and one lock.

A kernel may add to any table, so calls into a store take turns under one lock; it costs 0.05 us where nobody waits.

Rules, effects and rows are never taken out of a store, since any constraint may share them.  So that a process may compile schemas
for ever, a vocabulary begins a new store when the present one holds more than its cap (or a table is nearly full); the old one lives as long as a
constraint in it does.  States carry the number of their store, and batches go to the store of each state.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ..grammar.errors import InvalidSource, LimitExceeded, StaleState
from . import layout as lay
from .advance import advance, advance_many
from .arena import check, reserve, used
from .bounds import Bounds
from .configurations import make_state
from .heap import SCOPE_PERMANENT, open_scope, state_offset
from .masks import EMPTY_LINK, mask_many
from .memo import FIRST_SLOTS
from .states import new_local_state
from .symbols import FIRST_DIGIT, MARK, Twins, spelled
from .unions import put_raw, unite

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ..grammar.parsing import Parser
    from .symbols import Symbols
    from .vocabulary import Vocabulary

NEARLY_FULL: Final = 0.75
"""A store whose fullest table is fuller takes no more rules: what is left is for the effects of those it has."""


class Stores:
    """The stores of one vocabulary, by generation; those that no constraint uses any more are gone.

    Attributes:
        newest: where new rules go, but for those with token terminals.

    """

    def __init__(self, vocab: Vocabulary, cap: int) -> None:
        """Begin the first store; later ones begin when the newest holds more than ``cap`` bytes."""
        self._vocab = weakref.ref(vocab)
        self._cap = cap
        self._lock = threading.Lock()
        self._alive: weakref.WeakValueDictionary[int, Store] = weakref.WeakValueDictionary()
        self._of_symbols: weakref.WeakValueDictionary[Symbols, Store] = weakref.WeakValueDictionary()
        self._generation = -1
        self.newest = self._begin(vocab, None)

    def _begin(self, vocab: Vocabulary, symbols: Symbols | None) -> Store:
        self._generation += 1
        store = self._alive[self._generation] = Store(vocab, self, self._generation, symbols)
        return store

    def for_rules(self, symbols: Symbols | None = None, *, but_not: Store | None = None) -> Store:
        """The store that takes new rules with these symbols, ``but_not`` one that turned out to be full."""
        with self._lock:
            newest = self.newest if symbols is None else self._of_symbols.get(symbols)
            if newest is not None and newest is not but_not:
                size, fullest = used(newest.arena.a)
                if size <= self._cap and fullest <= NEARLY_FULL:
                    return newest
            vocab = self._vocab()
            if vocab is None:  # nobody holds the vocabulary any more, so nobody can ask for much
                return self.newest if newest is None else newest
            newest = self._begin(vocab, symbols)
            if symbols is None:
                self.newest = newest
            else:
                self._of_symbols[symbols] = newest
            return newest

    def of(self, generation: int) -> Store:
        """The store of a generation.

        Raises:
            StaleState: no constraint uses it any more.

        """
        store = self._alive.get(generation)
        if store is None:
            raise StaleState("the state belongs to a store that is gone", hint="use states of a living constraint")
        return store


class Store:
    """All tables that constraints of one vocabulary share.  Thread-safe.

    Attributes:
        arena: the two arrays.
        generation: the upper bits of its states, see ``layout``.
        symbols: the tokens that are read as themselves; None: none are.
        twins: the second tokens of those that are text as well; None: there are none, and rows of the store are those of the vocabulary.
        words: the width of the store's own rows.
        rules: what is loaded: a rule's key or content -> the local state that it starts in.
        bodies: (first local state of a rule's body, the rule's start), in rising order: which rule a local state is of.
        parsers: the parsers among them, by their offset in ``PT``.
        packed: (first word in DG, the rule's start) of each packed automaton, in rising order.
        spelled: bool[256], the bytes that occur in some token; machines are trimmed to them.
        single: bool[256], the bytes that are tokens by themselves.
        byte_complete: whether each of those bytes is a token by itself; then what can be finished in bytes can be finished in
            tokens, and masks need no second look.  Also False once a parser was loaded of which some terminal is not spelled by any token:
            its stack can come to need one.
        lock: held around every kernel call that may write.

    """

    def __init__(self, vocab: Vocabulary, stores: Stores, generation: int, symbols: Symbols | None = None) -> None:
        """Reserve the arena and copy the vocabulary's trie and texts into it."""
        self.generation = generation
        self.symbols = symbols
        self.twins: Twins | None = None
        self._size = vocab.size
        self._row_words = vocab.words
        if symbols is not None:
            self.twins = Twins(vocab, symbols.both) if symbols.both else None
            vocab = spelled(vocab, symbols)
        self._stores = stores
        self.arena = reserve()
        self.rules: dict[Hashable, int] = {}
        self.bodies: list[tuple[int, int]] = []
        self.parsers: dict[int, Parser] = {}
        self.packed: list[tuple[int, int]] = []
        self.lock = threading.RLock()
        self._bounds: Bounds | None = None
        self.words = vocab.words
        a = self.arena.a
        trie = vocab.trie
        n = len(trie.byte)
        size = vocab.size
        a[lay.H_GENERATION] = generation
        a[lay.H_TRIE] = n
        a[lay.H_VOCAB] = size
        a[lay.H_WORDS] = vocab.words
        a[lay.H_R] = vocab.words  # the first row is working memory of fills
        a[lay.H_MM_SIZE] = FIRST_SLOTS
        a[lay.H_MAX_DEPTH] = max(int(trie.depth.max(initial=0)), 1)
        if n > lay.MAX_TRIE_NODES or size > lay.MAX_TOKENS or a[lay.H_MAX_DEPTH] > lay.MAX_TOKEN_BYTES:
            raise LimitExceeded(
                f"a vocabulary of {size} tokens, {n} prefixes and tokens of up to {a[lay.H_MAX_DEPTH]} bytes is too large",
                limit="tokens, prefixes, bytes of a token",
                value=lay.MAX_TOKENS,
            )
        a[lay.TR : lay.TR + n] = (
            (trie.byte & 255)
            | (trie.end << lay.T_END_SHIFT)
            | (trie.depth << lay.T_DEPTH_SHIFT)
            | ((trie.token + 1) << lay.T_TOKEN_SHIFT)
        )
        a[lay.RC : lay.RC + 256] = -1
        children = np.flatnonzero(trie.depth == 1)
        a[lay.RC + trie.byte[children]] = children
        at = lay.TR + n
        a[at : at + size] = trie.next_same
        at += size
        lengths = np.fromiter((len(t) if t is not None else 0 for t in vocab.tokens), np.int64, size)
        a[at] = 0
        np.cumsum(lengths, out=a[at + 1 : at + 1 + size])
        at += size + 1
        texts = np.frombuffer(b"".join(t for t in vocab.tokens if t is not None), np.uint8)
        if at + len(texts) > lay.TR + lay.CAP_TR:
            raise LimitExceeded(
                f"a vocabulary of {size} tokens and {len(texts)} bytes is larger than a store can hold",
                limit="bytes of all tokens",
                value=lay.CAP_TR,
            )
        a[at : at + len(texts)] = texts
        self.spelled = np.zeros(256, np.bool_)
        self.spelled[texts] = True
        self.single = np.ones(256, np.bool_)
        self.single[list(vocab.missing_bytes)] = False
        marks = range(FIRST_DIGIT, MARK + 1) if symbols is not None else ()  # spelled in whole symbols alone
        self.byte_complete = not any(self.spelled[b] for b in vocab.missing_bytes.difference(marks))
        a[lay.H_EOS] = len(vocab.eos_ids)
        a[lay.H_PAD] = len(vocab.pad_ids)
        ends = np.array(tuple(vocab.eos_ids) + tuple(vocab.pad_ids), np.int64)
        a[lay.EO : lay.EO + len(ends)] = ends
        a[EMPTY_LINK : EMPTY_LINK + lay.LINK] = (lay.SYMBOL_EMPTY, 0, lay.UNBOUNDED, 0, lay.FRAME_EMPTY)
        permanent = lay.SC + SCOPE_PERMANENT * lay.SC_WIDTH  # frames of effects live as long as the store
        a[permanent + lay.SC_ALIVE] = 1
        a[permanent + lay.SC_USED] = lay.CHUNK
        a[permanent + lay.SC_CAP] = lay.CAP_CK
        new_local_state(a)  # local state 0 is never used: it reads nothing
        done = new_local_state(a)
        a[lay.H_DONE_STATE] = done
        a[lay.LS + done * lay.LS_WIDTH + lay.L_FLAGS] = lay.FLAG_ACCEPT | lay.FLAG_END

    @property
    def bounds(self) -> Bounds:
        """Least costs to the end of a text, computed as they are asked for."""
        if self._bounds is None:
            self._bounds = Bounds(self)
        return self._bounds

    def open_scope(self, cap_bytes: int) -> int:
        """Open a scope for states that may use about ``cap_bytes`` of memory."""
        with self.lock:
            scope = int(open_scope(self.arena.a, max(2, cap_bytes // (8 * lay.CHUNK))))
            check(self.arena.a)
        return scope

    def failed(self, code: int) -> None:
        """Raise the typed error that a kernel's negative result stands for."""
        if code == -2:
            raise StaleState("the state belongs to a scope that was closed", hint="use states of a living session")
        check(self.arena.a)
        raise AssertionError(code)

    def _mixed(self, states: npt.NDArray[np.int64]) -> bool:
        """Whether some of the states are of another store."""
        return bool(((states >> lay.GENERATION_SHIFT != self.generation) & (states != 0)).any())

    def _parts(self, states: npt.NDArray[np.int64]) -> list[tuple[Store, npt.NDArray[np.int64]]]:
        """The stores of some states, each with the places of its states; the dead state is of any."""
        generations = np.where(states == 0, self.generation, states >> lay.GENERATION_SHIFT)
        return [(self._stores.of(g), np.flatnonzero(generations == g)) for g in np.unique(generations).tolist()]

    def masks(self, states: npt.ArrayLike, out: npt.NDArray[np.uint32] | None = None) -> npt.NDArray[np.uint32]:
        """Mask rows uint32[n, words] of n states, of any constraints of the vocabulary.

        Raises:
            StaleState: a state belongs to a closed scope.
            InvalidSource: ``out`` has another shape or type.

        """
        states = np.asarray(states, np.int64)
        shape = len(states), self._row_words
        if out is None:
            out = np.empty(shape, np.uint32)
        elif out.shape != shape or out.dtype != np.uint32 or not out.flags.c_contiguous:
            raise InvalidSource(f"out must be a contiguous uint32 array of shape {shape}")
        if self._mixed(states):
            for store, at in self._parts(states):
                out[at] = store.masks(states[at])
            return out
        if self.twins is None:
            self._fill(states, out)
            return out
        rows = np.empty((len(states), self.words), np.uint32)
        self._fill(states, rows)
        for row, folded in zip(rows, out, strict=True):
            self.twins.fold(row, folded)
        return out

    def _fill(self, states: npt.NDArray[np.int64], out: npt.NDArray[np.uint32]) -> None:
        """Fill the store's own rows."""
        a, r = self.arena
        with self.lock:
            code = int(mask_many(a, r, states, out))
            if code < 0:
                self.failed(code)
            if not self.byte_complete:
                for state, row in zip(states.tolist(), out, strict=True):
                    self.bounds.limit(state, row, lay.UNBOUNDED)

    def advance(self, state: int, token: int) -> int:
        """The state after a token that may be read in two ways, as itself and as text; 0 dead, or a kernel's negative result.

        Call under the lock.
        """
        a = self.arena.a
        if not 0 <= token < self._size:  # beyond are the twins
            return 0
        first = int(advance(a, state, token))
        twin = None if self.twins is None else self.twins.of.get(token)
        if twin is None or first < 0:
            return first
        second = int(advance(a, state, twin))
        if first == 0 or second <= 0:
            return first if second == 0 else second
        n = 0
        for read in (first, second):
            p = lay.HP + int(state_offset(a, read))
            words = (int(a[p]) & 0xFFFFFFFF) - lay.STATE_ENTRIES
            entries = a[p + lay.STATE_ENTRIES : p + lay.STATE_ENTRIES + words].reshape(-1, lay.ENTRY)
            for q, need, room, register, frame in entries.tolist():
                n = int(put_raw(a, n, q, need, room, register, 0, frame, 0, 0, 0, 0))
                if n < 0:
                    return n
        scope = int(a[p + 3])
        n = int(unite(a, scope, n))
        return n if n < 0 else int(make_state(a, scope, n))

    def advance_batch(
        self, states: npt.ArrayLike, tokens: npt.ArrayLike, out: npt.NDArray[np.int64] | None = None
    ) -> npt.NDArray[np.int64]:
        """The states int64[n] after one token each; 0 where it is not allowed.

        Raises:
            StaleState: a state belongs to a closed scope.
            InvalidSource: the lengths differ.

        """
        states = np.asarray(states, np.int64)
        tokens = np.asarray(tokens, np.int64)
        if out is None:
            out = np.empty(len(states), np.int64)
        if states.shape != tokens.shape or out.shape != states.shape:
            raise InvalidSource("states, tokens and out must have one shape")
        if self._mixed(states):
            for store, at in self._parts(states):
                out[at] = store.advance_batch(states[at], tokens[at])
            return out
        a = self.arena.a
        with self.lock:
            code = int(advance_many(a, states, tokens, out))
            if code < 0:
                self.failed(code)
            if self.twins is not None:
                for i in np.flatnonzero((tokens >= self._size) | np.isin(tokens, self.twins.ids)).tolist():
                    out[i] = self.advance(int(states[i]), int(tokens[i]))
                    if out[i] < 0:
                        self.failed(int(out[i]))
            if not self.byte_complete:
                for i, state in enumerate(out.tolist()):
                    if state and not self.bounds.within(state, lay.UNBOUNDED - 1):
                        out[i] = 0
        return out
