"""Back-references and conditionals, where they are regular: by cases.

A pattern in which group 1 can have matched ``a`` or ``b`` only is the union of three patterns: one in which it matched
``a``, one in which it matched ``b``, one in which it took no part.  In each of them a reference to it is a fixed text
(where it took no part: nothing that matches, or the empty text in ECMA-262), and a conditional is one of its
branches.  In the case of ``a`` only those paths are kept that go through the group; that is what ``_through`` does.

Cases are made at the innermost repetition around the group, and so hold for one iteration.  That is exact if every
reference lies in the same iteration and, where groups keep their texts from one iteration to the next (everywhere but in
ECMA-262), if none of them can be reached without passing the group.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from . import charset
from .atomic import without_atomic
from .dfa import Dialect
from .escapes import refuse
from .nodes import (
    Alternation,
    Atomic,
    Concat,
    Conditional,
    Group,
    Look,
    Node,
    Reference,
    Repeat,
    Set,
    Tick,
    asserts,
    children,
    size,
    walk,
    with_children,
)

MAX_CASES: Final = 64
"""Texts of one group that is referred to."""

MAX_MADE: Final = 1000
"""Cases of all groups, of those that stand in each other's cases too."""

MAX_CAPTURE: Final = 10_000
"""Positions of a group that is referred to: beyond them its texts are not looked for."""

_HINT: Final = "no finite automaton can express it; write the cases out, or use a grammar"

NOTHING: Final = Alternation([])
"""Matches no text."""


class Expansion:
    """Rewrites one pattern.

    Attributes:
        cases: number of cases of each group that was expanded.

    """

    def __init__(self, pattern: str, dialect: Dialect, tick: Tick) -> None:
        """Take the pattern for messages; ``tick`` is called for each case."""
        self.pattern = pattern
        self.dialect = dialect
        self.tick = tick
        self.cases: dict[int, int] = {}
        self.made = 0

    def expand(self, node: Node) -> Node:
        """The tree without groups, references and conditionals.

        Raises:
            Unsupported: a reference hangs on more than a finite number of cases, or on the order of matching.

        """
        uses = [part for part in walk(node) if isinstance(part, Reference | Conditional)]
        for number in {use.number for use in uses}:
            self._check(node, number, [use for use in uses if use.number == number])
        return self._scope(node)

    def _check(self, root: Node, number: int, uses: list[Reference | Conditional]) -> None:
        """Refuse references that the cases of one iteration do not tell everything about."""
        if not _holds(root, number):
            return
        path = _path(root, number)
        scope = path[0]
        for part, below in pairwise(path):
            if isinstance(part, Atomic):
                self._refuse(uses[0], "to a group inside of an atomic group or a possessive quantifier")
            if isinstance(part, Look) and not part.ahead and self.dialect == "ecma":
                self._refuse(uses[0], "to a group inside of a look-behind, which is matched backwards,")
            if _is_barrier(part):
                scope = below
        inside = {id(part) for part in walk(scope)}
        for use in uses:
            if id(use) not in inside:
                self._refuse(use, "from outside of the repetition or look-around that the group stands in")
            if scope is not root and self.dialect != "ecma" and not _passes(scope, number, use):
                self._refuse(use, "to what the group may have matched in an earlier iteration")

    def _scope(self, node: Node) -> Node:
        """Expand the groups of one scope, then what it holds."""
        wanted = {part.number for part in walk(node) if isinstance(part, Reference | Conditional)}
        for group in _own_groups(node):
            if group.number in wanted:
                return Alternation([self._scope(case) for case in self._by_cases(node, group)])
        return self._below(node)

    def _below(self, node: Node) -> Node:
        if isinstance(node, Group):
            return self._below(node.body)
        if isinstance(node, Reference):  # its group is on none of the paths of this case
            return self._unset()
        if isinstance(node, Conditional):
            return self._below(node.no)
        below = self._scope if _is_barrier(node) else self._below
        parts = children(node)
        return with_children(node, [below(part) for part in parts]) if parts else node

    def _by_cases(self, scope: Node, group: Group) -> list[Node]:
        number = group.number
        through = _through(scope, number)
        missed = self._in_case(_around(scope, number), group, None)
        uses = [p for p in walk(scope) if isinstance(p, Reference) and p.number == number]
        if not uses:
            self.cases[number] = 2
            return [self._in_case(_replaced(through, group, group.body), group, ""), missed]
        values = self._values(group, uses[0])
        self.cases[number] = len(values)
        self.made += len(values)
        if self.made > MAX_MADE:
            self._refuse(uses[0], f"to a group where all cases together are more than {MAX_MADE}")
        out = []
        for text in values:
            self.tick()
            chosen = _replaced(through, group, Concat([_character(c) for c in text]))
            out.append(self._in_case(chosen, group, text))
        return [*out, missed]

    def _in_case(self, node: Node, group: Group, text: str | None) -> Node:
        """Put the text in place of references to a group; ``None``: it took no part."""
        if isinstance(node, Reference | Conditional) and node.number == group.number:
            if node.position < group.end:
                text = None  # it had not ended yet
            if isinstance(node, Conditional):
                return self._in_case(node.no if text is None else node.yes, group, text)
            if text is None:
                return self._unset()
            return Concat([_character(c, self.dialect if node.folds else None) for c in text])
        return with_children(node, [self._in_case(part, group, text) for part in children(node)])

    def _unset(self) -> Node:
        """What a reference to a group that took no part matches."""
        return Concat([]) if self.dialect == "ecma" else NOTHING

    def _values(self, group: Group, use: Reference) -> list[str]:
        from .nfa import from_node  # noqa: PLC0415 - builds on this module

        body = without_atomic(self._scope(group.body), self.pattern, self.tick)
        if asserts(body):
            self._refuse(use, "to a group that holds an anchor or look-around")
        if any(isinstance(p, Repeat) and p.most is None for p in walk(body)) or size(body) > MAX_CAPTURE:
            self._refuse(use, "to a group of infinitely many texts, or of very long ones")
        language = from_node(body, self.pattern, search=False, max_states=MAX_CAPTURE, tick=self.tick)
        values = list(language.strings(MAX_CASES + 1))
        if len(values) > MAX_CASES:
            self._refuse(use, f"to a group of more than {MAX_CASES} texts")
        return values

    def _refuse(self, use: Reference | Conditional, reason: str) -> None:
        what = "a back-reference" if isinstance(use, Reference) else "a conditional"
        raise refuse(f"{what} {reason}", self.pattern, use.position, hint=_HINT)


