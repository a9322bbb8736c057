"""Lexemes as sets of branches: how one begins, what a character does to it, and where it may end.

What is read at a position is a set of *branches*, one for every consistent settling of the looks that are not decided yet:

- ``Stay``: the lexeme goes on.  ``threads`` are the places of the backtracking matcher, best first; ``shadow`` the places in
  the literals that may re-label the lexeme; ``guard`` the places of earlier, better matches, none of which may ever accept;
  of each of ``duties`` some place must accept.
- commit: the lexeme ends here.  It is carried out when another character comes or the text ends: the parser gets the type,
  and the next lexeme begins with the *part* that is left: guard, duties, settled looks, and what looks behind need.

All branches of a local state have the same parser stack, so that the set is determinised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from ..parsing import IGNORED
from .closures import Behind, Closures, UnsettledError

States = frozenset[int]
Duties = frozenset[States]
_T = TypeVar("_T")

NOTHING: States = frozenset()
NO_DUTIES: Duties = frozenset()


class Stay(NamedTuple):
    """A lexeme that goes on; see the module's text."""

    threads: tuple[int, ...]
    shadow: States
    guard: States
    duties: Duties
    progress: States


class Part(NamedTuple):
    """What a token leaves behind for the next lexeme.

    Attributes:
        guard, duties: as in ``Stay``, at the position where the token ended.
        known, value: bit masks of the look-aheads settled at this position, and of those that hold.
        progress, answers: matches of looks behind in progress, and bit mask of those that hold at this position.

    """

    guard: States
    duties: Duties
    known: int
    value: int
    progress: States
    answers: int


class Local(NamedTuple):
    """Branches with one parser stack.

    Attributes:
        fresh: nothing of the lexeme has been read.
        stays: the branches that go on.
        exits: type -> the parts of the branches that end here.

    """

    fresh: bool
    stays: frozenset[Stay]
    exits: frozenset[tuple[int, frozenset[Part]]]


class LexerPlan(NamedTuple):
    """One of Lark's contextual lexers.

    Attributes:
        order: its terminals in the order of its alternation, without the literals that only re-label.
        literals: the literals that may re-label a lexeme of this lexer.

    """

    order: tuple[int, ...]
    literals: tuple[int, ...]


class Lexing(NamedTuple):
    """What Lark's lexers do, as numbers of terminals and lexers.

    Attributes:
        names: of the terminals.
        entries: first state of each terminal's pattern, -1 for one without a pattern.
        lexers: see ``LexerPlan``.
        relabel: pattern -> the literals that re-label its lexemes, the first that matches in full wins.
        ignored: terminals whose lexemes the parser never sees.
        next_lexers: type -> the lexers that may follow it; a type that is missing is never taken by the parser.
        newline: the terminal that an indenter may swallow, or -1.

    """

    names: tuple[str, ...]
    entries: tuple[int, ...]
    lexers: tuple[LexerPlan, ...]
    relabel: dict[int, tuple[int, ...]]
    ignored: frozenset[int]
    next_lexers: dict[int, frozenset[int]]
    newline: int


