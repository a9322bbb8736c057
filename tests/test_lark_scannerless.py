"""Lark grammars without a lexer: the language by definition, and that of Lark's Earley parser that tries every splitting."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import lark
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from language_checks import check
from lark.indenter import PythonIndenter
from lark_seeds import CSV, SEEDS, grammar_path
from lark_verdict import earley_accepts
from sizes import size

import syntagma as sg
from syntagma.automata.conformance import check_constraint

pytestmark = pytest.mark.kernel

LONGEST = size(6, plain=4)
ALPHABET = "abc "


@lru_cache(maxsize=1)
def bytewise() -> sg.Vocabulary:
    """Every byte as a token."""
    return sg.Vocabulary([*(bytes([b]) for b in range(256)), None], eos_ids=[256])


def scannerless(grammar: str | Path | lark.Lark, *, start: str | None = None) -> sg.Lark:
    return sg.Lark(grammar, lexer="scannerless", start=start)


def earley(grammar: str) -> lark.Lark:
    return lark.Lark(grammar, parser="earley", lexer="dynamic_complete")


def texts(alphabet: str, longest: int) -> list[str]:
    """All texts up to a length, the shortest first."""
    return ["".join(x) for n in range(longest + 1) for x in itertools.product(alphabet, repeat=n)]


def language(built: lark.Lark, longest: int, alphabet: str) -> set[str]:
    """The definition: sets of texts, grown until nothing is new; terminals by ``re.fullmatch``, with what is ignored behind."""
    every = texts(alphabet, longest)
    lexemes = {t.name: {text for text in every if re.fullmatch(t.pattern.to_regexp(), text)} for t in built.terminals}
    blank = {""}
    while True:
        more = {a + b for a in blank for name in built.ignore_tokens for b in lexemes[name]}
        more = {text for text in more if len(text) <= longest} - blank
        if not more:
            break
        blank |= more
    known = {name: joined(own, blank, longest) for name, own in lexemes.items()}
    known |= {str(rule.origin.name): set() for rule in built.rules}
    count = -1
    while count != sum(map(len, known.values())):
        count = sum(map(len, known.values()))
        for rule in built.rules:
            found = {""}
            for symbol in rule.expansion:
                found = joined(found, known[str(symbol.name)], longest)
            known[str(rule.origin.name)] |= found
    return joined(blank, known[str(built.options.start[0])], longest)


def joined(left: set[str], right: set[str], longest: int) -> set[str]:
    """One text of each, one after the other."""
    return {a + b for a in left for b in right if len(a) + len(b) <= longest}


CASES = {
    "not LALR(1), for the reason of the choice comes last": 'start: x "c" | y "b"\nx: "a" x | "a"\ny: "a" y | "a"\n',
    "a palindrome": 'start: "a" start "a" | "b" start "b" | "c"\n',
    "ambiguous without a limit": 'start: start start | "a" | "b"?\n',
    "left recursion hidden by a nullable rule": 'start: x start "b" | "a"\nx: "c"?\n',
    "terminals that swallow each other": "start: (A | B)+\nA: /a+b?/\nB: /b+/\n",
    "a name that contains a keyword": 'start: "ab" NAME | NAME "c"\nNAME: /[abc]+/\n',
    "an early end that longest match does not find": 'start: A C | B\nA: "a"\nB: "abb"\nC: "bc"\n',
    "blanks anywhere between terminals": 'start: (A "b")*\nA: /a+/\n%ignore " "\n',
    "ignored texts that terminals have too": 'start: A B?\nA: /a[bc]*/\nB: "b"\n%ignore /[ c]/\n',
    "a terminal that is ignored and needed": 'start: "a" SPACE "b"\nSPACE: " "\n%ignore SPACE\n',
    "templates, optional parts and repetition": 'start: [list{A, "c"}] "b"~0..2\nlist{x, y}: x (y x)*\nA: "a"i\n',
    "priorities": 'start: A "c" | B\nA.2: "a"\nB.1: /a[bc]/\n',
    "a lazy terminal is the set of its matches": "start: A B\nA: /a.*?b/\nB: /c?b/\n",
    "rules without a text": 'start: "a" | none "b"\nnone: "c" none\n',
    "the empty text alone": "start:\n",
    "nothing but blanks": 'start: A?\nA: "a"\n%ignore " "\n',
}


@pytest.mark.parametrize("name", CASES)
def test_the_language_is_that_of_the_definition(name: str) -> None:
    """Texts, prefixes and bounds are those of the sets of texts that the grammar defines."""
    built = earley(CASES[name])
    check(scannerless(CASES[name]), language(built, LONGEST, ALPHABET), bytewise(), ALPHABET, LONGEST)


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"a lazy terminal is the set of its matches"}))
def test_what_lark_parses_by_every_splitting_is_accepted(name: str) -> None:
    """Lark's Earley parser with ``dynamic_complete`` parses the same texts, where ``re`` prefers the longest match."""
    built = earley(CASES[name])
    constraint = sg.compile(scannerless(CASES[name]), bytewise())
    for text in texts(ALPHABET, size(4, plain=3)):
        assert constraint.accepts(text) == earley_accepts(built, text), text


