"""The laws of a constraint, as a function that anybody can run on any constraint.

Everything that decodes relies on these laws and on nothing else, so a constraint of one's own that
passes serves every decoder.  The function walks at random from the start, checks every state that it
meets, and ends each walk; it knows nothing of how states are made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..grammar.errors import StaleState

if TYPE_CHECKING:
    from .constraint import Constraint, Session

BRUTE_FORCE_SIZE = 4096
"""Vocabularies of at most this many ids are tried token by token unless the caller decides otherwise."""

SAMPLED = 160
"""Tokens tried per state and kind (allowed, forbidden, beside a border of the mask) where not all are."""

SEARCH_STATES = 3000
"""The true minimum of ``finish_bound`` is searched for until this many states were advanced."""

SEARCH_DEPTH = 6
"""... or all completions of this many tokens were tried."""

WALK_STEPS = 24
"""After this many tokens a walk makes for the end."""

FEW = 64
"""How many states are kept for the second look, and how many tokens a search branches over."""

Bits = npt.NDArray[np.bool_]
Row = npt.NDArray[np.uint32]


class LawBroken(AssertionError):
    """A constraint broke a law.

    Attributes:
        law: the law, one sentence.
        state: the state that it was noticed at.
        tokens: tokens that lead from the start to the state.
        token: the token concerned, or None.
        want: what the law asks for.
        have: what the constraint answered.

    """

    def __init__(
        self, law: str, *, state: int, tokens: tuple[int, ...], token: int | None, want: object, have: object
    ) -> None:
        """Say all of it in the message."""
        self.law = law
        self.state = state
        self.tokens = tokens
        self.token = token
        self.want = want
        self.have = have
        at = "" if token is None else f", token {token}"
        path = "the start" if not tokens else f"tokens {list(tokens)}"
        super().__init__(f"{law}: state {state} after {path}{at}: want {want}, have {have}")


@dataclass(frozen=True)
class _Place:
    """A state, and how it was reached."""

    state: int
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class _Facts:
    """Whatever can be seen of a state."""

    row: bytes
    accepting: bool
    bound: int
    forced: int | None


def check_constraint(
    constraint: Constraint,
    texts: Iterable[str | bytes] = (),
    *,
    rng: np.random.Generator | None = None,
    steps: int = 200,
    brute_force: bool | None = None,
) -> None:
    """Check the laws of a constraint along random walks; returns if all of them hold.

    The laws, for every state that can be reached and every token:

    1. *Masks.*  A bit of ``mask`` is set iff ``advance`` does not answer 0; bits beyond the vocabulary are 0; a token without
       text is allowed only as end-of-sequence or padding, or where it is one of ``named_tokens``.  A living state allows something.
    2. *Bytes.*  Advancing by a token and by its bytes leads to states of which the same can be seen, but for ``named_tokens``.
    3. *Forced.*  ``forced_token`` is the mask's only bit, or None.  ``forced_bytes`` agrees with every allowed token.
    4. *Ends.*  End-of-sequence bits are set iff the state is accepting.  After end-of-sequence the state is accepting and final,
       and only end-of-sequence and padding are allowed; before it padding is not.  ``is_final`` says that only
       end-of-sequence is left.
    5. *Purity.*  A state that is used again, after any other use of the constraint, gives the same answers; so does the state that
       the same tokens lead to in another session; batches give what single calls give.
    6. *Potential.*  ``finish_bound`` is 0 iff the state is accepting; else some allowed token lowers it by at least one.
       It is never below the least number of tokens to an accepting state (as far as a search can see).
    7. *Budgets.*  ``mask(budget=n)`` has the text tokens after which the bound is at most n - 1, and end-of-sequence iff the
       state is accepting; it is empty if n is below the bound.
    8. *Ends are reached.*  Every walk, whether at random or led to rare tokens, can be completed within the bound, and then
       ``accepts`` its tokens and its bytes.
    9. *Texts.*  Whether a text is accepted does not depend on how it is cut into tokens.
    10. *Scopes.*  A state of a closed session raises ``StaleState``.

    Args:
        constraint: the constraint.
        texts: texts for law 9, members or not.
        rng: the source of randomness; the same one, seeded, gives the same walks.
        steps: how many states to check.
        brute_force: try every token of the vocabulary at every state, or a sample with all kinds; None decides by the size
            of the vocabulary.

    Raises:
        LawBroken: with the law, the state, how to get there, the token, what the law wants and what the constraint said.

    """
    rng = np.random.default_rng(0) if rng is None else rng
    checker = _Checker(constraint, rng, brute_force)
    checker.walk_all(steps)
    for text in texts:
        checker.check_text(text.encode() if isinstance(text, str) else bytes(text))


class _Checker:
    def __init__(self, constraint: Constraint, rng: np.random.Generator, brute_force: bool | None) -> None:
        self.constraint = constraint
        self.rng = rng
        self.vocab = constraint.vocab
        self.size = self.vocab.size
        self.texts = self.vocab.tokens
        self.eos = tuple(self.vocab.eos_ids)
        self.pad = tuple(self.vocab.pad_ids)
        self.all = self.size <= BRUTE_FORCE_SIZE if brute_force is None else brute_force
        self.is_text = np.array([bool(t) for t in self.texts], np.bool_)
        self.is_text[list(self.eos + self.pad)] = False
        named = sorted(getattr(constraint, "named_tokens", ()))  # a user's own constraint need not know of any
        self.is_inner = self.is_text.copy()
        self.is_inner[named] = True
        self.is_text[named] = False
        self.names_tokens = bool(named)
        self.by_bytes = sorted(np.flatnonzero(self.is_text).tolist(), key=lambda t: self.texts[t] or b"")
        self.used = np.zeros(self.size, np.int64)
        self.seen: dict[_Place, _Facts] = {}
        self.states: Constraint | Session = constraint

    # --- seeing -------------------------------------------------------------------------------------------------

    def expect(self, law: str, place: _Place, want: object, have: object, token: int | None = None) -> None:
        """Raise unless want == have."""
        if want != have:
            raise LawBroken(law, state=place.state, tokens=place.tokens, token=token, want=want, have=have)

    def bits(self, row: Row, place: _Place) -> Bits:
        """The row as one bool for each token."""
        self.expect("a row has ceil(V/32) words", place, -(-self.size // 32), len(row))
        bits = np.unpackbits(np.ascontiguousarray(row).view(np.uint8), bitorder="little").astype(np.bool_)
        self.expect("bits beyond the vocabulary are 0", place, False, bool(bits[self.size :].any()))
        return bits[: self.size]

    def facts(self, state: int) -> _Facts:
        """Whatever can be seen of a state."""
        states = self.states
        return _Facts(
            states.mask(state).tobytes(),
            states.is_accepting(state),
            states.finish_bound(state),
            states.forced_token(state),
        )

    def sample(self, bits: Bits) -> npt.NDArray[np.int64]:
        """The tokens to try at a state with this mask: all, or some of each kind."""
        if self.all:
            return np.arange(self.size)
        along = bits[self.by_bytes]
        borders = np.flatnonzero(along[1:] != along[:-1])
        beside = np.array(self.by_bytes, np.int64)[np.concatenate((borders, borders + 1))]
        named = np.flatnonzero(self.is_inner & ~self.is_text)
        some = [self.some(tokens) for tokens in (np.flatnonzero(bits), np.flatnonzero(~bits), beside, named)]
        return np.unique(np.concatenate((*some, np.array(self.eos + self.pad, np.int64))))

    def some(self, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """At most ``SAMPLED`` of the tokens."""
        return tokens if len(tokens) <= SAMPLED else self.rng.choice(tokens, SAMPLED, replace=False)

    # --- the laws of one state ------------------------------------------------------------------------------------

    def check_state(self, place: _Place) -> Bits:
        """Laws 1 to 7 at one state before end-of-sequence; returns its mask."""
        states, state = self.states, place.state
        bits = self.bits(states.mask(state), place)
        accepting = states.is_accepting(state)
        text_bits = bits & self.is_inner
        self.expect("a living state allows something", place, True, bool(bits.any()))
        for token in self.eos:
            self.expect("end-of-sequence is allowed iff accepting", place, accepting, bool(bits[token]), token)
        for token in self.pad:
            self.expect("padding is not allowed before the end", place, False, bool(bits[token]), token)
        final = accepting and not text_bits.any()
        self.expect("is_final says that only end-of-sequence is left", place, final, states.is_final(state))
        only = np.flatnonzero(bits)
        forced = int(only[0]) if len(only) == 1 else None
        self.expect("forced_token is the mask's only bit", place, forced, states.forced_token(state))
        self.check_forced_bytes(place, text_bits, accepting)
        sample = self.sample(bits)
        self.check_tokens(place, bits, sample)
        self.check_bound(place, text_bits, accepting, sample)
        return bits

    def check_forced_bytes(self, place: _Place, text_bits: Bits, accepting: bool) -> None:
        """Law 3 on bytes."""
        forced = self.states.forced_bytes(place.state)
        if not forced:
            return
        self.expect("nothing is forced where the text may end", place, False, accepting)
        if self.names_tokens:
            self.expect("forced_bytes are text", place, True, self.states.advance_bytes(place.state, forced) != 0)
        for token in self.some(np.flatnonzero(text_bits & self.is_text)).tolist():
            text = self.texts[token] or b""
            n = min(len(text), len(forced))
            self.expect("every allowed token agrees with forced_bytes", place, forced[:n], text[:n], token)

    def check_tokens(self, place: _Place, bits: Bits, sample: npt.NDArray[np.int64]) -> None:
        """Laws 1 and 2."""
        states, state = self.states, place.state
        nothing = bytes(4 * self.vocab.words)
        for token in sample.tolist():
            after = states.advance(state, token)
            self.expect("a mask bit is set iff advance accepts the token", place, bool(bits[token]), after != 0, token)
            if not self.is_text[token]:
                allowed = bool(bits[token]) and token not in self.eos and not self.is_inner[token]
                self.expect("a token that is never text is never allowed", place, False, allowed, token)
                continue
            spelled = states.advance_bytes(state, self.texts[token] or b"")
            if after == 0:
                dead = spelled == 0 or states.mask(spelled).tobytes() == nothing
                self.expect("the bytes of a forbidden token lead nowhere", place, True, dead, token)
            elif after != spelled:
                self.expect("the bytes of an allowed token are allowed", place, True, spelled != 0, token)
                self.expect("a token leads where its bytes lead", place, self.facts(spelled), self.facts(after), token)

    def check_bound(self, place: _Place, text_bits: Bits, accepting: bool, sample: npt.NDArray[np.int64]) -> None:
        """Laws 6 and 7."""
        states, state = self.states, place.state
        bound = states.finish_bound(state)
        self.expect("finish_bound is 0 iff accepting", place, accepting, bound == 0)
        least = self.least_tokens(state)
        self.expect("finish_bound is never below the least number of tokens", place, True, bound >= least)
        ends = np.zeros(self.size, np.bool_)
        ends[list(self.eos)] = accepting
        tried = sample[text_bits[sample]]
        after = {t: states.finish_bound(states.advance(state, t)) for t in tried.tolist()}
        for budget in sorted({0, max(bound - 1, 0), bound, bound + 1, bound + int(self.rng.integers(2, 9))}):
            row = self.bits(states.mask(state, budget=budget), place)
            law = f"mask(budget={budget}) where finish_bound is {bound}"
            if budget < bound:
                self.expect(f"{law} is empty", place, False, bool(row.any()))
                continue
            self.expect(
                f"{law} allows the end iff accepting",
                place,
                True,
                bool((row[~self.is_inner] == ends[~self.is_inner]).all()),
            )
            self.expect(f"{law} is within the mask", place, False, bool((row & self.is_inner & ~text_bits).any()))
            for token, rest in after.items():
                self.expect(
                    f"{law} has the tokens that leave enough", place, rest <= budget - 1, bool(row[token]), token
                )
            if budget == bound > 0:
                self.expect("some allowed token lowers finish_bound", place, True, bool(row.any()))
                token = int(self.rng.choice(np.flatnonzero(row)))
                rest = states.finish_bound(states.advance(state, token))
                self.expect("the tokens of mask(budget=bound) lower the bound", place, True, rest <= bound - 1, token)

    def least_tokens(self, state: int) -> int:
        """A lower limit of the number of tokens to an accepting state, by breadth-first search; exact unless it gives up."""
        layer, known, advanced = [state], {state}, 0
        for distance in range(SEARCH_DEPTH):
            if any(self.states.is_accepting(s) for s in layer):
                return distance
            found: list[int] = []
            for s in layer:
                tokens = np.flatnonzero(np.unpackbits(self.states.mask(s).view(np.uint8), bitorder="little"))
                if advanced + len(tokens) > SEARCH_STATES:
                    return distance + 1
                advanced += len(tokens)
                for token in tokens.tolist():
                    after = self.states.advance(s, token)
                    if after not in known:
                        known.add(after)
                        found.append(after)
            layer = found
        return SEARCH_DEPTH

    def check_end(self, place: _Place) -> None:
        """Law 4 after end-of-sequence."""
        for token in self.eos:
            ended = _Place(self.states.advance(place.state, token), (*place.tokens, token))
            self.expect("end-of-sequence leads somewhere from an accepting state", place, True, ended.state != 0, token)
            want = np.zeros(self.size, np.bool_)
            want[list(self.eos + self.pad)] = True
            have = self.bits(self.states.mask(ended.state), ended)
            wrong = np.flatnonzero(want != have)
            self.expect("after the end only end-of-sequence and padding are allowed", ended, [], wrong[:5].tolist())
            self.expect("the state after the end is accepting", ended, True, self.states.is_accepting(ended.state))
            self.expect("the state after the end is final", ended, True, self.states.is_final(ended.state))
            self.expect("the bound after the end is 0", ended, 0, self.states.finish_bound(ended.state))
            for again in self.eos + self.pad:
                after = self.states.advance(ended.state, again)
                self.expect("end-of-sequence and padding may be repeated", ended, True, after != 0, again)
                row = self.bits(self.states.mask(after), ended)
                self.expect("... and nothing else follows", ended, True, bool((row == want).all()), again)

    # --- walks ----------------------------------------------------------------------------------------------------

    def walk_all(self, steps: int) -> None:
        """Walk until ``steps`` states were checked, then look at them again."""
        checked = 0
        walks = 0
        while checked < steps:
            with self.constraint.session() as session:
                self.states = session
                self.seen.clear()
                checked += self.walk(session.start, steps - checked, steer=walks % 2 == 1)
                self.check_again(session)
                stale = session.start
            self.check_stale(session, stale)
            walks += 1
        self.states = self.constraint

    def walk(self, start: int, most: int, *, steer: bool) -> int:
        """One walk to an end; returns how many states were checked."""
        place = _Place(start, ())
        self.expect("the start is alive", place, True, start != 0)
        for step in range(min(most, WALK_STEPS)):
            bits = self.check_state(place)
            if len(self.seen) < FEW:
                self.seen[place] = self.facts(place.state)
            accepting = self.states.is_accepting(place.state)
            if accepting:
                self.check_end(place)
            choices = np.flatnonzero(bits & self.is_inner)
            if len(choices) == 0 or (accepting and self.rng.random() < 0.1):
                self.finish(place)
                return step + 1
            place = self.follow(place, self.choose(choices, steer=steer))
        self.finish(place)
        return min(most, WALK_STEPS)

    def choose(self, choices: npt.NDArray[np.int64], *, steer: bool) -> int:
        """A token: any, or one that the walks so far used least, of a first byte drawn evenly."""
        if not steer:
            return int(self.rng.choice(choices))
        if len(choices) > SAMPLED:
            firsts = np.array([(self.texts[t] or b"\0")[0] for t in choices.tolist()])
            choices = choices[firsts == self.rng.choice(np.unique(firsts))]
        rare = choices[self.used[choices] == self.used[choices].min()]
        return int(self.rng.choice(rare))

    def follow(self, place: _Place, token: int) -> _Place:
        """The place after an allowed token."""
        self.used[token] += 1
        after = _Place(self.states.advance(place.state, token), (*place.tokens, token))
        self.expect("an allowed token leads somewhere", place, True, after.state != 0, token)
        return after

    def finish(self, place: _Place) -> None:
        """Law 8: complete the text within the bound."""
        bound = self.states.finish_bound(place.state)
        while bound > 0:
            row = self.bits(self.states.mask(place.state, budget=bound), place) & self.is_inner
            self.expect("some allowed token lowers finish_bound", place, True, bool(row.any()))
            place = self.follow(place, int(self.rng.choice(np.flatnonzero(row))))
            rest = self.states.finish_bound(place.state)
            self.expect("a token of mask(budget=bound) lowers the bound", place, True, rest < bound)
            bound = rest
        self.expect("a completed walk is accepting", place, True, self.states.is_accepting(place.state))
        text = b"".join(self.texts[t] or b"" for t in place.tokens)
        self.expect("accepts() agrees on the tokens of a walk", place, True, self.constraint.accepts(place.tokens))
        ended = (*place.tokens, self.eos[0])
        self.expect("accepts() agrees on them with the end", place, True, self.constraint.accepts(ended))
        if all(self.is_text[t] for t in place.tokens):
            self.expect("accepts() agrees on the bytes of a walk", place, True, self.constraint.accepts(text))

    def check_again(self, session: Session) -> None:
        """Law 5."""
        places = list(self.seen)
        self.rng.shuffle(places)
        for place in places:
            self.expect("a state used again gives the same answers", place, self.seen[place], self.facts(place.state))
        rows = self.vocab.store.masks([place.state for place in places])
        for place, row in zip(places, rows, strict=True):
            self.expect("a batch gives what single calls give", place, self.seen[place].row, row.tobytes())
        moves = [(place, token) for place in places for token in self.some(np.arange(self.size))[:FEW].tolist()]
        batch = self.vocab.store.advance_batch([p.state for p, _ in moves], [t for _, t in moves])
        for (place, token), after in zip(moves, batch.tolist(), strict=True):
            self.expect("advance_batch is advance", place, session.advance(place.state, token), after, token)
        with self.constraint.session() as other:
            self.states = other
            for place in places[:8]:
                state = other.advance_tokens(other.start, place.tokens)
                self.expect(
                    "the same tokens give the same answers in any session", place, self.seen[place], self.facts(state)
                )
            self.states = session

    def check_stale(self, session: Session, state: int) -> None:
        """Law 10."""
        try:
            session.mask(state)
        except StaleState:
            return
        raise LawBroken(
            "a state of a closed session raises StaleState",
            state=state,
            tokens=(),
            token=None,
            want="StaleState",
            have="a mask",
        )

    # --- texts ----------------------------------------------------------------------------------------------------

    def check_text(self, text: bytes) -> None:
        """Law 9: the verdict on a text is the same for its bytes and for random cuts into tokens."""
        with self.constraint.session() as session:
            verdict = self.constraint.accepts(text)
            end = session.advance_bytes(session.start, text)
            place = _Place(session.start, ())
            law = f"the verdict on {text!r} is that of accepts()"
            self.expect(f"{law}, by advance_bytes", place, verdict, end != 0 and session.is_accepting(end))
            for _ in range(4):
                tokens = self.cut(text)
                if tokens is not None:
                    state = session.advance_tokens(session.start, tokens)
                    have = state != 0 and session.is_accepting(state)
                    self.expect(f"{law}, in these tokens", _Place(state, tokens), verdict, have)

    @cached_property
    def by_text(self) -> dict[bytes, list[int]]:
        """The tokens of each text."""
        by_text: dict[bytes, list[int]] = {}
        for token in self.by_bytes:
            by_text.setdefault(self.texts[token] or b"", []).append(token)
        return by_text

    def cut(self, text: bytes) -> tuple[int, ...] | None:
        """The text in tokens, cut at random; None if it ran into a spot that no token spells."""
        by_text = self.by_text
        longest = max(map(len, by_text), default=0)  # none where every token is named
        tokens: list[int] = []
        at = 0
        while at < len(text):
            ends = [e for e in range(at + 1, min(at + longest, len(text)) + 1) if text[at:e] in by_text]
            if not ends:
                return None
            end = ends[int(self.rng.integers(len(ends)))]
            same = by_text[text[at:end]]
            tokens.append(same[int(self.rng.integers(len(same)))])
            at = end
        return tuple(tokens)
