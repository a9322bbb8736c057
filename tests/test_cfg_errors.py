"""What is wrong with a grammar is said with its place, what was expected, and the mistake that is nearest."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import syntagma as sg
from syntagma.grammar.cfg.text import edit_distance, nearest


class Case(NamedTuple):
    """A wrong text: the notation, line and column (from 1), words of the message and of the hint."""

    dialect: str
    text: str
    line: int
    column: int
    message: str
    hint: str = ""


INVALID = [
    # the sign of definition
    Case("gbnf", 'root := "a"', 1, 6, "expected '::=' behind the rule's name, found ':='", "defines rules with '::='"),
    Case("gbnf", 'root = "a"', 1, 6, "expected '::='", "'::='"),
    Case("gbnf", '\n\n  root -> "a"', 3, 8, "found '->'", "'::='"),
    Case("gbnf", 'root ::= a\na : "b"', 2, 3, "found ':'", "Lark's notation"),
    Case("gbnf", 'start: "a"', 1, 6, "found ':'", "Lark's notation"),
    Case("gbnf", 'root "a"', 1, 6, "expected '::=' behind the rule's name, found '\"a\"'"),
    Case("gbnf", '"a" ::= b', 1, 1, "expected a rule's name and '::='"),
    Case("gbnf", '<root> ::= "a"', 1, 1, "expected a rule's name", "BNF"),
    Case("gbnf", '::= "a"', 1, 1, "expected a rule's name"),
    Case("iso", 'a -> "b";', 1, 3, "expected '='"),
    Case("bnf", 'a ::= "b"', 1, 1, "'a' begins nothing in BNF", "angle brackets"),
    # strings, classes, escapes
    Case("gbnf", 'root ::= "a\nb ::= "c"', 1, 10, "the string is never closed", r"\n stands for a line break"),
    Case("gbnf", "root ::= 'a'", 1, 10, "begins nothing", "double quotes"),
    Case("gbnf", "root ::= \u201ca\u201d", 1, 10, "begins nothing", "typographic"),
    Case("gbnf", "root ::= [a-z", 1, 10, "the character class is never closed", r"\["),
    Case("gbnf", "root ::= [z-a]", 1, 11, "the range counts down"),
    Case("gbnf", "root ::= []", 1, 10, "the character class is empty"),
    Case("gbnf", "root ::= [^]", 1, 10, "the character class is empty"),
    Case("gbnf", 'root ::= "a".."z"', 1, 13, "'..' is no range", "[a-z]"),
    Case("gbnf", r'root ::= "\q"', 1, 11, r"the escape \q is unknown", r"\x41"),
    Case("gbnf", r"root ::= [\d]", 1, 11, r"the escape \d is unknown", "[0-9]"),
    Case("gbnf", r'root ::= "\x4"', 1, 11, r"expected 2 hexadecimal digits behind \x"),
    Case("gbnf", r'root ::= "\uD83D"', 1, 11, r"\uD83D is no character"),
    Case("gbnf", r'root ::= "\U00110000"', 1, 11, "is no character"),
    Case("gbnf", 'root ::= "\ud83d"', 1, 11, "the lone surrogate U+D83D"),
    Case("bnf", "<a> ::= x\udc00", 1, 10, "the lone surrogate U+DC00"),
    Case("w3c", "a ::= #x110000", 1, 7, "#x110000 is no character"),
    Case("w3c", "a ::= 'b' # why", 1, 11, "expected '#x'", "/* */"),
    Case("w3c", "a ::= /* b", 1, 7, "the comment is never closed"),
    Case("iso", 'a = "b" (* (* *) ;', 1, 9, "the comment is never closed"),
    Case("iso", "digit = [0-9];", 1, 11, "expected '*' behind the number", "no character classes"),
    Case("iso", 'a = "x" .. "z";', 1, 9, "found '..'", "no ranges"),
    # brackets
    Case("gbnf", 'root ::= ("a" | b\nb ::= "c"', 1, 10, "'(' is never closed: expected ')' before 'b' in line 2"),
    Case("gbnf", 'root ::= "a" (("b")', 1, 14, "'(' is never closed"),
    Case("gbnf", 'root ::= "a" "b") | c', 1, 17, "')' closes nothing"),
    Case("gbnf", 'root ::= ("a"] b', 1, 14, "begins nothing"),
    Case("iso", 'a = ["x" ;', 1, 5, "'[' is never closed: expected ']' before ';'"),
    Case("iso", 'a = ("x"] ;', 1, 9, "expected ')' for the '(' at line 1, column 5, found ']'"),
    # operands and operators
    Case("gbnf", 'root ::= * "a"', 1, 10, "'*' has nothing to repeat", "quote it"),
    Case("gbnf", 'root ::= "a" | + "b"', 1, 16, "'+' has nothing to repeat"),
    Case("gbnf", 'root ::= "a"{3,2}', 1, 13, "bounds are swapped", "{2,3}"),
    Case("gbnf", 'root ::= {"a"}', 1, 10, "expected a count", "ISO EBNF"),
    Case("gbnf", 'root ::= "a"{}', 1, 13, "expected a count"),
    Case("iso", "a = b, , c;", 1, 8, "expected a string, a rule's name or a bracket, found ','"),
    Case("iso", 'a = 3 * "x", 2 "y";', 1, 16, "expected '*' behind the number"),
    Case("iso", 'a = "x", ;', 1, 10, "behind ','"),
    Case("w3c", "a ::= 'x' - ", 1, 13, "behind '-'"),
    Case("w3c", "a ::= - 'x'", 1, 7, "before '-'"),
    # other notations
    Case("gbnf", "root ::= /a+/", 1, 10, "'/' begins nothing", "Lark's notation"),
    Case("gbnf", "%import common.INT", 1, 1, "'%' begins nothing", "Lark's notation"),
    Case("gbnf", 'root ::= "a"~2', 1, 13, "'~' begins nothing", "{2,5}"),
    Case("gbnf", 'root ::= "a";', 1, 13, "';' begins nothing", "remove it"),
    Case("gbnf", 'root ::= [a-z] - "x"', 1, 16, "'-' begins nothing", "dialect='w3c'"),
    Case("gbnf", 'root ::= "a", "b"', 1, 13, "',' begins nothing", "without a sign"),
    Case("xgrammar", "root ::= <think>", 1, 10, "'<' begins nothing", "Token(1234)"),
    Case("gbnf", "root ::= <[12>", 1, 10, "expected a token", 'quote the character: "<"'),
    Case("xgrammar", 'root ::= Regex("a", "b")', 1, 19, "expected ')'"),
    Case("xgrammar", "root ::= Token(x)", 1, 16, "a token's number"),
    Case("xgrammar", 'root ::= Regex("(a")', 1, 16, "the pattern is no regular expression"),
    # the grammar as a whole
    Case("gbnf", "", 1, 1, "the grammar has no rule"),
    Case("gbnf", "# nothing", 1, 1, "the grammar has no rule"),
    Case(
        "gbnf", 'root ::= nubmer\nnumber ::= "1"', 1, 10, "the rule 'nubmer' is not defined", "did you mean 'number'?"
    ),
    Case("gbnf", 'root ::= Number\nnumber ::= "1"', 1, 10, "is not defined", "did you mean 'number'?"),
    Case("gbnf", 'root ::= "a"\nb ::= xyz', 2, 7, "the rule 'xyz' is not defined", "quote it"),
    Case("gbnf", 'root ::= "a"\nroot ::= "b"', 2, 1, "defined twice, first at line 1, column 1", "'|'"),
    Case("bnf", '<a> ::= "x" <bat>\n<bath> ::= "y"', 1, 13, "'bat' is not defined", "did you mean 'bath'?"),
    Case("gbnf", "root ::= root", 1, 1, "no text can ever match 'root'", "add an alternative"),
    Case("gbnf", 'root ::= "a" b\nb ::= "b" b | "c" root', 1, 1, "no text can ever match 'root'"),
    Case("w3c", "a ::= 'x' - 'x'", 1, 1, "no text can ever match 'a'"),
]


def lowered(dialect: str, text: str) -> object:
    if dialect == "gbnf":
        return sg.Gbnf(text).lower()
    return sg.Ebnf(text, dialect=dialect).lower()  # type: ignore[arg-type]


@pytest.mark.parametrize("case", INVALID, ids=lambda case: f"{case.dialect}: {case.text[:25]!r}")
def test_wrong_grammars_are_refused_with_the_place(case: Case) -> None:
    """Each mistake has its line, its column, what was expected, and a hint; the excerpt marks the very place."""
    with pytest.raises(sg.InvalidSource) as caught:
        lowered(case.dialect, case.text)
    error = caught.value
    assert error.where == f"line {case.line}, column {case.column}"
    assert case.message in error.message
    assert case.hint in (error.hint or "")
    assert str(error).startswith(f"{error.where}: {error.message}")
    if error.excerpt is not None:  # a pattern's mistake is shown in the pattern
        _, line, marks = error.excerpt.split("\n")
        assert line.split(" | ", 1)[0] == str(case.line)
        assert line.split(" | ", 1)[1] == (case.text.splitlines() or [""])[case.line - 1]
        assert marks.index("^") - marks.index("|") == case.column + 1


UNSUPPORTED = [
    Case("xgrammar", 'root ::= TagDispatch(("a", b))', 1, 10, "the macro TagDispatch"),
    Case("xgrammar", 'root[max_tokens=10] ::= "a"', 1, 5, "max_tokens", "max_new_tokens"),
    Case("xgrammar", 'root ::= "a" (= "b")', 1, 14, "look-ahead"),
    Case("xgrammar", 'root ::= Regex("a", json_string=true)', 1, 21, "json_string"),
    Case("xgrammar", r'root ::= Regex("(a*)\\1")', 1, 16, "back-reference"),
    Case("iso", "a = ? any ? ;", 1, 5, "a special sequence"),
    Case("iso", 'a = "b" ? any ? ;', 1, 9, "a special sequence"),
    Case("iso", 'a = ("(", a, ")") - "x" | "y";', 1, 19, "'a' calls itself", "repetitions"),
    Case("w3c", "a ::= 'x' - b\nb ::= '(' b ')' | 'x'", 1, 11, "'b' calls itself other than at its end"),
    Case("w3c", "a ::= (b - 'x') | 'y'\nb ::= a", 1, 10, "calls itself"),
]


@pytest.mark.parametrize("case", UNSUPPORTED, ids=lambda case: f"{case.dialect}: {case.text[:25]!r}")
def test_what_is_left_out_is_refused_by_name(case: Case) -> None:
    """Constructs that are not supported are named, with their place and what to write instead."""
    with pytest.raises(sg.Unsupported) as caught:
        lowered(case.dialect, case.text)
    assert caught.value.where == f"line {case.line}, column {case.column}"
    assert case.message in caught.value.message
    assert case.hint in (caught.value.hint or "")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("dialect", "text", "limit"),
    [
        ("gbnf", "root ::= " + "(" * 10_000 + '"a"' + ")" * 10_000, "nesting"),
        ("gbnf", "root ::= " + "(" * 10_000, "nesting"),
        ("iso", "a = " + "[" * 10_000 + '"a"' + "]" * 10_000 + ";", "nesting"),
        ("gbnf", 'root ::= "a"{1,99999999999}', "repetitions"),
        ("gbnf", 'root ::= "a"{99999999999,}', "repetitions"),
        ("iso", 'a = 99999999999 * "a";', "repetitions"),
        ("iso", 'a = (1000000 * "a") - "b";', "max_dfa_states"),
        ("iso", 'a = ({"a" | "b"}, "a", 30 * ("a" | "b")) - "b";', "max_dfa_states"),
    ],
)
def test_limits_are_typed(dialect: str, text: str, limit: str) -> None:
    """Nesting, counts and automata beyond a limit are that limit's error, never Python's."""
    with pytest.raises(sg.LimitExceeded) as caught:
        lowered(dialect, text)
    assert caught.value.limit == limit
    assert caught.value.where is not None
    assert len(caught.value.excerpt or "") < 400


@pytest.mark.parametrize("opening", ['("a" | ', '("a" ', "(", '(("a")* '])
def test_deep_nesting_below_the_limit_is_read(opening: str) -> None:
    """Hundreds of brackets are no reason to refuse, whatever stands between them."""
    depth = 1000 // opening.count("(")
    closing = {"(": ")", '("a" | ': ")?", '("a" ': "){0,3}", '(("a")* ': ")+"}[opening]
    sg.Gbnf("root ::= " + opening * (depth - 1) + '"b"' + closing * (depth - 1)).lower()


def test_the_first_mistake_is_the_one_that_is_reported() -> None:
    """A wrong character further down does not hide what is wrong above it."""
    with pytest.raises(sg.InvalidSource, match="found ':='"):
        sg.Gbnf('root := "a"\nb ::= \'x').lower()


@pytest.mark.parametrize(
    ("start", "hint"), [("roots", "did you mean 'root'?"), ("zzzz", "there are root, a, b, c, d, ...")]
)
def test_a_start_rule_that_does_not_exist(start: str, hint: str) -> None:
    """It is said which rules there are, and which one is meant."""
    with pytest.raises(sg.InvalidSource, match=f"no rule '{start}'") as caught:
        sg.Gbnf("root ::= a b c d e\n" + "".join(f'{x} ::= "{x}"\n' for x in "abcde"), start=start).lower()
    assert hint in (caught.value.hint or "")


def test_errors_in_files_name_the_file(tmp_path: Path) -> None:
    """The place of a mistake in a file begins with the file, and other encodings are refused."""
    path = tmp_path / "wrong.gbnf"
    path.write_bytes(b"\xef\xbb\xbf# a comment\r\nroot ::= \r\n\tfoo\r\n")
    with pytest.raises(sg.InvalidSource) as caught:
        sg.Gbnf(str(path)).lower()
    assert caught.value.where == f"{path}, line 3, column 2"
    assert caught.value.excerpt == "  |\n3 | \tfoo\n  | \t^^^"
    path.write_bytes(b'root ::= "\xff"')
    with pytest.raises(sg.InvalidSource, match="not UTF-8") as caught:
        sg.Gbnf(path).lower()
    assert caught.value.where == str(path)


@pytest.mark.parametrize("path", ["missing.gbnf", "missing.ebnf", Path("missing"), "\0.bnf", "x" * 5000 + ".gbnf"])
def test_files_that_do_not_exist(path: str | Path) -> None:
    """A path that leads nowhere is not read as a grammar."""
    with pytest.raises(sg.InvalidSource, match="cannot be read"):
        sg.Gbnf(path).lower()


def test_options_are_checked_at_the_door() -> None:
    """An unknown dialect, and a grammar that is no text, are refused at once or when they are read."""
    with pytest.raises(sg.InvalidSource, match="choose one of xgrammar, iso, w3c, bnf"):
        sg.Ebnf("a = 'b'", dialect="abnf")  # type: ignore[arg-type]
    with pytest.raises(sg.InvalidSource, match="not bytes"):
        sg.Gbnf(b"root ::= x").lower()  # type: ignore[arg-type]


def test_long_lines_are_cut_around_the_place() -> None:
    """An excerpt of a generated line of thousands of characters shows the part that matters."""
    with pytest.raises(sg.InvalidSource) as caught:
        sg.Gbnf("root ::= " + '"a" ' * 5000 + "oops" + ' "a"' * 5000).lower()
    _, line, marks = (caught.value.excerpt or "").split("\n")
    assert len(line) < 120
    assert line[marks.index("^") :].startswith("oops")
    assert marks.count("^") == 4


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [("", "", 0), ("abc", "", 3), ("abc", "abd", 1), ("abc", "acb", 1), ("ca", "abc", 3), ("ab", "b", 1)],
)
def test_edit_distance(a: str, b: str, distance: int) -> None:
    """Insertions, deletions, replacements and swaps of neighbours count one each; both ways alike."""
    assert edit_distance(a, b) == edit_distance(b, a) == distance


def test_nearest_names() -> None:
    """Case comes first, then one edit in three characters; a name of one letter is like no other."""
    assert nearest("Expr", ["exp", "expr"]) == "expr"
    assert nearest("exrp", ["factor", "expr"]) == "expr"
    assert nearest("a", ["b", "c"]) is None
    assert nearest("statement", ["expression"]) is None


SIGNS = ["a", "b", "root", "<a>", "<b>", '"x"', "'y'", '"', "'", "::=", "=", ":=", ":", "|", "(", ")", "[", "]", "{", "}", "*", "+", "?",
         "-", ",", ";", ".", "..", "#x41", "#", "(*", "*)", "/*", "*/", "[a-z]", "[^", "{2,3}", "{1,", "3", "\\", "\\x4", "!", "<[1]>", "<",
         "/", "\n", " ", " ", "Regex(", "Token(", "[1]", "[ wfc:", "->", "%", "\u00e9", "\0"]  # fmt: skip


@pytest.mark.parametrize("dialect", ["gbnf", "xgrammar", "iso", "w3c", "bnf", None])
@given(st.lists(st.sampled_from(SIGNS), max_size=14), st.booleans())
def test_any_text_is_read_or_refused(dialect: str | None, signs: list[str], headed: bool) -> None:
    """Whatever is given, the answer is rules or an error of ours with a place in the text."""
    head = {"iso": "a = ", "bnf": "<a> ::= "}.get(dialect or "", "a ::= ")
    text = (head if headed else "") + "".join(signs) + "\n"
    source = sg.Gbnf(text, start="a") if dialect == "gbnf" else sg.Ebnf(text, dialect=dialect)  # type: ignore[arg-type]
    refused = None
    try:
        source.lower()
    except sg.SyntagmaError as error:
        refused = error
    assert refused is None or refused.where is not None or "no rule 'a'" in refused.message
