"""``finish_bound`` and budgets against breadth-first search over single advances."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from machine_checks import tokens_of, vocabulary
from random_grammars import FIXED, random_productions
from sizes import size
from toy_grammars import (
    ARRAY_TOKENS,
    COUNT_TOKENS,
    OBJECT_TOKENS,
    QUOTE,
    STRING_TOKENS,
    SUM_TOKENS,
    arrays,
    even_strings,
    objects,
    open_counts,
    string_rest,
    strings,
)

import syntagma as sg
from syntagma.automata.bounds import UNREACHABLE, tokens
from syntagma.automata.constraint import Constraint, Session
from syntagma.grammar.bnf import cfg
from syntagma.grammar.errors import InvalidSource, StaleState, Unsatisfiable
from syntagma.grammar.ir import START, Automaton, Grammar
from syntagma.grammar.leftcorner import real_time

pytestmark = pytest.mark.kernel

MOST_ADVANCES = size(60_000, plain=5_000)
"""A search that takes more calls than this gives up, and the state is not compared."""


def records() -> Grammar:
    """An object of fixed members in fixed order, two of them optional; values are numbers, strings, or records."""
    grammar = Grammar()
    top, number, rest = grammar.rule(), grammar.rule(), string_rest(grammar)
    body = Automaton()
    more = body.state()
    body.byte_range(START, ord("1"), ord("2"), more)
    body.byte_range(more, ord("1"), ord("2"), more)
    body.accept(more)
    grammar.define(number, body)
    body = Automaton()
    opened, a, after_a, b, after_b, c, after_c, end = (body.state() for _ in range(8))
    body.literal(START, b"{", opened)
    body.literal(opened, b'"a":', a)
    body.call(a, number, after_a)
    body.literal(after_a, b',"b":"', b)
    body.call(b, rest, after_b)
    for source in (after_a, after_b):
        body.literal(source, b',"c":', c)
        body.literal(source, b"}", end)
    body.call(c, top, after_c)
    body.literal(after_c, b"}", end)
    body.accept(end)
    grammar.define(top, body)
    grammar.start = top
    return grammar


def choices() -> Grammar:
    """Alternatives that share beginnings: a run of calls, one of which ends lazily under another."""
    grammar = Grammar()
    top, run = grammar.rule(), grammar.rule()
    body = Automaton()
    more = body.state()
    body.byte_range(START, ord("a"), ord("a"), more)
    body.byte_range(more, ord("a"), ord("b"), more)
    body.accept(more)
    grammar.define(run, body)
    body = Automaton()
    x, y, end = body.state(), body.state(), body.state()
    body.call(START, run, x)
    body.literal(x, b"c", y)
    body.call(y, run, end)
    body.literal(START, b"abcc", end)
    body.literal(end, b"(", START)
    body.accept(end)
    grammar.define(top, body)
    grammar.start = top
    return grammar


def quoted(guarded: int) -> Grammar:
    """A string of exactly ``guarded`` letters a, said by a guard and one state a letter, under a counter that allows more."""
    grammar = Grammar()
    grammar.start = grammar.rule()
    body = Automaton()
    here = body.state()
    body.byte_range(START, QUOTE, QUOTE, here, 3, body.pair(0, 100))  # 3: OP_SET
    body.guards.append((here, guarded, guarded))
    for i in range(guarded):
        there = body.state()
        body.byte_range(here, ord("a"), ord("a"), there, 1)  # 1: OP_COUNT
        body.guards.append((there, guarded - i - 1, guarded - i - 1))
        here = there
    end = body.state()
    body.byte_range(here, QUOTE, QUOTE, end)
    body.accept(end)
    grammar.define(grammar.start, body)
    return grammar


RECORD_TOKENS = [
    b"{", b"}", b'"', b"a", b"b", b"c", b":", b"1", b"2", b",",
    b'{"', b'":', b',"', b'"a":', b'"}', b'"}}', b"12", b"1}", b'1,"', b'":"', b'":{', b'a"}}', b"}}}",
]  # fmt: skip
CHOICE_TOKENS = [b"a", b"b", b"c", b"(", b"ab", b"bc", b"c(", b"aca(", b"abcc", b"(aca", b"ba"]

EXACT: dict[str, Callable[[], tuple[Grammar, list[bytes]]]] = {
    "records": lambda: (records(), RECORD_TOKENS),
    "choices": lambda: (choices(), CHOICE_TOKENS),
    "arrays": lambda: (arrays(), ARRAY_TOKENS),
    "arrays of three and more": lambda: (arrays((2, 1 << 40)), ARRAY_TOKENS),
    "arrays of up to four": lambda: (arrays((0, 3)), ARRAY_TOKENS),
    "strings": lambda: (strings(2, 5), STRING_TOKENS),
    "long strings": lambda: (strings(9, 300), STRING_TOKENS),
    "even strings": lambda: (even_strings(3, 7), STRING_TOKENS),
    "guarded strings": lambda: (quoted(23), STRING_TOKENS),
    "open counts": lambda: (open_counts((2, 4)), COUNT_TOKENS),
    "sums": lambda: (real_time(cfg(FIXED["sums"], "E")), SUM_TOKENS),
}


def missing(tokens: list[bytes], which: int) -> list[bytes]:
    """The tokens without every ``which``-th of the single bytes that longer tokens spell as well."""
    seen = [t for t in tokens if len(t) == 1 and any(t in u for u in tokens if len(u) > 1)]
    gone = set(seen[which % 3 :: 3])
    return [t for t in tokens if t not in gone]


def fewest(session: Session, state: int, size: int) -> int | None:
    """The least number of tokens to an accepting state, by breadth-first search; None if it takes too long."""
    layer, known, advanced, distance = [state], {state}, 0, 0
    while layer:
        if any(session.is_accepting(s) for s in layer):
            return distance
        advanced += len(layer) * size
        if advanced > MOST_ADVANCES:
            return None
        following = {session.advance(s, t) for s in layer for t in range(size)} - known - {0}
        known |= following
        layer, distance = list(following), distance + 1
    return UNREACHABLE


def walk(session: Session, rng: random.Random, size: int, longest: int) -> list[int]:
    """States along a random walk."""
    states = [session.start]
    while len(states) < longest:
        following = [s for s in (session.advance(states[-1], t) for t in range(size)) if s]
        if not following:
            break
        states.append(rng.choice(following))
    return states


def check_potential(session: Session, state: int, size: int) -> None:
    """The bound is 0 iff the state accepts, and some allowed token lowers it; budgets say the same."""
    bound = session.finish_bound(state)
    assert (bound == 0) == session.is_accepting(state)
    after = {t: s for t in range(size) if (s := session.advance(state, t))}
    if bound:
        assert min(map(session.finish_bound, after.values())) < bound
        assert not session.mask(state, budget=bound - 1).any()
        assert not session.mask(state, budget=0).any()
    for budget in (bound, bound + 2):
        want = {t for t, s in after.items() if session.finish_bound(s) < budget}
        assert tokens_of(session.mask(state, budget=budget)) - set(session.vocab.eos_ids) == want


LONG_SEARCHES = {("arrays of three and more", 0), ("arrays of three and more", 1)}


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        pytest.param(name, cut, marks=pytest.mark.slow if (name, cut) in LONG_SEARCHES else ())
        for cut in (None, 0, 1, 2)
        for name in EXACT
    ],
)
def test_the_bound_is_the_least_number_of_tokens(name: str, cut: int | None) -> None:
    """Without extra keys the bound is what breadth-first search finds, also where single bytes are no tokens."""
    grammar, tokens = EXACT[name]()
    if cut is not None:
        tokens = missing(tokens, cut)
    try:
        constraint = Constraint.from_grammar(grammar, vocabulary(tokens))
    except Unsatisfiable:
        assert cut is not None
        return
    assert constraint.store.bounds.is_exact(constraint.rule_start)
    rng = random.Random(f"{name} {cut}")
    compared = 0
    for _ in range(12):
        with constraint.session() as session:
            for state in walk(session, rng, len(tokens), 8):
                want = fewest(session, state, len(tokens))
                if want is not None:
                    assert session.finish_bound(state) == want
                    compared += 1
                check_potential(session, state, len(tokens))
    assert compared > 20


@pytest.mark.parametrize("seed", [*range(39), pytest.param(39, marks=pytest.mark.slow)])
def test_random_context_free_grammars(seed: int) -> None:
    """The bound of random grammars over random tokens is the least number of tokens."""
    rng = random.Random(seed)
    texts = ["".join(rng.choice("abc") for _ in range(rng.choice((1, 1, 2, 3, 4)))).encode() for _ in range(9)]
    tokens = sorted(set(texts))
    try:
        grammar = real_time(cfg(random_productions(rng), "S"))
        constraint = Constraint.from_grammar(grammar, vocabulary(tokens))
    except (InvalidSource, Unsatisfiable):
        return
    for _ in range(4):
        with constraint.session() as session:
            for state in walk(session, rng, len(tokens), 6):
                want = fewest(session, state, len(tokens))
                assert want is None or session.finish_bound(state) == want
                check_potential(session, state, len(tokens))


@pytest.mark.parametrize("cut", [None, 1, 2])
def test_with_extra_keys_the_bound_is_a_potential(cut: int | None) -> None:
    """Keys that must differ: the bound falls along some token everywhere, and is never below the least number."""
    tokens = OBJECT_TOKENS if cut is None else missing(OBJECT_TOKENS, cut)
    constraint = Constraint.from_grammar(objects(), vocabulary(tokens))
    assert not constraint.store.bounds.is_exact(constraint.rule_start)
    rng = random.Random(cut)
    for _ in range(size(30, plain=10)):
        with constraint.session() as session:
            for state in walk(session, rng, len(tokens), 14):
                want = fewest(session, state, len(tokens))
                assert want is None or session.finish_bound(state) >= want
                check_potential(session, state, len(tokens))


@pytest.mark.parametrize("name", [*EXACT, "objects"])
def test_every_budget_from_the_bound_up_is_kept(name: str) -> None:
    """Random and greedy decoding under a budget completes the text within it; below the bound nothing is allowed."""
    grammar, tokens = EXACT[name]() if name in EXACT else (objects(), OBJECT_TOKENS)
    constraint = Constraint.from_grammar(grammar, vocabulary(tokens))
    rng = random.Random(name)
    (eos,) = constraint.vocab.eos_ids
    bound = constraint.finish_bound(constraint.start)
    for budget in range(bound + 12):
        with constraint.session() as session:
            state, remaining = session.start, budget
            while allowed := sorted(tokens_of(session.mask(state, budget=remaining))):
                if allowed == [eos]:
                    break
                state = session.advance(state, rng.choice([t for t in allowed if t != eos]))
                remaining -= 1
            assert session.is_accepting(state) == (budget >= bound)
            assert remaining >= 0


@pytest.mark.parametrize("name", [*EXACT, "objects"])
def test_fits_says_what_the_bound_says(name: str) -> None:
    """Asked before the bound is known and after, for every budget around it, negative ones included."""
    grammar, tokens = EXACT[name]() if name in EXACT else (objects(), OBJECT_TOKENS)
    constraint = Constraint.from_grammar(grammar, vocabulary(tokens))
    rng = random.Random(name)
    for _ in range(8):
        with constraint.session() as session:
            states = walk(session, rng, len(tokens), 12)
            budgets = range(-1, 24)
            before = {(s, b): session.fits(s, b) for s in states for b in rng.sample(budgets, len(budgets))}
            for (state, budget), answer in before.items():
                assert answer == (session.finish_bound(state) <= budget) == session.fits(state, budget)
    assert not constraint.fits(0, UNREACHABLE - 1)


SCHEMAS: list[Any] = [
    {
        "type": "object",
        "properties": {"name": {"type": "string"}, "n": {"type": "integer"}, "ok": {"type": "boolean"}},
        "required": ["name", "ok"],
        "additionalProperties": False,
    },
    {"type": "array", "items": {"enum": ["a", "ab", 12, None]}, "minItems": 3},
    {"type": "string", "minLength": 3, "maxLength": 40},
    {
        "$ref": "#/$defs/t",
        "$defs": {
            "t": {
                "type": "object",
                "properties": {"l": {"$ref": "#/$defs/t"}, "v": {"type": "null"}},
                "required": ["v"],
                "additionalProperties": False,
            }
        },
    },
    {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    {"type": "object", "additionalProperties": {"type": "integer"}},
    {"type": "object", "additionalProperties": {"type": "integer"}, "required": ["name", "tags"]},
]
SCHEMA_TOKENS = [
    *(bytes([b]) for b in range(32, 128)), b"\xc3", b"\xa9", b"\xe4", b"\xb8", b"\xad", "中".encode(), "é".encode(),
    b'{"', b'":', b'": ', b'",', b'", "', b'"}', b'"]', b"],", b"}}", b"name", b"na", b'name":', b"12", b"true",
    b'":"', b'{"name', b'aa"}', b'":1}', b'{"v":null}', b"null}", b"[null,", b'","', b"a\\",
]  # fmt: skip


@pytest.mark.parametrize("whitespace", ["compact", "bounded"])
@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
@pytest.mark.parametrize("without", [b"", b'aeltu"'], ids=["all bytes", "some bytes missing"])
def test_bounds_of_schemas(schema: Any, without: bytes, whitespace: Any) -> None:
    """On JSON Schemas the bound is a potential, and the minimum wherever no extra key can come."""
    tokens = [t for t in SCHEMA_TOKENS if len(t) > 1 or t not in {bytes([b]) for b in without}]
    vocab = vocabulary(tokens)
    try:
        constraint = sg.compile(sg.JsonSchema(schema, whitespace=whitespace), vocab)
    except Unsatisfiable:
        assert without
        return
    exact = constraint.store.bounds.is_exact(constraint.rule_start)
    rng = random.Random(repr((schema, without)))
    for _ in range(5):
        with constraint.session() as session:
            for state in walk(session, rng, len(tokens), 10):
                want = fewest(session, state, len(tokens))
                bound = session.finish_bound(state)
                assert want is None or (bound == want if exact else bound >= want)
                check_potential(session, state, len(tokens))


@pytest.mark.parametrize("escapes", ["canonical", "ascii", "all"])
@pytest.mark.parametrize(
    ("schema", "shortest"),
    [
        ({"type": "object", "minProperties": 3}, '{"":0,"a":0,"b":0}'),
        ({"type": "object", "minProperties": 2, "required": ["d"]}, '{"d":0,"":0}'),
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": 3}, '["","a","b"]'),
    ],
)
def test_keys_and_items_that_must_differ_are_told_apart_by_a_letter(schema: Any, shortest: str, escapes: Any) -> None:
    """The bound of keys and items still to come is near the least, however many states the spellings of a string have."""
    tokens = [t for t in SCHEMA_TOKENS if len(t) == 1]
    constraint = sg.compile(sg.JsonSchema(schema, escapes=escapes, whitespace="compact"), vocabulary(tokens))
    rng = random.Random(repr((schema, escapes)))
    with constraint.session() as session:
        assert len(shortest) <= session.finish_bound(session.start) <= 2 * len(shortest)
        for state in walk(session, rng, len(tokens), size(10, plain=2)):
            check_potential(session, state, len(tokens))


def test_deep_stacks_do_not_recurse() -> None:
    """A stack of thousands of frames has a bound: the closing tokens that its depth asks for."""
    tokens = [b"[", b"]", b",", b"1", b"]]"]
    constraint = Constraint.from_grammar(arrays((0, 3)), vocabulary(tokens))
    with constraint.session() as session:
        state = session.advance_bytes(session.start, b"[" * 4001)
        assert session.finish_bound(state) == 1 + 2001


def test_a_memo_outlives_no_scope() -> None:
    """The same texts have the same bounds in every session, whatever sessions held the memory before."""
    constraint = Constraint.from_grammar(records(), vocabulary(RECORD_TOKENS))
    rng = random.Random(3)
    first: dict[tuple[int, ...], int] = {}
    for _ in range(60):
        with constraint.session() as session:
            state, path = session.start, ()
            for _ in range(12):
                bound = session.finish_bound(state)
                assert first.setdefault(path, bound) == bound
                allowed = sorted(tokens_of(session.mask(state)) - set(constraint.vocab.eos_ids))
                if not allowed:
                    break
                token = rng.choice(allowed)
                state, path = session.advance(state, token), (*path, token)
    with pytest.raises(StaleState):
        constraint.finish_bound(state)


def test_dead_states_have_no_bound() -> None:
    """The dead state is UNREACHABLE, and its budgeted mask is empty."""
    constraint = Constraint.from_grammar(arrays(), vocabulary(ARRAY_TOKENS))
    assert constraint.finish_bound(0) == UNREACHABLE
    assert not np.any(constraint.mask(0, budget=100))


def test_members_that_need_not_come_are_not_priced() -> None:
    """Where the text may end at once, the bound is found without a look at the hundreds of members that might come."""
    member = {"type": "object", "properties": {f"m{i}": {"type": "integer"} for i in range(20)}}
    schema = {"type": "object", "properties": {f"member {i}": member for i in range(size(200, plain=20))}}
    constraint = sg.compile(sg.JsonSchema(schema), vocabulary([bytes([c]) for c in range(256)]))
    assert constraint.finish_bound(constraint.start) == 2
    assert len(constraint.store.bounds._bytes._reached) < 10


def test_keys_are_looked_at_where_nothing_is_cheaper() -> None:
    """A comma after each of many members opens another key of as many spellings; where the object may end, none of these is read."""
    schema = {"type": "object", "properties": {f"member {i}": {"enum": [1, 2]} for i in range(size(150, plain=15))}}
    constraint = sg.compile(sg.JsonSchema(schema), vocabulary([bytes([c]) for c in range(256)]))
    state = constraint.advance_bytes(constraint.start, b'{"member 0')
    for budget in (3, 4, 5):
        constraint.mask(state, budget=budget)
    bounds = constraint.store.bounds
    assert bounds.of(state) == 4
    assert bounds.of(int(constraint.advance_bytes(state, b'": 1,'))) > 4
    assert len(bounds._bytes._keys._exits) < 5


def test_streams_may_be_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where streams take too much memory they are made anew, and say the same."""
    schema = {"type": "object", "properties": {name: {"type": "integer"} for name in "abcd"}, "required": ["b", "d"]}
    vocab = vocabulary([*(bytes([c]) for c in range(256)), b'{"', b'":', b'1,"', b'"b":1'])
    text = b'{"a": 1, "b": 2, "d'

    def found() -> list[int]:
        constraint = sg.compile(sg.JsonSchema(schema), vocab)
        with constraint.session() as session:
            states = [session.advance_bytes(session.start, text[:n]) for n in range(len(text) + 1)]
            return [session.finish_bound(state) for state in states]

    want = found()
    monkeypatch.setattr(tokens, "MOST_VISITED", 0)
    assert found() == want
    assert want[0] > want[-1] > 0
