"""Random grammars as trees, how each dialect writes them, and their languages by definition.

A part is a tuple: ``("text", s)``, ``("set", s)`` (one of these characters), ``("call", name)``, ``("seq", parts)``,
``("or", parts)``, ``("rep", part, least, most)`` (``most=None``: any number), ``("but", part, part)`` (the second takes texts away).
Nothing here knows of the package: the language is the least fixed point of what the words say, over sets of texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from hypothesis import strategies as st

Part = tuple[Any, ...]
Rules = dict[str, Part]

LETTERS = "ab"
NAMES = ("root", "A", "B", "C")


# -- languages ----------------------------------------------------------------------------------------------------------


def language(rules: Rules, start: str, longest: int) -> set[str]:
    """The texts of at most ``longest`` characters: the rules are applied until nothing new comes."""
    known: dict[str, set[str]] = {name: set() for name in rules}
    while True:
        new = {name: texts(part, known, longest) for name, part in rules.items()}
        if new == known:
            return known[start]
        known = new


def texts(part: Part, known: dict[str, set[str]], longest: int) -> set[str]:
    kind = part[0]
    if kind == "text":
        return {part[1]} if len(part[1]) <= longest else set()
    if kind == "set":
        return set(part[1]) if longest else set()
    if kind == "call":
        return known[part[1]]
    if kind == "or":
        return set().union(*(texts(p, known, longest) for p in part[1]))
    if kind == "but":
        return texts(part[1], known, longest) - texts(part[2], known, longest)
    if kind == "seq":
        found = {""}
        for p in part[1]:
            found = joined(found, texts(p, known, longest), longest)
        return found
    _, body, least, most = part
    once = texts(body, known, longest)
    found = {""}
    for _ in range(least):
        found = joined(found, once, longest)
        if not found:
            return set()
    layer = found
    for _ in range(longest + 1 if most is None else min(most - least, longest + 1)):
        layer = joined(layer, once, longest) - found
        if not layer:
            break
        found = found | layer
    return found


def joined(left: set[str], right: set[str], longest: int) -> set[str]:
    by_length = [[b for b in right if len(b) == n] for n in range(longest + 1)]
    return {a + b for a in left for n in range(longest - len(a) + 1) for b in by_length[n]}


def all_texts(letters: str, longest: int) -> list[str]:
    return ["".join(t) for n in range(longest + 1) for t in product(letters, repeat=n)]


# -- strategies ---------------------------------------------------------------------------------------------------------


def parts(names: tuple[str, ...], *, counts: bool = True, exceptions: bool = True) -> st.SearchStrategy[Part]:
    """Parts that call some names; exceptions are between parts that call nothing."""
    text = st.tuples(st.just("text"), st.sampled_from(["", "a", "b", "ab", "ba", "aa"]))
    one = st.tuples(st.just("set"), st.sampled_from(["a", "b", "ab"]))
    closed = st.recursive(text | one, lambda inner: composed(inner, counts=counts), max_leaves=4)
    leaves = [text, one]
    if names:
        leaves += [st.tuples(st.just("call"), st.sampled_from(names))] * 2
    if exceptions:
        leaves.append(st.tuples(st.just("but"), closed, closed))
    return st.recursive(st.one_of(leaves), lambda inner: composed(inner, counts=counts), max_leaves=6)


def composed(inner: st.SearchStrategy[Part], *, counts: bool) -> st.SearchStrategy[Part]:
    lists = st.lists(inner, min_size=2, max_size=3)
    bounds = st.sampled_from([(0, None), (1, None), (0, 1)])
    if counts:
        bounds = bounds | st.sampled_from([(0, 0), (2, 2), (0, 3), (1, 2), (2, None), (3, 4), (1, 6), (3, 3)])
    repeats = st.tuples(inner, bounds).map(lambda t: ("rep", t[0], *t[1]))
    return st.tuples(st.sampled_from(["seq", "or"]), lists) | repeats


@st.composite
def grammars(draw: st.DrawFn, *, counts: bool = True, exceptions: bool = True) -> Rules:
    """One to four rules; every kind of recursion comes up, and useless, nullable and empty rules."""
    names = NAMES[: draw(st.integers(1, 4))]
    part = parts(names, counts=counts, exceptions=exceptions)
    return {name: draw(part) for name in names}


# -- concrete syntax ----------------------------------------------------------------------------------------------------


def written(rules: Rules, dialect: str) -> str:
    """The grammar in a dialect."""
    lines = []
    for name, part in rules.items():
        body = WRITERS[dialect](part)
        if dialect == "iso":
            lines.append(f"{name} = {body} ;")
        elif dialect == "bnf":
            lines.append(f'<{name}> ::= "" {body}')  # without any quote it would be Naur's own notation
        else:
            lines.append(f"{name} ::= {body}")
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    return '"' + text + '"'


def gbnf(part: Part) -> str:
    """GBNF and xgrammar's EBNF, without exceptions."""
    kind = part[0]
    if kind == "text":
        return quoted(part[1])
    if kind == "set":
        return f"[{part[1]}]"
    if kind == "call":
        return str(part[1])
    if kind == "seq":
        return "(" + " ".join(map(gbnf, part[1])) + ")" if part[1] else '""'
    if kind == "or":
        return "(" + " |\n  ".join(map(gbnf, part[1])) + ")"
    _, body, least, most = part
    sign = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((least, most))
    if sign is None:
        sign = f"{{{least}}}" if least == most else f"{{{least},{'' if most is None else most}}}"
    return gbnf(body) + sign


