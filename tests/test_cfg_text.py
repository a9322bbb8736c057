"""How grammars are written: characters, names, comments, dialects, what the report says of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cfg_grammars import Part, Rules, grammars, language, written
from hypothesis import given
from hypothesis import strategies as st
from ir_oracle import Oracle

import syntagma as sg
from syntagma.grammar.cfg.dialect import BNF, GBNF, ISO, W3C, XGRAMMAR, detect
from syntagma.grammar.cfg.nodes import (
    CharSet,
    Choice,
    Difference,
    Literal,
    Node,
    Reference,
    Repeat,
    Sequence,
    TokenSet,
)
from syntagma.grammar.cfg.parser import parse
from syntagma.grammar.cfg.text import GrammarText

DIALECTS = {"gbnf": GBNF, "xgrammar": XGRAMMAR, "iso": ISO, "w3c": W3C, "bnf": BNF}


def judge(source: sg.Source) -> Oracle:
    """Membership in the language of the rules that a source lowers to."""
    return Oracle(source.lower().grammar)


def agree(source: sg.Source, inside: list[str], outside: list[str]) -> None:
    oracle = judge(source)
    assert [text for text in inside if not oracle.accepts(text.encode())] == []
    assert [text for text in outside if oracle.accepts(text.encode())] == []


def tree(node: Node) -> Part:
    """A node as a tuple of ``cfg_grammars``."""
    if isinstance(node, Literal):
        return ("text", node.text)
    if isinstance(node, CharSet):
        return ("set", "".join(chr(c) for low, high in node.ranges for c in range(low, high + 1)))
    if isinstance(node, Reference):
        return ("call", node.name)
    if isinstance(node, Sequence | Choice):
        return ("seq" if isinstance(node, Sequence) else "or", [tree(part) for part in node.parts])
    if isinstance(node, Difference):
        return ("but", tree(node.left), tree(node.right))
    assert isinstance(node, Repeat)
    return ("rep", tree(node.body), node.least, node.most)


@pytest.mark.parametrize("dialect", ["gbnf", "xgrammar"])
@given(rules=grammars(exceptions=False))
def test_what_is_written_is_read_back(dialect: str, rules: Rules) -> None:
    """A grammar that is written out and read again is the same tree."""
    read = parse(GrammarText(written(rules, dialect)), DIALECTS[dialect])
    assert {name: tree(d.body) for name, d in read.definitions.items()} == rules


@given(rules=grammars(counts=False))
def test_what_is_written_in_w3c_is_read_back(rules: Rules) -> None:
    """The same in W3C's notation, exceptions included."""
    read = parse(GrammarText(written(rules, "w3c")), W3C)
    assert {name: tree(d.body) for name, d in read.definitions.items()} == rules


@pytest.mark.parametrize("dialect", DIALECTS)
@given(rules=grammars(exceptions=False))
def test_what_is_written_means_what_is_read(dialect: str, rules: Rules) -> None:
    """Whatever brackets a dialect needs, the tree that is read has the language of the one that was written, twice over."""
    expected = language(rules, "root", 5)
    for _ in range(2):
        read = parse(GrammarText(written(rules, dialect)), DIALECTS[dialect])
        rules = {name: tree(d.body) for name, d in read.definitions.items()}
        assert language(rules, "root", 5) == expected


@pytest.mark.parametrize("dialect", DIALECTS)
@given(rules=grammars(exceptions=False))
def test_layout_means_nothing(dialect: str, rules: Rules) -> None:
    """Line ends of any kind, blank lines and comments between all words change nothing."""
    text = written(rules, dialect).replace("/* one of */ ", "")
    comment = {"gbnf": "# |\n", "xgrammar": "#|(\n", "iso": "(* ; *)", "w3c": "/* | */", "bnf": "; |\n"}[dialect]
    plain = parse(GrammarText(text), DIALECTS[dialect])
    spaced = re.sub(r"(?<=[^\s]) (?=[^\s])", lambda _: f"\r\n\t{comment} ", text)
    other = parse(GrammarText(spaced), DIALECTS[dialect])
    assert {n: tree(d.body) for n, d in plain.definitions.items()} == {
        n: tree(d.body) for n, d in other.definitions.items()
    }


