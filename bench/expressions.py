"""Python expressions, as a grammar that nests and as random texts of it: a constraint with a stack for benchmarks, which Python itself can judge."""

from __future__ import annotations

import ast
import random

GRAMMAR = r"""
root    ::= expr
expr    ::= term (op term)*
op      ::= " + " | " - " | " * " | " == " | " < " | " and " | " or " | " in "
term    ::= name trailer* | number | string | display | "(" expr ")"
trailer ::= "." name | "(" items? ")" | "[" expr "]"
display ::= "[" items? "]" | "{" (pair (", " pair)*)? "}"
items   ::= expr (", " expr)*
pair    ::= expr ": " expr
name    ::= [a-z]+ ("_" [a-z]+)+
number  ::= "0" | [1-9] [0-9]*
string  ::= "'" [a-zA-Z0-9 _.,:-]* "'"
"""
"""A part of the language whose every text is an expression: a name has an underscore in it, so that none is a keyword."""

WORDS = (
    "self_name file_path os_path line_no get_text set_value is_open read_all to_json key_of first_arg last_item".split()
)
OPERATORS = [" + ", " - ", " * ", " == ", " < ", " and ", " or ", " in "]


def expression(rng: random.Random, depth: int = 3) -> str:
    """A random text of the grammar."""
    kind = rng.randrange(7 if depth else 3)
    inner = [expression(rng, depth - 1) for _ in range(rng.randint(1, 2))] if kind > 2 else []
    match kind:
        case 0:
            return rng.choice(WORDS)
        case 1:
            return str(rng.randint(0, 99))
        case 2:
            return f"'{rng.choice(WORDS)}'"
        case 3:
            return f"{rng.choice(WORDS)}({', '.join(inner)})"
        case 4:
            return f"[{', '.join(inner)}]"
        case 5:
            return f"{{{', '.join(f'{rng.choice(WORDS)}: {each}' for each in inner)}}}"
        case _:
            return f"({rng.choice(OPERATORS).join([rng.choice(WORDS), *inner])})"


def parses(text: str) -> bool:
    """Whether Python takes a text for an expression."""
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    return True
