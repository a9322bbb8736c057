"""The machine on the tables of Lark grammars: masks, acceptance and bounds against the reference recogniser and Lark itself."""

from __future__ import annotations

import itertools
import random
from functools import lru_cache
from typing import Any

import lark
import lark_random
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lark_reference import IndentedRecogniser, Recogniser
from lark_toys import INDENTED, TOYS, Brackets
from lark_verdict import lark_accepts, vocabulary_with
from sizes import size

import syntagma as sg
from syntagma.automata.bounds import UNREACHABLE
from syntagma.automata.conformance import check_constraint
from syntagma.automata.constraint import Constraint
from syntagma.grammar.lark.scanner import tables

pytestmark = pytest.mark.kernel


@lru_cache(maxsize=8)
def toy(name: str) -> tuple[lark.Lark, Constraint, Recogniser | IndentedRecogniser]:
    """A toy built by Lark, as a constraint whose tokens cross the toy's terminals, and as a reference recogniser."""
    case = {**TOYS, **INDENTED}[name]
    built = lark.Lark(case.grammar, parser="lalr", postlex=Brackets() if name in INDENTED else None)
    longer = ["".join(x) for n in (2, 3) for x in itertools.product(case.alphabet[:5], repeat=n)]
    recogniser = IndentedRecogniser if name in INDENTED else Recogniser
    return built, sg.compile(sg.Lark(built), vocabulary_with(longer)), recogniser(tables(built))


def allowed(constraint: Constraint, state: int) -> list[int]:
    """The tokens of a mask."""
    return np.flatnonzero(np.unpackbits(constraint.mask(state).view(np.uint8), bitorder="little")).tolist()


def walk(draw: random.Random, constraint: Constraint, recogniser: Recogniser | IndentedRecogniser, length: int) -> None:
    """A random walk: every mask is what advancing token by token says, and never more than the reference allows."""
    tokens = constraint.vocab.tokens
    state = constraint.start
    here: Any = recogniser.start

    def after(configurations: Any, token: int) -> Any:
        if isinstance(recogniser, IndentedRecogniser):  # it reads characters
            return recogniser.steps(configurations, (tokens[token] or b"").decode())
        for byte in tokens[token] or b"":
            configurations = recogniser.step(configurations, byte)
        return configurations

    for _ in range(length):
        row = allowed(constraint, state)
        assert row == [t for t in range(constraint.vocab.size) if constraint.advance(state, t)]
        assert constraint.is_accepting(state) == recogniser.may_end(here)
        texts = [t for t in row if tokens[t] is not None]
        if isinstance(recogniser, IndentedRecogniser):
            texts = [t for t in texts if (tokens[t] or b"").isascii()]
        for token in draw.sample(texts, min(len(texts), 12)):
            assert after(here, token), tokens[token]
        if not texts:
            return
        longer = [t for t in texts if t >= 256]
        token = draw.choice(longer if longer and draw.random() < 0.6 else texts)
        here = after(here, token)
        state = constraint.advance(state, token)


@pytest.mark.parametrize("name", [*TOYS, *INDENTED])
def test_masks_of_toys(name: str) -> None:
    """Masks of toys agree with advancing, and acceptance with the reference."""
    _, constraint, recogniser = toy(name)
    for seed in range(size(20, plain=1)):
        walk(random.Random(seed), constraint, recogniser, size(10, plain=4))


@pytest.mark.parametrize("name", [*TOYS, *INDENTED])
def test_toys_accept_what_lark_parses(name: str) -> None:
    """All short texts over a toy's characters are accepted iff Lark parses them."""
    built, constraint, _ = toy(name)
    alphabet = {**TOYS, **INDENTED}[name].alphabet
    for length in range(size(4, plain=3)):
        for letters in itertools.product(alphabet, repeat=length):
            text = "".join(letters)
            assert constraint.accepts(text) == lark_accepts(built, text), text


@given(st.randoms(use_true_random=False))
def test_masks_of_random_grammars(draw: random.Random) -> None:
    """Masks of random grammars with overlapping terminals, look-around and priorities agree with advancing and the reference."""
    grammar = lark_random.grammar(draw)
    try:
        built = lark.Lark(grammar, parser="lalr")
        found = tables(built)
    except (lark.exceptions.LarkError, sg.SyntagmaError):
        assume(False)
        return
    try:
        constraint = sg.compile(sg.Lark(built), vocabulary_with(["ab", "bc", "a.", "\n-", "aé", "ca"]))
    except sg.Unsatisfiable:
        return
    walk(draw, constraint, Recogniser(found), 6)


def finish(constraint: Constraint, state: int) -> bytes:
    """Complete a text by single bytes that each lower the bound."""
    text = b""
    bound = constraint.finish_bound(state)
    while bound:
        assert bound < UNREACHABLE
        after = {byte: constraint.advance(state, byte) for byte in allowed(constraint, state) if byte < 256}
        costs = {byte: constraint.finish_bound(target) for byte, target in after.items()}
        byte = min(costs, key=costs.__getitem__)
        assert costs[byte] < bound
        text += bytes([byte])
        state, bound = after[byte], costs[byte]
    assert constraint.is_accepting(state)
    return text


