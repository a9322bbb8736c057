"""The finite control of Lark's contextual lexer, without the parser: all local states, by a work list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..errors import LimitExceeded
from ..parsing import IGNORED
from .closures import Closures
from .lexemes import Lexemes, Lexing, Local, Part

DEAD = -1
"""No local state."""

MAX_LOCALS = 50_000
"""Python's own grammar has 985 before minimisation; beyond this a grammar explodes."""

MAX_WORK = 100_000_000
"""Places of patterns that may be moved over a class of characters, all local states together: some ten seconds."""


class Controls:
    """All reachable local states, built eagerly by a work list.

    Attributes:
        locals: the local states; their numbers are their places.
        rows: of each local: disjoint bit masks of classes, with the local that they lead to.
        parts: sets of parts that some exit leaves; the first is the one at the beginning of the text.
        begin: (part set, lexer) -> local or ``DEAD``, for the pairs that can occur.
        may_end: of each local: it is fresh, and the text may end here.
        exits: of each local: type -> part set.

    """

    def __init__(self, closures: Closures, lexing: Lexing, first_lexer: int) -> None:
        """Build everything that can be reached from the beginning of the text.

        Raises:
            LimitExceeded: there are more than ``MAX_LOCALS`` local states, or they take more than ``MAX_WORK``.

        """
        self._lexing = lexing
        self._lexemes = Lexemes(closures, lexing)
        self.locals: list[Local] = []
        self.rows: list[list[tuple[int, int]]] = []
        self.parts: list[frozenset[Part]] = []
        self.begin: dict[tuple[int, int], int] = {}
        self.may_end: list[bool] = []
        self.exits: list[dict[int, int]] = []
        self._local_ids: dict[Local, int] = {}
        self._part_ids: dict[frozenset[Part], int] = {}
        self._lexers_of: list[int] = []  # bit masks: within lexemes of which lexers a local is reached
        self._done: list[int] = []  # and which of them have been followed
        self._work: list[int] = []
        self._begin(self._part(frozenset([self._lexemes.start()])), [first_lexer])
        self._explore()

    def _explore(self) -> None:
        """Follow every transition and every exit until nothing is new."""
        nexts, newline = self._lexing.next_lexers, self._lexing.newline
        while self._work:
            here = self._work.pop()
            fresh = self._lexers_of[here] & ~self._done[here]
            is_new = not self._done[here]
            self._done[here] |= fresh
            if is_new:
                self.rows[here] = [
                    (mask, self._intern(local)) for mask, local in self._lexemes.transitions(self.locals[here])
                ]
                if self._lexemes.spent > MAX_WORK:
                    raise self._too_many("MAX_WORK", MAX_WORK, "takes more than {} moves to build")
                for kind, part in self.exits[here].items():
                    self._begin(part, nexts.get(kind, ()))
            for _, target in self.rows[here]:
                self._spread(target, fresh)
            for kind, part in self.exits[here].items():
                if kind in {IGNORED, newline}:  # the lexer stays the same where the parser is not fed
                    self._begin(part, [k for k in range(fresh.bit_length()) if fresh >> k & 1])

    def _spread(self, local: int, lexers: int) -> None:
        """Note that a local is reached within lexemes of these lexers, a bit mask."""
        if lexers & ~self._lexers_of[local]:
            if self._lexers_of[local] == self._done[local]:
                self._work.append(local)
            self._lexers_of[local] |= lexers

    def _begin(self, part: int, lexers: Iterable[int]) -> None:
        for lexer in lexers:
            key = (part, lexer)
            if key not in self.begin:
                local = self._lexemes.first(self.parts[part], lexer)
                self.begin[key] = DEAD if local is None else self._intern(local)
            if self.begin[key] != DEAD:
                self._spread(self.begin[key], 1 << lexer)

    def _part(self, parts: frozenset[Part]) -> int:
        number = self._part_ids.setdefault(parts, len(self.parts))
        if number == len(self.parts):
            self.parts.append(parts)
        return number

    def _intern(self, local: Local) -> int:
        number = self._local_ids.setdefault(local, len(self.locals))
        if number == len(self.locals):
            if number >= MAX_LOCALS:
                raise self._too_many("MAX_LOCALS", MAX_LOCALS, "has more than {} states")
            self.locals.append(local)
            self.rows.append([])
            self.exits.append({kind: self._part(parts) for kind, parts in local.exits})
            self.may_end.append(self._lexemes.may_end(local))
            self._lexers_of.append(0)
            self._done.append(0)
        return number

    def _too_many(self, limit: str, value: int, what: str) -> LimitExceeded:
        """Name the terminals that most of the latest guards and threads belong to."""
        blame: Counter[str] = Counter()
        for local in self.locals[-2000:]:
            blame.update(self._lexing.names[x] for x in self._lexemes.owners(local))
        names = ", ".join(name for name, _ in blame.most_common(3))
        return LimitExceeded(
            f"the lexer {what.format(value)}; most of its states keep track of the terminals {names}",
            limit=limit,
            value=value,
            hint="make these patterns simpler, above all counted repetitions and look-arounds",
        )
