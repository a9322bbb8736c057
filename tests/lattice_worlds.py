"""Languages with small vocabularies on which lattices are tried, and canvases over them.

Canvases are mostly feasible: a sequence of tokens is drawn from the truth, some of its slots are opened, and 15 in 100 are spoilt.
Uniformly random canvases are nearly all empty and would test nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import lark
import numpy as np
from cfg_grammars import NAMES, Rules, grammars, of_productions, parts, written
from hypothesis import strategies as st
from lark_toys import INDENTED, TOYS, Brackets
from lattice_oracle import World
from lattice_recognisers import Earley, Json, LarkText, Pattern, Saying, productions
from random_grammars import FIXED, random_productions

import syntagma as sg

# -- regular --------------------------------------------------------------------------------------------------------------

REGULAR: dict[str, tuple[str, list[bytes]]] = {
    "pairs": (r"(ab|ba)*", [b"a", b"b", b"ab", b"ba", b"bab", b"aab", b"abba"]),
    "a fixed length": (r"[ab]{4,7}b", [b"a", b"b", b"aa", b"bb", b"aba", b"bbbb", b"ab"]),
    "third from the end": (r"[ab]*a[ab]{2}", [b"a", b"b", b"ab", b"aab", b"bbab", b"aa"]),
    "no single b": (r"(a|bb)+", [b"a", b"bb", b"ab", b"ba", b"bba", b"aa", b"a"]),
    "multiples of three": (r"(aaa)*b?", [b"a", b"aa", b"aaaa", b"b", b"ab", b"aab"]),
    "characters of two and three bytes": (
        r"(é|€x?)+",
        ["é".encode(), b"\xc3", b"\xa9", b"\xe2\x82", b"\xac", "€".encode(), b"x", b"\xacx", b"\xa9\xc3", b"\xa9\xe2"],
    ),
    "nothing or one word": (r"(abc)?", [b"a", b"b", b"c", b"ab", b"bc", b"abc"]),
    "dates": (r"[12]-[01][12]", [b"1", b"2", b"0", b"-", b"1-", b"-0", b"12", b"01", b"-1", b"2-1"]),
}


def regular(name: str) -> World:
    pattern, tokens = REGULAR[name]
    return World(sg.Regex(pattern), tokens, Pattern(pattern), longest=5, ends=2 if name == "dates" else 1)


# -- context-free ---------------------------------------------------------------------------------------------------------

NESTED: dict[str, dict[str, list[list[str | bytes]]]] = {
    "brackets of two kinds": {"S": [[], [b"(", "S", b")", "S"], [b"[", "S", b"]", "S"]]},
    "palindromes": {"S": [[b"a", "S", b"a"], [b"b", "S", b"b"], [b"a"], [b"b"], []]},
    "equal numbers": {"S": [[b"a", "S", b"b", "S"], [b"b", "S", b"a", "S"], []]},
    "a list": {"L": [[b"[", b"]"], [b"[", "I", b"]"]], "I": [["I", b",", "X"], ["X"]], "X": [[b"1"], ["L"]]},
    "three recursions through one another": {
        "S": [["A", "S"], [b"c"]],
        "A": [["S", b"b"], [b"a"], ["N", "A"]],
        "N": [[]],
    },
    "hidden left behind two": {"S": [["N", "N", "S", b"b"], [b"a"]], "N": [[], [b"c", "N"]]},
}

CROSSING: dict[str, list[bytes]] = {
    "brackets of two kinds": [b"(", b")", b"[", b"]", b"()", b")(", b"([", b"])", b"][", b"()["],
    "a list": [b"[", b"]", b",", b"1", b"[[", b"]]", b"],[", b"1,1", b",1]", b"[1,", b"1]]"],
    "sums": [b"+", b"(", b")", b"a", b"((", b"a+", b"+a", b")+(", b"(a)", b"a)"],
    "two precedences": [b"+", b"*", b"(", b")", b"x", b"x+", b"*x", b")*(", b"(x", b"x)"],
    "dangling else": [b"i", b"e", b"x", b"ii", b"ix", b"xe", b"exe", b"ixe"],
}


def context_free(name: str) -> World:
    """By its productions, with tokens that cross its brackets."""
    rules = {**FIXED, **NESTED}[name]
    start = next(iter(rules))
    parts_of = of_productions(rules)
    letters = sorted({s for alternatives in rules.values() for a in alternatives for s in a if isinstance(s, bytes)})
    if name in CROSSING:
        tokens = CROSSING[name]
    else:
        draw = random.Random(name)
        tokens = [*letters, *(b"".join(draw.choices(letters, k=draw.randint(2, 3))) for _ in range(8 - len(letters)))]
    return World(
        sg.Gbnf(written(parts_of, "gbnf"), start=start),
        tokens,
        Earley(productions(parts_of), start),
        longest=4 if len(tokens) > 8 else 5,
        pads=name != "sums",
    )


def balanced(text: str) -> bool:
    """Every closing bracket closes one that is open, and none is left."""
    depth = 0
    for letter in text:
        depth += 1 if letter == "(" else -1
        if depth < 0:
            return False
    return depth == 0


def one_or_two(text: str) -> bool:
    """Some a, then as many b or up to twice as many."""
    n = len(text) - len(text.lstrip("a"))
    return text[n:] == "b" * (len(text) - n) and n <= len(text) - n <= 2 * n


# Eight slots, by a function that a person can check: (source, tokens, membership).
LONG: dict[str, tuple[sg.Source, list[bytes], Callable[[str], bool]]] = {
    "brackets": (sg.Gbnf('root ::= "" | root "(" root ")"'), [b"(", b")", b")("], balanced),
    "brackets, pairs": (sg.Gbnf('root ::= "" | "(" root ")" root'), [b"(", b")", b"()", b"))"], balanced),
    "palindromes": (
        sg.Gbnf('root ::= "a" root "a" | "b" root "b" | "a" | "b" | ""'), [b"a", b"b", b"ab"], lambda text: text == text[::-1],
    ),
    "as many": (
        sg.Gbnf('root ::= "" | "a" root "b" root | "b" root "a" root'), [b"a", b"b", b"ba"], lambda text: 2 * text.count("a") == len(text),
    ),
    "one or two": (sg.Gbnf('root ::= "" | "a" root "b" | "a" root "b" "b"'), [b"a", b"b", b"ab", b"bb"], one_or_two),
    "odd": (sg.Regex("([ab][ab])*[ab]"), [b"a", b"b", b"aa"], lambda text: len(text) % 2 == 1),
}  # fmt: skip


def long(name: str) -> World:
    source, tokens, says = LONG[name]
    return World(source, tokens, Saying(says), longest=8 if len(tokens) < 4 else 7)


# -- JSON Schema ----------------------------------------------------------------------------------------------------------

ARRAY = [b"[", b"]", b",", b"1", b"2", b"12", b"[[", b"]]", b"],[", b"1,", b",2]", b"[1,"]
WORD = [b'"', b"a", b"b", b"ab", b'"a', b'b"', b'""', b"aba", b'a"']
OBJECT = [b"{", b"}", b'"a":', b"1", b",", b'{"', b'a":1', b',"', b'b":1', b"a", b'1,"', b'":1}']
SET = [b"[", b"]", b",", b"1", b'"a"', b'"', b"b", b'["', b'","', b'"]', b'a","', b"a"]
A_LIST = {
    "$ref": "#/$defs/l",
    "$defs": {"l": {"type": "array", "items": {"anyOf": [{"const": 1}, {"$ref": "#/$defs/l"}]}, "maxItems": 3}},
}
A_CHAIN = {
    "$ref": "#/$defs/c",
    "$defs": {
        "c": {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/c"}, "b": {"const": 1}},
            "additionalProperties": False,
        }
    },
}
ONE = {"const": 1}

SCHEMAS: dict[str, tuple[dict[str, Any], list[bytes], str]] = {
    "an enumeration": ({"enum": [1, 12, "a", "ab", [1, 2], None]}, [*ARRAY[:6], b'"', b"a", b'b"', b"null", b'"a'], "schema"),
    "at most three": ({"type": "array", "items": {"enum": [1, 2]}, "maxItems": 3}, ARRAY, "schema"),
    "at least three": ({"type": "array", "items": {"enum": [1, 12]}, "minItems": 3, "maxItems": 5}, ARRAY, "schema"),
    "exactly four, nested": (
        {"type": "array", "items": {"type": "array", "items": ONE, "maxItems": 1}, "minItems": 4, "maxItems": 4}, ARRAY, "schema",
    ),
    "lists of lists": (A_LIST, ARRAY, "schema"),
    "a chain": (A_CHAIN, [b"{", b"}", b'"a":', b'"b":', b"1", b",", b'{"a":', b"1}", b"}}", b'{"', b'b":1'], "schema"),
    "short words": ({"type": "string", "maxLength": 3}, [*WORD, b'\\"', "é".encode(), b"\xc3"], "schema"),
    "words of a length": ({"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^a"}, WORD, "schema"),
    "integers in bounds": ({"type": "integer", "minimum": 2, "maximum": 121}, [b"1", b"2", b"0", b"12", b"20", b"11"], "schema"),
    "two of a prefix": (
        {"type": "array", "prefixItems": [{"enum": [1, 2]}, {"type": "string", "maxLength": 2}], "items": False, "minItems": 1},
        [*ARRAY[:6], b'"', b"a", b'1,"', b'"]', b',"a'], "schema",
    ),
    "two required": (
        {"type": "object", "properties": {"a": ONE, "b": {"enum": [1, 11]}}, "required": ["a", "b"], "additionalProperties": False},
        OBJECT, "schema",
    ),
    "one optional": (
        {"type": "object", "properties": {"a": ONE, "b": ONE}, "required": ["b"], "additionalProperties": False}, OBJECT, "schema",
    ),
}  # fmt: skip

REGISTERS: dict[str, tuple[dict[str, Any], list[bytes], str]] = {
    "free keys": ({"type": "object", "additionalProperties": ONE}, OBJECT, "schema"),
    "free keys behind a required one": (
        {"type": "object", "properties": {"a": ONE}, "required": ["a"], "additionalProperties": ONE}, OBJECT, "schema",
    ),
    "free keys, any order": ({"type": "object", "properties": {"a": ONE}, "additionalProperties": ONE}, OBJECT, "any"),
    "free keys, two at least": ({"type": "object", "additionalProperties": ONE, "minProperties": 2}, OBJECT, "schema"),
    "two in any order": (
        {"type": "object", "properties": {"a": ONE, "b": ONE}, "required": ["a", "b"], "additionalProperties": False}, OBJECT, "any",
    ),
    "names that run out": (
        {"type": "object", "propertyNames": {"enum": ["a", "b"]}, "additionalProperties": ONE}, OBJECT, "schema",
    ),
    "different words": ({"type": "array", "items": {"enum": ["a", "b", "ab"]}, "uniqueItems": True, "minItems": 2}, SET, "schema"),
    "different strings": ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, SET, "schema"),
    "different scalars": ({"type": "array", "items": {"enum": [1, 2, "a", "1"]}, "uniqueItems": True}, SET, "schema"),
    "different lists": (
        {"type": "array", "items": {"type": "array", "items": {"enum": [1, 2]}, "maxItems": 2}, "uniqueItems": True}, ARRAY, "schema",
    ),
    "one of two must be left": (
        {"type": "array", "prefixItems": [{"enum": [1, 2]}, {"enum": [1, 12]}], "minItems": 2, "uniqueItems": True, "items": False},
        ARRAY, "schema",
    ),
    "what comes later must be left": (
        {"type": "array", "prefixItems": [{"enum": [1, 2]}, ONE], "items": False, "minItems": 2, "uniqueItems": True}, ARRAY, "schema",
    ),
}  # fmt: skip


def json_schema(name: str) -> World:
    schema, tokens, order = {**SCHEMAS, **REGISTERS}[name]
    source = sg.JsonSchema(schema, whitespace="compact", property_order=order)  # type: ignore[arg-type]
    return World(source, tokens, Json(schema, order=order), longest=5, ends=1, pads=name != "at most three")


# -- Lark -----------------------------------------------------------------------------------------------------------------

COMPETING: dict[
    str, list[bytes]
] = {  # every byte is a token: parsers are cut down to those (docs/architecture.md, Liveness)
    "the shorter of two terminals is found after the longer has failed": [
        b"a",
        b"b",
        b"c",
        b"d",
        b"e",
        b"ab",
        b"ce",
        b"bc",
        b"cd",
    ],
    "a fraction is given up at the second dot": [b"1", b"2", b".", b"..", b"1.", b".2", b"1..", b"..2"],
    "a keyword begins while the number before could still become a float": [
        b"1",
        b"i",
        b"f",
        b"e",
        b"l",
        b"s",
        b"if",
        b"else",
        b"1e",
        b" ",
        b"1if",
        b"else1",
    ],
    "a keyword is re-labelled only where the whole lexeme is the keyword": [
        b"i",
        b"f",
        b"x",
        b" ",
        b"if",
        b"f ",
        b" i",
    ],
    "three quotes beat one": [b'"', b"a", b'""', b'"""', b'a"', b'"a'],
    "a higher priority rejects": [b"a", b"b", b"c", b"ab", b"ac", b"bc"],
    "terminals compete through merged look-aheads": [b"(", b")", b"[", b"a", b"!", b")!", b"a)", b"(a"],
}
PARSED: dict[str, tuple[str, list[bytes]]] = {
    "sums with names, numbers and blanks": (
        """
        start: sum
        sum: atom | sum "+" atom
        atom: NAME | NUM | "(" sum ")"
        NAME: /[ab]+/
        NUM: /1+(e1+)?/
        %ignore " "
        """,
        [b"a", b"1", b"e", b"+", b"(", b")", b" ", b"a+", b"((", b"1)", b")+(", b"b"],
    ),
    "an else belongs to the nearest if": (
        """
        start: s
        s: "i" s | "i" s "e" s | "x"
        """,
        [b"i", b"e", b"x", b"ii", b"ix", b"xe", b"exe"],
    ),
    "the parser chooses the lexer": (
        """
        start: (w ";")*
        w: "k" NAME? | "(" w ")" | NAME "=" NUM
        NAME: /[k1]+/
        NUM: /1+/
        %ignore / +/
        """,
        [b"k", b"1", b"=", b"(", b")", b";", b" ", b"k ", b");", b"=1", b"k1"],
    ),
    "closed from right to left": (
        """
        start: "a" start | "b" start "c" |
        """,
        [b"a", b"b", b"c", b"ab", b"cc", b"bb", b"bac"],
    ),
    "rules of nothing between brackets": (
        """
        start: "[" e x e "]"
        x: start x | ","
        e:
        """,
        [b"[", b"]", b",", b"[[", b"[,", b",]", b"]]", b",]["],
    ),
}
BLOCKS: dict[str, list[bytes]] = {
    "blocks": [b"a", b":", b"\n", b" ", b";", b"(", b")", b":\n", b"\n ", b"a;"],
    "a newline that no blank may follow twice": [b"a", b":", b"\n", b" ", b"\t", b":\n", b"a\n", b"\n\t"],
    "comments belong to newlines": [b"a", b":", b"\n", b"#", b" ", b"a\n", b":\n "],
}