def _is_barrier(node: Node) -> bool:
    """Whether what is below a node is another scope: matched many times, or at another place."""
    return isinstance(node, Look) or (isinstance(node, Repeat) and node.most != 1)


def _own_groups(node: Node) -> list[Group]:
    """Groups of a scope outside of deeper ones, those that end first before the others."""
    out = [] if _is_barrier(node) else [group for part in children(node) for group in _own_groups(part)]
    return [*out, node] if isinstance(node, Group) else out


def _character(x: str, folds: Dialect | None = None) -> Node:
    ranges = charset.normalise(((ord(x), ord(x)),))
    return Set(ranges if folds is None else charset.fold_case(ranges, folds))


def _holds(node: Node, number: int) -> bool:
    return any(isinstance(part, Group) and part.number == number for part in walk(node))


def _path(node: Node, number: int) -> list[Node]:
    """The nodes from here down to a group."""
    path = [node]
    while not (isinstance(node, Group) and node.number == number):
        node = next(part for part in children(node) if _holds(part, number))
        path.append(node)
    return path


def _replaced(node: Node, old: Node, new: Node) -> Node:
    """The tree with one of its nodes replaced by another one."""
    if node is old:
        return new
    parts = children(node)
    return with_children(node, [_replaced(part, old, new) for part in parts]) if parts else node


def _through(node: Node, number: int) -> Node:
    """The paths of a node that go through a group; nothing inside of it is changed."""
    if isinstance(node, Group) and node.number == number:
        return node
    if isinstance(node, Alternation):
        return _through(next(part for part in node.parts if _holds(part, number)), number)
    if isinstance(node, Repeat):
        return _through(node.body, number)  # it is optional: what repeats bounds the scope
    if isinstance(node, Conditional):
        yes = _through(node.yes, number) if _holds(node.yes, number) else NOTHING
        no = _through(node.no, number) if _holds(node.no, number) else NOTHING
        return Conditional(node.number, yes, no, node.position)
    return with_children(node, [_through(p, number) if _holds(p, number) else p for p in children(node)])


def _around(node: Node, number: int) -> Node:
    """The paths of a node that do not go through a group."""
    if isinstance(node, Group) and node.number == number:
        return NOTHING
    if isinstance(node, Repeat) and _holds(node, number):
        return Repeat(_around(node.body, number), node.least, node.most)  # at most once
    return with_children(node, [_around(p, number) if _holds(p, number) else p for p in children(node)])


def _passes(node: Node, number: int, use: Node) -> bool:
    """Whether every way to a use goes through the group before."""
    if not isinstance(node, Concat):
        here = [part for part in children(node) if any(p is use for p in walk(part))]
        return len(here) == 1 and _passes(here[0], number, use)
    for part in node.parts:
        if any(p is use for p in walk(part)):
            return _passes(part, number, use)
        if _holds(part, number) and not _avoidable(part, number):
            return True
    return False


def _avoidable(node: Node, number: int) -> bool:
    """Whether some way through a node that holds a group does not go through the group."""
    if isinstance(node, Group) and node.number == number:
        return False
    if isinstance(node, Alternation | Conditional):
        return True
    if isinstance(node, Repeat) and node.least == 0:
        return True
    return all(_avoidable(part, number) for part in children(node) if _holds(part, number))
