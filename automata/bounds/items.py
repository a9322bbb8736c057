"""The LR(0) items of a parse table's states, and what they still cost."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ...grammar.parsing import Parser

FAR: Final = 1 << 40
"""More than any completion costs; sums of it stay below ``UNREACHABLE``."""


class Item(NamedTuple):
    """A rule of which a parser's state has seen the beginning.

    Attributes:
        pops: symbols seen.
        lhs: the rule's nonterminal.
        rest: the cost of the symbols still to come.

    """

    pops: int
    lhs: int
    rest: int


class Derivation(NamedTuple):
    """What a cheapest text of a nonterminal costs, and the rule that it begins with."""

    cost: int
    rule: int


def kernels(parser: Parser) -> list[set[tuple[int, int]]]:
    """The kernel items (rule, symbols seen) of every state of the table (LR(0): Knuth 1965), from the table's own transitions."""
    lalr = parser.lalr
    by_lhs: dict[int, list[int]] = {}
    for rule, lhs in enumerate(lalr.rule_lhs.tolist()):
        by_lhs.setdefault(lhs, []).append(rule)
    kernels: list[set[tuple[int, int]]] = [set() for _ in range(len(lalr.action))]
    done: list[set[tuple[int, int]]] = [set() for _ in range(len(lalr.action))]
    action, goto = lalr.action.tolist(), lalr.goto.tolist()
    work = [lalr.start]
    while work:
        state = work.pop()
        fresh = set(kernels[state])
        if state == lalr.start:
            fresh |= {(rule, 0) for lhs in _whole(parser) for rule in by_lhs[lhs]}
        closure = list(fresh)
        seen = set(fresh)
        for rule, dot in closure:
            symbols = lalr.expansions[rule]
            if dot < len(symbols) and symbols[dot] < 0:
                for other in by_lhs.get(-1 - symbols[dot], ()):
                    if (other, 0) not in seen:
                        seen.add((other, 0))
                        closure.append((other, 0))
        if seen <= done[state]:
            continue
        done[state] |= seen
        for rule, dot in closure:
            symbols = lalr.expansions[rule]
            if dot == len(symbols):
                continue
            x = symbols[dot]
            target = action[state][x] - 1 if x >= 0 else goto[state][-1 - x]
            if target >= 0 and (rule, dot + 1) not in kernels[target]:
                kernels[target].add((rule, dot + 1))
                work.append(target)
    return kernels


def _whole(parser: Parser) -> list[int]:
    """The nonterminals that whole texts are made of."""
    lalr = parser.lalr
    return np.flatnonzero(lalr.goto[lalr.start] == lalr.accept).tolist()


def items(parser: Parser, kernels: list[set[tuple[int, int]]], costs: list[int]) -> list[list[Item]]:
    """The kernel items with the cost of what they still need; of the start state, the whole text's."""
    lalr = parser.lalr
    lhs_of = lalr.rule_lhs.tolist()
    least = {lhs: d.cost for lhs, d in derivations(lalr.expansions, lhs_of, costs).items()}

    def cost_of(symbols: tuple[int, ...]) -> int:
        return min(FAR, sum(costs[x] if x >= 0 else least.get(-1 - x, FAR) for x in symbols))

    found = [
        sorted({Item(dot, lhs_of[rule], cost_of(lalr.expansions[rule][dot:])) for rule, dot in kernel})
        for kernel in kernels
    ]
    found[lalr.start] = [Item(0, -1, min((least.get(lhs, FAR) for lhs in _whole(parser)), default=FAR))]
    return found


def derivations(expansions: tuple[tuple[int, ...], ...], lhs_of: list[int], costs: list[int]) -> dict[int, Derivation]:
    """The cheapest derivation of each nonterminal that has a text (Knuth 1977), the least rule's among equals.

    Args:
        expansions: of each rule its symbols: terminals, and -1 - n for nonterminals.
        lhs_of: of each rule its nonterminal.
        costs: of each terminal; ``FAR`` if it has no text.

    """
    waiting: dict[int, list[int]] = {}
    open_: list[int] = []  # of each rule: its nonterminals without a cost
    total: list[int] = []
    heap: list[tuple[int, int]] = []
    for rule, symbols in enumerate(expansions):
        inner = [-1 - x for x in symbols if x < 0]
        for x in inner:
            waiting.setdefault(x, []).append(rule)
        open_.append(len(inner))
        total.append(sum(costs[x] for x in symbols if x >= 0))
        if not inner:
            heap.append((total[rule], rule))
    heapq.heapify(heap)
    found: dict[int, Derivation] = {}
    while heap:
        cost, cheapest = heapq.heappop(heap)
        lhs = lhs_of[cheapest]
        if lhs in found or cost >= FAR:
            continue
        found[lhs] = Derivation(cost, cheapest)
        for rule in waiting.get(lhs, ()):
            open_[rule] -= 1
            total[rule] += cost
            if not open_[rule]:
                heapq.heappush(heap, (total[rule], rule))
    return found
