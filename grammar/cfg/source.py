"""The sources ``Gbnf`` and ``Ebnf``: a grammar's text, where it starts, and what became of its rules."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ..errors import Unsatisfiable
from ..report import Report, ReportEntry
from ..source import Lowered, Source
from .dialect import GBNF, Dialect, detect, dialect_named
from .exceptions import resolve
from .facts import Facts, check_references, reachable
from .lower import lower
from .nodes import Definition, Rules
from .parser import parse
from .text import GrammarText


@dataclass(frozen=True, slots=True)
class Gbnf(Source):
    r"""A grammar in GBNF, the notation of llama.cpp.

    Every context-free grammar is accepted: left-recursive, ambiguous and nullable rules too.  A rule ends where the next
    one begins, so it may go on in the next line anywhere, not only inside of parentheses.

    Attributes:
        grammar: the text, or the path of a file (a ``PathLike``, or a string of one line that ends in ``.gbnf``, ``.ebnf`` or
            ``.bnf``).
        start: the rule that texts are made of.

    Terminals may be tokens of the vocabulary: ``<[1234]>`` by the id, ``<think>`` by the whole text (angle brackets included), ``!<think>`` any
    token but that one.  A token that is text is text as well where the grammar's characters match it.

    ``lower`` raises ``InvalidSource`` with line, column and excerpt where the text is no grammar, ``Unsatisfiable`` where no
    text matches, and ``LimitExceeded``; ``compile`` does for tokens that the vocabulary has not.

    """

    grammar: str | os.PathLike[str]
    start: str = field(default="root", kw_only=True)

    def lower(self) -> Lowered:
        """See ``Source.lower``."""
        source = GrammarText.of(self.grammar)
        return _lower(source, parse(source, GBNF), self.start, "gbnf")


@dataclass(frozen=True, slots=True)
class Ebnf(Source):
    """A grammar in extended Backus-Naur form, in one of four dialects.

    Attributes:
        grammar: the text, or the path of a file, as for ``Gbnf``.
        start: the rule that texts are made of; by default ``root`` if there is such a rule, else the first.
        dialect: ``xgrammar`` (that of xgrammar and transformers-CFG, GBNF without tokens), ``iso`` (ISO 14977), ``w3c`` (the XML
            recommendation's) or ``bnf``; by default the text decides, and the report says how.

    ``lower`` raises as that of ``Gbnf``.

    """

    grammar: str | os.PathLike[str]
    start: str | None = field(default=None, kw_only=True)
    dialect: Literal["iso", "w3c", "xgrammar", "bnf"] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Check the options."""
        if self.dialect is not None:
            dialect_named(self.dialect)

    def lower(self) -> Lowered:
        """See ``Source.lower``."""
        source = GrammarText.of(self.grammar)
        dialect, why = self._dialect(source)
        rules = parse(source, dialect)
        start = self.start
        if start is None:
            start = "root" if "root" in rules.definitions else next(iter(rules.definitions))
        return _lower(source, rules, start, f"{dialect.name} ({why})")

    def _dialect(self, source: GrammarText) -> tuple[Dialect, str]:
        if self.dialect is not None:
            return dialect_named(self.dialect), "chosen by the caller"
        return detect(source.text)


def _lower(source: GrammarText, rules: Rules, start: str, dialect: str) -> Lowered:
    check_references(rules.definitions, start, source)
    needed = reachable(rules.definitions, start)
    definitions = resolve({name: rules.definitions[name] for name in needed}, source)
    facts = Facts(definitions)
    if start not in facts.productive:
        at = rules.definitions[start].at
        raise Unsatisfiable(
            f"no text can ever match {start!r}: every alternative needs a rule that never ends",
            where=source.place(at),
            hint="add an alternative that does not call the rule again",
            excerpt=source.excerpt(at, len(start)),
        )
    grammar = lower(definitions, start, facts, source)
    report = Report(
        dialect=dialect,
        sound=True,
        complete=True,
        live=True,
        budget="exact",
        collect=lambda: _entries(source, rules, start, facts, definitions),
        unsatisfiable=lambda: [
            _pointer(source, definitions[name].at) for name in definitions if name not in facts.productive
        ],
    )
    return Lowered(grammar, report)


def _pointer(source: GrammarText, at: int) -> str:
    return f"line {source.line(at)}" if source.name is None else f"{source.name}, line {source.line(at)}"


def _entries(
    source: GrammarText, rules: Rules, start: str, facts: Facts, needed: Mapping[str, Definition]
) -> list[ReportEntry]:
    """One entry for each rule and each remark, in the order of the text."""
    found: list[tuple[int, ReportEntry]] = []
    for name, definition in rules.definitions.items():
        entry = ReportEntry(_pointer(source, definition.at), name, "exact")
        if name not in needed:
            entry = replace(entry, status="annotation", reason=f"no text of {start!r} needs it")
        elif name not in facts.productive:
            entry = replace(
                entry,
                reason="no text can ever match: every alternative needs a rule that never ends",
                consequence="alternatives that call it are never taken",
            )
        found.append((definition.at, entry))
    found += ((r.at, ReportEntry(_pointer(source, r.at), r.what, "annotation", r.reason)) for r in rules.remarks)
    return [entry for _, entry in sorted(found, key=lambda pair: pair[0])]
