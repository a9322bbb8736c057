"""The proof that every allowed prefix of a Lark grammar can be finished: where it holds it is true, and traps are never proved."""

from __future__ import annotations

import random

import lark
import lark_random
import numpy as np
import pytest
from hypothesis import event, given, reject
from hypothesis import strategies as st
from lark.indenter import PythonIndenter
from lark_reference import Recogniser, Stack
from lark_seeds import build, grammar_path
from lark_toys import INDENTED, TOYS, Brackets
from lark_verdict import lark_accepts

import syntagma as sg
from syntagma.automata.bounds import UNREACHABLE
from syntagma.automata.constraint import Constraint
from syntagma.grammar.lark.liveness import obstacles
from syntagma.grammar.lark.scanner import LarkTables, tables
from syntagma.grammar.lark.stacks import incomplete
from syntagma.grammar.report import Report

MERGED = """
start: "(" x ")" "!" | "[" x ")!"
x: A
A: /[a-z]/
"""
"""Behind ``(a``, the lexer prefers ``)!``, which only the other bracket takes."""

MOST_STATES = 3000
"""States that a search for an end visits."""


def report(grammar: str) -> Report:
    """What is said about a grammar."""
    return sg.Lark(grammar).lower().report


def told(found: Report) -> str:
    """What is said about its liveness."""
    return " ".join(f"{x.pointer}: {x.reason}; {x.consequence}\n" for x in found.entries if x.keyword == "liveness")


@pytest.mark.parametrize("name", ["csv", "calc", "json", "c", "sql", "java", "verilog"])
def test_real_grammars_are_live(name: str) -> None:
    """Seven real grammars are proved live, some of them with conflicts that Lark resolved for shift."""
    found = sg.Lark(build(name)).lower().report
    assert found.live
    assert not told(found)


def test_a_lexeme_behind_which_nothing_can_follow_is_dead() -> None:
    """The grammar of C wants a newline behind a comment of one line, and its ignored blanks always take it away: no such comment may begin."""
    built = build("c")
    constraint = sg.compile(sg.Lark(built), vocabulary())
    assert constraint.report is not None
    assert constraint.report.live
    state = constraint.advance_bytes(constraint.start, b"void f(){ /")
    assert constraint.advance_bytes(state, b"*")
    assert not constraint.advance_bytes(state, b"/")
    assert not any(lark_accepts(built, f"void f(){{ //x{more}}}") for more in ("\n", "\n\n", "\n \n", " \n\n\n"))


def test_the_grammar_of_lark_is_not_proved_live() -> None:
    """In Lark's own grammar only a newline or a bar can follow a comment, wherever it stands: the ignored lexeme is named."""
    found = sg.Lark(build("lark")).lower().report
    assert not found.live
    assert "an ignored lexeme: " in told(found)


def test_a_terminal_that_merged_lookaheads_hide_is_found() -> None:
    """A trap of merged look-aheads is not live, and an ignored blank between the lexemes opens it."""
    found = report(MERGED)
    assert not found.live
    assert "LPAR" in told(found)
    assert "A: behind it, no text leads to RPAR" in told(found)
    assert "%ignore" in told(found)
    assert report(f'{MERGED}%ignore " "').live


def test_a_shift_without_end_is_found() -> None:
    """A conflict that is always resolved for shift leaves a rule without an end; the conflict is named."""
    found = report('start: "a" | e "," "z"\ne: "x" | "x" "," e')
    assert not found.live
    assert "Lark shifts COMMA where this rule could end" in told(found)


def test_a_dangling_else_is_no_trap() -> None:
    """A conflict that costs no text its end does not hinder the proof."""
    assert report('start: s\ns: "if" s | "if" s "else" s | "x"\n%ignore " "').live


def test_a_rule_without_a_text_is_found() -> None:
    """A rule that only leads back to itself is named."""
    found = report('start: "a" | "b" a\na: "x" a')
    assert not found.live
    assert "a: the rule has no finite text" in told(found)


def test_a_composition_is_live_iff_its_parts_are() -> None:
    """What is not proved of a part is not proved of the whole."""
    trap, sound = sg.Lark(MERGED), sg.Lark('start: "a"')
    assert not sg.Sequence(sg.Text("x"), trap).lower().report.live
    assert sg.Sequence(sg.Text("x"), sound).lower().report.live


