"""What the model believes of the open slots, after the constraint: all that a policy may look at.

The mask comes first, here as in the law of autoregressive decoding: probability, entropy and margin of a slot are those of the
tokens with which the canvas can still be completed.  So a slot that the grammar decides has probability one and entropy zero, and
every policy takes it for free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ...grammar.errors import InvalidSource
from ..law import allowed_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..contract import Mask
    from .model import Ids, Rows

Reals = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

AT_ONCE: Final = 1 << 16
"""Logits whose laws are taken in one go: half a megabyte of float64, which stays near the processor."""


class Guesses(NamedTuple):
    """The constrained laws of k slots in a few numbers each.

    Attributes:
        tokens: int64[k], the most likely token, the lowest id among equals; at a temperature, a token that was drawn.
        confidence: float64[k], the probability of the token, at temperature 1.
        margin: float64[k], the difference between the two greatest probabilities; 1 if only one token is possible.
        logit_gap: float64[k], the difference between the two greatest logits, in nats; infinite if only one token is possible.
        entropy: float64[k], Shannon entropy in nats.

    """

    tokens: Ids
    confidence: Reals
    margin: Reals
    logit_gap: Reals
    entropy: Reals


@dataclass(frozen=True, slots=True)
class Decided:
    """What the model says of slots that hold a token already, the caller's own left out: for editing, remasking and filters.

    Attributes:
        slots: int64[m], ascending.
        tokens: int64[m], what stands there.
        confidence: float64[m], the probability that ``tokens`` had when they were put there.
        probability: float64[m], the probability that the model gives them now; of the unconstrained law, the mask token left out.
        proposals: int64[m], the model's most likely token now, in the same law.
        proposal_probability: float64[m], its probability.

    """

    slots: Ids
    tokens: Ids
    confidence: Reals
    probability: Reals
    proposals: Ids
    proposal_probability: Reals


@dataclass(frozen=True, slots=True)
class Beliefs:
    """One step of denoising, as a policy sees it.  Arrays are of the k open slots that were looked at, in order.

    Attributes:
        slots: int64[k], places in the canvas, ascending.
        tokens: int64[k], the proposals.
        confidence: float64[k], see ``Guesses``.
        margin: float64[k].
        logit_gap: float64[k].
        entropy: float64[k].
        in_block: bool[k], the slots that may be revealed now; all of them unless the policy ``looks_beyond`` its block.
        block: the active block, first slot and the one after the last.
        quota: how many slots a schedule of ``steps`` steps reveals now.
        step: number of this pass of the model, from 0.
        steps: how many passes are planned.
        ends: bool[k], whether the proposal ends the text.
        decided: what the model says of decided slots of the block, for policies that ``reads_decided``.
        rng: draws for policies that are random.

    """

    slots: Ids
    tokens: Ids
    confidence: Reals
    margin: Reals
    logit_gap: Reals
    entropy: Reals
    in_block: Flags
    block: tuple[int, int]
    quota: int
    step: int
    steps: int
    ends: Flags
    decided: Decided | None
    rng: np.random.Generator

    def __len__(self) -> int:
        """How many open slots there are."""
        return len(self.slots)


def guess(rows: Reals, ids: Ids, temperature: float, draws: Reals) -> Guesses:
    """The laws of m slots from the logits of their possible tokens.

    A model that rules all of them out leaves the constraint to decide: they are equally likely then.

    Args:
        rows: float64[m, n], the logits; minus infinity where a slot has fewer than n possible tokens.
        ids: int64[m, n], the tokens of each row, ascending; -1 where it has fewer.
        temperature: 0 proposes the most likely token, above it one is drawn.
        draws: float64[m], uniform in [0, 1); read at a temperature above 0 only.

    Raises:
        InvalidSource: logits are no numbers.

    """
    top = rows.max(axis=1, keepdims=True)
    if np.isnan(top).any() or (top == np.inf).any():
        raise InvalidSource("the model's logits hold NaN or infinity", hint="load the model in a wider dtype")
    silent = top == -np.inf
    rows = np.where(silent & (ids >= 0), 0.0, rows) - np.where(silent, 0.0, top)
    weights = np.exp(rows)
    total = weights.sum(axis=1)
    every = np.arange(len(rows))
    first = rows.argmax(axis=1)
    chosen = first if temperature == 0 else _drawn(rows / temperature, draws)
    best = 1 / total  # the most likely token's logit is 0 by now
    surprise = np.multiply(weights, rows, where=weights > 0, out=np.zeros_like(rows)).sum(axis=1)
    entropy = np.maximum(0.0, np.log(total) - surprise / total)
    confidence = weights[every, chosen] / total
    rows[every, first] = -np.inf
    gap = -rows.max(axis=1)
    return Guesses(ids[every, chosen], confidence, best - np.exp(-gap) * best, gap, entropy)


def _drawn(scaled: Reals, draws: Reals) -> Ids:
    """int64[m]: a place of each row of log weights, the first whose summed weight is greater than the draw's share of all."""
    edges = np.exp(scaled).cumsum(axis=1)
    places: Ids = np.minimum((edges <= draws[:, None] * edges[:, -1:]).sum(axis=1), scaled.shape[1] - 1)
    return places


