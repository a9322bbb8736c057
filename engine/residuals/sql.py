"""Checks of SQL against a SQLite schema: it parses, its names exist, it runs."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Any

from ...grammar.errors import InvalidSource
from .text import TextCheck

STEPS_A_CALL = 1000
"""Instructions of SQLite's machine between two looks at the budget."""

MAX_VALUE_BYTES = 16_000_000
"""The longest string that a checked statement can make."""

_CONSTANTS = ("ATTACH", "DETACH", "PRAGMA", "TRANSACTION", "SAVEPOINT", "REINDEX", "ANALYZE")
_REFUSED = frozenset(getattr(sqlite3, f"SQLITE_{name}") for name in _CONSTANTS)
"""What a checked statement may not do: reach out of the database, or end the transaction that is rolled back after it."""

_LAST_WORD = re.compile(r"[^\s(),;]*\Z")

_LEXEMES = re.compile(
    r"""'(?:[^']|'')*(?:'|\Z) | "(?:[^"]|"")*(?:"|\Z) | `[^`]*(?:`|\Z) | \[[^\]]*(?:\]|\Z) | --[^\n]*
    | /\*.*?(?:\*/|\Z) | \w+ | [()]""",
    re.DOTALL | re.VERBOSE,
)
_BEHIND_TABLES = frozenset({"WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "INTERSECT", "EXCEPT"})
"""Reserved words that no table of the same SELECT can come after."""
_NAMES = ("no such column", "no such table", "no such function", "ambiguous column name")


class SqliteRuns(TextCheck):
    """One SQL statement that SQLite prepares, and runs, on a given schema.

    An incomplete text is judged at the end of each word, by its syntax.  Whether tables and columns exist is known when the
    statement ends, and in a SELECT as soon as its list of tables has: at WHERE, GROUP BY, ORDER BY, LIMIT or UNION, and
    behind WHERE at each AND and OR.  A statement is run in a transaction that is rolled back, on a database in memory, so the check is pure.

    Args:
        schema: a script that makes the tables, with or without rows in them.
        run: run the statement; else it is only prepared.
        accepts_rows: judge the rows that come out, such as ``bool`` for "there are some".
        max_steps: instructions of SQLite's machine after which a statement fails.

    Raises:
        InvalidSource: the script fails.

    """

    guard_bytes = b" \t\n\r(),;"

    def __init__(
        self,
        schema: str,
        *,
        run: bool = True,
        accepts_rows: Callable[[list[tuple[Any, ...]]], Any] | None = None,
        max_steps: int = 1_000_000,
    ) -> None:
        if accepts_rows is not None and not run:
            raise InvalidSource("a statement that is not run has no rows", where="accepts_rows", hint="pass run=True")
        self._run = run
        self._accepts_rows = accepts_rows
        self._max_steps = max_steps
        self._left = 0
        self._ran = ("", False)
        self._database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._database.text_factory = lambda data: data.decode("utf-8", "replace")  # EXPLAIN lists blobs as texts
        try:
            self._database.executescript(schema)
        except sqlite3.Error as error:
            raise InvalidSource(f"the script fails: {error}", where="schema") from error
        self._database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        self._database.set_progress_handler(self._tick, STEPS_A_CALL)

    def _tick(self) -> int:
        self._left -= STEPS_A_CALL
        return int(self._left < 0)

    def passes(self, text: bytes, *, complete: bool) -> bool:
        """Prepare what there is; run it if it is complete."""
        try:
            statement = text.decode("utf-8")
        except UnicodeDecodeError:
            return not complete
        if "\0" in statement:
            return False
        if complete or sqlite3.complete_statement(statement):  # behind a semicolon nothing changes what it does
            return self._runs(statement)
        words = _LAST_WORD.sub("", statement)
        if self._fails(words, "syntax error", "one statement"):
            return False
        settled = _settled(words)
        return settled is None or not self._fails(settled, *_NAMES)

    def _fails(self, text: str, *errors: str) -> bool:
        """Whether whole words have an error that no more text can mend; a missing end can be, and so can missing tables."""
        try:
            self._guarded(f"EXPLAIN {text}")
        except (sqlite3.Error, sqlite3.Warning) as error:
            said = str(error)
            # WINDOW is a keyword for SQLite only with a name and AS behind it, which may be to come.
            return any(words in said for words in errors) and not said.upper().startswith('NEAR "WINDOW"')
        return False

    def _runs(self, statement: str) -> bool:
        """Whether a whole statement runs; it is asked at its semicolon and once more at its end, and runs once."""
        if self._ran[0] != statement:
            self._ran = (statement, self._runs_now(statement))
        return self._ran[1]

    def _runs_now(self, statement: str) -> bool:
        try:
            self._guarded(f"EXPLAIN {statement}")
            if not self._run:
                return True
            self._database.execute("SAVEPOINT before")
            try:
                rows = self._guarded(statement)
            finally:
                self._database.execute("ROLLBACK TO before")
                self._database.execute("RELEASE before")
        except (sqlite3.Error, sqlite3.Warning, OverflowError):
            return False
        return self._accepts_rows is None or bool(self._accepts_rows(rows))

    def _guarded(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement under the budget, with nothing allowed that reaches out of the database."""
        self._left = self._max_steps
        self._database.set_authorizer(
            lambda action, *_: sqlite3.SQLITE_DENY if action in _REFUSED else sqlite3.SQLITE_OK
        )
        try:
            return self._database.execute(statement).fetchall()
        finally:
            self._database.set_authorizer(None)


def _settled(text: str) -> str | None:
    """The part of a SELECT whose names mean what they will always mean, if the last word has just ended such a part."""
    depth, closed, first = 0, False, True
    cut: int | None = None
    for lexeme in _LEXEMES.finditer(text):
        word = lexeme[0].upper()
        if word.startswith(("--", "/*")):
            continue
        if first and word != "SELECT":
            return None
        first = False
        depth += (word == "(") - (word == ")")
        behind = depth == 0 and word in _BEHIND_TABLES
        cut = lexeme.start() if behind or (depth == 0 and closed and word in {"AND", "OR"}) else None
        closed = (closed or behind) and not (depth == 0 and word == "SELECT")
    return None if cut is None else text[:cut]
