"""Infilling: every hole is filled within its tokens, and the whole is accepted, whatever the model says."""

from __future__ import annotations

from functools import lru_cache

import lark
import numpy as np
import pytest
from tiny_models import tiny_pair

import syntagma as sg
from syntagma.automata.constraint import Constraint
from syntagma.engine.infill import infill, split_holes
from syntagma.engine.model import LanguageModel
from syntagma.engine.witness import spell

GRAMMAR = """
start: (line "\\n")*
line: NAME "=" sum
sum: atom ("+" atom)*
atom: NAME | NUMBER | "(" sum ")" | "[" [sum ("," sum)*] "]"
NAME: /[a-z]+/
NUMBER: /[0-9]+/
%ignore " "
COMMENT: /#[^\\n]*/
%ignore COMMENT
"""


@lru_cache(maxsize=1)
def setting() -> tuple[LanguageModel, Constraint, lark.Lark]:
    """A random model, the constraint, and Lark's parser."""
    model = LanguageModel(*tiny_pair())
    return model, sg.compile(sg.Lark(GRAMMAR), model.vocab), lark.Lark(GRAMMAR, parser="lalr")


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(
    "text",
    [
        "x=<HOLE>\n",
        "x=(a+[b<HOLE> c)\ny=<HOLE>]\n",
        "<HOLE>",
        "x=1<HOLE>2\n",
        "x=<HOLE>)\n",
        "x=1 # no<HOLE>te\n",
    ],
)
def test_whole_texts_parse(text: str, temperature: float) -> None:
    """A random model's holes make a text that Lark parses, in which every fixed part stands, with at most so many tokens a hole."""
    model, constraint, parser = setting()
    parts = split_holes(text)
    for seed in range(3):
        done = infill(model, parts, constraint, max_new_tokens=8, temperature=temperature, seed=seed)
        parser.parse(done.text)
        assert constraint.accepts(done.text)
        assert done.text == parts[0] + "".join(a + b for a, b in zip(done.fills, parts[1:], strict=True))
        assert all(len(tokens) <= 8 for tokens in done.tokens)


def test_the_least_budget_is_enough() -> None:
    """With just the tokens that a witness takes the witness is written; with fewer the error says how many are enough."""
    model, constraint, parser = setting()
    parts = ["x=(a+[b", " c)\n"]
    with pytest.raises(sg.BudgetTooSmall) as caught:
        infill(model, parts, constraint, max_new_tokens=0)
    done = infill(model, parts, constraint, max_new_tokens=caught.value.needed)
    parser.parse(done.text)
    assert len(done.tokens[0]) <= caught.value.needed


def test_what_cannot_be_filled_is_an_error_that_names_the_hole() -> None:
    """No text makes a member of a text that ends in what is never allowed."""
    model, constraint, _ = setting()
    with pytest.raises(sg.Unsatisfiable, match="hole 1"):
        infill(model, ["x=", "\n!\n"], constraint)
    with pytest.raises(sg.InvalidSource, match="no hole"):
        split_holes("x=1\n")
    with pytest.raises(sg.InvalidSource, match="budgets"):
        infill(model, ["x=", "\n"], constraint, max_new_tokens=[1, 2])
    with pytest.raises(sg.Unsupported):
        infill(model, ["a", "b"], sg.compile(sg.Regex("ab*"), model.vocab))


def test_the_same_seed_gives_the_same_text() -> None:
    """Draws depend on the seed alone."""
    model, constraint, _ = setting()
    parts = split_holes("x=<HOLE>+<HOLE>\n")
    texts = [
        infill(model, parts, constraint, max_new_tokens=6, temperature=2.0, seed=seed).text for seed in (1, 1, 2, 3)
    ]
    assert texts[0] == texts[1]
    assert len(set(texts)) > 1


def test_spellings_are_shortest() -> None:
    """A text is spelled by as few tokens as by trying all."""
    vocab = sg.Vocabulary([b"a", b"b", b"ab", b"aba", b"bab", None], eos_ids=[5])
    rng = np.random.default_rng(0)
    for _ in range(50):
        text = bytes(rng.choice(list(b"ab"), size=rng.integers(0, 7)).tolist())
        least = {b"": 0}
        for end in range(1, len(text) + 1):
            ways = [least[text[:i]] + 1 for i in range(end) if text[i:end] in {b"a", b"b", b"ab", b"aba", b"bab"}]
            least[text[:end]] = min(ways)
        tokens = spell(vocab, text)
        assert b"".join(vocab.tokens[t] or b"" for t in tokens) == text
        assert len(tokens) == least[text]
    with pytest.raises(sg.Unsatisfiable):
        spell(vocab, b"c")
