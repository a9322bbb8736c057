"""Above which states of the table a fixed text can be read on, whatever lies below them: what has no future is not entered.

Nearly all ways into a fixed text die within it, and each is tried above many stacks.  So it is settled once, from the right, on which
states a text can be read up to its end or for ``WINDOW`` bytes.  Of the stack only the top is known: a reduction that pops more leads to every state that
the graph of the table offers, so the answer errs to one side only, and a state that is missing reads the text above no stack.  Sets of
states are integers, a bit for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...grammar.parsing import IGNORED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .parser import ParserSystem

WINDOW: Final = 512
"""Bytes of a text that are looked at ahead, at least, and at most twice as many."""

ANY: Final = -1
"""Any number of open brackets, where it is not known."""

_Key = tuple[int, int, int, int, int]


class Feeding:
    """What feeding a terminal makes of the state on top, if nothing is known below it."""

    def __init__(self, action: list[list[int]], goto: list[list[int]], length: list[int], lhs: list[int]) -> None:
        self._action, self._goto, self._length, self._lhs = action, goto, length, lhs
        n = len(self._action)
        self.all = (1 << n) - 1
        self._before: list[set[int]] = [set() for _ in range(n)]
        for state, (actions, gotos) in enumerate(zip(self._action, self._goto, strict=True)):
            for target in {a - 1 for a in actions if a > 0} | {t for t in gotos if t >= 0}:
                self._before[target].add(state)
        self._reduced: dict[tuple[int, int], list[int]] = {}
        self._after: dict[int, list[tuple[int, int]]] = {}
        self._above: dict[tuple[int, int], int] = {}

    def above(self, terminal: int, states: int) -> int:
        """The states above which the terminal can be fed so that one of some states is on top then."""
        key = (terminal, states)
        found = self._above.get(key)
        if found is None:
            found = sum(1 << state for state, after in self._tops_after(terminal) if after & states)
            self._above[key] = found
        return found

    def _tops_after(self, terminal: int) -> list[tuple[int, int]]:
        """(state, states that may be on top after the terminal) where there are any: a least fixed point along the reductions."""
        found = self._after.get(terminal)
        if found is not None:
            return found
        tops = [0] * len(self._action)
        users: dict[int, list[int]] = {}
        work: list[int] = []
        for state, row in enumerate(self._action):
            action = row[terminal]
            if action > 0:
                tops[state] = 1 << (action - 1)
                work.append(state)
            elif action < 0:
                for target in self._reductions(state, -1 - action):
                    users.setdefault(target, []).append(state)
        while work:
            here = work.pop()
            for state in users.get(here, ()):
                if tops[here] & ~tops[state]:
                    tops[state] |= tops[here]
                    work.append(state)
        found = self._after[terminal] = [(state, after) for state, after in enumerate(tops) if after]
        return found

    def _reductions(self, state: int, rule: int) -> list[int]:
        """The states that a reduction may put on top."""
        key = (state, rule)
        found = self._reduced.get(key)
        if found is None:
            below = {state}
            for _ in range(self._length[rule]):
                below = {x for y in below for x in self._before[y]}
            found = self._reduced[key] = sorted({to for x in below if (to := self._goto[x][self._lhs[rule]]) >= 0})
        return found


class Readable:
    """The states above which the texts of a system can be read."""

    def __init__(self, system: ParserSystem) -> None:
        """Prepare; nothing is computed yet."""
        self._system = system
        self._tables = system.tables
        self._layout = system.layout
        self._feeding = system.tables.feeding
        self.all = self._feeding.all
        self._found: dict[_Key, int] = {}
        self._readers_of: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self._by_lexer: dict[int, int] = {}
        for state, lexer in enumerate(self._tables.lexer):
            if lexer >= 0:
                self._by_lexer[lexer] = self._by_lexer.get(lexer, 0) | 1 << state
        ends = [self._tables.end]
        if self._layout is not None:
            ends.append(self._layout.dedent)
        self._ending = sum(1 << s for s, row in enumerate(self._tables.action) if any(row[end] for end in ends))

    def tops(self, index: int, at: int, part: int, brackets: int) -> int:
        """The states above which a text can be read on from a place where a lexeme begins, with what the one before left, and so many brackets open."""
        brackets = ANY if self._layout is None else brackets
        root = (index, at, part, brackets, at - at % WINDOW + 2 * WINDOW)
        work = [root]
        while work:
            key = work[-1]
            if key not in self._found:
                ways = self._ways(key)
                missing = [then for _, _, then in ways if then not in self._found and then[1] < then[4]]
                if missing:
                    work += missing
                    continue
                self._found[key] = self._settled(key, ways)
            work.pop()
        return self._found[root]

    def before(self, kinds: Sequence[int], tops: int) -> tuple[int, ...]:
        """The states above which some terminals can be fed one after another so that one of ``tops`` is on top then: before each terminal, and ``tops``."""
        found = [tops]
        for kind in reversed(kinds):
            found.append(self._feeding.above(kind, found[-1]))
        return tuple(found[::-1])

    def _ways(self, key: _Key) -> list[tuple[int, int, _Key]]:
        """The lexemes that may come next: the states that read one, its type, and the place behind it."""
        index, at, part, brackets, stop = key
        layout = self._layout
        found: list[tuple[int, int, _Key]] = []
        text = self._system.texts[index]
        for local, states in self._readers(part, text[at]) if at < len(text) else ():
            for lexeme in self._system.ends_of(index, at, local, -1)[0]:
                inside = brackets
                if layout is not None and brackets != ANY:
                    inside += (lexeme.kind in layout.opening) - (lexeme.kind in layout.closing)
                    if inside < 0:
                        continue
                found.append((states, lexeme.kind, (index, lexeme.at, lexeme.part, inside, stop)))
        return found

    def _readers(self, part: int, byte: int) -> list[tuple[int, int]]:
        """The scanner's states that the next lexeme may begin in with a byte (-1: at the end of a text), and the parser's states that read it there.

        Of those that the byte leads to the same state one stands for all.
        """
        found = self._readers_of.get((part, byte))
        if found is None:
            by_target: dict[int, tuple[int, int]] = {}
            for lexer, states in self._by_lexer.items():
                local = self._tables.begin[part][lexer]
                target = self._tables.reader.row(local)[byte] if local >= 0 <= byte else local
                if target >= 0:
                    first, others = by_target.get(target, (local, 0))
                    by_target[target] = (first, others | states)
            found = self._readers_of[part, byte] = list(by_target.values())
        return found

    def _settled(self, key: _Key, ways: list[tuple[int, int, _Key]]) -> int:
        index, at, part, brackets, _ = key
        texts = self._system.texts
        tops = 0
        byte = texts[index][at] if at < len(texts[index]) else -1
        for local, states in self._readers(part, byte):
            if index + 1 < len(texts):
                if self._system.ends_of(index, at, local, -1)[1] is not None:
                    tops |= states
            elif at == len(texts[index]) and self._tables.may_end[local]:
                tops |= states & self._ending
        for states, kind, then in ways:
            on = self._found[then] if then[1] < then[4] else self.all
            if states & ~tops and on:
                tops |= states & self._fed(kind, on, brackets)
        return tops

    def _fed(self, kind: int, tops: int, brackets: int) -> int:
        """The states above which a lexeme of a type leads to one of some."""
        if kind == IGNORED:
            return tops
        layout, above = self._layout, self._feeding.above
        if layout is None or kind != layout.newline:
            return above(kind, tops)
        if brackets > 0:
            return tops
        after = tops | above(layout.indent, tops)
        less = above(layout.dedent, tops)
        while less & ~after:
            after |= less
            less = above(layout.dedent, after)
        found = above(layout.newline, after)
        return found | tops if brackets == ANY else found
