"""From conjunctions to pieces: one type each, with the goals of what is inside.

A goal's values are the union of its pieces.  Building a piece merges what the facts of a conjunction say about one
type; it never looks into the goals of members and items, so pieces of recursive schemas are finite.  ``Pieces.inhabited``
then asks whether a goal has a value at all, by a depth-first search for a derivation: a minimal one never meets the same
goal twice on a path, so a goal that is being asked about already counts as empty, and a negative answer that rests on
such an assumption is not remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..errors import LimitExceeded, SyntagmaError
from ..regular.dfa import CharDfa
from .algebra import Algebra
from .arrays import ArrayPiece, ArrayProduct
from .demands import Judge
from .dialect import Json
from .facts import ANY, StringFact
from .goals import FALSE_GOAL, Conjunction, Goal, UndeterminedError
from .keyclasses import KeyClasses
from .membership import Membership, Strings
from .piece import ObjectPiece, Piece, StringPiece, ValuesPiece, types_of_piece
from .scalars import character_language, language_of
from .singled import SingledOut
from .splitting import Splitting


class Pieces:
    """The pieces of the goals of one compilation.

    Of some formats only a part is known, and what is left out is in no piece, nor in one of the opposite.  Such pieces say
    what may be written; but not that something is impossible, which is what the algebra wants to know about two branches
    of ``oneOf``.  That is asked of *wide* pieces, in which what is left out is in both.

    The same goes for arrays with two equal items, of which only those with one of finitely many values can be written, and for objects
    that lack the member by which the branches of ``oneOf`` are told apart.

    Attributes:
        membership: which values meet facts.
        keys: the classes of keys of objects.
        singled: the values of arrays that matter one by one.

    """

    def __init__(
        self,
        algebra: Algebra,
        patterns: dict[str, str],
        *,
        float_is_fraction: bool,
        key_classes: int,
        members: int,
        counted_items: int,
        unique_items: int,
        broken_rules: int,
        max_digits: tuple[int, int] | None,
        tick: Callable[[], None],
        wide: bool = False,
    ) -> None:
        """Take the algebra, the user's own formats as patterns, and limits; ``wide`` ones leave nothing out."""
        self.algebra = algebra
        self._strings = Strings(patterns, wide=wide)
        self.membership = Membership(algebra, self._strings, float_is_fraction=float_is_fraction)
        self._splitting = Splitting(algebra, self.membership, self._strings, max_digits, tick)
        self.keys = KeyClasses(self, key_classes, members, tick)
        self.singled = SingledOut(self, counted_items, unique_items, tick, wide=wide)
        self.broken_rules = broken_rules
        self._counted_items = counted_items
        self._tick = tick
        self._memo: dict[Goal, list[Piece]] = {}
        self._split_up: dict[Conjunction, list[Piece]] = {}
        self._inhabited: dict[Goal, bool] = {FALSE_GOAL: False, (): True}
        self._asking: dict[Goal, int] = {}
        self._rests_on = 1 << 30
        self._guesses = 0
        self._wide = wide
        self._wider: Pieces | None = self if wide else None
        self._widen = partial(
            Pieces,
            algebra,
            patterns,
            float_is_fraction=float_is_fraction,
            key_classes=key_classes,
            members=members,
            counted_items=counted_items,
            unique_items=unique_items,
            broken_rules=broken_rules,
            max_digits=max_digits,
            tick=tick,
            wide=True,
        )
        if not wide:
            algebra.types_of = self.types_of

    # -- building -----------------------------------------------------------------------------

    def of(self, goal: Goal) -> list[Piece]:
        """Return the pieces of a goal, equal conjunctions' being the same; what is empty by itself is left out."""
        found = self._memo.get(goal)
        if found is None:
            found = []
            try:
                for conjunction in self.algebra.meaning(goal):
                    if conjunction not in self._split_up:
                        self._split_up[conjunction] = list(self._splitting.pieces(conjunction))
                    found += self._split_up[conjunction]
            except SyntagmaError as e:
                raise self.located(e, goal) from None
            self._memo[goal] = found
        return found

    def located(self, error: SyntagmaError, goal: Goal) -> SyntagmaError:
        """Say where a pattern or a limit went wrong, if the error does not say so itself."""
        if error.where is not None and "#" in error.where:
            return error
        where = self.algebra.documents.nodes[goal[0] >> 1].pointer() if goal else "#"
        if isinstance(error, LimitExceeded):
            where = self._blamed(error, where) or where
        if error.where is not None:
            where = f"{where} ({error.where})"
        if isinstance(error, LimitExceeded):
            return LimitExceeded(error.message, limit=error.limit, value=error.value, where=where, hint=error.hint)
        return type(error)(error.message, where=where, hint=error.hint)

    def _blamed(self, error: LimitExceeded, place: str) -> str | None:
        """Return the pointer of the keyword that is too much by itself, one below ``place`` if there are several.

        What facts say has no place, for they are shared; so the keywords that were read are tried once more.
        """
        found: list[str] = []
        for node in self.algebra.nodes_read:
            schema = node.schema if isinstance(node.schema, dict) else {}
            named = schema.get("patternProperties")
            tried: list[tuple[tuple[str, ...], Json]] = []
            tried += [(("patternProperties", p), p) for p in named] if isinstance(named, dict) else []
            tried += [(("pattern",), schema["pattern"])] if "pattern" in schema else []
            for path, value in tried:
                pointer = node.pointer(*path)
                below = pointer.startswith(place)
                if (below or not found) and _is_too_much(value, error.limit):
                    if below:
                        return pointer
                    found.append(pointer)
        return found[0] if found else None

    # -- emptiness ----------------------------------------------------------------------------

    def inhabited(self, goal: Goal) -> bool:
        """Tell whether some value meets a goal (what is refused is taken to hold)."""
        known = self._inhabited.get(goal)
        if known is not None:
            return known
        depth = self._asking.get(goal)
        if depth is not None:
            self._rests_on = min(self._rests_on, depth)
            return False
        depth = len(self._asking)
        self._asking[goal] = depth
        outer, self._rests_on = self._rests_on, 1 << 30
        guesses = self._guesses
        try:
            answer = any(self.piece_is_inhabited(p) for p in self.of(goal))
        except UndeterminedError:
            self._guesses += 1
            answer = True
        except SyntagmaError as e:
            raise self.located(e, goal) from None
        finally:
            del self._asking[goal]
        if answer or self._rests_on >= depth:
            if not answer or self._guesses == guesses:
                self._inhabited[goal] = answer
            self._rests_on = outer
        else:
            self._rests_on = min(self._rests_on, outer)
        return answer

    def possible(self, goal: Goal) -> bool:
        """Tell whether some value may meet a goal, counting those that are never produced."""
        return self.inhabited(goal) or (self._leaves_out and self._widened().inhabited(goal))

    @property
    def narrowed(self) -> bool:
        """Whether strings of a format were left out so far."""
        return self._strings.narrowed

    @property
    def partial(self) -> bool:
        """Whether arrays with two equal items were left out so far."""
        return self.singled.partial

    @property
    def left_out(self) -> list[tuple[str, str]]:
        """The members without which objects were left out so far, and the pointers of the keywords that tell objects by them."""
        return list(self.membership.left_out)

    @property
    def asks(self) -> bool:
        """Whether a question about emptiness is open."""
        return bool(self._asking)

    @property
    def _leaves_out(self) -> bool:
        return self.narrowed or self.partial or self.algebra.exclusion.leaves_out

    def _widened(self) -> Pieces:
        if self._wider is None:
            self._wider = self._widen()
        return self._wider

    def contradicts_itself(self, goal: Goal) -> bool:
        """Tell whether the literal values that a goal speaks of leave none; unlike ``inhabited`` it assumes nothing."""
        return not self.algebra.literals.agree(goal)

    def types_of(self, goal: Goal) -> int:
        """Return the types of the values that may meet a goal, also of those that are never produced.

        What is refused is taken to hold.
        """
        types = self._types_of(goal)
        return types | self._widened().types_of(goal) if self._leaves_out and not self._wide and types != ANY else types

    def _types_of(self, goal: Goal) -> int:
        if goal == FALSE_GOAL or self._inhabited.get(goal) is False:
            return 0
        types = 0
        try:
            pieces = self.of(goal)
        except UndeterminedError:
            return ANY
        for piece in pieces:
            here = types_of_piece(piece)
            if here & ~types and self.piece_is_inhabited(piece):
                types |= here
        return types

    def empty_goals(self) -> list[Goal]:
        """Return the goals that are known to be empty, also of objects that are left out for want of a member."""
        empty = [g for g, answer in self._inhabited.items() if not answer and g != FALSE_GOAL]
        return [g for g in empty if not self.possible(g)] if self.algebra.exclusion.leaves_out else empty

    def piece_is_inhabited(self, piece: Piece, judge: Judge | None = None) -> bool:
        """Tell whether some value is of this piece; ``judge`` knows which goals of what is inside have a value."""
        if isinstance(piece, ArrayPiece):
            return self._array_is_inhabited(piece, (judge or self).inhabited)
        if isinstance(piece, ObjectPiece):
            return self._object_is_inhabited(piece, judge)
        return True

    def _array_is_inhabited(self, piece: ArrayPiece, inhabited: Callable[[Goal], bool]) -> bool:
        piece = self.singled.of(piece)
        if piece.contains or piece.constants or piece.equal:
            product = ArrayProduct(piece, inhabited, self.possible, self._counted_items, self._tick)
            return product.has_length(piece.low, piece.high)
        low, fixed = piece.low, len(piece.prefix)
        if piece.high is not None and low > piece.high:
            return False
        for i in range(min(low, fixed)):
            if not inhabited(piece.prefix[i]):
                return False
        if piece.unique and low > fixed + 1:
            strings = self.strings_of(piece.rest)
            if strings is not None and strings.is_finite() and len(list(strings.strings(low))) < low - fixed:
                return False
        return low <= fixed or inhabited(piece.rest)

    def strings_of(self, goal: Goal) -> CharDfa | None:
        """Return the values of a goal as a language, ``None`` where some of them are no strings or it takes too many states."""
        language = CharDfa.nothing()
        try:
            for piece in self.of(goal):
                if isinstance(piece, StringPiece) and not piece.refusals:
                    language = language | language_of(piece.spec)
                elif isinstance(piece, ValuesPiece) and not piece.refusals:
                    strings = [v for v in piece.values if isinstance(v, str)]
                    if len(strings) < len(piece.values):
                        return None
                    language = language | CharDfa.from_strings(strings)
                elif self.piece_is_inhabited(piece):
                    return None
        except LimitExceeded:
            return None
        return language

    def _object_is_inhabited(self, piece: ObjectPiece, judge: Judge | None) -> bool:
        inhabited = (judge or self).inhabited
        if piece.broken:
            plan = self.keys.plan(piece, final=False, judge=judge)
            return plan is not None and plan.inhabited()
        needed = 0
        for _, goal, required in piece.members:
            if required:
                needed += 1
                if not inhabited(goal):
                    return False
        if piece.high is not None and needed > piece.high:
            return False
        if piece.low <= needed:
            return True
        if piece.high is not None and piece.low > piece.high:
            return False
        if any(inhabited(c.goal) for c in self.keys.of(piece)):
            return True
        return piece.low <= sum(1 for _, goal, required in piece.members if required or inhabited(goal))


def _is_too_much(value: Json, limit: str) -> bool:
    """Tell whether a pattern needs more than a limit by itself."""
    try:
        if isinstance(value, str):
            character_language(StringFact("pattern", value))
    except LimitExceeded as e:
        return e.limit == limit
    return False
