"""A language cut by several others at once: which of them a text is in, for all texts, in one automaton.

Cutting by one language after the other takes two products and two minimisations per cut and class.  Here the product of all is made
once, and its accepting states are told apart by the languages that hold in them; what is asked for is minimised once, at the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numba import njit

from .dfa import MAX_DFA_STATES, CharDfa, too_many_states
from .kernels import HASH_FACTOR, HASH_MASK, NO_TARGET, OK, TOO_MANY_STATES, TOO_MUCH_WORK, Bool, Int

_Int = npt.NDArray[np.int64]


@njit(cache=True, nogil=True)
def _product_of_all(
    begin: Int, end: Int, low: Int, high: Int, target: Int, final: Bool, starts: Int, max_states: int, max_classes: int
) -> tuple[int, Int, Int, Int, Int, Int, Bool]:
    """Tuple construction of automata in range form, for the texts of the first one that the second one has not.

    States and edges of all automata are numbered through: edges of state q are ``begin[q]..end[q]``.  Returns a status, the range form
    of the product, the class of each of its states (-1 where no such text ends), and bool[classes, k]: which of the automata accept there.
    """
    k = len(starts)
    hits = np.zeros((max_classes, k), np.bool_)
    n_classes = 0
    class_of = np.full(64, -1, np.int64)
    capacity = 64
    states = np.empty((capacity, k), np.int64)
    hashes = np.empty(capacity, np.int64)
    first = np.zeros(capacity + 1, np.int64)
    slots = np.full(256, -1, np.int64)
    edge_capacity = 256
    out_low = np.empty(edge_capacity, np.int64)
    out_high = np.empty(edge_capacity, np.int64)
    out_target = np.empty(edge_capacity, np.int64)
    place = np.empty(k, np.int64)
    x = starts.copy()
    n = 0
    m = 0
    q = -1  # the state in hand; -1 while the start is put in
    e = 0
    at = 0
    hi = 0
    while True:
        # --- the number of the tuple ``x`` ------------------------------------------------------------------------
        h = k
        for c in range(k):
            h = ((h ^ (h >> 15) ^ (x[c] + 1)) * HASH_FACTOR) & HASH_MASK
        slot = h & (len(slots) - 1)
        found = NO_TARGET
        while slots[slot] >= 0:
            r = slots[slot]
            if hashes[r] == h:
                same = True
                for c in range(k):
                    if states[r, c] != x[c]:
                        same = False
                        break
                if same:
                    found = r
                    break
            slot = (slot + 1) & (len(slots) - 1)
        if found < 0:
            if n >= max_states:
                return TOO_MANY_STATES, first[:1], out_low[:0], out_high[:0], out_target[:0], class_of[:0], hits[:0]
            if n == capacity:
                capacity *= 2
                grown_states = np.empty((capacity, k), np.int64)
                grown_states[:n] = states
                states = grown_states
                grown = np.empty(capacity, np.int64)
                grown[:n] = hashes
                hashes = grown
                grown = np.zeros(capacity + 1, np.int64)
                grown[: n + 1] = first
                first = grown
                grown = np.full(capacity, -1, np.int64)
                grown[:n] = class_of
                class_of = grown
            found = n
            hashes[n] = h
            for c in range(k):
                states[n, c] = x[c]
            slots[slot] = n
            if final[x[0]] and not (x[1] >= 0 and final[x[1]]):
                for j in range(n_classes):
                    same = True
                    for c in range(2, k):
                        if hits[j, c] != (x[c] >= 0 and final[x[c]]):
                            same = False
                            break
                    if same:
                        class_of[n] = j
                        break
                if class_of[n] < 0:
                    if n_classes == max_classes:
                        return (
                            TOO_MUCH_WORK,
                            first[:1],
                            out_low[:0],
                            out_high[:0],
                            out_target[:0],
                            class_of[:0],
                            hits[:0],
                        )
                    for c in range(2, k):
                        hits[n_classes, c] = x[c] >= 0 and final[x[c]]
                    class_of[n] = n_classes
                    n_classes += 1
            n += 1
            if 2 * n > len(slots):
                slots = np.full(4 * len(slots), -1, np.int64)
                for r in range(n):
                    slot = hashes[r] & (len(slots) - 1)
                    while slots[slot] >= 0:
                        slot = (slot + 1) & (len(slots) - 1)
                    slots[slot] = r
        if q >= 0:
            if m > first[q] and out_target[m - 1] == found and out_high[m - 1] + 1 == at:
                out_high[m - 1] = hi
            else:
                if m == edge_capacity:
                    edge_capacity *= 2
                    grown = np.empty(edge_capacity, np.int64)
                    grown[:m] = out_low
                    out_low = grown
                    grown = np.empty(edge_capacity, np.int64)
                    grown[:m] = out_high
                    out_high = grown
                    grown = np.empty(edge_capacity, np.int64)
                    grown[:m] = out_target
                    out_target = grown
                out_low[m] = at
                out_high[m] = hi
                out_target[m] = found
                m += 1
            at = hi + 1
        # --- the next piece of the alphabet on which all sides are constant ---------------------------------------------
        if q >= 0 and at > high[e]:
            e += 1
        while q < 0 or e == end[states[q, 0]]:
            if q >= 0:
                first[q + 1] = m
            q += 1
            if q == n:
                break
            e = begin[states[q, 0]]
            at = 0
            for c in range(1, k):
                place[c] = begin[states[q, c]] if states[q, c] >= 0 else 0
        if q == n:
            break
        at = max(at, low[e])
        hi = high[e]
        x[0] = target[e]
        for c in range(1, k):
            x[c] = NO_TARGET
            s = states[q, c]
            if s < 0:
                continue
            i = place[c]
            while i < end[s] and high[i] < at:
                i += 1
            place[c] = i
            if i == end[s]:
                continue
            if low[i] > at:
                hi = min(hi, low[i] - 1)
            else:
                hi = min(hi, high[i])
                x[c] = target[i]
    return OK, first[: n + 1], out_low[:m], out_high[:m], out_target[:m], class_of[:n], hits[:n_classes]


class Partition:
    """The texts of a language, in classes by the other languages that they are in.

    Attributes:
        classes: of each class (all have a text), the places of those languages.

    """

    __slots__ = ("_automaton", "_class_of", "classes")

    def __init__(self, automaton: tuple[_Int, _Int, _Int, _Int], class_of: _Int, hits: npt.NDArray[np.bool_]) -> None:
        """Hold what the kernel found; everybody else calls ``partition``."""
        self._automaton = automaton
        self._class_of = class_of
        self.classes: list[frozenset[int]] = [frozenset(np.flatnonzero(row).tolist()) for row in hits]

    def language(self, classes: Iterable[int]) -> CharDfa:
        """Return the texts of some classes, given by their places in ``classes``."""
        chosen = np.zeros(len(self.classes) + 1, np.bool_)  # the last is that of states in no class
        chosen[list(classes)] = True
        first, low, high, target = self._automaton
        return CharDfa.from_ranges(first, low, high, target, chosen[self._class_of])


@lru_cache(maxsize=256)
def partition(base: CharDfa, but_not: CharDfa, languages: tuple[CharDfa, ...], max_classes: int) -> Partition | None:
    """Cut what ``base`` has and ``but_not`` has not by ``languages``; ``None`` if there are more than ``max_classes`` classes.

    Raises:
        LimitExceeded: the product of all has more than ``MAX_DFA_STATES`` states.

    """
    automata = (base, but_not, *languages)
    state_at = np.cumsum([0, *(dfa.n for dfa in automata)])
    edge_at = np.cumsum([0, *(len(dfa.low) for dfa in automata)])
    status, first, low, high, target, class_of, hits = _product_of_all(
        np.concatenate([dfa.first[:-1] + at for dfa, at in zip(automata, edge_at, strict=False)]),
        np.concatenate([dfa.first[1:] + at for dfa, at in zip(automata, edge_at, strict=False)]),
        np.concatenate([dfa.low for dfa in automata]),
        np.concatenate([dfa.high for dfa in automata]),
        np.concatenate([dfa.target + at for dfa, at in zip(automata, state_at, strict=False)]),
        np.concatenate([dfa.accepting for dfa in automata]),
        state_at[:-1].astype(np.int64),
        MAX_DFA_STATES,
        max_classes,
    )
    if status == TOO_MUCH_WORK:
        return None
    if status != OK:
        raise too_many_states(MAX_DFA_STATES)
    return Partition((first, low, high, target), class_of, hits[:, 2:])
