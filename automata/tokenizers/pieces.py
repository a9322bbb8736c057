"""The two ways in which tokenizer files write bytes as text.

*Byte-level* files (the GPT-2 family) write every byte as one character: the 188 printable ones of Latin-1 as
themselves, the other 68, in rising order, as the characters from U+0100 on.

*SentencePiece* files write text as itself, a space as U+2581, and a byte that is not whole text as ``<0xNN>``.
"""

from __future__ import annotations

import re

SPACE_MARK = "\u2581"
"""How SentencePiece writes a space."""

_PRINTABLE = (range(0x21, 0x7F), range(0xA1, 0xAD), range(0xAE, 0x100))
_BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def _byte_of_character() -> dict[str, int]:
    table = {chr(b): b for part in _PRINTABLE for b in part}
    others = (b for b in range(256) if chr(b) not in table)
    table.update({chr(0x100 + i): b for i, b in enumerate(list(others))})
    return table


BYTE_OF_CHARACTER = _byte_of_character()
"""The byte that each character of a byte-level file stands for; 256 entries."""


def byte_level(piece: str) -> bytes:
    """Return the bytes of a byte-level piece; one with a foreign character is literal text, as decoders have it."""
    try:
        return bytes([BYTE_OF_CHARACTER[c] for c in piece])
    except KeyError:
        return piece.encode()


def byte_fallback(piece: str) -> bytes | None:
    """Return the one byte that ``<0xNN>`` stands for, or ``None`` for any other piece."""
    match = _BYTE_PIECE.fullmatch(piece)
    return None if match is None else bytes([int(match[1], 16)])


def sentencepiece_text(piece: str) -> bytes:
    """Return the bytes of a SentencePiece piece that is text."""
    return piece.replace(SPACE_MARK, " ").encode()
