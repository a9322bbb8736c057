"""The language of regular expressions, against lists by hand and against a JavaScript engine where there is one."""

from __future__ import annotations

import json
import shutil
import subprocess
from random import Random

import pytest

from syntagma.grammar.regular.patterns import ecma_patterns

VALID = [
    "",
    "a|",
    "^$",
    "([abc])+\\s+$",
    "^[A-Za-z_][A-Za-z0-9_.-]*$",
    "[]",
    "[^]",
    "[\\]\\-^-]",
    "(?:a(b(c)?)*){2,}?",
    "(?<year>\\d{4})-(?:\\d\\d)",
    "a(?=b)(?!c)(?<=d)(?<!e)",
    "\\u0041\\u{1F600}\\x41\\cA\\/\\.",
    "[\\u0000-\\uFFFF\\x00-\\x1F]",
    "[一-龥]",
    "\\p{L}\\P{Lu}\\p{gc=Nd}",
    "x{0}y{1,1}z{2,10}w{20,29}",
]
INVALID = [
    "^(abc]",
    ")",
    "(",
    "[",
    "]",
    "{",
    "a{",
    "a{2,1}",
    "a**",
    "+",
    "^*",
    "(?=a)*",
    "\\a",
    "\\_",
    "\\",
    "[b-a]",
    "[\\d-z]",
    "[z-\\w]",
    "\\u{110000}",
    "\\u12",
    "\\x1",
    "\\c1",
    "\\p{Latin1}",
    "\\p",
    "(?P<name>x)",
    "(?#c)a",
    "(?i)abc",
    "(?<1>a)",
    "(?<n>a)(?<n>b)",
    "(?<n>a(?<n>b))",
    "\\1",
    "\\k<n>",
    "\\01",
    "a{1}{2}",
    "(?a)",
]
LEFT_OUT = ["((((a))))", "(a)\\1", "(?<n>a)\\k<n>", "\\0", "(?<a>x)(?<b>y)", "(?=(a))", "[c-d]", "a{23,24}"]


@pytest.mark.parametrize("pattern", VALID)
def test_valid_expressions(pattern: str) -> None:
    """What most expressions are made of is accepted."""
    assert ecma_patterns().accepts(pattern)


@pytest.mark.parametrize("pattern", INVALID)
def test_invalid_expressions(pattern: str) -> None:
    """What ECMA-262 calls a syntax error with the flag ``u`` is not."""
    assert not ecma_patterns().accepts(pattern)


@pytest.mark.parametrize("pattern", LEFT_OUT)
def test_left_out(pattern: str) -> None:
    """These are valid, and left out as the module says; one that is accepted belongs to the valid ones."""
    assert not ecma_patterns().accepts(pattern)


ENGINE = """
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
const valid = text => { try { new RegExp(text, "u"); return true } catch { return false } };
console.log(JSON.stringify(texts.map(valid)));
"""


def judged(texts: list[str]) -> list[bool]:
    """Ask a JavaScript engine."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no JavaScript engine is installed")
    done = subprocess.run([node, "-e", ENGINE], input=json.dumps(texts), capture_output=True, text=True, check=True)
    out: list[bool] = json.loads(done.stdout)
    return out


def test_no_invalid_expression_is_accepted() -> None:
    """Samples of the language, texts near it and the lists by hand are judged by an engine as they are here."""
    language = ecma_patterns()
    rng = Random(5)
    samples = [text for length in (8, 20, 50) for _ in range(400) if (text := language.sample(rng, max_length=length))]
    letters = "ab-z09,{}[]()?:<>=!*+|^$\\.dux p/"
    noise = ["".join(rng.choice(letters) for _ in range(rng.randint(1, 9))) for _ in range(20_000)]
    assert all(judged(samples + VALID + LEFT_OUT))
    assert not any(judged(INVALID))
    verdicts = judged(noise)
    assert [text for text, valid in zip(noise, verdicts, strict=True) if language.accepts(text) and not valid] == []
    found = sum(language.accepts(text) for text in noise)
    assert found > 0.95 * sum(verdicts)
