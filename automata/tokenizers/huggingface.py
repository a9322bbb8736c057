"""``tokenizers.Tokenizer`` and ``tokenizer.json``.

The bytes of an id are what the file's *decoder* makes of its piece in the middle of a text.  A decoder is a
list of steps; the ones below work piece by piece and lose nothing, so each has a counterpart here.  The others
(WordPiece, the ``</w>`` of older BPE, CTC) make a piece's text depend on its neighbours, and are refused.

Added tokens are not cut by the model: those marked special are never text, the others are literal text, except
that a decoder that replaces U+2581 by a space does so in them too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ...grammar.errors import TokenizerError
from . import pieces
from .source import Source, well_known_ends

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_Piece: TypeAlias = "str | bytes"
_Step: TypeAlias = Callable[[_Piece], _Piece]

# Steps whose effect on a piece depends on its neighbours, or that undo nothing: why they have no exact bytes.
_REFUSED = {
    "WordPiece": "WordPiece keeps no white space: where a piece starts a word the decoder invents the space",
    "BPEDecoder": "the end-of-word suffix becomes a space or nothing depending on the piece that follows",
    "CTC": "CTC merges repeated pieces",
}

_GENERATION = "generation_config.json"
_CONFIG = "tokenizer_config.json"


def read(tokenizer: Tokenizer) -> Source:
    """Read a ``tokenizers.Tokenizer``; which token ends a text is guessed from well-known names."""
    return source_of(tokenizer, given=tokenizer)


def read_file(path: Path) -> Source:
    """Read a ``tokenizer.json``; the configuration files beside it say what ends a text, if they are there."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise TokenizerError(
            "reading a tokenizer.json needs the package tokenizers", where=str(path), hint="pip install tokenizers"
        ) from error
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise TokenizerError(f"not a tokenizer.json that tokenizers can load: {error}", where=str(path)) from error
    ends, pads = _ids_beside(path, tokenizer)
    return source_of(tokenizer, given=str(path), eos_ids=ends, pad_ids=pads)


def source_of(
    tokenizer: Tokenizer,
    *,
    given: object,
    encode: Callable[[str], list[int]] | None = None,
    eos_ids: tuple[int, ...] = (),
    pad_ids: tuple[int, ...] = (),
    never_text: Iterable[int] = (),
    name: str | None = None,
) -> Source:
    """Read the pieces of ``tokenizer``.

    Args:
        tokenizer: the tokenizer.
        given: what the caller passed, to be kept.
        encode: how to encode, by default the tokenizer's own way.
        eos_ids: the ids that end a text; without any, well-known names decide.
        pad_ids: the ids that fill up after the end.
        never_text: ids that are special although the tokenizer does not mark them so.
        name: what it is, for messages.

    Raises:
        TokenizerError: the decoder has a step that loses bytes.

    """
    model = type(tokenizer.model).__name__
    name = name or f"the {model} tokenizer"
    steps = _steps(tokenizer, model, name)
    added = tokenizer.get_added_tokens_decoder()
    size = 1 + max([*tokenizer.get_vocab(with_added_tokens=True).values(), *added], default=-1)
    unknown = getattr(tokenizer.model, "unk_token", "<unk>")
    tokens: list[bytes | None] = [None] * size
    for i in range(size):
        piece = tokenizer.id_to_token(i)
        if piece is not None and piece != unknown and i not in added:
            tokens[i] = _apply(steps, piece)
    literal = [step for kind, step in steps if kind == "replace"]
    for i, token in added.items():
        tokens[i] = None if token.special else _apply([("replace", step) for step in literal], token.content)
    for i in never_text:
        tokens[i] = None
    names = {i: tokenizer.id_to_token(i) for i, text in enumerate(tokens) if text is None}
    if not eos_ids:
        eos_ids = well_known_ends((token.content, i) for i, token in added.items() if token.special)
    normaliser = tokenizer.normalizer
    return Source(
        name=name,
        tokens=tokens,
        eos_ids=eos_ids,
        pad_ids=pad_ids,
        special={name: i for i, name in names.items() if name},
        encode=encode or partial(_encode, _plain(tokenizer)),
        normalise=_normalise(normaliser),
        normaliser="" if normaliser is None else ", ".join(_names(_state(normaliser, "normaliser", name))),
        tokenizer=given,
    )