def parsed(name: str) -> World:
    grammar, tokens = PARSED[name]
    built = lark.Lark(grammar, parser="lalr")
    return World(sg.Lark(built), tokens, LarkText(built), longest=4 if len(tokens) > 7 else 5)


def of_lark(name: str) -> World:
    toy = {**TOYS, **INDENTED}[name]
    tokens = {**COMPETING, **BLOCKS}[name]
    built = lark.Lark(toy.grammar, parser="lalr", postlex=Brackets() if name in INDENTED else None)
    return World(sg.Lark(built), tokens, LarkText(built), longest=4 if len(tokens) > 6 else 5)


# -- all of them ----------------------------------------------------------------------------------------------------------

BUILDERS: dict[str, tuple[Callable[[str], World], Sequence[str]]] = {
    "regular": (regular, [*REGULAR]),
    "context-free": (context_free, [*FIXED, *NESTED]),
    "long": (long, [*LONG]),
    "schema": (json_schema, [*SCHEMAS]),
    "registers": (json_schema, [*REGISTERS]),
    "Lark": (of_lark, [*COMPETING]),
    "parsed": (parsed, [*PARSED]),
    "indented": (of_lark, [*BLOCKS]),
}
PLAIN = [(family, name) for family in ("regular", "context-free", "schema") for name in BUILDERS[family][1]]
WIDE = [("long", name) for name in LONG]
HARD = [(family, name) for family in ("registers", "Lark", "parsed", "indented") for name in BUILDERS[family][1]]


