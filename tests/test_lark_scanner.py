from __future__ import annotations

import itertools
import random
import re
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import lark
import lark_random
import numpy as np
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st
from lark.indenter import PythonIndenter
from lark_reference import IndentedRecogniser, Recogniser
from lark_seeds import SEEDS, build, grammar_path
from lark_toys import INDENTED, TOYS, Brackets
from lark_verdict import lark_accepts

from syntagma.grammar.errors import Unsatisfiable
from syntagma.grammar.lark.scanner import LarkTables, tables

AnyRecogniser = Recogniser | IndentedRecogniser


def check_all(built: lark.Lark, recogniser: AnyRecogniser, alphabet: str, longest: int) -> tuple[int, int]:
    """Compare all texts up to a length, each prefix run once; returns how many are accepted and how many are not.

    Where no configuration lives, only some of the longer texts are compared: all of them would be too many.
    """
    counts = [0, 0]
    layer: list[tuple[str, Any]] = [("", recogniser.start)]
    for length in range(longest + 1):
        following = []
        for text, configurations in layer:
            accepts = recogniser.may_end(configurations)
            assert accepts == lark_accepts(built, text), text
            counts[accepts] += 1
            if length < longest:
                following += [(text + x, recogniser.steps(configurations, x)) for x in alphabet]
        dead = [text for text, after in following if not after]
        for text in dead[:: max(1, len(dead) // 100)]:
            for more in ("", *alphabet, *map("".join, itertools.product(alphabet, repeat=2))):
                assert not lark_accepts(built, text + more), text + more
        layer = [(text, after) for text, after in following if after]
    return counts[1], counts[0]


@lru_cache(maxsize=64)
def toy(name: str) -> tuple[lark.Lark, AnyRecogniser]:
    if name in TOYS:
        built = lark.Lark(TOYS[name].grammar, parser="lalr")
        return built, Recogniser(tables(built))
    built = lark.Lark(INDENTED[name].grammar, parser="lalr", postlex=Brackets())
    return built, IndentedRecogniser(tables(built))


@pytest.mark.parametrize("name", [*TOYS, *INDENTED])
def test_toys_have_the_language_of_lark(name: str) -> None:
    """All short texts over a toy's characters are accepted by the tables iff Lark parses them."""
    case = {**TOYS, **INDENTED}[name]
    accepted, rejected = check_all(*toy(name), case.alphabet, case.fast)
    assert accepted
    assert rejected


@pytest.mark.slow
@pytest.mark.parametrize("name", [*TOYS, *INDENTED])
def test_toys_have_the_language_of_lark_in_longer_texts(name: str) -> None:
    """All texts over a toy's characters up to a greater length are accepted by the tables iff Lark parses them."""
    case = {**TOYS, **INDENTED}[name]
    check_all(*toy(name), case.alphabet, case.slow)


def check_random_grammar(draw: random.Random, count: int) -> tuple[int, int] | None:
    """Compare random texts of a random grammar; ``None`` if Lark refuses the grammar, or if it has no text, which Lark says of each."""
    grammar = lark_random.grammar(draw)
    flags = draw.choice([0, 0, 0, 0, re.IGNORECASE, re.MULTILINE, re.DOTALL, re.ASCII])
    try:
        built = lark.Lark(grammar, parser="lalr", g_regex_flags=flags)
    except lark.exceptions.LarkError:
        return None
    try:
        recogniser = Recogniser(tables(built))
    except Unsatisfiable:
        short = ("".join(t) for n in range(4) for t in itertools.product(lark_random.ALPHABET, repeat=n))
        assert not any(lark_accepts(built, text) for text in short), grammar
        return None
    counts = [0, 0]
    for text in lark_random.texts(draw, recogniser, count, 8):
        accepts = recogniser.accepts(text)
        assert accepts == lark_accepts(built, text), (grammar, flags, text)
        counts[accepts] += 1
    return counts[1], counts[0]


@given(st.randoms(use_true_random=False))
def test_random_grammars_have_the_language_of_lark(draw: random.Random) -> None:
    """A random text is accepted by the tables of a random grammar iff Lark parses it."""
    tries = (check_random_grammar(draw, 30) for _ in range(30))  # Lark refuses three of four
    counts = next((x for x in tries if x is not None), None)
    assume(counts is not None)
    assert counts is not None
    event(f"accepts some: {counts[0] > 0}, rejects some: {counts[1] > 0}")


@pytest.mark.slow
def test_many_random_grammars_have_the_language_of_lark() -> None:
    """The same for the random grammars of 6,000 seeds, most of which Lark refuses; hundreds are worth something."""
    both = 0
    for seed in range(6000):
        counts = check_random_grammar(random.Random(seed), 120)
        both += counts is not None and min(counts) > 0
    assert both > 500


def edited(draw: random.Random, text: str, letters: str) -> str:
    """The text after up to three edits: letters put in, taken out, exchanged, or pieces of it repeated elsewhere."""
    for _ in range(draw.randint(0, 3)):
        at, other = draw.randint(0, len(text)), draw.randint(0, len(text))
        kind = draw.randrange(4)
        if kind == 0:
            text = text[:at] + draw.choice(letters) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + draw.randint(1, 3) :]
        elif kind == 2:
            text = text[:at] + draw.choice(letters) + text[at + 1 :]
        else:
            text = text[:at] + text[other : other + draw.randint(1, 8)] + text[at:]
    return text


@lru_cache(maxsize=8)
def real(name: str) -> tuple[lark.Lark, Recogniser]:
    built = build(name)
    return built, Recogniser(tables(built))


def check_real(name: str, count: int) -> tuple[int, int]:
    built, recogniser = real(name)
    draw = random.Random(name)
    letters = "".join(SEEDS[name]) + "\"'\\/*-+.<>=!?_09aZ \n\té€"
    counts = [0, 0]
    for k in range(count):
        text = edited(draw, draw.choice(SEEDS[name]), letters) if k >= len(SEEDS[name]) else SEEDS[name][k]
        accepts = recogniser.accepts(text)
        assert accepts == lark_accepts(built, text), text
        assert accepts or k >= len(SEEDS[name])
        counts[accepts] += 1
    return counts[1], counts[0]


@pytest.mark.parametrize("name", SEEDS)
def test_real_grammars_have_the_language_of_lark(name: str) -> None:
    """Texts of real grammars, and the same with a few edits, are accepted by the tables iff Lark parses them."""
    assert min(check_real(name, 250)) > 20


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEDS)
def test_real_grammars_have_the_language_of_lark_in_many_texts(name: str) -> None:
    """The same for ten thousand texts."""
    check_real(name, 10_000)


