"""Texts with pieces cut out at random."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence


def cut(draw: random.Random, text: str, holes: int, lengths: Sequence[int] = (1, 3, 8, 20)) -> list[str]:
    """The text in front of, between and behind the pieces, which have some of the lengths and do not touch."""
    while True:
        cuts = []
        for _ in range(holes):
            length = draw.choice(lengths)
            begin = draw.randrange(max(1, len(text) - length))
            cuts.append((begin, min(len(text), begin + length)))
        cuts.sort()
        if all(a[1] < b[0] for a, b in itertools.pairwise(cuts)):
            break
    parts, at = [], 0
    for begin, end in cuts:
        parts.append(text[at:begin])
        at = end
    return [*parts, text[at:]]
