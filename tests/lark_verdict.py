"""What Lark says of a text, and the vocabulary in which its grammars are compiled for that."""

from __future__ import annotations

import lark

import syntagma as sg


def lark_accepts(built: lark.Lark, text: str) -> bool:
    """Whether Lark parses a text; whatever it raises is a rejection (its indenter even has index errors)."""
    try:
        built.parse(text)
    except Exception:  # noqa: BLE001
        return False
    return True


def earley_accepts(built: lark.Lark, text: str) -> bool:
    """Whether Lark's Earley parser takes a text; an error of its own is none of the text's."""
    try:
        built.parse(text)
    except lark.exceptions.LarkError:
        return False
    except RuntimeError as error:  # it has found the text in the language in more ways than it can put into one tree
        if "multiple start symbol items" not in str(error):
            raise
    return True


def vocabulary_with(texts: list[str]) -> sg.Vocabulary:
    """All single bytes, some longer tokens, and the end."""
    tokens: list[bytes | None] = [bytes([b]) for b in range(256)]
    tokens += [x.encode() for x in texts]
    return sg.Vocabulary([*tokens, None], eos_ids=[len(tokens)])
