"""Hypothesis strategies for regular expressions, and what other engines say about them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

from hypothesis import strategies as st

NODE = shutil.which("node")

ATOMS = ["a", "b", "c", "[ab]", "[^a]", "a?", "ab", ".", "", "^", "$", r"\b", r"\B", "(?:a|bc)", "b{1,2}?"]
QUANTIFIERS = ["*", "+", "?", "{2}", "{1,2}", "{0,2}?", "*?", "{,2}"]
POSSESSIVE = ["*+", "++", "?+", "{1,2}+"]
TEXTS = st.lists(st.text(alphabet="abc \n", max_size=6), min_size=12, max_size=12)


def compound(*, quantifiers: list[str], looks: list[str], groups: bool) -> Any:
    """What makes a pattern of smaller ones."""

    def extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        kinds = [
            st.tuples(inner, inner).map("".join),
            st.tuples(inner, inner).map(lambda p: f"(?:{p[0]}|{p[1]})"),
            st.tuples(inner, st.sampled_from(quantifiers)).map(lambda p: f"(?:{p[0]}){p[1]}"),
            st.tuples(st.sampled_from(looks), inner).map(lambda p: f"{p[0]}{p[1]})"),
        ]
        if groups:
            kinds.append(inner.map(lambda p: f"({p})"))
        return st.one_of(kinds)

    return extend


def patterns(
    atoms: list[str], *, quantifiers: list[str] = QUANTIFIERS, looks: list[str], groups: bool = False, leaves: int = 7
) -> st.SearchStrategy[str]:
    """Patterns over some atoms."""
    return st.recursive(
        st.sampled_from(atoms), compound(quantifiers=quantifiers, looks=looks, groups=groups), max_leaves=leaves
    )


def re_says(oracle: Any, text: str, *, search: bool) -> bool | None:
    """What ``re`` or ``regex`` says; ``None`` where the former has an error of its own."""
    try:
        return bool(oracle.search(text) if search else oracle.fullmatch(text))
    except SystemError:  # CPython's issue with captures inside of look-around
        return None


def compiled(module: Any, pattern: str) -> Any:
    """The pattern as another engine reads it, or ``None`` where it refuses it."""
    try:
        return module.compile(pattern)
    except (re.error, module.error):
        return None


_ASK = r"""
const {cases, texts} = JSON.parse(require('fs').readFileSync(0));
const say = ([p, flags, search]) => {
  try {
    const r = new RegExp(p, flags), q = search ? r : new RegExp('(?<![^])(?:' + p + ')(?![^])', flags);
    return texts.map(t => q.test(t));
  } catch (e) { return null; }
};
console.log(JSON.stringify(cases.map(say)));
"""


def node_says(cases: list[tuple[str, str, bool]], texts: list[str]) -> list[list[bool] | None]:
    """For each (pattern, flags, search): whether V8 matches each text; ``None`` where it refuses the pattern."""
    assert NODE is not None
    question = json.dumps({"cases": cases, "texts": texts})
    done = subprocess.run([NODE, "-e", _ASK], input=question, capture_output=True, text=True, check=True)
    answer: list[list[bool] | None] = json.loads(done.stdout)
    return answer
