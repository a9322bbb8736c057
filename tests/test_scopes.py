"""Scopes: states are freed with their session, and a freed state is recognised."""

from __future__ import annotations

import itertools
import resource
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

import syntagma as sg
from syntagma.automata import layout as lay
from syntagma.automata import machine
from syntagma.automata.constraint import Constraint
from syntagma.automata.vocabulary import Vocabulary
from syntagma.grammar.errors import InvalidSource, LimitExceeded, StaleState
from syntagma.grammar.ir import OP_COUNT, OP_TEST, Automaton, Grammar, StateIndex

pytestmark = pytest.mark.kernel

TOKENS = [b"[", b"]", b",", b"1", b"12", b"[[", b"]]", b"],[", b"1,", b",1]"]


def nested_lists() -> Grammar:
    """Lists of numbers and lists, each of one to four items."""
    grammar = Grammar()
    items = grammar.rule()
    number = grammar.rule()
    body = Automaton()
    digits = body.state()
    body.byte_range(body_start := 0, 0x31, 0x39, digits)
    body.byte_range(digits, 0x30, 0x39, digits)
    body.accept(digits)
    assert body_start == 0
    grammar.define(number, body)
    tail = grammar.rule()
    body = Automaton()
    after = body.state()
    comma = body.state()
    end = body.state()
    for callee in (number, items):
        body.call(0, callee, after)
        body.call(comma, callee, after)
    body.byte_range(after, ord(","), ord(","), comma, OP_COUNT)
    body.byte_range(after, ord("]"), ord("]"), end, OP_TEST)
    body.accept(end)
    grammar.define(tail, body)
    body = Automaton()
    opened = body.state()
    closed = body.state()
    body.literal(0, b"[", opened)
    body.call(opened, tail, closed, (0, 3))
    body.accept(closed)
    grammar.define(items, body)
    grammar.start = items
    return grammar


@pytest.fixture(scope="module")
def constraint() -> Constraint:
    """A constraint over a small vocabulary."""
    return Constraint.from_grammar(nested_lists(), Vocabulary([*TOKENS, None], eos_ids=[len(TOKENS)]))


def walk(constraint: Constraint, seed: int, steps: int = 30) -> list[int]:
    """A random walk in a session of its own; returns the tokens."""
    rng = np.random.default_rng(seed)
    tokens = []
    with constraint.session() as session:
        state = session.start
        for _ in range(steps):
            row = session.mask(state)
            allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
            token = int(rng.choice(allowed))
            tokens.append(token)
            state = session.advance(state, token)
            assert state
    return tokens


def test_a_state_of_a_closed_session_raises(constraint: Constraint) -> None:
    """A freed state is an error that says so, in every call."""
    with constraint.session() as session:
        state = session.advance(session.start, 0)
        assert state
    for call in (
        lambda: constraint.advance(state, 1),
        lambda: constraint.mask(state),
        lambda: constraint.is_accepting(state),
        lambda: constraint.advance_bytes(state, b"1"),
    ):
        with pytest.raises(StaleState):
            call()


def test_closing_frees_everything(constraint: Constraint) -> None:
    """Heap records and chunks after many sessions are what they were before."""
    a = constraint.store.arena.a
    walk(constraint, 0)
    chunks, records = int(a[lay.H_CHUNKS_USED]), int(a[lay.H_RECORDS])
    for seed in range(200):
        walk(constraint, seed)
    assert int(a[lay.H_CHUNKS_USED]) == chunks
    assert int(a[lay.H_RECORDS]) == records


def test_sessions_do_not_disturb_each_other(constraint: Constraint) -> None:
    """Closing one session leaves the states of another alive and unchanged."""
    kept = constraint.session()
    state = kept.advance_bytes(kept.start, b"[1,[12")
    before = kept.mask(state)
    for seed in range(20):
        walk(constraint, seed)
    assert (kept.mask(state) == before).all()
    kept.close()
    kept.close()


