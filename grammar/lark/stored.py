"""Tables of Lark grammars on disk, so that a second process does not build them again.

A file holds the tables of one grammar as plain arrays (nothing is pickled) and is named by a digest of all that they hang on: the
grammar's text, that of every file which Lark could find for its imports, the options, the versions of Python, of Lark and of this package, and our own
sources.  It begins with a digest of its content, so that a file that is damaged, cut off or not ours is as good as none.  Files are written
beside their place and moved there, so a reader never meets half of one.

Behind the digest (32 bytes) come the length of the header (8 bytes), the header (JSON: small tables, and of each array its type and shape), and the
arrays one after the other, each from a multiple of 8 bytes on: they are views of what was read, so that a table of a megabyte takes a millisecond.

Nothing here imports Lark.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import os
import re
import sys
import tempfile
from contextlib import suppress
from dataclasses import fields
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ..kernel_cache import cache_folder
from ..parsing import Indentation, Lalr, Scanner

if TYPE_CHECKING:
    from collections.abc import Iterator

SWITCH: Final = "SYNTAGMA_LARK_CACHE"
"""The environment variable that turns the cache off, set to ``0`` or ``off``."""

WORTHWHILE: Final = 0.15
"""Seconds: what took less to build is not kept."""

MOST_FILES: Final = 64
"""Those used last are kept."""

MOST_IMPORTS: Final = 256
"""A grammar that could read more files is not kept."""

FORMAT: Final = 2
DIGEST: Final = 32
ALIGNED: Final = 8
_IMPORT = re.compile(r"%import((?:[ \t]|\\ *\n|\.|\w)+)")
_BLANKS = re.compile(r"[ \t\\\n]+")


class Stored(NamedTuple):
    """What is kept of a grammar."""

    lalr: Lalr
    scanner: Scanner
    indentation: Indentation | None


def is_on() -> bool:
    """Whether the cache is used."""
    return os.environ.get(SWITCH, "").lower() not in {"0", "off", "no", "false"}


def key_of(text: str, path: str | None, import_paths: tuple[str, ...], options: dict[str, Any]) -> str | None:
    """The name of a grammar's tables; ``None`` where it cannot be told what they hang on.

    Args:
        text: the grammar.
        path: its file, if it has one.
        import_paths: folders that Lark looks for imports in.
        options: whatever else Lark is told, as JSON can hold it.

    """
    places = [*map(os.path.abspath, import_paths), *_library()]
    files = _files(text, _folder(path), places)
    if files is None:
        return None
    found = [FORMAT, sys.version, *_versions(), text, path, places, files, options]
    return hashlib.blake2b(json.dumps(found, sort_keys=True).encode(), digest_size=20).hexdigest()


@cache
def _versions() -> tuple[str, str]:
    """Lark's version, and a digest of our own sources."""
    sources = hashlib.blake2b(digest_size=16)
    here = Path(__file__).resolve().parent
    for file in [*sorted(here.glob("*.py")), here.parent / "parsing.py"]:
        sources.update(file.read_bytes())
    loaded = sys.modules.get("lark")
    return str(getattr(loaded, "__version__", None) or metadata.version("lark")), sources.hexdigest()


def _library() -> list[str]:
    """Where the grammars lie that Lark comes with."""
    spec = importlib.util.find_spec("lark")
    return [] if spec is None else [str(Path(x, "grammars")) for x in spec.submodule_search_locations or []]


