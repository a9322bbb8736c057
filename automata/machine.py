"""Loading a grammar into a store: which rules are known already, and the kernel calls for those that are not."""

from __future__ import annotations

import hashlib
import threading
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..grammar.errors import InvalidSource, LimitExceeded
from ..grammar.ir import EDGE_WIDTH, KIND_CALL, KIND_EXTRA, OP_SET, OPERATION, START, Automaton, Grammar, RuleId
from . import layout as lay
from .arena import check, take
from .loader import finish_load, load_rule, new_rule_start

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from .store import Store

DEFAULT_MAX_DFA_STATES = 200_000


class _Order:
    """Rules in an order in which callees come first, with the rules of each cycle together (Tarjan 1972)."""

    def __init__(self, grammar: Grammar) -> None:
        self.edges = [_edges(rule.body) for rule in grammar.rules]
        self.callees = [
            np.unique(e[(e[:, 1] == KIND_CALL) | (e[:, 1] == KIND_EXTRA), 2]).tolist() if len(e) else []
            for e in self.edges
        ]
        self.components = list(self._components(grammar.start))

    def _components(self, start: int) -> Iterator[list[int]]:
        index: dict[int, int] = {}
        low: dict[int, int] = {}
        on_stack: set[int] = set()
        stack: list[int] = []
        work: list[tuple[int, int]] = [(start, 0)]
        while work:
            rule, position = work.pop()
            if position == 0:
                index[rule] = low[rule] = len(index)
                stack.append(rule)
                on_stack.add(rule)
            callees = self.callees[rule]
            for i in range(position, len(callees)):
                callee = callees[i]
                if callee not in index:
                    work.append((rule, i + 1))
                    work.append((callee, 0))
                    break
                if callee in on_stack:
                    low[rule] = min(low[rule], index[callee])
            else:
                if low[rule] == index[rule]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == rule:
                            break
                    yield component
                if work:
                    caller = work[-1][0]
                    low[caller] = min(low[caller], low[rule])


def _edges(body: Automaton | None) -> npt.NDArray[np.int64]:
    if body is None:
        raise InvalidSource("a rule of the grammar was never defined")
    return np.frombuffer(body.edges, np.int64).reshape(-1, EDGE_WIDTH)


def load_grammar(
    store: Store, grammar: Grammar, *, max_dfa_states: int = DEFAULT_MAX_DFA_STATES, deadline: float | None = None
) -> tuple[int, dict[int, int]]:
    """Load the rules that the store does not know, in at most ``deadline`` seconds.

    Returns the local state that the grammar's start rule begins in, and that of every rule (rule id -> local state).

    Rules are the same if they have equal keys, or equal bodies with the same callees; so schemas of one vocabulary share whatever
    they have in common.

    Raises:
        LimitExceeded: a rule needs more than ``max_dfa_states`` states, a table of the store is full, or time is up.
        InvalidSource: a rule was never defined, or can begin with a call of itself.

    """
    order = _Order(grammar)
    with store.lock:
        if deadline is None:
            return _load_rules(store, grammar, order, max_dfa_states, None)
        _compile_kernels(store)
        return _load_rules(store, grammar, order, max_dfa_states, deadline)


_compiled = threading.Event()


def _compile_kernels(store: Store) -> None:
    """Load a rule that does nothing, once in a process: a deadline counts after the kernels are compiled."""
    if _compiled.is_set():
        return
    grammar = Grammar()
    rule = grammar.rule(key=("nothing",))
    body = Automaton()
    end = body.state()
    body.literal(START, b"0", end)
    body.accept(end)
    grammar.define(rule, body)
    _load_rules(store, grammar, _Order(grammar), DEFAULT_MAX_DFA_STATES, None)
    _compiled.set()


