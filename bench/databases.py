"""SQLite databases with questions about them, made from a seed: two tables, the second of which refers to the first.

Every question comes with a statement that answers it, so that the rows of another statement can be compared.
"""

from __future__ import annotations

import random
import sqlite3
from dataclasses import dataclass

Pool = list[str] | range
"""The values of a column: texts, or numbers."""

CITIES: Pool = ["Rome", "Paris", "Oslo", "Lima", "Cairo", "Quito"]
COUNTRIES: Pool = ["France", "Japan", "Brazil", "Kenya", "Canada"]
COLOURS: Pool = ["red", "blue", "green", "black"]
PEOPLE: Pool = ["Anna", "Boris", "Chen", "Dora", "Emil", "Fatima", "Georg", "Hana", "Ivan", "Julia"]

ENTITIES: dict[str, dict[str, Pool]] = {
    "singer": {"name": PEOPLE, "country": COUNTRIES, "age": range(18, 80), "albums": range(1, 30)},
    "student": {"name": PEOPLE, "city": CITIES, "age": range(17, 35), "score": range(100)},
    "employee": {"name": PEOPLE, "city": CITIES, "salary": range(900, 9000, 100), "age": range(18, 67)},
    "driver": {"name": PEOPLE, "country": COUNTRIES, "points": range(400), "wins": range(20)},
    "museum": {"title": ["Louvre", "Prado", "Tate", "Uffizi"], "city": CITIES, "visitors": range(1000, 90000, 1000)},
    "hotel": {
        "title": ["Ritz", "Plaza", "Savoy", "Astor"],
        "city": CITIES,
        "rooms": range(10, 400),
        "stars": range(1, 6),
    },
    "farm": {"owner": PEOPLE, "country": COUNTRIES, "acres": range(5, 500), "cows": range(200)},
    "school": {"title": ["North", "South", "East", "West"], "city": CITIES, "pupils": range(50, 2000)},
}
"""What the first table may hold."""

BELONGINGS: dict[str, dict[str, Pool]] = {
    "car": {"brand": ["Fiat", "Volvo", "Skoda", "Dacia"], "colour": COLOURS, "price": range(900, 60000, 100)},
    "visit": {"month": ["May", "June", "July"], "guests": range(1, 12), "cost": range(10, 900)},
    "order_item": {"product": ["lamp", "chair", "table", "sofa"], "amount": range(1, 20), "price": range(5, 900)},
    "award": {"label": ["gold", "silver", "bronze"], "year": range(1990, 2025), "prize": range(100, 9000, 100)},
    "pet": {"species": ["cat", "dog", "parrot"], "colour": COLOURS, "weight": range(1, 60)},
}
"""What the second table may hold."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a database.

    Attributes:
        script: makes and fills the tables.
        tables: the columns of each.
        text: the question.
        answer: a statement that answers it.

    """

    script: str
    tables: dict[str, list[str]]
    text: str
    answer: str

    @property
    def described(self) -> str:
        """The tables in one line, as a prompt shows them."""
        return ", ".join(f"{table}({', '.join(columns)})" for table, columns in self.tables.items())

    def opened(self) -> sqlite3.Connection:
        """The database, in memory."""
        connection = sqlite3.connect(":memory:")
        connection.executescript(self.script)
        return connection


def rows_of(connection: sqlite3.Connection, statement: str) -> list[tuple[object, ...]] | None:
    """The rows of a query; ``None`` if it does not run, or is none."""
    try:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None
    except (sqlite3.Error, sqlite3.Warning):
        return None


def _literal(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def _filled(rng: random.Random, table: str, pools: dict[str, Pool], refers: str | None, n_first: int) -> str:
    kinds = [f"{column} {'INTEGER' if isinstance(pool, range) else 'TEXT'}" for column, pool in pools.items()]
    own = ["id INTEGER PRIMARY KEY", *([f"{refers}_id INTEGER REFERENCES {refers}(id)"] if refers else []), *kinds]
    lines = [f"CREATE TABLE {table} ({', '.join(own)});"]
    for number in range(1, rng.randint(8, 14)):
        values = [
            number,
            *([rng.randint(1, n_first)] if refers else []),
            *(rng.choice(pool) for pool in pools.values()),
        ]
        lines.append(f"INSERT INTO {table} VALUES ({', '.join(map(_literal, values))});")
    return "\n".join(lines)


def _asked(rng: random.Random, first: str, second: str, pools: dict[str, dict[str, Pool]]) -> tuple[str, str]:
    """A question and its answer."""
    table = rng.choice([first, second])
    texts = [column for column, pool in pools[table].items() if not isinstance(pool, range)]
    numbers = [column for column, pool in pools[table].items() if isinstance(pool, range)]
    text, number = rng.choice(texts), rng.choice(numbers)
    value, edge = rng.choice(pools[table][text]), rng.choice(pools[table][number])
    owner = next(iter(pools[first]))
    return rng.choice(
        [
            (f"How many {table}s are there?", f"SELECT COUNT(*) FROM {table};"),
            (f"List the {text} of every {table}.", f"SELECT {text} FROM {table};"),
            (f"What is the highest {number} of a {table}?", f"SELECT MAX({number}) FROM {table};"),
            (f"What is the average {number} of the {table}s?", f"SELECT AVG({number}) FROM {table};"),
            (
                f"Show the {text} of {table}s with {number} above {edge}.",
                f"SELECT {text} FROM {table} WHERE {number} > {edge};",
            ),
            (
                f"Show the {number} of {table}s whose {text} is {value}.",
                f"SELECT {number} FROM {table} WHERE {text} = '{value}';",
            ),
            (f"How many {table}s are there for each {text}?", f"SELECT {text}, COUNT(*) FROM {table} GROUP BY {text};"),
            (f"Which {text}s do the {table}s have, by {number}?", f"SELECT {text} FROM {table} ORDER BY {number};"),
            (
                f"For each {second}, show its {number if table == second else 'id'} and the {owner} of its {first}.",
                (
                    f"SELECT {second}.{number if table == second else 'id'}, {first}.{owner} FROM {second} JOIN {first} "
                    f"ON {second}.{first}_id = {first}.id;"
                ),
            ),
        ]
    )


def questions(seed: int, n: int) -> list[Question]:
    """So many questions, each about a database of its own."""
    rng = random.Random(seed)
    made = []
    for _ in range(n):
        first, second = rng.choice(list(ENTITIES)), rng.choice(list(BELONGINGS))
        pools = {first: ENTITIES[first], second: BELONGINGS[second]}
        script = "\n".join([_filled(rng, first, pools[first], None, 0), _filled(rng, second, pools[second], first, 7)])
        tables = {first: ["id", *pools[first]], second: ["id", f"{first}_id", *pools[second]]}
        made.append(Question(script, tables, *_asked(rng, first, second, pools)))
    return made
