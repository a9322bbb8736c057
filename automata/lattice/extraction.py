"""From the effects of a constraint to its canvas machine: which controls, symbols and edges there are.

A worklist over what can occur.  Two kinds of sets grow together: ``tops`` of a control (the symbols that can lie on top of the stack while it
runs) and ``below`` of a symbol (those that can lie under it).  An effect that pushes nothing hands its control's tops on, one that pushes
makes them the ``below`` of what it pushes lowest; so the sets are related by inclusions, and a symbol that is new in a set is new in every set
that includes it.  Where a control's tokens have pop points, each symbol of ``tops`` is popped in turn: the child of the effect node says what
happens there, and its own pop points go on with ``below`` of that symbol.

Counters are concrete here (need and room of an activation are part of a control's or symbol's identity), so guards are decided, not kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ...grammar.errors import LimitExceeded
from .. import layout as lay
from ..arena import check
from ..effects.nodes import child, root
from .flatten import flatten
from .growing import GrowingSets
from .machine import BOTTOM, CONTROL, POP, PUSH, CanvasMachine
from .partition import Runs, partition

if TYPE_CHECKING:
    from ..constraint import Constraint
    from ..store import Store

MOST_CONTROLS: Final = 20_000
MOST_EDGES: Final = 1_000_000
MOST_POPS: Final = 40
"""Symbols that one token pops; a grammar in which there is no bound on them is not of this form."""

MOST_POPPED: Final = 60_000
"""Words of symbols that are popped, over all controls: each may cost an effect node."""

Activation = tuple[int, int, int]
"""Local state (or symbol), need, room."""

Effect = tuple[int, int, int, tuple[Activation, ...], int, int, int, int, int]
"""Landing state, need, room, links pushed (topmost first), least room, greatest need, chain, tokens and how many."""

Levels = tuple[tuple[int, int], ...]

ENDED: Final = (0, 0, lay.UNBOUNDED)
"""The control that a text which has come to its end leads to; nothing lies on its stack."""

CLOSED: Final = (-1, 0, 0)
"""The control after an end-of-sequence token."""


class Beyond(LimitExceeded):
    """The constraint has no canvas machine of a bearable size, or none of this form."""

    def __init__(self, what: str) -> None:
        """Say what stands in the way."""
        self.what = what
        super().__init__(what, limit="canvas machine", value=MOST_CONTROLS, hint="use a smaller window of the canvas")


@dataclass(slots=True)
class _Node:
    """What is read of an effect node once."""

    effects: list[Effect]
    pops: bool
    registers: bool
    delta: int  # number of the set of tokens that a shadowed state takes from its string body, -1 for none


@dataclass(slots=True)
class _Deep:
    """Tokens of a control in the middle of their pops; ``node`` -1 if the text ends here."""

    control: int
    path: tuple[int, ...]
    node: int
    levels: Levels
    delta: int


class Extraction:
    """One run of the worklist."""

    def __init__(self, constraint: Constraint, most_controls: int = MOST_CONTROLS) -> None:
        """Know the end of the text and the bottom of the stack."""
        self._store: Store = constraint.store
        self._a, self._r = constraint.store.arena
        self._most_controls = most_controls
        self._start = (constraint.rule_start, 0, lay.UNBOUNDED)
        self._nodes: dict[int, _Node] = {}
        self._pushed_links: dict[int, tuple[Activation, ...]] = {}
        self._deltas: list[npt.NDArray[np.int64]] = []
        self._controls: dict[Activation, int] = {}
        self._control_sets: list[int] = []
        self._symbols: dict[Activation, int] = {}
        self._symbol_list: list[Activation] = []
        self._below: list[int] = []
        self._sets: GrowingSets[_Deep] = GrowingSets(self._pop)
        self._fresh: deque[tuple[Activation, int]] = deque()
        self._chains: dict[tuple[int, int, int], int] = {}
        self._edges: dict[tuple[int, int], dict[tuple[int, int, int], None]] = {}  # control, node -> runs
        self._ends: set[tuple[int, int]] = set()
        self._popped_words = 0
        self.registers = False

    def machine(self) -> CanvasMachine:
        """Follow everything that can occur, and lay the machine out.

        Raises:
            Beyond: there are too many controls or edges, or the constraint has a parser's states or token terminals.

        """
        if self._store.twins is not None:
            raise Beyond("tokens are terminals of the constraint")
        with self._store.lock:
            bottom = self._symbol((lay.SYMBOL_EMPTY, 0, lay.UNBOUNDED))
            ended, closed = self._control(ENDED), self._control(CLOSED)
            self._fresh.clear()  # they have no effects
            start = self._control(self._start)
            self._sets.add(self._control_sets[start], bottom)
            while self._fresh or self._sets:
                if self._fresh:
                    self._expand(*self._fresh.popleft())
                else:
                    self._sets.spread()
            self._ends |= {(ended, closed), (closed, closed)}
            return self._laid_out(start, closed)

    # --- what there is ------------------------------------------------------------------------------------------------

    def _control(self, activation: Activation) -> int:
        number = self._controls.get(activation)
        if number is None:
            if len(self._controls) >= self._most_controls:
                raise Beyond(f"more than {self._most_controls} controls are possible")
            number = self._controls[activation] = len(self._controls)
            self._control_sets.append(self._sets.new())
            self._fresh.append((activation, number))
        return number

    def _symbol(self, activation: Activation) -> int:
        number = self._symbols.get(activation)
        if number is None:
            number = self._symbols[activation] = len(self._symbol_list)
            self._symbol_list.append(activation)
            self._below.append(self._sets.new())
            self.registers |= activation[0] > 0 and bool(activation[0] & 1)
        return number

    def _chain(self, kind: int, symbol: int, inner: int) -> int:
        """The node that pushes or pops a symbol; -1 - k for the k-th, controls being their own numbers."""
        return self._chains.setdefault((kind, symbol, inner), -1 - len(self._chains))

    # --- effects --------------------------------------------------------------------------------------------------------

    def _expand(self, activation: Activation, control: int) -> None:
        q, need, room = activation
        a = self._a
        p = lay.LS + q * lay.LS_WIDTH
        flags = int(a[p + lay.L_FLAGS])
        if flags & lay.FLAG_PUSH or a[p + lay.L_N_EXITS] or a[p + lay.L_REACH] >= 0:
            raise Beyond("the constraint has a parser's states")
        tops = self._control_sets[control]
        number = self._root(q)
        node = self._node(number)
        self._land(control, (), tops, node, need, room, (), -1)
        if node.pops:
            self._sets.watch(tops, _Deep(control, (), number, ((need, room),), -1))
        if self._accepts(q, need):
            self._sets.watch(tops, _Deep(control, (), -1, (), -1))
        if node.delta >= 0:
            body, symbol = int(a[p + lay.L_SHADOW]) - 1, int(a[p + lay.L_SHADOW_SYM])
            self._shadow(control, self._root(body), (symbol, need, room), node.delta)

    def _shadow(self, control: int, body: int, link: Activation, delta: int) -> None:
        """A state imitates a string body called under a link: what that does, but for the tokens of ``delta``."""
        symbol = self._symbol(link)
        tops = self._control_sets[control]
        self._sets.include(tops, self._below[symbol])
        node = self._node(body)
        self._land(control, (), tops, node, 0, lay.UNBOUNDED, (), delta, under=link)
        if node.pops:
            number = self._child(body, link[0])
            below = self._node(number)
            levels = ((0, lay.UNBOUNDED),)
            self._land(control, (), tops, below, link[1], link[2], levels, delta)
            if below.pops:
                self._sets.watch(tops, _Deep(control, (), number, ((link[1], link[2]), *levels), delta))

    def _pop(self, deep: _Deep, symbol: int) -> None:
        """Go on with tokens where they find a symbol."""
        path = (*deep.path, symbol)
        self._popped_words += 1
        if self._popped_words > MOST_POPPED:
            raise Beyond(f"tokens pop more than {MOST_POPPED} words of symbols")
        if len(path) > MOST_POPS:
            raise Beyond(f"a token may pop more than {MOST_POPS} symbols")
        state, need, room = self._symbol_list[symbol]
        if deep.node < 0:
            if symbol == BOTTOM:
                self._ends.add((deep.control, self._popped(path, self._controls[CLOSED])))
            elif self._accepts(state >> 1, need):
                self._sets.watch(self._below[symbol], _Deep(deep.control, path, -1, (), -1))
            return
        number = self._child(deep.node, state)
        node = self._node(number)
        self._land(deep.control, path, self._below[symbol], node, need, room, deep.levels, deep.delta)
        if node.pops and symbol != BOTTOM:
            deeper = _Deep(deep.control, path, number, ((need, room), *deep.levels), deep.delta)
            self._sets.watch(self._below[symbol], deeper)

    def _popped(self, path: tuple[int, ...], node: int) -> int:
        for symbol in reversed(path):
            node = self._chain(POP, symbol, node)
        return node

    def _land(
        self,
        control: int,
        path: tuple[int, ...],
        below: int,
        node: _Node,
        need: int,
        room: int,
        levels: Levels,
        delta: int,
        *,
        under: Activation | None = None,
    ) -> None:
        """Add an edge for each effect of a node whose guards hold.

        Args:
            control: whose edges they are.
            path: the symbols popped on the way.
            below: the set of symbols that can lie below what the effects push.
            node: the effects.
            need: of the activation that they are relative to, like ``room``.
            room: see there.
            levels: need and room of the activations popped before, the last popped first.
            delta: tokens to be left out.
            under: a symbol that is pushed below what the effects push.

        """
        self.registers |= node.registers
        for q, at_need, at_room, links, least_room, most_need, chain, tokens, n_tokens in node.effects:
            if room < least_room or need > most_need or not self._holds(chain, levels):
                continue
            target = self._control((q, *_counted(at_need, at_room, need, room)))
            pushed = [self._symbol((s, *_counted(n, r, need, room))) for s, n, r in links]
            if under is not None:
                pushed.append(self._symbol(under))
            inner = target
            place = self._control_sets[target]
            for symbol in pushed:
                self._sets.add(place, symbol)
                place = self._below[symbol]
                inner = self._chain(PUSH, symbol, inner)
            self._sets.include(below, place)
            edge = self._edges.setdefault((control, self._popped(path, inner)), {})
            edge[tokens, n_tokens, delta] = None
        if len(self._edges) > MOST_EDGES:
            raise Beyond(f"more than {MOST_EDGES} edges are possible")

    def _holds(self, chain: int, levels: Levels) -> bool:
        """Whether the guards of the pop points that a token came through hold."""
        for need, room in levels:
            if chain < 0:
                break
            p = lay.PP + chain * lay.PP_WIDTH
            if room < self._a[p + lay.P_MIN_ROOM] or need > self._a[p + lay.P_MAX_NEED]:
                return False
            chain = int(self._a[p + lay.P_CHAIN])
        return True

    def _accepts(self, q: int, need: int) -> bool:
        flags = int(self._a[lay.LS + q * lay.LS_WIDTH + lay.L_FLAGS])
        return bool(flags & lay.FLAG_ACCEPT) or (need == 0 and bool(flags & lay.FLAG_ACCEPT_NO_NEED))

    def _root(self, q: int) -> int:
        node = int(root(self._a, self._r, q))
        if node < 0:
            check(self._a)
        return node

    def _child(self, node: int, symbol: int) -> int:
        below = int(child(self._a, self._r, node, symbol))
        if below < 0:
            check(self._a)
        return below

    def _node(self, number: int) -> _Node:
        known = self._nodes.get(number)
        if known is not None:
            return known
        a = self._a
        e = lay.EF + number * lay.EF_WIDTH
        if a[e + lay.E_N_CONDS]:
            raise Beyond("the constraint has a parser's states")
        first = lay.GR + int(a[e + lay.E_GROUPS]) * lay.GR_WIDTH
        groups = a[first : first + int(a[e + lay.E_N_GROUPS]) * lay.GR_WIDTH].reshape(-1, lay.GR_WIDTH)
        registers = bool(a[e + lay.E_N_OPENS]) or bool(a[e + lay.E_N_VERIFY])
        effects: list[Effect] = []
        for q, need, room, key, frame, least_room, most_need, chain, tokens, n_tokens, _ in groups.tolist():
            if n_tokens == 0:
                continue
            registers |= key != 0
            effects.append((q, need, room, self._pushed(frame), least_room, most_need, chain, tokens, n_tokens))
        delta = -1
        if a[e + lay.E_SHADOW]:
            first = lay.PP + int(a[e + lay.E_DELTA])
            delta = len(self._deltas)
            self._deltas.append(a[first : first + 2 * int(a[e + lay.E_N_DELTA])].reshape(-1, 2).copy())
            registers = True
        known = self._nodes[number] = _Node(effects, bool(a[e + lay.E_N_POPS]), registers, delta)
        return known

    def _pushed(self, frame: int) -> tuple[Activation, ...]:
        """The links above the unknown frame, topmost first.  Frames of effects are chains of single links."""
        found = self._pushed_links.get(frame)
        if found is None:
            links: list[Activation] = []
            here = frame
            while here > lay.FRAME_UNKNOWN:
                p = lay.HP + here + lay.HEADER
                symbol, need, room, _, here = self._a[p : p + lay.LINK].tolist()
                links.append((symbol, need, room))
            found = self._pushed_links[frame] = tuple(links)
        return found

    # --- the arrays -------------------------------------------------------------------------------------------------------

    def _laid_out(self, start: int, closed: int) -> CanvasMachine:
        n_controls = len(self._controls)
        begin = self._chain(PUSH, BOTTOM, start)
        chains = list(self._chains)

        def numbered(node: int) -> int:
            return node if node >= 0 else n_controls - 1 - node

        n = n_controls + len(chains)
        kind = np.full(n, CONTROL, np.int8)
        inner = np.arange(n, dtype=np.int32)
        symbol = np.full(n, -1, np.int32)
        for i, (what, which, below) in enumerate(chains):
            kind[n_controls + i], symbol[n_controls + i], inner[n_controls + i] = what, which, numbered(below)
        a = self._a
        eos = int(a[lay.H_EOS])
        ends = a[lay.EO : lay.EO + eos + int(a[lay.H_PAD])]
        edges = sorted((control, numbered(node), tuple(runs)) for (control, node), runs in self._edges.items())
        runs = Runs(self._store, self._deltas)
        numbers = [[runs.number(*run) for run in of_edge] for _, _, of_edge in edges]
        parts = partition(self._r, runs, ends[:eos], ends[eos:])
        rows: dict[tuple[int, int], npt.NDArray[np.uint64]] = {}
        for (control, node, _), own in zip(edges, numbers, strict=True):
            rows[control, node] = np.bitwise_or.reduce(parts.classes[own], axis=0)
        end, pad = parts.only(parts.end_class), parts.only(parts.pad_class)
        for control, node in self._ends:
            row = rows.setdefault((control, numbered(node)), np.zeros_like(end))
            row |= end
            if control == closed:
                row |= pad
        order = sorted(rows)
        starts = np.zeros(n_controls + 1, np.int32)
        np.add.at(starts, [control + 1 for control, _ in order], 1)
        accepting = np.zeros(n_controls, np.bool_)
        accepting[closed] = True
        machine = CanvasMachine(
            kind=kind,
            inner=inner,
            symbol=symbol,
            edge_start=np.cumsum(starts, dtype=np.int32),
            edge_node=np.array([node for _, node in order], np.int32),
            edge_classes=np.array([rows[edge] for edge in order], np.uint64).reshape(len(order), -1),
            accepting=accepting,
            start=numbered(begin),
            n_symbols=len(self._symbol_list),
            n_classes=parts.n_classes,
            class_of=parts.class_of,
            end_class=parts.end_class,
            deterministic=False,
            exact=not self.registers,
        )
        machine = flatten(machine, [self._sets.symbols(place) for place in self._below])
        return replace(machine, deterministic=is_deterministic(machine))


def is_deterministic(machine: CanvasMachine) -> bool:
    """Whether at most one run reads any text; may say no where that takes a look at more than one control.

    Two edges of a control exclude each other if they share no class, or if their pops ask for different symbols at the same depth.
    """

    def at_most_one(edges: list[tuple[int, npt.NDArray[np.uint64]]]) -> npt.NDArray[np.uint64] | None:
        """The classes of the edges, each a node to go on from; None if two of them can be taken together."""
        seen = np.zeros(machine.edge_classes.shape[1], np.uint64)
        popping: dict[int, list[tuple[int, npt.NDArray[np.uint64]]]] = {}
        for node, classes in edges:
            if machine.kind[node] == POP:
                popping.setdefault(int(machine.symbol[node]), []).append((int(machine.inner[node]), classes))
            elif (seen & classes).any():
                return None
            else:
                seen = seen | classes
        deeper = np.zeros_like(seen)
        for group in popping.values():
            found = at_most_one(group)
            if found is None:
                return None
            deeper |= found
        return None if (seen & deeper).any() else seen | deeper

    for control in range(machine.n_controls):
        own = range(int(machine.edge_start[control]), int(machine.edge_start[control + 1]))
        if at_most_one([(int(machine.edge_node[e]), machine.edge_classes[e]) for e in own]) is None:
            return False
    return True


def _counted(at_need: int, at_room: int, need: int, room: int) -> tuple[int, int]:
    """An effect's counter, each part of which may be relative to an activation's."""
    return (
        at_need if at_need >= 0 else max(0, need + 1 + at_need),
        at_room if at_room >= 0 else room if room >= lay.UNBOUNDED else room + 1 + at_room,
    )
