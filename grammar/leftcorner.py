"""Any context-free grammar as rules that a real-time pushdown machine can run.

The machine reads a byte at every step, so a rule may not match the empty text, and may not begin
with a call of itself, however indirectly.  ``real_time`` rewrites a grammar so that both hold and
the language stays the same; a parse tree would change, but nobody asks for one here.

The passes, in order
--------------------
1. **Nullable calls.**  Beside each call of a rule that matches the empty text goes an edge that reads
   nothing; then every rule loses the empty text.  Only the start rule may keep it, in a copy that
   nothing calls.
2. **Trimming.**  Rules without any text, and states that no text visits, are removed.
3. **Left corners.**  Rules that can begin with a call of each other form a component of the graph of
   first calls.  For a rule A of a cyclic component, the *goal* automaton of A reads a text bottom-up:
   it starts with any first edge of a rule of the component that stays outside the component, and
   where a rule B of the component ends it goes on wherever the component has B as a first call.  It
   may end where A ends.  Left recursion of every kind and cycles of unit rules become plain loops of a
   finite automaton (the left-corner transform of Rosenkrantz and Lewis 1970, on rule automata instead
   of productions).  Rules outside cyclic components stay as they are.
4. **Determinisation** of the rules that were touched, over bytes and calls, where the result is not
   more than a few times larger; states of equal future are merged either way.
5. **Calls.**  A call whose target can end and can also go on leaves a frame that may be popped at once.
   (a) If whatever the target may still read could be read by the called rule at its ends as well, no
   frame is needed: ``E -> E "+" E`` gets none.  (c) Where such *open* frames can lie directly on each
   other in a cycle, one byte could pop any number of them; each such call is split in two: a tail call
   (to a state that ends and reads nothing), and a call that must go on after its return.  (b) All other
   open frames stay: the longest chain of them is a constant of the grammar.

A loader must keep the two calls of a split apart, and not merge their targets when it determinises.

Counters and registers belong to one activation of a rule, so the rules that use them are not taken
apart: they pass through unchanged, except for the empty text, and may not be left-recursive.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from .editing import (
    EPSILON,
    Body,
    Edge,
    Label,
    closure,
    determinise,
    fresh_start,
    productive,
    quotient,
    read,
    reading_edges,
    spell_out,
    trim,
    without_epsilon,
    write,
)
from .errors import Unsatisfiable, Unsupported
from .ir import KIND_CALL, KIND_EXTRA, UNBOUNDED, Automaton, Grammar, Rule, RuleId
from .realtime import is_real_time

Node = TypeVar("Node", bound=Hashable)

GROWTH_CAP = 4
"""Determinise a rule only if the result has at most this many times its states: beyond, it rarely pays."""

SMALL = 64
"""A rule may always grow to this many states."""

DEFAULT_COUNTER = (0, UNBOUNDED)
"""The counter of an activation whose call loads none."""


def real_time(grammar: Grammar) -> Grammar:
    """An equivalent grammar without nullable calls, without left recursion and without endless chains of open frames.

    Args:
        grammar: any grammar; it is not changed.

    Returns:
        The same object if there is nothing to do, found in one linear pass; else a new grammar of the same language.
        Its start rule can end in its state 0 iff the empty text is in the language; nothing calls such a start rule,
        and no other rule is nullable.

    Raises:
        Unsatisfiable: the grammar has no text at all (noticed only if it has to be rewritten).
        Unsupported: a rule with counters or registers is left-recursive, or would have to be split.

    """
    if is_real_time(grammar):
        return grammar
    rules = _Rules(grammar)
    rewritten = rules.remove_empty_texts()
    rewritten |= rules.trim()
    rewritten |= rules.remove_left_recursion()
    if not rewritten:
        calls = _Calls(rules)
        if not calls.endings and not calls.splits():
            return grammar
    rules.compact()
    calls = _Calls(rules)
    calls.rewrite(calls.splits())
    return rules.grammar()


class _Rules:
    """The rules of a grammar while they are being rewritten."""

    def __init__(self, grammar: Grammar) -> None:
        self.source: list[Rule] = list(grammar.rules)
        self.start = int(grammar.start)
        self.never_text = grammar.never_text
        self.bodies: dict[int, Body] = {}
        self.lost_empty: set[int] = set()
        self.touched: set[int] = set()
        self.accepts_empty = False
        work = [self.start]
        while work:
            rule = work.pop()
            if rule not in self.bodies:
                self.bodies[rule] = read(grammar.rules[rule])
                work.extend(self.bodies[rule].callees())

    def where(self, rule: int) -> str | None:
        """The rule's place in the user's text."""
        return self.source[rule].origin

    # --- pass 1 -------------------------------------------------------------------------------------------------

    def _nullable(self) -> tuple[set[int], set[int]]:
        """Rules that match the empty text: always, and if their counter's need is 0."""
        always: set[int] = set()
        if_no_need: set[int] = set()
        changed = True
        while changed:
            changed = False
            for rule, body in self.bodies.items():
                reached = closure(self._with_skips(body, always, if_no_need).out(), [0])
                for finals, found in ((body.finals, always), (body.finals_if_no_need, if_no_need)):
                    if reached & finals and rule not in found:
                        found.add(rule)
                        changed = True
        return always, if_no_need

    def _with_skips(self, body: Body, always: set[int], if_no_need: set[int]) -> Body:
        """The body with an epsilon edge beside each call that may read nothing."""

        def nullable(label: Label) -> bool:
            if label.kind not in {KIND_CALL, KIND_EXTRA}:
                return False
            return label.a in always or (label.a in if_no_need and (label.counter or DEFAULT_COUNTER)[0] == 0)

        skips = [Edge(e.source, EPSILON, e.target) for e in body.edges if nullable(e.label)]
        return Body(body.n, body.edges + skips, body.finals, body.finals_if_no_need, body.guards) if skips else body

    def remove_empty_texts(self) -> bool:
        """Pass 1.  Returns whether a rule other than an uncalled start rule was nullable."""
        always, if_no_need = self._nullable()
        self.lost_empty = always | if_no_need
        self.accepts_empty = self.start in self.lost_empty
        called = set().union(*(body.callees() for body in self.bodies.values()))
        for rule, body in list(self.bodies.items()):
            for edge in body.edges:
                if edge.label.kind == KIND_EXTRA and edge.label.a in self.lost_empty:
                    raise Unsupported("the body of an extra key may not be empty", where=self.where(rule))
            skipping = self._with_skips(body, always, if_no_need)
            if skipping is not body:
                self.touched.add(rule)
            if rule in self.lost_empty or any(e.target == 0 for e in skipping.edges):
                skipping = Body(
                    skipping.n,
                    list(skipping.edges),
                    set(skipping.finals),
                    set(skipping.finals_if_no_need),
                    dict(skipping.guards),
                    skipping.outline_of,
                )
                fresh_start(skipping)
            self.bodies[rule] = without_epsilon(skipping) if skipping.plain else skipping
        return bool(self.lost_empty - {self.start}) or (self.accepts_empty and self.start in called)

    # --- pass 2 -------------------------------------------------------------------------------------------------

    def trim(self) -> bool:
        """Pass 2.  Returns whether a rule was removed."""
        alive: set[int] = set()
        rules = len(self.bodies)

        def usable(label: Label) -> bool:
            return not label.calls or label.a in alive

        changed = True
        while changed:
            changed = False
            for rule, body in self.bodies.items():
                if rule not in alive and 0 in productive(body, usable):
                    alive.add(rule)
                    changed = True
        if self.start not in alive and not self.accepts_empty:
            raise Unsatisfiable(
                "no text can ever match: every alternative needs a rule that never ends",
                where=self.where(self.start),
                hint="add an alternative that does not call the rule again",
            )
        self.bodies = {rule: body for rule, body in self.bodies.items() if rule in alive or rule == self.start}
        for body in self.bodies.values():
            trim(body, usable)
        return len(alive) < rules

    # --- pass 3 -------------------------------------------------------------------------------------------------

    def first_calls(self, rule: int) -> set[int]:
        """Rules that the rule can begin with."""
        return {e.label.a for e in reading_edges(self.bodies[rule].out(), 0) if e.label.calls}

    def remove_left_recursion(self) -> bool:
        """Pass 3.  Returns whether there was any."""
        first = {rule: self.first_calls(rule) for rule in self.bodies}
        cyclic = [c for c in components(first) if len(c) > 1 or c[0] in first[c[0]]]
        for component in cyclic:
            for rule in component:
                if not self.bodies[rule].plain:
                    raise Unsupported(
                        "a rule that counts or remembers keys can begin with itself",
                        where=self.where(rule),
                        hint="let the left-recursive rules call the counting one after their first symbol",
                    )
        goals = {rule: goal for component in cyclic for rule, goal in self._goals(sorted(component))}
        self.bodies.update(goals)
        self.touched |= goals.keys()
        return bool(goals)

    def _goals(self, component: Sequence[int]) -> Iterator[tuple[int, Body]]:
        """The goal automata of one cyclic component; they differ only in where they may end."""
        base: dict[int, int] = {}
        n = 1
        for rule in component:
            base[rule] = n
            n += self.bodies[rule].n
        edges: list[Edge] = []
        after: dict[int, list[int]] = {rule: [] for rule in component}
        for rule in component:
            for source, label, target in self.bodies[rule].edges:
                if source != 0:
                    edges.append(Edge(base[rule] + source, label, base[rule] + target))
                elif label.kind == KIND_CALL and label.a in after:
                    after[label.a].append(base[rule] + target)
                else:
                    edges.append(Edge(0, label, base[rule] + target))
        ends = {rule: {base[rule] + s for s in self.bodies[rule].finals} for rule in component}
        for rule in component:
            edges += [Edge(end, EPSILON, target) for end in sorted(ends[rule]) for target in after[rule]]
        for rule in component:
            yield rule, without_epsilon(Body(n, edges, ends[rule]))

    # --- pass 4 -------------------------------------------------------------------------------------------------

    def compact(self) -> None:
        """Pass 4, for the plain rules that were touched or that call others."""
        for rule, body in self.bodies.items():
            if body.plain and (rule in self.touched or body.callees()):
                spell_out(body)
                small = determinise(body, max(SMALL, GROWTH_CAP * body.n)) or body
                quotient(small)
                self.bodies[rule] = small

    # --- the result ---------------------------------------------------------------------------------------------

    def grammar(self) -> Grammar:
        """The rules that the start rule needs, as a grammar."""
        result = Grammar(never_text=self.never_text)
        ids: dict[int, int] = {}
        order = [self.start]
        for rule in order:
            if rule not in ids:
                ids[rule] = result.rule(key=self._key(rule), origin=self.where(rule))
                order.extend(sorted(self.bodies[rule].callees()))
        numbers = [ids.get(rule, -1) for rule in range(len(self.source))]
        for rule, new in ids.items():
            result.define(RuleId(new), self._written(rule, numbers))
        result.start = RuleId(ids[self.start])
        if self.accepts_empty:
            whole = self.bodies[self.start]
            fresh_start(whole)
            whole.finals.add(0)
            result.start = result.rule(origin=self.where(self.start))
            result.define(result.start, self._written(self.start, numbers))
        return result

    def _written(self, rule: int, numbers: Sequence[int]) -> Automaton:
        body = write(self.bodies[rule], numbers)
        source = self.source[rule].body
        body.outermost = source is not None and source.outermost
        return body

    def _key(self, rule: int) -> Hashable | None:
        key = self.source[rule].key
        return ("without the empty text", key) if key is not None and rule in self.lost_empty else key


