"""Programming languages by name, or by the file of a grammar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..grammar.errors import InvalidSource

if TYPE_CHECKING:
    from ..grammar.lark import Lark

NAMES = ("python",)
"""Languages whose grammar and indenter come with the ``lark`` package."""


def language(name: str, *, start: str | None = None) -> Lark:
    """The source of a language.

    Args:
        name: one of ``NAMES``, or the path of a Lark grammar.
        start: the rule that texts are made of; by default a whole file's (``file_input`` of Python, ``start`` of a grammar).

    Raises:
        InvalidSource: it is neither.

    """
    from ..grammar.lark import Lark

    if name == "python":
        from importlib.util import find_spec

        from lark.indenter import PythonIndenter

        spec = find_spec("lark")
        folder = (spec.submodule_search_locations or [""])[0] if spec is not None else ""
        grammar = Path(folder) / "grammars" / "python.lark"
        return Lark(grammar, start=start or "file_input", postlex=PythonIndenter())
    path = Path(name)
    if not path.is_file():
        raise InvalidSource(
            f"{name!r} is neither a language ({', '.join(NAMES)}) nor the file of a grammar",
            where="--grammar",
            hint="write the path of a .lark file",
        )
    return Lark(path, start=start)
