"""Which stacks have a future, exactly: against a search for completions, on grammars with traps of every kind."""

from __future__ import annotations

import random
from typing import Any

import lark
import lark_random
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from lark_reference import Configuration, Recogniser
from lark_seeds import SEEDS, build, edited
from lark_toys import INDENTED, TOYS, Brackets
from lark_verdict import lark_accepts
from test_lark_liveness import BOTH_CASES, MERGED, random_table, vocabulary

import syntagma as sg
from syntagma.automata.bounds import UNREACHABLE
from syntagma.automata.constraint import Constraint
from syntagma.grammar.lark.futures import Futures
from syntagma.grammar.lark.scanner import LarkTables, tables

MOST_SEARCHED = 600
"""Configurations that a search for an end visits; beyond, it does not decide."""


def has_end(recogniser: Recogniser, configuration: Configuration, bytes_: bytes) -> bool | None:
    """Whether a search by breadth finds a text that completes a configuration; ``None``: it gives up."""
    layer, seen = {configuration}, {configuration}
    while layer:
        if recogniser.may_end(layer):
            return True
        layer = {y for b in bytes_ for y in recogniser.step(layer, b)} - seen
        seen |= layer
        if len(seen) > MOST_SEARCHED:
            return None
    return False


def compare(read: LarkTables, alphabet: str, depth: int) -> dict[bool | None, int]:
    """Configurations that short texts lead to are alive iff they have an end; counts of what the search says."""
    recogniser, futures = Recogniser(read), Futures(read)
    counts: dict[bool | None, int] = {True: 0, False: 0, None: 0}
    data = alphabet.encode()
    edges = read.scanner.edges
    bytes_ = bytes({*edges[:, 1].tolist(), *(edges[:, 2] + 1).tolist()} - {256})  # one of each kind, at least
    layer = recogniser.start
    seen: set[Configuration] = set()
    for _ in range(depth):
        for local, stack in sorted(layer - seen)[:30]:
            found = has_end(recogniser, (local, stack), bytes_)
            counts[found] += 1
            if found is not None:
                assert futures.alive(local, stack) == found, (local, stack)
        seen |= layer
        layer = {y for x in sorted(layer)[:30] for b in data for y in recogniser.step([x], b)}
    return counts


def test_a_trap_of_merged_lookaheads_is_dead() -> None:
    """The parenthesis that only the other bracket can close has no future once the letter is read, and none before."""
    read = tables(lark.Lark(MERGED, parser="lalr"))
    futures, recogniser = Futures(read), Recogniser(read)
    for text, alive in (("", True), ("[", True), ("[a", True), ("[a)", True), ("(", False), ("(a", False)):
        found = recogniser.run(text)
        assert found
        assert any(futures.alive(*x) for x in found) == alive, text


@given(st.randoms(use_true_random=False))
def test_futures_of_random_tables(draw: random.Random) -> None:
    """In random LALR tables with conflicts, exactly the stacks with a completion are alive."""
    for _ in range(40):
        try:
            read = tables(lark.Lark(random_table(draw), parser="lalr"))
        except (lark.exceptions.LarkError, sg.SyntagmaError):
            continue
        event(f"traps: {compare(read, 'xyz', 5)[False] > 0}")
        return


@given(st.randoms(use_true_random=False))
def test_futures_of_random_grammars(draw: random.Random) -> None:
    """In random grammars with overlapping terminals, look-around and priorities, exactly the configurations with a completion are alive."""
    for _ in range(40):
        try:
            read = tables(lark.Lark(lark_random.grammar(draw), parser="lalr"))
        except (lark.exceptions.LarkError, sg.SyntagmaError):
            continue
        event(f"traps: {compare(read, BOTH_CASES, 3)[False] > 0}")
        return


@pytest.mark.parametrize("name", TOYS)
def test_futures_of_toys(name: str) -> None:
    """The same for the toys."""
    case = TOYS[name]
    compare(tables(lark.Lark(case.grammar, parser="lalr")), case.alphabet, 4)


@pytest.mark.parametrize("name", SEEDS)
def test_futures_of_real_grammars(name: str) -> None:
    """Along texts of real grammars that are accepted every configuration on the way to the end is alive, and few places tell all stacks apart."""
    read = tables(build(name))
    recogniser, futures = Recogniser(read), Futures(read)
    draw = random.Random(name)
    for text in [*SEEDS[name], *(edited(draw, name) for _ in range(20))]:
        configurations = recogniser.start
        path = [configurations]
        for byte in text.encode():
            configurations = recogniser.step(configurations, byte)
            path.append(configurations)
        accepted = recogniser.may_end(configurations)
        assert not accepted or all(any(futures.alive(*x) for x in found) for found in path)
    assert len(futures.places) < 5000


def check_without_traps(built: lark.Lark, texts: list[str], alphabet: str, depth: int) -> tuple[bool, bool]:
    """Without its traps a grammar has the same texts and, where it says so, no prefix without an end; whether it says so, and whether it had traps."""
    kept, found = (sg.compile(sg.Lark(built, traps=x), vocabulary()) for x in ("keep", "drop"))
    for text in texts:
        assert found.accepts(text) == lark_accepts(built, text), text
    live = bool(found.report.live)
    had = False
    layer = {(found.start, kept.start)}
    for _ in range(depth):
        after = {
            (found.advance_bytes(x, bytes([b])), y)
            for x, old in sorted(layer)[:60]
            for b in alphabet.encode()
            if (y := kept.advance_bytes(old, bytes([b])))
        }
        dropped = [y for x, y in after if not x]
        had |= bool(dropped)
        assert all(ends(kept, y) is not True for y in dropped[:20])
        layer = {(x, y) for x, y in after if x}
        if live:
            assert all(found.finish_bound(x) < UNREACHABLE or ends(found, x) is not False for x, _ in layer)
    return live, had


