"""Grammars as people write them: those of transformers-CFG with texts, long texts, and another reader of GBNF."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import syntagma as sg

GRAMMARS = Path(__file__).resolve().parents[2] / "shared" / "data" / "grammars" / "ebnf"
EOS = 256

SAMPLES: dict[str, tuple[list[str], list[str]]] = {
    "arithmetic": (
        ["a = 1\n", "a+b*c=3\n", "x1 -(y /2) = z\n12=12\n", "( a\t+1 )= 7 \n", "a= \n b\n"],
        ["", "a = 1", "a == 1\n", "1a = 1\n", "(a = 1\n", "a = 1 + 2\n", "A=1\n", " a=1\n"],
    ),
    "blocks": (
        ["(put-down a)", "(unstack a b)", "(pick-up-and-stack c d) (unstack-and-stack a b c)"],
        ["", "(put-down f)", "(put-down a b)", "(stack a b)", "(put-down a)  (pick-up b)", "(unstack a b"],
    ),
    "c": (
        [
            "int f(){}", "", "float f(int a){return a;}", "char f(){return  1+2*x;}", "int f(){//note\n}",
            "int f(){/* a * b */}", "int f(){while(a<b){g (1, 2);}}", "int f(){if(a==b){}else{x = -1;}}",
            "int f(){for(i = 0; i<n; i = i+1){}}",
        ],
        [
            "int", "f(){}", "int f(){return;}", "int f(){x=1;}", "int f(){if(a){}}", "int 1f(){}", "int f(){return 1}",
            "int f(){/* a **/", "int f(){else{}}", "intf(){}",
        ],
    ),
    "chess": (
        ["1. e4 e5\n2. Nf3 Nc6\n", "1. d4 d5\n2. cxd5 Qxd5\n13. O-O O-O-O\n", "1. e8=Q# Nbd7+\n9. R1xa3 axb1=N\n"],
        ["", "1. e4 e5\n", "1. e4 e5\n2. Nf3\n", "2. e4 e5\n2. e4 e5\n", "1. e9 e5\n2. a1 a1\n", "1. e4 e5\n100. a1 a1\n"],
    ),
    "generic": (
        ["C", "CC(=O)O", "c1ccccc1", "C[C@@H](N)C(=O)O", "[13CH4]", "[Na+].[Cl-]", "C%12CC%12", "N#N", "[se]", "F/C=C/F", "*"],
        ["", "(C)", "C(", "C)", "C==C", "Xx", "[C", "C%1", "[]", "C-", "[Na++-]"],
    ),
    "json_arr": (
        ["[\n]", "[\n1]", '[\n"a"]', "[\n1,\n2.5e-3,\n[true, null]]", '[\n{"a": [1]}]', "[\n -0]", "[\n{}\n]"],
        ["", "[]", "[1]", "[\n01]", '[\n"a]', "[\n1,2]", "[\n1,\n]", '[\n{"a":}]', '[\n"\\n"]'],
    ),
}  # fmt: skip
"""Grammar to texts that are in its language, and texts that are not."""

needs_files = pytest.mark.skipif(not GRAMMARS.exists(), reason="the shared data is not here")


@pytest.fixture(scope="module")
def bytewise() -> sg.Vocabulary:
    """Every byte as a token."""
    return sg.Vocabulary([*(bytes([b]) for b in range(256)), None], eos_ids=[EOS])


@needs_files
def test_every_grammar_has_samples() -> None:
    """No file is left out below."""
    assert {path.stem for path in GRAMMARS.glob("*.ebnf")} == set(SAMPLES)


@needs_files
@pytest.mark.parametrize("kind", ["gbnf", "ebnf"])
@pytest.mark.parametrize("name", SAMPLES)
def test_grammars_of_the_wild(name: str, kind: str, bytewise: sg.Vocabulary) -> None:
    """They compile as GBNF and as EBNF, whose dialect is found; members are accepted, others are not."""
    path = GRAMMARS / f"{name}.ebnf"
    constraint = sg.compile(sg.Gbnf(path) if kind == "gbnf" else sg.Ebnf(str(path)), bytewise)
    assert constraint.report.dialect.split()[0] == ("gbnf" if kind == "gbnf" else "xgrammar")
    inside, outside = SAMPLES[name]
    assert [text for text in inside if not constraint.accepts(text)] == []
    assert [text for text in outside if constraint.accepts(text)] == []
    assert {entry.status for entry in constraint.report.entries} == {"exact"}
    assert constraint.report.sound
    assert constraint.report.complete
    assert constraint.report.live


@pytest.fixture(scope="module")
def peer() -> Any:
    """A tokenizer of llguidance with every byte as a token."""
    llguidance = pytest.importorskip("llguidance", reason="llguidance is not installed")

    class Bytes:
        eos_token_id = EOS
        bos_token_id = None
        tokens = [bytes([b]) for b in range(256)] + [b"<eos>"]
        special_token_ids = [EOS]  # noqa: RUF012

        def __call__(self, text: bytes | str) -> list[int]:
            return list(text.encode() if isinstance(text, str) else text)

    return llguidance.LLTokenizer(llguidance.TokenizerWrapper(Bytes()))


SCANNERLESS = ("blocks", "chess", "json_arr", "generic")
"""Grammars without two regular rules side by side whose texts can be cut in several ways: llguidance reads regular rules as
terminals of a lexer, and takes the longest text that one has."""


@needs_files
@pytest.mark.parametrize("name", SCANNERLESS)
def test_llguidance_reads_the_same_language(name: str, bytewise: sg.Vocabulary, peer: Any) -> None:
    """Samples, and samples with one letter changed, are accepted by both readers of GBNF or by none."""
    from llguidance import LLMatcher
    from llguidance.gbnf_to_lark import gbnf_to_lark

    text = (GRAMMARS / f"{name}.ebnf").read_text(encoding="utf-8")
    constraint = sg.compile(sg.Gbnf(text), bytewise)
    matcher = LLMatcher(peer, gbnf_to_lark(text))
    assert not matcher.get_error()
    rng = random.Random(name)
    inside, outside = SAMPLES[name]
    letters = "".join(sorted({x for sample in inside for x in sample}))
    differ = []
    for sample in (inside + outside) * 12:
        at = rng.randrange(len(sample) + 1)
        for changed in (sample, sample[:at] + sample[at + 1 :], sample[:at] + rng.choice(letters) + sample[at:]):
            matcher.reset()
            tokens = list(changed.encode())
            theirs = matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()
            if theirs != constraint.accepts(changed):
                differ.append(changed)
    assert differ == []


LONG = 100_000

DEEP: dict[str, tuple[str, bytes]] = {
    "right recursion": ('root ::= "a" root | "b"', b"a" * LONG + b"b"),
    "left recursion": ('root ::= root "a" | "b"', b"b" + b"a" * LONG),
    "hidden left recursion": ('root ::= n root "a" | "b"\nn ::= "c"?', b"b" + b"a" * LONG),
    "nesting": ('root ::= "(" root ")" | "x"', b"(" * (LONG // 2) + b"x" + b")" * (LONG // 2)),
    "ambiguous nesting": ('root ::= "a" root "b" | "a" root | ""', b"a" * (LONG // 2) + b"b" * (LONG // 2)),
    "everything": ('root ::= root root | "a" | ""', b"a" * LONG),
    "a counter": ('root ::= "x"{0,1000000}', b"x" * LONG),
    "nested counters": ("root ::= ([0-9]{1,1000} [,;]){1,1000000}", b"1234567," * (LONG // 8)),
    "counted calls": ('root ::= v{1,1000000}\nv ::= "(" v{0,5000} ")" | [a-z]', b"(ab)()c((z))" * (LONG // 120)),
}


@pytest.mark.parametrize("name", DEEP)
def test_long_texts_take_memory_in_proportion(name: str, bytewise: sg.Vocabulary) -> None:
    """A text of up to 100,000 bytes, nested or not, is read in memory of 2,000 bytes for each at most; changed at its end, it is not a member."""
    grammar, text = DEEP[name]
    constraint = sg.compile(sg.Gbnf(grammar), bytewise, scope_cap=2000 * LONG)
    assert constraint.accepts(text)
    assert not constraint.accepts(text[:-1] + b"!")


@pytest.mark.parametrize(("count", "inside"), [(999_999, True), (1_000_000, True), (1_000_001, False)])
def test_a_million_is_counted_exactly(count: int, inside: bool, bytewise: sg.Vocabulary) -> None:
    """``x{0,1000000}`` is two rules, and ends where it says."""
    source = sg.Gbnf('root ::= "x"{0,1000000}')
    assert len(source.lower().grammar.rules) == 2
    assert sg.compile(source, bytewise).accepts(b"x" * count) is inside