@cache
def world(family: str, name: str) -> World:
    """One of the worlds by name, made once."""
    return BUILDERS[family][0](name)


# -- strategies -----------------------------------------------------------------------------------------------------------

TEXTS = st.lists(st.text("ab", min_size=2, max_size=3), max_size=5)


@st.composite
def vocabularies(draw: st.DrawFn) -> list[bytes]:
    """Tokens over two letters that cross terminals; duplicates come, and sometimes a single letter is missing."""
    letters = draw(st.sampled_from([["a", "b"]] * 6 + [["a"], ["b"]]))
    return [t.encode() for t in letters + draw(TEXTS)] or [b"a"]


def as_pattern(part: Any) -> str:
    """A part without calls as a pattern of ``re``."""
    kind = part[0]
    if kind == "text":
        return f"(?:{part[1]})"
    if kind == "set":
        return f"[{part[1]}]"
    if kind in {"seq", "or"}:
        return "(?:" + ("" if kind == "seq" else "|").join(map(as_pattern, part[1])) + ")"
    _, body, least, most = part
    return f"(?:{as_pattern(body)}){{{least},{'' if most is None else most}}}"


@st.composite
def random_worlds(draw: st.DrawFn) -> World:
    """A random regular expression or context-free grammar with a random vocabulary; some have no text at all."""
    tokens = draw(vocabularies())
    ends, pads = draw(st.sampled_from([(1, 0), (1, 1), (2, 1)]))
    if draw(st.booleans()):
        pattern = as_pattern(draw(parts((), exceptions=False)))
        return World(sg.Regex(pattern), tokens, Pattern(pattern), longest=5, ends=ends, pads=pads, most=FEW)
    rules: Rules = draw(grammars(exceptions=False))
    recogniser = Earley(productions(rules), NAMES[0])
    return World(sg.Gbnf(written(rules, "gbnf")), tokens, recogniser, longest=5, ends=ends, pads=pads, most=FEW)


