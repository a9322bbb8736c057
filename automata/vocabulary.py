"""The vocabulary: the exact bytes of every token, and which tokens end or pad a text.

A constraint is a language over bytes and a model emits token ids; this is the one table between
them.  A token's entry is the bytes that it adds to the text, or ``None`` for a token that never is
text: a special token, a hole in the numbering, a row that exists only because the model's output
layer was rounded up.  Such a token can never be matched by its spelling.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..grammar.errors import InvalidSource, TokenizerError
from .trie import TokenTrie, build_trie, cached_trie

if TYPE_CHECKING:
    from .store import Store, Stores
    from .tokenizers.source import Source

MASK_WORD_BITS = 32
"""Bits in one word of a mask row; token t is bit ``t & 31`` of word ``t >> 5``."""

DEFAULT_STORE_CAP = 2 << 30
"""Bytes of shared tables, some thousand real schemas over 128,000 tokens, before new constraints begin new ones."""

_DIGEST_TAG = b"syntagma vocabulary 1\0"


class Vocabulary:
    """The tokens of one model.  Immutable; one object serves every constraint and every thread.

    Attributes:
        tokens: tuple of ``size`` entries, the bytes that each id adds to the text, or ``None`` for an id that is
            never text.  An id that ends or pads a text is never text, whatever bytes were given for it.
        size: the width of a mask row in tokens.
        words: the width of a mask row in 32-bit words, ``ceil(size / 32)``.
        eos_ids: the ids that end a text, in the order given, at least one.
        pad_ids: the ids that may follow the end, in the order given; an id that also ends a text is listed
            in ``eos_ids`` only.
        special: the names of tokens that are never text, each with its id: what token terminals call them.
        missing_bytes: the byte values that no token spells alone.
        digest: hex SHA-256 of tokens, end and padding ids: equal digests have equal masks.
        tokenizer: the tokenizer that the tokens came from, or ``None``.
        store_cap: bytes of shared tables after which new constraints begin new ones.

    """

    __slots__ = (
        "__weakref__",
        "_lock",
        "_source",
        "_stores",
        "_trie",
        "digest",
        "eos_ids",
        "missing_bytes",
        "pad_ids",
        "size",
        "special",
        "store_cap",
        "tokenizer",
        "tokens",
        "words",
    )

    tokens: tuple[bytes | None, ...]
    size: int
    words: int
    eos_ids: tuple[int, ...]
    pad_ids: tuple[int, ...]
    special: dict[str, int]
    missing_bytes: frozenset[int]
    digest: str
    tokenizer: object | None

    def __init__(
        self,
        tokens: Iterable[bytes | bytearray | memoryview | None],
        eos_ids: Iterable[int],
        pad_ids: Iterable[int] = (),
        *,
        special: Mapping[str, int] | None = None,
        store_cap: int = DEFAULT_STORE_CAP,
    ) -> None:
        """Build a vocabulary from the bytes of every id.

        Args:
            tokens: ``tokens[i]`` is what id i adds to the text, or ``None`` (or nothing at all, ``b""``) for an id
                that is never text.
            eos_ids: the ids that end a text; at least one.
            pad_ids: the ids that may follow the end.
            special: the names of tokens that are never text, whatever bytes were given for them, each with its id, such as
                ``{"<think>": 151667}``.
            store_cap: bytes of shared rules, effects and rows after which new constraints begin a new store; the old one
                is freed with its last constraint.

        Raises:
            InvalidSource: a token is not bytes, an id is not an integer or out of range, a name is not a string, there is no id
                that ends a text, or no token has any text.

        """
        texts = [_text(i, token) for i, token in enumerate(tokens)]
        self.size = len(texts)
        self.words = -(-self.size // MASK_WORD_BITS)
        self.eos_ids = _ids("eos_ids", eos_ids, self.size)
        if not self.eos_ids:
            raise InvalidSource(
                "a vocabulary needs at least one end-of-sequence id",
                where="eos_ids",
                hint="pass the ids with which the model ends its answer, as in its generation configuration",
            )
        self.pad_ids = tuple(i for i in _ids("pad_ids", pad_ids, self.size) if i not in self.eos_ids)
        self.special = _named(special or {}, self.size)
        for i in (*self.eos_ids, *self.pad_ids, *self.special.values()):
            texts[i] = None
        self.tokens = tuple(texts)
        if not any(self.tokens):
            raise InvalidSource("no token of the vocabulary has any text", where="tokens")
        spelled = {text[0] for text in self.tokens if text is not None and len(text) == 1}
        self.missing_bytes = frozenset(range(256)) - spelled
        self.digest = _digest(self.tokens, self.eos_ids, self.pad_ids)
        self.tokenizer = None
        self._source: Source | None = None
        self.store_cap = store_cap
        self._forget()

    def _forget(self) -> None:
        self._lock = threading.RLock()  # reentrant: the store reads the trie
        self._trie: TokenTrie | None = None
        self._stores: Stores | None = None

    @classmethod
    def from_tokenizer(
        cls,
        tokenizer: object,
        *,
        width: int | None = None,
        eos_ids: Iterable[int] | None = None,
        pad_ids: Iterable[int] | None = None,
    ) -> Vocabulary:
        """Read the exact bytes of every token out of a tokenizer, and check them by a round trip.

        Args:
            tokenizer: a tokenizer of transformers (fast or slow), a ``tokenizers.Tokenizer``, a ``tiktoken.Encoding``,
                a tokenizer of mistral-common, a ``SentencePieceProcessor``, or the path of a ``tokenizer.json``, a
                ``tekken.json``, a SentencePiece ``.model``, a ``.gguf`` file, or a folder that holds one of them.
            width: the width of the model's logits, by default one more than the highest id.  Ids beyond the tokenizer
                are never allowed; ids beyond ``width`` cannot be emitted and are left out.
            eos_ids: the ids that end a text, by default what the tokenizer says.
            pad_ids: the ids that may follow the end, by default what the tokenizer says.

        Raises:
            TokenizerError: not a tokenizer, tokens without exact bytes (WordPiece), a round trip that does not give
                the text back, or a tokenizer that does not say what ends a text.
            InvalidSource: ``width``, ``eos_ids`` or ``pad_ids`` is wrong.

        Warns:
            TokenizerWarning: the tokenizer changes its input (a normaliser), so its tokens are exact and its
                ``encode`` is not.

        """
        from .tokenizers import load  # noqa: PLC0415 - a vocabulary made from bytes needs none of it

        source = load(tokenizer)
        texts, ends, pads = source.fit(
            width, None if eos_ids is None else tuple(eos_ids), None if pad_ids is None else tuple(pad_ids)
        )
        special = {name: i for name, i in source.special.items() if i < len(texts)}
        vocabulary = cls(texts, eos_ids=ends, pad_ids=pads, special=special)
        vocabulary.tokenizer = source.tokenizer
        vocabulary._source = source
        return vocabulary

    @property
    def trie(self) -> TokenTrie:
        """The trie of all token texts, built at the first use and cached on disk."""
        with self._lock:
            if self._trie is None:
                self._trie = cached_trie(self.tokens, self.digest)
            return self._trie

    def build_trie(self) -> None:
        """Build the trie without a file on disk."""
        with self._lock:
            self._trie = build_trie(self.tokens)

    @property
    def store(self) -> Store:
        """The newest tables that constraints of this vocabulary share, made at the first use.

        Its batch calls take states of any living constraint of the vocabulary.
        """
        return self.stores.newest

    @property
    def stores(self) -> Stores:
        """All stores of this vocabulary."""
        from .store import Stores  # noqa: PLC0415 - the store imports this module

        with self._lock:
            if self._stores is None:
                self._stores = Stores(self, self.store_cap)
            return self._stores

    def encode(self, text: str) -> list[int]:
        """Return the tokenizer's own ids for ``text`` as it stands in the middle of a longer text.

        No special tokens are added, and no space in front where the tokenizer puts one at the start of a text.

        Raises:
            TokenizerError: the vocabulary has no tokenizer that can encode.

        """
        if self._source is None:
            raise TokenizerError(
                "this vocabulary was made from bytes and cannot encode text",
                hint="make it with Vocabulary.from_tokenizer",
            )
        return self._source.encode_continuation(text)

    def __len__(self) -> int:
        """Return ``size``."""
        return self.size

    def __repr__(self) -> str:
        """Name the size, the end ids and the start of the digest."""
        return f"Vocabulary(size={self.size}, eos_ids={list(self.eos_ids)}, digest={self.digest[:12]!r})"

    def __getstate__(self) -> dict[str, Any]:
        """Pickle what cannot be rebuilt: the trie and the store belong to a process."""
        skipped = ("__weakref__", "_lock", "_stores", "_trie")
        return {name: getattr(self, name) for name in self.__slots__ if name not in skipped}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the pickled attributes and start without trie and store."""
        for name, value in state.items():
            setattr(self, name, value)
        self._forget()