def test_the_scope_cap_is_a_typed_error() -> None:
    """A scope that may hold little raises LimitExceeded, and its session can still be closed."""
    vocab = Vocabulary([*TOKENS, None], eos_ids=[len(TOKENS)])
    small = Constraint.from_grammar(nested_lists(), vocab, scope_cap=1)
    with small.session() as session, pytest.raises(LimitExceeded, match="memory for states"):
        session.advance_bytes(session.start, b"[" * 100_000)


def test_threads_give_what_one_thread_gives(constraint: Constraint) -> None:
    """Eight threads of mixed calls see exactly the walks that one thread sees."""
    want = [walk(constraint, seed) for seed in range(64)]
    got: dict[int, list[int]] = {}

    def work(first: int) -> None:
        for seed in range(first, 64, 8):
            got[seed] = walk(constraint, seed)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [got[seed] for seed in range(64)] == want


@pytest.mark.slow
def test_a_hundred_thousand_generations_leave_memory_flat(constraint: Constraint) -> None:
    """Resident memory after 100,000 sessions is within 5 % of what it was after the first 1,000."""

    def resident() -> int:
        status = Path("/proc/self/statm")
        if not status.exists():
            pytest.skip("resident memory is read from /proc")
        return int(status.read_text().split()[1]) * resource.getpagesize()

    for seed in range(1000):
        walk(constraint, seed, steps=8)
    before = resident()
    for seed in range(99_000):
        walk(constraint, seed, steps=8)
    assert resident() <= before * 1.05


@pytest.mark.slow
def test_a_million_mixed_calls_from_eight_threads(constraint: Constraint) -> None:
    """10^6 calls from eight threads give what one thread gives."""
    seeds = range(4096)
    want = {seed: walk(constraint, seed, steps=60) for seed in range(0, 4096, 16)}
    got: dict[int, list[int]] = {}

    def work(first: int) -> None:
        for seed in seeds[first::8]:
            got[seed] = walk(constraint, seed, steps=120)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, tokens in want.items():
        assert got[seed][:60] == tokens


def small_stores(cap: int) -> Vocabulary:
    """A vocabulary whose stores are full after ``cap`` bytes."""
    return Vocabulary([bytes([c]) for c in range(256)] + [None], eos_ids=[256], store_cap=cap)


def test_a_full_store_is_followed_by_a_new_one_and_batches_reach_both() -> None:
    """Constraints beyond a store's cap live in a new store; their states are told apart, alone and in one batch."""
    vocab = small_stores(1)
    numbers = [sg.compile({"enum": [n, n + 10]}, vocab) for n in range(4)]
    assert len({c.store.generation for c in numbers}) == 4
    starts = [c.start for c in numbers]
    assert len(set(starts)) == 4
    rows = vocab.store.masks([*starts, 0])
    for i, constraint in enumerate(numbers):
        assert (rows[i] == constraint.mask(constraint.start)).all()
    assert not rows[4].any()
    after = vocab.store.advance_batch([*starts, 0], [ord(str(n)) for n in range(4)] + [ord("0")]).tolist()
    assert all(c.is_accepting(s) for c, s in zip(numbers, after, strict=False))
    assert after[4] == 0
    with pytest.raises(StaleState):
        numbers[0].advance(numbers[1].start, ord("1"))


def test_a_store_is_freed_with_its_last_constraint() -> None:
    """Nothing but constraints keeps an old store alive, and a state of one that is gone raises."""
    vocab = small_stores(1)
    first = sg.compile({"type": "object", "additionalProperties": {"type": "integer"}}, vocab)
    first.finish_bound(first.start)
    state, store = first.start, weakref.ref(first.store)
    second = sg.compile({"enum": [2]}, vocab)
    del first
    assert store() is None
    with pytest.raises(StaleState):
        vocab.store.masks([state])
    with pytest.raises(StaleState):
        vocab.store.masks([state, second.start])


