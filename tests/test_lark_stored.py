"""Tables of Lark grammars on disk: found by what they hang on, and only then."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from lark.indenter import PythonIndenter

import syntagma as sg
from syntagma.grammar.lark import scanner, stored
from syntagma.grammar.parsing import Parser

GRAMMAR = 'start: item ("," item)*\nitem: WORD | "(" start ")"\n%import common.WORD\n%ignore " "\n'


class Blocks(PythonIndenter):
    """An indenter with brackets of its own."""

    OPEN_PAREN_types = ["LPAR"]  # noqa: RUF012 (as Lark has it)
    CLOSE_PAREN_types = ["RPAR"]  # noqa: RUF012


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own that keeps whatever is built."""
    monkeypatch.setenv("SYNTAGMA_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv(stored.SWITCH, raising=False)
    monkeypatch.setattr(stored, "WORTHWHILE", -1.0)
    return tmp_path / "lark"


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The grammars that were built."""
    built: list[object] = []
    tables = scanner.tables

    def counted(grammar: object, **options: object) -> object:
        built.append(grammar)
        return tables(grammar, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(scanner, "tables", counted)
    return built


def digest(source: sg.Lark) -> bytes:
    """What tells the tables of a source from others."""
    parser = source.lower().grammar.rules[0].body.outline_of
    assert isinstance(parser, Parser)
    return parser.digest


def kept(folder: Path) -> list[Path]:
    """The files of the cache."""
    return sorted(folder.glob("*"))


def test_a_second_lowering_reads_what_the_first_wrote(folder: Path, builds: list[object]) -> None:
    """Equal sources are built once, and the tables that were read equal those that were built."""
    first = digest(sg.Lark(GRAMMAR))
    assert digest(sg.Lark(GRAMMAR)) == first
    assert len(builds) == len(kept(folder)) == 1


def test_the_report_of_kept_tables_is_that_of_built_ones() -> None:
    """Terminals and the proof of liveness do not hang on where the tables came from."""
    reports = [sg.Lark(GRAMMAR).lower().report for _ in range(2)]
    assert all(report is not None for report in reports)
    assert len({(report.live, tuple(report.entries)) for report in reports if report is not None}) == 1


@pytest.mark.parametrize(
    "other",
    [
        lambda text: sg.Lark(text + "\n// more\n"),
        lambda text: sg.Lark(text, start="item"),
        lambda text: sg.Lark(text, regex_flags=2),
        lambda text: sg.Lark(text, import_paths=("elsewhere", Path())),
    ],
)
def test_whatever_the_tables_hang_on_is_told_apart(
    other: Callable[[str], sg.Lark], builds: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another text or option is another grammar, and so is a folder in which an imported file lies."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "common.lark").write_text('WORD: "a".."z"\n')
    digest(sg.Lark(GRAMMAR))
    digest(other(GRAMMAR))
    assert len(builds) == 2


def test_indenters_are_told_apart(builds: list[object]) -> None:
    """What an indenter is told belongs to the name of the tables."""
    text = (
        "start: (line | block)*\nline: A _NEWLINE\nblock: A _NEWLINE _INDENT line+ _DEDENT\n"
        'A: "a" | LPAR\nLPAR: "("\nRPAR: ")"\nLSQB: "["\nRSQB: "]"\nLBRACE: "{"\nRBRACE: "}"\n'
        "_NEWLINE: /(\\n[ ]*)+/\n%declare _INDENT _DEDENT\n"
    )
    for indenter in (PythonIndenter(), Blocks(), PythonIndenter()):
        sg.Lark(text, postlex=indenter).lower()
    assert len(builds) == 2


def test_an_imported_file_that_changes_is_read_again(tmp_path: Path, builds: list[object]) -> None:
    """Tables hang on what their imports say, through files that import others."""
    inner, outer, text = (tmp_path / name for name in ("inner.lark", "outer.lark", "text.lark"))
    inner.write_text('X: "a"\n')
    outer.write_text("%import .inner.X\ny: X\n")
    text.write_text("%import .outer.y\nstart: y+\n")
    first = digest(sg.Lark(text))
    assert digest(sg.Lark(str(text))) == first
    assert len(builds) == 1
    inner.write_text('X: "b"\n')
    assert digest(sg.Lark(text)) != first


def test_a_file_that_appears_before_the_one_imported_counts(tmp_path: Path) -> None:
    """Lark takes the first file of a name; one that comes before it changes the grammar."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    (second / "common.lark").write_text('WORD: "b"\n')
    source = sg.Lark(GRAMMAR, import_paths=(first, second))
    before = digest(source)
    (first / "common.lark").write_text('WORD: "c"\n')
    assert digest(source) != before


def test_an_import_that_is_not_understood_is_not_kept(folder: Path) -> None:
    """Where it cannot be told which files a grammar reads, nothing is written."""
    assert stored.key_of('start: "%import"\n', None, (), {}) is None
    sg.Lark('start: "%import"\n').lower()
    assert not kept(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:0],
        lambda data: b"no archive" + data[10:],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-40],
    ],
)
def test_a_damaged_file_is_as_good_as_none(
    damage: Callable[[bytes], bytes], folder: Path, builds: list[object]
) -> None:
    """It is built again, and the file is replaced."""
    digest(sg.Lark(GRAMMAR))
    (file,) = kept(folder)
    file.write_bytes(damage(file.read_bytes()))
    second = digest(sg.Lark(GRAMMAR))
    assert digest(sg.Lark(GRAMMAR)) == second
    assert len(builds) == 2


