"""From one conjunction to its pieces, type by type: what its facts say about the type is merged."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .algebra import Algebra
from .arrays import array_piece
from .dialect import Json
from .facts import ANY, ARRAY, FALSE_VALUE, FRACTION, INTEGER, NULL, NUMBER, OBJECT, STRING, TRUE_VALUE, Refusal
from .goals import Conjunction
from .membership import Membership, Strings
from .piece import NumberPiece, ObjectPiece, Piece, StringPiece, ValuesPiece
from .scalars import Number, NumberSpec, common_multiple, number_is_inhabited, string_is_inhabited
from .values import identity, type_bit


class Splitting:
    """Conjunctions, split up."""

    def __init__(
        self,
        algebra: Algebra,
        membership: Membership,
        strings: Strings,
        max_digits: tuple[int, int] | None,
        tick: Callable[[], None],
    ) -> None:
        """Take what answers about facts, the digits that numbers may have, and a deadline check."""
        self._algebra = algebra
        self._membership = membership
        self._strings = strings
        self._max_digits = max_digits
        self._tick = tick

    def pieces(self, conjunction: Conjunction) -> Iterator[Piece]:
        """Yield the pieces of a conjunction; what is empty by itself is left out."""
        types = 255
        finite: list[Json] | None = None
        for f in conjunction:
            types &= f.types
            if f.enum is not None and (finite is None or len(f.enum) < len(finite)):
                finite = f.enum
        refusals = [r for f in conjunction for r in f.refused]
        if finite is not None:
            seen: dict[object, Json] = {}
            for v in finite:
                if all(self._membership.meets(v, f) for f in conjunction):
                    seen.setdefault(identity(v), v)
            if seen:
                left = 0
                for v in seen.values():
                    left |= type_bit(v, float_is_fraction=False)
                yield ValuesPiece(list(seen.values()), [r for r in refusals if r.types & left])
            return
        constants: list[Json] = []
        gone = [identity(v) for f in conjunction for v in f.not_enum]
        for bit, value in ((NULL, None), (FALSE_VALUE, False), (TRUE_VALUE, True)):
            if types & bit and identity(value) not in gone:
                constants.append(value)
        if constants:
            yield ValuesPiece(constants)
        if types & NUMBER:
            yield from self._numbers(conjunction, types, [r for r in refusals if r.types & NUMBER])
        if types & STRING:
            spec = self._strings.spec(conjunction)
            if string_is_inhabited(spec):
                yield StringPiece(spec, [r for r in refusals if r.types & STRING])
        for whole in self._unequal(conjunction) if types & (ARRAY | OBJECT) else ():
            here = types
            for f in whole[len(conjunction) :]:
                here &= f.types
            if here & ARRAY:
                array = array_piece(whole, [r for r in refusals if r.types & ARRAY])
                if array is not None:
                    yield array
            if here & OBJECT:
                yield self._object(whole, [r for r in refusals if r.types & OBJECT])

    def _unequal(self, conjunction: Conjunction) -> list[Conjunction]:
        """Write out what arrays and objects other than given ones are."""
        if not any(f.not_enum for f in conjunction):
            return [conjunction]
        types = ANY
        for f in conjunction:
            types &= f.types
        values = {
            identity(v): v
            for f in conjunction
            for v in f.not_enum
            if (isinstance(v, list) and types & ARRAY) or (isinstance(v, dict) and types & OBJECT)
        }
        if not values:
            return [conjunction]
        return [(*conjunction, *more) for more in self._algebra.other_than(list(values.values()))]

    def _numbers(self, conjunction: Conjunction, types: int, refusals: list[Refusal]) -> Iterator[Piece]:
        low: Number | None = None
        high: Number | None = None
        low_open = high_open = False
        for f in conjunction:
            if f.low is not None and (low is None or f.low > low or (f.low == low and f.low_open)):
                low, low_open = f.low, f.low_open
            if f.high is not None and (high is None or f.high < high or (f.high == high and f.high_open)):
                high, high_open = f.high, f.high_open
        whole = not types & FRACTION
        multiple = common_multiple(tuple(dict.fromkeys(m for f in conjunction for m in f.multiples)))
        avoid = list(dict.fromkeys(m for f in conjunction for m in f.not_multiples))
        if not types & INTEGER:
            avoid.append(1)
        holes = sorted({
            v for f in conjunction for v in f.not_enum if not isinstance(v, bool) and isinstance(v, int | Number)
        })  # fmt: skip
        edges: list[tuple[Number | None, bool]] = [(low, low_open)]
        for v in holes:
            edges += [(v, True), (v, True)]
        edges.append((high, high_open))
        for (a, a_open), (b, b_open) in zip(edges[::2], edges[1::2], strict=True):
            if holes:
                if a is not None and low is not None and a < low:
                    a, a_open = low, low_open
                elif a == low and a is not None:
                    a_open = a_open or low_open
                if b is not None and high is not None and b > high:
                    b, b_open = high, high_open
                elif b == high and b is not None:
                    b_open = b_open or high_open
            spec = NumberSpec(whole, a, b, a_open, b_open, multiple, tuple(avoid), self._max_digits)
            if holes:
                self._tick()
            if number_is_inhabited(spec):
                yield NumberPiece(spec, refusals)

    def _object(self, conjunction: Conjunction, refusals: list[Refusal]) -> ObjectPiece:
        low, high = 0, None
        names: dict[str, bool] = {}
        required: dict[str, None] = {}
        broken = tuple(dict.fromkeys(b for f in conjunction for b in f.broken))
        for f in conjunction:
            low = max(low, f.min_props)
            if f.max_props is not None:
                high = f.max_props if high is None else min(high, f.max_props)
            for n in f.props:
                names[n] = False
            required.update(dict.fromkeys(f.required))
        for f in conjunction:
            if f.telling is not None and f.telling[0] not in required and not self._strings.wide:
                self._membership.left_out[f.telling] = None
                required[f.telling[0]] = None
        for f in broken:
            for n in (*f.props, *f.required):
                names.setdefault(n, False)
        for n in required:
            names[n] = True
        goals = self._membership.member_goals(conjunction, names)
        members = [(n, goal, needed) for (n, needed), goal in zip(names.items(), goals, strict=True)]
        return ObjectPiece(members, conjunction, low, high, refusals, broken=broken)
