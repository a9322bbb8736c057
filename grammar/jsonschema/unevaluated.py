"""Which members are evaluated: ``unevaluatedProperties`` beside other applicators.

A *case* of a schema is a conjunction together with the members that the schema evaluates where the conjunction holds
by the branches that it was made of.  More branches may hold than those, and then more is evaluated; but the constraint
only becomes weaker by that, so for the assertion it is enough that *at least* these branches hold: a value that is
valid is valid by the case of all its branches, and what a case accepts is valid.  Its negation is the other way round
and needs *exactly* these.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import InvalidSource
from .conjunctions import conjoined
from .facts import ALWAYS, ANY, ARRAY, OBJECT, Facts, Obligation, Part, Refusal, only, opposite

if TYPE_CHECKING:
    from .algebra import Algebra
    from .document import Node
    from .goals import Conjunction


class Evaluated(NamedTuple):
    """The members that are evaluated: by name, by pattern, or all."""

    names: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()
    everything: bool = False

    def __or__(self, other: Evaluated) -> Evaluated:
        """Return what either evaluates."""
        if self.everything or other.everything:
            return EVERYTHING
        return Evaluated(self.names | other.names, self.patterns | other.patterns)


NOTHING: Final = Evaluated()
EVERYTHING: Final = Evaluated(everything=True)

Case = tuple["Conjunction", Evaluated]


class Evaluation:
    """The cases of the schemas of one compilation."""

    def __init__(self, algebra: Algebra) -> None:
        """Take the algebra that the branches are expanded by."""
        self._algebra = algebra
        self._memo: dict[tuple[Obligation, bool], list[Case]] = {}
        self._open: set[Obligation] = set()
        self._facts: dict[tuple[Evaluated, Obligation, bool], Facts] = {}

    def satisfy(self, node: Node) -> list[Conjunction]:
        """Return the alternatives of a schema that says ``unevaluatedProperties``."""
        return list(dict.fromkeys(conjunction for conjunction, _ in self.cases(2 * node.index, exact=False)))

    def violate(self, node: Node, obligation: Obligation) -> list[Conjunction]:
        """Return the alternatives by which a member that is not evaluated does not meet ``obligation``."""
        out: dict[Conjunction, None] = {}
        for conjunction, evaluated in self._without(node, exact=True):
            if not evaluated.everything:
                both = conjoined(conjunction, (self._rest(evaluated, obligation, holds=False),))
                if both is not None:
                    out[both] = None
        return list(out)

    def cases(self, obligation: Obligation, *, exact: bool) -> list[Case]:
        """Return the cases of a schema that holds."""
        if obligation == ALWAYS:
            return [((), NOTHING)]
        key = (obligation, exact)
        found = self._memo.get(key)
        if found is None:
            node = self._algebra.documents.nodes[obligation >> 1]
            if obligation in self._open:
                raise InvalidSource(
                    "this schema refers to itself before it reads anything, so it has no meaning", where=node.pointer()
                )
            self._open.add(obligation)
            try:
                found = self._memo[key] = self._with(node, exact=exact)
            finally:
                self._open.discard(obligation)
        return found

    def _with(self, node: Node, *, exact: bool) -> list[Case]:
        out = self._without(node, exact=exact)
        for part in self._algebra.local(node)[1]:
            if part.kind == "unevaluated":
                cases: list[Case] = []
                for conjunction, evaluated in out:
                    if not evaluated.everything:
                        more = (self._rest(evaluated, part.obligations[0], holds=True),)
                        conjunction = (*conjunction, *more)
                    cases.append((conjunction, EVERYTHING))
                out = list(dict.fromkeys(cases))
        return out

    def _without(self, node: Node, *, exact: bool) -> list[Case]:
        """Return the cases of a schema apart from its own ``unevaluatedProperties``."""
        facts, parts, place = self._algebra.local(node)
        if not facts.types:
            return []
        factors = [self._part(p, node, exact=exact) for p in parts if p.kind not in ("unevaluated", "maybe")]
        schema = node.schema
        dialect = node.resource.dialect
        seen = NOTHING
        if isinstance(schema, dict) and not (dialect.ref_hides_siblings and "$ref" in schema):
            if schema.keys() & dialect.keywords & {"additionalProperties", "unevaluatedProperties"} and not any(
                p.kind == "unevaluated" for p in parts
            ):
                seen = EVERYTHING
            else:
                seen = Evaluated(frozenset(facts.props), frozenset(p for p, _ in facts.patterns))
            if "if" in schema and "if" in dialect.keywords and not any(p.kind == "if" for p in parts):
                condition = 2 * self._algebra.documents.child(node, schema["if"], "if").index
                otherwise = self._algebra.alternatives(opposite(condition)) if exact else [()]
                factors.append([*self.cases(condition, exact=exact), *((c, NOTHING) for c in otherwise)])
        own: list[Case] = [((facts,) if facts.__dict__ else (), seen)]
        first = [f for f in factors[:place] if len(f) == 1]
        rest = [f for i, f in enumerate(factors) if i >= place or len(f) != 1]
        return self._product([*first, own, *rest], 2 * node.index)

    def _part(self, part: Part, node: Node, *, exact: bool) -> list[Case]:
        algebra, obligations = self._algebra, part.obligations
        if part.kind == "all":
            return self._product([self.cases(o, exact=exact) for o in obligations], 2 * node.index)
        if part.kind == "any":
            return self._any(obligations, 2 * node.index, exact=exact)
        if part.kind == "not":
            return [(c, NOTHING) for c in algebra.alternatives(opposite(obligations[0]))]
        if part.kind == "one":
            out: list[Case] = []
            for branch, without in algebra.exclusion.branches(part, node):
                blind = [[(c, NOTHING) for c in factor] for factor in without]
                out += self._product([self.cases(branch, exact=exact), *blind], branch)
            return list(dict.fromkeys(out))
        if part.kind == "if":
            condition, then, otherwise = obligations
            met = self._product([self.cases(o, exact=exact) for o in (condition, then)], condition)
            unmet = [(c, NOTHING) for c in algebra.alternatives(opposite(condition))]
            return [*met, *self._product([unmet, self.cases(otherwise, exact=exact)], condition)]
        if part.kind == "unevaluated items":  # which of the items that are left depend on other branches than these
            unread = only(ANY)
            where = node.pointer("unevaluatedItems")
            unread.refused = (Refusal(ARRAY, "unevaluatedItems", where, "it stands inside of unevaluatedProperties"),)
            return [((unread,), NOTHING)]
        present = only(OBJECT)
        present.required = (part.name,)
        absent = only(ANY)
        absent.props = {part.name: opposite(ALWAYS)}
        here: list[Case] = [((present,), NOTHING)]
        return [((absent,), NOTHING), *self._product([here, self.cases(obligations[0], exact=exact)], obligations[0])]

    def _any(self, obligations: list[Obligation], culprit: Obligation, *, exact: bool) -> list[Case]:
        branches = list(dict.fromkeys(obligations))
        cases = [self.cases(o, exact=exact) for o in branches]
        telling = [any(e != NOTHING for _, e in c) for c in cases]
        out: dict[Case, None] = {}
        for size in range(1, len(branches) + 1):
            for chosen in combinations(range(len(branches)), size):
                if not exact and size > 1 and not all(telling[i] for i in chosen):
                    continue
                factors = [cases[i] for i in chosen]
                if exact:
                    others = (o for i, o in enumerate(branches) if i not in chosen)
                    factors += [[(c, NOTHING) for c in self._algebra.alternatives(opposite(o))] for o in others]
                out.update(dict.fromkeys(self._product(factors, culprit)))
                if len(out) > self._algebra.limit:
                    raise self._algebra.too_many(culprit)
        return list(out)

    def _product(self, factors: list[list[Case]], culprit: Obligation) -> list[Case]:
        out: list[Case] = [((), NOTHING)]
        for factor in factors:
            merged: dict[Case, None] = {}
            for left, seen in out:
                for right, more in factor:
                    both = conjoined(left, right)
                    if both is not None:
                        merged[both, seen | more] = None
            out = list(merged)
            if len(out) > self._algebra.limit:
                raise self._algebra.too_many(culprit)
        return out

    def _rest(self, evaluated: Evaluated, obligation: Obligation, *, holds: bool) -> Facts:
        """Return facts: all members that are not evaluated meet the obligation, or some member does not."""
        found = self._facts.get((evaluated, obligation, holds))
        if found is None:
            found = Facts()
            found.props = dict.fromkeys(sorted(evaluated.names), ALWAYS)
            found.patterns = tuple((p, ALWAYS) for p in sorted(evaluated.patterns))
            found.additional = obligation
            if not holds:
                about, found = found, only(OBJECT)
                found.broken = (about,)
            self._facts[evaluated, obligation, holds] = found
        return found
