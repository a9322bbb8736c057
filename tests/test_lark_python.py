"""Python as a constraint: Lark's own grammar with its indenter, on the standard library's files."""

from __future__ import annotations

import random
import sysconfig
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import lark
import numpy as np
import pytest
from corpus_vocabularies import vocabulary_named
from lark.indenter import PythonIndenter
from lark_seeds import grammar_path

import syntagma as sg
from syntagma.automata.bounds import UNREACHABLE
from syntagma.automata.constraint import Constraint, Session

LIBRARY = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))


@lru_cache(maxsize=1)
def library() -> list[Path]:
    """All files of the standard library, packages included, that hold something."""
    root = Path(sysconfig.get_paths()["stdlib"])
    return sorted(p for p in root.rglob("*.py") if "site-packages" not in p.parts and p.stat().st_size)


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
    draw = random.Random(5)
    accepted, rejected = compare(draw.sample([p for p in library() if p.stat().st_size < 60_000], 320), 2)
    assert accepted > 400
    assert rejected > 100


def longest_tokens(c: Constraint, data: bytes) -> Iterator[int]:
    """Tokens that spell a text, the longest one each time."""
    number = {text: token for token, text in enumerate(c.vocab.tokens) if text}
    longest = max(map(len, number))
    at = 0
    while at < len(data):
        text = next(data[at : at + n] for n in range(longest, 0, -1) if data[at : at + n] in number)
        at += len(text)
        yield number[text]


def test_tokens_of_a_file_are_allowed_one_after_the_other() -> None:
    """Tokens of a real vocabulary that spell a file are in the masks on the way, and every prefix is alive."""
    c = constraint("smollm2")
    text = source(next(p for p in LIBRARY if 3_000 < p.stat().st_size < 5_000))
    with c.session() as session:
        state = session.start
        for token in longest_tokens(c, text.encode()):
            row = session.mask(state)
            assert row[token >> 5] >> (token & 31) & 1, c.vocab.tokens[token]
            state = session.advance(state, token)
        assert session.is_accepting(state) == lark_accepts(text)


PREFIXES = [
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
]
"""Prefixes where a completion is not obvious: open blocks, comments, strings and numbers."""


@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefixes_are_completed(prefix: str) -> None:
    """The bound of a prefix leads down, byte by byte, to a text that Lark parses."""
    c = constraint("small")
    with c.session() as session:
        state = session.advance_bytes(session.start, prefix.encode())
        assert state
        rest = b""
        bound = session.finish_bound(state)
        assert bound < UNREACHABLE
        while bound:
            after = {b: session.advance_bytes(state, bytes([b])) for b in range(128)}
            costs = {b: session.finish_bound(target) for b, target in after.items() if target}
            byte = min(costs, key=costs.__getitem__)
            assert costs[byte] < bound, (prefix, rest)
            rest += bytes([byte])
            state, bound = after[byte], costs[byte]
    assert lark_accepts(prefix + rest.decode()), rest


def finished(session: Session, state: int, draw: random.Random) -> bytes:
    """A completion: any token that a budget of just the bound allows, again and again; each lowers the bound."""
    rest = b""
    bound = session.finish_bound(state)
    assert bound < UNREACHABLE
    while bound:
        row = session.mask(state, budget=bound)
        tokens = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist()
        assert tokens, (rest, bound)
        token = draw.choice(tokens)
        state = session.advance(state, token)
        rest += session.constraint.vocab.tokens[token] or b""
        before, bound = bound, session.finish_bound(state)
        assert bound < before, rest
    assert session.is_accepting(state)
    return rest


ENDINGS = [
    "",
    "\n",
    ")",
    "]",
    "}",
    ":",
    '"',
    "'",
    " x",
    "(x)",
    ": x\n",
    ")\n",
    "\n  x\n",
    "\n    x\n",
    '"""\n',
    " = x\n",
    "x: x\n",
]
"""What is tried after a prefix that has no future."""


def check_prefixes(files: list[Path], seed: int, cuts: int) -> tuple[int, int]:
    """Prefixes of files and of edited parts of them: one that lives is completed, one that does not has no end; returns how many of each."""
    c = constraint("small")
    draw = random.Random(seed)
    counts = [0, 0]
    for path in files:
        text = source(path)
        for candidate in (text, *edits(draw, text)):
            data = candidate.encode()
            for cut in draw.sample(range(len(data) + 1), min(cuts, len(data))):
                with c.session() as session:
                    state = session.advance_bytes(session.start, data[:cut])
                    counts[bool(state)] += 1
                    if state:
                        whole = data[:cut] + finished(session, state, draw)
                        assert lark_accepts(whole.decode()), (path.name, whole[-2000:])
                        continue
                begun = data[:cut].decode(errors="ignore")
                for more in (*ENDINGS, candidate[len(begun) :], candidate[len(begun) + 1 :]):
                    assert not lark_accepts(begun + more), (path.name, begun[-2000:], more)
    return counts[1], counts[0]


def test_sampled_prefixes_of_files_and_edits_are_completed() -> None:
    """Sampled prefixes are alive with a completion that Lark parses, or dead with none that is found."""
    alive, dead = check_prefixes([p for p in LIBRARY if 2_000 < p.stat().st_size < 9_000][:7], 3, 2)
    assert alive > 30
    assert dead > 3


@pytest.mark.slow
def test_more_sampled_prefixes_of_files_and_edits_are_completed() -> None:
    """The same for a hundred files."""
    files = [p for p in library() if p.stat().st_size < 30_000]
    alive, dead = check_prefixes(random.Random(8).sample(files, 100), 4, 4)
    assert alive > 1000
    assert dead > 60


def wide_parts(count: int) -> Iterator[str]:
    """Parts of library files around characters of several bytes, as far as Lark parses them."""
    for path in library():
        text = source(path)
        at = next((i for i, x in enumerate(text) if ord(x) > 127), -1)
        if at < 0:
            continue
        begin = text.rfind("\n", 0, max(at - 200, 0)) + 1
        for part in (
            text[begin : text.find("\n", at) + 1],
            text[text.rfind("\n", 0, at) + 1 : text.find("\n", at) + 1],
        ):
            if lark_accepts(part):
                yield part
                count -= 1
                break
        if not count:
            return


def check_every_byte(parts: Iterable[str]) -> int:
    """Every byte of accepted texts is in the mask before it, and what was read has a bound; returns how many bytes lie within characters."""
    c = constraint("small")
    byte = {text[0]: token for token, text in enumerate(c.vocab.tokens) if text and len(text) == 1}
    inner = 0
    for part in parts:
        with c.session() as session:
            state = session.start
            for k, b in enumerate(part.encode()):
                row = session.mask(state)
                assert row[byte[b] >> 5] >> (byte[b] & 31) & 1, part.encode()[: k + 1]
                state = session.advance(state, byte[b])
                bound = session.finish_bound(state)
                assert bound < UNREACHABLE, part.encode()[: k + 1]
                inner += 0x80 <= b < 0xC0
            assert bound == 0
    return inner


def test_every_byte_of_accepted_texts_is_alive() -> None:
    """Byte by byte, characters of several bytes included."""
    assert check_every_byte(wide_parts(12)) > 30


@pytest.mark.slow
def test_every_byte_of_more_texts_is_alive() -> None:
    """The same for parts around each file's first character of several bytes, and whole files."""
    assert check_every_byte([*wide_parts(60), *(source(p) for p in LIBRARY if 2_000 < p.stat().st_size < 6_000)]) > 150