_NO_END, _MAY_END, _MAY_END_IF_NO_NEED = 0, 1, 2


class _Calls:
    """Pass 5: what each call leaves behind."""

    def __init__(self, rules: _Rules) -> None:
        self.rules = rules
        self.bodies: Mapping[int, Body] = rules.bodies
        self.out = {rule: body.out() for rule, body in self.bodies.items()}
        self.plain = {rule for rule, body in self.bodies.items() if body.plain}
        self.kind: dict[tuple[int, int], int] = {}
        self.reads: dict[tuple[int, int], list[Edge]] = {}
        self.endings: set[tuple[int, Edge]] = set()
        self.open: dict[int, list[tuple[Edge, int]]] = {rule: [] for rule in self.bodies}
        self.tails: dict[int, set[int]] = {rule: set() for rule in self.bodies}
        for rule, body in self.bodies.items():
            for edge in body.edges:
                if edge.label.calls:
                    self._classify(rule, edge)

    def _end(self, rule: int, state: int) -> int:
        if (rule, state) not in self.kind:
            body = self.bodies[rule]
            reached = closure(self.out[rule], [state])
            sure = bool(reached & body.finals)
            self.kind[rule, state] = (
                _MAY_END if sure else _MAY_END_IF_NO_NEED if reached & body.finals_if_no_need else _NO_END
            )
            self.reads[rule, state] = reading_edges(self.out[rule], state)
        return self.kind[rule, state]

    def _classify(self, rule: int, edge: Edge) -> None:
        end = self._end(rule, edge.target)
        if end == _NO_END:
            return
        if end == _MAY_END and edge.label.kind == KIND_CALL and not self.reads[rule, edge.target]:
            self.tails[rule].add(edge.label.a)
        elif end == _MAY_END and self._is_absorbed(rule, edge):
            self.endings.add((rule, edge))
            self.tails[rule].add(edge.label.a)
        else:
            self.open[rule].append((edge, edge.target))

    def _is_absorbed(self, rule: int, edge: Edge) -> bool:
        """Whether the called rule, at each of its ends, can read whatever the target of the call can (rule 5a)."""
        callee = edge.label.a
        if edge.label.kind != KIND_CALL or rule not in self.plain or callee not in self.plain:
            return False
        return all(self._includes(callee, end, rule, edge.target) for end in self.bodies[callee].finals)

    def _includes(self, big_rule: int, big: int, small_rule: int, small: int) -> bool:
        """Simulation, edge by edge and by equal labels: sufficient for inclusion, exact if ``big_rule`` is deterministic."""
        assumed: set[tuple[int, int]] = set()
        work = [(big, small)]
        while work:
            pair = work.pop()
            if pair in assumed:
                continue
            assumed.add(pair)
            p, q = pair
            if self._end(small_rule, q) and not self._end(big_rule, p):
                return False
            self._end(big_rule, p)
            for edge in self.reads[small_rule, q]:
                targets = [e.target for e in self.reads[big_rule, p] if _covers(e.label, edge.label)]
                if len(targets) != 1:
                    return False
                work.append((targets[0], edge.target))
        return True

    def splits(self) -> set[tuple[int, int]]:
        """The (rule, return state) pairs on a cycle of "open frame directly above open frame" (rule 5c)."""
        above: dict[tuple[int, int], set[tuple[int, int]]] = {}
        for rule, opened in self.open.items():
            for edge, state in opened:
                over = above.setdefault((rule, state), set())
                for runner in self._runners(edge.label.a):
                    over.update((runner, s) for _, s in self.open[runner])
        cyclic = {node for c in components(above) if len(c) > 1 or c[0] in above[c[0]] for node in c}
        for rule, state in cyclic:
            if self._end(rule, state) == _MAY_END_IF_NO_NEED or any(
                s == state and e.label.kind == KIND_EXTRA for e, s in self.open[rule]
            ):
                raise Unsupported(
                    "a counted part is nested in itself at its very end, without a closing symbol",
                    where=self.rules.where(rule),
                    hint="end the counted part with a symbol of its own",
                )
        return cyclic

    def _runners(self, rule: int) -> set[int]:
        """The rule and the rules that run in its place after tail calls."""
        found = {rule}
        work = [rule]
        while work:
            for callee in self.tails[work.pop()]:
                if callee not in found:
                    found.add(callee)
                    work.append(callee)
        return found

    def rewrite(self, splits: set[tuple[int, int]]) -> None:
        """Redirect absorbed calls to an end, and split the calls that return to ``splits``."""
        for rule, body in self.bodies.items():
            split = sorted(state for owner, state in splits if owner == rule)
            if not split and not any(owner == rule for owner, _ in self.endings):
                continue
            end = body.state()
            body.finals.add(end)
            going_on = {state: body.state() for state in split}
            originals = {state: closure(self.out[rule], [state]) for state in split}
            edges: list[Edge] = []
            for edge in body.edges:
                if (rule, edge) in self.endings:
                    edges.append(edge._replace(target=end))
                elif edge.label.calls and edge.target in going_on:
                    edges.append(edge._replace(target=end))
                    edges.append(edge._replace(target=going_on[edge.target]))
                else:
                    edges.append(edge)
            copies = [
                edge._replace(source=going_on[state])
                for state in split
                for edge in edges
                if edge.source in originals[state] and edge.label != EPSILON
            ]
            for state in split:
                if state in body.guards:
                    body.guards[going_on[state]] = body.guards[state]
            body.edges = edges + copies
            trim(body, lambda _: True)


def _covers(big: Label, small: Label) -> bool:
    if small.calls or big.calls:
        return big == small
    return big.kind == small.kind and big.a <= small.a and small.b <= big.b and big.text == small.text


def components(graph: Mapping[Node, Iterable[Node]]) -> list[list[Node]]:
    """The strongly connected components of a graph, callees first (Tarjan 1972, without recursion)."""
    index: dict[Node, int] = {}
    low: dict[Node, int] = {}
    stack: list[Node] = []
    on_stack: set[Node] = set()
    found: list[list[Node]] = []
    for root in graph:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        path = [(root, iter(graph[root]))]
        while path:
            node, rest = path[-1]
            for after in rest:
                if after not in index:
                    index[after] = low[after] = len(index)
                    stack.append(after)
                    on_stack.add(after)
                    path.append((after, iter(graph[after])))
                    break
                if after in on_stack:
                    low[node] = min(low[node], index[after])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == index[node]:
                    at = stack.index(node)
                    found.append(stack[at:])
                    on_stack.difference_update(stack[at:])
                    del stack[at:]
    return found
