"""Regular expressions as a source, and the Boolean algebra of what they match.

A ``Regex`` stands for a set of texts: those that its pattern matches from end to end, or with ``search`` those in which it
matches somewhere.  ``&``, ``|``, ``-``, ``~`` and ``+`` make new sets of them, which are sources as well.  The complement is
taken in all texts that UTF-8 can write.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

from .clock import Clock
from .counted import COUNTED_FROM, counted_grammar
from .errors import InvalidSource, LimitExceeded, Unsatisfiable
from .regular.dfa import MAX_DFA_STATES, CharDfa, Dialect
from .regular.encode import utf8
from .regular.escapes import place
from .regular.framing import framed
from .regular.nfa import from_node
from .regular.nodes import Alternation, Concat, Machine, Node, Repeat, Tick, asserts, no_tick
from .regular.syntax import Parsed, read
from .report import Report, ReportEntry
from .source import Lowered, Source

_FLAGS: Final[dict[str, str]] = {"python": "aimsux", "ecma": "imsuv", "rust": "imsuxU"}
_RE_FLAGS: Final = {"a": re.ASCII, "i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
_FLAG_HINTS: Final = {
    "g": "a set of texts knows no last match; leave it out",
    "y": "a set of texts knows no last match; leave it out",
    "d": "it only asks for the places of groups; leave it out",
}

MAX_DEPTH: Final = 100
"""Operators inside of each other, chains of the same one not counted."""

MAX_SIZE: Final = 10_000
"""Regular expressions in one combination."""

_SHOWN: Final = 200
"""Characters of a representation that an error shows."""


@lru_cache(1)
def warm_up() -> None:
    """Touch every kernel that an expression may need, so that no deadline is charged for loading or compiling them."""
    dfa = CharDfa.from_regex("^[ab]{2,3}$") - CharDfa.from_strings(("aa",))
    dfa = (dfa & ~CharDfa.from_strings(("ab",))) | CharDfa.from_regex(r"(?!x)a\b")
    dfa.accepts("bb")
    utf8(dfa)
    dfa.is_finite()
    letter = Machine(CharDfa.from_strings("a"))
    counted_grammar(Repeat(letter, 0, COUNTED_FROM), max_states=2 * COUNTED_FROM, tick=no_tick)


class _Deadline:
    """Raises ``LimitExceeded`` when it is asked after a number of seconds."""

    def __init__(self, seconds: float) -> None:
        warm_up()
        self.seconds = seconds
        self.clock = Clock(seconds)

    def __call__(self) -> None:
        if self.clock.is_over():
            raise LimitExceeded(
                f"compiling the expression took longer than {self.seconds} s of processor time",
                limit="deadline", value=self.seconds, hint="simplify it, or raise Regex(deadline=...)",
            )  # fmt: skip


class RegularSource(Source):
    """A regular set of texts: what ``Regex`` is, and what the operators make.

    Equality is that of how they are written; ``equivalent`` compares the sets.
    """

    __slots__ = ()

    # -- algebra ----------------------------------------------------------------------------------------------------

    def __and__(self, other: RegularSource) -> RegularSource:
        """Texts of both."""
        return _combined("&", self, other)

    def __or__(self, other: RegularSource) -> RegularSource:
        """Texts of either."""
        return _combined("|", self, other)

    def __sub__(self, other: RegularSource) -> RegularSource:
        """Texts of this one that the other does not have."""
        return _combined("-", self, other)

    def __add__(self, other: RegularSource) -> RegularSource:
        """A text of this one followed by one of the other."""
        return _combined("+", self, other)

    def __invert__(self) -> RegularSource:
        """Every other text of Unicode scalar values."""
        return Combination("~", (self,))

    # -- questions --------------------------------------------------------------------------------------------------

    def accepts(self, text: str) -> bool:
        """Whether a text is in the set; one with a lone surrogate never is."""
        return self.automaton(self._clock()).accepts(text)

    def is_empty(self) -> bool:
        """Whether there is no text at all."""
        return self.automaton(self._clock()).is_empty()

    def equivalent(self, other: RegularSource) -> bool:
        """Whether both are the same set of texts."""
        clock = self._clock()
        return self.automaton(clock) == other.automaton(clock)

    def is_subset(self, other: RegularSource) -> bool:
        """Whether every text is one of the other set."""
        return (self - other).is_empty()

    # -- compilation ------------------------------------------------------------------------------------------------

    def lower(self) -> Lowered:
        """See ``Source.lower``."""
        clock = self._clock()
        try:
            tree = self.tree(clock)
            grammar, counted = counted_grammar(tree, max_states=self._max_states(), tick=clock)
        except RecursionError:
            raise LimitExceeded(
                "the expression is nested too deeply", limit="recursion", value=1000, hint="flatten its groups"
            ) from None
        if grammar is None:
            raise Unsatisfiable(f"no text matches {_shown(self)}", hint="its parts contradict each other")
        return Lowered(grammar, self._report(counted), self._deadline())

    def _clock(self) -> _Deadline:
        return _Deadline(self._deadline())

    def _report(self, counted: int) -> Report:
        def collect() -> list[ReportEntry]:
            entries = [entry for leaf in self.leaves for entry in leaf.entries()]
            if counted:
                reason = f"{counted} repetitions are counted at run time, not unrolled"
                entries.append(ReportEntry("", "{m,n}", "exact", reason))
            return entries

        dialects = dict.fromkeys(leaf.dialect for leaf in self.leaves)
        return Report(
            dialect=", ".join(dialects), sound=True, complete=True, live=True, budget="exact",
            collect=collect, unsatisfiable=list,
        )  # fmt: skip

    @property
    def leaves(self) -> tuple[Regex, ...]:
        """The regular expressions that it is made of, in the order in which it was written."""
        return (self,) if isinstance(self, Regex) else ()

    @abstractmethod
    def tree(self, clock: Tick) -> Node:
        """An expression of the whole text, without anchors and look-around; parts of it may be automata."""

    def automaton(self, clock: Tick) -> CharDfa:
        """The minimal automaton over characters, with every count unrolled."""
        return from_node(self.tree(clock), _shown(self), search=False, max_states=self._max_states(), tick=clock)

    def _deadline(self) -> float:
        return max(leaf.deadline for leaf in self.leaves)

    def _max_states(self) -> int:
        return max(leaf.max_dfa_states for leaf in self.leaves)


@dataclass(frozen=True, slots=True, repr=False)
class Regex(RegularSource):
    r"""The texts that a regular expression matches.

    Attributes:
        pattern: the expression, or a compiled ``re.Pattern`` (then ``dialect`` is ``python`` and its flags hold).
        dialect: ``python`` (the default: ``re`` on ``str``, and ``\p{...}``), ``ecma`` (ECMA-262 with the u flag and its annex B,
            as JSON Schema reads patterns) or ``rust`` (the ``regex`` crate).
        search: False: the pattern matches from end to end (``re.fullmatch``).  True: it matches somewhere (``re.search``);
            what stands before and behind the match is then any text.
        flags: letters of flags that hold from the beginning, as in ``(?im)``: ``aimsux`` in the python dialect (or a
            ``re.RegexFlag``), ``imsuv`` in ecma, ``imsuxU`` in rust.
        max_dfa_states: states that an automaton of it may have.
        deadline: seconds of processor time for reading it, for compiling it to rules, and for loading them.
        parsed: what was read.

    Raises ``InvalidSource`` or ``Unsupported`` with line, column and a caret, ``LimitExceeded`` where the pattern is too large.

    """

    pattern: str
    dialect: Dialect = field(default="python", kw_only=True)
    search: bool = field(default=False, kw_only=True)
    flags: str = field(default="", kw_only=True)
    max_dfa_states: int = field(default=MAX_DFA_STATES, kw_only=True)
    deadline: float = field(default=2.0, kw_only=True)
    parsed: Parsed = field(init=False, compare=False)

    def __init__(
        self,
        pattern: str | re.Pattern[str],
        *,
        dialect: Dialect = "python",
        search: bool = False,
        flags: str | re.RegexFlag = "",
        max_dfa_states: int = MAX_DFA_STATES,
        deadline: float = 2.0,
    ) -> None:
        """Check the options, and that the pattern can be read."""
        if dialect not in _FLAGS:
            raise InvalidSource(
                f"dialect={dialect!r} is not an option", hint=f"choose one of {', '.join(sorted(_FLAGS))}"
            )
        if isinstance(pattern, re.Pattern):
            if dialect != "python" or flags:
                raise InvalidSource(
                    "a compiled pattern has its own dialect and flags", hint="give the text of the pattern instead"
                )
            flags = re.RegexFlag(pattern.flags)
            pattern = pattern.pattern
        if not isinstance(pattern, str):
            kind = type(pattern).__name__
            raise InvalidSource(f"a pattern is text, not {kind}", hint="decode it: texts are matched, not bytes")
        if not isinstance(max_dfa_states, int) or isinstance(max_dfa_states, bool) or max_dfa_states < 1:
            raise InvalidSource(f"max_dfa_states={max_dfa_states!r} is not a whole number above 0")
        if not isinstance(deadline, int | float) or isinstance(deadline, bool) or not deadline > 0:
            raise InvalidSource(f"deadline={deadline!r} is not a number of seconds above 0")
        object.__setattr__(self, "pattern", pattern)
        object.__setattr__(self, "dialect", dialect)
        object.__setattr__(self, "search", bool(search))
        object.__setattr__(self, "flags", _letters(flags, dialect))
        object.__setattr__(self, "max_dfa_states", max_dfa_states)
        object.__setattr__(self, "deadline", float(deadline))
        try:
            parsed = read(self.pattern, self.dialect, self.flags, _Deadline(self.deadline))
        except RecursionError:
            raise LimitExceeded(
                "the pattern is nested too deeply", limit="recursion", value=1000, hint="flatten its groups"
            ) from None
        object.__setattr__(self, "parsed", parsed)

    def __repr__(self) -> str:
        """Write it as it can be made again."""
        defaults = {
            "dialect": "python", "search": False, "flags": "", "max_dfa_states": MAX_DFA_STATES, "deadline": 2.0
        }  # fmt: skip
        options = [f", {k}={getattr(self, k)!r}" for k, v in defaults.items() if getattr(self, k) != v]
        return f"Regex({self.pattern!r}{''.join(options)})"

    def entries(self) -> list[ReportEntry]:
        """What became of the parts of the pattern."""
        how = "found anywhere in the text" if self.search else "matched from end to end"
        shown = _shown(self)
        out = [ReportEntry(shown, "pattern", "exact", f"{how}, in the {self.dialect} dialect")]
        for note in self.parsed.notes:
            status: Literal["annotation", "exact"] = "annotation" if note.annotation else "exact"
            out.append(ReportEntry(f"{shown}, {place(self.pattern, note.position)}", note.text, status, note.reason))
        return out

    def tree(self, clock: Tick) -> Node:
        """See ``RegularSource``."""
        node = self.parsed.node
        tree = framed(node, search=self.search)
        if not asserts(tree):
            return tree
        return Machine(from_node(node, self.pattern, search=self.search, max_states=self.max_dfa_states, tick=clock))


@dataclass(frozen=True, slots=True, repr=False)
class Combination(RegularSource):
    """What an operator makes of regular sources.

    Attributes:
        operator: ``&``, ``|``, ``-``, ``+`` or ``~``.
        parts: what it is applied to.
        depth, size: operators inside of each other, and regular expressions.

    """

    operator: Literal["&", "|", "-", "+", "~"]
    parts: tuple[RegularSource, ...]
    depth: int = field(init=False, compare=False)
    size: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Keep what is done with it by recursion within Python's limits."""
        depth = 1 + max(part.depth if isinstance(part, Combination) else 0 for part in self.parts)
        size = sum(part.size if isinstance(part, Combination) else 1 for part in self.parts)
        for name, value, most in (("depth", depth, MAX_DEPTH), ("size", size, MAX_SIZE)):
            if value > most:
                raise LimitExceeded(
                    f"the combination has a {name} of more than {most}",
                    limit=f"combination_{name}", value=most, hint="write parts of it as one regular expression",
                )  # fmt: skip
            object.__setattr__(self, name, value)

    @property
    def leaves(self) -> tuple[Regex, ...]:
        """See ``RegularSource``."""
        return tuple(leaf for part in self.parts for leaf in part.leaves)

    def __repr__(self) -> str:
        """Write it as it was made."""
        shown = [
            f"({part!r})" if isinstance(part, Combination) and part.operator != "~" else repr(part)
            for part in self.parts
        ]
        return f"~{shown[0]}" if self.operator == "~" else f" {self.operator} ".join(shown)

    def tree(self, clock: Tick) -> Node:
        """See ``RegularSource``."""
        trees = [_located(part, clock) for part in self.parts]
        if self.operator == "|":
            return Alternation(trees)
        if self.operator == "+":
            return Concat(trees)
        states = self._max_states()
        languages = [
            tree.dfa
            if isinstance(tree, Machine)
            else from_node(tree, _shown(part), search=False, max_states=states, tick=clock)
            for tree, part in zip(trees, self.parts, strict=True)
        ]
        dfa = CharDfa.any_string().minus(languages[0], max_states=states) if self.operator == "~" else languages[0]
        for other in languages[1:]:
            clock()
            if self.operator == "&":
                dfa = dfa.intersect(other, max_states=states)
            else:
                dfa = dfa.minus(other, max_states=states)
        return Machine(dfa)