class Lexemes:
    """Steps of local states.

    Attributes:
        spent: places of patterns moved so far, once for each block of classes.

    """

    def __init__(self, closures: Closures, lexing: Lexing) -> None:
        """Prepare what every beginning needs."""
        self._closures = closures
        self._lexing = lexing
        self._behind = Behind(closures)
        self._owner = closures.program.owner
        self._shadows = [self._first_shadow(lexer) for lexer in lexing.lexers]
        self._begin_ahead = self._begin_behind = 0  # the looks that some beginning can meet
        for lexer in lexing.lexers:
            for entry in self._entries(lexer):
                ahead, behind = closures.looks(entry)
                self._begin_ahead |= ahead
                self._begin_behind |= behind
        self.spent = 0

    def start(self) -> Part:
        """What is left before the first lexeme."""
        return Part(NOTHING, NO_DUTIES, 0, 0, NOTHING, self._behind.first & self._begin_behind)

    def may_end(self, local: Local) -> bool:
        """Whether the text may end here: nothing of a lexeme has been read, no guard accepts, and all duties do."""
        return local.fresh and any(self._may_end(x.guard, x.duties) for x in local.stays)

    def owners(self, local: Local) -> set[int]:
        """The terminals whose places the branches hold."""
        return {self._owner[q] for stay in local.stays for q in (*stay.guard, *stay.threads) if self._owner[q] >= 0}

    def transitions(self, local: Local) -> Iterator[tuple[int, Local]]:
        """Classes that the local state does not tell apart, and where they lead."""
        if not local.stays:
            return
        reads = self._closures.reads
        moving = places = 0
        masks = set(self._behind.masks)
        for stay in local.stays:
            for q in stay.threads:
                moving |= reads[q]
            states = {*stay.threads, *stay.shadow, *stay.guard, *stay.progress}.union(*stay.duties)
            masks.update(reads[q] for q in states)
            places += len(states)
        blocks = [moving] if moving else []
        for mask in masks:
            blocks = [x for block in blocks for x in (block & mask, block & ~mask) if x]
        self.spent += len(blocks) * places
        found: dict[Local, int] = {}
        for block in blocks:
            bit = block & -block
            stays: set[Stay] = set()
            exits: dict[int, set[Part]] = {}
            for stay in local.stays:
                self._step(stay, bit, stays, exits)
            if stays or exits:
                there = Local(False, frozenset(stays), frozenset((k, frozenset(x)) for k, x in exits.items()))
                found[there] = found.get(there, 0) | block
        for there, mask in found.items():
            yield mask, there

    def _step(self, stay: Stay, bit: int, stays: set[Stay], exits: dict[int, set[Part]]) -> None:
        """Add what a branch becomes after a character of the class ``bit``."""
        threads = self._moved(stay.threads, bit)
        if not threads:
            return
        progress, answers = self._behind.step(stay.progress, bit)
        guard, shadow = self._moved(stay.guard, bit), self._moved(stay.shadow, bit)
        duties = [self._moved(x, bit) for x in stay.duties]

        def attempt(known: int, value: int) -> tuple[States, Duties, tuple[int, ...], int] | None:
            rest = self._rest(guard, duties, 0, known, value, answers)
            if rest is None:
                return None
            return (*rest, *self._cut(threads, rest[0], known, value, answers))

        for known, value, (left, owed, pre, accepted) in self._settle(attempt, 0, 0):
            literals, matched = self._shadow(shadow)
            if accepted >= 0:
                kind = self._type(accepted, matched)
                if kind is not None:
                    at_begin = self._begin_ahead
                    part = Part(
                        left.union(pre),
                        owed,
                        known & at_begin,
                        value & at_begin,
                        progress,
                        answers & self._begin_behind,
                    )
                    exits.setdefault(kind, set()).add(part)
            if pre:
                stays.add(Stay(pre, self._needed(literals, pre), left, owed, progress))

    def first(self, parts: frozenset[Part], lexer: int) -> Local | None:
        """The local state in which a lexeme begins; ``None``: dead."""
        stays: set[Stay] = set()
        entries = self._entries(self._lexing.lexers[lexer])
        for part in parts:

            def attempt(known: int, value: int, part: Part = part) -> tuple[States, Duties, tuple[int, ...]] | None:
                rest = self._rest((), (), part.known, known, value, part.answers)
                if rest is None:
                    return None
                guard = part.guard | rest[0]
                threads, _ = self._cut(entries, guard, known, value, part.answers)
                return guard, part.duties | rest[1], threads

            for _, _, (guard, duties, threads) in self._settle(attempt, part.known, part.value):
                owed = self._owed(duties, guard)
                if owed is None:
                    continue
                if threads:
                    shadow = self._needed(self._shadows[lexer], threads)
                    stays.add(Stay(threads, shadow, guard, owed, part.progress))
                elif self._may_end(guard, owed):
                    stays.add(Stay((), NOTHING, NOTHING, NO_DUTIES, NOTHING))
        return Local(True, frozenset(stays), frozenset()) if stays else None

    def _settle(
        self, attempt: Callable[[int, int], _T | None], known: int, value: int
    ) -> Iterator[tuple[int, int, _T]]:
        """Every consistent settling of the look-aheads that the attempt meets."""
        work = [(known, value)]
        while work:
            known, value = work.pop()
            try:
                found = attempt(known, value)
            except UnsettledError as unsettled:
                bit = 1 << unsettled.look
                work += [(known | bit, value), (known | bit, value | bit)]
            else:
                if found is not None:
                    yield known, value, found

    # --- its pieces ---------------------------------------------------------------------------------------------------

    def _moved(self, states: Iterable[int], bit: int) -> tuple[int, ...]:
        """Where the reading states go that read the class, each once, in order."""
        reads, target = self._closures.reads, self._closures.target
        return tuple(dict.fromkeys(target[q] for q in states if reads[q] & bit))

    def _rest(
        self,
        guard: Sequence[int],
        duties: Sequence[Sequence[int]],
        given: int,
        known: int,
        value: int,
        answers: int,
    ) -> tuple[States, Duties] | None:
        """Close guard and duties, and add the looks settled here that were not ``given``; ``None``: refuted."""
        leaves, is_accept = self._closures.leaves, self._closures.is_accept
        never: set[int] = set()
        for q in guard:
            for leaf in leaves(q, known, value, answers):
                if is_accept[leaf]:
                    return None
                never.add(leaf)
        owed: list[States] = []
        for sources in duties:
            found = [leaf for q in sources for leaf in leaves(q, known, value, answers)]
            if not any(is_accept[leaf] for leaf in found):
                owed.append(frozenset(found))
        fresh, look = known & ~given, 0
        while fresh >> look:
            if fresh >> look & 1:
                body = leaves(self._closures.program.ahead[look], known, value, answers)
                accepts = any(is_accept[leaf] for leaf in body)
                if not value >> look & 1:
                    if accepts:
                        return None
                    never.update(body)
                elif not accepts:
                    owed.append(frozenset(body))
            look += 1
        left = frozenset(never)
        kept = self._owed(owed, left)
        return None if kept is None else (left, kept)

    def _owed(self, duties: Iterable[States], guard: States) -> Duties | None:
        """Duties without the places that the guard forbids to accept; ``None``: one of them cannot be met."""
        kept = frozenset(x - guard for x in duties)
        return None if NOTHING in kept else kept

    def _cut(
        self, sources: Sequence[int], guard: States, known: int, value: int, answers: int
    ) -> tuple[tuple[int, ...], int]:
        """Threads up to the first accept, and its terminal or -1.

        A thread in the guard may never accept, so that the branch is as good without it.
        """
        leaves, is_accept = self._closures.leaves, self._closures.is_accept
        found: dict[int, None] = {}
        for q in sources:
            for leaf in leaves(q, known, value, answers):
                if is_accept[leaf]:
                    return tuple(found), self._owner[leaf]
                if leaf not in guard:
                    found.setdefault(leaf)
        return tuple(found), -1

    def _may_end(self, guard: States, duties: Duties) -> bool:
        ends = self._closures.reads_end
        return not any(ends[q] for q in guard) and all(any(ends[q] for q in x) for x in duties)

    def _entries(self, lexer: LexerPlan) -> tuple[int, ...]:
        return tuple(self._lexing.entries[x] for x in lexer.order)

    def _first_shadow(self, lexer: LexerPlan) -> States:
        leaves, entries = self._closures.leaves, self._lexing.entries
        return frozenset(leaf for x in lexer.literals for leaf in leaves(entries[x], 0, 0, 0))

    def _shadow(self, sources: Iterable[int]) -> tuple[States, States]:
        """Literals in progress, and the terminals of those that match in full."""
        leaves, is_accept = self._closures.leaves, self._closures.is_accept
        found = [leaf for q in sources for leaf in leaves(q, 0, 0, 0)]
        return (
            frozenset(q for q in found if not is_accept[q]),
            frozenset(self._owner[q] for q in found if is_accept[q]),
        )

    def _needed(self, shadow: States, threads: Iterable[int]) -> States:
        """The literals that some pattern with a living thread is re-labelled by."""
        if not shadow:
            return NOTHING
        patterns = {self._owner[q] for q in threads}
        wanted = {x for p in patterns for x in self._lexing.relabel.get(p, ())}
        return frozenset(q for q in shadow if self._owner[q] in wanted)

    def _type(self, terminal: int, matched: States) -> int | None:
        """The type of a lexeme that a pattern has matched; ``None``: the parser never takes it."""
        if terminal in self._lexing.ignored:
            return IGNORED
        for literal in self._lexing.relabel.get(terminal, ()):
            if literal in matched:
                terminal = literal
                break
        follows = terminal in self._lexing.next_lexers or terminal == self._lexing.newline
        return terminal if follows else None