@given(
    st.lists(st.tuples(st.characters(exclude_categories=["Cs"]), st.integers(0, 300)), min_size=1, max_size=4),
    st.booleans(),
)
def test_character_classes_are_sets_of_code_points(ranges: list[tuple[str, int]], negated: bool) -> None:
    """Classes of any characters, escaped in any way, hold exactly the characters of their ranges, as UTF-8."""
    pairs = [(ord(x), min(ord(x) + n, 0x10FFFF)) for x, n in ranges]
    pairs = [(low, low if 0xD800 <= high <= 0xDFFF else high) for low, high in pairs]
    class_text = "".join(f"\\U{low:08X}-\\U{high:08x}" for low, high in pairs)
    hex_text = "".join(f"#x{low:X}-#x{high:x}" for low, high in pairs)
    sign = "^" if negated else ""
    oracles = [
        judge(sg.Gbnf(f"root ::= [{sign}{class_text}]")),
        judge(sg.Ebnf(f"a ::= [{sign}{hex_text}]", dialect="w3c")),
    ]
    near = {c for low, high in pairs for c in (low - 1, low, (low + high) // 2, high, high + 1)} | {
        0x41,
        0xE9,
        0x20AC,
        0x1F600,
    }
    for code in near:
        if 0 <= code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF:
            expected = any(low <= code <= high for low, high in pairs) != negated
            for oracle in oracles:
                assert oracle.accepts(chr(code).encode()) is expected, hex(code)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (r'root ::= "\"\\\n\t\r\x41\u00e9\U0001F600"', ['"\\\n\t\rA\u00e9\U0001f600'], ["n"]),
        (r'root ::= "\ud83d\ude00" [\ud83d\ude00-\U0001F602]', ["\U0001f600\U0001f602"], ["\U0001f600\U0001f603"]),
        (r"root ::= [\[\]\-^a]", ["[", "]", "-", "^", "a"], ["\\", "b"]),
        (r"root ::= [-+] [+-] [a-c-e]", ["-+a", "+-c", "---", "+-e"], ["a-a", "--d"]),
        (r"root ::= [^\n] .", ["a\n", "\u00e9\U0001f600"], ["\na", "a"]),
        (r"root ::= [\x00-\x1F\x7F]", ["\0", "\x1f", "\x7f"], [" "]),
        ('root ::= "a" #comment "b"\n  "c"', ["ac"], ["abc", "a"]),
        ('root ::=\n# why\n"a" |\n\n"b"\n| c\nc ::= d\r\n\r\nd ::= "d"', ["a", "b", "d"], ["c", ""]),
        ('root ::= a-b a_b 1c\na-b ::= "x"\na_b ::= "y"\n1c ::= "z"', ["xyz"], ["xy"]),
        ('root ::= ( "a" ( ) | ) "b" | ', ["ab", "b", ""], ["a"]),
        (
            'root ::= "ab"* "c" {2} "d"{ 1 , } "e"{,2} "f"{0}',
            ["abccd", "ccdde", "ccdee"],
            ["cd", "abbccd", "ccdeee", "ccdf"],
        ),
        ('root ::= ("a" | "b")?+ "c"*?{2}', ["", "abbc", "ccc"], ["ca"]),
        ("root ::= [a-z]{3}", ["abc"], ["ab", "abcd"]),
    ],
)
def test_spellings_of_gbnf(text: str, inside: list[str], outside: list[str]) -> None:
    """Escapes, classes, comments, names, empty alternatives and counts as llama.cpp reads them; in xgrammar's dialect, too."""
    agree(sg.Gbnf(text), inside, outside)
    if "." not in text and "1c" not in text:
        agree(sg.Ebnf(text, dialect="xgrammar"), inside, outside)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("a = 'x', \"'\", '\"' | 'y';", ["x'\"", "y"], ["x"]),
        ("a = [ 'x' ], { 'y' }, ( 'z' / 'w' ! 'v' ).", ["z", "xyyw", "v"], ["xx", ""]),
        ("a = (/ 'x' /), (: 'y' :), 'z';", ["z", "xyyz"], ["xxz"]),
        ("a = 3 * 'x', 2 * [ 'y' ], 0 * 'z';", ["xxx", "xxxyy"], ["xx", "xxxyyy", "xxxz"]),
        ("a = letter - 'b'; letter = 'a' | 'b' | 'c';", ["a", "c"], ["b"]),
        ("a = { 'x' }-; ", ["x", "xx"], [""]),
        ("a = 'x' - , 'y';", ["xy"], ["x", "y"]),
        ("list = '(', { list }-, ')' | 'x';", ["(x)", "((x)x)"], ["()", "(())"]),
        ("start = my word, other-word; my word = 'x'; other-word = 'y';", ["xy"], ["x"]),
        ("start = a b c; a b = 'x'; c = 'y'; a = 'z'; b = 'w';", ["xy"], ["zwy"]),
        ("start = a-b; a = 'x' | 'y'; b = 'y';", ["x"], ["y"]),
        ("a = 'x' (* one (* two *) ; *), 'y'", ["xy"], ["x"]),
        ("a = 'x' b\nb = 'y'\n", ["xy"], ["x"]),
        ("a := 'x'+ 'y'* 'z'? ; b ::= 'w' ;", ["xxyz", "x"], ["y", "w"]),
        (r"a = '\n';", ["\\n"], ["\n"]),
        ("a = ; ", [""], ["a"]),
        ("word = { 'a' | 'b' }, 'a'; x = word - { 'a' };", ["a", "ba"], ["b"]),
    ],
)
def test_spellings_of_iso(text: str, inside: list[str], outside: list[str]) -> None:
    """Brackets and their other spellings, counts, exceptions, names of several words, with and without commas and ends."""
    agree(sg.Ebnf(text, dialect="iso"), inside, outside)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("a ::= 'x' \"'\" #x41 [#x42-#x44] [a#x78-z^] [^a-z] | #xE9", ["x'AC^!", "x'ABx1", "\u00e9"], ["x'AEx1", "x'ABw1"]),
        ("a ::= [^]x]", ["[x]", "^x]"], []),
        ("a ::= '<!--' ((c - '-') | ('-' (c - '-')))* '-->'\nc ::= #x9 | [ -~]", ["<!---->", "<!-- a-b -->"], ["<!-- -- -->"]),
        ("a ::= [a-z]+ - ('if' | 'else')", ["i", "ifs", "elsewhere"], ["if", "else", ""]),
        ("a ::= b - c*\nb ::= [xy]+\nc ::= 'x'", ["y", "xy"], ["x", "xx"]),
        ("a ::= (b - c)* d\nb ::= [xy]\nc ::= 'x'\nd ::= 'z'", ["z", "yyz"], ["xz"]),
        ("a ::= 'x' - 'y' - 'x' | 'z'", ["z"], ["x"]),
        ("a ::= w - 'ab'\nw ::= 'a' w | 'b' w | ''", ["", "a", "aba"], ["ab"]),
        ("[1] a ::= b /* [2] c ::= d */ c\n [2]  b ::= 'x' [ wfc: no d ]\n[3a] c ::= [1] [ VC: end ]", ["x1"], ["x"]),
        ("a.b:c ::= d_e-f\nd_e-f ::= 'x'?", ["", "x"], ["xx"]),
        (r"a ::= '\n' [\n]", ["\\n\\", "\\nn"], ["\n\n"]),
    ],
)  # fmt: skip
def test_spellings_of_w3c(text: str, inside: list[str], outside: list[str]) -> None:
    """Code points, classes, exceptions, rule numbers and constraints of the XML recommendation's notation."""
    if text == "a ::= [^]x]":  # a class that closes at once is empty
        with pytest.raises(sg.InvalidSource, match="empty"):
            sg.Ebnf(text, dialect="w3c").lower()
        return
    agree(sg.Ebnf(text, dialect="w3c"), inside, outside)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("<e> ::= <e> + <d> | ( <e> ) | <d>\n<d> ::= 0|1", ["0", "(0+1)+1"], ["0 + 1", "<d>", "+"]),
        ("<a>::=<b><b>|x\n<b>::=y*", ["y*y*", "x"], ["yy", "y*"]),
        ("<my rule> ::= <other  rule> ; a comment\n<other rule> ::= \"x\" 'y'", ["xy"], ["x"]),
        ("<a> ::= { <b> } [ 'y' ] ( 'z' | 'w' )+\n<b> ::= \"x\"*", ["z", "xxyzw"], ["yx"]),
        ("<a> ::= 'x' <a> |\n<b> ::= 'y'", ["", "xx"], ["y"]),
        ("<a> ::= if <= <b> then\n<b> ::= >", ["if<=>then"], ["if <= > then"]),
    ],
)
def test_spellings_of_bnf(text: str, inside: list[str], outside: list[str]) -> None:
    """With quotes, signs are operators; in a text without any quote, all that is no name and no bar stands for itself."""
    agree(sg.Ebnf(text, dialect="bnf"), inside, outside)


