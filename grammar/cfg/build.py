"""Thompson's construction over a grammar's nodes, for whatever kind of automaton: without recursion, in reading order.

Every part reads from a state that no edge of the part enters to a state that no edge of the part leaves, so parts may
share both (Thompson 1968; the states that he adds around a part are needed at loops only).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from .nodes import Choice, Node, Repeat, Sequence

State = TypeVar("State")

Step = tuple[Node, State, State]
"""A text of the node is to be read between the two states."""


class Builder(ABC, Generic[State]):
    """An automaton that is being built from nodes."""

    @abstractmethod
    def state(self) -> State:
        """Add a state."""

    @abstractmethod
    def epsilon(self, source: State, target: State) -> None:
        """Go from source to target without reading."""

    @abstractmethod
    def leaf(self, node: Node, source: State, target: State) -> Step[State] | None:
        """Read a text of a node that is no sequence, choice or repetition; or return what to read in its place."""

    @abstractmethod
    def counted(self, node: Repeat, source: State, target: State) -> list[Step[State]] | None:
        """Read a repetition with bounds other than those of ``*``, ``+`` and ``?``, and return what is still to be read.

        ``None`` leaves it to be written out.
        """

    def build(self, root: Node, source: State, target: State) -> None:
        """Read a text of ``root`` between source and target."""
        work: list[Step[State]] = [(root, source, target)]
        while work:
            node, here, end = work.pop()
            if isinstance(node, Sequence):
                if not node.parts:
                    self.epsilon(here, end)
                steps = []
                for part in node.parts[:-1]:
                    there = self.state()
                    steps.append((part, here, there))
                    here = there
                steps += [(part, here, end) for part in node.parts[-1:]]
                work += reversed(steps)
            elif isinstance(node, Choice):
                work += [(part, here, end) for part in reversed(node.parts)]
            elif isinstance(node, Repeat):
                work += reversed(self._repeat(node, here, end))
            else:
                instead = self.leaf(node, here, end)
                if instead is not None:
                    work.append(instead)

    def _repeat(self, node: Repeat, source: State, target: State) -> list[Step[State]]:
        body, least, most = node.body, node.least, node.most
        if least == 0:
            self.epsilon(source, target)
        if most == 0:
            return []
        if most == 1:
            return [(body, source, target)]
        if (most is not None or least > 1) and (steps := self.counted(node, source, target)) is not None:
            return steps
        steps = []
        here = source
        for _ in range(least - (most is None)):
            there = self.state()
            steps.append((body, here, there))
            here = there
        if most is None:
            first, last = self.state(), self.state()
            self.epsilon(here, first)
            self.epsilon(last, first)
            self.epsilon(last, target)
            return [*steps, (body, first, last)]
        for _ in range(most - least):
            self.epsilon(here, target)
            there = self.state()
            steps.append((body, here, there))
            here = there
        self.epsilon(here, target)
        return steps
