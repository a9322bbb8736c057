"""Context-free grammars from BNF productions: for tests, and for front ends whose input is BNF already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .errors import InvalidSource
from .ir import START, Automaton, Grammar, RuleId

Symbol = str | bytes
"""A nonterminal's name, or the bytes of a terminal."""


def cfg(rules: Mapping[str, Sequence[Sequence[Symbol]]], start: str) -> Grammar:
    """The grammar with these productions.

    Args:
        rules: nonterminal -> its alternatives, each a sequence of nonterminals (``str``) and terminals (``bytes``); an
            empty sequence is the empty text.
        start: the nonterminal that texts are made of.

    Returns:
        A grammar with one rule for each nonterminal, in the mapping's order; it may be left-recursive and nullable, so pass
        it through ``leftcorner.real_time`` before loading it.

    Raises:
        InvalidSource: a nonterminal has no productions.

    """
    grammar = Grammar()
    ids = {name: grammar.rule(origin=name) for name in rules}
    for name, alternatives in rules.items():
        grammar.define(ids[name], _body(name, alternatives, ids))
    if start not in ids:
        raise InvalidSource(f"there are no productions of the start symbol {start!r}", hint="define it")
    grammar.start = ids[start]
    return grammar


def _body(name: str, alternatives: Sequence[Sequence[Symbol]], ids: Mapping[str, RuleId]) -> Automaton:
    body = Automaton()
    end = body.state()
    body.accept(end)
    for alternative in alternatives:
        symbols = [symbol for symbol in alternative if symbol != b""]
        here = START
        for position, symbol in enumerate(symbols):
            there = end if position == len(symbols) - 1 else body.state()
            if isinstance(symbol, bytes):
                body.literal(here, symbol, there)
            elif symbol in ids:
                body.call(here, ids[symbol], there)
            else:
                raise InvalidSource(f"there are no productions of {symbol!r}", where=name, hint="define it")
            here = there
        if not symbols:
            body.epsilon(START, end)
    return body
