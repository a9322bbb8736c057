"""``finish_bound`` and budgets: how many tokens are enough, and which tokens keep a budget.

The bound of a state is the least of these costs.  Each is the length of some completion whose every step lowers the same cost, so each is a
potential, and so is their minimum.

*Tokens.*  The exact least number of tokens among the completions that close no further extra key; see ``tokens``.  Without extra keys that
is every completion, up to three cuts: local states that reach more than ``MOST_STATES`` others, counts that need more than ``MOST_NEED`` items,
and completions that waste room.

*A closed key, then tokens.*  Where an extra key is open: the length of the shortest text of a fixed family that closes it, read byte by byte
in single-byte tokens, plus the first cost after it.  The family contains the rests of its texts, hence a potential.

*Bytes.*  The least number of bytes that complete the text, in single-byte tokens, see ``single_bytes``: for whatever still needs extra keys.

*A search.*  Where none of them is found: it hangs on the keys and values seen what may follow, or items must still come that differ from others.
The least number of single-byte tokens to a state that has one of the costs above, and that cost (after a few hundred states what is not
above the cost of the state before, which may have needed no search, is good enough); in vocabularies that lack single bytes, of
tokens of any kind.  What a completion costs whose keys and items need not differ leads the search.

What a search finds is no least number, and hangs on the bounds that were found before.  So it is handed on: a state that differs from one on
the way in spellings alone takes the same way (``_follow``), if it can, and has the same bound.  Where it cannot, as where the way closes a key
that this one has seen, its bound is its own.
"""

from __future__ import annotations

import heapq
import weakref
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ...grammar.errors import LimitExceeded
from .. import layout as lay
from ..advance import advance, advance_bytes
from ..classes import token_classes
from ..heap import state_offset
from ..registers import is_nested, is_value, keys_of, outer_of, text_of
from ..repeats import compares_values, in_question, may_repeat
from .keys import UNREACHABLE
from .packed import PackedBounds
from .parser import ParserBounds
from .single_bytes import FILLER, ITEM, QUOTE, ByteBounds
from .tokens import TokenBounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..store import Store

__all__ = ["UNREACHABLE", "Bounds"]

TO_A_CHARACTER: Final = (b"", QUOTE, b"\x90", b"\x90\x90", b"\x90\x90\x90")
"""What completes an escape or most characters begun inside a key; with each text its rests."""
ENOUGH_SEARCHED: Final = 256  # then a completion is taken that costs no more than was promised: the least may lie behind all spellings of a key
MOST_SEARCHED: Final = 20_000
MOST_TRIED: Final = 500  # states of a search over tokens of all kinds
MOST_SYMBOLS: Final = 2048  # symbols that a search tries beside single-byte tokens
MOST_APART: Final = 1024  # tokens of a class that are asked one by one for bounds that searches found
MOST_WAYS: Final = 1 << 16
SEARCHED: Final = -2
"""``SEARCHED - bound`` is what a state's record holds of a bound that a search found; -1 is none, and all others are themselves."""
MORE_FILLERS: Final = 4  # beside one for each key seen: the digits of an escape


