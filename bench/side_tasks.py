"""What the comparison of samplers asks for: four kinds of texts, each ruled by a grammar and by a check that is beyond grammars."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import regex
from databases import questions

import syntagma as sg


@dataclass(frozen=True)
class Task:
    """One prompt and what its answer has to keep.

    Attributes:
        kind: what it is an example of.
        prompt: a text with examples in it; the answer follows.
        source: the grammar, ours.
        check: makes the check, and names the method of it that does the work, so that it can be counted.
        max_tokens: of an answer, end-of-sequence not counted.
        lark: the same grammar in Lark's notation, for ``BoolCFG``.
        schema: a JSON Schema, for ``JsonSchema``.  With neither the check alone is the constraint, as in its authors' experiments.
        enumerable: whether few enough answers have nearly all of the probability.

    """

    kind: str
    prompt: str
    source: Any
    check: Callable[[], tuple[Any, str]]
    max_tokens: int
    lark: str | None = None
    schema: dict[str, Any] | None = field(default=None, hash=False)
    enumerable: bool = True


def _numbers(**bounds: int) -> dict[str, Any]:
    properties = {name: {"type": "integer", "minimum": 1, "maximum": top} for name, top in bounds.items()}
    return {"type": "object", "properties": properties, "required": list(bounds), "additionalProperties": False}


def _json(prompt: str, schema: dict[str, Any], check: Callable[[], Any], max_tokens: int) -> Task:
    source = sg.JsonSchema(schema, whitespace="compact")
    return Task("JSON", prompt, source, lambda: (check(), "_asked"), max_tokens, schema=schema)


def _json_tasks() -> list[Task]:
    def ordered(trip: dict[str, int]) -> bool:
        return not {"from", "to"} <= trip.keys() or trip["from"] <= trip["to"]

    def multiplied(bill: dict[str, int]) -> bool:
        return len(bill) < 3 or bill["amount"] * bill["price"] == bill["total"]

    days = ["mon", "tue", "wed", "thu", "fri"]
    shifts = {
        "type": "object",
        "properties": {"days": {"type": "array", "items": {"enum": days}, "minItems": 2, "maxItems": 3}},
        "required": ["days"],
        "additionalProperties": False,
    }
    return [
        _json(
            'Trips in May, as JSON:\n{"from":20,"to":28}\n{"from":3,"to":9}\n{"from":14,"to":17}\n',
            _numbers(**{"from": 31, "to": 31}),
            lambda: sg.residuals.JsonPredicate(ordered),
            32,
        ),
        _json(
            'Bills:\n{"amount":2,"price":4,"total":8}\n{"amount":3,"price":3,"total":9}\n{"amount":5,"price":2,"total":10}\n',
            _numbers(amount=9, price=9, total=81),
            lambda: sg.residuals.JsonPredicate(multiplied),
            44,
        ),
        _json(
            'Shifts:\n{"days":["mon","thu"]}\n{"days":["tue","wed","fri"]}\n{"days":["fri","mon"]}\n',
            shifts,
            lambda: sg.residuals.UniqueItems(at="/days"),
            36,
        ),
    ]


QUERY = """
start: " SELECT " value " FROM " TABLE where ";"
where: | " WHERE " COLUMN " > " NUMBER | " ORDER BY " COLUMN
value: COLUMN | "COUNT(*)" | "MAX(" COLUMN ")"
NUMBER: /[1-9]/
"""


def _sql_tasks() -> list[Task]:
    """Queries that have to run and to give rows; the grammar does not know which column is where."""
    tasks = []
    for question, text in (
        (next(q for q in questions(1, 40) if {"singer", "pet"} == q.tables.keys()), "Show the age of every singer."),
        (
            next(q for q in questions(1, 40) if {"student", "car"} == q.tables.keys()),
            "What is the highest price of a car?",
        ),
    ):
        columns = sorted({column for own in question.tables.values() for column in own})
        names = [f"TABLE: {_either(question.tables)}", f"COLUMN: {_either(columns)}"]
        lark = "\n".join([QUERY, *names])

        def check(script: str = question.script) -> tuple[Any, str]:
            return sg.residuals.SqliteRuns(script, accepts_rows=bool), "_guarded"

        first, second = question.tables
        shots = (
            f"Q: How many {first}s are there?\nSQL: SELECT COUNT(*) FROM {first};\n"
            f"Q: Show the id of {second}s.\nSQL: SELECT id FROM {second};\n"
            f"Q: What is the highest age of {first}s with id above 2?\nSQL: SELECT MAX(age) FROM {first} WHERE id > 2;\n"
        )
        prompt = f"Tables: {question.described}\n{shots}Q: {text}\nSQL:"
        tasks.append(Task("SQL", prompt, sg.Lark(lark, lexer="scannerless"), check, 48, lark=lark))
    return tasks


def _either(names: Any) -> str:  # noqa: ANN401 - any names
    return " | ".join(f'"{name}"' for name in names)


def _pattern_tasks() -> list[Task]:
    """Patterns with back-references and look-aheads; the grammar is what is left of them without these."""

    def task(pattern: str, relaxed: str, examples: str) -> Task:
        compiled = regex.compile(pattern)

        def check() -> tuple[Any, str]:
            def matches(text: str, complete: bool) -> bool:
                return compiled.fullmatch(text, partial=not complete) is not None

            return sg.residuals.Check(matches), "passes"

        return Task("patterns", examples, sg.Regex(f"^{relaxed}$"), check, 24)

    colours = "red|green|blue|black|white"
    return [
        task(
            rf"({colours}) and (?!\1)({colours})",
            rf"({colours}) and ({colours})",
            "Two colours:\nred and blue\nwhite and green\n",
        ),
        task(r"([a-f]{1,3})-\1", "[a-f]{1,3}-[a-f]{1,3}", "Echoes:\nab-ab\nfed-fed\nc-c\n"),
        task(
            r"(?=[0-9]*7)(?:([0-9])(?![0-9]*\1)){3,4}",
            "[0-9]{3,4}",
            "Codes with a 7, no digit twice:\n1739\n275\n7046\n",
        ),
    ]


SMILES = """
start: chain
chain: ATOM more
more: | unit more
unit: ATOM | BOND ATOM | RING | "(" chain ")" | "(" BOND chain ")"
ATOM: "C" | "N" | "O" | "F" | "S" | "Cl" | "Br" | "c" | "n" | "o" | "s"
BOND: "=" | "#"
RING: "1" | "2"
"""

VALENCE = {"C": 4, "N": 3, "O": 2, "F": 1, "S": 6, "Cl": 1, "Br": 1, "c": 4, "n": 3, "o": 2, "s": 2}
ORDER = {"": 1, "=": 2, "#": 3}


def molecule(text: str, complete: bool) -> bool:
    """Whether bonds fit the valences and rings are closed in pairs; an aromatic atom has two bonds of one and a half, so c and n have one more."""
    text = re.sub("(C|B)$", "", text) if not complete else text  # may become Cl or Br
    used: list[int] = []
    names: list[str] = []
    open_branches: list[int] = []
    rings: dict[str, int] = {}
    last, bond = -1, ""
    for part in re.findall(r"Cl|Br|[A-Za-z]|.", text):
        if part in ORDER:
            bond = part
        elif part == "(":
            open_branches.append(last)
        elif part == ")":
            last = open_branches.pop()
        elif part.isdigit():
            if part not in rings:
                rings[part] = last
            else:
                other = rings.pop(part)
                if other == last or last - other < 2:
                    return False
                used[other] += 1
                used[last] += 1
        else:
            names.append(part)
            used.append(int(part in {"c", "n"}))
            if last >= 0:
                used[last] += ORDER[bond]
                used[-1] += ORDER[bond]
            last, bond = len(names) - 1, ""
    fits = all(u <= VALENCE[name] for u, name in zip(used, names, strict=True))
    aromatic = sum(name.islower() for name in names)
    return fits and (not complete or (not rings and aromatic not in {1, 2, 3}))


def _molecule_tasks() -> list[Task]:
    examples = "Small molecules in SMILES:\nCCO\nCC(=O)O\nC1CC1\nCC#N\nCN(C)C\n"

    def check() -> tuple[Any, str]:
        return sg.residuals.Check(molecule), "passes"

    return [Task("molecules", examples, sg.Lark(SMILES, lexer="scannerless"), check, 24, lark=SMILES, enumerable=False)]


def tasks() -> list[Task]:
    """All of them."""
    return [*_json_tasks(), *_sql_tasks(), *_pattern_tasks(), *_molecule_tasks()]
