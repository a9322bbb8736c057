"""Choices: one of many strings, as a minimal automaton that is loaded as it stands, small or large."""

from __future__ import annotations

import importlib.util
import itertools
import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from corpus_truth import brute_force
from corpus_vocabularies import SMALL
from hypothesis import given
from hypothesis import strategies as st
from ir_oracle import Oracle
from sizes import size

import syntagma as sg
from syntagma.automata import layout as lay
from syntagma.automata.arena import used
from syntagma.automata.packed import EAGER
from syntagma.grammar.choices import _joined
from syntagma.grammar.ir import START, Automaton, Grammar
from syntagma.grammar.leftcorner import real_time
from syntagma.grammar.packed import ACCEPT, HIGH_SHIFT, LAST, TARGET_SHIFT, PackedDfa, packed
from syntagma.grammar.regular.dawg import dawg
from syntagma.grammar.regular.dfa import CharDfa
from syntagma.grammar.regular.encode import utf8

pytestmark = pytest.mark.kernel

WORDS = st.lists(st.text("abcé", max_size=6), min_size=1, max_size=30)
UNREACHABLE = 1 << 60


def encoded(strings: list[str]) -> set[bytes]:
    """The strings as UTF-8, each once."""
    return {string.encode() for string in strings}


def unpacked(row: np.ndarray) -> np.ndarray:
    """A mask as bool[32 * words]."""
    return np.unpackbits(row.view(np.uint8), bitorder="little").astype(bool)


def automaton_of(strings: list[str] | list[bytes]) -> PackedDfa:
    """The minimal automaton of some strings."""
    return dawg(*_joined(strings))


def texts_of(dfa: PackedDfa) -> list[bytes]:
    """The texts of a finite automaton, in rising order."""
    found = []
    stack = [(dfa.start, b"")]
    while stack:
        at, text = stack.pop()
        if dfa.words[at] & ACCEPT:
            found.append(text)
        while True:
            word = int(dfa.words[at])
            for byte in range(word & 255, ((word >> HIGH_SHIFT) & 255) + 1):
                stack.append((word >> TARGET_SHIFT, text + bytes([byte])))
            at += 1
            if word & LAST:
                break
    return sorted(found)


def many(count: int, seed: int = 5) -> list[str]:
    """Strings with common beginnings and ends, from which an automaton of more than ``EAGER`` words comes."""
    rng = random.Random(seed)
    syllables = ["na", "me", '": ', "ab", "12", "e", "é", "中", ", ", "tr", "ue", "x"]
    return ["".join(rng.choice(syllables) for _ in range(rng.randint(2, 7))) for _ in range(count)]


@cache
def large() -> list[str]:
    """Strings whose automaton is not made into local states at once."""
    strings = many(size(1500, plain=700))
    assert len(automaton_of(strings).words) > EAGER
    return strings


# ---- the automaton ------------------------------------------------------------------------------------------------


@given(WORDS)
def test_the_automaton_has_the_strings_and_no_others(strings: list[str]) -> None:
    """Duplicates merge, the order is no matter, and prefixes of other strings are strings of their own."""
    assert texts_of(automaton_of(strings)) == sorted(encoded(strings))


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=40))
def test_bytes_of_any_kind_are_sorted_as_bytes(strings: list[bytes]) -> None:
    """Long common beginnings, zero bytes and bytes above 127 do not mislead the sort."""
    strings += [b"\0" * 9, b"\0" * 8, b"\xff" * 15, b"\xff" * 15 + b"\0"]
    assert texts_of(automaton_of(strings)) == sorted(set(strings))


