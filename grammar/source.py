"""What all front ends have in common: a source is a value that can be lowered to rules and a report."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from .ir import Grammar
from .report import Report


@dataclass(frozen=True, slots=True)
class Lowered:
    """A source as rules.

    Attributes:
        grammar: rules that a real-time machine can run (see ``leftcorner``).
        report: what became of every part of the source.
        deadline: seconds that loading the rules may take; ``None``: no limit.

    """

    grammar: Grammar
    report: Report
    deadline: float | None = None


class Source(ABC):
    """A JSON Schema, a grammar, a regular expression, a list of choices: whatever ``syntagma.compile`` takes.

    A source is immutable, and holds other sources where they are composed (a schema inside a tag inside a grammar).
    """

    __slots__ = ()

    @abstractmethod
    def lower(self) -> Lowered:
        """The source as rules.

        Raises:
            InvalidSource: it is wrong in itself.
            Unsatisfiable: its language is empty.
            Unsupported: it uses something that is refused by name.
            LimitExceeded: a stated limit was hit.

        """
