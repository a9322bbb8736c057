"""What a gap between fixed texts can be filled with: a *bridge*, the shortest text after which all that stands on its right is accepted.

A state says what may come next; it does not say whether a given text, with gaps in it, can still be reached.  That is a question of reachability in the
machine's pushdown system with the fixed text as its input, and is answered for every stack by one search (``pushdown``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice, product
from typing import TYPE_CHECKING, Final, TypeAlias
from weakref import WeakKeyDictionary

from ...grammar.errors import InvalidSource, StaleState, Unsupported
from .. import layout as lay
from ..heap import n_links, state_offset
from .labels import Context, Filled, Read, Skipped, Top
from .parser import ParserSystem
from .pushdown import ways
from .reader import BYTE
from .spelling import spell
from .symbols import Symbols

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..constraint import Constraint

MAX_LOOKED_AT: Final = 200_000
"""Transitions that one search looks at, some microseconds each."""

MAX_WAYS: Final = 32
"""Ways of one search that are spelled."""

MAX_SPELLINGS: Final = 256
"""Spellings of one way that are tried."""

MAX_TRIES: Final = 24
"""Searches that are made for what a judge accepts."""

MAX_DEVIATIONS: Final = 96
"""Searches behind a byte that is given, once those are made."""

MOST_TOLL: Final = 200 * BYTE
"""The most that a part comes to cost more: more than any other way that is worth a search."""

DEVIATIONS: Final = b"x+,.=(['\n0-: "
"""Bytes that are given."""

MAX_TRIES_BEHIND: Final = 8
"""How many of them in a row for the gaps from a blamed one on, with those before it as they are."""

REFUSED_COST: Final = 4 * BYTE
"""What a part of a refused proposal costs more from then on; that doubles with each further refusal."""

Judge: TypeAlias = Callable[[Sequence[bytes]], int | None]
"""Says of texts for the gaps from one on which gap is to blame that they are refused, -1 if none of them is; None if they are accepted."""

STRIDE: Final = 256
"""Bytes of a text between two states that are remembered."""

_Run: TypeAlias = tuple[tuple[str, int, int, int], tuple[Top, ...]]
"""A control, and the stack of the parser from the top."""

_TABLES: WeakKeyDictionary[Constraint, Symbols] = WeakKeyDictionary()


class Bridge:
    """Fixed texts on the right of a place, with a gap before each, under a constraint.

    Attributes:
        constraint: what the whole text must satisfy.
        texts: the fixed texts; gap i lies before text i, and the last text ends the whole.

    """

    def __init__(self, constraint: Constraint, texts: Sequence[bytes], *, max_looked_at: int = MAX_LOOKED_AT) -> None:
        """Prepare the search.

        Args:
            constraint: a constraint of a grammar with a lexer (``sg.Lark``).
            texts: at least one.
            max_looked_at: the most that one search looks at before it gives up.

        Raises:
            InvalidSource: there is no text.
            Unsupported: the constraint is of another kind.

        """
        if not texts:
            raise InvalidSource("a bridge leads to a text", hint="give b'' where nothing follows the gap")
        self.constraint = constraint
        self.texts = tuple(texts)
        self.max_looked_at = max_looked_at
        self._good: set[tuple[int, int, int, tuple[bytes, ...]]] = set()
        store = constraint.store
        a = store.arena.a
        parser = int(a[lay.LS + constraint.rule_start * lay.LS_WIDTH + lay.L_PARSER]) - 1
        if parser < 0:
            raise Unsupported(
                "only a grammar with a lexer can be read backwards from fixed text as yet", hint="compile sg.Lark(...)"
            )
        self._parser = parser
        tables = _TABLES.get(constraint)
        if tables is None:
            tables = _TABLES[constraint] = Symbols(store.parsers[parser])
        self._tolls: dict[object, int] = {}
        self._reach = store.parsers[parser].scanner.reach
        self._system = ParserSystem(tables, texts)
        self._first = int(a[lay.PT + parser + lay.PT_STATES]) - store.parsers[parser].scanner.n_locals

    def fills(
        self, state: int, judge: Judge | None = None, *, gap: int = 0, tries: Iterator[int] | None = None
    ) -> list[bytes] | None:
        """Shortest texts for the gaps from one on, in sum, with which everything is accepted that follows a state.

        Where there is a judge, the gaps before the one that it blames are kept as they are, and others are filled anew; where that fails, and in the gap itself,
        what was refused is made dearer and the search begun again.  It stays dear as long as the bridge is used.

        Args:
            state: a state of the constraint, or of a session of it; always the same session.
            judge: a further condition that the texts have to meet; see ``Judge``.
            gap: the one that begins in the state.
            tries: runs out after as many searches as may be made with a judge; by default ``MAX_TRIES``, and then ``MAX_DEVIATIONS`` of another kind.

        Returns:
            One text for each gap from ``gap`` on; None if there are none, or the search gave up.  They have been read by the constraint, and the judge accepts them.

        """
        if state == 0:
            return None
        with self.constraint.store.lock:
            starts = list(self._configurations(state, gap))
        if judge is None:
            return next((list(fills) for fills, _ in self._proposals(state, gap, starts)), None)
        nested = tries is not None
        tries = iter(range(MAX_TRIES)) if tries is None else tries
        refused: dict[tuple[bytes, ...], int] = {}
        blamed = -1
        for _ in tries:
            proposal = next(self._proposals(state, gap, starts), None)
            if proposal is None:
                break
            fills, labels = proposal
            if fills not in refused:
                verdict = judge(fills)
                if verdict is None:
                    return list(fills)
                refused[fills] = blamed = verdict
                if blamed > gap:
                    rest = self._from(blamed, state, gap, fills, judge, tries)
                    if rest is not None:
                        return rest
                self._system.pad(blamed)
            self._charge(labels, blamed)
        return None if nested else self._deviating(state, gap, refused, judge)

    def _deviating(
        self, state: int, gap: int, refused: dict[tuple[bytes, ...], int], judge: Judge
    ) -> list[bytes] | None:
        """Fills in which a refused one goes on by a byte more, or begins with another (cf. Yen 1971, k shortest paths): what takes more of the same is never cheaper."""
        tries = iter(range(MAX_DEVIATIONS))
        queue = list(refused.items())[:1]
        for fills, blamed in queue:  # it grows
            before = state
            for at, (fill, text) in enumerate(zip(fills, self.texts[gap:], strict=True), gap):
                for begin, byte in product(dict.fromkeys((fill, b"")), DEVIATIONS) if blamed in {at, -1} else ():
                    head = begin + bytes([byte])
                    after = self.constraint.advance_bytes(before, head)
                    if after == 0:
                        continue
                    if next(tries, None) is None:
                        return None
                    rest = self.fills(after, gap=at)
                    found = (*fills[: at - gap], head + rest[0], *rest[1:]) if rest is not None else fills
                    if found in refused:
                        continue
                    verdict = judge(found)
                    if verdict is None:
                        return list(found)
                    refused[found] = verdict
                    queue.append((found, verdict))
                before = self.constraint.advance_bytes(self.constraint.advance_bytes(before, fill), text)
        return None

    def _from(
        self, gap: int, state: int, first: int, fills: Sequence[bytes], judge: Judge, tries: Iterator[int]
    ) -> list[bytes] | None:
        """Fills from the gap ``first`` on, of which those before ``gap`` are given."""
        given = list(fills[: gap - first])
        for fill, text in zip(given, self.texts[first:], strict=False):
            state = self.constraint.advance_bytes(self.constraint.advance_bytes(state, fill), text)
        rest = self.fills(state, lambda rest: judge([*given, *rest]), gap=gap, tries=islice(tries, MAX_TRIES_BEHIND))
        return None if rest is None else given + rest

    def _proposals(
        self, state: int, gap: int, starts: Sequence[_Run]
    ) -> Iterator[tuple[tuple[bytes, ...], list[object]]]:
        """Texts of the gaps that the constraint has read, for each way that has such, and its labels."""
        for control, stack in starts:
            for labels in islice(ways(self._system, [(control, stack)], self.max_looked_at, self._tolls), MAX_WAYS):
                texts = spell(self._system, stack[::-1], control[2], labels)
                fills = islice(product(*texts[gap:]), MAX_SPELLINGS) if texts is not None else iter(())
                read = next((x for x in fills if self.leads_through(state, x, gap)), None)
                if read is not None:
                    yield read, labels

    def _charge(self, labels: Sequence[object], blamed: int) -> None:
        """Make a way dearer that was refused: what it does in the gap to blame most, where one is."""
        for label in set(labels):
            gap = label.gap if isinstance(label, (Read, Skipped, Filled)) else -1
            if gap >= 0:
                share = 1 if gap == blamed else 2 if gap < blamed or blamed < 0 else 8
                toll = 2 * self._tolls.get(label, 0) + REFUSED_COST // share
                self._tolls[label] = min(toll, MOST_TOLL)

    def leads_through(self, state: int, fills: Sequence[bytes], gap: int = 0) -> bool:
        """Whether everything is accepted that follows a state if the gaps from one on are filled so.

        States met on the way are remembered, so that a text is read again only as far as it makes a difference.  The state must be of one session as
        long as the bridge is used.
        """
        met: list[tuple[int, int, int, tuple[bytes, ...]]] = []
        for index, (fill, text) in enumerate(zip(fills, self.texts[gap:], strict=True), gap):
            state = self.constraint.advance_bytes(state, fill)
            rest = tuple(fills[index - gap + 1 :])
            for at in range(0, len(text), STRIDE):
                key = (index, at, state, rest)
                if state == 0 or key in self._good:
                    self._good.update(met if state else ())
                    return state != 0
                met.append(key)
                state = self.constraint.advance_bytes(state, text[at : at + STRIDE])
        if state and self.constraint.is_accepting(state):
            self._good.update(met)
            return True
        return False

    def hides(self, state: int, gap: int = 0) -> bool:
        """Whether what is open in a state can only become something ignored or a newline, as a comment does, and would take in what the text behind a gap begins with."""
        line = self.texts[gap].split(b"\n", 1)[0].strip()
        if state == 0 or not line:
            return False
        newline = self._system.newline
        with self.constraint.store.lock:
            locals_ = [control[2] for control, _ in self._configurations(state, gap)]
        for local in locals_:
            kinds = self._reach[local].nonzero()[0].tolist()
            if not kinds or any(kind not in {newline, len(self._reach[local]) - 1} for kind in kinds):
                return False
        return True

    def _configurations(self, state: int, gap: int) -> Iterator[_Run]:
        """The runs of a state: a control, and the stack of the parser from the top."""
        a = self.constraint.store.arena.a
        at = int(state_offset(a, state))
        if at < 0:
            raise StaleState("the state belongs to a scope that was closed", hint="use states of a living session")
        words = (int(a[lay.HP + at]) & 0xFFFFFFFF) - lay.STATE_ENTRIES
        begin = lay.HP + at + lay.STATE_ENTRIES
        for local, _, room, _, frame in a[begin : begin + words].reshape(-1, lay.ENTRY).tolist():
            above: list[int] = []
            while a[lay.LS + local * lay.LS_WIDTH + lay.L_FLAGS] & lay.FLAG_PUSH:
                callee = int(a[lay.CL + int(a[lay.LS + local * lay.LS_WIDTH + lay.L_CALLS])])
                above.append((callee >> 32) - 1)
                local = callee & 0xFFFFFFFF
            column = lay.COLUMN_BASE - room if room <= lay.COLUMN_BASE else -1
            for below in self._stacks(frame):
                yield (
                    ParserSystem.opened(local - self._first, column, gap),
                    self._tops([*below, *(symbol >> 1 for symbol in above)]),
                )

    def _stacks(self, frame: int) -> Iterator[list[int]]:
        """The marks of every stack that a frame stands for, from the bottom."""
        a = self.constraint.store.arena.a
        work: list[tuple[int, list[int]]] = [(frame, [])]
        while work:
            here, marks = work.pop()
            if here <= lay.FRAME_UNKNOWN:
                yield marks[::-1]
                continue
            at = lay.HP + here
            for i in range(int(n_links(a, here))):
                symbol, _, _, _, below = a[
                    at + lay.HEADER + i * lay.LINK : at + lay.HEADER + (i + 1) * lay.LINK
                ].tolist()
                if symbol < 0:
                    yield marks[::-1]
                elif int(a[lay.LS + (symbol >> 1) * lay.LS_WIDTH + lay.L_PARSER]) != self._parser + 1:
                    raise Unsupported(
                        "there is other text around the grammar's", hint="let the grammar be the whole constraint"
                    )
                else:
                    work.append((below, [*marks, symbol >> 1]))

    def _tops(self, marks: list[int]) -> tuple[Top, ...]:
        """A stack of marks from the bottom as symbols of the system, from the top."""
        a = self.constraint.store.arena.a
        context = Context()
        tops: list[Top] = []
        for mark in marks:
            record = a[lay.LS + mark * lay.LS_WIDTH : lay.LS + (mark + 1) * lay.LS_WIDTH].tolist()
            kind = record[lay.L_KIND]
            if kind == lay.MARK_INDENT:
                context = Context((*context.columns, record[lay.L_COLUMN]), context.brackets)
            elif kind == lay.MARK_DEDENT:
                context = Context(context.columns[:-1], context.brackets)
            elif kind == lay.MARK_OPEN:
                context = context.opened()
            elif kind == lay.MARK_CLOSE:
                context = context.closed()
            tops.append(Top(record[lay.L_EXITS], context))
        return tuple(reversed(tops))
