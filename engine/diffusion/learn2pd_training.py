"""Training the filter of Learn2PD on decodings of the model that it is for.

Bao et al. 2025, "Learning to Parallel" (arXiv:2509.25188): a text is decoded plainly first; then it is decoded again by a teacher who knows it, and
who reveals in each step just those proposals that are the final tokens.  Every step of the second decoding gives one example: the confidences of the block,
and for each slot whether its proposal was final.  Where no proposal is, the paper's rule puts in the block's own tokens and goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...grammar.errors import InvalidSource
from .canvas import Canvas
from .diffuse import diffuse
from .loop import Decoder
from .passes import ask
from .policies import Learn2PD, LowConfidence
from .policies.learn2pd import Filter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...automata.constraint import Constraint
    from ...automata.lattice import Slot
    from .beliefs import Flags, Reals
    from .model import Denoiser


def untrained(width: int) -> Filter:
    """A filter that approves nothing."""
    return Filter(np.zeros((width, 1)), np.zeros(1), np.zeros((1, width)), np.full(width, -50.0))


def examples(
    model: Denoiser,
    prompt: Sequence[int],
    constraint: Constraint,
    canvases: Iterable[Sequence[Slot]],
    *,
    block: int,
) -> tuple[Reals, Flags]:
    """Decode canvases twice, and keep what the filter has to learn.

    Args:
        model: the model that the filter is for.
        prompt: token ids before each canvas.
        constraint: of each canvas.
        canvases: slots, as ``diffuse`` takes them.
        block: slots of a block, the filter's width.

    Returns:
        float64[m, block], confidences, and bool[m, block], whether each slot's proposal was final.

    """
    policy = Learn2PD(untrained(block))
    confidences: list[Reals] = []
    final: list[Flags] = []
    for slots in canvases:
        answer = diffuse(model, prompt, constraint, canvas=slots, policy=LowConfidence(), block=block).ids
        tail = int(answer[-1]) if int(answer[-1]) in constraint.vocab.eos_ids else constraint.vocab.eos_ids[0]
        canvas = Canvas(constraint, slots, mask_id=model.mask_id, tail_id=model.tail_id or tail)
        decoder = Decoder(
            np.array(list(prompt), np.int64),
            policy,
            block=block,
            beyond="holes",
            steps=None,
            temperature=0.0,
            seed=0,
        )
        track = decoder.start(canvas)
        while not track.done:
            decoder.enter_block(track)
            beliefs = decoder.beliefs(track, *ask(model, [(decoder, [track])])[0], beyond=False)
            right = beliefs.tokens == answer[beliefs.slots]
            label = np.ones(block, np.bool_)
            label[beliefs.slots - track.block[0]] = right
            if beliefs.decided is not None:
                label[beliefs.decided.slots - track.block[0]] = beliefs.decided.proposals == beliefs.decided.tokens
            confidences.append(policy.block_confidence(beliefs))
            final.append(label)
            slots_now = beliefs.slots[right] if right.any() else beliefs.slots
            canvas.commit(slots_now, answer[slots_now], np.ones(len(slots_now)))
            canvas.settle()
        canvas.close()
    if not confidences:
        return np.zeros((0, block)), np.zeros((0, block), np.bool_)
    return np.stack(confidences), np.stack(final)


def train(confidences: Reals, final: Flags, *, hidden: int | None = None, epochs: int = 300, seed: int = 0) -> Filter:
    """Fit a filter: cross entropy, AdamW, all examples in each step; seconds on one core.

    Args:
        confidences: float64[m, width].
        final: bool[m, width].
        hidden: width of the hidden layer; by default that of the block, as in the paper.
        epochs: steps of the optimiser.
        seed: of the initial weights.

    Raises:
        InvalidSource: there are no examples.

    """
    if not len(confidences):
        raise InvalidSource("a filter cannot be trained without examples", where="confidences")
    import torch

    width = confidences.shape[1]
    generator = torch.Generator().manual_seed(seed)
    sizes = [(width, hidden or width), (hidden or width, width)]
    weights = [torch.randn(s, generator=generator) / s[0] ** 0.5 for s in sizes]
    biases = [torch.zeros(s[1]) for s in sizes]
    parameters: list[Any] = [t.requires_grad_() for t in (*weights, *biases)]
    optimizer = torch.optim.AdamW(parameters, lr=1e-2, weight_decay=1e-3)
    x = torch.from_numpy(np.asarray(confidences, np.float32))
    y = torch.from_numpy(np.asarray(final, np.float32))
    for _ in range(epochs):
        logits = torch.relu(x @ parameters[0] + parameters[2]) @ parameters[1] + parameters[3]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    into, out, into_bias, out_bias = (t.detach().double().numpy() for t in parameters)
    return Filter(into, into_bias, out, out_bias)
