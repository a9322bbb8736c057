"""Ordered closures: what a backtracking matcher can read next, best alternative first, where looks are partly settled."""

from __future__ import annotations

from typing import Final

from .characters import Classes, classes
from .patterns import ACCEPT, AHEAD, BEHIND, CLEAR, END, LOOP, NOBODY, READ, Program

Leaves = tuple[int, ...]
"""Reading and accepting states, best first."""


class UnsettledError(Exception):
    """A closure has met a look-ahead of which nothing is known yet."""

    def __init__(self, look: int) -> None:
        """Say which."""
        self.look = look


class Closures:
    """Closures of a program, memoised on those answers to looks that they can depend on.

    Attributes:
        classes: the characters that the program tells apart.
        reads: of each state: the classes that it reads, as a bit mask; 0 unless it is a reading one.
        reads_end: of each state: whether it reads the end of the text.
        is_accept: of each state.
        target: of each reading state: where it goes.

    """

    def __init__(self, program: Program) -> None:
        """Divide the characters into classes."""
        self.program = program
        self.classes: Final[Classes] = classes(program.leaves)
        everyone = range(len(program.kind))
        members = self.classes.members
        self.reads = [members[program.a[q]] if program.kind[q] == READ else 0 for q in everyone]
        self.reads_end = [program.kind[q] == READ and program.a[q] == END for q in everyone]
        self.is_accept = [kind == ACCEPT for kind in program.kind]
        self.target = [program.then[q][0] if program.kind[q] == READ else NOBODY for q in everyone]
        self._looks: dict[int, tuple[int, int]] = {}
        self._memo: dict[tuple[int, int, int, int], Leaves] = {}

    def looks(self, state: int) -> tuple[int, int]:
        """The look-aheads and the look-behinds that a closure from a state can meet, as bit masks."""
        found = self._looks.get(state)
        if found is None:
            program, ahead, behind = self.program, 0, 0
            seen, work = {state}, [state]
            while work:
                q = work.pop()
                kind = program.kind[q]
                after: tuple[int, ...] = () if kind in {READ, ACCEPT} else program.then[q]
                if kind == AHEAD:
                    ahead |= 1 << program.a[q]
                    after = (*after, program.ahead[program.a[q]])
                elif kind == BEHIND:
                    behind |= 1 << program.a[q]
                for r in after:
                    if r not in seen:
                        seen.add(r)
                        work.append(r)
            found = self._looks[state] = (ahead, behind)
        return found

    def leaves(self, state: int, known: int, value: int, answers: int) -> Leaves:
        """The closure of a state.

        Args:
            state: where to begin; no loop has begun an iteration at this position.
            known: bit mask of the look-aheads that are settled at this position.
            value: bit mask of those of them that hold.
            answers: bit mask of the look-behinds that hold at this position.

        Raises:
            UnsettledError: the closure depends on a look-ahead that is not settled.

        """
        ahead, behind = self.looks(state)
        key = (state, known & ahead, value & ahead, answers & behind)
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = self._close(*key)
        return found

    def _close(self, state: int, known: int, value: int, answers: int) -> Leaves:
        """Depth first.  An item is a state and the loops whose latest optional iteration began at this position."""
        program = self.program
        nothing: frozenset[int] = frozenset()
        found: dict[int, None] = {}
        seen: set[tuple[int, frozenset[int]]] = set()
        work = [(state, nothing)]
        while work:
            item = work.pop()
            if item in seen:
                continue
            seen.add(item)
            q, began = item
            kind, a, then = program.kind[q], program.a[q], program.then[q]
            if kind in {READ, ACCEPT}:
                found.setdefault(q)
            elif kind == LOOP:
                leave = 0 if program.b[q] else 1
                choices = [(then[1 - leave], began | {a}), (then[leave], began)]
                if a in began:
                    work.append(choices[1])
                else:
                    work.extend(choices if program.b[q] else reversed(choices))
            elif kind == CLEAR:
                work.append((then[0], began - {a}))
            elif kind == AHEAD:
                if not known >> a & 1:
                    raise UnsettledError(a)
                if bool(value >> a & 1) is not program.b[q]:
                    work.append((then[0], began))
            elif kind == BEHIND:
                if bool(answers >> a & 1) is not program.b[q]:
                    work.append((then[0], began))
            else:
                work.extend((r, began) for r in reversed(then))
        return tuple(found)


class Behind:
    """The look-behinds of a program, followed from the beginning of the text."""

    def __init__(self, closures: Closures) -> None:
        """Begin one match of every body at every position."""
        self._closures = closures
        program = closures.program
        starts = [closures.leaves(q, 0, 0, 0) for q in program.behind if q >= 0]
        self._starts = tuple(q for leaves in starts for q in leaves)
        always = self._accepts(self._starts)
        self._reading = tuple(q for q in self._starts if not closures.is_accept[q])
        self.first = always | sum(1 << k for k, holds in enumerate(program.at_beginning) if holds)
        self._always = always
        self.masks = tuple({closures.reads[q] for q in self._reading})
        self._memo: dict[tuple[frozenset[int], int], tuple[frozenset[int], int]] = {}

    def _accepts(self, leaves: tuple[int, ...]) -> int:
        program = self._closures.program
        return sum(1 << k for k in {program.a[q] for q in leaves if self._closures.is_accept[q]})

    def step(self, progress: frozenset[int], bit: int) -> tuple[frozenset[int], int]:
        """After a character of the class ``bit``: the matches in progress, and the look-behinds that hold, as a bit mask."""
        key = (progress, bit)
        found = self._memo.get(key)
        if found is None:
            closures = self._closures
            after = {
                r
                for q in {*progress, *self._reading}
                if closures.reads[q] & bit
                for r in closures.leaves(closures.target[q], 0, 0, 0)
            }
            answers = self._always | self._accepts(tuple(after))
            found = self._memo[key] = (frozenset(q for q in after if not closures.is_accept[q]), answers)
        return found
