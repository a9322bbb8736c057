"""Samplers: draw one token from the constrained law, and say what the constraint cost in probability.

``log_weight`` is the log of an unbiased estimate of the valid mass of the tempered law, jointly with the token:
``E[w 1{token = t}]`` is the probability that the model gives to t if t is allowed, and 0 if not.  The product of the weights along a
text is its importance weight, which turns what the sampler draws into the model's own law conditioned on the language
(Loula et al. 2025, "Syntactic and Semantic Control of Large Language Models via Sequential Monte Carlo").
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol, get_args

import numpy as np

from ..grammar.errors import InvalidSource
from .grouped import Grouping, Kept, Rate, draw
from .law import Law, Logits, as_row
from .rejection import Check, Drawn, Form, geometric, recursive, two_round
from .residuals.checked import Checked, CheckedStates
from .residuals.groups import FREE
from .urn import Floats, Urn

if TYPE_CHECKING:
    from .contract import States, Vocab
    from .residuals.protocol import Residual

NO_TOKEN = -1
"""What is returned with a weight of zero where no token was accepted: the text cannot go on."""

Sample = tuple[int, float | None]


class Sampler(Protocol):
    """What draws a token."""

    @property
    def states(self) -> States:
        """What the states are of: the constraint, or its pairing with a residual."""
        ...

    def sample(
        self, logits: Logits, state: int, rng: np.random.Generator, *, budget: int | None = None
    ) -> tuple[int, float | None]:
        """Draw a token; the second value is its log weight, or ``None`` where there is none."""
        ...


def draws_at(
    sampler: Sampler, logits: Logits, state: int, *, budget: int | None = None
) -> Callable[[np.random.Generator], Sample]:
    """What draws tokens after ``state``, as ``sample`` does; what the draws have in common is done once by a sampler that has ``at``.

    The samplers here write ``sample`` by ``at``, so that one which derives from them and draws otherwise overrides ``at``.
    """
    at = getattr(sampler, "at", None)
    if at is not None:
        return at(logits, state, budget=budget)  # type: ignore[no-any-return]
    return lambda rng: sampler.sample(logits, state, rng, budget=budget)


class MaskSampler:
    """Draw from the masked, renormalised law: exact, with the least possible variance, at the price of one mask a token.

    Args:
        constraint: a constraint, a session, or one of these with a residual (``Checked``): then every group of tokens that
            completes a text is checked.
        temperature: see ``Law`` for this and the others.
        top_k: as in ``Law``.
        top_p: as in ``Law``.
        min_p: as in ``Law``.

    """

    def __init__(
        self,
        constraint: States,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
    ) -> None:
        self.states = constraint
        self.law = Law(constraint, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)

    def sample(self, logits: Logits, state: int, rng: np.random.Generator, *, budget: int | None = None) -> Sample:
        """Draw a token after ``state``.

        Returns:
            The token, and the log valid mass of the tempered law; ``None`` instead of the latter if
            the law is truncated or greedy, for then it would not be an importance weight.

        Raises:
            InvalidSource: see ``Law``.

        """
        return self.at(logits, state, budget=budget)(rng)

    def at(self, logits: Logits, state: int, *, budget: int | None = None) -> Callable[[np.random.Generator], Sample]:
        """``sample`` for any number of draws after ``state``, with one mask."""
        if self.law.truncated:
            return lambda rng: (self.law.choose(logits, state, rng, budget=budget), None)
        mask = None
        if isinstance(self.states, CheckedStates):
            mask = self.states.mask(state, budget=budget)
            if not mask.any():
                return lambda _: (NO_TOKEN, -math.inf)
        urn, log_valid = self.law.urn(logits, state, budget=budget, mask=mask)
        return lambda rng: (urn.token(urn.draw(rng)), log_valid)


def _allows(states: States, state: int, budget: int | None, token: int) -> bool:
    """Whether a token may follow, and the text can be completed within what then is left of the budget."""
    after = states.advance(state, token)
    if not after or budget is None:
        return bool(after)
    if budget > 0:
        return states.fits(after, budget - 1)
    return bool(states.mask(state, budget=0)[token >> 5] >> np.uint32(token & 31) & 1)  # end-of-sequence is not counted


class CheckFirst:
    """Draw from the model's own law and check that token; only if it is not allowed, take the mask.

    The law is that of ``MaskSampler``: P(x) + P(not valid) P(x) / Z = P(x) / Z.  Where the model is right most of the time, a token
    costs one step of the automaton instead of a mask.  There is no weight: one check says too little of the valid mass.

    Top-p needs the mass of all valid tokens and therefore is not served; ``top_k`` walks down the tokens until k have
    passed, and ``min_p`` until one has.
    """

    def __init__(
        self,
        constraint: States,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        min_p: float | None = None,
        max_checks: int = 8,
    ) -> None:
        if max_checks < 1:
            raise InvalidSource(f"max_checks {max_checks} checks nothing", where="max_checks")
        self.states = constraint
        self.law = Law(constraint, temperature=temperature, top_k=top_k, min_p=min_p)
        self._max_checks = max_checks

    def sample(self, logits: Logits, state: int, rng: np.random.Generator, *, budget: int | None = None) -> Sample:
        """Draw a token after ``state``; the weight always is ``None``."""
        row = as_row(logits)
        token = self.attempt(row, state, rng, budget=budget)
        return self.law.choose(row, state, rng, budget=budget) if token is None else token, None

    def attempt(self, row: Floats, state: int, rng: np.random.Generator, *, budget: int | None = None) -> int | None:
        """A token of the law, or nothing where the checks have not settled it, and a mask has to."""
        check = partial(_allows, self.states, state, budget)
        if self.law.greedy:
            best = int(np.argmax(row))
            return best if row[best] > -np.inf and check(best) else None
        if not self.law.cuts_tail:
            urn, top = Urn.from_logits(row, self.law.temperature)
            if not 0 < urn.total < math.inf:  # NaN, infinity, nothing at all: the law has the words for it
                return None
            index = urn.draw(rng)
            return index if top > -math.inf and check(index) else None
        return self._try_truncated(row, check, rng)

    def _try_truncated(self, row: Floats, check: Check, rng: np.random.Generator) -> int | None:
        """Collect the most likely allowed tokens, best first, lower ids first among equals; then draw among them."""
        wanted = self.law.top_k or 1
        ahead = min(len(row), wanted + self._max_checks)
        edge = np.partition(row, len(row) - ahead)[len(row) - ahead]
        if not math.isfinite(edge):
            return None
        near = np.flatnonzero(row >= edge)
        best = near[np.argsort(-row[near], kind="stable")]
        kept: list[int] = []
        failed = 0
        floor = -math.inf
        for token in best.tolist():
            if len(kept) == self.law.top_k or row[token] < floor:
                return self._draw(row, kept, rng)
            if failed == self._max_checks:
                return None
            if not check(token):
                failed += 1
                continue
            kept.append(token)
            if len(kept) == 1 and self.law.min_p:
                floor = float(row[token]) + self.law.temperature * math.log(self.law.min_p)
        done = len(kept) == self.law.top_k or len(best) == len(row)
        return self._draw(row, kept, rng) if done and kept else None

    def _draw(self, row: Floats, kept: list[int], rng: np.random.Generator) -> int:
        ids = np.sort(np.array(kept, np.int64))
        urn, _ = Urn.from_logits(row[ids].astype(np.float64), self.law.temperature, ids)
        return urn.token(urn.draw(rng))


PRICE = 0.1
"""See ``AWRS``."""


class AWRS:
    """Adaptive weighted rejection sampling: a few checks instead of a mask, and a weight that is right on average.

    Without a residual the tokens of the model's own law are checked by the constraint.  With one, the constraint's mask
    goes first, and its mass is exact: rejection runs on what the mask leaves, so that the variance hangs on the residual alone; and it runs
    on groups of tokens that share a verdict (``grouped``), each asked once for all states with the same text.

    Args:
        constraint: a constraint, a session, or a pairing with a residual.
        residual: pairs the constraint with it; ``states`` is then the pairing, whose states ``sample`` takes.
        form: of rejection on tokens; see ``rejection``: ``recursive`` has the fewest checks, ``geometric`` with 5 accepts the lightest tail.  By default
            ``recursive``, and on groups where there is a residual.
        accepts: accepts that the geometric form waits for; the others are made for two.
        max_rejects: give up after so many rejects; the weights stay unbiased.  Not for the two-round form, nor on groups.
        temperature: of the law.
        price: on groups, the relative variance of a step's weight that one more verdict has to take away to be asked for: with
            0 a step is exact, with 1 hardly a verdict is asked for that was not drawn.

    Raises:
        InvalidSource: an option out of its range, or one that the form does not have.

    """

    def __init__(
        self,
        constraint: States,
        residual: Residual | None = None,
        form: Form | None = None,
        accepts: int = 2,
        max_rejects: int | None = None,
        *,
        temperature: float = 1.0,
        price: float | None = None,
    ) -> None:
        self.states: States = _paired(constraint, residual)
        grouping = form is None and max_rejects is None and isinstance(self.states, CheckedStates)
        if form is None and not grouping:
            form = "recursive"
        if form is not None and form not in get_args(Form):
            raise InvalidSource(f"form {form!r} is none of {', '.join(get_args(Form))}", where="form")
        if accepts < 2 or (accepts > 2 and form != "geometric"):
            hint = "the estimate needs two" if accepts < 2 else "form='geometric' takes more"
            raise InvalidSource(f"{accepts} accepts in the form {form!r}", where="accepts", hint=hint)
        if max_rejects is not None and max_rejects < 1:
            raise InvalidSource(f"max_rejects {max_rejects} draws nothing", where="max_rejects")
        if max_rejects is not None and form == "two-round":
            raise InvalidSource(
                "no unbiased estimate of the two-round form is known that stops early",
                where="max_rejects",
                hint="use form='recursive' or 'geometric'",
            )
        if temperature == 0:
            raise InvalidSource("a greedy law has no weights", where="temperature", hint="use CheckFirst")
        if price is not None and not grouping:
            raise InvalidSource(
                "only groups of a residual have a price", where="price", hint="leave out form and max_rejects"
            )
        if price is not None and not 0 <= price <= 1:
            raise InvalidSource(f"price {price} is not in [0, 1]", where="price")
        self.law = Law(self.states, temperature=temperature)
        self._form = form
        self._accepts = accepts
        self._max_rejects = max_rejects
        self._price = PRICE if price is None else price
        self._rate = Rate()
        self._kept = Kept()
        self.n_checks = 0

    def sample(self, logits: Logits, state: int, rng: np.random.Generator, *, budget: int | None = None) -> Sample:
        """Draw a token after ``state`` and its log weight; ``NO_TOKEN`` and minus infinity if none was accepted."""
        return self.at(logits, state, budget=budget)(rng)

    def at(self, logits: Logits, state: int, *, budget: int | None = None) -> Callable[[np.random.Generator], Sample]:
        """``sample`` for any number of draws after ``state``, with one mask where there is a residual."""
        if isinstance(self.states, CheckedStates):
            return self._at_residual(self.states, logits, state, budget)
        row = as_row(logits)
        urn, _ = Urn.from_logits(row, self.law.temperature)
        if not math.isfinite(urn.total):
            raise InvalidSource("the model's logits hold NaN or infinity", hint="load the model in a wider dtype")

        def check(token: int) -> bool:
            self.n_checks += 1
            return _allows(self.states, state, budget, token)

        def sample(rng: np.random.Generator) -> Sample:
            index, log_weight = self._draw(urn.copy(), check, rng)
            return (NO_TOKEN if index is None else index), log_weight

        return sample

    def _draw(self, urn: Urn, check: Check, rng: np.random.Generator) -> Drawn:
        if self._form == "two-round":
            return two_round(urn, check, rng)
        if self._form == "recursive":
            return recursive(urn, check, rng, self._max_rejects)
        return geometric(urn, check, rng, self._accepts, self._max_rejects)

    def _at_residual(
        self, states: CheckedStates, logits: Logits, state: int, budget: int | None
    ) -> Callable[[np.random.Generator], Sample]:
        mask = states.grammar_mask(state, budget=budget)
        if not mask.any():
            return lambda _: (NO_TOKEN, -math.inf)
        urn, log_grammar = self.law.urn(logits, state, mask=mask)
        groups = states.groups(state)
        grouping = Grouping(urn, self._kept.waiting(urn, mask, groups)) if self._form is None else None

        def check(index: int) -> bool:
            return self._asked(states, state, int(groups.group[urn.token(index)]))

        def sample(rng: np.random.Generator) -> Sample:
            if grouping is None:
                index, log_weight = self._draw(urn.copy(), check, rng)
            else:
                index, log_weight = draw(
                    urn.copy(),
                    grouping,
                    groups,
                    partial(states.known, state),
                    partial(self._asked, states, state),
                    rng,
                    passing=self._rate.share,
                    price=self._price,
                )
            return (NO_TOKEN if index is None else urn.token(index)), log_grammar + log_weight

        return sample

    def _asked(self, states: CheckedStates, state: int, group: int) -> bool:
        passed = states.verdict(state, group)
        if group != FREE:
            self.n_checks += 1
            self._rate.note(passed=passed)
        return passed


def _paired(constraint: States, residual: Residual | None) -> States:
    if residual is None:
        return constraint
    if isinstance(constraint, CheckedStates):
        raise InvalidSource(
            "the constraint has a residual already", where="residual", hint="join the two by residuals.All"
        )
    vocab: Vocab = constraint.vocab  # type: ignore[attr-defined]  # of a constraint, and of the sessions of compiled ones
    if hasattr(constraint, "session"):
        return Checked(constraint, residual)  # type: ignore[arg-type]  # what opens sessions is a constraint
    return CheckedStates(constraint, residual, vocab)
