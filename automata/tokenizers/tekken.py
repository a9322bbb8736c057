"""``tekken.json``, Mistral's own format: base64 bytes in rank order, special tokens numbered in front of them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...grammar.errors import TokenizerError
from .source import Source

if TYPE_CHECKING:
    from tiktoken import Encoding

# Files older than the key "special_tokens" leave their names to the reader; these two are the ones that matter.
_DEFAULT_ENDS = {"</s>": 2}
_DEFAULT_PADS = {"<pad>": 11}


def parse(path: Path) -> Any:  # noqa: ANN401 - a JSON document
    """Return the JSON document in ``path``.

    Raises:
        TokenizerError: it cannot be read.

    """
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise TokenizerError(f"the file is no JSON: {error}", where=str(path)) from error


def read_document(document: Any, path: Path) -> Source:  # noqa: ANN401 - a JSON document
    """Read a parsed ``tekken.json``.

    The file may hold more texts than the vocabulary has: the first ``default_vocab_size`` less
    ``default_num_special_tokens`` count.

    Raises:
        TokenizerError: a key is missing or has the wrong kind of value.

    """
    where = str(path)
    try:
        config = document["config"]
        special = int(config["default_num_special_tokens"])
        count = int(config["default_vocab_size"]) - special
        entries = document["vocab"][:count]
        texts = [base64.b64decode(entry["token_bytes"], validate=True) for entry in entries]
        ranks = [int(entry["rank"]) for entry in entries]
        pattern = str(config["pattern"])
        named = {str(t["token_str"]): int(t["rank"]) for t in document.get("special_tokens") or ()}
    except (AttributeError, KeyError, TypeError, ValueError, binascii.Error) as error:
        raise TokenizerError(
            f"neither a tokenizer.json nor a tekken.json: {type(error).__name__} {error}", where=where
        ) from error
    if len(texts) != count or ranks != list(range(count)):
        raise TokenizerError(f"the ranks of a tekken.json are 0 to {count - 1} in order", where=where)
    return Source(
        name="the tekken tokenizer",
        tokens=[None] * special + list(texts),
        eos_ids=_named("</s>", named or _DEFAULT_ENDS, special),
        pad_ids=_named("<pad>", named or _DEFAULT_PADS, special),
        special={name: i for name, i in (named or {**_DEFAULT_ENDS, **_DEFAULT_PADS}).items() if 0 <= i < special},
        encode=_encoder(pattern, texts, special),
        tokenizer=where,
    )


def _named(name: str, ids: dict[str, int], special: int) -> tuple[int, ...]:
    found = ids.get(name)
    return () if found is None or found >= special else (found,)


def _encoder(pattern: str, texts: list[bytes], special: int) -> Callable[[str], list[int]] | None:
    try:
        import tiktoken
    except ImportError:
        return None
    ranks = {text: i for i, text in enumerate(texts)}
    encoding = tiktoken.Encoding("tekken", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return partial(_encode, encoding, special)


def _encode(encoding: Encoding, special: int, text: str) -> list[int]:
    return [special + i for i in encoding.encode_ordinary(text)]
