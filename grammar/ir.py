"""The intermediate representation: named rules over byte-level automata.

Why automata and not expressions
--------------------------------
A front end describes each rule as one small nondeterministic automaton whose edges are labelled
with bytes, literals, or calls of other rules.  "Any subsequence of these members, in this order,
separated by commas" (a JSON object) takes a number of edges linear in the members that way and
a quadratic expression otherwise; and what the next floor needs is an automaton in the end.

Layout
------
A rule body is one flat ``array('q')`` of edges, seven integers each, and one ``bytearray`` that
holds the text of its literals, so that handing a rule to a kernel is two buffer copies:

====  =======  ==========================================================================
col   name     meaning
====  =======  ==========================================================================
0     source   state of this automaton, 0 is the start
1     kind     one of the ``KIND_*`` constants
2     a        RANGE: lowest byte.  LITERAL, NOT_LITERAL: offset in the blob.  CALL: rule id
3     b        RANGE: highest byte.  LITERAL, NOT_LITERAL: length.  CALL: 0
4     op       one of the ``OP_*`` constants, executed with the edge's first byte; of a CALL only
               that of a token terminal has one
5     arg      OP_SET: index of the (need, room) pair; else 0.  CALL: index of the pair that
               the callee starts with, or -1
6     target   state of this automaton
====  =======  ==========================================================================

Counters
--------
Each *activation* of a rule (each call) has one counter, a pair ``(need, room)``: how many more
items must come, how many more may come.  ``OP_SET`` loads it, ``OP_COUNT`` takes one item off
both (illegal at ``room == 0``), ``OP_TEST`` is legal at ``need == 0`` only.  A call may load its
callee's counter.  Counting down rather than up lets every bound share one automaton: a string of
at most 255 characters and one of at most 30 are the same states, and far from their bounds the
same masks.  ``UNBOUNDED`` stands for no upper bound.

A state may carry a *guard* ``(least, most)``: from here between ``least`` and ``most`` further
items can still come (every number in between being possible).  A configuration in that state is
dead unless ``need <= most`` and ``room >= least``; this is how a pattern and a length bound
together stay live without one state per length.

Registers
---------
``OP_KEY_OPEN``, ``OP_KEY_CLOSE``, ``OP_KEY_DROP`` drive the duplicate-key register of the
activation: from KEY_OPEN on, the bytes read are remembered; KEY_CLOSE adds them to the set of keys
seen and is illegal if they are in it; KEY_DROP forgets them (the key turned out to be a declared
one, which order alone keeps unique).  ``OP_TEXT_OPEN`` is KEY_OPEN where a key has several
spellings: what is remembered is the JSON string that they spell.

The same register tells the items of an array apart, as JSON values: ``ITEM_BEGIN`` and ``ITEM_END``
are added to the operation of the byte before an item and of the first byte behind it (both to a
comma's).  ITEM_END is illegal if the item's value is among those seen.  The value may be read by
other rules, registers of their own included.  ``VERIFY``, added likewise, says that what follows
the byte hangs on the keys seen, though none begins with it.  ``COUNT_MANY``, added likewise, takes as many items off as the room of
the (need, room) pair at ``arg``; only scanners use it, to count columns.

``EXTRA`` edge: source --[any string body that is not one of the NOT_LITERAL edges beside it]-->
target.  ``a`` is the string-body rule (the body and its closing quote).  ``NOT_LITERAL`` edges
leave the same state and hold the texts, closing quote included, that EXTRA must not match; LITERAL
edges beside them that are *wanted* must be listed as NOT_LITERAL as well.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NewType

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from .packed import PackedDfa
    from .parsing import Parser
    from .terminals import Name, TokenTerminal

RuleId = NewType("RuleId", int)
"""A rule of one ``Grammar``."""

StateIndex = NewType("StateIndex", int)
"""A state of one ``Automaton``."""

KIND_EPSILON = 0
KIND_RANGE = 1
KIND_LITERAL = 2
KIND_CALL = 3
KIND_NOT_LITERAL = 4
KIND_EXTRA = 5

OP_NONE = 0
OP_COUNT = 1
OP_SET = 2
OP_TEST = 3
OP_KEY_OPEN = 4
OP_KEY_CLOSE = 5
OP_KEY_DROP = 6
OP_TEXT_OPEN = 7

ITEM_BEGIN = 8
ITEM_END = 16
VERIFY = 32
COUNT_MANY = 64
OPERATION = 7
"""The operation alone, without what is added to it."""

EDGE_WIDTH = 7

UNBOUNDED = 1 << 40
"""No upper bound.  Larger than any text, small enough that sums of it stay in an int64."""

START = StateIndex(0)


@dataclass(frozen=True, slots=True)
class ByteAutomaton:
    """A nondeterministic automaton over bytes, as flat arrays, to be embedded between two states.

    Attributes:
        n: number of states; state 0 is the start.
        source, low, high, target: int64[m], one byte-range edge each.
        accepting: bool[n].
        counts: bool[m] or None; True where reading the edge's byte counts one item (``OP_COUNT``).
        least, most: int64[n] or None; the guard of each state (see the module's text).

    """

    n: int
    source: npt.NDArray[np.int64]
    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    accepting: npt.NDArray[np.bool_]
    counts: npt.NDArray[np.bool_] | None = None
    least: npt.NDArray[np.int64] | None = None
    most: npt.NDArray[np.int64] | None = None


class Automaton:
    """One rule's body while it is being built.  State 0 is the start; it exists from the beginning.

    With ``outline_of`` the texts are those of a packed automaton, a parser or a token terminal, and the edges are an outline of it: one byte that stands
    for every text but the empty one, which is all that passes over rules need to know.
    ``outermost`` says that nothing is read after the rule: no other rule calls it, or only where the outermost one ends at once.  So where it
    may end and go on, as free text may everywhere, no token can run over its end, and none needs to be looked at twice.
    """

    __slots__ = (
        "accepting",
        "accepting_if_no_need",
        "blob",
        "edges",
        "guards",
        "n",
        "outermost",
        "outline_of",
        "pairs",
    )

    def __init__(self) -> None:
        """Make an automaton with a start state and nothing else."""
        self.n = 1
        self.edges = array("q")
        self.blob = bytearray()
        self.pairs: list[tuple[int, int]] = []
        self.accepting: list[int] = []
        self.accepting_if_no_need: list[int] = []
        self.guards: list[tuple[int, int, int]] = []
        self.outline_of: PackedDfa | Parser | TokenTerminal | None = None
        self.outermost = False

    def state(self) -> StateIndex:
        """Add a state."""
        s = self.n
        self.n = s + 1
        return StateIndex(s)

    def pair(self, need: int, room: int) -> int:
        """Index of a counter pair, for ``OP_SET`` and for calls."""
        self.pairs.append((need, room))
        return len(self.pairs) - 1

    def epsilon(self, source: StateIndex, target: StateIndex) -> None:
        """Go from source to target without reading."""
        self.edges.extend((source, KIND_EPSILON, 0, 0, 0, 0, target))

    def byte_range(
        self, source: StateIndex, low: int, high: int, target: StateIndex, op: int = OP_NONE, arg: int = 0
    ) -> None:
        """Read one byte in ``low..high``."""
        self.edges.extend((source, KIND_RANGE, low, high, op, arg, target))

    def literal(self, source: StateIndex, text: bytes, target: StateIndex, op: int = OP_NONE, arg: int = 0) -> None:
        """Read exactly ``text`` (not empty); ``op`` is executed with its first byte."""
        self.edges.extend((source, KIND_LITERAL, len(self.blob), len(text), op, arg, target))
        self.blob += text

    def call(
        self,
        source: StateIndex,
        rule: RuleId,
        target: StateIndex,
        counter: tuple[int, int] | None = None,
        op: int = OP_NONE,
    ) -> None:
        """Read a text of ``rule``; ``counter`` is the (need, room) pair that the callee starts with, ``op`` for token terminals only."""
        arg = -1 if counter is None else self.pair(*counter)
        self.edges.extend((source, KIND_CALL, rule, 0, op, arg, target))

    def extra(self, source: StateIndex, body: RuleId, but_not: Iterable[bytes], target: StateIndex) -> None:
        """Read a text of the string-body rule that is none of ``but_not``; see the module's text.

        ``source`` must be entered by a single ``"`` edge carrying ``OP_KEY_OPEN``.
        """
        for text in but_not:
            self.edges.extend((source, KIND_NOT_LITERAL, len(self.blob), len(text), 0, 0, target))
            self.blob += text
        self.edges.extend((source, KIND_EXTRA, body, 0, 0, 0, target))

    def moved(self, rules: int) -> Automaton:
        """A copy that calls rules of numbers ``rules`` higher, for another grammar; what no call changes is shared."""
        copy = Automaton()
        copy.n = self.n
        block = np.array(self.edges, np.int64).reshape(-1, EDGE_WIDTH)
        block[(block[:, 1] == KIND_CALL) | (block[:, 1] == KIND_EXTRA), 2] += rules
        copy.edges = array("q", block.tobytes())
        copy.blob = self.blob
        copy.pairs = self.pairs
        copy.accepting = self.accepting
        copy.accepting_if_no_need = self.accepting_if_no_need
        copy.guards = self.guards
        copy.outline_of = self.outline_of
        return copy

    def accept(self, state: StateIndex) -> None:
        """The rule may end in this state."""
        self.accepting.append(state)

    def accept_if_no_need(self, state: StateIndex) -> None:
        """The rule may end in this state if the counter's ``need`` is 0."""
        self.accepting_if_no_need.append(state)

    def embed(self, source: StateIndex, part: ByteAutomaton, target: StateIndex) -> None:
        """Read a text of ``part`` between source and target."""
        base = self.n
        self.n = base + part.n
        self.epsilon(source, StateIndex(base))
        block = np.zeros((len(part.source), EDGE_WIDTH), np.int64)
        block[:, 0] = part.source + base
        block[:, 1] = KIND_RANGE
        block[:, 2] = part.low
        block[:, 3] = part.high
        if part.counts is not None:
            block[:, 4] = np.where(part.counts, OP_COUNT, OP_NONE)
        block[:, 6] = part.target + base
        self.edges.frombytes(block.tobytes())
        for q in np.flatnonzero(part.accepting):
            self.epsilon(StateIndex(base + int(q)), target)
        if part.least is not None and part.most is not None:
            # Every state gets one, trivial ones too: a state without a guard says nothing, one with (0, UNBOUNDED) says
            # that anything is possible, and a determinised set unites what its members say.
            self.guards.extend(zip(range(base, base + part.n), part.least.tolist(), part.most.tolist(), strict=True))


@dataclass(slots=True)
class Rule:
    """A rule: a body, and where it came from.

    Attributes:
        key: a hashable value that alone determines the rule's language, or None.  Rules of equal
            keys are shared between all grammars of a vocabulary even where they are recursive.
        origin: the place in the user's text, for reports and explanations only.

    """

    body: Automaton | None
    key: Hashable | None
    origin: str | None


@dataclass(slots=True)
class Grammar:
    """A set of rules and the one that texts are made of.

    Attributes:
        rules: the rules by number.
        start: the one that texts are made of.
        never_text: tokens that no rule reads as text, by id or by name, each with the place that says so: see ``terminals``.

    """

    rules: list[Rule] = field(default_factory=list)
    start: RuleId = RuleId(0)
    never_text: dict[Name, str | None] = field(default_factory=dict)

    def rule(self, *, key: Hashable | None = None, origin: str | None = None) -> RuleId:
        """Add a rule whose body is given later by ``define``."""
        self.rules.append(Rule(None, key, origin))
        return RuleId(len(self.rules) - 1)

    def define(self, rule: RuleId, body: Automaton) -> None:
        """Give a rule its body."""
        self.rules[rule].body = body

    def include(self, other: Grammar) -> RuleId:
        """Add the rules of another grammar, which is not changed, and return its start rule's number here."""
        base = len(self.rules)
        for rule in other.rules:
            self.rules.append(Rule(None if rule.body is None else rule.body.moved(base), rule.key, rule.origin))
        self.never_text.update(other.never_text)
        return RuleId(base + other.start)
