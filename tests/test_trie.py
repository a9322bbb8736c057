from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syntagma.automata import trie as module
from syntagma.automata.trie import NO_TOKEN, ROOT, ROOT_BYTE, TokenTrie, build_trie, cache_directory, cached_trie

# Few letters and short texts, so that prefixes are shared and texts come twice; the outer bytes check the order.
TEXTS = st.lists(st.none() | st.lists(st.sampled_from(b"\x00ab\xff"), max_size=4).map(bytes), max_size=30)


def oracle(tokens: list[bytes | None]) -> TokenTrie:
    """The same trie from its definition: nodes are the sorted prefixes, each field by search."""
    texts = {text for text in tokens if text}
    prefixes = sorted({text[:k] for text in texts for k in range(len(text) + 1)} | {b""})
    same = {text: [i for i, t in enumerate(tokens) if t == text] for text in texts}
    following = [NO_TOKEN] * len(tokens)
    for ids in same.values():
        for a, b in pairwise(ids):
            following[a] = b
    columns = (
        [p[-1] if p else ROOT_BYTE for p in prefixes],
        [i + sum(q.startswith(p) for q in prefixes) for i, p in enumerate(prefixes)],
        [same[p][0] if p in texts else NO_TOKEN for p in prefixes],
        following,
        [len(p) for p in prefixes],
    )
    return TokenTrie(*(np.array(column, dtype=np.int64) for column in columns))


def assert_equal(got: TokenTrie, wanted: TokenTrie) -> None:
    """Fail unless every field has the same entries."""
    for name, a, b in zip(TokenTrie._fields, got, wanted, strict=True):
        assert a.dtype == np.int64, name
        np.testing.assert_array_equal(a, b, err_msg=name)


@given(TEXTS)
def test_trie_is_what_its_definition_says(tokens: list[bytes | None]) -> None:
    """Every field equals the one computed from the set of prefixes by search."""
    assert_equal(build_trie(tokens), oracle(tokens))


@given(TEXTS)
def test_every_text_is_found_by_its_bytes(tokens: list[bytes | None]) -> None:
    """Going down by first child and next sibling along a text reaches a node whose chain holds exactly its ids."""
    trie = build_trie(tokens)
    for text in {t for t in tokens if t}:
        node = ROOT
        for byte in text:
            child = node + 1
            while trie.byte[child] != byte:
                child = int(trie.end[child])
                assert child < trie.end[node]
            node = child
        chain = []
        token = int(trie.token[node])
        while token != NO_TOKEN:
            chain.append(token)
            token = int(trie.next_same[token])
        assert chain == [i for i, t in enumerate(tokens) if t == text]


def test_long_chain_of_one_text() -> None:
    """A text of a thousand bytes that comes three times has a thousand nodes and one chain."""
    trie = build_trie([b"x" * 1000, None, b"x" * 1000, b"x" * 1000])
    assert len(trie.byte) == 1001
    assert trie.token[1000] == 0
    assert trie.next_same.tolist() == [2, NO_TOKEN, 3, NO_TOKEN]


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> list[bytes | None]:
    """A vocabulary that counts as worth a file."""
    monkeypatch.setattr(module, "_CACHE_FROM_BYTES", 1)
    return [None, b"a", b"ab", b"b", b"ab"]


def test_second_use_reads_the_file(many: list[bytes | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trie that was written once is read back equal and not built again, and no temporary file stays."""
    first = cached_trie(many, "d1", tmp_path / "new")
    assert [p.suffix for p in (tmp_path / "new").iterdir()] == [".npz"]
    monkeypatch.setattr(module, "build_trie", lambda _: pytest.fail("built again"))
    assert_equal(cached_trie(many, "d1", tmp_path / "new"), first)


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "other vocabulary"])
def test_damaged_file_is_built_again(many: list[bytes | None], tmp_path: Path, damage: str) -> None:
    """A file that is empty, cut off, no archive, or of another vocabulary is replaced, not believed."""
    wanted = cached_trie(many, "d1", tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    if damage == "other vocabulary":
        cached_trie([b"x", b"y"], "d2", tmp_path)
        whole = next(p for p in tmp_path.iterdir() if "d2" in p.name).read_bytes()
    path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "noise": b"\x00" * 99}.get(damage, whole))
    assert_equal(cached_trie(many, "d1", tmp_path), wanted)
    assert_equal(cached_trie(many, "d1", tmp_path), wanted)


def test_works_where_nothing_can_be_written(many: list[bytes | None], tmp_path: Path) -> None:
    """A cache folder that cannot exist (its parent is a file) costs the cache and nothing else."""
    (tmp_path / "file").write_bytes(b"")
    assert_equal(cached_trie(many, "d1", tmp_path / "file" / "cache"), build_trie(many))


def test_small_vocabularies_leave_no_file(tmp_path: Path) -> None:
    """A trie that is built faster than a file is opened is not written."""
    cached_trie([b"a", b"b"], "d1", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_order_of_cache_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The own variable wins over the desktop's, that over the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.delenv("SYNTAGMA_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_directory() == tmp_path / "home" / ".cache" / "syntagma"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory() == tmp_path / "xdg" / "syntagma"
    monkeypatch.setenv("SYNTAGMA_CACHE_DIR", str(tmp_path / "own"))
    assert cache_directory() == tmp_path / "own"
