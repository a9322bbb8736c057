"""The least number of bytes that complete a configuration, extra keys included, for texts read in single-byte tokens."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ...grammar.ir import (
    ITEM_BEGIN,
    ITEM_END,
    OP_COUNT,
    OP_KEY_CLOSE,
    OP_KEY_DROP,
    OP_KEY_OPEN,
    OP_SET,
    OP_TEST,
    OP_TEXT_OPEN,
    OPERATION,
)
from .. import layout as lay
from ..heap import HASH_MASK, ROOT_TEXT, n_keys
from ..registers import CARRIED, PASSED, inner_of, is_nested, is_value, outer_of
from ..symbols import FIRST_DIGIT, MARK
from .keys import UNREACHABLE, Exit, Keys

if TYPE_CHECKING:
    from ..store import Store
    from .packed import PackedBounds
    from .parser import ParserBounds

UNBOUNDED: Final = lay.UNBOUNDED
KEY: Final = 1 << 24
"""Added to a cost in bytes for each extra key that the path must close; more than the bytes of any completion."""

ITEM: Final = 1 << 50
"""Added to a cost for each further item that must differ from those before it; more than any number of keys."""

FILLER: Final = b"a"  # the letter with which an open key is told apart from those seen
QUOTE: Final = b'"'
SHORTEST_KEY: Final = 2  # bytes: the quotes
_COLON: Final = 0x3A
IN_KEY: Final = -2  # in the search for an open key's text: no other rule reads it
COMPLETE: Final = -1

Node = tuple[int, int, int]
"""A local state, how many items its activation still needs, and how many it may still read."""


@dataclass(slots=True)
class _Edge:
    """A way on from a node: what it costs itself, the nodes that must be finished then, the items read of the node's own activation.

    Its cost is ``cost`` and its parts' together; with ``worst``, the greatest of its parts' costs, each with what lies before it.
    ``own`` says which part belongs to the node's own activation (-1: none), so that its items are the node's.  ``opened`` is the state in which a key
    begins (-1: none): the edge stands for those of ``_key_edges``, of which none costs less.
    """

    cost: int
    parts: tuple[Node, ...]
    own: int = -1
    items: int = 0
    worst: tuple[int, ...] | None = None
    opened: int = -1


@dataclass(slots=True)
class _Waiting:
    """An edge whose parts are being settled, one after the other: whose it is, how many are, and what it costs at least."""

    user: Node
    edge: _Edge
    cost: int
    items: int
    settled: int = 0


class ByteBounds:
    """Least numbers of bytes, in single-byte tokens, keys of the register included.

    Costs are computed once per store, for nodes (local state, need): the least bytes from there to the end of the activation.  A call is a
    hyperedge, its cost the callee's plus what comes after; Knuth's generalisation of Dijkstra's algorithm (1977) settles the nodes in order
    of cost.  A configuration costs its top node plus one node per frame below it.  On a shortest completion every single-byte token lowers
    that by one; a byte that is no token counts as one that cannot be read.

    A count that may not grow beyond some room would make a node of every room.  So a node is first settled as if there were room without
    end, and the items that its cheapest way reads are noted; only where they are more than there is room for, the node with that room is
    settled as well.

    Items that must differ are counted, in units of ``ITEM``, and not priced: a caller that meets one searches.

    Keys are told apart by a register that no node sees.  An open key is completed by the cheapest text that is not among those seen, found by
    search.  A key that is still to be opened costs, whatever was seen by then: where something is needed, the dearest of the needed ones, since
    one of them is missing; else the dearest of finitely many; else, among infinitely many, the shortest that a letter draws out, and ``KEY``
    on top (where only longer cycles do, the shortest of all, and ``KEY`` for each state); for each ``KEY`` the number of keys seen is added
    when a configuration is priced, because among that many spellings plus one at least one is new.

    With ``freely``, keys and items need not differ from any others: a lower bound.
    """

    def __init__(
        self,
        store: Store,
        single: npt.NDArray[np.bool_],
        packed: PackedBounds,
        parsed: ParserBounds,
        *,
        freely: bool = False,
    ) -> None:
        """Know nothing yet; ``single`` says of each byte whether it is a token by itself, or is to be taken for one."""
        self._a = store.arena.a
        self._packed = packed
        self._parsed = parsed
        self._freely = freely
        self._cost: dict[Node, int] = {}
        self._items: dict[Node, int] = {}  # of settled nodes that can be finished
        self._reached: set[Node] = set()
        self._users: dict[Node, list[_Waiting]] = {}  # the edges that wait for a node
        self._heap: list[tuple[int, int, int, _Waiting]] = []  # cost, items, a number of its own, the edge
        self._serial = 0
        self._symbols = store.symbols is not None
        if self._symbols:
            single = single.copy()
            single[FIRST_DIGIT : MARK + 1] = True
        self._single = single
        self._up_to = [0, *np.cumsum(single).tolist()]  # how many bytes below each are tokens by themselves
        self._keys = Keys(self._a, self._up_to)
        self._single_bytes: dict[tuple[int, int], bytes] = {}

    def of(self, entries: list[list[int]]) -> int:
        """The least cost of a configuration."""
        best = UNREACHABLE
        for q, need, room, register, frame in entries:
            inner = int(inner_of(self._a, register))
            if not self._freely and inner & HASH_MASK and not is_value(self._a, inner & HASH_MASK):
                best = min(best, self._open_key(q, need, room, register, frame))
            else:
                seen = self.n_keys(register)
                best = min(best, self._priced(self._node(q, need, room), seen) + self._below(frame, seen, register))
        return best

    def n_keys(self, register: int) -> int:
        """How many keys were read in an entry's activation; a value that is open will be one more."""
        inner = int(inner_of(self._a, register))
        return int(n_keys(self._a, inner >> 31)) + bool(is_value(self._a, inner & HASH_MASK))

    def _priced(self, cost: int, seen: int) -> int:
        """A node's cost with the keys on its way told apart from those seen."""
        if cost >= UNREACHABLE or self._freely:
            return min(cost, UNREACHABLE)
        items, cost = divmod(cost, ITEM)
        keys, cost = divmod(cost, KEY)
        return cost + keys * (seen + keys) + items * ITEM

    def _open_key(self, q: int, need: int, room: int, register: int, frame: int) -> int:
        """The least cost of an entry whose key is open: a search for the cheapest text that completes it and is not among those seen.

        Best first, by the bytes read and the least that can follow (A*), so that few texts but those seen are tried; of the bytes of a
        range one more than keys were seen.
        """
        a = self._a
        inner = int(inner_of(a, register))
        seen = self._texts(inner >> 31)
        under: dict[tuple[int, int], int] = {}

        def behind(state: int, level: int) -> int:
            """The cost from a state of the activation that has the key, or from the links of the frame (state -1)."""
            if (state, level) not in under:
                own = 0 if state < 0 else self._priced(self._node(state, need, room), level)
                under[state, level] = own + self._below(frame, level, register)
            return under[state, level]

        least: dict[tuple[int, int], int] = {}

        def rest(state: int, back: int) -> int:
            """The least that may follow in a state; ``back`` is where the rule of the key's rest returns to, ``IN_KEY`` outside of it."""
            if (state, back) not in least:
                if back != IN_KEY:
                    least[state, back] = self._node(state, 0, UNBOUNDED) + behind(back, len(seen) + 1)
                else:
                    least[state, back] = min(
                        (
                            e.shortest + behind(e.target, len(seen) + (e.op == OP_KEY_CLOSE))
                            if e.symbol < 0
                            else e.shortest + rest(e.target, e.symbol >> 1)
                            for e in self._keys.exits(state)[0]
                        ),
                        default=UNREACHABLE,
                    )
            return least[state, back]

        back = -1 if any(link[0] >= 0 and link[0] & 1 for link in self._links(frame)) else IN_KEY
        start = self._text(inner & HASH_MASK)
        heap = [(rest(q, back), 0, start, b"", 0, q, back, IN_KEY)]
        while heap:
            # the cost at least, and how it comes about: the text before a byte, the bytes to try, which is next, the state behind it
            # (of texts that cost the same the longest first, or all beginnings of a long key would be tried)
            cost, minus_length, before, choices, i, state, back, op = heapq.heappop(heap)
            if cost >= UNREACHABLE:
                break
            if i + 1 < len(choices):
                heapq.heappush(heap, (cost, minus_length, before, choices, i + 1, state, back, op))
            text = before + choices[i : i + 1]
            if state == COMPLETE:
                if op == OP_KEY_DROP or text not in seen:
                    return cost
                continue
            p = lay.LS + state * lay.LS_WIDTH
            first = lay.RG + int(a[p + lay.L_RANGES])
            words = a[first : first + 2 * int(a[p + lay.L_N_RANGES])].tolist()
            length = 1 - minus_length
            for word0, word1 in zip(words[::2], words[1::2], strict=True):
                low, high, op = word0 & 255, (word0 >> 8) & 255, (word0 >> 16) & 255
                choices = self._singles(low, high)[: len(seen) + 1]
                if not choices:
                    continue
                target, pushed = word1 & 0xFFFFFFFF, ((word1 >> 32) & 0x3FFFFFFF) - 1
                over = pushed >> 1 if pushed >= 0 else back
                if op == OP_KEY_DROP:
                    after, target = behind(target, len(seen)), COMPLETE
                elif op == OP_KEY_CLOSE:
                    after, target = behind(target, len(seen) + 1), COMPLETE
                elif int(a[lay.LS + target * lay.LS_WIDTH + lay.L_FLAGS]) & lay.FLAG_END:
                    after, target = behind(back, len(seen) + 1), COMPLETE
                else:
                    after = rest(target, over)
                heapq.heappush(heap, (length + after, -length, text, choices, 0, target, over, op))
        return UNREACHABLE

    def _singles(self, low: int, high: int) -> bytes:
        """The bytes of a range that are tokens by themselves."""
        known = self._single_bytes.get((low, high))
        if known is None:
            known = self._single_bytes[low, high] = bytes(c for c in range(low, high + 1) if self._single[c])
        return known

    def _text(self, text: int) -> bytes:
        a = self._a
        spelled = bytearray()
        while text > ROOT_TEXT:
            spelled.append(int(a[lay.HP + text + lay.HEADER + 1]))
            text = int(a[lay.HP + text + lay.HEADER])
        return bytes(reversed(spelled))

    def _texts(self, keys: int) -> set[bytes]:
        a = self._a
        texts = set()
        while keys:
            texts.add(self._text(int(a[lay.HP + keys + lay.HEADER + 1])))
            keys = int(a[lay.HP + keys + lay.HEADER])
        return texts

    def _below(self, frame: int, seen: int, register: int) -> int:
        """The least cost of everything under a frame; ``seen`` keys pass through keyed links.  Iterative: frames may be deep."""
        stack = [(frame, seen, register)]
        total: dict[tuple[int, int, int], int] = {}
        while stack:
            f, through, carried = stack[-1]
            best = UNREACHABLE
            waiting = False
            for symbol, need, room, saved, parent in self._links(f):
                if symbol == lay.SYMBOL_EMPTY:
                    best = 0
                    continue
                back = carried
                if not symbol & 1:
                    back = saved if saved >= 0 else self._around(carried, saved)
                level = through if symbol & 1 else 0 if saved == PASSED else self.n_keys(back)
                if (parent, level, back) not in total and parent != lay.FRAME_EMPTY:
                    stack.append((parent, level, back))
                    waiting = True
                    break
                under = 0 if parent == lay.FRAME_EMPTY else total[parent, level, back]
                best = min(best, self._priced(self._node(symbol >> 1, need, room), level) + under)
            if waiting:
                continue
            stack.pop()
            total[f, through, carried] = 0 if f == lay.FRAME_EMPTY else best
        return total[frame, seen, register]

    def _around(self, register: int, saved: int) -> int:
        """What matters of the register after a return that brings the callee's with it; with no keys of its own it stays as it is."""
        if not is_nested(register):
            return 0
        return int(outer_of(self._a, register)) if saved == CARRIED else register

    def _links(self, frame: int) -> list[list[int]]:
        if frame == lay.FRAME_EMPTY:
            return []
        a = self._a
        words = (int(a[lay.HP + frame]) & 0xFFFFFFFF) - lay.HEADER
        first = lay.HP + frame + lay.HEADER
        links: list[list[int]] = a[first : first + words].reshape(-1, lay.LINK).tolist()
        return links

    def _node(self, q: int, need: int, room: int) -> int:
        """The cost of a node."""
        for node in ((q, need, UNBOUNDED), (q, need, room)):
            if node not in self._cost:
                self._settle(node)
            if self._items.get(node, 0) <= room:
                break
        return self._cost[node]

    def _counts(self, q: int) -> bool:
        """Whether the colon read in a state behind a key counts an item."""
        a = self._a
        p = lay.LS + q * lay.LS_WIDTH
        first = lay.RG + int(a[p + lay.L_RANGES])
        for word in a[first : first + 2 * int(a[p + lay.L_N_RANGES]) : 2].tolist():
            if word & 255 <= _COLON <= (word >> 8) & 255:
                return bool((word >> 16) & OPERATION == OP_COUNT)
        return False

    def _key_edges(self, opened: int, need: int, room: int) -> list[_Edge]:
        """The edges of a state whose quote opens a key: what the key and all after it cost at most."""
        exits, states = self._keys.exits(opened)
        closing = [e for e in exits if e.op == OP_KEY_CLOSE]
        needed = [e for e in closing if self._counts(e.target)] if need and not self._freely else []
        if needed:
            return [_dearest(needed, need, room)]
        edges: list[_Edge] = []
        for e in exits:
            behind = (e.symbol >> 1 if e.symbol >= 0 else e.target, need, room)
            if e.op == OP_KEY_DROP or (self._freely and e.symbol < 0):
                edges.append(_Edge(1 + e.shortest, (behind,), 0))
            elif e.symbol >= 0:
                edges.append(_Edge(1 + e.shortest + KEY * (not self._freely), ((e.target, 0, UNBOUNDED), behind), 1))
            elif e.drawn < UNREACHABLE:
                edges.append(_Edge(1 + e.drawn + KEY, (behind,), 0))
            elif e.longest >= UNREACHABLE:
                edges.append(_Edge(1 + e.shortest + KEY * states, (behind,), 0))  # a cycle has no more states
        if not edges and closing:
            edges.append(_dearest(closing, need, room))
        return edges

    def _edges(self, node: Node) -> tuple[bool, list[_Edge]]:
        """Whether the activation may end at a node, and its edges."""
        a = self._a
        q, need, room = node
        p = lay.LS + q * lay.LS_WIDTH
        flags = int(a[p + lay.L_FLAGS])
        ends = bool(flags & lay.FLAG_ACCEPT) or (bool(flags & lay.FLAG_ACCEPT_NO_NEED) and need == 0)
        if self._packed.is_packed(q):
            cost = self._packed.bytes(q, self._single)
            return ends, [] if cost is None else [_Edge(cost, ())]
        if self._parsed.begins(q):
            whole = self._parsed.whole(q)
            return ends, [] if whole >= UNREACHABLE else [_Edge(whole, ())]
        edges: list[_Edge] = []
        first = lay.RG + int(a[p + lay.L_RANGES])
        for i in range(int(a[p + lay.L_N_RANGES])):
            word0, word1 = int(a[first + 2 * i]), int(a[first + 2 * i + 1])
            if self._up_to[word0 & 255] == self._up_to[((word0 >> 8) & 255) + 1]:
                continue
            marked = (word0 >> 16) & 255
            op = marked & OPERATION
            target, symbol = word1 & 0xFFFFFFFF, ((word1 >> 32) & 0x3FFFFFFF) - 1
            if op in (OP_KEY_OPEN, OP_TEXT_OPEN):
                edges.append(_Edge(SHORTEST_KEY, (), opened=target))
                continue
            if op == OP_SET:
                pair = lay.PR + 2 * ((word0 >> 24) & 0xFFFFFF)
                edges.append(_Edge(self._price(word0), ((target, int(a[pair]), int(a[pair + 1])),)))
                continue
            if (op == OP_TEST and need > 0) or (op == OP_COUNT and room <= 0):
                continue
            behind = (target, need, room)
            if op == OP_COUNT:
                behind = (target, max(0, need - 1), room if room >= UNBOUNDED else room - 1)
            another = bool(marked & ITEM_BEGIN) and bool(marked & ITEM_END) and not self._freely
            parts = (behind,) if symbol < 0 else ((target, 0, UNBOUNDED), (symbol >> 1, *behind[1:]))
            edges.append(_Edge(self._price(word0) + ITEM * another, parts, len(parts) - 1, int(op == OP_COUNT)))
        first = lay.CL + int(a[p + lay.L_CALLS])
        for i in range(int(a[p + lay.L_N_CALLS])):
            callee, pair = int(a[first + 2 * i]), int(a[first + 2 * i + 1])
            symbol = (callee >> 32) - 1
            counts = (int(a[lay.PR + 2 * pair]), int(a[lay.PR + 2 * pair + 1])) if pair >= 0 else (0, UNBOUNDED)
            inner = (callee & 0xFFFFFFFF, *counts)
            edges.append(_Edge(0, (inner,)) if symbol < 0 else _Edge(0, (inner, (symbol >> 1, need, room)), 1))
        return ends, edges

    def _price(self, word: int) -> int:
        """What a byte of a range costs: a symbol costs what its first byte does."""
        return int(not (self._symbols and FIRST_DIGIT <= word & 255 < MARK))

    def _settle(self, root: Node) -> None:
        """Settle nodes, the cheapest first, until the root is (Knuth 1977).

        An edge is taken up in turn of what it costs at least, and only then asks for its next part.  So no more is looked at than what may be cheaper than
        the root: of ``{``, which ``}`` may follow, none of the members.  What is under way is kept for the next root.
        """
        costs = self._cost
        self._reach(root)
        while root not in costs:
            if not self._heap:  # nothing is on its way to what is not settled now
                self._cost |= dict.fromkeys(self._reached - costs.keys(), UNREACHABLE)
                self._users.clear()
                return
            cost, items, _, waiting = heapq.heappop(self._heap)
            node = waiting.user
            if node in costs:
                continue
            if waiting.edge.opened >= 0:
                self._queue_edges(node, self._key_edges(waiting.edge.opened, *node[1:]))
                continue
            if waiting.settled < len(waiting.edge.parts):
                self._ask(waiting)
                continue
            costs[node], self._items[node] = cost, items
            for user in self._users.pop(node, ()):
                if user.user not in costs:
                    self._ask(user)

    def _reach(self, node: Node) -> None:
        """Queue the edges of a node that is asked for."""
        if node in self._reached:
            return
        self._reached.add(node)
        ends, edges = self._edges(node)
        if ends:
            edges.append(_Edge(0, ()))
        self._queue_edges(node, edges)

    def _queue_edges(self, node: Node, edges: list[_Edge]) -> None:
        for edge in edges:
            least = edge.cost + self._at_least(edge.parts[0]) if edge.parts else edge.cost
            self._queue(_Waiting(node, edge, max((edge.cost, *(edge.worst or ()))), edge.items), least)

    def _at_least(self, node: Node) -> int:
        """What a node costs at least, as far as its own state tells: where bytes are read and it may not end, one."""
        p = lay.LS + node[0] * lay.LS_WIDTH
        flags = int(self._a[p + lay.L_FLAGS])
        if (
            self._symbols
            or self._a[p + lay.L_REACH] >= 0
            or self._a[p + lay.L_N_CALLS]
            or not self._a[p + lay.L_N_RANGES]
        ):
            return 0
        return int(not (flags & lay.FLAG_ACCEPT or (flags & lay.FLAG_ACCEPT_NO_NEED and node[1] == 0)))

    def _queue(self, waiting: _Waiting, least: int = 0) -> None:
        """Queue an edge, in turn of its cost, or of what it is known to come to at ``least``."""
        if waiting.cost < UNREACHABLE:
            self._serial += 1
            heapq.heappush(self._heap, (max(waiting.cost, least), waiting.items, self._serial, waiting))

    def _ask(self, waiting: _Waiting) -> None:
        """Add the cost of an edge's next part and queue it again; where that is not known, let it wait."""
        i = waiting.settled
        q, need, room = waiting.edge.parts[i]
        node = (q, need, UNBOUNDED)
        if node in self._cost and self._items.get(node, 0) > room:
            node = (q, need, room)
        cost = self._cost.get(node)
        if cost is None:
            self._users.setdefault(node, []).append(waiting)
            self._reach(node)
            return
        worst = waiting.edge.worst
        waiting.settled += 1
        if worst is None:
            waiting.cost += cost
            waiting.items += self._items.get(node, 0) if waiting.edge.own == i else 0
        else:
            waiting.cost = max(waiting.cost, cost + worst[i])
            waiting.items = max(waiting.items, self._items.get(node, 0))
        self._queue(waiting)


def _dearest(exits: list[Exit], need: int, room: int) -> _Edge:
    """The edge that costs what the dearest of some ways out of a key does, opening quote included."""
    before: dict[Node, int] = {}
    for e in exits:
        node = (e.target, need, room)
        before[node] = max(before.get(node, 0), 1 + e.longest)
    return _Edge(0, tuple(before), worst=tuple(before.values()))