def _text(i: int, token: object) -> bytes | None:
    if isinstance(token, bytes):
        return token or None
    if token is None:
        return None
    if isinstance(token, (bytearray, memoryview)):
        return bytes(token) or None
    raise InvalidSource(
        f"a token is bytes or None, not {type(token).__name__}",
        where=f"tokens[{i}]",
        hint="a str has no exact bytes; Vocabulary.from_tokenizer reads them out of a tokenizer",
    )


def _ids(name: str, ids: Iterable[int], size: int) -> tuple[int, ...]:
    if isinstance(ids, int) or not isinstance(ids, Iterable):
        raise InvalidSource(f"{name} is a list of ids, not {ids!r}", where=name, hint=f"write {name}=[{ids!r}]")
    found: dict[int, None] = {}
    for i in ids:
        if isinstance(i, bool) or not isinstance(i, (int, np.integer)):
            raise InvalidSource(f"an id is an integer, not {i!r}", where=name)
        if not 0 <= i < size:
            raise InvalidSource(
                f"id {i} is outside the vocabulary of {size} tokens", where=name, hint="give the width of the logits"
            )
        found[int(i)] = None
    return tuple(found)


def _named(special: Mapping[str, int], size: int) -> dict[str, int]:
    if not isinstance(special, Mapping) or not all(isinstance(name, str) and name for name in special):
        raise InvalidSource("special maps names to ids", where="special", hint='write special={"<think>": 7}')
    return dict(zip(special, (_ids("special", [i], size)[0] for i in special.values()), strict=True))


def _digest(tokens: Sequence[bytes | None], eos_ids: Sequence[int], pad_ids: Sequence[int]) -> str:
    lengths = np.fromiter((-1 if t is None else len(t) for t in tokens), dtype="<i8", count=len(tokens))
    digest = hashlib.sha256(_DIGEST_TAG)
    # Each part is preceded by its length, so that no two vocabularies give the same stream.
    for part in (lengths, np.array(sorted(eos_ids), dtype="<i8"), np.array(sorted(pad_ids), dtype="<i8")):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part.tobytes())
    digest.update(b"".join(t for t in tokens if t is not None))
    return digest.hexdigest()