def _encode(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def _plain(tokenizer: Tokenizer) -> Tokenizer:
    """Return ``tokenizer``, or a copy of one that cuts off or fills up what it encodes."""
    if tokenizer.truncation is None and tokenizer.padding is None:
        return tokenizer
    copy = type(tokenizer).from_str(tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy


def _normalise(normaliser: Any) -> Callable[[str], str] | None:  # noqa: ANN401 - tokenizers has no common class for it
    # The byte-level normaliser spells bytes as characters; the decoder undoes exactly that.
    if normaliser is None or "ByteLevel" in type(normaliser).__name__:
        return None
    return partial(_normalised, normaliser)


def _normalised(normaliser: Any, text: str) -> str:  # noqa: ANN401 - as above
    return str(normaliser.normalize_str(text))


def _state(part: Any, what: str, name: str) -> dict[str, Any]:  # noqa: ANN401 - as above
    try:
        state = json.loads(part.__getstate__())
    except Exception as error:  # a part written in Python cannot be written out
        raise TokenizerError(
            f"the {what} of {name} is a program of its own; what it does to bytes is unknown"
        ) from error
    return dict(state)


def _flat(state: dict[str, Any], inner: str) -> Iterable[dict[str, Any]]:
    if state.get("type") == "Sequence":
        for part in state.get(inner, ()):
            yield from _flat(part, inner)
    else:
        yield state


def _names(state: dict[str, Any]) -> list[str]:
    return [str(part.get("type")) for part in _flat(state, "normalizers")]


def _steps(tokenizer: Tokenizer, model: str, name: str) -> list[tuple[str, _Step]]:
    if tokenizer.decoder is None:
        raise TokenizerError(
            f"{name} has no decoder, which means that pieces are joined by spaces: they have no exact bytes",
            hint=f"set the decoder that belongs to its {model} model, such as tokenizers.decoders.ByteLevel()",
        )
    suffix = getattr(tokenizer.model, "end_of_word_suffix", None)
    prefix = getattr(tokenizer.model, "continuing_subword_prefix", None)
    if model == "BPE" and (suffix or prefix):
        raise TokenizerError(f"{name} marks word pieces with {suffix or prefix!r}: {_REFUSED['BPEDecoder']}")
    return [_step(part, name) for part in _flat(_state(tokenizer.decoder, "decoder", name), "decoders")]


def _step(part: dict[str, Any], name: str) -> tuple[str, _Step]:
    kind = str(part.get("type"))
    if kind == "ByteLevel":
        return "bytes", _byte_level
    if kind == "ByteFallback":
        return "bytes", _byte_fallback
    if kind == "Fuse":
        return "none", _same
    if kind == "Metaspace":
        return "replace", partial(_replace, str(part["replacement"]), " ")
    if kind == "Replace" and "String" in part["pattern"]:
        return "replace", partial(_replace, str(part["pattern"]["String"]), str(part["content"]))
    if kind == "Strip" and part.get("content") == " " and part.get("start", 0) <= 1 and part.get("stop", 0) == 0:
        # Takes off the space that the tokenizer puts in front of a text; inside a text it does nothing.
        return "none", _same
    why = _REFUSED.get(kind, "what it does to the bytes of one piece is not known")
    raise TokenizerError(
        f"{name} decodes with {kind}, so its tokens have no exact bytes: {why}",
        hint="use a model whose tokenizer is byte-level, or SentencePiece with byte fallback",
    )


def _apply(steps: Iterable[tuple[str, _Step]], piece: str) -> bytes:
    value: _Piece = piece
    for _, step in steps:
        value = step(value)
    return value.encode() if isinstance(value, str) else value


def _same(piece: _Piece) -> _Piece:
    return piece


def _byte_level(piece: _Piece) -> _Piece:
    return pieces.byte_level(piece) if isinstance(piece, str) else piece


def _byte_fallback(piece: _Piece) -> _Piece:
    byte = pieces.byte_fallback(piece) if isinstance(piece, str) else None
    return piece if byte is None else byte


def _replace(old: str, new: str, piece: _Piece) -> _Piece:
    return piece.replace(old, new) if isinstance(piece, str) else piece


def _ids_beside(path: Path, tokenizer: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Read end and padding ids from the configuration files in the folder of ``path``; empty where none says."""
    generation = _object(path.with_name(_GENERATION))
    config = _object(path.with_name(_CONFIG))
    ends = _integers(generation.get("eos_token_id"))
    pads = _integers(generation.get("pad_token_id"))
    return ends or _id_of(tokenizer, config.get("eos_token")), pads or _id_of(tokenizer, config.get("pad_token"))


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _integers(value: object) -> tuple[int, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(i for i in values if isinstance(i, int) and not isinstance(i, bool))


def _id_of(tokenizer: Tokenizer, token: object) -> tuple[int, ...]:
    content = token.get("content") if isinstance(token, dict) else token
    found = tokenizer.token_to_id(content) if isinstance(content, str) else None
    return () if found is None else (int(found),)