@pytest.mark.parametrize(
    "name",
    [
        "blocks",
        "comments belong to newlines",
        "a newline begins with other characters",
        "blanks come before a newline",
    ],
)
def test_bounds_with_an_indenter(name: str) -> None:
    """Along random walks the bound leads down to a text that Lark parses, over blanks, indents and dedents, and out of characters."""
    built, constraint, _ = toy(name)
    for seed in range(size(12, plain=2)):
        draw = random.Random(seed)
        state, data = constraint.start, b""
        for _ in range(size(6, plain=3)):
            token = draw.choice([t for t in allowed(constraint, state) if constraint.vocab.tokens[t] is not None])
            data += constraint.vocab.tokens[token] or b""
            state = constraint.advance(state, token)
        rest = finish(constraint, state)
        assert lark_accepts(built, (data + rest).decode()), (data, rest)


def seeds() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Grammars with separators between their lexemes, and prefixes of their texts."""
    return {
        "expression": (
            r"""
            start: e
            ?e: e "+" t | t
            ?t: t "*" f | f
            ?f: NAME | NUM | "(" e ")" | "if" f "else" f
            NAME: /[a-z]+/
            NUM: /\d+(\.\d+)?/
            %ignore /[ ]+/
            """,
            (
                "",
                "a",
                "(a",
                "(a+",
                "((b*c",
                "i",
                "if",
                "if ",
                "ifx",
                "if a els",
                "if a e",
                "1.",
                "1.5",
                "(1.",
                "if (a) else ((b",
            ),
        ),
        "list": (
            r"""
            start: "[" (item ("," item)*)? "]"
            item: start | WORD | STRING
            WORD: /\w+/
            STRING: /"(?:[^"\\]|\\.)*"/
            %ignore /\s+/
            """,
            ("", "[", "[[", "[a", "[a,", '["', '["x\\', '["é', "[[a,b],", "[a ,"),
        ),
    }


@pytest.mark.parametrize("name", seeds())
def test_bounds_lead_to_texts_that_lark_parses(name: str) -> None:
    """From every prefix the bound leads down to a complete text, in as many bytes as it says at most."""
    grammar, prefixes = seeds()[name]
    built = lark.Lark(grammar, parser="lalr")
    constraint = sg.compile(sg.Lark(built), vocabulary_with(["if", "(a", ") ", "],", '"x']))
    for prefix in prefixes:
        data = prefix.encode()
        state = constraint.advance_bytes(constraint.start, data)
        assert state, prefix
        rest = finish(constraint, state)
        assert len(rest) <= constraint.finish_bound(state)
        assert lark_accepts(built, (data + rest).decode()), (prefix, rest)


def without(missing: bytes) -> sg.Vocabulary:
    """Single bytes but for some, which no token spells."""
    tokens: list[bytes | None] = [bytes([b]) for b in range(256) if b not in missing]
    return sg.Vocabulary([*tokens, b"((", None], eos_ids=[len(tokens) + 1])


def test_bytes_that_no_token_spells_lead_nowhere() -> None:
    """Where a terminal cannot be spelled, nothing that would need it is allowed; a terminal with other texts keeps those."""
    grammar = 'start: "(" start ")" | "[" start "]" | NAME\nNAME: /[a-c]+/\n%ignore " "'
    whole = sg.compile(sg.Lark(grammar), without(b""))
    assert whole.advance_bytes(whole.start, b"[(a")
    constraint = sg.compile(sg.Lark(grammar), without(b")c"))
    assert constraint.advance_bytes(constraint.start, b"[ [ab")
    assert not constraint.advance_bytes(constraint.start, b"[(")
    assert constraint.advance_bytes(constraint.start, b"ab")
    assert not constraint.advance_bytes(constraint.start, b"(")
    row = allowed(constraint, constraint.start)
    assert b"((" not in [constraint.vocab.tokens[t] for t in row]
    assert row == [t for t in range(constraint.vocab.size) if constraint.advance(constraint.start, t)]
    assert constraint.accepts("[a]")
    with pytest.raises(sg.Unsatisfiable):
        sg.compile(sg.Lark('start: "a" ")"'), without(b")"))


@pytest.mark.parametrize("name", seeds())
def test_the_laws_of_constraints(name: str) -> None:
    """The shipped conformance function holds for grammars with a lexer, budgets included."""
    grammar, _ = seeds()[name]
    constraint = sg.compile(sg.Lark(grammar), vocabulary_with(["if", "(a", ") ", "],", '"x']))
    check_constraint(constraint, texts=["(a+b)*c", '[a,["x"]]'], steps=size(12, plain=3))


@pytest.mark.parametrize("kind", ["sequence", "union"])
def test_bounds_of_texts_before_and_beside_a_parser(kind: str) -> None:
    """What stands before a Lark grammar, or is another choice, knows what the grammar's own texts cost."""
    grammar = sg.Lark(seeds()["expression"][0])
    whole = sg.Sequence(sg.Text("x: "), grammar) if kind == "sequence" else sg.Union(sg.Text("xyz"), grammar)
    constraint = sg.compile(whole, vocabulary_with(["x: ", "(a", ": ("]))
    assert constraint.report.budget == "bound"
    for prefix in ("", "x", "x: (" if kind == "sequence" else "((a"):
        state = constraint.advance_bytes(constraint.start, prefix.encode())
        assert constraint.accepts(prefix.encode() + finish(constraint, state))
    check_constraint(constraint, texts=["x: (a)", "xyz", "(a+b)"], steps=size(12, plain=3))
