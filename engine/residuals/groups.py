"""Tokens grouped by the text that they complete: one verdict a group instead of one a token.

A residual names the bytes at which its verdict can change.  Tokens without such a byte are free.  The others are cut behind their
last guard, and equal cuts are one group: after ``"red`` the tokens ``",``, ``"]`` and ``"`` all complete the same value, so with
few groups the residual's own mass is exact at the price of a few calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from .protocol import Guards

if TYPE_CHECKING:
    from ..contract import Vocab
    from ..law import Ids

FREE = -1
END = 0
"""The group of all end-of-sequence tokens; the others follow."""


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of one vocabulary under one set of guards.

    Attributes:
        group: int32[V], the group of every token; ``FREE`` where the verdict cannot change, and for tokens without a text.
        guarded: int64[n], the tokens that are not free, ascending.
        texts: the text of each group up to its last guard, ascending; empty for ``END``.
        number: the group of a text.
        ends: int64[len(texts)], behind the last group whose text begins with that of a group.

    """

    group: npt.NDArray[np.int32]
    guarded: Ids
    texts: tuple[bytes, ...]
    number: dict[bytes, int]
    ends: Ids

    @classmethod
    def of(cls, vocab: Vocab, guards: Guards | None) -> Groups:
        """Go through the vocabulary; tens of milliseconds for 128,000 tokens, kept by ``groups_of``."""
        cuts: dict[int, bytes] = {}
        for token, text in enumerate(vocab.tokens):
            last = len(text or b"") if guards is None else guards.cut(text or b"")
            if text and last:
                cuts[token] = text[:last]
        texts = sorted({*cuts.values()})
        number = {text: END + 1 + i for i, text in enumerate(texts)}
        group = np.full(vocab.size, FREE, np.int32)
        for token, text in cuts.items():
            group[token] = number[text]
        group[list(vocab.eos_ids)] = END
        return cls(group, np.flatnonzero(group != FREE), (b"", *texts), number, _ends(texts))


def _ends(texts: list[bytes]) -> Ids:
    """See ``Groups.ends``; a text is followed at once by those that begin with it."""
    ends = np.full(len(texts) + 1, END + 1, np.int64)
    open_at: list[int] = []
    for at, text in enumerate([*texts, None]):
        while open_at and (text is None or not text.startswith(texts[open_at[-1]])):
            ends[END + 1 + open_at.pop()] = END + 1 + at
        open_at.append(at)
    return ends


_known: WeakKeyDictionary[Any, dict[Guards | None, Groups]] = WeakKeyDictionary()


def groups_of(vocab: Vocab, guards: bytes | Guards | None) -> Groups:
    """The groups of a vocabulary under some guards, made once."""
    by_guards = _known.setdefault(vocab, {})
    key = None
    if guards is not None:
        first, behind = Guards.of(guards)
        key = Guards(bytes(sorted({*first})), bytes(sorted({*behind} - {*first})))
    if key not in by_guards:
        by_guards[key] = Groups.of(vocab, key)
    return by_guards[key]