@pytest.mark.parametrize(
    ("text", "dialect", "reason"),
    [
        ('<a> ::= "x"', BNF, "angle brackets"),
        ("  <a b>::= x", BNF, "angle brackets"),
        ("a = 'x' ;", ISO, "defined by ="),
        ('my rule = "x", b ;\nb = "y" ;', ISO, "defined by ="),
        ('(* a ::= b *)\na = "::=" ;', ISO, "defined by ="),
        ("a ::= #x41", W3C, "#x"),
        ("a ::= [#x41-#x5A]", W3C, "#x"),
        ('a ::= "b" /* c */', W3C, "comments"),
        ("a ::= 'b'", W3C, "single quotes"),
        ('[1] a ::= "b"', W3C, "numbered"),
        ('a ::= b - "c"\nb ::= [a-z]', W3C, "excepts"),
        ('root ::= "a"', XGRAMMAR, "without anything"),
        ("# don't, #x41, /* */ and 'so' on\nroot ::= \"#x41 /* 'a' */ - \" [a-z'*/ - ]", XGRAMMAR, "without anything"),
        ('root ::= a-b [-+]\na-b ::= "-"', XGRAMMAR, "without anything"),
        ('root ::= "=" b\nb ::= "a = b"', XGRAMMAR, "without anything"),
    ],
)
def test_the_dialect_is_told_from_the_text(text: str, dialect: object, reason: str) -> None:
    """The stated rules decide, looking past strings, classes and comments."""
    found, why = detect(text)
    assert found is dialect
    assert reason in why


