"""Loading a grammar into a store: which rules are known already, and the kernel calls for those that are not."""

from __future__ import annotations

import hashlib
import threading
from array import array
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..grammar.clock import Clock
from ..grammar.errors import InvalidSource, LimitExceeded
from ..grammar.ir import EDGE_WIDTH, KIND_CALL, KIND_EXTRA, OP_SET, OPERATION, START, Automaton, Grammar, RuleId
from ..grammar.packed import ACCEPT, LAST, NOTHING, PackedDfa
from ..grammar.parsing import Parser
from . import layout as lay
from .arena import check, take
from .loading.parsers import load_parser
from .loading.rules import finish_load, new_rule_start
from .loading.subsets import load_rule
from .packed import MALFORMED, load_packed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from .store import Store

DEFAULT_MAX_DFA_STATES = 200_000

_NO_EDGES = array("q")

PATIENCE = 1_000_000
"""Work of one rule (see ``load_rule``) that is done without a look at the clock: about 10 ms."""

_NO_PATIENCE_NEEDED = 1 << 62

_LOADED_TABLES = (lay.H_LS, lay.H_RG, lay.H_CL, lay.H_DN)
"""Counters of the tables that ``load_rule`` takes from: setting them back forgets what it wrote."""


class _Order:
    """Rules in an order in which callees come first, with the rules of each cycle together (Tarjan 1972).

    Attributes:
        edges: of each rule, int64[m, 7]: its part of one array of its own, in which callees may be overwritten.
        calls: of each rule, the rows in ``edges`` that call.
        callees: of each rule, the rules that it calls.
        components: the order.

    """

    def __init__(self, grammar: Grammar) -> None:
        bodies = [rule.body for rule in grammar.rules]
        if any(body is None for body in bodies):
            raise InvalidSource("a rule of the grammar was never defined")
        parts = [body.edges if body.outline_of is None else _NO_EDGES for body in bodies if body is not None]
        ends = np.cumsum([len(part) // EDGE_WIDTH for part in parts]).tolist()
        joined = np.frombuffer(bytearray(b"".join(parts)), np.int64).reshape(-1, EDGE_WIDTH)
        begins = [0, *ends[:-1]]
        self.edges = [joined[begin:end] for begin, end in zip(begins, ends, strict=True)]
        rows = np.flatnonzero((joined[:, 1] == KIND_CALL) | (joined[:, 1] == KIND_EXTRA))
        called = joined[rows, 2].tolist()
        where = rows.tolist()
        cuts = np.searchsorted(rows, [0, *ends]).tolist()
        self.calls: list[list[int]] = []
        self.callees: list[list[int]] = []
        for rule, begin in enumerate(begins):
            low, high = cuts[rule], cuts[rule + 1]
            self.calls.append([row - begin for row in where[low:high]])
            self.callees.append(sorted(set(called[low:high])))
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
    """Load rules that do nothing, once in a process: a deadline counts after the kernels are compiled."""
    if _compiled.is_set():
        return
    body = Automaton()
    end = body.state()
    body.literal(START, b"0", end)
    body.accept(end)
    for nothing in (body, PackedDfa(np.array([NOTHING | LAST | ACCEPT], np.int64), 0).body()):
        grammar = Grammar()
        grammar.define(grammar.rule(key=("nothing", nothing is body)), nothing)
        _load_rules(store, grammar, _Order(grammar), DEFAULT_MAX_DFA_STATES, None)
    _compiled.set()


def _load_rules(
    store: Store, grammar: Grammar, order: _Order, max_dfa_states: int, deadline: float | None
) -> tuple[int, dict[int, int]]:
    clock = None if deadline is None else Clock(deadline)
    a = store.arena.a
    start_of: dict[int, int] = {}
    fresh: list[int] = []
    known: dict[Hashable, int] = {}
    for rule in [rule for component in order.components for rule in component]:
        body = grammar.rules[rule].body
        if body is not None and isinstance(body.outline_of, Parser):
            start_of[rule] = _parser_start(store, body.outline_of)
    low = int(a[lay.H_LS]) // lay.LS_WIDTH
    todo: list[int] = []
    linked: set[int] = set()
    for component in order.components:
        for rule in component:
            key = grammar.rules[rule].key
            if key is not None and key in store.rules:
                start_of[rule] = store.rules[key]
        if all(rule in start_of for rule in component):
            continue
        single = len(component) == 1 and component[0] not in order.callees[component[0]]
        body = grammar.rules[component[0]].body
        if single and grammar.rules[component[0]].key is None and body is not None:
            _link(order.edges[component[0]], order.calls[component[0]], start_of)
            linked.add(component[0])
            key = _content_key(order.edges[component[0]], body)
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
        if clock is not None and clock.is_over():
            raise _too_slow(deadline, grammar.rules[rule].origin)
        if body is None:  # _Order has refused it already
            continue
        store.bodies.append((int(a[lay.H_LS]) // lay.LS_WIDTH, start_of[rule]))
        if isinstance(body.outline_of, PackedDfa):
            _load_packed(store, body.outline_of, start_of[rule], grammar.rules[rule].origin)
            continue
        edges = order.edges[rule]
        if rule not in linked:
            _link(edges, order.calls[rule], start_of)
        before = int(a[lay.H_LS]) // lay.LS_WIDTH
        arguments = _arguments(a, edges, body, start_of[rule], max_dfa_states)
        _load(a, arguments, clock)
        if int(a[lay.H_ERROR]) == lay.ERR_TIME:
            a[lay.H_ERROR] = 0
            raise _too_slow(deadline, grammar.rules[rule].origin)
        check(a)
        if body.outermost:
            made = [start_of[rule], *range(before, int(a[lay.H_LS]) // lay.LS_WIDTH)]
            a[lay.LS + np.array(made) * lay.LS_WIDTH + lay.L_FLAGS] |= lay.FLAG_OUTERMOST
    if fresh:
        finish_load(a, low, int(a[lay.H_LS]) // lay.LS_WIDTH, np.array(fresh, np.int64), store.spelled)
        if int(a[lay.H_ERROR]) == lay.ERR_LEFT_RECURSION:
            a[lay.H_ERROR] = 0
            raise InvalidSource(
                "a rule can begin with a call of itself",
                hint="pass the grammar through grammar.leftcorner.real_time first",
            )
        check(a)
    store.rules.update(known)
    return start_of[grammar.start], start_of


def _too_slow(deadline: float | None, where: str | None) -> LimitExceeded:
    return LimitExceeded(
        f"loading the rules took longer than {deadline} s of processor time",
        limit="deadline",
        value=deadline or 0.0,  # without one nothing is cut off
        where=where,
        hint="raise SchemaLimits.deadline",
    )


def _link(edges: npt.NDArray[np.int64], calls: list[int], start_of: dict[int, int]) -> None:
    """Put the callees' local states in the place of their rules."""
    if calls:
        edges[calls, 2] = [start_of[rule] for rule in edges[calls, 2].tolist()]


def _content_key(linked: npt.NDArray[np.int64], body: Automaton) -> Hashable:
    """A digest of all that a rule says: the bodies themselves would take more memory than what is made of them."""
    content = hashlib.blake2b(linked.tobytes(), digest_size=16)
    if isinstance(body.outline_of, PackedDfa):
        content.update(np.ascontiguousarray(body.outline_of.words).data)
        return content.digest(), body.outline_of.start
    rest = (len(linked), body.pairs, body.accepting, body.accepting_if_no_need, body.guards, body.outermost)
    content.update(repr(rest).encode())
    content.update(body.blob)
    return content.digest()


def _parser_start(store: Store, parser: Parser) -> int:
    """The local state in which a parser's texts begin; loads the parser if the store does not know it."""
    if parser.digest not in store.rules:
        before = int(store.arena.a[lay.H_LS]) // lay.LS_WIDTH
        start = store.rules[parser.digest] = load_parser(store, parser)
        store.bodies.append((before, start))
    return store.rules[parser.digest]


def _load_packed(store: Store, dfa: PackedDfa, start: int, where: str | None) -> None:
    """Load a packed automaton as the rule that begins in the local state ``start``."""
    a = store.arena.a
    first = int(load_packed(a, np.ascontiguousarray(dfa.words), dfa.start, start, store.spelled))
    if first == MALFORMED:
        raise InvalidSource("the words of a packed automaton are not those of a deterministic one", where=where)
    check(a)
    store.packed.append((first, start))


def _arguments(
    a: npt.NDArray[np.int64], edges: npt.NDArray[np.int64], body: Automaton, start: int, max_dfa_states: int
) -> tuple[object, ...]:
    """What ``load_rule`` takes for a rule whose callees are linked; puts its counter pairs in the store."""
    if body.pairs:
        at = take(a, lay.H_PR, 2 * len(body.pairs), lay.CAP_PR)
        check(a)
        a[lay.PR + at : lay.PR + at + 2 * len(body.pairs)] = np.array(body.pairs, np.int64).ravel()
        paired = ((edges[:, 4] & OPERATION) == OP_SET) | ((edges[:, 1] == KIND_CALL) & (edges[:, 5] >= 0))
        edges[paired, 5] += at // 2
    return (
        edges,
        np.frombuffer(bytes(body.blob) or b"\0", np.uint8),
        body.n,
        np.array(body.accepting, np.int64),
        np.array(body.accepting_if_no_need, np.int64),
        np.array(body.guards, np.int64).reshape(-1, 3),
        start,
        max_dfa_states,
    )


def _load(a: npt.NDArray[np.int64], arguments: tuple[object, ...], clock: Clock | None) -> None:
    """Load a rule; H_ERROR is ERR_TIME where ``clock`` runs out before.

    Hardly any rule takes long, and a kernel cannot read the clock.  So the kernel gives up after some work, and is then run
    again beside a thread that tells it to stop.
    """
    if clock is None:
        load_rule(a, *arguments, _NO_PATIENCE_NEEDED)
        return
    before = [int(a[counter]) for counter in _LOADED_TABLES]
    load_rule(a, *arguments, PATIENCE)
    if int(a[lay.H_ERROR]) != lay.ERR_PATIENCE:
        return
    a[lay.H_ERROR] = 0
    for counter, used in zip(_LOADED_TABLES, before, strict=True):
        a[counter] = used
    loaded = threading.Event()
    watch = threading.Thread(target=_watch, args=(a, clock, loaded), daemon=True)
    watch.start()
    try:
        load_rule(a, *arguments, _NO_PATIENCE_NEEDED)
    finally:
        loaded.set()
        watch.join()
        a[lay.H_STOP] = 0


def _watch(a: npt.NDArray[np.int64], clock: Clock, loaded: threading.Event) -> None:
    """Tell the kernel to stop once the clock has run out, unless the rule is loaded before."""
    while not loaded.wait(max(clock.left(), 0.0)):
        if clock.left() <= 0:
            a[lay.H_STOP] = 1
            return


__all__ = ["DEFAULT_MAX_DFA_STATES", "RuleId", "load_grammar"]
