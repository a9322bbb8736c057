"""Reading a Lark grammar: Lark builds it, and everything is taken from what it built.

Which terminals compete in a state, in which order, and what is re-labelled is never worked out a second time: Lark's order
depends on widths that Python computes, and Python's answer has changed between versions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lark
import numpy as np
from lark.exceptions import LarkError
from lark.indenter import Indenter
from lark.lexer import ContextualLexer, PatternStr, TerminalDef
from lark.parser_frontends import PostLexConnector
from lark.parsers.lalr_analysis import Shift

from ..errors import InvalidSource, Unsupported
from .controls import Lexing, LexerPlan
from .lalr import Lalr
from .patterns import Program

END_NAME = "$END"


class Indentation(NamedTuple):
    """What Lark's indenter is told, as columns of the parse table.

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


class Reading(NamedTuple):
    """A Lark grammar in numbers: terminals are columns of the parse table."""

    lalr: Lalr
    lexing: Lexing
    program: Program
    indentation: Indentation | None


def build(
    grammar: str | Path,
    *,
    start: str = "start",
    postlex: Indenter | None = None,
    import_paths: Sequence[str | Path] = (),
    g_regex_flags: int = 0,
) -> lark.Lark:
    """Let Lark build a grammar.

    Args:
        grammar: the grammar's text, or the path of its file.
        start: the rule that texts are made of.
        postlex: an indenter.
        import_paths: where ``%import`` looks besides the file's own folder.
        g_regex_flags: flags of ``re`` for all patterns.

    Raises:
        InvalidSource: Lark refuses the grammar; with the place where Lark or the text tells it.

    """
    text, name = grammar, "<string>"
    if isinstance(grammar, Path):
        name = str(grammar)
        try:
            text = grammar.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidSource(f"the grammar cannot be read: {error}", where=name) from error
    assert isinstance(text, str)
    try:
        return lark.Lark(
            text,
            parser="lalr",
            lexer="contextual",
            start=start,
            postlex=postlex,
            source_path=None if name == "<string>" else name,
            import_paths=[str(x) for x in import_paths],
            g_regex_flags=g_regex_flags,
        )
    except (LarkError, re.error, OSError, ImportError, ValueError, RecursionError) as error:
        raise _invalid(error, text, name) from error


def _invalid(error: Exception, text: str, name: str) -> InvalidSource:
    """Lark's complaint with the place that it names, or else the first place of the name that it quotes."""
    message = str(error).strip()
    place = re.search(r"at line (\d+),? col(?:umn)? (\d+)", message)
    where = name
    if place is not None:
        where = f"{name}: line {place[1]}, column {place[2]}"
    else:
        quoted = re.search(r"Rule '(\w+)'|Terminal '?(\w+)|terminal (\w+)|token (\w+)|Terminals? .*?'(\w+)'|\((\w+):", message)
        word = next((x for x in quoted.groups() if x), None) if quoted else None
        found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) if word else None
        if found is not None:
            line = text.count("\n", 0, found.start()) + 1
            begin = text.rfind("\n", 0, found.start()) + 1
            column = found.start() - begin + 1
            shown = text[begin:].split("\n", 1)[0].replace("\t", " ")
            where = f"{name}: line {line}, column {column}"
            message = f"{message}\n\n{shown}\n{' ' * (column - 1)}^\n"
    return InvalidSource(f"Lark refuses the grammar: {message}", where=where)


_HINTS = {
    "parser": ("lalr", "build it with parser='lalr'"),
    "lexer": ("contextual", "build it with lexer='contextual'"),
    "regex": (False, "the third-party regex module has rules of its own; build it without"),
    "use_bytes": (False, "build it for text; here it reads UTF-8"),
    "transformer": (None, "a transformer may reject tokens; run it on what was generated"),
}


def _check(built: lark.Lark) -> None:
    """Refuse by name what could change the language in ways that no table can hold."""
    options = built.options
    for name, (wanted, hint) in _HINTS.items():
        if getattr(options, name) != wanted:
            raise Unsupported(f"the grammar was built with {name}={getattr(options, name)!r}", hint=hint)
    for name in ("lexer_callbacks", "_plugins"):
        if getattr(options, name):
            raise Unsupported(f"the grammar was built with {name}", hint="user code cannot run inside a table")
    postlex = options.postlex
    if postlex is not None and not isinstance(postlex, Indenter):
        raise Unsupported(f"the post-lexer {type(postlex).__name__}", hint="only subclasses of lark.indenter.Indenter")
    if postlex is not None:
        for method in ("process", "_process", "handle_NL", "always_accept"):
            if getattr(type(postlex), method) is not getattr(Indenter, method):
                raise Unsupported(
                    f"the indenter {type(postlex).__name__} overrides {method}", hint="only its types can be read"
                )


