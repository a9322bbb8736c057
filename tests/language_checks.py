"""Whether a constraint has the language, and the bounds, that a set of short texts says."""

from __future__ import annotations

import itertools
from collections.abc import Collection

from sizes import size

import syntagma as sg

LONGEST = size(8, plain=5)
BOUND = 1 << 39


def check(
    made: sg.Source, expected: Collection[str], vocab: sg.Vocabulary, letters: str, longest: int = LONGEST
) -> None:
    """Compare texts and prefixes up to a length with a language, and the bound with the least number of letters to a text."""
    try:
        constraint = sg.compile(made, vocab)
    except sg.Unsatisfiable:
        assert not expected, expected
        return
    needed: dict[str, int] = {}  # by prefix: the least number of characters to a text
    for text in expected:
        for n in range(len(text) + 1):
            needed[text[:n]] = min(needed.get(text[:n], longest), len(text) - n)
    with constraint.session() as session:
        alive = {"": session.start}
        for n in range(longest + 1):
            for text, state in alive.items():
                assert session.is_accepting(state) == (text in expected), text
                bound = session.finish_bound(state)
                assert bound < BOUND, (text, "can never be finished")
                if n + bound <= longest:
                    assert text in needed, text
                if text in needed:
                    assert bound >= needed[text], text
                    assert bound == needed[text] or constraint.report.budget == "bound", text
            longer = {}
            for (text, state), letter in itertools.product(alive.items(), letters):
                after = session.advance(state, ord(letter))
                if after:
                    longer[text + letter] = after
                else:
                    assert text + letter not in needed, text + letter
            if n == longest:
                break
            alive = longer
