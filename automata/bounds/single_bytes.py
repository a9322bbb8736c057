"""The least number of bytes that complete a configuration, extra keys included, for texts read in single-byte tokens."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ...grammar.ir import OP_COUNT, OP_KEY_CLOSE, OP_SET, OP_TEST
from .. import layout as lay
from ..heap import HASH_MASK
from ..step import ROOT_TEXT

if TYPE_CHECKING:
    from ..store import Store

UNREACHABLE: Final = lay.UNBOUNDED
"""The bound of a state from which nothing can be completed."""

KEY: Final = 1 << 24
"""Added to a cost in bytes for each extra key that the path must close; more than the bytes of any completion."""

FILLER: Final = b"a"  # the letter with which an open key is told apart from those seen
QUOTE: Final = b'"'

Node = tuple[int, int]
"""A local state and how many items its activation still needs."""


@dataclass(slots=True)
class _Edge:
    """A hyperedge that waits for parts: the cost so far, how many parts are open, whose edge it is."""

    cost: int
    waiting: int
    user: Node
    parts: tuple[Node, ...]


class ByteBounds:
    """Least numbers of bytes, in single-byte tokens, extra keys included.

    Costs are computed once per store, for nodes (local state, need): the least bytes from there to the end of the activation.  A call is a
    hyperedge, its cost the callee's plus what comes after; Knuth's generalisation of Dijkstra's algorithm (1977) settles the nodes in order
    of cost.  A configuration costs its top node plus one node per frame below it.  On a shortest completion every single-byte token lowers
    that by one; a byte that is no token counts as one that cannot be read.

    Extra keys are told apart by a register that no node sees.  A path that closes one costs ``KEY`` on top, so that any other path is
    preferred; where there is none, the number of keys seen is added, because among that many spellings plus one at least one is new: while
    the key is open, as many letters as the open text really needs.
    """

    def __init__(self, store: Store) -> None:
        """Know nothing yet."""
        self._a = store.arena.a
        self._cost: dict[Node, int] = {}
        self._single = store.single

    def of(self, entries: list[list[int]]) -> int:
        """The least cost of a configuration."""
        best = UNREACHABLE
        for q, need, _, register, frame in entries:
            own = self._resolved(self._node(q, need), register)
            best = min(best, own + self._below(frame, register))
        return best

    def n_keys(self, register: int) -> int:
        """How many extra keys were read in an entry's activation."""
        keys, n = register >> 31, 0
        while keys:
            keys, n = int(self._a[lay.HP + keys + lay.HEADER]), n + 1
        return n

    def _resolved(self, cost: int, register: int) -> int:
        """A node's cost with its extra keys priced for a register."""
        if cost >= UNREACHABLE:
            return UNREACHABLE
        keys, cost = divmod(cost, KEY)
        if not keys:
            return cost
        seen, text = register >> 31, register & HASH_MASK
        texts = self._texts(seen)
        if text:
            spelled = self._text(text)
            extra = 0
            while spelled + QUOTE in texts:
                spelled += FILLER
                extra += 1
        else:
            extra = len(texts)
        return cost + extra + (keys - 1) * (len(texts) + 1)

    def _text(self, text: int) -> bytes:
        a = self._a
        spelled = bytearray()
        while text > ROOT_TEXT:
            spelled.append(int(a[lay.HP + text + lay.HEADER + 1]))
            text = int(a[lay.HP + text + lay.HEADER])
        return bytes(reversed(spelled))

    def _texts(self, seen: int) -> set[bytes]:
        a = self._a
        texts = set()
        while seen:
            texts.add(self._text(int(a[lay.HP + seen + lay.HEADER + 1])))
            seen = int(a[lay.HP + seen + lay.HEADER])
        return texts

    def _below(self, frame: int, register: int) -> int:
        """The least cost of everything under a frame; ``register`` passes through keyed links.  Iterative: frames may be deep."""
        stack = [(frame, register)]
        keyed_total: dict[tuple[int, int], int] = {}
        while stack:
            f, reg = stack[-1]
            links = self._links(f)
            best = UNREACHABLE
            waiting = False
            for symbol, need, _, saved, parent in links:
                if symbol == lay.SYMBOL_EMPTY:
                    best = 0
                    continue
                through = reg if symbol & 1 else saved
                if (parent, through) not in keyed_total and parent != lay.FRAME_EMPTY:
                    stack.append((parent, through))
                    waiting = True
                    break
                under = 0 if parent == lay.FRAME_EMPTY else keyed_total[parent, through]
                closed = (through >> 31) << 31
                best = min(best, self._resolved(self._node(symbol >> 1, need), closed) + under)
            if waiting:
                continue
            stack.pop()
            keyed_total[(f, reg)] = 0 if f == lay.FRAME_EMPTY else best
        return keyed_total[(frame, register)]

    def _links(self, frame: int) -> list[list[int]]:
        if frame == lay.FRAME_EMPTY:
            return []
        a = self._a
        words = (int(a[lay.HP + frame]) & 0xFFFFFFFF) - lay.HEADER
        first = lay.HP + frame + lay.HEADER
        links: list[list[int]] = a[first : first + words].reshape(-1, lay.LINK).tolist()
        return links

    def _node(self, q: int, need: int) -> int:
        node = (q, need)
        if node not in self._cost:
            self._settle(node)
        return self._cost[node]

    def _edges(self, node: Node) -> tuple[bool, list[tuple[int, tuple[Node, ...]]]]:
        """Whether the activation may end at a node, and its edges: (bytes and keys, the nodes that then must be finished)."""
        a = self._a
        q, need = node
        p = lay.LS + q * lay.LS_WIDTH
        flags = int(a[p + lay.L_FLAGS])
        ends = bool(flags & lay.FLAG_ACCEPT) or (bool(flags & lay.FLAG_ACCEPT_NO_NEED) and need == 0)
        edges: list[tuple[int, tuple[Node, ...]]] = []
        first = lay.RG + int(a[p + lay.L_RANGES])
        for i in range(int(a[p + lay.L_N_RANGES])):
            word0, word1 = int(a[first + 2 * i]), int(a[first + 2 * i + 1])
            if not self._single[word0 & 255 : ((word0 >> 8) & 255) + 1].any():
                continue
            op = (word0 >> 16) & 255
            target = word1 & 0xFFFFFFFF
            symbol = ((word1 >> 32) & 0x3FFFFFFF) - 1
            after = need
            cost = 1
            if op == OP_COUNT:
                after = max(0, need - 1)
            elif op == OP_SET:
                after = int(a[lay.PR + 2 * ((word0 >> 24) & 0xFFFFFF)])
            elif op == OP_TEST and need > 0:
                continue
            elif op == OP_KEY_CLOSE:
                cost += KEY
            if symbol >= 0:
                edges.append((cost + KEY, ((target, 0), (symbol >> 1, need))))
                continue
            edges.append((cost, ((target, after),)))
        first = lay.CL + int(a[p + lay.L_CALLS])
        for i in range(int(a[p + lay.L_N_CALLS])):
            callee, pair = int(a[first + 2 * i]), int(a[first + 2 * i + 1])
            symbol = (callee >> 32) - 1
            inner = (callee & 0xFFFFFFFF, int(a[lay.PR + 2 * pair]) if pair >= 0 else 0)
            edges.append((0, (inner,) if symbol < 0 else (inner, (symbol >> 1, need))))
        return ends, edges

    def _settle(self, root: Node) -> None:
        """Settle every node that the root's cost depends on (Knuth 1977)."""
        reached = {root}
        work = [root]
        heap: list[tuple[int, Node]] = []
        users: dict[Node, list[_Edge]] = {}
        for node in work:
            ends, edges = self._edges(node)
            if ends:
                heap.append((0, node))
            for cost, parts in edges:
                waiting = [part for part in set(parts) if part not in self._cost]
                base = cost + sum(self._cost[part] for part in parts if part in self._cost)
                if base >= UNREACHABLE:
                    continue
                if not waiting:
                    heap.append((base, node))
                    continue
                edge = _Edge(base, len(waiting), node, parts)
                for part in waiting:
                    users.setdefault(part, []).append(edge)
                    if part not in reached:
                        reached.add(part)
                        work.append(part)
        heapq.heapify(heap)
        while heap:
            cost, node = heapq.heappop(heap)
            if node in self._cost:
                continue
            self._cost[node] = cost
            for edge in users.get(node, ()):
                edge.cost += cost * edge.parts.count(node)
                edge.waiting -= 1
                if edge.waiting == 0 and edge.user not in self._cost:
                    heapq.heappush(heap, (edge.cost, edge.user))
        for node in reached:
            self._cost.setdefault(node, UNREACHABLE)
