"""What is known of a grammar's rules before they are lowered: what is missing, empty, recursive, small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from ..errors import InvalidSource
from ..leftcorner import components
from .nodes import (
    CharSet,
    Choice,
    Definition,
    Difference,
    Literal,
    Node,
    Pattern,
    Reference,
    Repeat,
    Sequence,
    below,
    walk,
)
from .text import GrammarText, nearest

Property = Callable[[Node, Mapping[Node, bool], set[str]], bool]
"""A property of a node that hangs on the same property of the nodes below it and of the rules that it calls."""


def check_references(definitions: Mapping[str, Definition], start: str, source: GrammarText) -> None:
    """Refuse a grammar that calls, or starts with, a rule that it does not have.

    Raises:
        InvalidSource: with the first such place, and the name that was probably meant.

    """
    if start not in definitions:
        meant = nearest(start, definitions)
        names = ", ".join(list(definitions)[:5]) + (", ..." if len(definitions) > 5 else "")
        hint = f"did you mean {meant!r}? " if meant else ""
        raise InvalidSource(
            f"the grammar has no rule {start!r}, with which texts are to start",
            where=source.name,
            hint=f"{hint}Choose one by start=...; there are {names}",
        )
    for definition in definitions.values():
        for node in walk(definition.body):
            if isinstance(node, Reference) and node.name not in definitions:
                meant = nearest(node.name, definitions)
                length = len(node.name) if source.text.startswith(node.name, node.at) else 1
                source.invalid(
                    f"the rule {node.name!r} is not defined",
                    node.at,
                    f"did you mean {meant!r}?" if meant else "define it, or quote it if it is text",
                    length,
                )


def references(definition: Definition) -> set[str]:
    """Rules that a rule calls."""
    return {node.name for node in walk(definition.body) if isinstance(node, Reference)}


def reachable(definitions: Mapping[str, Definition], start: str) -> list[str]:
    """The rules that a text of ``start`` may need, each once, callers before callees."""
    found = {start: None}
    work = [start]
    for name in work:
        for other in sorted(references(definitions[name]) - found.keys(), key=lambda n: definitions[n].at):
            found[other] = None
            work.append(other)
    return list(found)


class Facts:
    """Facts about the rules that a start rule needs; each is found when it is first asked for.

    Attributes:
        definitions: the rules by name.

    """

    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        """Take the rules; every rule that is called must be among them."""
        self.definitions = definitions
        self._known_nullable: dict[Node, bool] = {}
        self._known_productive: dict[Node, bool] = {}

    def _least_fixpoint(self, holds: Property) -> set[str]:
        """The least set of names whose bodies have a property that depends on the same property of the rules called.

        Components are settled one after the other, callees first: so a property may hang on what the rules of an
        *earlier* component lack, too.
        """
        found: set[str] = set()
        for names in self.components:
            grown = -1
            while grown != len(found):
                grown = len(found)
                for name in names:
                    if name not in found and evaluate(self.definitions[name].body, holds, found, {}):
                        found.add(name)
        return found

    @cached_property
    def nullable(self) -> set[str]:
        """Rules that have the empty text."""
        return self._least_fixpoint(_nullable)

    @cached_property
    def productive(self) -> set[str]:
        """Rules that have a text at all; a difference counts as if it had one, so resolve those first."""
        return self._least_fixpoint(_productive)

    def is_nullable(self, node: Node) -> bool:
        """Whether a part has the empty text."""
        return evaluate(node, _nullable, self.nullable, self._known_nullable)

    def is_productive(self, node: Node) -> bool:
        """Whether a part has a text."""
        return evaluate(node, _productive, self.productive, self._known_productive)

    @cached_property
    def components(self) -> list[list[str]]:
        """The strongly connected components of "calls", callees first."""
        return components({name: sorted(references(d)) for name, d in self.definitions.items()})

    @cached_property
    def component(self) -> dict[str, int]:
        """The number of each rule's component."""
        return {name: i for i, names in enumerate(self.components) for name in names}

    @cached_property
    def recursive(self) -> set[str]:
        """Rules that call themselves, however indirectly."""
        return {
            name
            for names in self.components
            for name in names
            if len(names) > 1 or name in references(self.definitions[name])
        }


def evaluate(root: Node, holds: Property, names: set[str], known: dict[Node, bool]) -> bool:
    """A property of a part, where exactly the rules ``names`` have it; ``known`` remembers that of all parts below."""
    stack = [root]
    while stack:
        node = stack[-1]
        missing = [part for part in below(node) if part not in known]
        if missing and node not in known:
            stack.extend(missing)
            continue
        known[node] = holds(node, known, names)
        stack.pop()
    return known[root]


def evaluate_nullable(node: Node, names: set[str]) -> bool:
    """Whether a part has the empty text, where exactly the rules ``names`` do."""
    return evaluate(node, _nullable, names, {})


def _nullable(node: Node, known: Mapping[Node, bool], names: set[str]) -> bool:
    if isinstance(node, Literal):
        return not node.text
    if isinstance(node, Pattern):
        return bool(node.dfa.accepting[0])
    if isinstance(node, Reference):
        return node.name in names
    if isinstance(node, Sequence):
        return all(known[part] for part in node.parts)
    if isinstance(node, Choice):
        return any(known[part] for part in node.parts)
    if isinstance(node, Repeat):
        return node.least == 0 or known[node.body]
    # Not monotone in the right side; that side calls rules of earlier components only, or it is refused later.
    return isinstance(node, Difference) and known[node.left] and not known[node.right]


def _productive(node: Node, known: Mapping[Node, bool], names: set[str]) -> bool:
    if isinstance(node, CharSet):
        return bool(node.ranges)
    if isinstance(node, Pattern):
        return not node.dfa.is_empty()
    if isinstance(node, Reference):
        return node.name in names
    if isinstance(node, Sequence):
        return all(known[part] for part in node.parts)
    if isinstance(node, Choice):
        return any(known[part] for part in node.parts)
    if isinstance(node, Repeat):
        return node.least == 0 or known[node.body]
    return not isinstance(node, Difference) or known[node.left]
