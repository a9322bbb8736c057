"""Texts of real Lark grammars, their edits and tokens, and grammars that no folder holds."""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path

import lark
import pytest

from syntagma.automata.vocabulary import Vocabulary

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
    "verilog": [
        (
            "`timescale 1ns / 1ps\nmodule counter #(parameter W = 8) (input clk, input rst_n, output reg [W-1:0] q); // up\n"
            "  always @(posedge clk or negedge rst_n) if (!rst_n) q <= {W{1'b0}}; else q <= q + 1'b1;\nendmodule\n"
        ),
        (
            "module alu(a, b, op, y, z);\n input [7:0] a, b; input [1:0] op; output [7:0] y; output z; reg [7:0] y;\n"
            " assign z = ~|y, t = op[0] ? a[3 -: 2] : 8'hF_f;\n"
            " always @* begin : pick integer i; case (op) 2'b00, 2'b01: y = a + b; default: begin $display(\"%d\\n\", y); y = 8'dx; end endcase end\nendmodule"
        ),
        (
            "module top; wire [3:0] w; genvar g; and #(2, 3) g1 (w[0], w[1], w[2]), (w[3], 1'b1, w[0]);\n"
            " generate for (g = 0; g < 4; g = g + 1) begin : lane sub #(.N(g)) u (.i(w[g]), .o()); end endgenerate\n"
            " initial begin #10.5 w.x = 1; fork -> e; join repeat (3) @(posedge c); wait (k) ; end /* end\n **/\n"
            " specify (a => q) = (1.5, 2); endspecify\n (* keep = 1 *) function automatic [3:0] f(input [3:0] v); f = v << 1 >= 2 ** 3; endfunction\nendmodule"
        ),
        (
            "primitive mux(o, s, a); output o; input s, a; table 0 ? : 1 ; r (01) : ? : - ; endtable endprimitive\n"
            "config c; design lib.top; default liblist a b; endconfig"
        ),
    ],
    "lark": [
        'start: "a" b? | /x[y\\/]+/i -> alias // comment\n\nb: [c ("," c)*] ~ 2..3\n%import common.WS\n%ignore WS\n',
        '?x.2: (A | B)+\nA.3: "a".."z"\n  | B\nt{p, q}: p q\n%declare C D\n',
    ],
}


def grammar_path(name: str) -> Path:
    """Where the grammar of a name lies; the test is skipped where it does not."""
    folder = GRAMMARS
    if name in {"lark", "python"}:
        folder = Path(lark.__file__).parent / "grammars"
    elif name == "verilog":
        folder = Path(__file__).parent
    path = folder / f"{name}.lark"
    if not path.exists():
        pytest.skip(f"no grammar at {path}: the shared data is not here")
    return path


def build(name: str) -> lark.Lark:
    """A real grammar, as Lark builds it."""
    if name == "csv":
        return lark.Lark(CSV, parser="lalr")
    return lark.Lark.open(str(grammar_path(name)), parser="lalr")


GENERAL = "\"'\\/*-+.<>=!?_09aZ \n\té€;:,()[]{}"
"""Characters that edits put in, besides the seeds' own."""


def words(text: str) -> list[str]:
    """A text cut where letters, digits, blanks and signs meet: its tokens, about."""
    found: list[str] = []
    kind = ""
    for x in text:
        now = "a" if x.isalpha() or x == "_" else "0" if x.isdigit() else " " if x.isspace() else x
        if found and now == kind and now in "a0 ":
            found[-1] += x
        else:
            found.append(x)
        kind = now
    return found


def edited(draw: random.Random, name: str) -> str:
    """A seed after one to three edits: a character or a token put in, taken out, or exchanged."""
    text = draw.choice(SEEDS[name])
    letters = "".join(SEEDS[name]) + GENERAL
    for _ in range(draw.randint(1, 3)):
        by_words = draw.random() < 0.5
        units = words(text) if by_words else list(text)
        others = words(draw.choice(SEEDS[name])) if by_words else list(letters)
        at = draw.randrange(len(units) + 1)
        kind = draw.randrange(4)
        if kind == 0:
            units.insert(at, draw.choice(others))
        elif kind == 1:
            del units[at : at + 1]
        elif kind == 2:
            units[at : at + 1] = [draw.choice(others)]
        else:
            units[at : at + 2] = units[at : at + 2][::-1]
        text = "".join(units)
    return text


def segmented(draw: random.Random, vocab: Vocabulary, text: str) -> list[int]:
    """The text in tokens: mostly the longest that fits, as tokenizers about do, else any."""
    numbers = token_numbers(vocab)
    data = text.encode()
    found = []
    at = 0
    while at < len(data):
        fitting = [n for k in range(at + 1, min(len(data), at + 24) + 1) if (n := numbers.get(data[at:k])) is not None]
        found.append(fitting[-1] if draw.random() < 0.8 else draw.choice(fitting))
        at += len(vocab.tokens[found[-1]] or b"")
    return found


@lru_cache(maxsize=1)
def token_numbers(vocab: Vocabulary) -> dict[bytes, int]:
    """The tokens by their bytes."""
    return {token: n for n, token in enumerate(vocab.tokens) if token}
