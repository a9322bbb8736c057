"""How many bytes complete a text that a parse table reads.

The bound of a scanner's state on a stack is the least, over the terminals that the open lexeme may become and that the stack takes, of

* the bytes from there to the end of the lexeme, ignored lexemes in between included, and
* what the stack costs after the terminal: the least sum of terminals' costs over the ways to complete its LR(0) items.

A terminal's own cost is what it takes at worst, whatever may have come before it, so following the cheapest way never costs more than was foreseen:
the bound is a potential.  It is no minimum, since a lexeme can mostly be joined to the one before more cheaply than at worst.

Not all that the items say is parsed where Lark resolved a conflict, or where some lexemes cannot follow one another.  There terminals are tried on the stack
itself, and the items only lead the search; see ``search``.

With an indenter a newline also costs the blanks to the innermost open column, one more where it indents; costs are kept per such column.  A dedent
comes with a newline, but only if the one before it did not end its line already: so at worst it costs a line.
"""

from __future__ import annotations

import heapq
import weakref
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import layout as lay
from ..arena import check
from ..indenter import COLUMNS, EVERY, open_columns
from .items import FAR, Item, items
from .keys import UNREACHABLE
from .lexemes import Lexemes
from .lookaheads import is_free_of_conflicts
from .search import Completions
from .summaries import Summaries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...grammar.parsing import Indentation, Parser
    from ..store import Store

Ints = npt.NDArray[np.int64]
LOOSE: Final = 1 << 50
"""Added to a cost that hangs on what the grammar derives but may not be parsed: it counts only where there is no other."""
MOST_CELLS: Final = 200_000
"""Cells that are remembered; beyond it all are forgotten."""
INDENT_COST: Final = 8
"""At worst, what lines within a block take more than those around it: its column is one greater, and the shortest block has few lines."""
MOST_NEWLINES: Final = 3
"""Newlines in a row that a completion may begin with."""
Cell = int
BOTTOM: Final = 0
"""The cell below every stack."""


class _Plan(NamedTuple):
    """What completing a text hangs on for the states that may lie directly above one.

    Attributes:
        into: state -> states with a rule of which they have seen one symbol and that leads to it, with the rest of the rule.
        ends: (cost, state) where the rule is the whole text.
        lower: states with rules that end further below.

    """

    into: dict[int, list[tuple[int, int]]]
    ends: list[tuple[int, int]]
    lower: list[tuple[int, list[Item]]]