def _located(part: RegularSource, clock: Tick) -> Node:
    """The tree of an operand; if it is too large, the error says which one it is."""
    try:
        return part.tree(clock)
    except LimitExceeded as error:
        if error.limit == "deadline" or error.where is not None:
            raise
        where = _shown(part)
        raise LimitExceeded(error.message, limit=error.limit, value=error.value, where=where, hint=error.hint) from None


def _shown(source: RegularSource) -> str:
    """The source in a message."""
    text = repr(source)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _combined(operator: Literal["&", "|", "-", "+"], a: RegularSource, b: RegularSource) -> RegularSource:
    if not isinstance(b, RegularSource):
        return NotImplemented
    # Chains are kept flat: thousands of alternatives must not nest thousands deep.
    head = a.parts if isinstance(a, Combination) and a.operator == operator else (a,)
    tail = b.parts if isinstance(b, Combination) and b.operator == operator != "-" else (b,)
    return Combination(operator, (*head, *tail))


def _letters(flags: str | re.RegexFlag, dialect: Dialect) -> str:
    """Sorted letters of the flags."""
    if isinstance(flags, re.RegexFlag):
        if dialect != "python":
            raise InvalidSource("flags of the re module are for the python dialect", hint="write them as letters")
        return "".join(letter for letter, flag in _RE_FLAGS.items() if flags & flag)
    if not isinstance(flags, str):
        raise InvalidSource(f"flags are letters, not {type(flags).__name__}", hint="for example flags='im'")
    for letter in flags:
        if letter not in _FLAGS[dialect]:
            hint = _FLAG_HINTS.get(letter, f"the flags of the {dialect} dialect are {', '.join(_FLAGS[dialect])}")
            raise InvalidSource(f"the flag {letter!r} is not one of the {dialect} dialect", hint=hint)
    if ("u" in flags and "v" in flags) or ("a" in flags and "u" in flags):
        raise InvalidSource(f"flags={flags!r} says two things at once", hint="leave one of them out")
    return "".join(sorted(set(flags)))
