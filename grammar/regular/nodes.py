"""The tree of a regular expression, and walks over it.

``syntax`` makes trees of every kind of node.  ``references`` and ``atomic`` rewrite what captures, refers or depends on the
order of matching, so that the automata are made of the other kinds alone (``Plain``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .dfa import CharDfa, Ranges

Tick = Callable[[], None]
"""Called in every long loop; raises ``LimitExceeded`` past a deadline."""


def no_tick() -> None:
    """There is no deadline."""


@dataclass(slots=True)
class Set:
    """One character of a set."""

    ranges: Ranges


@dataclass(slots=True)
class Concat:
    """One part after another."""

    parts: list[Node]


@dataclass(slots=True)
class Alternation:
    """One of the parts, the first ones preferred."""

    parts: list[Node]


@dataclass(slots=True)
class Repeat:
    """``least`` to ``most`` (``None``: any number of) copies of a node.

    A ``lazy`` one prefers few copies, which matters inside of an atomic group only.
    """

    body: Node
    least: int
    most: int | None
    lazy: bool = False
    position: int = 0


@dataclass(slots=True)
class Anchor:
    """Start (``begin``) or end of the text."""

    begin: bool


@dataclass(slots=True)
class Look:
    """A text of ``body`` must (not) follow (``ahead``) or precede here."""

    body: Node
    ahead: bool
    negated: bool
    position: int


@dataclass(slots=True)
class Machine:
    """A text of an automaton."""

    dfa: CharDfa


@dataclass(slots=True)
class Group:
    """A capturing group, in a pattern that refers to groups; the first one has number 1, and ``end`` is behind it."""

    body: Node
    number: int
    end: int


@dataclass(slots=True)
class Reference:
    """The text that a group matched last; ``folds``: without regard to case."""

    number: int
    folds: bool
    position: int


@dataclass(slots=True)
class Conditional:
    """``yes`` where a group has matched, else ``no``."""

    number: int
    yes: Node
    no: Node
    position: int


@dataclass(slots=True)
class Atomic:
    """The first match of ``body`` in the order of a backtracking matcher, never another one."""

    body: Node
    position: int


Plain = Set | Concat | Alternation | Repeat | Anchor | Look | Machine
Node = Plain | Group | Reference | Conditional | Atomic


def children(node: Node) -> list[Node]:
    """The nodes right below a node, in the order of the pattern."""
    if isinstance(node, Concat | Alternation):
        return node.parts
    if isinstance(node, Repeat | Look | Group | Atomic):
        return [node.body]
    return [node.yes, node.no] if isinstance(node, Conditional) else []


def with_children(node: Node, parts: list[Node]) -> Node:
    """The same node over other children."""
    if isinstance(node, Concat | Alternation):
        return type(node)(parts)
    if isinstance(node, Repeat):
        return Repeat(parts[0], node.least, node.most, node.lazy, node.position)
    if isinstance(node, Look):
        return Look(parts[0], node.ahead, node.negated, node.position)
    if isinstance(node, Group):
        return Group(parts[0], node.number, node.end)
    if isinstance(node, Atomic):
        return Atomic(parts[0], node.position)
    return Conditional(node.number, parts[0], parts[1], node.position) if isinstance(node, Conditional) else node


def walk(node: Node) -> list[Node]:
    """The node and everything below it."""
    out = [node]
    for part in out:
        out.extend(children(part))
    return out


def size(node: Node) -> int:
    """Positions of a node once its repetitions are unrolled; an upper bound on the work of building it."""
    if isinstance(node, Concat | Alternation):
        return 1 + sum(map(size, node.parts))
    if isinstance(node, Repeat):
        return 1 + size(node.body) * max(node.most if node.most is not None else node.least + 1, 1)
    if isinstance(node, Machine):
        return node.dfa.n
    return 1 + sum(map(size, children(node)))


def has_look(node: Node) -> bool:
    """Whether a node asserts more about its surroundings than where the text starts and ends."""
    return any(isinstance(part, Look) for part in walk(node))


def asserts(node: Node) -> bool:
    """Whether what a node matches hangs on its surroundings."""
    return any(isinstance(part, Look | Anchor) for part in walk(node))


def least_length(node: Node) -> int:
    """A lower bound on the characters that a node reads; 0 if it may read none."""
    if isinstance(node, Set):
        return 1
    if isinstance(node, Alternation):
        return min(map(least_length, node.parts), default=0)
    if isinstance(node, Repeat):
        return node.least * least_length(node.body)
    if isinstance(node, Machine):
        return int(node.dfa.length_profile().least[0])
    return sum(map(least_length, children(node))) if isinstance(node, Concat | Group | Atomic) else 0
