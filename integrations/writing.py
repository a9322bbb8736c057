"""Files that are written for the user: whole or not at all, and an error in words where that is not possible."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from ..grammar.errors import WriteFailed

if TYPE_CHECKING:
    from pathlib import Path


def replace_content(path: Path, content: bytes) -> None:
    """Put content into a file, which keeps what it had if there is no room for it; devices and pipes are written to.

    Raises:
        WriteFailed: it cannot be written.

    """
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():
            path.write_bytes(content)
            return
        part = target.with_name(target.name + ".part")
        try:
            part.write_bytes(content)
            if target.exists():
                shutil.copymode(target, part)
            part.replace(target)
        except PermissionError:  # of the folder; the file itself may be open to us
            with suppress(OSError):
                part.unlink()
            target.write_bytes(content)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise
    except OSError as error:
        raise WriteFailed.of(error, path) from error
