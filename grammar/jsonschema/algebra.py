"""The Boolean algebra of schemas, on values.

A *goal* is an ordered set of obligations: a value meets it if it meets all of them.  ``Algebra.alternatives`` writes an
obligation as a disjunction of *conjunctions* (tuples of ``Facts``), following ``$ref``, ``allOf``, ``anyOf``, ``oneOf``,
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

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from ..errors import InvalidSource, LimitExceeded
from .cases import Kind, case_split
from .dialect import ANNOTATIONS, Json
from .document import Documents, Node
from .facts import (
    ALWAYS,
    ANY,
    ARRAY,
    NEVER,
    OBJECT,
    TYPE_BITS,
    Facts,
    Obligation,
    Part,
    negations,
    only,
    opposite,
    typed,
)
from .keywords import read
from .scalars import name_matches
from .unevaluated import Evaluation
from .values import identity, type_bit

Goal = tuple[Obligation, ...]
"""An ordered set of obligations; ``()`` is met by every value."""

Conjunction = tuple[Facts, ...]
"""Facts that all hold."""

TRUE_GOAL: Goal = ()
FALSE_GOAL: Goal = (NEVER,)


def goal_of(obligations: Iterable[Obligation]) -> Goal:
    """Return the goal of some obligations: without repetition, in their order."""
    out = tuple(dict.fromkeys(obligations))
    if ALWAYS in out:
        out = tuple(o for o in out if o != ALWAYS)
    return FALSE_GOAL if NEVER in out else out


def said_about(facts: Facts, name: str) -> list[Obligation]:
    """Return what facts say about the value of a member with this name."""
    out = [facts.props[name]] if name in facts.props else []
    out += [o for pattern, o in facts.patterns if name_matches(pattern, name)]
    return out if out or facts.additional == ALWAYS else [facts.additional]


class UndeterminedError(Exception):
    """A question about overlapping branches came back to the schema whose branches they are; callers assume a value."""


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
    ) -> None:
        """Take the documents, the test for enforced formats, the limit, a deadline check, and how negations are written.

        ``coarse`` ones have as few alternatives as possible, and ask for members that break a rule instead.
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
        self._cases: set[str] = set()

    def local(self, node: Node) -> tuple[Facts, list[Part], int]:
        """Read a node once."""
        found = self._facts.get(node.index)
        if found is None:
            found = self._facts[node.index] = read(self.documents, node, self._enforced)
            facts = found[0]
            # the same facts can be seen to be the same
            if facts.__dict__.keys() == _TYPES_ONLY:
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
                found = self._product([self.alternatives(o) for o in goal], goal[0])
            self._goals[goal] = found
        return found

    def meaning(self, goal: Goal) -> tuple[Conjunction, ...]:
        """Return what a goal says: the same for all references to one schema, and for one with its type said again."""
        return tuple(c if len(c) < 2 else _without_implied_types(c) for c in self.expand(goal))

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
                    out = self._product(self._factors(facts, parts, place, node), 2 * node.index)
                return self._unevaluated(node, out, part.obligations[0])
        return self._product(self._factors(facts, parts, place, node), 2 * node.index)

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
        return [(absent,), *self._product([[(present,)], self.alternatives(obligations[0])], obligations[0])]

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
                if f not in negated:
                    negated[f] = [(n,) for n in negations(f, coarse=self._coarse)]
                factor += negated[f]
            said = {n for (n,) in factor}
            known = [left for left in out if not said.isdisjoint(left)]
            more = [left for left in out if said.isdisjoint(left)]
            out = _weakest(known + (self._product([more, factor], culprit) if more else []))
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
        return self._product(factors, ALWAYS)

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
                    if self._shared_types(goal_of((first, second))):
                        out = self._any_of(out, self._all([first, second]))
            return out
        if part.kind == "if":
            condition, then, otherwise = obligations
            return self._any_of(
                self._all([condition, opposite(then)]), self._all([opposite(condition), opposite(otherwise)])
            )
        present = only(OBJECT)
        present.required = (part.name,)
        return self._product([[(present,)], self.alternatives(opposite(obligations[0]))], obligations[0])

    def _one(self, part: Part, node: Node) -> list[Conjunction]:
        """Exactly one branch: any of them, and for the types where two branches overlap, not the others."""
        out: list[Conjunction] = []
        for branch, without in self.exclusions(part, node):
            factors = [self.alternatives(branch), *without]
            out = self._any_of(out, factors[0] if not without else self._product(factors, branch))
        return out

    def exclusions(self, part: Part, node: Node) -> Iterator[tuple[Obligation, list[list[Conjunction]]]]:
        """Yield the branches of ``oneOf``, each with what must hold beside it so that it is the only one.

        A branch that overlaps with others on some types only comes several times.
        """
        branches = part.obligations
        overlaps = self._overlaps(branches, node)
        if not overlaps:
            yield from ((branch, []) for branch in dict.fromkeys(branches))
            return
        for i, branch in enumerate(branches):
            types_of_others: dict[tuple[int, ...], int] = {}
            for bit in range(TYPE_BITS):
                others = tuple(j for j in range(len(branches)) if overlaps.get((i, j), 0) >> bit & 1)
                types_of_others[others] = types_of_others.get(others, 0) | 1 << bit
            for others, types in types_of_others.items():
                within: list[list[Conjunction]] = [] if types == ANY else [[(typed(types),)]]
                yield branch, [*within, *(self.alternatives(opposite(branches[j])) for j in others)]

    def _overlaps(self, branches: list[Obligation], node: Node) -> dict[tuple[int, int], int]:
        """Return, for each pair of branches that some value meets both of, the types of such values.

        What stands beside ``oneOf`` is taken into account: a discriminator may be required there.
        """
        if len(set(branches)) == len(branches) and self._discriminated(branches):
            return {}
        context: Goal = ()
        if isinstance(node.schema, dict):
            beside = {k: v for k, v in node.schema.items() if k not in ANNOTATIONS and k not in _ON_BRANCHES}
            if beside:
                context = (2 * self.documents.child(node, beside).index,)
        out: dict[tuple[int, int], int] = {}
        for i, first in enumerate(branches):
            for j in range(i):
                self._tick()
                types = self._shared_types(goal_of((*context, first, branches[j])))
                if types:
                    out[i, j] = out[j, i] = types
        return out

    def _shared_types(self, goal: Goal) -> int:
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

    def _discriminated(self, branches: list[Obligation]) -> bool:
        """Tell whether one required member takes a different value in every branch (linear, and the usual case)."""
        seen: dict[str, set[object]] = {}
        common: set[str] | None = None
        for branch in branches:
            conjunctions = self.alternatives(branch)
            if len(conjunctions) != 1:
                return False
            here: dict[str, set[object]] = {}
            required = {n for f in conjunctions[0] for n in f.required}
            types = ANY
            for facts in conjunctions[0]:
                types &= facts.types
                for name in required & facts.props.keys():
                    values = self._literals(facts.props[name])
                    if values is not None:
                        here[name] = values
            if types != OBJECT:
                return False
            if common is None:
                common = set(here)
            common = {n for n in common if n in here and not here[n] & seen.get(n, set())}
            if not common:
                return False
            for name in common:
                seen.setdefault(name, set()).update(here[name])
        return True

    def _literals(self, obligation: Obligation) -> set[object] | None:
        if obligation & 1:
            return None
        facts, _, _ = self.local(self.documents.nodes[obligation >> 1])
        return None if facts.enum is None else {identity(v) for v in facts.enum}

    def _all(self, obligations: list[Obligation]) -> list[Conjunction]:
        if len(obligations) == 1:
            return self.alternatives(obligations[0])
        return self._product([self.alternatives(o) for o in obligations], obligations[0])

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
                out = self._any_of(out, self._product([out, matching], o))
        return out

    def _any_of(self, first: list[Conjunction], second: list[Conjunction]) -> list[Conjunction]:
        if not first or not second:
            return first or second
        if (() in first or () in second) and not (self._evaluating and any(map(_evaluates, first + second))):
            return [()]
        known = set(first)
        return first + [c for c in second if c not in known]

    def _product(self, factors: list[list[Conjunction]], culprit: Obligation) -> list[Conjunction]:
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
                    if _possible(both):
                        merged[both] = None
                if len(merged) > _BURST * self.limit:
                    merged = dict.fromkeys(self._needed(list(merged)))
                    if len(merged) > self.limit:
                        break
            out = self._needed(list(merged))
            if len(out) > self.limit:
                cases = self._by_cases(factors, culprit) if self._coarse and not self._evaluating else None
                if cases is None:
                    raise self.too_many(culprit)
                return cases
        return [c for c in out if _possible(c)]

    def _needed(self, conjunctions: list[Conjunction]) -> list[Conjunction]:
        """Leave out alternatives that contradict themselves or say more than others, where it is worth a look."""
        if len(conjunctions) <= _MANY or self._evaluating:
            return conjunctions
        self._tick()
        return _absorbed([c for c in conjunctions if self._members_agree(c)])

    def _by_cases(self, factors: list[list[Conjunction]], culprit: Obligation) -> list[Conjunction] | None:
        """Distribute factors for each kind of value of the member that most of them look at; ``None`` if there is none.

        Many schemas say of many members that they need some values of one other member.  Whether it has one of them is
        then the same choice again and again, and in each case of it most factors have one alternative left.
        """
        found = case_split(factors, self._exact_literals, without=self._cases)
        if found is None:
            return None
        name, kinds = found
        out: dict[Conjunction, None] = {}
        self._cases.add(name)
        try:
            for kind in kinds:
                self._tick()
                left = [kind.left_of(factor, self._exact_literals) for factor in factors]
                out.update(dict.fromkeys(self._product([*left, [(self._case(name, kind),)]], culprit)))
                if len(out) > self.limit:
                    raise self.too_many(culprit)
        finally:
            self._cases.discard(name)
        return list(out)

    def _case(self, name: str, kind: Kind) -> Facts:
        if kind.values is None:
            return typed(ANY & ~OBJECT)
        said = only(OBJECT)
        if kind.absent:
            said.props = {name: NEVER}
            return said
        among = self.constant(*kind.values.values())
        said.required = (name,)
        said.props = {name: opposite(among) if kind.others else among}
        return said

    def _exact_literals(self, obligation: Obligation) -> dict[object, Json] | None:
        """Return the values that meet an obligation where it lists them and says nothing else."""
        if obligation == NEVER:
            return {}
        if obligation & 1:
            return None
        facts, parts, _ = self.local(self.documents.nodes[obligation >> 1])
        if parts or facts.enum is None or not facts.__dict__.keys() <= {"types", "enum"}:
            return None
        if any(0 != _bits(v) & facts.types != _bits(v) for v in facts.enum):
            return None  # 1.0 is an integer in some drafts
        return {identity(v): v for v in facts.enum if _bits(v) & facts.types}

    def too_many(self, culprit: Obligation) -> LimitExceeded:
        """Build the error for too many alternatives."""
        return LimitExceeded(
            f"more than {self.limit} alternatives after distributing the combinators",
            limit="alternatives",
            value=self.limit,
            where=self.documents.nodes[culprit >> 1].pointer(),
            hint="raise SchemaLimits.alternatives",
        )

    @staticmethod
    def both(left: Conjunction, right: Conjunction) -> Conjunction | None:
        """Return the conjunction of two, or ``None`` where they contradict each other for sure."""
        out = left + tuple(f for f in right if f not in left)
        return out if _possible(out) else None

    def _members_agree(self, conjunction: Conjunction) -> bool:
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

    def agree(self, obligations: Sequence[Obligation]) -> bool:
        """Tell whether some value meets obligations, as far as types and literal values tell."""
        types = ANY
        values: list[Json] | None = None
        tests: list[tuple[Facts, bool]] = []
        for o in dict.fromkeys(obligations):
            if opposite(o) in obligations:
                return False
            facts, parts, _ = self.local(self.documents.nodes[o >> 1])
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
        left = [v for v in values if _bits(v) & types]
        for facts, inside in tests:
            known = {identity(v) for v in facts.enum or ()}
            if inside:
                left = [v for v in left if identity(v) in known and _bits(v) & facts.types]
            else:
                left = [v for v in left if identity(v) not in known or _bits(v) & ~facts.types]
        return bool(left)


