"""Deterministic automata over Unicode scalar values: the value space of strings.

All Boolean algebra on strings (patterns, formats, lengths, enumerations, negations) happens here, on
characters; ``encode`` turns the result into bytes once, at the end.  Every automaton that leaves this
module is trimmed, minimal and in canonical numbering, so that two automata accept the same language
exactly if their arrays are equal, and a digest of the arrays is an identity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt

from ..errors import InvalidSource, LimitExceeded, SyntagmaError
from ..ir import UNBOUNDED
from . import kernels, minimal

if TYPE_CHECKING:
    from random import Random

Dialect = Literal["ecma", "python", "rust"]
"""A regular-expression dialect: ECMA-262 with the u flag (JSON Schema), CPython's ``re`` on str, Rust's ``regex``."""

MAX_DFA_STATES: Final = 20_000
"""Default cap on states.  The largest minimal automaton of 2,410 public schema patterns has 502."""

MAX_CODE_POINT: Final = 0x10FFFF
FIRST_SURROGATE: Final = 0xD800
LAST_SURROGATE: Final = 0xDFFF

_MEMO_SIZE = 4096

Ranges = tuple[tuple[int, int], ...]
"""Sorted, disjoint, not adjacent code-point ranges without surrogates."""

SCALARS: Final[Ranges] = ((0, FIRST_SURROGATE - 1), (LAST_SURROGATE + 1, MAX_CODE_POINT))
"""Every Unicode scalar value."""

_Int = npt.NDArray[np.int64]
_Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LengthProfile:
    """How many more characters can be read from each state before the text is complete.

    Attributes:
        least: int64[n], the smallest number.
        most: int64[n], the greatest, ``UNBOUNDED`` where there is none.
        gapless: whether for every state every number between the two occurs.

    """

    least: _Int
    most: _Int
    gapless: bool


class CharDfa:
    """An immutable, minimal, partial deterministic automaton over Unicode scalar values.

    State 0 is the start.  Every state can be reached and can reach acceptance; the empty language is
    one non-accepting state.  Equality and hashing are those of the language.

    Attributes:
        n: number of states.
        first: int64[n + 1]; the edges of state q are ``first[q]..first[q + 1]``.
        low, high, target: int64[m]; code-point ranges (inclusive, sorted and disjoint per state) and where they lead.
        accepting: bool[n].
        digest: 16 bytes that identify the language.

    """

    __slots__ = ("_profile", "accepting", "digest", "first", "high", "low", "n", "target")

    n: int
    first: _Int
    low: _Int
    high: _Int
    target: _Int
    accepting: _Bool
    digest: bytes
    _profile: LengthProfile | None

    def __init__(self, n: int, first: _Int, low: _Int, high: _Int, target: _Int, accepting: _Bool) -> None:
        """Hold arrays that are canonical already; everybody else uses a class method or an operator."""
        for part in (first, low, high, target, accepting):
            part.flags.writeable = False
        put = object.__setattr__
        put(self, "n", n)
        put(self, "first", first)
        put(self, "low", low)
        put(self, "high", high)
        put(self, "target", target)
        put(self, "accepting", accepting)
        put(self, "_profile", None)
        content = hashlib.blake2b(first.data, digest_size=16)
        for part in (low, high, target, accepting):
            content.update(part.data)
        put(self, "digest", content.digest())

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: automata are shared between grammars."""
        msg = f"CharDfa is immutable; cannot set {name!r} to {value!r}"
        raise AttributeError(msg)

    # -- making ---------------------------------------------------------------------------------------------

    @classmethod
    def from_regex(
        cls,
        pattern: str,
        *,
        dialect: Dialect = "ecma",
        search: bool = True,
        where: str | None = None,
        max_states: int = MAX_DFA_STATES,
    ) -> CharDfa:
        """Strings in which ``pattern`` matches: somewhere (``search``), or from end to end.

        Results are remembered.  ``where`` is the place of the pattern in the user's source, for errors.

        Raises:
            InvalidSource: the pattern is no regular expression of the dialect.
            Unsupported: it uses something that is not regular (a back-reference) or depends on match order.
            LimitExceeded: its automaton has more than ``max_states`` states.

        """
        try:
            return _from_regex(pattern, dialect, search, max_states)
        except LimitExceeded as error:
            if where is None:
                raise
            raise LimitExceeded(
                error.message, limit=error.limit, value=error.value, where=where, hint=error.hint
            ) from None
        except SyntagmaError as error:
            if where is None:
                raise
            raise type(error)(error.message, where=where, hint=error.hint) from None

    @classmethod
    def from_ranges(cls, first: _Int, low: _Int, high: _Int, target: _Int, accepting: _Bool) -> CharDfa:
        """Any deterministic automaton in range form: CSR edges, ranges disjoint per state, no surrogates."""
        if len(low) == 0:
            empty = np.zeros(0, np.int64)
            return cls(1, np.zeros(2, np.int64), empty, empty, empty, accepting[:1].copy())
        cuts = np.unique(np.concatenate((low, high + 1)))
        table, classes = minimal.to_dense(len(accepting), first, low, high, target, cuts)
        final = accepting.copy()  # never read-only, for which the kernel would be compiled once more
        return cls(*minimal.canonical(table, final, cuts[:-1], cuts[1:] - 1, classes))

    @classmethod
    def from_edges(cls, n: int, edges: Iterable[tuple[int, int, int, int]], accepting: Iterable[int]) -> CharDfa:
        """Small automata by hand: ``n`` states, edges ``(source, low, high, target)``, accepting states."""
        block = np.array(sorted(edges), np.int64).reshape(-1, 4)
        final = np.zeros(n, np.bool_)
        final[list(accepting)] = True
        first = np.searchsorted(block[:, 0], np.arange(n + 1)).astype(np.int64)
        return cls.from_ranges(first, block[:, 1].copy(), block[:, 2].copy(), block[:, 3].copy(), final)

    @classmethod
    def from_strings(cls, strings: Iterable[str]) -> CharDfa:
        """Exactly these strings.

        Raises:
            InvalidSource: a string holds a lone surrogate, which no UTF-8 text can.

        """
        ordered = sorted(set(strings))
        if not ordered:
            return cls.nothing()
        try:
            codes = np.frombuffer("".join(ordered).encode("utf-32-le"), "<u4").astype(np.int64)
        except UnicodeEncodeError as error:
            msg = f"a string holds the lone surrogate U+{ord(error.object[error.start]):04X}"
            raise InvalidSource(msg, hint="JSON text in UTF-8 cannot carry it; remove the string") from None
        begin = np.zeros(len(ordered) + 1, np.int64)
        np.cumsum([len(text) for text in ordered], out=begin[1:])
        first, low, target, accepting = kernels.trie(codes, begin)
        return cls.from_ranges(first, low, low, target, accepting)

    @classmethod
    def any_string(cls) -> CharDfa:
        """Every string of Unicode scalar values."""
        return _any_string()

    @classmethod
    def nothing(cls) -> CharDfa:
        """No string at all."""
        return _nothing()

    @classmethod
    def from_length(cls, low: int, high: int | None = None) -> CharDfa:
        """Strings of at least ``low`` and at most ``high`` characters (code points)."""
        if high is not None and high < low:
            return cls.nothing()
        return _from_length(max(low, 0), high)

    # -- algebra --------------------------------------------------------------------------------------------

    def __and__(self, other: CharDfa) -> CharDfa:
        """Strings of both."""
        return self.intersect(other)

    def __or__(self, other: CharDfa) -> CharDfa:
        """Strings of either."""
        return self if self == other else self._product(other, kernels.OP_OR, MAX_DFA_STATES)

    def __sub__(self, other: CharDfa) -> CharDfa:
        """Strings of this one that the other does not have."""
        return self._product(other, kernels.OP_SUB, MAX_DFA_STATES)

    def __invert__(self) -> CharDfa:
        """Every string of Unicode scalar values that is not in this language."""
        return _any_string() - self

    def __add__(self, other: CharDfa) -> CharDfa:
        """Concatenation: a string of this one followed by one of the other."""
        from .nfa import concatenation  # noqa: PLC0415 - nfa builds on this module

        return concatenation((self, other), MAX_DFA_STATES)

    def star(self) -> CharDfa:
        """Any number of strings of this one after another."""
        from .nfa import star  # noqa: PLC0415 - nfa builds on this module

        return star(self, MAX_DFA_STATES)

    def intersect(self, other: CharDfa, *, max_states: int = MAX_DFA_STATES) -> CharDfa:
        """Strings of both, with a cap of its own on the states of the product."""
        if self == other or other == _any_string():
            return self
        if self == _any_string():
            return other
        return self._product(other, kernels.OP_AND, max_states)

    def minus(self, other: CharDfa, *, max_states: int) -> CharDfa:
        """Strings of this one that the other does not have, with a cap of its own on the states of the product."""
        return self._product(other, kernels.OP_SUB, max_states)

    def _product(self, other: CharDfa, op: int, max_states: int) -> CharDfa:
        status, first, low, high, target, accepting = kernels.product(
            self.first, self.low, self.high, self.target, self.accepting,
            other.first, other.low, other.high, other.target, other.accepting,
            op, max_states,
        )  # fmt: skip
        if status != kernels.OK:
            raise too_many_states(max_states)
        return CharDfa.from_ranges(first, low, high, target, accepting)

    # -- questions ------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        """Whether both accept the same strings."""
        return isinstance(other, CharDfa) and self.digest == other.digest

    def __hash__(self) -> int:
        """Agree with equality of languages."""
        return hash(self.digest)

    def __repr__(self) -> str:
        """Show sizes."""
        return f"<CharDfa {self.n} states, {len(self.low)} edges>"

    def equals(self, other: CharDfa) -> bool:
        """Whether both accept the same strings (the same as ``==``)."""
        return self == other

    def is_empty(self) -> bool:
        """Whether no string is accepted."""
        return self.n == 1 and not self.accepting[0]

    def is_finite(self) -> bool:
        """Whether only finitely many strings are accepted."""
        return int(self.length_profile().most[0]) < UNBOUNDED

    def is_subset(self, other: CharDfa) -> bool:
        """Whether every string of this one is a string of the other."""
        return self == other or (self - other).is_empty()

    def is_disjoint(self, other: CharDfa) -> bool:
        """Whether the two have no string in common."""
        return (self & other).is_empty()

    def accepts(self, text: str) -> bool:
        """Whether ``text`` is in the language; a text with a lone surrogate never is."""
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int64)
        state = kernels.run(self.first, self.low, self.high, self.target, codes)
        return state >= 0 and bool(self.accepting[state])

    def shortest(self) -> str | None:
        """A shortest string, the smallest in code-point order, or ``None`` of the empty language."""
        return next(self.strings(1), None)

    def strings(self, limit: int) -> Iterator[str]:
        """Up to ``limit`` strings, shorter ones first, in code-point order within a length."""
        if self.is_empty():
            return
        profile = self.length_profile()
        first, low, high = self.first.tolist(), self.low.tolist(), self.high.tolist()
        target, accepting = self.target.tolist(), self.accepting.tolist()
        # alive[k][q]: a string of exactly k characters leads from q to acceptance.
        alive: list[list[bool]] = [accepting]
        given = 0
        length = 0
        while given < limit and length <= profile.most[0]:
            if length > 0:
                last = alive[-1]
                alive.append([any(last[t] for t in target[first[q] : first[q + 1]]) for q in range(self.n)])
            stack: list[tuple[int, str]] = [(0, "")] if alive[length][0] else []
            while stack:
                q, text = stack.pop()
                left = length - len(text)
                if left == 0:
                    yield text
                    given += 1
                    if given == limit:
                        return
                    continue
                edges = [e for e in range(first[q], first[q + 1]) if alive[left - 1][target[e]]]
                # Every entered branch yields, so no more than the missing number is ever entered.
                branches = [
                    (target[e], text + chr(x))
                    for e in edges
                    for x in range(low[e], min(high[e], low[e] + limit - given - 1) + 1)
                ]
                stack.extend(reversed(branches))
            length += 1

    def sample(self, rng: Random, *, max_length: int = 64) -> str | None:
        """A random string, or ``None`` of the empty language.

        Edges are drawn uniformly; from ``max_length`` characters on the text goes the shortest way to its end.
        """
        if self.is_empty():
            return None
        least = self.length_profile().least
        out: list[str] = []
        q = 0
        while True:
            begin, end = int(self.first[q]), int(self.first[q + 1])
            if self.accepting[q] and (begin == end or len(out) >= max_length or rng.random() < 0.2):
                return "".join(out)
            edges = range(begin, end)
            if len(out) >= max_length:
                nearest = int(np.argmin(least[self.target[begin:end]]))
                edges = range(begin + nearest, begin + nearest + 1)
            e = rng.choice(edges)
            lo, hi = int(self.low[e]), int(self.high[e])
            out.append(chr(rng.choice((lo, hi, rng.randint(lo, hi), min(hi, lo + rng.randint(0, 255))))))
            q = int(self.target[e])

    # -- length ---------------------------------------------------------------------------------------------

    def length_profile(self) -> LengthProfile:
        """How many more characters each state can still read; computed once."""
        if self._profile is None:
            least, most, gapless = kernels.lengths(self.first, self.target, self.accepting, UNBOUNDED)
            object.__setattr__(self, "_profile", LengthProfile(least, most, bool(gapless)))
        profile = self._profile
        assert profile is not None  # noqa: S101 - set above
        return profile

    def counter_bounds(self, low: int, high: int | None) -> tuple[int, int | None] | None:
        """Bounds on the length that a counter beside this automaton enforces exactly; ``None`` if it must be unrolled.

        Bounds that the automaton implies are dropped (``(0, None)``: nothing to count).  One bound alone can always be
        counted; two need gapless lengths, since a guard knows the least and the greatest length only.
        """
        profile = self.length_profile()
        low = 0 if low <= profile.least[0] else low
        high = None if high is not None and high >= profile.most[0] else high
        return (low, high) if low == 0 or high is None or profile.gapless else None

    def with_length(self, low: int, high: int | None = None, *, max_states: int = MAX_DFA_STATES) -> CharDfa:
        """The strings of at least ``low`` and at most ``high`` characters, by unrolling a counter.

        Raises:
            LimitExceeded: the product has more than ``max_states`` states.

        """
        if self.is_empty():
            return self
        profile = self.length_profile()
        if high is not None and high >= profile.most[0]:
            high = None
        low = 0 if low <= profile.least[0] else low
        if low == 0 and high is None:
            return self
        if low > profile.most[0] or (high is not None and high < max(low, int(profile.least[0]))):
            return CharDfa.nothing()
        if max(low, high or 0) >= max_states:
            raise too_many_states(max_states)
        return self.intersect(_from_length(low, high), max_states=max_states)


