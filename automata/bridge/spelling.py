"""From a way through a parser's moves to texts for its gaps: symbols become terminals, and terminals lexemes that do not run together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from .labels import Entered, Feeds, Filled, Read, Skipped, Top

if TYPE_CHECKING:
    from .parser import ParserSystem

MOST_WAYS: Final = 6
"""Texts of a gap that are kept, shortest first; they leave different parts of the scanner."""

Ways = dict[int, list[bytes]]
"""Of each scanner's state that the next lexeme begins in, or that is open: texts of the gap so far."""


def spell(system: ParserSystem, stack: Sequence[Top], local: int, labels: Iterable[object]) -> list[list[bytes]] | None:
    """Texts for the gaps of a way, for each gap the likeliest first.

    Args:
        system: whose way it is.
        stack: the stack that it begins with, from the bottom.
        local: the scanner's state that it begins in.
        labels: those of its moves.

    Returns:
        For each gap some texts; None if a terminal cannot be spelled where it stands.

    """
    speller = _Speller(system, stack, local)
    for label in _merged(labels):
        if isinstance(label, Read):
            speller.read(label)
        elif isinstance(label, Skipped):
            speller.skip(label)
        elif isinstance(label, Entered):
            speller.ways = {local: [b""] for local in speller.ways}
        elif isinstance(label, Filled) and not speller.fill(label):
            return None
    return speller.gaps


def _merged(labels: Iterable[object]) -> list[object]:
    """The same with neighbouring fills of a gap as one."""
    found: list[object] = []
    for label in labels:
        last = found[-1] if found else None
        if isinstance(label, Filled) and isinstance(last, Filled) and last.gap == label.gap:
            found[-1] = Filled(label.gap, last.symbols + label.symbols)
        else:
            found.append(label)
    return found


class _Speller:
    def __init__(self, system: ParserSystem, stack: Sequence[Top], local: int) -> None:
        self.system = system
        self.tables = system.tables
        self.stack = list(stack)
        self.gaps: list[list[bytes]] = [[b""] for _ in system.texts]
        self.ways: Ways = {local: [b""]}

    def read(self, label: Read) -> None:
        """A lexeme that was chosen with its text."""
        if label.gap >= 0:
            self._close(label.gap, label.text)
        texts = [x for some in self.ways.values() for x in some] if label.gap < 0 else self.gaps[label.gap]
        self._feed(label.feeds)
        self._land({label.part: texts if label.gap >= 0 else [b""]})

    def skip(self, label: Skipped) -> None:
        """A lexeme that goes on over a whole text."""
        self._close(label.gap, label.text)
        self.ways = {local: [b""] for local in self.ways}

    def _close(self, gap: int, text: bytes) -> None:
        """The texts of a gap, which end with ``text``."""
        self.gaps[gap] = _shortest(x + text for some in self.ways.values() for x in some)

    def fill(self, label: Filled) -> bool:
        """Spell symbols; False where that fails."""
        layout = self.system.layout
        terminals: list[tuple[int, int]] = []
        for symbol in label.symbols:
            if isinstance(symbol, tuple):
                terminals.append(symbol)
            else:
                terminals += [(t, -1) for t in self.tables.derived(symbol)]
        i = 0
        while i < len(terminals):
            kind, _ = terminals[i]
            i += 1
            feeds: Feeds = ((kind, -1),)
            column = -1
            if layout is not None and kind == layout.newline:
                context = self.stack[-1].context
                column, dedents = context.innermost, 0
                while i < len(terminals) and terminals[i][0] in {layout.indent, layout.dedent}:
                    if terminals[i][0] == layout.indent:
                        column = terminals[i][1] if terminals[i][1] >= 0 else column + 4
                        feeds = (*feeds, (layout.indent, column))
                    else:
                        dedents += 1
                        columns = context.columns[: len(context.columns) - dedents]
                        column = columns[-1] if columns else 0
                        feeds = (*feeds, (layout.dedent, -1))
                    i += 1
            ways = self._spelled(kind, column)
            if not ways or not self._feed(feeds):
                return False
            self._land(ways)
        self._close(label.gap, b"")
        return True

    def _spelled(self, kind: int, column: int) -> Ways:
        """Texts with a lexeme of a type behind them, by the part that it leaves; an ignored one may come before it."""
        found: Ways = {}
        lexer = self.tables.lexer[self.stack[-1].state]
        for local, texts in self.ways.items():
            begins = [(b"", local)]
            begins += [(x.text, self.tables.begin[x.part][lexer]) for x in self.tables.ignored(local)]
            for text, begin in begins:
                for spelled in self.tables.reader.spelled(begin, -1) if begin >= 0 else ():
                    exits = self.tables.reader.exits[spelled.local]
                    parts = {part for which, part in exits if which == kind}
                    if not parts or (column >= 0 and spelled.column < 0):
                        continue
                    more = text + spelled.text + b" " * max(column - max(spelled.column, 0), 0) * (column >= 0)
                    for part in parts:
                        found.setdefault(part, []).extend(x + more for x in texts)
        return {part: _shortest(texts) for part, texts in found.items()}

    def _land(self, by_part: Ways) -> None:
        """Where the next lexeme begins, by the part that is left and the lexer of the state on top."""
        lexer = self.tables.lexer[self.stack[-1].state]
        self.ways = {}
        for part, texts in by_part.items():
            local = self.tables.begin[part][lexer]
            if local >= 0:
                self.ways[local] = _shortest([*self.ways.get(local, ()), *texts])

    def _feed(self, feeds: Feeds) -> bool:
        """Run the table."""
        tables = self.tables
        for kind, column in feeds:
            while True:
                action = tables.action[self.stack[-1].state][kind]
                if action == 0:
                    return False
                if action > 0:
                    context = self.system.context_above(self.stack[-1].context, kind, column)
                    self.stack.append(Top(action - 1, context))
                    break
                length, lhs = tables.length[-1 - action], tables.lhs[-1 - action]
                del self.stack[len(self.stack) - length :]
                target = tables.goto[self.stack[-1].state][lhs]
                if target < 0:
                    return False
                self.stack.append(Top(target, self.stack[-1].context))
        return True


def _shortest(texts: Iterable[bytes]) -> list[bytes]:
    return sorted(dict.fromkeys(texts), key=len)[:MOST_WAYS]
