"""``Regex`` as a source: the whole engine, counted repetitions, the algebra, errors, reports and limits."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from ir_oracle import Oracle
from machine_checks import tokens_of, vocabulary
from regex_patterns import patterns

import syntagma as sg
from syntagma.grammar import counted
from syntagma.grammar.counted import counted_grammar
from syntagma.grammar.ir import Grammar
from syntagma.grammar.regular.encode import utf8
from syntagma.grammar.regular.nfa import from_node
from syntagma.grammar.regular.nodes import no_tick

BYTES = sg.Vocabulary([*(bytes([b]) for b in range(256)), None], eos_ids=[256])
TOKENS = [b"a", b"b", b"ab", b"ba", b"aab", b"\xc3", b"\xa9", b"\xc3\xa9a", b"b\xc3", b"1", b"1a"]


def words(letters: str, longest: int) -> Iterator[str]:
    """Every text of up to a number of letters."""
    for n in range(longest + 1):
        yield from map("".join, itertools.product(letters, repeat=n))


def language(source: sg.RegularSource) -> set[str]:
    """The texts over three letters of up to five characters that a source accepts."""
    dfa = source.automaton(no_tick)
    return {text for text in words("ab1", 5) if dfa.accepts(text)}


# --- through the whole engine ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    ["(?:ab?){1,3}", r"(a|b)1?\1{1,2}", "(?!ab)[ab\u00e9]{1,4}", "(?>a|ab)b?1?", r"a{1,2}\b1?|b(?<=b)\u00e9?", "(?i)A?[^b1]{0,2}b"],
)  # fmt: skip
def test_masks_are_those_of_enumeration(pattern: str) -> None:
    """In every state that tokens lead to, a token is allowed iff some matching text goes on with it; tokens cut characters."""
    vocab = vocabulary(TOKENS)
    oracle = re.compile(pattern)
    members = {text.encode() for text in words("aAb1\u00e9", 6) if oracle.fullmatch(text)}
    alive = {member[:i] for member in members for i in range(len(member) + 1)}
    constraint = sg.compile(sg.Regex(pattern), vocab)
    reached = {b"": constraint.start}
    work = [b""]
    for text in work:
        allowed = {t for t, token in enumerate(TOKENS) if text + token in alive}
        allowed |= {vocab.eos_ids[0]} if text in members else set()
        assert tokens_of(constraint.mask(reached[text])) == allowed, text
        assert constraint.is_accepting(reached[text]) == (text in members)
        for t in allowed - {vocab.eos_ids[0]}:
            if text + TOKENS[t] not in reached:
                reached[text + TOKENS[t]] = constraint.advance(reached[text], t)
                work.append(text + TOKENS[t])
    assert len(reached) >= 5


@pytest.mark.parametrize(
    "source",
    [
        sg.Regex(r"[a-z]{2,300}1*"),
        sg.Regex("(?:[ab]{1,400}1){2,300}"),
        sg.Regex(r"a+b?") - sg.Regex("a{3}"),
        sg.Regex(""),
    ],
)
def test_the_laws_of_a_constraint_hold(source: sg.RegularSource) -> None:
    """Masks, bounds, budgets and sessions of regular sources obey what every constraint obeys."""
    sg.testing.check_constraint(sg.compile(source, vocabulary(TOKENS)), rng=np.random.default_rng(0), steps=60)


# --- counted repetitions ----------------------------------------------------------------------------------------------


def rules_and_states(source: sg.Regex) -> tuple[Grammar | None, int]:
    """The rules and how many repetitions they count."""
    return counted_grammar(source.tree(no_tick), max_states=20_000, tick=no_tick)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "repetitions", "inside", "outside"),
    [
        ("x{0,100000}", 1, ["", "x" * 99_999, "x" * 100_000], ["x" * 100_001, "y"]),
        ("^[a-z]{3,5000}$", 1, ["abc", "z" * 5000], ["ab", "z" * 5001, "a1"]),
        (r'"(?:[^"\\]|\\.){0,10000}"', 1, ['""', r'"a\"b"', '"' + "\u00e9" * 10_000 + '"'], ['"' + "a" * 10_001 + '"', '"']),
        (r"\d{1,3}(?:,\d{3}){0,1000}", 1, ["1", "12,345"], ["1,23", "1" + ",234" * 1001]),
        ("a{0,1000}b{2,1000}c*", 2, ["abb", "bbcc", "b" * 1000], ["ab", "b" * 1001]),
        (r"(?:[a-z]{1,1000}\n){2,1000}", 2, ["a\nb\n", "ab\nc\nd\n"], ["a\n", "a\n\n", "a\nb"]),
        ("(?:a{0,500}b){0,500}", 2, ["", "b", "aab", "aabb"], ["aa", "b" * 501]),
        ("a{500,}", 1, ["a" * 500, "a" * 700], ["a" * 499]),
        ("a{0,1000}|b{3}", 1, ["", "aa", "bbb"], ["bb", "ab"]),
        ("(?:a{300}b)*", 1, ["", "a" * 300 + "b"], ["a" * 299 + "b", "a" * 300]),
        ("(?:(?:ab?){1,300}c?){2,300}d", 0, ["abcad"], ["abc"]),
    ],
)  # fmt: skip
def test_large_repetitions_are_counted(pattern: str, repetitions: int, inside: list[str], outside: list[str]) -> None:
    """Where the iterations of a text are told apart as it is read, a counter takes the place of states."""
    try:
        grammar, counted_here = rules_and_states(sg.Regex(pattern))
    except sg.LimitExceeded:
        assert repetitions == 0  # neither counted nor unrolled
        return
    assert counted_here == repetitions
    assert grammar is not None
    constraint = sg.compile(sg.Regex(pattern), BYTES)
    assert [text[:9] for text in inside if not constraint.accepts(text)] == []
    assert [text[:9] for text in outside if constraint.accepts(text)] == []


SMALL_COUNTS = ["{0,3}", "{2,4}", "{3}", "{2,}", "{0,2}"]


@settings(max_examples=250)
@given(patterns(["a", "b", "c", "[ab]", "ab", "a?", "(?:a|bc)"], quantifiers=[*SMALL_COUNTS, "*", "?"], looks=["(?:"]))
def test_counted_rules_have_the_language_of_the_unrolled_automaton(pattern: str) -> None:
    """With everything counted that may be, the rules accept exactly the texts of the automaton, and no prefix is dead."""
    tree = sg.Regex(pattern).tree(no_tick)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counted, "COUNTED_FROM", 1)
        grammar, _ = counted_grammar(tree, max_states=2000, tick=no_tick)
    dfa = from_node(tree, pattern, search=False, max_states=2000)
    assert grammar is not None
    oracle = Oracle(grammar)
    plain = utf8(dfa)
    spans = list(
        zip(plain.source.tolist(), plain.low.tolist(), plain.high.tolist(), plain.target.tolist(), strict=True)
    )
    moves = {(s, c): t for s, low, high, t in spans for c in b"abc" if low <= c <= high}
    work = [(b"", oracle.start, 0)]
    for text, here, state in work:
        assert Oracle.is_accepting(here) == bool(plain.accepting[state]), text
        assert len(here) <= 40, "one value of the counter for each state"
        for c in b"abc":
            after = oracle.step(here, c)
            assert bool(after) == ((state, c) in moves), (text, c)
            if after and len(text) < 4:
                work.append((text + bytes([c]), after, moves[state, c]))


@pytest.mark.parametrize(
    "pattern", ["(?:a|aa){0,100000}", "[a-z]{0,3000}[a-z0-9]{0,3000}", "(?:a{0,500}b?){0,500}", ".*a{0,300}b.{500}"]
)
def test_ambiguous_repetitions_are_not_counted(pattern: str) -> None:
    """Where one text has many values of a counter, the repetition is unrolled, and too many states are a typed error."""
    with pytest.raises(sg.LimitExceeded, match="several ways") as caught:
        sg.Regex(pattern).lower()
    assert caught.value.limit == "max_dfa_states"


def test_small_ambiguous_repetitions_are_unrolled() -> None:
    """They compile as plain states, and to the same texts."""
    grammar, repetitions = rules_and_states(sg.Regex("(?:a|aa){0,300}"))
    assert grammar is not None
    assert (len(grammar.rules), repetitions) == (1, 0)
    constraint = sg.compile(sg.Regex("(?:a|aa){0,300}"), BYTES)
    assert constraint.accepts("a" * 600)
    assert not constraint.accepts("a" * 601)


# --- algebra ------------------------------------------------------------------------------------------------------------

SOURCES = patterns(["a", "b", "1", "[ab]", "a?", "^", "$", r"\b", "."], looks=["(?=", "(?<!"], leaves=4).map(sg.Regex)


@settings(max_examples=60)
@given(SOURCES, SOURCES)
def test_operators_are_those_of_sets(a: sg.Regex, b: sg.Regex) -> None:
    """Intersection, union, difference, complement and concatenation, compared text by text."""
    x, y, every = language(a), language(b), set(words("ab1", 5))
    assert language(a & b) == x & y
    assert language(a | b) == x | y
    assert language(a - b) == x - y
    assert language(~a) == every - x
    assert language(a + b) == {p + q for p in x for q in y if len(p + q) <= 5}
    assert (~(a | b)).equivalent(~a & ~b)
    assert (a - b).equivalent(a & ~b)
    assert (~~a).equivalent(a)
    assert (a & b).is_subset(a)
    assert (a - a).is_empty()


def test_a_combination_is_a_source() -> None:
    """It compiles, has a report, and is equal to one that is written in the same way."""
    words_ = sg.Regex("[a-z]+")
    source = words_ - (sg.Regex("if") | sg.Regex("else")) + sg.Regex("")
    constraint = sg.compile(source, BYTES)
    assert constraint.accepts("iff")
    assert not constraint.accepts("if")
    assert len(constraint.report.entries) == 4
    assert source == sg.Regex("[a-z]+") - (sg.Regex("if") | sg.Regex("else")) + sg.Regex("")
    assert len({source, sg.Regex("[a-z]+") - (sg.Regex("if") | sg.Regex("else")) + sg.Regex("")}) == 1
    assert source != words_
    assert eval(repr(source), {"Regex": sg.Regex}) == source  # noqa: S307 - our own text


@pytest.mark.parametrize(
    "source",
    [
        ~sg.Regex("a"),
        sg.Regex("a") & sg.Regex("b") & ~sg.Regex("c"),
        sg.Regex("a") - (sg.Regex("b") - sg.Regex("c")),
        sg.Regex("a") - sg.Regex("b") - sg.Regex("c"),
        (sg.Regex("a") | sg.Regex("b")) + sg.Regex("\\n\n'"),
        sg.Regex("a", dialect="ecma", search=True, flags="mi", max_dfa_states=7, deadline=0.5),
    ],
)
def test_a_representation_makes_an_equal_source(source: sg.RegularSource) -> None:
    """With operators, parentheses and options where they are needed."""
    assert eval(repr(source), {"Regex": sg.Regex}) == source  # noqa: S307 - our own text


def test_the_complement_is_one_of_utf8_texts() -> None:
    """It has every character beyond ASCII, and no bytes that are no UTF-8."""
    constraint = sg.compile(~sg.Regex("a*"), BYTES)
    assert constraint.accepts("\U0010ffff")
    assert not constraint.accepts("aa")
    assert not constraint.accepts(b"\xff")
    assert constraint.advance_bytes(constraint.start, b"\xed\xa0") == 0  # a surrogate


def test_concatenation_keeps_what_anchors_mean() -> None:
    """An anchor of an operand is about the operand's own text."""
    assert (sg.Regex("a$") + sg.Regex("^b")).accepts("ab")
    assert (sg.Regex("a") + sg.Regex(r"(?<=a)b")).is_empty()


