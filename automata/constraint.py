"""A compiled constraint: the public face of the token automaton.  States are integers; see ``layout`` for what they stand for."""

from __future__ import annotations

import weakref
from bisect import bisect_right
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from ..grammar.errors import InvalidSource, LimitExceeded, StaleState, Unsatisfiable
from . import layout as lay
from .advance import advance, advance_bytes, only_byte, start_state
from .arena import FULL, check
from .explain import Explanation, explain
from .heap import close_scope, state_offset
from .machine import DEFAULT_MAX_DFA_STATES, load_grammar
from .masks import mask
from .packed import place_of
from .symbols import FIRST_DIGIT, MARK, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from ..grammar.ir import Grammar
    from ..grammar.report import Report
    from .store import Store
    from .vocabulary import Vocabulary

DRAFT_TAIL = 8  # tokens of context that a draft is re-encoded with; merges rarely reach further

DEFAULT_SCOPE_CAP = 1 << 30
"""Bytes of states that a scope may hold before ``LimitExceeded``."""

LIVE_ROWS = 256
"""Rows that a scope remembers where the vocabulary lacks single bytes; 4 MB at 128,000 tokens."""


def _release(store: Store, scope: int) -> None:
    with store.lock:
        close_scope(store.arena.a, scope)


class _States:
    """What a constraint and a session of it have in common: pure functions from states to states, rows and facts."""

    __slots__ = ("_a", "_live", "_lock", "_r", "_words", "start", "store", "vocab")

    start: int
    store: Store
    vocab: Vocabulary

    @property
    def constraint(self) -> Constraint:
        """The constraint that the states are of."""
        raise NotImplementedError

    def _bind(self, store: Store, vocab: Vocabulary) -> None:
        self.store = store
        self.vocab = vocab
        self._a, self._r = store.arena
        self._lock = store.lock
        self._words = vocab.words
        self._live: dict[int, npt.NDArray[np.uint32]] = {}

    def _begin(self, scope: int, rule_start: int) -> int:
        with self._lock:
            state = int(start_state(self._a, scope, rule_start))
            check(self._a)
            if state and not self.store.byte_complete and self.constraint.bound_of(state) >= lay.UNBOUNDED:
                state = 0
        return state

    def advance(self, state: int, token: int) -> int:
        """The state after a token; 0 (dead) if the token is not allowed.  Pure: ``state`` stays usable.

        Raises:
            StaleState: the state belongs to a closed scope.
            LimitExceeded: the scope's memory is used up, or an ambiguous constraint has too many runs.

        """
        with self._lock:
            if self.store.twins is None:
                result: int = advance(self._a, state, token)
            else:
                result = self.store.advance(state, token)
            if result < 0:
                self.store.failed(result)
            if result and not self.store.byte_complete and self.constraint.bound_of(result) >= lay.UNBOUNDED:
                return 0
        return result

    def advance_tokens(self, state: int, tokens: Iterable[int]) -> int:
        """The state after a run of tokens; 0 as soon as one is not allowed."""
        for token in tokens:
            state = self.advance(state, token)
            if state == 0:
                break
        return state

    def advance_bytes(self, state: int, data: bytes) -> int:
        """The state after some bytes of text; 0 as soon as one is not allowed.  Text never passes a token terminal."""
        buffer = np.frombuffer(bytes(data), np.uint8)
        if self.store.symbols is not None and len(buffer) and buffer.max() >= FIRST_DIGIT:
            return 0
        with self._lock:
            result = int(advance_bytes(self._a, state, buffer))
            if result < 0:
                self.store.failed(result)
            if result and not self.store.byte_complete and self.constraint.bound_of(result) >= lay.UNBOUNDED:
                return 0
        return result

    def mask(
        self, state: int, out: npt.NDArray[np.uint32] | None = None, budget: int | None = None
    ) -> npt.NDArray[np.uint32]:
        """The packed row of allowed tokens: token t is bit ``t & 31`` of word ``t >> 5``.

        End-of-sequence bits are set iff the state is accepting.

        Args:
            state: a state of a living scope.
            out: uint32[words], contiguous; a new array if not given.
            budget: with a budget of n tokens, only tokens after which ``finish_bound`` is at most n - 1;
                end-of-sequence is not counted.

        Raises:
            StaleState: the state belongs to a closed scope.
            InvalidSource: ``out`` has another shape or type.

        """
        if out is None:
            out = np.empty(self._words, np.uint32)
        elif len(out) != self._words or out.dtype != np.uint32:
            raise InvalidSource(f"out must be a uint32 array of {self._words} words")
        twins = self.store.twins
        row = out if twins is None else np.empty(self.store.words, np.uint32)
        with self._lock:
            result: int = mask(self._a, self._r, state, row)
            if result < 0:
                self.store.failed(result)
            if budget is not None:
                self.constraint.limit_to_budget(state, row, budget)
            elif not self.store.byte_complete:
                self._keep_live(state, row)
        if twins is not None:
            twins.fold(row, out)
        return out

    def _keep_live(self, state: int, row: npt.NDArray[np.uint32]) -> None:
        """Clear from a row the tokens behind which the vocabulary can spell no end; particles and beams ask for one row many times."""
        known = self._live.get(state)
        if known is not None:
            row[:] = known
            return
        self.constraint.limit_to_budget(state, row, lay.UNBOUNDED)
        if len(self._live) == LIVE_ROWS:
            self._live.clear()
        self._live[state] = row.copy()

    def masks(
        self, states: Sequence[int] | npt.NDArray[np.int64], out: npt.NDArray[np.uint32] | None = None
    ) -> npt.NDArray[np.uint32]:
        """Rows uint32[n, words] of n states."""
        return self.store.masks(states, out)

    def _bits(self, state: int) -> int:
        if state == 0:
            return 0
        at = int(state_offset(self._a, state))
        if at < 0:
            raise StaleState("the state belongs to a scope that was closed", hint="use states of a living session")
        return int(self._a[lay.HP + at + lay.STATE_BITS])

    def is_accepting(self, state: int) -> bool:
        """Whether the text so far is a whole member of the language."""
        return bool(self._bits(state) & lay.ACCEPTING_BIT)

    def is_final(self, state: int) -> bool:
        """Whether nothing but end-of-sequence may follow."""
        bits = self._bits(state)
        if not bits & lay.ACCEPTING_BIT:
            return False
        if bits & lay.FINAL_BIT:
            return True
        row = self.mask(state)
        for token in self.vocab.eos_ids:
            row[token >> 5] &= np.uint32(~(1 << (token & 31)) & 0xFFFFFFFF)
        return not row.any()

    def finish_bound(self, state: int) -> int:
        """A number of tokens that is enough to reach acceptance; see ``bounds``.  End-of-sequence is not counted."""
        return self.constraint.bound_of(state)

    def fits(self, state: int, budget: int) -> bool:
        """Whether ``finish_bound(state) <= budget``; cheaper, as a rougher bound is often enough to tell."""
        return self.constraint.fits_of(state, budget)

    def forced_token(self, state: int) -> int | None:
        """The one allowed token, end-of-sequence included, or None if there are more or none."""
        row = self.mask(state)
        words = np.flatnonzero(row)
        if len(words) != 1:
            return None
        word = int(row[words[0]])
        if word & (word - 1):
            return None
        return int(words[0]) * 32 + word.bit_length() - 1

    def forced_bytes(self, state: int, limit: int = 4096) -> bytes:
        """The text that must come next whatever the model says, at most ``limit`` bytes; possibly empty."""
        forced = bytearray()
        with self._lock:
            while len(forced) < limit:
                byte = int(only_byte(self._a, state))
                if byte == -2:
                    self.store.failed(byte)
                check(self._a)
                if byte < 0 or (byte == MARK and self.store.symbols is not None):
                    break
                forced.append(byte)
                state = int(advance_bytes(self._a, state, np.frombuffer(bytes((byte,)), np.uint8)))
                if state < 0:
                    self.store.failed(state)
        return bytes(forced)

    def draft_forced(self, state: int, tail_ids: Sequence[int]) -> list[int]:
        """The forced text in the tokenizer's own tokens after ``tail_ids``: drafts, not certainties.

        The last token is held back, because what comes after the forced text may merge with it.  Empty without a tokenizer, and
        where the tokenizer would have cut the tail differently.
        """
        forced = self.forced_bytes(state)
        if not forced or self.vocab.tokenizer is None:
            return []
        tail: list[int] = []
        for token in reversed(tail_ids[-DRAFT_TAIL:]):
            if self.vocab.tokens[token] is None:
                break
            tail.insert(0, token)
        known = b"".join(self.vocab.tokens[token] or b"" for token in tail)
        try:
            ids = self.vocab.encode((known + forced).decode())
        except UnicodeDecodeError:
            return []
        if ids[: len(tail)] != tail:
            return []
        drafts = ids[len(tail) : -1]
        return drafts if self.advance_tokens(state, drafts) else []

    def explain(self, state: int, token: int, text: str | None = None) -> Explanation:
        """Why a token is or is not allowed, in terms of the user's own schema or grammar.

        Args:
            state: a state of a living scope.
            token: the token in question.
            text: the text so far, to be quoted in the explanation.

        """
        return explain(self, state, token, text)

    def accepts(self, text: str | bytes | Iterable[int]) -> bool:
        """Whether a whole text (or token sequence, with or without end-of-sequence) is a member."""
        with self.constraint.session() as session:
            if isinstance(text, str):
                text = text.encode()
            if isinstance(text, bytes):
                state = session.advance_bytes(session.start, text)
            else:
                state = session.advance_tokens(session.start, text)
            return session.is_accepting(state)


