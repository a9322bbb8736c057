"""What completing a stack costs at least where not all that the grammar derives is parsed: a search over terminals."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from .items import FAR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_EXPANDED: Final = 2_000
"""Stacks of one search; where a conflict stands in the way, tens, but none would be enough where terminals that lead nowhere are cheap."""


class Completions:
    """Least costs of the ways to the end of a text, of stacks that are numbers; ``END`` is what lies behind it.

    Best first (A*), led by costs that are too low at most where a conflict was resolved, so that mostly a way is gone straight.  What a search has found out of stacks
    that are not on its way makes later ones shorter (adaptive A*: Koenig and Likhachev 2006).
    """

    END: Final = 0

    def __init__(
        self,
        steps: Callable[[int], Iterable[tuple[int, int]]],
        at_least: Callable[[int], int],
        exactly: Callable[[int], int | None],
    ) -> None:
        """Know nothing yet.

        Args:
            steps: of a stack: what each terminal costs, and the stack after it.
            at_least: of a stack: a cost that is not too high; ``FAR`` or more where there is no way.
            exactly: of a stack: its least cost, or ``None``; dear to ask at first, and only where a search takes too long.

        """
        self._steps = steps
        self._at_least = at_least
        self._known: dict[int, int | None] = {self.END: 0}
        self._raised: dict[int, int] = {}
        self._exactly = exactly
        self._is_hard = False

    def of(self, stack: int) -> int | None:
        """The least cost of a stack; ``None`` where there is no way, or none can be found."""
        if stack not in self._known and not self._is_hard:
            self._search(stack)
        if stack not in self._known:  # for one stack in a grammar that is so for many
            found = self._known[stack] = self._exactly(stack)
            self._is_hard = found is not None
        return self._known[stack]

    def _left(self, stack: int) -> int:
        return max(self._at_least(stack), self._raised.get(stack, 0))

    def _search(self, start: int) -> None:
        cost = {start: 0}
        before: dict[int, int] = {}
        heap = [(self._left(start), 0, start)] if self._left(start) < FAR else []
        expanded: set[int] = set()
        while heap and len(expanded) < MOST_EXPANDED:
            total, _, here = heapq.heappop(heap)
            if here in expanded:
                continue
            if here in self._known:
                for stack in expanded:
                    self._raised[stack] = max(self._raised.get(stack, 0), total - cost[stack])
                while here != start:
                    here = before[here]
                    self._known[here] = total - cost[here]
                return
            expanded.add(here)
            for step, after in self._steps(here):
                reached = cost[here] + step
                left = self._known[after] if after in self._known else self._left(after)
                if left is not None and left < FAR and reached < cost.get(after, reached + 1):
                    cost[after], before[after] = reached, here
                    heapq.heappush(heap, (reached + left, -reached, after))
        if not heap:
            self._known.update(dict.fromkeys([start, *expanded]))


__all__ = ["Completions"]
