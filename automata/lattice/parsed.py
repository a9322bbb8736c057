"""The engine for grammars with a lexer: sets of the parser's stacks, forwards and backwards over the canvas.

A configuration of such a grammar is a state of the scanner and a stack of the parser.  At each border of two slots there are some hundreds of the scanner's states,
and for each of them all the stacks that some filling of the slots on the left leads to: a set, kept as a whole (``stacksets``).  A slot's tokens take these
sets along the graph of ``lexemes``; a forward pass over the slots gives every set, and the canvas can be filled iff some stack at its end is accepted.
A backward pass keeps of each set the stacks from which the rest can be filled.  A token may stand in a hole iff it lands where a stack of the place that it comes from is
one of those.

Nothing is approximated in this: the table is run for what it is, conflicts that were resolved when it was built and merged look-aheads included, the parser
chooses the lexer of each lexeme, and counts of slots are the layers themselves.

The forward pass grows with the slots alone, as far as can be seen.  The backward pass asks of each stack on the left which slots on the right can close it, and grows with
their product.  So it goes on from the end as long as it makes no more than ``MOST_MADE`` sets.  In front of that border another one looks at low stacks alone, which are soon the same at every
border and tell most of what is possible.  What they leave open is followed forwards, each landing by itself, until its stacks are gone or one is met that is known to lead to the end;
dead ones mostly are gone at the next fixed token.  Where too much of a slot is open for that, all of it is taken to be possible.  Then masks there may be too generous, and ``exact`` says so;
whether a canvas can be filled is decided by the forward pass, exactly, and so is every commit.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from .crossing import LOW_HEIGHT, Crossing, Sets, Slot
from .extraction import Beyond
from .lexemes import IGNORED, Landing, Lexemes
from .stacksets import BARE, EMPTY, StackSets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..constraint import Constraint
    from .slots import Step

MOST_MADE: Final = 1 << 19
"""Sets that one backward pass makes before it stops; some ten microseconds each."""

FEW: Final = 512
"""Scanner's states and sets of stacks behind a slot that are followed one by one."""

MOST_FOLLOWED: Final = 1 << 12
"""Slots that all of them are followed over; a millisecond each, or less."""

MOST_KEPT: Final = 1 << 21
"""Sets that are kept from one canvas to the next."""

_LEXEMES: weakref.WeakKeyDictionary[Constraint, Lexemes | str] = weakref.WeakKeyDictionary()


def lexemes_of(constraint: Constraint) -> Lexemes:
    """The transducer of a constraint, made at its first use.

    Raises:
        Beyond: it is no grammar with a lexer, or one with an indenter.

    """
    known = _LEXEMES.get(constraint)
    if known is None:
        try:
            known = Lexemes(constraint)
        except Beyond as error:
            known = error.what
        _LEXEMES[constraint] = known
    if isinstance(known, str):
        raise Beyond(known)
    return known


