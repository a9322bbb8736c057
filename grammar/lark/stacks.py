"""Whether a parse table can complete a text from every stack, conflicts that were resolved and terminals out of reach included.

A parser with a stack is a pushdown system, and which stacks lead to acceptance is a regular set (Bouajjani, Esparza and Maler 1997).  What a state on
top does until it is popped is summed up first: its *outcomes*, (symbols to pop below it, nonterminal, terminals that may be read by then).  Then states are
found from whose outcomes one can be chosen that goes on well whatever lies below.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from ..parsing import Ints, Lalr

Outcomes = dict[tuple[int, int], int]
"""(symbols still to be popped, nonterminal of the goto then) -> bit set of the terminals that are fed after it."""

Key = tuple[int, int, int]
"""(state, nonterminal, terminals): above this state, on every stack, a goto for the nonterminal and one of the terminals lead to acceptance."""


class Outlined(NamedTuple):
    """What an indenter feeds besides lexemes.

    Attributes:
        more: state -> columns that may be fed at once when it has just been entered.
        never: states that are never on top when a lexeme begins.

    """

    more: dict[int, list[int]]
    never: frozenset[int]


def incomplete(lalr: Lalr, usable: Iterable[Ints], outlined: Outlined | None = None) -> list[int]:
    """The states entered by a terminal from which it is not proved that every stack below them leads to acceptance.

    Args:
        lalr: the table.
        usable: of each state: the columns that can be read when it is on top.
        outlined: what an indenter feeds, if there is one.

    """
    return _Stacks(lalr, [row.tolist() for row in usable], outlined or Outlined({}, frozenset())).incomplete()


class _Stacks:
    def __init__(self, lalr: Lalr, usable: list[list[int]], outlined: Outlined) -> None:
        self.start, self.accept = lalr.start, lalr.accept
        self.end = lalr.action.shape[1] - 1
        self.usable = usable
        self.outlined = outlined
        self.lexer_of = lalr.lexer_of.tolist()
        self.gotos = [{a: x for a, x in enumerate(row) if x >= 0} for row in lalr.goto.tolist()]
        self.shifts = [{t: x - 1 for t, x in enumerate(row) if x > 0} for row in lalr.action.tolist()]
        lengths, lhs = lalr.rule_length.tolist(), lalr.rule_lhs.tolist()
        self.reduces: list[dict[tuple[int, int], int]] = []  # (length, nonterminal) -> bit set of terminals
        for row in lalr.action.tolist():
            found: dict[tuple[int, int], int] = {}
            for t, x in enumerate(row):
                if x < 0:
                    key = (lengths[-1 - x], lhs[-1 - x])
                    found[key] = found.get(key, 0) | 1 << t
            self.reduces.append(found)
        n = len(self.gotos)
        self.fed: list[dict[int, Outcomes]] = [
            {} for _ in range(n)
        ]  # a terminal that is shifted, or fed before an empty rule
        self.at_rest: list[Outcomes] = [{} for _ in range(n)]  # between two lexemes
        self.of: list[Outcomes] = [{} for _ in range(n)]  # between two terminals, those of an indenter included
        self.into: list[set[int]] = [set() for _ in range(n)]  # states directly below
        for state in range(n):
            for x in (*self.gotos[state].values(), *self.shifts[state].values()):
                self.into[x].add(state)
        self._sum_up()
        self._below: dict[tuple[int, int], frozenset[int]] = {}

    def _when_fed(self, state: int, terminals: int) -> Iterable[tuple[tuple[int, int], int]]:
        """Outcomes of a state that is fed one of some terminals, a bit set."""
        for (length, lhs), mask in self.reduces[state].items():
            if length and mask & terminals:
                yield (length - 1, lhs), mask & terminals
        for t, outcomes in self.fed[state].items():
            if terminals >> t & 1:
                yield from outcomes.items()

    def _above(self, state: int, above: Iterable[tuple[tuple[int, int], int]]) -> Outcomes:
        """Outcomes of a state, given those of the state above it."""
        found: Outcomes = {}
        fed: dict[int, int] = {}
        work = list(above)
        while work:
            (pops, lhs), mask = work.pop()
            if pops:
                found[pops - 1, lhs] = found.get((pops - 1, lhs), 0) | mask
                continue
            fresh = mask & ~fed.get(lhs, 0)
            target = self.gotos[state].get(lhs, -1)
            if fresh and target >= 0:
                fed[lhs] = fed.get(lhs, 0) | fresh
                work += self._when_fed(target, fresh)
        return found

    def _sum_up(self) -> None:
        """The least fixed point of all outcomes."""
        readers: list[set[int]] = [set() for _ in self.gotos]
        for state, gotos in enumerate(self.gotos):
            for x in (*gotos.values(), *self.shifts[state].values()):
                readers[x].add(state)
        dirty = set(range(len(self.gotos)))
        while dirty:
            changed = set()
            for state in dirty:
                fed = {t: self._above(state, self.of[x].items()) for t, x in self.shifts[state].items()}
                for (length, lhs), mask in self.reduces[state].items():
                    if not length:
                        for t in _bits(mask):
                            fed[t] = self._above(state, [((0, lhs), 1 << t)])
                if fed != self.fed[state]:
                    self.fed[state] = fed
                    changed.add(state)
                may_rest = self.lexer_of[state] >= 0 and state not in self.outlined.never
                read = sum(1 << t for t in self.usable[state]) if may_rest else 0
                own = self._united(state, read)
                self.at_rest[state] = own
                more = self.outlined.more.get(state)
                if more:
                    own = self._united(state, read | sum(1 << t for t in more))
                if own != self.of[state]:
                    self.of[state] = own
                    changed.add(state)
            dirty = {reader for state in changed for reader in readers[state]}

    def _united(self, state: int, terminals: int) -> Outcomes:
        own: Outcomes = {}
        for key, mask in self._when_fed(state, terminals):
            own[key] = own.get(key, 0) | mask
        return own

    def below(self, state: int, depth: int) -> frozenset[int]:
        """States that may lie so many symbols below a state."""
        if depth == 0:
            return frozenset([state])
        key = (state, depth)
        found = self._below.get(key)
        if found is None:
            found = self._below[key] = frozenset(x for y in self.below(state, depth - 1) for x in self.into[y])
        return found

    def _ways(self, state: int, lhs: int, terminals: int) -> list[tuple[Key | None, tuple[Key, ...]]]:
        """How to go on above a state after a goto and one of some terminals: each way leads to one key of the same height, or to all of some lower ones."""
        target = self.gotos[state].get(lhs, -1)
        if target < 0:
            return []
        if state == self.start and target == self.accept and terminals >> self.end & 1:
            return [(None, ())]
        found: list[tuple[Key | None, tuple[Key, ...]]] = []
        for (pops, then), mask in self._when_fed(target, terminals):
            if pops:
                found.append((None, tuple((x, then, mask) for x in self.below(state, pops))))
            else:
                found.append(((state, then, mask), ()))
        return found

    def incomplete(self) -> list[int]:
        """The greatest fixed point over what lies below, since stacks are finite; the least one over what happens at one height."""
        wanted = {
            state: [
                tuple((x, lhs, mask) for x in self.below(state, pops + 1)) for (pops, lhs), mask in outcomes.items()
            ]
            for state, outcomes in enumerate(self.at_rest)
            if self.lexer_of[state] >= 0 and state != self.start and state not in self.outlined.never
        }
        first = [(self.start, -1, 0)]
        ways: dict[Key, list[tuple[Key | None, tuple[Key, ...]]]] = {
            first[0]: [((self.start, lhs, mask), ()) for lhs, mask in self._from_start()]
        }
        work = [key for alternatives in wanted.values() for keys in alternatives for key in keys]
        work += [key for key, _ in ways[first[0]] if key is not None]
        while work:
            key = work.pop()
            if key not in ways:
                ways[key] = self._ways(*key)
                work += [x for same, lower in ways[key] for x in (lower if same is None else (same,))]
        holds = set(ways)
        before = -1
        while before != len(holds):
            before = len(holds)
            holds = _least(ways, holds)
        found = [
            state
            for state, alternatives in wanted.items()
            if not any(all(key in holds for key in keys) for keys in alternatives)
        ]
        return found if first[0] in holds else [self.start, *found]

    def _from_start(self) -> list[tuple[int, int]]:
        """What may be fed first, as (nonterminal of a goto above the start, terminals)."""
        read = sum(1 << t for t in self.usable[self.start])
        found: dict[int, int] = {}
        for t, x in self.shifts[self.start].items():
            if read >> t & 1:
                for (pops, lhs), mask in self.of[x].items():
                    if not pops:
                        found[lhs] = found.get(lhs, 0) | mask
        for (length, lhs), mask in self.reduces[self.start].items():
            if not length and mask & read:
                found[lhs] = found.get(lhs, 0) | mask & read
        return list(found.items())


def _least(ways: dict[Key, list[tuple[Key | None, tuple[Key, ...]]]], lower_holds: set[Key]) -> set[Key]:
    """The keys that hold if lower ones do, by a work list from those that need nothing of the same height."""
    waiting: defaultdict[Key, list[Key]] = defaultdict(list)
    found: set[Key] = set()
    work: list[Key] = []
    for key in lower_holds:
        for same, lower in ways[key]:
            if same is not None:
                waiting[same].append(key)
            elif all(x in lower_holds for x in lower):
                work.append(key)
                break
    while work:
        key = work.pop()
        if key not in found:
            found.add(key)
            work += waiting[key]
    return found


def _bits(mask: int) -> list[int]:
    return [t for t in range(mask.bit_length()) if mask >> t & 1]