def ends(constraint: Constraint, state: int) -> bool | None:
    """Whether a search over all bytes finds an end; ``None``: it gives up."""
    layer, seen = {state}, {state}
    while layer:
        if any(constraint.is_accepting(x) for x in layer):
            return True
        layer = {y for x in layer for b in range(256) if (y := constraint.advance_bytes(x, bytes([b])))} - seen
        seen |= layer
        if len(seen) > MOST_SEARCHED:
            return None
    return False


def test_a_trap_of_merged_lookaheads_is_dropped() -> None:
    """The bracket that cannot be closed may not be opened, and the report says that nothing else is a trap."""
    found = sg.compile(sg.Lark(MERGED, traps="drop"), vocabulary())
    assert found.report.live
    assert not found.advance_bytes(found.start, b"(")
    assert found.accepts("[a)!")


@given(st.randoms(use_true_random=False))
def test_random_tables_without_their_traps(draw: random.Random) -> None:
    """In random LALR tables with conflicts, dropping traps leaves the texts and every prefix that has an end."""
    for _ in range(40):
        try:
            built = lark.Lark(random_table(draw), parser="lalr")
            texts = ["".join(draw.choices("xyz", k=draw.randint(0, 6))) for _ in range(20)]
            live, had = check_without_traps(built, texts, "xyz", 5)
        except (lark.exceptions.LarkError, sg.SyntagmaError):
            continue
        assert live
        event(f"traps: {had}")
        return


@given(st.randoms(use_true_random=False))
def test_random_grammars_without_their_traps(draw: random.Random) -> None:
    """The same in random grammars with overlapping terminals, look-around and priorities."""
    for _ in range(40):
        try:
            built = lark.Lark(lark_random.grammar(draw), parser="lalr")
            texts = ["".join(draw.choices(lark_random.ALPHABET, k=draw.randint(0, 5))) for _ in range(20)]
            live, had = check_without_traps(built, texts, lark_random.ALPHABET, 4)
        except (lark.exceptions.LarkError, sg.SyntagmaError):
            continue
        event(f"traps: {had}, live: {live}")
        return


@pytest.mark.parametrize("name", SEEDS)
def test_real_grammars_without_their_traps(name: str) -> None:
    """Texts of real grammars and edits of them are accepted iff Lark parses them; in Lark's own, no comment is begun that nothing can follow."""
    built = build(name)
    draw = random.Random(f"drop {name}")
    live, _ = check_without_traps(built, [*SEEDS[name], *(edited(draw, name) for _ in range(40))], "", 0)
    assert live
    if name == "lark":
        kept, found = (sg.compile(sg.Lark(built, traps=x), vocabulary()) for x in ("keep", "drop"))
        assert kept.advance_bytes(kept.start, b"a: b -> /")
        assert not found.advance_bytes(found.start, b"a: b -> /")


def test_traps_cannot_be_dropped_everywhere() -> None:
    """Under an indenter they are not known, and other choices are refused."""
    with pytest.raises(sg.InvalidSource, match="traps"):
        sg.Lark(MERGED, traps="some")  # type: ignore[arg-type]
    with pytest.raises(sg.Unsupported, match="indenter"):
        sg.Lark(INDENTED["blocks"].grammar, postlex=Brackets(), traps="drop").lower()


@pytest.mark.parametrize(
    ("grammar", "lexer", "text", "trap"),
    [
        (MERGED, "scannerless", b"(a)!", None),
        ('start: name | path "!"\nname: WORD\npath: WORD\nWORD: /[ab]+/\n', "lark", b"ab!", None),
        ('start: x | y\nx: A C\ny: A C\nA: "ab"\nB: "abcd"\nC: "ce"\n', "lark", b"abce", b"abcd"),
    ],
)
def test_without_a_table_there_are_none(grammar: str, lexer: Any, text: bytes, trap: bytes | None) -> None:
    """Without a lexer, and where the basic lexer feeds any rules, every allowed prefix can be finished, whatever is said of traps."""
    for traps in ("keep", "drop"):
        constraint = sg.compile(sg.Lark(grammar, lexer=lexer, traps=traps), vocabulary())
        assert constraint.report is not None
        assert constraint.report.live
        assert constraint.is_accepting(constraint.advance_bytes(constraint.start, text))
        assert trap is None or constraint.advance_bytes(constraint.start, trap) == 0
        for end in range(len(text) + 1):
            assert constraint.finish_bound(constraint.advance_bytes(constraint.start, text[:end])) <= len(text) - end


def test_a_grammar_without_a_text_is_refused() -> None:
    """Where nothing can be finished, nothing is left when traps are dropped, before another part as well."""
    endless = sg.Lark('start: "a" start', traps="drop")
    with pytest.raises(sg.Unsatisfiable):
        endless.lower()
    with pytest.raises(sg.Unsatisfiable):
        sg.compile(sg.Sequence(sg.Text("q"), endless), vocabulary())
