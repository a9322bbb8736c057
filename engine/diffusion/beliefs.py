"""What the model believes of the open slots, after the constraint: all that a policy may look at.

The mask comes first, here as in the law of autoregressive decoding: probability, entropy and margin of a slot are those of the
tokens with which the canvas can still be completed.  So a slot that the grammar decides has probability one and entropy zero, and
every policy takes it for free.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...grammar.errors import InvalidSource
from ..law import allowed_ids

if TYPE_CHECKING:
    from ..contract import Mask
    from .model import Ids, Rows

Reals = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Guess:
    """The constrained law of one slot in a few numbers.

    Attributes:
        token: the most likely token, the lowest id among equals; at a temperature, a token that was drawn.
        confidence: the probability of ``token``, at temperature 1.
        margin: the difference between the two greatest probabilities; 1 if only one token is possible.
        logit_gap: the difference between the two greatest logits, in nats; infinite if only one token is possible.
        entropy: Shannon entropy in nats.

    """

    token: int
    confidence: float
    margin: float
    logit_gap: float
    entropy: float


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
        confidence: float64[k], see ``Guess``.
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


def guess(values: Rows, ids: Ids, temperature: float, rng: np.random.Generator) -> Guess:
    """The law of a slot from the logits ``values`` float[k] of its possible tokens ``ids`` int64[k], ascending.

    A model that rules all of them out leaves the constraint to decide: they are equally likely then.
    """
    row = np.asarray(values, np.float64)
    top = float(row.max())
    if math.isnan(top) or top == math.inf:
        raise InvalidSource("the model's logits hold NaN or infinity", hint="load the model in a wider dtype")
    if top == -math.inf:
        row = np.zeros(len(row))
        top = 0.0
    weights = np.exp(row - top)
    p = weights / weights.sum()
    first = int(np.argmax(row))
    if len(row) == 1:
        return Guess(int(ids[0]), 1.0, 1.0, math.inf, 0.0)
    chosen = first if temperature == 0 else _draw((row - top) / temperature, rng)
    second = np.delete(row, first).max() if len(row) < 64 else np.partition(row, -2)[-2]
    positive = p[p > 0]
    entropy = max(0.0, float(-(positive * np.log(positive)).sum()))
    runner_up = float(np.exp(second - top) / weights.sum())
    return Guess(int(ids[chosen]), float(p[chosen]), float(p[first]) - runner_up, top - float(second), entropy)


def _draw(scaled: Reals, rng: np.random.Generator) -> int:
    edges = np.cumsum(np.exp(scaled))
    return min(int(np.searchsorted(edges, rng.random() * edges[-1], side="right")), len(edges) - 1)


def guesses(rows: Rows, masks: npt.NDArray[np.uint32], temperature: float, rng: np.random.Generator) -> list[Guess]:
    """The laws of slots with logits ``rows`` float[k, V] and masks uint32[k, words].

    Raises:
        InvalidSource: a slot allows no token among those that the model has, or logits are no numbers.

    """
    known: dict[bytes, Ids] = {}  # neighbours often share a mask, and spreading one costs a pass over the vocabulary
    found = []
    for row, mask in zip(rows, masks, strict=True):
        ids = _ids_of(mask, len(row), known)
        if not len(ids):
            raise InvalidSource(
                f"a slot allows no token among the {len(row)} that the model has",
                hint="use the vocabulary of the model's own tokenizer",
            )
        found.append(guess(row[ids], ids, temperature, rng))
    return found


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