@given(WORDS)
def test_the_automaton_is_minimal(strings: list[str]) -> None:
    """It has one state for each set of ends that some beginning leaves."""
    words = encoded(strings)
    beginnings = {word[:k] for word in words for k in range(len(word) + 1)}
    ends = {frozenset(w[len(begin) :] for w in words if w.startswith(begin)) for begin in beginnings}
    dfa = automaton_of(strings)
    reached = {dfa.start}
    work = [dfa.start]
    while work:
        at = work.pop()
        while True:
            word = int(dfa.words[at])
            target = word >> TARGET_SHIFT
            if word & 255 <= (word >> HIGH_SHIFT) & 255 and target not in reached:
                reached.add(target)
                work.append(target)
            at += 1
            if word & LAST:
                break
    assert len(reached) == len(ends)
    assert int((dfa.words & LAST != 0).sum()) - (0 in reached or 1) <= len(ends)


def test_many_strings_fill_the_register_more_than_once() -> None:
    """The register grows, and what was in it is still found: the automaton is as small as the set of ends."""
    strings = [f"{i:06d}" for i in range(size(100_000, plain=2000))]
    dfa = automaton_of(strings)
    assert len(texts_of(dfa)) == len(strings)
    rng = random.Random(3)
    mixed = ["".join(rng.choices("abcdefgh", k=9)) for _ in range(size(30_000, plain=1500))]
    assert texts_of(automaton_of(mixed)) == sorted(encoded(mixed))


# ---- the constraint -----------------------------------------------------------------------------------------------


@given(WORDS)
def test_a_text_is_accepted_if_it_is_one_of_the_strings(strings: list[str]) -> None:
    """All strings, all their beginnings, and each with a letter more."""
    constraint = sg.compile(sg.Choices(strings), SMALL["tiny"]())
    words = encoded(strings)
    for word in words:
        for text in {word, word + b"a", word[:-1], word[1:], b"", *(word[:k] for k in range(len(word)))}:
            assert constraint.accepts(text) == (text in words), text


@pytest.mark.parametrize("name", SMALL)
def test_masks_are_what_advancing_says(name: str) -> None:
    """In every vocabulary, for a large automaton, along random walks: the mask is brute force, and the walk ends in a string."""
    vocab = SMALL[name]()
    strings = large()
    constraint = sg.compile(strings, vocab)
    words = encoded(strings)
    rng = random.Random(7)
    for _ in range(size(12, plain=2)):
        with constraint.session() as session:
            state, text = session.start, b""
            while True:
                mask = unpacked(session.mask(state))[: vocab.size]
                by_token, by_bytes = brute_force(session, state)
                ends = list(vocab.eos_ids)
                assert (mask == by_token).all()
                by_bytes[ends] = mask[ends]
                assert (mask == by_bytes).all()
                assert session.is_accepting(state) == (text in words) == bool(mask[ends].all())
                choices = [t for t in np.flatnonzero(mask).tolist() if t not in ends]
                assert choices or text in words
                if not choices or (text in words and rng.random() < 0.5):
                    break
                token = rng.choice(choices)
                state, text = session.advance(state, token), text + (vocab.tokens[token] or b"")
            assert text in words


def least(words: set[bytes], vocab: sg.Vocabulary) -> dict[bytes, int]:
    """The least number of tokens after each beginning of a word to some word, by dynamic programming over their ends."""
    tokens = {text for i, text in enumerate(vocab.tokens) if text and i not in vocab.eos_ids}
    longest = max(map(len, tokens))
    best: dict[bytes, int] = {}
    for word in words:
        cost = [UNREACHABLE] * len(word) + [0]
        for at in range(len(word) - 1, -1, -1):
            for end in range(at + 1, min(len(word), at + longest) + 1):
                if word[at:end] in tokens:
                    cost[at] = min(cost[at], cost[end] + 1)
        for at, rest in enumerate(cost):
            best[word[:at]] = min(rest, best.get(word[:at], UNREACHABLE))
    return best


