"""Options that several commands take, each listed once: what to generate, how a grammar is read, how JSON looks.

A group is a frozen dataclass.  A command has one parameter for a group, and ``grouped`` puts the options in its place.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from ..grammar.errors import InvalidSource

if TYPE_CHECKING:
    from ..grammar.jsonschema import JsonSchema
    from ..grammar.source import Source

# The sources are imported where one is made, so that --help is instant.


class Kind(StrEnum):
    """What a file holds."""

    schema = "schema"
    lark = "lark"
    gbnf = "gbnf"
    ebnf = "ebnf"


SUFFIXES = {".json": Kind.schema, ".lark": Kind.lark, ".gbnf": Kind.gbnf, ".ebnf": Kind.ebnf, ".bnf": Kind.ebnf}
"""What a file holds, by how its name ends."""


class Lexer(StrEnum):
    """How a Lark grammar is read."""

    lark = "lark"
    scannerless = "scannerless"


class Order(StrEnum):
    """Order of the members of an object."""

    schema = "schema"
    any = "any"


class Escapes(StrEnum):
    """Spellings of characters in strings."""

    canonical = "canonical"
    ascii = "ascii"
    all = "all"


_LOOKS = "How JSON looks"
_READING = "How a grammar is read"


@dataclass(frozen=True)
class Looks:
    """How JSON looks; see ``JsonSchema``."""

    property_order: Annotated[
        Order,
        typer.Option("--property-order", help="Members as in the schema, or in any order.", rich_help_panel=_LOOKS),
    ] = Order.schema
    escapes: Annotated[
        Escapes, typer.Option("--escapes", help="Spellings of characters in strings.", rich_help_panel=_LOOKS)
    ] = Escapes.canonical
    max_depth: Annotated[
        int | None, typer.Option("--max-depth", min=0, help="Containers open at once.", rich_help_panel=_LOOKS)
    ] = None
    max_digits: Annotated[
        str | None,
        typer.Option(
            "--max-digits",
            help="Digits before and behind the point of a number: 20, or 15,6.",
            rich_help_panel=_LOOKS,
        ),
    ] = None
    dialect: Annotated[
        str | None,
        typer.Option(
            "--dialect",
            help="draft4, draft6, draft7, 2019-09 or 2020-12; detected if absent.",
            rich_help_panel=_LOOKS,
        ),
    ] = None

    def schema(self, path: Path, whitespace: str, *, widen: bool = False) -> JsonSchema:
        """The source of a schema's file.

        Raises:
            InvalidSource: the file is no text, or an option has no such value.

        """
        from ..grammar.jsonschema import JsonSchema

        digits: int | tuple[int, int] | None = None
        if self.max_digits is not None:
            try:
                whole, *places = (int(part) for part in self.max_digits.split(","))
            except ValueError:
                raise InvalidSource(
                    f"{self.max_digits!r} is not a number of digits", where="--max-digits", hint="write 20, or 15,6"
                ) from None
            digits = (whole, *places) if places else whole  # type: ignore[assignment]  # its length is checked with its values
        return JsonSchema(
            read_text(path),
            dialect=self.dialect,
            whitespace=int(whitespace) if whitespace.isdecimal() else whitespace,  # type: ignore[arg-type]  # checked there
            property_order=self.property_order.value,
            escapes=self.escapes.value,
            max_depth=self.max_depth,
            max_digits=digits,
            on_unsupported="widen" if widen else "error",
        )


@dataclass(frozen=True)
class SpacedLooks(Looks):
    """The same where a text need not be one line."""

    whitespace: Annotated[
        str,
        typer.Option(
            "--whitespace",
            help='"compact", "bounded", "any", or a number: the indent of json.dumps.',
            rich_help_panel=_LOOKS,
        ),
    ] = "bounded"


@dataclass(frozen=True)
class Reading:
    """How the file of a grammar is read."""

    kind: Annotated[
        Kind | None,
        typer.Option("--kind", help="What the file holds, if its name does not tell.", rich_help_panel=_READING),
    ] = None
    start: Annotated[
        str | None, typer.Option("--start", help="The rule that texts are made of.", rich_help_panel=_READING)
    ] = None
    lexer: Annotated[
        Lexer | None,
        typer.Option(
            "--lexer",
            help="Of a Lark grammar: lark (the default) reads as Lark does, scannerless takes every splitting.",
            rich_help_panel=_READING,
        ),
    ] = None

    def source(self, path: Path, looks: SpacedLooks, *, widen: bool = False) -> Source:
        """The source of a file.

        Raises:
            InvalidSource: the file's name does not tell what it holds, or an option says nothing about that.

        """
        kind = SUFFIXES.get(path.suffix.lower()) if self.kind is None else self.kind
        if kind is None:
            raise InvalidSource(
                f"the name does not tell what the file holds; known are {', '.join(SUFFIXES)}",
                where=str(path),
                hint=f"pass --kind {'|'.join(Kind)}",
            )
        if kind is Kind.schema:
            refuse_set(dataclasses.replace(self, kind=None), "grammars")
            return looks.schema(path, looks.whitespace, widen=widen)
        refuse_set(looks, "schemas")
        if kind is Kind.lark:
            from ..grammar.lark import Lark

            return Lark(path, start=self.start, lexer=(self.lexer or Lexer.lark).value)
        refuse_set(dataclasses.replace(self, kind=None, start=None), "Lark grammars")
        from ..grammar.cfg import Ebnf, Gbnf

        if kind is Kind.ebnf:
            return Ebnf(path, start=self.start)
        return Gbnf(path) if self.start is None else Gbnf(path, start=self.start)


@dataclass(frozen=True)
class Wanted:
    """What a text must be: exactly one of these."""

    schema: Annotated[
        Path | None, typer.Option("--schema", "-s", exists=True, dir_okay=False, help="File with a JSON Schema.")
    ] = None
    grammar: Annotated[
        Path | None,
        typer.Option(
            "--grammar", "-g", exists=True, dir_okay=False, help="File with a grammar: Lark, GBNF, EBNF or BNF."
        ),
    ] = None
    regex: Annotated[str | None, typer.Option("--regex", "-r", help="Regular expression, as Python writes them.")] = (
        None
    )
    choices: Annotated[
        Path | None,
        typer.Option(
            "--choices",
            "-c",
            exists=True,
            dir_okay=False,
            help="File with a choice a line, or .json with a list of them.",
        ),
    ] = None

    def source(self, reading: Reading, looks: SpacedLooks) -> Source:
        """The source that was asked for.

        Raises:
            InvalidSource: there is none or more than one, or an option says nothing about it.

        """
        given = [field.name for field in dataclasses.fields(self) if getattr(self, field.name) is not None]
        if len(given) != 1:
            names = [f"--{field.name}" for field in dataclasses.fields(self)]
            raise InvalidSource(
                "nothing says what a text must be" if not given else f"--{' and --'.join(given)} exclude each other",
                hint=f"pass one of {', '.join(names)}",
            )
        if self.schema is not None:
            refuse_set(reading, "grammars")
            return looks.schema(self.schema, looks.whitespace)
        if self.grammar is not None:
            return reading.source(self.grammar, looks)
        refuse_set(looks, "schemas")
        refuse_set(reading, "grammars")
        if self.regex is not None:
            from ..grammar.regex import Regex

            return Regex(self.regex)
        from ..grammar.choices import Choices

        assert self.choices is not None  # noqa: S101 - it is the one that is given
        return Choices(_lines(self.choices))


def _lines(path: Path) -> list[str]:
    text = read_text(path)
    if path.suffix.lower() != ".json":
        if not text:
            raise InvalidSource("the file holds no choice", where=str(path), hint="write one a line")
        return text.removesuffix("\n").split("\n")
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidSource(f"the file is not JSON: {error}", where=str(path)) from error
    if not isinstance(found, list):
        raise InvalidSource("the file holds no list of strings", where=str(path))
    return found


def read_text(path: Path, *, newline: str | None = None) -> str:
    """The text of a file, without the mark that some editors put before UTF-8; ``newline`` as in ``open``.

    Raises:
        InvalidSource: it is not UTF-8, or cannot be read.

    """
    try:
        with path.open(encoding="utf-8-sig", newline=newline) as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise InvalidSource("the file is not UTF-8 text", where=str(path)) from error
    except OSError as error:
        raise InvalidSource(f"the file cannot be read: {error.strerror}", where=str(path)) from error


def refuse_set(group: Any, what: str) -> None:  # noqa: ANN401 - any of the groups
    """Refuse options of a group that were set, where they would say nothing.

    Raises:
        InvalidSource: one was set to something else than its default.

    """
    for field in dataclasses.fields(group):
        if getattr(group, field.name) != field.default:
            option = f"--{field.name.replace('_', '-')}"
            raise InvalidSource(f"the option is about {what}", where=option, hint="leave it out")


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameters that are groups are replaced by the options of the groups."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)}
    parameters: list[inspect.Parameter] = []
    members: dict[str, list[str]] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name]))
            continue
        kinds = get_type_hints(groups[name], include_extras=True)
        fields = dataclasses.fields(groups[name])
        members[name] = [field.name for field in fields]
        parameters += [
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=kinds[field.name]
            )
            for field in fields
        ]

    @functools.wraps(command)
    def run(**given: Any) -> None:  # noqa: ANN401 - what the command takes
        made = {name: groups[name](**{field: given.pop(field) for field in fields}) for name, fields in members.items()}
        command(**given, **made)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
