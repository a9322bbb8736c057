"""Parse tables and scanners as flat arrays: what a grammar with a lexer is compiled to, and the machine runs as it stands.

A rule body of this kind is no automaton over bytes: which terminals compete for the next lexeme hangs on the state of an LALR parser, so the
parser's own tables belong to the language.  See *Parsers* in ``automata.layout`` for how they are run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from .ir import Automaton
from .outline import outline

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


IGNORED: Final = -1
"""The type of a lexeme that the parser never sees."""


@dataclass(frozen=True, slots=True)
class Lalr:
    """A table-driven shift-reduce parser, entry by entry what Lark built.

    Feeding terminal t: while ``action[top, t]`` is a reduction by rule r, pop ``rule_length[r]`` states, then push
    ``goto[top, rule_lhs[r]]``; then shift, or reject.  The text is accepted iff, when ``$END`` is fed (the last column), a
    reduction pushes the state ``accept``; then nothing is shifted.

    Attributes:
        action: int32[n_states, n_terminals + 1]: 0 error, s + 1 shift to s, -1 - r reduce by rule r.
        goto: int32[n_states, n_nonterminals], -1 none.
        rule_lhs, rule_length: int32[n_rules]: nonterminal, and number of symbols on the right.
        start: the state at the bottom of every stack.
        accept: the state whose push by ``$END`` accepts.
        lexer_of: int32[n_states]: the lexer that reads the next lexeme when this state is on top, -1: never on top then.
        terminals, nonterminals: names of the columns, ``$END`` left out.
        rules: every rule as text.
        expansions: of every rule: the symbols on its right; column t, or -1 - n for nonterminal n.

    """

    action: npt.NDArray[np.int32]
    goto: npt.NDArray[np.int32]
    rule_lhs: npt.NDArray[np.int32]
    rule_length: npt.NDArray[np.int32]
    start: int
    accept: int
    lexer_of: npt.NDArray[np.int32]
    terminals: tuple[str, ...]
    nonterminals: tuple[str, ...]
    rules: tuple[str, ...]
    expansions: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Scanner:
    """The lexer's automaton; see the module's text.

    Attributes:
        edges: int64[m, 4]: source, lowest byte, highest byte, target; sorted; at most one target for a local and a byte.
        exit_start: int64[n_locals + 1]: the exits of local q are ``exit_start[q]..exit_start[q + 1]``.
        exit_type: int32[k]: column of the parse table, ``IGNORED`` where the parser is not fed.  A local state has at
            most one exit of each type.
        exit_part: int32[k]: what is left for the next lexeme.
        begin: int64[n_parts, n_lexers]: the first local state, -1: dead, or a pair that never meets.  Part 0 is the one at
            the beginning of the text.
        may_end: bool[n_locals]: nothing of the lexeme has been read, and the text may end here as far as the lexer knows.
        follow: bool[n_parts, 256]: the bytes that some lexer can read after the part.
        reach: bool[n_locals, n_types + 1]: the types by which the lexeme may still end; last column: ignored.
        terminals: names of the types.

    """

    edges: Ints
    exit_start: Ints
    exit_type: npt.NDArray[np.int32]
    exit_part: npt.NDArray[np.int32]
    begin: Ints
    may_end: Bools
    follow: Bools
    reach: Bools
    terminals: tuple[str, ...]

    @property
    def n_locals(self) -> int:
        """How many local states there are, the insides of characters included."""
        return len(self.may_end)

    def spelled(self, spelled: Bools) -> Scanner:
        """The same over texts of some bytes alone (bool[256]); itself if the others make no difference.

        An edge's other bytes may stay where it has some of these: nothing ever reads them.
        """
        counts = np.concatenate([[0], np.cumsum(spelled)])
        edges = self.edges[counts[self.edges[:, 2] + 1] > counts[self.edges[:, 1]]]
        if len(edges) == len(self.edges):
            return self
        reach = np.zeros_like(self.reach)
        owner = np.repeat(np.arange(self.n_locals), np.diff(self.exit_start))
        reach[owner, self.exit_type] = True  # the last column, -1, is that of what is ignored
        reach = reach_of(reach, edges)
        alive = reach.any(axis=1) | self.may_end
        edges = edges[alive[edges[:, 3]]]
        begin = np.where((self.begin >= 0) & alive[self.begin], self.begin, -1)
        return replace(self, edges=edges, begin=begin, follow=follow_of(begin, edges, self.n_locals), reach=reach)


def follow_of(begin: Ints, edges: Ints, n_locals: int) -> Bools:
    """``Scanner.follow``: the bytes that can be read after each part."""
    reads = np.zeros((n_locals + 1, 257), np.int64)  # the last row: dead
    np.add.at(reads, (edges[:, 0], edges[:, 1]), 1)
    np.add.at(reads, (edges[:, 0], edges[:, 2] + 1), -1)
    readable = np.cumsum(reads, axis=1)[:, :256] > 0
    return np.asarray(readable[begin].any(axis=1), np.bool_)


def reach_of(reach: Bools, edges: Ints) -> Bools:
    """``Scanner.reach``, from the exits of each local state: a fixed point along the edges, backwards.  Changes ``reach``."""
    n = len(reach)
    pairs = np.unique(edges[:, 0] * n + edges[:, 3])
    source, first = np.unique(pairs // n, return_index=True)
    target = pairs % n
    count = -1
    while len(source) and count != int(reach.sum()):
        count = int(reach.sum())
        reach[source] |= np.logical_or.reduceat(reach[target], first, axis=0)
    return reach


class Indentation(NamedTuple):
    """An indenter between scanner and parser, as columns of the parse table; see ``lark.indentation`` for what it does.

    Attributes:
        newline, indent, dedent: the types that it reads and makes.
        opening, closing: the types between which newlines do not count.
        tab: columns of a tab.

    """

    newline: int
    indent: int
    dedent: int
    opening: frozenset[int]
    closing: frozenset[int]
    tab: int


@dataclass(frozen=True)
class Parser:
    """Texts that a scanner cuts into lexemes and a parser accepts.

    Attributes:
        lalr: the parser.
        scanner: the scanner of all its lexers.
        first: the local state to begin in.
        indentation: the indenter between them, if there is one.
        followed: whether something can be read behind a text; where one ends is decided as if the whole text ended there.

    """

    lalr: Lalr
    scanner: Scanner
    first: int
    indentation: Indentation | None = None
    followed: bool = False

    @classmethod
    def of(cls, lalr: Lalr, scanner: Scanner, indentation: Indentation | None = None) -> Parser:
        """The parser of whole texts."""
        return cls(lalr, scanner, int(scanner.begin[0, lalr.lexer_of[lalr.start]]), indentation)

    @cached_property
    def digest(self) -> bytes:
        """Equal for equal tables."""
        layout = (
            None
            if self.indentation is None
            else [*map(sorted, self.indentation[3:5]), *self.indentation[:3], self.indentation.tab]
        )
        found = hashlib.blake2b(repr((self.first, layout, self.followed)).encode(), digest_size=16)
        for table in (self.lalr, self.scanner):
            for name in table.__slots__:
                value = getattr(table, name)
                found.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
        return found.digest()

    @property
    def accepts_empty(self) -> bool:
        """Whether the empty text is in the language."""
        lalr = self.lalr
        if self.first < 0 or not self.scanner.may_end[self.first]:
            return False
        stack = [lalr.start]
        while (act := int(lalr.action[stack[-1], -1])) < 0:  # nothing is shifted at the end of a text
            rule = -1 - act
            del stack[len(stack) - int(lalr.rule_length[rule]) :]
            stack.append(int(lalr.goto[stack[-1], lalr.rule_lhs[rule]]))
            if stack[-1] == lalr.accept:
                return True
        return False

    def without_empty(self) -> Parser:
        """The same language but for the empty text: it begins in a copy of its first state in which the text may not end."""
        if not self.accepts_empty:
            return self
        old = self.scanner
        own = old.edges[old.edges[:, 0] == self.first]
        own[:, 0] = old.n_locals
        scanner = replace(
            old,
            edges=np.concatenate([old.edges, own]),
            exit_start=np.append(old.exit_start, old.exit_start[-1]),
            may_end=np.append(old.may_end, np.False_),
            reach=np.concatenate([old.reach, old.reach[self.first : self.first + 1]]),
        )
        return replace(self, scanner=scanner, first=old.n_locals)

    def body(self) -> Automaton:
        """A rule body of this language."""
        return outline(self)