def random_table(draw: random.Random) -> str:
    """A small grammar over single letters with any conflicts; no letter hides another."""
    symbols = ["a", "b", "c", '"x"', '"y"', '"z"']
    lines = []
    for lhs in ("start", "a", "b", "c"):
        sides = [
            " ".join(draw.choices(symbols, k=draw.randint(0 if lhs != "start" else 1, 3)))
            for _ in range(draw.randint(1, 3))
        ]
        lines.append(f"{lhs}: {' | '.join(dict.fromkeys(sides))}")
    return "\n".join(lines)


def random_tables(draw: random.Random) -> LarkTables:
    """The tables of the first of some random grammars that has any."""
    for _ in range(40):
        try:
            return tables(lark.Lark(random_table(draw), parser="lalr"))
        except (lark.exceptions.LarkError, sg.Unsatisfiable, sg.InvalidSource):  # the last: what reduces for ever
            continue
    return reject()


def completes(recogniser: Recogniser, stack: Stack, columns: list[int]) -> bool:
    """Whether some stack that accepts is found from a stack, by breadth."""
    layer = {stack}
    seen = {stack}
    while layer and len(seen) < MOST_STATES:
        if any(recogniser.feed(s, recogniser.end) is not None for s in layer):
            return True
        layer = {t for s in layer for c in columns if (t := recogniser.feed(s, c)) is not None} - seen
        seen |= layer
    return len(seen) >= MOST_STATES and bool(layer)  # not decided


@given(st.randoms(use_true_random=False))
def test_stacks_of_proved_tables_complete(draw: random.Random) -> None:
    """Where no state is incomplete, every stack that short texts lead to accepts some continuation; traps of small tables are among the others."""
    read = random_tables(draw)
    recogniser = Recogniser(read)
    columns = list(range(recogniser.end))
    proved = not incomplete(read.lalr, [np.flatnonzero(row) for row in read.lalr.action != 0])
    event(f"proved: {proved}")
    layer: set[Stack] = {(read.lalr.start,)}
    trapped = False
    for _ in range(5):
        trapped = trapped or not all(completes(recogniser, stack, columns) for stack in sorted(layer)[:20])
        layer = {t for s in layer for c in columns if (t := recogniser.feed(s, c)) is not None}
    assert not (proved and trapped)


BOTH_CASES = "".join(sorted({*lark_random.ALPHABET, *lark_random.ALPHABET.swapcase()}))
"""A terminal that ignores case may be left with the letters of the other case alone: others take its own."""


def can_end(constraint: Constraint, state: int, alphabet: str) -> bool:
    """Whether a search over an alphabet finds an accepting state; true if it gives up."""
    layer, seen = {state}, {state}
    while layer and len(seen) < MOST_STATES:
        if any(constraint.is_accepting(x) for x in layer):
            return True
        layer = {y for x in layer for b in alphabet if (y := constraint.advance_bytes(x, b.encode()))} - seen
        seen |= layer
    return len(seen) >= MOST_STATES


def vocabulary() -> sg.Vocabulary:
    """All single bytes, and the end."""
    return sg.Vocabulary([*(bytes([b]) for b in range(256)), None], eos_ids=[256])


@given(st.randoms(use_true_random=False))
def test_prefixes_of_live_random_grammars_can_be_finished(draw: random.Random) -> None:
    """Random walks in random grammars that are proved live reach no prefix from which no end is found."""
    for _ in range(60):  # most are refused by Lark, or have traps
        grammar = lark_random.grammar(draw)
        try:
            built = lark.Lark(grammar, parser="lalr")
            if not obstacles(tables(built)):
                break
        except (lark.exceptions.LarkError, sg.SyntagmaError):
            continue
    else:
        event("none is live")
        return
    constraint = sg.compile(sg.Lark(built), vocabulary())
    for _ in range(4):
        state = constraint.start
        for _ in range(6):
            after = [y for x in lark_random.ALPHABET if (y := constraint.advance_bytes(state, x.encode()))]
            if not after:
                break
            state = draw.choice(after)
            assert can_end(constraint, state, BOTH_CASES), grammar


