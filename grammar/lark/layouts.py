"""What an indenter adds to the proof of liveness: its newlines can take any outcome, and what it feeds is known by the states that it enters.

A newline's lexeme can get any column behind a line's end, and then another lexeme begins; so a parser that has shifted a newline may be fed an indent, or dedents,
or neither, whatever the proof needs.  Within brackets newlines are swallowed; as rules are balanced, none of them can be needed there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..parsing import Indentation, Lalr, Scanner, reach_of
from .stacks import Outlined

_Bool = npt.NDArray[np.bool_]


class Layout(NamedTuple):
    """A parser, its scanner, and the indenter between them."""

    lalr: Lalr
    scanner: Scanner
    rules: Indentation

    def _made(self) -> list[int]:
        return [self.rules.indent, self.rules.dedent]

    def _entered(self, column: int) -> set[int]:
        """The states that a terminal is shifted to."""
        shifts = self.lalr.action[:, column]
        return set((shifts[shifts > 0] - 1).tolist())

    def _never(self) -> frozenset[int]:
        """States in which nothing can be read: they only take what an indenter makes."""
        others = np.delete(self.lalr.action, self._made(), axis=1)
        only = (self.lalr.lexer_of >= 0) & ~(others != 0).any(axis=1)
        return frozenset(np.flatnonzero(only).tolist())

    def outlined(self) -> Outlined:
        """What is fed besides lexemes."""
        row = self.lalr.action
        more = {
            state: [t for t in (self.rules.indent, self.rules.dedent) if row[state, t]]
            for state in self._entered(self.rules.newline)
        }
        for state in self._entered(self.rules.dedent):
            more[state] = [t for t in (self.rules.dedent,) if row[state, t]]
        return Outlined(more, self._never())

    def obstacles(self, begins: _Bool, within: _Bool) -> Iterator[tuple[str, str, str]]:
        """What stands in the way, as (name, reason, hint).

        Args:
            begins: bool[n_parts, n_lexers]: a lexeme can begin.
            within: bool[n_locals, n_lexers]: reached within a lexeme of the lexer.

        """
        lalr, rules = self.lalr, self.rules
        name = lalr.terminals[rules.newline]
        made = {rules.newline, rules.indent, rules.dedent}
        inside = self._inside_brackets()
        for rule, symbols in enumerate(lalr.expansions):
            if (int(lalr.rule_lhs[rule]) in inside and not made.isdisjoint(symbols)) or self._has_line(symbols, made):
                yield (
                    lalr.rules[rule],
                    f"it wants {name} within brackets, where it never comes",
                    "keep lines out of brackets",
                )
        for state in sorted(self._never()):
            if lalr.action[state, rules.indent] <= 0 or state not in self._entered(rules.newline):
                yield name, "an indent or a dedent must follow where none may", "let something else follow a dedent"
                break
        lost = self._lost(begins, within)
        if lost:
            yield name, "after some line's end no lexeme can begin", "let the pattern go on with any number of blanks"

    def _inside_brackets(self) -> set[int]:
        """The nonterminals that occur between brackets, directly or not."""
        lalr, rules = self.lalr, self.rules
        found: set[int] = set()
        work: list[int] = []
        by_lhs: dict[int, list[tuple[int, ...]]] = {}
        for rule, symbols in enumerate(lalr.expansions):
            by_lhs.setdefault(int(lalr.rule_lhs[rule]), []).append(symbols)
            depth = 0
            for x in symbols:
                depth += (x in rules.opening) - (x in rules.closing)
                if depth and x < 0:
                    work.append(-1 - x)
        while work:
            n = work.pop()
            if n not in found:
                found.add(n)
                work += [-1 - x for symbols in by_lhs.get(n, ()) for x in symbols if x < 0]
        return found

    def _within_brackets(self) -> set[int]:
        """The states that may be on top while a bracket is open."""
        lalr, rules = self.lalr, self.rules
        inside = self._inside_brackets()
        nests = any(
            not rules.opening.isdisjoint(symbols) and int(lhs) in inside
            for lhs, symbols in zip(lalr.rule_lhs, lalr.expansions, strict=True)
        )
        ends = set() if nests else {s for t in rules.closing for s in self._entered(t)}
        work = [s for t in rules.opening for s in self._entered(t)]
        found: set[int] = set()
        while work:
            state = work.pop()
            if state not in found and state not in ends:
                found.add(state)
                shifts, gotos = lalr.action[state], lalr.goto[state]
                work += [*(shifts[shifts > 0] - 1).tolist(), *gotos[gotos >= 0].tolist()]
        return found

    def _has_line(self, symbols: tuple[int, ...], made: set[int]) -> bool:
        """Whether a rule has a newline, an indent or a dedent between its own brackets."""
        depth = 0
        for x in symbols:
            depth += (x in self.rules.opening) - (x in self.rules.closing)
            if depth and x in made:
                return True
        return False

    def _lost(self, begins: _Bool, within: _Bool) -> bool:
        """Whether some newline's lexeme cannot be led to a line's end of any column behind which a lexeme begins."""
        lalr, scanner, rules = self.lalr, self.scanner, self.rules
        edges = scanner.edges
        behind = {*self._within_brackets(), *(s for t in (rules.newline, *self._made()) for s in self._entered(t))}
        live = np.unique(lalr.lexer_of[sorted(behind - self._never())])  # lexers that are in force behind a newline
        live = live[live >= 0]
        n = scanner.n_locals
        open_ = scanner.reach[:, rules.newline] & within.any(axis=1)
        inner = edges[open_[edges[:, 0]] & open_[edges[:, 3]]]
        reads = {byte: (inner[:, 1] <= ord(byte)) & (inner[:, 2] >= ord(byte)) for byte in "\n\t "}
        owner = np.repeat(np.arange(n), np.diff(scanner.exit_start))
        own = scanner.exit_type == rules.newline
        fine: _Bool = np.zeros(n, np.bool_)  # a newline ends here, and behind any more blanks
        fine[owner[own]] = begins[scanner.exit_part[own]][:, live].all(axis=1)
        blank = np.full(n, -1)
        blank[inner[reads[" "], 0]] = inner[reads[" "], 3]
        count = -1
        while count != int(fine.sum()):
            count = int(fine.sum())
            fine &= (blank >= 0) & fine[blank]
        plain = inner[inner[:, 2] - inner[:, 1] >= sum(map(np.int64, reads.values()))]  # another byte than those
        at_column = reach_of(fine[:, None].copy(), plain)[:, 0]
        lines = inner[reads["\n"]]
        again, leads = np.zeros((2, n, 1), np.bool_)
        again[lines[:, 0]] = True
        leads[lines[at_column[lines[:, 3]], 0]] = True
        leads, again = reach_of(leads, inner)[:, 0], reach_of(again, inner)[:, 0]
        return bool((open_ & ~np.where(again, leads, at_column)).any())


__all__ = ["Layout"]