def test_the_report_says_which_dialect() -> None:
    """Found or chosen, with the reason."""
    assert sg.Ebnf("a = 'x';").lower().report.dialect == "iso (rules are defined by =)"
    assert sg.Ebnf("a ::= 'x'", dialect="w3c").lower().report.dialect == "w3c (chosen by the caller)"
    assert sg.Gbnf('root ::= "x"').lower().report.dialect == "gbnf"


def test_the_report_has_an_entry_for_every_rule() -> None:
    """Rules that are needed are exact; others, and rules without texts, are named with the reason; the promises all hold."""
    report = sg.Gbnf('root ::= "a" | bad\nbad ::= "b" bad\n\nlone ::= "c" other\nother ::= "d"').lower().report
    assert [(e.pointer, e.keyword, e.status) for e in report.entries] == [
        ("line 1", "root", "exact"),
        ("line 2", "bad", "exact"),
        ("line 4", "lone", "annotation"),
        ("line 5", "other", "annotation"),
    ]
    assert "never ends" in report.entries[1].reason
    assert "never taken" in report.entries[1].consequence
    assert report.entries[2].reason == "no text of 'root' needs it"
    assert report.unsatisfiable == ("line 2",)
    assert (report.sound, report.complete, report.live, report.budget) == (True, True, True, "exact")