@pytest.mark.parametrize("strings", [["ab", "abc", "name", 'na": 12', "é"], None], ids=["few", "many"])
@pytest.mark.parametrize("name", SMALL)
def test_the_bound_is_the_least_number_of_tokens(name: str, strings: list[str] | None) -> None:
    """After every beginning, in automata small and large, in vocabularies that lack bytes too; budgets keep exactly what fits."""
    vocab = SMALL[name]()
    strings = strings or large()
    best = least(encoded(strings), vocab)
    constraint = sg.compile(strings, vocab)
    assert constraint.report is not None
    assert constraint.report.budget == "exact"
    rng = random.Random(1)
    for text in [b"", *rng.sample(sorted(best), min(len(best), size(150, plain=20)))]:
        state = constraint.advance_bytes(constraint.start, text)
        if best[text] == UNREACHABLE:
            assert state == 0
            continue
        assert constraint.finish_bound(state) == best[text], text
        assert constraint.fits(state, best[text])
        assert not constraint.fits(state, best[text] - 1)
        for budget in (best[text], best[text] + 1, best[text] + 2):
            mask = unpacked(constraint.mask(state, budget=budget))
            for token, data in enumerate(vocab.tokens):
                if data and token not in vocab.eos_ids:
                    assert mask[token] == (best.get(text + data, UNREACHABLE) < budget), (text, data, budget)


@pytest.mark.parametrize("strings", [["ab", "abc", "name"], None], ids=["few", "many"])
def test_choices_keep_the_laws(strings: list[str] | None) -> None:
    """The shipped laws hold of a small and of a large automaton."""
    strings = strings or large()
    sg.testing.check_constraint(sg.compile(strings, SMALL["small"]()), texts=strings[:5], steps=size(200, plain=12))


def test_the_empty_string_is_a_choice_like_others() -> None:
    """Alone it leaves nothing but the end; beside others the text may end at once, or go on."""
    vocab = SMALL["small"]()
    both = sg.compile(["", "ab"], vocab)
    assert both.is_accepting(both.start)
    assert not both.is_final(both.start)
    assert (both.accepts(""), both.accepts("ab"), both.accepts("a")) == (True, True, False)
    alone = sg.compile([""], vocab)
    assert alone.is_final(alone.start)
    assert alone.finish_bound(alone.start) == 0
    assert np.flatnonzero(unpacked(alone.mask(alone.start))).tolist() == list(vocab.eos_ids)


@pytest.mark.parametrize("strings", [["", "a", "ab"], ["", *many(1500)]], ids=["few", "many"])
def test_an_empty_string_inside_a_grammar(strings: list[str]) -> None:
    """Choices that may be nothing, called between brackets and once more before the end."""
    inner = sg.Choices(strings).lower().grammar
    grammar = Grammar()
    grammar.start = grammar.rule()
    body = Automaton()
    a, b, c, d = (body.state() for _ in range(4))
    body.literal(START, b"<", a)
    choices = grammar.include(inner)
    body.call(a, choices, b)
    body.literal(b, b">", c)
    body.call(c, choices, d)
    body.accept(d)
    grammar.define(grammar.start, body)
    vocab = SMALL["tiny"]()
    constraint = sg.Constraint.from_grammar(real_time(grammar), vocab)
    oracle = Oracle(real_time(grammar))
    some = [*strings[:4], "x", "b"]
    for left, right in itertools.product(some, some):
        text = f"<{left}>{right}"
        assert constraint.accepts(text) == (left in strings and right in strings), text
        if len(strings) < 10:
            assert oracle.accepts(text.encode()) == constraint.accepts(text)
    assert constraint.finish_bound(constraint.start) >= 1
    walk_down(constraint, random.Random(4))


def walk_down(constraint: sg.Constraint, rng: random.Random) -> None:
    """Walks under the budget of the bound end within it: the bound is a potential."""
    for _ in range(size(10, plain=2)):
        with constraint.session() as session:
            state = session.start
            left = session.finish_bound(state) + rng.randint(0, 3)
            while True:
                mask = unpacked(session.mask(state, budget=left))
                choices = [t for t in np.flatnonzero(mask).tolist() if t not in constraint.vocab.eos_ids]
                if session.is_accepting(state) and (not choices or rng.random() < 0.3):
                    break
                assert choices, left
                state, left = session.advance(state, rng.choice(choices)), left - 1