class Constraint(_States):
    """A language over a vocabulary, ready to steer a decoder.

    Attributes:
        vocab: the vocabulary.
        start: the first state, in the constraint's own scope.
        report: what became of every keyword of the source, where the source is a schema.
        named_tokens: the tokens that the source names, or may read as themselves because it names others.

    """

    __slots__ = ("__weakref__", "_finalizer", "_origins", "named_tokens", "report", "rule_start", "scope", "scope_cap")

    def __init__(self, vocab: Vocabulary, store: Store, rule_start: int, report: Report | None, scope_cap: int) -> None:
        """Use ``from_grammar`` or ``syntagma.compile``."""
        self._bind(store, vocab)
        self.report = report
        if report is not None:
            report.ask_for_minimum(lambda: store.bounds.is_exact(rule_start))
        self.scope_cap = scope_cap
        self.rule_start = rule_start
        self._origins: list[tuple[int, str | None]] = []
        self.named_tokens: frozenset[int] = frozenset()
        self.scope = self.store.open_scope(scope_cap)
        self._finalizer = weakref.finalize(self, _release, self.store, self.scope)
        self.start = self._begin(self.scope, rule_start)
        p = lay.LS + rule_start * lay.LS_WIDTH
        accepts = self._a[p + lay.L_FLAGS] & (lay.FLAG_ACCEPT | lay.FLAG_ACCEPT_NO_NEED)
        cut = not (self._a[p + lay.L_N_RANGES] or self._a[p + lay.L_N_CALLS] or accepts)
        if self.start == 0 or cut:
            raise Unsatisfiable(
                "no sequence of the vocabulary's tokens spells a member of the language",
                hint="the vocabulary lacks bytes that every member needs",
            )

    @property
    def constraint(self) -> Constraint:
        """Itself: no attribute, which would be a cycle that keeps the store until a collection."""
        return self

    @classmethod
    def from_grammar(
        cls,
        grammar: Grammar,
        vocab: Vocabulary,
        *,
        report: Report | None = None,
        scope_cap: int = DEFAULT_SCOPE_CAP,
        max_dfa_states: int = DEFAULT_MAX_DFA_STATES,
        deadline: float | None = None,
    ) -> Self:
        """Load a grammar into the vocabulary's store.

        Args:
            grammar: rules without left recursion and not nullable; see ``grammar.leftcorner``.
            vocab: the vocabulary.
            report: the coverage report that goes with the grammar.
            scope_cap: bytes that the states of the constraint's own scope, and of each session, may use.
            max_dfa_states: the most states that one rule may have.
            deadline: seconds that loading may take.

        Raises:
            LimitExceeded: a stated limit was hit.
            InvalidSource: the grammar is left-recursive, or names a token that the vocabulary lacks.
            Unsupported: it has token terminals, and reads bytes that no UTF-8 text has.

        """
        grammar, symbols, named = resolve(grammar, vocab)
        store = vocab.stores.for_rules(symbols)
        try:
            rule_start, start_of = load_grammar(store, grammar, max_dfa_states=max_dfa_states, deadline=deadline)
        except LimitExceeded as error:
            if error.limit != FULL or not store.rules:
                raise
            store = vocab.stores.for_rules(symbols, but_not=store)
            rule_start, start_of = load_grammar(store, grammar, max_dfa_states=max_dfa_states, deadline=deadline)
        constraint = cls(vocab, store, rule_start, report, scope_cap)
        constraint.named_tokens = named
        constraint._origins = [(start_of[i], rule.origin) for i, rule in enumerate(grammar.rules) if i in start_of]
        return constraint

    def origins_of(self, local_state: int) -> list[str]:
        """Places in the user's text that the rule of a local state came from; empty for text that no place owns."""
        bodies, place = self.store.bodies, local_state
        packed = int(place_of(self._a, local_state))
        if packed >= 0:  # made when somebody got there, among local states of other rules
            bodies, place = self.store.packed, packed
        at = bisect_right(bodies, (place, 1 << 62)) - 1
        start = bodies[at][1] if at >= 0 else -1
        starts = {local_state, start}
        return sorted({origin for rule, origin in self._origins if origin is not None and rule in starts})

    def bound_of(self, state: int) -> int:
        """See ``finish_bound``."""
        with self.store.lock:
            return self.store.bounds.of(state)

    def fits_of(self, state: int, budget: int) -> bool:
        """See ``fits``."""
        with self.store.lock:
            return self.store.bounds.within(state, budget)

    def limit_to_budget(self, state: int, row: npt.NDArray[np.uint32], budget: int) -> None:
        """Clear from a state's row every token after which the bound exceeds ``budget - 1``."""
        with self.store.lock:
            self.store.bounds.limit(state, row, budget)

    def session(self) -> Session:
        """A scope for states, freed when it closes: ``with constraint.session() as s: s.start``."""
        return Session(self)


class Session(_States):
    """A scope of a constraint's states.  Closing it frees them; a state of a closed session raises ``StaleState``."""

    __slots__ = ("__weakref__", "_constraint", "_finalizer", "scope")

    def __init__(self, constraint: Constraint) -> None:
        """Open a scope."""
        self._constraint = constraint
        self._bind(constraint.store, constraint.vocab)
        self.scope = self.store.open_scope(constraint.scope_cap)
        self._finalizer = weakref.finalize(self, _release, self.store, self.scope)
        self.start = self._begin(self.scope, constraint.rule_start)

    @property
    def constraint(self) -> Constraint:
        """The constraint that the session is of."""
        return self._constraint

    def close(self) -> None:
        """Free every state of the session.  Closing twice is harmless."""
        self._finalizer()

    def __enter__(self) -> Self:
        """Nothing to do: the scope is open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the session."""
        self.close()
