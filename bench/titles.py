"""A generator of realistic entity titles: what a list of choices with a million members looks like.

Names of people, places, works, teams, species and years, as encyclopaedias have them: words are made of syllables, drawn with a long tail
as in Zipf's law, some with letters beyond ASCII, and many titles share long beginnings ("List of ...") and ends ("... (footballer, born 1987)").
Everything is drawn from the seed alone.
"""

from __future__ import annotations

import random

ONSETS = "b br c ch d dr f fr g gr h j k kl l m n p pr r s sch sh st t tr v w y z".split()
VOWELS = "a e i o u a e i o ai ea ie oo ou á é ö ü ō".split()
CODAS = ["", "", "", "n", "r", "s", "l", "t", "m", "ng", "rd", "ck", "x", "ński", "ić"]
ENDS = "ville ton burg ia stan shire ford heim ovo ano ella etti sen son berg aya".split()
TRADES = "footballer politician singer actor cricketer bishop painter film album song novel ship band river genus village".split()
KINDS = (
    "Museum River County School University Church Station Park Bridge Lake Mountain Airport Stadium Cathedral".split()
)
LISTS = "airports birds bridges episodes lakes mayors monuments people presidents rivers schools species towns".split()


class Titles:
    """Draws titles, each with equal chances for its pattern, from words that are drawn with a long tail."""

    def __init__(self, seed: int) -> None:
        """Make the words."""
        self._rng = random.Random(seed)
        self._words = [self._word() for _ in range(200_000)]

    def _word(self) -> str:
        rng = self._rng
        text = "".join(
            rng.choice(ONSETS) + rng.choice(VOWELS) + (rng.choice(CODAS) if rng.random() < 0.5 else "")
            for _ in range(rng.choice((1, 2, 2, 2, 3, 3)))
        )
        if rng.random() < 0.2:
            text += rng.choice(ENDS)
        return text.capitalize()

    def word(self) -> str:
        """A word, the n-th with a chance of about 1 / n."""
        return self._words[int(len(self._words) ** self._rng.random()) - 1]

    def title(self) -> str:  # noqa: PLR0911 - a pattern each
        """One title."""
        rng, word = self._rng, self.word
        kind = rng.randrange(20)
        if kind < 7:
            name = f"{word()} {word()}"
            if rng.random() < 0.15:
                name = f"{word()} {rng.choice('ABCDEFGHJKLMPRSTW')}. {word()}"
            if rng.random() < 0.3:
                trade = rng.choice(TRADES)
                name += f" ({trade}, born {rng.randrange(1850, 2006)})" if rng.random() < 0.5 else f" ({trade})"
            return name
        if kind < 9:
            return f"{word()}, {word()}"
        if kind < 11:
            return f"{word()} {rng.choice(KINDS)}"
        if kind < 13:
            return f"The {word()} of {word()} {word()}"
        if kind == 13:
            return f"List of {rng.choice(LISTS)} in {word()} {word()}"
        if kind == 14:
            return f"{rng.randrange(1890, 2026)} {word()} Open \N{EN DASH} {rng.choice(('Men', 'Women'))}'s {rng.choice(('singles', 'doubles'))}"
        if kind == 15:
            return f"{rng.randrange(1890, 2026)}\N{EN DASH}{rng.randrange(10, 99)} {word()} {word()} season"
        if kind == 16:
            return f"{word()} {word().lower()}"
        if kind == 17:
            return f"{word()}-{word()}"
        if kind == 18:
            return f"{word()} {word()} {word()}"
        return f"{word()} ({rng.choice(TRADES)})"


def titles(n: int, *, seed: int = 0) -> list[str]:
    """``n`` different titles, in no order."""
    source = Titles(seed)
    found: dict[str, None] = {}
    while len(found) < n:
        found[source.title()] = None
    return list(found)
