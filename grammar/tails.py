"""Where parse tables may stand among other rules: at the end of the text, for only there they see its end.

A parser decides by the end of the whole text that its own text has ended (``$END`` is the last thing that it is fed, and a look-ahead may see
it), so nothing can be read behind it.
"""

from __future__ import annotations

from .errors import Unsupported
from .ir import EDGE_WIDTH, KIND_CALL, KIND_EPSILON, Automaton, Grammar
from .parsing import Parser


def check_tails(grammar: Grammar) -> Grammar:
    """The same grammar, if nothing can be read behind any text of a parser.

    Raises:
        Unsupported: something can.

    """
    tails = {n: n for n, rule in enumerate(grammar.rules) if rule.body and isinstance(rule.body.outline_of, Parser)}
    grown = -1
    while tails and grown != len(tails):
        grown = len(tails)
        for n, rule in enumerate(grammar.rules):
            body = rule.body
            if body is None or body.outline_of is not None:
                continue
            for callee, target in _calls(body):
                if callee not in tails:
                    continue
                if _reads(body, target):
                    raise Unsupported(
                        "a Lark grammar with its lexer must be the last thing in a text, and here something may follow",
                        where=grammar.rules[tails[callee]].origin,
                        hint="give it lexer='scannerless'",
                    )
                tails.setdefault(n, tails[callee])
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
