"""Lark grammars that are not LALR(1): the language of Lark's Earley parser with its basic lexer."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import lru_cache

import lark
import lark_random
import pytest
from lark.indenter import PythonIndenter
from lark_verdict import earley_accepts
from sizes import size

import syntagma as sg

pytestmark = pytest.mark.kernel


@lru_cache(maxsize=1)
def bytewise() -> sg.Vocabulary:
    """Every byte as a token."""
    return sg.Vocabulary([*(bytes([b]) for b in range(256)), None], eos_ids=[256])


def texts(constraint: sg.Constraint | None, alphabet: str, longest: int) -> Iterator[tuple[str, int]]:
    """All texts up to a length, each with the state that it leads to."""
    stack = [("", 0 if constraint is None else constraint.start)]
    while stack:
        text, state = stack.pop()
        yield text, state
        if len(text) < longest:
            for letter in alphabet:
                after = constraint.advance_bytes(state, letter.encode()) if constraint is not None and state else 0
                stack.append((text + letter, after))


def compare(grammar: str, alphabet: str, longest: int, source: sg.Lark | None = None) -> int:
    """Membership of all short texts is Lark's, and every living prefix can be finished; returns how many texts are in the language."""
    built = lark.Lark(grammar, parser="earley", lexer="basic")
    constraint = None
    try:
        constraint = sg.compile(sg.Lark(built) if source is None else source, bytewise())
    except sg.Unsatisfiable:
        assert source is None
    members = 0
    for text, state in texts(constraint, alphabet, longest):
        accepted = constraint is not None and state != 0 and constraint.is_accepting(state)
        assert accepted == earley_accepts(built, text), text
        members += accepted
        if constraint is not None and state:
            assert constraint.finish_bound(state) < 1 << 40, text
    return members


GRAMMARS = [
    ("names or paths", 'start: name | path "!"?\nname: WORD\npath: WORD\nWORD: /[ab]+/\n%ignore " "\n', "ab! "),
    (
        "which of two is known at the end only",
        'start: x "c" | y "b"\nx: "a" | x "a"\ny: "a" | y "a"\n',
        "abc",
    ),
    ("palindromes", 'start: "a" start "a" | "b" start "b" | x | y\nx: "c"\ny: "c"\n', "abc"),
    (
        "a lexeme that another one hides",
        'start: x | y\nx: A B? | A C\ny: A C\nA: "ab"\nB: "abcd"\nC: "ce"\n',
        "abcde",
    ),
    (
        "a number before two points",
        'start: x | y\nx: NUM (".." NUM)*\ny: NUM ".." NUM\nNUM: /1+(\\.1+)?/\n',
        "1.",
    ),
    (
        "what must not follow",
        "start: x | y\nx: (A|B)+\ny: (A|B)+\nA: /a(?!b)/\nB: /ab?(?=[ab]|$)/\n%ignore /c(?!c)/\n",
        "abc",
    ),
    ("a keyword that a name hides", 'start: x | y\nx: "a" NAME\ny: "a" NAME\nNAME: /[ab]+/\n%ignore " "\n', "ab "),
    ("priorities", "start: x | y\nx: A+ B\ny: A+ B\nA.2: /a/\nB: /ab|b/\n", "ab"),
    ("nothing at all, or blanks", 'start: x | y\nx: "a"?\ny: "a"?\n%ignore /b+/\n', "ab"),
]


@pytest.mark.parametrize(("grammar", "alphabet"), [g[1:] for g in GRAMMARS], ids=[g[0] for g in GRAMMARS])
def test_what_is_not_lalr_is_read_by_the_basic_lexer(grammar: str, alphabet: str) -> None:
    """A grammar with colliding reductions has the language of Earley's parser with the basic lexer, and the report says so."""
    with pytest.raises(lark.exceptions.GrammarError):
        lark.Lark(grammar, parser="lalr")
    source = sg.Lark(grammar)
    assert compare(grammar, alphabet, size(5, plain=4), source) > 0
    report = source.lower().report
    assert report.dialect == "lark (any context-free grammar, basic lexer)"
    assert "not LALR(1)" in report.entries[0].reason
    assert (report.sound, report.complete, report.live) == (True, True, True)
    sg.testing.check_constraint(sg.compile(source, bytewise()), steps=size(30, plain=3))


SEEDS = [*range(size(10, plain=6)), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(10, 120))]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_grammars_have_larks_language(seed: int) -> None:
    """Random terminals that overlap, look around and are ignored, under random rules: every short text is judged as Lark does."""
    draw = random.Random(seed)
    while True:
        grammar = lark_random.grammar(draw)
        try:
            built = lark.Lark(grammar, parser="earley", lexer="basic")
        except lark.exceptions.LarkError:  # mostly for patterns that match nothing
            continue
        try:
            sg.Lark(built).lower()
        except sg.Unsatisfiable:
            pass
        except sg.SyntagmaError:  # refused by name, which tests of reading look at
            continue
        break
    compare(grammar, lark_random.ALPHABET, size(3, plain=2) if seed >= 10 else 2)


def test_it_composes_with_text_behind_it() -> None:
    """Unlike parse tables, these rules may stand anywhere: what follows them ends their text."""
    grammar = 'start: x | y\nx: "a"+\ny: "a"+\n'
    constraint = sg.compile(sg.Sequence(sg.Lark(grammar), sg.Text("!"), sg.Lark(grammar)), bytewise())
    assert constraint.accepts("aa!a")
    assert not constraint.accepts("aa!")
    assert not constraint.accepts("aa")


def test_a_grammar_that_is_built_for_lalr_or_has_an_indenter_is_not_changed() -> None:
    """What is LALR(1) keeps its tables, and an indenter needs them."""
    assert "LALR" in sg.Lark('start: "a"').lower().report.dialect
    with pytest.raises(sg.InvalidSource, match=r"not LALR\(1\)"):
        sg.Lark('start: a | b\na: "x"\nb: "x"\n', postlex=PythonIndenter()).lower()
    with pytest.raises(sg.Unsupported, match="parser='earley'"):
        sg.Lark(lark.Lark('start: "a"', parser="earley")).lower()


def test_no_text_at_all() -> None:
    """Terminals that the lexer never makes leave nothing, and that is an error."""
    with pytest.raises(sg.Unsatisfiable, match="no text can ever match"):
        sg.Lark("start: x | y\nx: B\ny: B\nA.2: /a|b/\nB: /b/\n%ignore A\n").lower()
