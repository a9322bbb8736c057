"""Bridges: texts for gaps between fixed texts, under grammars with a lexer, judged by Lark."""

from __future__ import annotations

import itertools
import random
import sysconfig
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path

import lark
import pytest
from holes import cut
from lark.indenter import PythonIndenter

import syntagma as sg
from syntagma.automata.bridge import Bridge
from syntagma.automata.bridge.pushdown import END, Move, ways
from syntagma.automata.bridge.readable import Readable
from syntagma.automata.constraint import Constraint
from syntagma.integrations.languages import language, published_grammar

LIBRARY = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))

SUMS = """
start: (line ";")*
line: NAME "=" sum
sum: product | sum "+" product
product: atom | product "*" atom
atom: NAME | NUMBER | "(" sum ")" | "[" [sum ("," sum)*] "]"
NAME: /[a-z]+/
NUMBER: /[0-9]+(\\.[0-9]+)?/
%ignore /[ \\n]+/
"""


@lru_cache(maxsize=1)
def byte_vocabulary() -> sg.Vocabulary:
    """A token for every byte."""
    return sg.Vocabulary([*(bytes([b]) for b in range(256)), None], eos_ids=[256])


@lru_cache(maxsize=2)
def compiled(which: str) -> tuple[lark.Lark, Constraint]:
    """Lark's parser, and the constraint."""
    if which == "python":
        source = language("python")
        built = lark.Lark.open(str(published_grammar()), parser="lalr", start="file_input", postlex=PythonIndenter())
        return built, sg.compile(source, byte_vocabulary())
    built = lark.Lark(SUMS, parser="lalr")
    return built, sg.compile(sg.Lark(built), byte_vocabulary())


def parses(built: lark.Lark, text: str) -> bool:
    """Whether Lark takes a text."""
    try:
        built.parse(text)
    except Exception:  # noqa: BLE001 - whatever it raises is a rejection
        return False
    return True


def filled(which: str, parts: list[str]) -> str | None:
    """The text with its gaps filled, None if nothing fills them."""
    _, constraint = compiled(which)
    with constraint.session() as session:
        state = session.advance_bytes(session.start, parts[0].encode())
        fills = Bridge(constraint, [part.encode() for part in parts[1:]]).fills(state)
    if fills is None:
        return None
    return parts[0] + "".join(fill.decode() + part for fill, part in zip(fills, parts[1:], strict=True))


def shortest(parts: list[str]) -> int | None:
    """How many letters fill a gap at least, up to four, found by trying; a few letters stand for all."""
    built, _ = compiled("sums")
    for n in range(5):
        for letters in itertools.product("x1=+()[],;.", repeat=n):
            if parses(built, parts[0] + "".join(letters) + parts[1]):
                return n
    return None


@pytest.mark.parametrize(
    "parts",
    [
        ["x=", ";"],
        ["x=a", "b;"],
        ["x=(a+[b", "c);"],
        ["x=1", "2;"],
        ["x=1.", "5;"],
        ["x=1.", ";"],
        ["x=1;", "=2;"],
        ["x=(", ")*2;"],
        ["x=1", ")*2;"],
        ["", ""],
        ["x=[1", "],(2)];"],
        ["x=1", ";;"],
        ["x=.", ";"],
        ["x=1;", "+"],
        ["x=1;", "!"],
    ],
)
def test_fills_are_shortest(parts: list[str]) -> None:
    """Fills close what is open on the left and open what is closed on the right, names and numbers go on across the gap, in as few letters as by trial."""
    built, _ = compiled("sums")
    found = filled("sums", parts)
    least = shortest(parts)
    assert (found is None) == (least is None)
    if found is not None:
        assert parses(built, found)
        assert len(found) == len("".join(parts)) + (least or 0)


def test_every_text_with_pieces_cut_out_is_filled_again() -> None:
    """A member of the language with random holes is filled, and Lark accepts the result."""
    built, _ = compiled("sums")
    draw = random.Random(5)
    for _ in range(60):
        lines = []
        for _ in range(draw.randrange(1, 4)):
            terms = [draw.choice(["a", "bc", "12", "3.5", "(a + b)", "[a, (c), 1]", "[]"]) for _ in range(3)]
            lines.append(f"{draw.choice(['x', 'yz'])} = {draw.choice([' + ', ' * ', '+']).join(terms)};")
        parts = cut(draw, "\n".join(lines), draw.randrange(1, 3))
        found = filled("sums", parts)
        assert found is not None, parts
        assert parses(built, found), (parts, found)


