"""Languages over text and tokens, by the definition: an automaton over characters and token symbols, and search over whole tokens.

A part is a tuple: ``("text", "ab")``, ``("token", ids, negated)``, ``("seq", parts)``, ``("alt", parts)``, ``("rep", part, least, most)``.
A token may be read as its text, character by character, and as itself; those that are never text as themselves alone.  Nothing of the
machine is used: neither its spellings of tokens nor its effects.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import product
from typing import Any

Part = tuple[Any, ...]


class TokenOracle:
    """One language over one vocabulary.

    Attributes:
        tokens: the texts by id; None: never text.
        named: the tokens that a negated terminal may mean: those with a text or a name, without those that end or pad.

    """

    def __init__(
        self, part: Part, tokens: Sequence[bytes | None], named: Collection[int], never_text: Collection[int] = ()
    ) -> None:
        """Build the automaton: Thompson's."""
        self.tokens = tokens
        self.named = frozenset(named)
        self.never_text = frozenset(never_text)
        self.n = 0
        self.empty: dict[int, set[int]] = {}
        self.bytes: dict[tuple[int, int], set[int]] = {}
        self.symbols: dict[tuple[int, int], set[int]] = {}
        self.start, self.end = self._state(), self._state()
        self._build(part, self.start, self.end)
        self.bounds = self._bounds()

    def _state(self) -> int:
        self.n += 1
        return self.n - 1

    def _build(self, part: Part, source: int, target: int) -> None:
        kind = part[0]
        if kind == "text":
            here = source
            for byte in part[1].encode():
                there = self._state()
                self.bytes.setdefault((here, byte), set()).add(there)
                here = there
            self.empty.setdefault(here, set()).add(target)
        elif kind == "token":
            for token in self.named - set(part[1]) if part[2] else part[1]:
                self.symbols.setdefault((source, token), set()).add(target)
        elif kind == "alt":
            for inner in part[1]:
                self._build(inner, source, target)
        elif kind == "seq":
            here = source
            for inner in part[1]:
                there = self._state()
                self._build(inner, here, there)
                here = there
            self.empty.setdefault(here, set()).add(target)
        else:
            _, inner, least, most = part
            here = source
            for i in range(least if most is None else most):
                if i >= least:
                    self.empty.setdefault(here, set()).add(target)
                there = self._state()
                self._build(inner, here, there)
                here = there
            if most is None:
                loop, back = self._state(), self._state()
                self.empty.setdefault(here, set()).add(loop)
                self._build(inner, loop, back)
                self.empty.setdefault(back, set()).add(loop)
                here = loop
            self.empty.setdefault(here, set()).add(target)

    def closed(self, states: Iterable[int]) -> frozenset[int]:
        """The states that are reached without reading."""
        found = set(states)
        work = list(found)
        while work:
            for other in self.empty.get(work.pop(), ()):
                if other not in found:
                    found.add(other)
                    work.append(other)
        return frozenset(found)

    def begin(self) -> frozenset[int]:
        """Where texts begin."""
        return self.closed([self.start])

    def spell(self, states: frozenset[int], text: bytes) -> frozenset[int]:
        """After some bytes of text."""
        for byte in text:
            states = self.closed(t for s in states for t in self.bytes.get((s, byte), ()))
        return states

    def advance(self, states: frozenset[int], token: int) -> frozenset[int]:
        """After a token, in all ways to read it."""
        as_itself = {t for s in states for t in self.symbols.get((s, token), ())}
        text = self.tokens[token]
        if text is None or token in self.never_text:
            return self.closed(as_itself)
        return self.closed(as_itself | self.spell(states, text))

    def _bounds(self) -> list[float]:
        """The least number of tokens from each state to the end."""
        before: list[set[int]] = [set() for _ in range(self.n)]
        for s in range(self.n):
            for token in range(len(self.tokens)):
                for t in self.advance(self.closed([s]), token):
                    before[t].add(s)
        bounds = [float("inf")] * self.n
        layer = [s for s in range(self.n) if self.end in self.closed([s])]
        for s in layer:
            bounds[s] = 0
        while layer:
            following = []
            for t in layer:
                for s in before[t]:
                    if bounds[s] == float("inf"):
                        bounds[s] = bounds[t] + 1
                        following.append(s)
            layer = following
        return bounds

    def accepts(self, states: frozenset[int]) -> bool:
        """Whether the text may end."""
        return self.end in states

    def bound(self, states: frozenset[int]) -> float:
        """The least number of tokens to the end."""
        return min((self.bounds[s] for s in states), default=float("inf"))

    def mask(self, states: frozenset[int], budget: float = float("inf")) -> set[int]:
        """The tokens after which the text can be finished with less than ``budget`` further ones."""
        return {t for t in range(len(self.tokens)) if self.bound(self.advance(states, t)) < budget}

    def fillings(self, slots: Sequence[int | None], eos: int, pad: int) -> Iterator[tuple[int, ...]]:
        """Every filling of a canvas, None being a hole, that is a whole text, or one with its end and then ends and padding."""
        choices = [range(len(self.tokens)) if slot is None else [slot] for slot in slots]
        for filling in product(*choices):
            states, ended = self.begin(), False
            for token in filling:
                if token == eos or (ended and token == pad):
                    ended = ended or self.accepts(states)
                    states = states if ended else frozenset()
                else:
                    states = frozenset() if ended else self.advance(states, token)
            if self.accepts(states):
                yield filling


def random_part(rng: random.Random, ids: Sequence[int], depth: int) -> Part:
    """A random language over the letters a and b and tokens."""
    kind = rng.choice(["text", "token", "token", "seq", "alt", "rep"] if depth else ["text", "token"])
    if kind == "text":
        return ("text", "".join(rng.choice("ab") for _ in range(rng.randint(0, 3))))
    if kind == "token":
        return ("token", tuple(rng.sample(ids, 1)), rng.random() < 0.25)
    if kind == "rep":
        least = rng.choice([0, 0, 1, 2, 9])
        most = rng.choice([None, least + rng.choice([0, 1, 3, 30])])
        return ("rep", random_part(rng, ids, depth - 1), least, most)
    return (kind, [random_part(rng, ids, depth - 1) for _ in range(rng.randint(1, 3))])


def gbnf(part: Part) -> str:
    """A part in GBNF."""
    kind = part[0]
    if kind == "text":
        return f'"{part[1]}"'
    if kind == "token":
        return f"{'!' * part[2]}<[{part[1][0]}]>"
    if kind == "rep":
        most = "" if part[3] is None else part[3]
        return f"({gbnf(part[1])}){{{part[2]},{most}}}"
    return "(" + (" | " if kind == "alt" else " ").join(map(gbnf, part[1])) + ")"
