"""A parse table seen as a graph of grammar symbols: what a stack may become when whole symbols are read, and their shortest texts."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final, NamedTuple

from ...grammar.parsing import IGNORED
from ..bounds.items import FAR, derivations, kernels
from .readable import Feeding
from .reader import BYTE, Reader, byte_cost, spelling

if TYPE_CHECKING:
    from ...grammar.parsing import Parser

BLOCK_COST: Final = 3 * BYTE
"""What an indent costs, with the blanks that it takes."""

UNSPELLABLE: Final = -2


class Completion(NamedTuple):
    """The rest of a rule that a state of the table has seen the beginning of.

    Attributes:
        pops: symbols seen.
        lhs: the rule's nonterminal.
        rest: symbols still to come: columns of the table, and -1 - n for nonterminals.
        cost: of a shortest text of them, see ``reader.byte_cost``.

    """

    pops: int
    lhs: int
    rest: tuple[int, ...]
    cost: int


class Ignored(NamedTuple):
    """An ignored lexeme: its text and cost, the part that it leaves, and where the next one begins."""

    text: bytes
    cost: int
    part: int
    after: int


class Symbols:
    """Tables of one parser that no text changes."""

    def __init__(self, parser: Parser) -> None:
        """Compute them."""
        lalr = parser.lalr
        self.lalr = lalr
        self.layout = parser.indentation
        self.reader = Reader(parser)
        self.action = lalr.action.tolist()
        self.goto = lalr.goto.tolist()
        self.length = lalr.rule_length.tolist()
        self.lhs = lalr.rule_lhs.tolist()
        self.lexer = lalr.lexer_of.tolist()
        self.end = lalr.action.shape[1] - 1
        self.begin = parser.scanner.begin.tolist()
        self.may_end = parser.scanner.may_end.tolist()
        self.begins = {local for row in self.begin for local in row if local >= 0}
        self.feeding = Feeding(self.action, self.goto, self.length, self.lhs)
        self._after: dict[tuple[int, tuple[int, ...], int], int] = {}
        self._left: dict[tuple[int, int], int] = {}
        self._ignored: dict[int, list[Ignored]] = {}
        self.costs, self._part_of = self._terminals()
        self._cheapest = derivations(lalr.expansions, self.lhs, self.costs)
        self.completions = [self._completions(kernel) for kernel in kernels(parser)]
        self._pushes: dict[int, list[tuple[int, int, int]]] = {}
        self._derived: dict[int, tuple[int, ...]] = {}

    def begins_after(self, state: int, symbols: tuple[int, ...], local: int) -> int:
        """Where the next lexeme begins after a shortest text of some symbols, read above a state from ``local`` on.

        When it begins, the parser has not reduced what it does not know to be over.  -1 if none can begin, ``UNSPELLABLE`` if the text cannot begin in ``local``.
        """
        key = (state, symbols, local)
        found = self._after.get(key)
        if found is None:
            found = self._after[key] = self._run(state, [t for x in symbols for t in self.derived(x)], local)
        return found

    def _run(self, state: int, terminals: list[int], local: int) -> int:
        stack = [state]
        for t in terminals:
            while (action := self.action[stack[-1]][t]) < 0:
                length = self.length[-1 - action]
                if length >= len(stack):
                    return -1
                del stack[len(stack) - length :]
                target = self.goto[stack[-1]][self.lhs[-1 - action]]
                if target < 0:
                    return -1
                stack.append(target)
            if action == 0:
                return -1
            stack.append(action - 1)
            lexer = self.lexer[stack[-1]]
            if lexer >= 0:
                part = self._left_by(t, local)
                if part < 0:
                    return UNSPELLABLE
                local = self.begin[part][lexer]
        return local

    def _left_by(self, terminal: int, local: int) -> int:
        """The part that a shortest lexeme of a type leaves which begins in a scanner's state, -1 if none begins there; any such part if the state is not known.

        What an indenter makes is no lexeme: it leaves what its newline did.
        """
        key = (terminal, local)
        found = self._left.get(key)
        if found is None:
            made = self.layout is not None and terminal in {self.layout.indent, self.layout.dedent}
            begins = [local, *(x.after for x in self.ignored(local))] if local >= 0 and not made else []
            found = self._left[key] = next(
                (
                    part
                    for begin in begins
                    for spelled in self.reader.spelled(begin, -1)
                    for kind, part in self.reader.exits[spelled.local]
                    if kind == terminal
                ),
                -1 if begins else self._part_of[terminal],
            )
        return found

    def ignored(self, local: int) -> list[Ignored]:
        """Shortest ignored lexemes from where one begins."""
        found = self._ignored.get(local)
        if found is None:
            lexers = [k for k in range(len(self.begin[0])) if any(row[k] == local for row in self.begin)]
            best: dict[tuple[int, int], Ignored] = {}
            for spelled in self.reader.spelled(local, -1):
                for kind, part in self.reader.exits[spelled.local]:
                    for after in {self.begin[part][lexer] for lexer in lexers} if kind == IGNORED else ():
                        if after >= 0:
                            best.setdefault((part, after), Ignored(spelled.text, spelled.cost, part, after))
            found = self._ignored[local] = list(best.values())
        return found

    def pushes(self, state: int) -> list[tuple[int, int, int]]:
        """(symbol, state entered, cost) of each symbol that can be read whole above a state."""
        found = self._pushes.get(state)
        if found is None:
            found = [(t, act - 1, self.costs[t]) for t, act in enumerate(self.action[state]) if act > 0]
            found += [(-1 - n, to, self.cost_of((-1 - n,))) for n, to in enumerate(self.goto[state]) if to >= 0]
            found = self._pushes[state] = sorted((x for x in found if x[2] < FAR), key=lambda x: x[2])
        return found

    def cost_of(self, symbols: tuple[int, ...]) -> int:
        """What a shortest text of some symbols costs."""
        cheapest = self._cheapest
        if any(x < 0 and -1 - x not in cheapest for x in symbols):
            return FAR
        return min(FAR, sum(self.costs[x] if x >= 0 else cheapest[-1 - x].cost for x in symbols))

    def derived(self, symbol: int) -> tuple[int, ...]:
        """The terminals of a shortest text of a symbol."""
        if symbol >= 0:
            return (symbol,)
        found = self._derived.get(symbol)
        if found is None:
            work, terminals = [symbol], []
            while work:
                x = work.pop()
                if x >= 0:
                    terminals.append(x)
                else:
                    work += reversed(self.lalr.expansions[self._cheapest[-1 - x].rule])
            found = self._derived[symbol] = tuple(terminals)
        return found

    def _terminals(self) -> tuple[list[int], list[int]]:
        """Of each terminal: the cost of its cheapest lexeme, wherever it may begin, and of the parts that one may leave the one that least may follow."""
        reader = self.reader
        costs, parts = [FAR] * (self.end + 1), [-1] * (self.end + 1)
        heap = [(0, local) for local in sorted(self.begins)]
        met: set[int] = set()
        while heap:
            cost, here = heapq.heappop(heap)
            if here in met:
                continue
            met.add(here)
            for kind, part in reader.exits[here]:
                if kind >= 0:
                    costs[kind] = min(costs[kind], cost)
                    if parts[kind] < 0 or sum(reader.follow[part]) < sum(reader.follow[parts[kind]]):
                        parts[kind] = part
            for low, high, target in reader.edges[here]:
                heapq.heappush(heap, (cost + byte_cost(spelling(low, high)), target))
        if self.layout is not None:
            costs[self.layout.indent], costs[self.layout.dedent] = BLOCK_COST, BYTE
            parts[self.layout.indent] = parts[self.layout.dedent] = parts[self.layout.newline]
        return costs, parts

    def _completions(self, kernel: set[tuple[int, int]]) -> list[Completion]:
        """How the rules go on that a state has seen the beginning of.

        A dedent needs a newline before it, and the statement before has one that is over; so another statement comes in between, by a rule that
        leads back to the same state.
        """
        expansions = self.lalr.expansions
        loops = [
            expansions[rule][1:]
            for rule, dot in kernel
            if dot == 1 and expansions[rule][0] == -1 - self.lhs[rule] and len(expansions[rule]) > 1
        ]
        found: dict[tuple[int, int, tuple[int, ...]], int] = {}
        for rule, dot in kernel:
            rest = expansions[rule][dot:]
            ways = [rest]
            if self.layout is not None and rest and rest[0] == self.layout.dedent:
                ways = [(*loop, *rest) for loop in loops]
            for way in ways:
                cost = self.cost_of(way)
                if cost < FAR and dot:
                    key = (dot, self.lhs[rule], way)
                    found[key] = min(cost, found.get(key, FAR))
        return sorted((Completion(*key, cost) for key, cost in found.items()), key=lambda x: x.cost)