@pytest.mark.parametrize("which", ["sums", "python"])
def test_what_is_read_ahead_hides_nothing(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that are found or not found with what their right-hand sides look like ahead are found or not found without; some are not found at all."""
    draw = random.Random(3)
    texts = ["x = a + [b, (12)] * c;\ny = 2;", "x=(1.5);"] if which == "sums" else ["if x:\n    y = [a,\n  b]\nz(c)\n"]
    outcomes = set()
    for _ in range(30 if which == "sums" else 3):
        text = draw.choice(texts)
        parts = cut(draw, text, draw.randrange(1, 3))
        if which == "sums" and draw.random() < 0.5:
            at = draw.randrange(len(parts[-1]) + 1)
            parts[-1] = parts[-1][:at] + draw.choice(["=", ")", "+", "(", " a "]) + parts[-1][at:]
        ahead = filled(which, parts)
        with monkeypatch.context() as patched:
            patched.setattr(Readable, "tops", lambda self, *_: self.all)
            blind = filled(which, parts)
        assert (ahead is None) == (blind is None), parts
        outcomes.add(ahead is None)
    assert False in outcomes
    assert which == "python" or True in outcomes


class Toy:
    """A pushdown system given as a table."""

    def __init__(self, table: dict[tuple[Hashable, Hashable], list[Move]]) -> None:
        self.table = table

    def moves(self, control: Hashable, symbol: Hashable) -> list[Move]:
        """Look them up."""
        return self.table.get((control, symbol), [])

    def progress(self, control: Hashable, symbol: Hashable) -> int:
        """Nothing is looked at sooner."""
        del control, symbol
        return 0


def test_tolls_are_costs_of_moves() -> None:
    """A search with tolls finds what it finds where the moves of those labels cost so much more, and never the dearer of two ways first."""
    draw = random.Random(8)
    found = 0
    for _ in range(200):
        table: dict[tuple[Hashable, Hashable], list[Move]] = {}
        for control, symbol in itertools.product(range(3), "ab"):
            table[control, symbol] = [
                Move(
                    draw.choice([0, 1, 2, END]),
                    tuple(draw.choices("ab", k=draw.choice([0, 1, 1, 2]))),
                    draw.randrange(3),
                    f"{control}{symbol}{i}",
                )
                for i in range(draw.randrange(3))
            ]
        labels = [move.label for row in table.values() for move in row]
        tolls = {label: draw.randrange(1, 9) for label in labels if draw.random() < 0.5}
        dearer = {
            key: [move._replace(cost=move.cost + tolls.get(move.label, 0)) for move in row]
            for key, row in table.items()
        }
        starts = [(0, ("a", "b"))]
        cheapest = list(ways(Toy(table), starts, 1000, tolls))
        assert cheapest == list(ways(Toy(dearer), starts, 1000))
        costs = {move.label: move.cost for row in dearer.values() for move in row}
        last = [sum(costs[label] for label in way[:-1]) for way in cheapest]
        assert last == sorted(last)
        found += len(cheapest) > 1
    assert found > 10


PYTHON = '''
def area(radius, units="m"):
    """The area of a circle."""
    if radius < 0:
        raise ValueError(f"negative: {radius}")
    elif not radius:
        return [0, (1, 2)][0]
    for i in range(3):
        while i:  # a comment
            i -= 1
        else:
            continue
    return {
        "value": 3.14 * radius ** 2,
        "units": units,
    }


class Point(object):
    x = 1

    def move(self, dx):
        self.x += dx
        return lambda y: y + dx
'''


def test_python_with_holes() -> None:
    """Holes of Python source, indentation and brackets across them, are filled so that Lark accepts the whole."""
    built, _ = compiled("python")
    draw = random.Random(11)
    for holes in [1, 1, 1, 1, 1, 1, 2, 2]:
        parts = cut(draw, PYTHON, holes)
        found = filled("python", parts)
        assert found is not None, parts
        assert parses(built, found), (parts, found)


@pytest.mark.parametrize(
    "parts",
    [
        [
            "x",
            "b c\nd e",
            "\n",
        ],  # only a string of several lines, begun behind an equals sign, holds what is between the gaps
        ["if x:\n    y\nz", "not code at all!\n  neither\n", "\n    w\n"],
        ["", "\n\t\ty\n\tz\nw\n"],  # blocks at the columns of tabs
        ["", "x\n", "          y\n     z\nw\n"],  # columns that a later text alone has
        ["for x in y:\n    # note", "         z\n         x\n       y\n     else:\n       z\nw\n"],
    ],
)
def test_python_lexemes_and_blocks_across_gaps(parts: list[str]) -> None:
    """A lexeme may begin in one gap and end in another, and blocks open at whatever columns the texts behind go on."""
    built, _ = compiled("python")
    found = filled("python", parts)
    assert found is not None
    assert parses(built, found), found


@pytest.mark.slow
def test_library_files_with_holes() -> None:
    """Forty files of the standard library with one to three holes each are filled so that Lark accepts them."""
    built, constraint = compiled("python")
    draw = random.Random(1)
    files = [path for path in LIBRARY if path.stat().st_size < 40_000]
    draw.shuffle(files)
    done = 0
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        if done == 40 or not text.isascii() or not constraint.accepts(text):
            continue
        done += 1
        parts = cut(draw, text, 1 + done % 3)
        found = filled("python", parts)
        assert found is not None, (path.name, [part[-30:] for part in parts])
        assert parses(built, found), path.name
    assert done == 40
