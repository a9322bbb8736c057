"""Small Lark grammars, one for each rule of Lark's lexer and of Python's ``re`` that a scanner can get wrong."""

from __future__ import annotations

from typing import NamedTuple

from lark.indenter import PythonIndenter


class Toy(NamedTuple):
    """A grammar, the characters of its texts, and how long the texts of the fast and of the slow test are."""

    grammar: str
    alphabet: str
    fast: int = 5
    slow: int = 7


TOYS: dict[str, Toy] = {
    "the shorter of two terminals is found after the longer has failed": Toy(
        """
        start: A C | B
        A: "ab"
        B: "abcd"
        C: "ce"
        """,
        "abcde",
    ),
    "a fraction is given up at the second dot": Toy(
        r"""
        start: NUM (".." NUM)?
        NUM: /\d+(\.\d+)?/
        """,
        "12.",
        6,
        9,
    ),
    "a keyword begins while the number before could still become a float": Toy(
        r"""
        start: e
        e: NUM ("if" NUM "else" e)?
        NUM: /\d+(e\d+)?/
        %ignore " "
        """,
        "1ifels ",
        5,
        6,
    ),
    "a keyword is re-labelled only where the whole lexeme is the keyword": Toy(
        """
        start: ("if" NAME | NAME)+
        NAME: /[ifx]+/
        %ignore " "
        """,
        "ifx ",
        6,
        8,
    ),
    "three quotes beat one": Toy(
        r'''
        start: (S | L)+
        S: /"(?!"").*?"/
        L: /""".*?"""/
        ''',
        '"a',
        9,
        13,
    ),
    "a higher priority rejects": Toy(
        """
        start: A C | B
        A.2: /a/
        B: /ab/
        C: "c"
        """,
        "abc",
    ),
    "terminals compete through merged look-aheads": Toy(
        """
        start: "(" x ")" "!" | "[" x ")!"
        x: "a"
        """,
        "()[a!",
        6,
        7,
    ),
    "a literal with another flag stays in the alternation, and re-labels": Toy(
        """
        start: ("if"i NAME | NAME "." | "IF" ".")+
        NAME: /[a-zI]+/
        %ignore " "
        """,
        "iIfFa. ",
        5,
        6,
    ),
    "an ignored terminal may be re-labelled to nothing, and an ignored literal may not": Toy(
        """
        start: (W | "!")+
        W: /[ab]+/
        V: /c+/
        C: "cc"
        D: "ab"
        %ignore V
        %ignore D
        """,
        "abc!",
        6,
        8,
    ),
    "looks ahead cross the borders of tokens": Toy(
        """
        start: (A | B | C)+
        A: /a(?=b*c)/
        B: /b(?!a)/
        C: /c|a(?!b)|(?=ba)b/
        """,
        "abc",
        7,
        9,
    ),
    "looks ahead nest": Toy(
        """
        start: (A | B)+
        A: /a(?=a*(?!b).|b(?=a))/
        B: /[ab]+?(?=[^b]|b{2})/
        %ignore "c"
        """,
        "abc",
        7,
        9,
    ),
    "looks behind see the token before": Toy(
        """
        start: (A | B | C)+
        A: /(?<=b)a/
        B: /b(?<!ab)/
        C: /(?<!a)c|(?<=cc)a|(?<=^)a/
        """.replace("(?<=^)a", "^a"),
        "abc",
        7,
        9,
    ),
    "anchors are those of the text": Toy(
        r"""
        start: (A | B | N | Z)+
        A: /^a/
        B: /b$/m
        N: /(?m:^)x?\n/
        Z: /a\Z|b|x$/
        """,
        "abx\n",
        6,
        8,
    ),
    "word boundaries": Toy(
        r"""
        start: (A | B | C)+
        A: /\bab?/
        B: /b\B/
        C: /-\b|a\b-/
        """,
        "ab-",
        7,
        9,
    ),
    "boundaries of ASCII words": Toy(
        r"""
        start: (A | B)+
        A: /a\b(?a:é|\Bb)/
        B: /(?a:\bé)|é\b|-/
        """,
        "abé-",
        6,
        7,
    ),
    "an empty iteration is the last one": Toy(
        """
        start: (A | B)+
        A: /x(|a)*/
        B: /a(b?|c)*?c|y(a|b*)+?b/
        """,
        "xabcy",
        5,
        6,
    ),
    "mandatory iterations may be empty": Toy(
        """
        start: (A | B)+
        A: /x(|a){2,4}/
        B: /a(b??|ab){1,3}a|y(|a|b){2,}?b/
        """,
        "xaby",
        6,
        8,
    ),
    "counted repetitions, lazy and greedy": Toy(
        """
        start: (A | B)+
        A: /a{1,3}?b?/
        B: /b{2}|b{1,3}a/
        """,
        "ab",
        9,
        12,
    ),
    "cases": Toy(
        """
        start: (A | B | C)+
        A: "k"i
        B: /[i-k]s/i
        C: /(?-i:S)x/i
        """,
        "kKsSix\u212a\u017f",
        4,
        5,
    ),
    "a text may be empty": Toy(
        """
        start: [A] b*
        b: "b" start "c" | "d"
        A: /a+/
        """,
        "abcd",
        6,
        8,
    ),
    "right recursion and reductions without symbols": Toy(
        """
        start: e e x
        e:
        x: "a" x e "b" | e
        """,
        "ab",
        8,
        10,
    ),
    "a newline at the end, for the dollar sign": Toy(
        r"""
        start: (A | N | B)+
        A: /a$/
        B: /a/
        N: /\n/
        """,
        "a\n",
        8,
        10,
    ),
    "characters of two, three and four bytes": Toy(
        r"""
        start: (A | B | C | D)+
        A: /é[à-ÿ]*/
        B: /€(?=\w)|€(?!é)/
        C: /[^\W\d]€?/
        D: /[\U0001F600-\U0001F64F]+?x?/
        """,
        "éx€\U0001f600-",
        4,
        5,
    ),
}


