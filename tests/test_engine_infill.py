"""Infilling: every hole is filled within its tokens, and the whole is accepted, whatever the model says."""

from __future__ import annotations

import ast
import random
from functools import lru_cache

import lark
import numpy as np
import pytest
from holes import cut
from tiny_models import tiny_pair

import syntagma as sg
from syntagma.automata.constraint import Constraint
from syntagma.engine.infill import _Hole, infill, split_holes
from syntagma.engine.model import LanguageModel
from syntagma.engine.residuals import All, Check, Complaint, PythonParses, TextCheck
from syntagma.engine.witness import WholeTexts, shortest_fills, spell
from syntagma.integrations.languages import language

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


class EvenSums(TextCheck):
    """No comments, and an even number of plus signs in each line, which no grammar here says; the complaint names the end of the first bad line."""

    guard_bytes = b""

    def passes(self, text: bytes, *, complete: bool) -> bool:
        """Ask whether there is a complaint."""
        return not complete or self.complaint(text) is None

    def complaint(self, text: bytes) -> Complaint | None:
        """Count the signs."""
        at = 0
        for line in text.splitlines(keepends=True):
            at += len(line)
            if b"#" in line or line.count(b"+") % 2:
                return Complaint("odd", at - 1)
        return None


@lru_cache(maxsize=1)
def python() -> Constraint:
    """Python over bytes."""
    return sg.compile(language("python"), sg.Vocabulary([*(bytes([b]) for b in range(256)), None], eos_ids=[256]))


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


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(
    "text", ["x=a+<HOLE>\n", "x=(a<HOLE>\ny=<HOLE>c+d\n", "x=a+b<HOLE>\ny=<HOLE>\n", "<HOLE>x=((b<HOLE>"]
)
def test_whole_texts_pass_the_check(text: str, temperature: float) -> None:
    """What a random model fills is accepted by the grammar and passes the check, with and without a place in its complaints, alone and among others."""
    model, constraint, parser = setting()
    parts = split_holes(text)
    even = EvenSums()
    for check in (even, Check(lambda text: even.passes(text.encode(), complete=True)), All(even, even)):
        for seed in range(2):
            done = infill(model, parts, constraint, max_new_tokens=10, temperature=temperature, seed=seed, check=check)
            parser.parse(done.text)
            assert even.passes(done.text.encode(), complete=True)
            assert done.n_checks > 0
        fills = shortest_fills(parts, constraint, check=check)
        whole = parts[0] + "".join(a + b for a, b in zip(fills, parts[1:], strict=True))
        assert constraint.accepts(whole)
        assert even.passes(whole.encode(), complete=True)


def test_what_no_filling_passes_is_an_error_that_says_why() -> None:
    """A check that refuses all is named in the error, with its words and the hole that it blames."""
    model, constraint, _ = setting()
    with pytest.raises(sg.Unsatisfiable, match=r"hole 1 and passes the check.*Check refuses the text"):
        infill(model, ["x=", "\n"], constraint, check=Check(lambda _: False))

    class Blaming(EvenSums):
        def complaint(self, text: bytes) -> Complaint | None:
            return Complaint("not this end", len(text))

    with pytest.raises(sg.Unsatisfiable, match=r"hole 2 and passes the check.*not this end"):
        shortest_fills(["x=", "\ny=", "\n"], constraint, check=Blaming())


def test_a_complaint_blames_the_last_hole_that_begins_before_its_place() -> None:
    """The gap to blame follows from the place that a complaint names, for gaps from any one on."""

    class At(TextCheck):
        def __init__(self, at: int | None) -> None:
            self.at = at

        def complaint(self, text: bytes) -> Complaint | None:
            assert text == b"ab" + b"1" + b"cd" + b"22" + b"ef"
            return Complaint("here", self.at)

    texts = [b"cd", b"ef"]
    for at, gap in ((None, -1), (0, -1), (1, -1), (2, 0), (3, 0), (4, 0), (5, 1), (8, 1), (9, 1)):
        judge = WholeTexts(At(at)).judge(texts, b"ab")
        assert judge is not None
        assert judge([b"1", b"22"]) == gap
        later = WholeTexts(At(at)).judge(texts, b"ab1cd", 1)
        assert later is not None
        assert later([b"22"]) == (gap if gap == 1 else -1)


@pytest.mark.parametrize(
    "text",
    [
        "x = '\\x<HOLE>\ny\n",
        "x = f'{a<HOLE>\ny\n",
        "def f(a=1<HOLE>b, c): pass\n",
        "f(a=1, <HOLE>b)\n",
        "f(a)<HOLE>= 1\n",
        "x = b'<HOLE>\u00e9'\n",
        "try:\n    x\n<HOLE>y\n",
        "x = 0<HOLE>7\n",
        "for x in y:\n    z\n    <HOLE>else:\n    w(<HOLE>\n",
    ],
)
def test_python_is_filled_so_that_python_parses_it(text: str) -> None:
    """Where the grammar allows more than Python, the fills are such that Python's own parser takes the whole."""
    parts = split_holes(text)
    fills = shortest_fills(parts, python(), check=PythonParses())
    whole = parts[0] + "".join(a + b for a, b in zip(fills, parts[1:], strict=True))
    ast.parse(whole)
    assert python().accepts(whole)


SOURCE = """
def area(radius, /, units="m", *, exact=False):
    if radius < 0:
        raise ValueError(f"negative: {radius!r}", b"\\x00")
    try:
        x, (y, *z) = radius.pair(1, key=2)
        del x[0], y.a
    except (KeyError, OSError) as error:
        return None
    finally:
        self.total += 0x1F
    with open("a") as f, g:
        return {**units, "value": [a for a in f if not a.b]}
"""


def test_python_with_random_holes_is_filled_so_that_python_parses_it() -> None:
    """Holes of any length at any place of a source, one to three of them."""
    draw = random.Random(4)
    for n in range(6):
        parts = cut(draw, SOURCE, 1 + n % 3)
        fills = shortest_fills(parts, python(), check=PythonParses())
        ast.parse(parts[0] + "".join(a + b for a, b in zip(fills, parts[1:], strict=True)))


def test_where_no_token_of_the_model_leads_on_the_witness_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no witness is found behind any token that the model draws, the fills are those of the first search, token by token."""
    model, constraint, _ = setting()
    parts = split_holes("x=(a+[b<HOLE> c)\ny=<HOLE>]\n")
    fills = shortest_fills(parts, constraint)
    monkeypatch.setattr(_Hole, "_witness_after", lambda *_, **__: None)
    done = infill(model, parts, constraint, max_new_tokens=10, temperature=1.0)
    assert done.fills == fills
    assert done.n_rejected > 0


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
