"""Lark's parse table as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Lalr:
    """A table-driven shift-reduce parser, entry by entry what Lark built.

    Feeding terminal t: while ``action[top, t]`` is a reduction by rule r, pop ``rule_length[r]`` states, then push
    ``goto[top, rule_lhs[r]]``; then shift, or reject.  The text is accepted iff, when ``$END`` is fed (the last column), a
    reduction pushes the state ``accept``; then nothing is shifted.

    Attributes:
        action: int32[n_states, n_terminals + 1]: 0 error, s + 1 shift to s, -1 - r reduce by rule r.
        goto: int32[n_states, n_nonterminals], -1 none.
        rule_lhs, rule_length: int32[n_rules]: nonterminal, and number of symbols on the right.
        start: the state at the bottom of every stack.
        accept: the state whose push by ``$END`` accepts.
        lexer_of: int32[n_states]: the lexer that reads the next lexeme when this state is on top, -1: never on top then.
        terminals, nonterminals: names of the columns, ``$END`` left out.
        rules: every rule as text.
        expansions: of every rule: the symbols on its right; column t, or -1 - n for nonterminal n.

    """

    action: npt.NDArray[np.int32]
    goto: npt.NDArray[np.int32]
    rule_lhs: npt.NDArray[np.int32]
    rule_length: npt.NDArray[np.int32]
    start: int
    accept: int
    lexer_of: npt.NDArray[np.int32]
    terminals: tuple[str, ...]
    nonterminals: tuple[str, ...]
    rules: tuple[str, ...]
    expansions: tuple[tuple[int, ...], ...]