PATTERNS = ['"a"', '"b"', '"ab"', '"ba"i', "/a+/", "/b?c/", "/[ab]c*/", "/a{1,3}b?/", "/(?:ab)+/", "/[^b]/"]


@st.composite
def grammars(draw: st.DrawFn) -> str:
    """A grammar of three rules and some terminals, with what EBNF has, and with something to ignore."""
    symbols = [*("start", "x", "y"), *draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=4))]
    item = st.tuples(st.sampled_from(symbols), st.sampled_from(["", "", "", "?", "*", "+"])).map("".join)
    alternative = st.lists(item, max_size=3).map(" ".join)
    lines = [f"{name}: {' | '.join(draw(st.lists(alternative, min_size=1, max_size=3)))}" for name in symbols[:3]]
    return "\n".join([*lines, *draw(st.sampled_from([[], ['%ignore " "'], ['%ignore "c"']])), ""])


@given(grammar=grammars())
@settings(max_examples=size(150, plain=8))
def test_random_grammars(grammar: str) -> None:
    """Recursion, ambiguity and nullable rules of every kind: the definition's texts, and those that Lark parses."""
    try:
        built = earley(grammar)
    except lark.exceptions.LarkError:
        assume(False)
        return
    longest = LONGEST - 1
    expected = language(built, longest, ALPHABET)
    check(scannerless(grammar), expected, bytewise(), ALPHABET, longest)
    for text in texts(ALPHABET, 2) + sorted(expected)[: size(40, plain=10)]:
        assert earley_accepts(built, text) == (text in expected), text


def test_faithful_and_scannerless_differ_where_they_should() -> None:
    """A lexer takes ``ifx`` for a name and a number's dots for a fraction; without one both readings count."""
    words = 'start: ("if" NAME | NAME "=")+\nNAME: /[a-z]+/\n%ignore " "\n'
    for lexer, expected in (("lark", False), ("scannerless", True)):
        made = sg.compile(sg.Lark(words, lexer=lexer), bytewise())  # type: ignore[arg-type]
        assert made.accepts("ifx") == expected
        assert made.accepts("if x")


def test_whatever_lark_has_built_can_be_read() -> None:
    """A grammar that is built already, by any parser and with any of its start rules, means what its text means."""
    text = 'start: a*\na: "x" | "(" start ")"\n%ignore " "\n'
    for parser in ("lalr", "earley", "cyk"):
        built = lark.Lark(text.replace("a*", "a+") if parser == "cyk" else text, parser=parser, start=["start", "a"])
        constraint = sg.compile(scannerless(built, start="start"), bytewise())
        assert constraint.accepts(" (x x) ")
        assert not sg.compile(scannerless(built, start="a"), bytewise()).accepts("xx")
        with pytest.raises(sg.InvalidSource, match="start rules"):
            scannerless(built).lower()


def test_flags_hold_for_all_patterns() -> None:
    """``regex_flags`` is added to the flags of every pattern, literals included, as in Lark."""
    grammar = 'start: "ab" /c./ \n'
    flags = re.IGNORECASE | re.DOTALL
    built = lark.Lark(grammar, parser="earley", lexer="dynamic_complete", g_regex_flags=flags)
    made = sg.compile(sg.Lark(grammar, lexer="scannerless", regex_flags=flags), bytewise())
    for text in ("abcd", "ABC\n", "aBCé", "ab c", "abc"):
        assert made.accepts(text) == earley_accepts(built, text), text


