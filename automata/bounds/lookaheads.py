"""Whether a parse table does all that LALR(1) look-aheads allow: not where conflicts were resolved, or where entries were taken out."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...grammar.parsing import Lalr


def is_free_of_conflicts(lalr: Lalr) -> bool:
    """Whether every rule is reduced wherever its look-ahead set says so (DeRemer and Pennello 1982).

    Then whatever the grammar derives is parsed, so that what completes a stack can be read off the grammar.  Lark resolves a conflict in silence, for shift or by the
    priorities of rules, and then some of it is not.
    """
    action, goto = lalr.action.tolist(), lalr.goto.tolist()
    rules_of: defaultdict[int, list[int]] = defaultdict(list)
    for rule, lhs in enumerate(lalr.rule_lhs.tolist()):
        rules_of[lhs].append(rule)
    nullable = _nullable(lalr)
    number = {
        (p, a): k for k, (p, a) in enumerate((p, a) for p, row in enumerate(goto) for a, q in enumerate(row) if q >= 0)
    }
    own = [0] * len(number)  # bit sets of terminals that can be read at once
    reads: list[list[int]] = [[] for _ in number]
    includes: list[list[int]] = [[] for _ in number]
    reduced: list[list[tuple[int, int]]] = [
        [] for _ in number
    ]  # where each rule of the nonterminal has been read: (state, rule)
    for (p, a), k in number.items():
        q = goto[p][a]
        own[k] = sum(1 << t for t, act in enumerate(action[q]) if act > 0)
        if q == lalr.accept:
            own[k] |= 1 << (len(action[q]) - 1)
        reads[k] = [number[q, c] for c in nullable if goto[q][c] >= 0]
        for rule in rules_of[a]:
            here, symbols = p, lalr.expansions[rule]
            for i, x in enumerate(symbols):
                following = action[here][x] - 1 if x >= 0 else goto[here][-1 - x]
                if following < 0:
                    return False
                if x < 0 and all(y < 0 and -1 - y in nullable for y in symbols[i + 1 :]):
                    includes[number[here, -1 - x]].append(k)
                here = following
            reduced[k].append((here, rule))
    follow = _closed(_closed(own, reads), includes)
    return all(
        action[state][t] == -1 - rule
        for k, places in enumerate(reduced)
        for state, rule in places
        for t in _bits(follow[k])
    )


def _nullable(lalr: Lalr) -> set[int]:
    """The nonterminals that derive the empty text."""
    found: set[int] = set()
    before = -1
    while before != len(found):
        before = len(found)
        for lhs, symbols in zip(lalr.rule_lhs.tolist(), lalr.expansions, strict=True):
            if all(x < 0 and -1 - x in found for x in symbols):
                found.add(lhs)
    return found


def _closed(sets: list[int], of: list[list[int]]) -> list[int]:
    """The least bit sets that include some sets and, each, those of others."""
    found = list(sets)
    users: list[list[int]] = [[] for _ in sets]
    for k, others in enumerate(of):
        for other in others:
            users[other].append(k)
    work = list(range(len(sets)))
    while work:
        other = work.pop()
        for k in users[other]:
            if found[other] & ~found[k]:
                found[k] |= found[other]
                work.append(k)
    return found


def _bits(mask: int) -> Iterable[int]:
    return (t for t in range(mask.bit_length()) if mask >> t & 1)


__all__ = ["is_free_of_conflicts"]
