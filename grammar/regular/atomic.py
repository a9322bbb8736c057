"""Atomic groups and possessive quantifiers, where the order of matching can be said by look-ahead.

An atomic group stands for the first match that a backtracking matcher would find, and gives nothing back.  Which one that
is follows from the tree where the parts are *unambiguous*: no text of the part begins with another text of it, so at any place at
most one matches.  Then

* an unambiguous part is atomic already;
* ``(?>A|B)`` is ``(?>A)|(?!A)(?>B)``;
* ``(?>AB)`` is ``A(?>B)``, for an unambiguous A;
* ``(?>A{m,n})`` is ``A{n}|A{m,n-1}(?!A)``, and without an upper bound ``A{m,}(?!A)``; a lazy one is ``A{m}``.

What remains (``(?>a*ab|a)``) is refused.
"""

from __future__ import annotations

from .escapes import refuse
from .nodes import (
    Alternation,
    Anchor,
    Atomic,
    Concat,
    Look,
    Node,
    Repeat,
    Set,
    Tick,
    asserts,
    children,
    least_length,
    size,
    with_children,
)

MAX_PART = 5_000
"""Positions of a part whose texts are compared with each other."""


def without_atomic(node: Node, pattern: str, tick: Tick) -> Node:
    """The tree with every atomic group in terms of look-ahead.

    Raises:
        Unsupported: the first match cannot be told in this way.

    """
    parts = children(node)
    if parts:
        node = with_children(node, [without_atomic(part, pattern, tick) for part in parts])
    return _First(pattern, node.position, tick).of(node.body) if isinstance(node, Atomic) else node


class _First:
    """First matches inside of one atomic group."""

    def __init__(self, pattern: str, position: int, tick: Tick) -> None:
        self.pattern = pattern
        self.position = position
        self.tick = tick

    def of(self, node: Node) -> Node:
        if self.unambiguous(node):
            return node
        if isinstance(node, Alternation) and len(node.parts) > 1:
            # By halves: a look-ahead for each part before each part would be a quadratic number.
            middle = len(node.parts) // 2
            first, second = Alternation(node.parts[:middle]), Alternation(node.parts[middle:])
            return Alternation([self.of(first), Concat([self.not_ahead(first), self.of(second)])])
        if isinstance(node, Alternation):
            return self.of(node.parts[0])
        if isinstance(node, Concat):
            for i, part in enumerate(node.parts):
                if not self.unambiguous(part):
                    rest = node.parts[i:]
                    if i == 0 and len(rest) > 1:
                        return self.refused()
                    return Concat([*node.parts[:i], self.of(_concat(rest))])
        if isinstance(node, Repeat) and least_length(node.body) and self.unambiguous(node.body):
            return self.repeat(node)
        return self.refused()

    def repeat(self, node: Repeat) -> Node:
        body, least, most = node.body, node.least, node.most
        if node.lazy:
            return Repeat(body, least, least)
        if most is None:
            return Concat([Repeat(body, least, None), self.not_ahead(body)])
        if most == least:
            return Repeat(body, least, most)
        return Alternation([Repeat(body, most, most), Concat([Repeat(body, least, most - 1), self.not_ahead(body)])])

    def not_ahead(self, node: Node) -> Node:
        return Look(node, ahead=True, negated=True, position=self.position)

    def unambiguous(self, node: Node) -> bool:
        """Whether at most one text of the node can match at any place."""
        if isinstance(node, Set | Anchor | Look):
            return True
        if isinstance(node, Concat) and all(map(self.unambiguous, node.parts)):
            return True
        if asserts(node) or size(node) > MAX_PART:
            return False
        from .nfa import from_node  # noqa: PLC0415 - builds on this module

        dfa = from_node(node, self.pattern, search=False, max_states=MAX_PART, tick=self.tick)
        ends = dfa.accepting.nonzero()[0]
        return bool((dfa.first[ends] == dfa.first[ends + 1]).all())

    def refused(self) -> Node:
        raise refuse(
            "an atomic group or possessive quantifier whose first match cannot be told", self.pattern, self.position,
            hint="write it without '(?>' or the last '+': matching then may give back what it took",
        )  # fmt: skip


def _concat(parts: list[Node]) -> Node:
    return parts[0] if len(parts) == 1 else Concat(parts)
