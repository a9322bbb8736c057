"""The table that the demo ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from .demo import FIELDS, total_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from .demo import Outcome


def print_outcomes(out: Console, kept: Sequence[Outcome], free: Sequence[Outcome], batch_size: int) -> None:
    """Print a line for each document, with the constraint and without, and what it comes to in all."""
    seconds, inside = total_seconds(kept)
    other, _ = total_seconds(free)
    fields = len(FIELDS) * len(kept)
    table = Table(
        title=f"{len(kept)} documents, {fields} fields, greedy, {batch_size} at a time",
        box=SIMPLE_HEAD,
        collapse_padding=True,
    )
    table.add_column("\n#", justify="right", no_wrap=True, min_width=2)
    table.add_column("\nrecord", overflow="ellipsis", no_wrap=True, max_width=17)
    for name in ("\nsec", "in con-\nstraint", "\nvalid", "\nright", "without:\nparses", "\nvalid", "\nright"):
        table.add_column(name, justify="right", no_wrap=True)
    for i, (a, b) in enumerate(zip(kept, free, strict=True), 1):
        spent, of_it = total_seconds([a])
        record = f"{a.record['title']}, {a.record['company']['name']}" if a.valid else a.generation.text
        judged = (_tick(a.valid), str(a.right), _tick(b.parses), _tick(b.valid), str(b.right))
        table.add_row(str(i), Text(record), f"{spent:.2f}", f"{of_it / spent:.2%}", *judged)
    table.add_section()
    table.add_row(
        "",
        "all",
        f"{seconds:.1f}",
        f"{inside / seconds:.2%}",
        f"{sum(a.valid for a in kept)}/{len(kept)}",
        str(sum(a.right for a in kept)),
        f"{sum(b.parses for b in free)}/{len(free)}",
        f"{sum(b.valid for b in free)}/{len(free)}",
        str(sum(b.right for b in free)),
    )
    out.print(table)
    tokens = sum(len(a.generation.tokens) for a in kept)
    certain = sum(a.generation.n_forced for a in kept)
    out.print(f"with the constraint: {sum(a.right for a in kept) / fields:.0%} of the fields right; {tokens} tokens")
    out.print(f"  in {seconds:.1f} s, {certain} of them certain without asking the model;")
    out.print(f"  {inside / max(1, tokens) * 1e6:.0f} us of constraint a token")
    out.print(f"without: {sum(b.right for b in free) / fields:.0%} right; ", end="")
    out.print(f"{sum(len(b.generation.tokens) for b in free)} tokens in {other:.1f} s")
    out.print("valid: judged by the package jsonschema. right: fields that equal answers written by hand.")


def _tick(good: bool) -> str:
    return "[green]yes[/]" if good else "[red]no[/]"