FEW = 2000
"""Texts that are tried of a random language."""

# -- random languages from a seed ----------------------------------------------------------------------------------------------


def random_pattern(draw: random.Random, depth: int = 3) -> str:
    """A pattern over two letters."""
    kind = draw.randrange(8)
    if depth == 0 or kind < 2:
        return draw.choice(["a", "b", "ab", "[ab]", "ba"])
    if kind < 4:
        return random_pattern(draw, depth - 1) + random_pattern(draw, depth - 1)
    if kind < 6:
        return f"(?:{random_pattern(draw, depth - 1)}|{random_pattern(draw, depth - 1)})"
    return f"(?:{random_pattern(draw, depth - 1)}){draw.choice(['*', '+', '?', '{2}', '{1,3}', '{2,}', '{0,4}'])}"


def random_schema(draw: random.Random, depth: int = 2) -> dict[str, Any]:
    """A schema whose documents are short; keys come in an order that ``Json`` knows."""
    kind = draw.randrange(9 if depth else 4)
    if kind == 0:
        values = [1, 2, 12, "a", "ab", "1", None, [1], [], {}, {"a": 1}, [[]]]
        return {"enum": draw.sample(values, draw.randint(1, 5))}
    if kind == 1:
        low = draw.choice([1, 2, 11])
        return {"type": "integer", "minimum": low, "maximum": low + draw.choice([0, 1, 20, 200])}
    if kind == 2:
        low = draw.randrange(3)
        return {"type": "string", "minLength": low, "maxLength": low + draw.randrange(3)}
    if kind == 3:
        return {"type": "string", "pattern": draw.choice(["^a", "b$", "^(a|ab)*$", "a"]), "maxLength": 3}
    if kind < 7:
        made: dict[str, Any] = {"type": "array", "items": random_schema(draw, depth - 1)}
        if draw.random() < 0.2:
            made["items"] = {"$ref": "#"}
        if draw.random() < 0.3:
            made["prefixItems"] = [random_schema(draw, depth - 1)]
        if draw.random() < 0.5:
            made["maxItems"] = draw.randrange(4)
        if draw.random() < 0.4:
            made["minItems"] = draw.randrange(3)
        if draw.random() < 0.4:
            made["uniqueItems"] = True
        return made
    if kind == 7:
        return {"anyOf": [random_schema(draw, depth - 1), random_schema(draw, depth - 1)]}
    names = draw.sample(["a", "b", "ab"], draw.randint(0, 2))
    made = {
        "type": "object",
        "properties": {n: {"$ref": "#"} if draw.random() < 0.15 else random_schema(draw, depth - 1) for n in names},
        "additionalProperties": draw.choice([False, {"const": 1}]),
    }
    made["required"] = names if made["additionalProperties"] else [n for n in names if draw.random() < 0.5]
    if draw.random() < 0.2:
        made["minProperties"] = draw.randint(0, 2)
    if draw.random() < 0.2:
        made["maxProperties"] = draw.randint(len(names), 3)
    return made