def test_long_chains_are_flat() -> None:
    """A thousand alternatives are one level; a thousand levels are a typed error."""
    source: sg.RegularSource = sg.Regex("x")
    for i in range(1000):
        source = source | sg.Regex(f"{i}")
    assert source.accepts("999")
    for _ in range(99):
        source = ~source
    with pytest.raises(sg.LimitExceeded) as caught:
        source = ~source
    assert caught.value.limit == "combination_depth"
    wide: sg.RegularSource = sg.Regex("x")
    for _ in range(13):
        wide = wide & wide
    with pytest.raises(sg.LimitExceeded, match="size"):
        wide & wide


# --- errors -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "named"),
    [
        (sg.Regex("a") & sg.Regex("b"), "Regex('a') & Regex('b')"),
        (sg.Regex("[]", dialect="ecma"), "Regex('[]', dialect='ecma')"),
        (sg.Regex(r"a\bb"), r"Regex('a\\bb')"),
        (sg.Regex("(?!)"), "(?!)"),
    ],
)
def test_an_empty_language_is_unsatisfiable(source: sg.RegularSource, named: str) -> None:
    """Compiling it is an error that names the pattern."""
    with pytest.raises(sg.Unsatisfiable) as caught:
        sg.compile(source, BYTES)
    assert named in caught.value.message


