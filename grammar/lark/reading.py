"""Reading a Lark grammar: Lark builds it, and everything is taken from what it built.

Which terminals compete in a state, in which order, and what is re-labelled is never worked out a second time: Lark's order
depends on widths that Python computes, and Python's answer has changed between versions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import lark
import numpy as np
from lark.indenter import Indenter
from lark.lexer import BasicLexer, ContextualLexer, PatternStr, TerminalDef
from lark.parser_frontends import PostLexConnector
from lark.parsers.lalr_analysis import Shift

from ..errors import InvalidSource, Unsatisfiable, Unsupported
from ..parsing import Indentation, Lalr
from . import indentation as indenters
from .building import check_options, start_rule, text_behind
from .endless import endless, productive
from .lexemes import LexerPlan, Lexing
from .patterns import Program
from .texts import Text

END_NAME = "$END"


class Reading(NamedTuple):
    """A Lark grammar in numbers: terminals are columns of the parse table."""

    lalr: Lalr
    lexing: Lexing
    program: Program
    indentation: Indentation | None


_WANTED = {
    "parser": ("lalr", "build it with parser='lalr', or say lexer='scannerless'"),
    "lexer": ("contextual", "build it with lexer='contextual', or say lexer='scannerless'"),
}
"""Options of Lark that must be as they are here, and what to do if they are not."""


def _check(built: lark.Lark) -> None:
    """Refuse by name what could change the language in ways that no table can hold."""
    check_options(built, _WANTED)
    if built.options.postlex is not None:
        indenters.check_kind(built.options.postlex)


def read(built: lark.Lark, *, start: str | None = None) -> Reading:
    """Take the parse table, the lexers and the patterns from a built grammar.

    Args:
        built: made by ``build``, or by the user with the same parser and lexer.
        start: one of its start rules; may be left out if there is only one.

    Raises:
        InvalidSource: there is no such start rule, or Lark would fail when it reads its first text.
        Unsupported: it was built with what is refused by name.
        LimitExceeded: a pattern unrolls to too many states.

    """
    _check(built)
    frontend: Any = built.parser
    table = frontend.parser._parse_table  # noqa: SLF001 (Lark has no other door to its table)
    lexer = frontend.lexer.lexer if isinstance(frontend.lexer, PostLexConnector) else frontend.lexer
    if not isinstance(lexer, ContextualLexer):
        raise Unsupported(f"the lexer {type(lexer).__name__}", hint="build it with lexer='contextual'")
    postlex = cast("Indenter | None", built.options.postlex)
    nonterminals = list(dict.fromkeys(str(rule.origin.name) for rule in built.rules))
    others = {name for row in table.states.values() for name in row} - {*nonterminals, END_NAME}
    if postlex is not None:
        others |= {postlex.NL_type, postlex.INDENT_type, postlex.DEDENT_type}
    named = [str(terminal.name) for terminal in built.terminals]
    terminals = [*named, *sorted(map(str, others.difference(named)))]
    column = {name: k for k, name in enumerate(terminals)}
    first = start_rule(list(table.start_states), start)
    lalr, orders = _table(table, first, terminals, nonterminals, lexer)
    plans = [[column[terminal.name] for terminal in order] for order in orders]
    patterns = {column[terminal.name]: terminal for terminal in built.terminals}
    text = text_behind(built)
    program, entries = _patterns(plans, patterns, len(terminals), built.options.g_regex_flags, text)
    relabel = _relabel([patterns[column[x.name]] for x in cast("Any", lexer.root_lexer).terminals], built, column)
    indentation = indenters.read(postlex, column) if postlex is not None else None
    made = set() if indentation is None else {indentation.indent, indentation.dedent}
    _check_productive(lalr, first, made | {t for t, entry in enumerate(entries) if entry >= 0}, text)
    _check_endless(lalr, text)
    lexing = Lexing(
        tuple(terminals),
        tuple(entries),
        tuple(_without_embedded(plan, relabel, patterns) for plan in plans),
        relabel,
        frozenset(column[x] for x in built.lexer_conf.ignore if x in column),
        _next_lexers(lalr, indentation),
        indentation.newline if indentation else -1,
    )
    return Reading(lalr, lexing, program, indentation)


Productions = list[list[tuple[int, ...]]]
"""Of each nonterminal its right sides: terminal t, or -1 - n for nonterminal n."""


def read_basic(built: lark.Lark, *, start: str | None = None) -> tuple[Lexing, Program, Productions, int]:
    """Take the one lexer, the patterns and the rules from a grammar that was built with ``parser="earley"`` and ``lexer="basic"``.

    Returns what the lexer does, the patterns, the rules, and the number of the start rule.

    Raises:
        InvalidSource: there is no such start rule.
        Unsupported: it was built with what is refused by name.
        LimitExceeded: a pattern unrolls to too many states.

    """
    check_options(built, {"postlex": (None, "an indenter needs an LALR(1) grammar here")})
    lexer: Any = cast("Any", built.parser).lexer
    if not isinstance(lexer, BasicLexer):
        raise Unsupported(f"the lexer {type(lexer).__name__}", hint="build it with lexer='basic'")
    order: list[TerminalDef] = list(lexer.terminals)
    used = {symbol.name for rule in built.rules for symbol in rule.expansion if symbol.is_term}
    names = [terminal.name for terminal in built.terminals]
    names += sorted(used.difference(names))
    column = {name: k for k, name in enumerate(names)}
    patterns = {column[terminal.name]: terminal for terminal in built.terminals}
    text = text_behind(built)
    plan = [column[terminal.name] for terminal in order]
    program, entries = _patterns([plan], patterns, len(names), built.options.g_regex_flags, text)
    relabel = _relabel(order, built, column)
    lexing = Lexing(
        tuple(names),
        tuple(entries),
        (_without_embedded(plan, relabel, patterns),),
        relabel,
        frozenset(column[x] for x in built.lexer_conf.ignore if x in column),
        {column[name]: frozenset([0]) for name in used},
        -1,
    )
    number = {name: k for k, name in enumerate(dict.fromkeys(rule.origin.name for rule in built.rules))}
    productions: Productions = [[] for _ in number]
    for rule in built.rules:
        symbols = tuple(column[x.name] if x.is_term else -1 - number[x.name] for x in rule.expansion)
        productions[number[rule.origin.name]].append(symbols)
    return lexing, program, productions, number[start_rule(built.options.start, start)]


def _table(
    table: Any, start: str, terminals: list[str], nonterminals: list[str], lexer: ContextualLexer
) -> tuple[Lalr, list[list[TerminalDef]]]:
    """The parse table, and the sorted terminals of each lexer that is ever chosen.

    A lexer is chosen right after a shift (or at the beginning): reductions wait for the next token.
    """
    state_of = {name: k for k, name in enumerate(table.states)}
    column = {name: k for k, name in enumerate([*terminals, END_NAME])}
    number = {name: k for k, name in enumerate(nonterminals)}
    rules: dict[Any, int] = {}
    action = np.zeros((len(state_of), len(terminals) + 1), np.int32)
    goto = np.full((len(state_of), len(nonterminals)), -1, np.int32)
    chooses = {state_of[table.start_states[start]]}
    for name, row in table.states.items():
        s = state_of[name]
        for symbol, (act, argument) in row.items():
            if symbol in number:
                goto[s, number[symbol]] = state_of[argument]
            elif act is Shift:
                action[s, column[symbol]] = state_of[argument] + 1
                chooses.add(state_of[argument])
            else:
                action[s, column[symbol]] = -1 - rules.setdefault(argument, len(rules))
    orders: dict[int, tuple[int, list[TerminalDef]]] = {}
    lexer_of = np.full(len(state_of), -1, np.int32)
    for name, own in lexer.lexers.items():
        if state_of[name] in chooses:
            lexer_of[state_of[name]], _ = orders.setdefault(id(own), (len(orders), list(cast("Any", own).terminals)))
    lalr = Lalr(
        action,
        goto,
        np.array([number[rule.origin.name] for rule in rules], np.int32),
        np.array([len(rule.expansion) for rule in rules], np.int32),
        state_of[table.start_states[start]],
        state_of[table.end_states[start]],
        lexer_of,
        tuple(terminals),
        tuple(nonterminals),
        tuple(f"{rule.origin.name}: {' '.join(x.name for x in rule.expansion)}" for rule in rules),
        tuple(tuple(column[x.name] if x.is_term else -1 - number[x.name] for x in rule.expansion) for rule in rules),
    )
    return lalr, [order for _, order in orders.values()]


def _next_lexers(lalr: Lalr, indentation: Indentation | None) -> dict[int, frozenset[int]]:
    """Type -> the lexers of the states that it is shifted to."""
    found: dict[int, set[int]] = {}
    for state, t in np.argwhere(lalr.action[:, :-1] > 0):
        found.setdefault(int(t), set()).add(int(lalr.lexer_of[lalr.action[state, t] - 1]))
    if indentation is not None:
        made = found.setdefault(indentation.newline, set())
        made |= found.get(indentation.indent, set()) | found.get(indentation.dedent, set())
    return {t: frozenset(lexers) for t, lexers in found.items()}


def _patterns(
    plans: list[list[int]], patterns: dict[int, TerminalDef], n_terminals: int, flags: int, text: Text
) -> tuple[Program, list[int]]:
    """Compile the patterns of all terminals that some lexer knows."""
    program = Program()
    entries = [-1] * n_terminals
    for t in sorted({x for plan in plans for x in plan}):
        terminal = patterns[t]
        where, excerpt = text.of_terminal(terminal.name, terminal.pattern.value)
        entries[t] = program.add(t, terminal.name, terminal.pattern.to_regexp(), flags, where, excerpt)
    for plan in plans:
        owner: dict[str, int] = {}
        for t in plan:
            for name in program.names[t]:
                if owner.setdefault(name, t) != t:
                    where, excerpt = text.of_terminal(patterns[t].name, patterns[t].pattern.value)
                    raise InvalidSource(
                        f"the terminals {patterns[owner[name]].name} and {patterns[t].name} have groups of the same "
                        f"name {name!r}, and Lark joins them to one pattern",
                        where=where,
                        excerpt=excerpt,
                        hint="leave the names of groups out: (?:...)",
                    )
    return program, entries


def _check_productive(lalr: Lalr, start: str, spelled: set[int], text: Text) -> None:
    """Refuse a grammar without a text: every alternative of its start needs a rule that never ends, or a terminal without a pattern.

    Raises:
        Unsatisfiable: it is one.

    """
    if lalr.nonterminals.index(start) in productive(lalr, spelled):
        return
    missing = sorted({x for symbols in lalr.expansions for x in symbols if x >= 0} - spelled)
    where, excerpt = text.of_terminal(start, start)
    if missing:
        where, excerpt = text.first_use(lalr.terminals[missing[0]])
        reason = f"the terminal {lalr.terminals[missing[0]]} has no pattern"
        hint = "what is declared is made by an indenter: postlex=..."
    else:
        reason, hint = (
            "every alternative needs a rule that never ends",
            "add an alternative that does not call the rule again",
        )
    raise Unsatisfiable(f"no text can ever match {start!r}: {reason}", where=where, excerpt=excerpt, hint=hint)


def _check_endless(lalr: Lalr, text: Text) -> None:
    """Refuse a grammar on which Lark's parser would not return.

    Raises:
        InvalidSource: it is one.

    """
    loop = endless(lalr)
    if not loop:
        return
    first = lalr.nonterminals[min(lalr.rule_lhs[rule] for rule in loop)]  # Lark numbers its states anew each time
    where, excerpt = text.of_terminal(first, first)
    raise InvalidSource(
        f"Lark's parser would reduce {', '.join(lalr.rules[rule] for rule in sorted(loop, key=lambda r: lalr.rules[r]))} for ever",
        where=where,
        excerpt=excerpt,
        hint="take out what lets a rule derive itself with nothing beside it, or come back behind something empty",
    )


def _relabel(order: Sequence[TerminalDef], built: lark.Lark, column: dict[str, int]) -> dict[int, tuple[int, ...]]:
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
    plan: list[int], relabel: dict[int, tuple[int, ...]], patterns: dict[int, TerminalDef]
) -> LexerPlan:
    """A lexer's alternation: a literal leaves it if a pattern with at least its flags re-labels to it."""
    present = set(plan)
    pairs = [(t, x) for t in plan for x in relabel.get(t, ()) if x in present]
    embedded = {x for t, x in pairs if set(patterns[x].pattern.flags) <= set(patterns[t].pattern.flags)}
    literals = {x for _, x in pairs}
    return LexerPlan(tuple(t for t in plan if t not in embedded), tuple(t for t in plan if t in literals))
