"""What is said of grammars that a newcomer gets wrong: what it is, where, with a mark below it, and the mistake that is nearest."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from lark.indenter import PythonIndenter
from lark_seeds import grammar_path

import syntagma as sg
from syntagma.grammar.errors import InvalidSource, SyntagmaError, Unsatisfiable

# A grammar with ^ before the place that an error must name; what it must say, and what it must advise.
WRONG: dict[str, tuple[str, str, str]] = {
    "a rule that is spelled otherwise": (
        'start: ^expresion\nexpression: "a"\n',
        "'expresion' is not defined",
        "'expression'",
    ),
    "a terminal of the library": ("start: ^NUMBER\n", "'NUMBER' is not defined", "%import common.NUMBER"),
    "a misspelled name of the library": ("start: ^NUMBR\n%import common.NUMBR\n", "not defined", "common has 'NUMBER'"),
    "a misspelled file": ("start: NUMBER\n%import ^comon.NUMBER\n", "no file comon.lark", "'common'"),
    "a rule only used in a comment before": ('// x is good\nstart: "a"\ny: ^x\n', "'x' is not defined", ""),
    "a bracket": ('start: ^("a" | "b"\nx: "c"\n', "( is not closed", "begins with |"),
    "an optional part": ('start: "(" ^["a" | "b"\nx: "c"\n', "[ is not closed", ""),
    "a bracket too many": ('start: "a" ^)\n', "')' cannot stand here", ""),
    "a text": ('start: "b" ^"a\nx: "b"\n', "the text is not closed", '\\"'),
    "a pattern": ("start: ^/ab\n", "the pattern is not closed", "\\/"),
    "an expression": ("start: A\nA: /a^(b/\n", "missing ), unterminated subpattern", ""),
    "a class": ("start: /[^z-a]/\n", "bad character range z-a", ""),
    "a property": (r"start: /a^\p{L}+/" + "\n", "bad escape", r"no \p{...}"),
    "a look-behind": ("start: A\n^A: /(?<=a+)b/\n", "fixed-width", "of one length"),
    "BNF": ('start :^:= "a"\n', "':' cannot stand here", "sg.Ebnf"),
    "ISO": ('start ^= "a"\n', "'=' cannot stand here", "sg.Ebnf"),
    "a semicolon": ('start: "a" ^;\n', "';' cannot stand here", "ends with its line"),
    "single quotes": ("start: ^'a'\n", "cannot stand here", "double quotes"),
    "a comma": ('start: "a" ^, "b"\n', "cannot stand here", "blanks"),
    "braces": ('start: "a"^{2,3}\n', "'{' cannot stand here", "~2..3"),
    "a class outside of a pattern": ("start: [a^-z]\n", "'-' cannot stand here", "/[a-z]/"),
    "a dot": ("start: ^.\n", "'.' cannot stand here", "/./"),
    "an arrow": ("start ^<- x\n", "cannot stand here", "a rule is name:"),
    "a comment of another notation": ('^; note\nstart: "a"\n', "cannot stand here", "//"),
    "a comment of C": ('start: "a" /^* note */\n', "nothing to repeat", "//"),
    "a name with a hyphen": ("start: my^-rule\n", "cannot stand here", "letters, digits and _"),
    "a raw string": ('start: ^r"a"\n', "before a text", "/.../"),
    "a look-ahead": ('start: ^!"a"\n', "cannot stand here", "(?!...)"),
    "a terminal with arguments": ('start: A^{"x"}\nA: "a"\n', "cannot stand here", "templates are rules"),
    "all names of a file": ("start: WORD\n%import common.^*\n", "cannot stand here", "one by one"),
    "no name of a file": ("start: WORD\n^%import common\n", "nothing is imported", "common.WORD"),
    "names without a comma": ("start: WORD\n%import common (WORD ^INT)\n", "cannot stand here", "commas"),
    "an escape": ('start: "a\\u0041^\\x"\n', "lacks digits", r"\x41"),
    "a name in a terminal": ('start: A\nA: "a" ^-> b\n', "have no names", ""),
    "two dots": ('start: A ^.. B\nA: "a"\n', "cannot stand here", "/./"),
    "a word in both cases": ('start: NO^ne\nNO: "a"\n', "'ne' is not defined", ""),
    "a pattern in an alternative": ('start: A\nA: "a" | /[^^z-a]/\n'.replace("[^^", "[^"), "bad character range", ""),
    "nothing ignored": ('start: "a"\n^%ignore ()\n', "matches the empty text", ""),
    "no colon": ('^start "a"\n', "its name and a colon", ""),
    "two operators": ('start: "a"*^*\n', "cannot stand here", "enough"),
    "mixed case": ('^Start: "a"\n', "its name and a colon", "lower case"),
    "letters of a name": ("start: gr^ö\n", "'ö' cannot stand here", "ASCII"),
    "an alias": ('start: "a" -> ^Foo\n', "cannot stand here", "lower case"),
    "a directive": ('start: "a"\n^%ignroe " "\n', "cannot stand here", "%ignore"),
    "ignored, and not defined": ('start: "a"\n%ignore ^WS\n', "'WS' is not defined", "%import common.WS"),
    "a flag": ("start: /a/^q\n", "'q' is no flag", "i, m, s"),
    "a range": ('start: ^"a".."zz"\n', "a range leads from one character", ".."),
    "bounds": ('start: "a"^~3..1\n', "wrong order", "~1..3"),
    "a bound that is missing": ('start: "a"~^\n', "the line ends", ""),
    "a priority": ('start: A\nA.^x: "a"\n', "expected a number", ""),
    "twice": ('start: "a"\n^start: "b"\n', "more than once", "|"),
    "a terminal of itself": ('start: A\n^A: "a" A | "b"\n', "defined by itself", "only rules"),
    "a rule in a terminal": ('start: A\nA: "a" ^b\nb: "c"\n', "uses the rule 'b'", "as a terminal"),
    "the empty text": ("start: A\n^A: /a*/\n", "matches the empty text", "+ for *"),
    "no characters": ('start: ^""\n', "no characters", ""),
    "a pattern in lines": ("start: ^/a\nb/\n", "several lines", r"\n"),
    "behind characters of several bytes": ('start: "é" "日本" ^)\n', "cannot stand here", ""),
    "behind a tab": ('start: "a"\n\t| ^)\n', "cannot stand here", ""),
    "lines that end as on Windows": ('start: "a"\r\nx: ^)\r\n', "cannot stand here", ""),
    "a rule without end": ('^start: start "a"\n', "never ends", "alternative"),
    "declared": ("start: ^A\n%declare A\n", "has no pattern", "indenter"),
}


def refused(source: sg.Lark) -> SyntagmaError:
    """The error of a grammar."""
    with pytest.raises(InvalidSource) as caught:
        source.lower()
    return caught.value


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_shown(name: str) -> None:
    """The message says what is wrong, the place is exact, the mark lies below it, and the hint names what was probably meant."""
    marked, message, hint = WRONG[name]
    caret = next(k for k, x in enumerate(marked) if x == "^" and marked[k : k + 2] != "^\\W")
    grammar = marked[:caret] + marked[caret + 1 :]
    error = refused(sg.Lark(grammar))
    before = grammar[:caret].split("\n")
    assert error.where == f"line {len(before)}, column {len(before[-1]) + 1}"
    assert message in error.message
    assert hint in (error.hint or "")
    assert "Token(" not in str(error)
    assert error.excerpt is not None
    _, shown, below = error.excerpt.split("\n")
    assert shown.split(" | ", 1)[1] == grammar.split("\n")[len(before) - 1].rstrip("\r")
    assert below.index("^") == shown.index(" | ") + 3 + len(before[-1])


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        (sg.Lark('expr: "a"\n'), "no rule 'start'", "start='expr'"),
        (sg.Lark('expr: "a"\nother: "b"\n', start="oter"), "no rule 'oter'", "start='other'"),
        (sg.Lark(""), "no rule 'start'", "lines such as"),
        (sg.Lark("hello.lark"), "cannot be read", "line break"),
    ],
)
def test_what_has_no_place(source: sg.Lark, message: str, hint: str) -> None:
    """What the text lacks is said with what could be meant."""
    error = refused(source)
    assert message in error.message
    assert hint in (error.hint or "")


@pytest.mark.parametrize("grammar", [5, None, b'start: "a"', ["a"]])
def test_what_is_no_grammar(grammar: Any) -> None:
    """A grammar of another type is refused at once."""
    with pytest.raises(InvalidSource, match=type(grammar).__name__):
        sg.Lark(grammar)


def test_an_indenter_needs_tables() -> None:
    """A grammar that is not LALR(1) is refused with an indenter, and that it is the indenter's matter is said."""
    error = refused(sg.Lark("start: a | b\na: NAME\nb: NAME\nNAME: /x/\n", postlex=PythonIndenter()))
    assert "not LALR(1)" in error.message
    assert "indenter" in (error.hint or "")


