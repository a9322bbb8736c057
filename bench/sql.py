"""SQL by the embedded model: how many statements run, without a constraint, with a grammar, and with SQLite itself as the check.

    python bench/sql.py [--prompts 100] [--particles 5]

The questions and their databases are made from a seed (``databases.py``).  One grammar allows every name of the
database in every place; the other knows which columns the tables in FROM have, but not that a bare ``id`` is ambiguous in a join.  A statement *runs* if a fresh connection
executes it, and is *right* if it gives the rows of the statement that belongs to the question.  Times are wall times, of one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from databases import Question, questions, rows_of

import syntagma as sg
from syntagma.engine.unconstrained import Unconstrained
from syntagma.integrations import smollm2

SHOTS = [
    ("book(id, title, pages), loan(id, book_id, reader, days)", [
        ("How many books are there?", "SELECT COUNT(*) FROM book;"),
        ("Show the reader of loans with days above 14.", "SELECT reader FROM loan WHERE days > 14;"),
        ("How many loans are there for each reader?", "SELECT reader, COUNT(*) FROM loan GROUP BY reader;"),
        (
            "For each loan, show its days and the title of its book.",
            "SELECT loan.days, book.title FROM loan JOIN book ON loan.book_id = book.id;",
        ),
    ]),
]  # fmt: skip


def prompt(question: Question) -> str:
    """The examples, and the question; the statement follows."""
    shots = "".join(
        f"Tables: {tables}\n" + "".join(f"Q: {text}\nSQL: {answer}\n" for text, answer in asked) + "\n"
        for tables, asked in SHOTS
    )
    return f"{shots}Tables: {question.described}\nQ: {question.text}\nSQL:"


def grammar(question: Question, *, scoped: bool) -> sg.Lark:
    """Queries of one table or of both: ``scoped``, over the columns of those tables alone, else over all names there are."""
    tables = question.tables
    first, second = tables
    both = f"{second} JOIN {first} ON {second}.{first}_id = {first}.id"
    every = sorted({column for columns in tables.values() for column in columns})
    sources = {
        first: tables[first],
        second: tables[second],
        both: [*every, *(f"{t}.{c}" for t in tables for c in tables[t])],
    }
    rules = []
    for number, (source, columns) in enumerate(sources.items()):
        allowed = columns if scoped else sources[both]
        rules.append(f'source{number}: "{source}"')
        names = " | ".join(f'"{column}"' for column in allowed)
        rules.append(f"column{number}: {names}")
    queries = " | ".join(f"query{{source{number}, column{number}}}" for number in range(len(sources)))
    return sg.Lark(
        rf"""
start: {queries}
query{{source, column}}: " SELECT " ["DISTINCT "] item{{column}} (", " item{{column}})~0..2 " FROM " source rest{{column}} ";"
rest{{column}}: [" WHERE " test{{column}} ((" AND " | " OR ") test{{column}})?] [" GROUP BY " column] order{{column}} [" LIMIT " NUMBER]
order{{column}}: [" ORDER BY " value{{column}} [" DESC"]]
item{{column}}: "*" | value{{column}}
value{{column}}: column | "COUNT(*)" | ("COUNT" | "SUM" | "MAX" | "MIN" | "AVG") "(" column ")"
test{{column}}: column (" = " | " > " | " < ") (NUMBER | STRING)
NUMBER: /[0-9]{{1,5}}/
STRING: /'[A-Za-z]{{1,12}}'/
{chr(10).join(rules)}
""",
        lexer="scannerless",
    )


class Way(NamedTuple):
    """How statements come about.

    Attributes:
        grammar: ``names`` allows every name of the database in every place, ``tables`` those of the tables that are read.
        drawn: at the temperature of the options, else greedy.
        checked: by SQLite, with SMC.

    """

    grammar: str | None
    drawn: bool = False
    checked: bool = False

    def __str__(self) -> str:
        parts = ["no constraint" if self.grammar is None else f"grammar of its {self.grammar}"]
        return ", ".join([*parts, *(["SQLite, SMC"] if self.checked else ["drawn" if self.drawn else "greedy"])])


WAYS = [Way(None), Way("names"), Way("tables"), Way("tables", drawn=True), Way("tables", drawn=True, checked=True)]


def first_line(text: str) -> str:
    """What an answer without a constraint amounts to: its first line."""
    return text.strip().split("\n")[0]


def outputs(
    way: Way, model: sg.LanguageModel, asked: list[Question], options: argparse.Namespace
) -> tuple[list[str], int]:
    """The statement for every question (empty where none was found), and SQLite's verdicts."""
    prompts = [prompt(question) for question in asked]
    same = {
        "max_new_tokens": options.max_tokens,
        "temperature": options.temperature if way.drawn else 0.0,
        "seed": options.seed,
    }
    if way.grammar is None:
        done = sg.generate(model, prompts, Unconstrained(model.vocab), **same)
        return [first_line(each.text) for each in done], 0
    constraints = [sg.compile(grammar(question, scoped=way.grammar == "tables"), model.vocab) for question in asked]
    if not way.checked:
        return [each.text.strip() for each in sg.generate(model, prompts, constraints, **same)], 0
    texts, verdicts = [], 0
    for text, question, constraint in zip(prompts, asked, constraints, strict=True):
        method = sg.SMC(particles=options.particles, check=sg.residuals.SqliteRuns(question.script))
        try:
            one = sg.generate(model, text, constraint, method=method, **same)
        except sg.NoOutput:
            texts.append("")
            continue
        texts.append(one.text.strip())
        verdicts += one.posterior.n_checks
    return texts, verdicts


def judged(asked: Iterable[Question], texts: Iterable[str]) -> tuple[int, int]:
    """How many statements run, and how many are right."""
    runs = right = 0
    for question, text in zip(asked, texts, strict=True):
        found = rows_of(question.opened(), text) if text else None
        wanted = rows_of(question.opened(), question.answer)
        runs += found is not None
        right += found is not None and wanted is not None and sorted(map(repr, found)) == sorted(map(repr, wanted))
    return runs, right


def main() -> None:
    """Ask, count, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--particles", type=int, default=5)
    parser.add_argument("--max-tokens", type=int, default=40)
    parser.add_argument("--temperature", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, help="write every statement to this file, as JSON")
    options = parser.parse_args()
    model = smollm2.load()
    asked = questions(options.seed, options.prompts)
    print(
        f"| {options.prompts} questions | run | right | s a statement | verdicts a statement |\n|---|---|---|---|---|"
    )
    kept: dict[str, list[str]] = {"question": [question.text for question in asked]}
    for way in WAYS:
        began = time.perf_counter()
        texts, verdicts = outputs(way, model, asked, options)
        seconds = (time.perf_counter() - began) / len(asked)
        runs, right = judged(asked, texts)
        kept[str(way)] = texts
        print(f"| {way} | {runs} | {right} | {seconds:.2f} | {verdicts / len(asked):.1f} |", flush=True)
    if options.save:
        options.save.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
