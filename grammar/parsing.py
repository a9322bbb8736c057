"""Parse tables and scanners as flat arrays: what a grammar with a lexer is compiled to, and the machine runs as it stands.

A rule body of this kind is no automaton over bytes: which terminals compete for the next lexeme hangs on the state of an LALR parser, so the
parser's own tables belong to the language.  See *Parsers* in ``automata.layout`` for how they are run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lalr:
    """The table of an LALR(1) parser (DeRemer 1969).

    Attributes:
        action: int64[states, terminals + 1]: 0 error, s + 1 shift to s, -1 - r reduce by rule r.  The last column is the end of the text.
        goto: int64[states, nonterminals], -1 for none.
        rule_lhs: int64[rules], the nonterminal of each.
        rule_length: int64[rules], symbols on its right-hand side.
        start: the state to begin in.
        accept: the text is accepted when a goto at its end leads to this state.
        lexer_of: int64[states], -1 where no lexeme begins.
        terminals: names of the columns but the last.

    """

    action: Ints
    goto: Ints
    rule_lhs: Ints
    rule_length: Ints
    start: int
    accept: int
    lexer_of: Ints
    terminals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scanner:
    """A deterministic automaton over bytes that reads one lexeme after the other, for all lexers of a parser.

    A lexeme ends when the next byte is read or the text ends: then the state is left through an exit, and the lexer of the parser's new state begins
    with what the exit left of the scanner, its *part* (what earlier lexemes forbid or demand of what follows).  Part 0 is the empty one.

    Attributes:
        edges: int64[m, 4]: source, lowest byte, highest byte, target; at most one target a byte.
        exit_start: int64[n + 1], CSR offsets into the exits.
        exit_type: int64[exits], a column of the table, or -1 for an ignored terminal.
        exit_part: int64[exits].
        begin: int64[parts, lexers], a local state, or -1 where nothing can follow.
        may_end: bool[n], whether the text may end here (no lexeme is open).
        follow: bool[parts, 256], the bytes that some lexer can read after a part.
        reach: bool[n, terminals + 1], what the open lexeme may still become; the last column stands for every ignored terminal.

    """

    edges: Ints
    exit_start: Ints
    exit_type: Ints
    exit_part: Ints
    begin: Ints
    may_end: npt.NDArray[np.bool_]
    follow: npt.NDArray[np.bool_]
    reach: npt.NDArray[np.bool_]

    @property
    def n_locals(self) -> int:
        """How many local states there are."""
        return len(self.may_end)


@dataclass(frozen=True)
class Parser:
    """A rule body: texts that a scanner cuts into lexemes and a parser accepts."""

    lalr: Lalr
    scanner: Scanner

    @cached_property
    def digest(self) -> bytes:
        """Equal for equal tables."""
        found = hashlib.blake2b(digest_size=16)
        for table in (self.lalr, self.scanner):
            for name in table.__slots__:
                value = getattr(table, name)
                found.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
        return found.digest()