@pytest.mark.parametrize(
    ("pattern", "dialect", "kind", "where", "hint"),
    [
        ("a(?<n>b)", "python", sg.InvalidSource, "line 1, column 2", "(?P<name>...)"),
        (r"a\z", "python", sg.InvalidSource, "line 1, column 2", r"\Z"),
        (r"a\Z", "rust", sg.InvalidSource, "line 1, column 2", r"\z"),
        ("a\n(b", "python", sg.InvalidSource, "line 2, column 1", "close it"),
        ("ab*+c|*", "python", sg.InvalidSource, "line 1, column 7", r"\*"),
        (r"(a*)\1", "python", sg.Unsupported, "line 1, column 5", "grammar"),
        (r"(?R)", "python", sg.Unsupported, "line 1, column 1", "grammar"),
        (r"(a)\2", "python", sg.InvalidSource, "line 1, column 4", None),
        (r"(a\1)", "python", sg.InvalidSource, "line 1, column 3", "behind the group"),
        ("(?P=x)", "python", sg.InvalidSource, "line 1, column 5", "no group has a name"),
        (r"(a)\1", "rust", sg.Unsupported, "line 1, column 4", "another dialect"),
        ("(?=a)", "rust", sg.Unsupported, "line 1, column 1", "ecma or python"),
        ("(?>a*ab?)", "python", sg.Unsupported, "line 1, column 1", "give back"),
        ("(?>a)", "ecma", sg.Unsupported, "line 1, column 1", None),
        (r"\h", "python", sg.InvalidSource, "line 1, column 1", r"[ \t]"),
        (r"\p{Lx}", "python", sg.InvalidSource, "line 1, column 1", r"\p{L}"),
        (r"[[a--b]", "rust", sg.InvalidSource, "line 1, column 1", r"\["),
    ],
)  # fmt: skip
def test_errors_have_a_place_and_a_hint(
    pattern: str, dialect: str, kind: type[sg.SyntagmaError], where: str, hint: str | None
) -> None:
    """Line, column, a caret under the place, and the spelling that was probably meant."""
    with pytest.raises(kind) as caught:
        sg.Regex(pattern, dialect=dialect)  # type: ignore[arg-type]
    assert caught.value.where == where
    assert "^" in caught.value.message.splitlines()[-2]
    assert hint is None or hint in (caught.value.hint or ""), caught.value.hint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pattern": "a", "dialect": "pcre"}, "dialect='pcre'"),
        ({"pattern": b"a"}, "bytes"),
        ({"pattern": re.compile(b"a")}, "bytes"),
        ({"pattern": re.compile("a"), "dialect": "ecma"}, "compiled pattern"),
        ({"pattern": "a", "flags": "g", "dialect": "ecma"}, "no last match"),
        ({"pattern": "a", "flags": "iL"}, "'L'"),
        ({"pattern": "a", "flags": re.IGNORECASE, "dialect": "rust"}, "re module"),
        ({"pattern": "a", "flags": "uv", "dialect": "ecma"}, "two things"),
        ({"pattern": "a", "deadline": 0}, "deadline=0"),
        ({"pattern": "a", "max_dfa_states": True}, "max_dfa_states=True"),
    ],
)
def test_options_are_checked_at_the_door(options: dict[str, object], message: str) -> None:
    """A wrong option is an error of its own, before anything is compiled."""
    with pytest.raises(sg.InvalidSource) as caught:
        sg.Regex(**options)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_flags_are_letters_or_those_of_re() -> None:
    """Both spellings, and a compiled pattern, are one source."""
    wanted = sg.Regex("a.^b", flags="ims")
    assert sg.Regex("a.^b", flags=re.IGNORECASE | re.MULTILINE | re.DOTALL) == wanted
    assert sg.Regex(re.compile("a.^b", re.IGNORECASE | re.MULTILINE | re.DOTALL)) == wanted
    assert wanted.accepts("A\nB")
    assert not sg.Regex("a.^b", flags="is").accepts("A\nB")
    assert sg.Regex("a b # c", flags="x").accepts("ab")