class Bounds:
    """Least costs over the machine of one store.  Grows with the states that are asked for; call under the store's lock."""

    def __init__(self, store: Store) -> None:
        """Know nothing yet."""
        self._store: Store = weakref.proxy(store)  # which owns this: a cycle would keep its memory until a collection
        self._a = store.arena.a
        packed = self._packed = PackedBounds(store)
        parsed = self._parsed = ParserBounds(store, store.single)
        spelled = self._spelled_parsed = ParserBounds(store, store.spelled, roughly=True)
        self._tokens = TokenBounds(store, packed, parsed)
        self._bytes = ByteBounds(store, store.single, packed, parsed)
        self._free_tokens = TokenBounds(store, packed, parsed, freely=True)
        self._free_bytes = ByteBounds(store, store.single, packed, parsed, freely=True)
        self._spelled_bytes = ByteBounds(store, store.spelled, packed, spelled, freely=True)
        self._after: dict[tuple[int, ...], int | None] = {}
        self._ways: dict[tuple[int, ...], tuple[int, ...]] = {}  # of a kind of states -> the tokens that a search found
        single = self._a[lay.RC : lay.RC + 256][store.single]
        self._singles: list[int] = ((self._a[lay.TR + single] >> lay.T_TOKEN_SHIFT) - 1).tolist()
        if store.symbols is not None:
            twins = () if store.twins is None else store.twins.of.values()
            self._singles += [*sorted(store.symbols.own), *twins][:MOST_SYMBOLS]

    def of(self, state: int) -> int:
        """The bound of a state: 0 iff accepting, ``UNREACHABLE`` if nothing completes it.

        Raises:
            StaleState: the state belongs to a closed scope.

        """
        if state == 0:
            return UNREACHABLE
        a = self._a
        p = lay.HP + self._record(state)
        if int(a[p + lay.STATE_BITS]) & lay.ACCEPTING_BIT:
            return 0
        known = self._known(p)
        if known is not None:
            return known
        alone = self._packed.alone(state)
        if alone is not None:
            cost = self._packed.tokens(alone)
            return UNREACHABLE if cost is None else cost
        best = self._without_search(self._entries(state), state)
        if best < ITEM:
            a[p + lay.STATE_BOUND] = best
            return best
        self._after.clear()  # it names frames, which live as long as their scope
        followed = self._follow(state)
        if followed is not None:
            return followed
        best = self._search(state)
        if best >= UNREACHABLE and not self._store.byte_complete:
            best = self._search_tokens(state)
        a[p + lay.STATE_BOUND] = SEARCHED - best
        return best

    def _known(self, p: int) -> int | None:
        """The bound in a state's record, if there is one."""
        bound = int(self._a[p + lay.STATE_BOUND])
        return None if bound == -1 else max(bound, SEARCHED - bound)

    def _without_search(self, entries: list[list[int]], state: int) -> int:
        """The least of the costs that need no search; ``ITEM`` or more where there is none."""
        if self._store.parsers and any(map(self._is_parsed, entries)):
            others = [e for e in entries if not self._is_parsed(e)]
            parsed = self._parsed.of(entries, lambda below: self._bytes.of([below]))
            return min(parsed, self._without_search(others, state) if others else UNREACHABLE)
        calm = [e for e in entries if not e[3] or not may_repeat(self._a, e[3])]
        clear = self._clear(calm)
        return self._in_tokens(calm, clear, state, self._bytes.of(clear) if clear else UNREACHABLE)

    def _in_tokens(self, calm: list[list[int]], clear: list[list[int]], state: int, enough: int) -> int:
        """The least number of whole tokens, or ``enough`` if it is not less."""
        best = self._least(calm, enough)
        if any(self._spells_key(register) for _, _, _, register, _ in clear):
            best = self._after_key(state, clear, best)
        return best

    def within(self, state: int, budget: int) -> bool:
        """Whether the bound of a state is at most a budget; bytes are counted first, which mostly settles it without a token's effects.

        Raises:
            StaleState: the state belongs to a closed scope.

        """
        if state == 0:
            return False
        p = lay.HP + self._record(state)
        if int(self._a[p + lay.STATE_BITS]) & lay.ACCEPTING_BIT:
            return budget >= 0
        known = self._known(p)
        if known is not None:
            return known <= budget
        if self._packed.alone(state) is not None:
            return self.of(state) <= budget
        entries = self._entries(state)
        if self._store.parsers and any(map(self._is_parsed, entries)):
            return self.of(state) <= budget
        clear = self._clear(entries)
        cost = self._bytes.of(clear) if clear else UNREACHABLE
        if cost <= budget:
            return True
        if cost >= ITEM or any(e[3] and may_repeat(self._a, e[3]) for e in entries):  # a search may be needed
            return self.of(state) <= budget
        return self._in_tokens(entries, clear, state, budget + 1) <= budget

    def is_exact(self, start: int) -> bool:
        """Whether bounds are minima, but for the cuts of counters: few local states and no extra key can be read from this one on."""
        reached = self._tokens.reach.states(start)
        if any(
            self._packed.is_packed(q) for q in reached[1:]
        ):  # tokens that run over the end of a packed automaton are left out
            return False
        return self._tokens.reach.is_small(start) and not any(
            reads_keys for _, reads_keys in map(self._tokens.reach.edges, reached)
        )

    def limit(self, state: int, row: npt.NDArray[np.uint32], budget: int) -> None:
        """Clear from a state's row every token after which more than ``budget - 1`` tokens may be needed."""
        a = self._a
        if budget <= 0 or not self.within(state, budget):
            ends = a[lay.EO : lay.EO + int(a[lay.H_EOS])]
            kept = [(int(t) >> 5, int(t) & 31) for t in ends if int(row[int(t) >> 5]) >> (int(t) & 31) & 1]
            row[:] = 0
            if budget >= 0:
                for word, bit in kept:
                    row[word] |= np.uint32(1 << bit)
            return
        alone = self._packed.alone(state)
        if alone is not None:
            self._packed.limit(alone, row, budget - 1)
            return
        classes = token_classes(self._store, state, spelling=False)
        over_class = np.zeros(len(classes.representative), np.bool_)
        size = np.bincount(classes.class_of)
        apart: list[int] = []
        fits: dict[int, bool] = {}
        with self._parsed.steady():
            for k, token in enumerate(classes.representative.tolist()):
                after = self._next(state, token)
                if after not in fits:
                    fits[after] = self.within(after, budget - 1)
                over_class[k] = not fits[after]
                if not self._store.byte_complete and 1 < size[k] <= MOST_APART and self._is_searched(after):
                    apart.append(k)
        over = over_class[classes.class_of]
        for i in np.flatnonzero(np.isin(classes.class_of, apart)).tolist():
            over[i] = not self.within(self._next(state, int(classes.tokens[i])), budget - 1)
        if over.any():
            ends = a[lay.EO : lay.EO + int(a[lay.H_EOS]) + int(a[lay.H_PAD])]
            tokens = np.setdiff1d(classes.tokens[over], ends)
            np.bitwise_and.at(row, tokens >> 5, ~(np.uint32(1) << (tokens & 31).astype(np.uint32)))

    def _clear(self, entries: list[list[int]]) -> list[list[int]]:
        """The entries that no value seen stands in the way of: as they are finished, so they may be."""
        return [e for e in entries if not e[3] or not in_question(self._a, e[3])]

    def _is_parsed(self, entry: list[int]) -> bool:
        """Whether an entry is in a scanner's state."""
        return int(self._a[lay.LS + entry[0] * lay.LS_WIDTH + lay.L_REACH]) >= 0

    def _spells_key(self, register: int) -> bool:
        """Whether a key is open of which the register knows the spelling alone."""
        text = int(text_of(self._a, register))
        return text != 0 and not is_value(self._a, text)

    def _search(self, state: int) -> int:
        """The least number of single-byte tokens to a state with a cost of its own, and that cost.

        A state that needs no search has counted, for an open key or item, one token more for each that was seen.  So much may be found
        above what leads the search, and some token still lowers the cost of that state.  Among ``MOST_SEARCHED`` states the least that was found is taken.

        Raises:
            LimitExceeded: nothing was found among them.

        """
        entries = self._entries(state)
        found = self._best_first(
            state,
            lambda _: self._singles,
            lambda s: self._free_bytes.of(self._entries(s)),
            MOST_SEARCHED,
            spare=min(self._bytes.n_keys(register) if register else 0 for _, _, _, register, _ in entries),
        )
        if found is None:
            raise LimitExceeded(
                "no completion was found whose items differ", limit="searched states", value=MOST_SEARCHED
            )
        return found

    def _search_tokens(self, state: int) -> int:
        """The same over tokens of all kinds; what is not found among ``MOST_TRIED`` states counts as dead.

        In large grammars the bytes that are left lead it, as if each byte that occurs in a token were one.  What is found then is not the least
        number; it is a potential all the same, since each state on the way is given what is left of it.
        """

        def following(here: int) -> list[int]:
            tokens: list[int] = token_classes(self._store, here, spelling=False).representative.tolist()
            return tokens

        def tokens_left(here: int) -> int:
            return min(self._free_tokens.of(q, need, room, frame) for q, need, room, _, frame in self._entries(here))

        def bytes_left(here: int) -> int:
            entries = self._entries(here)
            parsed = self._spelled_parsed.of(entries, lambda below: self._spelled_bytes.of([below]))
            return min(parsed, self._spelled_bytes.of([e for e in entries if not self._is_parsed(e)]))

        known = not any(map(self._is_parsed, self._entries(state))) and all(
            self._free_tokens.is_known(q, frame) for q, _, _, _, frame in self._entries(state)
        )
        found = self._best_first(state, following, tokens_left if known else bytes_left, MOST_TRIED)
        return UNREACHABLE if found is None else found

    def _best_first(
        self,
        state: int,
        following: Callable[[int], list[int]],
        at_least: Callable[[int], int],
        most: int,
        *,
        spare: int | None = None,
    ) -> int | None:
        """The least number of tokens to a state with a bound, and that bound (A*); None if that takes more than ``most`` states.

        ``following`` gives the tokens to try in a state, ``at_least`` what leads the search.  With ``spare``, the least that was found so far is
        taken after ``ENOUGH_SEARCHED`` states if it is at most so much above what led the search at first, and after ``most`` states in any case.
        """
        cost = {state: 0}
        before: dict[int, tuple[int, int]] = {}
        heap = [(at_least(state), 0, state)]
        closed: set[int] = set()
        found = UNREACHABLE, 0, 0
        enough = heap[0][0] + spare if spare is not None else -1
        while heap and heap[0][0] < UNREACHABLE:
            if len(closed) >= ENOUGH_SEARCHED and found[0] <= enough:
                heap = [found]
            elif len(closed) == most and spare is not None and found[0] < UNREACHABLE:
                heap = [found]
            estimate, _, here = heapq.heappop(heap)
            if here < 0:
                here = ~here
                way = self._ways.get(self._kind(here), ())
                left = estimate - cost[here]
                while here in before:  # each state on the way is given what is left of it
                    here, token = before[here]
                    way = (token, *way)
                    left += 1
                    self._keep(here, left, way)
                return left
            if here in closed:
                continue
            closed.add(here)
            if len(closed) > most:
                return None
            for token in following(here):
                after = self._next(here, token)
                if after == 0 or cost[here] + 1 >= cost.get(after, UNREACHABLE):
                    continue
                cost[after], before[after] = cost[here] + 1, (here, token)
                rest = self._settled(after)
                entry = ~after
                if rest is None:
                    rest, entry = at_least(after), after
                if rest < UNREACHABLE:
                    way_on = cost[after] + rest, -cost[after], entry
                    heapq.heappush(heap, way_on)
                    if entry < 0:
                        found = min(found, way_on)
        return UNREACHABLE

    def _keep(self, state: int, bound: int, way: tuple[int, ...]) -> None:
        """Remember a bound that was found, and the tokens that lead there for states of the same kind."""
        self._a[lay.HP + self._record(state) + lay.STATE_BOUND] = SEARCHED - bound
        kind = self._kind(state)
        if kind not in self._ways or len(way) < len(self._ways[kind]):
            if len(self._ways) >= MOST_WAYS:
                self._ways.clear()
            self._ways[kind] = way

    def _follow(self, state: int) -> int | None:
        """The bound of a state on the way that was found for its kind, which is kept; None if there is none, or it cannot be taken."""
        path: list[int] = []
        here = state
        for token in self._ways.get(self._kind(state), ()):
            path.append(here)
            here = self._next(here, token)
            bound = self._settled(here, follow=False) if here else UNREACHABLE
            if bound is None:
                continue
            if bound >= UNREACHABLE:
                return None
            for place in reversed(path):
                bound += 1
                self._a[lay.HP + self._record(place) + lay.STATE_BOUND] = SEARCHED - bound
            return bound
        return None

    def _kind(self, state: int) -> tuple[int, ...]:
        """What states have in common that differ in spellings alone; no more than a hint, since each of them tries the way for itself."""
        found: list[int] = []
        for q, need, room, register, frame in self._entries(state):
            found += (q, need, room, self._tokens.frame_number(frame))
            while register:
                found += (self._bytes.n_keys(register), int(text_of(self._a, register)) != 0)
                register = int(outer_of(self._a, register)) if is_nested(register) else 0
            found.append(-1)
        return tuple(found)

    def _is_searched(self, state: int) -> bool:
        """Whether the bound of a state was asked for and found by a search, or by none."""
        return state != 0 and int(self._a[lay.HP + self._record(state) + lay.STATE_BOUND]) <= SEARCHED

    def _settled(self, state: int, *, follow: bool = True) -> int | None:
        """The cost of a state at which a search may end, else None."""
        p = lay.HP + self._record(state)
        if int(self._a[p + lay.STATE_BITS]) & lay.ACCEPTING_BIT:
            return 0
        known = self._known(p)
        if known is not None:
            return known
        entries = self._entries(state)
        alike = self._alike(entries) if len(self._clear(entries)) == len(entries) else None
        if alike is None or alike not in self._after:
            own = self._without_search(entries, state)
            bound = own if own < ITEM else None
            if alike is not None:
                self._after[alike] = bound
        else:
            bound = self._after[alike]
        return self._follow(state) if bound is None and follow else bound

    def _alike(self, clear: list[list[int]]) -> tuple[int, ...] | None:
        """What the bound of a state hangs on where no value seen stands in the way: all but what was read; None where spellings count."""
        found: list[int] = []
        for q, need, room, register, frame in clear:
            found += (q, need, room, frame)
            while register:
                if self._spells_key(register) or (
                    (keys := int(keys_of(self._a, register))) and not compares_values(self._a, keys)
                ):
                    return None
                found.append(self._bytes.n_keys(register))
                register = int(outer_of(self._a, register)) if is_nested(register) else 0
        return tuple(found)

    def _record(self, state: int) -> int:
        at = int(state_offset(self._a, state))
        if at < 0:
            self._store.failed(-2)
        return at

    def _entries(self, state: int) -> list[list[int]]:
        a = self._a
        p = lay.HP + self._record(state)
        words = (int(a[p]) & 0xFFFFFFFF) - lay.STATE_ENTRIES
        entries: list[list[int]] = (
            a[p + lay.STATE_ENTRIES : p + lay.STATE_ENTRIES + words].reshape(-1, lay.ENTRY).tolist()
        )
        return entries

    def _least(self, entries: list[list[int]], enough: int) -> int:
        """The least number of tokens from one of some entries, or ``enough`` if it is not less."""
        for q, need, room, _, frame in entries:
            enough = self._tokens.of(q, need, room, frame, enough)
        return enough

    def _after_key(self, state: int, entries: list[list[int]], best: int) -> int:
        """The least cost of a text of the family that closes the open key, and of the tokens after it, or ``best`` if it is not less."""
        single = self._store.single
        if not (single[FILLER[0]] and single[QUOTE[0]]):
            return best
        most = MORE_FILLERS + max(self._bytes.n_keys(register) for _, _, _, register, _ in entries)
        for begun in TO_A_CHARACTER:
            here = self._read(state, begun) if all(single[b] for b in begun) else 0
            for length in range(len(begun) + 1, len(begun) + most + 2):
                if here == 0 or length >= best:
                    break
                closed = self._read(here, QUOTE)
                if closed:
                    best = length + self._least(self._entries(closed), best - length)
                here = self._read(here, FILLER)
        return best

    def _next(self, state: int, token: int) -> int:
        after = int(advance(self._a, state, token))
        if after < 0:
            self._store.failed(after)
        return after

    def _read(self, state: int, data: bytes) -> int:
        after = int(advance_bytes(self._a, state, np.frombuffer(data, np.uint8)))
        if after < 0:
            self._store.failed(after)
        return after
