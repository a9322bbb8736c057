"""Decoding: equal to the obvious way, always complete, within every budget."""

from __future__ import annotations

import importlib
import math
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_constraint import ReferenceConstraint, ReferenceVocabulary
from tiny_models import WIDTH, decode_slowly, tiny_model, torch

import syntagma as sg
from syntagma.engine.generate import generate, generate_many, stream
from syntagma.engine.law import Law
from syntagma.engine.unconstrained import Unconstrained
from syntagma.grammar.errors import BudgetTooSmall, InvalidSource, LimitExceeded
from syntagma.grammar.jsonschema import JsonSchema

TOKENS = [None, None, *(bytes([c]) for c in b"abcdefgh"), b"ab", b"bc", b"abc", b"ghe", "é".encode(), b"\xc3", b"\xa9"]
VOCAB = ReferenceVocabulary(TOKENS, eos_ids=[0], pad_ids=[1])
MODEL = tiny_model("llama")
WORDS = st.sets(st.text("abcdeh", min_size=0, max_size=9).map(str.encode), min_size=1, max_size=8)
engine = importlib.import_module("syntagma.engine.generate")  # its name is that of its function in the package
PROMPTS = st.lists(st.lists(st.integers(2, 14), min_size=1, max_size=9), min_size=1, max_size=4)


@settings(deadline=None, max_examples=40)
@given(st.lists(WORDS, min_size=4, max_size=4), PROMPTS, st.integers(0, 5), st.sampled_from(["llama", "gpt2"]))
def test_batches_equal_slow_decoding(words: list[set[bytes]], prompts: list[list[int]], more: int, kind: str) -> None:
    """Ragged prompts, a constraint a row, forced runs and dropped rows change nothing in greedy output."""
    model = MODELS[kind]
    constraints = [ReferenceConstraint(w, VOCAB) for w in words[: len(prompts)]]
    budget = max(c.finish_bound(c.start) for c in constraints) + more
    done = generate(model, prompts, constraints, max_new_tokens=budget, batch_size=3)
    for prompt, constraint, got in zip(prompts, constraints, done, strict=True):
        assert got.tokens == decode_slowly(model, prompt, constraint, budget)
        assert constraint.accepts(got.data)
        assert got.data == VOCAB.decode(got.tokens) == got.text.encode()
        assert len(got.tokens) <= budget
        assert constraint.open_scopes == {0}


@settings(deadline=None, max_examples=40)
@given(WORDS, st.lists(st.integers(2, 14), min_size=1, max_size=5), st.integers(0, 9), st.integers(1, 10))
def test_late_budget_checks_change_nothing(words: set[bytes], prompt: list[int], more: int, tight: int) -> None:
    """Greedy output is the same whether masks are taken under the budget always or only after an overrun."""
    constraint = ReferenceConstraint(words, VOCAB)
    budget = constraint.finish_bound(constraint.start) + more
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "TIGHT_SLACK", tight)
        got = generate(MODEL, prompt, constraint, max_new_tokens=budget)
    assert got.tokens == decode_slowly(MODEL, prompt, constraint, budget)


@pytest.mark.parametrize("options", [{}, {"top_k": 2}])
def test_late_budget_checks_keep_the_law(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]) -> None:
    """Samples under a budget that rules tokens out follow the law of the mask under the budget."""
    monkeypatch.setattr(engine, "TIGHT_SLACK", 1)
    vocab = ReferenceVocabulary([None, *(bytes([c]) for c in b"abcdefgh")], eos_ids=[0])
    constraint = ReferenceConstraint([b"a", b"bcdefgh", b"c", b"dddd", b"e"], vocab)
    n = 600
    done = generate(MODEL, [[3, 4]] * n, constraint, max_new_tokens=3, temperature=4.0, batch_size=100, **options)
    with torch.inference_mode():
        scores = MODEL(torch.tensor([[3, 4]])).logits[0, -1]
    law = Law(constraint, temperature=4.0, **options)(scores, constraint.start, budget=3)
    for token, p in zip(law.ids.tolist(), law.probabilities, strict=True):
        share = sum(g.tokens == [token] for g in done) / n
        assert abs(share - p) < 5 * math.sqrt(p * (1 - p) / n)


MODELS = {"llama": MODEL, "gpt2": tiny_model("gpt2")}


def test_sliding_window_models_run_one_row_at_a_time() -> None:
    """Where holes in the cache would count as positions, rows are decoded singly, with the same results."""
    model = tiny_model("mistral")
    constraint = ReferenceConstraint([b"abcabcabcab", b"hgfedcba", b"abcdefgh", b"hah"], VOCAB)
    prompts = [[2, 3, 4, 5, 6, 7, 8], [9], [4, 4, 2]]
    done = generate(model, prompts, constraint, max_new_tokens=11)
    assert [g.tokens for g in done] == [decode_slowly(model, p, constraint, 11) for p in prompts]


