r"""Counted repetition, ``x{m,n}``: where in the text of an x its item can be counted.

The counter of the intermediate representation counts *bytes that are marked*, so each text of x must have exactly one
marked byte.  Such a *cut* of x is a set of terminals of which every text passes exactly one: the first byte of
``","  value``, the comma of ``value ","``.  With U before the cut c and V behind it,

    x{m,n}  =  U  c V  (U c V){m-1,n-1}   =   (U c+ V)*  U c0 V

where ``c+`` counts an item (and so promises another one behind it) and ``c0`` asks whether enough were counted.  A
promise is made only where there is room for it, so no prefix is ever dead.  Where U is empty, counting at c itself is as
good, and needs no guess whether an item is the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from .facts import Facts
from .nodes import CharSet, Choice, Definition, Literal, Node, Pattern, Reference, Repeat, Sequence, TokenSet

MAX_DEPTH: Final = 60
"""Nodes below nodes that the search for a cut goes down; it calls itself."""

MAX_CALLS: Final = 40
"""Calls that may be written out to find one."""


@dataclass(frozen=True, slots=True, eq=False)
class Marked(Node):
    """A terminal whose first byte is the item's, or which is a token that is."""

    terminal: Node


@dataclass(frozen=True, slots=True)
class Cut:
    """A part with its marked terminals.

    Attributes:
        node: the part, calls on the way to the cut written out.
        leading: every text begins with its marked byte.

    """

    node: Node
    leading: bool


class Cuts:
    """Finds cuts; what was written out in all is limited."""

    def __init__(self, definitions: Mapping[str, Definition], facts: Facts) -> None:
        """Start with no call written out."""
        self.definitions = definitions
        self.facts = facts
        self.calls = 0

    def find(self, node: Node, inside: frozenset[str] = frozenset(), depth: int = 0) -> Cut | None:
        """A cut of a part that is not nullable, or ``None`` if this search does not find one."""
        if depth > MAX_DEPTH:
            return None
        if isinstance(node, CharSet | TokenSet) or (isinstance(node, Literal) and node.text):
            return Cut(Marked(node.at, node), leading=True)
        if isinstance(node, Pattern):
            return None if node.dfa.accepting[0] else Cut(Marked(node.at, node), leading=True)
        if isinstance(node, Sequence):
            return self.of_sequence(node, inside, depth)
        if isinstance(node, Choice):
            cuts = [self.find(part, inside, depth + 1) for part in node.parts]
            found = [cut for cut in cuts if cut is not None]
            if len(found) < len(cuts):
                return None
            return Cut(replace(node, parts=tuple(c.node for c in found)), all(c.leading for c in found))
        if isinstance(node, Repeat) and node.least > 0:
            cut = self.find(node.body, inside, depth + 1)
            if cut is None:
                return None
            rest = Repeat(node.at, node.body, node.least - 1, None if node.most is None else node.most - 1)
            return Cut(Sequence(node.at, (cut.node, rest)), cut.leading)
        if isinstance(node, Reference) and node.name not in inside and self.calls < MAX_CALLS:
            self.calls += 1
            return self.find(self.definitions[node.name].body, inside | {node.name}, depth + 1)
        return None

    def of_sequence(self, node: Sequence, inside: frozenset[str], depth: int) -> Cut | None:
        """The first part with a cut, better one at the very beginning."""
        for i, part in enumerate(node.parts):
            if not self.facts.is_nullable(part):
                cut = self.find(part, inside, depth + 1)
                if cut is not None:
                    parts = (*node.parts[:i], cut.node, *node.parts[i + 1 :])
                    return Cut(replace(node, parts=parts), leading=cut.leading and i == 0)
        return None


def simplified(node: Repeat, facts: Facts) -> Repeat:
    """The same texts, with a body that is not nullable where that is easily had.

    ``(x?){m,n}`` is ``x{0,n}``, ``(x*){m,n}`` is ``x*``, ``(x+){m,n}`` is ``x{m,}`` (n > 0); and of any other body that is nullable,
    fewer than m texts are m texts as well.
    """
    while node.most != 0 and isinstance(body := node.body, Repeat) and not facts.is_nullable(body.body):
        if (body.least, body.most) == (0, 1):
            node = Repeat(node.at, body.body, 0, node.most)
        elif body.most is None and body.least <= 1:
            node = Repeat(node.at, body.body, node.least * body.least, None)
        else:
            break
    if node.least and facts.is_nullable(node.body):
        node = replace(node, least=0)
    return node