class ParserBounds:
    """Costs over the parsers of one store; call under the store's lock."""

    def __init__(self, store: Store, single: npt.NDArray[np.bool_], *, roughly: bool = False) -> None:
        """Know nothing yet.

        Args:
            store: where the parsers are.
            single: of each byte, whether it is a token by itself, or is to be taken for one.
            roughly: all that the grammar derives counts as parsed; for what only leads a search.

        """
        self._a = store.arena.a
        self._single = single
        self._store: Store = weakref.proxy(store)  # which owns this
        self._roughly = roughly
        self._parsers = store.parsers
        self._costs: dict[tuple[int, int], _Costs] = {}
        self._lexemes: dict[int, Lexemes] = {}
        self._known: dict[_Costs, dict[int, list[tuple[Cell, tuple[int, ...]]]]] = defaultdict(
            dict
        )  # frame -> its stacks
        self._is_steady = False

    @contextmanager
    def steady(self) -> Iterator[None]:
        """While states of one living scope are asked for: a frame is numbered once.

        Frames are places in memory, and another scope's may come to lie there.
        """
        self._forget()
        self._is_steady = True
        try:
            yield
        finally:
            self._is_steady = False
            self._forget()

    def _forget(self) -> None:
        """Forget which frames were seen, and cells where there are too many."""
        self._known.clear()
        for costs in self._costs.values():
            costs.trim()

    def begins(self, q: int) -> bool:
        """Whether a local state is the one in which a parser's texts begin."""
        return bool(int(self._a[lay.LS + q * lay.LS_WIDTH + lay.L_FLAGS]) & lay.FLAG_PUSH)

    def whole(self, q: int) -> int:
        """The least bytes of a whole text of the parser that begins in a local state."""
        p = lay.LS + q * lay.LS_WIDTH
        costs = self._at_column(int(self._a[p + lay.L_PARSER]) - 1, 0)
        local = int(self._a[lay.CL + int(self._a[p + lay.L_CALLS])]) & 0xFFFFFFFF
        return self._told(costs.of(local - self._first_local(costs, p), costs.start, -1))

    def _told(self, cost: int) -> int:
        """A cost as it is told; a loose one is none where bounds say what is alive."""
        if cost >= LOOSE and self._store.byte_complete:
            cost -= LOOSE
        return cost if cost < FAR else UNREACHABLE

    def _first_local(self, costs: _Costs, p: int) -> int:
        """The first local state of the scanner of the parser that the record at p belongs to."""
        parser = int(self._a[p + lay.L_PARSER]) - 1
        return int(self._a[lay.PT + parser + lay.PT_STATES]) - costs.n_locals

    def of(self, entries: list[list[int]], below: Callable[[list[int]], int]) -> int:
        """The least bytes that complete one of the entries in a scanner's state, ``UNREACHABLE`` where there is none.

        ``below`` tells what it costs to complete the entry that follows once the parser's text has ended.
        """
        a = self._a
        best = UNREACHABLE
        if not self._is_steady:
            self._forget()
        for q, _, room, _, frame in entries:
            p = lay.LS + q * lay.LS_WIDTH
            if int(a[p + lay.L_REACH]) < 0:
                continue
            parser = int(a[p + lay.L_PARSER]) - 1
            costs = self._at_column(parser, self._innermost(parser, frame))
            local = q - self._first_local(costs, p)
            for cell, under in self._cells(costs, parser, frame):
                best = min(best, costs.of(local, cell, lay.COLUMN_BASE - room) + (below(list(under)) if under else 0))
        return self._told(best)

    def _at_column(self, parser: int, column: int) -> _Costs:
        """The costs of a parser where a column is the innermost that is open."""
        found = self._costs.get((parser, column))
        if found is None:
            tables = self._parsers[parser]
            lexemes = self._lexemes.get(parser)
            if lexemes is None:
                lexemes = self._lexemes[parser] = Lexemes(tables, self._single)
            indented = lambda other: self._at_column(parser, other)  # noqa: E731
            found = _Costs(tables, lexemes, column, indented, searches=not self._roughly)
            self._costs[parser, column] = found
        return found

    def _innermost(self, parser: int, frame: int) -> int:
        """The innermost open column of a stack, 0 without an indenter."""
        if self._parsers[parser].indentation is None:
            return 0
        n = int(open_columns(self._a, frame, 0, EVERY))
        check(self._a)
        return int(self._a[COLUMNS]) if n not in {0, -1} else 0

    def _cells(self, costs: _Costs, parser: int, frame: int) -> list[tuple[Cell, tuple[int, ...]]]:
        """The stacks of a frame, top first, each with the entry below it, empty where the text ends; what is no parser's symbol is the bottom."""
        a = self._a
        known = self._known[costs]
        stack = [frame]
        while stack:
            here = stack[-1]
            if here in known:
                stack.pop()
                continue
            if here <= lay.FRAME_UNKNOWN:
                known[here] = [(BOTTOM, ())]
                continue
            p = lay.HP + here
            words = int(a[p]) & 0xFFFFFFFF
            found: list[tuple[Cell, tuple[int, ...]]] = []
            missing = len(stack)
            for symbol, need, room, _, parent in a[p + lay.HEADER : p + words].reshape(-1, lay.LINK).tolist():
                named = lay.LS + (symbol >> 1) * lay.LS_WIDTH
                if symbol < 0:
                    found.append((BOTTOM, ()))
                elif int(a[named + lay.L_PARSER]) != parser + 1:
                    found.append((BOTTOM, (symbol >> 1, need, room, 0, parent)))
                elif parent not in known:
                    stack.append(parent)
                else:
                    state = int(a[named + lay.L_EXITS])
                    opens = int(a[named + lay.L_COLUMN]) if int(a[named + lay.L_KIND]) == lay.MARK_INDENT else -1
                    found += [(costs.cell(state, below, opens), under) for below, under in known[parent]]
            if missing == len(stack):
                known[here] = list(dict.fromkeys(found))
        return known[frame]