def too_many_states(max_states: int, *, what: str = "the automaton") -> LimitExceeded:
    """Build the error for a cap on states."""
    return LimitExceeded(
        f"{what} needs more than {max_states} states",
        limit="max_dfa_states",
        value=max_states,
        hint="simplify the pattern, lower its repetition counts, or raise max_dfa_states",
    )


@lru_cache(maxsize=_MEMO_SIZE)
def _from_regex(pattern: str, dialect: Dialect, search: bool, max_states: int) -> CharDfa:
    from .nfa import from_regex  # noqa: PLC0415 - nfa builds on this module

    return from_regex(pattern, dialect, search=search, max_states=max_states)


@lru_cache(maxsize=1)
def _any_string() -> CharDfa:
    return CharDfa.from_edges(1, [(0, low, high, 0) for low, high in SCALARS], [0])


@lru_cache(maxsize=1)
def _nothing() -> CharDfa:
    return CharDfa.from_edges(1, [], [])


@lru_cache(maxsize=256)
def _from_length(low: int, high: int | None) -> CharDfa:
    n = (low if high is None else high) + 1
    edges = [(q, a, b, q + 1) for q in range(n - 1) for a, b in SCALARS]
    if high is None:
        edges.extend((n - 1, a, b, n - 1) for a, b in SCALARS)
    return CharDfa.from_edges(n, edges, range(low, n))