def read(built: lark.Lark, *, start: str | None = None) -> Reading:
    """Take the parse table, the lexers and the patterns from a built grammar.

    Args:
        built: made by ``build``, or by the user with the same parser and lexer.
        start: one of its start rules; may be left out if there is only one.

    Raises:
        InvalidSource: there is no such start rule, or Lark would fail when it reads its first text.
        Unsupported: it was built with what is refused by name.

    """
    _check(built)
    frontend: Any = built.parser
    table = frontend.parser._parse_table  # noqa: SLF001 (Lark has no other door to its table)
    starts = list(table.start_states)
    if start is None:
        start = starts[0]
        if len(starts) > 1:
            raise InvalidSource(f"the grammar has the start rules {', '.join(starts)}", hint="say which: start=...")
    elif start not in starts:
        raise InvalidSource(f"{start!r} is no start rule of the grammar", hint=f"one of {', '.join(starts)}")
    lexer = frontend.lexer.lexer if isinstance(frontend.lexer, PostLexConnector) else frontend.lexer
    if not isinstance(lexer, ContextualLexer):
        raise Unsupported(f"the lexer {type(lexer).__name__}", hint="build it with lexer='contextual'")
    nonterminals = list(dict.fromkeys(rule.origin.name for rule in built.rules))
    declared = {name for row in table.states.values() for name in row} - set(nonterminals) - {END_NAME}
    postlex = built.options.postlex
    others = declared | ({postlex.NL_type, postlex.INDENT_type, postlex.DEDENT_type} if postlex else set())
    named = [terminal.name for terminal in built.terminals]
    terminals = [*named, *sorted(others - set(named))]
    column = {name: k for k, name in enumerate(terminals)}
    state_of = {name: k for k, name in enumerate(table.states)}
    lalr, chooses = _table(table, start, terminals, nonterminals, state_of)
    plans, lexer_of = _lexers(built, lexer, column, chooses, state_of)
    lalr.lexer_of[:] = lexer_of
    program, entries = _patterns(built, column, len(terminals), plans)
    relabel = _relabel(built, lexer.root_lexer.terminals, column)
    orders = [_without_embedded(built, plan, relabel, column) for plan in plans]
    followers: dict[int, frozenset[int]] = {}
    for t in range(len(terminals)):
        targets = {int(x) - 1 for x in lalr.action[:, t] if x > 0}
        if targets:
            followers[t] = frozenset(int(lexer_of[s]) for s in targets)
    indentation = _indentation(postlex, column) if postlex else None
    if indentation is not None:
        made = [followers.get(x, frozenset()) for x in (indentation.newline, indentation.indent, indentation.dedent)]
        followers[indentation.newline] = frozenset().union(*made)
    lexing = Lexing(
        tuple(terminals),
        tuple(entries),
        tuple(orders),
        relabel,
        frozenset(column[x] for x in built.lexer_conf.ignore if x in column),
        followers,
        indentation.newline if indentation else -1,
    )
    return Reading(lalr, lexing, program, indentation)


def _table(
    table: Any, start: str, terminals: list[str], nonterminals: list[str], state_of: dict[Any, int]
) -> tuple[Lalr, list[bool]]:
    """The parse table, and which states choose a lexer: the first, and those that a terminal leads to."""
    column = {name: k for k, name in enumerate([*terminals, END_NAME])}
    number = {name: k for k, name in enumerate(nonterminals)}
    rules: dict[Any, int] = {}
    action = np.zeros((len(state_of), len(terminals) + 1), np.int32)
    goto = np.full((len(state_of), len(nonterminals)), -1, np.int32)
    chooses = [False] * len(state_of)
    chooses[state_of[table.start_states[start]]] = True
    for name, row in table.states.items():
        s = state_of[name]
        for symbol, (act, argument) in row.items():
            if symbol in number:
                goto[s, number[symbol]] = state_of[argument]
            elif act is Shift:
                action[s, column[symbol]] = state_of[argument] + 1
                chooses[state_of[argument]] = True
            else:
                action[s, column[symbol]] = -1 - rules.setdefault(argument, len(rules))
    lalr = Lalr(
        action,
        goto,
        np.array([number[rule.origin.name] for rule in rules], np.int32),
        np.array([len(rule.expansion) for rule in rules], np.int32),
        state_of[table.start_states[start]],
        state_of[table.end_states[start]],
        np.full(len(state_of), -1, np.int32),
        tuple(terminals),
        tuple(nonterminals),
        tuple(f"{rule.origin.name}: {' '.join(x.name for x in rule.expansion)}" for rule in rules),
    )
    return lalr, chooses


