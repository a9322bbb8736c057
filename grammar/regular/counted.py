"""placeholder"""
from __future__ import annotations
from ..ir import START, Automaton, Grammar
from . import encode
from .nfa import from_node
from .nodes import Node, Tick


def counted_grammar(tree: Node, *, max_states: int, tick: Tick) -> tuple[Grammar | None, int]:
    dfa = from_node(tree, "", search=False, max_states=max_states, tick=tick)
    if dfa.is_empty():
        return None, 0
    grammar = Grammar()
    grammar.start = grammar.rule(key=("characters", dfa.digest))
    body = Automaton()
    end = body.state()
    body.embed(START, encode.utf8(dfa), end)
    body.accept(end)
    grammar.define(grammar.start, body)
    return grammar, 0