FRAGMENTS = [
    b'":', b'":1', b'1,"', b'","', b'["', b'"]', b'{"', b'"}', b"],[", b"[[", b"]]", b"1,", b",1", b"1]", b"[1", b'"a', b'a"', b'"a"', b"12",
    b"null", b'"a":', b'{"a":1', b'b":1', b"1}", b"}}", b"[]", b"{}", b'""', b',"b', b'":{"', b'"],["',
]  # fmt: skip


def random_world(draw: random.Random, family: str) -> World:
    """A random language of a family, ``regular``, ``context-free`` or ``schema``, with a random vocabulary."""
    ends, pads = draw.choice([(1, 0), (1, 1), (2, 1)])
    if family == "schema":
        schema = random_schema(draw)
        while "type" not in schema:  # a root that refers to itself through combinators alone says nothing
            schema = random_schema(draw)
        order = draw.choice(["schema", "any"])
        letters = [b"[", b"]", b"{", b"}", b",", b'"', b"1", b"a"]
        used = draw.sample(letters, draw.choice([8, 8, 6, 5]))
        tokens = used + draw.sample(FRAGMENTS, 12 - len(used))
        source = sg.JsonSchema(schema, whitespace="compact", property_order=order)  # type: ignore[arg-type]
        return World(source, tokens, Json(schema, order=order), longest=5, ends=ends, pads=pads, most=10 * FEW)
    letters = [b"a", b"b"] if family == "regular" else [b"a", b"b", b"c"]
    used = letters if draw.random() < 0.8 else draw.sample(letters, len(letters) - 1)
    tokens = used + [b"".join(draw.choices(letters, k=draw.randint(2, 4))) for _ in range(draw.randint(0, 5))]
    if family == "regular":
        pattern = random_pattern(draw)
        return World(sg.Regex(pattern), tokens, Pattern(pattern), longest=5, ends=ends, pads=pads, most=FEW)
    rules = of_productions(random_productions(draw))
    recogniser = Earley(productions(rules), "S")
    return World(
        sg.Gbnf(written(rules, "gbnf"), start="S"), tokens, recogniser, longest=5, ends=ends, pads=pads, most=FEW
    )


