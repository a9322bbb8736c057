"""Parse tables in front of other text: where theirs may end is decided as Lark decides at the end of a text."""

from __future__ import annotations

import itertools
import random
import re
from functools import lru_cache

import lark
import lark_random
import numpy as np
import pytest
from lark_toys import INDENTED, TOYS, Brackets
from lark_verdict import lark_accepts, vocabulary_with
from sizes import size

import syntagma as sg
from syntagma.automata.bounds import UNREACHABLE

pytestmark = pytest.mark.kernel


class Split:
    """Texts of which a first part is parsed by Lark and the rest matches an expression."""

    def __init__(self, built: lark.Lark, rest: str) -> None:
        self._parses = lru_cache(maxsize=None)(lambda text: lark_accepts(built, text))
        self._rest = re.compile(rest)

    def accepts(self, text: str) -> bool:
        """Try every place to split it at."""
        return any(self._rest.fullmatch(text, i) is not None and self._parses(text[:i]) for i in range(len(text) + 1))


def allowed(session: sg.Session, state: int) -> list[int]:
    """The tokens of a mask."""
    return np.flatnonzero(np.unpackbits(session.mask(state).view(np.uint8), bitorder="little")).tolist()


def check(
    constraint: sg.Constraint,
    split: Split,
    draw: random.Random,
    alphabet: str,
    *,
    longest: int,
    walks: int,
) -> int:
    """Short texts are accepted iff they can be split, masks along walks agree with advancing; returns how many were accepted."""
    members = 0
    for length in range(longest + 1):
        for letters in itertools.product(alphabet, repeat=length):
            text = "".join(letters)
            want = split.accepts(text)
            assert constraint.accepts(text) == want, text
            members += want
    tokens = constraint.vocab.tokens
    is_live = (
        constraint.report is not None and constraint.report.live
    )  # else there are traps, whose bounds lead nowhere
    for _ in range(walks):
        with constraint.session() as session:
            state, text = session.start, b""
            for _ in range(8):
                row = allowed(session, state)
                assert row == [t for t in range(constraint.vocab.size) if session.advance(state, t)], text
                if session.is_accepting(state):
                    assert split.accepts(text.decode())
                bound = session.finish_bound(state)
                if is_live:
                    assert (bound == 0) == session.is_accepting(state)
                if is_live and 0 < bound < UNREACHABLE:
                    rests = [session.finish_bound(session.advance(state, t)) for t in row]
                    assert min(rests) < bound, text
                choices = [t for t in row if tokens[t] is not None and (tokens[t] or b"").isascii()]
                if not choices:
                    break
                longer = [t for t in choices if t >= 256]
                token = draw.choice(longer if longer and draw.random() < 0.5 else choices)
                state, text = session.advance(state, token), text + (tokens[token] or b"")
    return members


RESTS = ["a", "(?:b-?)*c", "", "[ab]{1,2}"]


@pytest.mark.parametrize("rest", ["!", *(pytest.param(rest, marks=pytest.mark.slow) for rest in ("a?", "[(]"))])
@pytest.mark.parametrize("name", [*TOYS, *INDENTED])
def test_toys_in_front_of_text(name: str, rest: str) -> None:
    """Texts of a toy and then of an expression are those that can be split so, with an indenter between lexer and parser as well."""
    case = {**TOYS, **INDENTED}[name]
    built = lark.Lark(case.grammar, parser="lalr", postlex=Brackets() if name in INDENTED else None)
    longer = ["".join(x) for x in itertools.product(case.alphabet[:4], repeat=2)] + [c + "!" for c in case.alphabet[:4]]
    constraint = sg.compile(sg.Sequence(sg.Lark(built), sg.Regex(rest)), vocabulary_with(longer))
    alphabet = "".join(dict.fromkeys(case.alphabet[:5] + "!a("))[:7]
    check(
        constraint,
        Split(built, rest),
        random.Random(5),
        alphabet,
        longest=2 if rest == "!" else 3,
        walks=size(3, plain=1),
    )


SEEDS = [*range(size(10, plain=6)), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(10, 60))]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_grammars_in_front_of_text(seed: int) -> None:
    """The same for random grammars whose terminals overlap, look around and are ignored."""
    draw = random.Random(seed)
    while True:
        try:
            built = lark.Lark(lark_random.grammar(draw), parser="lalr")
            sg.Lark(built).lower()
        except (lark.exceptions.LarkError, sg.SyntagmaError):
            continue
        break
    rest = draw.choice(RESTS)
    source = sg.Sequence(sg.Lark(built), sg.Regex(rest))
    try:
        constraint = sg.compile(source, vocabulary_with(["ab", "bc", "a.", "\n-", "ca", "cc"]))
    except sg.Unsatisfiable:
        return
    check(
        constraint,
        Split(built, rest),
        draw,
        lark_random.ALPHABET[:7],
        longest=2 if seed < 10 else 3,
        walks=size(4, plain=1),
    )


LIST = 'start: "[" [item ("," item)*] "]"\nitem: NAME | start\nNAME: /[a-z]+(?!=)/\n%ignore " "\n'


def test_a_parser_in_the_middle() -> None:
    """Before, between and behind other parts, in a tag and counted, a parser's text ends where it must."""
    vocab = vocabulary_with(["],", "]]", "] ", "]!", "[a", "</x>", "]</"])
    inner = sg.Lark(LIST)
    twice = sg.compile(sg.Sequence(sg.Text("("), inner, sg.Text(" / "), inner, sg.Text(")")), vocab)
    assert twice.accepts("([a] / [b,[c]])")
    assert twice.accepts("([a]  / [])")
    assert not twice.accepts("([a] [b])")
    assert twice.finish_bound(twice.advance_bytes(twice.start, b"([a")) == 7
    many = sg.compile(sg.Repeat(inner, 2, 3, separator=";"), vocab)
    assert many.accepts("[a];[b]")
    assert many.accepts("[] ; [] ;[]")
    assert not many.accepts("[a]")
    assert not many.accepts("[];[];[];[]")
    tag = sg.compile(sg.StructuralTag([sg.Tag("<x>", inner, "</x>")], at_most=1), vocab)
    assert tag.accepts("so <x>[a] </x> it is")
    assert not tag.accepts("<x>[a]</x><x>[b]</x>")
    assert not tag.accepts("<x>[a</x>")
    alone = sg.compile(inner, vocab)
    assert alone.accepts("[a] ")
    assert not alone.accepts("[a]!")
    for constraint in (twice, many, tag, alone):
        sg.testing.check_constraint(
            constraint, texts=["[a]", "([a] / [])", "[];[]"], steps=size(40, plain=4), brute_force=False
        )


def test_a_look_ahead_sees_the_end_of_its_own_text() -> None:
    """What follows a parser's text is not seen by its patterns: they look at an end there."""
    grammar = "start: A+\nA: /a(?!b)/\n"
    constraint = sg.compile(sg.Sequence(sg.Lark(grammar), sg.Text("b")), vocabulary_with(["ab", "aa"]))
    assert constraint.accepts("ab")
    assert constraint.accepts("aab")
    assert not constraint.accepts("b")
    longest = sg.compile(sg.Sequence(sg.Lark("start: /a+/"), sg.Text("a")), vocabulary_with([]))
    assert longest.accepts("aa")
    assert not longest.accepts("a")