PIECES = [
    '"', "'", '"""', "'''", "\n", "\t", "    ", "#", "# a b", "(", ")", "[", "]", "{", "}", ":", ",", "+", "-", "*", "if",
    "else", "in", "is", "not", "1e", "0x", ".5", "1", "0", "0_1", "j", 'f"', "rb'", "\\\n", "\\", "\r\n", "\r", "é", "αβ",
    "\f", " ", "lambda", "match", "case", "_", "async", "for", "...", ".", "..", "->", ":=", "==", "=", "<", "<>", "!=",
    "await", "\n  ", "\n\n", "01", "00", "1if", "x", "!", "$", "`", "%s", ";", "@", "//", "**=",
]  # fmt: skip


@lru_cache(maxsize=1)
def python() -> tuple[lark.Lark, IndentedRecogniser]:
    """The grammar of Python that Lark ships, with its indenter."""
    built = lark.Lark.open(str(grammar_path("python")), parser="lalr", start="file_input", postlex=PythonIndenter())
    return built, IndentedRecogniser(tables(built))


def windows(draw: random.Random, count: int) -> Iterator[str]:
    """Lines of the standard library, moved to the left, with up to two edits."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    while count > 0:
        lines = draw.choice(files).read_text(encoding="utf-8").splitlines(keepends=True)
        if len(lines) < 5:
            continue
        at = draw.randrange(len(lines))
        taken = lines[at : at + draw.randint(1, 12)]
        blanks = min((len(x) - len(x.lstrip(" ")) for x in taken if x.strip()), default=0)
        text = "".join(x[blanks:] if x.strip() else x for x in taken)
        for _ in range(draw.randint(0, 2)):
            place = draw.randint(0, len(text))
            text = text[:place] + draw.choice([*PIECES, ""]) + text[place + draw.choice([0, 0, 1, 3]) :]
        count -= 1
        yield text


def check_python(count: int) -> tuple[int, int]:
    built, recogniser = python()
    counts = [0, 0]
    for text in windows(random.Random(count), count):
        accepts = recogniser.accepts(text)
        assert accepts == lark_accepts(built, text), text
        counts[accepts] += 1
    return counts[1], counts[0]


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("x = 1 if 1else 2\n", True),  # after 1e a float could go on
        ("if x:\n  y\n# a b", True),  # the comment is a part of the newline, and its two blanks make column 2
        ("if x:\n  y\n# a", False),
        ("# a", False),  # a newline without one: Lark's indenter has an index error
        ("if x:\n\ty\n        z\n", True),  # a tab is eight blanks, wherever it stands
        ("if x:\n \ty\n         z\n", True),
        ("if x:\n \ty\n        z\n", False),
        ("if x:\n  y\n z\n", False),
        ("f(\n1,\n  2)\n", True),  # newlines vanish within brackets
        ("f(1))\n", False),
        ('x = """a"b\n"""\n', True),
        ('x = f"" "" \'\'\n', True),
        ("x = 0_0 + 00 + 0x_F + 1_0.e5j\n", True),
        ("x = 01\n", False),
        ("match x:\n  case match: case\n", True),
        ("é\u0301 = ªº\n", False),
    ],
)
def test_quirks_of_python(text: str, accepted: bool) -> None:
    """Texts at the edges of Lark's grammar of Python, and what Lark says to them."""
    built, recogniser = python()
    assert lark_accepts(built, text) == recogniser.accepts(text) == accepted