def _lexers(
    built: lark.Lark, lexer: Any, column: dict[str, int], chooses: list[bool], state_of: dict[Any, int]
) -> tuple[list[list[int]], np.ndarray[Any, np.dtype[np.int32]]]:
    """The lexers that are ever chosen, each with its sorted terminals, and which state chooses which."""
    plans: list[list[int]] = []
    number: dict[int, int] = {}
    lexer_of = np.full(len(state_of), -1, np.int32)
    for name, own in lexer.lexers.items():
        if not chooses[state_of[name]]:
            continue
        if id(own) not in number:
            number[id(own)] = len(plans)
            plans.append([column[terminal.name] for terminal in own.terminals])
        lexer_of[state_of[name]] = number[id(own)]
    return plans, lexer_of


def _patterns(
    built: lark.Lark, column: dict[str, int], n_terminals: int, plans: list[list[int]]
) -> tuple[Program, list[int]]:
    """Compile the patterns of all terminals that some lexer knows."""
    program = Program()
    entries = [-1] * n_terminals
    used = {x for plan in plans for x in plan}
    for terminal in built.terminals:
        t = column[terminal.name]
        if t in used:
            entries[t] = program.add(t, terminal.name, terminal.pattern.to_regexp(), built.options.g_regex_flags)
    for plan in plans:
        owner: dict[str, int] = {}
        for t in plan:
            for name in program.names[t]:
                if owner.setdefault(name, t) != t:
                    names = [built.terminals[x].name for x in (owner[name], t)]
                    raise InvalidSource(
                        f"the terminals {' and '.join(names)} have groups of the same name {name!r}, and Lark joins them",
                        hint="leave the names of groups out: (?:...)",
                    )
    return program, entries


def _relabel(built: lark.Lark, order: Sequence[TerminalDef], column: dict[str, int]) -> dict[int, tuple[int, ...]]:
    """Pattern -> the literals of the same priority that it matches in full, in Lark's order."""
    literals = [x for x in order if isinstance(x.pattern, PatternStr)]
    found: dict[int, tuple[int, ...]] = {}
    for terminal in order:
        if isinstance(terminal.pattern, PatternStr):
            continue
        pattern = re.compile(terminal.pattern.to_regexp(), built.options.g_regex_flags)
        matched = []
        for literal in literals:
            if literal.priority == terminal.priority:
                match = pattern.match(literal.pattern.value)
                if match is not None and match.group() == literal.pattern.value:
                    matched.append(column[literal.name])
        if matched:
            found[column[terminal.name]] = tuple(matched)
    return found


def _without_embedded(
    built: lark.Lark, plan: list[int], relabel: dict[int, tuple[int, ...]], column: dict[str, int]
) -> LexerPlan:
    """A lexer's alternation: a literal leaves it if a pattern with at least its flags re-labels to it."""
    flags = {column[x.name]: frozenset(x.pattern.flags) for x in built.terminals}
    present = set(plan)
    literals = {x for t in plan for x in relabel.get(t, ()) if x in present}
    embedded = {x for t in plan for x in relabel.get(t, ()) if flags[x] <= flags[t]}
    return LexerPlan(tuple(t for t in plan if t not in embedded), tuple(t for t in plan if t in literals))


def _indentation(postlex: Indenter, column: dict[str, int]) -> Indentation:
    """The types and widths of an indenter."""

    def columns(names: Sequence[str]) -> frozenset[int]:
        return frozenset(column[x] for x in names if x in column)

    return Indentation(
        column[postlex.NL_type],
        column[postlex.INDENT_type],
        column[postlex.DEDENT_type],
        columns(postlex.OPEN_PAREN_types),
        columns(postlex.CLOSE_PAREN_types),
        postlex.tab_len,
    )
