"""Lark's indenter, the one post-lexer that is understood: what it is told, and what it needs of a grammar.

The indenter stands between lexer and parser.  Within brackets a newline vanishes.  Outside, its token is fed to the parser, and
the column behind its last newline (blanks count 1, tabs ``tab``) is compared with the open columns: a greater one is
opened and an indent is fed; while it is less, columns are closed, each feeding a dedent, and then it must be equal.  At the end of the text a dedent
for every open column comes before ``$END``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from lark.indenter import Indenter

from ..errors import Unsupported
from ..parsing import Indentation, Lalr


def check_kind(postlex: object) -> None:
    """Refuse what is no indenter, or does something else than Lark's own.

    Raises:
        Unsupported: says which.

    """
    if not isinstance(postlex, Indenter):
        raise Unsupported(f"the post-lexer {type(postlex).__name__}", hint="only subclasses of lark.indenter.Indenter")
    for method in ("process", "_process", "handle_NL", "always_accept"):
        if getattr(type(postlex), method) is not getattr(Indenter, method):
            raise Unsupported(
                f"the indenter {type(postlex).__name__} overrides {method}", hint="only its types can be read"
            )


def told(postlex: Indenter) -> list[str | int | list[str]]:
    """All that an indenter is told, as JSON can hold it."""
    return [
        postlex.NL_type,
        postlex.INDENT_type,
        postlex.DEDENT_type,
        sorted(postlex.OPEN_PAREN_types),
        sorted(postlex.CLOSE_PAREN_types),
        postlex.tab_len,
    ]


def read(postlex: Indenter, column: dict[str, int]) -> Indentation:
    """What Lark's object is told."""
    return Indentation(
        column[postlex.NL_type],
        column[postlex.INDENT_type],
        column[postlex.DEDENT_type],
        frozenset(column[x] for x in postlex.OPEN_PAREN_types if x in column),
        frozenset(column[x] for x in postlex.CLOSE_PAREN_types if x in column),
        postlex.tab_len,
    )


def check_balanced(indentation: Indentation, lalr: Lalr) -> None:
    """Refuse a grammar that does not close within one rule what the rule opens.

    Where every right-hand side is well nested in indents and dedents and in brackets, the open columns and the open
    brackets lie on the parser's stack; otherwise there would be two independent stacks.

    Raises:
        Unsupported: names the rule.

    """
    for rule, expansion in enumerate(lalr.expansions):
        opened: list[int] = []
        for symbol in expansion:
            if symbol == indentation.indent or symbol in indentation.opening:
                opened.append(symbol)
            elif symbol == indentation.dedent or symbol in indentation.closing:
                wanted = {indentation.indent} if symbol == indentation.dedent else indentation.opening
                if not opened or opened.pop() not in wanted:
                    opened = [symbol]
                    break
        if opened:
            raise Unsupported(
                f"the rule {lalr.rules[rule]} opens or closes {lalr.terminals[opened[-1]]} and not its counterpart",
                hint="with an indenter, indents and dedents and brackets have to be balanced within each rule",
            )


def check_spellable(
    indentation: Indentation, edges: npt.NDArray[np.int64], ends: npt.NDArray[np.bool_], names: tuple[str, ...]
) -> None:
    """Refuse a newline that blanks cannot continue: whether a prefix is alive would hang on the open columns.

    Args:
        indentation: the types.
        edges: those of the scanner.
        ends: bool[n_locals]: the lexeme may end here as a newline.
        names: of the terminals.

    Raises:
        Unsupported: somewhere a blank changes what the lexeme is.

    """
    blank = (edges[:, 1] <= ord(" ")) & (ord(" ") <= edges[:, 2])
    after = np.full(len(ends), -1, np.int64)
    after[edges[blank, 0]] = edges[blank, 3]
    if not np.append(ends, np.False_)[after[ends]].all():
        raise Unsupported(
            f"a lexeme of {names[indentation.newline]} is something else after a blank",
            hint="let the pattern go on with any number of blanks, as in /\\n[ \\t]*/",
        )
