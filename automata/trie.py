"""The trie of a vocabulary's token texts, as flat arrays in preorder.

Layout
------
One node per distinct prefix of a token's bytes; node 0 is the root, the empty prefix.  Nodes are
numbered in *preorder*, children in the order of their bytes, and each array holds one field of all
nodes.  A node's subtree is then the range ``node .. end[node]``, which gives three things:

* a walk that visits everything is ``i += 1``, and pruning a subtree is ``i = end[i]``: no stack of
  pending children, no pointer to chase, and memory is read front to back;
* the first child of ``i`` is ``i + 1`` if that is below ``end[i]``, and the sibling after a child
  ``c`` is ``end[c]`` if that is below ``end[i]``, so neither link is stored;
* the tokens below a prefix are one slice of ``token``.

A walker undoes its steps by depth: at node ``i`` it drops everything deeper than ``depth[i] - 1``
and reads ``byte[i]``.

What it costs
-------------
Four arrays of ``int64`` per node and one per token id: ``32 * n + 8 * V`` bytes.  Llama 3.1's
vocabulary (128,000 texts) has 274,520 nodes: 9.8 MB.  Narrower fields would halve what a walk reads,
but kernels would then mix widths, which costs conversions where they run compiled and overflows
where they run as plain Python; the file on disk is narrow.

Several ids may spell the same bytes.  The node holds the lowest, ``next_same`` chains the others in
rising order, so that a walk meets each text once and a mask still gets every id.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

Int64Array: TypeAlias = npt.NDArray[np.int64]

NO_TOKEN = -1
"""No token: of a node, that no text ends here; of ``next_same``, that the chain ends."""

ROOT = 0
"""The node of the empty prefix."""

ROOT_BYTE = -1
"""What ``byte`` holds at the root, which no byte leads to."""

_FILE_VERSION = 1
# Below this many bytes of text a trie is built faster than a file is opened and checked.
_CACHE_FROM_BYTES = 1 << 16


class TokenTrie(NamedTuple):
    """All token texts of a vocabulary as a preorder trie (see the module's text).

    Attributes:
        byte: int64[n], the byte that leads from the parent to the node; ``ROOT_BYTE`` at the root.
        end: int64[n], the index after the node's subtree; ``i + 1`` at a leaf.
        token: int64[n], the lowest token id whose bytes end at the node, or ``NO_TOKEN``.
        next_same: int64[V], per token id the next higher id with the same bytes, or ``NO_TOKEN``.
        depth: int64[n], the length of the node's prefix in bytes; 0 at the root.

    """

    byte: Int64Array
    end: Int64Array
    token: Int64Array
    next_same: Int64Array
    depth: Int64Array


def build_trie(tokens: Sequence[bytes | None]) -> TokenTrie:
    """Build the trie of ``tokens``; ``None`` and empty texts have no node.

    Costs a sort of the texts and two passes over their bytes: 0.2 s for 128,000 tokens.
    """
    texts: list[tuple[bytes, int]] = sorted((text, i) for i, text in enumerate(tokens) if text)
    blob = np.frombuffer(b"".join(text for text, _ in texts), dtype=np.uint8)
    ids = np.fromiter((i for _, i in texts), dtype=np.int64, count=len(texts))
    start = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(np.fromiter((len(text) for text, _ in texts), dtype=np.int64, count=len(texts)), out=start[1:])
    shared = np.zeros(len(texts), dtype=np.int64)
    _shared_prefixes(blob, start, shared)

    n = 1 + int(start[-1] - shared.sum())
    longest = int(np.diff(start).max(initial=0))
    trie = TokenTrie(
        byte=np.full(n, ROOT_BYTE, dtype=np.int64),
        end=np.zeros(n, dtype=np.int64),
        token=np.full(n, NO_TOKEN, dtype=np.int64),
        next_same=np.full(len(tokens), NO_TOKEN, dtype=np.int64),
        depth=np.zeros(n, dtype=np.int64),
    )
    _fill(blob, start, ids, shared, np.zeros(longest + 1, dtype=np.int64), trie)
    return trie


def cached_trie(tokens: Sequence[bytes | None], digest: str, directory: Path | None = None) -> TokenTrie:
    """Return the trie of ``tokens``, from the cache on disk where it is there, else built and put there.

    ``digest`` names the content of ``tokens``.  ``directory`` is where the file lies, by default
    ``cache_directory()``.  A cache that cannot be read or written is no error: the trie is built.
    """
    if sum(len(text) for text in tokens if text) < _CACHE_FROM_BYTES:
        return build_trie(tokens)
    path = (cache_directory() if directory is None else directory) / f"trie-{_FILE_VERSION}-{digest}.npz"
    trie = _load(path, len(tokens))
    if trie is None:
        trie = build_trie(tokens)
        _save(path, trie)
    return trie


def cache_directory() -> Path:
    """Return the folder of Syntagma's files that may be deleted at any time.

    ``SYNTAGMA_CACHE_DIR`` if set, else ``syntagma`` in ``XDG_CACHE_HOME``, else in ``~/.cache``, else (without a
    home) in the folder for temporary files.  The folder need not exist.
    """
    own = os.environ.get("SYNTAGMA_CACHE_DIR")
    if own:
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    if shared:
        return Path(shared) / "syntagma"
    try:
        return Path.home() / ".cache" / "syntagma"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / "syntagma"


def _load(path: Path, size: int) -> TokenTrie | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            trie = TokenTrie(*(file[name].astype(np.int64) for name in TokenTrie._fields))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    n = len(trie.byte)
    per_node = (trie.byte, trie.end, trie.token, trie.depth)
    whole = n > 0 and all(a.shape == (n,) for a in per_node) and trie.next_same.shape == (size,) and trie.end[0] == n
    return trie if whole else None


def _save(path: Path, trie: TokenTrie) -> None:
    # A reader sees the old file, the new file or none: the bytes go to a name of their own first.
    # Where another process holds the target open and the system refuses to replace it, ours is dropped.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                byte, end, token, next_same, depth = (field.astype(np.int32) for field in trie)
                np.savez(file, byte=byte, end=end, token=token, next_same=next_same, depth=depth)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)


@njit(cache=True, nogil=True)
def _shared_prefixes(blob: npt.NDArray[np.uint8], start: Int64Array, shared: Int64Array) -> None:
    """shared[i] = how many leading bytes text i has in common with text i - 1; 0 for the first."""
    for i in range(1, len(shared)):
        a = start[i - 1]
        b = start[i]
        limit = min(b - a, start[i + 1] - b)
        k = 0
        while k < limit and blob[a + k] == blob[b + k]:
            k += 1
        shared[i] = k


@njit(cache=True, nogil=True)
def _fill(
    blob: npt.NDArray[np.uint8],
    start: Int64Array,
    ids: Int64Array,
    shared: Int64Array,
    path: Int64Array,
    trie: TokenTrie,
) -> None:
    """Append the nodes of each text below what it shares with the text before it.

    ``path[d]`` is the node at depth d on the way to the text last added.  Texts are sorted by
    bytes and then by id, so nodes come out in preorder and equal texts stand together.
    """
    n = 1
    top = 0
    last = NO_TOKEN
    for i in range(len(ids)):
        first = start[i]
        length = start[i + 1] - first
        for d in range(shared[i] + 1, top + 1):
            trie.end[path[d]] = n
        for d in range(shared[i], length):
            trie.byte[n] = blob[first + d]
            trie.depth[n] = d + 1
            path[d + 1] = n
            n += 1
        top = length
        node = path[length]
        if trie.token[node] == NO_TOKEN:
            trie.token[node] = ids[i]
        else:
            trie.next_same[last] = ids[i]
        last = ids[i]
    for d in range(top + 1):
        trie.end[path[d]] = n