def test_every_flipped_byte_is_noticed_or_harmless(folder: Path) -> None:
    """A file with one other byte holds the same tables or none."""
    digest(sg.Lark(GRAMMAR))
    (file,) = kept(folder)
    whole = file.read_bytes()
    good = stored.load(file.stem)
    assert good is not None
    wanted = Parser.of(*good).digest
    for at in range(0, len(whole), max(1, len(whole) // 200)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        found = stored.load(file.stem)
        assert found is None or Parser.of(*found).digest == wanted


def test_a_file_of_another_grammar_is_refused(folder: Path) -> None:
    """Tables say what they are of, so a file that was renamed is none."""
    digest(sg.Lark(GRAMMAR))
    (file,) = kept(folder)
    file.rename(folder / f"{'0' * 40}.tables")
    assert stored.load("0" * 40) is None


def test_no_object_is_unpickled(folder: Path) -> None:
    """A file that says it holds objects is refused, not read."""
    digest(sg.Lark(GRAMMAR))
    (file,) = kept(folder)
    data = file.read_bytes()
    assert b'"<i4"' in data
    content = data[32:].replace(b'"<i4"', b'"|O" ')
    file.write_bytes(hashlib.blake2b(content, digest_size=32).digest() + content)
    assert stored.load(file.stem) is None


def test_the_cache_can_be_turned_off(folder: Path, builds: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the switch nothing is written and nothing read."""
    monkeypatch.setenv(stored.SWITCH, "0")
    digest(sg.Lark(GRAMMAR))
    digest(sg.Lark(GRAMMAR))
    assert len(builds) == 2
    assert not kept(folder)


def test_what_is_built_quickly_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small grammars do not fill the disk."""
    monkeypatch.setattr(stored, "WORTHWHILE", 3600.0)
    digest(sg.Lark(GRAMMAR))
    assert not kept(folder)


def test_a_folder_that_cannot_be_written_is_no_error(
    builds: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables are built all the same."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SYNTAGMA_CACHE_DIR", str(tmp_path / "file"))
    digest(sg.Lark(GRAMMAR))
    digest(sg.Lark(GRAMMAR))
    assert len(builds) == 2


def test_the_files_used_last_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder does not grow without end, and no half-written file stays."""
    monkeypatch.setattr(stored, "MOST_FILES", 2)
    for n in range(4):
        digest(sg.Lark(GRAMMAR + "\n" * n))
        for age, file in enumerate(sorted(kept(folder), key=lambda x: x.stat().st_mtime, reverse=True)):
            os.utime(file, (1e9 - age, 1e9 - age))
    assert len(kept(folder)) == 2
    assert all(file.suffix == ".tables" for file in kept(folder))


def test_a_second_process_does_not_import_lark(folder: Path) -> None:
    """Where the tables are on disk, Lark is not even loaded."""
    digest(sg.Lark(GRAMMAR))
    code = (
        "import sys, syntagma as sg\n"
        f"sg.Lark({GRAMMAR!r}).lower()\n"
        "assert 'lark' not in sys.modules, 'lark was imported'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ), cwd=folder.parent)