# -- canvases -------------------------------------------------------------------------------------------------------------


@st.composite
def canvases(draw: st.DrawFn, of: World, *, gaps: bool = True, open_slots: int = 5) -> list[Any]:
    """Slots that can mostly be filled: drawn from the truth, opened, and spoilt in 15 of 100 cases."""
    seed = draw(st.integers(0, 2**32 - 1))
    return canvas(of, random.Random(seed), gaps=gaps, open_slots=open_slots)


def random_canvases(
    data: st.DataObject, many: int, *, gaps: bool = True
) -> Iterator[tuple[World, list[Any], random.Random]]:
    """Some canvases of one random language that has texts, each with a source of randomness."""
    of: World = data.draw(random_worlds())
    if of.members:
        for _ in range(many):
            slots = data.draw(canvases(of, gaps=gaps))
            yield of, slots, data.draw(st.integers(0, 2**32 - 1).map(random.Random))


def true_tokens(of: World, draw: random.Random) -> list[int]:
    """Some accepted sequence of tokens, end-of-sequence and padding included; any tokens at all if there is none."""
    vocab = of.vocab
    lengths = [n for n in range(1, of.longest + 1) if of.completable(b"", n)]
    if not lengths:
        return [draw.randrange(vocab.size) for _ in range(draw.randint(1, of.longest))]
    long = [n for n in lengths if n >= of.longest - 1]
    n = draw.choice(long if long and draw.random() < 0.7 else lengths)
    tokens: list[int] = []
    text, ended = b"", False
    while len(tokens) < n:
        choices = []
        for token in range(vocab.size):
            after = of.after(text, ended, token)
            if after is not None and (after[1] or of.completable(after[0], n - len(tokens) - 1)):
                choices.append(token)
        text_tokens = [t for t in choices if vocab.tokens[t]]
        token = draw.choice(text_tokens if text_tokens and draw.random() < 0.8 else choices)
        tokens.append(token)
        after = of.after(text, ended, token)
        assert after is not None
        text, ended = after
    return tokens