def w3c(part: Part) -> str:
    """W3C EBNF, which has no counts."""
    kind = part[0]
    if kind == "text":
        return f"'{part[1]}'"
    if kind == "set":
        return f"[{part[1][0]}#x{ord(part[1][-1]):X}]"
    if kind == "call":
        return str(part[1])
    if kind == "seq":
        return "(" + " ".join(map(w3c, part[1])) + ")" if part[1] else "''"
    if kind == "or":
        return "( /* one of */ " + " | ".join(map(w3c, part[1])) + ")"
    if kind == "but":
        return f"({w3c(part[1])} - {w3c(part[2])})"
    _, body, least, most = part
    one = w3c(body)
    if most is None:
        return "(" + " ".join([one] * max(least - 1, 0) + [one + ("+" if least else "*")]) + ")"
    return "(" + " ".join([one] * least + [one + "?"] * (most - least) or ["''"]) + ")"


def iso(part: Part) -> str:
    """ISO 14977, in which a count is ``n *`` and all else is brackets."""
    kind = part[0]
    if kind == "text":
        return quoted(part[1])
    if kind == "set":
        return "(" + " | ".join(map(quoted, part[1])) + ")"
    if kind == "call":
        return str(part[1])
    if kind == "seq":
        return "(" + ", ".join(map(iso, part[1])) + ")" if part[1] else '""'
    if kind == "or":
        return "( (* one of *) " + " | ".join(map(iso, part[1])) + ")"
    if kind == "but":
        return f"({iso(part[1])} - {iso(part[2])})"
    _, body, least, most = part
    one = iso(body)
    rest = f"{{ {one} }}" if most is None else f"{most - least} * [ {one} ]"
    return f"({least} * {one}, {rest})" if least else f"({rest})"


def bnf(part: Part) -> str:
    """Extended BNF: names in angle brackets, brackets for what is optional or repeated."""
    kind = part[0]
    if kind == "text":
        return quoted(part[1])
    if kind == "set":
        return "(" + " | ".join(map(quoted, part[1])) + ")"
    if kind == "call":
        return f"<{part[1]}>"
    if kind == "seq":
        return "(" + " ".join(map(bnf, part[1])) + ")" if part[1] else '""'
    if kind == "or":
        return "(" + " | ".join(map(bnf, part[1])) + ")"
    if kind == "but":
        return f"({bnf(part[1])} - {bnf(part[2])})"
    _, body, least, most = part
    one = bnf(body)
    rest = [f"{{ {one} }}"] if most is None else [f"[ {one} ]"] * (most - least)
    return "(" + " ".join([one] * least + rest or ['""']) + ")"


def of_productions(rules: Mapping[str, Sequence[Sequence[str | bytes]]]) -> Rules:
    """Plain productions as parts."""

    def symbol(x: str | bytes) -> Part:
        return ("call", x) if isinstance(x, str) else ("text", x.decode())

    return {
        name: ("or", [("seq", [symbol(x) for x in a]) for a in alternatives]) for name, alternatives in rules.items()
    }


def bare(rules: Mapping[str, Sequence[Sequence[str | bytes]]]) -> str:
    """Plain productions in the notation of the Algol report: no quotes, whatever is no name stands for itself."""
    lines = []
    for name, alternatives in rules.items():
        words = (" ".join(f"<{x}>" if isinstance(x, str) else x.decode() for x in a) for a in alternatives)
        lines.append(f"<{name}> ::= " + " | ".join(words))
    return "\n".join(lines)


WRITERS = {"gbnf": gbnf, "xgrammar": gbnf, "w3c": w3c, "iso": iso, "bnf": bnf}