@pytest.mark.parametrize("name", SMALL)
def test_a_large_automaton_inside_a_grammar(name: str) -> None:
    """Between other texts masks are brute force, and budgets are kept, though tokens run over both borders."""
    vocab = SMALL[name]()
    grammar = Grammar()
    grammar.start = grammar.rule()
    body = Automaton()
    a, b, c = (body.state() for _ in range(3))
    body.literal(START, b'{"name": ', a)
    body.call(a, grammar.include(sg.Choices(large()).lower().grammar), b)
    body.literal(b, b", ", a)
    body.literal(b, b";", c)
    body.accept(c)
    grammar.define(grammar.start, body)
    constraint = sg.Constraint.from_grammar(grammar, vocab)
    rng = random.Random(11)
    walk_down(constraint, rng)
    with constraint.session() as session:
        state = session.start
        for _ in range(size(30, plain=4)):
            mask = unpacked(session.mask(state))[: vocab.size]
            assert (mask == brute_force(session, state)[0]).all()
            choices = [t for t in np.flatnonzero(mask).tolist() if t not in vocab.eos_ids]
            if not choices:
                break
            state = session.advance(state, rng.choice(choices))


def test_forced_bytes_are_what_all_strings_share() -> None:
    """Down to where two of them part, in an automaton of which no local states were made before."""
    strings = [f"prefix {word}!" for word in large()]
    constraint = sg.compile(strings, SMALL["small"]())
    assert constraint.forced_bytes(constraint.start) == b"prefix "
    last = constraint.advance_bytes(constraint.start, strings[0].encode()[:-1])
    assert constraint.forced_bytes(last) in {b"!", b""}


def test_equal_choices_are_loaded_once() -> None:
    """In any order, with duplicates, and from another source object: the store does not grow."""
    vocab = SMALL["small"]()
    strings = [f"{word} once" for word in large()]
    first = sg.compile(strings, vocab)
    before = int(vocab.store.arena.a[lay.H_DG])
    second = sg.compile(sorted(strings, reverse=True) + strings, vocab)
    assert second.rule_start == first.rule_start
    assert int(vocab.store.arena.a[lay.H_DG]) == before


def test_an_explanation_names_the_choices() -> None:
    """A state that was made long after the rule was loaded is still known to be one of it."""
    vocab = SMALL["small"]()
    strings = [f"why {word}" for word in large()]
    constraint = sg.compile(strings, vocab)
    sg.compile({"type": "integer", "minimum": 17}, vocab)
    state = constraint.advance_bytes(constraint.start, strings[0].encode()[:8])
    assert constraint.explain(state, 0).where == ("choices",)


def test_what_no_token_spells_is_no_choice() -> None:
    """Strings with bytes that occur in no token are left out; the others stay whole, in automata small and large."""
    vocab = sg.Vocabulary([b"a", b"b", b"c", b"ab", None], eos_ids=[4])
    for strings in (["abc", "axb", "b", "bx"], ["".join(p) for p in itertools.product("abcxy", repeat=4)] + many(900)):
        constraint = sg.compile(strings, vocab)
        words = encoded(strings)
        for text in map(
            "".join, itertools.chain.from_iterable(itertools.product("abc", repeat=k) for k in range(1, 5))
        ):
            assert constraint.accepts(text) == (text.encode() in words)
        mask = unpacked(constraint.mask(constraint.start))
        assert [bool(mask[t]) for t in range(4)] == [
            any(s.startswith(t) and set(s) <= set("abc") for s in strings) for t in ("a", "b", "c", "ab")
        ]
    with pytest.raises(sg.Unsatisfiable, match="no sequence of the vocabulary's tokens"):
        sg.compile(["x", "ay"], vocab)