def _load_rules(
    store: Store, grammar: Grammar, order: _Order, max_dfa_states: int, deadline: float | None
) -> tuple[int, dict[int, int]]:
    ends = None if deadline is None else monotonic() + deadline
    a = store.arena.a
    start_of: dict[int, int] = {}
    fresh: list[int] = []
    low = int(a[lay.H_LS]) // lay.LS_WIDTH
    known: dict[Hashable, int] = {}
    todo: list[int] = []
    for component in order.components:
        for rule in component:
            key = grammar.rules[rule].key
            if key is not None and key in store.rules:
                start_of[rule] = store.rules[key]
        if all(rule in start_of for rule in component):
            continue
        single = len(component) == 1 and component[0] not in order.callees[component[0]]
        if single and grammar.rules[component[0]].key is None:
            key = _content_key(order.edges[component[0]], grammar.rules[component[0]].body, start_of)
            if key in store.rules:
                start_of[component[0]] = store.rules[key]
                continue
            if key in known:
                start_of[component[0]] = known[key]
                continue
        for rule in component:
            if rule in start_of:
                continue
            start = new_rule_start(a)
            check(a)
            start_of[rule] = start
            fresh.append(start)
            todo.append(rule)
            rule_key = grammar.rules[rule].key
            if rule_key is not None:
                known[rule_key] = start
            elif single:
                known[key] = start
    for rule in todo:
        body = grammar.rules[rule].body
        if deadline is not None and ends is not None and monotonic() > ends:
            raise LimitExceeded(
                f"loading the rules took longer than {deadline} s",
                limit="deadline",
                value=deadline,
                where=grammar.rules[rule].origin,
                hint="raise SchemaLimits.deadline",
            )
        if body is not None:
            store.bodies.append((int(a[lay.H_LS]) // lay.LS_WIDTH, start_of[rule]))
            _load(store, order.edges[rule], body, start_of, start_of[rule], max_dfa_states)
    if fresh:
        finish_load(a, low, int(a[lay.H_LS]) // lay.LS_WIDTH, np.array(fresh, np.int64), store.spelled)
        check(a)
        _refuse_left_recursion(store, fresh)
    store.rules.update(known)
    return start_of[grammar.start], start_of


def _content_key(edges: npt.NDArray[np.int64], body: Automaton | None, start_of: dict[int, int]) -> Hashable:
    """A digest of all that a rule says: the bodies themselves would take more memory than what is made of them."""
    if body is None:  # _edges has refused it already
        return None
    edges = edges.copy()
    calls = (edges[:, 1] == KIND_CALL) | (edges[:, 1] == KIND_EXTRA)
    edges[calls, 2] = [start_of[rule] for rule in edges[calls, 2].tolist()]
    content = hashlib.blake2b(edges.tobytes(), digest_size=16)
    rest = (bytes(body.blob), body.pairs, body.accepting, body.accepting_if_no_need, body.guards)
    content.update(repr(rest).encode())
    return content.digest()


def _load(
    store: Store,
    edges: npt.NDArray[np.int64],
    body: Automaton,
    start_of: dict[int, int],
    start: int,
    max_dfa_states: int,
) -> None:
    a = store.arena.a
    edges = edges.copy()
    if body.pairs:
        at = take(a, lay.H_PR, 2 * len(body.pairs), lay.CAP_PR)
        check(a)
        a[lay.PR + at : lay.PR + at + 2 * len(body.pairs)] = np.array(body.pairs, np.int64).ravel()
        base = at // 2
        paired = ((edges[:, 4] & OPERATION) == OP_SET) | ((edges[:, 1] == KIND_CALL) & (edges[:, 5] >= 0))
        edges[paired, 5] += base
    calls = np.flatnonzero((edges[:, 1] == KIND_CALL) | (edges[:, 1] == KIND_EXTRA))
    for i in calls.tolist():
        edges[i, 2] = start_of[int(edges[i, 2])]
    load_rule(
        a,
        edges,
        np.frombuffer(bytes(body.blob) or b"\0", np.uint8),
        body.n,
        np.array(body.accepting, np.int64),
        np.array(body.accepting_if_no_need, np.int64),
        np.array(body.guards, np.int64).reshape(-1, 3),
        start,
        max_dfa_states,
    )
    check(a)


def _refuse_left_recursion(store: Store, starts: list[int]) -> None:
    a = store.arena.a
    colour: dict[int, int] = {}

    def callees(q: int) -> list[int]:
        p = lay.LS + q * lay.LS_WIDTH
        at = lay.CL + int(a[p + lay.L_CALLS])
        return [int(a[at + 2 * i]) & 0xFFFFFFFF for i in range(int(a[p + lay.L_N_CALLS]))]

    for root in starts:
        stack = [(root, iter(callees(root)))] if root not in colour else []
        colour.setdefault(root, 1)
        while stack:
            q, rest = stack[-1]
            for callee in rest:
                if colour.get(callee) == 1:
                    raise InvalidSource(
                        "a rule can begin with a call of itself",
                        hint="pass the grammar through grammar.leftcorner.real_time first",
                    )
                if callee not in colour:
                    colour[callee] = 1
                    stack.append((callee, iter(callees(callee))))
                    break
            else:
                colour[q] = 2
                stack.pop()


__all__ = ["DEFAULT_MAX_DFA_STATES", "RuleId", "load_grammar"]
