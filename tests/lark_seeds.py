"""Texts of real Lark grammars, and grammars that no folder holds."""

from __future__ import annotations

from pathlib import Path

import lark
import pytest

GRAMMARS = Path(__file__).resolve().parents[2] / "shared" / "data" / "grammars" / "lark"

CSV = r"""
start: (row NL)* row
row: cell ("," cell)*
?cell: QUOTED | PLAIN |
QUOTED: /"(?:[^"]|"")*"/
PLAIN: /[^",\r\n]+/
NL: /\r?\n/
"""

SEEDS: dict[str, list[str]] = {
    "csv": ["a,b\n1,,x y\n", '"a ""b"", c","d\ne"\r\nf,"",g', "é,€\n", ",\n"],
    "calc": ["1 + 2 * (3.5e-7 - .5)/4.", "((1))", "12*3\n-4 - 5e1"],
    "json": [
        '{"a": [1, -2.5e+3, "x", "", true, null], "b": {"c": .5E2}}',
        '[{"k": "v é"}, [], {}, false , +1.]',
    ],
    "c": [
        "int f(int a, char b){return a+1; x = (1+2)*-y;}",
        "void g(){while(a<=b){i=i+1;} if(x!=0){f(1,2);} else {y=3;} for(int i=0; i<9; i=i+1){g();} /* two\n **/}",
    ],
    "sql": [
        "SELECT a, b AS c, count(distinct d) FROM t INNER JOIN u ON t.x = u.y WHERE a > 1 AND b IS NOT NULL GROUP BY a ORDER BY c DESC LIMIT 5;",
        "select * from t where x in (1,2, 3) and name like 'a b' or y between 1 and 2 union all select sum(x) over (partition by y) from u",
        "SELECT inner, joiner FROM order1 cross join t2 -- note\n WHERE x <> 1.5",
    ],
    "java": [
        "package a.b; import c.*; public class A extends B<C, D<?>> { private int x = 1 >>> 2; <T> void f(int y) {} }",
        "class A { static { } A() { this(1); } int[] g(String s) { for (int i = 0; i < 10; i++) { if (s == null) return \"a\\n\" + 'c'; else break; } } }",
        "interface I { void f() ; /* x */ int y = a / b ; } // end",
    ],
    "lark": [
        'start: "a" b? | /x[y\\/]+/i -> alias // comment\n\nb: [c ("," c)*] ~ 2..3\n%import common.WS\n%ignore WS\n',
        '?x.2: (A | B)+\nA.3: "a".."z"\n  | B\nt{p, q}: p q\n%declare C D\n',
    ],
}


def grammar_path(name: str) -> Path:
    """Where the grammar of a name lies; the test is skipped where it does not."""
    path = (
        Path(lark.__file__).parent / "grammars" / f"{name}.lark"
        if name in {"lark", "python"}
        else GRAMMARS / f"{name}.lark"
    )
    if not path.exists():
        pytest.skip(f"no grammar at {path}: the shared data is not here")
    return path


def build(name: str) -> lark.Lark:
    """A real grammar, as Lark builds it."""
    if name == "csv":
        return lark.Lark(CSV, parser="lalr")
    return lark.Lark.open(str(grammar_path(name)), parser="lalr")
