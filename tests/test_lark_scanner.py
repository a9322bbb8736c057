from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Any

import lark
import pytest
from lark_reference import Recogniser
from lark_toys import TOYS

from syntagma.grammar.lark.scanner import tables


@lru_cache(maxsize=64)
def pair(grammar: str) -> tuple[lark.Lark, Recogniser]:
    built = lark.Lark(grammar, parser="lalr")
    return built, Recogniser(tables(built))


def lark_accepts(built: lark.Lark, text: str) -> bool:
    """Whether Lark parses a text; whatever it raises is a rejection (its indenter even has index errors)."""
    try:
        built.parse(text)
    except Exception:  # noqa: BLE001
        return False
    return True


def check_all(grammar: str, alphabet: str, longest: int) -> tuple[int, int]:
    """Compare all texts up to a length, each prefix run once; returns how many are accepted and how many are not."""
    built, recogniser = pair(grammar)
    counts = [0, 0]
    layer: list[tuple[str, Any]] = [("", recogniser.start)]
    for length in range(longest + 1):
        following = []
        for text, configurations in layer:
            accepts = recogniser.may_end(configurations)
            assert accepts == lark_accepts(built, text), text
            counts[accepts] += 1
            if length == longest:
                continue
            for letter in alphabet:
                following.append((text + letter, recogniser.steps(configurations, letter)))
        # Texts without a living configuration are compared as well, but not lengthened: all of them would be.
        dead = [text for text, after in following if not after]
        for text in dead[:: max(1, len(dead) // 200)]:
            assert not lark_accepts(built, text), text
            for more in itertools.product(alphabet, repeat=2):
                assert not lark_accepts(built, text + "".join(more)), text
        layer = [(text, after) for text, after in following if after]
    return counts[1], counts[0]


@pytest.mark.parametrize("name", TOYS)
def test_toys_have_the_language_of_lark(name: str) -> None:
    """All short texts over a toy's characters are accepted by the tables iff Lark parses them."""
    toy = TOYS[name]
    accepted, rejected = check_all(toy.grammar, toy.alphabet, toy.fast)
    assert accepted
    assert rejected


@pytest.mark.slow
@pytest.mark.parametrize("name", TOYS)
def test_toys_have_the_language_of_lark_in_longer_texts(name: str) -> None:
    """All texts over a toy's characters up to a greater length are accepted by the tables iff Lark parses them."""
    toy = TOYS[name]
    check_all(toy.grammar, toy.alphabet, toy.slow)
