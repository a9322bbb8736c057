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
        texts: the text of each group up to its last guard; empty for ``END``.

    """

    group: npt.NDArray[np.int32]
    guarded: Ids
    texts: tuple[bytes, ...]

    @classmethod
    def of(cls, vocab: Vocab, guards: bytes | None) -> Groups:
        """Go through the vocabulary; tens of milliseconds for 128,000 tokens, kept by ``groups_of``."""
        known: dict[bytes, int] = {}
        texts = [b""]
        group = np.full(vocab.size, FREE, np.int32)
        for token, text in enumerate(vocab.tokens):
            if not text:
                continue
            last = len(text) if guards is None else 1 + max(text.rfind(guard) for guard in _single(guards))
            if last:
                cut = text[:last]
                number = known.setdefault(cut, len(texts))
                if number == len(texts):
                    texts.append(cut)
                group[token] = number
        group[list(vocab.eos_ids)] = END
        return cls(group, np.flatnonzero(group != FREE), tuple(texts))


def _single(guards: bytes) -> list[bytes]:
    return [guards[i : i + 1] for i in range(len(guards))] or [b"\0 no byte"]


_known: WeakKeyDictionary[Any, dict[bytes | None, Groups]] = WeakKeyDictionary()


def groups_of(vocab: Vocab, guards: bytes | None) -> Groups:
    """The groups of a vocabulary under some guards, made once."""
    by_guards = _known.setdefault(vocab, {})
    key = guards if guards is None else bytes(sorted(set(guards)))
    if key not in by_guards:
        by_guards[key] = Groups.of(vocab, key)
    return by_guards[key]