def canvas(of: World, draw: random.Random, *, gaps: bool = True, open_slots: int = 5) -> list[Any]:
    """As ``canvases``, from a generator of random numbers."""
    tokens = true_tokens(of, draw)
    size = of.vocab.size
    if draw.random() < 0.15:
        tokens[draw.randrange(len(tokens))] = draw.randrange(size)
    spare = of.longest - len(tokens)
    slots: list[Any] = []
    i = 0
    opened = 0
    density = draw.choice((0.3, 0.6, 0.9))
    while i < len(tokens):
        kind = draw.random()
        if gaps and kind < 0.12 and opened < open_slots:
            taken = draw.randint(0, min(2, len(tokens) - i))  # the tokens that the gap stands for
            most = min(taken + draw.randint(0, 1), taken + spare)
            spare -= most - taken
            slots.append(sg.Gap(draw.randint(0, taken), most))
            i += taken
            opened += 1
        elif draw.random() < density and opened < open_slots:
            if draw.random() < 0.25:
                allowed = {draw.randrange(size) for _ in range(draw.randint(0, 4))}
                if draw.random() < 0.85:
                    allowed.add(tokens[i])
                slots.append(sg.Hole(allowed))
            else:
                slots.append(sg.HOLE)
            i += 1
            opened += 1
        else:
            slots.append(tokens[i])
            i += 1
    return slots


def log_probs(draw: random.Random, holes: int, size: int) -> np.ndarray:
    """float64[holes, size]: log probabilities; a few are minus infinity, and ties come."""
    rng = np.random.default_rng(draw.getrandbits(32))
    found = rng.normal(0, 2, (holes, size)) if draw.random() < 0.7 else rng.integers(-3, 1, (holes, size)).astype(float)
    if draw.random() < 0.3:
        found[rng.random((holes, size)) < 0.1] = -np.inf
    return found
