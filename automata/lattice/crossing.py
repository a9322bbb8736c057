"""One slot between two borders: sets of the parser's stacks, taken over it forwards and backwards along the graph of lexemes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from .lexemes import IGNORED, Landing, Lexemes
from .stacksets import EMPTY, StackSets

if TYPE_CHECKING:
    from .slots import Step

LOW_HEIGHT: Final = 12
"""States of a stack that is low."""


@dataclass(slots=True)
class Place:
    """A place of a slot that some filling leads to.

    Attributes:
        stacks: those that it may have.
        landings: the scanner's states at the slot's end, and the tokens of each (None of a fixed one).
        exits: terminals, each with the place behind.

    """

    stacks: int
    landings: list[tuple[int, Landing | None]] = field(default_factory=list)
    exits: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Slot:
    """A slot: its places, those with a token's beginning first, each before those behind it."""

    locals: list[int] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)


Sets = dict[int, int]
"""The scanner's states at a border, each with the stacks that it may have."""


class Crossing:
    """Takes sets of stacks over slots; what is asked of a slot depends on its step alone, not on where it lies."""

    def __init__(self, lexemes: Lexemes, sets: StackSets) -> None:
        """Take the graph, and the sets in which stacks are."""
        self._lexemes = lexemes
        self._sets = sets
        self._fitting: dict[tuple[frozenset[int], int, int], bool] = {}

    def over(self, before: Sets, step: Step) -> tuple[Slot, Sets]:
        """Take sets over a slot."""
        slot, landed = (self._open if step.token is None else self._fixed)(before, step)
        if step.skippable:
            for local, stacks in before.items():
                landed.setdefault(local, set()).add(stacks)
        return slot, {local: self._sets.union(sets) for local, sets in landed.items()}

    def _open(self, before: Sets, step: Step) -> tuple[Slot, dict[int, set[int]]]:
        """Take sets over an open slot."""
        lexemes, sets, allowed = self._lexemes, self._sets, step.allowed
        slot = Slot(list(before))
        landed: dict[int, set[int]] = {}
        found: dict[int, tuple[int, list[tuple[Place, int]], list[int]]] = {}
        depths: list[set[int]] = [set()]

        def visit(number: int, stacks: int) -> None:
            place = Place(stacks)
            slot.places.append(place)
            for landing in lexemes.landings(number):
                if allowed is None or self._fits(allowed, landing):
                    place.landings.append((landing.local, landing))
                    landed.setdefault(landing.local, set()).add(stacks)
            for exit_ in lexemes.exits(number):
                terminal = exit_.terminal
                fed = stacks if terminal == IGNORED else sets.feed(stacks, terminal)
                for lexer, part in sets.by_lexer(fed).items() if fed else ():
                    behind = lexemes.behind(number, exit_, lexer)
                    if behind is None:
                        continue
                    node, depth = behind
                    if node not in found:
                        found[node] = (depth, [], [])
                        while len(depths) <= depth:
                            depths.append(set())
                        depths[depth].add(node)
                    found[node][1].append((place, terminal))
                    found[node][2].append(part)

        for local, stacks in before.items():
            visit(lexemes.place(local), stacks)
        depth = 0
        while depth < len(depths):
            for node in depths[depth]:
                _, comes_from, parts = found[node]
                for place, terminal in comes_from:
                    place.exits.append((terminal, len(slot.places)))
                visit(node, sets.union(parts))
            depth += 1
        return slot, landed

    def _fixed(self, before: Sets, step: Step) -> tuple[Slot, dict[int, set[int]]]:
        """Take sets over a fixed token."""
        lexemes, sets = self._lexemes, self._sets
        token = step.token if step.token is not None else -1
        slot = Slot(list(before))
        landed: dict[int, set[int]] = {}
        found: dict[tuple[int, int], tuple[list[tuple[Place, int]], list[int]]] = {}

        def visit(at: int, local: int, stacks: int) -> None:
            place = Place(stacks)
            slot.places.append(place)
            exits, last = lexemes.read(token, at, local)
            if last >= 0:
                place.landings.append((last, None))
                landed.setdefault(last, set()).add(stacks)
            for where, exit_ in exits:
                fed = stacks if exit_.terminal == IGNORED else sets.feed(stacks, exit_.terminal)
                for lexer, part in sets.by_lexer(fed).items() if fed else ():
                    begun = lexemes.begin(exit_.part, lexer)
                    if begun >= 0:
                        comes_from, parts = found.setdefault((where, begun), ([], []))
                        comes_from.append((place, exit_.terminal))
                        parts.append(part)

        for local, stacks in before.items():
            visit(0, local, stacks)
        done: set[tuple[int, int]] = set()
        while len(done) < len(found):
            where, begun = min(key for key in found if key not in done)
            done.add((where, begun))
            comes_from, parts = found[where, begun]
            for place, terminal in comes_from:
                place.exits.append((terminal, len(slot.places)))
            visit(where, begun, sets.union(parts))
        return slot, landed

    def _fits(self, allowed: frozenset[int], landing: Landing) -> bool:
        """Whether a landing has a token that a hole allows."""
        key = (allowed, landing.at, landing.n)
        found = self._fitting.get(key)
        if found is None:
            ids = np.array(sorted(allowed), np.int64)
            found = self._fitting[key] = bool(np.isin(ids, self._lexemes.tokens(landing)).any())
        return found

    def back(self, slot: Slot, reached: Sets, after: Sets, *, low: bool) -> dict[int, list[int]]:
        """For each state of the scanner before a slot, the stacks that lead over it into ``after``."""
        sets = self._sets
        alive = [EMPTY] * len(slot.places)
        for k in range(len(slot.places) - 1, -1, -1):
            place = slot.places[k]
            stacks = sets.low(place.stacks, LOW_HEIGHT) if low else place.stacks
            parts: list[int] = []
            wanted = {after[local] for local, _ in place.landings if local in after}
            if any(local in after and after[local] == reached[local] for local, _ in place.landings):
                alive[k] = stacks
                continue
            parts += [sets.meet(stacks, one) for one in wanted]
            for terminal, behind in place.exits:
                if stacks in parts:
                    break
                if alive[behind]:
                    if terminal == IGNORED:
                        parts.append(sets.meet(stacks, alive[behind]))
                    else:
                        parts.append(sets.before(stacks, terminal, alive[behind]))
            alive[k] = stacks if stacks in parts else sets.union(parts)
        return {local: [alive[k]] for k, local in enumerate(slot.locals)}