def test_a_table_that_is_full_while_rules_are_loaded_sends_them_to_a_new_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schema that does not fit into what is left of a store compiles all the same."""
    vocab = small_stores(1 << 30)
    before = sg.compile({"enum": [1]}, vocab)
    a = vocab.store.arena.a
    calls = {"type": "array", "items": {"type": "string"}}
    monkeypatch.setattr("syntagma.automata.store.NEARLY_FULL", 2.0)
    a[lay.H_CL] = lay.CAP_CL - 1
    after = sg.compile(calls, vocab)
    assert after.store is not before.store
    assert after.accepts('["a"]')
    assert before.accepts("1")


def test_loading_rules_has_a_deadline() -> None:
    """With no time left rules are not loaded: a typed error names the option, and the store goes on."""
    vocab = small_stores(1 << 30)
    with pytest.raises(LimitExceeded, match=r"SchemaLimits\.deadline") as caught:
        Constraint.from_grammar(nested_lists(), vocab, deadline=-1.0)
    assert caught.value.limit == "deadline"
    constraint = Constraint.from_grammar(nested_lists(), vocab, deadline=60.0)
    assert constraint.accepts("[[1,2],3]")


def late_letter(n: int) -> Grammar:
    """Texts over two letters whose n-th letter from the end is a 1: two to the power of n deterministic states."""
    grammar = Grammar()
    rule = grammar.rule()
    body = Automaton()
    body.byte_range(StateIndex(0), 0x31, 0x32, StateIndex(0))
    here = body.state()
    body.byte_range(StateIndex(0), 0x31, 0x31, here)
    for _ in range(n - 1):
        following = body.state()
        body.byte_range(here, 0x31, 0x32, following)
        here = following
    body.accept(here)
    grammar.define(rule, body)
    return grammar


def test_the_deadline_ends_the_load_of_one_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule of two to the power of forty states: a typed error once time is up, and the store goes on."""
    monkeypatch.setattr(machine, "PATIENCE", 1000)
    vocab = Vocabulary([b"1", b"2", None], eos_ids=[2])
    Constraint.from_grammar(late_letter(2), vocab, deadline=60.0)  # the kernels are there
    with pytest.raises(LimitExceeded, match=r"SchemaLimits\.deadline") as caught:
        Constraint.from_grammar(late_letter(40), vocab, deadline=0.02, max_dfa_states=1 << 40)
    assert caught.value.limit == "deadline"
    assert Constraint.from_grammar(late_letter(3), vocab, deadline=60.0).accepts("2122")


def test_a_rule_loaded_beside_a_watch_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second attempt at a rule that takes long begins where the first one began."""
    counts = []
    for patience in (0, machine.PATIENCE):
        monkeypatch.setattr(machine, "PATIENCE", patience)
        vocab = Vocabulary([b"1", b"2", None], eos_ids=[2])
        c = Constraint.from_grammar(late_letter(3), vocab, deadline=60.0)
        texts = ["".join(t) for n in range(6) for t in itertools.product("12", repeat=n)]
        assert [t for t in texts if c.accepts(t)] == [t for t in texts if t[-3:-2] == "1"]
        counts.append(int(c.store.arena.a[lay.H_LS]))
    assert counts[0] == counts[1]


def test_a_rule_that_begins_with_itself_is_refused() -> None:
    """Also where another rule stands between: a typed error that names the remedy."""
    for hops in (1, 2):
        grammar = Grammar()
        rules = [grammar.rule() for _ in range(hops)]
        for i, rule in enumerate(rules):
            body = Automaton()
            end = body.state()
            body.call(StateIndex(0), rules[(i + 1) % hops], end)
            body.byte_range(StateIndex(0), 0x31, 0x31, end)
            body.accept(end)
            grammar.define(rule, body)
        with pytest.raises(InvalidSource, match="begin with a call of itself"):
            Constraint.from_grammar(grammar, Vocabulary([b"1", None], eos_ids=[1]))
