"""Seeded random context-free grammars: all kinds of recursion, nullable rules, units, rules without texts."""

from __future__ import annotations

import random

from syntagma.grammar.bnf import Symbol

NAMES = "SABC"

Productions = dict[str, list[list[Symbol]]]

FIXED: dict[str, Productions] = {
    "sums": {"E": [["E", b"+", "E"], [b"(", "E", b")"], [b"a"]]},
    "left and right": {"S": [["S", b"a"], [b"b", "S"], [b"c"]]},
    "hidden left": {"S": [["N", "S", b"a"], [b"b"]], "N": [[], [b"c"]]},
    "indirect left": {"S": [["A", b"a"], [b"b"]], "A": [["B", b"c"], ["S"]], "B": [["S", b"b"], ["A"]]},
    "unit cycle": {"S": [["A"], [b"a", "S"]], "A": [["B"], [b"b"]], "B": [["S"], ["A"]]},
    "dangling else": {"S": [[b"i", "S", b"e", "S"], [b"i", "S"], [b"x"]]},
    "more opened than closed": {"S": [[b"a", "S", b"b"], [b"a", "S"], []]},
    "everything": {"S": [["S", "S"], [b"a"], []]},
    "one or two": {"S": [[b"a", "S", b"b"], [b"a", "S", b"b", b"b"], []]},
    "two precedences": {
        "E": [["E", b"+", "T"], ["T"]],
        "T": [["T", b"*", "F"], ["F"]],
        "F": [[b"(", "E", b")"], [b"x"]],
    },
    "open chain": {"S": [["A", b"c"], ["A"]], "A": [[b"a", "B"], [b"a", "B", b"b"]], "B": [[b"b"], [b"b", "S"]]},
    "opposite ends": {"S": [[b"a", "A"], [b"b", "A", b"a"]], "A": [["S", b"b"], ["S"], [b"c", "S", "A"], [b"a"]]},
    "no texts beside some": {"S": [["S", b"a"], ["A"], [b"b", "B"]], "A": [["A", b"c"]], "B": [[b"a", "B"], [b"c"]]},
}


def random_productions(rng: random.Random, letters: bytes = b"abc") -> Productions:
    """One to four rules of one to three alternatives over a few letters; the start symbol is S."""
    names = NAMES[: rng.randint(1, 4)]
    alphabet = letters[: rng.randint(2, len(letters))]
    rules: Productions = {}
    for name in names:
        rules[name] = [_alternative(rng, names, alphabet) for _ in range(rng.randint(1, 3))]
        if rng.random() < 0.75:  # most rules have an end in sight, or hardly any grammar would have texts
            rules[name].append([_letter(rng, alphabet)])
    return rules


def _letter(rng: random.Random, alphabet: bytes) -> bytes:
    return bytes([rng.choice(alphabet)])


def _alternative(rng: random.Random, names: str, alphabet: bytes) -> list[Symbol]:
    length = rng.choice((0, 1, 1, 2, 2, 2, 3, 3, 4))
    return [rng.choice(names) if rng.random() < 0.5 else _letter(rng, alphabet) for _ in range(length)]