class _Costs:
    """The costs of one parser, where ``column`` is the innermost that is open."""

    def __init__(
        self, parser: Parser, lexemes: Lexemes, column: int, at_column: Callable[[int], _Costs], *, searches: bool
    ) -> None:
        lalr, scanner = parser.lalr, parser.scanner
        self._layout = parser.indentation
        self._column = column
        self._at_column = at_column
        self._lalr = lalr
        self._action = lalr.action.tolist()
        self._goto = lalr.goto.tolist()
        self._lhs = lalr.rule_lhs.tolist()
        self._length = lalr.rule_length.tolist()
        self._lexer_of = lalr.lexer_of.tolist()
        self.n_states = len(self._action)
        self.n_locals = scanner.n_locals
        self._end = lalr.action.shape[1] - 1
        self._lexemes = lexemes
        worst = list(lexemes.worst)
        if self._layout is not None:
            newline = worst[self._layout.newline] + column + 1
            worst[self._layout.newline] = newline
            worst[self._layout.indent] = INDENT_COST
            worst[self._layout.dedent] = newline + max(cost for cost in lexemes.worst if cost < FAR)
        self._searches = searches and self._layout is None and not (lexemes.is_plain and is_free_of_conflicts(lalr))
        if self._searches:
            worst = lexemes.mildest()
        self._columns = [np.flatnonzero(row).tolist() for row in lalr.action]
        self._end_cost = worst[-1]
        self._items = items(parser, lexemes.kernels, worst)
        self._plans: dict[int, _Plan] = {}
        self._forget()

    def trim(self) -> None:
        """Forget all cells if there are too many: none that was handed out before means anything then."""
        if len(self._cells) > MOST_CELLS:
            self._forget()

    def _forget(self) -> None:
        self._cells: list[tuple[int, Cell, int]] = [(-1, BOTTOM, -1)]
        self._cell_of: dict[tuple[int, Cell, int], Cell] = {}
        self._above: dict[Cell, dict[int, int]] = {}
        self._fed: dict[tuple[Cell, int], Cell] = {}
        exact = Summaries(self._lalr, self._lexemes.at_worst, lambda cell: self._cells[cell][:2])
        self._completions = Completions(self._steps, self._by_items, exact.of)

    @property
    def start(self) -> Cell:
        """The stack that texts begin with."""
        return self.cell(self._lalr.start, BOTTOM)

    def cell(self, state: int, below: Cell, opens: int = -1) -> Cell:
        """The stack with a state on top of another stack; ``opens`` is the column that it opened, if it did."""
        key = (state, below, opens)
        found = self._cell_of.get(key)
        if found is None:
            found = self._cell_of[key] = len(self._cells)
            self._cells.append(key)
        return found

    def of(self, local: int, cell: Cell, column: int, *, newlines: int = MOST_NEWLINES) -> int:
        """The least bytes that complete a text: a scanner's state, the stack, the column of an open newline (negative: none yet).

        The next lexeme is a newline only if ``newlines`` is positive: so many may follow one another.
        """
        best = UNREACHABLE
        state = self._cells[cell][0]
        for bytes_, terminal, part in self._lexemes.ways(local, self._lexer_of[state]):
            if bytes_ >= best:
                break
            if self._layout is not None and terminal == self._layout.newline:
                continue
            after = self._feed_end(cell) if terminal == self._end else self._feed(cell, terminal)
            if after == BOTTOM:  # the text ends
                best = min(best, bytes_)
            elif after > BOTTOM and self._lexemes.leads(part, self._lexer_of[self._cells[after][0]]):
                best = min(best, bytes_ + self.rest(after))
        if self._layout is not None and newlines:
            best = min(best, self._after_newline(self._layout, local, cell, column, newlines - 1))
        return best

    def _feed_end(self, cell: Cell) -> Cell:
        """The end of the text: an indenter closes what is open first."""
        if self._layout is not None:
            for _ in self._open_columns(cell)[0]:
                cell = self._feed(cell, self._layout.dedent)
                if cell < 0:
                    return cell
        return self._feed(cell, self._end)

    def _open_columns(self, cell: Cell) -> tuple[list[int], bool]:
        """The open columns of a stack, innermost first, and whether a bracket is open."""
        layout = self._layout
        columns: list[int] = []
        closed = ended = 0
        inside = False
        while cell != BOTTOM and layout is not None:
            state, cell, opens = self._cells[cell]
            if state in self._lexemes.dedented:
                ended += 1
            elif opens >= 0 and ended:
                ended -= 1
            elif opens >= 0:
                columns.append(opens)
            elif state in self._lexemes.closing:
                closed += 1
            elif state in self._lexemes.opening:
                inside |= closed == 0
                closed = max(closed - 1, 0)
        return columns, inside

    def _after_newline(
        self, layout: Indentation, local: int, cell: Cell, column: int, newlines: int, *, ignored: bool = True
    ) -> int:
        """The least cost of a newline, at any column, and of what follows it; ``ignored``: also behind the end of an ignored lexeme."""
        lexer = self._lexer_of[self._cells[cell][0]]
        best = UNREACHABLE
        end, again = self._lexemes.to_end[local], self._lexemes.to_newline[local]
        columns, inside = self._open_columns(cell)
        if inside:  # the parser does not see it
            best = min(n + self.behind(q, cell, newlines) for n, q in (end, again))
        else:
            for target, stack, inner in self._newlines(layout, cell, columns, column):
                costs = self if inner == self._column else self._at_column(inner)
                there = stack if costs is self else costs.numbered(self.states(stack))
                for (n, q), begun in ((end, column), (again, 0)):
                    if 0 <= begun <= target and n + target - begun < best:
                        behind = costs.behind(self._lexemes.blanks(q, target - begun), there, newlines)
                        best = min(best, n + target - begun + behind)
        for q, n in self._lexemes.after_ignored_from(local, lexer) if ignored else ():
            if n < best:
                best = min(best, n + self._after_newline(layout, q, cell, -1, newlines, ignored=False))
        return best

    def _newlines(
        self, layout: Indentation, cell: Cell, columns: list[int], column: int
    ) -> list[tuple[int, Cell, int]]:
        """What a newline, now at a column, may do to a stack: (its column, the stack after it, the innermost column then)."""
        found = []
        after = self._feed(cell, layout.newline)
        if after > BOTTOM:
            inner = columns[0] if columns else 0
            indented = self._feed(after, layout.indent)
            if indented > BOTTOM:
                state, below, _ = self._cells[indented]
                opened = {inner + 1, max(inner + 1, column)}
                found += [(opens, self.cell(state, below, opens), opens) for opens in sorted(opened)]
        for target in [*columns, 0]:
            if after <= BOTTOM:
                break
            found.append((target, after, target))
            after = self._feed(after, layout.dedent)
        return found

    def behind(self, local: int, cell: Cell, newlines: int) -> int:
        """The least cost once a newline has ended in a scanner's state; another one follows only where nothing else leads on."""
        begins = self._lexemes.after_newline(local, self._lexer_of[self._cells[cell][0]])
        best = min((self.of(q, cell, -1, newlines=0) for q in begins), default=UNREACHABLE)
        if best < UNREACHABLE or not newlines:
            return best
        return min((self.of(q, cell, -1, newlines=newlines) for q in begins), default=UNREACHABLE)

    def states(self, cell: Cell) -> list[tuple[int, int]]:
        """The states of a stack and the columns that they opened, top first."""
        found = []
        while cell != BOTTOM:
            state, cell, opens = self._cells[cell]
            found.append((state, opens))
        return found

    def numbered(self, states: list[tuple[int, int]]) -> Cell:
        """A stack that was numbered elsewhere."""
        cell = BOTTOM
        for state, opens in reversed(states):
            cell = self.cell(state, cell, opens)
        return cell

    def _feed(self, cell: Cell, column: int) -> Cell:
        """The stack after a terminal; ``BOTTOM`` where the text ends, -1 where it is refused."""
        key = (cell, column)
        found = self._fed.get(key)
        if found is None:
            found = self._fed[key] = self._run(cell, column)
        return found

    def _run(self, cell: Cell, column: int) -> Cell:
        cells = self._cells
        while True:
            act = self._action[cells[cell][0]][column]
            if act == 0:
                return -1
            if act > 0:
                return self.cell(act - 1, cell)
            rule = -1 - act
            for _ in range(self._length[rule]):
                cell = cells[cell][1]
            target = self._goto[cells[cell][0]][self._lhs[rule]]
            if target < 0:
                return -1
            if column == self._end and target == self._lalr.accept:
                return BOTTOM
            cell = self.cell(target, cell)

    def rest(self, cell: Cell) -> int:
        """What it costs at worst to complete the text from a stack, between two lexemes."""
        if not self._searches:
            return self._by_items(cell)
        found = self._completions.of(cell)
        return LOOSE + self._by_items(cell) if found is None else found

    def _steps(self, cell: Cell) -> Iterator[tuple[int, Cell]]:
        """What each terminal costs on a stack, and the stack after it; ``BOTTOM`` where the text ends."""
        state = self._cells[cell][0]
        lexer = self._lexer_of[state]
        for column in self._columns[state]:
            after = self._feed(cell, column)
            if after >= BOTTOM:
                cost = self._lexemes.at_worst(
                    lexer, column, -1 if after == BOTTOM else self._lexer_of[self._cells[after][0]]
                )
                if cost < FAR:
                    yield cost, after

    def _by_items(self, cell: Cell) -> int:
        """What completing a stack costs if all that the grammar derives is parsed."""
        state, below, _ = self._cells[cell]
        pending = []
        here = below
        while here not in self._above:
            pending.append(here)
            if here == BOTTOM:
                break
            here = self._cells[here][1]
        for under in reversed(pending):
            self._above[under] = self._costs_above(under)
        return self._above[below].get(state, UNREACHABLE)

    def _costs_above(self, under: Cell) -> dict[int, int]:
        """For each state that may lie directly above a stack, what completing the text costs; those of all lower stacks are known.

        A rule of which the state has seen one symbol leads to another state above the same stack (Dijkstra 1959).
        """
        top = self._cells[under][0]
        if under == BOTTOM:
            return {self._lalr.start: self._items[self._lalr.start][0].rest + self._end_cost}
        into, ends, lower = self._plan(top)
        known: dict[int, int] = {}
        heap = list(ends)
        for state, ending in lower:
            best = min(item.rest + self._lower(under, item) for item in ending)
            if best < FAR:
                heap.append((best, state))
        heapq.heapify(heap)
        while heap:
            cost, state = heapq.heappop(heap)
            if state in known:
                continue
            known[state] = cost
            for other, rest in into.get(state, ()):
                if other not in known:
                    heapq.heappush(heap, (cost + rest, other))
        return known

    def _plan(self, top: int) -> _Plan:
        """What completing the states directly above one hangs on."""
        found = self._plans.get(top)
        if found is None:
            row, gotos = self._action[top], self._goto[top]
            found = self._plans[top] = _Plan({}, [], [])
            for state in sorted({act - 1 for act in row if act > 0} | {g for g in gotos if g >= 0}):
                for item in self._items[state]:
                    target = gotos[item.lhs]
                    if item.pops == 1 and target == self._lalr.accept:
                        found.ends.append((item.rest + self._end_cost, state))
                    elif item.pops == 1 and target >= 0:
                        found.into.setdefault(target, []).append((state, item.rest))
                items = [item for item in self._items[state] if item.pops > 1]
                if items:
                    found.lower.append((state, items))
        return found

    def _lower(self, under: Cell, item: Item) -> int:
        """What completing costs once an item that has seen several symbols is reduced; ``under`` holds all of them but the last."""
        for _ in range(item.pops - 1):
            if under == BOTTOM:
                return FAR
            under = self._cells[under][1]
        if under == BOTTOM:
            return FAR
        target = self._goto[self._cells[under][0]][item.lhs]
        if target == self._lalr.accept:
            return self._end_cost
        return self._above[under].get(target, FAR) if target >= 0 else FAR
