"""One of some strings, up to millions of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from .errors import InvalidSource, LimitExceeded, Unsatisfiable
from .ir import Grammar
from .regular.dawg import Bytes, Offsets, dawg
from .report import Report, ReportEntry
from .source import Lowered, Source

BATCH = 1 << 14
"""Strings that are encoded at once: what they take beside their bytes is gone before the next ones come."""

MOST_BYTES = (1 << 32) - 1


@dataclass(frozen=True, slots=True, init=False)
class Choices(Source):
    """The texts that are one of some strings, each whole.

    Strings are ``str`` (read as UTF-8) or ``bytes``; the same string twice is the same choice, and the empty string is one like others.  They become
    one minimal acyclic automaton, so that a million titles take seconds and about as much memory as the strings do.

    Attributes:
        strings: the strings, as given.

    """

    strings: Sequence[str | bytes]

    def __init__(self, strings: Iterable[str | bytes]) -> None:
        """Take the strings from any iterable but a single string; what they are is looked at when they are compiled.

        Raises:
            InvalidSource: it is a string, or no iterable at all.

        """
        if isinstance(strings, (str, bytes, bytearray)) or not isinstance(strings, Iterable):
            raise InvalidSource(
                f"choices are a list of strings, not {type(strings).__name__}",
                hint="wrap a single string: Choices([text])",
            )
        object.__setattr__(self, "strings", tuple(strings))

    def __repr__(self) -> str:
        """Show how many there are, and the first few."""
        shown = ", ".join(map(repr, self.strings[:3]))
        return f"Choices([{shown}{', ...' if len(self.strings) > 3 else ''}]: {len(self.strings)} strings)"

    def lower(self) -> Lowered:
        """The minimal automaton of the strings as one rule; see ``Source.lower``."""
        if not self.strings:
            raise Unsatisfiable("there are no choices", hint="give at least one string")
        grammar = Grammar()
        grammar.start = grammar.rule(origin="choices")
        grammar.define(grammar.start, dawg(*_joined(self.strings)).body())
        return Lowered(grammar, exact_report("choices"))


def exact_report(kind: str) -> Report:
    """The report of a source that is enforced as it stands, whatever it says."""
    return Report(
        dialect=kind,
        sound=True,
        complete=True,
        live=True,
        budget="exact",
        collect=lambda: [ReportEntry("#", kind, "exact")],
        unsatisfiable=list,
    )


def _joined(strings: Sequence[str | bytes]) -> tuple[Bytes, Offsets]:
    """The bytes of the strings one after the other, and where each begins; the last offset is where the last one ends."""
    # Room for four bytes a character: what is never written to takes no memory, and what grew would lie there twice for a moment.
    most = sum(
        len(string) * (4 if isinstance(string, str) else 1) for string in strings if isinstance(string, (str, bytes))
    )
    blob = np.empty(most + 1, np.uint8)
    begin = np.zeros(len(strings) + 1, np.uint32)
    rest = iter(strings)
    at = 0
    used = 0
    while batch := list(islice(rest, BATCH)):
        encoded = list(_encoded(batch, at))
        ends = used + np.cumsum([len(data) for data in encoded])
        if ends[-1] > MOST_BYTES:
            raise LimitExceeded(
                f"the strings have more than {MOST_BYTES} bytes", limit="bytes of all choices", value=MOST_BYTES
            )
        begin[at + 1 : at + 1 + len(encoded)] = ends
        blob[used : ends[-1]] = np.frombuffer(b"".join(encoded), np.uint8)
        at, used = at + len(encoded), int(ends[-1])
    return blob[: max(used, 1)], begin


def _encoded(strings: list[str | bytes], first: int) -> Iterator[bytes]:
    for index, string in enumerate(strings, first):
        if isinstance(string, str):
            try:
                yield string.encode()
            except UnicodeEncodeError as error:
                raise InvalidSource(
                    f"the string has half of a surrogate pair at character {error.start}, which no UTF-8 text has",
                    where=f"choice {index}",
                    hint="give the bytes themselves if they are meant",
                ) from error
        elif isinstance(string, bytes):
            yield string
        else:
            raise InvalidSource(
                f"choices must be strings, not {type(string).__name__}",
                where=f"choice {index}",
                hint="a list of strings is choices; wrap schemas and grammars in their own classes",
            )
