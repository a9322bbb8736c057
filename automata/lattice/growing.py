"""Sets of symbols that grow together until nothing is new: what a worklist over a pushdown machine is made of."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Watcher = TypeVar("Watcher")


@dataclass(slots=True)
class _Set(Generic[Watcher]):
    """Symbols that can occur at one place, and whom a new one concerns."""

    symbols: set[int] = field(default_factory=set)
    done: list[int] = field(default_factory=list)  # those that everybody concerned knows of
    within: set[int] = field(default_factory=set)  # sets that include this one
    watchers: list[Watcher] = field(default_factory=list)


class GrowingSets(Generic[Watcher]):
    """Numbered sets; a symbol that is new in one is new in every set that includes it, and each watcher is told of it once."""

    def __init__(self, tell: Callable[[Watcher, int], None]) -> None:
        """Begin without a set; ``tell`` is called with a watcher and a symbol that is new to it."""
        self._tell = tell
        self._sets: list[_Set[Watcher]] = []
        self._added: deque[tuple[int, int]] = deque()

    def __bool__(self) -> bool:
        """Whether something is new that not everybody knows of."""
        return bool(self._added)

    def new(self) -> int:
        """The number of a further set, an empty one."""
        self._sets.append(_Set())
        return len(self._sets) - 1

    def symbols(self, place: int) -> set[int]:
        """What can occur in a set so far."""
        return self._sets[place].symbols

    def add(self, to: int, symbol: int) -> None:
        """A symbol can occur in a set."""
        one = self._sets[to]
        if symbol not in one.symbols:
            one.symbols.add(symbol)
            self._added.append((to, symbol))

    def include(self, smaller: int, larger: int) -> None:
        """Whatever can occur in one set can occur in another one."""
        one = self._sets[smaller]
        if smaller != larger and larger not in one.within:
            one.within.add(larger)
            for symbol in tuple(one.symbols):
                self.add(larger, symbol)

    def watch(self, place: int, watcher: Watcher) -> None:
        """Tell a watcher of the symbols of a set, those to come included."""
        one = self._sets[place]
        one.watchers.append(watcher)
        for symbol in tuple(one.done):
            self._tell(watcher, symbol)

    def spread(self) -> None:
        """Tell everybody concerned of one new symbol; there must be one."""
        to, symbol = self._added.popleft()
        one = self._sets[to]
        one.done.append(symbol)
        for watcher in tuple(one.watchers):
            self._tell(watcher, symbol)
        for other in one.within:
            self.add(other, symbol)
