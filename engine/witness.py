"""Witnesses of infilling: fills that a constraint and a check accept, without a model, and how they are spelled in tokens."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ..automata.bridge import Bridge, Judge
from ..grammar.errors import InvalidSource, Unsatisfiable
from .residuals.protocol import Complaint, complaint

if TYPE_CHECKING:
    from ..automata.constraint import Constraint
    from ..automata.vocabulary import Vocabulary
    from .residuals.protocol import Residual

_SPELLINGS: WeakKeyDictionary[Vocabulary, dict[bytes, int]] = WeakKeyDictionary()


class WholeTexts:
    """What a check says of whole texts.

    Attributes:
        n_judged: texts that it has judged.
        complaint: what it said of the last one that it refused.

    """

    def __init__(self, check: Residual | None) -> None:
        """Begin; without a check every text passes."""
        self.check = check
        self.n_judged = 0
        self.complaint: Complaint | None = None
        self._blamed = -1

    def judge(self, texts: Sequence[bytes], before: bytes, gap: int = 0) -> Judge | None:
        """The check as a judge of fills for the gaps before some texts, from one on, which begins behind ``before``; None where there is no check.

        To blame is the last gap that begins before the place that a complaint names, or at it.
        """
        check = self.check
        if check is None:
            return None

        known: dict[tuple[bytes, ...], int] = {}  # what is refused may be proposed again, by another way

        def blamed(fills: Sequence[bytes]) -> int | None:
            if tuple(fills) in known:
                return known[tuple(fills)]
            pieces = [piece for pair in zip(fills, texts[gap:], strict=True) for piece in pair]
            self.n_judged += 1
            found = complaint(check, before + b"".join(pieces))
            if found is None:
                return None
            self.complaint = found
            begins = list(accumulate((len(piece) for piece in pieces), initial=len(before)))[:-1:2]
            n = 0 if found.at is None else bisect_right(begins, found.at)
            self._blamed = known[tuple(fills)] = gap + n - 1 if n else -1
            return self._blamed

        return blamed

    def unsatisfiable(self, hole: int, before: str) -> Unsatisfiable:
        """The error for a hole (from 1) and those behind it, where nothing was found for them."""
        where = f"hole {hole}, after {before[-40:]!r}"
        if self.complaint is None:
            return Unsatisfiable(
                f"nothing was found that can stand in hole {hole}, given the text on both sides of it",
                where=where,
                hint="check the fixed text for mistakes; the holes are all that may change",
            )
        if self._blamed >= hole:
            hole = self._blamed + 1
            where = f"hole {hole}"
        return Unsatisfiable(
            f"nothing was found that can stand in hole {hole} and passes the check, which says of the last text tried: {self.complaint.message}",
            where=where,
            hint="check the fixed text for what is refused whatever stands in the holes; without a check the grammar alone decides",
        )


def shortest_fills(texts: Sequence[str], constraint: Constraint, *, check: Residual | None = None) -> tuple[str, ...]:
    """Texts for the holes between fixed texts, as short as the search finds them: what ``infill`` begins with, without a model.

    Args:
        texts: the fixed texts, one more than there are holes.
        constraint: what the whole text must be; of a grammar with a lexer (``sg.Lark``).
        check: what the whole text has to pass besides.

    Raises:
        InvalidSource: fewer than two texts.
        Unsatisfiable: nothing was found.

    """
    if len(texts) < 2:
        raise InvalidSource("there is no hole: give the text on both sides of each", where="texts")
    data = [text.encode() for text in texts]
    whole = WholeTexts(check)
    with constraint.session() as session:
        bridge = Bridge(constraint, data[1:])
        fills = bridge.fills(session.advance_bytes(session.start, data[0]), whole.judge(bridge.texts, data[0]))
    if fills is None:
        raise whole.unsatisfiable(1, texts[0])
    return tuple(fill.decode() for fill in fills)


def spell(vocab: Vocabulary, text: bytes) -> list[int]:
    """A shortest sequence of tokens that spells a text.

    Raises:
        Unsatisfiable: the vocabulary has no tokens for a byte of it.

    """
    known = _spellings(vocab)
    longest = max(map(len, known))
    best: list[tuple[int, int, int]] = [(0, -1, -1)] + [(1 << 30, -1, -1)] * len(
        text
    )  # tokens, the last one, where it begins
    for end in range(1, len(text) + 1):
        for begin in range(max(0, end - longest), end):
            token = known.get(text[begin:end], -1)
            if token >= 0 and best[begin][0] + 1 < best[end][0]:
                best[end] = (best[begin][0] + 1, token, begin)
    if best[-1][0] >= 1 << 30:
        raise Unsatisfiable(f"no tokens of the vocabulary spell {text!r}")
    found: list[int] = []
    at = len(text)
    while at:
        _, token, at = best[at]
        found.append(token)
    return found[::-1]


def _spellings(vocab: Vocabulary) -> dict[bytes, int]:
    """The first token of every spelling."""
    found = _SPELLINGS.get(vocab)
    if found is None:
        found = {}
        for token, data in enumerate(vocab.tokens):
            if data:
                found.setdefault(bytes(data), token)
        _SPELLINGS[vocab] = found
    return found
