"""A linear check, in one kernel, whether a grammar can be run by the real-time machine as it is.

Nearly every JSON Schema can, and compiling one has a budget of a few milliseconds: so this looks at
every edge a constant number of times and never in Python.  See ``leftcorner`` for what is wanted.
"""

from __future__ import annotations

from itertools import chain

import numpy as np
import numpy.typing as npt
from numba import njit

from .errors import InvalidSource
from .ir import EDGE_WIDTH, KIND_CALL, KIND_EPSILON, KIND_EXTRA, KIND_LITERAL, Automaton, Grammar
from .terminals import TokenTerminal

Ints = npt.NDArray[np.int64]


def is_real_time(grammar: Grammar) -> bool:
    """Whether the grammar surely needs no rewriting: see ``leftcorner.real_time``.

    Returns:
        True only if no rule is nullable (except a start rule that nothing calls), no rule can begin with a call of
        itself, and no call returns to a state that can both end and go on.  Rules that the start rule never needs count too, so
        False may be wrong, and only costs the caller time.

    Raises:
        InvalidSource: a rule was never defined.

    """
    bodies: list[Automaton] = []
    for rule in grammar.rules:
        if rule.body is None:
            raise InvalidSource("a rule of the grammar was never defined", where=rule.origin)
        bodies.append(rule.body)
    edges = np.frombuffer(b"".join([body.edges for body in bodies]), np.int64).reshape(-1, EDGE_WIDTH)
    tokens = [number for number, body in enumerate(bodies) if isinstance(body.outline_of, TokenTerminal)]
    if tokens:  # calls of token terminals will be edges over bytes
        edges = edges.copy()
        edges[(edges[:, 1] == KIND_CALL) & np.isin(edges[:, 2], tokens), 1] = KIND_LITERAL
    lengths = np.array([len(body.edges) // EDGE_WIDTH for body in bodies], np.int64)
    base = np.zeros(len(bodies) + 1, np.int64)
    np.cumsum([body.n for body in bodies], out=base[1:])
    ends = [chain(body.accepting, body.accepting_if_no_need) for body in bodies]
    accepting = np.fromiter((s + b for b, states in zip(base.tolist(), ends, strict=False) for s in states), np.int64)
    return bool(_check(edges, lengths, base, accepting, int(grammar.start)))


@njit(cache=True, nogil=True)
def _reach(marked: npt.NDArray[np.bool_], come: Ints, go: Ints) -> None:
    """Mark whatever can be reached from the marked states over the edges come[i] -> go[i]."""
    n = len(marked)
    begin = np.zeros(n + 1, np.int64)
    for i in range(len(come)):
        begin[come[i] + 1] += 1
    for i in range(n):
        begin[i + 1] += begin[i]
    at = begin.copy()
    order = np.empty(len(come), np.int64)
    for i in range(len(come)):
        order[at[come[i]]] = i
        at[come[i]] += 1
    stack = np.empty(n, np.int64)
    top = 0
    for s in range(n):
        if marked[s]:
            stack[top] = s
            top += 1
    while top > 0:
        top -= 1
        s = stack[top]
        for k in range(begin[s], begin[s + 1]):
            t = go[order[k]]
            if not marked[t]:
                marked[t] = True
                stack[top] = t
                top += 1


@njit(cache=True, nogil=True)
def _check(edges: Ints, lengths: Ints, base: Ints, accepting: Ints, start: int) -> bool:
    """The check on flat arrays.

    Args:
        edges: int64[m, 7], the edges of all rules, rule after rule, with states numbered within their rule.
        lengths: int64[r], edges of each rule.
        base: int64[r + 1], number of each rule's first state.
        accepting: int64[k], states in which a rule may end, in any way.
        start: the start rule.

    """
    n_rules = len(lengths)
    n = base[n_rules]
    m = edges.shape[0]
    n_eps = 0
    n_calls = 0
    for i in range(m):
        if edges[i, 1] == KIND_EPSILON:
            n_eps += 1
        elif edges[i, 1] == KIND_CALL or edges[i, 1] == KIND_EXTRA:
            n_calls += 1
    come = np.empty(n_eps, np.int64)
    go = np.empty(n_eps, np.int64)
    calls = np.empty((n_calls, 5), np.int64)  # rule, source, callee, target, kind
    goes_on = np.zeros(n, np.bool_)
    n_eps = 0
    n_calls = 0
    i = 0
    for r in range(n_rules):
        for _ in range(lengths[r]):
            kind = edges[i, 1]
            source = base[r] + edges[i, 0]
            target = base[r] + edges[i, 6]
            if kind == KIND_EPSILON:
                come[n_eps] = source
                go[n_eps] = target
                n_eps += 1
            else:
                goes_on[source] = True
                if kind == KIND_CALL or kind == KIND_EXTRA:
                    calls[n_calls, 0] = r
                    calls[n_calls, 1] = source
                    calls[n_calls, 2] = edges[i, 2]
                    calls[n_calls, 3] = target
                    calls[n_calls, 4] = kind
                    n_calls += 1
            i += 1

    first = np.zeros(n, np.bool_)
    for r in range(n_rules):
        first[base[r]] = True
    _reach(first, come, go)
    called = np.zeros(n_rules, np.bool_)
    for i in range(n_calls):
        called[calls[i, 2]] = True
    for i in range(len(accepting)):
        if first[accepting[i]] and (called[start] or not base[start] <= accepting[i] < base[start + 1]):
            return False

    ends = np.zeros(n, np.bool_)
    for i in range(len(accepting)):
        ends[accepting[i]] = True
    _reach(ends, go, come)
    _reach(goes_on, go, come)
    for i in range(n_calls):
        if ends[calls[i, 3]] and (goes_on[calls[i, 3]] or calls[i, 4] == KIND_EXTRA):
            return False

    # first calls without a cycle: take rules away that no remaining rule begins with (Kahn 1962)
    n_first = 0
    waiting = np.zeros(n_rules, np.int64)
    begin = np.zeros(n_rules + 1, np.int64)
    for i in range(n_calls):
        if first[calls[i, 1]]:
            n_first += 1
            waiting[calls[i, 2]] += 1
            begin[calls[i, 0] + 1] += 1
    if n_first == 0:
        return True
    for r in range(n_rules):
        begin[r + 1] += begin[r]
    at = begin.copy()
    after = np.empty(n_first, np.int64)
    for i in range(n_calls):
        if first[calls[i, 1]]:
            after[at[calls[i, 0]]] = calls[i, 2]
            at[calls[i, 0]] += 1
    stack = np.empty(n_rules, np.int64)
    top = 0
    gone = 0
    for r in range(n_rules):
        if waiting[r] == 0:
            stack[top] = r
            top += 1
    while top > 0:
        top -= 1
        gone += 1
        r = stack[top]
        for k in range(begin[r], begin[r + 1]):
            waiting[after[k]] -= 1
            if waiting[after[k]] == 0:
                stack[top] = after[k]
                top += 1
    return gone == n_rules
