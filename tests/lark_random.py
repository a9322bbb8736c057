"""Random Lark grammars with overlapping terminals, and texts that nearly belong to them."""

from __future__ import annotations

import random
from collections.abc import Iterator

from lark_reference import Recogniser

ALPHABET = "abcB.\n-é"
"""Letters in both cases, a character of no word, a newline for the anchors, and a character of two bytes."""

_ATOMS = [
    "a",
    "b",
    "c",
    "B",
    r"\.",
    "-",
    "é",
    "ab",
    "[ab]",
    "[^a]",
    "[a-c]",
    "[^b\\n]",
    ".",
    r"\w",
    r"\W",
    "[B\\n]",
    "b?c",
]
_ANCHORS = ["^", "$", r"\b", r"\B", r"\A", r"\Z"]
_BEHIND = ["a", "b", "[ab]", "ab", "a|b", ".", r"\w", "[^a].", r"\n", "(?:ab|c.)"]
_QUANTIFIERS = ["?", "*", "+", "{2}", "{1,3}", "{0,2}", "{2,}", "{,2}"]


def pattern(draw: random.Random, depth: int = 3) -> str:
    """A regular expression of Python."""
    kind = draw.randrange(14)
    if depth == 0 or kind < 3:
        return draw.choice(_ATOMS)
    if kind < 6:
        return pattern(draw, depth - 1) + pattern(draw, depth - 1)
    if kind < 8:
        branches = [pattern(draw, depth - 1) for _ in range(draw.randint(2, 3))]
        if draw.randrange(6) == 0:
            branches[draw.randrange(len(branches))] = ""
        return draw.choice(["(?:", "("]) + "|".join(branches) + ")"
    if kind < 11:
        lazy = draw.choice(["", "", "?"])
        return draw.choice(["(?:", "("]) + pattern(draw, depth - 1) + ")" + draw.choice(_QUANTIFIERS) + lazy
    if kind == 11:
        return draw.choice(["(?=", "(?!"]) + pattern(draw, depth - 1) + ")"
    if kind == 12:
        if draw.randrange(2):
            return draw.choice(_ANCHORS)
        return draw.choice(["(?<=", "(?<!"]) + draw.choice(_BEHIND) + ")"
    return f"(?{draw.choice(['i', 's', 'm', 'a', 'i-s', '-i'])}:{pattern(draw, depth - 1)})"


def grammar(draw: random.Random) -> str:
    """A grammar of two to six terminals, some of them ignored, and rules that are optional or recursive."""
    lines = []
    names = []
    for k in range(draw.randint(2, 6)):
        name = "ABCDEF"[k]
        priority = draw.choice(["", "", "", ".2", ".-1"])
        if draw.randrange(3) == 0:
            body = (
                '"'
                + "".join(draw.choice("abcB.") for _ in range(draw.randint(1, 3)))
                + '"'
                + draw.choice(["", "", "i"])
            )
        else:
            text = pattern(draw).replace("/", r"\/")
            body = f"/{text}/" + draw.choice(["", "", "", "i", "s", "m", "im"])
        lines.append(f"{name}{priority}: {body}")
        names.append(name)
    ignored = [name for name in names if draw.randrange(6) == 0]
    lines += [f"%ignore {name}" for name in ignored]
    symbols = [*names, "x", "y"]

    def expansion() -> str:
        parts = []
        for _ in range(draw.randint(1, 3)):
            symbol = draw.choice(symbols)
            parts.append(symbol + draw.choice(["", "", "", "?", "*", "+"]) if symbol in names else symbol)
        return " ".join(parts)

    def rule(name: str, *, base: bool) -> str:
        branches = [expansion() for _ in range(draw.randint(1, 2))]
        if base:
            branches.append(draw.choice([*names, f"{draw.choice(names)} {draw.choice(names)}", ""]))
        return f"{name}: " + " | ".join(branches)

    first = f"start: ({' | '.join(names)})+" if draw.randrange(3) == 0 else rule("start", base=False)
    return "\n".join([first, rule("x", base=True), rule("y", base=True), *lines])


def texts(draw: random.Random, recogniser: Recogniser, count: int, longest: int) -> Iterator[str]:
    """Texts whose every prefix is alive as far as the tables know, one character in eight any other."""
    for _ in range(count):
        configurations, text = recogniser.start, ""
        for _ in range(draw.randint(0, longest)):
            letters = list(ALPHABET)
            draw.shuffle(letters)
            steps = ((letter, recogniser.steps(configurations, letter)) for letter in letters)
            strict = draw.randrange(8) > 0
            letter, configurations = next((s for s in steps if s[1] or not strict), (letters[0], set()))
            text += letter
        yield text
