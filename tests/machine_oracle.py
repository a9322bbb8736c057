"""Slow, obvious references for whole constraints: what a grammar's texts are, and what tokens can spell of them.

``ChartOracle`` knows rules without counters and registers, left-recursive or not: an Earley chart for
the text so far, and a min-plus fixpoint over (rule state, trie node) for what tokens can still add.
``StackOracle`` knows everything that the intermediate representation can say, but no left recursion:
it keeps sets of explicit stacks, and finds what tokens can still add by breadth-first search.
Neither shares code or method with the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from heapq import heappop, heappush
from itertools import count

import numpy as np

from syntagma.grammar.editing import Body, Label, read
from syntagma.grammar.ir import (
    KIND_EPSILON,
    KIND_EXTRA,
    KIND_LITERAL,
    KIND_NOT_LITERAL,
    KIND_RANGE,
    OP_COUNT,
    OP_SET,
    OP_TEST,
    UNBOUNDED,
    Grammar,
)

INFINITE = float("inf")
MOST_STACKS = 20_000
"""A search for a completion that takes more stacks than this is a mistake of the test."""

HOLE = object()
"""A slot of a canvas that holds exactly one token, any."""


class Flat:
    """The rules of a grammar as one automaton over single bytes, states numbered through."""

    def __init__(self, grammar: Grammar) -> None:
        """Spell out literals."""
        self.start_rule = int(grammar.start)
        self.starts: list[int] = []
        self.rule_of: list[int] = []
        self.eps: list[list[int]] = []
        self.reads: list[list[tuple[int, int, Label, int]]] = []
        self.calls: list[list[tuple[int, Label, int]]] = []
        self.banned: list[frozenset[bytes]] = []
        self.finals: set[int] = set()
        self.finals_if_no_need: set[int] = set()
        for number, rule in enumerate(grammar.rules):
            self._add(number, read(rule))

    def _state(self, rule: int) -> int:
        self.rule_of.append(rule)
        self.eps.append([])
        self.reads.append([])
        self.calls.append([])
        self.banned.append(frozenset())
        return len(self.rule_of) - 1

    def _add(self, rule: int, body: Body) -> None:
        states = [self._state(rule) for _ in range(body.n)]
        self.starts.append(states[0])
        self.finals |= {states[s] for s in body.finals}
        self.finals_if_no_need |= {states[s] for s in body.finals_if_no_need}
        for source, label, target in body.edges:
            s, t = states[source], states[target]
            if label.kind == KIND_EPSILON:
                self.eps[s].append(t)
            elif label.kind == KIND_RANGE:
                self.reads[s].append((label.a, label.b, label, t))
            elif label.kind == KIND_LITERAL:
                for i, byte in enumerate(label.text):
                    there = t if i == len(label.text) - 1 else self._state(rule)
                    self.reads[s].append((byte, byte, label if i == 0 else Label(KIND_RANGE), there))
                    s = there
            elif label.kind == KIND_NOT_LITERAL:
                self.banned[s] |= {label.text}
            else:
                self.calls[s].append((label.a, label, t))


class Trie:
    """The tokens as a weighted automaton: a step within a token is free, the end of one costs 1 and leads to the root."""

    def __init__(self, tokens: Sequence[bytes | None]) -> None:
        """Build it from the texts."""
        texts = {t for t in tokens if t}
        inner = {t[:i] for t in texts for i in range(1, len(t))} | {b""}
        self.nodes = sorted(inner, key=lambda t: (len(t), t))
        index = {t: i for i, t in enumerate(self.nodes)}
        self.steps: list[tuple[int, int, int, float]] = []  # node, byte, node, cost
        for text, node in index.items():
            for byte in range(256):
                longer = text + bytes([byte])
                if longer in index:
                    self.steps.append((node, byte, index[longer], 0.0))
                if longer in texts:
                    self.steps.append((node, byte, 0, 1.0))


class Oracle:
    """What both oracles answer; the subclasses give ``bound`` and ``accepts``."""

    tokens: Sequence[bytes | None]

    def accepts(self, text: bytes) -> bool:
        """Whether the text is in the language."""
        raise NotImplementedError

    def bound(self, text: bytes) -> float:
        """The least number of tokens that complete the text; infinite if none do."""
        raise NotImplementedError

    def alive(self, text: bytes) -> bool:
        """Whether tokens can complete the text."""
        return self.bound(text) < INFINITE

    def min_tokens(self, text: bytes) -> int | None:
        """The least number of tokens that complete the text, or None."""
        bound = self.bound(text)
        return None if bound == INFINITE else int(bound)

    def mask(self, text: bytes) -> set[int]:
        """The text tokens that may come next."""
        return {i for i, token in enumerate(self.tokens) if token and self.alive(text + token)}

    def fillings(
        self, slots: Sequence[object], eos: Sequence[int], pad: Sequence[int] = ()
    ) -> Iterator[tuple[int, ...]]:
        """Every filling of a canvas (token ids and HOLE) that the language accepts; ``eos`` and ``pad`` lie beyond the texts."""

        def extend(done: tuple[int, ...], text: bytes, ended: bool) -> Iterator[tuple[int, ...]]:
            if len(done) == len(slots):
                if ended or self.accepts(text):
                    yield done
                return
            slot = slots[len(done)]
            for token in [*range(len(self.tokens)), *eos, *pad] if slot is HOLE else [slot]:
                assert isinstance(token, int)
                if token in eos:
                    if ended or self.accepts(text):
                        yield from extend((*done, token), text, True)
                elif token in pad:
                    if ended:
                        yield from extend((*done, token), text, True)
                elif (
                    not ended and token < len(self.tokens) and (data := self.tokens[token]) and self.alive(text + data)
                ):
                    yield from extend((*done, token), text + data, False)

        yield from extend((), b"", False)


@dataclass(eq=False)
class Chart:
    """One column of an Earley chart: the text so far, its items, and what still has to follow each predicted rule."""

    items: set[tuple[int, int]] = field(default_factory=set)  # (state, column where its rule began)
    waiting: dict[int, set[tuple[int, int]]] = field(default_factory=dict)  # rule -> (state after the call, column)
    rest: dict[int, np.ndarray] = field(default_factory=dict)  # rule -> cost, by trie node at which the rule ends


class ChartOracle(Oracle):
    """Exact for every grammar without counters and registers (Earley 1970; Bar-Hillel, Perles and Shamir 1961)."""

    def __init__(self, grammar: Grammar, tokens: Sequence[bytes | None]) -> None:
        """Solve the fixpoint."""
        self.tokens = tokens
        self.flat = Flat(grammar)
        self.trie = Trie(tokens)
        self.inside = self._inside()
        self.columns: dict[bytes, tuple[Chart, ...]] = {}

    def _inside(self) -> np.ndarray:
        """[state, node, node]: least tokens from a state at a trie node to the end of its rule at another."""
        flat, width = self.flat, len(self.trie.nodes)
        inside = np.full((len(flat.rule_of), width, width), INFINITE)
        for s in flat.finals:
            np.fill_diagonal(inside[s], 0.0)
        while True:
            before = inside.copy()
            for s in range(len(inside)):
                for t in flat.eps[s]:
                    np.minimum(inside[s], inside[t], out=inside[s])
                for low, high, _, t in flat.reads[s]:
                    for node, byte, after, cost in self.trie.steps:
                        if low <= byte <= high:
                            np.minimum(inside[s, node], cost + inside[t, after], out=inside[s, node])
                for rule, _, t in flat.calls[s]:
                    both = (inside[flat.starts[rule]][:, :, None] + inside[t][None, :, :]).min(axis=1)
                    np.minimum(inside[s], both, out=inside[s])
            if np.array_equal(inside, before):
                return inside

    def _column(self, charts: tuple[Chart, ...], seeds: set[tuple[int, int]]) -> Chart:
        flat, here = self.flat, len(charts)
        chart = Chart()
        ended: set[int] = set()  # rules that began and ended here
        work = list(seeds)
        while work:
            item = work.pop()
            if item in chart.items:
                continue
            chart.items.add(item)
            state, origin = item
            work += [(t, origin) for t in flat.eps[state]]
            for rule, _, target in flat.calls[state]:
                chart.waiting.setdefault(rule, set()).add((target, origin))
                work.append((flat.starts[rule], here))
                if rule in ended:
                    work.append((target, origin))
            if state in flat.finals:
                rule = flat.rule_of[state]
                if origin == here:
                    ended.add(rule)
                work += (chart if origin == here else charts[origin]).waiting.get(rule, set())
        self._follow(charts, chart)
        return chart

    def _follow(self, charts: tuple[Chart, ...], chart: Chart) -> None:
        flat, here = self.flat, len(charts)
        nowhere = np.full(len(self.trie.nodes), INFINITE)
        chart.rest = {rule: nowhere.copy() for rule in {*chart.waiting, flat.start_rule}}
        if here == 0:
            chart.rest[flat.start_rule][0] = 0.0
        changed = True
        while changed:
            changed = False
            for rule, callers in chart.waiting.items():
                for state, origin in callers:
                    up = (chart if origin == here else charts[origin]).rest.get(flat.rule_of[state], nowhere)
                    best = np.minimum(chart.rest[rule], (self.inside[state] + up).min(axis=1))
                    if not np.array_equal(best, chart.rest[rule]):
                        chart.rest[rule] = best
                        changed = True

    def charts(self, text: bytes) -> tuple[Chart, ...]:
        """The columns of a text; the last one has no items if no text begins like that."""
        if text not in self.columns:
            if not text:
                self.columns[text] = (self._column((), {(self.flat.starts[self.flat.start_rule], 0)}),)
            else:
                before = self.charts(text[:-1])
                byte = text[-1]
                seeds = {
                    (t, origin)
                    for state, origin in before[-1].items
                    for low, high, _, t in self.flat.reads[state]
                    if low <= byte <= high
                }
                self.columns[text] = (*before, self._column(before, seeds))
        return self.columns[text]

    def accepts(self, text: bytes) -> bool:
        """Whether an item of the start rule that began at 0 has ended."""
        ends = (s for s, origin in self.charts(text)[-1].items if origin == 0 and s in self.flat.finals)
        return any(self.flat.rule_of[s] == self.flat.start_rule for s in ends)

    def bound(self, text: bytes) -> float:
        """The least cost over the items: finish the item's rule from the root, then what follows the rule."""
        charts = self.charts(text)
        return min(
            (
                float((self.inside[state, 0] + charts[origin].rest[self.flat.rule_of[state]]).min())
                for state, origin in charts[-1].items
            ),
            default=INFINITE,
        )


