"""A schema and grammars for the commands."""

from __future__ import annotations

SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer", "minimum": 0, "maximum": 150}, "kind": {"enum": ["red", "green"]}},
    "required": ["age", "kind"],
    "additionalProperties": False,
}

GRAMMARS = {
    "sums.lark": 'start: NUM ("+" NUM)*\nNUM: /[0-9]+/\n%ignore " "\n',
    "sums.gbnf": 'root ::= num ("+" num)*\nnum ::= [0-9]+\n',
    "sums.ebnf": 'root = num, { "+", num } ;\nnum = "1" | "2" ;\n',
    "sums.bnf": "<root> ::= <num> | <root> '+' <num>\n<num> ::= '1' | '2'\n",
}
