"""``Lark``: a grammar of the lark package as a source, with the language of Lark's LALR parser and contextual lexer, or without a lexer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import InvalidSource, Unsatisfiable, Unsupported
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
        traps: with ``"drop"``, prefixes that no text completes are dropped (without an indenter): the language stays the same, and the parse
            table gets larger.  Worth it where ``report.live`` is False otherwise.  Where there is no table, there are none.

    """

    grammar: str | Path | lark.Lark
    lexer: Literal["lark", "scannerless"] = field(default="lark", kw_only=True)
    start: str | None = field(default=None, kw_only=True)
    postlex: Indenter | None = field(default=None, kw_only=True)
    import_paths: tuple[str | Path, ...] = field(default=(), kw_only=True)
    regex_flags: int = field(default=0, kw_only=True)
    traps: Literal["keep", "drop"] = field(default="keep", kw_only=True)

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            InvalidSource: the grammar is of another type, or there is no such lexer, or choice of what becomes of traps.

        """
        if not isinstance(self.grammar, (str, Path)) and not hasattr(self.grammar, "options"):
            raise InvalidSource(
                f"a Lark grammar is a text, a pathlib.Path or what lark.Lark has built, not {type(self.grammar).__name__}",
                hint="bytes: decode them as UTF-8 first" if isinstance(self.grammar, bytes) else None,
            )
        if self.lexer not in {"lark", "scannerless"}:
            raise InvalidSource(f"lexer={self.lexer!r} is not an option", hint="choose lark or scannerless")
        if self.traps not in {"keep", "drop"}:
            raise InvalidSource(f"traps={self.traps!r} is not an option", hint="choose keep or drop")

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
        from .texts import NotLalrError  # noqa: PLC0415 (imports nothing of lark)

        if not isinstance(self.grammar, (str, Path)):  # built, so lark is loaded
            options = self.grammar.options
            built_so = options.parser == "earley" and options.lexer == "basic"
            return self._product("it was built with parser='earley', lexer='basic'") if built_so else self._tables()
        try:
            return self._tables()
        except NotLalrError as error:
            if self.postlex is not None:
                raise NotLalrError(
                    error.message,
                    where=error.where,
                    hint="an indenter needs an LALR(1) grammar; without one, lexer='scannerless' takes every context-free grammar",
                    excerpt=error.excerpt,
                ) from error
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
        from . import stored  # noqa: PLC0415 (imports nothing of lark)

        key = self._key() if stored.is_on() else None
        kept = stored.load(key) if key is not None else None
        read: LarkTables | None = None
        if kept is None:
            began = time.perf_counter()
            read = self._read()
            used = self._without_traps(read) if self.traps == "drop" else read
            kept = stored.Stored(used.lalr, used.scanner, used.indentation)
            if key is not None and time.perf_counter() - began > stored.WORTHWHILE:
                stored.save(key, kept)
        grammar = Grammar()
        rule = grammar.rule(origin=self._name())
        grammar.define(rule, Parser.of(*kept).body())
        grammar.start = rule

        @cache
        def found() -> list[ReportEntry]:
            from .liveness import obstacles  # noqa: PLC0415 (lark is imported where a grammar of it is read)

            return [] if self.traps == "drop" else obstacles(read or self._read())

        terminals = kept.lalr.terminals
        report = Report(
            dialect="lark (LALR, contextual lexer)",
            sound=True,
            complete=True,
            live=lambda: not found(),
            budget="bound",
            collect=lambda: [*_entries(terminals), *found()],
            unsatisfiable=list,
        )
        return Lowered(grammar, report)

    def _read(self) -> LarkTables:
        """Let Lark build the grammar, and take the tables from it."""
        from .scanner import tables  # noqa: PLC0415 (lark is imported where a grammar of it is read)

        return tables(
            self.grammar,
            start=self.start,
            postlex=self.postlex,
            import_paths=self.import_paths,
            g_regex_flags=self.regex_flags,
        )

    def _without_traps(self, read: LarkTables) -> LarkTables:
        """The tables with every trap cut off."""
        from .splitting import Splitting  # noqa: PLC0415

        used = Splitting(read).tables
        if used.scanner.begin[0, used.lalr.lexer_of[used.lalr.start]] < 0:
            raise Unsatisfiable(f"no text matches {self._name()}", hint="see its report with traps='keep'")
        return used

    def _key(self) -> str | None:
        """The name of the tables on disk; ``None`` where Lark has built the grammar already."""
        from . import stored  # noqa: PLC0415
        from .texts import text_of  # noqa: PLC0415

        if not isinstance(self.grammar, (str, Path)):
            return None
        layout = None
        if self.postlex is not None:
            from .indentation import check_kind, told  # noqa: PLC0415

            check_kind(self.postlex)
            layout = told(self.postlex)
        text, path = text_of(self.grammar)
        options = {"start": self.start, "postlex": layout, "regex_flags": int(self.regex_flags), "traps": self.traps}
        return stored.key_of(text, path, tuple(map(str, self.import_paths)), options)

    def _name(self) -> str:
        if isinstance(self.grammar, Path):
            return str(self.grammar)
        return "the grammar" if isinstance(self.grammar, str) else str(self.grammar.source_path)


def _entries(terminals: tuple[str, ...]) -> list[ReportEntry]:
    """One entry for each terminal: what becomes of its pattern."""
    return [ReportEntry(name, "terminal", "exact") for name in terminals]
