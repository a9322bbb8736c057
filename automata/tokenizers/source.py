"""What a reader of tokenizers returns: the exact bytes of every id, and how to encode."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...grammar.errors import InvalidSource, TokenizerError, TokenizerWarning

WELL_KNOWN_ENDS = (
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|return|>",
    "<|call|>",
    "<|end|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end_of_turn|>",
    "<end_of_turn>",
    "<turn|>",
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
    "</s>",
    "<eos>",
)
"""Names that end an answer or a text in published models, for formats that do not say what ends one."""

# Leads: a tokenizer puts its space in front of them, and they do not merge with most of what follows.
_LEADS = ("\n", ",", "0")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A tokenizer that was read.

    Attributes:
        name: what it is, for messages.
        tokens: the bytes that each id adds to the text, ``None`` for an id that is never text.
        eos_ids: the ids that end a text, as far as the tokenizer says.
        pad_ids: the ids that fill up after the end, as far as it says.
        special: the names of the ids that are never text, as far as it has names.
        encode: text to ids without special tokens, or ``None`` where the format cannot encode.
        normalise: text as the tokenizer sees it, or ``None`` where it sees text as it is.
        normaliser: what ``normalise`` is called, for messages.
        adds_space: the tokenizer puts a space in front of a text.  Set by the round trip.
        tokenizer: the object or path that the caller gave.

    """

    name: str
    tokens: Sequence[bytes | None]
    eos_ids: tuple[int, ...] = ()
    pad_ids: tuple[int, ...] = ()
    special: Mapping[str, int] = field(default_factory=dict)
    encode: Callable[[str], list[int]] | None = None
    normalise: Callable[[str], str] | None = None
    normaliser: str = ""
    adds_space: bool = False
    tokenizer: object | None = None

    def spell(self, ids: Iterable[int]) -> bytes | None:
        """Return the text of ``ids``, or ``None`` if one of them is never text."""
        parts: list[bytes] = []
        for i in ids:
            text = self.tokens[i] if 0 <= i < len(self.tokens) else None
            if text is None:
                return None
            parts.append(text)
        return b"".join(parts)

    def encode_continuation(self, text: str) -> list[int]:
        """Return the ids of ``text`` as it stands in the middle of a longer text.

        Where the tokenizer puts a space in front of a text, the text is encoded behind a short lead, whose
        tokens are then taken off.

        Raises:
            TokenizerError: the format cannot encode.

        """
        if self.encode is None:
            raise TokenizerError(
                f"{self.name} cannot encode text",
                hint="make the vocabulary from the model's own tokenizer, or install the library that runs it",
            )
        if not self.adds_space or not text:
            return self.encode(text)
        for lead in _LEADS:
            rest = self._after(self.encode(lead + text), lead.encode())
            if rest is not None:
                return rest
        ids = self.encode(text)
        return ids[1:] if ids and self.spell(ids[:1]) == b" " and not text.startswith(" ") else ids

    def _after(self, ids: list[int], lead: bytes) -> list[int] | None:
        for i in range(1, len(ids)):
            head = self.spell(ids[:i])
            if head is None or len(head) > len(lead) + 1:
                return None
            if head in (lead, b" " + lead):
                return ids[i:]
        return None

    def fit(
        self, width: int | None, eos_ids: tuple[int, ...] | None, pad_ids: tuple[int, ...] | None
    ) -> tuple[list[bytes | None], tuple[int, ...], tuple[int, ...]]:
        """Return texts, end ids and padding ids for logits of ``width`` columns; given ids replace the tokenizer's.

        Raises:
            InvalidSource: ``width`` is not a positive integer.
            TokenizerError: nothing says what ends a text.

        Warns:
            TokenizerWarning: tokens with text lie beyond ``width``.

        """
        width = len(self.tokens) if width is None else _positive(width)
        lost = sum(text is not None for text in self.tokens[width:])
        if lost:
            warnings.warn(
                f"{lost} tokens of {self.name} lie beyond the logits' width of {width}: the model can never emit them",
                TokenizerWarning,
                stacklevel=4,
            )
        texts = list(self.tokens[:width]) + [None] * (width - len(self.tokens))
        if eos_ids is None:
            eos_ids = tuple(i for i in self.eos_ids if i < width)
            if not eos_ids:
                raise TokenizerError(
                    f"{self.name} does not say which token ends a text",
                    hint="pass eos_ids=[...], the ids in the model's generation configuration",
                )
        if pad_ids is None:
            pad_ids = tuple(i for i in self.pad_ids if i < width)
        return texts, eos_ids, pad_ids


def _positive(width: object) -> int:
    if isinstance(width, bool) or not isinstance(width, (int, np.integer)) or width < 1:
        raise InvalidSource(f"the width of the logits is a positive integer, not {width!r}", where="width")
    return int(width)


def well_known_ends(special: Iterable[tuple[str, int]]) -> tuple[int, ...]:
    """Return the ids of those ``special`` tokens (name, id) that are known to end a text."""
    return tuple(sorted({i for name, i in special if name in WELL_KNOWN_ENDS}))
