from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syntagma.automata.trie import build_trie
from syntagma.automata.vocabulary import Vocabulary
from syntagma.grammar.errors import InvalidSource, TokenizerError

TOKENS = st.lists(st.none() | st.binary(max_size=3), min_size=1, max_size=70)


def make(tokens: list[bytes | None], **kwargs: Any) -> Vocabulary:
    """A vocabulary of ``tokens`` behind a text and an end."""
    return Vocabulary([b"!", None, *tokens], eos_ids=[1], **kwargs)


@given(TOKENS)
def test_shape_of_a_mask_row(tokens: list[bytes | None]) -> None:
    """A row has one bit per id, in as few 32-bit words as hold them."""
    vocab = make(tokens)
    assert vocab.size == len(vocab) == len(vocab.tokens) == len(tokens) + 2
    assert 32 * (vocab.words - 1) < vocab.size <= 32 * vocab.words


@given(TOKENS)
def test_missing_bytes_are_those_without_a_token(tokens: list[bytes | None]) -> None:
    """A byte value is missing iff no token is that byte alone."""
    vocab = make(tokens)
    assert vocab.missing_bytes == {b for b in range(256) if bytes([b]) not in vocab.tokens}


@given(TOKENS, TOKENS)
def test_digest_tells_vocabularies_apart(a: list[bytes | None], b: list[bytes | None]) -> None:
    """Digests are equal iff the texts are; an empty text is no text."""
    same = [t or None for t in a] == [t or None for t in b]
    assert (make(a).digest == make(b).digest) == same


def test_digest_sees_ends_and_padding() -> None:
    """The roles of ids count, their order does not; where one text ends and the next starts counts."""
    tokens = [b"a", None, None, b"bc", b"d"]
    digests = [
        Vocabulary(tokens, eos_ids=[1]).digest,
        Vocabulary(tokens, eos_ids=[2]).digest,
        Vocabulary(tokens, eos_ids=[1, 2]).digest,
        Vocabulary(tokens, eos_ids=[1], pad_ids=[2]).digest,
        Vocabulary([b"a", None, None, b"b", b"cd"], eos_ids=[1]).digest,
    ]
    assert len(set(digests)) == len(digests)
    assert Vocabulary(tokens, eos_ids=[2, 1]).digest == digests[2]


def test_ends_and_padding_are_never_text() -> None:
    """An id that ends or pads a text loses its bytes, and an end that also pads is an end."""
    vocab = Vocabulary([b"a", b"</s>", b"<pad>"], eos_ids=[1, 1], pad_ids=[2, 1])
    assert vocab.tokens == (b"a", None, None)
    assert vocab.eos_ids == (1,)
    assert vocab.pad_ids == (2,)


def test_kinds_of_bytes() -> None:
    """Any kind of bytes is taken, NumPy integers are ids, and an empty text is no text."""
    vocab = Vocabulary([bytearray(b"a"), memoryview(b"bc"), b"", None], eos_ids=np.array([3]))
    assert vocab.tokens == (b"a", b"bc", None, None)
    assert all(type(t) is bytes for t in vocab.tokens if t is not None)
    assert all(type(i) is int for i in vocab.eos_ids)


@pytest.mark.parametrize(
    ("tokens", "kwargs", "where"),
    [
        ([b"a", "b"], {"eos_ids": [0]}, "tokens[1]"),
        ([b"a", 7], {"eos_ids": [0]}, "tokens[1]"),
        ([b"a", None], {"eos_ids": []}, "eos_ids"),
        ([b"a", None], {"eos_ids": [2]}, "eos_ids"),
        ([b"a", None], {"eos_ids": [-1]}, "eos_ids"),
        ([b"a", None], {"eos_ids": [True]}, "eos_ids"),
        ([b"a", None], {"eos_ids": ["1"]}, "eos_ids"),
        ([b"a", None], {"eos_ids": 1}, "eos_ids"),
        ([b"a", None], {"eos_ids": [1], "pad_ids": [9]}, "pad_ids"),
        ([None, b""], {"eos_ids": [0]}, "tokens"),
        ([b"a"], {"eos_ids": [0]}, "tokens"),
    ],
)
def test_wrong_arguments_are_named(tokens: list[Any], kwargs: dict[str, Any], where: str) -> None:
    """Every wrong argument is refused at the door, with its name and place."""
    with pytest.raises(InvalidSource) as caught:
        Vocabulary(tokens, **kwargs)
    assert caught.value.where == where


def test_trie_is_that_of_the_texts() -> None:
    """The trie is made once, from the texts alone."""
    vocab = make([b"ab", None, b"ab", b""])
    for a, b in zip(vocab.trie, build_trie(vocab.tokens), strict=True):
        np.testing.assert_array_equal(a, b)
    assert vocab.trie is vocab.trie


def test_encoding_needs_a_tokenizer() -> None:
    """A vocabulary made from bytes says that it cannot encode."""
    assert make([]).tokenizer is None
    with pytest.raises(TokenizerError, match="cannot encode"):
        make([]).encode("a")


def test_pickled_vocabulary_is_the_same() -> None:
    """Another process gets the same tokens and digest, and its own trie."""
    vocab = make([b"ab", b"c"], pad_ids=[3])
    _ = vocab.trie
    copy = pickle.loads(pickle.dumps(vocab))  # noqa: S301 - written one line above
    assert (copy.tokens, copy.eos_ids, copy.pad_ids, copy.digest) == (
        vocab.tokens,
        vocab.eos_ids,
        vocab.pad_ids,
        vocab.digest,
    )
    np.testing.assert_array_equal(copy.trie.end, vocab.trie.end)


def test_import_needs_no_tokenizer_library() -> None:
    """Vocabularies and all readers are imported without any tokenizer library."""
    code = (
        "import sys, syntagma.automata.vocabulary, syntagma.automata.tokenizers\n"
        "heavy = {'transformers', 'tokenizers', 'tiktoken', 'mistral_common', 'sentencepiece', 'gguf', 'torch'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