def test_python_has_the_language_of_lark() -> None:
    """Pieces of the standard library, with a few edits, are accepted with the indenter iff Lark parses them."""
    assert min(check_python(400)) > 50


@pytest.mark.slow
def test_python_has_the_language_of_lark_in_many_texts() -> None:
    """The same for 20,000 pieces."""
    check_python(20_000)


@pytest.mark.slow
def test_whole_files_of_python_are_accepted_as_by_lark() -> None:
    """Of the standard library's files, the tables accept those that Lark parses."""
    built, recogniser = python()
    accepted = 0
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[:60]:
        text = path.read_text(encoding="utf-8")
        accepts = recogniser.accepts(text)
        assert accepts == lark_accepts(built, text), path
        accepted += accepts
    assert accepted > 30


# --- the tables themselves ------------------------------------------------------------------------------------------------


def some_tables() -> list[LarkTables]:
    return [tables(toy(name)[0]) for name in (*TOYS, *INDENTED)]


def test_edges_are_deterministic_and_sorted() -> None:
    """No byte leads to two local states, edges are in order, and no two neighbours could be one."""
    for table in some_tables():
        edges = table.scanner.edges
        same = edges[1:, 0] == edges[:-1, 0]
        assert (np.diff(edges[:, 0]) >= 0).all()
        assert (edges[1:, 1] > edges[:-1, 2])[same].all()
        touching = same & (edges[1:, 1] == edges[:-1, 2] + 1) & (edges[1:, 3] == edges[:-1, 3])
        assert not touching.any()
        assert (edges[:, 1] <= edges[:, 2]).all()


def test_exits_are_one_for_each_type() -> None:
    """A local state has at most one exit of each type, and exits lead to parts that exist."""
    for table in some_tables():
        scanner = table.scanner
        assert scanner.exit_start[-1] == len(scanner.exit_type) == len(scanner.exit_part)
        assert (scanner.exit_part < len(scanner.begin)).all()
        for q in range(scanner.n_locals):
            kinds = scanner.exit_type[scanner.exit_start[q] : scanner.exit_start[q + 1]]
            assert len(set(kinds.tolist())) == len(kinds)


def test_everything_can_be_reached() -> None:
    """From the first part all parts and local states are reached by beginnings, edges and exits."""
    for table in some_tables():
        scanner = table.scanner
        parts, reached = {0}, set(scanner.begin[0].tolist()) - {-1}
        before = (0, 0)
        while before != (len(parts), len(reached)):
            before = (len(parts), len(reached))
            reached |= {r for q, _, _, r in scanner.edges.tolist() if q in reached}
            for q in reached:
                parts |= set(scanner.exit_part[scanner.exit_start[q] : scanner.exit_start[q + 1]].tolist())
            reached |= {r for part in parts for r in scanner.begin[part].tolist()} - {-1}
        assert before == (len(scanner.begin), scanner.n_locals)


