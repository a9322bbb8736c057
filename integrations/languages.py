"""Programming languages by name, or by the file of a grammar."""

from __future__ import annotations

import keyword
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..grammar.errors import InvalidSource

if TYPE_CHECKING:
    from ..engine.residuals import TextCheck
    from ..grammar.lark import Lark

NAMES = ("python",)
"""Languages whose grammar and indenter come with the ``lark`` package."""


ARGUMENTS = """
arguments: (_plain | _named | _spread) ","?
         | comprehension{test}
_plain: [_plain ","] _positional
_named: [(_plain | _named) ","] _keyword | _named "," "*" test
_spread: [(_plain | _named | _spread) ","] "**" test | _spread "," _keyword
_positional: test | "*" test
_keyword: name "=" test
"""
"""The arguments of a call: those without a name first, stars among them; behind one with a name only stars and names, behind two stars names and two stars.

Lark's grammar has them in any order, and any expression for a name.
"""


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
        from lark.indenter import PythonIndenter

        return Lark(python_grammar(), start=start or "file_input", postlex=PythonIndenter())
    path = Path(name)
    if not path.is_file():
        raise InvalidSource(
            f"{name!r} is neither a language ({', '.join(NAMES)}) nor the file of a grammar",
            where="--grammar",
            hint="write the path of a .lark file",
        )
    return Lark(path, start=start)


def check_of(name: str) -> TextCheck | None:
    """The check that a whole text of a language has to pass besides its grammar: Python's own parser; None where there is none."""
    from ..engine.residuals import PythonParses

    return PythonParses() if name == "python" else None


def published_grammar() -> Path:
    """The file of Python's grammar in the ``lark`` package."""
    from importlib.util import find_spec

    spec = find_spec("lark")
    folder = (spec.submodule_search_locations or [""])[0] if spec is not None else ""
    return Path(folder) / "grammars" / "python.lark"


@cache
def python_grammar() -> str:
    """Lark's grammar of Python, with what it lets through and Python never does taken out.

    A contextual lexer looks for those terminals only that the parser takes.  So where Lark's own grammar expects a keyword, the keyword is found at the beginning of a longer
    word (``x inside``), and where it expects a name, keywords are names (``x = in``).  Here keywords are whole words and no names; besides, arguments
    come in Python's order (``ARGUMENTS``), a comma ends a list of imports only within brackets, and ``<>`` is no operator.

    Raises:
        InvalidSource: the file is not the one that the edits are made for.

    """
    text = published_grammar().read_text(encoding="utf-8")
    reserved = "|".join(keyword.kwlist)
    words = sorted(set(re.findall(rf'"({reserved})"', text)))
    for pattern, replacement in (
        (rf'"({reserved})"', lambda found: _terminal(found[1])),
        (r"^NAME: /", lambda found: f"{found[0]}(?!(?:{reserved})(?!\\w))"),
        (
            r"^((?:LONG_)?STRING): ",
            lambda found: f"{found[1]}.1: ",
        ),  # where all else is equal Lark tries the longest pattern first
        (r"^arguments:.*?^\?argvalue: [^\n]*$", lambda _: ARGUMENTS),
        (r'"\(" import_as_names "\)" \| import_as_names', lambda _: '"(" _imports ","? ")" | _imports'),
        (r"^import_as_names: [^\n]*$", lambda _: '_imports: [_imports ","] import_as_name'),
        (r'\|"<>"', lambda _: ""),
    ):
        text, n = re.subn(pattern, replacement, text, flags=re.MULTILINE | re.DOTALL)
        if not n:
            raise InvalidSource(
                f"the grammar of Python in the lark package has changed: no {pattern} in it",
                where=str(published_grammar()),
                hint="lark 1.3 has the grammar that is meant; sg.Lark takes any other as it stands",
            )
    return text + "".join(f"\n{_terminal(word)}.1: /{word}(?!\\w)/" for word in words) + "\n"


def _terminal(word: str) -> str:
    """The terminal of a keyword; the underscore keeps it out of trees, as a literal is."""
    return f"_{word.upper()}_WORD"
