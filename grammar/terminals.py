"""Token terminals: one token of the vocabulary, whatever its text is, as a symbol of the language.

A special token (``<think>``, ``<tool_call>``) is never text, so no bytes stand for it; and an ordinary token that is meant itself may not be spelled by
others.  Which ids a name stands for is known with the vocabulary only, so such a terminal goes through the passes over rules as an *outline* (see
``ir.Automaton``), a rule of its own, and is resolved when the grammar is loaded; see ``automata.symbols``.
"""

from __future__ import annotations

from dataclasses import dataclass

from .ir import START, Automaton, Grammar, RuleId

Name = int | str
"""A token by its id, or by its text: the name of a special token, or the whole text of an ordinary one."""


@dataclass(frozen=True, slots=True)
class TokenTerminal:
    """One token of a set.

    Attributes:
        names: the tokens.
        negated: any token is meant but these and those that end or pad a text.
        excerpt: the place in the user's text, as errors show it.

    """

    names: tuple[Name, ...]
    negated: bool = False
    excerpt: str | None = None

    def without_empty(self) -> TokenTerminal:
        """The same language but for the empty text, which it never has."""
        return self

    def body(self) -> Automaton:
        """A rule body of this language: an outline, one byte."""
        body = Automaton()
        end = body.state()
        body.byte_range(START, 0, 255, end)
        body.accept(end)
        body.outline_of = self
        return body

    def rule(self, grammar: Grammar, origin: str) -> RuleId:
        """A new rule of a grammar."""
        rule = grammar.rule(origin=origin)
        grammar.define(rule, self.body())
        return rule
