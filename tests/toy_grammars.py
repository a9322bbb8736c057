"""Grammars built by hand, one for each thing that the machine must do, with a vocabulary whose tokens cross structure."""

from __future__ import annotations

from syntagma.grammar.ir import OP_COUNT, OP_KEY_OPEN, OP_SET, OP_TEST, START, UNBOUNDED, Automaton, Grammar, RuleId

QUOTE = ord('"')

OBJECT_TOKENS = [
    b"{", b"}", b'"', b"a", b"b", b":", b"1", b",",
    b'":1', b'{"', b',"', b'":1,"', b'b":', b"}}", b'aa"', b'"b":1}',
]  # fmt: skip

ARRAY_TOKENS = [b"[", b"]", b",", b"1", b"[[", b"]]", b"],[", b"1,1", b",1]", b"[1,", b"1]]"]

STRING_TOKENS = [b'"', b"a", b"aa", b"aaa", b'a"', b'"a', b'aa"', b'""', b"aaaa", b'aaa"']

SUM_TOKENS = [b"+", b"(", b")", b"a", b"((", b"))", b"a+", b"+a", b")+(", b"(a)", b"a)"]

RANGE_TOKENS = [b"1", b"2", b".", b"..", b"1.", b".2", b"1..", b"..2", b"1.2", b"2.1..", b"..."]


def string_rest(grammar: Grammar) -> RuleId:
    """Letters a and b, then the closing quote."""
    rule = grammar.rule(key="rest of a string over a, b")
    body = Automaton()
    end = body.state()
    body.byte_range(START, ord("a"), ord("b"), START)
    body.byte_range(START, QUOTE, QUOTE, end)
    body.accept(end)
    grammar.define(rule, body)
    return rule


def objects() -> Grammar:
    """Objects with an optional declared key ``a`` first and any other keys once each; values are 1 or objects."""
    grammar = Grammar()
    top, rest = grammar.rule(origin="#"), string_rest(grammar)
    body = Automaton()
    opened, first, next_key, colon, value, after, comma, end = (body.state() for _ in range(8))
    body.literal(START, b"{", opened)
    body.literal(opened, b"}", end)
    body.byte_range(opened, QUOTE, QUOTE, first, OP_KEY_OPEN)
    body.literal(first, b'a"', colon)
    body.extra(first, rest, [b'a"'], colon)
    body.literal(colon, b":", value)
    body.literal(value, b"1", after)
    body.call(value, top, after)
    body.literal(after, b",", comma)
    body.literal(after, b"}", end)
    body.byte_range(comma, QUOTE, QUOTE, next_key, OP_KEY_OPEN)
    body.extra(next_key, rest, [b'a"'], colon)
    body.accept(end)
    grammar.define(top, body)
    grammar.start = top
    return grammar


def arrays(counter: tuple[int, int] = (1, 2)) -> Grammar:
    """Nested arrays of ones and arrays; after the first item come ``need`` to ``room`` others, at every level."""
    grammar = Grammar()
    top, items = grammar.rule(origin="#"), grammar.rule(origin="#/items")
    body = Automaton()
    opened, end = body.state(), body.state()
    body.literal(START, b"[", opened)
    body.call(opened, items, end, counter)
    body.accept(end)
    grammar.define(top, body)
    body = Automaton()
    after, comma, end = body.state(), body.state(), body.state()
    for source in (START, comma):
        body.literal(source, b"1", after)
        body.call(source, top, after)
    body.byte_range(after, ord(","), ord(","), comma, OP_COUNT)
    body.byte_range(after, ord("]"), ord("]"), end, OP_TEST)
    body.accept(end)
    grammar.define(items, body)
    grammar.start = top
    return grammar


def strings(need: int, room: int) -> Grammar:
    """A string of need to room letters a, the count loaded by its opening quote."""
    grammar = Grammar()
    grammar.start = grammar.rule(origin="#")
    body = Automaton()
    inside, end = body.state(), body.state()
    body.byte_range(START, QUOTE, QUOTE, inside, OP_SET, body.pair(need, room))
    body.byte_range(inside, ord("a"), ord("a"), inside, OP_COUNT)
    body.byte_range(inside, QUOTE, QUOTE, end, OP_TEST)
    body.accept(end)
    grammar.define(grammar.start, body)
    return grammar


def even_strings(need: int, room: int) -> Grammar:
    """A string of an even number of letters between need and room; a guard keeps odd dead ends away."""
    grammar = Grammar()
    grammar.start = grammar.rule(origin="#")
    body = Automaton()
    even, odd, end = body.state(), body.state(), body.state()
    body.byte_range(START, QUOTE, QUOTE, even, OP_SET, body.pair(need, room))
    body.byte_range(even, ord("a"), ord("a"), odd, OP_COUNT)
    body.byte_range(odd, ord("a"), ord("a"), even, OP_COUNT)
    body.byte_range(even, QUOTE, QUOTE, end, OP_TEST)
    body.guards.append((odd, 1, UNBOUNDED))
    body.accept(end)
    grammar.define(grammar.start, body)
    return grammar


def open_counts(counter: tuple[int, int]) -> Grammar:
    """Runs of a between commas, each as long as its call says, ending without a closing symbol."""
    grammar = Grammar()
    top, run = grammar.rule(origin="top"), grammar.rule(origin="run")
    body = Automaton()
    more = body.state()
    body.byte_range(START, ord("a"), ord("a"), more, OP_COUNT)
    body.byte_range(more, ord("a"), ord("a"), more, OP_COUNT)
    body.accept_if_no_need(more)
    grammar.define(run, body)
    body = Automaton()
    after = body.state()
    body.call(START, run, after, counter)
    body.literal(after, b",", START)
    body.accept(after)
    grammar.define(top, body)
    grammar.start = top
    return grammar


COUNT_TOKENS = [b"a", b",", b"aa", b"a,", b",a", b"aaa", b"aa,a", b",aa,"]
