"""Rows and parts of rows that are kept for parsers: what was met before never changes what a mask is."""

from __future__ import annotations

import random

import lark
import numpy as np
import pytest
from lark.indenter import PythonIndenter
from lark_seeds import grammar_path
from sizes import size

import syntagma as sg
from syntagma.automata import layout as lay
from syntagma.automata.constraint import Constraint
from syntagma.automata.memo import MM_WIDTH, TAG_NODE, TAG_ROOT

pytestmark = pytest.mark.kernel

ARITHMETIC = """
start: sum
sum: product | sum ("+" | "-") product
product: atom | product "*" atom
atom: NAME | "-" atom | "(" sum ("," sum)* ")" | "[" [sum ("," sum)*] "]"
NAME: /[a-z]+/
%ignore " "
"""
CROSSING = [
    *("((", "))", ")))", "([", "])", "--", "---", "-(", ")+", "a+", " + b", "ab", "a)", ", ", ",a", "),(", "]]", "[]", "[-"),
    *("):\n", "\n    ", "\n\n", "\n        ", " = ", "x = ", "if ", "else:", "else", "def f(", ":\n", "    ", "'", '"""', "#", "return", " (", "(x", "()\n"),
]  # fmt: skip
PROGRAM = """if x:
    y = f(a, [b, (c)], -d)
    if z:
        return
    else:
        pass
x = (
    a,
  b)
"""


def vocabulary() -> sg.Vocabulary:
    """Printable bytes and tokens that run over several lexemes."""
    tokens: list[bytes | None] = [bytes([b]) for b in (9, 10, *range(32, 127))]
    tokens += [x.encode() for x in CROSSING]
    return sg.Vocabulary([*tokens, None], eos_ids=[len(tokens)])


def source(name: str) -> sg.Lark:
    """Arithmetic, or Python with its indenter."""
    if name == "arithmetic":
        return sg.Lark(ARITHMETIC)
    path = grammar_path("python")
    return sg.Lark(lark.Lark.open(str(path), parser="lalr", start="file_input", postlex=PythonIndenter()))


def walks(draw: random.Random, constraint: Constraint, count: int, length: int) -> list[list[int]]:
    """Random sequences of tokens; those for Python begin with part of a program."""
    found = []
    vocab = constraint.vocab
    for _ in range(count):
        state, tokens = constraint.start, []
        if "Python" in constraint.report.dialect or constraint.accepts(PROGRAM):
            for byte in PROGRAM[: draw.randrange(len(PROGRAM))].encode():
                tokens.append(vocab.tokens.index(bytes([byte])))
                state = constraint.advance(state, tokens[-1])
        for _ in range(length):
            row = np.flatnonzero(np.unpackbits(constraint.mask(state).view(np.uint8), bitorder="little"))
            texts = [t for t in row.tolist() if vocab.tokens[t] is not None]
            if not texts:
                break
            longer = [t for t in texts if len(vocab.tokens[t] or b"") > 1]
            tokens.append(draw.choice(longer if longer and draw.random() < 0.7 else texts))
            state = constraint.advance(state, tokens[-1])
        found.append(tokens)
    return found


def kept(constraint: Constraint, tag: int) -> int:
    """How many trees of rows there are."""
    table = constraint.store.arena.a[lay.MM : lay.MM + lay.CAP_MM : MM_WIDTH]
    return int(np.count_nonzero(table & 15 == tag))


@pytest.mark.parametrize("name", ["arithmetic", "python"])
def test_masks_do_not_hang_on_what_was_met_before(name: str) -> None:
    """Masks along walks are the tokens that can be advanced over, and the same from a store that met other texts in another order."""
    draw = random.Random(name)
    one, other = (sg.compile(source(name), vocabulary()) for _ in range(2))
    paths = walks(draw, one, size(60, plain=4), size(25, plain=8))
    met: dict[tuple[int, ...], np.ndarray] = {}
    for path in paths:
        state = one.start
        for n, token in enumerate(path):
            row = one.mask(state)
            texts = [t for t in range(one.vocab.size) if one.advance(state, t)]
            assert np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist() == texts
            met[tuple(path[:n])] = row
            state = one.advance(state, token)
    prefixes = list(met)
    draw.shuffle(prefixes)
    for prefix in prefixes:
        state = other.advance_tokens(other.start, prefix)
        np.testing.assert_array_equal(other.mask(state), met[prefix])
    assert kept(one, TAG_ROOT) > 5
    assert kept(one, TAG_NODE) > 5
