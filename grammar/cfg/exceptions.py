"""Exceptions, ``a - b``: resolved to automata before anything else looks at the rules.

Context-free languages are not closed under difference, regular ones are.  So both sides must be regular: rules that
do not call themselves, or do so at their very end (right-linear rules are finite automata).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ..errors import LimitExceeded
from ..regular import kernels
from ..regular.dfa import MAX_DFA_STATES, CharDfa
from ..regular.nfa import Nfa
from .build import Builder, Step
from .facts import Facts, evaluate_nullable
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
    TokenSet,
    below,
    bottom_up,
)
from .text import GrammarText

MAX_POSITIONS: Final = 4 * MAX_DFA_STATES
"""States of the nondeterministic automaton of one side: far more than what a deterministic one of legal size needs."""


def resolve(definitions: Mapping[str, Definition], source: GrammarText) -> dict[str, Definition]:
    """The same rules without differences.

    Raises:
        Unsupported: a side of an exception is not regular.
        LimitExceeded: its automaton is too large.

    """
    facts = Facts(definitions)
    resolved = dict(definitions)
    for names in facts.components:
        for name in names:
            body = _Resolver(resolved, facts, source, names).rewrite(definitions[name].body)
            if body is not definitions[name].body:
                resolved[name] = replace(definitions[name], body=body)
    return resolved


class _Resolver:
    """Rewrites one rule; rules of earlier components are rewritten already."""

    def __init__(
        self, definitions: Mapping[str, Definition], facts: Facts, source: GrammarText, component: list[str]
    ) -> None:
        self.definitions = definitions
        self.facts = facts
        self.source = source
        self.component = set(component)

    def rewrite(self, root: Node) -> Node:
        """The same part without differences; the same object if there are none."""
        new: dict[Node, Node] = {}
        for node in bottom_up(root):
            parts = below(node)
            changed = tuple(new[part] for part in parts)
            if isinstance(node, Difference):
                new[node] = self.difference(node, *changed)
            elif all(a is b for a, b in zip(parts, changed, strict=True)):
                new[node] = node
            elif isinstance(node, Repeat):
                new[node] = replace(node, body=changed[0])
            else:
                assert isinstance(node, Sequence | Choice)  # noqa: S101 - nothing else has parts
                new[node] = replace(node, parts=changed)
        return new[root]

    def difference(self, node: Difference, left: Node, right: Node) -> Node:
        """What the left side has and the right side has not."""
        at_left = self.irregular(left)
        if at_left is not None and isinstance(right, Literal) and not right.text:
            return self.without_empty(node, left, at_left)
        for place in (at_left, self.irregular(right)):
            if place is not None:
                self.refuse(node, place)
        try:
            return Pattern(node.at, self.automaton(left) - self.automaton(right))
        except LimitExceeded as error:
            self.source.exceeded(
                f"the exception is too large: {error.message}",
                node.at,
                limit=error.limit,
                value=error.value,
                hint="lower its repetition counts",
            )

    def without_empty(self, node: Difference, left: Node, place: Node) -> Node:
        """A part that need not be regular, without the empty text: ``{ x } -`` is one x or more."""
        nullable = self.facts.nullable
        if not evaluate_nullable(left, nullable):
            return left
        if isinstance(left, Repeat) and left.least == 0 and not evaluate_nullable(left.body, nullable):
            return replace(left, least=1)
        return self.refuse(node, place)

    def refuse(self, node: Difference, place: Node) -> Node:
        """Say that a side is not regular."""
        what = f"the rule {place.name!r} calls itself" if isinstance(place, Reference) else "it has a token"
        self.source.unsupported(
            f"an exception is supported between regular parts only, and here {what} other than at its end",
            node.at,
            "write the rule with repetitions, or with calls of itself at its end only",
        )

    def irregular(self, root: Node) -> Node | None:
        """A part that keeps a part from being regular, or ``None``."""
        seen: set[str] = set()
        work: list[Node] = [root]
        while work:
            for node in bottom_up(work.pop()):
                if isinstance(node, TokenSet):
                    return node
                if not isinstance(node, Reference) or node.name in seen:
                    continue
                seen.add(node.name)
                if node.name in self.component and node.name in self.facts.recursive:
                    return node
                body = self.definitions[node.name].body
                if node.name in self.facts.recursive:
                    inner = self.inner_call(body, self.facts.component[node.name])
                    if inner is not None:
                        return inner
                work.append(body)
        return None

    def inner_call(self, body: Node, component: int) -> Node | None:
        """A call of the component that is not the last thing that the body does."""
        work = [(body, True)]
        while work:
            node, last = work.pop()
            if isinstance(node, Reference):
                if self.facts.component[node.name] == component and not last:
                    return node
            elif isinstance(node, Sequence):
                work += [(part, last and i == len(node.parts) - 1) for i, part in enumerate(node.parts)]
            elif isinstance(node, Repeat):
                work.append((node.body, last and node.most == 1))
            else:
                work += [(part, last) for part in below(node)]
        return None

    def automaton(self, node: Node) -> CharDfa:
        """The automaton of a regular part."""
        if isinstance(node, Pattern):
            return node.dfa
        builder = _NfaBuilder(self.definitions, self.facts)
        start, end = builder.state(), builder.state()
        builder.build(node, start, end)
        return builder.nfa.determinise(start, end)


class _NfaBuilder(Builder[int]):
    """An automaton over characters; calls are written out."""

    def __init__(self, definitions: Mapping[str, Definition], facts: Facts) -> None:
        self.nfa = Nfa(MAX_DFA_STATES)
        self.definitions = definitions
        self.facts = facts
        self.entries: dict[tuple[str, int], int] = {}

    def state(self) -> int:
        """Add a state."""
        if self.nfa.n >= MAX_POSITIONS:
            raise LimitExceeded(
                f"it has more than {MAX_POSITIONS} positions", limit="max_dfa_states", value=MAX_DFA_STATES
            )
        return self.nfa.state()

    def epsilon(self, source: int, target: int) -> None:
        """Go from source to target without reading."""
        self.nfa.edge(source, kernels.EPSILON, target)

    def counted(self, node: Repeat, source: int, target: int) -> None:
        """Nothing but copies will do."""

    def leaf(self, node: Node, source: int, target: int) -> Step[int] | None:
        """Read characters, an automaton, or another rule."""
        if isinstance(node, Literal):
            here = source
            for x in node.text:
                there = self.state()
                self.nfa.read(here, ((ord(x), ord(x)),), there)
                here = there
            self.epsilon(here, target)
        elif isinstance(node, CharSet):
            self.nfa.read(source, node.ranges, target)
        elif isinstance(node, Pattern):
            self.epsilon(self.nfa.embed(node.dfa, source), target)
        elif isinstance(node, Reference):
            body = self.definitions[node.name].body
            if node.name not in self.facts.recursive:
                return body, source, target
            # A call at a rule's end returns where the rule returns: one copy for each such state, loops included.
            key = (node.name, target)
            if key in self.entries:
                self.epsilon(source, self.entries[key])
                return None
            entry = self.entries[key] = self.state()
            self.epsilon(source, entry)
            return body, entry, target
        return None
