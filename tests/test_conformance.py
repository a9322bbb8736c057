"""The conformance function passes constraints that keep the laws, and names the law that another one breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lark_toy import ranges
from machine_checks import vocabulary
from random_grammars import FIXED
from toy_grammars import (
    ARRAY_TOKENS,
    COUNT_TOKENS,
    OBJECT_TOKENS,
    RANGE_TOKENS,
    STRING_TOKENS,
    SUM_TOKENS,
    arrays,
    even_strings,
    objects,
    open_counts,
    strings,
)

from syntagma.automata import constraint as constraint_module
from syntagma.automata.conformance import LawBroken, check_constraint
from syntagma.automata.constraint import Constraint
from syntagma.grammar.bnf import cfg
from syntagma.grammar.leftcorner import real_time

pytestmark = pytest.mark.kernel

BUILDS: dict[str, Callable[[], tuple[Any, list[bytes], list[bytes]]]] = {
    "objects": lambda: (objects(), OBJECT_TOKENS, [b"{}", b'{"a":1,"b":1}', b'{"b":1,"b":1}', b'{"b":1,"bb":{"b":1}}']),
    "arrays": lambda: (arrays(), ARRAY_TOKENS, [b"[1,1]", b"[1]", b"[[1,1],1,1]", b"[1,1,1,1]"]),
    "strings": lambda: (strings(2, 5), STRING_TOKENS, [b'"aa"', b'"a"', b'"aaaaa"', b'"aaaaaa"']),
    "even strings": lambda: (even_strings(3, 7), STRING_TOKENS, [b'"aaaa"', b'"aaaaa"', b'"aaaaaa"']),
    "open counts": lambda: (open_counts((2, 4)), COUNT_TOKENS, [b"aa", b"aa,aaaa", b"aa,a", b"aaaaa"]),
    "sums": lambda: (real_time(cfg(FIXED["sums"], "E")), SUM_TOKENS, [b"a+a", b"(a+(a))", b"(a", b"a+", b""]),
    "lark ranges": lambda: (ranges()[1], RANGE_TOKENS, [b"1..2", b"1.2", b"1.", b"1...2"]),
    "everything": lambda: (real_time(cfg(FIXED["everything"], "S")), [b"a", b"aa"], [b"", b"aaa", b"b"]),
}


def build(name: str, *, padded: bool = True) -> tuple[Constraint, list[bytes]]:
    grammar, tokens, texts = BUILDS[name]()
    return Constraint.from_grammar(grammar, vocabulary(tokens, padded=padded)), texts


@pytest.mark.parametrize("brute_force", [True, False])
@pytest.mark.parametrize("name", BUILDS)
def test_the_laws_hold(name: str, brute_force: bool) -> None:
    """Constraints over every feature of the machine keep every law, whether all tokens are tried or a sample."""
    constraint, texts = build(name)
    check_constraint(constraint, texts, rng=np.random.default_rng(1), steps=60, brute_force=brute_force)


def test_a_vocabulary_without_padding_keeps_the_laws() -> None:
    """Padding is optional."""
    constraint, texts = build("arrays", padded=False)
    check_constraint(constraint, texts, steps=20)


SESSION = constraint_module.Session


def flip(state: int, row: Any) -> Any:
    row = row.copy()
    row[0] ^= np.uint32(1 << (state % 3))
    return row


BREAKS: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "a bit too many or too few": (
        "mask",
        lambda real: lambda self, state, out=None, budget=None: flip(state, real(self, state, out, budget)),
        "mask|allowed|budget",
    ),
    "never accepting": ("is_accepting", lambda _: lambda *_: False, "accepting|least"),
    "always final": ("is_final", lambda _: lambda *_: True, "is_final"),
    "nothing forced": ("forced_token", lambda _: lambda *_: None, "forced_token"),
    "zeros forced": ("forced_bytes", lambda _: lambda *_: b"\0", "forced"),
    "bound off by one": ("finish_bound", lambda real: lambda *a: real(*a) + 1, "finish_bound"),
    "bound always one": ("finish_bound", lambda _: lambda *_: 1, "finish_bound"),
    "bound too low": ("finish_bound", lambda real: lambda *a: min(1, real(*a)), "least|finish_bound|leave enough"),
    "bytes go nowhere": ("advance_bytes", lambda _: lambda *_: 0, "bytes"),
    "tokens go nowhere": ("advance", lambda _: lambda *_: 0, "advance"),
    "budget ignored": (
        "mask",
        lambda real: lambda self, state, out=None, budget=None: real(self, state, out),  # noqa: ARG005
        "budget",
    ),
    "accepts nothing": ("accepts", lambda _: lambda *_: False, "accepts"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_law_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaking one answer makes the check fail with the law's sentence, the state and the way to it."""
    method, wrap, law = BREAKS[name]
    base = constraint_module._States
    constraint, texts = build("arrays")
    monkeypatch.setattr(base, method, wrap(getattr(base, method)))
    with pytest.raises(LawBroken, match=law) as caught:
        check_constraint(constraint, texts, steps=60)
    assert caught.value.want != caught.value.have
    assert caught.value.law in str(caught.value)
    assert isinstance(caught.value.tokens, tuple)


def test_an_impure_constraint_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that change with the number of questions break the law of purity, or the law that they first run into."""
    base = constraint_module._States
    constraint, texts = build("arrays")
    real = base.forced_token
    calls = iter(range(10**9))
    monkeypatch.setattr(base, "forced_token", lambda *a: real(*a) if next(calls) < 40 else 1)
    with pytest.raises(LawBroken):
        check_constraint(constraint, texts, steps=60)


def test_a_constraint_whose_states_outlive_their_session_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that frees nothing breaks the law of scopes."""
    constraint, _ = build("sums")
    monkeypatch.setattr(constraint_module.Session, "close", lambda _: None)
    with pytest.raises(LawBroken, match="StaleState"):
        check_constraint(constraint, steps=5)


def test_texts_that_depend_on_their_cut_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A constraint that rejects a member in some tokens only breaks the law of texts."""
    base = constraint_module._States
    constraint, _ = build("strings")
    real = base.advance_tokens
    monkeypatch.setattr(
        base, "advance_tokens", lambda self, state, tokens: 0 if len(list(tokens)) > 2 else real(self, state, tokens)
    )
    with pytest.raises(LawBroken, match="verdict"):
        check_constraint(constraint, [b'"aaaa"'], steps=0)