@pytest.mark.parametrize("name", TOYS)
def test_prefixes_of_live_toys_can_be_finished(name: str) -> None:
    """All short prefixes of toys that are proved live have an end; of some of the others, one has none."""
    case = TOYS[name]
    found = sg.compile(sg.Lark(case.grammar), vocabulary())
    if not found.report.live:
        assert told(found.report)
        return
    layer = {found.start}
    for _ in range(4):
        assert all(can_end(found, x, case.alphabet) for x in layer)
        layer = {y for x in layer for letter in case.alphabet if (y := found.advance_bytes(x, letter.encode()))}


LINES = [
    "NL",
    '"a" NL',
    '"a" ":" NL INDENT item+ DEDENT',
    '"a" ":" NL INDENT item DEDENT',
    '"b" ":" NL INDENT item+ DEDENT NL',
    '"b" (":" item | NL)',
    '"b" NL NL "a"',
    "x NL",
    'x ";"',
    '"a" "b"',
    '"b" ":" NL INDENT INDENT item DEDENT DEDENT',
]
BETWEEN = ["L x* R", "L NL R", '"b"', 'L "a" R', "L item R"]
NEWLINES = [r"(\n *)+", r"\n *", r"(\n *|#[^\n]*)+", r"(;?\n *)+", r"\n *(#é? *)*", r"\n"]


def random_layout(draw: random.Random) -> str:
    """A small grammar of lines and blocks: some refused, some with traps."""
    items = draw.sample(LINES, draw.randint(2, 4))
    return f"""
        start: item{draw.choice(["+", "*"])}
        item: {" | ".join(items)}
        x: {" | ".join(draw.sample(BETWEEN, draw.randint(1, 2)))}
        L: "("
        R: ")"
        NL: /{draw.choice(NEWLINES)}/
        %declare INDENT DEDENT
        {draw.choice(["", "%ignore / /", "%ignore /#é/"])}
        """


def check_layout(grammar: str, alphabet: str, depth: int) -> bool | None:
    """Whether a grammar with an indenter is proved live, and then all short prefixes have an end; ``None``: it is refused."""
    try:
        built = lark.Lark(grammar, parser="lalr", postlex=Brackets())
        found = sg.compile(sg.Lark(built), vocabulary())
    except (lark.exceptions.LarkError, sg.SyntagmaError):
        return None
    proved = bool(found.report.live)
    layer = {found.start}
    for _ in range(depth if proved else 0):
        layer = {y for x in layer for b in alphabet.encode() if (y := found.advance_bytes(x, bytes([b])))}
        assert all(found.finish_bound(x) < UNREACHABLE for x in layer), grammar
    return proved


@given(st.randoms(use_true_random=False))
def test_prefixes_of_live_random_layouts_can_be_finished(draw: random.Random) -> None:
    """Where a random grammar with an indenter is proved live, every short prefix has an end, inside characters, too."""
    for _ in range(20):
        found = check_layout(random_layout(draw), "ab:\n (#é;)", 4)
        if found is not None:
            event(f"proved: {found}")
            return


@pytest.mark.parametrize("name", INDENTED)
def test_prefixes_of_live_toys_with_an_indenter_can_be_finished(name: str) -> None:
    """Four toys are proved live and all their short prefixes have an end; the one whose newline binds a column has traps."""
    case = INDENTED[name]
    assert check_layout(case.grammar, case.alphabet, 5) == (name != "a newline that no blank may follow twice")


def test_python_is_proved_live() -> None:
    """Python's grammar with its indenter has no trap; where a block must begin, no line is continued and no form feed read."""
    built = lark.Lark.open(str(grammar_path("python")), parser="lalr", start="file_input", postlex=PythonIndenter())
    constraint = sg.compile(sg.Lark(built), vocabulary())
    assert constraint.report is not None
    assert constraint.report.live
    for rest in (b"\\", b"\f", b"y"):
        state = constraint.advance_bytes(constraint.start, b"if x:\n")
        assert state
        assert not constraint.advance_bytes(state, rest)
    for rest in (b"\\\n y", b"\f y"):
        assert not lark_accepts(built, f"if x:\n{rest.decode()}\n")
