"""Extraction over files: documents in, one JSON line each out, resumable at any point."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..engine.model import is_encodable
from ..grammar.errors import InvalidSource, SyntagmaError, WriteFailed
from .options import read_text
from .writing import replace_content

if TYPE_CHECKING:
    from ..engine.extract import Example, Extractor
    from ..engine.generation import Generation


@dataclass(frozen=True, slots=True)
class Document:
    """One document of the input.

    Attributes:
        id: the row's own ``id``, or file name and line; unique in the input.
        number: its place in the input, from 0.
        text: the document; ``None`` if the row is no document.
        problem: why it is none.

    """

    id: str
    number: int
    text: str | None
    problem: str | None = None


def read_documents(paths: Iterable[Path]) -> list[Document]:
    """Read ``.jsonl`` files (one object a line, its text under ``text``, optionally an ``id``) and plain text files.

    A line that is no document is kept with its problem, to be reported in its place.

    Raises:
        InvalidSource: a file cannot be read as UTF-8, or two documents have the same id.

    """
    documents: list[Document] = []
    seen: set[str] = set()
    for path in paths:
        for name, text, problem in _rows(path, read_text(path)):
            if name in seen:
                raise InvalidSource(
                    f"two documents have the id {name!r}", where=str(path), hint="give each its own, or leave ids out"
                )
            seen.add(name)
            documents.append(Document(name, len(documents), text, problem))
    return documents


def _rows(path: Path, content: str) -> Iterator[tuple[str, str | None, str | None]]:
    if path.suffix not in {".jsonl", ".ndjson"}:
        yield path.name, content, None
        return
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        name = f"{path.name}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            yield name, None, f"the line is not JSON: {error.msg} at column {error.colno}"
            continue
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            yield name, None, 'the line is no object with a string under "text"'
            continue
        own = str(row.get("id", name))
        if not (is_encodable(own) and is_encodable(row["text"])):
            yield name, None, "the line holds half of a surrogate pair, which is no text"
            continue
        yield own, row["text"], None


@dataclass(frozen=True, slots=True)
class Row:
    """The outcome of one document.

    Attributes:
        id: the document's.
        text: the extracted JSON, as it was generated (a float would not hold every number); ``None`` on failure.
        error: one sentence; ``None`` on success.

    """

    id: str
    text: str | None
    error: str | None = None

    @property
    def line(self) -> str:
        """The row as one line of JSON: ``{"id", "data"}`` or ``{"id", "error"}``."""
        name = json.dumps(self.id, ensure_ascii=False)
        if self.text is None:
            return f'{{"id": {name}, "error": {json.dumps(self.error, ensure_ascii=False)}}}'
        # JSON has line breaks between tokens only, where a space does as well.
        return f'{{"id": {name}, "data": {self.text.replace(chr(13), " ").replace(chr(10), " ")}}}'


def _finished(line: bytes) -> dict[str, object] | None:
    """A row of an output; ``None`` if the line is none."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and "id" in row and ("data" in row or "error" in row) else None


def _is_cut_short(line: bytes) -> bool:
    """Whether a line begins like a row and is no whole line of JSON, so that a row may have been cut."""
    begins = b'{"id": "'
    if line[: len(begins)] != begins[: len(line)]:
        return False
    try:
        json.loads(line)
    except ValueError:
        return True
    return False


class Output:
    """A file of JSON lines that grows row by row; what it holds already is not made again."""

    def __init__(self, path: Path, *, retry_errors: bool = False) -> None:
        """Open the file, drop a last line that an interruption cut short, and read which rows are done.

        Args:
            path: the file; it is made if it does not exist.
            retry_errors: do rows that failed again; their old lines are removed.

        Raises:
            InvalidSource: the file holds lines that are no rows of such an output.
            WriteFailed: it cannot be written.

        """
        self.done: set[str] = set()
        kept: list[bytes] = []
        self._path = path
        try:
            content = path.read_bytes() if path.is_file() else b""  # a device or a pipe holds no rows
            *whole, rest = content.split(b"\n")
            for number, line in enumerate([*whole, rest] if rest else whole, 1):
                row = _finished(line)
                if row is None and not (number > len(whole) and _is_cut_short(line)):
                    raise InvalidSource(
                        "is no row of an extraction",
                        where=f"{path}, line {number}",
                        hint="choose another output file; this one is left as it is",
                    )
                if row is not None and not ("error" in row and retry_errors):
                    self.done.add(str(row["id"]))
                    kept.append(line + b"\n")
            if b"".join(kept) != content:
                replace_content(path, b"".join(kept))
            self._file: IO[bytes] = path.open("ab", buffering=0)
        except OSError as error:
            raise WriteFailed.of(error, path) from error

    def write(self, row: Row) -> None:
        """Append a row, and hand it to the operating system at once.

        Raises:
            WriteFailed: it cannot be written (a full disk); the file ends with the row before it.

        """
        rest = memoryview((row.line + "\n").encode())
        whole = self._file.tell() if self._path.is_file() else None
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            if whole is not None:
                with suppress(OSError):
                    self._file.truncate(whole)
            raise WriteFailed.of(error, self._path) from error

    def close(self) -> None:
        """Write through to the disk and close.

        Raises:
            WriteFailed: the disk does not take what it was given.

        """
        try:
            with self._file:
                if self._path.is_file():
                    os.fsync(self._file.fileno())
        except OSError as error:
            raise WriteFailed.of(error, self._path) from error


def extract_rows(
    extractor: Extractor,
    documents: Iterable[Document],
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    batch_size: int = 8,
) -> Iterator[Row]:
    """Extract from documents in order.

    An error of one document becomes that document's row, and the others go on: a batch that fails
    is done again one document at a time.

    Yields:
        One row a document.

    Raises:
        BudgetTooSmall: an error of the run and not of a document.

    """

    def run(some: list[Document]) -> Iterator[Generation]:
        return extractor.run(
            [d.text or "" for d in some],
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            seed=seed,
            batch_size=batch_size,
            streams=[d.number for d in some],
        )

    extractor.check_budget(max_new_tokens)
    source = iter(documents)
    while batch := list(islice(source, batch_size)):
        good = [d for d in batch if d.text is not None]
        results: dict[str, Generation | SyntagmaError] = {}
        try:
            results = {d.id: g for d, g in zip(good, run(good), strict=True)}
        except SyntagmaError:
            for document in good:
                try:
                    results[document.id] = next(run([document]))
                except SyntagmaError as error:
                    results[document.id] = error
        for document in batch:
            yield _row(document, results.get(document.id))


def _row(document: Document, result: Generation | SyntagmaError | None) -> Row:
    if result is None:
        return Row(document.id, None, document.problem)
    if isinstance(result, SyntagmaError):
        return Row(document.id, None, str(result))
    return Row(document.id, result.text)


def read_examples(path: Path) -> list[Example]:
    """Read the worked examples of a JSONL file."""
    from ..engine.extract import Example

    examples = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            examples.append(Example(str(row["text"]), row["data"]))
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidSource(
                'is no worked example: {"text": ..., "data": ...}', where=f"{path}, line {number}"
            ) from error
    return examples
