"""The streams of exits against all costs at once: a closure of the same system by relaxation."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from syntagma.automata.bounds.keys import UNREACHABLE
from syntagma.automata.bounds.streams import Streams, Ways


@dataclass(frozen=True)
class System:
    """Landings with what they lead to, and what exits lead to by links."""

    ways: list[Ways[int]]
    resolutions: dict[tuple[int, int], tuple[list[int], int | None]]

    def streams(self) -> Streams[int]:
        """The streams of this system, none of which has begun."""
        return Streams(self.ways.__getitem__, self.resolved)

    def resolved(self, leaving: int, link: int) -> tuple[Sequence[int], int | None]:
        """See ``Streams``."""
        return self.resolutions[leaving, link]

    def closure(self) -> list[dict[int, int]]:
        """The least cost of every exit of every landing, relaxed until nothing changes."""
        costs: list[dict[int, int]] = [defaultdict(lambda: UNREACHABLE) for _ in self.ways]
        changed = True
        while changed:
            changed = False
            for landing, ways in enumerate(self.ways):
                found = [*((exit_, cost) for cost, exit_ in ways.exits)]
                for cost, target in ways.landings:
                    found += [(exit_, cost + rest) for exit_, rest in costs[target].items()]
                if ways.call is not None:
                    for exit_, cost in costs[ways.call[0]].items():
                        landings, deeper = self.resolved(exit_, ways.call[1])
                        if deeper is not None:
                            found.append((deeper, cost))
                        for target in landings:
                            found += [(other, cost + 1 + rest) for other, rest in costs[target].items()]
                for exit_, cost in found:
                    if cost < costs[landing][exit_]:
                        costs[landing][exit_] = cost
                        changed = True
        return [dict(found) for found in costs]


def random_system(rng: random.Random) -> System:
    """A few landings that call and reach one another, in circles too; a landing that calls is reached by a token, as in a machine."""
    n, n_exits, n_links = rng.randint(1, 8), rng.randint(1, 4), rng.randint(1, 3)
    ways: list[Ways[int]] = []
    for _ in range(n):
        if rng.random() < 0.4:
            ways.append(Ways(call=(rng.randrange(n), rng.randrange(n_links))))
            continue
        exits = [(rng.choice((0, 0, 3)), rng.randrange(n_exits)) for _ in range(rng.choice((0, 0, 1, 2)))]
        ways.append(Ways(exits, [(1, rng.randrange(n)) for _ in range(rng.randint(0, 3))]))
    for landing, way in enumerate(
        ways
    ):  # what is called by a call at once was pushed before it, so that this comes to an end
        if way.call is not None and ways[way.call[0]].call is not None and way.call[0] >= landing:
            ways[landing] = Ways()
    resolutions = {
        (exit_, link): (
            [rng.randrange(n) for _ in range(rng.choice((0, 0, 1, 2)))],
            rng.choice((None, rng.randrange(n_exits))),
        )
        for exit_ in range(n_exits)
        for link in range(n_links)
    }
    return System(ways, resolutions)


@pytest.mark.parametrize("seed", range(400))
def test_streams_find_the_least_costs_in_order(seed: int) -> None:
    """Whatever is asked first and how far, each stream gives all exits of its landing, each once, at its least cost, the cheapest first."""
    rng = random.Random(seed)
    system = random_system(rng)
    streams = system.streams()
    for _ in range(rng.randint(0, 6)):
        streams.advance(streams.of(rng.randrange(len(system.ways))), rng.randint(0, 6))
    for landing, want in enumerate(system.closure()):
        stream = streams.of(landing)
        while stream.at_least < UNREACHABLE:
            streams.advance(stream, stream.at_least)
        assert sorted(want.items()) == sorted((exit_, cost) for cost, exit_ in stream.exits)
        assert [cost for cost, _ in stream.exits] == sorted(cost for cost, _ in stream.exits)


def test_a_circle_of_calls_ends() -> None:
    """Landings that wait for nothing but one another have no exits, and to ask for them comes to an end."""
    ways: list[Ways[int]] = [Ways((), [(1, 1)]), Ways(call=(2, 0)), Ways((), [(1, 3)]), Ways(call=(0, 0))]
    streams = System(ways, {(0, 0): ([], 0)}).streams()
    stream = streams.of(0)
    streams.advance(stream, 10**6)
    assert stream.exits == []
    assert stream.at_least == UNREACHABLE


def test_no_more_is_read_than_may_be_cheaper() -> None:
    """What lies behind a token is not looked at where exits without one are asked for."""
    read: list[int] = []

    def ways(landing: int) -> Ways[int]:
        read.append(landing)
        return Ways([(0, landing)], [(1, landing + 1)])

    streams: Streams[int] = Streams(ways, lambda _leaving, _link: ([], None))
    stream = streams.of(0)
    streams.advance(stream, 2)
    assert stream.exits == [(0, 0), (1, 1), (2, 2)]
    assert read == [0, 1, 2]