def test_reach_is_what_a_search_finds() -> None:
    """The types that a lexeme may still end as are those of the exits that edges lead to."""
    for table in some_tables():
        scanner = table.scanner
        after: dict[int, set[int]] = {}
        for q, _, _, r in scanner.edges.tolist():
            after.setdefault(q, set()).add(r)
        for q in range(scanner.n_locals):
            seen, work = {q}, [q]
            while work:
                more = after.get(work.pop(), set()) - seen
                seen |= more
                work += more
            found = np.zeros(scanner.reach.shape[1], np.bool_)
            for r in seen:
                found[scanner.exit_type[scanner.exit_start[r] : scanner.exit_start[r + 1]]] = True
            assert (found == scanner.reach[q]).all()


def test_follow_is_what_beginnings_read() -> None:
    """The bytes that may follow a part are those that the local states read in which it can begin."""
    for table in some_tables():
        scanner = table.scanner
        for part, row in enumerate(scanner.begin.tolist()):
            found = np.zeros(256, np.bool_)
            for q, low, high, _ in scanner.edges.tolist():
                if q in row:
                    found[low : high + 1] = True
            assert (found == scanner.follow[part]).all()


def test_no_two_local_states_are_alike() -> None:
    """Every two local states differ in an edge, an exit, or in whether the text may end."""
    for table in some_tables():
        scanner = table.scanner
        out: dict[int, list[tuple[int, ...]]] = {}
        for q, low, high, r in scanner.edges.tolist():
            out.setdefault(q, []).append((low, high, r))
        signatures = set()
        for q in range(scanner.n_locals):
            span = slice(scanner.exit_start[q], scanner.exit_start[q + 1])
            exits = tuple(zip(scanner.exit_type[span].tolist(), scanner.exit_part[span].tolist(), strict=True))
            signatures.add((tuple(out.get(q, ())), exits, bool(scanner.may_end[q])))
        assert len(signatures) == scanner.n_locals


def test_a_partial_character_lives_iff_some_character_below_does() -> None:
    """After the first bytes of a character something lives iff one of the characters that begin with them lives."""
    grammar = r"""
        start: (A | B | C)+
        A: /é[ß-ö]*€?/
        B: /[^\W\d]|\U0001F600/
        C: /(?<=é)[\u4E00-\u9FA5]/
        """
    recogniser = Recogniser(tables(grammar))
    for before in ("", "é", "éß"):
        configurations = recogniser.steps(recogniser.start, before)
        alive: set[bytes] = set()
        for code in (*range(0x80, 0xD800), *range(0xE000, 0x10000), *range(0x1F000, 0x20000)):
            data = chr(code).encode()
            if recogniser.steps(configurations, chr(code)):
                alive.update(data[:k] for k in range(1, len(data) + 1))
        for first in range(0x80, 0x100):
            once = recogniser.step(configurations, first)
            if first < 0xF0:
                assert bool(once) == (bytes([first]) in alive)
            for second in range(0x80, 0xC0):
                twice = recogniser.step(once, second)
                if first < 0xF0:
                    assert bool(twice) == (bytes([first, second]) in alive), (before, first, second)
            for second in (*range(0x80), *range(0xC0, 0x100)):
                assert not recogniser.step(once, second)


def test_invalid_utf8_is_dead() -> None:
    """A pattern that takes everything takes no surrogate, no overlong form, and nothing beyond the last code point."""
    recogniser = Recogniser(tables("start: A\nA: /(?s:.)+/"))
    invalid = "80 c080 c1bf e09f eda0 f08f f490 f5 ff c341 e28241 e282e2"
    for data in map(bytes.fromhex, invalid.split()):
        configurations = recogniser.start
        for byte in data:
            configurations = recogniser.step(configurations, byte)
        assert not configurations, data
    for lead in (0xC2, 0xE0, 0xED, 0xF0, 0xF4):
        assert recogniser.step(recogniser.start, lead)
    for data in ("\x00", "\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff"):
        assert recogniser.accepts(data)
