"""A node while its keywords are read: what was found, and the checks of the forms that keywords' values may have."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from ..errors import InvalidSource, LimitExceeded
from .dialect import Dialect, Json
from .document import Documents, Node, kind_of
from .facts import Facts, Obligation, Part, Refusal

_MAX_COUNT: Final = 10**12
"""More than any text holds, and less than what the machine's counters take for no bound (``UNBOUNDED``)."""

_MAX_DIGITS: Final = 13
"""A count written as a decimal with more digits than this is beyond ``_MAX_COUNT``, and its digits are not written out."""


class Reading:
    """One node while its keywords are read.

    Attributes:
        documents: where references are looked up.
        node, schema, dialect: what is read.
        facts: what it says by itself.
        parts: what it says through other schemas, in the order of the text.

    """

    __slots__ = ("dialect", "documents", "enforced", "facts", "node", "parts", "place", "schema")

    def __init__(
        self, documents: Documents, node: Node, schema: dict[str, Json], enforced: Callable[[str], bool]
    ) -> None:
        """Start with facts that say nothing; ``enforced`` tells whether a format is asserted."""
        self.documents = documents
        self.node = node
        self.schema = schema
        self.dialect: Dialect = node.resource.dialect
        self.enforced = enforced
        self.facts = Facts()
        self.parts: list[Part] = []
        self.place = 0

    def child(self, schema: Json, *path: str | int) -> Obligation:
        """Return the obligation to satisfy a subschema."""
        return 2 * self.documents.child(self.node, schema, *path).index

    def part(self, kind: str, obligations: list[Obligation], keyword: str, name: str = "") -> None:
        """Add a part."""
        self.parts.append(Part(kind, obligations, keyword, name))

    def refuse(self, types: int, keyword: str, reason: str) -> None:
        """Note that a keyword cannot be enforced for some types."""
        self.facts.refused += (Refusal(types, keyword, self.node.pointer(keyword), reason),)

    def wrong(self, keyword: str, expected: str, value: Json) -> InvalidSource:
        """Build the error for a keyword whose value has the wrong form."""
        hint = None
        if keyword == "required" and isinstance(value, bool):
            hint = "that was draft 3; list the names of the required members in the object's own 'required'"
        elif keyword in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(value, bool):
            hint = "a boolean is the form of draft 4: say so in $schema or pass dialect='draft4'"
        elif keyword == "items" and isinstance(value, list):
            hint = "an array is the older form of 'prefixItems': rename it, or pass dialect='2019-09'"
        return InvalidSource(
            f"{keyword!r} must be {expected}, not {kind_of(value)}", where=self.node.pointer(keyword), hint=hint
        )

    def count(self, keyword: str, value: Json) -> int:
        """Check a non-negative integer."""
        if isinstance(value, Decimal) and value == value.to_integral_value() and value >= 0:
            value = int(value) if value.adjusted() < _MAX_DIGITS else _MAX_COUNT + 1
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.wrong(keyword, "an integer of at least 0", value)
        if value > _MAX_COUNT and not keyword.startswith("max"):
            raise LimitExceeded(
                f"{keyword!r} asks for more than {_MAX_COUNT}",
                limit="count",
                value=_MAX_COUNT,
                where=self.node.pointer(keyword),
                hint="no text is so long",
            )
        return value

    def most(self, keyword: str, value: Json) -> int | None:
        """Check an upper bound; one that no text can reach is none."""
        count = self.count(keyword, value)
        return None if count > _MAX_COUNT else count

    def number(self, keyword: str, value: Json) -> Decimal | int:
        """Check a number."""
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self.wrong(keyword, "a number", value)
        return value

    def text(self, keyword: str, value: Json) -> str:
        """Check a string."""
        if not isinstance(value, str):
            raise self.wrong(keyword, "a string", value)
        return value

    def schemas(self, keyword: str, value: Json) -> list[Obligation]:
        """Check a non-empty array of schemas and return their obligations."""
        if not isinstance(value, list) or not value:
            raise self.wrong(keyword, "a non-empty array of schemas", value)
        return [self.child(sub, keyword, i) for i, sub in enumerate(value)]

    def names(self, keyword: str, value: Json) -> tuple[str, ...]:
        """Check an array of strings."""
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.wrong(keyword, "an array of names", value)
        return tuple(dict.fromkeys(v for v in value if isinstance(v, str)))
