"""The coverage report as the command line shows it: a table, or data."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from ..grammar.report import Report, ReportEntry, Status

_STYLE: dict[Status, str] = {
    "exact": "green",
    "annotation": "dim",
    "narrowed": "yellow",
    "residual": "yellow",
    "refused": "bold red",
}


def report_data(report: Report) -> dict[str, object]:
    """The report as what JSON can say."""
    return {
        "dialect": report.dialect,
        "sound": report.sound,
        "complete": report.complete,
        "live": report.live,
        "budget": report.budget,
        "unsatisfiable": list(report.unsatisfiable),
        "entries": [
            {
                "pointer": entry.pointer,
                "keyword": entry.keyword,
                "status": entry.status,
                "reason": entry.reason,
                "consequence": entry.consequence,
            }
            for entry in report.entries
        ],
    }


def _is_telling(entry: ReportEntry) -> bool:
    """Whether a reader may have expected something else of a keyword: it is weaker, or it does nothing although it looks so."""
    return entry.status not in {"exact", "annotation"} or bool(entry.consequence)


def print_report(out: Console, report: Report, counts: Counter[Status], *, every: bool) -> None:
    """Print what a reader may have expected otherwise (all with ``every``), how many keywords have which status, and what holds of the whole."""
    shown = [entry for entry in report.entries if every or _is_telling(entry)]
    if shown:
        table = Table("where", "keyword", "status", "why, and what it means", box=SIMPLE_HEAD, pad_edge=False)
        for entry in shown:
            words = "; ".join(part for part in (entry.reason, entry.consequence) if part)
            status = Text(entry.status, _STYLE[entry.status])
            table.add_row(Text(entry.pointer), Text(entry.keyword), status, Text(words))
        out.print(table)
        out.print()
    for pointer in report.unsatisfiable:
        out.print(Text("no value satisfies", "yellow"), Text(pointer))
    summary = ", ".join(f"{counts[status]} {status}" for status in _STYLE if counts[status])
    out.print(Text(f"{summary or 'nothing to say'} ({report.dialect})"))
    facts = [
        ("sound", report.sound, "every output is valid", "an output may be invalid"),
        ("complete", report.complete, "every valid value can come out", "some valid values cannot come out"),
        ("live", report.live, "no prefix is a dead end", "a prefix may be a dead end"),
    ]
    for name, holds, yes, no in facts:
        out.print(f"  {name}: " + (f"[green]{yes}[/]" if holds else f"[yellow]{no}[/]"))
    words = "the least number of tokens" if report.budget == "exact" else "a number of tokens that is enough"
    out.print(f"  budget: what is still needed is known as {words}")