# ---- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (["a", 1], "choice 1: choices must be strings, not int"),
        (["a", "b", {"type": "string"}], "choice 2: choices must be strings, not dict"),
        ([None], "choice 0: choices must be strings, not NoneType"),
        (("a", "\ud800b"), "choice 1: the string has half of a surrogate pair at character 0"),
        (["x"] * 20_000 + [b"y", bytearray(b"z")], "choice 20001: choices must be strings, not bytearray"),
    ],
)
def test_what_is_no_string_is_named_by_its_index(source: object, message: str) -> None:
    """A list of anything else is refused with the place of the first thing that is no string."""
    with pytest.raises(sg.InvalidSource, match=message):
        sg.compile(source, SMALL["small"]())  # type: ignore[arg-type]


@pytest.mark.parametrize("strings", ["abc", b"abc", 7])
def test_a_single_string_is_no_list_of_choices(strings: object) -> None:
    """It would be taken for its letters."""
    with pytest.raises(sg.InvalidSource, match="choices are a list of strings, not"):
        sg.Choices(strings)  # type: ignore[arg-type]


def test_no_choice_is_unsatisfiable() -> None:
    """An empty list has no text."""
    with pytest.raises(sg.Unsatisfiable, match="there are no choices"):
        sg.compile([], SMALL["small"]())


def test_choices_come_from_any_iterable() -> None:
    """Generators and sets are read once, when the source is made."""
    source = sg.Choices(str(i) for i in range(3))
    assert source.strings == ("0", "1", "2")
    constraint = sg.compile(source, SMALL["small"]())
    assert [constraint.accepts(text) for text in ("0", "2", "3")] == [True, True, False]
    assert "3 strings" in repr(source)


# ---- packed automata of other origin ------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["(a|b)*abb", "a*", "(ab|c){2,9}é?", "[^x]{0,3}x", "((a|b)(c|d)){1,300}"])
def test_a_regular_expression_may_be_packed(pattern: str) -> None:
    """Cycles included: the packed form reads what the expression does, as a rule of its own and inside another one."""
    part = utf8(CharDfa.from_regex(pattern, dialect="python", search=False))
    dfa = packed(part)
    vocab = SMALL["tiny"]()
    plain = Grammar()
    plain.start = plain.rule()
    body = Automaton()
    end = body.state()
    body.embed(START, part, end)
    body.accept(end)
    plain.define(plain.start, body)
    one = sg.Constraint.from_grammar(real_time(plain), vocab)
    direct = Grammar()
    direct.start = direct.rule()
    direct.define(direct.start, dfa.body())
    two = sg.Constraint.from_grammar(direct, vocab)
    rng = random.Random(2)
    for _ in range(size(40, plain=5)):
        here = [one.start, two.start]
        for _ in range(12):
            masks = [unpacked(c.mask(s)) for c, s in zip((one, two), here, strict=True)]
            assert (masks[0] == masks[1]).all()
            assert one.is_accepting(here[0]) == two.is_accepting(here[1])
            assert one.finish_bound(here[0]) == two.finish_bound(here[1])
            tokens = [t for t in np.flatnonzero(masks[0]).tolist() if t not in vocab.eos_ids]
            if not tokens:
                break
            token = rng.choice(tokens)
            here = [one.advance(here[0], token), two.advance(here[1], token)]