# --- reports ------------------------------------------------------------------------------------------------------------


def test_the_report_says_what_became_of_each_part() -> None:
    """Lazy quantifiers and names are annotations; what was rewritten is exact, with the reason; counters are named."""
    report = sg.Regex(r"(?P<q>a|b)c*?(?P=q)(?>d|e)x{0,5000}", search=False).lower().report
    assert report.dialect == "python"
    assert (report.sound, report.complete, report.live) == (True, True, True)
    assert report.unsatisfiable == ()
    found = {entry.keyword: entry.status for entry in report.entries}
    assert found == {
        "pattern": "exact", "(?P<q>": "annotation", "*?": "annotation", "group 1": "exact", "(?>": "exact", "{m,n}": "exact"
    }  # fmt: skip
    assert "2 cases" in next(e.reason for e in report.entries if e.keyword == "group 1")
    assert any("anywhere" in e.reason for e in sg.Regex("a", search=True).lower().report.entries)


# --- limits -------------------------------------------------------------------------------------------------------------

HOSTILE = {
    "exponential": "(a|b)*a(a|b){30}",
    "exponential look-ahead": "(?=(a|b)*a(a|b){25})(a|b)*b(a|b){25}",
    "look-aheads": "".join(f"(?=.*{x})" for x in "abcdefghijklmno") + ".*",
    "look-behinds": "(?:(?!a{12}).)*(?:(?<=a.{14})b)*",
    "ambiguous counters": "(?:(?:a{0,1000}b?){0,1000}c?){0,1000}",
    "optional copies": "(?:a?){5000}a{5000}",
    "deep groups": "(" * 5000 + ")" * 5000,
    "braces": "{" * 200_000,
    "long": "a" * 300_000,
    "wide classes": r"[\p{L}]*\p{Lu}[\p{L}]{11}",
    "many counted alternatives": "|".join(f"{i}x{{0,1000}}" for i in range(3000)),
    "digits": "a{" + "9" * 6000 + "}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_patterns_are_a_typed_error(name: str) -> None:
    """They end in ``LimitExceeded`` with a limit by name."""
    with pytest.raises(sg.LimitExceeded) as caught:
        sg.Regex(HOSTILE[name], deadline=0.05).lower()
    assert caught.value.limit in {"deadline", "max_dfa_states", "max_nesting", "max_ranges", "max_repeat"}


@pytest.mark.parametrize(
    "source",
    [sg.Regex("(((a{0,1000}b){0,1000}c){0,1000}d){0,1000}"), sg.Regex("((a*)*)*b{0,100000}a*"),
     sg.Regex("(?=a" * 100 + ")" * 100 + ".*"), sg.Regex("(" * 140 + "a" + ")" * 140), sg.Regex(r"(?:\b\w+\b.*){9}")],
)  # fmt: skip
def test_what_looks_hostile_and_is_not_compiles(source: sg.Regex) -> None:
    """Nested counters that can be told apart, stars of stars, deep look-ahead: within the deadline."""
    assert source.lower().grammar.rules


def test_the_stacked_and_the_nested_have_a_limit() -> None:
    """In Rust's dialect quantifiers stack and classes nest; thousands of them do not exhaust Python's stack."""
    for pattern in ("a" + "*" * 5000, "[" * 3000 + "]" * 3000):
        with pytest.raises(sg.LimitExceeded) as caught:
            sg.Regex(pattern, dialect="rust")
        assert caught.value.limit == "max_nesting"


def test_references_have_a_limit() -> None:
    """Ten groups of two texts each would be a thousand cases and more."""
    pattern = "".join(f"({a}|{a.upper()})" for a in "abcdefghij") + "".join(rf"\{i}" for i in range(1, 11))
    with pytest.raises(sg.Unsupported, match="all cases together"):
        sg.Regex(pattern)


def test_random_texts_of_a_counted_source_are_accepted() -> None:
    """Decoding at random ends in texts that ``re`` matches, whatever the length."""
    pattern = r"(?:[a-c]{1,250};){1,300}\d{2,400}"
    constraint = sg.compile(sg.Regex(pattern), BYTES)
    rng = random.Random(0)
    for budget in (10, 40, 900):
        with constraint.session() as session:
            state, text = session.start, b""
            for left in range(budget, 0, -1):
                allowed = sorted(tokens_of(session.mask(state, budget=left)) - {256})
                if not allowed:
                    break
                text += bytes([rng.choice(allowed)])
                state = session.advance(state, text[-1])
            assert session.is_accepting(state)
        assert re.fullmatch(pattern, text.decode())


def test_every_limit_is_on_the_page() -> None:
    """Each name that a ``LimitExceeded`` may carry here has a row in the documentation, and no other has."""
    root = Path(__file__).resolve().parents[1]
    files = [root / "grammar/regex.py", root / "grammar/counted.py", *(root / "grammar/regular").glob("*.py")]
    names = set(re.findall(r'limit="([a-z_]+)"', "\n".join(path.read_text(encoding="utf-8") for path in files)))
    table = (root / "docs/regex.md").read_text(encoding="utf-8").partition("## Limits")[2]
    elsewhere = {"max_bound_digits"}  # of numbers
    assert names - elsewhere | {"combination_depth", "combination_size"} == set(
        re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    )
