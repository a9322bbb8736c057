"""What the literal values that obligations list tell about them, without looking into members and items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .conjunctions import bits_of
from .dialect import Json
from .facts import ANY, NEVER, OBJECT, Facts, Obligation, opposite
from .goals import Conjunction, said_about
from .values import identity

if TYPE_CHECKING:
    from .algebra import Algebra


class Literals:
    """The literal values of the schemas of one compilation."""

    def __init__(self, algebra: Algebra) -> None:
        """Take the algebra that reads schemas."""
        self._algebra = algebra

    def agree(self, obligations: Sequence[Obligation]) -> bool:
        """Tell whether some value meets obligations, as far as types and literal values tell."""
        types = ANY
        values: list[Json] | None = None
        tests: list[tuple[Facts, bool]] = []
        for o in dict.fromkeys(obligations):
            if opposite(o) in obligations:
                return False
            facts, parts, _ = self._algebra.local(self._algebra.documents.nodes[o >> 1])
            if o & 1:
                if parts or not facts.__dict__.keys() <= {"types", "enum"}:
                    continue
                if facts.enum is None:
                    types &= ~facts.types
            else:
                types &= facts.types
                if facts.enum is not None and (values is None or len(facts.enum) < len(values)):
                    values = facts.enum
            if facts.enum is not None:
                tests.append((facts, not o & 1))
        if values is None:
            return types != 0
        left = [v for v in values if bits_of(v) & types]
        for facts, inside in tests:
            known = {identity(v) for v in facts.enum or ()}
            if inside:
                left = [v for v in left if identity(v) in known and bits_of(v) & facts.types]
            else:
                left = [v for v in left if identity(v) not in known or bits_of(v) & ~facts.types]
        return bool(left)

    def members_agree(self, conjunction: Conjunction) -> bool:
        """Tell whether every required member of an object may have some value, as far as literal values tell."""
        types = ANY
        for f in conjunction:
            types &= f.types
        if types != OBJECT:
            return True
        for name in dict.fromkeys(n for f in conjunction for n in f.required):
            said = [o for f in conjunction for o in said_about(f, name)]
            if NEVER in said:
                return False
            if len(said) > 1 and not self.agree(said):
                return False
        return True

    def exact(self, obligation: Obligation) -> dict[object, Json] | None:
        """Return the values that meet an obligation where it lists them and says nothing else."""
        if obligation == NEVER:
            return {}
        if obligation & 1:
            return None
        facts, parts, _ = self._algebra.local(self._algebra.documents.nodes[obligation >> 1])
        if parts or facts.enum is None or not facts.__dict__.keys() <= {"types", "enum"}:
            return None
        if any(0 != bits_of(v) & facts.types != bits_of(v) for v in facts.enum):
            return None  # 1.0 is an integer in some drafts
        return {identity(v): v for v in facts.enum if bits_of(v) & facts.types}

    def among(self, obligation: Obligation) -> set[object] | None:
        """Return the identities of values that an obligation lists; others do not meet it."""
        if obligation & 1:
            return None
        facts, _, _ = self._algebra.local(self._algebra.documents.nodes[obligation >> 1])
        return None if facts.enum is None else {identity(v) for v in facts.enum}
