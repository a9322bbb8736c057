"""The least number of tokens that complete a configuration without closing an extra key."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from .. import layout as lay
from ..arena import check
from ..effects.nodes import child, root, tokens_of
from ..effects.scratch import KEY_CLOSED
from ..masks import NODE_MASK
from .keys import UNREACHABLE
from .reach import Reach
from .streams import EXIT, LANDING, Streams, Ways

if TYPE_CHECKING:
    from ..store import Store
    from .packed import PackedBounds
    from .parser import ParserBounds

SLACK: Final = 16  # items of room beyond the need that a completion may use; more hardly ever shortens one
MOST_NEED: Final = 4096  # items that a count needs; each is a state
MOST_MEMO: Final = 1 << 18  # entries, some 100 bytes each
MOST_VISITED: Final = 1 << 20  # landings of streams, some 100 bytes each

Link = tuple[int, int, int]
"""Symbol, need, room: what a frame remembers of one activation, its register left out."""

Landing = tuple[int, int, int, tuple[Link, ...]]
"""Local state, need, room and the links pushed above an unknown frame, topmost first."""

Effect = tuple[int, int, int, tuple[Link, ...], int, int, int]
"""A landing with counters as in ``GR``, then least room, greatest need, chain."""

ENDED: Final = 0
"""The exit of an activation that may end where it stands, between two tokens."""

CALLED: Final = 2  # beside EXIT and LANDING, in the search over real frames
OVER: Final = 3


@dataclass(slots=True)
class _Known:
    """What is read of an effect node once: its effects without keys, and what its pop points ask for."""

    effects: list[Effect]
    pops: bool
    least_room: int  # with at least that room and at most that need every guard of the pop points holds
    most_need: int
    dirty: bool  # whether a token may have closed a key on the way here


class TokenBounds:
    """Exact least numbers of tokens, by summaries over effects.

    An activation is left through an *exit*: a token in progress that must pop it, that is, an effect node with pop points (the root of the
    local state reached, or a child), or ``ENDED``; nodes with the same pop points are one exit.  ``streams`` finds for a landing the least number
    of whole tokens to each exit of its activation, whatever lies below.  An exit is resolved with the symbol that is found: its
    child's effects are landings one token later, its child is an exit in turn.  There are finitely many landings; real frames are then searched
    from link to link.  All that is done in order of cost, and no further than to what is known to be enough.

    Tokens that close an extra key are left out; with ``freely`` they are not, and what comes out is a lower bound, as if keys need not differ.  Counters: need is exact, room is cut to need plus ``SLACK`` wherever a token ends; that
    forbids some completions, and the cut after any token of a completion is no narrower than before.
    """

    def __init__(self, store: Store, packed: PackedBounds, parsed: ParserBounds, *, freely: bool = False) -> None:
        """Know nothing yet but what packed automata cost."""
        self._a, self._r = store.arena
        self._packed = packed
        self._parsed = parsed
        self._freely = freely
        self._known: dict[int, _Known] = {}
        self._slack: dict[int, tuple[int, int]] = {}
        self.reach = Reach(self._a, packed, parsed)
        self._numbers: dict[Landing, int] = {}
        self._landings: list[Landing] = []
        self._ways: dict[int, Ways[Link]] = {}
        self._exits: list[tuple[int, tuple[tuple[int, int], ...]]] = [(-1, ())]
        self._exit_numbers: dict[object, int] = {}
        self._resolutions: dict[tuple[int, Link], tuple[list[int], int]] = {}
        self._places: npt.NDArray[np.int64] | None = None
        self._frames: dict[tuple[tuple[int, int, int, int], ...], int] = {}
        self._links: list[tuple[tuple[int, int, int, int], ...]] = []
        self._forget()

    def of(self, q: int, need: int, room: int, frame: int, enough: int = UNREACHABLE) -> int:
        """The least number of tokens from an entry to acceptance, or ``enough`` if it is not less."""
        if len(self._under) > MOST_MEMO or self._streams.size > MOST_VISITED:
            self._forget()
        number = self._number(q, need, room, ())
        if number < 0:
            return 0 if self._freely else enough
        under = self.frame_number(frame)
        stream = self._streams.of(number)
        taken = 0
        while True:
            while taken < len(stream.exits):  # which may grow in the meantime
                cost, leaving = stream.exits[taken]
                taken += 1
                if cost >= enough:
                    return enough
                enough = min(enough, cost + self._below(under, leaving, enough - cost))
            if stream.at_least >= enough:
                return enough
            self._streams.advance(stream, stream.at_least)

    def is_known(self, q: int, frame: int) -> bool:
        """Whether a local state, and those that the frames below it return to, reach few others: then costs are cut by nothing."""
        seen = {self.frame_number(frame)}
        work = list(seen)
        while work:
            for symbol, _, _, parent in self._links[work.pop()]:
                if symbol != lay.SYMBOL_EMPTY and not self.reach.is_small(symbol >> 1):
                    return False
                if parent not in seen:
                    seen.add(parent)
                    work.append(parent)
        return self.reach.is_small(q)

    # --- landings ---------------------------------------------------------------------------------------------------

    def _cut(self, q: int, need: int, room: int) -> int:
        slack, _ = self._facts(q)
        return room if room >= lay.UNBOUNDED else min(room, need + slack)

    def _facts(self, q: int) -> tuple[int, int]:
        """The slack of a local state, enough for its guard, and its flags."""
        facts = self._slack.get(q)
        if facts is None:
            p = lay.LS + q * lay.LS_WIDTH
            flags = int(self._a[p + lay.L_FLAGS])
            least = int(self._a[p + lay.L_LEAST]) if flags & lay.FLAG_GUARD else 0
            facts = self._slack[q] = (max(SLACK, least), flags)
        return facts

    def _accepts(self, q: int, need: int) -> bool:
        flags = self._facts(q)[1]
        return bool(flags & lay.FLAG_ACCEPT) or (need == 0 and bool(flags & lay.FLAG_ACCEPT_NO_NEED))

    def _number(self, q: int, need: int, room: int, links: tuple[Link, ...]) -> int:
        """The number of a landing, -1 if it is left to the bound in bytes."""
        if need > MOST_NEED or not self.reach.is_small(q):
            return -1
        if any(n > MOST_NEED or not self.reach.is_small(s >> 1) for s, n, _ in links):
            return -1
        landing = (q, need, self._cut(q, need, room), links)
        number = self._numbers.get(landing)
        if number is None:
            number = self._numbers[landing] = len(self._landings)
            self._landings.append(landing)
        return number

    def _lands(self, effects: list[Effect], need: int, room: int, levels: tuple[tuple[int, int], ...]) -> list[int]:
        """The landings of those effects whose guards hold; one with less room or more need than a like one is left out."""
        best: dict[tuple[int, tuple[Link, ...]], list[tuple[int, int]]] = {}
        for q, at_need, at_room, links, least_room, most_need, chain in effects:
            if room < least_room or need > most_need or (levels and not self._holds(chain, levels)):
                continue
            data = _counted(at_need, at_room, need, room)
            above = tuple(
                (s, n, self._cut(s >> 1, n, r))
                for s, n, r in ((s, *_counted(at_n, at_r, need, room)) for s, at_n, at_r in links)
            )
            kept = best.setdefault((q, above), [])
            if not any(n <= data[0] and r >= data[1] for n, r in kept):
                kept[:] = [(n, r) for n, r in kept if not (data[0] <= n and data[1] >= r)]
                kept.append(data)
        numbers = (self._number(q, n, r, above) for (q, above), kept in best.items() for n, r in kept)
        return [number for number in numbers if number >= 0]

    def _holds(self, chain: int, levels: tuple[tuple[int, int], ...]) -> bool:
        """Whether the guards of the pop points that a token came through hold; beyond ``levels`` they all do."""
        for need, room in levels:
            if chain < 0:
                break
            p = lay.PP + chain * lay.PP_WIDTH
            if room < self._a[p + lay.P_MIN_ROOM] or need > self._a[p + lay.P_MAX_NEED]:
                return False
            chain = int(self._a[p + lay.P_CHAIN])
        return True

    # --- ways out of an activation ------------------------------------------------------------------------------------

    def _leads(self, number: int) -> Ways[Link]:
        """What a landing leads to."""
        ways = self._ways.get(number)
        if ways is None:
            ways = self._ways[number] = self._read(*self._landings[number])
        return ways

    def _read(self, q: int, need: int, room: int, links: tuple[Link, ...]) -> Ways[Link]:
        if links:
            return Ways(call=(self._number(q, need, room, links[:-1]), links[-1]))
        if self._packed.is_packed(q):
            whole = self._packed.tokens(q)
            return Ways() if whole is None else Ways([(whole, ENDED), (whole, self._at_once())])
        node = int(root(self._a, self._r, q))
        if node < 0:
            check(self._a)
        leaving = self._exit(node, need, room, ())
        exits = [(0, leaving)] if leaving else []
        if self._accepts(q, need):
            exits.append((0, ENDED))
        landings = [(1, landing) for landing in self._lands(self._node(node).effects, need, room, ())]
        if self._freely and self._a[lay.EF + node * lay.EF_WIDTH + lay.E_SHADOW]:  # what it shares with a string's body
            p = lay.LS + q * lay.LS_WIDTH
            body, symbol = int(self._a[p + lay.L_SHADOW]) - 1, int(self._a[p + lay.L_SHADOW_SYM])
            landing = self._number(body, 0, lay.UNBOUNDED, ((symbol, need, room),))
            if landing >= 0:
                landings.append((0, landing))
        return Ways(exits, landings)

    def _returned(self, leaving: int, link: Link) -> tuple[list[int], int | None]:
        """What an exit leads to by the link below it: landings a token later, and the exit of the activation that the link is of."""
        if leaving == ENDED:
            return [], ENDED if self._accepts(link[0] >> 1, link[1]) else None
        landings, deeper = self._resolve(leaving, link)
        return landings, deeper or None

    # --- effects ----------------------------------------------------------------------------------------------------

    def _exit(self, node: int, need: int, room: int, levels: tuple[tuple[int, int], ...]) -> int:
        """The number of the exit through a node whose activation has these counters; 0 if it has no pop points.

        ``levels`` holds the counters of the activations popped before, the last popped first, where a guard may fail.
        """
        known = self._node(node)
        if not known.pops:
            return 0
        if levels or room < known.least_room or need > known.most_need:
            levels = ((max(need, known.most_need), min(room, known.least_room)), *levels)
        identity: object = (node, levels)
        if not levels and not known.dirty:
            points = self._points(node)
            identity = np.unique(points[:, lay.P_NODE] * 2 + points[:, lay.P_EAGER]).tobytes()
        number = self._exit_numbers.get(identity)
        if number is None:
            number = self._exit_numbers[identity] = len(self._exits)
            self._exits.append((node, levels))
        return number

    def _at_once(self) -> int:
        """The exit of an activation with nothing left to read: a token that begins below it."""
        node = int(root(self._a, self._r, int(self._a[lay.H_DONE_STATE])))
        if node < 0:
            check(self._a)
        return self._exit(node, 0, lay.UNBOUNDED, ())

    def _resolve(self, leaving: int, link: Link) -> tuple[list[int], int]:
        """The landings of an exit on a link, a token later, and the exit of the activation below, or 0."""
        resolved = self._resolutions.get((leaving, link))
        if resolved is None:
            symbol, need, room = link
            resolved = ([], 0)
            if symbol < 0 or not symbol & 1 or self._freely:  # a keyed symbol is the end of an extra key
                node, levels = self._exits[leaving]
                below = int(child(self._a, self._r, node, symbol))
                if below < 0:
                    check(self._a)
                landings = self._lands(self._node(below).effects, need, room, levels)
                resolved = (landings, self._exit(below, need, room, levels) if symbol >= 0 else 0)
            self._resolutions[leaving, link] = resolved
        return resolved

    def _node(self, node: int) -> _Known:
        known = self._known.get(node)
        if known is not None:
            return known
        a = self._a
        e = lay.EF + node * lay.EF_WIDTH
        parent = int(a[e + lay.E_PARENT])
        dirty = bool(a[e + lay.E_N_VERIFY]) or (parent >= 0 and self._node(parent).dirty)
        effects: list[Effect] = []
        first = lay.GR + int(a[e + lay.E_GROUPS]) * lay.GR_WIDTH
        groups = a[first : first + int(a[e + lay.E_N_GROUPS]) * lay.GR_WIDTH].reshape(-1, lay.GR_WIDTH)
        for q, need, room, key, frame, least_room, most_need, chain, tokens, n_tokens, _ in groups.tolist():
            if n_tokens == 0 or (key == KEY_CLOSED and not self._freely):
                continue
            links = self._pushed(frame)
            if links is None or (dirty and not self._freely and not self._spelled_without_keys(node, tokens, n_tokens)):
                continue
            effects.append((q, need, room, links, least_room, most_need, chain))
        points = self._points(node)
        known = self._known[node] = _Known(
            effects,
            bool((points[:, lay.P_KEY] != KEY_CLOSED).any()) or (self._freely and len(points) > 0),
            int(points[:, lay.P_MIN_ROOM].max(initial=0)),
            int(points[:, lay.P_MAX_NEED].min(initial=lay.UNBOUNDED)),
            dirty or bool((points[:, lay.P_KEY] == KEY_CLOSED).any()),
        )
        return known

    def _points(self, node: int) -> npt.NDArray[np.int64]:
        e = lay.EF + node * lay.EF_WIDTH
        first = lay.PP + int(self._a[e + lay.E_POPS]) * lay.PP_WIDTH
        return self._a[first : first + int(self._a[e + lay.E_N_POPS]) * lay.PP_WIDTH].reshape(-1, lay.PP_WIDTH)

    def _pushed(self, frame: int) -> tuple[Link, ...] | None:
        """The links above the unknown frame, topmost first; None if a key is read or was closed in one."""
        links: list[Link] = []
        while frame != lay.FRAME_UNKNOWN:
            p = lay.HP + frame + lay.HEADER
            symbol, need, room, key, frame = self._a[p : p + lay.LINK].tolist()
            if (symbol & 1 or key == KEY_CLOSED) and not self._freely:
                return None
            links.append((symbol, need, room))
        return tuple(links)

    def _spelled_without_keys(self, node: int, tokens: int, n_tokens: int) -> bool:
        """Whether some token of the run pops through points without closed keys only and needs no verification."""
        a = self._a
        n_trie = int(a[lay.H_TRIE])
        if self._places is None:
            self._places = np.full(int(a[lay.H_VOCAB]), -1, np.int64)
            ends = a[lay.TR : lay.TR + n_trie] >> lay.T_TOKEN_SHIFT
            for place in np.flatnonzero(ends).tolist():
                token = int(ends[place]) - 1
                while token >= 0:
                    self._places[token] = place
                    token = int(a[lay.TR + n_trie + token])
        at = self._places[tokens_of(self._r, tokens, n_tokens, int(a[lay.H_WORDS]))]
        good = np.ones(len(at), np.bool_)
        while node >= 0:
            e = lay.EF + node * lay.EF_WIDTH
            first = lay.PP + int(a[e + lay.E_VERIFY])
            good &= ~self._inside(at, a[first : first + int(a[e + lay.E_N_VERIFY])])
            node = int(a[e + lay.E_PARENT])
            if node >= 0:
                points = self._points(node)
                good &= self._inside(at, points[points[:, lay.P_KEY] != KEY_CLOSED, lay.P_NODE])
        return bool(good.any())

    def _inside(self, places: npt.NDArray[np.int64], roots: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which trie nodes lie below some of the roots, trie nodes themselves with something in the bits above."""
        tops = np.unique(roots & NODE_MASK)
        if not len(tops):
            return np.zeros(len(places), np.bool_)
        ends = (self._a[lay.TR + tops] >> lay.T_END_SHIFT) & lay.T_END_MASK
        ends = np.maximum.accumulate(ends)  # subtrees lie apart or in one another
        last = np.searchsorted(tops, places, side="right") - 1
        return (last >= 0) & (places < ends[last])

    # --- real frames ------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        """Frames are known by what they hold, so that a memo outlives every scope; now and then it is emptied, and so are the streams."""
        self._frames = {(): 0}
        self._links = [()]
        self._under: dict[tuple[int, int], tuple[int, bool]] = {}
        self._streams: Streams[Link] = Streams(self._leads, self._returned)

    def frame_number(self, frame: int) -> int:
        """The number of a frame's contents; 0 is the empty stack."""
        numbers = {lay.FRAME_EMPTY: 0}
        stack = [frame]
        while stack:
            here = stack[-1]
            if here in numbers:
                stack.pop()
                continue
            p = lay.HP + here
            words = int(self._a[p]) & 0xFFFFFFFF
            links = self._a[p + lay.HEADER : p + words].reshape(-1, lay.LINK).tolist()
            missing = [parent for symbol, _, _, _, parent in links if symbol >= 0 and parent not in numbers]
            if missing:
                stack += missing
                continue
            contents = tuple(
                sorted(
                    (s, n, self._cut(s >> 1, n, r), numbers[g]) if s >= 0 else (lay.SYMBOL_EMPTY, 0, lay.UNBOUNDED, 0)
                    for s, n, r, _, g in links
                )
            )
            number = self._frames.get(contents)
            if number is None:
                number = self._frames[contents] = len(self._links)
                self._links.append(contents)
            numbers[here] = number
        return numbers[frame]

    def _below(self, frame: int, leaving: int, enough: int) -> int:
        """The least number of tokens from an exit on a frame to acceptance, or ``enough`` if it is not less."""
        known, exactly = self._under.get((frame, leaving), (0, False))
        if exactly or known >= enough:
            return min(known, enough)
        trail: list[tuple[int, int, int, int]] = []  # frame, exit, cost, what came before in the trail
        calls: list[list[int]] = []  # landing, cost, exits taken
        seen: set[tuple[int, int, int]] = set()
        heap = [(0, EXIT, frame, leaving, -1)]
        while heap and heap[0][0] < enough:
            cost, kind, where, number, before = heapq.heappop(heap)
            if kind == OVER:
                self._remember(trail, before, cost)
                return cost
            if kind == CALLED:
                landing, base, taken = calls[number]
                stream = self._streams.of(landing)
                self._streams.advance(stream, cost - base)
                while taken < len(stream.exits) and base + stream.exits[taken][0] <= cost:
                    heapq.heappush(heap, (base + stream.exits[taken][0], EXIT, where, stream.exits[taken][1], before))
                    taken += 1
                calls[number][2] = taken
                following = stream.exits[taken][0] if taken < len(stream.exits) else stream.at_least
                if following < UNREACHABLE:
                    heapq.heappush(heap, (base + following, CALLED, where, number, before))
                continue
            if (kind, where, number) in seen:
                continue
            seen.add((kind, where, number))
            if kind == LANDING:
                calls.append([number, cost, 0])
                heapq.heappush(heap, (cost, CALLED, where, len(calls) - 1, before))
                continue
            rest, exactly = self._under.get((where, number), (0, False))
            if exactly:
                ways = [(cost + rest, OVER, 0, 0)]
            else:
                trail.append((where, number, cost, before))
                before = len(trail) - 1
                ways = self._from(where, number, cost)
            for way in ways:
                if way[0] < UNREACHABLE:
                    heapq.heappush(heap, (*way, before))
        self._under[frame, leaving] = (
            (enough, False) if heap else (UNREACHABLE, True)
        )  # it was known to be less than enough
        return enough

    def _from(self, frame: int, leaving: int, cost: int) -> list[tuple[int, int, int, int]]:
        """Cost, kind, frame and number of what an exit on a frame leads to."""
        ways = [] if frame else [(cost + self._at_end(leaving), OVER, 0, 0)]
        for symbol, need, room, parent in self._links[frame]:
            if symbol == lay.SYMBOL_EMPTY:
                ways.append((cost + self._at_end(leaving), OVER, 0, 0))
            elif need > MOST_NEED or (symbol & 1 and not self._freely) or not self.reach.is_small(symbol >> 1):
                if self._freely:
                    ways.append((cost, OVER, 0, 0))
            else:
                landings, deeper = self._returned(leaving, (symbol, need, room))
                if deeper is not None:
                    ways.append((cost, EXIT, parent, deeper))
                ways += [(cost + 1, LANDING, parent, landing) for landing in landings]
        return ways

    def _remember(self, trail: list[tuple[int, int, int, int]], last: int, whole: int) -> None:
        """Keep what is left at each exit of a cheapest way."""
        while last >= 0:
            frame, leaving, cost, last = trail[last]
            self._under[frame, leaving] = whole - cost, True

    def _at_end(self, exit_: int) -> int:
        if exit_ == ENDED:
            return 0
        return 1 if self._resolve(exit_, (lay.SYMBOL_EMPTY, 0, lay.UNBOUNDED))[0] else UNREACHABLE


def _counted(at_need: int, at_room: int, need: int, room: int) -> tuple[int, int]:
    """An effect's counter, which may be relative to an activation's."""
    if at_room >= 0:
        return at_need, at_room
    items = -1 - at_room
    return max(0, need - items), room if room >= lay.UNBOUNDED else room - items
