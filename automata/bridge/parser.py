"""A grammar with a lexer as a pushdown system: gaps are filled symbol by symbol, fixed text is read lexeme by lexeme.

What a parser's stack can become is spelled by symbols of the grammar: terminals, and nonterminals that are over.  So a gap need not be explored terminal by
terminal: a move pushes the state that a whole symbol leads to, at the cost of the symbol's shortest text, or completes a rule whose beginning lies on the stack.
Only in fixed text are lexemes read and is the table run.

An indenter needs the open columns, which lie deep in the stack.  Rules are balanced in indents and brackets (``grammar.lark.indentation``), so whatever is reduced
leaves the columns as they were: each symbol carries the columns and brackets that are open above it, its *context*, and a newline is settled by the
symbol on top.

Controls:

* ``("open", gap, local, column)``: at the beginning of a gap, within the lexeme that the text before it left open;
* ``("base", gap, local)``: in a gap, between lexemes, above symbols that were there before; the next lexeme begins in ``local``, -1 if none can;
* ``("filled", gap, local)``: the same above a symbol that the gap itself pushed;
* ``("complete", gap, left, lhs, local)``: a rule is over, and so many of its symbols are still to be popped;
* ``("text", index, at, local)``: in a fixed text, where a lexeme begins;
* ``("pop", left, lhs, options)``: the same as *complete*, for options that wait to be fed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ...grammar.parsing import IGNORED
from .blocks import Blocks
from .labels import Context, Entered, Feeds, Filled, Read, Skipped, Top
from .pushdown import END, Move
from .readable import ANY, Readable
from .reader import BYTE, Spelled
from .symbols import UNSPELLABLE

if TYPE_CHECKING:
    from .symbols import Symbols

BLANK: Final = 1
"""The cost of a blank at the beginning of a line."""

READ_WORTH: Final = 30 * BYTE
"""What a way may cost more than another which has read a fixed text less, and is looked at first all the same."""

DEEPER_COST: Final = 4 * BYTE
"""What it costs for a block to begin at another column than the nearest, for each in between."""

SWALLOWED_COST: Final = 4 * BYTE
"""What it costs for each byte of a fixed text to become part of a lexeme that a gap has part in, as of a comment or a string."""

SWALLOWED_AT_MOST: Final = 8 * BYTE
"""The most that it costs: a text may begin within what was a long string."""


PADS: Final = (b"", b"0", b"00", b"0000", b"00000000", b"}", b"x}")
"""What a lexeme may need before it ends that no grammar sees: digits of an escape sequence, the end of an expression within a string."""

PADDED_COST: Final = 2 * BYTE
"""What each byte of a pad costs besides."""


class _Lexeme(NamedTuple):
    """The end of a lexeme: its type, what is left for the next one, the column of a newline or -1; where in the fixed text it ends."""

    kind: int
    part: int
    column: int
    at: int


class _Option(NamedTuple):
    """One thing to do at a place: terminals to feed, and the control that it leads to, the part always last.

    ``tops`` are the states of the table (a bit for each) that may be on top before each terminal, and behind the last.
    """

    feeds: Feeds
    where: tuple[Any, ...] | None
    tops: tuple[int, ...]
    cost: int
    label: object


class ParserSystem:
    """The moves of a parser over gaps and fixed text: gap 0, text 0, gap 1, text 1, and so on to the end of the last text."""

    def __init__(self, tables: Symbols, texts: Sequence[bytes]) -> None:
        """Lay out the texts."""
        self.tables = tables
        self.layout = tables.layout
        self.texts = list(texts)
        self.newline = tables.reader.newline
        self._readable = Readable(self)
        self._blocks = Blocks(self.texts, tables.reader.tab if tables.layout is not None else 0)
        self._padded: set[int] = set()
        self._progress: dict[Any, int] = {}
        self._moves: dict[Any, list[Move]] = {}
        self._ends: dict[Any, tuple[list[_Lexeme], tuple[int, int] | None]] = {}
        self._options: dict[Any, list[_Option]] = {}
        self._overs: dict[tuple[int, int, int], list[tuple[tuple[str, int, int, int], int, Skipped]]] = {}
        self._groups: list[tuple[_Option, ...]] = []
        self._group_of: dict[tuple[_Option, ...], int] = {}

    def pad(self, gap: int) -> None:
        """From now on, let a lexeme that is open where a gap begins go on by one of ``PADS`` as well."""
        if gap in self._padded:
            return
        self._padded.add(gap)
        self._moves = {x: y for x, y in self._moves.items() if x[0][:2] != ("open", gap)}
        self._options = {x: y for x, y in self._options.items() if x[1] != gap}
        self._overs = {x: y for x, y in self._overs.items() if x[0] != gap}

    def _spelled(self, gap: int, local: int, column: int, *, begun: bool) -> Iterable[tuple[bytes, Spelled]]:
        """What a lexeme may become in a gap, each with the pad that it begins with."""
        reader = self.tables.reader
        if not begun or gap not in self._padded:
            for x in reader.spelled(local, column):
                yield b"", x
            return
        for pad in PADS:
            after, at = local, column
            for byte in pad:
                after = reader.row(after)[byte] if after >= 0 else -1
                at = reader.column(at, byte, after) if after >= 0 else -1
            if after >= 0:
                for x in reader.spelled(after, at):
                    yield pad, x._replace(text=pad + x.text, cost=x.cost + PADDED_COST * len(pad))

    @staticmethod
    def opened(local: int, column: int, gap: int = 0) -> tuple[str, int, int, int]:
        """The control at the beginning of a gap; ``column`` is that of an open newline, else -1."""
        return ("open", gap, local, column)

    def moves(self, control: Any, symbol: Any) -> Iterable[Move]:  # noqa: ANN401 - of this system
        """The moves of a control with a symbol on top; see ``pushdown``."""
        key = (control, symbol)
        found = self._moves.get(key)
        if found is None:
            found = self._moves[key] = list(getattr(self, f"_{control[0]}")(symbol, *control[1:]))
        return found

    def progress(self, control: Any, symbol: Any) -> int:  # noqa: ANN401 - of this system
        """What has been read of the texts, a little for each byte up to a limit for each text; less where blocks are not open that the next text seems to close."""
        if control[0] not in {"text", "pop"}:
            gap = control[1]
            return READ_WORTH * int(gap) - self._blocks.missing(symbol.context, gap)
        found = self._progress.get(control)
        if found is None:
            places = [control[1:3]]
            if control[0] == "pop":
                places = [
                    x.where[1:3] if x.where is not None else (len(self.texts), 0) for x in self._groups[control[3]]
                ]
            found = self._progress[control] = max(READ_WORTH * i + min(at, READ_WORTH) for i, at in places)
        return found

    # --- gaps -----------------------------------------------------------------------------------------------------

    def _open(self, top: Top, gap: int, local: int, column: int) -> Iterable[Move]:
        """End the lexeme that is open, in the gap or in the text behind it."""
        if local in self.tables.begins:
            yield from self._base(top, gap, local)
        yield from self._feed([top], self._gap_options(top.context, gap, local, column, crossing=False))
        yield from self._over(top, gap, local, column)
        if gap + 1 == len(self.texts) and not self.texts[gap]:
            yield from self._at_end(top, gap, local)

    def _base(self, top: Top, gap: int, local: int) -> Iterable[Move]:
        """Between two lexemes, above symbols that the gap did not push."""
        yield from self._between(top, gap, local, "base")
        for found in self.tables.completions[top.state]:
            after = self.tables.begins_after(top.state, found.rest, local)
            if after == UNSPELLABLE:
                continue
            label = Filled(gap, found.rest) if found.rest else None
            yield Move(("complete", gap, found.pops - 1, found.lhs, after), (), found.cost, label)

    def _filled(self, top: Top, gap: int, local: int) -> Iterable[Move]:
        """Between two lexemes, above a symbol that the gap pushed: a rule that it completes is as well pushed whole."""
        yield from self._between(top, gap, local, "filled")

    def _between(self, top: Top, gap: int, local: int, kind: str) -> Iterable[Move]:
        """Push a symbol, put something ignored, or enter the fixed text."""
        tables, layout = self.tables, self.layout
        if local >= 0:
            yield from self._feed([top], self._gap_options(top.context, gap, local, -1, crossing=True))
            yield from self._over(top, gap, local, -1)
            if not self.texts[gap]:
                yield from self._at_end(top, gap, local)
            for ignored in tables.ignored(local):
                label = Read(gap, ignored.text, (), ignored.part)
                yield Move((kind, gap, ignored.after), (top,), ignored.cost, label)
        for symbol, state, cost in tables.pushes(top.state):
            after = tables.begins_after(top.state, (symbol,), local)
            if after == UNSPELLABLE:
                continue
            control = ("filled", gap, after)
            if layout is not None and symbol in {layout.indent, layout.dedent}:
                for rank, column in enumerate(self._blocks.begins(top.context, gap) if symbol == layout.indent else ()):
                    opened = Top(state, self.context_above(top.context, symbol, column))
                    yield Move(control, (opened, top), cost + rank * DEEPER_COST, Filled(gap, ((symbol, column),)))
            else:
                context = self.context_above(top.context, symbol, -1)
                yield Move(control, (Top(state, context), top), cost, Filled(gap, (symbol,)))

    def _complete(self, top: Top, gap: int, left: int, lhs: int, local: int) -> Iterable[Move]:
        """Pop the symbols of a rule that is over."""
        if left:
            yield Move(("complete", gap, left - 1, lhs, local), (), 0, None)
            return
        target = self.tables.goto[top.state][lhs]
        if target == self.tables.lalr.accept and top.state == self.tables.lalr.start:
            if gap + 1 == len(self.texts) and not self.texts[gap]:
                yield Move(END, (), 0, None)
        elif target >= 0:
            yield Move(("base", gap, local), (Top(target, top.context), top), 0, None)

    def _gap_options(self, context: Context, gap: int, local: int, column: int, *, crossing: bool) -> list[_Option]:
        """What the lexeme that is open can become, whatever the parser takes; ``crossing``: only where it ends in the fixed text."""
        if self.layout is None:
            context = Context()
        key = (context, gap, local, column, crossing)
        found = self._options.get(key)
        if found is not None:
            return found
        reader = self.tables.reader
        best: dict[tuple[_Lexeme, tuple[Any, ...], bytes], tuple[int, bytes]] = {}
        for pad, spelled in self._spelled(gap, local, column, begun=not crossing):
            for wanted in self._blocks.columns(context, gap, spelled.column):
                more = wanted - spelled.column
                state = reader.blanks(spelled.local, more)
                if state < 0:
                    continue
                text = spelled.text + b" " * more
                spent = spelled.cost + BLANK * more
                for kind, part in () if crossing else reader.exits[state]:
                    lexeme = _Lexeme(kind, part, wanted if kind == self.newline else -1, 0)
                    _keep_least(best, (lexeme, ("base", gap, part), pad), spent, text)
                for lexeme in self.ends_of(gap, 0, state, wanted)[0]:
                    swallowed = len(self.texts[gap][: lexeme.at].strip()) if text.strip() else 0
                    cost = spent + min(SWALLOWED_COST * swallowed, SWALLOWED_AT_MOST)
                    _keep_least(best, (lexeme, ("text", gap, lexeme.at, lexeme.part), pad), cost, text)
        options = (self._option(context, x, where, text, gap, cost) for (x, where, _), (cost, text) in best.items())
        found = self._options[key] = [x for x in options if x is not None]
        return found

    def _over(self, top: Top, gap: int, local: int, column: int) -> Iterable[Move]:
        """Let the lexeme that is open go on over the whole text into the next gap."""
        if gap + 1 == len(self.texts):
            return
        key = (gap, local, column)
        moves = self._overs.get(key)
        if moves is None:
            best: dict[tuple[tuple[int, int], bytes], tuple[int, bytes]] = {}
            length = len(self.texts[gap].strip())
            for pad, spelled in self._spelled(gap, local, column, begun=True):
                rest = self.ends_of(gap, 0, spelled.local, spelled.column)[1]
                if rest is not None:
                    cost = spelled.cost
                    if spelled.text.strip():
                        cost += min(SWALLOWED_COST * length, SWALLOWED_AT_MOST)
                    _keep_least(best, (rest, pad), cost, spelled.text)
            moves = self._overs[key] = [
                (self.opened(*rest, gap + 1), cost, Skipped(gap, text)) for (rest, _), (cost, text) in best.items()
            ]
        for control, cost, label in moves:
            yield Move(control, (top,), cost, label)

    # --- fixed text -----------------------------------------------------------------------------------------------

    def _text(self, top: Top, index: int, at: int, local: int) -> Iterable[Move]:
        """Read a lexeme of a fixed text."""
        lexemes, rest = self.ends_of(index, at, local, -1)
        found = [self._option(top.context, x, ("text", index, x.at, x.part), b"", -1) for x in lexemes]
        yield from self._feed([top], [x for x in found if x is not None])
        if rest is not None and index + 1 < len(self.texts):
            yield Move(self.opened(*rest, index + 1), (top,), 0, Entered(index + 1))
        if at == len(self.texts[index]):
            yield from self._at_end(top, index, local)

    def _at_end(self, top: Top, index: int, local: int) -> Iterable[Move]:
        """The end of the whole text, where a lexeme would begin."""
        if index + 1 == len(self.texts) and self.tables.may_end[local]:
            feeds: Feeds = ((self.tables.end, -1),)
            if self.layout is not None:
                feeds = ((self.layout.dedent, -1),) * len(top.context.columns) + feeds
            yield from self._feed([top], [_Option(feeds, None, (self._readable.all,) * (len(feeds) + 1), 0, None)])

    def ends_of(self, index: int, at: int, local: int, column: int) -> tuple[list[_Lexeme], tuple[int, int] | None]:
        """Where a lexeme that is open at a place of a text may end in it, and the (state, column) at the text's end if it may go on."""
        key = (index, at, local, column)
        found = self._ends.get(key)
        if found is None:
            reader, text = self.tables.reader, self.texts[index]
            lexemes: list[_Lexeme] = []
            while at < len(text):
                byte = text[at]
                local = reader.row(local)[byte]
                if local < 0:
                    break
                at += 1
                column = reader.column(column, byte, local)
                for kind, part in reader.exits[local]:
                    if at == len(text) or reader.follow[part][text[at]]:
                        lexemes.append(_Lexeme(kind, part, column, at))
            found = self._ends[key] = (lexemes, (local, column) if local >= 0 else None)
        return found

    # --- the table ------------------------------------------------------------------------------------------------

    def _option(
        self, context: Context, lexeme: _Lexeme, where: tuple[Any, ...], text: bytes, gap: int, cost: int = 0
    ) -> _Option | None:
        """A lexeme with what is fed for it."""
        feeds: Feeds = () if lexeme.kind == IGNORED else ((lexeme.kind, -1),)
        if lexeme.kind == self.newline:
            settled = self._settle(context, lexeme.column)
            if settled is None:
                return None
            feeds = settled
        tops = self._tops(context, feeds, where)
        return _Option(feeds, where, tops, cost, Read(gap, text, feeds, lexeme.part)) if tops[0] else None

    def _tops(self, context: Context, feeds: Feeds, where: tuple[Any, ...]) -> tuple[int, ...]:
        """``_Option.tops``."""
        kinds = [kind for kind, _ in feeds]
        if where[0] != "text":
            return self._readable.before(kinds, self._readable.all)
        inside = ANY
        if self.layout is not None and not context.brackets:
            if self.layout.closing.intersection(kinds):
                return (0,)
            inside = len(self.layout.opening.intersection(kinds))
        _, index, at, part = where
        return self._readable.before(kinds, self._readable.tops(index, at, part, inside))

    def _settle(self, context: Context, column: int) -> Feeds | None:
        """What an indenter feeds for a newline; None where it rejects the text."""
        if context.brackets:
            return ()
        if column < 0 or self.layout is None:
            return None
        dedents = sum(open_ > column for open_ in context.columns)
        innermost = context.columns[-1 - dedents] if dedents < len(context.columns) else 0
        newline = ((self.layout.newline, -1),)
        if column == innermost:
            return newline + ((self.layout.dedent, -1),) * dedents
        return None if dedents else (*newline, (self.layout.indent, column))

    def _feed(self, stack: list[Top], options: Sequence[_Option]) -> Iterable[Move]:
        """Run the parser on what is known of its stack, for all options whose terminals lead to the same reductions at once.

        The first symbol of the stack has been popped from the search's.
        """
        tables = self.tables
        work: list[tuple[list[Top], Sequence[_Option]]] = [(stack, options)]
        while work:
            stack, options = work.pop()
            state = stack[-1].state
            row = tables.action[state]
            reduced: dict[int, list[_Option]] = {}
            for option in options:
                if not option.tops[0] >> state & 1:
                    continue
                if not option.feeds:
                    yield from self._land(stack, option)
                    continue
                kind, opens = option.feeds[0]
                action = row[kind]
                if action < 0:
                    reduced.setdefault(action, []).append(option)
                elif action > 0:
                    top = Top(action - 1, self.context_above(stack[-1].context, kind, opens))
                    work.append(([*stack, top], [option._replace(feeds=option.feeds[1:], tops=option.tops[1:])]))
            for action, group in reduced.items():
                length, lhs = tables.length[-1 - action], tables.lhs[-1 - action]
                if length >= len(stack):
                    yield Move(("pop", length - len(stack), lhs, self._group(group)), (), 0, None)
                else:
                    yield from self._goto(stack[: len(stack) - length], lhs, group, work)

    def _goto(
        self, stack: list[Top], lhs: int, options: Sequence[_Option], work: list[tuple[list[Top], Sequence[_Option]]]
    ) -> Iterable[Move]:
        """The end of a reduction: push what the table says, and let the options be fed again."""
        target = self.tables.goto[stack[-1].state][lhs]
        if target == self.tables.lalr.accept and options[0].feeds[0][0] == self.tables.end:
            yield Move(END, (), 0, None)
        elif target >= 0:
            work.append(([*stack, Top(target, stack[-1].context)], options))

    def _land(self, stack: list[Top], option: _Option) -> Iterable[Move]:
        """All is fed: the next lexeme begins."""
        where = option.where
        if where is not None:
            local = self.tables.begin[where[-1]][self.tables.lexer[stack[-1].state]]
            if local >= 0:
                yield Move((*where[:-1], local), tuple(reversed(stack)), option.cost, option.label)

    def _pop(self, top: Top, left: int, lhs: int, group: int) -> Iterable[Move]:
        """Go on with a reduction."""
        if left:
            yield Move(("pop", left - 1, lhs, group), (), 0, None)
            return
        work: list[tuple[list[Top], Sequence[_Option]]] = []
        yield from self._goto([top], lhs, self._groups[group], work)
        for stack, options in work:
            yield from self._feed(stack, options)

    def _group(self, options: list[_Option]) -> int:
        """The number of a set of options."""
        key = tuple(options)
        found = self._group_of.get(key)
        if found is None:
            found = self._group_of[key] = len(self._groups)
            self._groups.append(key)
        return found

    def context_above(self, context: Context, kind: int, column: int) -> Context:
        """The context above a symbol."""
        layout = self.layout
        if layout is None:
            return context
        if kind == layout.indent:
            return Context((*context.columns, column), context.brackets)
        if kind == layout.dedent:
            return Context(context.columns[:-1], context.brackets)
        if kind in layout.opening:
            return context.opened()
        if kind in layout.closing:
            return context.closed()
        return context


def _keep_least(best: dict[Any, tuple[int, bytes]], key: Any, cost: int, text: bytes) -> None:  # noqa: ANN401 - any key
    if key not in best or cost < best[key][0]:
        best[key] = (cost, text)