@settings(deadline=None, max_examples=40)
@given(WORDS, st.integers(0, 8), st.integers(0, 2**30))
def test_every_budget_from_the_bound_up_is_enough(words: set[bytes], more: int, seed: int) -> None:
    """Sampled output is a whole member of the language within any budget not below the bound."""
    constraint = ReferenceConstraint(words, VOCAB)
    bound = constraint.finish_bound(constraint.start)
    got = generate(MODEL, [5, 6], constraint, max_new_tokens=bound + more, temperature=1.5, seed=seed)
    assert constraint.accepts(got.data)
    assert len(got.tokens) <= bound + more


def test_too_small_a_budget_names_one_that_is_enough() -> None:
    """A budget below the bound raises before the model is asked, and the number that it names works."""
    constraint = ReferenceConstraint([b"abcabcd", b"hhhhhh"], VOCAB)
    with pytest.raises(BudgetTooSmall) as caught:
        generate(None_model(), [5], constraint, max_new_tokens=2)
    assert caught.value.needed == 3
    assert generate(MODEL, [5], constraint, max_new_tokens=3).text == "abcabcd"
    assert constraint.open_scopes == {0}


def None_model() -> Any:  # noqa: N802 - reads as the value that it stands for
    """A model that fails when it is asked."""
    model = tiny_model("llama")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the model was asked")

    model.forward = refuse
    return model


def test_a_forced_text_needs_no_model() -> None:
    """A language of one token path is completed without any call of the model."""
    vocab = ReferenceVocabulary([None, b"a", b"b", b"c"], eos_ids=[0])
    got = generate(None_model(), [1, 2], ReferenceConstraint([b"abcabc"], vocab))
    assert (got.text, got.n_forward, got.n_forced, got.finish_reason) == ("abcabc", 0, 6, "final")


def test_forced_runs_cost_no_calls_of_their_own() -> None:
    """Two choices in a text of ten tokens cost two calls."""
    vocab = ReferenceVocabulary([None, *(bytes([c]) for c in b"abcdefgh")], eos_ids=[0])
    constraint = ReferenceConstraint([b"abcdefgh" + x + b"h" + y for x in (b"a", b"b") for y in (b"c", b"d")], vocab)
    got = generate(MODEL, [3], constraint)
    assert (len(got.tokens), got.n_forward, got.n_forced) == (11, 2, 9)


def test_finish_reasons() -> None:
    """Nothing may follow, the model ends it, or nothing is left to spend: all three are told apart."""
    vocab = ReferenceVocabulary([None, b"a", b"b"], eos_ids=[0])
    runs = ReferenceConstraint([b"a" * n for n in range(30)], vocab)
    assert generate(MODEL, [1], ReferenceConstraint([b"ab"], vocab)).finish_reason == "final"
    assert generate(MODEL, [1], runs, max_new_tokens=0).finish_reason == "budget"
    reasons = {generate(MODEL, [1], runs, max_new_tokens=29, temperature=3.0, seed=s).finish_reason for s in range(12)}
    assert "eos" in reasons


def test_several_ends_at_an_empty_budget() -> None:
    """With several end-of-sequence ids a spent budget still ends the text."""
    vocab = ReferenceVocabulary([None, b"a", None], eos_ids=[0, 2])
    got = generate(MODEL, [1], ReferenceConstraint([b"a" * n for n in range(5)], vocab), max_new_tokens=0)
    assert (got.text, got.finish_reason) == ("", "budget")


def test_draws_do_not_depend_on_the_batch() -> None:
    """The same seed gives a prompt the same sample at every batch size, and another seed another."""
    constraint = ReferenceConstraint(
        [bytes([a, b, c]) for a in b"abcdefgh" for b in b"abcdefgh" for c in b"abcdefgh"], VOCAB
    )
    prompts = [[2 + i, 5] for i in range(6)]
    runs = [
        [g.tokens for g in generate(MODEL, prompts, constraint, temperature=5.0, seed=seed, batch_size=size)]
        for seed, size in [(1, 1), (1, 4), (1, 6), (2, 6)]
    ]
    assert runs[0] == runs[1] == runs[2] != runs[3]


def test_prompts_are_read_as_they_are_needed() -> None:
    """An endless supply of prompts is decoded lazily, a batch at a time."""
    constraint = ReferenceConstraint([b"ab", b"cd"], VOCAB)
    read = []

    def prompts() -> Any:
        for i in count():
            read.append(i)
            yield [2 + i % 5]

    source = generate_many(MODEL, prompts(), constraint, batch_size=2)
    assert [constraint.accepts(next(source).data) for _ in range(3)] == [True] * 3
    assert len(read) == 4


@pytest.mark.parametrize("word", ["é", "aébcé", "abcabc", ""])
def test_stream_yields_whole_characters(word: str) -> None:
    """The pieces joined are the text, and a character over two tokens comes in one piece."""
    split = ReferenceVocabulary([t if t != "é".encode() else None for t in TOKENS], eos_ids=[0])
    constraint = ReferenceConstraint([word.encode(), "hé".encode()], split)
    pieces = list(stream(MODEL, [5], constraint))
    assert "".join(pieces) == generate(MODEL, [5], constraint).text
    assert "\ufffd" not in "".join(pieces)
    assert constraint.open_scopes == {0}


