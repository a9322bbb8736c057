"""The coverage report: what a front end did with every part of the user's text.

Nothing is dropped in silence.  Whether a report is needed is known only afterwards, so its entries are collected when
they are first asked for; the flags that decide something are there from the beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Status = Literal["exact", "narrowed", "residual", "annotation", "refused"]
"""``exact``: enforced as it stands.  ``narrowed``: enforced, and some valid values cannot be produced.  ``residual``:
checked when the value closes.  ``annotation``: asserts nothing.  ``refused``: not enforced."""


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """What was done with one keyword in one place.

    Attributes:
        pointer: JSON pointer of the keyword, as a URI fragment.
        keyword: the keyword.
        status: see ``Status``.
        reason: why it has this status, or an empty string.
        consequence: what that means for the texts, or an empty string.

    """

    pointer: str
    keyword: str
    status: Status
    reason: str = ""
    consequence: str = ""


class Report:
    """What a compilation promises, and why.

    Attributes:
        dialect: the dialect that the source was read in, with the reason in parentheses where it was detected.
        sound: every finished text is valid.
        complete: every valid value has a text.
        live: every prefix that is allowed can be finished, as far as that is proved.

    """

    def __init__(
        self,
        *,
        dialect: str,
        sound: bool,
        complete: bool,
        live: bool | Callable[[], bool],
        budget: Literal["exact", "bound"],
        collect: Callable[[], list[ReportEntry]],
        unsatisfiable: Callable[[], list[str]],
    ) -> None:
        """Hold the flags, and functions that find the rest on demand; ``live`` may be one, where its proof takes a while."""
        self.dialect = dialect
        self.sound = sound
        self.complete = complete
        self._live = live
        self._budget: Literal["exact", "bound"] = budget
        self._is_minimal: Callable[[], bool] | None = None
        self._collect = collect
        self._find_unsatisfiable = unsatisfiable
        self._entries: tuple[ReportEntry, ...] | None = None
        self._unsatisfiable: tuple[str, ...] | None = None

    @property
    def live(self) -> bool:
        """Whether every prefix that is allowed can be finished; false as well where that is not proved."""
        if not isinstance(self._live, bool):
            self._live = self._live()
        return self._live

    @property
    def budget(self) -> Literal["exact", "bound"]:
        """``exact`` where the bound on what is still needed is the minimum, else ``bound``."""
        if self._is_minimal is not None:
            if not self._is_minimal():
                self._budget = "bound"
            self._is_minimal = None
        return self._budget

    def ask_for_minimum(self, is_minimal: Callable[[], bool]) -> None:
        """Let ``is_minimal`` decide, when ``budget`` is first asked for, whether an ``exact`` one is: only the machine knows."""
        if self._budget == "exact":
            self._is_minimal = is_minimal

    @property
    def entries(self) -> tuple[ReportEntry, ...]:
        """Every keyword that was reached, in the order of reading."""
        if self._entries is None:
            self._entries = tuple(self._collect())
        return self._entries

    @property
    def unsatisfiable(self) -> tuple[str, ...]:
        """Pointers of the subschemas that no value satisfies."""
        if self._unsatisfiable is None:
            self._unsatisfiable = tuple(self._find_unsatisfiable())
        return self._unsatisfiable

    def __repr__(self) -> str:
        """Show the flags."""
        return (
            f"Report(dialect={self.dialect!r}, sound={self.sound}, complete={self.complete}, "
            f"live={self.live}, budget={self.budget!r})"
        )
