"""Walks over a constraint, which check on the way what can be checked cheaply."""

from __future__ import annotations

import random
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from syntagma.automata.classes import token_classes
from syntagma.automata.constraint import Constraint, Session
from syntagma.automata.vocabulary import Vocabulary

STYLES = ("even", "effects", "bytes", "marks")
"""How a walk chooses: any token; any effect, then one of its tokens; any first byte, then a token used least; marks of JSON first."""

MANY = 4096
"""Of a larger vocabulary, masks under a budget are left out where most tokens lead to states of their own."""

MARKS = frozenset(b'"{}[],:\\\n-.eE')

Bits = npt.NDArray[np.bool_]


class WalkFailed(Exception):
    """A walk met something that must not be.

    Attributes:
        kind: ``dead end``, ``disagreement``, ``bound``, ``over budget``, ``invalid``, ``exception``.
        tokens: the tokens from the start.
        detail: what was seen.

    """

    def __init__(self, kind: str, tokens: list[int], detail: str) -> None:
        """Say all of it in the message."""
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.tokens = tokens
        self.detail = detail


@dataclass
class Walk:
    """A finished walk: its states, the start among them, and its tokens."""

    states: list[int]
    tokens: list[int]


_known_kinds: WeakKeyDictionary[Vocabulary, tuple[npt.NDArray[np.int64], Bits]] = WeakKeyDictionary()


def _kinds(vocab: Vocabulary) -> tuple[npt.NDArray[np.int64], Bits]:
    """The first byte of each token, and whether it has a mark of JSON; once for a vocabulary."""
    if vocab not in _known_kinds:
        texts = [t or b"\0" for t in vocab.tokens]
        marks = np.array([not MARKS.isdisjoint(t) for t in texts])
        _known_kinds[vocab] = np.array([t[0] for t in texts], np.int64), marks
    return _known_kinds[vocab]


