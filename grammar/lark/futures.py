"""Exactly which stacks have a future: the emptiness of the pushdown system of scanner and parser, as a table that is run up the stack.

A configuration is a scanner's state and a parser's stack.  What decides its future of the scanner's state is which *feeds* it still leads to: a feed
is a terminal with the part that its lexeme leaves, or the end of the text.  What decides of the stack is which feeds it *takes*: after which of them the text can be
completed.  The stacks that take a feed are a regular set (Bouajjani, Esparza and Maler 1997), so that a deterministic automaton which reads the stack from the
bottom knows all feeds that it takes; a configuration is alive iff the two sets meet.

The automaton is made as stacks are met.  What a parser's state does above any stack is summed up once (its *outcomes*: symbols to pop below it, nonterminal of the
goto then, and the feed that is fed after it); a state of the automaton holds, for every goto that some outcome can ask for, the feeds that lead on.

Indenters are not covered: there, what a newline feeds hangs on columns.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import Unsupported
from ..parsing import IGNORED, reach_of

if TYPE_CHECKING:
    from .scanner import LarkTables

_Bool = npt.NDArray[np.bool_]
Goto = tuple[int, int]
"""(symbols to pop, nonterminal of the goto then)."""
ACCEPTED: Goto = (0, -1)
"""The outcome of the bottom state when the text ends."""
Outcomes = dict[Goto, int]
"""Goto -> bit set of the feeds that are fed after it."""


class Place(NamedTuple):
    """What the automaton knows of a stack.

    Attributes:
        takes: bit set of the feeds after which the text can be completed.
        gotos: the same after a goto on this stack, or on what lies so many symbols below its top.

    """

    takes: int
    gotos: tuple[tuple[Goto, int], ...]


class Futures:
    """The futures of one grammar's configurations.

    Attributes:
        feeds: (type, part that is left), the end of the text last.
        of_column: of each column of the parse table: bit set of its feeds.
        places: what is known of the stacks met; a stack is a number, its place here; 0 is the empty one.

    """

    def __init__(self, read: LarkTables) -> None:
        """Sum up what the states of the parse table do.

        Raises:
            Unsupported: an indenter stands between scanner and parser.

        """
        if read.indentation is not None:
            raise Unsupported("futures of stacks under an indenter", hint="what a newline feeds hangs on columns")
        lalr, scanner = read.lalr, read.scanner
        self._lalr, self._scanner = lalr, scanner
        self._end = lalr.action.shape[1] - 1
        self._lexer_of = lalr.lexer_of.tolist()
        self._scan()
        self._gotos = [{a: x for a, x in enumerate(row) if x >= 0} for row in lalr.goto.tolist()]
        lengths, lhs = lalr.rule_length.tolist(), lalr.rule_lhs.tolist()
        self._reduces: list[dict[Goto, int]] = []
        self._shifts: list[list[tuple[int, int]]] = []  # (feeds that do the same, the state that they are shifted to)
        for row in lalr.action.tolist():
            found: dict[Goto, int] = defaultdict(int)
            shifts: dict[tuple[int, int], int] = defaultdict(int)
            for t, act in enumerate(row):
                if act < 0:
                    found[lengths[-1 - act], lhs[-1 - act]] |= self.of_column[t]
                for feed in self._listed[t] if act > 0 else ():
                    shifts[act - 1, self._led(self.feeds[feed][1], act - 1)] |= 1 << feed
            self._reduces.append(dict(found))
            self._shifts.append([(feeds, target) for (target, _), feeds in shifts.items()])
        self._sum_up()
        self._ask()
        self._numbers: dict[Place, int] = {}
        self.places: list[Place] = []
        self._pushed: dict[tuple[int, int], int] = {}
        self._place(Place(0, ((ACCEPTED, self.of_column[self._end]),)))

    # --- the scanner ------------------------------------------------------------------------------------------------------

    def _scan(self) -> None:
        """Number the feeds, and find which of them scanner states lead to."""
        scanner = self._scanner
        pairs = np.stack([scanner.exit_type, scanner.exit_part], axis=1)
        taken = scanner.exit_type != IGNORED
        kinds, which = np.unique(pairs[taken], axis=0, return_inverse=True)
        self.feeds: list[tuple[int, int]] = [*map(tuple, kinds.tolist()), (self._end, -1)]
        self._listed: list[list[int]] = [[] for _ in range(self._end + 1)]
        for feed, (t, _) in enumerate(self.feeds):
            self._listed[t].append(feed)
        self.of_column = [sum(1 << feed for feed in listed) for listed in self._listed]
        owner = np.repeat(np.arange(scanner.n_locals), np.diff(scanner.exit_start))
        n_parts = len(scanner.begin)
        facts = np.zeros((scanner.n_locals, len(self.feeds) + n_parts), np.bool_)
        facts[owner[taken], which.ravel()] = True
        facts[owner[~taken], len(self.feeds) + scanner.exit_part[~taken]] = True
        facts = reach_of(facts, scanner.edges)
        facts[scanner.may_end, len(self.feeds) - 1] = True
        direct, through = facts[:, : len(self.feeds)], facts[:, len(self.feeds) :]
        self._direct = _bits(direct)
        self._through = [np.flatnonzero(row).tolist() for row in through]
        self._begins = [[0] * scanner.begin.shape[1] for _ in range(n_parts)]  # the feeds behind a part
        begin = scanner.begin.tolist()
        changed = True
        while changed:
            changed = False
            for part, row in enumerate(begin):
                for lexer, q in enumerate(row):
                    found = self.leads(q, lexer) if q >= 0 else 0
                    if found != self._begins[part][lexer]:
                        self._begins[part][lexer] = found
                        changed = True

    def leads(self, local: int, lexer: int) -> int:
        """Bit set of the feeds that a scanner's state leads to within a lexeme of a lexer, ignored ones in between included."""
        found = self._direct[local]
        for part in self._through[local]:
            found |= self._begins[part][lexer]
        return found

    def _led(self, part: int, state: int) -> int:
        """The feeds behind a part when a state of the table is on top."""
        lexer = self._lexer_of[state]
        return self._begins[part][lexer] if lexer >= 0 else 0

    # --- the parser's states ----------------------------------------------------------------------------------------------

    def _when_fed(self, state: int, feeds: int) -> Outcomes:
        """Outcomes of a state that is fed one of some feeds."""
        found: Outcomes = {}
        for (length, lhs), mask in self._reduces[state].items():
            if length and mask & feeds:
                found[length - 1, lhs] = found.get((length - 1, lhs), 0) | (mask & feeds)
        for alike, outcomes in self._fed[state]:
            if alike & feeds:
                for key, mask in outcomes.items():
                    found[key] = found.get(key, 0) | mask
        return found

    def _above(self, state: int, above: Outcomes) -> Outcomes:
        """Outcomes of a state, given those of the state above it."""
        found: Outcomes = {}
        done: dict[int, int] = {}
        work = list(above.items())
        while work:
            (pops, lhs), mask = work.pop()
            if pops:
                found[pops - 1, lhs] = found.get((pops - 1, lhs), 0) | mask
                continue
            fresh = mask & ~done.get(lhs, 0)
            target = self._gotos[state].get(lhs, -1)
            if state == self._lalr.start and target == self._lalr.accept and fresh & self.of_column[self._end]:
                found[ACCEPTED] = self.of_column[self._end]
            if fresh and target >= 0:
                done[lhs] = done.get(lhs, 0) | fresh
                work += self._when_fed(target, fresh).items()
        return found

    def _sum_up(self) -> None:
        """What each state does when it is fed: the least fixed point of all outcomes, feeds that do the same taken together."""
        n = len(self._gotos)
        self._fed: list[list[tuple[int, Outcomes]]] = [[] for _ in range(n)]
        readers: list[set[int]] = [set() for _ in range(n)]
        for state, gotos in enumerate(self._gotos):
            for x in (*gotos.values(), *(target for _, target in self._shifts[state])):
                readers[x].add(state)
        dirty = set(range(n))
        while dirty:
            changed = set()
            for state in dirty:
                fed = [(feeds, self._above(state, self._rest(feeds, x))) for feeds, x in self._shifts[state]]
                for (length, lhs), mask in self._reduces[state].items():
                    if not length:
                        fed += [(bit, self._above(state, {(0, lhs): bit})) for bit in _single(mask)]
                if fed != self._fed[state]:
                    self._fed[state] = fed
                    changed.add(state)
            dirty = {reader for state in changed for reader in readers[state]}

    def _rest(self, feeds: int, state: int) -> Outcomes:
        """Outcomes of a state that was just entered by any of some feeds that lead to the same."""
        part = self.feeds[feeds.bit_length() - 1][1]
        return self._when_fed(state, self._led(part, state))

    def _ask(self) -> None:
        """For each state, which gotos below it some outcome of it, or of what lies above it, can ask for."""
        everything = (1 << len(self.feeds)) - 1
        asked = [set(self._when_fed(state, everything)) for state in range(len(self._gotos))]
        below: list[set[int]] = [set() for _ in asked]
        for state, gotos in enumerate(self._gotos):
            for x in (*gotos.values(), *(target for _, target in self._shifts[state])):
                below[x].add(state)
        work = list(range(len(asked)))
        while work:
            state = work.pop()
            passed = {(pops - 1, lhs) for pops, lhs in asked[state] if pops}
            for under in below[state]:
                if not passed <= asked[under]:
                    asked[under] |= passed
                    work.append(under)
        self._asked = [sorted(keys) for keys in asked]

    # --- stacks -----------------------------------------------------------------------------------------------------------

    def _place(self, place: Place) -> int:
        number = self._numbers.setdefault(place, len(self.places))
        if number == len(self.places):
            self.places.append(place)
        return number

    def push(self, under: int, state: int) -> int:
        """The stack with a state of the table on top of another one."""
        found = self._pushed.get((under, state))
        if found is None:
            found = self._pushed[under, state] = self._place(self._made(under, state))
        return found

    def _made(self, under: int, state: int) -> Place:
        lower = dict(self.places[under].gotos)
        known = {(pops + 1, lhs): lower.get((pops, lhs), 0) for pops, lhs in self._asked[state]}
        gotos = self._gotos[state]
        for lhs in gotos:
            known[0, lhs] = 0
        is_start = under == 0 and state == self._lalr.start
        changed = True
        while changed:  # a goto may lead to another one on the same stack
            changed = False
            for lhs, target in gotos.items():
                value = self._taken(target, known, 0)
                if is_start and target == self._lalr.accept:
                    value |= self.of_column[self._end]
                if value != known[0, lhs]:
                    known[0, lhs] = value
                    changed = True
        return Place(self._taken(state, known, 1), tuple(sorted((key, value) for key, value in known.items() if value)))

    def _taken(self, state: int, known: dict[Goto, int], depth: int) -> int:
        """The feeds that a state takes ``depth`` symbols above the stack of which gotos are known (1: it is the stack's own top)."""
        found = 0
        for (length, lhs), mask in self._reduces[state].items():
            if length:
                found |= mask & known.get((length - 1 + depth, lhs), 0)
        for feeds, outcomes in self._fed[state]:
            if not feeds & ~found:
                continue
            if any(mask & known.get((pops + depth, lhs), 0) for (pops, lhs), mask in outcomes.items()):
                found |= feeds
        return found

    def stack(self, states: tuple[int, ...]) -> int:
        """The number of a stack, given from the bottom."""
        place = 0
        for state in states:
            place = self.push(place, state)
        return place

    def alive(self, local: int, states: tuple[int, ...]) -> bool:
        """Whether some text completes a scanner's state with a stack."""
        return self.leads(local, self._lexer_of[states[-1]]) & self.places[self.stack(states)].takes != 0


def _single(mask: int) -> list[int]:
    return [1 << k for k in range(mask.bit_length()) if mask >> k & 1]


def _bits(rows: _Bool) -> list[int]:
    """Rows as integers, the first column the lowest bit."""
    return [int.from_bytes(np.packbits(row, bitorder="little").tobytes(), "little") for row in rows]


__all__ = ["Futures", "Place"]