def test_a_large_cyclic_automaton_is_bounded_exactly() -> None:
    """Costs settle though states lead back: the least numbers of tokens are those of a walk over all tokens."""
    n = EAGER // 2 + 10  # states of two words each
    digits = "".join(random.Random(9).choices("ab", k=n))
    words = [
        *(ord(x) | ord(x) << HIGH_SHIFT | (2 * i + 2) << TARGET_SHIFT for i, x in enumerate(digits)),
    ]
    flat: list[int] = []
    for i, word in enumerate(words):
        flat += [word, ord("c") | ord("c") << HIGH_SHIFT | LAST | (i // 2 * 2) << TARGET_SHIFT]
    flat += [ord("d") | ord("d") << HIGH_SHIFT | LAST | ACCEPT]
    grammar = Grammar()
    grammar.start = grammar.rule()
    grammar.define(grammar.start, PackedDfa(np.array(flat), 0).body())
    vocab = sg.Vocabulary([b"a", b"b", b"c", b"d", b"ab", b"ba", b"abb", b"cab", None], eos_ids=[8])
    constraint = sg.Constraint.from_grammar(grammar, vocab)
    best = [UNREACHABLE] * n + [0]
    texts = [t for t in vocab.tokens if t]

    def after(i: int, text: bytes) -> int | None:
        for byte in text:
            if i == n and byte == ord("d"):
                i = 0
            elif i < n and byte == ord(digits[i]):
                i += 1
            elif i < n and byte == ord("c"):
                i = i // 2
            else:
                return None
        return i

    changed = True
    while changed:
        changed = False
        for i in range(n - 1, -1, -1):
            costs = [1 + best[j] for t in texts if (j := after(i, t)) is not None]
            if min(costs) < best[i]:
                best[i], changed = min(costs), True
    for i in random.Random(1).sample(range(n), 20):
        state = constraint.advance_bytes(constraint.start, digits[:i].encode())
        assert constraint.finish_bound(state) == best[i]


@pytest.mark.parametrize(
    "words",
    [
        [],
        [ord("a") | ord("a") << HIGH_SHIFT],  # no last word
        [1 | LAST | ACCEPT, 1 | 2 << HIGH_SHIFT, 2 | 3 << HIGH_SHIFT | LAST],  # two ways for a byte
        [1 | 1 << HIGH_SHIFT | LAST | 5 << TARGET_SHIFT],  # leads out
        [1 | 1 << HIGH_SHIFT | 1 << TARGET_SHIFT, 2 | 2 << HIGH_SHIFT | LAST],  # leads into the middle of a state
        [1 | 1 << HIGH_SHIFT, 2 | 2 << HIGH_SHIFT | LAST | ACCEPT],  # accepts in its middle
    ],
)
def test_words_are_checked_and_not_trusted(words: list[int]) -> None:
    """What is not a deterministic automaton is refused when it is loaded."""
    grammar = Grammar()
    grammar.start = grammar.rule()
    body = PackedDfa(np.array([1 | LAST | ACCEPT]), 0).body()
    body.outline_of = PackedDfa(np.array(words, np.int64), 0)
    grammar.define(grammar.start, body)
    with pytest.raises(sg.InvalidSource, match="not those of a deterministic"):
        sg.Constraint.from_grammar(grammar, SMALL["small"]())


# ---- a million ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_million_titles() -> None:
    """A thousand members are accepted and a thousand others are not, and all tables together take less than 100 MB."""
    spec = importlib.util.spec_from_file_location("titles", Path(__file__).resolve().parents[1] / "bench" / "titles.py")
    assert spec is not None
    assert spec.loader is not None
    titles = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(titles)
    vocab = sg.Vocabulary(
        [*(bytes([b]) for b in range(256)), b"The ", b" of ", b"List of ", b" (", None], eos_ids=[260]
    )
    strings: list[str] = titles.titles(1_000_000)
    a = vocab.store.arena.a
    constraint = sg.compile(strings, vocab)
    members = set(strings)
    rng = random.Random(0)
    assert all(constraint.accepts(s) for s in rng.sample(strings, 1000))
    others = 0
    while others < 1000:
        text = list(rng.choice(strings))
        at = rng.randrange(len(text))
        text[at : at + rng.randint(0, 1)] = rng.choice("abcdeé ,")
        if "".join(text) not in members:
            assert not constraint.accepts("".join(text))
            others += 1
    assert constraint.finish_bound(constraint.start) >= 1
    bounds = vocab.store.bounds._packed
    tables = used(a)[0] + sum(costs.nbytes for costs in bounds._tokens.values())
    assert tables < 100 * 2**20, f"{tables / 2**20:.0f} MB of tables"
