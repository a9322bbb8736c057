"""The Boolean algebra of schemas, on values.

``Algebra.alternatives`` writes an obligation as a disjunction of *conjunctions* (tuples of ``Facts``), following ``$ref``, ``allOf``, ``anyOf``, ``oneOf``,
``not``, ``if`` and dependent schemas as long as they speak about the same value, and never below it: what is said about
members and items stays an obligation.  So expansion ends on every schema that reads something before it comes back to
itself, and a schema that does not is an error.

``oneOf`` is ``anyOf`` where its branches exclude each other, which is tested by asking whether the goal of two branches
together is inhabited; branches that do overlap get the negation of each other.

``unevaluatedItems`` looks at the items that the schemas which hold do not speak about.  More of them only ask less of it,
so it is enough that the schemas of one alternative hold *at least*, and each alternative gets the items that it leaves.
For that, alternatives that differ in nothing but that must be kept apart: ``_evaluating`` is the mode that does so.

The conjunctions of a real schema are few (99.9 % of 9,557 public ones have fewer than 256 anywhere), and their number is
limited by ``SchemaLimits.alternatives``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from ..errors import InvalidSource, LimitExceeded
from .cases import Cases
from .conjunctions import TYPES_ONLY, absorbed, evaluates, possible, weakest, without_implied_types
from .dialect import Json
from .document import Documents, Node
from .exclusion import Exclusion
from .facts import ALWAYS, ANY, ARRAY, NEVER, OBJECT, Facts, Obligation, Part, negations, only, opposite, typed
from .goals import FALSE_GOAL, TRUE_GOAL, Conjunction, Goal, UndeterminedError, goal_of
from .keywords import read
from .literals import Literals
from .unevaluated import Evaluation
from .values import identity

_MANY: Final = 16
"""More alternatives than these are worth a closer look at which of them are needed."""

_BURST: Final = 4
"""So many times the limit of alternatives may come up in one step before they are looked at."""


class Algebra:
    """Expansion of the obligations of one compilation; everything is memoised.

    ``types_of`` is set by the owner: the types of the values that meet a goal.
    """

    def __init__(
        self,
        documents: Documents,
        enforced: Callable[[str], bool],
        alternatives: int,
        tick: Callable[[], None],
        *,
        coarse: bool = False,
        narrow: bool = False,
    ) -> None:
        """Take the documents, the test for enforced formats, the limit, a deadline check, and how negations are written.

        ``coarse`` ones have as few alternatives as possible, and ask for members that break a rule instead.  In ``narrow`` ones objects
        may be left out of ``oneOf``.
        """
        self.documents = documents
        self.types_of: Callable[[Goal], int]
        self._enforced = enforced
        self.limit = alternatives
        self._tick = tick
        self._facts: dict[int, tuple[Facts, list[Part], int]] = {}
        self._memo: dict[Obligation, list[Conjunction]] = {ALWAYS: [()], NEVER: []}
        self._evaluating = False
        self._apart: dict[Obligation, list[Conjunction]] = {ALWAYS: [()], NEVER: []}
        self._plain: dict[Facts, Facts] = {}
        self._open: dict[Obligation, None] = {}
        self._outer: frozenset[Obligation] = frozenset()
        self._goals: dict[Goal, list[Conjunction]] = {TRUE_GOAL: [()], FALSE_GOAL: []}
        self.nodes_read: list[Node] = []
        self._coarse = coarse
        self._constants: dict[object, Obligation] = {}
        self._made: set[int] = set()
        self._evaluation = Evaluation(self)
        self._required: dict[tuple[str, ...], Facts] = {}
        self._absences: dict[str, Facts] = {}
        self.literals = Literals(self)
        self.exclusion = Exclusion(self, tick, narrow=narrow)
        self._cases = Cases(self, tick)

    def local(self, node: Node) -> tuple[Facts, list[Part], int]:
        """Read a node once."""
        found = self._facts.get(node.index)
        if found is None:
            found = self._facts[node.index] = read(self.documents, node, self._enforced)
            facts = found[0]
            # the same facts can be seen to be the same
            if facts.__dict__.keys() == TYPES_ONLY:
                found = self._facts[node.index] = typed(facts.types), *found[1:]
            elif self._coarse and facts.__dict__.keys() == {"required"} and not found[1]:
                found = self._facts[node.index] = self._required.setdefault(facts.required, facts), [], 0
            if node.index not in self._made:
                self.nodes_read.append(node)
        return found

    def expand(self, goal: Goal) -> list[Conjunction]:
        """Write a goal as a disjunction of conjunctions, those of disjoint types left out."""
        found = self._goals.get(goal)
        if found is None:
            self._tick()
            if len(goal) == 1:
                found = self.alternatives(goal[0])
            else:
                found = self.product([self.alternatives(o) for o in goal], goal[0])
            self._goals[goal] = found
        return found

    def meaning(self, goal: Goal) -> tuple[Conjunction, ...]:
        """Return what a goal says: the same for all references to one schema, and for one with its type said again."""
        return tuple(c if len(c) < 2 else without_implied_types(c) for c in self.expand(goal))

    def alternatives(self, obligation: Obligation) -> list[Conjunction]:
        """Write an obligation as a disjunction of conjunctions."""
        memo = self._apart if self._evaluating else self._memo
        found = memo.get(obligation)
        if found is not None:
            return found
        if self._evaluating and obligation & 1:  # what does not hold evaluates nothing
            with self._mode(evaluating=False):
                found = [tuple(map(self._without_evaluation, c)) for c in self.alternatives(obligation)]
            memo[obligation] = found
            return found
        node = self.documents.nodes[obligation >> 1]
        if obligation in self._open:
            raise InvalidSource(
                "this schema refers to itself before it reads anything, so it has no meaning", where=node.pointer()
            )
        if obligation in self._outer:
            raise UndeterminedError
        self._open[obligation] = None
        try:
            found = self._violate(node) if obligation & 1 else self._satisfy(node)
        finally:
            del self._open[obligation]
        memo[obligation] = found
        return found

    @contextmanager
    def _mode(self, *, evaluating: bool) -> Iterator[None]:
        """Keep alternatives apart that differ only in what they evaluate, or do not; one that says more evaluates more."""
        outer, self._evaluating = self._evaluating, evaluating
        try:
            yield
        finally:
            self._evaluating = outer

    def _satisfy(self, node: Node) -> list[Conjunction]:
        facts, parts, place = self.local(node)
        own: list[Conjunction] = [(facts,)] if facts.__dict__ else [()]
        if not parts:
            return own if facts.types else []
        if any(p.kind == "unevaluated" for p in parts):
            return self._evaluation.satisfy(node)
        for part in parts:
            if part.kind == "unevaluated items":
                with self._mode(evaluating=True):
                    out = self.product(self._factors(facts, parts, place, node), 2 * node.index)
                return self._unevaluated(node, out, part.obligations[0])
        return self.product(self._factors(facts, parts, place, node), 2 * node.index)

    def _factors(self, facts: Facts, parts: list[Part], place: int, node: Node) -> list[list[Conjunction]]:
        factors = [self._part(p, node) for p in parts]
        if facts.__dict__:  # members come in the order of the text, but the object's own before those of a choice
            first = [f for f in factors[:place] if len(f) == 1]
            factors = [*first, [(facts,)], *(f for i, f in enumerate(factors) if i >= place or len(f) != 1)]
        return factors

    def _unevaluated(self, node: Node, conjunctions: list[Conjunction], rest: Obligation) -> list[Conjunction]:
        """Add to each alternative what it leaves of the items to ``unevaluatedItems``."""
        left: dict[tuple[int, tuple[Obligation, ...]], Facts] = {}
        out: dict[Conjunction, None] = {}
        for c in conjunctions:
            types = ANY
            for f in c:
                types &= f.types
            if types & ARRAY and all(f.evaluated is not None for f in c):
                matched = tuple(dict.fromkeys(o for f in c for o in f.matched))
                key = max((f.evaluated or 0 for f in c), default=0), matched
                if key not in left:
                    left[key] = facts = Facts()
                    facts.prefix = (ALWAYS,) * key[0]
                    facts.rest = self._either(node, (*matched, rest))
                    facts.evaluated = None
                c = (*c, left[key])
            out[c] = None
        return list(out)

    def _either(self, node: Node, obligations: tuple[Obligation, ...]) -> Obligation:
        """Return the obligation to meet one of several."""
        obligations = tuple(dict.fromkeys(o for o in obligations if o != NEVER))
        if len(obligations) < 2 or ALWAYS in obligations:
            return NEVER if not obligations else ALWAYS if ALWAYS in obligations else obligations[0]
        made = self.documents.child(node, {"anyOf": []}, "unevaluatedItems")
        self._facts[made.index] = Facts(), [Part("any", list(obligations), "unevaluatedItems")], 0
        return 2 * made.index

    def _without_evaluation(self, facts: Facts) -> Facts:
        if facts.evaluated == 0 and not facts.matched:
            return facts
        plain = self._plain.get(facts)
        if plain is None:
            plain = self._plain[facts] = Facts()
            plain.__dict__.update({k: v for k, v in facts.__dict__.items() if k not in ("evaluated", "matched")})
        return plain

    def _part(self, part: Part, node: Node) -> list[Conjunction]:
        obligations = part.obligations
        if part.kind == "all":
            return self._all(obligations)
        if part.kind == "any":
            return self._several(obligations) if self._evaluating else self._any(obligations)
        if part.kind == "maybe":
            return self._any([ALWAYS, *obligations]) if self._evaluating else [()]
        if part.kind == "unevaluated items":
            return [()]
        if part.kind == "not":
            return self.alternatives(opposite(obligations[0]))
        if part.kind == "one":
            return self._one(part, node)
        if part.kind == "if":
            condition, then, otherwise = obligations
            return self._any_of(self._all([condition, then]), self._all([opposite(condition), otherwise]))
        absent = self._absent(part.name)
        if self._coarse:
            return self._any_of([(absent,)], self.alternatives(obligations[0]))
        present = only(OBJECT)
        present.required = (part.name,)
        return [(absent,), *self.product([[(present,)], self.alternatives(obligations[0])], obligations[0])]

    def _violate(self, node: Node) -> list[Conjunction]:
        facts, parts, _ = self.local(node)
        if any(p.kind == "unevaluated items" for p in parts):  # not this alternative and not that one
            return self._none_of(self.alternatives(2 * node.index), 2 * node.index)
        out: list[Conjunction] = [(f,) for f in negations(facts, coarse=self._coarse)]
        for part in parts:
            if part.kind == "unevaluated":
                out = self._any_of(out, self._evaluation.violate(node, part.obligations[0]))
            else:
                out = self._any_of(out, self._violate_part(part))
        return out

    def _none_of(self, conjunctions: list[Conjunction], culprit: Obligation) -> list[Conjunction]:
        """Negate a disjunction, without a case for what a case so far says already."""
        negated: dict[Facts, list[Conjunction]] = {}
        out: list[Conjunction] = [()]
        for c in conjunctions:
            factor: list[Conjunction] = []
            for f in c:
                if f.telling is not None:  # what is left out is not in the opposite either, and no facts say that
                    raise self.too_many(culprit)
                if f not in negated:
                    negated[f] = [(n,) for n in negations(f, coarse=self._coarse)]
                factor += negated[f]
            said = {n for (n,) in factor}
            known = [left for left in out if not said.isdisjoint(left)]
            more = [left for left in out if said.isdisjoint(left)]
            out = weakest(known + (self.product([more, factor], culprit) if more else []))
        return out

    def _absent(self, name: str) -> Facts:
        found = self._absences.get(name)
        if found is None:
            found = self._absences[name] = only(ANY)
            found.props = {name: NEVER}
        return found

    def other_than(self, values: list[list[Json] | dict[str, Json]]) -> list[Conjunction]:
        """Return what all values but the given arrays and objects meet."""
        factors: list[list[Conjunction]] = []
        for value in values:
            said = only(ARRAY if isinstance(value, list) else OBJECT)
            if isinstance(value, list):
                said.prefix = tuple(map(self.constant, value))
                said.rest = NEVER
                said.min_items = len(value)
            else:
                said.props = {name: self.constant(v) for name, v in value.items()}
                said.additional = NEVER
                said.required = tuple(value)
            factors.append([(f,) for f in negations(said, coarse=self._coarse)])
        return self.product(factors, ALWAYS)

    def constant(self, *values: Json) -> Obligation:
        """Return the obligation to be one of some values."""
        key = tuple(map(identity, values))
        found = self._constants.get(key)
        if found is None:
            made = self.documents.child(self.documents.root, {"enum": list(values)}, "enum").index
            self._made.add(made)
            found = self._constants[key] = 2 * made
        return found

    def _violate_part(self, part: Part) -> list[Conjunction]:
        obligations = part.obligations
        if part.kind == "all":
            return self._any([opposite(o) for o in obligations])
        if part.kind == "any":
            return self._all([opposite(o) for o in obligations])
        if part.kind == "not":
            return self.alternatives(obligations[0])
        if part.kind == "maybe":
            return []
        if part.kind == "one":
            out = self._all([opposite(o) for o in obligations])
            for i, first in enumerate(obligations):
                for second in obligations[:i]:
                    if self.shared_types(goal_of((first, second))):
                        out = self._any_of(out, self._all([first, second]))
            return out
        if part.kind == "if":
            condition, then, otherwise = obligations
            return self._any_of(
                self._all([condition, opposite(then)]), self._all([opposite(condition), opposite(otherwise)])
            )
        present = only(OBJECT)
        present.required = (part.name,)
        return self.product([[(present,)], self.alternatives(opposite(obligations[0]))], obligations[0])

    def _one(self, part: Part, node: Node) -> list[Conjunction]:
        """Exactly one branch: any of them, and for the types where two branches overlap, not the others."""
        out: list[Conjunction] = []
        for branch, without in self.exclusion.branches(part, node):
            factors = [self.alternatives(branch), *without]
            out = self._any_of(out, factors[0] if not without else self.product(factors, branch))
        return out

    def shared_types(self, goal: Goal) -> int:
        """Return the types of the values of a goal, while its schema is being expanded.

        The question looks into members and items, and there it may meet a schema whose expansion has begun.  That is no
        loop, but it has no answer yet; it is taken to have values.  Too many types only cost a negation.
        """
        outer, self._outer = self._outer, self._outer | self._open.keys()
        inner, self._open = self._open, {}
        try:
            with self._mode(evaluating=False):
                return self.types_of(goal)
        finally:
            self._outer, self._open = outer, inner

    def _all(self, obligations: list[Obligation]) -> list[Conjunction]:
        if len(obligations) == 1:
            return self.alternatives(obligations[0])
        return self.product([self.alternatives(o) for o in obligations], obligations[0])

    def _any(self, obligations: list[Obligation]) -> list[Conjunction]:
        out: list[Conjunction] = []
        for o in dict.fromkeys(obligations):
            out = self._any_of(out, self.alternatives(o))
        return out

    def _several(self, obligations: list[Obligation]) -> list[Conjunction]:
        """One branch or more: what several of them evaluate is more than what one does if ``contains`` is among them."""
        out = self._any(obligations)
        for o in dict.fromkeys(obligations):
            matching = [c for c in self.alternatives(o) if any(f.matched for f in c)]
            if matching:
                out = self._any_of(out, self.product([out, matching], o))
        return out

    def _any_of(self, first: list[Conjunction], second: list[Conjunction]) -> list[Conjunction]:
        if not first or not second:
            return first or second
        if (() in first or () in second) and not (self._evaluating and any(map(evaluates, first + second))):
            return [()]
        known = set(first)
        return first + [c for c in second if c not in known]

    def product(self, factors: list[list[Conjunction]], culprit: Obligation) -> list[Conjunction]:
        """Distribute a conjunction of disjunctions; ``culprit`` is to blame where the alternatives are too many."""
        out: list[Conjunction] = [()]
        for factor in factors:
            if len(factor) == 1 and factor[0] == ():
                continue
            if len(out) == 1 and out[0] == ():
                out = factor
                continue
            merged: dict[Conjunction, None] = {}
            for left in out:
                for right in factor:
                    both = left + tuple(f for f in right if f not in left)
                    if possible(both):
                        merged[both] = None
                if len(merged) > _BURST * self.limit:
                    merged = dict.fromkeys(self._needed(list(merged)))
                    if len(merged) > self.limit:
                        break
            out = self._needed(list(merged))
            if len(out) > self.limit:
                cases = self._cases.distribute(factors, culprit) if self._coarse and not self._evaluating else None
                if cases is None:
                    raise self.too_many(culprit)
                return cases
        return [c for c in out if possible(c)]

    def _needed(self, conjunctions: list[Conjunction]) -> list[Conjunction]:
        """Leave out alternatives that contradict themselves or say more than others, where it is worth a look."""
        if len(conjunctions) <= _MANY or self._evaluating:
            return conjunctions
        self._tick()
        return absorbed([c for c in conjunctions if self.literals.members_agree(c)])

    def too_many(self, culprit: Obligation) -> LimitExceeded:
        """Build the error for too many alternatives."""
        return LimitExceeded(
            f"more than {self.limit} alternatives after distributing the combinators",
            limit="alternatives",
            value=self.limit,
            where=self.documents.nodes[culprit >> 1].pointer(),
            hint="raise SchemaLimits.alternatives",
        )
