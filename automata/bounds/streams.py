"""The ways out of an activation, the cheapest first, found as far as they are asked for.

One search (Dijkstra 1959) goes from a landing over the landings of the same activation.  A landing that has pushed links stands for a call: the
exits of what it has called come from a stream of their own, which all who call it share and which is led no further than the caller's own search has
come.  So an object of many members costs one search from each place that is asked about, not all of its exits at all of its places.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from .keys import UNREACHABLE

EXIT: Final = 0  # of equal costs the exits come first
LANDING: Final = 1
CALL: Final = 2

Link = TypeVar("Link")


@dataclass(frozen=True, slots=True)
class Ways(Generic[Link]):
    """What a landing leads to.

    Attributes:
        exits: cost and exit.
        landings: cost and landing, in the same activation.
        call: the landing that was called, and the link by which its exits are resolved.

    """

    exits: Sequence[tuple[int, int]] = ()
    landings: Sequence[tuple[int, int]] = ()
    call: tuple[int, Link] | None = None


@dataclass(slots=True)
class _Call(Generic[Link]):
    """A stream that another one goes on from: by which link, what lies before it, and how many of its exits were taken."""

    stream: Stream[Link]
    link: Link
    before: int
    taken: int = 0

    def next(self) -> int:
        """What the next of its exits costs at least."""
        if self.taken < len(self.stream.exits):
            return self.before + self.stream.exits[self.taken][0]
        return min(self.before + self.stream.at_least, UNREACHABLE)


class Stream(Generic[Link]):
    """The exits of one landing's activation.

    Attributes:
        exits: cost and exit, the cheapest first, each once: those found so far.
        found: the exits among them.
        landings: those that the search has come to.
        calls: the streams that it goes on from.
        heap: cost, kind and number of what comes next: an exit, a landing, or a place in ``calls``.
        own: how many exits and landings are in the heap; the rest are calls, which wait for others.

    """

    __slots__ = ("calls", "exits", "found", "heap", "landings", "own")

    def __init__(self, landing: int) -> None:
        """Stand at the landing."""
        self.exits: list[tuple[int, int]] = []
        self.found: set[int] = set()
        self.landings: set[int] = set()
        self.calls: list[_Call[Link]] = []
        self.heap: list[tuple[int, int, int]] = [(0, LANDING, landing)]
        self.own = 1

    @property
    def at_least(self) -> int:
        """What exits cost at least that are not found yet; ``UNREACHABLE`` if there are no more."""
        return self.heap[0][0] if self.heap else UNREACHABLE


class Streams(Generic[Link]):
    """The streams of landings, each made once.

    Args:
        ways: what a landing leads to.
        resolve: what an exit leads to by a link: landings a token later, and the exit of the activation below, or ``None``.

    Attributes:
        size: landings that all streams have come to: what they take in memory goes with it.

    """

    def __init__(
        self, ways: Callable[[int], Ways[Link]], resolve: Callable[[int, Link], tuple[Sequence[int], int | None]]
    ) -> None:
        """Know nothing yet."""
        self._ways = ways
        self._resolve = resolve
        self._streams: dict[int, Stream[Link]] = {}
        self.size = 0

    def of(self, landing: int) -> Stream[Link]:
        """The stream of a landing."""
        stream = self._streams.get(landing)
        if stream is None:
            stream = self._streams[landing] = Stream(landing)
        return stream

    def advance(self, stream: Stream[Link], cost: int) -> None:
        """Find all exits of a stream up to a cost.  Iterative: calls may be deep.

        What a call costs is less than its caller's whole, so that no stream waits for itself; only where a call costs nothing it might, and is asked again later.
        """
        stack = [(stream, cost)]
        while stack:
            here, most = stack[-1]
            if here.at_least > most:
                stack.pop()
                continue
            so_far, kind, number = here.heap[0]
            if kind == CALL:
                call = here.calls[number]
                wanted = so_far - call.before
                if call.stream.at_least <= wanted and all(call.stream is not other for other, _ in stack):
                    stack.append((call.stream, wanted))
                    continue
            heapq.heappop(here.heap)
            here.own -= kind != CALL
            if kind == EXIT:
                if number not in here.found:
                    here.found.add(number)
                    here.exits.append((so_far, number))
            elif kind == LANDING:
                self._land(here, so_far, number)
            else:
                self._return(here, so_far, number)

    def _land(self, here: Stream[Link], cost: int, landing: int) -> None:
        if landing in here.landings:
            return
        here.landings.add(landing)
        self.size += 1
        ways = self._ways(landing)
        for more, leaving in ways.exits:
            self._push(here, cost + more, EXIT, leaving)
        for more, target in ways.landings:
            self._push(here, cost + more, LANDING, target)
        if ways.call is not None:
            called, link = ways.call
            call = _Call(self.of(called), link, cost)
            here.calls.append(call)
            self._push(here, call.next(), CALL, len(here.calls) - 1)

    def _return(self, here: Stream[Link], cost: int, number: int) -> None:
        """Take the exits of a call up to a cost."""
        call = here.calls[number]
        before = call.taken
        while call.taken < len(call.stream.exits) and call.next() <= cost:
            so_far, leaving = call.next(), call.stream.exits[call.taken][1]
            call.taken += 1
            landings, deeper = self._resolve(leaving, call.link)
            if deeper is not None:
                self._push(here, so_far, EXIT, deeper)
            for landing in landings:
                self._push(here, so_far + 1, LANDING, landing)
        self._push(here, max(call.next(), cost + 1), CALL, number)
        if call.taken == before and here.own == 0:
            self._end_circle(here)

    @staticmethod
    def _end_circle(stream: Stream[Link]) -> None:
        """End a stream that waits for nothing but streams which wait for one another, and all of these."""
        waiting = {id(stream): stream}
        for here in (todo := [stream]):
            if here.own:
                return
            for _, _, number in here.heap:
                call = here.calls[number]
                if call.taken < len(call.stream.exits):
                    return
                if id(call.stream) not in waiting:
                    waiting[id(call.stream)] = call.stream
                    todo.append(call.stream)
        for here in todo:
            here.heap.clear()

    def _push(self, here: Stream[Link], cost: int, kind: int, number: int) -> None:
        seen = (here.found, here.landings, ())[kind]
        if cost < UNREACHABLE and number not in seen:
            heapq.heappush(here.heap, (cost, kind, number))
            here.own += kind != CALL
