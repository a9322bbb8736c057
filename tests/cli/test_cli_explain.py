"""``syntagma explain``: what may come, why not, and the exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def test_explain_what_may_come(run: Any, schema: Path) -> None:
    """After a prefix: that it is allowed, how much is missing, what may come next."""
    status, text, _ = run("explain", "--schema", schema, "--text", '{"age":')
    assert status == 0
    assert "allowed" in text
    assert "0-9" in text or "'0'" in text
    assert (
        "may end here, and nothing else may follow" in run("explain", "-s", schema, "-t", '{"age":3,"kind":"red"}')[1]
    )
    assert "what must come next" in run("explain", "-s", schema, "-t", '{"age": 3, "kind": "r')[1]


def test_explain_why_not(run: Any, schema: Path) -> None:
    """A continuation that is not allowed is told at its first wrong byte, with exit status 1."""
    status, text, _ = run("explain", "--schema", schema, "--text", '{"age":', "--next", '1x"')
    assert status == 1
    assert "byte 1 of what is to come next" in text
    status, text, _ = run("explain", "--schema", schema, "--text", '{"name"')
    assert (status, "byte 2 of the text" in text) == (1, True)


def test_explain_a_token(run: Any, schema: Path, model: Path) -> None:
    """A token id is judged in its own tokenizer's numbering, which has to be given."""
    options = ["explain", "--schema", schema, "--text", '{"age":']
    status, _, error = run(*options, "--token", 5)
    assert (status, "--tokenizer" in error) == (2, True)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    digit, quote = (tokenizer.convert_tokens_to_ids(t) for t in ("7", '"'))
    assert run(*options, "--token", digit, "--tokenizer", model)[0] == 0
    status, text, _ = run(*options, "--token", quote, "--tokenizer", model)
    assert (status, "not allowed" in text) == (1, True)
    assert run(*options, "--token", 5, "--next", "x", "--tokenizer", model)[0] == 2


def test_explain_under_an_indent_and_limits(run: Any, schema: Path) -> None:
    """The options on how texts look are those of the source: what must come next is a line of the indent."""
    text = run("explain", "-s", schema, "-t", "{", "--whitespace", 3)[1]
    assert r"""what must come next: '\n   "age": '""" in text
    assert run("explain", "-s", schema, "-t", '{"kind"', "--property-order", "any")[0] == 0
    assert run("explain", "-s", schema, "-t", '{"age":123', "--max-digits", 2)[0] == 1
    assert run("explain", "-s", schema, "-t", "{", "--max-depth", 0)[0] == 2


def test_explain_a_grammar(run: Any, grammars: dict[str, Path]) -> None:
    """What may come next, and why something may not, is told of grammars and expressions too."""
    assert "the text may end here" in run("explain", "-g", grammars["sums.lark"], "-t", "1 + 2")[1]
    assert run("explain", "-g", grammars["sums.gbnf"], "-t", "1+", "-n", "+")[0] == 1
    assert "what must come next: 'c'" in run("explain", "--regex", "abc", "-t", "ab")[1]


def test_explain_a_grammar_over_tokens(run: Any, tmp_path: Path, model: Path) -> None:
    """What may come behind tokens is told in tokens; without a tokenizer, whatever the source names is there."""
    grammar = tmp_path / "think.gbnf"
    grammar.write_text('root ::= "a" <think> | <[7]> "b" !<[3]>\n')
    status, text, _ = run("explain", "-g", grammar)
    assert status == 0
    assert "what may come next: the token 7, 'a'" in text
    assert "the token '<think>'" in run("explain", "-g", grammar, "-t", "a")[1]
    assert run("explain", "-g", grammar, "-t", "ab")[0] == 1
    assert run("check", grammar)[0] == 0
    grammar.write_text('root ::= <[65]> "b"\n')
    status, text, _ = run("explain", "-g", grammar, "--tokenizer", model, "--tokens", "65")
    assert status == 0
    assert "what may come next: 'b'" in text
    assert "not allowed" in run("explain", "-g", grammar, "--tokenizer", model, "--tokens", "65, 65")[1]
    assert run("explain", "-g", grammar, "--tokenizer", model, "--tokens", "65", "--token", "65")[0] == 1
    assert run("explain", "-g", grammar, "--tokenizer", model, "--tokens", "x")[0] == 2
    assert run("explain", "-g", grammar, "--tokens", "65")[0] == 2
    assert run("explain", "-g", grammar, "--tokenizer", model, "--tokens", "65", "-t", "a")[0] == 2


def test_explain_bytes_that_are_no_text(run: Any, schema: Path) -> None:
    """Bytes of an argument that are not UTF-8 are bytes that cannot come, and no crash."""
    status, printed, _ = run("explain", "--schema", schema, "--text", '{"\udcff')
    assert status == 1
    assert "not allowed at byte 2 of the text" in printed


def test_hints_keep_their_backslashes(run: Any) -> None:
    """What is printed is the message as it is, though brackets and backslashes mean something to the terminal's library."""
    status, _, error = run("explain", "--regex", "[")
    assert status == 2
    assert r"write \[ for the character" in error


def test_an_empty_file_of_choices(run: Any, tmp_path: Path) -> None:
    """A file without a line holds no choice, not the empty one."""
    path = tmp_path / "choices.txt"
    path.write_text("", encoding="utf-8")
    status, _, error = run("explain", "--choices", path)
    assert status == 2
    assert "the file holds no choice" in error
