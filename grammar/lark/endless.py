"""Parse tables that reduce for ever: Lark builds them where a rule derives itself, and its parser does not return.

Conflicts are resolved in silence, so a grammar with ``a: b`` and ``b: a`` has a table; on some look-ahead its parser reduces one to the other and back.  Where
a rule comes back behind something empty (``a: empty a "x"``), it may push the empty thing again and again.  A run of reductions without a shift is
deterministic in what it pushed, so it has no end as soon as a state comes twice: above itself, or as the top over the same state below.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

import numpy as np
import numpy.typing as npt

from ..parsing import Lalr


def endless(lalr: Lalr) -> list[int]:
    """The rules of a run of reductions that has no end, in the order of their reductions; none where every run ends.

    All pairs of states are tried that a text may leave on each other as far as single edges of the table tell, whatever lies below.
    """
    if not _may_be(lalr):
        return []
    action, goto = lalr.action.tolist(), lalr.goto.tolist()
    useful = productive(lalr)
    reached = {lalr.start}
    for below in (todo := [lalr.start]):
        tops = {goto[below][n] for n in useful if goto[below][n] >= 0} | {x - 1 for x in action[below] if x > 0}
        todo += sorted(tops - reached)
        reached |= tops
        for top in sorted(tops):
            for column in np.flatnonzero(lalr.action[top] < 0).tolist():
                rules = _run(lalr, action, goto, below, top, column)
                if rules:
                    return rules
    return []


def _run(lalr: Lalr, action: list[list[int]], goto: list[list[int]], below: int, top: int, column: int) -> list[int]:
    """The rules of a loop of the reductions from two states on, with a look-ahead; none where the lower one is popped, or they end."""
    stack = [below, top]
    tops: list[set[int]] = [set(), {top}]  # of each level: what was on top there, over the same state below
    done: list[int] = []
    while True:
        act = action[stack[-1]][column]
        if act >= 0:
            return []
        rule = -1 - act
        done.append(rule)
        length = int(lalr.rule_length[rule])
        if length >= len(stack):
            return []
        if length:
            del stack[-length:]
            del tops[len(stack) + 1 :]
        else:
            tops.append(set())
        top = goto[stack[-1]][int(lalr.rule_lhs[rule])]
        if top < 0 or (top == lalr.accept and column == len(action[0]) - 1):
            return []
        if top in stack[1:] or top in tops[len(stack)]:
            return _loop(done)
        tops[len(stack)].add(top)
        stack.append(top)


def productive(lalr: Lalr, spelled: Container[int] | None = None) -> set[int]:
    """The nonterminals that have a text; ``spelled``: the terminals that have one, if it is not all."""
    found: set[int] = set()
    rules = list(zip(lalr.rule_lhs.tolist(), lalr.expansions, strict=True))
    before = -1
    while before != len(found):
        before = len(found)
        found |= {
            lhs
            for lhs, symbols in rules
            if all((spelled is None or x in spelled) if x >= 0 else -1 - x in found for x in symbols)
        }
    return found


def _loop(rules: list[int]) -> list[int]:
    """The rules from the last time on that the last one was applied before, or all."""
    before = [i for i, rule in enumerate(rules[:-1]) if rule == rules[-1]]
    return rules[before[-1] + 1 :] if before else rules


def _may_be(lalr: Lalr) -> bool:
    """Whether a rule derives itself and nothing else, or itself behind something that may be empty: no other grammar has such a table."""
    rules = list(zip(lalr.rule_lhs.tolist(), lalr.expansions, strict=True))
    empty = productive(lalr, ())
    first: set[tuple[int, int, bool]] = set()  # (nonterminal, one that it may begin with, behind something empty)
    alone: set[tuple[int, int]] = set()
    for lhs, symbols in rules:
        for i, x in enumerate(symbols):
            if x >= 0:
                break
            first.add((lhs, -1 - x, i > 0))
            if all(y < 0 and -1 - y in empty for y in symbols[i + 1 :]):
                alone.add((lhs, -1 - x))
            if -1 - x not in empty:
                break
    n = len(lalr.nonterminals)
    begins = _closed(n, ((a, b) for a, b, _ in first))
    return bool(_closed(n, alone).diagonal().any()) or any(
        hidden and (a == b or begins[b, a]) for a, b, hidden in first
    )


def _closed(n: int, edges: Iterable[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """The transitive closure of a relation among n things."""
    closed = np.zeros((n, n), np.bool_)
    for a, b in edges:
        closed[a, b] = True
    for b in range(n):
        closed[closed[:, b]] |= closed[b]
    return closed
