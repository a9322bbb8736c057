from __future__ import annotations

import itertools
import random

import pytest
from machine_oracle import ChartOracle, StackOracle
from random_grammars import FIXED, Productions, random_productions
from toy_grammars import arrays, even_strings, objects, open_counts, strings

from syntagma.grammar.bnf import cfg
from syntagma.grammar.editing import Body, closure, read, reading_edges
from syntagma.grammar.errors import InvalidSource, Unsatisfiable, Unsupported
from syntagma.grammar.ir import (
    KIND_EPSILON,
    KIND_EXTRA,
    OP_COUNT,
    OP_KEY_OPEN,
    OP_TEST,
    START,
    Automaton,
    Grammar,
    RuleId,
)
from syntagma.grammar.leftcorner import components, real_time
from syntagma.grammar.realtime import is_real_time

LETTERS = [b"a", b"b", b"c"]
MOST_STACKS = 60


def start_accepts(body: Body) -> bool:
    return bool(closure(body.out(), [0]) & (body.finals | body.finals_if_no_need))


def check_shape(grammar: Grammar) -> None:
    """What a real-time machine needs of a grammar, checked from the definition."""
    bodies: dict[int, Body] = {}
    work = [int(grammar.start)]
    for number in work:
        if number not in bodies:
            bodies[number] = read(grammar.rules[number])
            work.extend(bodies[number].callees())
    called = {callee for body in bodies.values() for callee in body.callees()}
    for number, body in bodies.items():
        if start_accepts(body):
            assert number == grammar.start
            assert number not in called
    first = {n: {e.label.a for e in reading_edges(b.out(), 0) if e.label.calls} for n, b in bodies.items()}
    assert all(len(c) == 1 and c[0] not in first[c[0]] for c in components(first)), "left recursion"
    open_frames: dict[int, set[int]] = {n: set() for n in bodies}
    tails: dict[int, set[int]] = {n: set() for n in bodies}
    calls = []
    for number, body in bodies.items():
        out = body.out()
        for edge in body.edges:
            if edge.label.calls and closure(out, [edge.target]) & (body.finals | body.finals_if_no_need):
                if reading_edges(out, edge.target):
                    open_frames[number].add(edge.target)
                    calls.append((number, edge.target, edge.label.a))
                else:
                    tails[number].add(edge.label.a)
    above: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for number, state, callee in calls:
        runners = {callee}
        while more := {t for r in runners for t in tails[r]} - runners:
            runners |= more
        above.setdefault((number, state), set()).update((r, s) for r in runners for s in open_frames[r])
    assert all(len(c) == 1 and c[0] not in above[c[0]] for c in components(above)), "endless chain of open frames"


def check_same_language(before: Grammar, after: Grammar, longest: int, letters: list[bytes]) -> int:
    """Compare membership and prefixes of every text up to a length; returns how many prefixes were alive."""
    chart = ChartOracle(before, letters)
    stack = StackOracle(after, letters)
    alive = [b""]
    count = 0
    for _ in range(longest + 1):
        for text in alive:
            assert stack.accepts(text) == chart.accepts(text), text
        count += len(alive)
        longer = [text + letter for text in alive for letter in letters]
        for text in longer:
            assert stack.runs(text) == chart.alive(text), text
        # explicit stacks are exponential where a grammar is wildly ambiguous: such texts are not made longer
        alive = [text for text in longer if chart.alive(text) and len(stack.stacks(text)) <= MOST_STACKS]
    return count


def check(rules: Productions, longest: int, letters: list[bytes]) -> int:
    grammar = cfg(rules, next(iter(rules)))
    try:
        result = real_time(grammar)
    except Unsatisfiable:
        assert not ChartOracle(grammar, letters).alive(b"")
        return 0
    if result is grammar:
        if not all(ChartOracle(cfg(rules, name), letters).alive(b"") for name in rules):
            # a grammar that runs as it is keeps its rules without texts; the machine finds those
            check_shape(result)
            return 0
    check_shape(result)
    return check_same_language(grammar, result, longest, letters)


@pytest.mark.parametrize("name", FIXED)
def test_textbook_recursion_keeps_its_language(name: str) -> None:
    """Each kind of recursion, once: the rewritten grammar accepts the same texts and the same prefixes."""
    letters = sorted(
        {s for alternatives in FIXED[name].values() for a in alternatives for s in a if isinstance(s, bytes)}
    )
    assert check(FIXED[name], 6 if len(letters) < 4 else 5, letters) > 5


