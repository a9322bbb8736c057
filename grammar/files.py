"""Reading a grammar's file, for all notations alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import InvalidSource

if TYPE_CHECKING:
    from pathlib import Path


def read_grammar(path: Path, *, newline: str | None = None) -> str:
    """The text of a file in UTF-8, without a byte order mark; ``newline`` as ``open`` has it.

    Raises:
        InvalidSource: the file cannot be read, or is not UTF-8.

    """
    try:
        with path.open(encoding="utf-8-sig", newline=newline) as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise InvalidSource(f"the file is not UTF-8: {error.reason} at byte {error.start}", where=str(path)) from None
    except (OSError, ValueError) as error:
        raise InvalidSource(
            f"the grammar cannot be read: {getattr(error, 'strerror', None) or error}",
            where=str(path),
            hint="a text that looks like a file's name needs a line break at its end",
        ) from None