class ParsedEngine:
    """A canvas under a grammar with a lexer; feasibility is exact, and masks are where ``exact`` says so.

    Attributes:
        steps: the canvas.
        known_from: the slot from which on the masks are exact, 0 for all; known once masks are.

    """

    def __init__(self, constraint: Constraint, steps: Sequence[Step], *, most_made: int = MOST_MADE) -> None:
        """Lay out the canvas; nothing is computed before the first question.

        Args:
            constraint: the constraint.
            steps: the canvas.
            most_made: sets that one backward pass makes before it stops.

        Raises:
            Beyond: the constraint is of another kind.

        """
        self._lexemes = lexemes_of(constraint)
        self._store = constraint.store
        self._vocab = constraint.vocab
        self._ends = frozenset(constraint.vocab.eos_ids)
        self._fill = self._ends | frozenset(constraint.vocab.pad_ids)
        self._sets = StackSets(self._lexemes.lalr)
        self._endings: dict[tuple[int, int], int] = {}
        self._crossing = Crossing(self._lexemes, self._sets)
        self._most_made = most_made
        self.steps = list(steps)
        self._slots: list[Slot] = []
        self._reached: list[Sets] = []
        self._known: npt.NDArray[np.uint32] | None = None  # the masks
        self.known_from = 0
        self._to_follow = 0

    def close(self) -> None:
        """Free the sets."""
        self._sets = StackSets(self._lexemes.lalr)
        self._crossing = Crossing(self._lexemes, self._sets)
        self._endings = {}
        self._slots, self._reached, self._known = [], [], None

    def fix(self, steps: Sequence[Step]) -> None:
        """Go on with a canvas of the same steps, some of them fixed or opened; what lies before the first change stays."""
        changed = [i for i, (old, new) in enumerate(zip(self.steps, steps, strict=True)) if old != new]
        if changed:
            self.steps = list(steps)
            del self._slots[changed[0] :]
            del self._reached[changed[0] + 1 :]
            self._known = None
            if len(self._sets) > MOST_KEPT:
                self.close()

    @property
    def n_sets(self) -> int:
        """How many sets of stacks there are."""
        return len(self._sets)

    @property
    def table_bytes(self) -> int:
        """What they take."""
        return self._sets.nbytes

    @property
    def exact(self) -> bool:
        """Whether every mask is exact."""
        with self._store.lock:
            self._masks()
            return self.known_from == 0

    def feasible(self) -> bool:
        """Whether some filling satisfies the constraint."""
        with self._store.lock:
            self._forward()
            n = len(self.steps)
            return self._closed()[n] or self._ended(n)

    def masks(self, rows: npt.NDArray[np.uint32]) -> None:
        """OR the tokens of each hole into its row."""
        with self._store.lock:
            masks = self._masks()
            rows |= masks

    def _masks(self) -> npt.NDArray[np.uint32]:
        """uint32[holes, words]."""
        if self._known is None:
            self._forward()
            closed, tail = self._closed(), self._tail()
            holes = [i for i, step in enumerate(self.steps) if step.hole]
            self._known = np.zeros((len(holes), self._store.words), np.uint32)
            self.known_from = 0
            if holes and (closed[-1] or self._ended(len(self.steps))):
                for row, i, landings in zip(self._known, holes, self._landings(holes), strict=True):
                    bits = self._bits(landings)
                    if tail[i + 1]:
                        bits[list(self._fill if closed[i] else self._ends if self._ended(i) else ())] = True
                    allowed = self.steps[i].allowed
                    if allowed is not None:
                        only = np.zeros_like(bits)
                        only[list(allowed)] = True
                        bits &= only
                    row[:] = np.packbits(bits, bitorder="little").view(np.uint32)
        return self._known

    def _landings(self, holes: list[int]) -> list[set[Landing]]:
        """For each hole of a canvas that can be filled the landings from which the rest can be filled; sets ``known_from``."""
        alive, known = self._backward(low=False, first=min(holes) + 1)
        found = [self._met(i, alive[i + 1], low=False) if i + 1 >= known else set() for i in holes]
        if min(holes) + 1 >= known:
            return found
        sure, _ = self._backward(low=True)
        self._to_follow = MOST_FOLLOWED
        for i, landings in zip(holes, found, strict=True):
            if i + 1 >= known:
                break
            landings |= self._met(i, sure[i + 1], low=True)
            left = self._left(i, landings)
            for (local, stacks), some in left.items():
                if some <= landings:
                    continue
                if len(left) <= FEW and self._to_follow >= 0 and self._leads(i + 1, local, stacks, sure):
                    landings |= some
                elif len(left) > FEW or self._to_follow < 0:
                    self.known_from = i + 1
                    landings |= some
        return found

    def _left(self, i: int, known: set[Landing]) -> dict[tuple[int, int], set[Landing]]:
        """The landings of a slot that are not known to be possible, by the scanner's state and the stacks that they lead to."""
        left: dict[tuple[int, int], set[Landing]] = {}
        for place in self._slots[i].places:
            for local, one in place.landings:
                if one is not None and one not in known:
                    left.setdefault((local, place.stacks), set()).add(one)
        return left

    def _leads(self, i: int, local: int, stacks: int, sure: list[Sets]) -> bool:
        """Whether the slots from border i on can be filled with some stacks there; ``sure`` are stacks of each border of which that is known."""
        sets, tail, n = self._sets, self._tail(), len(self.steps)
        before = {local: stacks}
        for j in range(i, n + 1):
            may_end = j == n or (tail[j + 1] and self._may_hold(j, self._ends))
            for here, some in before.items():
                if sets.meet(some, sure[j].get(here, EMPTY)) or (may_end and self._ending(here, some)):
                    return True
            if j == n or not before:
                return False
            self._to_follow -= 1
            if self._to_follow < 0:  # the caller takes it to be so, and says that it is not known
                return False
            _, before = self._crossing.over(before, self.steps[j])
        return False

    def _met(self, i: int, after: Sets, *, low: bool) -> set[Landing]:
        """The landings of a slot on stacks from which the rest can be filled."""
        found: set[Landing] = set()
        sets = self._sets
        for place in self._slots[i].places:
            stacks = sets.low(place.stacks, LOW_HEIGHT) if low else place.stacks
            for local, landing in place.landings:
                if landing is not None and landing not in found:
                    wanted = after.get(local, EMPTY)
                    if wanted and sets.meet(stacks, wanted):
                        found.add(landing)
        return found

    def _bits(self, landings: set[Landing]) -> npt.NDArray[np.bool_]:
        """bool[32 * words]: the tokens of some landings."""
        r, words = self._store.arena.r, self._store.words
        packed = np.zeros(words, np.uint32)
        for landing in landings:
            if landing.at < 0:
                packed |= r[-1 - landing.at : -1 - landing.at + words]
        bits = np.unpackbits(packed.view(np.uint8), bitorder="little").view(np.bool_)
        for landing in landings:
            if landing.at >= 0:
                bits[r[landing.at : landing.at + landing.n]] = True
        return bits

    # --- forwards -----------------------------------------------------------------------------------------------------

    def _forward(self) -> None:
        """Complete the sets of every border."""
        if not self._reached:
            lexemes = self._lexemes
            self._reached.append(
                {lexemes.first: self._sets.push(lexemes.lalr.start, BARE)} if lexemes.first >= 0 else {}
            )
        for step in self.steps[len(self._slots) :]:
            slot, after = self._crossing.over(self._reached[-1], step)
            self._slots.append(slot)
            self._reached.append(after)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _ending(self, local: int, stacks: int) -> int:
        """Those stacks with which the text may end in a state of the scanner."""
        key = (local, stacks)
        found = self._endings.get(key)
        if found is not None:
            return found
        lexemes, sets = self._lexemes, self._sets
        may_end = lexemes.scanner.may_end
        parts = [sets.ending(stacks)] if may_end[local] else []
        for terminal, part in lexemes.ends[local]:
            fed = stacks if terminal == IGNORED else sets.feed(stacks, terminal)
            for lexer, some in sets.by_lexer(fed).items() if fed else ():
                begun = lexemes.begin(part, lexer)
                if begun < 0 or not may_end[begun]:
                    continue
                ending = sets.ending(some)
                parts.append(ending if terminal == IGNORED else sets.before(stacks, terminal, ending))
        found = self._endings[key] = sets.union(parts)
        return found

    def _ended(self, i: int) -> bool:
        """Whether the text may end before step i."""
        if self._lexemes.accepts_empty and all(step.skippable for step in self.steps[:i]):
            return True
        return any(self._ending(local, stacks) for local, stacks in self._reached[i].items())

    def _may_hold(self, i: int, ids: frozenset[int]) -> bool:
        step = self.steps[i]
        if step.token is not None:
            return step.token in ids
        return bool(ids) and (step.allowed is None or not ids.isdisjoint(step.allowed))

    def _closed(self) -> list[bool]:
        """For each border, whether an end-of-sequence token may lie before it."""
        closed = [False]
        for i, step in enumerate(self.steps):
            closed.append(
                (closed[i] and (step.skippable or self._may_hold(i, self._fill)))
                or (self._may_hold(i, self._ends) and self._ended(i))
            )
        return closed

    def _tail(self) -> list[bool]:
        """For each border, whether nothing but end-of-sequence and padding need lie behind it."""
        tail = [True]
        for i in range(len(self.steps) - 1, -1, -1):
            tail.append(tail[-1] and (self.steps[i].skippable or self._may_hold(i, self._fill)))
        return tail[::-1]

    # --- backwards ----------------------------------------------------------------------------------------------------

    def _backward(self, *, low: bool, first: int = 0) -> tuple[list[Sets], int]:
        """For each border the stacks from which the rest can be filled, of those that are reached; and the border from which on that is known.

        Args:
            low: look at stacks of at most ``LOW_HEIGHT`` states, throughout; else at all.
            first: the border at which the pass may stop.

        """
        tail = self._tail()
        after = self._kept(self._seen(len(self.steps), low=low), {}, ends=True)
        alive = [after]
        most = len(self._sets) + self._most_made
        i = len(self.steps)
        while i > first and (len(self._sets) <= most or not after):
            i -= 1
            reached = self._seen(i, low=low)
            found = self._crossing.back(self._slots[i], self._seen(i + 1, low=low), after, low=low)
            if self.steps[i].skippable:
                for local, stacks in reached.items():
                    found.setdefault(local, []).append(self._sets.meet(stacks, after.get(local, EMPTY)))
            ends = tail[i + 1] and self._may_hold(i, self._ends)
            after = self._kept(reached, found, ends=ends)
            alive.append(after)
        return [{}] * i + alive[::-1], i

    def _seen(self, i: int, *, low: bool) -> Sets:
        """The stacks of a border that a backward pass looks at."""
        if not low:
            return self._reached[i]
        some = {local: self._sets.low(stacks, LOW_HEIGHT) for local, stacks in self._reached[i].items()}
        return {local: stacks for local, stacks in some.items() if stacks}

    def _kept(self, reached: Sets, found: dict[int, list[int]], *, ends: bool) -> Sets:
        """The unions of what was found, and of the stacks with which the text may end."""
        kept = {}
        for local, stacks in reached.items():
            parts: Iterable[int] = found.get(local, ())
            if stacks in parts:
                kept[local] = stacks
                continue
            whole = self._sets.union([*parts, self._ending(local, stacks)] if ends else parts)
            if whole:
                kept[local] = whole
        return kept