@pytest.mark.parametrize("seed", range(20))
def test_random_grammars_keep_their_language(seed: int) -> None:
    """Thousands of small random grammars accept the same texts and prefixes after the rewriting."""
    rng = random.Random(seed)
    nontrivial = sum(check(random_productions(rng), 5, LETTERS) > 10 for _ in range(25))
    assert nontrivial > 5


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 140))
def test_many_more_random_grammars_keep_their_language(seed: int) -> None:
    """The same on many more grammars, with longer texts."""
    rng = random.Random(seed)
    nontrivial = sum(check(random_productions(rng), 6, LETTERS) > 10 for _ in range(60))
    assert nontrivial > 15


def test_rewriting_twice_changes_nothing_more() -> None:
    """What the rewriting returns needs none, whichever way it is asked."""
    rng = random.Random(7)
    for rules in itertools.chain(FIXED.values(), (random_productions(rng) for _ in range(100))):
        try:
            once = real_time(cfg(rules, next(iter(rules))))
        except Unsatisfiable:
            continue
        assert real_time(once) is once


def test_the_linear_check_is_never_too_optimistic() -> None:
    """Whatever the linear check lets through has the shape that the machine needs."""
    rng = random.Random(11)
    passed = 0
    for _ in range(600):
        rules = random_productions(rng)
        grammar = cfg(rules, "S")
        if is_real_time(grammar):
            passed += 1
            check_shape(grammar)
    assert passed > 20


@pytest.mark.parametrize("grammar", [objects(), arrays(), strings(1, 3), even_strings(1, 3), open_counts((1, 3))])
def test_what_runs_already_is_handed_back(grammar: Grammar) -> None:
    """Grammars with counters, guards and registers that need no rewriting are returned as they are, the same object."""
    assert real_time(grammar) is grammar


def test_a_nullable_start_rule_that_nothing_calls_stays() -> None:
    """The empty text is no reason to rewrite: it is one bit of the start rule's state 0."""
    grammar = cfg({"S": [[], [b"a", "A"]], "A": [[b"b"]]}, "S")
    assert real_time(grammar) is grammar


def test_a_nullable_start_rule_that_is_called_gets_a_copy() -> None:
    """The rule that is called loses the empty text, the one that texts are made of keeps it."""
    result = real_time(cfg({"S": [[b"a", "S", b"b"], []]}, "S"))
    assert len(result.rules) == 2
    assert start_accepts(read(result.rules[result.start]))
    assert not start_accepts(read(result.rules[1 - result.start]))


def test_sums_need_no_frames_for_operators() -> None:
    """In ``E -> E "+" E | "(" E ")" | "a"`` only the parenthesis leaves a frame."""
    result = real_time(cfg(FIXED["sums"], "E"))
    body = read(result.rules[result.start])
    frames = [e for e in body.edges if e.label.calls and reading_edges(body.out(), e.target)]
    assert len(frames) == 1
    assert [e.label.a for e in reading_edges(body.out(), frames[0].target)] == [ord(")")]


def test_pops_per_byte_are_bounded() -> None:
    """However deep the text, a byte pops at most as many frames as the grammar's longest chain of open ones."""
    for name in ("dangling else", "more opened than closed", "open chain", "sums"):
        rules = FIXED[name]
        start = next(iter(rules))
        stack = StackOracle(real_time(cfg(rules, start)), LETTERS)
        text = {"dangling else": b"i" * 7 + b"xe", "sums": b"(" * 7 + b"a+"}.get(name, b"a" * 8 + b"b")
        for end in range(len(text)):
            stack.stacks(text[: end + 1])
        assert stack.most_pops <= 4, name


def test_a_grammar_without_texts_is_refused() -> None:
    """A left-recursive rule without an end is unsatisfiable, and says where."""
    with pytest.raises(Unsatisfiable) as caught:
        real_time(cfg({"S": [["S", b"a"]]}, "S"))
    assert caught.value.where == "S"
    assert caught.value.hint


def test_counting_rules_may_not_be_left_recursive() -> None:
    """A counter belongs to one activation, and a left-recursive rule has none of its own."""
    grammar = Grammar()
    rule = grammar.rule(origin="#/items")
    body = Automaton()
    end = body.state()
    body.call(START, rule, end)
    body.byte_range(START, 97, 97, end, OP_COUNT)
    body.byte_range(end, 97, 97, end, OP_COUNT)
    body.accept(end)
    grammar.define(rule, body)
    with pytest.raises(Unsupported, match="counts") as caught:
        real_time(grammar)
    assert caught.value.where == "#/items"