class Brackets(PythonIndenter):
    """One kind of bracket, and a tab of two columns."""

    NL_type = "NL"
    OPEN_PAREN_types = ["L"]  # noqa: RUF012 (as Lark declares it)
    CLOSE_PAREN_types = ["R"]  # noqa: RUF012
    INDENT_type = "INDENT"
    DEDENT_type = "DEDENT"
    tab_len = 2


INDENTED: dict[str, Toy] = {
    "blocks": Toy(
        r"""
        start: (NL | line)*
        line: x (";" | ":" NL INDENT line+ DEDENT) | x NL
        x: "a" | L x* R
        L: "("
        R: ")"
        NL: /(\n[ \t]*)+/
        %declare INDENT DEDENT
        """,
        "a:;(\n ",
        6,
        7,
    ),
    "a newline that no blank may follow twice": Toy(
        r"""
        start: (line NL)*
        line: "a" [":" NL INDENT line DEDENT]
        NL: /\n[ \t]*/
        %declare INDENT DEDENT
        """,
        "a:\n\t ",
        7,
        8,
    ),
    "comments belong to newlines": Toy(
        r"""
        start: (NL | line)*
        line: "a" NL | "a" ":" NL INDENT line+ DEDENT
        NL: (/\r?\n[\t ]*/ | COMMENT)+
        COMMENT: /#[^\n]*/
        %ignore / +/
        %ignore COMMENT
        %declare INDENT DEDENT
        """,
        "a:#\n ",
        7,
        9,
    ),
    "a newline begins with other characters": Toy(
        r"""
        start: (NL | line)*
        line: x NL | x ":" NL INDENT line+ DEDENT
        x: "a" | L x* R
        L: "("
        R: ")"
        NL: /((;\r?|é)\n *)+/
        %ignore /#[^#]*#/
        %declare INDENT DEDENT
        """,
        "a:;\né (#",
        5,
        6,
    ),
    "blanks come before a newline": Toy(
        r"""
        start: line*
        line: "a" NL | "a" ":" NL INDENT line+ DEDENT
        NL: / *;?\n *(#[é ]*)?/
        %declare INDENT DEDENT
        """,
        "a:\n ;#é",
        7,
        8,
    ),
}