def test_files_are_named(tmp_path: Path) -> None:
    """A mistake in a file that is imported is shown there, and not in the grammar that imports it."""
    main, part = tmp_path / "main.lark", tmp_path / "part.lark"
    main.write_text("start: x\n\n\n%import .part.x\n")
    for text, place in (('x: "a"\ny: )\n', "line 2, column 4"), ("x: 'a'\n", "line 1, column 4")):
        part.write_text(text)
        error = refused(sg.Lark(main))
        assert error.where == f"{part}, {place}"
        assert (error.excerpt or "").split("\n")[1].split(" | ")[1] in text
    part.write_text('x: "a"\n')
    main.write_text("start: x y\n%import .part.x\n")
    assert refused(sg.Lark(main)).where == f"{main}, line 1, column 10"
    main.write_bytes(b'start: "\xff"\n')
    assert "not UTF-8" in refused(sg.Lark(main)).message


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Files that begin with one are read."""
    path = tmp_path / "x.lark"
    path.write_text('\ufeffstart: "a"\n', encoding="utf-8")
    sg.Lark(path).lower()
    sg.Lark('\ufeffstart: "a"\n').lower()


def test_nothing_that_never_ends_is_compiled() -> None:
    """A grammar of which no text ends is refused as such, not as a matter of the vocabulary."""
    error = refused(sg.Lark('start: x\nx: "a" y\ny: "b" x\n'))
    assert isinstance(error, Unsatisfiable)


@pytest.mark.parametrize("name", ["json", "calc", "lark"])
def test_edits_of_real_grammars(name: str) -> None:
    """A real grammar with characters put in, taken out, or exchanged is read, or refused with a typed error, nearly always at a place."""
    draw = random.Random(name)
    text = grammar_path(name).read_text(encoding="utf-8")
    found: list[SyntagmaError] = []
    for _ in range(60):
        edited = list(text)
        for _ in range(draw.randint(1, 2)):
            at = draw.randrange(len(edited))
            edited[at : at + draw.randint(0, 2)] = draw.choice("()[]{}\"/|:%.~*+?;,<>='é\\x#A \n")
        try:
            sg.Lark("".join(edited)).lower()
        except SyntagmaError as error:
            found.append(error)
    assert not [error for error in found if "Token(" in str(error)]
    assert len([error for error in found if error.excerpt is not None]) > 20
    assert len([error for error in found if error.excerpt is None]) < 6