def counted(grammar: Grammar, need_at_end: bool) -> RuleId:
    """``a`` a number of times, told by the caller: closed by ``!``, or simply ending."""
    rule = grammar.rule(origin="counted", key="counted")
    body = Automaton()
    body.byte_range(START, 97, 97, START, OP_COUNT)
    if need_at_end:
        body.accept_if_no_need(START)
    else:
        end = body.state()
        body.byte_range(START, 33, 33, end, OP_TEST)
        body.accept(end)
    grammar.define(rule, body)
    return rule


@pytest.mark.parametrize("need_at_end", [False, True])
@pytest.mark.parametrize("counter", [(0, 2), (1, 2), (2, 3)])
def test_counting_rules_pass_through_left_recursive_ones(need_at_end: bool, counter: tuple[int, int]) -> None:
    """A left-recursive list of counted items is what it says: items of the right length between commas."""
    grammar = Grammar()
    item = counted(grammar, need_at_end)
    items = grammar.rule()
    body = Automaton()
    first, comma, end = body.state(), body.state(), body.state()
    body.call(START, item, end, counter)
    body.call(START, items, first)
    body.literal(first, b",", comma)
    body.call(comma, item, end, counter)
    body.accept(end)
    grammar.define(items, body)
    grammar.start = items
    result = real_time(grammar)
    check_shape(result)
    stack = StackOracle(result, [])
    good = {b"a" * n + (b"" if need_at_end else b"!") for n in range(counter[0], counter[1] + 1)}
    for n in range(7):
        for text in map(bytes, itertools.product(b"a,!", repeat=n)):
            assert stack.accepts(text) == all(part in good for part in text.split(b",")), text


def test_registers_pass_through_unchanged() -> None:
    """A rule with an extra key keeps its edges, operations and literals when other rules are rewritten."""
    grammar = Grammar()
    rest = grammar.rule()
    body = Automaton()
    end = body.state()
    body.byte_range(START, 97, 98, START)
    body.literal(START, b'"', end)
    body.accept(end)
    grammar.define(rest, body)
    keys = grammar.rule()
    body = Automaton()
    inside, value, end = body.state(), body.state(), body.state()
    body.byte_range(START, 34, 34, inside, OP_KEY_OPEN)
    body.extra(inside, rest, [b'a"'], value)
    body.literal(inside, b'a"', value)
    body.literal(value, b":", end)
    body.accept(end)
    grammar.define(keys, body)
    wrapped = grammar.rule()
    body = Automaton()
    after, end = body.state(), body.state()
    body.call(START, wrapped, after)
    body.literal(after, b",", after)
    body.call(START, keys, end)
    body.epsilon(after, end)
    body.accept(end)
    grammar.define(wrapped, body)
    grammar.start = wrapped
    result = real_time(grammar)
    stack = StackOracle(result, [])
    assert stack.accepts(b'"ab":,,')
    assert stack.accepts(b'"a":')
    assert not stack.accepts(b'"ab"')
    kept = next(read(r) for r in result.rules if any(e.label.kind == KIND_EXTRA for e in read(r).edges))
    assert {e.label.op for e in kept.edges} == {0, OP_KEY_OPEN}
    assert KIND_EPSILON not in {e.label.kind for e in read(result.rules[result.start]).edges}


def test_rules_that_lose_the_empty_text_get_another_key() -> None:
    """Rules are shared by key, so a rule whose language changed may not keep its own."""
    grammar = Grammar()
    item = counted(grammar, need_at_end=True)
    top = grammar.rule(key="top")
    body = Automaton()
    end = body.state()
    body.literal(START, b"<", START)
    body.call(START, item, end, (0, 2))
    body.literal(end, b">", end)
    body.accept(end)
    grammar.define(top, body)
    grammar.start = top
    keys = {rule.key for rule in real_time(grammar).rules}
    assert "counted" not in keys
    assert None in keys


def test_undefined_rules_are_refused() -> None:
    """A rule without a body, and a nonterminal without productions, are errors of the caller."""
    grammar = Grammar()
    grammar.rule(origin="line 3")
    with pytest.raises(InvalidSource, match="never defined"):
        real_time(grammar)
    with pytest.raises(InvalidSource, match="'B'"):
        cfg({"A": [["B"]]}, "A")
    with pytest.raises(InvalidSource, match="'S'"):
        cfg({"A": [[b"a"]]}, "S")