@dataclass(frozen=True)
class Activation:
    """One entry of an explicit stack; ``reading`` is the extra key being read, as (text so far, texts it must not be)."""

    state: int
    need: int = 0
    room: int = UNBOUNDED
    keys: frozenset[bytes] = frozenset()
    reading: tuple[bytes, frozenset[bytes]] | None = None


Stack = tuple[Activation, ...]


class StackOracle(Oracle):
    """Exact for every grammar that cannot begin a rule with itself; bounds are searched for up to ``cap`` tokens."""

    def __init__(self, grammar: Grammar, tokens: Sequence[bytes | None], cap: int = 3) -> None:
        """Prepare the flat automaton."""
        self.tokens = tokens
        self.cap = cap
        self.flat = Flat(grammar)
        self.after: dict[bytes, frozenset[Stack]] = {}
        self.steps: dict[tuple[Stack, bytes], frozenset[Stack]] = {}
        self.bounds: dict[Stack, float] = {}
        self.living: dict[Stack, bool] = {}
        self.most_pops = 0

    @cached_property
    def texts(self) -> list[bytes]:
        """The distinct texts of tokens."""
        return sorted({t for t in self.tokens if t})

    def _expand(self, stacks: frozenset[Stack]) -> set[Stack]:
        """Everything that can be reached without reading."""
        flat = self.flat
        reached: set[Stack] = set()
        work = [(stack, 0) for stack in stacks]
        while work:
            stack, pops = work.pop()
            if stack in reached:
                continue
            reached.add(stack)
            if not stack:
                continue
            below, top = stack[:-1], stack[-1]
            work += [((*below, replace(top, state=t)), pops) for t in flat.eps[top.state]]
            for rule, label, target in flat.calls[top.state]:
                need, room = label.counter or (0, UNBOUNDED)
                reading = (b"", flat.banned[top.state]) if label.kind == KIND_EXTRA else None
                called = Activation(flat.starts[rule], need, room)
                if (
                    reading is None
                    and target in flat.finals
                    and not (flat.eps[target] or flat.reads[target] or flat.calls[target])
                ):
                    work.append(((*below, called), pops))
                else:
                    work.append(((*below, replace(top, state=target, reading=reading), called), pops))
            if top.state in flat.finals or (top.state in flat.finals_if_no_need and top.need == 0):
                rest = self._return(below)
                if rest is not None:
                    self.most_pops = max(self.most_pops, pops + 1)
                    work.append((rest, pops + 1))
        return reached

    @staticmethod
    def _return(stack: Stack) -> Stack | None:
        if not stack or stack[-1].reading is None:
            return stack
        text, banned = stack[-1].reading
        if text in banned or text in stack[-1].keys:
            return None
        return (*stack[:-1], replace(stack[-1], keys=stack[-1].keys | {text}, reading=None))

    def _byte(self, stacks: frozenset[Stack], byte: int) -> frozenset[Stack]:
        found = set()
        for stack in self._expand(stacks):
            if not stack:
                continue
            top = stack[-1]
            for low, high, label, target in self.flat.reads[top.state]:
                if not low <= byte <= high:
                    continue
                after = replace(top, state=target)
                if label.op == OP_COUNT:
                    if top.room == 0:
                        continue
                    after = replace(after, need=max(0, top.need - 1), room=min(UNBOUNDED, top.room) - 1)
                    if top.room >= UNBOUNDED // 2:
                        after = replace(after, room=UNBOUNDED)
                elif label.op == OP_SET:
                    assert label.counter is not None
                    after = replace(after, need=label.counter[0], room=label.counter[1])
                elif label.op == OP_TEST and top.need > 0:
                    continue
                found.add((*(self._remember(a, byte) for a in stack[:-1]), after))
        return frozenset(found)

    @staticmethod
    def _remember(activation: Activation, byte: int) -> Activation:
        if activation.reading is None:
            return activation
        text, banned = activation.reading
        return replace(activation, reading=(text + bytes([byte]), banned))

    def _run(self, stack: Stack, text: bytes) -> frozenset[Stack]:
        if (stack, text) not in self.steps:
            stacks = frozenset([stack])
            for byte in text:
                stacks = self._byte(stacks, byte)
            self.steps[stack, text] = stacks
        return self.steps[stack, text]

    def stacks(self, text: bytes) -> frozenset[Stack]:
        """The stacks after a text."""
        if text not in self.after:
            if not text:
                self.after[text] = frozenset([(Activation(self.flat.starts[self.flat.start_rule]),)])
            else:
                self.after[text] = self._byte(self.stacks(text[:-1]), text[-1])
        return self.after[text]

    def accepts(self, text: bytes) -> bool:
        """Whether some stack can be emptied."""
        return () in self._expand(self.stacks(text))

    def runs(self, text: bytes) -> bool:
        """Whether any stack is left, that is, whether the machine has not rejected the text in bytes."""
        return bool(self.stacks(text))

    def _nexts(self, stack: Stack) -> set[Stack]:
        return {after for text in self.texts for after in self._run(stack, text)}

    def _ends(self, stack: Stack) -> bool:
        return () in self._expand(frozenset([stack]))

    def _search(self, stack: Stack) -> float:
        seen = {stack}
        layer = [stack]
        for distance in range(self.cap + 1):
            if any(self._ends(s) for s in layer):
                return distance
            layer = list({after for s in layer for after in self._nexts(s)} - seen)
            seen.update(layer)
            if not layer:
                return INFINITE
        return self.cap + 1

    def bound(self, text: bytes) -> float:
        """The least over the stacks, each by breadth-first search; beyond the cap, the cap and one."""
        for stack in self.stacks(text):
            if stack not in self.bounds:
                self.bounds[stack] = self._search(stack)
        return min((self.bounds[s] for s in self.stacks(text)), default=INFINITE)

    def alive(self, text: bytes) -> bool:
        """Whether tokens can complete some stack, by a search that tries short stacks with little need first."""
        return any(self._alive(stack) for stack in self.stacks(text))

    def _alive(self, stack: Stack) -> bool:
        if stack not in self.living:
            self.living[stack] = self._completes(stack)
        return self.living[stack]

    def _completes(self, stack: Stack) -> bool:
        seen = {stack}
        heap = [(0, 0, stack)]
        ties = count(1)  # stacks themselves have no order
        for _ in range(MOST_STACKS):
            if not heap:
                return False
            _, _, nearest = heappop(heap)
            if self._ends(nearest):
                return True
            for after in self._nexts(nearest) - seen:
                seen.add(after)
                heappush(heap, (2 * len(after) + sum(a.need for a in after), next(ties), after))
        raise AssertionError(f"undecided after {MOST_STACKS} stacks: the oracle is too slow for this grammar")