def test_an_abandoned_stream_closes_its_session() -> None:
    """Closing the iterator early frees the states."""
    constraint = ReferenceConstraint([b"abcabcdefgh", b"hgfedcba"], VOCAB)
    pieces = stream(MODEL, [5], constraint)
    next(pieces)
    assert len(constraint.open_scopes) == 2
    pieces.close()  # type: ignore[attr-defined]
    assert constraint.open_scopes == {0}


def test_context_of_the_model() -> None:
    """The model's context caps the budget, and a prompt that leaves no room for an output is refused."""
    model = tiny_model("llama", max_position_embeddings=12)
    constraint = ReferenceConstraint([b"a" * n for n in range(2, 30)], VOCAB)
    got = generate(model, [5] * 8, constraint, max_new_tokens=29)
    assert len(got.tokens) <= 4
    with pytest.raises(LimitExceeded, match="at most 10 tokens"):
        generate(model, [5] * 11, constraint)


def test_wrong_arguments() -> None:
    """Each wrong argument is refused by name, before anything runs."""
    constraint = ReferenceConstraint([b"ab"], VOCAB)
    beyond = ReferenceVocabulary([None, *[None] * WIDTH, b"a"], eos_ids=[0])
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"max_new_tokens": -1}, "max_new_tokens"),
        ({"batch_size": 0}, "batch_size"),
        ({"seed": -1}, "seed"),
        ({"temperature": -1.0}, "temperature"),
        ({"max_new_tokens": 20.5}, "max_new_tokens"),
        ({"seed": 1.5}, "seed"),
    ]
    for options, where in wrong:
        with pytest.raises(InvalidSource) as caught:
            generate(None_model(), [5], constraint, **options)
        assert caught.value.where == where
    with pytest.raises(InvalidSource, match=r"top_k 1\.5 is no number"):
        generate(MODEL, [5], constraint, temperature=1.0, top_k=1.5)  # type: ignore[call-overload]
    for prompt in (None, 5, b"ab", [b"ab"]):
        with pytest.raises(InvalidSource, match="is no prompt"):
            generate(MODEL, prompt, constraint)  # type: ignore[call-overload]
    for source in ({"type": "null"}, "[0-9]", JsonSchema(True)):
        with pytest.raises(InvalidSource, match="compile it"):
            generate(MODEL, [5], source)  # type: ignore[call-overload]
    with pytest.raises(InvalidSource, match="needs the model's tokenizer"):
        generate(MODEL, "text", constraint)
    with pytest.raises(InvalidSource, match="at least one token"):
        generate(MODEL, [[]], constraint)
    with pytest.raises(InvalidSource, match="1 constraints for 2 prompts"):
        generate(MODEL, [[5], [6]], [constraint])
    with pytest.raises(InvalidSource, match="only 40 logits"):
        generate(MODEL, [5], ReferenceConstraint([b"a"], beyond))
    with pytest.raises(InvalidSource, match="accepts nothing"):
        generate(MODEL, [5], ReferenceConstraint([], VOCAB))


def test_unconstrained_runs_to_the_budget() -> None:
    """Without a constraint the loop is plain decoding: text tokens up to the budget or the model's end."""
    free = Unconstrained(VOCAB)
    got = generate(MODEL, [[5], [6, 7]], free, max_new_tokens=12)
    assert all(len(g.tokens) == 12 or g.finish_reason == "eos" for g in got)
    assert all(VOCAB.tokens[t] for g in got for t in g.tokens)
    assert Law(free).constraint.finish_bound(free.start) == 0
    ended = free.advance(free.start, 0)
    assert free.is_final(ended)
    assert free.advance(ended, 1) == ended
    assert free.advance(ended, 2) == 0
    assert free.advance(free.start, 1) == 0


@pytest.mark.parametrize("budget", [5, 6, 12])
def test_tokens_that_a_source_names_are_generated(budget: int) -> None:
    """Special tokens come where the source has them, within the budget; the text leaves them out."""
    texts: list[bytes | None] = [None, *(bytes([b]) for b in b"abcok"), None, None]
    vocab = sg.Vocabulary(texts, eos_ids=[0], special={"<think>": 6, "</think>": 7})
    constraint = sg.compile(sg.Gbnf('root ::= <think> [a-c]{1,9} </think> "ok"'), vocab)
    for seed in range(3):
        made = sg.generate(tiny_model("llama", seed), [1, 2], constraint, max_new_tokens=budget)
        assert made.finish_reason == "final"
        assert len(made.tokens) <= budget
        assert (made.tokens[0], made.tokens[-3]) == (6, 7)
        assert constraint.accepts(made.tokens)
        assert made.text == "".join((texts[t] or b"").decode() for t in made.tokens)
