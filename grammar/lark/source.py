"""``Lark``: a grammar of the lark package as a source, with the language of Lark's LALR parser and contextual lexer, or without a lexer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import InvalidSource, Unsupported
from ..ir import Grammar
from ..parsing import Parser
from ..report import Report, ReportEntry
from ..source import Lowered, Source

if TYPE_CHECKING:
    import lark
    from lark.indenter import Indenter

    from .scanner import LarkTables


@dataclass(frozen=True, slots=True)
class Lark(Source):
    """A Lark grammar.

    With ``lexer="lark"`` a text belongs to the language iff ``lark.Lark(grammar, parser="lalr", lexer="contextual").parse(text)`` raises
    nothing: terminals compete as Lark lets them (priorities, string literals before patterns, only those that the parser's state takes), and a
    lexeme is what Python's ``re`` matches, which is not always the longest.  Where other text follows in a composition, the grammar's own may end
    wherever Lark would take it for a whole text.

    A grammar that is not LALR(1) (Lark finds two rules to reduce by) has with ``lexer="lark"`` the language of
    ``lark.Lark(grammar, parser="earley", lexer="basic")``: all terminals compete everywhere.  ``report.dialect`` and the report say so.

    With ``lexer="scannerless"`` every way of splitting a text into terminals counts, priorities say nothing, and any context-free grammar will do.

    Attributes:
        grammar: the grammar's text, the path of its file (a ``pathlib.Path``, or a string of one line that ends in ``.lark``), or what
            ``lark.Lark`` has built (for ``lexer="lark"`` with ``parser="lalr"``, or ``parser="earley"`` and ``lexer="basic"``).
        lexer: ``"lark"`` or ``"scannerless"``.
        start: the rule that texts are made of; ``"start"`` unless the grammar is built already and has one start rule.
        postlex: an indenter (see ``lark.indenter``), for a grammar that is not built yet, like the options below.
        import_paths: folders in which ``%import`` looks besides the file's own.
        regex_flags: flags of ``re`` for all patterns.

    """

    grammar: str | Path | lark.Lark
    lexer: Literal["lark", "scannerless"] = field(default="lark", kw_only=True)
    start: str | None = field(default=None, kw_only=True)
    postlex: Indenter | None = field(default=None, kw_only=True)
    import_paths: tuple[str | Path, ...] = field(default=(), kw_only=True)
    regex_flags: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            InvalidSource: there is no such lexer.

        """
        if self.lexer not in {"lark", "scannerless"}:
            raise InvalidSource(f"lexer={self.lexer!r} is not an option", hint="choose lark or scannerless")

    def lower(self) -> Lowered:
        """The tables of the parser and of its lexers, as the one rule of a grammar; or, scannerless, the rules as they are.

        Raises:
            InvalidSource: Lark refuses the grammar.
            Unsatisfiable: no text matches.
            Unsupported: the grammar uses a callback, a back-reference or something else that no table can hold.
            LimitExceeded: its lexers have too many states.

        """
        if self.lexer == "scannerless":
            return self._scannerless()
        import lark  # noqa: PLC0415 (see below)

        from .building import NotLalrError  # noqa: PLC0415

        if isinstance(self.grammar, lark.Lark):
            options = self.grammar.options
            built_so = options.parser == "earley" and options.lexer == "basic"
            return self._product("it was built with parser='earley', lexer='basic'") if built_so else self._tables()
        try:
            return self._tables()
        except NotLalrError as error:
            if self.postlex is not None:
                raise
            return self._product(error.message)

    def _product(self, why: str) -> Lowered:
        from . import basic  # noqa: PLC0415 (see below)

        return basic.lower(
            self.grammar,
            why=why,
            start=self.start,
            origin=self._name(),
            import_paths=self.import_paths,
            g_regex_flags=self.regex_flags,
        )

    def _scannerless(self) -> Lowered:
        import lark  # noqa: PLC0415 (see below)

        from . import building, scannerless  # noqa: PLC0415

        grammar, start = self.grammar, self.start
        if self.postlex is not None:
            raise Unsupported("a post-lexer works on lexemes, and here there are none", hint="choose lexer='lark'")
        if not isinstance(grammar, lark.Lark):
            start = start or "start"
            grammar = building.build(
                grammar,
                start=start,
                import_paths=self.import_paths,
                g_regex_flags=self.regex_flags,
                kind="scannerless",
            )
        return scannerless.lower(grammar, start)

    def _tables(self) -> Lowered:
        from .liveness import obstacles  # noqa: PLC0415 (lark is imported where a grammar of it is read)
        from .scanner import tables  # noqa: PLC0415

        read = tables(
            self.grammar,
            start=self.start,
            postlex=self.postlex,
            import_paths=self.import_paths,
            g_regex_flags=self.regex_flags,
        )
        grammar = Grammar()
        rule = grammar.rule(origin=self._name())
        grammar.define(rule, Parser.of(read.lalr, read.scanner, read.indentation).body())
        grammar.start = rule
        found = cache(lambda: obstacles(read))
        report = Report(
            dialect="lark (LALR, contextual lexer)",
            sound=True,
            complete=True,
            live=lambda: not found(),
            budget="bound",
            collect=lambda: [*_entries(read), *found()],
            unsatisfiable=list,
        )
        return Lowered(grammar, report)

    def _name(self) -> str:
        if isinstance(self.grammar, Path):
            return str(self.grammar)
        return "the grammar" if isinstance(self.grammar, str) else str(self.grammar.source_path)


def _entries(read: LarkTables) -> list[ReportEntry]:
    """One entry for each terminal: what becomes of its pattern."""
    return [ReportEntry(name, "terminal", "exact") for name in read.lalr.terminals]