class Walker:
    """Walks over a constraint, checking on the way what can be checked cheaply."""

    def __init__(self, constraint: Constraint, rng: random.Random) -> None:
        """Walk over a constraint with a source of randomness."""
        self.constraint = constraint
        self.rng = rng
        self.vocab = constraint.vocab
        self.eos = list(self.vocab.eos_ids)
        self.exact = constraint.store.bounds.is_exact(constraint.rule_start)
        self.used = np.zeros(self.vocab.size, np.int64)
        self.first, self.marks = _kinds(self.vocab)

    def allowed(self, session: Session, state: int, budget: int | None = None) -> Bits:
        """The mask as one bool a token."""
        row = session.mask(state, budget=budget)
        return np.unpackbits(row.view(np.uint8), bitorder="little")[: self.vocab.size].astype(np.bool_)

    def text(self, tokens: list[int]) -> bytes:
        """What tokens spell."""
        return b"".join(self.vocab.tokens[t] or b"" for t in tokens)

    def walk(self, session: Session, style: str, steps: int) -> Walk:
        """A walk of some steps, or to an end, and on to an end within the bound of where it got to."""
        walk = Walk([session.start], [])
        for _ in range(steps):
            state = walk.states[-1]
            bits = self.checked(session, walk)
            accepting = session.is_accepting(state)
            bits[self.eos] = False
            if not bits.any() or (accepting and self.rng.random() < 0.1):
                break
            self.follow(session, walk, self.choose(session, state, np.flatnonzero(bits), style))
        self.finish(session, walk)
        self.check_end(session, walk)
        return walk

    def walk_within(self, session: Session, style: str, budget: int) -> Walk:
        """A walk of at most ``budget`` tokens, from masks under what remains of it."""
        walk = Walk([session.start], [])
        while True:
            state = walk.states[-1]
            remaining = budget - len(walk.tokens)
            accepting = session.is_accepting(state)
            token = self.draw(session, state, remaining, style)
            if token is None and not accepting:
                kind = "over budget" if remaining <= 0 else "dead end"
                raise WalkFailed(kind, walk.tokens, f"nothing is allowed with {remaining} of {budget} tokens left")
            if token is None or (accepting and self.rng.random() < 0.1):
                break
            self.follow(session, walk, token)
        if len(walk.tokens) > budget:
            raise WalkFailed("over budget", walk.tokens, f"{len(walk.tokens)} tokens where {budget} were left")
        self.check_end(session, walk)
        return walk

    def choose(self, session: Session, state: int, tokens: npt.NDArray[np.int64], style: str) -> int:
        """One of the tokens."""
        if style == "effects":
            classes = token_classes(session.store, state)
            group = np.full(self.vocab.size, -1)
            group[classes.tokens] = classes.class_of
            tokens = self.part(tokens, group[tokens])
        elif style == "bytes":
            tokens = self.part(tokens, self.first[tokens])
            tokens = tokens[self.used[tokens] == self.used[tokens].min()]
        elif style == "marks":
            marks = tokens[self.marks[tokens]]
            tokens = marks if len(marks) and self.rng.random() < 0.7 else tokens
        return int(tokens[self.rng.randrange(len(tokens))])

    def part(self, tokens: npt.NDArray[np.int64], kind: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The tokens of one kind, each kind as likely as any other."""
        return tokens[kind == self.rng.choice(np.unique(kind).tolist())]

    def is_dear(self, session: Session, state: int) -> bool:
        """Whether a mask under a budget takes seconds: where each of many tokens leads to a state of its own."""
        return self.vocab.size > MANY and len(token_classes(session.store, state, spelling=False).representative) > MANY

    def draw(self, session: Session, state: int, budget: int, style: str) -> int | None:
        """A token of mask(budget=budget), or None if it has none but the end."""
        if not self.is_dear(session, state):
            bits = self.allowed(session, state, budget)
            bits[self.eos] = False
            return self.choose(session, state, np.flatnonzero(bits), style) if bits.any() else None
        tokens = np.flatnonzero(self.allowed(session, state)).tolist()
        self.rng.shuffle(tokens)
        texts = self.vocab.tokens
        tokens.sort(key=lambda t: b'"' not in (texts[t] or b""))  # most tokens that end a key fit, where any does
        if style != "marks" and self.rng.random() < 0.1:
            self.rng.shuffle(tokens)
        ends = set(self.eos)
        fits = (t for t in tokens if t not in ends and session.fits(session.advance(state, t), budget - 1))
        return next(fits, None)

    def follow(self, session: Session, walk: Walk, token: int) -> None:
        """Append a token that the mask allows."""
        after = session.advance(walk.states[-1], token)
        if after == 0:
            raise WalkFailed("disagreement", walk.tokens, f"the mask allows token {token}, and advance does not")
        self.used[token] += 1
        walk.states.append(after)
        walk.tokens.append(token)

    def checked(self, session: Session, walk: Walk) -> Bits:
        """The mask of the walk's last state after laws that cost little: alive, ends, potential, some tokens."""
        state = walk.states[-1]
        bits = self.allowed(session, state)
        accepting = session.is_accepting(state)
        if not bits.any():
            raise WalkFailed("dead end", walk.tokens, "nothing is allowed")
        if any(bool(bits[t]) != accepting for t in self.eos):
            raise WalkFailed("disagreement", walk.tokens, f"accepting is {accepting}, the bit of the end is not")
        bound = session.finish_bound(state)
        if (bound == 0) != accepting:
            raise WalkFailed("bound", walk.tokens, f"finish_bound is {bound} and accepting {accepting}")
        if self.is_dear(session, state):
            return bits
        tight = self.allowed(session, state, bound)
        if (tight & ~bits).any():
            raise WalkFailed("disagreement", walk.tokens, f"mask(budget={bound}) has tokens that the mask has not")
        if bound:
            lower = np.flatnonzero(tight)
            if not len(lower):
                raise WalkFailed("bound", walk.tokens, f"no token lowers the bound {bound}")
            token = int(self.rng.choice(lower))
            after = session.finish_bound(session.advance(state, token))
            if after >= bound:
                raise WalkFailed("bound", walk.tokens, f"token {token} of mask(budget={bound}) leaves {after}")
        kinds = (bits, ~bits, tight if bound else bits)
        for kind in kinds:
            tokens = np.flatnonzero(kind)
            for _ in range(min(8, len(tokens))):
                self.check_token(session, walk, int(self.rng.choice(tokens)), bits=bits, bound=bound)
        return bits

    def check_token(self, session: Session, walk: Walk, token: int, *, bits: Bits, bound: int) -> None:
        """A token's bit is what ``advance`` and ``advance_bytes`` say, and no token lowers an exact bound by two."""
        state = walk.states[-1]
        after = session.advance(state, token)
        if (after != 0) != bits[token]:
            raise WalkFailed("disagreement", walk.tokens, f"token {token}: mask {bits[token]}, advance {after != 0}")
        text = self.vocab.tokens[token]
        if text is None or token in self.eos:
            return
        if (session.advance_bytes(state, text) != 0) != (after != 0):
            raise WalkFailed(
                "disagreement", walk.tokens, f"token {token}: advance {after != 0}, its bytes do not agree"
            )
        if after and self.exact and session.finish_bound(after) < bound - 1:
            raise WalkFailed("bound", walk.tokens, f"token {token} lowers the exact bound {bound} by more than one")

    def finish(self, session: Session, walk: Walk) -> None:
        """Complete the text, each token lowering the bound."""
        bound = session.finish_bound(walk.states[-1])
        while bound > 0:
            token = self.draw(session, walk.states[-1], bound, "even")
            if token is None:
                raise WalkFailed("bound", walk.tokens, f"no token lowers the bound {bound}")
            self.follow(session, walk, token)
            rest = session.finish_bound(walk.states[-1])
            if rest >= bound:
                raise WalkFailed("bound", walk.tokens, f"a token of mask(budget={bound}) leaves {rest}")
            bound = rest

    def check_end(self, session: Session, walk: Walk) -> None:
        """A finished walk is accepting, and its tokens and its bytes are members."""
        if not session.is_accepting(walk.states[-1]):
            raise WalkFailed("dead end", walk.tokens, "the walk ended where the text is not complete")
        if not self.constraint.accepts(walk.tokens):
            raise WalkFailed("disagreement", walk.tokens, "accepts() rejects the tokens of a walk")
        if not self.constraint.accepts(self.text(walk.tokens)):
            raise WalkFailed("disagreement", walk.tokens, "accepts() rejects the bytes of a walk")
