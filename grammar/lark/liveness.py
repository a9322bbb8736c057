"""Whether every prefix that the machine allows can be finished: a proof by cases, and what stands in its way.

The machine keeps an entry iff the parser's stack takes a terminal that the open lexeme may still become, or the lexeme may still become an
ignored one.  From such an entry a text can be completed if

1. every lexeme that may still become a terminal, or an ignored one, can end as such so that another lexeme can begin then;
2. the parse table completes a text from every stack on which a terminal was just shifted, and from the empty one, with those terminals alone that can
   be reached wherever a lexeme of the state's lexer begins: as this lexeme, or after ignored ones.  See ``stacks``.

An indenter's newlines are looked at in ``layouts``.  The conditions are sufficient, not necessary: a terminal that is out of reach behind one lexeme is given up behind all others, and all stacks are looked at
that the table's edges allow.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import lark
import numpy as np
import numpy.typing as npt
from lark.common import ParserConf
from lark.parsers.lalr_analysis import LALR_Analyzer

from ..parsing import IGNORED, Lalr, Scanner
from ..report import ReportEntry
from .endless import productive
from .layouts import Layout
from .stacks import incomplete

if TYPE_CHECKING:
    from .scanner import LarkTables

_Int = npt.NDArray[np.int64]
_Bool = npt.NDArray[np.bool_]

SHOWN = 8
"""Terminals that are named in one entry; a hidden one hides with many others."""


def obstacles(read: LarkTables) -> list[ReportEntry]:
    """What stands in the way of the proof: nothing if every allowed prefix can be finished.

    Takes about as long as Lark needs to build the grammar, so it is done when it is first asked for.
    """
    lexemes = _Lexemes(read)
    found = lexemes.dead_ends()
    outlined = None
    if read.indentation is not None:
        layout = Layout(read.lalr, read.scanner, read.indentation)
        found += [_entry(name, reason, hint) for name, reason, hint in layout.obstacles(lexemes.begins, lexemes.within)]
        outlined = layout.outlined()
    states = incomplete(read.lalr, lexemes.usable(), outlined)
    if not states:
        return found
    stuck = {lexemes.entered_by(state) for state in states}
    reason = f"behind {_names(stuck)}, the parser may find no way on" if stuck else "no text is accepted"
    causes = [*_unproductive(read.lalr), *lexemes.hidden(), *_conflicts(read.built)]
    return [*found, _entry("the parser", reason, "see what is said about rules and terminals"), *causes]


def _entry(name: str, reason: str, hint: str) -> ReportEntry:
    return ReportEntry(
        name,
        "liveness",
        "exact",
        reason,
        f"a prefix may be allowed that no text completes, and masks get empty there; {hint}",
    )


def _unproductive(lalr: Lalr) -> list[ReportEntry]:
    """Nonterminals that occur and have no text, whatever the lexers do."""
    texts = productive(lalr)
    wanted = np.flatnonzero((lalr.goto >= 0).any(axis=0)).tolist()
    return [
        _entry(
            lalr.nonterminals[n], "the rule has no finite text", "give it an alternative that does not lead back to it"
        )
        for n in wanted
        if n not in texts
    ]


def _conflicts(built: lark.Lark) -> list[ReportEntry]:
    """Conflicts that Lark resolved in silence: for shift, or by the priorities of rules (DeRemer and Pennello 1982)."""
    analysis: Any = LALR_Analyzer(ParserConf(built.rules, {}, built.options.start))
    analysis.compute_lr0_states()
    analysis.compute_reads_relations()
    analysis.compute_includes_lookback()
    analysis.compute_lookaheads()
    shifts: defaultdict[str, set[str]] = defaultdict(set)
    others: defaultdict[str, set[str]] = defaultdict(set)
    for state in analysis.lr0_itemsets:
        for terminal, rules in state.lookaheads.items():
            for rule in rules:
                name = f"{rule.origin.name}: {' '.join(x.name for x in rule.expansion)}"
                if terminal in state.transitions:
                    shifts[name].add(terminal.name)
                elif len(rules) > 1:
                    others[name].add(terminal.name)
    return [
        *(
            _entry(
                name,
                f"Lark shifts {_names(met)} where this rule could end",
                "make the grammar LALR(1) to have it proved",
            )
            for name, met in sorted(shifts.items())
        ),
        *(
            _entry(
                name,
                f"before {_names(met)}, priorities choose between this rule and another",
                "make the grammar LALR(1) to have it proved",
            )
            for name, met in sorted(others.items())
        ),
    ]


def _names(names: set[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return ", ".join(shown[:SHOWN]) + more


class _Backwards(NamedTuple):
    """Edges as pairs (source, target), by source.

    Attributes:
        source: the sources.
        first: where the pairs of each begin.
        target: of each pair.

    """

    source: _Int
    first: _Int
    target: _Int

    @classmethod
    def of(cls, edges: _Int) -> _Backwards:
        pairs = np.unique(edges, axis=0)
        source, first = np.unique(pairs[:, 0], return_index=True)
        return cls(source, first, pairs[:, 1])

    def close(self, facts: _Bool) -> _Bool:
        """What holds somewhere along edges holds at the source: bool[n, facts], in place, by a fixed point."""
        count = -1
        while len(self.source) and count != int(facts.sum()):
            count = int(facts.sum())
            facts[self.source] |= np.logical_or.reduceat(facts[self.target], self.first, axis=0)
        return facts


class _Lexemes:
    """Conditions 2 and 3 on a scanner.

    Columns of the facts are those of the parse table: terminals, then the end of the text.
    """

    def __init__(self, read: LarkTables) -> None:
        lalr, scanner = read.lalr, read.scanner
        self.lalr: Lalr = lalr
        self.scanner: Scanner = scanner
        n_parts, n_lexers = scanner.begin.shape
        self.end = len(lalr.terminals)
        unnamed = {
            x.name: x.pattern.to_regexp().replace("\n", "\\n") for x in read.built.terminals if x.name.startswith("__")
        }
        self.names = (*(f"/{unnamed[x]}/" if x in unnamed else x for x in lalr.terminals), "the end of the text")
        self.back = _Backwards.of(scanner.edges[:, [0, 3]])
        self.owner = np.repeat(np.arange(scanner.n_locals), np.diff(scanner.exit_start))
        self.ignored = scanner.exit_type == IGNORED
        lexers = lalr.lexer_of >= 0
        self.wanted = np.zeros((n_lexers, self.end + 1), np.bool_)
        np.logical_or.at(self.wanted, lalr.lexer_of[lexers], lalr.action[lexers] != 0)
        self.nexts = np.zeros((self.end, n_lexers), np.bool_)  # the lexers behind a shift of each terminal
        state, t = np.nonzero(lalr.action[:, :-1] > 0)
        self.nexts[t, lalr.lexer_of[lalr.action[state, t] - 1]] = True
        self.made: _Int = np.zeros(0, np.int64)  # columns of what an indenter makes
        self.newline = -1
        if read.indentation is not None:
            self.newline = read.indentation.newline
            self.made = np.array([read.indentation.indent, read.indentation.dedent])
            self.nexts[self.newline] |= self.nexts[self.made].any(axis=0)
            self.wanted[:, self.made] = False
        self.within, self.meets = self._occurring(n_parts, n_lexers)
        self.missing = self._missing()
        if read.indentation is not None:
            self.missing[:, :, self.newline] &= self._outside()  # within brackets no newline is needed
        reads = np.zeros(scanner.n_locals, np.bool_)
        reads[scanner.edges[:, 0]] = True
        self.begins = (scanner.begin >= 0) & reads[scanner.begin]  # else the text can only end
        self.begins[0] = scanner.begin[0] >= 0
        self.good = self.meets & self.begins

    def usable(self) -> list[_Int]:
        """Of each state of the table: the columns that are in reach whatever the lexeme before it left."""
        lacking = (self.missing & self.good[:, :, None]).any(axis=0)
        always = self.wanted & ~lacking
        return [np.flatnonzero(always[lexer]) if lexer >= 0 else np.zeros(0, np.int64) for lexer in self.lalr.lexer_of]

    def entered_by(self, state: int) -> str:
        """The terminal that leads to a state of the table."""
        columns = np.flatnonzero((self.lalr.action == state + 1).any(axis=0))
        return self.names[columns[0]] if len(columns) else "the beginning of the text"

    def _occurring(self, n_parts: int, n_lexers: int) -> tuple[_Bool, _Bool]:
        """bool[n_locals, n_lexers]: reached within a lexeme of a lexer; bool[n_parts, n_lexers]: a lexeme of it begins, or would, after a part."""
        scanner = self.scanner
        forwards = _Backwards.of(scanner.edges[:, [3, 0]])
        within = np.zeros((scanner.n_locals, n_lexers), np.bool_)
        meets = np.zeros((n_parts, n_lexers), np.bool_)
        meets[0, self.lalr.lexer_of[self.lalr.start]] = True
        taken = ~self.ignored
        before = -1
        while before != int(meets.sum()):
            before = int(meets.sum())
            part, lexer = np.nonzero(meets & (scanner.begin >= 0))
            within[scanner.begin[part, lexer], lexer] = True
            forwards.close(within)
            inside = within[self.owner]
            unseen = self.ignored | (scanner.exit_type == self.newline)
            np.logical_or.at(meets, scanner.exit_part[unseen], inside[unseen])
            kinds = scanner.exit_type[taken]
            used = (inside[taken] & self.wanted[:, kinds].T).any(axis=1)
            np.logical_or.at(meets, scanner.exit_part[taken][used], self.nexts[kinds[used]])
        return within, meets

    def _outside(self) -> _Bool:
        """bool[n_parts, n_lexers]: a lexeme may begin there but not only behind a newline that was swallowed."""
        scanner = self.scanner
        found = np.zeros_like(self.meets)
        found[0, self.lalr.lexer_of[self.lalr.start]] = True
        inside = self.within[self.owner]
        taken = ~self.ignored
        kinds = scanner.exit_type[taken]
        used = (inside[taken] & self.wanted[:, kinds].T).any(axis=1)
        np.logical_or.at(found, scanner.exit_part[taken][used], self.nexts[kinds[used]])
        forwards = _Backwards.of(scanner.edges[:, [3, 0]])
        before = -1
        while before != int(found.sum()):
            before = int(found.sum())
            within = np.zeros_like(self.within)
            part, lexer = np.nonzero(found & (scanner.begin >= 0))
            within[scanner.begin[part, lexer], lexer] = True
            forwards.close(within)
            np.logical_or.at(found, scanner.exit_part[self.ignored], within[self.owner][self.ignored])
        return found

    def _direct(self, locals_: _Int) -> _Bool:
        """The columns that a lexeme in each of these states may become; none for a dead one."""
        scanner = self.scanner
        found = np.zeros((len(locals_), self.end + 1), np.bool_)
        alive = locals_ >= 0
        found[alive, : self.end] = scanner.reach[locals_[alive], : self.end]
        found[alive, self.end] = scanner.may_end[locals_[alive]]
        return found

    def _missing(self) -> _Bool:
        """bool[n_parts, n_lexers, columns]: a terminal of the lexer that cannot be reached after the part."""
        scanner = self.scanner
        begin = scanner.begin
        parts = np.unique(scanner.exit_part[self.ignored])  # left by ignored lexemes
        ends = np.zeros((scanner.n_locals + 1, len(parts)), np.bool_)  # the last row: dead
        ends[self.owner[self.ignored], np.searchsorted(parts, scanner.exit_part[self.ignored])] = True
        self.back.close(ends)
        missing = np.zeros((*begin.shape, self.end + 1), np.bool_)
        for lexer in range(begin.shape[1]):
            after = self._direct(begin[parts, lexer])
            then = ends[begin[parts, lexer]]
            before = -1
            while before != int(after.sum()):
                before = int(after.sum())
                after |= then.astype(np.uint8) @ after.astype(np.uint8) > 0
            met = np.flatnonzero(self.meets[:, lexer])
            found = self._direct(begin[met, lexer])
            found |= ends[begin[met, lexer]].astype(np.uint8) @ after.astype(np.uint8) > 0
            missing[met, lexer] = self.wanted[lexer] & ~found
        return missing

    def dead_ends(self) -> list[ReportEntry]:
        """What breaks the first condition: lexemes behind which none can begin, though the parser would go on."""
        scanner = self.scanner
        found = [] if self.good[0, self.lalr.lexer_of[self.lalr.start]] else [_dead_end("the beginning of the text")]
        kinds = np.where(self.ignored, self.end, scanner.exit_type)
        for t in np.unique(kinds).tolist():
            if t == self.newline:  # see ``layouts``
                continue
            own = np.flatnonzero(kinds == t)
            for lexer in range(len(self.wanted)) if t == self.end else np.flatnonzero(self.nexts[t]).tolist():
                good = self.good[scanner.exit_part[own], lexer]
                inside = self.within[:, lexer] if t == self.end else self.within[:, self.wanted[:, t]].any(axis=1)
                ends = np.zeros((scanner.n_locals, 1), np.bool_)
                ends[self.owner[own[good]]] = True
                if (
                    not good.all()
                    and (inside & scanner.reach[:, -1 if t == self.end else t] & ~self.back.close(ends)[:, 0]).any()
                ):
                    found.append(_dead_end("an ignored lexeme" if t == self.end else self.names[t]))
                    break
        return found

    def hidden(self) -> list[ReportEntry]:
        """Terminals out of reach behind some lexemes."""
        behind: defaultdict[str, set[str]] = defaultdict(set)
        kinds = np.where(self.ignored, self.end, self.scanner.exit_type)
        for t, part in np.unique(np.stack([kinds, self.scanner.exit_part], axis=1), axis=0).tolist():
            lexers = self.good[part] if t == self.end else self.good[part] & self.nexts[t]
            name = "an ignored lexeme" if t == self.end else self.names[t]
            behind[name] |= {self.names[x] for x in np.flatnonzero(self.missing[part, lexers].any(axis=0)).tolist()}
        first = self.missing[0, self.lalr.lexer_of[self.lalr.start]]
        behind["the beginning of the text"] |= {self.names[x] for x in np.flatnonzero(first).tolist()}
        hint = (
            "ignored blanks (%ignore) keep lexemes apart, and terminals of different beginnings do not hide one another"
        )
        return [
            _entry(name, f"behind it, no text leads to {_names(lacking)}", hint)
            for name, lacking in behind.items()
            if lacking
        ]


def _dead_end(name: str) -> ReportEntry:
    return _entry(name, "no lexeme can begin behind it, though the parser may go on", "look at its look-arounds")


__all__ = ["obstacles"]