def _folder(path: str | None) -> str:
    """Where the relative imports of a grammar begin; those of a text do beside the script that runs."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return str(Path(path or main or "x").absolute().parent)


def _files(text: str, folder: str, places: list[str]) -> list[tuple[str, str]] | None:
    """Every file that Lark could read for the imports of a text, with a digest: more than it does read, never less."""
    found: dict[str, str] = {}
    texts = [(text, folder)]
    while texts:
        text, folder = texts.pop()
        for name in _imports(text):
            if name is None:
                return None
            is_relative = name.startswith(".")
            for place in (*places, folder) if is_relative else places:
                file = Path(place, name.removeprefix("."))
                if str(file) in found or not file.is_file():
                    continue
                if len(found) >= MOST_IMPORTS:
                    return None
                try:
                    content = file.read_text(encoding="utf-8")
                except (OSError, UnicodeDecodeError):
                    return None
                found[str(file)] = hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
                texts.append((content, str(file.parent)))
    return list(found.items())


def _imports(text: str) -> Iterator[str | None]:
    """The files that the imports of a text may mean, behind a dot if they are relative; ``None`` for an import that is not understood."""
    paths = [_BLANKS.sub("", found) for found in _IMPORT.findall(text)]
    if len(paths) != text.count("%import"):
        yield None
    for path in paths:
        names = path.removeprefix(".").split(".")
        if not all(names):
            yield None
        dot = "." if path.startswith(".") else ""
        for n in range(1, len(names) + 1):  # the last name may be that of a rule
            yield f"{dot}{'/'.join(names[:n])}.lark"


def _place(key: str) -> Path:
    return cache_folder() / "lark" / f"{key}.tables"


def _digest(content: bytes | memoryview) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST).digest()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNED)


def _arrays(data: bytes, at: int, described: list[tuple[str, str, list[int]]]) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a file whose header ends at ``at``; they cannot be written to."""
    found: dict[str, np.ndarray[Any, Any]] = {}
    for name, dtype, shape in described:
        at += -at % ALIGNED
        found[name] = np.frombuffer(data, dtype, math.prod(shape), at).reshape(shape)
        at += found[name].nbytes
    return found


def load(key: str) -> Stored | None:
    """The tables of that name, if they are on disk and undamaged."""
    place = _place(key)
    try:
        data = place.read_bytes()
        if _digest(memoryview(data)[DIGEST:]) != data[:DIGEST]:
            return None
        at = DIGEST + ALIGNED
        length = int.from_bytes(data[DIGEST:at], "little")
        header = json.loads(data[at : at + length])
        if header["key"] != key:
            return None
        arrays = _arrays(data, at + length, header["arrays"])
        stored = Stored(
            _table(Lalr, arrays, header),
            _table(Scanner, arrays, header),
            _indentation(*header["indentation"]) if header["indentation"] else None,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    with suppress(OSError):
        os.utime(place)
    return stored


def _indentation(
    newline: int, indent: int, dedent: int, opening: list[int], closing: list[int], tab: int
) -> Indentation:
    return Indentation(newline, indent, dedent, frozenset(opening), frozenset(closing), tab)


def _table(kind: Any, arrays: dict[str, np.ndarray[Any, Any]], header: dict[str, Any]) -> Any:
    """A table from its fields: arrays lie by themselves, the others in the header."""
    name = kind.__name__
    own = header[name]
    given = {
        field.name: arrays[f"{name}.{field.name}"] if f"{name}.{field.name}" in arrays else _as_tuple(own[field.name])
        for field in fields(kind)
    }
    return kind(**given)


def _as_tuple(value: Any) -> Any:
    """A list as a tuple, of tuples if it holds lists."""
    if not isinstance(value, list):
        return value
    return tuple(map(tuple, value)) if value and isinstance(value[0], list) else tuple(value)


def save(key: str, stored: Stored) -> None:
    """Write tables; where that is not possible nothing happens."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    layout = stored.indentation
    header: dict[str, Any] = {
        "key": key,
        "indentation": layout and [*layout[:3], sorted(layout.opening), sorted(layout.closing), layout.tab],
    }
    for table in (stored.lalr, stored.scanner):
        name = type(table).__name__
        header[name] = {}
        for field in fields(table):
            value = getattr(table, field.name)
            if isinstance(value, np.ndarray):
                arrays[f"{name}.{field.name}"] = value
            else:
                header[name][field.name] = value
    header["arrays"] = [(name, array.dtype.str, array.shape) for name, array in arrays.items()]
    head = json.dumps(header).encode()
    parts = [_padded(len(head).to_bytes(ALIGNED, "little") + head), *(_padded(x.tobytes()) for x in arrays.values())]
    content = b"".join(parts)
    place = _place(key)
    temporary = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place.parent, suffix=".part", delete=False) as file:
            temporary = Path(file.name)
            file.write(_digest(content))
            file.write(content)
        temporary.replace(place)
        _prune(place.parent)
    except OSError:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def _prune(folder: Path) -> None:
    """Remove all but the files used last."""
    files = sorted(folder.glob("*.tables"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[MOST_FILES:]:
        with suppress(OSError):
            file.unlink()


__all__ = ["SWITCH", "WORTHWHILE", "Stored", "is_on", "key_of", "load", "save"]
