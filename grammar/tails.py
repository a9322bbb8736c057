"""What may be read behind the texts of parse tables.

A parser is told that its text has ended (``$END`` is the last thing that it is fed, and a look-ahead may see it).  At the end of the whole text that is
plain; where something can be read behind it, it may end wherever its text would be whole if nothing followed, and its tables must know.
"""

from __future__ import annotations

from dataclasses import replace

from .ir import EDGE_WIDTH, KIND_CALL, KIND_EPSILON, Automaton, Grammar
from .parsing import Parser


def mark_followed(grammar: Grammar) -> Grammar:
    """The same grammar, in which each parser says whether something can be read behind a text of it."""
    parsers = {n: rule.body.outline_of for n, rule in enumerate(grammar.rules) if rule.body is not None}
    tails = {n: {n} for n, outline in parsers.items() if isinstance(outline, Parser)}
    followed: set[int] = set()
    changed = bool(tails)
    while changed:
        changed = False
        for n, rule in enumerate(grammar.rules):
            body = rule.body
            if body is None or body.outline_of is not None:
                continue
            for callee, target in _calls(body):
                ends = tails.get(callee, set())
                if ends - followed and _reads(body, target):
                    followed |= ends
                    changed = True
                if not ends <= tails.setdefault(n, set()):
                    tails[n] |= ends
                    changed = True
    for n in followed:
        parser = parsers[n]
        if isinstance(parser, Parser):
            grammar.rules[n].body = replace(parser, followed=True).body()
    return grammar


def _edges(body: Automaton) -> list[tuple[int, ...]]:
    return [tuple(body.edges[i : i + EDGE_WIDTH]) for i in range(0, len(body.edges), EDGE_WIDTH)]


def _calls(body: Automaton) -> list[tuple[int, int]]:
    """Rules that are called, each with the state to which the call returns."""
    return [(edge[2], edge[6]) for edge in _edges(body) if edge[1] == KIND_CALL]


def _reads(body: Automaton, state: int) -> bool:
    """Whether anything can be read from a state on."""
    seen, work = {state}, [state]
    for here in work:
        for edge in _edges(body):
            if edge[0] == here:
                if edge[1] != KIND_EPSILON:
                    return True
                if edge[6] not in seen:
                    seen.add(edge[6])
                    work.append(edge[6])
    return False