def test_what_asserts_nothing_is_in_the_report() -> None:
    """Constraints of W3C's notation, captures of xgrammar's, and backslashes that are no escapes."""
    w3c = sg.Ebnf("a ::= 'x' [ wfc: No X ]\nb ::= '\\'", dialect="w3c").lower().report
    assert [(e.pointer, e.keyword, e.status) for e in w3c.entries if e.keyword not in "ab"] == [
        ("line 1", "[ wfc: No X ]", "annotation"),
        ("line 2", "backslash", "annotation"),
    ]
    xgrammar = sg.Ebnf('root[capture="x"] ::= "a"').lower().report
    assert [e.keyword for e in xgrammar.entries] == ["root", '[capture="x"]']


def test_patterns_of_xgrammar_match_from_end_to_end() -> None:
    """``Regex("...")`` is a regular expression of the whole part."""
    agree(sg.Ebnf(r'root ::= Regex("[a-c]+\\d?") "!" {2}'), ["abc1!!", "a!!"], ["!!", "1!!", "abcd!!", "a!"])


def test_tokens_are_read() -> None:
    """Token terminals are nodes with their numbers or their texts, brackets included, and whether they are excluded."""
    rules = parse(GrammarText("root ::= <[12]> !<[3]>* <think> !</think>"), GBNF)
    body = rules.definitions["root"].body
    assert isinstance(body, Sequence)
    leaves = [part.body if isinstance(part, Repeat) else part for part in body.parts]
    assert [(n.ids, n.texts, n.negated) for n in leaves if isinstance(n, TokenSet)] == [
        ((12,), (), False), ((3,), (), True), ((), ("<think>",), False), ((), ("</think>",), True),
    ]  # fmt: skip
    other = parse(GrammarText("root ::= Token(3, 1, 3) ExcludeToken(2)"), XGRAMMAR).definitions["root"].body
    assert isinstance(other, Sequence)
    assert [(n.ids, n.negated) for n in other.parts if isinstance(n, TokenSet)] == [((1, 3), False), ((2,), True)]


def test_tokens_in_rules_that_are_not_needed() -> None:
    """A token terminal that no text needs is no reason to refuse the grammar."""
    agree(sg.Gbnf('root ::= "a"\nlone ::= <think>'), ["a"], [""])


@pytest.mark.parametrize(("kind", "start"), [(sg.Gbnf, "b"), (sg.Ebnf, "b"), (sg.Ebnf, None)])
def test_start_rules(kind: type[sg.Gbnf | sg.Ebnf], start: str | None) -> None:
    """The start rule is ``root``, or the first for ``Ebnf`` where there is none, or the one that is given."""
    text = 'b ::= "x" a\na ::= "y"\n'
    agree(kind(text) if start is None else kind(text, start=start), ["xy"], ["y"])
    agree(kind(text + 'root ::= "z"'), ["z"], ["xy"])


@pytest.mark.parametrize("ending", [".gbnf", ".ebnf", ".bnf", ".txt"])
def test_grammars_are_read_from_files(tmp_path: Path, ending: str) -> None:
    """A path object is read; so is a string that ends like a file of grammars, and any other is a grammar."""
    path = tmp_path / f"grammar{ending}"
    path.write_text('\ufeffroot ::= "\u00e9"', encoding="utf-8")
    agree(sg.Gbnf(path), ["\u00e9"], ["e"])
    if ending == ".txt":
        with pytest.raises(sg.InvalidSource, match="begins nothing"):
            sg.Gbnf(str(path)).lower()
    else:
        agree(sg.Ebnf(str(path)), ["\u00e9"], ["e"])
        agree(sg.Gbnf(f'root ::= "x" # see a{ending}\n'), ["x"], [])


def test_explanations_name_the_rule() -> None:
    """What is in force is said by the rule's name and place."""
    vocab = sg.Vocabulary([*(bytes([b]) for b in range(128)), None], eos_ids=[128])
    constraint = sg.compile(sg.Gbnf('root ::= "a" num ","\nnum ::= [0-9]+ | "(" num ")"'), vocab)
    state = constraint.advance_bytes(constraint.start, b"a(")
    assert "num (line 2, column 1)" in str(constraint.explain(state, ord("x")))
