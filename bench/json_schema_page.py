"""The parts of ``docs/json-schema.md`` that follow from the code: tables of keywords, formats and limits, and a real report.

Each stands in the page between ``<!-- name -->`` and ``<!-- end -->``.  Prints what differs and exits with 1;
with ``--write``, writes the page.  A test holds the page to it.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import io
import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console

from syntagma import cli
from syntagma.grammar.jsonschema.coverage import COVERAGE, Coverage
from syntagma.grammar.jsonschema.dialect import ANNOTATIONS, DIALECTS
from syntagma.grammar.jsonschema.scalars import MAX_EXPONENT, MAX_EXPONENT_DIGITS
from syntagma.grammar.jsonschema.source import INDENT_DEPTH, SchemaLimits
from syntagma.grammar.jsonschema.surface import MAX_INDENT
from syntagma.grammar.regular.dfa import MAX_DFA_STATES
from syntagma.grammar.regular.formats import KNOWN_FORMATS
from syntagma.grammar.regular.magnitudes import MAX_DIGITS
from syntagma.grammar.regular.syntax import MAX_COUNT, MAX_NESTING

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "json-schema.md"

EXAMPLE: Final = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "price": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "code": {"type": "string", "minlength": 3, "format": "sku"},
        "parts": {"type": "array", "items": {"$ref": "#"}},
    },
    "required": ["id"],
    "additionalProperties": False,
}
ARGUMENTS: Final = ("check", "schema.json", "--max-digits", "12,2", "--max-depth", "6")
WIDTH: Final = 110


def statuses(row: Coverage) -> str:
    """The statuses of a keyword, the usual one first."""
    return ", ".join(dict.fromkeys(["exact", *(w.status for w in row.weaker)]))


def remarks(row: Coverage) -> str:
    """The remark of a keyword and the cases in which it is weaker."""
    cases: dict[str, list[str]] = {}
    for weaker in row.weaker:
        cases.setdefault(weaker.status, []).append(weaker.case)
    parts = [row.remark] if row.remark else []
    return ". ".join([*parts, *(f"**{status}**: {'; '.join(each)}" for status, each in cases.items())])


def dialects(keyword: str) -> str:
    """The dialects that know a keyword, as a range."""
    known = [name for name, dialect in DIALECTS.items() if keyword in dialect.keywords]
    names = list(DIALECTS)
    if known == names:
        return "all"
    if known[-1] == names[-1]:
        return f"{known[0]} on"
    return known[0] if len(known) == 1 else f"{known[0]} to {known[-1]}"


def keyword_table() -> str:
    """Every keyword with its dialects, its statuses and the remarks."""
    lines = ["| keyword | dialects | status | remark |", "|---|---|---|---|"]
    lines += [f"| `{row.keyword}` | {dialects(row.keyword)} | {statuses(row)} | {remarks(row)} |" for row in COVERAGE]
    names = ", ".join(f"`{name}`" for name in sorted(ANNOTATIONS, key=lambda n: (n.lstrip("$").lower(), n)))
    lines.append(f"| {names} | all | annotation | they assert nothing by themselves |")
    return "\n".join(lines)


def format_list() -> str:
    """The formats that are asserted."""
    return ", ".join(f"`{name}`" for name in sorted(KNOWN_FORMATS))


def limit_table() -> str:
    """The limits with their defaults, and the constants beside them."""
    described = dict(re.findall(r"^ +(\w+): ((?:.|\n(?! +\w+: |\n))+)", SchemaLimits.__doc__ or "", re.MULTILINE))
    lines = ["| limit | default | of what |", "|---|---|---|"]
    for field in dataclasses.fields(SchemaLimits):
        text = " ".join(described[field.name].split()).replace("``", "`").rstrip(".")
        lines.append(f"| `SchemaLimits.{field.name}` | {field.default:,} | {text} |")
    fixed = [
        ("max_dfa_states", MAX_DFA_STATES, "states of the automaton of one pattern, or of several together"),
        ("max_repeat", MAX_COUNT, "a number in the braces of a pattern"),
        ("max_nesting", MAX_NESTING, "groups of a pattern inside of each other"),
        ("max_bound_digits", MAX_DIGITS, "digits of a numeric bound, before and behind the point together"),
        ("exponent", MAX_EXPONENT, "decimal exponent of a number in the schema"),
        ("count", 10**12, "a lower bound on characters, items or members; a greater upper bound is none"),
        ("recursion", 1000, "nesting of the schema: Python's `sys.getrecursionlimit()`, a few calls for each level"),
    ]
    lines += [f"| `{name}` | {value:,} | {text} |" for name, value, text in fixed]
    return "\n".join(lines)


def option_numbers() -> str:
    """The numbers that belong to the options."""
    return (
        f"An indent goes from 0 to {MAX_INDENT}. Where values nest without a limit, it has `max_depth={INDENT_DEPTH}` unless "
        f"another one is given.\nUnder `max_digits` an exponent has at most {MAX_EXPONENT_DIGITS} digits."
    )


def example_schema() -> str:
    """The schema of the example."""
    return f"```json\n{json.dumps(EXAMPLE, indent=2)}\n```"


def example_report() -> str:
    """What ``syntagma check`` prints about it, and its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "schema.json"
        path.write_text(json.dumps(EXAMPLE), encoding="utf-8")
        before, cli.out = cli.out, Console(file=io.StringIO(), width=WIDTH)
        try:
            cli.main([str(path) if a == "schema.json" else a for a in ARGUMENTS])
        except SystemExit as e:
            status = e.code
        finally:
            printed, cli.out = cli.out.file, before
    assert isinstance(printed, io.StringIO)  # noqa: S101  (made above)
    text = "\n".join(line.rstrip() for line in printed.getvalue().strip("\n").splitlines())
    return f"```text\n$ syntagma {' '.join(ARGUMENTS)}\n{text}\n$ echo $?\n{status}\n```"


PARTS: Final[dict[str, Callable[[], str]]] = {
    "keywords": keyword_table,
    "formats": format_list,
    "limits": limit_table,
    "numbers": option_numbers,
    "schema": example_schema,
    "report": example_report,
}


def generated(page: str) -> str:
    """The page with its generated parts as the code has them now."""
    for name, make in PARTS.items():
        part = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if len(part.findall(page)) != 1:
            message = f"the page must have one part {name}"
            raise ValueError(message)
        text = make()
        page = part.sub(lambda m, text=text: f"{m[1]}{text}\n{m[2]}", page)  # type: ignore[misc]
    return page


def main() -> None:
    """Compare the page with the code, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the page")
    arguments = parser.parse_args()
    old = PAGE.read_text(encoding="utf-8")
    new = generated(old)
    if arguments.write:
        PAGE.write_text(new, encoding="utf-8")
    elif old != new:
        sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), "page", "code"))
        sys.exit(1)


if __name__ == "__main__":
    main()
