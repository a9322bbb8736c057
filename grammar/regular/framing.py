"""What stands around a pattern: where a match may begin and end, as parts of the pattern itself.

``^`` at the beginning of a pattern that is matched from end to end says nothing, and a search is a match with anything
around it.  Said in this way, most patterns with anchors are patterns without.
"""

from __future__ import annotations

from .dfa import SCALARS
from .nodes import Alternation, Anchor, Concat, Look, Node, Repeat, Set

ANYTHING = Repeat(Set(SCALARS), 0, None)


def framed(node: Node, *, search: bool) -> Node:
    """The node whose texts, from end to end, are those in which a pattern matches (somewhere, if ``search``).

    Anchors at its ends are gone where they can be; others, and look-around, still see the text that they stand in.
    """
    if isinstance(node, Alternation):
        return Alternation([framed(part, search=search) for part in node.parts])
    parts = _flat(node)
    begins = ends = not search
    while parts and (_is_anchor(parts[0], begin=True) or (begins and _may_be_anchor(parts[0], begin=True))):
        begins = True
        parts = parts[1:]
    while parts:
        if _is_anchor(parts[-1], begin=False) or (ends and _may_be_anchor(parts[-1], begin=False)):
            parts = parts[:-1]
        elif not ends and (newline := _last_newline(parts[-1])) is not None:
            parts = [*parts[:-1], Repeat(newline, 0, 1)]
        else:
            break
        ends = True
    # Beside anything, a repetition only asks for the copies that must be there.
    if not begins:
        if parts and isinstance(parts[0], Repeat):
            parts = [_least(parts[0]), *parts[1:]]
        parts = [ANYTHING, *parts]
    if not ends:
        if len(parts) > 1 and isinstance(parts[-1], Repeat):
            parts = [*parts[:-1], _least(parts[-1])]
        parts = [*parts, ANYTHING]
    return Concat(parts)


def _flat(node: Node) -> list[Node]:
    if not isinstance(node, Concat):
        return [node]
    return [inner for part in node.parts for inner in (_flat(part) if isinstance(part, Concat) else [part])]


def _least(node: Repeat) -> Node:
    return Repeat(node.body, node.least, node.least)


def _is_anchor(node: Node, *, begin: bool) -> bool:
    return isinstance(node, Anchor) and node.begin == begin


def _may_be_anchor(node: Node, *, begin: bool) -> bool:
    """Whether a node that reads nothing is open where an anchor is: ``$``, and ``^`` with the m flag."""
    return isinstance(node, Alternation) and any(_is_anchor(part, begin=begin) for part in node.parts) and all(
        isinstance(part, Anchor | Look) for part in node.parts
    )  # fmt: skip


def _last_newline(node: Node) -> Node | None:
    """The newline that the python dialect's ``$`` may have behind it."""
    if not isinstance(node, Alternation) or len(node.parts) != 2 or not _is_anchor(node.parts[0], begin=False):
        return None
    look = node.parts[1]
    if not isinstance(look, Look) or not look.ahead or look.negated or not isinstance(look.body, Concat):
        return None
    last = look.body.parts
    return last[0] if len(last) == 2 and isinstance(last[0], Set) and _is_anchor(last[1], begin=False) else None