def guesses(rows: Rows, masks: npt.NDArray[np.uint32], temperature: float, rng: np.random.Generator) -> Guesses:
    """The laws of slots with logits ``rows`` float[k, V] and masks uint32[k, words].

    The possible tokens are gathered first, as they are few of many; slots with about as many are taken together.

    Raises:
        InvalidSource: a slot allows no token among those that the model has, or logits are no numbers.

    """
    k = len(rows)
    draws = rng.random(k) if temperature > 0 else np.zeros(k)
    known: dict[bytes, Ids] = {}  # neighbours often share a mask, and spreading one costs a pass over the vocabulary
    possible = [_ids_of(mask, rows.shape[1], known) for mask in masks]
    widths = np.array([len(ids) for ids in possible], np.int64)
    if not widths.all():
        raise InvalidSource(
            f"a slot allows no token among the {rows.shape[1]} that the model has",
            hint="use the vocabulary of the model's own tokenizer",
        )
    found = Guesses(np.zeros(k, np.int64), np.zeros(k), np.zeros(k), np.zeros(k), np.zeros(k))
    for part in _parts(widths):
        shape = (len(part), int(widths[part[-1]]))
        ids, logits = np.full(shape, -1, np.int64), np.full(shape, -np.inf)
        for j, i in enumerate(part.tolist()):
            ids[j, : widths[i]] = possible[i]
            logits[j, : widths[i]] = rows[i, possible[i]]
        for whole, some in zip(found, guess(logits, ids, temperature, draws[part]), strict=True):
            whole[part] = some
    return found


def _parts(widths: Ids) -> Iterator[Ids]:
    """Slots in parts, the narrowest first, so that a part is at most ``AT_ONCE`` numbers or one slot."""
    order = np.argsort(widths, kind="stable")
    start = 0
    for stop in range(1, len(order) + 1):
        if stop == len(order) or (stop + 1 - start) * widths[order[stop]] > AT_ONCE:
            yield order[start:stop]
            start = stop


def _ids_of(mask: Mask, width: int, known: dict[bytes, Ids]) -> Ids:
    key = mask.tobytes()
    ids = known.get(key)
    if ids is None:
        ids = known[key] = allowed_ids(mask, width)
    return ids


def log_probabilities(rows: Rows, size: int) -> Reals:
    """float64[k, size]: the unconstrained log law of each row; tokens that the model lacks are impossible.

    A row that rules everything out says nothing: its tokens are equally likely.
    """
    wide = np.full((len(rows), size), -np.inf)
    row = np.array(rows, np.float64)
    row[(row == -np.inf).all(axis=1)] = 0.0
    top = row.max(axis=1, keepdims=True)
    if np.isnan(top).any() or (top == np.inf).any():
        raise InvalidSource("the model's logits hold NaN or infinity", hint="load the model in a wider dtype")
    normal = row - top - np.log(np.exp(row - top).sum(axis=1, keepdims=True))
    width = min(size, row.shape[1])
    wide[:, :width] = normal[:, :width]
    return wide


def decided_slots(rows: Rows, slots: Ids, tokens: Ids, confidence: Reals, mask_id: int) -> Decided:
    """What ``rows`` float[m, V] say of slots that hold ``tokens``."""
    logits = np.array(rows, np.float64)
    if mask_id < logits.shape[1]:
        logits[:, mask_id] = -np.inf
    log_p = log_probabilities(logits, logits.shape[1]) if len(slots) else np.zeros((0, 1))
    proposals = log_p.argmax(axis=1).astype(np.int64)
    every = np.arange(len(slots))
    return Decided(
        slots=slots,
        tokens=tokens,
        confidence=confidence,
        probability=np.exp(log_p[every, tokens]) if len(slots) else np.zeros(0),
        proposals=proposals,
        proposal_probability=np.exp(log_p[every, proposals]) if len(slots) else np.zeros(0),
    )
