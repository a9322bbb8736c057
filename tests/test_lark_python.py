"""Python as a constraint: Lark's own grammar with its indenter, on the standard library's files."""

from __future__ import annotations

import random
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import lark
import pytest
from corpus import vocabulary_named
from lark.indenter import PythonIndenter
from lark_seeds import grammar_path

import syntagma as sg
from syntagma.automata.constraint import Constraint

LIBRARY = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))


@lru_cache(maxsize=1)
def python() -> lark.Lark:
    """The grammar of Python that Lark ships."""
    return lark.Lark.open(str(grammar_path("python")), parser="lalr", start="file_input", postlex=PythonIndenter())


@lru_cache(maxsize=2)
def constraint(vocabulary: str) -> Constraint:
    """It, as a constraint."""
    return sg.compile(sg.Lark(python()), vocabulary_named(vocabulary))


def lark_accepts(text: str) -> bool:
    """Whether Lark parses a text; whatever it raises is a rejection (its indenter even has index errors)."""
    try:
        python().parse(text)
    except Exception:  # noqa: BLE001
        return False
    return True


def source(path: Path) -> str:
    """A file's text."""
    return path.read_text(encoding="utf-8", errors="replace")


def edits(draw: random.Random, text: str) -> Iterator[str]:
    """The lines around a random place with a piece deleted, inserted or swapped."""
    lines = text.splitlines(keepends=True)
    at = draw.randrange(len(lines))
    begin = max((i for i in range(at + 1) if not lines[i][0].isspace()), default=0)
    part = "".join(lines[begin : at + 12])
    place = draw.randrange(len(part))
    piece = draw.choice(
        ["", "(", ")", ":", "\n", "    ", " ", '"', "'", "=", "if ", "\t", "#", "\\\n", "else:", "x", "1e", "."]
    )
    yield part
    yield part[:place] + piece + part[place + draw.choice([0, 0, 1, 4]) :]
    other = draw.randrange(len(part))
    low, high = sorted((place, other))
    yield part[:low] + part[high : high + 1] + part[low + 1 : high] + part[low : low + 1] + part[high + 1 :]


def compare(files: list[Path], seed: int) -> tuple[int, int]:
    """Whole files and edited parts of them are accepted iff Lark parses them; returns how many are, and how many are not."""
    draw = random.Random(seed)
    counts = [0, 0]
    for path in files:
        text = source(path)
        for candidate in (text, *edits(draw, text)):
            accepted = constraint("small").accepts(candidate)
            assert accepted == lark_accepts(candidate), (path.name, candidate[:2000])
            counts[accepted] += 1
    return counts[1], counts[0]


def test_library_files_and_edits_of_them() -> None:
    """A few files of the standard library, and parts of them with an edit, are accepted iff Lark parses them."""
    accepted, rejected = compare([p for p in LIBRARY if p.stat().st_size < 12_000][:25], 1)
    assert accepted > 30
    assert rejected > 10


@pytest.mark.slow
def test_more_library_files_and_edits_of_them() -> None:
    """At least 300 files of the standard library, packages included, and parts of them with an edit."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(p for p in root.rglob("*.py") if "site-packages" not in p.parts and 0 < p.stat().st_size < 60_000)
    draw = random.Random(5)
    accepted, rejected = compare(draw.sample(files, 320), 2)
    assert accepted > 400
    assert rejected > 100


def test_tokens_of_a_file_are_allowed_one_after_the_other() -> None:
    """A real tokenizer's own tokens of a file are in the masks on the way, and every prefix is alive."""
    c = constraint("smollm2")
    text = source(next(p for p in LIBRARY if 3_000 < p.stat().st_size < 5_000))
    with c.session() as session:
        state = session.start
        for token in c.vocab.encode(text):
            row = session.mask(state)
            assert row[token >> 5] >> (token & 31) & 1, c.vocab.tokens[token]
            state = session.advance(state, token)
        assert session.is_accepting(state) == lark_accepts(text)


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "x = (",
        "def f(a, b",
        "if x:",
        "if x:\n",
        "if x:\n  ",
        "if x:\n  y\n ",
        "class A:\n    def f(self):\n        return [",
        "try:\n    x",
        "try:\n    x\n",
        'x = """a',
        "x = f'",
        "for i in range(10):\n\tpass\nels",
        "while True:\n  if x:\n    break # ",
        "@a",
        "x = 1 if 1e",
        "match x:\n  case ",
        "lambda",
    ],
)
def test_prefixes_are_completed(prefix: str) -> None:
    """The bound of a prefix leads down, byte by byte, to a text that Lark parses."""
    c = constraint("small")
    with c.session() as session:
        state = session.advance_bytes(session.start, prefix.encode())
        assert state
        rest = b""
        bound = session.finish_bound(state)
        assert bound < 1 << 40
        while bound:
            after = {b: session.advance_bytes(state, bytes([b])) for b in range(128)}
            costs = {b: session.finish_bound(target) for b, target in after.items() if target}
            byte = min(costs, key=costs.__getitem__)
            assert costs[byte] < bound, (prefix, rest)
            rest += bytes([byte])
            state, bound = after[byte], costs[byte]
    assert lark_accepts(prefix + rest.decode()), rest
