"""The built-in residuals against slow definitions: nothing right is called dead, nothing wrong comes to its end."""

from __future__ import annotations

import itertools
import json
import math
import sqlite3
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_constraint import ReferenceConstraint, ReferenceVocabulary

from syntagma.engine.residuals import (
    All,
    Check,
    Checked,
    Closed,
    Guards,
    JsonPredicate,
    JsonResidual,
    PythonCompiles,
    PythonNames,
    PythonParses,
    Residual,
    SqliteRuns,
    UniqueItems,
    complaint,
)
from syntagma.engine.residuals.text import whole_characters
from syntagma.engine.sampler import AWRS, NO_TOKEN
from syntagma.grammar.errors import InvalidSource


def run(residual: Residual, text: bytes, cuts: list[int] | None = None) -> Any:
    """The state after a text in pieces; ``None`` if it is dead on the way."""
    edges = sorted({0, *(c % (len(text) + 1) for c in cuts or ()), len(text)})
    state = residual.start
    for i, j in itertools.pairwise(edges):
        state = residual.advance(state, text[i:j])
        if state is None:
            return None
    return state


def accepts(residual: Residual, text: bytes, cuts: list[int] | None = None) -> bool:
    """Whether a whole text passes."""
    state = run(residual, text, cuts)
    return state is not None and residual.may_end(state)


def keeps_the_laws(residual: Residual, text: bytes, cuts: list[int]) -> None:
    """What the protocol promises: pieces join, prefixes of what passes are alive, what is behind the last guard never is dead."""
    whole = run(residual, text)
    assert (run(residual, text, cuts) is None) == (whole is None)
    if whole is not None and residual.may_end(whole):
        for end in range(len(text)):
            assert run(residual, text[:end]) is not None
    state = residual.start
    for at in range(len(text)):
        guards = residual.guards(state)
        for end in range(at + 1, min(at + 6, len(text)) + 1):
            cut = end - at if guards is None else Guards.of(guards).cut(text[at:end])
            assert (residual.advance(state, text[at:end]) is None) == (
                residual.advance(state, text[at : at + cut]) is None
            )
        state = residual.advance(state, text[at : at + 1])
        if state is None:
            return
        hash(state)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-20, 20)
    | st.sampled_from([0.5, 1.0, 2.0])
    | st.sampled_from(["", "a", "]", '"', ",", "é"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc}"), inner, max_size=3),
    max_leaves=9,
)


def equal(a: Any, b: Any) -> bool:
    """Equality of JSON values."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    return (type(a) is type(b) and a == b) or (isinstance(a, (int, float)) and isinstance(b, (int, float)) and a == b)


def arrays(value: Any) -> Iterator[list[Any]]:
    """Every array in a value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, list):
        yield value
    for part in inner:
        yield from arrays(part)


class Recorder(JsonResidual):
    """Lets everything pass and keeps what closed."""

    def __init__(self) -> None:
        self.closed: list[Closed] = []

    def allows(self, closed: Closed) -> bool:
        """Keep."""
        self.closed.append(closed)
        return True