def test_the_report() -> None:
    """Each rule and terminal is listed, what means nothing here and what is never taken as well; helper rules of Lark are not."""
    grammar = 'start: a* | none\na.2: A B?\nA.3: /a(?!b)/\nB: /b\\b/\nnone: none "c"\n'
    report = sg.compile(scannerless(grammar), bytewise()).report
    entries = {(x.pointer, x.keyword): x for x in report.entries}
    assert {x for x, _ in entries} == {"start", "a", "none", "A", "B", "C"}
    assert [x.pointer for x in report.entries if x.keyword == "priority"] == ["a", "A"]
    assert {x.status for x in report.entries if x.keyword == "priority"} == {"annotation"}
    assert [name for (name, _), x in entries.items() if "look-around" in x.reason] == ["A", "B"]
    assert report.unsatisfiable == ("none",)
    assert (report.sound, report.complete, report.live) == (True, True, True)


REFUSED = {
    "a rule that nothing ends": ('start: "a" start\n', sg.Unsatisfiable, "line 1, column 1"),
    "a terminal without any text": ("start: A\nA: /a(?=b)/\n", sg.Unsatisfiable, "line 1, column 1"),
    "a declared terminal": ("start: A\n%declare A\n", sg.Unsupported, "line 1, column 8"),
    "a terminal that matches nothing": ("start: A\nA: /a*/\n", sg.InvalidSource, "line 2, column 1"),
    "what is not regular": ("start: A\nA: /(a+)b\\1/\n", sg.Unsupported, "line 2, column 1"),
    "an unknown rule": ("start: a\n", sg.InvalidSource, "line 1, column 8"),
    "too many states": ("start: A\nA: /(a|b)*a(a|b){20}/\n", sg.LimitExceeded, "line 2, column 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_place(name: str) -> None:
    """What is wrong, empty or not supported is refused by kind, with its place in the grammar."""
    grammar, kind, place = REFUSED[name]
    with pytest.raises(sg.SyntagmaError) as caught:
        sg.compile(scannerless(grammar), bytewise())
    assert type(caught.value) is kind
    assert place in (caught.value.where or "")


def test_options_that_do_not_go_together() -> None:
    """An unknown lexer, a post-lexer without lexemes, and a grammar that was built for what cannot be read are refused."""
    with pytest.raises(sg.InvalidSource, match="lexer='longest'"):
        sg.Lark("start:\n", lexer="longest")  # type: ignore[arg-type]
    with pytest.raises(sg.Unsupported, match="post-lexer"):
        sg.Lark("start:\n", lexer="scannerless", postlex=PythonIndenter()).lower()
    for options in ({"use_bytes": True}, {"lexer_callbacks": {"A": print}}):
        built = lark.Lark('start: A\nA: "a"\n', parser="lalr", **options)  # type: ignore[arg-type]
        with pytest.raises(sg.Unsupported, match=next(iter(options))):
            scannerless(built).lower()


def test_a_grammar_that_is_not_lalr_says_what_to_do() -> None:
    """Where tables are needed, a conflict of Lark's is an error that names the rules, and the lexer with which the grammar compiles."""
    grammar = 'start: x "c" | y "b"\nx: A\ny: A | A A\nA: "a"\n'.replace('y "b"', 'y "c"')
    with pytest.raises(sg.InvalidSource, match="not LALR") as caught:
        sg.Lark(grammar, postlex=PythonIndenter()).lower()
    assert "scannerless" in str(caught.value.hint)
    assert "<x : A>" in caught.value.message
    assert sg.compile(scannerless(grammar), bytewise()).accepts("aac")


def test_a_file_by_its_name(tmp_path: Path) -> None:
    """A string of one line that ends in .lark is a path, for both lexers, and what is wrong in it comes with the file's name."""
    path = tmp_path / "g.lark"
    path.write_text('start: "a" | b\nb: "b"\n', encoding="utf-8")
    for lexer in ("lark", "scannerless"):
        assert sg.compile(sg.Lark(str(path), lexer=lexer), bytewise()).accepts("b")  # type: ignore[arg-type]
    with pytest.raises(sg.InvalidSource, match="cannot be read"):
        sg.Lark("none.lark", lexer="scannerless").lower()


def real(name: str) -> str | Path:
    """A real grammar; the same notation with what imports need."""
    return CSV if name == "csv" else grammar_path(name)


@pytest.mark.parametrize("name", ["csv", "calc", "json", "c", "sql", pytest.param("java", marks=pytest.mark.slow)])
def test_real_grammars_accept_what_lark_does(name: str) -> None:
    """Every text that a lexer's reading puts into the language is in it, and so alive in each of its prefixes."""
    constraint = sg.compile(scannerless(real(name)), bytewise())
    for text in SEEDS[name][: size(9, plain=1)]:
        data = text.encode()[: size(9999, plain=12)]
        state = constraint.start
        for byte in data:
            state = constraint.advance(state, byte)
            assert state
        assert constraint.is_accepting(state) or len(data) < len(text.encode())


def mutations(draw: random.Random, text: str, number: int) -> list[str]:
    """The text with one character left out, doubled, swapped with the next or replaced by another of it."""
    found = []
    for _ in range(number):
        at = draw.randrange(len(text))
        here, rest = text[at], text[at + 1 :]
        instead = draw.choice(["", here * 2, rest[:1] + here, draw.choice(text)])
        found.append(
            text[:at] + instead + (rest[1:] if len(instead) == 2 and instead[1:] == here != instead[0] else rest)
        )
    return found


@pytest.mark.parametrize("name", ["csv", "calc", "json"])
def test_mutations_of_real_texts(name: str) -> None:
    """On texts with one mistake the verdict is that of Lark's Earley parser with ``dynamic_complete``."""
    grammar = real(name)
    constraint = sg.compile(scannerless(grammar), bytewise())
    text = grammar if isinstance(grammar, str) else grammar.read_text(encoding="utf-8")
    built = earley(text)
    draw = random.Random(5)
    verdicts = set()
    for sample in SEEDS[name]:
        for mutation in [sample, *mutations(draw, sample[:40], size(60, plain=12))]:
            verdicts.add(earley_accepts(built, mutation))
            assert constraint.accepts(mutation) == earley_accepts(built, mutation), mutation
    assert verdicts == {True, False}


def test_the_laws_of_constraints() -> None:
    """The shipped conformance function holds for an ambiguous grammar, budgets included, with tokens that cross its terminals."""
    tokens = [*(bytes([b]) for b in range(256)), b"ab", b"a ", b" b", b"(a", b"))", b"a+b"]
    vocab = sg.Vocabulary([*tokens, None], eos_ids=[len(tokens)])
    grammar = 'start: start "+" start | "(" start ")" | NAME+\nNAME: /[ab]+/\n%ignore " "\n'
    constraint = sg.compile(scannerless(grammar), vocab)
    check_constraint(constraint, texts=["(a + b) + ab a", " a"], steps=size(12, plain=3))


SUMS = 'start: NUM ("+" NUM)*\nNUM: /[0-9]+/\n%ignore " "\n'


@pytest.mark.parametrize(
    "around",
    [
        lambda part: sg.Sequence(sg.Text("<"), sg.Union(sg.Text(">"), part)),
        lambda part: sg.Sequence(part, sg.Text(";")),
        lambda part: sg.Sequence(part, part),
        lambda part: sg.Sequence(sg.Union(sg.Text("<"), part), sg.Text("1")),
        lambda part: sg.Repeat(part, 1, 2),
        sg.Repeat,
        lambda part: sg.Repeat(part, 1, 2, separator=";"),
        lambda part: sg.StructuralTag([sg.Tag("<", part, ">")]),
        lambda part: sg.StructuralTag([sg.Tag("<", part, "")], at_most=1),
    ],
)
def test_a_grammar_fits_anywhere_with_and_without_its_lexer(around: Callable[[sg.Source], sg.Source]) -> None:
    """Where a lexer cuts nothing off, both are the same language in every composition."""
    faithful = sg.compile(around(sg.Lark(SUMS)), bytewise())
    free = sg.compile(around(scannerless(SUMS)), bytewise())
    members = 0
    for length in range(size(5, plain=4)):
        for letters in itertools.product("1+ ;<>", repeat=length):
            text = "".join(letters)
            assert faithful.accepts(text) == free.accepts(text), text
            members += free.accepts(text)
    assert members
    check_constraint(faithful, texts=["1 + 1", "1;1", "<1>"], steps=size(12, plain=3))


def test_a_grammar_without_a_lexer_fits_anywhere() -> None:
    """In a sequence, a repetition and a tag it is what it is alone."""
    free = scannerless(SUMS)
    tag = sg.compile(sg.StructuralTag([sg.Tag("<", free, ">")]), bytewise())
    for text, expected in {"a <1 + 2> b <3>": True, "<1 +>": False, "<>": False, "1 +": True}.items():
        assert tag.accepts(text) == expected, text
    twice = sg.compile(sg.Repeat(free, 2, 2, separator=";"), bytewise())
    for text, expected in {"1 + 2; 3": True, "1": False, "1;2;3": False}.items():
        assert twice.accepts(text) == expected, text
