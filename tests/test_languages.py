"""Languages by name: what Lark's grammar of Python lets through and Python never does is taken out, and nothing else."""

from __future__ import annotations

import ast
import random
import sysconfig
from functools import lru_cache
from pathlib import Path

import lark
import pytest
from lark.indenter import PythonIndenter

import syntagma as sg
from syntagma.automata.constraint import Constraint
from syntagma.integrations import languages
from syntagma.integrations.languages import check_of, language, published_grammar, python_grammar

LIBRARY = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))

SNIPPETS = (
    "f(a, *b, c=1, **d)\n",
    "class A(B, metaclass=C):\n    x = y if z else not w\n",
    "for i in range(3):\n    if i is not None and x not in y:\n        yield i\n",
    "async def f():\n    await g(x for x in y)\n    return lambda a, b=1: a\n",
    "from a.b import c as d\nprint(f'{x}', r'\\d', match, case)\n",
    "x = 1if y else 2\nassert x, 'no'\nif(x)and(y):pass\n",
)


@lru_cache(maxsize=1)
def byte_vocabulary() -> sg.Vocabulary:
    """A token for every byte."""
    return sg.Vocabulary([*(bytes([b]) for b in range(256)), None], eos_ids=[256])


@lru_cache(maxsize=1)
def python() -> Constraint:
    """The language, compiled."""
    return sg.compile(language("python"), byte_vocabulary())


@lru_cache(maxsize=2)
def larks(*, published: bool) -> lark.Lark:
    """Lark's parser of the grammar as it comes with the package, or as it is used here."""
    text = published_grammar().read_text(encoding="utf-8") if published else python_grammar()
    return lark.Lark(text, parser="lalr", start="file_input", postlex=PythonIndenter())


def parses(text: str, *, published: bool) -> bool:
    """Whether Lark takes a text."""
    try:
        larks(published=published).parse(text)
    except Exception:  # noqa: BLE001 - whatever it raises is a rejection
        return False
    return True


def is_python(text: str) -> bool:
    """Whether Python's own parser takes a text."""
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        "x in y\n",
        "x inside\n",
        "x = in\n",
        "x.None\n",
        "f(pass)\n",
        "import osas\n",
        "from x importy\n",
        "classx: pass\n",
        "if xor y: pass\n",
        "x = Nonex\n",
        "async = 1\n",
        "x <> y\n",
        "f(a=1, b)\n",
        "f(a=1, *b)\n",
        "f(**a, *b)\n",
        "f(**a, b=1, **c,)\n",
        "f(1=2)\n",
        "f(a.b=2)\n",
        "f(*a, b, *c, d=1, *e, **f)\n",
        "f(a := 1, b)\n",
        "f(,)\n",
        "class A(x=1, y): pass\n",
        'x = r"a" u"c"\n',
        "match = case = _\n",
        "from a import b,\n",
        "from a import (b,)\n",
        "from a import (b, c as d)\n",
        "from a import b, c as d\n",
        "from a import *\n",
        "from a import (,)\n",
    ],
)
def test_keywords_and_arguments_are_pythons(text: str) -> None:
    """Keywords are whole words and no names, arguments come in Python's order: exactly as Python's own parser has it."""
    assert python().accepts(text) == is_python(text)


def test_it_is_larks_language_of_the_edited_text_and_a_part_of_the_published_one() -> None:
    """On texts with random edits the constraint agrees with Lark on the edited grammar, and what that takes the published grammar takes."""
    draw = random.Random(2)
    words = ["in", "is ", "as", "not", "x", " ", "=", ",", "*", "None", "**", '"', ")", "(", "if", "\n", "lambda"]
    taken = 0
    for _ in range(250):
        text = draw.choice(SNIPPETS)
        for _ in range(draw.randrange(1, 3)):
            begin = draw.randrange(len(text))
            text = text[:begin] + draw.choice(words) + text[begin + draw.randrange(3) :]
        text = text.rstrip("\n") + "\n"
        accepted = python().accepts(text)
        assert accepted == parses(text, published=False), text
        assert not accepted or parses(text, published=True), text
        taken += accepted
    assert 20 < taken < 230


@pytest.mark.parametrize("part", range(4))
def test_no_file_of_the_library_is_lost(part: int) -> None:
    """What the published grammar and Python take of the standard library, the language takes as well."""
    n = 0
    for path in LIBRARY[part::20]:
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.stat().st_size < 20_000 and is_python(text) and parses(text, published=True):
            assert python().accepts(text), path.name
            n += 1
    assert n


def test_another_grammar_of_python_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the file of the lark package is not the one that the edits are made for, that is an error that names it."""
    other = tmp_path / "python.lark"
    other.write_text(published_grammar().read_text(encoding="utf-8").replace("arguments:", "args:"), encoding="utf-8")
    monkeypatch.setattr(languages, "published_grammar", lambda: other)
    with pytest.raises(sg.InvalidSource, match="has changed"):
        python_grammar.__wrapped__()


def test_only_python_has_a_check() -> None:
    """Python's check is its own parser, which knows more than the grammar; a grammar in a file has none."""
    check = check_of("python")
    assert check is not None
    assert not check.passes(b"f() = 1\n", complete=True)
    assert python().accepts("f() = 1\n")
    assert check_of("query.lark") is None