def in_order(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Path and value of everything in a value, inner ones first."""
    if isinstance(value, list):
        for i, part in enumerate(value):
            yield from in_order(part, (*path, i))
    if isinstance(value, dict):
        for key, part in value.items():
            yield from in_order(part, (*path, key))
    yield path, value


@given(VALUES, st.sampled_from([None, 1]), st.lists(st.integers(0, 200), max_size=4))
def test_every_value_closes_once_in_order(value: Any, indent: int | None, cuts: list[int]) -> None:
    """Read in any pieces, each value of a document closes, inner ones first, with its path and the document up to there."""
    recorder = Recorder()
    text = json.dumps(value, indent=indent).encode()
    assert accepts(recorder, text, cuts)
    seen = list(dict.fromkeys((c.path, json.dumps(c.value)) for c in recorder.closed))
    assert seen == [(path, json.dumps(part)) for path, part in in_order(value)]
    for closed in recorder.closed:
        inside = closed.document
        for part in closed.path:
            inside = inside[part]
        assert equal(inside, closed.value)


@settings(max_examples=80)
@given(VALUES, st.lists(st.integers(0, 200), max_size=4))
def test_unique_items_is_the_definition(value: Any, cuts: list[int]) -> None:
    """A document passes iff no array in it has two equal items, and the laws of residuals hold on the way."""
    text = json.dumps(value).encode()
    unique = all(not equal(a, b) for items in arrays(value) for i, a in enumerate(items) for b in items[:i])
    assert accepts(UniqueItems(), text, cuts) == unique
    keeps_the_laws(UniqueItems(), text, cuts)


@pytest.mark.parametrize(
    ("text", "alive"),
    [
        (b'{"tags": ["red", "red', True),
        (b'{"tags": ["red", "red"', False),
        (b"[1, 1", True),
        (b"[1, 1,", False),
        (b"[1, 1]", False),
        (b"[1, 1 ", False),
        (b"[1, 10]", True),
        (b"[1, 1.0]", False),
        (b"[1, true]", True),
        (b'[{"a": 1, "b": 2}, {"b": 2, "a": 1}', False),
        (b"[[1, 2], [1, 2]", False),
        (b'["a\\"", "a\\""', False),
        (b'["\\u0061", "a"', False),
        (b'{"a": 1, "a"', True),
        (b'{"a": 1, "a": 2,', False),
        (b"[0.1, 0.10000000000000000001]", True),
        (b"[9007199254740993, 9007199254740993.0]", False),
        (b"[1e400, 1e401, 1e9999999999999999999]", True),
        (b"[1e400, 10e399]", False),
        (b"[%s, 1]" % (b"9" * 5000), True),
        (b"[NaN]", False),
        (b"1\0 ", False),
        (b"\xef\xbb\xbf[1]", False),
        (b'["\xff"', False),
        (b'{"a": 1, "a": [', True),
        (b"[1 2]", False),
        (b"{} {}", False),
        (b"]", False),
    ],
)
def test_where_a_duplicate_is_seen(text: bytes, alive: bool) -> None:
    """At the closing quotation mark or bracket of the item, or at the first byte behind a number."""
    assert (run(UniqueItems(), text) is not None) == alive


def test_pointers_and_keys_choose_the_items() -> None:
    """A pointer limits the check to some arrays, a key to a part of the items."""
    by_id = UniqueItems(at="/orders", key=lambda order: order["id"])
    assert accepts(by_id, b'{"tags": [1, 1], "orders": [{"id": 1, "n": 2}, {"id": 2, "n": 2}]}')
    assert not accepts(by_id, b'{"orders": [{"id": 1, "n": 2}, {"id": 1, "n": 3}]}')
    assert not accepts(UniqueItems(at="#/a%20b~1c"), b'{"a b/c": [1, 1]}')
    with pytest.raises(InvalidSource, match="pointer"):
        accepts(UniqueItems(at="orders"), b"[1]")


@given(st.integers(0, 12), st.integers(0, 12), st.lists(st.integers(0, 60), max_size=3))
def test_a_rule_across_fields(start: int, end: int, cuts: list[int]) -> None:
    """The end may not be before the start: seen as soon as both are there, in either order, at any place a pointer names."""
    rule = JsonPredicate(lambda d: not {"from", "to"} <= d.keys() or d["from"] <= d["to"])
    for members in ({"from": start, "to": end, "x": [1]}, {"to": end, "x": {}, "from": start}):
        text = json.dumps(members).encode()
        assert accepts(rule, text, cuts) == (start <= end)
        keeps_the_laws(rule, text, cuts)
        inner = JsonPredicate(rule._holds, at="/rows/*")
        assert accepts(inner, b'{"rows": [{}, %s]}' % text, cuts) == (start <= end)
        late = JsonPredicate(lambda d: d["from"] <= d["to"], at="/rows/*", complete=True)
        assert accepts(late, b'{"rows": [%s]}' % text, cuts) == (start <= end)


def test_a_number_on_the_top_level_closes_at_the_end() -> None:
    """It is judged when the text is to end."""
    assert accepts(JsonPredicate(lambda n: n < 5), b"4")
    assert not accepts(JsonPredicate(lambda n: n < 5), b"40")
    assert not accepts(JsonPredicate(lambda n: n < 5), b" ")


GOOD_SQL = (
    "SELECT a FROM t WHERE b <> 'x y, (z)' AND a <= 3 || 4",
    "SELECT x.a FROM t AS x, (SELECT a AS k FROM t WHERE a > 0) AS y WHERE x.a = k AND (y.k > 1 OR x.b = 'z') ORDER BY k LIMIT 3",
    "SELECT sum(a) OVER w FROM t WHERE a > 0 WINDOW w AS (ORDER BY b) UNION SELECT a AS c FROM t GROUP BY c ORDER BY 1;",
    "WITH c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5) SELECT max(n), 'it''s' FROM c ORDER BY 1 DESC;",
    'SELECT "a", u.[b], -1.5e3 FROM t AS u LEFT JOIN t USING (a) /* why, not */ GROUP BY a HAVING count(*) > 0',
    "INSERT INTO t VALUES (1, x'ff'), (2, NULL) -- both",
    "SELECT sum(a) FILTER (WHERE a > 1) OVER w FROM t WINDOW w AS (PARTITION BY b), w2 AS (w ORDER BY a)",
    'SELECT a FROM t "WINDOW" WINDOW "w 2" AS (ORDER BY b)',
    "SELECT a AS query, b AS window FROM t",
    "CREATE UNIQUE INDEX i ON t (b COLLATE NOCASE DESC, a) WHERE a > 0",
    "INSERT INTO t VALUES (7, 'z') ON CONFLICT DO NOTHING RETURNING a AS q",
    "EXPLAIN QUERY PLAN SELECT a FROM t WHERE a = 1",
    "/* why */ explain SELECT a FROM t;",
    "UPDATE t SET b = CASE WHEN a BETWEEN 1 AND 2 THEN 'one' ELSE b END WHERE a NOT IN (1, 2)",
)
BAD_SQL = (
    "SELECT c FROM t",
    "SELECT a FROM u",
    "SELECT a FORM t WHERE a",
    "SELECT a, FROM t",
    "SELECT",
    "",
    "SELECT 1; SELECT 2",
    "PRAGMA user_version = 4",
    "ATTACH 'x.db' AS y",
    "COMMIT",
    "SELECT 'open",
    "SELECT \0 1",
    "SELECT c FROM t WHERE a = 1",
    "WITH c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c WHERE n < 0",
    "SELECT a FROM t WINDOW w w",
    "SELECT a, FROM t WINDOW",
    "EXPLAIN EXPLAIN SELECT 1",
    "EXPLAIN COMMIT",
    "SELECT zeroblob(2000000)",
    "WITH c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 999) INSERT INTO t SELECT n, zeroblob(900000) FROM c",
)
TABLES = "CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y')"


@pytest.mark.parametrize("text", GOOD_SQL)
def test_sql_that_runs_is_alive_throughout(text: str) -> None:
    """Every prefix of a statement that runs is alive, and it may end."""
    check = SqliteRuns(TABLES)
    assert accepts(check, text.encode())
    keeps_the_laws(check, text.encode(), [5, 9])


@pytest.mark.parametrize("text", BAD_SQL)
def test_sql_that_does_not_run(text: str) -> None:
    """It may not end, whatever it is that fails."""
    check = SqliteRuns(TABLES)
    assert not accepts(check, text.encode())
    keeps_the_laws(check, text.encode(), [3, 7])


def test_sql_is_bounded_in_time_and_memory() -> None:
    """Rows that would not fit into memory, and instructions that take long, fail; what begins with QUERY is no statement, even unrun."""
    endless = "WITH c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT %s(900000) FROM c"
    assert not accepts(SqliteRuns(TABLES, accepts_rows=bool), (endless % "zeroblob").encode())
    assert not accepts(SqliteRuns(TABLES, max_seconds=0.05), (endless % "randomblob").encode())
    assert not accepts(SqliteRuns(TABLES, run=False), b"QUERY PLAN SELECT 1")
    assert run(SqliteRuns(TABLES), b"QUERY ") is None
    for limit in ({"max_steps": 0}, {"max_seconds": math.nan}):
        with pytest.raises(InvalidSource, match="no room"):
            SqliteRuns(TABLES, **limit)  # type: ignore[arg-type]


def test_sql_syntax_is_seen_early_and_runs_leave_no_trace() -> None:
    """A wrong word is dead at its end; rows are judged; what a statement changes is gone afterwards."""
    check = SqliteRuns(TABLES, accepts_rows=lambda rows: len(rows) == 2)
    assert run(check, b"SELECT a FRM t") is not None, "FRM may be another name of the column"
    assert run(check, b"SELECT a FRM t ") is None
    assert run(check, b"SELEC ") is None
    assert run(check, b"SELECT 1; SELECT ") is None
    assert accepts(check, b"SELECT * FROM t")
    assert not accepts(check, b"SELECT * FROM t WHERE a = 1")
    assert not accepts(check, b"DELETE FROM t")
    assert accepts(SqliteRuns(TABLES, run=False), b"DELETE FROM t")
    assert accepts(check, b"SELECT * FROM t")
    with pytest.raises(InvalidSource, match="script"):
        SqliteRuns("CREATE TABLE")
    with pytest.raises(InvalidSource, match="rows"):
        SqliteRuns(TABLES, run=False, accepts_rows=bool)
    assert sqlite3.connect(":memory:").execute("SELECT 1").fetchall() == [(1,)]


NAMES_TOO_LATE = (
    "SELECT c FROM t WHERE ",
    "SELECT a FROM u ORDER ",
    "SELECT x.a FROM t GROUP ",
    "SELECT a FROM t, t AS u LIMIT ",
    "SELECT a FROM t WHERE c = 1 AND ",
    "SELECT a FROM t UNION SELECT c FROM t WHERE ",
    "SELECT f(a) FROM t WHERE ",
    "SELECT c FROM t;",
    "/* SELECT */ SELECT c FROM t WHERE ",
)
NAMES_TO_COME = (
    "SELECT c FROM t JOIN ",
    "SELECT c FROM t ",
    "SELECT (SELECT c FROM t WHERE ",
    "SELECT ' FROM t WHERE ",
    'SELECT "c WHERE ',
    "SELECT a FROM t UNION SELECT c ",
    "SELECT a FROM t UNION SELECT c FROM t JOIN t AS u ON c AND ",
    "SELECT a FROM t WHERE a BETWEEN 1 AND ",
    "SELECT sum(a) OVER w FROM t WHERE ",
    "WITH u AS (SELECT 1 AS c) SELECT c FROM u WHERE ",
    "INSERT INTO u SELECT c FROM t WHERE ",
)


def test_names_are_known_where_the_list_of_tables_has_ended() -> None:
    """A name that no table of a SELECT has is dead at the first word behind its tables, and alive while tables may follow."""
    check = SqliteRuns(TABLES)
    assert [text for text in NAMES_TOO_LATE if run(check, text.encode()) is not None] == []
    assert [text for text in NAMES_TO_COME if run(check, text.encode()) is None] == []


LIBRARY = [p for p in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")) if 500 < p.stat().st_size < 15_000]


@settings(max_examples=40)
@given(st.sampled_from(LIBRARY), st.floats(0, 1))
def test_real_python_is_alive_at_every_line(path: Path, share: float) -> None:
    """Files of the standard library pass, and so do their first lines, for both checks of Python."""
    text = path.read_bytes()
    lines = text.splitlines(keepends=True)
    part = b"".join(lines[: int(share * len(lines))])
    for check in (PythonCompiles(), PythonNames(known=("copyright", "credits", "exit", "quit"))):
        assert check.passes(part, complete=False)
        assert check.may_end(text)


@pytest.mark.parametrize(
    ("text", "alive", "may_end"),
    [
        (b"x = = 1\n", False, False),
        (b"x = = 1", True, False),
        (b"def f(:\n", False, False),
        (b"if x:\n    y\n  z\n", False, False),
        (b"x = (1,\n", True, False),
        (b"def f():\n", True, False),
        (b"return 1\n", True, False),
        (b"def f():\n    def g():\n        nonlocal x\n", True, False),
        (b"def f():\n    def g():\n        nonlocal x\n    x = 1\n", True, True),
        (b"x = '''a\n", True, False),
        (b"]\n", False, False),
        (b"", True, True),
        (b"a\0b\n", False, False),
    ],
)
def test_python_that_compiles(text: bytes, alive: bool, may_end: bool) -> None:
    """A line that cannot be mended is dead at its end; what is open is alive; what the compiler finds is judged at the end."""
    state = run(PythonCompiles(), text)
    assert (state is not None) == alive
    assert (state is not None and PythonCompiles().may_end(state)) == may_end


def test_python_that_parses() -> None:
    """Syntax alone decides, whatever the surroundings: what the compiler refuses passes, a line that cannot be mended is dead at its end."""
    check = PythonParses()
    for text in (b"return 1\n", b"def f(a, a): break\n", b"x = (1,\n2)\n", b""):
        assert accepts(check, text)
    for text in (b"f() = 1\n", b"x = '\\x1'\n", b"x = (1,\n", b"a\0b\n", b"\xff\n"):
        assert not check.may_end(text)
    assert run(check, b"f() = 1\n") is None
    assert run(check, b"x = (1,\n") is not None


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (b"x = 1\ny = = 2\n", 10),
        ("\u00e9 = 1\r\n\u00e9 = = 2\r\n".encode(), 13),
        (b"f(a,\n  b) = 1\n", 8),  # the end of what cannot be assigned to
        (b"\x0c\nx = $\n", 6),
    ],
)
def test_complaints_of_python_name_the_last_byte(text: bytes, at: int) -> None:
    """A complaint says what Python says, and the last byte that it is about, whatever ends the lines and however wide the characters are."""
    for check in (PythonParses(), PythonCompiles(), All(Check(lambda _: True), PythonParses())):
        found = complaint(check, text)
        assert found is not None
        assert "line" in found.message
        assert found.at == at


@settings(max_examples=60)
@given(st.text("x=1 ()\n:if'\\", max_size=12).map(str.encode))
def test_whole_texts_have_complaints_iff_they_do_not_pass(text: bytes) -> None:
    """For checks with complaints of their own and for others, what is complained of is what may not end."""
    numbers = JsonPredicate(lambda value: value == 1)
    for check in (PythonParses(), PythonCompiles(), numbers, All(Check(lambda text: "x" not in text), PythonParses())):
        assert (complaint(check, text) is None) == accepts(check, text)


def test_python_expressions() -> None:
    """In the mode of expressions, complete texts alone are judged."""
    assert accepts(PythonCompiles("eval"), b"1 +\\\n 2")
    assert not accepts(PythonCompiles("eval"), b"x = 1")
    with pytest.raises(InvalidSource, match="mode"):
        PythonCompiles("single")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "alive", "may_end"),
    [
        ("import os\nprint(os.sep)\n", True, True),
        ("print(oss)\n", True, False),
        ("print(oss)\nx = 1\n", False, False),
        ("def f():\n    return later\n", True, False),
        ("def f():\n    return later\nlater = 1\n", True, True),
        ("if a:\n    b = 1\n", True, False),
        ("from os import *\nprint(sep)\n", True, True),
        ("x = [i for i in range(3)]\nprint(i)\n", True, False),
        ("def f(a, *b, c=1, **d):\n    return a, b, c, d\n", True, True),
        ("def f():\n    global g\n    g = 1\nprint(g)\n", True, True),
        ("class A:\n    x = 1\n    y = x\n    def top(self): return __class__\n", True, True),
        ("print(x)\nx = 1", True, False),
        ("print(x); x = 1", True, True),
        ("x = 1; y = (1,\n); print(x, y)\nprint(z)", True, False),
        ("def f(): return later\nf()\nlater = 1", True, True),
        ("if 0:\n    pass\nelif(y):\n    pass\ny = 2\n", False, False),
        ("for y in ():\n    pass\nelse :\n    z = 1\nprint(y, z)\n", True, True),
        ("try:\n    u\nexcept(NameError):\n    u = 1\n", True, True),
        ("class A:\n    print(__qualname__, __module__, __builtins__)\n", True, True),
        ("\ufeffx = 1\nprint(x)\n", True, True),
        ("from __future__ import annotations\ndef f(a: Later): pass\nx: Later = 1\nclass Later: pass", True, True),
        ("@late\ndef f(): pass\nlate = 1", True, False),
        ("try:\n    1\n", True, False),
        ("def f():\n    try:\n        import q\n    except E as e:\n        pass\n", True, False),
    ],
)
def test_python_names(text: str, alive: bool, may_end: bool) -> None:
    """A name that nothing binds is dead when the next statement begins; what functions read may be bound later."""
    state = run(PythonNames(), text.encode())
    assert (state is not None) == alive
    assert (state is not None and PythonNames().may_end(state)) == may_end
    assert (complaint(PythonNames(), text.encode()) is None) == may_end


def test_python_attributes_by_jedi() -> None:
    """An attribute that an imported module does not have is refused, one that it has passes."""
    pytest.importorskip("jedi", reason="jedi is not installed")
    check = PythonNames(jedi=True)
    assert accepts(check, b"import math\nprint(math.sqrt(2))\n")
    assert not accepts(check, b"import math\nprint(math.sqroot(2))\n")
    assert run(check, b"import math\nmath.sqroot(2)\nx = 1\n") is None
    assert accepts(check, b"import math\nmath.own = 1\nprint(math.own, math.__dict__)\n")
    for line in ("\x0c", "x = '\u2028'", "(1,\n\x0c\n2)"):  # what ends no line for Python
        assert accepts(check, f"import math\n{line}\nmath.pi\n".encode())


def test_any_callable() -> None:
    """A function of the text alone judges complete texts, one that also takes ``complete`` judges prefixes at the guards."""
    even = Check(lambda text: len(text) % 2 == 0)
    assert even.guards(b"") == b""
    assert accepts(even, b"abcd")
    assert not accepts(even, b"abc")
    short = Check(lambda text, complete: len(text) <= 3 and (not complete or text != ""))
    assert run(short, "éé".encode()) is not None
    assert run(short, b"abcd") is None
    assert not accepts(short, b"")
    words = Check(lambda text, _: "bad " not in text, guards=b" ")
    assert run(words, b"a bad") is not None
    assert run(words, b"a bad apple") is None
    with pytest.raises(InvalidSource, match="neither"):
        Check(lambda: True)
    seen: list[tuple[str, bool]] = []
    note = Check(lambda text, complete: seen.append((text, complete)) or True)
    assert accepts(note, b"a\xc3")
    assert seen == [("a", False), ("a\ufffd", True)], "nothing can follow that would make it whole"

    async def later(text: str) -> bool:
        return bool(text)

    with pytest.raises(InvalidSource, match="coroutine"):
        Check(later)
    with pytest.raises(InvalidSource, match="guards"):
        Check(lambda text: True, guards=b"x")  # noqa: ARG005 - refused before it is called


@given(st.text("aé漢😀", max_size=5), st.integers(0, 20))
def test_characters_are_whole(text: str, cut: int) -> None:
    """A function never sees a part of a character at the end."""
    assert text.startswith(whole_characters(text.encode()[:cut]))
    assert len(whole_characters(text.encode()[:cut]).encode()) > min(cut, len(text.encode())) - 4


def test_several_checks_are_one() -> None:
    """Dead where one is, done where all are, guards of all."""
    both = All(UniqueItems(), JsonPredicate(lambda d: len(d) < 3))
    assert accepts(both, b"[1, 2]")
    assert not accepts(both, b"[1, 1]")
    assert not accepts(both, b"[1, 2, 3]")
    assert set(both.guards(both.start) or b"") == set(UniqueItems().guards(UniqueItems().start) or b"")
    assert All(both, Check(lambda _, __: True)).guards((both.start, b"")) is None
    words = All(UniqueItems(), Check(lambda _, __: True, guards=b"!"))
    inside = words.advance(words.start, b'["a')
    guards = Guards.of(words.guards(inside) or b"")
    assert [guards.cut(text) for text in (b"a, b]", b'a"], b', b"a!]b", b'a!b"')] == [0, 5, 3, 4]
    with pytest.raises(InvalidSource, match="nothing"):
        All()


def test_a_token_that_closes_a_string_and_its_array_is_judged_at_both() -> None:
    """Behind the end of a string a token may close what holds it: masks then say what the steps say, for each such token."""
    vocab = ReferenceVocabulary([None, b"[", b"]", b'"', b"a", b",", b'"]', b'"]]', b'",', b'",1]'], eos_ids=[0])
    items = [b'["a"]', b'["aa"]', b'["a",1]', b"[]"]
    constraint = ReferenceConstraint([b"[" + b",".join(w) + b"]" for w in itertools.product(items, repeat=2)], vocab)
    pair = Checked(constraint, UniqueItems())
    waiting, seen = [pair.start], set()
    dead = 0
    while waiting:
        state = waiting.pop()
        mask = pair.mask(state)
        for token in range(vocab.size):
            after = pair.advance(state, token)
            assert bool(mask[0] >> token & 1) == bool(after)
            dead += token == 6 and not after and bool(pair.grammar_mask(state)[0] >> token & 1)
            if after and after not in seen and token:
                seen.add(after)
                waiting.append(after)
    assert dead > 0


def test_a_duplicate_cannot_be_completed() -> None:
    """Where the reference allows a second ``"red"`` and then is stuck, the closing quotation mark is not allowed here."""
    vocab = ReferenceVocabulary([None, b"red", b"green", b'"', b'",', b'"]', b"[", b" ", b","], eos_ids=[0])
    items = [b'"red"', b'"redred"', b'"redredred"']
    words = [b"[" + b",".join(w) + b"]" for w in ([a, b] for a in items[:2] for b in items)]
    constraint = ReferenceConstraint(words, vocab)
    sampler = AWRS(constraint, UniqueItems(), price=0)
    states: Any = sampler.states
    state = states.start
    for token in (6, 3, 1, 4, 3, 1):
        state = states.advance(state, token)
        assert state
    for token in (3, 4, 5):
        assert states.advance(state, token) == 0
    rng = np.random.default_rng(0)
    assert sampler.sample(np.zeros(9), state, rng) == (1, pytest.approx(math.log(1 / 9)))
    for seed in range(100):
        rng = np.random.default_rng(seed)
        state, text = states.start, b""
        while True:
            token, _ = sampler.sample(np.zeros(9), state, rng)
            assert token != NO_TOKEN
            if token == 0:
                break
            state, text = states.advance(state, token), text + (vocab.tokens[token] or b"")
        assert constraint.accepts(text)
        assert len(set(map(str, json.loads(text)))) == len(json.loads(text))
    assert isinstance(states, Checked)
