"""The parts of a grammar as every dialect means them: what the parser makes and the lowering reads.

Nodes are compared by identity: equal parts in two places are two nodes, with a place each.  They may be nested
as deep as the text is, so whatever walks them keeps a stack of its own instead of calling itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..regular.dfa import CharDfa, Ranges


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A part of a rule.

    Attributes:
        at: offset of its first character in the grammar's text.

    """

    at: int


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Node):
    """Exactly these characters; possibly none."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class CharSet(Node):
    """One character of a set."""

    ranges: Ranges


@dataclass(frozen=True, slots=True, eq=False)
class Pattern(Node):
    """A text that an automaton accepts: the match of a regular expression, or the rest of an exception."""

    dfa: CharDfa


@dataclass(frozen=True, slots=True, eq=False)
class Reference(Node):
    """A text of another rule."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Sequence(Node):
    """One after another; the empty text if there are none."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Choice(Node):
    """One of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Repeat(Node):
    """``least`` to ``most`` (``None``: any number of) texts of the body, one after another."""

    body: Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Difference(Node):
    """A text of ``left`` that is none of ``right``."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True, eq=False)
class TokenSet(Node):
    """One token of the vocabulary, named by number or by text; with ``negated``, any token but these.

    A token's text is written with its angle brackets, as in llama.cpp: ``<think>`` names the token whose whole text is
    ``<think>``, be it a special token or an ordinary one.
    """

    ids: tuple[int, ...]
    texts: tuple[str, ...]
    negated: bool


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A rule: its name, its body, and where the name stands."""

    name: str
    body: Node
    at: int


@dataclass(frozen=True, slots=True, eq=False)
class Remark:
    """Something in the text that asserts nothing, for the report."""

    at: int
    what: str
    reason: str


@dataclass(slots=True, eq=False)
class Rules:
    """A parsed grammar: the rules by name in the order of the text, and what was left aside."""

    definitions: dict[str, Definition] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)


def below(node: Node) -> tuple[Node, ...]:
    """The nodes right below a node, in reading order."""
    if isinstance(node, Sequence | Choice):
        return node.parts
    if isinstance(node, Repeat):
        return (node.body,)
    return (node.left, node.right) if isinstance(node, Difference) else ()


def walk(root: Node) -> Iterator[Node]:
    """The node and all nodes below it, each before what is below it, in reading order."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(below(node)))


def bottom_up(root: Node) -> list[Node]:
    """The node and all nodes below it, each after what is below it."""
    order: list[Node] = []
    stack = [root]
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(below(node))
    order.reverse()
    return order