def _bits(value: Json) -> int:
    """Return the types that a value has in some draft."""
    return type_bit(value, float_is_fraction=False) | type_bit(value, float_is_fraction=True)


_ON_BRANCHES: Final = frozenset(("oneOf", "unevaluatedProperties", "unevaluatedItems"))
"""Keywords that are or depend on the branches whose overlap is asked about."""

_MANY: Final = 16
"""More alternatives than these are worth a closer look at which of them are needed."""

_BURST: Final = 4
"""So many times the limit of alternatives may come up in one step before they are looked at."""


def _absorbed(conjunctions: list[Conjunction]) -> list[Conjunction]:
    """Leave out each conjunction that says all that another one says."""
    sets = [(frozenset(map(id, c)), c) for c in conjunctions]
    kept: list[frozenset[int]] = []
    for ids, _ in sorted(sets, key=lambda s: len(s[0])):
        if not any(k <= ids for k in kept):
            kept.append(ids)
    remaining = set(kept)
    out = []
    for ids, c in sets:
        if ids in remaining:
            remaining.discard(ids)
            out.append(c)
    return out


_TYPES_ONLY: Final = frozenset(("types",))
"""What facts that allow some types and say nothing else hold."""


def _without_implied_types(conjunction: Conjunction) -> Conjunction:
    """Leave out facts that only allow types which the others allow no more than."""
    types = ANY
    for f in conjunction:
        if f.__dict__.keys() != _TYPES_ONLY:
            types &= f.types
    return tuple(f for f in conjunction if types & ~f.types or f.__dict__.keys() != _TYPES_ONLY)


def _weakest(conjunctions: list[Conjunction]) -> list[Conjunction]:
    """Leave out each conjunction that says what another one says, and more."""
    kept: list[tuple[frozenset[Facts], Conjunction]] = []
    for c in sorted(conjunctions, key=len):
        facts = frozenset(c)
        if not any(fewer <= facts for fewer, _ in kept):
            kept.append((facts, c))
    return [c for _, c in kept]


def _evaluates(conjunction: Conjunction) -> bool:
    return any(f.evaluated != 0 or f.matched for f in conjunction)


def _possible(conjunction: Conjunction) -> bool:
    """Tell whether the types (and where finite, the values) of a conjunction have something in common: a cheap test."""
    types = ANY
    enums: list[list[Json]] = []
    for facts in conjunction:
        types &= facts.types
        if facts.enum is not None:
            enums.append(facts.enum)
    if types and len(enums) > 1:
        common = {identity(v) for v in enums[0]}
        for values in enums[1:]:
            common &= {identity(v) for v in values}
        return bool(common)
    return types != 0
