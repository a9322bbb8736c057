"""Checks of SQL against a SQLite schema: it parses, its names exist, it runs."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from time import monotonic
from typing import Any

from ...grammar.errors import InvalidSource
from .text import TextCheck

STEPS_A_CALL = 1000
"""Instructions of SQLite's machine between two looks at the budget."""

MAX_VALUE_BYTES = 1_000_000
"""The longest string that a checked statement can make, so that no instruction takes long."""

MAX_PATTERN_BYTES = 1_000
"""The longest pattern of LIKE and GLOB, for the same reason."""

MAX_ROWS_BYTES = 64_000_000
"""What the rows that are judged may hold in all."""

MAX_NEW_PAGES = 16_000
"""Pages of 4 KB, as SQLite makes them by default, that a checked statement may add to the database."""

VALUE_BYTES = 50
"""What a value takes in memory beside its text."""

_CONSTANTS = ("ATTACH", "DETACH", "PRAGMA", "TRANSACTION", "SAVEPOINT", "ANALYZE")
_REFUSED = frozenset(getattr(sqlite3, f"SQLITE_{name}") for name in _CONSTANTS)
"""What a checked statement may not do: reach out of the database, or end the transaction that is rolled back after it."""

_LAST_WORD = re.compile(r"[^\s(),;]*\Z")

_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(\w+)\b", re.DOTALL)

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
        max_seconds: time after which it fails, should its instructions be slow: a brake, as verdicts should not hang on the clock.

    Raises:
        InvalidSource: the script fails, or a limit is not positive.

    """

    guard_bytes = b" \t\n\r(),;"

    def __init__(
        self,
        schema: str,
        *,
        run: bool = True,
        accepts_rows: Callable[[list[tuple[Any, ...]]], Any] | None = None,
        max_steps: int = 1_000_000,
        max_seconds: float = 10.0,
    ) -> None:
        for where, limit in (("max_steps", max_steps), ("max_seconds", max_seconds)):
            if not limit > 0:
                raise InvalidSource(f"{limit!r} leaves no room for a statement", where=where)
        if accepts_rows is not None and not run:
            raise InvalidSource("a statement that is not run has no rows", where="accepts_rows", hint="pass run=True")
        self._run = run
        self._accepts_rows = accepts_rows
        self._max_steps = max_steps
        self._max_seconds = max_seconds
        self._left = 0
        self._deadline = 0.0
        self._ran = ("", False)
        self._database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._database.text_factory = lambda data: data.decode("utf-8", "replace")  # EXPLAIN lists blobs as texts
        try:
            self._database.executescript(schema)
        except sqlite3.Error as error:
            raise InvalidSource(f"the script fails: {error}", where="schema") from error
        (pages,) = self._database.execute("PRAGMA page_count").fetchone()
        self._database.execute(f"PRAGMA max_page_count = {pages + MAX_NEW_PAGES}")
        self._database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        self._database.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, MAX_PATTERN_BYTES)
        self._database.set_progress_handler(self._tick, STEPS_A_CALL)

    def _tick(self) -> int:
        self._left -= STEPS_A_CALL
        return int(self._left < 0 or monotonic() > self._deadline)

    def passes(self, text: bytes, *, complete: bool) -> bool:
        """Prepare what there is; run it if it is complete."""
        try:
            statement = text.decode("utf-8")
        except UnicodeDecodeError:
            return not complete
        if "\0" in statement or _first_word(statement) == "QUERY":  # which would be a statement behind EXPLAIN
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
            self._guarded(_explained(text))
        except (sqlite3.Error, sqlite3.Warning) as error:
            said = str(error)
            if not any(words in said for words in errors):
                return False
            # WINDOW is a keyword for SQLite only with a name and AS behind it, which may be to come.
            if said.upper().startswith('NEAR "WINDOW"'):
                return False
            return text.endswith(_MENDED) or "WINDOW" not in text.upper() or self._fails(text + _MENDED, *errors)
        return False

    def _runs(self, statement: str) -> bool:
        """Whether a whole statement runs; it is asked at its semicolon and once more at its end, and runs once."""
        if self._ran[0] != statement:
            self._ran = (statement, self._runs_now(statement))
        return self._ran[1]

    def _runs_now(self, statement: str) -> bool:
        try:
            self._guarded(_explained(statement))
            if not self._run:
                return True
            self._database.execute("SAVEPOINT before")
            try:
                rows = self._guarded(statement, keep=self._accepts_rows is not None)
            finally:
                self._database.execute("ROLLBACK TO before")
                self._database.execute("RELEASE before")
        except (sqlite3.Error, sqlite3.Warning, OverflowError):
            return False
        return self._accepts_rows is None or bool(self._accepts_rows(rows))

    def _guarded(self, statement: str, *, keep: bool = False) -> list[tuple[Any, ...]]:
        """Run a statement under the budget, with nothing allowed that reaches out of the database; its rows, if they are kept."""
        self._left, self._deadline = self._max_steps, monotonic() + self._max_seconds
        rows: list[tuple[Any, ...]] = []
        size = 0
        self._database.set_authorizer(
            lambda action, *_: sqlite3.SQLITE_DENY if action in _REFUSED else sqlite3.SQLITE_OK
        )
        try:
            with closing(self._database.execute(statement)) as cursor:
                for row in cursor:
                    if keep:
                        rows.append(row)
                        size += sum(
                            VALUE_BYTES + (len(value) if isinstance(value, (str, bytes)) else 0) for value in row
                        )
                        if size > MAX_ROWS_BYTES:
                            raise OverflowError("the rows hold too much")
            return rows
        finally:
            self._database.set_authorizer(None)


_MENDED = " AS ("


def _first_word(text: str) -> str:
    """The first word of a statement, in capitals; empty if none has come, or only a part of one."""
    found = _FIRST_WORD.match(text)
    return found[1].upper() if found and found.end() < len(text) else ""


def _explained(text: str) -> str:
    """A statement that prepares another one, and does nothing; one of the kind is that already."""
    return text if _first_word(text) == "EXPLAIN" else f"EXPLAIN {text}"


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
