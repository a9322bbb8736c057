"""Lark's contextual lexer as one deterministic automaton over bytes with exits, from which the parser takes over.

A configuration is (local state, parser stack).  On a byte, the local state follows its edge; besides, each of its exits is
carried out: the parser is fed the exit's type (nothing where it is ignored), the next lexeme begins in
``begin[part, lexer of the new top]``, and that local state follows its own edge.  At the end of the text exits are carried
out likewise, and where ``may_end`` holds the parser is fed ``$END``.  Characters are decided by class before bytes are told
apart: the inside of a UTF-8 character is a local state of its own, without exits, and exists only if some character below
leads somewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import lark
import numpy as np
import numpy.typing as npt
from lark.indenter import Indenter

from ..parsing import IGNORED, Indentation, Lalr, Scanner, follow_of, reach_of
from . import minimal, reading
from .building import build
from .characters import Classes
from .closures import Closures
from .controls import DEAD, Controls
from .indentation import check_balanced, check_spellable
from .minimal import Table
from .utf8 import in_bytes

_Int = npt.NDArray[np.int64]
_Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LarkTables:
    """A Lark grammar as tables: lexer, parser, and the indenter between them, if there is one; and the grammar that they were read from."""

    scanner: Scanner
    lalr: Lalr
    indentation: Indentation | None
    built: lark.Lark


def tables(
    grammar: str | Path | lark.Lark,
    *,
    start: str | None = None,
    postlex: Indenter | None = None,
    import_paths: tuple[str | Path, ...] = (),
    g_regex_flags: int = 0,
) -> LarkTables:
    """Read a Lark grammar and build its tables.

    Args:
        grammar: the grammar's text, the path of its file, or what ``lark.Lark`` built with ``parser="lalr"``.
        start: the rule that texts are made of; ``"start"`` unless the grammar is built already.
        postlex: an indenter, for a grammar that is not built yet; so are the others.
        import_paths: where ``%import`` looks besides the file's own folder.
        g_regex_flags: flags of ``re`` for all patterns.

    Raises:
        InvalidSource: Lark refuses the grammar.
        Unsupported: it uses what is refused by name.
        LimitExceeded: its lexer or one of its patterns has too many states.

    """
    if not isinstance(grammar, lark.Lark):
        start = start or "start"
        grammar = build(grammar, start=start, postlex=postlex, import_paths=import_paths, g_regex_flags=g_regex_flags)
    read = reading.read(grammar, start=start)
    if read.indentation is not None:
        check_balanced(read.indentation, read.lalr)
    closures = Closures(read.program)
    lexing = read.lexing
    controls = Controls(closures, lexing, int(read.lalr.lexer_of[read.lalr.start]))
    full = minimal.table(controls, closures.classes.number, len(lexing.names), len(lexing.lexers))
    small = minimal.minimise(_live(full, read.lalr, read.indentation))
    scanner = scanner_of(small, closures.classes, lexing.names)
    if read.indentation is not None:
        ends = np.zeros(scanner.n_locals, np.bool_)
        ends[: len(small.exit)] = small.exit[:, read.indentation.newline] != DEAD
        check_spellable(read.indentation, scanner.edges, ends, lexing.names)
    return LarkTables(scanner, read.lalr, read.indentation, grammar)


def _live(full: Table, lalr: Lalr, indentation: Indentation | None) -> Table:
    """Drop dead ends, as far as one sees without the parser's stack."""
    chooses = lalr.lexer_of >= 0
    wanted = np.zeros((full.begin.shape[1], lalr.action.shape[1]), np.bool_)
    np.logical_or.at(wanted, lalr.lexer_of[chooses], lalr.action[chooses] != 0)
    nexts = np.zeros((lalr.action.shape[1] - 1, len(wanted)), np.bool_)
    state, column = np.nonzero(lalr.action[:, :-1] > 0)
    nexts[column, lalr.lexer_of[lalr.action[state, column] - 1]] = True
    swallowed = -1
    if (
        indentation is not None
    ):  # its indents and dedents are no lexemes: they come with a newline, and dedents with the end
        swallowed = indentation.newline
        nexts[swallowed] |= nexts[indentation.indent] | nexts[indentation.dedent]
        wanted[:, -1] |= wanted[:, indentation.dedent]
    found = minimal.live_under(full, wanted, nexts, swallowed)
    is_empty = found.begin[0, lalr.lexer_of[lalr.start]] == DEAD  # then the start is kept, so that there is one
    return minimal.live(full) if is_empty else found


def scanner_of(small: Table, classes: Classes, names: tuple[str, ...]) -> Scanner:
    """Spell characters as UTF-8, and lay the table out as lists of edges and exits."""
    n_locals, edges = in_bytes(small.row, classes)
    n, inner = len(small.row), n_locals - len(small.row)
    local, column = np.nonzero(small.exit != DEAD)
    exit_start = np.zeros(n_locals + 1, np.int64)
    exit_start[1 : n + 1] = np.cumsum((small.exit != DEAD).sum(axis=1))
    exit_start[n + 1 :] = exit_start[n]
    reach = np.concatenate([small.exit != DEAD, np.zeros((inner, len(names) + 1), np.bool_)])
    return Scanner(
        edges,
        exit_start,
        np.where(column == len(names), IGNORED, column).astype(np.int32),
        small.exit[local, column].astype(np.int32),
        small.begin,
        np.append(small.may_end, np.zeros(inner, np.bool_)),
        follow_of(small.begin, edges, n_locals),
        reach_of(reach, edges),
        names,
    )
